/* SPDX-License-Identifier: Apache-2.0
 * Tar archives in memory, member by member, also with mistakes. */
#ifndef TESTS_SUPPORT_TAR_FILES_H
#define TESTS_SUPPORT_TAR_FILES_H

#include <stddef.h>

enum { TEST_TAR_BLOCK = 512 };

typedef struct test_tar {
    unsigned char bytes[1 << 17];
    size_t size;
} test_tar;

/* Appends a member with a ustar header, which is returned; type '0' is a file. */
unsigned char *test_tar_append_bytes(test_tar *a, char type, const char *name, const void *data, size_t size);
unsigned char *test_tar_append(test_tar *a, char type, const char *name, const char *text);
/* Writes the checksum of a header that was changed. */
void test_tar_seal(unsigned char *header);
/* Appends the two blocks of zeros. */
void test_tar_finish(test_tar *a);

#endif
