/* SPDX-License-Identifier: Apache-2.0
 * The published class tables by name, and the colours of one of them. */
#include <stdio.h>
#include <string.h>

#include "base/argument.h"
#include "classes/class_list.h"

const icseg_class_table icseg_class_tables[ICSEG_CLASS_TABLES] = {
    [ICSEG_TABLE_ADE20K] = {"ade20k", icseg_classes_ade20k, ICSEG_ADE20K_CLASSES},
    [ICSEG_TABLE_COCOSTUFF10K] = {"cocostuff10k", icseg_classes_cocostuff10k, ICSEG_COCOSTUFF10K_CLASSES},
    [ICSEG_TABLE_ADE20K_FULL] = {"ade20k_full", icseg_classes_ade20k_full, ICSEG_ADE20K_FULL_CLASSES},
};

icseg_status icseg_class_list_open_published(icseg_class_list **out, const char *name, icseg_error *error) {
    ICSEG_NEED(out);
    *out = NULL;
    ICSEG_NEED(name);
    for (int i = 0; i < ICSEG_CLASS_TABLES; i++)
        if (!strcmp(name, icseg_class_tables[i].name))
            return icseg_class_list_open_table(out, &icseg_class_tables[i], error);
    char known[200] = "";
    for (int i = 0, used = 0; i < ICSEG_CLASS_TABLES; i++)
        used += snprintf(known + used, sizeof known - (size_t)used, "%s%s", i ? ", " : "", icseg_class_tables[i].name);
    return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "\"%.40s\" is not a published class list; the lists are %s", name,
                      known);
}

/* Whether `name` is the first of the synonyms, or all of them. */
static bool is_named(const icseg_class_entry *entry, const char *name) {
    size_t length = strlen(name);
    return !strncmp(entry->synonyms, name, length) && (entry->synonyms[length] == ',' || !entry->synonyms[length]);
}

icseg_status icseg_palette_create_for(icseg_palette *out, const char *const *names, int32_t classes,
                                      icseg_error *error) {
    ICSEG_NEED(out);
    *out = (icseg_palette){0};
    ICSEG_NEED(names);
    for (int32_t k = 0; k < classes; k++)
        if (!names[k]) return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "%s: names[%d] is NULL", __func__, k);
    ICSEG_TRY(icseg_palette_create(out, classes, error));
    bool ade20k = classes == ICSEG_ADE20K_CLASSES;
    for (int32_t k = 0; k < classes && ade20k; k++) ade20k = is_named(&icseg_classes_ade20k[k], names[k]);
    if (ade20k) memcpy(out->color, icseg_colors_ade20k, sizeof icseg_colors_ade20k);
    return ICSEG_OK;
}
