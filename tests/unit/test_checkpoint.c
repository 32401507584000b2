/* SPDX-License-Identifier: Apache-2.0
 * Checkpoints: a saved model opens unchanged; other element types; truncated and invalid files; failing writes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <math.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "icseg/evaluate.h"
#include "support/models.h"

enum { LIMIT = 1 << 26, PATH_SIZE = 128 };

static char folder[] = "/tmp/icseg_checkpoint_XXXXXX";
static char whole[PATH_SIZE], other[PATH_SIZE]; /* paths: a good checkpoint, and one made from it */

static int set_up(void **state) {
    icseg_config config = {ICSEG_CONFIG_INIT};
    icseg_model_options options = {ICSEG_MODEL_OPTIONS_INIT, .config = &config,
                                   .class_names = (const char *const[]){"sky", "\"road\" \\", "Straße"}, .seed = 3};
    icseg_model *model;
    (void)state;
    if (!mkdtemp(folder)) return -1;
    snprintf(whole, sizeof whole, "%s/whole.safetensors", folder);
    snprintf(other, sizeof other, "%s/other.safetensors", folder);
    if (icseg_config_preset(&config, "tiny-resnet", NULL) != ICSEG_OK) return -1;
    config.resnet_width = 4;
    config.embed_dim = 16;
    config.vocab_size = 258;
    config.num_classes = 3;
    config.text_layers = 1;
    if (icseg_model_create(&model, &options, NULL) != ICSEG_OK) return -1;
    icseg_status status = icseg_model_save(model, whole, NULL);
    icseg_model_close(&model);
    return status == ICSEG_OK ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    remove(whole);
    remove(other);
    return rmdir(folder);
}

static icseg_model *open_model(const char *path) {
    icseg_model *model;
    icseg_error error = {0};
    if (icseg_model_open(&model, path, &error) != ICSEG_OK) fail_msg("%s", error.message);
    if (icseg_params_load(model->params, &error) != ICSEG_OK) fail_msg("%s", error.message);
    return model;
}

/* `other` cannot be opened; the message contains the file's name and `piece`. */
static void refused(icseg_status status, const char *piece) {
    icseg_model *model = (icseg_model *)whole; /* not NULL: the call must clear it */
    icseg_error error = {0};
    icseg_status got = icseg_model_open(&model, other, &error);
    if (got == ICSEG_OK || (status != ICSEG_OK && got != status) || !strstr(error.message, "other.safetensors") ||
        !strstr(error.message, piece))
        fail_msg("status %d, '%s', expected status %d and '%s'", (int)got, error.message, (int)status, piece);
    assert_null(model);
}

static void a_saved_model_opens_unchanged(void **state) {
    icseg_model *model = open_model(whole);
    unsigned char *a, *b;
    size_t size[2];
    (void)state;
    assert_string_equal(icseg_model_class_names(model)[1], "\"road\" \\");
    assert_string_equal(icseg_model_class_names(model)[2], "Straße");
    assert_int_equal(icseg_model_config(model)->embed_dim, 16);
    assert_int_equal(icseg_model_save(model, other, NULL), ICSEG_OK);
    assert_int_equal(icseg_file_read(whole, LIMIT, &a, &size[0], NULL), ICSEG_OK);
    assert_int_equal(icseg_file_read(other, LIMIT, &b, &size[1], NULL), ICSEG_OK);
    assert_int_equal(size[0], size[1]);
    assert_memory_equal(a, b, size[0]);
    icseg_free(a);
    icseg_free(b);
    icseg_model_close(&model);
}

/* An entry of `file` (`whole`) with its data, which points into the bytes of `whole`. */
static icseg_safetensors_entry entry_at(const icseg_safetensors *file, size_t index, const unsigned char *bytes) {
    size_t offset;
    icseg_safetensors_entry entry = *icseg_safetensors_at(file, index);
    icseg_safetensors_locate(file, icseg_safetensors_at(file, index), &offset);
    entry.data = bytes + offset;
    return entry;
}

/* Writes `other`: `whole` with this metadata added. */
static void write_with_metadata(const char *key, const char *value) {
    enum { MAX_ENTRIES = 400 };
    static const char *const own[] = {"icpc.config", "icpc.classes", "icpc.tokens"};
    icseg_safetensors *file;
    icseg_safetensors_entry entries[MAX_ENTRIES];
    icseg_safetensors_pair metadata[4] = {{key, value}};
    assert_int_equal(icseg_safetensors_open(&file, whole, NULL), ICSEG_OK);
    size_t count = icseg_safetensors_count(file);
    assert_true(count <= MAX_ENTRIES);
    unsigned char *bytes;
    size_t size;
    assert_int_equal(icseg_file_read(whole, LIMIT, &bytes, &size, NULL), ICSEG_OK);
    for (size_t i = 0; i < count; i++) entries[i] = entry_at(file, i, bytes);
    for (int i = 0; i < 3; i++)
        metadata[i + 1] = (icseg_safetensors_pair){own[i], icseg_safetensors_metadata(file, own[i])};
    assert_int_equal(icseg_safetensors_write(other, entries, count, metadata, 4, NULL), ICSEG_OK);
    icseg_safetensors_close(&file);
    icseg_free(bytes);
}

static icseg_eval_options eval_of(const icseg_model *model) {
    icseg_eval_options o = {ICSEG_EVAL_OPTIONS_INIT};
    assert_int_equal(icseg_model_eval_options(model, &o, NULL), ICSEG_OK);
    return o;
}

static void evaluation_options_come_back(void **state) {
    (void)state;
    static const icseg_eval_options asked = {
        ICSEG_EVAL_OPTIONS_INIT, .mode = ICSEG_EVAL_SLIDE, .crop_height = 48, .crop_width = 56, .stride_height = 20,
        .stride_width = 24,      .resize_short = 50,       .scale_count = 1,  .scale = {2},     .flip = true};
    icseg_model *model = open_model(whole);
    icseg_eval_options o = eval_of(model);
    assert_int_equal(o.mode, ICSEG_EVAL_WHOLE);
    assert_true(o.crop_height == 512 && o.crop_width == 512 && o.resize_short == 0);
    icseg_model_set_eval(model, &asked);
    o = eval_of(model);
    assert_true(o.scale_count == 0 && !o.flip); /* augmentation is off by default */
    assert_int_equal(icseg_model_save(model, other, NULL), ICSEG_OK);
    icseg_model_close(&model);
    model = open_model(other);
    o = eval_of(model);
    assert_int_equal(o.mode, ICSEG_EVAL_SLIDE);
    assert_true(o.crop_height == 48 && o.crop_width == 56 && o.stride_height == 20 && o.stride_width == 24);
    assert_true(o.resize_short == 50 && o.resize_long == 0);
    assert_true(o.scale_count == 0 && !o.flip);
    icseg_model_close(&model);
}

static void damaged_evaluation_options_are_named(void **state) {
    (void)state;
#define EVAL(MODE, CROP, STRIDE, SHORT)                                                                                \
    "{\"mode\": " MODE ", \"crop\": " CROP ", \"stride\": " STRIDE ", \"resize_short\": " SHORT "}"
    static const struct {
        const char *text, *piece;
    } cases[] = {{"", "icseg.eval: "},
                 {"[]", "Expected object"},
                 {"{\"mode\": \"whole\"}", "crop"},
                 {EVAL("7", "[48, 48]", "[20, 20]", "0"), "Expected string"},
                 {EVAL("\"twice\"", "[48, 48]", "[20, 20]", "0"), "mode \"twice\": expected whole or slide"},
                 {EVAL("\"slide\"", "[48]", "[20, 20]", "0"), "icseg.eval: "},
                 {EVAL("\"slide\"", "[48, \"x\"]", "[20, 20]", "0"), "icseg.eval: "},
                 {EVAL("\"slide\"", "[31, 48]", "[20, 20]", "0"), "crop_height is 31: expected 32..32768"},
                 {EVAL("\"whole\"", "[48, 9223372036854775807]", "[20, 20]", "0"), "crop_width is 2147483647: "},
                 {EVAL("\"slide\"", "[48, 48]", "[20, 49]", "0"), "stride_width is 49: expected 0..48"},
                 {EVAL("\"slide\"", "[48, 48]", "[-4294967276, 20]", "0"), "stride_height is -2147483648: "},
                 {EVAL("\"slide\"", "[48, 48]", "[20, 20]", "4294967297"), "resize_short is 2147483647: "}};
#undef EVAL
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_with_metadata("icseg.eval", cases[i].text);
        refused(ICSEG_ERROR_FORMAT, cases[i].piece);
    }
}

static void facts_of_the_training_images_come_back(void **state) {
    (void)state;
    static const icseg_image_values cases[] = {
        {ICSEG_IMAGE_VALUES_INIT},
        {ICSEG_IMAGE_VALUES_INIT, .bands = {4, 3, 2}},
        {ICSEG_IMAGE_VALUES_INIT, .bands = {7}, .value_low = -0.1, .value_high = 1e6},
        {ICSEG_IMAGE_VALUES_INIT, .value_low = -1, .value_high = 4095}};
    static const int32_t ignored[] = {0, 65535};
    for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
        int32_t side = i % 2 ? 360 : 0;
        icseg_model *model = open_model(whole), *copy;
        assert_int_equal(icseg_model_trained_side(model), 0);
        icseg_model_set_images(model, &cases[i / 2], side);
        model->val_share = i > 4 ? 0.3 : 0;
        icseg_label_values labels = {ICSEG_LABEL_VALUES_INIT, i & 1 ? "255=1,7=0" : "", ignored, i & 2 ? 2 : 0, i & 4};
        assert_int_equal(icseg_model_set_labels(model, &labels, NULL), ICSEG_OK);
        assert_int_equal(icseg_model_with_ranges(&copy, model, model->ranges, NULL), ICSEG_OK);
        assert_int_equal(icseg_model_save(copy, other, NULL), ICSEG_OK);
        icseg_model_close(&copy);
        icseg_model_close(&model);
        model = open_model(other);
        icseg_image_values found = {ICSEG_IMAGE_VALUES_INIT};
        assert_int_equal(icseg_model_image_values(model, &found, NULL), ICSEG_OK);
        assert_memory_equal(&found, &cases[i / 2], sizeof found);
        assert_int_equal(icseg_model_trained_side(model), side);
        assert_true(icseg_model_val_share(model) == (i > 4 ? 0.3 : 0));
        icseg_label_values read = {ICSEG_LABEL_VALUES_INIT};
        assert_int_equal(icseg_model_label_values(model, &read, NULL), ICSEG_OK);
        assert_string_equal(read.map, labels.map);
        assert_true(read.reduce_zero_label == labels.reduce_zero_label);
        assert_int_equal(read.ignore_count, labels.ignore_count);
        for (int32_t k = 0; k < read.ignore_count; k++) assert_int_equal(read.ignore[k], ignored[k]);
        icseg_model_close(&model);
    }
}

static void damaged_facts_of_the_training_images_are_named(void **state) {
    (void)state;
    static const struct {
        const char *text, *piece;
    } cases[] = {{"", "metadata icseg.image: "},
                 {"[]", "Expected object"},
                 {"{\"bands\": 3}", "bands is not a list of one or three numbers"},
                 {"{\"bands\": [3, 2]}", "bands is not a list of one or three numbers"},
                 {"{\"bands\": [3, 2, 1, 0]}", "bands is not a list of one or three numbers"},
                 {"{\"bands\": [\"x\"]}", "bands is not a list of one or three numbers"},
                 {"{\"bands\": [3, 0, 1]}", "expected one band, or three"},
                 {"{\"bands\": [-1]}", "expected one band, or three"},
                 {"{\"value_range\": [0]}", "icseg.image: "},
                 {"{\"value_range\": [0, \"x\"]}", "Expected real or integer"},
                 {"{\"value_range\": [-1e308, 1e308]}", "value_range: expected two finite numbers"},
                 {"{\"value_range\": [5, 5]}", "value_range: black and white are both 5"},
                 {"{\"val_share\": 0.91}", "val_share is 0.91: expected 0..0.9"},
                 {"{\"val_share\": -1}", "val_share is -1: expected 0..0.9"},
                 {"{\"map\": 3}", "Expected string"},
                 {"{\"reduce_zero_label\": 1}", "Expected true or false"},
                 {"{\"ignore\": 3}", "ignore is not a list of at most 16 numbers from 0 to 65535"},
                 {"{\"ignore\": [-1]}", "ignore is not a list of at most 16 numbers from 0 to 65535"},
                 {"{\"ignore\": [1, \"x\"]}", "ignore is not a list of at most 16 numbers from 0 to 65535"},
                 {"{\"ignore\": [0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]}", "ignore is not a list of at most 16"},
                 {"{\"short_side\": -1}", "short_side is -1: expected 0..32768"},
                 {"{\"short_side\": 4294967297}", "short_side is 4294967297: expected 0..32768"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_with_metadata("icseg.image", cases[i].text);
        refused(ICSEG_ERROR_FORMAT, cases[i].piece);
    }
}

enum { C = 48 };

/* Class embeddings of a model without prompts: to (K, C). */
static void text_of(icseg_model *model, float *to) {
    const float *text;
    icseg_error error;
    icseg_session *session;
    if (icseg_session_open(&session, model, NULL, &error) != ICSEG_OK) fail_msg("%s", error.message);
    if (icseg_session_text(session, &text, &error) != ICSEG_OK) fail_msg("%s", error.message);
    memcpy(to, text, (size_t)model->config.num_classes * C * sizeof *to);
    icseg_session_close(&session);
}

static icseg_model *model_with(int32_t classes, const char *const *names, const char *const *synonyms) {
    icseg_config config = {ICSEG_CONFIG_INIT};
    icseg_model_options options = {ICSEG_MODEL_OPTIONS_INIT, .config = &config, .class_names = names,
                                   .class_synonyms = synonyms, .seed = 3};
    icseg_model *model;
    icseg_error error;
    assert_int_equal(icseg_config_preset(&config, "tiny-resnet", NULL), ICSEG_OK);
    config.vocab_size = 258;
    config.prompt = ICSEG_PROMPT_TEMPLATE;
    config.num_classes = classes;
    if (icseg_model_create(&model, &options, &error) != ICSEG_OK) fail_msg("%s", error.message);
    return model;
}

static void unit(const float *v, int32_t size, double *out) {
    double squares = 0;
    for (int32_t i = 0; i < size; i++) squares += (double)v[i] * (double)v[i];
    for (int32_t i = 0; i < size; i++) out[i] = (double)v[i] / sqrt(squares);
}

static void synonyms_are_averaged_and_stored(void **state) {
    static const char *const single[] = {"wall", "building", "edifice"}, *const names[] = {"wall", "building"};
    static const char *const synonyms[] = {"wall", "building, edifice; building"};
    icseg_model *apart = model_with(3, single, NULL), *mean = model_with(2, names, synonyms);
    (void)state;
    assert_int_equal(mean->texts.count, 3); /* a repeated name counts once */
    double part[3][C], expected[2][C], squares = 0;
    float text[3 * C], reopened[2 * C];
    text_of(apart, text);
    for (int k = 0; k < 3; k++) unit(text + k * C, C, part[k]);
    for (int i = 0; i < C; i++) {
        expected[0][i] = part[0][i];
        expected[1][i] = (part[1][i] + part[2][i]) / 2;
        squares += expected[1][i] * expected[1][i];
    }
    for (int i = 0; i < C; i++) expected[1][i] /= sqrt(squares);
    if (squares > 1 - 1e-4) fail_msg("the two names are too much alike: %g", squares);
    text_of(mean, text);
    for (int i = 0; i < 2 * C; i++) assert_true(fabs((double)text[i] - expected[i / C][i % C]) < 1e-6);
    assert_int_equal(icseg_model_save(mean, other, NULL), ICSEG_OK);
    icseg_model *again = open_model(other);
    assert_string_equal(icseg_model_class_names(again)[1], "building");
    text_of(again, reopened);
    assert_memory_equal(reopened, text, sizeof reopened);
    icseg_model_close(&again);
    icseg_model_close(&mean);
    icseg_model_close(&apart);
}

static void a_file_truncated_anywhere_is_refused(void **state) {
    unsigned char *bytes;
    size_t size;
    (void)state;
    assert_int_equal(icseg_file_read(whole, LIMIT, &bytes, &size, NULL), ICSEG_OK);
    assert_true(size > 20000);
    for (size_t keep = 0; keep < size; keep += 100) {
        FILE *f = fopen(other, "wb"); /* icseg_file_write would spend most of the time in fsync */
        assert_non_null(f);
        assert_int_equal(fwrite(bytes, 1, keep, f), keep);
        assert_int_equal(fclose(f), 0);
        refused(ICSEG_ERROR_FORMAT, "");
    }
    assert_int_equal(icseg_file_write(other, bytes, size - 1, NULL), ICSEG_OK);
    refused(ICSEG_ERROR_FORMAT, "");
    icseg_free(bytes);
}

/* How `other` differs from `whole`. */
typedef struct change {
    const char *drop, *add;       /* a tensor to leave out; one to add */
    const char *reshape, *retype; /* a tensor that gets another shape; another element type */
    const char *key, *value;      /* metadata to replace */
    icseg_dtype dtype;            /* of all tensors, if `convert` */
    bool convert;
} change;

static void *converted(const icseg_safetensors_entry *e, icseg_dtype dtype) {
    size_t n = e->bytes / sizeof(float);
    float *from = malloc(e->bytes + 1);
    void *to = malloc(n * sizeof(double) + 1);
    memcpy(from, e->data, e->bytes);
    if (dtype == ICSEG_F16) icseg_f16_from_f32(to, from, n);
    if (dtype == ICSEG_BF16) icseg_bf16_from_f32(to, from, n);
    for (size_t i = 0; i < n && dtype == ICSEG_F64; i++) ((double *)to)[i] = (double)from[i];
    free(from);
    return to;
}

static void write_other(const change *c) {
    icseg_safetensors *st;
    assert_int_equal(icseg_safetensors_open(&st, whole, NULL), ICSEG_OK);
    size_t count = icseg_safetensors_count(st), pairs = icseg_safetensors_metadata_count(st), kept = 0;
    icseg_safetensors_entry *entries = calloc(count + 1, sizeof *entries);
    icseg_safetensors_pair pair[8];
    static const float zero[4];
    unsigned char *bytes;
    size_t size;
    assert_true(pairs <= 8);
    assert_int_equal(icseg_file_read(whole, LIMIT, &bytes, &size, NULL), ICSEG_OK);
    for (size_t i = 0; i < count; i++) {
        icseg_safetensors_entry e = entry_at(st, i, bytes);
        if (c->drop && !strcmp(e.name, c->drop)) continue;
        if (c->reshape && !strcmp(e.name, c->reshape)) e.shape = ICSEG_SHAPE(1, icseg_shape_count(e.shape));
        if (c->retype && !strcmp(e.name, c->retype)) e.dtype = ICSEG_I32;
        if (c->convert) {
            e.data = converted(&e, c->dtype);
            e.bytes = e.bytes / sizeof(float) * icseg_dtype_size(c->dtype);
            e.dtype = c->dtype;
        }
        entries[kept++] = e;
    }
    if (c->add) entries[kept++] = (icseg_safetensors_entry){c->add, ICSEG_F32, ICSEG_SHAPE(4), zero, sizeof zero};
    for (size_t i = 0; i < pairs; i++) {
        pair[i] = icseg_safetensors_metadata_at(st, i);
        if (c->key && !strcmp(pair[i].key, c->key)) pair[i].value = c->value;
    }
    assert_int_equal(icseg_safetensors_write(other, entries, kept, pair, pairs, NULL), ICSEG_OK);
    for (size_t i = 0; i < kept && c->convert; i++) free((void *)entries[i].data);
    free(entries);
    icseg_safetensors_close(&st);
    icseg_free(bytes);
}

static void half_and_double_precision_are_read(void **state) {
    static const icseg_dtype dtypes[] = {ICSEG_F16, ICSEG_BF16, ICSEG_F64};
    static const double tolerance[] = {1e-3, 1e-2, 0};
    icseg_model *first = open_model(whole);
    (void)state;
    for (int d = 0; d < 3; d++) {
        write_other(&(change){.convert = true, .dtype = dtypes[d]});
        icseg_model *second = open_model(other);
        for (int64_t i = 0; i < icseg_params_count(first->params); i++) {
            const icseg_param *a = icseg_params_at(first->params, i), *b = icseg_params_at(second->params, i);
            for (int64_t k = 0; k < a->count; k++)
                if (!(fabs((double)(a->data[k] - b->data[k])) <= tolerance[d] * fabs((double)a->data[k]) + 1e-7))
                    fail_msg("%s[%lld]: %g, %g", a->name, (long long)k, (double)a->data[k], (double)b->data[k]);
        }
        icseg_model_close(&second);
    }
    icseg_model_close(&first);
}

static void invalid_tensors_are_named(void **state) {
    icseg_model *model = open_model(whole);
    (void)state;
    for (int64_t i = 0; i < icseg_params_count(model->params); i++) {
        const char *name = icseg_params_at(model->params, i)->name;
        write_other(&(change){.drop = name});
        refused(ICSEG_ERROR_FORMAT, name);
    }
    icseg_model_close(&model);
    write_other(&(change){.add = "visual.extra"});
    refused(ICSEG_ERROR_FORMAT, "visual.extra");
    write_other(&(change){.reshape = "visual.conv1.weight"});
    refused(ICSEG_ERROR_SHAPE, "visual.conv1.weight");
    write_other(&(change){.retype = "ln_final.bias"});
    refused(ICSEG_ERROR_FORMAT, "ln_final.bias");
}

static void invalid_metadata_is_named(void **state) {
    static const struct {
        const char *key, *value;
    } bad[] = {{"icpc.classes", "[\"a\", \"b\"]"},
               {"icpc.classes", "[\"a\", \"b\", 3]"},
               {"icpc.classes", "{}"},
               {"icpc.classes", "[\"a\", \"b\""},
               {"icpc.classes", ""},
               {"icpc.tokens", "[[1], [2]]"},
               {"icpc.tokens", "[[1], [2], []]"},
               {"icpc.tokens", "[[1], [2], [258]]"},
               {"icpc.tokens", "[[1], [2], [-1]]"},
               {"icpc.tokens", "[[1], [2], [1.5]]"},
               {"icpc.tokens", "[[1], [2], 3]"},
               {"icpc.tokens", "[[[1]], [[2]], []]"},
               {"icpc.tokens", "[[[1]], [2], [[3]]]"},
               {"icpc.tokens", "[[1], [[2]], [3]]"},
               {"icpc.tokens", "[[[1]], [[2], []], [[3]]]"},
               {"icpc.tokens", "[[[1]], [[2]], [[3], [258]]]"},
               {"icpc.config", "[]"},
               {"icpc.config", "{\"num_classes\": 0}"},
               {"icpc.config", "{\"num_classes\": 1e9}"},
               {"icpc.config", "{\"embed_dim\": \"wide\"}"},
               {"icpc.config", "{\"resnet_width\": 2000000000}"}};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        write_other(&(change){.key = bad[i].key, .value = bad[i].value});
        refused(ICSEG_OK, bad[i].key);
    }
    write_other(&(change){.key = "icpc.config", .value = "{}"}); /* describes an RN50 with 150 classes */
    refused(ICSEG_OK, "");
}

static void a_failed_save_keeps_the_old_file(void **state) {
    icseg_model *model = open_model(whole);
    icseg_error error;
    unsigned char *bytes;
    size_t size;
    icseg_status status = ICSEG_ERROR_MEMORY;
    int failures = 0;
    (void)state;
    assert_int_equal(icseg_file_write(other, "old", 3, NULL), ICSEG_OK);
    for (int n = 0; n < 100000; n += 1 + n / 16) {
        icseg_memory_fail_after(n);
        status = icseg_model_save(model, other, &error);
        icseg_memory_fail_after(-1);
        if (status == ICSEG_OK) break;
        assert_int_equal(status, ICSEG_ERROR_MEMORY);
        assert_int_equal(icseg_file_read(other, LIMIT, &bytes, &size, NULL), ICSEG_OK);
        assert_int_equal(size, 3);
        icseg_free(bytes);
        failures++;
    }
    assert_int_equal(status, ICSEG_OK);
    assert_true(failures > 8);
    assert_int_equal(icseg_model_save(model, "/nonexistent/x.safetensors", &error), ICSEG_ERROR_IO);
    assert_non_null(strstr(error.message, "/nonexistent/x.safetensors"));
    icseg_model_close(&model);
}

static void running_out_of_memory_while_opening_leaks_nothing(void **state) {
    int failures = 0, successes = 0;
    (void)state;
    for (int n = 0; n < 100000 && successes < 8; n += 1 + n / 16) { /* some allocations may fail without effect */
        icseg_model *model;
        icseg_memory_fail_after(n);
        icseg_status status = icseg_model_open(&model, whole, NULL);
        icseg_memory_fail_after(-1);
        successes = status == ICSEG_OK ? successes + 1 : 0;
        if (status != ICSEG_OK) {
            assert_null(model);
            failures++;
        }
        icseg_model_close(&model);
    }
    assert_int_equal(successes, 8);
    assert_true(failures > 8);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_saved_model_opens_unchanged),
        cmocka_unit_test(evaluation_options_come_back),
        cmocka_unit_test(damaged_evaluation_options_are_named),
        cmocka_unit_test(facts_of_the_training_images_come_back),
        cmocka_unit_test(damaged_facts_of_the_training_images_are_named),
        cmocka_unit_test(synonyms_are_averaged_and_stored),
        cmocka_unit_test(a_file_truncated_anywhere_is_refused),
        cmocka_unit_test(half_and_double_precision_are_read),
        cmocka_unit_test(invalid_tensors_are_named),
        cmocka_unit_test(invalid_metadata_is_named),
        cmocka_unit_test(a_failed_save_keeps_the_old_file),
        cmocka_unit_test(running_out_of_memory_while_opening_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
