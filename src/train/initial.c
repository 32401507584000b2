/* SPDX-License-Identifier: Apache-2.0
 * Initialises the model from a file: an icseg checkpoint with the same or other classes, or CLIP's two encoders as
 * published. */
#include <stdio.h>
#include <string.h>

#include "train/initial.h"
#include "train/trainer.h"

enum { NAMES_SHOWN = 12 };

/* Reports the first few names and the number of the others. */
static void say_names(const icseg_progress *progress, const char *path, const icseg_weights_report *report,
                      icseg_weights_finding_kind kind, const char *one, const char *many) {
    size_t total = icseg_weights_report_count(report, kind), shown = 0;
    icseg_string text = {0};
    for (size_t i = 0; i < report->count && shown < NAMES_SHOWN; i++)
        if (report->findings[i].kind == kind)
            icseg_string_printf(&text, "%s%s", shown++ ? ", " : "", report->findings[i].name);
    if (total > shown) icseg_string_printf(&text, ", and %zu more", total - shown);
    if (total && !text.failed)
        icseg_progress_say(progress, ICSEG_MESSAGE_INFO, "%s: %zu %s: %s", path, total,
                           icseg_plural((int64_t)total, one, many), text.data);
    icseg_string_close(&text);
}

void icseg_initial_say(const icseg_progress *progress, const char *path, int64_t params,
                       const icseg_weights_report *report) {
    size_t other = icseg_weights_report_count(report, ICSEG_WEIGHTS_OTHER_CLASS);
    icseg_progress_say(progress, ICSEG_MESSAGE_INFO, "%s: %s, %s names; %zu of %lld tensors loaded%s", path,
                       report->container, report->naming, report->loaded, (long long)params,
                       other ? "; its class list differs or is missing" : "");
    if (report->sets[0]) icseg_progress_say(progress, ICSEG_MESSAGE_INFO, "%s: %s", path, report->sets);
    if (report->activation_assumed) {
        char text[ICSEG_WEIGHTS_ASSUMPTION];
        icseg_weights_describe_assumption(report, text, sizeof text);
        icseg_progress_say(progress, ICSEG_MESSAGE_WARNING, "%s: %s (model.activation)", path, text);
    }
    say_names(progress, path, report, ICSEG_WEIGHTS_MISSING, "tensor of the model keeps its initial values",
              "tensors of the model keep their initial values");
    say_names(progress, path, report, ICSEG_WEIGHTS_OTHER_CLASS, "tensor of other classes keeps its initial values",
              "tensors of other classes keep their initial values");
    say_names(progress, path, report, ICSEG_WEIGHTS_UNEXPECTED, "tensor of the file was not used",
              "tensors of the file were not used");
    say_names(progress, path, report, ICSEG_WEIGHTS_NOT_FINITE, "tensor contains NaN or infinite elements",
              "tensors contain NaN or infinite elements");
}

/* The key of the recipe in place of the field of the weights. */
void icseg_initial_name_key(icseg_error *error) {
    if (error && !strcmp(error->field, "state_dict")) snprintf(error->field, sizeof error->field, "model.init_weights");
}

icseg_status icseg_trainer_load_initial(icseg_trainer *t, icseg_error *error) {
    icseg_weights_report report = {0};
    const char *path = t->recipe->init, *set = t->recipe->init_weights;
    icseg_status status = icseg_weights_init_model(t->model, path, set[0] ? set : NULL, &report, error);
    if (status == ICSEG_OK)
        icseg_initial_say(&t->progress, path, icseg_params_count(t->model->params), &report);
    else
        icseg_initial_name_key(error);
    icseg_weights_report_close(&report);
    return status;
}
