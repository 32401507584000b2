/* SPDX-License-Identifier: Apache-2.0
 * image/: small files that would take long or much memory, each made by hand. All are refused, or read with work in
 * proportion to the image. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <zlib.h>

#include "base/memory.h"
#include "icseg/image.h"
#include "options/string.h"
#include "support/inflated.h"
#include "support/scratch.h"
#include "support/zip_files.h"

static icseg_error error;

static void put_text(icseg_string *s, const char *text) { icseg_string_append(s, text, strlen(text)); }

/* Numbers of `bytes` bytes, big-endian. */
static void put_big(icseg_string *s, uint64_t value, int bytes) {
    for (int i = bytes; i-- > 0;) icseg_string_append(s, &(char){(char)(value >> 8 * i)}, 1);
}

/* Deflated zeros with zlib's header. */
static icseg_string deflated(size_t zeros) {
    icseg_string packed = {0};
    char *from = icseg_calloc_array(zeros, 1);
    uLongf size = compressBound(zeros);
    char *to = icseg_alloc(size);
    assert_true(from && to);
    assert_int_equal(compress2((Bytef *)to, &size, (Bytef *)from, zeros, 9), Z_OK);
    icseg_string_append(&packed, to, size);
    icseg_free(from);
    icseg_free(to);
    return packed;
}

/* Reads the bytes as an image or as a label map, and closes them. */
static icseg_status read_file(icseg_string *s, bool mask) {
    icseg_image image;
    icseg_mask labels;
    const char *path = test_scratch("bomb");
    assert_false(s->failed);
    test_put_file(path, s->data, s->size);
    icseg_string_close(s);
    icseg_error_clear(&error);
    icseg_status status = mask ? icseg_mask_read(&labels, path, &error) : icseg_image_read(&image, path, &error);
    if (status == ICSEG_OK && mask) icseg_mask_close(&labels);
    if (status == ICSEG_OK && !mask) icseg_image_close(&image);
    return status;
}

/* ------------------------------------------------------------------------------------------------------------ JPEG */

static void put_segment(icseg_string *s, int marker, size_t size) {
    put_big(s, (uint64_t)0xff00 | (unsigned)marker, 2);
    put_big(s, size + 2, 2);
}

/* A Huffman table of one code, which is one bit long. */
static void put_code(icseg_string *s, int table, int value) {
    put_segment(s, 0xc4, 18);
    put_big(s, (unsigned)table, 1);
    put_big(s, 1, 1);
    for (int i = 1; i < 16; i++) put_big(s, 0, 1);
    put_big(s, (unsigned)value, 1);
}

static void put_scan(icseg_string *s, int from, int to, int bits) {
    put_segment(s, 0xda, 6);
    put_big(s, 0x010100, 3);
    put_big(s, (unsigned)(from << 16 | to << 8 | bits), 3);
}

/* A grey progressive JPEG of 64 x 64 pixels. After the mean values come scans of two bytes: one run of empty blocks. */
static icseg_string jpeg_of_scans(int scans) {
    icseg_string s = {0};
    put_big(&s, 0xffd8, 2);
    put_segment(&s, 0xdb, 65);
    put_big(&s, 0, 1);
    for (int i = 0; i < 64; i++) put_big(&s, 1, 1);
    put_segment(&s, 0xc2, 9);
    put_big(&s, 8, 1);
    put_big(&s, 64 << 16 | 64, 4);
    put_big(&s, 0x01011100, 4);
    put_code(&s, 0x00, 0);
    put_code(&s, 0x10, 0xe0);
    put_scan(&s, 0, 0, 0);
    put_big(&s, 0, 8);
    for (int i = 1, low = 13; i < scans; i++) {
        put_scan(&s, 1, 63, i == 1 ? low : low ? low << 4 | (low - 1) : 1 << 4);
        if (i > 1 && low) low--;
        put_big(&s, 0x7fff00, 3);
    }
    put_big(&s, 0xffd9, 2);
    return s;
}

static void a_jpeg_of_too_many_scans_is_refused(void **state) {
    (void)state;
    icseg_string s = jpeg_of_scans(64);
    if (read_file(&s, false) != ICSEG_OK) fail_msg("%s", error.message);
    s = jpeg_of_scans(65);
    assert_int_equal(read_file(&s, false), ICSEG_ERROR_FORMAT);
    assert_non_null(strstr(error.message, "bomb: a JPEG with more than 64 scans; save it again as a baseline JPEG"));
}

/* ------------------------------------------------------------------------------------------------------------- PNG */

static void put_chunk(icseg_string *s, const char *name, const char *data, size_t size) {
    put_big(s, size, 4);
    put_text(s, name);
    icseg_string_append(s, data, size);
    put_big(s, crc32(crc32(0, (const Bytef *)name, 4), (const Bytef *)data, (uInt)size), 4);
}

/* A grey PNG of 5 x 5 pixels, which has `zeros` bytes of data and, before them, an equal text and colour profile. */
static icseg_string png_of(size_t zeros, bool interlaced) {
    static const char text[] = "Comment\0"; /* and the compression method */
    icseg_string s = {0}, data = deflated(zeros), packed = {0};
    char head[13] = {0, 0, 0, 5, 0, 0, 0, 5, 8, 0, 0, 0, (char)interlaced};
    icseg_string_append(&s, "\x89PNG\r\n\x1a\n", 8);
    put_chunk(&s, "IHDR", head, sizeof head);
    icseg_string_append(&packed, text, sizeof text);
    icseg_string_append(&packed, data.data, data.size);
    put_chunk(&s, "iCCP", packed.data, packed.size);
    put_chunk(&s, "zTXt", packed.data, packed.size);
    put_chunk(&s, "IDAT", data.data, data.size);
    put_chunk(&s, "zTXt", packed.data, packed.size);
    put_chunk(&s, "IEND", "", 0);
    icseg_string_close(&data);
    icseg_string_close(&packed);
    return s;
}

static void a_png_decompresses_its_pixels_only(void **state) {
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        bool mask = kind & 1, interlaced = kind & 2;
        size_t needed = interlaced ? 25 + 11 : 25 + 5; /* and a filter in front of each row of each pass */
        icseg_string s = png_of((size_t)8 << 20, interlaced);
        test_inflated();
        if (read_file(&s, mask) != ICSEG_OK) fail_msg("%s", error.message);
        assert_in_range(test_inflated(), needed, 2 * needed);
        s = png_of(needed, interlaced);
        assert_int_equal(read_file(&s, mask), ICSEG_OK);
        s = png_of(needed - 1, interlaced);
        assert_int_equal(read_file(&s, mask), ICSEG_ERROR_FORMAT);
        assert_non_null(strstr(error.message, "bomb: cannot decode this PNG: "));
    }
}

static void chunks_without_pixels_are_skipped(void **state) {
    (void)state;
    for (int interrupted = 0; interrupted < 2; interrupted++) {
        icseg_string s = png_of(30, false);
        s.size -= 12; /* IEND */
        for (int i = 0; i < 20000; i++) put_chunk(&s, interrupted && i > 10000 ? "IDAT" : "tEXt", "", 0);
        put_chunk(&s, "IEND", "", 0);
        icseg_status status = read_file(&s, true);
        if (status != (interrupted ? ICSEG_ERROR_FORMAT : ICSEG_OK)) fail_msg("%s", error.message);
    }
    assert_non_null(strstr(error.message, "bomb: cannot decode this PNG: its pixels are interrupted"));
}

/* ------------------------------------------------------------------------------------------------------------ TIFF */

enum { BYTE = 1, SHORT = 3, LONG = 4, NONE = 1, JPEG = 7, DEFLATE = 8, DATA = 8 };

typedef struct tag {
    uint32_t tag, type, count, value;
} tag;

/* `data` begins at byte DATA, and the directory follows it. The tags' order is ascending. Closes the data. */
static icseg_string tiff_of(icseg_string *data, const tag *tags, size_t count) {
    icseg_string s = {0};
    test_put(&s, 0x002a4949, 4);
    test_put(&s, DATA + data->size, 4);
    icseg_string_append(&s, data->data, data->size);
    icseg_string_close(data);
    test_put(&s, count, 2);
    for (size_t i = 0; i < count; i++) {
        test_put(&s, tags[i].tag | tags[i].type << 16, 4);
        test_put(&s, tags[i].count, 4);
        test_put(&s, tags[i].value, 4);
    }
    test_put(&s, 0, 4); /* it is the only page */
    return s;
}

static void refuses_tiff(icseg_string *s, const char *what) {
    for (int mask = 0; mask < 2; mask++) {
        icseg_string copy = {0};
        icseg_string_append(&copy, s->data, s->size);
        test_inflated();
        icseg_status status = read_file(&copy, mask);
        if (mask && status == ICSEG_ERROR_DATA && strstr(error.message, "with JPEG compression where")) continue;
        if (status != ICSEG_ERROR_FORMAT || !strstr(error.message, what))
            fail_msg("status %d, \"%s\" without \"%s\"", status, error.message, what);
        assert_int_equal(test_inflated(), 0);
    }
    icseg_string_close(s);
}

/* A grey TIFF in tiles, or in strips where `across` is 0. All of them have the same data. Closes `packed`. */
static icseg_string tiff_of_blocks(icseg_string *packed, uint32_t width, uint32_t height, uint32_t across,
                                   uint32_t down) {
    icseg_string data = {0};
    bool tiled = across > 0;
    uint32_t blocks = (tiled ? (width + across - 1) / across : 1) * ((height + down - 1) / down);
    uint32_t size = (uint32_t)packed->size, begin = DATA + 8 * blocks, begins = DATA, sizes = DATA + 4 * blocks;
    for (uint32_t i = 0; i < blocks; i++) test_put(&data, begin, 4);
    for (uint32_t i = 0; i < blocks; i++) test_put(&data, size, 4);
    icseg_string_append(&data, packed->data, packed->size);
    icseg_string_close(packed);
    if (blocks == 1) begins = begin, sizes = size; /* a single number is in the directory */
    tag tags[] = {{256, LONG, 1, width},
                  {257, LONG, 1, height},
                  {258, SHORT, 1, 8},
                  {259, SHORT, 1, DEFLATE},
                  {262, SHORT, 1, 1},
                  {tiled ? 322 : 273, LONG, tiled ? 1 : blocks, tiled ? across : begins},
                  {tiled ? 323 : 278, LONG, 1, down},
                  {tiled ? 324 : 279, LONG, blocks, tiled ? begins : sizes},
                  {325, LONG, blocks, sizes}};
    return tiff_of(&data, tags, tiled ? 9 : 8);
}

static void tiff_blocks_that_are_too_large_are_refused(void **state) {
    (void)state;
    icseg_string packed = deflated(16 * 16), s = tiff_of_blocks(&packed, 30, 30, 16, 16);
    if (read_file(&s, true) != ICSEG_OK) fail_msg("%s", error.message); /* four equal tiles may share their data */
    packed = deflated(2048 * 16);
    s = tiff_of_blocks(&packed, 1, 1, 2048, 16);
    if (read_file(&s, true) != ICSEG_OK) fail_msg("%s", error.message); /* a tile may be larger than the image */
    packed = deflated(1 << 20);
    s = tiff_of_blocks(&packed, 1, 1, 1 << 13, 1 << 13);
    refuses_tiff(&s, "bomb: refused: 1 tiles of 67108864 bytes are too large for a TIFF of 1 x 1 pixels");
    packed = deflated(1 << 20);
    s = tiff_of_blocks(&packed, 32768, 1, 16, 1 << 20);
    refuses_tiff(&s, "bomb: refused: 2048 tiles of 16777216 bytes are too large for a TIFF of 32768 x 1 pixels");
}

static void tiff_blocks_that_share_much_data_are_refused(void **state) {
    (void)state;
    icseg_string packed = deflated(1), s = {0};
    icseg_string_append(&s, packed.data, 2);
    for (int i = 0; i < 20000; i++) icseg_string_append(&s, "\0\0\0\xff\xff", 5); /* stored blocks without bytes */
    icseg_string_append(&s, packed.data + 2, packed.size - 2);
    icseg_string_close(&packed);
    s = tiff_of_blocks(&s, 1, 2000, 0, 1);
    refuses_tiff(&s, "bomb: refused: the strips of this TIFF claim 200018000 bytes, but the file has ");
}

static void a_jpeg_of_too_many_scans_in_a_tiff_is_refused(void **state) {
    (void)state;
    for (int scans = 64; scans <= 65; scans++) {
        icseg_string data = jpeg_of_scans(scans);
        const tag tags[] = {
            {256, LONG, 1, 64}, {257, LONG, 1, 64},   {258, SHORT, 1, 8}, {259, SHORT, 1, JPEG},
            {262, SHORT, 1, 1}, {273, LONG, 1, DATA}, {278, LONG, 1, 64}, {279, LONG, 1, (uint32_t)data.size}};
        icseg_string s = tiff_of(&data, tags, sizeof tags / sizeof *tags);
        if (scans > 64)
            refuses_tiff(&s,
                         "bomb: the TIFF contains a JPEG with more than 64 scans; save it again without compression");
        else if (read_file(&s, false) != ICSEG_OK)
            fail_msg("%s", error.message);
    }
}

static void tiff_tags_that_share_much_data_are_refused(void **state) {
    (void)state;
    enum { TAGS = 3000, BYTES = 100000 };
    static const tag head[] = {{256, LONG, 1, 1},  {257, LONG, 1, 1},    {258, SHORT, 1, 8}, {259, SHORT, 1, NONE},
                               {262, SHORT, 1, 1}, {273, LONG, 1, DATA}, {278, LONG, 1, 1},  {279, LONG, 1, 1}};
    enum { HEAD = sizeof head / sizeof *head };
    tag *tags = icseg_alloc_array(TAGS, sizeof *tags);
    memcpy(tags, head, sizeof head);
    for (uint32_t i = HEAD; i < TAGS; i++) tags[i] = (tag){20000 + i, BYTE, BYTES, DATA};
    for (int kind = 0; kind < 3; kind++) {
        icseg_string data = {0};
        for (int i = 0; i < BYTES; i++) test_put(&data, 0, 1);
        if (kind == 2) tags[HEAD].count = tags[HEAD + 1].count = UINT32_MAX; /* read up to the end of the file */
        icseg_string s = tiff_of(&data, tags, kind == 1 ? TAGS : HEAD + (size_t)kind);
        if (kind)
            refuses_tiff(&s, "bomb: refused: the tags of this TIFF claim more bytes than the file has (");
        else if (read_file(&s, false) != ICSEG_OK)
            fail_msg("%s", error.message);
    }
    icseg_free(tags);
}

/* ------------------------------------------------------------------------------------------------------------ WebP */

static void an_animated_webp_is_refused(void **state) {
    (void)state;
    icseg_string s = {0};
    put_text(&s, "RIFF");
    test_put(&s, 4 + 18, 4);
    put_text(&s, "WEBPVP8X");
    test_put(&s, 10, 4);
    test_put(&s, 2, 4); /* the animation's flag */
    test_put(&s, 9, 3); /* width - 1 */
    test_put(&s, 9, 3);
    assert_int_equal(read_file(&s, false), ICSEG_ERROR_UNSUPPORTED);
    assert_non_null(strstr(error.message, "bomb: an animated WebP; save the frame as a still image"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_jpeg_of_too_many_scans_is_refused),
        cmocka_unit_test(a_png_decompresses_its_pixels_only),
        cmocka_unit_test(chunks_without_pixels_are_skipped),
        cmocka_unit_test(tiff_blocks_that_are_too_large_are_refused),
        cmocka_unit_test(tiff_blocks_that_share_much_data_are_refused),
        cmocka_unit_test(a_jpeg_of_too_many_scans_in_a_tiff_is_refused),
        cmocka_unit_test(tiff_tags_that_share_much_data_are_refused),
        cmocka_unit_test(an_animated_webp_is_refused),
    };
    return cmocka_run_group_tests(tests, test_scratch_open, test_scratch_close);
}
