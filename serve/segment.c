/* SPDX-License-Identifier: Apache-2.0
 * POST /v1/segment: an image in, its labels out, in the form that the client asks for. */
#include "segment.h"

#include <stdlib.h>
#include <string.h>

#include "results.h"
#include "upload.h"

typedef enum form { FORM_JSON, FORM_PNG, FORM_OVERLAY, FORM_RLE, FORM_POLYGONS, FORM_GEOJSON, FORM_NPY, FORMS } form;

static const struct {
    const char *name, *type; /* in ?format= and in Accept; the first of a type is meant by it */
} forms[FORMS] = {
    {"json", "application/json"},        {"png", "image/png"},        {"overlay", ""}, {"rle", ""}, {"polygons", ""},
    {"geojson", "application/geo+json"}, {"npy", "application/x-npy"}};

/* The first type of Accept that is known; JSON without one. */
static form accepted(const char *accept) {
    const char *first = NULL;
    form best = FORM_JSON;
    for (int f = 0; f < FORMS && accept; f++) {
        const char *at = *forms[f].type ? strstr(accept, forms[f].type) : NULL;
        if (at && (!first || at < first)) first = at, best = (form)f;
    }
    return best;
}

static bool read_form(serve_exchange *x, form *out) {
    const char *name = exchange_argument(x, "format");
    *out = accepted(exchange_header(x, "Accept"));
    if (!name) return true;
    for (int f = 0; f < FORMS; f++)
        if (!strcmp(name, forms[f].name)) {
            *out = (form)f;
            return true;
        }
    exchange_fail(x, 400, "format: \"%.40s\": expected json, png, overlay, rle, polygons, geojson or npy", name);
    return false;
}

static bool read_opacity(serve_exchange *x, double *out) {
    const char *text = exchange_argument(x, "opacity");
    char *end;
    *out = 0;
    if (!text) return true;
    *out = strtod(text, &end);
    if (*text && !*end && *out >= 0 && *out <= 1) {
        if (*out == 0) *out = ICSEG_OPACITY_NONE;
        return true;
    }
    exchange_fail(x, 400, "opacity: \"%.40s\": expected a number from 0 to 1", text);
    return false;
}

static void reply(serve_results *r, form chosen, const char *name, double opacity) {
    bool confidence = exchange_flag(r->exchange, "confidence");
    switch (chosen) {
    case FORM_PNG: results_reply_png(r); break;
    case FORM_OVERLAY: results_reply_overlay(r, opacity); break;
    case FORM_RLE: results_reply_export(r, ICSEG_EXPORT_COCO, true, name); break;
    case FORM_POLYGONS: results_reply_export(r, ICSEG_EXPORT_COCO, false, name); break;
    case FORM_GEOJSON: results_reply_export(r, ICSEG_EXPORT_GEOJSON, false, name); break;
    case FORM_NPY: results_reply_npy(r, confidence); break;
    default: results_reply_json(r, name, exchange_flag(r->exchange, "labels"), confidence);
    }
}

static void label(serve_exchange *x, serve_model *model, const serve_upload *upload) {
    const char *classes = exchange_argument(x, "classes");
    serve_results results = {0};
    form chosen;
    double opacity;
    if (!read_form(x, &chosen) || !read_opacity(x, &opacity)) return;
    bool confidence =
        chosen != FORM_PNG && chosen != FORM_OVERLAY && (chosen != FORM_NPY || exchange_flag(x, "confidence"));
    if (results_open(&results, x, model, upload->data, upload->size, upload->name, confidence) &&
        (!classes || results_select(&results, classes)))
        reply(&results, chosen, upload->name, opacity);
    results_close(&results);
}

void segment_handle(serve_exchange *x) {
    serve_model *model = exchange_acquire_model(x, exchange_argument(x, "model"));
    serve_upload upload = {0};
    if (model && upload_open(&upload, x)) label(x, model, &upload);
    upload_close(&upload);
    exchange_release_model(x, model);
}
