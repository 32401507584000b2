/* SPDX-License-Identifier: Apache-2.0
 * Graphs in INT8 whose values stay bytes between layers (graph/passes/quantize.h): which values do, and that the
 * results are those of layers that read and write f32: the same bits where nothing but layers reads a value, and within
 * a few steps of the quantisation with residual sums and pools. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/rng.h"
#include "compute/primitive.h"
#include "graph/activation_ranges.h"
#include "graph/ops.h"
#include "graph/passes/fuse.h"
#include "graph/passes/quantize.h"
#include "graph/passes/split_joined.h"
#include "graph/run/executor.h"

enum { B = 2, H = 24, W = 12, C = 40, MAX = 1 << 17 };

static icseg_error error;

static void ok(icseg_status status) {
    if (status != ICSEG_OK) fail_msg("%s", error.message);
}

static void need_int8(void) {
    if (icseg_compute_has_precision(ICSEG_PRODUCT_INT8)) return;
    print_message("skipped: this processor does not support INT8\n");
    skip();
}

/* A network, built again for each run with the same parameters and ranges. */
typedef struct network network;
struct network {
    icseg_value (*build)(network *n, icseg_graph *g, icseg_value x);
    icseg_params *params;
    icseg_activation_ranges *ranges;
    int declared;
    bool joins; /* joined inputs stay so */
};

typedef enum mode { CALIBRATE, FLOATS, BYTES } mode;

typedef struct outcome {
    float data[MAX];
    int64_t count;
    int bytes; /* values of this type */
} outcome;

static icseg_value param(network *n, icseg_graph *g, icseg_shape shape, float scale) {
    char name[32];
    snprintf(name, sizeof name, "p%d", n->declared++);
    icseg_param *p = icseg_params_find(n->params, name);
    icseg_param_options options = {.init = ICSEG_INIT_NORMAL, .scale = scale};
    if (!p) p = icseg_params_declare(n->params, name, shape, options, &error);
    return icseg_graph_param(g, p);
}

static icseg_value conv(network *n, icseg_graph *g, icseg_value x, int64_t out, int64_t kernel) {
    int64_t in = icseg_graph_dim(g, x, -1);
    icseg_value weight = param(n, g, ICSEG_SHAPE(out, kernel, kernel, in), 1 / sqrtf((float)(in * kernel * kernel)));
    return icseg_conv2d(g, x, weight, param(n, g, ICSEG_SHAPE(out), 0.3f), 1, (int)kernel / 2);
}

static icseg_value linear(network *n, icseg_graph *g, icseg_value x, int64_t out) {
    int64_t in = icseg_graph_dim(g, x, -1);
    return icseg_linear(g, x, param(n, g, ICSEG_SHAPE(out, in), 1 / sqrtf((float)in)),
                        param(n, g, ICSEG_SHAPE(out), 0.3f));
}

static void fill(float *x, int64_t count) {
    icseg_rng rng = icseg_rng_open(8, ICSEG_RNG_TEST, 1);
    for (int64_t i = 0; i < count; i++) x[i] = icseg_rng_normal(&rng);
}

static void run(network *n, mode m, outcome *out) {
    static float x[B * H * W * C];
    icseg_graph *g;
    icseg_workspace *workspace;
    icseg_executor *executor;
    fill(x, B * H * W * C);
    n->declared = 0;
    ok(icseg_graph_open(&g, false, &error));
    icseg_value in = icseg_graph_input(g, "x", ICSEG_F32, ICSEG_SHAPE(B, H, W, C)), y = n->build(n, g, in);
    icseg_params_initialise(n->params, 4);
    icseg_graph_keep(g, y, "y");
    icseg_graph_fuse(g);
    icseg_graph_use_precision(g, ICSEG_PRODUCT_INT8, n->ranges);
    icseg_activation_ranges_record(n->ranges, m == CALIBRATE);
    if (!n->joins) icseg_graph_split_joined(g);
    if (m == BYTES) icseg_graph_use_bytes(g);
    ok(icseg_workspace_open(&workspace, &error));
    ok(icseg_executor_open(&executor, g, workspace, &error));
    icseg_executor_bind(executor, in, x);
    ok(icseg_executor_run(executor, 0, 0, &error));
    const icseg_value_info *info = icseg_graph_value(g, y);
    assert_true(info->dtype == ICSEG_F32 && info->count <= MAX);
    out->count = info->count;
    memcpy(out->data, icseg_executor_data(executor, y), (size_t)info->count * sizeof *out->data);
    out->bytes = 0;
    for (icseg_value v = 0; v < icseg_graph_value_count(g); v++)
        out->bytes += icseg_graph_value(g, v)->dtype == ICSEG_U8;
    icseg_executor_close(&executor);
    icseg_workspace_close(&workspace);
    icseg_graph_close(&g);
}

/* Runs the network after a calibration. Expects `bytes` values of bytes, and an error relative to the norm. */
static void check(icseg_value (*build)(network *n, icseg_graph *g, icseg_value x), int bytes, double most) {
    static outcome plain, floats, quantised;
    network n = {.build = build};
    double errors = 0, norm = 0, reduced = 0;
    need_int8();
    ok(icseg_params_open(&n.params, &error));
    ok(icseg_activation_ranges_open(&n.ranges, &error));
    run(&n, CALIBRATE, &plain);
    run(&n, FLOATS, &floats);
    run(&n, BYTES, &quantised);
    assert_int_equal(floats.bytes, 0);
    assert_int_equal(quantised.bytes, bytes);
    for (int64_t i = 0; i < floats.count; i++) {
        errors += pow((double)quantised.data[i] - (double)floats.data[i], 2);
        reduced += pow((double)plain.data[i] - (double)floats.data[i], 2);
        norm += pow((double)plain.data[i], 2);
    }
    assert_true(norm > 0 && reduced > 0); /* INT8 was used */
    if (!(errors <= most * most * norm)) fail_msg("off by %g", sqrt(errors / norm));
    icseg_activation_ranges_close(&n.ranges);
    icseg_params_close(&n.params);
}

/* -- networks */

static icseg_value chain_of_layers(network *n, icseg_graph *g, icseg_value x) {
    icseg_value a = icseg_relu(g, conv(n, g, x, 50, 1)), b = icseg_quick_gelu(g, conv(n, g, a, 70, 1));
    return linear(n, g, icseg_gelu(g, linear(n, g, b, 64)), 33);
}

/* A view of a value. */
static icseg_value chain_with_a_view(network *n, icseg_graph *g, icseg_value x) {
    icseg_value a = icseg_relu(g, conv(n, g, x, 64, 1));
    return linear(n, g, icseg_reshape(g, a, ICSEG_SHAPE(B, H * W, 64)), 40);
}

/* Two layers read one value. */
static icseg_value two_readers(network *n, icseg_graph *g, icseg_value x) {
    icseg_value a = icseg_relu(g, conv(n, g, x, 64, 1));
    return icseg_add(g, conv(n, g, a, 40, 1), icseg_normalize(g, conv(n, g, a, 40, 1)));
}

/* Normalisation reads one value as f32. */
static icseg_value reader_of_floats(network *n, icseg_graph *g, icseg_value x) {
    icseg_value a = conv(n, g, x, 64, 1);
    return icseg_add(g, conv(n, g, icseg_relu(g, conv(n, g, a, 40, 1)), 64, 1), icseg_normalize(g, a));
}

static icseg_value residual_of_bytes(network *n, icseg_graph *g, icseg_value x) {
    icseg_value a = icseg_relu(g, conv(n, g, x, 64, 1));
    for (int i = 0; i < 2; i++)
        a = icseg_relu(g, icseg_add(g, conv(n, g, icseg_relu(g, conv(n, g, a, 40, 1)), 64, 1), a));
    return conv(n, g, a, 32, 1);
}

/* The residual is the input of the graph, which stays f32. */
static icseg_value residual_of_floats(network *n, icseg_graph *g, icseg_value x) {
    icseg_value a = icseg_relu(g, icseg_add(g, conv(n, g, x, C, 1), x));
    return conv(n, g, a, 32, 1);
}

/* The block of a ResNet with a pool on both branches, and the last sum kept. */
static icseg_value pools(network *n, icseg_graph *g, icseg_value x) {
    icseg_value a = icseg_relu(g, conv(n, g, x, 100, 1)), b = icseg_relu(g, conv(n, g, a, 64, 1));
    icseg_value left = conv(n, g, icseg_avg_pool(g, b, 2), 80, 1), right = conv(n, g, icseg_avg_pool(g, a, 2), 80, 1);
    return conv(n, g, icseg_avg_pool(g, icseg_relu(g, icseg_add(g, left, right)), 3), 32, 1);
}

static icseg_value pool_of_floats(network *n, icseg_graph *g, icseg_value x) {
    icseg_value a = icseg_avg_pool(g, icseg_normalize(g, conv(n, g, x, 64, 1)), 2);
    return conv(n, g, a, 32, 1);
}

/* The pool's result is read as f32, so its input stays f32. */
static icseg_value pool_read_as_floats(network *n, icseg_graph *g, icseg_value x) {
    return icseg_normalize(g, icseg_avg_pool(g, icseg_relu(g, conv(n, g, x, 64, 1)), 2));
}

static icseg_value convolutions(network *n, icseg_graph *g, icseg_value x) {
    icseg_value a = icseg_relu(g, conv(n, g, x, 64, 3)), b = icseg_relu(g, conv(n, g, a, 64, 3));
    return conv(n, g, b, 33, 3);
}

static icseg_value transposed(network *n, icseg_graph *g, icseg_value x) {
    icseg_value a = icseg_relu(g, conv(n, g, x, 64, 1));
    icseg_value weight = param(n, g, ICSEG_SHAPE(2, 2, 40, 64), 0.1f);
    return icseg_conv_transpose2x2(g, a, weight, ICSEG_NONE);
}

/* A pyramid: the coarse map is added to the fine one, which is resized with another method for a sum. */
static icseg_value resizes(network *n, icseg_graph *g, icseg_value x) {
    icseg_value fine = icseg_relu(g, conv(n, g, x, 64, 1));
    icseg_value coarse = conv(n, g, icseg_avg_pool(g, fine, 2), 48, 1);
    icseg_value sum = icseg_add(g, conv(n, g, fine, 48, 1), icseg_resize_nearest(g, coarse, H, W));
    icseg_value large = icseg_relu(g, conv(n, g, sum, 40, 1)), small = icseg_relu(g, conv(n, g, coarse, 40, 1));
    return conv(n, g, icseg_add(g, large, icseg_resize_bilinear(g, small, H, W)), 32, 1);
}

/* The larger map is read by a layer only. */
static icseg_value resize_before_a_layer(network *n, icseg_graph *g, icseg_value x) {
    icseg_value a = icseg_relu(g, conv(n, g, x, 64, 1));
    return conv(n, g, icseg_resize_bilinear(g, a, 2 * H, W + 3), 32, 1);
}

/* Bytes and floats are joined, once for a layer and once for an operator that reads f32. */
static icseg_value joined(network *n, icseg_graph *g, icseg_value x) {
    icseg_value parts[] = {icseg_relu(g, conv(n, g, x, 64, 1)), icseg_normalize(g, x)};
    icseg_value other[] = {conv(n, g, icseg_concat(g, 2, parts, 3), 40, 1), conv(n, g, parts[0], 40, 1)};
    return icseg_normalize(g, icseg_concat(g, 2, other, 3));
}

/* A linear layer reads the joined value as one. */
static icseg_value joined_for_a_linear_layer(network *n, icseg_graph *g, icseg_value x) {
    icseg_value parts[] = {icseg_relu(g, conv(n, g, x, 64, 1)), icseg_normalize(g, x)};
    return linear(n, g, icseg_concat(g, 2, parts, 3), 40);
}

static icseg_value normalised(network *n, icseg_graph *g, icseg_value x) {
    int64_t width = icseg_graph_dim(g, x, -1);
    return icseg_layer_norm(g, x, param(n, g, ICSEG_SHAPE(width), 1), param(n, g, ICSEG_SHAPE(width), 1), 1e-5f);
}

/* A block of a vision transformer: norms and attention are read by layers only, the sums by norms, too. */
static icseg_value transformer(network *n, icseg_graph *g, icseg_value x) {
    icseg_value tokens = icseg_reshape(g, x, ICSEG_SHAPE(B, H * W, C));
    icseg_value a = icseg_attention_packed(g, linear(n, g, normalised(n, g, tokens), 3 * C), 2);
    tokens = icseg_add(g, linear(n, g, a, C), tokens);
    icseg_value wide = icseg_quick_gelu(g, linear(n, g, normalised(n, g, tokens), 64));
    return icseg_add(g, linear(n, g, wide, C), tokens);
}

/* Attention on a grid, which is f32. The second norm is read as f32, too. */
static icseg_value grid_transformer(network *n, icseg_graph *g, icseg_value x) {
    icseg_value y = normalised(n, g, icseg_reshape(g, x, ICSEG_SHAPE(B, H * W, C))), z = linear(n, g, y, C);
    icseg_value a = icseg_grid_attention(g, z, linear(n, g, y, C), z, 4, (icseg_attention_grid){H, W, 5});
    icseg_value b = linear(n, g, a, C), c = normalised(n, g, b);
    return icseg_add(g, linear(n, g, c, C), icseg_normalize(g, c));
}

/* The four channels of the second part are 20 times as large; with a residual and an activation, or alone. */
static icseg_value joined_with_large_values(network *n, icseg_graph *g, icseg_value x) {
    enum { FEW = 4 };
    icseg_value large = icseg_scale_channels(g, icseg_slice(g, x, 3, 0, FEW), param(n, g, ICSEG_SHAPE(FEW), 20));
    icseg_value parts[] = {conv(n, g, x, 64, 1), large}, both = icseg_concat(g, 2, parts, 3);
    icseg_value weight = param(n, g, ICSEG_SHAPE(C, 1, 1, 64 + FEW), 0.1f);
    icseg_value sum = icseg_relu(g, icseg_add(g, icseg_conv2d(g, both, weight, ICSEG_NONE, 1, 0), x));
    return icseg_add(g, conv(n, g, both, C, 1), sum);
}

/* -- tests */

static const double EXACT = 0, ROUNDED = 0.02;

static void layers_that_read_layers_keep_every_bit(void **state) {
    (void)state;
    check(chain_of_layers, 3, EXACT);
    check(chain_with_a_view, 2, EXACT);
    check(two_readers, 1, EXACT);
    check(transposed, 1, EXACT);
}

static void values_that_are_read_as_floats_stay_floats(void **state) {
    (void)state;
    check(reader_of_floats, 1, EXACT);
    check(pool_of_floats, 0, EXACT);
}

static void pools_without_a_layer_after_them_stay_floats(void **state) {
    (void)state;
    check(pool_read_as_floats, 0, EXACT);
}

static void residuals_may_be_bytes(void **state) {
    (void)state;
    check(residual_of_bytes, 5, ROUNDED);
    check(residual_of_floats, 1, EXACT);
}

static void pools_compute_bytes_from_bytes(void **state) {
    (void)state;
    check(pools, 7, ROUNDED);
}

static void values_that_are_resized_or_joined_may_be_bytes(void **state) {
    (void)state;
    check(resizes, 8, ROUNDED);
    check(resize_before_a_layer, 2, ROUNDED);
    check(joined_for_a_linear_layer, 2, ROUNDED);
}

static void norms_and_attention_write_bytes_for_layers(void **state) {
    (void)state;
    check(transformer, 4, EXACT);
    check(grid_transformer, 2, EXACT);
}

static void convolutions_read_the_parts_of_joined_values(void **state) {
    (void)state;
    check(joined, 1, EXACT);
}

/* The error relative to f32. */
static double error_of(bool joins) {
    static outcome plain, floats;
    network n = {.build = joined_with_large_values, .joins = joins};
    double errors = 0, norm = 0;
    ok(icseg_params_open(&n.params, &error));
    ok(icseg_activation_ranges_open(&n.ranges, &error));
    run(&n, CALIBRATE, &plain);
    run(&n, FLOATS, &floats);
    for (int64_t i = 0; i < floats.count; i++) {
        errors += pow((double)plain.data[i] - (double)floats.data[i], 2);
        norm += pow((double)plain.data[i], 2);
    }
    icseg_activation_ranges_close(&n.ranges);
    icseg_params_close(&n.params);
    return sqrt(errors / norm);
}

static void large_values_do_not_take_precision_from_those_they_are_joined_with(void **state) {
    (void)state;
    need_int8();
    double with = error_of(false), without = error_of(true);
    if (!(with > 0 && with < without / 2)) fail_msg("%g, and %g without ranges of parts", with, without);
}

/* With AVX2 alone, 3x3 convolutions are faster in f32. */
static void convolutions_keep_every_bit(void **state) {
    (void)state;
    const icseg_conv_shape shape = {B, H, W, 64, 64, 3, 3, 1, 1, H, W};
    const icseg_primitive_options options = {.precision = ICSEG_PRODUCT_INT8, .in_bytes.scale = 1};
    need_int8();
    if (!icseg_conv_reduces_precision(&shape, options)) {
        print_message("skipped: this processor computes 3x3 convolutions in f32\n");
        skip();
    }
    check(convolutions, 2, EXACT);
}

static void nothing_changes_without_ranges(void **state) {
    (void)state;
    static outcome floats, bytes;
    network n = {.build = chain_of_layers};
    ok(icseg_params_open(&n.params, &error));
    ok(icseg_activation_ranges_open(&n.ranges, &error));
    run(&n, FLOATS, &floats);
    run(&n, BYTES, &bytes);
    assert_int_equal(bytes.bytes, 0);
    assert_memory_equal(floats.data, bytes.data, (size_t)floats.count * sizeof *floats.data);
    icseg_activation_ranges_close(&n.ranges);
    icseg_params_close(&n.params);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layers_that_read_layers_keep_every_bit),
        cmocka_unit_test(values_that_are_read_as_floats_stay_floats),
        cmocka_unit_test(pools_without_a_layer_after_them_stay_floats),
        cmocka_unit_test(residuals_may_be_bytes),
        cmocka_unit_test(pools_compute_bytes_from_bytes),
        cmocka_unit_test(values_that_are_resized_or_joined_may_be_bytes),
        cmocka_unit_test(norms_and_attention_write_bytes_for_layers),
        cmocka_unit_test(convolutions_read_the_parts_of_joined_values),
        cmocka_unit_test(large_values_do_not_take_precision_from_those_they_are_joined_with),
        cmocka_unit_test(convolutions_keep_every_bit),
        cmocka_unit_test(nothing_changes_without_ranges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
