/* SPDX-License-Identifier: Apache-2.0
 * Making a model, and the sessions that run it. */
#include "model/model.h"

#include <string.h>

#include "compute/primitive.h"
#include "text/synonyms.h"
#include "text/tokenizer.h"

/* Every parameter is declared by one build at a small size. */
static icseg_status declare_params(icseg_model *m, icseg_error *error) {
    icseg_graph *graph;
    icseg_network network;
    icseg_network_options options = {.batch = 1, .height = 64, .width = 64};
    ICSEG_TRY(icseg_graph_open(&graph, false, error));
    icseg_status status =
        icseg_network_build(&network, graph, m->params, &m->config, &m->texts, true, &options, NULL, error);
    icseg_graph_close(&graph);
    return status;
}

static icseg_status copy_names(icseg_model *m, const char *const *names, const icseg_texts *texts, icseg_error *error) {
    size_t classes = (size_t)m->config.num_classes, count = (size_t)texts->count;
    m->class_names = icseg_arena_array(m->arena, classes, sizeof *m->class_names);
    icseg_tokens *tokens = icseg_arena_array(m->arena, count, sizeof *tokens);
    m->texts = (icseg_texts){.count = texts->count, .tokens = tokens};
    if (texts->names) m->texts.names = icseg_arena_copy(m->arena, texts->names, classes * sizeof *texts->names);
    bool complete = m->class_names && tokens && (m->texts.names || !texts->names);
    for (size_t k = 0; k < classes && complete; k++)
        complete = (m->class_names[k] = icseg_arena_strdup(m->arena, names[k])) != NULL;
    for (size_t i = 0; i < count && complete; i++) {
        const icseg_tokens *from = &texts->tokens[i];
        tokens[i] =
            (icseg_tokens){from->count, icseg_arena_copy(m->arena, from->ids, (size_t)from->count * sizeof *from->ids)};
        complete = tokens[i].ids != NULL;
    }
    return complete ? ICSEG_OK : icseg_fail_memory(error, count * sizeof *tokens, "class names");
}

icseg_status icseg_model_build(icseg_model **out, const icseg_config *config, const char *const *names,
                               const icseg_texts *texts, icseg_error *error) {
    icseg_status status;
    *out = NULL;
    ICSEG_TRY(icseg_config_check(config, error));
    icseg_model *m = icseg_calloc_array(1, sizeof *m);
    if (!m) return icseg_fail_memory(error, sizeof *m, "a model");
    m->config = *config;
    m->eval = icseg_eval_options_default();
    ICSEG_TRY_GOTO(icseg_arena_open(&m->arena, error));
    ICSEG_TRY_GOTO(copy_names(m, names, texts, error));
    ICSEG_TRY_GOTO(icseg_params_open(&m->params, error));
    ICSEG_TRY_GOTO(icseg_workspace_open(&m->workspace, error));
    ICSEG_TRY_GOTO(icseg_activation_ranges_open(&m->ranges, error));
    ICSEG_TRY_GOTO(declare_params(m, error));
    *out = m;
    return ICSEG_OK;
fail:
    icseg_model_close(&m);
    return status;
}

/* The token ids of the classes' names, or of all their synonyms. */
static icseg_status make_texts(const icseg_model_options *options, const icseg_tokenizer *tokenizer, icseg_arena *arena,
                               icseg_texts *out, icseg_error *error) {
    size_t classes = (size_t)options->config.num_classes, count = classes;
    icseg_synonyms *all = icseg_arena_array(arena, classes, sizeof *all);
    int32_t *names = icseg_arena_array(arena, classes, sizeof *names);
    if (!all || !names) return icseg_fail_memory(error, classes * sizeof *all, "class names");
    for (size_t k = 0; k < classes; k++) {
        all[k] = (icseg_synonyms){1, &options->class_names[k]};
        if (!options->class_synonyms) continue;
        ICSEG_TRY(icseg_synonyms_split(&all[k], options->class_synonyms[k], arena, error));
        names[k] = (int32_t)all[k].count;
        count += all[k].count - 1;
    }
    icseg_tokens *tokens = icseg_arena_array(arena, count, sizeof *tokens), *next = tokens;
    if (!tokens) return icseg_fail_memory(error, count * sizeof *tokens, "class names");
    for (size_t k = 0; k < classes; k++)
        for (size_t i = 0; i < all[k].count; i++)
            ICSEG_TRY(icseg_tokenize(tokenizer, all[k].names[i], arena, next++, error));
    *out = (icseg_texts){(int32_t)count, tokens, options->class_synonyms ? names : NULL};
    return ICSEG_OK;
}

icseg_status icseg_model_create(icseg_model **out, const icseg_model_options *options, icseg_error *error) {
    icseg_status status;
    icseg_tokenizer *tokenizer = NULL;
    icseg_arena *arena = NULL;
    *out = NULL;
    const icseg_config *config = &options->config;
    ICSEG_TRY(icseg_config_check(config, error));
    ICSEG_TRY(icseg_tokenizer_open_sized(&tokenizer, options->tokenizer, options->vocab, config->vocab_size, error));
    ICSEG_TRY_GOTO(icseg_arena_open(&arena, error));
    icseg_texts texts;
    ICSEG_TRY_GOTO(make_texts(options, tokenizer, arena, &texts, error));
    ICSEG_TRY_GOTO(icseg_model_build(out, config, options->class_names, &texts, error));
    icseg_params_initialise((*out)->params, options->seed);
fail:
    icseg_arena_close(&arena);
    icseg_tokenizer_close(&tokenizer);
    return status;
}

static void close_session(icseg_session *s) {
    icseg_executor_close(&s->executor);
    icseg_graph_close(&s->graph);
    memset(s, 0, sizeof *s);
}

/* All that was built for the model as it was. */
static void close_sessions(icseg_model *m) {
    for (int i = 0; i < ICSEG_SESSIONS; i++) close_session(&m->session[i]);
    icseg_cached_text_close(&m->text);
}

void icseg_model_close(icseg_model **model) {
    if (!model || !*model) return;
    icseg_model *m = *model;
    close_sessions(m);
    icseg_activation_ranges_close(&m->ranges);
    icseg_workspace_close(&m->workspace);
    icseg_params_close(&m->params);
    icseg_arena_close(&m->arena);
    icseg_free(m);
    *model = NULL;
}

static bool is_forward(const icseg_network_options *o) { return !o->training && !o->gradients && !o->plain; }

static icseg_status open_session(icseg_model *m, icseg_session *s, const icseg_network_options *options,
                                 icseg_error *error) {
    icseg_network_options built = *options;
    if (is_forward(options) && icseg_network_text_is_fixed(&m->config)) built.text_given = 1;
    s->options = *options;
    ICSEG_TRY(icseg_graph_open(&s->graph, options->training != 0, error));
    ICSEG_TRY(
        icseg_network_build(&s->network, s->graph, m->params, &m->config, &m->texts, false, &built, m->ranges, error));
    if (options->gradients) ICSEG_TRY(icseg_params_allocate_gradients(m->params, error));
    return icseg_executor_open(&s->executor, s->graph, m->workspace, error);
}

static icseg_status bind_text(icseg_model *m, icseg_session *s, icseg_error *error) {
    const float *text;
    if (s->network.given_text == ICSEG_NONE) return ICSEG_OK;
    ICSEG_TRY(icseg_model_cached_text(m, &text, error));
    icseg_executor_bind(s->executor, s->network.given_text, text);
    return ICSEG_OK;
}

icseg_status icseg_model_session(icseg_model *m, const icseg_network_options *wanted, icseg_session **out,
                                 icseg_error *error) {
    icseg_session *s = NULL, *oldest = &m->session[0];
    icseg_network_options given = *wanted, *options = &given;
    if (is_forward(options)) given.precision = (int32_t)m->precision;
    *out = NULL;
    for (int i = 0; i < ICSEG_SESSIONS; i++) {
        icseg_session *at = &m->session[i];
        if (at->executor && !memcmp(&at->options, options, sizeof *options)) s = at;
        if (at->last_use < oldest->last_use) oldest = at;
    }
    if (!s) {
        s = oldest;
        close_session(s);
        icseg_status status = open_session(m, s, options, error);
        if (status != ICSEG_OK) {
            close_session(s);
            return status;
        }
    }
    ICSEG_TRY(bind_text(m, s, error));
    s->last_use = ++m->uses;
    *out = s;
    return ICSEG_OK;
}

icseg_precision icseg_precision_here(icseg_precision wanted) {
    if (wanted == ICSEG_PRECISION_F32) return wanted;
    if (wanted == ICSEG_PRECISION_BF16X2 || wanted == ICSEG_PRECISION_INT8)
        return icseg_compute_has_precision(ICSEG_PRODUCT_INT8) ? wanted : ICSEG_PRECISION_F32;
    return icseg_compute_bf16() >= ICSEG_BF16_FAST ? ICSEG_PRECISION_BF16 : ICSEG_PRECISION_F32;
}

icseg_precision icseg_model_use_precision(icseg_model *m, icseg_precision precision) {
    icseg_precision used = icseg_precision_here(precision);
    if (used == ICSEG_PRECISION_INT8 && !icseg_model_is_calibrated(m)) used = ICSEG_PRECISION_F32;
    if (used != m->precision) icseg_cached_text_close(&m->text);
    m->precision = used;
    return used;
}

int icseg_model_is_calibrated(const icseg_model *m) { return icseg_activation_ranges_count(m->ranges) > 0; }

/* While ranges are recorded the network is that of int8 without any ranges. */
icseg_status icseg_model_calibrate(icseg_model *m, int on, icseg_error *error) {
    bool recording = icseg_activation_ranges_recording(m->ranges);
    if (recording == (on != 0))
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "a calibration has %s", recording ? "begun" : "not begun");
    close_sessions(m);
    icseg_activation_ranges_record(m->ranges, on != 0);
    m->precision = on ? ICSEG_PRECISION_INT8 : ICSEG_PRECISION_F32;
    if (on || icseg_model_is_calibrated(m)) return ICSEG_OK;
    return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "a calibration needs at least one image");
}

void icseg_model_freeze_backbone(icseg_model *m) {
    for (int64_t i = 0; i < icseg_params_count(m->params); i++) {
        icseg_param *p = icseg_params_at(m->params, i);
        if (icseg_is_image_encoder(p->name)) p->options.trainable = false;
    }
}

const icseg_config *icseg_model_config(const icseg_model *m) { return &m->config; }
const char *const *icseg_model_class_names(const icseg_model *m) { return m->class_names; }

icseg_status icseg_model_cost_at(icseg_model_cost *out, icseg_model *m, int64_t batch, int64_t height, int64_t width,
                                 icseg_error *error) {
    icseg_network_options options = {
        .batch = batch, .height = height, .width = width, .predict_height = height, .predict_width = width};
    icseg_session *session;
    *out = (icseg_model_cost){0};
    ICSEG_TRY(icseg_model_session(m, &options, &session, error));
    icseg_plan_summary plan = icseg_executor_summary(session->executor);
    *out = (icseg_model_cost){
        .flops = plan.flops, .activations = plan.activations, .unplanned = plan.unplanned, .scratch = plan.scratch};
    for (int64_t i = 0; i < icseg_params_count(m->params); i++) {
        const icseg_param *p = icseg_params_at(m->params, i);
        out->weights += (size_t)p->count * sizeof(float);
        if (!p->options.buffer) out->parameters += p->count;
        if (p->options.trainable) out->trainable += p->count;
    }
    return ICSEG_OK;
}
