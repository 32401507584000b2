/* SPDX-License-Identifier: Apache-2.0
 * Bytes that grow. */
#ifndef SERVE_BUFFER_H
#define SERVE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

/* Zero-initialise. A failed append sets `failed`, and later ones do nothing, so that callers check once, at the end. */
typedef struct serve_buffer {
    char *data;
    size_t size, capacity;
    bool failed;
} serve_buffer;

void serve_buffer_append(serve_buffer *buffer, const void *bytes, size_t size);
void serve_buffer_text(serve_buffer *buffer, const char *text);
void serve_buffer_printf(serve_buffer *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));
void serve_buffer_base64(serve_buffer *buffer, const void *bytes, size_t size);
void serve_buffer_close(serve_buffer *buffer);

/* Decodes base64 in place of the buffer's contents, which it appends to; blanks are ignored. False for other characters
 * and wrong padding. */
bool serve_buffer_decode_base64(serve_buffer *buffer, const char *text, size_t size);

#endif
