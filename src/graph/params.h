/* SPDX-License-Identifier: Apache-2.0
 * The parameter store: every named tensor of a model, its gradient, and its packed copies. Graphs refer to parameters
 * and do not own them, so that graphs for several input shapes share one set of weights.
 *
 * Values stay where they come from, a checkpoint or the rule for initial values, until somebody needs them in memory. A
 * network that only infers reads most of them once, to pack them, and needs no plain copy.
 *
 * Threads: any number of executors may run on one store at once as long as none of them changes values (training does).
 * What is made on first use (plain, packed and folded copies) is made under the store's lock, once, and published by an
 * atomic store into the pointers below; what has been published is never changed or freed while values do not change.
 */
#ifndef ICSEG_GRAPH_PARAMS_H
#define ICSEG_GRAPH_PARAMS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/rng.h"
#include "tensor/safetensors.h"

/* How files store a parameter; in memory its last axis is always the input channel. */
typedef enum icseg_layout {
    ICSEG_LAYOUT_PLAIN, /* the same in memory */
    ICSEG_LAYOUT_OIHW,  /* convolution: file (O, I, H, W), memory (O, H, W, I) */
    ICSEG_LAYOUT_IOHW   /* transposed convolution: file (I, O, H, W), memory (H, W, O, I) */
} icseg_layout;

/* Initial values, as PyTorch gives them to the reference's modules. */
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

/* Where values come from while they are not in memory. */
typedef struct icseg_param_source {
    enum { ICSEG_SOURCE_ZERO, ICSEG_SOURCE_INIT, ICSEG_SOURCE_FILE } kind;
    uint64_t seed, index;                 /* INIT: the random stream */
    const icseg_safetensors *file;        /* FILE: kept open by the store */
    const icseg_safetensors_entry *entry; /* of it */
} icseg_param_source;

typedef struct icseg_packed icseg_packed; /* src/dnnl: a copy in the layout a primitive prefers */
typedef struct icseg_folded icseg_folded; /* graph/ops: a convolution's weights with its batch norm folded into them */

typedef struct icseg_param {
    char *name;        /* as in the checkpoint */
    icseg_shape shape; /* in memory */
    icseg_shape file_shape;
    icseg_param_options options;
    int64_t count;
    icseg_param_source source;
    float *_Atomic data;   /* NULL: only the source has them; whoever writes here loads them first */
    float *grad;           /* NULL until icseg_params_allocate_gradients, and for what does not train */
    uint64_t version;      /* raised whenever data changes; packed copies compare it */
    pthread_mutex_t *lock; /* the store's: held while one of the copies is made */
    icseg_packed *_Atomic packed;
    void (*free_packed)(icseg_packed *packed); /* set by whoever sets `packed` */
    icseg_folded *_Atomic folded;
    void (*free_folded)(icseg_folded *folded); /* these two set by whoever sets `folded` */
    size_t (*folded_bytes)(const icseg_folded *folded);
} icseg_param;

typedef struct icseg_params icseg_params;

icseg_status icseg_params_open(icseg_params **out, icseg_error *error);
void icseg_params_close(icseg_params **params);

/* Declares a parameter of the given file shape, all zero. Names are unique. NULL on failure. */
icseg_param *icseg_params_declare(icseg_params *params, const char *name, icseg_shape file_shape,
                                  icseg_param_options options, icseg_error *error);
int64_t icseg_params_count(const icseg_params *params);
icseg_param *icseg_params_at(const icseg_params *params, int64_t index);      /* in order of declaration */
icseg_param *icseg_params_find(const icseg_params *params, const char *name); /* NULL when there is none */

icseg_status icseg_params_allocate_gradients(icseg_params *params, icseg_error *error);
void icseg_params_zero_gradients(icseg_params *params);

/* -- values */

/* Every parameter by its init rule; a function of the seed and the order of declaration. */
void icseg_params_initialise(icseg_params *params, uint64_t seed);
/* Values from there; what was in memory is dropped, the version raised. */
void icseg_param_set_source(icseg_param *param, icseg_param_source source);
/* Values from a file's tensor, which must have the parameter's file shape. The file must stay open until the values are
 * loaded: icseg_params_own makes it the store's, to be closed with it or when all are loaded. */
icseg_status icseg_param_from_file(icseg_param *param, const icseg_safetensors *file, const char *name,
                                   icseg_error *error);
icseg_status icseg_params_own(icseg_params *params, icseg_safetensors *file, icseg_error *error);

/* Loads the values into `data` unless they are there. */
icseg_status icseg_param_load(icseg_param *param, icseg_error *error);
/* The same for all of them; the files are closed. */
icseg_status icseg_params_load(icseg_params *params, icseg_error *error);
/* `data` for who overwrites all of it: what the source has is not read. Raises the version. */
icseg_status icseg_param_replace(icseg_param *param, icseg_error *error);
/* A copy of the values, loaded or not; (count), in memory's layout. */
icseg_status icseg_param_read(const icseg_param *param, float *to, icseg_error *error);
/* The same for some rows of a matrix that is stored plainly: to (count, columns). */
icseg_status icseg_param_read_rows(const icseg_param *param, int64_t count, const int32_t *rows, float *to,
                                   icseg_error *error);
/* The values, for reading: `data`, or a copy that the caller frees: *copy (else NULL). */
icseg_status icseg_param_borrow(const icseg_param *param, const float **values, float **copy, icseg_error *error);

/* File layout <-> memory layout, count floats. `from` and `to` do not overlap. */
void icseg_param_import(const icseg_param *param, const float *file, float *to);
void icseg_param_export(const icseg_param *param, const float *memory, float *to);

/* Bytes that parameters take now. */
typedef struct icseg_params_memory {
    size_t plain, packed, gradients;
} icseg_params_memory;
icseg_params_memory icseg_params_count_memory(icseg_params *params);

#endif
