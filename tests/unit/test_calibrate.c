/* SPDX-License-Identifier: Apache-2.0
 * Calibration for int8: ranges by name, which range suits a tensor, a model that is calibrated, saved and opened, what
 * its label maps are then, and metadata that is damaged. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/rng.h"
#include "graph/run/executor.h"
#include "graph/ops.h"
#include "compute/primitive.h"
#include "graph/activation_ranges.h"
#include "icseg/calibrate.h"
#include "inference/session.h"
#include "support/models.h"
#include "support/scratch.h"
#include "tensor/safetensors.h"

enum { CLASSES = 5, WIDTH = 96, HEIGHT = 64, COUNT = 1 << 18 };

static icseg_error error;

static void ok(icseg_status status) {
    if (status != ICSEG_OK) fail_msg("%s", error.message);
}

/* -- ranges */

static void ranges_are_kept_by_name(void **state) {
    (void)state;
    icseg_activation_ranges *r;
    float range;
    ok(icseg_activation_ranges_open(&r, &error));
    char name[32];
    for (int i = 0; i < 200; i++) {
        snprintf(name, sizeof name, "node %d", i);
        ok(icseg_activation_ranges_set(r, name, (float)i + 1, &error));
    }
    ok(icseg_activation_ranges_set(r, "node 7", 0.5f, &error));
    assert_int_equal(icseg_activation_ranges_count(r), 200);
    assert_true(icseg_activation_ranges_find(r, "node 7") == 0.5f &&
                icseg_activation_ranges_find(r, "node 199") == 200);
    assert_true(icseg_activation_ranges_find(r, "node") == 0);
    assert_string_equal(icseg_activation_ranges_at(r, 3, &range), "node 3");
    assert_true(range == 4);
    icseg_activation_ranges_record(r, true);
    assert_int_equal(icseg_activation_ranges_count(r), 0);
    icseg_memory_fail_after(0);
    assert_int_equal(icseg_activation_ranges_set(r, "a", 1, &error), ICSEG_ERROR_MEMORY);
    icseg_memory_fail_after(-1);
    icseg_activation_ranges_close(&r);
    assert_null(r);
}

/* The range recorded of a linear map that reads x. */
static float range_of(const float *x) {
    icseg_params *params;
    icseg_graph *g;
    icseg_workspace *workspace;
    icseg_executor *executor;
    icseg_activation_ranges *ranges;
    ok(icseg_params_open(&params, &error));
    ok(icseg_graph_open(&g, false, &error));
    ok(icseg_workspace_open(&workspace, &error));
    ok(icseg_activation_ranges_open(&ranges, &error));
    icseg_param *w = icseg_params_declare(params, "w", ICSEG_SHAPE(2, 8), (icseg_param_options){0}, &error);
    icseg_value in = icseg_graph_input(g, "x", ICSEG_F32, ICSEG_SHAPE(COUNT / 8, 8));
    icseg_graph_keep(g, icseg_linear(g, in, icseg_graph_param(g, w), ICSEG_NONE), "y");
    icseg_graph_use_precision(g, ICSEG_PRODUCT_INT8, ranges);
    icseg_activation_ranges_record(ranges, true);
    ok(icseg_executor_open(&executor, g, workspace, &error));
    icseg_executor_bind(executor, in, x);
    ok(icseg_executor_run(executor, 0, 0, &error));
    float range = icseg_activation_ranges_find(ranges, "linear");
    icseg_executor_close(&executor);
    icseg_graph_close(&g);
    icseg_workspace_close(&workspace);
    icseg_params_close(&params);
    icseg_activation_ranges_close(&ranges);
    return range;
}

static void the_range_fits_most_values(void **state) {
    (void)state;
    static float x[COUNT];
    icseg_rng rng = icseg_rng_open(1, ICSEG_RNG_TEST, 0);
    for (int i = 0; i < COUNT; i++) x[i] = icseg_rng_range(&rng, -2, 2);
    float even = range_of(x);
    assert_true(even > 1.98f && even <= 2); /* nothing to gain from cutting */
    for (int i = 0; i < COUNT; i++) x[i] = icseg_rng_normal(&rng);
    float normal = range_of(x);
    assert_true(normal > 2.5f && normal < 4.5f);
    x[17] = -12;
    float outlier = range_of(x);
    assert_true(outlier >= 3 && outlier < 11); /* one value out of many does not set the scale */
    x[17] = NAN;
    assert_true(range_of(x) > 2.5f && range_of(x) < 4.5f);
    for (int i = 0; i < COUNT; i++) x[i] = 1e-37f;
    assert_true(range_of(x) > 0.9e-37f && range_of(x) < 1.1e-37f);
    memset(x, 0, sizeof x);
    assert_true(range_of(x) == 0); /* nothing is known: the node stays f32 */
}

/* -- models */

/* Labels of one image at a precision, and which precision it was. */
static icseg_labels label(icseg_model *m, icseg_precision precision, icseg_precision expected) {
    icseg_image image = test_image(WIDTH, HEIGHT, 1);
    icseg_eval_options options = {ICSEG_EVAL_OPTIONS_INIT};
    icseg_session *session = test_session(m, precision);
    icseg_labels labels;
    assert_int_equal(icseg_session_precision(session), expected);
    ok(icseg_session_predict(session, &image, &options, &labels, NULL, &error));
    icseg_session_close(&session);
    icseg_image_close(&image);
    return labels;
}

static double share_equal(const icseg_labels *a, const icseg_labels *b) {
    int equal = 0;
    for (int i = 0; i < WIDTH * HEIGHT; i++) equal += a->data[i] == b->data[i];
    return (double)equal / (WIDTH * HEIGHT);
}

static void calibrated(const char *preset) {
    icseg_model *m = test_model(preset, CLASSES, 2), *made, *opened;
    const icseg_precision f32 = ICSEG_PRECISION_F32, int8 = ICSEG_PRECISION_INT8;
    const char *path = test_scratch("calibrated.safetensors");
    icseg_session_options wrong = {ICSEG_SESSION_OPTIONS_INIT, .precision = int8};
    icseg_image image = test_image(WIDTH, HEIGHT, 1);
    icseg_calibrator *calibrator;
    icseg_session *session;
    assert_int_equal(icseg_session_open(&session, m, &wrong, &error), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(error.remedy, ICSEG_REMEDY_CALIBRATE);
    assert_string_equal(error.field, "precision");
    assert_null(session);
    icseg_labels before = label(m, f32, f32);
    ok(icseg_calibrator_open(&calibrator, m, NULL, &error));
    assert_int_equal(icseg_calibrator_model(calibrator, &made, &error), ICSEG_ERROR_ARGUMENT);
    assert_null(made);
    ok(icseg_calibrator_add(calibrator, &image, &error));
    ok(icseg_calibrator_model(calibrator, &made, &error));
    assert_false(icseg_model_is_calibrated(m));
    assert_true(icseg_model_is_calibrated(made));
    assert_ptr_equal(made->params, m->params);
    icseg_model_close(&m); /* the calibrated model keeps the weights */
    icseg_calibrator_close(&calibrator);
    icseg_labels after = label(made, f32, f32);
    assert_memory_equal(before.data, after.data, WIDTH * HEIGHT * sizeof *before.data);
    ok(icseg_model_save(made, path, &error));
    ok(icseg_model_open(&opened, path, &error));
    assert_int_equal(icseg_activation_ranges_count(opened->ranges), icseg_activation_ranges_count(made->ranges));
    for (size_t i = 0; i < icseg_activation_ranges_count(made->ranges); i++) {
        float range;
        const char *name = icseg_activation_ranges_at(made->ranges, i, &range);
        assert_true(range > 0 && icseg_activation_ranges_find(opened->ranges, name) == range);
    }
    icseg_precision expected = icseg_compute_has_precision(ICSEG_PRODUCT_INT8) ? int8 : f32;
    icseg_labels quick = label(made, int8, expected), from_file = label(opened, int8, expected);
    assert_memory_equal(quick.data, from_file.data, WIDTH * HEIGHT * sizeof *quick.data);
    double equal = share_equal(&before, &quick);
    if (!(equal >= 0.9)) fail_msg("%s: only %.1f %% of the classes stay in int8", preset, 100 * equal);
    if (expected == f32) print_message("no AMX on this processor: int8 itself is not tested\n");
    icseg_labels *all[] = {&before, &after, &quick, &from_file};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) icseg_labels_close(all[i]);
    icseg_image_close(&image);
    icseg_model_close(&made);
    icseg_model_close(&opened);
}

static void a_resnet_is_calibrated_saved_and_opened(void **state) { (void)state, calibrated("tiny-resnet"); }
static void a_vit_is_calibrated_saved_and_opened(void **state) { (void)state, calibrated("tiny-vit"); }

/* A checkpoint whose ranges are `text`. */
static icseg_status open_with(const char *text) {
    const char *path = test_scratch("ranges.safetensors");
    icseg_model *m = test_model("tiny-resnet", CLASSES, 2), *opened;
    icseg_safetensors_writer *writer;
    ok(icseg_safetensors_writer_open(&writer, path, &error));
    ok(icseg_model_declare(m, writer, &error));
    ok(icseg_safetensors_writer_metadata(writer, "icseg.ranges", text, &error));
    ok(icseg_safetensors_writer_begin(writer, &error));
    ok(icseg_model_append(m, writer, &error));
    ok(icseg_safetensors_writer_commit(writer, &error));
    icseg_safetensors_writer_close(&writer);
    icseg_status status = icseg_model_open(&opened, path, &error);
    if (status != ICSEG_OK) {
        assert_null(opened);
        assert_non_null(strstr(error.message, path));
        assert_non_null(strstr(error.message, "icseg.ranges"));
    }
    icseg_model_close(&opened);
    icseg_model_close(&m);
    return status;
}

static void damaged_ranges_are_refused(void **state) {
    (void)state;
    assert_int_equal(open_with("{}"), ICSEG_OK);
    assert_int_equal(open_with("{\"no such node\": 1.5}"), ICSEG_OK); /* of another version's graph: not used */
    const char *bad[] = {
        "",         "[1]", "7", "{\"a\": 0}", "{\"a\": -1}", "{\"a\": 1e300}", "{\"a\": \"1\"}", "{\"a\": 1, \"a\": 2}",
        "{\"a\": 1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_int_equal(open_with(bad[i]), ICSEG_ERROR_FORMAT);
    static char many[5000 * 12 + 2] = "{\"a\": 1"; /* finding one among very many would take long */
    size_t length = strlen(many);
    for (int i = 0; i < 5000; i++) length += (size_t)sprintf(many + length, ",\"%d\":1", i);
    strcpy(many + length, "}");
    assert_int_equal(open_with(many), ICSEG_ERROR_FORMAT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_are_kept_by_name),
        cmocka_unit_test(the_range_fits_most_values),
        cmocka_unit_test(a_resnet_is_calibrated_saved_and_opened),
        cmocka_unit_test(a_vit_is_calibrated_saved_and_opened),
        cmocka_unit_test(damaged_ranges_are_refused),
    };
    return cmocka_run_group_tests(tests, test_scratch_open, test_scratch_close);
}
