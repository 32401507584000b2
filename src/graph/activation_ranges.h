/* SPDX-License-Identifier: Apache-2.0
 * Activation ranges: the magnitude of the inputs of layers, from which INT8 derives its scales. A layer is a
 * convolution or linear layer; the name of its weights in the checkpoint identifies it, however the graph is rewritten.
 * A calibration records the ranges while a network runs in f32 on some images. */
#ifndef ICSEG_GRAPH_ACTIVATION_RANGES_H
#define ICSEG_GRAPH_ACTIVATION_RANGES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "graph/params.h"

typedef struct icseg_activation_ranges icseg_activation_ranges;
struct icseg_graph;
struct icseg_kernel;
struct icseg_node;

/* CLIP was trained and published in f16, whose magnitudes are 6e-8 to 65,504: a range outside these limits was not
 * measured on such a network. */
#define ICSEG_MIN_RANGE 1e-8f
#define ICSEG_MAX_RANGE 1e6f

icseg_status icseg_activation_ranges_open(icseg_activation_ranges **out, icseg_error *error);
void icseg_activation_ranges_close(icseg_activation_ranges **ranges);

/* Adds or replaces the range of the layer with these weights. 0: its input was always (almost) zero; it stays f32. */
icseg_status icseg_activation_ranges_set(icseg_activation_ranges *ranges, const icseg_param *layer, float range,
                                         icseg_error *error);
bool icseg_activation_ranges_has(const icseg_activation_ranges *ranges, const icseg_param *layer);
float icseg_activation_ranges_find(const icseg_activation_ranges *ranges, const icseg_param *layer); /* or 0 */
size_t icseg_activation_ranges_count(const icseg_activation_ranges *ranges);
icseg_status icseg_activation_ranges_copy(icseg_activation_ranges *to, const icseg_activation_ranges *from,
                                          icseg_error *error);

/* -- layers */

/* The weights of the layer that the node computes, or NULL. */
icseg_param *icseg_activation_ranges_layer(const struct icseg_graph *graph, const struct icseg_node *node);
/* Marks the weights of all layers of the graph of a whole model. */
void icseg_activation_ranges_mark(const struct icseg_graph *graph);

typedef struct icseg_ranges_summary {
    int32_t layers, covered; /* marked layers, and how many of them have a range */
    char problem[200];       /* a clause; "" when every layer has a plausible range */
} icseg_ranges_summary;

/* Whether INT8 can use the ranges: each marked layer has one, and it is plausible. */
bool icseg_activation_ranges_check(const icseg_activation_ranges *ranges, const icseg_params *params,
                                   icseg_ranges_summary *out);

/* -- recording */

/* Executors of graphs that use these ranges call observe before they run a node; the largest range over all runs is
 * kept. The range of an input minimises the mean square error of its values quantised to 127 steps on each side, so
 * that a few very large values do not cost the others their precision. An input that is not finite is
 * ICSEG_ERROR_NUMERIC. Starting to record drops all ranges. */
void icseg_activation_ranges_record(icseg_activation_ranges *ranges, bool on);
bool icseg_activation_ranges_recording(const icseg_activation_ranges *ranges);
icseg_status icseg_activation_ranges_observe(icseg_activation_ranges *ranges, const struct icseg_kernel *kernel,
                                             icseg_error *error);

#endif
