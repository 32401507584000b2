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

enum { SIGNATURE = 8, IHDR_END = SIGNATURE + 8 + 13 + 4, CHUNK_EXTRA = 12, PASSES = 7 };

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
                          "%s: the PNG data ends too early (%zu bytes); the file is truncated", source->name,
                          source->size);
    if (big_endian(data + SIGNATURE) != 13 || memcmp(data + SIGNATURE + 4, "IHDR", 4) != 0)
        return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: a PNG without a header chunk", source->name);
    ICSEG_TRY(icseg_header_set_size(out, big_endian(data + 16), big_endian(data + 20), source, error));
    out->bits = data[24];
    uint32_t frames = 0; /* of an animation */
    bool shown = false;  /* whether the image is one of them */
    for (size_t at = IHDR_END; source->size - at >= CHUNK_EXTRA;) {
        size_t length = big_endian(data + at), left = source->size - at - CHUNK_EXTRA;
        const unsigned char *type = data + at + 4, *body = type + 4;
        if (length > left || memcmp(type, "IDAT", 4) == 0) break;
        if (memcmp(type, "eXIf", 4) == 0 && out->orientation == 1)
            out->orientation = icseg_exif_orientation(body, length);
        if (memcmp(type, "acTL", 4) == 0 && length >= 4) frames = big_endian(body);
        shown |= memcmp(type, "fcTL", 4) == 0;
        at += length + CHUNK_EXTRA;
    }
    if (frames > (shown ? 1u : 0u)) out->pages = 2; /* or more */
    return ICSEG_OK;
}

typedef struct reader reader;
struct reader {
    png_structp png;
    png_infop info;
    const icseg_source *source;
    const icseg_header *header;
    icseg_error *error;
    /* Once the header is known: sets the conversions, `rows` and `stride`. */
    icseg_status (*start)(reader *r);
    icseg_mask *mask; /* NULL for an image */
    uint8_t *rows;
    uint8_t *stored;     /* rows that need a conversion of our own: 16 bits, or masks of several channels; owned */
    int channels, bytes; /* of a stored pixel, and of one of its values */
    size_t stride;       /* bytes from row to row */
    bool started;
    bool ended;     /* the end of the file has been read */
    size_t missing; /* bytes of libpng's allocation that failed */
    icseg_status status;
};

static void escape_with(reader *r, icseg_status status) {
    r->status = status;
    png_longjmp(r->png, 1);
}

static void on_error(png_structp png, png_const_charp text) {
    reader *r = png_get_error_ptr(png);
    escape_with(r, r->missing ? icseg_fail_memory_in(r->error, r->missing, r->source->name)
                              : icseg_fail(r->error, ICSEG_ERROR_FORMAT, "%s: cannot decode this PNG: %s",
                                           r->source->name, text));
}

static void on_warning(png_structp png, png_const_charp text) {
    (void)png;
    (void)text;
}

static void on_info(png_structp png, png_infop info) {
    reader *r = png_get_progressive_ptr(png);
    (void)info;
    if (r->started) png_error(png, "its pixels are interrupted by other data"); /* libpng would begin again */
    r->started = true;
    icseg_status status = r->start(r);
    if (status != ICSEG_OK) escape_with(r, status);
}

/* Interlaced images call this for all rows in every pass; `from` is NULL where the pass adds nothing to a row. */
static void on_row(png_structp png, png_bytep from, png_uint_32 y, int pass) {
    reader *r = png_get_progressive_ptr(png);
    (void)pass;
    if (from) png_progressive_combine_row(png, r->rows + (size_t)y * r->stride, from);
}

static void on_end(png_structp png, png_infop info) {
    reader *r = png_get_progressive_ptr(png);
    (void)info;
    bool interlaced = png_get_interlace_type(png, r->info) != PNG_INTERLACE_NONE;
    if (interlaced ? png_get_current_pass_number(png) < PASSES
                   : png_get_current_row_number(png) < (png_uint_32)r->header->height)
        png_error(png, "the image data ends too early");
    r->ended = true;
}

/* libpng's reader for data that arrive in pieces: unlike the other one, it does not decompress what follows the last
 * row, which may be any amount. The whole file is one piece. */
static icseg_status read_all(reader *r) {
    if (setjmp(png_jmpbuf(r->png))) return r->status;
    png_set_progressive_read_fn(r->png, r, on_info, on_row, on_end);
    png_set_user_limits(r->png, ICSEG_IMAGE_MAX_SIDE, ICSEG_IMAGE_MAX_SIDE);
    /* Text, colour profiles and the like are skipped: reading them is slow, and they may decompress to any size. */
    png_set_keep_unknown_chunks(r->png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
    png_process_data(r->png, r->info, (png_bytep)(uintptr_t)r->source->data, r->source->size);
    if (!r->ended) png_error(r->png, "the data ends too early; the file is truncated");
    return ICSEG_OK;
}

static icseg_status decode(reader *r) {
    icseg_status status = check_claim(r->header, r->source, r->error);
    if (status != ICSEG_OK) return status;
    r->png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, r, on_error, on_warning, &r->missing, icseg_png_alloc,
                                      icseg_png_free);
    r->info = r->png ? png_create_info_struct(r->png) : NULL;
    status = r->info ? read_all(r) : icseg_fail_memory_in(r->error, r->missing, r->source->name);
    png_destroy_read_struct(&r->png, &r->info, NULL);
    return status;
}

/* Makes `stored` the rows. */
static icseg_status store_rows(reader *r, int channels, int bytes) {
    r->channels = channels;
    r->bytes = bytes;
    r->stride = (size_t)r->header->width * (size_t)channels * (size_t)bytes;
    r->rows = r->stored = icseg_alloc_array((size_t)r->header->height, r->stride);
    return r->rows ? ICSEG_OK : icseg_fail_memory_in(r->error, r->stride * (size_t)r->header->height, r->source->name);
}

static icseg_status start_image(reader *r) {
    bool alpha = (png_get_color_type(r->png, r->info) & PNG_COLOR_MASK_ALPHA) != 0 ||
                 png_get_valid(r->png, r->info, PNG_INFO_tRNS) != 0;
    png_set_expand(r->png);
    if (alpha) png_set_background_fixed(r->png, &(png_color_16){0}, PNG_BACKGROUND_GAMMA_SCREEN, 0, 0);
    png_set_gray_to_rgb(r->png);
    png_set_interlace_handling(r->png);
    png_read_update_info(r->png, r->info);
    r->stride = (size_t)r->header->width * 3;
    if (png_get_bit_depth(r->png, r->info) == 16) ICSEG_TRY(store_rows(r, 3, 2));
    return png_get_rowbytes(r->png, r->info) == r->stride
               ? ICSEG_OK
               : icseg_fail(r->error, ICSEG_ERROR_INTERNAL, "%s: PNG rows have an unexpected size", r->source->name);
}

/* `from`: 16-bit values, big-endian. */
static void scale_values(const icseg_source *source, icseg_header *header, uint8_t *to, const uint8_t *from) {
    icseg_value_scale scale = icseg_value_scale_of(source, 0, 65535);
    for (size_t i = 0; i < 3 * (size_t)header->width * (size_t)header->height; i++) {
        int32_t value = from[2 * i] << 8 | from[2 * i + 1];
        if (value > header->highest) header->highest = value;
        to[i] = icseg_scale_value(&scale, value);
    }
}

icseg_status icseg_png_decode(const icseg_source *source, icseg_header *header, uint8_t *pixels, icseg_error *error) {
    reader r = {.source = source, .header = header, .error = error, .start = start_image, .rows = pixels};
    icseg_status status = decode(&r);
    if (status == ICSEG_OK && r.stored) scale_values(source, header, pixels, r.stored);
    icseg_free(r.stored);
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

static icseg_status start_mask(reader *r) {
    int type = png_get_color_type(r->png, r->info), depth = png_get_bit_depth(r->png, r->info);
    int channels = png_get_channels(r->png, r->info);
    r->mask->bits = depth;
    if (type == PNG_COLOR_TYPE_PALETTE) copy_palette(r->mask, r);
    ICSEG_TRY(icseg_mask_allocate(r->mask, r->header, r->source, r->error));
    r->rows = (uint8_t *)r->mask->data;
    r->stride = sizeof *r->mask->data * (size_t)r->header->width;
    if (channels > 1) ICSEG_TRY(store_rows(r, channels, depth / 8));
    png_set_packing(r->png); /* 1, 2, 4 bits to a byte each, not scaled */
    png_set_interlace_handling(r->png);
    png_read_update_info(r->png, r->info);
    return ICSEG_OK;
}

/* Colours whose red, green and blue are equal are indices, and so is grey with alpha, if all pixels are opaque. */
static icseg_status take_equal_channels(icseg_mask *out, const reader *r) {
    static const char *const names[] = {"", "", "grey with alpha", "RGB", "RGBA"};
    size_t bytes = (size_t)r->bytes, pixel = (size_t)r->channels * bytes, width = (size_t)out->width;
    bool alpha = r->channels == 2 || r->channels == 4;
    for (size_t i = 0; i < width * (size_t)out->height; i++) {
        const uint8_t *p = r->stored + i * pixel, *opacity = p + pixel - bytes;
        bool equal = r->channels < 3 || (!memcmp(p, p + bytes, bytes) && !memcmp(p, p + 2 * bytes, bytes));
        bool opaque = !alpha || (opacity[0] == 255 && opacity[bytes - 1] == 255);
        if (!equal) return icseg_mask_fail_colour(r->source, names[r->channels], i % width, i / width, r->error);
        if (!opaque) return icseg_mask_fail_transparent(r->source, i % width, i / width, r->error);
        out->data[i] = (uint16_t)(bytes == 2 ? p[0] << 8 | p[1] : p[0]);
    }
    return ICSEG_OK;
}

/* Widens each row in place: it holds one byte a pixel, or big-endian pairs. */
static void widen(icseg_mask *mask) {
    size_t width = (size_t)mask->width;
    for (size_t y = 0; y < (size_t)mask->height; y++) {
        uint16_t *row = mask->data + y * width;
        const uint8_t *bytes = (const uint8_t *)row;
        if (mask->bits == 16)
            for (size_t x = 0; x < width; x++) row[x] = (uint16_t)(bytes[2 * x] << 8 | bytes[2 * x + 1]);
        else
            for (size_t x = width; x-- > 0;) row[x] = bytes[x];
    }
}

icseg_status icseg_png_decode_mask(icseg_mask *out, const icseg_source *source, const icseg_header *header,
                                   icseg_error *error) {
    reader r = {.source = source, .header = header, .error = error, .start = start_mask, .mask = out};
    if (header->pages > 1) return icseg_mask_fail_frames(source, "PNG", error);
    icseg_status status = decode(&r);
    if (status == ICSEG_OK && r.stored)
        status = take_equal_channels(out, &r);
    else if (status == ICSEG_OK)
        widen(out);
    icseg_free(r.stored);
    return status;
}
