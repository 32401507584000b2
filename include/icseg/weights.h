/* SPDX-License-Identifier: Apache-2.0
 * Converting weights between the files people have (OpenAI, open_clip, Hugging Face, DenseCLIP) and safetensors. */
#ifndef ICSEG_WEIGHTS_H
#define ICSEG_WEIGHTS_H

#include <stddef.h>

#include "icseg/error.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum icseg_weights_type { ICSEG_WEIGHTS_F32, ICSEG_WEIGHTS_F16, ICSEG_WEIGHTS_BF16 } icseg_weights_type;

typedef enum icseg_naming {
    ICSEG_NAMING_ICSEG,      /* a checkpoint of this project */
    ICSEG_NAMING_OPENAI,     /* CLIP alone, for PyTorch code with OpenAI's or open_clip's module names */
    ICSEG_NAMING_HUGGINGFACE /* CLIP alone (ViT), for transformers.CLIPModel */
} icseg_naming;

/* Zero-initialised: f32, our names, everything else from the file. */
typedef struct icseg_weights_convert_options {
    icseg_weights_type type;
    icseg_naming naming;
    const char *const *class_names; /* (class_count) of a segmentation model; NULL: those that the file carries */
    size_t class_count;
    const char *vocabulary; /* CLIP's vocabulary, for the class names: a file or folder; NULL: beside the source */
    const char *tokens;     /* JSON list of lists of token ids, one for each class; NULL: names are tokenised */
    const char *config;     /* JSON object: what shapes do not tell ("vit_heads": 4); NULL: CLIP's usual values */
} icseg_weights_convert_options;

/* Writes `source` (any file or folder that weights are published in) to the safetensors file `out`. A segmentation
 * model becomes a whole checkpoint; plain CLIP weights become CLIP's tensors with the metadata `icseg.clip`, which
 * --init reads but which is no checkpoint. *summary (may be NULL) tells in a few lines what was read, written and left
 * out; it is freed with icseg_buffer_free and set on success only. Missing tensors and wrong shapes are errors. */
ICSEG_API icseg_status icseg_weights_convert(const char *source, const char *out,
                                             const icseg_weights_convert_options *options, char **summary,
                                             icseg_error *error);

#ifdef __cplusplus
}
#endif
#endif
