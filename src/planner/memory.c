/* SPDX-License-Identifier: Apache-2.0
 * The memory of a run, from the plans of its networks. They are built as training and evaluation build them, but get
 * no memory to run in. */
#include <string.h>

#include "image/normalize.h"
#include "inference/sliding.h"
#include "model/network.h"
#include "planner/planner.h"

enum { IMAGE_BYTES = 3, LABEL_BYTES = sizeof(int16_t), FLOATS = sizeof(float) };

typedef struct network_needs {
    size_t workspace, kept;
    double flops;
    int64_t logits; /* numbers of one image's logits */
    int32_t losses;
} network_needs;

static icseg_status build(const icseg_planning *p, icseg_graph *graph, const icseg_network_options *options,
                          network_needs *out, icseg_error *error) {
    const icseg_model *m = p->model;
    icseg_network network;
    icseg_program *program;
    if (icseg_network_is_text_alone(options)) {
        icseg_graph_use_once(graph);
        ICSEG_TRY(icseg_network_build_text(&network.text, graph, m->params, &m->config, &m->texts,
                                           (icseg_precision)options->precision, m->ranges, error));
    } else {
        ICSEG_TRY(
            icseg_network_build(&network, graph, m->params, &m->config, &m->texts, false, options, m->ranges, error));
    }
    ICSEG_TRY(icseg_program_open(&program, graph, error));
    *out = (network_needs){
        .workspace = program->summary.workspace, .kept = program->summary.kept, .flops = program->summary.flops};
    if (!icseg_network_is_text_alone(options)) {
        out->losses = icseg_network_loss_count(&network);
        out->logits = icseg_graph_value(graph, network.logits)->count / options->batch;
    }
    icseg_program_close(&program);
    return ICSEG_OK;
}

static icseg_status find_needs(const icseg_planning *p, const icseg_network_options *options, network_needs *out,
                               icseg_error *error) {
    icseg_graph *graph;
    ICSEG_TRY(icseg_graph_open(&graph, options->training != 0, error));
    icseg_status status = build(p, graph, options, out, error);
    icseg_graph_close(&graph);
    return status;
}

/* -- evaluation */

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

/* The needs of all passes of an image: inputs and logits are those of the largest. */
typedef struct evaluation_needs {
    size_t workspace, kept, input, views, logits;
} evaluation_needs;

/* One scale. Rows of windows overlap, so that several may be in memory. */
static icseg_status add_view(const icseg_planning *p, const icseg_eval_options *o, double scale,
                             icseg_split_sizes image, icseg_precision precision, evaluation_needs *sum,
                             icseg_error *error) {
    icseg_network_options options;
    network_needs needs;
    int32_t width, height, least = (int32_t)icseg_config_min_side(&p->model->config);
    icseg_sliding windows;
    icseg_resize_target(o->resize_short, o->resize_long, scale, image.width, image.height, &width, &height);
    width = width < least ? least : width;
    height = height < least ? least : height;
    bool resized = width != image.width || height != image.height, slide = o->mode == ICSEG_EVAL_SLIDE;
    icseg_sliding_options sizes = {width, height, width, height};
    if (slide) sizes = (icseg_sliding_options){o->crop_width, o->crop_height, o->stride_width, o->stride_height};
    ICSEG_TRY(icseg_sliding_open(&windows, &sizes, width, height, error));
    bool whole = !slide && !o->scale_count && !o->flip && !resized;
    memset(&options, 0, sizeof options);
    options.batch = 1;
    options.height = windows.y.window;
    options.width = windows.x.window;
    options.keep = ICSEG_KEEP_LOGITS;
    options.precision = (int32_t)precision;
    options.text_given = icseg_network_text_is_fixed(&p->model->config);
    if (whole) {
        options.predict_height = height;
        options.predict_width = width;
    }
    ICSEG_TRY(find_needs(p, &options, &needs, error));
    int32_t rows = (windows.y.window + windows.y.stride - 1) / windows.y.stride;
    rows = rows < windows.y.count ? rows : windows.y.count;
    sum->workspace = larger(sum->workspace, needs.workspace);
    sum->kept = larger(sum->kept, needs.kept);
    sum->input = larger(sum->input, (size_t)options.width * (size_t)options.height * 3 * FLOATS);
    if (resized) sum->views += (size_t)width * (size_t)height * IMAGE_BYTES;
    if (!whole) sum->logits += (size_t)(rows * windows.x.count * needs.logits) * FLOATS * (o->flip ? 2 : 1);
    return ICSEG_OK;
}

/* The text's network runs alone if all images share the class embeddings. */
static icseg_status add_text(const icseg_planning *p, icseg_precision precision, evaluation_needs *sum,
                             icseg_error *error) {
    icseg_network_options options;
    network_needs needs;
    if (!icseg_network_text_is_fixed(&p->model->config)) return ICSEG_OK;
    memset(&options, 0, sizeof options);
    options.precision = (int32_t)precision;
    ICSEG_TRY(find_needs(p, &options, &needs, error));
    sum->workspace = larger(sum->workspace, needs.workspace);
    return ICSEG_OK;
}

static icseg_status plan_evaluation(icseg_planning *p, const icseg_recipe_settings *r, evaluation_needs *sum,
                                    icseg_error *error) {
    const icseg_eval_options o = icseg_recipe_eval_options(r);
    const icseg_split_sizes image = icseg_planning_sizes(p, r, true);
    icseg_precision precision = icseg_precision_here(r->eval.precision);
    for (int32_t i = 0; i < (o.scale_count ? o.scale_count : 1); i++)
        ICSEG_TRY(add_view(p, &o, o.scale_count ? o.scale[i] : 1, image, precision, sum, error));
    return add_text(p, precision, sum, error);
}

/* -- all of it */

static void count_parameters(const icseg_model *m, const icseg_recipe_settings *r, icseg_plan_figures *out) {
    size_t averages = 0;
    for (int64_t i = 0; i < icseg_params_count(m->params); i++) {
        const icseg_param *param = icseg_params_at(m->params, i);
        out->weights += (size_t)param->count * FLOATS;
        if (param->options.trainable) out->gradients += (size_t)param->count * FLOATS;
        if (r->train.ema_decay > 0 && icseg_ema_averages(param)) averages += (size_t)param->count * FLOATS;
    }
    out->optimiser = 2 * out->gradients + averages;
}

static size_t loader_bytes(const icseg_planning *p, const icseg_recipe_settings *r) {
    const icseg_loader_options o = icseg_recipe_loader_options(r, NULL);
    const icseg_split_sizes image = icseg_planning_sizes(p, r, false);
    size_t crop = (size_t)o.augment.crop_width * (size_t)o.augment.crop_height * (3 * FLOATS + LABEL_BYTES);
    size_t decoded = (size_t)image.width * (size_t)image.height * (IMAGE_BYTES + LABEL_BYTES);
    size_t pasted = o.augment.copy_paste > 0 ? crop : 0;
    return (size_t)(o.ahead + 1) * (size_t)o.batch * crop + (size_t)o.threads * (decoded + pasted);
}

/* Images of the report and two of the evaluation, each with its labels and the prediction. */
static size_t image_bytes(const icseg_planning *p, const icseg_recipe_settings *r) {
    const icseg_split_sizes image = icseg_planning_sizes(p, r, true);
    int64_t count = image.images, samples = count < ICSEG_EVEN_SAMPLES ? count : ICSEG_EVEN_SAMPLES;
    samples += count < ICSEG_WORST_IMAGES ? count : ICSEG_WORST_IMAGES;
    return (size_t)(samples + 2) * (size_t)image.width * (size_t)image.height * (IMAGE_BYTES + 2 * LABEL_BYTES);
}

icseg_status icseg_planning_memory(icseg_planning *p, const icseg_recipe_settings *r, icseg_plan_figures *out,
                                   int32_t *losses, icseg_error *error) {
    const icseg_network_options options = icseg_recipe_network_options(r, NULL);
    network_needs training;
    evaluation_needs evaluation = {0};
    out->weights = out->gradients = 0;
    count_parameters(p->model, r, out);
    ICSEG_TRY(find_needs(p, &options, &training, error));
    ICSEG_TRY(plan_evaluation(p, r, &evaluation, error));
    out->copies = training.kept + evaluation.kept;
    out->activations = larger(training.workspace, evaluation.workspace);
    out->loader = loader_bytes(p, r);
    out->evaluation = evaluation.input + evaluation.views + evaluation.logits + image_bytes(p, r);
    out->flops = training.flops * r->train.accumulate;
    out->memory = out->weights + out->gradients + out->optimiser + out->copies + out->activations + out->loader +
                  out->evaluation + p->data_and_program;
    if (losses) *losses = training.losses;
    return ICSEG_OK;
}
