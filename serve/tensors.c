/* SPDX-License-Identifier: Apache-2.0 */
#include "tensors.h"

#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "icseg/image.h"
#include "icseg/session.h"

const tensor_output tensor_outputs[] = {
    {"labels", ICSEG_OUTPUT_LABELS, "INT16", 3},
    {"confidence", ICSEG_OUTPUT_CONFIDENCE, "FP32", 3},
    {"probabilities", ICSEG_OUTPUT_PROBABILITIES, "FP32", 4},
    {"logits", ICSEG_OUTPUT_LOGITS, "FP32", 4},
    {"class_embeddings", ICSEG_OUTPUT_CLASS_EMBEDDINGS, "FP32", 3},
    {"image_embedding", ICSEG_OUTPUT_IMAGE_EMBEDDING, "FP32", 2},
    {NULL, 0, NULL, 0},
};

static bool fail(char problem[256], const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool fail(char problem[256], const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(problem, 256, format, args);
    va_end(args);
    return false;
}

/* -- the input's shape */

static bool read_datatype(tensor_request *t, const json_t *input, char problem[256]) {
    static const char *const names[] = {"FP32", "UINT8", "BYTES"};
    const char *name = json_string_value(json_object_get(input, "datatype"));
    for (int i = 0; i < 3 && name; i++)
        if (!strcmp(name, names[i])) {
            t->datatype = (tensor_datatype)i;
            return true;
        }
    return fail(problem, "inputs[0].datatype: %s%.20s%s: expected FP32 (N, 3, H, W), UINT8 (N, H, W, 3) or BYTES (N)",
                name ? "\"" : "", name ? name : "missing", name ? "\"" : "");
}

static bool read_shape(tensor_request *t, const json_t *input, int64_t max_pixels, char problem[256]) {
    const json_t *shape = json_object_get(input, "shape");
    size_t rank = json_array_size(shape), needed = t->datatype == DATATYPE_BYTES ? 1 : 4;
    int64_t side[TENSOR_RANK_MOST] = {0};
    for (size_t i = 0; i < rank && i < TENSOR_RANK_MOST; i++) side[i] = json_integer_value(json_array_get(shape, i));
    if (rank == 2 && needed == 1 && side[1] == 1) rank = 1; /* (N, 1), as some clients send strings */
    bool ok = rank == needed && side[0] >= 1 && side[0] <= TENSOR_IMAGES_MOST;
    for (size_t i = 0; i < needed && ok; i++) ok = side[i] >= 1 && side[i] <= ICSEG_IMAGE_MAX_SIDE;
    int channels = t->datatype == DATATYPE_FP32 ? 1 : 3;
    if (!ok || (needed == 4 && side[channels] != 3))
        return fail(problem, "inputs[0].shape: expected %s with at most %d images",
                    needed == 1                     ? "(N)"
                    : t->datatype == DATATYPE_UINT8 ? "(N, H, W, 3)"
                                                    : "(N, 3, H, W)",
                    TENSOR_IMAGES_MOST);
    t->images = (int32_t)side[0];
    if (needed == 1) return true;
    t->height = (int32_t)side[t->datatype == DATATYPE_FP32 ? 2 : 1];
    t->width = (int32_t)side[t->datatype == DATATYPE_FP32 ? 3 : 2];
    if ((int64_t)t->height * t->width > max_pixels)
        return fail(problem, "inputs[0].shape: %d x %d pixels is too large: at most %lld pixels are allowed", t->width,
                    t->height, (long long)max_pixels);
    return true;
}

/* Bytes of the elements of FP32 and UINT8. */
static size_t element_bytes(const tensor_request *t) {
    size_t elements = (size_t)t->images * (size_t)t->height * (size_t)t->width * 3;
    return t->datatype == DATATYPE_FP32 ? elements * sizeof(float) : elements;
}

/* -- the input's data in JSON: a list, or lists in lists */

static bool append_number(tensor_request *t, const json_t *value) {
    if (t->datatype == DATATYPE_FP32) {
        float number = (float)json_number_value(value);
        serve_buffer_append(&t->data, &number, sizeof number);
        return json_is_number(value);
    }
    json_int_t number = json_integer_value(value);
    uint8_t byte = (uint8_t)number;
    serve_buffer_append(&t->data, &byte, 1);
    return json_is_integer(value) && number >= 0 && number <= 255;
}

static bool append_numbers(tensor_request *t, const json_t *list, int depth) {
    size_t limit = element_bytes(t);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *value = json_array_get(list, i);
        if (t->data.size > limit) return true; /* its size is reported */
        bool ok = json_is_array(value) ? depth < TENSOR_RANK_MOST && append_numbers(t, value, depth + 1)
                                       : append_number(t, value);
        if (!ok) return false;
    }
    return true;
}

static bool append_texts(tensor_request *t, const json_t *list, char problem[256]) {
    if ((int64_t)json_array_size(list) != t->images)
        return fail(problem, "inputs[0].data: %zu strings: expected %d, as in the shape", json_array_size(list),
                    t->images);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *value = json_array_get(list, i);
        size_t before = t->data.size;
        if (!json_is_string(value) ||
            !serve_buffer_decode_base64(&t->data, json_string_value(value), json_string_length(value)))
            return fail(problem, "inputs[0].data[%zu]: expected an encoded image as base64", i);
        t->bytes[i] = t->data.size - before;
    }
    return true;
}

static bool read_json_data(tensor_request *t, const json_t *data, char problem[256]) {
    if (!json_is_array(data)) return fail(problem, "inputs[0].data: expected a list");
    if (t->datatype == DATATYPE_BYTES) return append_texts(t, data, problem);
    if (!append_numbers(t, data, 1))
        return fail(problem, "inputs[0].data: expected %s",
                    t->datatype == DATATYPE_FP32 ? "numbers" : "whole numbers from 0 to 255");
    return true;
}

/* -- the input's data behind the JSON */

/* Each element of BYTES has its size, 4 bytes, before it. */
static bool split_elements(tensor_request *t, const char *bytes, size_t size, char problem[256]) {
    for (int i = 0; i < t->images; i++) {
        uint32_t length;
        if (size < sizeof length) return fail(problem, "inputs[0]: the binary data end before element %d", i);
        memcpy(&length, bytes, sizeof length);
        bytes += sizeof length;
        size -= sizeof length;
        if (length > size) return fail(problem, "inputs[0]: the binary data end within element %d", i);
        serve_buffer_append(&t->data, bytes, length);
        t->bytes[i] = length;
        bytes += length;
        size -= length;
    }
    return !size || fail(problem, "inputs[0]: %zu bytes follow the last element", size);
}

static bool read_binary_data(tensor_request *t, const json_t *declared, const char *bytes, size_t size,
                             char problem[256]) {
    if (!json_is_integer(declared) || json_integer_value(declared) < 0 ||
        (uint64_t)json_integer_value(declared) != size)
        return fail(problem, "inputs[0].parameters.binary_data_size: expected %zu, the number of bytes after the JSON",
                    size);
    if (t->datatype == DATATYPE_BYTES) return split_elements(t, bytes, size, problem);
    serve_buffer_append(&t->data, bytes, size);
    return true;
}

static bool check_elements(const tensor_request *t, char problem[256]) {
    if (t->datatype == DATATYPE_BYTES) return true;
    size_t size = t->datatype == DATATYPE_FP32 ? sizeof(float) : 1, needed = element_bytes(t);
    if (t->data.size != needed)
        return fail(problem, "inputs[0]: %s%zu elements: expected %zu, as in the shape",
                    t->data.size > needed ? "at least " : "", t->data.size / size, needed / size);
    for (size_t i = 0; t->datatype == DATATYPE_FP32 && i < needed / size; i++) {
        float value;
        memcpy(&value, t->data.data + i * size, size);
        if (!isfinite(value)) return fail(problem, "inputs[0]: element %zu is not finite", i);
    }
    return true;
}

static bool read_input(tensor_request *t, const json_t *root, const char *bytes, size_t size, int64_t max_pixels,
                       char problem[256]) {
    const json_t *inputs = json_object_get(root, "inputs"), *input = json_array_get(inputs, 0);
    const json_t *declared = json_object_get(json_object_get(input, "parameters"), "binary_data_size");
    if (json_array_size(inputs) != 1 || !json_is_object(input))
        return fail(problem, "inputs: expected a list with one input, the images");
    if (!read_datatype(t, input, problem) || !read_shape(t, input, max_pixels, problem)) return false;
    bool ok = declared ? read_binary_data(t, declared, bytes, size, problem)
                       : read_json_data(t, json_object_get(input, "data"), problem);
    if (ok && !declared && size) return fail(problem, "%zu bytes after the JSON belong to no input", size);
    if (ok && t->data.failed) return fail(problem, "out of memory");
    return ok && check_elements(t, problem);
}

/* -- outputs */

static bool add_output(tensor_request *t, const char *name, bool binary, char problem[256]) {
    for (const tensor_output *o = tensor_outputs; o->name; o++)
        if (name && !strcmp(name, o->name)) {
            t->output[t->outputs].output = o->output;
            t->output[t->outputs++].binary = binary;
            return true;
        }
    return fail(problem,
                "outputs[%d].name: %s%.40s%s: expected labels, confidence, probabilities, logits, "
                "class_embeddings or image_embedding",
                t->outputs, name ? "\"" : "", name ? name : "missing", name ? "\"" : "");
}

static bool read_outputs(tensor_request *t, const json_t *root, char problem[256]) {
    const json_t *outputs = json_object_get(root, "outputs");
    bool all_binary = json_is_true(json_object_get(json_object_get(root, "parameters"), "binary_data_output"));
    size_t count = json_array_size(outputs);
    if (outputs && (!json_is_array(outputs) || count > TENSOR_OUTPUTS_MOST))
        return fail(problem, "outputs: expected a list of at most %d outputs", TENSOR_OUTPUTS_MOST);
    if (!count) return add_output(t, "labels", all_binary, problem);
    for (size_t i = 0; i < count; i++) {
        const json_t *output = json_array_get(outputs, i);
        const json_t *binary = json_object_get(json_object_get(output, "parameters"), "binary_data");
        if (!add_output(t, json_string_value(json_object_get(output, "name")),
                        binary ? json_is_true(binary) : all_binary, problem))
            return false;
    }
    return true;
}

/* -- */

bool tensor_request_read(tensor_request *t, const char *body, size_t size, size_t json_size, int64_t max_pixels,
                         char problem[256]) {
    json_error_t error;
    *t = (tensor_request){.images = 0};
    if (json_size > size)
        return fail(problem, "Inference-Header-Content-Length: %zu is more than the body has", json_size);
    if (json_size > TENSOR_JSON_MOST)
        return fail(problem, "the JSON has %zu bytes, and at most %d are read; send large tensors as binary data",
                    json_size, TENSOR_JSON_MOST);
    json_t *root = json_loadb(body ? body : "", json_size, JSON_REJECT_DUPLICATES, &error);
    if (!root) return fail(problem, "not JSON: line %d: %.150s", error.line, error.text);
    const char *id = json_string_value(json_object_get(root, "id"));
    if (id) snprintf(t->id, sizeof t->id, "%.64s", id);
    bool ok = read_input(t, root, (body ? body : "") + json_size, size - json_size, max_pixels, problem) &&
              read_outputs(t, root, problem);
    json_decref(root);
    return ok;
}

void tensor_request_close(tensor_request *t) { serve_buffer_close(&t->data); }
