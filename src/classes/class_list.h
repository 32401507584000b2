/* SPDX-License-Identifier: Apache-2.0
 * Class lists inside the library. */
#ifndef ICSEG_CLASSES_CLASS_LIST_H
#define ICSEG_CLASSES_CLASS_LIST_H

#include <stdbool.h>

#include "base/memory.h"
#include "classes/tables.h"
#include "icseg/classes.h"

/* Reads the lines of a class list file into the arena, without leading and trailing blanks. Errors: as
 * icseg_class_list_open. */
icseg_status icseg_classes_read(icseg_arena *arena, const char *path, char ***lines, int32_t *count,
                                icseg_error *error);

/* The problem of a line of a class list, as the predicate of a sentence; NULL if there is none. */
const char *icseg_class_line_problem(const char *line, size_t size);

/* Whether the lines would be read as other classes than their author meant: every line begins with its number, or the
 * only line has several names. A class list file is refused then. */
bool icseg_class_lines_are_numbered(char *const *lines, int32_t count);
bool icseg_class_lines_are_one(char *const *lines, int32_t count);

/* Opens the list of a published data set. */
icseg_status icseg_class_list_open_table(icseg_class_list **out, const icseg_class_table *table, icseg_error *error);

#endif
