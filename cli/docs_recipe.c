/* SPDX-License-Identifier: Apache-2.0
 * The reference page of recipes. */
#include <string.h>

#include "docs.h"
#include "icseg/recipe.h"
#include "support.h"

static const char recipe_intro[] =
    "# Recipes\n\nWritten by `make docs` from the table in `src/train/recipe_table.c`; do not edit.\n\n"
    "A recipe is a YAML file with the sections below. A key that it leaves out has its default, which is the "
    "published\n"
    "setting (`docs/method.md`). Write a list as `[256, 320]`, or with one line `- 256` per element. Anchors, "
    "aliases,\n"
    "tags, deeper nesting and unknown keys are errors. `recipes/` contains examples.\n\n"
    "On the command line, `icseg train RECIPE --set train.lr=1e-3` changes one value; `--set` may be repeated. Write "
    "a\n"
    "list as `--set augment.crop=256,320`. `model.preset` and `model.tokenizer` are applied before all other keys,\n"
    "wherever they appear. Training writes the complete recipe to the run directory, where it can be used again.\n\n";

/* A cell of a Markdown table, where '|' would end it. */
static void append_cell(icseg_string *out, const char *text) {
    for (; *text; text++) icseg_string_printf(out, *text == '|' ? "\\|" : "%c", *text);
    icseg_string_append(out, " | ", 3);
}

icseg_status docs_recipe(icseg_string *out, icseg_error *error) {
    const char *section = "";
    size_t length = 0;
    icseg_string_append(out, recipe_intro, sizeof recipe_intro - 1);
    for (int32_t i = 0; i < icseg_recipe_key_count(); i++) {
        icseg_recipe_key key = {ICSEG_RECIPE_KEY_INIT};
        TRY(icseg_recipe_key_at(&key, i, error));
        if (strncmp(section, key.name, length) != 0 || !length) {
            section = key.name;
            length = strcspn(section, ".") + 1;
            icseg_string_printf(out, "%s## `%.*s`\n\n| key | accepts | default | meaning |\n|---|---|---|---|\n",
                                i ? "\n" : "", (int)length - 1, section);
        }
        icseg_string_printf(out, "| `%s` | ", key.name + length);
        append_cell(out, key.range);
        append_cell(out, key.default_note                   ? key.default_note
                         : !strcmp(key.default_value, "[]") ? "none"
                                                            : key.default_value);
        append_cell(out, key.description);
        out->size -= out->failed ? 0 : 1; /* the blank after the last column */
        icseg_string_append(out, "\n", 1);
    }
    return ICSEG_OK;
}
