/* SPDX-License-Identifier: Apache-2.0
 * What a checkpoint records of the images that a model was trained on (docs/checkpoint.md, "icseg.image"):
 * {"bands": [4, 3, 2], "value_range": [0, 4095], "short_side": 360, "val_share": 0.2, "map": "255=1", "ignore": [2],
 * "reduce_zero_label": true}. Each entry may be missing. */
#include <stdint.h>
#include <string.h>

#include "base/argument.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/struct_size.h"
#include "image/check.h"
#include "model/model.h"

enum { MAX_IGNORE = 16 }; /* as in a recipe */

icseg_status icseg_model_image_values(const icseg_model *model, icseg_image_values *out, icseg_error *error) {
    enum { FIRST_SIZE = sizeof(icseg_image_values) };
    ICSEG_NEED(model);
    ICSEG_NEED(out);
    return icseg_struct_write(out, &model->values, sizeof model->values, FIRST_SIZE, "icseg_image_values", error);
}

icseg_status icseg_model_label_values(const icseg_model *model, icseg_label_values *out, icseg_error *error) {
    enum { FIRST_SIZE = sizeof(icseg_label_values) };
    ICSEG_NEED(model);
    ICSEG_NEED(out);
    icseg_label_values values = model->labels;
    if (!values.map) values.map = "";
    return icseg_struct_write(out, &values, sizeof values, FIRST_SIZE, "icseg_label_values", error);
}

int32_t icseg_model_trained_side(const icseg_model *model) { return model ? model->trained_side : 0; }

double icseg_model_val_share(const icseg_model *model) { return model ? model->val_share : 0; }

void icseg_model_set_images(icseg_model *m, const icseg_image_values *values, int32_t trained_side) {
    m->values = *values;
    m->trained_side = trained_side;
}

icseg_status icseg_model_set_labels(icseg_model *m, const icseg_label_values *values, icseg_error *error) {
    size_t bytes = (size_t)values->ignore_count * sizeof *values->ignore;
    icseg_label_values copy = *values;
    copy.map = icseg_arena_strdup(m->arena, values->map ? values->map : "");
    copy.ignore = bytes ? icseg_arena_copy(m->arena, values->ignore, bytes) : NULL;
    if (!copy.map || (bytes && !copy.ignore)) return icseg_fail_memory(error, 0, "a model");
    m->labels = copy;
    return ICSEG_OK;
}

static icseg_status read_labels(icseg_model *m, const char *path, json_t *root, icseg_error *error) {
    int32_t numbers[MAX_IGNORE];
    int reduce = 0;
    icseg_label_values found = {ICSEG_LABEL_VALUES_INIT, .ignore = numbers};
    json_t *ignore = NULL;
    json_error_t problem;
    if (json_unpack_ex(root, &problem, 0, "{s?s, s?o, s?b}", "map", &found.map, "ignore", &ignore, "reduce_zero_label",
                       &reduce) != 0)
        return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: metadata icseg.image: %s", path, problem.text);
    bool valid = !ignore || (json_is_array(ignore) && json_array_size(ignore) <= MAX_IGNORE);
    for (size_t i = 0; valid && i < json_array_size(ignore); i++) {
        json_int_t value = json_integer_value(json_array_get(ignore, i));
        valid = json_is_integer(json_array_get(ignore, i)) && value >= 0 && value <= UINT16_MAX;
        numbers[found.ignore_count++] = valid ? (int32_t)value : 0;
    }
    if (!valid)
        return icseg_fail(error, ICSEG_ERROR_FORMAT,
                          "%s: icseg.image: ignore is not a list of at most %d numbers from 0 to 65535", path,
                          (int)MAX_IGNORE);
    found.reduce_zero_label = reduce;
    return icseg_model_set_labels(m, &found, error);
}

static icseg_status read_object(icseg_model *m, const char *path, json_t *root, icseg_error *error) {
    icseg_image_values found = {ICSEG_IMAGE_VALUES_INIT}, values;
    json_int_t side = 0;
    double share = 0;
    json_t *bands = NULL;
    json_error_t problem;
    icseg_error invalid = {0};
    if (json_unpack_ex(root, &problem, 0, "{s?o, s?[FF], s?I, s?F}", "bands", &bands, "value_range", &found.value_low,
                       &found.value_high, "short_side", &side, "val_share", &share) != 0)
        return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: metadata icseg.image: %s", path, problem.text);
    size_t count = bands ? json_array_size(bands) : 0; /* 0 for what is not a list */
    bool valid = !bands || count == 1 || count == 3;
    for (size_t i = 0; i < count; i++) valid &= json_is_integer(json_array_get(bands, i));
    if (!valid)
        return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: icseg.image: bands is not a list of one or three numbers",
                          path);
    for (size_t i = 0; i < count; i++) found.bands[i] = icseg_json_int32(json_integer_value(json_array_get(bands, i)));
    if (icseg_image_values_read(&values, &found, &invalid) != ICSEG_OK)
        return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: icseg.image: %s", path, invalid.message);
    if (side < 0 || side > ICSEG_IMAGE_MAX_SIDE)
        return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: icseg.image: short_side is %lld: expected 0..%d", path,
                          (long long)side, ICSEG_IMAGE_MAX_SIDE);
    if (!(share >= 0 && share <= 0.9))
        return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: icseg.image: val_share is %g: expected 0..0.9", path, share);
    icseg_model_set_images(m, &values, icseg_json_int32(side));
    m->val_share = share;
    return read_labels(m, path, root, error);
}

icseg_status icseg_model_read_images(icseg_model *m, const icseg_safetensors *file, icseg_error *error) {
    const char *path = icseg_safetensors_path(file), *text = icseg_safetensors_metadata(file, "icseg.image");
    json_error_t problem;
    json_t *root;
    if (!text) return ICSEG_OK;
    ICSEG_TRY(icseg_json_parse(&root, text, strlen(text), JSON_REJECT_DUPLICATES, &problem, error));
    if (!root) return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: metadata icseg.image: %s", path, problem.text);
    icseg_status status = read_object(m, path, root, error);
    json_decref(root);
    return status;
}

static bool add_labels(json_t *root, const icseg_label_values *v) {
    bool complete = true;
    json_t *ignore = NULL;
    if (v->map && v->map[0]) complete = json_object_set_new(root, "map", json_string(v->map)) == 0;
    if (v->ignore_count) complete &= json_object_set_new(root, "ignore", ignore = json_array()) == 0;
    for (int32_t i = 0; i < v->ignore_count; i++)
        complete &= json_array_append_new(ignore, json_integer(v->ignore[i])) == 0;
    if (v->reduce_zero_label) complete &= json_object_set_new(root, "reduce_zero_label", json_true()) == 0;
    return complete;
}

icseg_status icseg_model_write_images(const icseg_model *m, icseg_safetensors_writer *writer, icseg_error *error) {
    const icseg_image_values *v = &m->values;
    const icseg_label_values *labels = &m->labels;
    bool ranged = v->value_low != v->value_high, complete;
    if (!m->trained_side && !v->bands[0] && !ranged && !(m->val_share > 0) && !(labels->map && labels->map[0]) &&
        !labels->ignore_count && !labels->reduce_zero_label)
        return ICSEG_OK;
    json_t *root = json_object();
    complete = root != NULL;
    if (v->bands[1])
        complete = json_object_set_new(root, "bands", json_pack("[iii]", v->bands[0], v->bands[1], v->bands[2])) == 0;
    else if (v->bands[0])
        complete = json_object_set_new(root, "bands", json_pack("[i]", v->bands[0])) == 0;
    if (complete && ranged)
        complete = json_object_set_new(root, "value_range", json_pack("[ff]", v->value_low, v->value_high)) == 0;
    if (complete && m->trained_side)
        complete = json_object_set_new(root, "short_side", json_integer(m->trained_side)) == 0;
    if (complete && m->val_share > 0) complete = json_object_set_new(root, "val_share", json_real(m->val_share)) == 0;
    complete = complete && add_labels(root, labels);
    char *text = complete ? icseg_json_text(root, 0) : (json_decref(root), NULL);
    icseg_status status = text ? icseg_safetensors_writer_metadata(writer, "icseg.image", text, error)
                               : icseg_fail_memory(error, 0, "checkpoint metadata");
    icseg_free(text);
    return status;
}
