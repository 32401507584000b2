/* SPDX-License-Identifier: Apache-2.0
 * What the files of src/dnnl share. */
#ifndef ICSEG_COMPUTE_ONEDNN_INTERNAL_H
#define ICSEG_COMPUTE_ONEDNN_INTERNAL_H

#include "compute/onednn/api.h"
#include "compute/primitive.h"
#include "compute/amx/product.h"

enum { OPERAND_A, OPERAND_B, OPERAND_BIAS, OPERAND_OUT, OPERANDS };

struct icseg_primitive {
    icseg_amx_product *tiles; /* if not NULL, all but `scratch` and `implementation` is unused */
    dnnl_primitive_t primitive;
    dnnl_stream_t stream;
    int arg[OPERANDS]; /* DNNL_ARG_..; 0 for an operand there is not */
    dnnl_memory_t memory[OPERANDS], scratchpad;
    bool packs, stages;
    icseg_layout plain_b, packed_b; /* where b is packed */
    dnnl_primitive_t unstage;       /* out was computed in a layout of oneDNN's: the copy into ours */
    dnnl_memory_t staged, unstage_scratchpad;
    size_t staged_offset, unstage_offset, scratch;
    char implementation[48];
};

/* The engine all primitives live in; made by the first call. */
icseg_status icseg_dnnl_engine(dnnl_engine_t *out, icseg_error *error);
dnnl_data_type_t icseg_dnnl_type(icseg_dtype dtype); /* F32 or BF16 */
/* Text of a oneDNN call that failed; `what` is what we were doing. */
icseg_status icseg_dnnl_fail(icseg_error *error, dnnl_status_t status, const char *what);

#define ICSEG_DNNL_TRY_GOTO(call, what)                                                                                \
    do {                                                                                                               \
        dnnl_status_t dnnl_status_ = (call);                                                                           \
        if (dnnl_status_ != dnnl_success) {                                                                            \
            status = icseg_dnnl_fail(error, dnnl_status_, what);                                                       \
            goto fail;                                                                                                 \
        }                                                                                                              \
    } while (0)

/* Attributes: the caller's scratchpad, and what happens to the result. */
icseg_status icseg_dnnl_attributes(dnnl_primitive_attr_t *out, icseg_primitive_options options, icseg_error *error);

/* A reorder between two layouts, its scratchpad lent by the caller, who closes its layout, on failure too. */
icseg_status icseg_dnnl_reorder(dnnl_primitive_t *out, icseg_layout_view from, icseg_layout_view to,
                                icseg_layout *scratchpad, icseg_error *error);

/* A primitive that is a product on tiles. */
icseg_status icseg_tiles_primitive_open(icseg_primitive **out, const icseg_amx_shape *shape, icseg_error *error);

typedef struct icseg_operand_spec {
    int arg;                 /* DNNL_ARG_.. */
    dnnl_query_t query;      /* which descriptor of the primitive it is */
    int index;               /* of several of that kind (bias: weights 1) */
    icseg_layout_view plain; /* our layout, where the primitive chose its own */
} icseg_operand_spec;

/* Makes the primitive and its memory objects out of a descriptor, which is released in any case. */
icseg_status icseg_dnnl_primitive_open(icseg_primitive **out, dnnl_primitive_desc_t descriptor,
                                       const icseg_operand_spec operands[OPERANDS], icseg_error *error);

#endif
