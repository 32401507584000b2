/* SPDX-License-Identifier: Apache-2.0
 * Winograd's convolution against oneDNN's direct one: shapes with partial tiles, several groups of tiles, bias; the
 * rule that chooses it; a failing allocation. */
#include <math.h>
#include <omp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/memory.h"
#include "base/rng.h"
#include "graph/ops/winograd.h"

static icseg_conv_shape shape_of(int64_t batch, int64_t height, int64_t width, int64_t in, int64_t out) {
    return (icseg_conv_shape){.batch = batch,
                              .height = height,
                              .width = width,
                              .in = in,
                              .out = out,
                              .kernel_height = 3,
                              .kernel_width = 3,
                              .stride = 1,
                              .padding = 1,
                              .out_height = height,
                              .out_width = width};
}

static float *values(int64_t count, uint64_t seed) {
    float *v = icseg_alloc_array((size_t)count, sizeof *v);
    assert_non_null(v);
    icseg_rng rng = icseg_rng_open(seed, ICSEG_RNG_TEST, 0);
    for (int64_t i = 0; i < count; i++) v[i] = icseg_rng_range(&rng, -1, 1);
    return v;
}

typedef struct tensors {
    float *x, *dy, *weight, *bias;
    int64_t out_count;
} tensors;

static tensors tensors_open(const icseg_conv_shape *s, icseg_primitive_kind direction) {
    int64_t pixels = s->batch * s->height * s->width;
    return (tensors){.x = values(pixels * s->in, 1),
                     .dy = values(pixels * s->out, 2),
                     .weight = values(9 * s->in * s->out, 3),
                     .bias = values(s->out, 4),
                     .out_count = direction == ICSEG_CONV_FORWARD         ? pixels * s->out
                                  : direction == ICSEG_CONV_BACKWARD_DATA ? pixels * s->in
                                                                          : 9 * s->in * s->out};
}

static void tensors_close(tensors *t) {
    icseg_free(t->x);
    icseg_free(t->dy);
    icseg_free(t->weight);
    icseg_free(t->bias);
}

static icseg_operands operands_of(const tensors *t, icseg_primitive_kind direction, bool bias, float *out) {
    return (icseg_operands){.a = direction == ICSEG_CONV_BACKWARD_DATA ? t->dy : t->x,
                            .b = direction == ICSEG_CONV_BACKWARD_WEIGHTS ? t->dy : t->weight,
                            .bias = bias ? t->bias : NULL,
                            .out = out};
}

static float *direct(const icseg_conv_shape *s, icseg_primitive_kind direction, const tensors *t, bool bias) {
    icseg_error error = {0};
    icseg_primitive *p;
    icseg_primitive_options options = {.bias = bias};
    assert_int_equal(direction == ICSEG_CONV_FORWARD         ? icseg_conv_forward_open(&p, s, options, &error)
                     : direction == ICSEG_CONV_BACKWARD_DATA ? icseg_conv_backward_data_open(&p, s, options, &error)
                                                             : icseg_conv_backward_weights_open(&p, s, options, &error),
                     ICSEG_OK);
    float *out = icseg_alloc_array((size_t)t->out_count, sizeof *out);
    void *scratch = icseg_alloc(icseg_primitive_scratch(p)), *packed = icseg_alloc(icseg_primitive_packed_size(p));
    icseg_operands operands = operands_of(t, direction, bias, out);
    if (icseg_primitive_packed_size(p)) {
        assert_int_equal(icseg_primitive_pack(p, t->weight, packed, &error), ICSEG_OK);
        operands.b = packed;
    }
    assert_int_equal(icseg_primitive_run(p, operands, scratch, &error), ICSEG_OK);
    icseg_free(packed);
    icseg_free(scratch);
    icseg_primitive_close(&p);
    return out;
}

static float *winograd(const icseg_conv_shape *s, icseg_primitive_kind direction, bool large, const tensors *t,
                       bool bias) {
    icseg_error error = {0};
    icseg_winograd *w;
    assert_int_equal(icseg_winograd_open(&w, s, direction, large, &error), ICSEG_OK);
    float *out = icseg_alloc_array((size_t)t->out_count, sizeof *out);
    void *scratch = icseg_alloc(icseg_winograd_scratch(w));
    memset(scratch, 0xff, icseg_winograd_scratch(w)); /* NaN: reads must follow writes */
    icseg_operands operands = operands_of(t, direction, bias, out);
    assert_int_equal(icseg_winograd_run(w, operands, scratch, &error), ICSEG_OK);
    icseg_free(scratch);
    icseg_winograd_close(&w);
    return out;
}

/* Relative root mean square error. */
static double distance(const float *a, const float *b, int64_t count) {
    double difference = 0, size = 0;
    for (int64_t i = 0; i < count; i++) {
        difference += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
        size += (double)b[i] * (double)b[i];
    }
    return sqrt(difference / size);
}

static void all_directions_agree_with_the_direct_convolution(void **state) {
    (void)state;
    const icseg_conv_shape shapes[] = {
        shape_of(1, 4, 4, 16, 16),     shape_of(2, 5, 3, 3, 7),
        shape_of(1, 1, 1, 20, 5),      shape_of(3, 9, 14, 65, 33),
        shape_of(2, 12, 8, 130, 64),   shape_of(1, 83, 122, 48, 49), /* 651 tiles, 2 groups */
        shape_of(2, 18, 18, 300, 700), /* weights in 8 blocks of whole panels, the last one smaller */
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int d = ICSEG_CONV_FORWARD; d <= ICSEG_CONV_BACKWARD_WEIGHTS; d++)
            for (int bias = 0; bias < (d == ICSEG_CONV_FORWARD ? 2 : 1); bias++) {
                tensors t = tensors_open(&shapes[i], (icseg_primitive_kind)d);
                float *wanted = direct(&shapes[i], (icseg_primitive_kind)d, &t, bias);
                float *got = winograd(&shapes[i], (icseg_primitive_kind)d, false, &t, bias);
                double error = distance(got, wanted, t.out_count);
                if (!(error < 5e-6)) fail_msg("shape %zu, direction %d, bias %d: off by %g", i, d, bias, error);
                icseg_free(wanted);
                icseg_free(got);
                tensors_close(&t);
            }
}

static void large_tiles_agree_with_the_direct_convolution(void **state) {
    (void)state;
    const icseg_conv_shape shapes[] = {
        shape_of(1, 6, 6, 16, 16),       shape_of(2, 7, 5, 3, 7), /* tiles reach beyond the image */
        shape_of(1, 1, 1, 20, 5),        shape_of(3, 9, 14, 65, 33),
        shape_of(1, 107, 128, 120, 130), /* 396 tiles, 4 groups */
        shape_of(1, 60, 66, 150, 170),   /* 110 tiles, weights in 2 blocks */
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int bias = 0; bias < 2; bias++) {
            tensors t = tensors_open(&shapes[i], ICSEG_CONV_FORWARD);
            float *wanted = direct(&shapes[i], ICSEG_CONV_FORWARD, &t, bias);
            float *got = winograd(&shapes[i], ICSEG_CONV_FORWARD, true, &t, bias);
            double error = distance(got, wanted, t.out_count);
            if (!(error < 1.5e-5)) fail_msg("shape %zu, bias %d: off by %g", i, bias, error);
            icseg_free(wanted);
            icseg_free(got);
            tensors_close(&t);
        }
}

static void large_tiles_are_chosen_only_where_transforming_weights_is_cheap(void **state) {
    (void)state;
    icseg_conv_shape s = shape_of(1, 64, 64, 256, 256);
    assert_true(icseg_winograd_large_is_faster(&s));
    s = shape_of(1, 64, 64, 256, 512); /* 32 MB of weights */
    assert_false(icseg_winograd_large_is_faster(&s));
    s = shape_of(1, 54, 54, 256, 256); /* 81 tiles */
    assert_false(icseg_winograd_large_is_faster(&s));
    s = shape_of(4, 32, 32, 256, 256); /* 6 x 6 tiles of 36 outputs for 8 x 8 of 16 */
    assert_false(icseg_winograd_large_is_faster(&s));
}

static void two_runs_give_the_same_bits(void **state) {
    (void)state;
    icseg_conv_shape s = shape_of(2, 30, 26, 64, 96);
    for (int d = ICSEG_CONV_FORWARD; d <= ICSEG_CONV_BACKWARD_WEIGHTS; d++) {
        tensors t = tensors_open(&s, (icseg_primitive_kind)d);
        float *first = winograd(&s, (icseg_primitive_kind)d, false, &t, false);
        float *second = winograd(&s, (icseg_primitive_kind)d, false, &t, false);
        assert_memory_equal(first, second, (size_t)t.out_count * sizeof *first);
        icseg_free(first);
        icseg_free(second);
        tensors_close(&t);
    }
}

static void any_number_of_threads_gives_the_same_bits(void **state) {
    (void)state;
    const icseg_conv_shape shapes[] = {shape_of(1, 20, 24, 40, 70), shape_of(1, 60, 66, 130, 150)};
    int most = omp_get_max_threads();
    for (int large = 0; large < 2; large++) {
        const icseg_conv_shape *s = &shapes[large];
        tensors t = tensors_open(s, ICSEG_CONV_FORWARD);
        omp_set_num_threads(1);
        float *first = winograd(s, ICSEG_CONV_FORWARD, large, &t, true);
        for (int threads = 2; threads <= 7; threads++) {
            omp_set_num_threads(threads);
            float *other = winograd(s, ICSEG_CONV_FORWARD, large, &t, true);
            assert_memory_equal(other, first, (size_t)t.out_count * sizeof *first);
            icseg_free(other);
        }
        omp_set_num_threads(most);
        icseg_free(first);
        tensors_close(&t);
    }
}

static void it_is_chosen_only_for_wide_layers_on_large_maps(void **state) {
    (void)state;
    icseg_conv_shape s = shape_of(2, 64, 64, 128, 128);
    assert_true(icseg_winograd_is_faster(&s));
    s.stride = 2;
    assert_false(icseg_winograd_is_faster(&s));
    s = shape_of(2, 64, 64, 128, 128);
    s.padding = 0;
    assert_false(icseg_winograd_is_faster(&s));
    s.padding = 1;
    s.kernel_width = 1;
    assert_false(icseg_winograd_is_faster(&s));
    s = shape_of(8, 128, 160, 16, 32); /* few channels */
    assert_false(icseg_winograd_is_faster(&s));
    s = shape_of(1, 8, 8, 256, 256); /* few tiles */
    assert_false(icseg_winograd_is_faster(&s));
    s = shape_of(16, 5, 5, 256, 256); /* 4 tiles of 16 outputs for 25 */
    assert_false(icseg_winograd_is_faster(&s));
}

static void a_failing_allocation_leaves_nothing_behind(void **state) {
    (void)state;
    icseg_conv_shape s = shape_of(1, 8, 8, 32, 32);
    bool opened = false;
    int64_t n = 0;
    for (; !opened; n++) {
        icseg_error error = {0};
        icseg_winograd *w = NULL;
        icseg_memory_fail_after(n);
        icseg_status status = icseg_winograd_open(&w, &s, ICSEG_CONV_BACKWARD_WEIGHTS, false, &error);
        icseg_memory_fail_after(-1);
        opened = status == ICSEG_OK;
        if (!opened) assert_int_equal(status, ICSEG_ERROR_MEMORY);
        if (!opened) assert_null(w);
        icseg_winograd_close(&w);
    }
    assert_true(n > 1); /* some allocations failed */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_directions_agree_with_the_direct_convolution),
        cmocka_unit_test(large_tiles_agree_with_the_direct_convolution),
        cmocka_unit_test(large_tiles_are_chosen_only_where_transforming_weights_is_cheap),
        cmocka_unit_test(two_runs_give_the_same_bits),
        cmocka_unit_test(any_number_of_threads_gives_the_same_bits),
        cmocka_unit_test(it_is_chosen_only_for_wide_layers_on_large_maps),
        cmocka_unit_test(a_failing_allocation_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
