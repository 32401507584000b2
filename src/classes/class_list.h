/* SPDX-License-Identifier: Apache-2.0
 * Class lists: a text file with one name a line. */
#ifndef ICSEG_CLASSES_CLASS_LIST_H
#define ICSEG_CLASSES_CLASS_LIST_H

#include "base/memory.h"

/* Reads the names of `path` into the arena. The byte order mark, blanks at both ends of a line and empty lines at the
 * end of the file are left out. Errors name file and line: empty list, empty line between names, duplicate, control
 * character, not UTF-8, over 16384 names. */
icseg_status icseg_classes_read(icseg_arena *arena, const char *path, char ***names, int32_t *count,
                                icseg_error *error);

#endif
