/* SPDX-License-Identifier: Apache-2.0
 * Access to the bytes of the file, for hdf5.c and hdf5_values.c. */
#ifndef ICSEG_MATLAB_HDF5_BYTES_H
#define ICSEG_MATLAB_HDF5_BYTES_H

#include "matlab/hdf5.h"

/* A little-endian number of 1..8 bytes, which the caller has checked to exist. */
static inline uint64_t icseg_hdf5_load(const unsigned char *p, int bytes) {
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++) value |= (uint64_t)p[i] << (8 * i);
    return value;
}

/* The bytes at an address; NULL if fewer than `bytes` are left there. */
const unsigned char *icseg_hdf5_at(const icseg_hdf5 *file, uint64_t address, uint64_t bytes);

icseg_status icseg_hdf5_fail(const icseg_hdf5 *file, icseg_error *error);

#endif
