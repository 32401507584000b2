/* SPDX-License-Identifier: Apache-2.0
 * Opening sessions, and their cache of networks. */
#include "inference/session.h"

#include <string.h>

#include "base/argument.h"
#include "base/struct_size.h"
#include "base/threads.h"
#include "model/network.h"

enum { DEFAULT_NETWORKS = 8, MAX_NETWORKS = 1024 };

/* -- opening, closing */

/* The caller sets precision and ranges. */
static icseg_status open_session(icseg_session **out, icseg_model *model, int32_t threads, int32_t networks,
                                 icseg_error *error) {
    icseg_status status = ICSEG_OK;
    icseg_session *s = *out = icseg_calloc_array(1, sizeof *s);
    if (!s) return icseg_fail_memory(error, sizeof *s, "a session");
    s->model = icseg_model_retain(model);
    s->threads = icseg_threads_resolve(threads);
    s->network_count = networks ? networks : DEFAULT_NETWORKS;
    s->networks = icseg_calloc_array((size_t)s->network_count, sizeof *s->networks);
    if (!s->networks)
        status = icseg_fail_memory(error, (size_t)s->network_count * sizeof *s->networks, "a session's networks");
    if (status == ICSEG_OK) status = icseg_workspace_open(&s->workspace, error);
    if (status != ICSEG_OK) icseg_session_close(out);
    return status;
}

static icseg_status check(const icseg_session_options *o, const icseg_model *model, icseg_error *error) {
    ICSEG_TRY(icseg_threads_check(o->threads, error));
    if (o->cached_networks < 0 || o->cached_networks > MAX_NETWORKS)
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "cached_networks", ICSEG_REMEDY_SET_FIELD,
                                "cached_networks is %d: expected 0..%d", o->cached_networks, MAX_NETWORKS);
    if ((int)o->precision < ICSEG_PRECISION_F32 || o->precision > ICSEG_PRECISION_INT8)
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "precision", ICSEG_REMEDY_SET_FIELD,
                                "precision is %d: not a value of icseg_precision", (int)o->precision);
    if (o->precision == ICSEG_PRECISION_INT8) ICSEG_TRY(icseg_model_need_calibration(model, "precision", error));
    return ICSEG_OK;
}

icseg_status icseg_session_open(icseg_session **out, icseg_model *model, const icseg_session_options *options,
                                icseg_error *error) {
    enum { FIRST_SIZE = sizeof(icseg_session_options) };
    icseg_session_options o;
    ICSEG_NEED(out);
    *out = NULL;
    ICSEG_NEED(model);
    ICSEG_TRY(icseg_struct_read(&o, sizeof o, options, FIRST_SIZE, "icseg_session_options", error));
    ICSEG_TRY(check(&o, model, error));
    ICSEG_TRY(open_session(out, model, o.threads, o.cached_networks, error));
    (*out)->precision =
        o.precision == ICSEG_PRECISION_AUTO ? icseg_model_auto_precision(model) : icseg_precision_here(o.precision);
    (*out)->ranges = model->ranges;
    return ICSEG_OK;
}

icseg_status icseg_session_open_recording(icseg_session **out, icseg_model *model, int32_t threads,
                                          icseg_activation_ranges *ranges, icseg_error *error) {
    ICSEG_TRY(open_session(out, model, threads, 0, error));
    (*out)->precision = ICSEG_PRECISION_INT8;
    (*out)->ranges = ranges;
    icseg_activation_ranges_record(ranges, true);
    return ICSEG_OK;
}

static void close_network(icseg_prepared_network *n, icseg_model *model) {
    icseg_executor_close(&n->executor);
    icseg_built_network_release(&n->built, model);
    memset(n, 0, sizeof *n);
}

void icseg_session_close(icseg_session **session) {
    if (!session || !*session) return;
    icseg_session *s = *session;
    for (int32_t i = 0; s->networks && i < s->network_count; i++) close_network(&s->networks[i], s->model);
    icseg_free(s->networks);
    icseg_built_network_release(&s->text, s->model);
    icseg_workspace_close(&s->workspace);
    icseg_free(s->input);
    icseg_model_close(&s->model);
    icseg_free(s);
    *session = NULL;
}

const icseg_model *icseg_session_model(const icseg_session *s) { return s ? s->model : NULL; }
int32_t icseg_session_threads(const icseg_session *s) { return s ? s->threads : 0; }
icseg_precision icseg_session_precision(const icseg_session *s) { return s ? s->precision : ICSEG_PRECISION_F32; }

/* -- networks */

static icseg_status open_network(icseg_session *s, icseg_prepared_network *n, const icseg_network_options *options,
                                 icseg_error *error) {
    n->options = *options;
    ICSEG_TRY(icseg_built_network_get(&n->built, s, options, error));
    n->network = n->built->network;
    n->graph = n->built->graph;
    return icseg_executor_open_shared(&n->executor, n->built->program, s->workspace, error);
}

static icseg_status bind_text(icseg_session *s, icseg_prepared_network *n, icseg_error *error) {
    const float *text;
    if (n->network.given_text == ICSEG_NONE) return ICSEG_OK;
    ICSEG_TRY(icseg_session_text(s, &text, error));
    icseg_executor_bind(n->executor, n->network.given_text, text);
    return ICSEG_OK;
}

icseg_status icseg_session_network(icseg_session *s, const icseg_network_options *requested,
                                   icseg_prepared_network **out, icseg_error *error) {
    icseg_prepared_network *n = NULL, *oldest = &s->networks[0];
    icseg_network_options copy = *requested, *options = &copy;
    if (icseg_network_is_forward(options)) copy.precision = (int32_t)s->precision;
    *out = NULL;
    for (int32_t i = 0; i < s->network_count; i++) {
        icseg_prepared_network *at = &s->networks[i];
        if (at->executor && !memcmp(&at->options, options, sizeof *options)) n = at;
        if (at->last_use < oldest->last_use) oldest = at;
    }
    if (!n) {
        n = oldest;
        close_network(n, s->model);
        icseg_status status = open_network(s, n, options, error);
        if (status != ICSEG_OK) {
            close_network(n, s->model);
            return status;
        }
    }
    ICSEG_TRY(bind_text(s, n, error));
    n->last_use = ++s->uses;
    *out = n;
    return ICSEG_OK;
}

/* -- cost */

typedef struct measurement {
    icseg_session *session;
    icseg_network_options options;
    icseg_session_cost cost;
    icseg_session_layers layers;
    icseg_error *error;
} measurement;

void icseg_session_add_layers(icseg_session_layers *sum, const icseg_program *program) {
    icseg_layer_count count = icseg_program_layers(program);
    sum->f32 += count.f32;
    sum->bf16 += count.bf16;
    sum->bf16x2 += count.bf16x2;
    sum->int8 += count.int8;
    sum->attention_f32 += count.attention_f32;
    sum->attention_int8 += count.attention_int8;
}

static icseg_status measure(void *user) {
    measurement *m = user;
    icseg_params *params = m->session->model->params;
    icseg_prepared_network *n;
    ICSEG_TRY(icseg_session_network(m->session, &m->options, &n, m->error));
    icseg_plan_summary plan = icseg_executor_summary(n->executor);
    size_t input = (size_t)icseg_graph_value(n->graph, n->network.image)->count * sizeof(float);
    m->cost = (icseg_session_cost){.struct_size = sizeof m->cost,
                                   .flops = plan.flops,
                                   .activations = input + plan.activations,
                                   .unplanned = input + plan.unplanned,
                                   .scratch = plan.scratch};
    for (int64_t i = 0; i < icseg_params_count(params); i++) {
        const icseg_param *p = icseg_params_at(params, i);
        m->cost.weights += (size_t)p->count * sizeof(float);
        if (!p->options.buffer) m->cost.parameters += p->count;
        if (p->options.trainable) m->cost.trainable += p->count;
    }
    m->layers.struct_size = sizeof m->layers;
    icseg_session_add_layers(&m->layers, n->built->program);
    if (m->session->text) icseg_session_add_layers(&m->layers, m->session->text->program);
    return ICSEG_OK;
}

/* Builds the network of icseg_session_predict for `count` images and measures it. */
static icseg_status measure_at(measurement *m, icseg_session *session, int32_t count, int32_t height, int32_t width,
                               icseg_error *error) {
    if (count < 1)
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "count", ICSEG_REMEDY_SET_FIELD,
                                "count is %d: expected at least 1", count);
    int64_t least = icseg_config_min_side(&session->model->config);
    if (height < least || width < least)
        return icseg_fail_field(error, ICSEG_ERROR_SHAPE, height < least ? "height" : "width", ICSEG_REMEDY_SET_FIELD,
                                "the images are %dx%d: both sides must be at least %lld", width, height,
                                (long long)least);
    memset(m, 0, sizeof *m); /* options are compared bytewise */
    m->session = session;
    m->error = error;
    m->options.batch = count;
    m->options.height = m->options.predict_height = height;
    m->options.width = m->options.predict_width = width;
    m->options.keep = ICSEG_KEEP_LOGITS;
    return icseg_threads_run(session->threads, measure, m, error);
}

icseg_status icseg_session_cost_at(icseg_session *session, int32_t count, int32_t height, int32_t width,
                                   icseg_session_cost *out, icseg_error *error) {
    enum { FIRST_SIZE = sizeof(icseg_session_cost) };
    measurement m;
    ICSEG_NEED(session);
    ICSEG_NEED(out);
    ICSEG_TRY(
        icseg_struct_write(out, &(icseg_session_cost){0}, sizeof m.cost, FIRST_SIZE, "icseg_session_cost", error));
    ICSEG_TRY(measure_at(&m, session, count, height, width, error));
    return icseg_struct_write(out, &m.cost, sizeof m.cost, FIRST_SIZE, "icseg_session_cost", error);
}

icseg_status icseg_session_layers_at(icseg_session *session, int32_t count, int32_t height, int32_t width,
                                     icseg_session_layers *out, icseg_error *error) {
    enum { FIRST_SIZE = offsetof(icseg_session_layers, int8) + sizeof out->int8 };
    measurement m;
    ICSEG_NEED(session);
    ICSEG_NEED(out);
    ICSEG_TRY(icseg_struct_write(out, &(icseg_session_layers){0}, sizeof m.layers, FIRST_SIZE, "icseg_session_layers",
                                 error));
    ICSEG_TRY(measure_at(&m, session, count, height, width, error));
    return icseg_struct_write(out, &m.layers, sizeof m.layers, FIRST_SIZE, "icseg_session_layers", error);
}
