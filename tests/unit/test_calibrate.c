/* SPDX-License-Identifier: Apache-2.0
 * Calibration for int8: ranges by name, which range suits a tensor, a model that is calibrated, saved and opened,
 * its label maps, and damaged metadata. */
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
#include "graph/ops/attention_int8.h"
#include "compute/primitive.h"
#include "graph/activation_ranges.h"
#include "icseg/calibrate.h"
#include "inference/session.h"
#include "support/models.h"
#include "support/scratch.h"
#include "tensor/safetensors.h"

static const icseg_layer_side IN = ICSEG_LAYER_IN, OUT = ICSEG_LAYER_OUT;
enum { CLASSES = 5, WIDTH = 96, HEIGHT = 64, COUNT = 1 << 18 };

static icseg_error error;

static void ok(icseg_status status) {
    if (status != ICSEG_OK) fail_msg("%s", error.message);
}

/* -- ranges */

static void ranges_are_kept_by_layer(void **state) {
    (void)state;
    enum { MANY = 200 };
    icseg_param layer[MANY];
    icseg_activation_ranges *r, *copy;
    ok(icseg_activation_ranges_open(&r, &error));
    ok(icseg_activation_ranges_open(&copy, &error));
    for (int i = 0; i < MANY; i++) layer[i] = (icseg_param){.index = i};
    for (int i = MANY - 1; i >= 0; i -= 2)
        ok(icseg_activation_ranges_set(r, &layer[i], IN, (icseg_activation_range){-1, (float)i}, &error));
    ok(icseg_activation_ranges_set(r, &layer[7], IN, (icseg_activation_range){-2, 0.5f}, &error));
    ok(icseg_activation_ranges_set(r, &layer[8], OUT, (icseg_activation_range){-3, 3}, &error));
    ok(icseg_activation_ranges_set(r, &layer[9], IN, (icseg_activation_range){0}, &error)); /* always zero */
    assert_int_equal(icseg_activation_ranges_count(r), MANY / 2);
    ok(icseg_activation_ranges_copy(copy, r, &error));
    for (int i = 0; i < MANY; i++) {
        float expected = i % 2 == 0 || i == 9 ? 0 : i == 7 ? 0.5f : (float)i;
        assert_true(icseg_activation_ranges_has(r, &layer[i], IN) == (i % 2 == 1));
        assert_true(icseg_activation_ranges_has(copy, &layer[i], OUT) == (i == 8));
        assert_true(icseg_activation_ranges_find(r, &layer[i], IN).high == expected);
        assert_true(icseg_activation_ranges_find(copy, &layer[i], IN).high == expected);
        assert_true(icseg_activation_ranges_find(copy, &layer[i], OUT).low == (i == 8 ? -3 : 0));
    }
    icseg_activation_ranges_record(r, true);
    assert_int_equal(icseg_activation_ranges_count(r), 0);
    assert_false(icseg_activation_ranges_has(r, &layer[7], IN));
    ok(icseg_activation_ranges_copy(copy, r, &error));
    assert_false(icseg_activation_ranges_has(copy, &layer[7], IN));
    layer[0].index = 1 << 20;
    icseg_memory_fail_after(0);
    assert_int_equal(icseg_activation_ranges_set(r, &layer[0], IN, (icseg_activation_range){-1, 1}, &error),
                     ICSEG_ERROR_MEMORY);
    icseg_memory_fail_after(-1);
    icseg_activation_ranges_close(&copy);
    icseg_activation_ranges_close(&r);
    assert_null(r);
}

/* The range recorded for a linear layer that reads x. */
static icseg_status record(const float *x, icseg_activation_range *range) {
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
    icseg_status status = icseg_executor_run(executor, 0, 0, &error);
    *range = icseg_activation_ranges_find(ranges, w, IN);
    icseg_executor_close(&executor);
    icseg_graph_close(&g);
    icseg_workspace_close(&workspace);
    icseg_params_close(&params);
    icseg_activation_ranges_close(&ranges);
    return status;
}

static icseg_activation_range range_of(const float *x) {
    icseg_activation_range range;
    ok(record(x, &range));
    return range;
}

static bool is_within(float x, float low, float high) { return x >= low && x <= high; }

static void the_range_fits_most_values(void **state) {
    (void)state;
    static float x[COUNT];
    icseg_rng rng = icseg_rng_open(1, ICSEG_RNG_TEST, 0);
    for (int i = 0; i < COUNT; i++) x[i] = icseg_rng_range(&rng, -2, 2);
    icseg_activation_range even = range_of(x);
    assert_true(is_within(even.high, 1.98f, 2) && is_within(even.low, -2, -1.98f)); /* clipping gains nothing */
    for (int i = 0; i < COUNT; i++) x[i] = icseg_rng_normal(&rng);
    icseg_activation_range normal = range_of(x);
    assert_true(is_within(normal.high, 2.5f, 4.8f) && is_within(normal.low, -4.8f, -2.5f));
    x[17] = -12;
    icseg_activation_range outlier = range_of(x);
    assert_true(is_within(outlier.low, -11, -3)); /* a single value does not determine the range */
    assert_true(is_within(outlier.high, 2.5f, 4.8f));
    for (int i = 0; i < COUNT; i++) x[i] = fabsf(icseg_rng_normal(&rng));
    assert_true(range_of(x).low == 0 && is_within(range_of(x).high, 2.5f, 4.8f));
    for (int i = 0; i < COUNT; i++) x[i] = -1e-7f;
    assert_true(range_of(x).high == 0 && is_within(range_of(x).low, -1.1e-7f, -0.9e-7f));
    for (int i = 0; i < COUNT; i++) x[i] = 1e-37f;
    assert_true(range_of(x).high == 0); /* negligible: the layer stays f32 */
    memset(x, 0, sizeof x);
    assert_true(range_of(x).high == 0);
}

static void bytes_cover_a_range(void **state) {
    (void)state;
    const icseg_activation_range ranges[] = {{0, 4}, {-4, 0}, {-0.17f, 3}, {-1, 1}, {-1e-7f, 2e-7f}};
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        icseg_quantization q = icseg_activation_range_quantization(ranges[i]);
        float low = (float)(0 - q.zero_point) * q.scale, high = (float)(255 - q.zero_point) * q.scale;
        assert_true(fabsf(low - ranges[i].low) <= 0.51f * q.scale && fabsf(high - ranges[i].high) <= 0.51f * q.scale);
        assert_true(q.zero_point >= 0 && q.zero_point <= 255);
    }
    assert_true(icseg_activation_range_quantization((icseg_activation_range){0}).scale == 0);
}

static void an_input_that_is_not_finite_stops_the_calibration(void **state) {
    (void)state;
    static float x[COUNT];
    const float bad[] = {NAN, INFINITY, -INFINITY};
    icseg_activation_range range;
    for (int i = 0; i < COUNT; i++) x[i] = (float)(i % 7);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        x[COUNT - 1] = bad[i];
        assert_int_equal(record(x, &range), ICSEG_ERROR_NUMERIC);
        assert_non_null(strstr(error.message, "linear"));
    }
}

/* -- models */

/* Labels of one image at a precision, and the precision used. */
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

/* The neck reads features joined with score maps at some levels. */
static bool is_joined(const icseg_model *m, const icseg_param *p) {
    static const char LIST[] = "lateral_convs.";
    const char *at = p->is_layer ? strstr(p->name, LIST) : NULL;
    return at && m->config.align[at[strlen(LIST)] - '0'];
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
    int parts = 0;
    assert_true(icseg_model_is_calibrated(made));
    assert_ptr_equal(made->params, m->params);
    icseg_model_close(&m); /* the calibrated model keeps the weights */
    icseg_calibrator_close(&calibrator);
    icseg_labels after = label(made, f32, f32);
    assert_memory_equal(before.data, after.data, WIDTH * HEIGHT * sizeof *before.data);
    ok(icseg_model_save(made, path, &error));
    ok(icseg_model_open(&opened, path, &error));
    assert_int_equal(icseg_activation_ranges_count(opened->ranges), icseg_activation_ranges_count(made->ranges));
    for (int64_t i = 0; i < icseg_params_count(made->params); i++) {
        const icseg_param *a = icseg_params_at(made->params, i), *b = icseg_params_at(opened->params, i);
        for (int side = 0; side < ICSEG_LAYER_SIDES; side++) {
            icseg_activation_range before_saving = icseg_activation_ranges_find(made->ranges, a, side),
                                   read = icseg_activation_ranges_find(opened->ranges, b, side);
            bool part = side >= ICSEG_LAYER_FIRST, has = icseg_activation_ranges_has(made->ranges, a, side);
            assert_true(has == (part ? is_joined(made, a) : a->is_layer));
            assert_true(icseg_activation_ranges_has(opened->ranges, b, side) == has);
            assert_true(read.low == before_saving.low && read.high == before_saving.high);
            parts += part && has;
        }
    }
    assert_true(parts > 0);
    icseg_precision expected = icseg_compute_has_precision(ICSEG_PRODUCT_INT8) ? int8 : f32;
    icseg_labels quick = label(made, int8, expected), from_file = label(opened, int8, expected);
    assert_memory_equal(quick.data, from_file.data, WIDTH * HEIGHT * sizeof *quick.data);
    double equal = share_equal(&before, &quick);
    if (!(equal >= 0.9)) fail_msg("%s: only %.1f %% of the classes stay in int8", preset, 100 * equal);
    if (expected == f32) print_message("no AVX2 on this processor: int8 itself is not tested\n");
    icseg_labels *all[] = {&before, &after, &quick, &from_file};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) icseg_labels_close(all[i]);
    icseg_image_close(&image);
    icseg_model_close(&made);
    icseg_model_close(&opened);
}

static void a_resnet_is_calibrated_saved_and_opened(void **state) { (void)state, calibrated("tiny-resnet"); }
static void a_vit_is_calibrated_saved_and_opened(void **state) { (void)state, calibrated("tiny-vit"); }

static void a_calibration_covers_every_layer_for_every_kind_of_prompt(void **state) {
    (void)state;
    static const icseg_prompt prompts[] = {ICSEG_PROMPT_TEMPLATE, ICSEG_PROMPT_STATIC, ICSEG_PROMPT_INSTANCE};
    for (int i = 0; i < 6; i++) {
        icseg_config config = {ICSEG_CONFIG_INIT};
        icseg_model_options options = {ICSEG_MODEL_OPTIONS_INIT, .config = &config,
                                       .class_names = (const char *const[]){"sky", "road"}, .seed = 1};
        icseg_image image = test_image(WIDTH, HEIGHT, 1);
        icseg_calibrator *calibrator;
        icseg_model *m, *made;
        icseg_model_calibration before = {ICSEG_MODEL_CALIBRATION_INIT}, after = {ICSEG_MODEL_CALIBRATION_INIT};
        ok(icseg_config_preset(&config, i < 3 ? "tiny-resnet" : "tiny-vit", &error));
        config.vocab_size = 258;
        config.num_classes = 2;
        config.prompt = prompts[i % 3];
        config.post_prompt = i % 2 == 0;
        ok(icseg_model_create(&m, &options, &error));
        ok(icseg_model_calibration_of(m, &before, &error));
        assert_true(before.layers > 20 && before.covered == 0 && !before.problem);
        ok(icseg_calibrator_open(&calibrator, m, NULL, &error));
        ok(icseg_calibrator_add(calibrator, &image, &error));
        ok(icseg_calibrator_model(calibrator, &made, &error));
        ok(icseg_model_calibration_of(made, &after, &error));
        assert_true(after.layers == before.layers && after.covered == after.layers && !after.problem);
        icseg_calibrator_close(&calibrator);
        icseg_image_close(&image);
        icseg_model_close(&made);
        icseg_model_close(&m);
    }
}

/* Writes a checkpoint whose ranges are `text`. */
static icseg_status open_with(const char *text, icseg_model **opened) {
    const char *path = test_scratch("ranges.safetensors");
    icseg_model *m = test_model("tiny-resnet", CLASSES, 2);
    icseg_safetensors_writer *writer;
    ok(icseg_safetensors_writer_open(&writer, path, &error));
    ok(icseg_model_declare(m, writer, &error));
    ok(icseg_safetensors_writer_metadata(writer, "icseg.ranges", text, &error));
    ok(icseg_safetensors_writer_begin(writer, &error));
    ok(icseg_model_append(m, writer, &error));
    ok(icseg_safetensors_writer_commit(writer, &error));
    icseg_safetensors_writer_close(&writer);
    icseg_model_close(&m);
    return icseg_model_open(opened, path, &error);
}

static void damaged_ranges_are_refused(void **state) {
    (void)state;
#define RANGES(TEXT) "{\"version\": 4, \"ranges\": {" TEXT "}}"
    const char *bad[] = {"",
                         "[1]",
                         "7",
                         "{\"version\": 2}",
                         "{\"version\": 2, \"ranges\": [1]}",
                         RANGES("\"visual.conv1.weight\": -1"),
                         RANGES("\"visual.conv1.weight\": 1e300"),
                         RANGES("\"visual.conv1.weight\": \"1\""),
                         RANGES("\"visual.conv1.weight\": []"),
                         RANGES("\"visual.conv1.weight\": [-1, 1, -1]"),
                         RANGES("\"visual.conv1.weight\": [-1, 1, -1, 1, 1]"),
                         RANGES("\"visual.conv1.weight\": [-1, 1, -1, 1, -1, 1]"),
                         RANGES("\"visual.conv1.weight\": [-1, 1, -1, 1, -1, 1, 1, 2]"),
                         RANGES("\"visual.conv1.weight\": [-1, 1, -1, 1, -1, 1, -1, 1, -1, 1]"),
                         RANGES("\"visual.conv1.weight\": [0.5, 1, -1, 1]"),
                         RANGES("\"visual.conv1.weight\": [-1, -0.5, -1, 1]"),
                         RANGES("\"visual.conv1.weight\": [-1, 1, 0, 1e300]"),
                         RANGES("\"visual.conv1.weight\": [-1, 1, 0, null]"),
                         RANGES("\"visual.conv1.weight\": 1, \"visual.conv1.weight\": 2"),
                         RANGES("\"no such layer\": 1"),
                         RANGES("\"visual.bn1.weight\": 1")};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        icseg_model *opened;
        assert_int_equal(open_with(bad[i], &opened), ICSEG_ERROR_FORMAT);
        assert_null(opened);
        assert_non_null(strstr(error.message, "ranges.safetensors"));
        assert_non_null(strstr(error.message, "icseg.ranges"));
    }
}

/* Writes ranges of a version for the first `count` layers, all `value`; the next layer has `other`. */
static void write_ranges_of(int version, char *text, size_t size, int count, const char *value, const char *other) {
    icseg_model *m = test_model("tiny-resnet", CLASSES, 2);
    size_t length = (size_t)snprintf(text, size, "{\"version\": %d, \"ranges\": {", version);
    int written = 0;
    for (int64_t i = 0; i < icseg_params_count(m->params); i++) {
        const icseg_param *p = icseg_params_at(m->params, i);
        if (!p->is_layer || written > count || (written == count && !other)) continue;
        length += (size_t)snprintf(text + length, size - length, "%s\"%s\": %s", written ? ", " : "", p->name,
                                   written == count ? other : value);
        written++;
    }
    snprintf(text + length, size - length, "}}");
    icseg_model_close(&m);
}

static void write_ranges(char *text, size_t size, int count, const char *value, const char *other) {
    write_ranges_of(2, text, size, count, value, other);
}

static int count_layers(void) {
    icseg_model *m = test_model("tiny-resnet", CLASSES, 2);
    icseg_model_calibration found = {ICSEG_MODEL_CALIBRATION_INIT};
    ok(icseg_model_calibration_of(m, &found, &error));
    icseg_model_close(&m);
    return found.layers;
}

/* The checkpoint opens and runs in f32, but not in int8: the error contains `piece` and the remedy. */
static void is_unusable(const char *text, const char *piece) {
    icseg_session_options int8 = {ICSEG_SESSION_OPTIONS_INIT, .precision = ICSEG_PRECISION_INT8};
    icseg_model_calibration found = {ICSEG_MODEL_CALIBRATION_INIT};
    icseg_model *m;
    icseg_session *session;
    ok(open_with(text, &m));
    assert_false(icseg_model_is_calibrated(m));
    ok(icseg_model_calibration_of(m, &found, &error));
    assert_non_null(found.problem);
    assert_int_equal(found.covered, 0);
    assert_int_equal(icseg_session_open(&session, m, &int8, &error), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(error.remedy, ICSEG_REMEDY_CALIBRATE);
    if (!strstr(error.message, piece) || !strstr(error.message, found.problem)) fail_msg("%s", error.message);
    ok(icseg_session_open(&session, m, NULL, &error));
    icseg_session_close(&session);
    icseg_model_close(&m);
}

static void a_calibration_that_int8_cannot_use_is_refused_for_int8_only(void **state) {
    (void)state;
    static char text[1 << 16];
    int layers = count_layers();
    char piece[96];
    is_unusable("{}", "another version");
    is_unusable("{\"visual.conv1.conv2d_fused\": 1.5}", "another version"); /* version 1: names of nodes */
    is_unusable("{\"version\": 5, \"ranges\": {}}", "another version");
    for (int covered = 0; covered < layers; covered += layers - 1) {
        write_ranges(text, sizeof text, covered, "2.5", NULL);
        snprintf(piece, sizeof piece, "covers %d of %d layers; calibrate the model again", covered, layers);
        is_unusable(text, piece);
    }
    const char *implausible[] = {"3e38", "1e7", "1e-9", "1e-38"};
    for (size_t i = 0; i < 2 * sizeof implausible / sizeof *implausible; i++) {
        char range[64];
        const char *number = implausible[i / 2];
        snprintf(range, sizeof range, i % 2 ? "[-%s, 0, -1, 1]" : "[-1, 1, 0, %s]", number);
        write_ranges(text, sizeof text, layers - 1, "2.5", i % 2 ? range : number);
        is_unusable(text, "are plausible; calibrate the model again");
        write_ranges(text, sizeof text, layers - 1, "[-2.5, 2.5, 0, 2.5]", range);
        is_unusable(text, "are plausible; calibrate the model again");
    }
}

static void a_complete_calibration_is_used_and_layers_are_counted_by_precision(void **state) {
    (void)state;
    static char text[1 << 16];
    int layers = count_layers();
    bool has_int8 = icseg_compute_has_precision(ICSEG_PRODUCT_INT8);
    icseg_session_options int8 = {ICSEG_SESSION_OPTIONS_INIT, .precision = ICSEG_PRECISION_INT8};
    icseg_session_layers plain = {ICSEG_SESSION_LAYERS_INIT}, quick = {ICSEG_SESSION_LAYERS_INIT};
    icseg_model *m;
    icseg_session *session;
    write_ranges(text, sizeof text, layers - 1, "2.5", "0"); /* an input that is always zero */
    ok(open_with(text, &m));
    assert_true(icseg_model_is_calibrated(m));
    ok(icseg_session_open(&session, m, NULL, &error));
    ok(icseg_session_layers_at(session, 1, HEIGHT, WIDTH, &plain, &error));
    assert_true(plain.f32 == layers && !plain.bf16 && !plain.bf16x2 && !plain.int8);
    icseg_session_close(&session);
    ok(icseg_session_open(&session, m, &int8, &error));
    ok(icseg_session_layers_at(session, 1, HEIGHT, WIDTH, &quick, &error));
    assert_int_equal(quick.f32 + quick.int8, layers);
    assert_true(has_int8 ? quick.int8 > 0 : quick.int8 == 0);
    icseg_session_close(&session);
    icseg_model_close(&m);
}

static void calibrations_of_every_version_are_read(void **state) {
    (void)state;
    static char text[1 << 16];
    static const char *const value[] = {"2.5", "[-2, 2, -3, 3]", "[-2, 2, -3, 3, -1, 1, -4, 4]"};
    for (int i = 0; i < 3; i++) {
        icseg_model *m;
        write_ranges_of(i + 2, text, sizeof text, count_layers(), value[i], NULL);
        ok(open_with(text, &m));
        assert_true(icseg_model_is_calibrated(m));
        const icseg_param *p = icseg_params_find(m->params, "visual.conv1.weight");
        assert_true(icseg_activation_ranges_find(m->ranges, p, IN).high == (i ? 2 : 2.5f));
        assert_true(icseg_activation_ranges_find(m->ranges, p, OUT).high == (i ? 3 : 0));
        assert_true(icseg_activation_ranges_has(m->ranges, p, ICSEG_LAYER_SECOND) == (i == 2));
        assert_true(icseg_activation_ranges_find(m->ranges, p, ICSEG_LAYER_FIRST).low == (i == 2 ? -1 : 0));
        assert_true(icseg_activation_ranges_find(m->ranges, p, ICSEG_LAYER_SECOND).low == (i == 2 ? -4 : 0));
        icseg_model_close(&m);
    }
}

static void attention_is_counted_by_precision(void **state) {
    (void)state;
    enum { BLOCKS = 4 }; /* of tiny-vit */
    icseg_session_options int8 = {ICSEG_SESSION_OPTIONS_INIT, .precision = ICSEG_PRECISION_INT8};
    icseg_session_layers plain = {ICSEG_SESSION_LAYERS_INIT}, quick = {ICSEG_SESSION_LAYERS_INIT};
    icseg_model *m = test_model("tiny-vit", CLASSES, 2), *calibrated;
    icseg_image image = test_image(WIDTH, HEIGHT, 1);
    icseg_calibrator *calibrator;
    icseg_session *session;
    ok(icseg_calibrator_open(&calibrator, m, NULL, &error));
    ok(icseg_calibrator_add(calibrator, &image, &error));
    ok(icseg_calibrator_model(calibrator, &calibrated, &error));
    ok(icseg_session_open(&session, calibrated, NULL, &error));
    ok(icseg_session_layers_at(session, 1, 224, 224, &plain, &error));
    icseg_session_close(&session);
    ok(icseg_session_open(&session, calibrated, &int8, &error));
    ok(icseg_session_layers_at(session, 1, 224, 224, &quick, &error));
    icseg_session_close(&session);
    assert_true(plain.attention_f32 >= BLOCKS && plain.attention_int8 == 0);
    assert_int_equal(quick.attention_f32 + quick.attention_int8, plain.attention_f32);
    assert_true(!icseg_attention_int8_is_faster(197, 197, 16) || quick.attention_int8 >= BLOCKS);
    icseg_calibrator_close(&calibrator);
    icseg_image_close(&image);
    icseg_model_close(&calibrated);
    icseg_model_close(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_are_kept_by_layer),
        cmocka_unit_test(the_range_fits_most_values),
        cmocka_unit_test(bytes_cover_a_range),
        cmocka_unit_test(an_input_that_is_not_finite_stops_the_calibration),
        cmocka_unit_test(a_resnet_is_calibrated_saved_and_opened),
        cmocka_unit_test(a_vit_is_calibrated_saved_and_opened),
        cmocka_unit_test(a_calibration_covers_every_layer_for_every_kind_of_prompt),
        cmocka_unit_test(damaged_ranges_are_refused),
        cmocka_unit_test(a_calibration_that_int8_cannot_use_is_refused_for_int8_only),
        cmocka_unit_test(a_complete_calibration_is_used_and_layers_are_counted_by_precision),
        cmocka_unit_test(calibrations_of_every_version_are_read),
        cmocka_unit_test(attention_is_counted_by_precision),
    };
    return cmocka_run_group_tests(tests, test_scratch_open, test_scratch_close);
}
