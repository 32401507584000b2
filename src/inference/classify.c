/* SPDX-License-Identifier: Apache-2.0
 * Zero-shot classification: CLIP's preprocessing, class embeddings, and the softmax of scaled cosines. */
#include "icseg/classify.h"

#include <math.h>
#include <string.h>

#include "base/argument.h"
#include "base/progress.h"
#include "base/struct_size.h"
#include "base/text.h"
#include "base/threads.h"
#include "image/bicubic.h"
#include "image/normalize.h"
#include "inference/class_texts.h"
#include "weights/weights.h"

enum { NAMES_SHOWN = 8 }; /* in the summary */

static const float final_logit_scale = 100; /* the limit to which CLIP's training clips it */

struct icseg_classifier {
    int threads;
    icseg_arena *arena;     /* the path of the vocabulary */
    icseg_weights *weights; /* from which the encoders take their values when they need them */
    icseg_clip image, text; /* text: from the first call that encodes texts */
    icseg_tokenizer *tokenizer;
    icseg_string summary;
    icseg_classifier_info info;
    icseg_class_texts texts;
    float *pixels;    /* (side, side, 3) */
    float *embedding; /* (width) */
};

/* ------------------------------------------------------------------------------------------------- opening, closing */

static icseg_class_texts_options class_options(const icseg_classifier_options *o) {
    return (icseg_class_texts_options){.class_names = o->class_names,
                                       .class_count = o->class_count,
                                       .templates = o->templates,
                                       .template_count = o->template_count,
                                       .synonyms = o->synonyms,
                                       .cache = o->cache};
}

static icseg_status check_options(const icseg_classifier_options *o, icseg_error *error) {
    icseg_class_texts_options classes = class_options(o);
    if (!o->weights)
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "weights", ICSEG_REMEDY_SET_FIELD, "weights is NULL");
    ICSEG_TRY(icseg_threads_check(o->threads, error));
    if (o->synonyms == ICSEG_SYNONYMS_EACH)
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "synonyms", ICSEG_REMEDY_SET_FIELD,
                                "synonyms is each: a classifier has one embedding for each class; use first or mean");
    return icseg_class_texts_check(&classes, error);
}

static icseg_status describe(icseg_classifier *c, const char *path, const icseg_weights_report *report,
                             icseg_error *error) {
    icseg_string_printf(&c->summary, "%s: %s, %s names: ", path, icseg_weights_container(c->weights),
                        icseg_weights_naming(c->weights));
    icseg_weights_describe(&c->image.config, &c->summary);
    icseg_string_printf(&c->summary, "\nimages of %dx%d pixels, logit scale %.6g%s%s\n", c->info.side, c->info.side,
                        (double)c->info.logit_scale,
                        c->info.logit_scale_missing ? " (CLIP's; the weights do not contain one)" : "",
                        c->texts.cached ? ", embeddings of the texts from the cache" : "");
    icseg_weights_report_text(report, NAMES_SHOWN, &c->summary);
    c->info.summary = c->summary.data;
    return c->summary.failed ? icseg_fail_memory(error, 0, "the summary") : ICSEG_OK;
}

static icseg_status open_texts(icseg_classifier *c, const icseg_classifier_options *o, const icseg_config *config,
                               const icseg_progress *progress, icseg_error *error) {
    icseg_class_texts_options classes = class_options(o);
    ICSEG_TRY(icseg_tokenizer_open_for(&c->tokenizer, config->vocab_size, o->weights, o->vocabulary, c->arena, error));
    ICSEG_TRY(icseg_class_texts_open(&c->texts, c->weights, config, c->tokenizer, &classes, progress, error));
    c->info.class_names = c->texts.names;
    c->info.class_count = c->texts.classes;
    c->info.text = c->texts.embeddings;
    c->info.cached = c->texts.cached;
    return ICSEG_OK;
}

/* Texts first: their encoder is closed before the image encoder takes memory. */
static icseg_status open_encoders(icseg_classifier *c, const icseg_classifier_options *o,
                                  const icseg_progress *progress, icseg_weights_report *report, icseg_error *error) {
    icseg_config config;
    ICSEG_TRY(icseg_weights_read_clip(&config, &c->info.logit_scale, c->weights, o->config, report, error));
    ICSEG_TRY(icseg_weights_open_clip(&c->image, ICSEG_CLIP_IMAGE, c->weights, &config, report, error));
    c->info.logit_scale_missing = c->info.logit_scale == 0;
    if (c->info.logit_scale_missing) c->info.logit_scale = final_logit_scale;
    c->info.side = (int32_t)icseg_clip_side(&config);
    c->info.width = config.embed_dim;
    if (report->activation_assumed) {
        char text[ICSEG_WEIGHTS_ASSUMPTION];
        icseg_weights_describe_assumption(report, text, sizeof text);
        icseg_progress_say(progress, ICSEG_MESSAGE_WARNING, "%s: %s", o->weights, text);
    }
    ICSEG_TRY(open_texts(c, o, &config, progress, error));
    return describe(c, o->weights, report, error);
}

static icseg_status open_all(icseg_classifier *c, const icseg_classifier_options *o, const icseg_progress *progress,
                             icseg_error *error) {
    icseg_weights_report report = {0};
    ICSEG_TRY(icseg_weights_open_set(&c->weights, o->weights, o->state_dict, error));
    icseg_status status = open_encoders(c, o, progress, &report, error);
    icseg_weights_report_close(&report);
    return status == ICSEG_ERROR_NUMERIC ? icseg_weights_blame(c->weights, error) : status;
}

/* Arguments of a function that runs with the classifier's number of threads. */
typedef struct task {
    icseg_classifier *classifier;
    const icseg_classifier_options *options;
    const icseg_progress *progress;
    const icseg_image *image;
    const char *const *texts;
    size_t text_count;
    float *out; /* embeddings */
    icseg_error *error;
} task;

static icseg_status open_classifier(void *user) {
    const task *t = user;
    icseg_classifier *c = t->classifier;
    ICSEG_TRY(icseg_arena_open(&c->arena, t->error));
    ICSEG_TRY(open_all(c, t->options, t->progress, t->error));
    size_t pixels = (size_t)c->info.side * (size_t)c->info.side * 3;
    c->pixels = icseg_alloc_array(pixels, sizeof *c->pixels);
    c->embedding = icseg_alloc_array((size_t)c->info.width, sizeof *c->embedding);
    return c->pixels && c->embedding ? ICSEG_OK : icseg_fail_memory(t->error, 0, "a classifier");
}

icseg_status icseg_classifier_open(icseg_classifier **out, const icseg_classifier_options *options,
                                   const icseg_progress *progress, icseg_error *error) {
    enum { FIRST_SIZE = offsetof(icseg_classifier_options, config) };
    icseg_classifier_options o;
    icseg_progress copy;
    ICSEG_NEED(out);
    *out = NULL;
    ICSEG_NEED(options);
    ICSEG_TRY(icseg_struct_read(&o, sizeof o, options, FIRST_SIZE, "icseg_classifier_options", error));
    ICSEG_TRY(icseg_progress_read(&copy, progress, error));
    ICSEG_TRY(check_options(&o, error));
    icseg_classifier *c = *out = icseg_calloc_array(1, sizeof *c);
    if (!c) return icseg_fail_memory(error, sizeof *c, "a classifier");
    c->threads = icseg_threads_resolve(o.threads);
    task t = {.classifier = c, .options = &o, .progress = &copy, .error = error};
    icseg_status status = icseg_threads_run(c->threads, open_classifier, &t, error);
    if (status != ICSEG_OK) icseg_classifier_close(out);
    return status;
}

void icseg_classifier_close(icseg_classifier **classifier) {
    if (!classifier || !*classifier) return;
    icseg_classifier *c = *classifier;
    icseg_clip_close(&c->image);
    icseg_clip_close(&c->text);
    icseg_weights_close(&c->weights);
    icseg_tokenizer_close(&c->tokenizer);
    icseg_string_close(&c->summary);
    icseg_class_texts_close(&c->texts);
    icseg_free(c->pixels);
    icseg_free(c->embedding);
    icseg_arena_close(&c->arena);
    icseg_free(c);
    *classifier = NULL;
}

const icseg_classifier_info *icseg_classifier_describe(const icseg_classifier *c) { return c ? &c->info : NULL; }

/* ------------------------------------------------------------------------------------------------------ plain texts */

static icseg_status encode_plain(void *user) {
    const task *t = user;
    icseg_classifier *c = t->classifier;
    icseg_weights_report report = {0};
    icseg_status status = ICSEG_OK;
    if (!c->text.params)
        status = icseg_weights_open_clip(&c->text, ICSEG_CLIP_TEXT, c->weights, &c->image.config, &report, t->error);
    icseg_weights_report_close(&report);
    if (status == ICSEG_OK)
        status = icseg_texts_embed(&c->text, c->tokenizer, t->texts, t->text_count, t->out, t->error);
    return status == ICSEG_ERROR_NUMERIC ? icseg_weights_blame(c->weights, t->error) : status;
}

icseg_status icseg_classifier_encode_texts(icseg_classifier *classifier, const char *const *texts, size_t count,
                                           float *out, icseg_error *error) {
    ICSEG_NEED(classifier);
    ICSEG_NEED(texts);
    ICSEG_NEED(out);
    if (count < 1 || count > ICSEG_CLASS_TEXTS_MAX)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "%zu texts: expected 1..%d", count, (int)ICSEG_CLASS_TEXTS_MAX);
    for (size_t i = 0; i < count; i++)
        if (!texts[i]) return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "texts[%zu] is NULL", i);
    task t = {.classifier = classifier, .texts = texts, .text_count = count, .out = out, .error = error};
    return icseg_threads_run(classifier->threads, encode_plain, &t, error);
}

/* ----------------------------------------------------------------------------------------------------------- images */

/* CLIP's preprocessing. */
static icseg_status prepare(icseg_classifier *c, const icseg_image *image, icseg_error *error) {
    icseg_image square;
    if (!image->data || image->width < 1 || image->height < 1)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "the image is empty");
    icseg_window w = icseg_center_window(image->width, image->height, (int32_t)c->info.side);
    ICSEG_TRY(icseg_bicubic_resize(&square, image, &w, error));
    icseg_image_normalize(&square, c->pixels);
    icseg_image_close(&square);
    return ICSEG_OK;
}

static icseg_status embed(void *user) {
    const task *t = user;
    icseg_classifier *c = t->classifier;
    ICSEG_TRY(prepare(c, t->image, t->error));
    ICSEG_TRY(icseg_clip_encode_image(&c->image, c->pixels, t->out, t->error));
    if (icseg_unit_length(t->out, c->info.width)) return ICSEG_OK;
    icseg_fail_embedding("the image", t->error);
    return icseg_weights_blame(c->weights, t->error);
}

icseg_status icseg_classifier_embed(icseg_classifier *classifier, const icseg_image *image, float *out,
                                    icseg_error *error) {
    ICSEG_NEED(classifier);
    ICSEG_NEED(image);
    ICSEG_NEED(out);
    task t = {.classifier = classifier, .image = image, .out = out, .error = error};
    return icseg_threads_run(classifier->threads, embed, &t, error);
}

icseg_status icseg_classifier_score(const icseg_classifier *classifier, const float *embedding, float *probabilities,
                                    float *cosines, icseg_error *error) {
    ICSEG_NEED(classifier);
    ICSEG_NEED(embedding);
    ICSEG_NEED(probabilities);
    const icseg_classifier *c = classifier;
    int32_t classes = c->info.class_count, width = c->info.width;
    double largest = -1, sum = 0, scale = (double)c->info.logit_scale;
    for (int32_t k = 0; k < classes; k++) {
        const float *text = c->info.text + (size_t)k * (size_t)width;
        double cosine = 0;
        for (int32_t i = 0; i < width; i++) cosine += (double)text[i] * (double)embedding[i];
        probabilities[k] = (float)cosine;
        if (cosine > largest) largest = cosine;
    }
    if (cosines) memcpy(cosines, probabilities, (size_t)classes * sizeof *cosines);
    for (int32_t k = 0; k < classes; k++) sum += exp(scale * ((double)probabilities[k] - largest));
    for (int32_t k = 0; k < classes; k++)
        probabilities[k] = (float)(exp(scale * ((double)probabilities[k] - largest)) / sum);
    return ICSEG_OK;
}

icseg_status icseg_classifier_run(icseg_classifier *classifier, const icseg_image *image, float *probabilities,
                                  float *cosines, icseg_error *error) {
    ICSEG_NEED(classifier);
    ICSEG_NEED(image);
    ICSEG_NEED(probabilities);
    ICSEG_TRY(icseg_classifier_embed(classifier, image, classifier->embedding, error));
    return icseg_classifier_score(classifier, classifier->embedding, probabilities, cosines, error);
}
