/* SPDX-License-Identifier: Apache-2.0
 * Status names and error messages. */
#include "base/error.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <utf8proc.h>

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

enum { MAX_TEXT = 6 * ICSEG_ERROR_MESSAGE_SIZE }; /* a path of PATH_MAX and a reason */

/* Whether the byte continues a UTF-8 sequence. */
static bool is_continuation(char byte) { return ((unsigned char)byte & 0xc0) == 0x80; }

/* Length of the UTF-8 sequence that begins with `lead`; 0 if no sequence does. */
static size_t sequence_length(unsigned char lead) {
    return lead < 0x80                   ? 1
           : lead >= 0xc2 && lead < 0xe0 ? 2
           : (lead & 0xf0) == 0xe0       ? 3
           : lead >= 0xf0 && lead < 0xf5 ? 4
                                         : 0;
}

/* Bytes of a sequence whose end is missing, because "%.80s" or the end of a buffer cut it; 0 for other bytes. */
static size_t truncated_length(const unsigned char *from, size_t left) {
    size_t length = sequence_length(from[0]), present = 1;
    while (length && present < length && present < left && is_continuation((char)from[present])) present++;
    return length && present < length ? present : 0;
}

/* Copies text that may quote names from hostile files: control characters would break the one-line rule, and invalid
 * UTF-8 would break callers that decode it. Cuts between characters. */
static void copy_clean(char *to, size_t size, const char *text) {
    const unsigned char *from = (const unsigned char *)text;
    size_t left = strlen(text), used = 0;
    while (left) {
        if (*from >= 0x20 && *from < 0x7f) { /* nearly all text */
            if (used + 1 >= size) break;
            to[used++] = (char)*from++;
            left--;
            continue;
        }
        utf8proc_int32_t code;
        utf8proc_ssize_t taken = utf8proc_iterate(from, (utf8proc_ssize_t)left, &code);
        const char *shown = (const char *)from;
        size_t count = taken > 0 ? (size_t)taken : truncated_length(from, left), write = count;
        if (taken > 0 && (code < 0x20 || (code >= 0x7f && code < 0xa0))) {
            shown = "?";
            write = 1;
        } else if (taken <= 0) {
            write = 0; /* a truncated sequence is dropped ... */
            if (!count) {
                shown = "\xef\xbf\xbd"; /* ... and a byte that is not UTF-8 becomes U+FFFD */
                write = 3;
                count = 1;
            }
        }
        if (used + write >= size) break;
        memcpy(to + used, shown, write);
        used += write;
        from += count;
        left -= count;
    }
    to[used] = '\0';
}

/* Copies a message. One that is too long loses its middle, because it begins with the file, whose name can be long, and
 * ends with the reason. */
static void copy_message(char *to, size_t size, const char *message) {
    static const char gap[] = "...";
    size_t length = strlen(message), head = size / 3, tail;
    if (length < size) {
        memcpy(to, message, length + 1);
        return;
    }
    tail = length - (size - sizeof gap - head);
    while (is_continuation(message[head])) head--;
    while (is_continuation(message[tail])) tail++;
    memcpy(to, message, head);
    memcpy(to + head, gap, sizeof gap - 1);
    memcpy(to + head + sizeof gap - 1, message + tail, length - tail + 1);
}

icseg_status icseg_fail_v(icseg_error *error, icseg_status status, const char *format, va_list args) {
    if (!error) return status;
    char text[MAX_TEXT], clean[3 * MAX_TEXT]; /* a byte that is not UTF-8 becomes three */
    vsnprintf(text, sizeof text, format, args);
    error->status = status;
    error->remedy = ICSEG_REMEDY_NONE;
    error->field[0] = '\0';
    copy_clean(clean, sizeof clean, text);
    copy_message(error->message, sizeof error->message, clean);
    return status;
}

icseg_status icseg_fail(icseg_error *error, icseg_status status, const char *format, ...) {
    va_list args;
    va_start(args, format);
    icseg_fail_v(error, status, format, args);
    va_end(args);
    return status;
}

icseg_status icseg_error_set(icseg_error *error, icseg_status status, const char *format, ...) {
    va_list args;
    va_start(args, format);
    icseg_fail_v(error, status, format, args);
    va_end(args);
    return status;
}

icseg_status icseg_fail_field(icseg_error *error, icseg_status status, const char *field, icseg_remedy remedy,
                              const char *format, ...) {
    va_list args;
    va_start(args, format);
    icseg_fail_v(error, status, format, args);
    va_end(args);
    if (!error) return status;
    error->remedy = remedy;
    copy_clean(error->field, sizeof error->field, field ? field : "");
    return status;
}

icseg_status icseg_fail_prefix(icseg_error *error, const char *format, ...) {
    if (!error) return ICSEG_ERROR_INTERNAL;
    icseg_error before = *error;
    char prefix[MAX_TEXT - ICSEG_ERROR_MESSAGE_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(prefix, sizeof prefix, format, args);
    va_end(args);
    return icseg_fail_field(error, before.status, before.field, before.remedy, "%s: %s", prefix, before.message);
}

/* "640 bytes", "3.0 MiB" */
static void format_size(char out[32], size_t bytes) {
    double mib = (double)bytes / (1024.0 * 1024.0);
    if (mib < 0.1)
        snprintf(out, 32, "%zu bytes", bytes);
    else
        snprintf(out, 32, "%.1f MiB", mib);
}

icseg_status icseg_fail_memory(icseg_error *error, size_t bytes, const char *what) {
    char size[32];
    if (!bytes) return icseg_fail(error, ICSEG_ERROR_MEMORY, "out of memory: cannot allocate %s", what);
    format_size(size, bytes);
    return icseg_fail(error, ICSEG_ERROR_MEMORY, "out of memory: cannot allocate %s for %s", size, what);
}

icseg_status icseg_fail_memory_in(icseg_error *error, size_t bytes, const char *where) {
    char size[32];
    if (!bytes) return icseg_fail(error, ICSEG_ERROR_MEMORY, "%s: out of memory", where);
    format_size(size, bytes);
    return icseg_fail(error, ICSEG_ERROR_MEMORY, "%s: out of memory: cannot allocate %s", where, size);
}

void icseg_error_clear(icseg_error *error) {
    if (error) *error = (icseg_error){.status = ICSEG_OK};
}
