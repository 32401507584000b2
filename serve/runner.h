/* SPDX-License-Identifier: Apache-2.0
 * Runs models for worker threads: at most `sessions` at a time, and images of one size together. Thread-safe. */
#ifndef SERVE_RUNNER_H
#define SERVE_RUNNER_H

#include <stdatomic.h>
#include <stdbool.h>

#include "models.h"

/* One run: what a worker needs, and what it receives. */
typedef struct serve_run_request {
    serve_model *model;
    /* An image, or with `batch` a batch of the caller's, which is run on its own. */
    const icseg_image *image;
    const icseg_batch *batch;
    uint32_t outputs;             /* icseg_output bits */
    const atomic_bool *cancelled; /* ends the run with ICSEG_ERROR_CANCELLED */

    /* Results. */
    double waited, worked; /* seconds */
    int32_t run_together;  /* images of the run */
    struct serve_shared_result *shared;
    int32_t index; /* of the image in the shared result */
    icseg_status status;
    icseg_error error;

    /* Of the runner. */
    struct serve_run_request *next;
    bool done;
} serve_run_request;

typedef struct serve_runner serve_runner;

/* Starts a thread for each session. */
icseg_status serve_runner_open(serve_runner **out, const serve_options *options, serve_models *models,
                               icseg_error *error);
/* No request may be waiting or running. */
void serve_runner_close(serve_runner **runner);

/* Waits for a session and runs. The request's results are valid until serve_runner_free. */
icseg_status serve_runner_run(serve_runner *runner, serve_run_request *request);
void serve_runner_free(serve_run_request *request);

/* A result of the request's own image or batch. ICSEG_ERROR_ARGUMENT if the run did not compute it. */
icseg_status serve_runner_tensor(const serve_run_request *request, icseg_output output, icseg_tensor *out,
                                 icseg_error *error);

/* Runs at the moment. */
int serve_runner_active(serve_runner *runner);

#endif
