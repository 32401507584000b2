/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/dense/matrix.h"

#include <stddef.h>
#include <string.h>

#include "compute/dense/kernel.h"
#include "tensor/bf16.h"

enum { MAX_LANES = ICSEG_DENSE_ROWS, SQUARE = 4 };

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

/* -- copying values of the lines of a panel */

/* A part of a panel: values [first, first + count), which are `step` elements apart in memory. */
typedef struct part {
    icseg_dense_panel panel;
    bool bf16; /* of the operand */
    int64_t step, first, count;
    const void *from[MAX_LANES]; /* the first value of each line; NULL: zeros */
    void *to;                    /* the panel */
} part;

static int64_t place_of(const icseg_dense_panel *p, int64_t lane, int64_t i) {
    return (i / p->group * p->lanes + lane) * p->group + i % p->group;
}

static void copy_lanes(const part *p, int64_t lane, int64_t lanes) {
    for (int64_t l = lane; l < lane + lanes; l++)
        for (int64_t i = 0; i < p->count; i++)
            icseg_set_element(p->to, p->panel.bf16, place_of(&p->panel, l, p->first + i),
                              p->from[l] ? icseg_element(p->from[l], p->bf16, i * p->step) : 0);
}

/* Four lines of adjacent f32 values: squares of 4 x 4 are transposed in registers. */
static void transpose_lanes(const part *p, int64_t lane) {
    const float *a = p->from[lane], *b = p->from[lane + 1], *c = p->from[lane + 2], *d = p->from[lane + 3];
    int64_t lanes = p->panel.lanes, i = 0;
    float *to = (float *)p->to + p->first * lanes + lane;
    for (; i + SQUARE <= p->count; i += SQUARE, to += SQUARE * lanes)
        icseg_dense_transpose(a + i, b + i, c + i, d + i, to, lanes);
    for (; i < p->count; i++, to += lanes) to[0] = a[i], to[1] = b[i], to[2] = c[i], to[3] = d[i];
}

/* A line of adjacent bf16 values, a group of four at a time. */
static void copy_groups(const part *p, int64_t lane) {
    enum { GROUP = 4, BYTES = GROUP * sizeof(uint16_t) };
    const char *from = p->from[lane];
    char *to = (char *)p->to + (size_t)place_of(&p->panel, lane, p->first) * sizeof(uint16_t);
    int64_t i = 0;
    for (; i + GROUP <= p->count; i += GROUP, to += p->panel.lanes * BYTES, from += BYTES) memcpy(to, from, BYTES);
    if (i < p->count) memcpy(to, from, (size_t)(p->count - i) * sizeof(uint16_t));
}

/* Lines whose values are next to each other: the values of all lines are one vector. */
static void copy_across(const part *p) {
    const float *from = p->from[0];
    float *to = (float *)p->to + p->first * p->panel.lanes;
    for (int64_t i = 0; i < p->count; i++, from += p->step, to += p->panel.lanes)
        memcpy(to, from, (size_t)p->panel.lanes * sizeof *to);
}

static bool are_neighbours(const part *p) {
    for (int64_t l = 0; l < p->panel.lanes; l++)
        if (!p->from[l] || (const float *)p->from[l] != (const float *)p->from[0] + l) return false;
    return true;
}

static void copy(const part *p) {
    bool f32 = !p->bf16 && !p->panel.bf16, groups = p->bf16 && p->panel.bf16 && p->step == 1 && p->first % 4 == 0;
    if (f32 && are_neighbours(p)) {
        copy_across(p);
        return;
    }
    for (int64_t lane = 0; lane < p->panel.lanes; lane += SQUARE) {
        const void *const *from = p->from + lane;
        bool all = from[0] && from[1] && from[2] && from[3];
        if (f32 && all && p->step == 1) {
            transpose_lanes(p, lane);
        } else if (groups && all) {
            for (int64_t l = lane; l < lane + SQUARE; l++) copy_groups(p, l);
        } else {
            copy_lanes(p, lane, SQUARE);
        }
    }
}

/* -- the three kinds of operands */

static void pack_strided(const icseg_dense_matrix *m, const void *data, part *p, int64_t line, int64_t lines,
                         int64_t first, int64_t count) {
    p->step = m->step;
    for (int64_t i = first; i < first + count; i += p->count, p->first += p->count) {
        p->count = smaller(m->run - i % m->run, first + count - i);
        int64_t at = i / m->run * m->jump + i % m->run * m->step;
        for (int64_t l = 0; l < p->panel.lanes; l++)
            p->from[l] = l < lines ? icseg_at(data, m->bf16, (line + l) * m->line + at) : NULL;
        copy(p);
    }
}

/* Where a position's window begins. */
typedef struct corner {
    int64_t image, y, x;
} corner;

static corner corner_of(const icseg_dense_windows *w, int64_t position) {
    int64_t y = position / w->columns % w->rows, x = position % w->columns;
    return (corner){position / (w->rows * w->columns), y * w->step + w->shift, x * w->step + w->shift};
}

/* The first channel that a window reads at a kernel position; NULL: zeros. */
static const void *pixel_at(const icseg_dense_matrix *m, const void *data, corner c, int64_t tap) {
    const icseg_dense_windows *w = &m->windows;
    int64_t y = c.y + tap / w->kernel_width * w->direction, x = c.x + tap % w->kernel_width * w->direction;
    if (y < 0 || x < 0 || y % w->divisor || x % w->divisor) return NULL;
    y /= w->divisor, x /= w->divisor;
    if (y >= w->height || x >= w->width) return NULL;
    return icseg_at(data, m->bf16, ((c.image * w->height + y) * w->width + x) * w->channels);
}

static void pack_windows(const icseg_dense_matrix *m, const void *data, part *p, int64_t line, int64_t lines,
                         int64_t first, int64_t count) {
    int64_t channels = m->windows.channels;
    corner corners[MAX_LANES];
    for (int64_t l = 0; l < lines; l++) corners[l] = corner_of(&m->windows, line + l);
    p->step = 1;
    for (int64_t i = first; i < first + count; i += p->count, p->first += p->count) {
        p->count = smaller(channels - i % channels, first + count - i);
        for (int64_t l = 0; l < p->panel.lanes; l++) {
            const void *pixel = l < lines ? pixel_at(m, data, corners[l], i / channels) : NULL;
            p->from[l] = pixel ? icseg_at(pixel, m->bf16, i % channels) : NULL;
        }
        copy(p);
    }
}

static void pack_elements(const icseg_dense_matrix *m, const void *data, part *p, int64_t line, int64_t lines,
                          int64_t first, int64_t count) {
    int64_t channels = m->windows.channels;
    p->step = 1;
    p->count = 1;
    for (int64_t i = first; i < first + count; i++, p->first++) {
        corner c = corner_of(&m->windows, i);
        const void *pixel = NULL;
        for (int64_t l = 0; l < p->panel.lanes; l++) {
            int64_t channel = (line + l) % channels;
            if (l == 0 || channel == 0) pixel = l < lines ? pixel_at(m, data, c, (line + l) / channels) : NULL;
            p->from[l] = pixel && l < lines ? icseg_at(pixel, m->bf16, channel) : NULL;
        }
        copy(p);
    }
}

void icseg_dense_pack(const icseg_dense_matrix *m, const void *data, icseg_dense_panel panel, int64_t line,
                      int64_t lines, int64_t first, int64_t count, void *to) {
    part p = {.panel = panel, .bf16 = m->bf16, .to = to};
    for (int64_t i = count; i % panel.group; i++)
        for (int64_t l = 0; l < panel.lanes; l++) icseg_set_element(to, panel.bf16, place_of(&panel, l, i), 0);
    (m->kind == ICSEG_DENSE_STRIDED   ? pack_strided
     : m->kind == ICSEG_DENSE_WINDOWS ? pack_windows
                                      : pack_elements)(m, data, &p, line, lines, first, count);
}
