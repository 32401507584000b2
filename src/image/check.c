/* SPDX-License-Identifier: Apache-2.0
 * Checks of images and label maps at the entry of public functions. */
#include "image/check.h"

static icseg_status check(const void *data, int32_t width, int32_t height, const char *where[2], icseg_error *error) {
    if (data && width > 0 && height > 0) return ICSEG_OK;
    return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "%s: %s is empty (%d x %d pixels%s)", where[0], where[1], width,
                      height, data ? "" : ", data is NULL");
}

icseg_status icseg_image_check(const icseg_image *image, const char *function, const char *name, icseg_error *error) {
    if (!image) return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "%s: %s is NULL", function, name);
    return check(image->data, image->width, image->height, (const char *[]){function, name}, error);
}

icseg_status icseg_labels_check(const icseg_labels *labels, const char *function, const char *name,
                                icseg_error *error) {
    if (!labels) return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "%s: %s is NULL", function, name);
    return check(labels->data, labels->width, labels->height, (const char *[]){function, name}, error);
}

icseg_status icseg_palette_check(const icseg_palette *palette, const char *function, icseg_error *error) {
    if (!palette) return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "%s: palette is NULL", function);
    if (palette->color && palette->size > 0 && palette->size <= ICSEG_PALETTE_MAX_SIZE) return ICSEG_OK;
    return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "%s: palette has %d colours%s; expected 1 to %d", function,
                      palette->size, palette->color ? "" : ", color is NULL", ICSEG_PALETTE_MAX_SIZE);
}
