/* SPDX-License-Identifier: Apache-2.0
 * Files: bounded reading, and writing that leaves the old file in place when anything fails. */
#ifndef ICSEG_BASE_FILE_H
#define ICSEG_BASE_FILE_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/error.h"
#include "icseg/file.h"

/* Reads a whole regular file of at most `limit` bytes. A file that is truncated or overwritten meanwhile is an error,
 * and bytes that are appended are left out. A NUL that *size does not count follows the data. Free *out with
 * icseg_free. */
icseg_status icseg_file_read(const char *path, size_t limit, unsigned char **out, size_t *size, icseg_error *error);
/* The same for text. A NUL byte, which would end the text early, is ICSEG_ERROR_FORMAT; the message names its line. */
icseg_status icseg_file_read_text(const char *path, size_t limit, unsigned char **out, size_t *size,
                                  icseg_error *error);

/* A regular file open for reading at any offset. If the file is truncated or written to after it was opened, reads fail
 * with ICSEG_ERROR_IO. Files are never mapped: truncating a mapped file would end the process that reads it. If the
 * file is replaced, as icseg_file_writer does, reads continue with the old one. Thread-safe. */
typedef struct icseg_file_reader icseg_file_reader;
icseg_status icseg_file_reader_open(icseg_file_reader **out, const char *path, icseg_error *error);
size_t icseg_file_reader_size(const icseg_file_reader *reader); /* bytes, when it was opened */
icseg_status icseg_file_reader_read(const icseg_file_reader *reader, size_t offset, void *to, size_t size,
                                    icseg_error *error);
void icseg_file_reader_close(icseg_file_reader **reader);

/* The state of a file when it was opened, for those who open it again later. */
typedef struct icseg_file_stamp {
    uint64_t size;
    int64_t seconds, nanoseconds; /* when it was written last */
} icseg_file_stamp;
icseg_file_stamp icseg_file_reader_stamp(const icseg_file_reader *reader);

/* A whole file in memory. */
typedef struct icseg_bytes {
    const unsigned char *data;
    size_t size;
} icseg_bytes;

/* Atomic replacement. The bytes go to a new file in the target's folder, which has no name or is called
 * NAME.tmp.RANDOM. Commit flushes it, renames it over the target and flushes the folder. Close without commit removes
 * it. Several writers may write the same path: the last one to commit wins. Commit also reports the first write that
 * failed. A file size limit is an error, not a signal.
 *
 * A symbolic link stays one: its target is replaced, or created if the link dangles. Another user's link in a
 * world-writable folder is refused. The new file has the old one's mode, and its owner and group if this process may
 * set them. A hard link is broken; access lists and extended attributes are lost. Folders, pipes, sockets
 * and devices are refused, and so are files that this process may not write and files that nobody may write (0444),
 * even for root. */
typedef struct icseg_file_writer icseg_file_writer;
icseg_status icseg_file_writer_open(icseg_file_writer **out, const char *path, icseg_error *error);
icseg_status icseg_file_writer_write(icseg_file_writer *writer, const void *data, size_t size, icseg_error *error);
icseg_status icseg_file_writer_commit(icseg_file_writer *writer, icseg_error *error);
void icseg_file_writer_close(icseg_file_writer **writer);

/* icseg_file_write and icseg_file_check_writable, which are public, are open + write + commit + close and open + close.
 */

/* Appends to a file, with the same rules for links, modes and refused targets. `empty` truncates it first. The file is
 * created if it does not exist. Each call of write is one write(2), unless the system accepts only a part. Finish
 * flushes, closes, sets the pointer to NULL, and accepts a pointer to NULL. */
typedef struct icseg_file_appender icseg_file_appender;
icseg_status icseg_file_appender_open(icseg_file_appender **out, const char *path, bool empty, icseg_error *error);
icseg_status icseg_file_appender_write(icseg_file_appender *appender, const void *data, size_t size,
                                       icseg_error *error);
icseg_status icseg_file_appender_finish(icseg_file_appender **appender, icseg_error *error);

/* Creates a folder and its parents; an existing folder is fine. */
icseg_status icseg_folder_create(const char *path, icseg_error *error);
bool icseg_file_exists(const char *path);
/* Whether there is a file (S_IFREG) or folder (S_IFDIR), where a missing one is not an error: a failure to find out
 * must not be taken for a missing file. */
icseg_status icseg_path_find(const char *path, mode_t type, bool *found, icseg_error *error);
/* Locks a folder until the descriptor *out is closed or the process ends. If another process holds the lock, fails with
 * "FOLDER: " and the sentence `busy`. File systems without locks offer no protection. */
icseg_status icseg_folder_lock(const char *path, const char *busy, int *out, icseg_error *error);
bool icseg_folder_exists(const char *path);

/* opendir, with an error: ICSEG_ERROR_MEMORY or ICSEG_ERROR_IO. Close *out with closedir. */
icseg_status icseg_folder_open(DIR **out, const char *path, icseg_error *error);
/* The next entry except "." and "..", whose name is valid until the next call; NULL after the last one. `path` is for
 * the message: an error of readdir must not look like the end. */
icseg_status icseg_folder_next(DIR *folder, const char *path, const char **name, icseg_error *error);
/* Whether the entry, or what it links to, is of the type S_IFREG or S_IFDIR. An entry that is gone and a dangling link
 * are neither. */
icseg_status icseg_folder_is(DIR *folder, const char *path, const char *name, mode_t type, bool *out,
                             icseg_error *error);
/* Names (not paths) of all that is in a folder but folders and hidden names, in byte order. They include links to files
 * that do not exist, pipes and devices: leaving them out would silently make a data set smaller; opening them fails.
 * One block; free it with icseg_free(*out). */
icseg_status icseg_folder_list(const char *path, char ***out, size_t *count, icseg_error *error);

#endif
