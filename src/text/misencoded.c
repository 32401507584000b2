/* SPDX-License-Identifier: Apache-2.0
 * Detection of text that was decoded with the wrong encoding. */
#include "text/misencoded.h"

#include <string.h>

#include "base/memory.h"
#include "base/progress.h"
#include "text/utf8.h"

/* Bytes 0x80..0x9f; 0: not assigned. (https://encoding.spec.whatwg.org/index-windows-1252.txt) */
static const uint16_t windows_1252[32] = {0x20ac, 0,      0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021,
                                          0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, 0,      0x017d, 0,
                                          0,      0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014,
                                          0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0,      0x017e, 0x0178};

int32_t icseg_windows_1252(int32_t c) {
    return c >= 0x80 && c < 0xa0 && windows_1252[c - 0x80] ? windows_1252[c - 0x80] : c;
}

/* The byte that both encodings decode as `c`, or -1. */
static int byte_of(int32_t c) {
    if (c < 0x100) return c;
    for (int i = 0; i < 32; i++)
        if (windows_1252[i] == c) return 0x80 + i;
    return -1;
}

bool icseg_text_is_misencoded(const char *text, icseg_string *meant) {
    icseg_string bytes = {0};
    bool possible = true;
    const char *end = text;
    while (*end && !(*end & 0x80)) end++;
    if (!*end) return false; /* ASCII */
    for (size_t left = strlen(text); left && possible;) {
        int32_t c;
        size_t length = icseg_utf8_get(text, left, &c);
        int byte = byte_of(c);
        possible = byte >= 0;
        icseg_string_append(&bytes, &(char){(char)byte}, 1);
        text += length;
        left -= length;
    }
    bool found = possible && !bytes.failed && icseg_utf8_check(bytes.data, bytes.size) == bytes.size;
    if (found && meant) icseg_string_append(meant, bytes.data, bytes.size);
    icseg_string_close(&bytes);
    return found;
}

void icseg_warn_misencoded(const char *const *names, int32_t count, const icseg_progress *progress) {
    icseg_string meant = {0};
    int32_t first = 0, found = 0;
    for (int32_t i = 0; i < count; i++) {
        if (!icseg_text_is_misencoded(names[i], found ? NULL : &meant)) continue;
        if (!found) first = i;
        found++;
    }
    if (found && !meant.failed)
        icseg_progress_say(progress, ICSEG_MESSAGE_WARNING,
                           "class name \"%s\" looks like UTF-8 that was decoded with the wrong encoding (\"%s\"?), %d "
                           "of %d %s in all; save the class list as UTF-8, or ignore this if the names are right",
                           names[first], meant.data, found, count, icseg_plural(count, "name", "names"));
    icseg_string_close(&meant);
}
