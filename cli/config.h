/* SPDX-License-Identifier: Apache-2.0
 * Options in a file: a JSON object whose keys are the names of options. */
#ifndef ICSEG_CLI_CONFIG_H
#define ICSEG_CLI_CONFIG_H

#include "cli.h"

/* Sets the options of the file that --config names, if `argv` contains it. The command line is parsed afterwards, so
 * that it takes precedence. Values are texts, numbers, true and false; a positional argument has a list of texts, or
 * {NAME: VALUE}, which is NAME=VALUE. */
icseg_status config_read(const icseg_command *command, void *options, icseg_arena *arena, int argc, char *const *argv,
                         icseg_error *error);

#endif
