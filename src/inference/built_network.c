/* SPDX-License-Identifier: Apache-2.0
 * Networks that are built once for all sessions of a model. */
#include <string.h>

#include "inference/session.h"

/* A network whose runs change parameters belongs to one session. */
static icseg_built_network *find(const icseg_session *s, const icseg_network_options *options) {
    icseg_built_network *n = icseg_network_is_forward(options) ? s->model->networks : NULL;
    while (n && !(n->threads == s->threads && n->ranges == s->ranges && !memcmp(&n->options, options, sizeof *options)))
        n = n->next;
    return n;
}

static icseg_status build(icseg_built_network *n, const icseg_session *s, icseg_error *error) {
    icseg_model *m = s->model;
    icseg_network_options options = n->options;
    if (m->open) {
        ICSEG_TRY(icseg_graph_open(&n->graph, false, error));
        ICSEG_TRY(icseg_network_build_open(&n->network, n->graph, m->params, &m->config, m->open, false, &options,
                                           s->ranges, error));
        return icseg_program_open(&n->program, n->graph, error);
    }
    if (icseg_network_is_forward(&options) && icseg_network_text_is_fixed(&m->config)) options.text_given = 1;
    ICSEG_TRY(icseg_graph_open(&n->graph, options.training != 0, error));
    if (icseg_network_is_text_alone(&options)) icseg_graph_use_once(n->graph); /* its result is kept */
    if (icseg_network_is_text_alone(&options))
        ICSEG_TRY(icseg_network_build_text(&n->network.text, n->graph, m->params, &m->config, &m->texts,
                                           (icseg_precision)options.precision, s->ranges, error));
    else
        ICSEG_TRY(icseg_network_build(&n->network, n->graph, m->params, &m->config, &m->texts, false, &options,
                                      s->ranges, error));
    if (options.gradients) ICSEG_TRY(icseg_params_allocate_gradients(m->params, error));
    return icseg_program_open(&n->program, n->graph, error);
}

static void free_network(icseg_built_network *n) {
    icseg_program_close(&n->program);
    icseg_graph_close(&n->graph);
    icseg_free(n->text);
    icseg_free(n);
}

/* Called under the lock. */
static icseg_status add(icseg_built_network **out, const icseg_session *s, const icseg_network_options *options,
                        icseg_error *error) {
    icseg_built_network *n = icseg_calloc_array(1, sizeof *n);
    if (!n) return icseg_fail_memory(error, 0, "a network");
    n->options = *options;
    n->threads = s->threads;
    n->ranges = s->ranges;
    icseg_status status = build(n, s, error);
    if (status != ICSEG_OK) {
        free_network(n);
        return status;
    }
    n->next = s->model->networks;
    s->model->networks = *out = n;
    return ICSEG_OK;
}

icseg_status icseg_built_network_get(icseg_built_network **out, const icseg_session *s,
                                     const icseg_network_options *options, icseg_error *error) {
    icseg_status status = ICSEG_OK;
    pthread_mutex_lock(&s->model->network_lock);
    *out = find(s, options);
    if (!*out) status = add(out, s, options, error);
    if (status == ICSEG_OK) (*out)->sessions++;
    pthread_mutex_unlock(&s->model->network_lock);
    return status;
}

void icseg_built_network_release(icseg_built_network **network, icseg_model *model) {
    icseg_built_network *n = *network, **at = &model->networks;
    if (!n) return;
    *network = NULL;
    pthread_mutex_lock(&model->network_lock);
    bool last = --n->sessions == 0;
    while (last && *at != n) at = &(*at)->next;
    if (last) *at = n->next;
    pthread_mutex_unlock(&model->network_lock);
    if (last) free_network(n);
}
