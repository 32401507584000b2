/* SPDX-License-Identifier: Apache-2.0
 * Selecting the backend of a primitive, and calling it. */
#include "compute/primitive.h"

#include <omp.h>

#include "base/check.h"
#include "compute/dense/dense.h"
#include "compute/onednn/onednn.h"
#include "compute/panels/panels.h"
#include "compute/reduced/reduced.h"

/* The first backend that supports a primitive computes it. */
static const icseg_backend *const backends[] = {&icseg_reduced_backend, &icseg_dense_backend, &icseg_panels_backend,
                                                &icseg_onednn_backend};
enum { BACKENDS = sizeof backends / sizeof *backends };

static const icseg_backend *find(const icseg_primitive_spec *spec) {
    for (int i = 0; i < BACKENDS; i++)
        if (backends[i]->supports(spec)) return backends[i];
    return NULL;
}

static icseg_status open(icseg_primitive **out, icseg_primitive_spec spec, icseg_error *error) {
    *out = NULL;
    const icseg_backend *backend = find(&spec);
    if (!backend) {
        ICSEG_CHECK(!spec.options.second.channels);
        spec.options.precision = ICSEG_PRODUCT_F32;
        backend = find(&spec);
    }
    ICSEG_CHECK(backend);
    ICSEG_TRY(backend->open(out, &spec, error));
    (*out)->precision = spec.options.precision;
    return ICSEG_OK;
}

static icseg_status open_conv(icseg_primitive **out, icseg_primitive_kind kind, const icseg_conv_shape *shape,
                              icseg_primitive_options options, icseg_error *error) {
    return open(out, (icseg_primitive_spec){.kind = kind, .conv = *shape, .options = options}, error);
}

icseg_status icseg_conv_forward_open(icseg_primitive **out, const icseg_conv_shape *shape,
                                     icseg_primitive_options options, icseg_error *error) {
    return open_conv(out, ICSEG_CONV_FORWARD, shape, options, error);
}

icseg_status icseg_conv_backward_data_open(icseg_primitive **out, const icseg_conv_shape *shape,
                                           icseg_primitive_options options, icseg_error *error) {
    return open_conv(out, ICSEG_CONV_BACKWARD_DATA, shape, options, error);
}

icseg_status icseg_conv_backward_weights_open(icseg_primitive **out, const icseg_conv_shape *shape,
                                              icseg_primitive_options options, icseg_error *error) {
    return open_conv(out, ICSEG_CONV_BACKWARD_WEIGHTS, shape, options, error);
}

icseg_status icseg_matmul_open(icseg_primitive **out, const icseg_matmul_shape *shape, icseg_primitive_options options,
                               icseg_error *error) {
    return open(out, (icseg_primitive_spec){.kind = ICSEG_MATMUL, .matmul = *shape, .options = options}, error);
}

void icseg_primitive_close(icseg_primitive **primitive) {
    if (!primitive || !*primitive) return;
    (*primitive)->backend->close(*primitive);
    *primitive = NULL;
}

const char *icseg_primitive_implementation(const icseg_primitive *p) { return p->implementation; }
icseg_product_precision icseg_primitive_precision(const icseg_primitive *p) { return p->precision; }
size_t icseg_primitive_scratch(const icseg_primitive *p) { return p->scratch; }
size_t icseg_primitive_packed_size(const icseg_primitive *p) { return p->packed_size; }
bool icseg_primitive_packs_f32(const icseg_primitive *p) { return p->packs_f32; }

static icseg_status refuse_parallel(icseg_error *error) {
    if (!omp_in_parallel()) return ICSEG_OK;
    return icseg_fail(error, ICSEG_ERROR_INTERNAL, "primitives must not run inside a parallel region");
}

icseg_status icseg_primitive_run(icseg_primitive *p, icseg_operands operands, void *scratch, icseg_error *error) {
    ICSEG_TRY(refuse_parallel(error));
    return p->backend->run(p, operands, scratch, error);
}

icseg_status icseg_primitive_pack(const icseg_primitive *p, const float *plain, void *packed, icseg_error *error) {
    ICSEG_TRY(refuse_parallel(error));
    return p->backend->pack(p, plain, packed, error);
}

icseg_bf16_support icseg_compute_bf16(void) {
    icseg_bf16_support best = ICSEG_BF16_NONE;
    for (int i = 0; i < BACKENDS; i++)
        if (backends[i]->bf16() > best) best = backends[i]->bf16();
    return best;
}

bool icseg_compute_has_precision(icseg_product_precision precision) {
    for (int i = 0; i < BACKENDS; i++)
        if (backends[i]->has_precision(precision)) return true;
    return false;
}

bool icseg_conv_reduces_precision(const icseg_conv_shape *shape, icseg_primitive_options options) {
    const icseg_primitive_spec spec = {.kind = ICSEG_CONV_FORWARD, .conv = *shape, .options = options};
    return options.precision != ICSEG_PRODUCT_F32 && find(&spec);
}

bool icseg_matmul_reduces_precision(const icseg_matmul_shape *shape, icseg_primitive_options options) {
    const icseg_primitive_spec spec = {.kind = ICSEG_MATMUL, .matmul = *shape, .options = options};
    return options.precision != ICSEG_PRODUCT_F32 && find(&spec);
}
