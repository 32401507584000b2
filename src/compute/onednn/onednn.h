/* SPDX-License-Identifier: Apache-2.0
 * The backend that computes everything in f32 and bf16 with oneDNN. */
#ifndef ICSEG_COMPUTE_ONEDNN_ONEDNN_H
#define ICSEG_COMPUTE_ONEDNN_ONEDNN_H

#include "compute/backend/backend.h"

extern const icseg_backend icseg_onednn_backend;

/* The version of the oneDNN library that is loaded: major, minor, patch. */
void icseg_onednn_version(int32_t out[3]);

#endif
