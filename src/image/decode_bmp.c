/* SPDX-License-Identifier: Apache-2.0
 * BMP: palettes, run lengths, 16 to 32 bits, bit fields; upright and upside down. Alpha, where the header declares it,
 * is over black. Format: https://learn.microsoft.com/windows/win32/gdi/bitmap-storage */
#include <stdbool.h>
#include <string.h>

#include "base/memory.h"
#include "image/codec.h"

enum { FILE_HEADER = 14, CORE_HEADER = 12, INFO_HEADER = 40 };
enum { RGB = 0, RLE8 = 1, RLE4 = 2, BITFIELDS = 3, ALPHA_BITFIELDS = 6 };

typedef struct bitmap {
    const icseg_source *source;
    int32_t width, height;
    bool top_down;
    uint32_t bits, compression;
    uint32_t mask[4];                           /* red, green, blue, alpha: the bits of a pixel of 16 or 32 bits */
    size_t palette, palette_size, palette_step; /* offset, colours, bytes of one */
    size_t pixels;                              /* offset of the first row */
} bitmap;

static icseg_status fail(const icseg_source *source, const char *what, icseg_error *error) {
    return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: cannot decode this BMP: %s", source->name, what);
}

static const char truncated[] = "the data ends too early; the file is truncated";

static uint32_t u16(const icseg_source *s, size_t at) { return s->data[at] | (uint32_t)s->data[at + 1] << 8; }
static uint32_t u32(const icseg_source *s, size_t at) { return u16(s, at) | u16(s, at + 2) << 16; }

static bool is_run_length(const bitmap *b) { return b->compression == RLE8 || b->compression == RLE4; }

static size_t row_bytes(const bitmap *b) { return ((size_t)b->width * b->bits + 31) / 32 * 4; }

static icseg_status read_masks(bitmap *b, size_t size, icseg_error *error) {
    size_t count = b->compression == ALPHA_BITFIELDS || size >= 56 ? 4 : 3;
    if (b->bits == 16) memcpy(b->mask, (const uint32_t[4]){0x7c00, 0x3e0, 0x1f, 0}, sizeof b->mask);
    if (b->bits == 32) memcpy(b->mask, (const uint32_t[4]){0xff0000, 0xff00, 0xff, 0}, sizeof b->mask);
    if (b->compression != BITFIELDS && b->compression != ALPHA_BITFIELDS) return ICSEG_OK;
    if (b->bits != 16 && b->bits != 32) return fail(b->source, "bit fields need 16 or 32 bits a pixel", error);
    if (FILE_HEADER + INFO_HEADER + 4 * count > b->source->size) return fail(b->source, truncated, error);
    for (size_t i = 0; i < count; i++) b->mask[i] = u32(b->source, FILE_HEADER + INFO_HEADER + 4 * i);
    /* With the short header the masks come between it and the palette. */
    if (size == INFO_HEADER) b->palette += 4 * count;
    return ICSEG_OK;
}

/* A header of which the size is one that exists; *out is checked against the file's length. */
static icseg_status read_header(bitmap *out, const icseg_source *source, icseg_error *error) {
    if (source->size < FILE_HEADER + CORE_HEADER) return fail(source, truncated, error);
    size_t size = u32(source, FILE_HEADER);
    bool core = size == CORE_HEADER;
    if (!core && (size < INFO_HEADER || size > 124)) return fail(source, "its header has an unknown size", error);
    if (FILE_HEADER + size > source->size) return fail(source, truncated, error);
    uint32_t width = core ? u16(source, 18) : u32(source, 18), height = core ? u16(source, 20) : u32(source, 22);
    *out = (bitmap){.source = source, .bits = core ? u16(source, 24) : u16(source, 28)};
    out->top_down = !core && height >> 31;
    if (out->top_down) height = -height;
    icseg_header header;
    ICSEG_TRY(icseg_header_set_size(&header, width, height, source, error));
    out->width = header.width, out->height = header.height;
    if (!core) out->compression = u32(source, 30);
    out->palette = FILE_HEADER + size;
    out->palette_step = core ? 3 : 4;
    out->pixels = u32(source, 10);
    uint32_t bits = out->bits, used = core ? 0 : u32(source, 46);
    if (bits != 1 && bits != 2 && bits != 4 && bits != 8 && bits != 16 && bits != 24 && bits != 32)
        return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: cannot decode this BMP: %u bits a pixel", source->name, bits);
    if (out->compression == 4 || out->compression == 5)
        return icseg_fail(error, ICSEG_ERROR_UNSUPPORTED,
                          "%s: a BMP that contains a JPEG or PNG; convert it to PNG or JPEG", source->name);
    if (out->compression > ALPHA_BITFIELDS ||
        (is_run_length(out) && (bits != (out->compression == RLE8 ? 8U : 4U) || out->top_down)))
        return fail(source, "its compression is unknown", error);
    ICSEG_TRY(read_masks(out, size, error));
    if (bits <= 8) {
        out->palette_size = used && used < 1U << bits ? used : 1U << bits;
        /* The palette may be shorter than declared: it ends where the pixels begin. */
        size_t most = out->pixels > out->palette ? (out->pixels - out->palette) / out->palette_step : 0;
        if (out->palette_size > most) out->palette_size = most;
        if (!out->palette_size) return fail(source, "it has no palette", error);
    }
    size_t rows = row_bytes(out) * (size_t)out->height;
    if (out->pixels > source->size || (!is_run_length(out) && rows > source->size - out->pixels))
        return fail(source, truncated, error);
    /* A run of two bytes sets 255 pixels. More pixels than that would be the background of a damaged file. */
    if (is_run_length(out) && (uint64_t)out->width * (uint64_t)out->height / 256 > source->size)
        return fail(source, truncated, error);
    return ICSEG_OK;
}

icseg_status icseg_bmp_header(icseg_header *out, const icseg_source *source, icseg_error *error) {
    bitmap b;
    ICSEG_TRY(read_header(&b, source, error));
    out->width = b.width, out->height = b.height;
    return ICSEG_OK;
}

/* ---- palette indices ---- */

/* Run lengths, from the bottom row up; pixels that no run sets stay 0. */
static icseg_status unpack_runs(const bitmap *b, uint8_t *indices, icseg_error *error) {
    const unsigned char *p = b->source->data + b->pixels, *end = b->source->data + b->source->size;
    int32_t x = 0, y = b->height - 1;
    bool half = b->compression == RLE4;
    for (;;) {
        if (end - p < 2) return fail(b->source, truncated, error);
        int count = p[0], value = p[1];
        p += 2;
        if (!count && value == 1) return ICSEG_OK; /* end of the bitmap */
        if (!count && value == 0) {                /* end of the row */
            x = 0;
            if (--y < -1) return fail(b->source, "more rows than its height", error);
            continue;
        }
        if (!count && value == 2) { /* move */
            if (end - p < 2) return fail(b->source, truncated, error);
            x += p[0], y -= p[1];
            p += 2;
            if (x > b->width || y < -1) return fail(b->source, "a run outside of the image", error);
            continue;
        }
        int literal = count ? 0 : value, pixels = count ? count : value;
        int bytes = half ? (literal + 1) / 2 : literal;
        if (end - p < bytes + bytes % 2) return fail(b->source, truncated, error);
        if (y < 0 || x + pixels > b->width + 1) return fail(b->source, "a run outside of the image", error);
        uint8_t *row = indices + (size_t)y * (size_t)b->width;
        for (int i = 0; i < pixels && x < b->width; i++, x++) {
            int byte = literal ? p[half ? i / 2 : i] : value;
            row[x] = (uint8_t)(!half ? byte : i % 2 ? byte & 15 : byte >> 4);
        }
        p += bytes + bytes % 2;
    }
}

static const unsigned char *row_of(const bitmap *b, int32_t y) {
    return b->source->data + b->pixels + row_bytes(b) * (size_t)(b->top_down ? y : b->height - 1 - y);
}

/* (height, width) indices of a file with a palette, each checked. */
static icseg_status read_indices(const bitmap *b, uint8_t *indices, icseg_error *error) {
    size_t count = (size_t)b->width * (size_t)b->height;
    if (is_run_length(b)) {
        memset(indices, 0, count);
        ICSEG_TRY(unpack_runs(b, indices, error));
    } else
        for (int32_t y = 0; y < b->height; y++)
            for (uint32_t x = 0; x < (uint32_t)b->width; x++)
                indices[(size_t)y * (size_t)b->width + x] =
                    (uint8_t)(row_of(b, y)[x * b->bits / 8] >> (8 - b->bits - x * b->bits % 8) & ((1U << b->bits) - 1));
    for (size_t i = 0; i < count; i++)
        if (indices[i] >= b->palette_size) return fail(b->source, "an index outside of its palette", error);
    return ICSEG_OK;
}

static void palette_colour(const bitmap *b, size_t index, uint8_t rgb[3]) {
    const unsigned char *bgr = b->source->data + b->palette + index * b->palette_step;
    rgb[0] = bgr[2], rgb[1] = bgr[1], rgb[2] = bgr[0];
}

static icseg_status decode_palette(const bitmap *b, uint8_t *pixels, icseg_error *error) {
    size_t count = (size_t)b->width * (size_t)b->height;
    uint8_t *indices = icseg_alloc(count);
    if (!indices) return icseg_fail_memory_in(error, count, b->source->name);
    icseg_status status = read_indices(b, indices, error);
    for (size_t i = 0; status == ICSEG_OK && i < count; i++) palette_colour(b, indices[i], pixels + 3 * i);
    icseg_free(indices);
    return status;
}

/* ---- colours ---- */

/* The bits of a mask, which are adjacent, scaled to 0..255. */
static uint8_t field(uint32_t pixel, uint32_t mask) {
    if (!mask) return 0;
    uint32_t shift = (uint32_t)__builtin_ctz(mask);
    uint64_t most = mask >> shift;
    return (uint8_t)(((uint64_t)((pixel & mask) >> shift) * 255 + most / 2) / most);
}

static void decode_colours(const bitmap *b, uint8_t *pixels) {
    for (int32_t y = 0; y < b->height; y++) {
        const unsigned char *from = row_of(b, y);
        uint8_t *to = pixels + (size_t)y * (size_t)b->width * 3;
        for (int32_t x = 0; x < b->width; x++, to += 3, from += b->bits / 8) {
            if (b->bits == 24) {
                to[0] = from[2], to[1] = from[1], to[2] = from[0];
                continue;
            }
            uint32_t pixel = from[0] | (uint32_t)from[1] << 8;
            if (b->bits == 32) pixel |= (uint32_t)from[2] << 16 | (uint32_t)from[3] << 24;
            unsigned alpha = b->mask[3] ? field(pixel, b->mask[3]) : 255;
            for (int i = 0; i < 3; i++) to[i] = (uint8_t)((field(pixel, b->mask[i]) * alpha + 127) / 255);
        }
    }
}

icseg_status icseg_bmp_decode(const icseg_source *source, icseg_header *header, uint8_t *pixels, icseg_error *error) {
    bitmap b;
    (void)header;
    ICSEG_TRY(read_header(&b, source, error));
    if (b.bits <= 8) return decode_palette(&b, pixels, error);
    decode_colours(&b, pixels);
    return ICSEG_OK;
}

icseg_status icseg_bmp_decode_mask(icseg_mask *out, const icseg_source *source, const icseg_header *header,
                                   icseg_error *error) {
    bitmap b;
    ICSEG_TRY(read_header(&b, source, error));
    if (b.bits > 8 && b.mask[3])
        return icseg_fail(error, ICSEG_ERROR_DATA, "%s: a label file with alpha; save it without", source->name);
    if (b.bits == 24 || b.bits == 32) return icseg_mask_from_colours(out, source, header, icseg_bmp_decode, error);
    if (b.bits == 16)
        return icseg_fail(error, ICSEG_ERROR_DATA, "%s: a BMP of 16 bits cannot hold class indices; save it as PNG",
                          source->name);
    out->bits = (int32_t)b.bits;
    out->palette_size = (int32_t)b.palette_size;
    for (size_t i = 0; i < b.palette_size; i++) palette_colour(&b, i, out->palette[i]);
    ICSEG_TRY(icseg_mask_allocate(out, header, source, error));
    size_t count = (size_t)b.width * (size_t)b.height;
    uint8_t *bytes = (uint8_t *)out->data; /* widened in place, from the end */
    ICSEG_TRY(read_indices(&b, bytes, error));
    for (size_t i = count; i-- > 0;) out->data[i] = bytes[i];
    return ICSEG_OK;
}
