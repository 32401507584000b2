/* SPDX-License-Identifier: Apache-2.0 */
#include "results.h"

#include <math.h>
#include <png.h>
#include <stdlib.h>
#include <string.h>

#include "icseg/memory.h"

static void out_of_memory(serve_results *r) { exchange_fail(r->exchange, 503, "out of memory"); }

bool results_open(serve_results *r, serve_exchange *x, serve_model *model, const void *data, size_t size,
                  const char *name, bool confidence) {
    icseg_tensor labels, values;
    *r = (serve_results){.exchange = x, .model = model};
    if (!exchange_decode_image(x, model, data, size, name, &r->image)) return false;
    r->run = (serve_run_request){.model = model,
                                 .image = &r->image,
                                 .outputs = ICSEG_OUTPUT_LABELS | (confidence ? ICSEG_OUTPUT_CONFIDENCE : 0u)};
    if (!exchange_run(x, &r->run)) return false;
    icseg_error error;
    if (serve_runner_tensor(&r->run, ICSEG_OUTPUT_LABELS, &labels, &error) != ICSEG_OK ||
        (confidence && serve_runner_tensor(&r->run, ICSEG_OUTPUT_CONFIDENCE, &values, &error) != ICSEG_OK)) {
        exchange_fail_error(x, &error);
        return false;
    }
    r->labels = (icseg_labels){r->image.width, r->image.height, labels.data};
    r->confidence = confidence ? values.data : NULL;
    return true;
}

void results_close(serve_results *r) {
    if (r->owned) icseg_labels_close(&r->labels);
    serve_runner_free(&r->run);
    icseg_image_close(&r->image);
}

static size_t pixels_of(const serve_results *r) { return (size_t)r->labels.width * (size_t)r->labels.height; }

/* Marks the named classes. */
static bool read_selection(const serve_results *r, const char *names, bool *wanted) {
    while (*names) {
        size_t length = strcspn(names, ",");
        int32_t k = 0;
        while (k < r->model->class_count &&
               (strlen(r->model->classes[k]) != length || memcmp(r->model->classes[k], names, length) != 0))
            k++;
        if (k == r->model->class_count) {
            exchange_fail(r->exchange, 400, "classes: \"%.*s\" is not a class of %s; see /v2/models/%s",
                          (int)(length < 80 ? length : 80), names, r->model->name, r->model->name);
            return false;
        }
        wanted[k] = true;
        names += length + (names[length] == ',');
    }
    return true;
}

bool results_keep(serve_results *r, const bool *wanted) {
    icseg_labels all = r->labels;
    icseg_error error;
    if (icseg_labels_create(&r->labels, all.width, all.height, &error) != ICSEG_OK) {
        exchange_fail_error(r->exchange, &error);
        return false;
    }
    r->owned = true;
    for (size_t i = 0; i < pixels_of(r); i++)
        r->labels.data[i] = (int16_t)(wanted[all.data[i]] ? all.data[i] : ICSEG_LABEL_IGNORE);
    return true;
}

bool results_select(serve_results *r, const char *names) {
    bool *wanted = calloc((size_t)r->model->class_count, sizeof *wanted);
    if (!wanted) out_of_memory(r);
    bool ok = wanted && read_selection(r, names, wanted) && results_keep(r, wanted);
    free(wanted);
    return ok;
}

bool results_summarise(const serve_results *r, icseg_labels_summary *out) {
    icseg_error error;
    *out = (icseg_labels_summary){ICSEG_LABELS_SUMMARY_INIT};
    if (icseg_labels_summarise(out, &r->labels, r->confidence, r->model->class_count, &error) == ICSEG_OK) return true;
    exchange_fail_error(r->exchange, &error);
    return false;
}

/* -- replies */

/* Takes a buffer of the library. */
static void reply_bytes(serve_results *r, const char *type, icseg_status status, void *bytes, size_t size,
                        const icseg_error *error) {
    serve_reply *reply = &r->exchange->reply;
    if (status != ICSEG_OK) {
        exchange_fail_error(r->exchange, error);
        return;
    }
    serve_buffer_append(&reply->body, bytes, size);
    icseg_buffer_free(bytes);
    reply->status = 200;
    reply->type = type;
}

void results_reply_png(serve_results *r) {
    icseg_error error;
    void *bytes;
    size_t size;
    icseg_status status = icseg_labels_encode_png(&r->labels, &r->model->palette, &bytes, &size, &error);
    reply_bytes(r, "image/png", status, bytes, size, &error);
}

void results_reply_overlay(serve_results *r, double opacity) {
    icseg_overlay_options options = {ICSEG_OVERLAY_OPTIONS_INIT, .palette = &r->model->palette,
                                     .names = r->model->classes, .opacity = opacity};
    icseg_image overlay = {0};
    icseg_error error;
    void *bytes = NULL;
    size_t size = 0;
    icseg_status status = icseg_overlay_draw(&overlay, &r->image, &r->labels, &options, &error);
    if (status == ICSEG_OK) status = icseg_image_encode_png(&overlay, &bytes, &size, &error);
    reply_bytes(r, "image/png", status, bytes, size, &error);
    icseg_image_close(&overlay);
}

/* The file format of NumPy, version 1.0: numpy.load reads it. */
void results_reply_npy(serve_results *r, bool confidence) {
    enum { HEADER = 128, BEGIN = 10 };
    char header[HEADER + 1];
    serve_reply *reply = &r->exchange->reply;
    memset(header, ' ', sizeof header);
    memcpy(header, "\x93NUMPY\x01\x00", 8);
    header[8] = HEADER - BEGIN;
    header[9] = 0;
    int length =
        snprintf(header + BEGIN, HEADER - BEGIN, "{'descr': '%s', 'fortran_order': False, 'shape': (%d, %d), }",
                 confidence ? "<f4" : "<i2", (int)r->labels.height, (int)r->labels.width);
    header[BEGIN + length] = ' ';
    header[HEADER - 1] = '\n';
    serve_buffer_append(&reply->body, header, HEADER);
    if (confidence)
        serve_buffer_append(&reply->body, r->confidence, pixels_of(r) * sizeof *r->confidence);
    else
        serve_buffer_append(&reply->body, r->labels.data, pixels_of(r) * sizeof *r->labels.data);
    reply->status = 200;
    reply->type = "application/x-npy";
}

void results_reply_export(serve_results *r, icseg_export_format format, bool runs, const char *name) {
    icseg_export_options options = {ICSEG_EXPORT_OPTIONS_INIT, .format = format, .names = r->model->classes,
                                    .classes = r->model->class_count, .runs = runs};
    icseg_export_image image = {ICSEG_EXPORT_IMAGE_INIT, .name = name, .labels = &r->labels,
                                .confidence = r->confidence};
    icseg_error error;
    void *bytes;
    size_t size;
    icseg_status status = icseg_export_encode(&options, &image, &bytes, &size, &error);
    reply_bytes(r, format == ICSEG_EXPORT_GEOJSON ? "application/geo+json" : "application/json", status, bytes, size,
                &error);
}

/* -- JSON */

void results_append_grey(serve_buffer *out, const uint8_t *grey, int32_t width, int32_t height) {
    png_image png = {.version = PNG_IMAGE_VERSION,
                     .width = (png_uint_32)width,
                     .height = (png_uint_32)height,
                     .format = PNG_FORMAT_GRAY,
                     .flags = PNG_IMAGE_FLAG_FAST};
    png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(png);
    void *bytes = malloc(size);
    if (bytes && png_image_write_to_memory(&png, bytes, &size, 0, grey, 0, NULL))
        serve_buffer_base64(out, bytes, size);
    else
        out->failed = true;
    free(bytes);
}

/* A PNG of 255 times the confidence, as text; NULL when out of memory. */
static json_t *confidence_json(const serve_results *r) {
    serve_buffer text = {0};
    size_t pixels = pixels_of(r);
    uint8_t *grey = malloc(pixels);
    for (size_t i = 0; grey && i < pixels; i++) grey[i] = (uint8_t)lrintf(255 * r->confidence[i]);
    if (grey) results_append_grey(&text, grey, r->labels.width, r->labels.height);
    json_t *value = grey && !text.failed ? json_stringn(text.data, text.size) : NULL;
    serve_buffer_close(&text);
    free(grey);
    return value;
}

static json_t *labels_json(const serve_results *r) {
    serve_buffer text = {0};
    void *bytes;
    size_t size;
    if (icseg_labels_encode_png(&r->labels, &r->model->palette, &bytes, &size, NULL) != ICSEG_OK) return NULL;
    serve_buffer_base64(&text, bytes, size);
    icseg_buffer_free(bytes);
    json_t *value = text.failed ? NULL : json_stringn(text.data, text.size);
    serve_buffer_close(&text);
    return value;
}

static json_t *classes_json(const serve_results *r, const icseg_labels_summary *summary) {
    json_t *list = json_array();
    for (int32_t i = 0; i < summary->count && list; i++) {
        const icseg_class_share *s = &summary->classes[i];
        const uint8_t *c = r->model->palette.color[s->index];
        json_t *entry = json_pack("{s:i, s:s, s:I, s:f, s:f, s:[i,i,i]}", "index", (int)s->index, "name",
                                  r->model->classes[s->index], "pixels", (json_int_t)s->pixels, "share", s->share,
                                  "confidence", s->confidence, "color", c[0], c[1], c[2]);
        if (json_array_append_new(list, entry) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}

void results_reply_json(serve_results *r, const char *name, bool labels, bool confidence) {
    icseg_labels_summary summary;
    if (!results_summarise(r, &summary)) return;
    json_t *classes = classes_json(r, &summary);
    json_t *root = classes ? json_pack("{s:s, s:s, s:i, s:i, s:f, s:o}", "image", name, "model", r->model->name,
                                       "width", (int)r->labels.width, "height", (int)r->labels.height, "confidence",
                                       summary.confidence, "classes", classes)
                           : NULL;
    icseg_labels_summary_close(&summary);
    if (root && labels && json_object_set_new(root, "labels", labels_json(r)) != 0) json_decref(root), root = NULL;
    if (root && confidence && json_object_set_new(root, "confidence_map", confidence_json(r)) != 0)
        json_decref(root), root = NULL;
    exchange_reply_json(r->exchange, root);
}
