/* SPDX-License-Identifier: Apache-2.0
 * The label map of one image: whole or in windows, with or without test-time augmentation. */
#include <math.h>
#include <omp.h>
#include <string.h>

#include "base/memory.h"
#include "image/normalize.h"
#include "inference/pass.h"

enum { MOST_PASSES = 2 * ICSEG_EVAL_SCALES };

/* Everything one prediction holds. */
typedef struct prediction {
    icseg_model *model;
    const icseg_image *image;
    const icseg_eval_options *options;
    int32_t views, passes;
    icseg_image view[ICSEG_EVAL_SCALES]; /* resized copies; data NULL: the image itself */
    icseg_pass pass[MOST_PASSES];
    icseg_labels labels;
    float *confidence; /* (height, width) or NULL */
    float *scratch;
} prediction;

static void close_prediction(prediction *p) {
    for (int32_t i = 0; i < MOST_PASSES; i++) icseg_pass_close(&p->pass[i]);
    for (int32_t i = 0; i < ICSEG_EVAL_SCALES; i++) icseg_image_close(&p->view[i]);
    icseg_labels_close(&p->labels);
    icseg_free(p->confidence);
    icseg_free(p->scratch);
}

static const icseg_image *view_at(const prediction *p, int32_t i) { return p->view[i].data ? &p->view[i] : p->image; }

static icseg_status open_views(prediction *p, icseg_error *error) {
    const icseg_eval_options *o = p->options;
    p->views = o->scale_count ? o->scale_count : 1;
    for (int32_t i = 0; i < p->views; i++) {
        int32_t width, height;
        icseg_resize_target(o->resize_short, o->resize_long, o->scale_count ? o->scale[i] : 1, p->image->width,
                            p->image->height, &width, &height);
        if (width < ICSEG_SMALLEST_SIDE) width = ICSEG_SMALLEST_SIDE;
        if (height < ICSEG_SMALLEST_SIDE) height = ICSEG_SMALLEST_SIDE;
        if (width == p->image->width && height == p->image->height) continue;
        ICSEG_TRY(icseg_image_resize(&p->view[i], p->image, width, height, error));
    }
    return ICSEG_OK;
}

static icseg_status blend(prediction *p, icseg_error *error) {
    int32_t width = p->labels.width, height = p->labels.height;
    for (int32_t i = 0; i < p->views; i++)
        for (int mirrored = 0; mirrored <= p->options->flip; mirrored++)
            ICSEG_TRY(icseg_pass_open(&p->pass[p->passes++], p->model, view_at(p, i), mirrored, p->options, width,
                                      height, error));
    icseg_blend b = {.pass = p->pass,
                     .count = p->passes,
                     .labels = &p->labels,
                     .confidence = p->confidence,
                     .threads = omp_get_max_threads()};
    size_t floats = icseg_blend_floats(&b);
    b.scratch = p->scratch = icseg_alloc_array((size_t)b.threads, floats * sizeof *p->scratch);
    if (!b.scratch) return icseg_fail_memory(error, (size_t)b.threads * floats * sizeof(float), "rows of logits");
    for (int32_t y = 0, end; y < height; y = end) {
        end = height;
        for (int32_t i = 0; i < p->passes; i++) {
            ICSEG_TRY(icseg_pass_advance(&p->pass[i], p->model, y, error));
            end = icseg_pass_ready(&p->pass[i], y, end);
        }
        icseg_blend_rows(&b, y, end);
    }
    return ICSEG_OK;
}

/* The common case, one run at the image's own size: the network labels the pixels itself. */
static icseg_status run_once(prediction *p, icseg_error *error) {
    icseg_network_options options;
    icseg_session *s;
    memset(&options, 0, sizeof options); /* compared bytewise */
    options.batch = 1;
    options.height = options.predict_height = p->image->height;
    options.width = options.predict_width = p->image->width;
    options.confidence = p->confidence != NULL;
    options.keep_logits = 1;
    ICSEG_TRY(icseg_pass_run(p->model, &options, p->image, &s, error));
    size_t pixels = (size_t)p->labels.width * (size_t)p->labels.height;
    memcpy(p->labels.data, icseg_executor_data(s->executor, s->network.prediction[0]), pixels * sizeof(int16_t));
    if (p->confidence)
        memcpy(p->confidence, icseg_executor_data(s->executor, s->network.prediction[1]), pixels * sizeof(float));
    return ICSEG_OK;
}

icseg_status icseg_predict(icseg_model *model, const icseg_image *image, const icseg_eval_options *options,
                           icseg_labels *out, float **confidence, icseg_error *error) {
    if (!options) options = &model->eval;
    prediction p = {.model = model, .image = image, .options = options};
    icseg_status status;
    *out = (icseg_labels){0};
    if (confidence) *confidence = NULL;
    ICSEG_TRY(icseg_eval_options_check(options, error));
    if (!image->data) return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "icseg_predict: the image is empty");
    ICSEG_TRY_GOTO(icseg_labels_create(&p.labels, image->width, image->height, error));
    if (confidence) {
        size_t pixels = (size_t)image->width * (size_t)image->height;
        p.confidence = icseg_alloc_array(pixels, sizeof *p.confidence);
        if (!p.confidence) {
            status = icseg_fail_memory(error, pixels * sizeof *p.confidence, "a map of confidences");
            goto fail;
        }
    }
    ICSEG_TRY_GOTO(open_views(&p, error));
    bool once = options->mode == ICSEG_EVAL_WHOLE && p.views == 1 && !p.view[0].data && !options->flip;
    ICSEG_TRY_GOTO(once ? run_once(&p, error) : blend(&p, error));
    *out = p.labels;
    p.labels = (icseg_labels){0};
    if (confidence) *confidence = p.confidence;
    p.confidence = confidence ? NULL : p.confidence;
fail:
    close_prediction(&p);
    return status;
}
