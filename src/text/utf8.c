/* SPDX-License-Identifier: Apache-2.0
 * UTF-8, read and written by utf8proc. */
#include "text/utf8.h"

#include <utf8proc.h>

enum { REPLACEMENT = 0xfffd };

size_t icseg_utf8_check(const char *text, size_t size) {
    size_t at = 0;
    while (at < size) {
        utf8proc_int32_t character;
        utf8proc_ssize_t length =
            utf8proc_iterate((const utf8proc_uint8_t *)text + at, (utf8proc_ssize_t)(size - at), &character);
        if (length <= 0) break;
        at += (size_t)length;
    }
    return at;
}

size_t icseg_utf8_get(const char *text, size_t size, int32_t *character) {
    utf8proc_ssize_t length = utf8proc_iterate((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)size, character);
    if (length > 0) return (size_t)length;
    *character = REPLACEMENT;
    return 1;
}

void icseg_utf8_append(icseg_string *out, int32_t character) {
    utf8proc_uint8_t bytes[4];
    icseg_string_append(out, (const char *)bytes, (size_t)utf8proc_encode_char(character, bytes));
}
