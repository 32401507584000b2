/* SPDX-License-Identifier: Apache-2.0
 * Walks along the boundaries of a component with its pixels on the right. Where two of its pixels touch at a corner
 * only, the walk joins them: it can pass each vertex only once, because the component is also connected elsewhere. */
#include "exporters/trace.h"

#include "base/memory.h"

struct icseg_trace {
    icseg_trace_options options;
    icseg_components components;
    icseg_boundaries boundaries;
    double *confidence; /* (components.count): sums, or NULL */
    uint32_t *starts;   /* pixels; a ring of their component passes above each. Sorted by component */
    size_t *first;      /* (components.count + 1): the first start of each component */
    size_t next;        /* component */
    icseg_points points;
    size_t *ends;
    size_t end_capacity;
};

static bool is_wanted(const icseg_trace *t, size_t component) {
    int16_t label = t->components.list[component].label;
    return label != ICSEG_LABEL_IGNORE && label != t->options.background;
}

/* ---- rings ---- */

static bool is_in(const icseg_components *c, uint32_t component, int32_t x, int32_t y) {
    return x >= 0 && y >= 0 && x < c->width && y < c->height &&
           c->of[(size_t)y * (size_t)c->width + (size_t)x] == component;
}

/* The direction in which the ring continues at `p`. */
static int turn(const icseg_components *c, uint32_t component, icseg_point p, int direction) {
    static const int32_t right[4][2] = {{0, 0}, {-1, 0}, {-1, -1}, {0, -1}}; /* the pixel ahead on the right */
    static const int32_t left[4][2] = {{0, -1}, {0, 0}, {-1, 0}, {-1, -1}};
    if (is_in(c, component, p.x + left[direction][0], p.y + left[direction][1])) return (direction + 3) & 3;
    if (is_in(c, component, p.x + right[direction][0], p.y + right[direction][1])) return direction;
    return (direction + 1) & 3;
}

/* Walks once around the ring that passes above the pixel at `start`. Appends its corners to `points` unless NULL. */
static icseg_status walk(icseg_trace *t, uint32_t component, icseg_point start, icseg_points *points,
                         icseg_error *error) {
    icseg_point at = start;
    int direction = ICSEG_RIGHT;
    do {
        uint8_t *vertex = icseg_vertex(&t->boundaries, at.x, at.y);
        if (direction == ICSEG_RIGHT) *vertex |= ICSEG_VERTEX_TRACED;
        if (points && *vertex & ICSEG_VERTEX_KEPT) ICSEG_TRY(icseg_points_add(points, at, error));
        at = icseg_step(at, direction);
        direction = turn(&t->components, component, at, direction);
    } while (at.x != start.x || at.y != start.y || direction != ICSEG_RIGHT);
    return ICSEG_OK;
}

/* Calls `found` for the first pixel below a ring, in the order of rows, of each ring of a wanted component. */
static icseg_status find_starts(icseg_trace *t, void (*found)(icseg_trace *t, uint32_t component, uint32_t pixel),
                                icseg_error *error) {
    const icseg_components *c = &t->components;
    uint32_t pixel = 0;
    for (int32_t y = 0; y < c->height; y++)
        for (int32_t x = 0; x < c->width; x++, pixel++) {
            uint32_t component = c->of[pixel];
            if (y && c->of[pixel - (uint32_t)c->width] == component) continue;
            if (!is_wanted(t, component) || *icseg_vertex(&t->boundaries, x, y) & ICSEG_VERTEX_TRACED) continue;
            found(t, component, pixel);
            ICSEG_TRY(walk(t, component, (icseg_point){x, y}, NULL, error));
        }
    for (size_t i = 0, n = ((size_t)c->width + 1) * ((size_t)c->height + 1); i < n; i++)
        t->boundaries.vertices[i] &= (uint8_t)~ICSEG_VERTEX_TRACED;
    return ICSEG_OK;
}

static void count_start(icseg_trace *t, uint32_t component, uint32_t pixel) {
    (void)pixel;
    t->first[component + 1]++;
}

static void place_start(icseg_trace *t, uint32_t component, uint32_t pixel) {
    t->starts[t->first[component]++] = pixel;
}

/* Counting sort: `first` has counts, then the places where the next start of each component goes, and finally those of
 * the first starts. */
static icseg_status sort_starts(icseg_trace *t, icseg_error *error) {
    size_t count = t->components.count;
    t->first = icseg_calloc_array(count + 1, sizeof *t->first);
    if (!t->first) return icseg_fail_memory(error, 0, "outlines");
    ICSEG_TRY(find_starts(t, count_start, error));
    for (size_t k = 0; k < count; k++) t->first[k + 1] += t->first[k];
    t->starts = icseg_alloc_array(t->first[count], sizeof *t->starts);
    if (!t->starts) return icseg_fail_memory(error, 0, "outlines");
    ICSEG_TRY(find_starts(t, place_start, error));
    for (size_t k = count; k; k--) t->first[k] = t->first[k - 1];
    t->first[0] = 0;
    return ICSEG_OK;
}

/* ---- objects ---- */

static icseg_status sum_confidence(icseg_trace *t, icseg_error *error) {
    const icseg_components *c = &t->components;
    if (!t->options.confidence) return ICSEG_OK;
    t->confidence = icseg_calloc_array(c->count, sizeof *t->confidence);
    if (!t->confidence) return icseg_fail_memory(error, 0, "confidences");
    for (size_t i = 0, pixels = (size_t)c->width * (size_t)c->height; i < pixels; i++)
        t->confidence[c->of[i]] += t->options.confidence[i];
    return ICSEG_OK;
}

icseg_status icseg_trace_open(icseg_trace **out, const icseg_labels *labels, const icseg_trace_options *options,
                              icseg_error *error) {
    icseg_status status;
    icseg_trace *t = *out = icseg_calloc_array(1, sizeof *t);
    if (!t) return icseg_fail_memory(error, 0, "outlines");
    t->options = *options;
    ICSEG_TRY_GOTO(icseg_components_find(&t->components, labels, error));
    ICSEG_TRY_GOTO(sum_confidence(t, error));
    ICSEG_TRY_GOTO(icseg_boundaries_open(&t->boundaries, &t->components, error));
    ICSEG_TRY_GOTO(icseg_boundaries_simplify(&t->boundaries, options->tolerance, error));
    ICSEG_TRY_GOTO(sort_starts(t, error));
    return ICSEG_OK;
fail:
    icseg_trace_close(out);
    return status;
}

void icseg_trace_close(icseg_trace **trace) {
    icseg_trace *t = *trace;
    if (!t) return;
    icseg_components_close(&t->components);
    icseg_boundaries_close(&t->boundaries);
    icseg_free(t->confidence);
    icseg_free(t->starts);
    icseg_free(t->first);
    icseg_free(t->points.at);
    icseg_free(t->ends);
    icseg_free(t);
    *trace = NULL;
}

const icseg_components *icseg_trace_components(const icseg_trace *trace) { return &trace->components; }

static bool is_corner(icseg_point a, icseg_point b, icseg_point c) {
    return (int64_t)(b.x - a.x) * (c.y - b.y) != (int64_t)(b.y - a.y) * (c.x - b.x);
}

/* Removes points of the last ring at which it does not turn: other boundaries meet it there. */
static void drop_straight(icseg_points *points, size_t from) {
    icseg_point *p = points->at + from, first = p[0], before = p[points->count - from - 1];
    size_t count = points->count - from, kept = 0;
    for (size_t i = 0; i < count; i++) {
        icseg_point at = p[i], after = i + 1 < count ? p[i + 1] : first;
        if (!is_corner(before, at, after)) continue;
        before = at;
        p[kept++] = at;
    }
    points->count = from + kept;
}

icseg_status icseg_trace_next(icseg_trace *t, icseg_traced *out, bool *more, icseg_error *error) {
    const icseg_components *c = &t->components;
    while (t->next < c->count && !is_wanted(t, t->next)) t->next++;
    *out = (icseg_traced){0};
    *more = t->next < c->count;
    if (!*more) return ICSEG_OK;
    size_t k = t->next++, rings = t->first[k + 1] - t->first[k];
    if (rings > t->end_capacity) {
        icseg_free(t->ends);
        t->end_capacity = 0;
        t->ends = icseg_alloc_array(rings, sizeof *t->ends);
        if (!t->ends) return icseg_fail_memory(error, 0, "outlines");
        t->end_capacity = rings;
    }
    t->points.count = 0;
    for (size_t i = 0; i < rings; i++) {
        size_t from = t->points.count, start = t->starts[t->first[k] + i];
        icseg_point p = {(int32_t)(start % (size_t)c->width), (int32_t)(start / (size_t)c->width)};
        ICSEG_TRY(walk(t, (uint32_t)k, p, &t->points, error));
        drop_straight(&t->points, from);
        t->ends[i] = t->points.count;
    }
    double confidence = t->confidence ? t->confidence[k] / (double)c->list[k].pixels : -1;
    *out = (icseg_traced){.component = &c->list[k],
                          .number = (uint32_t)k,
                          .confidence = confidence <= 1 ? confidence : -1, /* NaN and infinity are none */
                          .points = t->points.at,
                          .ends = t->ends,
                          .rings = rings};
    return ICSEG_OK;
}
