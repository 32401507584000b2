/* SPDX-License-Identifier: Apache-2.0
 * Calibration: a session that records activation ranges, and models with these ranges. */
#include "inference/calibrate.h"

#include <stddef.h>
#include <string.h>

#include "base/argument.h"
#include "base/memory.h"
#include "base/struct_size.h"
#include "base/threads.h"

static icseg_status read_rule(icseg_range_rule *out, const icseg_calibrator_options *o, icseg_error *error) {
    static const icseg_range_kind kinds[] = {ICSEG_RANGE_MSE, ICSEG_RANGE_MAX, ICSEG_RANGE_PERCENTILE};
    const double usual = 99.99;
    if ((int)o->ranges < ICSEG_RANGES_MSE || o->ranges > ICSEG_RANGES_PERCENTILE)
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "ranges", ICSEG_REMEDY_SET_FIELD,
                                "ranges is %d: not a value of icseg_range_method", (int)o->ranges);
    if (o->percentile != 0 && !(o->percentile > 50 && o->percentile <= 100))
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "percentile", ICSEG_REMEDY_SET_FIELD,
                                "percentile is %g: expected a number above 50 and at most 100", o->percentile);
    *out = (icseg_range_rule){kinds[o->ranges], o->percentile != 0 ? o->percentile : usual};
    return ICSEG_OK;
}

icseg_status icseg_calibrator_open(icseg_calibrator **out, icseg_model *model, const icseg_calibrator_options *options,
                                   icseg_error *error) {
    enum { FIRST_SIZE = offsetof(icseg_calibrator_options, ranges) };
    icseg_calibrator_options o;
    icseg_range_rule rule;
    icseg_eval_options eval;
    ICSEG_NEED(out);
    *out = NULL;
    ICSEG_NEED(model);
    ICSEG_TRY(icseg_struct_read(&o, sizeof o, options, FIRST_SIZE, "icseg_calibrator_options", error));
    ICSEG_TRY(icseg_model_need_trained(model, "calibrated", error));
    ICSEG_TRY(icseg_eval_options_read(&eval, o.eval, &model->eval, error));
    ICSEG_TRY(icseg_threads_check(o.threads, error));
    ICSEG_TRY(read_rule(&rule, &o, error));
    icseg_calibrator *c = *out = icseg_calloc_array(1, sizeof *c);
    if (!c) return icseg_fail_memory(error, sizeof *c, "a calibrator");
    c->eval = eval;
    icseg_status status = icseg_activation_ranges_open(&c->ranges, error);
    if (status == ICSEG_OK) icseg_activation_ranges_use_rule(c->ranges, rule, !o.no_bias_correction);
    if (status == ICSEG_OK) status = icseg_session_open_recording(&c->session, model, o.threads, c->ranges, error);
    if (status != ICSEG_OK) icseg_calibrator_close(out);
    return status;
}

void icseg_calibrator_forget(icseg_calibrator *calibrator) { icseg_comparison_close(&calibrator->comparison); }

icseg_status icseg_calibrator_add(icseg_calibrator *calibrator, const icseg_image *image, icseg_error *error) {
    icseg_labels labels;
    ICSEG_NEED(calibrator);
    ICSEG_NEED(image);
    icseg_calibrator_forget(calibrator);
    ICSEG_TRY(icseg_session_predict(calibrator->session, image, &calibrator->eval, &labels, NULL, error));
    icseg_labels_close(&labels);
    return ICSEG_OK;
}

static bool names(const char *name, const icseg_param *p) {
    size_t length = strlen(name);
    return p->is_layer && !strncmp(p->name, name, length) && (!p->name[length] || p->name[length] == '.');
}

icseg_status icseg_calibrator_keep_f32(icseg_calibrator *calibrator, const char *layer, icseg_error *error) {
    ICSEG_NEED(calibrator);
    ICSEG_NEED(layer);
    icseg_calibrator_forget(calibrator);
    const icseg_params *params = calibrator->session->model->params;
    bool found = false;
    for (int64_t i = 0; i < icseg_params_count(params); i++) {
        const icseg_param *p = icseg_params_at(params, i);
        if (!names(layer, p)) continue;
        found = true;
        ICSEG_TRY(icseg_activation_ranges_keep_f32(calibrator->ranges, p, true, error));
    }
    if (found) return ICSEG_OK;
    return icseg_fail(
        error, ICSEG_ERROR_ARGUMENT,
        "no layer of the model is called \"%s\"; expected the name of a layer's weights, or its beginning "
        "up to a dot",
        layer);
}

icseg_status icseg_calibrator_check(const icseg_calibrator *calibrator, const char *function, icseg_error *error) {
    icseg_ranges_summary summary;
    if (!icseg_activation_ranges_count(calibrator->ranges))
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT,
                          "%s: no activation ranges have been recorded; add at least one image", function);
    if (!icseg_activation_ranges_check(calibrator->ranges, calibrator->session->model->params, &summary))
        return icseg_fail(error, ICSEG_ERROR_NUMERIC, "%s", summary.problem);
    return ICSEG_OK;
}

static icseg_status open_comparison(icseg_calibrator *c, icseg_error *error) {
    icseg_model *model;
    if (c->comparison) return ICSEG_OK;
    ICSEG_TRY(icseg_calibrator_check(c, "icseg_calibrator_compare", error));
    icseg_status status = icseg_model_with_ranges(&model, c->session->model, c->ranges, error);
    if (status == ICSEG_OK) status = icseg_comparison_open(&c->comparison, model, c->session->threads, error);
    icseg_model_close(&model);
    return status;
}

icseg_status icseg_calibrator_compare(icseg_calibrator *calibrator, const icseg_image *image, icseg_error *error) {
    ICSEG_NEED(calibrator);
    ICSEG_NEED(image);
    ICSEG_TRY(open_comparison(calibrator, error));
    return icseg_comparison_add(calibrator->comparison, image, &calibrator->eval, error);
}

icseg_status icseg_calibrator_model(const icseg_calibrator *calibrator, icseg_model **out, icseg_error *error) {
    ICSEG_NEED(out);
    *out = NULL;
    ICSEG_NEED(calibrator);
    ICSEG_TRY(icseg_calibrator_check(calibrator, "icseg_calibrator_model", error));
    ICSEG_TRY(icseg_model_with_ranges(out, calibrator->session->model, calibrator->ranges, error));
    if (calibrator->comparison) icseg_comparison_describe(calibrator->comparison, *out);
    return ICSEG_OK;
}

void icseg_calibrator_close(icseg_calibrator **calibrator) {
    if (!calibrator || !*calibrator) return;
    icseg_calibrator_forget(*calibrator);
    icseg_session_close(&(*calibrator)->session);
    icseg_activation_ranges_close(&(*calibrator)->ranges);
    icseg_free((*calibrator)->costs);
    icseg_free(*calibrator);
    *calibrator = NULL;
}
