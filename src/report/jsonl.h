/* SPDX-License-Identifier: Apache-2.0
 * log.jsonl, the log of a training run: one JSON object per line, of type "start", "step", "eval", "scores" or "end".
 * "step" is the number of completed optimiser steps: the first step logs 1, and an evaluation after n steps logs n. */
#ifndef ICSEG_REPORT_JSONL_H
#define ICSEG_REPORT_JSONL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/memory.h"

enum {
    ICSEG_LOG_PARTS = 16,         /* losses of one step, including "total" */
    ICSEG_LOG_MAX_LINE = 1 << 20, /* bytes: longer lines are neither written nor read */
};

typedef struct icseg_log_start {
    const char *recipe, *version;
    int64_t parameters, steps; /* trained elements; steps of the whole run */
    int32_t threads, batch;
    const char *date, *machine, *data; /* "2026-11-29T12:19:51Z", processor and cores, folder of the data set */
} icseg_log_start;

/* One optimiser step. A number that is not finite is written as null and read as NaN. */
typedef struct icseg_log_step {
    int64_t step;
    double seconds; /* since this process started training; the writer adds the time of earlier processes of the run */
    double lr, grad_norm, images_per_s, peak_mib;
    double loss[ICSEG_LOG_PARTS]; /* in the order of the names; NaN if a line does not contain it */
} icseg_log_step;

/* One evaluation; shares in 0..1, NaN = undefined. */
typedef struct icseg_log_eval {
    int64_t step;
    double miou, macc, aacc;
    int32_t classes;
    const double *iou; /* (classes) */
} icseg_log_eval;

/* One evaluation of another kind: shares in 0..1, NaN = undefined, in the order of their names. */
typedef struct icseg_log_scores {
    int64_t step;
    double value[ICSEG_LOG_PARTS];
} icseg_log_scores;

/* The end of a run that stopped before its last step: `evaluations` in a row were not better. */
typedef struct icseg_log_end {
    int64_t step, steps; /* completed; of the whole run */
    int32_t evaluations;
} icseg_log_end;

typedef struct icseg_log_writer icseg_log_writer;

/* Opens the log at `path`. If first_step <= 1, the run is new and the log starts empty. Otherwise the run resumes after
 * first_step - 1 steps: "start" and the entries below first_step are kept, later ones and a truncated last line are
 * removed, so that the log becomes that of an uninterrupted run. Evaluate before writing the checkpoint of the same
 * step, or its entry is missing. Each entry is one write, so a killed process truncates at most the last line. */
icseg_status icseg_log_writer_open(icseg_log_writer **out, const char *path, int64_t first_step, icseg_error *error);
/* Whether a resumed log already contains its "start" entry, which is written once per run. */
bool icseg_log_writer_started(const icseg_log_writer *writer);
icseg_status icseg_log_writer_start(icseg_log_writer *writer, const icseg_log_start *start, icseg_error *error);
/* names: (parts), those of step->loss; parts <= ICSEG_LOG_PARTS. */
icseg_status icseg_log_writer_step(icseg_log_writer *writer, const icseg_log_step *step, const char *const *names,
                                   int32_t parts, icseg_error *error);
icseg_status icseg_log_writer_eval(icseg_log_writer *writer, const icseg_log_eval *eval, icseg_error *error);
/* names: (count), those of scores->value; count <= ICSEG_LOG_PARTS. */
icseg_status icseg_log_writer_scores(icseg_log_writer *writer, const icseg_log_scores *scores, const char *const *names,
                                     int32_t count, icseg_error *error);
/* A log that is opened again loses this entry: the run may go on. */
icseg_status icseg_log_writer_end(icseg_log_writer *writer, const icseg_log_end *end, icseg_error *error);
/* Syncs and closes the file, and reports errors such as a full disk. */
icseg_status icseg_log_writer_finish(icseg_log_writer **writer, icseg_error *error);
/* Syncs and closes without reporting errors. Accepts NULL and sets the pointer to NULL. */
void icseg_log_writer_close(icseg_log_writer **writer);

/* A whole log in memory; its arena owns everything. */
typedef struct icseg_log {
    icseg_arena *arena;
    bool has_start, has_end, truncated; /* truncated: the last line was incomplete and left out */
    icseg_log_start start;
    icseg_log_end end;
    int32_t parts;
    const char *part[ICSEG_LOG_PARTS]; /* names of the losses, in order of first appearance; further ones are dropped */
    icseg_log_step *step;              /* (steps), as written */
    int64_t steps;
    icseg_log_eval *eval; /* (evals) */
    int64_t evals;
    int32_t score_names;
    const char *score_name[ICSEG_LOG_PARTS]; /* as for losses */
    icseg_log_scores *scores;                /* (score_count) */
    int64_t score_count;
} icseg_log;

/* Unknown types and keys are ignored. Returns ICSEG_ERROR_FORMAT if a line other than a truncated last one is not a
 * JSON object. */
icseg_status icseg_log_read(icseg_log *out, const char *path, icseg_error *error);
void icseg_log_close(icseg_log *log);

#endif
