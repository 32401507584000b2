/* SPDX-License-Identifier: Apache-2.0
 * Sources that are zip archives: they are unpacked into the staging folder, which is removed at the end. */
#ifndef ICSEG_IMPORTERS_ARCHIVE_H
#define ICSEG_IMPORTERS_ARCHIVE_H

#include "importers/internal.h"

/* Whether the file begins like a zip archive, whatever its name; false for a folder. */
icseg_status icseg_import_is_archive(const char *path, bool *out, icseg_error *error);

/* Unpacks the import's archive into its staging folder, which is open. *source: the folder of its files, in the arena.
 * Refuses archives that icseg_zip_open refuses, symbolic links, and more than 64 GiB. Hidden files and __MACOSX are
 * left out. */
icseg_status icseg_import_unpack(icseg_import *im, const char **source, icseg_error *error);

/* Replaces the paths of unpacked files in a message by those in the archive: "export.zip/labels/a.txt". */
void icseg_import_restore_names(const icseg_import *im, char *text, size_t size);

#endif
