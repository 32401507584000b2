/* SPDX-License-Identifier: Apache-2.0
 * The benchmark: random model, random images, timed runs, and a calibration of the machine beside them. */
#include "diagnostics/bench.h"

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compare.h"
#include "base/system.h"
#include "compute/primitive.h"
#include "inference/session.h"
#include "train/adamw.h"

enum { LONGEST_NAME = 3, TEXT_TOKENS = 257, PEAK_SIDE = 1536, PEAK_TRIES = 4, SEED = 1 };

struct icseg_bench {
    icseg_bench_options options;
    icseg_config config;
    icseg_model *model;
    icseg_adamw *adamw;
    float *input;       /* images (B, S, S, 3), or tokens (B, 257, C) */
    int16_t *labels;    /* (B, S, S) */
    icseg_graph *graph; /* of the text side; else the network's are run */
    icseg_executor *executor;
    icseg_session *session;
    icseg_prepared_network *network; /* of the session; NULL: `executor` is run */
    int64_t step;
    icseg_precision precision; /* what the processor can of what was asked for */
    double first_s, peak_flops_s, *seconds;
};

static const icseg_adamw_options adamw_options = {
    .weight_decay = 1e-4, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .backbone_lr_mult = 0.1};

static icseg_status open_checkpoint(icseg_bench *b, icseg_error *error) {
    ICSEG_TRY(icseg_model_open(&b->model, b->options.checkpoint, error));
    b->config = *icseg_model_config(b->model);
    b->options.classes = b->config.num_classes;
    return ICSEG_OK;
}

/* Class names of 1 to 3 tokens. */
static icseg_status open_random(icseg_bench *b, icseg_error *error) {
    icseg_arena *arena;
    icseg_status status = ICSEG_OK;
    size_t classes = (size_t)b->config.num_classes;
    icseg_rng rng = icseg_rng_open(SEED, ICSEG_RNG_TEST, 0);
    ICSEG_TRY(icseg_arena_open(&arena, error));
    icseg_tokens *tokens = icseg_arena_array(arena, classes, sizeof *tokens);
    const char **names = icseg_arena_array(arena, classes, sizeof *names);
    bool complete = tokens && names;
    for (size_t k = 0; k < classes && complete; k++) {
        int32_t *ids = icseg_arena_array(arena, LONGEST_NAME, sizeof *ids);
        tokens[k] = (icseg_tokens){.count = 1 + (int32_t)icseg_rng_below(&rng, LONGEST_NAME), .ids = ids};
        names[k] = icseg_arena_printf(arena, "class %zu", k);
        complete = ids && names[k];
        for (int32_t i = 0; i < tokens[k].count && complete; i++)
            ids[i] = 1 + (int32_t)icseg_rng_below(&rng, (uint64_t)b->config.vocab_size - 3);
    }
    if (complete)
        status = icseg_model_build(&b->model, &b->config, names, &(icseg_texts){(int32_t)classes, tokens, NULL}, error);
    else
        status = icseg_fail_memory(error, classes * sizeof *tokens, "class names");
    if (status == ICSEG_OK) icseg_params_initialise(b->model->params, SEED);
    icseg_arena_close(&arena);
    return status;
}

static icseg_status open_input(icseg_bench *b, icseg_error *error) {
    const icseg_bench_options *o = &b->options;
    size_t batch = (size_t)o->batch, pixels = batch * (size_t)o->size * (size_t)o->size;
    size_t floats = o->mode == ICSEG_BENCH_TEXT ? batch * TEXT_TOKENS * (size_t)b->config.embed_dim : pixels * 3;
    icseg_rng rng = icseg_rng_open(SEED, ICSEG_RNG_TEST, 1);
    b->input = icseg_alloc_array(floats, sizeof *b->input);
    if (!b->input) return icseg_fail_memory(error, floats * sizeof *b->input, "the images");
    for (size_t i = 0; i < floats; i++) b->input[i] = icseg_rng_range(&rng, -1.7f, 1.7f);
    if (o->mode != ICSEG_BENCH_TRAIN) return ICSEG_OK;
    b->labels = icseg_alloc_array(pixels, sizeof *b->labels);
    if (!b->labels) return icseg_fail_memory(error, pixels * sizeof *b->labels, "the labels");
    for (size_t i = 0; i < pixels; i++) b->labels[i] = (int16_t)icseg_rng_below(&rng, (uint64_t)o->classes);
    return ICSEG_OK;
}

/* Prompts and text encoder alone. */
static icseg_status open_text(icseg_bench *b, icseg_error *error) {
    ICSEG_TRY(icseg_graph_open(&b->graph, false, error));
    icseg_builder builder = {.graph = b->graph, .params = b->model->params, .config = &b->config};
    icseg_value tokens = icseg_graph_input(b->graph, "tokens", ICSEG_F32,
                                           ICSEG_SHAPE(b->options.batch, TEXT_TOKENS, b->config.embed_dim));
    icseg_value prompts =
        b->config.prompt == ICSEG_PROMPT_TEMPLATE ? ICSEG_NONE : icseg_build_prompts(&builder, tokens);
    icseg_graph_keep(b->graph, icseg_build_class_text(&builder, prompts, &b->model->texts), "text");
    icseg_network_rewrite(b->graph, b->precision, b->session->ranges);
    ICSEG_TRY(icseg_executor_open(&b->executor, b->graph, b->session->workspace, error));
    icseg_executor_bind(b->executor, tokens, b->input);
    return ICSEG_OK;
}

static icseg_status open_image_side(icseg_bench *b, icseg_error *error) {
    const icseg_bench_options *o = &b->options;
    icseg_network_options options = {.batch = o->batch, .height = o->size, .width = o->size};
    if (o->mode == ICSEG_BENCH_TRAIN)
        options.training = options.losses = options.gradients = 1, options.precision = (int32_t)b->precision,
        options.low_memory = o->memory == ICSEG_MEMORY_LOW;
    else
        options.predict_height = options.predict_width = o->size;
    ICSEG_TRY(icseg_session_network(b->session, &options, &b->network, error));
    icseg_executor_bind(b->network->executor, b->network->network.image, b->input);
    if (o->mode == ICSEG_BENCH_TRAIN) icseg_executor_bind(b->network->executor, b->network->network.labels, b->labels);
    return ICSEG_OK;
}

static icseg_status run_once(icseg_bench *b, icseg_error *error) {
    ICSEG_TRY(icseg_executor_run(icseg_bench_executor(b), SEED, b->step++, error));
    if (b->adamw) icseg_adamw_step(b->adamw, 1e-4, 1);
    return ICSEG_OK;
}

/* FLOP/s of the best of a few large matrix products, where that is more than *best. Done before and after the runs, and
 * its memory returned: it does not count in their peak. */
static icseg_status measure_peak(double *best, icseg_error *error) {
    size_t count = (size_t)PEAK_SIDE * PEAK_SIDE, bytes = count * sizeof(float);
    const int64_t n = PEAK_SIDE;
    icseg_matmul_shape shape = {.batch = {1, 1},
                                .rows = n,
                                .inner = n,
                                .columns = n,
                                .a_stride = {0, 0, n, 1},
                                .b_stride = {0, 0, n, 1},
                                .out_stride = {0, 0, n, 1}};
    icseg_primitive *product = NULL;
    icseg_status status = icseg_matmul_open(&product, &shape, (icseg_primitive_options){.pack = true}, error);
    float *a = icseg_calloc_array(count, sizeof *a), *c = icseg_calloc_array(count, sizeof *c);
    void *b = NULL, *scratch = NULL;
    if (status == ICSEG_OK) {
        size_t packed = icseg_primitive_packed_size(product);
        b = icseg_calloc_array(1, packed ? packed : bytes);
        scratch = icseg_alloc(icseg_primitive_scratch(product));
        if (!a || !b || !c || !scratch) status = icseg_fail_memory(error, bytes, "the measurement of the peak");
    }
    icseg_operands operands = {.a = a, .b = b, .out = c};
    for (int i = 0; i < PEAK_TRIES && status == ICSEG_OK; i++) {
        double start = icseg_clock();
        status = icseg_primitive_run(product, operands, scratch, error);
        double rate = 2.0 * (double)n * (double)n * (double)n / (icseg_clock() - start);
        if (rate > *best) *best = rate;
    }
    icseg_primitive_close(&product);
    icseg_free(a);
    icseg_free(b);
    icseg_free(c);
    icseg_free(scratch);
    return status;
}

static icseg_status open_network(icseg_bench *b, icseg_error *error) {
    return b->options.mode == ICSEG_BENCH_TEXT ? open_text(b, error) : open_image_side(b, error);
}

static void close_network(icseg_bench *b) {
    icseg_executor_close(&b->executor);
    icseg_graph_close(&b->graph);
    b->network = NULL;
    icseg_session_close(&b->session);
}

/* Ranges for int8 from one run on the benchmark's own input. */
static icseg_status calibrate(icseg_bench *b, icseg_error *error) {
    icseg_activation_ranges *ranges;
    icseg_model *calibrated = NULL;
    if (b->options.precision != ICSEG_PRECISION_INT8 || icseg_model_is_calibrated(b->model)) return ICSEG_OK;
    b->precision = ICSEG_PRECISION_INT8;
    ICSEG_TRY(icseg_activation_ranges_open(&ranges, error));
    icseg_status status = icseg_session_open_recording(&b->session, b->model, b->options.threads, ranges, error);
    if (status == ICSEG_OK) status = open_network(b, error);
    if (status == ICSEG_OK) status = run_once(b, error);
    close_network(b);
    if (status == ICSEG_OK) status = icseg_model_with_ranges(&calibrated, b->model, ranges, error);
    icseg_activation_ranges_close(&ranges);
    if (status != ICSEG_OK) return status;
    icseg_model_close(&b->model);
    b->model = calibrated;
    return ICSEG_OK;
}

/* Figures of f32 must not pass for others'. */
static icseg_status choose_precision(icseg_bench *b, icseg_error *error) {
    bool forward_only = b->options.precision == ICSEG_PRECISION_BF16X2 || b->options.precision == ICSEG_PRECISION_INT8;
    if (forward_only && b->options.mode == ICSEG_BENCH_TRAIN)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "bf16x2 and int8 are for inference; training has f32 and bf16");
    ICSEG_TRY(calibrate(b, error));
    icseg_session_options options = {ICSEG_SESSION_OPTIONS_INIT, .threads = b->options.threads,
                                     .precision = b->options.precision};
    ICSEG_TRY(icseg_session_open(&b->session, b->model, &options, error));
    b->precision = icseg_session_precision(b->session);
    if (b->precision == b->options.precision || b->options.precision == ICSEG_PRECISION_AUTO) return ICSEG_OK;
    return icseg_fail(error, ICSEG_ERROR_UNSUPPORTED,
                      b->options.precision == ICSEG_PRECISION_BF16
                          ? "bf16: this processor has neither AVX512_BF16 nor AMX_BF16; use f32 or auto"
                          : "bf16x2, int8: this processor has no AMX; use f32 or auto");
}

icseg_status icseg_bench_open(icseg_bench **out, const icseg_bench_options *options, icseg_error *error) {
    icseg_status status;
    double start;
    icseg_bench *b = *out = icseg_calloc_array(1, sizeof *b);
    if (!b) return icseg_fail_memory(error, sizeof *b, "a benchmark");
    b->options = *options;
    if (!b->options.threads) b->options.threads = icseg_cores();
    omp_set_num_threads(b->options.threads);
    b->config.struct_size = ICSEG_CONFIG_INIT;
    ICSEG_TRY_GOTO(icseg_config_preset(&b->config, options->model, error));
    b->config.num_classes = options->classes;
    b->config.prompt = options->prompt;
    b->seconds = icseg_alloc_array((size_t)options->runs, sizeof *b->seconds);
    if (!b->seconds) {
        status = icseg_fail_memory(error, (size_t)options->runs * sizeof *b->seconds, "times");
        goto fail;
    }
    ICSEG_TRY_GOTO(measure_peak(&b->peak_flops_s, error));
    start = icseg_clock();
    ICSEG_TRY_GOTO(options->checkpoint ? open_checkpoint(b, error) : open_random(b, error));
    ICSEG_TRY_GOTO(open_input(b, error));
    ICSEG_TRY_GOTO(choose_precision(b, error));
    ICSEG_TRY_GOTO(open_network(b, error));
    if (options->mode == ICSEG_BENCH_TRAIN) {
        ICSEG_TRY_GOTO(icseg_adamw_open(&b->adamw, b->model->params, &adamw_options, error));
        ICSEG_TRY_GOTO(icseg_params_load(b->model->params, error)); /* as the trainer */
    }
    ICSEG_TRY_GOTO(run_once(b, error));
    b->first_s = icseg_clock() - start;
    return ICSEG_OK;
fail:
    icseg_bench_close(out);
    return status;
}

void icseg_bench_close(icseg_bench **bench) {
    if (!bench || !*bench) return;
    icseg_bench *b = *bench;
    close_network(b);
    icseg_adamw_close(&b->adamw);
    icseg_model_close(&b->model);
    icseg_free(b->input);
    icseg_free(b->labels);
    icseg_free(b->seconds);
    icseg_free(b);
    *bench = NULL;
}

icseg_executor *icseg_bench_executor(const icseg_bench *b) { return b->network ? b->network->executor : b->executor; }
const icseg_graph *icseg_bench_graph(const icseg_bench *b) { return b->network ? b->network->graph : b->graph; }

icseg_status icseg_bench_run(icseg_bench *b, icseg_bench_result *out, icseg_error *error) {
    const icseg_bench_options *o = &b->options;
    size_t runs = (size_t)o->runs;
    icseg_plan_summary plan = icseg_executor_summary(icseg_bench_executor(b));
    for (size_t i = 0; i < runs; i++) {
        double start = icseg_clock();
        ICSEG_TRY(run_once(b, error));
        b->seconds[i] = icseg_clock() - start;
    }
    *out = (icseg_bench_result){.first_s = b->first_s,
                                .flops = plan.flops,
                                .peak_bytes = icseg_memory_peak(),
                                .activations = plan.activations,
                                .scratch = plan.scratch,
                                .threads = o->threads,
                                .classes = o->classes,
                                .prompt = b->config.prompt,
                                .precision = b->precision};
    icseg_params_memory held = icseg_params_count_memory(b->model->params);
    out->weights = held.plain;
    out->packed = held.packed;
    out->training = held.gradients * (b->adamw ? 3 : 1);
    out->peak_flops_s = b->peak_flops_s;
    ICSEG_TRY(measure_peak(&out->peak_flops_s, error));
    qsort(b->seconds, runs, sizeof *b->seconds, icseg_compare_doubles);
    out->min_s_per_image = b->seconds[0] / o->batch;
    out->median_s_per_image = b->seconds[runs / 2] / o->batch;
    return ICSEG_OK;
}
