/* SPDX-License-Identifier: Apache-2.0
 * Explanations: maps against the outputs of a run and against naive computations, the choice of classes, colour scales,
 * two models, files, wrong options. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/memory.h"
#include "explain/entropy.h"
#include "explain/explainer.h"
#include "icseg/memory.h"
#include "support/models.h"
#include "support/scratch.h"

enum { K = 7, W = 101, H = 70, PIXELS = W * H };

static icseg_error error;

static void ok(icseg_status status) {
    if (status != ICSEG_OK) fail_msg("%s", error.message);
}

typedef struct fixture {
    icseg_model *model;
    icseg_session *session;
    icseg_image image;
} fixture;

static fixture open_fixture(const char *preset, const char *json, uint64_t seed) {
    fixture f = {.model = test_model_with(preset, json, K, seed), .image = test_image(W, H, 5)};
    f.session = test_session(f.model, ICSEG_PRECISION_F32);
    return f;
}

static void close_fixture(fixture *f) {
    icseg_image_close(&f->image);
    icseg_session_close(&f->session);
    icseg_model_close(&f->model);
}

static icseg_explainer *open_explainer(icseg_session *session, icseg_session *against) {
    icseg_explain_options options = {ICSEG_EXPLAIN_OPTIONS_INIT, .session = session, .against = against, .top = 3};
    icseg_explainer *e;
    ok(icseg_explainer_open(&e, &options, &error));
    return e;
}

/* Runs the model as an explainer does. */
static icseg_result *run(const fixture *f, uint32_t outputs) {
    icseg_frame frame = {ICSEG_FRAME_RGB8, W, H, 0, f->image.data};
    icseg_batch batch = {ICSEG_BATCH_INIT, .count = 1, .frames = &frame};
    icseg_run_options options = {ICSEG_RUN_OPTIONS_INIT, .outputs = outputs};
    icseg_result *result;
    ok(icseg_session_run(f->session, &batch, &options, &result, &error));
    return result;
}

static icseg_tensor tensor_of(const icseg_result *result, icseg_output output) {
    icseg_tensor t;
    ok(icseg_result_tensor(result, output, &t, &error));
    return t;
}

static const icseg_explain_map *find(const icseg_explanation *x, icseg_explain_kind kind, int32_t model, int32_t stride,
                                     int32_t index) {
    for (int32_t i = 0; i < x->map_count; i++) {
        const icseg_explain_map *m = &x->maps[i];
        if (m->kind == kind && m->model == model && m->stride == stride && m->index == index) return m;
    }
    return NULL;
}

static double mean_of(const float *values, int64_t count) {
    double sum = 0;
    for (int64_t i = 0; i < count; i++) sum += (double)values[i];
    return sum / (double)count;
}

/* -- pixels */

static void labels_and_confidence_are_those_of_a_run(void **state) {
    fixture f = open_fixture("tiny-resnet", "{}", 3);
    const icseg_explanation *x;
    (void)state;
    icseg_result *r = run(&f, ICSEG_OUTPUT_LABELS | ICSEG_OUTPUT_CONFIDENCE);
    icseg_explainer *e = open_explainer(f.session, NULL);
    ok(icseg_explainer_add(e, "a", &f.image, &x, &error));
    assert_int_equal(x->models, 1);
    assert_memory_equal(x->model[0].labels.data, tensor_of(r, ICSEG_OUTPUT_LABELS).data, PIXELS * sizeof(int16_t));
    const icseg_explain_map *map = find(x, ICSEG_EXPLAIN_CONFIDENCE, 0, 0, -1);
    assert_true(map->width == W && map->height == H && map->low == 0 && map->high == 1);
    assert_memory_equal(map->values, tensor_of(r, ICSEG_OUTPUT_CONFIDENCE).data, PIXELS * sizeof(float));
    assert_true(fabs(map->mean - mean_of(map->values, PIXELS)) < 1e-9);
    assert_true(fabs(map->mean - x->model[0].classes.confidence) < 1e-6);
    assert_null(find(x, ICSEG_EXPLAIN_LABELS, 0, 0, -1)->values);
    icseg_explainer_close(&e);
    icseg_result_close(&r);
    close_fixture(&f);
}

static void entropy_follows_from_the_probabilities(void **state) {
    fixture f = open_fixture("tiny-vit", "{}", 4);
    const icseg_explanation *x;
    (void)state;
    icseg_result *r = run(&f, ICSEG_OUTPUT_PROBABILITIES);
    const float *p = tensor_of(r, ICSEG_OUTPUT_PROBABILITIES).data;
    icseg_explainer *e = open_explainer(f.session, NULL);
    ok(icseg_explainer_add(e, "a", &f.image, &x, &error));
    const icseg_explain_map *map = find(x, ICSEG_EXPLAIN_ENTROPY, 0, 0, -1);
    double least = 1, most = 0;
    for (int i = 0; i < PIXELS; i++) {
        double expected = 0, value = (double)map->values[i];
        for (int k = 0; k < K; k++)
            if (p[i * K + k] > 0) expected -= (double)p[i * K + k] * log((double)p[i * K + k]) / log(K);
        if (!(fabs(value - expected) < 1e-4)) fail_msg("pixel %d: %g, expected %g", i, value, expected);
        least = fmin(least, value);
        most = fmax(most, value);
    }
    assert_true(most - least > 0.01);
    assert_true(fabs(x->model[0].entropy - mean_of(map->values, PIXELS)) < 1e-9);
    icseg_explainer_close(&e);
    icseg_result_close(&r);
    close_fixture(&f);
}

/* Equal logits, one certain class, and two equally probable classes of four. */
static void entropy_of_known_logits(void **state) {
    static float equal[] = {2, 2, 2, 2}, certain[] = {200, 0, 0, 0}, two[] = {90, -90, 90, -90};
    const int64_t shape[] = {1, 1, 1, 4}, single[] = {1, 1, 1, 1};
    icseg_tensor t;
    float out[6];
    (void)state;
    ok(icseg_tensor_dense(&t, ICSEG_TENSOR_F32, 4, shape, equal, &error));
    ok(icseg_explain_entropy(out, &t, 3, 2, 2, &error));
    for (int i = 0; i < 6; i++) assert_true(fabsf(out[i] - 1) < 1e-6f);
    t.data = certain;
    ok(icseg_explain_entropy(out, &t, 3, 2, 2, &error));
    assert_true(out[5] < 1e-6f);
    t.data = two;
    ok(icseg_explain_entropy(out, &t, 3, 2, 1, &error));
    assert_true(fabsf(out[5] - 0.5f) < 1e-6f);
    ok(icseg_tensor_dense(&t, ICSEG_TENSOR_F32, 4, single, equal, &error));
    ok(icseg_explain_entropy(out, &t, 3, 2, 1, &error));
    assert_true(out[0] == 0 && out[5] == 0);
}

/* -- scores */

static void score_maps_are_those_of_a_run(void **state) {
    fixture f = open_fixture("tiny-resnet", "{}", 3);
    const icseg_config *c = icseg_model_config(f.model);
    const icseg_explanation *x;
    const char *const names[] = {"class5", "class0"};
    icseg_explain_options options = {ICSEG_EXPLAIN_OPTIONS_INIT, .session = f.session, .classes = names,
                                     .class_count = 2};
    icseg_explainer *e;
    int levels = 0;
    (void)state;
    ok(icseg_explainer_open(&e, &options, &error));
    ok(icseg_explainer_add(e, "a", &f.image, &x, &error));
    for (int i = 0; i < ICSEG_LEVELS; i++) {
        assert_true((x->model[0].score_mean[i] != NULL) == c->align[i]);
        if (!c->align[i]) continue;
        icseg_output output = (icseg_output)(ICSEG_OUTPUT_SCORES_4 << i);
        icseg_result *r = run(&f, output);
        icseg_tensor t = tensor_of(r, output);
        int64_t positions = t.shape[1] * t.shape[2];
        const float *score = t.data;
        double low = 1, high = -1;
        for (int j = 0; j < 2; j++) {
            int32_t class = j ? 0 : 5;
            const icseg_explain_map *map = find(x, ICSEG_EXPLAIN_SCORE, 0, 4 << i, class);
            double sum = 0, largest = -1;
            assert_true(map->width == t.shape[2] && map->height == t.shape[1]);
            for (int64_t p = 0; p < positions; p++) {
                double value = (double)score[p * K + class];
                assert_true((double)map->values[p] == value);
                sum += value;
                largest = fmax(largest, value);
                low = fmin(low, value);
                high = fmax(high, value);
            }
            assert_true(fabs(map->mean - sum / (double)positions) < 1e-9 && map->largest == largest);
            assert_true(fabs(x->model[0].score_mean[i][class] - map->mean) < 1e-9);
            assert_true(x->model[0].score_largest[i][class] == largest);
        }
        const icseg_explain_map *first = find(x, ICSEG_EXPLAIN_SCORE, 0, 4 << i, 5);
        assert_true(first->low == low && first->high == high); /* of both classes */
        assert_true(first[1].index == 0 && first[1].low == low && first[1].high == high);
        assert_null(find(x, ICSEG_EXPLAIN_SCORE, 0, 4 << i, 1));
        icseg_result_close(&r);
        levels++;
    }
    assert_true(levels > 1);
    icseg_explainer_close(&e);
    close_fixture(&f);
}

static void classes_are_chosen_by_area_and_by_score(void **state) {
    fixture f = open_fixture("tiny-resnet", "{}", 3);
    const icseg_explanation *x;
    (void)state;
    icseg_explainer *e = open_explainer(f.session, NULL); /* three classes: two by area, one by score */
    ok(icseg_explainer_add(e, "a", &f.image, &x, &error));
    const icseg_labels_summary *area = &x->model[0].classes;
    assert_true(area->count > 2);
    double best = -2;
    int32_t expected[] = {area->classes[0].index, area->classes[1].index, -1};
    for (int32_t k = 0; k < K; k++)
        for (int i = 0; i < ICSEG_LEVELS; i++) {
            if (!x->model[0].score_largest[i] || k == expected[0] || k == expected[1]) continue;
            if (x->model[0].score_largest[i][k] > best) {
                best = x->model[0].score_largest[i][k];
                expected[2] = k;
            }
        }
    for (int32_t i = 0, shown = 0; i < x->map_count; i++) {
        if (x->maps[i].kind != ICSEG_EXPLAIN_SCORE) continue;
        assert_int_equal(x->maps[i].index, expected[shown++ % 3]);
    }
    icseg_explainer_close(&e);
    close_fixture(&f);
}

/* -- attention */

/* Sums to 1 with the global token, and differs between tokens. The rest of the network computes the same. */
static void check_attention(const char *preset, const char *json, int32_t width, int32_t height) {
    fixture f = open_fixture(preset, json, 3);
    const icseg_explanation *x;
    icseg_explainer *e = open_explainer(f.session, NULL);
    ok(icseg_explainer_add(e, "a", &f.image, &x, &error));
    int32_t tokens = icseg_model_config(f.model)->prompt_tokens, positions = width * height;
    double high = 0;
    assert_true(tokens > 1);
    icseg_result *r = run(&f, ICSEG_OUTPUT_PROMPT_ATTENTION | ICSEG_OUTPUT_LOGITS),
                 *plain = run(&f, ICSEG_OUTPUT_LOGITS);
    icseg_tensor t = tensor_of(r, ICSEG_OUTPUT_PROMPT_ATTENTION), logits = tensor_of(r, ICSEG_OUTPUT_LOGITS);
    assert_true(t.rank == 4 && t.shape[1] == tokens && t.shape[2] == height && t.shape[3] == width);
    assert_memory_equal(logits.data, tensor_of(plain, ICSEG_OUTPUT_LOGITS).data,
                        (size_t)(logits.shape[1] * logits.shape[2] * K) * sizeof(float));
    for (int32_t i = 0; i < tokens; i++) {
        const icseg_explain_map *map = find(x, ICSEG_EXPLAIN_ATTENTION, 0, 0, i);
        assert_true(map->width == width && map->height == height);
        assert_memory_equal(map->values, (const float *)t.data + i * positions, (size_t)positions * sizeof(float));
        assert_true(map->global_share > 0 && map->global_share < 1);
        assert_true(fabs(map->global_share + map->mean * positions - 1) < 1e-6);
        if (i) assert_memory_not_equal(map->values, map[-1].values, (size_t)positions * sizeof(float));
        high = fmax(high, map->largest);
    }
    assert_true(find(x, ICSEG_EXPLAIN_ATTENTION, 0, 0, 0)->high == high);
    icseg_result_close(&r);
    icseg_result_close(&plain);
    icseg_explainer_close(&e);
    close_fixture(&f);
}

static void attention_of_a_token_sums_to_one(void **state) {
    (void)state;
    check_attention("tiny-resnet", "{\"prompt_layers\": 2}", W / 32, H / 32);
    check_attention("tiny-vit", "{}", W / 16, H / 16);
    check_attention("tiny-vit", "{\"prompt_source\": \"regions\", \"prompt_region\": 2}", W / 32, H / 32);
}

/* Queries that are zero take the same from every position and from the global token. */
static void attention_is_that_of_the_last_layer_to_the_image(void **state) {
    static const char *const names[] = {"prompt.layers.1.cross_attn.q_proj.weight", /* the one that counts */
                                        "prompt.layers.0.cross_attn.q_proj.weight",
                                        "prompt.layers.1.self_attn.q_proj.weight"};
    enum { POSITIONS = (W / 16) * (H / 16) };
    (void)state;
    for (int i = 0; i < 3; i++) {
        fixture f = open_fixture("tiny-vit", "{\"prompt_layers\": 2}", 3);
        icseg_param *p = icseg_params_find(f.model->params, names[i]);
        const icseg_explanation *x;
        assert_non_null(p);
        for (int64_t j = 0; j < p->count; j++) p->data[j] = 0;
        p->version++;
        icseg_explainer *e = open_explainer(f.session, NULL);
        ok(icseg_explainer_add(e, "a", &f.image, &x, &error));
        const icseg_explain_map *map = find(x, ICSEG_EXPLAIN_ATTENTION, 0, 0, 0);
        bool uniform = fabs(map->global_share - 1.0 / (POSITIONS + 1)) < 1e-5;
        for (int j = 0; j < POSITIONS; j++) uniform &= fabsf(map->values[j] - 1.0f / (POSITIONS + 1)) < 1e-5f;
        assert_int_equal(uniform, i == 0);
        icseg_explainer_close(&e);
        close_fixture(&f);
    }
}

/* 101 x 70 pixels: a grid of 6 x 4 patches, of which regions of 3 x 3 cover 6 x 3. */
static void regions_cover_a_part_of_the_image(void **state) {
    fixture f = open_fixture("tiny-vit", "{\"prompt_source\": \"regions\", \"prompt_region\": 3}", 3);
    const icseg_explanation *x;
    (void)state;
    icseg_explainer *e = open_explainer(f.session, NULL);
    ok(icseg_explainer_add(e, "a", &f.image, &x, &error));
    const icseg_explain_map *map = find(x, ICSEG_EXPLAIN_ATTENTION, 0, 0, 0);
    assert_true(map->width == 2 && map->height == 1);
    assert_true(map->covers_width == 1 && map->covers_height == 0.75);
    icseg_explainer_close(&e);
    close_fixture(&f);
}

/* The graph that fails has maps of no size, which regions divide. */
static void lack_of_memory_is_reported(void **state) {
    fixture f = open_fixture("tiny-vit", "{\"prompt_source\": \"regions\", \"prompt_region\": 3}", 3);
    icseg_status status = ICSEG_ERROR_MEMORY;
    int failures = 0;
    (void)state;
    for (int64_t n = 0; status != ICSEG_OK; n += 1 + n / 20, failures++) {
        icseg_session *session = test_session(f.model, ICSEG_PRECISION_F32); /* without networks */
        icseg_explainer *e = open_explainer(session, NULL);
        icseg_memory_fail_after(n);
        status = icseg_explainer_add(e, "a", &f.image, NULL, &error);
        icseg_memory_fail_after(-1);
        if (status != ICSEG_OK) assert_int_equal(status, ICSEG_ERROR_MEMORY);
        icseg_explainer_close(&e);
        icseg_session_close(&session);
    }
    assert_true(failures > 50);
    close_fixture(&f);
}

static void models_without_such_prompts_have_no_attention(void **state) {
    static const char *const json[] = {"{\"prompt\": \"static\"}", "{\"prompt\": \"template\"}",
                                       "{\"prompt_source\": \"global\"}"};
    (void)state;
    for (int i = 0; i < 3; i++) {
        fixture f = open_fixture("tiny-resnet", json[i], 3);
        const icseg_explanation *x;
        icseg_frame frame = {ICSEG_FRAME_RGB8, W, H, 0, f.image.data};
        icseg_batch batch = {ICSEG_BATCH_INIT, .count = 1, .frames = &frame};
        icseg_run_options options = {ICSEG_RUN_OPTIONS_INIT, .outputs = ICSEG_OUTPUT_PROMPT_ATTENTION};
        icseg_result *result;
        icseg_explainer *e = open_explainer(f.session, NULL);
        ok(icseg_explainer_add(e, "a", &f.image, &x, &error));
        assert_null(find(x, ICSEG_EXPLAIN_ATTENTION, 0, 0, 0));
        assert_int_equal(icseg_session_run(f.session, &batch, &options, &result, &error), ICSEG_ERROR_ARGUMENT);
        assert_null(result);
        assert_string_equal(error.field, "outputs");
        icseg_explainer_close(&e);
        close_fixture(&f);
    }
}

/* -- two models */

static void two_models_have_common_scales(void **state) {
    fixture a = open_fixture("tiny-resnet", "{}", 3),
            b = open_fixture("tiny-resnet", "{\"prompt\": \"static\", \"align_strides\": [32]}", 9);
    const icseg_explanation *x;
    int32_t pairs = 0;
    (void)state;
    icseg_explainer *e = open_explainer(a.session, b.session);
    ok(icseg_explainer_add(e, "a", &a.image, &x, &error));
    assert_int_equal(x->models, 2);
    icseg_result *r = run(&b, ICSEG_OUTPUT_LABELS);
    assert_memory_equal(x->model[1].labels.data, tensor_of(r, ICSEG_OUTPUT_LABELS).data, PIXELS * sizeof(int16_t));
    double low = 1, high = -1, low_of[2] = {1, 1};
    for (int32_t i = 0; i < x->map_count; i++) {
        const icseg_explain_map *m = &x->maps[i];
        if (m->kind != ICSEG_EXPLAIN_SCORE || m->stride != 32) continue;
        pairs += m->model && m[-1].index == m->index && !m[-1].model;
        for (int p = 0; p < m->width * m->height; p++) {
            low = fmin(low, (double)m->values[p]);
            low_of[m->model] = fmin(low_of[m->model], (double)m->values[p]);
            high = fmax(high, (double)m->values[p]);
        }
    }
    assert_int_equal(pairs, 3);
    assert_true(low_of[0] != low_of[1]);
    for (int32_t i = 0; i < x->map_count; i++)
        if (x->maps[i].stride == 32) assert_true(x->maps[i].low == low && x->maps[i].high == high);
    assert_string_equal(find(x, ICSEG_EXPLAIN_LABELS, 1, 0, -1)->file, "a_against_labels.png");
    icseg_result_close(&r);
    icseg_explainer_close(&e);
    close_fixture(&a);
    close_fixture(&b);
}

/* -- files */

static char *read_page(const char *path) {
    unsigned char *text;
    size_t size;
    ok(icseg_file_read(path, 1 << 26, &text, &size, &error));
    char *page = icseg_alloc(size + 1);
    memcpy(page, text, size);
    page[size] = '\0';
    icseg_free(text);
    return page;
}

static void maps_are_files_of_the_size_of_the_image(void **state) {
    fixture f = open_fixture("tiny-resnet", "{}", 3);
    const icseg_explanation *x;
    (void)state;
    icseg_explainer *e = open_explainer(f.session, NULL);
    assert_int_equal(icseg_explainer_write_maps(e, test_scratch_folder, &error), ICSEG_ERROR_ARGUMENT);
    ok(icseg_explainer_add(e, "b/a", &f.image, &x, &error));
    ok(icseg_explainer_write_maps(e, test_scratch_folder, &error));
    for (int32_t i = 0; i < x->map_count; i++) {
        int32_t width, height;
        ok(icseg_image_read_size(&width, &height, test_scratch(x->maps[i].file), &error));
        assert_true(width == W && height == H);
        for (int32_t j = 0; j < i; j++) assert_string_not_equal(x->maps[i].file, x->maps[j].file);
    }
    assert_string_equal(x->maps[0].file, "b_a_labels.png");
    assert_int_equal(icseg_explainer_write_maps(e, "no/such/folder", &error), ICSEG_ERROR_IO);
    icseg_explainer_close(&e);
    close_fixture(&f);
}

/* A picture of one value has the colour of this value: the ends and the middle of the scale. */
static void colours_follow_the_scale(void **state) {
    static const struct {
        float value;
        uint8_t rgb[3];
    } cases[] = {{-1, {0x44, 0x01, 0x54}}, {1, {0x21, 0x91, 0x8c}}, {3, {0xfd, 0xe7, 0x25}}};
    icseg_image image = test_image(5, 4, 1);
    (void)state;
    for (int i = 0; i < 3; i++) {
        icseg_explain_map map = {.kind = ICSEG_EXPLAIN_ENTROPY,
                                 .width = 1,
                                 .height = 1,
                                 .values = &cases[i].value,
                                 .low = -1,
                                 .high = 3,
                                 .covers_width = 1,
                                 .covers_height = 1};
        icseg_image out;
        ok(icseg_explain_draw(&out, &image, &map, &error));
        for (int p = 0; p < 20; p++) assert_memory_equal(out.data + 3 * p, cases[i].rgb, 3);
        icseg_image_close(&out);
        map.covers_width = 0.4; /* the rest is the image in grey */
        ok(icseg_explain_draw(&out, &image, &map, &error));
        assert_memory_equal(out.data + 3, cases[i].rgb, 3);
        const uint8_t *rest = out.data + 6;
        assert_true(rest[0] == rest[1] && rest[1] == rest[2]);
        icseg_image_close(&out);
    }
    icseg_image_close(&image);
}

static void a_page_has_all_images_and_escapes_names(void **state) {
    fixture f = open_fixture("tiny-resnet", "{\"prompt\": \"static\"}", 3);
    icseg_explain_options options = {ICSEG_EXPLAIN_OPTIONS_INIT, .session = f.session, .title = "x<y", .name = "a&b",
                                     .top = 1};
    icseg_explainer *e;
    (void)state;
    ok(icseg_explainer_open(&e, &options, &error));
    ok(icseg_explainer_add(e, "first", &f.image, NULL, &error));
    ok(icseg_explainer_add(e, "sec<ond", &f.image, NULL, &error));
    const char *path = test_scratch("page.html");
    ok(icseg_explainer_write_page(e, path, &error));
    char *page = read_page(path);
    assert_non_null(strstr(page, "<h1>x&lt;y</h1>"));
    assert_non_null(strstr(page, "<h2>first</h2>"));
    assert_non_null(strstr(page, "<h2>sec&lt;ond</h2>"));
    assert_non_null(strstr(page, "a&amp;b: nothing to show, because its prompts are the same for all images"));
    assert_non_null(strstr(page, "</html>"));
    assert_null(strstr(page, "http://"));
    assert_null(strstr(page, "https://"));
    icseg_free(page);
    assert_int_equal(icseg_explainer_write_page(e, "no/such/folder/page.html", &error), ICSEG_ERROR_IO);
    icseg_explainer_close(&e);
    close_fixture(&f);
}

static void a_model_without_score_maps_is_explained(void **state) {
    fixture f =
        open_fixture("tiny-resnet", "{\"prompt\": \"template\", \"align_strides\": [], \"contrast_weight\": 0}", 3);
    const icseg_explanation *x;
    (void)state;
    icseg_explainer *e = open_explainer(f.session, NULL);
    ok(icseg_explainer_add(e, "a", &f.image, &x, &error));
    assert_int_equal(x->map_count, 3);
    const char *path = test_scratch("plain.html");
    ok(icseg_explainer_write_page(e, path, &error));
    char *page = read_page(path);
    assert_non_null(strstr(page, "does not have score maps"));
    icseg_free(page);
    icseg_explainer_close(&e);
    close_fixture(&f);
}

/* -- wrong options */

static void refused(const icseg_explain_options *options, const char *field, const char *text) {
    icseg_explainer *e = (void *)1;
    assert_int_equal(icseg_explainer_open(&e, options, &error), ICSEG_ERROR_ARGUMENT);
    assert_null(e);
    assert_string_equal(error.field, field);
    if (!strstr(error.message, text)) fail_msg("%s: expected %s", error.message, text);
}

static void wrong_options_are_refused(void **state) {
    fixture f = open_fixture("tiny-resnet", "{}", 3);
    icseg_model *fewer = test_model("tiny-resnet", K - 1, 3);
    const char *const others[] = {"class0", "class1", "class2", "class3", "class4", "class6", "class5"};
    icseg_model *swapped = test_model_of("tiny-resnet", K, others, NULL, 3);
    icseg_session *few = test_session(fewer, ICSEG_PRECISION_F32), *swap = test_session(swapped, ICSEG_PRECISION_F32);
    const char *const unknown[] = {"class0", "clas3"}, *const twice[] = {"class1", "class1"};
    icseg_explain_options o = {ICSEG_EXPLAIN_OPTIONS_INIT};
    (void)state;
    refused(&o, "", "session is NULL");
    o.session = f.session;
    o.against = few;
    refused(&o, "against", "the second model has 6 classes, but the first has 7");
    o.against = swap;
    refused(&o, "against", "class 5 of the second model is \"class6\", but that of the first is \"class5\"");
    o.against = NULL;
    o.classes = unknown;
    o.class_count = 2;
    refused(&o, "classes", "\"clas3\" is not a class of the model; did you mean class3?");
    o.classes = twice;
    refused(&o, "classes", "\"class1\" is given twice");
    o.classes = NULL;
    refused(&o, "class_count", "classes is NULL");
    o.class_count = 0;
    o.top = -1;
    refused(&o, "top", "top is -1: expected 0 to 1000");
    icseg_session_close(&few);
    icseg_session_close(&swap);
    icseg_model_close(&fewer);
    icseg_model_close(&swapped);
    close_fixture(&f);
}

static void a_failed_image_leaves_the_page_as_it_was(void **state) {
    fixture f = open_fixture("tiny-resnet", "{}", 3);
    const icseg_explanation *x = (void *)1;
    icseg_image empty = {0};
    (void)state;
    icseg_explainer *e = open_explainer(f.session, NULL);
    ok(icseg_explainer_add(e, "good", &f.image, NULL, &error));
    size_t size = e->page.size;
    assert_int_equal(icseg_explainer_add(e, "bad", &empty, &x, &error), ICSEG_ERROR_ARGUMENT);
    assert_null(x);
    assert_int_equal(icseg_explainer_add(e, "", &f.image, &x, &error), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(e->page.size, size);
    icseg_explainer_close(&e);
    close_fixture(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels_and_confidence_are_those_of_a_run),
        cmocka_unit_test(entropy_follows_from_the_probabilities),
        cmocka_unit_test(entropy_of_known_logits),
        cmocka_unit_test(score_maps_are_those_of_a_run),
        cmocka_unit_test(classes_are_chosen_by_area_and_by_score),
        cmocka_unit_test(attention_of_a_token_sums_to_one),
        cmocka_unit_test(attention_is_that_of_the_last_layer_to_the_image),
        cmocka_unit_test(regions_cover_a_part_of_the_image),
        cmocka_unit_test(lack_of_memory_is_reported),
        cmocka_unit_test(models_without_such_prompts_have_no_attention),
        cmocka_unit_test(two_models_have_common_scales),
        cmocka_unit_test(maps_are_files_of_the_size_of_the_image),
        cmocka_unit_test(colours_follow_the_scale),
        cmocka_unit_test(a_page_has_all_images_and_escapes_names),
        cmocka_unit_test(a_model_without_score_maps_is_explained),
        cmocka_unit_test(wrong_options_are_refused),
        cmocka_unit_test(a_failed_image_leaves_the_page_as_it_was),
    };
    return cmocka_run_group_tests_name("explanations", tests, test_scratch_open, test_scratch_close);
}
