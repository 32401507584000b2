/* SPDX-License-Identifier: Apache-2.0
 * Recomputation: losses, gradients and running statistics keep every bit, and the plan gets smaller. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/memory.h"
#include "graph/ops.h"
#include "graph/passes/recompute.h"
#include "graph/passes/autodiff.h"
#include "support/models.h"

enum { CLASSES = 5, SIDE = 160 /* at most */, BATCH = 2, STEPS = 2 };
enum { PLAIN, NORMAL, LOW, KINDS };

static icseg_error error;

static void ok(icseg_status status) {
    if (status != ICSEG_OK) fail_msg("%s", error.message);
}

/* Two steps without an optimiser: running statistics move between them. */
static icseg_model *train(const char *preset, int side, int kind, bool bf16, icseg_plan_summary *plan, float *loss) {
    static float image[BATCH * SIDE * SIDE * 3];
    static int16_t labels[BATCH * SIDE * SIDE];
    icseg_rng rng = icseg_rng_open(3, ICSEG_RNG_TEST, 7);
    for (int i = 0; i < BATCH * SIDE * SIDE * 3; i++) image[i] = icseg_rng_normal(&rng);
    for (int i = 0; i < BATCH * SIDE * SIDE; i++) labels[i] = (int16_t)icseg_rng_below(&rng, CLASSES);
    icseg_model *m = test_model(preset, CLASSES, 11);
    icseg_network_options options;
    icseg_session *session = test_session(m, ICSEG_PRECISION_F32);
    icseg_prepared_network *s;
    memset(&options, 0, sizeof options);
    options.batch = BATCH;
    options.height = options.width = side;
    options.training = options.losses = options.gradients = 1;
    options.plain = kind == PLAIN;
    options.low_memory = kind == LOW;
    options.precision = bf16 ? ICSEG_PRECISION_BF16 : ICSEG_PRECISION_F32;
    for (int step = 0; step < STEPS; step++) {
        ok(icseg_session_network(session, &options, &s, &error));
        icseg_executor_bind(s->executor, s->network.image, image);
        icseg_executor_bind(s->executor, s->network.labels, labels);
        ok(icseg_executor_run(s->executor, 5, step, &error));
    }
    *plan = icseg_executor_summary(s->executor);
    *loss = *(const float *)icseg_executor_data(s->executor, s->network.total);
    icseg_session_close(&session);
    return m;
}

static void check_same(const icseg_model *a, const icseg_model *b) {
    int gradients = 0;
    for (int64_t i = 0; i < icseg_params_count(a->params); i++) {
        const icseg_param *p = icseg_params_at(a->params, i), *q = icseg_params_at(b->params, i);
        size_t bytes = (size_t)p->count * sizeof(float);
        if (memcmp(p->data, q->data, bytes) != 0) fail_msg("%s has other values", p->name);
        if (!p->grad) continue;
        gradients++;
        if (memcmp(p->grad, q->grad, bytes) != 0) fail_msg("%s has another gradient", p->name);
    }
    assert_true(gradients > 50);
}

static void check_model(const char *preset, int side, bool bf16) {
    icseg_model *m[KINDS];
    icseg_plan_summary plan[KINDS];
    float loss[KINDS];
    for (int kind = 0; kind < KINDS; kind++) m[kind] = train(preset, side, kind, bf16, &plan[kind], &loss[kind]);
    for (int kind = NORMAL; kind < KINDS; kind++) {
        assert_memory_equal(&loss[PLAIN], &loss[kind], sizeof *loss);
        check_same(m[PLAIN], m[kind]);
        assert_true(plan[kind].activations < plan[kind - 1].activations);
        assert_true(plan[kind].flops >= plan[kind - 1].flops);
    }
    assert_true(plan[LOW].activations < plan[PLAIN].activations * 4 / 5);
    assert_true(plan[NORMAL].flops < plan[PLAIN].flops * 1.1 && plan[LOW].flops < plan[PLAIN].flops * 1.16);
    for (int kind = 0; kind < KINDS; kind++) icseg_model_close(&m[kind]);
}

static void a_resnet_trains_the_same_bit_by_bit(void **state) {
    (void)state;
    check_model("tiny-resnet", 96, false);
}

static void a_vision_transformer_trains_the_same_bit_by_bit(void **state) {
    (void)state;
    check_model("tiny-vit", SIDE, false);
}

static void mixed_precision_trains_the_same_bit_by_bit(void **state) {
    (void)state;
    if (icseg_precision_here(ICSEG_PRECISION_BF16) != ICSEG_PRECISION_BF16) skip();
    check_model("tiny-resnet", 96, true);
}

/* x -> relu -> gelu -> scale, twice; only the second half's input is kept. */
static icseg_graph *chain(icseg_param *x, icseg_param *scale, icseg_value *middle) {
    icseg_graph *g;
    ok(icseg_graph_open(&g, true, &error));
    icseg_value v = icseg_graph_param(g, x), s = icseg_graph_param(g, scale);
    for (int half = 0; half < 2; half++) {
        v = icseg_scale_channels(g, icseg_gelu(g, icseg_relu(g, v)), s);
        if (half == 0) *middle = icseg_graph_boundary(g, v);
    }
    icseg_graph_keep(g, v, "y");
    icseg_graph_backward(g, 1, &v, &v, false);
    return g;
}

static void a_block_is_computed_again_from_its_boundary(void **state) {
    (void)state;
    icseg_params *params;
    icseg_value middle;
    ok(icseg_params_open(&params, &error));
    icseg_param_options options = {.trainable = true};
    icseg_param *x = icseg_params_declare(params, "x", ICSEG_SHAPE(256, 256), options, &error);
    icseg_param *scale = icseg_params_declare(params, "scale", ICSEG_SHAPE(256), options, &error);
    icseg_graph *g = chain(x, scale, &middle);
    int32_t described = icseg_graph_node_count(g), forward = 0, copies = 0;
    while (!icseg_graph_node(g, forward)->backward) forward++;
    icseg_graph_recompute(g, ICSEG_MEMORY_LOW);
    ok(icseg_graph_status(g, &error));
    assert_int_equal(icseg_graph_node_count(g), described + 4); /* relu and gelu of both halves, each once */
    for (int32_t n = forward; n < icseg_graph_node_count(g); n++) {
        const icseg_node *node = icseg_graph_node(g, n);
        assert_int_equal(node->index, n);
        assert_true(node->backward);
        for (int i = 0; i < node->input_count; i++)
            assert_true(icseg_graph_value(g, node->input[i])->producer <
                        n); /* inputs are computed before they are read */
        copies += node->op->gradient != NULL && n > forward;
        bool reads_first = node->op->gradient && node->input[0] == middle;
        if (reads_first) assert_true(n < forward + 4); /* the later half comes first */
    }
    assert_true(copies >= 3);
    icseg_graph_close(&g);
    icseg_params_close(&params);
}

/* Takes blocks of 16 bytes, at most `limit`, until the arena needs memory for the next one; returns their number. */
static int64_t fill(icseg_graph *g, int64_t limit) {
    int64_t taken = 0;
    icseg_memory_fail_after(0);
    while (taken < limit && icseg_arena_alloc(icseg_graph_arena(g), 16)) taken++;
    icseg_memory_fail_after(-1);
    return taken;
}

static void memory_that_runs_out_is_a_status(void **state) {
    (void)state;
    icseg_params *params;
    icseg_value middle;
    ok(icseg_params_open(&params, &error));
    icseg_param_options options = {.trainable = true};
    icseg_param *x = icseg_params_declare(params, "x", ICSEG_SHAPE(256, 256), options, &error);
    icseg_param *scale = icseg_params_declare(params, "scale", ICSEG_SHAPE(256), options, &error);
    icseg_graph *g = chain(x, scale, &middle);
    /* Without exact blocks few calls allocate: the arena is filled so far that `left` blocks fit into it. */
    int64_t whole = ICSEG_EXACT_BLOCKS ? INT32_MAX : fill(g, INT64_MAX), failures = 0;
    icseg_graph_close(&g);
    icseg_status status = ICSEG_ERROR_MEMORY;
    for (int64_t left = 0; status != ICSEG_OK && left < whole; left += 1 + left / 8) {
        g = chain(x, scale, &middle);
        if (!ICSEG_EXACT_BLOCKS) assert_int_equal(fill(g, whole - left), whole - left);
        icseg_memory_fail_after(ICSEG_EXACT_BLOCKS ? left : 0);
        icseg_graph_recompute(g, ICSEG_MEMORY_LOW);
        icseg_memory_fail_after(-1);
        status = icseg_graph_status(g, &error);
        if (status != ICSEG_OK) {
            assert_int_equal(status, ICSEG_ERROR_MEMORY);
            failures++;
        }
        icseg_graph_close(&g);
    }
    assert_int_equal(status, ICSEG_OK);
    assert_true(failures > 4);
    icseg_params_close(&params);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_resnet_trains_the_same_bit_by_bit),
        cmocka_unit_test(a_vision_transformer_trains_the_same_bit_by_bit),
        cmocka_unit_test(mixed_precision_trains_the_same_bit_by_bit),
        cmocka_unit_test(a_block_is_computed_again_from_its_boundary),
        cmocka_unit_test(memory_that_runs_out_is_a_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
