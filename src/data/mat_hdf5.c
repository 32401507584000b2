/* SPDX-License-Identifier: Apache-2.0
 * MATLAB files of version 7.3, which are HDF5. Only the data sets S and names are opened. Debian's HDF5 keeps global
 * state without a lock of its own, so one of ours, process-wide, stands before every call. */
#include <pthread.h>
#include <string.h>

#include <hdf5.h>

#include "base/memory.h"
#include "data/mat.h"

static pthread_mutex_t library = PTHREAD_MUTEX_INITIALIZER;

/* Elements of a hard-linked data set; -1 when there is none of that name. */
static int64_t count_elements(hid_t file, const char *name) {
    H5L_info_t link;
    if (H5Lget_info(file, name, &link, H5P_DEFAULT) < 0 || link.type != H5L_TYPE_HARD) return -1;
    hid_t set = H5Dopen2(file, name, H5P_DEFAULT);
    if (set < 0) return -1;
    hid_t space = H5Dget_space(set);
    int64_t count = space < 0 ? -1 : H5Sget_simple_extent_npoints(space);
    if (space >= 0) H5Sclose(space);
    H5Dclose(set);
    return count;
}

/* Whether the values lie in this file and no chunk is larger than `most` elements. */
static bool is_stored_here(hid_t set, hsize_t most) {
    hid_t list = H5Dget_create_plist(set);
    if (list < 0) return false;
    hsize_t chunk[2] = {1, 1};
    H5D_layout_t layout = H5Pget_layout(list);
    bool fine = (layout == H5D_COMPACT || layout == H5D_CONTIGUOUS || layout == H5D_CHUNKED) &&
                H5Pget_external_count(list) == 0;
    if (fine && layout == H5D_CHUNKED)
        fine = H5Pget_chunk(list, 2, chunk) == 2 && chunk[0] <= most && chunk[1] <= most && chunk[0] * chunk[1] <= most;
    H5Pclose(list);
    return fine;
}

static icseg_status read_values(icseg_mask *out, hid_t set, const char *path, icseg_error *error) {
    size_t count = (size_t)out->width * (size_t)out->height;
    double *values = icseg_alloc_array(count, sizeof *values);
    icseg_status status = ICSEG_OK;
    if (!values) return icseg_fail_memory(error, count * sizeof *values, path);
    if (H5Dread(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) < 0)
        status =
            icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: the values of S cannot be read: truncated or damaged", path);
    for (size_t i = 0; i < count && status == ICSEG_OK; i++) status = icseg_mat_store(out, path, i, values[i], error);
    icseg_free(values);
    return status;
}

static icseg_status read_labels(icseg_mask *out, hid_t set, const char *path, icseg_error *error) {
    hsize_t size[2] = {0, 0};
    hid_t type = H5Dget_type(set), space = H5Dget_space(set);
    H5T_class_t kind = type < 0 ? H5T_NO_CLASS : H5Tget_class(type);
    bool fine = (kind == H5T_INTEGER || kind == H5T_FLOAT) && H5Tget_size(type) <= 8 && space >= 0 &&
                H5Sget_simple_extent_ndims(space) == 2 && H5Sget_simple_extent_dims(space, size, NULL) == 2;
    if (type >= 0) H5Tclose(type);
    if (space >= 0) H5Sclose(space);
    if (!fine)
        return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: S is not a real matrix of numbers with rows and columns",
                          path);
    ICSEG_TRY(icseg_mat_create(out, path, size[1], size[0], error)); /* HDF5 counts MATLAB's columns first */
    if (!is_stored_here(set, 1 << 24))
        return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: S is stored outside the file, or in too large pieces", path);
    return read_values(out, set, path, error);
}

static icseg_status read_file(icseg_mask *out, int64_t *names, const char *path, icseg_error *error) {
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_fclose_degree(access, H5F_CLOSE_STRONG); /* closes what a damaged file left half open */
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, access);
    H5Pclose(access);
    if (file < 0)
        return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: a damaged MATLAB 7.3 (HDF5) file: truncated?", path);
    icseg_status status;
    hid_t set = count_elements(file, "S") < 0 ? -1 : H5Dopen2(file, "S", H5P_DEFAULT);
    if (set < 0)
        status =
            icseg_fail(error, ICSEG_ERROR_FORMAT,
                       "%s: no variable S; COCO-Stuff's annotations keep the label map in a matrix of that name", path);
    else {
        int64_t entries = count_elements(file, "names");
        *names = entries > 0 ? entries : 0;
        status = read_labels(out, set, path, error);
        H5Dclose(set);
    }
    H5Fclose(file);
    return status;
}

icseg_status icseg_mat_read_hdf5(icseg_mask *out, int64_t *names, const char *path, icseg_error *error) {
    icseg_status status = ICSEG_OK;
    pthread_mutex_lock(&library);
    /* Some damaged files leave pieces inside HDF5 that cannot be closed; its clean-up at exit would complain of them on
     * standard error. There is nothing to clean up for a reader. Does nothing when called again. */
    H5dont_atexit();
    H5E_BEGIN_TRY { status = read_file(out, names, path, error); } /* without this it prints to standard error */
    H5E_END_TRY;
    pthread_mutex_unlock(&library);
    return status;
}
