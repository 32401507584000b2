/* SPDX-License-Identifier: Apache-2.0
 * icseg recipe: the recipes that come with icseg. */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "icseg/file.h"
#include "support.h"

static const char *const actions[] = {"list", "show", "copy", NULL};
enum { LIST, SHOW, COPY };
enum { RECIPE_LIMIT = 1 << 20 }; /* bytes */

struct options {
    int32_t action;
    const char *name, *file;
    bool force;
};

static const icseg_option rows[] = {
    {"ACTION", ICSEG_FIELD_WORD(struct options, action),
     "list: all recipes; show: prints one; copy: writes a copy that you can change", .words = actions,
     .positional = true, .required = true},
    {"NAME", ICSEG_FIELD_STRING(struct options, name), "show, copy: name of the recipe, such as few_images",
     .positional = true},
    {"FILE", ICSEG_FIELD_STRING(struct options, file), "copy: the file to write (default: NAME.yaml)",
     .positional = true},
    {"force", ICSEG_FIELD_BOOL(struct options, force), "copy: replace FILE if it exists"},
};

/* The folder of the recipes: that of the installation, or of the source tree if the program was not installed. */
static icseg_status find_folder(icseg_arena *arena, const char **out, icseg_error *error) {
    static const char *const beside[] = {"../share/icseg/recipes", "../recipes"};
    char program[PATH_MAX];
    ssize_t size = readlink("/proc/self/exe", program, sizeof program - 1);
    char *slash = size > 0 ? (program[size] = '\0', strrchr(program, '/')) : NULL;
    if (slash) *slash = '\0';
    for (size_t i = 0; slash && i < sizeof beside / sizeof *beside; i++) {
        *out = icseg_arena_printf(arena, "%s/%s", program, beside[i]);
        if (!*out) return out_of_memory(error);
        if (folder_exists(*out)) return ICSEG_OK;
    }
    return icseg_error_set(error, ICSEG_ERROR_IO, "the recipes are not installed beside the program");
}

static bool is_recipe(const char *name) { return !strcmp(path_extension(name), "yaml"); }

/* Without ".yaml". */
static int name_length(const char *file) { return (int)(path_extension(file) - 1 - file); }

/* The second line of a recipe says what it is for. */
static const char *purpose_of(char *text) {
    char *line = strchr(text, '\n');
    if (!line || strncmp(line, "\n# ", 3) != 0) return "";
    line += 3;
    line[strcspn(line, "\n")] = '\0';
    return line;
}

static icseg_status list(icseg_arena *arena, const char *folder, icseg_error *error) {
    char **names, *text;
    size_t count, size;
    TRY(folder_list(folder, arena, &names, &count, error));
    for (size_t i = 0; i < count; i++) {
        if (!is_recipe(names[i])) continue;
        const char *path = icseg_arena_printf(arena, "%s/%s", folder, names[i]);
        if (!path) return out_of_memory(error);
        TRY(file_read(path, RECIPE_LIMIT, arena, &text, &size, error));
        printf("%.*s\n    %s\n", name_length(names[i]), names[i], purpose_of(text));
    }
    return ICSEG_OK;
}

/* Reads a recipe; an error names the nearest one. */
static icseg_status read_named(icseg_arena *arena, const char *folder, const char *name, char **text, size_t *size,
                               icseg_error *error) {
    char **names;
    size_t count, recipes = 0;
    if (!name) return icseg_error_set(error, ICSEG_ERROR_ARGUMENT, "NAME is missing; see icseg recipe list");
    TRY(folder_list(folder, arena, &names, &count, error));
    for (size_t i = 0; i < count; i++) {
        if (!is_recipe(names[i])) continue;
        char *stem = icseg_arena_printf(arena, "%.*s", name_length(names[i]), names[i]);
        if (!stem) return out_of_memory(error);
        if (!strcmp(name, stem) || !strcmp(name, names[i])) {
            const char *path = icseg_arena_printf(arena, "%s/%s", folder, names[i]);
            return path ? file_read(path, RECIPE_LIMIT, arena, text, size, error) : out_of_memory(error);
        }
        names[recipes++] = stem;
    }
    const char *nearest = icseg_text_nearest(name, (const char *const *)names, recipes);
    return icseg_error_set(error, ICSEG_ERROR_ARGUMENT, "%.80s: no such recipe; %s%s%s", name,
                           nearest ? "did you mean " : "see icseg recipe list", nearest ? nearest : "",
                           nearest ? "?" : "");
}

static icseg_status copy(icseg_arena *arena, const struct options *o, const char *text, size_t size,
                         icseg_error *error) {
    char *stem = path_stem(arena, o->name);
    const char *file = o->file ? o->file : stem ? icseg_arena_printf(arena, "%s.yaml", stem) : NULL;
    if (!file) return out_of_memory(error);
    if (!o->force && access(file, F_OK) == 0)
        return icseg_error_set(error, ICSEG_ERROR_ARGUMENT, "%s: exists; name another file, or replace it with --force",
                               file);
    TRY(icseg_file_write(file, text, size, error));
    printf("%s\n", file);
    return ICSEG_OK;
}

static icseg_status run(const icseg_command_context *context, const void *values, icseg_error *error) {
    const struct options *o = values;
    const char *folder;
    char *text = NULL;
    size_t size = 0;
    TRY(find_folder(context->arena, &folder, error));
    if (o->action == LIST) return list(context->arena, folder, error);
    TRY(read_named(context->arena, folder, o->name, &text, &size, error));
    if (o->action == COPY) return copy(context->arena, o, text, size, error);
    fputs(text, stdout);
    return ICSEG_OK;
}

const icseg_command icseg_command_recipe = {
    .name = "recipe",
    .summary = "Lists, shows and copies the recipes that come with icseg",
    .description = "A recipe is a file of settings for icseg train. Copy one and change it.\n",
    .examples = "icseg recipe list\nicseg recipe show few_images\nicseg recipe copy few_images my.yaml\n",
    .options = ICSEG_TABLE(rows),
    .size = sizeof(struct options),
    .run = run,
};
