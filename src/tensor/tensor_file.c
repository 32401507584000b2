/* SPDX-License-Identifier: Apache-2.0
 * Public tensors in safetensors files. */
#include "icseg/tensor_file.h"

#include <string.h>

#include "base/argument.h"
#include "base/memory.h"
#include "tensor/safetensors.h"

icseg_status icseg_tensor_read(icseg_tensor *out, const char *path, const char *name, icseg_error *error) {
    ICSEG_NEED(out);
    *out = (icseg_tensor){0};
    ICSEG_NEED(path);
    ICSEG_NEED(name);
    icseg_safetensors *file = NULL;
    const icseg_safetensors_entry *entry;
    icseg_status status;
    float *data = NULL;
    ICSEG_TRY_GOTO(icseg_safetensors_open(&file, path, error));
    ICSEG_TRY_GOTO(icseg_safetensors_get(file, name, &entry, error));
    ICSEG_TRY_GOTO(icseg_safetensors_get_f32(file, name, entry->shape, &entry, error));
    icseg_shape shape = entry->shape;
    size_t bytes = (size_t)icseg_shape_bytes(shape, ICSEG_F32);
    data = icseg_alloc(bytes);
    if (!data) {
        status = icseg_fail_memory_in(error, bytes, path);
        goto fail;
    }
    ICSEG_TRY_GOTO(icseg_safetensors_read_f32(file, name, shape, data, error));
    out->type = ICSEG_TENSOR_F32;
    out->rank = shape.rank;
    int64_t stride = sizeof(float);
    for (int32_t i = shape.rank - 1; i >= 0; i--) {
        out->shape[i] = shape.dim[i];
        out->strides[i] = stride;
        stride *= shape.dim[i];
    }
    out->data = data;
    icseg_safetensors_close(&file);
    return ICSEG_OK;
fail:
    icseg_free(data);
    icseg_safetensors_close(&file);
    return status;
}

static const icseg_dtype dtypes[] = {
    [ICSEG_TENSOR_F32] = ICSEG_F32, [ICSEG_TENSOR_I16] = ICSEG_I16, [ICSEG_TENSOR_U8] = ICSEG_U8};

/* Copies a strided tensor, from `axis` on, to dense memory and returns the end of the copy. */
static char *copy_axis(char *to, const char *from, const icseg_tensor *t, int32_t axis, size_t element) {
    if (axis == t->rank) {
        memcpy(to, from, element);
        return to + element;
    }
    for (int64_t i = 0; i < t->shape[axis]; i++) to = copy_axis(to, from + i * t->strides[axis], t, axis + 1, element);
    return to;
}

static icseg_status make_entry(icseg_safetensors_entry *out, const char *name, const icseg_tensor *t,
                               icseg_arena *arena, icseg_error *error) {
    if (!name || !t->data)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "icseg_tensors_write: %s is NULL",
                          name ? "the data of a tensor" : "a name");
    if ((size_t)t->type >= sizeof dtypes / sizeof *dtypes)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "icseg_tensors_write: %s: type %d does not exist", name,
                          (int)t->type);
    if (t->rank < 1 || t->rank > ICSEG_MAX_RANK)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "icseg_tensors_write: %s: the rank is %d; expected 1..%d", name,
                          (int)t->rank, ICSEG_MAX_RANK);
    icseg_shape shape = {.rank = t->rank};
    for (int32_t i = 0; i < t->rank; i++) {
        if (t->shape[i] < 1)
            return icseg_fail(error, ICSEG_ERROR_ARGUMENT,
                              "icseg_tensors_write: %s: axis %d has %lld elements; expected at least 1", name, (int)i,
                              (long long)t->shape[i]);
        shape.dim[i] = t->shape[i];
    }
    int64_t bytes = icseg_shape_bytes(shape, dtypes[t->type]);
    char *data = bytes < 0 ? NULL : icseg_arena_alloc(arena, (size_t)bytes);
    if (!data) return icseg_fail_memory_in(error, bytes < 0 ? 0 : (size_t)bytes, name);
    copy_axis(data, t->data, t, 0, icseg_dtype_size(dtypes[t->type]));
    *out = (icseg_safetensors_entry){name, dtypes[t->type], shape, data, (size_t)bytes};
    return ICSEG_OK;
}

icseg_status icseg_tensors_write(const char *path, const char *const *names, const icseg_tensor *tensors, size_t count,
                                 icseg_error *error) {
    ICSEG_NEED(path);
    ICSEG_NEED(names);
    ICSEG_NEED(tensors);
    if (!count) return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "icseg_tensors_write: count is 0");
    icseg_arena *arena = NULL;
    ICSEG_TRY(icseg_arena_open(&arena, error));
    icseg_safetensors_entry *entries = icseg_arena_array(arena, count, sizeof *entries);
    icseg_status status = entries ? ICSEG_OK : icseg_fail_memory(error, 0, "a list of tensors");
    for (size_t i = 0; i < count && status == ICSEG_OK; i++)
        status = make_entry(&entries[i], names[i], &tensors[i], arena, error);
    if (status == ICSEG_OK) status = icseg_safetensors_write(path, entries, count, NULL, 0, error);
    icseg_arena_close(&arena);
    return status;
}
