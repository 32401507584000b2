/* SPDX-License-Identifier: Apache-2.0
 * Runs a case's graph with several numbers of threads and compares bits; builds cases that must fail. */
#include "support/op_bits.h"

#include <omp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "graph/run/executor.h"
#include "graph/passes/autodiff.h"

typedef struct model {
    icseg_params *params;
    icseg_graph *graph;
    icseg_param *param[OP_CASE_INPUTS]; /* NULL: labels */
    int16_t *labels[OP_CASE_INPUTS];    /* owned */
    icseg_value output;
} model;

static icseg_value add_labels(model *m, const op_case *c, int i, icseg_rng *rng) {
    int64_t count = icseg_shape_count(c->input[i].shape);
    m->labels[i] = icseg_alloc_array((size_t)count, sizeof *m->labels[i]);
    assert_non_null(m->labels[i]);
    for (int64_t j = 0; j < count; j++)
        m->labels[i][j] = (int16_t)(icseg_rng_below(rng, (uint64_t)c->input[i].classes + 1) - 1);
    return icseg_graph_constant(m->graph, "labels", ICSEG_I16, c->input[i].shape, m->labels[i]);
}

static model model_open(const op_case *c) {
    model m = {0};
    icseg_error error;
    icseg_rng rng = icseg_rng_open(3, ICSEG_RNG_TEST, 0);
    icseg_value value[OP_CASE_INPUTS];
    assert_int_equal(icseg_params_open(&m.params, &error), ICSEG_OK);
    assert_int_equal(icseg_graph_open(&m.graph, c->training, &error), ICSEG_OK);
    for (int i = 0; i < c->inputs; i++) {
        char name[24];
        if (c->input[i].kind == OP_LABELS) {
            value[i] = add_labels(&m, c, i, &rng);
            continue;
        }
        snprintf(name, sizeof name, "input%d", i);
        bool state = c->input[i].kind == OP_STATE;
        icseg_param_options options = {.trainable = !state, .buffer = state};
        m.param[i] = icseg_params_declare(m.params, name, c->input[i].shape, options, &error);
        assert_non_null(m.param[i]);
        assert_int_equal(icseg_param_load(m.param[i], &error), ICSEG_OK);
        for (int64_t j = 0; j < m.param[i]->count; j++)
            m.param[i]->data[j] = state ? icseg_rng_range(&rng, 0.5f, 2) : icseg_rng_normal(&rng);
        value[i] = icseg_graph_param(m.graph, m.param[i]);
    }
    assert_int_equal(icseg_params_allocate_gradients(m.params, &error), ICSEG_OK);
    m.output = c->build(m.graph, value, c);
    return m;
}

static void model_close(model *m) {
    icseg_graph_close(&m->graph);
    icseg_params_close(&m->params);
    for (int i = 0; i < OP_CASE_INPUTS; i++) icseg_free(m->labels[i]);
}

/* The output followed by the gradients; the caller frees it. */
static float *results(const op_case *c, int threads, int64_t *count) {
    omp_set_num_threads(threads);
    icseg_error error;
    icseg_workspace *workspace;
    icseg_executor *executor;
    model m = model_open(c);
    assert_int_equal(icseg_graph_status(m.graph, &error), ICSEG_OK);
    int64_t outputs = icseg_graph_value(m.graph, m.output)->count;
    float *weight = icseg_alloc_array((size_t)outputs, sizeof *weight);
    assert_non_null(weight);
    icseg_rng rng = icseg_rng_open(4, ICSEG_RNG_TEST, 0);
    for (int64_t i = 0; i < outputs; i++) weight[i] = icseg_rng_normal(&rng);
    icseg_value grad =
        icseg_graph_constant(m.graph, "grad", ICSEG_F32, icseg_graph_value(m.graph, m.output)->shape, weight);
    icseg_graph_keep(m.graph, m.output, "output");
    icseg_graph_backward(m.graph, 1, &m.output, &grad, false);
    assert_int_equal(icseg_workspace_open(&workspace, &error), ICSEG_OK);
    assert_int_equal(icseg_executor_open(&executor, m.graph, workspace, &error), ICSEG_OK);
    assert_int_equal(icseg_executor_run(executor, 5, 6, &error), ICSEG_OK);
    *count = outputs;
    for (int i = 0; i < c->inputs; i++) *count += m.param[i] && m.param[i]->grad ? m.param[i]->count : 0;
    float *all = icseg_alloc_array((size_t)*count, sizeof *all), *to = all + outputs;
    assert_non_null(all);
    memcpy(all, icseg_executor_data(executor, m.output), (size_t)outputs * sizeof *all);
    for (int i = 0; i < c->inputs; i++) {
        if (!m.param[i] || !m.param[i]->grad) continue;
        memcpy(to, m.param[i]->grad, (size_t)m.param[i]->count * sizeof *all);
        to += m.param[i]->count;
    }
    icseg_free(weight);
    icseg_executor_close(&executor);
    icseg_workspace_close(&workspace);
    model_close(&m);
    return all;
}

void op_same_bits(const op_case *c) {
    int before = omp_get_max_threads();
    int64_t count;
    float *one = results(c, 1, &count);
    for (int threads = 2; threads <= 3; threads++) {
        float *many = results(c, threads, &count);
        for (int64_t i = 0; i < count; i++)
            if (memcmp(&one[i], &many[i], sizeof *one))
                fail_msg("%s: result %lld of %lld is %.9g with 1 thread, %.9g with %d", c->op, (long long)i,
                         (long long)count, (double)one[i], (double)many[i], threads);
        icseg_free(many);
    }
    icseg_free(one);
    omp_set_num_threads(before);
}

void op_refuses(const op_case *c, int count, const char *const *texts) {
    model m = model_open(c);
    icseg_error error = {0};
    if (icseg_graph_status(m.graph, &error) != ICSEG_ERROR_SHAPE)
        fail_msg("%s: expected a shape error, got %s %s", c->op, icseg_status_name(error.status), error.message);
    for (int i = 0; i < count; i++)
        if (!strstr(error.message, texts[i])) fail_msg("%s: '%s' is not in '%s'", c->op, texts[i], error.message);
    assert_int_equal(m.output, ICSEG_NONE);
    model_close(&m);
}
