/* SPDX-License-Identifier: Apache-2.0
 * JPEG. This file reads the header and EXIF, libjpeg the pixels. Data that ends too early or is damaged are an error.
 */
#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h> /* jpeglib.h needs it first */
#include <string.h>

#include <jpeglib.h>
#include <jerror.h>

#include "base/memory.h"
#include "image/codec.h"

static icseg_status fail_early(const icseg_source *source, icseg_error *error) {
    return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: the JPEG data ends too early (%zu bytes); the file is truncated",
                      source->name, source->size);
}

/* Every block of 8 x 8 pixels takes at least one bit in Huffman coding; the 4 allows for chroma subsampling. A header
 * that claims more pixels is refused before memory is allocated. Arithmetic coding does not have such a limit. */
static icseg_status check_claim(const icseg_header *header, bool arithmetic, const icseg_source *source,
                                icseg_error *error) {
    if (arithmetic || (uint64_t)header->width * (uint64_t)header->height / (64 * 8 * 4) <= source->size)
        return ICSEG_OK;
    return icseg_fail(error, ICSEG_ERROR_FORMAT,
                      "%s: a JPEG of %d x %d pixels cannot be in %zu bytes; the file is truncated", source->name,
                      header->width, header->height, source->size);
}

/* libjpeg reads 8-bit values of frames 0, 1, 2, 9 and 10. What makes a frame another one; NULL: it is read. */
static const char *foreign_frame(unsigned marker, unsigned bits) {
    switch (marker) {
    case 0xc3:
    case 0xcb: return "lossless";
    case 0xc5:
    case 0xc6:
    case 0xc7:
    case 0xcd:
    case 0xce:
    case 0xcf: return "hierarchical";
    case 0xf7: return "JPEG-LS";
    default: return bits == 8 ? NULL : "not 8 bits a value";
    }
}

icseg_status icseg_jpeg_header(icseg_header *out, const icseg_source *source, icseg_error *error) {
    const unsigned char *data = source->data;
    bool sized = false;
    size_t at = 2;
    for (;;) {
        while (at < source->size && data[at] != 0xff) at++; /* stray bytes are skipped, as libjpeg does */
        while (at < source->size && data[at] == 0xff) at++;
        if (at >= source->size) return fail_early(source, error);
        unsigned marker = data[at++];
        if (marker == 0 || marker == 1 || (marker >= 0xd0 && marker <= 0xd8)) continue; /* markers without a body */
        if (marker == 0xd9 || marker == 0xda) break;                                    /* end, or start of a scan */
        if (source->size - at < 2) return fail_early(source, error);
        size_t length = (size_t)data[at] << 8 | data[at + 1];
        if (length < 2 || length > source->size - at) return fail_early(source, error);
        const unsigned char *body = data + at + 2;
        if (marker == 0xe1 && length >= 8 && memcmp(body, "Exif\0\0", 6) == 0 && out->orientation == 1)
            out->orientation = icseg_exif_orientation(body + 6, length - 8);
        bool frame =
            (marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc) || marker == 0xf7;
        if (frame && !sized) {
            if (length < 8) return fail_early(source, error);
            ICSEG_TRY(icseg_header_set_size(out, (uint32_t)body[3] << 8 | body[4], (uint32_t)body[1] << 8 | body[2],
                                            source, error));
            const char *foreign = foreign_frame(marker, body[0]);
            if (foreign)
                return icseg_fail(error, ICSEG_ERROR_UNSUPPORTED,
                                  "%s: a JPEG of a kind that is not read (%s); save it as an ordinary JPEG or as PNG",
                                  source->name, foreign);
            ICSEG_TRY(check_claim(out, marker > 0xc8, source, error));
            sized = true;
        }
        at += length;
    }
    return sized ? ICSEG_OK : icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: a JPEG without a frame header", source->name);
}

typedef struct reader {
    struct jpeg_decompress_struct codec;
    struct jpeg_error_mgr manager;
    struct jpeg_source_mgr input;
    struct jpeg_progress_mgr progress;
    jmp_buf escape;
    const icseg_source *source;
    icseg_error *error;
    icseg_status status;
    bool may_end;  /* all scans have begun: only the end marker may be missing */
    uint8_t *line; /* (width, 4), CMYK only */
} reader;

static void escape_with(reader *r, icseg_status status) {
    r->status = status;
    longjmp(r->escape, 1);
}

static void on_error(j_common_ptr codec) {
    reader *r = codec->client_data;
    char text[JMSG_LENGTH_MAX];
    codec->err->format_message(codec, text);
    bool memory = codec->err->msg_code == JERR_OUT_OF_MEMORY;
    escape_with(r, icseg_fail(r->error, memory ? ICSEG_ERROR_MEMORY : ICSEG_ERROR_FORMAT,
                              "%s: cannot decode this JPEG: %s", r->source->name, text));
}

/* Warnings that mean lost pixels are errors; others (stray bytes, unusual headers) are harmless. */
static void on_message(j_common_ptr codec, int level) {
    if (level >= 0) return;
    reader *r = codec->client_data;
    switch (codec->err->msg_code) {
    case JWRN_HIT_MARKER:
    case JWRN_JPEG_EOF: escape_with(r, fail_early(r->source, r->error)); break;
    case JWRN_HUFF_BAD_CODE:
    case JWRN_ARITH_BAD_CODE:
    case JWRN_MUST_RESYNC: on_error(codec); break;
    default: break;
    }
}

static void on_output(j_common_ptr codec) { (void)codec; }

static void on_progress(j_common_ptr codec) {
    reader *r = codec->client_data;
    if (r->codec.input_scan_number > ICSEG_JPEG_MAX_SCANS)
        escape_with(r, icseg_fail(r->error, ICSEG_ERROR_FORMAT,
                                  "%s: a JPEG with more than %d scans; save it again as a baseline JPEG",
                                  r->source->name, ICSEG_JPEG_MAX_SCANS));
}

static void on_start(j_decompress_ptr codec) { (void)codec; }

static boolean on_empty(j_decompress_ptr codec) {
    static const JOCTET end[2] = {0xff, JPEG_EOI};
    reader *r = codec->client_data;
    if (!r->may_end) escape_with(r, fail_early(r->source, r->error));
    r->input.next_input_byte = end; /* libjpeg then reports missing coefficients as JWRN_HIT_MARKER */
    r->input.bytes_in_buffer = sizeof end;
    return TRUE;
}

static void on_skip(j_decompress_ptr codec, long count) {
    reader *r = codec->client_data;
    if (count <= 0) return;
    size_t skipped = (size_t)count < r->input.bytes_in_buffer ? (size_t)count : r->input.bytes_in_buffer;
    r->input.next_input_byte += skipped;
    r->input.bytes_in_buffer -= skipped;
}

/* 255 means no ink. Adobe introduced this inversion. Pillow and browsers also assume it without Adobe's marker. */
static void cmyk_to_rgb(uint8_t *rgb, const uint8_t *cmyk, int32_t width) {
    for (int32_t x = 0; x < width; x++)
        for (int i = 0; i < 3; i++) rgb[3 * x + i] = (uint8_t)((cmyk[4 * x + i] * cmyk[4 * x + 3] + 127) / 255);
}

static icseg_status decode(reader *r, const icseg_header *header, uint8_t *pixels) {
    struct jpeg_decompress_struct *codec = &r->codec;
    if (setjmp(r->escape)) return r->status;
    jpeg_create_decompress(codec);
    codec->client_data = r;
    codec->src = &r->input;
    codec->progress = &r->progress;
    jpeg_read_header(codec, TRUE);
    if (codec->image_width != (JDIMENSION)header->width || codec->image_height != (JDIMENSION)header->height)
        return icseg_fail(r->error, ICSEG_ERROR_FORMAT, "%s: damaged: the JPEG has two different sizes",
                          r->source->name);
    bool cmyk = codec->jpeg_color_space == JCS_CMYK || codec->jpeg_color_space == JCS_YCCK;
    codec->out_color_space = cmyk ? JCS_CMYK : JCS_RGB;
    if (cmyk && !(r->line = icseg_alloc_array((size_t)header->width, 4)))
        return icseg_fail_memory_in(r->error, (size_t)header->width * 4, r->source->name);
    jpeg_start_decompress(codec);
    r->may_end = !jpeg_has_multiple_scans(codec);
    while (codec->output_scanline < codec->output_height) {
        uint8_t *row = pixels + (size_t)codec->output_scanline * (size_t)header->width * 3;
        JSAMPROW target = cmyk ? r->line : row;
        jpeg_read_scanlines(codec, &target, 1);
        if (cmyk) cmyk_to_rgb(row, r->line, header->width);
    }
    jpeg_finish_decompress(codec);
    return ICSEG_OK;
}

icseg_status icseg_jpeg_decode(const icseg_source *source, icseg_header *header, uint8_t *pixels, icseg_error *error) {
    reader r = {.source = source, .error = error};
    r.codec.err = jpeg_std_error(&r.manager);
    r.codec.client_data = &r; /* kept by jpeg_create_decompress */
    r.manager.error_exit = on_error;
    r.manager.emit_message = on_message;
    r.manager.output_message = on_output;
    r.progress.progress_monitor = on_progress;
    r.input = (struct jpeg_source_mgr){.next_input_byte = source->data,
                                       .bytes_in_buffer = source->size,
                                       .init_source = on_start,
                                       .fill_input_buffer = on_empty,
                                       .skip_input_data = on_skip,
                                       .resync_to_restart = jpeg_resync_to_restart,
                                       .term_source = on_start};
    icseg_status status = decode(&r, header, pixels);
    jpeg_destroy_decompress(&r.codec);
    icseg_free(r.line);
    return status;
}
