/* SPDX-License-Identifier: Apache-2.0
 * Builds an ONNX graph in memory. As with icseg_graph, callers check nothing between calls: the writer keeps the first
 * error, later calls return NULL, and icseg_onnx_status() reports it at the end. */
#ifndef ICSEG_ONNX_GRAPH_WRITER_H
#define ICSEG_ONNX_GRAPH_WRITER_H

#include <stdint.h>

#include "base/error.h"
#include <onnx.pb-c.h>
#include "options/arena.h"
#include "tensor/shape.h"

typedef struct icseg_onnx_list {
    void **item;
    size_t count, capacity;
} icseg_onnx_list;

/* Zero-initialise it but for `arena`, which owns everything that the graph refers to. */
typedef struct icseg_onnx_writer {
    icseg_arena *arena;
    icseg_onnx_list nodes, initializers, inputs, outputs;
    size_t bytes, most_bytes; /* of the initialisers; 0: no limit */
    icseg_status status;
    icseg_error error;
} icseg_onnx_writer;

icseg_status icseg_onnx_status(const icseg_onnx_writer *w, icseg_error *error);
/* Records an error, unless there is one. Returns NULL. */
const char *icseg_onnx_fail(icseg_onnx_writer *w, icseg_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Appends a node with one output and returns the output's name: `name`, with a number if a node has that name already.
 * inputs: names of outputs, initialisers or graph inputs. */
const char *icseg_onnx_append(icseg_onnx_writer *w, const char *name, const char *type, int count,
                              const char *const *inputs);
#define ICSEG_ONNX_NODE(w, name, type, ...)                                                                            \
    icseg_onnx_append(w, name, type, (int)(sizeof((const char *[]){__VA_ARGS__}) / sizeof(const char *)),              \
                      (const char *[]){__VA_ARGS__})

/* One more output of the last node. */
const char *icseg_onnx_another_output(icseg_onnx_writer *w, const char *name);

/* Attributes of the last node. */
void icseg_onnx_int(icseg_onnx_writer *w, const char *name, int64_t value);
void icseg_onnx_float(icseg_onnx_writer *w, const char *name, float value);
void icseg_onnx_text(icseg_onnx_writer *w, const char *name, const char *value);
void icseg_onnx_ints(icseg_onnx_writer *w, const char *name, int count, const int64_t *values);
#define ICSEG_ONNX_INTS(w, name, ...)                                                                                  \
    icseg_onnx_ints(w, name, (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (int64_t[]){__VA_ARGS__})

/* The name of the initialiser `name` if there is one, else NULL. */
const char *icseg_onnx_find(const icseg_onnx_writer *w, const char *name);
/* Appends an initialiser, unless there is an equal one: several layers may share weights. One that has the same name
 * but differs gets another name. Returns its name. The values are not copied: they must outlive the graph. */
const char *icseg_onnx_initializer(icseg_onnx_writer *w, const char *name, int32_t type, icseg_shape shape,
                                   const void *values);
/* Memory in the arena for the values of an initialiser; NULL on failure. */
void *icseg_onnx_memory(icseg_onnx_writer *w, int64_t count, size_t size);
/* A vector of int64; equal vectors are one initialiser. */
const char *icseg_onnx_vector(icseg_onnx_writer *w, int count, const int64_t *values);
#define ICSEG_ONNX_VECTOR(w, ...)                                                                                      \
    icseg_onnx_vector(w, (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (int64_t[]){__VA_ARGS__})
/* A scalar; equal scalars are one initialiser. */
const char *icseg_onnx_scalar(icseg_onnx_writer *w, float value);

/* Inputs and outputs of the graph. dim[i] < 0: a symbol, whose name is symbol[i]. */
typedef struct icseg_onnx_port {
    const char *name, *doc;
    int32_t type;
    icseg_shape shape;
    const char *symbol[ICSEG_MAX_RANK];
} icseg_onnx_port;
void icseg_onnx_input(icseg_onnx_writer *w, const icseg_onnx_port *port);
void icseg_onnx_output(icseg_onnx_writer *w, const icseg_onnx_port *port);

/* The graph; NULL if the writer has an error. */
Icseg__Onnx__GraphProto *icseg_onnx_graph(icseg_onnx_writer *w, const char *name);

#endif
