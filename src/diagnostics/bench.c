/* SPDX-License-Identifier: Apache-2.0
 * The benchmark: a model, random images, timed runs, and the speed of large matrix products for comparison. With random
 * weights it times the same work as its PyTorch counterpart (reference/torch_peer.py), with class names of the same
 * lengths. */
#include "diagnostics/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/argument.h"
#include "base/compare.h"
#include "base/progress.h"
#include "base/struct_size.h"
#include "base/system.h"
#include "base/threads.h"
#include "compute/primitive.h"
#include "inference/session.h"
#include "train/adamw.h"

enum {
    MAX_NAME_TOKENS = 3,
    TEXT_SIDE = 16,
    TEXT_TOKENS = 1 + TEXT_SIDE * TEXT_SIDE,
    PEAK_SIDE = 1536,
    PEAK_TRIES = 4,
    SEED = 1,
    MAX_CLASSES = 16384
};

static const icseg_adamw_options adamw_options = {
    .weight_decay = 1e-4, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .backbone_lr_mult = 0.1};

static icseg_status open_checkpoint(icseg_bench *b, icseg_error *error) {
    ICSEG_TRY(icseg_model_open(&b->model, b->options.checkpoint, error));
    b->config = *icseg_model_config(b->model);
    b->options.classes = b->config.num_classes;
    return ICSEG_OK;
}

/* A model with random weights and class names of 1 to 3 random tokens. */
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
        int32_t *ids = icseg_arena_array(arena, MAX_NAME_TOKENS, sizeof *ids);
        tokens[k] = (icseg_tokens){.count = 1 + (int32_t)icseg_rng_below(&rng, MAX_NAME_TOKENS), .ids = ids};
        names[k] = icseg_arena_printf(arena, "class %zu", k);
        complete = ids && names[k];
        for (int32_t i = 0; i < tokens[k].count && complete; i++)
            ids[i] = 1 + (int32_t)icseg_rng_below(&rng, (uint64_t)b->config.vocab_size - 3);
    }
    if (complete)
        status = icseg_model_build(&b->model, &b->config, names,
                                   &(icseg_texts){.count = (int32_t)classes, .tokens = tokens}, error);
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

/* The graph of prompts and text encoder alone. */
static icseg_status open_text(icseg_bench *b, icseg_error *error) {
    ICSEG_TRY(icseg_graph_open(&b->graph, false, error));
    icseg_builder builder = {.graph = b->graph, .params = b->model->params, .config = &b->config};
    icseg_value tokens = icseg_graph_input(b->graph, "tokens", ICSEG_F32,
                                           ICSEG_SHAPE(b->options.batch, TEXT_TOKENS, b->config.embed_dim));
    icseg_features features = {.tokens = tokens, .height = TEXT_SIDE, .width = TEXT_SIDE};
    icseg_value prompts =
        b->config.prompt == ICSEG_PROMPT_TEMPLATE ? ICSEG_NONE : icseg_build_prompts(&builder, &features);
    icseg_graph_keep(b->graph, icseg_build_class_text(&builder, prompts, &b->model->texts), "text");
    icseg_network_rewrite(b->graph, b->precision, b->session->ranges);
    ICSEG_TRY(icseg_executor_open(&b->executor, b->graph, b->session->workspace, error));
    icseg_executor_bind(b->executor, tokens, b->input);
    return ICSEG_OK;
}

static icseg_status open_whole(icseg_bench *b, icseg_error *error) {
    const icseg_bench_options *o = &b->options;
    icseg_network_options options = {.batch = o->batch, .height = o->size, .width = o->size};
    if (o->mode == ICSEG_BENCH_TRAIN)
        options.training = options.losses = options.gradients = 1, options.precision = (int32_t)b->precision,
        options.low_memory = o->low_memory;
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

/* Raises *best to the speed, in FLOP/s, of the fastest of a few large matrix products. Called before and after the
 * runs, so that its memory does not count towards their peak. */
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
        if (!a || !b || !c || !scratch) status = icseg_fail_memory(error, 0, "the measurement of the peak");
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
    return b->options.mode == ICSEG_BENCH_TEXT ? open_text(b, error) : open_whole(b, error);
}

static void close_network(icseg_bench *b) {
    icseg_executor_close(&b->executor);
    icseg_graph_close(&b->graph);
    b->network = NULL;
    icseg_session_close(&b->session);
}

/* Calibrates the model for int8, if it is not calibrated, with one run on the benchmark's own input. */
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

/* Fails if the processor does not support the precision, instead of timing f32. */
static icseg_status choose_precision(icseg_bench *b, icseg_error *error) {
    bool forward_only = b->options.precision == ICSEG_PRECISION_BF16X2 || b->options.precision == ICSEG_PRECISION_INT8;
    if (forward_only && b->options.mode == ICSEG_BENCH_TRAIN)
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "precision", ICSEG_REMEDY_SET_FIELD,
                                "precision: bf16x2 and int8 are for inference only; train in f32 or bf16");
    ICSEG_TRY(calibrate(b, error));
    icseg_session_options options = {ICSEG_SESSION_OPTIONS_INIT, .threads = b->options.threads,
                                     .precision = b->options.precision};
    if (b->options.mode == ICSEG_BENCH_TRAIN) options.precision = icseg_precision_here(options.precision);
    ICSEG_TRY(icseg_session_open(&b->session, b->model, &options, error));
    b->precision = icseg_session_precision(b->session);
    if (b->precision == b->options.precision || b->options.precision == ICSEG_PRECISION_AUTO) return ICSEG_OK;
    return icseg_fail_field(
        error, ICSEG_ERROR_UNSUPPORTED, "precision", ICSEG_REMEDY_NONE,
        b->options.precision == ICSEG_PRECISION_BF16
            ? "bf16: this processor has none of AVX512_BF16, AMX_BF16 and the bf16 of ARM; use f32 or auto"
        : b->options.precision == ICSEG_PRECISION_BF16X2 ? "bf16x2: this processor does not have AMX; use f32 or auto"
                                                         : "int8: this processor does not have AVX2; use f32 or auto");
}

static icseg_status check_range(const char *field, int32_t value, int32_t min, int32_t max, icseg_error *error) {
    if (value >= min && value <= max) return ICSEG_OK;
    return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, field, ICSEG_REMEDY_SET_FIELD, "%s: is %d; expected %d to %d",
                            field, (int)value, (int)min, (int)max);
}

/* Reads the options, fills in defaults and checks ranges. */
static icseg_status read_options(icseg_bench_options *o, const icseg_bench_options *given, icseg_error *error) {
    enum { FIRST_SIZE = offsetof(icseg_bench_options, profile) + sizeof(bool) };
    ICSEG_TRY(icseg_struct_read(o, sizeof *o, given, FIRST_SIZE, "icseg_bench_options", error));
    if (!o->preset) o->preset = icseg_preset_name(0);
    if (!o->classes) o->classes = 150;
    if (!o->size) o->size = 512;
    if (!o->batch) o->batch = 1;
    if (!o->runs) o->runs = 5;
    ICSEG_TRY(check_range("mode", (int32_t)o->mode, ICSEG_BENCH_INFER, ICSEG_BENCH_TEXT, error));
    ICSEG_TRY(check_range("precision", (int32_t)o->precision, ICSEG_PRECISION_F32, ICSEG_PRECISION_INT8, error));
    ICSEG_TRY(check_range("classes", o->classes, 2, MAX_CLASSES, error));
    ICSEG_TRY(check_range("size", o->size, 32, 8192, error));
    ICSEG_TRY(check_range("batch", o->batch, 1, 256, error));
    ICSEG_TRY(check_range("runs", o->runs, 1, 100000, error));
    ICSEG_TRY(icseg_threads_check(o->threads, error));
    o->threads = icseg_threads_resolve(o->threads);
    return ICSEG_OK;
}

static icseg_status open_model(icseg_bench *b, icseg_error *error) {
    b->config.struct_size = sizeof b->config;
    ICSEG_TRY(icseg_config_preset(&b->config, b->options.preset, error));
    b->config.num_classes = b->options.classes;
    b->config.prompt = b->options.prompt;
    ICSEG_TRY(icseg_config_check(&b->config, error));
    return b->options.checkpoint ? open_checkpoint(b, error) : open_random(b, error);
}

static icseg_status open_bench(icseg_bench *b, icseg_error *error) {
    b->seconds = icseg_alloc_array((size_t)b->options.runs, sizeof *b->seconds);
    if (!b->seconds) return icseg_fail_memory(error, 0, "the benchmark's times");
    ICSEG_TRY(measure_peak(&b->peak_flops, error));
    double start = icseg_clock();
    ICSEG_TRY(open_model(b, error));
    ICSEG_TRY(open_input(b, error));
    ICSEG_TRY(choose_precision(b, error));
    ICSEG_TRY(open_network(b, error));
    if (b->options.mode == ICSEG_BENCH_TRAIN) {
        ICSEG_TRY(icseg_adamw_open(&b->adamw, b->model->params, &adamw_options, error));
        ICSEG_TRY(icseg_params_load(b->model->params, error)); /* as the trainer does */
    }
    ICSEG_TRY(run_once(b, error));
    b->first_seconds = icseg_clock() - start;
    icseg_executor_profile(icseg_bench_executor(b), b->options.profile);
    return ICSEG_OK;
}

icseg_status icseg_bench_open(icseg_bench **out, const icseg_bench_options *options, const icseg_progress *progress,
                              icseg_error *error) {
    icseg_bench_options o;
    icseg_progress copy;
    ICSEG_NEED(out);
    *out = NULL;
    ICSEG_TRY(icseg_progress_read(&copy, progress, error));
    ICSEG_TRY(read_options(&o, options, error));
    icseg_bench *b = icseg_calloc_array(1, sizeof *b);
    if (!b) return icseg_fail_memory(error, 0, "a benchmark");
    b->options = o;
    b->progress = copy;
    icseg_threads before = icseg_threads_enter(o.threads);
    icseg_status status = open_bench(b, error);
    icseg_threads_leave(before);
    b->options.preset = b->options.checkpoint = NULL; /* borrowed for the call */
    if (status != ICSEG_OK) icseg_bench_close(&b);
    *out = b;
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
    icseg_arena_close(&b->profile);
    icseg_free(b);
    *bench = NULL;
}

icseg_executor *icseg_bench_executor(const icseg_bench *b) { return b->network ? b->network->executor : b->executor; }
const icseg_graph *icseg_bench_graph(const icseg_bench *b) { return b->network ? b->network->graph : b->graph; }

static icseg_status time_runs(icseg_bench *b, icseg_error *error) {
    icseg_stage stage = icseg_stage_begin(&b->progress, "bench", b->options.runs, "runs");
    for (int32_t i = 0; i < b->options.runs; i++) {
        double start = icseg_clock();
        ICSEG_TRY(run_once(b, error));
        b->seconds[i] = icseg_clock() - start;
        b->runs_done++;
        ICSEG_TRY(icseg_stage_report(&stage, i + 1, "", error));
    }
    return ICSEG_OK;
}

static icseg_status run_and_measure(icseg_bench *b, icseg_bench_result *r, icseg_error *error) {
    const icseg_bench_options *o = &b->options;
    icseg_plan_summary plan = icseg_executor_summary(icseg_bench_executor(b));
    ICSEG_TRY(time_runs(b, error));
    icseg_params_memory memory = icseg_params_count_memory(b->model->params);
    *r = (icseg_bench_result){.struct_size = sizeof *r,
                              .first_seconds = b->first_seconds,
                              .flops = plan.flops,
                              .peak_bytes = icseg_memory_peak(),
                              .activation_bytes = plan.activations,
                              .scratch_bytes = plan.scratch,
                              .weight_bytes = memory.plain,
                              .packed_bytes = memory.packed,
                              .training_bytes = memory.gradients * (b->adamw ? 3 : 1),
                              .threads = o->threads,
                              .classes = o->classes,
                              .prompt = b->config.prompt,
                              .precision = b->precision};
    ICSEG_TRY(measure_peak(&b->peak_flops, error));
    r->peak_flops_per_second = b->peak_flops;
    qsort(b->seconds, (size_t)o->runs, sizeof *b->seconds, icseg_compare_doubles);
    r->min_seconds = b->seconds[0] / o->batch;
    r->median_seconds = b->seconds[o->runs / 2] / o->batch;
    return ICSEG_OK;
}

icseg_status icseg_bench_run(icseg_bench *bench, icseg_bench_result *out, icseg_error *error) {
    enum { FIRST_SIZE = offsetof(icseg_bench_result, precision) + sizeof out->precision };
    icseg_bench_result result = {.struct_size = sizeof result};
    ICSEG_NEED(bench);
    ICSEG_NEED(out);
    ICSEG_TRY(icseg_struct_write(out, &result, sizeof result, FIRST_SIZE, "icseg_bench_result", error));
    icseg_threads before = icseg_threads_enter(bench->options.threads);
    icseg_status status = run_and_measure(bench, &result, error);
    icseg_threads_leave(before);
    if (status != ICSEG_OK) return status;
    return icseg_struct_write(out, &result, sizeof result, FIRST_SIZE, "icseg_bench_result", error);
}

icseg_status icseg_bench_layers(const icseg_bench *bench, icseg_session_layers *out, icseg_error *error) {
    enum { FIRST_SIZE = offsetof(icseg_session_layers, int8) + sizeof out->int8 };
    icseg_session_layers layers = {.struct_size = sizeof layers};
    ICSEG_NEED(bench);
    ICSEG_NEED(out);
    icseg_session_add_layers(&layers, icseg_executor_program(icseg_bench_executor(bench)));
    return icseg_struct_write(out, &layers, sizeof layers, FIRST_SIZE, "icseg_session_layers", error);
}
