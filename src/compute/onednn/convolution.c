/* SPDX-License-Identifier: Apache-2.0
 * Convolution: forward, gradient of the input, gradient of the weights. Activations are always nhwc by name: left to
 * itself oneDNN would choose another layout in training. */
#include <stdio.h>

#include "compute/onednn/internal.h"

typedef struct conv_layout {
    icseg_layout x, y, bias, weights, plain; /* weights: in whatever layout; plain: (O, kh, kw, I) as we keep it */
    icseg_conv_tensors tensors;              /* views of these, but of plain; with a bias */
    char text[160];
} conv_layout;

static void close_layouts(conv_layout *l) {
    icseg_layout_close(&l->x);
    icseg_layout_close(&l->y);
    icseg_layout_close(&l->bias);
    icseg_layout_close(&l->weights);
    icseg_layout_close(&l->plain);
}

/* types: of x, y, weights; plain weights are f32. The caller closes the layouts, on failure too. */
static icseg_status describe(conv_layout *l, const icseg_conv_shape *s, const icseg_dtype types[3],
                             icseg_error *error) {
    icseg_status status = ICSEG_OK;
    dnnl_data_type_t xt = icseg_dnnl_type(types[0]), yt = icseg_dnnl_type(types[1]), wt = icseg_dnnl_type(types[2]);
    dnnl_dims_t x = {s->batch, s->in, s->height, s->width}, y = {s->batch, s->out, s->out_height, s->out_width};
    dnnl_dims_t bias = {s->out}, w = {s->out, s->in, s->kernel_height, s->kernel_width};
    snprintf(l->text, sizeof l->text, "convolving (%lld, %lld, %lld, %lld) with (%lld, %lld, %lld, %lld)",
             (long long)s->batch, (long long)s->height, (long long)s->width, (long long)s->in, (long long)s->out,
             (long long)s->kernel_height, (long long)s->kernel_width, (long long)s->in);
    ICSEG_DNNL_TRY_GOTO(icseg_layout_by_tag(&l->x, 4, x, xt, dnnl_nhwc), l->text);
    ICSEG_DNNL_TRY_GOTO(icseg_layout_by_tag(&l->y, 4, y, yt, dnnl_nhwc), l->text);
    ICSEG_DNNL_TRY_GOTO(icseg_layout_by_tag(&l->bias, 1, bias, dnnl_f32, dnnl_x), l->text);
    ICSEG_DNNL_TRY_GOTO(icseg_layout_by_tag(&l->weights, 4, w, wt, dnnl_format_tag_any), l->text);
    ICSEG_DNNL_TRY_GOTO(icseg_layout_by_tag(&l->plain, 4, w, dnnl_f32, dnnl_ohwi), l->text);
    l->tensors = (icseg_conv_tensors){.x = icseg_layout_of(&l->x),
                                      .weights = icseg_layout_of(&l->weights),
                                      .bias = icseg_layout_of(&l->bias),
                                      .y = icseg_layout_of(&l->y),
                                      .stride = {s->stride, s->stride},
                                      .padding = {s->padding, s->padding}};
fail:
    return status;
}

static icseg_status forward_descriptor(dnnl_primitive_desc_t *out, const conv_layout *l, dnnl_prop_kind_t kind,
                                       icseg_primitive_options options, icseg_error *error) {
    icseg_status status = ICSEG_OK;
    dnnl_engine_t engine;
    icseg_conv_tensors tensors = l->tensors;
    dnnl_primitive_attr_t attributes = NULL;
    if (!options.bias) tensors.bias = NULL;
    ICSEG_TRY(icseg_dnnl_engine(&engine, error));
    ICSEG_TRY(icseg_dnnl_attributes(&attributes, options, error));
    ICSEG_DNNL_TRY_GOTO(icseg_describe_conv_forward(out, engine, kind, &tensors, attributes), l->text);
fail:
    dnnl_primitive_attr_destroy(attributes);
    return status;
}

/* The convolution as a product on tiles, if it can be one. */
static bool as_tiles(icseg_amx_shape *out, const icseg_conv_shape *s, icseg_primitive_options options) {
    int64_t kernel = s->kernel_height;
    if (!options.precision || options.in != ICSEG_F32 || options.out != ICSEG_F32 || s->stride != 1) return false;
    if (s->kernel_width != kernel || (kernel != 1 && kernel != 3) || s->padding != kernel / 2) return false;
    *out = (icseg_amx_shape){.images = s->batch,
                             .height = s->height,
                             .width = s->width,
                             .weights = {options.precision, s->in, s->out, kernel, kernel * kernel * s->in, 1},
                             .range = options.range,
                             .accumulate = options.accumulate,
                             .activation = options.activation};
    return icseg_amx_pays(out);
}

bool icseg_conv_in_precision(const icseg_conv_shape *shape, icseg_primitive_options options) {
    icseg_amx_shape tiles;
    return as_tiles(&tiles, shape, options);
}

icseg_status icseg_conv_forward_open(icseg_primitive **out, const icseg_conv_shape *shape,
                                     icseg_primitive_options options, icseg_error *error) {
    icseg_status status;
    conv_layout l = {0};
    dnnl_primitive_desc_t descriptor;
    icseg_amx_shape tiles;
    *out = NULL;
    if (as_tiles(&tiles, shape, options)) return icseg_tiles_primitive_open(out, &tiles, error);
    ICSEG_TRY_GOTO(describe(&l, shape, (icseg_dtype[]){options.in, options.out, options.in}, error));
    ICSEG_TRY_GOTO(forward_descriptor(&descriptor, &l, dnnl_forward_inference, options, error));
    icseg_operand_spec operands[OPERANDS] = {{DNNL_ARG_SRC, dnnl_query_src_md, 0, NULL},
                                             {DNNL_ARG_WEIGHTS, dnnl_query_weights_md, 0, icseg_layout_of(&l.plain)},
                                             {options.bias ? DNNL_ARG_BIAS : 0, dnnl_query_weights_md, 1, NULL},
                                             {DNNL_ARG_DST, dnnl_query_dst_md, 0, NULL}};
    status = icseg_dnnl_primitive_open(out, descriptor, operands, error);
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
    ICSEG_TRY(icseg_dnnl_engine(&engine, error));
    ICSEG_TRY_GOTO(describe(&forward, shape, (icseg_dtype[]){options.in, options.in, options.in}, error));
    ICSEG_TRY_GOTO(forward_descriptor(&hint, &forward, dnnl_forward_training, none, error));
    icseg_dtype x = of_weights ? options.in : options.out, w = of_weights ? ICSEG_F32 : options.in;
    ICSEG_TRY_GOTO(describe(l, shape, (icseg_dtype[]){x, options.in, w}, error));
    ICSEG_TRY_GOTO(icseg_dnnl_attributes(&attributes, none, error));
    ICSEG_DNNL_TRY_GOTO(of_weights ? icseg_describe_conv_weights(out, engine, &l->tensors, hint, attributes)
                                   : icseg_describe_conv_data(out, engine, &l->tensors, hint, attributes),
                        l->text);
fail:
    close_layouts(&forward);
    if (hint) dnnl_primitive_desc_destroy(hint);
    if (attributes) dnnl_primitive_attr_destroy(attributes);
    return status;
}

icseg_status icseg_conv_backward_data_open(icseg_primitive **out, const icseg_conv_shape *shape,
                                           icseg_primitive_options options, icseg_error *error) {
    icseg_status status;
    conv_layout l = {0};
    dnnl_primitive_desc_t descriptor;
    *out = NULL;
    ICSEG_TRY_GOTO(backward_descriptor(&descriptor, shape, &l, options, false, error));
    icseg_operand_spec operands[OPERANDS] = {{DNNL_ARG_DIFF_DST, dnnl_query_diff_dst_md, 0, NULL},
                                             {DNNL_ARG_WEIGHTS, dnnl_query_weights_md, 0, icseg_layout_of(&l.plain)},
                                             {0, dnnl_query_undef, 0, NULL},
                                             {DNNL_ARG_DIFF_SRC, dnnl_query_diff_src_md, 0, NULL}};
    status = icseg_dnnl_primitive_open(out, descriptor, operands, error);
fail:
    close_layouts(&l);
    return status;
}

icseg_status icseg_conv_backward_weights_open(icseg_primitive **out, const icseg_conv_shape *shape,
                                              icseg_primitive_options options, icseg_error *error) {
    icseg_status status;
    conv_layout l = {0};
    dnnl_primitive_desc_t descriptor;
    *out = NULL;
    ICSEG_TRY_GOTO(backward_descriptor(&descriptor, shape, &l, options, true, error));
    icseg_operand_spec operands[OPERANDS] = {
        {DNNL_ARG_SRC, dnnl_query_src_md, 0, NULL},
        {DNNL_ARG_DIFF_DST, dnnl_query_diff_dst_md, 0, NULL},
        {0, dnnl_query_undef, 0, NULL},
        {DNNL_ARG_DIFF_WEIGHTS, dnnl_query_diff_weights_md, 0, icseg_layout_of(&l.plain)}};
    status = icseg_dnnl_primitive_open(out, descriptor, operands, error);
fail:
    close_layouts(&l);
    return status;
}
