/* SPDX-License-Identifier: Apache-2.0
 * Shared by all tokenizers: the public functions, and the checks of text. */
#include "text/tokenizer.h"

#include <string.h>

#include "base/argument.h"
#include "text/utf8.h"

enum { BYTES_MAX = 1 << 20 }; /* far beyond any context length */

icseg_status icseg_tokenize(const icseg_tokenizer *tokenizer, const char *text, icseg_arena *arena, icseg_tokens *out,
                            icseg_error *error) {
    *out = (icseg_tokens){0};
    size_t size = strlen(text);
    if (size == 0) return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "text to tokenize: it is empty");
    if (size > BYTES_MAX)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "text \"%.60s...\": it has %zu bytes; at most %d are accepted",
                          text, size, BYTES_MAX);
    size_t valid = icseg_utf8_check(text, size);
    if (valid < size)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT,
                          "text \"%.*s...\": not UTF-8: byte 0x%02x at offset %zu; convert the text to UTF-8",
                          valid < 60 ? (int)valid : 60, text, (unsigned char)text[valid], valid);
    return tokenizer->encode(tokenizer, text, arena, out, error);
}

/* --- the public functions ----------------------------------------------------------------------------------------- */

icseg_status icseg_tokenizer_open(icseg_tokenizer **out, icseg_tokenizer_kind kind, const char *vocabulary,
                                  icseg_error *error) {
    ICSEG_NEED(out);
    *out = NULL;
    return icseg_tokenizer_open_sized(out, kind, vocabulary, 0, error);
}

void icseg_tokenizer_close(icseg_tokenizer **tokenizer) {
    if (!tokenizer || !*tokenizer) return;
    (*tokenizer)->close(*tokenizer);
    *tokenizer = NULL;
}

int32_t icseg_tokenizer_vocabulary_size(const icseg_tokenizer *tokenizer) {
    return tokenizer ? tokenizer->vocab_size : 0;
}

int32_t icseg_tokenizer_sos(const icseg_tokenizer *tokenizer) { return tokenizer ? tokenizer->vocab_size - 2 : 0; }
int32_t icseg_tokenizer_eos(const icseg_tokenizer *tokenizer) { return tokenizer ? tokenizer->vocab_size - 1 : 0; }

icseg_status icseg_tokenizer_encode(const icseg_tokenizer *tokenizer, const char *text, bool special, int32_t **ids,
                                    int32_t *count, icseg_error *error) {
    ICSEG_NEED(ids);
    *ids = NULL;
    ICSEG_NEED(count);
    *count = 0;
    ICSEG_NEED(tokenizer);
    ICSEG_NEED(text);
    icseg_arena *arena;
    icseg_tokens tokens;
    icseg_status status;
    ICSEG_TRY(icseg_arena_open(&arena, error));
    ICSEG_TRY_GOTO(icseg_tokenize(tokenizer, text, arena, &tokens, error));
    size_t total = (size_t)tokens.count + (special ? 2 : 0);
    int32_t *list = icseg_alloc_array(total, sizeof *list);
    if (!list) {
        status = icseg_fail_memory(error, total * sizeof *list, "token ids");
        goto fail;
    }
    memcpy(list + special, tokens.ids, (size_t)tokens.count * sizeof *list);
    if (special) {
        list[0] = icseg_tokenizer_sos(tokenizer);
        list[total - 1] = icseg_tokenizer_eos(tokenizer);
    }
    *ids = list;
    *count = (int32_t)total;
fail:
    icseg_arena_close(&arena);
    return status;
}

icseg_status icseg_tokenizer_encode_context(const icseg_tokenizer *tokenizer, const char *text, int32_t *ids,
                                            int32_t length, int32_t *eos, icseg_error *error) {
    ICSEG_NEED(ids);
    if (length < 3 || length > ICSEG_CONTEXT_MAX_LENGTH)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "context length %d: expected 3 to %d", length,
                          ICSEG_CONTEXT_MAX_LENGTH);
    int32_t *list, count;
    ICSEG_TRY(icseg_tokenizer_encode(tokenizer, text, true, &list, &count, error));
    icseg_status status = ICSEG_OK;
    if (count > length) {
        status = icseg_fail(error, ICSEG_ERROR_ARGUMENT,
                            "text \"%.60s\": %d tokens with SOS and EOS do not fit into a context of %d; shorten it",
                            text, count, length);
    } else {
        memset(ids, 0, (size_t)length * sizeof *ids);
        memcpy(ids, list, (size_t)count * sizeof *ids);
        if (eos) *eos = count - 1;
    }
    icseg_free(list);
    return status;
}

/* Appends `bytes` as valid UTF-8. */
static void append_valid(icseg_string *out, const icseg_string *bytes) {
    for (size_t at = 0; at < bytes->size;) {
        int32_t character;
        at += icseg_utf8_get(bytes->data + at, bytes->size - at, &character);
        icseg_utf8_append(out, character);
    }
}

icseg_status icseg_tokenizer_decode(const icseg_tokenizer *tokenizer, const int32_t *ids, int32_t count, char **text,
                                    icseg_error *error) {
    ICSEG_NEED(text);
    *text = NULL;
    ICSEG_NEED(tokenizer);
    if (count < 0) return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "%d token ids: the count is negative", count);
    if (count) ICSEG_NEED(ids);
    for (int32_t i = 0; i < count; i++)
        if (ids[i] < 0 || ids[i] >= tokenizer->vocab_size)
            return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "token %d: id %d is not in the vocabulary, 0 to %d", i,
                              ids[i], tokenizer->vocab_size - 1);
    icseg_string bytes = {0}, out = {0};
    int32_t end = 0;
    while (end < count && ids[end] != icseg_tokenizer_eos(tokenizer)) end++;
    tokenizer->decode(tokenizer, ids, end, &bytes);
    icseg_string_append(&out, "", 0);
    append_valid(&out, &bytes);
    bool failed = bytes.failed || out.failed;
    icseg_string_close(&bytes);
    if (failed) {
        icseg_string_close(&out);
        return icseg_fail_memory(error, 0, "decoded text");
    }
    *text = out.data;
    return ICSEG_OK;
}
