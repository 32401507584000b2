/* SPDX-License-Identifier: Apache-2.0
 * Tar archives: an index of the files that one contains, which icseg_file_reader then reads at any offset. Reads the
 * formats ustar, GNU and pax, uncompressed, and archives that were joined. Links, folders and devices are left out. */
#ifndef ICSEG_BASE_TAR_H
#define ICSEG_BASE_TAR_H

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"

typedef struct icseg_tar_entry {
    const char *name; /* as in the archive; in the arena */
    uint64_t offset, size;
} icseg_tar_entry;

typedef struct icseg_tar {
    icseg_tar_entry *entries; /* (count), in the order of the archive; freed with icseg_free */
    int64_t count;
} icseg_tar;

/* Lists the archive `path`, opened as `file`. Returns ICSEG_ERROR_FORMAT for a file that is not a tar archive, is
 * compressed or damaged, contains a sparse file, or ends early, also between two members: the blocks of zeros at the
 * end are required. The message says where. The caller frees out->entries, also after an error. */
icseg_status icseg_tar_list(icseg_tar *out, const icseg_file_reader *file, const char *path, icseg_arena *arena,
                            icseg_error *error);

#endif
