/* SPDX-License-Identifier: Apache-2.0
 * Shared by several operators: sums of partial sums, copies of runs, a shape check. */
#include "graph/ops/chunks.h"

#include <string.h>

#include "base/system.h"
#include "graph/ops/cast.h"

enum { LANES = 64, RUN = 16384 };

ICSEG_KERNEL static void sum_block(const float *partial, int64_t count, int64_t stride, int64_t n, float *out) {
    double sum[LANES] = {0};
    for (int64_t i = 0; i < count; i++) {
        const float *p = partial + i * stride;
#pragma omp simd
        for (int64_t j = 0; j < n; j++) sum[j] += (double)p[j];
    }
    for (int64_t j = 0; j < n; j++) out[j] = (float)sum[j];
}

void icseg_sum_partials(const float *partial, int64_t count, int64_t stride, int64_t width, float *out) {
#pragma omp parallel for schedule(static)
    for (int64_t j = 0; j < width; j += LANES)
        sum_block(partial + j, count, stride, width - j < LANES ? width - j : LANES, out + j);
}

void icseg_copy_runs(icseg_runs to, icseg_runs from, int64_t rows, int64_t run) {
    int64_t to_size = (int64_t)icseg_dtype_size(to.format.dtype),
            from_size = (int64_t)icseg_dtype_size(from.format.dtype);
    int64_t pieces = (run + RUN - 1) / RUN; /* long runs are split, because there may be few of them */
#pragma omp parallel for collapse(2) schedule(static)
    for (int64_t r = 0; r < rows; r++)
        for (int64_t p = 0; p < pieces; p++) {
            int64_t at = p * RUN, size = run - at < RUN ? run - at : RUN;
            icseg_cast_block((char *)to.data + (r * to.stride + at) * to_size, to.format,
                             (const char *)from.data + (r * from.stride + at) * from_size, from.format, size);
        }
}

bool icseg_check_channels(icseg_graph *g, const char *op, icseg_value x, const char *name, icseg_value value) {
    icseg_shape shape = icseg_graph_value(g, x)->shape, given = icseg_graph_value(g, value)->shape;
    if (shape.rank >= 1 && icseg_shape_equal(given, ICSEG_SHAPE(shape.dim[shape.rank - 1]))) return true;
    char s[ICSEG_SHAPE_TEXT], t[ICSEG_SHAPE_TEXT];
    icseg_graph_fail(g, op, ICSEG_ERROR_SHAPE, "%s has shape %s; one number for each channel of x %s is expected", name,
                     icseg_shape_text(given, t, sizeof t), icseg_shape_text(shape, s, sizeof s));
    return false;
}
