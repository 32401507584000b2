/* SPDX-License-Identifier: Apache-2.0
 * Quantised values in panels (compute/reduced/multiplier.h). */
#ifndef ICSEG_COMPUTE_REDUCED_QUANTIZE_H
#define ICSEG_COMPUTE_REDUCED_QUANTIZE_H

#include <stddef.h>
#include <stdint.h>

#include "tensor/quantization.h"

/* As in icseg_multiplier. Panels have rows of 64 bytes, or of 32 centred 16-bit integers. */
void icseg_convert_to_bytes(const float *x, int64_t rows, int64_t in, icseg_quantization q, char *to, size_t low,
                            size_t next);
void icseg_convert_to_shorts(const float *x, int64_t rows, int64_t in, icseg_quantization q, char *to, size_t low,
                             size_t next);
void icseg_copy_to_bytes(const uint8_t *x, int64_t rows, int64_t in, icseg_quantization q, char *to, size_t next);
void icseg_copy_to_shorts(const uint8_t *x, int64_t rows, int64_t in, icseg_quantization q, char *to, size_t next);

#endif
