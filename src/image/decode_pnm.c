/* SPDX-License-Identifier: Apache-2.0
 * PBM, PGM and PPM (P1 to P6), as netpbm's pbm(5), pgm(5) and ppm(5) define them. */
#include <stdbool.h>

#include "base/memory.h"
#include "image/codec.h"

typedef struct pnm {
    const icseg_source *source;
    size_t at; /* of the next byte */
    int32_t width, height;
    int channels;
    uint32_t most; /* the largest value */
    bool plain;    /* decimal numbers */
    bool bitmap;   /* one bit a pixel: 1 is black */
} pnm;

static icseg_status fail(const icseg_source *source, const char *what, icseg_error *error) {
    return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: cannot decode this PNM: %s", source->name, what);
}

static const char truncated[] = "the data ends too early; the file is truncated";

static bool is_blank(int c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

static void skip_blanks(pnm *p) {
    const icseg_source *s = p->source;
    while (p->at < s->size && (is_blank(s->data[p->at]) || s->data[p->at] == '#')) {
        if (s->data[p->at] == '#')
            while (p->at < s->size && s->data[p->at] != '\n') p->at++;
        else
            p->at++;
    }
}

static icseg_status read_number(pnm *p, uint32_t *out, icseg_error *error) {
    enum { LARGEST = 100000000 };
    const icseg_source *s = p->source;
    skip_blanks(p);
    if (p->at == s->size) return fail(s, truncated, error);
    if (s->data[p->at] < '0' || s->data[p->at] > '9') return fail(s, "a number was expected", error);
    for (*out = 0; p->at < s->size && s->data[p->at] >= '0' && s->data[p->at] <= '9'; p->at++) {
        if (*out >= LARGEST) return fail(s, "a number is too large", error);
        *out = *out * 10 + (uint32_t)(s->data[p->at] - '0');
    }
    return ICSEG_OK;
}

static uint64_t row_bytes(const pnm *p) {
    if (p->bitmap) return ((uint64_t)p->width + 7) / 8;
    return (uint64_t)p->width * (uint64_t)p->channels * (p->most > 255 ? 2 : 1);
}

static icseg_status read_header(pnm *out, icseg_header *header, const icseg_source *source, icseg_error *error) {
    uint32_t width, height;
    int kind = source->data[1] - '0'; /* 1..6, as the signature says */
    *out = (pnm){.source = source, .at = 2, .most = 1, .channels = kind % 3 ? 1 : 3};
    out->plain = kind <= 3;
    out->bitmap = kind == 1 || kind == 4;
    ICSEG_TRY(read_number(out, &width, error));
    ICSEG_TRY(read_number(out, &height, error));
    ICSEG_TRY(icseg_header_set_size(header, width, height, source, error));
    out->width = header->width, out->height = header->height;
    if (!out->bitmap) ICSEG_TRY(read_number(out, &out->most, error));
    if (!out->most || out->most > 65535) return fail(source, "its largest value must be 1 to 65535", error);
    header->bits = out->bitmap ? 1 : out->most > 255 ? 16 : 8;
    if (!out->plain && (out->at == source->size || !is_blank(source->data[out->at++])))
        return fail(source, truncated, error);
    uint64_t left = source->size - out->at, rows = (uint64_t)out->height;
    /* A number takes a digit, and a separator unless it is a bit. */
    uint64_t least = out->plain ? (uint64_t)out->width * (uint64_t)out->channels * (out->bitmap ? 1 : 2) * rows - 1
                                : row_bytes(out) * rows;
    return least <= left ? ICSEG_OK : fail(source, truncated, error);
}

icseg_status icseg_pnm_header(icseg_header *out, const icseg_source *source, icseg_error *error) {
    pnm p;
    return read_header(&p, out, source, error);
}

static icseg_status read_plain(pnm *p, uint32_t *out, icseg_error *error) {
    if (!p->bitmap) return read_number(p, out, error);
    skip_blanks(p); /* bits need no separators */
    if (p->at == p->source->size) return fail(p->source, truncated, error);
    int c = p->source->data[p->at++];
    *out = (uint32_t)(c - '0');
    return c == '0' || c == '1' ? ICSEG_OK : fail(p->source, "a bit is 0 or 1", error);
}

/* The values of a row, (width, channels). */
static icseg_status read_row(pnm *p, uint16_t *row, icseg_error *error) {
    size_t count = (size_t)p->width * (size_t)p->channels;
    const unsigned char *bytes = p->source->data + p->at;
    for (size_t i = 0; i < count; i++) {
        uint32_t value;
        if (p->plain)
            ICSEG_TRY(read_plain(p, &value, error));
        else if (p->bitmap)
            value = bytes[i / 8] >> (7 - i % 8) & 1;
        else
            value = p->most > 255 ? (uint32_t)bytes[2 * i] << 8 | bytes[2 * i + 1] : bytes[i];
        if (value > p->most) return fail(p->source, "a value is larger than the largest that its header allows", error);
        row[i] = (uint16_t)value;
    }
    if (!p->plain) p->at += (size_t)row_bytes(p);
    return ICSEG_OK;
}

static icseg_status decode(pnm *p, icseg_header *header, uint16_t *row, uint8_t *pixels, icseg_error *error) {
    /* Bits are inverted: 0 is white. */
    icseg_value_scale scale = icseg_value_scale_of(p->source, p->bitmap ? 1 : 0, p->bitmap ? 0 : p->most);
    for (int32_t y = 0; y < p->height; y++) {
        ICSEG_TRY(read_row(p, row, error));
        for (size_t x = 0; x < (size_t)p->width; x++, pixels += 3)
            for (size_t c = 0; c < 3; c++) {
                uint16_t value = row[p->channels == 3 ? 3 * x + c : x];
                if (p->most == 65535 && value > header->highest) header->highest = value;
                pixels[c] = icseg_scale_value(&scale, value);
            }
    }
    return ICSEG_OK;
}

icseg_status icseg_pnm_decode(const icseg_source *source, icseg_header *header, uint8_t *pixels, icseg_error *error) {
    pnm p;
    icseg_header parsed;
    ICSEG_TRY(read_header(&p, &parsed, source, error));
    size_t count = (size_t)p.width * (size_t)p.channels;
    uint16_t *row = icseg_alloc_array(count, sizeof *row);
    if (!row) return icseg_fail_memory_in(error, count * sizeof *row, source->name);
    icseg_status status = decode(&p, header, row, pixels, error);
    icseg_free(row);
    return status;
}

icseg_status icseg_pnm_decode_mask(icseg_mask *out, const icseg_source *source, const icseg_header *header,
                                   icseg_error *error) {
    pnm p;
    icseg_header parsed;
    ICSEG_TRY(read_header(&p, &parsed, source, error));
    if (p.channels == 3 && p.most != 255)
        return icseg_fail(error, ICSEG_ERROR_DATA,
                          "%s: a PPM with values of 0..%u where class indices are expected; save "
                          "it as PGM or PNG",
                          source->name, p.most);
    if (p.channels == 3) return icseg_mask_from_colours(out, source, header, icseg_pnm_decode, error);
    out->bits = parsed.bits;
    ICSEG_TRY(icseg_mask_allocate(out, header, source, error));
    for (int32_t y = 0; y < p.height; y++) {
        uint16_t *row = out->data + (size_t)y * (size_t)p.width;
        ICSEG_TRY(read_row(&p, row, error));
        for (int32_t x = 0; x < p.width && p.bitmap; x++) row[x] = !row[x]; /* white is 1, as in other formats */
    }
    return ICSEG_OK;
}
