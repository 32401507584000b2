/* SPDX-License-Identifier: Apache-2.0
 * icseg docs: texts made from the option tables. `make docs` writes the reference pages to docs/; the build writes the
 * manual pages and shell completions. */
#include <stdio.h>
#include <string.h>

#include "docs.h"
#include "support.h"

typedef enum page { PAGE_COMMANDS, PAGE_RECIPE, PAGE_MAN, PAGE_BASH, PAGE_ZSH, PAGE_FISH } page;
static const char *const pages[] = {"commands", "recipe", "man", "bash", "zsh", "fish", NULL};

struct options {
    page page;
    const char *command;
};

static const icseg_option rows[] = {
    {"PAGE", ICSEG_FIELD_WORD(struct options, page),
     "commands, recipe: a reference page in Markdown; man: a manual page; bash, zsh, fish: completions for this shell",
     .words = pages, .positional = true, .required = true},
    {"COMMAND", ICSEG_FIELD_STRING(struct options, command),
     "man: the page of this command (default: that of the program)", .positional = true},
};

static icseg_status write_commands(const icseg_command_context *context, icseg_string *out, icseg_error *error) {
    icseg_string_printf(out, "# Commands\n\nWritten by `make docs` from the option tables in `cli/`; do not edit.\n"
                             "Exit status: 0 success, 1 failure, 2 wrong command line, 3 stopped by a signal.\n");
    for (int i = 0; icseg_commands[i]; i++) {
        const icseg_command *command = icseg_commands[i];
        if (command->hidden) continue;
        void *defaults = icseg_command_defaults(command, context->arena);
        if (!defaults) return out_of_memory(error);
        icseg_string_printf(out, "\n## icseg %s\n\n```\n", command->name);
        icseg_command_help(command, defaults, out);
        icseg_string_printf(out, "```\n");
    }
    return ICSEG_OK;
}

static icseg_status write_recipe(icseg_string *out, icseg_error *error) {
#ifdef ICSEG_NO_TRAIN
    (void)out;
    return icseg_error_set(error, ICSEG_ERROR_UNSUPPORTED, "recipe: this build has no training");
#else
    return docs_recipe(out, error);
#endif
}

static icseg_status write_man(const icseg_command_context *context, const char *name, icseg_string *out,
                              icseg_error *error) {
    const icseg_command *const *command = icseg_commands;
    while (name && *command && strcmp((*command)->name, name) != 0) command++;
    if (!*command) return icseg_error_set(error, ICSEG_ERROR_ARGUMENT, "%s: unknown command", name);
    return docs_man(name ? *command : NULL, context->arena, out, error);
}

static icseg_status run(const icseg_command_context *context, const void *values, icseg_error *error) {
    const struct options *o = values;
    icseg_string text = {0};
    icseg_status status = ICSEG_OK;
    if (o->command && o->page != PAGE_MAN)
        return icseg_error_set(error, ICSEG_ERROR_ARGUMENT, "COMMAND is for the page man");
    switch (o->page) {
    case PAGE_COMMANDS: status = write_commands(context, &text, error); break;
    case PAGE_RECIPE: status = write_recipe(&text, error); break;
    case PAGE_MAN: status = write_man(context, o->command, &text, error); break;
    case PAGE_BASH: docs_bash(&text); break;
    case PAGE_ZSH: docs_zsh(&text); break;
    case PAGE_FISH: docs_fish(&text); break;
    }
    if (status == ICSEG_OK && text.failed) status = out_of_memory(error);
    if (status == ICSEG_OK) fputs(text.data, stdout);
    icseg_string_close(&text);
    return status;
}

const icseg_command icseg_command_docs = {
    .name = "docs",
    .summary = "Prints reference pages, manual pages and shell completions",
    .options = ICSEG_TABLE(rows),
    .size = sizeof(struct options),
    .run = run,
    .hidden = true,
};
