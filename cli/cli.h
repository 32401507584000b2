/* SPDX-License-Identifier: Apache-2.0
 * What a command of the program is, and what it is given to work with. */
#ifndef ICSEG_CLI_H
#define ICSEG_CLI_H

#include "options/options.h"
#include "icseg/progress.h"
#include "progress.h"

typedef struct icseg_command_context {
    icseg_arena *arena;      /* until the command returns; owns the strings of the options */
    icseg_progress progress; /* hand it to the library: draws on standard error, cancels on SIGINT and SIGTERM */
    icseg_printer *printer;  /* the same, for icseg_printer_note */
} icseg_command_context;

/* One command: everything that parsing, --help and docs/commands.md need. */
typedef struct icseg_command {
    const char *name, *summary;      /* summary: one line without a full stop */
    const char *description;         /* for --help: lines of at most 80 columns, each ending in \n; may be NULL */
    const char *examples;            /* one command line each, each ending in \n; may be NULL */
    icseg_option_table options;      /* ICSEG_TABLE(rows) */
    size_t size;                     /* of the struct the options are parsed into */
    void (*defaults)(void *options); /* fills that struct (it is zeroed before); NULL: all zero */
    /* Does the work. Results go to standard output. A failure is reported by the caller: ICSEG_ERROR_ARGUMENT (the call
     * was wrong) ends the program with status 2, every other with 1. */
    icseg_status (*run)(const icseg_command_context *context, const void *options, icseg_error *error);
    bool hidden; /* not listed by icseg --help */
} icseg_command;

extern const icseg_command *const icseg_commands[]; /* NULL-terminated, in main.c */

/* The whole of `icseg NAME --help`. */
void icseg_command_help(const icseg_command *command, const void *defaults, icseg_string *out);

#endif
