/* SPDX-License-Identifier: Apache-2.0
 * Label maps in MATLAB files: the matrix `S` of COCO-Stuff's annotations. */
#ifndef ICSEG_MATLAB_MAT_H
#define ICSEG_MATLAB_MAT_H

#include "icseg/image.h"

/* Reads `S`, a real (height, width) matrix of integers 0..65535 of any numeric type, from a file of version 5 (plain or
 * compressed, either byte order) or 7.3 (HDF5). *names (may be NULL) receives the number of entries of the variable
 * `names`, 0 if it is missing. Other variables are skipped. out->bits is 16. Thread-safe. */
icseg_status icseg_mat_read(icseg_mask *out, int64_t *names, const char *path, icseg_error *error);

#endif
