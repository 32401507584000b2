/* SPDX-License-Identifier: Apache-2.0
 * Open-vocabulary models: words, background, threshold, refinement, sizes of images, and refusals. test_parity compares
 * the methods with the public code. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/memory.h"
#include "icseg/calibrate.h"
#include "icseg/classify.h"
#include "icseg/open_vocabulary.h"
#include "icseg/session.h"
#include "icseg/weights.h"
#include "inference/pamr.h"
#include "support/models.h"
#include "support/scratch.h"

/* A small CLIP that reads bytes. */
#define VIT ICSEG_SOURCE_DIR "/tests/parity/open_patch16.safetensors"
enum { PIXELS = ICSEG_OUTPUT_LABELS | ICSEG_OUTPUT_CONFIDENCE | ICSEG_OUTPUT_PROBABILITIES };

static icseg_error error;

#define OK(call)                                                                                                       \
    do {                                                                                                               \
        if ((call) != ICSEG_OK) fail_msg("%s", error.message);                                                         \
    } while (0)
#define NAMES(...)                                                                                                     \
    .class_names = (const char *const[]){__VA_ARGS__},                                                                 \
    .class_count = sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *)
/* Of this file's model, with one thread. */
#define OPTIONS(...) OPTIONS_OF(VIT, __VA_ARGS__)
#define OPTIONS_OF(WEIGHTS, ...)                                                                                       \
    (icseg_open_vocabulary_options) { ICSEG_OPEN_VOCABULARY_OPTIONS_INIT, .weights = WEIGHTS, __VA_ARGS__ }

static icseg_model *open_model(icseg_open_vocabulary_options options) {
    icseg_model *model;
    OK(icseg_model_open_vocabulary(&model, &options, NULL, &error));
    return model;
}

/* Runs an image; the caller closes the result. */
static icseg_result *run_eval(icseg_model *model, const icseg_image *image, uint32_t outputs,
                              const icseg_eval_options *eval, int32_t threads) {
    icseg_session *session;
    icseg_result *result;
    icseg_session_options how = {ICSEG_SESSION_OPTIONS_INIT, .threads = threads};
    icseg_frame frame = {ICSEG_FRAME_RGB8, image->width, image->height, 0, image->data};
    icseg_batch batch = {ICSEG_BATCH_INIT, .count = 1, .frames = &frame};
    icseg_run_options run = {ICSEG_RUN_OPTIONS_INIT, .outputs = outputs, .eval = eval, .top_k = 2};
    OK(icseg_session_open(&session, model, &how, &error));
    OK(icseg_session_run(session, &batch, &run, &result, &error));
    icseg_session_close(&session);
    return result;
}

static icseg_result *run(icseg_model *model, const icseg_image *image, uint32_t outputs) {
    return run_eval(model, image, outputs, NULL, 1);
}

static const void *data_of(const icseg_result *result, icseg_output output) {
    icseg_tensor tensor;
    OK(icseg_result_tensor(result, output, &tensor, &error));
    return tensor.data;
}

/* -- classes */

static void the_best_word_of_a_class_counts(void **state) {
    (void)state;
    static const int16_t class_of[] = {0, 1, 1, 1, 2};
    icseg_image image = test_image(150, 90, 1);
    icseg_model *words = open_model(OPTIONS(NAMES("sky", "person, man; woman", "dog (small, brown)")));
    icseg_model *single = open_model(OPTIONS(NAMES("sky", "person", "man", "woman", "dog (small, brown)")));
    assert_int_equal(icseg_model_config(words)->num_classes, 3);
    assert_int_equal(icseg_model_name_count(words), 5);
    assert_string_equal(icseg_model_class_names(words)[1], "person");
    icseg_result *a = run(words, &image, PIXELS | ICSEG_OUTPUT_TOP_CLASSES), *b = run(single, &image, PIXELS);
    const int16_t *ours = data_of(a, ICSEG_OUTPUT_LABELS), *theirs = data_of(b, ICSEG_OUTPUT_LABELS);
    const int16_t *top = data_of(a, ICSEG_OUTPUT_TOP_CLASSES);
    const float *p = data_of(a, ICSEG_OUTPUT_PROBABILITIES), *q = data_of(b, ICSEG_OUTPUT_PROBABILITIES);
    const float *confidence = data_of(a, ICSEG_OUTPUT_CONFIDENCE);
    int seen[3] = {0};
    for (int i = 0; i < 150 * 90; i++) {
        float best = fmaxf(q[5 * i + 1], fmaxf(q[5 * i + 2], q[5 * i + 3])), sum = q[5 * i] + best + q[5 * i + 4];
        assert_int_equal(ours[i], class_of[theirs[i]]);
        assert_int_equal(top[2 * i], ours[i]);
        assert_true(fabsf(p[3 * i] - q[5 * i] / sum) < 1e-5f && fabsf(p[3 * i + 1] - best / sum) < 1e-5f);
        assert_true(fabsf(confidence[i] - p[3 * i + ours[i]]) < 1e-6f);
        seen[ours[i]]++;
    }
    assert_true((seen[0] > 0) + (seen[1] > 0) + (seen[2] > 0) >= 2); /* the comparison means something */
    icseg_result_close(&a);
    icseg_result_close(&b);
    icseg_model_close(&words);
    icseg_model_close(&single);
    icseg_image_close(&image);
}

static void uncertain_pixels_become_background(void **state) {
    (void)state;
    enum { W = 130, H = 70, THRESHOLD = 45 /* percent */ };
    icseg_image image = test_image(W, H, 2);
    icseg_model *plain = open_model(OPTIONS(NAMES("Background, wall, floor", "sky", "dog")));
    icseg_model *added =
        open_model(OPTIONS(NAMES("sky", "dog"), .background = "wall, floor", .threshold = THRESHOLD / 100.0));
    icseg_model *known = open_model(OPTIONS(NAMES("sky", "background", "dog"), .background = "wall, floor"));
    assert_int_equal(icseg_model_open_vocabulary_info(plain)->background, 0);
    assert_int_equal(icseg_model_open_vocabulary_info(added)->background, 0);
    assert_int_equal(icseg_model_open_vocabulary_info(added)->word_count, 4);
    assert_string_equal(icseg_model_class_names(added)[0], "background");
    assert_int_equal(icseg_model_open_vocabulary_info(known)->background, 1);
    assert_int_equal(icseg_model_config(known)->num_classes, 3);
    assert_null(icseg_model_open_vocabulary_info(NULL));
    for (int refine = 0; refine < 2; refine++) {
        icseg_eval_options eval = {ICSEG_EVAL_OPTIONS_INIT};
        OK(icseg_model_eval_options(added, &eval, &error));
        eval.refine = refine ? ICSEG_REFINE_PAMR : ICSEG_REFINE_NONE;
        icseg_result *all = run_eval(added, &image, PIXELS, &eval, 1);
        icseg_result *two = run_eval(added, &image, ICSEG_OUTPUT_LABELS | ICSEG_OUTPUT_CONFIDENCE, &eval, 1);
        const float *p = data_of(all, ICSEG_OUTPUT_PROBABILITIES), *c = data_of(two, ICSEG_OUTPUT_CONFIDENCE);
        const int16_t *a = data_of(all, ICSEG_OUTPUT_LABELS), *b = data_of(two, ICSEG_OUTPUT_LABELS);
        int uncertain = 0, others = 0;
        for (int i = 0; i < W * H; i++, p += 3) {
            int best = p[1] > p[0] ? 1 : 0;
            best = p[2] > p[best] ? 2 : best;
            if (fabsf(p[best] - THRESHOLD / 100.0f) < 1e-5f) continue; /* rounding decides */
            int expected = p[best] < THRESHOLD / 100.0f ? 0 : best;
            uncertain += best && !expected;
            others += expected != 0;
            assert_int_equal(a[i], expected);
            assert_int_equal(b[i], expected);
            assert_true(fabsf(c[i] - p[expected]) < 1e-5f);
        }
        assert_true(uncertain > 0 && others > 0);
        icseg_result_close(&all);
        icseg_result_close(&two);
    }
    icseg_model_close(&plain);
    icseg_model_close(&added);
    icseg_model_close(&known);
    icseg_image_close(&image);
}

/* -- refinement */

static int clamp(int i, int n) { return i < 0 ? 0 : i < n ? i : n - 1; }

/* Of one pixel, in double precision, by the definition. image (H, W, 3), weight (16) */
static void weigh(const float *image, int width, int height, int x, int y, double *weight) {
    double total = 0;
    for (int k = 0; k < 16; k++) weight[k] = 0;
    for (int c = 0; c < 3; c++) {
        double sample[18], mean = 0, variance = 0;
        int s = 0, k = 0;
        for (int d = 8; d <= 16; d += 8)
            for (int i = -d; i <= d; i += d)
                for (int j = -d; j <= d; j += d)
                    sample[s++] = image[(clamp(y + i, height) * width + clamp(x + j, width)) * 3 + c];
        for (s = 0; s < 18; s++) mean += sample[s] / 18;
        for (s = 0; s < 18; s++) variance += (sample[s] - mean) * (sample[s] - mean) / 17;
        for (s = 0; s < 18; s++)
            if (s != 4 && s != 13) weight[k++] -= fabs(sample[s] - sample[4]) / (1e-8 + 0.1 * sqrt(variance)) / 3;
    }
    for (int k = 0; k < 16; k++) total += weight[k] = exp(weight[k]);
    for (int k = 0; k < 16; k++) weight[k] /= total;
}

static void pamr_agrees_with_its_definition(void **state) {
    (void)state;
    static const int sizes[][2] = {{40, 33}, {7, 50}, {1, 3}, {64, 9}};
    for (size_t n = 0; n < sizeof sizes / sizeof *sizes; n++) {
        int width = sizes[n][0], height = sizes[n][1], pixels = width * height;
        float *image = icseg_alloc_array((size_t)pixels, 3 * sizeof *image);
        float *planes = icseg_alloc_array((size_t)pixels, 2 * sizeof *planes);
        float *other = icseg_alloc_array((size_t)pixels, 2 * sizeof *other);
        double *from = icseg_alloc_array((size_t)pixels, sizeof *from),
               *to = icseg_alloc_array((size_t)pixels, sizeof *to);
        assert_true(image && planes && other && from && to);
        for (int i = 0; i < 3 * pixels; i++) image[i] = sinf((float)i * 0.37f) + (i / 3 % width > width / 2 ? 2.0f : 0);
        for (int i = 0; i < 2 * pixels; i++) planes[i] = cosf((float)i * 0.11f);
        for (int i = 0; i < pixels; i++) from[i] = (double)planes[pixels + i];
        icseg_pamr pamr;
        OK(icseg_pamr_open(&pamr, image, height, width, &error));
        OK(icseg_pamr_run(&pamr, planes, other, 2, &error));
        for (int step = 0; step < 10; step++) {
            for (int y = 0; y < height; y++)
                for (int x = 0; x < width; x++) {
                    double weight[16], sum = 0;
                    int k = 0;
                    weigh(image, width, height, x, y, weight);
                    for (int d = 8; d <= 16; d += 8)
                        for (int i = -d; i <= d; i += d)
                            for (int j = -d; j <= d; j += d)
                                if (i || j)
                                    sum += weight[k++] * from[clamp(y + i, height) * width + clamp(x + j, width)];
                    to[y * width + x] = sum;
                }
            double *swap = from;
            from = to;
            to = swap;
        }
        for (int i = 0; i < pixels; i++) assert_true(fabs((double)planes[pixels + i] - from[i]) < 2e-5);
        icseg_pamr_close(&pamr);
        icseg_free(image);
        icseg_free(planes);
        icseg_free(other);
        icseg_free(from);
        icseg_free(to);
    }
}

static void refined_results_agree_with_each_other(void **state) {
    (void)state;
    enum { W = 120, H = 80 };
    icseg_image image = test_image(W, H, 4);
    icseg_model *model =
        open_model(OPTIONS(NAMES("sky", "road", "tree, bush", "dog", "a", "b", "c", "d", "e", "f, g")));
    icseg_eval_options eval = {ICSEG_EVAL_OPTIONS_INIT, .mode = ICSEG_EVAL_SLIDE, .crop_height = 48,
                               .crop_width = 64,        .stride_height = 32,      .stride_width = 32};
    icseg_result *unrefined = run_eval(model, &image, PIXELS, &eval, 1);
    eval.refine = ICSEG_REFINE_PAMR;
    icseg_result *all = run_eval(model, &image, PIXELS | ICSEG_OUTPUT_TOP_CLASSES, &eval, 1);
    icseg_result *labels = run_eval(model, &image, ICSEG_OUTPUT_LABELS | ICSEG_OUTPUT_CONFIDENCE, &eval, 1);
    icseg_result *threads = run_eval(model, &image, ICSEG_OUTPUT_LABELS | ICSEG_OUTPUT_CONFIDENCE, &eval, 1);
    const int16_t *a = data_of(all, ICSEG_OUTPUT_LABELS), *b = data_of(labels, ICSEG_OUTPUT_LABELS);
    const int16_t *top = data_of(all, ICSEG_OUTPUT_TOP_CLASSES);
    const float *c = data_of(all, ICSEG_OUTPUT_CONFIDENCE), *d = data_of(labels, ICSEG_OUTPUT_CONFIDENCE);
    const float *p = data_of(all, ICSEG_OUTPUT_PROBABILITIES), *q = data_of(unrefined, ICSEG_OUTPUT_PROBABILITIES);
    double changed = 0;
    for (int i = 0; i < W * H; i++) {
        double sum = 0;
        for (int k = 0; k < 10; k++) {
            sum += (double)p[10 * i + k];
            changed += fabs((double)p[10 * i + k] - (double)q[10 * i + k]);
        }
        assert_true(fabs(sum - 1) < 1e-5);
        assert_int_equal(top[2 * i], a[i]);
        assert_true(a[i] == b[i] || fabsf(p[10 * i + a[i]] - p[10 * i + b[i]]) < 1e-6f);
        assert_true(fabsf(c[i] - d[i]) < 1e-5f);
    }
    assert_true(changed > 1);
    assert_memory_equal(b, data_of(threads, ICSEG_OUTPUT_LABELS), W * H * sizeof *b);
    icseg_result_close(&unrefined);
    icseg_result_close(&all);
    icseg_result_close(&labels);
    icseg_result_close(&threads);
    icseg_model_close(&model);
    icseg_image_close(&image);
}

/* -- sizes */

/* An image whose sides are not multiples of the patch is resized to such, so that labels do not shift: its label map is
 * that of the resized image, upsampled. */
static void images_of_any_size_are_labelled(void **state) {
    (void)state;
    static const int32_t sizes[][2] = {{64, 48}, {71, 50}, {33, 200}, {1, 1}, {640, 31}};
    icseg_model *model = open_model(OPTIONS(NAMES("sky", "road", "tree")));
    icseg_eval_options whole = {ICSEG_EVAL_OPTIONS_INIT};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        icseg_image image = test_image(sizes[i][0], sizes[i][1], i), resized;
        int32_t width = (sizes[i][0] + 8) / 16 * 16, height = (sizes[i][1] + 8) / 16 * 16;
        width = width < 32 ? 32 : width;
        height = height < 32 ? 32 : height;
        OK(icseg_image_resize(&resized, &image, width, height, &error));
        icseg_result *a = run_eval(model, &image, ICSEG_OUTPUT_LOGITS | ICSEG_OUTPUT_LABELS, &whole, 1);
        icseg_result *b = run_eval(model, &resized, ICSEG_OUTPUT_LOGITS, &whole, 1);
        icseg_tensor x, y;
        OK(icseg_result_tensor(a, ICSEG_OUTPUT_LOGITS, &x, &error));
        OK(icseg_result_tensor(b, ICSEG_OUTPUT_LOGITS, &y, &error));
        assert_memory_equal(x.shape, y.shape, 4 * sizeof *x.shape);
        assert_int_equal(x.shape[1], height / 16);
        assert_memory_equal(x.data, y.data, (size_t)(x.shape[1] * x.shape[2] * x.shape[3]) * sizeof(float));
        icseg_result_close(&a);
        icseg_result_close(&b);
        a = run(model, &image, ICSEG_OUTPUT_LABELS); /* windows */
        icseg_result_close(&a);
        icseg_image_close(&image);
        icseg_image_close(&resized);
    }
    icseg_model_close(&model);
}

/* -- other encoders, the cache */

static void a_resnet_has_two_methods(void **state) {
    (void)state;
    const char *checkpoint = test_scratch("checkpoint.safetensors"), *clip = test_scratch("clip.safetensors");
    icseg_weights_convert_options openai = {ICSEG_WEIGHTS_CONVERT_OPTIONS_INIT, .naming = ICSEG_NAMING_OPENAI};
    icseg_model *model = test_model("tiny-resnet", 3, 1), *opened = NULL;
    OK(icseg_model_save(model, checkpoint, &error));
    OK(icseg_weights_convert(checkpoint, clip, &openai, NULL, &error));
    icseg_model_close(&model);
    icseg_image image = test_image(100, 70, 1);
    const icseg_open_method expected[] = {
        [ICSEG_OPEN_AUTO] = ICSEG_OPEN_MASKCLIP, ICSEG_OPEN_CLIP, ICSEG_OPEN_MASKCLIP};
    for (int method = ICSEG_OPEN_AUTO; method <= ICSEG_OPEN_MASKCLIP; method++) {
        model = open_model(OPTIONS_OF(clip, NAMES("sky", "dog"), .method = (icseg_open_method)method));
        assert_int_equal(icseg_model_open_vocabulary_info(model)->method, expected[method]);
        icseg_result *result = run(model, &image, PIXELS);
        icseg_result_close(&result);
        icseg_model_close(&model);
    }
    icseg_open_vocabulary_options options = OPTIONS_OF(clip, NAMES("sky", "dog"), .method = ICSEG_OPEN_NACLIP);
    assert_int_equal(icseg_model_open_vocabulary(&opened, &options, NULL, &error), ICSEG_ERROR_UNSUPPORTED);
    assert_non_null(strstr(error.message,
                           "naclip changes the last block of a vision transformer, but the image encoder "
                           "is a ResNet; use maskclip or clip"));
    options.weights = checkpoint;
    assert_int_equal(icseg_model_open_vocabulary(&opened, &options, NULL, &error), ICSEG_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "a segmentation model that was trained for its classes, not CLIP's weights"));
    assert_int_equal(icseg_model_open(&opened, clip, &error), ICSEG_ERROR_FORMAT);
    icseg_image_close(&image);
}

static void embeddings_come_from_the_cache(void **state) {
    (void)state;
    char folder[512];
    snprintf(folder, sizeof folder, "%s/cache", test_scratch_folder);
    icseg_open_vocabulary_options options = OPTIONS(NAMES("sky", "dog, hound"), .cache = folder);
    icseg_model *first = open_model(options), *second = open_model(options);
    icseg_image image = test_image(90, 60, 1);
    assert_false(icseg_model_open_vocabulary_info(first)->cached);
    assert_true(icseg_model_open_vocabulary_info(second)->cached);
    assert_non_null(strstr(icseg_model_open_vocabulary_info(second)->summary, "from the cache"));
    icseg_result *a = run(first, &image, PIXELS), *b = run(second, &image, PIXELS);
    assert_memory_equal(data_of(a, ICSEG_OUTPUT_PROBABILITIES), data_of(b, ICSEG_OUTPUT_PROBABILITIES),
                        90 * 60 * 2 * sizeof(float));
    icseg_result_close(&a);
    icseg_result_close(&b);
    icseg_model_close(&first);
    icseg_model_close(&second);
    icseg_image_close(&image);
    char command[600];
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    assert_int_equal(system(command), 0);
}

/* -- refusals */

static void refuses(icseg_open_vocabulary_options options, icseg_status status, const char *message) {
    icseg_model *model = (icseg_model *)1;
    icseg_status got = icseg_model_open_vocabulary(&model, &options, NULL, &error);
    if (got != status || !strstr(error.message, message)) fail_msg("%d, %s: expected %s", got, error.message, message);
    assert_null(model);
}

static void bad_input_is_refused(void **state) {
    (void)state;
    char name[400];
    memset(name, 'x', sizeof name);
    name[sizeof name - 1] = '\0';
    icseg_model *model;
    refuses(OPTIONS_OF(NULL, NAMES("a", "b")), ICSEG_ERROR_ARGUMENT, "weights is NULL");
    refuses(OPTIONS(.class_count = 0), ICSEG_ERROR_ARGUMENT, "class_names is empty");
    refuses(OPTIONS(NAMES("sky")), ICSEG_ERROR_ARGUMENT, "one class: every pixel would be \"sky\"");
    refuses(OPTIONS(NAMES("sky", "")), ICSEG_ERROR_ARGUMENT, "the name of class 1");
    refuses(OPTIONS(NAMES("sky", NULL)), ICSEG_ERROR_ARGUMENT, "class_names[1] is NULL");
    refuses(OPTIONS(NAMES("sky", "dog", "sky")), ICSEG_ERROR_ARGUMENT, "two classes are called \"sky\"");
    refuses(OPTIONS(NAMES("sky", name)), ICSEG_ERROR_ARGUMENT, "the name of class 1: ");
    refuses(OPTIONS(NAMES("a", "b"), .background = ""), ICSEG_ERROR_ARGUMENT, "the name of class 0");
    refuses(OPTIONS(NAMES("a", "b"), .threshold = 0.1), ICSEG_ERROR_ARGUMENT, "give words of the background");
    refuses(OPTIONS(NAMES("a", "b"), .background = "c", .threshold = 1.5), ICSEG_ERROR_ARGUMENT,
            "expected a probability");
    refuses(OPTIONS(NAMES("a", "b"), .threshold = (double)NAN), ICSEG_ERROR_ARGUMENT, "expected a probability");
    refuses(OPTIONS(NAMES("a", "b"), .logit_scale = -1), ICSEG_ERROR_ARGUMENT, "logit_scale is -1");
    refuses(OPTIONS(NAMES("a", "b"), .method = (icseg_open_method)99), ICSEG_ERROR_ARGUMENT, "not a value of");
    refuses(OPTIONS(NAMES("a", "b"), .threads = -1), ICSEG_ERROR_ARGUMENT, "threads");
    refuses(OPTIONS_OF("/nowhere", NAMES("a", "b")), ICSEG_ERROR_IO, "/nowhere");
    refuses(OPTIONS(NAMES("a", "b"), .templates = (const char *const[]){"x"}, .template_count = 1),
            ICSEG_ERROR_ARGUMENT, "{}");
    refuses((icseg_open_vocabulary_options){.struct_size = 3}, ICSEG_ERROR_ARGUMENT, "struct_size");
    assert_int_equal(icseg_model_open_vocabulary(NULL, NULL, NULL, &error), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_model_open_vocabulary(&model, NULL, NULL, &error), ICSEG_ERROR_ARGUMENT);
    assert_string_equal(icseg_open_method_name(ICSEG_OPEN_NACLIP), "naclip");
    assert_null(icseg_open_method_name((icseg_open_method)-1));
    assert_null(icseg_open_method_name((icseg_open_method)99));
}

static void what_needs_training_is_refused(void **state) {
    (void)state;
    icseg_model *model = open_model(OPTIONS(NAMES("sky", "dog")));
    icseg_calibrator *calibrator;
    icseg_calibrator_options calibrate = {ICSEG_CALIBRATOR_OPTIONS_INIT};
    icseg_session *session;
    icseg_image image = test_image(64, 64, 1);
    icseg_frame frame = {ICSEG_FRAME_RGB8, image.width, image.height, 0, image.data};
    icseg_batch batch = {ICSEG_BATCH_INIT, .count = 1, .frames = &frame};
    icseg_eval_options eval = {ICSEG_EVAL_OPTIONS_INIT};
    icseg_run_options how = {ICSEG_RUN_OPTIONS_INIT, .outputs = ICSEG_OUTPUT_IMAGE_EMBEDDING, .eval = &eval};
    icseg_result *result;
    assert_int_equal(icseg_model_save(model, test_scratch("x.safetensors"), &error), ICSEG_ERROR_UNSUPPORTED);
    assert_string_equal(error.message,
                        "an open-vocabulary model cannot be saved: it has CLIP's weights and no decoder");
    assert_int_equal(icseg_calibrator_open(&calibrator, model, &calibrate, &error), ICSEG_ERROR_UNSUPPORTED);
    icseg_session_options int8 = {ICSEG_SESSION_OPTIONS_INIT, .precision = ICSEG_PRECISION_INT8};
    assert_int_equal(icseg_session_open(&session, model, &int8, &error), ICSEG_ERROR_ARGUMENT);
    assert_string_equal(error.message,
                        "an open-vocabulary model cannot be calibrated, which int8 needs; use bf16 or bf16x2");
    assert_string_equal(error.field, "precision");
    OK(icseg_session_open(&session, model, NULL, &error));
    assert_int_equal(icseg_session_run(session, &batch, &how, &result, &error), ICSEG_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "icseg_classifier_embed"));
    how.outputs = ICSEG_OUTPUT_SCORES_4;
    assert_int_equal(icseg_session_run(session, &batch, &how, &result, &error), ICSEG_ERROR_ARGUMENT);
    how.outputs = ICSEG_OUTPUT_LABELS;
    eval.refine = ICSEG_REFINE_PAMR;
    eval.flip = true;
    assert_int_equal(icseg_session_run(session, &batch, &how, &result, &error), ICSEG_ERROR_ARGUMENT);
    assert_string_equal(error.field, "refine");
    icseg_session_close(&session);
    icseg_model_close(&model);
    icseg_image_close(&image);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_best_word_of_a_class_counts), cmocka_unit_test(uncertain_pixels_become_background),
        cmocka_unit_test(pamr_agrees_with_its_definition), cmocka_unit_test(refined_results_agree_with_each_other),
        cmocka_unit_test(images_of_any_size_are_labelled), cmocka_unit_test(a_resnet_has_two_methods),
        cmocka_unit_test(embeddings_come_from_the_cache),  cmocka_unit_test(bad_input_is_refused),
        cmocka_unit_test(what_needs_training_is_refused),
    };
    return cmocka_run_group_tests_name("open_vocabulary", tests, test_scratch_open, test_scratch_close);
}
