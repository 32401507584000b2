/* SPDX-License-Identifier: Apache-2.0
 * JSON that the program writes. Running out of memory while it is built is reported at the end. */
#ifndef ICSEG_CLI_JSON_H
#define ICSEG_CLI_JSON_H

#include <jansson.h>
#include <stdbool.h>

#include "icseg/error.h"
#include "options/string.h"

/* A string, or null where the text is not UTF-8, as names of files may be; NULL when out of memory. */
json_t *json_text(const char *text);

/* Appends `value` and takes ownership of it. Sets *failed if it is NULL, which means out of memory, or on failure. */
void json_add(json_t *list, json_t *value, bool *failed);

/* Appends `root` to `out` and takes ownership of it. Fails if `root` is NULL or `failed` is true, which mean out of
 * memory; then `out` is closed. */
icseg_status json_finish(json_t *root, bool failed, size_t flags, icseg_string *out, icseg_error *error);

#endif
