/* SPDX-License-Identifier: Apache-2.0
 * Checks an operator against a naive reference in double precision: its output on random inputs, and its gradients
 * against central differences of that reference. */
#ifndef ICSEG_TESTS_OP_CHECK_H
#define ICSEG_TESTS_OP_CHECK_H

#include "graph/ops.h"

enum { OP_CASE_INPUTS = 8, OP_CASE_NUMBERS = 8, OP_DRAWS = 8 };

typedef enum op_input_kind {
    OP_PARAM,    /* N(0, 1) floats, differentiated */
    OP_POSITIVE, /* 0.5 + |N(0, 1)|, differentiated */
    OP_FIXED,    /* N(0, 1) floats, not differentiated */
    OP_STATE,    /* 0.5 + |N(0, 1)|, a buffer (running statistics), not differentiated */
    OP_LABELS,   /* I16: -1 (one in five) or 0 .. classes-1 */
    OP_IDS       /* I32: 0 .. classes-1 */
} op_input_kind;

typedef struct op_case op_case;
struct op_case {
    const char *op;    /* as in graph/ops/list.h; the graph must have such a node */
    const char *label; /* how this case differs from others; may be NULL */
    int inputs;
    struct {
        op_input_kind kind;
        icseg_shape shape;
        int classes;
    } input[OP_CASE_INPUTS];
    /* Output under test; more than one: concatenate or write several cases. */
    icseg_value (*build)(icseg_graph *g, const icseg_value *in, const op_case *c);
    /* out: as many doubles as the built output has elements (any dtype). */
    void (*reference)(const op_case *c, const double *const *in, double *out);
    double tolerance;               /* ||ours - reference|| / ||reference|| of the output; 0: exactly equal */
    double gradient_tolerance;      /* the same of each gradient; 0 only where the operator or no input has one */
    bool training;                  /* builds a training graph */
    double number[OP_CASE_NUMBERS]; /* numbers of the case (stride, heads, eps, ...) */
    const int32_t *integers;        /* and lists (segment lengths, rows) */
};

/* On a difference, fails the running cmocka test with a message that names the case, its shapes and its numbers. */
void op_check_all(const op_case *cases, int count);

/* Random sizes: a test draws them OP_DRAWS times and each time checks cases of these sizes. `draw` counts from 0 and
 * seeds the inputs. Each draw compares fewer elements of each gradient; all draws together compare as many as
 * op_check_all. */
int64_t op_draw(icseg_rng *rng, int64_t least, int64_t most); /* one of least .. most */
void op_check_draw(const op_case *cases, int count, int draw);

#endif
