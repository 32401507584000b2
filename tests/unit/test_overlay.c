/* SPDX-License-Identifier: Apache-2.0
 * image/: the palette keeps classes apart; overlays show regions, borders and a legend at any size. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/memory.h"
#include "icseg/image.h"
#include "image/font.h"

static double linear(int v) { return v <= 10 ? v / 255.0 / 12.92 : pow((v / 255.0 + 0.055) / 1.055, 2.4); }

/* OKLab distance: 0.02 is barely visible, black to white is 1. */
static double distance(const uint8_t a[3], const uint8_t b[3]) {
    double lab[2][3], sum = 0;
    for (int k = 0; k < 2; k++) {
        const uint8_t *c = k ? b : a;
        double red = linear(c[0]), green = linear(c[1]), blue = linear(c[2]);
        double l = cbrt(0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue);
        double m = cbrt(0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue);
        double s = cbrt(0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue);
        lab[k][0] = 0.2104542553 * l + 0.7936177850 * m - 0.0040720468 * s;
        lab[k][1] = 1.9779984951 * l - 2.4285922050 * m + 0.4505937099 * s;
        lab[k][2] = 0.0259040371 * l + 0.7827717662 * m - 0.8086757660 * s;
    }
    for (int i = 0; i < 3; i++) sum += (lab[0][i] - lab[1][i]) * (lab[0][i] - lab[1][i]);
    return sqrt(sum);
}

static void palette_colours_are_well_apart(void **state) {
    (void)state;
    icseg_palette palette;
    assert_int_equal(icseg_palette_create(&palette, 65534, NULL), ICSEG_OK);
    assert_int_equal(palette.size, 65534);
    for (int i = 0; i < 150; i++)
        for (int j = 0; j < i; j++)
            assert_true(distance(palette.color[i], palette.color[j]) > (i < 20 ? 0.1 : i < 40 ? 0.08 : 0.04));
    for (int i = 1; i < palette.size; i++)
        assert_true(distance(palette.color[i], palette.color[i - 1]) > (i < 20 ? 0.25 : 0.08));
    icseg_palette small;
    assert_int_equal(icseg_palette_create(&small, 11, NULL), ICSEG_OK);
    assert_memory_equal(small.color, palette.color, 33); /* the same whatever the size */
    icseg_palette_close(&small);
    icseg_palette_close(&palette);
    assert_null(palette.color);
    assert_int_equal(icseg_palette_create(&palette, 0, NULL), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_palette_create(&palette, 65535, NULL), ICSEG_ERROR_ARGUMENT);
    icseg_memory_fail_after(0);
    assert_int_equal(icseg_palette_create(&palette, 5, NULL), ICSEG_ERROR_MEMORY);
    icseg_memory_fail_after(-1);
    assert_null(palette.color);
}

typedef struct scene {
    icseg_image image;
    icseg_labels labels;
    icseg_palette palette;
} scene;

/* A grey image; label = column * classes / width, the first row ignored. */
static scene open_scene(int width, int height, int classes) {
    scene s;
    assert_int_equal(icseg_image_create(&s.image, width, height, NULL), ICSEG_OK);
    assert_int_equal(icseg_labels_create(&s.labels, width, height, NULL), ICSEG_OK);
    assert_int_equal(icseg_palette_create(&s.palette, classes, NULL), ICSEG_OK);
    memset(s.image.data, 100, (size_t)width * (size_t)height * 3);
    for (int i = 0; i < width * height; i++)
        s.labels.data[i] = (int16_t)(i < width ? ICSEG_LABEL_IGNORE : i % width * classes / width);
    return s;
}

static void close_scene(scene *s) {
    icseg_image_close(&s->image);
    icseg_labels_close(&s->labels);
    icseg_palette_close(&s->palette);
}

static icseg_status draw(icseg_image *out, const scene *s, const char *const *names, double opacity,
                         icseg_error *error) {
    icseg_overlay_options options = {ICSEG_OVERLAY_OPTIONS_INIT, &s->palette, names, opacity};
    return icseg_overlay_draw(out, &s->image, &s->labels, &options, error);
}

static void regions_are_blended_and_have_dark_borders(void **state) {
    (void)state;
    scene s = open_scene(60, 40, 3);
    icseg_image out;
    assert_int_equal(draw(&out, &s, NULL, 0.5, NULL), ICSEG_OK);
    assert_int_equal(out.width, 60);
    assert_int_equal(out.height, 40); /* no names, no legend */
    for (int class = 0; class < 3; class ++) {
        const uint8_t *pixel = out.data + (20 * 60 + 20 * class + 10) * 3;
        for (int i = 0; i < 3; i++)
            assert_in_range(2 * pixel[i], 99 + s.palette.color[class][i], 101 + s.palette.color[class][i]);
        const uint8_t *edge = out.data + (20 * 60 + 20 * class + 19) * 3;
        if (class < 2) assert_true(edge[0] + edge[1] + edge[2] < (pixel[0] + pixel[1] + pixel[2]) / 2);
    }
    icseg_image_close(&out);
    assert_int_equal(draw(&out, &s, NULL, ICSEG_OPACITY_NONE, NULL), ICSEG_OK);
    assert_memory_equal(out.data, s.image.data, 60 * 40 * 3);
    icseg_image_close(&out);
    for (int i = 0; i < 60 * 40; i++) s.labels.data[i] = ICSEG_LABEL_IGNORE;
    assert_int_equal(draw(&out, &s, NULL, 1, NULL), ICSEG_OK);
    assert_memory_equal(out.data, s.image.data, 60 * 40 * 3); /* ignored pixels stay unchanged */
    icseg_image_close(&out);
    close_scene(&s);
}

static void the_legend_lists_present_classes_largest_first(void **state) {
    (void)state;
    static const char *const names[] = {"sky", "absent", "road", "car"};
    scene s = open_scene(100, 100, 4);
    for (int i = 0; i < 100 * 100; i++) s.labels.data[i] = i < 2000 ? 0 : i < 8000 ? 2 : 3;
    icseg_image out;
    assert_int_equal(draw(&out, &s, names, 0.5, NULL), ICSEG_OK);
    assert_int_equal(out.width, 100);
    assert_true(out.height > 130);
    int order[4] = {0}, found = 0, first[4] = {0};
    for (int y = 100; y < out.height; y++)
        for (int x = 0; x < 100; x++)
            for (int class = 0; class < 4; class ++)
                if (!first[class] && memcmp(out.data + (y * 100 + x) * 3, s.palette.color[class], 3) == 0) {
                    first[class] = 1;
                    order[found++] = class;
                }
    assert_int_equal(found, 3);
    assert_int_equal(order[0], 2);
    assert_true((order[1] == 0 && order[2] == 3) || (order[1] == 3 && order[2] == 0)); /* equal shares */
    icseg_image_close(&out);
    close_scene(&s);
}

static void legends_of_any_size_are_drawn(void **state) {
    (void)state;
    static const int sizes[][3] = {{1, 2, 1},     {3, 5, 2},     {20, 10, 5}, {33, 400, 7},
                                   {640, 8, 150}, {2500, 4, 12}, {6000, 2, 3}};
    const char *names[150];
    for (int i = 0; i < 150; i++)
        names[i] = i % 4 == 0   ? "a very long name of a class that is too long for a legend, but occurs in data sets: "
                                  "conveyor belt, conveyer belt, conveyer, conveyor, transporter"
                   : i % 4 == 1 ? "\xc3\xa9tag\xc3\xa8re \xe6\xa8\xb9 \xf0\x9f\x98\x80"
                   : i % 4 == 2 ? ""
                                : "\xff\x80\xc3";
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        scene s = open_scene(sizes[k][0], sizes[k][1], sizes[k][2]);
        icseg_image out;
        assert_int_equal(draw(&out, &s, names, 0.6, NULL), ICSEG_OK);
        assert_int_equal(out.width, sizes[k][0]);
        assert_true(out.height > sizes[k][1]);
        icseg_image_close(&out);
        for (int n = 0; n < 2; n++) {
            icseg_memory_fail_after(n);
            assert_int_equal(draw(&out, &s, names, 0.6, NULL), ICSEG_ERROR_MEMORY);
            icseg_memory_fail_after(-1);
            assert_null(out.data);
        }
        close_scene(&s);
    }
}

static void bad_arguments_are_refused(void **state) {
    (void)state;
    scene s = open_scene(10, 10, 3);
    icseg_image out;
    icseg_error error;
    icseg_overlay_options good = {ICSEG_OVERLAY_OPTIONS_INIT, .palette = &s.palette}, bad = {0};
    assert_int_equal(icseg_overlay_draw(NULL, &s.image, &s.labels, &good, &error), ICSEG_ERROR_ARGUMENT);
    assert_string_equal(error.message, "icseg_overlay_draw: out is NULL");
    assert_int_equal(icseg_overlay_draw(&out, NULL, &s.labels, &good, &error), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_overlay_draw(&out, &s.image, NULL, &good, &error), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_overlay_draw(&out, &s.image, &s.labels, NULL, &error), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_overlay_draw(&out, &s.image, &s.labels, &bad, &error), ICSEG_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "icseg_overlay_options"));
    bad.struct_size = sizeof bad;
    assert_int_equal(icseg_overlay_draw(&out, &s.image, &s.labels, &bad, &error), ICSEG_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "palette is NULL"));
    assert_int_equal(icseg_overlay_draw(&s.image, &s.image, &s.labels, &good, &error), ICSEG_ERROR_ARGUMENT);
    assert_non_null(s.image.data);
    assert_int_equal(icseg_palette_create(NULL, 3, &error), ICSEG_ERROR_ARGUMENT);
    close_scene(&s);
}

static void inputs_that_do_not_match_are_refused(void **state) {
    (void)state;
    scene s = open_scene(10, 10, 3);
    icseg_image out;
    icseg_error error;
    assert_int_equal(draw(&out, &s, NULL, 1.5, &error), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(draw(&out, &s, NULL, NAN, &error), ICSEG_ERROR_ARGUMENT);
    s.labels.data[57] = 3;
    assert_int_equal(draw(&out, &s, NULL, 0.5, &error), ICSEG_ERROR_DATA);
    assert_non_null(strstr(error.message, "label 3 at x 7, y 5"));
    s.labels.height = 9;
    assert_int_equal(draw(&out, &s, NULL, 0.5, &error), ICSEG_ERROR_SHAPE);
    s.labels.height = 10;
    static const char *const one_is_missing[] = {"a", NULL, "c", "d"};
    s.labels.data[0] = 1;
    s.labels.data[5 * 10 + 7] = 0;
    assert_int_equal(draw(&out, &s, one_is_missing, 0.5, &error), ICSEG_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "names[1] is NULL"));
    close_scene(&s);
    static const char *const names[] = {"a", "b"};
    s = open_scene(2, ICSEG_IMAGE_MAX_SIDE, 2); /* too large with a legend */
    assert_int_equal(draw(&out, &s, names, 0.5, &error), ICSEG_ERROR_DATA);
    assert_null(out.data);
    assert_non_null(strstr(error.message, "2 x 32768 pixels and "));
    assert_non_null(strstr(error.message, "rows of legend"));
    close_scene(&s);
}

static void text_is_measured_and_cut_between_characters(void **state) {
    (void)state;
    assert_true(icseg_font_width("", 10) == 0);
    assert_true(icseg_font_width("mm", 10) > icseg_font_width("ii", 10));
    assert_true(fabs(icseg_font_width("abc", 20) - 2 * icseg_font_width("abc", 10)) < 1e-9);
    const char *text = "\xc3\xa9\xc3\xa9\xc3\xa9";
    for (double width = -5; width < 50; width++) {
        size_t kept = icseg_font_fit(text, 10, width);
        assert_true(kept % 2 == 0 && kept <= 6);
        char cut[8] = "";
        memcpy(cut, text, kept);
        assert_true(kept == 0 || icseg_font_width(cut, 10) <= width);
    }
    /* Every printable character draws something, and nothing outside the image. */
    static const uint8_t ink[3] = {0, 0, 0};
    for (int c = 0x21; c < 0x80; c++) {
        icseg_image page;
        assert_int_equal(icseg_image_create(&page, 24, 24, NULL), ICSEG_OK);
        memset(page.data, 255, 24 * 24 * 3);
        icseg_font_draw(&page, (char[]){(char)c, 0}, 4, 17, 12, ink);
        int dark = 0;
        for (int i = 0; i < 24 * 24; i++) dark += page.data[3 * i] < 128;
        assert_true(dark > 0);
        icseg_font_draw(&page, (char[]){(char)c, 0}, -3, 2, 12, ink);
        icseg_font_draw(&page, (char[]){(char)c, 0}, 20, 26, 12, ink);
        icseg_image_close(&page);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(palette_colours_are_well_apart),
        cmocka_unit_test(regions_are_blended_and_have_dark_borders),
        cmocka_unit_test(the_legend_lists_present_classes_largest_first),
        cmocka_unit_test(legends_of_any_size_are_drawn),
        cmocka_unit_test(bad_arguments_are_refused),
        cmocka_unit_test(inputs_that_do_not_match_are_refused),
        cmocka_unit_test(text_is_measured_and_cut_between_characters),
    };
    return cmocka_run_group_tests_name("overlay", tests, NULL, NULL);
}
