/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/ops/attention_attributes.h"

#include <math.h>

#include "base/memory.h"

int64_t icseg_attention_pitch(const icseg_attention_attributes *a) { return a->packed ? 3 * a->width : a->width; }

float *icseg_attention_rows(const icseg_attention_attributes *a, void *const *tensors, int which, int64_t image,
                            int64_t row) {
    int64_t length = which == ICSEG_Q ? a->queries : a->keys;
    float *base = a->packed ? (float *)tensors[0] + which * a->width : tensors[which];
    return base + (image * length + row) * icseg_attention_pitch(a);
}

float icseg_attention_scale(const icseg_attention_attributes *a) {
    int64_t depth = a->width / a->heads; /* without a remainder */
    return 1 / sqrtf((float)depth);
}

double icseg_attention_work(const icseg_attention_attributes *a, int products) {
    return products * 2.0 * (double)a->batch * (double)a->queries * (double)a->keys * (double)a->width;
}

/* factor * exp(-d^2 / (2 deviation^2)) for the distances d = 1 - n .. n - 1 */
static void fill_distances(float *table, int64_t n, double deviation, double factor) {
    for (int64_t d = 1 - n; d < n; d++)
        table[d + n - 1] = (float)(factor * exp(-(double)(d * d) / (2 * deviation * deviation)));
}

icseg_status icseg_attention_near_open(icseg_attention_near *out, float **memory, const icseg_attention_attributes *a,
                                       double factor, icseg_error *error) {
    int64_t rows = a->grid.rows, columns = a->grid.columns;
    *out = (icseg_attention_near){0};
    *memory = NULL;
    if (!rows) return ICSEG_OK;
    float *row = *memory = icseg_alloc_array((size_t)(2 * (rows + columns) - 2), sizeof *row);
    if (!row) return icseg_fail_memory(error, 0, "attention");
    float *column = row + 2 * rows - 1;
    fill_distances(row, rows, a->grid.deviation, factor);
    fill_distances(column, columns, a->grid.deviation, 1);
    *out = (icseg_attention_near){rows, columns, row + rows - 1, column + columns - 1};
    return ICSEG_OK;
}
