/* SPDX-License-Identifier: Apache-2.0
 * The text format of Prometheus, version 0.0.4. */
#include "metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exchange.h"
#include "server.h"

static const double bounds[METRIC_BUCKETS] = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300};

void serve_metrics_open(serve_metrics *m) { pthread_mutex_init(&m->mutex, NULL); }
void serve_metrics_close(serve_metrics *m) { pthread_mutex_destroy(&m->mutex); }

void serve_metrics_count(serve_metrics *m, const serve_exchange *x, double seconds) {
    int s = 0, b = 0;
    pthread_mutex_lock(&m->mutex);
    while (s < METRIC_STATUSES - 1 && m->requests[s].status && m->requests[s].status != x->reply.status) s++;
    m->requests[s].status = x->reply.status;
    m->requests[s].count++;
    if (x->run_together > 0) {
        while (b < METRIC_BUCKETS && seconds > bounds[b]) b++;
        m->bucket[b]++;
        m->answered++;
        m->seconds += seconds;
        m->images++;
        m->runs += 1.0 / x->run_together;
        m->waited += x->waited;
        m->worked += x->worked / x->run_together;
    }
    pthread_mutex_unlock(&m->mutex);
}

/* Bytes of memory that the process uses: the second number of statm, in pages. */
static double resident_memory(void) {
    char line[128] = "";
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file) return 0;
    if (!fgets(line, sizeof line, file)) *line = '\0';
    (void)fclose(file);
    const char *blank = strchr(line, ' ');
    return blank ? (double)strtoull(blank, NULL, 10) * (double)sysconf(_SC_PAGESIZE) : 0;
}

static void describe(serve_buffer *out, const char *name, const char *type, const char *help) {
    serve_buffer_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void number(serve_buffer *out, const char *name, const char *type, const char *help, double value) {
    describe(out, name, type, help);
    serve_buffer_printf(out, "%s %.17g\n", name, value);
}

void serve_metrics_handle(serve_exchange *x) {
    serve_server *server = x->server;
    serve_metrics *m = &server->metrics;
    serve_buffer *out = &x->reply.body;
    int64_t sum = 0;
    int active = serve_runner_active(server->runner), waiting = serve_workers_waiting(server->workers);
    x->reply.status = 200;
    x->reply.type = "text/plain; version=0.0.4; charset=utf-8";
    pthread_mutex_lock(&m->mutex);
    describe(out, "icseg_requests_total", "counter", "Requests that were answered, by HTTP status.");
    for (int i = 0; i < METRIC_STATUSES && m->requests[i].status; i++)
        serve_buffer_printf(out, "icseg_requests_total{status=\"%u\"} %lld\n", m->requests[i].status,
                            (long long)m->requests[i].count);
    describe(out, "icseg_request_seconds", "histogram", "From the request of a segmentation to its reply.");
    for (int b = 0; b < METRIC_BUCKETS; b++)
        serve_buffer_printf(out, "icseg_request_seconds_bucket{le=\"%g\"} %lld\n", bounds[b],
                            (long long)(sum += m->bucket[b]));
    serve_buffer_printf(out,
                        "icseg_request_seconds_bucket{le=\"+Inf\"} %lld\nicseg_request_seconds_sum %.9g\n"
                        "icseg_request_seconds_count %lld\n",
                        (long long)m->answered, m->seconds, (long long)m->answered);
    number(out, "icseg_wait_seconds_total", "counter", "Time that requests waited for a session.", m->waited);
    number(out, "icseg_work_seconds_total", "counter", "Time that sessions worked.", m->worked);
    number(out, "icseg_images_total", "counter", "Images that were labelled.", (double)m->images);
    number(out, "icseg_runs_total", "counter", "Runs of a model; images divided by runs is the mean batch size.",
           m->runs);
    pthread_mutex_unlock(&m->mutex);
    number(out, "icseg_queue_requests", "gauge", "Requests that wait for a worker.", waiting);
    number(out, "icseg_queue_limit", "gauge", "Requests that may wait.", server->options->queue);
    number(out, "icseg_running", "gauge", "Runs at the moment.", active);
    number(out, "icseg_sessions", "gauge", "Runs that can take place at a time.", server->options->sessions);
    number(out, "process_resident_memory_bytes", "gauge", "Memory that the process uses.", resident_memory());
}
