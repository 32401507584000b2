/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * What a model sees in an image: its score maps, confidence, entropy and prompts, as maps and as one HTML page. Two
 * models with the same classes can be shown side by side.
 *
 *     icseg_explain_options options = {ICSEG_EXPLAIN_OPTIONS_INIT, .session = session};
 *     icseg_explainer_open(&explainer, &options, &error);
 *     icseg_explainer_add(explainer, "street", &image, &explanation, &error);
 *     icseg_explainer_write_maps(explainer, "out/maps", &error);
 *     icseg_explainer_write_page(explainer, "out/index.html", &error);
 */
#ifndef ICSEG_EXPLAIN_H
#define ICSEG_EXPLAIN_H

#include <stddef.h>
#include <stdint.h>

#include "icseg/config.h"
#include "icseg/error.h"
#include "icseg/image.h"
#include "icseg/session.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Runs one or two models on images and collects a page. One thread at a time may use it; it uses its sessions in
 * icseg_explainer_add() only. */
typedef struct icseg_explainer icseg_explainer;

/** Models and choices. A field that is NULL or 0 has its default. Everything but the sessions is copied. */
typedef struct icseg_explain_options {
    size_t struct_size;         /**< ICSEG_EXPLAIN_OPTIONS_INIT */
    icseg_session *session;     /**< the model; required, and stays open until icseg_explainer_close() */
    icseg_session *against;     /**< a second model, with the same class names in the same order; NULL: none */
    const char *name;           /**< of the model on the page; NULL: "model" */
    const char *against_name;   /**< of the second model; NULL: "second model" */
    const char *title;          /**< of the page; NULL: "Explanations" */
    const char *const *classes; /**< (class_count) names of the classes whose score maps are shown, in this order */
    int32_t class_count;        /**< 0: for each image, the classes that `top` describes */
    int32_t top;                /**< so many classes: half of them those with the largest areas, the others those with
                                     the highest scores; 0: 6 */
    /** How both models resize images: only resize_short and resize_long are used, because the network sees the whole
     * image once. NULL: as in each model's training. */
    const icseg_eval_options *eval;
} icseg_explain_options;

/** Initialises an icseg_explain_options. */
#define ICSEG_EXPLAIN_OPTIONS_INIT ICSEG_INIT(icseg_explain_options)

/** What a map shows. */
typedef enum icseg_explain_kind {
    ICSEG_EXPLAIN_LABELS,     /**< the label map, in the classes' colours */
    ICSEG_EXPLAIN_CONFIDENCE, /**< the probability of each pixel's class, 0..1 */
    ICSEG_EXPLAIN_ENTROPY,    /**< the entropy of each pixel's probabilities divided by log K, 0..1; 0 with one class */
    ICSEG_EXPLAIN_SCORE,      /**< the cosine of each position with one class, at one stride */
    ICSEG_EXPLAIN_ATTENTION,  /**< where one prompt token looks: ICSEG_OUTPUT_PROMPT_ATTENTION */
    ICSEG_EXPLAIN_KINDS       /**< number of kinds */
} icseg_explain_kind;

/** A map. The library fills it in. The struct never grows. */
typedef struct icseg_explain_map {
    icseg_explain_kind kind; /**< what it shows */
    int32_t model;           /**< 0: icseg_explain_options.session, 1: against */
    int32_t stride;          /**< SCORE: 4, 8, 16 or 32, as in config.align; else 0 */
    int32_t index;           /**< SCORE: the class; ATTENTION: the prompt token, from 0; else -1 */
    int32_t width;           /**< of `values`: the image's, or for SCORE and ATTENTION that of the network's grid */
    int32_t height;          /**< of `values` */
    const float *values;     /**< (height, width); NULL for LABELS */
    double mean;             /**< of the values; 0 for LABELS */
    double largest;          /**< of the values; 0 for LABELS */
    double low;          /**< the value at the lower end of the colour scale: 0, or for SCORE the smallest value of all
                              maps of this stride, of both models */
    double high;         /**< the value at the upper end: 1; for SCORE the largest of these values; for ATTENTION the
                              largest value of all tokens of the model */
    double covers_width; /**< the part of the image's width that the map covers, from the left: 1, or less for ATTENTION
                              to regions, which leave out positions that do not fill a region */
    double covers_height; /**< the same of the height, from the top */
    double global_share;  /**< ATTENTION: what the token takes from the global token; with the values it adds up to 1 */
    const char *file;     /**< the name of its file, such as "street_score_8_road.png" */
} icseg_explain_map;

/** What one model computed of an image. The library fills it in. The struct never grows. */
typedef struct icseg_explained_model {
    icseg_labels labels;          /**< the label map, of the image's size */
    icseg_labels_summary classes; /**< area and mean confidence of each class that occurs, and of all pixels */
    double entropy;               /**< mean over all pixels */
    /** The mean of each class's score map, at strides 4, 8, 16 and 32: (K) each; NULL: the model does not have it. */
    const double *score_mean[ICSEG_LEVELS];
    const double *score_largest[ICSEG_LEVELS]; /**< the largest value of each, likewise */
} icseg_explained_model;

/** What was computed of an image. The library fills it in and owns it: it is valid until the next call of
 * icseg_explainer_add() or icseg_explainer_close(). */
typedef struct icseg_explanation {
    int32_t models;                 /**< 1 or 2 */
    int32_t map_count;              /**< how many maps there are */
    const icseg_explain_map *maps;  /**< (map_count) */
    icseg_explained_model model[2]; /**< (models) */
} icseg_explanation;

/** Opens an explainer. Thread-safe.
 *
 * @param out receives the explainer, NULL on failure; close it with icseg_explainer_close()
 * @param options required, because of the session
 * @param error receives the message on failure; may be NULL
 * @return ICSEG_ERROR_ARGUMENT if the classes of the models differ (field "against"), if a name of `classes` is not
 * that of a class or is given twice (field "classes", with the nearest name), or if `top` is out of range */
ICSEG_API icseg_status icseg_explainer_open(icseg_explainer **out, const icseg_explain_options *options,
                                            icseg_error *error);

/** Runs the models on an image, makes the maps and adds them to the page. If it fails, the page is as it was.
 *
 * @param explainer the explainer
 * @param name of the image: the heading on the page, and the beginning of the names of files, where "/" and control
 * characters become "_". Images of one folder need different names
 * @param image at least 1 x 1
 * @param out receives what was computed, which the explainer owns; NULL: not needed. NULL on failure
 * @param error receives the message on failure; may be NULL
 * @return as icseg_session_run() */
ICSEG_API icseg_status icseg_explainer_add(icseg_explainer *explainer, const char *name, const icseg_image *image,
                                           const icseg_explanation **out, icseg_error *error);

/** Writes the maps of the image that was added last: PNG files of the image's size. Each file is replaced completely or
 * not at all. The label map has class numbers as values, like that of icseg_labels_write_png().
 *
 * @param explainer the explainer, to which an image was added
 * @param folder an existing folder
 * @param error receives the message on failure; may be NULL
 * @return ICSEG_ERROR_IO if a file cannot be written; ICSEG_ERROR_ARGUMENT if no image was added */
ICSEG_API icseg_status icseg_explainer_write_maps(const icseg_explainer *explainer, const char *folder,
                                                  icseg_error *error);

/** Writes the page with all images so far: one HTML file that needs no other file. An old file is replaced completely
 * or not at all.
 *
 * @param explainer the explainer
 * @param path the file
 * @param error receives the message on failure; may be NULL
 * @return ICSEG_ERROR_IO if the file cannot be written */
ICSEG_API icseg_status icseg_explainer_write_page(const icseg_explainer *explainer, const char *path,
                                                  icseg_error *error);

/** Closes an explainer and sets the pointer to NULL. Its sessions stay open. Accepts NULL and a pointer to NULL. */
ICSEG_API void icseg_explainer_close(icseg_explainer **explainer);

#ifdef __cplusplus
}
#endif
#endif
