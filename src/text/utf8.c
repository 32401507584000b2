/* SPDX-License-Identifier: Apache-2.0
 * UTF-8 validation after table 3-7 of the Unicode standard. */
#include "text/utf8.h"

/* Length of the well-formed sequence at `s`, 0 when there is none within `room` bytes. */
static size_t sequence(const unsigned char *s, size_t room) {
    if (s[0] < 0x80) return 1;
    if (s[0] < 0xc2 || s[0] > 0xf4) return 0;
    size_t length = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    if (length > room) return 0;
    unsigned char low = 0x80, high = 0xbf; /* of the second byte */
    if (s[0] == 0xe0) low = 0xa0;          /* overlong */
    if (s[0] == 0xed) high = 0x9f;         /* surrogates */
    if (s[0] == 0xf0) low = 0x90;          /* overlong */
    if (s[0] == 0xf4) high = 0x8f;         /* past U+10FFFF */
    if (s[1] < low || s[1] > high) return 0;
    for (size_t i = 2; i < length; i++)
        if ((s[i] & 0xc0) != 0x80) return 0;
    return length;
}

size_t icseg_utf8_check(const char *text, size_t size) {
    const unsigned char *bytes = (const unsigned char *)text;
    size_t at = 0;
    while (at < size) {
        size_t length = sequence(bytes + at, size - at);
        if (length == 0) break;
        at += length;
    }
    return at;
}
