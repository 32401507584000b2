/* SPDX-License-Identifier: Apache-2.0 */
#include "log.h"

#include <jansson.h>
#include <math.h>
#include <string.h>
#include <time.h>

#include "exchange.h"
#include "server.h"

/* UTC with milliseconds, as in RFC 3339. */
static void format_time(char out[48]) {
    struct timespec now;
    struct tm utc;
    char seconds[24];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    (void)strftime(seconds, sizeof seconds, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(out, 48, "%s.%03ldZ", seconds, now.tv_nsec / 1000000);
}

/* Takes the reference. */
static void write_line(serve_server *server, json_t *line) {
    char *text = line ? json_dumps(line, JSON_COMPACT | JSON_REAL_PRECISION(6)) : NULL;
    json_decref(line);
    if (!text) return;
    pthread_mutex_lock(&server->log_mutex);
    fprintf(server->options->log, "%s\n", text);
    (void)fflush(server->options->log);
    pthread_mutex_unlock(&server->log_mutex);
    free(text);
}

static double milliseconds(double seconds) { return round(1e6 * seconds) / 1e3; }

void serve_log_request(serve_server *server, const serve_exchange *x, double seconds, bool sent) {
    char time[48];
    if (!server->options->log) return;
    format_time(time);
    json_t *line =
        json_pack("{s:s, s:s, s:s, s:s, s:i, s:f}", "time", time, "id", x->id, "method", x->method, "route",
                  x->route ? x->route->path : "", "status", (int)x->reply.status, "ms", milliseconds(seconds));
    if (line && *x->model) json_object_set_new(line, "model", json_string(x->model));
    if (line && x->width) {
        json_object_set_new(line, "width", json_integer(x->width));
        json_object_set_new(line, "height", json_integer(x->height));
    }
    if (line && x->run_together) {
        json_object_set_new(line, "waited_ms", json_real(milliseconds(x->waited)));
        json_object_set_new(line, "worked_ms", json_real(milliseconds(x->worked)));
        json_object_set_new(line, "batch", json_integer(x->run_together));
    }
    if (line && *x->problem) json_object_set_new(line, "error", json_string(x->problem));
    if (line && !sent) json_object_set_new(line, "gone", json_true());
    write_line(server, line);
}

void serve_log_load(serve_server *server, const char *model, const char *problem) {
    char time[48];
    if (!server->options->log) return;
    format_time(time);
    json_t *line = json_pack("{s:s, s:s, s:s, s:b}", "time", time, "event", "load", "model", model, "ok", !problem);
    if (line && problem) json_object_set_new(line, "error", json_string(problem));
    write_line(server, line);
}
