/* SPDX-License-Identifier: Apache-2.0
 * How well labels in faster precisions agree with those in F32: measuring, saving, and what AUTO chooses from it. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/memory.h"
#include "icseg/calibrate.h"
#include "icseg/memory.h"
#include "inference/session.h"
#include "model/model.h"
#include "support/models.h"
#include "support/scratch.h"
#include "tensor/safetensors.h"

enum { CLASSES = 60, WIDTH = 96, HEIGHT = 64, IMAGES = 3 };
static const icseg_precision F32 = ICSEG_PRECISION_F32, BF16 = ICSEG_PRECISION_BF16, BF16X2 = ICSEG_PRECISION_BF16X2,
                             INT8 = ICSEG_PRECISION_INT8;

static icseg_error error;

static void ok(icseg_status status) {
    if (status != ICSEG_OK) fail_msg("%s", error.message);
}

static bool is_here(icseg_precision p) { return icseg_precision_here(p) == p; }

static icseg_label_agreement agreement(const icseg_model *m, icseg_precision p) {
    icseg_label_agreement a = {ICSEG_LABEL_AGREEMENT_INIT};
    ok(icseg_model_agreement(m, p, &a, &error));
    return a;
}

static icseg_labels label(icseg_model *m, icseg_precision precision, const icseg_image *image) {
    icseg_session *session = test_session(m, precision);
    icseg_labels labels;
    ok(icseg_session_predict(session, image, NULL, &labels, NULL, &error));
    icseg_session_close(&session);
    return labels;
}

static double share_equal(icseg_model *m, icseg_precision precision, const icseg_image *image) {
    icseg_labels a = label(m, F32, image), b = label(m, precision, image);
    int equal = 0;
    for (int i = 0; i < WIDTH * HEIGHT; i++) equal += a.data[i] == b.data[i];
    icseg_labels_close(&a);
    icseg_labels_close(&b);
    return (double)equal / (WIDTH * HEIGHT);
}

/* A calibrator of a small model with one image; the model is closed. Its ranges leave out much, so that labels change.
 */
static icseg_calibrator *calibrate(void) {
    icseg_model *m = test_model("tiny-resnet", CLASSES, 2);
    icseg_image image = test_image(WIDTH, HEIGHT, 1);
    icseg_calibrator *c;
    icseg_calibrator_options options = {ICSEG_CALIBRATOR_OPTIONS_INIT, .ranges = ICSEG_RANGES_PERCENTILE,
                                        .percentile = 70};
    ok(icseg_calibrator_open(&c, m, &options, &error));
    assert_int_equal(icseg_calibrator_compare(c, &image, &error), ICSEG_ERROR_ARGUMENT);
    ok(icseg_calibrator_add(c, &image, &error));
    icseg_image_close(&image);
    icseg_model_close(&m);
    return c;
}

static icseg_model *model_of(const icseg_calibrator *c) {
    icseg_model *m;
    ok(icseg_calibrator_model(c, &m, &error));
    return m;
}

/* The mean of shares and its lower bound by the definition. */
static void check_against(const double *shares, icseg_label_agreement found) {
    double mean = 0, variance = 0;
    for (int i = 0; i < IMAGES; i++) mean += shares[i] / IMAGES;
    for (int i = 0; i < IMAGES; i++) variance += (shares[i] - mean) * (shares[i] - mean) / (IMAGES - 1);
    assert_int_equal(found.images, IMAGES);
    assert_true(fabs(found.mean - mean) < 1e-12);
    assert_true(fabs(found.low - fmax(0, mean - 2 * sqrt(variance / IMAGES))) < 1e-7);
}

static void the_agreement_is_that_of_the_labels(void **state) {
    (void)state;
    const icseg_precision precisions[] = {BF16, BF16X2, INT8};
    icseg_calibrator *c = calibrate();
    icseg_image images[IMAGES];
    for (int i = 0; i < IMAGES; i++) {
        images[i] = test_image(WIDTH, HEIGHT, (uint64_t)i + 10);
        ok(icseg_calibrator_compare(c, &images[i], &error));
    }
    icseg_model *m = model_of(c), *opened;
    ok(icseg_model_save(m, test_scratch("compared.safetensors"), &error));
    ok(icseg_model_open(&opened, test_scratch("compared.safetensors"), &error));
    bool differs = false;
    for (size_t p = 0; p < sizeof precisions / sizeof *precisions; p++) {
        icseg_label_agreement found = agreement(m, precisions[p]), read = agreement(opened, precisions[p]);
        double shares[IMAGES];
        for (int i = 0; i < IMAGES; i++) shares[i] = share_equal(m, precisions[p], &images[i]);
        if (is_here(precisions[p]))
            check_against(shares, found);
        else
            assert_int_equal(found.images, 0);
        differs |= found.images && found.mean < 1;
        assert_int_equal(read.images, found.images);
        assert_true(fabs(read.mean - found.mean) < 1e-8 && fabs(read.low - found.low) < 1e-8);
    }
    assert_true(differs || !is_here(INT8));
    if (!is_here(INT8)) print_message("int8 is not supported by this processor: skipped\n");
    if (!is_here(BF16)) print_message("bf16 is not supported by this processor: skipped\n");
    if (!is_here(BF16X2)) print_message("bf16x2 is not supported by this processor: skipped\n");
    for (int i = 0; i < IMAGES; i++) icseg_image_close(&images[i]);
    icseg_model_close(&m);
    icseg_model_close(&opened);
    icseg_calibrator_close(&c);
}

/* What changes the ranges ends the comparison; a new one counts from the beginning. */
static void the_agreement_belongs_to_the_ranges(void **state) {
    (void)state;
    icseg_image image = test_image(WIDTH, HEIGHT, 3);
    icseg_calibrator *c = calibrate();
    for (int change = 0; change < 2; change++) {
        icseg_model *m = model_of(c);
        assert_int_equal(agreement(m, INT8).images, 0);
        icseg_model_close(&m);
        ok(icseg_calibrator_compare(c, &image, &error));
        m = model_of(c);
        assert_int_equal(agreement(m, INT8).images, is_here(INT8) ? 1 : 0);
        assert_true(agreement(m, INT8).low == 0); /* one image has no deviation */
        icseg_model_close(&m);
        ok(change ? icseg_calibrator_keep_f32(c, "decoder.head", &error) : icseg_calibrator_add(c, &image, &error));
    }
    icseg_model *m = model_of(c), *other;
    assert_int_equal(agreement(m, INT8).images, 0);
    m->agreements[BF16] = m->agreements[INT8] = (icseg_label_agreement){.images = 9, .mean = 1, .low = 1};
    ok(icseg_model_with_ranges(&other, m, m->ranges, &error));
    assert_int_equal(agreement(other, BF16).images, 9); /* the weights are the same */
    assert_int_equal(agreement(other, INT8).images, 0);
    icseg_model_close(&other);
    icseg_model_close(&m);
    icseg_image_close(&image);
    icseg_calibrator_close(&c);
}

/* -- AUTO */

typedef struct measured {
    double int8, bf16, bf16x2; /* lower bounds; 0: not measured */
    int32_t images;
} measured;

static void set(icseg_model *m, measured v) {
    const double low[ICSEG_AGREEMENTS] = {
        [ICSEG_PRECISION_INT8] = v.int8, [ICSEG_PRECISION_BF16] = v.bf16, [ICSEG_PRECISION_BF16X2] = v.bf16x2};
    for (int p = 0; p < ICSEG_AGREEMENTS; p++)
        m->agreements[p] = low[p] == 0 ? (icseg_label_agreement){0}
                                       : (icseg_label_agreement){.images = v.images, .mean = 1, .low = low[p]};
}

/* AUTO means this, and a session uses it. */
static void chooses(icseg_model *m, icseg_precision expected) {
    icseg_image image = test_image(WIDTH, HEIGHT, 4);
    icseg_session *session = test_session(m, ICSEG_PRECISION_AUTO);
    assert_int_equal(icseg_model_auto_precision(m), expected);
    assert_int_equal(icseg_session_precision(session), expected);
    icseg_labels a = label(m, ICSEG_PRECISION_AUTO, &image), b = label(m, expected, &image);
    assert_memory_equal(a.data, b.data, WIDTH * HEIGHT * sizeof *a.data);
    icseg_labels_close(&a);
    icseg_labels_close(&b);
    icseg_image_close(&image);
    icseg_session_close(&session);
}

static void auto_is_the_fastest_that_keeps_the_labels(void **state) {
    (void)state;
    icseg_calibrator *c = calibrate();
    icseg_model *m = model_of(c), *plain = test_model("tiny-resnet", CLASSES, 2);
    const double good = 0.999, bad = 0.99899;
    const icseg_precision here_int8 = is_here(INT8) ? INT8 : F32, here_bf16 = is_here(BF16) ? BF16 : F32,
                          here_bf16x2 = is_here(BF16X2) ? BF16X2 : F32;
    const struct {
        measured values;
        icseg_precision expected;
    } rows[] = {
        {{.images = 8}, F32},
        {{good, bad, bad, 8}, here_int8},
        {{bad, good, good, 8}, is_here(BF16) ? BF16 : here_bf16x2},
        {{bad, bad, good, 8}, here_bf16x2},
        {{0, good, 0, 8}, here_bf16},
        {{bad, bad, bad, 1000}, F32},
        {{good, good, good, 7}, F32},
        {{good, good, good, 8},
         is_here(INT8)   ? INT8
         : is_here(BF16) ? BF16
                         : here_bf16x2},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        set(m, rows[i].values);
        chooses(m, rows[i].expected);
    }
    chooses(plain, F32);
    set(plain, (measured){1, 0, 0, 100}); /* int8 needs ranges */
    chooses(plain, F32);
    assert_int_equal(icseg_model_auto_precision(NULL), F32);
    icseg_model_close(&plain);
    icseg_model_close(&m);
    icseg_calibrator_close(&c);
}

/* -- what callers and files do wrong */

static void wrong_arguments_are_refused(void **state) {
    (void)state;
    const int wrong[] = {-1, F32, ICSEG_PRECISION_AUTO, ICSEG_AGREEMENTS, 1000};
    icseg_model *m = test_model("tiny-resnet", CLASSES, 2);
    icseg_label_agreement a = {ICSEG_LABEL_AGREEMENT_INIT};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(icseg_model_agreement(m, (icseg_precision)wrong[i], &a, &error), ICSEG_ERROR_ARGUMENT);
        assert_string_equal(error.field, "precision");
    }
    a.struct_size = 0;
    assert_int_equal(icseg_model_agreement(m, INT8, &a, &error), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_model_agreement(NULL, INT8, &a, &error), ICSEG_ERROR_ARGUMENT);
    icseg_model_close(&m);
}

static icseg_status open_with(const char *text, icseg_model **out) {
    const char *path = test_scratch("agreement.safetensors");
    icseg_model *m = test_model("tiny-resnet", CLASSES, 2);
    icseg_safetensors_writer *writer;
    ok(icseg_safetensors_writer_open(&writer, path, &error));
    ok(icseg_model_declare(m, writer, &error));
    ok(icseg_safetensors_writer_metadata(writer, "icseg.agreement", text, &error));
    ok(icseg_safetensors_writer_begin(writer, &error));
    ok(icseg_model_append(m, writer, &error));
    ok(icseg_safetensors_writer_commit(writer, &error));
    icseg_safetensors_writer_close(&writer);
    icseg_model_close(&m);
    return icseg_model_open(out, path, &error);
}

static void damaged_metadata_is_refused(void **state) {
    (void)state;
    const char *bad[] = {"",
                         "[]",
                         "3",
                         "{\"int8\": 1}",
                         "{\"int8\": {}}",
                         "{\"int8\": {\"images\": 0, \"mean\": 1, \"low\": 1}}",
                         "{\"int8\": {\"images\": 1e9, \"mean\": 1, \"low\": 1}}",
                         "{\"int8\": {\"images\": 4294967304, \"mean\": 1, \"low\": 1}}",
                         "{\"int8\": {\"images\": 8, \"mean\": 1.5, \"low\": 1}}",
                         "{\"int8\": {\"images\": 8, \"mean\": 0.9, \"low\": 0.99}}",
                         "{\"int8\": {\"images\": 8, \"mean\": 0.9, \"low\": -1}}",
                         "{\"bf16\": {\"images\": 8, \"mean\": \"1\", \"low\": 1}}",
                         "{\"bf16x2\": {\"images\": 8, \"mean\": 1}}"};
    icseg_model *opened;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(open_with(bad[i], &opened), ICSEG_ERROR_FORMAT);
        assert_null(opened);
        assert_non_null(strstr(error.message, "agreement.safetensors"));
        if (*bad[i]) assert_non_null(strstr(error.message, "icseg.agreement"));
    }
    ok(open_with("{\"int4\": 7, \"bf16\": {\"images\": 8, \"mean\": 0.9995, \"low\": 0.5}}", &opened));
    assert_int_equal(agreement(opened, BF16).images, 8);
    assert_true(agreement(opened, BF16).mean == 0.9995 && agreement(opened, BF16).low == 0.5);
    icseg_model_close(&opened);
}

static void a_lack_of_memory_is_reported(void **state) {
    (void)state;
    const char *path = test_scratch("memory.safetensors");
    icseg_model *m = test_model("tiny-resnet", CLASSES, 2);
    set(m, (measured){0.5, 0.5, 0.5, 8});
    icseg_status status = ICSEG_ERROR_MEMORY;
    int64_t n = 0;
    for (; status != ICSEG_OK; n++) {
        icseg_memory_fail_after(n);
        status = icseg_model_save(m, path, &error);
        icseg_memory_fail_after(-1);
        assert_true(status == ICSEG_OK || status == ICSEG_ERROR_MEMORY);
    }
    assert_true(n > 10);
    icseg_model_close(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_agreement_is_that_of_the_labels),
        cmocka_unit_test(the_agreement_belongs_to_the_ranges),
        cmocka_unit_test(auto_is_the_fastest_that_keeps_the_labels),
        cmocka_unit_test(wrong_arguments_are_refused),
        cmocka_unit_test(damaged_metadata_is_refused),
        cmocka_unit_test(a_lack_of_memory_is_reported),
    };
    return cmocka_run_group_tests(tests, test_scratch_open, test_scratch_close);
}
