/* SPDX-License-Identifier: Apache-2.0
 * A byte-pair vocabulary of CLIP's kind: ids of bytes inside and at the end of a word, and the pairs that merge. */
#ifndef ICSEG_TEXT_BPE_H
#define ICSEG_TEXT_BPE_H

#include <stddef.h>
#include <stdint.h>
#include "base/error.h"
#include "base/text.h"

enum {
    ICSEG_BPE_BYTES = 512,         /* 256 bytes inside a word, then 256 at its end ("</w>") */
    ICSEG_BPE_CLIP_MERGES = 48894, /* CLIP reads this many of the 262,144 merges in its file */
    ICSEG_BPE_SYMBOL_MAX = 4096    /* bytes of a symbol's text */
};

typedef struct icseg_bpe_pair {
    int32_t left, right; /* ids; left < 0: an empty slot */
    int32_t rank;        /* the lowest rank is merged first */
    int32_t id;          /* of the merged symbol */
} icseg_bpe_pair;

typedef struct icseg_bpe {
    int32_t vocab_size; /* with SOS = vocab_size - 2 and EOS = vocab_size - 1 */
    int32_t bytes[2][256];
    icseg_bpe_pair *pairs; /* hash table of mask + 1 slots */
    size_t mask;
    char *text;       /* the bytes of all tokens except SOS and EOS, a space in place of "</w>" */
    uint32_t *offset; /* (vocab_size - 1): token i is text[offset[i] .. offset[i + 1]) */
} icseg_bpe;

/* Reads the vocabulary `path`: bpe_simple_vocab_16e6.txt(.gz), merges.txt, vocab.json (with merges.txt beside it) or
 * tokenizer.json, distinguished by content; each may be compressed with gzip. Errors name the file and the line or
 * token.
 */
icseg_status icseg_bpe_open(icseg_bpe *out, const char *path, icseg_error *error);
void icseg_bpe_close(icseg_bpe *bpe);

/* The parts of opening: a table with capacity for `count` pairs, then each pair. */
icseg_status icseg_bpe_reserve(icseg_bpe *bpe, size_t count, icseg_error *error);
void icseg_bpe_add(icseg_bpe *bpe, icseg_bpe_pair pair);

/* Encodes one word of size > 0 bytes; `ids` and `ranks` have space for `size` elements. Returns the number of ids. */
size_t icseg_bpe_encode(const icseg_bpe *bpe, const unsigned char *word, size_t size, int32_t *ids, int32_t *ranks);

/* Appends the bytes of a token, 0 <= id < vocab_size - 2. */
void icseg_bpe_decode(const icseg_bpe *bpe, int32_t id, icseg_string *out);

/* The text of a byte's symbol, as in vocabulary files: 1 or 2 bytes of UTF-8 and a NUL. */
void icseg_bpe_byte_symbol(int byte, char out[4]);

/* The byte whose symbol is this character, or -1. */
int icseg_bpe_symbol_byte(int32_t character);

/* The id order of the bytes in CLIP's vocabulary: the n-th (0..255) symbol is this byte. */
int icseg_bpe_byte_at(int n);

#endif
