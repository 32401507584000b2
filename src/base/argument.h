/* SPDX-License-Identifier: Apache-2.0
 * Checks at the entry of public functions. */
#ifndef ICSEG_BASE_ARGUMENT_H
#define ICSEG_BASE_ARGUMENT_H

#include "base/error.h"

/* Returns ICSEG_ERROR_ARGUMENT, naming the function and the parameter, when a required pointer is NULL; needs a local
 * or parameter `error`. */
#define ICSEG_NEED(pointer)                                                                                            \
    do {                                                                                                               \
        if (!(pointer)) return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "%s: %s is NULL", __func__, #pointer);          \
    } while (0)

#endif
