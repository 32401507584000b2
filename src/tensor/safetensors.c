/* SPDX-License-Identifier: Apache-2.0
 * The safetensors reader. Files are not trusted: the whole header is checked against the file at open, so that all
 * later access is in range. */
#include "tensor/safetensors.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"

enum { PREFIX = 8 };                                     /* bytes of the header length */
enum { MAX_VALUES = 1 << 22 };                           /* JSON values in a header: limits the memory of parsing */
static const uint64_t header_limit = 100u * 1000 * 1000; /* bytes; the format's own limit */

/* An entry, and the offset of its data in the file. */
typedef struct located_entry {
    icseg_safetensors_entry entry; /* first: a pointer to it is also a pointer to the located_entry */
    size_t offset;
} located_entry;

struct icseg_safetensors {
    icseg_arena *arena; /* names, metadata and the arrays below */
    icseg_file_reader *reader;
    const char *path;
    size_t data, data_size; /* offset and size of the data in the file */
    size_t count, pairs;
    located_entry *entries;                  /* in header order */
    const icseg_safetensors_entry **by_name; /* sorted bytewise */
    icseg_safetensors_pair *metadata;
};

static icseg_status bad_tensor(const icseg_safetensors *st, const char *name, icseg_error *error, const char *what) {
    return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: damaged header: tensor \"%.100s\": %s", st->path, name, what);
}

static icseg_status read_shape(const icseg_safetensors *st, icseg_safetensors_entry *entry, const json_t *array,
                               icseg_error *error) {
    if (!json_is_array(array)) return bad_tensor(st, entry->name, error, "\"shape\" is not a list");
    size_t rank = json_array_size(array);
    if (rank > ICSEG_MAX_RANK)
        return icseg_fail(error, ICSEG_ERROR_UNSUPPORTED,
                          "%s: tensor \"%.100s\" has %zu dimensions; at most %d are supported", st->path, entry->name,
                          rank, ICSEG_MAX_RANK);
    entry->shape.rank = (int32_t)rank;
    for (size_t i = 0; i < rank; i++) {
        const json_t *dim = json_array_get(array, i);
        if (!json_is_integer(dim) || json_integer_value(dim) < 0)
            return bad_tensor(st, entry->name, error, "\"shape\" contains a value that is not an integer >= 0");
        entry->shape.dim[i] = json_integer_value(dim);
    }
    return ICSEG_OK;
}

static size_t offset_of(const icseg_safetensors_entry *entry) {
    return ((const located_entry *)(const void *)entry)->offset;
}

static icseg_status read_entry(const icseg_safetensors *st, located_entry *p, const json_t *info, icseg_error *error) {
    icseg_safetensors_entry *entry = &p->entry;
    if (!json_is_object(info)) return bad_tensor(st, entry->name, error, "its entry is not an object");
    const char *dtype = json_string_value(json_object_get(info, "dtype"));
    if (!dtype) return bad_tensor(st, entry->name, error, "\"dtype\" is not a string");
    if (!icseg_dtype_parse(dtype, &entry->dtype))
        return icseg_fail(error, ICSEG_ERROR_UNSUPPORTED,
                          "%s: tensor \"%.100s\" has dtype \"%.20s\"; F32, F16, BF16, F64, I64, I32, I16, I8, U8, U16 "
                          "and BOOL are supported",
                          st->path, entry->name, dtype);
    ICSEG_TRY(read_shape(st, entry, json_object_get(info, "shape"), error));
    const json_t *offsets = json_object_get(info, "data_offsets");
    const json_t *low = json_array_get(offsets, 0), *high = json_array_get(offsets, 1);
    if (json_array_size(offsets) != 2 || !json_is_integer(low) || !json_is_integer(high))
        return bad_tensor(st, entry->name, error, "\"data_offsets\" is not a list of two integers");
    int64_t begin = json_integer_value(low), end = json_integer_value(high);
    char text[ICSEG_SHAPE_TEXT];
    icseg_shape_text(entry->shape, text, sizeof text);
    int64_t bytes = icseg_shape_bytes(entry->shape, entry->dtype);
    if (bytes < 0)
        return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: damaged header: tensor \"%.100s\": shape %s is too large",
                          st->path, entry->name, text);
    if (begin < 0 || begin > end || (uint64_t)end > st->data_size)
        return icseg_fail(error, ICSEG_ERROR_FORMAT,
                          "%s: tensor \"%.100s\": its bytes %" PRId64 " to %" PRId64
                          " are outside the data of %zu bytes: the file is truncated or damaged",
                          st->path, entry->name, begin, end, st->data_size);
    if (end - begin != bytes)
        return icseg_fail(error, ICSEG_ERROR_FORMAT,
                          "%s: damaged header: tensor \"%.100s\": %s of shape %s takes %" PRId64 " bytes, not %" PRId64,
                          st->path, entry->name, dtype, text, bytes, end - begin);
    p->offset = st->data + (size_t)begin;
    entry->bytes = (size_t)bytes;
    return ICSEG_OK;
}

static icseg_status read_metadata(icseg_safetensors *st, json_t *object, icseg_error *error) {
    if (!json_is_object(object))
        return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: damaged header: \"__metadata__\" is not an object", st->path);
    st->metadata = icseg_arena_array(st->arena, json_object_size(object), sizeof *st->metadata);
    if (!st->metadata) return icseg_fail_memory_in(error, json_object_size(object) * sizeof *st->metadata, st->path);
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value) {
        if (!json_is_string(value))
            return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: damaged header: metadata \"%.100s\" is not a string",
                              st->path, key);
        icseg_safetensors_pair *pair = &st->metadata[st->pairs++];
        pair->key = icseg_arena_strdup(st->arena, key);
        pair->value = icseg_arena_strdup(st->arena, json_string_value(value));
        if (!pair->key || !pair->value) return icseg_fail_memory_in(error, 0, st->path);
    }
    return ICSEG_OK;
}

static int compare_names(const void *a, const void *b) {
    const icseg_safetensors_entry *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

static int compare_offsets(const void *a, const void *b) {
    const icseg_safetensors_entry *x = *(const icseg_safetensors_entry *const *)a;
    const icseg_safetensors_entry *y = *(const icseg_safetensors_entry *const *)b;
    if (offset_of(x) != offset_of(y)) return offset_of(x) < offset_of(y) ? -1 : 1;
    return (x->bytes > y->bytes) - (x->bytes < y->bytes); /* empty tensors come before a tensor at the same offset */
}

/* Checks that tensors cover the data without overlaps and gaps. Sorts `by_name` by offset, and then by name. */
static icseg_status check_offsets(icseg_safetensors *st, icseg_error *error) {
    qsort(st->by_name, st->count, sizeof *st->by_name, compare_offsets);
    size_t covered = 0;
    for (size_t i = 0; i < st->count; i++) {
        const icseg_safetensors_entry *entry = st->by_name[i];
        size_t begin = offset_of(entry) - st->data;
        if (begin < covered) return bad_tensor(st, entry->name, error, "its data overlaps that of another tensor");
        if (begin > covered) return bad_tensor(st, entry->name, error, "there is a gap before its data");
        covered += entry->bytes;
    }
    if (covered != st->data_size)
        return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: %zu bytes follow the last tensor: the file is damaged",
                          st->path, st->data_size - covered);
    qsort(st->by_name, st->count, sizeof *st->by_name, compare_names);
    return ICSEG_OK;
}

/* `root` is an object, because the text begins with its brace. */
static icseg_status read_header(icseg_safetensors *st, json_t *root, icseg_error *error) {
    size_t capacity = json_object_size(root);
    st->entries = icseg_arena_array(st->arena, capacity, sizeof *st->entries);
    st->by_name = icseg_arena_array(st->arena, capacity, sizeof *st->by_name);
    if (!st->entries || !st->by_name) return icseg_fail_memory_in(error, 0, st->path);
    const char *name;
    json_t *info;
    json_object_foreach(root, name, info) {
        if (!strcmp(name, "__metadata__")) {
            ICSEG_TRY(read_metadata(st, info, error));
            continue;
        }
        located_entry *p = &st->entries[st->count];
        p->entry.name = icseg_arena_strdup(st->arena, name);
        if (!p->entry.name) return icseg_fail_memory_in(error, 0, st->path);
        ICSEG_TRY(read_entry(st, p, info, error));
        st->by_name[st->count++] = &p->entry;
    }
    return check_offsets(st, error);
}

/* Recognises files that are often passed instead of a safetensors file by their first bytes. */
static const char *hint(const unsigned char *bytes) {
    if (!memcmp(bytes, "PK\3\4", 4)) return "; it is a zip archive, as PyTorch writes: convert it to safetensors";
    if (!memcmp(bytes, "version ", 8)) return "; it is a Git LFS pointer: fetch the file with `git lfs pull`";
    if (!memcmp(bytes, "\x89PNG", 4) || !memcmp(bytes, "\xff\xd8\xff", 3)) return "; it is an image";
    for (int i = 0; i < PREFIX; i++)
        if ((bytes[i] < ' ' || bytes[i] > '~') && bytes[i] != '\t' && bytes[i] != '\r' && bytes[i] != '\n') return "";
    return "; it is a text file";
}

static icseg_status parse_header(icseg_safetensors *st, const unsigned char *text, size_t size, icseg_error *error) {
    if (icseg_json_exceeds((const char *)text, size, MAX_VALUES))
        return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: damaged header: more than %d values", st->path, MAX_VALUES);
    json_error_t problem;
    json_t *root;
    ICSEG_TRY(icseg_json_parse(&root, (const char *)text, size, JSON_REJECT_DUPLICATES, &problem, error));
    if (!root)
        return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: damaged header: %s at byte %d", st->path, problem.text,
                          PREFIX + problem.position);
    icseg_status status = read_header(st, root, error);
    json_decref(root);
    return status;
}

static icseg_status parse_file(icseg_safetensors *st, icseg_error *error) {
    size_t size = icseg_file_reader_size(st->reader);
    unsigned char prefix[PREFIX], first = 0;
    if (size < PREFIX)
        return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: not a safetensors file: %zu bytes are too few", st->path,
                          size);
    ICSEG_TRY(icseg_file_reader_read(st->reader, 0, prefix, PREFIX, error));
    uint64_t header;
    memcpy(&header, prefix, sizeof header);
    if (header > header_limit)
        return icseg_fail(error, ICSEG_ERROR_FORMAT,
                          "%s: not a safetensors file: a header of %" PRIu64 " bytes; at most %" PRIu64
                          " are accepted%s",
                          st->path, header, header_limit, hint(prefix));
    if (header > size - PREFIX)
        return icseg_fail(error, ICSEG_ERROR_FORMAT,
                          "%s: truncated or not a safetensors file: a header of %" PRIu64 " bytes in a file of %zu%s",
                          st->path, header, size, hint(prefix));
    if (header) ICSEG_TRY(icseg_file_reader_read(st->reader, PREFIX, &first, 1, error));
    if (first != '{')
        return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: not a safetensors file: the header does not start with '{'",
                          st->path);
    st->data = PREFIX + (size_t)header;
    st->data_size = size - st->data;
    unsigned char *text = icseg_alloc((size_t)header);
    if (!text) return icseg_fail_memory_in(error, (size_t)header, st->path);
    icseg_status status = icseg_file_reader_read(st->reader, PREFIX, text, (size_t)header, error);
    if (status == ICSEG_OK) status = parse_header(st, text, (size_t)header, error);
    icseg_free(text);
    return status;
}

icseg_status icseg_safetensors_open(icseg_safetensors **out, const char *path, icseg_error *error) {
    icseg_status status;
    *out = NULL;
    icseg_safetensors *st = icseg_calloc_array(1, sizeof *st);
    if (!st) return icseg_fail_memory_in(error, 0, path);
    ICSEG_TRY_GOTO(icseg_arena_open(&st->arena, error));
    st->path = icseg_arena_strdup(st->arena, path);
    if (!st->path) {
        status = icseg_fail_memory_in(error, 0, path);
        goto fail;
    }
    ICSEG_TRY_GOTO(icseg_file_reader_open(&st->reader, path, error));
    ICSEG_TRY_GOTO(parse_file(st, error));
    *out = st;
    return ICSEG_OK;
fail:
    icseg_safetensors_close(&st);
    return status;
}

void icseg_safetensors_close(icseg_safetensors **st) {
    if (!st || !*st) return;
    icseg_file_reader_close(&(*st)->reader);
    icseg_arena_close(&(*st)->arena);
    icseg_free(*st);
    *st = NULL;
}

const char *icseg_safetensors_path(const icseg_safetensors *st) { return st->path; }
size_t icseg_safetensors_count(const icseg_safetensors *st) { return st->count; }
size_t icseg_safetensors_metadata_count(const icseg_safetensors *st) { return st->pairs; }

const icseg_safetensors_entry *icseg_safetensors_at(const icseg_safetensors *st, size_t index) {
    return index < st->count ? &st->entries[index].entry : NULL;
}

icseg_safetensors_pair icseg_safetensors_metadata_at(const icseg_safetensors *st, size_t index) {
    return index < st->pairs ? st->metadata[index] : (icseg_safetensors_pair){0};
}

const char *icseg_safetensors_metadata(const icseg_safetensors *st, const char *key) {
    for (size_t i = 0; i < st->pairs; i++)
        if (!strcmp(st->metadata[i].key, key)) return st->metadata[i].value;
    return NULL;
}

const icseg_safetensors_entry *icseg_safetensors_find(const icseg_safetensors *st, const char *name) {
    const icseg_safetensors_entry target = {.name = name}, *key = &target;
    const icseg_safetensors_entry **found = bsearch(&key, st->by_name, st->count, sizeof *st->by_name, compare_names);
    return found ? *found : NULL;
}

icseg_status icseg_safetensors_get(const icseg_safetensors *st, const char *name, const icseg_safetensors_entry **out,
                                   icseg_error *error) {
    *out = icseg_safetensors_find(st, name);
    if (*out) return ICSEG_OK;
    return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: tensor \"%.200s\" is missing", st->path, name);
}

icseg_status icseg_safetensors_get_f32(const icseg_safetensors *st, const char *name, icseg_shape shape,
                                       const icseg_safetensors_entry **out, icseg_error *error) {
    ICSEG_TRY(icseg_safetensors_get(st, name, out, error));
    const icseg_safetensors_entry *entry = *out;
    if (!icseg_dtype_is_float(entry->dtype))
        return icseg_fail(error, ICSEG_ERROR_FORMAT,
                          "%s: tensor \"%.200s\" has type %s; expected a floating-point type", st->path, name,
                          icseg_dtype_name(entry->dtype));
    char found[ICSEG_SHAPE_TEXT], expected[ICSEG_SHAPE_TEXT];
    if (!icseg_shape_equal(entry->shape, shape))
        return icseg_fail(error, ICSEG_ERROR_SHAPE, "%s: tensor \"%.200s\" has shape %s; expected %s", st->path, name,
                          icseg_shape_text(entry->shape, found, sizeof found),
                          icseg_shape_text(shape, expected, sizeof expected));
    return ICSEG_OK;
}

const icseg_file_reader *icseg_safetensors_locate(const icseg_safetensors *st, const icseg_safetensors_entry *entry,
                                                  size_t *offset) {
    *offset = offset_of(entry);
    return st->reader;
}

icseg_status icseg_safetensors_read(const icseg_safetensors *st, const icseg_safetensors_entry *entry, size_t first,
                                    size_t count, float *out, icseg_error *error) {
    size_t size = icseg_dtype_size(entry->dtype), offset;
    const icseg_file_reader *file = icseg_safetensors_locate(st, entry, &offset);
    offset += first * size;
    if (entry->dtype == ICSEG_F32) return icseg_file_reader_read(file, offset, out, count * size, error);
    unsigned char buffer[16384];
    for (size_t done = 0; done < count;) {
        size_t some = count - done < sizeof buffer / size ? count - done : sizeof buffer / size;
        ICSEG_TRY(icseg_file_reader_read(file, offset + done * size, buffer, some * size, error));
        icseg_f32_from(out + done, buffer, entry->dtype, some);
        done += some;
    }
    return ICSEG_OK;
}

icseg_status icseg_safetensors_read_f32(const icseg_safetensors *st, const char *name, icseg_shape shape, float *out,
                                        icseg_error *error) {
    const icseg_safetensors_entry *entry;
    ICSEG_TRY(icseg_safetensors_get_f32(st, name, shape, &entry, error));
    return icseg_safetensors_read(st, entry, 0, entry->bytes / icseg_dtype_size(entry->dtype), out, error);
}
