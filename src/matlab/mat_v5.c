/* SPDX-License-Identifier: Apache-2.0
 * MATLAB files of version 5 (MathWorks, "MAT-File Format"): reads S and the size of `names`, and skips other variables.
 * libmatio is not used because it parses every variable before the requested one, cells within cells, without bound.
 * Layout: 128 bytes of header, then elements of tag (type, size) and body; a variable is a matrix element, or a deflate
 * stream of one. */
#include <stdbool.h>
#include <string.h>

#include <zlib.h>

#include "base/memory.h"
#include "matlab/mat_parts.h"

enum {
    HEADER = 128,
    HEAD_BYTES = 512,            /* flags, sizes and name of a matrix that is read must be within its first bytes */
    MAX_BODY = (1 << 27) + 4096, /* 16 Mi doubles and their headers */
    CLASS_CELL = 1,
    CLASS_DOUBLE = 6, /* double, single, int8, ... uint64: the numeric ones */
    CLASS_UINT64 = 15,
    FLAG_COMPLEX = 0x800
};

/* Types of elements; 8, 10 and 11 are unused. */
enum {
    TYPE_INT8 = 1,
    TYPE_UINT8,
    TYPE_INT16,
    TYPE_UINT16,
    TYPE_INT32,
    TYPE_UINT32,
    TYPE_SINGLE,
    TYPE_DOUBLE = 9,
    TYPE_INT64 = 12,
    TYPE_UINT64,
    TYPE_MATRIX,
    TYPE_COMPRESSED
};

typedef struct walk {
    const char *path;
    bool swapped; /* the file's byte order is not the machine's */
    icseg_mask *out;
    int64_t *names;
    icseg_error *error;
} walk;

typedef struct element {
    uint32_t type, size;
    const unsigned char *body;
} element;

/* Flags, sizes and name of a matrix. */
typedef struct matrix {
    uint32_t class_type;
    bool complex;
    uint32_t rank, height, width;
    uint64_t count;
    char name[64];
    size_t end; /* offset of its values */
} matrix;

static uint64_t load(const walk *w, const unsigned char *p, size_t bytes) {
    unsigned char ordered[8];
    for (size_t i = 0; i < bytes; i++) ordered[i] = p[w->swapped ? bytes - 1 - i : i];
    uint16_t two;
    uint32_t four;
    uint64_t eight;
    switch (bytes) {
    case 1: return ordered[0];
    case 2: memcpy(&two, ordered, 2); return two;
    case 4: memcpy(&four, ordered, 4); return four;
    default: memcpy(&eight, ordered, 8); return eight;
    }
}

/* Reads the element at `at` of a matrix body and moves `at` past it. Small elements store up to 4 bytes in the tag. */
static bool take(const walk *w, const unsigned char *data, size_t size, size_t *at, element *out) {
    if (size - *at < 8) return false;
    const unsigned char *p = data + *at;
    uint32_t first = (uint32_t)load(w, p, 4);
    if (first >> 16) {
        *out = (element){first & 0xffff, first >> 16, p + 4};
        *at += 8;
        return out->size <= 4;
    }
    *out = (element){first, (uint32_t)load(w, p + 4, 4), p + 8};
    size_t padded = ((size_t)out->size + 7) & ~(size_t)7, rest = size - *at - 8;
    if (out->size > rest) return false;
    *at += 8 + (padded < rest ? padded : rest);
    return true;
}

static bool read_head(const walk *w, const unsigned char *data, size_t size, matrix *m) {
    element e;
    *m = (matrix){0};
    if (!take(w, data, size, &m->end, &e) || e.size != 8) return false;
    uint32_t flags = (uint32_t)load(w, e.body, 4);
    m->class_type = flags & 0xff;
    m->complex = flags & FLAG_COMPLEX;
    if (!take(w, data, size, &m->end, &e) || e.size < 8 || e.size % 4) return false;
    m->rank = e.size / 4;
    m->height = (uint32_t)load(w, e.body, 4);
    m->width = (uint32_t)load(w, e.body + 4, 4);
    m->count = m->rank == 2 ? (uint64_t)m->height * m->width : 0;
    if (!take(w, data, size, &m->end, &e)) return false;
    if (e.size < sizeof m->name) memcpy(m->name, e.body, e.size);
    return true;
}

static icseg_status fail_damaged(const walk *w) {
    return icseg_fail(w->error, ICSEG_ERROR_FORMAT,
                      "%s: damaged MATLAB file: it ends early, or contains something that is not a variable", w->path);
}

static double value_of(const walk *w, const unsigned char *p, uint32_t type) {
    uint64_t bits;
    float single;
    double whole;
    uint32_t four;
    switch (type) {
    case TYPE_INT8: return (int8_t)p[0];
    case TYPE_UINT8: return p[0];
    case TYPE_INT16: return (int16_t)load(w, p, 2);
    case TYPE_UINT16: return (double)load(w, p, 2);
    case TYPE_INT32: return (int32_t)load(w, p, 4);
    case TYPE_UINT32: return (double)load(w, p, 4);
    case TYPE_SINGLE:
        four = (uint32_t)load(w, p, 4);
        memcpy(&single, &four, sizeof single);
        return (double)single;
    case TYPE_DOUBLE:
        bits = load(w, p, 8);
        memcpy(&whole, &bits, sizeof whole);
        return whole;
    case TYPE_INT64: return (double)(int64_t)load(w, p, 8);
    default: return (double)load(w, p, 8);
    }
}

/* Reads the matrix S, whose whole content is `body`. */
static icseg_status read_labels(const walk *w, const unsigned char *body, size_t size) {
    static const uint8_t widths[] = {
        [TYPE_INT8] = 1,   [TYPE_UINT8] = 1,  [TYPE_INT16] = 2,  [TYPE_UINT16] = 2, [TYPE_INT32] = 4,
        [TYPE_UINT32] = 4, [TYPE_SINGLE] = 4, [TYPE_DOUBLE] = 8, [TYPE_INT64] = 8,  [TYPE_UINT64] = 8};
    matrix m;
    element e;
    if (!read_head(w, body, size, &m)) return fail_damaged(w);
    if (m.class_type < CLASS_DOUBLE || m.class_type > CLASS_UINT64 || m.complex || m.rank != 2)
        return icseg_fail(w->error, ICSEG_ERROR_FORMAT, "%s: S is not a real matrix of numbers with rows and columns",
                          w->path);
    size_t at = m.end;
    if (!take(w, body, size, &at, &e)) return fail_damaged(w);
    uint32_t width = e.type < sizeof widths ? widths[e.type] : 0;
    if (!width || e.size != m.count * width) return fail_damaged(w);
    ICSEG_TRY(icseg_mat_create(w->out, w->path, m.height, m.width, w->error));
    for (size_t i = 0; i < m.count; i++)
        ICSEG_TRY(icseg_mat_store(w->out, w->path, i, value_of(w, e.body + i * width, e.type), w->error));
    return ICSEG_OK;
}

/* Stores the size of the matrix `names`. Returns true for the first matrix called S. */
static bool is_wanted(const walk *w, const matrix *m) {
    if (!strcmp(m->name, "names") && m->class_type == CLASS_CELL) *w->names = (int64_t)m->count;
    return !strcmp(m->name, "S") && !w->out->data;
}

static icseg_status inflate_to(const walk *w, z_stream *stream, unsigned char *out, size_t size) {
    stream->next_out = out;
    stream->avail_out = (uInt)size;
    int result = inflate(stream, Z_SYNC_FLUSH);
    if (result == Z_MEM_ERROR) return icseg_fail_memory_in(w->error, 0, w->path);
    return stream->avail_out ? fail_damaged(w) : ICSEG_OK;
}

/* Reads a compressed variable: its head, and the rest only if it is S. */
static icseg_status read_compressed(const walk *w, const unsigned char *data, size_t size) {
    unsigned char tag[8], head[HEAD_BYTES], *body = NULL;
    matrix m;
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)data, .avail_in = (uInt)size};
    icseg_status status;
    if (inflateInit(&stream) != Z_OK) return icseg_fail_memory_in(w->error, 0, w->path);
    ICSEG_TRY_GOTO(inflate_to(w, &stream, tag, sizeof tag));
    size_t whole = (size_t)load(w, tag + 4, 4), peek = whole < HEAD_BYTES ? whole : HEAD_BYTES;
    if (load(w, tag, 4) != TYPE_MATRIX) goto fail;
    ICSEG_TRY_GOTO(inflate_to(w, &stream, head, peek));
    if (!read_head(w, head, peek, &m) || !is_wanted(w, &m)) goto fail;
    if (whole > MAX_BODY || whole / 1032 > size + 1) { /* deflate expands at most 1032-fold */
        status =
            icseg_fail(w->error, ICSEG_ERROR_FORMAT,
                       "%s: the size of S is %zu bytes, which is too large or does not fit its %zu stored bytes; is "
                       "the file damaged?",
                       w->path, whole, size);
        goto fail;
    }
    if (!(body = icseg_alloc(whole))) {
        status = icseg_fail_memory_in(w->error, whole, w->path);
        goto fail;
    }
    memcpy(body, head, peek);
    if (whole > peek) ICSEG_TRY_GOTO(inflate_to(w, &stream, body + peek, whole - peek));
    status = read_labels(w, body, whole);
fail:
    icseg_free(body);
    inflateEnd(&stream);
    return status;
}

icseg_status icseg_mat_read_v5(icseg_mask *out, int64_t *names, const char *path, icseg_bytes content,
                               icseg_error *error) {
    const unsigned char *data = content.data;
    size_t size = content.size;
    uint16_t mark;
    memcpy(&mark, data + HEADER - 2, sizeof mark);
    walk w = {path, mark != ('M' << 8 | 'I'), out, names, error};
    for (size_t at = HEADER; size - at >= 8;) {
        uint32_t type = (uint32_t)load(&w, data + at, 4), bytes = (uint32_t)load(&w, data + at + 4, 4);
        const unsigned char *body = data + at + 8;
        matrix m;
        if (bytes > size - at - 8) return fail_damaged(&w);
        if (type == TYPE_COMPRESSED)
            ICSEG_TRY(read_compressed(&w, body, bytes));
        else if (type != TYPE_MATRIX)
            return fail_damaged(&w);
        else if (read_head(&w, body, bytes, &m) && is_wanted(&w, &m))
            ICSEG_TRY(read_labels(&w, body, bytes));
        at += 8 + (size_t)bytes;
    }
    return out->data ? ICSEG_OK : icseg_mat_fail_missing(path, error);
}
