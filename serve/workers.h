/* SPDX-License-Identifier: Apache-2.0
 * Threads that work on jobs, and a bounded queue in front of them. Thread-safe. */
#ifndef SERVE_WORKERS_H
#define SERVE_WORKERS_H

#include <stdbool.h>

#include "icseg/error.h"

typedef struct serve_job {
    void (*work)(struct serve_job *job); /* called by a worker, which does not touch the job afterwards */
    struct serve_job *next;
} serve_job;

typedef struct serve_workers serve_workers;

icseg_status serve_workers_open(serve_workers **out, int threads, int queue, icseg_error *error);
/* Completes all jobs first. */
void serve_workers_close(serve_workers **workers);

/* Returns false if the queue is full: the job is then still the caller's. */
bool serve_workers_submit(serve_workers *workers, serve_job *job);
/* Takes a job back that no worker has begun. Returns false if one has. */
bool serve_workers_withdraw(serve_workers *workers, serve_job *job);
int serve_workers_waiting(serve_workers *workers);

#endif
