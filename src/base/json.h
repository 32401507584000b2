/* SPDX-License-Identifier: Apache-2.0
 * Reading and writing JSON with jansson, so that a lack of memory is an error. */
#ifndef ICSEG_BASE_JSON_H
#define ICSEG_BASE_JSON_H

#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"
#include "base/text.h"

/* json_loadb calls a text invalid, or loses characters of it, when memory runs out: that is an error here. A text that
 * is not JSON is not: *out is NULL, and *fault (may be NULL) says why. The caller owns *out (json_decref). */
icseg_status icseg_json_parse(json_t **out, const char *text, size_t size, size_t flags, json_error_t *fault,
                              icseg_error *error);

/* Appends `value`, which may be NULL when out of memory; out->failed is then set. Use this instead of json_dumps, which
 * can leave a key out, and succeed, when its buffer could not grow. */
void icseg_json_append(icseg_string *out, const json_t *value, size_t flags);

/* The same as a text that the caller frees with icseg_free; NULL when out of memory. Takes `value`. */
char *icseg_json_text(json_t *value, size_t flags);

/* null for a number that is not finite, which JSON does not have. */
json_t *icseg_json_number(double value);

#endif
