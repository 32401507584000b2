/* SPDX-License-Identifier: Apache-2.0
 * conv2d whose kernel equals its stride, without padding. Patches do not overlap, so the convolution is a matrix
 * product of patches laid out as rows (B H' W', kh kw I) with the weight (O, kh kw I). oneDNN's backward pass of such
 * convolutions is slow. */
#include <string.h>

#include "base/memory.h"
#include "graph/ops.h"
#include "graph/ops/conv2d.h"

typedef struct patch_state {
    icseg_primitive *primitive;
    size_t own, weights, rows; /* offsets in scratch */
} patch_state;

static int64_t row_size(const icseg_conv_shape *s) { return s->kernel_height * s->kernel_width * s->in; }
static int64_t row_count(const icseg_conv_shape *s) { return s->batch * s->out_height * s->out_width; }

/* A patch's line of pixels is contiguous in the image and in the row. With `back`: copies `rows` to `image`. */
static void lay_out(const icseg_conv_shape *s, float *image, float *rows, bool back) {
    int64_t line = s->kernel_width * s->in, pitch = s->width * s->in, row = row_size(s), lines = s->kernel_height;
#pragma omp parallel for collapse(2) schedule(static)
    for (int64_t b = 0; b < s->batch; b++)
        for (int64_t y = 0; y < s->out_height; y++)
            for (int64_t x = 0; x < s->out_width; x++)
                for (int64_t l = 0; l < lines; l++) {
                    float *pixels = image + (b * s->height + y * lines + l) * pitch + x * line;
                    float *cells = rows + ((b * s->out_height + y) * s->out_width + x) * row + l * line;
                    memcpy(back ? pixels : cells, back ? cells : pixels, (size_t)line * sizeof(float));
                }
}

static const icseg_op input_gradient_op, weight_gradient_op;

static icseg_status prepare(icseg_kernel *k, icseg_error *error) {
    const icseg_conv_shape *c = k->node->attributes;
    patch_state *s = k->state = icseg_calloc_array(1, sizeof *s);
    if (!s) return icseg_fail_memory(error, 0, "a convolution of patches");
    int64_t rows = row_count(c), row = row_size(c);
    icseg_primitive_options options = {.bias = k->node->input_count > 2, .pack = icseg_weights_should_pack(k, 1)};
    icseg_set_precision(k, &options);
    icseg_matmul_shape product = icseg_product_shape(rows, row, c->out, false, true);
    if (k->node->op == &input_gradient_op) product = icseg_product_shape(rows, c->out, row, false, false);
    if (k->node->op == &weight_gradient_op) {
        product = icseg_product_shape(c->out, rows, row, true, false);
        options.pack = false; /* the second operand is the rows, not input 1 */
    }
    ICSEG_TRY(icseg_matmul_open(&s->primitive, &product, options, error));
    k->precision = icseg_primitive_precision(s->primitive);
    s->own = icseg_scratch_reserve(k, icseg_primitive_scratch(s->primitive));
    s->weights = icseg_scratch_reserve(k, icseg_weights_scratch(k, 1, s->primitive));
    s->rows = icseg_scratch_reserve(k, (size_t)(rows * row) * sizeof(float));
    return ICSEG_OK;
}

static void release(icseg_kernel *k) {
    patch_state *s = k->state;
    if (s) icseg_primitive_close(&s->primitive);
    icseg_free(s);
}

static icseg_status forward_run(const icseg_kernel *k, const icseg_run *run, icseg_error *error) {
    patch_state *s = k->state;
    char *scratch = run->scratch;
    float *rows = (float *)(void *)(scratch + s->rows);
    icseg_operands operands = {.a = rows, .bias = k->in[2], .out = k->out[0]};
    lay_out(k->node->attributes, k->in[0], rows, false);
    ICSEG_TRY(icseg_weights_get(k, 1, s->primitive, scratch + s->weights, &operands.b, error));
    return icseg_primitive_run(s->primitive, operands, scratch + s->own, error);
}

static icseg_status input_gradient_run(const icseg_kernel *k, const icseg_run *run, icseg_error *error) {
    patch_state *s = k->state;
    char *scratch = run->scratch;
    float *rows = (float *)(void *)(scratch + s->rows);
    icseg_operands operands = {.a = k->in[0], .out = rows};
    ICSEG_TRY(icseg_weights_get(k, 1, s->primitive, scratch + s->weights, &operands.b, error));
    ICSEG_TRY(icseg_primitive_run(s->primitive, operands, scratch + s->own, error));
    const icseg_value_info *dx = icseg_kernel_out(k, 0);
    memset(k->out[0], 0, (size_t)dx->count * sizeof(float)); /* pixels outside all patches */
    lay_out(k->node->attributes, k->out[0], rows, true);
    return ICSEG_OK;
}

/* dy (rows, O)^T times the patches of x. */
static icseg_status weight_gradient_run(const icseg_kernel *k, const icseg_run *run, icseg_error *error) {
    patch_state *s = k->state;
    char *scratch = run->scratch;
    float *rows = (float *)(void *)(scratch + s->rows);
    icseg_operands operands = {.a = k->in[0], .b = rows, .out = k->out[0]};
    lay_out(k->node->attributes, k->in[1], rows, false);
    return icseg_primitive_run(s->primitive, operands, scratch + s->own, error);
}

static const icseg_op input_gradient_op = {.name = "patch_conv_gradient_input",
                                           .prepare = prepare,
                                           .run = input_gradient_run,
                                           .release = release,
                                           .flops = icseg_conv_flops,
                                           .lazy_inputs = 1 << 1};
static const icseg_op weight_gradient_op = {.name = "patch_conv_gradient_weight",
                                            .prepare = prepare,
                                            .run = weight_gradient_run,
                                            .release = release,
                                            .flops = icseg_conv_flops};

static icseg_value append(icseg_graph *g, const icseg_op *op, const icseg_conv_shape *shape, icseg_value a,
                          icseg_value b, icseg_value like) {
    icseg_value inputs[] = {a, b};
    icseg_node *node = icseg_node_append(g, op, shape, sizeof *shape, inputs, 2, 0);
    return node ? icseg_node_output(g, node, ICSEG_F32, icseg_graph_value(g, like)->shape) : ICSEG_NONE;
}

static void patch_conv_gradient(icseg_graph *g, const icseg_node *node, const icseg_value *grad_out,
                                icseg_value *grad_in) {
    icseg_value x = node->input[0], weight = node->input[1], dy = grad_out[0];
    if (icseg_node_needs_grad(g, node, 0)) grad_in[0] = append(g, &input_gradient_op, node->attributes, dy, weight, x);
    if (icseg_node_needs_grad(g, node, 1)) grad_in[1] = append(g, &weight_gradient_op, node->attributes, dy, x, weight);
    if (node->input_count > 2 && icseg_node_needs_grad(g, node, 2)) grad_in[2] = icseg_bias_gradient(g, dy);
}

static const icseg_op patch_conv_op = {.name = "conv2d",
                                       .gradient = patch_conv_gradient,
                                       .prepare = prepare,
                                       .run = forward_run,
                                       .release = release,
                                       .flops = icseg_conv_flops,
                                       .lazy_inputs = 1 << 1};

icseg_value icseg_patch_conv(icseg_graph *g, const icseg_conv_shape *shape, const icseg_value *inputs, int count) {
    icseg_node *node = icseg_node_append(g, &patch_conv_op, shape, sizeof *shape, inputs, count, 0);
    return node ? icseg_node_output(g, node, ICSEG_F32,
                                    ICSEG_SHAPE(shape->batch, shape->out_height, shape->out_width, shape->out))
                : ICSEG_NONE;
}
