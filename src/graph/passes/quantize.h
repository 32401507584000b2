/* SPDX-License-Identifier: Apache-2.0
 * Quantisation: values between the layers of an INT8 graph stay bytes. */
#ifndef ICSEG_GRAPH_PASSES_QUANTIZE_H
#define ICSEG_GRAPH_PASSES_QUANTIZE_H

#include "graph/graph.h"

/* A value that is computed by a layer in INT8, layer norm or attention, and read by layers in INT8 only, becomes
 * ICSEG_U8: the node that computes it quantises it, with the range that was calibrated for its readers. The value then
 * has the same bytes as if its readers had quantised it. Residuals, and values that are pooled, resized or joined,
 * become bytes, too, with the range of the layer that computes them. The operators' icseg_int8_rules say which tensors
 * may change; kept values stay f32. Call it once, after icseg_graph_use_precision, the last icseg_graph_keep and
 * icseg_graph_fuse. */
void icseg_graph_use_bytes(icseg_graph *graph);

#endif
