/* SPDX-License-Identifier: Apache-2.0
 * OpenMP keeps these settings for each thread of the host (for each task's data environment). */
#include "base/threads.h"

#include <omp.h>
#include <pthread.h>

#include "base/signals.h"
#include "base/system.h"

icseg_status icseg_threads_check(int32_t threads, icseg_error *error) {
    if (threads >= 0 && threads <= ICSEG_MAX_THREADS) return ICSEG_OK;
    return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "threads", ICSEG_REMEDY_SET_FIELD,
                            "threads is %d: expected 0..%d", (int)threads, ICSEG_MAX_THREADS);
}

int icseg_threads_resolve(int threads) {
    int count = threads > 0 ? threads : icseg_cores(), limit = omp_get_thread_limit();
    return count < limit || limit < 1 ? count : limit;
}

icseg_threads icseg_threads_enter(int threads) {
    icseg_threads before = {omp_get_max_threads(), omp_get_dynamic(), omp_get_max_active_levels()};
    omp_set_num_threads(threads);
    if (before.dynamic) omp_set_dynamic(0); /* or teams could be smaller */
    if (before.active_levels < 1) omp_set_max_active_levels(1);
    icseg_signals_block();
    return before;
}

void icseg_threads_leave(icseg_threads before) {
    icseg_signals_restore();
    omp_set_num_threads(before.count);
    if (before.dynamic) omp_set_dynamic(before.dynamic);
    if (before.active_levels < 1) omp_set_max_active_levels(before.active_levels);
}

typedef struct task {
    int threads;
    icseg_status (*work)(void *user);
    void *user;
    icseg_status status;
} task;

static void *perform(void *user) {
    task *t = user;
    icseg_threads before = icseg_threads_enter(t->threads);
    t->status = t->work(t->user);
    icseg_threads_leave(before);
    return NULL;
}

icseg_status icseg_threads_run(int threads, icseg_status (*work)(void *user), void *user, icseg_error *error) {
    task t = {threads, work, user, ICSEG_OK};
    pthread_t thread;
    if (!omp_in_parallel() && omp_get_thread_limit() >= threads) {
        perform(&t);
        return t.status;
    }
    if (pthread_create(&thread, NULL, perform, &t) != 0)
        return icseg_fail(error, ICSEG_ERROR_MEMORY,
                          "cannot start the thread that a call from inside an OpenMP parallel region needs");
    pthread_join(thread, NULL);
    return t.status;
}
