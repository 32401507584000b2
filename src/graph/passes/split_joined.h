/* SPDX-License-Identifier: Apache-2.0
 * Joined inputs of layers in INT8. */
#ifndef ICSEG_GRAPH_PASSES_SPLIT_JOINED_H
#define ICSEG_GRAPH_PASSES_SPLIT_JOINED_H

#include "graph/graph.h"

/* A 1x1 convolution in INT8 whose input is two values joined along their channels reads these two instead, each with
 * its own range. One range for both would leave few of the 256 values of a byte to the smaller one. Call it before
 * icseg_graph_use_bytes, after icseg_graph_use_precision and icseg_graph_fuse. */
void icseg_graph_split_joined(icseg_graph *graph);

#endif
