/* SPDX-License-Identifier: Apache-2.0
 * Makes the list of an image's maps, with their names, values and colour scales. */
#include "explain/maps.h"

#include <stdio.h>
#include <string.h>

#include "inference/session.h"
#include "model/config.h"

enum { CLASS_NAME_BYTES = 48 };

/* The list as it is filled. */
typedef struct maker {
    icseg_explained *x;
    const icseg_explainer *e;
    icseg_explain_map *maps;
    int32_t count;
    bool failed; /* out of memory */
} maker;

/* The name of a class as a part of a file's name. */
static void file_part(const char *name, char out[CLASS_NAME_BYTES]) {
    size_t i = 0;
    for (; name[i] && i + 1 < CLASS_NAME_BYTES; i++) {
        char c = name[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
        if (plain)
            out[i] = c;
        else
            out[i] = '_';
    }
    out[i] = '\0';
}

/* Mean and largest value. */
static void summarise(icseg_explain_map *map) {
    size_t count = (size_t)map->width * (size_t)map->height;
    double sum = 0, largest = (double)map->values[0];
    for (size_t i = 0; i < count; i++) {
        sum += (double)map->values[i];
        if ((double)map->values[i] > largest) largest = (double)map->values[i];
    }
    map->mean = sum / (double)count;
    map->largest = largest;
}

/* what: the end of the file's name without extension. */
static icseg_explain_map *add(maker *k, icseg_explain_kind kind, int32_t model, const float *values, const char *what) {
    icseg_explain_map *map = &k->maps[k->count++];
    const char *file = icseg_arena_printf(k->x->arena, "%s%s_%s.png", k->x->stem, model ? "_against" : "", what);
    k->failed |= !file;
    *map = (icseg_explain_map){.kind = kind,
                               .model = model,
                               .index = -1,
                               .width = k->x->image.width,
                               .height = k->x->image.height,
                               .values = values,
                               .high = 1,
                               .covers_width = 1,
                               .covers_height = 1,
                               .file = file};
    return map;
}

static icseg_status add_pixel_maps(maker *k, int32_t model, const float *entropy, icseg_error *error) {
    icseg_tensor confidence;
    ICSEG_TRY(icseg_result_tensor(k->x->result[model], ICSEG_OUTPUT_CONFIDENCE, &confidence, error));
    add(k, ICSEG_EXPLAIN_LABELS, model, NULL, "labels");
    summarise(add(k, ICSEG_EXPLAIN_CONFIDENCE, model, confidence.data, "confidence"));
    summarise(add(k, ICSEG_EXPLAIN_ENTROPY, model, entropy, "entropy"));
    return ICSEG_OK;
}

/* -- scores */

static icseg_status add_score(maker *k, int32_t model, int level, int32_t class, icseg_error *error) {
    char name[CLASS_NAME_BYTES], what[CLASS_NAME_BYTES + 48];
    icseg_tensor t;
    ICSEG_TRY(icseg_result_tensor(k->x->result[model], (icseg_output)(ICSEG_OUTPUT_SCORES_4 << level), &t, error));
    int64_t positions = t.shape[1] * t.shape[2], classes = t.shape[3];
    float *values = icseg_arena_array(k->x->arena, (size_t)positions, sizeof *values);
    if (!values) return icseg_fail_memory(error, (size_t)positions * sizeof *values, "a score map");
    for (int64_t i = 0; i < positions; i++) values[i] = ((const float *)t.data)[i * classes + class];
    file_part(k->e->class_names[class], name);
    snprintf(what, sizeof what, "score_%d_%d_%s", 4 << level, (int)class, name);
    icseg_explain_map *map = add(k, ICSEG_EXPLAIN_SCORE, model, values, what);
    map->stride = 4 << level;
    map->index = class;
    map->width = (int32_t)t.shape[2];
    map->height = (int32_t)t.shape[1];
    summarise(map);
    return ICSEG_OK;
}

/* One scale for the maps first .. count - 1. */
static void share_scale(maker *k, int32_t first) {
    if (first == k->count) return;
    double low = (double)k->maps[first].values[0], high = low;
    for (int32_t i = first; i < k->count; i++) {
        const icseg_explain_map *map = &k->maps[i];
        for (size_t j = 0; j < (size_t)map->width * (size_t)map->height; j++) {
            double value = (double)map->values[j];
            if (value < low) low = value;
            if (value > high) high = value;
        }
    }
    for (int32_t i = first; i < k->count; i++) {
        k->maps[i].low = low;
        k->maps[i].high = high;
    }
}

/* Those of one stride: class by class, the models next to each other. */
static icseg_status add_scores(maker *k, int level, const int32_t *chosen, int32_t count, icseg_error *error) {
    int32_t first = k->count;
    for (int32_t i = 0; i < count; i++)
        for (int32_t m = 0; m < k->x->found.models; m++)
            if (k->x->found.model[m].score_mean[level]) ICSEG_TRY(add_score(k, m, level, chosen[i], error));
    share_scale(k, first);
    return ICSEG_OK;
}

/* -- attention */

/* The parts of the image that the regions cover. The logits have four times the positions of a ViT's grid, and eight
 * times those of a ResNet's. */
static icseg_status cover(maker *k, int32_t model, icseg_explain_map *map, icseg_error *error) {
    const icseg_config *c = icseg_model_config(k->e->session[model]->model);
    icseg_tensor logits;
    ICSEG_TRY(icseg_result_tensor(k->x->result[model], ICSEG_OUTPUT_LOGITS, &logits, error));
    int64_t h = logits.shape[1] >> icseg_config_embed_level(c), w = logits.shape[2] >> icseg_config_embed_level(c);
    int64_t side = icseg_config_region_side(c, h, w);
    map->covers_height = (double)(side * map->height) / (double)h;
    map->covers_width = (double)(side * map->width) / (double)w;
    return ICSEG_OK;
}

static icseg_status add_attention(maker *k, int32_t model, icseg_error *error) {
    icseg_tensor t;
    int32_t first = k->count;
    double high = 0;
    if (!(icseg_result_outputs(k->x->result[model]) & ICSEG_OUTPUT_PROMPT_ATTENTION)) return ICSEG_OK;
    ICSEG_TRY(icseg_result_tensor(k->x->result[model], ICSEG_OUTPUT_PROMPT_ATTENTION, &t, error));
    int64_t positions = t.shape[2] * t.shape[3];
    for (int32_t i = 0; i < t.shape[1]; i++) {
        char what[48];
        snprintf(what, sizeof what, "attention_%d", (int)i + 1);
        icseg_explain_map *map = add(k, ICSEG_EXPLAIN_ATTENTION, model, (const float *)t.data + i * positions, what);
        map->index = i;
        map->height = (int32_t)t.shape[2];
        map->width = (int32_t)t.shape[3];
        summarise(map);
        map->global_share = 1 - map->mean * (double)positions;
        if (map->global_share < 0) map->global_share = 0;
        if (map->largest > high) high = map->largest;
        ICSEG_TRY(cover(k, model, map, error));
    }
    for (int32_t i = first; i < k->count; i++) k->maps[i].high = high;
    return ICSEG_OK;
}

/* -- all */

static size_t most_maps(const icseg_explained *x, const icseg_explainer *e, int32_t count) {
    enum { PIXEL_MAPS = 3 };
    size_t most = 0;
    for (int32_t m = 0; m < x->found.models; m++)
        most += PIXEL_MAPS + (size_t)ICSEG_LEVELS * (size_t)count +
                (size_t)icseg_model_config(e->session[m]->model)->prompt_tokens;
    return most;
}

icseg_status icseg_explain_make_maps(icseg_explained *x, const icseg_explainer *e, const float *const *entropy,
                                     const int32_t *chosen, int32_t count, icseg_error *error) {
    size_t most = most_maps(x, e, count);
    maker k = {.x = x, .e = e, .maps = icseg_arena_array(x->arena, most, sizeof(icseg_explain_map))};
    if (!k.maps) return icseg_fail_memory(error, most * sizeof *k.maps, "a list of maps");
    for (int32_t m = 0; m < x->found.models; m++) ICSEG_TRY(add_pixel_maps(&k, m, entropy[m], error));
    for (int i = 0; i < ICSEG_LEVELS; i++) ICSEG_TRY(add_scores(&k, i, chosen, count, error));
    for (int32_t m = 0; m < x->found.models; m++) ICSEG_TRY(add_attention(&k, m, error));
    if (k.failed) return icseg_fail_memory(error, 0, "the names of maps");
    x->maps = k.maps;
    x->found.maps = k.maps;
    x->found.map_count = k.count;
    return ICSEG_OK;
}
