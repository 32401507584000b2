/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Memory that the library allocates for its caller: text, token ids and encoded files. */
#ifndef ICSEG_MEMORY_H
#define ICSEG_MEMORY_H

#include "icseg/error.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Frees a buffer that a function of this library allocated for its caller. Accepts NULL. Thread-safe. */
ICSEG_API void icseg_buffer_free(void *buffer);

#ifdef __cplusplus
}
#endif
#endif
