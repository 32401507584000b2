/* SPDX-License-Identifier: Apache-2.0
 * CLIP's cleaning of text: the part of ftfy.fix_text that class names need, XML's character references, white space,
 * lower case. docs/tokenizer.md lists the steps and the differences from ftfy. */
#include "text/clean.h"

#include <string.h>
#include <utf8proc.h>

#include "base/memory.h"
#include "text/misencoded.h"
#include "text/utf8.h"

enum { ESCAPE = 0x1b, SIGMA = 0x3a3, SMALL_SIGMA = 0x3c3, FINAL_SIGMA = 0x3c2, CAPITAL_I_WITH_DOT = 0x130 };

/* Reads `in` and appends to `out`. */
typedef void clean_step(const icseg_string *in, icseg_string *out);

static void apply(clean_step *step, icseg_string *text, icseg_string *spare) {
    spare->size = 0;
    step(text, spare);
    icseg_string swap = *text;
    *text = *spare;
    *spare = swap;
}

/* --- character references ----------------------------------------------------------------------------------------- */

static int digit_of(char c, bool hex) {
    if (c >= '0' && c <= '9') return c - '0';
    if (hex && (c | 32) >= 'a' && (c | 32) <= 'f') return (c | 32) - 'a' + 10;
    return -1;
}

/* The length of "&#233;" or "&#xE9;" at `s`, or 0. NUL, surrogates and values past U+10FFFF are U+FFFD, as in HTML. */
static size_t numeric_reference(const char *s, int32_t *character) {
    bool hex = (s[2] | 32) == 'x';
    size_t first = hex ? 3 : 2, at = first;
    int32_t value = 0;
    for (int digit; (digit = digit_of(s[at], hex)) >= 0; at++)
        if (value <= 0x10ffff) value = value * (hex ? 16 : 10) + digit;
    if (at == first || s[at] != ';') return 0;
    *character = value && utf8proc_codepoint_valid(value) ? value : 0xfffd;
    return at + 1;
}

/* The length of the reference at `s`, which ends in NUL, or 0. */
static size_t reference(const char *s, int32_t *character) {
    static const struct {
        const char *name;
        char character;
    } named[] = {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}};
    if (s[0] != '&') return 0;
    if (s[1] == '#') return numeric_reference(s, character);
    for (size_t i = 0; i < sizeof named / sizeof *named; i++) {
        size_t length = strlen(named[i].name);
        if (strncmp(s, named[i].name, length) != 0) continue;
        *character = (unsigned char)named[i].character;
        return length;
    }
    return 0;
}

static void without_references(const icseg_string *in, icseg_string *out) {
    for (size_t at = 0; at < in->size;) {
        int32_t character;
        size_t length = reference(in->data + at, &character);
        if (length)
            icseg_utf8_append(out, character);
        else
            icseg_string_append(out, in->data + at, 1);
        at += length ? length : 1;
    }
}

/* --- characters --------------------------------------------------------------------------------------------------- */

/* Latin ligatures and digraphs, and characters of full or half width: utf8proc's compatibility decomposition gives the
 * usual characters. (ftfy.chardata's LIGATURES and WIDTH_MAP) */
static bool is_presentation_form(int32_t c) {
    return c == 0x132 || c == 0x133 || c == 0x149 || (c >= 0x1c4 && c <= 0x1cc) || (c >= 0x1f1 && c <= 0x1f3) ||
           c == 0x3000 || (c >= 0xfb00 && c <= 0xfb06) || (c >= 0xff01 && c <= 0xffef);
}

static int32_t straight_quote(int32_t c) {
    if (c == 0x2bc || (c >= 0x2018 && c <= 0x201b)) return '\'';
    return c >= 0x201c && c <= 0x201f ? '"' : c;
}

static bool is_control(int32_t c) {
    if (c < 0x20) return c != '\t' && c != '\n' && c != '\f' && c != '\r';
    return c == 0x7f || (c >= 0x206a && c <= 0x206f) || c == 0xfeff || (c >= 0xfff9 && c <= 0xfffc);
}

/* The length of a terminal's escape sequence such as "\033[1;31m" at `s`, which ends in NUL, or 0. */
static size_t terminal_escape(const char *s) {
    if (s[0] != ESCAPE || s[1] != '[') return 0;
    size_t at = 2 + strspn(s + 2, "0123456789;");
    return (s[at] | 32) >= 'a' && (s[at] | 32) <= 'z' ? at + 1 : 0;
}

/* Converts C1 control characters to the Windows-1252 characters that were meant, and presentation forms and curly
 * quotes to plain characters; drops other control characters. */
static void plain_characters(const icseg_string *in, icseg_string *out) {
    for (size_t at = 0; at < in->size;) {
        size_t escape = terminal_escape(in->data + at);
        int32_t parts[18] = {0}; /* the longest decomposition in Unicode */
        utf8proc_ssize_t count = 1;
        at += escape ? escape : icseg_utf8_get(in->data + at, in->size - at, parts);
        if (escape || is_control(parts[0])) continue;
        parts[0] = icseg_windows_1252(parts[0]);
        if (is_presentation_form(parts[0]))
            count = utf8proc_decompose_char(parts[0], parts, 18, UTF8PROC_COMPAT | UTF8PROC_DECOMPOSE | UTF8PROC_STABLE,
                                            NULL);
        for (utf8proc_ssize_t i = 0; i < count; i++) icseg_utf8_append(out, straight_quote(parts[i]));
    }
}

/* Canonical composition (NFC). */
static void composed(const icseg_string *in, icseg_string *out) {
    const utf8proc_option_t options = UTF8PROC_STABLE | UTF8PROC_COMPOSE;
    const utf8proc_uint8_t *text = (const utf8proc_uint8_t *)in->data;
    utf8proc_ssize_t size = (utf8proc_ssize_t)in->size, count = utf8proc_decompose(text, size, NULL, 0, options);
    int32_t *points = icseg_alloc_array((size_t)(count > 0 ? count : 1), sizeof *points);
    out->failed |= !points;
    if (!points) return;
    utf8proc_decompose(text, size, points, count, options);
    count = utf8proc_normalize_utf32(points, count, options);
    for (utf8proc_ssize_t i = 0; i < count; i++) icseg_utf8_append(out, points[i]);
    icseg_free(points);
}

/* --- white space and lower case ----------------------------------------------------------------------------------- */

static bool is_white(int32_t c) {
    utf8proc_category_t category = utf8proc_category(c);
    return category == UTF8PROC_CATEGORY_ZS || category == UTF8PROC_CATEGORY_ZL || category == UTF8PROC_CATEGORY_ZP ||
           c == '\t' || c == '\n' || c == '\f' || c == '\r';
}

/* One space between words, none at the ends. */
static void single_blanks(const icseg_string *in, icseg_string *out) {
    bool space = false;
    for (size_t at = 0, length; at < in->size; at += length) {
        int32_t c;
        length = icseg_utf8_get(in->data + at, in->size - at, &c);
        if (is_white(c)) {
            space = true;
            continue;
        }
        if (space && out->size) icseg_string_append(out, " ", 1);
        icseg_string_append(out, in->data + at, length);
        space = false;
    }
}

/* Unicode's properties Cased and Case_Ignorable, from the properties that utf8proc has. */
static bool is_cased(int32_t c) {
    utf8proc_category_t category = utf8proc_category(c);
    return category == UTF8PROC_CATEGORY_LU || category == UTF8PROC_CATEGORY_LL || category == UTF8PROC_CATEGORY_LT ||
           utf8proc_tolower(c) != c || utf8proc_toupper(c) != c;
}

static bool is_case_ignorable(int32_t c) {
    switch (utf8proc_category(c)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_SK: return true;
    default: return c == '\'' || c == '.' || c == ':' || c == 0xb7 || c == 0x55f || c == 0x5f4 || c == 0x2027;
    }
}

/* Whether the next character of `text` that case does not ignore is cased. */
static bool cased_follows(const char *text, size_t size) {
    int32_t c = 0;
    for (size_t length; size; text += length, size -= length) {
        length = icseg_utf8_get(text, size, &c);
        if (!is_case_ignorable(c)) return is_cased(c);
    }
    return false;
}

/* Python's str.lower(). A capital sigma becomes a final sigma after a cased letter and not before one. */
static void lower(const icseg_string *in, icseg_string *out) {
    bool cased = false;
    for (size_t at = 0; at < in->size;) {
        int32_t c;
        at += icseg_utf8_get(in->data + at, in->size - at, &c);
        if (c == CAPITAL_I_WITH_DOT)
            icseg_string_append(out, "i\xcc\x87", 3);
        else if (c == SIGMA)
            icseg_utf8_append(out, cased && !cased_follows(in->data + at, in->size - at) ? FINAL_SIGMA : SMALL_SIGMA);
        else
            icseg_utf8_append(out, utf8proc_tolower(c));
        if (!is_case_ignorable(c)) cased = is_cased(c);
    }
}

/* ------------------------------------------------------------------------------------------------------------------ */

void icseg_clip_clean(const char *text, size_t size, icseg_string *out) {
    icseg_string now = {0}, before = {0}, spare = {0};
    icseg_string_append(&now, text, size);
    do { /* until nothing changes: a full-width ampersand, for example, may begin a reference */
        before.size = 0;
        icseg_string_append(&before, now.data, now.size);
        for (size_t last = SIZE_MAX; now.size < last && !spare.failed;) { /* one layer of "&amp;amp;" after another */
            last = now.size;
            apply(without_references, &now, &spare);
        }
        apply(plain_characters, &now, &spare);
        apply(composed, &now, &spare);
    } while (!now.failed && !spare.failed && !before.failed &&
             (now.size != before.size || memcmp(now.data, before.data, now.size) != 0));
    apply(single_blanks, &now, &spare);
    lower(&now, out);
    out->failed |= now.failed || before.failed || spare.failed;
    icseg_string_close(&now);
    icseg_string_close(&before);
    icseg_string_close(&spare);
}
