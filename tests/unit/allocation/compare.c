/* SPDX-License-Identifier: Apache-2.0
 * Calls of compare.h. */
#include "allocation/allocation.h"

static icseg_status compare(icseg_run_comparison **out, icseg_error *error) {
    const char *runs[] = {alloc_path("old_run")};
    icseg_compare_options options = {ICSEG_COMPARE_OPTIONS_INIT, .runs = runs, .run_count = 1, .resamples = 100};
    return icseg_run_comparison_open(out, &options, NULL, error);
}

icseg_status call_icseg_run_comparison_open(icseg_error *error) {
    icseg_run_comparison *out = BAD;
    icseg_status status = compare(&out, error);
    assert_true((out != NULL) == (status == ICSEG_OK));
    icseg_run_comparison_close(&out);
    return status;
}

icseg_status call_icseg_run_comparison_text(icseg_error *error) {
    icseg_run_comparison *comparison;
    icseg_status status = compare(&comparison, error);
    for (int form = 0; form < ICSEG_COMPARISON_FORMS && status == ICSEG_OK; form++) {
        char *text = BAD;
        status = icseg_run_comparison_text(comparison, (icseg_comparison_form)form, &text, error);
        assert_true((text != NULL) == (status == ICSEG_OK));
        icseg_buffer_free(text);
    }
    icseg_run_comparison_close(&comparison);
    return status;
}

CLOSES(icseg_run_comparison_close)
