/* SPDX-License-Identifier: Apache-2.0
 * Element types of tensors in files and in memory, and their conversion to and from f32. */
#ifndef ICSEG_TENSOR_DTYPE_H
#define ICSEG_TENSOR_DTYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum icseg_dtype {
    ICSEG_F32,
    ICSEG_F16,
    ICSEG_BF16,
    ICSEG_F64,
    ICSEG_I64,
    ICSEG_I32,
    ICSEG_I16,
    ICSEG_I8,
    ICSEG_U8,
    ICSEG_U16,
    ICSEG_BOOL /* one byte, 0 or 1 */
} icseg_dtype;
enum { ICSEG_DTYPES = ICSEG_BOOL + 1 };

size_t icseg_dtype_size(icseg_dtype dtype);                 /* bytes of one element */
const char *icseg_dtype_name(icseg_dtype dtype);            /* as safetensors spells it: "F32" */
bool icseg_dtype_parse(const char *name, icseg_dtype *out); /* false when the name is unknown */
bool icseg_dtype_is_float(icseg_dtype dtype);

/* Arrays of `count` elements. `in` needs no alignment (tensors in files have none) and must not overlap `out`.
 * Narrowing rounds to nearest, ties to even, and overflows to infinity; NaN stays NaN and keeps the bits that fit. */
void icseg_f32_from(float *out, const void *in, icseg_dtype dtype, size_t count); /* any dtype */
void icseg_f16_from_f32(uint16_t *out, const float *in, size_t count);
void icseg_bf16_from_f32(uint16_t *out, const float *in, size_t count);

#endif
