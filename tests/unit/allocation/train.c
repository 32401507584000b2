/* SPDX-License-Identifier: Apache-2.0
 * Calls of train.h. */
#include "allocation/allocation.h"

icseg_train_options alloc_train_options(void) {
    return (icseg_train_options){ICSEG_TRAIN_OPTIONS_INIT, .out = alloc_path("run"), .threads = 1};
}
icseg_status call_icseg_train(icseg_error *error) {
    icseg_train_options options = alloc_train_options();
    options.out = alloc_path("other");
    icseg_train_result out = {ICSEG_TRAIN_RESULT_INIT};
    icseg_status status = icseg_train(shared.recipe, &options, NULL, &out, error);
    assert_true((out.metrics != NULL) == (status == ICSEG_OK));
    icseg_train_result_close(&out);
    alloc_shell("rm -rf", "other");
    return status;
}
CLOSES(icseg_train_result_close)
DOES(icseg_train_report, alloc_path("old_run"), alloc_path("data"), NULL)
DOES(icseg_train_index, alloc_path(""))
static icseg_status with_trainer(icseg_status (*use)(icseg_trainer *trainer, icseg_error *error), icseg_error *error) {
    icseg_train_options options = alloc_train_options();
    options.out = alloc_path("other");
    icseg_trainer *out = BAD;
    icseg_status status = icseg_trainer_open(&out, shared.recipe, &options, NULL, error);
    assert_true((out != NULL) == (status == ICSEG_OK));
    if (status == ICSEG_OK && use) status = use(out, error);
    icseg_trainer_close(&out);
    alloc_shell("rm -rf", "other");
    return status;
}
icseg_status call_icseg_trainer_open(icseg_error *error) { return with_trainer(NULL, error); }
CLOSES(icseg_trainer_close)
QUIET(icseg_trainer_due, shared.trainer)
static icseg_status step(icseg_trainer *t, icseg_error *error) {
    icseg_train_step out = {ICSEG_TRAIN_STEP_INIT};
    return icseg_trainer_step(t, &out, error);
}
icseg_status call_icseg_trainer_step(icseg_error *error) { return with_trainer(step, error); }
icseg_status call_icseg_trainer_finish(icseg_error *error) { return with_trainer(icseg_trainer_finish, error); }
icseg_status call_icseg_trainer_evaluate(icseg_error *error) {
    icseg_metrics out = {ICSEG_METRICS_INIT};
    icseg_status status = icseg_trainer_evaluate(shared.trainer, &out, error);
    assert_true((out.iou != NULL) == (status == ICSEG_OK));
    icseg_metrics_close(&out);
    return status;
}
DOES(icseg_trainer_save, shared.trainer)
static icseg_status find_rate(icseg_lr_range **out, icseg_error *error) {
    const icseg_lr_options options = {ICSEG_LR_OPTIONS_INIT, .steps = 10, .threads = 1};
    return icseg_lr_range_open(out, shared.recipe, &options, NULL, error);
}
icseg_status call_icseg_lr_range_open(icseg_error *error) {
    icseg_lr_range *out = BAD;
    icseg_status status = find_rate(&out, error);
    assert_true((out != NULL) == (status == ICSEG_OK));
    icseg_lr_range_close(&out);
    return status;
}
icseg_status call_icseg_lr_range_text(icseg_error *error) {
    icseg_lr_range *range;
    icseg_status status = find_rate(&range, error);
    for (int form = 0; form < ICSEG_LR_FORMS && status == ICSEG_OK; form++) {
        char *text = BAD;
        status = icseg_lr_range_text(range, (icseg_lr_form)form, &text, error);
        assert_true((text != NULL) == (status == ICSEG_OK));
        icseg_buffer_free(text);
    }
    icseg_lr_range_close(&range);
    return status;
}
CLOSES(icseg_lr_range_close)
QUIET(icseg_lr_range_suggestion, NULL)
QUIET(icseg_trainer_model, shared.trainer)
QUIET(icseg_trainer_step_count, shared.trainer)
QUIET(icseg_trainer_total_steps, shared.trainer)
QUIET(icseg_trainer_loss_count, shared.trainer)
QUIET(icseg_trainer_loss_name, shared.trainer, 0)
QUIET(icseg_trainer_best_miou, shared.trainer, NULL)
