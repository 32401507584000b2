/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Writing a file as the library writes its own: an existing file is unchanged until the new one is complete. */
#ifndef ICSEG_FILE_H
#define ICSEG_FILE_H

#include <stddef.h>

#include "icseg/error.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Writes a whole file. A process that reads `path` meanwhile sees the old content or the new content, never a part,
 * and a failure leaves the old content. A `path` that is not a regular file (a device, a pipe, a folder) is refused.
 *
 * May be called from several threads.
 * @param path   The file to create or replace.
 * @param data   Its content; may be NULL if `size` is 0.
 * @param size   Bytes of `data`.
 * @param error  May be NULL.
 * @return #ICSEG_OK, #ICSEG_ERROR_ARGUMENT if a required pointer is NULL, or #ICSEG_ERROR_IO. */
ICSEG_API icseg_status icseg_file_write(const char *path, const void *data, size_t size, icseg_error *error);

/** Checks whether icseg_file_write() could write `path` now, before work whose result it is to contain: the folder
 * exists and is writable, and `path` is not a folder, a device, a pipe or a read-only file. Writes nothing.
 *
 * May be called from several threads.
 * @param path   The file that will be created or replaced.
 * @param error  May be NULL.
 * @return #ICSEG_OK, #ICSEG_ERROR_ARGUMENT if `path` is NULL or empty, #ICSEG_ERROR_IO if it cannot be written, or
 * #ICSEG_ERROR_MEMORY. */
ICSEG_API icseg_status icseg_file_check_writable(const char *path, icseg_error *error);

#ifdef __cplusplus
}
#endif
#endif
