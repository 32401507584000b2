/* SPDX-License-Identifier: Apache-2.0
 * The accuracy of int8: biases are corrected by the mean inputs, layers stay f32 by name or because a search finds what
 * they cost, and both are saved with the model. Damaged files. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/memory.h"
#include "base/rng.h"
#include "compute/primitive.h"
#include "graph/activation_ranges.h"
#include "graph/ops.h"
#include "graph/run/executor.h"
#include "inference/calibrate.h"
#include "support/models.h"
#include "support/scratch.h"
#include "tensor/safetensors.h"

enum { CLASSES = 5, WIDTH = 128, HEIGHT = 96 };

static icseg_error error;

static void ok(icseg_status status) {
    if (status != ICSEG_OK) fail_msg("%s", error.message);
}

static void need_int8(void) {
    if (icseg_compute_has_precision(ICSEG_PRODUCT_INT8)) return;
    print_message("skipped: this processor does not support INT8\n");
    skip();
}

/* -- bias correction */

enum { ROWS = 512, IN = 96, OUT = 40 };

/* Runs x W^T + b, as a linear layer or a 1x1 convolution; the means of the outputs. */
static void run_layer(icseg_params *params, icseg_activation_ranges *ranges, bool record, bool conv, double mean[OUT]) {
    static float x[ROWS * IN];
    icseg_graph *g;
    icseg_workspace *workspace;
    icseg_executor *executor;
    icseg_rng rng = icseg_rng_open(4, ICSEG_RNG_TEST, 2);
    for (int i = 0; i < ROWS * IN; i++) x[i] = (float)(i % IN % 5) + 0.3f * icseg_rng_normal(&rng);
    ok(icseg_graph_open(&g, false, &error));
    icseg_value in = icseg_graph_input(g, "x", ICSEG_F32, conv ? ICSEG_SHAPE(1, ROWS, 1, IN) : ICSEG_SHAPE(ROWS, IN));
    icseg_value weight = icseg_graph_param(g, icseg_params_find(params, "w"));
    icseg_value y = conv ? icseg_conv2d(g, in, weight, ICSEG_NONE, 1, 0) : icseg_linear(g, in, weight, ICSEG_NONE);
    icseg_graph_keep(g, y, "y");
    icseg_graph_use_precision(g, ICSEG_PRODUCT_INT8, ranges);
    if (record) icseg_activation_ranges_record(ranges, true);
    ok(icseg_workspace_open(&workspace, &error));
    ok(icseg_executor_open(&executor, g, workspace, &error));
    icseg_executor_bind(executor, in, x);
    ok(icseg_executor_run(executor, 0, 0, &error));
    const float *data = icseg_executor_data(executor, y);
    memset(mean, 0, OUT * sizeof *mean);
    for (int i = 0; i < ROWS * OUT; i++) mean[i % OUT] += (double)data[i] / ROWS;
    icseg_executor_close(&executor);
    icseg_workspace_close(&workspace);
    icseg_graph_close(&g);
}

static double distance(const double a[OUT], const double b[OUT]) {
    double sum = 0;
    for (int i = 0; i < OUT; i++) sum += (a[i] - b[i]) * (a[i] - b[i]);
    return sqrt(sum / OUT);
}

static void corrects_biases(bool conv) {
    double exact[OUT], shifted[OUT], corrected[OUT];
    icseg_activation_ranges *recorded, *with, *without;
    icseg_params *params;
    need_int8();
    ok(icseg_params_open(&params, &error));
    icseg_param_options options = {
        .layout = conv ? ICSEG_LAYOUT_OIHW : ICSEG_LAYOUT_PLAIN, .init = ICSEG_INIT_NORMAL, .scale = 1};
    assert_non_null(
        icseg_params_declare(params, "w", conv ? ICSEG_SHAPE(OUT, IN, 1, 1) : ICSEG_SHAPE(OUT, IN), options, &error));
    icseg_params_initialise(params, 8);
    ok(icseg_activation_ranges_open(&recorded, &error));
    ok(icseg_activation_ranges_open(&with, &error));
    ok(icseg_activation_ranges_open(&without, &error));
    icseg_activation_ranges_use_rule(recorded, (icseg_range_rule){ICSEG_RANGE_MAX, 0}, false);
    run_layer(params, recorded, true, conv, exact);
    ok(icseg_activation_ranges_copy(without, recorded, &error));
    icseg_activation_ranges_use_rule(recorded, (icseg_range_rule){ICSEG_RANGE_MAX, 0}, true);
    run_layer(params, recorded, true, conv, exact);
    ok(icseg_activation_ranges_copy(with, recorded, &error));
    run_layer(params, without, false, conv, shifted);
    run_layer(params, with, false, conv, corrected); /* packed again, because the means are part of the layout */
    if (!(distance(exact, shifted) > 0.02)) fail_msg("the shift is only %g", distance(exact, shifted));
    if (!(distance(exact, corrected) < 0.1 * distance(exact, shifted)))
        fail_msg("a shift of %g remains of %g", distance(exact, corrected), distance(exact, shifted));
    icseg_activation_ranges_close(&recorded);
    icseg_activation_ranges_close(&with);
    icseg_activation_ranges_close(&without);
    icseg_params_close(&params);
}

static void means_correct_the_biases_of_linear_layers(void **state) { (void)state, corrects_biases(false); }
static void means_correct_the_biases_of_convolutions(void **state) { (void)state, corrects_biases(true); }

/* -- models */

static icseg_calibrator *calibrator_of(icseg_model *m, const icseg_calibrator_options *options) {
    icseg_image image = test_image(WIDTH, HEIGHT, 1);
    icseg_calibrator *c;
    ok(icseg_calibrator_open(&c, m, options, &error));
    ok(icseg_calibrator_add(c, &image, &error));
    icseg_image_close(&image);
    return c;
}

static icseg_labels label(icseg_model *m) {
    icseg_image image = test_image(WIDTH, HEIGHT, 1);
    icseg_session *session = test_session(m, ICSEG_PRECISION_INT8);
    icseg_labels labels;
    ok(icseg_session_predict(session, &image, NULL, &labels, NULL, &error));
    icseg_session_close(&session);
    icseg_image_close(&image);
    return labels;
}

static int32_t kept_of(icseg_model *m) {
    icseg_model_calibration found = {ICSEG_MODEL_CALIBRATION_INIT};
    ok(icseg_model_calibration_of(m, &found, &error));
    assert_true(found.covered == found.layers && !found.problem);
    return found.kept_f32;
}

static int32_t int8_layers(icseg_model *m) {
    icseg_session *session = test_session(m, ICSEG_PRECISION_INT8);
    icseg_session_layers layers = {ICSEG_SESSION_LAYERS_INIT};
    ok(icseg_session_layers_at(session, 1, HEIGHT, WIDTH, &layers, &error));
    icseg_session_close(&session);
    return layers.int8;
}

static const char bad_layer[] = "visual.layer2.1.conv1.weight";

/* With a range a thousand times too wide, nearly all inputs are rounded to zero. */
static void plant_bad_range(icseg_calibrator *c) {
    const icseg_param *p = icseg_params_find(c->session->model->params, bad_layer);
    icseg_activation_range r = icseg_activation_ranges_find(c->ranges, p, ICSEG_LAYER_IN);
    r = (icseg_activation_range){1000 * r.low, 1000 * r.high};
    ok(icseg_activation_ranges_set(c->ranges, p, ICSEG_LAYER_IN, r, &error));
}

static void check_costs(const icseg_search_result *r, const icseg_model *m) {
    int32_t layers = 0, kept = 0;
    double work = 0;
    for (int32_t i = 0; i < r->count; i++) {
        const icseg_layer_cost *c = &r->costs[i];
        assert_true(c->layers >= 1 && c->changed >= 0 && c->changed <= 1);
        assert_true((c->layers == 1) == !strcmp(c->first, c->last));
        assert_true(!c->kept_f32 || c->layers == 1);
        assert_non_null(icseg_params_find(m->params, c->first));
        layers += c->layers;
        work += c->work;
        kept += c->kept_f32;
    }
    icseg_model_calibration found = {ICSEG_MODEL_CALIBRATION_INIT};
    ok(icseg_model_calibration_of(m, &found, &error));
    assert_int_equal(layers, found.layers);
    assert_int_equal(kept, r->kept);
    assert_true(fabs(work - 1) < 1e-6);
}

static void a_search_keeps_the_layer_that_costs_the_most(void **state) {
    (void)state;
    need_int8();
    icseg_model *m = test_model("tiny-resnet", CLASSES, 2), *made, *opened;
    icseg_calibrator *c = calibrator_of(m, NULL);
    icseg_image image = test_image(WIDTH, HEIGHT, 1);
    icseg_search_options options = {ICSEG_SEARCH_OPTIONS_INIT, .agree = 0.97, .work = 1};
    icseg_search_result r = {ICSEG_SEARCH_RESULT_INIT};
    const char *path = test_scratch("kept.safetensors");
    bool found = false;
    plant_bad_range(c);
    ok(icseg_calibrator_search(c, &image, 1, &options, &r, &error));
    check_costs(&r, m);
    if (!(r.before < 0.9 && r.after > r.before + 0.05))
        fail_msg("%g of the labels agreed before, %g after", r.before, r.after);
    for (int32_t i = 0; i < r.count; i++) found |= r.costs[i].kept_f32 && !strcmp(r.costs[i].first, bad_layer);
    assert_true(found);
    ok(icseg_calibrator_model(c, &made, &error));
    assert_int_equal(kept_of(made), r.kept);
    ok(icseg_model_save(made, path, &error));
    ok(icseg_model_open(&opened, path, &error));
    assert_int_equal(kept_of(opened), r.kept);
    assert_int_equal(int8_layers(opened), int8_layers(made));
    icseg_labels a = label(made), b = label(opened);
    assert_memory_equal(a.data, b.data, WIDTH * HEIGHT * sizeof *a.data);
    icseg_labels_close(&a);
    icseg_labels_close(&b);
    icseg_image_close(&image);
    icseg_calibrator_close(&c);
    icseg_model_close(&made);
    icseg_model_close(&opened);
    icseg_model_close(&m);
}

static void a_search_keeps_no_more_work_than_allowed_and_nothing_if_all_agree(void **state) {
    (void)state;
    need_int8();
    icseg_model *m = test_model("tiny-resnet", CLASSES, 2);
    icseg_calibrator *c = calibrator_of(m, NULL);
    icseg_image image = test_image(WIDTH, HEIGHT, 1);
    icseg_search_options options = {ICSEG_SEARCH_OPTIONS_INIT, .agree = 0.3};
    icseg_search_result r = {ICSEG_SEARCH_RESULT_INIT};
    ok(icseg_calibrator_search(c, &image, 1, &options, &r, &error));
    assert_true(r.count == 1 && r.kept == 0 && r.before == r.after);
    check_costs(&r, m);
    plant_bad_range(c);
    options = (icseg_search_options){ICSEG_SEARCH_OPTIONS_INIT, .agree = 0.97, .work = 1e-9};
    ok(icseg_calibrator_search(c, &image, 1, &options, &r, &error));
    assert_true(r.kept == 0 && r.count > 1);
    check_costs(&r, m);
    icseg_image_close(&image);
    icseg_calibrator_close(&c);
    icseg_model_close(&m);
}

static void layers_are_kept_by_name_or_by_its_beginning(void **state) {
    (void)state;
    icseg_model *m = test_model("tiny-resnet", CLASSES, 2), *made;
    icseg_calibrator *c = calibrator_of(m, NULL);
    ok(icseg_calibrator_keep_f32(c, "decoder.head.conv_seg.weight", &error));
    ok(icseg_calibrator_keep_f32(c, "decoder.neck.lateral_convs", &error));
    const char *unknown[] = {"", "decoder.neck.lateral", "decoder.head.conv_seg.bias", "visual.bn1.weight", "auto"};
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
        assert_int_equal(icseg_calibrator_keep_f32(c, unknown[i], &error), ICSEG_ERROR_ARGUMENT);
    ok(icseg_calibrator_model(c, &made, &error));
    assert_int_equal(kept_of(made), 5);
    icseg_calibrator_close(&c);
    icseg_model_close(&made);
    icseg_model_close(&m);
}

static void options_out_of_range_are_refused(void **state) {
    (void)state;
    icseg_model *m = test_model("tiny-resnet", CLASSES, 2);
    icseg_calibrator *c;
    const double bad[] = {50, 100.1, -1, NAN};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        icseg_calibrator_options o = {ICSEG_CALIBRATOR_OPTIONS_INIT, .percentile = bad[i]};
        assert_int_equal(icseg_calibrator_open(&c, m, &o, &error), ICSEG_ERROR_ARGUMENT);
        assert_string_equal(error.field, "percentile");
    }
    icseg_calibrator_options o = {ICSEG_CALIBRATOR_OPTIONS_INIT, .ranges = (icseg_range_method)3};
    assert_int_equal(icseg_calibrator_open(&c, m, &o, &error), ICSEG_ERROR_ARGUMENT);
    assert_string_equal(error.field, "ranges");
    o = (icseg_calibrator_options){.struct_size = offsetof(icseg_calibrator_options, ranges)}; /* of an older program */
    c = calibrator_of(m, &o);
    icseg_image image = test_image(WIDTH, HEIGHT, 1);
    const struct {
        double agree, work;
        const char *field;
    } wrong[] = {{1, 0, "agree"}, {-0.1, 0, "agree"}, {NAN, 0, "agree"}, {0, 1.1, "work"}, {0, -1, "work"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        icseg_search_options s = {ICSEG_SEARCH_OPTIONS_INIT, .agree = wrong[i].agree, .work = wrong[i].work};
        assert_int_equal(icseg_calibrator_search(c, &image, 1, &s, NULL, &error), ICSEG_ERROR_ARGUMENT);
        assert_string_equal(error.field, wrong[i].field);
    }
    assert_int_equal(icseg_calibrator_search(c, &image, 0, NULL, NULL, &error), ICSEG_ERROR_ARGUMENT);
    icseg_calibrator_close(&c);
    ok(icseg_calibrator_open(&c, m, NULL, &error));
    assert_int_equal(icseg_calibrator_search(c, &image, 1, NULL, NULL, &error), ICSEG_ERROR_ARGUMENT);
    icseg_calibrator_close(&c);
    icseg_image_close(&image);
    icseg_model_close(&m);
}

/* -- files */

/* Saves the model with another tensor of means, of `count` numbers, one of which is `value`, or with another list of
 * kept layers. */
static icseg_status open_with(const icseg_model *m, int64_t count, float value, const char *kept) {
    const char *path = test_scratch("damaged.safetensors");
    icseg_safetensors_writer *writer;
    icseg_model *plain = test_model("tiny-resnet", CLASSES, 2), *opened;
    float *means = icseg_calloc_array((size_t)count, sizeof *means);
    char text[16384];
    size_t length = 0;
    means[count / 2] = value;
    ok(icseg_safetensors_writer_open(&writer, path, &error));
    ok(icseg_model_declare(plain, writer, &error));
    ok(icseg_safetensors_writer_declare(writer, ICSEG_MEANS_TENSOR, ICSEG_F32, ICSEG_SHAPE(count), &error));
    for (int64_t i = 0; i < icseg_params_count(m->params); i++) {
        const icseg_param *p = icseg_params_at(m->params, i);
        if (p->is_layer)
            length += (size_t)snprintf(text + length, sizeof text - length, "%s\"%s\": [-1, 1, -1, 1]",
                                       length ? ", " : "{\"version\": 3, \"ranges\": {", p->name);
    }
    snprintf(text + length, sizeof text - length, "}, \"keep_f32\": %s}", kept);
    ok(icseg_safetensors_writer_metadata(writer, "icseg.ranges", text, &error));
    ok(icseg_safetensors_writer_begin(writer, &error));
    ok(icseg_model_append(plain, writer, &error));
    ok(icseg_safetensors_writer_append(writer, ICSEG_MEANS_TENSOR, means, (size_t)count * sizeof *means, &error));
    ok(icseg_safetensors_writer_commit(writer, &error));
    icseg_safetensors_writer_close(&writer);
    icseg_free(means);
    icseg_model_close(&plain);
    icseg_status status = icseg_model_open(&opened, path, &error);
    assert_true((opened != NULL) == (status == ICSEG_OK));
    icseg_model_close(&opened);
    return status;
}

static void damaged_means_and_lists_are_refused(void **state) {
    (void)state;
    icseg_model *m = test_model("tiny-resnet", CLASSES, 2);
    int64_t inputs = 0;
    for (int64_t i = 0; i < icseg_params_count(m->params); i++) {
        const icseg_param *p = icseg_params_at(m->params, i);
        inputs += p->is_layer ? p->inputs : 0;
    }
    assert_true(inputs > 100);
    ok(open_with(m, inputs, 3, "[]"));
    ok(open_with(m, inputs, 3, "[\"decoder.head.conv_seg.weight\"]"));
    const float bad[] = {NAN, INFINITY, -INFINITY, 1e7f};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(open_with(m, inputs, bad[i], "[]"), ICSEG_ERROR_FORMAT);
        assert_non_null(strstr(error.message, "damaged.safetensors: icseg.input_means["));
    }
    assert_int_equal(open_with(m, inputs - 1, 1, "[]"), ICSEG_ERROR_SHAPE);
    assert_int_equal(open_with(m, inputs + 1, 1, "[]"), ICSEG_ERROR_SHAPE);
    const char *lists[] = {"1", "{}", "\"decoder\"", "[1]", "[null]", "[\"no such layer\"]", "[\"visual.bn1.weight\"]"};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        assert_int_equal(open_with(m, inputs, 1, lists[i]), ICSEG_ERROR_FORMAT);
        assert_non_null(strstr(error.message, "damaged.safetensors: icseg.ranges: "));
        assert_non_null(strstr(error.message, "keep_f32"));
    }
    icseg_model_close(&m);
}

static void means_are_saved_unless_they_were_not_recorded(void **state) {
    (void)state;
    icseg_model *m = test_model("tiny-resnet", CLASSES, 2);
    for (int off = 0; off < 2; off++) {
        icseg_calibrator_options o = {ICSEG_CALIBRATOR_OPTIONS_INIT, .no_bias_correction = off};
        const char *path = test_scratch("means.safetensors");
        icseg_calibrator *c = calibrator_of(m, &o);
        icseg_safetensors *file;
        icseg_model *made, *opened;
        ok(icseg_calibrator_model(c, &made, &error));
        ok(icseg_model_save(made, path, &error));
        ok(icseg_safetensors_open(&file, path, &error));
        assert_true((icseg_safetensors_find(file, ICSEG_MEANS_TENSOR) == NULL) == off);
        icseg_safetensors_close(&file);
        ok(icseg_model_open(&opened, path, &error));
        for (int64_t i = 0; i < icseg_params_count(m->params); i++) {
            const icseg_param *p = icseg_params_at(m->params, i);
            icseg_input_means a = icseg_activation_ranges_means(made->ranges, p),
                              b = icseg_activation_ranges_means(opened->ranges, p);
            assert_int_equal(a.count, off || !p->is_layer ? 0 : p->inputs);
            assert_true(a.count == b.count && a.hash == b.hash);
        }
        icseg_calibrator_close(&c);
        icseg_model_close(&made);
        icseg_model_close(&opened);
    }
    icseg_model_close(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(means_correct_the_biases_of_linear_layers),
        cmocka_unit_test(means_correct_the_biases_of_convolutions),
        cmocka_unit_test(a_search_keeps_the_layer_that_costs_the_most),
        cmocka_unit_test(a_search_keeps_no_more_work_than_allowed_and_nothing_if_all_agree),
        cmocka_unit_test(layers_are_kept_by_name_or_by_its_beginning),
        cmocka_unit_test(options_out_of_range_are_refused),
        cmocka_unit_test(damaged_means_and_lists_are_refused),
        cmocka_unit_test(means_are_saved_unless_they_were_not_recorded),
    };
    return cmocka_run_group_tests(tests, test_scratch_open, test_scratch_close);
}
