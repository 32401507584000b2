/* SPDX-License-Identifier: Apache-2.0
 * Class embeddings that do not depend on the image, computed once for all images and input shapes. */
#include <string.h>

#include "inference/session.h"

static icseg_status open_text(icseg_session *s, icseg_cached_text *t, icseg_error *error) {
    icseg_model *m = s->model;
    ICSEG_TRY(icseg_graph_open(&t->graph, false, error));
    ICSEG_TRY(icseg_network_build_text(&t->value, t->graph, m->params, &m->config, &m->texts, s->precision, s->ranges,
                                       error));
    size_t count = (size_t)icseg_graph_value(t->graph, t->value)->count;
    t->data = icseg_alloc_array(count, sizeof *t->data);
    if (!t->data) return icseg_fail_memory(error, count * sizeof *t->data, "class embeddings");
    return icseg_executor_open(&t->executor, t->graph, s->workspace, error);
}

void icseg_cached_text_close(icseg_cached_text *t) {
    icseg_executor_close(&t->executor);
    icseg_graph_close(&t->graph);
    icseg_free(t->data);
    *t = (icseg_cached_text){0};
}

/* Sum of the versions of the graph's parameters. */
static uint64_t version_of(const icseg_graph *g) {
    uint64_t sum = 0;
    for (icseg_value v = 0; v < icseg_graph_value_count(g); v++) {
        const icseg_value_info *info = icseg_graph_value(g, v);
        if (info->kind == ICSEG_VALUE_PARAM) sum += info->param->version;
    }
    return sum;
}

icseg_status icseg_session_text(icseg_session *s, const float **out, icseg_error *error) {
    icseg_cached_text *t = &s->text;
    if (!t->executor) {
        icseg_cached_text_close(t);
        icseg_status status = open_text(s, t, error);
        if (status != ICSEG_OK) {
            icseg_cached_text_close(t);
            return status;
        }
    }
    uint64_t version = version_of(t->graph);
    if (t->version != version) {
        t->version = 0;
        ICSEG_TRY(icseg_executor_run(t->executor, 0, 0, error));
        size_t count = (size_t)icseg_graph_value(t->graph, t->value)->count;
        memcpy(t->data, icseg_executor_data(t->executor, t->value), count * sizeof *t->data);
        t->version = version;
    }
    *out = t->data;
    return ICSEG_OK;
}
