/* SPDX-License-Identifier: Apache-2.0
 * The boundaries between components: lines along the sides of pixels. Their vertices are the corners (x, y) of pixels,
 * 0 <= x <= width, 0 <= y <= height. */
#ifndef ICSEG_EXPORTERS_BOUNDARIES_H
#define ICSEG_EXPORTERS_BOUNDARIES_H

#include "exporters/components.h"

typedef struct icseg_point {
    int32_t x, y;
} icseg_point;

/* A list of points that grows. */
typedef struct icseg_points {
    icseg_point *at; /* (count), from the heap */
    size_t count, capacity;
} icseg_points;
icseg_status icseg_points_add(icseg_points *points, icseg_point point, icseg_error *error);

/* Directions, clockwise with y downwards; the opposite one is d ^ 2, the next clockwise is (d + 1) & 3. */
enum { ICSEG_RIGHT, ICSEG_DOWN, ICSEG_LEFT, ICSEG_UP };

/* Flags of vertices; boundaries.c has further ones. */
enum {
    ICSEG_VERTEX_KEPT = 1,  /* outlines have a corner here */
    ICSEG_VERTEX_TRACED = 2 /* for trace.c */
};

typedef struct icseg_boundaries {
    const icseg_components *components;
    uint8_t *vertices; /* (height + 1, width + 1): flags */
} icseg_boundaries;

/* Keeps all vertices at which a boundary turns or meets others. The components must outlive *out. */
icseg_status icseg_boundaries_open(icseg_boundaries *out, const icseg_components *components, icseg_error *error);
void icseg_boundaries_close(icseg_boundaries *boundaries);

/* Drops vertices such that boundaries move by at most `tolerance` pixels (Douglas and Peucker, 1973,
 * doi:10.3138/FM57-6770-U75U-7727). Neighbours keep the same boundary: points at which three or more components meet,
 * and the corners of the image, stay. Boundaries do not cross or touch where they did not before. */
icseg_status icseg_boundaries_simplify(icseg_boundaries *boundaries, double tolerance, icseg_error *error);

static inline uint8_t *icseg_vertex(const icseg_boundaries *b, int32_t x, int32_t y) {
    return b->vertices + (size_t)y * ((size_t)b->components->width + 1) + (size_t)x;
}

static inline icseg_point icseg_step(icseg_point p, int direction) {
    static const int32_t dx[4] = {1, 0, -1, 0}, dy[4] = {0, 1, 0, -1};
    return (icseg_point){p.x + dx[direction], p.y + dy[direction]};
}

#endif
