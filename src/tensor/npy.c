/* SPDX-License-Identifier: Apache-2.0
 * .npy: a magic number, a Python dictionary literal as header, the raw array.
 * Format: numpy.lib.format's documentation. */
#include "tensor/npy.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"

static const char magic[6] = "\x93NUMPY";
enum { VERSION_1_PREFIX = 10, ALIGNMENT = 64, MOST_HEADER = 65535 };

static const char *const descriptions[ICSEG_DTYPES] = {
    [ICSEG_F32] = "<f4", [ICSEG_F16] = "<f2", [ICSEG_BF16] = NULL,  [ICSEG_F64] = "<f8",
    [ICSEG_I64] = "<i8", [ICSEG_I32] = "<i4", [ICSEG_I16] = "<i2",  [ICSEG_I8] = "|i1",
    [ICSEG_U8] = "|u1",  [ICSEG_U16] = "<u2", [ICSEG_BOOL] = "|b1",
};

/* A cursor over the header text; it never passes `end`. */
typedef struct cursor {
    const char *at, *end;
} cursor;

static void skip_blanks(cursor *c) {
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\n')) c->at++;
}

static bool take(cursor *c, char wanted) {
    skip_blanks(c);
    if (c->at == c->end || *c->at != wanted) return false;
    c->at++;
    return true;
}

static bool take_word(cursor *c, const char *word) {
    size_t size = strlen(word);
    skip_blanks(c);
    if ((size_t)(c->end - c->at) < size || memcmp(c->at, word, size) != 0) return false;
    c->at += size;
    return true;
}

/* A quoted string without escapes, cut off at `size` - 1 bytes by refusing longer ones. */
static bool take_string(cursor *c, char *out, size_t size) {
    skip_blanks(c);
    if (c->at == c->end || (*c->at != '\'' && *c->at != '"')) return false;
    char quote = *c->at++;
    const char *close = memchr(c->at, quote, (size_t)(c->end - c->at));
    if (!close || (size_t)(close - c->at) >= size) return false;
    memcpy(out, c->at, (size_t)(close - c->at));
    out[close - c->at] = '\0';
    c->at = close + 1;
    return true;
}

/* "(3, 4)", "(3,)", "()". A rank beyond ICSEG_MAX_RANK sets rank to ICSEG_MAX_RANK + 1. */
static bool take_shape(cursor *c, icseg_shape *out) {
    *out = (icseg_shape){0};
    if (!take(c, '(')) return false;
    while (!take(c, ')')) {
        skip_blanks(c);
        int64_t dim = 0;
        const char *start = c->at;
        for (; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++)
            if (__builtin_mul_overflow(dim, 10, &dim) || __builtin_add_overflow(dim, *c->at - '0', &dim)) return false;
        if (c->at == start) return false;
        if (out->rank < ICSEG_MAX_RANK) out->dim[out->rank] = dim;
        if (out->rank <= ICSEG_MAX_RANK) out->rank++;
        if (!take(c, ',')) return take(c, ')');
    }
    return true;
}

/* The three keys of the dictionary, in any order, each once. */
static bool read_dictionary(cursor c, char descr[16], bool *fortran, icseg_shape *shape) {
    int seen = 0;
    char key[16];
    if (!take(&c, '{')) return false;
    while (!take(&c, '}')) {
        if (!take_string(&c, key, sizeof key) || !take(&c, ':')) return false;
        int bit = !strcmp(key, "descr") ? 1 : !strcmp(key, "fortran_order") ? 2 : !strcmp(key, "shape") ? 4 : 0;
        if (!bit || (seen & bit)) return false;
        seen |= bit;
        if (bit == 1 && !take_string(&c, descr, 16)) return false;
        if (bit == 2 && !(*fortran = take_word(&c, "True")) && !take_word(&c, "False")) return false;
        if (bit == 4 && !take_shape(&c, shape)) return false;
        if (!take(&c, ',')) {
            if (!take(&c, '}')) return false;
            break;
        }
    }
    skip_blanks(&c);
    return seen == 7 && c.at == c.end;
}

/* Finds the header text and where the data starts; false when the file is no .npy file. */
static bool find_header(const icseg_map *map, cursor *header) {
    if (map->size < VERSION_1_PREFIX || memcmp(map->data, magic, sizeof magic) != 0) return false;
    int version = map->data[6];
    size_t prefix = version == 1 ? VERSION_1_PREFIX : VERSION_1_PREFIX + 2;
    if (version < 1 || version > 3 || map->data[7] != 0 || map->size < prefix) return false;
    uint32_t length = 0;
    memcpy(&length, map->data + 8, prefix - 8);
    if (length > MOST_HEADER || length > map->size - prefix) return false;
    header->at = (const char *)map->data + prefix;
    header->end = header->at + length;
    return true;
}

static icseg_status parse(icseg_npy *out, const icseg_map *map, const char *path, icseg_error *error) {
    cursor header;
    char descr[16];
    bool fortran = false;
    if (!find_header(map, &header))
        return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: not a .npy file, or cut short", path);
    if (!read_dictionary(header, descr, &fortran, &out->shape))
        return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: the .npy header is damaged or of a structured type", path);
    int dtype = 0;
    while (dtype < ICSEG_DTYPES && (!descriptions[dtype] || strcmp(descr, descriptions[dtype]) != 0)) dtype++;
    if (dtype == ICSEG_DTYPES)
        return icseg_fail(error, ICSEG_ERROR_UNSUPPORTED,
                          "%s: element type '%s': little-endian floats, integers of up to 64 bits and bools are read",
                          path, descr);
    if (fortran && out->shape.rank > 1)
        return icseg_fail(error, ICSEG_ERROR_UNSUPPORTED,
                          "%s: Fortran order is not read; save it with numpy.ascontiguousarray", path);
    if (out->shape.rank > ICSEG_MAX_RANK)
        return icseg_fail(error, ICSEG_ERROR_UNSUPPORTED, "%s: more than %d dimensions", path, ICSEG_MAX_RANK);
    out->dtype = (icseg_dtype)dtype;
    int64_t bytes = icseg_shape_bytes(out->shape, out->dtype);
    size_t rest = map->size - (size_t)((const unsigned char *)header.end - map->data);
    char text[ICSEG_SHAPE_TEXT];
    if (bytes < 0 || (uint64_t)bytes != rest)
        return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: %zu bytes of data do not make %s of shape %s", path, rest,
                          icseg_dtype_name(out->dtype), icseg_shape_text(out->shape, text, sizeof text));
    out->data = icseg_alloc(rest);
    if (!out->data) return icseg_fail_memory(error, rest, path);
    if (rest) memcpy(out->data, header.end, rest);
    return ICSEG_OK;
}

icseg_status icseg_npy_read(icseg_npy *out, const char *path, icseg_error *error) {
    icseg_map map;
    *out = (icseg_npy){0};
    ICSEG_TRY(icseg_map_open(&map, path, error));
    icseg_status status = parse(out, &map, path, error);
    icseg_map_close(&map);
    if (status != ICSEG_OK) *out = (icseg_npy){0};
    return status;
}

void icseg_npy_close(icseg_npy *npy) {
    if (!npy) return;
    icseg_free(npy->data);
    *npy = (icseg_npy){0};
}

icseg_status icseg_npy_write(const char *path, icseg_dtype dtype, icseg_shape shape, const void *data,
                             icseg_error *error) {
    int64_t bytes = icseg_shape_bytes(shape, dtype);
    if (bytes < 0) return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "%s: the shape is negative or too large", path);
    if (!descriptions[dtype])
        return icseg_fail(error, ICSEG_ERROR_UNSUPPORTED, "%s: .npy files have no type for %s; convert to F32", path,
                          icseg_dtype_name(dtype));
    char header[2 * ALIGNMENT + ICSEG_SHAPE_TEXT], text[ICSEG_SHAPE_TEXT + 1];
    icseg_shape_text(shape, text, sizeof text);
    if (shape.rank == 1) memcpy(text + strlen(text) - 1, ",)", 3); /* Python's tuple of one */
    memcpy(header, magic, sizeof magic);
    header[6] = 1;
    header[7] = 0;
    size_t size = VERSION_1_PREFIX;
    size += (size_t)snprintf(header + size, sizeof header - size,
                             "{'descr': '%s', 'fortran_order': False, 'shape': %s, }", descriptions[dtype], text);
    while ((size + 1) % ALIGNMENT) header[size++] = ' ';
    header[size++] = '\n';
    uint16_t length = (uint16_t)(size - VERSION_1_PREFIX);
    memcpy(header + 8, &length, sizeof length);
    icseg_file_writer *writer;
    ICSEG_TRY(icseg_file_writer_open(&writer, path, error));
    icseg_status status = icseg_file_writer_write(writer, header, size, error);
    if (status == ICSEG_OK) status = icseg_file_writer_write(writer, data, (size_t)bytes, error);
    if (status == ICSEG_OK) status = icseg_file_writer_commit(writer, error);
    icseg_file_writer_close(&writer);
    return status;
}
