/* SPDX-License-Identifier: Apache-2.0
 * Activation ranges: the smallest and largest inputs and outputs of layers, from which INT8 derives how they are
 * quantised. A layer is a convolution or linear layer; the name of its weights in the checkpoint identifies it, however
 * the graph is rewritten. Its output is that of the node which computes it, with an activation, a residual or a batch
 * norm that is fused with it. A calibration records the ranges while a network runs in f32 on some images. */
#ifndef ICSEG_GRAPH_ACTIVATION_RANGES_H
#define ICSEG_GRAPH_ACTIVATION_RANGES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "compute/backend/shapes.h"
#include "graph/best_range.h"
#include "graph/params.h"
#include "tensor/quantization.h"

typedef struct icseg_activation_ranges icseg_activation_ranges;
struct icseg_graph;
struct icseg_kernel;
struct icseg_node;

/* FIRST and SECOND: the two parts of an input whose channels are two values joined. Their ranges may differ much. */
typedef enum icseg_layer_side {
    ICSEG_LAYER_IN,
    ICSEG_LAYER_OUT,
    ICSEG_LAYER_FIRST,
    ICSEG_LAYER_SECOND,
    ICSEG_LAYER_SIDES
} icseg_layer_side;

/* The bytes 0 to 255 cover the range, and one of them is zero. The scale is 0 if the range is empty. */
icseg_quantization icseg_activation_range_quantization(icseg_activation_range range);

icseg_status icseg_activation_ranges_open(icseg_activation_ranges **out, icseg_error *error);
void icseg_activation_ranges_close(icseg_activation_ranges **ranges);

/* Adds or replaces a range of the layer with these weights. A layer whose input is empty stays f32. */
icseg_status icseg_activation_ranges_set(icseg_activation_ranges *ranges, const icseg_param *layer,
                                         icseg_layer_side side, icseg_activation_range range, icseg_error *error);
bool icseg_activation_ranges_has(const icseg_activation_ranges *ranges, const icseg_param *layer,
                                 icseg_layer_side side);
/* Empty if the layer has none, and, except for that of the output, if the layer is kept in f32. */
icseg_activation_range icseg_activation_ranges_find(const icseg_activation_ranges *ranges, const icseg_param *layer,
                                                    icseg_layer_side side);
size_t icseg_activation_ranges_count(const icseg_activation_ranges *ranges); /* layers with a range of their input */
icseg_status icseg_activation_ranges_copy(icseg_activation_ranges *to, const icseg_activation_ranges *from,
                                          icseg_error *error);

/* -- layers that stay f32 by choice */

icseg_status icseg_activation_ranges_keep_f32(icseg_activation_ranges *ranges, const icseg_param *layer, bool keep,
                                              icseg_error *error);
bool icseg_activation_ranges_keeps_f32(const icseg_activation_ranges *ranges, const icseg_param *layer);

/* -- mean inputs, for the correction of biases: see icseg_input_means */

/* Copies `count` means, one for each input channel: layer->inputs of them. */
icseg_status icseg_activation_ranges_set_means(icseg_activation_ranges *ranges, const icseg_param *layer,
                                               const float *means, int64_t count, icseg_error *error);
/* Valid as long as the ranges. Without values if the layer has none. */
icseg_input_means icseg_activation_ranges_means(const icseg_activation_ranges *ranges, const icseg_param *layer);

/* -- layers */

/* The weights of the layer that the node computes, or NULL. */
icseg_param *icseg_activation_ranges_layer(const struct icseg_graph *graph, const struct icseg_node *node);
/* Finds the two values whose channels, joined, are the layer's input; false if it is a single value. */
bool icseg_activation_ranges_joined(const struct icseg_graph *graph, const struct icseg_node *node, int32_t parts[2]);
/* The range of input `i` of the graph's layer: 0, or the second part of it (icseg_int8_rules.second). Empty if there is
 * none, or if the layer is kept in f32. */
icseg_activation_range icseg_activation_ranges_of_input(const struct icseg_graph *graph, const struct icseg_node *node,
                                                        int i);
/* Marks the weights of all layers of the graph of a whole model. */
void icseg_activation_ranges_mark(const struct icseg_graph *graph);

typedef struct icseg_ranges_summary {
    int32_t layers, covered; /* marked layers, and how many of them have a range of their input */
    int32_t kept;            /* how many stay f32 by choice */
    char problem[256];       /* a clause; "" when every layer has a plausible range */
} icseg_ranges_summary;

/* Whether INT8 can use the ranges: each marked layer has one of its input, and all are plausible. */
bool icseg_activation_ranges_check(const icseg_activation_ranges *ranges, const icseg_params *params,
                                   icseg_ranges_summary *out);

/* -- recording */

/* Executors of graphs that use these ranges call observe before and after they run a node. A range covers the ranges of
 * all runs, which the rule finds (at first: ICSEG_RANGE_MSE). An input that is not finite is ICSEG_ERROR_NUMERIC.
 * Starting to record drops all ranges and means. icseg_activation_ranges_copy computes the means from what was
 * recorded. */
void icseg_activation_ranges_record(icseg_activation_ranges *ranges, bool on);
void icseg_activation_ranges_use_rule(icseg_activation_ranges *ranges, icseg_range_rule rule, bool means);
bool icseg_activation_ranges_recording(const icseg_activation_ranges *ranges);
icseg_status icseg_activation_ranges_observe(icseg_activation_ranges *ranges, const struct icseg_kernel *kernel,
                                             icseg_layer_side side, icseg_error *error);

#endif
