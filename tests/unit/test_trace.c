/* SPDX-License-Identifier: Apache-2.0
 * exporters/: outlines of random label maps are compared with naive code: which pixels they cover, whether they cross,
 * and how far simplified ones move. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/memory.h"
#include "base/rng.h"
#include "exporters/keyhole.h"
#include "exporters/trace.h"
#include "importers/raster.h"

enum { MAX_SIDE = 40, MAX_RINGS = MAX_SIDE * MAX_SIDE };

static icseg_labels map;

static icseg_labels make(int32_t width, int32_t height) {
    icseg_labels labels;
    assert_int_equal(icseg_labels_create(&labels, width, height, NULL), ICSEG_OK);
    return labels;
}

/* Three kinds: noise, which has single pixels and touches at corners; rectangles over each other; rings. */
static void draw(uint64_t seed) {
    icseg_rng rng = icseg_rng_open(seed, ICSEG_RNG_TEST, 0);
    int32_t width = 1 + (int32_t)icseg_rng_below(&rng, MAX_SIDE), height = 1 + (int32_t)icseg_rng_below(&rng, MAX_SIDE);
    int classes = 1 + (int)icseg_rng_below(&rng, 4), kind = (int)(seed % 3);
    map = make(width, height);
    for (int32_t i = 0; i < width * height; i++)
        map.data[i] = (int16_t)(kind == 0 ? (int)icseg_rng_below(&rng, (uint32_t)classes) : 0);
    for (int n = 0; kind && n < 12; n++) {
        int32_t x0 = (int32_t)icseg_rng_below(&rng, (uint32_t)width),
                y0 = (int32_t)icseg_rng_below(&rng, (uint32_t)height);
        int32_t r = 1 + (int32_t)icseg_rng_below(&rng, MAX_SIDE / 2);
        int16_t label = (int16_t)((int)icseg_rng_below(&rng, 5) - 1);
        for (int32_t y = 0; y < height; y++)
            for (int32_t x = 0; x < width; x++) {
                int32_t dx = x - x0, dy = y - y0, d = dx * dx + dy * dy;
                bool in = kind == 1 ? dx >= 0 && dy >= 0 && dx < r && dy < r : d < r * r && d >= (r - 2) * (r - 2);
                if (in) map.data[y * width + x] = label;
            }
    }
}

static icseg_trace *open_trace(double tolerance) {
    const icseg_trace_options options = {.background = ICSEG_LABEL_IGNORE, .tolerance = tolerance};
    icseg_trace *trace;
    icseg_error error = {0};
    if (icseg_trace_open(&trace, &map, &options, &error) != ICSEG_OK) fail_msg("%s", error.message);
    return trace;
}

static bool next(icseg_trace *trace, icseg_traced *object) {
    bool more;
    assert_int_equal(icseg_trace_next(trace, object, &more, NULL), ICSEG_OK);
    return more;
}

static size_t begin_of(const icseg_traced *o, size_t ring) { return ring ? o->ends[ring - 1] : 0; }

/* Twice the area of a ring. */
static int64_t area2(const icseg_traced *o, size_t ring) {
    int64_t sum = 0;
    for (size_t i = begin_of(o, ring); i < o->ends[ring]; i++) {
        icseg_point a = o->points[i], b = o->points[i + 1 < o->ends[ring] ? i + 1 : begin_of(o, ring)];
        sum += (int64_t)a.x * b.y - (int64_t)b.x * a.y;
    }
    return sum;
}

/* Even-odd rule for the centre of a pixel. */
static bool covers(const icseg_traced *o, int32_t px, int32_t py) {
    bool in = false;
    double y = py + 0.5;
    for (size_t ring = 0; ring < o->rings; ring++)
        for (size_t i = begin_of(o, ring); i < o->ends[ring]; i++) {
            icseg_point a = o->points[i], b = o->points[i + 1 < o->ends[ring] ? i + 1 : begin_of(o, ring)];
            if ((a.y > y) == (b.y > y)) continue;
            if (a.x + (y - a.y) * (b.x - a.x) / (b.y - a.y) <= px + 0.5) in = !in;
        }
    return in;
}

static void exact_outlines_cover_the_pixels_of_each_component(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 240; seed++) {
        draw(seed);
        icseg_trace *trace = open_trace(0);
        icseg_traced o;
        int64_t covered = 0, wanted = 0;
        for (int32_t i = 0; i < map.width * map.height; i++) wanted += map.data[i] != ICSEG_LABEL_IGNORE;
        while (next(trace, &o)) {
            int64_t pixels = 0, area = 0;
            for (int32_t y = 0; y < map.height; y++)
                for (int32_t x = 0; x < map.width; x++) {
                    if (!covers(&o, x, y)) continue;
                    pixels++;
                    assert_int_equal(map.data[y * map.width + x], o.component->label);
                    assert_true(x >= o.component->left && x < o.component->right);
                    assert_true(y >= o.component->top && y < o.component->bottom);
                }
            for (size_t r = 0; r < o.rings; r++) {
                area += area2(&o, r);
                assert_true(r ? area2(&o, r) < 0 : area2(&o, r) > 0);
            }
            assert_int_equal(pixels, o.component->pixels);
            assert_int_equal(area, 2 * pixels);
            covered += pixels;
        }
        assert_int_equal(covered, wanted);
        icseg_trace_close(&trace);
        icseg_labels_close(&map);
    }
}

/* ---- validity ---- */

typedef struct segment {
    icseg_point a, b;
    size_t object, ring;
} segment;

static int side(icseg_point a, icseg_point b, icseg_point p) {
    int64_t s = (int64_t)(b.x - a.x) * (p.y - a.y) - (int64_t)(b.y - a.y) * (p.x - a.x);
    return (s > 0) - (s < 0);
}

static bool is_same(icseg_point a, icseg_point b) { return a.x == b.x && a.y == b.y; }

static bool is_on(icseg_point p, segment s) {
    return side(s.a, s.b, p) == 0 && (p.x - s.a.x) * (p.x - s.b.x) <= 0 && (p.y - s.a.y) * (p.y - s.b.y) <= 0;
}

/* Segments do not cross. Those of one ring meet only at their ends, those of two rings of an object at single points.
 */
static void check_pair(segment s, segment t) {
    bool cross = side(s.a, s.b, t.a) * side(s.a, s.b, t.b) < 0 && side(t.a, t.b, s.a) * side(t.a, t.b, s.b) < 0;
    assert_false(cross);
    if (s.object != t.object) return;
    int shared = is_same(s.a, t.a) + is_same(s.a, t.b) + is_same(s.b, t.a) + is_same(s.b, t.b);
    int touching = is_on(s.a, t) + is_on(s.b, t) + is_on(t.a, s) + is_on(t.b, s);
    assert_true(shared <= 1 && (touching == 2 * shared || (s.ring != t.ring && touching == 1)));
    if (s.ring == t.ring) assert_false(is_same(s.a, t.a)); /* a ring passes each corner once */
}

static void outlines_are_valid_at_any_tolerance(void **state) {
    (void)state;
    static const double tolerances[] = {0, 0.5, 1, 1.5, 3, 10};
    segment *all = icseg_alloc_array(16 * MAX_RINGS, sizeof *all);
    for (uint64_t seed = 0; seed < 150; seed++) {
        draw(seed);
        for (size_t t = 0; t < sizeof tolerances / sizeof *tolerances; t++) {
            icseg_trace *trace = open_trace(tolerances[t]);
            icseg_traced o;
            size_t count = 0, objects = 0;
            while (next(trace, &o)) {
                for (size_t r = 0; r < o.rings; r++) {
                    assert_true(r ? area2(&o, r) < 0 : area2(&o, r) > 0);
                    for (size_t i = begin_of(&o, r); i < o.ends[r]; i++)
                        all[count++] =
                            (segment){o.points[i], o.points[i + 1 < o.ends[r] ? i + 1 : begin_of(&o, r)], objects, r};
                }
                objects++;
            }
            for (size_t i = 0; i < count; i++)
                for (size_t j = 0; j < i; j++) check_pair(all[i], all[j]);
            icseg_trace_close(&trace);
        }
        icseg_labels_close(&map);
    }
    icseg_free(all);
}

/* ---- tolerance ---- */

static double distance(icseg_point p, icseg_point a, icseg_point b) {
    double dx = b.x - a.x, dy = b.y - a.y, along = ((p.x - a.x) * dx + (p.y - a.y) * dy) / (dx * dx + dy * dy);
    along = fmin(fmax(along, 0), 1);
    return hypot(p.x - a.x - along * dx, p.y - a.y - along * dy);
}

static double distance_to_ring(icseg_point p, const icseg_traced *o, size_t ring) {
    double least = INFINITY;
    for (size_t i = begin_of(o, ring); i < o->ends[ring]; i++)
        least = fmin(least, distance(p, o->points[i], o->points[i + 1 < o->ends[ring] ? i + 1 : begin_of(o, ring)]));
    return least;
}

/* Neighbours share their boundaries: the areas add up to the image's, without gaps and overlaps. */
static void simplified_outlines_are_within_the_tolerance_and_fill_the_image(void **state) {
    (void)state;
    size_t before = 0, after = 0;
    for (uint64_t seed = 0; seed < 240; seed++)
        for (double tolerance = 0.5; tolerance < 5; tolerance *= 2) {
            draw(seed);
            for (int32_t i = 0; i < map.width * map.height; i++)
                if (map.data[i] == ICSEG_LABEL_IGNORE) map.data[i] = 9;
            icseg_trace *exact = open_trace(0), *simple = open_trace(tolerance);
            icseg_traced e, s;
            int64_t area = 0;
            while (next(exact, &e)) {
                assert_true(next(simple, &s));
                assert_int_equal(e.rings, s.rings);
                for (size_t r = 0; r < e.rings; r++) {
                    area += area2(&s, r);
                    for (size_t i = begin_of(&e, r); i < e.ends[r]; i++)
                        assert_true(distance_to_ring(e.points[i], &s, r) <= tolerance + 1e-9);
                    for (size_t i = begin_of(&s, r); i < s.ends[r]; i++)
                        assert_true(distance_to_ring(s.points[i], &e, r) <= 1e-9);
                }
                before += e.ends[e.rings - 1];
                after += s.ends[s.rings - 1];
            }
            assert_int_equal(area, 2 * map.width * map.height);
            icseg_trace_close(&exact);
            icseg_trace_close(&simple);
            icseg_labels_close(&map);
        }
    assert_true(after < before * 9 / 10);
}

static void a_circle_of_many_corners_becomes_a_polygon_of_few(void **state) {
    (void)state;
    map = make(200, 200);
    for (int32_t i = 0; i < 200 * 200; i++) map.data[i] = hypot(i % 200 - 99.5, i / 200 - 99.5) < 90;
    icseg_trace *trace = open_trace(1);
    icseg_traced o;
    assert_true(next(trace, &o) && o.component->label == 0 && o.rings == 2);
    assert_true(next(trace, &o) && o.component->label == 1 && o.rings == 1);
    assert_in_range(o.ends[0], 22, 60); /* a regular polygon within 1 of a circle of 90 has 22 corners */
    assert_true(fabs((double)area2(&o, 0) / 2 - (double)o.component->pixels) < 0.02 * (double)o.component->pixels);
    assert_false(next(trace, &o));
    icseg_trace_close(&trace);
    icseg_labels_close(&map);
}

/* ---- cuts ---- */

static void a_polygon_with_cuts_covers_the_same_pixels(void **state) {
    (void)state;
    icseg_keyhole cut = {0};
    for (uint64_t seed = 0; seed < 240; seed++) {
        draw(seed);
        icseg_trace *trace = open_trace(0);
        icseg_region region;
        assert_int_equal(icseg_region_open(&region, map.width, map.height, NULL), ICSEG_OK);
        icseg_traced o;
        while (next(trace, &o)) {
            assert_int_equal(icseg_keyhole_cut(&cut, &o, NULL), ICSEG_OK);
            icseg_region_clear(&region);
            icseg_region_add_polygon(&region, cut.xy, cut.count);
            for (int32_t i = 0; i < map.width * map.height; i++)
                assert_int_equal(region.inside[i], icseg_trace_components(trace)->of[i] == o.number);
        }
        icseg_region_close(&region);
        icseg_trace_close(&trace);
        icseg_labels_close(&map);
    }
    icseg_keyhole_close(&cut);
}

/* Each cut is inside of the object: the centres of the pixels above and below it belong to it. */
static void a_cut_stays_inside_the_object(void **state) {
    (void)state;
    static const char rows[9][10] = {"111111111", "100111111", "100110011", "100111111", "111111111",
                                     "110000011", "110111011", "110000011", "111111111"};
    map = make(9, 9);
    for (int32_t i = 0; i < 81; i++) map.data[i] = (int16_t)(rows[i / 9][i % 9] - '0');
    icseg_trace *trace = open_trace(0);
    icseg_traced o;
    icseg_keyhole cut = {0};
    assert_true(next(trace, &o) && o.rings == 4);
    assert_int_equal(icseg_keyhole_cut(&cut, &o, NULL), ICSEG_OK);
    for (size_t i = 0; i + 1 < cut.count; i++) {
        double x0 = fmin(cut.xy[2 * i], cut.xy[2 * i + 2]), x1 = fmax(cut.xy[2 * i], cut.xy[2 * i + 2]);
        int32_t y = (int32_t)cut.xy[2 * i + 1];
        if (cut.xy[2 * i + 1] != cut.xy[2 * i + 3]) continue;
        for (int32_t x = (int32_t)x0; x < (int32_t)x1; x++)
            assert_true((y > 0 && map.data[(y - 1) * 9 + x]) || (y < 9 && map.data[y * 9 + x]));
    }
    icseg_keyhole_close(&cut);
    icseg_trace_close(&trace);
    icseg_labels_close(&map);
}

/* Simplified outlines can touch such that the leftmost corner of a hole is the lowest point of the object. */
static void a_hole_with_nothing_on_its_left_is_cut_too(void **state) {
    (void)state;
    static const icseg_point points[] = {{0, 0}, {10, 0}, {10, 5}, {0, 5}, {4, 5}, {7, 4}, {6, 3}};
    static const size_t ends[] = {4, 7};
    const icseg_traced o = {.points = points, .ends = ends, .rings = 2};
    icseg_keyhole cut = {0};
    double area = 0;
    assert_int_equal(icseg_keyhole_cut(&cut, &o, NULL), ICSEG_OK);
    for (size_t i = 0, n = cut.count; i < n; i++) {
        const double *a = cut.xy + 2 * i, *b = cut.xy + 2 * ((i + 1) % n);
        assert_true(a[0] >= 0 && a[0] <= 10 && a[1] >= 0 && a[1] <= 5);
        area += (a[0] * b[1] - b[0] * a[1]) / 2;
    }
    assert_true(area == 50 - 2);
    icseg_keyhole_close(&cut);
}

/* ---- small regions ---- */

static void sieve(const char *from, int32_t width, int64_t min_area, const char *to) {
    map = make(width, (int32_t)strlen(from) / width);
    for (size_t i = 0; from[i]; i++) map.data[i] = (int16_t)(from[i] - '0');
    assert_int_equal(icseg_labels_sieve(&map, min_area, NULL), ICSEG_OK);
    for (size_t i = 0; from[i]; i++)
        if (map.data[i] != to[i] - '0') fail_msg("%s, pixel %zu: %d, not %c", from, i, map.data[i], to[i]);
    icseg_labels_close(&map);
}

static void small_regions_become_part_of_their_largest_neighbour(void **state) {
    (void)state;
    sieve("111"
          "121"
          "111",
          3, 2, "111111111");
    sieve("1123", 4, 1, "1123");
    sieve("11233", 5, 2, "11133"); /* of equal neighbours, the first */
    sieve("1123334", 7, 3, "3333333");
    sieve("12", 2, 5, "11"); /* nothing larger is left */
    sieve("1", 1, 5, "1");
}

static void no_small_region_is_left(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 120; seed++)
        for (int64_t min_area = 2; min_area < 200; min_area *= 3) {
            draw(seed);
            assert_int_equal(icseg_labels_sieve(&map, min_area, NULL), ICSEG_OK);
            icseg_components c;
            assert_int_equal(icseg_components_find(&c, &map, NULL), ICSEG_OK);
            for (size_t i = 0; i < c.count; i++) assert_true(c.list[i].pixels >= min_area || c.count == 1);
            icseg_components_close(&c);
            icseg_labels_close(&map);
        }
}

/* ---- objects ---- */

static void background_and_ignored_pixels_are_no_objects_and_confidence_is_a_mean(void **state) {
    (void)state;
    float confidence[6] = {0.5F, 0.25F, 1, 1, 0.75F, 1};
    map = make(3, 2);
    memcpy(map.data, (const int16_t[]){2, 2, 0, -1, 2, 1}, 6 * sizeof *map.data);
    const icseg_trace_options options = {.background = 0, .confidence = confidence};
    icseg_trace *trace;
    icseg_traced o;
    assert_int_equal(icseg_trace_open(&trace, &map, &options, NULL), ICSEG_OK);
    assert_true(next(trace, &o) && o.component->label == 2 && o.component->pixels == 3 && o.confidence == 0.5);
    assert_true(next(trace, &o) && o.component->label == 1 && o.confidence == 1);
    assert_false(next(trace, &o));
    icseg_trace_close(&trace);
    confidence[0] = NAN;
    confidence[5] = INFINITY;
    assert_int_equal(icseg_trace_open(&trace, &map, &options, NULL), ICSEG_OK);
    while (next(trace, &o)) assert_false(o.confidence >= 0); /* such numbers are not confidences */
    icseg_trace_close(&trace);
    icseg_labels_close(&map);
}

static void every_allocation_may_fail(void **state) {
    (void)state;
    draw(4);
    const icseg_trace_options options = {
        .background = 0, .tolerance = 1, .confidence = icseg_calloc_array(MAX_RINGS, sizeof(float))};
    for (int64_t n = 0;; n++) {
        icseg_trace *trace;
        icseg_traced o;
        icseg_keyhole cut = {0};
        bool more = true;
        icseg_memory_fail_after(n);
        icseg_status status = icseg_labels_sieve(&map, 2, NULL);
        if (status == ICSEG_OK) {
            status = icseg_trace_open(&trace, &map, &options, NULL);
            if (status != ICSEG_OK) assert_null(trace);
            while (status == ICSEG_OK && (status = icseg_trace_next(trace, &o, &more, NULL)) == ICSEG_OK && more)
                status = icseg_keyhole_cut(&cut, &o, NULL);
            icseg_trace_close(&trace);
            icseg_keyhole_close(&cut);
        }
        if (!icseg_memory_fail_after(-1)) { /* none was left to fail */
            assert_int_equal(status, ICSEG_OK);
            break;
        }
        assert_int_equal(status, ICSEG_ERROR_MEMORY);
        assert_in_range(n, 0, 1000);
    }
    icseg_free((void *)(uintptr_t)options.confidence);
    icseg_labels_close(&map);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact_outlines_cover_the_pixels_of_each_component),
        cmocka_unit_test(outlines_are_valid_at_any_tolerance),
        cmocka_unit_test(simplified_outlines_are_within_the_tolerance_and_fill_the_image),
        cmocka_unit_test(a_circle_of_many_corners_becomes_a_polygon_of_few),
        cmocka_unit_test(a_polygon_with_cuts_covers_the_same_pixels),
        cmocka_unit_test(a_cut_stays_inside_the_object),
        cmocka_unit_test(a_hole_with_nothing_on_its_left_is_cut_too),
        cmocka_unit_test(small_regions_become_part_of_their_largest_neighbour),
        cmocka_unit_test(no_small_region_is_left),
        cmocka_unit_test(background_and_ignored_pixels_are_no_objects_and_confidence_is_a_mean),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
