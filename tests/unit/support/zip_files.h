/* SPDX-License-Identifier: Apache-2.0
 * Zip archives, written byte by byte, so that tests can make valid and damaged ones. */
#ifndef TESTS_SUPPORT_ZIP_FILES_H
#define TESTS_SUPPORT_ZIP_FILES_H

#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

/* Zero-initialise; test_zip_write frees it. */
typedef struct test_zip {
    icseg_string bytes, directory; /* local headers with data; central records */
    size_t count, last_central;    /* entries; offset of the last record in `directory` */
} test_zip;

/* A number, little-endian. */
void test_put(icseg_string *s, uint64_t value, int bytes);
void test_poke(icseg_string *s, size_t at, uint64_t value, int bytes);

/* Stores the data unchanged under the given compression method; the checksum is 0. */
void test_zip_add(test_zip *zip, const char *name, const void *data, size_t size, unsigned method);
/* Deflates the data and adds the checksum. */
void test_zip_deflate(test_zip *zip, const char *name, const void *data, size_t size);
/* All entries of an archive, which stores them, deflated. */
void test_zip_repack(test_zip *zip, const char *archive);

/* Writes without the fsync of icseg_file_write, because tests write thousands of files. The old file is removed first:
 * ext4 would flush a file that is truncated. */
void test_put_file(const char *path, const void *data, size_t size);
void test_zip_write(test_zip *zip, const char *path);

#endif
