/* SPDX-License-Identifier: Apache-2.0
 * f32 products whose second operand is stored in panels of columns, in the order in which it is read. What a later
 * block of the product reads is prefetched while an earlier one is computed, because most matrices of a model are in
 * the third-level cache or in memory. */
#ifndef ICSEG_COMPUTE_PANELS_PRODUCT_H
#define ICSEG_COMPUTE_PANELS_PRODUCT_H

#include "compute/panels/kernel.h"
#include "tensor/activation.h"

/* a (rows, inner), b (panels, inner, columns of a panel), bias (columns) or NULL -> out (rows, out_pitch). */
typedef struct icseg_panels_product {
    const icseg_panels_kernel *kernel;
    int64_t inner, columns, out_pitch;
    bool accumulate;             /* adds to out */
    icseg_activation activation; /* applied last */
} icseg_panels_product;

typedef struct icseg_panels_operands {
    const float *a, *b, *bias;
    float *out;
    const float *next_a; /* what this thread multiplies afterwards, or NULL */
} icseg_panels_operands;

/* Rows and panels of a product: from the first one to before the end. */
typedef struct icseg_panels_part {
    int64_t first_row, end_row, first_panel, end_panel;
} icseg_panels_part;

int64_t icseg_panels_count(const icseg_panels_product *product); /* panels of b */

/* Computes a part in the calling thread. Its bits do not depend on how a product is divided. */
void icseg_panels_multiply(const icseg_panels_product *product, const icseg_panels_part *part,
                           const icseg_panels_operands *operands);

/* Into how many parts rows and panels are divided among threads. */
typedef struct icseg_panels_split {
    int64_t rows, panels;
} icseg_panels_split;
icseg_panels_split icseg_panels_divide(const icseg_panels_product *product, int64_t rows, int threads);

#endif
