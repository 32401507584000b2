/* SPDX-License-Identifier: Apache-2.0
 * Reading the options structs of the public API, which begin with their size so that they can grow: a program that was
 * built with an older header passes a smaller struct, one that was built with a newer header a larger one. */
#ifndef ICSEG_BASE_STRUCT_SIZE_H
#define ICSEG_BASE_STRUCT_SIZE_H

#include "base/error.h"

/* Copies the caller's struct `from` (NULL: all defaults, which are zero) into `to`, the struct of this build, of `size`
 * bytes; fields that the caller does not know become zero. Both begin with a size_t, the size of the struct.
 * `first_size` is its size in the first release. ICSEG_ERROR_ARGUMENT naming `what` if the caller's size is below
 * first_size, or above `size` with a byte beyond it that is not zero. */
icseg_status icseg_struct_read(void *to, size_t size, const void *from, size_t first_size, const char *what,
                               icseg_error *error);

/* Copies `from`, a struct of this build, into the caller's struct `to`, as many bytes as the caller knows; the size
 * field stays the caller's. ICSEG_ERROR_ARGUMENT if the caller's size is below first_size. */
icseg_status icseg_struct_write(void *to, const void *from, size_t size, size_t first_size, const char *what,
                                icseg_error *error);

#endif
