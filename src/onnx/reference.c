/* SPDX-License-Identifier: Apache-2.0 */
#include "onnx/reference.h"

#include <math.h>

#include "base/rng.h"
#include "graph/ops.h"
#include "graph/passes/split_joined.h"
#include "image/normalize.h"

icseg_status icseg_onnx_reference_build(icseg_onnx_reference *r, icseg_model *m, bool int8, int64_t batch,
                                        int64_t height, int64_t width, icseg_error *error) {
    const icseg_network_options options = {.batch = batch,
                                           .height = height,
                                           .width = width,
                                           .predict_height = height,
                                           .predict_width = width,
                                           .keep = ICSEG_KEEP_LOGITS,
                                           .plain = 1,
                                           .precision = ICSEG_PRECISION_F32};
    *r = (icseg_onnx_reference){.batch = batch, .height = height, .width = width, .model = m, .int8 = int8};
    ICSEG_TRY(icseg_arena_open(&r->arena, error));
    ICSEG_TRY(icseg_graph_open(&r->graph, false, error));
    if (m->open) {
        ICSEG_TRY(icseg_network_build_open(&r->network, r->graph, m->params, &m->config, m->open, false, &options, NULL,
                                           error));
        icseg_upsampled_argmax(r->graph, r->network.logits, height, width, false, r->network.prediction);
        icseg_graph_keep(r->graph, r->network.prediction[0], "prediction");
    } else {
        ICSEG_TRY(
            icseg_network_build(&r->network, r->graph, m->params, &m->config, &m->texts, false, &options, NULL, error));
    }
    if (int8) icseg_graph_use_precision(r->graph, ICSEG_PRODUCT_INT8, m->ranges);
    if (int8) icseg_graph_split_joined(r->graph);
    ICSEG_TRY(icseg_graph_status(r->graph, error));
    r->shape = icseg_graph_value(r->graph, r->network.logits)->shape;
    r->shape.dim[3] = m->config.num_classes;
    return ICSEG_OK;
}

/* Random blocks, so that there are edges and areas. */
static icseg_status draw_images(icseg_onnx_reference *r, icseg_error *error) {
    enum { BLOCK = 8 };
    int64_t rows = (r->height + BLOCK - 1) / BLOCK, columns = (r->width + BLOCK - 1) / BLOCK, planes = 3 * r->batch;
    icseg_rng rng = icseg_rng_open(1, ICSEG_RNG_TEST, 0);
    r->images = icseg_arena_array(r->arena, (size_t)(planes * r->height), (size_t)r->width);
    uint8_t *block = icseg_arena_array(r->arena, (size_t)(planes * rows), (size_t)columns);
    if (!r->images || !block) return icseg_fail_memory(error, 0, "images");
    for (int64_t i = 0; i < planes * rows * columns; i++) block[i] = (uint8_t)icseg_rng_below(&rng, 256);
    for (int64_t p = 0; p < planes; p++)
        for (int64_t y = 0; y < r->height; y++)
            for (int64_t x = 0; x < r->width; x++)
                r->images[(p * r->height + y) * r->width + x] = block[(p * rows + y / BLOCK) * columns + x / BLOCK];
    return ICSEG_OK;
}

static int16_t class_of(const icseg_open_vocabulary *open, int16_t word) {
    int16_t k = 0;
    if (!open->words) return word;
    for (int32_t left = word; left >= open->words[k]; k++) left -= open->words[k];
    return k;
}

/* The results of words become those of classes: a class has the logits of its best word. */
static icseg_status label_open(icseg_onnx_reference *r, icseg_error *error) {
    const icseg_open_vocabulary *open = r->model->open;
    const icseg_shape s = r->shape;
    int64_t pixels = r->batch * r->height * r->width;
    const int16_t *word = icseg_executor_data(r->executor, r->network.prediction[0]);
    float *logits = icseg_arena_array(r->arena, (size_t)icseg_shape_count(s), sizeof *logits);
    int16_t *labels = icseg_arena_array(r->arena, (size_t)pixels, sizeof *labels);
    if (!logits || !labels) return icseg_fail_memory(error, 0, "logits");
    icseg_open_vocabulary_best(open, (int32_t)s.dim[3], icseg_executor_data(r->executor, r->network.logits),
                               s.dim[0] * s.dim[1] * s.dim[2], logits);
    for (int64_t i = 0; i < pixels; i++) labels[i] = class_of(open, word[i]);
    r->logits = logits;
    r->labels = labels;
    return ICSEG_OK;
}

icseg_status icseg_onnx_reference_run(icseg_onnx_reference *r, icseg_error *error) {
    float table[3][256];
    int64_t places = r->height * r->width;
    float *input = icseg_arena_array(r->arena, (size_t)(r->batch * places), 3 * sizeof *input);
    if (!input) return icseg_fail_memory(error, 0, "images");
    ICSEG_TRY(draw_images(r, error));
    icseg_normalize_table(table);
    for (int64_t p = 0; p < r->batch * places; p++)
        for (int64_t c = 0; c < 3; c++)
            input[3 * p + c] = table[c][r->images[(p / places * 3 + c) * places + p % places]];
    ICSEG_TRY(icseg_program_open(&r->program, r->graph, error));
    ICSEG_TRY(icseg_workspace_open(&r->workspace, error));
    ICSEG_TRY(icseg_executor_open_shared(&r->executor, r->program, r->workspace, error));
    icseg_executor_bind(r->executor, r->network.image, input);
    if (r->model->open) icseg_executor_bind(r->executor, r->network.given_text, r->model->open->text);
    ICSEG_TRY(icseg_executor_run_checked(r->executor, 0, 0, error));
    if (r->model->open) return label_open(r, error);
    r->logits = icseg_executor_data(r->executor, r->network.logits);
    r->labels = icseg_executor_data(r->executor, r->network.prediction[0]);
    return ICSEG_OK;
}

void icseg_onnx_reference_close(icseg_onnx_reference *r) {
    icseg_executor_close(&r->executor);
    icseg_program_close(&r->program);
    icseg_graph_close(&r->graph);
    icseg_workspace_close(&r->workspace);
    icseg_arena_close(&r->arena);
}

/* -- comparison */

/* How far logits (N, K, h, w) are from those of the network, (N, h, w, K); infinite if one is not a number. */
typedef struct distance {
    double most; /* the largest difference, relative to the largest logit */
    double all;  /* the root of the sum of squared differences, relative to that of the logits */
} distance;

static distance distance_of(const icseg_onnx_reference *r, const icseg_onnx_tensor *logits) {
    const icseg_shape *shape = &r->shape;
    const float *ours = r->logits, *theirs = logits->data;
    int64_t places = shape->dim[1] * shape->dim[2], classes = shape->dim[3];
    double largest = 0, most = 0, squares = 0, apart_squares = 0;
    for (int64_t i = 0; i < logits->count; i++) {
        int64_t image = i / (classes * places), k = i / places % classes;
        double expected = ours[(image * places + i % places) * classes + k], apart = fabs(expected - theirs[i]);
        if (!isfinite(apart)) return (distance){INFINITY, INFINITY};
        if (apart > most) most = apart;
        if (fabs(expected) > largest) largest = fabs(expected);
        squares += expected * expected;
        apart_squares += apart * apart;
    }
    return largest > 0 ? (distance){most / largest, sqrt(apart_squares / squares)} : (distance){most, most};
}

static double equal_share(const icseg_onnx_reference *r, const icseg_onnx_tensor *labels) {
    const int16_t *ours = r->labels;
    const int64_t *theirs = labels->data;
    int64_t equal = 0;
    for (int64_t i = 0; i < labels->count; i++) equal += ours[i] == theirs[i];
    return (double)equal / (double)labels->count;
}

/* In INT8, a value between two bytes may become either, and a processor may compute convolutions in f32. */
static icseg_status compare(const icseg_onnx_reference *r, const icseg_onnx_tensor out[2], icseg_error *error) {
    const double most = r->int8 ? INFINITY : 1e-3, all = r->int8 ? 0.1 : INFINITY, least = r->int8 ? 0.9 : 0.999;
    const icseg_shape *s = &r->shape;
    if (!icseg_shape_equal(out[0].shape, ICSEG_SHAPE(r->batch, r->height, r->width)) ||
        !icseg_shape_equal(out[1].shape, ICSEG_SHAPE(r->batch, s->dim[3], s->dim[1], s->dim[2])))
        return icseg_fail(error, ICSEG_ERROR_INTERNAL, "the outputs of the ONNX graph have other shapes");
    distance apart = distance_of(r, &out[1]);
    double equal = equal_share(r, &out[0]);
    if (!(apart.all < INFINITY) || apart.most > most || apart.all > all || equal < least)
        return icseg_fail(error, ICSEG_ERROR_INTERNAL,
                          "the ONNX graph does not compute what the model does (%.4f %% of the labels are equal; "
                          "logits differ by up to %.3g of the largest, and by %.3g as a whole), so it was not written",
                          100 * equal, apart.most, apart.all);
    return ICSEG_OK;
}

icseg_status icseg_onnx_reference_check(const icseg_onnx_reference *r, const Icseg__Onnx__GraphProto *graph,
                                        const icseg_progress *progress, icseg_error *error) {
    enum { OUTPUTS = 2 }; /* labels, logits */
    const icseg_onnx_tensor input = {.type = ICSEG_ONNX_UINT8,
                                     .shape = ICSEG_SHAPE(r->batch, 3, r->height, r->width),
                                     .count = r->batch * 3 * r->height * r->width,
                                     .data = r->images};
    icseg_onnx_tensor out[OUTPUTS];
    if (graph->n_output != OUTPUTS) return icseg_fail(error, ICSEG_ERROR_INTERNAL, "the ONNX graph has other outputs");
    ICSEG_TRY(icseg_onnx_run(graph, &input, progress, out, error));
    icseg_status status = compare(r, out, error);
    for (int i = 0; i < OUTPUTS; i++) icseg_onnx_tensor_close(&out[i]);
    return status;
}
