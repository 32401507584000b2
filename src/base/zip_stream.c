/* SPDX-License-Identifier: Apache-2.0
 * Entries of a zip archive as streams: stored, or deflated (RFC 1951). */
#include <zlib.h>

#include "base/zip.h"

enum { STEP = 1 << 20, SKIP = 1 << 14, INPUT = 1 << 14 };

struct icseg_zip_stream {
    z_stream zlib;
    const icseg_zip_entry *entry;
    const icseg_file_reader *file;
    const char *path;
    size_t taken, position; /* bytes read of the entry's data, bytes returned */
    uint32_t crc;
    unsigned char input[INPUT];
};

static icseg_status damaged(const icseg_zip_stream *s, const char *what, icseg_error *error) {
    return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: damaged zip archive: %.200s %s", s->path, s->entry->name, what);
}

icseg_status icseg_zip_stream_open(icseg_zip_stream **out, const icseg_zip_entry *entry, const icseg_file_reader *file,
                                   const char *path, icseg_error *error) {
    *out = NULL;
    icseg_zip_stream *s = icseg_calloc_array(1, sizeof *s);
    if (!s) return icseg_fail_memory_in(error, sizeof *s, path);
    if (inflateInit2(&s->zlib, -MAX_WBITS) != Z_OK) { /* negative: without zlib's own header */
        icseg_free(s);
        return icseg_fail_memory_in(error, 1 << 15, path);
    }
    s->entry = entry;
    s->file = file;
    s->path = path;
    *out = s;
    return ICSEG_OK;
}

/* Refills zlib's input, which is used up. */
static icseg_status refill(icseg_zip_stream *s, icseg_error *error) {
    size_t left = s->entry->packed - s->taken, size = left < INPUT ? left : INPUT;
    ICSEG_TRY(icseg_file_reader_read(s->file, s->entry->offset + s->taken, s->input, size, error));
    s->taken += size;
    s->zlib.next_in = s->input;
    s->zlib.avail_in = (uInt)size;
    return ICSEG_OK;
}

static icseg_status unpack(icseg_zip_stream *s, unsigned char *out, size_t size, icseg_error *error) {
    z_stream *z = &s->zlib;
    z->next_out = out;
    z->avail_out = (uInt)size;
    while (z->avail_out) {
        if (!z->avail_in) ICSEG_TRY(refill(s, error));
        int code = inflate(z, Z_NO_FLUSH);
        if (code == Z_MEM_ERROR) return icseg_fail_memory_in(error, 1 << 15, s->path);
        if (code == Z_STREAM_END && !z->avail_out) break;
        if (code == Z_STREAM_END || code == Z_BUF_ERROR) /* the latter: the input has ended */
            return damaged(s, "ends before its size", error);
        if (code != Z_OK) return damaged(s, "cannot be unpacked", error);
    }
    return ICSEG_OK;
}

/* At most STEP bytes. */
static icseg_status read_step(icseg_zip_stream *s, unsigned char *out, size_t size, icseg_error *error) {
    ICSEG_TRY(s->entry->deflated ? unpack(s, out, size, error)
                                 : icseg_file_reader_read(s->file, s->entry->offset + s->position, out, size, error));
    s->position += size;
    s->crc = (uint32_t)crc32(s->crc, out, (uInt)size);
    if (s->position == s->entry->size && s->crc != s->entry->crc) return damaged(s, "has a wrong checksum", error);
    return ICSEG_OK;
}

icseg_status icseg_zip_stream_read(icseg_zip_stream *s, void *out, size_t size, icseg_error *error) {
    unsigned char skipped[SKIP];
    if (size > s->entry->size - s->position) return damaged(s, "is shorter than the data read from it", error);
    for (size_t at = 0, step; at < size; at += step) {
        step = size - at < STEP ? size - at : STEP;
        if (!out && step > SKIP) step = SKIP;
        /* cppcheck-suppress legacyUninitvar ; it is written to */
        ICSEG_TRY(read_step(s, out ? (unsigned char *)out + at : skipped, step, error));
    }
    return ICSEG_OK;
}

size_t icseg_zip_stream_position(const icseg_zip_stream *s) { return s->position; }

void icseg_zip_stream_close(icseg_zip_stream **stream) {
    if (!stream || !*stream) return;
    inflateEnd(&(*stream)->zlib);
    icseg_free(*stream);
    *stream = NULL;
}
