/* SPDX-License-Identifier: Apache-2.0
 * The library says which field is wrong and what would help. This turns both into options and commands. */
#ifndef ICSEG_CLI_REMEDY_H
#define ICSEG_CLI_REMEDY_H

#include "cli.h"

enum { REMEDY_SIZE = 320 };

/* Writes what the user of `command` can do about the error, such as "; use --resume", or nothing. */
void remedy_describe(const icseg_command *command, const icseg_error *error, char out[REMEDY_SIZE]);

#endif
