/* SPDX-License-Identifier: Apache-2.0
 * The values of an HDF5 matrix: contiguous, or in chunks that a B-tree lists and filters compress. */
#include <string.h>
#include <zlib.h>

#include "matlab/hdf5_bytes.h"

/* Chunks at the edges are padded: together they may have this many times the matrix's elements, and a few more. */
enum { PADDED = 4, SPARE = 1 << 20 };
enum { MAX_NODES = 1 << 16, MAX_DEPTH = 16 };
enum { FILTER_DEFLATE = 1, FILTER_SHUFFLE = 2, FILTER_FLETCHER32 = 3, CHECKSUM = 4 };

typedef struct values {
    const icseg_hdf5 *file;
    const icseg_hdf5_set *set;
    double *out;
    unsigned char *chunk[2]; /* decompressed, in turns; each of chunk_bytes and a checksum */
    uint64_t chunk_bytes, chunks_left;
    uint64_t bytes_left; /* of the file: chunks do not share bytes, else a small file takes minutes */
    int nodes;
    icseg_error *error;
} values;

static double value_of(const icseg_hdf5_set *s, const unsigned char *p) {
    unsigned char ordered[8];
    for (uint32_t i = 0; s->big_endian && i < s->width; i++) ordered[i] = p[s->width - 1 - i];
    uint64_t bits = icseg_hdf5_load(s->big_endian ? ordered : p, (int)s->width);
    if (s->is_float && s->width == 4) {
        float single;
        uint32_t four = (uint32_t)bits;
        memcpy(&single, &four, sizeof single);
        return (double)single;
    }
    double real;
    memcpy(&real, &bits, sizeof real);
    if (s->is_float) return real;
    if (s->is_signed && bits >> (8 * s->width - 1)) return -(double)(~bits & (UINT64_MAX >> (64 - 8 * s->width))) - 1;
    return (double)bits;
}

static icseg_status damaged(const values *v) { return icseg_hdf5_fail(v->file, v->error); }

/* ---------------------------------------------------------------------------------------------------------- filters */

/* Reverses the grouping of byte i of all elements. Bytes beyond a multiple of the width stay in place. */
static void unshuffle(unsigned char *out, const unsigned char *in, uint64_t bytes, uint32_t width) {
    uint64_t count = bytes / width;
    for (uint32_t i = 0; i < width; i++)
        for (uint64_t k = 0; k < count; k++) out[k * width + i] = in[i * count + k];
    memcpy(out + count * width, in + count * width, bytes - count * width);
}

/* *data becomes the chunk's content, chunk_bytes long. The filters are undone from the last to the first; bit i of
 * `skipped`: the i-th was not applied. */
static icseg_status unpack(values *v, const unsigned char **data, uint64_t bytes, uint64_t skipped) {
    int turn = 0;
    for (int32_t i = v->set->filters; i-- > 0;) {
        if (skipped >> i & 1) continue;
        unsigned char *to = v->chunk[turn];
        uLongf size = (uLongf)(v->chunk_bytes + CHECKSUM);
        switch (v->set->filter[i]) {
        case FILTER_FLETCHER32:
            if (bytes < CHECKSUM) return damaged(v);
            bytes -= CHECKSUM;
            continue;
        case FILTER_SHUFFLE:
            if (bytes > size) return damaged(v);
            unshuffle(to, *data, bytes, v->set->width);
            break;
        case FILTER_DEFLATE: {
            int code = uncompress(to, &size, *data, (uLong)bytes);
            if (code == Z_MEM_ERROR) return icseg_fail_memory_in(v->error, 0, v->file->path);
            if (code != Z_OK) return damaged(v);
            bytes = size;
            break;
        }
        default:
            return icseg_fail(v->error, ICSEG_ERROR_UNSUPPORTED,
                              "%s: HDF5's filter %u is not supported; MATLAB uses deflate", v->file->path,
                              v->set->filter[i]);
        }
        *data = to;
        turn = !turn;
    }
    return bytes == v->chunk_bytes ? ICSEG_OK : damaged(v);
}

/* ----------------------------------------------------------------------------------------------------------- chunks */

/* The chunk whose first element is at `start`; elements beyond the matrix are padding. */
static void place(values *v, const uint64_t start[2], const unsigned char *data) {
    const icseg_hdf5_set *s = v->set;
    for (uint64_t i = 0; i < s->chunk[0] && start[0] + i < s->extent[0]; i++)
        for (uint64_t k = 0; k < s->chunk[1] && start[1] + k < s->extent[1]; k++)
            v->out[(start[0] + i) * s->extent[1] + start[1] + k] = value_of(s, data + (i * s->chunk[1] + k) * s->width);
}

static icseg_status read_chunk(values *v, const unsigned char *key, uint64_t address) {
    uint64_t bytes = icseg_hdf5_load(key, 4);
    const uint64_t start[2] = {icseg_hdf5_load(key + 8, 8), icseg_hdf5_load(key + 16, 8)};
    const unsigned char *data = icseg_hdf5_at(v->file, address, bytes);
    if (!data || start[0] >= v->set->extent[0] || start[1] >= v->set->extent[1] || !v->chunks_left-- ||
        bytes > v->bytes_left)
        return damaged(v);
    v->bytes_left -= bytes;
    ICSEG_TRY(unpack(v, &data, bytes, icseg_hdf5_load(key + 4, 4)));
    place(v, start, data);
    return ICSEG_OK;
}

static icseg_status read_tree(values *v, uint64_t address, int level) {
    enum { KEY = 8 + 3 * 8, PAIR = KEY + 8 }; /* bytes, filter mask, two offsets and 0 */
    const unsigned char *node = icseg_hdf5_at(v->file, address, 24);
    if (!node || memcmp(node, "TREE", 4) != 0 || node[4] != 1 || ++v->nodes > MAX_NODES || node[5] > MAX_DEPTH ||
        (level >= 0 && node[5] != level))
        return damaged(v);
    uint64_t count = icseg_hdf5_load(node + 6, 2);
    const unsigned char *pair = icseg_hdf5_at(v->file, address + 24, count * PAIR);
    if (!pair) return damaged(v);
    for (uint64_t i = 0; i < count; i++, pair += PAIR) {
        uint64_t child = icseg_hdf5_load(pair + KEY, 8);
        ICSEG_TRY(node[5] ? read_tree(v, child, node[5] - 1) : read_chunk(v, pair, child));
    }
    return ICSEG_OK;
}

static icseg_status read_chunks(values *v) {
    const icseg_hdf5_set *s = v->set;
    const uint64_t *chunk = s->chunk, *extent = s->extent;
    uint64_t size = chunk[0] * chunk[1], most = PADDED * s->elements + SPARE; /* the sides have 32 bits */
    if (size) v->chunks_left = ((extent[0] - 1) / chunk[0] + 1) * ((extent[1] - 1) / chunk[1] + 1);
    if (!size || v->chunks_left > most / size)
        return icseg_fail(v->error, ICSEG_ERROR_FORMAT,
                          "%s: %llu x %llu values in chunks of %llu x %llu, which is too large", v->file->path,
                          (unsigned long long)extent[0], (unsigned long long)extent[1], (unsigned long long)chunk[0],
                          (unsigned long long)chunk[1]);
    if (s->tree == UINT64_MAX) return ICSEG_OK; /* never written: all 0 */
    v->chunk_bytes = size * s->width;
    v->bytes_left = v->file->size;
    for (int i = 0; i < 2; i++) v->chunk[i] = icseg_alloc(v->chunk_bytes + CHECKSUM);
    if (!v->chunk[0] || !v->chunk[1]) return icseg_fail_memory_in(v->error, 0, v->file->path);
    return read_tree(v, s->tree, -1);
}

static icseg_status read_contiguous(values *v) {
    const icseg_hdf5_set *s = v->set;
    const unsigned char *data = icseg_hdf5_at(v->file, s->address, s->bytes);
    if (s->address == UINT64_MAX) return ICSEG_OK; /* never written: all 0 */
    if (!data || s->bytes / s->width < s->elements) return damaged(v);
    for (uint64_t i = 0; i < s->elements; i++) v->out[i] = value_of(s, data + i * s->width);
    return ICSEG_OK;
}

icseg_status icseg_hdf5_read(const icseg_hdf5 *file, const icseg_hdf5_set *set, uint64_t limit, double **out,
                             icseg_error *error) {
    values v = {.file = file, .set = set, .error = error};
    *out = NULL;
    if (set->rank != 2 || !set->is_number || !set->elements || set->elements > limit ||
        set->storage == ICSEG_HDF5_NOWHERE)
        return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: not a matrix of 1 to %llu numbers", file->path,
                          (unsigned long long)limit);
    v.out = icseg_calloc_array((size_t)set->elements, sizeof *v.out);
    if (!v.out) return icseg_fail_memory_in(error, (size_t)set->elements * sizeof *v.out, file->path);
    icseg_status status = set->storage == ICSEG_HDF5_CHUNKS ? read_chunks(&v) : read_contiguous(&v);
    icseg_free(v.chunk[0]);
    icseg_free(v.chunk[1]);
    if (status == ICSEG_OK)
        *out = v.out;
    else
        icseg_free(v.out);
    return status;
}
