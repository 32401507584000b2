/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Segmentation metrics from one confusion matrix over a whole set of images. */
#ifndef ICSEG_METRICS_H
#define ICSEG_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "icseg/error.h"
#include "icseg/image.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A confusion matrix. */
typedef struct icseg_confusion {
    int32_t classes; /**< number of classes */
    int64_t *count;  /**< pixels (classes, classes): row = label, column = prediction; owned */
} icseg_confusion;

/** Creates a confusion matrix of zeros.
 *
 * @param out receives the matrix, empty on failure; close it with icseg_confusion_close
 * @param classes 1..16384 (2 GiB)
 * @param error receives the message on failure; may be NULL
 * @return ICSEG_ERROR_ARGUMENT if `classes` is out of range */
ICSEG_API icseg_status icseg_confusion_create(icseg_confusion *out, int32_t classes, icseg_error *error);

/** Frees the matrix and empties the struct. Accepts NULL. */
ICSEG_API void icseg_confusion_close(icseg_confusion *confusion);

/** Adds the pixels of one image. Pixels whose label is ICSEG_LABEL_IGNORE do not count. One thread at a time.
 *
 * @param confusion the matrix
 * @param labels ground truth
 * @param predicted predictions, of the same size
 * @param error receives the message on failure; may be NULL
 * @return ICSEG_ERROR_SHAPE if the sizes differ; ICSEG_ERROR_DATA, with value and position, if a label or prediction is
 * not in 0..classes-1: nothing has been counted then */
ICSEG_API icseg_status icseg_confusion_add(icseg_confusion *confusion, const icseg_labels *labels,
                                           const icseg_labels *predicted, icseg_error *error);

/** Metrics, as fractions in 0..1. Three conventions for the mean over classes are in use; they differ in how they count
 * classes that do not occur. Close it with icseg_metrics_close. */
typedef struct icseg_metrics {
    size_t struct_size;   /**< ICSEG_METRICS_INIT */
    int32_t classes;      /**< number of classes */
    int32_t counted;      /**< classes that entered `miou` */
    double *iou;          /**< (classes), owned; NaN for a class that occurs neither in labels nor in predictions */
    double *accuracy;     /**< (classes), owned; NaN for a class that does not occur in the labels */
    int64_t *pixels;      /**< (classes), owned: labelled pixels */
    double miou;          /**< mean IoU, without classes that occur neither in labels nor in predictions */
    double macc;          /**< mean accuracy over the classes that occur in the labels */
    double aacc;          /**< accuracy over all labelled pixels */
    double miou_labelled; /**< mean IoU over the classes that occur in the labels */
    double miou_all;      /**< mean IoU over all classes; an undefined IoU counts as 0 */
} icseg_metrics;

/** Initialises an icseg_metrics. */
#define ICSEG_METRICS_INIT ICSEG_INIT(icseg_metrics)

/** Computes the metrics of a confusion matrix.
 *
 * @param out receives the metrics; earlier contents are overwritten, not freed. Empty on failure
 * @param confusion the matrix
 * @param error receives the message on failure; may be NULL
 * @return ICSEG_ERROR_ARGUMENT for NULL or a wrong struct_size */
ICSEG_API icseg_status icseg_metrics_compute(icseg_metrics *out, const icseg_confusion *confusion, icseg_error *error);

/** Frees the arrays and empties the struct. Accepts NULL. */
ICSEG_API void icseg_metrics_close(icseg_metrics *metrics);

/** Formats the metrics as text: the table `Class | IoU | Acc` and then `aAcc | mIoU | mAcc`, in percent.
 *
 * @param metrics the metrics
 * @param names (metrics->classes), UTF-8
 * @param out receives NUL-terminated text, NULL on failure; free it with icseg_buffer_free
 * @param error receives the message on failure; may be NULL */
ICSEG_API icseg_status icseg_metrics_table(const icseg_metrics *metrics, const char *const *names, char **out,
                                           icseg_error *error);

/** The same as a JSON object, as fractions, null where undefined. ICSEG_ERROR_DATA if a name is not UTF-8. */
ICSEG_API icseg_status icseg_metrics_json(const icseg_metrics *metrics, const char *const *names, char **out,
                                          icseg_error *error);

#ifdef __cplusplus
}
#endif
#endif
