/* SPDX-License-Identifier: Apache-2.0
 * conv2d and the gradients of its input and weight. */
#include "graph/ops/conv2d.h"

#include "base/memory.h"
#include "graph/ops.h"
#include "graph/ops/winograd.h"

typedef struct conv_state {
    icseg_primitive *primitive; /* one of these two */
    icseg_winograd *winograd;
    bool swapped;        /* the primitive's operands are dy, x */
    size_t own, weights; /* offsets in scratch */
} conv_state;

static icseg_primitive_kind direction_of(const icseg_kernel *k);

static icseg_status open_winograd(icseg_kernel *k, conv_state *s, icseg_error *error) {
    bool large = icseg_graph_forward_only(k->graph) && icseg_winograd_large_is_faster(k->node->attributes);
    ICSEG_TRY(icseg_winograd_open(&s->winograd, k->node->attributes, direction_of(k), large, error));
    s->own = icseg_scratch_reserve(k, icseg_winograd_scratch(s->winograd));
    return ICSEG_OK;
}

static bool is_matrix(const icseg_conv_shape *s) {
    return s->kernel_height == 1 && s->kernel_width == 1 && s->stride == 1 && s->padding == 0;
}

/* For gradients of 1x1 convolutions in bf16: matrix products are up to three times as fast as oneDNN's convolutions. */
static icseg_status open_product(icseg_kernel *k, conv_state *s, icseg_primitive_options options, icseg_error *error) {
    const icseg_conv_shape *c = k->node->attributes;
    int64_t rows = c->batch * c->height * c->width;
    s->swapped = direction_of(k) == ICSEG_CONV_BACKWARD_WEIGHTS;
    options.pack = !s->swapped;
    icseg_matmul_shape product = s->swapped ? icseg_product_shape(c->out, rows, c->in, true, false)
                                            : icseg_product_shape(rows, c->out, c->in, false, false);
    return icseg_matmul_open(&s->primitive, &product, options, error);
}

static icseg_primitive_options options_of(const icseg_kernel *k) {
    icseg_primitive_options options = {
        .bias = k->node->input_count > 2, .in = icseg_kernel_in(k, 0)->dtype, .out = icseg_kernel_out(k, 0)->dtype};
    if (direction_of(k) == ICSEG_CONV_FORWARD) icseg_set_precision(k, &options);
    return options;
}

static icseg_status open_direct(icseg_kernel *k, conv_state *s, icseg_error *error) {
    const icseg_conv_shape *shape = k->node->attributes;
    icseg_primitive_options options = options_of(k);
    icseg_primitive_kind direction = direction_of(k);
    icseg_status status;
    if (direction == ICSEG_CONV_FORWARD)
        status = icseg_conv_forward_open(&s->primitive, shape, options, error);
    else if (options.in == ICSEG_BF16 && is_matrix(shape))
        status = open_product(k, s, options, error);
    else if (direction == ICSEG_CONV_BACKWARD_DATA)
        status = icseg_conv_backward_data_open(&s->primitive, shape, options, error);
    else
        status = icseg_conv_backward_weights_open(&s->primitive, shape, options, error);
    ICSEG_TRY(status);
    k->precision = icseg_primitive_precision(s->primitive);
    s->own = icseg_scratch_reserve(k, icseg_primitive_scratch(s->primitive));
    s->weights = icseg_scratch_reserve(k, icseg_weights_scratch(k, 1, s->primitive));
    return ICSEG_OK;
}

static icseg_status prepare(icseg_kernel *k, icseg_error *error) {
    conv_state *s = k->state = icseg_calloc_array(1, sizeof *s);
    if (!s) return icseg_fail_memory(error, 0, "a convolution");
    const icseg_conv_shape *shape = k->node->attributes;
    icseg_primitive_options options = options_of(k);
    bool winograd = icseg_conv_is_winograd(shape, options);
    return winograd ? open_winograd(k, s, error) : open_direct(k, s, error);
}

/* Forward: x, weight, bias -> y. Input gradient: dy, weight -> dx. Weight gradient: x, dy -> dweight. */
static icseg_status run(const icseg_kernel *k, const icseg_run *r, icseg_error *error) {
    conv_state *s = k->state;
    char *scratch = r->scratch;
    icseg_operands operands = {.a = k->in[0], .b = k->in[1], .bias = k->in[2], .out = k->out[0]};
    if (s->winograd) {
        ICSEG_TRY(icseg_weights_plain(k, 1, &operands.b, error));
        return icseg_winograd_run(s->winograd, operands, scratch + s->own, error);
    }
    ICSEG_TRY(icseg_weights_get(k, 1, s->primitive, scratch + s->weights, &operands.b, error));
    if (s->swapped) operands.a = k->in[1], operands.b = k->in[0];
    return icseg_primitive_run(s->primitive, operands, scratch + s->own, error);
}

static void release(icseg_kernel *k) {
    conv_state *s = k->state;
    if (s) icseg_primitive_close(&s->primitive);
    if (s) icseg_winograd_close(&s->winograd);
    icseg_free(s);
}

bool icseg_conv_is_winograd(const icseg_conv_shape *shape, icseg_primitive_options options) {
    return options.in == ICSEG_F32 && !icseg_conv_reduces_precision(shape, options) && icseg_winograd_is_faster(shape);
}

/* Without AMX, bf16 has twice the rate of f32, which is less than Winograd gains. */
bool icseg_conv_bf16_is_faster(const icseg_graph *g, const icseg_node *node) {
    (void)g;
    return icseg_compute_bf16() == ICSEG_BF16_AMX || !icseg_winograd_is_faster(node->attributes);
}

static const icseg_op input_gradient_op = {.name = "conv2d_gradient_input",
                                           .prepare = prepare,
                                           .run = run,
                                           .release = release,
                                           .flops = icseg_conv_flops,
                                           .lazy_inputs = 1 << 1,
                                           .bf16 = {.product = 1, .out = 1, .is_faster = icseg_conv_bf16_is_faster}};
static const icseg_op weight_gradient_op = {.name = "conv2d_gradient_weight",
                                            .prepare = prepare,
                                            .run = run,
                                            .release = release,
                                            .flops = icseg_conv_flops,
                                            .bf16 = {.product = 1 | 1 << 1, .is_faster = icseg_conv_bf16_is_faster}};

static icseg_primitive_kind direction_of(const icseg_kernel *k) {
    return k->node->op == &input_gradient_op    ? ICSEG_CONV_BACKWARD_DATA
           : k->node->op == &weight_gradient_op ? ICSEG_CONV_BACKWARD_WEIGHTS
                                                : ICSEG_CONV_FORWARD;
}

static icseg_value append(icseg_graph *g, const icseg_op *op, const icseg_conv_shape *shape, icseg_value a,
                          icseg_value b, icseg_value like) {
    icseg_value inputs[] = {a, b};
    icseg_node *node = icseg_node_append(g, op, shape, sizeof *shape, inputs, 2, 0);
    return node ? icseg_node_output(g, node, ICSEG_F32, icseg_graph_value(g, like)->shape) : ICSEG_NONE;
}

static void conv2d_gradient(icseg_graph *g, const icseg_node *node, const icseg_value *grad_out, icseg_value *grad_in) {
    icseg_value x = node->input[0], weight = node->input[1], dy = grad_out[0];
    if (icseg_node_needs_grad(g, node, 0)) grad_in[0] = append(g, &input_gradient_op, node->attributes, dy, weight, x);
    if (icseg_node_needs_grad(g, node, 1)) grad_in[1] = append(g, &weight_gradient_op, node->attributes, x, dy, weight);
    if (node->input_count > 2 && icseg_node_needs_grad(g, node, 2)) grad_in[2] = icseg_bias_gradient(g, dy);
}

const icseg_op icseg_op_conv2d = {.name = "conv2d",
                                  .gradient = conv2d_gradient,
                                  .prepare = prepare,
                                  .run = run,
                                  .release = release,
                                  .flops = icseg_conv_flops,
                                  .lazy_inputs = 1 << 1,
                                  .bf16 = {.product = 1, .out = 1, .is_faster = icseg_conv_bf16_is_faster},
                                  .int8 = {.reduces = icseg_conv_reduces, .in = 1, .out = 1}};

static icseg_value refuse(icseg_graph *g, icseg_value x, icseg_value weight, icseg_value bias, int stride,
                          int padding) {
    char xt[ICSEG_SHAPE_TEXT], wt[ICSEG_SHAPE_TEXT], bt[ICSEG_SHAPE_TEXT] = "none";
    if (bias != ICSEG_NONE) icseg_shape_text(icseg_graph_value(g, bias)->shape, bt, sizeof bt);
    return icseg_graph_fail(g, "conv2d", ICSEG_ERROR_SHAPE,
                            "x %s, weight %s, bias %s, stride %d, padding %d: (B, H, W, I), (O, kh, kw, I), (O) are "
                            "expected, and a kernel no larger than the padded image",
                            icseg_shape_text(icseg_graph_value(g, x)->shape, xt, sizeof xt),
                            icseg_shape_text(icseg_graph_value(g, weight)->shape, wt, sizeof wt), bt, stride, padding);
}

icseg_value icseg_conv2d(icseg_graph *g, icseg_value x, icseg_value weight, icseg_value bias, int stride, int padding) {
    if (x == ICSEG_NONE || weight == ICSEG_NONE) return icseg_graph_fail(g, "conv2d", ICSEG_ERROR_INTERNAL, "no input");
    icseg_shape xs = icseg_graph_value(g, x)->shape, ws = icseg_graph_value(g, weight)->shape;
    const int64_t *d = xs.dim, *w = ws.dim;
    if (xs.rank != 4 || ws.rank != 4 || d[3] != w[3] || stride < 1 || padding < 0 || d[1] + 2 * padding < w[1] ||
        d[2] + 2 * padding < w[2])
        return refuse(g, x, weight, bias, stride, padding);
    if (bias != ICSEG_NONE && !icseg_shape_equal(icseg_graph_value(g, bias)->shape, ICSEG_SHAPE(w[0])))
        return refuse(g, x, weight, bias, stride, padding);
    icseg_conv_shape shape = {.batch = d[0],
                              .height = d[1],
                              .width = d[2],
                              .in = d[3],
                              .out = w[0],
                              .kernel_height = w[1],
                              .kernel_width = w[2],
                              .stride = stride,
                              .padding = padding,
                              .out_height = (d[1] + 2 * padding - w[1]) / stride + 1,
                              .out_width = (d[2] + 2 * padding - w[2]) / stride + 1};
    icseg_value inputs[] = {x, weight, bias};
    int count = bias == ICSEG_NONE ? 2 : 3;
    if (stride > 1 && padding == 0 && w[1] == stride && w[2] == stride)
        return icseg_patch_conv(g, &shape, inputs, count);
    icseg_node *node = icseg_node_append(g, &icseg_op_conv2d, &shape, sizeof shape, inputs, count, 0);
    return node ? icseg_node_output(g, node, ICSEG_F32, ICSEG_SHAPE(d[0], shape.out_height, shape.out_width, w[0]))
                : ICSEG_NONE;
}
