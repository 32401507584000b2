/* SPDX-License-Identifier: Apache-2.0
 * The directory of a zip archive. PyTorch stores entries uncompressed, so their bytes are read in place; archives
 * that were repacked, and those of labelling tools, are deflated and read as streams. Everything is checked at open. */
#ifndef ICSEG_BASE_ZIP_H
#define ICSEG_BASE_ZIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/file.h"
#include "base/memory.h"

typedef struct icseg_zip_entry {
    const char *name; /* a relative path without "..", unique */
    size_t offset;    /* of its data in the file */
    size_t packed;    /* bytes there */
    size_t size;      /* bytes of the content; `packed` unless deflated */
    uint32_t crc;     /* of the content */
    bool deflated;
    bool link; /* a symbolic link, whose content is its target */
} icseg_zip_entry;

typedef struct icseg_zip {
    icseg_zip_entry *entries; /* sorted by name */
    size_t count;
} icseg_zip;

/* Reads the central directory (zip64 too). Truncation, names that leave the archive, entries that overlap, are
 * outside the file or grow beyond reason, encryption, several volumes and methods other than deflate are errors that
 * name the file. */
icseg_status icseg_zip_open(icseg_zip *out, const icseg_file_reader *file, const char *path, icseg_arena *arena,
                            icseg_error *error);

const icseg_zip_entry *icseg_zip_find(const icseg_zip *zip, const char *name); /* or NULL */

/* The content of an entry from its start, in order. The entry, file and path outlive the stream. */
typedef struct icseg_zip_stream icseg_zip_stream;
icseg_status icseg_zip_stream_open(icseg_zip_stream **out, const icseg_zip_entry *entry, const icseg_file_reader *file,
                                   const char *path, icseg_error *error);
/* The next `size` bytes; NULL `out` skips them. The last byte is returned only if the checksum is right. */
icseg_status icseg_zip_stream_read(icseg_zip_stream *stream, void *out, size_t size, icseg_error *error);
size_t icseg_zip_stream_position(const icseg_zip_stream *stream); /* bytes read so far */
void icseg_zip_stream_close(icseg_zip_stream **stream);

#endif
