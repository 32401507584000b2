/* SPDX-License-Identifier: Apache-2.0
 * A request and its reply, as the handlers of routes see them. */
#ifndef SERVE_EXCHANGE_H
#define SERVE_EXCHANGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "buffer.h"
#include "models.h"
#include "runner.h"
#include "workers.h"

struct MHD_Connection;
typedef struct serve_exchange serve_exchange;

enum { REQUEST_ID_SIZE = 65, PARAMETER_SIZE = 129, HEADERS_MOST = 4 };

typedef enum serve_route_flags {
    ROUTE_OPEN = 1, /* needs no token */
    ROUTE_WORK = 2, /* its handler runs in a worker and may take long */

} serve_route_flags;

/* What a request may ask for. `path` may contain one "*": a part without a slash, which becomes `parameter`. */
typedef struct serve_route {
    const char *method, *path;
    void (*handle)(serve_exchange *exchange);
    int flags;
} serve_route;

extern const serve_route serve_routes[]; /* ends with a NULL method */

typedef struct serve_reply {
    unsigned status; /* HTTP's */
    const char *type;
    serve_buffer body;
    struct {
        const char *name;
        char value[320];
    } header[HEADERS_MOST]; /* further ones */
    int headers;
} serve_reply;

typedef enum serve_phase {
    PHASE_RECEIVING, /* the body arrives */
    PHASE_WORKING,   /* the connection is suspended; a worker has the request, or will */
    PHASE_ANSWERED   /* the reply is ready */
} serve_phase;

struct serve_exchange {
    struct serve_server *server;
    struct MHD_Connection *connection;
    struct serve_client *client; /* the connection, for the watching thread */
    const serve_route *route;
    char method[16], id[REQUEST_ID_SIZE], parameter[PARAMETER_SIZE];
    serve_buffer body;
    unsigned refused; /* 0, or the HTTP status for a body that is too large */
    serve_reply reply;
    serve_job job;
    atomic_int phase;
    atomic_bool cancelled; /* the client went away, or time is up */
    atomic_bool late;      /* time is up */
    double began;          /* when the first byte of the body could arrive */
    double submitted;      /* to the workers */
    /* For the log and the metrics. */
    char model[PARAMETER_SIZE];
    char problem[ICSEG_ERROR_MESSAGE_SIZE]; /* the last message of a failure; empty: none */
    int32_t width, height, run_together;
    double waited, worked; /* seconds */
};

/* A header or an argument of the request; NULL if it is not there. */
const char *exchange_header(const serve_exchange *x, const char *name);
const char *exchange_argument(const serve_exchange *x, const char *name);
bool exchange_flag(const serve_exchange *x, const char *name); /* "1", "true" or "yes" */

/* Replies with {"error": message}. */
void exchange_fail(serve_exchange *x, unsigned status, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Replies with a library's error; its status decides that of HTTP. */
void exchange_fail_error(serve_exchange *x, const icseg_error *error);
void exchange_reply_json(serve_exchange *x, json_t *value); /* takes the reference; NULL: out of memory */
void exchange_reply_text(serve_exchange *x, const char *type, const char *text);
void exchange_add_header(serve_exchange *x, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The model of this name; NULL or "": the first. NULL after a failure. */
serve_model *exchange_acquire_model(serve_exchange *x, const char *name);
void exchange_release_model(serve_exchange *x, serve_model *model); /* may be NULL */

/* Decodes an image as the model was trained on. Returns false after a failure. */
bool exchange_decode_image(serve_exchange *x, const serve_model *model, const void *data, size_t size, const char *name,
                           icseg_image *out);
/* Runs and records times. Returns false after a failure. Free the run in any case. */
bool exchange_run(serve_exchange *x, serve_run_request *run);

#endif
