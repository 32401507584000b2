/* SPDX-License-Identifier: Apache-2.0
 * attention_weights: the probabilities of attention, as their mean over heads. attention never stores them. This
 * operator serves explanations, not training: it computes each score twice instead of storing it, and has no gradient.
 */
#include <math.h>

#include "base/vmath.h"
#include "graph/node.h"
#include "graph/ops.h"

typedef struct attributes {
    int64_t heads;
} attributes;

ICSEG_INLINE float score_of(const float *q, const float *k, int64_t depth, float scale) {
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < depth; i++) sum += q[i] * k[i];
    return scale * sum;
}

/* Adds a head's probabilities of one query, divided by the number of heads, to out (keys). Rows of k are `width` apart.
 */
ICSEG_KERNEL static void add_head(const float *q, const float *k, int64_t keys, int64_t width, int64_t heads,
                                  float *out) {
    int64_t depth = width / heads;
    float scale = 1 / sqrtf((float)depth), largest = -INFINITY, sum = 0;
    for (int64_t j = 0; j < keys; j++) largest = fmaxf(largest, score_of(q, k + j * width, depth, scale));
    for (int64_t j = 0; j < keys; j++) sum += icseg_exp_below(score_of(q, k + j * width, depth, scale) - largest);
    float factor = 1 / (sum * (float)heads);
    for (int64_t j = 0; j < keys; j++)
        out[j] += factor * icseg_exp_below(score_of(q, k + j * width, depth, scale) - largest);
}

static icseg_status weights_run(const icseg_kernel *kernel, const icseg_run *run, icseg_error *error) {
    (void)run, (void)error;
    const attributes *a = kernel->node->attributes;
    const int64_t *shape = icseg_kernel_in(kernel, 0)->shape.dim;
    int64_t queries = shape[1], width = shape[2], keys = icseg_kernel_in(kernel, 1)->shape.dim[1];
    const float *q = kernel->in[0], *k = kernel->in[1];
    float *out = kernel->out[0];
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < shape[0] * queries; i++) {
        float *row = out + i * keys;
        for (int64_t j = 0; j < keys; j++) row[j] = 0;
        for (int64_t h = 0; h < a->heads; h++) {
            int64_t at = h * (width / a->heads);
            add_head(q + i * width + at, k + i / queries * keys * width + at, keys, width, a->heads, row);
        }
    }
    return ICSEG_OK;
}

const icseg_op icseg_op_attention_weights = {.name = "attention_weights", .run = weights_run};

icseg_value icseg_attention_weights(icseg_graph *g, icseg_value q, icseg_value k, int heads) {
    icseg_value in[] = {q, k};
    attributes a = {heads};
    icseg_node *node = icseg_node_append(g, &icseg_op_attention_weights, &a, sizeof a, in, 2, 0);
    if (!node) return ICSEG_NONE;
    icseg_shape s = icseg_graph_value(g, q)->shape, t = icseg_graph_value(g, k)->shape;
    if (s.rank != 3 || t.rank != 3 || s.dim[0] != t.dim[0] || s.dim[2] != t.dim[2] || heads < 1 || s.dim[2] % heads) {
        char qt[ICSEG_SHAPE_TEXT], kt[ICSEG_SHAPE_TEXT];
        return icseg_graph_fail(g, "attention_weights", ICSEG_ERROR_SHAPE,
                                "q %s, k %s, %d heads: (B, Lq, W), (B, Lk, W) are expected, W a multiple of the heads",
                                icseg_shape_text(s, qt, sizeof qt), icseg_shape_text(t, kt, sizeof kt), heads);
    }
    return icseg_node_output(g, node, ICSEG_F32, ICSEG_SHAPE(s.dim[0], s.dim[1], t.dim[1]));
}
