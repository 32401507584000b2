/* SPDX-License-Identifier: Apache-2.0
 * Repair of text read in the wrong encoding, with ftfy's rules: look for sequences that are hardly ever meant, write
 * the text in each single-byte encoding that has all its characters, and take the first that gives UTF-8. */
#include "text/mojibake.h"

#include <string.h>

#include "text/tables.h"
#include "text/utf8.h"

/* Sets worked out here, then those of UTF-8 in other encodings; the same order as in scripts/make_mojibake_tables.py.
 */
enum {
    SET_SPACE,
    SET_WORD,
    SET_NOT_LETTER,
    SET_NOT_NEWLINE,
    LEAD_OF_2,
    LEAD_OF_3,
    LEAD_OF_4,
    FOLLOWS,
    FOLLOWS_STRICTLY
};
enum { AT_START = 255, LATIN_1 = 0, WINDOWS_1252 = 1, SLOPPY_LAST = 6, MACROMAN = 8, SUBSTITUTE = 0x1a, DEEPEST = 32 };

typedef struct set_mask {
    uint64_t word[2];
} set_mask;

static bool in(set_mask mask, unsigned set) { return mask.word[set >> 6] >> (set & 63) & 1; }

static set_mask sets_of(uint32_t c) {
    set_mask mask = {{0}};
    size_t low = 0, high = icseg_mojibake_characters_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        uint32_t entry = icseg_mojibake_characters[middle];
        if (entry >> 8 == c) {
            memcpy(mask.word, icseg_mojibake_masks[entry & 0xff], sizeof mask.word);
            break;
        }
        if (entry >> 8 < c)
            low = middle + 1;
        else
            high = middle;
    }
    unsigned flags = icseg_unicode_flags_of(c);
    bool letter = (c | 32) - 'a' < 26;
    mask.word[0] |= (uint64_t)((flags & ICSEG_UNICODE_SPACE) != 0) << SET_SPACE |
                    (uint64_t)((flags & ICSEG_UNICODE_WORD) != 0) << SET_WORD | (uint64_t)!letter << SET_NOT_LETTER |
                    (uint64_t)(c != '\n') << SET_NOT_NEWLINE;
    return mask;
}

static bool is_ascii(const icseg_points *p) {
    for (size_t i = 0; i < p->count; i++)
        if (p->data[i] >= 0x80) return false;
    return true;
}

/* Whether one of the sequences is in the text. A window of masks slides over it. */
static bool is_bad(const icseg_points *p) {
    set_mask window[ICSEG_MOJIBAKE_LONGEST];
    size_t ahead = 0; /* masks known: of positions i .. ahead-1, at [position % LONGEST] */
    for (size_t i = 0; i < p->count; i++) {
        size_t end = i + ICSEG_MOJIBAKE_LONGEST < p->count ? i + ICSEG_MOJIBAKE_LONGEST : p->count;
        for (; ahead < end; ahead++) window[ahead % ICSEG_MOJIBAKE_LONGEST] = sets_of(p->data[ahead]);
        for (size_t n = 0; n < icseg_mojibake_patterns_count; n++) {
            const uint8_t *step = icseg_mojibake_patterns[n];
            if (*step == AT_START && (i != 0 || !*++step)) continue;
            size_t at = i;
            while (*step && at < end && in(window[at % ICSEG_MOJIBAKE_LONGEST], *step - 1u)) step++, at++;
            if (!*step) return true;
        }
    }
    return false;
}

/* Bytes travel as code points 0..255. The text in an encoding; false when it has not all the characters. */
static bool encode(const icseg_points *text, int encoding, icseg_points *bytes) {
    const uint16_t *table = icseg_mojibake_encodings[encoding];
    bytes->count = 0;
    for (size_t i = 0; i < text->count; i++) {
        uint32_t c = text->data[i];
        if (c >= 0x80 || c == SUBSTITUTE) {
            int b = 0;
            while (b < 129 && table[b] != c) b++;
            if (b == 129) return false;
            c = b ? (uint32_t)b + 0x7f : SUBSTITUTE;
        }
        icseg_points_append(bytes, c);
    }
    return true;
}

/* Classes of bytes, for the two lists of sequences below. */
enum {
    BLANK = 1,
    LOST = 2,         /* 0x1a, written for U+FFFD */
    ASK = 4,          /* '?' */
    CONT = 8,         /* 80..bf */
    TIGHT = 16,       /* 80..bf but 85 and a0 */
    HIGH = 32,        /* a0..af: after ed the first half of a surrogate pair */
    LOW = 64,         /* b0..bf: the second */
    ED = 128,         /* starts a surrogate */
    TWO_LATIN = 256,  /* c2 c3 */
    TWO = 512,        /* c2..df */
    TWO_BLANK = 1024, /* c2 c3 c5 ce d0 d9: with a0 they make likely characters */
    E2_E3 = 2048,
    E0_E3 = 4096,
    THREE = 8192, /* e0..ef */
    F0 = 16384,
    FOUR = 32768 /* f0..f4 */
};

static bool between(uint32_t b, uint32_t low, uint32_t high) { return b >= low && b <= high; }

static unsigned class_of(uint32_t b) {
    if (b < 0x80) return b == ' ' ? BLANK : b == SUBSTITUTE ? LOST : b == '?' ? ASK : 0;
    if (b < 0xc0) {
        unsigned tight = b != 0x85 && b != 0xa0 ? TIGHT : 0;
        return CONT | tight | (b < 0xa0 ? 0 : b < 0xb0 ? HIGH : LOW);
    }
    return (b == 0xed ? ED : 0u) | (between(b, 0xc2, 0xc3) ? TWO_LATIN : 0u) | (between(b, 0xc2, 0xdf) ? TWO : 0u) |
           (memchr("\xc2\xc3\xc5\xce\xd0\xd9", (int)b, 6) ? TWO_BLANK : 0u) | (between(b, 0xe2, 0xe3) ? E2_E3 : 0u) |
           (between(b, 0xe0, 0xe3) ? E0_E3 : 0u) | (between(b, 0xe0, 0xef) ? THREE : 0u) | (b == 0xf0 ? F0 : 0u) |
           (between(b, 0xf0, 0xf4) ? FOUR : 0u);
}

enum { SEQUENCE = 7 }; /* steps and the 0 that ends them */

/* UTF-8 in which a byte a0 became a blank. */
static const uint16_t altered[][SEQUENCE] = {
    {TWO_BLANK, BLANK},      {E2_E3, BLANK, TIGHT},   {E0_E3, TIGHT, BLANK},
    {F0, BLANK, CONT, CONT}, {F0, CONT, BLANK, CONT}, {F0, CONT, CONT, BLANK},
};

/* UTF-8 in which bytes were lost. */
static const uint16_t lossy[][SEQUENCE] = {
    {TWO, LOST},
    {TWO_LATIN, ASK},
    {ED, HIGH, LOST | ASK, ED, LOW, LOST | ASK | CONT},
    {ED, HIGH, LOST | ASK | CONT, ED, LOW, LOST | ASK},
    {THREE, LOST | ASK, LOST | CONT},
    {THREE, LOST | CONT, LOST | ASK},
    {FOUR, LOST | ASK, LOST | CONT, LOST | CONT},
    {FOUR, LOST | CONT, LOST | ASK, LOST | CONT},
    {FOUR, LOST | CONT, LOST | CONT, LOST | ASK},
    {LOST},
};

/* Length of the first sequence that stands at the start of `s`, or 0. */
static size_t match(const uint16_t (*list)[SEQUENCE], size_t count, const uint32_t *s, size_t room) {
    for (size_t n = 0; n < count; n++) {
        size_t at = 0;
        while (list[n][at] && at < room && class_of(s[at]) & list[n][at]) at++;
        if (!list[n][at]) return at;
    }
    return 0;
}

static size_t match_altered(const uint32_t *s, size_t room) {
    return match(altered, sizeof altered / sizeof *altered, s, room);
}

static bool starts_with(const uint32_t *s, size_t room, const char *word) {
    for (; *word; word++, s++, room--)
        if (!room || *s != (unsigned char)*word) return false;
    return true;
}

/* "\xc3 " is most often the word "à" and keeps its blank, but for some Portuguese words. */
static bool is_a_grave(const uint32_t *s, size_t room) {
    static const char *const other[] = {" ", "quele", "quela", "quilo", "s "};
    if (!starts_with(s, room, "\xc3 ")) return false;
    for (size_t i = 0; i < sizeof other / sizeof *other; i++)
        if (starts_with(s + 2, room - 2, other[i])) return false;
    return true;
}

static void restore_a0(icseg_points *bytes, icseg_points *spare) {
    bool any = false;
    for (size_t i = 0; i < bytes->count && !any; i++) any = match_altered(bytes->data + i, bytes->count - i) > 0;
    if (!any) return;
    spare->count = 0;
    for (size_t i = 0; i < bytes->count; i++) {
        icseg_points_append(spare, bytes->data[i]);
        if (is_a_grave(bytes->data + i, bytes->count - i)) icseg_points_append(spare, 0xa0);
    }
    bytes->count = 0;
    for (size_t i = 0, length; i < spare->count; i += length) {
        length = match_altered(spare->data + i, spare->count - i);
        for (size_t j = 0; j < length; j++)
            icseg_points_append(bytes, spare->data[i + j] == ' ' ? 0xa0 : spare->data[i + j]);
        if (!length) icseg_points_append(bytes, spare->data[i]);
        length += !length;
    }
}

static void replace_lossy(icseg_points *bytes, icseg_points *spare) {
    spare->count = 0;
    icseg_points_append_all(spare, bytes->data, bytes->count);
    bytes->count = 0;
    for (size_t i = 0, length; i < spare->count; i += length) {
        length = match(lossy, sizeof lossy / sizeof *lossy, spare->data + i, spare->count - i);
        if (length)
            icseg_points_append_all(bytes, (const uint32_t[]){0xef, 0xbf, 0xbd}, 3);
        else
            icseg_points_append(bytes, spare->data[i]);
        length += !length;
    }
}

/* A surrogate pair of which each half was written as three bytes; ftfy takes a last line end for the last byte. */
static uint32_t surrogate_pair(const uint32_t *s, size_t room) {
    if (room < 6 || s[0] != 0xed || !between(s[1], 0xa0, 0xaf) || !between(s[2], 0x80, 0xbf) || s[3] != 0xed ||
        !between(s[4], 0xb0, 0xbf) || !(between(s[5], 0x80, 0xbf) || (room == 6 && s[5] == '\n')))
        return 0;
    return 0x10000 + ((s[1] & 0xf) << 16 | (s[2] & 0x3f) << 10 | (s[4] & 0xf) << 6 | (s[5] & 0x3f));
}

/* UTF-8, surrogate pairs and Java's two-byte NUL. False when it is anything else. */
static bool decode(const icseg_points *bytes, icseg_points *text) {
    text->count = 0;
    for (size_t i = 0; i < bytes->count;) {
        const uint32_t *s = bytes->data + i;
        size_t room = bytes->count - i;
        uint32_t pair = surrogate_pair(s, room);
        bool last_line_end = room == 2 && s[0] == 0xc0 && s[1] == '\n'; /* ftfy takes it for a NUL cut short */
        if (pair || last_line_end || (room > 1 && s[0] == 0xc0 && s[1] == 0x80)) {
            icseg_points_append(text, pair);
            i += pair ? 6 : 2;
            continue;
        }
        char sequence[4];
        size_t length = *s < 0x80 ? 1 : *s < 0xe0 ? 2 : *s < 0xf0 ? 3 : 4;
        if (length > room) return false;
        for (size_t j = 0; j < length; j++) sequence[j] = (char)s[j];
        if (icseg_utf8_check(sequence, length) != length) return false;
        icseg_points_append_utf8(text, sequence, length);
        i += length;
    }
    return true;
}

static void fix(icseg_points *text, int depth);

/* Pieces that look like UTF-8 read in some encoding are mended one by one. True when any was. */
static bool fix_pieces(const icseg_points *text, icseg_points *out, int depth) {
    bool changed = false, strict_before = false;
    out->count = 0;
    for (size_t i = 0; i < text->count;) {
        size_t end = i;
        while (!strict_before && end < text->count) {
            set_mask lead = sets_of(text->data[end]);
            size_t follow = 1, length = 0;
            while (follow < 4 && end + follow < text->count && in(sets_of(text->data[end + follow]), FOLLOWS)) follow++;
            for (unsigned n = 2; n <= 4 && !length; n++)
                if (in(lead, LEAD_OF_2 + n - 2) && follow >= n) length = n;
            if (!length) break;
            end += length;
        }
        if (end == i) {
            strict_before = in(sets_of(text->data[i]), FOLLOWS_STRICTLY);
            icseg_points_append(out, text->data[i++]);
            continue;
        }
        icseg_points piece = {0};
        icseg_points_append_all(&piece, text->data + i, end - i);
        if (piece.count < text->count && depth < DEEPEST && is_bad(&piece)) fix(&piece, depth + 1);
        changed |= piece.count != end - i || memcmp(piece.data, text->data + i, piece.count * sizeof *piece.data) != 0;
        icseg_points_append_all(out, piece.data, piece.count);
        out->failed |= piece.failed;
        icseg_points_close(&piece);
        strict_before = in(sets_of(text->data[end - 1]), FOLLOWS_STRICTLY);
        i = end;
    }
    return changed;
}

uint32_t icseg_mojibake_c1(uint32_t c) {
    return between(c, 0x80, 0x9f) ? icseg_mojibake_encodings[WINDOWS_1252][c - 0x7f] : c;
}

/* Each C1 control as Windows-1252 has it. True when there were any. */
static bool fix_c1(const icseg_points *text, icseg_points *out) {
    bool changed = false;
    out->count = 0;
    for (size_t i = 0; i < text->count; i++) {
        changed |= between(text->data[i], 0x80, 0x9f);
        icseg_points_append(out, icseg_mojibake_c1(text->data[i]));
    }
    return changed;
}

/* One step; true when `out` is better than `text`. */
static bool fix_step(const icseg_points *text, icseg_points *out, icseg_points *bytes, int depth) {
    if (is_ascii(text) || !is_bad(text)) return false;
    for (int encoding = 0; encoding < ICSEG_ENCODINGS; encoding++) {
        if (!encode(text, encoding, bytes)) continue;
        if (encoding != MACROMAN) restore_a0(bytes, out);
        if (encoding >= WINDOWS_1252 && encoding <= SLOPPY_LAST) replace_lossy(bytes, out);
        if (decode(bytes, out)) return true;
    }
    return fix_pieces(text, out, depth) || fix_c1(text, out);
}

static void fix(icseg_points *text, int depth) {
    icseg_points out = {0}, bytes = {0};
    /* Every step makes the text shorter or takes C1 controls out; the bound is for what nobody thought of. */
    for (size_t rounds = 2 * text->count + 2; rounds && fix_step(text, &out, &bytes, depth); rounds--) {
        if (out.failed || bytes.failed || icseg_points_equal(text, &out)) break;
        icseg_points swap = *text;
        *text = out;
        out = swap;
    }
    text->failed |= out.failed || bytes.failed;
    icseg_points_close(&out);
    icseg_points_close(&bytes);
}

void icseg_mojibake_fix(icseg_points *text) { fix(text, 0); }
