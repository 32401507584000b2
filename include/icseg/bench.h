/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Benchmarks: how fast a model runs on this machine and how much memory it needs. docs/performance.md explains the
 * figures. */
#ifndef ICSEG_BENCH_H
#define ICSEG_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "icseg/config.h"
#include "icseg/error.h"
#include "icseg/memory.h"
#include "icseg/model.h"
#include "icseg/progress.h"
#include "icseg/session.h"

#ifdef __cplusplus
extern "C" {
#endif

/** The work that a benchmark times. */
typedef enum icseg_bench_mode {
    ICSEG_BENCH_INFER, /**< from a batch of images to label maps of the images' size */
    ICSEG_BENCH_TRAIN, /**< training steps: forward pass, backward pass, AdamW */
    ICSEG_BENCH_TEXT   /**< prompts and text encoder, with given image tokens */
} icseg_bench_mode;

/** A benchmark's settings. */
typedef struct icseg_bench_options {
    size_t struct_size;        /**< ICSEG_BENCH_OPTIONS_INIT */
    const char *preset;        /**< architecture with random weights (icseg_preset_name); NULL: the first preset */
    const char *checkpoint;    /**< a checkpoint instead, with its own classes and prompts; NULL: random weights */
    icseg_bench_mode mode;     /**< what is timed */
    icseg_prompt prompt;       /**< kind of prompt; zero is ICSEG_PROMPT_TEMPLATE */
    icseg_precision precision; /**< of convolutions and linear layers; AUTO may fall back to F32, others fail instead */
    bool low_memory;           /**< for training steps: as train.memory = low */
    int32_t classes;           /**< classes with names of 1 to 3 tokens; 0: 150 */
    int32_t size;              /**< side of the images (pixels), 32..8192; 0: 512 */
    int32_t batch;             /**< images of a run, at most 256; 0: 1 */
    int32_t runs;              /**< timed runs, at most 100,000; 0: 5. One more precedes them. */
    int32_t threads;           /**< compute threads; 0: all cores */
    bool profile;              /**< also time every operator, for icseg_bench_profile */
} icseg_bench_options;

/** Initialises an icseg_bench_options. */
#define ICSEG_BENCH_OPTIONS_INIT ICSEG_INIT(icseg_bench_options)

/** Figures of a benchmark. */
typedef struct icseg_bench_result {
    size_t struct_size;           /**< ICSEG_BENCH_RESULT_INIT */
    double first_seconds;         /**< creating the model and its first run */
    double min_seconds;           /**< of an image: the fastest timed run divided by the batch */
    double median_seconds;        /**< of an image: the median of the timed runs divided by the batch */
    double flops;                 /**< of one run, as the model is described; a multiply-add counts as two */
    double peak_flops_per_second; /**< of large f32 matrix products, measured in the same process */
    size_t peak_bytes;            /**< largest resident set of the process */
    size_t activation_bytes;      /**< planned activations */
    size_t scratch_bytes;         /**< planned scratch memory */
    size_t weight_bytes;          /**< weights in their own layout */
    size_t packed_bytes;          /**< weights in the layouts that operators prefer */
    size_t training_bytes;        /**< gradients and the optimiser's moments */
    int32_t threads;              /**< threads used */
    int32_t classes;              /**< classes of the model */
    icseg_prompt prompt;          /**< kind of prompt of the model */
    icseg_precision precision;    /**< precision used, never AUTO */
} icseg_bench_result;

/** Initialises an icseg_bench_result. */
#define ICSEG_BENCH_RESULT_INIT ICSEG_INIT(icseg_bench_result)

/** A benchmark that has been opened. One thread at a time. */
typedef struct icseg_bench icseg_bench;

/** Creates the model and runs it once.
 *
 * @param out receives the benchmark, NULL on failure; close it with icseg_bench_close
 * @param options settings; NULL: all defaults
 * @param progress callbacks or NULL, which are copied and used until the benchmark is closed; stage "bench" (runs)
 * @param error receives the message on failure; may be NULL
 * @return ICSEG_ERROR_ARGUMENT for an option out of range; ICSEG_ERROR_UNSUPPORTED if the processor does not have the
 * precision; the errors of icseg_model_open */
ICSEG_API icseg_status icseg_bench_open(icseg_bench **out, const icseg_bench_options *options,
                                        const icseg_progress *progress, icseg_error *error);

/** Does the timed runs.
 *
 * @param bench the benchmark
 * @param out receives the figures
 * @param error receives the message on failure; may be NULL
 * @return ICSEG_ERROR_CANCELLED when the progress callback cancels */
ICSEG_API icseg_status icseg_bench_run(icseg_bench *bench, icseg_bench_result *out, icseg_error *error);

/** Counts the layers and attention operators of the timed network by the precision in which they are computed
 * (icseg_session_layers_at).
 *
 * @param bench the benchmark
 * @param out receives the numbers; its struct_size must be set
 * @param error receives the message on failure; may be NULL
 * @return ICSEG_ERROR_ARGUMENT for NULL or a wrong struct_size */
ICSEG_API icseg_status icseg_bench_layers(const icseg_bench *bench, icseg_session_layers *out, icseg_error *error);

/** Closes the benchmark and sets the pointer to NULL. Accepts NULL. */
ICSEG_API void icseg_bench_close(icseg_bench **bench);

/** How the rows of a profile are grouped. */
typedef enum icseg_bench_key {
    ICSEG_BENCH_OPERATOR, /**< by operator: "conv2d_gradient_input" */
    ICSEG_BENCH_MODULE,   /**< by the first two names of the module: "visual.layer1", "decoder.head" */
    ICSEG_BENCH_NODE      /**< every operator of the graph separately: "visual.layer1.0.conv1.conv2d_fused" */
} icseg_bench_key;

/** A row of a profile. The struct never grows. */
typedef struct icseg_bench_row {
    const char *name; /**< operator, module or node; lives as long as the rows */
    int64_t nodes;    /**< number of operators of the graph that ran */
    double forward;   /**< seconds of a run in the forward pass */
    double backward;  /**< seconds of a run in the backward pass */
    double flops;     /**< of a run */
    double bytes;     /**< activations alive at the moment of the largest memory use */
} icseg_bench_row;

/** Sums the profile of the runs so far; the slowest row comes first.
 *
 * @param bench a benchmark that was opened with `profile`
 * @param key how to group the rows
 * @param rows receives (count) rows, which live until the next call or icseg_bench_close; NULL on failure
 * @param count receives their number
 * @param error receives the message on failure; may be NULL
 * @return ICSEG_ERROR_ARGUMENT if the benchmark was opened without `profile` or has not run */
ICSEG_API icseg_status icseg_bench_profile(icseg_bench *bench, icseg_bench_key key, const icseg_bench_row **rows,
                                           int32_t *count, icseg_error *error);

/** Formats the profile as text: tables of time by operator, by module and of the slowest operators, and of memory. *out
 * is NUL-terminated; free it with icseg_buffer_free. Errors as icseg_bench_profile. */
ICSEG_API icseg_status icseg_bench_profile_text(icseg_bench *bench, char **out, icseg_error *error);

#ifdef __cplusplus
}
#endif
#endif
