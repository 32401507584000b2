/* SPDX-License-Identifier: Apache-2.0
 * cast: f32 to bf16 and back; conversions of elements. */
#include "graph/ops/cast.h"

#include <string.h>

#include "base/system.h"

enum { BLOCK = 16384 };

ICSEG_KERNEL static void quantize(uint8_t *to, icseg_quantization q, const float *from, int64_t n) {
    float inverse = 1 / q.scale;
#pragma omp simd
    for (int64_t i = 0; i < n; i++) to[i] = icseg_quantized(from[i], inverse, q.zero_point);
}

ICSEG_KERNEL static void dequantize(float *to, const uint8_t *from, icseg_quantization q, int64_t n) {
#pragma omp simd
    for (int64_t i = 0; i < n; i++) to[i] = (float)(from[i] - q.zero_point) * q.scale;
}

ICSEG_KERNEL static void quantize_again(uint8_t *to, icseg_quantization q, const uint8_t *from, icseg_quantization p,
                                        int64_t n) {
    float factor = p.scale / q.scale;
#pragma omp simd
    for (int64_t i = 0; i < n; i++) to[i] = icseg_quantized((float)(from[i] - p.zero_point), factor, q.zero_point);
}

static bool same_format(icseg_format a, icseg_format b) {
    icseg_quantization p = a.quantization, q = b.quantization;
    return a.dtype == b.dtype && (a.dtype != ICSEG_U8 || (p.scale == q.scale && p.zero_point == q.zero_point));
}

void icseg_cast_block(void *to, icseg_format to_format, const void *from, icseg_format from_format, int64_t n) {
    icseg_quantization q = to_format.quantization, p = from_format.quantization;
    bool from_bytes = from_format.dtype == ICSEG_U8;
    if (same_format(to_format, from_format))
        memcpy(to, from, (size_t)n * icseg_dtype_size(to_format.dtype));
    else if (to_format.dtype == ICSEG_U8 && from_bytes)
        quantize_again(to, q, from, p, n);
    else if (to_format.dtype == ICSEG_U8)
        quantize(to, q, from, n);
    else if (from_bytes)
        dequantize(to, from, p, n);
    else if (to_format.dtype == ICSEG_BF16)
        icseg_bf16_from_f32(to, from, (size_t)n);
    else
        icseg_f32_from(to, from, from_format.dtype, (size_t)n);
}

void icseg_cast_elements(void *to, icseg_format to_format, const void *from, icseg_format from_format, int64_t count) {
    size_t to_size = icseg_dtype_size(to_format.dtype), from_size = icseg_dtype_size(from_format.dtype);
#pragma omp parallel for schedule(static)
    for (int64_t at = 0; at < count; at += BLOCK)
        icseg_cast_block((char *)to + (size_t)at * to_size, to_format, (const char *)from + (size_t)at * from_size,
                         from_format, count - at < BLOCK ? count - at : BLOCK);
}

static icseg_status cast_run(const icseg_kernel *k, const icseg_run *run, icseg_error *error) {
    (void)run, (void)error;
    const icseg_value_info *x = icseg_kernel_in(k, 0), *y = icseg_kernel_out(k, 0);
    icseg_cast_elements(k->out[0], icseg_format_of(y), k->in[0], icseg_format_of(x), x->count);
    return ICSEG_OK;
}

static const icseg_op cast_op = {.name = "cast", .run = cast_run, .cheap = true};

icseg_value icseg_cast(icseg_graph *g, icseg_value x, icseg_dtype dtype) {
    icseg_node *node = icseg_node_append(g, &cast_op, NULL, 0, &x, 1, 0);
    return node ? icseg_node_output(g, node, dtype, icseg_graph_value(g, x)->shape) : ICSEG_NONE;
}
