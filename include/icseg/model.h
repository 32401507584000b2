/* SPDX-License-Identifier: Apache-2.0
 * A model: configuration, class names, weights. Made anew or opened from a checkpoint, saved, run. */
#ifndef ICSEG_MODEL_H
#define ICSEG_MODEL_H

#include <stddef.h>
#include <stdint.h>

#include "icseg/config.h"
#include "icseg/error.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Not thread-safe: one call on one model at a time. */
typedef struct icseg_model icseg_model;

typedef struct icseg_model_options {
    icseg_config config;            /* num_classes is the number of names */
    const char *const *class_names; /* (num_classes), UTF-8 */
    /* NULL: a class is its name. Else (num_classes), "building, edifice": a class is the mean of these names
     * (docs/method.md), separated by commas or semicolons outside brackets. */
    const char *const *class_synonyms;
    uint64_t seed;                  /* of the initial weights */
    icseg_tokenizer_kind tokenizer; /* its vocabulary must have config.vocab_size tokens */
    const char *vocab;              /* CLIP's tokenizer: the vocabulary's file, or a folder that has one */
} icseg_model_options;

/* A model with fresh weights (PyTorch's default initialisation), a function of configuration and seed. Errors: a
 * configuration that cannot work or a vocabulary that does not fit it, a class name with too many tokens
 * (ICSEG_ERROR_CONFIG); a vocabulary that cannot be read. */
ICSEG_API icseg_status icseg_model_create(icseg_model **out, const icseg_model_options *options, icseg_error *error);

/* Opens a checkpoint (docs/checkpoint.md): f32, f16, bf16 or f64 tensors. Every fault names file and tensor. */
ICSEG_API icseg_status icseg_model_open(icseg_model **out, const char *path, icseg_error *error);

/* Writes a checkpoint atomically: f32, PyTorch layouts, loadable by the PyTorch reference. */
ICSEG_API icseg_status icseg_model_save(const icseg_model *model, const char *path, icseg_error *error);

ICSEG_API void icseg_model_close(icseg_model **model);

ICSEG_API const icseg_config *icseg_model_config(const icseg_model *model);
ICSEG_API const char *const *icseg_model_class_names(const icseg_model *model); /* (num_classes) */

/* Number format of convolutions and linear maps; normalisation, softmax, scores, losses and all sums are f32 always. */
typedef enum icseg_precision {
    ICSEG_PRECISION_F32,
    ICSEG_PRECISION_BF16,   /* f32 on a processor without instructions for it */
    ICSEG_PRECISION_AUTO,   /* bf16 where it is faster */
    ICSEG_PRECISION_BF16X2, /* inference: each f32 number as the sum of two bf16, which is off by 4e-6 and, on
                              processors with AMX, faster than f32 (docs/performance.md); f32 elsewhere, and in training
                            */
    ICSEG_PRECISION_INT8 /* inference of a calibrated model (icseg_model_calibrate) on processors with AMX: products of
                            8-bit integers; f32 elsewhere, and in training */
} icseg_precision;
/* What later calls on the model compute in (at first f32); weights stay f32. Returns what will be used, never
 * AUTO: F32 where the processor has not what was asked for, or INT8 was and the model is not calibrated. Training has
 * its own (train.precision of the recipe). */
ICSEG_API icseg_precision icseg_model_use_precision(icseg_model *model, icseg_precision precision);

/* For ICSEG_PRECISION_INT8 the model must know how large the numbers in it become. Between a call with 1 and one with 0
 * the model runs in f32 and notes them, and its precision is F32 afterwards: let it label a few dozen images of the
 * kind it is for (icseg_predict). The ranges are saved with the model. */
ICSEG_API icseg_status icseg_model_calibrate(icseg_model *model, int on, icseg_error *error);
ICSEG_API int icseg_model_is_calibrated(const icseg_model *model);

/* What the model weighs, and what a batch of images of some size costs. */
typedef struct icseg_model_cost {
    int64_t parameters, trainable; /* elements; buffers not counted */
    double flops;                  /* one forward pass; a multiply-add counts as two */
    size_t activations;            /* bytes of the planned activation memory */
    size_t unplanned;              /* the same without reuse */
    size_t scratch, weights;       /* bytes */
} icseg_model_cost;
/* For a batch of images of height x width, each at least 32 (else ICSEG_ERROR_SHAPE). Plans the network and keeps it
 * for later calls; runs nothing. */
ICSEG_API icseg_status icseg_model_cost_at(icseg_model_cost *out, icseg_model *model, int64_t batch, int64_t height,
                                           int64_t width, icseg_error *error);

#ifdef __cplusplus
}
#endif
#endif
