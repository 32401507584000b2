/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Calibration for INT8: measuring the activation ranges of a model's convolutions and linear layers. */
#ifndef ICSEG_CALIBRATE_H
#define ICSEG_CALIBRATE_H

#include <stddef.h>
#include <stdint.h>

#include "icseg/error.h"
#include "icseg/image.h"
#include "icseg/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A calibration in progress. It runs the model in f32 on the images that are added, and records the range of the
 * inputs of each product. One thread at a time may use it; the model itself does not change. */
typedef struct icseg_calibrator icseg_calibrator;

/** How the model runs while it is calibrated. */
typedef struct icseg_calibrator_options {
    size_t struct_size;             /**< ICSEG_CALIBRATOR_OPTIONS_INIT */
    int32_t threads;                /**< OpenMP threads, 0..1024; 0: all cores that the process may use */
    const icseg_eval_options *eval; /**< resizing; NULL: as in the model's training (icseg_model_eval_options) */
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

/** A model with the ranges found so far. It shares the weights of the model that was calibrated, which does not change
 * and may be closed. icseg_model_save writes the ranges too.
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
