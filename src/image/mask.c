/* SPDX-License-Identifier: Apache-2.0
 * Label files as they are stored: single-channel PNG and TIFF. */
#include "base/argument.h"
#include "base/file.h"
#include "base/memory.h"
#include "image/codec.h"

static icseg_status decode(icseg_mask *out, const icseg_source *source, icseg_error *error) {
    icseg_header header;
    ICSEG_TRY(icseg_header_read(&header, source, error));
    ICSEG_TRY(icseg_decode_mask(out, source, &header, error));
    void *values = out->data;
    icseg_status status =
        icseg_orient(&values, &out->width, &out->height, sizeof *out->data, header.orientation, error);
    out->data = values;
    if (status != ICSEG_OK) icseg_fail_prefix(error, "%s", source->name);
    return status;
}

icseg_status icseg_mask_read(icseg_mask *out, const char *path, icseg_error *error) {
    unsigned char *data;
    size_t size;
    ICSEG_NEED(out);
    *out = (icseg_mask){0};
    ICSEG_NEED(path);
    ICSEG_TRY(icseg_file_read(path, ICSEG_IMAGE_FILE_LIMIT, &data, &size, error));
    icseg_status status = decode(out, &(icseg_source){.data = data, .size = size, .name = path}, error);
    icseg_free(data);
    if (status != ICSEG_OK) icseg_mask_close(out);
    return status;
}

void icseg_mask_close(icseg_mask *mask) {
    if (!mask) return;
    icseg_free(mask->data);
    *mask = (icseg_mask){0};
}
