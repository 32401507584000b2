/* SPDX-License-Identifier: Apache-2.0
 * CLIP's tokenizer (simple_tokenizer.py): cleaned text is split into words, words into byte pairs. */
#include <string.h>

#include "text/bpe.h"
#include "text/clean.h"
#include "text/tokenizer.h"

typedef struct clip_tokenizer {
    icseg_tokenizer base;
    icseg_bpe bpe;
} clip_tokenizer;

/* Whether `word` (small ASCII letters and signs) stands at `s`; case does not matter, and U+017F is a long s. */
static bool stands(const char *word, const uint32_t *s, size_t room) {
    for (; *word; word++, s++, room--) {
        if (!room) return false;
        bool letter = *word >= 'a' && *word <= 'z';
        uint32_t small = letter && *s - 'A' < 26 ? *s + 32 : *s;
        if (small != (unsigned char)*word && !(*word == 's' && *s == 0x17f)) return false;
    }
    return true;
}

/* LETTER, NUMBER, WHITE (not part of any word) or 0: other signs. U+0345 is a mark, but its capital is a letter (iota),
 * so that CLIP's pattern, which ignores case, takes it for neither. */
static unsigned kind_of(uint32_t c) {
    if (c == 0x345) return ICSEG_UNICODE_WHITE;
    return icseg_unicode_flags_of(c) & (ICSEG_UNICODE_LETTER | ICSEG_UNICODE_NUMBER | ICSEG_UNICODE_WHITE);
}

/* Code points of the word at `s` by CLIP's pattern: special tokens, contractions, letters, one digit, or a run of other
 * signs; 0 for white space. */
static size_t word_length(const uint32_t *s, size_t room) {
    static const char *const fixed[] = {
        "<|startoftext|>", "<|endoftext|>", "'s", "'t", "'re", "'ve", "'m", "'ll", "'d"};
    for (size_t i = 0; (*s == '<' || *s == '\'') && i < sizeof fixed / sizeof *fixed; i++)
        if (stands(fixed[i], s, room)) return strlen(fixed[i]);
    unsigned kind = kind_of(*s);
    if (kind == ICSEG_UNICODE_NUMBER) return 1;
    if (kind == ICSEG_UNICODE_WHITE) return 0;
    size_t length = 1;
    while (length < room && kind_of(s[length]) == kind) length++;
    return length;
}

/* Room for the bytes of one word and for all ids. */
typedef struct buffers {
    unsigned char *word;
    int32_t *ranks, *ids;
    size_t count;
} buffers;

static void encode_words(const clip_tokenizer *t, const icseg_points *text, buffers *b) {
    for (size_t i = 0, length; i < text->count; i += length ? length : 1) {
        const uint32_t *s = text->data + i;
        length = word_length(s, text->count - i);
        size_t size = 0;
        for (size_t j = 0; j < length; j++) size += icseg_utf8_put(s[j], b->word + size);
        if (!size) continue;
        if (size == 15 && !memcmp(b->word, "<|startoftext|>", size))
            b->ids[b->count++] = t->base.vocab_size - 2;
        else if (size == 13 && !memcmp(b->word, "<|endoftext|>", size))
            b->ids[b->count++] = t->base.vocab_size - 1;
        else
            b->count += icseg_bpe_encode(&t->bpe, b->word, size, b->ids + b->count, b->ranks);
    }
}

static icseg_status encode_clip(const icseg_tokenizer *tokenizer, const char *text, icseg_arena *arena,
                                icseg_tokens *out, icseg_error *error) {
    size_t size = strlen(text);
    if (size > ICSEG_CLIP_TEXT_MOST)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "class name \"%.60s...\" has %zu bytes, at most %d are accepted",
                          text, size, ICSEG_CLIP_TEXT_MOST);
    icseg_status status = ICSEG_OK;
    icseg_points points = {0};
    buffers b = {0};
    icseg_points_append_utf8(&points, text, size);
    icseg_clip_clean(&points);
    size_t most = 4 * points.count; /* bytes, so also tokens */
    b.word = icseg_alloc(most + 4);
    b.ranks = icseg_alloc_array(most + 1, sizeof *b.ranks);
    b.ids = icseg_alloc_array(most + 1, sizeof *b.ids);
    if (points.failed || !b.word || !b.ranks || !b.ids) {
        status = icseg_fail_memory(error, most * sizeof *b.ids, "token ids");
        goto fail;
    }
    encode_words((const clip_tokenizer *)tokenizer, &points, &b);
    if (!b.count) {
        status = icseg_fail(error, ICSEG_ERROR_ARGUMENT,
                            "a class name of %zu bytes has nothing but white space and control characters", size);
        goto fail;
    }
    const int32_t *ids = icseg_arena_copy(arena, b.ids, b.count * sizeof *ids);
    if (!ids)
        status = icseg_fail_memory(error, b.count * sizeof *ids, "token ids");
    else
        *out = (icseg_tokens){.count = (int32_t)b.count, .ids = ids};
fail:
    icseg_free(b.word);
    icseg_free(b.ranks);
    icseg_free(b.ids);
    icseg_points_close(&points);
    return status;
}

static void close_clip(icseg_tokenizer *tokenizer) {
    icseg_bpe_close(&((clip_tokenizer *)tokenizer)->bpe);
    icseg_free(tokenizer);
}

icseg_status icseg_tokenizer_open_clip(icseg_tokenizer **out, const char *path, int32_t vocab_size,
                                       icseg_error *error) {
    *out = NULL;
    icseg_bpe bpe;
    ICSEG_TRY(icseg_bpe_open(&bpe, path, error));
    clip_tokenizer *t = NULL;
    icseg_status status = ICSEG_OK;
    if (vocab_size && vocab_size != bpe.vocab_size)
        status = icseg_fail(error, ICSEG_ERROR_FORMAT,
                            "%s: a vocabulary of %d tokens (%d merges), the model has %d: lines are missing, or it is "
                            "another model's",
                            path, bpe.vocab_size, bpe.vocab_size - ICSEG_BPE_BYTES - 2, vocab_size);
    else if (!(t = icseg_alloc(sizeof *t)))
        status = icseg_fail_memory(error, sizeof *t, path);
    if (status != ICSEG_OK) {
        icseg_bpe_close(&bpe);
        return status;
    }
    *t = (clip_tokenizer){{"clip", bpe.vocab_size, encode_clip, close_clip}, bpe};
    *out = &t->base;
    return ICSEG_OK;
}
