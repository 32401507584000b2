/* SPDX-License-Identifier: Apache-2.0
 * Signals that arrive while the library computes. The matrix products of some versions of oneDNN use the stack pointer
 * as a pointer to their data, and the kernel would write a handler's frame there (oneDNN issue 4845). */
#include <omp.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <ucontext.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/signals.h"
#include "icseg/session.h"
#include "icseg/synth.h"
#include "icseg/train.h"
#include "support/dataset_files.h"

enum { TEAM = 2, STEPS = 3, PERIOD = 100 }; /* threads, steps, microseconds between signals */

static test_folder folder;
static char data_path[96];

/* -- the host's handler, which runs on a stack of its own so that a fault is counted and harms nothing */

static pthread_t host;
static uintptr_t stack_begin, stack_size; /* of the host's thread; size: of every thread */
static atomic_int arrived, off_stack;     /* a thread of the team may receive a signal between two calls */

static void on_alarm(int number, siginfo_t *info, void *context) {
    (void)number;
    (void)info;
    arrived++;
#if defined __x86_64__ && defined __GLIBC__
    uintptr_t stack = (uintptr_t)((ucontext_t *)context)->uc_mcontext.gregs[REG_RSP], self = (uintptr_t)pthread_self();
    uintptr_t begin = pthread_equal(pthread_self(), host) ? stack_begin : self - stack_size; /* glibc: below `self` */
    if (stack - begin >= stack_size) off_stack++;
#else
    (void)context;
#endif
}

/* From now on, signals arrive in turn at whichever thread does not block them; 0: never. */
static void set_timer(int microseconds) {
    struct itimerval timer = {{0, microseconds}, {0, microseconds}};
    assert_int_equal(setitimer(ITIMER_REAL, &timer, NULL), 0);
}

static void assert_harmless(void) {
    set_timer(0);
    print_message("%d signals, %d while the stack pointer was elsewhere\n", (int)arrived, (int)off_stack);
    assert_int_equal(off_stack, 0);
    assert_true(arrived > 1); /* not only at the end */
}

/* -- the library's work */

static icseg_recipe *small_recipe(int threads) {
    char text[512];
    icseg_recipe *recipe;
    icseg_error error;
    int size = snprintf(text, sizeof text,
                        "model: {preset: tiny-resnet, context_length: 40, dropout: 0.1}\n"
                        "data: {folder: '%s', loader_threads: 2}\n"
                        "augment: {crop: [64, 64], resize_short: 0}\n"
                        "train: {steps: %d, batch: 2, warmup: 1, threads: %d, eval_every: 2}\n"
                        "eval: {resize_short: 0}\n",
                        data_path, STEPS, threads);
    if (icseg_recipe_open_text(&recipe, "recipe", text, (size_t)size, &error) != ICSEG_OK)
        fail_msg("%s", error.message);
    return recipe;
}

static void train(const char *run, int threads, const icseg_progress *progress) {
    icseg_recipe *recipe = small_recipe(threads);
    icseg_train_options o = {ICSEG_TRAIN_OPTIONS_INIT, .out = test_path(&folder, run)};
    icseg_error error;
    if (icseg_train(recipe, &o, progress, NULL, &error) != ICSEG_OK) fail_msg("%s", error.message);
    icseg_recipe_close(&recipe);
}

static void training_is_undisturbed(void **state) {
    unsigned char *data[2];
    size_t size[2];
    (void)state;
    train("quiet", TEAM, NULL);
    set_timer(PERIOD);
    train("disturbed", TEAM, NULL);
    assert_harmless();
    assert_int_equal(
        icseg_file_read(test_path(&folder, "quiet/checkpoint.safetensors"), 1 << 28, &data[0], &size[0], NULL),
        ICSEG_OK);
    assert_int_equal(
        icseg_file_read(test_path(&folder, "disturbed/checkpoint.safetensors"), 1 << 28, &data[1], &size[1], NULL),
        ICSEG_OK);
    assert_int_equal(size[0], size[1]);
    assert_memory_equal(data[0], data[1], size[0]);
    for (int i = 0; i < 2; i++) icseg_free(data[i]);
}

static void a_session_is_undisturbed(void **state) {
    enum { W = 96, H = 64, RUNS = 20 };
    static uint8_t pixels[H * W * 3];
    icseg_model *model;
    icseg_session *session;
    icseg_error error;
    (void)state;
    for (size_t i = 0; i < sizeof pixels; i++) pixels[i] = (uint8_t)(i * i >> 3);
    if (icseg_model_open(&model, test_path(&folder, "quiet/checkpoint.safetensors"), &error) != ICSEG_OK)
        fail_msg("%s", error.message);
    icseg_session_options o = {ICSEG_SESSION_OPTIONS_INIT, .threads = TEAM};
    assert_int_equal(icseg_session_open(&session, model, &o, NULL), ICSEG_OK);
    icseg_image image = {W, H, pixels};
    icseg_labels labels[2] = {{0}};
    assert_int_equal(icseg_session_predict(session, &image, NULL, &labels[0], NULL, NULL), ICSEG_OK);
    set_timer(PERIOD);
    for (int i = 0; i < RUNS; i++) {
        assert_int_equal(icseg_session_predict(session, &image, NULL, &labels[1], NULL, NULL), ICSEG_OK);
        assert_memory_equal(labels[1].data, labels[0].data, (size_t)W * H * sizeof *labels[0].data);
        icseg_labels_close(&labels[1]);
    }
    assert_harmless();
    icseg_labels_close(&labels[0]);
    icseg_session_close(&session);
    icseg_model_close(&model);
}

static void signals_wait(void **state) {
    (void)state;
    arrived = 0;
    icseg_signals_block();
    icseg_signals_block();
    raise(SIGALRM);
    assert_int_equal(arrived, 0);
    icseg_signals_deliver();
    assert_int_equal(arrived, 1);
    raise(SIGALRM);
    icseg_signals_restore();
    assert_int_equal(arrived, 1);
    int suspended = icseg_signals_suspend();
    assert_int_equal(arrived, 2);
    icseg_signals_resume(suspended);
    raise(SIGALRM);
    assert_int_equal(arrived, 2);
    icseg_signals_restore();
    assert_int_equal(arrived, 3);
}

/* -- the host's masks */

static bool is_blocked(void) {
    sigset_t now;
    pthread_sigmask(SIG_BLOCK, NULL, &now);
    return sigismember(&now, SIGALRM) == 1;
}

static bool report(void *user, const icseg_progress_event *event) {
    (void)event;
    *(int *)user += is_blocked() ? 1000 : 1;
    return true;
}

static void message(void *user, icseg_message_level level, const char *text) {
    (void)level;
    (void)text;
    *(int *)user += is_blocked() ? 1000 : 1;
}

static void callbacks_have_the_hosts_mask(void **state) {
    int calls = 0;
    icseg_progress progress = {ICSEG_PROGRESS_INIT, report, message, &calls};
    (void)state;
    train("reported", TEAM, &progress);
    assert_in_range(calls, 2, 999);
}

/* Also of threads whose own masks differ from the host's, and of those that OpenMP starts for the library. */
static void masks_become_what_they_were(void **state) {
    int blocked[TEAM + 1] = {0};
    sigset_t alarm;
    (void)state;
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
#pragma omp parallel num_threads(TEAM)
    if (omp_get_thread_num() == 1) pthread_sigmask(SIG_BLOCK, &alarm, NULL);
    train("masks", TEAM + 1, NULL);
#pragma omp parallel num_threads(TEAM + 1)
    blocked[omp_get_thread_num()] = is_blocked();
    assert_int_equal(blocked[0], 0);
    assert_int_equal(blocked[1], 1);
    assert_int_equal(blocked[2], 0);
#pragma omp parallel num_threads(TEAM)
    if (omp_get_thread_num() == 1) pthread_sigmask(SIG_UNBLOCK, &alarm, NULL);
}

/* -- */

/* The threads of this team receive signals when the library's work begins. */
static int set_up(void **state) {
    static uint8_t other_stack[1 << 16];
    stack_t stack = {.ss_sp = other_stack, .ss_size = sizeof other_stack};
    struct sigaction action = {.sa_sigaction = on_alarm, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
    pthread_attr_t attributes;
    void *begin;
    size_t size;
    (void)state;
    folder = test_dataset_open("");
    snprintf(data_path, sizeof data_path, "%s/data", folder.path);
    icseg_synth_options o = {
        ICSEG_SYNTH_OPTIONS_INIT, .folder = data_path, .train = 4, .val = 2, .width = 96, .height = 64};
    host = pthread_self();
    if (pthread_getattr_np(host, &attributes) != 0 || pthread_attr_getstack(&attributes, &begin, &size) != 0) return -1;
    pthread_attr_destroy(&attributes);
    stack_begin = (uintptr_t)begin;
    stack_size = size;
    sigaltstack(&stack, NULL);
    sigaction(SIGALRM, &action, NULL);
#pragma omp parallel num_threads(TEAM)
    __asm__ volatile("");
    return icseg_synth_write(&o, NULL, NULL) == ICSEG_OK ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    test_dataset_close(&folder);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(training_is_undisturbed), /* whose model the next test opens */
        cmocka_unit_test(a_session_is_undisturbed),      cmocka_unit_test(signals_wait),
        cmocka_unit_test(callbacks_have_the_hosts_mask), cmocka_unit_test(masks_become_what_they_were),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
