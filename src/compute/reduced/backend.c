/* SPDX-License-Identifier: Apache-2.0
 * Products in reduced precision as primitives. */
#include <stdio.h>

#include "base/memory.h"
#include "compute/reduced/reduced.h"
#include "compute/reduced/product.h"

typedef struct reduced_primitive {
    icseg_primitive base;
    icseg_reduced_product *product;
} reduced_primitive;

static bool conv_shape(icseg_reduced_shape *out, const icseg_conv_shape *s, const icseg_primitive_options *o) {
    int64_t kernel = s->kernel_height;
    *out = (icseg_reduced_shape){.images = s->batch,
                                 .height = s->height,
                                 .width = s->width,
                                 .weights = {.multiplier = icseg_multiplier_find(o->precision),
                                             .in = s->in,
                                             .out = s->out,
                                             .kernel = kernel,
                                             .out_stride = kernel * kernel * s->in,
                                             .in_stride = 1,
                                             .second = o->second.channels}};
    if (o->second.channels && (kernel != 1 || o->second.channels >= s->in)) return false;
    return s->stride == 1 && s->kernel_width == kernel && (kernel == 1 || kernel == 3) && s->padding == kernel / 2;
}

/* Dense rows times a packed weight. */
static bool matmul_shape(icseg_reduced_shape *out, const icseg_matmul_shape *s, const icseg_primitive_options *o) {
    *out = (icseg_reduced_shape){.images = 1,
                                 .height = s->rows,
                                 .width = 1,
                                 .weights = {.multiplier = icseg_multiplier_find(o->precision),
                                             .in = s->inner,
                                             .out = s->columns,
                                             .kernel = 1,
                                             .out_stride = s->b_stride[3],
                                             .in_stride = s->b_stride[2]}};
    return o->pack && !o->second.channels && s->batch[0] == 1 && s->batch[1] == 1 && s->a_stride[2] == s->inner &&
           s->a_stride[3] == 1 && s->out_stride[2] == s->columns && s->out_stride[3] == 1;
}

/* Finds the product that the primitive computes. False if this backend cannot compute it. */
static bool shape_of(icseg_reduced_shape *out, const icseg_primitive_spec *spec) {
    const icseg_primitive_options *o = &spec->options;
    bool types = o->in == ICSEG_F32 && o->out == ICSEG_F32 && !o->residual && !o->second.channels;
    if (o->precision == ICSEG_PRODUCT_INT8)
        types = (o->in == ICSEG_F32 || o->in == ICSEG_U8) && (o->out == ICSEG_F32 || o->out == ICSEG_U8);
    if (o->precision == ICSEG_PRODUCT_F32 || !types) return false;
    bool fits = spec->kind == ICSEG_CONV_FORWARD ? conv_shape(out, &spec->conv, o)
                : spec->kind == ICSEG_MATMUL     ? matmul_shape(out, &spec->matmul, o)
                                                 : false;
    if (!fits) return false;
    if (o->precision == ICSEG_PRODUCT_INT8 && o->in_means.count == out->weights.in) out->weights.means = o->in_means;
    out->options = *o;
    return true;
}

static bool supports(const icseg_primitive_spec *spec) {
    icseg_reduced_shape shape;
    return shape_of(&shape, spec) && icseg_reduced_is_faster(&shape);
}

static void close(icseg_primitive *primitive) {
    icseg_reduced_product_close(&((reduced_primitive *)primitive)->product);
    icseg_free(primitive);
}

static icseg_status open(icseg_primitive **out, const icseg_primitive_spec *spec, icseg_error *error) {
    icseg_reduced_shape shape;
    *out = NULL;
    if (!shape_of(&shape, spec)) return icseg_fail(error, ICSEG_ERROR_INTERNAL, "not a product in reduced precision");
    reduced_primitive *p = icseg_calloc_array(1, sizeof *p);
    if (!p) return icseg_fail_memory(error, 0, "a primitive");
    icseg_status status = icseg_reduced_product_open(&p->product, &shape, error);
    if (status != ICSEG_OK) {
        close(&p->base);
        return status;
    }
    p->base = (icseg_primitive){.backend = &icseg_reduced_backend,
                                .scratch = icseg_reduced_product_scratch(p->product),
                                .packed_size = icseg_reduced_product_packed_size(p->product)};
    snprintf(p->base.implementation, sizeof p->base.implementation, "%s", shape.weights.multiplier->name);
    *out = &p->base;
    return ICSEG_OK;
}

static icseg_status run(icseg_primitive *primitive, icseg_operands operands, void *scratch, icseg_error *error) {
    (void)error;
    icseg_reduced_product_run(((reduced_primitive *)primitive)->product, operands, scratch);
    return ICSEG_OK;
}

static icseg_status pack(const icseg_primitive *primitive, const float *plain, void *packed, icseg_error *error) {
    if (icseg_reduced_product_pack(((const reduced_primitive *)primitive)->product, plain, packed)) return ICSEG_OK;
    return icseg_fail(error, ICSEG_ERROR_NUMERIC, "the weights are not finite");
}

static void *layout_open(const icseg_primitive *primitive) {
    icseg_reduced_weights *layout = icseg_alloc(sizeof *layout);
    if (layout) *layout = icseg_reduced_layout(((const reduced_primitive *)primitive)->product);
    return layout;
}

static bool layout_fits(const void *layout, const icseg_primitive *primitive) {
    return icseg_reduced_same_weights(*(const icseg_reduced_weights *)layout,
                                      icseg_reduced_layout(((const reduced_primitive *)primitive)->product));
}

static icseg_bf16_support bf16(void) { return ICSEG_BF16_NONE; } /* of bf16 operands */

static bool has_precision(icseg_product_precision precision) { return icseg_multiplier_find(precision); }

const icseg_backend icseg_reduced_backend = {.supports = supports,
                                             .open = open,
                                             .close = close,
                                             .run = run,
                                             .pack = pack,
                                             .layout_open = layout_open,
                                             .layout_fits = layout_fits,
                                             .layout_close = icseg_free,
                                             .bf16 = bf16,
                                             .has_precision = has_precision};
