/* SPDX-License-Identifier: Apache-2.0
 * Model configuration: defaults and presets, JSON in and out, and the check. One table of fields, in the reference's
 * order, drives all of them. */
#include "icseg/config.h"

#include <jansson.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"

static const char *const backbones[] = {"resnet", "vit"};
static const char *const prompts[] = {"template", "static", "instance"};
static const int strides[ICSEG_LEVELS] = {4, 8, 16, 32};

typedef enum kind { INTEGER, INTEGERS, REAL, BOOLEAN, BACKBONE, PROMPT, STRIDES, WEIGHTS } kind; /* INTEGERS: four */

/* When a field is used at all: a checkpoint may carry anything in the others. */
typedef enum usage { ALWAYS, RESNET, VIT, LEARNT_PROMPT, INSTANCE, POST, PROJECTED, CONTRAST } usage;

typedef struct field {
    const char *name;
    kind kind;
    size_t offset;
    usage use;
    double low, high; /* inclusive for integers, [low, high) for reals */
} field;

enum { WIDEST = 65536, DEEPEST = 1000, MOST_HEADS = 4096, MOST = 1 << 22 };

#define FIELD(NAME, KIND, USE, LOW, HIGH)                                                                              \
    { #NAME, KIND, offsetof(icseg_config, NAME), USE, LOW, HIGH }
static const field fields[] = {
    FIELD(backbone, BACKBONE, ALWAYS, 0, 0),
    FIELD(resnet_layers, INTEGERS, RESNET, 1, DEEPEST),
    FIELD(resnet_width, INTEGER, RESNET, 2, WIDEST / 32),
    FIELD(vit_patch, INTEGER, VIT, 1, WIDEST),
    FIELD(vit_width, INTEGER, VIT, 1, WIDEST),
    FIELD(vit_layers, INTEGER, VIT, ICSEG_LEVELS, DEEPEST),
    FIELD(vit_heads, INTEGER, VIT, 1, MOST_HEADS),
    FIELD(vit_taps, INTEGERS, VIT, 0, DEEPEST - 1),
    FIELD(vit_drop_path, REAL, ALWAYS, 0, 1),
    FIELD(pos_grid, INTEGER, ALWAYS, 1, 1024),
    FIELD(embed_dim, INTEGER, ALWAYS, 1, WIDEST),
    FIELD(text_width, INTEGER, ALWAYS, 1, WIDEST),
    FIELD(text_heads, INTEGER, ALWAYS, 1, MOST_HEADS),
    FIELD(text_layers, INTEGER, ALWAYS, 1, DEEPEST),
    FIELD(vocab_size, INTEGER, ALWAYS, 3, MOST),
    FIELD(context_length, INTEGER, ALWAYS, 3, WIDEST),
    FIELD(prompt, PROMPT, ALWAYS, 0, 0),
    FIELD(prompt_tokens, INTEGER, LEARNT_PROMPT, 1, WIDEST),
    FIELD(prompt_width, INTEGER, INSTANCE, 1, WIDEST),
    FIELD(prompt_heads, INTEGER, INSTANCE, 1, MOST_HEADS),
    FIELD(prompt_layers, INTEGER, INSTANCE, 1, DEEPEST),
    FIELD(post_prompt, BOOLEAN, ALWAYS, 0, 0),
    FIELD(post_width, INTEGER, POST, 1, WIDEST),
    FIELD(post_heads, INTEGER, POST, 1, MOST_HEADS),
    FIELD(post_layers, INTEGER, POST, 1, DEEPEST),
    {"align_strides", STRIDES, offsetof(icseg_config, align), ALWAYS, 0, 0},
    FIELD(align_dim, INTEGER, PROJECTED, 1, WIDEST),
    FIELD(tau, REAL, ALWAYS, 0, HUGE_VAL),
    FIELD(fpn_dim, INTEGER, ALWAYS, 1, WIDEST),
    FIELD(num_classes, INTEGER, ALWAYS, 1, 16384),
    FIELD(dropout, REAL, ALWAYS, 0, 1),
    FIELD(align_weights, WEIGHTS, ALWAYS, 0, HUGE_VAL),
    FIELD(contrast_weight, REAL, ALWAYS, 0, HUGE_VAL),
    FIELD(contrast_positives, INTEGER, CONTRAST, 1, INT32_MAX),
    FIELD(contrast_negatives, INTEGER, CONTRAST, 1, INT32_MAX),
};
enum { FIELDS = sizeof fields / sizeof *fields };

/* ------------------------------------------------------------------------------------------ defaults and presets */

icseg_config icseg_config_default(void) {
    return (icseg_config){
        .backbone = ICSEG_BACKBONE_RESNET,
        .resnet_layers = {3, 4, 6, 3},
        .resnet_width = 64,
        .vit_patch = 16,
        .vit_width = 768,
        .vit_layers = 12,
        .vit_heads = 12,
        .vit_taps = {3, 5, 7, 11},
        .vit_drop_path = 0.0,
        .pos_grid = 7,
        .embed_dim = 1024,
        .text_width = 512,
        .text_heads = 8,
        .text_layers = 12,
        .vocab_size = 49408,
        .context_length = 77,
        .prompt = ICSEG_PROMPT_INSTANCE,
        .prompt_tokens = 8,
        .prompt_width = 256,
        .prompt_heads = 4,
        .prompt_layers = 1,
        .post_prompt = false,
        .post_width = 256,
        .post_heads = 4,
        .post_layers = 3,
        .align = {false, true, true, true},
        .align_dim = 256,
        .tau = 0.07,
        .fpn_dim = 256,
        .num_classes = 150,
        .dropout = 0.1,
        .align_weights = {NAN, 0.1, 0.2, 0.4},
        .contrast_weight = 0.1,
        .contrast_positives = 16,
        .contrast_negatives = 64,
    };
}

static void set_vit_weights(icseg_config *c) {
    c->align_weights[1] = c->align_weights[3] = 0.1;
    c->align_weights[2] = 0.4; /* most where the embeddings are */
}

static icseg_config rn50(void) { return icseg_config_default(); }

static icseg_config rn101(void) {
    icseg_config c = icseg_config_default();
    c.resnet_layers[2] = 23;
    c.embed_dim = 512;
    return c;
}

static icseg_config vit_b16(void) {
    icseg_config c = icseg_config_default();
    c.backbone = ICSEG_BACKBONE_VIT;
    c.embed_dim = 512;
    c.pos_grid = 14;
    set_vit_weights(&c);
    return c;
}

static icseg_config tiny_resnet(void) {
    icseg_config c = icseg_config_default();
    memcpy(c.resnet_layers, (int32_t[]){1, 2, 1, 1}, sizeof c.resnet_layers);
    c.resnet_width = c.prompt_width = c.fpn_dim = 16;
    c.pos_grid = 3;
    c.embed_dim = 48;
    c.text_width = 32;
    c.text_heads = 4;
    c.text_layers = 2;
    c.vocab_size = 64;
    c.context_length = c.align_dim = 24;
    c.prompt_tokens = 4;
    c.prompt_heads = 2;
    c.num_classes = 5;
    c.dropout = 0.0;
    c.contrast_positives = 3;
    c.contrast_negatives = 5;
    return c;
}

static icseg_config tiny_vit(void) {
    icseg_config c = tiny_resnet();
    c.backbone = ICSEG_BACKBONE_VIT;
    c.vit_width = 32;
    c.vit_layers = c.vit_heads = 4;
    for (int i = 0; i < ICSEG_LEVELS; i++) c.vit_taps[i] = i;
    set_vit_weights(&c);
    return c;
}

icseg_status icseg_config_preset(icseg_config *out, const char *name, icseg_error *error) {
    static const char *const names[] = {"rn50", "rn101", "vit-b16", "tiny-resnet", "tiny-vit"};
    static icseg_config (*const makers[])(void) = {rn50, rn101, vit_b16, tiny_resnet, tiny_vit};
    enum { COUNT = sizeof names / sizeof *names };
    for (int i = 0; i < COUNT; i++)
        if (!strcmp(name, names[i])) {
            *out = makers[i]();
            return ICSEG_OK;
        }
    const char *nearest = icseg_text_nearest(name, names, COUNT);
    return icseg_fail(error, ICSEG_ERROR_ARGUMENT,
                      "unknown model preset \"%.60s\"%s%s%s; there are rn50, rn101, vit-b16, tiny-resnet and tiny-vit",
                      name, nearest ? " (did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?)" : "");
}

/* ------------------------------------------------------------------------------------------------------- reading */

static const char *json_kind(const json_t *value) {
    switch (json_typeof(value)) {
    case JSON_OBJECT: return "an object";
    case JSON_ARRAY: return "a list";
    case JSON_STRING: return "a string";
    case JSON_INTEGER: return "an integer";
    case JSON_REAL: return "a number with a fraction";
    case JSON_TRUE:
    case JSON_FALSE: return "a boolean";
    default: return "null";
    }
}

static icseg_status wrong_kind(icseg_error *error, const char *key, const json_t *value, const char *expected) {
    return icseg_fail(error, ICSEG_ERROR_FORMAT, "config: \"%s\" is %s, %s was expected", key, json_kind(value),
                      expected);
}

static icseg_status read_integer(const char *key, const json_t *value, int32_t *out, icseg_error *error) {
    if (!json_is_integer(value)) return wrong_kind(error, key, value, "an integer");
    json_int_t number = json_integer_value(value);
    if (number < INT32_MIN || number > INT32_MAX)
        return icseg_fail(error, ICSEG_ERROR_CONFIG, "config: \"%s\" = %lld: beyond 32 bits", key, (long long)number);
    *out = (int32_t)number;
    return ICSEG_OK;
}

static icseg_status read_integers(const char *key, const json_t *value, int32_t *out, icseg_error *error) {
    if (!json_is_array(value)) return wrong_kind(error, key, value, "a list of 4 integers");
    if (json_array_size(value) != 4)
        return icseg_fail(error, ICSEG_ERROR_CONFIG, "config: \"%s\" has %zu values, 4 are needed", key,
                          json_array_size(value));
    for (size_t i = 0; i < 4; i++) ICSEG_TRY(read_integer(key, json_array_get(value, i), &out[i], error));
    return ICSEG_OK;
}

static icseg_status read_word(const char *key, const json_t *value, const char *const *words, int count, int *out,
                              icseg_error *error) {
    if (!json_is_string(value)) return wrong_kind(error, key, value, "a string");
    icseg_string list = {0};
    for (int i = 0; i < count; i++) {
        if (!strcmp(json_string_value(value), words[i])) {
            *out = i;
            icseg_string_close(&list);
            return ICSEG_OK;
        }
        icseg_string_printf(&list, "%s\"%s\"", i ? ", " : "", words[i]);
    }
    icseg_status status = icseg_fail(error, ICSEG_ERROR_CONFIG, "config: \"%s\" = \"%.60s\": must be one of %s", key,
                                     json_string_value(value), list.failed ? "the known words" : list.data);
    icseg_string_close(&list);
    return status;
}

static icseg_status read_strides(const char *key, const json_t *value, bool *out, icseg_error *error) {
    if (!json_is_array(value)) return wrong_kind(error, key, value, "a list of strides");
    bool found[ICSEG_LEVELS] = {false};
    for (size_t i = 0; i < json_array_size(value); i++) {
        int32_t stride, level = 0;
        ICSEG_TRY(read_integer(key, json_array_get(value, i), &stride, error));
        while (level < ICSEG_LEVELS && strides[level] != stride) level++;
        if (level == ICSEG_LEVELS)
            return icseg_fail(error, ICSEG_ERROR_CONFIG, "config: \"%s\" holds %d: strides are 4, 8, 16 and 32", key,
                              stride);
        if (found[level]) return icseg_fail(error, ICSEG_ERROR_CONFIG, "config: \"%s\" holds %d twice", key, stride);
        found[level] = true;
    }
    memcpy(out, found, sizeof found);
    return ICSEG_OK;
}

static icseg_status read_weights(const char *key, const json_t *value, double *out, icseg_error *error) {
    if (!json_is_object(value)) return wrong_kind(error, key, value, "an object of strides and weights");
    for (int level = 0; level < ICSEG_LEVELS; level++) {
        char stride[16];
        snprintf(stride, sizeof stride, "%d", strides[level]);
        const json_t *weight = json_object_get(value, stride);
        if (weight && !json_is_number(weight)) return wrong_kind(error, key, weight, "a number for each stride");
        out[level] = weight ? json_number_value(weight) : NAN;
    }
    return ICSEG_OK;
}

static icseg_status read_field(const field *f, const json_t *value, icseg_config *c, icseg_error *error) {
    void *at = (char *)c + f->offset;
    int word = 0;
    switch (f->kind) {
    case INTEGER: return read_integer(f->name, value, at, error);
    case INTEGERS: return read_integers(f->name, value, at, error);
    case STRIDES: return read_strides(f->name, value, at, error);
    case WEIGHTS: return read_weights(f->name, value, at, error);
    case REAL:
        if (!json_is_number(value)) return wrong_kind(error, f->name, value, "a number");
        *(double *)at = json_number_value(value);
        break;
    case BOOLEAN:
        if (!json_is_boolean(value)) return wrong_kind(error, f->name, value, "true or false");
        *(bool *)at = json_is_true(value);
        break;
    case BACKBONE:
        ICSEG_TRY(read_word(f->name, value, backbones, 2, &word, error));
        c->backbone = (icseg_backbone)word;
        break;
    case PROMPT:
        ICSEG_TRY(read_word(f->name, value, prompts, 3, &word, error));
        c->prompt = (icseg_prompt)word;
        break;
    }
    return ICSEG_OK;
}

icseg_status icseg_config_update_json(icseg_config *config, const char *json, icseg_error *error) {
    json_error_t fault;
    json_t *root = json_loads(json, JSON_REJECT_DUPLICATES, &fault);
    if (!root)
        return icseg_fail(error, ICSEG_ERROR_FORMAT, "config: not JSON: %s at byte %d", fault.text, fault.position);
    icseg_config updated = *config;
    icseg_status status = ICSEG_OK;
    if (!json_is_object(root))
        status = icseg_fail(error, ICSEG_ERROR_FORMAT, "config: %s, an object was expected", json_kind(root));
    for (int i = 0; i < FIELDS && status == ICSEG_OK; i++) {
        const json_t *value = json_object_get(root, fields[i].name);
        if (value) status = read_field(&fields[i], value, &updated, error);
    }
    json_decref(root);
    if (status == ICSEG_OK) status = icseg_config_check(&updated, error);
    if (status == ICSEG_OK) *config = updated;
    return status;
}

icseg_status icseg_config_read_json(icseg_config *out, const char *json, icseg_error *error) {
    icseg_config config = icseg_config_default();
    ICSEG_TRY(icseg_config_update_json(&config, json, error));
    *out = config;
    return ICSEG_OK;
}

/* ------------------------------------------------------------------------------------------------------- writing */

/* With a point or an exponent, as JSON's writers mark what is no integer. */
static void write_real(icseg_string *s, double value) {
    char text[ICSEG_NUMBER_SIZE];
    icseg_text_shortest(text, value);
    icseg_string_printf(s, "%s%s", text, strpbrk(text, ".e") ? "" : ".0");
}

static void write_field(icseg_string *s, const field *f, const icseg_config *c) {
    const void *at = (const char *)c + f->offset;
    const int32_t *integers = at;
    const char *comma = "";
    switch (f->kind) {
    case INTEGER: icseg_string_printf(s, "%d", integers[0]); break;
    case INTEGERS:
        icseg_string_printf(s, "[%d, %d, %d, %d]", integers[0], integers[1], integers[2], integers[3]);
        break;
    case REAL: write_real(s, *(const double *)at); break;
    case BOOLEAN: icseg_string_printf(s, "%s", *(const bool *)at ? "true" : "false"); break;
    case BACKBONE: icseg_string_printf(s, "\"%s\"", backbones[c->backbone]); break;
    case PROMPT: icseg_string_printf(s, "\"%s\"", prompts[c->prompt]); break;
    case STRIDES:
        icseg_string_printf(s, "[");
        for (int i = 0; i < ICSEG_LEVELS; i++)
            if (c->align[i]) icseg_string_printf(s, "%s%d", comma, strides[i]), comma = ", ";
        icseg_string_printf(s, "]");
        break;
    case WEIGHTS:
        icseg_string_printf(s, "{");
        for (int i = 0; i < ICSEG_LEVELS; i++)
            if (isfinite(c->align_weights[i])) {
                icseg_string_printf(s, "%s\"%d\": ", comma, strides[i]);
                write_real(s, c->align_weights[i]);
                comma = ", ";
            }
        icseg_string_printf(s, "}");
        break;
    }
}

icseg_status icseg_config_write_json(const icseg_config *config, char **out, icseg_error *error) {
    *out = NULL;
    ICSEG_TRY(icseg_config_check(config, error));
    icseg_string s = {0};
    for (int i = 0; i < FIELDS; i++) {
        icseg_string_printf(&s, "%s\"%s\": ", i ? ", " : "{", fields[i].name);
        write_field(&s, &fields[i], config);
    }
    icseg_string_printf(&s, "}");
    if (s.failed) {
        icseg_string_close(&s);
        return icseg_fail_memory(error, 2048, "the configuration's JSON");
    }
    *out = s.data;
    return ICSEG_OK;
}

/* ------------------------------------------------------------------------------------------------------ checking */

int32_t icseg_config_embed_level(const icseg_config *c) { return c->backbone == ICSEG_BACKBONE_RESNET ? 3 : 2; }

int32_t icseg_config_level_channels(const icseg_config *c, int level) {
    return c->backbone == ICSEG_BACKBONE_RESNET ? c->resnet_width * 4 << level : c->vit_width;
}

static bool is_used(usage use, const icseg_config *c) {
    bool projected = false; /* some stride other than the embedding's is aligned */
    for (int i = 0; i < ICSEG_LEVELS; i++) projected |= c->align[i] && i != icseg_config_embed_level(c);
    switch (use) {
    case ALWAYS: return true;
    case RESNET: return c->backbone == ICSEG_BACKBONE_RESNET;
    case VIT: return c->backbone == ICSEG_BACKBONE_VIT;
    case LEARNT_PROMPT: return c->prompt != ICSEG_PROMPT_TEMPLATE;
    case INSTANCE: return c->prompt == ICSEG_PROMPT_INSTANCE;
    case POST: return c->post_prompt;
    case PROJECTED: return projected;
    case CONTRAST: return c->contrast_weight > 0;
    }
    return true;
}

static icseg_status check_range(const field *f, const icseg_config *c, icseg_error *error) {
    const void *at = (const char *)c + f->offset;
    if (f->kind == INTEGER || f->kind == INTEGERS) {
        const int32_t *values = at;
        for (int i = 0; i < (f->kind == INTEGERS ? 4 : 1); i++)
            if (values[i] < f->low || values[i] > f->high)
                return icseg_fail(error, ICSEG_ERROR_CONFIG, "config: \"%s\" = %d: must be in %.0f..%.0f", f->name,
                                  values[i], f->low, f->high);
    }
    if (f->kind == REAL) {
        double value = *(const double *)at;
        if (!(value >= f->low && value < f->high)) /* not NaN, not infinity */
            return icseg_fail(error, ICSEG_ERROR_CONFIG, "config: \"%s\" = %g: must be %s", f->name, value,
                              f->high == 1 ? "at least 0 and below 1" : "a finite number, at least 0");
    }
    return ICSEG_OK;
}

static icseg_status check_heads(const char *name, int64_t heads, int64_t width, icseg_error *error) {
    if (width % heads == 0) return ICSEG_OK;
    return icseg_fail(error, ICSEG_ERROR_CONFIG, "config: \"%s_heads\" = %d: must divide \"%s_width\" = %d", name,
                      (int)heads, name, (int)width);
}

static icseg_status check_backbone(const icseg_config *c, icseg_error *error) {
    if (c->backbone == ICSEG_BACKBONE_RESNET) {
        int width = c->resnet_width * 32, heads = width / 64; /* the attention pool's */
        if (width % heads == 0) return ICSEG_OK;
        return icseg_fail(error, ICSEG_ERROR_CONFIG,
                          "config: \"resnet_width\" = %d: the attention pool's %d heads do not divide its %d channels",
                          c->resnet_width, heads, width);
    }
    if (c->vit_patch != 16)
        return icseg_fail(error, ICSEG_ERROR_CONFIG,
                          "config: \"vit_patch\" = %d: must be 16, the feature levels are built from stride 16",
                          c->vit_patch);
    for (int i = 0; i < ICSEG_LEVELS; i++) {
        if (c->vit_taps[i] >= c->vit_layers)
            return icseg_fail(error, ICSEG_ERROR_CONFIG,
                              "config: \"vit_taps\" holds %d: blocks are numbered 0..%d, \"vit_layers\" = %d",
                              c->vit_taps[i], c->vit_layers - 1, c->vit_layers);
        if (i > 0 && c->vit_taps[i] <= c->vit_taps[i - 1])
            return icseg_fail(error, ICSEG_ERROR_CONFIG, "config: \"vit_taps\" holds %d after %d: must be ascending",
                              c->vit_taps[i], c->vit_taps[i - 1]);
    }
    return check_heads("vit", c->vit_heads, c->vit_width, error);
}

static icseg_status check_text(const icseg_config *c, icseg_error *error) {
    ICSEG_TRY(check_heads("text", c->text_heads, c->text_width, error));
    if (c->prompt == ICSEG_PROMPT_INSTANCE) ICSEG_TRY(check_heads("prompt", c->prompt_heads, c->prompt_width, error));
    if (c->post_prompt) ICSEG_TRY(check_heads("post", c->post_heads, c->post_width, error));
    if (c->prompt != ICSEG_PROMPT_TEMPLATE && c->prompt_tokens + 2 >= c->context_length)
        return icseg_fail(error, ICSEG_ERROR_CONFIG,
                          "config: \"prompt_tokens\" = %d: with SOS and EOS they leave no room for a class name in "
                          "\"context_length\" = %d",
                          c->prompt_tokens, c->context_length);
    return ICSEG_OK;
}

static icseg_status check_alignment(const icseg_config *c, icseg_error *error) {
    int embed = icseg_config_embed_level(c);
    if (!c->align[embed])
        return icseg_fail(error, ICSEG_ERROR_CONFIG,
                          "config: \"align_strides\" lacks %d, the stride at which a %s gives its embeddings",
                          strides[embed], backbones[c->backbone]);
    for (int i = 0; i < ICSEG_LEVELS; i++) {
        double weight = c->align_weights[i];
        if (c->align[i] && isnan(weight))
            return icseg_fail(error, ICSEG_ERROR_CONFIG,
                              "config: \"align_weights\" has no weight for stride %d, which is in \"align_strides\"",
                              strides[i]);
        if (!isnan(weight) && !(weight >= 0 && isfinite(weight)))
            return icseg_fail(error, ICSEG_ERROR_CONFIG,
                              "config: \"align_weights\" has %g for stride %d: must be a finite number, at least 0",
                              weight, strides[i]);
    }
    if (c->tau == 0)
        return icseg_fail(error, ICSEG_ERROR_CONFIG, "config: \"tau\" = 0: must be above 0, scores are divided by it");
    return ICSEG_OK;
}

icseg_status icseg_config_check(const icseg_config *c, icseg_error *error) {
    if (c->backbone != ICSEG_BACKBONE_RESNET && c->backbone != ICSEG_BACKBONE_VIT)
        return icseg_fail(error, ICSEG_ERROR_CONFIG, "config: \"backbone\" = %d: no such backbone", (int)c->backbone);
    if (c->prompt != ICSEG_PROMPT_TEMPLATE && c->prompt != ICSEG_PROMPT_STATIC && c->prompt != ICSEG_PROMPT_INSTANCE)
        return icseg_fail(error, ICSEG_ERROR_CONFIG, "config: \"prompt\" = %d: no such kind of prompt", (int)c->prompt);
    for (int i = 0; i < FIELDS; i++)
        if (is_used(fields[i].use, c)) ICSEG_TRY(check_range(&fields[i], c, error));
    ICSEG_TRY(check_backbone(c, error));
    ICSEG_TRY(check_text(c, error));
    return check_alignment(c, error);
}
