/* SPDX-License-Identifier: Apache-2.0
 * Reads frames and tensors as the network's input. */
#include "inference/images.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/struct_size.h"
#include "image/normalize.h"
#include "model/network.h"

enum { MAX_IMAGES = 65536, CHANNELS = 3 };

static const struct {
    uint8_t size, channel[CHANNELS];
} formats[ICSEG_FRAME_FORMATS] = {
    [ICSEG_FRAME_RGB8] = {3, {0, 1, 2}},  [ICSEG_FRAME_BGR8] = {3, {2, 1, 0}},  [ICSEG_FRAME_RGBA8] = {4, {0, 1, 2}},
    [ICSEG_FRAME_BGRA8] = {4, {2, 1, 0}}, [ICSEG_FRAME_GREY8] = {1, {0, 0, 0}},
};

/* -- opening */

static icseg_status fail(icseg_error *error, const char *field, const char *text) {
    return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, field, ICSEG_REMEDY_SET_FIELD, "icseg_batch: %s", text);
}

icseg_status icseg_images_check_size(const char *name, const char *field, int32_t width, int32_t height,
                                     icseg_error *error) {
    if (width >= 1 && height >= 1 && width <= ICSEG_IMAGE_MAX_SIDE && height <= ICSEG_IMAGE_MAX_SIDE &&
        (int64_t)width * height <= ICSEG_IMAGE_MAX_PIXELS)
        return ICSEG_OK;
    return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, field, ICSEG_REMEDY_SET_FIELD,
                            "%s is %dx%d: expected sides of 1..%d and at most %d pixels", name, width, height,
                            ICSEG_IMAGE_MAX_SIDE, ICSEG_IMAGE_MAX_PIXELS);
}

/* Checks frame `index` of the batch. */
static icseg_status open_frame(icseg_pixels *out, const icseg_frame *f, int32_t index, icseg_error *error) {
    static const char field[] = "frames";
    if ((int)f->format < 0 || f->format >= ICSEG_FRAME_FORMATS)
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, field, ICSEG_REMEDY_SET_FIELD,
                                "frames[%d].format is %d: not a value of icseg_frame_format", index, (int)f->format);
    if (!f->data)
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, field, ICSEG_REMEDY_SET_FIELD, "frames[%d].data is NULL",
                                index);
    char name[32];
    snprintf(name, sizeof name, "frames[%d]", index);
    ICSEG_TRY(icseg_images_check_size(name, field, f->width, f->height, error));
    size_t row = (size_t)f->width * formats[f->format].size;
    if (f->stride && f->stride < row)
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, field, ICSEG_REMEDY_SET_FIELD,
                                "frames[%d].stride is %zu bytes: a row of %d pixels takes %zu", index, f->stride,
                                f->width, row);
    if (f->stride > PTRDIFF_MAX / (size_t)f->height)
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, field, ICSEG_REMEDY_SET_FIELD,
                                "frames[%d].stride is %zu bytes: %d such rows exceed the address space", index,
                                f->stride, f->height);
    *out = (icseg_pixels){.data = f->data, .stride = f->stride ? f->stride : row, .size = formats[f->format].size};
    memcpy(out->channel, formats[f->format].channel, sizeof out->channel);
    return ICSEG_OK;
}

static icseg_status open_frames(icseg_images *out, const icseg_batch *b, icseg_error *error) {
    if (b->count < 1 || b->count > MAX_IMAGES)
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "count", ICSEG_REMEDY_SET_FIELD,
                                "icseg_batch: count is %d: expected 1..%d", b->count, MAX_IMAGES);
    const icseg_frame *first = b->frames;
    out->count = b->count;
    out->width = first->width;
    out->height = first->height;
    out->pixels = icseg_calloc_array((size_t)b->count, sizeof *out->pixels);
    if (!out->pixels) return icseg_fail_memory(error, (size_t)b->count * sizeof *out->pixels, "a batch");
    for (int32_t i = 0; i < b->count; i++) {
        ICSEG_TRY(open_frame(&out->pixels[i], &b->frames[i], i, error));
        if (b->frames[i].width != first->width || b->frames[i].height != first->height)
            return icseg_fail_field(
                error, ICSEG_ERROR_ARGUMENT, "frames", ICSEG_REMEDY_SET_FIELD,
                "frames[%d] is %dx%d, but frames[0] is %dx%d: all images of a batch must have the same size", i,
                b->frames[i].width, b->frames[i].height, first->width, first->height);
    }
    return ICSEG_OK;
}

/* Whether the distance in bytes between any two elements of a tensor of rank 4 fits into a ptrdiff_t. */
static bool strides_fit(const icseg_tensor *t) {
    int64_t left = PTRDIFF_MAX; /* bytes */
    for (int i = 0; i < 4; i++) {
        int64_t steps = t->shape[i] - 1, max = steps ? left / steps : left;
        if (t->strides[i] > max || t->strides[i] < -max) return false;
        left -= steps * (t->strides[i] < 0 ? -t->strides[i] : t->strides[i]);
    }
    return true;
}

/* Checked here because a ReLU would turn a NaN into 0 and hide it. */
static icseg_status check_finite(const icseg_images *m, icseg_error *error) {
    for (int32_t n = 0; n < m->count; n++)
        for (int32_t y = 0; y < m->height; y++)
            for (int32_t x = 0; x < m->width; x++)
                for (int32_t c = 0; c < CHANNELS; c++) {
                    float value;
                    memcpy(&value,
                           m->floats + n * m->stride[0] + y * m->stride[1] + x * m->stride[2] + c * m->stride[3],
                           sizeof value);
                    if (isfinite(value)) continue;
                    return icseg_fail_field(error, ICSEG_ERROR_NUMERIC, "tensor", ICSEG_REMEDY_SET_FIELD,
                                            "icseg_batch: the tensor is %f at image %d, row %d, column %d, channel %d; "
                                            "all values must be finite",
                                            (double)value, n, y, x, c);
                }
    return ICSEG_OK;
}

static icseg_status open_tensor(icseg_images *out, const icseg_batch *b, icseg_error *error) {
    static const uint8_t axes[][4] = {[ICSEG_LAYOUT_NCHW] = {0, 2, 3, 1}, [ICSEG_LAYOUT_NHWC] = {0, 1, 2, 3}};
    const icseg_tensor *t = b->tensor;
    int64_t size[4];
    if (t->type != ICSEG_TENSOR_F32) return fail(error, "tensor", "the tensor's type must be F32");
    if (t->rank != 4)
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "tensor", ICSEG_REMEDY_SET_FIELD,
                                "icseg_batch: the tensor's rank is %d: expected 4", t->rank);
    if (!t->data) return fail(error, "tensor", "the tensor's data is NULL");
    if (b->layout != ICSEG_LAYOUT_NCHW && b->layout != ICSEG_LAYOUT_NHWC)
        return fail(error, "layout", "layout is not a value of icseg_image_layout");
    for (int i = 0; i < 4; i++) {
        size[i] = t->shape[axes[b->layout][i]];
        out->stride[i] = t->strides[axes[b->layout][i]];
    }
    if (size[3] != CHANNELS)
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "tensor", ICSEG_REMEDY_SET_FIELD,
                                "icseg_batch: the tensor has %lld %s: expected 3; check `layout`", (long long)size[3],
                                icseg_plural(size[3], "channel", "channels"));
    if (size[0] < 1 || size[0] > MAX_IMAGES)
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "tensor", ICSEG_REMEDY_SET_FIELD,
                                "icseg_batch: the tensor has %lld images: expected 1..%d", (long long)size[0],
                                MAX_IMAGES);
    for (int i = 1; i < 3; i++)
        if (size[i] < ICSEG_MIN_SIDE || size[i] > ICSEG_IMAGE_MAX_SIDE)
            return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "tensor", ICSEG_REMEDY_SET_FIELD,
                                    "icseg_batch: the tensor's images are %lldx%lld: expected sides of %d..%d",
                                    (long long)size[2], (long long)size[1], ICSEG_MIN_SIDE, ICSEG_IMAGE_MAX_SIDE);
    if (!strides_fit(t)) return fail(error, "tensor", "the tensor's strides exceed the address space");
    out->count = (int32_t)size[0];
    out->height = (int32_t)size[1];
    out->width = (int32_t)size[2];
    out->floats = t->data;
    return check_finite(out, error);
}

icseg_status icseg_images_open(icseg_images *out, const icseg_batch *batch, icseg_error *error) {
    enum { FIRST_SIZE = sizeof(icseg_batch) };
    icseg_batch b;
    memset(out, 0, sizeof *out);
    icseg_normalize_table(out->table);
    ICSEG_TRY(icseg_struct_read(&b, sizeof b, batch, FIRST_SIZE, "icseg_batch", error));
    if (b.frames && b.tensor) return fail(error, "tensor", "frames and tensor are both set; set one of them");
    if (!b.frames && !b.tensor) return fail(error, "frames", "frames and tensor are NULL; set one of them");
    icseg_status status = b.frames ? open_frames(out, &b, error) : open_tensor(out, &b, error);
    if (status != ICSEG_OK) icseg_images_close(out);
    return status;
}

icseg_status icseg_images_open_grey(icseg_images *out, int32_t count, int32_t width, int32_t height,
                                    icseg_error *error) {
    static const uint8_t grey = 128;
    icseg_frame frame = {ICSEG_FRAME_GREY8, width, height, 0, &grey};
    icseg_batch batch = {ICSEG_BATCH_INIT, .count = 1, .frames = &frame};
    if (count < 1 || count > MAX_IMAGES)
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "count", ICSEG_REMEDY_SET_FIELD,
                                "count is %d: expected 1..%d", count, MAX_IMAGES);
    ICSEG_TRY(icseg_images_check_size("an image", width >= 1 && width <= ICSEG_IMAGE_MAX_SIDE ? "height" : "width",
                                      width, height, error));
    ICSEG_TRY(icseg_images_open(out, &batch, error));
    icseg_pixels *pixels = icseg_calloc_array((size_t)count, sizeof *pixels);
    if (!pixels) {
        icseg_images_close(out);
        return icseg_fail_memory(error, (size_t)count * sizeof *pixels, "a batch");
    }
    for (int32_t i = 0; i < count; i++)
        pixels[i] = (icseg_pixels){.data = &grey}; /* stride and size 0: every pixel is this byte */
    icseg_free(out->pixels);
    out->pixels = pixels;
    out->count = count;
    return ICSEG_OK;
}

void icseg_images_close(icseg_images *images) {
    for (int32_t i = 0; images->resized && i < images->count; i++) icseg_image_close(&images->resized[i]);
    icseg_free(images->resized);
    icseg_free(images->pixels);
    memset(images, 0, sizeof *images);
}

/* -- resizing */

/* to: (height, width, 3). */
static void copy_rgb(const icseg_images *images, int32_t index, uint8_t *to) {
    const icseg_pixels *p = &images->pixels[index];
    for (int32_t y = 0; y < images->height; y++) {
        const uint8_t *from = p->data + (size_t)y * p->stride;
        for (int32_t x = 0; x < images->width; x++, from += p->size)
            for (int c = 0; c < CHANNELS; c++) *to++ = from[p->channel[c]];
    }
}

static icseg_status resize_one(icseg_image *out, const icseg_images *images, int32_t index, int32_t width,
                               int32_t height, icseg_error *error) {
    const icseg_pixels *p = &images->pixels[index];
    icseg_image copy = {0}, view = {images->width, images->height, (uint8_t *)(uintptr_t)p->data};
    bool dense = p->size == CHANNELS && p->channel[0] == 0 && p->stride == (size_t)images->width * CHANNELS;
    if (dense) return icseg_image_resize(out, &view, width, height, error);
    ICSEG_TRY(icseg_image_create(&copy, images->width, images->height, error));
    copy_rgb(images, index, copy.data);
    icseg_status status = icseg_image_resize(out, &copy, width, height, error);
    icseg_image_close(&copy);
    return status;
}

icseg_status icseg_images_resize(icseg_images *out, const icseg_images *images, int32_t width, int32_t height,
                                 icseg_error *error) {
    size_t count = (size_t)images->count;
    *out = *images;
    out->width = width;
    out->height = height;
    out->pixels = icseg_calloc_array(count, sizeof *out->pixels);
    out->resized = icseg_calloc_array(count, sizeof *out->resized);
    icseg_status status = out->pixels && out->resized
                              ? ICSEG_OK
                              : icseg_fail_memory(error, count * sizeof *out->resized, "resized images");
    for (int32_t i = 0; i < images->count && status == ICSEG_OK; i++) {
        status = resize_one(&out->resized[i], images, i, width, height, error);
        out->pixels[i] = (icseg_pixels){out->resized[i].data, (size_t)width * CHANNELS, CHANNELS, {0, 1, 2}};
    }
    if (status != ICSEG_OK) icseg_images_close(out);
    return status;
}

/* -- reading */

/* step: 1 reads pixels to the right, -1 to the left. */
static void read_bytes(const icseg_images *images, const icseg_pixels *p, const uint8_t *from, int step, int32_t count,
                       float *to) {
    ptrdiff_t next = step * (ptrdiff_t)p->size;
    for (int32_t x = 0; x < count; x++, from += next, to += CHANNELS)
        for (int c = 0; c < CHANNELS; c++) to[c] = images->table[c][from[p->channel[c]]];
}

/* By memcpy, because the caller's floats may have any alignment. */
static void read_floats(const icseg_images *images, const char *from, int step, int32_t count, float *to) {
    ptrdiff_t next = step * (ptrdiff_t)images->stride[2];
    for (int32_t x = 0; x < count; x++, from += next, to += CHANNELS)
        for (int c = 0; c < CHANNELS; c++) memcpy(&to[c], from + c * images->stride[3], sizeof *to);
}

void icseg_images_read(const icseg_images *images, int32_t index, icseg_window at, bool mirrored, float *to) {
    int32_t x = mirrored ? images->width - 1 - at.x : at.x;
    int step = mirrored ? -1 : 1;
#pragma omp parallel for schedule(static)
    for (int32_t i = 0; i < at.height; i++) {
        float *row = to + (size_t)i * (size_t)at.width * CHANNELS;
        int64_t y = at.y + i;
        if (images->pixels) {
            const icseg_pixels *p = &images->pixels[index];
            read_bytes(images, p, p->data + (size_t)y * p->stride + (size_t)x * p->size, step, at.width, row);
        } else {
            const char *from = images->floats + index * images->stride[0] + y * images->stride[1];
            read_floats(images, from + x * images->stride[2], step, at.width, row);
        }
    }
}
