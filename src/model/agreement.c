/* SPDX-License-Identifier: Apache-2.0
 * How well a model's labels in faster precisions agree with those of F32, and the choice of ICSEG_PRECISION_AUTO.
 * In checkpoints: metadata icseg.agreement, {"int8": {"images": 40, "mean": 0.9993, "low": 0.9991}, ...}. */
#include <stdint.h>
#include <string.h>

#include "base/argument.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/struct_size.h"
#include "model/model.h"

static const char *const names[ICSEG_AGREEMENTS] = {
    [ICSEG_PRECISION_BF16] = "bf16", [ICSEG_PRECISION_BF16X2] = "bf16x2", [ICSEG_PRECISION_INT8] = "int8"};

/* The fastest first, on every processor that supports them. */
static const icseg_precision order[] = {ICSEG_PRECISION_INT8, ICSEG_PRECISION_BF16, ICSEG_PRECISION_BF16X2};

icseg_status icseg_model_agreement(const icseg_model *m, icseg_precision precision, icseg_label_agreement *out,
                                   icseg_error *error) {
    enum { FIRST_SIZE = sizeof *out };
    ICSEG_NEED(m);
    ICSEG_NEED(out);
    if ((int)precision < 0 || (int)precision >= ICSEG_AGREEMENTS || !names[precision])
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "precision", ICSEG_REMEDY_SET_FIELD,
                                "precision is %d: expected BF16, BF16X2 or INT8", (int)precision);
    icseg_label_agreement found = m->agreements[precision];
    found.struct_size = sizeof found;
    return icseg_struct_write(out, &found, sizeof found, FIRST_SIZE, "icseg_label_agreement", error);
}

icseg_precision icseg_model_auto_precision(const icseg_model *m) {
    for (size_t i = 0; m && i < sizeof order / sizeof *order; i++) {
        const icseg_label_agreement *found = &m->agreements[order[i]];
        bool usable = order[i] != ICSEG_PRECISION_INT8 || icseg_model_is_calibrated(m);
        usable &= found->images >= ICSEG_AUTO_IMAGES && found->low >= ICSEG_AUTO_AGREEMENT;
        if (usable && icseg_precision_here(order[i]) == order[i]) return order[i];
    }
    return ICSEG_PRECISION_F32;
}

static icseg_status read_one(icseg_model *m, const char *path, const char *name, const json_t *value,
                             icseg_error *error) {
    const json_t *images = json_object_get(value, "images"), *mean = json_object_get(value, "mean"),
                 *low = json_object_get(value, "low");
    size_t p = 0;
    while (p < ICSEG_AGREEMENTS && (!names[p] || strcmp(names[p], name) != 0)) p++;
    if (p == ICSEG_AGREEMENTS) return ICSEG_OK; /* a precision of a later version */
    bool valid = json_is_integer(images) && json_integer_value(images) >= 1 &&
                 json_integer_value(images) <= INT32_MAX && json_is_number(mean) && json_is_number(low) &&
                 json_number_value(low) >= 0 && json_number_value(low) <= json_number_value(mean) &&
                 json_number_value(mean) <= 1;
    if (!valid)
        return icseg_fail(error, ICSEG_ERROR_FORMAT,
                          "%s: icseg.agreement: %s needs \"images\" of at least 1, and \"low\" and \"mean\" with 0 <= "
                          "low <= mean <= 1",
                          path, name);
    m->agreements[p] = (icseg_label_agreement){
        .images = (int32_t)json_integer_value(images), .mean = json_number_value(mean), .low = json_number_value(low)};
    return ICSEG_OK;
}

icseg_status icseg_model_read_agreements(icseg_model *m, const icseg_safetensors *file, icseg_error *error) {
    const char *text = icseg_safetensors_metadata(file, "icseg.agreement"), *path = icseg_safetensors_path(file), *name;
    json_t *root, *value;
    icseg_status status = ICSEG_OK;
    if (!text) return ICSEG_OK;
    ICSEG_TRY(icseg_json_parse(&root, text, strlen(text), JSON_REJECT_DUPLICATES, NULL, error));
    if (!json_is_object(root))
        status = icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: metadata icseg.agreement is not a JSON object", path);
    json_object_foreach(root, name, value) if (status == ICSEG_OK) status = read_one(m, path, name, value, error);
    json_decref(root);
    return status;
}

icseg_status icseg_model_write_agreements(const icseg_model *m, icseg_safetensors_writer *writer, icseg_error *error) {
    json_t *root = json_object();
    char *text = NULL;
    bool complete = root != NULL;
    for (size_t p = 0; p < ICSEG_AGREEMENTS && complete; p++) {
        const icseg_label_agreement *a = &m->agreements[p];
        if (a->images)
            complete = json_object_set_new(
                           root, names[p],
                           json_pack("{si sf sf}", "images", (int)a->images, "mean", a->mean, "low", a->low)) == 0;
    }
    if (complete && json_object_size(root)) {
        text = icseg_json_text(root, JSON_REAL_PRECISION(9)); /* takes root */
    } else {
        json_decref(root);
        if (complete) return ICSEG_OK;
    }
    icseg_status status = text ? icseg_safetensors_writer_metadata(writer, "icseg.agreement", text, error)
                               : icseg_fail_memory(error, 0, "checkpoint metadata");
    icseg_free(text);
    return status;
}
