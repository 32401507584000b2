/* SPDX-License-Identifier: Apache-2.0
 * conv2d_fused and linear_fused: one primitive computes y = activation(map(x) + bias + residual). */
#include "graph/ops/fused.h"

#include "base/memory.h"
#include "graph/ops/cast.h"
#include "graph/ops/winograd.h"

typedef struct fused_state {
    icseg_primitive *primitive; /* one of these two */
    icseg_winograd *winograd;
    bool residual;       /* an operand of the primitive; otherwise it is copied to the output first */
    size_t own, weights; /* offsets in scratch */
} fused_state;

static bool has(const icseg_kernel *k, int i) { return i < k->node->input_count && k->node->input[i] != ICSEG_NONE; }
static bool has_norm(const icseg_kernel *k) { return has(k, ICSEG_FUSED_GAMMA); }

static bool is_quantised(const icseg_kernel *k, int i) { return icseg_kernel_in(k, i)->dtype == ICSEG_U8; }

static icseg_primitive_options options_of(const icseg_kernel *k) {
    const icseg_fused_conv *conv = k->node->attributes;
    const icseg_fused_linear *linear = k->node->attributes;
    bool is_conv = k->node->op == &icseg_op_conv2d_fused;
    icseg_primitive_options options = {.bias = has(k, ICSEG_FUSED_BIAS) || has_norm(k),
                                       .accumulate = has(k, ICSEG_FUSED_RESIDUAL),
                                       .activation = is_conv ? conv->activation : linear->activation,
                                       .in = icseg_kernel_in(k, ICSEG_FUSED_X)->dtype,
                                       .out = icseg_kernel_out(k, 0)->dtype};
    icseg_set_precision(k, &options);
    if (options.accumulate && (options.out == ICSEG_U8 || is_quantised(k, ICSEG_FUSED_RESIDUAL))) {
        const icseg_value_info *residual = icseg_kernel_in(k, ICSEG_FUSED_RESIDUAL);
        options.accumulate = false;
        options.residual = true;
        options.residual_type = residual->dtype;
        options.residual_bytes = residual->quantization;
    }
    options.pack = !is_conv && (icseg_weights_should_pack(k, ICSEG_FUSED_WEIGHT) || options.in == ICSEG_BF16);
    return options;
}

/* Winograd's convolution does not add to its output and supports no activation but ReLU. */
static bool is_winograd(const icseg_kernel *k) {
    if (k->node->op != &icseg_op_conv2d_fused || has(k, ICSEG_FUSED_RESIDUAL)) return false;
    const icseg_fused_conv *a = k->node->attributes;
    return a->activation <= ICSEG_ACTIVATION_RELU && icseg_conv_is_winograd(&a->shape, options_of(k));
}

static icseg_status open_winograd(icseg_kernel *k, fused_state *s, icseg_error *error) {
    const icseg_fused_conv *a = k->node->attributes;
    bool large = icseg_winograd_large_is_faster(&a->shape); /* fused graphs only run forward */
    ICSEG_TRY(icseg_winograd_open(&s->winograd, &a->shape, ICSEG_CONV_FORWARD, large, error));
    if (a->activation == ICSEG_ACTIVATION_RELU) icseg_winograd_set_relu(s->winograd);
    s->own = icseg_scratch_reserve(k, icseg_winograd_scratch(s->winograd));
    return ICSEG_OK;
}

static icseg_status open_primitive(icseg_kernel *k, fused_state *s, icseg_error *error) {
    const icseg_fused_conv *conv = k->node->attributes;
    const icseg_fused_linear *linear = k->node->attributes;
    icseg_primitive_options options = options_of(k);
    s->residual = options.residual;
    ICSEG_TRY(k->node->op == &icseg_op_conv2d_fused
                  ? icseg_conv_forward_open(&s->primitive, &conv->shape, options, error)
                  : icseg_matmul_open(&s->primitive, &linear->shape, options, error));
    k->precision = icseg_primitive_precision(s->primitive);
    s->own = icseg_scratch_reserve(k, icseg_primitive_scratch(s->primitive));
    s->weights = icseg_scratch_reserve(k, has_norm(k) ? 0 : icseg_weights_scratch(k, ICSEG_FUSED_WEIGHT, s->primitive));
    return ICSEG_OK;
}

static icseg_status prepare(icseg_kernel *k, icseg_error *error) {
    fused_state *s = k->state = icseg_calloc_array(1, sizeof *s);
    if (!s) return icseg_fail_memory(error, 0, "a fused operator");
    if (has_norm(k)) k->kept_size += (size_t)icseg_kernel_in(k, ICSEG_FUSED_WEIGHT)->count * sizeof(float);
    return is_winograd(k) ? open_winograd(k, s, error) : open_primitive(k, s, error);
}

static icseg_status get_weights(const icseg_kernel *k, void *scratch, icseg_operands *operands, icseg_error *error) {
    const fused_state *s = k->state;
    if (has_norm(k)) return icseg_folded_get(k, s->primitive, &operands->b, &operands->bias, error);
    return s->winograd ? icseg_weights_plain(k, ICSEG_FUSED_WEIGHT, &operands->b, error)
                       : icseg_weights_get(k, ICSEG_FUSED_WEIGHT, s->primitive, scratch, &operands->b, error);
}

static icseg_status run(const icseg_kernel *k, const icseg_run *r, icseg_error *error) {
    fused_state *s = k->state;
    char *scratch = r->scratch;
    icseg_operands operands = {.a = k->in[ICSEG_FUSED_X], .bias = k->in[ICSEG_FUSED_BIAS], .out = k->out[0]};
    if (s->residual) operands.residual = k->in[ICSEG_FUSED_RESIDUAL];
    if (has(k, ICSEG_FUSED_SECOND)) operands.second = k->in[ICSEG_FUSED_SECOND];
    ICSEG_TRY(get_weights(k, scratch + s->weights, &operands, error));
    if (s->winograd) return icseg_winograd_run(s->winograd, operands, scratch + s->own, error);
    if (has(k, ICSEG_FUSED_RESIDUAL) && !s->residual && k->in[ICSEG_FUSED_RESIDUAL] != k->out[0])
        icseg_cast_elements(k->out[0], icseg_format_of(icseg_kernel_out(k, 0)), k->in[ICSEG_FUSED_RESIDUAL],
                            icseg_format_of(icseg_kernel_in(k, ICSEG_FUSED_RESIDUAL)), icseg_kernel_out(k, 0)->count);
    return icseg_primitive_run(s->primitive, operands, scratch + s->own, error);
}

static void release(icseg_kernel *k) {
    fused_state *s = k->state;
    if (s) icseg_primitive_close(&s->primitive);
    if (s) icseg_winograd_close(&s->winograd);
    icseg_free(s);
}

/* Where Winograd's convolution cannot be used, bf16 need not be faster than it. */
static bool conv_is_faster(const icseg_graph *g, const icseg_node *node) {
    const icseg_fused_conv *a = node->attributes;
    bool direct = node->input[ICSEG_FUSED_RESIDUAL] != ICSEG_NONE || a->activation > ICSEG_ACTIVATION_RELU;
    return direct || icseg_conv_bf16_is_faster(g, node);
}

const icseg_op icseg_op_conv2d_fused = {
    .name = "conv2d_fused",
    .prepare = prepare,
    .run = run,
    .release = release,
    .flops = icseg_conv_flops,
    .lazy_inputs = 1 << ICSEG_FUSED_WEIGHT,
    .in_place = 1 << ICSEG_FUSED_RESIDUAL,
    .bf16 = {.product = 1 << ICSEG_FUSED_X, .in = 1 << ICSEG_FUSED_RESIDUAL, .out = 1, .is_faster = conv_is_faster},
    .int8 = {.reduces = icseg_conv_reduces,
             .in = 1 << ICSEG_FUSED_X | 1 << ICSEG_FUSED_RESIDUAL | 1 << ICSEG_FUSED_SECOND,
             .out = 1,
             .second = ICSEG_FUSED_SECOND}};
const icseg_op icseg_op_linear_fused = {
    .name = "linear_fused",
    .prepare = prepare,
    .run = run,
    .release = release,
    .flops = icseg_product_flops,
    .lazy_inputs = 1 << ICSEG_FUSED_WEIGHT,
    .in_place = 1 << ICSEG_FUSED_RESIDUAL,
    .bf16 = {.product = 1 << ICSEG_FUSED_X, .in = 1 << ICSEG_FUSED_RESIDUAL, .out = 1},
    .int8 = {.reduces = icseg_product_reduces, .in = 1 << ICSEG_FUSED_X | 1 << ICSEG_FUSED_RESIDUAL, .out = 1}};
