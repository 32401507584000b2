/* SPDX-License-Identifier: Apache-2.0
 * oneDNN as a backend. */
#include "compute/onednn/internal.h"

static bool supports(const icseg_primitive_spec *spec) { return spec->options.precision == ICSEG_PRODUCT_F32; }

static icseg_status open_primitive(icseg_primitive **out, const icseg_primitive_spec *spec, icseg_error *error) {
    ICSEG_TRY(spec->kind == ICSEG_MATMUL ? icseg_onednn_matmul_open(out, &spec->matmul, spec->options, error)
                                         : icseg_onednn_conv_open(out, spec->kind, &spec->conv, spec->options, error));
    (*out)->backend = &icseg_onednn_backend;
    (*out)->packs_f32 = spec->options.in == ICSEG_F32;
    return ICSEG_OK;
}

static bool has_precision(icseg_product_precision precision) { return precision == ICSEG_PRODUCT_F32; }

const icseg_backend icseg_onednn_backend = {.supports = supports,
                                            .open = open_primitive,
                                            .close = icseg_onednn_close,
                                            .run = icseg_onednn_run,
                                            .pack = icseg_onednn_pack,
                                            .layout_open = icseg_onednn_packed_layout_open,
                                            .layout_fits = icseg_onednn_packed_layout_fits,
                                            .layout_close = icseg_onednn_packed_layout_close,
                                            .bf16 = icseg_onednn_bf16,
                                            .has_precision = has_precision};
