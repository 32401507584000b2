/* SPDX-License-Identifier: Apache-2.0
 * Small models and images for tests that run a whole network. */
#include "support/models.h"

#include <math.h>
#include <omp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/memory.h"

enum { MAX_CLASSES = 400 };

/* With initial weights all pixels have nearly the same logits. So matrices are redrawn at a scale that preserves
 * the signal, and the classifier at a larger one. */
static void scramble(icseg_model *m, uint64_t seed) {
    for (int64_t i = 0; i < icseg_params_count(m->params); i++) {
        icseg_param *p = icseg_params_at(m->params, i);
        icseg_rng rng = icseg_rng_open(seed, ICSEG_RNG_TEST, (uint64_t)i);
        if (p->shape.rank < 2 || strstr(p->name, "token_embedding") || strstr(p->name, "positional")) continue;
        bool classifier = p->file_shape.dim[0] == m->config.num_classes;
        float scale = (classifier ? 20.0f : 1.4f) / sqrtf((float)(p->count / p->file_shape.dim[0]));
        for (int64_t k = 0; k < p->count; k++) p->data[k] = scale * icseg_rng_normal(&rng);
        p->version++;
    }
}

static icseg_model *create(const char *preset, const char *json, int32_t classes, const char *const *names,
                           const char *const *synonyms, uint64_t seed) {
    icseg_config config = {ICSEG_CONFIG_INIT};
    icseg_model_options options = {ICSEG_MODEL_OPTIONS_INIT, .config = &config, .class_names = names,
                                   .class_synonyms = synonyms, .seed = seed};
    icseg_error error = {0};
    icseg_model *model;
    assert_int_equal(icseg_config_preset(&config, preset, &error), ICSEG_OK);
    config.vocab_size = 258;
    config.num_classes = classes;
    if (icseg_config_update_json(&config, json, &error) != ICSEG_OK) fail_msg("%s", error.message);
    if (icseg_model_create(&model, &options, &error) != ICSEG_OK) fail_msg("%s", error.message);
    if (icseg_params_load(model->params, &error) != ICSEG_OK) fail_msg("%s", error.message);
    scramble(model, seed);
    return model;
}

icseg_model *test_model_of(const char *preset, int32_t classes, const char *const *names, const char *const *synonyms,
                           uint64_t seed) {
    return create(preset, "{}", classes, names, synonyms, seed);
}

icseg_model *test_model(const char *preset, int32_t classes, uint64_t seed) {
    return test_model_with(preset, "{}", classes, seed);
}

icseg_model *test_model_with(const char *preset, const char *json, int32_t classes, uint64_t seed) {
    static char names[MAX_CLASSES][24];
    const char *list[MAX_CLASSES];
    assert_true(classes <= MAX_CLASSES);
    for (int32_t k = 0; k < classes; k++) {
        snprintf(names[k], sizeof names[k], "class%d", k);
        list[k] = names[k];
    }
    return create(preset, json, classes, list, NULL, seed);
}

icseg_session *test_session(icseg_model *model, icseg_precision precision) {
    icseg_session_options options = {ICSEG_SESSION_OPTIONS_INIT, .threads = omp_get_max_threads(),
                                     .precision = precision};
    icseg_error error = {0};
    icseg_session *session;
    if (icseg_session_open(&session, model, &options, &error) != ICSEG_OK) fail_msg("%s", error.message);
    return session;
}

icseg_image test_image(int32_t width, int32_t height, uint64_t seed) {
    icseg_rng rng = icseg_rng_open(seed, ICSEG_RNG_TEST, 1u << 20);
    icseg_image image;
    icseg_error error;
    float wave[3][3];
    assert_int_equal(icseg_image_create(&image, width, height, &error), ICSEG_OK);
    for (int c = 0; c < 3; c++)
        for (int i = 0; i < 3; i++) wave[c][i] = icseg_rng_range(&rng, 0.02f, 0.2f);
    for (int32_t y = 0; y < height; y++)
        for (int32_t x = 0; x < width; x++)
            for (int c = 0; c < 3; c++) {
                float v = sinf(wave[c][0] * (float)x + wave[c][1] * (float)y + 9 * wave[c][2]);
                image.data[((size_t)y * (size_t)width + (size_t)x) * 3 + (size_t)c] =
                    (uint8_t)(127 + 100 * v + icseg_rng_range(&rng, -20, 20));
            }
    return image;
}
