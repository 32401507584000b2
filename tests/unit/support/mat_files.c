/* SPDX-License-Identifier: Apache-2.0
 * Writes MATLAB files with libmatio. A failure ends the test program. */
#include "support/mat_files.h"

#include <matio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void must(int condition, const char *what) {
    if (condition) return;
    fprintf(stderr, "test support: %s\n", what);
    exit(99);
}

static matvar_t *label_matrix(const test_mat *o, int width, int height, const uint16_t *values) {
    size_t dims[2] = {(size_t)height, (size_t)width}, count = dims[0] * dims[1],
           bytes = Mat_SizeOfClass(o->matio_class);
    unsigned char *data = calloc(count, bytes);
    for (size_t i = 0; i < count; i++) {
        uint16_t v = values[i % dims[0] * dims[1] + i / dims[0]]; /* MATLAB counts down the columns */
        switch (o->matio_class) {
        case MAT_C_DOUBLE: ((double *)(void *)data)[i] = v; break;
        case MAT_C_SINGLE: ((float *)(void *)data)[i] = v; break;
        case MAT_C_UINT8: data[i] = (uint8_t)v; break;
        case MAT_C_INT16:
        case MAT_C_UINT16: ((uint16_t *)(void *)data)[i] = v; break;
        default: must(0, "matrix class");
        }
    }
    static const enum matio_types types[] = {[MAT_C_DOUBLE] = MAT_T_DOUBLE,
                                             [MAT_C_SINGLE] = MAT_T_SINGLE,
                                             [MAT_C_UINT8] = MAT_T_UINT8,
                                             [MAT_C_INT16] = MAT_T_INT16,
                                             [MAT_C_UINT16] = MAT_T_UINT16};
    matvar_t *made = Mat_VarCreate(o->name ? o->name : "S", (enum matio_classes)o->matio_class, types[o->matio_class],
                                   2, dims, data, 0);
    free(data);
    must(made != NULL, "matrix");
    return made;
}

static void write_others(mat_t *file, const test_mat *o) {
    enum matio_compression how = o->deflate ? MAT_COMPRESSION_ZLIB : MAT_COMPRESSION_NONE;
    size_t dims[2] = {(size_t)o->names, 1}, length[2] = {1, 5};
    if (!o->names) return;
    matvar_t *names = Mat_VarCreate("names", MAT_C_CELL, MAT_T_CELL, 2, dims, NULL, 0);
    for (int i = 0; i < o->names; i++)
        Mat_VarSetCell(names, i, Mat_VarCreate(NULL, MAT_C_CHAR, MAT_T_UTF8, 2, length, (char[]){"class"}, 0));
    must(Mat_VarWrite(file, names, how) == 0, "names");
    Mat_VarFree(names);
}

void test_write_mat(const char *path, const test_mat *o, int width, int height, const uint16_t *values) {
    unlink(path);
    mat_t *file = Mat_CreateVer(path, NULL, o->hdf5 ? MAT_FT_MAT73 : MAT_FT_MAT5);
    must(file != NULL, path);
    if (o->others_first) write_others(file, o);
    matvar_t *s = label_matrix(o, width, height, values);
    must(Mat_VarWrite(file, s, o->deflate ? MAT_COMPRESSION_ZLIB : MAT_COMPRESSION_NONE) == 0, path);
    Mat_VarFree(s);
    if (!o->others_first) write_others(file, o);
    Mat_Close(file);
}
