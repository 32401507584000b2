/* SPDX-License-Identifier: Apache-2.0
 * Text: numbers and growing strings (from the option library), byte order marks, and the parts of paths. */
#ifndef ICSEG_BASE_TEXT_H
#define ICSEG_BASE_TEXT_H

#include <stddef.h>

#include "base/error.h"
#include "options/string.h"

/* 3 if the text begins with UTF-8's byte order mark, as Windows programs write it; otherwise 0. */
size_t icseg_bom_size(const void *text, size_t size);

const char *icseg_path_name(const char *path);                    /* after the last '/' */
const char *icseg_path_extension(const char *path);               /* "jpg" of "a/b.c.jpg", "" when none */
size_t icseg_path_stem(const char *name, char *out, size_t size); /* name without folder and extension */

#endif
