/* SPDX-License-Identifier: Apache-2.0
 * Translates a graph that is only run forward, and that no pass has rewritten, into ONNX operators.
 *
 * Values with four axes, (B, H, W, C) in the graph, are (B, C, H, W) in ONNX, as runtimes prefer; all others have the
 * same layout. Values that do not depend on the image become initialisers. */
#ifndef ICSEG_ONNX_TRANSLATE_H
#define ICSEG_ONNX_TRANSLATE_H

#include "graph/graph.h"
#include "graph/run/executor.h"
#include "onnx/graph_writer.h"

enum { ICSEG_ONNX_OPSET = 17, ICSEG_ONNX_IR_VERSION = 8 };

typedef struct icseg_onnx_value {
    const char *name; /* in the ONNX graph; NULL: not translated yet */
    bool varies;      /* depends on the image or its size; else it is constant */
    icseg_value grid; /* of rows that are the positions of a map: that map; of a map: itself; else ICSEG_NONE */
    int32_t readers;  /* live nodes that read it */
    int32_t reader;   /* the last of them */
} icseg_onnx_value;

typedef struct icseg_onnx_translation {
    icseg_onnx_writer *writer;
    icseg_graph *graph;
    const icseg_executor *constants;       /* has run: contains the values of constants */
    const icseg_activation_ranges *ranges; /* of layers that become INT8; NULL: all are f32 */
    bool dynamic;                          /* batch, height and width are symbols */
    icseg_value image;                     /* the graph's input */
    icseg_onnx_value *value;               /* (values) */
    bool *live;                            /* (nodes): needed for the outputs */
    icseg_value latest_map;                /* the last map that was translated */
} icseg_onnx_translation;

/* Finds out what depends on the image, and keeps the constants that the rest reads, so that an executor computes them.
 * The caller has set writer, graph, dynamic and image. outputs: values of the graph. */
icseg_status icseg_onnx_analyse(icseg_onnx_translation *t, int count, const icseg_value *outputs, icseg_error *error);

/* Appends all live nodes to the writer. value[image].name and `constants` are set. */
icseg_status icseg_onnx_translate(icseg_onnx_translation *t, icseg_error *error);

/* -- for the operators (values.c) */

/* Translates one node and returns the name of its first output; NULL on failure, and if no translated node reads it. */
typedef const char *icseg_onnx_emit(icseg_onnx_translation *t, const icseg_node *node);

/* The name of a node's input i: of a translated value, or of an initialiser with the constant. */
const char *icseg_onnx_operand(icseg_onnx_translation *t, const icseg_node *node, int i);
/* A parameter's values in the file's layout, in the writer's memory, which the caller may change. */
float *icseg_onnx_param(icseg_onnx_translation *t, const icseg_param *param);
/* Height and width of a map, as a vector of two int64. */
const char *icseg_onnx_map_size(icseg_onnx_translation *t, icseg_value map);
/* The number of images, as a vector of one int64. */
const char *icseg_onnx_batch(icseg_onnx_translation *t);

#endif
