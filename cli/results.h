/* SPDX-License-Identifier: Apache-2.0
 * The list of the results that a command has written into a folder, by which a later call knows the files that it may
 * replace: .icseg-results, a path below the folder on each line. */
#ifndef ICSEG_CLI_RESULTS_H
#define ICSEG_CLI_RESULTS_H

#include "inputs.h"

/* Whether the folder's list has the name. */
icseg_status results_find(const char *folder, const char *name, bool *out, icseg_arena *arena, icseg_error *error);

/* The paths of all results that the folder's list names. */
icseg_status results_paths(const char *folder, char ***out, size_t *count, icseg_arena *arena, icseg_error *error);

/* ICSEG_ERROR_ARGUMENT if one of the outputs, all of which are below the folder, exists and is not in its list. */
icseg_status results_check(const char *folder, const input_output *outputs, size_t count, icseg_arena *arena,
                           icseg_error *error);

/* Adds the outputs to the folder's list. Call it before the first of them is written. The folder must exist. */
icseg_status results_note(const char *folder, const input_output *outputs, size_t count, icseg_arena *arena,
                          icseg_error *error);

#endif
