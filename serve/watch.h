/* SPDX-License-Identifier: Apache-2.0
 * A thread that closes connections whose requests do not arrive in time, and cancels work of which the time is up or
 * the client has gone. libmicrohttpd's own time limit begins anew with each byte, and it does not look at suspended
 * connections. */
#ifndef SERVE_WATCH_H
#define SERVE_WATCH_H

#include <stdbool.h>

#include "icseg/error.h"

struct serve_exchange;
typedef struct serve_watch serve_watch;
typedef struct serve_client serve_client; /* a connection */

/* `abandon` is called for an exchange whose client has gone, or whose time is up (late). */
icseg_status serve_watch_open(serve_watch **out, double seconds,
                              void (*abandon)(struct serve_exchange *exchange, bool late), icseg_error *error);
void serve_watch_close(serve_watch **watch);

/* A connection was accepted; it ends. */
serve_client *serve_watch_add(serve_watch *watch, int socket);
void serve_watch_remove(serve_watch *watch, serve_client *client);

/* What the connection does: it waits for a request, a body arrives, a worker works on the exchange (not NULL), or the
 * reply is sent. Each has its time limit. */
typedef enum serve_activity { CLIENT_IDLE, CLIENT_SENDS, CLIENT_WAITS, CLIENT_RECEIVES } serve_activity;
void serve_watch_set(serve_watch *watch, serve_client *client, serve_activity activity,
                     struct serve_exchange *exchange);

#endif
