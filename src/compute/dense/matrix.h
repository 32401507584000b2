/* SPDX-License-Identifier: Apache-2.0
 * The operands of a product, and how they are copied to panels. An operand is a number of lines (rows of a, columns of
 * b) of inner values. A panel holds some lines side by side, in the order in which a kernel reads them. */
#ifndef ICSEG_COMPUTE_DENSE_MATRIX_H
#define ICSEG_COMPUTE_DENSE_MATRIX_H

#include <stdbool.h>
#include <stdint.h>

#include "compute/backend/shapes.h"

typedef enum icseg_dense_kind {
    ICSEG_DENSE_STRIDED,  /* value i of line l is at l * line + i / run * jump + i % run * step */
    ICSEG_DENSE_WINDOWS,  /* lines are positions, values are the elements of a window */
    ICSEG_DENSE_ELEMENTS, /* lines are the elements of a window, values are positions */
} icseg_dense_kind;

/* Windows of an image (batch, height, width, channels): an element is a kernel position and a channel. At position
 * (y, x), kernel position (ky, kx) reads row (y step + ky direction + shift) / divisor, and the column likewise; it is
 * 0 outside the image and where the division leaves a rest. */
typedef struct icseg_dense_windows {
    int64_t batch, height, width, channels; /* of the image */
    int64_t rows, columns;                  /* positions of an image */
    int64_t kernel_height, kernel_width;
    int64_t step, direction, shift, divisor;
} icseg_dense_windows;

typedef struct icseg_dense_matrix {
    icseg_dense_kind kind;
    bool bf16;                     /* elements are bf16 */
    int64_t line, run, jump, step; /* in elements */
    icseg_dense_windows windows;
} icseg_dense_matrix;

/* Panels of `lanes` lines, in which `group` inner values of a line are adjacent: (inner / group, lanes, group), as f32,
 * or bf16. */
typedef struct icseg_dense_panel {
    int64_t lanes, group;
    bool bf16;
} icseg_dense_panel;

/* Copies inner values [first, first + count) of lines [line, line + lines), lines <= lanes, to one panel. Further
 * lines, and values up to a whole group, are 0. */
void icseg_dense_pack(const icseg_dense_matrix *m, const void *data, icseg_dense_panel panel, int64_t line,
                      int64_t lines, int64_t first, int64_t count, void *to);

#endif
