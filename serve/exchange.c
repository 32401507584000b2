/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange.h"

#include <microhttpd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "clock.h"
#include "server.h"

const char *exchange_header(const serve_exchange *x, const char *name) {
    return MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, name);
}

const char *exchange_argument(const serve_exchange *x, const char *name) {
    return MHD_lookup_connection_value(x->connection, MHD_GET_ARGUMENT_KIND, name);
}

bool exchange_flag(const serve_exchange *x, const char *name) {
    const char *text = exchange_argument(x, name);
    return text && (!strcmp(text, "1") || !strcasecmp(text, "true") || !strcasecmp(text, "yes"));
}

void exchange_fail(serve_exchange *x, unsigned status, const char *format, ...) {
    icseg_error text;
    char message[ICSEG_ERROR_MESSAGE_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    icseg_error_set(&text, ICSEG_ERROR_DATA, "%s", message); /* makes it valid UTF-8 */
    snprintf(x->problem, sizeof x->problem, "%s", text.message);
    exchange_reply_json(x, json_pack("{s:s, s:s}", "error", text.message, "request_id", x->id));
    x->reply.status = status;
}

static unsigned http_status(const icseg_error *error) {
    if (!strcmp(error->field, "max_pixels")) return MHD_HTTP_CONTENT_TOO_LARGE;
    switch (error->status) {
    case ICSEG_ERROR_ARGUMENT:
    case ICSEG_ERROR_FORMAT:
    case ICSEG_ERROR_DATA:
    case ICSEG_ERROR_SHAPE: return MHD_HTTP_BAD_REQUEST;
    case ICSEG_ERROR_UNSUPPORTED: return MHD_HTTP_UNSUPPORTED_MEDIA_TYPE;
    case ICSEG_ERROR_MEMORY:
    case ICSEG_ERROR_CANCELLED: return MHD_HTTP_SERVICE_UNAVAILABLE;
    default: return MHD_HTTP_INTERNAL_SERVER_ERROR;
    }
}

void exchange_fail_error(serve_exchange *x, const icseg_error *error) {
    exchange_fail(x, http_status(error), "%s", error->message);
}

void exchange_reply_json(serve_exchange *x, json_t *value) {
    serve_buffer_close(&x->reply.body);
    char *text = value ? json_dumps(value, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(value);
    x->reply.status = MHD_HTTP_OK;
    x->reply.type = "application/json";
    x->reply.headers = 0;
    if (text)
        serve_buffer_text(&x->reply.body, text);
    else
        x->reply.body.failed = true;
    free(text);
}

void exchange_reply_text(serve_exchange *x, const char *type, const char *text) {
    serve_buffer_close(&x->reply.body);
    serve_buffer_text(&x->reply.body, text);
    x->reply.status = MHD_HTTP_OK;
    x->reply.type = type;
}

void exchange_add_header(serve_exchange *x, const char *name, const char *format, ...) {
    if (x->reply.headers == HEADERS_MOST) return;
    va_list args;
    va_start(args, format);
    vsnprintf(x->reply.header[x->reply.headers].value, sizeof x->reply.header[0].value, format, args);
    va_end(args);
    x->reply.header[x->reply.headers++].name = name;
}

serve_model *exchange_acquire_model(serve_exchange *x, const char *name) {
    serve_model *model = serve_models_acquire(x->server->models, name);
    if (model)
        snprintf(x->model, sizeof x->model, "%s", model->name);
    else
        exchange_fail(x, MHD_HTTP_NOT_FOUND, "%.80s: not a model of this server", name ? name : "");
    return model;
}

void exchange_release_model(serve_exchange *x, serve_model *model) { serve_models_release(x->server->models, model); }

bool exchange_decode_image(serve_exchange *x, const serve_model *model, const void *data, size_t size, const char *name,
                           icseg_image *out) {
    icseg_image_input input = {ICSEG_IMAGE_INPUT_INIT,   .path = name,
                               .data = data ? data : "", .size = size,
                               .values = &model->values, .max_pixels = x->server->options->max_pixels};
    icseg_error error;
    if (icseg_image_load(out, &input, NULL, &error) != ICSEG_OK) {
        exchange_fail_error(x, &error);
        return false;
    }
    x->width = out->width;
    x->height = out->height;
    return true;
}

bool exchange_run(serve_exchange *x, serve_run_request *run) {
    run->cancelled = &x->cancelled;
    double before = clock_seconds() - x->submitted; /* in the queue, and decoding */
    icseg_status status = serve_runner_run(x->server->runner, run);
    x->waited = before + run->waited;
    x->worked = run->worked;
    x->run_together = run->run_together;
    if (status != ICSEG_OK) exchange_fail_error(x, &run->error);
    return status == ICSEG_OK;
}
