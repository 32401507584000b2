/* SPDX-License-Identifier: Apache-2.0
 * Writing tar archives. */
#include "support/tar_files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

enum { BLOCK = TEST_TAR_BLOCK };

void test_tar_seal(unsigned char *header) {
    unsigned sum = 0;
    memset(header + 148, ' ', 8);
    for (int i = 0; i < BLOCK; i++) sum += header[i];
    snprintf((char *)header + 148, 8, "%06o", sum);
}

unsigned char *test_tar_append_bytes(test_tar *a, char type, const char *name, const void *data, size_t size) {
    unsigned char *h = a->bytes + a->size;
    size_t whole = BLOCK + (size + BLOCK - 1) / BLOCK * BLOCK;
    assert_true(whole <= sizeof a->bytes - a->size);
    memset(h, 0, whole);
    memcpy(h, name, strlen(name) < 100 ? strlen(name) : 100);
    snprintf((char *)h + 124, 12, "%011o", (unsigned)size);
    h[156] = (unsigned char)type;
    memcpy(h + 257, "ustar\00000", 8);
    test_tar_seal(h);
    memcpy(h + BLOCK, data, size);
    a->size += whole;
    return h;
}

unsigned char *test_tar_append(test_tar *a, char type, const char *name, const char *text) {
    return test_tar_append_bytes(a, type, name, text, strlen(text));
}

void test_tar_finish(test_tar *a) {
    assert_true(2 * BLOCK <= sizeof a->bytes - a->size);
    memset(a->bytes + a->size, 0, 2 * BLOCK);
    a->size += 2 * BLOCK;
}
