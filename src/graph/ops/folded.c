/* SPDX-License-Identifier: Apache-2.0
 * Convolution weights with a batch norm folded in: w' = w s, b' = beta + (b - mean) s, s = gamma / sqrt(var + eps). */
#include <math.h>

#include "base/finite.h"
#include "base/memory.h"
#include "graph/ops/fused.h"

/* Published in the weight parameter when the bias is ready; weights and packed copies are published when they are
 * made. */
struct icseg_folded {
    const icseg_param *gamma; /* identifies the batch norm */
    uint64_t version;         /* sum of all parameters' versions, which only grow; 0: not folded yet */
    float *bias;              /* (O) */
    float *_Atomic weights;   /* (O, kh, kw, I), if a primitive uses them unpacked; else NULL */
    size_t bytes;             /* of these two */
    icseg_packed *_Atomic packed;
};

static void free_folded(icseg_folded *f) {
    icseg_packed_free(f->packed);
    icseg_free(f->weights);
    icseg_free(f->bias);
    icseg_free(f);
}

static size_t folded_bytes(const icseg_folded *f) { return f->bytes + icseg_packed_count(f->packed).bytes; }

static icseg_param *param(const icseg_kernel *k, int i) {
    return k->node->input[i] == ICSEG_NONE ? NULL : icseg_graph_param_of(k->graph, k->node->input[i]);
}

static uint64_t version_of(const icseg_kernel *k) {
    uint64_t sum = param(k, ICSEG_FUSED_WEIGHT)->version;
    if (param(k, ICSEG_FUSED_BIAS)) sum += param(k, ICSEG_FUSED_BIAS)->version;
    for (int i = ICSEG_FUSED_GAMMA; i <= ICSEG_FUSED_VAR; i++) sum += param(k, i)->version;
    return sum;
}

static double scale_of(const icseg_kernel *k, int64_t o) {
    const icseg_fused_conv *a = k->node->attributes;
    const float *gamma = k->in[ICSEG_FUSED_GAMMA], *var = k->in[ICSEG_FUSED_VAR];
    return (double)gamma[o] / sqrt((double)var[o] + (double)a->eps);
}

static icseg_status fold_weights(const icseg_kernel *k, float *to, icseg_error *error) {
    const icseg_param *weight = param(k, ICSEG_FUSED_WEIGHT);
    ICSEG_TRY(icseg_param_read(weight, to, error));
    int64_t channels = weight->shape.dim[0], run = weight->count / channels;
#pragma omp parallel for schedule(static)
    for (int64_t o = 0; o < channels; o++) {
        float scale = (float)scale_of(k, o);
        for (int64_t i = o * run; i < (o + 1) * run; i++) to[i] *= scale;
    }
    return ICSEG_OK;
}

static void fold_bias(const icseg_kernel *k, float *to) {
    const float *bias = k->in[ICSEG_FUSED_BIAS], *beta = k->in[ICSEG_FUSED_BETA], *mean = k->in[ICSEG_FUSED_MEAN];
    int64_t channels = param(k, ICSEG_FUSED_WEIGHT)->shape.dim[0];
    for (int64_t o = 0; o < channels; o++)
        to[o] = (float)((double)beta[o] + ((bias ? (double)bias[o] : 0) - (double)mean[o]) * scale_of(k, o));
}

/* A ReLU in a primitive turns NaN into 0, so the weights are checked instead. */
static icseg_status check_finite(const icseg_kernel *k, const float *values, int64_t count, icseg_error *error) {
    const icseg_param *weight = param(k, ICSEG_FUSED_WEIGHT);
    if (icseg_all_finite(values, count)) return ICSEG_OK;
    return icseg_fail(error, ICSEG_ERROR_NUMERIC, "%s or the batch norm %s that follows it is not finite", weight->name,
                      param(k, ICSEG_FUSED_GAMMA)->name);
}

static icseg_folded *open_folded(const icseg_param *weight) {
    icseg_folded *f = icseg_calloc_array(1, sizeof *f);
    if (!f) return NULL;
    f->bias = icseg_alloc_array((size_t)weight->shape.dim[0], sizeof *f->bias);
    if (!f->bias) {
        free_folded(f);
        return NULL;
    }
    f->bytes = (size_t)weight->shape.dim[0] * sizeof *f->bias;
    return f;
}

static bool is_plain(const icseg_primitive *primitive) { return !primitive || !icseg_primitive_packed_size(primitive); }

/* The weights in the primitive's layout, if they exist already; otherwise NULL. */
static const void *find(const icseg_folded *f, const icseg_primitive *primitive) {
    return is_plain(primitive) ? f->weights : icseg_packed_find(f->packed, primitive, ICSEG_PACKED_READY, f->version);
}

/* Unpacked weights stay in f->weights; others are only needed until they are packed. */
static icseg_status get_weights(const icseg_kernel *k, icseg_folded *f, const icseg_primitive *primitive,
                                const void **out, icseg_error *error) {
    *out = find(f, primitive);
    if (*out) return ICSEG_OK;
    int64_t count = param(k, ICSEG_FUSED_WEIGHT)->count;
    float *plain = icseg_alloc_array((size_t)count, sizeof *plain);
    if (!plain) return icseg_fail_memory(error, (size_t)count * sizeof *plain, "folded weights");
    icseg_status status = fold_weights(k, plain, error);
    if (status == ICSEG_OK) status = check_finite(k, plain, count, error);
    if (status != ICSEG_OK) {
        icseg_free(plain);
        return status;
    }
    if (is_plain(primitive)) {
        f->weights = plain; /* published last */
        *out = plain;
        f->bytes += (size_t)count * sizeof *plain;
        return ICSEG_OK;
    }
    status = icseg_packed_get(&f->packed, primitive, plain, f->version, out, error);
    icseg_free(plain);
    return status;
}

static bool is_current(const icseg_folded *f, const icseg_kernel *k) {
    return f->version == version_of(k) && f->gamma == param(k, ICSEG_FUSED_GAMMA);
}

/* Folds the bias again and drops copies of older values. */
static icseg_status refresh(icseg_folded *f, const icseg_kernel *k, icseg_error *error) {
    const icseg_param *weight = param(k, ICSEG_FUSED_WEIGHT), *gamma = param(k, ICSEG_FUSED_GAMMA);
    fold_bias(k, f->bias);
    ICSEG_TRY(check_finite(k, f->bias, weight->shape.dim[0], error));
    if (f->weights) f->bytes -= (size_t)weight->count * sizeof *f->weights;
    icseg_free(f->weights);
    f->weights = NULL;
    if (f->gamma != gamma) { /* equal versions would not mean equal weights */
        icseg_packed_free(f->packed);
        f->packed = NULL;
    }
    f->gamma = gamma;
    f->version = version_of(k);
    return ICSEG_OK;
}

/* The folded copies of a weight, with a bias from the parameters' current values. Called under the weight's lock. */
static icseg_status get_folded(const icseg_kernel *k, icseg_folded **out, icseg_error *error) {
    icseg_param *weight = param(k, ICSEG_FUSED_WEIGHT);
    icseg_folded *known = weight->folded, *f = known ? known : open_folded(weight);
    if (!f) return icseg_fail_memory(error, (size_t)weight->shape.dim[0] * sizeof(float), "a folded bias");
    icseg_status status = is_current(f, k) ? ICSEG_OK : refresh(f, k, error);
    if (status != ICSEG_OK) {
        if (!known) free_folded(f);
        return status;
    }
    weight->free_folded = free_folded;
    weight->folded_bytes = folded_bytes;
    if (!known) weight->folded = f;
    *out = f;
    return ICSEG_OK;
}

icseg_status icseg_folded_get(const icseg_kernel *k, const icseg_primitive *primitive, const void **weights,
                              const float **bias, icseg_error *error) {
    icseg_param *weight = param(k, ICSEG_FUSED_WEIGHT);
    icseg_folded *f = weight->folded;
    *weights = f && is_current(f, k) ? find(f, primitive) : NULL;
    icseg_status status = ICSEG_OK;
    if (!*weights) {
        pthread_mutex_lock(weight->lock);
        status = get_folded(k, &f, error);
        if (status == ICSEG_OK) status = get_weights(k, f, primitive, weights, error);
        pthread_mutex_unlock(weight->lock);
    }
    if (status == ICSEG_OK) *bias = f->bias;
    return status;
}
