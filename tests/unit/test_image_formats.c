/* SPDX-License-Identifier: Apache-2.0
 * BMP, GIF, PNM, HEIC and AVIF; TIFF and PNG with values that are not 8-bit colours; label files of these formats. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <png.h>
#ifndef ICSEG_NO_TIFF
#include <tiffio.h>
#endif
#ifndef ICSEG_NO_GIF
#include <gif_lib.h>
#endif

#include "base/file.h"
#include "base/memory.h"
#include "icseg/image.h"
#include "support/image_files.h"

static icseg_error error;

static icseg_status load(icseg_image *out, const void *data, size_t size, const icseg_image_values *values,
                         icseg_image_info *info) {
    icseg_image_input input = {ICSEG_IMAGE_INPUT_INIT, .path = "a/test", .data = data, .size = size, .values = values};
    icseg_status status = icseg_image_load(out, &input, info, &error);
    if (status != ICSEG_OK) assert_null(out->data);
    return status;
}

static void assert_loads(const void *data, size_t size, const icseg_image_values *values, int width, int height,
                         const uint8_t *expected) {
    icseg_image image;
    if (load(&image, data, size, values, NULL) != ICSEG_OK) fail_msg("%s", error.message);
    assert_int_equal(image.width, width);
    assert_int_equal(image.height, height);
    assert_memory_equal(image.data, expected, (size_t)width * (size_t)height * 3);
    icseg_image_close(&image);
}

static void assert_fails(const void *data, size_t size, const icseg_image_values *values, icseg_status status,
                         const char *text) {
    icseg_image image;
    assert_int_equal(load(&image, data, size, values, NULL), status);
    assert_memory_equal(error.message, "a/test: ", 8);
    if (!strstr(error.message, text)) fail_msg("\"%s\" is not in: %s", text, error.message);
}

/* Every shorter file is an error that names it, and no changed byte crashes. */
static void assert_robust(const unsigned char *data, size_t size) {
    icseg_image image;
    for (size_t length = 0; length < size; length++) {
        unsigned char *copy = malloc(length + 1);
        memcpy(copy, data, length);
        if (load(&image, copy, length, NULL, NULL) == ICSEG_OK)
            icseg_image_close(&image); /* what is missing may be padding */
        else
            assert_non_null(strstr(error.message, "a/test"));
        free(copy);
    }
    unsigned char *copy = malloc(size);
    for (size_t at = 0; at < size; at++)
        for (int bit = 0; bit < 8; bit++) {
            memcpy(copy, data, size);
            copy[at] ^= (unsigned char)(1 << bit);
            if (load(&image, copy, size, NULL, NULL) == ICSEG_OK) icseg_image_close(&image);
        }
    free(copy);
}

static icseg_status read_mask(icseg_mask *out, const void *data, size_t size) {
    char path[] = "/tmp/icseg_mask_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, size), (ssize_t)size);
    close(fd);
    icseg_status status = icseg_mask_read(out, path, &error);
    unlink(path);
    return status;
}

/* ---- BMP ---- */

#define LE16(v) (v) & 255, (v) >> 8 & 255
#define LE32(v) LE16(v), (v) >> 16 & 255, (v) >> 24 & 255
/* A file header and a BITMAPINFOHEADER; `offset` is that of the pixels. */
#define BMP(offset, width, height, bits, compression, colours)                                                         \
    'B', 'M', LE32(0), LE32(0), LE32(offset), LE32(40), LE32(width), LE32((unsigned)(height)), LE16(1), LE16(bits),    \
        LE32(compression), LE32(0), LE32(0), LE32(0), LE32(colours), LE32(0)
#define BGR(r, g, b)    b, g, r
#define COLOUR(r, g, b) b, g, r, 0

static const uint8_t red[] = {255, 0, 0}, green[] = {0, 255, 0}, blue[] = {0, 0, 255}, white[] = {255, 255, 255};

/* Two rows of three pixels: red, green, blue; white, red, green. */
static const uint8_t *six(void) {
    static uint8_t pixels[18];
    const uint8_t *order[6] = {red, green, blue, white, red, green};
    for (int i = 0; i < 6; i++) memcpy(pixels + 3 * i, order[i], 3);
    return pixels;
}

static const unsigned char bmp24[] = {BMP(54, 3, 2, 24, 0, 0),
                                      BGR(255, 255, 255),
                                      BGR(255, 0, 0),
                                      BGR(0, 255, 0),
                                      0,
                                      0,
                                      0,
                                      BGR(255, 0, 0),
                                      BGR(0, 255, 0),
                                      BGR(0, 0, 255),
                                      0,
                                      0,
                                      0};
#define PALETTE COLOUR(255, 0, 0), COLOUR(0, 255, 0), COLOUR(0, 0, 255), COLOUR(255, 255, 255)
static const unsigned char bmp8[] = {BMP(70, 3, 2, 8, 0, 4), PALETTE, 3, 0, 1, 0, 0, 1, 2, 0};
static const unsigned char bmp4[] = {BMP(70, 3, 2, 4, 0, 4), PALETTE, 0x30, 0x10, 0, 0, 0x01, 0x20, 0, 0};
static const unsigned char bmp4_down[] = {BMP(70, 3, -2, 4, 0, 4), PALETTE, 0x01, 0x20, 0, 0, 0x30, 0x10, 0, 0};
/* The bottom row in one literal run, the top row as 1 x index 0, 1 x 1, 1 x 2. */
static const unsigned char bmp_rle8[] = {
    BMP(70, 3, 2, 8, 1, 4), PALETTE, 0, 3, 3, 0, 1, 0, 0, 0, 1, 0, 1, 1, 1, 2, 0, 1};
static const unsigned char bmp_rle4[] = {
    BMP(70, 3, 2, 4, 2, 4), PALETTE, 0, 3, 0x30, 0x10, 0, 0, 2, 0x01, 1, 0x20, 0, 1};
static const unsigned char bmp16[] = {BMP(54, 3, 2, 16, 0, 0),
                                      LE16(0x7fff),
                                      LE16(0x7c00),
                                      LE16(0x3e0),
                                      0,
                                      0,
                                      LE16(0x7c00),
                                      LE16(0x3e0),
                                      LE16(0x1f),
                                      0,
                                      0};
static const unsigned char bmp565[] = {BMP(66, 3, 2, 16, 3, 0),
                                       LE32(0xf800),
                                       LE32(0x7e0),
                                       LE32(0x1f),
                                       LE16(0xffff),
                                       LE16(0xf800),
                                       LE16(0x7e0),
                                       0,
                                       0,
                                       LE16(0xf800),
                                       LE16(0x7e0),
                                       LE16(0x1f),
                                       0,
                                       0};

static void bmp_is_read_in_every_kind(void **state) {
    (void)state;
    assert_loads(bmp24, sizeof bmp24, NULL, 3, 2, six());
    assert_loads(bmp8, sizeof bmp8, NULL, 3, 2, six());
    assert_loads(bmp4, sizeof bmp4, NULL, 3, 2, six());
    assert_loads(bmp4_down, sizeof bmp4_down, NULL, 3, 2, six());
    assert_loads(bmp_rle8, sizeof bmp_rle8, NULL, 3, 2, six());
    assert_loads(bmp_rle4, sizeof bmp_rle4, NULL, 3, 2, six());
    assert_loads(bmp16, sizeof bmp16, NULL, 3, 2, six());
    assert_loads(bmp565, sizeof bmp565, NULL, 3, 2, six());
    static const unsigned char one_bit[] = {
        BMP(62, 3, 1, 1, 0, 2), COLOUR(0, 0, 0), COLOUR(255, 255, 255), 0xa0, 0, 0, 0};
    assert_loads(one_bit, sizeof one_bit, NULL, 3, 1, (const uint8_t[]){255, 255, 255, 0, 0, 0, 255, 255, 255});
    /* BI_RGB's fourth byte is not alpha; a declared alpha is over black. */
    static const unsigned char bgrx[] = {BMP(54, 1, 1, 32, 0, 0), 30, 20, 10, 0};
    assert_loads(bgrx, sizeof bgrx, NULL, 1, 1, (const uint8_t[]){10, 20, 30});
    static const unsigned char bgra[] = {
        BMP(70, 1, 1, 32, 6, 0), LE32(0xff0000), LE32(0xff00), LE32(0xff), LE32(0xff000000U), 100, 50, 200, 51};
    assert_loads(bgra, sizeof bgra, NULL, 1, 1, (const uint8_t[]){40, 10, 20});
}

static void bmp_that_is_damaged_is_refused(void **state) {
    (void)state;
    assert_fails(bmp24, sizeof bmp24 - 1, NULL, ICSEG_ERROR_FORMAT, "truncated");
    static const unsigned char index[] = {BMP(62, 1, 1, 8, 0, 2), COLOUR(0, 0, 0), COLOUR(9, 9, 9), 2, 0, 0, 0};
    assert_fails(index, sizeof index, NULL, ICSEG_ERROR_FORMAT, "an index outside of its palette");
    static const unsigned char run[] = {BMP(58, 3, 1, 8, 1, 1), COLOUR(0, 0, 0), 9, 0, 0, 1};
    assert_fails(run, sizeof run, NULL, ICSEG_ERROR_FORMAT, "a run outside of the image");
    static const unsigned char rows[] = {BMP(58, 1, 1, 8, 1, 1), COLOUR(0, 0, 0), 0, 0, 0, 0, 0, 1};
    assert_fails(rows, sizeof rows, NULL, ICSEG_ERROR_FORMAT, "more rows than its height");
    static const unsigned char claim[] = {BMP(58, 30000, 8000, 8, 1, 1), COLOUR(0, 0, 0), 0, 1};
    assert_fails(claim, sizeof claim, NULL, ICSEG_ERROR_FORMAT, "truncated");
    static const unsigned char large[] = {BMP(54, 0x7fffffff, 1, 24, 0, 0), 0};
    assert_fails(large, sizeof large, NULL, ICSEG_ERROR_FORMAT, "too large");
    static const unsigned char least[] = {BMP(54, 1, (int)0x80000000, 24, 0, 0), 0};
    assert_fails(least, sizeof least, NULL, ICSEG_ERROR_FORMAT, "too large");
    static const unsigned char jpeg[] = {BMP(54, 1, 1, 24, 4, 0), 0, 0, 0, 0};
    assert_fails(jpeg, sizeof jpeg, NULL, ICSEG_ERROR_UNSUPPORTED, "contains a JPEG");
    assert_robust(bmp_rle8, sizeof bmp_rle8);
    assert_robust(bmp_rle4, sizeof bmp_rle4);
    assert_robust(bmp565, sizeof bmp565);
    assert_robust(bmp8, sizeof bmp8);
}

/* ---- PNM ---- */

#define TEXT(t) t, sizeof t - 1

static void pnm_is_read_in_every_kind(void **state) {
    (void)state;
    static const uint8_t grey[] = {0, 0, 0, 255, 255, 255, 51, 51, 51};
    assert_loads(TEXT("P2\n# by hand\n3 1\n# most\n5\n0 5 1"), NULL, 3, 1, grey);
    assert_loads(TEXT("P5 3 1 5\n\x00\x05\x01"), NULL, 3, 1, grey);
    assert_loads(TEXT("P5 3 1 65535\n\x00\x00\xff\xff\x33\x33"), NULL, 3, 1, grey);
    assert_loads(TEXT("P3 1 2 255 10 20 30\n40 50 60"), NULL, 1, 2, (const uint8_t[]){10, 20, 30, 40, 50, 60});
    assert_loads(TEXT("P6\t1\r\n2 255 \x0a\x14\x1e\x28\x32\x3c"), NULL, 1, 2,
                 (const uint8_t[]){10, 20, 30, 40, 50, 60});
    /* The header says which value is white: 12 bits are not dark. */
    icseg_image image;
    icseg_image_info info = {ICSEG_IMAGE_INFO_INIT};
    assert_int_equal(load(&image, TEXT("P2 2 1 4095 0 4095"), NULL, &info), ICSEG_OK);
    assert_int_equal(image.data[3], 255);
    assert_int_equal(info.note, ICSEG_IMAGE_NOTE_NONE);
    icseg_image_close(&image);
    assert_int_equal(load(&image, TEXT("P2 2 1 65535 0 4095"), NULL, &info), ICSEG_OK);
    assert_int_equal(info.note, ICSEG_IMAGE_NOTE_DARK);
    icseg_image_close(&image);
    static const uint8_t bits[] = {0, 0, 0, 255, 255, 255, 0, 0, 0};
    assert_loads(TEXT("P1 3 1 101"), NULL, 3, 1, bits);
    assert_loads(TEXT("P4 3 1 \xbf"), NULL, 3, 1, bits);
}

static void pnm_that_is_damaged_is_refused(void **state) {
    (void)state;
    assert_fails(TEXT("P5 3 1 5\n\x00\x05"), NULL, ICSEG_ERROR_FORMAT, "truncated");
    assert_fails(TEXT("P5 3 1 5\n\x00\x05\x06"), NULL, ICSEG_ERROR_FORMAT, "larger than the largest");
    assert_fails(TEXT("P2 3 1 5 0 5 x"), NULL, ICSEG_ERROR_FORMAT, "a number was expected");
    assert_fails(TEXT("P2 3 1 5 0 5 99999999999"), NULL, ICSEG_ERROR_FORMAT, "too large");
    assert_fails(TEXT("P1 3 1 102"), NULL, ICSEG_ERROR_FORMAT, "a bit is 0 or 1");
    assert_fails(TEXT("P5 3 1 70000 "), NULL, ICSEG_ERROR_FORMAT, "1 to 65535");
    assert_fails(TEXT("P5 0 1 255 "), NULL, ICSEG_ERROR_FORMAT, "0 x 1");
    assert_fails(TEXT("P6 30000 8000 255 xx"), NULL, ICSEG_ERROR_FORMAT, "truncated");
    assert_fails(TEXT("P7\nWIDTH 1\n"), NULL, ICSEG_ERROR_UNSUPPORTED, "it is a PAM");
    assert_robust((const unsigned char *)TEXT("P3 2 1 255 10 20 30\n40 50 60"));
    assert_robust((const unsigned char *)TEXT("P4 3 1 \xbf"));
}

/* ---- GIF ---- */

#ifndef ICSEG_NO_GIF

typedef struct gif_frame {
    int left, top, width, height, transparent;
    bool interlaced;
    const uint8_t *indices;
} gif_frame;

static int append(GifFileType *gif, const GifByteType *data, int count) {
    test_bytes *to = gif->UserData;
    to->data = realloc(to->data, to->size + (size_t)count);
    memcpy(to->data + to->size, data, (size_t)count);
    to->size += (size_t)count;
    return count;
}

/* Freed with free(data). */
static test_bytes make_gif(int width, int height, const gif_frame *frames, int count) {
    static const GifColorType colours[4] = {{255, 0, 0}, {0, 255, 0}, {0, 0, 255}, {255, 255, 255}};
    static const int first[4] = {0, 4, 2, 1}, step[4] = {8, 8, 4, 2};
    test_bytes out = {0};
    int code;
    GifFileType *gif = EGifOpen(&out, append, &code);
    ColorMapObject *map = GifMakeMapObject(4, colours);
    EGifSetGifVersion(gif, true);
    assert_int_equal(EGifPutScreenDesc(gif, width, height, 2, 0, map), GIF_OK);
    for (int i = 0; i < count; i++) {
        const gif_frame *f = &frames[i];
        GraphicsControlBlock control = {.TransparentColor = f->transparent};
        GifByteType block[4];
        EGifGCBToExtension(&control, block);
        assert_int_equal(EGifPutExtension(gif, GRAPHICS_EXT_FUNC_CODE, sizeof block, block), GIF_OK);
        assert_int_equal(EGifPutImageDesc(gif, f->left, f->top, f->width, f->height, f->interlaced, NULL), GIF_OK);
        for (int pass = 0; pass < (f->interlaced ? 4 : 1); pass++)
            for (int y = f->interlaced ? first[pass] : 0; y < f->height; y += f->interlaced ? step[pass] : 1) {
                uint8_t row[64];
                memcpy(row, f->indices + (size_t)y * (size_t)f->width, (size_t)f->width);
                assert_int_equal(EGifPutLine(gif, row, f->width), GIF_OK);
            }
    }
    GifFreeMapObject(map);
    EGifCloseFile(gif, NULL);
    return out;
}

static void gif_is_read_with_transparency_interlacing_and_frames(void **state) {
    (void)state;
    static const uint8_t indices[] = {0, 1, 2, 3, 0, 1};
    gif_frame frames[2] = {{0, 0, 3, 2, NO_TRANSPARENT_COLOR, false, indices},
                           {0, 0, 3, 2, NO_TRANSPARENT_COLOR, false, (const uint8_t[6]){0}}};
    test_bytes gif = make_gif(3, 2, frames, 1);
    assert_loads(gif.data, gif.size, NULL, 3, 2, six());
    assert_robust(gif.data, gif.size);
    icseg_mask mask;
    assert_int_equal(read_mask(&mask, gif.data, gif.size), ICSEG_OK);
    for (int i = 0; i < 6; i++) assert_int_equal(mask.data[i], indices[i]);
    assert_int_equal(mask.palette_size, 4);
    assert_memory_equal(mask.palette[2], blue, 3);
    icseg_mask_close(&mask);
    free(gif.data);

    /* the first of two frames, which is said */
    gif = make_gif(3, 2, frames, 2);
    icseg_image image;
    icseg_image_info info = {ICSEG_IMAGE_INFO_INIT};
    assert_int_equal(load(&image, gif.data, gif.size, NULL, &info), ICSEG_OK);
    assert_memory_equal(image.data, six(), 18);
    assert_int_equal(info.note, ICSEG_IMAGE_NOTE_PAGE);
    assert_string_equal(info.text, "it has several frames; the first is used");
    icseg_image_close(&image);
    assert_int_equal(read_mask(&mask, gif.data, gif.size), ICSEG_ERROR_DATA);
    assert_non_null(strstr(error.message, "animated"));
    free(gif.data);

    /* a frame of 1 x 9 rows in a canvas of 3 x 9, interlaced, with index 1 transparent */
    static const uint8_t column[] = {0, 1, 2, 3, 0, 1, 2, 3, 0};
    gif = make_gif(3, 9, &(gif_frame){1, 0, 1, 9, 1, true, column}, 1);
    uint8_t expected[3 * 9 * 3] = {0};
    for (int y = 0; y < 9; y++)
        if (column[y] != 1) memcpy(expected + (3 * y + 1) * 3, column[y] == 0 ? red : column[y] == 2 ? blue : white, 3);
    assert_loads(gif.data, gif.size, NULL, 3, 9, expected);
    assert_int_equal(read_mask(&mask, gif.data, gif.size), ICSEG_ERROR_DATA);
    assert_non_null(strstr(error.message, "does not fill the canvas"));
    free(gif.data);

    gif = make_gif(30000, 8000, &(gif_frame){0, 0, 1, 1, NO_TRANSPARENT_COLOR, false, indices}, 1);
    assert_fails(gif.data, gif.size, NULL, ICSEG_ERROR_FORMAT, "cannot be in");
    free(gif.data);
}

#endif

/* ---- HEIC and AVIF ---- */

#ifndef ICSEG_NO_HEIF

/* Four areas of one colour, 48 x 32 (made with pillow-heif and Pillow). */
static void heic_and_avif_are_read(void **state) {
    (void)state;
    static const char *const names[] = {"four_colours.heic", "four_colours.avif"};
    static const int at[4][2] = {{8, 16}, {24, 16}, {40, 8}, {40, 24}};
    static const uint8_t colours[4][3] = {{200, 40, 40}, {40, 200, 40}, {40, 40, 200}, {220, 220, 60}};
    for (size_t n = 0; n < 2; n++) {
        char path[512];
        icseg_image image;
        icseg_image_info info = {ICSEG_IMAGE_INFO_INIT};
        icseg_image_input input = {ICSEG_IMAGE_INPUT_INIT, .path = path};
        snprintf(path, sizeof path, "%s/tests/unit/data/%s", ICSEG_SOURCE_DIR, names[n]);
        icseg_status status = icseg_image_load(&image, &input, &info, &error);
        if (status == ICSEG_ERROR_UNSUPPORTED) {
            print_message("skipped %s: %s\n", names[n], error.message);
            continue;
        }
        if (status != ICSEG_OK) fail_msg("%s", error.message);
        assert_int_equal(image.width, 48);
        assert_int_equal(image.height, 32);
        for (int i = 0; i < 4; i++)
            for (int c = 0; c < 3; c++)
                assert_in_range(image.data[3 * (at[i][1] * 48 + at[i][0]) + c] + 8, colours[i][c], colours[i][c] + 16);
        icseg_image_close(&image);
        icseg_mask mask;
        assert_int_equal(icseg_mask_read(&mask, path, &error), ICSEG_ERROR_DATA);
        unsigned char *data;
        size_t size;
        assert_int_equal(icseg_file_read(path, 1 << 20, &data, &size, &error), ICSEG_OK);
        for (size_t length = 16; length < size; length += 7)
            if (load(&image, data, length, NULL, NULL) == ICSEG_OK) icseg_image_close(&image);
        icseg_free(data);
    }
}

#endif

/* ---- TIFF ---- */

#ifndef ICSEG_NO_TIFF

typedef struct tiff_page {
    int width, height, channels, bits, format; /* format: SAMPLEFORMAT_* */
    int alpha;                                 /* EXTRASAMPLE_* of the last channel; -1: it is not declared */
    bool separate, tiled, reduced;
    const void *rows; /* interleaved */
} tiff_page;

static void write_page(TIFF *tiff, const tiff_page *p) {
    size_t size = (size_t)p->bits / 8, count = (size_t)p->width * (size_t)p->height;
    int colours = p->channels - (p->alpha >= 0);
    TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, p->width);
    TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, p->height);
    TIFFSetField(tiff, TIFFTAG_SAMPLESPERPIXEL, p->channels);
    TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, p->bits);
    TIFFSetField(tiff, TIFFTAG_SAMPLEFORMAT, p->format);
    TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC, colours == 3 || colours == 4 ? PHOTOMETRIC_RGB : PHOTOMETRIC_MINISBLACK);
    TIFFSetField(tiff, TIFFTAG_PLANARCONFIG, p->separate ? PLANARCONFIG_SEPARATE : PLANARCONFIG_CONTIG);
    if (p->alpha >= 0) TIFFSetField(tiff, TIFFTAG_EXTRASAMPLES, 1, &(uint16_t){(uint16_t)p->alpha});
    if (p->reduced) TIFFSetField(tiff, TIFFTAG_SUBFILETYPE, FILETYPE_REDUCEDIMAGE);
    size_t pixel = size * (p->separate ? 1 : (size_t)p->channels);
    if (p->tiled) {
        TIFFSetField(tiff, TIFFTAG_TILEWIDTH, 16);
        TIFFSetField(tiff, TIFFTAG_TILELENGTH, 16);
    } else
        TIFFSetField(tiff, TIFFTAG_ROWSPERSTRIP, 1);
    for (int plane = 0; plane < (p->separate ? p->channels : 1); plane++) {
        uint8_t *packed = malloc(count * pixel);
        for (size_t i = 0; i < count; i++)
            memcpy(packed + i * pixel, (const uint8_t *)p->rows + (i * (size_t)p->channels + (size_t)plane) * size,
                   pixel);
        if (p->tiled) { /* one tile is enough for tests */
            uint8_t *tile = calloc(16 * 16, pixel);
            for (int y = 0; y < p->height; y++)
                memcpy(tile + (size_t)y * 16 * pixel, packed + (size_t)y * (size_t)p->width * pixel,
                       (size_t)p->width * pixel);
            TIFFWriteEncodedTile(tiff, (uint32_t)plane, tile, (tmsize_t)(16 * 16 * pixel));
            free(tile);
        } else
            for (int y = 0; y < p->height; y++)
                TIFFWriteScanline(tiff, packed + (size_t)y * (size_t)p->width * pixel, (uint32_t)y, (uint16_t)plane);
        free(packed);
    }
    TIFFWriteDirectory(tiff);
}

static test_bytes make_tiff(const tiff_page *pages, int count) {
    char path[] = "/tmp/icseg_tiff_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    TIFF *tiff = TIFFOpen(path, "w");
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

static void tiff_loads(const tiff_page *page, const icseg_image_values *values, const uint8_t *expected) {
    test_bytes file = make_tiff(page, 1);
    assert_loads(file.data, file.size, values, page->width, page->height, expected);
    free(file.data);
}

static void tiff_fails(const tiff_page *page, const icseg_image_values *values, const char *field, const char *text) {
    test_bytes file = make_tiff(page, 1);
    assert_fails(file.data, file.size, values, ICSEG_ERROR_DATA, text);
    if (field) assert_string_equal(error.field, field);
    free(file.data);
}

static void bands_of_a_tiff_are_chosen_and_never_dropped(void **state) {
    (void)state;
    uint8_t rows[2 * 5];
    for (int i = 0; i < 10; i++) rows[i] = (uint8_t)(10 * i);
    icseg_image_values chosen = {ICSEG_IMAGE_VALUES_INIT, .bands = {5, 1, 3}},
                       grey = {ICSEG_IMAGE_VALUES_INIT, .bands = {4}};
    for (int kind = 0; kind < 4; kind++) {
        tiff_page page = {2, 1, 5, 8, SAMPLEFORMAT_UINT, -1, kind & 1, kind & 2, false, rows};
        tiff_fails(&page, NULL, "bands", "a TIFF of 5 bands");
        tiff_loads(&page, &chosen, (const uint8_t[]){40, 0, 20, 90, 50, 70});
        tiff_loads(&page, &grey, (const uint8_t[]){30, 30, 30, 80, 80, 80});
        tiff_fails(&page, &(icseg_image_values){ICSEG_IMAGE_VALUES_INIT, .bands = {6}}, "bands",
                   "it has no band 6; its bands are 1 to 5");
    }
    /* A fourth band that is not alpha is not dropped, and one that is alpha is not a colour. */
    tiff_fails(&(tiff_page){2, 1, 4, 8, SAMPLEFORMAT_UINT, -1, false, false, false, rows}, NULL, "bands", "4 bands");
    static const uint8_t rgba[] = {100, 200, 50, 51, 1, 2, 3, 255};
    tiff_loads(&(tiff_page){2, 1, 4, 8, SAMPLEFORMAT_UINT, EXTRASAMPLE_UNASSALPHA, false, false, false, rgba}, NULL,
               (const uint8_t[]){20, 40, 10, 1, 2, 3});
    static const uint16_t rgba16[] = {0x6464, 0xc8c8, 0x3232, 0x3333};
    tiff_loads(&(tiff_page){1, 1, 4, 16, SAMPLEFORMAT_UINT, EXTRASAMPLE_UNASSALPHA, true, false, false, rgba16}, NULL,
               (const uint8_t[]){20, 40, 10});
    /* Two bands: grey and alpha, or two bands. */
    tiff_fails(&(tiff_page){2, 1, 2, 8, SAMPLEFORMAT_UINT, -1, false, false, false, rows}, NULL, "bands", "2 bands");
    static const icseg_image_values wrong[] = {{ICSEG_IMAGE_VALUES_INIT, .bands = {1, 2, 0}},
                                               {ICSEG_IMAGE_VALUES_INIT, .bands = {0, 2, 1}},
                                               {ICSEG_IMAGE_VALUES_INIT, .bands = {-1, 2, 1}}};
    test_bytes file = make_tiff(&(tiff_page){2, 1, 5, 8, SAMPLEFORMAT_UINT, -1, false, false, false, rows}, 1);
    for (size_t i = 0; i < 3; i++) {
        icseg_image image;
        assert_int_equal(load(&image, file.data, file.size, &wrong[i], NULL), ICSEG_ERROR_ARGUMENT);
        assert_string_equal(error.field, "bands");
    }
    assert_robust(file.data, file.size);
    free(file.data);
    assert_fails(bmp24, sizeof bmp24, &grey, ICSEG_ERROR_DATA,
                 "bands can be chosen in TIFF files only, and this is BMP");
}

static void value_ranges_of_every_type(void **state) {
    (void)state;
    icseg_image_values range = {ICSEG_IMAGE_VALUES_INIT, .value_low = -100, .value_high = 155};
    const uint8_t expected[] = {0, 0, 0, 100, 100, 100, 255, 255, 255};
    static const int8_t i8[] = {-101, 0, 127};
    static const int16_t i16[] = {-101, 0, 32767};
    static const int32_t i32[] = {-2000000000, 0, 2000000000};
    static const uint32_t u32[] = {0, 100, 4000000000U};
    static const float f32[] = {-1e30F, 0, 1e30F};
    static const double f64[] = {-100.2, 0.2, 1e300};
    const tiff_page pages[] = {{3, 1, 1, 16, SAMPLEFORMAT_INT, -1, false, false, false, i16},
                               {3, 1, 1, 32, SAMPLEFORMAT_INT, -1, false, false, false, i32},
                               {3, 1, 1, 32, SAMPLEFORMAT_IEEEFP, -1, false, false, false, f32},
                               {3, 1, 1, 64, SAMPLEFORMAT_IEEEFP, -1, false, false, false, f64}};
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        tiff_loads(&pages[i], &range, expected);
        tiff_fails(&pages[i], NULL, "value_range", "the range of values from black to white is missing");
    }
    tiff_fails(&(tiff_page){3, 1, 1, 8, SAMPLEFORMAT_INT, -1, false, false, false, i8}, NULL, "value_range",
               "signed integers (8 bits)");
    range = (icseg_image_values){ICSEG_IMAGE_VALUES_INIT, .value_high = 255};
    tiff_loads(&(tiff_page){3, 1, 1, 32, SAMPLEFORMAT_UINT, -1, false, false, false, u32}, &range, expected);
    /* 16 bits without a range use all of it. */
    static const uint16_t u16[] = {0, 0x6464, 0xffff}, dark[] = {0, 4, 8191};
    tiff_page deep = {3, 1, 1, 16, SAMPLEFORMAT_UINT, -1, false, false, false, u16};
    tiff_loads(&deep, NULL, expected);
    deep.rows = dark;
    test_bytes file = make_tiff(&deep, 1);
    icseg_image image;
    icseg_image_info info = {ICSEG_IMAGE_INFO_INIT};
    assert_int_equal(load(&image, file.data, file.size, NULL, &info), ICSEG_OK);
    icseg_image_close(&image);
    assert_int_equal(info.note, ICSEG_IMAGE_NOTE_DARK);
    assert_int_equal(info.bits, 16);
    assert_string_equal(
        info.text,
        "its 16-bit values are at most 8191, so the image is nearly black; a value range such as 0,8191 helps");
    range.value_high = 8191;
    assert_int_equal(load(&image, file.data, file.size, &range, &info), ICSEG_OK);
    assert_int_equal(image.data[8], 255);
    assert_int_equal(info.note, ICSEG_IMAGE_NOTE_NONE);
    icseg_image_close(&image);
    range.value_high = NAN;
    assert_int_equal(load(&image, file.data, file.size, &range, &info), ICSEG_ERROR_ARGUMENT);
    assert_string_equal(error.field, "value_range");
    free(file.data);
}

static void pages_of_a_tiff_are_counted(void **state) {
    (void)state;
    static const uint8_t rows[] = {1, 2, 3};
    tiff_page pages[3] = {{3, 1, 1, 8, SAMPLEFORMAT_UINT, -1, false, false, false, rows}};
    pages[1] = pages[2] = pages[0];
    test_bytes file = make_tiff(pages, 3);
    icseg_image image;
    icseg_image_info info = {ICSEG_IMAGE_INFO_INIT};
    assert_int_equal(load(&image, file.data, file.size, NULL, &info), ICSEG_OK);
    icseg_image_close(&image);
    assert_int_equal(info.note, ICSEG_IMAGE_NOTE_PAGE);
    assert_string_equal(info.text, "it has 3 pages; the first is used");
    icseg_mask mask;
    assert_int_equal(read_mask(&mask, file.data, file.size), ICSEG_ERROR_DATA);
    assert_non_null(strstr(error.message, "a TIFF of 3 pages"));
    free(file.data);
    pages[1].reduced = pages[2].reduced = true; /* smaller copies */
    file = make_tiff(pages, 3);
    assert_int_equal(load(&image, file.data, file.size, NULL, &info), ICSEG_OK);
    icseg_image_close(&image);
    assert_int_equal(info.note, ICSEG_IMAGE_NOTE_NONE);
    assert_int_equal(read_mask(&mask, file.data, file.size), ICSEG_OK);
    icseg_mask_close(&mask);
    free(file.data);
}

static void masks_of_every_type_are_read_if_their_values_are_whole(void **state) {
    (void)state;
    static const int16_t i16[] = {0, 7, 255}, negative[] = {0, -1, 2};
    static const int32_t i32[] = {0, 7, 65535}, large[] = {0, 7, 65536};
    static const float f32[] = {0, 7, 255}, half[] = {0, 0.5F, 1}, nan[] = {0, NAN, 1};
    const struct {
        tiff_page page;
        const char *text; /* NULL: it is read */
        int last;
    } cases[] = {{{3, 1, 1, 16, SAMPLEFORMAT_INT, -1, false, false, false, i16}, NULL, 255},
                 {{3, 1, 1, 32, SAMPLEFORMAT_INT, -1, false, true, false, i32}, NULL, 65535},
                 {{3, 1, 1, 32, SAMPLEFORMAT_IEEEFP, -1, false, false, false, f32}, NULL, 255},
                 {{3, 1, 1, 16, SAMPLEFORMAT_INT, -1, false, false, false, negative}, "value -1 at x=1, y=0", 0},
                 {{3, 1, 1, 32, SAMPLEFORMAT_INT, -1, false, false, false, large}, "value 65536 at x=2, y=0", 0},
                 {{3, 1, 1, 32, SAMPLEFORMAT_IEEEFP, -1, false, false, false, half}, "value 0.5 at x=1, y=0", 0},
                 {{3, 1, 1, 32, SAMPLEFORMAT_IEEEFP, -1, false, false, false, nan}, "nan at x=1, y=0", 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        icseg_mask mask;
        test_bytes file = make_tiff(&cases[i].page, 1);
        icseg_status status = read_mask(&mask, file.data, file.size);
        free(file.data);
        if (cases[i].text) {
            assert_int_equal(status, ICSEG_ERROR_DATA);
            if (!strstr(error.message, cases[i].text)) fail_msg("%s", error.message);
            continue;
        }
        if (status != ICSEG_OK) fail_msg("%s", error.message);
        assert_int_equal(mask.bits, 16);
        assert_int_equal(mask.data[1], 7);
        assert_int_equal(mask.data[2], cases[i].last);
        icseg_mask_close(&mask);
    }
}

#endif

/* ---- PNG of 16 bits, masks of other formats, arguments ---- */

static void png_of_16_bits_takes_a_range(void **state) {
    (void)state;
    static const uint8_t rows[] = {0, 0, 0x0f, 0xff, 0x07, 0xff}; /* 0, 4095, 2047 */
    for (int interlaced = 0; interlaced < 2; interlaced++) {
        test_bytes png =
            test_png(&(test_pixels){.width = 3, .height = 1, .channels = 1, .bits = 16, .rows = rows},
                     &(test_png_options){.type = PNG_COLOR_TYPE_GRAY, .interlaced = interlaced, .key = -1});
        icseg_image_values range = {ICSEG_IMAGE_VALUES_INIT, .value_high = 4095};
        assert_loads(png.data, png.size, &range, 3, 1, (const uint8_t[]){0, 0, 0, 255, 255, 255, 127, 127, 127});
        assert_loads(png.data, png.size, NULL, 3, 1, (const uint8_t[]){0, 0, 0, 16, 16, 16, 8, 8, 8});
        icseg_image image;
        icseg_image_info info = {ICSEG_IMAGE_INFO_INIT};
        assert_int_equal(load(&image, png.data, png.size, NULL, &info), ICSEG_OK);
        icseg_image_close(&image);
        assert_int_equal(info.note, ICSEG_IMAGE_NOTE_DARK);
        free(png.data);
    }
    icseg_image_values range = {ICSEG_IMAGE_VALUES_INIT, .value_high = 100};
    assert_fails(bmp24, sizeof bmp24, &range, ICSEG_ERROR_DATA, "a value range is for files of 16 and more bits");
}

static void masks_of_bmp_and_pnm_are_read_as_stored(void **state) {
    (void)state;
    static const uint16_t expected[] = {0, 1, 2, 3, 0, 1};
    icseg_mask mask;
    const struct {
        const unsigned char *data;
        size_t size;
    } files[] = {{bmp8, sizeof bmp8}, {bmp4, sizeof bmp4}, {bmp_rle8, sizeof bmp_rle8}};
    for (size_t i = 0; i < 3; i++) {
        if (read_mask(&mask, files[i].data, files[i].size) != ICSEG_OK) fail_msg("%s", error.message);
        assert_memory_equal(mask.data, expected, sizeof expected);
        assert_int_equal(mask.palette_size, 4);
        assert_memory_equal(mask.palette[3], white, 3);
        icseg_mask_close(&mask);
    }
    assert_int_equal(read_mask(&mask, TEXT("P5 3 1 255\n\x00\x07\xff")), ICSEG_OK);
    assert_int_equal(mask.bits, 8);
    assert_memory_equal(mask.data, ((const uint16_t[]){0, 7, 255}), 6);
    icseg_mask_close(&mask);
    assert_int_equal(read_mask(&mask, TEXT("P2 2 1 65535 300 65535")), ICSEG_OK);
    assert_int_equal(mask.bits, 16);
    assert_memory_equal(mask.data, ((const uint16_t[]){300, 65535}), 4);
    icseg_mask_close(&mask);
    assert_int_equal(read_mask(&mask, bmp24, sizeof bmp24), ICSEG_ERROR_DATA);
    assert_non_null(strstr(error.message, "the first colour at x=0, y=0"));
    assert_int_equal(read_mask(&mask, TEXT("P3 2 1 255 1 1 1 1 2 3")), ICSEG_ERROR_DATA);
    assert_non_null(strstr(error.message, "the first colour at x=1, y=0"));
}

/* Red, green and blue that are equal are an index; so is grey beside an alpha channel that is opaque. */
static void masks_with_equal_channels_are_read(void **state) {
    (void)state;
    static const uint8_t rgb[] = {0, 0, 0, 7, 7, 7, 255, 255, 255}, rgba[] = {0, 0, 0, 255, 7, 7, 7, 255, 9, 9, 9, 255},
                         grey_alpha[] = {0, 255, 7, 255, 200, 255};
    static const uint8_t deep[] = {0, 7, 0, 7, 0, 7, 1, 44, 1, 44, 1, 44, 2, 2, 2, 2, 2, 2};
    static const struct {
        int type, channels, bits;
        const uint8_t *rows;
        uint16_t expected[3];
    } cases[] = {{PNG_COLOR_TYPE_RGB, 3, 8, rgb, {0, 7, 255}},
                 {PNG_COLOR_TYPE_RGB_ALPHA, 4, 8, rgba, {0, 7, 9}},
                 {PNG_COLOR_TYPE_GRAY_ALPHA, 2, 8, grey_alpha, {0, 7, 200}},
                 {PNG_COLOR_TYPE_RGB, 3, 16, deep, {7, 300, 514}}};
    icseg_mask mask;
    for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
        test_pixels p = {.width = 3,
                         .height = 1,
                         .channels = cases[i / 2].channels,
                         .bits = cases[i / 2].bits,
                         .rows = cases[i / 2].rows};
        test_bytes png = test_png(&p, &(test_png_options){.type = cases[i / 2].type, .interlaced = i % 2, .key = -1});
        if (read_mask(&mask, png.data, png.size) != ICSEG_OK) fail_msg("%s", error.message);
        assert_int_equal(mask.bits, cases[i / 2].bits);
        assert_memory_equal(mask.data, cases[i / 2].expected, 6);
        icseg_mask_close(&mask);
        free(png.data);
    }
    static const unsigned char bmp[] = {BMP(54, 3, 1, 24, 0, 0), 0, 0, 0, 7, 7, 7, 255, 255, 255, 0, 0, 0};
    assert_int_equal(read_mask(&mask, bmp, sizeof bmp), ICSEG_OK);
    assert_memory_equal(mask.data, cases[0].expected, 6);
    icseg_mask_close(&mask);
    assert_int_equal(read_mask(&mask, TEXT("P3 3 1 255 0 0 0 7 7 7 255 255 255")), ICSEG_OK);
    assert_memory_equal(mask.data, cases[0].expected, 6);
    icseg_mask_close(&mask);
#ifndef ICSEG_NO_TIFF
    test_bytes tiff = make_tiff(&(tiff_page){3, 1, 3, 8, SAMPLEFORMAT_UINT, -1, false, false, false, rgb}, 1);
    assert_int_equal(read_mask(&mask, tiff.data, tiff.size), ICSEG_OK);
    assert_memory_equal(mask.data, cases[0].expected, 6);
    icseg_mask_close(&mask);
    free(tiff.data);
#endif
    static const uint8_t clear[] = {0, 255, 7, 254, 200, 255};
    test_bytes png = test_png(&(test_pixels){.width = 3, .height = 1, .channels = 2, .bits = 8, .rows = clear},
                              &(test_png_options){.type = PNG_COLOR_TYPE_GRAY_ALPHA, .key = -1});
    assert_int_equal(read_mask(&mask, png.data, png.size), ICSEG_ERROR_DATA);
    assert_non_null(strstr(error.message, "transparent pixels (the first at x=1, y=0)"));
    free(png.data);
}

static void wrong_arguments_are_refused(void **state) {
    (void)state;
    icseg_image image;
    icseg_image_input input = {ICSEG_IMAGE_INPUT_INIT};
    icseg_image_info info = {0};
    assert_int_equal(icseg_image_load(&image, NULL, NULL, &error), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_image_load(NULL, &input, NULL, &error), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_image_load(&image, &input, NULL, &error), ICSEG_ERROR_ARGUMENT);
    assert_string_equal(error.message, "icseg_image_load: path and data are NULL; give one of them");
    input.path = "x";
    assert_int_equal(icseg_image_load(&image, &input, &info, &error), ICSEG_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "icseg_image_info"));
    input.struct_size = 1;
    assert_int_equal(icseg_image_load(&image, &input, NULL, &error), ICSEG_ERROR_ARGUMENT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bmp_is_read_in_every_kind),
        cmocka_unit_test(bmp_that_is_damaged_is_refused),
        cmocka_unit_test(pnm_is_read_in_every_kind),
        cmocka_unit_test(pnm_that_is_damaged_is_refused),
#ifndef ICSEG_NO_GIF
        cmocka_unit_test(gif_is_read_with_transparency_interlacing_and_frames),
#endif
#ifndef ICSEG_NO_HEIF
        cmocka_unit_test(heic_and_avif_are_read),
#endif
#ifndef ICSEG_NO_TIFF
        cmocka_unit_test(bands_of_a_tiff_are_chosen_and_never_dropped),
        cmocka_unit_test(value_ranges_of_every_type),
        cmocka_unit_test(pages_of_a_tiff_are_counted),
        cmocka_unit_test(masks_of_every_type_are_read_if_their_values_are_whole),
#endif
        cmocka_unit_test(png_of_16_bits_takes_a_range),
        cmocka_unit_test(masks_of_bmp_and_pnm_are_read_as_stored),
        cmocka_unit_test(masks_with_equal_channels_are_read),
        cmocka_unit_test(wrong_arguments_are_refused),
    };
    return cmocka_run_group_tests_name("image formats", tests, NULL, NULL);
}
