/* SPDX-License-Identifier: Apache-2.0
 * The presets of models and recipes: the reference's presets. */
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

static void vit_b16(icseg_config *c) {
    c->backbone = ICSEG_BACKBONE_VIT;
    c->embed_dim = 512;
    c->pos_grid = 14;
    set_vit_weights(c);
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
    X(ICSEG_VIT_PRESET, "CLIP's ViT-B/16", vit_b16, true, ICSEG_VIT_SIDE, ICSEG_VIT_DROP_PATH)                         \
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
