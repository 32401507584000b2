/* SPDX-License-Identifier: Apache-2.0
 * The benchmark inside the library: its runs (bench.c) and its profile (bench_profile.c). */
#ifndef ICSEG_DIAGNOSTICS_BENCH_H
#define ICSEG_DIAGNOSTICS_BENCH_H

#include "graph/run/executor.h"
#include "icseg/bench.h"
#include "inference/session.h"
#include "train/adamw.h"

struct icseg_bench {
    icseg_bench_options options; /* defaults filled in; its strings are NULL once it is open */
    icseg_progress progress;
    icseg_config config;
    icseg_model *model;
    icseg_adamw *adamw;
    float *input;       /* images (B, S, S, 3), or tokens (B, 257, C) */
    int16_t *labels;    /* (B, S, S) */
    icseg_graph *graph; /* mode TEXT: prompts and text encoder; other modes run `network` */
    icseg_executor *executor;
    icseg_session *session;
    icseg_prepared_network *network; /* of the session; NULL: `executor` is run */
    int64_t step;
    icseg_precision precision; /* the one in use, never AUTO */
    double first_seconds, peak_flops, *seconds;
    int64_t runs_done;    /* timed runs, over which the profile sums */
    icseg_arena *profile; /* of the rows returned last; NULL: none */
};

/* The executor that is timed, and its graph. */
icseg_executor *icseg_bench_executor(const icseg_bench *bench);
const icseg_graph *icseg_bench_graph(const icseg_bench *bench);

#endif
