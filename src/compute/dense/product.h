/* SPDX-License-Identifier: Apache-2.0
 * Products of matrices whose operands are strided or windows of an image. Each sum has a fixed order, so results do not
 * depend on the number of threads. */
#ifndef ICSEG_COMPUTE_DENSE_PRODUCT_H
#define ICSEG_COMPUTE_DENSE_PRODUCT_H

#include "base/error.h"
#include "compute/dense/kernel.h"
#include "compute/dense/matrix.h"

/* out (.., rows, columns) = a (.., rows, inner) b (.., inner, columns) over two batch axes. The lines of a are rows,
 * those of b are columns. */
typedef struct icseg_dense_shape {
    const icseg_dense_kernel *kernel;
    int64_t batch[2], rows, inner, columns;
    icseg_dense_matrix a, b;
    int64_t a_batch[2], b_batch[2], out_batch[2]; /* elements from one matrix to the next */
    int64_t out_row;                              /* elements from one row of out to the next */
    bool bf16_out;
    bool packed_b; /* b is packed once, before it is used; without a batch */
    bool accumulate;
    icseg_activation activation;
} icseg_dense_shape;

typedef struct icseg_dense_product icseg_dense_product;
icseg_status icseg_dense_product_open(icseg_dense_product **out, const icseg_dense_shape *shape, icseg_error *error);
void icseg_dense_product_close(icseg_dense_product **product);

size_t icseg_dense_product_scratch(const icseg_dense_product *product);
size_t icseg_dense_product_packed_size(const icseg_dense_product *product); /* 0: b is not packed */
void icseg_dense_product_pack(const icseg_dense_product *product, const void *b, void *packed);

/* The packed form of b depends on nothing else. */
typedef struct icseg_dense_layout {
    const icseg_dense_kernel *kernel;
    int64_t inner, columns, line, run, jump, step;
} icseg_dense_layout;

icseg_dense_layout icseg_dense_product_layout(const icseg_dense_product *product);
bool icseg_dense_same_layout(const icseg_dense_layout *a, const icseg_dense_layout *b);

/* bias (columns) may be NULL. b: packed if the shape says so. scratch is 64-byte aligned. Do not call it inside an `omp
 * parallel` region. */
void icseg_dense_product_run(const icseg_dense_product *product, const void *a, const void *b, const float *bias,
                             void *out, void *scratch);

#endif
