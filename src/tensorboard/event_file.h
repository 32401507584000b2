/* SPDX-License-Identifier: Apache-2.0
 * TensorBoard's event files: a record for each event, an Event of events.proto. */
#ifndef ICSEG_TENSORBOARD_EVENT_FILE_H
#define ICSEG_TENSORBOARD_EVENT_FILE_H

#include <stdint.h>

#include "base/error.h"
#include "icseg/image.h"
#include "tensorboard/histogram.h"

typedef struct icseg_event_file icseg_event_file;

/* ICSEG_ERROR_UNSUPPORTED in a build without TensorBoard (ICSEG_TENSORBOARD=OFF). */
icseg_status icseg_event_file_check_support(icseg_error *error);

/* Creates FOLDER/events.out.tfevents.TIME.HOST, and the folder. Its first event tells TensorBoard to drop what earlier
 * files of the folder have from `first_step` on, which a resumed run computes again. TIME is the current second, or
 * later than that of each file in the folder, because TensorBoard reads files in the order of their names. */
icseg_status icseg_event_file_open(icseg_event_file **out, const char *folder, int64_t first_step, icseg_error *error);

/* The following functions accept NULL and then do nothing. Each event is one write, so that a killed process truncates
 * at most the last one. In tags, bytes that are not UTF-8 become '?'. */

typedef struct icseg_event_scalar {
    const char *tag;
    double value; /* left out if it is not finite; stored as float */
} icseg_event_scalar;

icseg_status icseg_event_file_scalars(icseg_event_file *file, int64_t step, const icseg_event_scalar *scalars,
                                      size_t count, icseg_error *error);
icseg_status icseg_event_file_histogram(icseg_event_file *file, int64_t step, const char *tag,
                                        const icseg_histogram *histogram, icseg_error *error);
/* As PNG. */
icseg_status icseg_event_file_image(icseg_event_file *file, int64_t step, const char *tag, const icseg_image *image,
                                    icseg_error *error);

/* Syncs and closes the file, and reports errors such as a full disk. Sets the pointer to NULL. */
icseg_status icseg_event_file_finish(icseg_event_file **file, icseg_error *error);
/* Syncs and closes without reporting errors. Accepts NULL and sets the pointer to NULL. */
void icseg_event_file_close(icseg_event_file **file);

#endif
