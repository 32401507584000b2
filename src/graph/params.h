/* SPDX-License-Identifier: Apache-2.0
 * The parameter store: every named tensor of a model, its gradient, and its packed copies. Graphs refer to parameters
 * and do not own them, so that graphs for several input shapes share one set of weights.
 *
 * Values stay in their source, a checkpoint or the rule for initial values, until they are needed in memory. A network
 * for inference reads most of them once, to pack them, and needs no plain copy.
 *
 * Threads: any number of executors may use one store at the same time if none of them changes values, as training does.
 * Plain, packed and folded copies are made on first use, once, under the store's lock, and published by an atomic store
 * to the pointers below. A published copy is never changed or freed as long as the values do not change. */
#ifndef ICSEG_GRAPH_PARAMS_H
#define ICSEG_GRAPH_PARAMS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/rng.h"
#include "tensor/safetensors.h"

/* The layout of a parameter in files. In memory its last axis is always the input channel. */
typedef enum icseg_layout {
    ICSEG_LAYOUT_PLAIN, /* the same as in memory */
    ICSEG_LAYOUT_OIHW,  /* convolution: file (O, I, H, W), memory (O, H, W, I) */
    ICSEG_LAYOUT_IOHW   /* transposed convolution: file (I, O, H, W), memory (H, W, O, I) */
} icseg_layout;

/* Initial values, the same as those of the reference's modules in PyTorch. */
typedef enum icseg_init {
    ICSEG_INIT_ZERO,
    ICSEG_INIT_CONSTANT, /* scale */
    ICSEG_INIT_NORMAL,   /* scale * N(0, 1) */
    ICSEG_INIT_UNIFORM   /* U(-scale, scale) */
} icseg_init;

typedef struct icseg_param_options {
    icseg_layout layout;
    icseg_init init;
    float scale;
    bool trainable; /* false: no gradient (frozen, or a buffer) */
    bool buffer;    /* running statistics: written by forward passes, not by the optimiser */
} icseg_param_options;

/* The source of values that are not in memory. */
typedef struct icseg_param_source {
    enum { ICSEG_SOURCE_ZERO, ICSEG_SOURCE_INIT, ICSEG_SOURCE_FILE, ICSEG_SOURCE_CALL } kind;
    icseg_dtype dtype;                    /* FILE, CALL: F16 if all values are numbers of f16; otherwise F32 */
    uint64_t seed, index;                 /* INIT: the random stream */
    const icseg_safetensors *file;        /* FILE: kept open by the store */
    const icseg_safetensors_entry *entry; /* in the file */
    const void *from;                     /* CALL: for `read`, which writes all values in the file's layout */
    icseg_status (*read)(const void *from, float *to, icseg_error *error); /* thread-safe */
} icseg_param_source;

/* In the checkpoint of a run, the names of the optimiser's tensors begin with this. They are not parameters. */
#define ICSEG_OPTIMISER_PREFIX "adamw."

typedef struct icseg_packed icseg_packed; /* compute/primitive.h: copies in the layouts that primitives prefer */
typedef struct icseg_folded icseg_folded; /* graph/ops: a convolution's weights with its batch norm folded into them */

typedef struct icseg_composed icseg_composed; /* graph/ops: the product of these weights and those of the map before */

typedef struct icseg_param {
    char *name;        /* as in the checkpoint */
    icseg_shape shape; /* in memory */
    icseg_shape file_shape;
    icseg_param_options options;
    int64_t count;
    int64_t index;  /* in the order of declaration */
    bool is_layer;  /* the weights of a convolution or linear layer, whose input needs an activation range for INT8 */
    int64_t inputs; /* of a layer: input channels */
    icseg_param_source source;
    float *_Atomic data;     /* NULL: only in the source; load them before writing here */
    float *grad;             /* NULL until icseg_params_allocate_gradients, and if not trainable */
    uint64_t version;        /* raised whenever data changes; packed copies compare it */
    uint64_t source_version; /* as long as `version` is this, the values are the source's */
    pthread_mutex_t *lock;   /* the store's: held while one of the copies is made */
    icseg_packed *_Atomic packed;
    void (*free_packed)(icseg_packed *packed); /* set together with `packed` */
    icseg_folded *_Atomic folded;
    void (*free_folded)(icseg_folded *folded); /* these two are set together with `folded` */
    size_t (*folded_bytes)(const icseg_folded *folded);
    icseg_composed *_Atomic composed;
    void (*free_composed)(icseg_composed *composed); /* these two are set together with `composed` */
    size_t (*composed_bytes)(const icseg_composed *composed);
} icseg_param;

typedef struct icseg_params icseg_params;

icseg_status icseg_params_open(icseg_params **out, icseg_error *error);
void icseg_params_close(icseg_params **params);

/* Declares a parameter of the given file shape, all zero. Names are unique. NULL on failure. */
icseg_param *icseg_params_declare(icseg_params *params, const char *name, icseg_shape file_shape,
                                  icseg_param_options options, icseg_error *error);
int64_t icseg_params_count(const icseg_params *params);
icseg_param *icseg_params_at(const icseg_params *params, int64_t index);      /* in order of declaration */
icseg_param *icseg_params_find(const icseg_params *params, const char *name); /* or NULL */

icseg_status icseg_params_allocate_gradients(icseg_params *params, icseg_error *error);
void icseg_params_zero_gradients(icseg_params *params);

/* -- values */

/* Initialises every parameter by its rule: a function of the seed and the order of declaration. */
void icseg_params_initialise(icseg_params *params, uint64_t seed);
/* Takes values from this source: drops those in memory and raises the version. */
void icseg_param_set_source(icseg_param *param, icseg_param_source source);
/* Takes values from a file's tensor, which must have the parameter's file shape. The file must stay open until the
 * values are loaded. */
icseg_status icseg_param_from_file(icseg_param *param, const icseg_safetensors *file, const char *name,
                                   icseg_error *error);
/* Passes the owner of sources to the store, which closes it when all values are loaded or the store is closed. */
icseg_status icseg_params_own(icseg_params *params, void *owner, void (*close)(void *owner), icseg_error *error);

/* Loads the values into `data`, if they are not there yet. */
icseg_status icseg_param_load(icseg_param *param, icseg_error *error);
/* Loads all parameters and closes the files. */
icseg_status icseg_params_load(icseg_params *params, icseg_error *error);
/* Provides `data` for a caller that overwrites all of it; the source is not read. Raises the version. */
icseg_status icseg_param_replace(icseg_param *param, icseg_error *error);
/* Whether the values are those of a source in f16, loaded or not. */
bool icseg_param_is_f16(const icseg_param *param);
/* Copies the values, loaded or not, to `to` (count) in the memory layout. */
icseg_status icseg_param_read(const icseg_param *param, float *to, icseg_error *error);
/* Copies some rows of a matrix with the plain layout: to (count, columns). */
icseg_status icseg_param_read_rows(const icseg_param *param, int64_t count, const int32_t *rows, float *to,
                                   icseg_error *error);
/* The values for reading: `data`, or a copy, which the caller frees: *copy (otherwise NULL). */
icseg_status icseg_param_borrow(const icseg_param *param, const float **values, float **copy, icseg_error *error);

/* File layout <-> memory layout, count floats. `from` and `to` do not overlap. */
void icseg_param_import(const icseg_param *param, const float *file, float *to);
void icseg_param_export(const icseg_param *param, const float *memory, float *to);

/* Bytes that the parameters take now. */
typedef struct icseg_params_memory {
    size_t plain, packed, gradients;
} icseg_params_memory;
icseg_params_memory icseg_params_count_memory(icseg_params *params);

#endif
