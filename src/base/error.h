/* SPDX-License-Identifier: Apache-2.0
 * Writing error messages inside the library. The function that detects an error writes it; callers pass it on. */
#ifndef ICSEG_BASE_ERROR_H
#define ICSEG_BASE_ERROR_H

#include <stdarg.h>
#include <stddef.h>

#include "icseg/error.h"

/* Writes status and message into `error` (NULL is fine) and returns `status`, so that reporting an error is one line:
 *     return icseg_fail(error, ICSEG_ERROR_IO, "%s: cannot open: %s", path, strerror(errno));
 * The message never names an option of a program: use icseg_fail_field for that. */
icseg_status icseg_fail(icseg_error *error, icseg_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
icseg_status icseg_fail_v(icseg_error *error, icseg_status status, const char *format, va_list args);

/* The same, and sets the field that is wrong ("vocabulary"; NULL: none) and the remedy. */
icseg_status icseg_fail_field(icseg_error *error, icseg_status status, const char *field, icseg_remedy remedy,
                              const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Puts "PREFIX: " before the existing message; field and remedy stay. Returns the error's status. */
icseg_status icseg_fail_prefix(icseg_error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Reports a failed allocation of `what` ("a batch"). bytes 0: the size is unknown, and the message leaves it out. */
icseg_status icseg_fail_memory(icseg_error *error, size_t bytes, const char *what);

/* Reports a failed allocation in work on a file, folder or parameter: "WHERE: out of memory". */
icseg_status icseg_fail_memory_in(icseg_error *error, size_t bytes, const char *where);

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
