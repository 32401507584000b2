/* SPDX-License-Identifier: Apache-2.0
 * Status names and error text. */
#include "base/error.h"

#include <stdio.h>
#include <string.h>

const char *icseg_status_name(icseg_status status) {
    switch (status) {
    case ICSEG_OK: return "ok";
    case ICSEG_ERROR_ARGUMENT: return "argument";
    case ICSEG_ERROR_MEMORY: return "memory";
    case ICSEG_ERROR_IO: return "io";
    case ICSEG_ERROR_FORMAT: return "format";
    case ICSEG_ERROR_SHAPE: return "shape";
    case ICSEG_ERROR_CONFIG: return "config";
    case ICSEG_ERROR_DATA: return "data";
    case ICSEG_ERROR_NUMERIC: return "numeric";
    case ICSEG_ERROR_UNSUPPORTED: return "unsupported";
    case ICSEG_ERROR_CANCELLED: return "cancelled";
    case ICSEG_ERROR_INTERNAL: return "internal";
    }
    return "unknown";
}

/* Text may quote names out of hostile files: control characters would break the one-line rule. */
static void sanitise(char *text) {
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f) *text = '?';
}

icseg_status icseg_fail_v(icseg_error *error, icseg_status status, const char *format, va_list args) {
    if (error) {
        error->status = status;
        vsnprintf(error->message, sizeof error->message, format, args);
        sanitise(error->message);
    }
    return status;
}

icseg_status icseg_fail(icseg_error *error, icseg_status status, const char *format, ...) {
    va_list args;
    va_start(args, format);
    icseg_fail_v(error, status, format, args);
    va_end(args);
    return status;
}

icseg_status icseg_fail_prefix(icseg_error *error, const char *format, ...) {
    if (!error) return ICSEG_ERROR_INTERNAL;
    char rest[sizeof error->message], prefix[512];
    memcpy(rest, error->message, sizeof rest);
    va_list args;
    va_start(args, format);
    vsnprintf(prefix, sizeof prefix, format, args);
    va_end(args);
    return icseg_fail(error, error->status, "%s: %s", prefix, rest);
}

icseg_status icseg_fail_memory(icseg_error *error, size_t bytes, const char *what) {
    return icseg_fail(error, ICSEG_ERROR_MEMORY, "out of memory: cannot allocate %.1f MiB for %s",
                      (double)bytes / (1024.0 * 1024.0), what);
}

void icseg_error_clear(icseg_error *error) {
    if (!error) return;
    error->status = ICSEG_OK;
    error->message[0] = '\0';
}
