/* SPDX-License-Identifier: Apache-2.0
 * Declarations that the files of compute/onednn/ share. Only this folder includes <dnnl.h>. */
#ifndef ICSEG_COMPUTE_ONEDNN_INTERNAL_H
#define ICSEG_COMPUTE_ONEDNN_INTERNAL_H

#include "compute/onednn/api.h"
#include "compute/onednn/onednn.h"

enum { OPERAND_A, OPERAND_B, OPERAND_BIAS, OPERAND_OUT, OPERANDS };

/* One operand of a primitive, and where its layout is found: the primitive's descriptor knows all layouts. */
typedef struct icseg_onednn_operand {
    int arg;                        /* DNNL_ARG_..; 0: not used */
    dnnl_query_t query;             /* the kind of its descriptor in the primitive */
    int index;                      /* among the descriptors of that kind (the bias is weights 1) */
    icseg_onednn_layout_view plain; /* our layout, if the primitive chooses its own; valid while the primitive opens */
} icseg_onednn_operand;

/* Nothing in it changes after it was opened. At most one operand has a layout of oneDNN's choice: its second operand,
 * which is then packed, or its result, which is then computed in scratch memory and copied. */
typedef struct icseg_onednn_primitive {
    icseg_primitive base;
    dnnl_primitive_t primitive;
    dnnl_primitive_t unstage; /* copies the result to our layout; NULL if it is computed in place */
    dnnl_stream_t stream;
    icseg_onednn_operand operand[OPERANDS];
    icseg_onednn_layout plain; /* our layout of that operand, if there is one */
    size_t staged_offset, unstage_offset;
} icseg_onednn_primitive;

icseg_status icseg_onednn_conv_open(icseg_primitive **out, icseg_primitive_kind kind, const icseg_conv_shape *shape,
                                    icseg_primitive_options options, icseg_error *error);
icseg_status icseg_onednn_matmul_open(icseg_primitive **out, const icseg_matmul_shape *shape,
                                      icseg_primitive_options options, icseg_error *error);

/* The engine of all primitives; created by the first call. */
icseg_status icseg_onednn_engine(dnnl_engine_t *out, icseg_error *error);
dnnl_data_type_t icseg_onednn_type(icseg_dtype dtype); /* F32 or BF16 */
icseg_bf16_support icseg_onednn_bf16(void);            /* on this processor */
/* The error of a oneDNN call that failed; `what`: "packing weights". */
icseg_status icseg_onednn_fail(icseg_error *error, dnnl_status_t status, const char *what);

#define ICSEG_ONEDNN_TRY_GOTO(call, what)                                                                              \
    do {                                                                                                               \
        dnnl_status_t dnnl_status_ = (call);                                                                           \
        if (dnnl_status_ != dnnl_success) {                                                                            \
            status = icseg_onednn_fail(error, dnnl_status_, what);                                                     \
            goto fail;                                                                                                 \
        }                                                                                                              \
    } while (0)

/* dnnl_primitive_create, which dies where the process reaches a limit of its memory: this fails instead. */
dnnl_status_t icseg_onednn_create(dnnl_primitive_t *out, dnnl_primitive_desc_t descriptor);

/* Attributes: a scratchpad provided by the caller, accumulation and activation. */
icseg_status icseg_onednn_attributes(dnnl_primitive_attr_t *out, icseg_primitive_options options, icseg_error *error);

/* A reorder between two layouts; the caller provides its scratchpad. */
icseg_status icseg_onednn_reorder(dnnl_primitive_t *out, icseg_onednn_layout_view from, icseg_onednn_layout_view to,
                                  icseg_error *error);

/* Creates the primitive from a descriptor, which is released in any case. */
icseg_status icseg_onednn_primitive_open(icseg_primitive **out, dnnl_primitive_desc_t descriptor,
                                         const icseg_onednn_operand operands[OPERANDS], icseg_error *error);

/* The functions of icseg_backend. */
void icseg_onednn_close(icseg_primitive *primitive);
icseg_status icseg_onednn_run(icseg_primitive *primitive, icseg_operands operands, void *scratch, icseg_error *error);
icseg_status icseg_onednn_pack(const icseg_primitive *primitive, const float *plain, void *packed, icseg_error *error);
void *icseg_onednn_packed_layout_open(const icseg_primitive *primitive);
bool icseg_onednn_packed_layout_fits(const void *layout, const icseg_primitive *primitive);
void icseg_onednn_packed_layout_close(void *layout);

#endif
