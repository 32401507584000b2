/* SPDX-License-Identifier: Apache-2.0
 * Recognises data sets by their folders. */
#include <stdio.h>

#include "base/file.h"
#include "dataset/internal.h"
#include "dataset/labelling_tools.h"

static bool has_folder(const char *folder, const char *below) {
    char path[4096];
    return snprintf(path, sizeof path, "%s/%s", folder, below) < (int)sizeof path && icseg_folder_exists(path);
}

static bool has_class_list(const char *folder) {
    char path[4096];
    return snprintf(path, sizeof path, "%s/classes.txt", folder) < (int)sizeof path && icseg_file_exists(path);
}

static bool fits(const char *folder, const icseg_dataset_layout *l) {
    char path[256];
    if (!has_folder(folder, l->image_root) || !has_folder(folder, l->label_root)) return false;
    if (l->list_root) return has_folder(folder, l->list_root);
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", l->label_root, l->splits[i]);
        if (has_folder(folder, path)) return true;
    }
    return false;
}

const icseg_dataset_layout *icseg_dataset_recognise(const char *folder) {
    const icseg_dataset_layout *own = &icseg_dataset_layouts[ICSEG_LAYOUT_FOLDER];
    if (has_class_list(folder)) return own;
    for (int i = ICSEG_LAYOUT_FOLDER + 1; i < ICSEG_LAYOUTS; i++)
        if (fits(folder, &icseg_dataset_layouts[i])) return &icseg_dataset_layouts[i];
    return own;
}

/* ---- errors ---- */

icseg_status icseg_dataset_fail_folder(const char *path, icseg_error *error) {
    return icseg_fail(error, ICSEG_ERROR_DATA, "%s: no such folder; a data set has %s", path,
                      icseg_dataset_format_layout(ICSEG_DATASET_FOLDER));
}

/* The edition of 2016 has ADE20K-Full's images in other folders and with other object ids. */
static bool is_ade20k_2016(const char *folder) {
    return has_folder(folder, "images/training") && !has_folder(folder, "annotations");
}

static icseg_status fail_ade20k_2016(const char *folder, icseg_error *error) {
    return icseg_fail(error, ICSEG_ERROR_DATA,
                      "%s: contains images/training but not annotations; this looks like the full ADE20K of 2016 "
                      "(ADE20K_2016_07_26), which is not supported; use SceneParsing 2016 (ADEChallengeData2016) for "
                      "150 classes or ADE20K_2021_17_01 for 847",
                      folder);
}

static icseg_status fail_layout(const char *folder, icseg_dataset_format format, icseg_error *error) {
    const char *name = icseg_dataset_format_name(format);
    const icseg_dataset_layout *found = icseg_dataset_recognise(folder);
    if (found->format != ICSEG_DATASET_FOLDER)
        return icseg_fail_field(error, ICSEG_ERROR_DATA, "format", ICSEG_REMEDY_SET_FIELD,
                                "%s: this is %s, not %s; set the format to %s", folder, found->title, name,
                                icseg_dataset_format_name(found->format));
    if (is_ade20k_2016(folder)) return fail_ade20k_2016(folder, error);
    return icseg_fail_field(error, ICSEG_ERROR_DATA, "format", ICSEG_REMEDY_SET_FIELD,
                            "%s: does not have the layout of %s: %s", folder, name,
                            icseg_dataset_format_layout(format));
}

icseg_status icseg_dataset_check_folder(const char *folder, bool needs_labels, bool needs_classes, icseg_error *error) {
    static const char *const others[] = {"masks", "labels", "annotation", "mask", "gtFine", "SegmentationClass"};
    bool images = has_folder(folder, "images"), labels = !needs_labels || has_folder(folder, "annotations");
    bool classes = !needs_classes || has_class_list(folder);
    if (images && labels && classes) return ICSEG_OK;
    icseg_import_format format;
    ICSEG_TRY(icseg_labelling_tool_recognise(folder, &format, error));
    if (format != ICSEG_IMPORT_AUTO && format != ICSEG_IMPORT_MASKS) /* its remedies are below */
        return icseg_fail_field(error, ICSEG_ERROR_DATA, NULL, ICSEG_REMEDY_IMPORT_DATASET,
                                "%s: contains files of a labelling tool (%s), not a data set; import them first",
                                folder, icseg_labelling_tools[format].name);
    const char *instead = NULL;
    for (size_t i = 0; i < sizeof others / sizeof *others && !labels && !instead; i++)
        if (has_folder(folder, others[i])) instead = others[i];
    if (images && !labels && instead)
        return icseg_fail_field(error, ICSEG_ERROR_DATA, NULL, ICSEG_REMEDY_IMPORT_DATASET,
                                "%s: label files belong in annotations; rename the folder %s, or import the files",
                                folder, instead);
    if (!images || !labels)
        return icseg_fail(error, ICSEG_ERROR_DATA, "%s/%s: no such folder; a data set has %s", folder,
                          images ? "annotations" : "images", icseg_dataset_format_layout(ICSEG_DATASET_FOLDER));
    return icseg_fail_field(error, ICSEG_ERROR_DATA, "classes_file", ICSEG_REMEDY_SET_FIELD,
                            "%s/classes.txt: no such file; write the class names there, one per line, in the order of "
                            "their label values, or specify another class list",
                            folder);
}

icseg_status icseg_dataset_find_plain(const char **labels, const icseg_dataset_options *o, icseg_error *error) {
    static const char *const names[] = {"masks", "mask", "labels"};
    icseg_import_format format;
    *labels = NULL;
    if (has_folder(o->folder, "annotations") || !has_folder(o->folder, "images")) return ICSEG_OK;
    if (!o->classes_file && !has_class_list(o->folder)) return ICSEG_OK;
    ICSEG_TRY(icseg_labelling_tool_recognise(o->folder, &format, error));
    for (size_t i = 0; i < sizeof names / sizeof *names && format == ICSEG_IMPORT_MASKS && !*labels; i++)
        if (has_folder(o->folder, names[i])) *labels = names[i];
    return ICSEG_OK;
}

/* ---- the layout ---- */

static icseg_status find_any(const icseg_dataset_layout **out, const icseg_dataset_options *o, icseg_error *error) {
    if ((*out)->format != ICSEG_DATASET_FOLDER || o->classes_file) return ICSEG_OK;
    if (!has_class_list(o->folder) && is_ade20k_2016(o->folder)) return fail_ade20k_2016(o->folder, error);
    return icseg_dataset_check_folder(o->folder, !o->images_only, !o->images_only, error);
}

static icseg_status find_folder(const icseg_dataset_layout **out, const icseg_dataset_options *o, icseg_error *error) {
    if ((*out)->format != ICSEG_DATASET_FOLDER && !o->classes_file && !o->images_only)
        return icseg_fail_field(error, ICSEG_ERROR_DATA, "format", ICSEG_REMEDY_SET_FIELD,
                                "%s: classes.txt is missing; this is %s, so set the format to %s", o->folder,
                                (*out)->title, icseg_dataset_format_name((*out)->format));
    *out = &icseg_dataset_layouts[ICSEG_LAYOUT_FOLDER];
    return icseg_dataset_check_folder(o->folder, !o->images_only, !o->images_only && !o->classes_file, error);
}

icseg_status icseg_dataset_find_layout(const icseg_dataset_layout **out, const icseg_dataset_options *o,
                                       icseg_error *error) {
    if ((unsigned)o->format >= ICSEG_DATASET_FORMATS)
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "format", ICSEG_REMEDY_SET_FIELD,
                                "format: is %d: not a value of icseg_dataset_format", (int)o->format);
    if (!icseg_folder_exists(o->folder)) return icseg_dataset_fail_folder(o->folder, error);
    *out = icseg_dataset_recognise(o->folder);
    if (o->format == ICSEG_DATASET_AUTO) return find_any(out, o, error);
    if (o->format == ICSEG_DATASET_FOLDER) return find_folder(out, o, error);
    for (int i = ICSEG_LAYOUT_FOLDER + 1; i < ICSEG_LAYOUTS; i++)
        if (icseg_dataset_layouts[i].format == o->format && fits(o->folder, &icseg_dataset_layouts[i])) {
            *out = &icseg_dataset_layouts[i];
            return ICSEG_OK;
        }
    return fail_layout(o->folder, o->format, error);
}
