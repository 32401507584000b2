/* SPDX-License-Identifier: Apache-2.0
 * The oneDNN wrappers: what the operators' own tests do not cover: packed weights, post-operations, strides, choice of
 * implementation, repeatability. */
#include <math.h>
#include <omp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "compute/primitive.h"
#include "graph/run/executor.h"
#include "graph/ops.h"
#include "graph/passes/autodiff.h"

static icseg_error error;

static void ok(icseg_status status) {
    if (status != ICSEG_OK) fail_msg("%s", error.message);
}

static float *numbers(int64_t count, uint64_t stream) {
    float *x = icseg_alloc_array((size_t)count, sizeof *x);
    assert_non_null(x);
    icseg_rng rng = icseg_rng_open(3, ICSEG_RNG_TEST, stream);
    for (int64_t i = 0; i < count; i++) x[i] = icseg_rng_normal(&rng);
    return x;
}

static void close_to(const float *ours, const double *expected, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        if (!(fabs(ours[i] - expected[i]) <= 1e-4)) fail_msg("%lld: %g, not %g", (long long)i, ours[i], expected[i]);
}

/* Opens and runs a primitive. */
static void run(icseg_primitive *p, const float *a, const float *b, const float *bias, float *out) {
    void *scratch = icseg_alloc(icseg_primitive_scratch(p)), *packed = NULL;
    size_t size = icseg_primitive_packed_size(p);
    if (size) {
        packed = icseg_alloc(size);
        ok(icseg_primitive_pack(p, b, packed, &error));
    }
    ok(icseg_primitive_run(p, (icseg_operands){.a = a, .b = packed ? packed : b, .bias = bias, .out = out}, scratch,
                           &error));
    icseg_free(scratch);
    icseg_free(packed);
}

/* -- matrix products */

static double matmul_at(const icseg_matmul_shape *s, const float *a, const float *b, const int64_t at[4]) {
    double sum = 0;
    for (int64_t i = 0; i < s->inner; i++) {
        const int64_t *u = s->a_stride, *v = s->b_stride;
        sum += (double)a[at[0] * u[0] + at[1] * u[1] + at[2] * u[2] + i * u[3]] *
               b[at[0] * v[0] + at[1] * v[1] + i * v[2] + at[3] * v[3]];
    }
    return sum;
}

static double activated(icseg_activation activation, double x) {
    switch (activation) {
    case ICSEG_ACTIVATION_RELU: return x < 0 ? 0 : x;
    case ICSEG_ACTIVATION_QUICK_GELU: return x / (1 + exp(-1.702 * x));
    case ICSEG_ACTIVATION_GELU: return 0.5 * x * (1 + erf(x * sqrt(0.5)));
    case ICSEG_ACTIVATION_NONE: break;
    }
    return x;
}

static void check_matmul(const icseg_matmul_shape *s, icseg_primitive_options options, int64_t size) {
    float *a = numbers(size, 1), *b = numbers(size, 2), *bias = numbers(s->columns, 3), *out = numbers(size, 4);
    double *expected = icseg_calloc_array((size_t)size, sizeof *expected);
    for (int64_t i = 0; i < size; i++) expected[i] = out[i]; /* gaps between the rows must stay */
    for (int64_t o = 0; o < s->batch[0]; o++)
        for (int64_t i = 0; i < s->batch[1]; i++)
            for (int64_t r = 0; r < s->rows; r++)
                for (int64_t c = 0; c < s->columns; c++) {
                    double *y = &expected[o * s->out_stride[0] + i * s->out_stride[1] + r * s->out_stride[2] + c];
                    double sum = matmul_at(s, a, b, (int64_t[]){o, i, r, c}) + (options.bias ? bias[c] : 0);
                    if (options.accumulate) sum += *y;
                    *y = activated(options.activation, sum);
                }
    icseg_primitive *p;
    ok(icseg_matmul_open(&p, s, options, &error));
    run(p, a, b, options.bias ? bias : NULL, out);
    close_to(out, expected, size);
    icseg_primitive_close(&p);
    icseg_free(a);
    icseg_free(b);
    icseg_free(bias);
    icseg_free(out);
    icseg_free(expected);
}

static void matmul_takes_strides_in_four_axes_and_every_option(void **state) {
    (void)state;
    const icseg_matmul_shape shapes[] = {
        {{1, 1}, 5, 7, 3, {0, 0, 7, 1}, {0, 0, 3, 1}, {0, 0, 3, 1}},
        {{1, 1}, 5, 7, 3, {0, 0, 1, 5}, {0, 0, 1, 7}, {0, 0, 6, 1}},
        {{1, 4}, 9, 8, 6, {0, 8, 96, 1}, {0, 8, 1, 96}, {0, 54, 6, 1}},
        {{2, 3}, 9, 8, 8, {24 * 30, 8, 24, 1}, {24 * 30, 8, 24, 1}, {24 * 30, 8, 24, 1}},
        {{2, 1}, 4, 6, 5, {24, 0, 6, 1}, {30, 0, 5, 1}, {20, 0, 5, 1}},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int mask = 0; mask < 32; mask++) {
            icseg_primitive_options options = {.bias = mask & 1,
                                               .accumulate = mask & 2,
                                               .activation = (icseg_activation)(mask >> 3),
                                               .pack = mask & 4};
            check_matmul(&shapes[i], options, 2048);
        }
}

/* -- convolutions */

static void convolution_adds_and_rectifies_in_place(void **state) {
    (void)state;
    const icseg_conv_shape s = {1, 4, 4, 2, 3, 1, 1, 1, 0, 4, 4};
    float *x = numbers(32, 1), *w = numbers(6, 2), *bias = numbers(3, 3), *y = numbers(48, 4);
    double expected[48];
    for (int i = 0; i < 48; i++) {
        const float *pixel = x + i / 3 * 2, *weight = w + i % 3 * 2;
        expected[i] = (double)pixel[0] * weight[0] + (double)pixel[1] * weight[1] + bias[i % 3] + y[i];
        if (expected[i] < 0) expected[i] = 0;
    }
    icseg_primitive *p;
    ok(icseg_conv_forward_open(
        &p, &s, (icseg_primitive_options){.bias = true, .accumulate = true, .activation = ICSEG_ACTIVATION_RELU},
        &error));
    run(p, x, w, bias, y);
    close_to(y, expected, 48);
    icseg_primitive_close(&p);
    icseg_free(x);
    icseg_free(w);
    icseg_free(bias);
    icseg_free(y);
}

static icseg_conv_shape conv_of(int64_t size, int64_t in, int64_t out, int64_t kernel, int64_t stride) {
    int64_t padding = kernel / 2, to = (size + 2 * padding - kernel) / stride + 1;
    return (icseg_conv_shape){1, size, size, in, out, kernel, kernel, stride, padding, to, to};
}

static void fast(icseg_primitive **p) {
    if (strstr(icseg_primitive_implementation(*p), "ref"))
        fail_msg("a shape of our models falls to %s", icseg_primitive_implementation(*p));
    icseg_primitive_close(p);
}

static void no_shape_of_our_models_falls_to_a_reference_implementation(void **state) {
    (void)state;
    const icseg_conv_shape convolutions[] = {
        conv_of(512, 3, 32, 3, 2),    conv_of(256, 32, 64, 3, 1),   conv_of(128, 64, 64, 1, 1),
        conv_of(128, 64, 256, 1, 1),  conv_of(16, 1024, 512, 1, 1), conv_of(16, 512, 512, 3, 1),
        conv_of(32, 2048, 256, 1, 1), conv_of(128, 256, 256, 3, 1), conv_of(128, 256, 150, 1, 1),
        conv_of(128, 1024, 19, 1, 1), conv_of(16, 2198, 256, 3, 1)};
    icseg_primitive *p;
    icseg_primitive_options none = {0}, bias = {.bias = true};
    for (size_t i = 0; i < sizeof convolutions / sizeof *convolutions; i++) {
        ok(icseg_conv_forward_open(&p, &convolutions[i], bias, &error));
        fast(&p);
        ok(icseg_conv_backward_data_open(&p, &convolutions[i], none, &error));
        fast(&p);
        ok(icseg_conv_backward_weights_open(&p, &convolutions[i], none, &error));
        fast(&p);
    }
    int64_t w = 768, l = 1025, h = 12, d = 64; /* ViT-B/16 at 512 x 512: linear layers and heads from packed qkv */
    const icseg_matmul_shape products[] = {
        {{1, 1}, l, w, 3 * w, {0, 0, w, 1}, {0, 0, 1, w}, {0, 0, 3 * w, 1}},
        {{1, 1}, 3 * w, l, w, {0, 0, 1, 3 * w}, {0, 0, w, 1}, {0, 0, w, 1}},
        {{1, h}, 256, d, l, {0, d, 3 * w, 1}, {0, d, 1, 3 * w}, {0, 256 * l, l, 1}},
        {{1, h}, 256, l, d, {0, 256 * l, l, 1}, {0, d, 3 * w, 1}, {0, d, w, 1}},
        {{1, h}, l, 256, d, {0, 256 * l, 1, l}, {0, d, w, 1}, {0, d, 3 * w, 1}},
        {{1, 1}, 1024, 768, 512, {0, 0, 768, 1}, {0, 0, 512, 1}, {0, 0, 512, 1}},
        {{1, 1}, 16384, 512, 150, {0, 0, 512, 1}, {0, 0, 1, 512}, {0, 0, 150, 1}},
    };
    for (size_t i = 0; i < sizeof products / sizeof *products; i++) {
        ok(icseg_matmul_open(&p, &products[i], none, &error));
        fast(&p);
    }
}

static void a_primitive_refuses_to_run_inside_a_parallel_region(void **state) {
    (void)state;
    const icseg_matmul_shape s = {{1, 1}, 2, 2, 2, {0, 0, 2, 1}, {0, 0, 2, 1}, {0, 0, 2, 1}};
    float a[4] = {1, 2, 3, 4}, b[4] = {1, 0, 0, 1}, out[4];
    icseg_primitive *p;
    icseg_status status = ICSEG_OK;
    ok(icseg_matmul_open(&p, &s, (icseg_primitive_options){0}, &error));
    void *scratch = icseg_alloc(icseg_primitive_scratch(p));
#pragma omp parallel num_threads(2)
    {
#pragma omp master
        status = icseg_primitive_run(p, (icseg_operands){.a = a, .b = b, .out = out}, scratch, &error);
    }
    assert_int_equal(status, ICSEG_ERROR_INTERNAL);
    icseg_free(scratch);
    icseg_primitive_close(&p);
}

/* -- packed weights of parameters */

typedef struct model {
    icseg_params *params;
    icseg_param *weight, *bias;
    icseg_workspace *workspace;
} model;

static void open_model(model *m, icseg_shape weight, bool trainable) {
    ok(icseg_params_open(&m->params, &error));
    icseg_param_options options = {.init = ICSEG_INIT_NORMAL, .scale = 1, .trainable = trainable};
    m->weight = icseg_params_declare(m->params, "weight", weight, options, &error);
    m->bias = icseg_params_declare(m->params, "bias", ICSEG_SHAPE(weight.dim[0]), options, &error);
    icseg_params_initialise(m->params, 5);
    ok(icseg_params_load(m->params, &error));
    ok(icseg_params_allocate_gradients(m->params, &error));
    ok(icseg_workspace_open(&m->workspace, &error));
}

static void close_model(model *m) {
    icseg_workspace_close(&m->workspace);
    icseg_params_close(&m->params);
}

typedef struct runner {
    icseg_graph *graph;
    icseg_executor *executor;
    icseg_value x, y, dx;
    float *data;
    int64_t outputs;
} runner;

typedef icseg_value (*layer)(icseg_graph *g, icseg_value x, icseg_value weight, icseg_value bias);

static icseg_value layer_conv(icseg_graph *g, icseg_value x, icseg_value weight, icseg_value bias) {
    return icseg_conv2d(g, x, weight, bias, 1, 1);
}

/* With `backward`, the gradient with respect to the output is the output itself. */
static icseg_status try_runner(runner *r, const model *m, layer build, icseg_shape shape, bool backward) {
    memset(r, 0, sizeof *r);
    r->data = numbers(icseg_shape_count(shape), 9);
    ICSEG_TRY(icseg_graph_open(&r->graph, false, &error));
    r->x = icseg_graph_input(r->graph, "x", ICSEG_F32, shape);
    r->y = build(r->graph, r->x, icseg_graph_param(r->graph, m->weight), icseg_graph_param(r->graph, m->bias));
    icseg_graph_keep(r->graph, r->y, "y");
    if (backward) icseg_graph_backward(r->graph, 1, &r->y, &r->y, false);
    ICSEG_TRY(icseg_executor_open(&r->executor, r->graph, m->workspace, &error));
    r->outputs = icseg_graph_value(r->graph, r->y)->count;
    icseg_executor_bind(r->executor, r->x, r->data);
    return icseg_executor_run(r->executor, 1, 0, &error);
}

static void close_runner(runner *r) {
    icseg_executor_close(&r->executor);
    icseg_graph_close(&r->graph);
    icseg_free(r->data);
}

static float *copy_of(const void *data, int64_t count) {
    float *copy = icseg_alloc_array((size_t)count, sizeof *copy);
    assert_non_null(copy);
    return memcpy(copy, data, (size_t)count * sizeof *copy);
}

/* Doubling weight and bias doubles the result exactly, if the packed copy follows. */
static void check_repacking(layer build, icseg_shape weight, icseg_shape x, bool trainable) {
    model m;
    runner r;
    open_model(&m, weight, trainable);
    ok(try_runner(&r, &m, build, x, false));
    float *before = copy_of(icseg_executor_data(r.executor, r.y), r.outputs);
    icseg_packed_summary first = icseg_packed_count(m.weight->packed);
    assert_int_equal(first.layouts, 1);
    ok(icseg_executor_run(r.executor, 1, 0, &error));
    assert_int_equal(icseg_packed_count(m.weight->packed).packings, 1); /* nothing changed, nothing packed */

    for (int64_t i = 0; i < m.weight->count; i++) m.weight->data[i] *= 2;
    for (int64_t i = 0; i < m.bias->count; i++) m.bias->data[i] *= 2;
    m.weight->version++;
    ok(icseg_executor_run(r.executor, 1, 0, &error));
    const float *after = icseg_executor_data(r.executor, r.y);
    for (int64_t i = 0; i < r.outputs; i++) assert_true(after[i] == 2 * before[i]);
    icseg_packed_summary second = icseg_packed_count(m.weight->packed);
    assert_int_equal(second.layouts, 1);
    assert_int_equal(second.packings, 2);
    assert_int_equal(second.bytes, first.bytes);
    icseg_free(before);
    close_runner(&r);
    close_model(&m);
}

static void a_parameter_that_changed_is_packed_again_and_only_then(void **state) {
    (void)state;
    check_repacking(layer_conv, ICSEG_SHAPE(32, 3, 3, 16), ICSEG_SHAPE(2, 8, 8, 16), true);
    check_repacking(layer_conv, ICSEG_SHAPE(32, 3, 3, 16), ICSEG_SHAPE(2, 8, 8, 16), false);
    check_repacking(icseg_linear, ICSEG_SHAPE(64, 32), ICSEG_SHAPE(2, 40, 32), true);
}

static void executors_of_other_shapes_share_packed_weights(void **state) {
    (void)state;
    model m;
    runner a, b, c;
    open_model(&m, ICSEG_SHAPE(32, 3, 3, 16), true);
    ok(try_runner(&a, &m, layer_conv, ICSEG_SHAPE(1, 32, 32, 16), false));
    assert_int_equal(icseg_packed_count(m.weight->packed).packings, 1);
    ok(try_runner(&b, &m, layer_conv, ICSEG_SHAPE(2, 48, 64, 16), false));
    assert_int_equal(icseg_packed_count(m.weight->packed).packings, 1);
    close_runner(&a); /* the copy belongs to the parameter, not to the executor that asked first */
    ok(try_runner(&c, &m, layer_conv, ICSEG_SHAPE(1, 32, 32, 16), false));
    assert_int_equal(icseg_packed_count(m.weight->packed).packings, 1);
    assert_int_equal(icseg_packed_count(m.weight->packed).layouts, 1);
    close_runner(&b);
    close_runner(&c);
    close_model(&m);
}

/* -- repeatability, failures */

static icseg_value layer_attention(icseg_graph *g, icseg_value x, icseg_value weight, icseg_value bias) {
    return icseg_attention_packed(g, icseg_linear(g, x, weight, bias), 4);
}

static void check_repeatable(layer build, icseg_shape weight, icseg_shape x) {
    model m;
    runner r;
    open_model(&m, weight, true);
    ok(try_runner(&r, &m, build, x, true));
    float *y = copy_of(icseg_executor_data(r.executor, r.y), r.outputs);
    float *dw = copy_of(m.weight->grad, m.weight->count), *db = copy_of(m.bias->grad, m.bias->count);
    for (int i = 0; i < 3; i++) {
        memset(m.weight->grad, 0x7f, (size_t)m.weight->count * sizeof(float));
        ok(icseg_executor_run(r.executor, 1, i, &error));
        assert_memory_equal(icseg_executor_data(r.executor, r.y), y, (size_t)r.outputs * sizeof *y);
        assert_memory_equal(m.weight->grad, dw, (size_t)m.weight->count * sizeof *dw);
        assert_memory_equal(m.bias->grad, db, (size_t)m.bias->count * sizeof *db);
    }
    icseg_free(y);
    icseg_free(dw);
    icseg_free(db);
    close_runner(&r);
    close_model(&m);
}

static void runs_repeat_bit_by_bit(void **state) {
    (void)state;
    check_repeatable(layer_conv, ICSEG_SHAPE(48, 3, 3, 32), ICSEG_SHAPE(2, 33, 31, 32));
    check_repeatable(icseg_linear, ICSEG_SHAPE(96, 64), ICSEG_SHAPE(3, 300, 64));
    check_repeatable(layer_attention, ICSEG_SHAPE(192, 32), ICSEG_SHAPE(2, 400, 32));
}

static void memory_that_runs_out_anywhere_is_a_status(void **state) {
    (void)state;
    const struct {
        layer build;
        icseg_shape weight, x;
    } cases[] = {
        {layer_conv, ICSEG_SHAPE(16, 3, 3, 8), ICSEG_SHAPE(1, 6, 6, 8)},
        {layer_attention, ICSEG_SHAPE(24, 8), ICSEG_SHAPE(1, 5, 8)},
        {icseg_conv_transpose2x2, ICSEG_SHAPE(2, 2, 2, 8), ICSEG_SHAPE(1, 3, 3, 8)}, /* bias (2): its first axis */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool failed = true;
        int n = 0;
        for (; failed && n < 500; n++) {
            model m;
            runner r = {0};
            open_model(&m, cases[i].weight, true);
            icseg_memory_fail_after(n + 1); /* past the numbers of x */
            icseg_status status = try_runner(&r, &m, cases[i].build, cases[i].x, true);
            icseg_memory_fail_after(-1);
            failed = status != ICSEG_OK;
            if (failed) assert_int_equal(status, ICSEG_ERROR_MEMORY);
            close_runner(&r);
            close_model(&m);
        }
        assert_true(n > 1); /* some allocations failed */
        assert_false(failed);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matmul_takes_strides_in_four_axes_and_every_option),
        cmocka_unit_test(convolution_adds_and_rectifies_in_place),
        cmocka_unit_test(no_shape_of_our_models_falls_to_a_reference_implementation),
        cmocka_unit_test(a_primitive_refuses_to_run_inside_a_parallel_region),
        cmocka_unit_test(a_parameter_that_changed_is_packed_again_and_only_then),
        cmocka_unit_test(executors_of_other_shapes_share_packed_weights),
        cmocka_unit_test(runs_repeat_bit_by_bit),
        cmocka_unit_test(memory_that_runs_out_anywhere_is_a_status),
    };
    return cmocka_run_group_tests_name("oneDNN", tests, NULL, NULL);
}
