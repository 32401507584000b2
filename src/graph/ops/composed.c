/* SPDX-License-Identifier: Apache-2.0
 * The weights of two maps in a row as those of one: V (P, O) after W (4, O, I) is V W (4, P, I), and the bias is V b +
 * c. Sums are in double precision and in a fixed order. */
#include "base/memory.h"
#include "base/system.h"
#include "graph/ops/fused.h"

/* Published in the second weight when the bias is ready; copies of the weights are published when they are made. */
struct icseg_composed {
    const icseg_param *first; /* identifies the first map */
    uint64_t version;         /* sum of all parameters' versions, which only grow; 0: not composed yet */
    float *bias;              /* (P) */
    float *_Atomic plain;     /* (4, P, I), if a primitive uses them unpacked; else NULL */
    size_t bytes;             /* of these two */
    icseg_packed *_Atomic packed;
};

static void free_composed(icseg_composed *c) {
    icseg_packed_free(c->packed);
    icseg_free(c->plain);
    icseg_free(c->bias);
    icseg_free(c);
}

static size_t composed_bytes(const icseg_composed *c) { return c->bytes + icseg_packed_count(c->packed).bytes; }

static icseg_param *param(const icseg_kernel *k, int i) {
    return k->node->input[i] == ICSEG_NONE ? NULL : icseg_graph_param_of(k->graph, k->node->input[i]);
}

static uint64_t version_of(const icseg_kernel *k) {
    uint64_t sum = 0;
    for (int i = ICSEG_MAP_FIRST_WEIGHT; i <= ICSEG_MAP_SECOND_BIAS; i++) sum += param(k, i) ? param(k, i)->version : 0;
    return sum;
}

static bool is_current(const icseg_composed *c, const icseg_kernel *k) {
    return c->version == version_of(k) && c->first == param(k, ICSEG_MAP_FIRST_WEIGHT);
}

enum { BLOCK = 64 }; /* values of a row at a time: their sums stay in registers or the first-level cache */

/* out (n), n <= BLOCK: the sum of factor[o] times row o of the matrix, whose rows are `pitch` numbers apart. */
ICSEG_KERNEL static void sum_rows(const float *factor, const float *rows, int64_t count, int64_t pitch, int64_t n,
                                  float *out) {
    double sum[BLOCK] = {0};
    for (int64_t o = 0; o < count; o++, rows += pitch) {
        double f = (double)factor[o];
#pragma omp simd
        for (int64_t i = 0; i < n; i++) sum[i] += f * (double)rows[i];
    }
    for (int64_t i = 0; i < n; i++) out[i] = (float)sum[i];
}

static void compose_weights(const icseg_transpose_map *m, const float *first, const float *second, float *out) {
    int64_t in = m->shape.in, between = m->between, channels = m->shape.out;
#pragma omp parallel for collapse(2) schedule(static)
    for (int64_t tap = 0; tap < 4; tap++)
        for (int64_t at = 0; at < in; at += BLOCK) /* this part of the first weights stays in the caches */
            for (int64_t p = 0; p < channels; p++)
                sum_rows(second + p * between, first + tap * between * in + at, between, in,
                         in - at < BLOCK ? in - at : BLOCK, out + (tap * channels + p) * in + at);
}

/* Reads both weights, and writes their product. */
static icseg_status compose(const icseg_kernel *k, float *out, icseg_error *error) {
    const float *first, *second;
    float *first_copy, *second_copy;
    ICSEG_TRY(icseg_param_borrow(param(k, ICSEG_MAP_FIRST_WEIGHT), &first, &first_copy, error));
    icseg_status status = icseg_param_borrow(param(k, ICSEG_MAP_SECOND_WEIGHT), &second, &second_copy, error);
    if (status == ICSEG_OK) {
        compose_weights(k->node->attributes, first, second, out);
        icseg_free(second_copy);
    }
    icseg_free(first_copy);
    return status;
}

static icseg_status compose_bias(const icseg_kernel *k, float *out, icseg_error *error) {
    const icseg_transpose_map *m = k->node->attributes;
    const float *first = k->in[ICSEG_MAP_FIRST_BIAS], *bias = k->in[ICSEG_MAP_SECOND_BIAS], *second;
    float *copy;
    ICSEG_TRY(icseg_param_borrow(param(k, ICSEG_MAP_SECOND_WEIGHT), &second, &copy, error));
    for (int64_t p = 0; p < m->shape.out; p++) {
        double sum = bias ? (double)bias[p] : 0;
        for (int64_t o = 0; first && o < m->between; o++) sum += (double)first[o] * (double)second[p * m->between + o];
        out[p] = (float)sum;
    }
    icseg_free(copy);
    return ICSEG_OK;
}

static icseg_composed *open_composed(int64_t channels) {
    icseg_composed *c = icseg_calloc_array(1, sizeof *c);
    if (!c) return NULL;
    c->bytes = (size_t)channels * sizeof *c->bias;
    c->bias = icseg_alloc(c->bytes);
    if (c->bias) return c;
    free_composed(c);
    return NULL;
}

/* Makes the bias again and drops copies of older values. */
static icseg_status refresh(icseg_composed *c, const icseg_kernel *k, icseg_error *error) {
    const icseg_transpose_map *m = k->node->attributes;
    ICSEG_TRY(compose_bias(k, c->bias, error));
    icseg_packed_free(c->packed);
    icseg_free(c->plain);
    c->packed = NULL;
    c->plain = NULL;
    c->bytes = (size_t)m->shape.out * sizeof *c->bias;
    c->first = param(k, ICSEG_MAP_FIRST_WEIGHT);
    c->version = version_of(k);
    return ICSEG_OK;
}

/* Called under the second weight's lock, as the next function. */
static icseg_status get_composed(const icseg_kernel *k, icseg_composed **out, icseg_error *error) {
    const icseg_transpose_map *m = k->node->attributes;
    icseg_param *weight = param(k, ICSEG_MAP_SECOND_WEIGHT);
    icseg_composed *known = weight->composed, *c = known ? known : open_composed(m->shape.out);
    if (!c) return icseg_fail_memory(error, (size_t)m->shape.out * sizeof(float), "a composed bias");
    icseg_status status = is_current(c, k) ? ICSEG_OK : refresh(c, k, error);
    if (status != ICSEG_OK) {
        if (!known) free_composed(c);
        return status;
    }
    weight->free_composed = free_composed;
    weight->composed_bytes = composed_bytes;
    if (!known) weight->composed = c;
    *out = c;
    return ICSEG_OK;
}

static const void *find(const icseg_composed *c, const icseg_primitive *primitive) {
    if (!icseg_primitive_packed_size(primitive)) return c->plain;
    return icseg_packed_find(c->packed, primitive, ICSEG_PACKED_READY, c->version);
}

/* Unpacked weights are kept; others are only needed until they are packed. */
static icseg_status get_weights(const icseg_kernel *k, icseg_composed *c, const icseg_primitive *primitive,
                                const void **out, icseg_error *error) {
    const icseg_transpose_map *m = k->node->attributes;
    *out = find(c, primitive);
    if (*out) return ICSEG_OK;
    size_t bytes = (size_t)(4 * m->shape.out * m->shape.in) * sizeof(float);
    float *plain = icseg_alloc(bytes);
    if (!plain) return icseg_fail_memory(error, bytes, "composed weights");
    icseg_status status = compose(k, plain, error);
    if (status == ICSEG_OK && !icseg_primitive_packed_size(primitive)) {
        c->bytes += bytes;
        c->plain = plain; /* published last */
        *out = plain;
        return ICSEG_OK;
    }
    if (status == ICSEG_OK) status = icseg_packed_get(&c->packed, primitive, plain, c->version, out, error);
    icseg_free(plain);
    return status;
}

icseg_status icseg_composed_get(const icseg_kernel *k, const icseg_primitive *primitive, const void **weights,
                                const float **bias, icseg_error *error) {
    icseg_param *weight = param(k, ICSEG_MAP_SECOND_WEIGHT);
    icseg_composed *c = weight->composed;
    *weights = c && is_current(c, k) ? find(c, primitive) : NULL;
    icseg_status status = ICSEG_OK;
    if (!*weights) {
        pthread_mutex_lock(weight->lock);
        status = get_composed(k, &c, error);
        if (status == ICSEG_OK) status = get_weights(k, c, primitive, weights, error);
        pthread_mutex_unlock(weight->lock);
    }
    if (status == ICSEG_OK) *bias = c->bias;
    return status;
}
