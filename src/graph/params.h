/* SPDX-License-Identifier: Apache-2.0
 * The parameter store: every named tensor of a model, its gradient, and its packed copies. Graphs refer to parameters
 * and do not own them, so that graphs for several input shapes share one set of weights. */
#ifndef ICSEG_GRAPH_PARAMS_H
#define ICSEG_GRAPH_PARAMS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/rng.h"
#include "tensor/shape.h"

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

typedef struct icseg_packed icseg_packed; /* src/dnnl: a copy in the layout a primitive prefers */
typedef struct icseg_folded icseg_folded; /* graph/ops: a convolution's weights with its batch norm folded into them */

typedef struct icseg_param {
    char *name;        /* as in the checkpoint */
    icseg_shape shape; /* in memory */
    icseg_shape file_shape;
    icseg_param_options options;
    int64_t count;
    float *data;
    float *grad;      /* NULL until icseg_params_allocate_gradients, and for what does not train */
    uint64_t version; /* raised whenever data changes; packed copies compare it */
    icseg_packed *packed;
    void (*free_packed)(icseg_packed *packed); /* set by whoever sets `packed` */
    icseg_folded *folded;
    void (*free_folded)(icseg_folded *folded); /* set by whoever sets `folded` */
} icseg_param;

typedef struct icseg_params icseg_params;

icseg_status icseg_params_open(icseg_params **out, icseg_error *error);
void icseg_params_close(icseg_params **params);

/* Declares a parameter of the given file shape; data is allocated and zero. Names are unique. NULL on failure. */
icseg_param *icseg_params_declare(icseg_params *params, const char *name, icseg_shape file_shape,
                                  icseg_param_options options, icseg_error *error);
int64_t icseg_params_count(const icseg_params *params);
icseg_param *icseg_params_at(const icseg_params *params, int64_t index);      /* in order of declaration */
icseg_param *icseg_params_find(const icseg_params *params, const char *name); /* NULL when there is none */

icseg_status icseg_params_allocate_gradients(icseg_params *params, icseg_error *error);
void icseg_params_zero_gradients(icseg_params *params);

/* Fills every parameter from its init rule; a function of the seed and the order of declaration. */
void icseg_params_initialise(icseg_params *params, uint64_t seed);

/* File layout <-> memory layout, count floats. `from` and `to` do not overlap. */
void icseg_param_import(icseg_param *param, const float *from); /* into data; raises version */
void icseg_param_export(const icseg_param *param, const float *memory, float *to);

#endif
