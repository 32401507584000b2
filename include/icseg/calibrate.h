/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Calibration for INT8: measuring the activation ranges of a model's convolutions and linear layers. */
#ifndef ICSEG_CALIBRATE_H
#define ICSEG_CALIBRATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "icseg/error.h"
#include "icseg/image.h"
#include "icseg/model.h"
#include "icseg/progress.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A calibration in progress. It runs the model in f32 on the images that are added, and records the range of the
 * inputs of each product. One thread at a time may use it; the model itself does not change. */
typedef struct icseg_calibrator icseg_calibrator;

/** Which range of a layer's values the bytes of INT8 cover, in each image. Of several images, the range that covers all
 * of their ranges is used. */
typedef enum icseg_range_method {
    ICSEG_RANGES_MSE,       /**< the range that minimises the mean square error of clamping and rounding */
    ICSEG_RANGES_MAX,       /**< from the smallest to the largest value */
    ICSEG_RANGES_PERCENTILE /**< all but the largest and the smallest values: icseg_calibrator_options.percentile */
} icseg_range_method;

/** How the model runs while it is calibrated. */
typedef struct icseg_calibrator_options {
    size_t struct_size;             /**< ICSEG_CALIBRATOR_OPTIONS_INIT */
    int32_t threads;                /**< OpenMP threads, 0..1024; 0: all cores that the process may use */
    const icseg_eval_options *eval; /**< resizing; NULL: as in the model's training (icseg_model_eval_options) */
    icseg_range_method ranges;      /**< default: ICSEG_RANGES_MSE */
    double percentile; /**< above 50, at most 100; 0: 99.99. On each side, 100 minus this % of the values are clamped */
    bool no_bias_correction; /**< otherwise the means of inputs are recorded too, and INT8 subtracts from biases by how
                                much rounding the weights changes the mean of each output channel */
} icseg_calibrator_options;

/** Initialises an icseg_calibrator_options. */
#define ICSEG_CALIBRATOR_OPTIONS_INIT ICSEG_INIT(icseg_calibrator_options)

/** Begins a calibration.
 *
 * @param out receives the calibrator, NULL on failure; close it with icseg_calibrator_close
 * @param model the model, which may be calibrated already: its ranges are not used
 * @param options NULL: the defaults
 * @param error receives the message on failure; may be NULL
 * @return ICSEG_ERROR_ARGUMENT if an option is out of range */
ICSEG_API icseg_status icseg_calibrator_open(icseg_calibrator **out, icseg_model *model,
                                             const icseg_calibrator_options *options, icseg_error *error);

/** Runs the model on one image. A few dozen images that are typical of the model's use are enough.
 *
 * @param calibrator the calibrator
 * @param image the image, at least 1 x 1
 * @param error receives the message on failure; may be NULL
 * @return the errors of icseg_session_predict */
ICSEG_API icseg_status icseg_calibrator_add(icseg_calibrator *calibrator, const icseg_image *image, icseg_error *error);

/** Keeps layers in f32 in the models that this calibrator makes. They cost time and save accuracy.
 *
 * @param calibrator the calibrator
 * @param layer the name of a layer's weights, such as "decoder.head.conv_seg.weight", or the beginning of such names up
 * to a dot, such as "decoder.neck", which means all of them
 * @param error receives the message on failure; may be NULL
 * @return ICSEG_ERROR_ARGUMENT if no layer has this name */
ICSEG_API icseg_status icseg_calibrator_keep_f32(icseg_calibrator *calibrator, const char *layer, icseg_error *error);

/** What icseg_calibrator_search aims for. */
typedef struct icseg_search_options {
    size_t struct_size;             /**< ICSEG_SEARCH_OPTIONS_INIT */
    double agree;                   /**< share of the labels that should be those of f32, below 1; 0: 0.995 */
    double work;                    /**< the kept layers have at most this share of the work of all layers, which f32
                                       computes at a quarter of the speed of INT8 with VNNI; 0: 0.02 */
    const icseg_progress *progress; /**< stages "measure layers" and "keep layers", in layers; NULL: silent */
} icseg_search_options;

/** Initialises an icseg_search_options. */
#define ICSEG_SEARCH_OPTIONS_INIT ICSEG_INIT(icseg_search_options)

/** What INT8 costs in a layer, or in neighbouring layers that cost little. */
typedef struct icseg_layer_cost {
    const char *first; /**< the name of the first layer's weights, in the order of the checkpoint */
    const char *last;  /**< that of the last one; the same for one layer */
    int32_t layers;    /**< their number */
    double changed;    /**< share of the labels that differ from those of f32 when only these layers are INT8; or,
                          if it is more, the share that differ no longer when all others are */
    double work;       /**< share of the multiplications of all layers */
    bool kept_f32;     /**< whether the search keeps the layer in f32 */
} icseg_layer_cost;

/** The result of a search. The costs live until the next search or the end of the calibrator. */
typedef struct icseg_search_result {
    size_t struct_size; /**< ICSEG_SEARCH_RESULT_INIT */
    double before;      /**< share of the labels that are those of f32 with the layers that were kept before */
    double after;       /**< the same with those that the search keeps, too */
    const icseg_layer_cost *costs; /**< (count), in the order of the checkpoint; all layers belong to one of them */
    int32_t count;                 /**< number of costs */
    int32_t kept;                  /**< layers that the search keeps in f32 */
} icseg_search_result;

/** Initialises an icseg_search_result. */
#define ICSEG_SEARCH_RESULT_INIT ICSEG_INIT(icseg_search_result)

/** Finds the layers whose INT8 costs the most accuracy, and keeps them in f32 until the labels agree with those of f32
 * as the options say. First it labels the images with a half of the layers in INT8, then with halves of the halves that
 * cost more than an eighth of the disagreement that is allowed, down to single layers. Then it keeps one after the
 * other, beginning with those that change the most labels for their work, as long as each helps.
 *
 * This labels the images up to five times for each layer: two or three images are enough.
 *
 * @param calibrator the calibrator, to which images were added
 * @param images (count) images, each at least 1 x 1; they need not be those that were added
 * @param count 1 or more
 * @param options NULL: the defaults
 * @param out receives the result; its struct_size must be set. May be NULL
 * @param error receives the message on failure; may be NULL
 * @return ICSEG_ERROR_ARGUMENT if no image was added or an option is out of range; ICSEG_ERROR_UNSUPPORTED if the
 * processor does not support INT8; ICSEG_ERROR_CANCELLED */
ICSEG_API icseg_status icseg_calibrator_search(icseg_calibrator *calibrator, const icseg_image *images, int32_t count,
                                               const icseg_search_options *options, icseg_search_result *out,
                                               icseg_error *error);

/** Compares the labels of an image in BF16, BF16X2 and INT8, as far as the processor supports them, with those in F32.
 * The models that icseg_calibrator_model makes afterwards contain the result (icseg_model_agreement), from which
 * ICSEG_PRECISION_AUTO chooses. Another image or layer that changes the calibration begins the comparison anew.
 *
 * @param calibrator the calibrator, to which images were added
 * @param image the image, at least 1 x 1; it need not be one that was added
 * @param error receives the message on failure; may be NULL
 * @return ICSEG_ERROR_ARGUMENT if no image was added; the errors of icseg_calibrator_model and icseg_session_predict */
ICSEG_API icseg_status icseg_calibrator_compare(icseg_calibrator *calibrator, const icseg_image *image,
                                                icseg_error *error);

/** A model with the ranges found so far, and the agreement of labels if it was measured. It shares the weights of the
 * model that was calibrated, which does not change and may be closed. icseg_model_save writes the ranges too.
 *
 * @param calibrator the calibrator, which continues to accept images
 * @param out receives the model, NULL on failure; close it with icseg_model_close
 * @param error receives the message on failure; may be NULL
 * @return ICSEG_ERROR_ARGUMENT if no image was added; ICSEG_ERROR_NUMERIC if a layer's range is not plausible, which
 * means that the weights are damaged */
ICSEG_API icseg_status icseg_calibrator_model(const icseg_calibrator *calibrator, icseg_model **out,
                                              icseg_error *error);

/** Closes a calibrator and sets the pointer to NULL. Models made by it stay valid. Accepts NULL and a pointer to NULL.
 */
ICSEG_API void icseg_calibrator_close(icseg_calibrator **calibrator);

#ifdef __cplusplus
}
#endif
#endif
