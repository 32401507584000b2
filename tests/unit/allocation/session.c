/* SPDX-License-Identifier: Apache-2.0
 * Calls of session.h. */
#include "allocation/allocation.h"

icseg_status call_icseg_session_open(icseg_error *error) {
    icseg_session_options options = {ICSEG_SESSION_OPTIONS_INIT, .threads = 1};
    icseg_session *out = BAD;
    icseg_status status = icseg_session_open(&out, shared.model, &options, error);
    assert_true((out != NULL) == (status == ICSEG_OK));
    icseg_session_close(&out);
    return status;
}
CLOSES(icseg_session_close)
QUIET(icseg_session_model, shared.session)
QUIET(icseg_session_threads, shared.session)
QUIET(icseg_session_precision, shared.session)
/* A new session, which does not have a network yet. */
static icseg_status fresh(icseg_session **out, icseg_error *error) {
    icseg_session_options options = {ICSEG_SESSION_OPTIONS_INIT, .threads = 1};
    return icseg_session_open(out, shared.model, &options, error);
}
icseg_status call_icseg_session_cost_at(icseg_error *error) {
    icseg_session_cost cost = {ICSEG_SESSION_COST_INIT};
    icseg_session *s;
    ICSEG_TRY(fresh(&s, error));
    icseg_status status = icseg_session_cost_at(s, 1, HEIGHT, WIDTH, &cost, error);
    icseg_session_close(&s);
    return status;
}
icseg_status call_icseg_session_layers_at(icseg_error *error) {
    icseg_session_layers layers = {ICSEG_SESSION_LAYERS_INIT};
    icseg_session *s;
    ICSEG_TRY(fresh(&s, error));
    icseg_status status = icseg_session_layers_at(s, 1, HEIGHT, WIDTH, &layers, error);
    icseg_session_close(&s);
    return status;
}
icseg_status call_icseg_session_prepare(icseg_error *error) {
    icseg_session *s;
    ICSEG_TRY(fresh(&s, error));
    icseg_status status = icseg_session_prepare(s, 1, HEIGHT, WIDTH, NULL, error);
    icseg_session_close(&s);
    return status;
}
icseg_status call_icseg_session_predict(icseg_error *error) {
    icseg_eval_options options = {ICSEG_EVAL_OPTIONS_INIT, .mode = ICSEG_EVAL_SLIDE, .crop_height = 64,
                                  .crop_width = 64};
    icseg_labels out = {.data = BAD};
    float *confidence = BAD;
    icseg_status status = icseg_session_predict(shared.session, &shared.image, &options, &out, &confidence, error);
    assert_true((out.data != NULL) == (status == ICSEG_OK) && (confidence != NULL) == (status == ICSEG_OK));
    icseg_labels_close(&out);
    icseg_buffer_free(confidence);
    return status;
}
icseg_status alloc_run(icseg_result **out, icseg_error *error) {
    icseg_frame frame = {ICSEG_FRAME_RGB8, WIDTH, HEIGHT, 3 * WIDTH, shared.image.data};
    icseg_batch batch = {ICSEG_BATCH_INIT, .count = 1, .frames = &frame};
    icseg_run_options options = {ICSEG_RUN_OPTIONS_INIT,
                                 .outputs = ICSEG_OUTPUT_LABELS | ICSEG_OUTPUT_TOP_CLASSES | ICSEG_OUTPUT_LOGITS,
                                 .top_k = 2};
    return icseg_session_run(shared.session, &batch, &options, out, error);
}
icseg_status call_icseg_session_run(icseg_error *error) {
    icseg_result *out = NULL;
    icseg_status status = alloc_run(&out, error);
    assert_true((out != NULL) == (status == ICSEG_OK));
    icseg_result_close(&out);
    return status;
}
icseg_status call_icseg_result_tensor(icseg_error *error) {
    icseg_tensor out;
    return icseg_result_tensor(shared.result, ICSEG_OUTPUT_LABELS, &out, error);
}
QUIET(icseg_result_outputs, shared.result)
CLOSES(icseg_result_close)
