/* SPDX-License-Identifier: Apache-2.0
 * A JSON object for each line of the log. Thread-safe. */
#ifndef SERVE_LOG_H
#define SERVE_LOG_H

#include <stdbool.h>

struct serve_exchange;
struct serve_server;

void serve_log_request(struct serve_server *server, const struct serve_exchange *exchange, double seconds, bool sent);
/* A model was loaded again; `problem`: why the old one stays, or NULL. */
void serve_log_load(struct serve_server *server, const char *model, const char *problem);

#endif
