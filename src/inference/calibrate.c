/* SPDX-License-Identifier: Apache-2.0
 * Calibration: a session that records activation ranges, and models with these ranges. */
#include "base/argument.h"
#include "base/memory.h"
#include "base/struct_size.h"
#include "base/threads.h"
#include "icseg/calibrate.h"
#include "inference/session.h"

struct icseg_calibrator {
    icseg_session *session;
    icseg_activation_ranges *ranges;
    icseg_eval_options eval;
};

icseg_status icseg_calibrator_open(icseg_calibrator **out, icseg_model *model, const icseg_calibrator_options *options,
                                   icseg_error *error) {
    enum { FIRST_SIZE = sizeof(icseg_calibrator_options) };
    icseg_calibrator_options o;
    icseg_eval_options eval;
    ICSEG_NEED(out);
    *out = NULL;
    ICSEG_NEED(model);
    ICSEG_TRY(icseg_struct_read(&o, sizeof o, options, FIRST_SIZE, "icseg_calibrator_options", error));
    ICSEG_TRY(icseg_model_need_trained(model, "calibrated", error));
    ICSEG_TRY(icseg_eval_options_read(&eval, o.eval, &model->eval, error));
    ICSEG_TRY(icseg_threads_check(o.threads, error));
    icseg_calibrator *c = *out = icseg_calloc_array(1, sizeof *c);
    if (!c) return icseg_fail_memory(error, sizeof *c, "a calibrator");
    c->eval = eval;
    icseg_status status = icseg_activation_ranges_open(&c->ranges, error);
    if (status == ICSEG_OK) status = icseg_session_open_recording(&c->session, model, o.threads, c->ranges, error);
    if (status != ICSEG_OK) icseg_calibrator_close(out);
    return status;
}

icseg_status icseg_calibrator_add(icseg_calibrator *calibrator, const icseg_image *image, icseg_error *error) {
    icseg_labels labels;
    ICSEG_NEED(calibrator);
    ICSEG_NEED(image);
    ICSEG_TRY(icseg_session_predict(calibrator->session, image, &calibrator->eval, &labels, NULL, error));
    icseg_labels_close(&labels);
    return ICSEG_OK;
}

icseg_status icseg_calibrator_model(const icseg_calibrator *calibrator, icseg_model **out, icseg_error *error) {
    ICSEG_NEED(out);
    *out = NULL;
    ICSEG_NEED(calibrator);
    if (!icseg_activation_ranges_count(calibrator->ranges))
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT,
                          "icseg_calibrator_model: no activation ranges have been recorded; add at least one image");
    icseg_ranges_summary summary;
    if (!icseg_activation_ranges_check(calibrator->ranges, calibrator->session->model->params, &summary))
        return icseg_fail(error, ICSEG_ERROR_NUMERIC, "%s", summary.problem);
    return icseg_model_with_ranges(out, calibrator->session->model, calibrator->ranges, error);
}

void icseg_calibrator_close(icseg_calibrator **calibrator) {
    if (!calibrator || !*calibrator) return;
    icseg_session_close(&(*calibrator)->session);
    icseg_activation_ranges_close(&(*calibrator)->ranges);
    icseg_free(*calibrator);
    *calibrator = NULL;
}
