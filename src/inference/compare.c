/* SPDX-License-Identifier: Apache-2.0
 * Comparing the labels of faster precisions with those of F32, image by image. */
#include "inference/compare.h"

#include <math.h>

#include "base/memory.h"

static const icseg_precision compared[] = {ICSEG_PRECISION_BF16, ICSEG_PRECISION_BF16X2, ICSEG_PRECISION_INT8};
enum { COMPARED = sizeof compared / sizeof *compared };

struct icseg_comparison {
    icseg_session *exact, *quick[COMPARED];  /* NULL: not on this processor */
    double sum[COMPARED], squares[COMPARED]; /* of the share of an image's labels that differ from those of F32 */
    int32_t images;
};

static icseg_status open_sessions(icseg_comparison *c, icseg_model *model, int32_t threads, icseg_error *error) {
    icseg_session_options options = {ICSEG_SESSION_OPTIONS_INIT, .threads = threads};
    ICSEG_TRY(icseg_session_open(&c->exact, model, &options, error));
    for (size_t i = 0; i < COMPARED; i++) {
        options.precision = compared[i];
        if (icseg_precision_here(compared[i]) == compared[i])
            ICSEG_TRY(icseg_session_open(&c->quick[i], model, &options, error));
    }
    return ICSEG_OK;
}

icseg_status icseg_comparison_open(icseg_comparison **out, icseg_model *model, int32_t threads, icseg_error *error) {
    icseg_comparison *c = *out = icseg_calloc_array(1, sizeof *c);
    if (!c) return icseg_fail_memory(error, sizeof *c, "a comparison of labels");
    icseg_status status = open_sessions(c, model, threads, error);
    if (status != ICSEG_OK) icseg_comparison_close(out);
    return status;
}

static icseg_status share_changed(icseg_session *session, const icseg_image *image, const icseg_eval_options *eval,
                                  const icseg_labels *exact, double *out, icseg_error *error) {
    icseg_labels labels;
    ICSEG_TRY(icseg_session_predict(session, image, eval, &labels, NULL, error));
    int64_t count = (int64_t)exact->width * exact->height, changed = 0;
    for (int64_t p = 0; p < count; p++) changed += exact->data[p] != labels.data[p];
    icseg_labels_close(&labels);
    *out = (double)changed / (double)count;
    return ICSEG_OK;
}

icseg_status icseg_comparison_add(icseg_comparison *c, const icseg_image *image, const icseg_eval_options *eval,
                                  icseg_error *error) {
    double changed[COMPARED] = {0};
    icseg_labels exact;
    ICSEG_TRY(icseg_session_predict(c->exact, image, eval, &exact, NULL, error));
    icseg_status status = ICSEG_OK;
    for (size_t i = 0; i < COMPARED && status == ICSEG_OK; i++)
        if (c->quick[i]) status = share_changed(c->quick[i], image, eval, &exact, &changed[i], error);
    icseg_labels_close(&exact);
    if (status != ICSEG_OK) return status;
    for (size_t i = 0; i < COMPARED; i++) {
        c->sum[i] += changed[i];
        c->squares[i] += changed[i] * changed[i];
    }
    c->images++;
    return ICSEG_OK;
}

static icseg_label_agreement agreement_of(double sum, double squares, int32_t images) {
    double mean = sum / images, n = images;
    double variance = images > 1 ? fmax(0, squares - sum * mean) / (n - 1) : 0;
    double low = images > 1 ? 1 - mean - 2 * sqrt(variance / n) : 0;
    return (icseg_label_agreement){.images = images, .mean = 1 - mean, .low = fmax(0, low)};
}

void icseg_comparison_describe(const icseg_comparison *c, icseg_model *model) {
    for (size_t i = 0; c->images && i < COMPARED; i++)
        if (c->quick[i]) model->agreements[compared[i]] = agreement_of(c->sum[i], c->squares[i], c->images);
}

void icseg_comparison_close(icseg_comparison **comparison) {
    icseg_comparison *c = *comparison;
    *comparison = NULL;
    if (!c) return;
    icseg_session_close(&c->exact);
    for (size_t i = 0; i < COMPARED; i++) icseg_session_close(&c->quick[i]);
    icseg_free(c);
}
