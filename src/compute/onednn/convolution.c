/* SPDX-License-Identifier: Apache-2.0
 * Convolutions: forward, gradient of the input, gradient of the weights. Activations are always declared as nhwc, or
 * oneDNN would choose another layout in training. */
#include <stdio.h>

#include "compute/onednn/internal.h"

typedef struct conv_layout {
    icseg_onednn_layout x, y, bias;
    icseg_onednn_layout weights;       /* in any layout */
    icseg_onednn_layout plain;         /* weights (O, kh, kw, I), as parameters are stored */
    icseg_onednn_conv_tensors tensors; /* views of the first four */
    char text[160];
} conv_layout;

static void close_layouts(conv_layout *l) {
    icseg_onednn_layout_close(&l->x);
    icseg_onednn_layout_close(&l->y);
    icseg_onednn_layout_close(&l->bias);
    icseg_onednn_layout_close(&l->weights);
    icseg_onednn_layout_close(&l->plain);
}

/* types: of x, y and weights; plain weights are f32. The caller closes the layouts, even after a failure. */
static icseg_status describe(conv_layout *l, const icseg_conv_shape *s, const icseg_dtype types[3],
                             icseg_error *error) {
    icseg_status status = ICSEG_OK;
    dnnl_data_type_t xt = icseg_onednn_type(types[0]), yt = icseg_onednn_type(types[1]),
                     wt = icseg_onednn_type(types[2]);
    dnnl_dims_t x = {s->batch, s->in, s->height, s->width}, y = {s->batch, s->out, s->out_height, s->out_width};
    dnnl_dims_t bias = {s->out}, w = {s->out, s->in, s->kernel_height, s->kernel_width};
    snprintf(l->text, sizeof l->text, "convolving (%lld, %lld, %lld, %lld) with (%lld, %lld, %lld, %lld)",
             (long long)s->batch, (long long)s->height, (long long)s->width, (long long)s->in, (long long)s->out,
             (long long)s->kernel_height, (long long)s->kernel_width, (long long)s->in);
    ICSEG_ONEDNN_TRY_GOTO(icseg_onednn_layout_by_tag(&l->x, 4, x, xt, dnnl_nhwc), l->text);
    ICSEG_ONEDNN_TRY_GOTO(icseg_onednn_layout_by_tag(&l->y, 4, y, yt, dnnl_nhwc), l->text);
    ICSEG_ONEDNN_TRY_GOTO(icseg_onednn_layout_by_tag(&l->bias, 1, bias, dnnl_f32, dnnl_x), l->text);
    ICSEG_ONEDNN_TRY_GOTO(icseg_onednn_layout_by_tag(&l->weights, 4, w, wt, dnnl_format_tag_any), l->text);
    ICSEG_ONEDNN_TRY_GOTO(icseg_onednn_layout_by_tag(&l->plain, 4, w, dnnl_f32, dnnl_ohwi), l->text);
    l->tensors = (icseg_onednn_conv_tensors){.x = icseg_onednn_layout_of(&l->x),
                                             .weights = icseg_onednn_layout_of(&l->weights),
                                             .bias = icseg_onednn_layout_of(&l->bias),
                                             .y = icseg_onednn_layout_of(&l->y),
                                             .stride = {s->stride, s->stride},
                                             .padding = {s->padding, s->padding}};
fail:
    return status;
}

static icseg_status forward_descriptor(dnnl_primitive_desc_t *out, const conv_layout *l, dnnl_prop_kind_t kind,
                                       icseg_primitive_options options, icseg_error *error) {
    icseg_status status = ICSEG_OK;
    dnnl_engine_t engine;
    icseg_onednn_conv_tensors tensors = l->tensors;
    dnnl_primitive_attr_t attributes = NULL;
    if (!options.bias) tensors.bias = NULL;
    ICSEG_TRY(icseg_onednn_engine(&engine, error));
    ICSEG_TRY(icseg_onednn_attributes(&attributes, options, error));
    ICSEG_ONEDNN_TRY_GOTO(icseg_onednn_describe_conv_forward(out, engine, kind, &tensors, attributes), l->text);
fail:
    dnnl_primitive_attr_destroy(attributes);
    return status;
}

static icseg_status open_forward(icseg_primitive **out, const icseg_conv_shape *shape, icseg_primitive_options options,
                                 icseg_error *error) {
    icseg_status status;
    conv_layout l = {0};
    dnnl_primitive_desc_t descriptor;
    *out = NULL;
    ICSEG_TRY_GOTO(describe(&l, shape, (icseg_dtype[]){options.in, options.out, options.in}, error));
    ICSEG_TRY_GOTO(forward_descriptor(&descriptor, &l, dnnl_forward_inference, options, error));
    icseg_onednn_operand operands[OPERANDS] = {
        {DNNL_ARG_SRC, dnnl_query_src_md, 0, NULL},
        {DNNL_ARG_WEIGHTS, dnnl_query_weights_md, 0, icseg_onednn_layout_of(&l.plain)},
        {options.bias ? DNNL_ARG_BIAS : 0, dnnl_query_weights_md, 1, NULL},
        {DNNL_ARG_DST, dnnl_query_dst_md, 0, NULL}};
    status = icseg_onednn_primitive_open(out, descriptor, operands, error);
fail:
    close_layouts(&l);
    return status;
}

/* A backward primitive is described with the forward one as a hint. */
static icseg_status backward_descriptor(dnnl_primitive_desc_t *out, const icseg_conv_shape *shape, conv_layout *l,
                                        icseg_primitive_options options, bool of_weights, icseg_error *error) {
    icseg_status status = ICSEG_OK;
    dnnl_engine_t engine;
    dnnl_primitive_attr_t attributes = NULL;
    dnnl_primitive_desc_t hint = NULL;
    conv_layout forward = {0};
    icseg_primitive_options none = {0};
    ICSEG_TRY(icseg_onednn_engine(&engine, error));
    ICSEG_TRY_GOTO(describe(&forward, shape, (icseg_dtype[]){options.in, options.in, options.in}, error));
    ICSEG_TRY_GOTO(forward_descriptor(&hint, &forward, dnnl_forward_training, none, error));
    icseg_dtype x = of_weights ? options.in : options.out, w = of_weights ? ICSEG_F32 : options.in;
    ICSEG_TRY_GOTO(describe(l, shape, (icseg_dtype[]){x, options.in, w}, error));
    ICSEG_TRY_GOTO(icseg_onednn_attributes(&attributes, none, error));
    ICSEG_ONEDNN_TRY_GOTO(of_weights ? icseg_onednn_describe_conv_weights(out, engine, &l->tensors, hint, attributes)
                                     : icseg_onednn_describe_conv_data(out, engine, &l->tensors, hint, attributes),
                          l->text);
fail:
    close_layouts(&forward);
    if (hint) dnnl_primitive_desc_destroy(hint);
    if (attributes) dnnl_primitive_attr_destroy(attributes);
    return status;
}

static icseg_status open_backward_data(icseg_primitive **out, const icseg_conv_shape *shape,
                                       icseg_primitive_options options, icseg_error *error) {
    icseg_status status;
    conv_layout l = {0};
    dnnl_primitive_desc_t descriptor;
    *out = NULL;
    ICSEG_TRY_GOTO(backward_descriptor(&descriptor, shape, &l, options, false, error));
    icseg_onednn_operand operands[OPERANDS] = {
        {DNNL_ARG_DIFF_DST, dnnl_query_diff_dst_md, 0, NULL},
        {DNNL_ARG_WEIGHTS, dnnl_query_weights_md, 0, icseg_onednn_layout_of(&l.plain)},
        {0, dnnl_query_undef, 0, NULL},
        {DNNL_ARG_DIFF_SRC, dnnl_query_diff_src_md, 0, NULL}};
    status = icseg_onednn_primitive_open(out, descriptor, operands, error);
fail:
    close_layouts(&l);
    return status;
}

static icseg_status open_backward_weights(icseg_primitive **out, const icseg_conv_shape *shape,
                                          icseg_primitive_options options, icseg_error *error) {
    icseg_status status;
    conv_layout l = {0};
    dnnl_primitive_desc_t descriptor;
    *out = NULL;
    ICSEG_TRY_GOTO(backward_descriptor(&descriptor, shape, &l, options, true, error));
    icseg_onednn_operand operands[OPERANDS] = {
        {DNNL_ARG_SRC, dnnl_query_src_md, 0, NULL},
        {DNNL_ARG_DIFF_DST, dnnl_query_diff_dst_md, 0, NULL},
        {0, dnnl_query_undef, 0, NULL},
        {DNNL_ARG_DIFF_WEIGHTS, dnnl_query_diff_weights_md, 0, icseg_onednn_layout_of(&l.plain)}};
    status = icseg_onednn_primitive_open(out, descriptor, operands, error);
fail:
    close_layouts(&l);
    return status;
}

icseg_status icseg_onednn_conv_open(icseg_primitive **out, icseg_primitive_kind kind, const icseg_conv_shape *shape,
                                    icseg_primitive_options options, icseg_error *error) {
    return kind == ICSEG_CONV_BACKWARD_DATA      ? open_backward_data(out, shape, options, error)
           : kind == ICSEG_CONV_BACKWARD_WEIGHTS ? open_backward_weights(out, shape, options, error)
                                                 : open_forward(out, shape, options, error);
}
