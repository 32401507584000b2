/* SPDX-License-Identifier: Apache-2.0
 * Memory the library hands out: text and encoded files that the caller then owns. */
#ifndef ICSEG_MEMORY_H
#define ICSEG_MEMORY_H

#include "icseg/error.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Frees a buffer that a function of this library allocated for its caller. NULL is fine. */
ICSEG_API void icseg_buffer_free(void *buffer);

#ifdef __cplusplus
}
#endif
#endif
