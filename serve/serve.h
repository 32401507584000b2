/* SPDX-License-Identifier: Apache-2.0
 * An HTTP server that labels images. `icseg serve` is a command line for it (cli/cmd_serve.c, docs/serve.md).
 *
 * One thread of libmicrohttpd reads requests and sends replies. Worker threads decode images, wait for a session, and
 * encode results (workers.h). A watching thread ends what takes too long (watch.h). */
#ifndef SERVE_SERVE_H
#define SERVE_SERVE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "icseg/open_vocabulary.h"
#include "icseg/session.h"

/* A model to serve: its name in requests, and its checkpoint, or CLIP's weights. */
typedef struct serve_source {
    const char *name, *path;
} serve_source;

/* All fields are required, except where they say otherwise. */
typedef struct serve_options {
    const serve_source *sources; /* the first is the model of requests that do not name one */
    size_t source_count;
    /* NULL: the sources are checkpoints; else they are CLIP's weights, which are opened with these options. */
    const icseg_open_vocabulary_options *open_vocabulary;
    const char *listen; /* "ADDRESS:PORT" or "[IPV6]:PORT"; port 0: any that is free */
    icseg_precision precision;
    int32_t sessions;         /* images labelled at the same time */
    int32_t threads;          /* of each session; 0: all cores, divided by the sessions */
    int32_t queue;            /* requests that may wait; more are answered 503 */
    int32_t batch;            /* images of one size that may be run together; 1: each image on its own */
    int64_t max_pixels;       /* of an image */
    int64_t max_body;         /* of a request, in bytes */
    int32_t timeout;          /* seconds in which a request must arrive, and in which it must be answered */
    const char *token;        /* that requests must show; NULL: none */
    const char *cors;         /* origin whose pages may use the server, or "*"; NULL: none */
    const char *label_studio; /* where images of Label Studio's tasks are fetched from, without a slash at the end:
                                 "http://127.0.0.1:8080"; NULL: they are not */
    const char *label_studio_token; /* access token for it; NULL: none */
    FILE *log;                      /* receives a JSON object a line; NULL: no log */
    /* Of opening models before requests are accepted, for messages and the time that texts take; NULL: none. */
    const icseg_progress *progress;
    void (*opened)(void *user, const icseg_model *model); /* called for each of these models; NULL: not called */
    void (*started)(void *user, const char *url);         /* called once, when requests are accepted */
    void *user;
} serve_options;

/* Serves until SIGTERM or SIGINT, which it handles, then completes the requests that it has. SIGHUP loads all models
 * again. ICSEG_ERROR_ARGUMENT with the field "listen" for an address that cannot work, ICSEG_ERROR_IO if it is in
 * use. */
icseg_status serve_run(const serve_options *options, icseg_error *error);

#endif
