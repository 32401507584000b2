/* SPDX-License-Identifier: Apache-2.0
 * The safetensors writer. The header needs every offset before the first tensor, so tensors are declared first and
 * streamed afterwards. The writer checks that the streamed tensors are the declared ones. */
#include <inttypes.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "tensor/safetensors.h"

typedef struct declared {
    const char *name; /* in the arena */
    size_t bytes;
} declared;

struct icseg_safetensors_writer {
    icseg_arena *arena;
    icseg_file_writer *file;
    const char *path;
    json_t *header, *metadata; /* metadata is borrowed: the header's first member */
    declared *tensors;
    size_t count, capacity, next; /* next: the tensor that append expects */
    int64_t offset;
    bool begun, failed;
};

static icseg_status out_of_memory(icseg_safetensors_writer *w, size_t bytes, icseg_error *error) {
    w->failed = true;
    return icseg_fail_memory_in(error, bytes, w->path);
}

static icseg_status misused(icseg_safetensors_writer *w, icseg_error *error, const char *name, const char *what) {
    w->failed = true;
    return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "%s: cannot write \"%.200s\": %s", w->path, name, what);
}

/* jansson reports invalid UTF-8 and a lack of memory in the same way. Setting an existing key again takes no memory, so
 * a failure then means invalid UTF-8. */
static icseg_status check_utf8(icseg_safetensors_writer *w, const char *text, const char *name, const char *problem,
                               icseg_error *error) {
    json_t *probe = json_object();
    bool stored = json_object_set_new_nocheck(probe, text, json_null()) == 0;
    bool valid = stored && json_object_set_new(probe, text, json_null()) == 0;
    json_decref(probe);
    if (!stored) return out_of_memory(w, strlen(text), error);
    return valid ? ICSEG_OK : misused(w, error, name, problem);
}

icseg_status icseg_safetensors_writer_open(icseg_safetensors_writer **out, const char *path, icseg_error *error) {
    icseg_status status;
    *out = NULL;
    icseg_safetensors_writer *w = icseg_calloc_array(1, sizeof *w);
    if (!w) return icseg_fail_memory_in(error, 0, path);
    w->path = path; /* until it is copied */
    ICSEG_TRY_GOTO(icseg_arena_open(&w->arena, error));
    const char *copy = icseg_arena_strdup(w->arena, path);
    w->header = json_object();
    if (!copy || !w->header || json_object_set_new(w->header, "__metadata__", json_object()) != 0) {
        status = out_of_memory(w, strlen(path), error);
        goto fail;
    }
    w->path = copy;
    w->metadata = json_object_get(w->header, "__metadata__");
    ICSEG_TRY_GOTO(icseg_file_writer_open(&w->file, path, error));
    *out = w;
    return ICSEG_OK;
fail:
    icseg_safetensors_writer_close(&w);
    return status;
}

static bool grow(icseg_safetensors_writer *w) {
    if (w->count < w->capacity) return true;
    size_t capacity = w->capacity * 2 + 64;
    declared *grown = icseg_realloc_array(w->tensors, w->count, capacity, sizeof *grown);
    if (!grown) return false;
    w->tensors = grown;
    w->capacity = capacity;
    return true;
}

icseg_status icseg_safetensors_writer_declare(icseg_safetensors_writer *w, const char *name, icseg_dtype dtype,
                                              icseg_shape shape, icseg_error *error) {
    int64_t bytes = icseg_shape_bytes(shape, dtype), end;
    if (w->begun) return misused(w, error, name, "tensors are declared before begin");
    if (json_object_get(w->header, name)) return misused(w, error, name, "the name is already used");
    if (bytes < 0 || __builtin_add_overflow(w->offset, bytes, &end))
        return misused(w, error, name, "its shape is negative or too large");
    ICSEG_TRY(check_utf8(w, name, name, "the name is not UTF-8", error));
    if (!grow(w)) return out_of_memory(w, w->count * sizeof *w->tensors, error);
    const char *copy = icseg_arena_strdup(w->arena, name);
    json_t *dims = json_array();
    for (int i = 0; i < shape.rank && dims; i++)
        if (json_array_append_new(dims, json_integer(shape.dim[i])) != 0) {
            json_decref(dims);
            dims = NULL;
        }
    json_t *info = copy && dims ? json_pack("{s:s, s:O, s:[I, I]}", "dtype", icseg_dtype_name(dtype), "shape", dims,
                                            "data_offsets", (json_int_t)w->offset, (json_int_t)end)
                                : NULL;
    json_decref(dims);
    if (!info || json_object_set_new(w->header, name, info) != 0) return out_of_memory(w, strlen(name), error);
    w->tensors[w->count++] = (declared){.name = copy, .bytes = (size_t)bytes};
    w->offset = end;
    return ICSEG_OK;
}

icseg_status icseg_safetensors_writer_metadata(icseg_safetensors_writer *w, const char *key, const char *value,
                                               icseg_error *error) {
    if (w->begun) return misused(w, error, key, "metadata is set before begin");
    if (json_object_get(w->metadata, key)) return misused(w, error, key, "the metadata key is already used");
    ICSEG_TRY(check_utf8(w, key, key, "the metadata is not UTF-8", error));
    ICSEG_TRY(check_utf8(w, value, key, "the metadata is not UTF-8", error));
    if (json_object_set_new(w->metadata, key, json_string(value)) != 0) return out_of_memory(w, strlen(value), error);
    return ICSEG_OK;
}

icseg_status icseg_safetensors_writer_begin(icseg_safetensors_writer *w, icseg_error *error) {
    if (w->begun) return misused(w, error, "header", "begin was called twice");
    if (w->failed) return misused(w, error, "header", "an earlier call failed");
    w->begun = true;
    if (json_object_size(w->metadata) == 0) json_object_del(w->header, "__metadata__");
    char *text = icseg_json_text(json_incref(w->header), JSON_COMPACT); /* members stay in the order they were set */
    if (!text) return out_of_memory(w, 0, error);
    static const char spaces[8] = "        ";
    uint64_t size = strlen(text), padded = (size + 7) / 8 * 8;
    icseg_status status = icseg_file_writer_write(w->file, &padded, sizeof padded, error);
    if (status == ICSEG_OK) status = icseg_file_writer_write(w->file, text, size, error);
    if (status == ICSEG_OK) status = icseg_file_writer_write(w->file, spaces, padded - size, error);
    icseg_free(text);
    w->failed = status != ICSEG_OK;
    return status;
}

icseg_status icseg_safetensors_writer_append(icseg_safetensors_writer *w, const char *name, const void *data,
                                             size_t bytes, icseg_error *error) {
    if (!w->begun) return misused(w, error, name, "begin has not been called");
    if (w->failed) return misused(w, error, name, "an earlier call failed or committed");
    if (w->next == w->count) return misused(w, error, name, "all declared tensors have been written");
    const declared *expected = &w->tensors[w->next];
    if (strcmp(expected->name, name) != 0 || expected->bytes != bytes) {
        w->failed = true;
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT,
                          "%s: cannot write \"%.200s\" of %zu bytes: the next tensor declared is \"%.200s\" of %zu",
                          w->path, name, bytes, expected->name, expected->bytes);
    }
    icseg_status status = icseg_file_writer_write(w->file, data, bytes, error);
    w->failed = status != ICSEG_OK;
    w->next++;
    return status;
}

icseg_status icseg_safetensors_writer_commit(icseg_safetensors_writer *w, icseg_error *error) {
    if (w->failed) return misused(w, error, "the file", "an earlier call failed or committed");
    if (!w->begun) return misused(w, error, "the file", "begin has not been called");
    if (w->next < w->count) return misused(w, error, w->tensors[w->next].name, "its data was never appended");
    icseg_status status = icseg_file_writer_commit(w->file, error);
    w->failed = true; /* committed or failed: accepts nothing more */
    return status;
}

void icseg_safetensors_writer_close(icseg_safetensors_writer **writer) {
    if (!writer || !*writer) return;
    icseg_safetensors_writer *w = *writer;
    icseg_file_writer_close(&w->file);
    json_decref(w->header);
    icseg_free(w->tensors);
    icseg_arena_close(&w->arena);
    icseg_free(w);
    *writer = NULL;
}

icseg_status icseg_safetensors_write(const char *path, const icseg_safetensors_entry *entries, size_t count,
                                     const icseg_safetensors_pair *metadata, size_t pairs, icseg_error *error) {
    icseg_safetensors_writer *w;
    ICSEG_TRY(icseg_safetensors_writer_open(&w, path, error));
    icseg_status status = ICSEG_OK;
    for (size_t i = 0; i < pairs && status == ICSEG_OK; i++)
        status = icseg_safetensors_writer_metadata(w, metadata[i].key, metadata[i].value, error);
    for (size_t i = 0; i < count && status == ICSEG_OK; i++)
        status = icseg_safetensors_writer_declare(w, entries[i].name, entries[i].dtype, entries[i].shape, error);
    if (status == ICSEG_OK) status = icseg_safetensors_writer_begin(w, error);
    for (size_t i = 0; i < count && status == ICSEG_OK; i++)
        status = icseg_safetensors_writer_append(w, entries[i].name, entries[i].data, entries[i].bytes, error);
    if (status == ICSEG_OK) status = icseg_safetensors_writer_commit(w, error);
    icseg_safetensors_writer_close(&w);
    return status;
}
