/* SPDX-License-Identifier: Apache-2.0
 * Quantised tensors (ICSEG_U8): a byte b has the value (b - zero_point) * scale. */
#ifndef ICSEG_TENSOR_QUANTIZATION_H
#define ICSEG_TENSOR_QUANTIZATION_H

#include <stdint.h>

#include "base/system.h"
#include "tensor/dtype.h"

typedef struct icseg_quantization {
    float scale; /* 0: unknown */
    int32_t zero_point;
} icseg_quantization;

/* How the elements of a tensor are stored. */
typedef struct icseg_format {
    icseg_dtype dtype;
    icseg_quantization quantization; /* of ICSEG_U8 */
} icseg_format;

/* The nearest byte, 0 to 255, minus the zero point; NaN becomes 255. Adding 1.5 * 2^23 rounds to an integer and leaves
 * it in the low bits. */
ICSEG_INLINE int32_t icseg_centred_byte(float x, float inverse_scale, float zero_point) {
    union {
        float f;
        int32_t i;
    } n = {.f = x * inverse_scale};
    n.f = n.f < 255 - zero_point ? n.f : 255 - zero_point; /* also NaN */
    n.f = n.f > -zero_point ? n.f : -zero_point;
    n.f += 12582912.0f;
    return n.i - 0x4b400000;
}

ICSEG_INLINE uint8_t icseg_quantized(float x, float inverse_scale, int32_t zero_point) {
    return (uint8_t)(icseg_centred_byte(x, inverse_scale, (float)zero_point) + zero_point);
}

#endif
