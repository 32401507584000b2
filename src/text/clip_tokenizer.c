/* SPDX-License-Identifier: Apache-2.0
 * CLIP's tokenizer (simple_tokenizer.py): cleaned text is split into words, words into byte pairs. */
#include <string.h>
#include <utf8proc.h>

#include "text/bpe.h"
#include "text/clean.h"
#include "text/tokenizer.h"
#include "text/utf8.h"

typedef struct clip_tokenizer {
    icseg_tokenizer base;
    icseg_bpe bpe;
} clip_tokenizer;

/* The length of `word` (small ASCII letters and signs) at the start of `s`, or 0. As the pattern ignores case, U+017F,
 * the long s, is equal to an s. */
static size_t match(const char *word, const char *s) {
    const char *start = s;
    for (; *word; word++) {
        if (*s == *word)
            s++;
        else if (*word == 's' && !strncmp(s, "\xc5\xbf", 2))
            s += 2;
        else
            return 0;
    }
    return (size_t)(s - start);
}

typedef enum kind { WHITE, LETTER, NUMBER, OTHER } kind;

/* U+0345 is a mark, but its capital is a letter (iota), so that CLIP's pattern, which ignores case, takes it for
 * neither a letter nor a sign. */
static kind kind_of(int32_t c) {
    if (c == ' ' || c == 0x345) return WHITE;
    switch (utf8proc_category(c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO: return LETTER;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO: return NUMBER;
    default: return OTHER;
    }
}

/* The length of the word at `s` by CLIP's pattern: a special token, a contraction, letters, one digit, or a run of
 * other signs; 0 for white space. `s` is clean text and ends in NUL. */
static size_t word_length(const char *s, size_t size) {
    static const char *const fixed[] = {
        "<|startoftext|>", "<|endoftext|>", "'s", "'t", "'re", "'ve", "'m", "'ll", "'d"};
    for (size_t i = 0; (*s == '<' || *s == '\'') && i < sizeof fixed / sizeof *fixed; i++) {
        size_t length = match(fixed[i], s);
        if (length) return length;
    }
    int32_t c;
    size_t length = icseg_utf8_get(s, size, &c);
    kind first = kind_of(c);
    if (first == WHITE) return 0;
    if (first == NUMBER) return length;
    while (length < size) {
        size_t next = icseg_utf8_get(s + length, size - length, &c);
        if (kind_of(c) != first) break;
        length += next;
    }
    return length;
}

/* `ids` and `ranks` have space for `size` elements. Returns the number of ids. */
static size_t encode_words(const clip_tokenizer *t, const char *text, size_t size, int32_t *ids, int32_t *ranks) {
    size_t count = 0;
    for (size_t at = 0, length; at < size; at += length) {
        const char *word = text + at;
        length = word_length(word, size - at);
        if (!length) {
            int32_t skipped;
            length = icseg_utf8_get(word, size - at, &skipped);
        } else if (length == 15 && !memcmp(word, "<|startoftext|>", length)) {
            ids[count++] = t->base.vocab_size - 2;
        } else if (length == 13 && !memcmp(word, "<|endoftext|>", length)) {
            ids[count++] = t->base.vocab_size - 1;
        } else {
            count += icseg_bpe_encode(&t->bpe, (const unsigned char *)word, length, ids + count, ranks);
        }
    }
    return count;
}

static icseg_status encode_clip(const icseg_tokenizer *tokenizer, const char *text, icseg_arena *arena,
                                icseg_tokens *out, icseg_error *error) {
    size_t size = strlen(text), count = 0;
    if (size > ICSEG_TEXT_MAX_BYTES)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "text \"%.60s...\": it has %zu bytes; at most %d are accepted",
                          text, size, ICSEG_TEXT_MAX_BYTES);
    icseg_status status = ICSEG_OK;
    icseg_string clean = {0};
    icseg_clip_clean(text, size, &clean);
    int32_t *ids = icseg_alloc_array(clean.size + 1, 2 * sizeof *ids); /* a token has at least one byte */
    const int32_t *kept = NULL;
    if (ids && !clean.failed) {
        count = encode_words((const clip_tokenizer *)tokenizer, clean.data, clean.size, ids, ids + clean.size);
        kept = icseg_arena_copy(arena, ids, count * sizeof *ids);
    }
    if (!kept)
        status = icseg_fail_memory(error, 0, "token ids");
    else if (!count)
        status = icseg_fail(error, ICSEG_ERROR_ARGUMENT,
                            "text of %zu bytes: it contains nothing but white space and control characters", size);
    else
        *out = (icseg_tokens){.count = (int32_t)count, .ids = kept};
    icseg_free(ids);
    icseg_string_close(&clean);
    return status;
}

static void decode_clip(const icseg_tokenizer *tokenizer, const int32_t *ids, int32_t count, icseg_string *out) {
    const icseg_bpe *bpe = &((const clip_tokenizer *)tokenizer)->bpe;
    for (int32_t i = 0; i < count; i++)
        if (ids[i] < bpe->vocab_size - 2) icseg_bpe_decode(bpe, ids[i], out);
    if (out->size && out->data[out->size - 1] == ' ') out->data[--out->size] = '\0';
}

static void close_clip(icseg_tokenizer *tokenizer) {
    icseg_bpe_close(&((clip_tokenizer *)tokenizer)->bpe);
    icseg_free(tokenizer);
}

icseg_status icseg_tokenizer_open_clip(icseg_tokenizer **out, const char *path, int32_t vocab_size,
                                       icseg_error *error) {
    icseg_bpe bpe;
    *out = NULL;
    ICSEG_TRY(icseg_bpe_open(&bpe, path, error));
    clip_tokenizer *t = NULL;
    icseg_status status = ICSEG_OK;
    if (vocab_size && vocab_size != bpe.vocab_size)
        status = icseg_fail(error, ICSEG_ERROR_FORMAT,
                            "%s: a vocabulary of %d tokens (%d merges), but the model has %d: lines are missing, or it "
                            "belongs to another model; use the vocabulary of the model's weights",
                            path, bpe.vocab_size, bpe.vocab_size - ICSEG_BPE_BYTES - 2, vocab_size);
    else if (!(t = icseg_alloc(sizeof *t)))
        status = icseg_fail_memory_in(error, sizeof *t, path);
    if (status != ICSEG_OK) {
        icseg_bpe_close(&bpe);
        return status;
    }
    *t = (clip_tokenizer){{"clip", bpe.vocab_size, encode_clip, decode_clip, close_clip}, bpe};
    *out = &t->base;
    return ICSEG_OK;
}
