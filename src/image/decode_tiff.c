/* SPDX-License-Identifier: Apache-2.0
 * TIFF, decoded from memory by libtiff: the first page as an image, or as a single-channel mask. Ordinary 8-bit images
 * are converted to colours by libtiff. Values of other types and files with more bands are read as they are stored. */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <tiffio.h>

#include "base/memory.h"
#include "image/codec.h"

/* Handlers for a single file exist since libtiff 4.5. Older versions have only handlers of the whole process, which a
 * library must not change. */
#define HAS_OPEN_OPTIONS (TIFFLIB_VERSION >= 20221213)

static uint64_t load(const unsigned char *p, size_t bytes, bool big_endian) {
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++) value = value << 8 | p[big_endian ? i : bytes - 1 - i];
    return value;
}

/* How the integers of a file are stored, in bytes. */
typedef struct encoding {
    bool big_endian;
    size_t word, head, entry; /* an offset, a directory's number of entries, an entry */
} encoding;

static encoding read_encoding(const unsigned char *data) {
    bool big_endian = data[0] == 'M', wide = load(data + 2, 2, big_endian) == 43; /* BigTIFF */
    size_t word = wide ? 8 : 4;
    return (encoding){big_endian, word, wide ? 8 : 2, 4 + 2 * word};
}

/* The pages of a document. Smaller copies of an image, which cameras may put first, and transparency masks do not
 * count. libtiff would read all tags of each. */
typedef struct pages {
    int32_t count;
    uint16_t first;    /* index of the first page among the directories */
    uint64_t first_at; /* offset of its directory */
} pages;

static pages find_pages(const icseg_source *source) {
    enum { MAX_DIRECTORIES = 1000, SUBFILE_TYPE = 254 };
    const unsigned char *data = source->data;
    pages found = {0};
    if (source->size < 16) return (pages){.count = 1};
    encoding e = read_encoding(data);
    uint64_t at = load(data + e.word, e.word, e.big_endian), start = at;
    for (uint16_t i = 0; i < MAX_DIRECTORIES && at && at < source->size && source->size - at >= e.head; i++) {
        uint64_t count = load(data + at, e.head, e.big_endian), type = 0, here = at;
        if (count > (source->size - at - e.head) / e.entry) break;
        for (uint64_t k = 0; k < count; k++) {
            const unsigned char *tag = data + at + e.head + k * e.entry;
            if (load(tag, 2, e.big_endian) == SUBFILE_TYPE) type = load(tag + 4 + e.word, 4, e.big_endian);
        }
        if (!(type & (FILETYPE_REDUCEDIMAGE | FILETYPE_MASK)) && !found.count++) {
            found.first = i;
            found.first_at = here;
        }
        at += e.head + count * e.entry;
        at = source->size - at >= e.word ? load(data + at, e.word, e.big_endian) : 0;
    }
    return found.count ? found : (pages){.count = 1, .first_at = start};
}

typedef struct reader {
    TIFF *tiff;
    const icseg_source *source;
    pages pages;
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
    bool useful = r->text[0] && !strstr(r->text, "4294967295"); /* libtiff's row -1 */
    return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: cannot decode this TIFF: %s", r->source->name,
                      useful ? r->text : "the data are damaged or truncated");
}

/* libtiff copies the values of all tags when it opens a file, also of those that it does not know. The values are in
 * the file, but thousands of tags may share them: 1.3 MB took 4 GB. A directory that libtiff cannot read is left to it.
 */
static icseg_status check_tags(const icseg_source *source, uint64_t at, icseg_error *error) {
    enum { SHARED = 1 << 16 }; /* bytes; some programs store equal resolutions only once */
    static const uint8_t widths[] = {0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8};
    const unsigned char *data = source->data;
    encoding e = read_encoding(data);
    uint64_t total = 0;
    if (at > source->size || source->size - at < e.head) return ICSEG_OK;
    uint64_t count = load(data + at, e.head, e.big_endian), capacity = (source->size - at - e.head) / e.entry;
    for (uint64_t i = 0; i < count && i < capacity; i++) {
        const unsigned char *tag = data + at + e.head + i * e.entry;
        uint64_t type = load(tag + 2, 2, e.big_endian), values = load(tag + 4, e.word, e.big_endian), bytes = 0;
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
    *r = (reader){.source = source, .pages = find_pages(source)};
    if (source->size >= 16) {
        encoding e = read_encoding(source->data);
        ICSEG_TRY(check_tags(source, load(source->data + e.word, e.word, e.big_endian), error));
        if (r->pages.first) ICSEG_TRY(check_tags(source, r->pages.first_at, error));
    }
    r->tiff = open_tiff(r);
    if (!r->tiff) return fail(r, error);
    if (!r->pages.first || TIFFSetDirectory(r->tiff, r->pages.first)) return ICSEG_OK;
    icseg_status status = fail(r, error);
    TIFFClose(r->tiff);
    r->tiff = NULL;
    return status;
}

static void close_reader(reader *r) {
    if (r->tiff) TIFFClose(r->tiff);
}

/* What the tags say about the values. */
typedef struct layout {
    uint16_t channels, bits, format, photometric, compression;
    int alpha; /* index of the alpha channel; -1: none */
    bool premultiplied;
    bool tiled, separate;  /* separate: each channel has blocks of its own */
    uint32_t across, down; /* pixels of a block (a strip or a tile) */
} layout;

static layout read_layout(const reader *r, const icseg_header *header) {
    layout l = {.channels = 1,
                .bits = 1,
                .format = SAMPLEFORMAT_UINT,
                .photometric = PHOTOMETRIC_MINISBLACK,
                .compression = COMPRESSION_NONE,
                .alpha = -1};
    uint16_t planar = PLANARCONFIG_CONTIG, extra_count = 0, *extra = NULL;
    TIFFGetFieldDefaulted(r->tiff, TIFFTAG_SAMPLESPERPIXEL, &l.channels);
    TIFFGetFieldDefaulted(r->tiff, TIFFTAG_BITSPERSAMPLE, &l.bits);
    TIFFGetFieldDefaulted(r->tiff, TIFFTAG_SAMPLEFORMAT, &l.format);
    TIFFGetFieldDefaulted(r->tiff, TIFFTAG_PLANARCONFIG, &planar);
    TIFFGetFieldDefaulted(r->tiff, TIFFTAG_EXTRASAMPLES, &extra_count, &extra);
    TIFFGetField(r->tiff, TIFFTAG_PHOTOMETRIC, &l.photometric);
    TIFFGetField(r->tiff, TIFFTAG_COMPRESSION, &l.compression);
    for (int i = 0; i < extra_count && i < l.channels && l.alpha < 0; i++)
        if (extra[i] == EXTRASAMPLE_ASSOCALPHA || extra[i] == EXTRASAMPLE_UNASSALPHA) {
            l.alpha = l.channels - extra_count + i;
            l.premultiplied = extra[i] == EXTRASAMPLE_ASSOCALPHA;
        }
    l.separate = planar == PLANARCONFIG_SEPARATE && l.channels > 1;
    l.across = (uint32_t)header->width, l.down = (uint32_t)header->height;
    l.tiled = TIFFIsTiled(r->tiff);
    if (l.tiled) {
        TIFFGetField(r->tiff, TIFFTAG_TILEWIDTH, &l.across);
        TIFFGetField(r->tiff, TIFFTAG_TILELENGTH, &l.down);
    } else {
        TIFFGetFieldDefaulted(r->tiff, TIFFTAG_ROWSPERSTRIP, &l.down);
        if (l.down > (uint32_t)header->height) l.down = (uint32_t)header->height;
    }
    return l;
}

enum { JPEG_XL = 50002 };

static const char *compression_name(uint16_t compression) {
    switch (compression) {
    case COMPRESSION_OJPEG:
    case COMPRESSION_JPEG: return "JPEG";
    case COMPRESSION_JP2000: return "JPEG 2000";
    case COMPRESSION_WEBP: return "WebP";
    case JPEG_XL: return "JPEG XL";
    case COMPRESSION_LERC: return "LERC";
    case COMPRESSION_ZSTD: return "Zstandard";
    case COMPRESSION_LZMA: return "LZMA";
    default: return NULL;
    }
}

static icseg_status check_compression(const icseg_source *source, const layout *l, icseg_error *error) {
    const char *name = compression_name(l->compression);
    char number[32];
    if (TIFFIsCODECConfigured(l->compression)) return ICSEG_OK;
    snprintf(number, sizeof number, "method %d", l->compression);
    return icseg_fail(error, ICSEG_ERROR_UNSUPPORTED,
                      "%s: a TIFF with %s compression, which libtiff cannot decode here; save it with Deflate or LZW",
                      source->name, name ? name : number);
}

icseg_status icseg_tiff_header(icseg_header *out, const icseg_source *source, icseg_error *error) {
    reader r;
    uint32_t width = 0, height = 0, depth = 1;
    uint16_t orientation = 1;
    ICSEG_TRY(open_reader(&r, source, error));
    TIFFGetField(r.tiff, TIFFTAG_IMAGEWIDTH, &width);
    TIFFGetField(r.tiff, TIFFTAG_IMAGELENGTH, &height);
    TIFFGetFieldDefaulted(r.tiff, TIFFTAG_ORIENTATION, &orientation);
    TIFFGetFieldDefaulted(r.tiff, TIFFTAG_IMAGEDEPTH, &depth);
    icseg_status status = icseg_header_set_size(out, width, height, source, error);
    if (status == ICSEG_OK) {
        layout l = read_layout(&r, out);
        out->bits = l.bits;
        out->has_signs = l.format == SAMPLEFORMAT_INT;
        status = check_compression(source, &l, error);
    }
    if (status == ICSEG_OK) out->pages = r.pages.count > 1 || depth < 2 ? r.pages.count : 2;
    close_reader(&r);
    out->orientation = orientation >= 1 && orientation <= 8 ? orientation : 1;
    return status;
}

/* The scans of a strip or tile that is a JPEG: libtiff allows 100 of each. Inside coded data 0xff is never followed by
 * the marker of a scan. */
static int count_scans(const reader *r, uint32_t block) {
    uint64_t at = TIFFGetStrileOffset(r->tiff, block), size = TIFFGetStrileByteCount(r->tiff, block);
    int scans = 0;
    if (at >= r->source->size) return 0;
    if (size > r->source->size - at) size = r->source->size - at;
    const unsigned char *data = r->source->data + at;
    for (uint64_t i = 0; i + 1 < size; i++) scans += data[i] == 0xff && data[i + 1] == 0xda;
    return scans;
}

static icseg_status check_scans(const reader *r, const layout *l, uint32_t blocks, icseg_error *error) {
    for (uint32_t i = 0; i < blocks && l->compression == COMPRESSION_JPEG; i++)
        if (count_scans(r, i) > ICSEG_JPEG_MAX_SCANS)
            return icseg_fail(error, ICSEG_ERROR_FORMAT,
                              "%s: the TIFF contains a JPEG with more than %d scans; save it again without compression",
                              r->source->name, ICSEG_JPEG_MAX_SCANS);
    return ICSEG_OK;
}

/* Strips and tiles are decoded completely, and may share their data: without limits a file of 32 KB takes minutes. The
 * decoded size is limited by the image, enlarged to whole tiles; the encoded size by that plus the file's size. */
static icseg_status check_blocks(const reader *r, const icseg_header *header, const layout *l, icseg_error *error) {
    enum { EDGE = 1024, MAX_CHANNELS = 1024 }; /* EDGE: pixels beyond the image in each direction */
    uint64_t pixel = (uint64_t)(l->channels < MAX_CHANNELS ? l->channels : MAX_CHANNELS) * l->bits / 8;
    if (pixel < 32) pixel = 32; /* bytes, with some to spare */
    bool tiled = TIFFIsTiled(r->tiff);
    uint64_t block = tiled ? TIFFTileSize64(r->tiff) : TIFFStripSize64(r->tiff), decoded, packed = 0;
    uint32_t count = tiled ? TIFFNumberOfTiles(r->tiff) : TIFFNumberOfStrips(r->tiff);
    uint64_t limit = ((uint64_t)header->width + EDGE) * ((uint64_t)header->height + EDGE) * pixel;
    if (!block || !count) return fail(r, error);
    if (__builtin_mul_overflow(block, (uint64_t)count, &decoded) || decoded > limit)
        return icseg_fail(error, ICSEG_ERROR_FORMAT,
                          "%s: refused: %u %s of %llu bytes are too large for a TIFF of %d x %d pixels; save it again",
                          r->source->name, count, tiled ? "tiles" : "strips", (unsigned long long)block, header->width,
                          header->height);
    for (uint32_t i = 0; i < count; i++)
        if (__builtin_add_overflow(packed, TIFFGetStrileByteCount(r->tiff, i), &packed)) packed = UINT64_MAX;
    return packed <= r->source->size + decoded
               ? check_scans(r, l, count, error)
               : icseg_fail(error, ICSEG_ERROR_FORMAT,
                            "%s: refused: the %s of this TIFF claim %llu bytes, but the file has %zu; save it again",
                            r->source->name, tiled ? "tiles" : "strips", (unsigned long long)packed, r->source->size);
}

/* ---- values as they are stored ---- */

/* The types that are read: integers of 8, 16 and 32 bits, floats of 32 and 64 bits. */
static bool has_readable_values(const layout *l) {
    bool floats = l->format == SAMPLEFORMAT_IEEEFP,
         integers = l->format == SAMPLEFORMAT_UINT || l->format == SAMPLEFORMAT_INT;
    return floats ? l->bits == 32 || l->bits == 64 : integers && (l->bits == 8 || l->bits == 16 || l->bits == 32);
}

/* Those of masks, which may also be integers of a few bits. */
static bool has_indices(const layout *l) {
    return has_readable_values(l) || (l->format == SAMPLEFORMAT_UINT && (l->bits == 1 || l->bits == 2 || l->bits == 4));
}

static const char *type_name(const layout *l) {
    return l->format == SAMPLEFORMAT_IEEEFP ? "floating-point numbers"
           : l->format == SAMPLEFORMAT_INT  ? "signed integers"
                                            : "integers";
}

/* Values of 1, 2 or 4 bits of a single channel; the first is in the highest bits of a byte. */
static void unpack(double *to, const uint8_t *from, size_t count, unsigned bits) {
    for (size_t i = 0; i < count; i++) to[i] = from[i * bits / 8] >> (8 - bits - i * bits % 8) & ((1U << bits) - 1);
}

/* `count` values of a row, `step` values apart; libtiff has converted them to the machine's byte order. */
static void to_doubles(double *to, const uint8_t *from, size_t count, size_t step, const layout *l) {
    size_t size = l->bits / 8U;
    if (!size) {
        unpack(to, from, count, l->bits);
        return;
    }
    for (size_t i = 0; i < count; i++, from += step * size) {
        int16_t i16;
        uint16_t u16;
        int32_t i32;
        uint32_t u32;
        float f32;
        switch (l->format << 8 | l->bits) {
        case SAMPLEFORMAT_UINT << 8 | 8: to[i] = *from; break;
        case SAMPLEFORMAT_INT << 8 | 8: to[i] = (int8_t)*from; break;
        case SAMPLEFORMAT_UINT << 8 | 16: memcpy(&u16, from, 2), to[i] = u16; break;
        case SAMPLEFORMAT_INT << 8 | 16: memcpy(&i16, from, 2), to[i] = i16; break;
        case SAMPLEFORMAT_UINT << 8 | 32: memcpy(&u32, from, 4), to[i] = u32; break;
        case SAMPLEFORMAT_INT << 8 | 32: memcpy(&i32, from, 4), to[i] = i32; break;
        case SAMPLEFORMAT_IEEEFP << 8 | 32: memcpy(&f32, from, 4), to[i] = (double)f32; break;
        default: memcpy(&to[i], from, 8); break;
        }
    }
}

/* Where values go: a row of `count` of them, whose first is at (x, y), of the band-th channel that was asked for. */
typedef struct sink {
    icseg_status (*take)(void *user, int band, uint32_t x, uint32_t y, const double *values, uint32_t count,
                         icseg_error *error);
    void *user;
} sink;

/* One block: of all channels, or of one when they are separate. */
static icseg_status read_block(reader *r, const layout *l, uint32_t x, uint32_t y, uint16_t channel, tmsize_t wanted,
                               uint8_t *block, icseg_error *error) {
    tmsize_t got = l->tiled ? TIFFReadEncodedTile(r->tiff, TIFFComputeTile(r->tiff, x, y, 0, channel), block, wanted)
                            : TIFFReadEncodedStrip(r->tiff, TIFFComputeStrip(r->tiff, y, channel), block, wanted);
    return got < wanted ? fail(r, error) : ICSEG_OK;
}

/* Memory of the two buffers: a block, and a row of it. */
typedef struct buffers {
    uint8_t *block;
    double *row;
    tmsize_t size; /* bytes of the block */
} buffers;

static icseg_status read_blocks(reader *r, const icseg_header *header, const layout *l, const int *bands, int count,
                                const buffers *b, sink to, icseg_error *error) {
    uint32_t width = (uint32_t)header->width, height = (uint32_t)header->height;
    size_t step = l->separate ? 1 : l->channels, size = l->bits / 8U;
    size_t stride = (l->across * step * l->bits + 7) / 8;
    for (uint32_t y = 0; y < height; y += l->down)
        for (uint32_t x = 0; x < width; x += l->across) {
            uint32_t rows = height - y < l->down ? height - y : l->down;
            uint32_t columns = width - x < l->across ? width - x : l->across;
            for (int k = 0; k < count; k++) {
                if (k == 0 || l->separate)
                    ICSEG_TRY(read_block(r, l, x, y, (uint16_t)(l->separate ? bands[k] : 0),
                                         l->tiled ? b->size : (tmsize_t)(rows * stride), b->block, error));
                for (uint32_t i = 0; i < rows; i++) {
                    to_doubles(b->row, b->block + i * stride + (l->separate ? 0 : (size_t)bands[k] * size), columns,
                               step, l);
                    ICSEG_TRY(to.take(to.user, k, x, y + i, b->row, columns, error));
                }
            }
        }
    return ICSEG_OK;
}

/* Reads `count` channels, whose indices are `bands`. */
static icseg_status read_values(reader *r, const icseg_header *header, const layout *l, const int *bands, int count,
                                sink to, icseg_error *error) {
    if (!l->across || !l->down) return fail(r, error);
    ICSEG_TRY(check_blocks(r, header, l, error));
    buffers b = {.size = l->tiled ? TIFFTileSize(r->tiff) : TIFFStripSize(r->tiff)};
    uint64_t needed = ((uint64_t)l->across * (l->separate ? 1U : l->channels) * l->bits + 7) / 8 * l->down;
    if (b.size <= 0 || (uint64_t)b.size < needed) return fail(r, error);
    b.block = icseg_alloc((size_t)b.size);
    b.row = icseg_alloc_array(l->across, sizeof *b.row);
    icseg_status status = b.block && b.row ? read_blocks(r, header, l, bands, count, &b, to, error)
                                           : icseg_fail_memory_in(error, (size_t)b.size, r->source->name);
    icseg_free(b.block);
    icseg_free(b.row);
    return status;
}

/* ---- images ---- */

/* Which channels become red, green, blue and, last, alpha. */
typedef struct choice {
    int band[4];
    int count;
} choice;

static icseg_status choose_bands(const reader *r, const layout *l, choice *out, icseg_error *error) {
    const icseg_image_values *values = r->source->values;
    int colours = l->channels - (l->alpha >= 0);
    if (values && values->bands[0]) {
        out->count = values->bands[1] ? 3 : 1;
        for (int i = 0; i < out->count; i++) {
            out->band[i] = values->bands[i] - 1;
            if (out->band[i] < 0 || out->band[i] >= l->channels)
                return icseg_fail_field(error, ICSEG_ERROR_DATA, "bands", ICSEG_REMEDY_SET_FIELD,
                                        "%s: it has no band %d; its bands are 1 to %d", r->source->name,
                                        values->bands[i], l->channels);
        }
        return ICSEG_OK;
    }
    if (colours != 1 && colours != 3)
        return icseg_fail_field(error, ICSEG_ERROR_DATA, "bands", ICSEG_REMEDY_SET_FIELD,
                                "%s: a TIFF of %d bands: the choice of red, green and blue is missing", r->source->name,
                                l->channels);
    for (int i = 0, next = 0; i < l->channels; i++)
        if (i != l->alpha) out->band[next++] = i;
    out->count = colours;
    if (l->alpha >= 0) out->band[out->count++] = l->alpha;
    return ICSEG_OK;
}

/* Integers of 8 and 16 bits, whose whole range becomes black to white unless another one is given. */
static bool is_ordinary(const layout *l) { return l->format == SAMPLEFORMAT_UINT && l->bits <= 16; }

static icseg_status check_range(const reader *r, const layout *l, icseg_error *error) {
    if (is_ordinary(l) || icseg_has_value_range(r->source)) return ICSEG_OK;
    return icseg_fail_field(error, ICSEG_ERROR_DATA, "value_range", ICSEG_REMEDY_SET_FIELD,
                            "%s: a TIFF of %s (%d bits): the range of values from black to white is missing",
                            r->source->name, type_name(l), l->bits);
}

/* The alpha of opaque pixels. */
static double opacity_of(const layout *l) {
    return l->format == SAMPLEFORMAT_IEEEFP ? 1 : ldexp(1, l->bits - (l->format == SAMPLEFORMAT_INT)) - 1;
}

typedef struct canvas {
    icseg_header *header;
    uint8_t *pixels;  /* (height, width, 3) */
    uint8_t *alpha;   /* (height, width); NULL: opaque */
    bool grey, track; /* track: integers of 16 bits, of which the largest is found */
    icseg_value_scale colour, opacity;
} canvas;

static icseg_status take_colours(void *user, int band, uint32_t x, uint32_t y, const double *values, uint32_t count,
                                 icseg_error *error) {
    canvas *c = user;
    (void)error;
    size_t at = (size_t)y * (size_t)c->header->width + x;
    if (c->alpha && band == (c->grey ? 1 : 3)) {
        for (uint32_t i = 0; i < count; i++) c->alpha[at + i] = icseg_scale_value(&c->opacity, values[i]);
        return ICSEG_OK;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *pixel = c->pixels + 3 * (at + i), value = icseg_scale_value(&c->colour, values[i]);
        if (c->track && values[i] > c->header->highest) c->header->highest = (int32_t)values[i];
        pixel[c->grey ? 0 : band] = value;
        if (c->grey) pixel[1] = pixel[2] = value;
    }
    return ICSEG_OK;
}

static icseg_status decode_values(reader *r, icseg_header *header, const layout *l, uint8_t *pixels,
                                  icseg_error *error) {
    choice bands;
    ICSEG_TRY(choose_bands(r, l, &bands, error));
    double most = l->bits == 8 ? 255 : 65535;
    canvas c = {.header = header, .pixels = pixels, .track = is_ordinary(l) && l->bits == 16};
    c.colour = icseg_value_scale_of(r->source, 0, most);
    if (l->photometric == PHOTOMETRIC_MINISWHITE)
        c.colour = (icseg_value_scale){c.colour.low + 255 / c.colour.factor, -c.colour.factor};
    c.opacity = (icseg_value_scale){0, 255 / opacity_of(l)};
    c.grey = bands.count <= 2;
    size_t count = (size_t)header->width * (size_t)header->height;
    if (bands.count % 2 == 0 && !(c.alpha = icseg_alloc(count)))
        return icseg_fail_memory_in(error, count, r->source->name);
    icseg_status status = read_values(r, header, l, bands.band, bands.count, (sink){take_colours, &c}, error);
    if (status == ICSEG_OK && c.alpha && !l->premultiplied)
        for (size_t i = 0; i < 3 * count; i++) pixels[i] = (uint8_t)((pixels[i] * c.alpha[i / 3] + 127) / 255);
    icseg_free(c.alpha);
    return status;
}

/* libtiff knows palettes, YCbCr, CMYK, Lab and values of a few bits. */
static icseg_status decode_rgba(reader *r, const icseg_header *header, const layout *l, uint8_t *pixels,
                                icseg_error *error) {
    char reason[1024] = "";
    size_t count = (size_t)header->width * (size_t)header->height;
    if (!TIFFRGBAImageOK(r->tiff, reason))
        return icseg_fail(
            error, ICSEG_ERROR_UNSUPPORTED,
            "%s: a TIFF of %s with %d bits, which cannot be read as an image (%s); save it as integers of "
            "8 or 16 bits",
            r->source->name, type_name(l), l->bits, reason);
    ICSEG_TRY(check_blocks(r, header, l, error));
    uint32_t *raster = icseg_calloc_array(count, sizeof *raster);
    if (!raster) return icseg_fail_memory_in(error, count * sizeof *raster, r->source->name);
    /* Asking for the stored orientation keeps libtiff from flipping, which it does in only four of the eight cases.
     * Colours are already multiplied by alpha, which is the same as compositing over black. */
    icseg_status status = ICSEG_OK;
    if (!TIFFReadRGBAImageOriented(r->tiff, (uint32_t)header->width, (uint32_t)header->height, raster,
                                   header->orientation, 1))
        status = fail(r, error);
    for (size_t i = 0; status == ICSEG_OK && i < count; i++) {
        pixels[3 * i] = (uint8_t)TIFFGetR(raster[i]);
        pixels[3 * i + 1] = (uint8_t)TIFFGetG(raster[i]);
        pixels[3 * i + 2] = (uint8_t)TIFFGetB(raster[i]);
    }
    icseg_free(raster);
    return status;
}

/* libtiff 4.5 refuses to convert small tiles without compression, if their bytes are not a multiple of its buffer's. */
static bool has_odd_tiles(const reader *r, const layout *l) {
    enum { BUFFER_UNIT = 1024 };
    return l->tiled && l->compression == COMPRESSION_NONE && TIFFTileSize64(r->tiff) % BUFFER_UNIT != 0;
}

static bool has_choice(const reader *r) {
    const icseg_image_values *values = r->source->values;
    return icseg_has_value_range(r->source) || (values && values->bands[0]);
}

/* Whether the values are read as they are stored: grey or RGB of a type or a number of bands that libtiff would not
 * convert, or would convert without a word about what it leaves out; or what the caller chose of them. */
static bool needs_values(const reader *r, const layout *l) {
    const icseg_image_values *values = r->source->values;
    bool bands = values && values->bands[0], white = l->photometric == PHOTOMETRIC_MINISWHITE,
         inks = l->photometric == PHOTOMETRIC_SEPARATED;
    if (!has_readable_values(l)) return false;
    if (white || inks) return inks ? bands : has_choice(r) || l->format != SAMPLEFORMAT_UINT || l->bits > 16;
    if (l->photometric != PHOTOMETRIC_RGB && l->photometric != PHOTOMETRIC_MINISBLACK) return false;
    int colours = l->channels - (l->alpha >= 0);
    return has_choice(r) || l->bits != 8 || l->format != SAMPLEFORMAT_UINT || has_odd_tiles(r, l) ||
           colours != (l->photometric == PHOTOMETRIC_RGB ? 3 : 1);
}

/* The errors of choices: those that are missing, and those that the file does not allow. */
static icseg_status check_choices(const reader *r, const layout *l, icseg_error *error) {
    choice bands;
    if (needs_values(r, l)) {
        ICSEG_TRY(choose_bands(r, l, &bands, error));
        return check_range(r, l, error);
    }
    if (!has_choice(r) || !has_readable_values(l)) return ICSEG_OK; /* unreadable: the decoder says so */
    bool range = icseg_has_value_range(r->source);
    return icseg_fail_field(
        error, ICSEG_ERROR_DATA, range ? "value_range" : "bands", ICSEG_REMEDY_SET_FIELD,
        "%s: bands and value ranges are for TIFF files of grey or RGB values; with %s its own colours "
        "are used",
        r->source->name, range ? "the range 0,0" : "band 0");
}

static icseg_status decode(reader *r, icseg_header *header, uint8_t *pixels, icseg_error *error) {
    layout l = read_layout(r, header);
    ICSEG_TRY(check_choices(r, &l, error));
    return needs_values(r, &l) ? decode_values(r, header, &l, pixels, error)
                               : decode_rgba(r, header, &l, pixels, error);
}

icseg_status icseg_tiff_check_values(const icseg_source *source, const icseg_header *header, icseg_error *error) {
    reader r;
    ICSEG_TRY(open_reader(&r, source, error));
    layout l = read_layout(&r, header);
    icseg_status status = check_choices(&r, &l, error);
    close_reader(&r);
    return status;
}

icseg_status icseg_tiff_decode(const icseg_source *source, icseg_header *header, uint8_t *pixels, icseg_error *error) {
    reader r;
    ICSEG_TRY(open_reader(&r, source, error));
    icseg_status status = decode(&r, header, pixels, error);
    close_reader(&r);
    return status;
}

/* ---- masks ---- */

static void copy_palette(icseg_mask *out, reader *r, int bits) {
    uint16_t *red, *green, *blue;
    if (bits > 8 || !TIFFGetField(r->tiff, TIFFTAG_COLORMAP, &red, &green, &blue)) return;
    out->palette_size = 1 << bits;
    for (int i = 0; i < out->palette_size; i++) {
        out->palette[i][0] = (uint8_t)(red[i] >> 8);
        out->palette[i][1] = (uint8_t)(green[i] >> 8);
        out->palette[i][2] = (uint8_t)(blue[i] >> 8);
    }
}

typedef struct mask_sink {
    icseg_mask *mask;
    const icseg_source *source;
    const char *kind; /* "RGB", ... */
    int alpha;        /* index of the alpha channel; -1: none */
    double opaque;    /* its value in opaque pixels */
    bool inverted;    /* bits: 0 is white */
} mask_sink;

static icseg_status fail_index(const mask_sink *m, double value, uint32_t x, uint32_t y, icseg_error *error) {
    return icseg_fail(error, ICSEG_ERROR_DATA,
                      "%s: value %.9g at x=%u, y=%u is not a class index; label values are whole numbers of 0..65535",
                      m->source->name, value, x, y);
}

/* The first channel is the index. Other colours must be equal, and alpha must be opaque. */
static icseg_status take_indices(void *user, int band, uint32_t x, uint32_t y, const double *values, uint32_t count,
                                 icseg_error *error) {
    const mask_sink *m = user;
    uint16_t *row = m->mask->data + (size_t)y * (size_t)m->mask->width + x;
    for (uint32_t i = 0; i < count; i++) {
        double value = m->inverted ? 1 - values[i] : values[i];
        if (band == m->alpha) {
            if (value != m->opaque) return icseg_mask_fail_transparent(m->source, x + i, y, error);
        } else if (band > 0) {
            if (value != row[i]) return icseg_mask_fail_colour(m->source, m->kind, x + i, y, error);
        } else {
            if (!(value >= 0 && value <= 65535 && value == floor(value))) return fail_index(m, value, x + i, y, error);
            row[i] = (uint16_t)value;
        }
    }
    return ICSEG_OK;
}

/* Whether all values of the mask can be used as they are. */
static icseg_status check_mask(const reader *r, const icseg_header *header, const layout *l, icseg_error *error) {
    int colours = l->channels - (l->alpha >= 0);
    const char *name = compression_name(l->compression);
    if (header->pages > 1)
        return icseg_fail(error, ICSEG_ERROR_DATA,
                          "%s: a TIFF of %d pages where one label map is expected; save each page as a file of its own",
                          r->source->name, header->pages);
    if (l->compression == COMPRESSION_JPEG || l->compression == COMPRESSION_OJPEG || l->compression == COMPRESSION_WEBP)
        return icseg_fail(error, ICSEG_ERROR_DATA,
                          "%s: a TIFF with %s compression where class indices are expected; the compression changes "
                          "values; save label maps with Deflate or LZW",
                          r->source->name, name);
    if (colours != (l->photometric == PHOTOMETRIC_RGB ? 3 : 1) || (l->alpha >= 0 && l->alpha != l->channels - 1))
        return icseg_fail(error, ICSEG_ERROR_DATA,
                          "%s: a TIFF of %d bands of %d bits where class indices are expected; save one channel",
                          r->source->name, l->channels, l->bits);
    if (!has_indices(l) || (l->channels > 1 && l->bits < 8))
        return icseg_fail(
            error, ICSEG_ERROR_DATA,
            "%s: a TIFF label file with %s of %d bits; class indices must be integers of 1, 2, 4, 8, 16 or 32 bits, "
            "or floating-point numbers that are whole",
            r->source->name, type_name(l), l->bits);
    if (l->photometric == PHOTOMETRIC_MINISWHITE && l->bits > 1)
        return icseg_fail(error, ICSEG_ERROR_DATA,
                          "%s: a TIFF label file in which 0 is white (WhiteIsZero), which programs read in different "
                          "ways; save it such that 0 is black",
                          r->source->name);
    return ICSEG_OK;
}

static icseg_status decode_mask(icseg_mask *out, reader *r, const icseg_header *header, icseg_error *error) {
    static const char *const kinds[] = {"", "grey", "grey with alpha", "RGB", "RGBA"};
    static const int bands[] = {0, 1, 2, 3};
    layout l = read_layout(r, header);
    ICSEG_TRY(check_mask(r, header, &l, error));
    out->bits = l.bits <= 8 ? 8 : 16;
    if (l.photometric == PHOTOMETRIC_PALETTE) copy_palette(out, r, l.bits);
    ICSEG_TRY(icseg_mask_allocate(out, header, r->source, error));
    mask_sink to = {out,
                    r->source,
                    .kind = kinds[l.channels],
                    .alpha = l.alpha,
                    .opaque = opacity_of(&l),
                    .inverted = l.photometric == PHOTOMETRIC_MINISWHITE};
    return read_values(r, header, &l, bands, l.channels, (sink){take_indices, &to}, error);
}

icseg_status icseg_tiff_decode_mask(icseg_mask *out, const icseg_source *source, const icseg_header *header,
                                    icseg_error *error) {
    reader r;
    ICSEG_TRY(open_reader(&r, source, error));
    icseg_status status = decode_mask(out, &r, header, error);
    close_reader(&r);
    return status;
}
