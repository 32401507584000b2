/* SPDX-License-Identifier: Apache-2.0
 * Checks of images, label maps and choices of values at the entry of public functions, and of image files. */
#ifndef ICSEG_IMAGE_CHECK_H
#define ICSEG_IMAGE_CHECK_H

#include "base/argument.h"
#include "icseg/image.h"

/* ICSEG_ERROR_ARGUMENT, naming function and parameter, when the parameter is NULL or empty. */
icseg_status icseg_image_check(const icseg_image *image, const char *function, const char *name, icseg_error *error);
icseg_status icseg_labels_check(const icseg_labels *labels, const char *function, const char *name, icseg_error *error);
icseg_status icseg_palette_check(const icseg_palette *palette, const char *function, icseg_error *error);

/* The caller's values, checked; NULL: as the file says. */
icseg_status icseg_image_values_read(icseg_image_values *out, const icseg_image_values *from, icseg_error *error);

/* The facts of a file, and whether it can be read with these values, as far as its header shows: pixels are not
 * decoded. values: NULL or checked. */
icseg_status icseg_image_examine(const char *path, const icseg_image_values *values, icseg_image_info *out,
                                 icseg_error *error);

#define ICSEG_NEED_IMAGE(image)     ICSEG_TRY(icseg_image_check(image, __func__, #image, error))
#define ICSEG_NEED_LABELS(labels)   ICSEG_TRY(icseg_labels_check(labels, __func__, #labels, error))
#define ICSEG_NEED_PALETTE(palette) ICSEG_TRY(icseg_palette_check(palette, __func__, error))

#endif
