/* SPDX-License-Identifier: Apache-2.0
 * The results of one image, and their forms in replies. */
#ifndef SERVE_RESULTS_H
#define SERVE_RESULTS_H

#include <jansson.h>

#include "icseg/export.h"

#include "exchange.h"

typedef struct serve_results {
    serve_exchange *exchange;
    serve_model *model;
    icseg_image image;
    serve_run_request run;
    icseg_labels labels; /* its data belong to it only if `owned` */
    bool owned;
    const float *confidence; /* (height, width); NULL if it was not asked for */
} serve_results;

/* Decodes an image and labels it. Returns false after a failure. Close the results in any case. */
bool results_open(serve_results *out, serve_exchange *exchange, serve_model *model, const void *data, size_t size,
                  const char *name, bool confidence);
void results_close(serve_results *results);

/* Pixels of classes that are not wanted become ICSEG_LABEL_IGNORE. `wanted` has an entry for each class. Returns false
 * after a failure. */
bool results_keep(serve_results *results, const bool *wanted);
/* Pixels of all other classes become ICSEG_LABEL_IGNORE. `names`: class names, separated by commas. */
bool results_select(serve_results *results, const char *names);

/* The classes that occur. Returns false after a failure; the exchange has the reply then. */
bool results_summarise(const serve_results *results, icseg_labels_summary *out);

/* Replies. */
void results_reply_png(serve_results *results);
void results_reply_overlay(serve_results *results, double opacity);
void results_reply_npy(serve_results *results, bool confidence);
void results_reply_export(serve_results *results, icseg_export_format format, bool runs, const char *name);
void results_reply_json(serve_results *results, const char *name, bool labels, bool confidence);

/* A grey PNG of one byte a pixel, encoded as base64 and appended. */
void results_append_grey(serve_buffer *out, const uint8_t *grey, int32_t width, int32_t height);

#endif
