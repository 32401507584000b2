/* SPDX-License-Identifier: Apache-2.0
 * Files of one other server, and of no other place. */
#ifndef SERVE_FETCH_H
#define SERVE_FETCH_H

#include <stdatomic.h>

#include "buffer.h"

/* The server, and how much to take from it. */
typedef struct fetch_source {
    const char *origin; /* "http://127.0.0.1:8080", without a slash at the end */
    const char *token;  /* Label Studio's access token; NULL: none */
    size_t size_most;   /* of a file, in bytes */
    int seconds_most;   /* for a file */
    const atomic_bool *cancelled;
} fetch_source;

enum { FETCH_PROBLEM_SIZE = 400 };

/* Call it before any thread begins; fetch_close() at the end. Returns false without memory. */
bool fetch_open(void);
void fetch_close(void);

/* Whether this build can fetch files: it needs libcurl. */
bool fetch_is_possible(void);

/* Appends the file at a URL, or at a path ("/data/a.jpg"), to `out`. A URL of another origin is refused, and a
 * redirection to one. Returns false with a sentence in `problem`. Thread-safe. */
bool fetch_file(const fetch_source *source, const char *url, serve_buffer *out, char problem[FETCH_PROBLEM_SIZE]);

#endif
