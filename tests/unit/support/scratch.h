/* SPDX-License-Identifier: Apache-2.0
 * A folder under /tmp for the files of one test program. */
#ifndef TESTS_SUPPORT_SCRATCH_H
#define TESTS_SUPPORT_SCRATCH_H

extern char test_scratch_folder[];

/* Set-up and tear-down of a group of tests. Closing removes the files that test_scratch has named, and fails if there
 * is any other file. */
int test_scratch_open(void **state);
int test_scratch_close(void **state);

/* The path of a file in the folder, valid until the program ends. */
const char *test_scratch(const char *name);

#endif
