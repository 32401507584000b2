/* SPDX-License-Identifier: Apache-2.0
 * Status codes and error text: how every function of the library reports failure. */
#ifndef ICSEG_ERROR_H
#define ICSEG_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define ICSEG_API __attribute__((visibility("default")))
#else
#define ICSEG_API
#endif

/* What kind of failure it was; the text in icseg_error says which file, field or shape, what was expected, what to do.
 */
typedef enum icseg_status {
    ICSEG_OK = 0,
    ICSEG_ERROR_ARGUMENT,    /* the caller passed something that cannot work (bad option, misspelt key) */
    ICSEG_ERROR_MEMORY,      /* an allocation failed, or a size was refused */
    ICSEG_ERROR_IO,          /* a file could not be opened, read, written or renamed */
    ICSEG_ERROR_FORMAT,      /* a file's content is not what its format demands */
    ICSEG_ERROR_SHAPE,       /* tensors whose shapes do not fit together */
    ICSEG_ERROR_CONFIG,      /* a model configuration that cannot work */
    ICSEG_ERROR_DATA,        /* a data set that cannot be trained or evaluated on */
    ICSEG_ERROR_NUMERIC,     /* a loss, gradient or activation that is not finite */
    ICSEG_ERROR_UNSUPPORTED, /* recognised, but not something this build can do */
    ICSEG_ERROR_CANCELLED,   /* the caller's progress callback asked to stop */
    ICSEG_ERROR_INTERNAL     /* a bug in icseg */
} icseg_status;

/* Filled by whoever detects a fault, and not touched on success. The caller owns it; a NULL pointer is accepted
 * everywhere. */
typedef struct icseg_error {
    icseg_status status;
    char message[1024]; /* one line, no trailing newline; empty when status is ICSEG_OK */
} icseg_error;

/* A short constant name such as "format"; never NULL. */
ICSEG_API const char *icseg_status_name(icseg_status status);

#ifdef __cplusplus
}
#endif
#endif
