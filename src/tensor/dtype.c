/* SPDX-License-Identifier: Apache-2.0
 * Element types: sizes, names, conversion kernels. F16 and BF16 are converted with integers, so that the results do not
 * depend on the processor and the loops vectorise on any instruction set. */
#include "tensor/dtype.h"

#include <string.h>

#include "tensor/bf16.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "files are little-endian and are read in place");

static const struct {
    const char *name;
    uint8_t size;
    bool is_float;
} types[ICSEG_DTYPES] = {
    [ICSEG_F32] = {"F32", 4, true},  [ICSEG_F16] = {"F16", 2, true},    [ICSEG_BF16] = {"BF16", 2, true},
    [ICSEG_F64] = {"F64", 8, true},  [ICSEG_I64] = {"I64", 8, false},   [ICSEG_I32] = {"I32", 4, false},
    [ICSEG_I16] = {"I16", 2, false}, [ICSEG_I8] = {"I8", 1, false},     [ICSEG_U8] = {"U8", 1, false},
    [ICSEG_U16] = {"U16", 2, false}, [ICSEG_BOOL] = {"BOOL", 1, false},
};

size_t icseg_dtype_size(icseg_dtype dtype) { return types[dtype].size; }
const char *icseg_dtype_name(icseg_dtype dtype) { return types[dtype].name; }
bool icseg_dtype_is_float(icseg_dtype dtype) { return types[dtype].is_float; }

bool icseg_dtype_parse(const char *name, icseg_dtype *out) {
    for (int i = 0; i < ICSEG_DTYPES; i++)
        if (!strcmp(name, types[i].name)) {
            *out = (icseg_dtype)i;
            return true;
        }
    return false;
}

static inline float widen_f16(uint16_t bits) {
    uint32_t sign = (uint32_t)(bits & 0x8000) << 16, magnitude = bits & 0x7fff;
    uint32_t normal = (magnitude << 13) + (112u << 23);                      /* exponent bias 15 -> 127 */
    uint32_t special = (magnitude << 13) | 0x7f800000u;                      /* infinity, NaN */
    uint32_t small = icseg_float_bits((float)(int32_t)magnitude * 0x1p-24f); /* zero, subnormals: exact in f32 */
    return icseg_float_of_bits(sign | (magnitude >= 0x7c00 ? special : magnitude >= 0x0400 ? normal : small));
}

static inline uint16_t narrow_f16(float value) {
    uint32_t bits = icseg_float_bits(value), sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
    /* Half a unit in the last place, less one when that place is even; a carry into the exponent is right. */
    uint32_t normal = (magnitude - (112u << 23) + 0xfff + (magnitude >> 13 & 1)) >> 13;
    uint32_t finite = normal < 0x7c00 ? normal : 0x7c00;
    /* Next to 0.5 the unit in the last place of f32 is that of f16 subnormals, so the addition does the rounding. */
    uint32_t small = icseg_float_bits(icseg_float_of_bits(magnitude) + 0.5f) - icseg_float_bits(0.5f);
    uint32_t payload = magnitude >> 13 & 0x3ff, nan = 0x7c00 | (payload ? payload : 0x200);
    uint32_t result = magnitude < 0x38800000u ? small : magnitude > 0x7f800000u ? nan : finite; /* 2^-14 */
    return (uint16_t)(sign | result);
}

ICSEG_KERNEL void icseg_f16_from_f32(uint16_t *out, const float *in, size_t count) {
#pragma omp simd
    for (size_t i = 0; i < count; i++) out[i] = narrow_f16(in[i]);
}

ICSEG_KERNEL void icseg_bf16_from_f32(uint16_t *out, const float *in, size_t count) {
#pragma omp simd
    for (size_t i = 0; i < count; i++) out[i] = icseg_narrow_bf16(in[i]);
}

ICSEG_KERNEL static void from_f16(float *out, const unsigned char *in, size_t count) {
#pragma omp simd
    for (size_t i = 0; i < count; i++) {
        uint16_t bits;
        memcpy(&bits, in + 2 * i, sizeof bits);
        out[i] = widen_f16(bits);
    }
}

ICSEG_KERNEL static void from_bf16(float *out, const unsigned char *in, size_t count) {
#pragma omp simd
    for (size_t i = 0; i < count; i++) {
        uint16_t bits;
        memcpy(&bits, in + 2 * i, sizeof bits);
        out[i] = icseg_float_of_bits((uint32_t)bits << 16);
    }
}

#define FROM(TYPE)                                                                                                     \
    for (size_t i = 0; i < count; i++) {                                                                               \
        TYPE value;                                                                                                    \
        memcpy(&value, bytes + i * sizeof value, sizeof value);                                                        \
        out[i] = (float)value;                                                                                         \
    }                                                                                                                  \
    break

void icseg_f32_from(float *out, const void *in, icseg_dtype dtype, size_t count) {
    const unsigned char *bytes = in;
    if (count == 0) return;
    switch (dtype) {
    case ICSEG_F32: memcpy(out, in, count * sizeof *out); break;
    case ICSEG_F16: from_f16(out, bytes, count); break;
    case ICSEG_BF16: from_bf16(out, bytes, count); break;
    case ICSEG_F64: FROM(double);
    case ICSEG_I64: FROM(int64_t);
    case ICSEG_I32: FROM(int32_t);
    case ICSEG_I16: FROM(int16_t);
    case ICSEG_I8: FROM(int8_t);
    case ICSEG_U8: FROM(uint8_t);
    case ICSEG_U16: FROM(uint16_t);
    case ICSEG_BOOL:
        for (size_t i = 0; i < count; i++) out[i] = bytes[i] ? 1.0f : 0.0f;
        break;
    }
}
