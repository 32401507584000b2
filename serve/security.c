/* SPDX-License-Identifier: Apache-2.0
 * RFC 6750: "Authorization: Bearer TOKEN", and RFC 7617: "Authorization: Basic ..." with base64 of "USER:TOKEN". */
#include "security.h"

#include <string.h>
#include <strings.h>

#include "buffer.h"

/* Takes as long for any text of a length. */
static bool equal(const char *given, size_t length, const char *token) {
    size_t needed = strlen(token);
    unsigned char different = length != needed;
    for (size_t i = 0; i < length; i++) different |= (unsigned char)(given[i] ^ token[needed ? i % needed : 0]);
    return !different && needed;
}

/* Any user may have the token. */
static bool password_equal(const char *base64, const char *token) {
    serve_buffer text = {0};
    bool ok = false;
    if (serve_buffer_decode_base64(&text, base64, strlen(base64)) && text.size) {
        const char *colon = memchr(text.data, ':', text.size);
        ok = colon && equal(colon + 1, text.size - (size_t)(colon + 1 - text.data), token);
    }
    serve_buffer_close(&text);
    return ok;
}

bool security_has_token(const char *authorization, const char *token) {
    static const char bearer[] = "Bearer ", basic[] = "Basic ";
    if (!token) return true;
    if (!authorization) return false;
    if (!strncasecmp(authorization, basic, sizeof basic - 1))
        return password_equal(authorization + sizeof basic - 1, token);
    if (strncasecmp(authorization, bearer, sizeof bearer - 1) != 0) return false;
    const char *given = authorization + sizeof bearer - 1;
    return equal(given, strlen(given), token);
}
