/* SPDX-License-Identifier: Apache-2.0
 * Models: initial weights from a seed, class names, sizes of images.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "inference/session.h"

enum { CLASSES = 3 };
static const char *const names[CLASSES] = {"sky", "brick wall", "caf\xc3\xa9"};

static icseg_model *small_model(uint64_t seed) {
    icseg_config config = {ICSEG_CONFIG_INIT};
    icseg_model_options options = {ICSEG_MODEL_OPTIONS_INIT, .config = &config, .class_names = names, .seed = seed};
    icseg_error error = {0};
    icseg_model *model;
    assert_int_equal(icseg_config_preset(&config, "tiny-resnet", &error), ICSEG_OK);
    config.resnet_width = 4;
    config.vocab_size = ICSEG_BYTE_VOCAB;
    config.num_classes = CLASSES;
    if (icseg_model_create(&model, &options, &error) != ICSEG_OK) fail_msg("%s", error.message);
    if (icseg_params_load(model->params, &error) != ICSEG_OK) fail_msg("%s", error.message);
    return model;
}

static void the_seed_makes_the_weights(void **state) {
    (void)state;
    icseg_model *a = small_model(1), *b = small_model(1), *c = small_model(2);
    const char *name = "visual.layer1.0.conv2.weight";
    size_t bytes = (size_t)icseg_params_find(a->params, name)->count * sizeof(float);
    const float *x = icseg_params_find(a->params, name)->data;
    assert_memory_equal(x, icseg_params_find(b->params, name)->data, bytes);
    assert_memory_not_equal(x, icseg_params_find(c->params, name)->data, bytes);
    icseg_model_close(&a);
    icseg_model_close(&b);
    icseg_model_close(&c);
}

static void names_that_cannot_be_tokenised_are_named(void **state) {
    (void)state;
    static const struct {
        const char *name, *message;
    } cases[] = {{NULL, "the name of class 1 is NULL"},
                 {"", "the name of class 1: "},
                 {"a\xff", "the name of class 1: text \"a...\": not UTF-8"}};
    icseg_config config = {ICSEG_CONFIG_INIT};
    const char *wrong[CLASSES] = {"sky", NULL, "sea"};
    icseg_model_options options = {ICSEG_MODEL_OPTIONS_INIT, .config = &config, .class_names = wrong};
    icseg_error error;
    icseg_model *model;
    assert_int_equal(icseg_config_preset(&config, "tiny-resnet", &error), ICSEG_OK);
    config.vocab_size = ICSEG_BYTE_VOCAB;
    config.num_classes = CLASSES;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        wrong[1] = cases[i].name;
        assert_int_equal(icseg_model_create(&model, &options, &error), ICSEG_ERROR_ARGUMENT);
        assert_null(model);
        assert_non_null(strstr(error.message, cases[i].message));
    }
    wrong[1] = "road";
    options.tokenizer = (icseg_tokenizer_kind)9;
    assert_int_equal(icseg_model_create(&model, &options, &error), ICSEG_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "tokenizer is 9"));
}

static void images_too_small_are_refused(void **state) {
    (void)state;
    icseg_model *model = small_model(1);
    icseg_session_cost cost = {ICSEG_SESSION_COST_INIT};
    icseg_error error = {0};
    icseg_session *session;
    assert_int_equal(icseg_session_open(&session, model, NULL, &error), ICSEG_OK);
    assert_int_equal(icseg_session_cost_at(session, 1, 31, 64, &cost, &error), ICSEG_ERROR_SHAPE);
    assert_non_null(strstr(error.message, "at least 32"));
    assert_int_equal(icseg_session_cost_at(session, 1, 32, 33, &cost, &error), ICSEG_OK);
    assert_true(cost.flops > 1e6 && cost.activations < cost.unplanned && cost.parameters > cost.trainable);
    icseg_session_close(&session);
    icseg_model_close(&model);
}

static void a_configuration_and_names_are_required(void **state) {
    (void)state;
    icseg_config config = {ICSEG_CONFIG_INIT};
    icseg_model_options options = {ICSEG_MODEL_OPTIONS_INIT, .class_names = names};
    icseg_error error;
    icseg_model *model;
    assert_int_equal(icseg_model_create(&model, &options, &error), ICSEG_ERROR_ARGUMENT);
    assert_string_equal(error.message, "config is NULL");
    assert_string_equal(error.field, "config");
    assert_int_equal(icseg_config_preset(&config, "tiny-resnet", &error), ICSEG_OK);
    options = (icseg_model_options){ICSEG_MODEL_OPTIONS_INIT, .config = &config};
    assert_int_equal(icseg_model_create(&model, &options, &error), ICSEG_ERROR_ARGUMENT);
    assert_string_equal(error.message, "class_names is NULL");
    assert_string_equal(error.field, "class_names");
    assert_null(model);
}

/* SOS, the prompt "a photo of a " of `prefix` tokens, the name and EOS must fit the context. */
static void a_name_too_long_for_the_context_is_named(void **state) {
    (void)state;
    static const char *const long_names[CLASSES] = {"sky", "0123456789012345678901234567890123456789", "sea"};
    static const char *const synonyms[CLASSES] = {"sky, heaven", "0123456789012345678901234567890123456789, x", "sea"};
    icseg_config config = {ICSEG_CONFIG_INIT};
    icseg_model_options options = {ICSEG_MODEL_OPTIONS_INIT, .config = &config, .class_names = long_names};
    icseg_error error = {0};
    icseg_model *model;
    assert_int_equal(icseg_config_preset(&config, "tiny-resnet", &error), ICSEG_OK);
    config.resnet_width = 4;
    config.vocab_size = ICSEG_BYTE_VOCAB;
    config.num_classes = CLASSES;
    config.context_length = 20;
    assert_int_equal(icseg_model_create(&model, &options, &error), ICSEG_ERROR_CONFIG);
    if (!strstr(error.message, "the name of class 1 has 40 tokens; with ")) fail_msg("%s", error.message);
    options.class_synonyms = synonyms;
    assert_int_equal(icseg_model_create(&model, &options, &error), ICSEG_ERROR_CONFIG);
    if (!strstr(error.message, "a name of class 1 has 40 tokens; with ")) fail_msg("%s", error.message);
    options.class_synonyms = (const char *const[]){"sky", "a\xff", "sea"};
    assert_int_equal(icseg_model_create(&model, &options, &error), ICSEG_ERROR_ARGUMENT);
    if (!strstr(error.message, "the name of class 1")) fail_msg("%s", error.message);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_seed_makes_the_weights),
        cmocka_unit_test(names_that_cannot_be_tokenised_are_named),
        cmocka_unit_test(images_too_small_are_refused),
        cmocka_unit_test(a_configuration_and_names_are_required),
        cmocka_unit_test(a_name_too_long_for_the_context_is_named),
    };
    return cmocka_run_group_tests_name("model", tests, NULL, NULL);
}
