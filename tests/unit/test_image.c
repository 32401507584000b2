/* SPDX-License-Identifier: Apache-2.0
 * image/: reading every format and its variants, hostile files, resizing, encoding. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <cmocka.h>

#include <png.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/rng.h"
#include "icseg/image.h"
#include "support/image_files.h"

static icseg_status read_bytes(icseg_image *out, test_bytes bytes, icseg_error *error) {
    return icseg_image_read_memory(out, bytes.data, bytes.size, "test.file", error);
}

/* Reads and frees the bytes; the image must be readable. */
static icseg_image must_read(test_bytes bytes) {
    icseg_image image;
    icseg_error error = {0};
    icseg_status status = read_bytes(&image, bytes, &error);
    if (status != ICSEG_OK) fail_msg("%s", error.message);
    free(bytes.data);
    return image;
}

static void assert_near(const uint8_t *pixel, int r, int g, int b, int tolerance) {
    const int expected[3] = {r, g, b};
    for (int i = 0; i < 3; i++)
        if (abs(pixel[i] - expected[i]) > tolerance)
            fail_msg("(%d, %d, %d) instead of (%d, %d, %d)", pixel[0], pixel[1], pixel[2], r, g, b);
}

/* Smooth colours with some texture: (height, width, 3). Freed with free. */
static uint8_t *make_photo(int width, int height) {
    uint8_t *rows = malloc((size_t)width * (size_t)height * 3);
    icseg_rng rng = icseg_rng_open(5, ICSEG_RNG_TEST, 0);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            uint8_t *p = rows + ((size_t)y * (size_t)width + (size_t)x) * 3;
            p[0] = (uint8_t)(255 * x / width);
            p[1] = (uint8_t)(255 * y / height);
            p[2] = (uint8_t)(100 + icseg_rng_below(&rng, 60));
        }
    return rows;
}

static const test_png_options rgb_png = {.type = PNG_COLOR_TYPE_RGB, .key = -1};
static const test_jpeg_options best_jpeg = {.quality = 100};
static const test_tiff_options plain_tiff = {0};

static void jpeg_is_read_grey_colour_progressive_and_with_restarts(void **state) {
    (void)state;
    uint8_t grey[16 * 8];
    for (int i = 0; i < 16 * 8; i++) grey[i] = (uint8_t)(i % 16 * 16);
    icseg_image image =
        must_read(test_jpeg(&(test_pixels){.width = 16, .height = 8, .channels = 1, .rows = grey}, &best_jpeg));
    assert_int_equal(image.width, 16);
    assert_int_equal(image.height, 8);
    for (int i = 0; i < 16 * 8; i++) assert_near(image.data + 3 * i, grey[i], grey[i], grey[i], 2);
    icseg_image_close(&image);
    assert_null(image.data);

    uint8_t *photo = make_photo(61, 43);
    for (int variant = 0; variant < 4; variant++) {
        test_jpeg_options options = {.quality = 98, .progressive = variant & 1, .restart_rows = variant / 2};
        image = must_read(test_jpeg(&(test_pixels){.width = 61, .height = 43, .channels = 3, .rows = photo}, &options));
        double error = 0;
        for (int i = 0; i < 61 * 43 * 3; i++) error += abs(image.data[i] - photo[i]);
        assert_true(error / (61 * 43 * 3) < 2);
        icseg_image_close(&image);
    }
    free(photo);
}

static void cmyk_and_ycck_jpeg_have_the_right_colours(void **state) {
    (void)state;
    /* Stored is 255 - ink, with and without Adobe's marker. Cyan 255 ink, magenta 128, yellow 0, black 51:
     * (0, 127 * .8, 204). */
    for (int adobe = 0; adobe < 2; adobe++)
        for (int ycck = 0; ycck < 2; ycck++) {
            if (ycck && !adobe) continue; /* without the marker YCCK cannot be recognised */
            uint8_t rows[16 * 16 * 4];
            for (int i = 0; i < 16 * 16; i++) {
                const uint8_t ink[4] = {255, 128, 0, 51};
                for (int k = 0; k < 4; k++) rows[4 * i + k] = (uint8_t)(255 - ink[k]);
            }
            test_jpeg_options options = {.quality = 100, .ycck = ycck, .adobe = adobe};
            icseg_image image =
                must_read(test_jpeg(&(test_pixels){.width = 16, .height = 16, .channels = 4, .rows = rows}, &options));
            for (int i = 0; i < 16 * 16; i++) assert_near(image.data + 3 * i, 0, 102, 204, 3);
            icseg_image_close(&image);
        }
}

/* Every colour type, depth and interlacing, against values computed from the packed rows. */
static void png_is_read_in_every_colour_type_and_depth(void **state) {
    (void)state;
    static const struct {
        int type, bits, channels;
    } kinds[] = {
        {PNG_COLOR_TYPE_GRAY, 1, 1},      {PNG_COLOR_TYPE_GRAY, 2, 1},       {PNG_COLOR_TYPE_GRAY, 4, 1},
        {PNG_COLOR_TYPE_GRAY, 8, 1},      {PNG_COLOR_TYPE_GRAY, 16, 1},      {PNG_COLOR_TYPE_PALETTE, 1, 1},
        {PNG_COLOR_TYPE_PALETTE, 2, 1},   {PNG_COLOR_TYPE_PALETTE, 4, 1},    {PNG_COLOR_TYPE_PALETTE, 8, 1},
        {PNG_COLOR_TYPE_RGB, 8, 3},       {PNG_COLOR_TYPE_RGB, 16, 3},       {PNG_COLOR_TYPE_GRAY_ALPHA, 8, 2},
        {PNG_COLOR_TYPE_RGB_ALPHA, 8, 4}, {PNG_COLOR_TYPE_RGB_ALPHA, 16, 4}, {PNG_COLOR_TYPE_GRAY_ALPHA, 16, 2}};
    enum { W = 13, H = 9 };
    icseg_rng rng = icseg_rng_open(1, ICSEG_RNG_TEST, 0);
    uint8_t palette[256][3];
    for (int i = 0; i < 256; i++)
        for (int k = 0; k < 3; k++) palette[i][k] = (uint8_t)icseg_rng_u64(&rng);
    for (size_t kind = 0; kind < 2 * sizeof kinds / sizeof *kinds; kind++) {
        int type = kinds[kind / 2].type, bits = kinds[kind / 2].bits, channels = kinds[kind / 2].channels;
        uint8_t rows[H * W * 8];
        size_t stride = ((size_t)(W * channels * bits) + 7) / 8;
        for (size_t i = 0; i < sizeof rows; i++) rows[i] = (uint8_t)icseg_rng_u64(&rng);
        test_png_options options = {.type = type, .interlaced = kind % 2, .key = -1};
        if (type == PNG_COLOR_TYPE_PALETTE) options.palette = palette, options.palette_size = 1 << bits;
        icseg_image image = must_read(test_png(
            &(test_pixels){.width = W, .height = H, .channels = channels, .bits = bits, .rows = rows}, &options));
        for (int y = 0; y < H; y++)
            for (int x = 0; x < W; x++) {
                double value[4];
                for (int k = 0; k < channels; k++) {
                    int at = (x * channels + k) * bits;
                    const uint8_t *byte = rows + (size_t)y * stride + at / 8;
                    int raw = bits == 16 ? byte[0] << 8 | byte[1] : byte[0] >> (8 - bits - at % 8) & ((1 << bits) - 1);
                    value[k] = type == PNG_COLOR_TYPE_PALETTE ? raw : 255.0 * raw / ((1 << bits) - 1);
                }
                double alpha = channels % 2 ? 1 : value[channels - 1] / 255;
                const uint8_t *got = image.data + (y * W + x) * 3;
                if (type == PNG_COLOR_TYPE_PALETTE)
                    assert_memory_equal(got, palette[(int)value[0]], 3);
                else
                    for (int k = 0; k < 3; k++)
                        assert_true(fabs(got[k] - alpha * value[channels >= 3 ? k : 0]) <= (alpha < 1 ? 1.01 : 0.51));
            }
        icseg_image_close(&image);
    }
}

static void transparent_pixels_of_png_are_black(void **state) {
    (void)state;
    const uint8_t palette[3][3] = {{200, 100, 50}, {10, 20, 30}, {255, 255, 255}}, alpha[2] = {0, 128},
                  indices[3] = {0, 1, 2}, grey[3] = {7, 8, 9};
    icseg_image image = must_read(test_png(
        &(test_pixels){.width = 3, .height = 1, .channels = 1, .bits = 8, .rows = indices},
        &(test_png_options){
            .type = PNG_COLOR_TYPE_PALETTE, .palette = palette, .palette_size = 3, .alpha = alpha, .alpha_size = 2}));
    assert_near(image.data, 0, 0, 0, 0);
    assert_near(image.data + 3, 5, 10, 15, 1);
    assert_near(image.data + 6, 255, 255, 255, 0);
    icseg_image_close(&image);
    image = must_read(test_png(&(test_pixels){.width = 3, .height = 1, .channels = 1, .bits = 8, .rows = grey},
                               &(test_png_options){.type = PNG_COLOR_TYPE_GRAY, .key = 8}));
    assert_near(image.data, 7, 7, 7, 0);
    assert_near(image.data + 3, 0, 0, 0, 0);
    assert_near(image.data + 6, 9, 9, 9, 0);
    icseg_image_close(&image);
}

static void webp_and_tiff_are_read(void **state) {
    (void)state;
    enum { W = 37, H = 23 };
    uint8_t *photo = make_photo(W, H), rgba[W * H * 4];
    uint16_t wide[W * H];
    for (int i = 0; i < W * H; i++) {
        memcpy(rgba + 4 * i, photo + 3 * i, 3);
        rgba[4 * i + 3] = (uint8_t)(i % 256);
        wide[i] = (uint16_t)(i * 77);
    }
    test_pixels rgb = {.width = W, .height = H, .channels = 3, .bits = 8, .rows = photo};
    test_pixels with_alpha = {.width = W, .height = H, .channels = 4, .bits = 8, .rows = rgba};
    icseg_image images[] = {must_read(test_webp(&rgb)), must_read(test_tiff(&rgb, &plain_tiff)),
                            must_read(test_tiff(&rgb, &(test_tiff_options){.tiled = true, .deflate = true})),
                            must_read(test_webp(&with_alpha)),
                            must_read(test_tiff(&with_alpha, &(test_tiff_options){.alpha = true}))};
    for (int k = 0; k < 5; k++) {
        assert_int_equal(images[k].width, W);
        assert_int_equal(images[k].height, H);
        for (int i = 0; i < W * H; i++)
            for (int c = 0; c < 3; c++) {
                double expected = k < 3 ? photo[3 * i + c] : photo[3 * i + c] * (i % 256) / 255.0;
                assert_true(fabs(images[k].data[3 * i + c] - expected) <= (k < 3 ? 0 : 1.01));
            }
        icseg_image_close(&images[k]);
    }
    icseg_image image = must_read(
        test_tiff(&(test_pixels){.width = W, .height = H, .channels = 1, .bits = 16, .rows = wide}, &plain_tiff));
    for (int i = 0; i < W * H; i++) assert_near(image.data + 3 * i, wide[i] >> 8, wide[i] >> 8, wide[i] >> 8, 1);
    icseg_image_close(&image);
    image = must_read(test_tiff(&(test_pixels){.width = W, .height = H, .channels = 1, .bits = 8, .rows = photo},
                                &(test_tiff_options){.palette = true}));
    for (int i = 0; i < W * H; i++) assert_near(image.data + 3 * i, photo[i], 0, 255, 1);
    icseg_image_close(&image);
    free(photo);
}

/* EXIF says where row 0 and column 0 of the stored image belong in the upright one. */
static void upright_place(int orientation, int width, int height, int x, int y, int *out_x, int *out_y) {
    static const struct {
        int swapped, row_far, column_far;
    } cases[9] = {{0, 0, 0}, {0, 0, 0}, {0, 0, 1}, {0, 1, 1}, {0, 1, 0}, /* top-left, top-right, bottom-right ... */
                  {1, 0, 0}, {1, 1, 0}, {1, 1, 1}, {1, 0, 1}};           /* left-top, right-top, right-bottom ... */
    int row = cases[orientation].row_far ? height - 1 - y : y,
        column = cases[orientation].column_far ? width - 1 - x : x;
    *out_x = cases[orientation].swapped ? row : column;
    *out_y = cases[orientation].swapped ? column : row;
}

static void orientation_is_applied_in_every_format(void **state) {
    (void)state;
    enum { W = 24, H = 16 }; /* blocks of 8 x 8 in one colour, which JPEG keeps */
    uint8_t rows[W * H * 3];
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++) memset(rows + (y * W + x) * 3, 40 * (x / 8 + 3 * (y / 8)) + 20, 3);
    char path[] = "/tmp/icseg_exif_XXXXXX";
    close(mkstemp(path));
    for (int orientation = 1; orientation <= 8; orientation++)
        for (int format = 0; format < 4; format++) {
            test_pixels input = {
                .width = W, .height = H, .channels = 3, .bits = 8, .rows = rows, .orientation = orientation};
            test_bytes bytes = format == 0   ? test_jpeg(&input, &best_jpeg)
                               : format == 1 ? test_png(&input, &rgb_png)
                               : format == 2 ? test_webp(&input)
                                             : test_tiff(&input, &plain_tiff);
            test_write(path, bytes);
            int32_t width, height;
            assert_int_equal(icseg_image_read_size(&width, &height, path, NULL), ICSEG_OK);
            icseg_image image = must_read(bytes);
            assert_int_equal(image.width, orientation >= 5 ? H : W);
            assert_int_equal(image.height, orientation >= 5 ? W : H);
            assert_int_equal(image.width, width);
            assert_int_equal(image.height, height);
            for (int y = 0; y < H; y++)
                for (int x = 0; x < W; x++) {
                    int to_x, to_y, grey = rows[(y * W + x) * 3];
                    upright_place(orientation, W, H, x, y, &to_x, &to_y);
                    assert_near(image.data + (to_y * image.width + to_x) * 3, grey, grey, grey, 1);
                }
            icseg_image_close(&image);
        }
    unlink(path);
}

static void put32(unsigned char *at, uint32_t value) {
    for (int i = 0; i < 4; i++) at[i] = (unsigned char)(value >> (24 - 8 * i));
}

static void oversized_headers_are_refused_at_once(void **state) {
    (void)state;
    icseg_image image;
    icseg_error error;
    uint8_t *photo = make_photo(16, 16);
    test_pixels input = {.width = 16, .height = 16, .channels = 3, .bits = 8, .rows = photo};
    test_bytes png = test_png(&input, &rgb_png), jpeg = test_jpeg(&input, &best_jpeg);
    put32(png.data + 16, 60000);
    put32(png.data + 20, 60000);
    assert_int_equal(read_bytes(&image, png, &error), ICSEG_ERROR_FORMAT);
    assert_non_null(strstr(error.message, "test.file: 60000 x 60000 pixels is too large"));
    assert_null(image.data);
    char path[] = "/tmp/icseg_large_XXXXXX";
    close(mkstemp(path));
    test_write(path, png);
    int32_t width = 1, height = 1;
    assert_int_equal(icseg_image_read_size(&width, &height, path, &error), ICSEG_ERROR_FORMAT);
    assert_int_equal(width, 0);
    unlink(path);
    put32(png.data + 16, 16000); /* within the limits, but 300 bytes cannot hold it: no 768 MB are taken */
    put32(png.data + 20, 16000);
    assert_int_equal(read_bytes(&image, png, &error), ICSEG_ERROR_FORMAT);
    assert_non_null(strstr(error.message, "cannot be in"));
    put32(png.data + 16, 0);
    assert_int_equal(read_bytes(&image, png, &error), ICSEG_ERROR_FORMAT);
    for (size_t i = 0; i + 9 < jpeg.size; i++)
        if (jpeg.data[i] == 0xff && jpeg.data[i + 1] == 0xc0) memset(jpeg.data + i + 5, 0xff, 4);
    assert_int_equal(read_bytes(&image, jpeg, &error), ICSEG_ERROR_FORMAT);
    assert_non_null(strstr(error.message, "65535 x 65535"));
    for (size_t i = 0; i + 9 < jpeg.size; i++)
        if (jpeg.data[i] == 0xff && jpeg.data[i + 1] == 0xc0) put32(jpeg.data + i + 5, 16000u << 16 | 16000u);
    assert_int_equal(read_bytes(&image, jpeg, &error), ICSEG_ERROR_FORMAT);
    assert_non_null(strstr(error.message, "cannot be in"));
    free(png.data);
    free(jpeg.data);
    free(photo);
}

static void files_that_are_no_images_are_named(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        const char *text;
    } cases[] = {{"", 0, "the file is empty"},
                 {"hello, world, this is text", 26, "starts with \"hello, world\""},
                 {"P6\n8 8", 6, "the data ends too early"},
                 {"0123456789ab\x00", 13, "starts with \"0123456789ab\""},
                 {"0123456789a\x00", 12, "starts with 30 31 32 33 34 35 36 37 38 39 61 00"},
                 {"\x00\x01\xfe", 3, "starts with 00 01 fe"},
                 {"GIF89a......", 12, "a/b.jpg"},
                 {"....ftypheic", 12, "a/b.jpg"},
                 {"\xff\x0a..........", 12, "it is a JPEG XL"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        icseg_image image;
        icseg_error error;
        icseg_status status = icseg_image_read_memory(&image, cases[i].bytes, cases[i].size, "a/b.jpg", &error);
        assert_true(status == ICSEG_ERROR_FORMAT || status == ICSEG_ERROR_UNSUPPORTED);
        assert_non_null(strstr(error.message, "a/b.jpg: "));
        if (!strstr(error.message, cases[i].text)) fail_msg("%s", error.message);
    }
    icseg_image image;
    icseg_error error;
    assert_int_equal(icseg_image_read(&image, "/nonexistent/x.png", &error), ICSEG_ERROR_IO);
    assert_int_equal(icseg_image_read(&image, "/tmp", &error), ICSEG_ERROR_IO);
}

enum { FORMATS = 7 };

static test_bytes make_file(int format, const uint8_t *photo, int width, int height) {
    test_pixels p = {.width = width, .height = height, .channels = 3, .bits = 8, .rows = photo, .orientation = 6};
    switch (format) {
    case 0: return test_jpeg(&p, &(test_jpeg_options){.quality = 90});
    case 1: return test_jpeg(&p, &(test_jpeg_options){.quality = 90, .progressive = true});
    case 2: return test_jpeg(&p, &(test_jpeg_options){.quality = 90, .restart_rows = 1});
    case 3: return test_png(&p, &rgb_png);
    case 4: return test_png(&p, &(test_png_options){.type = PNG_COLOR_TYPE_RGB, .interlaced = true, .key = -1});
    case 5: return test_webp(&p);
    default: return test_tiff(&p, &(test_tiff_options){.deflate = true});
    }
}

static void truncated_files_are_errors_that_name_the_file(void **state) {
    (void)state;
    uint8_t *photo = make_photo(64, 48);
    for (int format = 0; format < FORMATS; format++) {
        test_bytes whole = make_file(format, photo, 64, 48);
        for (size_t size = 0; size<whole.size; size += size + 64> whole.size ? 1 : 13) {
            unsigned char *part = malloc(size + 1); /* a block of that size, so that the sanitizer sees reads beyond */
            memcpy(part, whole.data, size);
            icseg_image image;
            icseg_error error = {0};
            icseg_status status = icseg_image_read_memory(&image, part, size, "part.img", &error);
            /* What follows the pixels may be missing: a single-scan JPEG's end marker, WebP's EXIF chunk, and what a
             * TIFF keeps at its end. */
            bool allowed = (format == 0 || format == 2) ? size + 3 > whole.size
                           : format >= 5                ? size + 64 > whole.size
                                                        : false;
            if (status == ICSEG_OK && !allowed)
                fail_msg("format %d: %zu of %zu bytes were read", format, size, whole.size);
            if (status != ICSEG_OK) {
                assert_non_null(strstr(error.message, "part.img: "));
                assert_null(strstr(error.message, "4294967295")); /* -1, where libtiff does not know the row */
                assert_null(image.data);
            }
            icseg_image_close(&image);
            free(part);
        }
        free(whole.data);
    }
    free(photo);
}

static void damaged_files_never_crash(void **state) {
    (void)state;
    uint8_t *photo = make_photo(40, 32);
    icseg_rng rng = icseg_rng_open(9, ICSEG_RNG_TEST, 0);
    for (int format = 0; format < FORMATS; format++) {
        test_bytes file = make_file(format, photo, 40, 32);
        unsigned char *copy = malloc(file.size);
        for (int round = 0; round < 400; round++) {
            memcpy(copy, file.data, file.size);
            uint64_t flips = 1 + icseg_rng_below(&rng, 4), reach = round % 2 ? file.size : 64;
            for (uint64_t i = 0; i < flips; i++)
                copy[icseg_rng_below(&rng, reach < file.size ? reach : file.size)] ^=
                    (unsigned char)(1u << icseg_rng_below(&rng, 8));
            icseg_image image;
            icseg_error error = {0};
            icseg_status status = icseg_image_read_memory(&image, copy, file.size, "flip", &error);
            if (status == ICSEG_OK)
                assert_true(image.width >= 1 && image.height >= 1 && image.data);
            else
                assert_non_null(strstr(error.message, "flip"));
            icseg_image_close(&image);
        }
        free(copy);
        free(file.data);
    }
    free(photo);
}

static void a_missing_end_marker_is_no_loss_in_a_single_scan(void **state) {
    (void)state;
    uint8_t *photo = make_photo(32, 32);
    icseg_image image;
    icseg_error error;
    test_bytes single = make_file(0, photo, 32, 32), progressive = make_file(1, photo, 32, 32);
    single.size -= 2;
    progressive.size -= 2;
    assert_int_equal(read_bytes(&image, single, &error), ICSEG_OK);
    icseg_image_close(&image);
    assert_int_equal(read_bytes(&image, progressive, &error), ICSEG_ERROR_FORMAT);
    assert_non_null(strstr(error.message, "ends too early"));
    free(single.data);
    free(progressive.data);
    free(photo);
}

static void reading_survives_every_failed_allocation(void **state) {
    (void)state;
    uint8_t *photo = make_photo(20, 12);
    for (int format = 0; format < FORMATS; format++) {
        test_bytes file = make_file(format, photo, 20, 12);
        icseg_status status = ICSEG_ERROR_MEMORY;
        int failures = 0;
        for (int n = 0; n < 60; n++) {
            icseg_image image;
            icseg_error error = {0};
            icseg_memory_fail_after(n);
            status = read_bytes(&image, file, &error);
            icseg_memory_fail_after(-1);
            if (status != ICSEG_OK) {
                assert_int_equal(status, ICSEG_ERROR_MEMORY);
                assert_non_null(strstr(error.message, "test.file"));
                assert_null(image.data);
                failures++;
            }
            icseg_image_close(&image);
        }
        assert_int_equal(status, ICSEG_OK);
        assert_true(failures >= (format == 3 || format == 4 ? 7 : 2)); /* libpng's allocations are among them */
        free(file.data);
    }
    free(photo);
}

static void threads_read_the_same_image(void **state) {
    (void)state;
    uint8_t *photo = make_photo(64, 48);
    int wrong = 0;
    for (int format = 0; format < FORMATS; format++) {
        test_bytes file = make_file(format, photo, 64, 48);
        icseg_image first;
        assert_int_equal(read_bytes(&first, file, NULL), ICSEG_OK);
#pragma omp parallel for num_threads(4) reduction(+ : wrong)
        for (int i = 0; i < 16; i++) {
            icseg_image image, none;
            icseg_error error;
            wrong += read_bytes(&image, file, &error) != ICSEG_OK || memcmp(image.data, first.data, 64 * 48 * 3) != 0 ||
                     icseg_image_read_memory(&none, file.data, file.size / 2, "half", &error) == ICSEG_OK;
            icseg_image_close(&image);
        }
        icseg_image_close(&first);
        free(file.data);
    }
    assert_int_equal(wrong, 0);
    free(photo);
}

/* PyTorch's formula (align_corners=False), in double. */
static double sample(const icseg_image *image, double x, double y, int channel) {
    x = fmax(x, 0);
    y = fmax(y, 0);
    int x0 = (int)x, y0 = (int)y, x1 = x0 + 1 < image->width ? x0 + 1 : x0, y1 = y0 + 1 < image->height ? y0 + 1 : y0;
    double fx = x - x0, fy = y - y0;
    const uint8_t *d = image->data;
    int w = image->width;
    return (1 - fy) * ((1 - fx) * d[(y0 * w + x0) * 3 + channel] + fx * d[(y0 * w + x1) * 3 + channel]) +
           fy * ((1 - fx) * d[(y1 * w + x0) * 3 + channel] + fx * d[(y1 * w + x1) * 3 + channel]);
}

static void resize_is_bilinear_with_half_pixel_centres(void **state) {
    (void)state;
    static const int sizes[][4] = {{37, 29, 80, 61}, {80, 60, 31, 47}, {16, 16, 8, 8},  {16, 16, 32, 32},
                                   {5, 7, 5, 9},     {1, 1, 13, 4},    {64, 3, 1, 1},   {9, 9, 9, 9},
                                   {100, 2, 3, 200}, {2, 100, 7, 3},   {33, 33, 34, 34}};
    icseg_rng rng = icseg_rng_open(3, ICSEG_RNG_TEST, 0);
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        icseg_image in, out;
        int w = sizes[k][2], h = sizes[k][3];
        assert_int_equal(icseg_image_create(&in, sizes[k][0], sizes[k][1], NULL), ICSEG_OK);
        for (int i = 0; i < in.width * in.height * 3; i++) in.data[i] = (uint8_t)icseg_rng_u64(&rng);
        assert_int_equal(icseg_image_resize(&out, &in, w, h, NULL), ICSEG_OK);
        for (int y = 0; y < h; y++)
            for (int x = 0; x < w; x++)
                for (int c = 0; c < 3; c++) {
                    double expected = sample(&in, (x + 0.5) * in.width / w - 0.5, (y + 0.5) * in.height / h - 0.5, c);
                    assert_true(fabs(out.data[(y * w + x) * 3 + c] - expected) <= 0.75);
                }
        icseg_image_close(&out);
        for (int n = 0; n < 3; n++) { /* the image, its rows, its weights */
            if (w == in.width && h == in.height && n > 0) break;
            icseg_memory_fail_after(n);
            assert_int_equal(icseg_image_resize(&out, &in, w, h, NULL), ICSEG_ERROR_MEMORY);
            icseg_memory_fail_after(-1);
            assert_null(out.data);
        }
        icseg_image_close(&in);
    }
    icseg_image in, out;
    assert_int_equal(icseg_image_create(&in, 4, 4, NULL), ICSEG_OK);
    assert_int_equal(icseg_image_resize(&out, &in, 0, 4, NULL), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_image_resize(&out, &in, 4, ICSEG_IMAGE_MAX_SIDE + 1, NULL), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_image_resize(&out, &(icseg_image){0}, 4, 4, NULL), ICSEG_ERROR_ARGUMENT);
    icseg_image_close(&in);
}

static void encoded_images_come_back(void **state) {
    (void)state;
    uint8_t *photo = make_photo(50, 33);
    icseg_image image = {.width = 50, .height = 33, .data = photo}, back;
    void *data;
    size_t size;
    icseg_error error;
    assert_int_equal(icseg_image_encode_png(&image, &data, &size, &error), ICSEG_OK);
    assert_int_equal(icseg_image_read_memory(&back, data, size, "back", &error), ICSEG_OK);
    assert_memory_equal(back.data, photo, 50 * 33 * 3);
    icseg_image_close(&back);
    icseg_buffer_free(data);
    assert_int_equal(icseg_image_encode_jpeg(&image, 95, &data, &size, &error), ICSEG_OK);
    assert_int_equal(icseg_image_read_memory(&back, data, size, "back", &error), ICSEG_OK);
    assert_int_equal(back.width, 50);
    icseg_image_close(&back);
    icseg_buffer_free(data);
    assert_int_equal(icseg_image_encode_jpeg(&image, 0, &data, &size, &error), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_image_encode_png(&(icseg_image){0}, &data, &size, &error), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_image_write_png(&(icseg_image){0}, "a/b.png", &error), ICSEG_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "icseg_image_write_png: image is empty"));
    free(photo);
}

static void encoding_survives_every_failed_allocation(void **state) {
    (void)state;
    uint8_t *photo = make_photo(50, 33);
    icseg_image image = {.width = 50, .height = 33, .data = photo};
    for (int png = 0; png < 2; png++) {
        icseg_status status = ICSEG_ERROR_MEMORY;
        int failures = 0;
        for (int n = 0; n < 60; n++) {
            void *data;
            size_t size;
            icseg_memory_fail_after(n);
            status = png ? icseg_image_encode_png(&image, &data, &size, NULL)
                         : icseg_image_encode_jpeg(&image, 90, &data, &size, NULL);
            icseg_memory_fail_after(-1);
            assert_true(status == ICSEG_OK || status == ICSEG_ERROR_MEMORY);
            assert_true((data != NULL) == (status == ICSEG_OK));
            failures += status != ICSEG_OK;
            icseg_buffer_free(data);
        }
        assert_int_equal(status, ICSEG_OK);
        assert_true(failures >= (png ? 9 : 2)); /* libpng's and zlib's allocations are among them */
    }
    free(photo);
}

static void failed_writes_leave_the_old_file(void **state) {
    (void)state;
    uint8_t *photo = make_photo(200, 200);
    icseg_image image = {.width = 200, .height = 200, .data = photo}, back;
    char folder[] = "/tmp/icseg_write_XXXXXX", path[64];
    icseg_error error;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/a.png", folder);
    assert_int_equal(icseg_image_write_jpeg(&image, path, 90, &error), ICSEG_OK);
    struct rlimit old, small; /* simulates a disk that is full after 100 bytes */
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = 100;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    icseg_status png = icseg_image_write_png(&image, path, &error);
    icseg_status jpeg = icseg_image_write_jpeg(&image, path, 90, &error);
    setrlimit(RLIMIT_FSIZE, &old);
    signal(SIGXFSZ, handler);
    assert_int_equal(png, ICSEG_ERROR_IO);
    assert_int_equal(jpeg, ICSEG_ERROR_IO);
    assert_non_null(strstr(error.message, path));
    assert_int_equal(icseg_image_read(&back, path, &error), ICSEG_OK);
    icseg_image_close(&back);
    char **names;
    size_t count;
    assert_int_equal(icseg_folder_list(folder, &names, &count, NULL), ICSEG_OK);
    assert_int_equal(count, 1); /* no temporary file is left */
    icseg_free(names);
    unlink(path);
    assert_int_equal(rmdir(folder), 0);
    assert_int_equal(icseg_image_write_png(&image, path, &error), ICSEG_ERROR_IO); /* the folder is gone */
    assert_int_equal(icseg_image_write_png(&image, "/proc/a.png", &error), ICSEG_ERROR_IO);
    free(photo);
}

static void null_and_empty_arguments_are_refused(void **state) {
    (void)state;
    icseg_image image, none = {0}, half = {.width = 4, .height = 4};
    icseg_labels labels, no_labels = {0};
    icseg_mask mask;
    icseg_palette palette, no_palette = {0};
    icseg_error error;
    int32_t width, height;
    void *bytes;
    size_t size;
    assert_int_equal(icseg_image_create(&image, 2, 2, NULL), ICSEG_OK);
    assert_int_equal(icseg_labels_create(&labels, 2, 2, NULL), ICSEG_OK);
    assert_int_equal(icseg_palette_create(&palette, 2, NULL), ICSEG_OK);
    const icseg_status results[] = {
        icseg_image_read(NULL, "a", &error),
        icseg_image_read(&none, NULL, &error),
        icseg_image_read_memory(NULL, "a", 1, "a", &error),
        icseg_image_read_memory(&none, NULL, 1, "a", &error),
        icseg_image_read_size(NULL, &height, "a", &error),
        icseg_image_read_size(&width, NULL, "a", &error),
        icseg_image_read_size(&width, &height, NULL, &error),
        icseg_image_create(NULL, 1, 1, &error),
        icseg_image_create(&none, 0, 1, &error),
        icseg_image_create(&none, 1, -1, &error),
        icseg_image_create(&none, INT32_MIN, INT32_MIN, &error),
        icseg_image_write_png(NULL, "a", &error),
        icseg_image_write_png(&half, "a", &error),
        icseg_image_write_png(&image, NULL, &error),
        icseg_image_write_jpeg(NULL, "a", 90, &error),
        icseg_image_write_jpeg(&image, NULL, 90, &error),
        icseg_image_write_jpeg(&image, "a", 0, &error),
        icseg_image_encode_jpeg(NULL, 90, &bytes, &size, &error),
        icseg_image_encode_jpeg(&image, 90, NULL, &size, &error),
        icseg_image_encode_jpeg(&image, 101, &bytes, &size, &error),
        icseg_image_encode_png(&image, &bytes, NULL, &error),
        icseg_image_encode_png(&none, &bytes, &size, &error),
        icseg_image_resize(NULL, &image, 1, 1, &error),
        icseg_image_resize(&none, NULL, 1, 1, &error),
        icseg_image_resize(&none, &half, 1, 1, &error),
        icseg_image_resize(&image, &image, 1, 1, &error),
        icseg_image_resize(&none, &image, 0, 1, &error),
        icseg_image_resize(&none, &image, 1, -5, &error),
        icseg_mask_read(NULL, "a", &error),
        icseg_mask_read(&mask, NULL, &error),
        icseg_labels_write_png(NULL, &palette, "a", &error),
        icseg_labels_write_png(&no_labels, &palette, "a", &error),
        icseg_labels_write_png(&labels, NULL, "a", &error),
        icseg_labels_write_png(&labels, &no_palette, "a", &error),
        icseg_labels_write_png(&labels, &palette, NULL, &error),
        icseg_labels_create(NULL, 1, 1, &error),
        icseg_labels_create(&no_labels, 1, 0, &error),
        icseg_labels_resize(&labels, &labels, 1, 1, &error),
        icseg_labels_resize(&no_labels, NULL, 1, 1, &error),
        icseg_labels_resize(&no_labels, &labels, 1, 0, &error),
        icseg_confidence_write_png(NULL, 1, 1, "a", &error),
        icseg_confidence_write_png(&(float){0}, 0, 1, "a", &error),
        icseg_confidence_write_png(&(float){0}, 1, -1, "a", &error),
        icseg_confidence_write_png(&(float){0}, 1, 1, NULL, &error),
    };
    for (size_t i = 0; i < sizeof results / sizeof *results; i++)
        if (results[i] != ICSEG_ERROR_ARGUMENT) fail_msg("call %zu: %s", i, icseg_status_name(results[i]));
    assert_non_null(image.data); /* an output that is also an input stays when it is refused */
    assert_non_null(labels.data);
    icseg_image_close(&image);
    icseg_labels_close(&labels);
    icseg_palette_close(&palette);
    icseg_image_close(NULL);
    icseg_labels_close(NULL);
    icseg_mask_close(NULL);
    icseg_palette_close(NULL);
    assert_int_equal(icseg_image_read_memory(&image, "x", 1, NULL, &error), ICSEG_ERROR_FORMAT);
    assert_non_null(strstr(error.message, "image: not an image"));
}

static void a_caller_limits_the_pixels(void **state) {
    (void)state;
    uint8_t *photo = make_photo(50, 33);
    icseg_image image = {.width = 50, .height = 33, .data = photo}, back;
    icseg_error error;
    void *data;
    size_t size;
    assert_int_equal(icseg_image_encode_png(&image, &data, &size, NULL), ICSEG_OK);
    icseg_image_input input = {ICSEG_IMAGE_INPUT_INIT, .data = data, .size = size, .max_pixels = 50 * 33};
    assert_int_equal(icseg_image_load(&back, &input, NULL, &error), ICSEG_OK);
    icseg_image_close(&back);
    input.max_pixels--;
    assert_int_equal(icseg_image_load(&back, &input, NULL, &error), ICSEG_ERROR_FORMAT);
    assert_string_equal(error.field, "max_pixels");
    assert_string_equal(error.message, "image: 50 x 33 pixels is too large: at most 1649 pixels are allowed");
    input.max_pixels = -1;
    assert_int_equal(icseg_image_load(&back, &input, NULL, &error), ICSEG_ERROR_ARGUMENT);
    icseg_buffer_free(data);
    free(photo);
}

/* Beyond one block of the encoder. */
static void a_large_jpeg_is_written_whole(void **state) {
    (void)state;
    enum { SIDE = 700 };
    uint8_t *photo = make_photo(SIDE, SIDE);
    icseg_image image = {.width = SIDE, .height = SIDE, .data = photo}, back;
    icseg_error error;
    void *bytes;
    size_t size;
    double difference = 0;
    assert_int_equal(icseg_image_encode_jpeg(&image, 100, &bytes, &size, &error), ICSEG_OK);
    assert_true(size > 200000);
    assert_int_equal(icseg_image_read_memory(&back, bytes, size, "large.jpg", &error), ICSEG_OK);
    assert_true(back.width == SIDE && back.height == SIDE);
    for (int i = 0; i < SIDE * SIDE * 3; i++) difference += abs(back.data[i] - photo[i]);
    assert_true(difference / (SIDE * SIDE * 3) < 10); /* the noise in blue suffers from its coarser grid */
    double green = 0;
    for (int i = 0; i < SIDE * SIDE; i++) green += abs(back.data[3 * i + 1] - photo[3 * i + 1]);
    assert_true(green / (SIDE * SIDE) < 10);
    icseg_image_close(&back);
    icseg_buffer_free(bytes);
    free(photo);
}

/* The extended header of an animation of 5 x 4 pixels. */
static void an_animated_webp_is_refused(void **state) {
    (void)state;
    static const unsigned char file[] = {'R', 'I', 'F', 'F', 22, 0, 0, 0, 'W', 'E', 'B', 'P', 'V', 'P', '8',
                                         'X', 10,  0,   0,   0,  2, 0, 0, 0,   4,   0,   0,   3,   0,   0};
    icseg_image image;
    icseg_error error;
    assert_int_equal(icseg_image_read_memory(&image, file, sizeof file, "moving.webp", &error),
                     ICSEG_ERROR_UNSUPPORTED);
    assert_string_equal(error.message, "moving.webp: an animated WebP; save the frame as a still image");
    assert_null(image.data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jpeg_is_read_grey_colour_progressive_and_with_restarts),
        cmocka_unit_test(cmyk_and_ycck_jpeg_have_the_right_colours),
        cmocka_unit_test(png_is_read_in_every_colour_type_and_depth),
        cmocka_unit_test(transparent_pixels_of_png_are_black),
        cmocka_unit_test(webp_and_tiff_are_read),
        cmocka_unit_test(orientation_is_applied_in_every_format),
        cmocka_unit_test(oversized_headers_are_refused_at_once),
        cmocka_unit_test(files_that_are_no_images_are_named),
        cmocka_unit_test(truncated_files_are_errors_that_name_the_file),
        cmocka_unit_test(damaged_files_never_crash),
        cmocka_unit_test(a_missing_end_marker_is_no_loss_in_a_single_scan),
        cmocka_unit_test(reading_survives_every_failed_allocation),
        cmocka_unit_test(threads_read_the_same_image),
        cmocka_unit_test(resize_is_bilinear_with_half_pixel_centres),
        cmocka_unit_test(encoded_images_come_back),
        cmocka_unit_test(encoding_survives_every_failed_allocation),
        cmocka_unit_test(failed_writes_leave_the_old_file),
        cmocka_unit_test(null_and_empty_arguments_are_refused),
        cmocka_unit_test(a_caller_limits_the_pixels),
        cmocka_unit_test(a_large_jpeg_is_written_whole),
        cmocka_unit_test(an_animated_webp_is_refused),
    };
    return cmocka_run_group_tests_name("image", tests, NULL, NULL);
}
