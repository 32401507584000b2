/* SPDX-License-Identifier: Apache-2.0 */
#include "workers.h"

#include <pthread.h>
#include <stdlib.h>

struct serve_workers {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    serve_job *first, **end;
    int waiting, limit, threads, idle;
    bool stop;
    pthread_t thread[];
};

static void *run(void *user) {
    serve_workers *w = user;
    pthread_mutex_lock(&w->mutex);
    for (;;) {
        w->idle++;
        while (!w->first && !w->stop) pthread_cond_wait(&w->changed, &w->mutex);
        w->idle--;
        serve_job *job = w->first;
        if (!job) break;
        w->first = job->next;
        if (!w->first) w->end = &w->first;
        w->waiting--;
        pthread_mutex_unlock(&w->mutex);
        job->work(job);
        pthread_mutex_lock(&w->mutex);
    }
    pthread_mutex_unlock(&w->mutex);
    return NULL;
}

icseg_status serve_workers_open(serve_workers **out, int threads, int queue, icseg_error *error) {
    serve_workers *w = calloc(1, sizeof *w + (size_t)threads * sizeof *w->thread);
    *out = w;
    if (!w) return icseg_error_set(error, ICSEG_ERROR_MEMORY, "out of memory");
    pthread_mutex_init(&w->mutex, NULL);
    pthread_cond_init(&w->changed, NULL);
    w->end = &w->first;
    w->limit = queue;
    while (w->threads < threads && pthread_create(&w->thread[w->threads], NULL, run, w) == 0) w->threads++;
    if (w->threads == threads) return ICSEG_OK;
    serve_workers_close(out);
    return icseg_error_set(error, ICSEG_ERROR_MEMORY, "cannot start %d worker threads", threads);
}

void serve_workers_close(serve_workers **workers) {
    serve_workers *w = *workers;
    if (!w) return;
    pthread_mutex_lock(&w->mutex);
    w->stop = true;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->mutex);
    for (int i = 0; i < w->threads; i++) pthread_join(w->thread[i], NULL);
    pthread_cond_destroy(&w->changed);
    pthread_mutex_destroy(&w->mutex);
    free(w);
    *workers = NULL;
}

/* Jobs that an idle worker is about to take do not wait. */
bool serve_workers_submit(serve_workers *w, serve_job *job) {
    pthread_mutex_lock(&w->mutex);
    bool accepted = w->waiting < w->limit + w->idle;
    if (accepted) {
        job->next = NULL;
        *w->end = job;
        w->end = &job->next;
        w->waiting++;
        pthread_cond_signal(&w->changed);
    }
    pthread_mutex_unlock(&w->mutex);
    return accepted;
}

bool serve_workers_withdraw(serve_workers *w, serve_job *job) {
    pthread_mutex_lock(&w->mutex);
    serve_job **at = &w->first;
    while (*at && *at != job) at = &(*at)->next;
    bool found = *at != NULL;
    if (found) {
        *at = job->next;
        if (!*at) w->end = at;
        w->waiting--;
    }
    pthread_mutex_unlock(&w->mutex);
    return found;
}

int serve_workers_waiting(serve_workers *w) {
    pthread_mutex_lock(&w->mutex);
    int waiting = w->waiting;
    pthread_mutex_unlock(&w->mutex);
    return waiting;
}
