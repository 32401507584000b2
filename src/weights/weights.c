/* SPDX-License-Identifier: Apache-2.0
 * Opening weights: recognising files and folders, shards, and reading tensors. */
#include "weights/weights.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/compare.h"
#include "base/json.h"
#include "weights/internal.h"

enum { MAX_INDEX = 32 << 20 };
/* A deflated tensor may span this many times its bytes, and GRANTED bytes in any case. */
enum { SPARSE = 64, GRANTED = 1 << 20 };

/* ------------------------------------------------------------------------------------------------------- tensors */

static bool is_contiguous(const icseg_weights_tensor *t) {
    int64_t step = 1;
    for (int i = t->shape.rank; i-- > 0; step *= t->shape.dim[i])
        if (t->shape.dim[i] != 1 && t->stride[i] != step) return false;
    return true;
}

/* Advances the stream of a deflated storage to the tensor's first byte. */
static icseg_status seek(const icseg_weights_tensor *t, icseg_error *error) {
    icseg_weights_cursor *c = t->packed->cursor;
    if (c->at != t->packed || icseg_zip_stream_position(c->stream) > t->offset) {
        icseg_zip_stream_close(&c->stream);
        c->at = NULL;
        ICSEG_TRY(icseg_zip_stream_open(&c->stream, &t->packed->entry, t->file, t->packed->path, error));
        c->at = t->packed;
    }
    return icseg_zip_stream_read(c->stream, NULL, t->offset - icseg_zip_stream_position(c->stream), error);
}

/* Bytes `at` .. `at` + `size`, counted from the tensor's first; of a deflated tensor in order, after `seek`. */
static icseg_status read_bytes(const icseg_weights_tensor *t, size_t at, void *out, size_t size, icseg_error *error) {
    if (t->packed) return icseg_zip_stream_read(t->packed->cursor->stream, out, size, error);
    return icseg_file_reader_read(t->file, t->offset + at, out, size, error);
}

static icseg_status read_contiguous(const icseg_weights_tensor *t, size_t count, float *out, icseg_error *error) {
    unsigned char buffer[1 << 16];
    size_t size = icseg_dtype_size(t->dtype), limit = sizeof buffer / size;
    if (t->dtype == ICSEG_F32) return read_bytes(t, 0, out, count * size, error);
    for (size_t at = 0, slice; at < count; at += slice) {
        slice = count - at < limit ? count - at : limit;
        ICSEG_TRY(read_bytes(t, at * size, buffer, slice * size, error));
        icseg_f32_from(out + at, buffer, t->dtype, slice);
    }
    return ICSEG_OK;
}

/* Row-major f32 from the span of the elements; index counts through all axes but the last. */
static void gather(const icseg_weights_tensor *t, const unsigned char *data, int64_t count, float *out) {
    int64_t index[ICSEG_MAX_RANK] = {0};
    int last = t->shape.rank - 1; /* a scalar is contiguous */
    int64_t row = t->shape.dim[last], step = t->stride[last];
    size_t size = icseg_dtype_size(t->dtype);
    for (int64_t done = 0; done < count; done += row) {
        int64_t at = 0;
        for (int i = 0; i < last; i++) at += index[i] * t->stride[i];
        const unsigned char *from = data + (size_t)at * size;
        if (step == 1)
            icseg_f32_from(out + done, from, t->dtype, (size_t)row);
        else
            for (int64_t i = 0; i < row; i++)
                icseg_f32_from(out + done + i, from + (size_t)(i * step) * size, t->dtype, 1);
        for (int i = last; i-- > 0 && ++index[i] == t->shape.dim[i];) index[i] = 0;
    }
}

/* From the first element to the last. */
static size_t span_bytes(const icseg_weights_tensor *t) {
    int64_t last = 0;
    for (int i = 0; i < t->shape.rank; i++) last += (t->shape.dim[i] - 1) * t->stride[i];
    return (size_t)(last + 1) * icseg_dtype_size(t->dtype);
}

static icseg_status read_strided(const icseg_weights_tensor *t, int64_t count, float *out, icseg_error *error) {
    size_t span = span_bytes(t);
    if (t->packed && span / SPARSE > (size_t)count * icseg_dtype_size(t->dtype) + GRANTED / SPARSE)
        return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: refused: %.200s spans %zu bytes for %lld elements",
                          t->packed->path, t->name, span, (long long)count);
    unsigned char *data = icseg_alloc(span);
    if (!data) return icseg_fail_memory_in(error, span, t->name);
    icseg_status status = read_bytes(t, 0, data, span, error);
    if (status == ICSEG_OK) gather(t, data, count, out);
    icseg_free(data);
    return status;
}

static icseg_status read_tensor(const icseg_weights_tensor *t, float *out, icseg_error *error) {
    int64_t count = icseg_shape_count(t->shape);
    if (count <= 0) return ICSEG_OK;
    if (t->packed) ICSEG_TRY(seek(t, error));
    return is_contiguous(t) ? read_contiguous(t, (size_t)count, out, error) : read_strided(t, count, out, error);
}

static icseg_status add_to_first_row(const icseg_weights_entry *entry, float *out, icseg_error *error) {
    const icseg_weights_tensor *added = entry->first_row;
    if (entry->shape.rank != 2 || entry->shape.dim[0] < 1 ||
        !icseg_shape_equal(added->shape, ICSEG_SHAPE(entry->shape.dim[1])))
        return icseg_fail(error, ICSEG_ERROR_INTERNAL, "%s: %s does not have the shape of its rows", entry->name,
                          added->name);
    size_t width = (size_t)entry->shape.dim[1];
    float *row = icseg_alloc_array(width, sizeof *row);
    if (!row) return icseg_fail_memory_in(error, width * sizeof *row, entry->name);
    icseg_status status = read_tensor(added, row, error);
    for (size_t i = 0; i < width && status == ICSEG_OK; i++) out[i] += row[i];
    icseg_free(row);
    return status;
}

icseg_status icseg_weights_read(const icseg_weights_entry *entry, float *out, icseg_error *error) {
    float *at = out;
    for (int i = 0; i < entry->parts; i++) {
        ICSEG_TRY(read_tensor(&entry->part[i], at, error));
        at += icseg_shape_count(entry->part[i].shape);
    }
    return entry->first_row ? add_to_first_row(entry, out, error) : ICSEG_OK;
}

/* --------------------------------------------------------------------------------------------------------- files */

static icseg_status read_safetensors(icseg_weights *w, const char *path, icseg_error *error) {
    icseg_safetensors *st;
    ICSEG_TRY(icseg_safetensors_open(&st, path, error));
    w->safetensors[w->shards++] = st;
    w->container = "safetensors";
    for (size_t i = 0; i < icseg_safetensors_count(st); i++) {
        const icseg_safetensors_entry *e = icseg_safetensors_at(st, i);
        icseg_weights_tensor t = {.dtype = e->dtype, .shape = e->shape};
        t.file = icseg_safetensors_locate(st, e, &t.offset);
        int64_t step = 1;
        for (int d = e->shape.rank; d-- > 0; step *= e->shape.dim[d]) t.stride[d] = step;
        ICSEG_TRY(icseg_weights_add(w, e->name, strlen(e->name), t, error));
    }
    return ICSEG_OK;
}

/* Files passed by mistake, recognised by their first bytes. */
static const char *hint(const unsigned char *start, size_t size) {
    if (size >= 8 && !memcmp(start, "version ", 8))
        return "; it is a Git LFS pointer: fetch the file itself with `git lfs pull`";
    if (size && start[0] == '<') return "; it looks like a web page: the download failed";
    if (size >= 2 && start[0] == 0x80) return "; it is a bare pickle: save it with torch.save";
    if (size >= 2 && start[0] == 0x1f && start[1] == 0x8b) return "; it is compressed: gunzip it first";
    return "";
}

static icseg_status read_container(icseg_weights *w, const icseg_file_reader *file, const char *path,
                                   icseg_error *error) {
    unsigned char start[16];
    size_t size = icseg_file_reader_size(file);
    if (size > sizeof start) size = sizeof start;
    ICSEG_TRY(icseg_file_reader_read(file, 0, start, size, error));
    if (size >= 4 && !memcmp(start, "PK", 2) && start[2] <= 6) return icseg_torch_read_zip(w, file, path, error);
    if (icseg_torch_is_legacy(start, size)) return icseg_torch_read_legacy(w, file, path, error);
    if (!strcmp(icseg_path_extension(path), "safetensors") || (size > 8 && start[8] == '{'))
        return read_safetensors(w, path, error); /* which opens the file again */
    return icseg_fail(error, ICSEG_ERROR_FORMAT,
                      "%s: not a known format of weights; expected safetensors, PyTorch's .pt, .pth or .bin, or the "
                      ".index.json of shards%s",
                      path, hint(start, size));
}

static icseg_status read_file(icseg_weights *w, const char *path, icseg_error *error) {
    icseg_file_reader **file = &w->file[w->files];
    if (w->files + w->shards == ICSEG_WEIGHTS_SHARDS)
        return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: more than %d shards", w->path, ICSEG_WEIGHTS_SHARDS);
    ICSEG_TRY(icseg_file_reader_open(file, path, error));
    w->files++;
    int shards = w->shards;
    icseg_status status = read_container(w, *file, path, error);
    if (w->shards > shards) icseg_file_reader_close(&w->file[--w->files]);
    return status;
}

/* ------------------------------------------------------------------------------------------------------- shards */

static int compare_tensors(const void *a, const void *b) {
    return strcmp((*(const icseg_weights_tensor *const *)a)->name, (*(const icseg_weights_tensor *const *)b)->name);
}

static icseg_status read_shards(icseg_weights *w, json_t *map, const char *path, icseg_error *error) {
    size_t count = json_object_size(map), used = 0;
    const char **files = icseg_arena_array(w->arena, count, sizeof *files), *key;
    if (!files) return icseg_fail_memory_in(error, count * sizeof *files, path);
    json_t *file;
    json_object_foreach(map, key, file) {
        const char *name = json_string_value(file);
        if (!name || !*name || strchr(name, '/') || name[0] == '.')
            return icseg_fail(error, ICSEG_ERROR_FORMAT,
                              "%s: refused: the shard of %.100s is not a plain file name beside the index", path, key);
        files[used++] = name;
    }
    if (used) qsort(files, used, sizeof *files, icseg_compare_names);
    for (size_t i = 0; i < used; i++) {
        if (i && !strcmp(files[i], files[i - 1])) continue;
        const char *shard = icseg_arena_printf(w->arena, "%.*s%s", (int)(icseg_path_name(path) - path), path, files[i]);
        if (!shard) return icseg_fail_memory_in(error, 0, path);
        ICSEG_TRY(read_file(w, shard, error));
    }
    return ICSEG_OK;
}

/* Every tensor of the index is in a shard. */
static icseg_status check_index(icseg_weights *w, json_t *map, const char *path, icseg_error *error) {
    const icseg_weights_tensor **list = icseg_arena_array(w->arena, w->tensor_count, sizeof *list);
    if (!list) return icseg_fail_memory_in(error, w->tensor_count * sizeof *list, path);
    for (size_t i = 0; i < w->tensor_count; i++) list[i] = &w->tensors[i];
    if (w->tensor_count) qsort(list, w->tensor_count, sizeof *list, compare_tensors);
    const char *key;
    json_t *file;
    json_object_foreach(map, key, file) {
        const icseg_weights_tensor target = {.name = key}, *at = &target;
        if (!w->tensor_count || !bsearch(&at, list, w->tensor_count, sizeof *list, compare_tensors))
            return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: tensor %.200s is not in %.200s, contrary to the index",
                              path, key, json_string_value(file));
    }
    return ICSEG_OK;
}

static icseg_status read_index(icseg_weights *w, const char *path, icseg_error *error) {
    unsigned char *text;
    size_t size;
    json_error_t problem;
    ICSEG_TRY(icseg_file_read(path, MAX_INDEX, &text, &size, error));
    json_t *root;
    icseg_status status = icseg_json_parse(&root, (const char *)text, size, JSON_REJECT_DUPLICATES, &problem, error);
    json_t *map = json_object_get(root, "weight_map");
    if (status == ICSEG_OK && !json_is_object(map))
        status = icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: not an index of shards: %s", path,
                            root ? "the object \"weight_map\" is missing" : problem.text);
    if (status == ICSEG_OK) status = read_shards(w, map, path, error);
    if (status == ICSEG_OK) status = check_index(w, map, path, error);
    json_decref(root);
    icseg_free(text);
    return status;
}

static bool ends_with(const char *text, const char *end) {
    size_t size = strlen(text), length = strlen(end);
    return size >= length && !strcmp(text + size - length, end);
}

/* The usual names in a downloaded folder, best first. */
static icseg_status find_in_folder(icseg_weights *w, const char *folder, const char **out, icseg_error *error) {
    static const char *const names[] = {
        "model.safetensors.index.json", "model.safetensors", "open_clip_model.safetensors",
        "pytorch_model.bin.index.json", "pytorch_model.bin", "open_clip_pytorch_model.bin",
        "checkpoint.safetensors"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        *out = icseg_arena_printf(w->arena, "%s/%s", folder, names[i]);
        if (!*out) return icseg_fail_memory_in(error, 0, folder);
        bool found;
        ICSEG_TRY(icseg_path_find(*out, S_IFREG, &found, error));
        if (found) return ICSEG_OK;
    }
    return icseg_fail(
        error, ICSEG_ERROR_IO,
        "%s: the folder does not contain weights under a usual name (model.safetensors, pytorch_model.bin, their "
        ".index.json, open_clip_model.safetensors); use the file's path",
        folder);
}

/* ---------------------------------------------------------------------------------------------------------- open */

static icseg_status open_weights(icseg_weights *w, const char *path, icseg_error *error) {
    w->path = icseg_arena_strdup(w->arena, path);
    struct stat info;
    if (!w->path) return icseg_fail_memory_in(error, 0, path);
    if (stat(path, &info) != 0 && errno == ENOENT)
        return icseg_fail_field(error, ICSEG_ERROR_IO, NULL, ICSEG_REMEDY_GET_WEIGHTS, "%s: cannot open: %s", path,
                                strerror(errno));
    if (icseg_folder_exists(path)) ICSEG_TRY(find_in_folder(w, path, &w->path, error));
    if (ends_with(w->path, ".index.json"))
        ICSEG_TRY(read_index(w, w->path, error));
    else
        ICSEG_TRY(read_file(w, w->path, error));
    if (!w->tensor_count) return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: contains no tensors", w->path);
    ICSEG_TRY(icseg_weights_apply_names(w, error));
    return icseg_weights_read_facts(w, error);
}

icseg_status icseg_weights_open_set(icseg_weights **out, const char *path, const char *set, icseg_error *error) {
    *out = NULL;
    icseg_weights *w = icseg_calloc_array(1, sizeof *w);
    if (!w) return icseg_fail_memory_in(error, sizeof *w, path);
    w->set = set;
    icseg_status status = icseg_arena_open(&w->arena, error);
    if (status == ICSEG_OK) status = open_weights(w, path, error);
    w->set = NULL; /* the caller's */
    if (status == ICSEG_OK)
        *out = w;
    else
        icseg_weights_close(&w);
    return status;
}

icseg_status icseg_weights_open(icseg_weights **out, const char *path, icseg_error *error) {
    return icseg_weights_open_set(out, path, NULL, error);
}

void icseg_weights_close(icseg_weights **weights) {
    if (!weights || !*weights) return;
    icseg_weights *w = *weights;
    icseg_zip_stream_close(&w->cursor.stream);
    for (int i = 0; i < w->files; i++) icseg_file_reader_close(&w->file[i]);
    for (int i = 0; i < w->shards; i++) icseg_safetensors_close(&w->safetensors[i]);
    icseg_free(w->tensors);
    icseg_arena_close(&w->arena);
    icseg_free(w);
    *weights = NULL;
}
