/* SPDX-License-Identifier: Apache-2.0
 * Progress, messages and cancellation. */
#include "base/progress.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/memory.h"
#include "base/signals.h"
#include "base/struct_size.h"
#include "base/system.h"

icseg_status icseg_progress_read(icseg_progress *to, const icseg_progress *from, icseg_error *error) {
    enum { FIRST_SIZE = offsetof(icseg_progress, user) + sizeof(void *) };
    return icseg_struct_read(to, sizeof *to, from, FIRST_SIZE, "icseg_progress", error);
}

void icseg_progress_say(const icseg_progress *progress, icseg_message_level level, const char *format, ...) {
    if (!progress || !progress->message) return;
    va_list args, copy;
    va_start(args, format);
    va_copy(copy, args);
    int size = vsnprintf(NULL, 0, format, args);
    char *text = size < 0 ? NULL : icseg_alloc((size_t)size + 1);
    if (text) { /* out of memory: the message is lost, the work is not */
        vsnprintf(text, (size_t)size + 1, format, copy);
        int suspended = icseg_signals_suspend();
        progress->message(progress->user, level, text);
        icseg_signals_resume(suspended);
    }
    icseg_free(text);
    va_end(copy);
    va_end(args);
}

icseg_stage icseg_stage_begin(const icseg_progress *progress, const char *name, int64_t total, const char *unit) {
    return (icseg_stage){.progress = progress, .name = name, .unit = unit, .total = total, .start = icseg_clock()};
}

bool icseg_stage_is_watched(const icseg_stage *stage) { return stage->progress && stage->progress->report; }

icseg_status icseg_stage_report(const icseg_stage *stage, int64_t done, const char *detail, icseg_error *error) {
    if (!icseg_stage_is_watched(stage)) return ICSEG_OK;
    icseg_progress_event event = {.stage = stage->name,
                                  .done = (double)done,
                                  .total = (double)stage->total,
                                  .seconds = icseg_clock() - stage->start,
                                  .detail = detail ? detail : ""};
    int suspended = icseg_signals_suspend();
    bool more = stage->progress->report(stage->progress->user, &event);
    icseg_signals_resume(suspended);
    if (more) return ICSEG_OK;
    if (!stage->total)
        return icseg_fail(error, ICSEG_ERROR_CANCELLED, "stopped after %lld %s", (long long)done, stage->unit);
    return icseg_fail(error, ICSEG_ERROR_CANCELLED, "stopped after %lld of %lld %s", (long long)done,
                      (long long)stage->total, stage->unit);
}
