/* SPDX-License-Identifier: Apache-2.0
 * The image files that a command's arguments name: files, folders, quoted glob patterns. */
#ifndef ICSEG_CLI_INPUTS_H
#define ICSEG_CLI_INPUTS_H

#include "cli.h"
#include "options/options.h"

typedef struct input_file {
    const char *path, *stem; /* stem: the name without folder and extension */
} input_file;

typedef struct input_list {
    input_file *files; /* in the arena */
    size_t count, capacity;
} input_list;

/* The files in the order of the arguments, those of a folder or pattern in alphabetical order, each once. A folder
 * stands for the image files in it, without those in its subfolders. A name that does not exist is kept; reading it
 * reports the error. Errors: a folder without images, a pattern that no file matches. */
icseg_status inputs_expand(input_list *out, const icseg_strings *arguments, icseg_arena *arena, icseg_error *error);

/* ICSEG_ERROR_ARGUMENT when two inputs would be written to one file OUT/STEM+suffix, or when such a file is itself an
 * input; ICSEG_ERROR_IO when one exists and cannot be written. Suffixes: "" + ".png" ... as they are written,
 * NULL-terminated. */
icseg_status inputs_check_outputs(const input_list *list, const char *folder, const char *const *suffixes,
                                  icseg_arena *arena, icseg_error *error);

/* The work on one file. On failure, *bad says that the cause is this file, so that the work continues with the next. */
typedef icseg_status inputs_work(const void *user, size_t index, bool *bad, icseg_error *error);

/* Does the work on every file, with progress as `stage`. Bad files are reported, and the error at the end is their
 * number; if there is only one file, its error is returned. */
icseg_status inputs_for_each(const input_list *list, const icseg_command_context *context, const char *stage,
                             inputs_work *work, const void *user, icseg_error *error);

#endif
