/* SPDX-License-Identifier: Apache-2.0
 * icseg calibrate: writes a copy of a checkpoint with activation ranges, for int8. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "icseg/calibrate.h"
#include "icseg/file.h"
#include "images.h"
#include "inference.h"
#include "inputs.h"
#include "json.h"
#include "support.h"

struct options {
    const char *checkpoint, *out;
    const char *ranges, *keep_f32;
    int32_t bias_correction;
    double agree, keep_work;
    icseg_strings images;
    int32_t resize_short, resize_long;
    image_options values;
    bool json;
};

enum { ON, OFF };
static const char *const switch_words[] = {"on", "off", NULL};

static const icseg_option rows[] = {
    {"CHECKPOINT", ICSEG_FIELD_STRING(struct options, checkpoint), "checkpoint of the model, a .safetensors file",
     .positional = true, .required = true},
    {"IMAGE", ICSEG_FIELD_STRINGS(struct options, images),
     "a few dozen typical images: files, folders or quoted patterns such as 'a/*.jpg'", .positional = true,
     .required = true},
    {"out", ICSEG_FIELD_STRING(struct options, out), "the calibrated checkpoint to write", .metavar = "FILE",
     .required = true},
    {"ranges", ICSEG_FIELD_STRING(struct options, ranges),
     "range of a layer's values in an image: the smallest mean square error, all values, or all but the largest and "
     "the "
     "smallest 100-P %",
     .metavar = "mse|max|percentile[:P]"},
    {"bias-correction", ICSEG_FIELD_WORD(struct options, bias_correction),
     "whether int8 subtracts from the biases what rounding the weights adds to the mean of each output channel",
     .words = switch_words},
    {"keep-f32", ICSEG_FIELD_STRING(struct options, keep_f32),
     "layers that stay f32: none; those that cost the most accuracy (auto, takes minutes); or names of weights, or "
     "their "
     "beginnings up to a dot",
     .metavar = "auto|none|LAYER,..."},
    {"agree", ICSEG_FIELD_FLOAT(struct options, agree), "auto: keep layers until N % of the labels are those of f32",
     .metavar = "N", ICSEG_BETWEEN(50, 99.99)},
    {"keep-work", ICSEG_FIELD_FLOAT(struct options, keep_work),
     "auto: the layers that stay f32 have at most N % of the work of all layers", .metavar = "N",
     ICSEG_BETWEEN(0.01, 100)},
    {"resize-short", ICSEG_FIELD_INT(struct options, resize_short),
     "resize images for the model so that the short side is N pixels; 0: do not resize", .metavar = "N",
     .shown = "as in training, else 0", ICSEG_BETWEEN(0, ICSEG_IMAGE_MAX_SIDE)},
    {"resize-long", ICSEG_FIELD_INT(struct options, resize_long),
     "with --resize-short: limit the long side to N pixels", .metavar = "N", .shown = "no limit",
     ICSEG_BETWEEN(0, ICSEG_IMAGE_MAX_SIDE)},
    IMAGE_ROWS(struct options, values, "as in training, else as the file says"),
    {"json", ICSEG_FIELD_BOOL(struct options, json), "print one line of JSON instead of text"},
};

static void defaults(void *values) {
    struct options *o = values;
    o->resize_short = -1;
    o->ranges = "mse";
    o->bias_correction = ON;
    o->keep_f32 = "none";
    o->agree = 99.5;
    o->keep_work = 2;
    image_defaults(&o->values);
}

typedef struct job {
    icseg_model *model, *calibrated;
    icseg_calibrator *calibrator;
    icseg_eval_options eval;
    input_list inputs;
    image_reader *reader;
    icseg_search_result found; /* of --keep-f32 auto */
} job;

typedef icseg_status (*image_function)(icseg_calibrator *, const icseg_image *, icseg_error *);

static icseg_status read_and(image_function function, const job *j, size_t index, bool *bad, icseg_error *error) {
    const char *path = j->inputs.files[index].path;
    icseg_image image = {0};
    icseg_status status = image_read(j->reader, path, &image, error);
    *bad = status != ICSEG_OK;
    if (status == ICSEG_OK) {
        status = function(j->calibrator, &image, error);
        if (status != ICSEG_OK) error_prefix(error, "%s", path);
    }
    icseg_image_close(&image);
    return status;
}

static icseg_status calibrate_one(const void *user, size_t index, bool *bad, icseg_error *error) {
    return read_and(icseg_calibrator_add, user, index, bad, error);
}

static icseg_status compare_one(const void *user, size_t index, bool *bad, icseg_error *error) {
    return read_and(icseg_calibrator_compare, user, index, bad, error);
}

/* How well labels agree with those in f32, and what --precision auto chooses. */
static icseg_status print_agreement(const icseg_model *model, icseg_error *error) {
    for (size_t i = 0; i < INFERENCE_COMPARED; i++) {
        icseg_label_agreement a = {ICSEG_LABEL_AGREEMENT_INIT};
        const char *name = inference_precisions[inference_compared[i]];
        TRY(icseg_model_agreement(model, inference_compared[i], &a, error));
        char bound[40] = "";
        if (a.images > 1) snprintf(bound, sizeof bound, "; at least %.2f %%", 100 * a.low);
        if (!a.images)
            printf("%s: not compared with f32, because this processor %s\n", name,
                   inference_lacks(inference_compared[i]));
        else
            printf("%s: %.2f %% of the pixels have the same class as in f32 (mean of %d %s%s)\n", name, 100 * a.mean,
                   (int)a.images, a.images == 1 ? "image" : "images", bound);
    }
    printf("--precision auto: %s on this processor\n", inference_precisions[icseg_model_auto_precision(model)]);
    return ICSEG_OK;
}

/* -- options */

static icseg_status read_ranges(const char *text, icseg_calibrator_options *to, icseg_error *error) {
    const char *percentile = "percentile:";
    size_t length = strlen(percentile);
    char *end = NULL;
    to->ranges = !strcmp(text, "mse")   ? ICSEG_RANGES_MSE
                 : !strcmp(text, "max") ? ICSEG_RANGES_MAX
                                        : ICSEG_RANGES_PERCENTILE;
    if (to->ranges != ICSEG_RANGES_PERCENTILE || !strcmp(text, "percentile")) return ICSEG_OK;
    if (!strncmp(text, percentile, length)) to->percentile = strtod(text + length, &end);
    if (end && end != text + length && !*end && to->percentile > 50 && to->percentile <= 100) return ICSEG_OK;
    return icseg_error_set(
        error, ICSEG_ERROR_ARGUMENT,
        "--ranges %s: expected mse, max, percentile, or percentile:P with P above 50 and at most 100", text);
}

static bool is_automatic(const struct options *o) { return !strcmp(o->keep_f32, "auto"); }

static icseg_status keep_named(icseg_calibrator *calibrator, const char *list, icseg_error *error) {
    while (*list) {
        size_t length = strcspn(list, ",");
        char name[600];
        snprintf(name, sizeof name, "%.*s", (int)length, list);
        TRY(icseg_calibrator_keep_f32(calibrator, name, error));
        list += length + (list[length] == ',');
    }
    return ICSEG_OK;
}

/* -- searching layers */

enum { MAX_SEARCHED = 3 };

static void print_costs(const icseg_search_result *r) {
    printf("changed labels    work  kept  layers\n");
    for (int32_t i = 0; i < r->count; i++) {
        const icseg_layer_cost *c = &r->costs[i];
        printf("%12.3f %%  %4.1f %%  %-4s  %s", 100 * c->changed, 100 * c->work, c->kept_f32 ? "f32" : "", c->first);
        if (c->layers > 1) printf(" to %s (%d)", c->last, (int)c->layers);
        printf("\n");
    }
    printf("%d %s f32; %.2f %% of the labels agree on the images that were searched, %.2f %% before\n", (int)r->kept,
           r->kept == 1 ? "layer stays" : "layers stay", 100 * r->after, 100 * r->before);
}

/* Searches with a few of the images, from the whole list. */
static icseg_status search(job *j, const struct options *o, const icseg_command_context *context, icseg_error *error) {
    icseg_search_options options = {ICSEG_SEARCH_OPTIONS_INIT, .agree = o->agree / 100, .work = o->keep_work / 100,
                                    .progress = &context->progress};
    icseg_image images[MAX_SEARCHED] = {{0}};
    size_t all = j->inputs.count, count = all < MAX_SEARCHED ? all : MAX_SEARCHED;
    icseg_status status = ICSEG_OK;
    for (size_t i = 0; i < count && status == ICSEG_OK; i++)
        status = image_read(j->reader, j->inputs.files[(2 * i + 1) * all / (2 * count)].path, &images[i], error);
    if (status == ICSEG_OK)
        status = icseg_calibrator_search(j->calibrator, images, (int32_t)count, &options, &j->found, error);
    for (size_t i = 0; i < count; i++) icseg_image_close(&images[i]);
    if (status == ICSEG_OK && !o->json) print_costs(&j->found);
    return status;
}

static icseg_status keep_layers(job *j, const struct options *o, const icseg_command_context *context,
                                icseg_error *error) {
    if (is_automatic(o)) return search(j, o, context, error);
    return strcmp(o->keep_f32, "none") ? keep_named(j->calibrator, o->keep_f32, error) : ICSEG_OK;
}

/* -- JSON */

/* What icseg_calibrator_search found; null if it was not called. */
static json_t *search_json(const icseg_search_result *r, bool *failed) {
    json_t *costs = r->count ? json_array() : NULL;
    if (!r->count) return json_null();
    for (int32_t i = 0; i < r->count; i++) {
        const icseg_layer_cost *c = &r->costs[i];
        json_add(costs,
                 json_pack("{ss ss si sf sf sb}", "first", c->first, "last", c->last, "layers", (int)c->layers,
                           "changed", c->changed, "work", c->work, "kept_f32", (int)c->kept_f32),
                 failed);
    }
    return json_pack("{sf sf si so}", "before", r->before, "after", r->after, "kept", (int)r->kept, "costs", costs);
}

/* By the names of precisions; null for those that this processor does not support. */
static icseg_status agreement_json(const icseg_model *model, json_t *to, bool *failed, icseg_error *error) {
    for (size_t i = 0; i < INFERENCE_COMPARED; i++) {
        icseg_label_agreement a = {ICSEG_LABEL_AGREEMENT_INIT};
        TRY(icseg_model_agreement(model, inference_compared[i], &a, error));
        json_t *value =
            a.images ? json_pack("{sf sf si}", "mean", a.mean, "low", a.low, "images", (int)a.images) : json_null();
        *failed |= json_object_set_new(to, inference_precisions[inference_compared[i]], value) != 0;
    }
    return ICSEG_OK;
}

/* The layers of an image of 512 x 512 by their precision on this processor. */
static icseg_status count_layers(icseg_model *model, icseg_session_layers *out, icseg_error *error) {
    enum { SIDE = 512 };
    icseg_session_options options = {ICSEG_SESSION_OPTIONS_INIT, .precision = ICSEG_PRECISION_INT8};
    icseg_session *session;
    icseg_status status = icseg_session_open(&session, model, &options, error);
    if (status == ICSEG_OK) status = icseg_session_layers_at(session, 1, SIDE, SIDE, out, error);
    icseg_session_close(&session);
    return status;
}

static icseg_status print_json(const job *j, const struct options *o, icseg_error *error) {
    icseg_model_calibration found = {ICSEG_MODEL_CALIBRATION_INIT};
    icseg_session_layers layers = {ICSEG_SESSION_LAYERS_INIT};
    icseg_string text = {0};
    bool failed = false;
    TRY(icseg_model_calibration_of(j->calibrated, &found, error));
    TRY(count_layers(j->calibrated, &layers, error));
    json_t *agreement = json_object();
    icseg_status status = agreement ? agreement_json(j->calibrated, agreement, &failed, error) : ICSEG_OK;
    json_t *line = json_pack(
        "{so si ss sb s{si si si} so ss so}", "checkpoint", json_text(o->out), "images", (int)j->inputs.count, "ranges",
        o->ranges, "bias_correction", o->bias_correction == ON, "layers", "int8", (int)layers.int8, "f32",
        (int)layers.f32, "kept_f32", (int)found.kept_f32, "agreement", agreement, "auto",
        inference_precisions[icseg_model_auto_precision(j->calibrated)], "search", search_json(&j->found, &failed));
    if (status != ICSEG_OK) {
        json_decref(line);
        return status;
    }
    TRY(json_finish(line, failed, JSON_REAL_PRECISION(9), &text, error));
    puts(text.data);
    icseg_string_close(&text);
    return ICSEG_OK;
}

static icseg_status print_text(const job *j, const struct options *o, icseg_error *error) {
    printf("%s\n", o->out);
    return print_agreement(j->calibrated, error);
}

static icseg_status run(const icseg_command_context *context, const void *values, icseg_error *error) {
    const struct options *o = values;
    image_reader reader;
    job j = {.reader = &reader, .found = {ICSEG_SEARCH_RESULT_INIT}};
    icseg_status status;
    icseg_calibrator_options options = {ICSEG_CALIBRATOR_OPTIONS_INIT, .eval = &j.eval,
                                        .no_bias_correction = o->bias_correction == OFF};
    TRY(read_ranges(o->ranges, &options, error));
    TRY(inference_check_resize(o->resize_short, o->resize_long, error));
    TRY(file_check_safetensors(o->out, error));
    TRY(file_check_not_input(o->out, o->checkpoint, error));
    TRY_GOTO(icseg_file_check_writable(o->out, error));
    TRY_GOTO(inputs_expand(&j.inputs, &o->images, NULL, context->arena, error));
    TRY_GOTO(icseg_model_open(&j.model, o->checkpoint, error));
    j.eval = (icseg_eval_options){ICSEG_EVAL_OPTIONS_INIT};
    TRY_GOTO(icseg_model_eval_options(j.model, &j.eval, error));
    if (o->resize_short >= 0) {
        j.eval.resize_short = o->resize_short;
        j.eval.resize_long = o->resize_long;
    }
    TRY_GOTO(image_reader_open(&reader, &o->values, j.model, context, error));
    TRY_GOTO(icseg_calibrator_open(&j.calibrator, j.model, &options, error));
    if (!is_automatic(o)) TRY_GOTO(keep_layers(&j, o, context, error)); /* names are checked first */
    TRY_GOTO(inputs_for_each(&j.inputs, context, "calibrate", calibrate_one, &j, error));
    if (is_automatic(o)) TRY_GOTO(keep_layers(&j, o, context, error));
    TRY_GOTO(inputs_for_each(&j.inputs, context, "compare", compare_one, &j, error));
    TRY_GOTO(icseg_calibrator_model(j.calibrator, &j.calibrated, error));
    TRY_GOTO(icseg_model_save(j.calibrated, o->out, error));
    TRY_GOTO((o->json ? print_json : print_text)(&j, o, error));
done:
    icseg_calibrator_close(&j.calibrator);
    icseg_model_close(&j.calibrated);
    icseg_model_close(&j.model);
    return status;
}

const icseg_command icseg_command_calibrate = {
    .name = "calibrate",
    .summary = "Prepares a checkpoint for int8 and --precision auto",
    .description = "Runs the model on the images in f32, records the range of the values that enter\n"
                   "and leave each convolution and linear layer, and writes a copy of the checkpoint\n"
                   "that contains these ranges. `--precision int8` of eval, predict and forward and\n"
                   "`--dtype int8` of bench need such a checkpoint, and a processor with AVX2\n"
                   "or NEON; int8 is fastest with AMX, VNNI and i8mm.\n"
                   "\n"
                   "Then the command labels the images in int8 and, where the processor supports\n"
                   "them, in bf16 and bf16x2, and prints and records for how many pixels they\n"
                   "choose the same class as f32. `--precision auto` uses the fastest format that\n"
                   "agrees on 99.9 % of the pixels of at least eight images: the mean over the\n"
                   "images, less two standard errors (\"at least\"), must reach it.\n"
                   "\n"
                   "`icseg eval --precision int8` measures the accuracy. If it is too low,\n"
                   "`--keep-f32 auto` finds the layers that cost the most: it labels three of the\n"
                   "images with some layers in int8 and the others in f32, and prints the share of\n"
                   "labels that change, and the share of all layers' work. The layers that change\n"
                   "the most labels for their work stay f32, until --agree or --keep-work is\n"
                   "reached.\n"
                   "\n"
                   "`--json` prints the checkpoint, the number of images, the layers in int8 and in\n"
                   "f32 for an image of 512x512, the shares of labels as in f32, and what the\n"
                   "search of layers found.\n",
    .examples = "icseg calibrate checkpoint.safetensors photos/ --out int8.safetensors\n"
                "icseg calibrate checkpoint.safetensors photos/ --out int8.safetensors \\\n"
                "    --keep-f32 auto\n"
                "icseg calibrate checkpoint.safetensors photos/ --out int8.safetensors --json\n"
                "icseg predict int8.safetensors street.jpg --out labels --precision int8\n"
                "icseg predict int8.safetensors street.jpg --out labels --precision auto\n",
    .options = ICSEG_TABLE(rows),
    .size = sizeof(struct options),
    .defaults = defaults,
    .run = run,
};
