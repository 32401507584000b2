/* SPDX-License-Identifier: Apache-2.0
 * Zero-shot classification with plain CLIP weights: how alike an image and the names of classes are. */
#ifndef ICSEG_CLASSIFY_H
#define ICSEG_CLASSIFY_H

#include <stddef.h>

#include "icseg/config.h"
#include "icseg/error.h"
#include "icseg/image.h"
#include "icseg/progress.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { ICSEG_CLASSIFY_MOST_CLASSES = 16384, ICSEG_CLASSIFY_MOST_TEMPLATES = 256 };

typedef struct icseg_classifier_options {
    const char *weights;            /* CLIP as it is published: any file or folder that icseg_weights_convert reads */
    const char *vocabulary;         /* CLIP's vocabulary, a file or a folder that has one; NULL: beside the weights */
    const char *const *class_names; /* (class_count), UTF-8; "building, edifice" has two names */
    size_t class_count;
    icseg_synonyms_use synonyms;  /* of classes of several names: the first, or the mean of all */
    const char *const *templates; /* (template_count): texts in which "{}" stands for the name. With several a class is
                                     the mean of all, at unit length. */
    size_t template_count;        /* 0: the one template "a photo of a {}" */
} icseg_classifier_options;

/* Not thread-safe: one call on one classifier at a time. */
typedef struct icseg_classifier icseg_classifier;

/* Loads both encoders and computes the classes' embeddings. Errors: weights that are not a whole CLIP (what is missing
 * is named), a vocabulary that is missing or does not fit, no class, a class name or template that is empty, not UTF-8
 * or makes a text too long for the model (named). progress: NULL, or called when there are texts for some seconds of
 * work; ICSEG_ERROR_CANCELLED. */
ICSEG_API icseg_status icseg_classifier_open(icseg_classifier **out, const icseg_classifier_options *options,
                                             const icseg_progress *progress, icseg_error *error);
ICSEG_API void icseg_classifier_close(icseg_classifier **classifier);

/* One image, prepared as CLIP does: the short side to the model's size, bicubic with antialiasing, the centre cut out,
 * normalised. probabilities (class_count): softmax of logit scale times cosine, sum 1. cosines (class_count), in -1..1,
 * or NULL. ICSEG_ERROR_NUMERIC when the weights give values that are not finite. */
ICSEG_API icseg_status icseg_classifier_run(icseg_classifier *classifier, const icseg_image *image,
                                            float *probabilities, float *cosines, icseg_error *error);

/* The two halves of it: the image's embedding (width) at unit length, and probabilities and cosines of an embedding. */
ICSEG_API icseg_status icseg_classifier_embed(icseg_classifier *classifier, const icseg_image *image, float *out,
                                              icseg_error *error);

ICSEG_API void icseg_classifier_score(const icseg_classifier *classifier, const float *embedding, float *probabilities,
                                      float *cosines);

/* What was opened. */
typedef struct icseg_classifier_info {
    const char *summary;              /* lines for people: file, container, names, architecture, warnings; ends in \n */
    const char *const *class_names;   /* (class_count): the first name of each */
    const float *text;                /* (class_count, width): the classes' embeddings at unit length */
    int32_t class_count, width, side; /* side: of the square the model sees, pixels */
    float logit_scale;                /* cosines are multiplied by it */
    bool logit_scale_missing; /* the weights have none (segmentation drops it): 100, where CLIP's training ends */
} icseg_classifier_info;
ICSEG_API const icseg_classifier_info *icseg_classifier_describe(const icseg_classifier *classifier);

#ifdef __cplusplus
}
#endif
#endif
