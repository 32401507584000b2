/* SPDX-License-Identifier: Apache-2.0
 * Canonical composition (NFC) after Unicode standard annex 15: decompose, order the marks, compose. */
#include "text/code_points.h"
#include "text/tables.h"

enum {
    HANGUL = 0xac00,
    LEADS = 0x1100,
    VOWELS = 0x1161,
    TAILS = 0x11a7, /* one before the first: 0 = no tail */
    LEAD_COUNT = 19,
    VOWEL_COUNT = 21,
    TAIL_COUNT = 28,
    HANGUL_COUNT = LEAD_COUNT * VOWEL_COUNT * TAIL_COUNT,
    FIRST = 0x300 /* text below this is in NFC as it stands */
};

static unsigned combining_class(uint32_t c) {
    if (c < FIRST) return 0;
    size_t low = 0, count = icseg_unicode_combining_count;
    uint32_t key = c << 8 | 0xff;
    while (count > 1) {
        size_t half = count / 2;
        if (icseg_unicode_combining[low + half] <= key) low += half;
        count -= half;
    }
    return icseg_unicode_combining[low] & 0xff;
}

static void decompose(uint32_t c, icseg_points *out) {
    if (c - HANGUL < HANGUL_COUNT) {
        uint32_t s = c - HANGUL, tail = s % TAIL_COUNT;
        icseg_points_append(out, LEADS + s / (VOWEL_COUNT * TAIL_COUNT));
        icseg_points_append(out, VOWELS + s / TAIL_COUNT % VOWEL_COUNT);
        if (tail) icseg_points_append(out, TAILS + tail);
        return;
    }
    size_t low = 0, high = c < 0xc0 ? 0 : icseg_unicode_parts_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const uint32_t *row = icseg_unicode_parts[middle];
        if (row[0] == c) {
            decompose(row[1], out); /* the first part may have parts, the second never has */
            if (row[2]) icseg_points_append(out, row[2]);
            return;
        }
        if (row[0] < c)
            low = middle + 1;
        else
            high = middle;
    }
    icseg_points_append(out, c);
}

static void insertion_sort(uint32_t *s, size_t count) {
    for (size_t i = 1; i < count; i++)
        for (size_t k = i; k && combining_class(s[k - 1]) > combining_class(s[k]); k--) {
            uint32_t swap = s[k];
            s[k] = s[k - 1];
            s[k - 1] = swap;
        }
}

static void counting_sort(uint32_t *s, size_t count, icseg_points *copy) {
    size_t start[257] = {0};
    copy->count = 0;
    icseg_points_append_all(copy, s, count);
    if (copy->failed) return;
    for (size_t i = 0; i < count; i++) start[combining_class(s[i]) + 1]++;
    for (int i = 1; i < 257; i++) start[i] += start[i - 1];
    for (size_t i = 0; i < count; i++) s[start[combining_class(copy->data[i])]++] = copy->data[i];
}

/* Stable sort of each run of marks by class. A run is as long as its writer likes, so not by insertion alone. */
static void order_marks(icseg_points *p, size_t from) {
    enum { SHORT = 32 };
    icseg_points copy = {0};
    for (size_t i = from, end; i < p->count; i = end + 1) {
        for (end = i; end < p->count && combining_class(p->data[end]);) end++;
        if (end - i <= SHORT)
            insertion_sort(p->data + i, end - i);
        else
            counting_sort(p->data + i, end - i, &copy);
    }
    p->failed |= copy.failed;
    icseg_points_close(&copy);
}

/* 0 when the two do not compose. */
static uint32_t compose(uint32_t a, uint32_t b) {
    if (a - LEADS < LEAD_COUNT && b - VOWELS < VOWEL_COUNT)
        return HANGUL + ((a - LEADS) * VOWEL_COUNT + (b - VOWELS)) * TAIL_COUNT;
    if (a - HANGUL < HANGUL_COUNT && (a - HANGUL) % TAIL_COUNT == 0 && b - TAILS - 1 < TAIL_COUNT - 1)
        return a + (b - TAILS);
    size_t low = 0, high = icseg_unicode_composed_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const uint32_t *row = icseg_unicode_parts[icseg_unicode_composed[middle]];
        if (row[1] == a && row[2] == b) return row[0];
        if (row[1] < a || (row[1] == a && row[2] < b))
            low = middle + 1;
        else
            high = middle;
    }
    return 0;
}

void icseg_points_nfc(const icseg_points *in, icseg_points *out) {
    size_t from = out->count, plain = 0;
    while (plain < in->count && in->data[plain] < FIRST) plain++;
    if (plain == in->count) {
        icseg_points_append_all(out, in->data, in->count);
        return;
    }
    for (size_t i = 0; i < in->count; i++) decompose(in->data[i], out);
    order_marks(out, from);

    size_t kept = from, starter = SIZE_MAX;
    unsigned last = 0; /* class of the mark kept last since the starter */
    for (size_t i = from; i < out->count; i++) {
        uint32_t c = out->data[i];
        unsigned rank = combining_class(c);
        bool blocked = starter == SIZE_MAX || (kept > starter + 1 && (last >= rank || last == 0));
        uint32_t made = blocked ? 0 : compose(out->data[starter], c);
        if (made) {
            out->data[starter] = made;
            continue;
        }
        if (rank == 0) starter = kept;
        last = rank;
        out->data[kept++] = c;
    }
    out->count = kept;
}
