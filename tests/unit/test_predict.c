/* SPDX-License-Identifier: Apache-2.0
 * Label maps compared with naive ones: full-size upsampled logits, window by window, scale by scale. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <math.h>

#include "base/memory.h"
#include "image/normalize.h"
#include "inference/sliding.h"
#include "support/models.h"
#include "support/near.h"

enum { CLASSES = 5 };

static icseg_image part(const icseg_image *from, int32_t x0, int32_t y0, int32_t width, int32_t height, bool mirrored) {
    icseg_image out;
    assert_int_equal(icseg_image_create(&out, width, height, NULL), ICSEG_OK);
    for (int32_t y = 0; y < height; y++)
        for (int32_t x = 0; x < width; x++)
            memcpy(out.data + 3 * ((size_t)y * (size_t)width + (size_t)x),
                   from->data + 3 * ((size_t)(y0 + y) * (size_t)from->width +
                                     (size_t)(mirrored ? from->width - 1 - x0 - x : x0 + x)),
                   3);
    return out;
}

/* Logits of one image, upsampled to `width` x `height`: (height, width, K) in double. */
static double *naive_logits(icseg_model *model, const icseg_image *image, int32_t width, int32_t height) {
    icseg_error error = {0};
    icseg_session *session = test_session(model, ICSEG_PRECISION_F32);
    icseg_prepared_network *s;
    icseg_network_options options;
    memset(&options, 0, sizeof options);
    options.batch = 1;
    options.height = image->height;
    options.width = image->width;
    options.keep = ICSEG_KEEP_OUTPUTS;
    if (icseg_session_network(session, &options, &s, &error) != ICSEG_OK) fail_msg("%s", error.message);
    float *input = malloc((size_t)image->width * (size_t)image->height * 3 * sizeof *input);
    icseg_image_normalize(image, input);
    icseg_executor_bind(s->executor, s->network.image, input);
    assert_int_equal(icseg_executor_run(s->executor, 0, 0, &error), ICSEG_OK);
    const float *logits = icseg_executor_data(s->executor, s->network.logits);
    int64_t h = icseg_graph_dim(s->graph, s->network.logits, 1), w = icseg_graph_dim(s->graph, s->network.logits, 2);
    int64_t classes = icseg_graph_dim(s->graph, s->network.logits, 3);
    double *out = malloc((size_t)width * (size_t)height * (size_t)classes * sizeof *out);
    for (int32_t y = 0; y < height; y++)
        for (int32_t x = 0; x < width; x++) {
            double v = fmax(0, (y + 0.5) * (double)h / height - 0.5), u = fmax(0, (x + 0.5) * (double)w / width - 0.5);
            int64_t y0 = (int64_t)v, x0 = (int64_t)u, y1 = y0 + (y0 < h - 1), x1 = x0 + (x0 < w - 1);
            v -= (double)y0;
            u -= (double)x0;
            for (int64_t k = 0; k < classes; k++)
                out[((int64_t)y * width + x) * classes + k] =
                    (1 - v) * ((1 - u) * (double)logits[(y0 * w + x0) * classes + k] +
                               u * (double)logits[(y0 * w + x1) * classes + k]) +
                    v * ((1 - u) * (double)logits[(y1 * w + x0) * classes + k] +
                         u * (double)logits[(y1 * w + x1) * classes + k]);
        }
    free(input);
    icseg_session_close(&session);
    return out;
}

/* mmsegmentation's slide_inference: full-size logits of every window, summed and divided by the number of windows. */
static double *naive_slide(icseg_model *model, const icseg_image *image, const icseg_eval_options *o, int32_t classes) {
    size_t width = (size_t)image->width, height = (size_t)image->height, n = (size_t)classes;
    double *sum = calloc(width * height * n, sizeof *sum), *cover = calloc(width * height, sizeof *cover);
    icseg_sliding windows;
    icseg_sliding_options options = {o->crop_width, o->crop_height, o->stride_width, o->stride_height};
    assert_int_equal(icseg_sliding_open(&windows, &options, image->width, image->height, NULL), ICSEG_OK);
    for (int64_t i = 0; i < icseg_sliding_count(&windows); i++) {
        icseg_window at = icseg_sliding_window(&windows, i);
        icseg_image crop = part(image, at.x, at.y, at.width, at.height, false);
        double *logits = naive_logits(model, &crop, at.width, at.height);
        for (int32_t y = 0; y < at.height; y++)
            for (int32_t x = 0; x < at.width; x++) {
                size_t to = (size_t)(at.y + y) * width + (size_t)(at.x + x), from = (size_t)(y * at.width + x);
                cover[to]++;
                for (size_t k = 0; k < n; k++) sum[to * n + k] += logits[from * n + k];
            }
        free(logits);
        icseg_image_close(&crop);
    }
    for (size_t i = 0; i < width * height; i++)
        for (size_t k = 0; k < n; k++) sum[i * n + k] /= cover[i];
    free(cover);
    return sum;
}

static void softmax(double *values, size_t pixels, size_t n) {
    for (size_t i = 0; i < pixels; i++) {
        double *v = values + i * n, largest = v[0], sum = 0;
        for (size_t k = 0; k < n; k++) largest = fmax(largest, v[k]);
        for (size_t k = 0; k < n; k++) sum += v[k] = exp(v[k] - largest);
        for (size_t k = 0; k < n; k++) v[k] /= sum;
    }
}

/* Labels and confidence must be the largest of `probability` (pixels, n), except near ties. */
static void assert_labels(const icseg_labels *labels, const float *confidence, const double *probability, size_t n) {
    size_t pixels = (size_t)labels->width * (size_t)labels->height, seen = 0, unclear = 0;
    int first = labels->data[0];
    for (size_t i = 0; i < pixels; i++) {
        const double *p = probability + i * n;
        size_t best = 0;
        for (size_t k = 1; k < n; k++) best = p[k] > p[best] ? k : best;
        int got = labels->data[i];
        assert_in_range(got, 0, n - 1);
        if ((size_t)got != best) {
            unclear++;
            if (p[best] - p[got] > 1e-4)
                fail_msg("pixel %zu: label %d (%g), expected %zu (%g)", i, got, p[got], best, p[best]);
        }
        seen += got != first;
        if (confidence && fabs((double)confidence[i] - p[best]) > 2e-4)
            fail_msg("pixel %zu: confidence %g, expected %g", i, (double)confidence[i], p[best]);
    }
    assert_true(unclear * 100 <= pixels);
    if (pixels > 1000) assert_true(seen > 0); /* or the test would check little */
}

typedef struct result {
    icseg_labels labels;
    float *confidence;
} result;

static result predict(icseg_model *model, const icseg_image *image, const icseg_eval_options *o) {
    icseg_error error = {0};
    result r;
    icseg_session *session = test_session(model, ICSEG_PRECISION_F32);
    if (icseg_session_predict(session, image, o, &r.labels, &r.confidence, &error) != ICSEG_OK)
        fail_msg("%s", error.message);
    icseg_session_close(&session);
    assert_int_equal(r.labels.width, image->width);
    assert_int_equal(r.labels.height, image->height);
    return r;
}

static void close_result(result *r) {
    icseg_labels_close(&r->labels);
    icseg_buffer_free(r->confidence);
}

static void whole_mode_is_the_argmax_of_upsampled_logits(void **state) {
    static const int32_t size[][2] = {{64, 64}, {97, 65}, {33, 47}, {1, 1}, {8, 100}, {150, 40}};
    icseg_eval_options o = {ICSEG_EVAL_OPTIONS_INIT};
    icseg_model *model = test_model("tiny-resnet", CLASSES, 1);
    (void)state;
    for (size_t i = 0; i < sizeof size / sizeof *size; i++) {
        icseg_image image = test_image(size[i][0], size[i][1], i), input = {0};
        int32_t width = size[i][0] < 32 ? 32 : size[i][0], height = size[i][1] < 32 ? 32 : size[i][1];
        assert_int_equal(icseg_image_resize(&input, &image, width, height, NULL), ICSEG_OK);
        double *expected = naive_logits(model, &input, size[i][0], size[i][1]);
        softmax(expected, (size_t)size[i][0] * (size_t)size[i][1], CLASSES);
        result r = predict(model, &image, &o);
        assert_labels(&r.labels, r.confidence, expected, CLASSES);
        close_result(&r);
        free(expected);
        icseg_image_close(&input);
        icseg_image_close(&image);
    }
    icseg_model_close(&model);
}

static void resizing_follows_short_and_long_side(void **state) {
    static const int32_t limit[][4] = {{64, 0, 96, 64}, {64, 80, 80, 53}, {200, 0, 300, 200}, {20, 0, 32, 32}};
    icseg_model *model = test_model("tiny-vit", CLASSES, 2);
    icseg_image image = test_image(120, 80, 3);
    (void)state;
    for (size_t i = 0; i < sizeof limit / sizeof *limit; i++) {
        icseg_eval_options o = {ICSEG_EVAL_OPTIONS_INIT};
        o.resize_short = limit[i][0];
        o.resize_long = limit[i][1];
        icseg_image input;
        assert_int_equal(icseg_image_resize(&input, &image, limit[i][2], limit[i][3], NULL), ICSEG_OK);
        double *expected = naive_logits(model, &input, image.width, image.height);
        softmax(expected, 120 * 80, CLASSES);
        result r = predict(model, &image, &o);
        assert_labels(&r.labels, r.confidence, expected, CLASSES);
        close_result(&r);
        free(expected);
        icseg_image_close(&input);
    }
    icseg_image_close(&image);
    icseg_model_close(&model);
}

static void a_single_window_equals_the_whole_image(void **state) {
    icseg_model *model = test_model("tiny-resnet", CLASSES, 4);
    icseg_image image = test_image(75, 50, 4);
    icseg_eval_options whole = {ICSEG_EVAL_OPTIONS_INIT}, slide = whole;
    (void)state;
    slide.mode = ICSEG_EVAL_SLIDE;
    result a = predict(model, &image, &whole), b = predict(model, &image, &slide);
    assert_memory_equal(a.labels.data, b.labels.data, 75 * 50 * sizeof(int16_t));
    for (int i = 0; i < 75 * 50; i++) assert_near(a.confidence[i], b.confidence[i], 1e-6);
    close_result(&a);
    close_result(&b);
    icseg_image_close(&image);
    icseg_model_close(&model);
}

static void windows_are_averaged_as_in_mmsegmentation(void **state) {
    /* width, height, crop height, width, stride height, width */
    static const int32_t cases[][6] = {{150, 110, 64, 64, 42, 42}, {150, 110, 48, 64, 48, 64},
                                       {90, 200, 64, 128, 0, 0},   {130, 70, 64, 64, 16, 24},
                                       {64, 65, 64, 64, 64, 64},   {33, 100, 32, 32, 7, 32}};
    icseg_model *model = test_model("tiny-resnet", 19, 5);
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const int32_t *c = cases[i];
        icseg_image image = test_image(c[0], c[1], i);
        icseg_eval_options o = {ICSEG_EVAL_OPTIONS_INIT};
        o.mode = ICSEG_EVAL_SLIDE;
        o.crop_height = c[2];
        o.crop_width = c[3];
        o.stride_height = c[4];
        o.stride_width = c[5];
        double *expected = naive_slide(model, &image, &o, 19);
        softmax(expected, (size_t)c[0] * (size_t)c[1], 19);
        result r = predict(model, &image, &o);
        assert_labels(&r.labels, r.confidence, expected, 19);
        close_result(&r);
        free(expected);
        icseg_image_close(&image);
    }
    icseg_model_close(&model);
}

/* Each scale and mirror image alone, at full size; probabilities averaged. */
static double *naive_augmented(icseg_model *model, const icseg_image *image, const icseg_eval_options *o) {
    size_t pixels = (size_t)image->width * (size_t)image->height;
    double *mean = calloc(pixels * CLASSES, sizeof *mean);
    for (int32_t i = 0; i < o->scale_count; i++)
        for (int flip = 0; flip <= o->flip; flip++) {
            int32_t width = (int32_t)(image->width * o->scale[i] + 0.5),
                    height = (int32_t)(image->height * o->scale[i] + 0.5);
            icseg_image scaled, input;
            assert_int_equal(icseg_image_resize(&scaled, image, width, height, NULL), ICSEG_OK);
            input = part(&scaled, 0, 0, width, height, flip);
            double *p = naive_logits(model, &input, image->width, image->height);
            softmax(p, pixels, CLASSES);
            for (size_t at = 0; at < pixels; at++) {
                size_t x = at % (size_t)image->width, from = flip ? at - x + (size_t)image->width - 1 - x : at;
                for (size_t k = 0; k < CLASSES; k++)
                    mean[at * CLASSES + k] += p[from * CLASSES + k] / (o->scale_count * (1 + o->flip));
            }
            free(p);
            icseg_image_close(&input);
            icseg_image_close(&scaled);
        }
    return mean;
}

static void augmentation_averages_probabilities(void **state) {
    icseg_model *model = test_model("tiny-resnet", CLASSES, 6);
    icseg_image image = test_image(90, 70, 6);
    icseg_eval_options o = {ICSEG_EVAL_OPTIONS_INIT};
    (void)state;
    o.scale_count = 3;
    memcpy(o.scale, (double[]){0.5, 1, 1.75}, 3 * sizeof(double));
    for (int flip = 0; flip <= 1; flip++) {
        o.flip = flip;
        double *expected = naive_augmented(model, &image, &o);
        result r = predict(model, &image, &o);
        assert_labels(&r.labels, r.confidence, expected, CLASSES);
        close_result(&r);
        free(expected);
    }
    icseg_image_close(&image);
    icseg_model_close(&model);
}

static void the_default_options_are_those_of_training(void **state) {
    icseg_model *model = test_model("tiny-resnet", CLASSES, 5);
    icseg_image image = test_image(75, 50, 5);
    icseg_eval_options plain = {ICSEG_EVAL_OPTIONS_INIT}, trained = plain;
    (void)state;
    trained.mode = ICSEG_EVAL_SLIDE;
    trained.crop_height = trained.crop_width = 40;
    trained.resize_short = 60;
    for (int known = 0; known <= 1; known++) {
        if (known) icseg_model_set_eval(model, &trained);
        result a = predict(model, &image, NULL), b = predict(model, &image, known ? &trained : &plain);
        result c = predict(model, &image, known ? &plain : &trained);
        assert_memory_equal(a.confidence, b.confidence, 75 * 50 * sizeof(float));
        assert_memory_not_equal(a.confidence, c.confidence, 75 * 50 * sizeof(float));
        close_result(&a);
        close_result(&b);
        close_result(&c);
    }
    icseg_image_close(&image);
    icseg_model_close(&model);
}

/* Combines windows, scales and flips, with images whose rows of windows begin at different rows. */
static void a_mirrored_image_has_the_mirrored_label_map(void **state) {
    icseg_model *model = test_model("tiny-resnet", CLASSES, 7);
    icseg_image image = test_image(131, 90, 7), mirrored = part(&image, 0, 0, 131, 90, true);
    icseg_eval_options o = {ICSEG_EVAL_OPTIONS_INIT};
    (void)state;
    o.flip = true;
    for (int slide = 0; slide <= 1; slide++) {
        if (slide) {
            o.mode = ICSEG_EVAL_SLIDE;
            o.crop_height = o.crop_width = 64;
            o.scale_count = 2;
            o.scale[0] = 1;
            o.scale[1] = 1.5;
        }
        result a = predict(model, &image, &o), b = predict(model, &mirrored, &o);
        for (int y = 0; y < 90; y++)
            for (int x = 0; x < 131; x++) {
                double there = (double)a.confidence[y * 131 + x], here = (double)b.confidence[y * 131 + 130 - x];
                assert_near(there, here, 1e-4);
                if (a.labels.data[y * 131 + x] != b.labels.data[y * 131 + 130 - x]) assert_true(there < 0.502);
            }
        close_result(&a);
        close_result(&b);
    }
    icseg_image_close(&mirrored);
    icseg_image_close(&image);
    icseg_model_close(&model);
}

static void windows_of_a_resized_image_are_blended_without_seams(void **state) {
    icseg_model *model = test_model("tiny-resnet", CLASSES, 8);
    icseg_image image = test_image(40, 300, 8);
    icseg_eval_options o = {ICSEG_EVAL_OPTIONS_INIT};
    (void)state;
    o.mode = ICSEG_EVAL_SLIDE;
    o.crop_height = o.crop_width = 64;
    o.stride_height = 9; /* many rows of windows for each row of the image */
    o.resize_short = 33;
    result small = predict(model, &image, &o);
    o.resize_short = 90;
    result large = predict(model, &image, &o);
    for (int i = 0; i < 40 * 300; i++) {
        assert_in_range(small.labels.data[i], 0, CLASSES - 1);
        assert_true(large.confidence[i] > 0.19f && large.confidence[i] <= 1);
    }
    close_result(&small);
    close_result(&large);
    icseg_image_close(&image);
    icseg_model_close(&model);
}

static void results_are_reproducible(void **state) {
    icseg_model *model = test_model("tiny-resnet", CLASSES, 9);
    icseg_image image = test_image(100, 80, 9);
    icseg_eval_options o = {ICSEG_EVAL_OPTIONS_INIT};
    (void)state;
    o.mode = ICSEG_EVAL_SLIDE;
    o.crop_height = o.crop_width = 64;
    o.flip = true;
    result a = predict(model, &image, &o), b = predict(model, &image, &o);
    assert_memory_equal(a.labels.data, b.labels.data, 100 * 80 * sizeof(int16_t));
    assert_memory_equal(a.confidence, b.confidence, 100 * 80 * sizeof(float));
    close_result(&a);
    close_result(&b);
    icseg_image_close(&image);
    icseg_model_close(&model);
}

static void invalid_options_are_refused(void **state) {
    icseg_model *model = test_model("tiny-resnet", CLASSES, 10);
    icseg_session *session = test_session(model, ICSEG_PRECISION_F32);
    icseg_image image = test_image(64, 64, 10);
    icseg_labels labels;
    icseg_error error;
    (void)state;
    for (int i = 0; i < 8; i++) {
        icseg_eval_options o = {ICSEG_EVAL_OPTIONS_INIT};
        o.mode = ICSEG_EVAL_SLIDE;
        if (i == 0) o.crop_height = 31;
        if (i == 1) o.crop_width = 31;
        if (i == 2) o.stride_width = 513;
        if (i == 3) o.stride_height = -1;
        if (i == 4) o.scale_count = ICSEG_EVAL_SCALES + 1;
        if (i == 5) o.scale_count = 1; /* of 0 */
        if (i == 6) o.resize_short = -4;
        if (i == 7) o.resize_short = 64, o.resize_long = 32;
        assert_int_equal(icseg_session_predict(session, &image, &o, &labels, NULL, &error), ICSEG_ERROR_ARGUMENT);
        assert_true(strlen(error.message) > 10);
        assert_null(labels.data);
    }
    icseg_image empty = {0};
    icseg_eval_options o = {ICSEG_EVAL_OPTIONS_INIT};
    assert_int_equal(icseg_session_predict(session, &empty, &o, &labels, NULL, &error), ICSEG_ERROR_ARGUMENT);
    icseg_image_close(&image);
    icseg_session_close(&session);
    icseg_model_close(&model);
}

static void weights_that_are_not_finite_are_named(void **state) {
    icseg_model *model = test_model("tiny-resnet", CLASSES, 11);
    icseg_session *session = test_session(model, ICSEG_PRECISION_F32);
    icseg_image image = test_image(64, 64, 11);
    icseg_eval_options o = {ICSEG_EVAL_OPTIONS_INIT};
    icseg_labels labels;
    icseg_error error;
    (void)state;
    icseg_param *p = icseg_params_find(model->params, "visual.layer1.0.conv1.weight");
    assert_non_null(p);
    p->data[0] = NAN;
    p->version++;
    assert_int_equal(icseg_session_predict(session, &image, &o, &labels, NULL, &error), ICSEG_ERROR_NUMERIC);
    assert_non_null(strstr(error.message, "visual.layer1.0"));
    icseg_image_close(&image);
    icseg_session_close(&session);
    icseg_model_close(&model);
}

static void a_lack_of_memory_is_reported_without_leaks(void **state) {
    icseg_image image = test_image(90, 64, 12);
    icseg_eval_options o = {ICSEG_EVAL_OPTIONS_INIT};
    icseg_status status = ICSEG_ERROR_MEMORY;
    icseg_model *model = test_model("tiny-resnet", CLASSES, 12);
    (void)state;
    o.mode = ICSEG_EVAL_SLIDE;
    o.crop_height = o.crop_width = 64;
    o.flip = true;
    o.resize_short = 70;
    icseg_session *session = test_session(model, ICSEG_PRECISION_F32);
    icseg_labels first;
    /* A first run has built the network, so that the failures are those of prediction. */
    assert_int_equal(icseg_session_predict(session, &image, &o, &first, NULL, NULL), ICSEG_OK);
    icseg_labels_close(&first);
    int n = 0;
    for (; status == ICSEG_ERROR_MEMORY && n < 1000; n++) {
        icseg_labels labels;
        icseg_memory_fail_after(n);
        status = icseg_session_predict(session, &image, &o, &labels, NULL, NULL);
        icseg_memory_fail_after(-1);
        if (status != ICSEG_OK) assert_null(labels.data);
        icseg_labels_close(&labels);
    }
    assert_true(n > 1); /* some allocations failed */
    assert_int_equal(status, ICSEG_OK);
    icseg_session_close(&session);
    icseg_model_close(&model);
    icseg_image_close(&image);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_mode_is_the_argmax_of_upsampled_logits),
        cmocka_unit_test(resizing_follows_short_and_long_side),
        cmocka_unit_test(a_single_window_equals_the_whole_image),
        cmocka_unit_test(windows_are_averaged_as_in_mmsegmentation),
        cmocka_unit_test(augmentation_averages_probabilities),
        cmocka_unit_test(the_default_options_are_those_of_training),
        cmocka_unit_test(a_mirrored_image_has_the_mirrored_label_map),
        cmocka_unit_test(windows_of_a_resized_image_are_blended_without_seams),
        cmocka_unit_test(results_are_reproducible),
        cmocka_unit_test(invalid_options_are_refused),
        cmocka_unit_test(weights_that_are_not_finite_are_named),
        cmocka_unit_test(a_lack_of_memory_is_reported_without_leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
