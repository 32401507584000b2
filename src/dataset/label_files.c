/* SPDX-License-Identifier: Apache-2.0
 * Reads label files of every kind as they are stored. */
#include <string.h>

#include "base/file.h"
#include "dataset/internal.h"
#include "image/codec.h"
#ifndef ICSEG_NO_MATLAB
#include "matlab/mat.h"
#endif

/* ---- MATLAB, an optional part of the build ---- */

#ifndef ICSEG_NO_MATLAB

icseg_status icseg_dataset_check_source(const icseg_dataset_layout *layout, const char *folder, icseg_error *error) {
    (void)layout, (void)folder, (void)error;
    return ICSEG_OK;
}

static icseg_status read_mat(icseg_mask *out, const char *path, icseg_error *error) {
    return icseg_mat_read(out, NULL, path, error);
}

/* The version of one file: > 0 for 1.1, < 0 for 1.0, 0 if it cannot be told. Version 1.0 numbers 172 classes from 1
 * (unlabelled, 80 things, 91 stuff) and has as many names. Version 1.1 has COCO's ids, which skip some numbers, and 0
 * for unlabelled. */
static int version_of(const char *path) {
    icseg_mask mask;
    int64_t names;
    if (icseg_mat_read(&mask, &names, path, NULL) != ICSEG_OK) return 0;
    size_t count = (size_t)mask.width * (size_t)mask.height;
    bool known[ICSEG_COCOSTUFF10K_CLASSES + 16] = {true}, newer = false, older = false;
    for (int32_t k = 0; k < ICSEG_COCOSTUFF10K_CLASSES; k++) known[icseg_classes_cocostuff10k[k].stored] = true;
    for (size_t i = 0; i < count; i++) {
        newer |= mask.data[i] == 0 || mask.data[i] > 172;
        older |= mask.data[i] < 172 && !known[mask.data[i]];
    }
    icseg_mask_close(&mask);
    return newer != older ? (newer ? 1 : -1) : names == 172 ? -1 : names > 172 ? 1 : 0;
}

bool icseg_dataset_is_cocostuff_1_0(const icseg_dataset *d) {
    enum { MAX_FILES = 24 }; /* evenly distributed over the split */
    int version = 0;
    for (int64_t i = 0; i < MAX_FILES && i < d->count && !version; i++) {
        const char *path = d->pairs[d->count > MAX_FILES ? i * d->count / MAX_FILES : i].label;
        if (path) version = version_of(path);
    }
    return version < 0;
}

#else

static icseg_status fail_matlab(const char *path, icseg_error *error) {
    return icseg_fail(error, ICSEG_ERROR_UNSUPPORTED,
                      "%s: this build of icseg does not read MATLAB files; rebuild icseg with ICSEG_MATLAB=ON", path);
}

icseg_status icseg_dataset_check_source(const icseg_dataset_layout *layout, const char *folder, icseg_error *error) {
    return layout->source == ICSEG_LABELS_MAT ? fail_matlab(folder, error) : ICSEG_OK;
}

static icseg_status read_mat(icseg_mask *out, const char *path, icseg_error *error) {
    *out = (icseg_mask){0};
    return fail_matlab(path, error);
}

bool icseg_dataset_is_cocostuff_1_0(const icseg_dataset *d) { return (void)d, false; }

#endif

/* ---- ADE20K-Full's object ids ---- */

/* Fails on single-channel files, which belong to another edition. */
static icseg_status decode_objects(const icseg_source *source, icseg_mask *out, icseg_error *error) {
    enum { DEPTH_AT = 24, COLOUR_AT = 25, RGB = 2 };
    icseg_header header;
    icseg_image image = {0};
    ICSEG_TRY(icseg_header_read(&header, source, error));
    if (header.codec != ICSEG_CODEC_PNG || source->data[COLOUR_AT] != RGB || source->data[DEPTH_AT] != 8)
        return icseg_fail(error, ICSEG_ERROR_DATA,
                          "%s: not an 8-bit RGB PNG; the *_seg.png files of ADE20K-Full encode object ids in red and "
                          "green; is this a label file of SceneParsing 2016?",
                          source->name);
    ICSEG_TRY(icseg_image_read_memory(&image, source->data, source->size, source->name, error));
    size_t count = (size_t)image.width * (size_t)image.height;
    *out = (icseg_mask){.width = image.width, .height = image.height, .bits = 16};
    out->data = icseg_alloc_array(count, sizeof *out->data);
    for (size_t i = 0; out->data && i < count; i++)
        out->data[i] = (uint16_t)(image.data[3 * i] / 10 * 256 + image.data[3 * i + 1]);
    icseg_image_close(&image);
    return out->data ? ICSEG_OK : icseg_fail_memory_in(error, count * sizeof *out->data, source->name);
}

static icseg_status read_objects(icseg_mask *out, const char *path, icseg_error *error) {
    unsigned char *data;
    size_t size;
    *out = (icseg_mask){0};
    ICSEG_TRY(icseg_file_read(path, ICSEG_IMAGE_FILE_LIMIT, &data, &size, error));
    icseg_status status = decode_objects(&(icseg_source){.data = data, .size = size, .name = path}, out, error);
    icseg_free(data);
    return status;
}

icseg_status icseg_dataset_read_mask(const icseg_dataset *d, const char *path, icseg_mask *out, icseg_error *error) {
    switch (d->layout->source) {
    case ICSEG_LABELS_MAT: return read_mat(out, path, error);
    case ICSEG_LABELS_OBJECTS: return read_objects(out, path, error);
    default: return icseg_mask_read(out, path, error);
    }
}

/* ---- sizes ---- */

/* Whether the image's EXIF orientation swaps its sides. */
static bool is_rotated(const char *path) {
    unsigned char *data;
    size_t size;
    icseg_header header;
    if (icseg_file_read(path, ICSEG_IMAGE_FILE_LIMIT, &data, &size, NULL) != ICSEG_OK) return false;
    icseg_source source = {.data = data, .size = size, .name = path};
    bool rotated = icseg_header_read(&header, &source, NULL) == ICSEG_OK && header.orientation >= 5;
    icseg_free(data);
    return rotated;
}

icseg_status icseg_dataset_check_size(const icseg_dataset_pair *pair, int32_t width, int32_t height,
                                      const icseg_mask *mask, icseg_error *error) {
    if (mask->width == width && mask->height == height) return ICSEG_OK;
    if (mask->width == height && mask->height == width && is_rotated(pair->image))
        return icseg_fail_field(
            error, ICSEG_ERROR_DATA, NULL, ICSEG_REMEDY_CHECK_DATASET,
            "%s: the mask is %dx%d, which matches %s only without its EXIF rotation (%dx%d with it); rotate "
            "the mask, or remove the image's EXIF orientation",
            pair->label, mask->width, mask->height, pair->image, width, height);
    return icseg_fail_field(error, ICSEG_ERROR_DATA, NULL, ICSEG_REMEDY_CHECK_DATASET,
                            "%s: the mask is %dx%d but its image %s is %dx%d; both must have the same size",
                            pair->label, mask->width, mask->height, pair->image, width, height);
}
