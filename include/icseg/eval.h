/* SPDX-License-Identifier: Apache-2.0
 * Label maps of images, and the evaluation of a model on a data set. */
#ifndef ICSEG_EVAL_H
#define ICSEG_EVAL_H

#include "icseg/dataset.h"
#include "icseg/error.h"
#include "icseg/image.h"
#include "icseg/metrics.h"
#include "icseg/model.h"
#include "icseg/progress.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum icseg_eval_mode { ICSEG_EVAL_WHOLE, ICSEG_EVAL_SLIDE } icseg_eval_mode;

enum { ICSEG_EVAL_SCALES = 8 };

/* How an image is brought to the model and its logits back. The label map always has the image's own size. */
typedef struct icseg_eval_options {
    icseg_eval_mode mode;
    int32_t resize_short, resize_long;   /* the short side is brought to resize_short, the long side to at most
                                            resize_long; 0: the image's own size. A side under 32 is raised to 32. */
    int32_t crop_height, crop_width;     /* slide: the window, pixels, at least 32 */
    int32_t stride_height, stride_width; /* slide: its steps, at most the window; 0: two thirds of it */
    int32_t scale_count;                 /* test-time augmentation: how many of `scale`; 0: only 1.0 */
    double scale[ICSEG_EVAL_SCALES];     /* of the resized image, 1/16 .. 16 */
    bool flip;                           /* also the mirrored image; probabilities are averaged over scales and flips */
} icseg_eval_options;

ICSEG_API icseg_eval_options icseg_eval_options_default(void); /* whole image, own size, no augmentation */
/* Those of the evaluations in the model's training, without test-time augmentation, where its checkpoint tells them
 * (docs/checkpoint.md, icseg.eval); else the default. `options` NULL means these below. */
ICSEG_API icseg_eval_options icseg_eval_options_of(const icseg_model *model);

/* Label map of one image: *out is created, of the image's size, without ignored pixels. confidence: NULL, or receives
 * the probability of each chosen class, (height, width), 0..1, freed with icseg_buffer_free. Errors: an option out of
 * its range or an empty image (ICSEG_ERROR_ARGUMENT), logits that are not finite (ICSEG_ERROR_NUMERIC, with the first
 * operator that gave such a value). */
ICSEG_API icseg_status icseg_predict(icseg_model *model, const icseg_image *image, const icseg_eval_options *options,
                                     icseg_labels *out, float **confidence, icseg_error *error);

/* Runs the model on every image of a data set: one confusion matrix, created in *out. progress: NULL, or called after
 * each image. Errors: another number of classes (ICSEG_ERROR_DATA), a data set opened without labels, a file that
 * cannot be read (named), ICSEG_ERROR_CANCELLED, and those of icseg_predict. */
ICSEG_API icseg_status icseg_evaluate(icseg_model *model, const icseg_dataset *dataset,
                                      const icseg_eval_options *options, const icseg_progress *progress,
                                      icseg_confusion *out, icseg_error *error);

#ifdef __cplusplus
}
#endif
#endif
