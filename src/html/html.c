/* SPDX-License-Identifier: Apache-2.0
 * Escaping and base64. */
#include "html/html.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Length in bytes of the UTF-8 sequence at p; 0 if it is invalid or XML does not allow it. The text is NUL-terminated.
 */
static size_t character_size(const unsigned char *p) {
    if (*p < 0x80) return *p >= 0x20 ? *p != 0x7f : *p == '\n' || *p == '\t';
    size_t size = *p >= 0xf0 && *p <= 0xf4 ? 4 : *p >= 0xe0 && *p < 0xf0 ? 3 : *p >= 0xc2 && *p < 0xe0 ? 2 : 0;
    uint32_t value = *p & (0x7fu >> size);
    for (size_t i = 1; i < size; i++) {
        if ((p[i] & 0xc0) != 0x80) return 0;
        value = value << 6 | (p[i] & 0x3fu);
    }
    bool overlong = (size == 3 && value < 0x800) || (size == 4 && value < 0x10000);
    bool forbidden = (value >= 0xd800 && value <= 0xdfff) || value > 0x10ffff || (value & 0xfffe) == 0xfffe ||
                     (value >= 0x80 && value < 0xa0);
    return overlong || forbidden ? 0 : size;
}

static const char *entity(char c) {
    switch (c) {
    case '&': return "&amp;";
    case '<': return "&lt;";
    case '>': return "&gt;";
    case '"': return "&quot;";
    case '\'': return "&#39;";
    }
    return NULL;
}

void icseg_html_text(icseg_string *out, const char *text) {
    for (const char *p = text; *p;) {
        size_t size = character_size((const unsigned char *)p);
        const char *replaced = size ? entity(*p) : "\xef\xbf\xbd";
        if (replaced)
            icseg_string_append(out, replaced, strlen(replaced));
        else
            icseg_string_append(out, p, size);
        p += size ? size : 1;
    }
}

void icseg_html_base64(icseg_string *out, const void *data, size_t size) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *p = data;
    char line[4 * 256];
    size_t used = 0;
    for (size_t i = 0; i < size; i += 3) {
        size_t left = size - i;
        uint32_t bits =
            (uint32_t)p[i] << 16 | (left > 1 ? (uint32_t)p[i + 1] << 8 : 0) | (left > 2 ? (uint32_t)p[i + 2] : 0);
        for (int d = 0; d < 4; d++) line[used++] = (char)((size_t)d <= left ? digits[bits >> (18 - 6 * d) & 63] : '=');
        if (used == sizeof line || left <= 3) {
            icseg_string_append(out, line, used);
            used = 0;
        }
    }
}
