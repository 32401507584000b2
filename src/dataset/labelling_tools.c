/* SPDX-License-Identifier: Apache-2.0
 * The labelling tools, and the files by which each is recognised. */
#include "dataset/labelling_tools.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

static bool has(const char *source, const char *name) {
    char path[PATH_MAX];
    return snprintf(path, sizeof path, "%s/%s", source, name) < (int)sizeof path &&
           (icseg_folder_exists(path) || icseg_file_exists(path));
}

/* Whether the file contains the key. Reads it in blocks, each preceded by the end of the previous one, because COCO
 * files may have gigabytes. */
static bool contains(const char *path, const char *key, icseg_error *error) {
    enum { BLOCK = 1 << 16, MAX_KEY = 32 };
    char buffer[MAX_KEY + BLOCK];
    size_t kept = 0, length = strlen(key), step;
    bool found = false;
    icseg_file_reader *file;
    if (icseg_file_reader_open(&file, path, error) != ICSEG_OK) return false;
    size_t size = icseg_file_reader_size(file);
    for (size_t at = 0; at < size && !found; at += step) {
        step = size - at < BLOCK ? size - at : BLOCK;
        if (icseg_file_reader_read(file, at, buffer + kept, step, error) != ICSEG_OK) break;
        found = memmem(buffer, kept + step, key, length) != NULL;
        size_t filled = kept + step;
        kept = filled < length - 1 ? filled : length - 1;
        memmove(buffer, buffer + filled - kept, kept);
    }
    icseg_file_reader_close(&file);
    return found;
}

static bool is_json(const char *name) { return !strcmp(icseg_path_extension(name), "json"); }

static bool fits_voc(const char *source, icseg_error *error) {
    (void)error;
    return has(source, "SegmentationClass");
}

static bool fits_cvat(const char *source, icseg_error *error) {
    (void)error;
    return has(source, "SegmentationClass") && has(source, "labelmap.txt");
}

static bool fits_yolo(const char *source, icseg_error *error) {
    (void)error;
    return has(source, "data.yaml") || has(source, "data.yml") || has(source, "dataset.yaml") ||
           has(source, "labels") || has(source, "train/labels");
}

/* Whether the first JSON file of the folder contains the key; instances*.json come first. *any: there is a JSON file.
 */
static bool first_json_contains(const char *folder, const char *key, bool *any, icseg_error *error) {
    char path[PATH_MAX], **names = NULL;
    size_t count = 0, first;
    *any = false;
    if (!icseg_folder_exists(folder) || icseg_folder_list(folder, &names, &count, error) != ICSEG_OK) return false;
    first = count;
    for (size_t i = count; i-- > 0;)
        if (is_json(names[i])) first = i;
    for (size_t i = count; i-- > 0;)
        if (is_json(names[i]) && !strncmp(names[i], "instances", 9)) first = i;
    *any = first < count;
    bool found = *any && snprintf(path, sizeof path, "%s/%s", folder, names[first]) < (int)sizeof path &&
                 contains(path, key, error);
    icseg_free(names);
    return found;
}

/* LabelMe's JSON files do not contain COCO's list "categories". */
static bool fits_coco(const char *source, icseg_error *error) {
    static const char *const files[] = {"train/_annotations.coco.json", "valid/_annotations.coco.json",
                                        "val/_annotations.coco.json", "test/_annotations.coco.json"};
    static const char key[] = "\"categories\"";
    char path[PATH_MAX];
    bool any;
    if (icseg_file_exists(source)) return contains(source, key, error);
    if (snprintf(path, sizeof path, "%s/annotations", source) >= (int)sizeof path) return false;
    if (first_json_contains(path, key, &any, error)) return true;
    if (any) return false;
    if (first_json_contains(source, key, &any, error)) return true;
    for (size_t i = 0; !any && i < sizeof files / sizeof *files; i++)
        if (snprintf(path, sizeof path, "%s/%s", source, files[i]) < (int)sizeof path && icseg_file_exists(path))
            return contains(path, key, error);
    return false;
}

static bool fits_labelme(const char *source, icseg_error *error) {
    char path[PATH_MAX], **names = NULL;
    size_t count = 0;
    bool found = false;
    if (!icseg_folder_exists(source) || icseg_folder_list(source, &names, &count, error) != ICSEG_OK) return false;
    for (size_t i = 0; i < count && !found; i++)
        found = is_json(names[i]) && snprintf(path, sizeof path, "%s/%s", source, names[i]) < (int)sizeof path &&
                contains(path, "\"shapes\"", error);
    icseg_free(names);
    return found;
}

const icseg_labelling_tool icseg_labelling_tools[ICSEG_IMPORT_FORMATS] = {
    [ICSEG_IMPORT_AUTO] = {"auto", "recognised by its files", NULL},
    [ICSEG_IMPORT_VOC] = {"voc", "Pascal VOC (SegmentationClass)", fits_voc},
    [ICSEG_IMPORT_CVAT] = {"cvat", "CVAT's segmentation mask (labelmap.txt)", fits_cvat},
    [ICSEG_IMPORT_COCO] = {"coco", "COCO (instances JSON)", fits_coco},
    [ICSEG_IMPORT_LABELME] = {"labelme", "LabelMe (a JSON file for each image)", fits_labelme},
    [ICSEG_IMPORT_YOLO] = {"yolo", "YOLO segmentation (data.yaml and labels)", fits_yolo},
};

icseg_status icseg_labelling_tool_recognise(const char *source, icseg_import_format *out, icseg_error *error) {
    /* CVAT before VOC: both have the same folders. */
    static const icseg_import_format order[] = {ICSEG_IMPORT_CVAT, ICSEG_IMPORT_VOC, ICSEG_IMPORT_COCO,
                                                ICSEG_IMPORT_YOLO, ICSEG_IMPORT_LABELME};
    icseg_error unread = {0};
    *out = ICSEG_IMPORT_AUTO;
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        icseg_error failure = {0}; /* a file that cannot be read does not show the format */
        bool fits = icseg_labelling_tools[order[i]].fits(source, &failure);
        if (failure.status == ICSEG_ERROR_MEMORY) return icseg_fail_memory_in(error, 0, source);
        if (failure.status != ICSEG_OK && unread.status == ICSEG_OK) unread = failure;
        if (!fits) continue;
        *out = order[i];
        return ICSEG_OK;
    }
    return unread.status == ICSEG_OK ? ICSEG_OK : icseg_fail(error, unread.status, "%s", unread.message);
}
