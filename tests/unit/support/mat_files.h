/* SPDX-License-Identifier: Apache-2.0
 * MATLAB label files like those of COCO-Stuff 10k, written by libmatio, which is independent of our readers. */
#ifndef TESTS_SUPPORT_MAT_FILES_H
#define TESTS_SUPPORT_MAT_FILES_H

#include <stdbool.h>
#include <stdint.h>

typedef struct test_mat {
    bool hdf5; /* version 7.3 instead of 5 */
    bool deflate;
    int matio_class;   /* MAT_C_DOUBLE, MAT_C_UINT8, ... */
    const char *name;  /* of the matrix; "S" */
    int names;         /* entries of the cell array `names`; 0: none */
    bool others_first; /* the other variables precede the matrix */
} test_mat;

/* values: (height, width). */
void test_write_mat(const char *path, const test_mat *options, int width, int height, const uint16_t *values);

#endif
