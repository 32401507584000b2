/* SPDX-License-Identifier: Apache-2.0
 * AdamW's moments and raw weights in files, and checks of everything that a run trains. */
#include "train/moments.h"

#include <stdio.h>

#include "base/finite.h"

enum { FIRST, SECOND, OTHER, COPIES, NAME_SIZE = 600 };

static const char *const prefix[COPIES] = {ICSEG_OPTIMISER_PREFIX "first.", ICSEG_OPTIMISER_PREFIX "second.",
                                           ICSEG_OPTIMISER_PREFIX "raw."};

/* NULL: the parameter has none. */
static float *copy_of(const icseg_trained *t, int which, int64_t param) {
    switch (which) {
    case FIRST: return icseg_adamw_first_moment(t->adamw, param);
    case SECOND: return icseg_adamw_second_moment(t->adamw, param);
    default: return icseg_ema_other(t->ema, param);
    }
}

/* Calls `act` for each moment and raw copy of each parameter that has them. */
typedef icseg_status (*action)(void *user, const char *name, const icseg_param *p, float *values, icseg_error *error);
static icseg_status each(const icseg_trained *t, action act, void *user, icseg_error *error) {
    char name[NAME_SIZE];
    for (int which = 0; which < COPIES; which++)
        for (int64_t i = 0; i < icseg_params_count(t->params); i++) {
            const icseg_param *p = icseg_params_at(t->params, i);
            float *values = copy_of(t, which, i);
            if (!values) continue;
            snprintf(name, sizeof name, "%s%s", prefix[which], p->name);
            ICSEG_TRY(act(user, name, p, values, error));
        }
    return ICSEG_OK;
}

static icseg_status declare(void *writer, const char *name, const icseg_param *p, float *values, icseg_error *error) {
    (void)values;
    return icseg_safetensors_writer_declare(writer, name, ICSEG_F32, p->shape, error);
}

static icseg_status append(void *writer, const char *name, const icseg_param *p, float *values, icseg_error *error) {
    return icseg_safetensors_writer_append(writer, name, values, (size_t)p->count * sizeof *values, error);
}

static icseg_status read(void *user, const char *name, const icseg_param *p, float *values, icseg_error *error) {
    const icseg_safetensors *const *file = user;
    return icseg_safetensors_read_f32(*file, name, p->shape, values, error);
}

icseg_status icseg_moments_declare(const icseg_trained *t, icseg_safetensors_writer *writer, icseg_error *error) {
    return each(t, declare, writer, error);
}

icseg_status icseg_moments_append(const icseg_trained *t, icseg_safetensors_writer *writer, icseg_error *error) {
    return each(t, append, writer, error);
}

icseg_status icseg_moments_read(const icseg_trained *t, const icseg_safetensors *file, int64_t updates,
                                icseg_error *error) {
    ICSEG_TRY(each(t, read, &file, error));
    icseg_adamw_set_updates(t->adamw, updates);
    return ICSEG_OK;
}

/* -- checks */

/* The first value of a parameter or its copies that is not finite. */
typedef struct finding {
    const char *what; /* prefix of the parameter's name; NULL: all are finite */
    float value;
} finding;

static finding find_not_finite(const icseg_trained *t, int64_t param) {
    const icseg_param *p = icseg_params_at(t->params, param);
    const struct {
        const char *what;
        const float *values; /* NULL: there are none */
    } stored[] = {{"", p->data},
                  {"AdamW's first moment of ", copy_of(t, FIRST, param)},
                  {"AdamW's second moment of ", copy_of(t, SECOND, param)},
                  {icseg_ema_shown(t->ema) ? "the raw " : "the average of ", copy_of(t, OTHER, param)}};
    for (size_t which = 0; which < sizeof stored / sizeof *stored; which++) {
        const float *values = stored[which].values;
        int64_t bad = values ? icseg_first_not_finite(values, p->count) : p->count;
        if (bad < p->count) return (finding){stored[which].what, values[bad]};
    }
    return (finding){0};
}

icseg_status icseg_trained_check(const icseg_trained *t, int64_t step, const char *section, icseg_error *error) {
    for (int64_t i = 0; i < icseg_params_count(t->params); i++) {
        finding bad = find_not_finite(t, i);
        if (bad.what)
            return icseg_fail(error, ICSEG_ERROR_NUMERIC,
                              "step %lld: %s%s contains %f; nothing is saved, and the files of the last checkpoint "
                              "are kept; try a lower %s.lr or a %s.clip_norm",
                              (long long)step, bad.what, icseg_params_at(t->params, i)->name, (double)bad.value,
                              section, section);
    }
    return ICSEG_OK;
}

icseg_status icseg_trained_check_read(const icseg_trained *t, const char *path, icseg_error *error) {
    for (int64_t i = 0; i < icseg_params_count(t->params); i++) {
        const icseg_param *p = icseg_params_at(t->params, i);
        const float *second = copy_of(t, SECOND, i);
        finding bad = find_not_finite(t, i);
        if (bad.what)
            return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: damaged: %s%s contains %f", path, bad.what, p->name,
                              (double)bad.value);
        for (int64_t j = 0; second && j < p->count; j++)
            if (second[j] < 0)
                return icseg_fail(error, ICSEG_ERROR_FORMAT,
                                  "%s: damaged: %s%s contains %g; a mean of squares cannot be negative", path,
                                  prefix[SECOND], p->name, (double)second[j]);
    }
    return ICSEG_OK;
}
