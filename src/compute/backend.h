/* SPDX-License-Identifier: Apache-2.0
 * Which library and which instructions the primitives use. */
#ifndef ICSEG_COMPUTE_BACKEND_H
#define ICSEG_COMPUTE_BACKEND_H

#include <stdint.h>

/* Major, minor and patch version of the oneDNN that is loaded. */
void icseg_onednn_version(int32_t out[3]);

#endif
