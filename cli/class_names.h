/* SPDX-License-Identifier: Apache-2.0
 * Class names on the command line. */
#ifndef ICSEG_CLI_CLASS_NAMES_H
#define ICSEG_CLI_CLASS_NAMES_H

#include "icseg/error.h"
#include "options/arena.h"

/* Splits the text of --classes at a separator outside round brackets, into the arena: "a; b (c; d)" -> "a" and
 * "b (c; d)". A separator at the end may be left out or not. ICSEG_ERROR_ARGUMENT if a name is empty or given twice. */
icseg_status class_names_split(icseg_arena *arena, const char *text, char separator, const char ***out, size_t *count,
                               icseg_error *error);

#endif
