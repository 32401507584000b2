/* SPDX-License-Identifier: Apache-2.0
 * All that the server answers. serve/page/openapi.json describes the same; tests/cli/cases/serve.sh compares. */
#include <string.h>

#include "exchange.h"
#include "huggingface.h"
#include "label_studio.h"
#include "metrics.h"
#include "open_inference.h"
#include "page.h"
#include "segment.h"

static void healthz(serve_exchange *x) { exchange_reply_text(x, "text/plain; charset=utf-8", "ok\n"); }

/* A file of serve/page/, which is part of the program. */
static void page(serve_exchange *x) {
    const char *path = x->route->path + 1;
    const page_file *file = page_files;
    while (strcmp(file->name, *path ? path : "index.html") != 0) file++;
    serve_buffer_append(&x->reply.body, file->data, file->size);
    x->reply.status = 200;
    x->reply.type = file->type;
    exchange_add_header(x, "Content-Security-Policy", "%s", PAGE_POLICY);
    exchange_add_header(x, "Referrer-Policy", "no-referrer");
}

const serve_route serve_routes[] = {
    {"GET", "/", page, ROUTE_OPEN},
    {"GET", "/page.css", page, ROUTE_OPEN},
    {"GET", "/page.js", page, ROUTE_OPEN},
    {"GET", "/icon.svg", page, ROUTE_OPEN},
    {"GET", "/openapi.json", page, ROUTE_OPEN},
    {"GET", "/healthz", healthz, ROUTE_OPEN},
    {"GET", "/metrics", serve_metrics_handle, 0},
    {"POST", "/v1/segment", segment_handle, ROUTE_WORK},
    {"GET", "/v2", open_inference_server, ROUTE_OPEN},
    {"GET", "/v2/health/live", open_inference_live, ROUTE_OPEN},
    {"GET", "/v2/health/ready", open_inference_ready, ROUTE_OPEN},
    {"GET", "/v2/models/*", open_inference_model, 0},
    {"GET", "/v2/models/*/ready", open_inference_model_ready, 0},
    {"POST", "/v2/models/*/infer", open_inference_infer, ROUTE_WORK},
    {"POST", "/v2/repository/index", open_inference_index, 0},
    {"POST", "/v2/repository/models/*/load", open_inference_load, ROUTE_WORK},
    {"POST", "/models/*", huggingface_handle, ROUTE_WORK},
    {"GET", "/health", label_studio_health, ROUTE_OPEN},
    {"GET", "/versions", label_studio_versions, 0},
    {"POST", "/setup", label_studio_setup, 0},
    {"POST", "/predict", label_studio_predict, ROUTE_WORK},
    {"POST", "/webhook", label_studio_webhook, 0},
    {"GET", "/label-studio/*/health", label_studio_health, ROUTE_OPEN},
    {"GET", "/label-studio/*/versions", label_studio_versions, 0},
    {"POST", "/label-studio/*/setup", label_studio_setup, 0},
    {"POST", "/label-studio/*/predict", label_studio_predict, ROUTE_WORK},
    {"POST", "/label-studio/*/webhook", label_studio_webhook, 0},
    {NULL, NULL, NULL, 0},
};
