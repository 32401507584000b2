/* SPDX-License-Identifier: Apache-2.0
 * Shared by the fuzz targets. A broken invariant ends the process, which is how libFuzzer learns of it. */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"

/* A callback for messages: each is one line of valid UTF-8. */
void fuzz_problem(void *user, const icseg_error *problem);

#define FUZZ_REQUIRE(condition)                                                                                        \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: broken invariant: %s\n", __FILE__, __LINE__, #condition);                          \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Checks what every call promises: a failure has its status in the error, a message of valid UTF-8 without line breaks,
 * and is not a bug of icseg's own. Returns whether the call succeeded. */
bool fuzz_succeeded(icseg_status status, const icseg_error *error);

/* A file of that name in this process's folder in memory. The path stays valid for the next seven calls. */
const char *fuzz_path(const char *name);
const char *fuzz_put(const char *name, const void *data, size_t size);
/* A folder of that name, with those above it, and removing one with all that it contains. */
const char *fuzz_folder(const char *name);
void fuzz_remove(const char *name);

bool fuzz_is_utf8(const char *text);

/* Inputs of several files are cut at 0xFF "SEP". Returns the number of parts, 1 .. max_parts; the others are empty. */
typedef struct fuzz_part {
    const uint8_t *data;
    size_t size;
} fuzz_part;
size_t fuzz_split(const uint8_t *data, size_t size, fuzz_part *parts, size_t max_parts);
/* Writes the part to a file of that name. If the part is empty, the file does not exist. */
const char *fuzz_put_part(const char *name, fuzz_part part);
/* A number below `count` that depends on all bytes of the input. A target whose checks take much longer than the reader
 * lets it choose which ones to make. */
unsigned fuzz_select(const uint8_t *data, size_t size, unsigned count);
/* Byte `at` of a part whose bits choose options; 0 beyond its end. */
unsigned fuzz_choice(fuzz_part part, size_t at);

/* A copy of exactly that size, so that the sanitizer sees the first byte read beyond it. Freed with free. */
uint8_t *fuzz_copy(const void *data, size_t size);
/* The same as text, with a NUL after it. */
char *fuzz_text(fuzz_part part);

#endif
