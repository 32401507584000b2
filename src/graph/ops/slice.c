/* SPDX-License-Identifier: Apache-2.0
 * slice: `length` entries of one axis; its gradient is zero elsewhere. */
#include <string.h>

#include "graph/node.h"
#include "graph/ops.h"
#include "graph/ops/attributes.h"
#include "graph/ops/chunks.h"

/* The whole as (rows, whole) floats, of which columns begin .. begin + part - 1 are the slice. */
typedef struct layout {
    int64_t rows, whole, part, begin;
} layout;

static layout layout_of(const icseg_kernel *k, const icseg_value_info *whole, const icseg_value_info *part) {
    const icseg_slice_attributes *a = k->node->attributes;
    layout l = {.rows = 1};
    for (int i = 0; i < a->axis; i++) l.rows *= whole->shape.dim[i];
    l.whole = whole->count / l.rows;
    l.part = part->count / l.rows;
    l.begin = a->begin * (l.whole / whole->shape.dim[a->axis]);
    return l;
}

static icseg_status slice_run(const icseg_kernel *k, const icseg_run *run, icseg_error *error) {
    (void)run, (void)error;
    layout l = layout_of(k, icseg_kernel_in(k, 0), icseg_kernel_out(k, 0));
    icseg_copy_runs((icseg_runs){k->out[0], {.dtype = ICSEG_F32}, l.part},
                    (icseg_runs){(const float *)k->in[0] + l.begin, {.dtype = ICSEG_F32}, l.whole}, l.rows, l.part);
    return ICSEG_OK;
}

static icseg_status gradient_run(const icseg_kernel *k, const icseg_run *run, icseg_error *error) {
    (void)run, (void)error;
    layout l = layout_of(k, icseg_kernel_out(k, 0), icseg_kernel_in(k, 0));
    float *dx = k->out[0];
    int64_t after = l.begin + l.part;
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < l.rows; r++) {
        memset(dx + r * l.whole, 0, (size_t)l.begin * sizeof *dx);
        memset(dx + r * l.whole + after, 0, (size_t)(l.whole - after) * sizeof *dx);
    }
    icseg_copy_runs((icseg_runs){dx + l.begin, {.dtype = ICSEG_F32}, l.whole},
                    (icseg_runs){k->in[0], {.dtype = ICSEG_F32}, l.part}, l.rows, l.part);
    return ICSEG_OK;
}

static const icseg_op gradient_op = {.name = "slice_gradient", .run = gradient_run};

static void gradient(icseg_graph *g, const icseg_node *node, const icseg_value *grad_out, icseg_value *grad_in) {
    icseg_node *n =
        icseg_node_append(g, &gradient_op, node->attributes, sizeof(icseg_slice_attributes), grad_out, 1, 0);
    if (n) grad_in[0] = icseg_node_output(g, n, ICSEG_F32, icseg_graph_value(g, node->input[0])->shape);
}

const icseg_op icseg_op_slice = {.name = "slice", .gradient = gradient, .run = slice_run};

icseg_value icseg_slice(icseg_graph *g, icseg_value x, int axis, int64_t begin, int64_t length) {
    icseg_shape shape = x == ICSEG_NONE ? (icseg_shape){0} : icseg_graph_value(g, x)->shape;
    icseg_slice_attributes attributes = {.axis = axis < 0 ? axis + shape.rank : axis, .begin = begin};
    icseg_node *node = icseg_node_append(g, &icseg_op_slice, &attributes, sizeof attributes, &x, 1, 0);
    if (!node) return ICSEG_NONE;
    int64_t size = icseg_graph_dim(g, x, axis);
    if (begin < 0 || length < 1 || begin > size || length > size - begin) {
        char s[ICSEG_SHAPE_TEXT];
        return icseg_graph_fail(g, "slice", ICSEG_ERROR_SHAPE, "%lld entries from %lld on of axis %d are outside %s",
                                (long long)length, (long long)begin, axis, icseg_shape_text(shape, s, sizeof s));
    }
    shape.dim[attributes.axis] = length;
    return icseg_node_output(g, node, ICSEG_F32, shape);
}
