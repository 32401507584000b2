/* SPDX-License-Identifier: Apache-2.0
 * What the operators of the reader share: attributes, outputs, errors. */
#include <string.h>

#include "base/memory.h"
#include "onnx/reader.h"

void icseg_onnx_tensor_close(icseg_onnx_tensor *t) {
    if (t->owned) icseg_free(t->data);
    *t = (icseg_onnx_tensor){0};
}

size_t icseg_onnx_element_size(int32_t type) {
    return type == ICSEG_ONNX_FLOAT   ? sizeof(float)
           : type == ICSEG_ONNX_INT64 ? sizeof(int64_t)
           : type == ICSEG_ONNX_INT32 ? sizeof(int32_t)
                                      : 1;
}

icseg_status icseg_onnx_wrong(const icseg_onnx_step *s, const char *what) {
    return icseg_fail(s->error, ICSEG_ERROR_INTERNAL, "the ONNX node %s (%s) is not valid: %s", s->node->name,
                      s->node->op_type, what);
}

icseg_status icseg_onnx_output_tensor(icseg_onnx_step *s, int i, int32_t type, icseg_shape shape) {
    int64_t count = icseg_shape_count(shape);
    if (count < 0) return icseg_onnx_wrong(s, "a size that is out of range");
    void *data = icseg_calloc_array((size_t)count, icseg_onnx_element_size(type));
    if (!data) return icseg_fail_memory(s->error, (size_t)count * icseg_onnx_element_size(type), "an ONNX tensor");
    s->out[i] = (icseg_onnx_tensor){.type = type, .shape = shape, .count = count, .data = data, .owned = true};
    return ICSEG_OK;
}

/* -- attributes */

static const Icseg__Onnx__AttributeProto *find_attribute(const icseg_onnx_step *s, const char *name) {
    for (size_t i = 0; i < s->node->n_attribute; i++)
        if (!strcmp(s->node->attribute[i]->name, name)) return s->node->attribute[i];
    return NULL;
}

int64_t icseg_onnx_attribute(const icseg_onnx_step *s, const char *name, int64_t fallback) {
    const Icseg__Onnx__AttributeProto *a = find_attribute(s, name);
    return a && a->has_i ? a->i : fallback;
}

float icseg_onnx_float_attribute(const icseg_onnx_step *s, const char *name, float fallback) {
    const Icseg__Onnx__AttributeProto *a = find_attribute(s, name);
    return a && a->has_f ? a->f : fallback;
}

bool icseg_onnx_attribute_is(const icseg_onnx_step *s, const char *name, const char *text) {
    const Icseg__Onnx__AttributeProto *a = find_attribute(s, name);
    return a && a->has_s && a->s.len == strlen(text) && !memcmp(a->s.data, text, a->s.len);
}

int64_t icseg_onnx_list_attribute(const icseg_onnx_step *s, const char *name, int i, int64_t fallback) {
    const Icseg__Onnx__AttributeProto *a = find_attribute(s, name);
    return a && (size_t)i < a->n_ints ? a->ints[i] : fallback;
}
