/* SPDX-License-Identifier: Apache-2.0
 * Quantising values to bytes, and writing them to panels (compute/reduced/multiplier.h). */
#ifndef ICSEG_COMPUTE_REDUCED_QUANTIZE_H
#define ICSEG_COMPUTE_REDUCED_QUANTIZE_H

#include "base/system.h"
#include "compute/backend/shapes.h"

/* The nearest byte, minus the zero point. Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits. */
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

/* As in icseg_multiplier. Panels have rows of 64 bytes, or of 32 centred 16-bit integers. */
void icseg_convert_to_bytes(const float *x, int64_t rows, int64_t in, icseg_quantization q, char *to, size_t low,
                            size_t next);
void icseg_convert_to_shorts(const float *x, int64_t rows, int64_t in, icseg_quantization q, char *to, size_t low,
                             size_t next);
void icseg_copy_to_bytes(const uint8_t *x, int64_t rows, int64_t in, icseg_quantization q, char *to, size_t next);
void icseg_copy_to_shorts(const uint8_t *x, int64_t rows, int64_t in, icseg_quantization q, char *to, size_t next);

#endif
