/* SPDX-License-Identifier: Apache-2.0
 * GIF, by giflib: the first frame. Pixels that it leaves out or makes transparent are black. */
#include <stdbool.h>
#include <string.h>

#include <gif_lib.h>

#include "base/memory.h"
#include "image/codec.h"

typedef struct reader {
    GifFileType *gif;
    const icseg_source *source;
    size_t at;
    uint8_t *indices; /* (SHeight, SWidth) of the canvas, owned */
    int transparent;  /* index; -1: none */
} reader;

static int on_read(GifFileType *gif, GifByteType *to, int count) {
    reader *r = gif->UserData;
    size_t left = r->source->size - r->at, taken = count < 0 ? 0 : (size_t)count < left ? (size_t)count : left;
    memcpy(to, r->source->data + r->at, taken);
    r->at += taken;
    return (int)taken;
}

static icseg_status fail(const reader *r, int code, icseg_error *error) {
    if (code == D_GIF_ERR_NOT_ENOUGH_MEM) return icseg_fail_memory_in(error, 0, r->source->name);
    const char *reason = GifErrorString(code);
    return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: cannot decode this GIF: %s", r->source->name,
                      code == D_GIF_ERR_READ_FAILED || code == D_GIF_ERR_EOF_TOO_SOON
                          ? "the data ends too early; the file is truncated"
                      : reason ? reason
                               : "the data are damaged");
}

/* The header and the palette of the whole file are complete. giflib does not tell a lack of memory for them from
 * missing data. */
static bool has_screen(const icseg_source *source) {
    enum { HEADER = 13, FLAGS_AT = 10 };
    if (source->size < HEADER) return false;
    unsigned flags = source->data[FLAGS_AT];
    return source->size >= HEADER + (flags & 0x80 ? (size_t)6 << (flags & 7) : 0);
}

static icseg_status open_reader(reader *r, const icseg_source *source, icseg_error *error) {
    int code = 0;
    *r = (reader){.source = source, .transparent = -1};
    if (!has_screen(source)) return fail(r, D_GIF_ERR_READ_FAILED, error);
    r->gif = DGifOpen(r, on_read, &code);
    return r->gif ? ICSEG_OK : fail(r, D_GIF_ERR_NOT_ENOUGH_MEM, error);
}

static void close_reader(reader *r) {
    if (r->gif) DGifCloseFile(r->gif, NULL);
    icseg_free(r->indices);
}

/* A code of three bits and more sets at most 4096 pixels. A canvas that is far larger is refused before memory is
 * allocated. */
static icseg_status check_claim(const reader *r, const icseg_header *header, icseg_error *error) {
    if ((uint64_t)header->width * (uint64_t)header->height / 4096 <= r->source->size) return ICSEG_OK;
    return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: a GIF of %d x %d pixels cannot be in %zu bytes", r->source->name,
                      header->width, header->height, r->source->size);
}

/* An extension: the graphics control block before the frame names the transparent index. */
static icseg_status skip_extension(reader *r, icseg_error *error) {
    GifByteType *block = NULL;
    int function = 0;
    int code = DGifGetExtension(r->gif, &function, &block);
    while (code == GIF_OK && block) {
        GraphicsControlBlock control;
        if (function == GRAPHICS_EXT_FUNC_CODE && DGifExtensionToGCB(block[0], block + 1, &control) == GIF_OK)
            r->transparent = control.TransparentColor;
        code = DGifGetExtensionNext(r->gif, &block);
    }
    return code == GIF_OK ? ICSEG_OK : fail(r, r->gif->Error, error);
}

/* Reads up to the next frame. *found is false at the end of the file. */
static icseg_status find_frame(reader *r, bool *found, icseg_error *error) {
    for (;;) {
        GifRecordType type;
        *found = false;
        if (DGifGetRecordType(r->gif, &type) != GIF_OK) return fail(r, r->gif->Error, error);
        if (type == TERMINATE_RECORD_TYPE) return ICSEG_OK;
        if (type == EXTENSION_RECORD_TYPE) ICSEG_TRY(skip_extension(r, error));
        if (type != IMAGE_DESC_RECORD_TYPE) continue;
        *found = true;
        return DGifGetImageHeader(r->gif) == GIF_OK ? ICSEG_OK : fail(r, r->gif->Error, error);
    }
}

/* Whether another frame follows: its separator, after extensions. Damage behind the first frame does not matter. */
static bool has_another_frame(reader *r) {
    GifByteType *block = NULL;
    int size;
    bool found = false;
    if (DGifGetCode(r->gif, &size, &block) != GIF_OK) return false;
    while (block)
        if (DGifGetCodeNext(r->gif, &block) != GIF_OK) return false;
    return find_frame(r, &found, NULL) == ICSEG_OK && found;
}

icseg_status icseg_gif_header(icseg_header *out, const icseg_source *source, icseg_error *error) {
    reader r;
    bool found;
    ICSEG_TRY(open_reader(&r, source, error));
    icseg_status status = icseg_header_set_size(out, (uint32_t)r.gif->SWidth, (uint32_t)r.gif->SHeight, source, error);
    if (status == ICSEG_OK) status = check_claim(&r, out, error);
    if (status == ICSEG_OK) status = find_frame(&r, &found, error);
    if (status == ICSEG_OK && !found)
        status = icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: a GIF without an image", source->name);
    if (status == ICSEG_OK && has_another_frame(&r)) out->pages = 2; /* or more */
    close_reader(&r);
    return status;
}

/* Decodes the frame into the canvas. */
static icseg_status read_frame(reader *r, uint8_t background, icseg_error *error) {
    static const int first[4] = {0, 4, 2, 1}, step[4] = {8, 8, 4, 2}; /* interlaced rows */
    const GifImageDesc *frame = &r->gif->Image;
    size_t width = (size_t)r->gif->SWidth, count = width * (size_t)r->gif->SHeight;
    r->indices = icseg_alloc(count);
    if (!r->indices) return icseg_fail_memory_in(error, count, r->source->name);
    memset(r->indices, background, count);
    if (frame->Left < 0 || frame->Top < 0 || frame->Width < 1 || frame->Height < 1 ||
        frame->Left + frame->Width > r->gif->SWidth || frame->Top + frame->Height > r->gif->SHeight)
        return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: cannot decode this GIF: its frame is outside of its canvas",
                          r->source->name);
    for (int pass = 0; pass < (frame->Interlace ? 4 : 1); pass++)
        for (int y = frame->Interlace ? first[pass] : 0; y < frame->Height; y += frame->Interlace ? step[pass] : 1) {
            uint8_t *row = r->indices + (size_t)(frame->Top + y) * width + (size_t)frame->Left;
            if (DGifGetLine(r->gif, row, frame->Width) != GIF_OK) return fail(r, r->gif->Error, error);
        }
    return ICSEG_OK;
}

static icseg_status open_frame(reader *r, const icseg_source *source, icseg_error *error) {
    bool found;
    ICSEG_TRY(open_reader(r, source, error));
    ICSEG_TRY(find_frame(r, &found, error));
    if (!found) return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: a GIF without an image", source->name);
    return ICSEG_OK;
}

static const ColorMapObject *colours_of(const reader *r) {
    return r->gif->Image.ColorMap ? r->gif->Image.ColorMap : r->gif->SColorMap;
}

static icseg_status decode(reader *r, uint8_t *pixels, icseg_error *error) {
    const ColorMapObject *colours = colours_of(r);
    size_t width = (size_t)r->gif->SWidth, count = width * (size_t)r->gif->SHeight;
    const GifImageDesc *frame = &r->gif->Image;
    if (!colours) return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: a GIF without a palette", r->source->name);
    ICSEG_TRY(read_frame(r, 0, error));
    memset(pixels, 0, count * 3);
    size_t left = (size_t)frame->Left, right = left + (size_t)frame->Width, top = (size_t)frame->Top,
           bottom = top + (size_t)frame->Height;
    for (size_t y = top; y < bottom; y++)
        for (size_t x = left; x < right; x++) {
            int index = r->indices[y * width + x];
            if (index >= colours->ColorCount)
                return icseg_fail(error, ICSEG_ERROR_FORMAT,
                                  "%s: cannot decode this GIF: an index outside of its palette", r->source->name);
            if (index == r->transparent) continue;
            GifColorType c = colours->Colors[index];
            memcpy(pixels + 3 * (y * width + x), (const uint8_t[3]){c.Red, c.Green, c.Blue}, 3);
        }
    return ICSEG_OK;
}

icseg_status icseg_gif_decode(const icseg_source *source, icseg_header *header, uint8_t *pixels, icseg_error *error) {
    reader r;
    (void)header;
    icseg_status status = open_frame(&r, source, error);
    if (status == ICSEG_OK) status = decode(&r, pixels, error);
    close_reader(&r);
    return status;
}

static icseg_status decode_mask(icseg_mask *out, reader *r, const icseg_header *header, icseg_error *error) {
    const ColorMapObject *colours = colours_of(r);
    const GifImageDesc *frame = &r->gif->Image;
    if (frame->Width != r->gif->SWidth || frame->Height != r->gif->SHeight)
        return icseg_fail(error, ICSEG_ERROR_DATA,
                          "%s: a GIF whose frame does not fill the canvas; save the label map as PNG", r->source->name);
    ICSEG_TRY(read_frame(r, 0, error));
    out->bits = 8;
    out->palette_size = colours && colours->ColorCount <= 256 ? colours->ColorCount : 0;
    for (int i = 0; i < out->palette_size; i++) {
        GifColorType c = colours->Colors[i];
        memcpy(out->palette[i], (const uint8_t[3]){c.Red, c.Green, c.Blue}, 3);
    }
    ICSEG_TRY(icseg_mask_allocate(out, header, r->source, error));
    for (size_t i = 0; i < (size_t)out->width * (size_t)out->height; i++) out->data[i] = r->indices[i];
    return ICSEG_OK;
}

icseg_status icseg_gif_decode_mask(icseg_mask *out, const icseg_source *source, const icseg_header *header,
                                   icseg_error *error) {
    reader r;
    icseg_status status;
    if (header->pages > 1) return icseg_mask_fail_frames(source, "GIF", error);
    status = open_frame(&r, source, error);
    if (status == ICSEG_OK) status = decode_mask(out, &r, header, error);
    close_reader(&r);
    return status;
}
