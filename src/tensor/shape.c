/* SPDX-License-Identifier: Apache-2.0
 * Shapes: element counts that cannot overflow, equality, text. */
#include "tensor/shape.h"

#include <inttypes.h>
#include <stdio.h>

int64_t icseg_shape_count(icseg_shape shape) {
    if (shape.rank < 0 || shape.rank > ICSEG_MAX_RANK) return -1;
    int64_t count = 1;
    bool empty = false; /* a zero must not hide an overflow, whatever the order of the dimensions */
    for (int i = 0; i < shape.rank; i++) {
        if (shape.dim[i] < 0) return -1;
        if (shape.dim[i] == 0)
            empty = true;
        else if (__builtin_mul_overflow(count, shape.dim[i], &count))
            return -1;
    }
    return empty ? 0 : count;
}

int64_t icseg_shape_bytes(icseg_shape shape, icseg_dtype dtype) {
    int64_t count = icseg_shape_count(shape), bytes;
    if (count < 0 || __builtin_mul_overflow(count, (int64_t)icseg_dtype_size(dtype), &bytes)) return -1;
    return bytes;
}

bool icseg_shape_equal(icseg_shape a, icseg_shape b) {
    if (a.rank != b.rank) return false;
    for (int i = 0; i < a.rank && i < ICSEG_MAX_RANK; i++)
        if (a.dim[i] != b.dim[i]) return false;
    return true;
}

const char *icseg_shape_text(icseg_shape shape, char *out, size_t size) {
    size_t used = 0;
    for (int i = 0; i < shape.rank && i < ICSEG_MAX_RANK && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, "%s%" PRId64, i ? ", " : "(", shape.dim[i]);
    if (used < size) snprintf(out + used, size - used, "%s", shape.rank > 0 ? ")" : "()");
    return out;
}
