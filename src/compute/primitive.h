/* SPDX-License-Identifier: Apache-2.0
 * Convolutions and matrix products: in f32, of bf16 operands with f32 sums, or of f32 operands in a reduced precision.
 * The backends in onednn/ and reduced/ compute them; code above compute/ includes this header only.
 *
 * A primitive is made for one shape and used by one thread at a time. It holds no tensors and works in scratch memory
 * that the caller provides. icseg_primitive_run and icseg_primitive_pack refuse to work inside an `omp parallel`
 * region, where oneDNN returns wrong results or hangs. */
#ifndef ICSEG_COMPUTE_PRIMITIVE_H
#define ICSEG_COMPUTE_PRIMITIVE_H

#include "base/error.h"
#include "compute/backend/shapes.h"

typedef struct icseg_primitive icseg_primitive;

icseg_status icseg_conv_forward_open(icseg_primitive **out, const icseg_conv_shape *shape,
                                     icseg_primitive_options options, icseg_error *error);
/* Of the options, only `in` and `out` apply to the backward primitives. */
icseg_status icseg_conv_backward_data_open(icseg_primitive **out, const icseg_conv_shape *shape,
                                           icseg_primitive_options options, icseg_error *error);
icseg_status icseg_conv_backward_weights_open(icseg_primitive **out, const icseg_conv_shape *shape,
                                              icseg_primitive_options options, icseg_error *error);
icseg_status icseg_matmul_open(icseg_primitive **out, const icseg_matmul_shape *shape, icseg_primitive_options options,
                               icseg_error *error);
void icseg_primitive_close(icseg_primitive **primitive);

/* The backend's name of the implementation. One that contains "ref" is a hundred times too slow. */
const char *icseg_primitive_implementation(const icseg_primitive *primitive);
/* The precision in which it multiplies f32 operands: that of its options, or F32. */
icseg_product_precision icseg_primitive_precision(const icseg_primitive *primitive);
size_t icseg_primitive_scratch(const icseg_primitive *primitive); /* bytes of each run, 64-byte aligned */

icseg_status icseg_primitive_run(icseg_primitive *primitive, icseg_operands operands, void *scratch,
                                 icseg_error *error);

/* Bytes of the packed second operand; 0: the operand is not packed. */
size_t icseg_primitive_packed_size(const icseg_primitive *primitive);
icseg_status icseg_primitive_pack(const icseg_primitive *primitive, const float *plain, void *packed,
                                  icseg_error *error);
/* Whether packing only moves numbers, so that a packed copy may be stored as f16. */
bool icseg_primitive_packs_f32(const icseg_primitive *primitive);

/* -- what the processor offers */

icseg_bf16_support icseg_compute_bf16(void);
bool icseg_compute_has_precision(icseg_product_precision precision);
/* Whether a forward convolution or a product with these options multiplies in a reduced precision, rather than in
 * f32. */
bool icseg_conv_reduces_precision(const icseg_conv_shape *shape, icseg_primitive_options options);
bool icseg_matmul_reduces_precision(const icseg_matmul_shape *shape, icseg_primitive_options options);

/* -- packed copies of one tensor: one for each layout that a primitive needs, shared by all primitives */

/* How a copy is stored: as the primitive reads it, or with its numbers as f16, which all of them must be exactly. The
 * latter is for primitives that pack f32. */
typedef enum icseg_packed_form { ICSEG_PACKED_READY, ICSEG_PACKED_F16 } icseg_packed_form;

/* *list is NULL at first. A copy is made when it is first requested, and again when the tensor has another version. One
 * thread at a time may call icseg_packed_get; others may call icseg_packed_find meanwhile with the same version. */
typedef struct icseg_packed icseg_packed;
icseg_status icseg_packed_get(icseg_packed *_Atomic *list, const icseg_primitive *primitive, const float *plain,
                              uint64_t version, const void **packed, icseg_error *error);
/* The same for a copy in f16. work: packed_size bytes, 64-byte aligned. */
icseg_status icseg_packed_get_f16(icseg_packed *_Atomic *list, const icseg_primitive *primitive, const float *plain,
                                  uint64_t version, void *work, const void **packed, icseg_error *error);
/* The copy of this version, or NULL. */
const void *icseg_packed_find(const icseg_packed *list, const icseg_primitive *primitive, icseg_packed_form form,
                              uint64_t version);
/* Writes the operand of the primitive, packed_size bytes, from its copy in f16. */
void icseg_packed_expand(const icseg_primitive *primitive, const void *packed, void *out);
void icseg_packed_free(icseg_packed *list);

typedef struct icseg_packed_summary {
    int64_t layouts, packings; /* number of copies; how often one was made */
    size_t bytes;
} icseg_packed_summary;
icseg_packed_summary icseg_packed_count(const icseg_packed *list);

#endif
