/* SPDX-License-Identifier: Apache-2.0
 * AdamW (Loshchilov and Hutter), in PyTorch's order of operations; poly schedule with warm-up. */
#include "train/adamw.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/system.h"

enum { BLOCK = 16384 }; /* elements per task */

typedef struct moments {
    float *first, *second; /* NULL: not trained */
} moments;

struct icseg_adamw {
    icseg_params *params;
    icseg_adamw_options options;
    int64_t updates;
    moments *list; /* (params) */
};

icseg_status icseg_adamw_open(icseg_adamw **out, icseg_params *params, const icseg_adamw_options *options,
                              icseg_error *error) {
    int64_t count = icseg_params_count(params);
    icseg_adamw *a = *out = icseg_calloc_array(1, sizeof *a);
    if (!a) return icseg_fail_memory(error, 0, "the optimiser");
    a->params = params;
    a->options = *options;
    a->list = icseg_calloc_array((size_t)count + 1, sizeof *a->list);
    bool complete = a->list != NULL;
    for (int64_t i = 0; i < count && complete; i++) {
        const icseg_param *p = icseg_params_at(params, i);
        if (!p->options.trainable) continue;
        a->list[i].first = icseg_calloc_array((size_t)p->count, sizeof(float));
        a->list[i].second = icseg_calloc_array((size_t)p->count, sizeof(float));
        complete = a->list[i].first && a->list[i].second;
    }
    if (complete) return ICSEG_OK;
    icseg_adamw_close(out);
    return icseg_fail_memory(error, 0, "the optimiser's state");
}

void icseg_adamw_close(icseg_adamw **adamw) {
    if (!adamw || !*adamw) return;
    icseg_adamw *a = *adamw;
    for (int64_t i = 0; a->list && i < icseg_params_count(a->params); i++) {
        icseg_free(a->list[i].first);
        icseg_free(a->list[i].second);
    }
    icseg_free(a->list);
    icseg_free(a);
    *adamw = NULL;
}

/* Constants of one parameter in one update. */
typedef struct update {
    float gradient_scale, decay, beta1, beta2, step_size, root_correction, eps;
} update;

ICSEG_KERNEL static void update_block(const update *u, float *p, const float *g, float *m, float *v, int64_t n) {
    float scale = u->gradient_scale, decay = u->decay, beta1 = u->beta1, beta2 = u->beta2;
    float step_size = u->step_size, correction = u->root_correction, eps = u->eps;
#pragma omp simd
    for (int64_t i = 0; i < n; i++) {
        float d = scale * g[i];
        m[i] = beta1 * m[i] + (1 - beta1) * d;
        v[i] = beta2 * v[i] + (1 - beta2) * d * d;
        p[i] = decay * p[i] - step_size * m[i] / (sqrtf(v[i]) * correction + eps);
    }
}

static void update_param(icseg_adamw *a, int64_t index, const update *u) {
    icseg_param *p = icseg_params_at(a->params, index);
    float *m = a->list[index].first, *v = a->list[index].second;
#pragma omp parallel for schedule(static)
    for (int64_t at = 0; at < p->count; at += BLOCK)
        update_block(u, p->data + at, p->grad + at, m + at, v + at, p->count - at < BLOCK ? p->count - at : BLOCK);
    p->version++;
}

static bool is_updated(const icseg_adamw *a, int64_t index) {
    return a->list[index].first && icseg_params_at(a->params, index)->grad;
}

static bool starts(const char *name, const char *text) { return !strncmp(name, text, strlen(text)); }

/* 0: before the blocks of a ViT; i + 1: block i; layers + 1: after them. */
static int64_t layer_of(const char *name, int32_t layers) {
    static const char blocks[] = "visual.transformer.resblocks.";
    static const char *const first[] = {"visual.conv1.", "visual.class_embedding", "visual.positional_embedding",
                                        "visual.ln_pre."};
    if (starts(name, blocks)) return strtoll(name + strlen(blocks), NULL, 10) + 1;
    for (size_t i = 0; i < sizeof first / sizeof *first; i++)
        if (starts(name, first[i])) return 0;
    return layers + 1;
}

double icseg_adamw_rate(const icseg_adamw *a, int64_t param) {
    const icseg_adamw_options *o = &a->options;
    const char *name = icseg_params_at(a->params, param)->name;
    if (!starts(name, "visual.")) return 1;
    if (!(o->layer_decay > 0)) return o->backbone_lr_mult;
    return o->backbone_lr_mult * pow(o->layer_decay, (double)(o->layers + 1 - layer_of(name, o->layers)));
}

void icseg_adamw_step(icseg_adamw *a, double lr, double gradient_scale) {
    const icseg_adamw_options *o = &a->options;
    icseg_float_mode mode = icseg_denormals_off(); /* moments decay into denormals where gradients are 0 */
    a->updates++;
    double correction1 = 1 - pow(o->beta1, (double)a->updates), correction2 = 1 - pow(o->beta2, (double)a->updates);
    for (int64_t i = 0; i < icseg_params_count(a->params); i++) {
        const icseg_param *p = icseg_params_at(a->params, i);
        if (!is_updated(a, i)) continue;
        double rate = lr * icseg_adamw_rate(a, i);
        double decay = p->file_shape.rank <= 1 ? 0 : o->weight_decay;
        update u = {.gradient_scale = (float)gradient_scale,
                    .decay = (float)(1 - rate * decay),
                    .beta1 = (float)o->beta1,
                    .beta2 = (float)o->beta2,
                    .step_size = (float)(rate / correction1),
                    .root_correction = (float)(1 / sqrt(correction2)),
                    .eps = (float)o->eps};
        update_param(a, i, &u);
    }
    icseg_denormals_restore(mode);
}

void icseg_adamw_rehearse(icseg_adamw *a) {
    const update nothing = {.decay = 1, .beta1 = 1, .beta2 = 1, .root_correction = 1, .eps = 1};
    icseg_params_zero_gradients(a->params); /* 0 times infinity is not 0 */
    for (int64_t i = 0; i < icseg_params_count(a->params); i++)
        if (is_updated(a, i)) update_param(a, i, &nothing);
}

ICSEG_KERNEL static double square_sum(const float *g, int64_t n) {
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < n; i++) sum += (double)g[i] * (double)g[i];
    return sum;
}

double icseg_adamw_gradient_norm(const icseg_adamw *a) {
    double total = 0;
    for (int64_t i = 0; i < icseg_params_count(a->params); i++) {
        const icseg_param *p = icseg_params_at(a->params, i);
        if (!is_updated(a, i)) continue;
        for (int64_t at = 0; at < p->count; at += BLOCK)
            total += square_sum(p->grad + at, p->count - at < BLOCK ? p->count - at : BLOCK);
    }
    return sqrt(total);
}

int64_t icseg_adamw_updates(const icseg_adamw *a) { return a->updates; }
void icseg_adamw_set_updates(icseg_adamw *a, int64_t updates) { a->updates = updates; }
float *icseg_adamw_first_moment(icseg_adamw *a, int64_t param) { return a->list[param].first; }
float *icseg_adamw_second_moment(icseg_adamw *a, int64_t param) { return a->list[param].second; }

double icseg_schedule_lr(const icseg_schedule *s, int64_t step) {
    double lr = (s->lr - s->min_lr) * pow(1 - (double)step / (double)s->steps, s->power) + s->min_lr;
    if (step < s->warmup) lr *= 1 - (1 - (double)step / (double)s->warmup) * (1 - s->warmup_ratio);
    return lr;
}

bool icseg_schedule_begins_as(const icseg_schedule *a, const icseg_schedule *b, int64_t steps) {
    for (int64_t step = steps - 1; step >= 0; step--) /* decaying rates differ most in the last step */
        if (icseg_schedule_lr(a, step) != icseg_schedule_lr(b, step)) return false;
    return true;
}
