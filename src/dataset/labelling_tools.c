/* SPDX-License-Identifier: Apache-2.0
 * The labelling tools, and the files by which each is recognised. */
#include "dataset/labelling_tools.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "dataset/text_lines.h"
#include "image/codec.h"

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

static bool has_type(const char *name, const char *const *types) {
    while (*types && strcasecmp(icseg_path_extension(name), *types) != 0) types++;
    return *types != NULL;
}

/* Whether the folder, or one inside it, contains a file of one of the types, other than classes.txt. */
static bool contains_type(const char *folder, const char *const *types, int depth, icseg_error *error) {
    enum { MAX_DEPTH = 16 };
    char path[PATH_MAX];
    const char *name = NULL;
    bool found = false, is_folder;
    DIR *dir;
    if (depth > MAX_DEPTH || !icseg_folder_exists(folder)) return false;
    if (icseg_folder_open(&dir, folder, error) != ICSEG_OK) return false;
    while (!found && icseg_folder_next(dir, folder, &name, error) == ICSEG_OK && name) {
        if (name[0] == '.' || !strcmp(name, "classes.txt")) continue;
        found = has_type(name, types);
        if (found || icseg_folder_is(dir, folder, name, S_IFDIR, &is_folder, error) != ICSEG_OK || !is_folder) continue;
        if (snprintf(path, sizeof path, "%s/%s", folder, name) < (int)sizeof path)
            found = contains_type(path, types, depth + 1, error);
    }
    closedir(dir);
    return found;
}

/* Whether each line is a class number and at least two points in fractions of the image. *any: there is a line. */
static bool is_yolo_text(char *text, size_t size, bool *any) {
    icseg_text_lines lines = icseg_text_lines_of((unsigned char *)text, size);
    for (char *line; (line = icseg_text_lines_next(&lines));) {
        int64_t class = -1;
        size_t numbers = 0;
        char *rest = NULL;
        for (char *word = strtok_r(line, " \t", &rest); word; word = strtok_r(NULL, " \t", &rest), numbers++) {
            double fraction = 0;
            bool valid = numbers ? icseg_parse_f64(word, &fraction) && fraction >= -0.1 && fraction <= 1.1
                                 : icseg_parse_between(word, 0, INT16_MAX, &class);
            if (!valid) return false;
        }
        if (numbers && (numbers < 5 || numbers % 2 == 0)) return false;
        *any |= numbers > 0;
    }
    return true;
}

/* Whether the text file is one of YOLO's and beside an image of its name. */
static bool is_yolo_label(const char *folder, const char *name, bool *any, icseg_error *error) {
    enum { MAX_TEXT = 64 << 20 };
    char path[PATH_MAX];
    unsigned char *text;
    size_t size;
    int stem = (int)(strlen(name) - strlen("txt"));
    bool image = false;
    for (const char *const *type = icseg_image_types; *type && !image; type++)
        image = snprintf(path, sizeof path, "%s/%.*s%s", folder, stem, name, *type) < (int)sizeof path &&
                icseg_file_exists(path);
    if (!image || snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path) return false;
    if (icseg_file_read_text(path, MAX_TEXT, &text, &size, error) != ICSEG_OK) return false;
    bool valid = is_yolo_text((char *)text, size, any);
    icseg_free(text);
    return valid;
}

/* Images and label files side by side. Text files may be anything, so each of them must be a label file. */
static bool is_flat_yolo(const char *folder, icseg_error *error) {
    char **names = NULL;
    size_t count = 0;
    bool valid = true, any = false;
    if (!icseg_folder_exists(folder) || icseg_folder_list(folder, &names, &count, error) != ICSEG_OK) return false;
    for (size_t i = 0; i < count && valid; i++)
        if (names[i][0] != '.' && !strcmp(icseg_path_extension(names[i]), "txt") &&
            strcmp(names[i], "classes.txt") != 0)
            valid = is_yolo_label(folder, names[i], &any, error);
    icseg_free(names);
    return valid && any;
}

static bool fits_yolo(const char *source, icseg_error *error) {
    static const char *const files[] = {"data.yaml", "data.yml", "dataset.yaml"};
    static const char *const folders[] = {"labels", "train/labels", "valid/labels", "val/labels"};
    static const char *const types[] = {"txt", NULL};
    char path[PATH_MAX];
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (snprintf(path, sizeof path, "%s/%s", source, files[i]) < (int)sizeof path && icseg_file_exists(path) &&
            contains(path, "names", error))
            return true;
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        if (snprintf(path, sizeof path, "%s/%s", source, folders[i]) < (int)sizeof path &&
            contains_type(path, types, 0, error))
            return true;
    return is_flat_yolo(source, error);
}

/* LabelMe's JSON files do not contain the list "categories", and Label Studio's notes.json no "annotations". */
static bool is_coco(const char *path, icseg_error *error) {
    return contains(path, "\"categories\"", error) && contains(path, "\"annotations\"", error);
}

/* Whether the first JSON file of the folder is COCO's; instances*.json come first. *any: there is a JSON file. */
static bool first_json_is_coco(const char *folder, bool *any, icseg_error *error) {
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
    bool found =
        *any && snprintf(path, sizeof path, "%s/%s", folder, names[first]) < (int)sizeof path && is_coco(path, error);
    icseg_free(names);
    return found;
}

static bool fits_coco(const char *source, icseg_error *error) {
    static const char *const files[] = {"train/_annotations.coco.json", "valid/_annotations.coco.json",
                                        "val/_annotations.coco.json", "test/_annotations.coco.json"};
    char path[PATH_MAX];
    bool any;
    if (icseg_file_exists(source)) return is_coco(source, error);
    if (snprintf(path, sizeof path, "%s/annotations", source) >= (int)sizeof path) return false;
    if (first_json_is_coco(path, &any, error)) return true;
    if (any) return false;
    if (first_json_is_coco(source, &any, error)) return true;
    for (size_t i = 0; !any && i < sizeof files / sizeof *files; i++)
        if (snprintf(path, sizeof path, "%s/%s", source, files[i]) < (int)sizeof path && icseg_file_exists(path))
            return is_coco(path, error);
    return false;
}

/* JSON, or JSON_MIN. */
static bool is_label_studio(const char *path, icseg_error *error) {
    if (contains(path, "\"annotation_id\"", error) && contains(path, "\"original_width\"", error)) return true;
    return contains(path, "\"annotations\"", error) && contains(path, "\"result\"", error) &&
           contains(path, "\"data\"", error);
}

/* "shapes" may also be the name of a class. */
static bool is_labelme(const char *path, icseg_error *error) {
    return contains(path, "\"shapes\"", error) && !is_coco(path, error) && !is_label_studio(path, error);
}

/* Whether a JSON file of the folder, or of one inside it, is LabelMe's. */
static bool contains_labelme(const char *folder, int depth, icseg_error *error) {
    enum { MAX_DEPTH = 3 };
    char path[PATH_MAX];
    const char *name = NULL;
    bool found = false, is_folder;
    DIR *dir;
    if (depth > MAX_DEPTH || !icseg_folder_exists(folder)) return false;
    if (icseg_folder_open(&dir, folder, error) != ICSEG_OK) return false;
    while (!found && icseg_folder_next(dir, folder, &name, error) == ICSEG_OK && name) {
        if (name[0] == '.' || snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path) continue;
        if (icseg_folder_is(dir, folder, name, S_IFDIR, &is_folder, error) != ICSEG_OK) continue;
        found = is_folder ? contains_labelme(path, depth + 1, error) : is_json(name) && is_labelme(path, error);
    }
    closedir(dir);
    return found;
}

static bool fits_labelme(const char *source, icseg_error *error) { return contains_labelme(source, 0, error); }

static bool fits_roboflow(const char *source, icseg_error *error) {
    (void)error;
    return has(source, "train/_classes.csv") || has(source, "valid/_classes.csv") || has(source, "test/_classes.csv");
}

static bool fits_cityscapes(const char *source, icseg_error *error) {
    (void)error;
    return has(source, "leftImg8bit") && has(source, "gtFine");
}

static bool fits_mmseg(const char *source, icseg_error *error) {
    (void)error;
    return has(source, "img_dir") && has(source, "ann_dir");
}

static bool fits_mapillary(const char *source, icseg_error *error) {
    (void)error;
    return has(source, "training/images") &&
           (has(source, "config.json") || has(source, "config_v1.2.json") || has(source, "config_v2.0.json"));
}

static bool fits_cvat_xml(const char *source, icseg_error *error) {
    char path[PATH_MAX];
    if (icseg_file_exists(source))
        return !strcmp(icseg_path_extension(source), "xml") && contains(source, "<annotations>", error);
    return snprintf(path, sizeof path, "%s/annotations.xml", source) < (int)sizeof path && icseg_file_exists(path) &&
           contains(path, "<annotations>", error);
}

/* The PNG export: "task-1-annotation-2-by-3-tag-road-0.png". */
static bool is_studio_mask(const char *name) {
    size_t digits = !strncmp(name, "task-", 5) ? strspn(name + 5, "0123456789") : 0;
    return digits && !strncmp(name + 5 + digits, "-annotation-", 12) && !strcmp(icseg_path_extension(name), "png");
}

static bool fits_label_studio(const char *source, icseg_error *error) {
    char path[PATH_MAX], **names = NULL;
    size_t count = 0;
    bool found = false;
    if (icseg_file_exists(source)) return is_label_studio(source, error);
    if (!icseg_folder_exists(source) || icseg_folder_list(source, &names, &count, error) != ICSEG_OK) return false;
    for (size_t i = 0; i < count && !found; i++)
        found = is_studio_mask(names[i]) ||
                (is_json(names[i]) && snprintf(path, sizeof path, "%s/%s", source, names[i]) < (int)sizeof path &&
                 is_label_studio(path, error));
    icseg_free(names);
    return found;
}

static bool fits_supervisely(const char *source, icseg_error *error) {
    char path[PATH_MAX];
    return snprintf(path, sizeof path, "%s/meta.json", source) < (int)sizeof path && icseg_file_exists(path) &&
           contains(path, "\"classes\"", error);
}

static bool fits_geojson(const char *source, icseg_error *error) {
    static const char *const types[] = {"geojson", NULL};
    if (icseg_file_exists(source)) return !strcmp(icseg_path_extension(source), "geojson");
    return contains_type(source, types, 0, error);
}

/* The last to be tried: masks are files that other tools have too. Images with annotations are a data set. */
static bool fits_masks(const char *source, icseg_error *error) {
    static const char *const folders[] = {"masks", "mask", "labels", "train/masks", "train/mask", "train/labels"};
    static const char *const types[] = {"png", "tif", "tiff", "bmp", "gif", "pgm", NULL};
    char path[PATH_MAX];
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        if (has(source, i < 3 ? "images" : "train/images") &&
            snprintf(path, sizeof path, "%s/%s", source, folders[i]) < (int)sizeof path &&
            contains_type(path, types, 0, error))
            return true;
    return false;
}

const icseg_labelling_tool icseg_labelling_tools[ICSEG_IMPORT_FORMATS] = {
    [ICSEG_IMPORT_AUTO] = {"auto", "recognised by its files", NULL},
    [ICSEG_IMPORT_VOC] = {"voc", "Pascal VOC (SegmentationClass)", fits_voc},
    [ICSEG_IMPORT_CVAT] = {"cvat", "CVAT's segmentation mask (labelmap.txt)", fits_cvat},
    [ICSEG_IMPORT_COCO] = {"coco", "COCO (instances JSON)", fits_coco},
    [ICSEG_IMPORT_LABELME] = {"labelme", "LabelMe (a JSON file for each image)", fits_labelme},
    [ICSEG_IMPORT_YOLO] = {"yolo", "YOLO segmentation (data.yaml and labels)", fits_yolo},
    [ICSEG_IMPORT_ROBOFLOW] = {"roboflow", "Roboflow's semantic masks (_classes.csv)", fits_roboflow},
    [ICSEG_IMPORT_CITYSCAPES] = {"cityscapes", "Cityscapes (leftImg8bit and gtFine)", fits_cityscapes},
    [ICSEG_IMPORT_MMSEG] = {"mmseg", "mmsegmentation's folders (img_dir and ann_dir)", fits_mmseg},
    [ICSEG_IMPORT_MAPILLARY] = {"mapillary", "Mapillary Vistas (training/images and config.json)", fits_mapillary},
    [ICSEG_IMPORT_CVAT_XML] = {"cvat-xml", "CVAT for images 1.1 (annotations.xml)", fits_cvat_xml},
    [ICSEG_IMPORT_LABEL_STUDIO] = {"label-studio", "Label Studio (JSON, JSON_MIN, PNG)", fits_label_studio},
    [ICSEG_IMPORT_SUPERVISELY] = {"supervisely", "Supervisely (meta.json)", fits_supervisely},
    [ICSEG_IMPORT_GEOJSON] = {"geojson", "GeoJSON in pixels (as QuPath exports it)", fits_geojson},
    [ICSEG_IMPORT_MASKS] = {"masks", "images with masks (images and masks)", fits_masks},
};

/* CVAT before VOC: both have the same folders. */
static const icseg_import_format order[] = {ICSEG_IMPORT_CVAT,         ICSEG_IMPORT_VOC,         ICSEG_IMPORT_ROBOFLOW,
                                            ICSEG_IMPORT_CITYSCAPES,   ICSEG_IMPORT_MMSEG,       ICSEG_IMPORT_MAPILLARY,
                                            ICSEG_IMPORT_CVAT_XML,     ICSEG_IMPORT_SUPERVISELY, ICSEG_IMPORT_COCO,
                                            ICSEG_IMPORT_LABEL_STUDIO, ICSEG_IMPORT_YOLO,        ICSEG_IMPORT_LABELME,
                                            ICSEG_IMPORT_GEOJSON,      ICSEG_IMPORT_MASKS};
enum { ORDERED = sizeof order / sizeof *order };

/* The first format from `*at` on that fits; *at is its place in the order, or ORDERED. *unread: the error of a file
 * that cannot be read, which does not show the format. */
static icseg_status find_fitting(const char *source, size_t *at, icseg_error *unread, icseg_error *error) {
    for (; *at < ORDERED; (*at)++) {
        icseg_error failure = {0};
        bool fits = icseg_labelling_tools[order[*at]].fits(source, &failure);
        if (failure.status == ICSEG_ERROR_MEMORY) return icseg_fail_memory_in(error, 0, source);
        if (failure.status != ICSEG_OK && unread->status == ICSEG_OK) *unread = failure;
        if (fits) break;
    }
    return ICSEG_OK;
}

icseg_status icseg_labelling_tool_recognise(const char *source, icseg_import_format *out, icseg_error *error) {
    icseg_error unread = {0};
    size_t at = 0;
    ICSEG_TRY(find_fitting(source, &at, &unread, error));
    *out = at < ORDERED ? order[at] : ICSEG_IMPORT_AUTO;
    if (at < ORDERED || unread.status == ICSEG_OK) return ICSEG_OK;
    return icseg_fail(error, unread.status, "%s", unread.message);
}

/* Data sets of these layouts contain many thousands of JSON files of their own, which are not searched. */
static bool is_large(icseg_import_format format) {
    return format == ICSEG_IMPORT_CITYSCAPES || format == ICSEG_IMPORT_MAPILLARY || format == ICSEG_IMPORT_SUPERVISELY;
}

/* CVAT's masks are in the folders of VOC. */
static bool are_other(icseg_import_format first, icseg_import_format second) {
    return second != ICSEG_IMPORT_AUTO && second != first &&
           !(first == ICSEG_IMPORT_CVAT && second == ICSEG_IMPORT_VOC);
}

/* Looks into the folders of the source, each of which may be the export of another tool. */
static icseg_status find_other_below(const char *source, icseg_import_format first, icseg_import_format *out,
                                     icseg_error *error) {
    icseg_status status;
    char path[PATH_MAX];
    const char *name = NULL;
    DIR *dir;
    ICSEG_TRY(icseg_folder_open(&dir, source, error));
    while ((status = icseg_folder_next(dir, source, &name, error)) == ICSEG_OK && name) {
        icseg_import_format format;
        icseg_error unread = {0};
        if (name[0] == '.' || snprintf(path, sizeof path, "%s/%s", source, name) >= (int)sizeof path) continue;
        if (!icseg_folder_exists(path)) continue;
        if (icseg_labelling_tool_recognise(path, &format, &unread) == ICSEG_ERROR_MEMORY) {
            status = icseg_fail_memory_in(error, 0, path);
            break;
        }
        if (unread.status == ICSEG_OK && are_other(first, format)) {
            *out = format;
            break;
        }
    }
    closedir(dir);
    return status;
}

icseg_status icseg_labelling_tool_find_other(const char *source, icseg_import_format first, icseg_import_format *out,
                                             icseg_error *error) {
    icseg_error unread = {0};
    size_t at = 0;
    *out = ICSEG_IMPORT_AUTO;
    if (!icseg_folder_exists(source) || is_large(first)) return ICSEG_OK;
    while (at < ORDERED && order[at] != first) at++;
    at += first == ICSEG_IMPORT_CVAT ? 2 : 1;
    ICSEG_TRY(find_fitting(source, &at, &unread, error));
    if (at < ORDERED) return *out = order[at], ICSEG_OK;
    return find_other_below(source, first, out, error);
}
