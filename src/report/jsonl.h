/* SPDX-License-Identifier: Apache-2.0
 * log.jsonl, the record of a training run: one JSON object a line, of type "start", "step" or "eval". Steps count
 * completed optimiser steps: the first step logs 1, an evaluation after n steps logs n. */
#ifndef ICSEG_REPORT_JSONL_H
#define ICSEG_REPORT_JSONL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/memory.h"

enum {
    ICSEG_LOG_PARTS = 16,         /* losses of one step, "total" among them */
    ICSEG_LOG_MAX_LINE = 1 << 20, /* bytes: longer lines are neither written nor read */
};

typedef struct icseg_log_start {
    const char *recipe, *version;
    int64_t parameters, steps; /* trainable numbers; planned steps */
    int32_t threads, batch;
} icseg_log_start;

/* One optimiser step. A number that is not finite is written as null and read as NaN. */
typedef struct icseg_log_step {
    int64_t step;
    double seconds; /* since this process began to train; the writer adds the time of earlier processes of the run */
    double lr, grad_norm, images_per_s, peak_mib;
    double loss[ICSEG_LOG_PARTS]; /* in the order of the names; NaN if a line does not have it */
} icseg_log_step;

/* One evaluation; shares in 0..1, NaN = undefined. */
typedef struct icseg_log_eval {
    int64_t step;
    double miou, macc, aacc;
    int32_t classes;
    const double *iou; /* (classes) */
} icseg_log_eval;

typedef struct icseg_log_writer icseg_log_writer;

/* Opens the log at PATH. `first_step` <= 1: a new run, the log starts empty. Otherwise a run resumed after first_step -
 * 1 steps: its entries below first_step stay (so does "start"), later ones and a torn last line go, so that the log
 * ends as that of an uninterrupted run. Evaluate before writing the checkpoint of the same step, or that entry is
 * missing. Each entry is one write, so a killed process tears at most the last line. */
icseg_status icseg_log_writer_open(icseg_log_writer **out, const char *path, int64_t first_step, icseg_error *error);
/* Whether a resumed log already has its "start": it is written once per run. */
bool icseg_log_writer_started(const icseg_log_writer *writer);
icseg_status icseg_log_writer_start(icseg_log_writer *writer, const icseg_log_start *start, icseg_error *error);
/* `names` are those of step->loss, (parts), parts <= ICSEG_LOG_PARTS. */
icseg_status icseg_log_writer_step(icseg_log_writer *writer, const icseg_log_step *step, const char *const *names,
                                   int32_t parts, icseg_error *error);
icseg_status icseg_log_writer_eval(icseg_log_writer *writer, const icseg_log_eval *eval, icseg_error *error);
/* Syncs and closes the file, and reports errors such as a full disk. */
icseg_status icseg_log_writer_finish(icseg_log_writer **writer, icseg_error *error);
/* Syncs and closes without reporting errors. Accepts NULL and clears the pointer. */
void icseg_log_writer_close(icseg_log_writer **writer);

/* A whole log in memory; everything belongs to its arena. */
typedef struct icseg_log {
    icseg_arena *arena;
    bool has_start, torn; /* torn: the last line was cut short and left out */
    icseg_log_start start;
    int32_t parts;
    const char *part[ICSEG_LOG_PARTS]; /* names of the losses, in order of first appearance; further ones are dropped */
    icseg_log_step *step;              /* (steps), as written */
    int64_t steps;
    icseg_log_eval *eval; /* (evals) */
    int64_t evals;
} icseg_log;

/* Ignores unknown types and keys. A line that is not a JSON object is ICSEG_ERROR_FORMAT with its number, unless it is
 * the last one. */
icseg_status icseg_log_read(icseg_log *out, const char *path, icseg_error *error);
void icseg_log_close(icseg_log *log);

#endif
