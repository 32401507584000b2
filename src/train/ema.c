/* SPDX-License-Identifier: Apache-2.0
 * The exponential moving average of weights and running statistics. */
#include "train/ema.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/system.h"

enum { BLOCK = 16384 }; /* elements per task */

struct icseg_ema {
    icseg_params *params;
    double decay;
    bool shown;    /* the model has the averages */
    float **other; /* (params); NULL: not averaged */
};

static bool ends_with(const char *name, const char *end) {
    size_t length = strlen(name), own = strlen(end);
    return length >= own && !strcmp(name + length - own, end);
}

/* Other buffers, such as the contrastive loss's memory, are not statistics. */
bool icseg_ema_averages(const icseg_param *p) {
    return p->options.trainable ||
           (p->options.buffer && (ends_with(p->name, ".running_mean") || ends_with(p->name, ".running_var")));
}

icseg_status icseg_ema_open(icseg_ema **out, icseg_params *params, double decay, icseg_error *error) {
    int64_t count = icseg_params_count(params);
    icseg_ema *e = *out = icseg_calloc_array(1, sizeof *e);
    if (!e) return icseg_fail_memory(error, 0, "the averaged weights");
    e->params = params;
    e->decay = decay;
    e->other = icseg_calloc_array((size_t)count + 1, sizeof *e->other);
    bool complete = e->other != NULL;
    for (int64_t i = 0; i < count && complete; i++) {
        const icseg_param *p = icseg_params_at(params, i);
        if (!icseg_ema_averages(p)) continue;
        e->other[i] = icseg_calloc_array((size_t)p->count, sizeof(float));
        complete = e->other[i] != NULL;
    }
    if (complete) return ICSEG_OK;
    icseg_ema_close(out);
    return icseg_fail_memory(error, 0, "the averaged weights");
}

void icseg_ema_close(icseg_ema **ema) {
    if (!ema || !*ema) return;
    icseg_ema *e = *ema;
    for (int64_t i = 0; e->other && i < icseg_params_count(e->params); i++) icseg_free(e->other[i]);
    icseg_free(e->other);
    icseg_free(e);
    *ema = NULL;
}

/* Calls `act` for blocks of the elements of each averaged parameter: those here and those of the model. */
typedef void (*block_action)(float *other, float *model, int64_t count, float number);
static void each_block(icseg_ema *e, block_action act, float number) {
    for (int64_t i = 0; i < icseg_params_count(e->params); i++) {
        const icseg_param *p = icseg_params_at(e->params, i);
        float *other = e->other[i], *model = p->data;
        if (!other) continue;
#pragma omp parallel for schedule(static)
        for (int64_t at = 0; at < p->count; at += BLOCK)
            act(other + at, model + at, p->count - at < BLOCK ? p->count - at : BLOCK, number);
    }
}

static void copy_block(float *other, float *model, int64_t count, float number) {
    (void)number;
    memcpy(other, model, (size_t)count * sizeof *other);
}

ICSEG_KERNEL static void average_block(float *other, float *model, int64_t count, float share) {
#pragma omp simd
    for (int64_t i = 0; i < count; i++) other[i] += share * (model[i] - other[i]);
}

/* No value is above the limit, which the compiler does not know. */
ICSEG_KERNEL static void rehearse_block(float *other, float *model, int64_t count, float limit) {
#pragma omp simd
    for (int64_t i = 0; i < count; i++) other[i] = model[i] > limit ? model[i] : other[i];
}

ICSEG_KERNEL static void exchange_block(float *other, float *model, int64_t count, float number) {
    (void)number;
#pragma omp simd
    for (int64_t i = 0; i < count; i++) {
        float kept = other[i];
        other[i] = model[i];
        model[i] = kept;
    }
}

void icseg_ema_begin(icseg_ema *e) {
    if (e) each_block(e, copy_block, 0);
}

void icseg_ema_update(icseg_ema *e, int64_t updates) {
    if (!e) return;
    double decay = fmin(e->decay, (1 + (double)updates) / (10 + (double)updates));
    each_block(e, average_block, (float)(1 - decay));
}

void icseg_ema_rehearse(icseg_ema *e) {
    if (e) each_block(e, rehearse_block, INFINITY);
}

bool icseg_ema_show(icseg_ema *e, bool averages) {
    if (!e || e->shown == averages) return averages && e;
    each_block(e, exchange_block, 0);
    for (int64_t i = 0; i < icseg_params_count(e->params); i++)
        if (e->other[i]) icseg_params_at(e->params, i)->version++;
    e->shown = averages;
    return !averages;
}

bool icseg_ema_shown(const icseg_ema *e) { return e && e->shown; }

void icseg_ema_expect_averages(icseg_ema *e) {
    if (e) e->shown = true;
}

float *icseg_ema_other(icseg_ema *e, int64_t param) { return e ? e->other[param] : NULL; }
