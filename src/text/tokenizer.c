/* SPDX-License-Identifier: Apache-2.0
 * What all tokenizers share, and the byte tokenizer. */
#include "text/tokenizer.h"

#include <string.h>

#include "text/utf8.h"

enum { LONGEST = 1 << 20 }; /* bytes; far beyond any context length */

icseg_status icseg_tokenizer_encode(const icseg_tokenizer *tokenizer, const char *text, icseg_arena *arena,
                                    icseg_tokens *out, icseg_error *error) {
    *out = (icseg_tokens){0};
    size_t size = strlen(text);
    if (size == 0)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "a class name is empty: there is nothing to tokenize");
    if (size > LONGEST)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "class name \"%.60s...\" has %zu bytes, at most %d are accepted",
                          text, size, LONGEST);
    size_t valid = icseg_utf8_check(text, size);
    if (valid < size)
        return icseg_fail(
            error, ICSEG_ERROR_ARGUMENT,
            "class name \"%.*s...\" is not UTF-8: byte 0x%02x at offset %zu; convert the class list to UTF-8",
            valid < 60 ? (int)valid : 60, text, (unsigned char)text[valid], valid);
    return tokenizer->encode(tokenizer, text, arena, out, error);
}

void icseg_tokenizer_close(icseg_tokenizer **tokenizer) {
    if (!tokenizer || !*tokenizer) return;
    (*tokenizer)->close(*tokenizer);
    *tokenizer = NULL;
}

static icseg_status encode_bytes(const icseg_tokenizer *tokenizer, const char *text, icseg_arena *arena,
                                 icseg_tokens *out, icseg_error *error) {
    size_t size = strlen(text);
    int32_t *ids = icseg_arena_array(arena, size, sizeof *ids);
    if (!ids) return icseg_fail_memory(error, size * sizeof *ids, "token ids");
    for (size_t i = 0; i < size; i++) ids[i] = (unsigned char)text[i];
    *out = (icseg_tokens){.count = (int32_t)size, .ids = ids};
    (void)tokenizer;
    return ICSEG_OK;
}

static void close_bytes(icseg_tokenizer *tokenizer) { icseg_free(tokenizer); }

icseg_status icseg_tokenizer_open_bytes(icseg_tokenizer **out, icseg_error *error) {
    *out = icseg_alloc(sizeof **out);
    if (!*out) return icseg_fail_memory(error, sizeof **out, "the byte tokenizer");
    **out = (icseg_tokenizer){"bytes", ICSEG_BYTE_VOCAB, encode_bytes, close_bytes};
    return ICSEG_OK;
}
