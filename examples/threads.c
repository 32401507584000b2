/* SPDX-License-Identifier: Apache-2.0
 * One model, four threads, four sessions. First the threads take turns, so that one session is open at a time; then all
 * label the same image at once. Checks that each session finds the same labels both times, and that three more sessions
 * need no more memory than three times their activations and scratch memory. docs/library.md explains it. Compiles as
 * C11 and as C++17. */
#define _POSIX_C_SOURCE 200809L /* pthread_barrier_t */

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <icseg/icseg.h>

enum { THREADS = 4, RUNS = 3 };

/* What the threads share. All of them live during both measurements, so that both include the threads' stacks, the C
 * library's heaps and the labels. */
typedef struct shared {
    icseg_model *model; /* any number of threads may use it */
    icseg_image image;
    pthread_mutex_t turn;
    pthread_barrier_t barrier;
    size_t one; /* bytes: peak memory with one session */
} shared;

typedef struct worker {
    shared *with;
    icseg_labels labels;
    unsigned long long alone, together; /* fingerprints of the labels */
    icseg_session_cost cost;
    icseg_status status;
    icseg_error error;
} worker;

/* Opens a session, labels the image a few times, and closes the session. */
static icseg_status label(worker *w) {
    icseg_session *session = NULL;
    icseg_session_options options = {ICSEG_SESSION_OPTIONS_INIT};
    icseg_eval_options own_size = {ICSEG_EVAL_OPTIONS_INIT}; /* the whole image, not resized: what cost_at measures */
    const icseg_image *image = &w->with->image;
    options.threads = 1; /* results depend on this number and not on the host's settings */
    w->cost.struct_size = sizeof w->cost;
    icseg_status status = icseg_session_open(&session, w->with->model, &options, &w->error);
    if (status == ICSEG_OK)
        status = icseg_session_cost_at(session, 1, image->height, image->width, &w->cost, &w->error);
    for (int i = 0; i < RUNS && status == ICSEG_OK; i++) {
        icseg_labels_close(&w->labels);
        status = icseg_session_predict(session, image, &own_size, &w->labels, NULL, &w->error);
    }
    icseg_session_close(&session);
    return status;
}

/* FNV-1a over the labels. */
static unsigned long long fingerprint(const icseg_labels *labels) {
    size_t count = (size_t)labels->width * (size_t)labels->height;
    unsigned long long hash = 14695981039346656037ULL;
    for (size_t i = 0; i < count; i++) hash = (hash ^ labels->data[i]) * 1099511628211ULL;
    return hash;
}

/* The largest memory this process has had, in bytes. */
static size_t peak(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (size_t)usage.ru_maxrss * 1024;
}

/* The error of the difference of two peaks, in bytes. Linux counts a process's pages on each core and adds them up in
 * batches (percpu_counter in its sources). */
static size_t counting_error(void) {
    long cores = sysconf(_SC_NPROCESSORS_CONF), batch = 2 * cores > 32 ? 2 * cores : 32;
    return (size_t)(2 * cores * batch * sysconf(_SC_PAGESIZE));
}

static void *work(void *user) {
    worker *w = (worker *)user;
    pthread_mutex_lock(&w->with->turn);
    w->status = label(w);
    pthread_mutex_unlock(&w->with->turn);
    if (w->status == ICSEG_OK) w->alone = fingerprint(&w->labels);
    if (pthread_barrier_wait(&w->with->barrier) == PTHREAD_BARRIER_SERIAL_THREAD) w->with->one = peak();
    pthread_barrier_wait(&w->with->barrier); /* until it is known */
    if (w->status == ICSEG_OK) w->status = label(w);
    if (w->status == ICSEG_OK) w->together = fingerprint(&w->labels);
    return NULL;
}

/* Starts and joins the threads; the status is that of the first that failed. */
static icseg_status run(worker *workers, icseg_error *error) {
    pthread_t thread[THREADS];
    for (int i = 0; i < THREADS; i++) {
        if (pthread_create(&thread[i], NULL, work, &workers[i]) == 0) continue;
        fprintf(stderr, "threads: cannot start a thread\n");
        exit(EXIT_FAILURE); /* the others wait for it */
    }
    for (int i = 0; i < THREADS; i++) pthread_join(thread[i], NULL);
    for (int i = 0; i < THREADS; i++) {
        if (workers[i].status == ICSEG_OK) continue;
        *error = workers[i].error;
        return workers[i].status;
    }
    return ICSEG_OK;
}

/* Prints and checks what was measured. */
static bool check(const worker *workers, size_t one, size_t all) {
    size_t allowed = one + (THREADS - 1) * (workers->cost.activations + workers->cost.scratch);
    bool equal = true;
    for (int i = 0; i < THREADS; i++)
        equal = equal && workers[i].together == workers->alone && workers[i].alone == workers->alone;
    printf("%d sessions, %s bits as one session\n", THREADS, equal ? "the same" : "DIFFERENT");
    printf("peak memory %.1f MiB; one session %.1f MiB, with three times its working memory %.1f MiB\n",
           (double)all / (1 << 20), (double)one / (1 << 20), (double)allowed / (1 << 20));
    return equal && all <= allowed + counting_error();
}

int main(int argc, char **argv) {
    static shared with;
    static worker workers[THREADS];
    static icseg_error error;
    bool passed = false;
    if (argc != 3) {
        fprintf(stderr, "usage: threads CHECKPOINT IMAGE\n");
        return 2;
    }
    pthread_mutex_init(&with.turn, NULL);
    pthread_barrier_init(&with.barrier, NULL, THREADS);
    for (int i = 0; i < THREADS; i++) workers[i].with = &with;
    icseg_status status = icseg_model_open(&with.model, argv[1], &error);
    if (status == ICSEG_OK) status = icseg_image_read(&with.image, argv[2], &error);
    if (status == ICSEG_OK) status = run(workers, &error);
    if (status == ICSEG_OK)
        passed = check(workers, with.one, peak());
    else
        fprintf(stderr, "threads: %s error: %s\n", icseg_status_name(status), error.message);
    for (int i = 0; i < THREADS; i++) icseg_labels_close(&workers[i].labels);
    icseg_image_close(&with.image);
    icseg_model_close(&with.model);
    return passed ? EXIT_SUCCESS : EXIT_FAILURE;
}
