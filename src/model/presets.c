/* SPDX-License-Identifier: Apache-2.0
 * The presets of models and recipes: CLIP's architectures, of which the reference has rn50, rn101, vit-b16 and the tiny
 * ones. */
#include <stddef.h>
#include <string.h>

#include "base/error.h"
#include "base/struct_size.h"
#include "base/text.h"
#include "model/config.h"

static void set_vit_weights(icseg_config *c) {
    c->align_weights[1] = c->align_weights[3] = 0.1;
    c->align_weights[2] = 0.4; /* the largest at the embedding stride */
}

static void rn50(icseg_config *c) { (void)c; }

static void rn101(icseg_config *c) {
    c->resnet_layers[2] = 23;
    c->embed_dim = 512;
}

typedef struct wide_resnet {
    int32_t layers[4], width, grid, embed_dim, text_width;
} wide_resnet;

static void set_resnet(icseg_config *c, wide_resnet r) {
    memcpy(c->resnet_layers, r.layers, sizeof c->resnet_layers);
    c->resnet_width = r.width;
    c->pos_grid = r.grid;
    c->embed_dim = r.embed_dim;
    c->text_width = r.text_width;
    c->text_heads = r.text_width / 64;
}

static void rn50x4(icseg_config *c) { set_resnet(c, (wide_resnet){{4, 6, 10, 6}, 80, 9, 640, 640}); }
static void rn50x16(icseg_config *c) { set_resnet(c, (wide_resnet){{6, 8, 18, 8}, 96, 12, 768, 768}); }
static void rn50x64(icseg_config *c) { set_resnet(c, (wide_resnet){{3, 15, 36, 10}, 128, 14, 1024, 1024}); }

void icseg_config_spread_taps(icseg_config *c) {
    int32_t after[ICSEG_LEVELS] = {c->vit_layers / 3, c->vit_layers / 2, c->vit_layers * 2 / 3, c->vit_layers};
    for (int i = 0; i < ICSEG_LEVELS; i++) {
        c->vit_taps[i] = after[i] - 1;
        if (i && c->vit_taps[i] <= c->vit_taps[i - 1]) c->vit_taps[i] = c->vit_taps[i - 1] + 1; /* a few blocks */
    }
}

static void vit_b16(icseg_config *c) {
    c->backbone = ICSEG_BACKBONE_VIT;
    c->embed_dim = 512;
    c->pos_grid = 14;
    set_vit_weights(c);
}

static void vit_b32(icseg_config *c) {
    vit_b16(c);
    c->vit_patch = 32;
    c->pos_grid = 7;
}

static void vit_l14(icseg_config *c) {
    vit_b16(c);
    c->vit_patch = 14;
    c->vit_width = 1024;
    c->vit_layers = 24;
    c->vit_heads = 16;
    c->pos_grid = 16;
    c->embed_dim = c->text_width = 768;
    c->text_heads = 12;
    icseg_config_spread_taps(c);
}

static void vit_l14_336(icseg_config *c) {
    vit_l14(c);
    c->pos_grid = 24;
}

static void vit_h14(icseg_config *c) {
    vit_l14(c);
    c->activation = ICSEG_CLIP_GELU; /* only LAION's and others' weights exist */
    c->vit_width = 1280;
    c->vit_layers = 32;
    c->embed_dim = c->text_width = 1024;
    c->text_heads = 16;
    c->text_layers = 24;
    icseg_config_spread_taps(c);
}

static void vit_g14(icseg_config *c) {
    vit_h14(c);
    c->vit_width = 1408;
    c->vit_layers = 40;
    c->vit_mlp_width = 6144;
    icseg_config_spread_taps(c);
}

static void tiny_resnet(icseg_config *c) {
    memcpy(c->resnet_layers, (int32_t[]){1, 2, 1, 1}, sizeof c->resnet_layers);
    c->resnet_width = c->prompt_width = c->fpn_dim = 16;
    c->pos_grid = 3;
    c->embed_dim = 48;
    c->text_width = 32;
    c->text_heads = 4;
    c->text_layers = 2;
    c->vocab_size = 64;
    c->context_length = c->align_dim = 24;
    c->prompt_tokens = 4;
    c->prompt_heads = 2;
    c->num_classes = 5;
    c->dropout = 0.0;
    c->contrast_positives = 3;
    c->contrast_negatives = 5;
}

static void tiny_vit(icseg_config *c) {
    tiny_resnet(c);
    c->backbone = ICSEG_BACKBONE_VIT;
    c->vit_width = 32;
    c->vit_layers = c->vit_heads = 4;
    for (int i = 0; i < ICSEG_LEVELS; i++) c->vit_taps[i] = i;
    set_vit_weights(c);
}

/* X(name, description, configure, published, side, drop_path) */
#define PRESETS(X)                                                                                                     \
    X("rn50", "CLIP's ResNet-50", rn50, true, 512, 0)                                                                  \
    X("rn101", "CLIP's ResNet-101", rn101, true, 512, 0)                                                               \
    X("rn50x4", "CLIP's ResNet-50x4", rn50x4, true, 512, 0)                                                            \
    X("rn50x16", "CLIP's ResNet-50x16", rn50x16, true, 512, 0)                                                         \
    X("rn50x64", "CLIP's ResNet-50x64", rn50x64, true, 512, 0)                                                         \
    X(ICSEG_VIT_PRESET, "CLIP's ViT-B/16", vit_b16, true, ICSEG_VIT_SIDE, ICSEG_VIT_DROP_PATH)                         \
    X("vit-b32", "CLIP's ViT-B/32", vit_b32, true, ICSEG_VIT_SIDE, ICSEG_VIT_DROP_PATH)                                \
    X("vit-l14", "CLIP's ViT-L/14", vit_l14, true, ICSEG_VIT14_SIDE, ICSEG_VIT_DROP_PATH)                              \
    X("vit-l14-336", "CLIP's ViT-L/14@336px", vit_l14_336, true, ICSEG_VIT14_SIDE, ICSEG_VIT_DROP_PATH)                \
    X("vit-h14", "LAION's ViT-H/14", vit_h14, true, ICSEG_VIT14_SIDE, ICSEG_VIT_DROP_PATH)                             \
    X("vit-g14", "LAION's ViT-g/14", vit_g14, true, ICSEG_VIT14_SIDE, ICSEG_VIT_DROP_PATH)                             \
    X("tiny-resnet", "a small ResNet for tests and demonstrations, trained from scratch", tiny_resnet, false, 512, 0)  \
    X("tiny-vit", "a small ViT for tests and demonstrations, trained from scratch", tiny_vit, false, 512, 0)

#define ROW(...)        {__VA_ARGS__},
#define WORD(NAME, ...) NAME,
static const icseg_preset presets[] = {PRESETS(ROW)};
const char *const icseg_preset_words[] = {PRESETS(WORD) NULL};
enum { COUNT = sizeof presets / sizeof *presets };

const icseg_preset *icseg_preset_at(int32_t index) { return index >= 0 && index < COUNT ? &presets[index] : NULL; }

int32_t icseg_preset_find(const char *name, icseg_error *error) {
    for (int32_t i = 0; i < COUNT; i++)
        if (!strcmp(name, presets[i].name)) return i;
    const char *nearest = icseg_text_nearest(name, icseg_preset_words, COUNT);
    icseg_string known = {0};
    for (int32_t i = 0; i < COUNT; i++) icseg_string_printf(&known, "%s%s", i ? ", " : "", presets[i].name);
    icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "preset", ICSEG_REMEDY_SET_FIELD,
                     "\"%.60s\" is not a preset%s%s%s; the presets are %s", name, nearest ? " (did you mean \"" : "",
                     nearest ? nearest : "", nearest ? "\"?)" : "", known.failed ? "those of the list" : known.data);
    icseg_string_close(&known);
    return -1;
}

int32_t icseg_preset_count(void) { return COUNT; }

const char *icseg_preset_name(int32_t index) {
    const icseg_preset *preset = icseg_preset_at(index);
    return preset ? preset->name : NULL;
}

const char *icseg_preset_description(int32_t index) {
    const icseg_preset *preset = icseg_preset_at(index);
    return preset ? preset->description : NULL;
}
