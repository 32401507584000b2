/* SPDX-License-Identifier: Apache-2.0
 * Shapes of dense, row-major tensors. */
#ifndef ICSEG_TENSOR_SHAPE_H
#define ICSEG_TENSOR_SHAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tensor/dtype.h"

enum { ICSEG_MAX_RANK = 6, ICSEG_SHAPE_TEXT = ICSEG_MAX_RANK * 22 + 3 }; /* enough for the text of any shape */

/* Rank 0 is a scalar. Dimensions beyond the rank are ignored. */
typedef struct icseg_shape {
    int32_t rank;
    int64_t dim[ICSEG_MAX_RANK];
} icseg_shape;

/* ICSEG_SHAPE(2, 3, 4); more than ICSEG_MAX_RANK dimensions do not compile. */
#define ICSEG_SHAPE(...) ((icseg_shape){(int32_t)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), {__VA_ARGS__}})

/* Number of elements, or -1 when the rank is out of range, a dimension is negative or the product overflows. */
int64_t icseg_shape_count(icseg_shape shape);
/* Bytes of a tensor, or -1 in the same cases. */
int64_t icseg_shape_bytes(icseg_shape shape, icseg_dtype dtype);
bool icseg_shape_equal(icseg_shape a, icseg_shape b);
/* Writes "(2, 3, 4)", truncated to `size`. Returns `out`, so that the call can be an argument. */
const char *icseg_shape_text(icseg_shape shape, char *out, size_t size);

#endif
