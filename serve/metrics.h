/* SPDX-License-Identifier: Apache-2.0
 * Counters of the server, as Prometheus reads them. Thread-safe. */
#ifndef SERVE_METRICS_H
#define SERVE_METRICS_H

#include <pthread.h>
#include <stdint.h>

enum { METRIC_STATUSES = 32, METRIC_BUCKETS = 14 };

typedef struct serve_metrics {
    pthread_mutex_t mutex;
    struct {
        unsigned status;
        int64_t count;
    } requests[METRIC_STATUSES];
    int64_t bucket[METRIC_BUCKETS + 1], answered; /* by seconds from the request to the reply */
    double seconds;
    int64_t images;
    double runs; /* images that were run together share one */
    double waited, worked;
} serve_metrics;

struct serve_exchange;
struct serve_buffer;
struct serve_server;

void serve_metrics_open(serve_metrics *metrics);
void serve_metrics_close(serve_metrics *metrics);
void serve_metrics_count(serve_metrics *metrics, const struct serve_exchange *exchange, double seconds);
void serve_metrics_handle(struct serve_exchange *exchange); /* GET /metrics */

#endif
