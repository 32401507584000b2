/* SPDX-License-Identifier: Apache-2.0
 * CLIP's cleaning: ftfy.fix_text (6.3, default settings), html.unescape, white space, lower case. docs/tokenizer.md
 * lists the steps. */
#include "text/clean.h"

#include "text/html.h"
#include "text/mojibake.h"
#include "text/tables.h"

enum { ESCAPE = 0x1b };

typedef void step_function(const icseg_points *in, icseg_points *out);

static void apply(step_function *step, icseg_points *text, icseg_points *spare) {
    spare->count = 0;
    step(text, spare);
    icseg_points swap = *text;
    *text = *spare;
    *spare = swap;
}

/* Curly quotes to straight ones. */
static void append_uncurled(icseg_points *out, uint32_t c) {
    bool one = c == 0x2bc || (c >= 0x2018 && c <= 0x201b), two = c >= 0x201c && c <= 0x201f;
    icseg_points_append(out, one ? '\'' : two ? '"' : c);
}

/* Full-width Latin and half-width Katakana and Hangul to their usual width. */
static void append_in_width(icseg_points *out, uint32_t c) {
    if (c == 0x3000) {
        c = ' ';
    } else if (c == 0xffe3) {
        icseg_points_append_all(out, (const uint32_t[]){' ', 0x304}, 2);
        return;
    } else if (c - 0xff01 < icseg_unicode_width_count && icseg_unicode_width[c - 0xff01]) {
        c = icseg_unicode_width[c - 0xff01];
    }
    append_uncurled(out, c);
}

typedef struct ligature {
    uint16_t c;
    uint16_t letters[3];
} ligature;

/* Latin ligatures and digraphs, by code point. */
static const ligature ligatures[] = {
    {0x132, {'I', 'J'}},    {0x133, {'i', 'j'}},   {0x149, {0x2bc, 'n'}},     {0x1c4, {'D', 0x17d}},
    {0x1c5, {'D', 0x17e}},  {0x1c6, {'d', 0x17e}}, {0x1c7, {'L', 'J'}},       {0x1c8, {'L', 'j'}},
    {0x1c9, {'l', 'j'}},    {0x1ca, {'N', 'J'}},   {0x1cb, {'N', 'j'}},       {0x1cc, {'n', 'j'}},
    {0x1f1, {'D', 'Z'}},    {0x1f2, {'D', 'z'}},   {0x1f3, {'d', 'z'}},       {0xfb00, {'f', 'f'}},
    {0xfb01, {'f', 'i'}},   {0xfb02, {'f', 'l'}},  {0xfb03, {'f', 'f', 'i'}}, {0xfb04, {'f', 'f', 'l'}},
    {0xfb05, {0x17f, 't'}}, {0xfb06, {'s', 't'}},
};

/* C1 controls, ligatures, width, quotes: each character for itself. */
static void append_plain(icseg_points *out, uint32_t c) {
    c = icseg_mojibake_c1(c);
    for (size_t i = 0; c >= 0x132 && c <= 0xfb06 && i < sizeof ligatures / sizeof *ligatures; i++)
        if (ligatures[i].c == c) {
            for (int j = 0; j < 3 && ligatures[i].letters[j]; j++) append_in_width(out, ligatures[i].letters[j]);
            return;
        }
    append_in_width(out, c);
}

/* Those, and every line end as \n. */
static void plain_characters(const icseg_points *in, icseg_points *out) {
    for (size_t i = 0; i < in->count; i++) {
        uint32_t c = in->data[i];
        if (c == '\n' && i && in->data[i - 1] == '\r') continue;
        if (c == '\r' || c == 0x2028 || c == 0x2029)
            icseg_points_append(out, '\n');
        else
            append_plain(out, c);
    }
}

/* The length of a terminal's escape sequence such as "\033[1;31m" at `s`, or 0. */
static size_t terminal_escape(const uint32_t *s, size_t room) {
    size_t at = 2;
    if (room < 3 || s[0] != ESCAPE || s[1] != '[') return 0;
    while (at < room && (s[at] == ';' || icseg_unicode_flags_of(s[at]) & ICSEG_UNICODE_DECIMAL)) at++;
    return at < room && (s[at] | 32) - 'a' < 26 ? at + 1 : 0;
}

static bool is_control(uint32_t c) {
    if (c < 0x20) return c != '\t' && c != '\n' && c != '\f' && c != '\r';
    return c == 0x7f || (c >= 0x206a && c <= 0x206f) || c == 0xfeff || (c >= 0xfff9 && c <= 0xfffc);
}

static void without_controls(const icseg_points *in, icseg_points *out) {
    for (size_t i = 0; i < in->count;) {
        size_t escape = terminal_escape(in->data + i, in->count - i);
        if (!escape && !is_control(in->data[i])) icseg_points_append(out, in->data[i]);
        i += escape ? escape : 1;
    }
}

static bool contains(const icseg_points *text, uint32_t c) {
    for (size_t i = 0; i < text->count; i++)
        if (text->data[i] == c) return true;
    return false;
}

/* One line until nothing changes any more: every round undoes one layer of "&amp;amp;". */
static void fix_line(icseg_points *line, bool unescape, icseg_points *spare, icseg_points *before) {
    do {
        before->count = 0;
        icseg_points_append_all(before, line->data, line->count);
        if (unescape && contains(line, '&')) apply(icseg_html_unescape_strict, line, spare);
        icseg_mojibake_fix(line);
        apply(plain_characters, line, spare);
        apply(without_controls, line, spare);
        apply(icseg_points_nfc, line, spare);
    } while (!line->failed && !spare->failed && !before->failed && !icseg_points_equal(line, before));
}

/* ftfy.fix_text: line by line; from the first line with a '<' on, the text is HTML and its entities are left alone. */
static void fix_text(icseg_points *text, icseg_points *spare) {
    icseg_points line = {0}, before = {0}, out = {0};
    bool unescape = true;
    for (size_t at = 0, end; at < text->count; at = end) {
        for (end = at; end < text->count && text->data[end] != '\n';) end++;
        end += end < text->count;
        line.count = 0;
        icseg_points_append_all(&line, text->data + at, end - at);
        unescape = unescape && !contains(&line, '<');
        fix_line(&line, unescape, spare, &before);
        icseg_points_append_all(&out, line.data, line.count);
    }
    out.failed |= text->failed || line.failed || before.failed;
    icseg_points_close(&line);
    icseg_points_close(&before);
    icseg_points_close(text);
    *text = out;
}

static void strip(icseg_points *text) {
    size_t first = 0;
    while (text->count && icseg_unicode_flags_of(text->data[text->count - 1]) & ICSEG_UNICODE_SPACE) text->count--;
    while (first < text->count && icseg_unicode_flags_of(text->data[first]) & ICSEG_UNICODE_SPACE) first++;
    text->count -= first;
    for (size_t i = 0; first && i < text->count; i++) text->data[i] = text->data[i + first];
}

static void single_blanks(icseg_points *text) {
    size_t kept = 0;
    bool blank = false;
    for (size_t i = 0; i < text->count; i++) {
        bool white = icseg_unicode_flags_of(text->data[i]) & ICSEG_UNICODE_WHITE;
        if (!white || !blank) text->data[kept++] = white ? ' ' : text->data[i];
        blank = white;
    }
    text->count = kept;
}

void icseg_clip_clean(icseg_points *text) {
    icseg_points spare = {0};
    fix_text(text, &spare);
    for (int i = 0; i < 2 && contains(text, '&'); i++) apply(icseg_html_unescape, text, &spare);
    strip(text);
    single_blanks(text);
    strip(text);
    apply(icseg_points_lower, text, &spare);
    text->failed |= spare.failed;
    icseg_points_close(&spare);
}
