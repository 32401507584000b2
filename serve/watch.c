/* SPDX-License-Identifier: Apache-2.0 */
#include "watch.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include "clock.h"

enum { INTERVAL_MS = 100, IDLE_FACTOR = 2 };

struct serve_client {
    serve_client *next, **link;
    int socket;
    serve_activity activity;
    double since;
    bool ended; /* shut down, or its work abandoned */
    struct serve_exchange *exchange;
};

struct serve_watch {
    pthread_mutex_t mutex;
    pthread_cond_t stopped;
    pthread_t thread;
    bool stop;
    double seconds;
    void (*abandon)(struct serve_exchange *exchange, bool late);
    serve_client *first;
};

/* A socket from which the client has sent its end. Data that wait are a further request. */
static bool has_gone(int socket) {
    char byte;
    ssize_t got = recv(socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return got == 0 || (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

static void look(serve_watch *w, serve_client *c, double now) {
    double limit = c->activity == CLIENT_IDLE ? IDLE_FACTOR * w->seconds : w->seconds;
    bool late = now - c->since > limit;
    if (c->ended) return;
    if (c->activity != CLIENT_WAITS) {
        if (late) shutdown(c->socket, SHUT_RDWR);
        c->ended = late;
    } else if (late || has_gone(c->socket)) {
        c->ended = true;
        w->abandon(c->exchange, late);
    }
}

static void *run(void *user) {
    serve_watch *w = user;
    pthread_mutex_lock(&w->mutex);
    while (!w->stop) {
        struct timespec until;
        double now = clock_seconds();
        for (serve_client *c = w->first; c; c = c->next) look(w, c, now);
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += INTERVAL_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
        pthread_cond_timedwait(&w->stopped, &w->mutex, &until);
    }
    pthread_mutex_unlock(&w->mutex);
    return NULL;
}

icseg_status serve_watch_open(serve_watch **out, double seconds,
                              void (*abandon)(struct serve_exchange *exchange, bool late), icseg_error *error) {
    serve_watch *w = calloc(1, sizeof *w);
    *out = w;
    if (!w) return icseg_error_set(error, ICSEG_ERROR_MEMORY, "out of memory");
    w->seconds = seconds;
    w->abandon = abandon;
    pthread_mutex_init(&w->mutex, NULL);
    pthread_cond_init(&w->stopped, NULL);
    if (pthread_create(&w->thread, NULL, run, w) == 0) return ICSEG_OK;
    pthread_cond_destroy(&w->stopped);
    pthread_mutex_destroy(&w->mutex);
    free(w);
    *out = NULL;
    return icseg_error_set(error, ICSEG_ERROR_MEMORY, "cannot start a thread");
}

void serve_watch_close(serve_watch **watch) {
    serve_watch *w = *watch;
    if (!w) return;
    pthread_mutex_lock(&w->mutex);
    w->stop = true;
    pthread_cond_signal(&w->stopped);
    pthread_mutex_unlock(&w->mutex);
    pthread_join(w->thread, NULL);
    pthread_cond_destroy(&w->stopped);
    pthread_mutex_destroy(&w->mutex);
    free(w);
    *watch = NULL;
}

serve_client *serve_watch_add(serve_watch *w, int socket) {
    serve_client *c = calloc(1, sizeof *c);
    if (!c) return NULL;
    c->socket = socket;
    c->since = clock_seconds();
    c->activity = CLIENT_SENDS; /* its first request must arrive */
    pthread_mutex_lock(&w->mutex);
    c->next = w->first;
    c->link = &w->first;
    if (c->next) c->next->link = &c->next;
    w->first = c;
    pthread_mutex_unlock(&w->mutex);
    return c;
}

void serve_watch_remove(serve_watch *w, serve_client *c) {
    if (!c) return;
    pthread_mutex_lock(&w->mutex);
    *c->link = c->next;
    if (c->next) c->next->link = c->link;
    pthread_mutex_unlock(&w->mutex);
    free(c);
}

void serve_watch_set(serve_watch *w, serve_client *c, serve_activity activity, struct serve_exchange *exchange) {
    if (!c) return;
    pthread_mutex_lock(&w->mutex);
    c->activity = activity;
    c->exchange = exchange;
    c->since = clock_seconds();
    c->ended = false;
    pthread_mutex_unlock(&w->mutex);
}
