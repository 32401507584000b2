/* SPDX-License-Identifier: Apache-2.0
 * Strings of Unicode code points, and what Python's str knows about them: properties, lower case, NFC. */
#ifndef ICSEG_TEXT_CODE_POINTS_H
#define ICSEG_TEXT_CODE_POINTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zero-initialise. A failed append sets `failed`, which stays, and changes nothing else: a caller checks at the end. */
typedef struct icseg_points {
    uint32_t *data;
    size_t count, capacity;
    bool failed;
} icseg_points;

void icseg_points_append(icseg_points *points, uint32_t code_point);
void icseg_points_append_all(icseg_points *points, const uint32_t *data, size_t count);
void icseg_points_append_utf8(icseg_points *points, const char *text, size_t size); /* of valid UTF-8 */
bool icseg_points_equal(const icseg_points *a, const icseg_points *b);
void icseg_points_close(icseg_points *points);

/* Bytes written, 1..4. */
size_t icseg_utf8_put(uint32_t code_point, unsigned char out[4]);

typedef enum icseg_unicode_flag {
    ICSEG_UNICODE_LETTER = 1,      /* \p{L} of the regex package */
    ICSEG_UNICODE_NUMBER = 2,      /* \p{N} of the regex package */
    ICSEG_UNICODE_WHITE = 4,       /* \s of the regex package */
    ICSEG_UNICODE_SPACE = 8,       /* str.isspace: U+001C..U+001F too */
    ICSEG_UNICODE_DECIMAL = 16,    /* str.isdecimal */
    ICSEG_UNICODE_WORD = 32,       /* \w of Python's re */
    ICSEG_UNICODE_CASED = 64,      /* cased, and not to be skipped in search of a cased neighbour */
    ICSEG_UNICODE_IGNORABLE = 128, /* skipped in that search */
} icseg_unicode_flag;
unsigned icseg_unicode_flags_of(uint32_t code_point);

/* str.lower(), with U+0130 and the final sigma. Appends. */
void icseg_points_lower(const icseg_points *in, icseg_points *out);

/* unicodedata.normalize("NFC"). Appends. */
void icseg_points_nfc(const icseg_points *in, icseg_points *out);

#endif
