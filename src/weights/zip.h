/* SPDX-License-Identifier: Apache-2.0
 * The directory of a zip archive in memory, as PyTorch writes them: entries are stored, so their bytes are used where
 * they lie. Everything is checked at open; nothing is ever unpacked, so no archive can grow beyond its file. */
#ifndef ICSEG_WEIGHTS_ZIP_H
#define ICSEG_WEIGHTS_ZIP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/file.h"
#include "base/memory.h"

typedef struct icseg_zip_entry {
    const char *name;          /* a relative path without "..", unique */
    const unsigned char *data; /* NULL when compressed */
    size_t size;
} icseg_zip_entry;

typedef struct icseg_zip {
    icseg_zip_entry *entries; /* sorted by name */
    size_t count;
} icseg_zip;

/* Reads the central directory (zip64 too). Truncation, names that leave the archive, entries that overlap or lie
 * outside the file, encryption and several volumes are errors that name the file. */
icseg_status icseg_zip_open(icseg_zip *out, icseg_map map, const char *path, icseg_arena *arena, icseg_error *error);

const icseg_zip_entry *icseg_zip_find(const icseg_zip *zip, const char *name); /* or NULL */

#endif
