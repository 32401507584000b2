/* SPDX-License-Identifier: Apache-2.0
 * The list of tensors that the readers of containers fill in, and the naming step that follows them. */
#ifndef ICSEG_WEIGHTS_INTERNAL_H
#define ICSEG_WEIGHTS_INTERNAL_H

#include "base/file.h"
#include "base/memory.h"
#include "graph/params.h"
#include "icseg/weights.h"
#include "tensor/safetensors.h"
#include "weights/weights.h"
#include "base/zip.h"

enum { ICSEG_WEIGHTS_MAX_TENSORS = 1 << 16, ICSEG_WEIGHTS_SHARDS = 256, ICSEG_WEIGHTS_NAME = 500 };

/* The open stream of a deflated storage: tensors are mostly stored one after another. */
typedef struct icseg_weights_cursor {
    const icseg_weights_packed *at;
    icseg_zip_stream *stream;
} icseg_weights_cursor;

/* A deflated storage. */
struct icseg_weights_packed {
    icseg_zip_entry entry;
    const char *path;
    icseg_weights_cursor *cursor;
};

struct icseg_weights {
    icseg_arena *arena; /* names, entries */
    const char *path, *container, *naming;
    icseg_weights_facts facts;
    const char *set;               /* the set of weights that the caller asks for; NULL: the usual one */
    bool set_found;                /* the reader of the container has chosen it */
    const char *prefix;            /* of its names, with a dot at the end; NULL: not known yet */
    char sets[ICSEG_WEIGHTS_SETS]; /* which of several sets was read, or "" */
    icseg_file_reader *file[ICSEG_WEIGHTS_SHARDS];
    icseg_safetensors *safetensors[ICSEG_WEIGHTS_SHARDS];
    icseg_weights_cursor cursor;
    int files, shards;
    icseg_weights_tensor *tensors; /* under the file's names */
    size_t tensor_count, tensor_capacity;
    icseg_weights_entry *entries; /* under our names, sorted */
    size_t entry_count;
    const char **foreign;
    size_t foreign_count;
    const char **classes;
    size_t class_count;
};

/* Appends a tensor; its name is copied. */
icseg_status icseg_weights_add(icseg_weights *weights, const char *name, size_t name_size, icseg_weights_tensor tensor,
                               icseg_error *error);

/* PyTorch's containers. The file stays open until the weights are closed. */
icseg_status icseg_torch_read_zip(icseg_weights *weights, const icseg_file_reader *file, const char *path,
                                  icseg_error *error);
icseg_status icseg_torch_read_legacy(icseg_weights *weights, const icseg_file_reader *file, const char *path,
                                     icseg_error *error);
bool icseg_torch_is_legacy(const unsigned char *start, size_t size); /* by the first bytes of a file */

/* Recognises the naming and sorts tensors into entries and foreign names. */
icseg_status icseg_weights_apply_names(icseg_weights *weights, icseg_error *error);

/* What shapes do not tell: from metadata, or the configuration beside the weights. After the names are known. */
icseg_status icseg_weights_read_facts(icseg_weights *weights, icseg_error *error);

/* Records with which activation the weights will run, and whether they say so. */
void icseg_weights_report_activation(icseg_weights_report *report, const icseg_weights *weights,
                                     const icseg_config *config);

/* Names for writing: the tensors that an entry becomes under another naming. */
typedef struct icseg_weights_alias {
    char name[ICSEG_WEIGHTS_NAME + 100];
    int part, parts; /* index and number of slices of the first axis */
    bool transpose;
} icseg_weights_alias;
/* Number of aliases written, at most ICSEG_WEIGHTS_PARTS; 0 if the naming does not have such a tensor. */
int icseg_weights_aliases(const char *name, icseg_naming naming, icseg_weights_alias out[ICSEG_WEIGHTS_PARTS]);

/* Whether a tensor belongs to CLIP (either encoder) and not to the parts that segmentation adds. */
bool icseg_weights_is_clip(const char *name);
/* ICSEG_ERROR_UNSUPPORTED, naming the kind of model, for weights that are known and not those of both encoders of CLIP.
 */
icseg_status icseg_weights_refuse_foreign(const icseg_weights *weights, icseg_error *error);

/* The entry, or the first rows of a longer table of text positions, as many as `shape` has. */
icseg_weights_entry icseg_weights_cut(const icseg_weights_entry *entry, icseg_shape shape);

/* Into a parameter of the entry's shape or, of text positions, of fewer rows; NaN and infinite values are reported. */
icseg_status icseg_weights_load_param(icseg_param *param, const icseg_weights_entry *entry,
                                      icseg_weights_report *report, icseg_error *error);

/* Reports the tensors that only the model or only the file has, or that differ in shape; loads nothing. */
icseg_status icseg_weights_compare(const icseg_weights *weights, const icseg_model *model, icseg_weights_report *report,
                                   icseg_error *error);
/* An error that names the first missing or misshapen tensors, if there are any. */
icseg_status icseg_weights_report_check(const icseg_weights_report *report, const char *path, icseg_error *error);
icseg_status icseg_weights_report_add(icseg_weights_report *report, icseg_weights_finding finding, icseg_error *error);

#endif
