/* SPDX-License-Identifier: Apache-2.0
 * Boundaries, and their simplification. An arc is the part of a boundary between two fixed vertices, or a closed line
 * without any. Each arc is simplified once, for both of its sides. A part of an arc is replaced by a straight line only
 * if no vertex of another line is between the two: then no line can cross the new one, because lines that do not cross
 * the old part would have to end between them. */
#include "exporters/boundaries.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"

#define OUTSIDE UINT32_MAX
enum { FIXED = 4, SEEN = 8, LEFT_BY = 16 /* << direction: the arc in this direction is done */ };

icseg_status icseg_points_add(icseg_points *points, icseg_point point, icseg_error *error) {
    if (points->count == points->capacity) {
        size_t capacity = points->capacity ? 2 * points->capacity : 64;
        icseg_point *at = icseg_realloc_array(points->at, points->capacity, capacity, sizeof *at);
        if (!at) return icseg_fail_memory(error, 0, "outlines");
        points->at = at;
        points->capacity = capacity;
    }
    points->at[points->count++] = point;
    return ICSEG_OK;
}

static uint32_t component_at(const icseg_components *c, int32_t x, int32_t y) {
    bool inside = x >= 0 && y >= 0 && x < c->width && y < c->height;
    return inside ? c->of[(size_t)y * (size_t)c->width + (size_t)x] : OUTSIDE;
}

/* The directions in which boundaries leave the vertex, as bits. */
static int edges_at(const icseg_components *c, int32_t x, int32_t y) {
    uint32_t nw = component_at(c, x - 1, y - 1), ne = component_at(c, x, y - 1);
    uint32_t sw = component_at(c, x - 1, y), se = component_at(c, x, y);
    return (ne != se) << ICSEG_RIGHT | (sw != se) << ICSEG_DOWN | (nw != sw) << ICSEG_LEFT | (nw != ne) << ICSEG_UP;
}

static bool is_straight(int edges) {
    return edges == (1 << ICSEG_RIGHT | 1 << ICSEG_LEFT) || edges == (1 << ICSEG_DOWN | 1 << ICSEG_UP);
}

icseg_status icseg_boundaries_open(icseg_boundaries *out, const icseg_components *components, icseg_error *error) {
    int32_t width = components->width, height = components->height;
    *out = (icseg_boundaries){.components = components};
    out->vertices = icseg_calloc_array(((size_t)width + 1) * ((size_t)height + 1), 1);
    if (!out->vertices) return icseg_fail_memory(error, 0, "outlines");
    for (int32_t y = 0; y <= height; y++)
        for (int32_t x = 0; x <= width; x++) {
            int edges = edges_at(components, x, y);
            bool corner = (x == 0 || x == width) && (y == 0 || y == height);
            bool fixed = corner || __builtin_popcount((unsigned)edges) > 2;
            if (edges && (fixed || !is_straight(edges)))
                *icseg_vertex(out, x, y) = (uint8_t)(ICSEG_VERTEX_KEPT | (fixed ? FIXED : 0));
        }
    return ICSEG_OK;
}

void icseg_boundaries_close(icseg_boundaries *boundaries) {
    icseg_free(boundaries->vertices);
    *boundaries = (icseg_boundaries){0};
}

/* ---- lines ---- */

/* Twice the area of the triangle a, b, p: positive if p is on the right of the line from a to b. */
static int64_t side(icseg_point a, icseg_point b, icseg_point p) {
    return (int64_t)(b.x - a.x) * (p.y - a.y) - (int64_t)(b.y - a.y) * (p.x - a.x);
}

static double square(double x) { return x * x; }

/* The square of the distance from p to the segment from a to b. */
static double distance2(icseg_point p, icseg_point a, icseg_point b) {
    double dx = b.x - a.x, dy = b.y - a.y, length2 = dx * dx + dy * dy;
    double along = length2 > 0 ? ((p.x - a.x) * dx + (p.y - a.y) * dy) / length2 : 0;
    along = fmin(fmax(along, 0), 1);
    return square(p.x - a.x - along * dx) + square(p.y - a.y - along * dy);
}

static bool is_on_segment(icseg_point p, icseg_point a, icseg_point b) {
    return side(a, b, p) == 0 && (p.x - a.x) * (int64_t)(p.x - b.x) <= 0 && (p.y - a.y) * (int64_t)(p.y - b.y) <= 0;
}

/* How often the closed line p[0..count-1] goes around q. */
static int winding(const icseg_point *p, size_t count, icseg_point q) {
    int turns = 0;
    for (size_t i = 0; i < count; i++) {
        icseg_point a = p[i], b = p[i + 1 < count ? i + 1 : 0];
        if (a.y <= q.y && b.y > q.y && side(a, b, q) > 0) turns++;
        if (a.y > q.y && b.y <= q.y && side(a, b, q) < 0) turns--;
    }
    return turns;
}

/* ---- simplification ---- */

typedef struct simplifier {
    const icseg_boundaries *b;
    double tolerance;
    icseg_points arc;
} simplifier;

static void set_kept(const simplifier *s, const icseg_point *p, size_t count, bool kept) {
    for (size_t i = 0; i < count; i++) {
        uint8_t *vertex = icseg_vertex(s->b, p[i].x, p[i].y);
        *vertex = (uint8_t)(kept ? *vertex | ICSEG_VERTEX_KEPT : *vertex & ~ICSEG_VERTEX_KEPT);
    }
}

/* Whether a kept vertex is between the line p[0..count-1], whose inner vertices are not kept now, and the segment that
 * joins its ends. The line is within the tolerance of the segment, and so is all that is between them. */
static bool is_blocked(const simplifier *s, const icseg_point *p, size_t count) {
    icseg_point a = p[0], b = p[count - 1], low = a, high = a;
    double reach = s->tolerance;
    for (size_t i = 1; i < count; i++) {
        if (p[i].x < low.x) low.x = p[i].x;
        if (p[i].y < low.y) low.y = p[i].y;
        if (p[i].x > high.x) high.x = p[i].x;
        if (p[i].y > high.y) high.y = p[i].y;
    }
    for (int32_t y = low.y; y <= high.y; y++) {
        int32_t left = low.x, right = high.x;
        if (a.y != b.y) { /* the part of the segment that is near this row */
            double slope = (double)(b.x - a.x) / (b.y - a.y), top = fmin(a.y, b.y), bottom = fmax(a.y, b.y);
            double x0 = a.x + (fmin(fmax(y - reach, top), bottom) - a.y) * slope;
            double x1 = a.x + (fmin(fmax(y + reach, top), bottom) - a.y) * slope;
            left = (int32_t)fmax(left, floor(fmin(x0, x1) - reach));
            right = (int32_t)fmin(right, ceil(fmax(x0, x1) + reach));
        }
        for (int32_t x = left; x <= right; x++) {
            if (!(*icseg_vertex(s->b, x, y) & ICSEG_VERTEX_KEPT)) continue;
            icseg_point q = {x, y};
            if ((q.x == a.x && q.y == a.y) || (q.x == b.x && q.y == b.y)) continue;
            if (is_on_segment(q, a, b) || winding(p, count, q)) return true;
        }
    }
    return false;
}

static size_t farthest(const icseg_point *p, size_t count, double *distance) {
    size_t found = 0;
    *distance = 0;
    for (size_t i = 1; i + 1 < count; i++) {
        double d = distance2(p[i], p[0], p[count - 1]);
        if (d <= *distance && found) continue;
        *distance = d;
        found = i;
    }
    return found;
}

/* The smaller part is simplified by a recursive call, so that calls are nested only log2(count) deep. */
static void reduce(const simplifier *s, const icseg_point *p, size_t count) {
    while (count > 2) {
        double distance;
        size_t middle = farthest(p, count, &distance);
        if (distance <= square(s->tolerance)) {
            set_kept(s, p + 1, count - 2, false);
            if (!is_blocked(s, p, count)) return;
            set_kept(s, p + 1, count - 2, true);
        }
        size_t rest = count - middle;
        if (rest < middle + 1) {
            reduce(s, p + middle, rest);
            count = middle + 1;
        } else {
            reduce(s, p, middle + 1);
            p += middle;
            count = rest;
        }
    }
}

/* A line that is not straight keeps a vertex, so that two lines with the same ends never become equal. */
static void reduce_open(const simplifier *s, const icseg_point *p, size_t count) {
    double distance;
    if (count < 3) return;
    size_t middle = farthest(p, count, &distance);
    reduce(s, p, middle + 1);
    reduce(s, p + middle, count - middle);
}

static void reduce_arc(const simplifier *s) {
    const icseg_point *p = s->arc.at;
    size_t count = s->arc.count;
    double distance;
    bool closed = p[0].x == p[count - 1].x && p[0].y == p[count - 1].y;
    size_t middle = closed ? farthest(p, count, &distance) : 0;
    if (closed) reduce_open(s, p, middle + 1);
    reduce_open(s, p + middle, count - middle);
}

/* Follows a boundary from `start` to the next fixed vertex, or back to `start`, and simplifies it. */
static icseg_status simplify_from(simplifier *s, icseg_point start, int direction, icseg_error *error) {
    icseg_point at = start;
    s->arc.count = 0;
    ICSEG_TRY(icseg_points_add(&s->arc, start, error));
    *icseg_vertex(s->b, at.x, at.y) |= (uint8_t)(SEEN | LEFT_BY << direction);
    for (;;) {
        at = icseg_step(at, direction);
        uint8_t *vertex = icseg_vertex(s->b, at.x, at.y);
        if (*vertex & ICSEG_VERTEX_KEPT) ICSEG_TRY(icseg_points_add(&s->arc, at, error));
        if (*vertex & FIXED) *vertex |= (uint8_t)(LEFT_BY << (direction ^ 2));
        if (*vertex & FIXED || (at.x == start.x && at.y == start.y)) break;
        *vertex |= SEEN;
        int edges = edges_at(s->b->components, at.x, at.y) & ~(1 << (direction ^ 2));
        direction = __builtin_ctz((unsigned)edges);
    }
    reduce_arc(s);
    return ICSEG_OK;
}

/* First the arcs of fixed vertices, then closed lines, which have only vertices that were not seen. */
static icseg_status simplify_all(simplifier *s, bool fixed, icseg_error *error) {
    const icseg_components *c = s->b->components;
    for (int32_t y = 0; y <= c->height; y++)
        for (int32_t x = 0; x <= c->width; x++) {
            uint8_t flags = *icseg_vertex(s->b, x, y);
            if (fixed ? !(flags & FIXED) : !(flags & ICSEG_VERTEX_KEPT) || flags & (FIXED | SEEN)) continue;
            int edges = edges_at(c, x, y);
            for (int d = 0; d < 4; d++)
                if (edges >> d & 1 && !(*icseg_vertex(s->b, x, y) & (fixed ? LEFT_BY << d : SEEN)))
                    ICSEG_TRY(simplify_from(s, (icseg_point){x, y}, d, error));
        }
    return ICSEG_OK;
}

icseg_status icseg_boundaries_simplify(icseg_boundaries *boundaries, double tolerance, icseg_error *error) {
    simplifier s = {.b = boundaries, .tolerance = tolerance};
    if (tolerance <= 0) return ICSEG_OK;
    icseg_status status = simplify_all(&s, true, error);
    if (status == ICSEG_OK) status = simplify_all(&s, false, error);
    icseg_free(s.arc.at);
    return status;
}
