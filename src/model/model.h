/* SPDX-License-Identifier: Apache-2.0
 * The model inside the library: configuration, names, parameters. Sessions (inference/session.h) run it. */
#ifndef ICSEG_MODEL_MODEL_H
#define ICSEG_MODEL_MODEL_H

#include <pthread.h>

#include "graph/activation_ranges.h"
#include "icseg/model.h"
#include "model/open_vocabulary.h"
#include "tensor/safetensors.h"

enum { ICSEG_AGREEMENTS = ICSEG_PRECISION_INT8 + 1 }; /* by precision; those of F32 and AUTO are not used */

/* Read-only for sessions. Only a trainer changes parameters, and only those of a model that nothing else uses. */
struct icseg_model {
    _Atomic int references; /* handles and sessions */
    icseg_model *base;      /* of a calibrated model: the one that owns arena and parameters; else NULL */
    icseg_config config;
    icseg_arena *arena; /* names and texts */
    const char **class_names;
    icseg_texts texts;                 /* in the arena; none if `open` */
    const icseg_open_vocabulary *open; /* in the arena; NULL: the model was trained for its classes */
    icseg_params *params;
    icseg_activation_ranges *ranges; /* of layers, for int8; empty: not calibrated, or not in a usable way */
    char ranges_problem[256];        /* what the file's calibration lacks: a clause; "" */
    icseg_label_agreement agreements[ICSEG_AGREEMENTS];
    icseg_eval_options eval; /* of the evaluations during its training; the default if unknown */
    bool eval_known;
    icseg_image_values values; /* of the training images; zero if unknown */
    icseg_label_values labels; /* of the training masks, in the arena; zero if unknown */
    int32_t trained_side;      /* icseg_model_trained_side */
    double val_share;          /* icseg_model_val_share */
    pthread_mutex_t network_lock;
    struct icseg_built_network *networks; /* of its sessions (inference/session.h), under the lock */
};

/* Builds the model's parameters (zero) for a configuration, the names of its classes (num_classes) and the texts that
 * the text encoder reads for them; both are copied. */
icseg_status icseg_model_build(icseg_model **out, const icseg_config *config, const char *const *names,
                               const icseg_texts *texts, icseg_error *error);

/* The same for an open-vocabulary model, whose `open`, with all that it refers to, is copied. */
icseg_status icseg_model_build_open(icseg_model **out, const icseg_config *config, const char *const *names,
                                    const icseg_open_vocabulary *open, icseg_error *error);
/* ICSEG_ERROR_UNSUPPORTED if the model is one of open vocabulary, which cannot be `done`: "saved", for the message. */
icseg_status icseg_model_need_trained(const icseg_model *model, const char *done, icseg_error *error);

/* ICSEG_ERROR_ARGUMENT, about the option `field`, unless the model can run in INT8. */
icseg_status icseg_model_need_calibration(const icseg_model *model, const char *field, icseg_error *error);

/* One more reference, which icseg_model_close drops. Thread-safe. */
icseg_model *icseg_model_retain(icseg_model *model);

/* A model with the same weights and other ranges, which are copied; they need not cover all layers. */
icseg_status icseg_model_with_ranges(icseg_model **out, icseg_model *model, const icseg_activation_ranges *ranges,
                                     icseg_error *error);

/* The precision that this processor uses for a requested one. AUTO is that of training: BF16 if it is faster here,
 * else F32. */
icseg_precision icseg_precision_here(icseg_precision requested);

/* The image encoder (icseg_is_image_encoder) stops training. Call before the first training network is built. */
void icseg_model_freeze_backbone(icseg_model *model);

/* Whether the file has tensors, named `prefix` + name, of the sizes and in the numbers that the configuration asks for.
 * The error names the file, the field and the tensor. Cheap, and linear in the number of tensors. */
icseg_status icseg_config_check_tensors(const icseg_config *config, const icseg_safetensors *file, const char *prefix,
                                        icseg_error *error);

/* Reads config, names and tokens of a checkpoint's metadata and builds the model; weights stay zero. prefix: of the
 * tensors, with which the configuration is compared before anything is built; NULL: they have other names. */
icseg_status icseg_model_open_metadata(icseg_model **out, const icseg_safetensors *file, const char *prefix,
                                       icseg_error *error);

/* From now on every parameter comes from the tensor `prefix` + name (icseg_param_from_file). Missing tensors and wrong
 * shapes are errors. With `strict`, tensors under the prefix that the model does not have are errors too, except for
 * the optimiser's. */
icseg_status icseg_model_find_params(icseg_model *model, const icseg_safetensors *file, const char *prefix, bool strict,
                                     icseg_error *error);
/* The same, and loads them. */
icseg_status icseg_model_read_params(icseg_model *model, const icseg_safetensors *file, const char *prefix, bool strict,
                                     icseg_error *error);

/* Metadata icseg.eval: read if the file has it (if damaged: ICSEG_ERROR_FORMAT), written if known. */
icseg_status icseg_model_read_eval(icseg_model *model, const icseg_safetensors *file, icseg_error *error);
icseg_status icseg_model_write_eval(const icseg_model *model, icseg_safetensors_writer *writer, icseg_error *error);
/* Without test-time augmentation, which the caller must request. */
void icseg_model_set_eval(icseg_model *model, const icseg_eval_options *options);

/* Metadata icseg.image, in the same way: the values of the training images and masks, the largest short side, the share
 * held out. */
icseg_status icseg_model_read_images(icseg_model *model, const icseg_safetensors *file, icseg_error *error);
icseg_status icseg_model_write_images(const icseg_model *model, icseg_safetensors_writer *writer, icseg_error *error);
void icseg_model_set_images(icseg_model *model, const icseg_image_values *values, int32_t trained_side);
/* Copies the values. */
icseg_status icseg_model_set_labels(icseg_model *model, const icseg_label_values *values, icseg_error *error);

/* Metadata icseg.agreement: read if the file has it (if damaged: ICSEG_ERROR_FORMAT), written if something was
 * measured. */
icseg_status icseg_model_read_agreements(icseg_model *model, const icseg_safetensors *file, icseg_error *error);
icseg_status icseg_model_write_agreements(const icseg_model *model, icseg_safetensors_writer *writer,
                                          icseg_error *error);

/* The caller's options with defaults filled in and checked; NULL: `fallback`. ICSEG_ERROR_ARGUMENT with the field and
 * its range if an option is invalid. */
icseg_status icseg_eval_options_read(icseg_eval_options *out, const icseg_eval_options *options,
                                     const icseg_eval_options *fallback, icseg_error *error);

/* The tensor of a calibrated model for the correction of biases: for each layer, in the order of the parameters, the
 * mean of each input channel. Read if the file has it (if damaged: ICSEG_ERROR_FORMAT) and the model is calibrated;
 * declared and appended, after the parameters, if every layer has means. */
#define ICSEG_MEANS_TENSOR "icseg.input_means"
icseg_status icseg_model_read_means(icseg_model *model, const icseg_safetensors *file, icseg_error *error);
icseg_status icseg_model_declare_means(const icseg_model *model, icseg_safetensors_writer *writer, icseg_error *error);
icseg_status icseg_model_append_means(const icseg_model *model, icseg_safetensors_writer *writer, icseg_error *error);

/* The metadata strings of a checkpoint: three, icseg.eval and icseg.image after training, icseg.ranges if the model is
 * calibrated, icseg.agreement if labels were compared. */
icseg_status icseg_model_write_metadata(const icseg_model *model, icseg_safetensors_writer *writer, icseg_error *error);
/* icpc.tokens: the token ids of the model's class names. The caller frees it with icseg_free; NULL: out of memory. */
char *icseg_model_tokens_json(const icseg_model *model);
/* Declares and appends parameters alone. */
icseg_status icseg_params_declare_in(const icseg_params *params, icseg_safetensors_writer *writer, icseg_error *error);
icseg_status icseg_params_append_to(const icseg_params *params, icseg_safetensors_writer *writer, icseg_error *error);
/* Declares and appends metadata and parameters on a writer, for files that hold more than a model. */
icseg_status icseg_model_declare(const icseg_model *model, icseg_safetensors_writer *writer, icseg_error *error);
icseg_status icseg_model_append(const icseg_model *model, icseg_safetensors_writer *writer, icseg_error *error);

#endif
