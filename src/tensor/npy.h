/* SPDX-License-Identifier: Apache-2.0
 * NumPy's .npy files: one dense tensor each, for looking at arrays from and in Python. */
#ifndef ICSEG_TENSOR_NPY_H
#define ICSEG_TENSOR_NPY_H

#include "base/error.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

typedef struct icseg_npy {
    icseg_dtype dtype;
    icseg_shape shape;
    void *data; /* owned; icseg_npy_close frees it */
} icseg_npy;

/* Little-endian, C order, versions 1 to 3 of the format; any dtype but BF16, which NumPy has none of. Big-endian,
 * Fortran order and other types are ICSEG_ERROR_UNSUPPORTED. On failure *out is empty. */
icseg_status icseg_npy_read(icseg_npy *out, const char *path, icseg_error *error);
void icseg_npy_close(icseg_npy *npy);

/* Version 1.0, atomic. BF16 is ICSEG_ERROR_UNSUPPORTED. */
icseg_status icseg_npy_write(const char *path, icseg_dtype dtype, icseg_shape shape, const void *data,
                             icseg_error *error);

#endif
