/* SPDX-License-Identifier: Apache-2.0
 * Checkpoints of other projects. Any container and naming opens as a list of tensors under our names, from which a
 * configuration is inferred and a model is filled. Tensors stay in the file until they are needed, so that loading
 * takes little more than the model's own memory. The file may be replaced meanwhile (mv). A file that is cut short or
 * written to is ICSEG_ERROR_IO. */
#ifndef ICSEG_WEIGHTS_WEIGHTS_H
#define ICSEG_WEIGHTS_WEIGHTS_H

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "icseg/config.h"
#include "icseg/model.h"
#include "model/clip.h"
#include "tensor/shape.h"

typedef struct icseg_weights_packed icseg_weights_packed;

/* A tensor in a file. */
typedef struct icseg_weights_tensor {
    const char *name;
    icseg_dtype dtype;
    icseg_shape shape;
    int64_t stride[ICSEG_MAX_RANK]; /* elements, >= 0 */
    const icseg_file_reader *file;  /* may be NULL if the tensor is empty */
    icseg_weights_packed *packed;   /* its storage, if deflated */
    size_t offset;                  /* of the first element, in bytes: in the file or, unpacked, in the storage */
} icseg_weights_tensor;

enum { ICSEG_WEIGHTS_PARTS = 3, ICSEG_WEIGHTS_SETS = 400 };

/* One tensor under our name: parts joined along the first axis (query, key and value), and a vector that is to be added
 * to the first row (DenseCLIP's second class embedding) or NULL. */
typedef struct icseg_weights_entry {
    const char *name;
    icseg_shape shape;
    int32_t parts;
    icseg_weights_tensor part[ICSEG_WEIGHTS_PARTS];
    const icseg_weights_tensor *first_row; /* (width) */
} icseg_weights_entry;

/* What shapes do not tell, as far as a file or its configuration says it. */
typedef struct icseg_weights_facts {
    bool activation_known;
    icseg_clip_activation activation;
    int32_t vit_heads, text_heads; /* 0: unknown */
} icseg_weights_facts;

typedef struct icseg_weights icseg_weights;

/* Opens a checkpoint: safetensors, PyTorch's zip archives (state dicts and TorchScript) and its older container, an
 * index of shards (*.index.json), or a folder that holds one of them under its usual name. Namings: ours and OpenAI's,
 * open_clip's, Hugging Face's, DenseCLIP's. Damaged, hostile and unknown files are errors with file and reason. */
icseg_status icseg_weights_open(icseg_weights **out, const char *path, icseg_error *error);
/* The same with one of several sets of weights of a file: the key or path of its state dict ("state_dict_ema",
 * "model.net"), the prefix of its names ("ema_model"), or "ema" for averaged weights, whatever their name; NULL: raw
 * weights, or averaged ones if the file has only those. ICSEG_ERROR_ARGUMENT, with what the file contains, if it does
 * not have them; the field is "state_dict". */
icseg_status icseg_weights_open_set(icseg_weights **out, const char *path, const char *set, icseg_error *error);
void icseg_weights_close(icseg_weights **weights);

const char *icseg_weights_path(const icseg_weights *weights);
const char *icseg_weights_container(const icseg_weights *weights); /* "TorchScript archive", for messages */
const char *icseg_weights_naming(const icseg_weights *weights);    /* "OpenAI", ... */
size_t icseg_weights_count(const icseg_weights *weights);
const icseg_weights_entry *icseg_weights_at(const icseg_weights *weights, size_t index);       /* sorted by name */
const icseg_weights_entry *icseg_weights_find(const icseg_weights *weights, const char *name); /* or NULL */
size_t icseg_weights_foreign_count(const icseg_weights *weights);
const char *icseg_weights_foreign_at(const icseg_weights *weights, size_t index);  /* names that are not recognised */
const char *icseg_weights_metadata(const icseg_weights *weights, const char *key); /* of a safetensors file, or NULL */
/* Class names that the file itself contains (mmsegmentation's meta.CLASSES), or NULL. */
const char *const *icseg_weights_classes(const icseg_weights *weights, size_t *count);
/* Whether the file contains a decoder, so that it is a whole segmentation model and not CLIP alone. */
bool icseg_weights_has_decoder(const icseg_weights *weights);

/* Row-major f32, (entry->shape), of any number type. Errors: a file that has changed since it was opened
 * (ICSEG_ERROR_IO), deflated data that is damaged (ICSEG_ERROR_FORMAT). */
icseg_status icseg_weights_read(const icseg_weights_entry *entry, float *out, icseg_error *error);

/* Infers the configuration from the shapes: backbone, depths, widths, patch, grid, embedding, vocabulary, context, and
 * for a whole model also prompts, alignment and decoder. Fields that shapes do not determine (heads unless 64 wide,
 * tau, taps, ...) come from the file's own configuration if it has one, otherwise from *config. ICSEG_ERROR_FORMAT when
 * CLIP's tensors are missing or contradict one another. */
icseg_status icseg_weights_infer(const icseg_weights *weights, icseg_config *config, icseg_error *error);

/* The caller's own settings, a JSON object or NULL, which take precedence over what the file says. */
icseg_status icseg_weights_override(icseg_weights *weights, icseg_config *config, const char *json, icseg_error *error);

typedef enum icseg_weights_finding_kind {
    ICSEG_WEIGHTS_MISSING,     /* the model has it, the file does not */
    ICSEG_WEIGHTS_UNEXPECTED,  /* the file has it, the model does not */
    ICSEG_WEIGHTS_WRONG_SHAPE, /* both shapes are given; not loaded */
    ICSEG_WEIGHTS_NOT_FINITE,  /* loaded, but `count` elements are NaN or infinite */
    ICSEG_WEIGHTS_CUT,         /* loaded: the first rows of a longer table of positions */
    ICSEG_WEIGHTS_OTHER_CLASS  /* not loaded: its channels belong to other classes than the model's */
} icseg_weights_finding_kind;

typedef struct icseg_weights_finding {
    icseg_weights_finding_kind kind;
    const char *name;
    icseg_shape model, file;
    int64_t count;
} icseg_weights_finding;

/* Which tensors matched and which did not. Zero-initialise it; close frees it. */
typedef struct icseg_weights_report {
    icseg_arena *arena;
    icseg_weights_finding *findings;
    size_t count, capacity;
    size_t loaded;                 /* tensors */
    char sets[ICSEG_WEIGHTS_SETS]; /* which of several sets of weights in the file was read, or "" */
    bool activation_assumed;       /* the weights do not say which one they were trained with */
    icseg_clip_activation activation;
    const char *container, *naming;
} icseg_weights_report;
void icseg_weights_report_close(icseg_weights_report *report);
size_t icseg_weights_report_count(const icseg_weights_report *report, icseg_weights_finding_kind kind);
/* One line for each kind of finding, at most `limit` names in each (0: all); ends in \n. */
void icseg_weights_report_text(const icseg_weights_report *report, size_t limit, icseg_string *out);

/* What to say if report->activation_assumed. */
void icseg_weights_describe_assumption(const icseg_weights_report *report, char *out, size_t size);
enum { ICSEG_WEIGHTS_ASSUMPTION = 256 };

/* Compares CLIP's tensors with those that `config` needs; loads nothing. */
icseg_status icseg_weights_check_clip(const icseg_weights *weights, const icseg_config *config,
                                      icseg_weights_report *report, icseg_error *error);

/* What opened weights say about plain CLIP, of which every tensor of both encoders must be present and fit. `own`: see
 * icseg_weights_override(). *logit_scale is the factor (not its logarithm) that the file contains, or 0. */
icseg_status icseg_weights_read_clip(icseg_config *config, float *logit_scale, icseg_weights *weights, const char *own,
                                     icseg_weights_report *report, icseg_error *error);

/* One or both encoders, with the configuration that icseg_weights_read_clip() returned. Most values are read when they
 * are needed, so that the weights must outlive it. On failure *out is empty. */
icseg_status icseg_weights_open_clip(icseg_clip *out, icseg_clip_towers towers, const icseg_weights *weights,
                                     const icseg_config *config, icseg_weights_report *report, icseg_error *error);

/* Writes the metadata of a file of plain CLIP: icseg.clip, the keys of `icpc.config` that CLIP determines. */
icseg_status icseg_weights_write_clip(const icseg_config *config, bool activation_known,
                                      icseg_safetensors_writer *writer, icseg_error *error);

/* After ICSEG_ERROR_NUMERIC: appends the first of CLIP's tensors that contains NaN or infinite values, if there is one,
 * to the message. Returns ICSEG_ERROR_NUMERIC. */
icseg_status icseg_weights_blame(const icseg_weights *weights, icseg_error *error);

/* Whether a tensor belongs to CLIP's text encoder. */
bool icseg_weights_is_text(const char *name);

/* Loads parameters that icseg_weights_check_clip() has found in the weights. */
icseg_status icseg_weights_load_params(icseg_params *params, const icseg_weights *weights, icseg_weights_report *report,
                                       icseg_error *error);
/* The same, but most values are read when they are needed: the store gets the weights, which it
 * closes, and *weights becomes NULL. */
icseg_status icseg_weights_give_params(icseg_params *params, icseg_weights **weights, icseg_weights_report *report,
                                       icseg_error *error);

/* "ResNet 3-4-6-3 of width 64, grid 7, ...": the result of icseg_weights_infer, for messages. */
void icseg_weights_describe(const icseg_config *config, icseg_string *out);

/* Opens `path` (and of several sets of weights `set`, see icseg_weights_open_set()) and loads its tensors into a model
 * with new weights (model.init of a recipe). CLIP's tensors (image and text encoder) must all be present. Each tensor
 * must have the model's shape and, if the file states them, the model's heads and taps; otherwise the error names the
 * key or tensor and both values. There are two exceptions: a longer table of text positions is cut, and tensors that
 * depend on the class list (classifier, laterals that read score maps) keep their new weights unless the file's list is
 * the model's. `report` may be NULL; the caller closes it. */
icseg_status icseg_weights_init_model(icseg_model *model, const char *path, const char *set,
                                      icseg_weights_report *report, icseg_error *error);
/* The same for both of CLIP's encoders. The parameter logit_scale, if there is one, keeps its value if the file does
 * not have it. */
icseg_status icseg_weights_init_clip(const icseg_clip *clip, const char *path, const char *set,
                                     icseg_weights_report *report, icseg_error *error);

#endif
