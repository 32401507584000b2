/* SPDX-License-Identifier: Apache-2.0
 * The readers of the two file formats, and the label matrix that both fill. */
#ifndef ICSEG_MATLAB_MAT_PARTS_H
#define ICSEG_MATLAB_MAT_PARTS_H

#include "base/file.h"
#include "icseg/image.h"

/* Version 5. `content` has at least the 128 bytes of the header. */
icseg_status icseg_mat_read_v5(icseg_mask *out, int64_t *names, const char *path, icseg_bytes content,
                               icseg_error *error);
/* Version 7.3. */
icseg_status icseg_mat_read_hdf5(icseg_mask *out, int64_t *names, const char *path, icseg_bytes content,
                                 icseg_error *error);

/* Checks the size and allocates out->data. */
icseg_status icseg_mat_create(icseg_mask *out, const char *path, uint64_t height, uint64_t width, icseg_error *error);

/* Writes element `index` of MATLAB's column-major order; fails on a value that is not a label. */
icseg_status icseg_mat_store(icseg_mask *out, const char *path, size_t index, double value, icseg_error *error);

/* The error of a file without `S`. */
icseg_status icseg_mat_fail_missing(const char *path, icseg_error *error);

#endif
