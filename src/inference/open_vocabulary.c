/* SPDX-License-Identifier: Apache-2.0
 * Opening CLIP's weights as a model that labels pixels with any classes. */
#include "icseg/open_vocabulary.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/argument.h"
#include "base/progress.h"
#include "base/struct_size.h"
#include "base/text.h"
#include "base/threads.h"
#include "inference/class_texts.h"
#include "model/model.h"
#include "text/misencoded.h"
#include "text/synonyms.h"
#include "weights/weights.h"

enum { NAMES_SHOWN = 8 /* in the summary */ };

static const double default_logit_scale = 40;
static const char background_name[] = "background";

/* Arguments of the work, and what it opens. */
typedef struct task {
    const icseg_open_vocabulary_options *options;
    const icseg_progress *progress;
    icseg_error *error;
    icseg_model *model; /* the result */
    icseg_arena *arena;
    icseg_weights *weights;
    icseg_weights_report report;
    icseg_config config;
    icseg_tokenizer *tokenizer;
    icseg_class_texts texts;
    icseg_string summary;
    icseg_open_vocabulary open;
} task;

static void close_task(task *t) {
    icseg_string_close(&t->summary);
    icseg_class_texts_close(&t->texts);
    icseg_tokenizer_close(&t->tokenizer);
    icseg_weights_report_close(&t->report);
    icseg_weights_close(&t->weights);
    icseg_arena_close(&t->arena);
}

/* -- weights */

static icseg_status read_weights(task *t, icseg_error *error) {
    const icseg_open_vocabulary_options *o = t->options;
    float logit_scale; /* of classification; segmentation has its own */
    ICSEG_TRY(icseg_weights_open_set(&t->weights, o->weights, o->state_dict, error));
    if (icseg_weights_has_decoder(t->weights))
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT,
                          "%s: a segmentation model that was trained for its classes, not CLIP's weights; use it as it "
                          "is, without class names",
                          o->weights);
    ICSEG_TRY(icseg_weights_read_clip(&t->config, &logit_scale, t->weights, o->config, &t->report, error));
    ICSEG_TRY(icseg_open_method_resolve(&t->open.info.method, &t->config, error));
    if (!t->report.activation_assumed) return ICSEG_OK;
    char text[ICSEG_WEIGHTS_ASSUMPTION];
    icseg_weights_describe_assumption(&t->report, text, sizeof text);
    icseg_progress_say(t->progress, ICSEG_MESSAGE_WARNING, "%s: %s", o->weights, text);
    return ICSEG_OK;
}

static icseg_status describe(task *t, icseg_error *error) {
    icseg_string_printf(&t->summary, "%s: %s, %s names: ", t->options->weights, icseg_weights_container(t->weights),
                        icseg_weights_naming(t->weights));
    icseg_weights_describe(&t->config, &t->summary);
    icseg_string_printf(&t->summary, "\nmethod %s, logit scale %g, %d %s, %d %s%s\n",
                        icseg_open_method_name(t->open.info.method), t->open.info.logit_scale, (int)t->texts.classes,
                        icseg_plural(t->texts.classes, "class", "classes"), (int)t->texts.count,
                        icseg_plural(t->texts.count, "word", "words"),
                        t->texts.cached ? ", whose embeddings are from the cache" : "");
    icseg_weights_report_text(&t->report, NAMES_SHOWN, &t->summary);
    t->open.info.summary = t->summary.data;
    return t->summary.failed ? icseg_fail_memory(error, 0, "the summary") : ICSEG_OK;
}

/* -- classes */

/* Index of the class whose first name is "background"; -1: none. */
static icseg_status find_background(task *t, const char *const *names, size_t count, int32_t *out, icseg_error *error) {
    *out = -1;
    for (size_t k = 0; k < count && *out < 0; k++) {
        icseg_synonyms all;
        icseg_status status = icseg_synonyms_split(&all, names[k], t->arena, error);
        if (status != ICSEG_OK) return icseg_fail_prefix(error, "the name of class %zu", k), status;
        if (!strcasecmp(all.names[0], background_name)) *out = (int32_t)k;
    }
    return ICSEG_OK;
}

static int compare_names(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Of two classes of one name, the second would never be found. */
static icseg_status check_different(const task *t, icseg_error *error) {
    size_t count = (size_t)t->texts.classes;
    const char **sorted = icseg_arena_copy(t->arena, t->texts.names, count * sizeof *sorted);
    if (!sorted) return icseg_fail_memory(error, count * sizeof *sorted, "class names");
    qsort(sorted, count, sizeof *sorted, compare_names);
    for (size_t i = 1; i < count; i++)
        if (!strcmp(sorted[i - 1], sorted[i]))
            return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "class_names", ICSEG_REMEDY_SET_FIELD,
                                    "two classes are called \"%.80s\"; list each class once", sorted[i]);
    return ICSEG_OK;
}

/* The caller's classes, and the one of `background`: the words of each. */
static icseg_status list_classes(task *t, const char ***out, size_t *count, icseg_error *error) {
    const icseg_open_vocabulary_options *o = t->options;
    const char **list = icseg_arena_array(t->arena, o->class_count + 1, sizeof *list);
    int32_t found;
    if (!list) return icseg_fail_memory(error, o->class_count * sizeof *list, "class names");
    ICSEG_TRY(find_background(t, o->class_names, o->class_count, &found, error));
    bool added = o->background && found < 0;
    memcpy(list + added, o->class_names, o->class_count * sizeof *list);
    if (added) found = 0;
    if (o->background) list[found] = o->background;
    t->open.info.background = found;
    *out = list;
    *count = o->class_count + added;
    if (*count < 2)
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "class_names", ICSEG_REMEDY_SET_FIELD,
                                "one class: every pixel would be \"%.80s\"; list two classes or more, or give words of "
                                "the background",
                                list[0]);
    if (o->threshold > 0 && found < 0)
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "threshold", ICSEG_REMEDY_SET_FIELD,
                                "threshold: there is no class for pixels below it; give words of the background, or "
                                "add a class \"background\"");
    return ICSEG_OK;
}

static icseg_status embed_classes(task *t, icseg_error *error) {
    const icseg_open_vocabulary_options *o = t->options;
    icseg_class_texts_options texts = {.templates = o->templates,
                                       .template_count = o->template_count,
                                       .synonyms = ICSEG_SYNONYMS_EACH,
                                       .cache = o->cache};
    const char **names = NULL;
    ICSEG_TRY(list_classes(t, &names, &texts.class_count, error));
    texts.class_names = names;
    ICSEG_TRY(icseg_class_texts_check(&texts, error));
    ICSEG_TRY(
        icseg_tokenizer_open_for(&t->tokenizer, t->config.vocab_size, o->weights, o->vocabulary, t->arena, error));
    icseg_warn_misencoded(names, (int32_t)texts.class_count, t->progress);
    ICSEG_TRY(icseg_class_texts_open(&t->texts, t->weights, &t->config, t->tokenizer, &texts, t->progress, error));
    if (o->background) t->texts.names[t->open.info.background] = background_name;
    t->open.words = t->texts.words;
    t->open.text = t->texts.embeddings;
    t->open.info.word_count = t->texts.count;
    t->open.info.cached = t->texts.cached;
    return check_different(t, error);
}

/* -- the model */

/* The fields that describe a trained model say that this one has no prompt and one score map. */
static void complete_config(task *t) {
    icseg_config *c = &t->config;
    c->num_classes = t->texts.classes;
    c->prompt = ICSEG_PROMPT_TEMPLATE;
    c->post_prompt = false;
    c->contrast_weight = 0;
    for (int i = 0; i < ICSEG_LEVELS; i++) c->align[i] = i == icseg_config_embed_level(c);
}

static icseg_status open_model(void *user) {
    task *t = user;
    ICSEG_TRY(icseg_arena_open(&t->arena, t->error));
    ICSEG_TRY(read_weights(t, t->error));
    icseg_status status = embed_classes(t, t->error);
    if (status != ICSEG_OK) return status == ICSEG_ERROR_NUMERIC ? icseg_weights_blame(t->weights, t->error) : status;
    ICSEG_TRY(describe(t, t->error));
    complete_config(t);
    ICSEG_TRY(icseg_model_build_open(&t->model, &t->config, t->texts.names, &t->open, t->error));
    return icseg_weights_give_params(t->model->params, &t->weights, &t->report, t->error);
}

static icseg_status check_options(const icseg_open_vocabulary_options *o, icseg_error *error) {
    if (!o->weights)
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "weights", ICSEG_REMEDY_SET_FIELD, "weights is NULL");
    if (!(o->threshold >= 0 && o->threshold <= 1))
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "threshold", ICSEG_REMEDY_SET_FIELD,
                                "threshold is %g: expected a probability, 0..1", o->threshold);
    if (!(o->logit_scale >= 0 && o->logit_scale <= 1000))
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "logit_scale", ICSEG_REMEDY_SET_FIELD,
                                "logit_scale is %g: expected 0..1000", o->logit_scale);
    ICSEG_TRY(icseg_threads_check(o->threads, error));
    return icseg_class_texts_check(&(icseg_class_texts_options){.class_names = o->class_names,
                                                                .class_count = o->class_count,
                                                                .templates = o->templates,
                                                                .template_count = o->template_count,
                                                                .synonyms = ICSEG_SYNONYMS_EACH},
                                   error);
}

icseg_status icseg_model_open_vocabulary(icseg_model **out, const icseg_open_vocabulary_options *options,
                                         const icseg_progress *progress, icseg_error *error) {
    enum { FIRST_SIZE = sizeof(icseg_open_vocabulary_options) };
    icseg_open_vocabulary_options o;
    icseg_progress copy;
    ICSEG_NEED(out);
    *out = NULL;
    ICSEG_NEED(options);
    ICSEG_TRY(icseg_struct_read(&o, sizeof o, options, FIRST_SIZE, "icseg_open_vocabulary_options", error));
    ICSEG_TRY(icseg_progress_read(&copy, progress, error));
    ICSEG_TRY(check_options(&o, error));
    task t = {.options = &o, .progress = &copy, .error = error};
    t.open.info = (icseg_open_vocabulary_info){.method = o.method,
                                               .background = -1,
                                               .threshold = o.threshold,
                                               .logit_scale = o.logit_scale > 0 ? o.logit_scale : default_logit_scale};
    icseg_status status = icseg_threads_run(icseg_threads_resolve(o.threads), open_model, &t, error);
    if (status == ICSEG_OK)
        *out = t.model;
    else
        icseg_model_close(&t.model);
    close_task(&t);
    return status;
}
