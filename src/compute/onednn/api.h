/* SPDX-License-Identifier: Apache-2.0
 * The differences between oneDNN 2.x and 3.x. In 2.x, a tensor's descriptor is a struct that is copied; in 3.x, it is a
 * handle with an owner. Here it is a layout, which is opened and closed, or a view, which is borrowed. */
#ifndef ICSEG_COMPUTE_ONEDNN_API_H
#define ICSEG_COMPUTE_ONEDNN_API_H

#include <dnnl.h>

#if DNNL_VERSION_MAJOR >= 3

typedef dnnl_memory_desc_t icseg_onednn_layout; /* NULL: none */
typedef const_dnnl_memory_desc_t icseg_onednn_layout_view;

static inline icseg_onednn_layout_view icseg_onednn_layout_of(const icseg_onednn_layout *layout) { return *layout; }

static inline void icseg_onednn_layout_close(icseg_onednn_layout *layout) {
    if (*layout) dnnl_memory_desc_destroy(*layout);
    *layout = NULL;
}

static inline dnnl_status_t icseg_onednn_layout_copy(icseg_onednn_layout *out, icseg_onednn_layout_view from) {
    return dnnl_memory_desc_clone(out, from);
}

static inline dnnl_status_t icseg_onednn_layout_by_tag(icseg_onednn_layout *out, int rank, const dnnl_dims_t dims,
                                                       dnnl_data_type_t type, dnnl_format_tag_t tag) {
    return dnnl_memory_desc_create_with_tag(out, rank, dims, type, tag);
}

static inline dnnl_status_t icseg_onednn_layout_by_strides(icseg_onednn_layout *out, int rank, const dnnl_dims_t dims,
                                                           dnnl_data_type_t type, const dnnl_dims_t strides) {
    return dnnl_memory_desc_create_with_strides(out, rank, dims, type, strides);
}

static inline dnnl_status_t icseg_onednn_append_sum(dnnl_post_ops_t post) {
    return dnnl_post_ops_append_sum(post, 1, 0, dnnl_data_type_undef);
}

static inline dnnl_status_t icseg_onednn_append_eltwise(dnnl_post_ops_t post, dnnl_alg_kind_t kind, float alpha) {
    return dnnl_post_ops_append_eltwise(post, kind, alpha, 0);
}

#else

typedef dnnl_memory_desc_t icseg_onednn_layout;
typedef const dnnl_memory_desc_t *icseg_onednn_layout_view;

static inline icseg_onednn_layout_view icseg_onednn_layout_of(const icseg_onednn_layout *layout) { return layout; }
static inline void icseg_onednn_layout_close(icseg_onednn_layout *layout) { (void)layout; }

static inline dnnl_status_t icseg_onednn_layout_copy(icseg_onednn_layout *out, icseg_onednn_layout_view from) {
    *out = *from;
    return dnnl_success;
}

static inline dnnl_status_t icseg_onednn_layout_by_tag(icseg_onednn_layout *out, int rank, const dnnl_dims_t dims,
                                                       dnnl_data_type_t type, dnnl_format_tag_t tag) {
    return dnnl_memory_desc_init_by_tag(out, rank, dims, type, tag);
}

static inline dnnl_status_t icseg_onednn_layout_by_strides(icseg_onednn_layout *out, int rank, const dnnl_dims_t dims,
                                                           dnnl_data_type_t type, const dnnl_dims_t strides) {
    return dnnl_memory_desc_init_by_strides(out, rank, dims, type, strides);
}

static inline dnnl_status_t icseg_onednn_append_sum(dnnl_post_ops_t post) { return dnnl_post_ops_append_sum(post, 1); }

static inline dnnl_status_t icseg_onednn_append_eltwise(dnnl_post_ops_t post, dnnl_alg_kind_t kind, float alpha) {
    return dnnl_post_ops_append_eltwise(post, 1, kind, alpha, 0);
}

#endif

/* A convolution: x, weights, bias (NULL: none) and y, or their gradients. */
typedef struct icseg_onednn_conv_tensors {
    icseg_onednn_layout_view x, weights, bias, y;
    dnnl_dims_t stride, padding;
} icseg_onednn_conv_tensors;

dnnl_status_t icseg_onednn_describe_conv_forward(dnnl_primitive_desc_t *out, dnnl_engine_t engine,
                                                 dnnl_prop_kind_t kind, const icseg_onednn_conv_tensors *t,
                                                 dnnl_primitive_attr_t attributes);
/* hint: the descriptor of the forward convolution. */
dnnl_status_t icseg_onednn_describe_conv_data(dnnl_primitive_desc_t *out, dnnl_engine_t engine,
                                              const icseg_onednn_conv_tensors *t, dnnl_primitive_desc_t hint,
                                              dnnl_primitive_attr_t attributes);
dnnl_status_t icseg_onednn_describe_conv_weights(dnnl_primitive_desc_t *out, dnnl_engine_t engine,
                                                 const icseg_onednn_conv_tensors *t, dnnl_primitive_desc_t hint,
                                                 dnnl_primitive_attr_t attributes);
dnnl_status_t icseg_onednn_describe_matmul(dnnl_primitive_desc_t *out, dnnl_engine_t engine, icseg_onednn_layout_view a,
                                           icseg_onednn_layout_view b, icseg_onednn_layout_view bias,
                                           icseg_onednn_layout_view product, dnnl_primitive_attr_t attributes);

#endif
