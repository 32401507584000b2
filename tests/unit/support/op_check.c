/* SPDX-License-Identifier: Apache-2.0
 * Random inputs, the graph with its gradients, the naive reference and its central differences. */
#include "support/op_check.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "graph/run/executor.h"
#include "graph/passes/autodiff.h"

enum {
    DIFFERENCES = 96, /* elements of each input whose gradient is compared */
    DIFFERENCES_OF_A_DRAW = DIFFERENCES / OP_DRAWS,
    TEXT_SIZE = 512 /* of the description of a case */
};

typedef struct bench {
    const op_case *c;
    icseg_rng rng;
    int64_t differences; /* largest number of elements of each gradient that are compared */
    icseg_params *params;
    icseg_graph *graph;
    icseg_workspace *workspace;
    icseg_executor *executor;
    icseg_param *param[OP_CASE_INPUTS];
    void *integers[OP_CASE_INPUTS]; /* labels or ids */
    double *in[OP_CASE_INPUTS];
    icseg_value value[OP_CASE_INPUTS], output;
    int64_t count[OP_CASE_INPUTS], outputs;
    float *weight; /* the random cotangent, (outputs) */
} bench;

/* "(2, 7, 5, 16) (8, 3, 3, 16), numbers 1 1" */
static void sizes_of(const op_case *c, char out[TEXT_SIZE]) {
    char shape[ICSEG_SHAPE_TEXT];
    int n = 0, numbers = OP_CASE_NUMBERS;
    while (numbers > 0 && c->number[numbers - 1] == 0) numbers--;
    for (int i = 0; i < c->inputs && n < TEXT_SIZE; i++)
        n += snprintf(out + n, (size_t)(TEXT_SIZE - n), "%s%s", i ? " " : "",
                      icseg_shape_text(c->input[i].shape, shape, sizeof shape));
    for (int i = 0; i < numbers && n < TEXT_SIZE; i++)
        n += snprintf(out + n, (size_t)(TEXT_SIZE - n), "%s %g", i ? "" : ", numbers", c->number[i]);
}

static void fail_case(const op_case *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void fail_case(const op_case *c, const char *format, ...) {
    char text[TEXT_SIZE], sizes[TEXT_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    sizes_of(c, sizes);
    fail_msg("%s%s%s: %s; inputs %s", c->op, c->label ? ": " : "", c->label ? c->label : "", text, sizes);
}

static void must(const op_case *c, icseg_status status, const icseg_error *error) {
    if (status != ICSEG_OK) fail_case(c, "%s", error->message);
}

static void *block(int64_t count, size_t size) {
    void *p = icseg_calloc_array((size_t)count, size);
    assert_non_null(p);
    return p;
}

static void draw_integers(bench *b, int i) {
    int64_t n = b->count[i];
    uint64_t classes = (uint64_t)b->c->input[i].classes;
    bool labels = b->c->input[i].kind == OP_LABELS;
    int16_t *label = b->integers[i] = block(n, sizeof(int32_t));
    int32_t *id = b->integers[i];
    for (int64_t j = 0; j < n; j++) {
        bool ignore = labels && icseg_rng_below(&b->rng, 5) == 0;
        int32_t value = ignore ? -1 : (int32_t)icseg_rng_below(&b->rng, classes);
        if (labels)
            label[j] = (int16_t)value;
        else
            id[j] = value;
        b->in[i][j] = value;
    }
    b->value[i] = icseg_graph_input(b->graph, "integers", labels ? ICSEG_I16 : ICSEG_I32, b->c->input[i].shape);
}

static void make_inputs(bench *b) {
    const op_case *c = b->c;
    icseg_rng *rng = &b->rng;
    icseg_error error;
    for (int i = 0; i < c->inputs; i++) {
        icseg_shape shape = c->input[i].shape;
        op_input_kind kind = c->input[i].kind;
        int64_t n = b->count[i] = icseg_shape_count(shape);
        b->in[i] = block(n, sizeof(double));
        if (kind == OP_LABELS || kind == OP_IDS) {
            draw_integers(b, i);
            continue;
        }
        char name[24];
        snprintf(name, sizeof name, "input%d", i);
        bool trainable = kind == OP_PARAM || kind == OP_POSITIVE;
        icseg_param_options options = {.trainable = trainable, .buffer = kind == OP_STATE};
        b->param[i] = icseg_params_declare(b->params, name, shape, options, &error);
        assert_non_null(b->param[i]);
        assert_int_equal(icseg_param_load(b->param[i], &error), ICSEG_OK);
        for (int64_t j = 0; j < n; j++) {
            float x = icseg_rng_normal(rng);
            if (kind == OP_POSITIVE || kind == OP_STATE) x = 0.5f + fabsf(x);
            b->param[i]->data[j] = x;
            b->in[i][j] = x;
        }
        b->value[i] = icseg_graph_param(b->graph, b->param[i]);
    }
}

static double element(const void *data, icseg_dtype dtype, int64_t i) {
    switch (dtype) {
    case ICSEG_F32: return ((const float *)data)[i];
    case ICSEG_I16: return ((const int16_t *)data)[i];
    case ICSEG_I32: return ((const int32_t *)data)[i];
    default: fail_msg("the check does not know this element type");
    }
    return 0;
}

static void check_output(const bench *b, const double *expected) {
    const void *data = icseg_executor_data(b->executor, b->output);
    icseg_dtype dtype = icseg_graph_value(b->graph, b->output)->dtype;
    double difference = 0, norm = 0;
    for (int64_t i = 0; i < b->outputs; i++) {
        double ours = element(data, dtype, i);
        if (!isfinite(ours)) fail_case(b->c, "output %lld is %g, expected %g", (long long)i, ours, expected[i]);
        difference += (ours - expected[i]) * (ours - expected[i]);
        norm += expected[i] * expected[i];
    }
    if (!(sqrt(difference) <= b->c->tolerance * sqrt(norm)))
        fail_case(b->c, "output differs by %.3g of its norm, %.3g is allowed", sqrt(difference / norm),
                  b->c->tolerance);
}

static double weighted(const bench *b, double *scratch) {
    b->c->reference(b->c, (const double *const *)b->in, scratch);
    double sum = 0;
    for (int64_t i = 0; i < b->outputs; i++) sum += scratch[i] * b->weight[i];
    return sum;
}

static void check_gradient(bench *b, int input, double *scratch) {
    const float *ours = b->param[input]->grad;
    int64_t n = b->count[input], tries = n < b->differences ? n : b->differences;
    double difference = 0, norm = 0, step = 1e-5;
    for (int64_t i = 0; i < n; i++) /* all elements: NaN marks an unwritten one */
        if (!isfinite(ours[i]))
            fail_case(b->c, "element %lld of the gradient of input %d is %g", (long long)i, input, (double)ours[i]);
    for (int64_t t = 0; t < tries; t++) {
        int64_t i = tries == n ? t : (int64_t)icseg_rng_below(&b->rng, (uint64_t)n);
        double *x = &b->in[input][i], saved = *x;
        *x = saved + step;
        double above = weighted(b, scratch);
        *x = saved - step;
        double below = weighted(b, scratch);
        *x = saved;
        double expected = (above - below) / (2 * step);
        difference += (ours[i] - expected) * (ours[i] - expected);
        norm += expected * expected;
    }
    if (!(sqrt(difference) <= b->c->gradient_tolerance * sqrt(norm) + 1e-7))
        fail_case(b->c, "the gradient of input %d differs by %.3g of its norm (%.3g), %.3g is allowed", input,
                  sqrt(difference / norm), sqrt(norm), b->c->gradient_tolerance);
}

/* Checks that the graph contains the case's operator, and that a case with gradients has a tolerance for them. */
static void check_case(const bench *b) {
    const icseg_op *op = NULL;
    bool trains = false;
    for (int32_t i = 0; i < icseg_graph_node_count(b->graph) && !op; i++) {
        const icseg_node *node = icseg_graph_node(b->graph, i);
        if (strcmp(node->op->name, b->c->op) == 0) op = node->op;
    }
    if (!op) fail_case(b->c, "the graph has no such operator");
    for (int i = 0; i < b->c->inputs; i++) trains |= b->param[i] && b->param[i]->options.trainable;
    if ((b->c->gradient_tolerance > 0) != (op->gradient && trains))
        fail_case(b->c, "it has %s gradient, but gradient_tolerance is %g", op->gradient && trains ? "a" : "no",
                  b->c->gradient_tolerance);
}

static void build(bench *b) {
    const op_case *c = b->c;
    icseg_error error = {0};
    must(c, icseg_params_open(&b->params, &error), &error);
    must(c, icseg_graph_open(&b->graph, c->training, &error), &error);
    must(c, icseg_workspace_open(&b->workspace, &error), &error);
    make_inputs(b);
    must(c, icseg_params_allocate_gradients(b->params, &error), &error);
    for (int i = 0; i < c->inputs; i++) /* so that unwritten elements are noticed */
        for (int64_t j = 0; b->param[i] && b->param[i]->grad && j < b->count[i]; j++) b->param[i]->grad[j] = NAN;
    b->output = c->build(b->graph, b->value, c);
    must(c, icseg_graph_status(b->graph, &error), &error);
    check_case(b);
    const icseg_value_info *info = icseg_graph_value(b->graph, b->output);
    b->outputs = info->count;
    b->weight = block(b->outputs, sizeof(float));
    for (int64_t i = 0; i < b->outputs; i++) b->weight[i] = icseg_rng_normal(&b->rng);
    icseg_graph_keep(b->graph, b->output, "output");
    if (c->gradient_tolerance > 0) {
        icseg_value weight = icseg_graph_constant(b->graph, "weight", ICSEG_F32, info->shape, b->weight);
        icseg_graph_backward(b->graph, 1, &b->output, &weight, false);
    }
    must(c, icseg_executor_open(&b->executor, b->graph, b->workspace, &error), &error);
    for (int i = 0; i < c->inputs; i++)
        if (b->integers[i]) icseg_executor_bind(b->executor, b->value[i], b->integers[i]);
    must(c, icseg_executor_run(b->executor, 1, 0, &error), &error);
}

static void check(const op_case *c, uint64_t seed, int64_t differences) {
    bench b = {.c = c, .differences = differences};
    b.rng = icseg_rng_open(seed, ICSEG_RNG_TEST, (uint64_t)c->input[0].shape.dim[0]);
    build(&b);
    double *expected = block(b.outputs, sizeof(double)), *scratch = block(b.outputs, sizeof(double));
    c->reference(c, (const double *const *)b.in, expected);
    check_output(&b, expected);
    for (int i = 0; i < c->inputs && c->gradient_tolerance > 0; i++)
        if (b.param[i] && b.param[i]->options.trainable) check_gradient(&b, i, scratch);
    icseg_executor_close(&b.executor);
    icseg_graph_close(&b.graph);
    icseg_workspace_close(&b.workspace);
    icseg_params_close(&b.params);
    for (int i = 0; i < c->inputs; i++) {
        icseg_free(b.in[i]);
        icseg_free(b.integers[i]);
    }
    icseg_free(b.weight);
    icseg_free(expected);
    icseg_free(scratch);
}

void op_check_all(const op_case *cases, int count) {
    for (int i = 0; i < count; i++) check(&cases[i], 7, DIFFERENCES);
}

int64_t op_draw(icseg_rng *rng, int64_t least, int64_t most) {
    return least + (int64_t)icseg_rng_below(rng, (uint64_t)(most - least + 1));
}

void op_check_draw(const op_case *cases, int count, int draw) {
    for (int i = 0; i < count; i++) check(&cases[i], 100 + (uint64_t)draw, DIFFERENCES_OF_A_DRAW);
}
