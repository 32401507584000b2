/* SPDX-License-Identifier: Apache-2.0
 * The metadata of checkpoints. Parts: icpc.config, icpc.classes, icpc.tokens, icseg.ranges and icseg.eval; an empty
 * part is left out. What is read is written, and what is written reads as the same. */
#include <string.h>

#include "base/text.h"
#include "fuzz.h"
#include "icseg/memory.h"
#include "model/model.h"

enum { KEYS = 5, HEADER_SIZE = 8 };

static const char *const keys[KEYS] = {"icpc.config", "icpc.classes", "icpc.tokens", "icseg.ranges", "icseg.eval"};

/* A string of JSON. */
static void append_quoted(icseg_string *s, const char *text) {
    icseg_string_append(s, "\"", 1);
    for (size_t plain; *text; text += plain) {
        for (plain = 0; (unsigned char)text[plain] >= 0x20 && text[plain] != '"' && text[plain] != '\\';) plain++;
        icseg_string_append(s, text, plain);
        if (text[plain]) icseg_string_printf(s, "\\u%04x", (unsigned char)text[plain++]);
    }
    icseg_string_append(s, "\"", 1);
}

/* A safetensors file with the texts that are not NULL, and one tensor, which no model has. */
static icseg_status open_file(icseg_safetensors **out, const char *name, char *const texts[KEYS], icseg_error *error) {
    icseg_string s = {0};
    const char *comma = "";
    icseg_string_printf(&s, "%*s{\"__metadata__\":{", HEADER_SIZE, "");
    for (int i = 0; i < KEYS; i++) {
        if (!texts[i]) continue;
        icseg_string_printf(&s, "%s\"%s\":", comma, keys[i]);
        append_quoted(&s, texts[i]);
        comma = ",";
    }
    icseg_string_printf(&s, "},\"t\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}");
    uint64_t size = s.size - HEADER_SIZE;
    icseg_string_append(&s, "\0\0\0", 4);
    FUZZ_REQUIRE(!s.failed);
    memcpy(s.data, &size, HEADER_SIZE);
    icseg_status status = icseg_safetensors_open(out, fuzz_put(name, s.data, s.size), error);
    icseg_string_close(&s);
    return status;
}

static void check_config(const icseg_config *config) {
    icseg_error error;
    icseg_config copy = {ICSEG_CONFIG_INIT};
    char *text, *again;
    FUZZ_REQUIRE(fuzz_succeeded(icseg_config_write_json(config, &text, &error), &error));
    FUZZ_REQUIRE(fuzz_succeeded(icseg_config_read_json(&copy, text, &error), &error));
    FUZZ_REQUIRE(fuzz_succeeded(icseg_config_write_json(&copy, &again, &error), &error));
    FUZZ_REQUIRE(!strcmp(text, again));
    icseg_buffer_free(text);
    icseg_buffer_free(again);
}

/* Whether a model of this configuration is built in milliseconds. */
static bool is_small(const icseg_config *c) {
    int32_t layers = c->text_layers + c->prompt_layers, width = c->vit_width;
    if (c->backbone == ICSEG_BACKBONE_RESNET) {
        for (int i = 0; i < 4; i++) layers += c->resnet_layers[i];
        width = c->resnet_width;
    } else
        layers += c->vit_layers;
    if (c->post_prompt && (c->post_layers > 8 || c->post_width > 64)) return false;
    return layers <= 32 && width <= 64 && c->text_width <= 64 && c->embed_dim <= 64 && c->prompt_width <= 64 &&
           c->fpn_dim <= 64 && c->align_dim <= 64 && c->pos_grid <= 8 && c->vocab_size <= 512 &&
           c->context_length <= 128 && c->prompt_tokens <= 64 && c->num_classes <= 64;
}

static void keep(char **out, const icseg_safetensors *file, const char *key) {
    const char *text = icseg_safetensors_metadata(file, key);
    *out = text ? fuzz_text((fuzz_part){(const uint8_t *)text, strlen(text)}) : NULL;
}

/* The texts that the model writes. */
static void write_model(const icseg_model *model, char *texts[KEYS]) {
    icseg_error error;
    icseg_safetensors_writer *w;
    icseg_safetensors *file;
    const float zero = 0;
    FUZZ_REQUIRE(icseg_safetensors_writer_open(&w, fuzz_path("b.safetensors"), NULL) == ICSEG_OK);
    FUZZ_REQUIRE(fuzz_succeeded(icseg_model_write_metadata(model, w, &error), &error));
    FUZZ_REQUIRE(icseg_safetensors_writer_declare(w, "t", ICSEG_F32, ICSEG_SHAPE(1), NULL) == ICSEG_OK);
    FUZZ_REQUIRE(icseg_safetensors_writer_begin(w, NULL) == ICSEG_OK);
    FUZZ_REQUIRE(icseg_safetensors_writer_append(w, "t", &zero, sizeof zero, NULL) == ICSEG_OK);
    FUZZ_REQUIRE(fuzz_succeeded(icseg_safetensors_writer_commit(w, &error), &error));
    icseg_safetensors_writer_close(&w);
    FUZZ_REQUIRE(fuzz_succeeded(icseg_safetensors_open(&file, fuzz_path("b.safetensors"), &error), &error));
    for (int i = 0; i < KEYS; i++) keep(&texts[i], file, keys[i]);
    icseg_safetensors_close(&file);
}

static void check_model(const icseg_model *model) {
    icseg_error error;
    icseg_model *copy;
    icseg_safetensors *file;
    char *texts[KEYS], *again[KEYS];
    write_model(model, texts);
    FUZZ_REQUIRE(fuzz_succeeded(open_file(&file, "c.safetensors", texts, &error), &error));
    FUZZ_REQUIRE(fuzz_succeeded(icseg_model_open_metadata(&copy, file, NULL, &error), &error));
    write_model(copy, again);
    for (int i = 0; i < KEYS; i++) {
        FUZZ_REQUIRE(!texts[i] == !again[i] && (!texts[i] || !strcmp(texts[i], again[i])));
        free(texts[i]);
        free(again[i]);
    }
    icseg_model_close(&copy);
    icseg_safetensors_close(&file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    icseg_error error;
    icseg_safetensors *file;
    icseg_model *model;
    icseg_config config = {ICSEG_CONFIG_INIT};
    fuzz_part parts[KEYS];
    char *texts[KEYS];
    fuzz_split(data, size, parts, KEYS);
    for (int i = 0; i < KEYS; i++) texts[i] = parts[i].size ? fuzz_text(parts[i]) : NULL;
    bool known = texts[0] && fuzz_succeeded(icseg_config_read_json(&config, texts[0], &error), &error);
    if (known) check_config(&config);
    if (fuzz_succeeded(open_file(&file, "a.safetensors", texts, &error), &error)) {
        /* Without its tensors, a model is refused before it is built. */
        const char *prefix = known && is_small(&config) && !fuzz_select(data, size, 4) ? NULL : "";
        if (fuzz_succeeded(icseg_model_open_metadata(&model, file, prefix, &error), &error)) {
            FUZZ_REQUIRE(!prefix);
            check_model(model);
        } else
            FUZZ_REQUIRE(!model);
        icseg_model_close(&model);
    }
    icseg_safetensors_close(&file);
    for (int i = 0; i < KEYS; i++) free(texts[i]);
    return 0;
}
