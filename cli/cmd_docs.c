/* SPDX-License-Identifier: Apache-2.0
 * icseg docs: the reference pages that come from the option tables, as Markdown. `make docs` writes them to docs/. */
#include <stdio.h>

#include "cli.h"
#include "train/recipe.h"

typedef enum page { PAGE_COMMANDS, PAGE_RECIPE } page;
static const char *const pages[] = {"commands", "recipe", NULL};

struct options {
    page page;
};

static const icseg_option rows[] = {
    {"PAGE", ICSEG_FIELD_WORD(struct options, page), "which page: commands, recipe", .words = pages, .positional = true,
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

static const char recipe_intro[] =
    "# Recipes\n\nWritten by `make docs` from the table in `src/train/recipe_table.c`; do not edit.\n\n"
    "A recipe is a YAML file with the sections below; everything it does not say has the default, which is the\n"
    "published setting (`docs/method.md`). Lists are `[256, 320]` or a line `- 256` each. Anchors, aliases, tags and\n"
    "deeper nesting are refused, and so are unknown keys, with the nearest valid one named. `recipes/` has "
    "examples.\n\n"
    "On the command line `icseg train RECIPE --set train.lr=1e-3` changes one value and may be repeated; lists are\n"
    "written `--set augment.crop=256,320`. `model.preset` and `model.tokenizer` act before all other keys, wherever\n"
    "they stand. The recipe as used, with every value, is written to the run directory and can be used again.\n\n";

static icseg_status write_recipe(const icseg_command_context *context, icseg_string *out, icseg_error *error) {
    icseg_recipe_settings published;
    icseg_option_table table = icseg_recipe_table();
    (void)context, (void)error;
    icseg_recipe_published(&published, 0);
    icseg_string_append(out, recipe_intro, sizeof recipe_intro - 1);
    icseg_options_markdown(&table, &published, out);
    return ICSEG_OK;
}

static icseg_status run(const icseg_command_context *context, const void *values, icseg_error *error) {
    const struct options *options = values;
    icseg_string text = {0};
    icseg_status status =
        options->page == PAGE_RECIPE ? write_recipe(context, &text, error) : write_commands(context, &text, error);
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
