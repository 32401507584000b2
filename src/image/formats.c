/* SPDX-License-Identifier: Apache-2.0
 * The table of image formats: how they are recognised and which functions decode them. */
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "image/codec.h"

/* header, decode, decode_mask, and the name in lists; NULL and "" for formats that this build leaves out */
#ifdef ICSEG_NO_TIFF
#define TIFF_FUNCTIONS NULL, NULL, NULL
#define TIFF_NAME      ""
#else
#define TIFF_FUNCTIONS icseg_tiff_header, icseg_tiff_decode, icseg_tiff_decode_mask
#define TIFF_NAME      ", TIFF"
#endif
#ifdef ICSEG_NO_WEBP
#define WEBP_FUNCTIONS NULL, NULL, NULL
#define WEBP_NAME      ""
#else
#define WEBP_FUNCTIONS icseg_webp_header, icseg_webp_decode, NULL
#define WEBP_NAME      ", WebP"
#endif
#ifdef ICSEG_NO_GIF
#define GIF_FUNCTIONS NULL, NULL, NULL
#define GIF_NAME      ""
#else
#define GIF_FUNCTIONS icseg_gif_header, icseg_gif_decode, icseg_gif_decode_mask
#define GIF_NAME      ", GIF"
#endif
#ifdef ICSEG_NO_HEIF
#define HEIF_FUNCTIONS NULL, NULL, NULL
#define HEIF_NAME      ""
#else
#define HEIF_FUNCTIONS icseg_heif_header, icseg_heif_decode, NULL
#define HEIF_NAME      ", HEIC, AVIF"
#endif

static const char readable[] = "JPEG, PNG" WEBP_NAME TIFF_NAME ", BMP" GIF_NAME ", PNM" HEIF_NAME;

typedef struct format {
    icseg_codec codec;
    const char *name;
    const char *option; /* the build option that includes it; NULL: always included */
    icseg_status (*header)(icseg_header *out, const icseg_source *source, icseg_error *error); /* NULL: left out */
    icseg_status (*decode)(const icseg_source *source, icseg_header *header, uint8_t *pixels, icseg_error *error);
    icseg_status (*decode_mask)(icseg_mask *out, const icseg_source *source, const icseg_header *header,
                                icseg_error *error); /* NULL: the compression changes values */
} format;

static const format formats[] = {
    [ICSEG_CODEC_JPEG] = {ICSEG_CODEC_JPEG, "JPEG", NULL, icseg_jpeg_header, icseg_jpeg_decode, NULL},
    [ICSEG_CODEC_PNG] = {ICSEG_CODEC_PNG, "PNG", NULL, icseg_png_header, icseg_png_decode, icseg_png_decode_mask},
    [ICSEG_CODEC_WEBP] = {ICSEG_CODEC_WEBP, "WebP", "ICSEG_WEBP", WEBP_FUNCTIONS},
    [ICSEG_CODEC_TIFF] = {ICSEG_CODEC_TIFF, "TIFF", "ICSEG_TIFF", TIFF_FUNCTIONS},
    [ICSEG_CODEC_BMP] = {ICSEG_CODEC_BMP, "BMP", NULL, icseg_bmp_header, icseg_bmp_decode, icseg_bmp_decode_mask},
    [ICSEG_CODEC_GIF] = {ICSEG_CODEC_GIF, "GIF", "ICSEG_GIF", GIF_FUNCTIONS},
    [ICSEG_CODEC_PNM] = {ICSEG_CODEC_PNM, "PNM", NULL, icseg_pnm_header, icseg_pnm_decode, icseg_pnm_decode_mask},
    [ICSEG_CODEC_HEIF] = {ICSEG_CODEC_HEIF, "HEIF", "ICSEG_HEIF", HEIF_FUNCTIONS},
};

/* First bytes; '?' is any byte. */
static const struct signature {
    const char *bytes;
    size_t size;
    icseg_codec codec;
} signatures[] = {
    {"\xff\xd8\xff", 3, ICSEG_CODEC_JPEG},
    {"\x89PNG\r\n\x1a\n", 8, ICSEG_CODEC_PNG},
    {"RIFF????WEBP", 12, ICSEG_CODEC_WEBP},
    {"II*\0", 4, ICSEG_CODEC_TIFF},
    {"MM\0*", 4, ICSEG_CODEC_TIFF},
    {"II+\0", 4, ICSEG_CODEC_TIFF}, /* BigTIFF */
    {"MM\0+", 4, ICSEG_CODEC_TIFF},
    {"BM????????????\x0c\0\0\0", 18, ICSEG_CODEC_BMP}, /* with the sizes of the headers that exist */
    {"BM????????????\x28\0\0\0", 18, ICSEG_CODEC_BMP},
    {"BM????????????\x34\0\0\0", 18, ICSEG_CODEC_BMP},
    {"BM????????????\x38\0\0\0", 18, ICSEG_CODEC_BMP},
    {"BM????????????\x40\0\0\0", 18, ICSEG_CODEC_BMP},
    {"BM????????????\x6c\0\0\0", 18, ICSEG_CODEC_BMP},
    {"BM????????????\x7c\0\0\0", 18, ICSEG_CODEC_BMP},
    {"GIF87a", 6, ICSEG_CODEC_GIF},
    {"GIF89a", 6, ICSEG_CODEC_GIF},
    {"????ftypheic", 12, ICSEG_CODEC_HEIF},
    {"????ftypheix", 12, ICSEG_CODEC_HEIF},
    {"????ftyphevc", 12, ICSEG_CODEC_HEIF},
    {"????ftypmif1", 12, ICSEG_CODEC_HEIF},
    {"????ftypmsf1", 12, ICSEG_CODEC_HEIF},
    {"????ftypavif", 12, ICSEG_CODEC_HEIF},
    {"????ftypavis", 12, ICSEG_CODEC_HEIF},
};

/* "P1" to "P6" and white space. */
static bool is_pnm(const icseg_source *s) {
    return s->size > 2 && s->data[0] == 'P' && s->data[1] >= '1' && s->data[1] <= '6' && isspace(s->data[2]);
}

static const format *recognise(const icseg_source *source) {
    for (size_t i = 0; i < sizeof signatures / sizeof *signatures; i++) {
        const struct signature *s = &signatures[i];
        size_t equal = 0;
        while (equal < s->size && equal < source->size &&
               (s->bytes[equal] == '?' || source->data[equal] == (unsigned char)s->bytes[equal]))
            equal++;
        if (equal == s->size) return &formats[s->codec];
    }
    return is_pnm(source) ? &formats[ICSEG_CODEC_PNM] : NULL;
}

/* Common formats that icseg does not read: messages name them instead of listing bytes. */
static const char *foreign_format(const unsigned char *data, size_t size) {
    static const struct {
        size_t offset;
        const char *magic, *name;
    } known[] = {{0, "%PDF", "a PDF"},
                 {0, "8BPS", "a Photoshop file"},
                 {0, "P7\n", "a PAM"},
                 {0, "\xff\x0a", "a JPEG XL"},
                 {4, "JXL ", "a JPEG XL"},
                 {4, "jP  ", "a JPEG 2000"},
                 {0, "version https://git-lfs", "a Git LFS pointer, not the file itself"}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        size_t length = strlen(known[i].magic);
        if (size >= known[i].offset + length && memcmp(data + known[i].offset, known[i].magic, length) == 0)
            return known[i].name;
    }
    return NULL;
}

/* Text in quotes, anything else in hexadecimal: at most 3 * count + 1 bytes. */
static void show_bytes(char *out, const unsigned char *data, size_t count) {
    bool text = true;
    for (size_t i = 0; i < count; i++) text &= isprint(data[i]) || isspace(data[i]);
    if (text) snprintf(out, count + 3, "\"%.*s\"", (int)count, (const char *)data);
    for (size_t i = 0; i < count && !text; i++) snprintf(out + 3 * i, 4, i + 1 < count ? "%02x " : "%02x", data[i]);
}

static icseg_status fail_unknown(const icseg_source *source, icseg_error *error) {
    enum { SHOWN = 12 };
    if (!source->size)
        return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: the file is empty; an image was expected", source->name);
    const char *foreign = foreign_format(source->data, source->size);
    if (foreign)
        return icseg_fail(error, ICSEG_ERROR_UNSUPPORTED,
                          "%s: not an image that icseg can read (%s): it is %s; convert it to PNG or JPEG",
                          source->name, readable, foreign);
    char shown[3 * SHOWN + 1];
    show_bytes(shown, source->data, source->size < SHOWN ? source->size : SHOWN);
    return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: not an image that icseg can read (%s): it starts with %s",
                      source->name, readable, shown);
}

icseg_status icseg_header_read(icseg_header *out, const icseg_source *source, icseg_error *error) {
    *out = (icseg_header){.orientation = 1, .pages = 1, .bits = 8};
    const format *f = recognise(source);
    if (!f) return fail_unknown(source, error);
    if (!f->header)
        return icseg_fail(error, ICSEG_ERROR_UNSUPPORTED,
                          "%s: this build of icseg does not read %s images; rebuild with %s=ON or convert it to PNG",
                          source->name, f->name, f->option);
    out->codec = f->codec;
    return f->header(out, source, error);
}

const char *const icseg_image_types[] = {"jpg", "jpeg", "png", "webp", "tif",  "tiff", "bmp",  "gif",
                                         "ppm", "pgm",  "pbm", "pnm",  "heic", "heif", "avif", NULL};

const char *const *icseg_image_extensions(void) { return icseg_image_types; }

const char *icseg_codec_name(icseg_codec codec) { return formats[codec].name; }

static icseg_status check_choices(const icseg_source *source, const icseg_header *header, icseg_error *error) {
    const icseg_image_values *values = source->values;
    if (values && values->bands[0] && header->codec != ICSEG_CODEC_TIFF)
        return icseg_fail_field(error, ICSEG_ERROR_DATA, "bands", ICSEG_REMEDY_SET_FIELD,
                                "%s: bands can be chosen in TIFF files only, and this is %s; with band 0 its own "
                                "colours are used",
                                source->name, formats[header->codec].name);
    if (icseg_has_value_range(source) && header->bits <= 8 && !header->has_signs)
        return icseg_fail_field(error, ICSEG_ERROR_DATA, "value_range", ICSEG_REMEDY_SET_FIELD,
                                "%s: a value range is for files of 16 and more bits, and this one has %d; with the "
                                "range 0,0 its values are used as they are",
                                source->name, header->bits);
    return ICSEG_OK;
}

icseg_status icseg_check_values(const icseg_source *source, const icseg_header *header, icseg_error *error) {
    ICSEG_TRY(check_choices(source, header, error));
#ifndef ICSEG_NO_TIFF
    if (header->codec == ICSEG_CODEC_TIFF) return icseg_tiff_check_values(source, header, error);
#endif
    return ICSEG_OK;
}

icseg_status icseg_decode_image(const icseg_source *source, icseg_header *header, uint8_t *pixels, icseg_error *error) {
    ICSEG_TRY(check_choices(source, header, error));
    return formats[header->codec].decode(source, header, pixels, error);
}

icseg_status icseg_decode_mask(icseg_mask *out, const icseg_source *source, const icseg_header *header,
                               icseg_error *error) {
    const format *f = &formats[header->codec];
    if (!f->decode_mask)
        return icseg_fail(
            error, ICSEG_ERROR_DATA,
            "%s: a %s image where class indices are expected; its compression %s values; save label maps as "
            "PNG or TIFF",
            source->name, f->name, f->codec == ICSEG_CODEC_JPEG ? "changes" : "may change");
    return f->decode_mask(out, source, header, error);
}
