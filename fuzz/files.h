/* SPDX-License-Identifier: Apache-2.0
 * The files of the fuzz targets: in memory if they are linked with files.c, otherwise in /dev/shm. */
#ifndef FUZZ_FILES_H
#define FUZZ_FILES_H

/* Paths from here on are in memory. The system has no such folder. */
#define FUZZ_ROOT "/icseg_fuzz"

#endif
