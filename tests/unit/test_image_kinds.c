/* SPDX-License-Identifier: Apache-2.0
 * Files of which a reader could use the wrong part or the wrong meaning without a word: animations, thumbnails before
 * the image, inverted bits, lossy label files, choices that the file does not allow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <png.h>
#ifndef ICSEG_NO_TIFF
#include <tiffio.h>
#endif

#include "base/file.h"
#include "base/memory.h"
#include "icseg/image.h"
#include "support/image_files.h"

static icseg_error error;

static icseg_status load(icseg_image *out, test_bytes file, const icseg_image_values *values, icseg_image_info *info) {
    icseg_image_input input = {ICSEG_IMAGE_INPUT_INIT, .path = "a/test", .data = file.data, .size = file.size,
                               .values = values};
    return icseg_image_load(out, &input, info, &error);
}

static void assert_loads(test_bytes file, const icseg_image_values *values, int width, int height,
                         const uint8_t *expected, icseg_image_note note) {
    icseg_image image;
    icseg_image_info info = {ICSEG_IMAGE_INFO_INIT};
    if (load(&image, file, values, &info) != ICSEG_OK) fail_msg("%s", error.message);
    assert_int_equal(image.width, width);
    assert_int_equal(image.height, height);
    assert_memory_equal(image.data, expected, (size_t)width * (size_t)height * 3);
    assert_int_equal(info.note, note);
    icseg_image_close(&image);
}

static icseg_status read_mask(icseg_mask *out, const void *data, size_t size) {
    char path[] = "/tmp/icseg_kinds_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, size), (ssize_t)size);
    close(fd);
    icseg_status status = icseg_mask_read(out, path, &error);
    unlink(path);
    return status;
}

static void assert_indices(test_bytes file, size_t count, const uint16_t *expected) {
    icseg_mask mask;
    if (read_mask(&mask, file.data, file.size) != ICSEG_OK) fail_msg("%s", error.message);
    assert_int_equal(mask.width * mask.height, count);
    assert_memory_equal(mask.data, expected, count * sizeof *expected);
    icseg_mask_close(&mask);
}

static void assert_no_indices(test_bytes file, const char *text) {
    icseg_mask mask;
    assert_int_equal(read_mask(&mask, file.data, file.size), ICSEG_ERROR_DATA);
    if (!strstr(error.message, text)) fail_msg("\"%s\" is not in: %s", text, error.message);
}

/* ---- animated PNG ---- */

static size_t put_chunk(unsigned char *to, const char *type, const unsigned char *body, size_t size) {
    memcpy(to, (const unsigned char[]){0, 0, 0, (unsigned char)size}, 4);
    memcpy(to + 4, type, 4);
    memcpy(to + 8, body, size);
    memset(to + 8 + size, 0, 4); /* the checksum, which decoders of still images do not need */
    return size + 12;
}

/* A grey pixel of value 7. `frames` is what acTL says, and `shown` whether the pixel is the first frame. */
static test_bytes make_animation(unsigned char frames, bool shown) {
    enum { IHDR_END = 33 };
    static const uint8_t row[] = {7};
    test_bytes png = test_png(&(test_pixels){.width = 1, .height = 1, .channels = 1, .bits = 8, .rows = row},
                              &(test_png_options){.type = PNG_COLOR_TYPE_GRAY, .key = -1});
    unsigned char *data = malloc(png.size + 128);
    size_t size = IHDR_END;
    memcpy(data, png.data, IHDR_END);
    size += put_chunk(data + size, "acTL", (const unsigned char[8]){0, 0, 0, frames}, 8);
    if (shown) size += put_chunk(data + size, "fcTL", (const unsigned char[26]){0}, 26);
    memcpy(data + size, png.data + IHDR_END, png.size - IHDR_END);
    size += png.size - IHDR_END;
    free(png.data);
    return (test_bytes){data, size};
}

static void the_frames_of_a_png_are_noted(void **state) {
    (void)state;
    static const struct {
        unsigned char frames;
        bool shown, several;
    } cases[] = {{1, true, false}, {2, true, true}, {1, false, true}, {0, false, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        test_bytes file = make_animation(cases[i].frames, cases[i].shown);
        assert_loads(file, NULL, 1, 1, (const uint8_t[]){7, 7, 7},
                     cases[i].several ? ICSEG_IMAGE_NOTE_PAGE : ICSEG_IMAGE_NOTE_NONE);
        if (cases[i].several)
            assert_no_indices(file, "an animated PNG where class indices are expected");
        else
            assert_indices(file, 1, (const uint16_t[]){7});
        free(file.data);
    }
}

/* ---- JPEG ---- */

static void unusual_frames_of_a_jpeg_have_a_remedy(void **state) {
    (void)state;
    static const uint8_t row[3 * 8] = {7};
    static const struct {
        unsigned char marker, bits;
        const char *text;
    } cases[] = {{0xc3, 8, "(lossless); save it as an ordinary JPEG or as PNG"},
                 {0xc7, 8, "(hierarchical)"},
                 {0xf7, 8, "(JPEG-LS)"},
                 {0xc1, 12, "(not 8 bits a value)"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        test_bytes file = test_jpeg(&(test_pixels){.width = 8, .height = 1, .channels = 3, .bits = 8, .rows = row},
                                    &(test_jpeg_options){.quality = 90});
        for (size_t at = 2; at + 4 < file.size; at++)
            if (file.data[at] == 0xff && file.data[at + 1] == 0xc0) {
                file.data[at + 1] = cases[i].marker;
                file.data[at + 4] = cases[i].bits;
                break;
            }
        icseg_image image;
        assert_int_equal(load(&image, file, NULL, NULL), ICSEG_ERROR_UNSUPPORTED);
        if (!strstr(error.message, cases[i].text)) fail_msg("%s", error.message);
        free(file.data);
    }
}

/* ---- PBM ---- */

/* Pillow and OpenCV write white as 0 in this format, and as 1 in a PNG of one bit. */
static void white_is_1_in_a_pbm_mask(void **state) {
    (void)state;
    static unsigned char plain[] = "P1 4 1 0 1 1 0", packed[] = "P4 4 1 \x60";
    assert_indices((test_bytes){plain, sizeof plain - 1}, 4, (const uint16_t[]){1, 0, 0, 1});
    assert_indices((test_bytes){packed, sizeof packed - 1}, 4, (const uint16_t[]){1, 0, 0, 1});
}

/* ---- value ranges ---- */

static void a_value_range_does_not_invert(void **state) {
    (void)state;
    static const uint8_t row[] = {0x80, 0};
    test_bytes png = test_png(&(test_pixels){.width = 1, .height = 1, .channels = 1, .bits = 16, .rows = row},
                              &(test_png_options){.type = PNG_COLOR_TYPE_GRAY, .key = -1});
    icseg_image image;
    icseg_image_values values = {ICSEG_IMAGE_VALUES_INIT, .value_low = 4095};
    assert_int_equal(load(&image, png, &values, NULL), ICSEG_ERROR_ARGUMENT);
    assert_string_equal(error.field, "value_range");
    assert_non_null(strstr(error.message, "black is 4095 and white 0, which would invert the image"));
    free(png.data);
}

/* ---- TIFF ---- */

#ifndef ICSEG_NO_TIFF

typedef struct page {
    int width, channels, bits, format, photometric, compression; /* one row */
    int alpha, depth;                                            /* EXTRASAMPLE_* of the last channel; 0: none */
    bool reduced, tiled;                                         /* tiled: 16 x 16 */
    const void *row;
} page;

static void write_page(TIFF *tiff, const page *p) {
    TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, p->width);
    TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, 1);
    TIFFSetField(tiff, TIFFTAG_SAMPLESPERPIXEL, p->channels);
    TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, p->bits);
    TIFFSetField(tiff, TIFFTAG_SAMPLEFORMAT, p->format);
    TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC, p->photometric);
    TIFFSetField(tiff, TIFFTAG_COMPRESSION, p->compression ? p->compression : COMPRESSION_NONE);
    TIFFSetField(tiff, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG);
    if (p->photometric == PHOTOMETRIC_PALETTE) {
        static uint16_t map[256];
        TIFFSetField(tiff, TIFFTAG_COLORMAP, map, map, map);
    }
    if (p->alpha) TIFFSetField(tiff, TIFFTAG_EXTRASAMPLES, 1, &(uint16_t){(uint16_t)p->alpha});
    if (p->reduced) TIFFSetField(tiff, TIFFTAG_SUBFILETYPE, FILETYPE_REDUCEDIMAGE);
    if (p->depth) TIFFSetField(tiff, TIFFTAG_IMAGEDEPTH, p->depth);
    size_t bytes = ((size_t)p->width * (size_t)p->channels * (size_t)p->bits + 7) / 8;
    uint8_t tile[16 * 16 * 8] = {0};
    memcpy(tile, p->row, bytes); /* libtiff changes the byte order in place */
    if (p->tiled) {
        TIFFSetField(tiff, TIFFTAG_TILEWIDTH, 16);
        TIFFSetField(tiff, TIFFTAG_TILELENGTH, 16);
        TIFFWriteEncodedTile(tiff, 0, tile, 16 * 16 * p->channels * p->bits / 8);
    } else {
        TIFFSetField(tiff, TIFFTAG_ROWSPERSTRIP, 1);
        TIFFWriteScanline(tiff, tile, 0, 0);
    }
    TIFFWriteDirectory(tiff);
}

static test_bytes make_tiff(const page *pages, int count, const char *mode) {
    char path[] = "/tmp/icseg_kinds_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    TIFF *tiff = TIFFOpen(path, mode);
    for (int i = 0; i < count; i++) write_page(tiff, &pages[i]);
    TIFFClose(tiff);
    unsigned char *data;
    test_bytes out = {0};
    assert_int_equal(icseg_file_read(path, 1 << 20, &data, &out.size, &error), ICSEG_OK);
    out.data = malloc(out.size);
    memcpy(out.data, data, out.size);
    icseg_free(data);
    unlink(path);
    return out;
}

static void assert_tiff_loads(const page *p, const icseg_image_values *values, const uint8_t *expected) {
    test_bytes file = make_tiff(p, 1, "w");
    assert_loads(file, values, p->width, 1, expected, ICSEG_IMAGE_NOTE_NONE);
    free(file.data);
}

static void assert_tiff_fails(const page *p, const icseg_image_values *values, icseg_status status, const char *field,
                              const char *text) {
    test_bytes file = make_tiff(p, 1, "w");
    icseg_image image;
    assert_int_equal(load(&image, file, values, NULL), status);
    if (!strstr(error.message, text)) fail_msg("\"%s\" is not in: %s", text, error.message);
    assert_string_equal(error.field, field);
    free(file.data);
}

static const uint8_t three[] = {10, 0, 200}, colours[] = {1, 2, 3, 4, 5, 6}, equal[] = {7, 7, 7, 9, 9, 9};

/* Cameras put a small copy first. */
static void a_thumbnail_before_the_image_is_skipped(void **state) {
    (void)state;
    const page pages[] = {{.width = 1,
                           .channels = 1,
                           .bits = 8,
                           .format = SAMPLEFORMAT_UINT,
                           .photometric = PHOTOMETRIC_MINISBLACK,
                           .reduced = true,
                           .row = three},
                          {.width = 2,
                           .channels = 3,
                           .bits = 8,
                           .format = SAMPLEFORMAT_UINT,
                           .photometric = PHOTOMETRIC_RGB,
                           .row = equal}};
    static const char *const modes[] = {"wl", "wb", "wl8", "wb8"}; /* byte orders, BigTIFF */
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        test_bytes file = make_tiff(pages, 2, modes[i]);
        assert_loads(file, NULL, 2, 1, equal, ICSEG_IMAGE_NOTE_NONE);
        assert_indices(file, 2, (const uint16_t[]){7, 9});
        for (size_t size = 0; size < file.size; size++) { /* cut short: no crash */
            icseg_image image;
            unsigned char *copy = malloc(size + 1);
            memcpy(copy, file.data, size);
            if (load(&image, (test_bytes){copy, size}, NULL, NULL) == ICSEG_OK) icseg_image_close(&image);
            free(copy);
        }
        free(file.data);
    }
    test_bytes file = make_tiff(pages, 1, "w"); /* nothing but small copies */
    assert_loads(file, NULL, 1, 1, (const uint8_t[]){10, 10, 10}, ICSEG_IMAGE_NOTE_NONE);
    free(file.data);
}

static void the_slices_of_a_volume_are_pages(void **state) {
    (void)state;
    const page p = {.width = 3,
                    .channels = 1,
                    .bits = 8,
                    .format = SAMPLEFORMAT_UINT,
                    .photometric = PHOTOMETRIC_MINISBLACK,
                    .depth = 1,
                    .row = three};
    test_bytes file = make_tiff(&p, 1, "wl");
    for (size_t i = 8; i + 12 < file.size; i++) /* TIFFTAG_IMAGEDEPTH, a LONG or SHORT: 3 slices, as the tag says */
        if (file.data[i] == 0xe5 && file.data[i + 1] == 0x80) file.data[i + 8] = 3;
    icseg_image image;
    icseg_image_info info = {ICSEG_IMAGE_INFO_INIT};
    if (load(&image, file, NULL, &info) == ICSEG_OK) icseg_image_close(&image);
    assert_int_equal(info.note, ICSEG_IMAGE_NOTE_PAGE);
    assert_no_indices(file, "pages where one label map is expected");
    free(file.data);
}

static void small_tiles_without_compression_are_read(void **state) {
    (void)state;
    const page p = {.width = 2,
                    .channels = 3,
                    .bits = 8,
                    .format = SAMPLEFORMAT_UINT,
                    .photometric = PHOTOMETRIC_RGB,
                    .tiled = true,
                    .row = colours};
    assert_tiff_loads(&p, NULL, colours);
}

static void lossy_label_files_are_refused(void **state) {
    (void)state;
    const page p = {.width = 3,
                    .channels = 1,
                    .bits = 8,
                    .format = SAMPLEFORMAT_UINT,
                    .photometric = PHOTOMETRIC_MINISBLACK,
                    .compression = COMPRESSION_JPEG,
                    .row = three};
    if (!TIFFIsCODECConfigured(COMPRESSION_JPEG)) skip();
    test_bytes file = make_tiff(&p, 1, "w");
    assert_no_indices(file, "a TIFF with JPEG compression where class indices are expected");
    free(file.data);
}

/* ImageMagick writes two colours such that 0 is white; Pillow and OpenCV read white as 1. */
static void white_is_1_in_a_tiff_mask_of_one_bit(void **state) {
    (void)state;
    static const uint8_t bits[] = {0x60};
    page p = {.width = 4,
              .channels = 1,
              .bits = 1,
              .format = SAMPLEFORMAT_UINT,
              .photometric = PHOTOMETRIC_MINISWHITE,
              .row = bits};
    test_bytes file = make_tiff(&p, 1, "w");
    assert_indices(file, 4, (const uint16_t[]){1, 0, 0, 1});
    free(file.data);
    p.photometric = PHOTOMETRIC_MINISBLACK;
    file = make_tiff(&p, 1, "w");
    assert_indices(file, 4, (const uint16_t[]){0, 1, 1, 0});
    free(file.data);
    p = (page){.width = 3,
               .channels = 1,
               .bits = 8,
               .format = SAMPLEFORMAT_UINT,
               .photometric = PHOTOMETRIC_MINISWHITE,
               .row = three};
    file = make_tiff(&p, 1, "w");
    assert_no_indices(file, "0 is white (WhiteIsZero)");
    free(file.data);
}

/* As in PNG files. */
static void equal_channels_and_opaque_alpha_are_indices(void **state) {
    (void)state;
    static const uint8_t grey_alpha[] = {7, 255, 9, 255}, rgba[] = {7, 7, 7, 255, 9, 9, 9, 255},
                         clear[] = {7, 255, 9, 254}, odd[] = {7, 7, 7, 255, 9, 8, 9, 255};
    static const uint16_t deep[] = {7, 7, 7, 9, 9, 9};
    const struct {
        page page;
        const char *text; /* NULL: it is read */
    } cases[] = {
        {{2, 3, 8, SAMPLEFORMAT_UINT, PHOTOMETRIC_RGB, .row = equal}, NULL},
        {{2, 3, 16, SAMPLEFORMAT_UINT, PHOTOMETRIC_RGB, .row = deep}, NULL},
        {{2, 2, 8, SAMPLEFORMAT_UINT, PHOTOMETRIC_MINISBLACK, .alpha = EXTRASAMPLE_UNASSALPHA, .row = grey_alpha},
         NULL},
        {{2, 4, 8, SAMPLEFORMAT_UINT, PHOTOMETRIC_RGB, .alpha = EXTRASAMPLE_ASSOCALPHA, .row = rgba}, NULL},
        {{2, 4, 8, SAMPLEFORMAT_UINT, PHOTOMETRIC_RGB, .alpha = EXTRASAMPLE_UNASSALPHA, .row = odd},
         "(RGBA, the first colour at x=1, y=0)"},
        {{2, 2, 8, SAMPLEFORMAT_UINT, PHOTOMETRIC_MINISBLACK, .alpha = EXTRASAMPLE_UNASSALPHA, .row = clear},
         "transparent pixels (the first at x=1, y=0)"},
        {{2, 2, 8, SAMPLEFORMAT_UINT, PHOTOMETRIC_MINISBLACK, .row = rgba}, "a TIFF of 2 bands of 8 bits"},
        {{1, 4, 8, SAMPLEFORMAT_UINT, PHOTOMETRIC_SEPARATED, .row = equal}, "a TIFF of 4 bands of 8 bits"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        test_bytes file = make_tiff(&cases[i].page, 1, "w");
        if (cases[i].text)
            assert_no_indices(file, cases[i].text);
        else
            assert_indices(file, 2, (const uint16_t[]){7, 9});
        free(file.data);
    }
}

static void choices_are_used_or_refused(void **state) {
    (void)state;
    static const int8_t low[] = {-128, 0, 127};
    static const uint16_t deep[] = {0, 2047, 4095};
    icseg_image_values bands = {ICSEG_IMAGE_VALUES_INIT, .bands = {3, 2, 1}}, range = {ICSEG_IMAGE_VALUES_INIT},
                       missing = range;
    /* Signed bytes need a range, as every message says. */
    range.value_low = -128, range.value_high = 127;
    page p = {3, 1, 8, SAMPLEFORMAT_INT, PHOTOMETRIC_MINISBLACK, .row = low};
    assert_tiff_loads(&p, &range, (const uint8_t[]){0, 0, 0, 128, 128, 128, 255, 255, 255});
    assert_tiff_fails(&p, &missing, ICSEG_ERROR_DATA, "value_range", "a TIFF of signed integers (8 bits)");
    /* 0 is white, with a range as without. */
    range.value_low = 0, range.value_high = 4095;
    p = (page){3, 1, 16, SAMPLEFORMAT_UINT, PHOTOMETRIC_MINISWHITE, .row = deep};
    assert_tiff_loads(&p, &range, (const uint8_t[]){255, 255, 255, 128, 128, 128, 0, 0, 0});
    /* Bands of a file that calls them inks. */
    p = (page){1, 4, 8, SAMPLEFORMAT_UINT, PHOTOMETRIC_SEPARATED, .row = colours};
    assert_tiff_loads(&p, &bands, (const uint8_t[]){3, 2, 1});
    p = (page){3, 1, 8, SAMPLEFORMAT_UINT, PHOTOMETRIC_PALETTE, .row = three};
    assert_tiff_fails(&p, &bands, ICSEG_ERROR_DATA, "bands",
                      "bands and value ranges are for TIFF files of grey or RGB");
    p = (page){1, 3, 16, SAMPLEFORMAT_UINT, PHOTOMETRIC_SEPARATED, .row = deep};
    assert_tiff_fails(&p, &range, ICSEG_ERROR_DATA, "value_range", "are for TIFF files of grey or RGB values");
}

static void unreadable_kinds_have_a_remedy(void **state) {
    (void)state;
    page p = {3, 1, 16, SAMPLEFORMAT_IEEEFP, PHOTOMETRIC_MINISBLACK, .row = equal};
    assert_tiff_fails(&p, NULL, ICSEG_ERROR_UNSUPPORTED, "", "a TIFF of floating-point numbers with 16 bits");
    assert_non_null(strstr(error.message, "save it as integers of 8 or 16 bits"));
    p = (page){3, 1, 8, SAMPLEFORMAT_UINT, PHOTOMETRIC_MINISBLACK, .row = three};
    test_bytes file = make_tiff(&p, 1, "wl");
    for (size_t i = 8; i + 12 < file.size; i++)
        if (file.data[i] == 0x03 && file.data[i + 1] == 0x01 && file.data[i + 2] == 3) /* TIFFTAG_COMPRESSION */
            memcpy(file.data + i + 8, &(uint16_t){34712}, 2);
    icseg_image image;
    assert_int_equal(load(&image, file, NULL, NULL), ICSEG_ERROR_UNSUPPORTED);
    assert_non_null(strstr(error.message, "JPEG 2000 compression, which libtiff cannot decode here; save it with"));
    free(file.data);
}

#endif

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_frames_of_a_png_are_noted),
                                       cmocka_unit_test(unusual_frames_of_a_jpeg_have_a_remedy),
                                       cmocka_unit_test(white_is_1_in_a_pbm_mask),
                                       cmocka_unit_test(a_value_range_does_not_invert),
#ifndef ICSEG_NO_TIFF
                                       cmocka_unit_test(a_thumbnail_before_the_image_is_skipped),
                                       cmocka_unit_test(the_slices_of_a_volume_are_pages),
                                       cmocka_unit_test(small_tiles_without_compression_are_read),
                                       cmocka_unit_test(lossy_label_files_are_refused),
                                       cmocka_unit_test(white_is_1_in_a_tiff_mask_of_one_bit),
                                       cmocka_unit_test(equal_channels_and_opaque_alpha_are_indices),
                                       cmocka_unit_test(choices_are_used_or_refused),
                                       cmocka_unit_test(unreadable_kinds_have_a_remedy)
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
