/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Segmentation without training: a model of CLIP's weights and the names of any classes. CLIP's image encoder is
 * changed in its last block only, so that its output keeps positions apart (docs/open_vocabulary.md). */
#ifndef ICSEG_OPEN_VOCABULARY_H
#define ICSEG_OPEN_VOCABULARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "icseg/error.h"
#include "icseg/model.h"
#include "icseg/progress.h"

#ifdef __cplusplus
extern "C" {
#endif

/** What the last block of CLIP's image encoder computes. q, k, v: its queries, keys and values; d: width of a head.
 * A ResNet ends in an attention pool instead of such a block: AUTO, CLIP and MASKCLIP are for ResNets too. */
typedef enum icseg_open_method {
    ICSEG_OPEN_AUTO,      /**< NACLIP for a vision transformer, MASKCLIP for a ResNet */
    ICSEG_OPEN_CLIP,      /**< softmax(q k^T / sqrt(d)) v: CLIP unchanged */
    ICSEG_OPEN_MASKCLIP,  /**< v alone (Zhou et al. 2022) */
    ICSEG_OPEN_SCLIP,     /**< (softmax(q q^T / sqrt(d)) + softmax(k k^T / sqrt(d))) v (Wang et al. 2024) */
    ICSEG_OPEN_CLEARCLIP, /**< softmax(q q^T / sqrt(d)) v, without residual and MLP (Lan et al. 2024) */
    /** softmax(k k^T / sqrt(d) + G) v, without residual and MLP (Hajimiri et al. 2025); G adds
     * exp(-distance^2 / 50) to the score of two positions */
    ICSEG_OPEN_NACLIP,
    ICSEG_OPEN_NACLIP_VANILLA, /**< NACLIP with residual and MLP */
    ICSEG_OPEN_KK_REDUCED      /**< NACLIP without G */
} icseg_open_method;

/** Weights, classes and settings of an open-vocabulary model. */
typedef struct icseg_open_vocabulary_options {
    size_t struct_size;     /**< ICSEG_OPEN_VOCABULARY_OPTIONS_INIT */
    const char *weights;    /**< required: CLIP as published, any file or folder icseg_weights_convert reads */
    const char *vocabulary; /**< CLIP's vocabulary, a file or a folder with one; NULL: next to the weights */
    /** Required: (class_count), UTF-8. "person, man, woman" is a class of three words: at each pixel, the word that
     * fits best counts. */
    const char *const *class_names;
    size_t class_count; /**< 1..ICSEG_CLASSIFY_MAX_CLASSES */
    /** (template_count): sentences in which a word replaces "{}". A word is the mean of its sentences' embeddings. */
    const char *const *templates;
    size_t template_count;    /**< 0: the one template "a photo of a {}" */
    icseg_open_method method; /**< AUTO: the one that suits the image encoder */
    /** Words of what is none of the classes, such as "wall, floor". They become the words of the class "background",
     * which is added before the others unless class_names contains it. NULL: none. */
    const char *background;
    /** Pixels whose most probable class is less probable than this become background; 0..1; 0: none. It needs a class
     * "background". */
    double threshold;
    double logit_scale; /**< factor of the cosines before the softmax; 0: 40 */
    const char *config; /**< as in icseg_classifier_options */
    /** Folder in which embeddings of texts are kept, under the hash of texts and weights, so that the next call with
     * the same need not compute them; created if it does not exist. NULL: none. */
    const char *cache;
    int32_t threads; /**< OpenMP threads that compute the embeddings of texts, 0..1024; 0: all */
    /** Which of several state dicts of a file: its key or path, such as "state_dict_ema" or "model.net", the prefix of
     * its names, such as "ema_model", or "ema" for averaged weights, whatever their name. NULL: the raw weights, or the
     * averaged ones if the file has only those (docs/weights.md). */
    const char *state_dict;
} icseg_open_vocabulary_options;

/** Initialises an icseg_open_vocabulary_options. */
#define ICSEG_OPEN_VOCABULARY_OPTIONS_INIT ICSEG_INIT(icseg_open_vocabulary_options)

/** Opens CLIP's weights as a model that labels pixels with any classes. Sessions run it as any other model, and by
 * default as its authors do (icseg_model_eval_options): the short side 336 pixels, windows of 224 pixels in steps of
 * 112. It cannot be saved, calibrated or trained.
 *
 * The text encoder is in memory only during this call.
 *
 * @param out receives the model, NULL on failure; close it with icseg_model_close
 * @param options required
 * @param progress NULL, or called if the texts take some seconds (stage "encode texts"), and with warnings
 * @param error receives the message on failure; may be NULL
 * @return ICSEG_ERROR_FORMAT if the weights are not a complete CLIP model or the vocabulary does not fit;
 * ICSEG_ERROR_ARGUMENT if no class is given, or if a name or template is empty, not UTF-8 or too long for the model;
 * ICSEG_ERROR_UNSUPPORTED if the method needs a vision transformer; ICSEG_ERROR_IO; ICSEG_ERROR_NUMERIC;
 * ICSEG_ERROR_CANCELLED */
ICSEG_API icseg_status icseg_model_open_vocabulary(icseg_model **out, const icseg_open_vocabulary_options *options,
                                                   const icseg_progress *progress, icseg_error *error);

/** Description of an open-vocabulary model. It lives as long as the model. */
typedef struct icseg_open_vocabulary_info {
    const char *summary;      /**< human-readable: file, container, names, architecture; ends in a newline */
    icseg_open_method method; /**< never AUTO */
    int32_t word_count;       /**< words of all classes */
    int32_t background;       /**< index of the class "background"; -1: none */
    double threshold;         /**< as in the options */
    double logit_scale;       /**< as in the options, with the default filled in */
    bool cached;              /**< the embeddings of the texts were read from the cache */
} icseg_open_vocabulary_info;

/** Describes an open-vocabulary model. NULL for other models and for NULL. Thread-safe. */
ICSEG_API const icseg_open_vocabulary_info *icseg_model_open_vocabulary_info(const icseg_model *model);

/** The name of a method in options and recipes, such as "naclip"; NULL for values that are not methods. Thread-safe. */
ICSEG_API const char *icseg_open_method_name(icseg_open_method method);

#ifdef __cplusplus
}
#endif
#endif
