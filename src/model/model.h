/* SPDX-License-Identifier: Apache-2.0
 * The model inside the library: its parameters, and sessions, the networks built so far, by shape and purpose. */
#ifndef ICSEG_MODEL_MODEL_H
#define ICSEG_MODEL_MODEL_H

#include "graph/run/executor.h"
#include "graph/activation_ranges.h"
#include "icseg/eval.h"
#include "icseg/model.h"
#include "model/network.h"
#include "tensor/safetensors.h"

/* A network ready to run. */
typedef struct icseg_session {
    icseg_network_options options;
    icseg_network network;
    icseg_graph *graph;
    icseg_executor *executor;
    uint64_t last_use;
} icseg_session;

/* Class embeddings that are the same for all images: computed once. */
typedef struct icseg_cached_text {
    icseg_graph *graph;
    icseg_executor *executor;
    icseg_value value;
    uint64_t version; /* sum of the versions of all parameters behind them, which only grow; 0: not computed yet */
    float *data;      /* (1, K, C) */
} icseg_cached_text;

enum { ICSEG_SESSIONS = 8 }; /* kept; the least recently used makes room */

struct icseg_model {
    icseg_config config;
    icseg_arena *arena; /* names and texts */
    const char **class_names;
    icseg_texts texts; /* in the arena */
    icseg_params *params;
    icseg_workspace *workspace;
    icseg_precision precision;       /* of what is only run forward */
    icseg_activation_ranges *ranges; /* of products, for int8; empty: not calibrated */
    icseg_eval_options eval;         /* of the evaluations in its training, or, unless they are known, the default */
    bool eval_known;
    icseg_session session[ICSEG_SESSIONS];
    icseg_cached_text text;
    uint64_t uses;
};

/* Builds the model's parameters (zero) for a configuration, the names of its classes (num_classes) and what the text
 * encoder reads for them; both are copied. */
icseg_status icseg_model_build(icseg_model **out, const icseg_config *config, const char *const *names,
                               const icseg_texts *texts, icseg_error *error);

/* The session for these options, built if need be. Valid until the next call; call again when parameters have changed:
 * class embeddings that no image has a part in are computed here, and only when they have to be. */
icseg_status icseg_model_session(icseg_model *model, const icseg_network_options *options, icseg_session **out,
                                 icseg_error *error);

/* The class embeddings (1, K, C) of a model whose text is fixed; valid until the next call. */
icseg_status icseg_model_cached_text(icseg_model *model, const float **out, icseg_error *error);
void icseg_cached_text_close(icseg_cached_text *text);

/* What this processor makes of a precision that is asked for; never AUTO. */
icseg_precision icseg_precision_here(icseg_precision wanted);

/* The image encoder (icseg_is_image_encoder) stops training. Call before the first training session. */
void icseg_model_freeze_backbone(icseg_model *model);

/* Reads config, names and tokens of a checkpoint's metadata and builds the model; weights stay zero. */
icseg_status icseg_model_open_metadata(icseg_model **out, const icseg_safetensors *file, icseg_error *error);

/* Every parameter comes from the tensor `prefix` + name from now on (icseg_param_from_file). Missing tensors and wrong
 * shapes are errors. With `strict` tensors under the prefix that the model does not have are errors too. */
icseg_status icseg_model_find_params(icseg_model *model, const icseg_safetensors *file, const char *prefix, bool strict,
                                     icseg_error *error);
/* The same, and loads them. */
icseg_status icseg_model_read_params(icseg_model *model, const icseg_safetensors *file, const char *prefix, bool strict,
                                     icseg_error *error);

/* Metadata icseg.eval: read where it is there (a damaged one is ICSEG_ERROR_FORMAT), written where it is known. */
icseg_status icseg_model_read_eval(icseg_model *model, const icseg_safetensors *file, icseg_error *error);
icseg_status icseg_model_write_eval(const icseg_model *model, icseg_safetensors_writer *writer, icseg_error *error);
/* Without test-time augmentation, which is for who asks for it. */
void icseg_model_set_eval(icseg_model *model, const icseg_eval_options *options);
/* ICSEG_ERROR_ARGUMENT with the field and its range when an option cannot work. */
icseg_status icseg_eval_options_check(const icseg_eval_options *options, icseg_error *error);

/* The metadata strings of a checkpoint: three, icseg.eval after training, icseg.ranges when the model is calibrated. */
icseg_status icseg_model_write_metadata(const icseg_model *model, icseg_safetensors_writer *writer, icseg_error *error);
/* icpc.tokens: all that the model knows of its class names' texts. The caller frees it with free; NULL: no memory. */
char *icseg_model_tokens_json(const icseg_model *model);
/* Declares and appends metadata and parameters on a writer, for files that hold more than a model. */
icseg_status icseg_model_declare(const icseg_model *model, icseg_safetensors_writer *writer, icseg_error *error);
icseg_status icseg_model_append(const icseg_model *model, icseg_safetensors_writer *writer, icseg_error *error);

#endif
