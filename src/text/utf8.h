/* SPDX-License-Identifier: Apache-2.0
 * UTF-8: validation of text from files and callers, and reading and writing single characters. */
#ifndef ICSEG_TEXT_UTF8_H
#define ICSEG_TEXT_UTF8_H

#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

/* The offset of the first byte that is not part of well-formed UTF-8 (no overlong forms, surrogates or code points
 * past U+10FFFF), or `size` when the whole text is well formed. */
size_t icseg_utf8_check(const char *text, size_t size);

/* Reads the character at the start of `text`, size >= 1 bytes. Returns its length in bytes, 1..4. A byte that is not
 * UTF-8 is read as U+FFFD of length 1. */
size_t icseg_utf8_get(const char *text, size_t size, int32_t *character);

void icseg_utf8_append(icseg_string *out, int32_t character);

#endif
