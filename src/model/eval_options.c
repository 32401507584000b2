/* SPDX-License-Identifier: Apache-2.0
 * How images are resized and divided for a model: which options are valid, and those that a checkpoint records of the
 * evaluations during its training (docs/checkpoint.md, "icseg.eval"). */
#include <stddef.h>
#include <string.h>

#include "base/argument.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/struct_size.h"
#include "icseg/image.h"
#include "model/model.h"

enum { FIRST_SIZE = offsetof(icseg_eval_options, refine) };

static const char *const modes[] = {[ICSEG_EVAL_WHOLE] = "whole", [ICSEG_EVAL_SLIDE] = "slide"};

icseg_status icseg_model_eval_options(const icseg_model *model, icseg_eval_options *out, icseg_error *error) {
    ICSEG_NEED(model);
    ICSEG_NEED(out);
    return icseg_struct_write(out, &model->eval, sizeof model->eval, FIRST_SIZE, "icseg_eval_options", error);
}

static icseg_status check_side(const char *name, int32_t value, int32_t minimum, int32_t maximum, icseg_error *error) {
    if (value >= minimum && value <= maximum) return ICSEG_OK;
    return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, name, ICSEG_REMEDY_SET_FIELD, "%s is %d: expected %d..%d",
                            name, value, minimum, maximum);
}

static icseg_status check(const icseg_eval_options *o, icseg_error *error) {
    if (o->mode != ICSEG_EVAL_WHOLE && o->mode != ICSEG_EVAL_SLIDE)
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "mode", ICSEG_REMEDY_SET_FIELD,
                                "mode is %d: not a value of icseg_eval_mode", (int)o->mode);
    ICSEG_TRY(check_side("resize_short", o->resize_short, 0, ICSEG_IMAGE_MAX_SIDE, error));
    ICSEG_TRY(check_side("resize_long", o->resize_long, 0, ICSEG_IMAGE_MAX_SIDE, error));
    if (o->resize_long && o->resize_long < o->resize_short)
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "resize_long", ICSEG_REMEDY_SET_FIELD,
                                "resize_long is %d, below resize_short %d", o->resize_long, o->resize_short);
    if (o->mode == ICSEG_EVAL_SLIDE) {
        ICSEG_TRY(check_side("crop_height", o->crop_height, ICSEG_MIN_SIDE, ICSEG_IMAGE_MAX_SIDE, error));
        ICSEG_TRY(check_side("crop_width", o->crop_width, ICSEG_MIN_SIDE, ICSEG_IMAGE_MAX_SIDE, error));
        ICSEG_TRY(check_side("stride_height", o->stride_height, 0, o->crop_height, error));
        ICSEG_TRY(check_side("stride_width", o->stride_width, 0, o->crop_width, error));
    }
    ICSEG_TRY(check_side("scale_count", o->scale_count, 0, ICSEG_EVAL_SCALES, error));
    for (int32_t i = 0; i < o->scale_count; i++)
        if (!(o->scale[i] >= 1.0 / 16 && o->scale[i] <= 16))
            return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "scale", ICSEG_REMEDY_SET_FIELD,
                                    "scale[%d] is %g: expected 0.0625..16", i, o->scale[i]);
    if (o->refine != ICSEG_REFINE_NONE && o->refine != ICSEG_REFINE_PAMR)
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "refine", ICSEG_REMEDY_SET_FIELD,
                                "refine is %d: not a value of icseg_refine", (int)o->refine);
    if (o->refine && (o->scale_count > 1 || o->flip))
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "refine", ICSEG_REMEDY_SET_FIELD,
                                "refine: needs one scale without the mirrored image");
    return ICSEG_OK;
}

icseg_status icseg_eval_options_read(icseg_eval_options *out, const icseg_eval_options *options,
                                     const icseg_eval_options *fallback, icseg_error *error) {
    enum { DEFAULT_CROP = 512 };
    if (!options) {
        *out = *fallback;
        return ICSEG_OK;
    }
    ICSEG_TRY(icseg_struct_read(out, sizeof *out, options, FIRST_SIZE, "icseg_eval_options", error));
    if (!out->crop_height) out->crop_height = DEFAULT_CROP;
    if (!out->crop_width) out->crop_width = DEFAULT_CROP;
    return check(out, error);
}

/* -- metadata: {"mode": "slide", "crop": [512, 512], "stride": [341, 341], "resize_short": 512} */

icseg_status icseg_model_read_eval(icseg_model *m, const icseg_safetensors *file, icseg_error *error) {
    const char *path = icseg_safetensors_path(file), *text = icseg_safetensors_metadata(file, "icseg.eval"), *mode;
    json_int_t crop[2], stride[2], resize_short;
    icseg_eval_options o = {ICSEG_EVAL_OPTIONS_INIT, .mode = ICSEG_EVAL_SLIDE}; /* its sides are always checked */
    json_error_t problem;
    icseg_error found = {0};
    if (!text) return ICSEG_OK;
    json_t *root;
    ICSEG_TRY(icseg_json_parse(&root, text, strlen(text), JSON_REJECT_DUPLICATES, &problem, error));
    icseg_status status = ICSEG_OK;
    if (!root || json_unpack_ex(root, &problem, 0, "{s:s, s:[II], s:[II], s:I}", "mode", &mode, "crop", &crop[0],
                                &crop[1], "stride", &stride[0], &stride[1], "resize_short", &resize_short) != 0) {
        status = icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: metadata icseg.eval: %s", path, problem.text);
        json_decref(root);
        return status;
    }
    o.crop_height = icseg_json_int32(crop[0]), o.crop_width = icseg_json_int32(crop[1]);
    o.stride_height = icseg_json_int32(stride[0]), o.stride_width = icseg_json_int32(stride[1]);
    o.resize_short = icseg_json_int32(resize_short);
    if (check(&o, &found) != ICSEG_OK)
        status = icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: icseg.eval: %s", path, found.message);
    else if (strcmp(mode, modes[ICSEG_EVAL_WHOLE]) == 0)
        o.mode = ICSEG_EVAL_WHOLE;
    else if (strcmp(mode, modes[ICSEG_EVAL_SLIDE]) != 0)
        status = icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: icseg.eval: mode \"%.40s\": expected whole or slide", path,
                            mode);
    json_decref(root);
    if (status == ICSEG_OK) icseg_model_set_eval(m, &o);
    return status;
}

icseg_status icseg_model_write_eval(const icseg_model *m, icseg_safetensors_writer *writer, icseg_error *error) {
    const icseg_eval_options *o = &m->eval;
    if (!m->eval_known) return ICSEG_OK;
    json_t *root =
        json_pack("{s:s, s:[ii], s:[ii], s:i}", "mode", modes[o->mode], "crop", (int)o->crop_height, (int)o->crop_width,
                  "stride", (int)o->stride_height, (int)o->stride_width, "resize_short", (int)o->resize_short);
    char *text = icseg_json_text(root, 0);
    icseg_status status = text ? icseg_safetensors_writer_metadata(writer, "icseg.eval", text, error)
                               : icseg_fail_memory(error, 0, "checkpoint metadata");
    icseg_free(text);
    return status;
}

void icseg_model_set_eval(icseg_model *m, const icseg_eval_options *o) {
    m->eval = *o;
    m->eval.scale_count = 0;
    m->eval.flip = false;
    m->eval.refine = ICSEG_REFINE_NONE;
    m->eval_known = true;
}
