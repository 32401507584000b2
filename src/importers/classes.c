/* SPDX-License-Identifier: Apache-2.0
 * The classes of an import: those of the caller's list, or those that the source names, in order of first use. */
#include <string.h>
#include <strings.h>

#include "classes/class_list.h"
#include "importers/internal.h"

/* Whether the name can be a line of classes.txt. */
static bool is_class_name(const char *name) {
    size_t length = strlen(name);
    return !icseg_class_line_problem(name, length) && name[length - 1] != ' ';
}

bool icseg_import_append(icseg_arena *arena, char ***names, size_t count, const char *name) {
    bool full = !(count & (count - 1)); /* the list grows when the number of names is a power of two */
    char **larger = full ? icseg_arena_array(arena, count ? 2 * count : 1, sizeof *larger) : *names;
    char *copy = icseg_arena_strdup(arena, name);
    if (!larger || !copy) return false;
    if (full && count) memcpy(larger, *names, count * sizeof *larger);
    larger[count] = copy;
    *names = larger;
    return true;
}

/* Tools write the background in several ways. If one source has two of them, they become one class, which is worth a
 * warning: they may differ for the user. */
static icseg_status note_background(icseg_import *im, const char *name, icseg_error *error) {
    const char *first = im->background_spelling;
    if (first && strcmp(first, name) != 0 && !im->background_warned) {
        im->background_warned = true;
        icseg_progress_say(im->stage.progress, ICSEG_MESSAGE_WARNING,
                           "the classes \"%s\" and \"%s\" are both imported as the background; rename one if they "
                           "differ",
                           first, name);
    }
    if (first) return ICSEG_OK;
    im->background_spelling = icseg_arena_strdup(im->arena, name);
    return im->background_spelling ? ICSEG_OK : icseg_fail_memory(error, 0, "class names");
}

icseg_status icseg_import_class(icseg_import *im, const char *name, const char *where, int32_t *label,
                                icseg_error *error) {
    bool background = !strcasecmp(name, "background") || !strcmp(name, "_background_");
    *label = ICSEG_LABEL_IGNORE;
    if (!strcmp(name, "__ignore__")) return ICSEG_OK; /* LabelMe's name for unlabelled pixels */
    if (background) ICSEG_TRY(note_background(im, name, error));
    if (background && !im->background[0]) return ICSEG_OK;
    if (background) name = im->background;
    for (int32_t k = 0; k < im->classes; k++)
        if (!strcmp(im->names[k], name)) {
            *label = k;
            return ICSEG_OK;
        }
    if (im->fixed)
        return icseg_fail(error, ICSEG_ERROR_DATA, "%s: the class \"%.80s\" is not in %s; add it", where, name,
                          im->options->classes_file);
    if (!is_class_name(name))
        return icseg_fail(error, ICSEG_ERROR_DATA,
                          "%s: \"%.80s\" cannot be a class name: it must be UTF-8 without control characters, outer "
                          "spaces and a # at the start",
                          where, name);
    if (im->classes == ICSEG_CLASSES_MAX)
        return icseg_fail(error, ICSEG_ERROR_DATA, "%s: more than %d classes", where, ICSEG_CLASSES_MAX);
    if (!icseg_import_append(im->arena, &im->names, (size_t)im->classes, name))
        return icseg_fail_memory(error, 0, "class names");
    *label = im->classes++;
    return ICSEG_OK;
}

icseg_status icseg_import_starred_class(icseg_import *im, const char *name, const char *where, int32_t *label,
                                        icseg_error *error) {
    size_t length = strlen(name);
    bool is_own = !length || name[length - 1] != '*';
    for (int32_t k = 0; k < im->classes && im->fixed && !is_own; k++) is_own = !strcmp(im->names[k], name);
    if (is_own) return icseg_import_class(im, name, where, label, error);
    *label = ICSEG_LABEL_IGNORE;
    if (!im->ignored_said)
        icseg_progress_say(im->stage.progress, ICSEG_MESSAGE_INFO,
                           "note: pixels of \"%s\" are unlabelled, because QuPath ignores classes whose names end in *",
                           name);
    im->ignored_said = true;
    return ICSEG_OK;
}

icseg_status icseg_import_declare(icseg_import *im, icseg_import_declared *declared, const char *name,
                                  const char *where, int32_t *label, icseg_error *error) {
    ICSEG_TRY(icseg_import_class(im, name, where, label, error));
    if (!declared->seen) declared->seen = icseg_arena_array(im->arena, ICSEG_CLASSES_MAX, sizeof *declared->seen);
    if (!declared->seen) return icseg_fail_memory(error, 0, "class names");
    if (*label == ICSEG_LABEL_IGNORE) return ICSEG_OK;
    if (declared->seen[*label] && !declared->warned && !strcmp(im->names[*label], name)) {
        declared->warned = true;
        icseg_progress_say(im->stage.progress, ICSEG_MESSAGE_WARNING,
                           "%s: two classes are called \"%s\" and become one; rename one if they differ", where, name);
    }
    declared->seen[*label] = true;
    return ICSEG_OK;
}

icseg_status icseg_import_background(icseg_import *im, icseg_error *error) {
    int32_t label;
    if (im->fixed) return ICSEG_OK;
    const char *spelling = im->background_spelling;
    icseg_status status =
        icseg_import_class(im, spelling ? spelling : "background", im->options->source, &label, error);
    im->background_spelling = spelling; /* this name is not the source's */
    return status;
}

int16_t icseg_import_background_label(const icseg_import *im) {
    for (int32_t k = 0; k < im->classes; k++)
        if (!strcmp(im->names[k], im->background)) return (int16_t)k;
    return ICSEG_LABEL_IGNORE;
}
