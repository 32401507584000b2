/* SPDX-License-Identifier: Apache-2.0
 * One model, four threads, four sessions: all label the same image at the same time. Checks that each gets the same
 * bits as one session alone, and that each session besides the first needs no more memory than its working memory and
 * 512 KiB. docs/library.md explains it. Compiles as C11 and as C++17. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <icseg/icseg.h>

enum { THREADS = 4, RUNS = 3 };

/* Memory of a thread that is not its session's: its stack, its heap's reserve, and the labels that the caller keeps. */
static const size_t of_thread = 512 << 10;

/* The state of one thread: its own session, and its own labels of the image. */
typedef struct worker {
    icseg_model *model;
    const icseg_image *image;
    icseg_labels labels;
    icseg_session_cost cost;
    icseg_status status;
    icseg_error error;
} worker;

static void *label(void *user) {
    worker *w = (worker *)user;
    icseg_session *session = NULL;
    icseg_session_options options = {ICSEG_SESSION_OPTIONS_INIT};
    icseg_eval_options own_size = {ICSEG_EVAL_OPTIONS_INIT}; /* the whole image, not resized: what cost_at measures */
    options.threads = 1; /* results depend on this number and not on the host's settings */
    w->cost.struct_size = sizeof w->cost;
    w->status = icseg_session_open(&session, w->model, &options, &w->error);
    if (w->status == ICSEG_OK)
        w->status = icseg_session_cost_at(session, 1, w->image->height, w->image->width, &w->cost, &w->error);
    for (int i = 0; i < RUNS && w->status == ICSEG_OK; i++) {
        icseg_labels_close(&w->labels);
        w->status = icseg_session_predict(session, w->image, &own_size, &w->labels, NULL, &w->error);
    }
    icseg_session_close(&session);
    return NULL;
}

/* The largest memory this process has had, in bytes. */
static size_t peak(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (size_t)usage.ru_maxrss * 1024;
}

static int same(const worker *a, const worker *b) {
    size_t pixels = (size_t)a->labels.width * (size_t)a->labels.height;
    return !memcmp(a->labels.data, b->labels.data, pixels * sizeof *a->labels.data);
}

/* Runs `count` threads at once; returns the status of the first that failed. */
static icseg_status run_threads(worker *workers, int count, icseg_error *error) {
    pthread_t thread[THREADS];
    icseg_status status = ICSEG_OK;
    int started = 0;
    while (started < count && pthread_create(&thread[started], NULL, label, &workers[started]) == 0) started++;
    for (int i = 0; i < started; i++) pthread_join(thread[i], NULL);
    if (started < count) return icseg_error_set(error, ICSEG_ERROR_MEMORY, "cannot start a thread");
    for (int i = count - 1; i >= 0; i--) {
        if (workers[i].status == ICSEG_OK) continue;
        status = workers[i].status;
        *error = workers[i].error;
    }
    return status;
}

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: threads CHECKPOINT IMAGE\n");
        return 2;
    }
    static worker alone, together[THREADS];
    static icseg_error error;
    static icseg_image image;
    icseg_model *model = NULL;
    size_t one = 0, all = 0, allowed = 0;
    int equal = 1;

    icseg_status status = icseg_model_open(&model, argv[1], &error);
    if (status == ICSEG_OK) status = icseg_image_read(&image, argv[2], &error);
    if (status == ICSEG_OK) {
        alone.model = model;
        alone.image = &image;
        status = run_threads(&alone, 1, &error);
        one = peak();
    }
    if (status == ICSEG_OK) {
        for (int i = 0; i < THREADS; i++) {
            together[i].model = model;
            together[i].image = &image;
        }
        status = run_threads(together, THREADS, &error);
        all = peak();
        allowed = one + (THREADS - 1) * (alone.cost.activations + alone.cost.scratch);
    }
    if (status == ICSEG_OK) {
        for (int i = 0; i < THREADS; i++) equal = equal && same(&alone, &together[i]);
        printf("%d sessions, %s bits as one session\n", THREADS, equal ? "the same" : "DIFFERENT");
        printf("peak memory %.1f MiB; one session %.1f MiB, with three times its working memory %.1f MiB\n",
               (double)all / (1 << 20), (double)one / (1 << 20), (double)allowed / (1 << 20));
    } else {
        fprintf(stderr, "threads: %s error: %s\n", icseg_status_name(status), error.message);
    }
    icseg_labels_close(&alone.labels);
    for (int i = 0; i < THREADS; i++) icseg_labels_close(&together[i].labels);
    icseg_image_close(&image);
    icseg_model_close(&model);
    return status == ICSEG_OK && equal && all <= allowed + (THREADS - 1) * of_thread ? EXIT_SUCCESS : EXIT_FAILURE;
}
