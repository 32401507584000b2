/* SPDX-License-Identifier: Apache-2.0
 * Texts made from the commands' option tables. Each function appends to `out`. */
#ifndef ICSEG_CLI_DOCS_H
#define ICSEG_CLI_DOCS_H

#include "cli.h"

/* Manual pages, in man(7) macros: of one command, or of the program (command NULL). ICSEG_ERROR_MEMORY only. */
icseg_status docs_man(const icseg_command *command, icseg_arena *arena, icseg_string *out, icseg_error *error);

/* The page of recipes; in a build with training. */
icseg_status docs_recipe(icseg_string *out, icseg_error *error);

/* Completion scripts for three shells. */
void docs_bash(icseg_string *out);
void docs_zsh(icseg_string *out);
void docs_fish(icseg_string *out);

#endif
