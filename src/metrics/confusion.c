/* SPDX-License-Identifier: Apache-2.0
 * The confusion matrix of a set of images, and the metrics computed from it. */
#include "icseg/metrics.h"

#include <math.h>

#include "base/argument.h"
#include "base/memory.h"
#include "base/struct_size.h"

/* Labels are int16 and the matrix is square: 16384 classes are already 2 GiB. */
enum { MAX_CLASSES = 16384, FIRST_SIZE = offsetof(icseg_metrics, miou_all) + sizeof(double) };

icseg_status icseg_confusion_create(icseg_confusion *out, int32_t classes, icseg_error *error) {
    ICSEG_NEED(out);
    *out = (icseg_confusion){0};
    if (classes < 1 || classes > MAX_CLASSES)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "confusion matrix: %d classes; expected 1 to %d", (int)classes,
                          (int)MAX_CLASSES);
    size_t cells = (size_t)classes * (size_t)classes;
    int64_t *count = icseg_calloc_array(cells, sizeof *count);
    if (!count) return icseg_fail_memory(error, cells * sizeof *count, "the confusion matrix");
    *out = (icseg_confusion){.classes = classes, .count = count};
    return ICSEG_OK;
}

void icseg_confusion_close(icseg_confusion *confusion) {
    if (!confusion) return;
    icseg_free(confusion->count);
    *confusion = (icseg_confusion){0};
}

/* Called before counting, so that an image with an error leaves the matrix unchanged. */
static icseg_status check_values(int32_t classes, const icseg_labels *labels, const icseg_labels *predicted,
                                 icseg_error *error) {
    size_t pixels = (size_t)labels->width * (size_t)labels->height;
    for (size_t i = 0; i < pixels; i++) {
        int32_t label = labels->data[i], prediction = predicted->data[i];
        if (label == ICSEG_LABEL_IGNORE) continue;
        int label_fits = label >= 0 && label < classes;
        if (label_fits && prediction >= 0 && prediction < classes) continue;
        return icseg_fail(error, ICSEG_ERROR_DATA, "%s %d at x=%zu, y=%zu; expected 0 to %d",
                          label_fits ? "prediction" : "label", (int)(label_fits ? prediction : label),
                          i % (size_t)labels->width, i / (size_t)labels->width, (int)classes - 1);
    }
    return ICSEG_OK;
}

icseg_status icseg_confusion_add(icseg_confusion *confusion, const icseg_labels *labels, const icseg_labels *predicted,
                                 icseg_error *error) {
    ICSEG_NEED(confusion);
    ICSEG_NEED(labels);
    ICSEG_NEED(predicted);
    if (!confusion->count)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "icseg_confusion_add: the confusion matrix is empty");
    if (labels->width != predicted->width || labels->height != predicted->height)
        return icseg_fail(error, ICSEG_ERROR_SHAPE,
                          "the labels are %dx%d, but the prediction is %dx%d; the sizes must be equal",
                          (int)labels->width, (int)labels->height, (int)predicted->width, (int)predicted->height);
    ICSEG_TRY(check_values(confusion->classes, labels, predicted, error));
    size_t pixels = (size_t)labels->width * (size_t)labels->height, classes = (size_t)confusion->classes;
    for (size_t i = 0; i < pixels; i++)
        if (labels->data[i] != ICSEG_LABEL_IGNORE)
            confusion->count[(size_t)labels->data[i] * classes + (size_t)predicted->data[i]]++;
    return ICSEG_OK;
}

static double ratio(int64_t part, int64_t whole) { return whole ? (double)part / (double)whole : (double)NAN; }

/* Sums over the classes, always in their order, so that the result is reproducible. */
typedef struct totals {
    int64_t correct, labelled;
    int32_t counted, occurring;
    double iou, iou_occurring, accuracy;
} totals;

static void add_class(icseg_metrics *m, totals *t, int32_t c, int64_t hit, int64_t predicted) {
    int64_t labelled = m->pixels[c], either = labelled + predicted - hit;
    m->iou[c] = ratio(hit, either);
    m->accuracy[c] = ratio(hit, labelled);
    t->correct += hit;
    t->labelled += labelled;
    if (either) {
        t->iou += m->iou[c];
        t->counted++;
    }
    if (labelled) {
        t->iou_occurring += m->iou[c];
        t->accuracy += m->accuracy[c];
        t->occurring++;
    }
}

icseg_status icseg_metrics_compute(icseg_metrics *out, const icseg_confusion *confusion, icseg_error *error) {
    ICSEG_NEED(out);
    icseg_metrics m = {.struct_size = sizeof m};
    ICSEG_TRY(icseg_struct_write(out, &m, sizeof m, FIRST_SIZE, "icseg_metrics", error));
    ICSEG_NEED(confusion);
    if (confusion->classes < 1 || !confusion->count)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "icseg_metrics_compute: the confusion matrix is empty");
    size_t n = (size_t)confusion->classes;
    int64_t *predicted = icseg_calloc_array(n, sizeof *predicted);
    m = (icseg_metrics){.struct_size = sizeof m,
                        .classes = confusion->classes,
                        .iou = icseg_calloc_array(n, sizeof *m.iou),
                        .accuracy = icseg_calloc_array(n, sizeof *m.accuracy),
                        .pixels = icseg_calloc_array(n, sizeof *m.pixels)};
    if (!predicted || !m.iou || !m.accuracy || !m.pixels) {
        icseg_free(predicted);
        icseg_metrics_close(&m);
        return icseg_fail_memory(error, 0, "the metrics");
    }
    for (size_t label = 0; label < n; label++)
        for (size_t c = 0; c < n; c++) {
            m.pixels[label] += confusion->count[label * n + c];
            predicted[c] += confusion->count[label * n + c];
        }
    totals t = {0};
    for (int32_t c = 0; c < m.classes; c++) add_class(&m, &t, c, confusion->count[(size_t)c * (n + 1)], predicted[c]);
    icseg_free(predicted);
    m.counted = t.counted;
    m.aacc = ratio(t.correct, t.labelled);
    m.miou = t.counted ? t.iou / t.counted : (double)NAN;
    m.miou_labelled = t.occurring ? t.iou_occurring / t.occurring : (double)NAN;
    m.macc = t.occurring ? t.accuracy / t.occurring : (double)NAN;
    m.miou_all = t.counted ? t.iou / m.classes : (double)NAN;
    return icseg_struct_write(out, &m, sizeof m, FIRST_SIZE, "icseg_metrics", error);
}

void icseg_metrics_close(icseg_metrics *metrics) {
    if (!metrics) return;
    icseg_free(metrics->iou);
    icseg_free(metrics->accuracy);
    icseg_free(metrics->pixels);
    *metrics = (icseg_metrics){.struct_size = metrics->struct_size};
}
