/* SPDX-License-Identifier: Apache-2.0
 * Creating, sharing and closing a model. */
#include "model/model.h"

#include <stdatomic.h>
#include <string.h>

#include "base/argument.h"
#include "base/struct_size.h"
#include "compute/primitive.h"
#include "model/config.h"
#include "text/synonyms.h"
#include "text/tokenizer.h"

/* One build at a small size declares every parameter. */
static icseg_status declare_params(icseg_model *m, icseg_error *error) {
    icseg_graph *graph;
    icseg_network network;
    int64_t side = 2 * icseg_config_min_side(&m->config);
    icseg_network_options options = {.batch = 1, .height = side, .width = side};
    ICSEG_TRY(icseg_graph_open(&graph, false, error));
    icseg_status status =
        m->open ? icseg_network_build_open(&network, graph, m->params, &m->config, m->open, true, &options, NULL, error)
                : icseg_network_build(&network, graph, m->params, &m->config, &m->texts, true, &options, NULL, error);
    if (status == ICSEG_OK) icseg_activation_ranges_mark(graph);
    icseg_graph_close(&graph);
    return status;
}

static icseg_status copy_names(icseg_model *m, const char *const *names, icseg_error *error) {
    size_t classes = (size_t)m->config.num_classes;
    m->class_names = icseg_arena_array(m->arena, classes, sizeof *m->class_names);
    bool complete = m->class_names != NULL;
    for (size_t k = 0; k < classes && complete; k++)
        complete = (m->class_names[k] = icseg_arena_strdup(m->arena, names[k])) != NULL;
    return complete ? ICSEG_OK : icseg_fail_memory(error, classes * sizeof *names, "class names");
}

static icseg_status copy_texts(icseg_model *m, const icseg_texts *texts, icseg_error *error) {
    size_t classes = (size_t)m->config.num_classes, count = (size_t)texts->count;
    icseg_tokens *tokens = icseg_arena_array(m->arena, count, sizeof *tokens);
    m->texts = (icseg_texts){.count = texts->count, .tokens = tokens};
    if (texts->names) m->texts.names = icseg_arena_copy(m->arena, texts->names, classes * sizeof *texts->names);
    bool complete = tokens && (m->texts.names || !texts->names);
    for (size_t i = 0; i < count && complete; i++) {
        const icseg_tokens *from = &texts->tokens[i];
        tokens[i] =
            (icseg_tokens){from->count, icseg_arena_copy(m->arena, from->ids, (size_t)from->count * sizeof *from->ids)};
        complete = tokens[i].ids != NULL;
    }
    return complete ? ICSEG_OK : icseg_fail_memory(error, count * sizeof *tokens, "class names");
}

static icseg_status copy_open(icseg_model *m, const icseg_open_vocabulary *open, icseg_error *error) {
    size_t words = (size_t)open->info.word_count, classes = (size_t)m->config.num_classes;
    size_t bytes = words * (size_t)m->config.embed_dim * sizeof *open->text;
    icseg_open_vocabulary *copy = icseg_arena_copy(m->arena, open, sizeof *open);
    if (copy) copy->text = icseg_arena_copy(m->arena, open->text, bytes);
    if (copy && open->words) copy->words = icseg_arena_copy(m->arena, open->words, classes * sizeof *open->words);
    if (copy) copy->info.summary = icseg_arena_strdup(m->arena, open->info.summary);
    m->open = copy;
    bool complete = copy && copy->text && copy->info.summary && (copy->words || !open->words);
    return complete ? ICSEG_OK : icseg_fail_memory(error, bytes, "class embeddings");
}

/* With either texts or an open vocabulary. */
static icseg_status build(icseg_model **out, const icseg_config *config, const char *const *names,
                          const icseg_texts *texts, const icseg_open_vocabulary *open, icseg_error *error) {
    icseg_status status;
    icseg_model *m = icseg_calloc_array(1, sizeof *m);
    if (!m) return icseg_fail_memory(error, sizeof *m, "a model");
    m->references = 1;
    pthread_mutex_init(&m->network_lock, NULL);
    m->config = *config;
    m->eval = (icseg_eval_options){ICSEG_EVAL_OPTIONS_INIT, .crop_height = 512, .crop_width = 512};
    ICSEG_TRY_GOTO(icseg_arena_open(&m->arena, error));
    ICSEG_TRY_GOTO(copy_names(m, names, error));
    ICSEG_TRY_GOTO(texts ? copy_texts(m, texts, error) : copy_open(m, open, error));
    ICSEG_TRY_GOTO(icseg_params_open(&m->params, error));
    ICSEG_TRY_GOTO(icseg_activation_ranges_open(&m->ranges, error));
    ICSEG_TRY_GOTO(declare_params(m, error));
    *out = m;
    return ICSEG_OK;
fail:
    icseg_model_close(&m);
    return status;
}

icseg_status icseg_model_build(icseg_model **out, const icseg_config *config, const char *const *names,
                               const icseg_texts *texts, icseg_error *error) {
    *out = NULL;
    ICSEG_TRY(icseg_config_check(config, error));
    return build(out, config, names, texts, NULL, error);
}

icseg_status icseg_model_build_open(icseg_model **out, const icseg_config *config, const char *const *names,
                                    const icseg_open_vocabulary *open, icseg_error *error) {
    *out = NULL;
    ICSEG_TRY(build(out, config, names, NULL, open, error));
    icseg_model_set_eval(*out, &(icseg_eval_options){ICSEG_EVAL_OPTIONS_INIT, .mode = ICSEG_EVAL_SLIDE,
                                                     .resize_short = 336, .crop_height = 224, .crop_width = 224,
                                                     .stride_height = 112, .stride_width = 112});
    return ICSEG_OK;
}

icseg_status icseg_model_need_trained(const icseg_model *m, const char *done, icseg_error *error) {
    if (!m->open) return ICSEG_OK;
    return icseg_fail(error, ICSEG_ERROR_UNSUPPORTED,
                      "an open-vocabulary model cannot be %s: it has CLIP's weights and no decoder", done);
}

const icseg_open_vocabulary_info *icseg_model_open_vocabulary_info(const icseg_model *m) {
    return m && m->open ? &m->open->info : NULL;
}

/* The token ids of the classes' names, or of all their synonyms. */
static icseg_status make_texts(const icseg_model_options *options, const icseg_tokenizer *tokenizer, icseg_arena *arena,
                               icseg_texts *out, icseg_error *error) {
    icseg_status status;
    size_t classes = (size_t)options->config->num_classes, count = classes;
    icseg_synonyms *all = icseg_arena_array(arena, classes, sizeof *all);
    int32_t *names = icseg_arena_array(arena, classes, sizeof *names);
    if (!all || !names) return icseg_fail_memory(error, 0, "class names");
    for (size_t k = 0; k < classes; k++) {
        all[k] = (icseg_synonyms){1, &options->class_names[k]};
        if (!options->class_synonyms) continue;
        if ((status = icseg_synonyms_split(&all[k], options->class_synonyms[k], arena, error)) != ICSEG_OK)
            return icseg_fail_prefix(error, "the name of class %zu", k), status;
        names[k] = (int32_t)all[k].count;
        count += all[k].count - 1;
    }
    icseg_tokens *tokens = icseg_arena_array(arena, count, sizeof *tokens), *next = tokens;
    if (!tokens) return icseg_fail_memory(error, count * sizeof *tokens, "class names");
    for (size_t k = 0; k < classes; k++)
        for (size_t i = 0; i < all[k].count; i++)
            if ((status = icseg_tokenize(tokenizer, all[k].names[i], arena, next++, error)) != ICSEG_OK)
                return icseg_fail_prefix(error, "the name of class %zu", k), status;
    *out = (icseg_texts){.count = (int32_t)count, .tokens = tokens, .names = options->class_synonyms ? names : NULL};
    return ICSEG_OK;
}

static icseg_status check_names(const icseg_model_options *o, icseg_error *error) {
    for (int32_t k = 0; k < o->config->num_classes; k++)
        if (!o->class_names[k] || (o->class_synonyms && !o->class_synonyms[k]))
            return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, o->class_names[k] ? "class_synonyms" : "class_names",
                                    ICSEG_REMEDY_SET_FIELD, "the name of class %d is NULL", k);
    return ICSEG_OK;
}

static icseg_status create(icseg_model **out, const icseg_model_options *options, icseg_error *error) {
    icseg_status status;
    icseg_tokenizer *tokenizer = NULL;
    icseg_arena *arena = NULL;
    icseg_texts texts;
    const icseg_config *config = options->config;
    ICSEG_TRY(icseg_config_check(config, error));
    ICSEG_TRY(check_names(options, error));
    ICSEG_TRY(
        icseg_tokenizer_open_sized(&tokenizer, options->tokenizer, options->vocabulary, config->vocab_size, error));
    ICSEG_TRY_GOTO(icseg_arena_open(&arena, error));
    ICSEG_TRY_GOTO(make_texts(options, tokenizer, arena, &texts, error));
    ICSEG_TRY_GOTO(icseg_model_build(out, config, options->class_names, &texts, error));
    icseg_params_initialise((*out)->params, options->seed);
fail:
    icseg_arena_close(&arena);
    icseg_tokenizer_close(&tokenizer);
    return status;
}

icseg_status icseg_model_create(icseg_model **out, const icseg_model_options *options, icseg_error *error) {
    enum { FIRST_SIZE = sizeof(icseg_model_options) };
    icseg_model_options o;
    icseg_config config;
    ICSEG_NEED(out);
    *out = NULL;
    ICSEG_NEED(options);
    ICSEG_TRY(icseg_struct_read(&o, sizeof o, options, FIRST_SIZE, "icseg_model_options", error));
    if (!o.config)
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "config", ICSEG_REMEDY_SET_FIELD, "config is NULL");
    if (!o.class_names)
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "class_names", ICSEG_REMEDY_SET_FIELD,
                                "class_names is NULL");
    ICSEG_TRY(icseg_config_read(&config, o.config, error));
    o.config = &config;
    return create(out, &o, error);
}

icseg_model *icseg_model_retain(icseg_model *m) {
    atomic_fetch_add_explicit(&m->references, 1, memory_order_relaxed);
    return m;
}

void icseg_model_close(icseg_model **model) {
    if (!model || !*model) return;
    icseg_model *m = *model;
    *model = NULL;
    if (atomic_fetch_sub_explicit(&m->references, 1, memory_order_acq_rel) > 1) return;
    icseg_activation_ranges_close(&m->ranges);
    pthread_mutex_destroy(&m->network_lock);
    if (m->base) {
        icseg_model_close(&m->base);
    } else {
        icseg_params_close(&m->params);
        icseg_arena_close(&m->arena);
    }
    icseg_free(m);
}

icseg_status icseg_model_with_ranges(icseg_model **out, icseg_model *model, const icseg_activation_ranges *ranges,
                                     icseg_error *error) {
    icseg_model *m = *out = icseg_calloc_array(1, sizeof *m);
    if (!m) return icseg_fail_memory(error, sizeof *m, "a model");
    icseg_model *base = model->base ? model->base : model;
    *m = (icseg_model){.references = 1,
                       .base = icseg_model_retain(base),
                       .config = base->config,
                       .class_names = base->class_names,
                       .texts = base->texts,
                       .params = base->params,
                       .eval = model->eval,
                       .eval_known = model->eval_known,
                       .values = model->values,
                       .labels = model->labels,
                       .trained_side = model->trained_side,
                       .val_share = model->val_share};
    pthread_mutex_init(&m->network_lock, NULL);
    memcpy(m->agreements, model->agreements, sizeof m->agreements);
    m->agreements[ICSEG_PRECISION_INT8] = (icseg_label_agreement){0}; /* it was measured with other ranges */
    icseg_status status = icseg_activation_ranges_open(&m->ranges, error);
    if (status == ICSEG_OK) status = icseg_activation_ranges_copy(m->ranges, ranges, error);
    if (status != ICSEG_OK) icseg_model_close(out);
    return status;
}

icseg_precision icseg_precision_here(icseg_precision requested) {
    if (requested == ICSEG_PRECISION_F32) return requested;
    if (requested == ICSEG_PRECISION_BF16X2)
        return icseg_compute_has_precision(ICSEG_PRODUCT_BF16X2) ? requested : ICSEG_PRECISION_F32;
    if (requested == ICSEG_PRECISION_INT8)
        return icseg_compute_has_precision(ICSEG_PRODUCT_INT8) ? requested : ICSEG_PRECISION_F32;
    return icseg_compute_bf16() >= ICSEG_BF16_FAST ? ICSEG_PRECISION_BF16 : ICSEG_PRECISION_F32;
}

void icseg_model_freeze_backbone(icseg_model *m) {
    for (int64_t i = 0; i < icseg_params_count(m->params); i++) {
        icseg_param *p = icseg_params_at(m->params, i);
        if (icseg_is_image_encoder(p->name)) p->options.trainable = false;
    }
}

const icseg_config *icseg_model_config(const icseg_model *m) { return m ? &m->config : NULL; }
const char *const *icseg_model_class_names(const icseg_model *m) { return m ? m->class_names : NULL; }
int32_t icseg_model_name_count(const icseg_model *m) {
    return !m ? 0 : m->open ? m->open->info.word_count : m->texts.count;
}
icseg_status icseg_model_need_calibration(const icseg_model *m, const char *field, icseg_error *error) {
    if (m->open)
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, field, ICSEG_REMEDY_SET_FIELD,
                                "an open-vocabulary model cannot be calibrated, which int8 needs; use bf16 or bf16x2");
    if (m->ranges_problem[0])
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, field, ICSEG_REMEDY_CALIBRATE,
                                "%s; calibrate the model again", m->ranges_problem);
    if (!icseg_model_is_calibrated(m))
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, field, ICSEG_REMEDY_CALIBRATE,
                                "int8 needs activation ranges, which this model does not have; calibrate it first");
    return ICSEG_OK;
}

bool icseg_model_is_calibrated(const icseg_model *m) { return m && icseg_activation_ranges_count(m->ranges) > 0; }

icseg_status icseg_model_calibration_of(const icseg_model *m, icseg_model_calibration *out, icseg_error *error) {
    enum { FIRST_SIZE = offsetof(icseg_model_calibration, kept_f32) };
    icseg_ranges_summary summary;
    ICSEG_NEED(m);
    ICSEG_NEED(out);
    icseg_activation_ranges_check(m->ranges, m->params, &summary);
    const icseg_model_calibration found = {.struct_size = sizeof found,
                                           .layers = summary.layers,
                                           .covered = summary.covered,
                                           .kept_f32 = summary.kept,
                                           .problem = m->ranges_problem[0] ? m->ranges_problem : NULL};
    return icseg_struct_write(out, &found, sizeof found, FIRST_SIZE, "icseg_model_calibration", error);
}
