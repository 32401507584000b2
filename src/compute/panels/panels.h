/* SPDX-License-Identifier: Apache-2.0
 * The backend for forward f32 products with packed weights on x86-64 with AVX2 or AVX-512: linear layers and 1x1
 * convolutions. oneDNN, which does not prefetch, is slower where operands come from the third-level cache or from
 * memory. */
#ifndef ICSEG_COMPUTE_PANELS_PANELS_H
#define ICSEG_COMPUTE_PANELS_PANELS_H

#include "compute/backend/backend.h"

extern const icseg_backend icseg_panels_backend;

#endif
