/* SPDX-License-Identifier: Apache-2.0
 * For builds without libcurl. */
#include <stdio.h>

#include "fetch.h"

bool fetch_open(void) { return true; }
void fetch_close(void) {}
bool fetch_is_possible(void) { return false; }

bool fetch_file(const fetch_source *source, const char *url, serve_buffer *out, char problem[FETCH_PROBLEM_SIZE]) {
    (void)source, (void)url, (void)out;
    snprintf(problem, FETCH_PROBLEM_SIZE, "this build cannot fetch images, since it was made without libcurl");
    return false;
}
