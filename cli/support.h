/* SPDX-License-Identifier: Apache-2.0
 * Helpers of the program: errors, paths, files, the clock. */
#ifndef ICSEG_CLI_SUPPORT_H
#define ICSEG_CLI_SUPPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "icseg/error.h"
#include "options/arena.h"

/* Returns from the enclosing function if `call` fails. */
#define TRY(call)                                                                                                      \
    do {                                                                                                               \
        icseg_status try_status_ = (call);                                                                             \
        if (try_status_ != ICSEG_OK) return try_status_;                                                               \
    } while (0)

/* Jumps to `done:` if `call` fails; needs a local `icseg_status status`. */
#define TRY_GOTO(call)                                                                                                 \
    do {                                                                                                               \
        status = (call);                                                                                               \
        if (status != ICSEG_OK) goto done;                                                                             \
    } while (0)

icseg_status out_of_memory(icseg_error *error);
/* Puts "PREFIX: " before the message; keeps status, field and remedy. Returns the status. */
icseg_status error_prefix(icseg_error *error, const char *format, ...) ICSEG_PRINTF(2, 3);

const char *path_name(const char *path);               /* after the last '/' */
const char *path_extension(const char *path);          /* "jpg" of "a/b.c.jpg"; "" if there is none */
char *path_stem(icseg_arena *arena, const char *path); /* "b.c" of "a/b.c.jpg"; NULL when out of memory */
bool file_exists(const char *path);                    /* a regular file */
bool folder_exists(const char *path);

/* Creates a folder and its parents. An existing folder is not an error. */
icseg_status folder_create(const char *path, icseg_error *error);

/* The names of all that is in a folder but folders and hidden names, sorted by bytes, in the arena. They include links
 * to files that do not exist, pipes and devices, which cannot be read: leaving them out would go unnoticed. */
icseg_status folder_list(const char *path, icseg_arena *arena, char ***names, size_t *count, icseg_error *error);
/* The same for the folders that are in it. Links to folders, which may lead in circles, are left out. */
icseg_status folder_list_folders(const char *path, icseg_arena *arena, char ***names, size_t *count,
                                 icseg_error *error);

/* ICSEG_ERROR_ARGUMENT if the name of a safetensors file that a command will write has the extension of another format.
 * Names without an extension are accepted. */
icseg_status file_check_safetensors(const char *path, icseg_error *error);

/* Refuses an output that is the same file as an input of the command. */
icseg_status file_check_not_input(const char *out, const char *input, icseg_error *error);

/* Reads standard input to its end: at most `limit` bytes, into memory that the caller frees with free(). */
icseg_status standard_input_read(size_t limit, unsigned char **data, size_t *size, icseg_error *error);

/* Reads a text of at most `limit` bytes into the arena and terminates it with a NUL. A NUL in the text is an error. */
icseg_status file_read(const char *path, size_t limit, icseg_arena *arena, char **text, size_t *size,
                       icseg_error *error);

/* The folder for files that icseg can make again: icseg in $XDG_CACHE_HOME or ~/.cache. NULL if neither is known, or
 * when out of memory: work without a cache then. */
char *cache_folder(icseg_arena *arena);

double clock_seconds(void); /* monotonic, from an arbitrary start */

/* The number of threads for the library: OMP_NUM_THREADS if it is set, else 0, which means all cores. */
int32_t thread_count(void);

#endif
