/* SPDX-License-Identifier: Apache-2.0
 * HTML character references, as html.unescape (HTML5) and ftfy read them. */
#include "text/html.h"

#include <string.h>

#include "text/tables.h"

enum { NAME_MOST = 33, STRICT_MOST = 24 }; /* characters between '&' and the end; ';' included in the first */

static const char *find_name(const char *name, bool capitals) {
    size_t low = 0, high = icseg_html_offsets_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const char *here = icseg_html_names + (icseg_html_offsets[middle] & 0x7fffffff);
        int order = strcmp(here, name);
        if (order == 0) return capitals || !(icseg_html_offsets[middle] >> 31) ? here + strlen(here) + 1 : NULL;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static int digit(uint32_t c, bool hex) {
    if (c - '0' < 10) return (int)(c - '0');
    if (hex && (c | 32) - 'a' < 6) return (int)((c | 32) - 'a') + 10;
    return -1;
}

typedef struct number {
    size_t length; /* code points from '&' on, with the semicolon if there is one; 0 = no number */
    bool closed;   /* by a semicolon */
    bool dropped;
    uint32_t value;
} number;

static number read_number(const uint32_t *s, size_t room) {
    number n = {0};
    size_t at = 2;
    if (room < 3 || s[1] != '#') return n;
    bool hex = (s[2] | 32) == 'x';
    at += hex;
    size_t first = at;
    for (int d; at < room && (d = digit(s[at], hex)) >= 0; at++)
        if (n.value <= 0x10ffff) n.value = n.value * (hex ? 16 : 10) + (uint32_t)d;
    if (at == first) return n;
    n.closed = at < room && s[at] == ';';
    n.length = at + n.closed;
    for (size_t i = 0; i < icseg_html_replaced_count; i++)
        if (icseg_html_replaced[i][0] == n.value) {
            n.value = icseg_html_replaced[i][1];
            return n;
        }
    if (n.value - 0xd800 < 0x800 || n.value > 0x10ffff) n.value = 0xfffd;
    for (size_t i = 0; i < icseg_html_dropped_count && !n.dropped; i++) n.dropped = icseg_html_dropped[i] == n.value;
    return n;
}

static void append_text(icseg_points *out, const char *text) { icseg_points_append_utf8(out, text, strlen(text)); }

/* Code points from '&' on that are a name or begin with one and were written as characters; 0 = none. */
static size_t named(const uint32_t *s, size_t room, icseg_points *out) {
    char name[NAME_MOST + 1];
    size_t length = 0;
    while (length + 1 < room && length < NAME_MOST - 1) { /* 32 of anything but these */
        uint32_t c = s[length + 1];
        if (c == '\t' || c == '\n' || c == '\f' || c == ' ' || c == '<' || c == '&' || c == '#' || c == ';') break;
        name[length++] = c && c < 0x80 ? (char)c : '\x7f'; /* which no name has */
    }
    if (!length) return 0;
    if (length + 1 < room && s[length + 1] == ';') name[length++] = ';';
    for (size_t cut = length; cut > 1; cut--) {
        name[cut] = '\0';
        const char *text = find_name(name, false);
        if (!text) continue;
        append_text(out, text);
        return cut + 1;
    }
    return 0;
}

/* What follows a name without semicolon is part of the same match: it is copied, not searched again. */
static size_t match_length(const uint32_t *s, size_t room) {
    size_t length = 1;
    while (length < room && length < NAME_MOST) {
        uint32_t c = s[length];
        if (c == '\t' || c == '\n' || c == '\f' || c == ' ' || c == '<' || c == '&' || c == '#' || c == ';') break;
        length++;
    }
    return length + (length > 1 && length < room && s[length] == ';');
}

void icseg_html_unescape(const icseg_points *in, icseg_points *out) {
    for (size_t i = 0; i < in->count;) {
        const uint32_t *s = in->data + i;
        size_t room = in->count - i;
        if (*s != '&') {
            icseg_points_append(out, *s);
            i++;
            continue;
        }
        number n = read_number(s, room);
        if (n.length) {
            if (!n.dropped) icseg_points_append(out, n.value);
            i += n.length;
            continue;
        }
        size_t used = named(s, room, out), whole = match_length(s, room);
        icseg_points_append_all(out, s + used, whole - used);
        i += whole;
    }
}

/* The length of the reference at `s` if ftfy replaces it (and its characters are written), else 0. */
static size_t strict(const uint32_t *s, size_t room, icseg_points *out) {
    char name[STRICT_MOST + 2];
    size_t length = 0;
    if (room > 1 && s[1] == '#') {
        number n = read_number(s, room);
        size_t text = n.length < 3 ? 0 : n.length - 3; /* between "&#" and ";" */
        if (!n.closed || text > STRICT_MOST || (n.value == ';' && !n.dropped)) return 0;
        if (!n.dropped) icseg_points_append(out, n.value);
        return n.length;
    }
    for (; length + 1 < room && length < STRICT_MOST; length++) {
        uint32_t c = s[length + 1];
        if (c - '0' >= 10 && (c | 32) - 'a' >= 26) break;
        name[length] = (char)c;
    }
    if (!length || length + 1 >= room || s[length + 1] != ';') return 0;
    memcpy(name + length, ";", 2);
    const char *text = find_name(name, true);
    if (!text) return 0;
    append_text(out, text);
    return length + 2;
}

void icseg_html_unescape_strict(const icseg_points *in, icseg_points *out) {
    for (size_t i = 0; i < in->count;) {
        size_t used = in->data[i] == '&' ? strict(in->data + i, in->count - i, out) : 0;
        if (!used) icseg_points_append(out, in->data[i]);
        i += used ? used : 1;
    }
}
