/* SPDX-License-Identifier: Apache-2.0
 * Runs a model on a batch: whole images or windows, with or without test-time augmentation. */
#include <string.h>

#include "base/argument.h"
#include "base/memory.h"
#include "base/struct_size.h"
#include "base/threads.h"
#include "image/normalize.h"
#include "inference/pass.h"
#include "inference/refine.h"
#include "inference/result.h"

enum { MAX_PASSES = 2 * ICSEG_EVAL_SCALES, DEFAULT_TOP_K = 5 };

enum {
    SCORES = ICSEG_OUTPUT_SCORES_4 | ICSEG_OUTPUT_SCORES_8 | ICSEG_OUTPUT_SCORES_16 | ICSEG_OUTPUT_SCORES_32,
    TOP = ICSEG_OUTPUT_TOP_CLASSES | ICSEG_OUTPUT_TOP_PROBABILITIES,
    LABELS = ICSEG_OUTPUT_LABELS | ICSEG_OUTPUT_CONFIDENCE, /* the network can compute them itself */
    PIXELS = LABELS | TOP | ICSEG_OUTPUT_PROBABILITIES,     /* have the images' size */
    NETWORK = ICSEG_OUTPUT_ALL & ~PIXELS                    /* values of the network */
};

/* The state of one run. */
typedef struct run {
    icseg_session *session;
    const icseg_images *images;
    icseg_eval_options eval;
    uint32_t outputs;
    int32_t top_k;
    icseg_result *result;
    int32_t views, passes;
    icseg_images view[ICSEG_EVAL_SCALES]; /* resized copies; count 0: the images themselves */
    icseg_pass pass[MAX_PASSES];
    float *scratch;
    icseg_progress callbacks; /* the caller's */
    icseg_pass_progress progress;
    icseg_error *error;
} run;

static void close_run(run *r) {
    for (int32_t i = 0; i < MAX_PASSES; i++) icseg_pass_close(&r->pass[i]);
    for (int32_t i = 0; i < ICSEG_EVAL_SCALES; i++) icseg_images_close(&r->view[i]);
    icseg_free(r->scratch);
}

/* -- options */

static icseg_status check_scores(const run *r, icseg_error *error) {
    const icseg_config *c = icseg_model_config(r->session->model);
    for (int i = 0; i < ICSEG_LEVELS; i++)
        if (r->outputs & (ICSEG_OUTPUT_SCORES_4 << i) && !c->align[i])
            return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "outputs", ICSEG_REMEDY_SET_FIELD,
                                    "the model does not have a score map at stride %d; see icseg_config.align", 4 << i);
    return ICSEG_OK;
}

static icseg_status check_attention(const run *r, icseg_error *error) {
    const icseg_model *m = r->session->model;
    if (!(r->outputs & ICSEG_OUTPUT_PROMPT_ATTENTION) || (!m->open && icseg_config_decodes_prompts(&m->config)))
        return ICSEG_OK;
    return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "outputs", ICSEG_REMEDY_SET_FIELD,
                            "the prompts of the model do not read positions of the image; see icseg_config.prompt and "
                            "icseg_config.prompt_source");
}

static icseg_status check_outputs(const run *r, icseg_error *error) {
    if (r->outputs & ~(uint32_t)ICSEG_OUTPUT_ALL)
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "outputs", ICSEG_REMEDY_SET_FIELD,
                                "outputs is 0x%x: expected bits of icseg_output, up to 0x%x", r->outputs,
                                (unsigned)ICSEG_OUTPUT_ALL);
    bool one_view = r->eval.mode == ICSEG_EVAL_WHOLE && r->eval.scale_count <= 1 && !r->eval.flip;
    if (r->outputs & NETWORK && !one_view)
        return icseg_fail_field(
            error, ICSEG_ERROR_ARGUMENT, "outputs", ICSEG_REMEDY_SET_FIELD,
            "outputs: logits, score maps and embeddings need one view of the whole image; set mode to "
            "ICSEG_EVAL_WHOLE without scales and flip, or request probabilities instead");
    if (r->outputs & ICSEG_OUTPUT_IMAGE_EMBEDDING && r->session->model->open)
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "outputs", ICSEG_REMEDY_SET_FIELD,
                                "outputs: an open-vocabulary model does not compute an embedding of the image; use "
                                "icseg_classifier_embed");
    if (!r->images->pixels && (r->eval.resize_short || r->eval.scale_count))
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, r->eval.resize_short ? "resize_short" : "scale_count",
                                ICSEG_REMEDY_SET_FIELD,
                                "tensor: a tensor cannot be resized; resize it beforehand, or pass frames");
    ICSEG_TRY(check_attention(r, error));
    return check_scores(r, error);
}

/* Reads the options, fills in defaults and checks them. */
static icseg_status read_options(run *r, const icseg_run_options *options, icseg_error *error) {
    enum { FIRST_SIZE = sizeof(icseg_run_options) };
    static const icseg_eval_options whole = {ICSEG_EVAL_OPTIONS_INIT};
    const icseg_model *model = r->session->model;
    icseg_run_options o;
    ICSEG_TRY(icseg_struct_read(&o, sizeof o, options, FIRST_SIZE, "icseg_run_options", error));
    ICSEG_TRY(icseg_progress_read(&r->callbacks, o.progress, error));
    if (o.top_k < 0)
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "top_k", ICSEG_REMEDY_SET_FIELD,
                                "top_k is %d: expected 0 or more", o.top_k);
    r->outputs = o.outputs ? o.outputs : ICSEG_OUTPUT_LABELS;
    if (r->outputs & TOP) r->top_k = o.top_k ? o.top_k : DEFAULT_TOP_K;
    if (r->top_k > model->config.num_classes) r->top_k = model->config.num_classes;
    ICSEG_TRY(icseg_eval_options_read(&r->eval, o.eval, r->images->pixels ? &model->eval : &whole, error));
    return check_outputs(r, error);
}

/* Begins to report that `windows` windows run; fails if the caller cancels at once. */
static icseg_status begin_progress(run *r, int64_t windows, icseg_error *error) {
    r->progress.stage = icseg_stage_begin(&r->callbacks, "predict", windows, "windows");
    return icseg_pass_report(&r->progress, 0, error);
}

/* -- results */

static icseg_status allocate_pixels(const run *r, icseg_error *error) {
    const icseg_images *m = r->images;
    const int64_t shape[][4] = {
        {m->count, m->height, m->width},
        {m->count, m->height, m->width},
        {m->count, m->height, m->width, r->top_k},
        {m->count, m->height, m->width, r->top_k},
        {m->count, m->height, m->width, r->session->model->config.num_classes},
    };
    for (int i = 0; i < (int)(sizeof shape / sizeof *shape); i++) {
        icseg_output output = (icseg_output)(1 << i);
        if (!(r->outputs & output)) continue;
        bool classes = output & (ICSEG_OUTPUT_LABELS | ICSEG_OUTPUT_TOP_CLASSES);
        ICSEG_TRY(icseg_result_allocate(r->result, output, classes ? ICSEG_TENSOR_I16 : ICSEG_TENSOR_F32,
                                        output & LABELS ? 3 : 4, shape[i], error));
    }
    return ICSEG_OK;
}

/* The logits and score maps of an open vocabulary have a channel for each word. */
static bool has_words(const run *r, icseg_output output) {
    const icseg_open_vocabulary *open = r->session->model->open;
    return open && open->words && output & (ICSEG_OUTPUT_LOGITS | SCORES);
}

/* Copies a kept value of the network into the result. */
static icseg_status copy_value(const run *r, const icseg_prepared_network *n, icseg_value value, icseg_output output,
                               icseg_error *error) {
    const icseg_value_info *info = icseg_graph_value(n->graph, value);
    int64_t shape[ICSEG_TENSOR_MAX_RANK];
    int32_t rank = 0;
    for (int i = 0; i < info->shape.rank; i++)
        if (output != ICSEG_OUTPUT_IMAGE_EMBEDDING || i != 1)
            shape[rank++] = info->shape.dim[i]; /* (N, 1, C) is (N, C) */
    const float *from = icseg_executor_data(n->executor, value);
    int32_t classes = r->session->model->config.num_classes;
    if (has_words(r, output)) shape[rank - 1] = classes;
    ICSEG_TRY(icseg_result_allocate(r->result, output, ICSEG_TENSOR_F32, rank, shape, error));
    float *to = icseg_result_data(r->result, output);
    if (has_words(r, output))
        icseg_open_vocabulary_best(r->session->model->open, classes, from, shape[0] * shape[1] * shape[2], to);
    else
        memcpy(to, from, (size_t)info->count * sizeof *to);
    return ICSEG_OK;
}

/* Copies the network's kept values before it runs again. */
static icseg_status copy_network(const run *r, const icseg_prepared_network *n, icseg_error *error) {
    const struct {
        icseg_output output;
        icseg_value value;
    } all[] = {{ICSEG_OUTPUT_LOGITS, n->network.logits},
               {ICSEG_OUTPUT_SCORES_4, n->network.score[0]},
               {ICSEG_OUTPUT_SCORES_8, n->network.score[1]},
               {ICSEG_OUTPUT_SCORES_16, n->network.score[2]},
               {ICSEG_OUTPUT_SCORES_32, n->network.score[3]},
               {ICSEG_OUTPUT_CLASS_EMBEDDINGS, n->network.text},
               {ICSEG_OUTPUT_IMAGE_EMBEDDING, n->network.embedding},
               {ICSEG_OUTPUT_PROMPT_ATTENTION, n->network.attention}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (r->outputs & all[i].output) ICSEG_TRY(copy_value(r, n, all[i].value, all[i].output, error));
    return ICSEG_OK;
}

static uint32_t keep_of(const run *r) {
    return ICSEG_KEEP_LOGITS | (r->outputs & SCORES ? ICSEG_KEEP_SCORES : 0) |
           (r->outputs & ICSEG_OUTPUT_CLASS_EMBEDDINGS ? ICSEG_KEEP_TEXT : 0) |
           (r->outputs & ICSEG_OUTPUT_IMAGE_EMBEDDING ? ICSEG_KEEP_EMBEDDING : 0) |
           (r->outputs & ICSEG_OUTPUT_PROMPT_ATTENTION ? ICSEG_KEEP_ATTENTION : 0);
}

/* -- whole images at their own size: the network itself computes the labels */

static icseg_network_options whole_options(const run *r) {
    icseg_network_options options;
    memset(&options, 0, sizeof options); /* compared bytewise */
    options.batch = r->images->count;
    options.height = r->images->height;
    options.width = r->images->width;
    options.keep = keep_of(r);
    if (r->outputs & LABELS) {
        options.predict_height = r->images->height;
        options.predict_width = r->images->width;
    }
    options.confidence = (r->outputs & ICSEG_OUTPUT_CONFIDENCE) != 0;
    return options;
}

static icseg_status run_whole(run *r, icseg_error *error) {
    icseg_network_options options = whole_options(r);
    icseg_window all = {.width = r->images->width, .height = r->images->height};
    const icseg_prepared_network *n;
    ICSEG_TRY(allocate_pixels(r, error));
    ICSEG_TRY(begin_progress(r, 1, error));
    ICSEG_TRY(icseg_pass_run(r->session, &options, r->images, all, false, &n, error));
    ICSEG_TRY(icseg_pass_report(&r->progress, 1, error));
    size_t pixels = (size_t)all.width * (size_t)all.height * (size_t)r->images->count;
    if (r->outputs & ICSEG_OUTPUT_LABELS)
        memcpy(icseg_result_data(r->result, ICSEG_OUTPUT_LABELS),
               icseg_executor_data(n->executor, n->network.prediction[0]), pixels * sizeof(int16_t));
    if (r->outputs & ICSEG_OUTPUT_CONFIDENCE)
        memcpy(icseg_result_data(r->result, ICSEG_OUTPUT_CONFIDENCE),
               icseg_executor_data(n->executor, n->network.prediction[1]), pixels * sizeof(float));
    return copy_network(r, n, error);
}

/* -- passes */

static const icseg_images *view_at(const run *r, int32_t i) { return r->view[i].count ? &r->view[i] : r->images; }

/* A side that one window covers, of an open-vocabulary model, becomes a multiple of the patch: the encoder would leave
 * the rest out, and labels would shift. */
static int32_t view_side(const run *r, int32_t side, int32_t crop) {
    const icseg_model *m = r->session->model;
    int32_t patch = m->open ? icseg_open_vocabulary_patch(&m->config) : 1;
    int32_t smallest = m->open ? ICSEG_MIN_SIDE : (int32_t)icseg_config_min_side(&m->config);
    int32_t least = (smallest + patch - 1) / patch * patch;
    if (r->eval.mode == ICSEG_EVAL_SLIDE && side > crop) return side;
    side = (side + patch / 2) / patch * patch;
    return side < least ? least : side;
}

static icseg_status open_views(run *r, icseg_error *error) {
    const icseg_eval_options *o = &r->eval;
    r->views = o->scale_count ? o->scale_count : 1;
    for (int32_t i = 0; i < r->views; i++) {
        int32_t width, height;
        icseg_resize_target(o->resize_short, o->resize_long, o->scale_count ? o->scale[i] : 1, r->images->width,
                            r->images->height, &width, &height);
        width = view_side(r, width, o->crop_width);
        height = view_side(r, height, o->crop_height);
        if (!r->images->pixels || (width == r->images->width && height == r->images->height)) continue;
        ICSEG_TRY(icseg_images_resize(&r->view[i], r->images, width, height, error));
    }
    return ICSEG_OK;
}

static icseg_status open_passes(run *r, icseg_error *error) {
    int64_t windows = 0;
    for (int32_t i = 0; i < r->views; i++)
        for (int mirrored = 0; mirrored <= (r->eval.flip ? 1 : 0); mirrored++) {
            icseg_pass *p = &r->pass[r->passes++];
            *p = (icseg_pass){.view = view_at(r, i),
                              .mirrored = mirrored,
                              .keep = keep_of(r),
                              .keep_rows = r->eval.refine != ICSEG_REFINE_NONE,
                              .progress = &r->progress};
            ICSEG_TRY(icseg_pass_open(p, r->session, &r->eval, r->images->width, r->images->height, error));
            windows += icseg_sliding_count(&p->windows);
        }
    return begin_progress(r, windows, error);
}

static icseg_status run_passes(run *r, icseg_error *error) {
    int32_t height = r->images->height;
    ICSEG_TRY(open_passes(r, error));
    ICSEG_TRY(allocate_pixels(r, error));
    icseg_blend b = {.pass = r->pass,
                     .count = r->passes,
                     .images = r->images->count,
                     .width = r->images->width,
                     .height = height,
                     .classes = r->session->model->config.num_classes,
                     .top_k = r->top_k,
                     .open = r->session->model->open,
                     .labels = icseg_result_data(r->result, ICSEG_OUTPUT_LABELS),
                     .confidence = icseg_result_data(r->result, ICSEG_OUTPUT_CONFIDENCE),
                     .top_classes = icseg_result_data(r->result, ICSEG_OUTPUT_TOP_CLASSES),
                     .top_probabilities = icseg_result_data(r->result, ICSEG_OUTPUT_TOP_PROBABILITIES),
                     .probabilities = icseg_result_data(r->result, ICSEG_OUTPUT_PROBABILITIES),
                     .threads = r->session->threads};
    if (r->eval.refine) {
        ICSEG_TRY(icseg_pass_advance(r->pass, r->session, height - 1, error));
        if (r->outputs & NETWORK) ICSEG_TRY(copy_network(r, r->pass->network, error));
        return r->outputs & PIXELS ? icseg_refine_run(&b, r->images, error) : ICSEG_OK;
    }
    size_t floats = icseg_blend_floats(&b);
    b.scratch = r->scratch = icseg_alloc_array((size_t)b.threads, floats * sizeof *r->scratch);
    if (!b.scratch) return icseg_fail_memory(error, (size_t)b.threads * floats * sizeof(float), "rows of logits");
    for (int32_t y = 0, end; y < height; y = end) {
        end = height;
        for (int32_t i = 0; i < r->passes; i++) {
            ICSEG_TRY(icseg_pass_advance(&r->pass[i], r->session, y, error));
            end = icseg_pass_ready(&r->pass[i], y, end);
        }
        if (r->outputs & NETWORK) ICSEG_TRY(copy_network(r, r->pass->network, error)); /* one pass of one window */
        if (r->outputs & PIXELS) icseg_blend_rows(&b, y, end);
    }
    return ICSEG_OK;
}

/* -- running and preparing */

static bool is_whole(const run *r) {
    return r->eval.mode == ICSEG_EVAL_WHOLE && r->views == 1 && !r->view[0].count && !r->eval.flip && !r->eval.refine &&
           !r->session->model->open && !(r->outputs & PIXELS & ~LABELS);
}

static icseg_status perform(void *user) {
    run *r = user;
    icseg_status status = open_views(r, r->error);
    if (status == ICSEG_OK) status = is_whole(r) ? run_whole(r, r->error) : run_passes(r, r->error);
    close_run(r);
    return status;
}

/* *out is NULL on failure. */
static icseg_status run_images(icseg_session *session, const icseg_images *images, const icseg_run_options *options,
                               icseg_result **out, icseg_error *error) {
    run r = {.session = session, .images = images, .error = error};
    ICSEG_TRY(read_options(&r, options, error));
    ICSEG_TRY(icseg_result_open(&r.result, error));
    icseg_status status = icseg_threads_run(session->threads, perform, &r, error);
    if (status != ICSEG_OK) icseg_result_close(&r.result);
    *out = r.result;
    return status;
}

icseg_status icseg_session_run(icseg_session *session, const icseg_batch *batch, const icseg_run_options *options,
                               icseg_result **result, icseg_error *error) {
    icseg_images images;
    ICSEG_NEED(result);
    *result = NULL;
    ICSEG_NEED(session);
    ICSEG_NEED(batch);
    ICSEG_TRY(icseg_images_open(&images, batch, error));
    icseg_status status = run_images(session, &images, options, result, error);
    icseg_images_close(&images);
    return status;
}

icseg_status icseg_session_prepare(icseg_session *session, int32_t count, int32_t height, int32_t width,
                                   const icseg_run_options *options, icseg_error *error) {
    icseg_images images;
    icseg_result *result = NULL;
    ICSEG_NEED(session);
    ICSEG_TRY(icseg_images_open_grey(&images, count, width, height, error));
    icseg_status status = run_images(session, &images, options, &result, error);
    icseg_result_close(&result);
    icseg_images_close(&images);
    return status;
}

icseg_status icseg_session_predict(icseg_session *session, const icseg_image *image, const icseg_eval_options *options,
                                   icseg_labels *labels, float **confidence, icseg_error *error) {
    icseg_run_options o = {ICSEG_RUN_OPTIONS_INIT,
                           .outputs = ICSEG_OUTPUT_LABELS | (confidence ? ICSEG_OUTPUT_CONFIDENCE : 0),
                           .eval = options};
    icseg_batch batch = {ICSEG_BATCH_INIT, .count = 1};
    icseg_result *result = NULL;
    ICSEG_NEED(labels);
    *labels = (icseg_labels){0};
    if (confidence) *confidence = NULL;
    ICSEG_NEED(session);
    ICSEG_NEED(image);
    if (!image->data)
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "image", ICSEG_REMEDY_SET_FIELD,
                                "icseg_session_predict: the image is empty");
    ICSEG_TRY(icseg_images_check_size("image", "image", image->width, image->height, error));
    icseg_frame frame = {ICSEG_FRAME_RGB8, image->width, image->height, 0, image->data};
    batch.frames = &frame;
    ICSEG_TRY(icseg_session_run(session, &batch, &o, &result, error));
    *labels = (icseg_labels){image->width, image->height, icseg_result_take(result, ICSEG_OUTPUT_LABELS)};
    if (confidence) *confidence = icseg_result_take(result, ICSEG_OUTPUT_CONFIDENCE);
    icseg_result_close(&result);
    return ICSEG_OK;
}
