/* SPDX-License-Identifier: Apache-2.0 */
#include "tensorboard/events.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"

enum { TAG = 80 };

/* "loss/decode" for each name. */
static void name_parts(const char *group, const char *const *names, const double *values, int32_t count,
                       char tags[][TAG], icseg_event_scalar *out) {
    for (int32_t i = 0; i < count; i++) {
        snprintf(tags[i], TAG, "%s/%s", group, names[i]);
        out[i] = (icseg_event_scalar){tags[i], values[i]};
    }
}

icseg_status icseg_events_step(icseg_event_file *file, const icseg_log_step *step, const char *const *names,
                               int32_t parts, icseg_error *error) {
    const icseg_event_scalar others[] = {{"train/lr", step->lr},
                                         {"train/grad_norm", step->grad_norm},
                                         {"train/images_per_s", step->images_per_s},
                                         {"train/peak_mib", step->peak_mib}};
    char tags[ICSEG_LOG_PARTS][TAG];
    icseg_event_scalar scalars[ICSEG_LOG_PARTS + sizeof others / sizeof *others];
    name_parts("loss", names, step->loss, parts, tags, scalars);
    memcpy(scalars + parts, others, sizeof others);
    return icseg_event_file_scalars(file, step->step, scalars, (size_t)parts + sizeof others / sizeof *others, error);
}

icseg_status icseg_events_scores(icseg_event_file *file, const icseg_log_scores *scores, const char *const *names,
                                 int32_t count, icseg_error *error) {
    char tags[ICSEG_LOG_PARTS][TAG];
    icseg_event_scalar scalars[ICSEG_LOG_PARTS];
    name_parts("val", names, scores->value, count, tags, scalars);
    return icseg_event_file_scalars(file, scores->step, scalars, (size_t)count, error);
}

static icseg_status write_eval(icseg_event_file *file, icseg_arena *arena, const icseg_log_eval *eval,
                               const char *const *class_names, icseg_error *error) {
    const icseg_event_scalar means[] = {{"val/mIoU", eval->miou}, {"val/mAcc", eval->macc}, {"val/aAcc", eval->aacc}};
    enum { MEANS = sizeof means / sizeof *means };
    size_t count = MEANS + (size_t)eval->classes;
    icseg_event_scalar *scalars = icseg_arena_array(arena, count, sizeof *scalars);
    if (!scalars) return icseg_fail_memory(error, count * sizeof *scalars, "the scores of the classes");
    memcpy(scalars, means, sizeof means);
    for (int32_t k = 0; k < eval->classes; k++) {
        scalars[MEANS + k] = (icseg_event_scalar){icseg_arena_printf(arena, "IoU/%s", class_names[k]), eval->iou[k]};
        if (!scalars[MEANS + k].tag) return icseg_fail_memory(error, 0, "the scores of the classes");
    }
    return icseg_event_file_scalars(file, eval->step, scalars, count, error);
}

icseg_status icseg_events_eval(icseg_event_file *file, const icseg_log_eval *eval, const char *const *class_names,
                               icseg_error *error) {
    icseg_arena *arena;
    if (!file) return ICSEG_OK;
    ICSEG_TRY(icseg_arena_open(&arena, error));
    icseg_status status = write_eval(file, arena, eval, class_names, error);
    icseg_arena_close(&arena);
    return status;
}

static icseg_status write_values(icseg_event_file *file, int64_t step, const char *kind, const icseg_param *param,
                                 const float *values, float scale, icseg_error *error) {
    icseg_histogram *histogram = icseg_calloc_array(1, sizeof *histogram);
    icseg_string tag = {0};
    icseg_string_printf(&tag, "%s/%s", kind, param->name);
    icseg_status status = ICSEG_OK;
    if (!histogram || tag.failed)
        status = icseg_fail_memory_in(error, 0, param->name);
    else {
        icseg_histogram_add(histogram, values, param->count, scale);
        status = icseg_event_file_histogram(file, step, tag.data, histogram, error);
    }
    icseg_string_close(&tag);
    icseg_free(histogram);
    return status;
}

icseg_status icseg_events_parameters(icseg_event_file *file, const icseg_params *params, int64_t step,
                                     double gradient_scale, icseg_error *error) {
    if (!file) return ICSEG_OK;
    for (int64_t i = 0; i < icseg_params_count(params); i++) {
        const icseg_param *p = icseg_params_at(params, i);
        if (!p->options.trainable || !p->grad) continue;
        ICSEG_TRY(write_values(file, step, "weights", p, p->data, 1, error));
        ICSEG_TRY(write_values(file, step, "gradients", p, p->grad, (float)gradient_scale, error));
    }
    return ICSEG_OK;
}
