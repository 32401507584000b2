/* SPDX-License-Identifier: Apache-2.0
 * Event files in a build without TensorBoard (ICSEG_TENSORBOARD=OFF): none can be opened. */
#include "tensorboard/event_file.h"

icseg_status icseg_event_file_check_support(icseg_error *error) {
    return icseg_fail(
        error, ICSEG_ERROR_UNSUPPORTED,
        "this build of icseg does not write TensorBoard's event files; build it with ICSEG_TENSORBOARD=ON");
}

icseg_status icseg_event_file_open(icseg_event_file **out, const char *folder, int64_t first_step, icseg_error *error) {
    (void)folder, (void)first_step;
    *out = NULL;
    return icseg_event_file_check_support(error);
}

icseg_status icseg_event_file_scalars(icseg_event_file *file, int64_t step, const icseg_event_scalar *scalars,
                                      size_t count, icseg_error *error) {
    (void)file, (void)step, (void)scalars, (void)count, (void)error;
    return ICSEG_OK;
}

icseg_status icseg_event_file_histogram(icseg_event_file *file, int64_t step, const char *tag,
                                        const icseg_histogram *histogram, icseg_error *error) {
    (void)file, (void)step, (void)tag, (void)histogram, (void)error;
    return ICSEG_OK;
}

icseg_status icseg_event_file_image(icseg_event_file *file, int64_t step, const char *tag, const icseg_image *image,
                                    icseg_error *error) {
    (void)file, (void)step, (void)tag, (void)image, (void)error;
    return ICSEG_OK;
}

icseg_status icseg_event_file_finish(icseg_event_file **file, icseg_error *error) {
    (void)file, (void)error;
    return ICSEG_OK;
}

void icseg_event_file_close(icseg_event_file **file) { (void)file; }
