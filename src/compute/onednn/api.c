/* SPDX-License-Identifier: Apache-2.0
 * Primitive descriptors: one call in oneDNN 3.x, two in 2.x. */
#include "compute/onednn/api.h"

#if DNNL_VERSION_MAJOR >= 3

static const dnnl_dims_t undilated = {0};

dnnl_status_t icseg_onednn_describe_conv_forward(dnnl_primitive_desc_t *out, dnnl_engine_t engine,
                                                 dnnl_prop_kind_t kind, const icseg_onednn_conv_tensors *t,
                                                 dnnl_primitive_attr_t attributes) {
    return dnnl_convolution_forward_primitive_desc_create(out, engine, kind, dnnl_convolution_direct, t->x, t->weights,
                                                          t->bias, t->y, t->stride, undilated, t->padding, t->padding,
                                                          attributes);
}

dnnl_status_t icseg_onednn_describe_conv_data(dnnl_primitive_desc_t *out, dnnl_engine_t engine,
                                              const icseg_onednn_conv_tensors *t, dnnl_primitive_desc_t hint,
                                              dnnl_primitive_attr_t attributes) {
    return dnnl_convolution_backward_data_primitive_desc_create(out, engine, dnnl_convolution_direct, t->x, t->weights,
                                                                t->y, t->stride, undilated, t->padding, t->padding,
                                                                hint, attributes);
}

dnnl_status_t icseg_onednn_describe_conv_weights(dnnl_primitive_desc_t *out, dnnl_engine_t engine,
                                                 const icseg_onednn_conv_tensors *t, dnnl_primitive_desc_t hint,
                                                 dnnl_primitive_attr_t attributes) {
    return dnnl_convolution_backward_weights_primitive_desc_create(out, engine, dnnl_convolution_direct, t->x,
                                                                   t->weights, NULL, t->y, t->stride, undilated,
                                                                   t->padding, t->padding, hint, attributes);
}

dnnl_status_t icseg_onednn_describe_matmul(dnnl_primitive_desc_t *out, dnnl_engine_t engine, icseg_onednn_layout_view a,
                                           icseg_onednn_layout_view b, icseg_onednn_layout_view bias,
                                           icseg_onednn_layout_view product, dnnl_primitive_attr_t attributes) {
    return dnnl_matmul_primitive_desc_create(out, engine, a, b, bias, product, attributes);
}

#else

dnnl_status_t icseg_onednn_describe_conv_forward(dnnl_primitive_desc_t *out, dnnl_engine_t engine,
                                                 dnnl_prop_kind_t kind, const icseg_onednn_conv_tensors *t,
                                                 dnnl_primitive_attr_t attributes) {
    dnnl_convolution_desc_t d;
    dnnl_status_t status = dnnl_convolution_forward_desc_init(&d, kind, dnnl_convolution_direct, t->x, t->weights,
                                                              t->bias, t->y, t->stride, t->padding, t->padding);
    return status == dnnl_success ? dnnl_primitive_desc_create(out, &d, attributes, engine, NULL) : status;
}

dnnl_status_t icseg_onednn_describe_conv_data(dnnl_primitive_desc_t *out, dnnl_engine_t engine,
                                              const icseg_onednn_conv_tensors *t, dnnl_primitive_desc_t hint,
                                              dnnl_primitive_attr_t attributes) {
    dnnl_convolution_desc_t d;
    dnnl_status_t status = dnnl_convolution_backward_data_desc_init(&d, dnnl_convolution_direct, t->x, t->weights, t->y,
                                                                    t->stride, t->padding, t->padding);
    return status == dnnl_success ? dnnl_primitive_desc_create(out, &d, attributes, engine, hint) : status;
}

dnnl_status_t icseg_onednn_describe_conv_weights(dnnl_primitive_desc_t *out, dnnl_engine_t engine,
                                                 const icseg_onednn_conv_tensors *t, dnnl_primitive_desc_t hint,
                                                 dnnl_primitive_attr_t attributes) {
    dnnl_convolution_desc_t d;
    dnnl_status_t status = dnnl_convolution_backward_weights_desc_init(&d, dnnl_convolution_direct, t->x, t->weights,
                                                                       NULL, t->y, t->stride, t->padding, t->padding);
    return status == dnnl_success ? dnnl_primitive_desc_create(out, &d, attributes, engine, hint) : status;
}

dnnl_status_t icseg_onednn_describe_matmul(dnnl_primitive_desc_t *out, dnnl_engine_t engine, icseg_onednn_layout_view a,
                                           icseg_onednn_layout_view b, icseg_onednn_layout_view bias,
                                           icseg_onednn_layout_view product, dnnl_primitive_attr_t attributes) {
    dnnl_matmul_desc_t d;
    dnnl_status_t status = dnnl_matmul_desc_init(&d, a, b, bias, product);
    return status == dnnl_success ? dnnl_primitive_desc_create(out, &d, attributes, engine, NULL) : status;
}

#endif
