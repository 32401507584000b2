/* SPDX-License-Identifier: Apache-2.0
 * resize_bicubic: four samples along each axis with the weights of Keys' cubic convolution, a = -0.75. It resamples
 * stored positions and has no gradient. */
#include <math.h>

#include "base/system.h"
#include "graph/node.h"
#include "graph/ops.h"
#include "graph/ops/space.h"

enum { TAPS = 4 };

typedef struct scales {
    double y, x;
} scales;

/* What one output reads along an axis. */
typedef struct tap {
    int64_t source[TAPS];
    float weight[TAPS];
} tap;

typedef struct bicubic_state {
    tap *row, *column;
} bicubic_state;

/* Keys' kernel at distance d from a sample. */
static double cubic(double d) {
    const double a = -0.75;
    d = fabs(d);
    if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
    return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

static tap *open_axis(int64_t in, int64_t out, double scale) {
    tap *taps = icseg_alloc_array((size_t)out, sizeof *taps);
    for (int64_t o = 0; taps && o < out; o++) {
        double at = ((double)o + 0.5) / scale - 0.5, first = floor(at) - 1;
        for (int i = 0; i < TAPS; i++) {
            double source = first + i;
            taps[o].weight[i] = (float)cubic(at - source);
            taps[o].source[i] = source < 0 ? 0 : source > (double)(in - 1) ? in - 1 : (int64_t)source;
        }
    }
    return taps;
}

static icseg_status bicubic_prepare(icseg_kernel *k, icseg_error *error) {
    const int64_t *in = icseg_kernel_in(k, 0)->shape.dim, *out = icseg_kernel_out(k, 0)->shape.dim;
    const scales *scale = k->node->attributes;
    bicubic_state *s = k->state = icseg_calloc_array(1, sizeof *s);
    if (!s) return icseg_fail_memory(error, 0, "tables of a resize");
    s->row = open_axis(in[1], out[1], scale->y);
    s->column = open_axis(in[2], out[2], scale->x);
    return s->row && s->column ? ICSEG_OK : icseg_fail_memory(error, 0, "tables of a resize");
}

static void release(icseg_kernel *k) {
    bicubic_state *s = k->state;
    if (!s) return;
    icseg_free(s->row);
    icseg_free(s->column);
    icseg_free(s);
}

/* One output (c) of an image whose rows have `pitch` elements. */
ICSEG_KERNEL static void sample(const float *image, int64_t pitch, const tap *row, const tap *column, int64_t c,
                                float *y) {
    for (int64_t j = 0; j < c; j++) y[j] = 0;
    for (int i = 0; i < TAPS; i++)
        for (int t = 0; t < TAPS; t++) {
            const float *x = image + row->source[i] * pitch + column->source[t] * c;
            float weight = row->weight[i] * column->weight[t];
#pragma omp simd
            for (int64_t j = 0; j < c; j++) y[j] += weight * x[j];
        }
}

static icseg_status bicubic_run(const icseg_kernel *k, const icseg_run *run, icseg_error *error) {
    (void)run, (void)error;
    const bicubic_state *s = k->state;
    const int64_t *in = icseg_kernel_in(k, 0)->shape.dim, *out = icseg_kernel_out(k, 0)->shape.dim;
    const float *x = k->in[0];
    float *y = k->out[0];
    int64_t c = in[3];
#pragma omp parallel for collapse(2) schedule(static)
    for (int64_t b = 0; b < out[0]; b++)
        for (int64_t h = 0; h < out[1]; h++)
            for (int64_t w = 0; w < out[2]; w++)
                sample(x + b * in[1] * in[2] * c, in[2] * c, &s->row[h], &s->column[w], c,
                       y + ((b * out[1] + h) * out[2] + w) * c);
    return ICSEG_OK;
}

const icseg_op icseg_op_resize_bicubic = {
    .name = "resize_bicubic", .prepare = bicubic_prepare, .run = bicubic_run, .release = release};

icseg_value icseg_resize_bicubic(icseg_graph *g, icseg_value x, int64_t height, int64_t width, double scale_y,
                                 double scale_x) {
    const scales scale = {scale_y, scale_x};
    if (!(scale_y > 0) || !(scale_x > 0))
        return icseg_graph_fail(g, "resize_bicubic", ICSEG_ERROR_SHAPE, "the factors %g and %g must be positive",
                                scale_y, scale_x);
    return icseg_resize_node(g, &icseg_op_resize_bicubic, &scale, sizeof scale, x, height, width);
}
