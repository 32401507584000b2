/* SPDX-License-Identifier: Apache-2.0 */
#include "huggingface.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "results.h"
#include "upload.h"

/* {"label": name, "score": mean confidence, "mask": grey PNG of 0 and 255 as base64}; NULL when out of memory. */
static json_t *segment_json(const serve_results *r, const icseg_class_share *share, uint8_t *grey) {
    serve_buffer mask = {0};
    size_t pixels = (size_t)r->labels.width * (size_t)r->labels.height;
    for (size_t i = 0; i < pixels; i++) grey[i] = r->labels.data[i] == share->index ? 255 : 0;
    results_append_grey(&mask, grey, r->labels.width, r->labels.height);
    json_t *segment = mask.failed ? NULL
                                  : json_pack("{s:s, s:f, s:s#}", "label", r->model->classes[share->index], "score",
                                              share->confidence, "mask", mask.data, (int)mask.size);
    serve_buffer_close(&mask);
    return segment;
}

static void reply(serve_results *r) {
    icseg_labels_summary summary;
    if (!results_summarise(r, &summary)) return;
    uint8_t *grey = malloc((size_t)r->labels.width * (size_t)r->labels.height);
    json_t *list = grey ? json_array() : NULL;
    for (int32_t i = 0; i < summary.count && list; i++)
        if (json_array_append_new(list, segment_json(r, &summary.classes[i], grey)) != 0) {
            json_decref(list);
            list = NULL;
        }
    free(grey);
    icseg_labels_summary_close(&summary);
    exchange_reply_json(r->exchange, list);
}

/* {"inputs": base64}, which clients send that also set parameters. */
static bool read_json(serve_exchange *x, serve_buffer *out) {
    json_error_t error;
    json_t *root = json_loadb(x->body.size ? x->body.data : "", x->body.size, 0, &error);
    const json_t *inputs = json_object_get(root, "inputs");
    bool ok = json_is_string(inputs) &&
              serve_buffer_decode_base64(out, json_string_value(inputs), json_string_length(inputs));
    json_decref(root);
    if (!ok) exchange_fail(x, 400, "expected an image, or JSON with an image as base64 in \"inputs\"");
    return ok;
}

void huggingface_handle(serve_exchange *x) {
    const char *type = exchange_header(x, "Content-Type");
    serve_model *model = exchange_acquire_model(x, x->parameter);
    serve_upload upload = {.name = "image"};
    serve_results results = {0};
    bool ok = model != NULL;
    if (ok && type && !strncasecmp(type, "application/json", 16)) {
        ok = read_json(x, &upload.part);
        upload.data = upload.part.data;
        upload.size = upload.part.size;
    } else if (ok)
        ok = upload_open(&upload, x);
    if (ok && results_open(&results, x, model, upload.data, upload.size, "image", true)) reply(&results);
    results_close(&results);
    upload_close(&upload);
    exchange_release_model(x, model);
}
