/* SPDX-License-Identifier: Apache-2.0
 * The calibrator inside the library. */
#ifndef ICSEG_INFERENCE_CALIBRATE_H
#define ICSEG_INFERENCE_CALIBRATE_H

#include "icseg/calibrate.h"
#include "inference/compare.h"
#include "inference/session.h"

struct icseg_calibrator {
    icseg_session *session; /* which records */
    icseg_activation_ranges *ranges;
    icseg_eval_options eval;
    icseg_layer_cost *costs;      /* of the last search; owned */
    icseg_comparison *comparison; /* with these ranges; NULL: none */
};

/* ICSEG_ERROR_ARGUMENT if no image was added; ICSEG_ERROR_NUMERIC if a range is not plausible. */
icseg_status icseg_calibrator_check(const icseg_calibrator *calibrator, const char *function, icseg_error *error);

/* Ends the comparison of labels, because the calibration changes. */
void icseg_calibrator_forget(icseg_calibrator *calibrator);

#endif
