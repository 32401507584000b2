/* SPDX-License-Identifier: Apache-2.0
 * Strings of code points: growth, UTF-8, properties, lower case. */
#include "text/code_points.h"

#include <string.h>

#include "base/memory.h"
#include "text/tables.h"

static bool reserve(icseg_points *p, size_t more) {
    if (p->failed || p->capacity - p->count >= more) return !p->failed;
    size_t room = p->capacity * 2 > p->count + more ? p->capacity * 2 : p->count + more + 64;
    uint32_t *data = icseg_realloc_array(p->data, p->capacity, room, sizeof *data);
    if (!data) {
        p->failed = true;
        return false;
    }
    p->data = data;
    p->capacity = room;
    return true;
}

void icseg_points_append(icseg_points *p, uint32_t c) {
    if (reserve(p, 1)) p->data[p->count++] = c;
}

void icseg_points_append_all(icseg_points *p, const uint32_t *data, size_t count) {
    if (!count || !reserve(p, count)) return;
    memcpy(p->data + p->count, data, count * sizeof *data);
    p->count += count;
}

void icseg_points_append_utf8(icseg_points *p, const char *text, size_t size) {
    const unsigned char *s = (const unsigned char *)text, *end = s + size;
    if (!reserve(p, size)) return;
    while (s < end) {
        int more = *s < 0x80 ? 0 : *s < 0xe0 ? 1 : *s < 0xf0 ? 2 : 3;
        uint32_t c = more ? *s & (0x3fu >> more) : *s;
        for (s++; more; more--) c = c << 6 | (*s++ & 0x3f);
        p->data[p->count++] = c;
    }
}

bool icseg_points_equal(const icseg_points *a, const icseg_points *b) {
    return a->count == b->count && (!a->count || !memcmp(a->data, b->data, a->count * sizeof *a->data));
}

void icseg_points_close(icseg_points *p) {
    icseg_free(p->data);
    *p = (icseg_points){0};
}

size_t icseg_utf8_put(uint32_t c, unsigned char out[4]) {
    if (c < 0x80) {
        out[0] = (unsigned char)c;
        return 1;
    }
    size_t size = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = size - 1; i; i--, c >>= 6) out[i] = (unsigned char)(0x80 | (c & 0x3f));
    out[0] = (unsigned char)((0xf00u >> size & 0xff) | c);
    return size;
}

/* The value of the last range that starts at or before `c`; the first range starts at 0. */
static unsigned range_value(const uint32_t *ranges, size_t count, uint32_t c) {
    size_t low = 0;
    uint32_t key = c << 8 | 0xff;
    while (count > 1) {
        size_t half = count / 2;
        if (ranges[low + half] <= key) low += half;
        count -= half;
    }
    return ranges[low] & 0xff;
}

unsigned icseg_unicode_flags_of(uint32_t c) { return range_value(icseg_unicode_flags, icseg_unicode_flags_count, c); }

static uint32_t lower_one(uint32_t c) {
    if (c < 0x80) return c - 'A' < 26 ? c + 32 : c;
    size_t low = 0, high = icseg_unicode_lower_count;
    while (low < high) { /* the first run that ends at or after c */
        size_t middle = (low + high) / 2;
        if ((uint32_t)icseg_unicode_lower[middle][1] < c)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == icseg_unicode_lower_count) return c;
    const int32_t *run = icseg_unicode_lower[low];
    int32_t from = (int32_t)c - run[0];
    return from >= 0 && from % run[2] == 0 ? (uint32_t)((int32_t)c + run[3]) : c;
}

/* A sigma is final after a cased letter and not before one; ignorable characters are looked through. */
static bool final_sigma(const icseg_points *in, size_t at) {
    size_t i = at;
    unsigned flags = 0;
    while (i > 0 && (flags = icseg_unicode_flags_of(in->data[i - 1])) & ICSEG_UNICODE_IGNORABLE) i--;
    if (i == 0 || !(flags & ICSEG_UNICODE_CASED)) return false;
    for (i = at + 1; i < in->count; i++) {
        flags = icseg_unicode_flags_of(in->data[i]);
        if (!(flags & ICSEG_UNICODE_IGNORABLE)) return !(flags & ICSEG_UNICODE_CASED);
    }
    return true;
}

void icseg_points_lower(const icseg_points *in, icseg_points *out) {
    for (size_t i = 0; i < in->count; i++) {
        uint32_t c = in->data[i];
        if (c == 0x130) {
            icseg_points_append_all(out, (const uint32_t[]){'i', 0x307}, 2);
        } else if (c == 0x3a3) {
            icseg_points_append(out, final_sigma(in, i) ? 0x3c2 : 0x3c3);
        } else {
            icseg_points_append(out, lower_one(c));
        }
    }
}
