/* SPDX-License-Identifier: Apache-2.0
 * Matrix products with arbitrary strides. */
#include <stdio.h>

#include "compute/onednn/internal.h"

/* (batch[0], batch[1], rows, columns) without the batch axes of size 1: oneDNN has faster implementations for fewer
 * axes. `shared`: the same matrix for the whole batch. */
static dnnl_status_t describe(icseg_onednn_layout *out, icseg_dtype dtype, const int64_t batch[2], bool shared,
                              int64_t rows, int64_t columns, const int64_t stride[4], bool any) {
    dnnl_dims_t dims, strides;
    int rank = 0;
    for (int i = 0; i < 2; i++)
        if (batch[i] > 1) {
            dims[rank] = shared ? 1 : batch[i];
            strides[rank++] = stride[i];
        }
    dims[rank] = rows;
    strides[rank++] = stride[2];
    dims[rank] = columns;
    strides[rank++] = stride[3];
    dnnl_data_type_t type = icseg_onednn_type(dtype);
    return any ? icseg_onednn_layout_by_tag(out, rank, dims, type, dnnl_format_tag_any)
               : icseg_onednn_layout_by_strides(out, rank, dims, type, strides);
}

/* Whether this is an f32 product of dense rows and a weight stored as (columns, inner), which is packed. (In bf16,
 * matrix products are as fast as convolutions.) */
static bool is_linear(const icseg_matmul_shape *s, icseg_primitive_options options) {
    return options.pack && options.in == ICSEG_F32 && s->batch[0] == 1 && s->batch[1] == 1 &&
           s->a_stride[2] == s->inner && s->a_stride[3] == 1 && s->out_stride[2] == s->columns &&
           s->out_stride[3] == 1 && s->b_stride[2] == 1 && s->b_stride[3] == s->inner;
}

icseg_status icseg_onednn_matmul_open(icseg_primitive **out, const icseg_matmul_shape *s,
                                      icseg_primitive_options options, icseg_error *error) {
    icseg_status status = ICSEG_OK;
    dnnl_engine_t engine;
    icseg_onednn_layout a = {0}, b = {0}, plain_b = {0}, bias = {0}, product = {0};
    dnnl_primitive_attr_t attributes = NULL;
    dnnl_primitive_desc_t descriptor = NULL;
    const int64_t row[4] = {s->columns, s->columns, s->columns, 1};
    char what[160];
    *out = NULL;
    if (is_linear(s, options)) { /* as a 1x1 convolution: up to 20 % faster, never slower (docs/performance.md) */
        icseg_conv_shape conv = {.batch = 1,
                                 .height = s->rows,
                                 .width = 1,
                                 .in = s->inner,
                                 .out = s->columns,
                                 .kernel_height = 1,
                                 .kernel_width = 1,
                                 .stride = 1,
                                 .out_height = s->rows,
                                 .out_width = 1};
        return icseg_onednn_conv_open(out, ICSEG_CONV_FORWARD, &conv, options, error);
    }
    snprintf(what, sizeof what, "multiplying %lld x %lld matrices (%lld, %lld) (%lld, %lld)", (long long)s->batch[0],
             (long long)s->batch[1], (long long)s->rows, (long long)s->inner, (long long)s->inner,
             (long long)s->columns);
    ICSEG_TRY(icseg_onednn_engine(&engine, error));
    ICSEG_ONEDNN_TRY_GOTO(describe(&a, options.in, s->batch, false, s->rows, s->inner, s->a_stride, false), what);
    ICSEG_ONEDNN_TRY_GOTO(describe(&plain_b, options.pack ? ICSEG_F32 : options.in, s->batch, false, s->inner,
                                   s->columns, s->b_stride, false),
                          what);
    ICSEG_ONEDNN_TRY_GOTO(describe(&b, options.in, s->batch, false, s->inner, s->columns, s->b_stride, options.pack),
                          what);
    ICSEG_ONEDNN_TRY_GOTO(describe(&product, options.out, s->batch, false, s->rows, s->columns, s->out_stride, false),
                          what);
    ICSEG_ONEDNN_TRY_GOTO(describe(&bias, ICSEG_F32, s->batch, true, 1, s->columns, row, false), what);
    ICSEG_TRY_GOTO(icseg_onednn_attributes(&attributes, options, error));
    ICSEG_ONEDNN_TRY_GOTO(icseg_onednn_describe_matmul(&descriptor, engine, icseg_onednn_layout_of(&a),
                                                       icseg_onednn_layout_of(&b),
                                                       options.bias ? icseg_onednn_layout_of(&bias) : NULL,
                                                       icseg_onednn_layout_of(&product), attributes),
                          what);
    icseg_onednn_operand operands[OPERANDS] = {
        {DNNL_ARG_SRC, dnnl_query_src_md, 0, NULL},
        {DNNL_ARG_WEIGHTS, dnnl_query_weights_md, 0, icseg_onednn_layout_of(&plain_b)},
        {options.bias ? DNNL_ARG_BIAS : 0, dnnl_query_weights_md, 1, NULL},
        {DNNL_ARG_DST, dnnl_query_dst_md, 0, NULL}};
    status = icseg_onednn_primitive_open(out, descriptor, operands, error);
fail:
    icseg_onednn_layout_close(&a);
    icseg_onednn_layout_close(&b);
    icseg_onednn_layout_close(&plain_b);
    icseg_onednn_layout_close(&bias);
    icseg_onednn_layout_close(&product);
    if (attributes) dnnl_primitive_attr_destroy(attributes);
    return status;
}
