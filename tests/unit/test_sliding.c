/* SPDX-License-Identifier: Apache-2.0
 * inference/sliding: window positions compared with mmsegmentation's rule, and their properties over many sizes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "inference/sliding.h"

static icseg_sliding open_sliding(int32_t width, int32_t height, icseg_sliding_options options) {
    icseg_sliding s;
    assert_int_equal(icseg_sliding_open(&s, &options, width, height, NULL), ICSEG_OK);
    return s;
}

static void assert_window(const icseg_sliding *s, int64_t index, icseg_window expected) {
    icseg_window got = icseg_sliding_window(s, index);
    assert_int_equal(got.x, expected.x);
    assert_int_equal(got.y, expected.y);
    assert_int_equal(got.width, expected.width);
    assert_int_equal(got.height, expected.height);
}

static void windows_step_by_the_stride_and_the_last_is_moved_inside(void **state) {
    (void)state;
    icseg_sliding s = open_sliding(1000, 512, (icseg_sliding_options){512, 512, 341, 341});
    assert_int_equal(s.x.count, 3);
    assert_int_equal(s.y.count, 1);
    assert_int_equal(icseg_sliding_count(&s), 3);
    assert_window(&s, 0, (icseg_window){0, 0, 512, 512});
    assert_window(&s, 1, (icseg_window){341, 0, 512, 512});
    assert_window(&s, 2, (icseg_window){488, 0, 512, 512});
    s = open_sliding(6, 5, (icseg_sliding_options){4, 3, 2, 2}); /* an exact fit adds no window */
    assert_int_equal(icseg_sliding_count(&s), 4);
    assert_window(&s, 1, (icseg_window){2, 0, 4, 3});
    assert_window(&s, 3, (icseg_window){2, 2, 4, 3});
}

static void an_image_smaller_than_the_crop_is_one_window_of_its_own_size(void **state) {
    (void)state;
    icseg_sliding s = open_sliding(300, 200, (icseg_sliding_options){512, 512, 341, 341});
    assert_int_equal(icseg_sliding_count(&s), 1);
    assert_window(&s, 0, (icseg_window){0, 0, 300, 200});
    s = open_sliding(600, 200, (icseg_sliding_options){512, 512, 0, 0}); /* one side short, the other slides */
    assert_int_equal(icseg_sliding_count(&s), 2);
    assert_window(&s, 1, (icseg_window){88, 0, 512, 200});
}

static void the_default_stride_is_two_thirds_of_the_crop(void **state) {
    (void)state;
    icseg_sliding s = open_sliding(2000, 2000, (icseg_sliding_options){512, 640, 0, 0});
    assert_int_equal(s.x.stride, 341);
    assert_int_equal(s.y.stride, 426);
    s = open_sliding(5, 5, (icseg_sliding_options){1, 1, 0, 0});
    assert_int_equal(icseg_sliding_count(&s), 25);
}

/* mmsegmentation's loop, per axis: starts of the windows. */
static int32_t reference_starts(int32_t length, int32_t crop, int32_t stride, int32_t *start, int32_t *end) {
    int32_t over = length - crop + stride - 1, grids = (over > 0 ? over : 0) / stride + 1;
    for (int32_t i = 0; i < grids; i++) {
        int32_t first = i * stride;
        end[i] = first + crop < length ? first + crop : length;
        start[i] = end[i] - crop > 0 ? end[i] - crop : 0;
    }
    return grids;
}

static void every_size_agrees_with_the_reference_and_covers_each_pixel(void **state) {
    (void)state;
    int32_t start[64], end[64], cover[48];
    for (int32_t length = 1; length <= 48; length++)
        for (int32_t crop = 1; crop <= 20; crop++)
            for (int32_t stride = 1; stride <= crop; stride++) {
                icseg_sliding s = open_sliding(length, 1, (icseg_sliding_options){crop, 1, stride, 1});
                int32_t count = reference_starts(length, crop, stride, start, end), sum = 0;
                assert_int_equal(s.x.count, count);
                for (int32_t i = 0; i < count; i++) {
                    assert_int_equal(icseg_sliding_start(&s.x, i), start[i]);
                    assert_int_equal(start[i] + s.x.window, end[i]);
                }
                icseg_sliding_cover(&s.x, cover);
                for (int32_t i = 0; i < length; i++) {
                    assert_true(cover[i] >= 1);
                    sum += cover[i];
                }
                assert_int_equal(sum, count * s.x.window);
            }
}

static void invalid_sizes_are_refused_with_the_reason(void **state) {
    (void)state;
    icseg_error error;
    icseg_sliding s;
    const icseg_sliding_options bad[] = {{0, 8, 1, 1}, {8, -1, 1, 1}, {8, 8, 9, 1}, {8, 8, 1, -1}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(icseg_sliding_open(&s, &bad[i], 100, 100, &error), ICSEG_ERROR_ARGUMENT);
    const icseg_sliding_options good = {INT32_MAX, INT32_MAX, 0, INT32_MAX};
    assert_int_equal(icseg_sliding_open(&s, &good, 0, 100, &error), ICSEG_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "width"));
    assert_int_equal(icseg_sliding_open(&s, &good, INT32_MAX, INT32_MAX, &error), ICSEG_OK);
    assert_int_equal(icseg_sliding_count(&s), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_step_by_the_stride_and_the_last_is_moved_inside),
        cmocka_unit_test(an_image_smaller_than_the_crop_is_one_window_of_its_own_size),
        cmocka_unit_test(the_default_stride_is_two_thirds_of_the_crop),
        cmocka_unit_test(every_size_agrees_with_the_reference_and_covers_each_pixel),
        cmocka_unit_test(invalid_sizes_are_refused_with_the_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
