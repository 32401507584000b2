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
#include "image/normalize.h"
#include "image/bicubic.h"
#include "model/clip.h"
#include "text/misencoded.h"
#include "text/synonyms.h"
#include "weights/weights.h"

enum {
    BATCH_TOKENS = 4096, /* tokens that are encoded together */
    MAX_TEXTS = 1 << 22,
    NAMES_SHOWN = 8 /* in the summary */
};

static const float final_logit_scale = 100; /* the limit to which CLIP's training clips it */

struct icseg_classifier {
    int threads;
    icseg_arena *arena; /* names */
    icseg_clip clip;
    icseg_tokenizer *tokenizer;
    icseg_string summary;
    icseg_classifier_info info;
    float *text;      /* (class_count, width) */
    float *pixels;    /* (side, side, 3) */
    float *embedding; /* (width) */
};

/* ------------------------------------------------------------------------------------------------------ the classes */

/* The texts of all classes, class by class: each name in each template. */
typedef struct text_list {
    icseg_tokens *tokens; /* (count) */
    int32_t *sizes;       /* (class_count): texts of each class */
    int32_t count;
} text_list;

/* Replaces each "{}" by `name`. */
static char *fill_template(icseg_arena *arena, const char *template, const char *name) {
    icseg_string s = {0};
    for (const char *at = template, *place; *at; at = place + 2) {
        place = strstr(at, "{}");
        icseg_string_append(&s, at, place ? (size_t)(place - at) : strlen(at));
        if (!place) break;
        icseg_string_append(&s, name, strlen(name));
    }
    char *text = s.failed || !s.data ? NULL : icseg_arena_strdup(arena, s.data);
    icseg_string_close(&s);
    return text;
}

static icseg_status tokenise(const icseg_classifier *c, const char *text, icseg_arena *arena, icseg_tokens *out,
                             icseg_error *error) {
    int32_t max = c->clip.config.context_length - 2; /* without SOS and EOS */
    ICSEG_TRY(icseg_tokenize(c->tokenizer, text, arena, out, error));
    if (out->count <= max) return ICSEG_OK;
    return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "\"%.80s%s\" has %d tokens, but the model accepts at most %d", text,
                      strlen(text) > 80 ? "..." : "", out->count, max);
}

static icseg_status check_options(const icseg_classifier_options *o, icseg_error *error) {
    if (!o->weights)
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "weights", ICSEG_REMEDY_SET_FIELD, "weights is NULL");
    if (!o->class_count || !o->class_names)
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "class_names", ICSEG_REMEDY_SET_FIELD,
                                "class_names is empty; list the names of the classes");
    if (o->class_count > ICSEG_CLASSIFY_MAX_CLASSES || o->template_count > ICSEG_CLASSIFY_MAX_TEMPLATES)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "%zu classes and %zu templates: expected at most %d and %d",
                          o->class_count, o->template_count, ICSEG_CLASSIFY_MAX_CLASSES, ICSEG_CLASSIFY_MAX_TEMPLATES);
    ICSEG_TRY(icseg_threads_check(o->threads, error));
    if (o->synonyms != ICSEG_SYNONYMS_FIRST && o->synonyms != ICSEG_SYNONYMS_MEAN)
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "synonyms", ICSEG_REMEDY_SET_FIELD,
                                "synonyms is %d: not a value of icseg_synonyms_use", (int)o->synonyms);
    for (size_t i = 0; i < o->class_count; i++)
        if (!o->class_names[i])
            return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "class_names", ICSEG_REMEDY_SET_FIELD,
                                    "class_names[%zu] is NULL", i);
    for (size_t i = 0; i < o->template_count; i++)
        if (!o->templates || !o->templates[i] || !strstr(o->templates[i], "{}"))
            return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "templates", ICSEG_REMEDY_SET_FIELD,
                                    "template \"%.80s\": write {} where the class name goes, as in \"a photo of a {}\"",
                                    o->templates && o->templates[i] ? o->templates[i] : "");
    return ICSEG_OK;
}

/* Adds the index of the class to an error. */
static icseg_status fail_name(size_t index, icseg_status status, icseg_error *error) {
    if (status != ICSEG_ERROR_MEMORY) icseg_fail_prefix(error, "the name of class %zu", index);
    return status;
}

static icseg_status list_texts(icseg_classifier *c, const icseg_classifier_options *o, text_list *out,
                               icseg_error *error) {
    static const char *const default_templates[] = {"a photo of a {}"};
    const char *const *templates = o->template_count ? o->templates : default_templates;
    size_t template_count = o->template_count ? o->template_count : 1, total = 0;
    icseg_synonyms *names = icseg_arena_array(c->arena, o->class_count, sizeof *names);
    const char **first = icseg_arena_array(c->arena, o->class_count, sizeof *first);
    out->sizes = icseg_arena_array(c->arena, o->class_count, sizeof *out->sizes);
    if (!names || !first || !out->sizes) return icseg_fail_memory(error, 0, "class names");
    c->info.class_names = first;
    for (size_t k = 0; k < o->class_count; k++) {
        icseg_status status = icseg_synonyms_split(&names[k], o->class_names[k], c->arena, error);
        if (status != ICSEG_OK) return fail_name(k, status, error);
        first[k] = names[k].names[0];
        if (o->synonyms == ICSEG_SYNONYMS_FIRST) names[k].count = 1;
        out->sizes[k] = (int32_t)(names[k].count * template_count);
        total += names[k].count * template_count;
    }
    if (total > MAX_TEXTS)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "class names and templates make %zu texts: expected at most %d",
                          total, (int)MAX_TEXTS);
    out->tokens = icseg_arena_array(c->arena, total, sizeof *out->tokens);
    if (!out->tokens) return icseg_fail_memory(error, total * sizeof *out->tokens, "class names");
    for (size_t k = 0; k < o->class_count; k++)
        for (size_t n = 0; n < names[k].count; n++)
            for (size_t t = 0; t < template_count; t++) {
                const char *text = fill_template(c->arena, templates[t], names[k].names[n]);
                if (!text) return icseg_fail_memory(error, 0, "a class's text");
                icseg_status status = tokenise(c, text, c->arena, &out->tokens[out->count++], error);
                if (status != ICSEG_OK) return fail_name(k, status, error);
            }
    return ICSEG_OK;
}

/* To unit length; false when that cannot be. */
static bool normalise(float *v, int32_t size) {
    double squares = 0;
    for (int32_t i = 0; i < size; i++) squares += (double)v[i] * (double)v[i];
    if (!(squares > 0) || !isfinite(squares)) return false;
    for (int32_t i = 0; i < size; i++) v[i] = (float)((double)v[i] / sqrt(squares));
    return true;
}

static icseg_status fail_numeric(const char *what, icseg_error *error) {
    return icseg_fail(error, ICSEG_ERROR_NUMERIC, "the embedding of %s is zero or not finite; the weights are damaged",
                      what);
}

/* Embeddings (count, width) of all texts, in batches. */
static icseg_status encode_texts(icseg_classifier *c, const text_list *list, const icseg_progress *progress, float *out,
                                 icseg_error *error) {
    icseg_stage stage = icseg_stage_begin(progress, "encode texts", list->count, "texts");
    for (int32_t i = 0, next; i < list->count; i = next) {
        int32_t rows = 0;
        for (next = i; next < list->count && (next == i || rows + list->tokens[next].count < BATCH_TOKENS); next++)
            rows += list->tokens[next].count + 1;
        ICSEG_TRY(icseg_clip_encode_texts(&c->clip, list->tokens + i, next - i, out + (size_t)i * (size_t)c->info.width,
                                          error));
        bool one_batch = i == 0 && next == list->count; /* too short for a progress report */
        if (!one_batch) ICSEG_TRY(icseg_stage_report(&stage, next, NULL, error));
    }
    return ICSEG_OK;
}

/* The embedding of a class: the mean of its texts' embeddings, which are normalised to unit length, as is the mean. */
static icseg_status average(icseg_classifier *c, const text_list *list, float *each, icseg_error *error) {
    int32_t width = c->info.width;
    for (int32_t k = 0; k < c->info.class_count; k++) {
        float *mean = c->text + (size_t)k * (size_t)width;
        for (int32_t i = 0; i < list->sizes[k]; i++, each += width) {
            if (!normalise(each, width)) return fail_numeric(c->info.class_names[k], error);
            for (int32_t j = 0; j < width; j++) mean[j] += each[j];
        }
        if (!normalise(mean, width)) return fail_numeric(c->info.class_names[k], error);
    }
    return ICSEG_OK;
}

static icseg_status open_text(icseg_classifier *c, const icseg_classifier_options *o, const icseg_progress *progress,
                              icseg_error *error) {
    text_list list = {0};
    ICSEG_TRY(
        icseg_tokenizer_open_for(&c->tokenizer, c->clip.config.vocab_size, o->weights, o->vocabulary, c->arena, error));
    ICSEG_TRY(list_texts(c, o, &list, error));
    icseg_status status = ICSEG_OK;
    icseg_warn_misencoded(o->class_names, (int32_t)o->class_count, progress);
    size_t width = (size_t)c->info.width;
    float *each = icseg_alloc_array((size_t)list.count, width * sizeof *each);
    c->text = icseg_calloc_array(o->class_count, width * sizeof *c->text);
    if (!each || !c->text) status = icseg_fail_memory(error, 0, "class embeddings");
    if (status == ICSEG_OK) status = encode_texts(c, &list, progress, each, error);
    if (status == ICSEG_OK) status = average(c, &list, each, error);
    icseg_free(each);
    return status;
}

/* ------------------------------------------------------------------------------------------------- opening, closing */

static icseg_status open_weights(icseg_classifier *c, const char *path, const char *config,
                                 const icseg_progress *progress, icseg_error *error) {
    icseg_weights *w;
    icseg_weights_report report = {0};
    ICSEG_TRY(icseg_weights_open(&w, path, error));
    icseg_status status = icseg_weights_open_clip(&c->clip, &c->info.logit_scale, w, config, &report, error);
    if (status == ICSEG_OK) {
        c->info.logit_scale_missing = c->info.logit_scale == 0;
        if (c->info.logit_scale_missing) c->info.logit_scale = final_logit_scale;
        c->info.side = (int32_t)icseg_clip_side(&c->clip.config);
        c->info.width = c->clip.config.embed_dim;
        icseg_string_printf(&c->summary, "%s: %s, %s names: ", path, icseg_weights_container(w),
                            icseg_weights_naming(w));
        icseg_weights_describe(&c->clip.config, &c->summary);
        icseg_string_printf(&c->summary, "\nimages of %dx%d pixels, logit scale %.6g%s\n", c->info.side, c->info.side,
                            (double)c->info.logit_scale,
                            c->info.logit_scale_missing ? " (CLIP's; the weights do not contain one)" : "");
        icseg_weights_report_text(&report, NAMES_SHOWN, &c->summary);
        if (report.activation_assumed) {
            char text[ICSEG_WEIGHTS_ASSUMPTION];
            icseg_weights_describe_assumption(&report, text, sizeof text);
            icseg_progress_say(progress, ICSEG_MESSAGE_WARNING, "%s: %s", path, text);
        }
        if (c->summary.failed) status = icseg_fail_memory(error, 0, "the summary");
    }
    icseg_weights_report_close(&report);
    icseg_weights_close(&w);
    return status;
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
    c->info.class_count = (int32_t)t->options->class_count;
    ICSEG_TRY(icseg_arena_open(&c->arena, t->error));
    ICSEG_TRY(open_weights(c, t->options->weights, t->options->config, t->progress, t->error));
    ICSEG_TRY(open_text(c, t->options, t->progress, t->error));
    size_t pixels = (size_t)c->info.side * (size_t)c->info.side * 3;
    c->pixels = icseg_alloc_array(pixels, sizeof *c->pixels);
    c->embedding = icseg_alloc_array((size_t)c->info.width, sizeof *c->embedding);
    if (!c->pixels || !c->embedding) return icseg_fail_memory(t->error, 0, "a classifier");
    c->info.summary = c->summary.data;
    c->info.text = c->text;
    return ICSEG_OK;
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
    icseg_clip_close(&c->clip);
    icseg_tokenizer_close(&c->tokenizer);
    icseg_string_close(&c->summary);
    icseg_free(c->text);
    icseg_free(c->pixels);
    icseg_free(c->embedding);
    icseg_arena_close(&c->arena);
    icseg_free(c);
    *classifier = NULL;
}

const icseg_classifier_info *icseg_classifier_describe(const icseg_classifier *c) { return c ? &c->info : NULL; }

/* ------------------------------------------------------------------------------------------------------ plain texts */

static icseg_status encode_in(icseg_arena *arena, const task *t) {
    icseg_classifier *c = t->classifier;
    text_list list = {.tokens = icseg_arena_array(arena, t->text_count, sizeof *list.tokens)};
    size_t width = (size_t)c->info.width;
    if (!list.tokens) return icseg_fail_memory(t->error, t->text_count * sizeof *list.tokens, "texts");
    for (size_t i = 0; i < t->text_count; i++) {
        icseg_status status = tokenise(c, t->texts[i], arena, &list.tokens[list.count++], t->error);
        if (status == ICSEG_ERROR_ARGUMENT) icseg_fail_prefix(t->error, "texts[%zu]", i);
        if (status != ICSEG_OK) return status;
    }
    ICSEG_TRY(encode_texts(c, &list, NULL, t->out, t->error));
    for (size_t i = 0; i < t->text_count; i++)
        if (!normalise(t->out + i * width, c->info.width)) return fail_numeric(t->texts[i], t->error);
    return ICSEG_OK;
}

static icseg_status encode_plain(void *user) {
    const task *t = user;
    icseg_arena *arena;
    ICSEG_TRY(icseg_arena_open(&arena, t->error));
    icseg_status status = encode_in(arena, t);
    icseg_arena_close(&arena);
    return status;
}

icseg_status icseg_classifier_encode_texts(icseg_classifier *classifier, const char *const *texts, size_t count,
                                           float *out, icseg_error *error) {
    ICSEG_NEED(classifier);
    ICSEG_NEED(texts);
    ICSEG_NEED(out);
    if (count < 1 || count > MAX_TEXTS)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "%zu texts: expected 1..%d", count, (int)MAX_TEXTS);
    for (size_t i = 0; i < count; i++)
        if (!texts[i]) return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "texts[%zu] is NULL", i);
    task t = {.classifier = classifier, .texts = texts, .text_count = count, .out = out, .error = error};
    return icseg_threads_run(classifier->threads, encode_plain, &t, error);
}

/* ----------------------------------------------------------------------------------------------------------- images */

/* Start of a centred window of `side` pixels in `size` pixels. Half pixels are rounded to even, as in Python. */
static int64_t center(int64_t size, int64_t side) {
    int64_t margin = size - side, half = margin / 2;
    return margin % 2 ? half + half % 2 : half;
}

/* CLIP's preprocessing: the long side is rounded down to whole pixels, as in torchvision's Resize. */
static icseg_status prepare(icseg_classifier *c, const icseg_image *image, icseg_error *error) {
    int64_t side = c->info.side, width = image->width, height = image->height;
    icseg_window w = {.width = (int32_t)side, .height = (int32_t)side};
    icseg_image square;
    if (!image->data || width < 1 || height < 1) return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "the image is empty");
    w.full_width = width <= height ? side : side * width / height;
    w.full_height = width <= height ? side * height / width : side;
    w.x = center(w.full_width, side);
    w.y = center(w.full_height, side);
    ICSEG_TRY(icseg_bicubic_resize(&square, image, &w, error));
    icseg_image_normalize(&square, c->pixels);
    icseg_image_close(&square);
    return ICSEG_OK;
}

static icseg_status embed(void *user) {
    const task *t = user;
    icseg_classifier *c = t->classifier;
    ICSEG_TRY(prepare(c, t->image, t->error));
    ICSEG_TRY(icseg_clip_encode_image(&c->clip, c->pixels, t->out, t->error));
    return normalise(t->out, c->info.width) ? ICSEG_OK : fail_numeric("the image", t->error);
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
        const float *text = c->text + (size_t)k * (size_t)width;
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
