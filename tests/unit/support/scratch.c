/* SPDX-License-Identifier: Apache-2.0 */
#include "support/scratch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_FILES = 32, PATH_SIZE = 128 };

char test_scratch_folder[] = "/tmp/icseg_test_XXXXXX";
static char path[MAX_FILES][PATH_SIZE];
static int count;

int test_scratch_open(void **state) {
    (void)state;
    return mkdtemp(test_scratch_folder) ? 0 : -1;
}

int test_scratch_close(void **state) {
    (void)state;
    for (int i = 0; i < count; i++) unlink(path[i]);
    return rmdir(test_scratch_folder);
}

const char *test_scratch(const char *name) {
    char wanted[PATH_SIZE];
    snprintf(wanted, sizeof wanted, "%s/%s", test_scratch_folder, name);
    for (int i = 0; i < count; i++)
        if (!strcmp(path[i], wanted)) return path[i];
    if (count == MAX_FILES) abort();
    return strcpy(path[count++], wanted);
}
