/* SPDX-License-Identifier: Apache-2.0 */
#include <omp.h>
#include <stdio.h>

#include "base/memory.h"
#include "compute/panels/panels.h"
#include "compute/panels/product.h"

typedef struct panels_primitive {
    icseg_primitive base;
    icseg_panels_product product;
    icseg_panels_split split;
    int64_t rows;
} panels_primitive;

/* What packed copies depend on. */
typedef struct layout {
    const icseg_panels_kernel *kernel;
    int64_t inner, columns;
} layout;

static bool is_linear(const icseg_matmul_shape *s) {
    return s->batch[0] == 1 && s->batch[1] == 1 && s->a_stride[2] == s->inner && s->a_stride[3] == 1 &&
           s->b_stride[2] == 1 && s->b_stride[3] == s->inner && s->out_stride[2] == s->columns && s->out_stride[3] == 1;
}

static bool is_pointwise(const icseg_conv_shape *s) {
    return s->kernel_height == 1 && s->kernel_width == 1 && s->stride == 1 && s->padding == 0 && s->out_height > 0 &&
           s->out_width > 0;
}

static bool supports(const icseg_primitive_spec *spec) {
    enum { WIDE = 16 }; /* columns of a panel with AVX2 */
    const icseg_primitive_options *o = &spec->options;
    bool f32 = o->precision == ICSEG_PRODUCT_F32 && o->in == ICSEG_F32 && o->out == ICSEG_F32;
    bool shape = spec->kind == ICSEG_MATMUL         ? o->pack && is_linear(&spec->matmul)
                 : spec->kind == ICSEG_CONV_FORWARD ? is_pointwise(&spec->conv)
                                                    : false;
    return f32 && shape && !o->residual && icseg_panels_kernel_find()->columns >= WIDE;
}

static void close(icseg_primitive *primitive) { icseg_free(primitive); }

static icseg_status open(icseg_primitive **out, const icseg_primitive_spec *spec, icseg_error *error) {
    const icseg_conv_shape *conv = &spec->conv;
    bool matmul = spec->kind == ICSEG_MATMUL;
    panels_primitive *p = icseg_calloc_array(1, sizeof *p);
    *out = NULL;
    if (!p) return icseg_fail_memory(error, 0, "a primitive");
    p->rows = matmul ? spec->matmul.rows : conv->batch * conv->height * conv->width;
    p->product = (icseg_panels_product){.kernel = icseg_panels_kernel_find(),
                                        .inner = matmul ? spec->matmul.inner : conv->in,
                                        .columns = matmul ? spec->matmul.columns : conv->out,
                                        .out_pitch = matmul ? spec->matmul.columns : conv->out,
                                        .accumulate = spec->options.accumulate,
                                        .activation = spec->options.activation};
    p->split = icseg_panels_divide(&p->product, p->rows, omp_get_max_threads());
    int64_t panels = icseg_panels_count(&p->product) * p->product.inner * p->product.kernel->columns;
    p->base = (icseg_primitive){
        .backend = &icseg_panels_backend, .packed_size = (size_t)panels * sizeof(float), .packs_f32 = true};
    snprintf(p->base.implementation, sizeof p->base.implementation, "panels:%s", p->product.kernel->name);
    *out = &p->base;
    return ICSEG_OK;
}

static icseg_status run(icseg_primitive *primitive, icseg_operands operands, void *scratch, icseg_error *error) {
    (void)scratch, (void)error;
    const panels_primitive *p = (panels_primitive *)primitive;
    icseg_panels_operands o = {.a = operands.a, .b = operands.b, .bias = operands.bias, .out = operands.out};
    int64_t panels = icseg_panels_count(&p->product);
#pragma omp parallel for schedule(static) collapse(2)
    for (int64_t i = 0; i < p->split.rows; i++)
        for (int64_t j = 0; j < p->split.panels; j++) {
            icseg_panels_part part = {.first_row = i * p->rows / p->split.rows,
                                      .end_row = (i + 1) * p->rows / p->split.rows,
                                      .first_panel = j * panels / p->split.panels,
                                      .end_panel = (j + 1) * panels / p->split.panels};
            icseg_panels_multiply(&p->product, &part, &o);
        }
    return ICSEG_OK;
}

/* Weights (columns, inner) of up to `count` columns -> a panel (inner, columns of a panel). A line of memory at a
 * time. */
static void pack_panel(const float *plain, int64_t inner, int64_t count, int64_t columns, float *to) {
    enum { DEPTH = 16 };
    for (int64_t first = 0; first < inner; first += DEPTH) {
        int64_t end = first + DEPTH < inner ? first + DEPTH : inner;
        for (int64_t c = 0; c < columns; c++)
            for (int64_t i = first; i < end; i++) to[i * columns + c] = c < count ? plain[c * inner + i] : 0;
    }
}

static icseg_status pack(const icseg_primitive *primitive, const float *plain, void *packed, icseg_error *error) {
    (void)error;
    const icseg_panels_product *p = &((const panels_primitive *)primitive)->product;
    int64_t columns = p->kernel->columns;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < icseg_panels_count(p); i++) {
        int64_t first = i * columns, count = p->columns - first < columns ? p->columns - first : columns;
        pack_panel(plain + first * p->inner, p->inner, count, columns, (float *)packed + first * p->inner);
    }
    return ICSEG_OK;
}

static layout layout_of(const icseg_primitive *primitive) {
    const icseg_panels_product *p = &((const panels_primitive *)primitive)->product;
    return (layout){p->kernel, p->inner, p->columns};
}

static void *layout_open(const icseg_primitive *primitive) {
    layout *l = icseg_alloc(sizeof *l);
    if (l) *l = layout_of(primitive);
    return l;
}

static bool layout_fits(const void *candidate, const icseg_primitive *primitive) {
    const layout *l = candidate, wanted = layout_of(primitive);
    return l->kernel == wanted.kernel && l->inner == wanted.inner && l->columns == wanted.columns;
}

static icseg_bf16_support bf16(void) { return ICSEG_BF16_NONE; }
static bool has_precision(icseg_product_precision precision) { return precision == ICSEG_PRODUCT_F32; }

const icseg_backend icseg_panels_backend = {.supports = supports,
                                            .open = open,
                                            .close = close,
                                            .run = run,
                                            .pack = pack,
                                            .layout_open = layout_open,
                                            .layout_fits = layout_fits,
                                            .layout_close = icseg_free,
                                            .bf16 = bf16,
                                            .has_precision = has_precision};
