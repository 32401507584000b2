/* SPDX-License-Identifier: Apache-2.0
 * icseg bench: the speed and the memory use of a model on this machine. */
#include <jansson.h>
#include <stdio.h>

#include "cli.h"
#include "icseg/bench.h"
#include "icseg/config.h"
#include "json.h"
#include "support.h"

struct options {
    const char *checkpoint;
    const char *model;
    int32_t mode, prompt, dtype, memory;
    int32_t classes, size, batch, runs, threads;
    bool json, profile;
};

static const char *const modes[] = {"infer", "train", "text", NULL};
static const char *const prompts[] = {"template", "static", "instance", NULL};
static const char *const dtypes[] = {"f32", "bf16", "auto", "bf16x2", "int8", NULL};
static const char *const memories[] = {"normal", "low", NULL};

static void append_presets(icseg_string *out) {
    for (int32_t i = 0; i < icseg_preset_count(); i++)
        icseg_string_printf(out, "%s%s", i ? ", " : "", icseg_preset_name(i));
}

static const icseg_option rows[] = {
    {"model", ICSEG_FIELD_STRING(struct options, model), "preset with random weights: ", .metavar = "PRESET",
     .append_help = append_presets},
    {"checkpoint", ICSEG_FIELD_STRING(struct options, checkpoint),
     "measure this checkpoint instead, with its own classes and prompts", .metavar = "FILE"},
    {"mode", ICSEG_FIELD_WORD(struct options, mode),
     "infer: label maps of images; train: training steps; text: only the text side of a label map", .words = modes},
    {"prompt", ICSEG_FIELD_WORD(struct options, prompt), "kind of prompt", .words = prompts},
    {"classes", ICSEG_FIELD_INT(struct options, classes), "number of classes, with names of 1 to 3 tokens each",
     .metavar = "K", ICSEG_BETWEEN(2, 20000)},
    {"size", ICSEG_FIELD_INT(struct options, size), "side of the square images, in pixels", .metavar = "S",
     ICSEG_BETWEEN(32, 8192)},
    {"batch", ICSEG_FIELD_INT(struct options, batch), "images per run", .metavar = "B", ICSEG_BETWEEN(1, 256)},
    {"n", ICSEG_FIELD_INT(struct options, runs), "number of timed runs", ICSEG_BETWEEN(1, 100000)},
    {"threads", ICSEG_FIELD_INT(struct options, threads), "number of threads", .shown = "all cores",
     ICSEG_BETWEEN(0, 1024)},
    {"dtype", ICSEG_FIELD_WORD(struct options, dtype), "number format of convolutions and linear layers",
     .words = dtypes},
    {"memory", ICSEG_FIELD_WORD(struct options, memory), "memory use of training steps, as train.memory in a recipe",
     .words = memories},
    {"json", ICSEG_FIELD_BOOL(struct options, json), "print one line of JSON"},
    {"profile", ICSEG_FIELD_BOOL(struct options, profile),
     "show the time of each operator and module, and the slowest nodes"},
};

static void defaults(void *values) {
    struct options *o = values;
    *o = (struct options){
        .model = "rn50", .prompt = ICSEG_PROMPT_INSTANCE, .classes = 150, .size = 512, .batch = 1, .runs = 5};
}

static const char *name_of(const struct options *o) { return o->checkpoint ? o->checkpoint : o->model; }

static double mib(size_t bytes) { return (double)bytes / (1024 * 1024); }
static double rate(const icseg_bench_result *r, const struct options *o) {
    return r->flops / (r->min_seconds * o->batch);
}

static icseg_status print_json(const struct options *o, const icseg_bench_result *r, const icseg_session_layers *layers,
                               icseg_error *error) {
    json_t *line = json_pack(
        "{ss so ss ss si si si si si sf sf sI sf sf sf sf sf sf sf sf sf s{si si si si} s{si si}}", "mode",
        modes[o->mode], "model", json_text(name_of(o)), "prompt", prompts[r->prompt], "dtype", dtypes[r->precision],
        "classes", (int)r->classes, "size", (int)o->size, "batch", (int)o->batch, "n", (int)o->runs, "threads",
        (int)r->threads, "min_s_per_image", r->min_seconds, "median_s_per_image", r->median_seconds, "peak_mib",
        (json_int_t)mib(r->peak_bytes), "first_s", r->first_seconds, "flops", r->flops, "flops_per_s", rate(r, o),
        "measured_peak_flops_per_s", r->peak_flops_per_second, "share_of_peak", rate(r, o) / r->peak_flops_per_second,
        "activations_mib", mib(r->activation_bytes), "scratch_mib", mib(r->scratch_bytes), "weights_mib",
        mib(r->weight_bytes), "packed_mib", mib(r->packed_bytes), "layers", "f32", (int)layers->f32, "bf16",
        (int)layers->bf16, "bf16x2", (int)layers->bf16x2, "int8", (int)layers->int8, "attention", "f32",
        (int)layers->attention_f32, "int8", (int)layers->attention_int8);
    icseg_string text = {0};
    TRY(json_finish(line, false, JSON_REAL_PRECISION(6), &text, error));
    puts(text.data);
    icseg_string_close(&text);
    return ICSEG_OK;
}

/* "  layers              40 int8, 3 f32": the precisions that occur; nothing if there are none. */
static void print_counts(const char *title, const int32_t counts[4]) {
    static const char *const names[] = {"int8", "bf16x2", "bf16", "f32"};
    const char *between = "";
    for (int i = 0; i < 4; i++) {
        if (!counts[i]) continue;
        if (*between)
            printf("%s%d %s", between, (int)counts[i], names[i]);
        else
            printf("  %-18s  %d %s", title, (int)counts[i], names[i]);
        between = ", ";
    }
    if (*between) putchar('\n');
}

static void print_layers(const icseg_session_layers *l) {
    print_counts("layers", (const int32_t[]){l->int8, l->bf16x2, l->bf16, l->f32});
    print_counts("attention", (const int32_t[]){l->attention_int8, 0, 0, l->attention_f32});
}

static void print_text(const struct options *o, const icseg_bench_result *r, const icseg_session_layers *layers) {
    printf("%s, %s, %s prompts, %d %s, %dx%d, batch %d, %s, %d %s\n", name_of(o), modes[o->mode], prompts[r->prompt],
           r->classes, icseg_plural(r->classes, "class", "classes"), o->size, o->size, o->batch, dtypes[r->precision],
           r->threads, icseg_plural(r->threads, "thread", "threads"));
    printf("  seconds per image   %.4f (median %.4f of %d %s; first result after %.2f)\n", r->min_seconds,
           r->median_seconds, o->runs, icseg_plural(o->runs, "run", "runs"), r->first_seconds);
    printf("  work per run        %.1f GFLOP, %.1f GFLOP/s: %.0f %% of the %.1f of f32 matrix products\n",
           r->flops * 1e-9, rate(r, o) * 1e-9, 100 * rate(r, o) / r->peak_flops_per_second,
           r->peak_flops_per_second * 1e-9);
    print_layers(layers);
    printf("  memory              %.0f MiB at the peak: weights %.0f, packed %.0f", mib(r->peak_bytes),
           mib(r->weight_bytes), mib(r->packed_bytes));
    if (r->training_bytes) printf(", gradients and moments %.0f", mib(r->training_bytes));
    printf(", activations %.0f, scratch %.0f\n", mib(r->activation_bytes), mib(r->scratch_bytes));
}

static icseg_status print_profile(icseg_bench *bench, icseg_error *error) {
    char *text;
    TRY(icseg_bench_profile_text(bench, &text, error));
    fputs(text, stdout);
    icseg_buffer_free(text);
    return ICSEG_OK;
}

static icseg_status run(const icseg_command_context *context, const void *values, icseg_error *error) {
    const struct options *o = values;
    if (o->json && o->profile)
        return icseg_error_set(error, ICSEG_ERROR_ARGUMENT, "--profile prints tables; leave out --json");
    icseg_bench_options options = {ICSEG_BENCH_OPTIONS_INIT,
                                   .preset = o->model,
                                   .checkpoint = o->checkpoint,
                                   .mode = (icseg_bench_mode)o->mode,
                                   .prompt = (icseg_prompt)o->prompt,
                                   .precision = (icseg_precision)o->dtype,
                                   .low_memory = o->memory == 1,
                                   .classes = o->classes,
                                   .size = o->size,
                                   .batch = o->batch,
                                   .runs = o->runs,
                                   .threads = o->threads,
                                   .profile = o->profile};
    icseg_bench *bench;
    icseg_bench_result result = {ICSEG_BENCH_RESULT_INIT};
    icseg_session_layers layers = {ICSEG_SESSION_LAYERS_INIT};
    (void)context;
    icseg_status status = icseg_bench_open(&bench, &options, NULL, error);
    if (status == ICSEG_OK) status = icseg_bench_run(bench, &result, error);
    if (status == ICSEG_OK) status = icseg_bench_layers(bench, &layers, error);
    if (status == ICSEG_OK && o->json) status = print_json(o, &result, &layers, error);
    if (status == ICSEG_OK && !o->json) print_text(o, &result, &layers);
    if (status == ICSEG_OK && o->profile) status = print_profile(bench, error);
    icseg_bench_close(&bench);
    return status;
}

const icseg_command icseg_command_bench = {
    .name = "bench",
    .summary = "Measures the speed and memory use of a preset or checkpoint",
    .description = "Reports the minimum and the median time of the runs, per image. The work is\n"
                   "counted from the definition of the model, and a multiply-add counts as two\n"
                   "operations, so a faster algorithm for the same result shows a higher rate. The\n"
                   "rate of large matrix products is measured in the same process, for comparison.\n"
                   "bench/vs_pytorch.sh compares with PyTorch.\n",
    .examples = "icseg bench --classes 847 --json\nicseg bench --mode train --batch 2 --n 3\n",
    .options = ICSEG_TABLE(rows),
    .size = sizeof(struct options),
    .defaults = defaults,
    .run = run,
};
