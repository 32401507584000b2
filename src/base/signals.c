/* SPDX-License-Identifier: Apache-2.0
 * Each thread has its own mask, which the threads that it starts inherit. */
#include "base/signals.h"

#include <omp.h>
#include <signal.h>
#include <stddef.h>

static _Thread_local int depth;       /* calls of icseg_signals_block */
static _Thread_local sigset_t before; /* the mask before the first of them */

static void block(sigset_t *old) {
    static const int synchronous[] = {SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP};
    sigset_t others;
    sigfillset(&others);
    for (size_t i = 0; i < sizeof synchronous / sizeof *synchronous; i++) sigdelset(&others, synchronous[i]);
    pthread_sigmask(SIG_BLOCK, &others, old);
}

static void block_once(void) {
    if (depth == 0) block(&before);
    depth = 1;
}

/* The calling thread is the last that blocks them and the first that does not, so that they arrive there. */
void icseg_signals_block(void) {
    if (depth > 0) {
        depth++;
        return;
    }
#pragma omp parallel
    if (omp_get_thread_num() > 0) block_once();
    block_once();
}

/* A thread that OpenMP has started since has depth 0 and inherited a mask. */
static void restore_thread(const sigset_t *inherited) {
    pthread_sigmask(SIG_SETMASK, depth == 0 ? inherited : &before, NULL);
    depth = 0;
}

void icseg_signals_restore(void) {
    if (depth > 1) {
        depth--;
        return;
    }
    sigset_t callers = before;
    restore_thread(&callers);
#pragma omp parallel
    if (omp_get_thread_num() > 0) restore_thread(&callers);
}

int icseg_signals_suspend(void) {
    int suspended = depth;
    if (depth > 0) pthread_sigmask(SIG_SETMASK, &before, NULL);
    depth = 0;
    return suspended;
}

void icseg_signals_resume(int suspended) {
    if (suspended > 0) block(&before);
    depth = suspended;
}

void icseg_signals_deliver(void) {
    sigset_t waiting;
    if (depth == 0 || sigpending(&waiting) != 0 || sigisemptyset(&waiting)) return;
    icseg_signals_resume(icseg_signals_suspend());
}

int icseg_signals_start_thread(pthread_t *thread, void *(*work)(void *), void *user) {
    sigset_t mask;
    block(&mask);
    int status = pthread_create(thread, NULL, work, user);
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    return status;
}
