/* SPDX-License-Identifier: Apache-2.0
 * Graphs that compute in bf16: which tensors change their type, and that results stay near those of f32 (models in
 * bf16x2 too). With emulated bf16 and tiles; test_bf16_native uses the processor's, and is skipped where it has none.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "compute/primitive.h"
#include "graph/run/executor.h"
#include "graph/passes/fuse.h"
#include "graph/ops.h"
#include "graph/passes/precision.h"
#include "graph/passes/autodiff.h"
#include "support/models.h"

enum { B = 2, H = 8, W = 6, C = 24, CLASSES = 5, SIDE = 64 };

static icseg_error error;

static void ok(icseg_status status) {
    if (status != ICSEG_OK) fail_msg("%s", error.message);
}

static void need_bf16(void) {
    if (icseg_compute_bf16() != ICSEG_BF16_NONE) return;
    print_message("no bf16 on this processor: not tested\n");
    skip();
}

/* -- a graph run in f32 and in bf16 */

typedef struct subject subject;
struct subject {
    const char *op; /* the operator under test */
    icseg_value (*build)(subject *s, icseg_graph *g, icseg_value x);
    bool fused, in_f32; /* in_f32: the operator reads f32 and writes bf16 */
    bool backward;
    double tolerance; /* ||bf16 - f32|| / ||f32|| */
    icseg_params *params;
    int declared;
};

static icseg_value param(subject *s, icseg_graph *g, icseg_shape shape, float scale) {
    char name[32];
    snprintf(name, sizeof name, "p%d", s->declared++);
    icseg_param *p = icseg_params_find(s->params, name);
    icseg_param_options options = {.init = ICSEG_INIT_NORMAL, .scale = scale, .trainable = s->backward};
    if (!p) p = icseg_params_declare(s->params, name, shape, options, &error);
    return icseg_graph_param(g, p);
}

static icseg_value conv(subject *s, icseg_graph *g, icseg_value x, int64_t out, int64_t kernel) {
    int64_t in = icseg_graph_dim(g, x, -1);
    icseg_value weight = param(s, g, ICSEG_SHAPE(out, kernel, kernel, in), 1 / sqrtf((float)(in * kernel * kernel)));
    return icseg_conv2d(g, x, weight, param(s, g, ICSEG_SHAPE(out), 0.3f), 1, (int)kernel / 2);
}

typedef struct outcome {
    float *data;
    int64_t count;
} outcome;

static const float *input(void) {
    static float x[B * H * W * C];
    icseg_rng rng = icseg_rng_open(8, ICSEG_RNG_TEST, 1);
    for (int i = 0; i < B * H * W * C; i++) x[i] = icseg_rng_normal(&rng);
    return x;
}

/* Nodes of the operator whose first input and output have these types. */
static int count_nodes(const icseg_graph *g, const char *op, icseg_dtype in, icseg_dtype out) {
    int n = 0;
    for (int32_t i = 0; i < icseg_graph_node_count(g); i++) {
        const icseg_node *node = icseg_graph_node(g, i);
        n += !strcmp(node->op->name, op) && icseg_graph_value(g, node->input[0])->dtype == in &&
             icseg_graph_value(g, node->output[0])->dtype == out;
    }
    return n;
}

/* The first product makes bf16 that reaches the operator, the last one asks for bf16 from it. */
static outcome run(subject *s, bool bf16) {
    icseg_graph *g;
    icseg_workspace *workspace;
    icseg_executor *x;
    s->declared = 0;
    ok(icseg_graph_open(&g, false, &error));
    ok(icseg_workspace_open(&workspace, &error));
    icseg_value image = icseg_graph_input(g, "x", ICSEG_F32, ICSEG_SHAPE(B, H, W, C));
    icseg_value first = conv(s, g, conv(s, g, image, C, 1), C, 1); /* the one that reads the image stays f32 */
    icseg_value y = conv(s, g, s->build(s, g, first), 16, 1);
    icseg_graph_keep(g, y, "y");
    icseg_params_initialise(s->params, 4);
    if (s->backward) {
        ok(icseg_params_allocate_gradients(s->params, &error));
        icseg_graph_backward(g, 1, &y, &y, false);
    }
    if (s->fused) icseg_graph_fuse(g);
    if (bf16) icseg_graph_use_bf16(g);
    ok(icseg_graph_status(g, &error));
    if (bf16 && !count_nodes(g, s->op, s->in_f32 ? ICSEG_F32 : ICSEG_BF16, ICSEG_BF16) &&
        !count_nodes(g, s->op, ICSEG_BF16, ICSEG_F32))
        fail_msg("%s does not run in bf16", s->op);
    assert_int_equal(icseg_graph_value(g, y)->dtype, ICSEG_F32);
    ok(icseg_executor_open(&x, g, workspace, &error));
    icseg_executor_bind(x, image, input());
    ok(icseg_executor_run_checked(x, 1, 0, &error));
    int64_t count = icseg_graph_value(g, y)->count, total = count;
    for (int64_t i = 0; s->backward && i < icseg_params_count(s->params); i++)
        if (icseg_params_at(s->params, i)->grad) total += icseg_params_at(s->params, i)->count;
    outcome out = {icseg_alloc_array((size_t)total, sizeof *out.data), total};
    memcpy(out.data, icseg_executor_data(x, y), (size_t)count * sizeof *out.data);
    for (int64_t i = 0; s->backward && i < icseg_params_count(s->params); i++) {
        const icseg_param *p = icseg_params_at(s->params, i);
        if (!p->grad) continue;
        memcpy(out.data + count, p->grad, (size_t)p->count * sizeof *out.data);
        count += p->count;
    }
    icseg_executor_close(&x);
    icseg_workspace_close(&workspace);
    icseg_graph_close(&g);
    return out;
}

static double difference(const float *a, const float *b, int64_t count) {
    double square = 0, norm = 0;
    for (int64_t i = 0; i < count; i++) {
        square += pow((double)a[i] - (double)b[i], 2);
        norm += pow((double)b[i], 2);
    }
    return sqrt(square / norm);
}

static void check(subject s) {
    need_bf16();
    ok(icseg_params_open(&s.params, &error));
    outcome f32 = run(&s, false), bf16 = run(&s, true), again = run(&s, true);
    assert_int_equal(f32.count, bf16.count);
    double d = difference(bf16.data, f32.data, f32.count);
    if (!(d <= s.tolerance)) fail_msg("%s: bf16 differs by %g, more than %g", s.op, d, s.tolerance);
    if (!(d >= 1e-5)) fail_msg("%s: differs by %g only: was it bf16 at all?", s.op, d);
    assert_memory_equal(bf16.data, again.data, (size_t)bf16.count * sizeof *bf16.data);
    icseg_free(f32.data);
    icseg_free(bf16.data);
    icseg_free(again.data);
    icseg_params_close(&s.params);
}

/* -- operators, each between two convolutions; rounding to 8 bits changes 1.7e-3 of a tensor's norm (root mean square)
 */

static icseg_value same(subject *s, icseg_graph *g, icseg_value x) { return (void)s, (void)g, x; }
static icseg_value conv3(subject *s, icseg_graph *g, icseg_value x) { return conv(s, g, x, C, 3); }

static icseg_value residual(subject *s, icseg_graph *g, icseg_value x) {
    return icseg_relu(g, icseg_add(g, conv(s, g, x, C, 3), x));
}

/* The input of the last convolution is f32 then, because another node reads it. */
static icseg_value residual_of_other_type(subject *s, icseg_graph *g, icseg_value x) {
    icseg_value y = icseg_add(g, conv(s, g, x, C, 3), icseg_normalize(g, x));
    icseg_graph_keep(g, icseg_normalize(g, y), "other");
    return y;
}

static icseg_value linear(subject *s, icseg_graph *g, icseg_value x) {
    return icseg_linear(g, x, param(s, g, ICSEG_SHAPE(40, C), 0.2f), param(s, g, ICSEG_SHAPE(40), 0.3f));
}

static icseg_value quick(subject *s, icseg_graph *g, icseg_value x) { return icseg_quick_gelu(g, linear(s, g, x)); }

static icseg_value project(subject *s, icseg_graph *g, icseg_value x) {
    return icseg_project(g, x, param(s, g, ICSEG_SHAPE(C, 40), 0.2f));
}

static icseg_value add_both(subject *s, icseg_graph *g, icseg_value x) {
    (void)s;
    icseg_value pooled =
        icseg_resize_nearest(g, icseg_avg_pool(g, x, 2), H, W); /* no convolution that it could be fused into */
    return icseg_add(g, pooled, x);
}

static icseg_value add_f32(subject *s, icseg_graph *g, icseg_value x) {
    return icseg_add(g, icseg_avg_pool(g, x, 1), param(s, g, ICSEG_SHAPE(W, C), 1));
}

static icseg_value f32_add(subject *s, icseg_graph *g, icseg_value x) {
    return icseg_add(g, icseg_normalize(g, icseg_avg_pool(g, x, 1)), param(s, g, ICSEG_SHAPE(W, C), 1));
}

static icseg_value joined(subject *s, icseg_graph *g, icseg_value x) {
    icseg_value other = icseg_normalize(g, conv(s, g, x, 7, 1));
    icseg_value all[] = {x, other, x};
    return icseg_concat(g, 3, all, 3);
}

static icseg_value pool2(subject *s, icseg_graph *g, icseg_value x) { return (void)s, icseg_avg_pool(g, x, 2); }
static icseg_value pool3(subject *s, icseg_graph *g, icseg_value x) { return (void)s, icseg_avg_pool(g, x, 3); }
static icseg_value bilinear(subject *s, icseg_graph *g, icseg_value x) {
    return (void)s, icseg_resize_bilinear(g, x, 13, 9);
}
static icseg_value nearest(subject *s, icseg_graph *g, icseg_value x) {
    return (void)s, icseg_resize_nearest(g, x, 13, 9);
}

static icseg_value layer_norm(subject *s, icseg_graph *g, icseg_value x) {
    return icseg_layer_norm(g, x, param(s, g, ICSEG_SHAPE(C), 1), param(s, g, ICSEG_SHAPE(C), 1), 1e-5f);
}

/* A linear layer without bias: the gradient of a bias would need that of the result in f32. */
static icseg_value bare(subject *s, icseg_graph *g, icseg_value x) {
    return icseg_conv2d(g, x, param(s, g, ICSEG_SHAPE(C, 1, 1, C), 0.2f), ICSEG_NONE, 1, 0);
}

/* Running statistics have no gradient. */
static icseg_value state(subject *s, icseg_graph *g) {
    bool backward = s->backward;
    s->backward = false;
    icseg_value value = param(s, g, ICSEG_SHAPE(C), 0);
    s->backward = backward;
    return value;
}

static icseg_value batch_norm(subject *s, icseg_graph *g, icseg_value x) {
    icseg_batch_norm_options options = {.eps = 1e-5f, .momentum = 0.1f, .batch_statistics = true, .relu = true};
    icseg_value weight = param(s, g, ICSEG_SHAPE(C), 1), bias = param(s, g, ICSEG_SHAPE(C), 1);
    return icseg_batch_norm(g, bare(s, g, x), weight, bias, state(s, g), state(s, g), options);
}

static icseg_value relu(subject *s, icseg_graph *g, icseg_value x) { return (void)s, icseg_relu(g, x); }
static icseg_value gelu(subject *s, icseg_graph *g, icseg_value x) { return icseg_gelu(g, bare(s, g, x)); }
static icseg_value quick_gelu(subject *s, icseg_graph *g, icseg_value x) { return icseg_quick_gelu(g, bare(s, g, x)); }

static icseg_value views(subject *s, icseg_graph *g, icseg_value x) {
    icseg_value y = icseg_linear(g, icseg_reshape(g, x, ICSEG_SHAPE(B, H * W, C)), param(s, g, ICSEG_SHAPE(C, C), 0.2f),
                                 ICSEG_NONE);
    return icseg_reshape(g, y, ICSEG_SHAPE(B, W, H, C));
}

#define OPERATOR(NAME, ...)                                                                                            \
    static void NAME(void **state) {                                                                                   \
        (void)state;                                                                                                   \
        check((subject){__VA_ARGS__, .tolerance = 1e-2});                                                              \
    }
OPERATOR(convolutions_multiply_in_bf16, .op = "conv2d", .build = conv3)
OPERATOR(so_do_fused_ones, .op = "conv2d_fused", .build = residual, .fused = true)
OPERATOR(a_residual_may_have_another_type, .op = "conv2d_fused", .build = residual_of_other_type, .fused = true)
OPERATOR(linear_maps_multiply_in_bf16, .op = "linear", .build = linear)
OPERATOR(so_do_those_with_an_activation, .op = "linear_fused", .build = quick, .fused = true)
OPERATOR(projections_multiply_in_bf16, .op = "project", .build = project)
OPERATOR(add_of_two_bf16_tensors, .op = "add", .build = add_both)
OPERATOR(add_of_bf16_and_f32, .op = "add", .build = add_f32)
OPERATOR(add_of_f32_to_bf16, .op = "add", .build = f32_add, .in_f32 = true)
OPERATOR(concat_of_mixed_types, .op = "concat", .build = joined)
OPERATOR(avg_pool_of_pairs, .op = "avg_pool", .build = pool2)
OPERATOR(avg_pool_of_other_windows, .op = "avg_pool", .build = pool3)
OPERATOR(resize_bilinear_in_bf16, .op = "resize_bilinear", .build = bilinear)
OPERATOR(resize_nearest_in_bf16, .op = "resize_nearest", .build = nearest)
OPERATOR(layer_norm_to_bf16, .op = "layer_norm", .build = layer_norm, .in_f32 = true)
OPERATOR(batch_norm_to_bf16, .op = "batch_norm", .build = batch_norm, .in_f32 = true)

static void gradient_of_batch_norm(void **s) { /* its gradient passes through twice as many products, and a ReLU */
    (void)s;
    check((subject){
        .op = "batch_norm_gradient", .build = batch_norm, .in_f32 = true, .backward = true, .tolerance = 2e-2});
}

OPERATOR(relu_to_bf16, .op = "relu", .build = relu, .in_f32 = true)
OPERATOR(gelu_and_its_gradient, .op = "gelu_gradient", .build = gelu, .in_f32 = true, .backward = true)
OPERATOR(quick_gelu_and_its_gradient, .op = "quick_gelu_gradient", .build = quick_gelu, .in_f32 = true,
         .backward = true)
OPERATOR(views_have_the_type_of_what_they_show, .op = "reshape", .build = views)
OPERATOR(gradients_of_convolutions, .op = "conv2d_gradient_input", .build = conv3, .backward = true)
OPERATOR(gradients_of_1x1_convolutions, .op = "conv2d_gradient_weight", .build = same, .backward = true)
OPERATOR(gradients_of_linear_maps, .op = "linear_gradient_weight", .build = linear, .backward = true)
OPERATOR(gradients_of_projections, .op = "linear_gradient_input", .build = project, .backward = true)

/* -- what must not change */

static void one_cast_serves_all_readers_and_input_and_scores_stay_f32(void **state) {
    (void)state;
    subject s = {0};
    icseg_graph *g;
    ok(icseg_params_open(&s.params, &error));
    ok(icseg_graph_open(&g, false, &error));
    icseg_value x = icseg_graph_input(g, "x", ICSEG_F32, ICSEG_SHAPE(B, H, W, C));
    icseg_value first = conv(&s, g, x, C, 1), a = conv(&s, g, first, C, 1), b = conv(&s, g, first, C, 3);
    icseg_value rows = icseg_reshape(g, a, ICSEG_SHAPE(B, H * W, C));
    icseg_value score = icseg_similarity(g, icseg_normalize(g, rows), icseg_normalize(g, rows));
    icseg_graph_keep(g, score, "score");
    icseg_graph_keep(g, b, "b");
    icseg_graph_use_bf16(g);
    ok(icseg_graph_status(g, &error));
    assert_int_equal(count_nodes(g, "cast", ICSEG_F32, ICSEG_BF16), 1);
    assert_int_equal(count_nodes(g, "conv2d", ICSEG_F32, ICSEG_F32), 1);
    assert_int_equal(count_nodes(g, "conv2d", ICSEG_BF16, ICSEG_F32), 2);
    assert_int_equal(count_nodes(g, "similarity", ICSEG_F32, ICSEG_F32), 1);
    assert_int_equal(count_nodes(g, "normalize", ICSEG_F32, ICSEG_F32), 2);
    for (int32_t i = 0; i < icseg_graph_node_count(g); i++) {
        const icseg_node *node = icseg_graph_node(g, i);
        assert_int_equal(node->index, i);
        for (int o = 0; o < node->output_count; o++)
            assert_int_equal(icseg_graph_value(g, node->output[o])->producer, i);
        for (int k = 0; k < node->input_count; k++)
            if (node->input[k] != ICSEG_NONE) assert_true(icseg_graph_value(g, node->input[k])->producer < i);
    }
    icseg_graph_close(&g);
    icseg_params_close(&s.params);
}

static void a_graph_without_products_stays_as_it_is(void **state) {
    (void)state;
    icseg_graph *g;
    ok(icseg_graph_open(&g, false, &error));
    icseg_value x = icseg_graph_input(g, "x", ICSEG_F32, ICSEG_SHAPE(B, H, W, C));
    icseg_graph_keep(g, icseg_add(g, icseg_avg_pool(g, x, 1), x), "y");
    int32_t nodes = icseg_graph_node_count(g);
    icseg_graph_use_bf16(g);
    assert_int_equal(icseg_graph_node_count(g), nodes);
    for (icseg_value v = 0; v < icseg_graph_value_count(g); v++)
        assert_int_equal(icseg_graph_value(g, v)->dtype, ICSEG_F32);
    icseg_graph_close(&g);
}

/* Gradient and forward pass drop the same elements, although casts have moved both. */
static void dropout_masks_agree_after_casts(void **state) {
    (void)state;
    need_bf16();
    subject s = {.backward = true};
    icseg_graph *g;
    icseg_workspace *workspace;
    icseg_executor *x;
    ok(icseg_params_open(&s.params, &error));
    ok(icseg_graph_open(&g, true, &error));
    ok(icseg_workspace_open(&workspace, &error));
    icseg_value image = icseg_graph_input(g, "x", ICSEG_F32, ICSEG_SHAPE(B, H, W, C));
    icseg_value bias = param(&s, g, ICSEG_SHAPE(B, H, W, C), 1);
    icseg_value sum = icseg_add(g, conv(&s, g, conv(&s, g, image, C, 1), C, 1), bias);
    icseg_value y = icseg_dropout(g, sum, 0.5f, ICSEG_DROPOUT_ELEMENT);
    icseg_graph_keep(g, y, "y");
    icseg_params_initialise(s.params, 4);
    ok(icseg_params_allocate_gradients(s.params, &error));
    icseg_graph_backward(g, 1, &y, &y, false);
    icseg_graph_use_bf16(g);
    ok(icseg_executor_open(&x, g, workspace, &error));
    icseg_executor_bind(x, image, input());
    ok(icseg_executor_run(x, 5, 3, &error));
    const float *out = icseg_executor_data(x, y), *grad = icseg_params_at(s.params, 0)->grad;
    int dropped = 0;
    for (int i = 0; i < B * H * W * C; i++) {
        assert_true((out[i] == 0) == (grad[i] == 0));
        dropped += out[i] == 0;
    }
    assert_in_range(dropped, B * H * W * C / 3, B * H * W * C * 2 / 3);
    icseg_executor_close(&x);
    icseg_workspace_close(&workspace);
    icseg_graph_close(&g);
    icseg_params_close(&s.params);
}

/* -- models */

static int64_t logits(icseg_session *session, float *out) {
    static float image[2 * SIDE * SIDE * 3];
    icseg_rng rng = icseg_rng_open(3, ICSEG_RNG_TEST, 7);
    for (int i = 0; i < 2 * SIDE * SIDE * 3; i++) image[i] = icseg_rng_normal(&rng);
    icseg_network_options options;
    icseg_prepared_network *s;
    memset(&options, 0, sizeof options);
    options.batch = 2;
    options.height = options.width = SIDE;
    options.keep = ICSEG_KEEP_LOGITS;
    ok(icseg_session_network(session, &options, &s, &error));
    icseg_executor_bind(s->executor, s->network.image, image);
    ok(icseg_executor_run(s->executor, 0, 0, &error));
    int64_t count = icseg_graph_value(s->graph, s->network.logits)->count;
    memcpy(out, icseg_executor_data(s->executor, s->network.logits), (size_t)count * sizeof *out);
    return count;
}

/* Logits of a session of its own; returns the precision that is used. */
static icseg_precision logits_in(icseg_model *m, icseg_precision precision, float *out) {
    icseg_session *session = test_session(m, precision);
    icseg_precision used = icseg_session_precision(session);
    logits(session, out);
    icseg_session_close(&session);
    return used;
}

static void near_f32(const char *preset) {
    enum { MAX_VALUES = 1 << 16 };
    static float f32[MAX_VALUES], bf16[MAX_VALUES], bf16x2[MAX_VALUES], back[MAX_VALUES];
    icseg_model *m = test_model(preset, CLASSES, 1);
    icseg_session *session = test_session(m, ICSEG_PRECISION_F32);
    int64_t count = logits(session, f32);
    bool splits = logits_in(m, ICSEG_PRECISION_BF16X2, bf16x2) == ICSEG_PRECISION_BF16X2;
    assert_int_equal(splits, icseg_compute_has_precision(ICSEG_PRODUCT_BF16X2));
    double from_split = difference(bf16x2, f32, count);
    if (!(from_split <= 1e-4)) fail_msg("%s: logits of bf16x2 differ by %g", preset, from_split);
    assert_int_equal(splits, from_split > 0);
    icseg_precision used = logits_in(m, ICSEG_PRECISION_BF16, bf16);
    assert_int_equal(used, icseg_compute_bf16() >= ICSEG_BF16_FAST ? ICSEG_PRECISION_BF16 : ICSEG_PRECISION_F32);
    double d = difference(bf16, f32, count);
    if (!(d <= 2e-2)) fail_msg("%s: logits differ by %g", preset, d);
    if (used == ICSEG_PRECISION_BF16)
        assert_true(d > 1e-5);
    else
        print_message("bf16 is not fast on this processor: models use f32\n");
    assert_int_equal(logits_in(m, ICSEG_PRECISION_AUTO, back), ICSEG_PRECISION_F32); /* no labels were compared */
    assert_int_equal(logits_in(m, ICSEG_PRECISION_F32, back), ICSEG_PRECISION_F32);
    assert_memory_equal(back, f32, (size_t)count * sizeof *back);
    logits(session, back); /* sessions of other precisions changed nothing */
    assert_memory_equal(back, f32, (size_t)count * sizeof *back);
    icseg_session_close(&session);
    icseg_model_close(&m);
}

static void a_resnet_stays_near_f32(void **state) { (void)state, near_f32("tiny-resnet"); }
static void a_vit_stays_near_f32(void **state) { (void)state, near_f32("tiny-vit"); }

static void every_failed_allocation_is_reported(void **state) {
    (void)state;
    static float out[1 << 16];
    icseg_model *m = test_model("tiny-resnet", CLASSES, 4);
    icseg_session *session = test_session(m, ICSEG_PRECISION_BF16);
    icseg_network_options options;
    icseg_status status = ICSEG_ERROR_MEMORY;
    memset(&options, 0, sizeof options);
    options.batch = 1;
    options.height = options.width = SIDE;
    options.keep = ICSEG_KEEP_LOGITS;
    int64_t n = 0;
    for (; status != ICSEG_OK; n += 5) {
        icseg_prepared_network *s;
        icseg_memory_fail_after(n);
        status = icseg_session_network(session, &options, &s, &error);
        icseg_memory_fail_after(-1);
        if (status != ICSEG_OK) assert_int_equal(status, ICSEG_ERROR_MEMORY);
    }
    assert_true(n > 50); /* some allocations failed */
    assert_true(logits(session, out) > 0);
    icseg_session_close(&session);
    icseg_model_close(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convolutions_multiply_in_bf16),
        cmocka_unit_test(so_do_fused_ones),
        cmocka_unit_test(a_residual_may_have_another_type),
        cmocka_unit_test(linear_maps_multiply_in_bf16),
        cmocka_unit_test(so_do_those_with_an_activation),
        cmocka_unit_test(projections_multiply_in_bf16),
        cmocka_unit_test(add_of_two_bf16_tensors),
        cmocka_unit_test(add_of_bf16_and_f32),
        cmocka_unit_test(add_of_f32_to_bf16),
        cmocka_unit_test(concat_of_mixed_types),
        cmocka_unit_test(avg_pool_of_pairs),
        cmocka_unit_test(avg_pool_of_other_windows),
        cmocka_unit_test(resize_bilinear_in_bf16),
        cmocka_unit_test(resize_nearest_in_bf16),
        cmocka_unit_test(layer_norm_to_bf16),
        cmocka_unit_test(batch_norm_to_bf16),
        cmocka_unit_test(gradient_of_batch_norm),
        cmocka_unit_test(relu_to_bf16),
        cmocka_unit_test(gelu_and_its_gradient),
        cmocka_unit_test(quick_gelu_and_its_gradient),
        cmocka_unit_test(views_have_the_type_of_what_they_show),
        cmocka_unit_test(gradients_of_convolutions),
        cmocka_unit_test(gradients_of_1x1_convolutions),
        cmocka_unit_test(gradients_of_linear_maps),
        cmocka_unit_test(gradients_of_projections),
        cmocka_unit_test(one_cast_serves_all_readers_and_input_and_scores_stay_f32),
        cmocka_unit_test(a_graph_without_products_stays_as_it_is),
        cmocka_unit_test(dropout_masks_agree_after_casts),
        cmocka_unit_test(a_resnet_stays_near_f32),
        cmocka_unit_test(a_vit_stays_near_f32),
        cmocka_unit_test(every_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests_name("bf16", tests, NULL, NULL);
}
