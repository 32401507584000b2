/* SPDX-License-Identifier: Apache-2.0
 * Each session has a thread, which takes the first of the requests that wait, and others of the same size with it. The
 * thread remains the same because OpenMP keeps a team of threads for each thread that begins parallel work. */
#include "runner.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"

enum { SPEEDS = 64, EXPLORE = 50, GROUP_MOST = 64 };
static const double FASTER = 0.97; /* time per image of several, compared with that of one */

/* What runs of a kind of image take, a moving average. The first run of each kind builds a network and is left out. */
typedef struct speed {
    int64_t version;
    const char *name; /* of the model */
    int32_t width, height;
    uint32_t outputs;
    int64_t runs[2];   /* of one image, and of several */
    double seconds[2]; /* per image */
} speed;

struct serve_runner {
    const serve_options *options;
    serve_models *models;
    pthread_mutex_t mutex;
    pthread_cond_t arrived, done;    /* requests */
    serve_run_request *first, **end; /* that wait */
    int active;
    bool stop;
    speed speeds[SPEEDS];
    int next_speed;
    int threads;
    pthread_t thread[];
};

typedef struct serve_shared_result {
    icseg_result *result;
    atomic_int references;
} serve_shared_result;

/* -- which requests run together */

static speed *speed_of(serve_runner *r, const serve_run_request *q) {
    for (int i = 0; i < SPEEDS; i++) {
        speed *s = &r->speeds[i];
        if (s->name == q->model->name && s->version == q->model->version && s->width == q->image->width &&
            s->height == q->image->height && s->outputs == q->outputs)
            return s;
    }
    speed *s = &r->speeds[r->next_speed++ % SPEEDS];
    *s = (speed){.version = q->model->version,
                 .name = q->model->name,
                 .width = q->image->width,
                 .height = q->image->height,
                 .outputs = q->outputs};
    return s;
}

/* Measures one image first, then several. Every EXPLORE runs, it measures again what was slower. */
static bool together_is_faster(const speed *s) {
    if (s->runs[0] < 2) return false;
    if (s->runs[1] < 2) return true;
    bool faster = s->seconds[1] < FASTER * s->seconds[0];
    return (s->runs[0] + s->runs[1]) % EXPLORE ? faster : !faster;
}

static void learn(speed *s, int32_t images, double seconds) {
    int several = images > 1;
    double each = seconds / images;
    if (s->runs[several] == 1) s->seconds[several] = each;
    if (s->runs[several] > 1) s->seconds[several] += 0.2 * (each - s->seconds[several]);
    s->runs[several]++;
}

static bool is_alike(const serve_run_request *a, const serve_run_request *b) {
    return a->model == b->model && b->image && a->image->width == b->image->width &&
           a->image->height == b->image->height && a->outputs == b->outputs && !*b->cancelled;
}

/* Takes the first request and those that run with it from the list. */
static int32_t take_group(serve_runner *r, serve_run_request **group) {
    int32_t count = 0, most = r->options->batch < GROUP_MOST ? r->options->batch : GROUP_MOST;
    serve_run_request *leader = group[count++] = r->first;
    r->first = leader->next;
    if (leader->image && most > 1 && together_is_faster(speed_of(r, leader))) {
        for (serve_run_request **at = &r->first; *at && count < most;) {
            if (!is_alike(leader, *at)) {
                at = &(*at)->next;
                continue;
            }
            group[count++] = *at;
            *at = (*at)->next;
        }
    }
    for (r->end = &r->first; *r->end;) r->end = &(*r->end)->next;
    return count;
}

/* -- running */

typedef struct group {
    serve_run_request **request;
    int32_t count;
} group;

static bool is_wanted(void *user, const icseg_progress_event *event) {
    const group *g = user;
    (void)event;
    for (int32_t i = 0; i < g->count; i++)
        if (!*g->request[i]->cancelled) return true;
    return false;
}

static icseg_status run_session(icseg_session *session, group *g, icseg_result **out, icseg_error *error) {
    icseg_progress progress = {ICSEG_PROGRESS_INIT, .report = is_wanted, .user = g};
    icseg_run_options options = {ICSEG_RUN_OPTIONS_INIT, .outputs = g->request[0]->outputs, .progress = &progress};
    icseg_frame frames[GROUP_MOST];
    icseg_batch batch = {ICSEG_BATCH_INIT, .count = g->count, .frames = frames};
    for (int32_t i = 0; i < g->count && g->request[i]->image; i++) {
        const icseg_image *image = g->request[i]->image;
        frames[i] = (icseg_frame){ICSEG_FRAME_RGB8, image->width, image->height, 0, image->data};
    }
    return icseg_session_run(session, g->request[0]->batch ? g->request[0]->batch : &batch, &options, out, error);
}

static void run_group(serve_runner *r, group *g) {
    serve_run_request *leader = g->request[0];
    icseg_error error = {0};
    icseg_result *result = NULL;
    serve_shared_result *shared = calloc(1, sizeof *shared);
    double start = clock_seconds();
    icseg_session *session = serve_models_take_session(r->models, leader->model, &error);
    icseg_status status = session ? run_session(session, g, &result, &error) : error.status;
    if (session) serve_models_return_session(r->models, leader->model, session);
    if (status == ICSEG_OK && !shared) status = icseg_error_set(&error, ICSEG_ERROR_MEMORY, "out of memory");
    double worked = clock_seconds() - start;
    if (status == ICSEG_OK) {
        shared->result = result;
        shared->references = g->count;
    } else {
        icseg_result_close(&result);
        free(shared);
        shared = NULL;
    }
    for (int32_t i = 0; i < g->count; i++) {
        serve_run_request *q = g->request[i];
        q->shared = shared;
        q->index = i;
        q->worked = worked;
        q->run_together = g->count;
        q->status = status;
        q->error = error;
    }
}

/* Removes a request. Returns whether it was there: nobody has taken it to run it. */
static bool leave_queue(serve_runner *r, const serve_run_request *request) {
    serve_run_request **at = &r->first;
    while (*at && *at != request) at = &(*at)->next;
    if (!*at) return false;
    *at = request->next;
    if (!*at) r->end = at;
    return true;
}

/* A while, after which a request that waits looks whether it was cancelled. */
static struct timespec soon(void) {
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    time.tv_nsec += 200000000;
    if (time.tv_nsec >= 1000000000) {
        time.tv_sec++;
        time.tv_nsec -= 1000000000;
    }
    return time;
}

/* Called and left with the mutex locked. */
static void run_first(serve_runner *r) {
    serve_run_request *requests[GROUP_MOST];
    group g = {requests, take_group(r, requests)};
    double start = clock_seconds();
    r->active++;
    pthread_mutex_unlock(&r->mutex);
    run_group(r, &g);
    pthread_mutex_lock(&r->mutex);
    r->active--;
    if (requests[0]->image && requests[0]->status == ICSEG_OK)
        learn(speed_of(r, requests[0]), g.count, requests[0]->worked);
    for (int32_t i = 0; i < g.count; i++) {
        requests[i]->waited = start - requests[i]->waited;
        requests[i]->done = true;
    }
    pthread_cond_broadcast(&r->done);
}

static void *run_session_thread(void *user) {
    serve_runner *r = user;
    pthread_mutex_lock(&r->mutex);
    while (!r->stop) {
        if (r->first)
            run_first(r);
        else
            pthread_cond_wait(&r->arrived, &r->mutex);
    }
    pthread_mutex_unlock(&r->mutex);
    return NULL;
}

icseg_status serve_runner_run(serve_runner *r, serve_run_request *request) {
    request->waited = clock_seconds(); /* until it runs, the time when it began to wait */
    request->next = NULL;
    pthread_mutex_lock(&r->mutex);
    *r->end = request;
    r->end = &request->next;
    pthread_cond_signal(&r->arrived);
    while (!request->done) {
        struct timespec until = soon();
        if (*request->cancelled && leave_queue(r, request)) {
            request->status = icseg_error_set(&request->error, ICSEG_ERROR_CANCELLED, "cancelled");
            break;
        }
        pthread_cond_timedwait(&r->done, &r->mutex, &until);
    }
    pthread_mutex_unlock(&r->mutex);
    return request->status;
}

/* -- the runner */

icseg_status serve_runner_open(serve_runner **out, const serve_options *options, serve_models *models,
                               icseg_error *error) {
    serve_runner *r = calloc(1, sizeof *r + (size_t)options->sessions * sizeof *r->thread);
    *out = r;
    if (!r) return icseg_error_set(error, ICSEG_ERROR_MEMORY, "out of memory");
    r->options = options;
    r->models = models;
    r->end = &r->first;
    pthread_mutex_init(&r->mutex, NULL);
    pthread_cond_init(&r->arrived, NULL);
    pthread_cond_init(&r->done, NULL);
    while (r->threads < options->sessions && pthread_create(&r->thread[r->threads], NULL, run_session_thread, r) == 0)
        r->threads++;
    if (r->threads == options->sessions) return ICSEG_OK;
    serve_runner_close(out);
    return icseg_error_set(error, ICSEG_ERROR_MEMORY, "cannot start %d threads for sessions", options->sessions);
}

void serve_runner_close(serve_runner **runner) {
    serve_runner *r = *runner;
    if (!r) return;
    pthread_mutex_lock(&r->mutex);
    r->stop = true;
    pthread_cond_broadcast(&r->arrived);
    pthread_mutex_unlock(&r->mutex);
    for (int i = 0; i < r->threads; i++) pthread_join(r->thread[i], NULL);
    pthread_cond_destroy(&r->arrived);
    pthread_cond_destroy(&r->done);
    pthread_mutex_destroy(&r->mutex);
    free(r);
    *runner = NULL;
}

/* -- results */

void serve_runner_free(serve_run_request *request) {
    serve_shared_result *shared = request->shared;
    request->shared = NULL;
    if (!shared || atomic_fetch_sub(&shared->references, 1) > 1) return;
    icseg_result_close(&shared->result);
    free(shared);
}

icseg_status serve_runner_tensor(const serve_run_request *q, icseg_output output, icseg_tensor *out,
                                 icseg_error *error) {
    icseg_status status = icseg_result_tensor(q->shared->result, output, out, error);
    if (status != ICSEG_OK || q->batch || out->shape[0] == 1) return status;
    out->data = (char *)out->data + q->index * out->strides[0];
    out->shape[0] = 1;
    return ICSEG_OK;
}

int serve_runner_active(serve_runner *r) {
    pthread_mutex_lock(&r->mutex);
    int active = r->active;
    pthread_mutex_unlock(&r->mutex);
    return active;
}
