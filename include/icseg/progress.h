/* SPDX-License-Identifier: Apache-2.0
 * How long work reports on itself. The library never prints: it calls back. */
#ifndef ICSEG_PROGRESS_H
#define ICSEG_PROGRESS_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One report. Strings are valid during the call only. */
typedef struct icseg_progress_event {
    const char *stage;  /* "train", "evaluate", "check labels", ... */
    double done, total; /* in units of the stage (steps, images) */
    double seconds;     /* since the stage began */
    const char *detail; /* one line for people, "loss 1.234 (decode 0.8 ...)"; may be empty */
} icseg_progress_event;

/* Zero-initialised: silent. `report` returns false to ask for a stop, answered with ICSEG_ERROR_CANCELLED. It is called
 * from the thread that called the library. */
typedef struct icseg_progress {
    bool (*report)(void *user, const icseg_progress_event *event);
    void *user;
} icseg_progress;

#ifdef __cplusplus
}
#endif
#endif
