/* SPDX-License-Identifier: Apache-2.0
 * The byte tokenizer: ids 0..255 are byte values, SOS 256, EOS 257. */
#include <string.h>

#include "text/tokenizer.h"

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

static void decode_bytes(const icseg_tokenizer *tokenizer, const int32_t *ids, int32_t count, icseg_string *out) {
    (void)tokenizer;
    for (int32_t i = 0; i < count; i++)
        if (ids[i] < 256) icseg_string_append(out, &(char){(char)ids[i]}, 1);
}

static void close_bytes(icseg_tokenizer *tokenizer) { icseg_free(tokenizer); }

icseg_status icseg_tokenizer_open_bytes(icseg_tokenizer **out, icseg_error *error) {
    *out = icseg_alloc(sizeof **out);
    if (!*out) return icseg_fail_memory(error, sizeof **out, "the byte tokenizer");
    **out = (icseg_tokenizer){"bytes", ICSEG_BYTE_VOCAB, encode_bytes, decode_bytes, close_bytes};
    return ICSEG_OK;
}
