/* SPDX-License-Identifier: Apache-2.0
 * RFC 6750: "Authorization: Bearer TOKEN". */
#include "security.h"

#include <string.h>
#include <strings.h>

bool security_has_token(const char *authorization, const char *token) {
    static const char scheme[] = "Bearer ";
    if (!token) return true;
    if (!authorization || strncasecmp(authorization, scheme, sizeof scheme - 1) != 0) return false;
    const char *given = authorization + sizeof scheme - 1;
    size_t length = strlen(given), needed = strlen(token);
    unsigned char different = length != needed;
    for (size_t i = 0; i < length; i++) different |= (unsigned char)(given[i] ^ token[needed ? i % needed : 0]);
    return !different && needed;
}
