/* SPDX-License-Identifier: Apache-2.0
 * Zero-shot classification and its preprocessing against the results of the public CLIP code for the same small models
 * and images (tests/unit/data/clip_classify.txt, written by reference/make_classify_fixture.py), and refusals. */
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

#include "base/file.h"
#include "base/memory.h"
#include "icseg/classify.h"
#include "icseg/weights.h"
#include "image/bicubic.h"
#include "model/clip.h"
#include "support/models.h"
#include "support/scratch.h"
#include "tensor/safetensors.h"
#include "weights/weights.h"

enum { EMBED = 16, CLASSES = 3, PICTURES = 4, MODELS = 4, TENSORS = 400 };

static const char *first, *second;
static icseg_error error;

#define OK(call)                                                                                                       \
    do {                                                                                                               \
        if ((call) != ICSEG_OK) fail_msg("%s", error.message);                                                         \
    } while (0)

static int open_folder(void **state) {
    if (test_scratch_open(state)) return -1;
    first = test_scratch("first.safetensors");
    second = test_scratch("second.safetensors");
    return 0;
}

/* ---------------------------------------------------------------------- models and images by the fixture's formulas */

static const struct {
    const char *name;
    icseg_config config;
} models[MODELS] = {
    {"rn50", {.backbone = ICSEG_BACKBONE_RESNET, .resnet_layers = {1, 1, 1, 1}, .resnet_width = 4, .pos_grid = 2}},
    {"rn50x4", {.backbone = ICSEG_BACKBONE_RESNET, .resnet_layers = {1, 1, 2, 1}, .resnet_width = 10, .pos_grid = 3}},
    {"vit-b16",
     {.backbone = ICSEG_BACKBONE_VIT,
      .vit_patch = 16,
      .vit_width = 128,
      .vit_layers = 2,
      .vit_heads = 2,
      .pos_grid = 3}},
    {"vit-b32",
     {.backbone = ICSEG_BACKBONE_VIT,
      .vit_patch = 32,
      .vit_width = 64,
      .vit_layers = 4,
      .vit_heads = 1,
      .pos_grid = 2}},
};
static const char *const classes[CLASSES] = {"cat", "dog; hound", "café (small, old)"};
static const char *const several[] = {"a {}.", "{} or {}"};

static uint32_t fnv(const void *data, size_t size) {
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < size; i++) h = (h ^ ((const unsigned char *)data)[i]) * 16777619u;
    return h;
}

static float noise(uint32_t x) { /* in [-1/2, 1/2) */
    x = (x ^ x >> 16) * 0x7feb352du;
    x = (x ^ x >> 15) * 0x846ca68bu;
    x ^= x >> 16;
    return (float)(x >> 8) / (1 << 24) - 0.5f;
}

static bool ends_with(const char *name, const char *end) {
    size_t size = strlen(name), length = strlen(end);
    return size >= length && !strcmp(name + size - length, end);
}

static void fill(const char *name, icseg_shape shape, float *out) {
    int64_t count = icseg_shape_count(shape);
    bool matrix = shape.rank > 1, table = strstr(name, "embedding") != NULL;
    float factor = matrix && !table ? (float)sqrt(12 / ((double)count / (double)shape.dim[0])) : 0.25f, offset = 0;
    if (ends_with(name, "running_var"))
        factor = offset = 1;
    else if ((matrix && table) || ends_with(name, "class_embedding"))
        factor = 2;
    else if (!matrix && ends_with(name, "weight"))
        offset = 1;
    for (int64_t i = 0; i < count; i++)
        out[i] = noise(fnv(name, strlen(name)) + (uint32_t)i * 0x9e3779b9u) * factor + offset;
}

static icseg_config config_of(int model) {
    icseg_config c = models[model].config;
    c.embed_dim = EMBED;
    c.text_width = 64;
    c.text_heads = 1;
    c.text_layers = 2;
    c.vocab_size = 258;
    c.context_length = 48;
    return c;
}

/* Changes a tensor before it is written; returns false to leave it out. */
typedef bool edit_tensor(const char *name, icseg_shape *shape, float *values);

static void write_weights(const char *path, int model, edit_tensor *change) {
    static icseg_safetensors_entry entries[TENSORS];
    icseg_config config = config_of(model);
    icseg_clip clip;
    float scale = 3;
    size_t count = 0;
    OK(icseg_clip_open(&clip, &config, ICSEG_CLIP_BOTH, &error));
    assert_true(icseg_params_count(clip.params) < TENSORS);
    for (int64_t i = 0; i <= icseg_params_count(clip.params); i++) {
        icseg_param *p = i < icseg_params_count(clip.params) ? icseg_params_at(clip.params, i) : NULL;
        if (p) OK(icseg_param_replace(p, &error));
        const char *name = p ? p->name : "logit_scale";
        icseg_shape shape = p ? p->file_shape : (icseg_shape){.rank = 0};
        float *values = p ? p->data : &scale;
        if (p) fill(name, shape, values);
        if (change && !change(name, &shape, values)) continue;
        entries[count++] =
            (icseg_safetensors_entry){name, ICSEG_F32, shape, values, (size_t)icseg_shape_count(shape) * sizeof(float)};
    }
    OK(icseg_safetensors_write(path, entries, count, NULL, 0, &error));
    icseg_clip_close(&clip);
}

static icseg_image make_image(int32_t width, int32_t height) {
    icseg_image image;
    OK(icseg_image_create(&image, width, height, &error));
    for (int32_t y = 0; y < height; y++)
        for (int32_t x = 0; x < width; x++)
            for (int c = 0; c < 3; c++)
                image.data[(y * width + x) * 3 + c] = (uint8_t)((7 * y + 13 * x + 29 * c + x * y % 11 * 5) % 256);
    return image;
}

static icseg_image image_at(int index) {
    static const int32_t sizes[PICTURES][2] = {{80, 70}, {50, 131}, {96, 96}, {33, 90}};
    return make_image(sizes[index][0], sizes[index][1]);
}

static icseg_classifier_options options_for(const char *weights, int variant) {
    return (icseg_classifier_options){ICSEG_CLASSIFIER_OPTIONS_INIT,
                                      .weights = weights,
                                      .class_names = classes,
                                      .class_count = CLASSES,
                                      .synonyms = variant ? ICSEG_SYNONYMS_MEAN : ICSEG_SYNONYMS_FIRST,
                                      .templates = several,
                                      .template_count = variant ? 2 : 0};
}

static icseg_classifier *open_classifier(const char *weights, int variant) {
    icseg_classifier_options options = options_for(weights, variant);
    icseg_classifier *c;
    OK(icseg_classifier_open(&c, &options, NULL, &error));
    return c;
}

/* ------------------------------------------------------------------------------------------- against the public code
 */

static char *fixture;

static int read_fixture(void **state) {
    unsigned char *data;
    size_t size;
    (void)state;
    if (icseg_file_read(ICSEG_SOURCE_DIR "/tests/unit/data/clip_classify.txt", 1 << 20, &data, &size, NULL)) return -1;
    fixture = (char *)data;
    return open_folder(state);
}

static int free_fixture(void **state) {
    icseg_free(fixture);
    return test_scratch_close(state);
}

/* Compares row `row` of "MODEL VARIANT KIND values..." with our values. */
static void same_row(const char *model, int variant, const char *kind, int row, const float *ours, int count,
                     double tolerance) {
    char start[64];
    const char *at = fixture - 1;
    snprintf(start, sizeof start, "\n%s %d %s ", model, variant, kind);
    for (int i = 0; i <= row && at; i++) at = strstr(at + 1, start);
    assert_non_null(at);
    at += strlen(start);
    for (int i = 0; i < count; i++) {
        char *end;
        double theirs = strtod(at, &end);
        assert_true(end != at);
        at = end;
        if (!(fabs((double)ours[i] - theirs) <= tolerance))
            fail_msg("%s %d, %s %d[%d]: %g, the public code has %g", model, variant, kind, row, i, (double)ours[i],
                     theirs);
    }
    assert_int_equal(*at, '\n');
}

static void small_models_have_the_public_codes_embeddings_and_probabilities(void **state) {
    (void)state;
    for (int m = 0; m < MODELS; m++) {
        write_weights(first, m, NULL);
        for (int variant = 0; variant < 2; variant++) {
            icseg_classifier *c = open_classifier(first, variant);
            const icseg_classifier_info *info = icseg_classifier_describe(c);
            assert_int_equal(info->width, EMBED);
            assert_true(fabs((double)info->logit_scale - exp(3)) < 1e-4 && !info->logit_scale_missing);
            assert_string_equal(info->class_names[1], "dog");
            for (int k = 0; k < CLASSES; k++)
                same_row(models[m].name, variant, "text", k, info->text + k * EMBED, EMBED, 1e-5);
            for (int i = 0; i < PICTURES; i++) {
                float embedding[EMBED], probabilities[CLASSES], cosines[CLASSES], repeated[CLASSES];
                icseg_image image = image_at(i);
                OK(icseg_classifier_embed(c, &image, embedding, &error));
                OK(icseg_classifier_run(c, &image, probabilities, NULL, &error));
                OK(icseg_classifier_score(c, embedding, repeated, cosines, &error));
                assert_memory_equal(repeated, probabilities, sizeof repeated);
                same_row(models[m].name, variant, "image", i, embedding, EMBED, 1e-5);
                same_row(models[m].name, variant, "probabilities", i, probabilities, CLASSES, 1e-4);
                assert_true(fabs((double)(probabilities[0] + probabilities[1] + probabilities[2]) - 1) < 1e-6);
                assert_true(fabs((double)cosines[0]) <= 1);
                icseg_image_close(&image);
            }
            icseg_classifier_close(&c);
            assert_null(c);
        }
    }
}

static void resizing_equals_pillows_bit_for_bit(void **state) {
    (void)state;
    int lines = 0;
    for (const char *at = strstr(fixture, "resize "); at; at = strstr(at + 1, "resize "), lines++) {
        int width, height, full_width, full_height, x, y, w, h;
        unsigned hash;
        assert_int_equal(sscanf(at, "resize %d %d %d %d %d %d %d %d %u", &width, &height, &full_width, &full_height, &x,
                                &y, &w, &h, &hash),
                         9);
        icseg_image image = make_image(width, height), made;
        const icseg_window window = {full_width, full_height, x, y, w, h};
        OK(icseg_bicubic_resize(&made, &image, &window, &error));
        if (fnv(made.data, (size_t)w * (size_t)h * 3) != hash)
            fail_msg("%dx%d to %dx%d, window %dx%d at %d, %d: other bytes than Pillow's", width, height, full_width,
                     full_height, w, h, x, y);
        icseg_image_close(&made);
        icseg_image_close(&image);
    }
    assert_int_equal(lines, 8);
}

static void windows_outside_the_image_are_refused(void **state) {
    static const icseg_window bad[] = {{8, 8, 0, 0, 9, 8}, {8, 8, 0, 1, 8, 8}, {8, 8, -1, 0, 4, 4},
                                       {8, 8, 0, 0, 0, 8}, {0, 0, 0, 0, 0, 0}, {8, 8, INT64_MAX, 0, 1, 1}};
    icseg_image image = make_image(5, 4), made, none = {0};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(icseg_bicubic_resize(&made, &image, &bad[i], &error), ICSEG_ERROR_SHAPE);
        assert_null(made.data);
    }
    assert_int_equal(icseg_bicubic_resize(&made, &none, &(icseg_window){8, 8, 0, 0, 8, 8}, &error), ICSEG_ERROR_SHAPE);
    icseg_image_close(&image);
}

/* --------------------------------------------------------------------------------------------- weights in other
 * formats
 */

static void probabilities_of(const char *weights, float *out) {
    icseg_classifier *c = open_classifier(weights, 1);
    icseg_image image = image_at(1);
    OK(icseg_classifier_run(c, &image, out, NULL, &error));
    icseg_image_close(&image);
    icseg_classifier_close(&c);
}

static void converted_weights_produce_the_same_bits(void **state) {
    static const icseg_naming namings[] = {ICSEG_NAMING_ICSEG, ICSEG_NAMING_OPENAI, ICSEG_NAMING_HUGGINGFACE};
    (void)state;
    for (int m = 0; m < MODELS; m++) {
        float expected[CLASSES], ours[CLASSES];
        bool vit = models[m].config.backbone == ICSEG_BACKBONE_VIT;
        write_weights(first, m, NULL);
        probabilities_of(first, expected);
        for (int n = 0; n < (vit ? 3 : 2); n++) {
            icseg_weights_convert_options options = {ICSEG_WEIGHTS_CONVERT_OPTIONS_INIT, .naming = namings[n]};
            OK(icseg_weights_convert(first, second, &options, NULL, &error));
            probabilities_of(second, ours);
            assert_memory_equal(ours, expected, sizeof ours);
        }
        icseg_weights_convert_options half = {ICSEG_WEIGHTS_CONVERT_OPTIONS_INIT, .type = ICSEG_WEIGHTS_F16};
        OK(icseg_weights_convert(first, second, &half, NULL, &error));
        probabilities_of(second, ours);
        for (int k = 0; k < CLASSES; k++) assert_true(fabs((double)(ours[k] - expected[k])) < 0.02);
    }
}

static void heads_that_shapes_do_not_determine_are_kept_for_any_patch(void **state) {
    float one[CLASSES], two[CLASSES], ours[CLASSES];
    const char *config[] = {"{\"vit_heads\": 1}", "{\"vit_heads\": 2}"};
    (void)state;
    write_weights(first, 3, NULL); /* ViT-B/32 with one head */
    probabilities_of(first, ours);
    for (int i = 0; i < 2; i++) {
        icseg_weights_convert_options options = {ICSEG_WEIGHTS_CONVERT_OPTIONS_INIT, .config = config[i]};
        OK(icseg_weights_convert(first, second, &options, NULL, &error));
        probabilities_of(second, i ? two : one);
    }
    assert_memory_equal(one, ours, sizeof ours);
    assert_memory_not_equal(two, ours, sizeof ours);
}

/* A segmentation model around the encoders of config_of(). */
static icseg_model *segmentation_model(int model) {
    icseg_config clip = config_of(model);
    icseg_config config = {ICSEG_CONFIG_INIT}, *c = &config;
    icseg_model_options options = {ICSEG_MODEL_OPTIONS_INIT, .config = &config, .class_names = classes, .seed = 2};
    icseg_model *out;
    OK(icseg_config_preset(&config, clip.backbone == ICSEG_BACKBONE_VIT ? "tiny-vit" : "tiny-resnet", &error));
    memcpy(c->resnet_layers, clip.resnet_layers, sizeof c->resnet_layers);
    c->resnet_width = clip.resnet_width;
    if (clip.backbone == ICSEG_BACKBONE_VIT) {
        c->vit_patch = clip.vit_patch;
        c->vit_width = clip.vit_width;
        c->vit_layers = clip.vit_layers;
        c->vit_heads = clip.vit_heads;
    }
    c->pos_grid = clip.pos_grid;
    c->embed_dim = clip.embed_dim;
    c->text_width = clip.text_width;
    c->text_heads = clip.text_heads;
    c->text_layers = clip.text_layers;
    c->vocab_size = clip.vocab_size;
    c->context_length = clip.context_length;
    c->num_classes = CLASSES;
    OK(icseg_model_create(&out, &options, &error));
    return out;
}

static void wider_resnets_and_other_patches_initialise_a_segmentation_model(void **state) {
    icseg_weights_report report = {0};
    (void)state;
    write_weights(first, 1, NULL); /* RN50x4: widths that are not powers of 2 */
    icseg_model *model = segmentation_model(1);
    OK(icseg_weights_init_model(model, first, NULL, &report, &error));
    const icseg_param *p = icseg_params_find(model->params, "visual.layer3.1.bn2.running_var");
    static float expected[64], *values = expected;
    assert_true(p && p->data && p->count <= 64);
    fill(p->name, p->file_shape, values);
    assert_memory_equal(p->data, values, (size_t)p->count * sizeof *values);
    icseg_weights_report_close(&report);
    icseg_model_close(&model);
    write_weights(first, 3, NULL); /* ViT-B/32 */
    model = segmentation_model(3);
    OK(icseg_weights_init_model(model, first, NULL, NULL, &error));
    icseg_model_close(&model);
}

static bool drop_scale(const char *name, icseg_shape *shape, float *values) {
    (void)shape, (void)values;
    return strcmp(name, "logit_scale") != 0;
}

static void segmentation_models_contain_encoders_but_not_the_logit_scale(void **state) {
    float out[CLASSES];
    (void)state;
    icseg_model *model = test_model("tiny-vit", 4, 1);
    OK(icseg_model_save(model, first, &error));
    icseg_model_close(&model);
    write_weights(second, 0, drop_scale);
    for (int i = 0; i < 2; i++) {
        icseg_classifier_options options = options_for(i ? second : first, 0);
        icseg_classifier *c;
        options.templates = (const char *const[]){"{}"};
        options.template_count = 1;
        OK(icseg_classifier_open(&c, &options, NULL, &error));
        const icseg_classifier_info *info = icseg_classifier_describe(c);
        assert_true(info->logit_scale_missing && info->logit_scale == 100);
        assert_non_null(strstr(info->summary, "the weights do not contain one"));
        icseg_image image = make_image(400, 1); /* far wider than high */
        OK(icseg_classifier_run(c, &image, out, NULL, &error));
        icseg_image_close(&image);
        icseg_classifier_close(&c);
    }
}

/* ------------------------------------------------------------------------------------------------------- refusals */

static void refuses(const icseg_classifier_options *options, icseg_status wanted, const char *because) {
    icseg_classifier *c = (icseg_classifier *)first; /* must be cleared */
    icseg_status got = icseg_classifier_open(&c, options, NULL, &error);
    if (got != wanted || !strstr(error.message, because))
        fail_msg("status %s, \"%s\" lacks \"%s\"", icseg_status_name(got), error.message, because);
    assert_null(c);
}

static bool drop_projection(const char *name, icseg_shape *shape, float *values) {
    (void)shape, (void)values;
    return strcmp(name, "visual.attnpool.c_proj.bias") != 0;
}

static bool two_scales(const char *name, icseg_shape *shape, float *values) {
    (void)values;
    if (!strcmp(name, "visual.bn1.bias")) shape->dim[0] = 2; /* unchanged */
    if (!strcmp(name, "logit_scale")) *values = NAN;
    return true;
}

static void weights_without_all_of_clip_are_refused_by_name(void **state) {
    static const float some[4];
    (void)state;
    icseg_safetensors_entry entry = {"features.0.weight", ICSEG_F32, ICSEG_SHAPE(4), some, sizeof some};
    OK(icseg_safetensors_write(first, &entry, 1, NULL, 0, &error));
    icseg_classifier_options options = options_for(first, 0);
    refuses(&options, ICSEG_ERROR_FORMAT, "not CLIP weights");
    entry.name = "visual.conv1.weight";
    OK(icseg_safetensors_write(first, &entry, 1, NULL, 0, &error));
    refuses(&options, ICSEG_ERROR_UNSUPPORTED, "this is an image encoder alone");
    write_weights(first, 0, drop_projection);
    refuses(&options, ICSEG_ERROR_FORMAT, "visual.attnpool.c_proj.bias");
    write_weights(first, 0, two_scales);
    refuses(&options, ICSEG_ERROR_NUMERIC, "logit_scale is nan");
    options.weights = "/nonexistent.pt";
    refuses(&options, ICSEG_ERROR_IO, "/nonexistent.pt");
    options.weights = ICSEG_SOURCE_DIR "/tests/weights/openai_resnet.pt"; /* 32 tokens */
    refuses(&options, ICSEG_ERROR_IO, "does not contain a vocabulary");
    options.vocabulary = ICSEG_SOURCE_DIR "/tests/unit/data/clip_merges.txt";
    refuses(&options, ICSEG_ERROR_FORMAT, "the model has 32");
}

static void impossible_classes_and_templates_are_refused(void **state) {
    (void)state;
    write_weights(first, 3, NULL);
    icseg_classifier_options good = options_for(first, 0), o = good;
    o.class_count = 0;
    refuses(&o, ICSEG_ERROR_ARGUMENT, "class_names is empty");
    o.class_count = ICSEG_CLASSIFY_MAX_CLASSES + 1;
    refuses(&o, ICSEG_ERROR_ARGUMENT, "at most 16384");
    o = good;
    o.class_names = (const char *const[]){"cat", " , ", "dog"};
    refuses(&o, ICSEG_ERROR_ARGUMENT, "it does not contain a name");
    o.class_names = (const char *const[]){"cat", "caf\xe9", "dog"};
    refuses(&o, ICSEG_ERROR_ARGUMENT, "not UTF-8");
    o.class_names = (const char *const[]){"cat", "a name of so many letters that the text is too long", "dog"};
    refuses(&o, ICSEG_ERROR_ARGUMENT, "but the model accepts at most 46");
    o = good;
    o.templates = (const char *const[]){"a photo"};
    o.template_count = 1;
    refuses(&o, ICSEG_ERROR_ARGUMENT, "write {} where");
    o = good;
    o.weights = NULL;
    assert_int_equal(icseg_classifier_open(&(icseg_classifier *){NULL}, &o, NULL, &error), ICSEG_ERROR_ARGUMENT);
    assert_string_equal(error.message, "weights is NULL");
    o = good;
    o.synonyms = (icseg_synonyms_use)7;
    refuses(&o, ICSEG_ERROR_ARGUMENT, "synonyms is 7: not a value of icseg_synonyms_use");
    o = good;
    o.class_names = (const char *const[]){"cat", NULL, "dog"};
    refuses(&o, ICSEG_ERROR_ARGUMENT, "class_names[1] is NULL");
}

static void texts_are_encoded_as_they_are(void **state) {
    static const char *const texts[] = {"a cat, asleep; {}", "a dog, asleep; {}"};
    static const char *const names[] = {"cat", "dog"};
    float out[2][EMBED], one[EMBED];
    (void)state;
    write_weights(first, 3, NULL);
    icseg_classifier *c = open_classifier(first, 0);
    OK(icseg_classifier_encode_texts(c, texts, 2, out[0], &error));
    OK(icseg_classifier_encode_texts(c, texts + 1, 1, one, &error));
    icseg_classifier_options o = options_for(first, 0);
    o.class_names = names;
    o.class_count = 2;
    o.templates = (const char *const[]){"a {}, asleep; {}"}; /* both places are filled */
    o.template_count = 1;
    icseg_classifier *filled;
    OK(icseg_classifier_open(&filled, &o, NULL, &error));
    const float *other = icseg_classifier_describe(filled)->text;
    double squares = 0, same = 0, differ = 0;
    for (int i = 0; i < EMBED; i++) {
        squares += (double)out[1][i] * (double)out[1][i];
        same = fmax(same, fabs((double)(out[1][i] - one[i])));
        differ = fmax(differ, fabs((double)(out[1][i] - other[EMBED + i])));
    }
    assert_true(fabs(squares - 1) < 1e-6 && same < 1e-6 && differ > 1e-4);
    static const char *const equal[] = {"a cat, asleep; cat", "a dog, asleep; dog"};
    OK(icseg_classifier_encode_texts(c, equal, 2, out[0], &error));
    for (int k = 0; k < 2; k++)
        for (int i = 0; i < EMBED; i++) assert_true(fabs((double)(out[k][i] - other[k * EMBED + i])) < 1e-6);
    icseg_classifier_close(&filled);
    icseg_classifier_close(&c);
}

static void impossible_texts_are_refused(void **state) {
    static const struct {
        const char *text, *because;
    } bad[] = {
        {"", "texts[1]: "},
        {NULL, "texts[1] is NULL"},
        {"caf\xe9", "texts[1]: text \"caf...\": not UTF-8"},
        {"a text of so many letters that the model's context is too short for it", "the model accepts at most 46"}};
    float out[2 * EMBED];
    (void)state;
    write_weights(first, 3, NULL);
    icseg_classifier *c = open_classifier(first, 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *texts[] = {"cat", bad[i].text};
        assert_int_equal(icseg_classifier_encode_texts(c, texts, 2, out, &error), ICSEG_ERROR_ARGUMENT);
        if (!strstr(error.message, bad[i].because)) fail_msg("%s", error.message);
    }
    assert_int_equal(icseg_classifier_encode_texts(c, &(const char *){"cat"}, 0, out, &error), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_classifier_encode_texts(c, NULL, 1, out, &error), ICSEG_ERROR_ARGUMENT);
    icseg_classifier_close(&c);
}

static bool stop_late(void *user, const icseg_progress_event *event) {
    int *calls = user;
    assert_string_equal(event->stage, "encode texts");
    assert_true(event->done <= event->total && event->total == 900);
    return ++*calls < 3;
}

static void many_texts_are_encoded_in_batches_and_can_be_cancelled(void **state) {
    enum { MANY = 900 };
    static char names[MANY][24];
    static const char *list[MANY];
    int calls = 0;
    (void)state;
    for (int k = 0; k < MANY; k++) {
        snprintf(names[k], sizeof names[k], "class number %d", k);
        list[k] = names[k];
    }
    write_weights(first, 3, NULL);
    icseg_classifier_options one = options_for(first, 0), many = one;
    many.class_names = list;
    many.class_count = MANY;
    icseg_classifier *c, *alone;
    icseg_progress progress = {ICSEG_PROGRESS_INIT, .report = stop_late, .user = &calls};
    assert_int_equal(icseg_classifier_open(&c, &many, &progress, &error), ICSEG_ERROR_CANCELLED);
    assert_null(c);
    assert_int_equal(calls, 3);
    assert_non_null(strstr(error.message, " of 900 texts"));
    progress.struct_size = 1;
    assert_int_equal(icseg_classifier_open(&c, &many, &progress, &error), ICSEG_ERROR_ARGUMENT);
    assert_null(c);
    OK(icseg_classifier_open(&c, &many, NULL, &error));
    for (int k = 0; k < MANY; k += 299) { /* in any part: the same as alone */
        one.class_names = &list[k];
        one.class_count = 1;
        OK(icseg_classifier_open(&alone, &one, NULL, &error));
        for (int i = 0; i < EMBED; i++)
            assert_true(fabs((double)(icseg_classifier_describe(c)->text[k * EMBED + i] -
                                      icseg_classifier_describe(alone)->text[i])) < 1e-5);
        icseg_classifier_close(&alone);
    }
    icseg_classifier_close(&c);
}

static bool spoil(const char *name, icseg_shape *shape, float *values) {
    (void)shape;
    if (!strcmp(name, "visual.ln_post.weight")) values[3] = NAN;
    return true;
}

static void values_that_are_not_finite_are_reported(void **state) {
    float out[CLASSES];
    icseg_image image = make_image(40, 40), none = {0};
    (void)state;
    write_weights(first, 2, spoil);
    icseg_classifier *c = open_classifier(first, 0);
    assert_int_equal(icseg_classifier_run(c, &image, out, NULL, &error), ICSEG_ERROR_NUMERIC);
    assert_non_null(strstr(error.message, "first.safetensors: 1 element of visual.ln_post.weight is NaN or infinite"));
    assert_int_equal(icseg_classifier_run(c, &none, out, NULL, &error), ICSEG_ERROR_ARGUMENT);
    icseg_classifier_close(&c);
    icseg_image_close(&image);
}

/* Encoders are read when they are needed. */
static void weights_that_are_replaced_are_read_and_truncated_ones_are_an_error(void **state) {
    icseg_image image = image_at(0);
    float out[CLASSES], text[EMBED];
    (void)state;
    write_weights(first, 3, NULL);
    icseg_classifier *c = open_classifier(first, 1);
    write_weights(second, 2, NULL);
    assert_int_equal(rename(second, first), 0);
    OK(icseg_classifier_run(c, &image, out, NULL, &error));
    same_row(models[3].name, 1, "probabilities", 0, out, CLASSES, 1e-4);
    OK(icseg_classifier_encode_texts(c, &(const char *){"cat"}, 1, text, &error));
    icseg_classifier_close(&c);
    write_weights(first, 3, NULL);
    c = open_classifier(first, 1);
    assert_int_equal(truncate(first, 0), 0);
    assert_int_equal(icseg_classifier_run(c, &image, out, NULL, &error), ICSEG_ERROR_IO);
    assert_non_null(strstr(error.message, "first.safetensors: was changed or truncated while in use"));
    assert_int_equal(icseg_classifier_encode_texts(c, &(const char *){"cat"}, 1, text, &error), ICSEG_ERROR_IO);
    icseg_classifier_close(&c);
    icseg_image_close(&image);
}

static void running_out_of_memory_is_reported_and_leaks_nothing(void **state) {
    icseg_status status = ICSEG_ERROR_MEMORY;
    icseg_image image = image_at(0);
    (void)state;
    write_weights(first, 3, NULL);
    icseg_classifier_options options = options_for(first, 1);
    int64_t n = 0;
    for (; status != ICSEG_OK; n += 1 + n / 12) {
        icseg_classifier *c;
        float out[CLASSES], text[EMBED];
        icseg_memory_fail_after(n);
        status = icseg_classifier_open(&c, &options, NULL, &error);
        if (status == ICSEG_OK) status = icseg_classifier_run(c, &image, out, NULL, &error);
        if (status == ICSEG_OK) status = icseg_classifier_encode_texts(c, &(const char *){"cat"}, 1, text, &error);
        icseg_memory_fail_after(-1);
        if (status != ICSEG_OK) assert_int_equal(status, ICSEG_ERROR_MEMORY);
        if (c) { /* works again after a failed run */
            OK(icseg_classifier_run(c, &image, out, NULL, &error));
            same_row(models[3].name, 1, "probabilities", 0, out, CLASSES, 1e-4);
        }
        icseg_classifier_close(&c);
    }
    assert_true(n > 50); /* some allocations failed */
    icseg_image_close(&image);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_models_have_the_public_codes_embeddings_and_probabilities),
        cmocka_unit_test(resizing_equals_pillows_bit_for_bit),
        cmocka_unit_test(windows_outside_the_image_are_refused),
        cmocka_unit_test(converted_weights_produce_the_same_bits),
        cmocka_unit_test(heads_that_shapes_do_not_determine_are_kept_for_any_patch),
        cmocka_unit_test(wider_resnets_and_other_patches_initialise_a_segmentation_model),
        cmocka_unit_test(segmentation_models_contain_encoders_but_not_the_logit_scale),
        cmocka_unit_test(weights_without_all_of_clip_are_refused_by_name),
        cmocka_unit_test(impossible_classes_and_templates_are_refused),
        cmocka_unit_test(texts_are_encoded_as_they_are),
        cmocka_unit_test(impossible_texts_are_refused),
        cmocka_unit_test(many_texts_are_encoded_in_batches_and_can_be_cancelled),
        cmocka_unit_test(values_that_are_not_finite_are_reported),
        cmocka_unit_test(weights_that_are_replaced_are_read_and_truncated_ones_are_an_error),
        cmocka_unit_test(running_out_of_memory_is_reported_and_leaks_nothing),
    };
    return cmocka_run_group_tests_name("classify", tests, read_fixture, free_fixture);
}
