/* SPDX-License-Identifier: Apache-2.0
 * A model's configuration: the table of its fields, the defaults, and the check. */
#include "model/config.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/argument.h"
#include "base/struct_size.h"

const char *const icseg_backbone_words[] = {"resnet", "vit", NULL};
const char *const icseg_activation_words[] = {"quick_gelu", "gelu", NULL};
const char *const icseg_prompt_words[] = {"template", "static", "instance", NULL};
const char *const icseg_prompt_source_words[] = {"tokens", "global", "regions", NULL};
const char *const icseg_contrast_anchor_words[] = {"text", "image", "both", NULL};
const char *const icseg_contrast_selection_words[] = {"hard", "semi_hard", "random", NULL};
const char *const icseg_class_weights_words[] = {"none", "inverse", "effective", "given", NULL};
const char *const icseg_dense_embeddings_words[] = {"attention", "values", NULL};
const char *const icseg_align_source_words[] = {"level", "embeddings", NULL};
const int32_t icseg_strides[ICSEG_LEVELS] = {4, 8, 16, 32};

/* When a field is used. A checkpoint may hold anything in a field that its model does not use. */
typedef enum usage {
    ALWAYS,
    RESNET,
    VIT,
    LEARNT_PROMPT,
    INSTANCE,
    PROMPT_DECODER,
    REGIONS,
    POST,
    PROJECTED,
    CONTRAST,
    OHEM
} usage;

#define FIELD(name, member, type, usage, ...) {#name, ICSEG_FIELD_##type(icseg_config, member), __VA_ARGS__},
static const icseg_option fields[] = {
#include "model/config_fields.h"
};
#define FIELD(name, member, type, usage, ...) usage,
static const usage usages[] = {
#include "model/config_fields.h"
};
enum {
    FIELDS = sizeof fields / sizeof *fields,
    FIRST_SIZE = offsetof(icseg_config, contrast_negatives) + sizeof(int32_t)
};

icseg_option_table icseg_config_table(void) { return (icseg_option_table){fields, FIELDS}; }

icseg_config icseg_config_default(void) {
    return (icseg_config){
        .struct_size = sizeof(icseg_config),
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
        .activation = ICSEG_CLIP_QUICK_GELU,
        .vit_mlp_width = 0,
        .prompt_source = ICSEG_PROMPT_FROM_TOKENS,
        .prompt_region = 2,
        .prompt_depth = 1,
        .contrast_anchor = ICSEG_CONTRAST_TEXT,
        .contrast_selection = ICSEG_CONTRAST_HARD,
        .contrast_strides = {false, false, false, false},
        .contrast_tau = 0.0,
        .contrast_memory = 0,
        .label_smoothing = 0.0,
        .focal_gamma = 0.0,
        .ohem_threshold = 0.0,
        .ohem_least = 10000,
        .class_weights = ICSEG_CLASS_WEIGHTS_NONE,
        .dense_embeddings = ICSEG_DENSE_EMBEDDINGS_ATTENTION,
        .score_logits = 0.0,
        .dice_weight = 0.0,
        .lovasz_weight = 0.0,
        .align_source = ICSEG_ALIGN_FROM_LEVEL,
    };
}

icseg_status icseg_config_read(icseg_config *to, const icseg_config *from, icseg_error *error) {
    return icseg_struct_read(to, sizeof *to, from, FIRST_SIZE, "icseg_config", error);
}

icseg_status icseg_config_fill(icseg_config *to, const icseg_config *from, icseg_error *error) {
    return icseg_struct_write(to, from, sizeof *from, FIRST_SIZE, "icseg_config", error);
}

icseg_status icseg_config_preset(icseg_config *out, const char *name, icseg_error *error) {
    ICSEG_NEED(out);
    ICSEG_NEED(name);
    int32_t index = icseg_preset_find(name, error);
    if (index < 0) return ICSEG_ERROR_ARGUMENT;
    icseg_config config = icseg_config_default();
    icseg_preset_at(index)->configure(&config);
    return icseg_config_fill(out, &config, error);
}

/* ---- the check ---- */

int32_t icseg_config_embed_level(const icseg_config *c) { return !c || c->backbone == ICSEG_BACKBONE_RESNET ? 3 : 2; }

int32_t icseg_config_level_channels(const icseg_config *c, int level) {
    if (!c || level < 0 || level >= ICSEG_LEVELS) return 0;
    return c->backbone == ICSEG_BACKBONE_RESNET ? c->resnet_width * 4 << level : c->vit_width;
}

bool icseg_config_contrasts(const icseg_config *c, int level) {
    bool any = false;
    for (int i = 0; i < ICSEG_LEVELS; i++) any |= c->contrast_strides[i];
    return c->contrast_weight > 0 && (any ? c->contrast_strides[level] : level == icseg_config_embed_level(c));
}

int64_t icseg_config_region_side(const icseg_config *c, int64_t height, int64_t width) {
    int64_t side = c->prompt_source == ICSEG_PROMPT_FROM_REGIONS ? c->prompt_region : 1;
    if (side > height) side = height;
    if (side > width) side = width;
    return side < 1 ? 1 : side;
}

bool icseg_config_decodes_prompts(const icseg_config *c) {
    return c->prompt == ICSEG_PROMPT_INSTANCE && c->prompt_source != ICSEG_PROMPT_FROM_GLOBAL;
}

int64_t icseg_config_vit_mlp_width(const icseg_config *c) {
    return c->vit_mlp_width ? c->vit_mlp_width : 4 * (int64_t)c->vit_width;
}

int64_t icseg_config_min_side(const icseg_config *c) {
    int64_t coarsest = c->backbone == ICSEG_BACKBONE_VIT ? 2 * (int64_t)c->vit_patch : 0;
    return coarsest > ICSEG_MIN_SIDE ? coarsest : ICSEG_MIN_SIDE;
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
    case PROMPT_DECODER: return icseg_config_decodes_prompts(c);
    case REGIONS: return c->prompt == ICSEG_PROMPT_INSTANCE && c->prompt_source == ICSEG_PROMPT_FROM_REGIONS;
    case POST: return c->post_prompt;
    case PROJECTED: return projected && c->align_source == ICSEG_ALIGN_FROM_LEVEL;
    case CONTRAST: return c->contrast_weight > 0;
    case OHEM: return c->ohem_threshold > 0;
    }
    return true;
}

/* Fails and names the field. The text begins with its name in quotes, as in the JSON. */
#define FAIL(field, text, ...)                                                                                         \
    icseg_fail_field(error, ICSEG_ERROR_CONFIG, field, ICSEG_REMEDY_SET_FIELD, "config: \"%s\" " text, field,          \
                     __VA_ARGS__)

static icseg_status refuse(const icseg_option *field, double value, icseg_error *error) {
    char accepted[256];
    icseg_option_describe(field, accepted, sizeof accepted);
    return FAIL(field->key, "= %.12g is not accepted; expected %s", value, accepted);
}

/* KEYED is left to check_alignment. */
static icseg_status check_field(const icseg_option *f, const icseg_config *c, icseg_error *error) {
    const void *at = (const char *)c + f->offset;
    const int32_t *integers = at;
    int32_t words = 0;
    while (f->words && f->words[words]) words++;
    switch (f->type) {
    case ICSEG_OPTION_WORD: return integers[0] >= 0 && integers[0] < words ? ICSEG_OK : refuse(f, integers[0], error);
    case ICSEG_OPTION_INT: return icseg_option_accepts(f, integers[0]) ? ICSEG_OK : refuse(f, integers[0], error);
    case ICSEG_OPTION_INT_LIST:
        for (int32_t i = 0; i < f->capacity; i++)
            if (!icseg_option_accepts(f, integers[i])) return refuse(f, integers[i], error);
        return ICSEG_OK;
    case ICSEG_OPTION_FLOAT: {
        double value = *(const double *)at;
        return isfinite(value) && icseg_option_accepts(f, value) ? ICSEG_OK : refuse(f, value, error);
    }
    default: return ICSEG_OK;
    }
}

static icseg_status check_heads(const char *field, int32_t heads, const char *of, int32_t width, icseg_error *error) {
    if (width % heads == 0) return ICSEG_OK;
    return FAIL(field, "= %d: must divide \"%s\" = %d", heads, of, width);
}

static icseg_status check_backbone(const icseg_config *c, icseg_error *error) {
    if (c->backbone == ICSEG_BACKBONE_RESNET) {
        int width = c->resnet_width * 32, heads = width / 64; /* of the attention pool */
        if (width % heads == 0) return ICSEG_OK;
        return FAIL("resnet_width", "= %d: the attention pool's %d heads do not divide its %d channels",
                    c->resnet_width, heads, width);
    }
    for (int i = 0; i < ICSEG_LEVELS; i++) {
        if (c->vit_taps[i] >= c->vit_layers)
            return FAIL("vit_taps", "contains %d: blocks are numbered 0..%d, because \"vit_layers\" = %d",
                        c->vit_taps[i], c->vit_layers - 1, c->vit_layers);
        if (i > 0 && c->vit_taps[i] <= c->vit_taps[i - 1])
            return FAIL("vit_taps", "contains %d after %d: must be ascending", c->vit_taps[i], c->vit_taps[i - 1]);
    }
    return check_heads("vit_heads", c->vit_heads, "vit_width", c->vit_width, error);
}

static icseg_status check_text(const icseg_config *c, icseg_error *error) {
    ICSEG_TRY(check_heads("text_heads", c->text_heads, "text_width", c->text_width, error));
    if (icseg_config_decodes_prompts(c))
        ICSEG_TRY(check_heads("prompt_heads", c->prompt_heads, "prompt_width", c->prompt_width, error));
    if (c->post_prompt) ICSEG_TRY(check_heads("post_heads", c->post_heads, "post_width", c->post_width, error));
    if (c->prompt != ICSEG_PROMPT_TEMPLATE && c->prompt_tokens + 2 >= c->context_length)
        return FAIL("prompt_tokens",
                    "= %d: with SOS and EOS they leave no space for a class name in "
                    "\"context_length\" = %d",
                    c->prompt_tokens, c->context_length);
    if (c->prompt != ICSEG_PROMPT_TEMPLATE && c->prompt_depth > c->text_layers)
        return FAIL("prompt_depth", "= %d: the text transformer has only \"text_layers\" = %d blocks", c->prompt_depth,
                    c->text_layers);
    return ICSEG_OK;
}

/* Without score maps, the model is a plain Semantic FPN, which does not read the text. */
static icseg_status check_plain(const icseg_config *c, icseg_error *error) {
    static const char why[] = "\"align_strides\" is empty, so that nothing reads the text";
    if (c->prompt != ICSEG_PROMPT_TEMPLATE)
        return FAIL("prompt", "must be %s, because %s", icseg_prompt_words[ICSEG_PROMPT_TEMPLATE], why);
    if (c->post_prompt) return FAIL("post_prompt", "must be false, because %s", why);
    if (c->contrast_weight > 0) return FAIL("contrast_weight", "must be 0, because %s", why);
    if (c->score_logits > 0) return FAIL("score_logits", "must be 0, because %s", why);
    return ICSEG_OK;
}

static icseg_status check_alignment(const icseg_config *c, icseg_error *error) {
    int embed = icseg_config_embed_level(c);
    bool any = false;
    for (int i = 0; i < ICSEG_LEVELS; i++) any |= c->align[i];
    if (!any) return check_plain(c, error);
    if (!c->align[embed])
        return FAIL("align_strides", "lacks %d, the embedding stride of a %s", icseg_strides[embed],
                    icseg_backbone_words[c->backbone]);
    for (int i = 0; i < ICSEG_LEVELS; i++) {
        double weight = c->align_weights[i];
        if (c->align[i] && isnan(weight))
            return FAIL("align_weights", "has no weight for stride %d, which is in \"align_strides\"",
                        icseg_strides[i]);
        if (!isnan(weight) && !(weight >= 0 && weight <= 1e30))
            return FAIL("align_weights", "has %g for stride %d; expected a number from 0 to 1e+30", weight,
                        icseg_strides[i]);
    }
    return ICSEG_OK;
}

static icseg_status check_contrast(const icseg_config *c, icseg_error *error) {
    int embed = icseg_config_embed_level(c);
    if (c->contrast_weight == 0) return ICSEG_OK;
    for (int i = 0; i < ICSEG_LEVELS; i++)
        if (c->contrast_strides[i] && !c->align[i])
            return FAIL("contrast_strides", "contains %d, which is not in \"align_strides\"", icseg_strides[i]);
    if (c->contrast_tau > 0 && c->contrast_tau < 1e-30) /* scores are divided by it, as floats */
        return FAIL("contrast_tau", "= %.12g is not accepted; expected 0 or a number from 1e-30 to 1e+30",
                    c->contrast_tau);
    if (c->contrast_memory == 0) return ICSEG_OK;
    if (c->contrast_anchor == ICSEG_CONTRAST_IMAGE)
        return FAIL("contrast_memory",
                    "= %d needs \"contrast_anchor\" text or both: a position is compared with all "
                    "classes already",
                    c->contrast_memory);
    if (!icseg_config_contrasts(c, embed))
        return FAIL("contrast_memory", "= %d needs %d, the embedding stride, in \"contrast_strides\"",
                    c->contrast_memory, icseg_strides[embed]);
    return ICSEG_OK;
}

static icseg_status check_decode(const icseg_config *c, icseg_error *error) {
    if (c->focal_gamma > 0 && c->label_smoothing > 0)
        return FAIL("label_smoothing",
                    "= %.12g: must be 0, because the focal loss has one target; or set \"focal_gamma\" to 0",
                    c->label_smoothing);
    return ICSEG_OK;
}

icseg_status icseg_config_check(const icseg_config *config, icseg_error *error) {
    icseg_config own;
    ICSEG_NEED(config);
    ICSEG_TRY(icseg_config_read(&own, config, error));
    for (int i = 0; i < FIELDS; i++) /* first the fields that decide which others are used */
        if (fields[i].type == ICSEG_OPTION_WORD) ICSEG_TRY(check_field(&fields[i], &own, error));
    for (int i = 0; i < FIELDS; i++)
        if (is_used(usages[i], &own)) ICSEG_TRY(check_field(&fields[i], &own, error));
    if (own.num_classes == 0) return FAIL("num_classes", "= 0 is not accepted; a model needs at least %d class", 1);
    ICSEG_TRY(check_backbone(&own, error));
    ICSEG_TRY(check_text(&own, error));
    ICSEG_TRY(check_alignment(&own, error));
    ICSEG_TRY(check_contrast(&own, error));
    return check_decode(&own, error);
}
