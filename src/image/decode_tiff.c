/* SPDX-License-Identifier: Apache-2.0
 * TIFF, decoded from memory by libtiff: the first page as an image, or as a single-channel mask. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <tiffio.h>

#include "base/memory.h"
#include "image/codec.h"

/* Handlers for a single file exist since libtiff 4.5. Older versions have only handlers of the whole process, which a
 * library must not change. */
#define HAS_OPEN_OPTIONS (TIFFLIB_VERSION >= 20221213)

typedef struct reader {
    TIFF *tiff;
    const icseg_source *source;
    uint64_t at;
    char text[256]; /* libtiff's first error */
} reader;

static tmsize_t on_read(thandle_t handle, void *to, tmsize_t count) {
    reader *r = handle;
    if (count <= 0 || r->at >= r->source->size) return 0;
    uint64_t left = r->source->size - r->at;
    size_t taken = (uint64_t)count < left ? (size_t)count : (size_t)left;
    memcpy(to, r->source->data + r->at, taken);
    r->at += taken;
    return (tmsize_t)taken;
}

static tmsize_t on_write(thandle_t handle, void *from, tmsize_t count) {
    (void)handle;
    (void)from;
    (void)count;
    return 0;
}

static toff_t on_seek(thandle_t handle, toff_t offset, int whence) {
    reader *r = handle;
    r->at = offset + (whence == SEEK_CUR ? r->at : whence == SEEK_END ? r->source->size : 0);
    return r->at;
}

static int on_close(thandle_t handle) {
    (void)handle;
    return 0;
}

static toff_t on_size(thandle_t handle) { return ((reader *)handle)->source->size; }

#if HAS_OPEN_OPTIONS
static int on_error(TIFF *tiff, void *user, const char *module, const char *format, va_list args) {
    (void)tiff;
    (void)module;
    reader *r = user;
    if (!r->text[0]) vsnprintf(r->text, sizeof r->text, format, args);
    return 1;
}

static int on_warning(TIFF *tiff, void *user, const char *module, const char *format, va_list args) {
    (void)tiff;
    (void)user;
    (void)module;
    (void)format;
    (void)args;
    return 1;
}

static TIFF *open_tiff(reader *r) {
    TIFFOpenOptions *options = TIFFOpenOptionsAlloc();
    if (!options) return NULL;
    TIFFOpenOptionsSetMaxSingleMemAlloc(options, (tmsize_t)1 << 31);
    TIFFOpenOptionsSetErrorHandlerExtR(options, on_error, r);
    TIFFOpenOptionsSetWarningHandlerExtR(options, on_warning, r);
    TIFF *tiff =
        TIFFClientOpenExt(r->source->name, "rm", r, on_read, on_write, on_seek, on_close, on_size, NULL, NULL, options);
    TIFFOpenOptionsFree(options);
    return tiff;
}
#else
static TIFF *open_tiff(reader *r) {
    return TIFFClientOpen(r->source->name, "rm", r, on_read, on_write, on_seek, on_close, on_size, NULL, NULL);
}
#endif

static icseg_status fail(const reader *r, icseg_error *error) {
    return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: cannot decode this TIFF: %s", r->source->name,
                      r->text[0] ? r->text : "the data are damaged or truncated");
}

static uint64_t load(const unsigned char *p, size_t bytes, bool big_endian) {
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++) value = value << 8 | p[big_endian ? i : bytes - 1 - i];
    return value;
}

/* libtiff copies the values of all tags when it opens a file, also of those that it does not know. The values are in
 * the file, but thousands of tags may share them: 1.3 MB took 4 GB. A directory that libtiff cannot read is left to it.
 */
static icseg_status check_tags(const icseg_source *source, icseg_error *error) {
    enum { SHARED = 1 << 16 }; /* bytes; some programs store equal resolutions only once */
    static const uint8_t widths[] = {0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8};
    const unsigned char *data = source->data;
    if (source->size < 16) return ICSEG_OK;
    bool big_endian = data[0] == 'M', wide = load(data + 2, 2, big_endian) == 43; /* BigTIFF */
    size_t word = wide ? 8 : 4, head = wide ? 8 : 2, entry = 4 + 2 * word;
    uint64_t at = load(data + word, word, big_endian), total = 0;
    if (at > source->size || source->size - at < head) return ICSEG_OK;
    uint64_t count = load(data + at, head, big_endian), capacity = (source->size - at - head) / entry;
    for (uint64_t i = 0; i < count && i < capacity; i++) {
        const unsigned char *tag = data + at + head + i * entry;
        uint64_t type = load(tag + 2, 2, big_endian), values = load(tag + 4, word, big_endian), bytes = 0;
        if (type < sizeof widths && __builtin_mul_overflow(values, (uint64_t)widths[type], &bytes)) bytes = UINT64_MAX;
        total += bytes < source->size ? bytes : source->size; /* libtiff stops at the file's end */
        if (total > source->size + SHARED)
            return icseg_fail(error, ICSEG_ERROR_FORMAT,
                              "%s: refused: the tags of this TIFF claim more bytes than the file has (%zu); save it "
                              "again",
                              source->name, source->size);
    }
    return ICSEG_OK;
}

static icseg_status open_reader(reader *r, const icseg_source *source, icseg_error *error) {
    *r = (reader){.source = source};
    ICSEG_TRY(check_tags(source, error));
    r->tiff = open_tiff(r);
    return r->tiff ? ICSEG_OK : fail(r, error);
}

static void close_reader(reader *r) {
    if (r->tiff) TIFFClose(r->tiff);
}

icseg_status icseg_tiff_header(icseg_header *out, const icseg_source *source, icseg_error *error) {
    reader r;
    uint32_t width = 0, height = 0;
    uint16_t orientation = 1;
    ICSEG_TRY(open_reader(&r, source, error));
    TIFFGetField(r.tiff, TIFFTAG_IMAGEWIDTH, &width);
    TIFFGetField(r.tiff, TIFFTAG_IMAGELENGTH, &height);
    TIFFGetFieldDefaulted(r.tiff, TIFFTAG_ORIENTATION, &orientation);
    close_reader(&r);
    out->orientation = orientation >= 1 && orientation <= 8 ? orientation : 1;
    return icseg_header_set_size(out, width, height, source, error);
}

/* Strips and tiles are decoded completely, and may share their data: without limits a file of 32 KB takes minutes. The
 * decoded size is limited by the image, enlarged to whole tiles; the encoded size by that plus the file's size. */
static icseg_status check_blocks(const reader *r, const icseg_header *header, icseg_error *error) {
    enum {
        EDGE = 1024,
        PIXEL = 32
    }; /* pixels beyond the image in each direction; bytes of a pixel, such as 16 bands */
    bool tiled = TIFFIsTiled(r->tiff);
    uint64_t block = tiled ? TIFFTileSize64(r->tiff) : TIFFStripSize64(r->tiff), decoded, packed = 0;
    uint32_t count = tiled ? TIFFNumberOfTiles(r->tiff) : TIFFNumberOfStrips(r->tiff);
    uint64_t limit = ((uint64_t)header->width + EDGE) * ((uint64_t)header->height + EDGE) * PIXEL;
    if (!block || !count) return fail(r, error);
    if (__builtin_mul_overflow(block, (uint64_t)count, &decoded) || decoded > limit)
        return icseg_fail(error, ICSEG_ERROR_FORMAT,
                          "%s: refused: %u %s of %llu bytes are too large for a TIFF of %d x %d pixels; save it again",
                          r->source->name, count, tiled ? "tiles" : "strips", (unsigned long long)block, header->width,
                          header->height);
    for (uint32_t i = 0; i < count; i++)
        if (__builtin_add_overflow(packed, TIFFGetStrileByteCount(r->tiff, i), &packed)) packed = UINT64_MAX;
    return packed <= r->source->size + decoded
               ? ICSEG_OK
               : icseg_fail(error, ICSEG_ERROR_FORMAT,
                            "%s: refused: the %s of this TIFF claim %llu bytes, but the file has %zu; save it again",
                            r->source->name, tiled ? "tiles" : "strips", (unsigned long long)packed, r->source->size);
}

static icseg_status decode(reader *r, const icseg_header *header, uint32_t *raster, uint8_t *pixels,
                           icseg_error *error) {
    char reason[1024] = "";
    if (!TIFFRGBAImageOK(r->tiff, reason))
        return icseg_fail(error, ICSEG_ERROR_UNSUPPORTED, "%s: cannot read this kind of TIFF as an image: %s",
                          r->source->name, reason);
    ICSEG_TRY(check_blocks(r, header, error));
    /* Asking for the stored orientation keeps libtiff from flipping, which it does in only four of the eight cases.
     * Colours are already multiplied by alpha, which is the same as compositing over black. */
    if (!TIFFReadRGBAImageOriented(r->tiff, (uint32_t)header->width, (uint32_t)header->height, raster,
                                   header->orientation, 1))
        return fail(r, error);
    size_t count = (size_t)header->width * (size_t)header->height;
    for (size_t i = 0; i < count; i++) {
        pixels[3 * i] = (uint8_t)TIFFGetR(raster[i]);
        pixels[3 * i + 1] = (uint8_t)TIFFGetG(raster[i]);
        pixels[3 * i + 2] = (uint8_t)TIFFGetB(raster[i]);
    }
    return ICSEG_OK;
}

icseg_status icseg_tiff_decode(const icseg_source *source, const icseg_header *header, uint8_t *pixels,
                               icseg_error *error) {
    reader r;
    ICSEG_TRY(open_reader(&r, source, error));
    size_t count = (size_t)header->width * (size_t)header->height;
    uint32_t *raster = icseg_calloc_array(count, sizeof *raster);
    icseg_status status =
        raster ? decode(&r, header, raster, pixels, error) : icseg_fail_memory(error, count * 4, source->name);
    icseg_free(raster);
    close_reader(&r);
    return status;
}

static void copy_palette(icseg_mask *out, reader *r) {
    uint16_t *red, *green, *blue;
    if (out->bits > 8 || !TIFFGetField(r->tiff, TIFFTAG_COLORMAP, &red, &green, &blue)) return;
    out->palette_size = 1 << out->bits;
    for (int i = 0; i < out->palette_size; i++) {
        out->palette[i][0] = (uint8_t)(red[i] >> 8);
        out->palette[i][1] = (uint8_t)(green[i] >> 8);
        out->palette[i][2] = (uint8_t)(blue[i] >> 8);
    }
}

/* Values of one decoded row of a strip or tile; libtiff has converted 16-bit values to native byte order. */
static void widen(uint16_t *to, const uint8_t *from, size_t count, int bits) {
    if (bits == 16)
        memcpy(to, from, 2 * count);
    else
        for (size_t x = 0; x < count; x++) to[x] = from[x];
}

static icseg_status read_blocks(icseg_mask *out, reader *r, uint32_t across, uint32_t down, tmsize_t bytes,
                                uint8_t *block, icseg_error *error) {
    bool tiled = TIFFIsTiled(r->tiff);
    uint32_t width = (uint32_t)out->width, height = (uint32_t)out->height;
    for (uint32_t y = 0; y < height; y += down)
        for (uint32_t x = 0; x < width; x += across) {
            uint32_t rows = height - y < down ? height - y : down, columns = width - x < across ? width - x : across;
            size_t stride = (size_t)across * (size_t)out->bits / 8;
            tmsize_t expected = tiled ? bytes : (tmsize_t)(rows * stride);
            tmsize_t got = tiled ? TIFFReadEncodedTile(r->tiff, TIFFComputeTile(r->tiff, x, y, 0, 0), block, bytes)
                                 : TIFFReadEncodedStrip(r->tiff, TIFFComputeStrip(r->tiff, y, 0), block, expected);
            if (got < expected) return fail(r, error);
            for (uint32_t i = 0; i < rows; i++)
                widen(out->data + (size_t)(y + i) * width + x, block + i * stride, columns, out->bits);
        }
    return ICSEG_OK;
}

static icseg_status decode_mask(icseg_mask *out, reader *r, const icseg_header *header, icseg_error *error) {
    uint16_t channels = 1, bits = 1, photometric = PHOTOMETRIC_MINISBLACK, format = SAMPLEFORMAT_UINT;
    TIFFGetFieldDefaulted(r->tiff, TIFFTAG_SAMPLESPERPIXEL, &channels);
    TIFFGetFieldDefaulted(r->tiff, TIFFTAG_BITSPERSAMPLE, &bits);
    TIFFGetFieldDefaulted(r->tiff, TIFFTAG_SAMPLEFORMAT, &format);
    TIFFGetField(r->tiff, TIFFTAG_PHOTOMETRIC, &photometric);
    if (channels != 1) return icseg_mask_fail_colour(r->source, channels == 4 ? "RGBA" : "RGB", error);
    if ((bits != 8 && bits != 16) || format == SAMPLEFORMAT_IEEEFP)
        return icseg_fail(error, ICSEG_ERROR_DATA,
                          "%s: a TIFF label file with %s of %d bits; class indices must be 8- or 16-bit integers",
                          r->source->name, format == SAMPLEFORMAT_IEEEFP ? "floats" : "values", bits);
    out->bits = bits;
    if (photometric == PHOTOMETRIC_PALETTE) copy_palette(out, r);
    bool tiled = TIFFIsTiled(r->tiff);
    uint32_t across = (uint32_t)header->width, down = (uint32_t)header->height;
    if (tiled) {
        TIFFGetField(r->tiff, TIFFTAG_TILEWIDTH, &across);
        TIFFGetField(r->tiff, TIFFTAG_TILELENGTH, &down);
    } else {
        TIFFGetFieldDefaulted(r->tiff, TIFFTAG_ROWSPERSTRIP, &down);
        if (down > (uint32_t)header->height) down = (uint32_t)header->height;
    }
    if (!across || !down) return fail(r, error);
    ICSEG_TRY(check_blocks(r, header, error));
    tmsize_t bytes = tiled ? TIFFTileSize(r->tiff) : TIFFStripSize(r->tiff);
    if (bytes <= 0 || (uint64_t)bytes < (uint64_t)across * down * bits / 8) return fail(r, error);
    ICSEG_TRY(icseg_mask_allocate(out, header, r->source, error));
    uint8_t *block = icseg_alloc((size_t)bytes);
    if (!block) return icseg_fail_memory(error, (size_t)bytes, r->source->name);
    icseg_status status = read_blocks(out, r, across, down, bytes, block, error);
    icseg_free(block);
    return status;
}

icseg_status icseg_tiff_decode_mask(icseg_mask *out, const icseg_source *source, const icseg_header *header,
                                    icseg_error *error) {
    reader r;
    ICSEG_TRY(open_reader(&r, source, error));
    icseg_status status = decode_mask(out, &r, header, error);
    close_reader(&r);
    return status;
}
