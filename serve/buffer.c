/* SPDX-License-Identifier: Apache-2.0
 * Growing bytes and base64 (RFC 4648, section 4). */
#include "buffer.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Makes space for `size` more bytes and a NUL. */
static bool reserve(serve_buffer *b, size_t size) {
    if (b->failed) return false;
    if (size < b->capacity - b->size) return true;
    size_t capacity = b->capacity ? b->capacity : 256;
    while (capacity - b->size <= size && capacity <= SIZE_MAX / 2) capacity *= 2;
    char *data = capacity - b->size > size ? realloc(b->data, capacity) : NULL;
    if (!data) {
        b->failed = true;
        return false;
    }
    b->data = data;
    b->capacity = capacity;
    return true;
}

void serve_buffer_append(serve_buffer *b, const void *bytes, size_t size) {
    if (!reserve(b, size)) return;
    if (size) memcpy(b->data + b->size, bytes, size);
    b->size += size;
    b->data[b->size] = '\0';
}

void serve_buffer_text(serve_buffer *b, const char *text) { serve_buffer_append(b, text, strlen(text)); }

void serve_buffer_printf(serve_buffer *b, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int size = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (size < 0 || !reserve(b, (size_t)size)) {
        b->failed = true;
        return;
    }
    va_start(args, format);
    vsnprintf(b->data + b->size, (size_t)size + 1, format, args);
    va_end(args);
    b->size += (size_t)size;
}

void serve_buffer_close(serve_buffer *b) {
    free(b->data);
    *b = (serve_buffer){0};
}

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void serve_buffer_base64(serve_buffer *b, const void *bytes, size_t size) {
    const uint8_t *in = bytes;
    if (size > SIZE_MAX / 2 || !reserve(b, (size + 2) / 3 * 4)) {
        b->failed = true;
        return;
    }
    for (size_t i = 0; i < size; i += 3) {
        size_t left = size - i;
        uint32_t group = (uint32_t)in[i] << 16 | (left > 1 ? (uint32_t)in[i + 1] << 8 : 0) | (left > 2 ? in[i + 2] : 0);
        char out[4] = {alphabet[group >> 18], alphabet[group >> 12 & 63], '=', '='};
        if (left > 1) out[2] = alphabet[group >> 6 & 63];
        if (left > 2) out[3] = alphabet[group & 63];
        memcpy(b->data + b->size, out, 4);
        b->size += 4;
    }
    b->data[b->size] = '\0';
}

bool serve_buffer_decode_base64(serve_buffer *b, const char *text, size_t size) {
    uint32_t group = 0;
    size_t digits = 0, padding = 0;
    if (!reserve(b, size / 4 * 3 + 3)) return false;
    for (size_t i = 0; i < size; i++) {
        const char *digit = text[i] ? strchr(alphabet, text[i]) : NULL;
        if (strchr(" \t\r\n", text[i]) && text[i]) continue;
        if (text[i] == '=')
            padding++;
        else if (!digit || padding)
            return false;
        group = group << 6 | (digit ? (uint32_t)(digit - alphabet) : 0);
        if (++digits % 4) continue;
        b->data[b->size++] = (char)(group >> 16);
        if (padding < 2) b->data[b->size++] = (char)(group >> 8);
        if (padding < 1) b->data[b->size++] = (char)group;
        group = 0;
    }
    b->data[b->size] = '\0';
    return digits % 4 == 0 && padding <= 2;
}
