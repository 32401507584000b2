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

/* The next name. The list grows when the number of names is a power of two. */
static bool add_name(icseg_import *im, const char *name) {
    size_t count = (size_t)im->classes;
    if (!(count & (count - 1))) {
        char **larger = icseg_arena_array(im->arena, count ? 2 * count : 1, sizeof *larger);
        if (!larger) return false;
        if (count) memcpy(larger, im->names, count * sizeof *larger);
        im->names = larger;
    }
    im->names[count] = icseg_arena_strdup(im->arena, name);
    im->classes += im->names[count] != NULL;
    return im->names[count] != NULL;
}

icseg_status icseg_import_class(icseg_import *im, const char *name, const char *where, int32_t *label,
                                icseg_error *error) {
    bool background = !strcasecmp(name, "background") || !strcmp(name, "_background_");
    *label = ICSEG_LABEL_IGNORE;
    if (!strcmp(name, "__ignore__")) return ICSEG_OK; /* LabelMe's name for unlabelled pixels */
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
                          "%s: \"%.80s\" cannot be a class name: it must be UTF-8 without control characters or outer "
                          "spaces",
                          where, name);
    if (im->classes == ICSEG_CLASSES_MAX)
        return icseg_fail(error, ICSEG_ERROR_DATA, "%s: more than %d classes", where, ICSEG_CLASSES_MAX);
    *label = im->classes;
    return add_name(im, name) ? ICSEG_OK : icseg_fail_memory(error, 0, "class names");
}

icseg_status icseg_import_background(icseg_import *im, icseg_error *error) {
    int32_t label;
    return im->fixed ? ICSEG_OK : icseg_import_class(im, "background", im->options->source, &label, error);
}

int16_t icseg_import_background_label(const icseg_import *im) {
    for (int32_t k = 0; k < im->classes; k++)
        if (!strcmp(im->names[k], im->background)) return (int16_t)k;
    return ICSEG_LABEL_IGNORE;
}
