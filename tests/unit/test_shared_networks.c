/* SPDX-License-Identifier: Apache-2.0
 * Sessions of a model with the same settings share its networks and class embeddings; the last one frees them. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "inference/session.h"
#include "support/models.h"

enum { SIDE = 64, CLASSES = 3, SESSIONS = 4 };

static icseg_error error;

static void ok(icseg_status status) {
    if (status != ICSEG_OK) fail_msg("%s", error.message);
}

static icseg_model *open_model(void) {
    static const char *const names[CLASSES] = {"sky", "tree", "road"};
    icseg_config config = {ICSEG_CONFIG_INIT};
    icseg_model_options options = {ICSEG_MODEL_OPTIONS_INIT, .config = &config, .class_names = names, .seed = 5};
    icseg_model *m;
    ok(icseg_config_preset(&config, "tiny-resnet", &error));
    config.vocab_size = 258;
    config.num_classes = CLASSES;
    config.prompt = ICSEG_PROMPT_STATIC; /* class embeddings do not depend on the image */
    ok(icseg_model_create(&m, &options, &error));
    return m;
}

static icseg_session *open_session(icseg_model *m, int32_t threads) {
    icseg_session_options options = {ICSEG_SESSION_OPTIONS_INIT, .threads = threads};
    icseg_session *s;
    ok(icseg_session_open(&s, m, &options, &error));
    return s;
}

static void prepare(icseg_session *session, int64_t width, int32_t training) {
    icseg_network_options options;
    icseg_prepared_network *n;
    memset(&options, 0, sizeof options);
    options.batch = 1;
    options.height = SIDE;
    options.width = width;
    options.keep = ICSEG_KEEP_LOGITS;
    options.training = training;
    ok(icseg_session_network(session, &options, &n, &error));
}

/* Number of networks, and of the sessions that use them. */
static int count(const icseg_model *m, int *sessions) {
    int networks = 0;
    *sessions = 0;
    for (const icseg_built_network *n = m->networks; n; n = n->next) {
        networks++;
        *sessions += n->sessions;
    }
    return networks;
}

static void expect(const icseg_model *m, int networks, int sessions) {
    int users;
    assert_int_equal(count(m, &users), networks);
    assert_int_equal(users, sessions);
}

static void sessions_share_what_is_equal(void **state) {
    icseg_model *m = open_model();
    icseg_session *a = open_session(m, 1), *b = open_session(m, 1), *c = open_session(m, 2);
    (void)state;
    expect(m, 0, 0);
    prepare(a, SIDE, 0);
    expect(m, 2, 2); /* one of the image, one of the text */
    prepare(b, SIDE, 0);
    expect(m, 2, 4);
    assert_ptr_equal(a->text, b->text);
    prepare(b, SIDE, 0);
    expect(m, 2, 4);
    prepare(c, SIDE, 0); /* kernels are prepared for a number of threads */
    expect(m, 4, 6);
    prepare(b, 2 * SIDE, 0);
    expect(m, 5, 7);
    prepare(a, SIDE, 1); /* a run changes running statistics */
    prepare(b, SIDE, 1);
    expect(m, 7, 9);
    icseg_session_close(&a);
    expect(m, 6, 6);
    icseg_session_close(&b);
    expect(m, 2, 2);
    icseg_session_close(&c);
    expect(m, 0, 0);
    icseg_model_close(&m);
}

static void the_text_is_computed_once_for_all_sessions(void **state) {
    icseg_model *m = open_model();
    icseg_session *a = open_session(m, 1), *b = open_session(m, 1);
    const float *first, *second;
    (void)state;
    ok(icseg_session_text(a, &first, &error));
    a->text->text[0] += 100; /* a mark that a second computation would overwrite */
    float mark = first[0];
    ok(icseg_session_text(b, &second, &error));
    assert_ptr_equal(first, second);
    assert_true(second[0] == mark);
    icseg_session_close(&a);
    assert_true(second[0] == mark);
    icseg_session_close(&b);
    icseg_model_close(&m);
}

typedef struct worker {
    icseg_session *session;
    const icseg_image *image;
    icseg_labels labels;
    icseg_status status;
} worker;

static void *label(void *user) {
    worker *w = user;
    for (int i = 0; i < 5; i++) {
        icseg_labels_close(&w->labels);
        w->status = icseg_session_predict(w->session, w->image, NULL, &w->labels, NULL, NULL);
        if (w->status != ICSEG_OK) break;
    }
    return NULL;
}

/* Different images at the same time, through one network. */
static void threads_run_one_network_on_different_images(void **state) {
    icseg_model *m = open_model();
    worker workers[SESSIONS] = {{0}};
    icseg_image image[SESSIONS];
    pthread_t thread[SESSIONS];
    (void)state;
    for (int i = 0; i < SESSIONS; i++) {
        ok(icseg_image_create(&image[i], SIDE, SIDE, &error));
        for (int j = 0; j < SIDE * SIDE * 3; j++) image[i].data[j] = (unsigned char)(j * (i + 3) * 7919 >> 5);
        workers[i].session = open_session(m, 1);
        workers[i].image = &image[i];
    }
    for (int i = 0; i < SESSIONS; i++) assert_int_equal(pthread_create(&thread[i], NULL, label, &workers[i]), 0);
    for (int i = 0; i < SESSIONS; i++) pthread_join(thread[i], NULL);
    icseg_session *alone = open_session(m, 1);
    for (int i = 0; i < SESSIONS; i++) {
        icseg_labels expected;
        assert_int_equal(workers[i].status, ICSEG_OK);
        ok(icseg_session_predict(alone, &image[i], NULL, &expected, NULL, &error));
        assert_memory_equal(workers[i].labels.data, expected.data, SIDE * SIDE * sizeof *expected.data);
        icseg_labels_close(&expected);
        icseg_labels_close(&workers[i].labels);
        icseg_session_close(&workers[i].session);
        icseg_image_close(&image[i]);
    }
    icseg_session_close(&alone);
    icseg_model_close(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sessions_share_what_is_equal),
        cmocka_unit_test(the_text_is_computed_once_for_all_sessions),
        cmocka_unit_test(threads_run_one_network_on_different_images),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
