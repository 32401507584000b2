/* SPDX-License-Identifier: Apache-2.0
 * The graph: a model described once, for one input shape, as operators on values. Running it, differentiating it,
 * planning its memory and counting its work all read this description.
 *
 * Code that builds a graph needs no checks between calls: the graph keeps the first error, later calls return
 * ICSEG_NONE, and icseg_graph_status() reports it at the end. Every activation is dense and row-major, (B, H, W, C) or
 * (B, L, C). */
#ifndef ICSEG_GRAPH_GRAPH_H
#define ICSEG_GRAPH_GRAPH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/memory.h"
#include "compute/primitive.h"
#include "graph/params.h"
#include "tensor/dtype.h"
#include "tensor/quantization.h"
#include "tensor/shape.h"

typedef int32_t icseg_value; /* an index into the graph's values */
enum { ICSEG_NONE = -1, ICSEG_MAX_INPUTS = 12, ICSEG_MAX_OUTPUTS = 4 };

typedef enum icseg_value_kind {
    ICSEG_VALUE_INPUT,    /* the caller binds a pointer before each run */
    ICSEG_VALUE_PARAM,    /* in the parameter store */
    ICSEG_VALUE_CONSTANT, /* bytes in the graph's arena */
    ICSEG_VALUE_COMPUTED  /* output of a node, placed by the memory plan */
} icseg_value_kind;

typedef struct icseg_op icseg_op;

typedef struct icseg_value_info {
    icseg_value_kind kind;
    icseg_dtype dtype;
    icseg_quantization quantization; /* of a COMPUTED value of type ICSEG_U8 */
    icseg_shape shape;
    int64_t count;        /* elements */
    int32_t producer;     /* node index, or -1 */
    icseg_value view_of;  /* shares this value's storage (reshape), or ICSEG_NONE */
    bool needs_grad;      /* it depends on a trainable parameter, or the caller asked */
    bool boundary;        /* kept for the backward pass, so that nothing before it is recomputed */
    bool keep;            /* an output of the graph: its storage is never reused */
    icseg_param *param;   /* of a PARAM; of a COMPUTED value that is a parameter's gradient: written to param->grad */
    const void *constant; /* of a CONSTANT */
    const char *name;
} icseg_value_info;

typedef struct icseg_node {
    const icseg_op *op;
    const char *scope; /* "visual.layer1.0.conv1"; "" outside all scopes */
    const char *name;  /* scope and operator, for messages and profiles: "visual.layer1.0.conv1.conv2d" */
    const void *attributes;
    int32_t index, input_count, output_count;
    bool backward; /* appended by icseg_graph_backward */
    icseg_value input[ICSEG_MAX_INPUTS];
    icseg_value output[ICSEG_MAX_OUTPUTS];
} icseg_node;

typedef struct icseg_graph icseg_graph;
typedef struct icseg_activation_ranges icseg_activation_ranges;

/* training: dropout is active. (Batch norm has its own option.) */
icseg_status icseg_graph_open(icseg_graph **out, bool training, icseg_error *error);
void icseg_graph_close(icseg_graph **graph);
icseg_status icseg_graph_status(const icseg_graph *graph, icseg_error *error);
/* Records an error, unless the graph has one; the text is prefixed with the scope and `op`. Returns ICSEG_NONE. */
icseg_value icseg_graph_fail(icseg_graph *graph, const char *op, icseg_status status, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
bool icseg_graph_training(const icseg_graph *graph);
bool icseg_graph_forward_only(const icseg_graph *graph); /* whether icseg_graph_fuse was called */
/* Says that the graph runs once or very rarely: packed copies of its weights exist only while a node runs. */
void icseg_graph_use_once(icseg_graph *graph);
bool icseg_graph_is_used_once(const icseg_graph *graph);
icseg_arena *icseg_graph_arena(icseg_graph *graph);

/* Sets the precision in which forward convolutions and linear layers, in INT8 also attention, multiply f32 tensors,
 * where that is faster. ranges: of the layers' inputs, for INT8; must outlive the graph. A layer without a range stays
 * f32, and so does everything while ranges are recorded. */
void icseg_graph_use_precision(icseg_graph *graph, icseg_product_precision precision, icseg_activation_ranges *ranges);
icseg_product_precision icseg_graph_precision(const icseg_graph *graph);
icseg_activation_ranges *icseg_graph_activation_ranges(const icseg_graph *graph); /* NULL when not set */

/* Nodes appended until the matching pop belong to scope A.B. */
void icseg_graph_push(icseg_graph *graph, const char *format, ...) __attribute__((format(printf, 2, 3)));
void icseg_graph_pop(icseg_graph *graph);
const char *icseg_graph_scope(const icseg_graph *graph); /* with a dot at its end, "A.B.", or "" */

icseg_value icseg_graph_input(icseg_graph *graph, const char *name, icseg_dtype dtype, icseg_shape shape);
icseg_value icseg_graph_param(icseg_graph *graph, icseg_param *param); /* the same value for the same parameter */
icseg_value icseg_graph_constant(icseg_graph *graph, const char *name, icseg_dtype dtype, icseg_shape shape,
                                 const void *data); /* copies */
/* Marks the end of a block of layers (graph/passes/recompute.h). Returns the value. */
icseg_value icseg_graph_boundary(icseg_graph *graph, icseg_value value);
void icseg_graph_keep(icseg_graph *graph, icseg_value value, const char *name);

int32_t icseg_graph_value_count(const icseg_graph *graph);
int32_t icseg_graph_node_count(const icseg_graph *graph);
const icseg_value_info *icseg_graph_value(const icseg_graph *graph, icseg_value value);
const icseg_node *icseg_graph_node(const icseg_graph *graph, int32_t index);

/* Size of an axis; negative axes count from the end. 0 for ICSEG_NONE. */
int64_t icseg_graph_dim(const icseg_graph *graph, icseg_value value, int axis);
/* The value whose storage `value` shares: itself unless it is a view. */
icseg_value icseg_graph_owner(const icseg_graph *graph, icseg_value value);
/* The parameter that `value` is or is a view of, or NULL. */
icseg_param *icseg_graph_param_of(const icseg_graph *graph, icseg_value value);

#endif
