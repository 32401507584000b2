/* SPDX-License-Identifier: Apache-2.0
 * The interface of a backend. To add one, write a folder next to onednn/ and reduced/ that defines an icseg_backend,
 * and list it in compute/primitive.c. */
#ifndef ICSEG_COMPUTE_BACKEND_BACKEND_H
#define ICSEG_COMPUTE_BACKEND_BACKEND_H

#include "base/error.h"
#include "compute/backend/shapes.h"

typedef struct icseg_backend icseg_backend;

/* The first member of each backend's own primitive. */
typedef struct icseg_primitive {
    const icseg_backend *backend;
    size_t scratch;                    /* bytes that the caller provides for each run, 64-byte aligned */
    size_t packed_size;                /* bytes of the packed second operand; 0: the operand is not packed */
    bool packs_f32;                    /* the packed operand has the f32 numbers of the plain one, and zeros */
    char implementation[48];           /* name, for messages and tests */
    icseg_product_precision precision; /* in which f32 operands are multiplied; set by compute/primitive.c */
} icseg_primitive;

struct icseg_backend {
    /* Whether it can compute this in the precision of the options, and is worth using for this shape on this
     * processor. */
    bool (*supports)(const icseg_primitive_spec *spec);

    /* *out is NULL on failure. */
    icseg_status (*open)(icseg_primitive **out, const icseg_primitive_spec *spec, icseg_error *error);
    void (*close)(icseg_primitive *primitive);

    /* Never called inside a parallel region. */
    icseg_status (*run)(icseg_primitive *primitive, icseg_operands operands, void *scratch, icseg_error *error);
    icseg_status (*pack)(const icseg_primitive *primitive, const float *plain, void *packed, icseg_error *error);

    /* A description of the layout that `pack` writes. It outlives the primitive, and other primitives that fit it can
     * use the same packed copy. NULL when out of memory. */
    void *(*layout_open)(const icseg_primitive *primitive);
    bool (*layout_fits)(const void *layout, const icseg_primitive *primitive);
    void (*layout_close)(void *layout);

    /* What this processor offers. */
    icseg_bf16_support (*bf16)(void);
    bool (*has_precision)(icseg_product_precision precision);
};

#endif
