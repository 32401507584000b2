/* SPDX-License-Identifier: Apache-2.0
 * Segmentation metrics from one confusion matrix over a whole set. */
#ifndef ICSEG_METRICS_H
#define ICSEG_METRICS_H

#include <stdint.h>

#include "icseg/error.h"
#include "icseg/image.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct icseg_confusion {
    int32_t classes;
    int64_t *count; /* (classes, classes): row = label, column = prediction; owned */
} icseg_confusion;

/* All zero. classes: 1..16384 (2 GiB), else ICSEG_ERROR_ARGUMENT. */
ICSEG_API icseg_status icseg_confusion_create(icseg_confusion *out, int32_t classes, icseg_error *error);
ICSEG_API void icseg_confusion_close(icseg_confusion *confusion);
/* Adds one image; pixels whose label is ICSEG_LABEL_IGNORE do not count. Other sizes are ICSEG_ERROR_SHAPE, labels and
 * predictions outside 0..classes-1 ICSEG_ERROR_DATA with value and position; nothing has been counted then. */
ICSEG_API icseg_status icseg_confusion_add(icseg_confusion *confusion, const icseg_labels *labels,
                                           const icseg_labels *predicted, icseg_error *error);

typedef struct icseg_metrics {
    int32_t classes;
    double *iou, *accuracy;  /* (classes), owned; NaN where undefined: IoU when absent from label and prediction,
                                accuracy when absent from the labels */
    int64_t *pixels;         /* (classes): labelled pixels */
    double miou, macc, aacc; /* classes absent from both label and prediction left out of the mean */
    double miou_labelled;    /* the other convention: mean over classes that occur in the labels */
    double miou_all;         /* and the third: undefined counts as 0 */
    int32_t counted;         /* classes that entered miou */
} icseg_metrics;

/* Figures are shares, 0..1. *out is created. */
ICSEG_API icseg_status icseg_metrics_compute(icseg_metrics *out, const icseg_confusion *confusion, icseg_error *error);
ICSEG_API void icseg_metrics_close(icseg_metrics *metrics);

/* The table `Class | IoU | Acc` and then `aAcc | mIoU | mAcc`, percent, as text; and the same as JSON, as shares, null
 * where undefined. names (metrics->classes), UTF-8. *out is NUL-terminated and freed with icseg_buffer_free. */
ICSEG_API icseg_status icseg_metrics_table(const icseg_metrics *metrics, const char *const *names, char **out,
                                           icseg_error *error);
ICSEG_API icseg_status icseg_metrics_json(const icseg_metrics *metrics, const char *const *names, char **out,
                                          icseg_error *error);

#ifdef __cplusplus
}
#endif
#endif
