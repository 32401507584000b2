/* SPDX-License-Identifier: Apache-2.0
 * upsampled_argmax: the largest class at every pixel of bilinearly upsampled logits, row by row, and its probability.
 */
#include <math.h>
#include <omp.h>
#include <string.h>

#include "base/system.h"
#include "base/vmath.h"
#include "graph/node.h"
#include "graph/ops.h"
#include "base/sampling.h"

enum { LANES = 8 }; /* one register with AVX2; GCC splits longer vectors into single numbers */
typedef float lanes __attribute__((vector_size(LANES * sizeof(float))));
typedef int32_t indices __attribute__((vector_size(LANES * sizeof(int32_t))));

typedef struct state {
    int64_t batch, h, w, classes, height, width;
    int64_t padded; /* classes, up to a multiple of LANES */
    int threads;
    icseg_interpolation *x; /* (width) */
} state;

/* row (w, padded): logits of one output row before horizontal interpolation, padded with -infinity. Finds at every
 * pixel the class with the largest logit, the lowest index among equals, and the logit: every lane keeps its own
 * maximum, then the lanes are compared. (All in one function: vectors in an inlined one would be split before it is
 * compiled for each instruction set.) */
ICSEG_KERNEL static void argmax_row(const state *s, const float *row, int16_t *label, float *largest) {
    for (int64_t x = 0; x < s->width; x++) {
        const float *a = row + s->x[x].low * s->padded, *b = row + s->x[x].high * s->padded;
        float wb = s->x[x].weight, wa = 1 - wb;
        lanes best = (lanes){0} - INFINITY;
        indices at = {0, 1, 2, 3, 4, 5, 6, 7}, now = at;
        for (int64_t k = 0; k < s->padded; k += LANES, now += LANES) {
            lanes low, high;
            memcpy(&low, a + k, sizeof low);
            memcpy(&high, b + k, sizeof high);
            lanes v = wa * low + wb * high;
            indices better = v > best; /* never for NaN */
            at = (better & now) | (~better & at);
            best = (lanes)((better & (indices)v) | (~better & (indices)best));
        }
        float top = best[0];
        int32_t first = INT32_MAX;
        for (int j = 1; j < LANES; j++) top = best[j] > top ? best[j] : top;
        for (int j = 0; j < LANES; j++) first = best[j] == top && at[j] < first ? at[j] : first;
        label[x] = (int16_t)(first < s->classes ? first : 0); /* 0: all are NaN */
        if (largest) largest[x] = top;
    }
}

/* Replaces the largest logit of each pixel by its softmax probability. */
ICSEG_KERNEL static void confidence_row(const state *s, const float *row, float *confidence) {
    for (int64_t x = 0; x < s->width; x++) {
        const float *a = row + s->x[x].low * s->padded, *b = row + s->x[x].high * s->padded;
        float wb = s->x[x].weight, wa = 1 - wb, largest = confidence[x], sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int64_t k = 0; k < s->classes; k++) sum += icseg_exp_below(wa * a[k] + wb * b[k] - largest);
        confidence[x] = 1 / sum;
    }
}

ICSEG_KERNEL static void interpolate_row(const state *s, float *row, const float *a, const float *b, float weight) {
    for (int64_t x = 0; x < s->w; x++) {
        float *out = row + x * s->padded;
        icseg_lerp(out, a + x * s->classes, b + x * s->classes, weight, 1, s->classes);
        for (int64_t k = s->classes; k < s->padded; k++) out[k] = -INFINITY;
    }
}

static int64_t buffer_floats(const state *s) { return s->w * s->padded; }

static icseg_status argmax_run(const icseg_kernel *k, const icseg_run *run, icseg_error *error) {
    (void)error;
    const state *s = k->state;
    const float *logits = k->in[0];
    int16_t *labels = k->out[0];
    float *confidence = k->node->output_count > 1 ? k->out[1] : NULL;
    int64_t line = s->w * s->classes;
#pragma omp parallel for schedule(static) num_threads(s->threads)
    for (int64_t i = 0; i < s->batch * s->height; i++) {
        float *row = (float *)run->scratch + omp_get_thread_num() * buffer_floats(s);
        const float *image = logits + i / s->height * s->h * line;
        icseg_interpolation at = icseg_interpolation_at(i % s->height, s->h, s->height);
        interpolate_row(s, row, image + at.low * line, image + at.high * line, at.weight);
        argmax_row(s, row, labels + i * s->width, confidence ? confidence + i * s->width : NULL);
        if (confidence) confidence_row(s, row, confidence + i * s->width);
    }
    return ICSEG_OK;
}

static icseg_status argmax_prepare(icseg_kernel *k, icseg_error *error) {
    const icseg_shape *in = &icseg_kernel_in(k, 0)->shape, *out = &icseg_kernel_out(k, 0)->shape;
    state *s = k->state = icseg_calloc_array(1, sizeof *s);
    if (!s) return icseg_fail_memory(error, 0, "tables");
    *s = (state){.batch = in->dim[0],
                 .h = in->dim[1],
                 .w = in->dim[2],
                 .classes = in->dim[3],
                 .padded = (in->dim[3] + LANES - 1) / LANES * LANES,
                 .height = out->dim[1],
                 .width = out->dim[2],
                 .threads = omp_get_max_threads()};
    s->x = icseg_alloc_array((size_t)s->width, sizeof *s->x);
    if (!s->x) return icseg_fail_memory(error, (size_t)s->width * sizeof *s->x, "tables");
    for (int64_t x = 0; x < s->width; x++) s->x[x] = icseg_interpolation_at(x, s->w, s->width);
    k->scratch_size = (size_t)(s->threads * buffer_floats(s)) * sizeof(float);
    return ICSEG_OK;
}

static void argmax_release(icseg_kernel *k) {
    state *s = k->state;
    if (s) icseg_free(s->x);
    icseg_free(s);
}

static double argmax_flops(const icseg_graph *g, const icseg_node *node) {
    return 4.0 * (double)icseg_graph_value(g, node->output[0])->count * (double)icseg_graph_dim(g, node->input[0], 3);
}

const icseg_op icseg_op_upsampled_argmax = {.name = "upsampled_argmax",
                                            .prepare = argmax_prepare,
                                            .run = argmax_run,
                                            .release = argmax_release,
                                            .flops = argmax_flops};

void icseg_upsampled_argmax(icseg_graph *g, icseg_value logits, int64_t height, int64_t width, bool confidence,
                            icseg_value out[2]) {
    out[0] = out[1] = ICSEG_NONE;
    icseg_node *node = icseg_node_append(g, &icseg_op_upsampled_argmax, NULL, 0, &logits, 1, 0);
    if (!node) return;
    icseg_shape shape = icseg_graph_value(g, logits)->shape;
    if (shape.rank != 4) {
        icseg_graph_fail(g, "upsampled_argmax", ICSEG_ERROR_SHAPE, "logits must have four axes");
        return;
    }
    shape = ICSEG_SHAPE(shape.dim[0], height, width);
    out[0] = icseg_node_output(g, node, ICSEG_I16, shape);
    if (confidence) out[1] = icseg_node_output(g, node, ICSEG_F32, shape);
}
