/* SPDX-License-Identifier: Apache-2.0
 * conv_transpose2x2, a matrix product with the weight (4 O, I). Images are processed one by one, which limits scratch
 * memory. */
#include <string.h>

#include "base/memory.h"
#include "base/system.h"
#include "graph/ops.h"
#include "graph/ops/conv_transpose.h"
#include "graph/ops/linear_algebra.h"

typedef struct transpose_state {
    icseg_primitive *primitive;
    size_t own, weights, squares; /* offsets in scratch */
} transpose_state;

static const icseg_op input_gradient_op, weight_gradient_op;

static icseg_matmul_shape forward_product(const icseg_transpose_shape *t) {
    return icseg_product_shape(t->height * t->width, t->in, 4 * t->out, false, true);
}

static icseg_status prepare(icseg_kernel *k, icseg_error *error) {
    const icseg_transpose_shape *t = k->node->attributes;
    transpose_state *s = k->state = icseg_calloc_array(1, sizeof *s);
    if (!s) return icseg_fail_memory(error, 0, "a transposed convolution");
    int64_t pixels = t->height * t->width, square = 4 * t->out;
    icseg_primitive_options options = {.pack = icseg_weights_should_pack(k, 1), .in = icseg_kernel_in(k, 0)->dtype};
    icseg_set_precision(k, &options);
    icseg_matmul_shape product = forward_product(t);
    if (k->node->op == &input_gradient_op) product = icseg_product_shape(pixels, square, t->in, false, false);
    if (k->node->op == &weight_gradient_op) {
        product = icseg_product_shape(square, pixels, t->in, true, false);
        options = (icseg_primitive_options){.accumulate = true}; /* sums over the images */
    }
    ICSEG_TRY(icseg_matmul_open(&s->primitive, &product, options, error));
    k->precision = icseg_primitive_precision(s->primitive);
    s->own = icseg_scratch_reserve(k, icseg_primitive_scratch(s->primitive));
    s->weights = icseg_scratch_reserve(k, icseg_weights_scratch(k, 1, s->primitive));
    s->squares = icseg_scratch_reserve(k, (size_t)(pixels * square) * sizeof(float));
    return ICSEG_OK;
}

static void release(icseg_kernel *k) {
    transpose_state *s = k->state;
    if (s) icseg_primitive_close(&s->primitive);
    icseg_free(s);
}

/* to = from + bias + residual; each of the last two may be NULL. */
ICSEG_KERNEL static void add(float *to, const float *from, const float *bias, const float *residual, int64_t n) {
    if (bias && residual) {
#pragma omp simd
        for (int64_t i = 0; i < n; i++) to[i] = from[i] + bias[i] + residual[i];
    } else if (bias || residual) {
        const float *other = bias ? bias : residual;
#pragma omp simd
        for (int64_t i = 0; i < n; i++) to[i] = from[i] + other[i];
    } else {
        memcpy(to, from, (size_t)n * sizeof *to);
    }
}

void icseg_transpose_spread(const icseg_transpose_shape *t, int64_t first, int64_t lines, const float *squares,
                            const float *bias, const float *residual, float *image) {
    int64_t n = t->out;
#pragma omp parallel for schedule(static)
    for (int64_t line = 0; line < 2 * lines; line++)
        for (int64_t x = 0; x < 2 * t->width; x++) {
            const float *from = squares + (((line / 2 * t->width + x / 2) * 2 + line % 2) * 2 + x % 2) * n;
            int64_t at = ((2 * first + line) * 2 * t->width + x) * n;
            add(image + at, from, bias, residual ? residual + at : NULL, n);
        }
}

/* image (2H, 2W, O) -> squares (H W, 2, 2, O) */
static void collect(const icseg_transpose_shape *t, const float *image, float *squares) {
    int64_t n = 2 * t->out; /* two pixels of a square are also neighbours in the image */
#pragma omp parallel for schedule(static)
    for (int64_t line = 0; line < 2 * t->height; line++)
        for (int64_t x = 0; x < t->width; x++)
            memcpy(squares + ((line / 2 * t->width + x) * 2 + line % 2) * n, image + (line * t->width + x) * n,
                   (size_t)n * sizeof *squares);
}

static icseg_status forward_run(const icseg_kernel *k, const icseg_run *run, icseg_error *error) {
    const icseg_transpose_shape *t = k->node->attributes;
    const transpose_state *s = k->state;
    char *scratch = run->scratch;
    float *squares = (float *)(void *)(scratch + s->squares), *y = k->out[0];
    const char *x = k->in[0];
    int64_t pixels = t->height * t->width;
    size_t image = (size_t)(pixels * t->in) * icseg_dtype_size(icseg_kernel_in(k, 0)->dtype);
    icseg_operands operands = {.out = squares};
    ICSEG_TRY(icseg_weights_get(k, 1, s->primitive, scratch + s->weights, &operands.b, error));
    for (int64_t b = 0; b < t->batch; b++) {
        operands.a = x + (size_t)b * image;
        ICSEG_TRY(icseg_primitive_run(s->primitive, operands, scratch + s->own, error));
        icseg_transpose_spread(t, 0, t->height, squares, k->in[2], NULL, y + b * pixels * 4 * t->out);
    }
    return ICSEG_OK;
}

static icseg_status input_gradient_run(const icseg_kernel *k, const icseg_run *run, icseg_error *error) {
    const icseg_transpose_shape *t = k->node->attributes;
    const transpose_state *s = k->state;
    char *scratch = run->scratch;
    float *squares = (float *)(void *)(scratch + s->squares), *dx = k->out[0];
    const float *dy = k->in[0];
    int64_t pixels = t->height * t->width;
    icseg_operands operands = {.a = squares};
    ICSEG_TRY(icseg_weights_get(k, 1, s->primitive, scratch + s->weights, &operands.b, error));
    for (int64_t b = 0; b < t->batch; b++) {
        collect(t, dy + b * pixels * 4 * t->out, squares);
        operands.out = dx + b * pixels * t->in;
        ICSEG_TRY(icseg_primitive_run(s->primitive, operands, scratch + s->own, error));
    }
    return ICSEG_OK;
}

/* dy (H W, 4 O)^T times x (H W, I). */
static icseg_status weight_gradient_run(const icseg_kernel *k, const icseg_run *run, icseg_error *error) {
    const icseg_transpose_shape *t = k->node->attributes;
    const transpose_state *s = k->state;
    char *scratch = run->scratch;
    float *squares = (float *)(void *)(scratch + s->squares);
    const float *dy = k->in[0], *x = k->in[1];
    int64_t pixels = t->height * t->width;
    memset(k->out[0], 0, (size_t)icseg_kernel_out(k, 0)->count * sizeof(float));
    for (int64_t b = 0; b < t->batch; b++) {
        collect(t, dy + b * pixels * 4 * t->out, squares);
        icseg_operands operands = {.a = squares, .b = x + b * pixels * t->in, .out = k->out[0]};
        ICSEG_TRY(icseg_primitive_run(s->primitive, operands, scratch + s->own, error));
    }
    return ICSEG_OK;
}

static double flops(const icseg_graph *g, const icseg_node *node) {
    (void)g;
    const icseg_transpose_shape *t = node->attributes;
    return 8.0 * (double)t->batch * (double)t->height * (double)t->width * (double)t->in * (double)t->out;
}

static const icseg_op input_gradient_op = {.name = "conv_transpose2x2_gradient_input",
                                           .prepare = prepare,
                                           .run = input_gradient_run,
                                           .release = release,
                                           .flops = flops,
                                           .lazy_inputs = 1 << 1};
static const icseg_op weight_gradient_op = {.name = "conv_transpose2x2_gradient_weight",
                                            .prepare = prepare,
                                            .run = weight_gradient_run,
                                            .release = release,
                                            .flops = flops};

static icseg_value append(icseg_graph *g, const icseg_op *op, const icseg_node *node, icseg_value a, icseg_value b,
                          icseg_value like) {
    icseg_value inputs[] = {a, b};
    icseg_node *back = icseg_node_append(g, op, node->attributes, sizeof(icseg_transpose_shape), inputs, 2, 0);
    return back ? icseg_node_output(g, back, ICSEG_F32, icseg_graph_value(g, like)->shape) : ICSEG_NONE;
}

static void conv_transpose2x2_gradient(icseg_graph *g, const icseg_node *node, const icseg_value *grad_out,
                                       icseg_value *grad_in) {
    icseg_value x = node->input[0], weight = node->input[1], dy = grad_out[0];
    if (icseg_node_needs_grad(g, node, 0)) grad_in[0] = append(g, &input_gradient_op, node, dy, weight, x);
    if (icseg_node_needs_grad(g, node, 1)) grad_in[1] = append(g, &weight_gradient_op, node, dy, x, weight);
    if (node->input_count > 2 && icseg_node_needs_grad(g, node, 2)) grad_in[2] = icseg_bias_gradient(g, dy);
}

static bool reduces(const icseg_graph *g, const icseg_node *node, icseg_primitive_options options) {
    const icseg_matmul_shape product = forward_product(node->attributes);
    options.pack = icseg_graph_param_of(g, node->input[1]) && !icseg_graph_training(g);
    return icseg_matmul_reduces_precision(&product, options);
}

const icseg_op icseg_op_conv_transpose2x2 = {.name = "conv_transpose2x2",
                                             .gradient = conv_transpose2x2_gradient,
                                             .prepare = prepare,
                                             .run = forward_run,
                                             .release = release,
                                             .flops = flops,
                                             .lazy_inputs = 1 << 1,
                                             .int8 = {.reduces = reduces, .in = 1, .out = 0}};

icseg_value icseg_conv_transpose2x2(icseg_graph *g, icseg_value x, icseg_value weight, icseg_value bias) {
    if (x == ICSEG_NONE || weight == ICSEG_NONE)
        return icseg_graph_fail(g, "conv_transpose2x2", ICSEG_ERROR_INTERNAL, "no input");
    icseg_shape xs = icseg_graph_value(g, x)->shape, ws = icseg_graph_value(g, weight)->shape;
    bool fits = xs.rank == 4 && ws.rank == 4 && ws.dim[0] == 2 && ws.dim[1] == 2 && ws.dim[3] == xs.dim[3];
    if (bias != ICSEG_NONE) fits = fits && icseg_shape_equal(icseg_graph_value(g, bias)->shape, ICSEG_SHAPE(ws.dim[2]));
    if (!fits) {
        char xt[ICSEG_SHAPE_TEXT], wt[ICSEG_SHAPE_TEXT], bt[ICSEG_SHAPE_TEXT] = "none";
        if (bias != ICSEG_NONE) icseg_shape_text(icseg_graph_value(g, bias)->shape, bt, sizeof bt);
        return icseg_graph_fail(g, "conv_transpose2x2", ICSEG_ERROR_SHAPE,
                                "x %s, weight %s, bias %s: (B, H, W, I), (2, 2, O, I), (O) are expected",
                                icseg_shape_text(xs, xt, sizeof xt), icseg_shape_text(ws, wt, sizeof wt), bt);
    }
    icseg_transpose_shape t = {
        .batch = xs.dim[0], .height = xs.dim[1], .width = xs.dim[2], .in = xs.dim[3], .out = ws.dim[2]};
    icseg_value inputs[] = {x, weight, bias};
    icseg_node *node =
        icseg_node_append(g, &icseg_op_conv_transpose2x2, &t, sizeof t, inputs, bias == ICSEG_NONE ? 2 : 3, 0);
    return node ? icseg_node_output(g, node, ICSEG_F32, ICSEG_SHAPE(t.batch, 2 * t.height, 2 * t.width, t.out))
                : ICSEG_NONE;
}
