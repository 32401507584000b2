/* SPDX-License-Identifier: Apache-2.0
 * upsampled_argmax: the largest class at every pixel of bilinearly upsampled logits, row by row, and its probability.
 */
#include <math.h>
#include <omp.h>

#include "base/system.h"
#include "base/vmath.h"
#include "graph/op.h"
#include "graph/ops.h"
#include "graph/ops/upsample.h"

typedef struct state {
    int64_t batch, h, w, classes, height, width;
    int threads;
    icseg_tap *x; /* (width) */
} state;

/* row (w, K): logits of one output row before horizontal interpolation. confidence may be NULL. */
ICSEG_KERNEL static void argmax_row(const state *s, const float *row, float *pixel, int16_t *label, float *confidence) {
    for (int64_t x = 0; x < s->width; x++) {
        icseg_tap tap = s->x[x];
        icseg_lerp(pixel, row + tap.low * s->classes, row + tap.high * s->classes, tap.weight, 1, s->classes);
        float largest = pixel[0], sum = 0;
#pragma omp simd reduction(max : largest)
        for (int64_t k = 0; k < s->classes; k++) largest = pixel[k] > largest ? pixel[k] : largest;
        int64_t best = 0;
        while (best < s->classes - 1 && pixel[best] != largest) best++;
        label[x] = (int16_t)best;
        if (!confidence) continue;
#pragma omp simd reduction(+ : sum)
        for (int64_t k = 0; k < s->classes; k++) sum += icseg_exp(pixel[k] - largest);
        confidence[x] = 1 / sum;
    }
}

ICSEG_KERNEL static void interpolate_row(float *out, const float *a, const float *b, float weight, int64_t n) {
    icseg_lerp(out, a, b, weight, 1, n);
}

static int64_t buffer_floats(const state *s) { return (s->w * s->classes + s->classes + 15) / 16 * 16; }

static icseg_status argmax_run(icseg_kernel *k, const icseg_run *run, icseg_error *error) {
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
        icseg_tap tap = icseg_tap_at(i % s->height, s->h, s->height);
        interpolate_row(row, image + tap.low * line, image + tap.high * line, tap.weight, line);
        argmax_row(s, row, row + line, labels + i * s->width, confidence ? confidence + i * s->width : NULL);
    }
    return ICSEG_OK;
}

static icseg_status argmax_prepare(icseg_kernel *k, icseg_error *error) {
    const icseg_shape *in = &icseg_kernel_in(k, 0)->shape, *out = &icseg_kernel_out(k, 0)->shape;
    state *s = k->state = icseg_calloc_array(1, sizeof *s);
    if (!s) return icseg_fail_memory(error, sizeof *s, "tables");
    *s = (state){.batch = in->dim[0],
                 .h = in->dim[1],
                 .w = in->dim[2],
                 .classes = in->dim[3],
                 .height = out->dim[1],
                 .width = out->dim[2],
                 .threads = omp_get_max_threads()};
    s->x = icseg_alloc_array((size_t)s->width, sizeof *s->x);
    if (!s->x) return icseg_fail_memory(error, (size_t)s->width * sizeof *s->x, "tables");
    for (int64_t x = 0; x < s->width; x++) s->x[x] = icseg_tap_at(x, s->w, s->width);
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
        icseg_graph_fail(g, "upsampled_argmax", ICSEG_ERROR_SHAPE, "logits need four axes");
        return;
    }
    shape = ICSEG_SHAPE(shape.dim[0], height, width);
    out[0] = icseg_node_output(g, node, ICSEG_I16, shape);
    if (confidence) out[1] = icseg_node_output(g, node, ICSEG_F32, shape);
}
