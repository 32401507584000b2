/* SPDX-License-Identifier: Apache-2.0
 * A command of the program and the context in which it runs. */
#ifndef ICSEG_CLI_H
#define ICSEG_CLI_H

#include "icseg/group.h"
#include "icseg/progress.h"
#include "options/options.h"
#include "progress.h"

typedef struct icseg_command_context {
    icseg_arena *arena;      /* until the command returns; owns the strings of the options */
    icseg_progress progress; /* hand it to the library: draws on standard error, cancels on SIGINT, SIGTERM, SIGHUP */
    icseg_printer *printer;  /* the same, for icseg_printer_note */
    icseg_group **group;     /* join_group() sets it; the caller of the command closes it */
    const struct icseg_command *command;
} icseg_command_context;

/* One command: everything that parsing, --help and docs/commands.md need. */
typedef struct icseg_command {
    const char *name, *summary;      /* summary: one line without a full stop */
    const char *description;         /* for --help: lines of at most 80 columns, each ending in \n; may be NULL */
    const char *examples;            /* one command line each, each ending in \n; may be NULL */
    icseg_option_table options;      /* ICSEG_TABLE(rows) */
    size_t size;                     /* of the struct the options are parsed into */
    void (*defaults)(void *options); /* fills that struct (it is zeroed before); NULL: all zero */
    /* Does the work and writes results to standard output. The caller reports a failure: ICSEG_ERROR_ARGUMENT (the
     * command line is wrong) ends the program with status 2, ICSEG_ERROR_CANCELLED with 3, every other error with 1. */
    icseg_status (*run)(const icseg_command_context *context, const void *options, icseg_error *error);
    bool hidden;     /* not listed by icseg --help */
    bool has_config; /* its option --config names a file with options (config.h) */
} icseg_command;

extern const icseg_command *const icseg_commands[]; /* NULL-terminated, in main.c */

/* Joins the processes that MPI started together with this one (icseg/group.h), if there are any. All but the first are
 * silent from then on. */
icseg_status join_group(const icseg_command_context *context, icseg_error *error);
/* Whether this process prints the results. */
bool prints_results(const icseg_command_context *context);

/* A command's options with their defaults, in the arena; NULL when out of memory. */
void *icseg_command_defaults(const icseg_command *command, icseg_arena *arena);

/* All of `icseg NAME --help`. */
void icseg_command_help(const icseg_command *command, const void *defaults, icseg_string *out);

#endif
