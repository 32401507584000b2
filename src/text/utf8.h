/* SPDX-License-Identifier: Apache-2.0
 * UTF-8 validation: text from files and command lines is not trusted to be text. */
#ifndef ICSEG_TEXT_UTF8_H
#define ICSEG_TEXT_UTF8_H

#include <stddef.h>

/* The offset of the first byte that is not part of well-formed UTF-8 (no overlong forms, surrogates or code points
 * past U+10FFFF), or `size` when all of it is. */
size_t icseg_utf8_check(const char *text, size_t size);

#endif
