/* SPDX-License-Identifier: Apache-2.0
 * Zip archives byte by byte, so that tests can make good ones and every kind of bad one. */
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

/* Data as they are under a method's number; the checksum is left 0. */
void test_zip_add(test_zip *zip, const char *name, const void *data, size_t size, unsigned method);
/* Deflated, with checksum. */
void test_zip_deflate(test_zip *zip, const char *name, const void *data, size_t size);
/* All entries of an archive, which stores them, deflated. */
void test_zip_repack(test_zip *zip, const char *archive);

/* Without icseg_file_write's fsync: tests write thousands. A file that is truncated instead of removed would be flushed
 * by ext4 as well. */
void test_put_file(const char *path, const void *data, size_t size);
void test_zip_write(test_zip *zip, const char *path);

#endif
