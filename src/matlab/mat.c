/* SPDX-License-Identifier: Apache-2.0
 * MATLAB label maps: detects the file format. */
#include "matlab/mat.h"

#include <stdbool.h>
#include <string.h>

#include "base/memory.h"
#include "matlab/mat_parts.h"

enum { HEADER = 128, USER_BLOCK = 512, MAX_FILE_BYTES = 1 << 30 };

static bool is_hdf5(const icseg_bytes *content) {
    static const char signature[8] = "\x89HDF\r\n\x1a\n";
    for (size_t at = 0; at <= USER_BLOCK; at += USER_BLOCK)
        if (content->size >= at + sizeof signature && !memcmp(content->data + at, signature, sizeof signature))
            return true;
    return false;
}

static bool is_v5(const icseg_bytes *content) {
    return content->size >= HEADER &&
           (!memcmp(content->data + HEADER - 2, "IM", 2) || !memcmp(content->data + HEADER - 2, "MI", 2));
}

icseg_status icseg_mat_read(icseg_mask *out, int64_t *names, const char *path, icseg_error *error) {
    unsigned char *data;
    icseg_bytes content;
    int64_t ignored;
    if (!names) names = &ignored;
    *out = (icseg_mask){0};
    *names = 0;
    ICSEG_TRY(icseg_file_read(path, MAX_FILE_BYTES, &data, &content.size, error));
    content.data = data;
    icseg_status status;
    if (is_hdf5(&content))
        status = icseg_mat_read_hdf5(out, names, path, content, error);
    else if (is_v5(&content))
        status = icseg_mat_read_v5(out, names, path, content, error);
    else
        status =
            icseg_fail(error, ICSEG_ERROR_FORMAT,
                       "%s: not a MATLAB file of version 5 or 7.3 (%zu bytes); is it truncated?", path, content.size);
    icseg_free(data);
    if (status != ICSEG_OK) icseg_mask_close(out);
    return status;
}
