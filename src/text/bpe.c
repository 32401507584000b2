/* SPDX-License-Identifier: Apache-2.0
 * Byte-pair encoding of one word: the pair of the lowest rank is merged wherever it occurs, until no known pair is
 * left. */
#include "text/bpe.h"

#include <utf8proc.h>

#include "base/memory.h"

enum { NO_PAIR = INT32_MAX, LOOK_UP = -1 };

/* The bytes in the order of their tokens. A vocabulary file writes the first 188 as themselves (Latin-1), and the
 * others as U+0100 and up. */
static const struct { int first, count; } bytes[] = {{33, 94}, {161, 12}, {174, 82}, {0, 33}, {127, 34}, {173, 1}};
enum { RUNS = sizeof bytes / sizeof *bytes, PRINTED = 94 + 12 + 82, UNPRINTED = 256 - PRINTED };

int icseg_bpe_byte_at(int n) {
    int run = 0;
    while (n >= bytes[run].count) n -= bytes[run++].count;
    return bytes[run].first + n;
}

/* The inverse of icseg_bpe_byte_at. */
static int token_of(int byte) {
    int before = 0, run = 0;
    while (byte < bytes[run].first || byte >= bytes[run].first + bytes[run].count) before += bytes[run++].count;
    return before + byte - bytes[run].first;
}

void icseg_bpe_byte_symbol(int byte, char out[4]) {
    int token = token_of(byte);
    utf8proc_int32_t c = token < PRINTED ? byte : 256 + token - PRINTED;
    out[utf8proc_encode_char(c, (utf8proc_uint8_t *)out)] = '\0';
}

int icseg_bpe_symbol_byte(int32_t c) {
    if (c >= 256) return c < 256 + UNPRINTED ? icseg_bpe_byte_at(PRINTED + c - 256) : -1;
    return c >= 0 && token_of(c) < PRINTED ? c : -1;
}

icseg_status icseg_bpe_reserve(icseg_bpe *bpe, size_t count, icseg_error *error) {
    size_t slots = 16;
    while (slots < 2 * count) slots *= 2;
    bpe->pairs = icseg_alloc_array(slots, sizeof *bpe->pairs);
    if (!bpe->pairs) return icseg_fail_memory(error, slots * sizeof *bpe->pairs, "byte pairs");
    for (size_t i = 0; i < slots; i++) bpe->pairs[i].left = -1;
    bpe->mask = slots - 1;
    return ICSEG_OK;
}

static size_t first_slot(const icseg_bpe *bpe, int32_t left, int32_t right) {
    uint64_t key = ((uint64_t)(uint32_t)left << 32 | (uint32_t)right) * 0x9e3779b97f4a7c15u;
    return (size_t)(key >> 32 ^ key >> 17) & bpe->mask;
}

void icseg_bpe_add(icseg_bpe *bpe, icseg_bpe_pair pair) {
    size_t at = first_slot(bpe, pair.left, pair.right);
    while (bpe->pairs[at].left >= 0) at = (at + 1) & bpe->mask;
    bpe->pairs[at] = pair;
}

static const icseg_bpe_pair *find(const icseg_bpe *bpe, int32_t left, int32_t right) {
    for (size_t at = first_slot(bpe, left, right); bpe->pairs[at].left >= 0; at = (at + 1) & bpe->mask)
        if (bpe->pairs[at].left == left && bpe->pairs[at].right == right) return &bpe->pairs[at];
    return NULL;
}

static int32_t rank_of(const icseg_bpe *bpe, int32_t left, int32_t right) {
    const icseg_bpe_pair *pair = find(bpe, left, right);
    return pair ? pair->rank : NO_PAIR;
}

size_t icseg_bpe_encode(const icseg_bpe *bpe, const unsigned char *word, size_t size, int32_t *ids, int32_t *ranks) {
    size_t count = size;
    for (size_t i = 0; i < size; i++) ids[i] = bpe->bytes[i + 1 == size][word[i]];
    for (size_t i = 0; i + 1 < size; i++) ranks[i] = rank_of(bpe, ids[i], ids[i + 1]); /* of i and i + 1 */
    for (;;) {
        size_t best = 0;
        for (size_t i = 1; i + 1 < count; i++)
            if (ranks[i] < ranks[best]) best = i;
        if (count < 2 || ranks[best] == NO_PAIR) return count;
        const icseg_bpe_pair *pair = find(bpe, ids[best], ids[best + 1]);
        int32_t left = pair->left, right = pair->right;
        size_t kept = 0;
        for (size_t i = 0; i < count; kept++) {
            bool merged = i + 1 < count && ids[i] == left && ids[i + 1] == right;
            if (merged && kept) ranks[kept - 1] = LOOK_UP;
            ids[kept] = merged ? pair->id : ids[i];
            ranks[kept] = merged ? LOOK_UP : ranks[i];
            i += merged ? 2 : 1;
        }
        count = kept;
        for (size_t i = 0; i + 1 < count; i++)
            if (ranks[i] == LOOK_UP) ranks[i] = rank_of(bpe, ids[i], ids[i + 1]);
    }
}

void icseg_bpe_decode(const icseg_bpe *bpe, int32_t id, icseg_string *out) {
    icseg_string_append(out, bpe->text + bpe->offset[id], bpe->offset[id + 1] - bpe->offset[id]);
}

void icseg_bpe_close(icseg_bpe *bpe) {
    icseg_free(bpe->pairs);
    icseg_free(bpe->text);
    icseg_free(bpe->offset);
    *bpe = (icseg_bpe){0};
}
