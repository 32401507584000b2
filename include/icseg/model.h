/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * A model: configuration, class names and weights, created or opened from a checkpoint. Sessions run it
 * (icseg/session.h). */
#ifndef ICSEG_MODEL_H
#define ICSEG_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "icseg/config.h"
#include "icseg/error.h"
#include "icseg/image.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A model. It does not change after it was opened: any number of threads may use one model at the same time. Weights
 * exist once per model, however many sessions it has. They are loaded and packed for the processor when a session first
 * needs them. */
typedef struct icseg_model icseg_model;

/** Configuration, classes and tokenizer of a new model. */
typedef struct icseg_model_options {
    size_t struct_size;             /**< ICSEG_MODEL_OPTIONS_INIT */
    const icseg_config *config;     /**< required; num_classes is the number of names */
    const char *const *class_names; /**< required: (num_classes), UTF-8 */
    /** NULL: a class is its name. Else (num_classes), such as "building, edifice": a class is the mean of these names
     * (docs/method.md), which commas or semicolons outside brackets separate. */
    const char *const *class_synonyms;
    uint64_t seed;                  /**< of the initial weights */
    icseg_tokenizer_kind tokenizer; /**< its vocabulary must have config->vocab_size tokens */
    const char *vocabulary;         /**< CLIP's tokenizer: the vocabulary's file, or a folder that contains one */
} icseg_model_options;

/** Initialises an icseg_model_options. */
#define ICSEG_MODEL_OPTIONS_INIT ICSEG_INIT(icseg_model_options)

/** Creates a model with new weights: PyTorch's default initialisation, as a function of configuration and seed.
 *
 * @param out receives the model, NULL on failure; close it with icseg_model_close
 * @param options required
 * @param error receives the message on failure; may be NULL
 * @return ICSEG_ERROR_CONFIG if the configuration cannot work, the vocabulary does not fit it or a class name has too
 * many tokens; ICSEG_ERROR_IO or ICSEG_ERROR_FORMAT if the vocabulary cannot be read */
ICSEG_API icseg_status icseg_model_create(icseg_model **out, const icseg_model_options *options, icseg_error *error);

/** Opens a checkpoint (docs/checkpoint.md) of f32, f16, bf16 or f64 tensors. The file stays open and must not change
 * while the model is open, as weights are read when they are first needed.
 *
 * @param out receives the model, NULL on failure; close it with icseg_model_close
 * @param path the file
 * @param error receives the message on failure, which names the file and the tensor; may be NULL
 * @return ICSEG_ERROR_IO, ICSEG_ERROR_FORMAT if the file is damaged or not a checkpoint, ICSEG_ERROR_SHAPE,
 * ICSEG_ERROR_CONFIG */
ICSEG_API icseg_status icseg_model_open(icseg_model **out, const char *path, icseg_error *error);

/** Writes a checkpoint atomically, in PyTorch's layouts, which the PyTorch reference loads. A tensor that
 * was read as f16 is written as f16, unless its values have changed. All other tensors are written as f32.
 * Thread-safe.
 *
 * @param model the model
 * @param path the file to write; an existing one is replaced when the new one is complete
 * @param error receives the message on failure; may be NULL
 * @return ICSEG_ERROR_IO if the file cannot be written or the model's weights cannot be read */
ICSEG_API icseg_status icseg_model_save(const icseg_model *model, const char *path, icseg_error *error);

/** Closes the caller's handle and sets it to NULL. Sessions that are open keep the model in memory until they are
 * closed. Accepts NULL and a pointer to NULL. */
ICSEG_API void icseg_model_close(icseg_model **model);

/** The configuration, which lives as long as the model. NULL for NULL. Thread-safe. */
ICSEG_API const icseg_config *icseg_model_config(const icseg_model *model);
/** The class names (num_classes), UTF-8, which live as long as the model. NULL for NULL. Thread-safe. */
ICSEG_API const char *const *icseg_model_class_names(const icseg_model *model);
/** Number of names from which the class embeddings are computed; above num_classes if classes have synonyms. 0 for
 * NULL. */
ICSEG_API int32_t icseg_model_name_count(const icseg_model *model);
/** Whether every layer of the model has the activation range that ICSEG_PRECISION_INT8 needs (icseg/calibrate.h). */
ICSEG_API bool icseg_model_is_calibrated(const icseg_model *model);

/** How far a model is calibrated for INT8. */
typedef struct icseg_model_calibration {
    size_t struct_size;  /**< ICSEG_MODEL_CALIBRATION_INIT */
    int32_t layers;      /**< convolutions and linear layers that need an activation range for INT8 */
    int32_t covered;     /**< how many of them have one: all, or 0 if the model is not calibrated */
    const char *problem; /**< why the calibration in the model's file cannot be used, such as "the INT8 calibration
                            covers 12 of 65 layers"; lives as long as the model. NULL: usable or missing */
    int32_t kept_f32;    /**< how many layers stay f32 by choice (icseg_calibrator_keep_f32) */
} icseg_model_calibration;

/** Initialises an icseg_model_calibration. */
#define ICSEG_MODEL_CALIBRATION_INIT ICSEG_INIT(icseg_model_calibration)

/** How far the model is calibrated for INT8. Thread-safe.
 *
 * @param model the model
 * @param out receives the result; its struct_size must be set
 * @param error receives the message on failure; may be NULL
 * @return ICSEG_ERROR_ARGUMENT for NULL or a wrong struct_size */
ICSEG_API icseg_status icseg_model_calibration_of(const icseg_model *model, icseg_model_calibration *out,
                                                  icseg_error *error);

/** Number format of convolutions and linear layers, in INT8 also of attention. Normalisation, softmax, score maps,
 * losses and all sums are always f32 (in INT8, sums of products are exact), and so are the weights of a checkpoint. */
typedef enum icseg_precision {
    ICSEG_PRECISION_F32,  /**< single precision */
    ICSEG_PRECISION_BF16, /**< bfloat16; falls back to F32 if the processor does not support it */
    /** Inference: the fastest precision that keeps 99.9 % of the labels, as icseg_model_auto_precision says. Training,
     * its evaluations and icseg_parity_run: BF16 if it is faster on this processor, else F32. */
    ICSEG_PRECISION_AUTO,
    /** Inference: each f32 number as the sum of two bf16, which differs by 4e-6 and is faster than f32 on processors
     * with AMX (docs/performance.md). Falls back to F32 on other processors. */
    ICSEG_PRECISION_BF16X2,
    /** Inference of a calibrated model (icseg/calibrate.h): products of 8-bit integers, whose results are the same on
     * all processors with AVX2 or NEON. Falls back to F32 on others. */
    ICSEG_PRECISION_INT8
} icseg_precision;

/** How well the labels of a precision agree with those of F32. The checkpoint of a model contains what was measured. */
typedef struct icseg_label_agreement {
    size_t struct_size; /**< ICSEG_LABEL_AGREEMENT_INIT */
    int32_t images;     /**< number of images on which labels were compared; 0: not measured */
    double mean;        /**< share of an image's pixels with the same label, 0..1: mean of the images */
    double low;         /**< the mean minus two standard errors, at least 0; 0 for a single image */
} icseg_label_agreement;

/** Initialises an icseg_label_agreement. */
#define ICSEG_LABEL_AGREEMENT_INIT ICSEG_INIT(icseg_label_agreement)

/** How well labels agree with those of F32, as icseg_calibrator_compare measured it. Thread-safe.
 *
 * @param model the model
 * @param precision ICSEG_PRECISION_BF16, ICSEG_PRECISION_BF16X2 or ICSEG_PRECISION_INT8
 * @param out receives the result; its struct_size must be set
 * @param error receives the message on failure; may be NULL
 * @return ICSEG_ERROR_ARGUMENT for NULL, another precision or a wrong struct_size */
ICSEG_API icseg_status icseg_model_agreement(const icseg_model *model, icseg_precision precision,
                                             icseg_label_agreement *out, icseg_error *error);

#define ICSEG_AUTO_AGREEMENT 0.999 /**< the smallest icseg_label_agreement.low of a precision that AUTO may choose */
#define ICSEG_AUTO_IMAGES    8     /**< the smallest icseg_label_agreement.images */

/** The precision that ICSEG_PRECISION_AUTO means for a model on this processor: the first of INT8, BF16 and BF16X2,
 * which is the order of their speed, that the processor supports and whose agreement is at least ICSEG_AUTO_AGREEMENT
 * on at least ICSEG_AUTO_IMAGES images; otherwise F32. Also F32 for NULL. Thread-safe. */
ICSEG_API icseg_precision icseg_model_auto_precision(const icseg_model *model);

/** How an image is divided for the network. */
typedef enum icseg_eval_mode {
    ICSEG_EVAL_WHOLE, /**< the whole image at once */
    ICSEG_EVAL_SLIDE  /**< overlapping windows whose logits are averaged, as mmsegmentation does */
} icseg_eval_mode;

/** What refines the labels of pixels after the network. */
typedef enum icseg_refine {
    ICSEG_REFINE_NONE, /**< nothing */
    /** Pixel-adaptive mask refinement (Araslanov and Roth 2020): ten times, each pixel's logits become a mean of those
     * of its neighbours 8 and 16 pixels away, which count more the more they look alike. It takes 64 bytes a pixel. */
    ICSEG_REFINE_PAMR
} icseg_refine;

/** Limits. */
enum {
    ICSEG_EVAL_SCALES = 8 /**< the largest number of scales of test-time augmentation */
};

/** How an image is resized and divided for the network, and which variants of it are averaged. The label map always
 * has the image's own size. All zero: the whole image at its own size. */
typedef struct icseg_eval_options {
    size_t struct_size;   /**< ICSEG_EVAL_OPTIONS_INIT */
    icseg_eval_mode mode; /**< whole image or windows */
    /** The short side is resized to this many pixels; 0: the image keeps its size. A side under 32 becomes 32. */
    int32_t resize_short;
    int32_t resize_long;             /**< with resize_short: the most pixels the long side may have; 0: no limit */
    int32_t crop_height;             /**< windows: height in pixels, at least 32; 0: 512 */
    int32_t crop_width;              /**< windows: width in pixels, at least 32; 0: 512 */
    int32_t stride_height;           /**< windows: step downwards, at most crop_height; 0: two thirds of it */
    int32_t stride_width;            /**< windows: step to the right, at most crop_width; 0: two thirds of it */
    int32_t scale_count;             /**< test-time augmentation: how many of `scale`; 0: only 1.0 */
    double scale[ICSEG_EVAL_SCALES]; /**< factors of the resized image's sides, 1/16..16 */
    bool flip;           /**< also the mirrored image; class probabilities are averaged over scales and mirror images */
    icseg_refine refine; /**< at the image's own size; for one scale without flip */
} icseg_eval_options;

/** Initialises an icseg_eval_options. */
#define ICSEG_EVAL_OPTIONS_INIT ICSEG_INIT(icseg_eval_options)

/** The options with which the training evaluated the model, without test-time augmentation, if its checkpoint contains
 * them (docs/checkpoint.md, icseg.eval); else the defaults. Thread-safe.
 *
 * @param model the model
 * @param out receives the options; its struct_size must be set
 * @param error receives the message on failure; may be NULL
 * @return ICSEG_ERROR_ARGUMENT if struct_size is wrong */
ICSEG_API icseg_status icseg_model_eval_options(const icseg_model *model, icseg_eval_options *out, icseg_error *error);

/** How the stored values of the training images became colours, if the model's checkpoint contains it
 * (docs/checkpoint.md, icseg.image); else all zero: as the files say. Images that the model labels must be loaded with
 * the same values (icseg_image_load). Thread-safe.
 *
 * @param model the model
 * @param out receives the values; its struct_size must be set
 * @param error receives the message on failure; may be NULL
 * @return ICSEG_ERROR_ARGUMENT if struct_size is wrong */
ICSEG_API icseg_status icseg_model_image_values(const icseg_model *model, icseg_image_values *out, icseg_error *error);

/** How stored values of masks became labels (icseg_dataset_options). */
typedef struct icseg_label_values {
    size_t struct_size;     /**< ICSEG_LABEL_VALUES_INIT */
    const char *map;        /**< values that are read as others, such as "255=1"; "": none */
    const int32_t *ignore;  /**< (ignore_count) further values that mean unlabelled; NULL: none */
    int32_t ignore_count;   /**< length of `ignore` */
    bool reduce_zero_label; /**< 0 means unlabelled, and 1 is class 0 */
} icseg_label_values;
/** Initialises `struct_size`; all other fields may be zero. */
#define ICSEG_LABEL_VALUES_INIT ICSEG_INIT(icseg_label_values)

/** How the stored values of the training masks became labels, if the model's checkpoint contains it
 * (docs/checkpoint.md, icseg.image); else as the files say. An evaluation on masks of the same kind needs the same
 * values. The strings and arrays belong to the model. Thread-safe.
 *
 * @param model the model
 * @param out receives the values; its struct_size must be set
 * @param error receives the message on failure; may be NULL
 * @return ICSEG_ERROR_ARGUMENT if struct_size is wrong */
ICSEG_API icseg_status icseg_model_label_values(const icseg_model *model, icseg_label_values *out, icseg_error *error);

/** The largest short side of the training images in pixels, before their random scale: much larger images show objects
 * of sizes that the model does not know. 0: unknown, or NULL. Thread-safe. */
ICSEG_API int32_t icseg_model_trained_side(const icseg_model *model);

/** The share of the training images that training held out and evaluated on (the recipe's data.val_share):
 * icseg_dataset_options.val_share finds the same images again. 0: none, unknown, or NULL. Thread-safe. */
ICSEG_API double icseg_model_val_share(const icseg_model *model);

#ifdef __cplusplus
}
#endif
#endif
