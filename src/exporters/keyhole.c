/* SPDX-License-Identifier: Apache-2.0
 * A cut runs from the leftmost corner of a hole to the left, until it meets the outer ring or a hole whose leftmost
 * corner precedes. So cuts stay inside the object, and lead from hole to hole to the outer ring without a circle. */
#include "exporters/keyhole.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"

/* A hole and the edge to which it is cut. */
typedef struct cut {
    size_t ring, corner; /* its leftmost corner, of these the upper one: an index of a point */
    icseg_point at;
    size_t edge;  /* begins at this point */
    double x, y;  /* where the cut meets the edge; x is negative until one is found */
    double along; /* how far that is from the beginning of the edge */
} cut;

static size_t begin_of(const icseg_traced *o, size_t ring) { return ring ? o->ends[ring - 1] : 0; }

static size_t next_point(const icseg_traced *o, size_t ring, size_t point) {
    return point + 1 < o->ends[ring] ? point + 1 : begin_of(o, ring);
}

static int compare_points(icseg_point a, icseg_point b) {
    return a.x != b.x ? (a.x > b.x) - (a.x < b.x) : (a.y > b.y) - (a.y < b.y);
}

static int compare_rows(const void *a, const void *b) {
    const cut *p = a, *q = b;
    return p->at.y != q->at.y ? (p->at.y > q->at.y) - (p->at.y < q->at.y) : (p->ring > q->ring) - (p->ring < q->ring);
}

static int compare_edges(const void *a, const void *b) {
    const cut *p = a, *q = b;
    if (p->edge != q->edge) return p->edge > q->edge ? 1 : -1;
    return p->along != q->along ? (p->along > q->along) - (p->along < q->along)
                                : (p->ring > q->ring) - (p->ring < q->ring);
}

static size_t leftmost(const icseg_traced *o, size_t ring) {
    size_t found = begin_of(o, ring);
    for (size_t i = found + 1; i < o->ends[ring]; i++)
        if (compare_points(o->points[i], o->points[found]) < 0) found = i;
    return found;
}

/* The first cut, in the order of rows, whose row is not above y. */
static size_t first_cut(const cut *cuts, size_t count, int32_t y) {
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (cuts[middle].at.y < y)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Offers an edge of the ring, whose leftmost corner is `corner`, to the cuts whose rows it crosses. An edge includes
 * its upper end. */
static void offer_edge(const icseg_traced *o, cut *cuts, size_t ring, icseg_point corner, size_t edge) {
    icseg_point a = o->points[edge], b = o->points[next_point(o, ring, edge)];
    size_t count = o->rings - 1;
    int32_t top = a.y < b.y ? a.y : b.y, bottom = a.y < b.y ? b.y : a.y;
    for (size_t i = first_cut(cuts, count, top); i < count && cuts[i].at.y < bottom; i++) {
        cut *c = &cuts[i];
        int order = compare_points(corner, c->at);
        if (ring == c->ring || (ring && (order > 0 || (order == 0 && ring > c->ring)))) continue;
        double x = a.x + (double)(c->at.y - a.y) * (b.x - a.x) / (b.y - a.y);
        if (x > c->at.x || x < c->x) continue;
        c->x = x;
        c->edge = edge;
        c->along = fabs((double)(c->at.y - a.y));
    }
}

/* A hole whose corner is the lowest point of the object has no edge on its left: its cut leads to the first point. */
static void find_cuts(const icseg_traced *o, cut *cuts) {
    size_t count = o->rings - 1;
    for (size_t i = 0; i < count; i++) {
        size_t corner = leftmost(o, i + 1);
        cuts[i] = (cut){.ring = i + 1, .corner = corner, .at = o->points[corner], .x = -1, .y = o->points[corner].y};
    }
    qsort(cuts, count, sizeof *cuts, compare_rows);
    for (size_t ring = 0; ring < o->rings; ring++) {
        icseg_point corner = o->points[leftmost(o, ring)];
        for (size_t p = begin_of(o, ring); p < o->ends[ring]; p++) offer_edge(o, cuts, ring, corner, p);
    }
    for (size_t i = 0; i < count; i++)
        if (cuts[i].x < 0) cuts[i].x = o->points[0].x, cuts[i].y = o->points[0].y;
    qsort(cuts, count, sizeof *cuts, compare_edges);
}

/* The points of the object, followed by three for each cut: where it begins, the corner of the hole at the end of the
 * hole, and where it ends. next[p] is the point that follows p. */
static void link_points(const icseg_traced *o, const cut *cuts, size_t *next) {
    size_t count = o->rings - 1, points = o->ends[count];
    for (size_t ring = 0; ring <= count; ring++)
        for (size_t p = begin_of(o, ring); p < o->ends[ring]; p++) next[p] = next_point(o, ring, p);
    for (size_t i = 0; i < count; i++) {
        size_t begin = begin_of(o, cuts[i].ring), corner = cuts[i].corner;
        next[corner > begin ? corner - 1 : o->ends[cuts[i].ring] - 1] = points + 3 * i + 1;
    }
    for (size_t i = count; i--;) { /* of the cuts at an edge, the farthest is inserted first */
        size_t begin = points + 3 * i, corner = begin + 1, end = begin + 2;
        next[end] = next[cuts[i].edge];
        next[corner] = end;
        next[begin] = cuts[i].corner;
        next[cuts[i].edge] = begin;
    }
}

static void write_point(icseg_keyhole *out, double x, double y) {
    double *to = out->xy + 2 * out->count;
    if (out->count && to[-2] == x && to[-1] == y) return;
    to[0] = x;
    to[1] = y;
    out->count++;
}

static void write_points(icseg_keyhole *out, const icseg_traced *o, const cut *cuts, const size_t *next) {
    size_t points = o->ends[o->rings - 1], p = 0;
    out->count = 0;
    do {
        const cut *c = p < points ? NULL : &cuts[(p - points) / 3];
        bool corner = c && (p - points) % 3 == 1;
        icseg_point at = c ? c->at : o->points[p];
        if (c && !corner)
            write_point(out, c->x, c->y);
        else
            write_point(out, at.x, at.y);
        p = next[p];
    } while (p);
}

icseg_status icseg_keyhole_cut(icseg_keyhole *out, const icseg_traced *object, icseg_error *error) {
    size_t cut_count = object->rings - 1, count = object->ends[cut_count] + 3 * cut_count;
    if (count > out->capacity) {
        icseg_keyhole_close(out);
        out->xy = icseg_alloc_array(count, 2 * sizeof *out->xy);
        if (!out->xy) return icseg_fail_memory(error, 0, "outlines");
        out->capacity = count;
    }
    cut *cuts = icseg_alloc_array(cut_count, sizeof *cuts);
    size_t *next = icseg_alloc_array(count, sizeof *next);
    if (cuts && next) {
        find_cuts(object, cuts);
        link_points(object, cuts, next);
        write_points(out, object, cuts, next);
    }
    icseg_status status = cuts && next ? ICSEG_OK : icseg_fail_memory(error, 0, "outlines");
    icseg_free(cuts);
    icseg_free(next);
    return status;
}

void icseg_keyhole_close(icseg_keyhole *keyhole) {
    icseg_free(keyhole->xy);
    *keyhole = (icseg_keyhole){0};
}
