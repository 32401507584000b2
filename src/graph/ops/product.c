/* SPDX-License-Identifier: Apache-2.0
 * Nodes that are one matrix product, and the packing of weights. */
#include "base/memory.h"
#include "graph/activation_ranges.h"
#include "graph/ops/linear_algebra.h"

size_t icseg_scratch_reserve(icseg_kernel *k, size_t bytes) {
    size_t offset = k->scratch_size;
    k->scratch_size += (bytes + 63) / 64 * 64;
    return offset;
}

icseg_second_input icseg_second_input_of(const icseg_graph *g, const icseg_node *node) {
    if (!icseg_node_has_second(node)) return (icseg_second_input){0};
    const icseg_value_info *x = icseg_graph_value(g, node->input[node->op->int8.second]);
    icseg_activation_range range = icseg_activation_ranges_of_input(g, node, node->op->int8.second);
    return (icseg_second_input){.channels = x->shape.dim[x->shape.rank - 1],
                                .type = x->dtype,
                                .bytes = x->dtype == ICSEG_U8 ? x->quantization
                                                              : icseg_activation_range_quantization(range)};
}

void icseg_set_precision(const icseg_kernel *k, icseg_primitive_options *options) {
    const icseg_activation_ranges *ranges = icseg_graph_activation_ranges(k->graph);
    bool known = ranges && !icseg_activation_ranges_recording(ranges);
    options->precision = icseg_graph_precision(k->graph);
    const icseg_param *layer = icseg_activation_ranges_layer(k->graph, k->node);
    options->in_bytes = icseg_kernel_in(k, 0)->quantization;
    options->out_bytes = icseg_kernel_out(k, 0)->quantization;
    if (known && layer) options->in_means = icseg_activation_ranges_means(ranges, layer);
    if (known && layer && icseg_kernel_in(k, 0)->dtype == ICSEG_F32)
        options->in_bytes = icseg_activation_range_quantization(icseg_activation_ranges_of_input(k->graph, k->node, 0));
    options->second = icseg_second_input_of(k->graph, k->node);
}

static icseg_param *param_of(const icseg_kernel *k, int i) { return icseg_graph_param_of(k->graph, k->node->input[i]); }

bool icseg_weights_should_pack(const icseg_kernel *k, int i) {
    return param_of(k, i) && !icseg_graph_training(k->graph);
}

/* A parameter's packed copy is kept with it, unless every step would pack it again or it is not needed again. */
static bool keeps_packed(const icseg_kernel *k, int i) {
    const icseg_param *param = param_of(k, i);
    return param && (!param->options.trainable || !icseg_graph_training(k->graph)) &&
           !icseg_graph_is_used_once(k->graph);
}

size_t icseg_weights_scratch(icseg_kernel *k, int i, const icseg_primitive *primitive) {
    size_t packed = icseg_primitive_packed_size(primitive);
    if (keeps_packed(k, i)) {
        bool f16 = icseg_primitive_packs_f32(primitive) && icseg_param_is_f16(param_of(k, i));
        k->kept_size += f16 ? packed / 2 : packed;
        if (!f16) return 0;
        k->expanded_inputs |= 1u << i;
    }
    return packed;
}

icseg_status icseg_weights_plain(const icseg_kernel *k, int i, const void **out, icseg_error *error) {
    icseg_param *param = param_of(k, i);
    if (param) ICSEG_TRY(icseg_param_load(param, error));
    *out = param ? param->data : k->in[i];
    return ICSEG_OK;
}

/* Called under the parameter's lock. Another thread may have packed it in the meantime. */
static icseg_status pack_param(icseg_param *param, const icseg_primitive *primitive, icseg_packed_form form,
                               void *scratch, const void **out, icseg_error *error) {
    const float *plain;
    float *copy;
    *out = icseg_packed_find(param->packed, primitive, form, param->version);
    if (*out) return ICSEG_OK;
    param->free_packed = icseg_packed_free;
    ICSEG_TRY(icseg_param_borrow(param, &plain, &copy, error));
    icseg_status status =
        form == ICSEG_PACKED_F16
            ? icseg_packed_get_f16(&param->packed, primitive, plain, param->version, scratch, out, error)
            : icseg_packed_get(&param->packed, primitive, plain, param->version, out, error);
    icseg_free(copy);
    return status;
}

/* The packed copy that a parameter keeps. Making one in f16 takes the scratch memory of the operand. */
static icseg_status get_kept(icseg_param *param, const icseg_primitive *primitive, icseg_packed_form form,
                             void *scratch, const void **out, icseg_error *error) {
    *out = icseg_packed_find(param->packed, primitive, form, param->version);
    if (*out) return ICSEG_OK;
    pthread_mutex_lock(param->lock);
    icseg_status status = pack_param(param, primitive, form, scratch, out, error);
    pthread_mutex_unlock(param->lock);
    return status;
}

/* Packs an operand that is not kept. */
static icseg_status pack_here(const icseg_kernel *k, int i, const icseg_primitive *primitive, void *scratch,
                              icseg_error *error) {
    const float *values;
    const void *plain;
    float *copy = NULL;
    bool borrow = param_of(k, i) && icseg_graph_is_used_once(k->graph);
    ICSEG_TRY(borrow ? icseg_param_borrow(param_of(k, i), &values, &copy, error)
                     : icseg_weights_plain(k, i, &plain, error));
    icseg_status status = icseg_primitive_pack(primitive, borrow ? values : plain, scratch, error);
    icseg_free(copy);
    return status;
}

icseg_status icseg_weights_get_next(const icseg_kernel *k, int i, const icseg_primitive *primitive, void *scratch,
                                    const void **expanded, const void **out, icseg_error *error) {
    icseg_param *param = param_of(k, i);
    const void *kept;
    *out = scratch;
    if (!icseg_primitive_packed_size(primitive)) return icseg_weights_plain(k, i, out, error);
    if (!keeps_packed(k, i)) return pack_here(k, i, primitive, scratch, error);
    bool f16 = k->expanded_inputs >> i & 1 && icseg_param_is_f16(param);
    if (!f16) return get_kept(param, primitive, ICSEG_PACKED_READY, NULL, out, error);
    ICSEG_TRY(get_kept(param, primitive, ICSEG_PACKED_F16, scratch, &kept, error));
    if (*expanded != kept) icseg_packed_expand(primitive, kept, scratch);
    *expanded = kept;
    return ICSEG_OK;
}

icseg_status icseg_weights_get(const icseg_kernel *k, int i, const icseg_primitive *primitive, void *scratch,
                               const void **out, icseg_error *error) {
    const void *expanded = NULL;
    return icseg_weights_get_next(k, i, primitive, scratch, &expanded, out, error);
}

icseg_matmul_shape icseg_product_batch(int64_t batch, int64_t rows, int64_t inner, int64_t columns, bool a_transposed,
                                       bool b_transposed) {
    return (icseg_matmul_shape){
        .batch = {1, batch},
        .rows = rows,
        .inner = inner,
        .columns = columns,
        .a_stride = {0, rows * inner, a_transposed ? 1 : inner, a_transposed ? rows : 1},
        .b_stride = {0, inner * columns, b_transposed ? 1 : columns, b_transposed ? inner : 1},
        .out_stride = {0, rows * columns, columns, 1},
    };
}

icseg_matmul_shape icseg_product_shape(int64_t rows, int64_t inner, int64_t columns, bool a_transposed,
                                       bool b_transposed) {
    return icseg_product_batch(1, rows, inner, columns, a_transposed, b_transposed);
}

icseg_value icseg_product(icseg_graph *g, const icseg_op *op, icseg_matmul_shape product, const icseg_value *inputs,
                          int count, icseg_shape out) {
    icseg_node *node = icseg_node_append(g, op, &product, sizeof product, inputs, count, 1 << 2);
    return node ? icseg_node_output(g, node, ICSEG_F32, out) : ICSEG_NONE;
}

typedef struct product_state {
    icseg_primitive *primitive;
    size_t own, weights; /* offsets in scratch */
} product_state;

icseg_status icseg_product_prepare(icseg_kernel *k, icseg_error *error) {
    product_state *s = k->state = icseg_calloc_array(1, sizeof *s);
    if (!s) return icseg_fail_memory(error, 0, "a matrix product");
    icseg_primitive_options options = {.bias = k->node->input_count > 2 && k->node->input[2] != ICSEG_NONE,
                                       .pack = icseg_weights_should_pack(k, 1),
                                       .in = icseg_kernel_in(k, 0)->dtype,
                                       .out = icseg_kernel_out(k, 0)->dtype};
    icseg_set_precision(k, &options);
    options.pack |= icseg_kernel_in(k, 1)->dtype != options.in; /* at least to convert the weight to bf16 */
    ICSEG_TRY(icseg_matmul_open(&s->primitive, k->node->attributes, options, error));
    k->precision = icseg_primitive_precision(s->primitive);
    s->own = icseg_scratch_reserve(k, icseg_primitive_scratch(s->primitive));
    s->weights = icseg_scratch_reserve(k, icseg_weights_scratch(k, 1, s->primitive));
    return ICSEG_OK;
}

icseg_status icseg_product_run(const icseg_kernel *k, const icseg_run *run, icseg_error *error) {
    product_state *s = k->state;
    char *scratch = run->scratch;
    icseg_operands operands = {.a = k->in[0], .bias = k->in[2], .out = k->out[0]};
    ICSEG_TRY(icseg_weights_get(k, 1, s->primitive, scratch + s->weights, &operands.b, error));
    return icseg_primitive_run(s->primitive, operands, scratch + s->own, error);
}

void icseg_product_release(icseg_kernel *k) {
    product_state *s = k->state;
    if (s) icseg_primitive_close(&s->primitive);
    icseg_free(s);
}

double icseg_product_flops(const icseg_graph *g, const icseg_node *node) {
    (void)g;
    const icseg_matmul_shape *s = node->attributes;
    return 2.0 * (double)s->batch[0] * (double)s->batch[1] * (double)s->rows * (double)s->inner * (double)s->columns;
}

bool icseg_product_reduces(const icseg_graph *g, const icseg_node *node, icseg_primitive_options options) {
    options.pack = icseg_graph_param_of(g, node->input[1]) && !icseg_graph_training(g);
    return icseg_matmul_reduces_precision(node->attributes, options);
}
