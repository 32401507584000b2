/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Generated street and country scenes with exact label maps, to try the library without data.
 *
 * A scene is a function of its seed, index, size and vocabulary: it does not depend on threads or on the other scenes.
 * All functions are thread-safe. */
#ifndef ICSEG_SYNTH_H
#define ICSEG_SYNTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "icseg/error.h"
#include "icseg/image.h"
#include "icseg/progress.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Limits and special values. */
enum {
    ICSEG_SYNTH_CLASSES = 13,         /**< classes of the small vocabulary */
    ICSEG_SYNTH_MIN_SIDE = 64,        /**< the smallest width and height, in pixels */
    ICSEG_SYNTH_MAX_SIDE = 4096,      /**< the largest width and height, in pixels */
    ICSEG_SYNTH_MAX_IMAGES = 1000000, /**< the largest number of images of a split */
    ICSEG_SYNTH_NO_IMAGES = -1        /**< icseg_synth_options: a split without images */
};

/** What scenes can contain. */
typedef enum icseg_synth_vocabulary {
    ICSEG_SYNTH_SMALL,       /**< "small": ICSEG_SYNTH_CLASSES classes, most of which are in every scene */
    ICSEG_SYNTH_LARGE,       /**< "large": 96 classes with composed names, such as "striped wooden fence" and
                                  "mossy stone wall", of which a scene has two to eight. Their frequencies have a long tail */
    ICSEG_SYNTH_VOCABULARIES /**< how many vocabularies this header knows */
} icseg_synth_vocabulary;

/** The (ICSEG_SYNTH_CLASSES) names of the small vocabulary, in the order of the labels. They are constant. */
ICSEG_API const char *const *icseg_synth_class_names(void);

/**
 * The class names of a vocabulary, in the order of the labels. They are constant.
 *
 * @param vocabulary  which one
 * @param[out] count  how many names there are, 0 for an unknown vocabulary; may be NULL
 * @return (count) names; NULL for an unknown vocabulary.
 */
ICSEG_API const char *const *icseg_synth_vocabulary_names(icseg_synth_vocabulary vocabulary, int32_t *count);

/** Which scene icseg_synth_scene() draws. */
typedef struct icseg_synth_scene_options {
    size_t struct_size;                /**< ICSEG_SYNTH_SCENE_OPTIONS_INIT */
    uint64_t seed;                     /**< of a series of scenes */
    uint64_t index;                    /**< of the scene in the series */
    int32_t width;                     /**< in pixels, ICSEG_SYNTH_MIN_SIDE..ICSEG_SYNTH_MAX_SIDE; 0: 256 */
    int32_t height;                    /**< in pixels, ICSEG_SYNTH_MIN_SIDE..ICSEG_SYNTH_MAX_SIDE; 0: 192 */
    icseg_synth_vocabulary vocabulary; /**< what the scene can contain */
} icseg_synth_scene_options;

/** Initialises an icseg_synth_scene_options. */
#define ICSEG_SYNTH_SCENE_OPTIONS_INIT ICSEG_INIT(icseg_synth_scene_options)

/**
 * Draws one scene. Every pixel is labelled. The proportions follow the size: a scene of another size is another scene.
 *
 * @param options      NULL: all defaults
 * @param[out] image   close it with icseg_image_close(); empty on failure
 * @param[out] labels  of the same size; close it with icseg_labels_close(); empty on failure
 * @param[out] error   may be NULL
 * @return ICSEG_ERROR_ARGUMENT for a size out of range, an unknown vocabulary or a NULL output, ICSEG_ERROR_MEMORY.
 */
ICSEG_API icseg_status icseg_synth_scene(const icseg_synth_scene_options *options, icseg_image *image,
                                         icseg_labels *labels, icseg_error *error);

/** Which data set icseg_synth_write() writes. */
typedef struct icseg_synth_options {
    size_t struct_size; /**< ICSEG_SYNTH_OPTIONS_INIT */
    const char *folder; /**< of the data set, created if it does not exist; required */
    int32_t train;      /**< images of the training split, up to ICSEG_SYNTH_MAX_IMAGES; 0: 400 */
    int32_t val;        /**< images of the validation split, up to ICSEG_SYNTH_MAX_IMAGES; 0: 100 */
    int32_t width;      /**< in pixels, ICSEG_SYNTH_MIN_SIDE..ICSEG_SYNTH_MAX_SIDE; 0: 256 */
    int32_t height;     /**< in pixels, ICSEG_SYNTH_MIN_SIDE..ICSEG_SYNTH_MAX_SIDE; 0: 192 */
    uint64_t seed;      /**< different seeds give different scenes */
    int32_t threads;    /**< 0: all cores; the files do not depend on it */
    bool force;         /**< write into a folder that is not empty: replaces an earlier set, keeps other files;
                             a data set of other origin is always refused */
    icseg_synth_vocabulary vocabulary; /**< what the scenes can contain */
    bool captions;                     /**< also write captions.jsonl and captions_val.jsonl */
} icseg_synth_options;

/** Initialises an icseg_synth_options. */
#define ICSEG_SYNTH_OPTIONS_INIT ICSEG_INIT(icseg_synth_options)

/**
 * Writes a data set: FOLDER/images/{train,val}/NNNNNN.jpg, FOLDER/annotations/{train,val}/NNNNNN.png (8-bit indexed),
 * classes.txt, and synth.json, which records how the set was made.
 *
 * With `captions`, it also writes a line for each scene of the training split to FOLDER/captions.jsonl, and for each of
 * the validation split to FOLDER/captions_val.jsonl: {"image": "images/train/000000.jpg", "caption": ["...", "..."]}.
 * Each of the two captions names some of what can be seen.
 *
 * A folder that is not empty is refused unless `force` is set. Then an earlier generated set is replaced file by file,
 * and files that the earlier run wrote and this one does not are removed. Other files stay, except for those of the
 * same names. Image i of a split depends only on seed, size, vocabulary and i.
 *
 * @param options     required, because of the folder
 * @param progress    NULL: silent; the stage is "generate scenes"
 * @param[out] error  may be NULL
 * @return ICSEG_ERROR_ARGUMENT for options out of range, and for a folder that is not empty (field "force", remedy
 *         ICSEG_REMEDY_OVERWRITE); ICSEG_ERROR_IO; ICSEG_ERROR_MEMORY; ICSEG_ERROR_CANCELLED.
 */
ICSEG_API icseg_status icseg_synth_write(const icseg_synth_options *options, const icseg_progress *progress,
                                         icseg_error *error);

#ifdef __cplusplus
}
#endif
#endif
