/* SPDX-License-Identifier: Apache-2.0
 * The image files that a command's arguments name: files, folders, quoted glob patterns. */
#ifndef ICSEG_CLI_INPUTS_H
#define ICSEG_CLI_INPUTS_H

#include "cli.h"
#include "options/options.h"

typedef struct input_file {
    const char *path; /* "-": standard input */
    const char *name; /* without folders, or with those that `recursive` keeps: "b/a.jpg"; of standard input "stdin" */
    const char *stem; /* the name without extension */
} input_file;

typedef struct input_list {
    input_file *files; /* in the arena */
    size_t count, capacity;
    size_t others; /* files of folders that are left out because their names are not those of images */
} input_list;

typedef struct input_options {
    const char *list;    /* a text file with an image on each line; NULL: none */
    bool recursive;      /* folders stand for the images in their subfolders too, and names keep their folders */
    bool standard_input; /* the argument "-" is allowed */
} input_options;

/* Whether the extension is that of an image. */
bool input_is_image_name(const char *name);

/* The files in the order of the arguments and then of the list, those of a folder or pattern in alphabetical order,
 * each once. A folder stands for the image files in it. A name that does not exist is kept; reading it reports the
 * error. Errors: a folder without images, a pattern that no file matches. options NULL: none. */
icseg_status inputs_expand(input_list *out, const icseg_strings *arguments, const input_options *options,
                           icseg_arena *arena, icseg_error *error);

/* Removes the inputs that are one of these files, whatever its path there. *removed: how many. */
icseg_status inputs_remove(input_list *list, char *const *paths, size_t count, size_t *removed, icseg_arena *arena,
                           icseg_error *error);

/* A file that will be written. */
typedef struct input_output {
    const char *path;
    size_t index; /* of the input whose result it is */
} input_output;

/* ICSEG_ERROR_ARGUMENT when two outputs have the same path, or when one is itself an input; ICSEG_ERROR_IO when one
 * exists and cannot be written, or the first one does not and cannot be created in its folder. Sorts the outputs. */
icseg_status inputs_check_outputs(const input_list *list, input_output *outputs, size_t count, icseg_arena *arena,
                                  icseg_error *error);

/* ICSEG_ERROR_ARGUMENT when two inputs have the same name, by which a file for all of them could not tell them apart.
 */
icseg_status inputs_check_names(const input_list *list, icseg_arena *arena, icseg_error *error);

/* The work on one file. On failure, *bad says that the cause is this file, so that the work continues with the next. */
typedef icseg_status inputs_work(const void *user, size_t index, bool *bad, icseg_error *error);

/* Does the work on every file, with progress as `stage`. Bad files are reported, and the error at the end says how many
 * there are of each kind; if there is only one file, its error is returned. */
icseg_status inputs_for_each(const input_list *list, const icseg_command_context *context, const char *stage,
                             inputs_work *work, const void *user, icseg_error *error);

#endif
