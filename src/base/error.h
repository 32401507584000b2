/* SPDX-License-Identifier: Apache-2.0
 * Writing error text inside the library. The one who detects a fault writes it; callers pass it on. */
#ifndef ICSEG_BASE_ERROR_H
#define ICSEG_BASE_ERROR_H

#include <stdarg.h>
#include <stddef.h>

#include "icseg/error.h"

/* Writes status and text into `error` (NULL is fine) and returns `status`, so that a fault is one line:
 *     return icseg_fail(error, ICSEG_ERROR_IO, "%s: cannot open: %s", path, strerror(errno)); */
icseg_status icseg_fail(icseg_error *error, icseg_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
icseg_status icseg_fail_v(icseg_error *error, icseg_status status, const char *format, va_list args);

/* Puts "PREFIX: " before the text that is there: context added on the way up ("recipes/a.yaml: augment.crop: ..."). */
icseg_status icseg_fail_prefix(icseg_error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The text of an allocation that failed. */
icseg_status icseg_fail_memory(icseg_error *error, size_t bytes, const char *what);

void icseg_error_clear(icseg_error *error);

/* Returns from the enclosing function when `call` fails. */
#define ICSEG_TRY(call)                                                                                                \
    do {                                                                                                               \
        icseg_status try_status_ = (call);                                                                             \
        if (try_status_ != ICSEG_OK) return try_status_;                                                               \
    } while (0)

/* Jumps to `fail:` when `call` fails; needs a local `icseg_status status`. */
#define ICSEG_TRY_GOTO(call)                                                                                           \
    do {                                                                                                               \
        status = (call);                                                                                               \
        if (status != ICSEG_OK) goto fail;                                                                             \
    } while (0)

#endif
