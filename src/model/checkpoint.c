/* SPDX-License-Identifier: Apache-2.0
 * Checkpoints: one safetensors file with CLIP's tensor names, PyTorch layouts and metadata strings
 * (docs/checkpoint.md). */
#include <float.h>
#include <stdio.h>
#include <string.h>

#include "base/argument.h"
#include "base/json.h"
#include "base/memory.h"
#include "icseg/memory.h"
#include "model/model.h"

/* -- metadata */

/* A JSON array under `key`; freed with json_decref. */
static icseg_status read_list(const icseg_safetensors *file, const char *key, json_t **out, icseg_error *error) {
    const char *path = icseg_safetensors_path(file), *text = icseg_safetensors_metadata(file, key);
    *out = NULL;
    if (!text)
        return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: metadata %s is missing: not an icseg checkpoint", path, key);
    ICSEG_TRY(icseg_json_parse(out, text, strlen(text), JSON_REJECT_DUPLICATES, NULL, error));
    if (!json_is_array(*out)) {
        json_decref(*out);
        *out = NULL;
        return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: metadata %s is not a JSON list", path, key);
    }
    return ICSEG_OK;
}

static icseg_status read_names(json_t *list, const char *path, int32_t classes, icseg_arena *arena, const char ***out,
                               icseg_error *error) {
    if (json_array_size(list) != (size_t)classes)
        return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: icpc.classes has %zu %s, but the configuration has %d %s",
                          path, json_array_size(list), icseg_plural((int64_t)json_array_size(list), "name", "names"),
                          classes, icseg_plural(classes, "class", "classes"));
    const char **names = icseg_arena_array(arena, (size_t)classes, sizeof *names);
    if (!names) return icseg_fail_memory_in(error, (size_t)classes * sizeof *names, path);
    for (int32_t k = 0; k < classes; k++) {
        names[k] = json_string_value(json_array_get(list, (size_t)k)); /* lives as long as the list */
        if (!names[k]) return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: icpc.classes[%d] is not a string", path, k);
    }
    *out = names;
    return ICSEG_OK;
}

/* One text's ids; errors name it by `where`: "icpc.tokens[3]". */
static icseg_status read_ids(json_t *ids, const char *path, const char *where, const icseg_config *config,
                             icseg_arena *arena, icseg_tokens *out, icseg_error *error) {
    size_t count = json_array_size(ids); /* 0 if it is not an array */
    if (!count || count > (size_t)config->context_length)
        return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: %s must be a list of 1 to %d token ids", path, where,
                          config->context_length);
    int32_t *id = icseg_arena_array(arena, count, sizeof *id);
    if (!id) return icseg_fail_memory_in(error, count * sizeof *id, path);
    for (size_t i = 0; i < count; i++) {
        json_t *value = json_array_get(ids, i);
        json_int_t number = json_integer_value(value);
        if (!json_is_integer(value) || number < 0 || number >= config->vocab_size)
            return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: %s[%zu] is not a token id in 0..%d", path, where, i,
                              config->vocab_size - 1);
        id[i] = (int32_t)number;
    }
    *out = (icseg_tokens){.count = (int32_t)count, .ids = id};
    return ICSEG_OK;
}

/* icpc.tokens: for each class its name's ids, or a list of the ids of all its names if the first class has that form.
 */
static icseg_status read_texts(json_t *list, const char *path, const icseg_config *config, icseg_arena *arena,
                               icseg_texts *out, icseg_error *error) {
    size_t classes = (size_t)config->num_classes, count = 0;
    if (json_array_size(list) != classes)
        return icseg_fail(error, ICSEG_ERROR_FORMAT,
                          "%s: icpc.tokens has %zu lists, but the configuration has %zu classes", path,
                          json_array_size(list), classes);
    bool several = json_is_array(json_array_get(json_array_get(list, 0), 0));
    for (size_t k = 0; k < classes; k++) count += several ? json_array_size(json_array_get(list, k)) : 1;
    icseg_tokens *tokens = icseg_arena_array(arena, count, sizeof *tokens), *next = tokens;
    int32_t *names = icseg_arena_array(arena, classes, sizeof *names);
    if (!tokens || !names) return icseg_fail_memory_in(error, 0, path);
    for (size_t k = 0; k < classes; k++) {
        json_t *entry = json_array_get(list, k);
        size_t size = several ? json_array_size(entry) : 1;
        if (!size) return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: icpc.tokens[%zu] has no names", path, k);
        names[k] = (int32_t)size;
        for (size_t i = 0; i < size; i++) {
            char where[64];
            snprintf(where, sizeof where, several ? "icpc.tokens[%zu][%zu]" : "icpc.tokens[%zu]", k, i);
            ICSEG_TRY(read_ids(several ? json_array_get(entry, i) : entry, path, where, config, arena, next++, error));
        }
    }
    *out = (icseg_texts){.count = (int32_t)count, .tokens = tokens, .names = several ? names : NULL};
    return ICSEG_OK;
}

/* -- icseg.ranges: {"version": 4, "ranges": {"visual.conv1.weight": [-2.1, 2.6, 0, 4.5], ...}, "keep_f32": ["align.text
 * .weight", ...]}, by the names of weights: the smallest and the largest input, then output, then of each of the two
 * parts of an input that is two values joined. keep_f32, which may be missing, has the layers that stay f32 by choice;
 * their inputs have empty ranges. Version 3 had no parts. Version 2 had one number, the magnitude of inputs. Version 1
 * had no version, and the names of the graph's nodes, which changed with the graph: it cannot be used any more. */

enum { RANGES_VERSION = 4, MAGNITUDES_VERSION = 2 };

static bool is_number_within(const json_t *value, double low, double high) {
    return json_is_number(value) && json_number_value(value) >= low && json_number_value(value) <= high;
}

/* Reads what a layer has: a range of each side, with or without those of parts, or one magnitude. */
static bool parse_range(const json_t *value, icseg_activation_range side[ICSEG_LAYER_SIDES], int *sides) {
    const double most = (double)FLT_MAX;
    *sides = json_is_array(value) ? (int)json_array_size(value) / 2 : 1;
    if (!json_is_array(value)) {
        const double below = 128.0 / 127; /* bytes of version 2 were multiples of 1/127, from -128 to 127 */
        float range = (float)json_number_value(value);
        if (!is_number_within(value, 0, most / below)) return false;
        side[ICSEG_LAYER_IN] = (icseg_activation_range){-range * (float)below, range};
        return true;
    }
    size_t count = json_array_size(value);
    if (count != 2 * ICSEG_LAYER_FIRST && count != 2 * ICSEG_LAYER_SIDES) return false;
    for (size_t i = 0; i < count / 2; i++) {
        const json_t *low = json_array_get(value, 2 * i), *high = json_array_get(value, 2 * i + 1);
        if (!is_number_within(low, -most, 0) || !is_number_within(high, 0, most)) return false;
        side[i] = (icseg_activation_range){(float)json_number_value(low), (float)json_number_value(high)};
    }
    return true;
}

static icseg_status read_range(icseg_model *m, const char *path, const char *name, const json_t *value,
                               icseg_error *error) {
    const icseg_param *layer = icseg_params_find(m->params, name);
    icseg_activation_range side[ICSEG_LAYER_SIDES];
    int sides;
    if (!parse_range(value, side, &sides))
        return icseg_fail(error, ICSEG_ERROR_FORMAT,
                          "%s: icseg.ranges: %.80s is neither four or eight numbers [low, high, ...] of input, output "
                          "and the input's two parts, with low <= 0 <= high, nor one number of at least 0",
                          path, name);
    if (!layer || !layer->is_layer)
        return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: icseg.ranges: the model has no layer %.80s", path, name);
    for (int i = 0; i < sides; i++)
        ICSEG_TRY(icseg_activation_ranges_set(m->ranges, layer, (icseg_layer_side)i, side[i], error));
    return ICSEG_OK;
}

/* Ranges that int8 cannot use are dropped, and the model remembers why: the rest of it is good, and it can be
 * calibrated again. */
static icseg_status drop_ranges(icseg_model *m, const char *problem, icseg_error *error) {
    snprintf(m->ranges_problem, sizeof m->ranges_problem, "%s", problem);
    icseg_activation_ranges_close(&m->ranges);
    return icseg_activation_ranges_open(&m->ranges, error);
}

static icseg_status read_kept(icseg_model *m, const char *path, const json_t *list, icseg_error *error) {
    if (list && !json_is_array(list))
        return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: icseg.ranges: \"keep_f32\" is not a JSON list", path);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));
        const icseg_param *layer = name ? icseg_params_find(m->params, name) : NULL;
        if (!layer || !layer->is_layer)
            return icseg_fail(error, ICSEG_ERROR_FORMAT,
                              "%s: icseg.ranges: keep_f32[%zu] is not the name of one of the model's layers", path, i);
        ICSEG_TRY(icseg_activation_ranges_keep_f32(m->ranges, layer, true, error));
    }
    return ICSEG_OK;
}

static icseg_status read_ranges_of(icseg_model *m, const char *path, json_t *root, icseg_error *error) {
    json_t *version = json_object_get(root, "version"), *ranges = json_object_get(root, "ranges"), *value;
    icseg_ranges_summary summary;
    const char *name;
    if (!json_is_object(root))
        return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: metadata icseg.ranges is not a JSON object", path);
    if (!json_is_integer(version) || json_integer_value(version) > RANGES_VERSION ||
        json_integer_value(version) < MAGNITUDES_VERSION)
        return drop_ranges(m, "the INT8 calibration has the format of another version", error);
    if (!json_is_object(ranges))
        return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: icseg.ranges: \"ranges\" is not a JSON object", path);
    json_object_foreach(ranges, name, value) ICSEG_TRY(read_range(m, path, name, value, error));
    ICSEG_TRY(read_kept(m, path, json_object_get(root, "keep_f32"), error));
    if (icseg_activation_ranges_check(m->ranges, m->params, &summary)) return ICSEG_OK;
    return drop_ranges(m, summary.problem, error);
}

static icseg_status read_ranges(icseg_model *m, const icseg_safetensors *file, icseg_error *error) {
    const char *text = icseg_safetensors_metadata(file, "icseg.ranges");
    if (!text) return ICSEG_OK;
    json_t *root;
    ICSEG_TRY(icseg_json_parse(&root, text, strlen(text), JSON_REJECT_DUPLICATES, NULL, error));
    icseg_status status = read_ranges_of(m, icseg_safetensors_path(file), root, error);
    json_decref(root);
    return status;
}

/* NULL when out of memory. */
static json_t *ranges_of_layer(const icseg_model *m, const icseg_param *layer) {
    bool parts = icseg_activation_ranges_has(m->ranges, layer, ICSEG_LAYER_SECOND);
    json_t *list = json_array();
    bool complete = list;
    for (int side = 0; complete && side < (parts ? ICSEG_LAYER_SIDES : ICSEG_LAYER_FIRST); side++) {
        icseg_activation_range range = icseg_activation_ranges_find(m->ranges, layer, (icseg_layer_side)side);
        complete = json_array_append_new(list, json_real((double)range.low)) == 0 &&
                   json_array_append_new(list, json_real((double)range.high)) == 0;
    }
    if (complete) return list;
    json_decref(list);
    return NULL;
}

static icseg_status write_ranges(const icseg_model *m, icseg_safetensors_writer *writer, icseg_error *error) {
    json_t *ranges = json_object(), *kept = json_array();
    bool complete = ranges && kept;
    for (int64_t i = 0; i < icseg_params_count(m->params) && complete; i++) {
        const icseg_param *p = icseg_params_at(m->params, i);
        if (!icseg_activation_ranges_has(m->ranges, p, ICSEG_LAYER_IN)) continue;
        complete = json_object_set_new(ranges, p->name, ranges_of_layer(m, p)) == 0;
        if (icseg_activation_ranges_keeps_f32(m->ranges, p))
            complete &= json_array_append_new(kept, json_string(p->name)) == 0;
    }
    json_t *root =
        complete ? json_pack("{si sO sO}", "version", RANGES_VERSION, "ranges", ranges, "keep_f32", kept) : NULL;
    char *text = icseg_json_text(root, JSON_REAL_PRECISION(9));
    json_decref(ranges);
    json_decref(kept);
    icseg_status status = text ? icseg_safetensors_writer_metadata(writer, "icseg.ranges", text, error)
                               : icseg_fail_memory(error, 0, "checkpoint metadata");
    icseg_free(text);
    return status;
}

/* Plain CLIP, converted by icseg or as published. */
static bool is_clip(const icseg_safetensors *file) {
    if (icseg_safetensors_metadata(file, "icseg.clip")) return true;
    bool text =
        icseg_safetensors_find(file, "text_projection") || icseg_safetensors_find(file, "text_projection.weight");
    return text && !icseg_safetensors_find(file, "decoder.head.conv_seg.weight");
}

icseg_status icseg_model_open_metadata(icseg_model **out, const icseg_safetensors *file, const char *prefix,
                                       icseg_error *error) {
    const char *path = icseg_safetensors_path(file), *text = icseg_safetensors_metadata(file, "icpc.config");
    icseg_config config = {ICSEG_CONFIG_INIT};
    json_t *classes = NULL, *ids = NULL;
    icseg_arena *arena = NULL;
    const char **names = NULL;
    icseg_texts texts;
    *out = NULL;
    if (!text && is_clip(file))
        return icseg_fail_field(error, ICSEG_ERROR_FORMAT, NULL, ICSEG_REMEDY_START_FROM_CLIP,
                                "%s: CLIP's weights, without the decoder of a segmentation model; train a model that "
                                "starts from them, or label images with any class names with them",
                                path);
    if (!text)
        return icseg_fail_field(error, ICSEG_ERROR_FORMAT, NULL, ICSEG_REMEDY_CONVERT_WEIGHTS,
                                "%s: metadata icpc.config is missing: not an icseg checkpoint; convert a published "
                                "segmentation model first",
                                path);
    icseg_status status = icseg_config_read_json(&config, text, error);
    if (status != ICSEG_OK) {
        icseg_fail_prefix(error, "%s: icpc.config", path);
        return status;
    }
    ICSEG_TRY_GOTO(icseg_arena_open(&arena, error));
    ICSEG_TRY_GOTO(read_list(file, "icpc.classes", &classes, error));
    ICSEG_TRY_GOTO(read_list(file, "icpc.tokens", &ids, error));
    ICSEG_TRY_GOTO(read_names(classes, path, config.num_classes, arena, &names, error));
    ICSEG_TRY_GOTO(read_texts(ids, path, &config, arena, &texts, error));
    if (prefix) ICSEG_TRY_GOTO(icseg_config_check_tensors(&config, file, prefix, error));
    status = icseg_model_build(out, &config, names, &texts, error);
    if (status != ICSEG_OK) icseg_fail_prefix(error, "%s", path);
    if (status == ICSEG_OK) status = read_ranges(*out, file, error);
    if (status == ICSEG_OK) status = icseg_model_read_means(*out, file, error);
    if (status == ICSEG_OK) status = icseg_model_read_agreements(*out, file, error);
    if (status == ICSEG_OK) status = icseg_model_read_eval(*out, file, error);
    if (status == ICSEG_OK) status = icseg_model_read_images(*out, file, error);
    if (status != ICSEG_OK) icseg_model_close(out);
fail:
    json_decref(classes);
    json_decref(ids);
    icseg_arena_close(&arena);
    return status;
}

/* -- weights */

icseg_status icseg_model_find_params(icseg_model *m, const icseg_safetensors *file, const char *prefix, bool strict,
                                     icseg_error *error) {
    for (int64_t i = 0; i < icseg_params_count(m->params); i++) {
        icseg_param *p = icseg_params_at(m->params, i);
        char name[600];
        snprintf(name, sizeof name, "%s%s", prefix, p->name);
        ICSEG_TRY(icseg_param_from_file(p, file, name, error));
    }
    size_t length = strlen(prefix);
    for (size_t i = 0; i < icseg_safetensors_count(file) && strict; i++) {
        const char *name = icseg_safetensors_at(file, i)->name;
        if (!strncmp(name, ICSEG_OPTIMISER_PREFIX, sizeof ICSEG_OPTIMISER_PREFIX - 1)) continue;
        if (!strcmp(name, ICSEG_MEANS_TENSOR)) continue;
        if (!strncmp(name, prefix, length) && !icseg_params_find(m->params, name + length))
            return icseg_fail(error, ICSEG_ERROR_FORMAT,
                              "%s: tensor %s does not belong to the model that icpc.config describes",
                              icseg_safetensors_path(file), name);
    }
    return ICSEG_OK;
}

icseg_status icseg_model_read_params(icseg_model *m, const icseg_safetensors *file, const char *prefix, bool strict,
                                     icseg_error *error) {
    ICSEG_TRY(icseg_model_find_params(m, file, prefix, strict, error));
    return icseg_params_load(m->params, error);
}

static void close_file(void *file) {
    icseg_safetensors *f = file;
    icseg_safetensors_close(&f);
}

icseg_status icseg_model_open(icseg_model **out, const char *path, icseg_error *error) {
    icseg_status status;
    icseg_safetensors *file;
    ICSEG_NEED(out);
    *out = NULL;
    ICSEG_NEED(path);
    ICSEG_TRY(icseg_safetensors_open(&file, path, error));
    ICSEG_TRY_GOTO(icseg_model_open_metadata(out, file, "", error));
    ICSEG_TRY_GOTO(icseg_model_find_params(*out, file, "", true, error));
    ICSEG_TRY_GOTO(icseg_params_own((*out)->params, file, close_file, error));
    return ICSEG_OK;
fail:
    icseg_model_close(out);
    icseg_safetensors_close(&file);
    return status;
}

static bool append_ids(json_t *list, const icseg_tokens *tokens) {
    json_t *ids = json_array();
    bool complete = true;
    for (int32_t i = 0; i < tokens->count; i++)
        complete &= json_array_append_new(ids, json_integer(tokens->ids[i])) == 0;
    return (json_array_append_new(list, ids) == 0) & complete;
}

char *icseg_model_tokens_json(const icseg_model *m) {
    json_t *lists = json_array();
    bool complete = lists != NULL;
    const icseg_tokens *next = m->texts.tokens;
    for (int32_t k = 0; k < m->config.num_classes && complete; k++) {
        if (!m->texts.names) {
            complete &= append_ids(lists, next++);
            continue;
        }
        json_t *all = json_array();
        for (int32_t i = 0; i < m->texts.names[k]; i++) complete &= append_ids(all, next++);
        complete &= json_array_append_new(lists, all) == 0;
    }
    if (complete) return icseg_json_text(lists, 0);
    json_decref(lists);
    return NULL;
}

static char *classes_json(const icseg_model *m) {
    json_t *names = json_array();
    bool complete = names != NULL;
    for (int32_t k = 0; k < m->config.num_classes && complete; k++)
        complete = json_array_append_new(names, json_string(m->class_names[k])) == 0;
    if (complete) return icseg_json_text(names, 0);
    json_decref(names);
    return NULL;
}

icseg_status icseg_model_write_metadata(const icseg_model *m, icseg_safetensors_writer *writer, icseg_error *error) {
    char *config = NULL, *classes = classes_json(m), *tokens = icseg_model_tokens_json(m);
    icseg_status status = classes && tokens ? icseg_config_write_json(&m->config, &config, error)
                                            : icseg_fail_memory(error, 0, "checkpoint metadata");
    if (status == ICSEG_OK) status = icseg_safetensors_writer_metadata(writer, "icpc.config", config, error);
    if (status == ICSEG_OK) status = icseg_safetensors_writer_metadata(writer, "icpc.classes", classes, error);
    if (status == ICSEG_OK) status = icseg_safetensors_writer_metadata(writer, "icpc.tokens", tokens, error);
    if (status == ICSEG_OK) status = icseg_model_write_eval(m, writer, error);
    if (status == ICSEG_OK) status = icseg_model_write_images(m, writer, error);
    if (status == ICSEG_OK && icseg_model_is_calibrated(m)) status = write_ranges(m, writer, error);
    if (status == ICSEG_OK) status = icseg_model_write_agreements(m, writer, error);
    icseg_buffer_free(config);
    icseg_free(classes);
    icseg_free(tokens);
    return status;
}

icseg_status icseg_params_declare_in(const icseg_params *params, icseg_safetensors_writer *writer, icseg_error *error) {
    for (int64_t i = 0; i < icseg_params_count(params); i++) {
        const icseg_param *p = icseg_params_at(params, i);
        icseg_dtype dtype = icseg_param_is_f16(p) ? ICSEG_F16 : ICSEG_F32;
        ICSEG_TRY(icseg_safetensors_writer_declare(writer, p->name, dtype, p->file_shape, error));
    }
    return ICSEG_OK;
}

icseg_status icseg_model_declare(const icseg_model *m, icseg_safetensors_writer *writer, icseg_error *error) {
    ICSEG_TRY(icseg_params_declare_in(m->params, writer, error));
    ICSEG_TRY(icseg_model_declare_means(m, writer, error));
    return icseg_model_write_metadata(m, writer, error);
}

/* Values in the file's layout, in the type that was declared. */
static icseg_status append_values(const icseg_param *p, const float *values, icseg_safetensors_writer *writer,
                                  icseg_error *error) {
    size_t count = (size_t)p->count;
    if (!icseg_param_is_f16(p))
        return icseg_safetensors_writer_append(writer, p->name, values, count * sizeof *values, error);
    uint16_t *narrow = icseg_alloc_array(count, sizeof *narrow);
    if (!narrow) return icseg_fail_memory_in(error, count * sizeof *narrow, p->name);
    icseg_f16_from_f32(narrow, values, count);
    icseg_status status = icseg_safetensors_writer_append(writer, p->name, narrow, count * sizeof *narrow, error);
    icseg_free(narrow);
    return status;
}

static icseg_status append_param(const icseg_param *p, icseg_safetensors_writer *writer, icseg_error *error) {
    icseg_status status = ICSEG_OK;
    size_t bytes = (size_t)p->count * sizeof(float);
    const float *values;
    float *copy, *exported = NULL;
    ICSEG_TRY(icseg_param_borrow(p, &values, &copy, error));
    if (p->options.layout != ICSEG_LAYOUT_PLAIN) {
        exported = icseg_alloc(bytes);
        status = exported ? ICSEG_OK : icseg_fail_memory_in(error, bytes, p->name);
        if (exported) icseg_param_export(p, values, exported);
    }
    if (status == ICSEG_OK) status = append_values(p, exported ? exported : values, writer, error);
    icseg_free(copy);
    icseg_free(exported);
    return status;
}

icseg_status icseg_params_append_to(const icseg_params *params, icseg_safetensors_writer *writer, icseg_error *error) {
    for (int64_t i = 0; i < icseg_params_count(params); i++)
        ICSEG_TRY(append_param(icseg_params_at(params, i), writer, error));
    return ICSEG_OK;
}

icseg_status icseg_model_append(const icseg_model *m, icseg_safetensors_writer *writer, icseg_error *error) {
    ICSEG_TRY(icseg_params_append_to(m->params, writer, error));
    return icseg_model_append_means(m, writer, error);
}

icseg_status icseg_model_save(const icseg_model *model, const char *path, icseg_error *error) {
    icseg_safetensors_writer *writer;
    ICSEG_NEED(model);
    ICSEG_NEED(path);
    ICSEG_TRY(icseg_model_need_trained(model, "saved", error));
    ICSEG_TRY(icseg_safetensors_writer_open(&writer, path, error));
    icseg_status status = icseg_model_declare(model, writer, error);
    if (status == ICSEG_OK) status = icseg_safetensors_writer_begin(writer, error);
    if (status == ICSEG_OK) status = icseg_model_append(model, writer, error);
    if (status == ICSEG_OK) status = icseg_safetensors_writer_commit(writer, error);
    icseg_safetensors_writer_close(&writer);
    return status;
}
