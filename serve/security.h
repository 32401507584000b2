/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVE_SECURITY_H
#define SERVE_SECURITY_H

#include <stdbool.h>

/* Whether the header Authorization, which may be NULL, has the token; always, if `token` is NULL. The time depends on
 * the header's length only. */
bool security_has_token(const char *authorization, const char *token);

#endif
