/* SPDX-License-Identifier: Apache-2.0
 * Class embeddings that do not depend on the image are computed once, and again when their parameters change.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "support/models.h"

enum { SIDE = 64, CLASSES = 3 };

static icseg_error error;

static void ok(icseg_status status) {
    if (status != ICSEG_OK) fail_msg("%s", error.message);
}

static icseg_model *model_with(icseg_prompt prompt, bool post_prompt) {
    static const char *const names[CLASSES] = {"sky", "a long name", "road"};
    icseg_config config = {ICSEG_CONFIG_INIT};
    icseg_model_options options = {ICSEG_MODEL_OPTIONS_INIT, .config = &config, .class_names = names, .seed = 5};
    icseg_model *m;
    ok(icseg_config_preset(&config, "tiny-resnet", &error));
    config.vocab_size = 258;
    config.num_classes = CLASSES;
    config.prompt = prompt;
    config.post_prompt = post_prompt;
    ok(icseg_model_create(&m, &options, &error));
    ok(icseg_params_load(m->params, &error));
    return m;
}

/* Class embeddings and logits of one image of this width. */
static int64_t outputs(icseg_session *session, int64_t width, int32_t plain, float *out) {
    static float image[SIDE * 2 * SIDE * 3];
    icseg_network_options options;
    icseg_prepared_network *s;
    int64_t at = 0;
    icseg_rng rng = icseg_rng_open(9, ICSEG_RNG_TEST, 0);
    for (size_t i = 0; i < sizeof image / sizeof *image; i++) image[i] = icseg_rng_normal(&rng);
    memset(&options, 0, sizeof options);
    options.batch = 1;
    options.height = SIDE;
    options.width = width;
    options.keep = ICSEG_KEEP_OUTPUTS;
    options.plain = plain;
    ok(icseg_session_network(session, &options, &s, &error));
    icseg_executor_bind(s->executor, s->network.image, image);
    ok(icseg_executor_run(s->executor, 0, 0, &error));
    icseg_value values[] = {s->network.text, s->network.logits};
    for (int v = 0; v < 2; v++) {
        int64_t count = icseg_graph_value(s->graph, values[v])->count;
        memcpy(out + at, icseg_executor_data(s->executor, values[v]), (size_t)count * sizeof *out);
        at += count;
    }
    return at;
}

static void same_as_plain(icseg_session *session, int64_t width) {
    static float plain[1 << 18], cached[1 << 18];
    double difference = 0, norm = 0;
    int64_t count = outputs(session, width, 1, plain);
    assert_int_equal(outputs(session, width, 0, cached), count);
    for (int64_t i = 0; i < count; i++) {
        difference += pow((double)plain[i] - (double)cached[i], 2);
        norm += pow((double)plain[i], 2);
    }
    assert_true(norm > 0);
    if (!(sqrt(difference / norm) <= 1e-5)) fail_msg("they differ by %g", sqrt(difference / norm));
}

static void change(icseg_model *m, const char *name) {
    icseg_param *p = icseg_params_find(m->params, name);
    if (!p) fail_msg("the model does not have %s", name);
    for (int64_t i = 0; i < p->count; i++) p->data[i] = 1.3f * p->data[i] + 0.02f;
    p->version++;
}

static void fixed_text_is_computed_once_and_follows_its_parameters(void **state) {
    static const icseg_prompt prompts[] = {ICSEG_PROMPT_TEMPLATE, ICSEG_PROMPT_STATIC, ICSEG_PROMPT_STATIC};
    (void)state;
    for (int i = 0; i < 3; i++) {
        icseg_model *m = model_with(prompts[i], i == 2);
        icseg_session *session = test_session(m, ICSEG_PRECISION_F32);
        same_as_plain(session, SIDE);
        uint64_t version = session->text->text_version;
        assert_true(version > 0);
        session->text->text[0] += 100; /* a mark that a second computation would overwrite */
        float mark = session->text->text[0];
        static float out[1 << 18];
        outputs(session, 2 * SIDE, 0, out);
        assert_true(session->text->text[0] == mark);
        session->text->text[0] -= 100;
        change(m, "ln_final.bias");
        same_as_plain(session, SIDE);
        assert_true(session->text->text_version > version);
        if (prompts[i] != ICSEG_PROMPT_TEMPLATE) change(m, "prompt.context");
        same_as_plain(session, 2 * SIDE);
        icseg_session_close(&session);
        icseg_model_close(&m);
    }
}

static void text_of_instance_prompts_is_not_cached(void **state) {
    icseg_model *m = model_with(ICSEG_PROMPT_INSTANCE, false);
    icseg_session *session = test_session(m, ICSEG_PRECISION_F32);
    (void)state;
    same_as_plain(session, SIDE);
    assert_null(session->text);
    icseg_session_close(&session);
    icseg_model_close(&m);
}

static void every_failed_allocation_is_reported(void **state) {
    icseg_network_options options;
    icseg_status status = ICSEG_ERROR_MEMORY;
    (void)state;
    memset(&options, 0, sizeof options);
    options.batch = 1;
    options.height = options.width = SIDE;
    int64_t n = 0;
    for (; status != ICSEG_OK; n += 5) {
        icseg_model *m = model_with(ICSEG_PROMPT_TEMPLATE, false);
        icseg_session *session = test_session(m, ICSEG_PRECISION_F32);
        icseg_prepared_network *s;
        icseg_memory_fail_after(n);
        status = icseg_session_network(session, &options, &s, &error);
        icseg_memory_fail_after(-1);
        if (status != ICSEG_OK) {
            assert_int_equal(status, ICSEG_ERROR_MEMORY);
            same_as_plain(session, SIDE);
        }
        icseg_session_close(&session);
        icseg_model_close(&m);
        n += n / 4;
    }
    assert_true(n > 50); /* some allocations failed */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fixed_text_is_computed_once_and_follows_its_parameters),
        cmocka_unit_test(text_of_instance_prompts_is_not_cached),
        cmocka_unit_test(every_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests_name("cached text", tests, NULL, NULL);
}
