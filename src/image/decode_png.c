/* SPDX-License-Identifier: Apache-2.0
 * PNG. This file reads the header and the eXIf chunk, libpng the pixels: as an image (8-bit RGB) or as a mask (values
 * as stored). */
#include <setjmp.h>
#include <stdbool.h>
#include <string.h>

#include <png.h>

#include "base/memory.h"
#include "image/codec.h"
#include "image/png_memory.h"

enum { SIGNATURE = 8, IHDR_END = SIGNATURE + 8 + 13 + 4, CHUNK_EXTRA = 12 };

static uint32_t big_endian(const unsigned char *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* A deflate stream grows by a factor of 1032 at most. A header that claims more is refused before memory is allocated.
 */
static icseg_status check_claim(const icseg_header *header, const icseg_source *source, icseg_error *error) {
    static const int channels[7] = {1, 0, 3, 1, 2, 0, 4};
    unsigned depth = source->data[24], type = source->data[25];
    uint64_t bits = (uint64_t)header->width * depth * (uint64_t)(type < 7 ? channels[type] : 0);
    if ((bits / 8 + 1) * (uint64_t)header->height / 1032 > source->size)
        return icseg_fail(error, ICSEG_ERROR_FORMAT,
                          "%s: a PNG of %d x %d pixels cannot be in %zu bytes; the file is truncated", source->name,
                          header->width, header->height, source->size);
    return ICSEG_OK;
}

icseg_status icseg_png_header(icseg_header *out, const icseg_source *source, icseg_error *error) {
    const unsigned char *data = source->data;
    if (source->size < IHDR_END)
        return icseg_fail(error, ICSEG_ERROR_FORMAT,
                          "%s: the PNG data end too early (%zu bytes); the file is truncated", source->name,
                          source->size);
    if (big_endian(data + SIGNATURE) != 13 || memcmp(data + SIGNATURE + 4, "IHDR", 4) != 0)
        return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: a PNG without a header chunk", source->name);
    ICSEG_TRY(icseg_header_set_size(out, big_endian(data + 16), big_endian(data + 20), source, error));
    for (size_t at = IHDR_END; source->size - at >= CHUNK_EXTRA;) {
        size_t length = big_endian(data + at), left = source->size - at - CHUNK_EXTRA;
        if (length > left || memcmp(data + at + 4, "IDAT", 4) == 0) break;
        if (memcmp(data + at + 4, "eXIf", 4) == 0) {
            out->orientation = icseg_exif_orientation(data + at + 8, length);
            break;
        }
        at += length + CHUNK_EXTRA;
    }
    return ICSEG_OK;
}

typedef struct reader {
    png_structp png;
    png_infop info;
    const icseg_source *source;
    icseg_error *error;
    size_t at;
    size_t missing; /* bytes of libpng's allocation that failed */
    icseg_status status;
} reader;

static void on_error(png_structp png, png_const_charp text) {
    reader *r = png_get_error_ptr(png);
    r->status = r->missing
                    ? icseg_fail_memory(r->error, r->missing, r->source->name)
                    : icseg_fail(r->error, ICSEG_ERROR_FORMAT, "%s: cannot decode this PNG: %s", r->source->name, text);
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp text) {
    (void)png;
    (void)text;
}

static void on_read(png_structp png, png_bytep to, size_t count) {
    reader *r = png_get_io_ptr(png);
    if (count > r->source->size - r->at) png_error(png, "the data end too early; the file is truncated");
    memcpy(to, r->source->data + r->at, count);
    r->at += count;
}

static icseg_status open_reader(reader *r) {
    r->png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, r, on_error, on_warning, &r->missing, icseg_png_alloc,
                                      icseg_png_free);
    r->info = r->png ? png_create_info_struct(r->png) : NULL;
    return r->info ? ICSEG_OK : icseg_fail_memory(r->error, r->missing, r->source->name);
}

/* Must follow setjmp, as everything that may fail. */
static void read_info(reader *r) {
    png_set_read_fn(r->png, r, on_read);
    png_set_user_limits(r->png, ICSEG_IMAGE_MAX_SIDE, ICSEG_IMAGE_MAX_SIDE);
    /* Text, colour profiles and the like are skipped: reading them is slow, and they may decompress to any size. */
    png_set_keep_unknown_chunks(r->png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
    png_read_info(r->png, r->info);
}

/* All passes of all rows, `stride` bytes apart; then the rest of the file, so that truncation there is noticed. */
static void read_rows(reader *r, uint8_t *rows, size_t stride, int32_t height, int passes) {
    for (int pass = 0; pass < passes; pass++)
        for (int32_t y = 0; y < height; y++) png_read_row(r->png, rows + (size_t)y * stride, NULL);
    png_read_end(r->png, NULL);
}

static icseg_status decode(reader *r, const icseg_header *header, uint8_t *pixels) {
    if (setjmp(png_jmpbuf(r->png))) return r->status;
    read_info(r);
    bool alpha = (png_get_color_type(r->png, r->info) & PNG_COLOR_MASK_ALPHA) != 0 ||
                 png_get_valid(r->png, r->info, PNG_INFO_tRNS) != 0;
    png_set_expand(r->png);
    png_set_scale_16(r->png);
    if (alpha) png_set_background_fixed(r->png, &(png_color_16){0}, PNG_BACKGROUND_GAMMA_SCREEN, 0, 0);
    png_set_gray_to_rgb(r->png);
    int passes = png_set_interlace_handling(r->png);
    png_read_update_info(r->png, r->info);
    size_t stride = (size_t)header->width * 3;
    if (png_get_rowbytes(r->png, r->info) != stride)
        return icseg_fail(r->error, ICSEG_ERROR_INTERNAL, "%s: PNG rows have an unexpected size", r->source->name);
    read_rows(r, pixels, stride, header->height, passes);
    return ICSEG_OK;
}

icseg_status icseg_png_decode(const icseg_source *source, const icseg_header *header, uint8_t *pixels,
                              icseg_error *error) {
    reader r = {.source = source, .error = error};
    icseg_status status = check_claim(header, source, error);
    if (status == ICSEG_OK) status = open_reader(&r);
    if (status == ICSEG_OK) status = decode(&r, header, pixels);
    png_destroy_read_struct(&r.png, &r.info, NULL);
    return status;
}

static void copy_palette(icseg_mask *out, reader *r) {
    png_colorp colors = NULL;
    int count = 0;
    png_get_PLTE(r->png, r->info, &colors, &count);
    for (int i = 0; i < count && i < 256; i++) {
        out->palette[i][0] = colors[i].red;
        out->palette[i][1] = colors[i].green;
        out->palette[i][2] = colors[i].blue;
    }
    out->palette_size = count < 256 ? count : 256;
}

static icseg_status decode_mask(icseg_mask *out, reader *r, const icseg_header *header) {
    if (setjmp(png_jmpbuf(r->png))) return r->status;
    read_info(r);
    int type = png_get_color_type(r->png, r->info), depth = png_get_bit_depth(r->png, r->info);
    if (type != PNG_COLOR_TYPE_GRAY && type != PNG_COLOR_TYPE_PALETTE)
        return icseg_mask_fail_colour(r->source,
                                      type == PNG_COLOR_TYPE_RGB         ? "RGB"
                                      : type == PNG_COLOR_TYPE_RGB_ALPHA ? "RGBA"
                                                                         : "grey with alpha",
                                      r->error);
    out->bits = depth;
    if (type == PNG_COLOR_TYPE_PALETTE) copy_palette(out, r);
    ICSEG_TRY(icseg_mask_allocate(out, header, r->source, r->error));
    png_set_packing(r->png); /* 1, 2, 4 bits to a byte each, not scaled */
    int passes = png_set_interlace_handling(r->png);
    png_read_update_info(r->png, r->info);
    size_t width = (size_t)header->width;
    read_rows(r, (uint8_t *)out->data, 2 * width, header->height, passes);
    for (size_t y = 0; y < (size_t)header->height; y++) {
        uint16_t *row = out->data + y * width; /* holds `width` bytes, or big-endian pairs: widened in place */
        const uint8_t *bytes = (const uint8_t *)row;
        if (depth == 16)
            for (size_t x = 0; x < width; x++) row[x] = (uint16_t)(bytes[2 * x] << 8 | bytes[2 * x + 1]);
        else
            for (size_t x = width; x-- > 0;) row[x] = bytes[x];
    }
    return ICSEG_OK;
}

icseg_status icseg_png_decode_mask(icseg_mask *out, const icseg_source *source, const icseg_header *header,
                                   icseg_error *error) {
    reader r = {.source = source, .error = error};
    icseg_status status = check_claim(header, source, error);
    if (status == ICSEG_OK) status = open_reader(&r);
    if (status == ICSEG_OK) status = decode_mask(out, &r, header);
    png_destroy_read_struct(&r.png, &r.info, NULL);
    return status;
}
