/* SPDX-License-Identifier: Apache-2.0
 * Vocabulary files: vocab.json with merges.txt where the input has two parts, otherwise one file of any kind. A
 * vocabulary that opens encodes any text and decodes the result. */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "fuzz.h"
#include "icseg/text.h"

static void encode(const icseg_tokenizer *t, const char *text) {
    icseg_error error;
    int32_t *ids, count;
    char *decoded;
    if (!fuzz_succeeded(icseg_tokenizer_encode(t, text, true, &ids, &count, &error), &error)) return;
    for (int32_t i = 0; i < count; i++) FUZZ_REQUIRE(ids[i] >= 0 && ids[i] < icseg_tokenizer_vocabulary_size(t));
    if (fuzz_succeeded(icseg_tokenizer_decode(t, ids, count, &decoded, &error), &error)) icseg_buffer_free(decoded);
    icseg_buffer_free(ids);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    icseg_tokenizer *t;
    icseg_error error;
    fuzz_part parts[3];
    size_t count = fuzz_split(data, size, parts, 3);
    const char *path = fuzz_path("vocabulary");
    mkdir(path, 0777);
    path = fuzz_put("vocabulary/vocab.json", parts[0].data, parts[0].size);
    unlink(fuzz_path("vocabulary/merges.txt"));
    if (count > 1) fuzz_put("vocabulary/merges.txt", parts[1].data, parts[1].size);
    if (!fuzz_succeeded(icseg_tokenizer_open(&t, ICSEG_TOKENIZER_CLIP, path, &error), &error)) {
        FUZZ_REQUIRE(!t);
        return 0;
    }
    if (!fuzz_select(data, size, 4)) encode(t, "hello World's 12 \xc3\xa9\xe4\xb8\xad");
    if (count > 2) {
        char text[200] = "";
        memcpy(text, parts[2].data, parts[2].size < sizeof text ? parts[2].size : sizeof text - 1);
        encode(t, text);
    }
    icseg_tokenizer_close(&t);
    return 0;
}
