/* SPDX-License-Identifier: Apache-2.0
 * Text: numbers, a growing string, strict number parsing, "did you mean". */
#ifndef ICSEG_OPTIONS_STRING_H
#define ICSEG_OPTIONS_STRING_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As vsnprintf, snprintf and strtod, but numbers have a decimal point in every locale. Text for display only, such
 * as an error message, may use the originals. */
int icseg_text_vprintf(char *out, size_t size, const char *format, va_list args) __attribute__((format(printf, 3, 0)));
int icseg_text_printf(char *out, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
double icseg_text_number(const char *text, char **end);
/* As "%.Ng" with the smallest N from 6 that reads back as the same number; "nan" and "inf" too. */
enum { ICSEG_NUMBER_SIZE = 32 };
void icseg_text_shortest(char out[ICSEG_NUMBER_SIZE], double value);

/* The noun that belongs to a count: "%lld %s", count, icseg_plural(count, "image", "images"). */
static inline const char *icseg_plural(int64_t count, const char *one, const char *many) {
    return count == 1 ? one : many;
}

/* Zero-initialise; `data` is NUL-terminated or NULL. A failed append sets `failed` and later appends do nothing, so a
 * caller checks once at the end. */
typedef struct icseg_string {
    char *data;
    size_t size, capacity;
    bool failed;
} icseg_string;
void icseg_string_append(icseg_string *string, const char *bytes, size_t size);
void icseg_string_printf(icseg_string *string, const char *format, ...) __attribute__((format(printf, 2, 3)));
void icseg_string_close(icseg_string *string);

/* The whole text must be the number: no blanks, no trailing junk, no overflow, no NaN or infinity. */
bool icseg_parse_i64(const char *text, int64_t *out);
bool icseg_parse_between(const char *text, int64_t low, int64_t high, int64_t *out); /* both included */
bool icseg_parse_f64(const char *text, double *out);
bool icseg_parse_bool(const char *text, bool *out); /* true, false, yes, no, on, off, 1, 0 */

/* The key nearest to `word` by edit distance, or NULL if every distance is above a third of its length plus 1. */
const char *icseg_text_nearest(const char *word, const char *const *keys, size_t count);

#endif
