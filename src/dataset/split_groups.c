/* SPDX-License-Identifier: Apache-2.0
 * Groups of images that stay together when a data set is divided: by their names. */
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "base/compare.h"
#include "base/text.h"
#include "dataset/split.h"

enum { NAME_SIZE = 512 };

/* A name without the digits at its end and the separators before them. */
static size_t prefix_length(const char *name) {
    size_t length = strlen(name);
    while (length && strchr("0123456789", name[length - 1])) length--;
    while (length && strchr("_-. ", name[length - 1])) length--;
    return length;
}

/* Cuts the name to the part that names its group. */
static icseg_status cut(const icseg_division *d, const regex_t *pattern, const char *path, char name[NAME_SIZE],
                        icseg_error *error) {
    regmatch_t match[2];
    if (!strcmp(d->options.group, ICSEG_SPLIT_PREFIX)) return name[prefix_length(name)] = '\0', ICSEG_OK;
    if (regexec(pattern, name, 2, match, 0) != 0)
        return icseg_fail_field(error, ICSEG_ERROR_DATA, "group", ICSEG_REMEDY_SET_FIELD,
                                "%s: the name does not match the pattern \"%.80s\", which tells groups apart; change "
                                "the pattern so that it matches all names",
                                path, d->options.group);
    const regmatch_t *found = &match[pattern->re_nsub && match[1].rm_so >= 0];
    size_t length = (size_t)(found->rm_eo - found->rm_so);
    memmove(name, name + found->rm_so, length);
    name[length] = '\0';
    return ICSEG_OK;
}

/* The group's name of each image. */
static icseg_status name_groups(icseg_division *d, const regex_t *pattern, const char **names, icseg_error *error) {
    for (int64_t i = 0; i < d->dataset->count; i++) {
        char name[NAME_SIZE];
        const char *path = d->dataset->pairs[i].image;
        icseg_path_stem(icseg_path_name(path), name, sizeof name);
        if (d->options.group) ICSEG_TRY(cut(d, pattern, path, name, error));
        if (!(names[i] = icseg_arena_strdup(d->arena, name))) return icseg_fail_memory_in(error, 0, path);
    }
    return ICSEG_OK;
}

icseg_status icseg_division_group(icseg_division *d, const char ***out, icseg_error *error) {
    size_t count = (size_t)d->dataset->count;
    regex_t pattern;
    bool compiled = d->options.group && strcmp(d->options.group, ICSEG_SPLIT_PREFIX) != 0;
    const char **names = icseg_arena_array(d->arena, count, sizeof *names);
    const char **sorted = *out = icseg_arena_array(d->arena, count, sizeof *sorted);
    d->group_of = icseg_arena_array(d->arena, count, sizeof *d->group_of);
    if (!names || !sorted || !d->group_of) return icseg_fail_memory(error, 0, "groups of images");
    if (compiled) {
        int fault = regcomp(&pattern, d->options.group, REG_EXTENDED);
        char text[128];
        if (fault == REG_ESPACE) return icseg_fail_memory(error, 0, "the pattern of groups");
        if (fault) {
            regerror(fault, &pattern, text, sizeof text);
            return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "group", ICSEG_REMEDY_SET_FIELD,
                                    "group: \"%.80s\" is not an extended regular expression: %s", d->options.group,
                                    text);
        }
    }
    icseg_status status = name_groups(d, &pattern, names, error);
    if (compiled) regfree(&pattern);
    ICSEG_TRY(status);
    memcpy(sorted, names, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, icseg_compare_names);
    for (size_t i = 0; i < count; i++)
        if (!i || strcmp(sorted[i], sorted[d->groups - 1]) != 0) sorted[d->groups++] = sorted[i];
    for (size_t i = 0; i < count; i++) {
        const char **found = bsearch(&names[i], sorted, (size_t)d->groups, sizeof *sorted, icseg_compare_names);
        d->group_of[i] = found - sorted;
    }
    return ICSEG_OK;
}
