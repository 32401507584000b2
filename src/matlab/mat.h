/* SPDX-License-Identifier: Apache-2.0
 * Label maps in MATLAB files: the matrix `S` of COCO-Stuff's annotations. */
#ifndef ICSEG_MATLAB_MAT_H
#define ICSEG_MATLAB_MAT_H

#include "base/file.h"
#include "icseg/image.h"

/* Reads `S`, a real (height, width) matrix of whole numbers 0..65535 in any numeric type, from a file of version 5
 * (plain or compressed, either byte order) or 7.3 (HDF5). *names (may be NULL): how many entries the variable `names`
 * has, 0 without one. Other variables are stepped over unread. out->bits is 16. Thread-safe. */
icseg_status icseg_mat_read(icseg_mask *out, int64_t *names, const char *path, icseg_error *error);

/* The two containers (mat_v5.c, mat_hdf5.c). */
icseg_status icseg_mat_read_v5(icseg_mask *out, int64_t *names, const char *path, const unsigned char *data,
                               size_t size, icseg_error *error);
icseg_status icseg_mat_read_hdf5(icseg_mask *out, int64_t *names, const char *path, icseg_map map, icseg_error *error);

/* Checks the size and allocates out->data. */
icseg_status icseg_mat_create(icseg_mask *out, const char *path, uint64_t height, uint64_t width, icseg_error *error);

/* Writes element `index` in MATLAB's order (columns first); fails on what is no label. */
icseg_status icseg_mat_store(icseg_mask *out, const char *path, size_t index, double value, icseg_error *error);

#endif
