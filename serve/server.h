/* SPDX-License-Identifier: Apache-2.0
 * What the parts of the server share. */
#ifndef SERVE_SERVER_H
#define SERVE_SERVER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "metrics.h"
#include "models.h"
#include "runner.h"
#include "serve.h"
#include "watch.h"
#include "workers.h"

typedef struct serve_server {
    const serve_options *options;
    struct MHD_Daemon *daemon;
    serve_models *models;
    serve_runner *runner;
    serve_workers *workers;
    serve_watch *watch;
    serve_metrics metrics;
    pthread_mutex_t log_mutex;
    atomic_int open;          /* requests that are not answered */
    atomic_size_t body_bytes; /* of all requests that arrive, wait or are worked on */
    atomic_bool stopping;     /* no new requests */
} serve_server;

#endif
