/* SPDX-License-Identifier: Apache-2.0
 * Starting from the weights of a file: a checkpoint of ours with the same or other classes, or CLIP's two encoders. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "train/trainer.h"

/* Keys that shape the encoders; everything else of a model may differ from the file's. */
static bool shapes_encoders(const char *key) {
    static const char *const keys[] = {"backbone",   "resnet_layers", "resnet_width", "vit_patch",  "vit_width",
                                       "vit_layers", "vit_heads",     "vit_taps",     "pos_grid",   "embed_dim",
                                       "text_width", "text_heads",    "text_layers",  "vocab_size", "context_length"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (!strncmp(key, "model.", 6) && !strcmp(key + 6, keys[i])) return true;
    return false;
}

static bool shapes_resnet_encoders(const char *key) { return shapes_encoders(key) && strncmp(key, "model.vit_", 10); }
static bool shapes_vit_encoders(const char *key) { return shapes_encoders(key) && strncmp(key, "model.resnet_", 13); }

static icseg_status compare_config(const icseg_trainer *t, const icseg_safetensors *file, icseg_error *error) {
    const char *path = icseg_safetensors_path(file), *text = icseg_safetensors_metadata(file, "icpc.config");
    if (!text) return ICSEG_OK;
    icseg_recipe theirs = *t->recipe;
    icseg_status status = icseg_config_read_json(&theirs.model, text, error);
    if (status != ICSEG_OK) {
        icseg_fail_prefix(error, "%s: icpc.config", path);
        return status;
    }
    icseg_string ours_text = {0}, their_text = {0};
    bool resnet = t->recipe->model.backbone == ICSEG_BACKBONE_RESNET;
    const char *key = icseg_recipe_compare(t->recipe, &theirs, resnet ? shapes_resnet_encoders : shapes_vit_encoders,
                                           &ours_text, &their_text);
    if (key)
        status = icseg_fail(error, ICSEG_ERROR_CONFIG,
                            "%s: its %s is %s, the recipe's is %s: set it to the file's value to start from this file",
                            path, key, their_text.data, ours_text.data);
    icseg_string_close(&ours_text);
    icseg_string_close(&their_text);
    return status;
}

static bool same_classes(const icseg_trainer *t, const icseg_safetensors *file) {
    const char *text = icseg_safetensors_metadata(file, "icpc.classes");
    json_t *list = text ? json_loads(text, 0, NULL) : NULL;
    size_t count = json_array_size(list);
    bool same = list && count == (size_t)icseg_dataset_classes(t->train);
    for (size_t k = 0; k < count && same; k++) {
        const char *name = json_string_value(json_array_get(list, k));
        same = name && !strcmp(name, icseg_dataset_class_names(t->train)[k]);
    }
    json_decref(list);
    return same;
}

/* The classifier, and the laterals whose inputs end in score maps: their channels stand for classes. */
static bool is_tied_to_classes(const icseg_trainer *t, const char *name) {
    char lateral[64];
    if (!strncmp(name, "decoder.head.conv_seg.", 22)) return true;
    for (int i = 0; i < ICSEG_LEVELS; i++) {
        snprintf(lateral, sizeof lateral, "decoder.neck.lateral_convs.%d.", i);
        if (t->recipe->model.align[i] && !strncmp(name, lateral, strlen(lateral))) return true;
    }
    return false;
}

static icseg_status read_tensor(icseg_param *p, const icseg_safetensors *file, icseg_error *error) {
    float *values = icseg_alloc_array((size_t)p->count, sizeof *values);
    if (!values) return icseg_fail_memory(error, (size_t)p->count * sizeof *values, p->name);
    icseg_status status = icseg_safetensors_read_f32(file, p->name, p->file_shape, values, error);
    if (status == ICSEG_OK) icseg_param_import(p, values);
    icseg_free(values);
    return status;
}

/* Names in a sentence: the first few, then how many more. */
typedef struct name_list {
    int64_t count;
    icseg_string text;
} name_list;

static void add_name(name_list *list, const char *name) {
    if (list->count++ < 12) icseg_string_printf(&list->text, "%s%s", list->count > 1 ? ", " : "", name);
}

static void say_names(const icseg_trainer *t, const char *path, const char *what, const name_list *list) {
    if (!list->count || list->text.failed) return;
    char more[40] = "";
    if (list->count > 12) snprintf(more, sizeof more, ", and %lld more", (long long)list->count - 12);
    icseg_trainer_say(t, "%s: %lld %s: %s%s", path, (long long)list->count, what, list->text.data, more);
}

static icseg_status load_tensors(icseg_trainer *t, const icseg_safetensors *file, name_list *fresh, name_list *unused,
                                 icseg_error *error) {
    const char *path = icseg_safetensors_path(file);
    icseg_params *params = t->model->params;
    bool same = same_classes(t, file);
    int64_t count = icseg_params_count(params);
    for (int64_t i = 0; i < count; i++) {
        icseg_param *p = icseg_params_at(params, i);
        if (!icseg_safetensors_find(file, p->name) || (!same && is_tied_to_classes(t, p->name)))
            add_name(fresh, p->name);
        else
            ICSEG_TRY(read_tensor(p, file, error));
    }
    if (fresh->count == count)
        return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: none of its %zu tensors has a name this model knows", path,
                          icseg_safetensors_count(file));
    for (size_t i = 0; i < icseg_safetensors_count(file); i++) {
        const char *name = icseg_safetensors_at(file, i)->name;
        if (!icseg_params_find(params, name)) add_name(unused, name);
    }
    icseg_trainer_say(t, "%s: %lld of %lld tensors loaded%s", path, (long long)(count - fresh->count), (long long)count,
                      same ? "" : "; its class list is another one or missing");
    return ICSEG_OK;
}

icseg_status icseg_trainer_load_initial(icseg_trainer *t, const char *path, icseg_error *error) {
    icseg_safetensors *file;
    name_list fresh = {0}, unused = {0};
    ICSEG_TRY(icseg_safetensors_open(&file, path, error));
    icseg_status status = compare_config(t, file, error);
    if (status == ICSEG_OK) status = load_tensors(t, file, &fresh, &unused, error);
    if (status == ICSEG_OK) {
        say_names(t, path, "tensors of the model start fresh", &fresh);
        say_names(t, path, "tensors of the file are not used", &unused);
    }
    icseg_string_close(&fresh.text);
    icseg_string_close(&unused.text);
    icseg_safetensors_close(&file);
    return status;
}
