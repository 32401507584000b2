/* SPDX-License-Identifier: Apache-2.0
 * The fused graph computes the same as the original graph, and follows its parameters. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "graph/passes/fuse.h"
#include "graph/op.h"
#include "graph/ops.h"
#include "support/models.h"

enum { CLASSES = 5, SIDE = 64 };

static icseg_error error;

static void ok(icseg_status status) {
    if (status != ICSEG_OK) fail_msg("%s", error.message);
}

/* Batch norms as after training, not as after initialisation. */
static void train_batch_norms(icseg_model *m, uint64_t seed) {
    for (int64_t i = 0; i < icseg_params_count(m->params); i++) {
        icseg_param *p = icseg_params_at(m->params, i);
        icseg_rng rng = icseg_rng_open(seed, ICSEG_RNG_TEST, (uint64_t)i + 5000);
        if (p->shape.rank != 1) continue;
        bool positive = strstr(p->name, "running_var") || strstr(p->name, ".weight");
        for (int64_t k = 0; k < p->count; k++)
            p->data[k] = positive ? icseg_rng_range(&rng, 0.5f, 1.5f) : 0.3f * icseg_rng_normal(&rng);
        p->version++;
    }
}

static const float *image_of(int64_t batch) {
    static float image[2 * SIDE * SIDE * 3];
    icseg_rng rng = icseg_rng_open(3, ICSEG_RNG_TEST, 7);
    for (int64_t i = 0; i < batch * SIDE * SIDE * 3; i++) image[i] = icseg_rng_normal(&rng);
    return image;
}

/* Logits of two images; `out` is large enough for them. */
static int64_t logits(icseg_model *m, int32_t plain, float *out) {
    icseg_network_options options;
    icseg_session *session = test_session(m, ICSEG_PRECISION_F32);
    icseg_prepared_network *s;
    memset(&options, 0, sizeof options);
    options.batch = 2;
    options.height = options.width = SIDE;
    options.keep = ICSEG_KEEP_LOGITS;
    options.plain = plain;
    ok(icseg_session_network(session, &options, &s, &error));
    icseg_executor_bind(s->executor, s->network.image, image_of(2));
    ok(icseg_executor_run(s->executor, 0, 0, &error));
    int64_t count = icseg_graph_value(s->graph, s->network.logits)->count;
    memcpy(out, icseg_executor_data(s->executor, s->network.logits), (size_t)count * sizeof *out);
    icseg_session_close(&session);
    return count;
}

static void same_logits(icseg_model *m) {
    float *plain = icseg_alloc_array(1 << 20, sizeof *plain), *fused = icseg_alloc_array(1 << 20, sizeof *fused);
    double difference = 0, norm = 0;
    int64_t count = logits(m, 1, plain);
    assert_int_equal(logits(m, 0, fused), count);
    for (int64_t i = 0; i < count; i++) {
        difference += pow((double)plain[i] - (double)fused[i], 2);
        norm += pow((double)plain[i], 2);
    }
    assert_true(norm > 0);
    if (!(sqrt(difference / norm) <= 1e-5)) fail_msg("they differ by %g", sqrt(difference / norm));
    icseg_free(plain);
    icseg_free(fused);
}

static void a_fused_resnet_gives_the_same_logits(void **state) {
    icseg_model *m = test_model("tiny-resnet", CLASSES, 1);
    (void)state;
    train_batch_norms(m, 1);
    same_logits(m);
    icseg_model_close(&m);
}

static void a_fused_vit_gives_the_same_logits(void **state) {
    icseg_model *m = test_model("tiny-vit", CLASSES, 2);
    (void)state;
    train_batch_norms(m, 2);
    same_logits(m);
    icseg_model_close(&m);
}

static void folded_weights_follow_each_of_their_parameters(void **state) {
    static const char *const names[] = {"visual.layer1.0.conv1.weight", "visual.layer1.0.bn1.weight",
                                        "visual.layer1.0.bn1.bias", "visual.layer1.0.bn1.running_mean",
                                        "visual.layer1.0.bn1.running_var"};
    icseg_model *m = test_model("tiny-resnet", CLASSES, 3);
    (void)state;
    train_batch_norms(m, 3);
    same_logits(m);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        icseg_param *p = icseg_params_find(m->params, names[i]);
        assert_non_null(p);
        for (int64_t k = 0; k < p->count; k++) p->data[k] = 1.5f * p->data[k] + 0.01f;
        p->version++;
        same_logits(m);
    }
    icseg_model_close(&m);
}

/* Nodes of an operator, whether or not they are read. */
static int count(const icseg_graph *g, const char *op) {
    int n = 0;
    for (int32_t i = 0; i < icseg_graph_node_count(g); i++) n += !strcmp(icseg_graph_node(g, i)->op->name, op);
    return n;
}

static icseg_value conv(icseg_graph *g, icseg_params *params, icseg_value x, const char *name) {
    icseg_param_options options = {.layout = ICSEG_LAYOUT_OIHW, .init = ICSEG_INIT_NORMAL, .scale = 0.3f};
    icseg_param *weight = icseg_params_declare(params, name, ICSEG_SHAPE(4, 4, 3, 3), options, &error);
    assert_non_null(weight);
    assert_int_equal(icseg_param_load(weight, &error), ICSEG_OK);
    return icseg_conv2d(g, x, icseg_graph_param(g, weight), ICSEG_NONE, 1, 1);
}

static void values_read_twice_or_kept_are_not_fused(void **state) {
    icseg_graph *g;
    icseg_params *params;
    (void)state;
    ok(icseg_graph_open(&g, false, &error));
    ok(icseg_params_open(&params, &error));
    icseg_value x = icseg_graph_input(g, "x", ICSEG_F32, ICSEG_SHAPE(1, 4, 4, 4));
    icseg_value twice = conv(g, params, x, "twice"), kept = conv(g, params, x, "kept"),
                once = conv(g, params, x, "once");
    icseg_graph_keep(g, kept, "kept");
    icseg_value a = icseg_relu(g, twice), b = icseg_relu(g, kept);
    icseg_value sum = icseg_add(g, icseg_add(g, a, b), twice);
    icseg_graph_keep(g, icseg_relu(g, icseg_add(g, once, sum)), "y");
    icseg_graph_fuse(g);
    ok(icseg_graph_status(g, &error));
    assert_int_equal(count(g, "conv2d_fused"), 2); /* once + sum, and its ReLU */
    assert_int_equal(count(g, "relu"), 2);
    icseg_graph_close(&g);
    icseg_params_close(&params);
}

enum { ROWS = 1283, WIDTH = 32, HIDDEN = 1700 }; /* three blocks, the last one row shorter */

/* Numbers of f16; a source of parameters. */
static icseg_status read_halves(const void *from, float *to, icseg_error *unused) {
    const icseg_param *p = from;
    icseg_rng rng = icseg_rng_open(5, ICSEG_RNG_TEST, (uint64_t)p->index);
    uint16_t half;
    (void)unused;
    for (int64_t i = 0; i < p->count; i++) {
        float x = 0.1f * icseg_rng_normal(&rng);
        icseg_f16_from_f32(&half, &x, 1);
        icseg_f32_from(&to[i], &half, ICSEG_F16, 1);
    }
    return ICSEG_OK;
}

/* y = x + W2 gelu(W1 x + b1) + b2 (ROWS, WIDTH), in pairs or not. The weights' source has this type. */
static void run_mlp(bool pairs, icseg_dtype dtype, float *out) {
    static const struct {
        const char *name;
        int64_t rows, columns;
    } tensors[] = {{"w1", HIDDEN, WIDTH}, {"b1", HIDDEN, 0}, {"w2", WIDTH, HIDDEN}, {"b2", WIDTH, 0}};
    static float x[ROWS * WIDTH];
    icseg_graph *g;
    icseg_params *params;
    icseg_workspace *workspace;
    icseg_executor *executor;
    icseg_value p[4];
    icseg_rng rng = icseg_rng_open(9, ICSEG_RNG_TEST, 1);
    for (int64_t i = 0; i < ROWS * WIDTH; i++) x[i] = icseg_rng_normal(&rng);
    ok(icseg_graph_open(&g, false, &error));
    ok(icseg_params_open(&params, &error));
    ok(icseg_workspace_open(&workspace, &error));
    for (int i = 0; i < 4; i++) {
        icseg_shape shape =
            tensors[i].columns ? ICSEG_SHAPE(tensors[i].rows, tensors[i].columns) : ICSEG_SHAPE(tensors[i].rows);
        icseg_param *param = icseg_params_declare(params, tensors[i].name, shape, (icseg_param_options){0}, &error);
        assert_non_null(param);
        icseg_param_set_source(
            param, (icseg_param_source){.kind = ICSEG_SOURCE_CALL, .dtype = dtype, .from = param, .read = read_halves});
        p[i] = icseg_graph_param(g, param);
    }
    icseg_value in = icseg_graph_input(g, "x", ICSEG_F32, ICSEG_SHAPE(1, ROWS, WIDTH));
    icseg_value between = icseg_quick_gelu(g, icseg_linear(g, in, p[0], p[1]));
    icseg_value y = icseg_add(g, in, icseg_linear(g, between, p[2], p[3]));
    icseg_graph_keep(g, y, "y");
    icseg_graph_fuse(g);
    if (pairs) icseg_graph_fuse_pairs(g);
    ok(icseg_graph_status(g, &error));
    assert_int_equal(count(g, "linear_pair"), pairs);
    ok(icseg_executor_open(&executor, g, workspace, &error));
    assert_true(icseg_executor_summary(executor).activations < (pairs ? 1 : 100) * 1000000); /* hidden: 8.7 MB */
    icseg_executor_bind(executor, in, x);
    ok(icseg_executor_run(executor, 0, 0, &error));
    memcpy(out, icseg_executor_data(executor, y), ROWS * WIDTH * sizeof *out);
    icseg_executor_close(&executor);
    icseg_workspace_close(&workspace);
    icseg_graph_close(&g);
    icseg_params_close(&params);
}

static void a_large_mlp_in_blocks_of_rows_gives_the_same(void **state) {
    static float whole[ROWS * WIDTH], blocks[ROWS * WIDTH];
    (void)state;
    run_mlp(false, ICSEG_F32, whole);
    run_mlp(true, ICSEG_F32, blocks);
    for (int64_t i = 0; i < ROWS * WIDTH; i++)
        if (!(fabsf(whole[i] - blocks[i]) <= 1e-4f))
            fail_msg("row %d: %g, %g", (int)(i / WIDTH), (double)whole[i], (double)blocks[i]);
}

static void weights_in_f16_give_the_same_bits(void **state) {
    static float full[ROWS * WIDTH], half[ROWS * WIDTH];
    (void)state;
    for (int pairs = 0; pairs < 2; pairs++) {
        run_mlp(pairs, ICSEG_F32, full);
        run_mlp(pairs, ICSEG_F16, half);
        assert_memory_equal(full, half, sizeof full);
    }
}

typedef struct transposed_case {
    int64_t batch, height, width, in, between, out;
    bool residual, first_bias, second_bias, fused;
} transposed_case;

static icseg_value make_param(icseg_graph *g, icseg_params *params, const char *name, icseg_shape shape,
                              icseg_layout layout) {
    icseg_param_options options = {.layout = layout, .init = ICSEG_INIT_NORMAL, .scale = 0.2f};
    icseg_param *p = icseg_params_declare(params, name, shape, options, &error);
    assert_non_null(p);
    return icseg_graph_param(g, p);
}

/* A transposed convolution, a 1x1 convolution and a sum. The result has the size of the output, and is the caller's. */
static void run_transposed(const transposed_case *c, icseg_params *params, const float *x, const float *residual,
                           bool fuse, float *out) {
    icseg_graph *g;
    icseg_workspace *workspace;
    icseg_executor *executor;
    ok(icseg_graph_open(&g, false, &error));
    ok(icseg_workspace_open(&workspace, &error));
    icseg_value in = icseg_graph_input(g, "x", ICSEG_F32, ICSEG_SHAPE(c->batch, c->height, c->width, c->in));
    icseg_value other =
        icseg_graph_input(g, "r", ICSEG_F32, ICSEG_SHAPE(c->batch, 2 * c->height, 2 * c->width, c->out));
    icseg_value bias1 = c->first_bias ? icseg_graph_param(g, icseg_params_find(params, "b1")) : ICSEG_NONE;
    icseg_value bias2 = c->second_bias ? icseg_graph_param(g, icseg_params_find(params, "b2")) : ICSEG_NONE;
    icseg_value y = icseg_conv_transpose2x2(g, in, icseg_graph_param(g, icseg_params_find(params, "w1")), bias1);
    y = icseg_conv2d(g, y, icseg_graph_param(g, icseg_params_find(params, "w2")), bias2, 1, 0);
    if (c->residual) y = icseg_add(g, y, icseg_relu(g, other)); /* computed, so that its storage may be taken */
    icseg_graph_keep(g, y, "y");
    icseg_graph_fuse(g);
    if (fuse) icseg_graph_fuse_transposed(g);
    ok(icseg_graph_status(g, &error));
    assert_int_equal(count(g, "conv_transpose2x2_map"), fuse && c->fused);
    ok(icseg_executor_open(&executor, g, workspace, &error));
    icseg_executor_bind(executor, in, x);
    icseg_executor_bind(executor, other, residual);
    ok(icseg_executor_run(executor, 0, 0, &error));
    memcpy(out, icseg_executor_data(executor, y), (size_t)icseg_graph_value(g, y)->count * sizeof *out);
    icseg_executor_close(&executor);
    icseg_workspace_close(&workspace);
    icseg_graph_close(&g);
}

static void compare_transposed(const transposed_case *c, icseg_params *params) {
    enum { LARGEST = 1 << 17 };
    static float x[LARGEST], residual[LARGEST], apart[LARGEST], together[LARGEST];
    int64_t size = c->batch * 4 * c->height * c->width * c->out;
    icseg_rng rng = icseg_rng_open(3, ICSEG_RNG_TEST, 4);
    assert_true(size <= LARGEST && c->batch * c->height * c->width * c->in <= LARGEST);
    for (int64_t i = 0; i < LARGEST; i++) x[i] = icseg_rng_normal(&rng), residual[i] = icseg_rng_normal(&rng);
    run_transposed(c, params, x, residual, false, apart);
    run_transposed(c, params, x, residual, true, together);
    for (int64_t i = 0; i < size; i++)
        if (!(fabsf(apart[i] - together[i]) <= 2e-5f))
            fail_msg("%d: %g, %g", (int)i, (double)apart[i], (double)together[i]);
}

static void a_transposed_convolution_and_one_of_pixels_are_one_map(void **state) {
    static const transposed_case cases[] = {
        {1, 40, 40, 24, 40, 16, true, true, true, true}, /* three blocks of lines, the last one shorter */
        {2, 12, 17, 33, 29, 19, true, true, true, true}, {1, 9, 31, 32, 24, 16, false, false, true, true},
        {1, 12, 12, 8, 8, 4, true, true, false, true},   {1, 12, 12, 8, 8, 4, false, false, false, true},
        {1, 1, 700, 8, 16, 8, true, true, true, true},   {1, 3, 3, 16, 16, 16, true, true, true, false},
        {1, 20, 20, 64, 8, 64, true, true, true, false}}; /* one map would take more work */
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const transposed_case *c = &cases[i];
        icseg_params *params;
        icseg_graph *g;
        ok(icseg_params_open(&params, &error));
        ok(icseg_graph_open(&g, false, &error));
        make_param(g, params, "w1", ICSEG_SHAPE(c->in, c->between, 2, 2), ICSEG_LAYOUT_IOHW);
        make_param(g, params, "b1", ICSEG_SHAPE(c->between), ICSEG_LAYOUT_PLAIN);
        make_param(g, params, "w2", ICSEG_SHAPE(c->out, c->between, 1, 1), ICSEG_LAYOUT_OIHW);
        make_param(g, params, "b2", ICSEG_SHAPE(c->out), ICSEG_LAYOUT_PLAIN);
        icseg_graph_close(&g);
        icseg_params_initialise(params, 5);
        compare_transposed(c, params);
        icseg_param *changed = icseg_params_find(params, i % 2 ? "w1" : "b1"); /* as training does */
        ok(icseg_param_load(changed, &error));
        for (int64_t j = 0; j < changed->count; j++) changed->data[j] = changed->data[j] * 1.5f + 0.1f;
        changed->version++;
        compare_transposed(c, params);
        icseg_params_close(&params);
    }
}

static void memory_that_runs_out_anywhere_is_a_status(void **state) {
    icseg_model *m = test_model("tiny-resnet", CLASSES, 4);
    icseg_session *session = test_session(m, ICSEG_PRECISION_F32);
    icseg_network_options options;
    icseg_status status = ICSEG_ERROR_MEMORY;
    (void)state;
    memset(&options, 0, sizeof options);
    options.batch = 1;
    options.height = options.width = SIDE;
    options.keep = ICSEG_KEEP_LOGITS;
    int64_t n = 0;
    for (; status != ICSEG_OK; n += 7) {
        icseg_prepared_network *s;
        icseg_memory_fail_after(n);
        status = icseg_session_network(session, &options, &s, &error);
        if (status == ICSEG_OK) {
            icseg_executor_bind(s->executor, s->network.image, image_of(1));
            status = icseg_executor_run(s->executor, 0, 0, &error);
        }
        icseg_memory_fail_after(-1);
        if (status != ICSEG_OK) assert_int_equal(status, ICSEG_ERROR_MEMORY);
    }
    assert_true(n > 49); /* some allocations failed */
    same_logits(m);
    icseg_session_close(&session);
    icseg_model_close(&m);
}

/* relu(x W + b + r), in which the sum is fused first and the activation into its result. */
static void an_activation_joins_a_linear_map_with_a_residual(void **state) {
    (void)state;
    enum { COUNT = 2 * 3 };
    static const float x[COUNT] = {1, -2, 3, 0, 1, -1}, r[COUNT] = {0.5f, 1, -9, 2, -4, 0};
    static const float expected[COUNT] = {1.5f, 0, 0, 2, 0, 0};
    for (int fused = 0; fused < 2; fused++) {
        icseg_graph *g;
        icseg_params *params;
        icseg_workspace *workspace;
        icseg_executor *executor;
        ok(icseg_graph_open(&g, false, &error));
        ok(icseg_params_open(&params, &error));
        ok(icseg_workspace_open(&workspace, &error));
        icseg_param *w = icseg_params_declare(params, "w", ICSEG_SHAPE(3, 3), (icseg_param_options){0}, &error);
        assert_non_null(w);
        ok(icseg_param_load(w, &error));
        for (int i = 0; i < 3; i++) w->data[4 * i] = 1; /* the unit matrix */
        icseg_value a = icseg_graph_input(g, "x", ICSEG_F32, ICSEG_SHAPE(1, 2, 3)),
                    b = icseg_graph_input(g, "r", ICSEG_F32, ICSEG_SHAPE(1, 2, 3));
        icseg_value y = icseg_relu(g, icseg_add(g, icseg_linear(g, a, icseg_graph_param(g, w), ICSEG_NONE), b));
        icseg_graph_keep(g, y, "y");
        if (fused) icseg_graph_fuse(g);
        ok(icseg_graph_status(g, &error));
        ok(icseg_executor_open(&executor, g, workspace, &error));
        icseg_executor_bind(executor, a, x);
        icseg_executor_bind(executor, b, r);
        ok(icseg_executor_run(executor, 0, 0, &error));
        const float *got = icseg_executor_data(executor, y);
        for (int i = 0; i < COUNT; i++) assert_true(got[i] == expected[i]);
        assert_true(!fused || count(g, "linear_fused") > 0);
        icseg_executor_close(&executor);
        icseg_workspace_close(&workspace);
        icseg_graph_close(&g);
        icseg_params_close(&params);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fused_resnet_gives_the_same_logits),
        cmocka_unit_test(a_fused_vit_gives_the_same_logits),
        cmocka_unit_test(folded_weights_follow_each_of_their_parameters),
        cmocka_unit_test(values_read_twice_or_kept_are_not_fused),
        cmocka_unit_test(a_large_mlp_in_blocks_of_rows_gives_the_same),
        cmocka_unit_test(weights_in_f16_give_the_same_bits),
        cmocka_unit_test(a_transposed_convolution_and_one_of_pixels_are_one_map),
        cmocka_unit_test(memory_that_runs_out_anywhere_is_a_status),
        cmocka_unit_test(an_activation_joins_a_linear_map_with_a_residual),
    };
    return cmocka_run_group_tests_name("fused graphs", tests, NULL, NULL);
}
