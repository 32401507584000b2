/* SPDX-License-Identifier: Apache-2.0
 * Encoding PNG and JPEG in memory, and from there into files, which are replaced completely or not at all. */
#include <math.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h> /* jpeglib.h needs it first */
#include <string.h>

#include <jpeglib.h>
#include <jerror.h>
#include <png.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "image/check.h"
#include "image/png_memory.h"

/* Input of a PNG. 16-bit rows are in native byte order. */
typedef struct png_job {
    int32_t width, height;
    int type, depth, filters, level;
    const uint8_t *rows;
    size_t stride;
    const icseg_palette *palette; /* PNG_COLOR_TYPE_PALETTE only */
    icseg_string out;
    size_t missing; /* bytes of the allocation that failed */
    icseg_error *error;
    icseg_status status;
} png_job;

static void on_png_error(png_structp png, png_const_charp text) {
    png_job *job = png_get_error_ptr(png);
    job->status = job->missing ? icseg_fail_memory(job->error, job->missing, "an encoded PNG")
                               : icseg_fail(job->error, ICSEG_ERROR_INTERNAL, "cannot encode a PNG of %d x %d: %s",
                                            job->width, job->height, text);
    png_longjmp(png, 1);
}

static void on_png_warning(png_structp png, png_const_charp text) {
    (void)png;
    (void)text;
}

static void on_png_write(png_structp png, png_bytep data, size_t size) {
    png_job *job = png_get_io_ptr(png);
    icseg_string_append(&job->out, (const char *)data, size);
    if (!job->out.failed) return;
    job->missing = job->out.size + size;
    png_error(png, "out of memory");
}

static void on_png_flush(png_structp png) { (void)png; }

/* Entries beyond the palette, up to 255 = ignored, are black. */
static void put_palette(png_structp png, png_infop info, const icseg_palette *palette) {
    png_color colors[256] = {{0, 0, 0}};
    for (int i = 0; i < palette->size; i++)
        colors[i] = (png_color){palette->color[i][0], palette->color[i][1], palette->color[i][2]};
    png_set_PLTE(png, info, colors, 256);
}

static icseg_status write_png(png_job *job, png_structp png, png_infop info) {
    if (setjmp(png_jmpbuf(png))) return job->status;
    png_set_write_fn(png, job, on_png_write, on_png_flush);
    png_set_compression_level(png, job->level);
    png_set_filter(png, PNG_FILTER_TYPE_BASE, job->filters);
    png_set_IHDR(png, info, (png_uint_32)job->width, (png_uint_32)job->height, job->depth, job->type,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    if (job->palette) put_palette(png, info, job->palette);
    png_write_info(png, info);
    if (job->depth == 16 && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__) png_set_swap(png);
    for (int32_t y = 0; y < job->height; y++) png_write_row(png, job->rows + (size_t)y * job->stride);
    png_write_end(png, info);
    return ICSEG_OK;
}

/* On success the caller owns job->out. */
static icseg_status encode_png(png_job *job) {
    png_structp png = png_create_write_struct_2(PNG_LIBPNG_VER_STRING, job, on_png_error, on_png_warning, &job->missing,
                                                icseg_png_alloc, icseg_png_free);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    icseg_status status =
        info ? write_png(job, png, info) : icseg_fail_memory(job->error, job->missing, "the PNG encoder");
    png_destroy_write_struct(&png, &info);
    if (status != ICSEG_OK) icseg_string_close(&job->out);
    return status;
}

/* Encodes and writes; errors name the file. */
static icseg_status encode_png_file(png_job *job, const char *path) {
    icseg_status status = encode_png(job);
    if (status != ICSEG_OK) return icseg_fail_prefix(job->error, "%s", path), status;
    status = icseg_file_write(path, job->out.data, job->out.size, job->error);
    icseg_string_close(&job->out);
    return status;
}

static png_job image_job(const icseg_image *image, icseg_error *error) {
    /* Level 4 and two filters: within a few percent of the default's size on photographs, in a third of its time. */
    return (png_job){.width = image->width,
                     .height = image->height,
                     .type = PNG_COLOR_TYPE_RGB,
                     .depth = 8,
                     .filters = PNG_FILTER_SUB | PNG_FILTER_UP,
                     .level = 4,
                     .rows = image->data,
                     .stride = (size_t)image->width * 3,
                     .error = error};
}

icseg_status icseg_image_encode_png(const icseg_image *image, void **out, size_t *size, icseg_error *error) {
    ICSEG_NEED(out);
    ICSEG_NEED(size);
    *out = NULL;
    *size = 0;
    ICSEG_NEED_IMAGE(image);
    png_job job = image_job(image, error);
    ICSEG_TRY(encode_png(&job));
    *out = job.out.data;
    *size = job.out.size;
    return ICSEG_OK;
}

icseg_status icseg_image_write_png(const icseg_image *image, const char *path, icseg_error *error) {
    ICSEG_NEED_IMAGE(image);
    ICSEG_NEED(path);
    png_job job = image_job(image, error);
    return encode_png_file(&job, path);
}

/* Label -> stored value, checked against the palette; `wide` = 16 bit. */
static icseg_status store_labels(void *out, const icseg_labels *labels, int32_t classes, bool wide, const char *path,
                                 icseg_error *error) {
    size_t count = (size_t)labels->width * (size_t)labels->height;
    for (size_t i = 0; i < count; i++) {
        int16_t label = labels->data[i];
        if (label < ICSEG_LABEL_IGNORE || label >= classes)
            return icseg_fail(error, ICSEG_ERROR_DATA,
                              "%s: label %d at x %zu, y %zu is not in the palette of %d classes", path, label,
                              i % (size_t)labels->width, i / (size_t)labels->width, classes);
        if (wide)
            ((uint16_t *)out)[i] = label < 0 ? 65535 : (uint16_t)label;
        else
            ((uint8_t *)out)[i] = label < 0 ? 255 : (uint8_t)label;
    }
    return ICSEG_OK;
}

/* Encodes into job->out; errors begin with `name`. */
static icseg_status encode_labels(png_job *job, const icseg_labels *labels, const icseg_palette *palette,
                                  const char *name) {
    bool wide = palette->size > 255;
    size_t bytes = wide ? 2 : 1, count = (size_t)labels->width * (size_t)labels->height;
    void *stored = icseg_alloc_array(count, bytes);
    if (!stored) return icseg_fail_memory_in(job->error, count * bytes, name);
    *job = (png_job){.width = labels->width,
                     .height = labels->height,
                     .type = wide ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_PALETTE,
                     .depth = wide ? 16 : 8,
                     .filters = PNG_FILTER_NONE, /* equal neighbours compress best without a filter */
                     .level = 6,
                     .rows = stored,
                     .stride = (size_t)labels->width * bytes,
                     .palette = wide ? NULL : palette,
                     .error = job->error};
    icseg_status status = store_labels(stored, labels, palette->size, wide, name, job->error);
    if (status == ICSEG_OK && (status = encode_png(job)) != ICSEG_OK) icseg_fail_prefix(job->error, "%s", name);
    icseg_free(stored);
    return status;
}

icseg_status icseg_labels_encode_png(const icseg_labels *labels, const icseg_palette *palette, void **out, size_t *size,
                                     icseg_error *error) {
    ICSEG_NEED(out);
    ICSEG_NEED(size);
    *out = NULL;
    *size = 0;
    ICSEG_NEED_LABELS(labels);
    ICSEG_NEED_PALETTE(palette);
    png_job job = {.error = error};
    ICSEG_TRY(encode_labels(&job, labels, palette, "labels"));
    *out = job.out.data;
    *size = job.out.size;
    return ICSEG_OK;
}

icseg_status icseg_labels_write_png(const icseg_labels *labels, const icseg_palette *palette, const char *path,
                                    icseg_error *error) {
    ICSEG_NEED_LABELS(labels);
    ICSEG_NEED_PALETTE(palette);
    ICSEG_NEED(path);
    png_job job = {.error = error};
    ICSEG_TRY(encode_labels(&job, labels, palette, path));
    icseg_status status = icseg_file_write(path, job.out.data, job.out.size, error);
    icseg_string_close(&job.out);
    return status;
}

icseg_status icseg_confidence_write_png(const float *values, int32_t width, int32_t height, const char *path,
                                        icseg_error *error) {
    ICSEG_NEED(values);
    ICSEG_NEED(path);
    if (width < 1 || height < 1 || width > ICSEG_IMAGE_MAX_SIDE || height > ICSEG_IMAGE_MAX_SIDE ||
        (int64_t)width * height > ICSEG_IMAGE_MAX_PIXELS)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "%s: a map of %d x %d values; expected sides of 1 to %d", path,
                          width, height, ICSEG_IMAGE_MAX_SIDE);
    size_t count = (size_t)width * (size_t)height;
    uint16_t *stored = icseg_alloc_array(count, sizeof *stored);
    if (!stored) return icseg_fail_memory_in(error, count * sizeof *stored, path);
    for (size_t i = 0; i < count; i++) {
        float v = values[i];
        stored[i] = v >= 1 ? 65535 : v > 0 ? (uint16_t)lrintf(v * 65535) : 0; /* NaN is 0 */
    }
    png_job job = {.width = width,
                   .height = height,
                   .type = PNG_COLOR_TYPE_GRAY,
                   .depth = 16,
                   .filters = PNG_FILTER_UP,
                   .level = 4,
                   .rows = (const uint8_t *)stored,
                   .stride = (size_t)width * sizeof *stored,
                   .error = error};
    icseg_status status = encode_png_file(&job, path);
    icseg_free(stored);
    return status;
}

enum { JPEG_BLOCK = 64 * 1024 };

typedef struct jpeg_job {
    struct jpeg_compress_struct codec;
    struct jpeg_error_mgr manager;
    struct jpeg_destination_mgr output;
    jmp_buf escape;
    icseg_string out;
    icseg_error *error;
    icseg_status status;
    JOCTET block[JPEG_BLOCK];
} jpeg_job;

static void on_jpeg_error(j_common_ptr codec) {
    jpeg_job *job = codec->client_data;
    char text[JMSG_LENGTH_MAX];
    codec->err->format_message(codec, text);
    bool memory = codec->err->msg_code == JERR_OUT_OF_MEMORY;
    job->status =
        icseg_fail(job->error, memory ? ICSEG_ERROR_MEMORY : ICSEG_ERROR_INTERNAL, "cannot encode a JPEG: %s", text);
    longjmp(job->escape, 1);
}

static void on_jpeg_message(j_common_ptr codec, int level) {
    (void)codec;
    (void)level;
}

static void on_jpeg_output(j_common_ptr codec) { (void)codec; }

static void on_jpeg_start(j_compress_ptr codec) {
    jpeg_job *job = codec->client_data;
    job->output.next_output_byte = job->block;
    job->output.free_in_buffer = JPEG_BLOCK;
}

static void append_block(jpeg_job *job, size_t size) {
    icseg_string_append(&job->out, (const char *)job->block, size);
    if (!job->out.failed) return;
    job->status = icseg_fail_memory(job->error, 0, "an encoded JPEG");
    longjmp(job->escape, 1);
}

static boolean on_jpeg_full(j_compress_ptr codec) {
    append_block(codec->client_data, JPEG_BLOCK);
    on_jpeg_start(codec);
    return TRUE;
}

static void on_jpeg_end(j_compress_ptr codec) {
    jpeg_job *job = codec->client_data;
    append_block(job, JPEG_BLOCK - job->output.free_in_buffer);
}

static icseg_status write_jpeg(jpeg_job *job, const icseg_image *image, int quality) {
    struct jpeg_compress_struct *codec = &job->codec;
    if (setjmp(job->escape)) return job->status;
    jpeg_create_compress(codec);
    codec->client_data = job;
    codec->dest = &job->output;
    codec->image_width = (JDIMENSION)image->width;
    codec->image_height = (JDIMENSION)image->height;
    codec->input_components = 3;
    codec->in_color_space = JCS_RGB;
    jpeg_set_defaults(codec);
    jpeg_set_quality(codec, quality, TRUE);
    jpeg_start_compress(codec, TRUE);
    while (codec->next_scanline < codec->image_height) {
        JSAMPROW row = image->data + (size_t)codec->next_scanline * (size_t)image->width * 3;
        jpeg_write_scanlines(codec, &row, 1);
    }
    jpeg_finish_compress(codec);
    return ICSEG_OK;
}

icseg_status icseg_image_encode_jpeg(const icseg_image *image, int quality, void **out, size_t *size,
                                     icseg_error *error) {
    ICSEG_NEED(out);
    ICSEG_NEED(size);
    *out = NULL;
    *size = 0;
    ICSEG_NEED_IMAGE(image);
    if (quality < 1 || quality > 100)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "JPEG quality %d: expected 1 to 100", quality);
    jpeg_job *job = icseg_calloc_array(1, sizeof *job);
    if (!job) return icseg_fail_memory(error, sizeof *job, "the JPEG encoder");
    job->error = error;
    job->codec.err = jpeg_std_error(&job->manager);
    job->codec.client_data = job;
    job->manager.error_exit = on_jpeg_error;
    job->manager.emit_message = on_jpeg_message;
    job->manager.output_message = on_jpeg_output;
    job->output.init_destination = on_jpeg_start;
    job->output.empty_output_buffer = on_jpeg_full;
    job->output.term_destination = on_jpeg_end;
    icseg_status status = write_jpeg(job, image, quality);
    jpeg_destroy_compress(&job->codec);
    if (status == ICSEG_OK) {
        *out = job->out.data;
        *size = job->out.size;
    } else
        icseg_string_close(&job->out);
    icseg_free(job);
    return status;
}

icseg_status icseg_image_write_jpeg(const icseg_image *image, const char *path, int quality, icseg_error *error) {
    void *data;
    size_t size;
    ICSEG_NEED_IMAGE(image);
    ICSEG_NEED(path);
    icseg_status status = icseg_image_encode_jpeg(image, quality, &data, &size, error);
    if (status != ICSEG_OK) return icseg_fail_prefix(error, "%s", path), status;
    status = icseg_file_write(path, data, size, error);
    icseg_free(data);
    return status;
}
