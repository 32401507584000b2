/* SPDX-License-Identifier: Apache-2.0
 * MATLAB files of version 7.3, which are HDF5. Only the data sets S and names are read. */
#include "base/memory.h"
#include "matlab/hdf5.h"
#include "matlab/mat_parts.h"

static icseg_status read_labels(const icseg_hdf5 *file, const icseg_hdf5_set *set, icseg_mask *out,
                                icseg_error *error) {
    double *values;
    if (set->rank != 2 || !set->is_number)
        return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: S is not a real matrix of numbers with rows and columns",
                          file->path);
    /* HDF5's first axis is MATLAB's columns */
    ICSEG_TRY(icseg_mat_create(out, file->path, set->extent[1], set->extent[0], error));
    ICSEG_TRY(icseg_hdf5_read(file, set, set->elements, &values, error));
    icseg_status status = ICSEG_OK;
    for (size_t i = 0; i < set->elements && status == ICSEG_OK; i++)
        status = icseg_mat_store(out, file->path, i, values[i], error);
    icseg_free(values);
    return status;
}

icseg_status icseg_mat_read_hdf5(icseg_mask *out, int64_t *names, const char *path, icseg_bytes content,
                                 icseg_error *error) {
    icseg_hdf5 file;
    icseg_hdf5_set labels, list;
    bool found;
    ICSEG_TRY(icseg_hdf5_open(&file, content, path, error));
    ICSEG_TRY(icseg_hdf5_find(&file, "S", &labels, &found, error));
    if (!found) return icseg_mat_fail_missing(path, error);
    ICSEG_TRY(icseg_hdf5_find(&file, "names", &list, &found, error));
    *names = found && list.elements <= INT64_MAX ? (int64_t)list.elements : 0;
    return read_labels(&file, &labels, out, error);
}
