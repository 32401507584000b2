/* SPDX-License-Identifier: Apache-2.0
 * Folders as they are downloaded from Hugging Face. Parts: model.safetensors.index.json, config.json,
 * open_clip_config.json, and the header of a file of weights, with zeros after it; an empty part is a missing file, or
 * a file of CLIP's. What opens can be described. */
#include <string.h>

#include "base/text.h"
#include "fuzz.h"
#include "icseg/config.h"
#include "weights/weights.h"

enum { HEADER_SIZE = 8, VALUES = 512, VALUES_MOST = 1 << 16 };

/* The least that makes the names those of Hugging Face. */
static const char clip[] =
    "{\"text_model.embeddings.token_embedding.weight\":{\"dtype\":\"F32\",\"shape\":[4,2],\"data_offsets\":[0,32]},"
    "\"text_model.final_layer_norm.weight\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[32,40]},"
    "\"text_projection.weight\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[40,56]},"
    "\"logit_scale\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[56,60]}}";

static void put_weights(const char *name, fuzz_part header) {
    icseg_string s = {0};
    if (!header.size) header = (fuzz_part){(const uint8_t *)clip, strlen(clip)};
    uint64_t length = header.size;
    size_t zeros = header.data == (const uint8_t *)clip ? 60 : VALUES;
    icseg_string_append(&s, (const char *)&length, HEADER_SIZE);
    icseg_string_append(&s, (const char *)header.data, header.size);
    icseg_string_append(&s, (const char[VALUES]){0}, zeros);
    FUZZ_REQUIRE(!s.failed);
    fuzz_put(name, s.data, s.size);
    icseg_string_close(&s);
}

static void read_all(const icseg_weights *w) {
    icseg_error error;
    for (size_t i = 0; i < icseg_weights_count(w); i++) {
        const icseg_weights_entry *entry = icseg_weights_at(w, i);
        int64_t count = icseg_shape_count(entry->shape);
        FUZZ_REQUIRE(count >= 0 && fuzz_is_utf8(entry->name));
        if (count > VALUES_MOST) continue;
        float *numbers = malloc((size_t)count * sizeof *numbers + 1);
        FUZZ_REQUIRE(numbers);
        FUZZ_REQUIRE(fuzz_succeeded(icseg_weights_read(entry, numbers, &error), &error));
        free(numbers);
    }
}

static void describe(const icseg_weights *w) {
    icseg_error error;
    icseg_config config = {ICSEG_CONFIG_INIT};
    icseg_string text = {0};
    FUZZ_REQUIRE(icseg_config_preset(&config, "tiny-vit", NULL) == ICSEG_OK);
    if (!fuzz_succeeded(icseg_weights_infer(w, &config, &error), &error)) return;
    icseg_weights_describe(&config, &text);
    FUZZ_REQUIRE(!text.failed && fuzz_is_utf8(text.data));
    icseg_string_close(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    icseg_weights *weights;
    icseg_error error;
    fuzz_part parts[4];
    static char folder[128];
    fuzz_split(data, size, parts, 4);
    if (!*folder) snprintf(folder, sizeof folder, "%s", fuzz_folder("hf"));
    fuzz_put_part("hf/model.safetensors.index.json", parts[0]);
    fuzz_put_part("hf/config.json", parts[1]);
    fuzz_put_part("hf/open_clip_config.json", parts[2]);
    put_weights("hf/model.safetensors", parts[3]);
    if (fuzz_succeeded(icseg_weights_open(&weights, folder, &error), &error)) {
        read_all(weights);
        describe(weights);
    } else
        FUZZ_REQUIRE(!weights);
    icseg_weights_close(&weights);
    return 0;
}
