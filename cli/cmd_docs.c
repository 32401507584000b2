/* SPDX-License-Identifier: Apache-2.0
 * icseg docs: the reference pages that come from the option tables, as Markdown. `make docs` writes them to docs/. */
#include <stdio.h>

#include "cli.h"

typedef enum page { PAGE_COMMANDS } page;
static const char *const pages[] = {"commands", NULL};

struct options {
    page page;
};

static const icseg_option rows[] = {
    {"PAGE", ICSEG_FIELD_WORD(struct options, page), "which page: commands", .words = pages, .positional = true,
     .required = true},
};

static icseg_status write_commands(const icseg_command_context *context, icseg_string *out, icseg_error *error) {
    icseg_string_printf(out, "# Commands\n\nWritten by `make docs` from the option tables in `cli/`; do not edit.\n"
                             "Exit status: 0 done, 1 the work failed, 2 the call was wrong.\n");
    for (int i = 0; icseg_commands[i]; i++) {
        const icseg_command *command = icseg_commands[i];
        if (command->hidden) continue;
        void *defaults = icseg_arena_alloc(context->arena, command->size);
        if (!defaults) return icseg_fail_memory(error, command->size, "the options");
        if (command->defaults) command->defaults(defaults);
        icseg_string_printf(out, "\n## icseg %s\n\n```\n", command->name);
        icseg_command_help(command, defaults, out);
        icseg_string_printf(out, "```\n");
    }
    return ICSEG_OK;
}

static icseg_status run(const icseg_command_context *context, const void *values, icseg_error *error) {
    (void)values;
    icseg_string text = {0};
    icseg_status status = write_commands(context, &text, error);
    if (status == ICSEG_OK && text.failed) status = icseg_fail_memory(error, text.size, "the page");
    if (status == ICSEG_OK) fputs(text.data, stdout);
    icseg_string_close(&text);
    return status;
}

const icseg_command icseg_command_docs = {
    .name = "docs",
    .summary = "Prints a reference page as Markdown",
    .options = ICSEG_TABLE(rows),
    .size = sizeof(struct options),
    .run = run,
    .hidden = true,
};
