/* SPDX-License-Identifier: Apache-2.0
 * Tokenizers inside the library. The special tokens are the last of every vocabulary: SOS = vocab_size - 2,
 * EOS = vocab_size - 1. */
#ifndef ICSEG_TEXT_TOKENIZER_H
#define ICSEG_TEXT_TOKENIZER_H

#include <stdint.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "icseg/text.h"

enum { ICSEG_BYTE_VOCAB = 258 };

typedef struct icseg_tokens {
    int32_t count;
    const int32_t *ids; /* (count), without SOS and EOS; in the arena */
} icseg_tokens;

/* One kind of tokenizer. An implementation embeds this as its first member. Nothing changes after opening. */
struct icseg_tokenizer {
    const char *name; /* "bytes" */
    int32_t vocab_size;
    /* `text` is valid UTF-8 and not empty. */
    icseg_status (*encode)(const icseg_tokenizer *tokenizer, const char *text, icseg_arena *arena, icseg_tokens *out,
                           icseg_error *error);
    /* Appends the bytes of `count` ids of the vocabulary; SOS is left out. */
    void (*decode)(const icseg_tokenizer *tokenizer, const int32_t *ids, int32_t count, icseg_string *out);
    void (*close)(icseg_tokenizer *tokenizer);
};

/* Plain UTF-8 bytes: ids 0..255 are byte values, SOS 256, EOS 257. */
icseg_status icseg_tokenizer_open_bytes(icseg_tokenizer **out, icseg_error *error);

/* CLIP's byte-pair encoding with the vocabulary in the file `path`. A vocabulary of a size other than `vocab_size` is
 * refused; 0: any size. */
icseg_status icseg_tokenizer_open_clip(icseg_tokenizer **out, const char *path, int32_t vocab_size, icseg_error *error);

/* icseg_tokenizer_open for a model of `vocab_size` tokens. */
icseg_status icseg_tokenizer_open_sized(icseg_tokenizer **out, icseg_tokenizer_kind kind, const char *vocabulary,
                                        int32_t vocab_size, icseg_error *error);

/* Finds the vocabulary file to use: `vocabulary`, a file or a folder, if it is given; otherwise one beside the weights
 * (`weights` is a file or a folder). In a folder: tokenizer.json, vocab.json with merges.txt,
 * bpe_simple_vocab_16e6.txt.gz, the same uncompressed, merges.txt. The path is in the arena. */
icseg_status icseg_tokenizer_find(const char **out, const char *weights, const char *vocabulary, icseg_arena *arena,
                                  icseg_error *error);

/* The tokenizer of published weights, whose text encoder has `vocab_size` tokens: CLIP's with the vocabulary that
 * icseg_tokenizer_find finds, or that of bytes, for which a vocabulary is refused. */
icseg_status icseg_tokenizer_open_for(icseg_tokenizer **out, int32_t vocab_size, const char *weights,
                                      const char *vocabulary, icseg_arena *arena, icseg_error *error);

/* icseg_tokenizer_encode into an arena, without special tokens. */
icseg_status icseg_tokenize(const icseg_tokenizer *tokenizer, const char *text, icseg_arena *arena, icseg_tokens *out,
                            icseg_error *error);

#endif
