/* SPDX-License-Identifier: Apache-2.0 */
#include "onnx/metadata.h"

#include "base/json.h"
#include "icseg/classes.h"
#include "image/normalize.h"

static json_t *class_list(const icseg_model *model) {
    json_t *list = json_array();
    for (int32_t k = 0; k < model->config.num_classes; k++)
        if (json_array_append_new(list, json_string(model->class_names[k]))) goto fail;
    return list;
fail:
    json_decref(list);
    return NULL;
}

static json_t *colours(const icseg_palette *palette) {
    json_t *list = json_array();
    for (int32_t k = 0; k < palette->size; k++) {
        const uint8_t *c = palette->color[k];
        if (json_array_append_new(list, json_pack("[iii]", c[0], c[1], c[2]))) goto fail;
    }
    return list;
fail:
    json_decref(list);
    return NULL;
}

static json_t *preprocessing(const icseg_model *model) {
    static const float mean[3] = ICSEG_MEAN, std[3] = ICSEG_STD;
    const icseg_eval_options *e = &model->eval;
    json_t *normalised =
        json_pack("{s:[fff],s:[fff]}", "mean", mean[0], mean[1], mean[2], "std", std[0], std[1], std[2]);
    return json_pack("{s:s,s:s,s:s,s:o,s:{s:s,s:i,s:i,s:[ii],s:[ii]}}", "layout", "NCHW", "channels", "RGB", "values",
                     "0 to 255", "normalised_inside_the_model", normalised, "evaluation", "mode",
                     e->mode == ICSEG_EVAL_SLIDE ? "slide" : "whole", "resize_short", e->resize_short, "resize_long",
                     e->resize_long, "crop", e->crop_height, e->crop_width, "stride", e->stride_height,
                     e->stride_width);
}

/* Takes `value`; NULL: out of memory. */
static icseg_status add(Icseg__Onnx__ModelProto *m, icseg_arena *arena, const char *key, json_t *value,
                        icseg_error *error) {
    char *text = value ? icseg_json_text(value, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
    Icseg__Onnx__StringStringEntryProto *entry = icseg_arena_alloc(arena, sizeof *entry);
    if (!text || !entry) {
        icseg_free(text);
        return icseg_fail_memory(error, 0, "metadata");
    }
    icseg__onnx__string_string_entry_proto__init(entry);
    entry->key = icseg_arena_strdup(arena, key);
    entry->value = icseg_arena_strdup(arena, text);
    icseg_free(text);
    if (!entry->key || !entry->value) return icseg_fail_memory(error, 0, "metadata");
    m->metadata_props[m->n_metadata_props++] = entry;
    return ICSEG_OK;
}

icseg_status icseg_onnx_describe(Icseg__Onnx__ModelProto *m, const icseg_model *model, icseg_arena *arena,
                                 icseg_error *error) {
    enum { PROPERTIES = 3 };
    icseg_palette palette;
    m->metadata_props = icseg_arena_array(arena, PROPERTIES, sizeof *m->metadata_props);
    if (!m->metadata_props) return icseg_fail_memory(error, 0, "metadata");
    ICSEG_TRY(icseg_palette_create_for(&palette, model->class_names, model->config.num_classes, error));
    json_t *colour_list = colours(&palette);
    icseg_palette_close(&palette);
    ICSEG_TRY(add(m, arena, "palette", colour_list, error));
    ICSEG_TRY(add(m, arena, "classes", class_list(model), error));
    return add(m, arena, "preprocessing", preprocessing(model), error);
}
