/* SPDX-License-Identifier: Apache-2.0
 * Class embeddings that do not depend on the image, computed once for all images, input shapes and sessions. */
#include <string.h>

#include "inference/session.h"

/* Sum of the versions of the graph's parameters. */
static uint64_t version_of(const icseg_graph *g) {
    uint64_t sum = 0;
    for (icseg_value v = 0; v < icseg_graph_value_count(g); v++) {
        const icseg_value_info *info = icseg_graph_value(g, v);
        if (info->kind == ICSEG_VALUE_PARAM) sum += info->param->version;
    }
    return sum;
}

/* Computes the embeddings in this session's workspace. */
static icseg_status compute(icseg_built_network *n, icseg_workspace *workspace, icseg_error *error) {
    size_t count = (size_t)icseg_graph_value(n->graph, n->network.text)->count;
    icseg_executor *executor;
    if (!n->text) n->text = icseg_alloc_array(count, sizeof *n->text);
    if (!n->text) return icseg_fail_memory(error, count * sizeof *n->text, "class embeddings");
    ICSEG_TRY(icseg_executor_open_shared(&executor, n->program, workspace, error));
    icseg_status status = icseg_executor_run(executor, 0, 0, error);
    if (status == ICSEG_OK) memcpy(n->text, icseg_executor_data(executor, n->network.text), count * sizeof *n->text);
    icseg_executor_close(&executor);
    return status;
}

icseg_status icseg_session_text(icseg_session *s, const float **out, icseg_error *error) {
    icseg_status status = ICSEG_OK;
    if (s->model->open) {
        *out = s->model->open->text;
        return ICSEG_OK;
    }
    if (!s->text) {
        icseg_network_options options;
        memset(&options, 0, sizeof options); /* compared bytewise */
        options.precision = (int32_t)s->precision;
        ICSEG_TRY(icseg_built_network_get(&s->text, s, &options, error));
    }
    icseg_built_network *n = s->text;
    pthread_mutex_lock(&s->model->network_lock);
    uint64_t version = version_of(n->graph);
    if (n->text_version != version) {
        n->text_version = 0;
        status = compute(n, s->workspace, error);
        if (status == ICSEG_OK) n->text_version = version;
    }
    pthread_mutex_unlock(&s->model->network_lock);
    *out = n->text;
    return status;
}
