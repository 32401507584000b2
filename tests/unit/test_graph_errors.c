/* SPDX-License-Identifier: Apache-2.0
 * Graphs that cannot be built or run: the status, and a message that names the operator and the shapes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/check.h"
#include "graph/node.h"
#include "graph/ops.h"
#include "graph/passes/autodiff.h"
#include "graph/run/executor.h"

static icseg_error error;

static void ok(icseg_status status) {
    if (status != ICSEG_OK) fail_msg("%s", error.message);
}

static icseg_graph *open_graph(void) {
    icseg_graph *g;
    ok(icseg_graph_open(&g, false, &error));
    return g;
}

/* An input, whose name does not matter. */
static icseg_value f32(icseg_graph *g, icseg_shape shape) { return icseg_graph_input(g, "x", ICSEG_F32, shape); }
static icseg_value i16(icseg_graph *g, icseg_shape shape) { return icseg_graph_input(g, "y", ICSEG_I16, shape); }

static void expect_failure(icseg_graph *g, icseg_status status, const char *message) {
    assert_int_equal(icseg_graph_status(g, &error), status);
    assert_string_equal(error.message, message);
    icseg_graph_close(&g);
}

/* -- operators. Each of them leaves the graph with its message. */

static void add(icseg_graph *g) { icseg_add(g, f32(g, ICSEG_SHAPE(2, 3)), f32(g, ICSEG_SHAPE(2))); }

static void add_of_a_larger_tensor(icseg_graph *g) { icseg_add(g, f32(g, ICSEG_SHAPE(3)), f32(g, ICSEG_SHAPE(2, 3))); }

static void contrast_of_f32_labels(icseg_graph *g) {
    icseg_align_contrast(g, f32(g, ICSEG_SHAPE(1, 2, 2, 3)), f32(g, ICSEG_SHAPE(1, 4, 4)), ICSEG_NONE, ICSEG_NONE,
                         (icseg_contrast_options){.tau = 1});
}

static void contrast_with_the_memory_of_other_classes(icseg_graph *g) {
    icseg_align_contrast(g, f32(g, ICSEG_SHAPE(1, 2, 2, 3)), i16(g, ICSEG_SHAPE(1, 4, 4)), f32(g, ICSEG_SHAPE(1, 3, 8)),
                         f32(g, ICSEG_SHAPE(4, 2, 5)), (icseg_contrast_options){.tau = 1});
}

static void memory_of_another_width(icseg_graph *g) {
    icseg_class_memory(g, f32(g, ICSEG_SHAPE(1, 2, 2, 3)), i16(g, ICSEG_SHAPE(1, 4, 4)), f32(g, ICSEG_SHAPE(4, 2, 5)));
}

static void memory_that_is_not_a_parameter(icseg_graph *g) {
    icseg_class_memory(g, f32(g, ICSEG_SHAPE(1, 2, 2, 3)), i16(g, ICSEG_SHAPE(1, 4, 4)), f32(g, ICSEG_SHAPE(4, 2, 3)));
}

static void cross_entropy_with_the_weights_of_other_classes(icseg_graph *g) {
    icseg_upsampled_cross_entropy(g, f32(g, ICSEG_SHAPE(1, 2, 2, 3)), i16(g, ICSEG_SHAPE(1, 4, 4)),
                                  f32(g, ICSEG_SHAPE(4)), (icseg_cross_entropy_options){.scale = 1, .weight = 1});
}

static void cross_entropy_of_another_batch(icseg_graph *g) {
    icseg_upsampled_cross_entropy(g, f32(g, ICSEG_SHAPE(1, 2, 2, 3)), i16(g, ICSEG_SHAPE(2, 4, 4)), ICSEG_NONE,
                                  (icseg_cross_entropy_options){.scale = 1, .weight = 1});
}

static void argmax_of_a_matrix(icseg_graph *g) {
    icseg_value out[2] = {0, 0};
    icseg_upsampled_argmax(g, f32(g, ICSEG_SHAPE(4, 3)), 8, 8, true, out);
    assert_true(out[0] == ICSEG_NONE && out[1] == ICSEG_NONE);
}

static void batch_norm_without_parameters(icseg_graph *g) {
    icseg_value channels = f32(g, ICSEG_SHAPE(3));
    icseg_batch_norm(g, f32(g, ICSEG_SHAPE(2, 4, 4, 3)), channels, channels, channels, channels,
                     (icseg_batch_norm_options){.batch_statistics = true, .eps = 1e-5f});
}

static void concat_of_nothing(icseg_graph *g) { assert_int_equal(icseg_concat(g, 0, NULL, 0), ICSEG_NONE); }

static void embedding_of_a_vector(icseg_graph *g) {
    const int32_t id = 0;
    icseg_embedding(g, f32(g, ICSEG_SHAPE(5)), 1, &id);
}

static void embedding_of_an_id_too_large(icseg_graph *g) {
    const int32_t ids[] = {4, 5};
    icseg_embedding(g, f32(g, ICSEG_SHAPE(5, 2)), 2, ids);
}

static void rows_of_a_matrix(icseg_graph *g) {
    const int32_t row = 0;
    icseg_gather_rows(g, f32(g, ICSEG_SHAPE(5, 2)), 1, &row);
}

static void an_empty_group(icseg_graph *g) {
    const int32_t sizes[] = {2, 0};
    icseg_group_mean(g, f32(g, ICSEG_SHAPE(1, 2, 4)), 2, sizes);
}

static void groups_of_more_rows(icseg_graph *g) {
    const int32_t sizes[] = {2, 3};
    icseg_group_mean(g, f32(g, ICSEG_SHAPE(1, 4, 4)), 2, sizes);
}

static void segments_of_more_rows(icseg_graph *g) { /* a prefix of 2, then 3 and 4 rows: 9 */
    const int32_t lengths[] = {3, 4};
    icseg_segment_attention(g, f32(g, ICSEG_SHAPE(1, 8, 12)), 2, 2, 2, lengths);
}

static void a_missing_input(icseg_graph *g) { icseg_add(g, f32(g, ICSEG_SHAPE(2)), ICSEG_NONE); }
static void an_empty_tensor(icseg_graph *g) { f32(g, ICSEG_SHAPE(2, 0)); }

static void a_gradient_of_another_size(icseg_graph *g) {
    icseg_params *params;
    ok(icseg_params_open(&params, &error));
    icseg_param *w =
        icseg_params_declare(params, "w", ICSEG_SHAPE(4), (icseg_param_options){.trainable = true}, &error);
    assert_non_null(w);
    icseg_value output = icseg_graph_param(g, w), grad = f32(g, ICSEG_SHAPE(5));
    icseg_graph_backward(g, 1, &output, &grad, false);
    icseg_params_close(&params);
}

static void shapes_that_do_not_fit_are_named(void **state) {
    (void)state;
    static const struct {
        void (*build)(icseg_graph *g);
        icseg_status status;
        const char *message;
    } cases[] = {
        {add, ICSEG_ERROR_SHAPE, "add: (2) cannot be added to (2, 3)"},
        {add_of_a_larger_tensor, ICSEG_ERROR_SHAPE, "add: (2, 3) cannot be added to (3)"},
        {contrast_of_f32_labels, ICSEG_ERROR_SHAPE,
         "align_contrast: score (1, 2, 2, 3) does not fit labels (1, 4, 4) (I16 expected)"},
        {contrast_with_the_memory_of_other_classes, ICSEG_ERROR_SHAPE,
         "align_contrast: the memory (4, 2, 5) and its scores (1, 3, 8) do not fit score (1, 2, 2, 3)"},
        {memory_of_another_width, ICSEG_ERROR_SHAPE,
         "class_memory: v (1, 2, 2, 3), labels (1, 4, 4) (I16 expected) and memory (4, 2, 5) do not fit"},
        {memory_that_is_not_a_parameter, ICSEG_ERROR_INTERNAL,
         "class_memory: the memory is not a parameter and cannot be updated"},
        {cross_entropy_with_the_weights_of_other_classes, ICSEG_ERROR_SHAPE,
         "upsampled_cross_entropy: class_weight has shape (4); one number for each channel of x (1, 2, 2, 3) is "
         "expected"},
        {cross_entropy_of_another_batch, ICSEG_ERROR_SHAPE,
         "upsampled_cross_entropy: logits (1, 2, 2, 3) do not fit labels (2, 4, 4) (I16 expected)"},
        {argmax_of_a_matrix, ICSEG_ERROR_SHAPE, "upsampled_argmax: logits must have four axes"},
        {batch_norm_without_parameters, ICSEG_ERROR_INTERNAL,
         "batch_norm: running_mean is not a parameter and cannot be updated"},
        {concat_of_nothing, ICSEG_ERROR_INTERNAL, "concat: 0 values given, 1 to 12 can be joined"},
        {embedding_of_a_vector, ICSEG_ERROR_SHAPE, "embedding: the table must have two axes"},
        {embedding_of_an_id_too_large, ICSEG_ERROR_CONFIG, "embedding: id 5 is not in 0..4"},
        {rows_of_a_matrix, ICSEG_ERROR_SHAPE, "gather_rows: x is (5, 2); (B, L, C) is expected"},
        {an_empty_group, ICSEG_ERROR_SHAPE, "group_mean: group 1 has 0 rows"},
        {groups_of_more_rows, ICSEG_ERROR_SHAPE, "group_mean: x is (1, 4, 4); (B, 5, C) is expected"},
        {segments_of_more_rows, ICSEG_ERROR_SHAPE,
         "segment_attention: qkv has shape (1, 8, 12), which does not fit 9 rows in the segments and 2 heads"},
        {a_missing_input, ICSEG_ERROR_INTERNAL, "add: input 1 is missing"},
        {an_empty_tensor, ICSEG_ERROR_SHAPE, "x: a tensor of shape (2, 0) has no elements or too many"},
        {a_gradient_of_another_size, ICSEG_ERROR_INTERNAL, "backward: the gradient of w has another size"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        icseg_graph *g = open_graph();
        cases[i].build(g);
        expect_failure(g, cases[i].status, cases[i].message);
    }
}

static void the_first_error_stays_and_names_its_scope(void **state) {
    (void)state;
    icseg_graph *g = open_graph();
    icseg_graph_push(g, "visual");
    icseg_graph_push(g, "layer%d", 1);
    add(g);
    icseg_graph_pop(g);
    an_empty_tensor(g);
    expect_failure(g, ICSEG_ERROR_SHAPE, "visual.layer1.add: (2) cannot be added to (2, 3)");
}

/* -- mistakes in the library, which ICSEG_CHECK reports where it is active */

static jmp_buf back;
static void leave(const char *condition, const char *file, int line) {
    (void)condition, (void)file, (void)line;
    longjmp(back, 1);
}

/* Whether a check failed while `build` ran. */
static bool is_caught(icseg_graph *g, void (*build)(icseg_graph *g)) {
    icseg_check_set_hook(leave);
    int caught = setjmp(back);
    if (!caught) build(g);
    icseg_check_set_hook(NULL);
    return caught;
}

static void nest(icseg_graph *g) {
    for (int i = 0; i < 1000; i++) icseg_graph_push(g, "s");
}

static void give_five_outputs(icseg_graph *g) {
    static const icseg_op op = {.name = "prolific"};
    icseg_value x = f32(g, ICSEG_SHAPE(2));
    icseg_node *node = icseg_node_append(g, &op, NULL, 0, &x, 1, 0);
    assert_non_null(node);
    for (int i = 0; i <= ICSEG_MAX_OUTPUTS; i++) icseg_node_output(g, node, ICSEG_F32, ICSEG_SHAPE(2));
}

static void limits_of_the_graph_are_checked(void **state) {
    (void)state;
    static const struct {
        void (*build)(icseg_graph *g);
        const char *end;
    } cases[] = {{nest, "scope: scopes are nested too deeply"}, {give_five_outputs, "prolific: more than 4 outputs"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        icseg_graph *g = open_graph();
        assert_int_equal(is_caught(g, cases[i].build), ICSEG_CHECKED);
        if (!ICSEG_CHECKED) {
            assert_int_equal(icseg_graph_status(g, &error), ICSEG_ERROR_INTERNAL);
            size_t length = strlen(error.message), end = strlen(cases[i].end);
            assert_true(length >= end);
            assert_string_equal(error.message + length - end, cases[i].end);
        }
        icseg_graph_close(&g);
    }
}

/* -- running */

static icseg_status run(icseg_graph *g) {
    icseg_workspace *workspace;
    icseg_executor *executor;
    ok(icseg_workspace_open(&workspace, &error));
    ok(icseg_executor_open(&executor, g, workspace, &error));
    icseg_status status = icseg_executor_run(executor, 0, 0, &error);
    icseg_executor_close(&executor);
    icseg_workspace_close(&workspace);
    return status;
}

static void an_input_that_is_not_bound_is_named(void **state) {
    (void)state;
    icseg_graph *g = open_graph();
    icseg_graph_keep(g, icseg_relu(g, icseg_graph_input(g, "image", ICSEG_F32, ICSEG_SHAPE(2))), "y");
    assert_int_equal(run(g), ICSEG_ERROR_ARGUMENT);
    assert_string_equal(error.message, "relu: input image is not bound");
    icseg_graph_close(&g);
}

static void gradients_need_their_memory(void **state) {
    (void)state;
    icseg_graph *g = open_graph();
    icseg_params *params;
    ok(icseg_params_open(&params, &error));
    icseg_param *w =
        icseg_params_declare(params, "w", ICSEG_SHAPE(4), (icseg_param_options){.trainable = true}, &error);
    assert_non_null(w);
    icseg_value y = icseg_relu(g, icseg_graph_param(g, w));
    icseg_graph_keep(g, y, "y");
    icseg_graph_backward(g, 1, &y, &y, false);
    assert_int_equal(run(g), ICSEG_ERROR_INTERNAL);
    assert_string_equal(error.message, "relu_gradient: no gradient buffer was allocated");
    ok(icseg_params_allocate_gradients(params, &error));
    ok(run(g));
    icseg_graph_close(&g);
    icseg_params_close(&params);
}

/* -- the parameter store */

static void parameters_have_unique_names_and_a_size(void **state) {
    (void)state;
    icseg_params *params;
    const icseg_param_options plain = {.init = ICSEG_INIT_ZERO};
    ok(icseg_params_open(&params, &error));
    assert_non_null(icseg_params_declare(params, "w", ICSEG_SHAPE(2, 3), plain, &error));
    assert_null(icseg_params_declare(params, "w", ICSEG_SHAPE(2, 3), plain, &error));
    assert_int_equal(error.status, ICSEG_ERROR_INTERNAL);
    assert_string_equal(error.message, "parameter w is declared twice");
    assert_null(icseg_params_declare(params, "v", ICSEG_SHAPE(3, 0), plain, &error));
    assert_int_equal(error.status, ICSEG_ERROR_CONFIG);
    assert_string_equal(error.message, "parameter v: shape (3, 0) has no elements or too many");
    assert_null(icseg_params_declare(params, "u", ICSEG_SHAPE(INT64_MAX / 8, 2), plain, &error));
    assert_string_equal(error.message, "parameter u: shape (1152921504606846975, 2) has no elements or too many");
    assert_int_equal(icseg_params_count(params), 1);
    icseg_params_close(&params);
}

static void rows_are_read_from_every_source(void **state) {
    (void)state;
    icseg_params *params;
    const int32_t rows[] = {2, 0, 2};
    float got[9];
    ok(icseg_params_open(&params, &error));
    icseg_param *w = icseg_params_declare(params, "w", ICSEG_SHAPE(4, 3),
                                          (icseg_param_options){.init = ICSEG_INIT_NORMAL, .scale = 1}, &error);
    assert_non_null(w);
    memset(got, 1, sizeof got);
    ok(icseg_param_read_rows(w, 3, rows, got, &error)); /* declared, nothing else: all zero */
    for (int i = 0; i < 9; i++) assert_true(got[i] == 0);
    float drawn[9];
    icseg_params_initialise(params, 3);
    assert_null(w->data);
    ok(icseg_param_read_rows(w, 3, rows, drawn, &error));
    ok(icseg_param_load(w, &error));
    ok(icseg_param_read_rows(w, 3, rows, got, &error));
    assert_memory_equal(got, drawn, sizeof got);
    for (int i = 0; i < 12; i++) w->data[i] = (float)i;
    ok(icseg_param_read_rows(w, 3, rows, got, &error));
    const float expected[] = {6, 7, 8, 0, 1, 2, 6, 7, 8};
    assert_memory_equal(got, expected, sizeof got);
    icseg_params_close(&params);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes_that_do_not_fit_are_named), cmocka_unit_test(the_first_error_stays_and_names_its_scope),
        cmocka_unit_test(limits_of_the_graph_are_checked),  cmocka_unit_test(an_input_that_is_not_bound_is_named),
        cmocka_unit_test(gradients_need_their_memory),      cmocka_unit_test(parameters_have_unique_names_and_a_size),
        cmocka_unit_test(rows_are_read_from_every_source),
    };
    return cmocka_run_group_tests_name("errors of graphs", tests, NULL, NULL);
}
