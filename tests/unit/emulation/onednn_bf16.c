/* SPDX-License-Identifier: Apache-2.0
 * oneDNN as a backend, with bf16 on every processor: takes the place of src/compute/onednn/backend.c in test programs.
 * A primitive of bf16 widens its operands, runs oneDNN's primitive of f32, and rounds the result to bf16, as processors
 * with bf16 do, which also sum in f32. A packed operand is the plain one rounded to bf16, in f32. */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "compute/onednn/internal.h"
#include "tensor/bf16.h"

enum { ALIGNMENT = 64 };

/* Elements from the first to the last one of an operand, gaps included. */
typedef struct emulated {
    icseg_primitive base;
    icseg_primitive *f32;
    int64_t a, b, out;
    int64_t b_stride[2];
    bool packs, bf16_out;
} emulated;

typedef struct emulated_layout {
    int64_t b, b_stride[2];
} emulated_layout;

static const icseg_backend bf16_backend;

static size_t aligned(size_t bytes) { return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT; }
static size_t floats(int64_t count) { return aligned((size_t)count * sizeof(float)); }

static int64_t extent(const int64_t batch[2], int64_t rows, int64_t columns, const int64_t stride[4]) {
    return (batch[0] - 1) * stride[0] + (batch[1] - 1) * stride[1] + (rows - 1) * stride[2] +
           (columns - 1) * stride[3] + 1;
}

static void measure(emulated *p, const icseg_primitive_spec *spec) {
    const icseg_conv_shape *c = &spec->conv;
    const icseg_matmul_shape *m = &spec->matmul;
    p->packs = spec->kind == ICSEG_MATMUL ? spec->options.pack : spec->kind != ICSEG_CONV_BACKWARD_WEIGHTS;
    p->bf16_out = spec->options.out == ICSEG_BF16 && spec->kind != ICSEG_CONV_BACKWARD_WEIGHTS;
    if (spec->kind == ICSEG_MATMUL) {
        p->a = extent(m->batch, m->rows, m->inner, m->a_stride);
        p->b = extent(m->batch, m->inner, m->columns, m->b_stride);
        p->out = extent(m->batch, m->rows, m->columns, m->out_stride);
        memcpy(p->b_stride, m->b_stride + 2, sizeof p->b_stride);
        return;
    }
    int64_t x = c->batch * c->height * c->width * c->in, y = c->batch * c->out_height * c->out_width * c->out,
            weights = c->out * c->kernel_height * c->kernel_width * c->in;
    p->a = spec->kind == ICSEG_CONV_BACKWARD_DATA ? y : x;
    p->b = spec->kind == ICSEG_CONV_BACKWARD_WEIGHTS ? y : weights;
    p->out = spec->kind == ICSEG_CONV_FORWARD ? y : spec->kind == ICSEG_CONV_BACKWARD_DATA ? x : weights;
}

static icseg_status open_f32(icseg_primitive **out, const icseg_primitive_spec *spec, icseg_error *error) {
    ICSEG_TRY(spec->kind == ICSEG_MATMUL ? icseg_onednn_matmul_open(out, &spec->matmul, spec->options, error)
                                         : icseg_onednn_conv_open(out, spec->kind, &spec->conv, spec->options, error));
    (*out)->backend = &icseg_onednn_backend;
    return ICSEG_OK;
}

static void close_bf16(icseg_primitive *primitive) {
    emulated *p = (emulated *)primitive;
    if (p->f32) icseg_onednn_close(p->f32);
    icseg_free(p);
}

static icseg_status open_bf16(icseg_primitive **out, const icseg_primitive_spec *spec, icseg_error *error) {
    icseg_primitive_spec f32 = *spec;
    f32.options.in = f32.options.out = ICSEG_F32;
    *out = NULL;
    emulated *p = icseg_calloc_array(1, sizeof *p);
    if (!p) return icseg_fail_memory(error, 0, "a primitive");
    icseg_status status = open_f32(&p->f32, &f32, error);
    if (status != ICSEG_OK) {
        close_bf16(&p->base);
        return status;
    }
    measure(p, spec);
    p->base.backend = &bf16_backend;
    p->base.scratch = aligned(p->f32->scratch) + aligned(p->f32->packed_size) + floats(p->a) + floats(p->b) +
                      (p->bf16_out ? floats(p->out) : 0);
    p->base.packed_size = p->packs ? (size_t)p->b * sizeof(float) : 0;
    snprintf(p->base.implementation, sizeof p->base.implementation, "emulated bf16: %.30s", p->f32->implementation);
    *out = &p->base;
    return ICSEG_OK;
}

static icseg_status open_any(icseg_primitive **out, const icseg_primitive_spec *spec, icseg_error *error) {
    return (spec->options.in == ICSEG_BF16 ? open_bf16 : open_f32)(out, spec, error);
}

static void *take(char **scratch, size_t bytes) {
    void *block = *scratch;
    *scratch += aligned(bytes);
    return block;
}

/* A widened copy in the scratch memory. */
static float *widen(const void *bf16, int64_t count, char **scratch) {
    float *wide = take(scratch, floats(count));
    for (int64_t i = 0; i < count; i++) wide[i] = icseg_element(bf16, true, i);
    return wide;
}

static icseg_status run_bf16(icseg_primitive *primitive, icseg_operands operands, void *scratch, icseg_error *error) {
    emulated *p = (emulated *)primitive;
    char *left = scratch;
    void *inner = take(&left, p->f32->scratch), *packed = take(&left, p->f32->packed_size), *out = operands.out;
    operands.a = widen(operands.a, p->a, &left);
    if (!p->packs) operands.b = widen(operands.b, p->b, &left);
    if (p->f32->packed_size) {
        ICSEG_TRY(icseg_onednn_pack(p->f32, operands.b, packed, error));
        operands.b = packed;
    }
    if (p->bf16_out) operands.out = widen(out, p->out, &left); /* gaps stay as they are */
    ICSEG_TRY(icseg_onednn_run(p->f32, operands, inner, error));
    for (int64_t i = 0; p->bf16_out && i < p->out; i++)
        icseg_set_element(out, true, i, ((const float *)operands.out)[i]);
    return ICSEG_OK;
}

static icseg_status pack_bf16(const icseg_primitive *primitive, const float *plain, void *packed, icseg_error *error) {
    const emulated *p = (const emulated *)primitive;
    (void)error;
    for (int64_t i = 0; i < p->b; i++)
        ((float *)packed)[i] = icseg_float_of_bits((uint32_t)icseg_narrow_bf16(plain[i]) << 16);
    return ICSEG_OK;
}

static emulated_layout layout_of(const icseg_primitive *primitive) {
    const emulated *p = (const emulated *)primitive;
    return (emulated_layout){p->b, {p->b_stride[0], p->b_stride[1]}};
}

static void *layout_open(const icseg_primitive *primitive) {
    emulated_layout *layout = icseg_alloc(sizeof *layout);
    if (layout) *layout = layout_of(primitive);
    return layout;
}

static bool layout_fits(const void *layout, const icseg_primitive *primitive) {
    emulated_layout own = layout_of(primitive);
    return memcmp(layout, &own, sizeof own) == 0;
}

static bool supports(const icseg_primitive_spec *spec) { return spec->options.precision == ICSEG_PRODUCT_F32; }
static icseg_bf16_support bf16(void) { return ICSEG_BF16_AMX; }
static bool has_precision(icseg_product_precision precision) { return precision == ICSEG_PRODUCT_F32; }

static const icseg_backend bf16_backend = {.close = close_bf16,
                                           .run = run_bf16,
                                           .pack = pack_bf16,
                                           .layout_open = layout_open,
                                           .layout_fits = layout_fits,
                                           .layout_close = icseg_free};

const icseg_backend icseg_onednn_backend = {.supports = supports,
                                            .open = open_any,
                                            .close = icseg_onednn_close,
                                            .run = icseg_onednn_run,
                                            .pack = icseg_onednn_pack,
                                            .layout_open = icseg_onednn_packed_layout_open,
                                            .layout_fits = icseg_onednn_packed_layout_fits,
                                            .layout_close = icseg_onednn_packed_layout_close,
                                            .bf16 = bf16,
                                            .has_precision = has_precision};
