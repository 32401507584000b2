/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Progress, messages and cancellation of calls that take long. The library never prints: it calls back. */
#ifndef ICSEG_PROGRESS_H
#define ICSEG_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "icseg/error.h"

#ifdef __cplusplus
extern "C" {
#endif

/** How far a call is. Strings are valid during the callback only. */
typedef struct icseg_progress_event {
    const char *stage;  /**< "train", "evaluate", "check labels", ... */
    double done;        /**< work done, in units of the stage (steps, images) */
    double total;       /**< work of the whole stage, in the same units; 0: unknown */
    double seconds;     /**< since the stage began */
    const char *detail; /**< one human-readable line, such as "loss 1.234 (decode 0.8)"; may be empty, never NULL */
} icseg_progress_event;

/** How important a message is. */
typedef enum icseg_message_level {
    ICSEG_MESSAGE_INFO,   /**< the current activity, or a result */
    ICSEG_MESSAGE_WARNING /**< something that the user probably did not intend */
} icseg_message_level;

/** Callbacks of a call that takes long. Every function that accepts it accepts NULL for a silent call.
 *
 * The library calls back from the thread that called the library and never from two threads at once. A callback must
 * not use an object that the running call uses. */
typedef struct icseg_progress {
    size_t struct_size; /**< ICSEG_PROGRESS_INIT */
    /** Reports progress; NULL: not reported. Returns true to continue and false to cancel: the running call then
     * returns ICSEG_ERROR_CANCELLED. */
    bool (*report)(void *user, const icseg_progress_event *event);
    /** Receives human-readable messages; NULL: not reported. `text` is UTF-8, one line or a table of several lines,
     * without a newline at the end, and valid during the callback only. */
    void (*message)(void *user, icseg_message_level level, const char *text);
    void *user; /**< passed to both callbacks */
} icseg_progress;

/** Initialises an icseg_progress: `icseg_progress p = {ICSEG_PROGRESS_INIT, .report = f};` */
#define ICSEG_PROGRESS_INIT ICSEG_INIT(icseg_progress)

#ifdef __cplusplus
}
#endif
#endif
