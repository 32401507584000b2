/* SPDX-License-Identifier: Apache-2.0
 * Reporting progress and messages to the caller, and noticing that the caller cancels. */
#ifndef ICSEG_BASE_PROGRESS_H
#define ICSEG_BASE_PROGRESS_H

#include <stdint.h>

#include "base/error.h"
#include "icseg/progress.h"

/* Reads the caller's callbacks (NULL: silent). Every public function that accepts them calls this once, first, and
 * works with the copy. ICSEG_ERROR_ARGUMENT when struct_size is wrong. */
icseg_status icseg_progress_read(icseg_progress *to, const icseg_progress *from, icseg_error *error);

/* Formats a message and sends it. `progress` may be NULL. */
void icseg_progress_say(const icseg_progress *progress, icseg_message_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A stage of work that is reported. Begin it when the work begins: the clock starts then. */
typedef struct icseg_stage {
    const icseg_progress *progress; /* borrowed; NULL: silent */
    const char *name, *unit;        /* "evaluate", "images": for the event and the text of a cancellation */
    int64_t total;                  /* 0: unknown */
    double start;                   /* icseg_clock() */
} icseg_stage;

icseg_stage icseg_stage_begin(const icseg_progress *progress, const char *name, int64_t total, const char *unit);

/* False when nobody listens: a costly `detail` need not be formatted. */
bool icseg_stage_is_watched(const icseg_stage *stage);

/* Reports `done` units of work. ICSEG_ERROR_CANCELLED, "stopped after 3 of 10 images" or "stopped after 3 images", when
 * the caller cancels. */
icseg_status icseg_stage_report(const icseg_stage *stage, int64_t done, const char *detail, icseg_error *error);

#endif
