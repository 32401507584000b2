/* SPDX-License-Identifier: Apache-2.0
 * The image files that a command's arguments mean: files, folders, quoted glob patterns. */
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

/* In the order of the arguments, folders and patterns in alphabetical order, a file once. A folder gives its image
 * files (not those of folders in it). A name that does not exist is kept: reading it will say so. Errors: a folder
 * without images, a pattern that nothing matches. */
icseg_status inputs_expand(input_list *out, const icseg_strings *arguments, icseg_arena *arena, icseg_error *error);

/* ICSEG_ERROR_ARGUMENT when two inputs would be written to one file OUT/STEM+suffix, or when such a file is itself an
 * input. Suffixes: "" + ".png" ... as they are written, NULL-terminated. */
icseg_status inputs_check_outputs(const input_list *list, const char *folder, const char *const *suffixes,
                                  icseg_arena *arena, icseg_error *error);

/* The work on one file. *bad: the fault is the file's, others may work. */
typedef icseg_status inputs_work(const void *user, size_t index, bool *bad, icseg_error *error);

/* Does the work on every file, with progress as `stage`. Bad files are reported and the others go on; the error then
 * counts them. A single file's fault is the error itself. */
icseg_status inputs_for_each(const input_list *list, const icseg_command_context *context, const char *stage,
                             inputs_work *work, const void *user, icseg_error *error);

#endif
