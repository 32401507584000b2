/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Converting weights between the published formats (OpenAI, open_clip, Hugging Face, DenseCLIP) and safetensors
 * (docs/weights.md). */
#ifndef ICSEG_WEIGHTS_H
#define ICSEG_WEIGHTS_H

#include <stddef.h>

#include "icseg/error.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Element type of converted tensors. Vectors, such as biases and the statistics of norms, are always written in f32.
 * So are tensors whose values are too large or too small for f16; the summary names them. */
typedef enum icseg_weights_type {
    ICSEG_WEIGHTS_F32, /**< single precision */
    ICSEG_WEIGHTS_F16, /**< IEEE half precision */
    ICSEG_WEIGHTS_BF16 /**< bfloat16 */
} icseg_weights_type;

/** Names of converted tensors. */
typedef enum icseg_naming {
    ICSEG_NAMING_ICSEG,      /**< a checkpoint of this project */
    ICSEG_NAMING_OPENAI,     /**< CLIP alone, for PyTorch code with the module names of OpenAI and open_clip */
    ICSEG_NAMING_HUGGINGFACE /**< CLIP alone (ViT), for transformers.CLIPModel */
} icseg_naming;

/** How weights are converted. All zero: f32, this project's names, everything else from the file. */
typedef struct icseg_weights_convert_options {
    size_t struct_size;             /**< ICSEG_WEIGHTS_CONVERT_OPTIONS_INIT */
    icseg_weights_type type;        /**< of the tensors that are written */
    icseg_naming naming;            /**< of the tensors that are written */
    const char *const *class_names; /**< (class_count) of a segmentation model; NULL: those in the file */
    size_t class_count;             /**< number of class_names */
    const char *vocabulary; /**< CLIP's vocabulary, for the class names: a file or folder; NULL: next to the source */
    const char *tokens;     /**< JSON list of lists of token ids, one for each class; NULL: the names are tokenised */
    const char *config; /**< JSON object: fields that shapes do not determine ("vit_heads": 4); NULL: CLIP's values */
    /** Which of several state dicts of a file: its key or path, such as "state_dict_ema" or "model.net", the prefix of
     * its names, such as "ema_model", or "ema" for averaged weights, whatever their name. NULL: the raw weights, or the
     * averaged ones if the file has only those (docs/weights.md). */
    const char *state_dict;
} icseg_weights_convert_options;

/** Initialises an icseg_weights_convert_options. */
#define ICSEG_WEIGHTS_CONVERT_OPTIONS_INIT ICSEG_INIT(icseg_weights_convert_options)

/** Converts weights to one safetensors file. A segmentation model becomes a complete checkpoint. Plain CLIP weights
 * become CLIP's tensors with the metadata `icseg.clip`: training can start from them (model.init of a recipe), but they
 * are not a checkpoint. Thread-safe.
 *
 * @param source any file or folder in which weights are published
 * @param out the file to write; an existing one is replaced when the new one is complete
 * @param options NULL: the defaults
 * @param summary NULL, or receives a few lines about the tensors read, written and left out; free it with
 * icseg_buffer_free; NULL on failure
 * @param error receives the message on failure; may be NULL
 * @return ICSEG_ERROR_IO, ICSEG_ERROR_FORMAT, ICSEG_ERROR_SHAPE if a tensor has a wrong shape, ICSEG_ERROR_CONFIG,
 * ICSEG_ERROR_ARGUMENT, ICSEG_ERROR_UNSUPPORTED */
ICSEG_API icseg_status icseg_weights_convert(const char *source, const char *out,
                                             const icseg_weights_convert_options *options, char **summary,
                                             icseg_error *error);

#ifdef __cplusplus
}
#endif
#endif
