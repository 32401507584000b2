/* SPDX-License-Identifier: Apache-2.0
 * Public tensors in safetensors files. */
#include "icseg/tensor_file.h"

#include <string.h>

#include "base/argument.h"
#include "base/memory.h"
#include "base/struct_size.h"
#include "tensor/safetensors.h"

enum { FIRST_SIZE = offsetof(icseg_tensor_metadata, values) + sizeof(const char *const *) };

struct icseg_tensor_file {
    icseg_safetensors *file;
    const char **names;          /* (count) in header order */
    const char **keys, **values; /* (pairs) */
};

static const icseg_dtype dtypes[] = {
    [ICSEG_TENSOR_F32] = ICSEG_F32,   [ICSEG_TENSOR_I16] = ICSEG_I16, [ICSEG_TENSOR_U8] = ICSEG_U8,
    [ICSEG_TENSOR_F64] = ICSEG_F64,   [ICSEG_TENSOR_F16] = ICSEG_F16, [ICSEG_TENSOR_I64] = ICSEG_I64,
    [ICSEG_TENSOR_I32] = ICSEG_I32,   [ICSEG_TENSOR_I8] = ICSEG_I8,   [ICSEG_TENSOR_U16] = ICSEG_U16,
    [ICSEG_TENSOR_BOOL] = ICSEG_BOOL,
};
enum { TYPES = sizeof dtypes / sizeof *dtypes };

size_t icseg_tensor_type_size(icseg_tensor_type type) {
    return (size_t)type < TYPES ? icseg_dtype_size(dtypes[type]) : 0;
}

/* -- reading */

/* A dense tensor of this type and shape. Strides of one without elements are 0: their products may overflow. */
static icseg_tensor dense(icseg_tensor_type type, icseg_shape shape, void *data) {
    icseg_tensor t = {.type = type, .rank = shape.rank, .data = data};
    int64_t stride = icseg_shape_count(shape) ? (int64_t)icseg_tensor_type_size(type) : 0;
    for (int32_t i = shape.rank - 1; i >= 0; i--) {
        t.shape[i] = shape.dim[i];
        t.strides[i] = stride;
        if (stride) stride *= shape.dim[i];
    }
    return t;
}

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
    *out = dense(ICSEG_TENSOR_F32, shape, data);
    icseg_safetensors_close(&file);
    return ICSEG_OK;
fail:
    icseg_free(data);
    icseg_safetensors_close(&file);
    return status;
}

icseg_status icseg_tensor_file_open(icseg_tensor_file **out, const char *path, icseg_error *error) {
    icseg_status status;
    ICSEG_NEED(out);
    *out = NULL;
    ICSEG_NEED(path);
    icseg_tensor_file *f = icseg_calloc_array(1, sizeof *f);
    if (!f) return icseg_fail_memory_in(error, 0, path);
    ICSEG_TRY_GOTO(icseg_safetensors_open(&f->file, path, error));
    size_t count = icseg_safetensors_count(f->file), pairs = icseg_safetensors_metadata_count(f->file);
    f->names = icseg_alloc_array(count, sizeof *f->names);
    f->keys = icseg_alloc_array(pairs, sizeof *f->keys);
    f->values = icseg_alloc_array(pairs, sizeof *f->values);
    if (!f->names || !f->keys || !f->values) {
        status = icseg_fail_memory_in(error, 0, path);
        goto fail;
    }
    for (size_t i = 0; i < count; i++) f->names[i] = icseg_safetensors_at(f->file, i)->name;
    for (size_t i = 0; i < pairs; i++) {
        icseg_safetensors_pair pair = icseg_safetensors_metadata_at(f->file, i);
        f->keys[i] = pair.key;
        f->values[i] = pair.value;
    }
    *out = f;
    return ICSEG_OK;
fail:
    icseg_tensor_file_close(&f);
    return status;
}

void icseg_tensor_file_close(icseg_tensor_file **file) {
    if (!file || !*file) return;
    icseg_safetensors_close(&(*file)->file);
    icseg_free(*(void **)&(*file)->names);
    icseg_free(*(void **)&(*file)->keys);
    icseg_free(*(void **)&(*file)->values);
    icseg_free(*file);
    *file = NULL;
}

size_t icseg_tensor_file_count(const icseg_tensor_file *file) { return file ? icseg_safetensors_count(file->file) : 0; }

const char *icseg_tensor_file_name(const icseg_tensor_file *file, size_t index) {
    return index < icseg_tensor_file_count(file) ? file->names[index] : NULL;
}

/* The type in which a tensor of the file is read. */
static icseg_tensor_type type_of(icseg_dtype dtype) {
    for (int i = 0; i < TYPES; i++)
        if (dtypes[i] == dtype) return (icseg_tensor_type)i;
    return ICSEG_TENSOR_F32; /* BF16 */
}

/* Reads the bytes of an entry; BF16 becomes F32. */
static icseg_status read_data(const icseg_safetensors *file, const icseg_safetensors_entry *entry, void *data,
                              icseg_error *error) {
    size_t offset;
    const icseg_file_reader *reader = icseg_safetensors_locate(file, entry, &offset);
    if (entry->dtype == ICSEG_BF16)
        return icseg_safetensors_read(file, entry, 0, entry->bytes / icseg_dtype_size(ICSEG_BF16), data, error);
    ICSEG_TRY(icseg_file_reader_read(reader, offset, data, entry->bytes, error));
    uint8_t *bytes = data;
    for (size_t i = 0; entry->dtype == ICSEG_BOOL && i < entry->bytes; i++) bytes[i] = bytes[i] != 0;
    return ICSEG_OK;
}

icseg_status icseg_tensor_file_read(const icseg_tensor_file *file, const char *name, icseg_tensor *out,
                                    icseg_error *error) {
    ICSEG_NEED(out);
    *out = (icseg_tensor){0};
    ICSEG_NEED(file);
    ICSEG_NEED(name);
    const char *path = icseg_safetensors_path(file->file);
    const icseg_safetensors_entry *entry = icseg_safetensors_find(file->file, name);
    if (!entry) return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "%s: does not have a tensor \"%.200s\"", path, name);
    icseg_tensor_type type = type_of(entry->dtype);
    size_t bytes = entry->bytes / icseg_dtype_size(entry->dtype) * icseg_tensor_type_size(type);
    void *data = icseg_alloc(bytes);
    if (!data) return icseg_fail_memory_in(error, bytes, path);
    icseg_status status = read_data(file->file, entry, data, error);
    if (status == ICSEG_OK)
        *out = dense(type, entry->shape, data);
    else
        icseg_free(data);
    return status;
}

icseg_status icseg_tensor_file_metadata(const icseg_tensor_file *file, icseg_tensor_metadata *out, icseg_error *error) {
    ICSEG_NEED(out);
    icseg_tensor_metadata m = {.struct_size = sizeof m};
    ICSEG_TRY(icseg_struct_write(out, &m, sizeof m, FIRST_SIZE, "icseg_tensor_metadata", error));
    ICSEG_NEED(file);
    m.count = icseg_safetensors_metadata_count(file->file);
    m.keys = file->keys;
    m.values = file->values;
    return icseg_struct_write(out, &m, sizeof m, FIRST_SIZE, "icseg_tensor_metadata", error);
}

/* -- writing */

/* Copies a strided tensor, from `axis` on, to dense memory and returns the end of the copy. */
static char *copy_axis(char *to, const char *from, const icseg_tensor *t, int32_t axis, size_t element) {
    if (axis == t->rank) {
        memcpy(to, from, element);
        return to + element;
    }
    for (int64_t i = 0; i < t->shape[axis]; i++) to = copy_axis(to, from + i * t->strides[axis], t, axis + 1, element);
    return to;
}

static icseg_status refuse(icseg_error *error, const char *path, const char *name, const char *why) {
    return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "%s: tensor \"%.200s\": %s", path, name, why);
}

static icseg_status make_entry(icseg_safetensors_entry *out, const char *path, const char *name, const icseg_tensor *t,
                               icseg_arena *arena, icseg_error *error) {
    if (!name) return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "%s: the name of a tensor is NULL", path);
    if (!t->data) return refuse(error, path, name, "its data is NULL");
    if ((size_t)t->type >= TYPES) return refuse(error, path, name, "its type does not exist");
    if (t->rank < 0 || t->rank > ICSEG_MAX_RANK) return refuse(error, path, name, "its rank is not 0 to 6");
    icseg_shape shape = {.rank = t->rank};
    for (int32_t i = 0; i < t->rank; i++) shape.dim[i] = t->shape[i];
    int64_t bytes = icseg_shape_bytes(shape, dtypes[t->type]);
    if (bytes < 0) return refuse(error, path, name, "its shape is negative or too large");
    char *data = icseg_arena_alloc(arena, (size_t)bytes);
    if (!data) return icseg_fail_memory_in(error, (size_t)bytes, path);
    copy_axis(data, t->data, t, 0, icseg_dtype_size(dtypes[t->type]));
    *out = (icseg_safetensors_entry){name, dtypes[t->type], shape, data, (size_t)bytes};
    return ICSEG_OK;
}

static icseg_status make_pair(icseg_safetensors_pair *out, const char *path, const icseg_tensor_metadata *m, size_t i,
                              icseg_error *error) {
    *out = (icseg_safetensors_pair){m->keys ? m->keys[i] : NULL, m->values ? m->values[i] : NULL};
    if (out->key && out->value) return ICSEG_OK;
    return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "%s: a key or a text of the metadata is NULL", path);
}

icseg_status icseg_tensors_write(const char *path, const char *const *names, const icseg_tensor *tensors, size_t count,
                                 icseg_error *error) {
    return icseg_tensor_file_write(path, names, tensors, count, NULL, error);
}

icseg_status icseg_tensor_file_write(const char *path, const char *const *names, const icseg_tensor *tensors,
                                     size_t count, const icseg_tensor_metadata *metadata, icseg_error *error) {
    icseg_tensor_metadata m;
    ICSEG_NEED(path);
    ICSEG_NEED(names);
    ICSEG_NEED(tensors);
    ICSEG_TRY(icseg_struct_read(&m, sizeof m, metadata, FIRST_SIZE, "icseg_tensor_metadata", error));
    if (!count) return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "%s: no tensors", path);
    icseg_arena *arena = NULL;
    ICSEG_TRY(icseg_arena_open(&arena, error));
    icseg_safetensors_entry *entries = icseg_arena_array(arena, count, sizeof *entries);
    icseg_safetensors_pair *pairs = icseg_arena_array(arena, m.count, sizeof *pairs);
    icseg_status status = entries && pairs ? ICSEG_OK : icseg_fail_memory(error, 0, "a list of tensors");
    for (size_t i = 0; i < count && status == ICSEG_OK; i++)
        status = make_entry(&entries[i], path, names[i], &tensors[i], arena, error);
    for (size_t i = 0; i < m.count && status == ICSEG_OK; i++) status = make_pair(&pairs[i], path, &m, i, error);
    if (status == ICSEG_OK) status = icseg_safetensors_write(path, entries, count, pairs, m.count, error);
    icseg_arena_close(&arena);
    return status;
}
