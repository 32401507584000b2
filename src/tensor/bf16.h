/* SPDX-License-Identifier: Apache-2.0
 * Single elements of f32 and bf16 tensors, for kernels that are written once for both types. `bf16` is a constant where
 * these functions are inlined, so that loops vectorise. */
#ifndef ICSEG_TENSOR_BF16_H
#define ICSEG_TENSOR_BF16_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/system.h"

ICSEG_INLINE uint32_t icseg_float_bits(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

ICSEG_INLINE float icseg_float_of_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Rounds to nearest, ties to even; overflows to infinity; NaN stays NaN and keeps the bits that fit. */
ICSEG_INLINE uint16_t icseg_narrow_bf16(float value) {
    uint32_t bits = icseg_float_bits(value);
    uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
    uint32_t nan = (bits >> 16) | (bits >> 16 & 0x7f ? 0u : 0x40u);
    return (uint16_t)((bits & 0x7fffffff) > 0x7f800000u ? nan : rounded);
}

ICSEG_INLINE float icseg_element(const void *tensor, bool bf16, int64_t i) {
    if (!bf16) return ((const float *)tensor)[i];
    return icseg_float_of_bits((uint32_t)((const uint16_t *)tensor)[i] << 16);
}

ICSEG_INLINE void icseg_set_element(void *tensor, bool bf16, int64_t i, float value) {
    if (bf16)
        ((uint16_t *)tensor)[i] = icseg_narrow_bf16(value);
    else
        ((float *)tensor)[i] = value;
}

/* The address of element i. */
ICSEG_INLINE void *icseg_at(const void *tensor, bool bf16, int64_t i) { return (char *)tensor + i * (bf16 ? 2 : 4); }

#endif
