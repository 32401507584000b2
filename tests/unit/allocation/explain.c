/* SPDX-License-Identifier: Apache-2.0
 * Calls of explain.h. */
#include "allocation/allocation.h"

static icseg_status explain(icseg_explainer **out, icseg_error *error) {
    icseg_explain_options options = {ICSEG_EXPLAIN_OPTIONS_INIT, .session = shared.session, .classes = shared.names,
                                     .class_count = 1};
    return icseg_explainer_open(out, &options, error);
}

icseg_status call_icseg_explainer_open(icseg_error *error) {
    icseg_explainer *out = BAD;
    icseg_status status = explain(&out, error);
    assert_true((out != NULL) == (status == ICSEG_OK));
    icseg_explainer_close(&out);
    return status;
}

/* An explainer with one image. */
static icseg_status explained(icseg_explainer **out, icseg_error *error) {
    const icseg_explanation *found = BAD;
    ICSEG_TRY(explain(out, error));
    icseg_status status = icseg_explainer_add(*out, "a", &shared.image, &found, error);
    assert_true((found != NULL) == (status == ICSEG_OK));
    if (status != ICSEG_OK) icseg_explainer_close(out);
    return status;
}

icseg_status call_icseg_explainer_add(icseg_error *error) {
    icseg_explainer *e;
    ICSEG_TRY(explained(&e, error));
    icseg_explainer_close(&e);
    return ICSEG_OK;
}

icseg_status call_icseg_explainer_write_maps(icseg_error *error) {
    icseg_explainer *e;
    ICSEG_TRY(explained(&e, error));
    icseg_status status = icseg_explainer_write_maps(e, alloc_path("."), error);
    icseg_explainer_close(&e);
    return status;
}

icseg_status call_icseg_explainer_write_page(icseg_error *error) {
    icseg_explainer *e;
    ICSEG_TRY(explained(&e, error));
    icseg_status status = icseg_explainer_write_page(e, alloc_path("page.html"), error);
    icseg_explainer_close(&e);
    return status;
}

CLOSES(icseg_explainer_close)
