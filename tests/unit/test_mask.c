/* SPDX-License-Identifier: Apache-2.0
 * image/: label files as stored, label maps written and resized, confidence maps. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <png.h>

#include "base/memory.h"
#include "base/rng.h"
#include "icseg/image.h"
#include "support/image_files.h"
#include "support/scratch.h"

static const char *path;

static int open_folder(void **state) {
    if (test_scratch_open(state)) return -1;
    path = test_scratch("mask");
    return 0;
}

/* Writes and frees the bytes, then reads the mask. */
static icseg_status read_mask(icseg_mask *out, test_bytes bytes, icseg_error *error) {
    test_write(path, bytes);
    free(bytes.data);
    return icseg_mask_read(out, path, error);
}

static void png_values_are_indices_or_unscaled_grey(void **state) {
    (void)state;
    enum { W = 19, H = 11 };
    icseg_rng rng = icseg_rng_open(2, ICSEG_RNG_TEST, 0);
    uint8_t rows[H * W * 2], palette[256][3];
    for (size_t i = 0; i < sizeof rows; i++) rows[i] = (uint8_t)icseg_rng_u64(&rng);
    for (int i = 0; i < 256; i++) memset(palette[i], i, 3);
    for (int kind = 0; kind < 18; kind++) {
        int bits = 1 << kind % 5;
        bool indexed = kind / 5 % 2, interlaced = kind >= 10;
        if (indexed && bits == 16) continue;
        test_png_options options = {
            .type = indexed ? PNG_COLOR_TYPE_PALETTE : PNG_COLOR_TYPE_GRAY, .interlaced = interlaced, .key = -1};
        if (indexed) options.palette = (const uint8_t(*)[3])palette, options.palette_size = 1 << bits;
        icseg_mask mask;
        icseg_error error = {0};
        test_pixels input = {.width = W, .height = H, .channels = 1, .bits = bits, .rows = rows};
        if (read_mask(&mask, test_png(&input, &options), &error) != ICSEG_OK) fail_msg("%s", error.message);
        assert_int_equal(mask.width, W);
        assert_int_equal(mask.height, H);
        assert_int_equal(mask.bits, bits);
        assert_int_equal(mask.palette_size, indexed ? 1 << bits : 0);
        if (indexed) assert_memory_equal(mask.palette, palette, 3u << bits);
        for (int y = 0; y < H; y++)
            for (int x = 0; x < W; x++) {
                const uint8_t *byte = rows + (size_t)y * (((size_t)(W * bits) + 7) / 8) + x * bits / 8;
                int value =
                    bits == 16 ? byte[0] << 8 | byte[1] : byte[0] >> (8 - bits - x * bits % 8) & ((1 << bits) - 1);
                assert_int_equal(mask.data[y * W + x], value);
            }
        icseg_mask_close(&mask);
    }
}

static void tiff_strips_and_tiles_are_read(void **state) {
    (void)state;
    enum { W = 35, H = 21 };
    uint8_t narrow[W * H];
    uint16_t wide[W * H];
    for (int i = 0; i < W * H; i++) narrow[i] = (uint8_t)(i * 7), wide[i] = (uint16_t)(i * 91);
    for (int kind = 0; kind < 16; kind++) {
        bool sixteen = kind & 1, palette = kind & 8 && !sixteen;
        test_tiff_options options = {.tiled = kind & 2, .deflate = kind & 4, .palette = palette};
        test_pixels input = {
            .width = W, .height = H, .channels = 1, .bits = sixteen ? 16 : 8, .rows = sixteen ? (void *)wide : narrow};
        icseg_mask mask;
        icseg_error error = {0};
        if (read_mask(&mask, test_tiff(&input, &options), &error) != ICSEG_OK) fail_msg("%s", error.message);
        assert_int_equal(mask.bits, sixteen ? 16 : 8);
        assert_int_equal(mask.palette_size, palette ? 256 : 0);
        if (palette) assert_memory_equal(mask.palette[9], ((uint8_t[]){9, 0, 255}), 3);
        for (int i = 0; i < W * H; i++) assert_int_equal(mask.data[i], sixteen ? wide[i] : narrow[i]);
        icseg_mask_close(&mask);
    }
}

static void colour_and_lossy_files_are_refused_with_the_remedy(void **state) {
    (void)state;
    uint8_t rows[16 * 16 * 4];
    float halves[16 * 4];
    for (size_t i = 0; i < sizeof rows; i++) rows[i] = (uint8_t)i;
    for (size_t i = 0; i < sizeof halves / sizeof *halves; i++) halves[i] = 0.5F;
    test_pixels p[5] = {{.width = 16, .height = 16, .bits = 8, .rows = rows}};
    for (int channels = 1; channels < 5; channels++) p[channels] = p[0], p[channels].channels = channels;
    test_pixels floats = {.width = 16, .height = 16, .channels = 1, .bits = 32, .rows = halves};
    floats.height = 4;
    const struct {
        test_bytes bytes;
        const char *text;
    } cases[] = {
        {test_png(&p[3], &(test_png_options){.type = PNG_COLOR_TYPE_RGB, .key = -1}),
         "a colour image (RGB, the first colour at x=0, y=0)"},
        {test_png(&p[4], &(test_png_options){.type = PNG_COLOR_TYPE_RGB_ALPHA, .key = -1}),
         "a colour image (RGBA, the first colour at x=0, y=0)"},
        {test_png(&p[2], &(test_png_options){.type = PNG_COLOR_TYPE_GRAY_ALPHA, .key = -1}),
         "transparent pixels (the first at x=0, y=0)"},
        {test_tiff(&p[3], &(test_tiff_options){0}), "a colour image (RGB, the first colour at x=0, y=0)"},
        {test_tiff(&floats, &(test_tiff_options){.floats = true}), "value 0.5 at x=0, y=0 is not a class index"},
        {test_jpeg(&p[1], &(test_jpeg_options){.quality = 90}), "a JPEG image where class indices are expected"},
        {test_webp(&p[3]), "a WebP image where class indices are expected"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        icseg_mask mask;
        icseg_error error;
        assert_int_equal(read_mask(&mask, cases[i].bytes, &error), ICSEG_ERROR_DATA);
        if (!strstr(error.message, cases[i].text)) fail_msg("%s", error.message);
        assert_non_null(strstr(error.message, path));
        assert_null(mask.data);
    }
}

static void truncated_and_damaged_masks_are_errors(void **state) {
    (void)state;
    uint16_t rows[40 * 30];
    icseg_rng rng = icseg_rng_open(4, ICSEG_RNG_TEST, 0);
    for (int i = 0; i < 40 * 30; i++) rows[i] = (uint16_t)icseg_rng_below(&rng, 300);
    test_pixels input = {.width = 40, .height = 30, .channels = 1, .bits = 16, .rows = rows, .orientation = 6};
    for (int kind = 0; kind < 4; kind++) {
        test_bytes whole = kind < 2 ? test_png(&input, &(test_png_options){.interlaced = kind == 1, .key = -1})
                                    : test_tiff(&input, &(test_tiff_options){.tiled = kind == 3});
        icseg_mask mask;
        icseg_error error;
        for (size_t size = 0, step; size < whole.size; size += step) {
            bool tail = size + 64 > whole.size; /* the data after a TIFF's directory */
            step = tail ? 1 : 29;
            test_write(path, (test_bytes){whole.data, size});
            icseg_status status = icseg_mask_read(&mask, path, &error);
            if (status == ICSEG_OK && (kind < 2 || !tail))
                fail_msg("kind %d: %zu of %zu bytes were read", kind, size, whole.size);
            if (status != ICSEG_OK) {
                assert_non_null(strstr(error.message, path));
                assert_null(mask.data);
            }
            icseg_mask_close(&mask);
        }
        for (int round = 0; round < 150; round++) {
            size_t at = icseg_rng_below(&rng, round % 2 ? whole.size : 40);
            unsigned char old = whole.data[at];
            whole.data[at] ^= (unsigned char)(1u << icseg_rng_below(&rng, 8));
            test_write(path, whole);
            if (icseg_mask_read(&mask, path, &error) != ICSEG_OK) assert_non_null(strstr(error.message, path));
            icseg_mask_close(&mask);
            whole.data[at] = old;
        }
        test_write(path, whole);
        icseg_status last = ICSEG_ERROR_MEMORY;
        int failures = 0;
        for (int n = 0; n < 60; n++) {
            icseg_memory_fail_after(n);
            last = icseg_mask_read(&mask, path, &error);
            icseg_memory_fail_after(-1);
            if (last != ICSEG_OK) {
                assert_int_equal(last, ICSEG_ERROR_MEMORY);
                assert_non_null(strstr(error.message, path));
                assert_null(mask.data);
                failures++;
            }
            icseg_mask_close(&mask);
        }
        assert_int_equal(last, ICSEG_OK);
        assert_true(failures >= (kind < 2 ? 8 : 4)); /* libpng's allocations are among them */
        free(whole.data);
    }
}

static void labels_are_written_with_the_palette_or_in_16_bits(void **state) {
    (void)state;
    static const int32_t sizes[] = {1, 11, 255, 256, 847};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        icseg_labels labels;
        icseg_palette palette;
        icseg_mask mask;
        icseg_error error = {0};
        assert_int_equal(icseg_labels_create(&labels, 31, 17, NULL), ICSEG_OK);
        assert_int_equal(icseg_palette_create(&palette, sizes[k], NULL), ICSEG_OK);
        for (int i = 0; i < 31 * 17; i++) labels.data[i] = (int16_t)(i % 5 ? i * 37 % sizes[k] : ICSEG_LABEL_IGNORE);
        if (icseg_labels_write_png(&labels, &palette, path, &error) != ICSEG_OK) fail_msg("%s", error.message);
        assert_int_equal(icseg_mask_read(&mask, path, &error), ICSEG_OK);
        bool wide = sizes[k] > 255;
        assert_int_equal(mask.bits, wide ? 16 : 8);
        for (int i = 0; i < 31 * 17; i++)
            assert_int_equal(mask.data[i], labels.data[i] >= 0 ? labels.data[i] : wide ? 65535 : 255);
        if (!wide) assert_memory_equal(mask.palette, palette.color, (size_t)sizes[k] * 3);
        icseg_mask_close(&mask);
        labels.data[40] = (int16_t)sizes[k];
        assert_int_equal(icseg_labels_write_png(&labels, &palette, path, &error), ICSEG_ERROR_DATA);
        assert_non_null(strstr(error.message, "at x 9, y 1"));
        assert_int_equal(icseg_mask_read(&mask, path, &error), ICSEG_OK); /* the old file stays */
        icseg_mask_close(&mask);
        icseg_labels_close(&labels);
        icseg_palette_close(&palette);
    }
}

static void labels_are_resized_to_the_nearest_centre(void **state) {
    (void)state;
    static const int sizes[][4] = {{7, 5, 14, 10}, {14, 10, 7, 5}, {9, 4, 9, 4},
                                   {5, 3, 13, 8},  {1, 1, 4, 4},   {33, 20, 10, 7}};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        icseg_labels in, out;
        int w = sizes[k][2], h = sizes[k][3];
        assert_int_equal(icseg_labels_create(&in, sizes[k][0], sizes[k][1], NULL), ICSEG_OK);
        for (int i = 0; i < in.width * in.height; i++) in.data[i] = (int16_t)(i - 1);
        assert_int_equal(icseg_labels_resize(&out, &in, w, h, NULL), ICSEG_OK);
        for (int y = 0; y < h; y++)
            for (int x = 0; x < w; x++) {
                int from_x = (int)((x + 0.5) * in.width / w), from_y = (int)((y + 0.5) * in.height / h);
                assert_int_equal(out.data[y * w + x], in.data[from_y * in.width + from_x]);
            }
        icseg_labels_close(&out);
        for (int n = 0; n < 2; n++) {
            icseg_memory_fail_after(n);
            assert_int_equal(icseg_labels_resize(&out, &in, w, h, NULL), ICSEG_ERROR_MEMORY);
            icseg_memory_fail_after(-1);
            assert_null(out.data);
        }
        icseg_labels_close(&in);
    }
}

static void confidence_is_16_bit_grey(void **state) {
    (void)state;
    const float values[6] = {0, 1, 0.5f, -3, 7, NAN};
    const int expected[6] = {0, 65535, 32768, 0, 65535, 0};
    icseg_mask mask;
    assert_int_equal(icseg_confidence_write_png(values, 3, 2, path, NULL), ICSEG_OK);
    assert_int_equal(icseg_mask_read(&mask, path, NULL), ICSEG_OK);
    assert_int_equal(mask.bits, 16);
    for (int i = 0; i < 6; i++) assert_int_equal(mask.data[i], expected[i]);
    icseg_mask_close(&mask);
    assert_int_equal(icseg_confidence_write_png(values, 0, 2, path, NULL), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_confidence_write_png(values, 3, 2, "/proc/c.png", NULL), ICSEG_ERROR_IO);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(png_values_are_indices_or_unscaled_grey),
        cmocka_unit_test(tiff_strips_and_tiles_are_read),
        cmocka_unit_test(colour_and_lossy_files_are_refused_with_the_remedy),
        cmocka_unit_test(truncated_and_damaged_masks_are_errors),
        cmocka_unit_test(labels_are_written_with_the_palette_or_in_16_bits),
        cmocka_unit_test(labels_are_resized_to_the_nearest_centre),
        cmocka_unit_test(confidence_is_16_bit_grey),
    };
    return cmocka_run_group_tests_name("mask", tests, open_folder, test_scratch_close);
}
