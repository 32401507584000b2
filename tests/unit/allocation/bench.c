/* SPDX-License-Identifier: Apache-2.0
 * Calls of bench.h and parity.h. */
#include "allocation/allocation.h"

icseg_bench_options alloc_bench_options(void) {
    return (icseg_bench_options){ICSEG_BENCH_OPTIONS_INIT,
                                 .preset = "tiny-resnet",
                                 .classes = 2,
                                 .size = 64,
                                 .batch = 1,
                                 .runs = 1,
                                 .threads = 1,
                                 .profile = true};
}
icseg_status call_icseg_bench_open(icseg_error *error) {
    icseg_bench_options options = alloc_bench_options();
    icseg_bench *out = BAD;
    icseg_status status = icseg_bench_open(&out, &options, NULL, error);
    assert_true((out != NULL) == (status == ICSEG_OK));
    icseg_bench_close(&out);
    return status;
}
CLOSES(icseg_bench_close)
icseg_status call_icseg_bench_run(icseg_error *error) {
    icseg_bench_result out = {ICSEG_BENCH_RESULT_INIT};
    return icseg_bench_run(shared.bench, &out, error);
}
icseg_status call_icseg_bench_layers(icseg_error *error) {
    icseg_session_layers layers = {ICSEG_SESSION_LAYERS_INIT};
    return icseg_bench_layers(shared.bench, &layers, error);
}
icseg_status call_icseg_bench_profile(icseg_error *error) {
    const icseg_bench_row *rows = BAD;
    int32_t count;
    icseg_status status = icseg_bench_profile(shared.bench, ICSEG_BENCH_NODE, &rows, &count, error);
    assert_true((rows != NULL) == (status == ICSEG_OK));
    return status;
}
TELLS(icseg_bench_profile_text, shared.bench, &text)
icseg_status call_icseg_parity_run(icseg_error *error) {
    icseg_parity_options options = {ICSEG_PARITY_OPTIONS_INIT, .threads = 1};
    icseg_parity_report out = {ICSEG_PARITY_REPORT_INIT};
    return icseg_parity_run(&out, PARITY_FILE, &options, NULL, error);
}
TELLS(icseg_parity_text, &shared.parity, &text)
