/* SPDX-License-Identifier: Apache-2.0
 * Timing a model with random weights: inference, its text side alone, or training steps; what the PyTorch peer
 * (python/torch_peer.py) times, with class names of the same lengths. */
#ifndef ICSEG_DIAGNOSTICS_BENCH_H
#define ICSEG_DIAGNOSTICS_BENCH_H

#include "graph/run/executor.h"
#include "graph/passes/recompute.h"
#include "icseg/config.h"
#include "icseg/model.h"

typedef enum icseg_bench_mode {
    ICSEG_BENCH_INFER, /* a batch of images -> label maps of the images' size */
    ICSEG_BENCH_TRAIN, /* forward, backward, AdamW */
    ICSEG_BENCH_TEXT   /* prompts and text encoder, the image's tokens given */
} icseg_bench_mode;

typedef struct icseg_bench_options {
    const char *model;      /* a preset of icseg/config.h */
    const char *checkpoint; /* or a model's file, with its own classes and prompts; NULL: random weights */
    icseg_bench_mode mode;
    icseg_prompt prompt;
    icseg_memory memory;       /* of a training step */
    icseg_precision precision; /* bf16: fails where the processor has no instructions for it; auto: f32 then */
    int32_t classes, size, batch;
    int32_t runs;    /* timed ones; one more goes before */
    int32_t threads; /* 0: every core this process may use */
} icseg_bench_options;

typedef struct icseg_bench_result {
    double first_s;                             /* making the model and its first run */
    double min_s_per_image, median_s_per_image; /* over the timed runs */
    double flops;                               /* of one run as the graph describes it, before any rewriting */
    double peak_flops_s;         /* what large f32 matrix products reach here, measured beside the runs */
    size_t peak_bytes;           /* largest resident set */
    size_t activations, scratch; /* bytes planned */
    size_t weights, packed;      /* bytes held: as they are, in the layouts that operators like best */
    size_t training;             /* gradients and the optimiser's moments */
    int32_t threads, classes;
    icseg_prompt prompt;
    icseg_precision precision; /* not AUTO */
} icseg_bench_result;

typedef struct icseg_bench icseg_bench;

/* Makes the model and runs it once. */
icseg_status icseg_bench_open(icseg_bench **out, const icseg_bench_options *options, icseg_error *error);
void icseg_bench_close(icseg_bench **bench);
icseg_status icseg_bench_run(icseg_bench *bench, icseg_bench_result *out, icseg_error *error);

/* What was run, for its profile. */
icseg_executor *icseg_bench_executor(const icseg_bench *bench);
const icseg_graph *icseg_bench_graph(const icseg_bench *bench);

#endif
