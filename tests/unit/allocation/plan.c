/* SPDX-License-Identifier: Apache-2.0
 * Calls of plan.h. */
#include "allocation/allocation.h"

/* A plan without measurements, which would take a run for every allocation that fails. */
static icseg_status open_plan(icseg_run_plan **out, icseg_error *error) {
    icseg_plan_options options = {ICSEG_PLAN_OPTIONS_INIT, .out = alloc_path("plan"), .threads = 1, .quick = true};
    return icseg_run_plan_open(out, shared.recipe, &options, NULL, error);
}

icseg_status call_icseg_run_plan_open(icseg_error *error) {
    icseg_run_plan *out = BAD;
    icseg_status status = open_plan(&out, error);
    assert_true((out != NULL) == (status == ICSEG_OK));
    icseg_run_plan_close(&out);
    return status;
}

icseg_status call_icseg_run_plan_figures(icseg_error *error) {
    icseg_run_plan *plan;
    icseg_plan_figures out = {ICSEG_PLAN_FIGURES_INIT};
    icseg_status status = open_plan(&plan, error);
    if (status == ICSEG_OK) status = icseg_run_plan_figures(plan, &out, error);
    icseg_run_plan_close(&plan);
    return status;
}

icseg_status call_icseg_run_plan_text(icseg_error *error) {
    icseg_run_plan *plan;
    icseg_status status = open_plan(&plan, error);
    for (int form = 0; form < ICSEG_PLAN_FORMS && status == ICSEG_OK; form++) {
        char *text = BAD;
        status = icseg_run_plan_text(plan, (icseg_plan_form)form, &text, error);
        assert_true((text != NULL) == (status == ICSEG_OK));
        icseg_buffer_free(text);
    }
    icseg_run_plan_close(&plan);
    return status;
}

CLOSES(icseg_run_plan_close)
QUIET(icseg_run_plan_advice, NULL, 0)
