/* SPDX-License-Identifier: Apache-2.0
 * Shared by the operators built on compute/primitive.h: weights that are packed once per parameter, nodes that are one
 * matrix product, the gradient of a bias. */
#ifndef ICSEG_GRAPH_OPS_LINEAR_ALGEBRA_H
#define ICSEG_GRAPH_OPS_LINEAR_ALGEBRA_H

#include "compute/primitive.h"
#include "graph/node.h"

/* Reserves `bytes` of a run's scratch memory and returns their offset. */
size_t icseg_scratch_reserve(icseg_kernel *k, size_t bytes);

/* The last channels of a node's input 0, if they are another input: its type, and how it is quantised. */
icseg_second_input icseg_second_input_of(const icseg_graph *g, const icseg_node *node);

/* Sets the graph's precision, and the quantisation of input 0 and output 0, for a primitive whose first operand is
 * input 0 (and a second input) and whose result is output 0. */
void icseg_set_precision(const icseg_kernel *k, icseg_primitive_options *options);

/* -- weights: a primitive's second operand, input i of the node */

/* Whether a primitive should choose the layout of input i, a matrix. Packing weights that change at every step costs
 * more than it gains. */
bool icseg_weights_should_pack(const icseg_kernel *k, int i);
/* Scratch bytes for an operand in the primitive's layout that is not kept in this form. Parameters keep a packed copy,
 * except where the graph is used once. It has f16 where the file has f16; then the operand is expanded in each run. */
size_t icseg_weights_scratch(icseg_kernel *k, int i, const icseg_primitive *primitive);
/* The operand in the primitive's layout. `scratch`: icseg_weights_scratch bytes. An operator that calls these functions
 * for input i sets bit i of op->lazy_inputs. */
icseg_status icseg_weights_get(const icseg_kernel *k, int i, const icseg_primitive *primitive, void *scratch,
                               const void **out, icseg_error *error);
/* The same for several primitives that use one scratch memory in turn. *expanded, NULL at first: the packed copy that
 * is expanded there, which need not be done again. */
icseg_status icseg_weights_get_next(const icseg_kernel *k, int i, const icseg_primitive *primitive, void *scratch,
                                    const void **expanded, const void **out, icseg_error *error);
/* The unpacked operand. */
icseg_status icseg_weights_plain(const icseg_kernel *k, int i, const void **out, icseg_error *error);

/* -- nodes that are one matrix product: inputs a, b and optionally a bias; the attributes are its icseg_matmul_shape */

/* out (rows, columns) = a b of dense matrices, either of them stored transposed. */
icseg_matmul_shape icseg_product_shape(int64_t rows, int64_t inner, int64_t columns, bool a_transposed,
                                       bool b_transposed);
/* The same for `batch` consecutive matrices. */
icseg_matmul_shape icseg_product_batch(int64_t batch, int64_t rows, int64_t inner, int64_t columns, bool a_transposed,
                                       bool b_transposed);
icseg_value icseg_product(icseg_graph *g, const icseg_op *op, icseg_matmul_shape product, const icseg_value *inputs,
                          int count, icseg_shape out);
icseg_status icseg_product_prepare(icseg_kernel *k, icseg_error *error);
icseg_status icseg_product_run(const icseg_kernel *k, const icseg_run *run, icseg_error *error);
void icseg_product_release(icseg_kernel *k);
double icseg_product_flops(const icseg_graph *g, const icseg_node *node);
/* For icseg_int8_rules, of nodes whose attributes begin with an icseg_matmul_shape. */
bool icseg_product_reduces(const icseg_graph *g, const icseg_node *node, icseg_primitive_options options);

/* BF16_IN: bits of the operands that may be bf16; BF16_OUT: whether the result may; ...: icseg_int8_rules. */
#define ICSEG_PRODUCT_OP(NAME, GRADIENT, BF16_IN, BF16_OUT, ...)                                                       \
    {                                                                                                                  \
        .name = NAME, .gradient = GRADIENT, .prepare = icseg_product_prepare, .run = icseg_product_run,                \
        .release = icseg_product_release, .flops = icseg_product_flops, .lazy_inputs = 1 << 1,                         \
        .bf16 = {.product = BF16_IN, .out = BF16_OUT}, .int8 = {                                                       \
            __VA_ARGS__                                                                                                \
        }                                                                                                              \
    }

/* -- sums over columns */

/* dy (..., C) -> (C): the gradient of a bias. The order of summation depends on the shape only. */
icseg_value icseg_bias_gradient(icseg_graph *g, icseg_value dy);

#endif
