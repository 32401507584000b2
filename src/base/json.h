/* SPDX-License-Identifier: Apache-2.0
 * Reading and writing JSON with jansson, such that running out of memory is always an error. */
#ifndef ICSEG_BASE_JSON_H
#define ICSEG_BASE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text.h"

/* Whether a text may have more than `values` JSON values. To be asked before texts of many megabytes are parsed: a
 * value of two bytes takes a hundred in memory. Characters inside strings count, too. */
bool icseg_json_exceeds(const char *text, size_t size, size_t values);

/* Parses JSON. Returns ICSEG_ERROR_MEMORY when memory runs out, where json_loadb reports invalid text or drops
 * characters. Invalid text is ICSEG_OK: *out is NULL, and *problem (may be NULL) says why. The caller owns *out
 * (json_decref). */
icseg_status icseg_json_parse(json_t **out, const char *text, size_t size, size_t flags, json_error_t *problem,
                              icseg_error *error);

/* Appends `value`; NULL, the result of a call that ran out of memory, sets out->failed. (json_dumps can leave a key out
 * and succeed when its buffer cannot grow.) */
void icseg_json_append(icseg_string *out, const json_t *value, size_t flags);

/* The same as a text that the caller frees with icseg_free; NULL when out of memory. Takes `value`. */
char *icseg_json_text(json_t *value, size_t flags);

/* The nearest int32_t, for integers whose range is checked later. */
int32_t icseg_json_int32(json_int_t value);

/* null for a number that is not finite, which JSON does not have. */
json_t *icseg_json_number(double value);

#endif
