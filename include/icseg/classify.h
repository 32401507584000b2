/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Zero-shot classification with plain CLIP weights: an image is compared with the names of classes (CLIP, Radford et
 * al. 2021). */
#ifndef ICSEG_CLASSIFY_H
#define ICSEG_CLASSIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "icseg/config.h"
#include "icseg/error.h"
#include "icseg/image.h"
#include "icseg/progress.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Limits. */
enum {
    ICSEG_CLASSIFY_MAX_CLASSES = 16384, /**< the largest number of classes */
    ICSEG_CLASSIFY_MAX_TEMPLATES = 256  /**< the largest number of templates */
};

/** Weights, vocabulary and classes of a classifier. */
typedef struct icseg_classifier_options {
    size_t struct_size;             /**< ICSEG_CLASSIFIER_OPTIONS_INIT */
    const char *weights;            /**< required: CLIP as published, any file or folder icseg_weights_convert reads */
    const char *vocabulary;         /**< CLIP's vocabulary, a file or a folder with one; NULL: next to the weights */
    const char *const *class_names; /**< required: (class_count), UTF-8; "building, edifice" has two names */
    size_t class_count;             /**< 1..ICSEG_CLASSIFY_MAX_CLASSES */
    icseg_synonyms_use synonyms;    /**< of classes with several names: ICSEG_SYNONYMS_FIRST or _MEAN */
    /** (template_count): texts in which the name replaces "{}". With several templates, a class is the mean of all,
     * normalised to unit length. icseg_templates_open() has lists of them. */
    const char *const *templates;
    size_t template_count; /**< 0: the one template "a photo of a {}" */
    int32_t threads;       /**< OpenMP threads, 0..1024; 0: all cores that the process may use */
    /** JSON object: fields that the weights' shapes do not determine, such as {"activation": "gelu"}, which take
     * precedence over the configuration beside the weights; NULL: as it says, otherwise OpenAI's values. */
    const char *config;
    /** Which of several state dicts of a file: its key or path, such as "state_dict_ema" or "model.net", the prefix of
     * its names, such as "ema_model", or "ema" for averaged weights, whatever their name. NULL: the raw weights, or the
     * averaged ones if the file has only those (docs/weights.md). */
    const char *state_dict;
    /** Folder in which embeddings of the classes are kept, under the hash of texts and weights, so that the next call
     * with the same need not compute them; created if it does not exist. NULL: none. */
    const char *cache;
} icseg_classifier_options;

/** Initialises an icseg_classifier_options. */
#define ICSEG_CLASSIFIER_OPTIONS_INIT ICSEG_INIT(icseg_classifier_options)

/** A classifier. One thread at a time may run it; icseg_classifier_score and icseg_classifier_describe may be called
 * from any number of threads. */
typedef struct icseg_classifier icseg_classifier;

/** Opens the weights and computes the embeddings of the classes.
 *
 * The image encoder is loaded by the first image, and the text encoder, after this call, by the first call of
 * icseg_classifier_encode_texts(). The file of the weights must not be written to until then; it may be replaced.
 *
 * @param out receives the classifier, NULL on failure; close it with icseg_classifier_close
 * @param options required
 * @param progress NULL, or called if the texts take some seconds (stage "encode texts")
 * @param error receives the message on failure; may be NULL
 * @return ICSEG_ERROR_FORMAT if the weights are not a complete CLIP model (the message names what is missing) or the
 * vocabulary does not fit; ICSEG_ERROR_ARGUMENT if no class is given, or if a name or template is empty, not UTF-8 or
 * too long for the model; ICSEG_ERROR_IO; ICSEG_ERROR_NUMERIC; ICSEG_ERROR_CANCELLED */
ICSEG_API icseg_status icseg_classifier_open(icseg_classifier **out, const icseg_classifier_options *options,
                                             const icseg_progress *progress, icseg_error *error);
/** Closes a classifier and sets the pointer to NULL. Accepts NULL and a pointer to NULL. */
ICSEG_API void icseg_classifier_close(icseg_classifier **classifier);

/** Classifies one image. It is prepared as by CLIP: the short side is resized to the model's size (bicubic with
 * antialiasing), and the centre is cropped and normalised.
 *
 * @param classifier the classifier
 * @param image the image, at least 1 x 1
 * @param probabilities receives (class_count): the softmax of logit scale times cosine, with sum 1
 * @param cosines NULL, or receives (class_count), -1..1
 * @param error receives the message on failure; may be NULL
 * @return ICSEG_ERROR_NUMERIC if the weights compute values that are not finite; ICSEG_ERROR_IO if the file of the
 * weights was truncated; ICSEG_ERROR_ARGUMENT */
ICSEG_API icseg_status icseg_classifier_run(icseg_classifier *classifier, const icseg_image *image,
                                            float *probabilities, float *cosines, icseg_error *error);

/** The first half of icseg_classifier_run: the embedding of an image.
 *
 * @param classifier the classifier
 * @param image the image, at least 1 x 1
 * @param out receives (width), normalised to unit length
 * @param error receives the message on failure; may be NULL
 * @return as icseg_classifier_run */
ICSEG_API icseg_status icseg_classifier_embed(icseg_classifier *classifier, const icseg_image *image, float *out,
                                              icseg_error *error);

/** The second half of icseg_classifier_run: probabilities and cosines of an embedding. Thread-safe.
 *
 * @param classifier the classifier
 * @param embedding (width), normalised to unit length
 * @param probabilities receives (class_count), with sum 1
 * @param cosines NULL, or receives (class_count), -1..1
 * @param error receives the message on failure; may be NULL
 * @return ICSEG_ERROR_ARGUMENT if a required pointer is NULL */
ICSEG_API icseg_status icseg_classifier_score(const icseg_classifier *classifier, const float *embedding,
                                              float *probabilities, float *cosines, icseg_error *error);

/** The embeddings of texts, which are encoded as they are, without templates.
 *
 * @param classifier the classifier, whose classes play no part
 * @param texts (count), UTF-8
 * @param count 1..4,194,304
 * @param out receives (count, width), each normalised to unit length
 * @param error receives the message on failure; may be NULL
 * @return ICSEG_ERROR_ARGUMENT, naming the text, if one is NULL, empty, not UTF-8 or too long for the model;
 * ICSEG_ERROR_NUMERIC if the weights compute values that are not finite; ICSEG_ERROR_IO if the file of the weights was
 * truncated */
ICSEG_API icseg_status icseg_classifier_encode_texts(icseg_classifier *classifier, const char *const *texts,
                                                     size_t count, float *out, icseg_error *error);

/** Description of an open classifier. It belongs to the classifier and is valid as long as that is open. */
typedef struct icseg_classifier_info {
    const char *summary; /**< human-readable: file, container, names, architecture, warnings; ends in a newline */
    const char *const *class_names; /**< (class_count): the first name of each */
    const float *text;              /**< (class_count, width): embeddings of the classes, of unit length */
    int32_t class_count;            /**< number of classes */
    int32_t width;                  /**< elements of an embedding */
    int32_t side;                   /**< side of the square image that the model reads, pixels */
    float logit_scale;              /**< factor of the cosines before the softmax */
    /** The weights do not contain a logit scale, as in segmentation models: 100 is used, CLIP's final value. */
    bool logit_scale_missing;
    bool cached; /**< the embeddings of the classes were read from the cache */
} icseg_classifier_info;

/** Describes a classifier. NULL for NULL. Thread-safe. */
ICSEG_API const icseg_classifier_info *icseg_classifier_describe(const icseg_classifier *classifier);

#ifdef __cplusplus
}
#endif
#endif
