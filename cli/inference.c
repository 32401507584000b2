/* SPDX-License-Identifier: Apache-2.0
 * Turns the options of a command into those of the library. */
#include "inference.h"

#include <string.h>

#include "icseg/open_vocabulary.h"
#include "support.h"

const char *const inference_modes[] = {"whole", "slide", NULL};
const char *const inference_refinements[] = {"none", "pamr", NULL};
const char *const inference_precisions[] = {"f32", "bf16", "auto", "bf16x2", "int8", NULL};

const icseg_precision inference_compared[] = {ICSEG_PRECISION_INT8, ICSEG_PRECISION_BF16, ICSEG_PRECISION_BF16X2};

const char *inference_lacks(icseg_precision precision) {
    return precision == ICSEG_PRECISION_BF16     ? "has none of AVX512_BF16, AMX_BF16 and the bf16 of ARM"
           : precision == ICSEG_PRECISION_BF16X2 ? "does not have AMX"
                                                 : "does not have AVX2";
}

/* What --precision auto chose, and why. */
static icseg_status note_choice(const icseg_model *model, icseg_precision used, icseg_printer *printer,
                                icseg_error *error) {
    icseg_label_agreement a = {ICSEG_LABEL_AGREEMENT_INIT};
    int32_t images = 0;
    if (used != ICSEG_PRECISION_F32) {
        TRY(icseg_model_agreement(model, used, &a, error));
        icseg_printer_note(printer,
                           "note: --precision auto: %s is used; %.2f %% of the labels of the %d images that `icseg "
                           "calibrate` compared are those of f32",
                           inference_precisions[used], 100 * a.mean, (int)a.images);
        return ICSEG_OK;
    }
    for (size_t i = 0; i < INFERENCE_COMPARED; i++) {
        TRY(icseg_model_agreement(model, inference_compared[i], &a, error));
        images = a.images > images ? a.images : images;
    }
    icseg_printer_note(printer, "note: --precision auto: f32 is used; %s",
                       icseg_model_open_vocabulary_info(model)
                           ? "labels of an open vocabulary were not compared with those of faster formats"
                       : !images ? "`icseg calibrate` finds out which faster format keeps 99.9 % of the labels"
                       : images < ICSEG_AUTO_IMAGES
                           ? "to choose a faster format, `icseg calibrate` must compare at least eight images"
                           : "of the formats that `icseg calibrate` compared, none that this processor supports keeps "
                             "99.9 % of the labels");
    return ICSEG_OK;
}

icseg_status inference_open(icseg_session **out, int32_t precision, icseg_model *model, const char *checkpoint,
                            icseg_printer *printer, icseg_error *error) {
    icseg_session_options options = {ICSEG_SESSION_OPTIONS_INIT, .threads = thread_count(),
                                     .precision = (icseg_precision)precision};
    icseg_model_calibration calibration = {ICSEG_MODEL_CALIBRATION_INIT};
    TRY(icseg_model_calibration_of(model, &calibration, error));
    if (precision == ICSEG_PRECISION_INT8 && calibration.problem)
        return icseg_error_set(error, ICSEG_ERROR_ARGUMENT,
                               "--precision int8: %s: %s; calibrate it again with `icseg calibrate`", checkpoint,
                               calibration.problem);
    if (precision == ICSEG_PRECISION_INT8 && !icseg_model_is_calibrated(model))
        return icseg_error_set(error, ICSEG_ERROR_ARGUMENT,
                               "--precision int8: %s is not calibrated; calibrate it with `icseg calibrate`",
                               checkpoint);
    TRY(icseg_session_open(out, model, &options, error));
    icseg_precision used = icseg_session_precision(*out);
    if (precision == ICSEG_PRECISION_AUTO) return note_choice(model, used, printer, error);
    if (used != ICSEG_PRECISION_F32 || precision == ICSEG_PRECISION_F32) return ICSEG_OK;
    icseg_printer_note(printer, "note: --precision %s: this processor %s; f32 is used", inference_precisions[precision],
                       inference_lacks((icseg_precision)precision));
    return ICSEG_OK;
}

icseg_status inference_check_resize(int32_t resize_short, int32_t resize_long, icseg_error *error) {
    if (resize_long && resize_short <= 0)
        return icseg_error_set(error, ICSEG_ERROR_ARGUMENT, "--resize-long needs --resize-short");
    if (resize_long && resize_long < resize_short)
        return icseg_error_set(error, ICSEG_ERROR_ARGUMENT, "--resize-long %d is below --resize-short %d", resize_long,
                               resize_short);
    return ICSEG_OK;
}

icseg_status inference_check(const inference_options *o, icseg_error *error) {
    TRY(inference_check_resize(o->resize_short, o->resize_long, error));
    if (!o->refine || (!o->flip && !o->tta && !o->scale_count)) return ICSEG_OK;
    return icseg_error_set(error, ICSEG_ERROR_ARGUMENT, "--refine cannot be combined with --tta, --scales and --flip");
}

void inference_defaults(inference_options *o) {
    o->mode = INFERENCE_AS_TRAINED;
    o->resize_short = -1;
}

icseg_status inference_resolve(const inference_options *o, const icseg_model *model, icseg_eval_options *out,
                               icseg_error *error) {
    static const double published[] = {0.5, 0.75, 1, 1.25, 1.5, 1.75};
    *out = (icseg_eval_options){ICSEG_EVAL_OPTIONS_INIT};
    TRY(icseg_model_eval_options(model, out, error));
    if (o->mode != INFERENCE_AS_TRAINED) out->mode = o->mode == INFERENCE_SLIDE ? ICSEG_EVAL_SLIDE : ICSEG_EVAL_WHOLE;
    if (o->crop[0]) {
        out->crop_height = o->crop[0];
        out->crop_width = o->crop[1];
        out->stride_height = out->stride_width = 0;
    }
    if (o->stride[0]) {
        out->stride_height = o->stride[0];
        out->stride_width = o->stride[1];
    }
    if (o->resize_short >= 0) {
        out->resize_short = o->resize_short;
        out->resize_long = o->resize_long;
    }
    out->flip = o->flip || o->tta;
    out->scale_count = o->scale_count;
    memcpy(out->scale, o->scale, sizeof out->scale);
    if (o->tta && !o->scale_count) {
        out->scale_count = sizeof published / sizeof *published;
        memcpy(out->scale, published, sizeof published);
    }
    out->refine = o->refine;
    if (out->stride_height > out->crop_height || out->stride_width > out->crop_width)
        return icseg_error_set(error, ICSEG_ERROR_ARGUMENT,
                               "--stride %dx%d: larger than --crop %dx%d, which would leave gaps between the windows",
                               out->stride_height, out->stride_width, out->crop_height, out->crop_width);
    if (o->stride[0] && out->mode != ICSEG_EVAL_SLIDE)
        return icseg_error_set(error, ICSEG_ERROR_ARGUMENT, "--stride is for --mode slide");
    return ICSEG_OK;
}
