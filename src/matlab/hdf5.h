/* SPDX-License-Identifier: Apache-2.0
 * The part of HDF5 that MATLAB 7.3 files need: numeric matrices in the root group, in the structures that every version
 * of libhdf5 writes by default (superblock 0 or 1, object headers 1, B-trees 1). libhdf5 itself is not used, because
 * damaged files make it overrun its stack. */
#ifndef ICSEG_MATLAB_HDF5_H
#define ICSEG_MATLAB_HDF5_H

#include <stdbool.h>

#include "base/file.h"
#include "base/memory.h"

enum { ICSEG_HDF5_FILTERS = 8 };

/* A file in memory. Addresses are offsets from its superblock. */
typedef struct icseg_hdf5 {
    const unsigned char *data; /* the superblock */
    uint64_t size;
    const char *path;
    uint64_t root; /* address of the root group's header */
} icseg_hdf5;

/* How a data set's elements are stored. */
typedef struct icseg_hdf5_set {
    int32_t rank; /* -1: unknown; only the first two extents are stored */
    uint64_t extent[2], elements;
    bool is_number, is_float, is_signed, big_endian;
    uint32_t width; /* bytes of an element */
    enum { ICSEG_HDF5_NOWHERE, ICSEG_HDF5_HERE, ICSEG_HDF5_CHUNKS } storage;
    uint64_t address, bytes; /* HERE */
    uint64_t tree;           /* CHUNKS: address of their B-tree */
    uint64_t chunk[2];       /* elements */
    int32_t filters;
    uint16_t filter[ICSEG_HDF5_FILTERS];
} icseg_hdf5_set;

/* Finds the superblock. */
icseg_status icseg_hdf5_open(icseg_hdf5 *out, icseg_bytes content, const char *path, icseg_error *error);

/* *found is false if the root group does not contain a data set of that name. */
icseg_status icseg_hdf5_find(const icseg_hdf5 *file, const char *name, icseg_hdf5_set *out, bool *found,
                             icseg_error *error);

/* Reads a matrix of numbers, (extent[0], extent[1]), of at most `limit` elements. Free *out with icseg_free. Values
 * that were never written are 0. */
icseg_status icseg_hdf5_read(const icseg_hdf5 *file, const icseg_hdf5_set *set, uint64_t limit, double **out,
                             icseg_error *error);

#endif
