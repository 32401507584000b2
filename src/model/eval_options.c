/* SPDX-License-Identifier: Apache-2.0
 * How images are brought to a model: what is accepted, and what a checkpoint says of its training's evaluations
 * (docs/checkpoint.md, "icseg.eval"). */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "model/model.h"

static const char *const modes[] = {[ICSEG_EVAL_WHOLE] = "whole", [ICSEG_EVAL_SLIDE] = "slide"};

icseg_eval_options icseg_eval_options_default(void) {
    return (icseg_eval_options){.mode = ICSEG_EVAL_WHOLE, .crop_height = 512, .crop_width = 512};
}

icseg_eval_options icseg_eval_options_of(const icseg_model *m) { return m->eval; }

static icseg_status check_side(const char *name, int32_t value, int32_t least, int32_t most, icseg_error *error) {
    if (value >= least && value <= most) return ICSEG_OK;
    return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "%s %d: %d..%d is expected", name, value, least, most);
}

icseg_status icseg_eval_options_check(const icseg_eval_options *o, icseg_error *error) {
    if (o->mode != ICSEG_EVAL_WHOLE && o->mode != ICSEG_EVAL_SLIDE)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "evaluation mode %d: whole or slide is expected", (int)o->mode);
    ICSEG_TRY(check_side("resize_short", o->resize_short, 0, ICSEG_IMAGE_MAX_SIDE, error));
    ICSEG_TRY(check_side("resize_long", o->resize_long, 0, ICSEG_IMAGE_MAX_SIDE, error));
    if (o->resize_long && o->resize_long < o->resize_short)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "resize_long %d is below resize_short %d", o->resize_long,
                          o->resize_short);
    if (o->mode == ICSEG_EVAL_SLIDE) {
        ICSEG_TRY(check_side("crop height", o->crop_height, ICSEG_SMALLEST_SIDE, ICSEG_IMAGE_MAX_SIDE, error));
        ICSEG_TRY(check_side("crop width", o->crop_width, ICSEG_SMALLEST_SIDE, ICSEG_IMAGE_MAX_SIDE, error));
        ICSEG_TRY(check_side("stride height", o->stride_height, 0, o->crop_height, error));
        ICSEG_TRY(check_side("stride width", o->stride_width, 0, o->crop_width, error));
    }
    ICSEG_TRY(check_side("scale_count", o->scale_count, 0, ICSEG_EVAL_SCALES, error));
    for (int32_t i = 0; i < o->scale_count; i++)
        if (!(o->scale[i] >= 1.0 / 16 && o->scale[i] <= 16))
            return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "test scale %g: 0.0625..16 is expected", o->scale[i]);
    return ICSEG_OK;
}

/* -- metadata: {"mode": "slide", "crop": [512, 512], "stride": [341, 341], "resize_short": 512} */

/* The nearest there is; which sides are good is checked later. */
static int32_t side(json_int_t value) {
    return value > INT32_MAX ? INT32_MAX : value < INT32_MIN ? INT32_MIN : (int32_t)value;
}

icseg_status icseg_model_read_eval(icseg_model *m, const icseg_safetensors *file, icseg_error *error) {
    const char *path = icseg_safetensors_path(file), *text = icseg_safetensors_metadata(file, "icseg.eval"), *mode;
    json_int_t crop[2], stride[2], resize_short;
    icseg_eval_options o = {.mode = ICSEG_EVAL_SLIDE}; /* whose sides are checked in either mode */
    json_error_t fault;
    icseg_error found = {0};
    if (!text) return ICSEG_OK;
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &fault);
    icseg_status status = ICSEG_OK;
    if (!root || json_unpack_ex(root, &fault, 0, "{s:s, s:[II], s:[II], s:I}", "mode", &mode, "crop", &crop[0],
                                &crop[1], "stride", &stride[0], &stride[1], "resize_short", &resize_short) != 0) {
        status = icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: metadata icseg.eval: %s", path, fault.text);
        json_decref(root);
        return status;
    }
    o.crop_height = side(crop[0]), o.crop_width = side(crop[1]);
    o.stride_height = side(stride[0]), o.stride_width = side(stride[1]);
    o.resize_short = side(resize_short);
    if (icseg_eval_options_check(&o, &found) != ICSEG_OK)
        status = icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: icseg.eval: %s", path, found.message);
    else if (strcmp(mode, modes[ICSEG_EVAL_WHOLE]) == 0)
        o.mode = ICSEG_EVAL_WHOLE;
    else if (strcmp(mode, modes[ICSEG_EVAL_SLIDE]) != 0)
        status = icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: icseg.eval: mode \"%.40s\": whole or slide is expected",
                            path, mode);
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
    char *text = root ? json_dumps(root, 0) : NULL;
    json_decref(root);
    icseg_status status = text ? icseg_safetensors_writer_metadata(writer, "icseg.eval", text, error)
                               : icseg_fail_memory(error, 0, "checkpoint metadata");
    free(text);
    return status;
}

void icseg_model_set_eval(icseg_model *m, const icseg_eval_options *o) {
    m->eval = *o;
    m->eval.scale_count = 0;
    m->eval.flip = false;
    m->eval_known = true;
}
