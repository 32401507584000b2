/* SPDX-License-Identifier: Apache-2.0
 * A benchmark inside the library: its runs (bench.c) and its profile (bench_profile.c). */
#ifndef ICSEG_DIAGNOSTICS_BENCH_H
#define ICSEG_DIAGNOSTICS_BENCH_H

#include "graph/run/executor.h"
#include "icseg/bench.h"
#include "inference/session.h"
#include "train/adamw.h"

struct icseg_bench {
    icseg_bench_options options; /* with their defaults; without its strings */
    icseg_progress progress;
    icseg_config config;
    icseg_model *model;
    icseg_adamw *adamw;
    float *input;       /* images (B, S, S, 3), or tokens (B, 257, C) */
    int16_t *labels;    /* (B, S, S) */
    icseg_graph *graph; /* of the text side; else the network's is run */
    icseg_executor *executor;
    icseg_session *session;
    icseg_prepared_network *network; /* of the session; NULL: `executor` is run */
    int64_t step;
    icseg_precision precision; /* used, never AUTO */
    double first_seconds, peak_flops, *seconds;
    int64_t runs_done;    /* timed runs, which the profile sums */
    icseg_arena *profile; /* of the rows handed out last; NULL: none */
};

/* What is run. */
icseg_executor *icseg_bench_executor(const icseg_bench *bench);
const icseg_graph *icseg_bench_graph(const icseg_bench *bench);

#endif
