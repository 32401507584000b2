/* SPDX-License-Identifier: Apache-2.0
 * Any text through the byte tokenizer, which returns valid text unchanged, and as a line of synonyms. */
#include <string.h>

#include "base/memory.h"
#include "fuzz.h"
#include "icseg/text.h"
#include "text/synonyms.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    icseg_error error;
    icseg_tokenizer *t;
    icseg_arena *arena;
    icseg_synonyms synonyms;
    int32_t *ids, count;
    char *text = malloc(size + 1), *decoded;
    FUZZ_REQUIRE(text && icseg_tokenizer_open(&t, ICSEG_TOKENIZER_BYTES, NULL, NULL) == ICSEG_OK &&
                 icseg_arena_open(&arena, NULL) == ICSEG_OK);
    memcpy(text, data, size);
    text[size] = '\0';
    if (fuzz_succeeded(icseg_tokenizer_encode(t, text, true, &ids, &count, &error), &error)) {
        for (int32_t i = 0; i < count; i++) FUZZ_REQUIRE(ids[i] >= 0 && ids[i] < icseg_tokenizer_vocabulary_size(t));
        if (fuzz_succeeded(icseg_tokenizer_decode(t, ids, count, &decoded, &error), &error)) icseg_buffer_free(decoded);
        icseg_buffer_free(ids);
    }
    if (fuzz_succeeded(icseg_synonyms_split(&synonyms, text, arena, &error), &error)) FUZZ_REQUIRE(synonyms.count > 0);
    icseg_arena_close(&arena);
    icseg_tokenizer_close(&t);
    free(text);
    return 0;
}
