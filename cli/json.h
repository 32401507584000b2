/* SPDX-License-Identifier: Apache-2.0
 * JSON that the program writes: whatever fails for lack of memory on the way is reported at the end. */
#ifndef ICSEG_CLI_JSON_H
#define ICSEG_CLI_JSON_H

#include <jansson.h>
#include <stdbool.h>

#include "icseg/error.h"
#include "options/string.h"

/* A string, or null where the text is not UTF-8, as names of files may be; NULL when out of memory. */
json_t *json_text(const char *text);

/* Appends `value`, which it takes and which may be NULL when out of memory, and sets *failed if that is not possible.
 */
void json_add(json_t *list, json_t *value, bool *failed);

/* Writes `root`, which it takes, to the end of `out`. `root` is NULL or `failed` is true when out of memory. On failure
 * `out` is closed. */
icseg_status json_finish(json_t *root, bool failed, size_t flags, icseg_string *out, icseg_error *error);

#endif
