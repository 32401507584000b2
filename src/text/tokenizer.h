/* SPDX-License-Identifier: Apache-2.0
 * Tokenizers: class names to token ids. The special tokens stand last in every vocabulary: SOS = vocab_size - 2,
 * EOS = vocab_size - 1. */
#ifndef ICSEG_TEXT_TOKENIZER_H
#define ICSEG_TEXT_TOKENIZER_H

#include <stdint.h>

#include "base/error.h"
#include "base/memory.h"
#include "icseg/config.h"

enum { ICSEG_BYTE_VOCAB = 258 };

typedef struct icseg_tokens {
    int32_t count;
    const int32_t *ids; /* (count), without SOS and EOS; in the arena */
} icseg_tokens;

/* One kind of tokenizer. An implementation embeds this as its first member. `encode` gets valid, non-empty UTF-8 and
 * may be called from many threads at once, each with its own arena. */
typedef struct icseg_tokenizer icseg_tokenizer;
struct icseg_tokenizer {
    const char *name; /* "bytes" */
    int32_t vocab_size;
    icseg_status (*encode)(const icseg_tokenizer *tokenizer, const char *text, icseg_arena *arena, icseg_tokens *out,
                           icseg_error *error);
    void (*close)(icseg_tokenizer *tokenizer);
};

/* Plain UTF-8 bytes: ids 0..255 are byte values, SOS 256, EOS 257. */
icseg_status icseg_tokenizer_open_bytes(icseg_tokenizer **out, icseg_error *error);

/* CLIP's byte-pair encoding with the vocabulary in `path` (docs/tokenizer.md: which files, how text is cleaned). A
 * vocabulary of another size than `vocab_size` is refused; 0 = any. Encoding is ICSEG_ERROR_ARGUMENT for text of which
 * cleaning leaves nothing, and for more than ICSEG_CLIP_TEXT_MOST bytes. */
enum { ICSEG_CLIP_TEXT_MOST = 8192 };
icseg_status icseg_tokenizer_open_clip(icseg_tokenizer **out, const char *path, int32_t vocab_size, icseg_error *error);

/* The tokenizer of a kind. `path`: the vocabulary's file, or a folder that has one; not used for bytes. */
icseg_status icseg_tokenizer_open(icseg_tokenizer **out, icseg_tokenizer_kind kind, const char *path,
                                  int32_t vocab_size, icseg_error *error);

/* Which vocabulary file to use: `vocab`, a file or a folder, when given; else one beside the weights (`weights` is a
 * file or a folder). In a folder: tokenizer.json, vocab.json with merges.txt, bpe_simple_vocab_16e6.txt.gz, the same
 * unzipped, merges.txt. The text is in the arena. ICSEG_ERROR_IO says where it was looked for. */
icseg_status icseg_tokenizer_find(const char **out, const char *weights, const char *vocab, icseg_arena *arena,
                                  icseg_error *error);

/* Empty text and text that is not UTF-8 are ICSEG_ERROR_ARGUMENT. */
icseg_status icseg_tokenizer_encode(const icseg_tokenizer *tokenizer, const char *text, icseg_arena *arena,
                                    icseg_tokens *out, icseg_error *error);
void icseg_tokenizer_close(icseg_tokenizer **tokenizer);

#endif
