/* SPDX-License-Identifier: Apache-2.0
 * Signals wait while the library computes. oneDNN's matrix products on x86-64 use the stack pointer as a pointer to
 * their data (its issue 4845): a handler that the kernel calls then would run there and overwrite the host's memory. */
#ifndef ICSEG_BASE_SIGNALS_H
#define ICSEG_BASE_SIGNALS_H

#include <pthread.h>

/* Blocks the signals of the calling thread and of its OpenMP team, except those that a thread's own instructions cause.
 * Calls nest. */
void icseg_signals_block(void);

/* Ends a call of icseg_signals_block. The outermost restores each thread's mask, and signals that waited arrive. */
void icseg_signals_restore(void);

/* Restores the calling thread's mask for a callback of the host. Returns what icseg_signals_resume needs. */
int icseg_signals_suspend(void);
void icseg_signals_resume(int depth);

/* Lets waiting signals arrive at the calling thread. Call it often, between products. */
void icseg_signals_deliver(void);

/* pthread_create for a thread at which signals never arrive. */
int icseg_signals_start_thread(pthread_t *thread, void *(*work)(void *), void *user);

#endif
