/* SPDX-License-Identifier: Apache-2.0
 * The backend for f32 and bf16 on 64-bit ARM, for which oneDNN has only reference code without SVE of 512 bits. */
#ifndef ICSEG_COMPUTE_DENSE_DENSE_H
#define ICSEG_COMPUTE_DENSE_DENSE_H

#include "compute/backend/backend.h"

extern const icseg_backend icseg_dense_backend;

#endif
