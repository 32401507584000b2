/* SPDX-License-Identifier: Apache-2.0
 * Running a model on images in memory: outputs against naive computations, formats and layouts against each other, bad
 * input, lifetimes, OpenMP settings of the host, several threads. */
#include <math.h>
#include <omp.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/memory.h"
#include "image/normalize.h"
#include "inference/session.h"
#include "support/models.h"

enum { K = 7, N = 3, W = 70, H = 50, PIXELS = W * H };

static icseg_error error;

static void ok(icseg_status status) {
    if (status != ICSEG_OK) fail_msg("%s", error.message);
}

static icseg_tensor tensor_of(const icseg_result *result, icseg_output output) {
    icseg_tensor t;
    ok(icseg_result_tensor(result, output, &t, &error));
    int64_t stride = (int64_t)icseg_tensor_type_size(t.type);
    for (int32_t i = t.rank - 1; i >= 0; i--) { /* dense, row-major */
        assert_int_equal(t.strides[i], stride);
        stride *= t.shape[i];
    }
    assert_ptr_equal(t.owner, result);
    return t;
}

static const float *floats(const icseg_result *result, icseg_output output) { return tensor_of(result, output).data; }
static const int16_t *classes(const icseg_result *result, icseg_output output) {
    return tensor_of(result, output).data;
}

static int64_t count_of(const icseg_tensor *t) {
    int64_t count = 1;
    for (int32_t i = 0; i < t->rank; i++) count *= t->shape[i];
    return count;
}

/* Whether a tensor has the same bits in both results. */
static bool same(const icseg_result *a, const icseg_result *b, icseg_output output) {
    icseg_tensor x = tensor_of(a, output), y = tensor_of(b, output);
    return count_of(&x) == count_of(&y) &&
           !memcmp(x.data, y.data, (size_t)count_of(&x) * icseg_tensor_type_size(x.type));
}

/* Runs on images of W x H. */
static icseg_result *run(icseg_session *session, const icseg_image *images, int32_t count, uint32_t outputs,
                         const icseg_eval_options *eval) {
    icseg_frame frames[N];
    icseg_batch batch = {ICSEG_BATCH_INIT, .count = count, .frames = frames};
    icseg_run_options options = {ICSEG_RUN_OPTIONS_INIT, .outputs = outputs, .top_k = 3, .eval = eval};
    icseg_result *result;
    for (int32_t i = 0; i < count; i++)
        frames[i] = (icseg_frame){ICSEG_FRAME_RGB8, images[i].width, images[i].height, 0, images[i].data};
    ok(icseg_session_run(session, &batch, &options, &result, &error));
    assert_int_equal(icseg_result_outputs(result), outputs);
    return result;
}

typedef struct fixture {
    icseg_model *model;
    icseg_session *session;
    icseg_image image[N];
} fixture;

static fixture open_fixture(const char *preset) {
    fixture f = {.model = test_model(preset, K, 3)};
    f.session = test_session(f.model, ICSEG_PRECISION_F32);
    for (int i = 0; i < N; i++) f.image[i] = test_image(W, H, (uint64_t)i + 1);
    return f;
}

static void close_fixture(fixture *f) {
    for (int i = 0; i < N; i++) icseg_image_close(&f->image[i]);
    icseg_session_close(&f->session);
    icseg_model_close(&f->model);
    assert_null(f->session);
}

/* -- outputs */

/* Softmax of logits (h, w, K) interpolated at a pixel with half-pixel centres. */
static void naive_probabilities(const float *logits, int64_t h, int64_t w, int y, int x, double *out) {
    double v = fmax(0, (y + 0.5) * (double)h / H - 0.5), u = fmax(0, (x + 0.5) * (double)w / W - 0.5);
    int64_t y0 = (int64_t)v, x0 = (int64_t)u, y1 = y0 + (y0 < h - 1), x1 = x0 + (x0 < w - 1);
    double sum = 0;
    v -= (double)y0;
    u -= (double)x0;
    for (int64_t k = 0; k < K; k++) {
        double top = (1 - u) * (double)logits[(y0 * w + x0) * K + k] + u * (double)logits[(y0 * w + x1) * K + k];
        double bottom = (1 - u) * (double)logits[(y1 * w + x0) * K + k] + u * (double)logits[(y1 * w + x1) * K + k];
        sum += out[k] = exp((1 - v) * top + v * bottom);
    }
    for (int64_t k = 0; k < K; k++) out[k] /= sum;
}

static void every_output_per_pixel_follows_from_the_logits(void **state) {
    fixture f = open_fixture("tiny-resnet");
    uint32_t outputs = ICSEG_OUTPUT_LABELS | ICSEG_OUTPUT_CONFIDENCE | ICSEG_OUTPUT_TOP_CLASSES |
                       ICSEG_OUTPUT_TOP_PROBABILITIES | ICSEG_OUTPUT_PROBABILITIES | ICSEG_OUTPUT_LOGITS;
    (void)state;
    icseg_result *r = run(f.session, f.image, N, outputs, NULL);
    icseg_tensor logits = tensor_of(r, ICSEG_OUTPUT_LOGITS), top = tensor_of(r, ICSEG_OUTPUT_TOP_CLASSES);
    assert_true(logits.rank == 4 && logits.shape[0] == N && logits.shape[3] == K);
    assert_true(llabs(logits.shape[1] - H / 4) <= 1 && llabs(logits.shape[2] - W / 4) <= 1);
    assert_true(top.rank == 4 && top.shape[1] == H && top.shape[2] == W && top.shape[3] == 3);
    const int16_t *label = classes(r, ICSEG_OUTPUT_LABELS), *best = top.data;
    const float *confidence = floats(r, ICSEG_OUTPUT_CONFIDENCE), *probability = floats(r, ICSEG_OUTPUT_PROBABILITIES);
    const float *top_probability = floats(r, ICSEG_OUTPUT_TOP_PROBABILITIES);
    int64_t h = logits.shape[1], w = logits.shape[2];
    for (int i = 0; i < N * PIXELS; i++) {
        double expected[K];
        naive_probabilities((const float *)logits.data + i / PIXELS * h * w * K, h, w, i % PIXELS / W, i % W, expected);
        for (int k = 0; k < K; k++)
            if (!(fabs(expected[k] - (double)probability[i * K + k]) < 5e-5))
                fail_msg("pixel %d: %g, expected %g", i, (double)probability[i * K + k], expected[k]);
        assert_int_equal(label[i], best[3 * i]);
        assert_true(confidence[i] == top_probability[3 * i]);
        for (int j = 0; j < 3; j++) {
            assert_true(top_probability[3 * i + j] == probability[i * K + best[3 * i + j]]);
            if (j > 0) assert_true(top_probability[3 * i + j] <= top_probability[3 * i + j - 1]);
            int larger = 0; /* classes with a larger probability: those before it in the list */
            for (int k = 0; k < K; k++) larger += probability[i * K + k] > top_probability[3 * i + j];
            assert_true(larger <= j);
        }
    }
    icseg_result_close(&r);
    assert_null(r);
    close_fixture(&f);
}

static void labels_alone_equal_those_of_predict(void **state) {
    fixture f = open_fixture("tiny-vit");
    uint32_t outputs = ICSEG_OUTPUT_LABELS | ICSEG_OUTPUT_CONFIDENCE;
    icseg_labels labels;
    float *confidence;
    (void)state;
    icseg_result *r = run(f.session, f.image, 1, outputs, NULL);
    ok(icseg_session_predict(f.session, &f.image[0], NULL, &labels, &confidence, &error));
    assert_memory_equal(labels.data, classes(r, ICSEG_OUTPUT_LABELS), PIXELS * sizeof(int16_t));
    assert_memory_equal(confidence, floats(r, ICSEG_OUTPUT_CONFIDENCE), PIXELS * sizeof(float));
    icseg_labels_close(&labels);
    icseg_buffer_free(confidence);
    icseg_result_close(&r);
    close_fixture(&f);
}

/* The outputs that are values of the network. */
static void outputs_of_the_network_equal_its_values(void **state) {
    static const char *const presets[] = {"tiny-resnet", "tiny-vit"};
    (void)state;
    for (int p = 0; p < 2; p++) {
        fixture f = open_fixture(presets[p]);
        const icseg_config *c = icseg_model_config(f.model);
        uint32_t outputs = ICSEG_OUTPUT_LOGITS | ICSEG_OUTPUT_CLASS_EMBEDDINGS | ICSEG_OUTPUT_IMAGE_EMBEDDING;
        for (int i = 0; i < ICSEG_LEVELS; i++) outputs |= c->align[i] ? (uint32_t)ICSEG_OUTPUT_SCORES_4 << i : 0;
        icseg_result *r = run(f.session, f.image, N, outputs, NULL);
        icseg_tensor text = tensor_of(r, ICSEG_OUTPUT_CLASS_EMBEDDINGS),
                     image = tensor_of(r, ICSEG_OUTPUT_IMAGE_EMBEDDING);
        assert_true(text.rank == 3 && text.shape[1] == K && text.shape[2] == c->embed_dim);
        assert_true(image.rank == 2 && image.shape[0] == N && image.shape[1] == c->embed_dim);
        for (int64_t i = 0; i < count_of(&image); i++) assert_true(isfinite(((const float *)image.data)[i]));
        assert_memory_not_equal(image.data, (const float *)image.data + c->embed_dim,
                                (size_t)c->embed_dim * sizeof(float)); /* one per image */
        for (int i = 0; i < ICSEG_LEVELS; i++) {
            if (!c->align[i]) continue;
            icseg_tensor score = tensor_of(r, (icseg_output)(ICSEG_OUTPUT_SCORES_4 << i));
            int64_t stride = 4 << i;
            assert_true(score.rank == 4 && score.shape[0] == N && score.shape[3] == K);
            assert_true(llabs(score.shape[1] - H / stride) <= 1 && llabs(score.shape[2] - W / stride) <= 1);
            for (int64_t j = 0; j < count_of(&score); j++) assert_true(fabsf(((const float *)score.data)[j]) < 1.0001f);
        }
        /* The same bits as a network that is run by hand. */
        float *input = icseg_alloc_array((size_t)N * PIXELS * 3, sizeof *input);
        for (int i = 0; i < N; i++) icseg_image_normalize(&f.image[i], input + (size_t)i * PIXELS * 3);
        icseg_network_options options;
        icseg_prepared_network *n;
        memset(&options, 0, sizeof options);
        options.batch = N;
        options.height = H;
        options.width = W;
        options.keep = ICSEG_KEEP_OUTPUTS | ICSEG_KEEP_EMBEDDING;
        ok(icseg_session_network(f.session, &options, &n, &error));
        icseg_executor_bind(n->executor, n->network.image, input);
        ok(icseg_executor_run(n->executor, 0, 0, &error));
        icseg_tensor logits = tensor_of(r, ICSEG_OUTPUT_LOGITS);
        const struct {
            const icseg_tensor *tensor;
            icseg_value value;
        } pairs[] = {{&logits, n->network.logits}, {&text, n->network.text}, {&image, n->network.embedding}};
        for (int i = 0; i < 3; i++)
            assert_memory_equal(pairs[i].tensor->data, icseg_executor_data(n->executor, pairs[i].value),
                                (size_t)count_of(pairs[i].tensor) * sizeof(float));
        icseg_free(input);
        icseg_result_close(&r);
        close_fixture(&f);
    }
}

static void windows_and_augmentation_have_all_outputs_per_pixel(void **state) {
    fixture f = open_fixture("tiny-resnet");
    icseg_eval_options eval = {ICSEG_EVAL_OPTIONS_INIT, .mode = ICSEG_EVAL_SLIDE, .crop_height = 40, .crop_width = 48};
    uint32_t outputs =
        ICSEG_OUTPUT_LABELS | ICSEG_OUTPUT_CONFIDENCE | ICSEG_OUTPUT_TOP_CLASSES | ICSEG_OUTPUT_PROBABILITIES;
    (void)state;
    eval.flip = true;
    eval.scale_count = 2;
    eval.scale[0] = 1;
    eval.scale[1] = 1.5;
    for (int augmented = 0; augmented < 2; augmented++) {
        if (!augmented) eval.scale_count = 0, eval.flip = false;
        if (augmented) eval.scale_count = 2, eval.flip = true;
        icseg_result *all = run(f.session, f.image, N, outputs, &eval);
        for (int n = 0; n < N; n++) {
            icseg_labels labels;
            float *confidence;
            ok(icseg_session_predict(f.session, &f.image[n], &eval, &labels, &confidence, &error));
            const int16_t *label = classes(all, ICSEG_OUTPUT_LABELS) + n * PIXELS;
            const float *sure = floats(all, ICSEG_OUTPUT_CONFIDENCE) + n * PIXELS;
            const float *probability = floats(all, ICSEG_OUTPUT_PROBABILITIES) + n * PIXELS * K;
            for (int i = 0; i < PIXELS; i++) {
                double sum = 0;
                for (int k = 0; k < K; k++) sum += (double)probability[i * K + k];
                assert_true(fabs(sum - 1) < 1e-5);
                assert_true(fabsf(sure[i] - confidence[i]) < 1e-4f);
                if (label[i] != labels.data[i]) assert_true(probability[i * K + label[i]] < 0.501f);
            }
            icseg_labels_close(&labels);
            icseg_buffer_free(confidence);
        }
        icseg_result_close(&all);
    }
    close_fixture(&f);
}

/* Only rounding differs between a batch and its images alone. */
static void a_batch_equals_its_images(void **state) {
    fixture f = open_fixture("tiny-resnet");
    icseg_eval_options resized = {ICSEG_EVAL_OPTIONS_INIT, .resize_short = 64};
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        const icseg_eval_options *eval = kind ? &resized : NULL;
        icseg_result *all = run(f.session, f.image, N, ICSEG_OUTPUT_PROBABILITIES, eval);
        for (int n = 0; n < N; n++) {
            icseg_result *one = run(f.session, &f.image[n], 1, ICSEG_OUTPUT_PROBABILITIES, eval);
            const float *a = floats(all, ICSEG_OUTPUT_PROBABILITIES) + (size_t)n * PIXELS * K;
            const float *b = floats(one, ICSEG_OUTPUT_PROBABILITIES);
            for (int i = 0; i < PIXELS * K; i++) assert_true(fabsf(a[i] - b[i]) < 1e-4f);
            icseg_result_close(&one);
        }
        icseg_result_close(&all);
    }
    close_fixture(&f);
}

/* -- formats, strides, layouts */

/* The image in a format, with padding after each row. */
static icseg_frame frame_of(const icseg_image *image, icseg_frame_format format, uint8_t *memory, size_t stride) {
    static const int size[] = {3, 3, 4, 4, 1}, red[] = {0, 2, 0, 2, 0};
    for (int32_t y = 0; y < image->height; y++)
        for (int32_t x = 0; x < image->width; x++) {
            const uint8_t *from = image->data + 3 * ((size_t)y * (size_t)image->width + (size_t)x);
            uint8_t *to = memory + (size_t)y * stride + (size_t)(x * size[format]);
            if (size[format] == 4) to[3] = (uint8_t)(x * y); /* alpha is ignored */
            to[red[format]] = from[0];
            if (size[format] == 1) continue;
            to[1] = from[1];
            to[2 - red[format]] = from[2];
        }
    return (icseg_frame){format, image->width, image->height, stride, memory};
}

static void formats_and_strides_are_the_same_image(void **state) {
    enum { STRIDE = 4 * W + 13 };
    static uint8_t memory[H * STRIDE];
    fixture f = open_fixture("tiny-resnet");
    icseg_eval_options kinds[] = {{ICSEG_EVAL_OPTIONS_INIT, .flip = true},
                                  {ICSEG_EVAL_OPTIONS_INIT, .resize_short = 40},
                                  {ICSEG_EVAL_OPTIONS_INIT, .mode = ICSEG_EVAL_SLIDE, .crop_height = 32}};
    icseg_frame frame;
    icseg_batch batch = {ICSEG_BATCH_INIT, .count = 1, .frames = &frame};
    icseg_image grey = test_image(W, H, 1);
    (void)state;
    for (int i = 0; i < PIXELS; i++) grey.data[3 * i + 1] = grey.data[3 * i + 2] = grey.data[3 * i];
    for (int kind = 0; kind < 3; kind++) {
        icseg_run_options options = {ICSEG_RUN_OPTIONS_INIT, .outputs = ICSEG_OUTPUT_PROBABILITIES,
                                     .eval = &kinds[kind]};
        for (int format = 0; format < ICSEG_FRAME_FORMATS; format++) {
            const icseg_image *image = format == ICSEG_FRAME_GREY8 ? &grey : &f.image[0];
            icseg_result *expected = run(f.session, image, 1, ICSEG_OUTPUT_PROBABILITIES, &kinds[kind]), *got;
            frame = frame_of(image, (icseg_frame_format)format, memory, STRIDE);
            ok(icseg_session_run(f.session, &batch, &options, &got, &error));
            if (!same(expected, got, ICSEG_OUTPUT_PROBABILITIES)) fail_msg("format %d, kind %d", format, kind);
            icseg_result_close(&expected);
            icseg_result_close(&got);
        }
    }
    icseg_image_close(&grey);
    close_fixture(&f);
}

static void tensors_are_the_same_image_in_any_layout(void **state) {
    static float nhwc[N * PIXELS * 3], nchw[N * 3 * PIXELS], turned[N * PIXELS * 3];
    fixture f = open_fixture("tiny-vit");
    icseg_tensor tensor;
    icseg_batch batch = {ICSEG_BATCH_INIT, .tensor = &tensor, .layout = ICSEG_LAYOUT_NHWC};
    icseg_run_options options = {ICSEG_RUN_OPTIONS_INIT, .outputs = ICSEG_OUTPUT_LOGITS};
    icseg_result *expected = run(f.session, f.image, N, ICSEG_OUTPUT_LOGITS, NULL), *got;
    (void)state;
    for (int n = 0; n < N; n++) icseg_image_normalize(&f.image[n], nhwc + (size_t)n * PIXELS * 3);
    for (int i = 0; i < N * PIXELS; i++)
        for (int c = 0; c < 3; c++) {
            nchw[(i / PIXELS * 3 + c) * PIXELS + i % PIXELS] = nhwc[3 * i + c];
            turned[(N * PIXELS - 1 - i) * 3 + c] = nhwc[3 * i + c];
        }
    for (int kind = 0; kind < 3; kind++) {
        if (kind == 0) ok(icseg_tensor_dense(&tensor, ICSEG_TENSOR_F32, 4, (int64_t[]){N, H, W, 3}, nhwc, &error));
        if (kind == 1) ok(icseg_tensor_dense(&tensor, ICSEG_TENSOR_F32, 4, (int64_t[]){N, 3, H, W}, nchw, &error));
        if (kind == 2) { /* negative strides */
            ok(icseg_tensor_dense(&tensor, ICSEG_TENSOR_F32, 4, (int64_t[]){N, H, W, 3}, turned, &error));
            for (int i = 0; i < 3; i++) tensor.strides[i] = -tensor.strides[i];
            tensor.data = turned + (N * PIXELS - 1) * 3;
        }
        batch.layout = kind == 1 ? ICSEG_LAYOUT_NCHW : ICSEG_LAYOUT_NHWC;
        ok(icseg_session_run(f.session, &batch, &options, &got, &error));
        if (!same(expected, got, ICSEG_OUTPUT_LOGITS)) fail_msg("kind %d", kind);
        icseg_result_close(&got);
    }
    icseg_result_close(&expected);
    close_fixture(&f);
}

static void prepare_builds_what_run_uses(void **state) {
    fixture f = open_fixture("tiny-resnet");
    icseg_run_options options = {ICSEG_RUN_OPTIONS_INIT, .outputs = ICSEG_OUTPUT_LABELS};
    (void)state;
    ok(icseg_session_prepare(f.session, 2, H, W, &options, &error));
    uint64_t uses = f.session->uses;
    const icseg_executor *executor = f.session->networks[0].executor;
    assert_non_null(executor);
    icseg_result *r = run(f.session, f.image, 2, ICSEG_OUTPUT_LABELS, NULL);
    assert_ptr_equal(f.session->networks[0].executor, executor);
    assert_null(f.session->networks[1].executor);
    assert_true(f.session->uses > uses);
    icseg_result_close(&r);
    close_fixture(&f);
}

static void the_cache_keeps_the_requested_number_of_networks(void **state) {
    fixture f = open_fixture("tiny-resnet");
    icseg_session_options options = {ICSEG_SESSION_OPTIONS_INIT, .threads = 1, .cached_networks = 2};
    icseg_session *session;
    icseg_labels labels;
    (void)state;
    ok(icseg_session_open(&session, f.model, &options, &error));
    assert_int_equal(icseg_session_threads(session), 1);
    for (int i = 0; i < 4; i++) {
        icseg_image image = test_image(40 + 8 * i, 40, 1);
        ok(icseg_session_predict(session, &image, NULL, &labels, NULL, &error));
        icseg_labels_close(&labels);
        icseg_image_close(&image);
    }
    assert_int_equal(session->network_count, 2);
    assert_int_equal(session->networks[0].options.width + session->networks[1].options.width, 56 + 64);
    icseg_session_close(&session);
    close_fixture(&f);
}

/* -- bad input */

static void refused(icseg_session *session, const icseg_batch *batch, const icseg_run_options *options,
                    const char *piece) {
    icseg_result *result = (icseg_result *)&error;
    error = (icseg_error){0};
    assert_int_equal(icseg_session_run(session, batch, options, &result, &error), ICSEG_ERROR_ARGUMENT);
    assert_null(result);
    if (!strstr(error.message, piece)) fail_msg("\"%s\" does not contain \"%s\"", error.message, piece);
}

static void invalid_frames_are_refused(void **state) {
    fixture f = open_fixture("tiny-resnet");
    static const uint8_t pixels[4 * 64 * 64];
    const icseg_frame good = {ICSEG_FRAME_RGBA8, 64, 64, 0, pixels};
    icseg_frame frames[2] = {good, good};
    icseg_batch batch = {ICSEG_BATCH_INIT, .count = 2, .frames = frames};
    (void)state;
#define BAD(FIELD, VALUE, PIECE)                                                                                       \
    do {                                                                                                               \
        frames[1].FIELD = VALUE;                                                                                       \
        refused(f.session, &batch, NULL, PIECE);                                                                       \
        assert_string_equal(error.field, "frames");                                                                    \
        frames[1] = good;                                                                                              \
    } while (0)
    BAD(data, NULL, "frames[1].data is NULL");
    BAD(width, 0, "frames[1] is 0x64");
    BAD(height, -5, "frames[1] is 64x-5");
    BAD(width, ICSEG_IMAGE_MAX_SIDE + 1, "frames[1] is 32769x64");
    BAD(format, (icseg_frame_format)17, "frames[1].format is 17");
    BAD(format, (icseg_frame_format)-1, "frames[1].format is -1");
    BAD(stride, 255, "frames[1].stride is 255 bytes: a row of 64 pixels takes 256");
    BAD(stride, SIZE_MAX, "frames[1].stride is 18446744073709551615 bytes: 64 such rows exceed the address space");
    BAD(stride, SIZE_MAX / 64, "exceed the address space");
    BAD(width, 63, "frames[1] is 63x64, but frames[0] is 64x64");
#undef BAD
    batch.count = 0;
    refused(f.session, &batch, NULL, "count is 0");
    batch.count = -1;
    refused(f.session, &batch, NULL, "count is -1");
    batch.count = 2;
    batch.frames = NULL;
    refused(f.session, &batch, NULL, "frames and tensor are NULL");
    batch.struct_size = 3;
    refused(f.session, &batch, NULL, "icseg_batch: struct_size is 3");
    refused(NULL, &batch, NULL, "session is NULL");
    refused(f.session, NULL, NULL, "batch is NULL");
    assert_int_equal(icseg_session_run(f.session, &batch, NULL, NULL, &error), ICSEG_ERROR_ARGUMENT);
    close_fixture(&f);
}

static void invalid_tensors_are_refused(void **state) {
    fixture f = open_fixture("tiny-resnet");
    static float data[3 * 64 * 64];
    icseg_tensor good, t;
    icseg_batch batch = {ICSEG_BATCH_INIT, .tensor = &t};
    icseg_run_options options = {ICSEG_RUN_OPTIONS_INIT};
    icseg_eval_options eval = {ICSEG_EVAL_OPTIONS_INIT, .resize_short = 64};
    (void)state;
    ok(icseg_tensor_dense(&good, ICSEG_TENSOR_F32, 4, (int64_t[]){1, 3, 64, 64}, data, &error));
#define BAD(FIELD, VALUE, PIECE)                                                                                       \
    do {                                                                                                               \
        t = good;                                                                                                      \
        t.FIELD = VALUE;                                                                                               \
        refused(f.session, &batch, NULL, PIECE);                                                                       \
    } while (0)
    BAD(rank, 3, "rank is 3: expected 4");
    BAD(rank, -1, "rank is -1");
    BAD(type, ICSEG_TENSOR_U8, "type must be F32");
    BAD(data, NULL, "data is NULL");
    BAD(shape[1], 4, "4 channels");
    BAD(shape[0], 0, "0 images");
    BAD(shape[0], -2, "-2 images");
    BAD(shape[2], 31, "64x31: expected sides of 32..32768");
    BAD(shape[3], 1 << 20, "1048576x64");
    BAD(strides[1], INT64_MAX, "strides exceed the address space");
    BAD(strides[2], INT64_MIN, "strides exceed the address space");
    t = good;
    const float values[] = {NAN, INFINITY, -INFINITY};
    for (int i = 0; i < 3; i++) {
        icseg_result *result = NULL;
        data[2 * 64 * 64 + 5 * 64 + 7] = values[i]; /* channel 2, row 5, column 7 */
        assert_int_equal(icseg_session_run(f.session, &batch, NULL, &result, &error), ICSEG_ERROR_NUMERIC);
        assert_non_null(strstr(error.message, "at image 0, row 5, column 7, channel 2"));
        assert_null(result);
    }
    data[2 * 64 * 64 + 5 * 64 + 7] = 0;
    BAD(strides[3], INT64_MAX / 63, "strides exceed the address space"); /* together with the others */
#undef BAD
    t = good;
    batch.layout = (icseg_image_layout)9;
    refused(f.session, &batch, NULL, "layout");
    batch.layout = ICSEG_LAYOUT_NHWC;
    refused(f.session, &batch, NULL, "64 channels");
    batch.layout = ICSEG_LAYOUT_NCHW;
    options.eval = &eval;
    refused(f.session, &batch, &options, "a tensor cannot be resized");
    assert_int_equal(icseg_tensor_dense(&t, ICSEG_TENSOR_F32, 9, (int64_t[]){1}, data, &error), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_tensor_dense(&t, ICSEG_TENSOR_F32, 0, (int64_t[]){1}, data, &error), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_tensor_dense(&t, ICSEG_TENSOR_F32, 1, (int64_t[]){0}, data, &error), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_tensor_dense(&t, (icseg_tensor_type)99, 1, (int64_t[]){1}, data, &error),
                     ICSEG_ERROR_ARGUMENT);
    assert_int_equal(
        icseg_tensor_dense(&t, ICSEG_TENSOR_F32, 3, (int64_t[]){INT32_MAX, INT32_MAX, INT32_MAX}, data, &error),
        ICSEG_ERROR_ARGUMENT);
    close_fixture(&f);
}

static void invalid_options_are_refused(void **state) {
    fixture f = open_fixture("tiny-resnet");
    icseg_frame frame = {ICSEG_FRAME_RGB8, W, H, 0, f.image[0].data};
    icseg_batch batch = {ICSEG_BATCH_INIT, .count = 1, .frames = &frame};
    icseg_eval_options flip = {ICSEG_EVAL_OPTIONS_INIT, .flip = true}, small = {.struct_size = 2};
    icseg_run_options o = {ICSEG_RUN_OPTIONS_INIT, .outputs = 1u << 20};
    icseg_session *session;
    icseg_session_cost cost = {.struct_size = 1};
    icseg_result *result;
    icseg_tensor tensor;
    (void)state;
    refused(f.session, &batch, &o, "outputs is 0x100000");
    o.outputs = ICSEG_OUTPUT_TOP_CLASSES;
    o.top_k = -1;
    refused(f.session, &batch, &o, "top_k is -1");
    o.top_k = 0;
    o.outputs = ICSEG_OUTPUT_LOGITS;
    o.eval = &flip;
    refused(f.session, &batch, &o, "one view of the whole image");
    o.outputs = ICSEG_OUTPUT_SCORES_4; /* the preset does not have one at stride 4 */
    o.eval = NULL;
    assert_false(icseg_model_config(f.model)->align[0]);
    refused(f.session, &batch, &o, "does not have a score map at stride 4");
    o.outputs = 0;
    o.eval = &small;
    refused(f.session, &batch, &o, "icseg_eval_options: struct_size is 2");
    o.struct_size = 0;
    refused(f.session, &batch, &o, "icseg_run_options: struct_size is 0");

    o = (icseg_run_options){ICSEG_RUN_OPTIONS_INIT, .outputs = ICSEG_OUTPUT_TOP_CLASSES, .top_k = 1000};
    ok(icseg_session_run(f.session, &batch, &o, &result, &error));
    assert_int_equal(tensor_of(result, ICSEG_OUTPUT_TOP_CLASSES).shape[3], K); /* limited by the number of classes */
    assert_int_equal(icseg_result_tensor(result, ICSEG_OUTPUT_LABELS, &tensor, &error), ICSEG_ERROR_ARGUMENT);
    assert_null(tensor.data);
    assert_int_equal(icseg_result_tensor(result, (icseg_output)3, &tensor, &error), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_result_tensor(NULL, ICSEG_OUTPUT_LABELS, &tensor, &error), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_result_tensor(result, ICSEG_OUTPUT_TOP_CLASSES, NULL, &error), ICSEG_ERROR_ARGUMENT);
    icseg_result_close(&result);
    icseg_result_close(&result);
    icseg_result_close(NULL);

    const icseg_session_options bad[] = {{ICSEG_SESSION_OPTIONS_INIT, .threads = -1},
                                         {ICSEG_SESSION_OPTIONS_INIT, .threads = 100000},
                                         {ICSEG_SESSION_OPTIONS_INIT, .precision = (icseg_precision)77},
                                         {ICSEG_SESSION_OPTIONS_INIT, .cached_networks = -1},
                                         {.struct_size = 7}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        session = f.session;
        assert_int_equal(icseg_session_open(&session, f.model, &bad[i], &error), ICSEG_ERROR_ARGUMENT);
        assert_null(session);
    }
    assert_int_equal(icseg_session_open(&session, NULL, NULL, &error), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_session_open(NULL, f.model, NULL, &error), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_session_cost_at(f.session, 1, 64, 64, &cost, &error), ICSEG_ERROR_ARGUMENT);
    cost.struct_size = sizeof cost;
    assert_int_equal(icseg_session_cost_at(f.session, 0, 64, 64, &cost, &error), ICSEG_ERROR_ARGUMENT);
    assert_string_equal(error.field, "count");
    assert_int_equal(icseg_session_cost_at(NULL, 1, 64, 64, &cost, &error), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_session_cost_at(f.session, 1, 64, 64, NULL, &error), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_session_prepare(NULL, 1, 64, 64, NULL, &error), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_session_prepare(f.session, 0, 64, 64, NULL, &error), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_session_prepare(f.session, 1, -4, 64, NULL, &error), ICSEG_ERROR_ARGUMENT);
    assert_string_equal(error.field, "height");
    icseg_labels labels;
    assert_int_equal(icseg_session_predict(NULL, &f.image[0], NULL, &labels, NULL, &error), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_session_predict(f.session, NULL, NULL, &labels, NULL, &error), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_session_predict(f.session, &f.image[0], NULL, NULL, NULL, &error), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_session_threads(NULL), 0);
    assert_null(icseg_session_model(NULL));
    assert_null(icseg_model_config(NULL));
    icseg_session_close(NULL);
    close_fixture(&f);
}

static void every_failed_allocation_is_reported(void **state) {
    fixture f = open_fixture("tiny-resnet");
    icseg_frame frames[2];
    icseg_batch batch = {ICSEG_BATCH_INIT, .count = 2, .frames = frames};
    icseg_run_options once = {ICSEG_RUN_OPTIONS_INIT, .outputs = ICSEG_OUTPUT_LABELS | ICSEG_OUTPUT_LOGITS};
    icseg_session_options single = {ICSEG_SESSION_OPTIONS_INIT, .threads = 1};
    icseg_eval_options flip = {ICSEG_EVAL_OPTIONS_INIT, .flip = true, .resize_short = 40};
    icseg_run_options many = {ICSEG_RUN_OPTIONS_INIT, .outputs = ICSEG_OUTPUT_TOP_CLASSES, .eval = &flip};
    (void)state;
    for (int i = 0; i < 2; i++) frames[i] = (icseg_frame){ICSEG_FRAME_RGB8, W, H, 0, f.image[i].data};
    for (int kind = 0; kind < 2; kind++) {
        icseg_status status = ICSEG_ERROR_MEMORY;
        for (int64_t n = 0; status != ICSEG_OK; n += 1 + n / 8) {
            icseg_session *session = NULL;
            icseg_result *result = NULL;
            icseg_memory_fail_after(n);
            status = icseg_session_open(&session, f.model, &single, &error);
            if (status == ICSEG_OK) status = icseg_session_run(session, &batch, kind ? &many : &once, &result, &error);
            icseg_memory_fail_after(-1);
            if (status != ICSEG_OK) {
                assert_int_equal(status, ICSEG_ERROR_MEMORY);
                assert_null(result);
            }
            if (status != ICSEG_OK && session) { /* the session must still work */
                ok(icseg_session_run(session, &batch, kind ? &many : &once, &result, &error));
            }
            icseg_result_close(&result);
            icseg_session_close(&session);
        }
    }
    close_fixture(&f);
}

/* -- lifetimes, threads */

typedef struct listener {
    int events, cancel_at; /* cancel_at: the event that cancels; 0: none */
    double done, total;
} listener;

static bool listen(void *user, const icseg_progress_event *event) {
    listener *l = user;
    assert_string_equal(event->stage, "predict");
    assert_true(event->done >= l->done && event->done <= event->total);
    l->done = event->done;
    l->total = event->total;
    return ++l->events != l->cancel_at;
}

/* Windows at two scales and mirrored: each window is reported, and each report can cancel. */
static void a_run_reports_its_windows_and_can_be_cancelled(void **state) {
    (void)state;
    fixture f = open_fixture("tiny-resnet");
    icseg_eval_options eval = {ICSEG_EVAL_OPTIONS_INIT, .mode = ICSEG_EVAL_SLIDE, .crop_height = 40, .crop_width = 48,
                               .scale_count = 2,        .scale = {1, 1.5},        .flip = true};
    icseg_frame frame = {ICSEG_FRAME_RGB8, W, H, 0, f.image[0].data};
    icseg_batch batch = {ICSEG_BATCH_INIT, .count = 1, .frames = &frame};
    listener l = {0};
    icseg_progress progress = {ICSEG_PROGRESS_INIT, .report = listen, .user = &l};
    icseg_run_options options = {ICSEG_RUN_OPTIONS_INIT, .eval = &eval, .progress = &progress};
    icseg_result *r;
    ok(icseg_session_run(f.session, &batch, &options, &r, &error));
    icseg_result_close(&r);
    int events = l.events;
    assert_true(l.done == l.total && l.total == events - 1 && events > 8);
    for (int at = 1; at <= events; at++) {
        l = (listener){.cancel_at = at};
        assert_int_equal(icseg_session_run(f.session, &batch, &options, &r, &error), ICSEG_ERROR_CANCELLED);
        assert_null(r);
        assert_int_equal(l.events, at);
    }
    options.eval = NULL; /* the whole image is one window */
    l = (listener){0};
    ok(icseg_session_run(f.session, &batch, &options, &r, &error));
    icseg_result_close(&r);
    assert_true(l.events == 2 && l.total == 1);
    l = (listener){.cancel_at = 1};
    assert_int_equal(icseg_session_run(f.session, &batch, &options, &r, &error), ICSEG_ERROR_CANCELLED);
    assert_string_equal(error.message, "stopped after 0 of 1 windows");
    progress.struct_size = 3;
    assert_int_equal(icseg_session_run(f.session, &batch, &options, &r, &error), ICSEG_ERROR_ARGUMENT);
    close_fixture(&f);
}

static void results_and_sessions_outlive_what_made_them(void **state) {
    fixture f = open_fixture("tiny-resnet");
    (void)state;
    icseg_result *before = run(f.session, f.image, 1, ICSEG_OUTPUT_PROBABILITIES, NULL);
    icseg_model_close(&f.model);
    icseg_result *after = run(f.session, f.image, 1, ICSEG_OUTPUT_PROBABILITIES, NULL); /* the session keeps it */
    icseg_session_close(&f.session);
    assert_true(same(before, after, ICSEG_OUTPUT_PROBABILITIES));
    icseg_result_close(&before);
    icseg_result_close(&after);
    close_fixture(&f);
}

static void the_hosts_openmp_settings_do_not_matter(void **state) {
    fixture f = open_fixture("tiny-resnet");
    icseg_session_options two = {ICSEG_SESSION_OPTIONS_INIT, .threads = 2};
    icseg_session *session;
    int inside = 0;
    (void)state;
    ok(icseg_session_open(&session, f.model, &two, &error));
    omp_set_num_threads(5);
    icseg_result *expected = run(session, f.image, 2, ICSEG_OUTPUT_PROBABILITIES, NULL);
    assert_int_equal(omp_get_max_threads(), 5);
    omp_set_num_threads(1);
    omp_set_dynamic(1);
    icseg_result *other = run(session, f.image, 2, ICSEG_OUTPUT_PROBABILITIES, NULL);
    assert_true(same(expected, other, ICSEG_OUTPUT_PROBABILITIES));
    assert_int_equal(omp_get_max_threads(), 1);
    assert_true(omp_get_dynamic());
    omp_set_dynamic(0);
    icseg_result_close(&other);
    icseg_result *results[2] = {NULL, NULL};
#pragma omp parallel num_threads(2)
    {
#pragma omp master
        inside = omp_in_parallel();
#pragma omp critical
        results[omp_get_thread_num()] = run(session, f.image, 2, ICSEG_OUTPUT_PROBABILITIES, NULL);
    }
    assert_true(inside);
    for (int i = 0; i < 2; i++) {
        assert_true(same(expected, results[i], ICSEG_OUTPUT_PROBABILITIES));
        icseg_result_close(&results[i]);
    }
    icseg_result_close(&expected);
    icseg_session_close(&session);
    omp_set_num_threads(2);
    close_fixture(&f);
}

typedef struct worker {
    icseg_model *model;
    const icseg_image *image;
    icseg_labels labels;
    float *confidence;
    icseg_status status;
    icseg_error error;
} worker;

static void *work(void *user) {
    worker *w = user;
    icseg_session *session = NULL;
    icseg_session_options options = {ICSEG_SESSION_OPTIONS_INIT, .threads = 1};
    w->status = icseg_session_open(&session, w->model, &options, &w->error);
    for (int i = 0; i < 2 && w->status == ICSEG_OK; i++) {
        icseg_labels_close(&w->labels);
        icseg_buffer_free(w->confidence);
        w->status = icseg_session_predict(session, w->image, NULL, &w->labels, &w->confidence, &w->error);
    }
    icseg_session_close(&session);
    return NULL;
}

/* The first thread loads and packs the weights. */
static void many_threads_share_one_model(void **state) {
    enum { THREADS = 4 };
    static const char *const presets[] = {"tiny-resnet", "tiny-vit"};
    (void)state;
    for (int p = 0; p < 2; p++) {
        fixture f = open_fixture(presets[p]);
        worker w[THREADS + 1] = {0};
        pthread_t thread[THREADS];
        for (int i = 0; i < THREADS; i++) {
            w[i] = (worker){.model = f.model, .image = &f.image[0]};
            assert_int_equal(pthread_create(&thread[i], NULL, work, &w[i]), 0);
        }
        for (int i = 0; i < THREADS; i++) pthread_join(thread[i], NULL);
        w[THREADS] = (worker){.model = f.model, .image = &f.image[0]};
        work(&w[THREADS]);
        for (int i = 0; i <= THREADS; i++) {
            if (w[i].status != ICSEG_OK) fail_msg("%s", w[i].error.message);
            assert_memory_equal(w[i].confidence, w[0].confidence, PIXELS * sizeof(float));
            assert_memory_equal(w[i].labels.data, w[0].labels.data, PIXELS * sizeof(int16_t));
        }
        for (int i = 0; i <= THREADS; i++) {
            icseg_labels_close(&w[i].labels);
            icseg_buffer_free(w[i].confidence);
        }
        close_fixture(&f);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_output_per_pixel_follows_from_the_logits),
        cmocka_unit_test(labels_alone_equal_those_of_predict),
        cmocka_unit_test(outputs_of_the_network_equal_its_values),
        cmocka_unit_test(windows_and_augmentation_have_all_outputs_per_pixel),
        cmocka_unit_test(a_batch_equals_its_images),
        cmocka_unit_test(formats_and_strides_are_the_same_image),
        cmocka_unit_test(tensors_are_the_same_image_in_any_layout),
        cmocka_unit_test(prepare_builds_what_run_uses),
        cmocka_unit_test(the_cache_keeps_the_requested_number_of_networks),
        cmocka_unit_test(invalid_frames_are_refused),
        cmocka_unit_test(invalid_tensors_are_refused),
        cmocka_unit_test(invalid_options_are_refused),
        cmocka_unit_test(every_failed_allocation_is_reported),
        cmocka_unit_test(a_run_reports_its_windows_and_can_be_cancelled),
        cmocka_unit_test(results_and_sessions_outlive_what_made_them),
        cmocka_unit_test(the_hosts_openmp_settings_do_not_matter),
        cmocka_unit_test(many_threads_share_one_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
