/* SPDX-License-Identifier: Apache-2.0
 * The life of connections and requests. libmicrohttpd calls from one thread: accept, headers, body, reply. */
#include "server.h"

#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "exchange.h"
#include "fetch.h"
#include "log.h"
#include "security.h"

enum { HEADER_BYTES = 32 << 10, CONNECTIONS = 4000, BACKLOG = 512, PREFETCH = 2, BODIES = 16 };

/* -- routes */

/* Matches a path; "*" is a part without a slash, which is copied, percent-decoded by libmicrohttpd already. */
static bool matches(const serve_route *route, const char *path, char parameter[PARAMETER_SIZE]) {
    const char *pattern = route->path;
    *parameter = '\0';
    while (*pattern) {
        if (*pattern == '*') {
            size_t length = strcspn(path, "/");
            if (!length || length >= PARAMETER_SIZE) return false;
            memcpy(parameter, path, length);
            parameter[length] = '\0';
            path += length;
            pattern++;
        } else if (*pattern++ != *path++)
            return false;
    }
    return !*path;
}

/* NULL if no route has the path; `allowed` then is empty. Else, without one of the method, it lists the methods. */
static const serve_route *find_route(const char *method, const char *path, char parameter[PARAMETER_SIZE],
                                     char allowed[64]) {
    bool head = !strcmp(method, MHD_HTTP_METHOD_HEAD);
    *allowed = '\0';
    for (const serve_route *r = serve_routes; r->method; r++) {
        if (!matches(r, path, parameter)) continue;
        if (!strcmp(r->method, head ? MHD_HTTP_METHOD_GET : method)) return r;
        size_t used = strlen(allowed);
        snprintf(allowed + used, 64 - used, "%s%s", used ? ", " : "", r->method);
    }
    return NULL;
}

/* -- requests */

/* A client's own identifier, if it is short and harmless, else a random one. */
static void set_id(serve_exchange *x) {
    const char *given = exchange_header(x, "X-Request-Id");
    uint8_t random[8] = {0};
    size_t length = given ? strspn(given, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:") : 0;
    if (length && !given[length] && length < REQUEST_ID_SIZE) {
        memcpy(x->id, given, length + 1);
        return;
    }
    if (getrandom(random, sizeof random, GRND_NONBLOCK) < 0) memcpy(random, &x, sizeof random);
    for (size_t i = 0; i < sizeof random; i++) snprintf(x->id + 2 * i, 3, "%02x", random[i]);
}

static serve_exchange *open_exchange(serve_server *server, struct MHD_Connection *connection, const char *method) {
    serve_exchange *x = calloc(1, sizeof *x);
    if (!x) return NULL;
    x->server = server;
    x->connection = connection;
    x->began = clock_seconds();
    snprintf(x->method, sizeof x->method, "%s", method);
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    x->client = info ? info->socket_context : NULL;
    set_id(x);
    server->open++;
    return x;
}

/* Whether the request may continue; else its reply is ready. Looks at all that the headers tell. */
static bool accept_request(serve_exchange *x, const char *path) {
    serve_server *server = x->server;
    char allowed[64];
    const char *length = exchange_header(x, MHD_HTTP_HEADER_CONTENT_LENGTH);
    const char *encoding = exchange_header(x, MHD_HTTP_HEADER_CONTENT_ENCODING);
    if (server->options->cors && !strcmp(x->method, MHD_HTTP_METHOD_OPTIONS)) {
        x->reply.status = MHD_HTTP_NO_CONTENT;
        return false;
    }
    x->route = find_route(x->method, path, x->parameter, allowed);
    if (!x->route && *allowed) {
        exchange_fail(x, MHD_HTTP_METHOD_NOT_ALLOWED, "%s is not possible here; use %s", x->method, allowed);
        exchange_add_header(x, MHD_HTTP_HEADER_ALLOW, "%s", allowed);
    } else if (!x->route)
        exchange_fail(x, MHD_HTTP_NOT_FOUND, "not a path of this server; see /openapi.json");
    else if (!(x->route->flags & ROUTE_OPEN) &&
             !security_has_token(exchange_header(x, MHD_HTTP_HEADER_AUTHORIZATION), server->options->token)) {
        exchange_fail(
            x, MHD_HTTP_UNAUTHORIZED,
            "a token is required: send \"Authorization: Bearer TOKEN\", or the token as the password of basic "
            "authentication");
        exchange_add_header(x, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
    } else if (server->stopping)
        exchange_fail(x, MHD_HTTP_SERVICE_UNAVAILABLE, "the server is stopping");
    else if (length && strtoull(length, NULL, 10) > (uint64_t)server->options->max_body)
        exchange_fail(x, MHD_HTTP_CONTENT_TOO_LARGE, "the body has %.20s bytes; at most %lld are allowed", length,
                      (long long)server->options->max_body);
    else if (encoding && strcmp(encoding, "identity") != 0)
        exchange_fail(x, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE,
                      "bodies with Content-Encoding %.40s are not read; send them "
                      "as they are",
                      encoding);
    else
        return true;
    return false;
}

/* -- replies */

static enum MHD_Result send_reply(serve_exchange *x) {
    const serve_options *options = x->server->options;
    serve_reply *reply = &x->reply;
    if (reply->body.failed) {
        serve_buffer_close(&reply->body);
        exchange_fail(x, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory");
    }
    serve_watch_set(x->server->watch, x->client, CLIENT_RECEIVES, NULL);
    struct MHD_Response *response =
        MHD_create_response_from_buffer(reply->body.size, reply->body.data, MHD_RESPMEM_MUST_FREE);
    if (!response) return MHD_NO;
    reply->body = (serve_buffer){0};
    if (reply->type) MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, reply->type);
    MHD_add_response_header(response, "X-Request-Id", x->id);
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(response, MHD_HTTP_HEADER_SERVER, "icseg");
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    if (options->cors) {
        MHD_add_response_header(response, MHD_HTTP_HEADER_ACCESS_CONTROL_ALLOW_ORIGIN, options->cors);
        MHD_add_response_header(response, MHD_HTTP_HEADER_VARY, "Origin");
        MHD_add_response_header(response, MHD_HTTP_HEADER_ACCESS_CONTROL_ALLOW_METHODS, "GET, POST");
        MHD_add_response_header(response, MHD_HTTP_HEADER_ACCESS_CONTROL_ALLOW_HEADERS,
                                "Authorization, Content-Type, X-Request-Id, Inference-Header-Content-Length");
    }
    for (int i = 0; i < reply->headers; i++)
        MHD_add_response_header(response, reply->header[i].name, reply->header[i].value);
    if (x->server->stopping) MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    enum MHD_Result result = MHD_queue_response(x->connection, reply->status, response);
    MHD_destroy_response(response);
    return result;
}

/* -- work */

/* The reply is ready: libmicrohttpd continues with the connection. The exchange may be gone after this. */
static void finish(serve_exchange *x) {
    struct MHD_Connection *connection = x->connection;
    atomic_store(&x->phase, PHASE_ANSWERED);
    MHD_resume_connection(connection);
}

static void work(serve_job *job) {
    serve_exchange *x = (serve_exchange *)((char *)job - offsetof(serve_exchange, job));
    if (!x->cancelled) x->route->handle(x);
    if (x->late && x->reply.status != MHD_HTTP_OK)
        exchange_fail(x, MHD_HTTP_SERVICE_UNAVAILABLE, "the time for a request, %d seconds, is up",
                      x->server->options->timeout);
    if (!x->reply.status) exchange_fail(x, MHD_HTTP_SERVICE_UNAVAILABLE, "cancelled");
    finish(x);
}

/* Called by the watching thread. */
static void abandon(serve_exchange *x, bool late) {
    x->late = late;
    x->cancelled = true;
    if (!serve_workers_withdraw(x->server->workers, &x->job)) return; /* its worker sees `cancelled` */
    exchange_fail(x, MHD_HTTP_SERVICE_UNAVAILABLE, "the request waited for longer than %d seconds",
                  x->server->options->timeout);
    finish(x);
}

/* The whole request is here. */
static enum MHD_Result begin_work(serve_exchange *x) {
    if (x->body.failed) {
        exchange_fail(x, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory");
        return send_reply(x);
    }
    if (!(x->route->flags & ROUTE_WORK)) {
        x->route->handle(x);
        return send_reply(x);
    }
    atomic_store(&x->phase, PHASE_WORKING);
    x->job.work = work;
    x->submitted = clock_seconds();
    MHD_suspend_connection(x->connection);
    serve_watch_set(x->server->watch, x->client, CLIENT_WAITS, x);
    if (serve_workers_submit(x->server->workers, &x->job)) return MHD_YES;
    serve_watch_set(x->server->watch, x->client, CLIENT_RECEIVES, NULL);
    exchange_fail(x, MHD_HTTP_SERVICE_UNAVAILABLE, "%d requests wait already; try again later",
                  x->server->options->queue);
    exchange_add_header(x, MHD_HTTP_HEADER_RETRY_AFTER, "1");
    finish(x);
    return MHD_YES;
}

/* -- bodies */

static void forget_body(serve_exchange *x) {
    x->server->body_bytes -= x->body.size;
    serve_buffer_close(&x->body);
}

/* Beyond a limit, the body is thrown away: a reply is possible only when all of it has arrived. */
static void receive(serve_exchange *x, const char *data, size_t size) {
    size_t limit = (size_t)x->server->options->max_body;
    if (x->refused) return;
    if (x->body.size + size > limit)
        x->refused = MHD_HTTP_CONTENT_TOO_LARGE; /* a body without a length */
    else if (x->server->body_bytes + size > BODIES * limit)
        x->refused = MHD_HTTP_SERVICE_UNAVAILABLE;
    if (x->refused) {
        forget_body(x);
        return;
    }
    size_t before = x->body.size;
    serve_buffer_append(&x->body, data, size);
    x->server->body_bytes += x->body.size - before;
}

static enum MHD_Result refuse_body(serve_exchange *x) {
    if (x->refused == MHD_HTTP_CONTENT_TOO_LARGE) {
        exchange_fail(x, x->refused, "the body has more than %lld bytes", (long long)x->server->options->max_body);
    } else {
        exchange_fail(x, x->refused, "too many large requests at a time; try again later");
        exchange_add_header(x, MHD_HTTP_HEADER_RETRY_AFTER, "1");
    }
    return send_reply(x);
}

/* -- libmicrohttpd's callbacks */

static enum MHD_Result on_request(void *user, struct MHD_Connection *connection, const char *path, const char *method,
                                  const char *version, const char *data, size_t *size, void **state) {
    serve_exchange *x = *state;
    (void)version;
    if (!x) {
        *state = x = open_exchange(user, connection, method);
        if (!x) return MHD_NO;
        serve_watch_set(x->server->watch, x->client, CLIENT_SENDS, NULL);
        return accept_request(x, path) ? MHD_YES : send_reply(x);
    }
    if (atomic_load(&x->phase) == PHASE_ANSWERED) return send_reply(x);
    if (*size) {
        receive(x, data, *size);
        *size = 0;
        return MHD_YES;
    }
    return x->refused ? refuse_body(x) : begin_work(x);
}

static void on_completed(void *user, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode how) {
    serve_server *server = user;
    serve_exchange *x = *state;
    (void)connection;
    if (!x) return;
    *state = NULL;
    serve_watch_set(server->watch, x->client, CLIENT_IDLE, NULL);
    double seconds = clock_seconds() - x->began;
    serve_metrics_count(&server->metrics, x, seconds);
    serve_log_request(server, x, seconds, how == MHD_REQUEST_TERMINATED_COMPLETED_OK);
    forget_body(x);
    serve_buffer_close(&x->reply.body);
    free(x);
    server->open--;
}

static void on_connection(void *user, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode what) {
    serve_server *server = user;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        *context = info ? serve_watch_add(server->watch, info->connect_fd) : NULL;
    } else {
        serve_watch_remove(server->watch, *context);
        *context = NULL;
    }
}

/* What libmicrohttpd says about broken connections, of which there are many. */
static void ignore(void *user, const char *format, va_list args) {
    (void)user;
    (void)format;
    (void)args;
}

/* -- listening */

/* Splits "127.0.0.1:8080" or "[::1]:8080". */
static icseg_status split_address(const char *text, char host[256], char port[8], icseg_error *error) {
    const char *colon = strrchr(text, ':');
    size_t length = colon ? (size_t)(colon - text) : 0, digits = colon ? strspn(colon + 1, "0123456789") : 0;
    bool brackets = length > 2 && text[0] == '[' && text[length - 1] == ']';
    if (!length || length >= 256 || !digits || digits > 5 || colon[1 + digits] || strtol(colon + 1, NULL, 10) > 65535 ||
        (!brackets && memchr(text, ':', length))) {
        icseg_error_set(error, ICSEG_ERROR_ARGUMENT,
                        "listen is \"%.100s\": expected an address and a port, such as 127.0.0.1:8080 or [::1]:8080",
                        text);
        snprintf(error->field, sizeof error->field, "listen");
        return ICSEG_ERROR_ARGUMENT;
    }
    snprintf(host, 256, "%.*s", (int)(brackets ? length - 2 : length), text + brackets);
    snprintf(port, 8, "%s", colon + 1);
    return ICSEG_OK;
}

static int listen_at(const struct addrinfo *address) {
    int on = 1, s = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s < 0) return -1;
    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(s, address->ai_addr, address->ai_addrlen) == 0 && listen(s, BACKLOG) == 0) return s;
    int reason = errno;
    close(s);
    errno = reason;
    return -1;
}

static icseg_status open_socket(int *out, const char *listen, char url[320], icseg_error *error) {
    char host[256], port[8], shown[256], number[8];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV}, *found = NULL;
    struct sockaddr_storage bound;
    socklen_t size = sizeof bound;
    icseg_status status = split_address(listen, host, port, error);
    if (status != ICSEG_OK) return status;
    int problem = getaddrinfo(host, port, &hints, &found);
    if (problem) {
        icseg_error_set(error, ICSEG_ERROR_ARGUMENT, "listen: %.100s: %s", host, gai_strerror(problem));
        snprintf(error->field, sizeof error->field, "listen");
        return ICSEG_ERROR_ARGUMENT;
    }
    *out = listen_at(found);
    freeaddrinfo(found);
    if (*out < 0) return icseg_error_set(error, ICSEG_ERROR_IO, "cannot listen at %.100s: %s", listen, strerror(errno));
    if (getsockname(*out, (struct sockaddr *)&bound, &size) != 0 ||
        getnameinfo((struct sockaddr *)&bound, size, shown, sizeof shown, number, sizeof number,
                    NI_NUMERICHOST | NI_NUMERICSERV))
        return icseg_error_set(error, ICSEG_ERROR_IO, "cannot read the address of the socket");
    bool six = bound.ss_family == AF_INET6;
    snprintf(url, 320, "http://%s%s%s:%s/", six ? "[" : "", shown, six ? "]" : "", number);
    return ICSEG_OK;
}

/* Each connection is a descriptor. */
static void raise_descriptor_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static icseg_status open_daemon(serve_server *server, int socket, icseg_error *error) {
    raise_descriptor_limit();
    server->daemon = MHD_start_daemon(
        MHD_USE_AUTO | MHD_USE_INTERNAL_POLLING_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL,
        on_request, server, MHD_OPTION_EXTERNAL_LOGGER, ignore, NULL, MHD_OPTION_LISTEN_SOCKET, socket,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, server, MHD_OPTION_NOTIFY_CONNECTION, on_connection, server,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEADER_BYTES,
        MHD_OPTION_END);
    if (server->daemon) return ICSEG_OK;
    close(socket);
    return icseg_error_set(error, ICSEG_ERROR_IO, "cannot start the HTTP server");
}

/* -- signals */

/* Blocked in all threads; the main thread waits for them. */
static sigset_t handled_signals(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    return set;
}

static void load_all(serve_server *server) {
    for (size_t i = 0; i < serve_models_count(server->models); i++) {
        const char *name = serve_models_name(server->models, i);
        icseg_error error = {0};
        icseg_status status = serve_models_load(server->models, name, &error);
        serve_log_load(server, name, status == ICSEG_OK ? NULL : error.message);
    }
}

/* No new connections and requests; the reply of each request that is here. */
static void stop(serve_server *server) {
    server->stopping = true;
    MHD_socket socket = MHD_quiesce_daemon(server->daemon);
    if (socket != MHD_INVALID_SOCKET) close(socket);
    const struct timespec moment = {.tv_nsec = 10000000};
    while (server->open) nanosleep(&moment, NULL);
    MHD_stop_daemon(server->daemon);
    server->daemon = NULL;
}

static void serve_until_signal(serve_server *server) {
    sigset_t set = handled_signals();
    for (int number;;) {
        if (sigwait(&set, &number) != 0) continue;
        if (number != SIGHUP) break;
        load_all(server);
    }
    stop(server);
}

/* -- */

/* Workers decode while all sessions work, and fill batches. */
static int worker_count(const serve_options *o) { return o->sessions * o->batch + PREFETCH; }

static icseg_status run(serve_server *server, icseg_error *error) {
    const serve_options *options = server->options;
    char url[320];
    int socket;
    if (options->label_studio && !fetch_is_possible())
        return icseg_error_set(error, ICSEG_ERROR_UNSUPPORTED,
                               "this build cannot fetch images from Label Studio, since it was made without libcurl");
    icseg_status status = serve_models_open(&server->models, options, error);
    if (status == ICSEG_OK) status = serve_runner_open(&server->runner, options, server->models, error);
    if (status == ICSEG_OK) status = serve_workers_open(&server->workers, worker_count(options), options->queue, error);
    if (status == ICSEG_OK) status = serve_watch_open(&server->watch, options->timeout, abandon, error);
    if (status == ICSEG_OK) status = open_socket(&socket, options->listen, url, error);
    if (status == ICSEG_OK) status = open_daemon(server, socket, error);
    if (status != ICSEG_OK) return status;
    if (options->started) options->started(options->user, url);
    serve_until_signal(server);
    return ICSEG_OK;
}

icseg_status serve_run(const serve_options *options, icseg_error *error) {
    serve_server server = {.options = options};
    sigset_t set = handled_signals(), before;
    pthread_sigmask(SIG_BLOCK, &set, &before);
    (void)signal(SIGPIPE, SIG_IGN);
    pthread_mutex_init(&server.log_mutex, NULL);
    serve_metrics_open(&server.metrics);
    icseg_status status = fetch_open() ? run(&server, error)
                                       : icseg_error_set(error, ICSEG_ERROR_MEMORY, "libcurl cannot be initialised");
    serve_watch_close(&server.watch);
    serve_workers_close(&server.workers);
    serve_runner_close(&server.runner);
    serve_models_close(&server.models);
    serve_metrics_close(&server.metrics);
    fetch_close();
    pthread_mutex_destroy(&server.log_mutex);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return status;
}
