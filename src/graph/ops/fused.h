/* SPDX-License-Identifier: Apache-2.0
 * Operators that only graph/passes/fuse.h appends: a convolution or linear layer together with the operators after it.
 */
#ifndef ICSEG_GRAPH_OPS_FUSED_H
#define ICSEG_GRAPH_OPS_FUSED_H

#include "graph/ops/conv2d.h"
#include "graph/ops/conv_transpose.h"
#include "graph/ops/operators.h"

/* Inputs; all but the first two may be ICSEG_NONE. Those from ICSEG_FUSED_GAMMA to ICSEG_FUSED_VAR belong to a
 * convolution's batch norm, which comes before the residual. */
enum {
    ICSEG_FUSED_X,
    ICSEG_FUSED_WEIGHT,
    ICSEG_FUSED_BIAS,
    ICSEG_FUSED_RESIDUAL, /* of the output's shape, added before the activation */
    ICSEG_FUSED_GAMMA,
    ICSEG_FUSED_BETA,
    ICSEG_FUSED_MEAN,
    ICSEG_FUSED_VAR,
    ICSEG_FUSED_SECOND, /* of a 1x1 convolution in INT8: the last channels of x (icseg_second_input) */
    ICSEG_FUSED_INPUTS
};

typedef struct icseg_fused_conv {
    icseg_conv_shape shape; /* first: the work is that of a conv2d */
    icseg_activation activation;
    float eps; /* of the batch norm */
} icseg_fused_conv;

typedef struct icseg_fused_linear {
    icseg_matmul_shape shape; /* first */
    icseg_activation activation;
} icseg_fused_linear;

/* Inputs of linear_pair, two linear layers in a row; biases and residual may be ICSEG_NONE. */
enum {
    ICSEG_PAIR_X,
    ICSEG_PAIR_FIRST_WEIGHT,
    ICSEG_PAIR_FIRST_BIAS,
    ICSEG_PAIR_SECOND_WEIGHT,
    ICSEG_PAIR_SECOND_BIAS,
    ICSEG_PAIR_RESIDUAL,
    ICSEG_PAIR_INPUTS
};

typedef struct icseg_fused_pair {
    icseg_fused_linear map[2];
} icseg_fused_pair;

/* Inputs of conv_transpose2x2_map, a transposed convolution and a 1x1 convolution of its result; biases and residual
 * may be ICSEG_NONE, and the other inputs except X are parameters. */
enum {
    ICSEG_MAP_X,
    ICSEG_MAP_FIRST_WEIGHT, /* of the transposed convolution */
    ICSEG_MAP_FIRST_BIAS,
    ICSEG_MAP_SECOND_WEIGHT,
    ICSEG_MAP_SECOND_BIAS,
    ICSEG_MAP_RESIDUAL, /* of the output's shape */
    ICSEG_MAP_INPUTS
};

typedef struct icseg_transpose_map {
    icseg_transpose_shape shape; /* with the channels of the second map's output */
    int64_t between;             /* channels of the first map's output */
} icseg_transpose_map;

/* Whether one map with the product of both weights takes less work than both, in the first run, too. */
bool icseg_transpose_map_is_faster(const icseg_transpose_map *map);

/* The product of both weights in the primitive's layout, and its bias. They are made on first use, and again when a
 * parameter has changed, and are kept with the second weight. */
icseg_status icseg_composed_get(const icseg_kernel *k, const icseg_primitive *primitive, const void **weights,
                                const float **bias, icseg_error *error);

/* Whether blocks of rows are faster, for that many rows and bytes between the two maps. */
bool icseg_linear_pair_is_faster(int64_t rows, int64_t between_bytes);

/* The convolution's weights in the primitive's layout (NULL: unpacked) and its bias, both with the batch norm folded
 * in. They are made on first use, and again when a parameter has changed, and are kept with the weight parameter. */
icseg_status icseg_folded_get(const icseg_kernel *k, const icseg_primitive *primitive, const void **weights,
                              const float **bias, icseg_error *error);

#endif
