/* SPDX-License-Identifier: Apache-2.0
 * Files: bounded reading, and writing that leaves the old file in place when anything fails. */
#ifndef ICSEG_BASE_FILE_H
#define ICSEG_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "icseg/file.h"

/* Reads a whole regular file of at most `limit` bytes; *out is NUL-terminated beyond *size. Freed with icseg_free. */
icseg_status icseg_file_read(const char *path, size_t limit, unsigned char **out, size_t *size, icseg_error *error);

/* A regular file open for reading anywhere in it. A file that is cut short or written to meanwhile is an error
 * (ICSEG_ERROR_IO); no file is mapped, since cutting a mapped file ends the process that reads it. A file that is
 * replaced, as icseg_file_writer does it, is no problem: the old one is read on. May be used by many threads. */
typedef struct icseg_file_reader icseg_file_reader;
icseg_status icseg_file_reader_open(icseg_file_reader **out, const char *path, icseg_error *error);
size_t icseg_file_reader_size(const icseg_file_reader *reader); /* bytes, when it was opened */
icseg_status icseg_file_reader_read(const icseg_file_reader *reader, size_t offset, void *to, size_t size,
                                    icseg_error *error);
void icseg_file_reader_close(icseg_file_reader **reader);

/* A whole file in memory. */
typedef struct icseg_bytes {
    const unsigned char *data;
    size_t size;
} icseg_bytes;

/* Atomic replacement: the bytes go to a new file in the target's folder, which has no name or NAME.tmp.RANDOM; commit
 * flushes it, renames it over the target and flushes the folder. Close without commit removes it. Any number of writers
 * may write one path at a time: the last to commit wins. The first failed write is remembered and reported by commit
 * too. A limit of the file size is an error and no signal.
 *
 * A path that is a link stays one: its target is replaced, or created where the link dangles. Another user's link in a
 * folder that everybody may write to is refused. The new file has the old one's mode, and its owner and group where
 * this process may set them; a hard link is broken, and access lists and extended attributes are not kept. Refused are
 * folders, pipes, sockets and devices, files that this process may not write, and files that nobody may (0444), which
 * root could. */
typedef struct icseg_file_writer icseg_file_writer;
icseg_status icseg_file_writer_open(icseg_file_writer **out, const char *path, icseg_error *error);
icseg_status icseg_file_writer_write(icseg_file_writer *writer, const void *data, size_t size, icseg_error *error);
icseg_status icseg_file_writer_commit(icseg_file_writer *writer, icseg_error *error);
void icseg_file_writer_close(icseg_file_writer **writer);

/* icseg_file_write, which is public, is open + write + commit + close. */

/* Appends to a file, by the same rules for links, modes and what is refused; `empty`: its content goes first. The file
 * is created when it does not exist. Each call of write is one write(2) where the system takes all of it. Finish
 * flushes, closes, sets the pointer to NULL, and accepts a pointer to NULL. */
typedef struct icseg_file_appender icseg_file_appender;
icseg_status icseg_file_appender_open(icseg_file_appender **out, const char *path, bool empty, icseg_error *error);
icseg_status icseg_file_appender_write(icseg_file_appender *appender, const void *data, size_t size,
                                       icseg_error *error);
icseg_status icseg_file_appender_finish(icseg_file_appender **appender, icseg_error *error);

/* Creates a folder and its parents; an existing folder is fine. */
icseg_status icseg_folder_create(const char *path, icseg_error *error);
bool icseg_file_exists(const char *path);
bool icseg_folder_exists(const char *path);

/* Names (not paths) of a folder's regular files and links to them, sorted bytewise, hidden ones left out. One block,
 * freed with icseg_free(*out). */
icseg_status icseg_folder_list(const char *path, char ***out, size_t *count, icseg_error *error);

#endif
