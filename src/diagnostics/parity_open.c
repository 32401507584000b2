/* SPDX-License-Identifier: Apache-2.0
 * Parity of segmentation without training. Methods run through sessions, as a caller's model does. */
#include "diagnostics/parity_open.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"
#include "base/progress.h"
#include "diagnostics/parity_result.h"
#include "icseg/open_vocabulary.h"
#include "icseg/session.h"
#include "model/model.h"
#include "weights/weights.h"

enum { MAX_WORDS = 4096 };

typedef struct check {
    const icseg_safetensors *file;
    const char *path;
    const icseg_parity_options *options;
    icseg_parity_result *result;
    icseg_arena *arena;
    icseg_weights *weights;
    icseg_weights_report report;
    icseg_config config;
    icseg_tokens *tokens; /* (classes) */
    float *text;          /* (classes, embed_dim) */
    icseg_tensor image;   /* (B, 3, H, W) */
} check;

bool icseg_parity_is_open(const icseg_safetensors *file) {
    return icseg_safetensors_metadata(file, "tokens") && icseg_safetensors_find(file, "expected.text");
}

/* -- the fixture */

/* A tensor as floats, in the arena; NULL if the file does not have it. */
static icseg_status read_tensor(const check *c, const char *name, icseg_shape *shape, float **out, icseg_error *error) {
    const icseg_safetensors_entry *entry = icseg_safetensors_find(c->file, name);
    *out = NULL;
    if (!entry) return ICSEG_OK;
    size_t count = (size_t)icseg_shape_count(entry->shape);
    *shape = entry->shape;
    *out = icseg_arena_array(c->arena, count, sizeof **out);
    if (!*out) return icseg_fail_memory_in(error, count * sizeof **out, name);
    return icseg_safetensors_read(c->file, entry, 0, count, *out, error);
}

static icseg_status shape_error(const check *c, const char *name, icseg_shape shape, icseg_error *error) {
    char text[ICSEG_SHAPE_TEXT];
    return icseg_fail(error, ICSEG_ERROR_SHAPE, "%s: tensor %s has an unexpected shape %s", c->path, name,
                      icseg_shape_text(shape, text, sizeof text));
}

static icseg_status read_ids(const check *c, const json_t *list, icseg_tokens *out, icseg_error *error) {
    size_t count = json_array_size(list);
    int32_t *ids = icseg_arena_array(c->arena, count + 1, sizeof *ids);
    if (!ids) return icseg_fail_memory_in(error, count * sizeof *ids, c->path);
    for (size_t i = 0; i < count; i++) {
        json_int_t id = json_integer_value(json_array_get(list, i));
        if (!json_is_integer(json_array_get(list, i)) || id < 0 || id >= c->config.vocab_size)
            return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: metadata tokens: expected ids in 0..%d", c->path,
                              c->config.vocab_size - 1);
        ids[i] = (int32_t)id;
    }
    *out = (icseg_tokens){(int32_t)count, ids};
    return ICSEG_OK;
}

static icseg_status read_tokens(check *c, icseg_error *error) {
    const char *text = icseg_safetensors_metadata(c->file, "tokens");
    json_t *root;
    ICSEG_TRY(icseg_json_parse(&root, text, strlen(text), 0, NULL, error));
    size_t count = json_array_size(root);
    icseg_status status = ICSEG_OK;
    if (!count || count > MAX_WORDS)
        status = icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: metadata tokens: expected 1 to %d lists of token ids",
                            c->path, MAX_WORDS);
    c->config.num_classes = (int32_t)count;
    c->tokens = icseg_arena_array(c->arena, count, sizeof *c->tokens);
    if (status == ICSEG_OK && !c->tokens) status = icseg_fail_memory_in(error, 0, c->path);
    for (size_t k = 0; k < count && status == ICSEG_OK; k++)
        status = read_ids(c, json_array_get(root, k), &c->tokens[k], error);
    json_decref(root);
    return status;
}

static icseg_status read_fixture(check *c, icseg_error *error) {
    float logit_scale, *pixels;
    icseg_shape s;
    ICSEG_TRY(icseg_weights_open(&c->weights, c->path, error));
    ICSEG_TRY(icseg_weights_read_clip(&c->config, &logit_scale, c->weights, NULL, &c->report, error));
    ICSEG_TRY(read_tokens(c, error));
    ICSEG_TRY(read_tensor(c, "image", &s, &pixels, error));
    if (!pixels) return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: tensor image is missing", c->path);
    if (s.rank != 4 || s.dim[1] != 3) return shape_error(c, "image", s, error);
    return icseg_tensor_dense(&c->image, ICSEG_TENSOR_F32, 4, s.dim, pixels, error);
}

/* -- texts */

static icseg_status take_text(void *user, int32_t index, const float *embedding, icseg_error *error) {
    check *c = user;
    int32_t width = c->config.embed_dim;
    double squares = 0;
    (void)error;
    for (int32_t i = 0; i < width; i++) squares += (double)embedding[i] * (double)embedding[i];
    for (int32_t i = 0; i < width; i++)
        c->text[(int64_t)index * width + i] = (float)((double)embedding[i] / sqrt(squares));
    return ICSEG_OK;
}

/* The largest difference of two arrays; NaN if one of them has a NaN. */
static double largest_difference(const float *a, const float *b, int64_t count) {
    double largest = 0;
    for (int64_t i = 0; i < count; i++) {
        double d = fabs((double)a[i] - (double)b[i]);
        if (!(d <= largest)) largest = d;
    }
    return largest;
}

static icseg_status compare_texts(check *c, icseg_error *error) {
    icseg_clip clip;
    icseg_shape shape;
    float *expected;
    icseg_text_sink sink = {take_text, c};
    int32_t count = c->config.num_classes;
    int64_t floats = (int64_t)count * c->config.embed_dim;
    c->text = icseg_arena_array(c->arena, (size_t)floats, sizeof *c->text);
    if (!c->text) return icseg_fail_memory_in(error, (size_t)floats * sizeof *c->text, c->path);
    ICSEG_TRY(icseg_weights_open_clip(&clip, ICSEG_CLIP_TEXT, c->weights, &c->config, &c->report, error));
    icseg_status status = icseg_clip_encode_texts(&clip, c->tokens, count, NULL, &sink, error);
    icseg_clip_close(&clip);
    if (status != ICSEG_OK) return status;
    ICSEG_TRY(read_tensor(c, "expected.text", &shape, &expected, error));
    if (icseg_shape_count(shape) != floats) return shape_error(c, "expected.text", shape, error);
    icseg_parity_record(&c->result[ICSEG_PARITY_OPEN_SCORES], "expected.text",
                        largest_difference(c->text, expected, floats));
    return ICSEG_OK;
}

/* -- methods */

/* The model of a method, with a logit scale of 1, so that probabilities give the logits back. */
static icseg_status open_model(check *c, icseg_open_method method, icseg_model **out, icseg_error *error) {
    int32_t classes = c->config.num_classes;
    icseg_open_vocabulary open = {
        .info = {.summary = "", .method = method, .word_count = classes, .background = -1, .logit_scale = 1},
        .text = c->text};
    const char **names = icseg_arena_array(c->arena, (size_t)classes, sizeof *names);
    if (!names) return icseg_fail_memory_in(error, 0, c->path);
    for (int32_t k = 0; k < classes; k++) names[k] = "class";
    for (int i = 0; i < ICSEG_LEVELS; i++) c->config.align[i] = i == icseg_config_embed_level(&c->config);
    ICSEG_TRY(icseg_open_method_resolve(&open.info.method, &c->config, error));
    ICSEG_TRY(icseg_model_build_open(out, &c->config, names, &open, error));
    return icseg_weights_load_params((*out)->params, c->weights, &c->report, error);
}

static icseg_status run_method(const check *c, icseg_model *model, uint32_t outputs, icseg_refine refine,
                               icseg_result **out, icseg_error *error) {
    icseg_session *session;
    icseg_session_options how = {ICSEG_SESSION_OPTIONS_INIT, .threads = c->options->threads,
                                 .precision = icseg_precision_here(c->options->precision)};
    icseg_eval_options eval = {ICSEG_EVAL_OPTIONS_INIT, .refine = refine};
    icseg_run_options run = {ICSEG_RUN_OPTIONS_INIT, .outputs = outputs, .eval = &eval};
    icseg_batch batch = {ICSEG_BATCH_INIT, .tensor = &c->image, .layout = ICSEG_LAYOUT_NCHW};
    ICSEG_TRY(icseg_session_open(&session, model, &how, error));
    icseg_status status = icseg_session_run(session, &batch, &run, out, error);
    icseg_session_close(&session);
    return status;
}

/* Ours (B, P, K) and theirs (B, K, P): the largest difference. With `centred`, that of the differences from the mean
 * over the classes of log(ours) and theirs, which is all that probabilities tell of logits. */
static double compare_channels(const float *ours, const float *theirs, icseg_shape shape, bool centred) {
    int64_t classes = shape.dim[1], positions = shape.dim[2] * shape.dim[3];
    double largest = 0;
    for (int64_t i = 0; i < shape.dim[0] * positions; i++) {
        const float *a = ours + i * classes, *b = theirs + i / positions * classes * positions + i % positions;
        double mean = 0;
        for (int64_t k = 0; k < classes && centred; k++)
            mean += (log((double)a[k]) - (double)b[k * positions]) / (double)classes;
        for (int64_t k = 0; k < classes; k++) {
            double value = centred ? log((double)a[k]) - mean : (double)a[k];
            double d = fabs(value - (double)b[k * positions]);
            if (!(d <= largest)) largest = d;
        }
    }
    return largest;
}

/* Compares one output with expected.METHOD.KIND, if the fixture has it. */
static icseg_status compare(check *c, icseg_model *model, const char *method, const char *kind, icseg_error *error) {
    bool labels = !strcmp(kind, "labels"), pamr = !strcmp(kind, "pamr");
    uint32_t score = ICSEG_OUTPUT_SCORES_4 << icseg_config_embed_level(&c->config);
    icseg_output output = labels ? ICSEG_OUTPUT_LABELS : pamr ? ICSEG_OUTPUT_PROBABILITIES : (icseg_output)score;
    icseg_result *result;
    icseg_tensor ours;
    icseg_shape shape;
    float *expected;
    char name[100];
    snprintf(name, sizeof name, "expected.%s.%s", method, kind);
    ICSEG_TRY(read_tensor(c, name, &shape, &expected, error));
    if (!expected) return ICSEG_OK;
    ICSEG_TRY(run_method(c, model, output, pamr ? ICSEG_REFINE_PAMR : ICSEG_REFINE_NONE, &result, error));
    icseg_status status = icseg_result_tensor(result, output, &ours, error);
    int64_t count = icseg_shape_count(shape), theirs = status == ICSEG_OK ? 1 : 0;
    for (int32_t i = 0; status == ICSEG_OK && i < ours.rank; i++) theirs *= ours.shape[i];
    if (status == ICSEG_OK && (count != theirs || shape.rank != ours.rank)) status = shape_error(c, name, shape, error);
    if (status == ICSEG_OK && labels) {
        int64_t different = 0;
        for (int64_t i = 0; i < count; i++) different += (float)((const int16_t *)ours.data)[i] != expected[i];
        icseg_parity_record(&c->result[ICSEG_PARITY_OPEN_LABELS], name, (double)different / (double)count);
    } else if (status == ICSEG_OK) {
        icseg_parity_record(&c->result[ICSEG_PARITY_OPEN_SCORES], name,
                            compare_channels(ours.data, expected, shape, pamr));
    }
    icseg_result_close(&result);
    return status;
}

static icseg_status compare_method(check *c, icseg_open_method method, icseg_error *error) {
    static const char *const kinds[] = {"scores", "labels", "pamr"};
    icseg_model *model = NULL;
    char name[100];
    const char *word = icseg_open_method_name(method);
    bool expected = false;
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "expected.%s.%s", word, kinds[i]);
        expected |= icseg_safetensors_find(c->file, name) != NULL;
    }
    if (!expected) return ICSEG_OK;
    icseg_status status = open_model(c, method, &model, error);
    for (int i = 0; i < 3 && status == ICSEG_OK; i++) status = compare(c, model, word, kinds[i], error);
    icseg_model_close(&model);
    return status;
}

static icseg_status compare_all(check *c, const icseg_progress *progress, icseg_error *error) {
    icseg_stage stage = icseg_stage_begin(progress, "compare", ICSEG_OPEN_KK_REDUCED, "methods");
    ICSEG_TRY(icseg_arena_open(&c->arena, error));
    ICSEG_TRY(read_fixture(c, error));
    ICSEG_TRY(compare_texts(c, error));
    for (int m = ICSEG_OPEN_CLIP; m <= ICSEG_OPEN_KK_REDUCED; m++) {
        ICSEG_TRY(compare_method(c, (icseg_open_method)m, error));
        ICSEG_TRY(icseg_stage_report(&stage, m, "", error));
    }
    return ICSEG_OK;
}

icseg_status icseg_parity_open_run(const icseg_safetensors *file, const icseg_parity_options *options,
                                   const icseg_progress *progress, icseg_parity_result *result, icseg_error *error) {
    check c = {.file = file, .path = icseg_safetensors_path(file), .options = options, .result = result};
    if (icseg_precision_here(options->precision) == ICSEG_PRECISION_BF16) icseg_parity_result_widen(result);
    icseg_status status = compare_all(&c, progress, error);
    icseg_weights_report_close(&c.report);
    icseg_weights_close(&c.weights);
    icseg_arena_close(&c.arena);
    return status;
}
