/* SPDX-License-Identifier: Apache-2.0
 * The backend for reduced precision: forward convolutions and linear layers of f32 tensors in bf16x2 and int8. */
#ifndef ICSEG_COMPUTE_REDUCED_REDUCED_H
#define ICSEG_COMPUTE_REDUCED_REDUCED_H

#include "compute/backend/backend.h"

extern const icseg_backend icseg_reduced_backend;

#endif
