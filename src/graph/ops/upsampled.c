/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/ops/upsampled.h"

#include <omp.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"

bool icseg_upsampled_check(icseg_graph *g, const char *op, icseg_value logits, icseg_value labels) {
    const icseg_value_info *x = icseg_graph_value(g, logits), *y = icseg_graph_value(g, labels);
    if (x->shape.rank == 4 && y->shape.rank == 3 && y->dtype == ICSEG_I16 && x->shape.dim[0] == y->shape.dim[0])
        return true;
    char s[ICSEG_SHAPE_TEXT], t[ICSEG_SHAPE_TEXT];
    icseg_graph_fail(g, op, ICSEG_ERROR_SHAPE, "logits %s do not fit labels %s (I16 expected)",
                     icseg_shape_text(x->shape, s, sizeof s), icseg_shape_text(y->shape, t, sizeof t));
    return false;
}

icseg_status icseg_upsampling_open(icseg_upsampling *u, const icseg_shape *logits, const icseg_shape *labels,
                                   icseg_error *error) {
    *u = (icseg_upsampling){.batch = logits->dim[0],
                            .h = logits->dim[1],
                            .w = logits->dim[2],
                            .classes = logits->dim[3],
                            .padded = (logits->dim[3] + ICSEG_LANES - 1) / ICSEG_LANES * ICSEG_LANES,
                            .height = labels->dim[1],
                            .width = labels->dim[2],
                            .threads = omp_get_max_threads()};
    u->x = icseg_alloc_array((size_t)u->width, sizeof *u->x);
    u->y = icseg_alloc_array((size_t)u->height, sizeof *u->y);
    u->first = icseg_alloc_array((size_t)u->h + 1, sizeof *u->first);
    if (!u->x || !u->y || !u->first) return icseg_fail_memory(error, 0, "tables");
    for (int64_t x = 0; x < u->width; x++) u->x[x] = icseg_interpolation_at(x, u->w, u->width);
    for (int64_t y = 0; y < u->height; y++) u->y[y] = icseg_interpolation_at(y, u->h, u->height);
    for (int64_t r = 0, y = 0; r <= u->h; r++) {
        while (y < u->height && u->y[y].low < r) y++;
        u->first[r] = y;
    }
    return ICSEG_OK;
}

void icseg_upsampling_close(icseg_upsampling *u) {
    icseg_free(u->x);
    icseg_free(u->y);
    icseg_free(u->first);
}

static size_t thread_floats(const icseg_upsampling *u) { return (size_t)((2 * u->w + 1) * u->padded); }

size_t icseg_upsampled_buffer_size(const icseg_upsampling *u) {
    return (size_t)u->threads * thread_floats(u) * sizeof(float);
}

icseg_upsampled_buffers icseg_upsampled_buffers_of(const icseg_upsampling *u, float *buffer) {
    size_t row = (size_t)(u->w * u->padded);
    float *mine = buffer + (size_t)omp_get_thread_num() * thread_floats(u);
    return (icseg_upsampled_buffers){mine, mine + row, mine + 2 * row};
}

icseg_status icseg_upsampled_count(const icseg_upsampling *u, const int16_t *labels, int64_t *out, icseg_error *error) {
    int64_t n = u->batch * u->height * u->width, labelled = 0, wrong = 0;
#pragma omp parallel for reduction(+ : labelled, wrong)
    for (int64_t i = 0; i < n; i++) {
        labelled += labels[i] >= 0;
        wrong += labels[i] >= u->classes;
    }
    *out = labelled;
    if (wrong)
        return icseg_fail(error, ICSEG_ERROR_DATA, "%lld %s a label over %lld", (long long)wrong,
                          icseg_plural(wrong, "pixel has", "pixels have"), (long long)u->classes - 1);
    return ICSEG_OK;
}

ICSEG_KERNEL void icseg_upsampled_interpolate(const icseg_upsampling *u, float *out, const float *a, const float *b,
                                              float weight, float factor) {
    for (int64_t x = 0; x < u->w; x++, out += u->padded, a += u->classes, b += u->classes) {
        icseg_lerp(out, a, b, weight, factor, u->classes);
        for (int64_t k = u->classes; k < u->padded; k++) out[k] = ICSEG_NO_CLASS;
    }
}

ICSEG_KERNEL void icseg_upsampled_add_row(const icseg_upsampling *u, float *y, const float *x, float factor) {
    for (int64_t i = 0; i < u->w; i++, y += u->classes, x += u->padded)
#pragma omp simd
        for (int64_t k = 0; k < u->classes; k++) y[k] += factor * x[k];
}

ICSEG_KERNEL static void add(float *y, const float *x, int64_t n) {
#pragma omp simd
    for (int64_t i = 0; i < n; i++) y[i] += x[i];
}

void icseg_upsampled_finish(const icseg_upsampling *u, float *gradient, const float *below, float factor) {
    int64_t line = u->w * u->classes;
#pragma omp parallel for schedule(static)
    for (int64_t row = 0; row < u->batch * u->h; row++) {
        float *g = gradient + row * line;
        int64_t r = row % u->h;
        if (r > 0) add(g, below + (row - 1) * line, line);
        if (r == u->h - 1) add(g, below + row * line, line); /* clamped: the last row is its own lower neighbour */
        for (int64_t i = 0; i < line; i++) g[i] *= factor;
    }
}

void icseg_upsampled_read(const icseg_upsampling *u, const float *logits, float *above, float *below, float *buffer,
                          icseg_upsampled_reader read, void *user) {
    int64_t line = u->w * u->classes;
#pragma omp parallel for schedule(static) num_threads(u->threads)
    for (int64_t band = 0; band < u->batch * u->h; band++) {
        icseg_upsampled_buffers b = icseg_upsampled_buffers_of(u, buffer);
        int64_t image = band / u->h, r = band % u->h;
        const float *map = logits + image * u->h * line;
        for (int64_t y = u->first[r]; y < u->first[r + 1]; y++) {
            icseg_interpolation at = u->y[y];
            icseg_upsampled_interpolate(u, b.row, map + at.low * line, map + at.high * line, at.weight, 1);
            if (above) memset(b.row_grad, 0, (size_t)(u->w * u->padded) * sizeof *b.row_grad);
            read(u, &b, band, image * u->height + y, user);
            if (!above) continue;
            icseg_upsampled_add_row(u, above + band * line, b.row_grad, 1 - at.weight);
            icseg_upsampled_add_row(u, below + band * line, b.row_grad, at.weight);
        }
    }
}
