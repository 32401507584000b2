/* SPDX-License-Identifier: Apache-2.0
 * Dense products as primitives. A convolution is a product with the windows of an image. */
#include <stdio.h>

#include "base/memory.h"
#include "base/processor.h"
#include "compute/dense/dense.h"
#include "compute/dense/product.h"

typedef struct dense_primitive {
    icseg_primitive base;
    icseg_dense_product *product;
    bool swapped; /* the operands of the product are b, a */
    icseg_dense_layout layout;
} dense_primitive;

static icseg_dense_matrix strided(bool bf16, int64_t line, int64_t step, int64_t inner) {
    return (icseg_dense_matrix){.kind = ICSEG_DENSE_STRIDED, .bf16 = bf16, .line = line, .run = inner, .step = step};
}

static icseg_dense_shape matmul_shape(const icseg_matmul_shape *s, const icseg_primitive_options *o) {
    bool packed_b = o->pack && s->batch[0] == 1 && s->batch[1] == 1, bf16 = o->in == ICSEG_BF16;
    return (icseg_dense_shape){.batch = {s->batch[0], s->batch[1]},
                               .rows = s->rows,
                               .inner = s->inner,
                               .columns = s->columns,
                               .a = strided(bf16, s->a_stride[2], s->a_stride[3], s->inner),
                               .b = strided(bf16 && !o->pack, s->b_stride[3], s->b_stride[2], s->inner),
                               .a_batch = {s->a_stride[0], s->a_stride[1]},
                               .b_batch = {s->b_stride[0], s->b_stride[1]},
                               .out_batch = {s->out_stride[0], s->out_stride[1]},
                               .out_row = s->out_stride[2],
                               .packed_b = packed_b};
}

/* x, weights -> y: the windows of x times the weights. */
static icseg_dense_shape forward_shape(const icseg_conv_shape *s, bool bf16) {
    int64_t window = s->kernel_height * s->kernel_width * s->in;
    return (icseg_dense_shape){.rows = s->batch * s->out_height * s->out_width,
                               .inner = window,
                               .columns = s->out,
                               .a = {.kind = ICSEG_DENSE_WINDOWS,
                                     .bf16 = bf16,
                                     .windows = {.batch = s->batch,
                                                 .height = s->height,
                                                 .width = s->width,
                                                 .channels = s->in,
                                                 .rows = s->out_height,
                                                 .columns = s->out_width,
                                                 .kernel_height = s->kernel_height,
                                                 .kernel_width = s->kernel_width,
                                                 .step = s->stride,
                                                 .direction = 1,
                                                 .shift = -s->padding,
                                                 .divisor = 1}},
                               .b = strided(false, window, 1, window),
                               .out_row = s->out,
                               .packed_b = true};
}

/* dy, weights -> dx: a position of x reads those positions of dy whose windows contain it. */
static icseg_dense_shape data_shape(const icseg_conv_shape *s, bool bf16) {
    int64_t taps = s->kernel_height * s->kernel_width;
    return (icseg_dense_shape){
        .rows = s->batch * s->height * s->width,
        .inner = taps * s->out,
        .columns = s->in,
        .a = {.kind = ICSEG_DENSE_WINDOWS,
              .bf16 = bf16,
              .windows = {.batch = s->batch,
                          .height = s->out_height,
                          .width = s->out_width,
                          .channels = s->out,
                          .rows = s->height,
                          .columns = s->width,
                          .kernel_height = s->kernel_height,
                          .kernel_width = s->kernel_width,
                          .step = 1,
                          .direction = -1,
                          .shift = s->padding,
                          .divisor = s->stride}},
        .b = {.kind = ICSEG_DENSE_STRIDED, .line = 1, .run = s->out, .jump = s->in, .step = taps * s->in},
        .out_row = s->in,
        .packed_b = true};
}

/* x, dy -> dweights: dy^T times the windows of x. */
static icseg_dense_shape weights_shape(const icseg_conv_shape *s, bool bf16) {
    icseg_dense_shape forward = forward_shape(s, bf16), shape = {.rows = s->out,
                                                                 .inner = forward.rows,
                                                                 .columns = forward.inner,
                                                                 .a = strided(bf16, 1, s->out, forward.rows),
                                                                 .b = forward.a,
                                                                 .out_row = forward.inner};
    shape.b.kind = ICSEG_DENSE_ELEMENTS;
    return shape;
}

static bool is_matrix(const icseg_conv_shape *s) {
    return s->kernel_height == 1 && s->kernel_width == 1 && s->stride == 1 && s->padding == 0;
}

/* The windows of a 1x1 convolution are the pixels. */
static void simplify(icseg_dense_matrix *m) {
    int64_t channels = m->windows.channels, positions = m->windows.batch * m->windows.rows * m->windows.columns;
    if (m->kind == ICSEG_DENSE_WINDOWS) *m = strided(m->bf16, channels, 1, channels);
    if (m->kind == ICSEG_DENSE_ELEMENTS) *m = strided(m->bf16, 1, channels, positions);
}

static icseg_dense_shape conv_shape(const icseg_primitive_spec *spec) {
    const icseg_conv_shape *s = &spec->conv;
    bool bf16 = spec->options.in == ICSEG_BF16;
    icseg_dense_shape shape = spec->kind == ICSEG_CONV_FORWARD         ? forward_shape(s, bf16)
                              : spec->kind == ICSEG_CONV_BACKWARD_DATA ? data_shape(s, bf16)
                                                                       : weights_shape(s, bf16);
    shape.batch[0] = shape.batch[1] = 1;
    if (is_matrix(s)) simplify(&shape.a), simplify(&shape.b);
    return shape;
}

/* Of the options, only `in` and `out` apply to gradients; those of weights are f32. */
static icseg_dense_shape shape_of(const icseg_primitive_spec *spec) {
    const icseg_primitive_options *o = &spec->options;
    icseg_dense_shape shape = spec->kind == ICSEG_MATMUL ? matmul_shape(&spec->matmul, o) : conv_shape(spec);
    bool bf16 = o->in == ICSEG_BF16 && icseg_dense_kernel_bf16.supported();
    shape.kernel = bf16 ? &icseg_dense_kernel_bf16 : &icseg_dense_kernel_f32;
    shape.bf16_out = o->out == ICSEG_BF16 && spec->kind != ICSEG_CONV_BACKWARD_WEIGHTS;
    if (spec->kind == ICSEG_MATMUL || spec->kind == ICSEG_CONV_FORWARD) {
        shape.accumulate = o->accumulate;
        shape.activation = o->activation;
    }
    return shape;
}

/* oneDNN refuses what is impossible, with a message. */
static bool supports(const icseg_primitive_spec *spec) {
    const icseg_primitive_options *o = &spec->options;
    bool fits = spec->kind == ICSEG_MATMUL ? spec->matmul.out_stride[3] == 1
                                           : spec->conv.out_height > 0 && spec->conv.out_width > 0;
    return icseg_processor_is_arm64() && fits && o->precision == ICSEG_PRODUCT_F32 && o->in != ICSEG_U8 && !o->residual;
}

static void close(icseg_primitive *primitive) {
    icseg_dense_product_close(&((dense_primitive *)primitive)->product);
    icseg_free(primitive);
}

static icseg_status open(icseg_primitive **out, const icseg_primitive_spec *spec, icseg_error *error) {
    icseg_dense_shape shape = shape_of(spec);
    *out = NULL;
    dense_primitive *p = icseg_calloc_array(1, sizeof *p);
    if (!p) return icseg_fail_memory(error, 0, "a primitive");
    icseg_status status = icseg_dense_product_open(&p->product, &shape, error);
    if (status != ICSEG_OK) {
        close(&p->base);
        return status;
    }
    p->swapped = spec->kind == ICSEG_CONV_BACKWARD_WEIGHTS;
    p->layout = icseg_dense_product_layout(p->product);
    p->base = (icseg_primitive){.backend = &icseg_dense_backend,
                                .scratch = icseg_dense_product_scratch(p->product),
                                .packed_size = icseg_dense_product_packed_size(p->product),
                                .packs_f32 = !shape.kernel->bf16};
    snprintf(p->base.implementation, sizeof p->base.implementation, "%s", shape.kernel->name);
    *out = &p->base;
    return ICSEG_OK;
}

static icseg_status run(icseg_primitive *primitive, icseg_operands operands, void *scratch, icseg_error *error) {
    (void)error;
    const dense_primitive *p = (dense_primitive *)primitive;
    icseg_dense_product_run(p->product, p->swapped ? operands.b : operands.a, p->swapped ? operands.a : operands.b,
                            operands.bias, operands.out, scratch);
    return ICSEG_OK;
}

static icseg_status pack(const icseg_primitive *primitive, const float *plain, void *packed, icseg_error *error) {
    (void)error;
    icseg_dense_product_pack(((const dense_primitive *)primitive)->product, plain, packed);
    return ICSEG_OK;
}

static void *layout_open(const icseg_primitive *primitive) {
    icseg_dense_layout *layout = icseg_alloc(sizeof *layout);
    if (layout) *layout = ((const dense_primitive *)primitive)->layout;
    return layout;
}

static bool layout_fits(const void *layout, const icseg_primitive *primitive) {
    return icseg_dense_same_layout(layout, &((const dense_primitive *)primitive)->layout);
}

static icseg_bf16_support bf16(void) {
    return icseg_dense_kernel_bf16.supported() ? ICSEG_BF16_FAST
           : icseg_processor_is_arm64()        ? ICSEG_BF16_EMULATED
                                               : ICSEG_BF16_NONE;
}

static bool has_precision(icseg_product_precision precision) {
    return icseg_processor_is_arm64() && precision == ICSEG_PRODUCT_F32;
}

const icseg_backend icseg_dense_backend = {.supports = supports,
                                           .open = open,
                                           .close = close,
                                           .run = run,
                                           .pack = pack,
                                           .layout_open = layout_open,
                                           .layout_fits = layout_fits,
                                           .layout_close = icseg_free,
                                           .bf16 = bf16,
                                           .has_precision = has_precision};
