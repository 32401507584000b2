/* SPDX-License-Identifier: Apache-2.0
 * Sources in which each image has a mask of class numbers: Cityscapes, mmsegmentation's folders, Mapillary Vistas,
 * Roboflow's semantic masks, and plain folders of images and masks. They differ in where the files are, in how the
 * names of image and mask differ, and in the meaning of the numbers. */
#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "classes/class_list.h"
#include "dataset/formats.h"
#include "dataset/text_lines.h"
#include "dataset/value_map.h"
#include "image/codec.h"
#include "importers/internal.h"

enum { VALUES = ICSEG_LABEL_VALUES, MAX_TEXT = 16 << 20, INVALID = ICSEG_LABEL_INVALID, WHITE = 255 };

static const char *const mask_types[] = {"png", "tif", "tiff", "bmp", "gif", "pgm", NULL};

/* One folder of images and the folder of their masks; both are below the source. */
typedef struct pair_folder {
    const char *split, *images, *masks;
    const char *image_suffix; /* of image stems; removed to find the mask and to name the new files */
    const char *mask_suffix;  /* of mask stems */
    const char *other_suffix; /* if the mask with mask_suffix is missing; NULL: none */
} pair_folder;

typedef struct pairs {
    icseg_import *im;
    const char *meaning; /* of the numbers, for messages: "classes.txt" */
    icseg_import_declared declared;
    int16_t *label;          /* (VALUES): of each number; INVALID: not a class */
    int16_t *other_label;    /* of masks with other_suffix; NULL: the same */
    bool mapped;             /* the caller's map was applied to `label` */
    icseg_import_texts used; /* masks of images */
    bool has_others;         /* values other than 0 and 255 occur */
    const char *white;       /* the first mask with 0 and 255 whose 255 is ignored; NULL: none */
} pairs;

/* ---- the meaning of the numbers ---- */

static icseg_status open_numbers(pairs *p, int16_t **out, icseg_error *error) {
    *out = icseg_arena_array(p->im->arena, VALUES, sizeof **out);
    if (!*out) return icseg_fail_memory(error, VALUES * sizeof **out, "label values");
    icseg_value_map_fill(*out, INVALID);
    return ICSEG_OK;
}

static icseg_status set_name(pairs *p, int64_t value, const char *name, icseg_error *error) {
    int32_t label;
    ICSEG_TRY(icseg_import_declare(p->im, &p->declared, name, p->meaning, &label, error));
    p->label[value] = (int16_t)label;
    return ICSEG_OK;
}

/* Classes 0, 1, ... of the caller's list or of FOLDER/classes.txt; 255 is unlabelled. */
static icseg_status read_class_list(pairs *p, icseg_error *error) {
    icseg_import *im = p->im;
    char **names = im->names, *list = icseg_arena_printf(im->arena, "%s/classes.txt", im->options->source);
    int32_t count = im->classes;
    if (!list) return icseg_fail_memory(error, 0, im->options->source);
    p->meaning = im->fixed ? im->options->classes_file : list;
    if (!im->fixed) {
        bool found;
        ICSEG_TRY(icseg_path_find(list, S_IFREG, &found, error));
        if (!found)
            return icseg_fail_field(error, ICSEG_ERROR_DATA, "classes_file", ICSEG_REMEDY_SET_FIELD,
                                    "%s: no classes.txt with the class names, one per line, in the order of the values "
                                    "in the masks; add it, or specify a class list",
                                    im->options->source);
        ICSEG_TRY(icseg_classes_read(im->arena, list, &names, &count, error));
    }
    ICSEG_TRY(open_numbers(p, &p->label, error));
    p->label[255] = p->label[65535] = ICSEG_LABEL_IGNORE;
    for (int32_t k = 0; k < count; k++) ICSEG_TRY(set_name(p, k, names[k], error));
    return ICSEG_OK;
}

/* ---- one pair ---- */

/* Masks of one class often have only the values 0 and 255. Only all masks together show it: in other sets, 255 is void
 * and some masks happen to have a single class. */
static icseg_status note_values(pairs *p, const char *path, const icseg_mask *mask, bool ignored, icseg_error *error) {
    size_t pixels = (size_t)mask->width * (size_t)mask->height, black = 0, white = 0;
    for (size_t i = 0; i < pixels; i++) {
        black += mask->data[i] == 0;
        white += mask->data[i] == WHITE;
    }
    p->has_others |= black + white < pixels;
    if (!white || !ignored || p->white) return ICSEG_OK;
    p->white = icseg_arena_strdup(p->im->arena, path);
    return p->white ? ICSEG_OK : icseg_fail_memory_in(error, 0, path);
}

static icseg_status check_values(const pairs *p, icseg_error *error) {
    if (!p->white || p->has_others) return ICSEG_OK;
    return icseg_fail_field(error, ICSEG_ERROR_DATA, "map", ICSEG_REMEDY_SET_FIELD,
                            "%s: contains only 0 and 255, as all masks do, and 255 means unlabelled; map it to a class "
                            "(255=1)",
                            p->white);
}

static icseg_status fail_number(const pairs *p, const char *path, const icseg_mask *mask, size_t at,
                                icseg_error *error) {
    return icseg_fail_field(error, ICSEG_ERROR_DATA, "map", ICSEG_REMEDY_SET_FIELD,
                            "%s: value %d at x=%zu, y=%zu is not a class (%s); add its name to the class list, or map "
                            "it to another value (%d=1; 255 is unlabelled)",
                            path, mask->data[at], at % (size_t)mask->width, at / (size_t)mask->width, p->meaning,
                            mask->data[at]);
}

static icseg_status read_labels(pairs *p, const int16_t *label, const char *path, icseg_labels *out,
                                icseg_error *error) {
    icseg_mask mask;
    ICSEG_TRY(icseg_mask_read(&mask, path, error));
    size_t pixels = (size_t)mask.width * (size_t)mask.height;
    icseg_status status = icseg_labels_create(out, mask.width, mask.height, error);
    if (status == ICSEG_OK) status = note_values(p, path, &mask, label[WHITE] == ICSEG_LABEL_IGNORE, error);
    for (size_t i = 0; status == ICSEG_OK && i < pixels; i++) {
        out->data[i] = label[mask.data[i]];
        if (out->data[i] == INVALID) status = fail_number(p, path, &mask, i, error);
    }
    icseg_mask_close(&mask);
    return status;
}

/* *out NULL: missing. */
static icseg_status find_mask(const pairs *p, icseg_arena *arena, const pair_folder *f, const char *stem,
                              const char *suffix, char **out, icseg_error *error) {
    *out = NULL;
    for (const char *const *type = mask_types; suffix && *type; type++)
        for (int upper = 0; upper < 2; upper++) {
            bool found;
            char *path =
                icseg_arena_printf(arena, "%s/%s/%s%s.%s", p->im->options->source, f->masks, stem, suffix, *type);
            if (!path) return icseg_fail_memory_in(error, 0, stem);
            for (char *c = path + strlen(path) - strlen(*type); upper && *c; c++) *c = (char)toupper((unsigned char)*c);
            ICSEG_TRY(icseg_path_find(path, S_IFREG, &found, error));
            if (found) return *out = path, ICSEG_OK;
        }
    return ICSEG_OK;
}

/* name: of the image, below the folder of images. */
static icseg_status import_pair(pairs *p, icseg_arena *arena, const pair_folder *f, const char *name,
                                icseg_error *error) {
    size_t length = strlen(name) - strlen(icseg_path_extension(name)) - 1, suffix = strlen(f->image_suffix);
    char *image = icseg_arena_printf(arena, "%s/%s/%s", p->im->options->source, f->images, name);
    char *stem = icseg_arena_printf(arena, "%.*s", (int)(length - suffix), name), *mask;
    const int16_t *label = p->label;
    icseg_labels labels = {0};
    if (!image || !stem) return icseg_fail_memory_in(error, 0, name);
    ICSEG_TRY(find_mask(p, arena, f, stem, f->mask_suffix, &mask, error));
    if (!mask && f->other_suffix) {
        ICSEG_TRY(find_mask(p, arena, f, stem, f->other_suffix, &mask, error));
        if (p->other_label) label = p->other_label;
    }
    if (!mask)
        return icseg_fail(error, ICSEG_ERROR_DATA, "%s: its mask %s/%s%s.png%s%s%s%s is missing", image, f->masks, stem,
                          f->mask_suffix, f->other_suffix ? " or " : "", f->other_suffix ? icseg_path_name(stem) : "",
                          f->other_suffix ? f->other_suffix : "", f->other_suffix ? ".png" : "");
    ICSEG_TRY(icseg_import_add_text(&p->used, p->im->arena, mask, error));
    icseg_status status = read_labels(p, label, mask, &labels, error);
    char *new_name = icseg_arena_printf(arena, "%s.%s", stem, icseg_path_extension(name));
    if (status == ICSEG_OK && !new_name) status = icseg_fail_memory_in(error, 0, name);
    if (status == ICSEG_OK)
        status = icseg_import_write(
            p->im,
            &(icseg_import_item){.split = f->split, .name = new_name, .image = image, .source = mask, .ready = &labels},
            error);
    icseg_labels_close(&labels);
    return status;
}

static bool ends_with(const char *name, const char *suffix) {
    size_t length = strlen(name) - strlen(icseg_path_extension(name)) - 1, end = strlen(suffix);
    return length >= end && !strncmp(name + length - end, suffix, end);
}

/* Whether the file of a folder of images is an image of this source, and not a mask beside it. */
static bool is_image(const pair_folder *f, const char *name) {
    if (!ends_with(name, f->image_suffix)) return false;
    return strcmp(f->images, f->masks) != 0 || !ends_with(name, f->mask_suffix);
}

static icseg_status import_folder(pairs *p, const pair_folder *f, icseg_error *error) {
    const char *map = p->im->options->map;
    if (map && *map && !p->mapped) ICSEG_TRY(icseg_value_map_apply(map, p->label, error));
    p->mapped = true;
    char **names, *folder = icseg_arena_printf(p->im->arena, "%s/%s", p->im->options->source, f->images);
    size_t count;
    if (!folder) return icseg_fail_memory_in(error, 0, f->images);
    ICSEG_TRY(icseg_import_list_tree(p->im->arena, folder, icseg_image_types, &names, &count, error));
    for (size_t i = 0; i < count; i++) {
        icseg_arena *arena;
        if (!is_image(f, names[i])) continue;
        p->im->stage.total++;
        ICSEG_TRY(icseg_arena_open(&arena, error));
        icseg_status status = import_pair(p, arena, f, names[i], error);
        icseg_arena_close(&arena);
        ICSEG_TRY(icseg_import_problem(p->im, status, error));
    }
    return ICSEG_OK;
}

/* Masks of which the image is missing. Other files of the folder, such as colour images, are not masks. */
static icseg_status note_unused(pairs *p, const pair_folder *f, icseg_error *error) {
    char **names, *folder = icseg_arena_printf(p->im->arena, "%s/%s", p->im->options->source, f->masks);
    size_t count;
    if (!folder) return icseg_fail_memory_in(error, 0, f->masks);
    ICSEG_TRY(icseg_import_list_tree(p->im->arena, folder, mask_types, &names, &count, error));
    for (size_t i = 0; i < count; i++) {
        if (!ends_with(names[i], f->mask_suffix)) continue;
        if (!strcmp(f->images, f->masks) && !*f->mask_suffix) continue;
        char *path = icseg_arena_printf(p->im->arena, "%s/%s", folder, names[i]);
        if (!path) return icseg_fail_memory_in(error, 0, f->masks);
        if (!icseg_import_has_text(&p->used, path)) icseg_import_unused(p->im, path);
    }
    return ICSEG_OK;
}

static icseg_status import_folders(pairs *p, pair_folder *list, int count, icseg_error *error) {
    const char *split = p->im->options->split;
    icseg_status status = ICSEG_OK;
    p->im->one_split = true;
    for (int i = 1; i < count; i++) p->im->one_split &= !strcmp(list[i].split, list[0].split);
    for (int i = 0; i < count && status == ICSEG_OK; i++) {
        if (split && p->im->one_split) list[i].split = split;
        status = import_folder(p, &list[i], error);
    }
    icseg_import_sort_texts(&p->used);
    for (int i = 0; i < count && status == ICSEG_OK; i++) status = note_unused(p, &list[i], error);
    icseg_free(p->used.texts);
    return status == ICSEG_OK ? icseg_import_problem(p->im, check_values(p, error), error) : status;
}

/* ---- the folders: FORMAT/SPLIT for each folder of splits ---- */

enum { MAX_FOLDERS = 16 };

static const char *new_split(const char *name) {
    static const char *const names[][2] = {
        {"training", "train"}, {"valid", "val"}, {"validation", "val"}, {"testing", "test"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(name, names[i][0])) return names[i][1];
    return name;
}

/* Adds the folders of the splits that exist: `images` and `masks` are formats of the split's name. */
static icseg_status add_splits(const pairs *p, const char *const *splits, const char *images, const char *masks,
                               pair_folder like, pair_folder *list, int *count, icseg_error *error) {
    icseg_arena *arena = p->im->arena;
    const char *source = p->im->options->source;
    for (; *splits && *count < MAX_FOLDERS; splits++) {
        bool found = false, masked = false;
        like.images = icseg_arena_printf(arena, images, *splits);
        like.masks = icseg_arena_printf(arena, masks, *splits);
        char *a = like.images ? icseg_arena_printf(arena, "%s/%s", source, like.images) : NULL;
        char *b = like.masks ? icseg_arena_printf(arena, "%s/%s", source, like.masks) : NULL;
        if (!a || !b) return icseg_fail_memory_in(error, 0, source);
        ICSEG_TRY(icseg_path_find(a, S_IFDIR, &found, error));
        ICSEG_TRY(icseg_path_find(b, S_IFDIR, &masked, error));
        like.split = new_split(*splits);
        if (found && masked) list[(*count)++] = like;
    }
    return ICSEG_OK;
}

/* ---- Cityscapes: leftImg8bit/SPLIT/CITY/NAME_leftImg8bit.png with gtFine/SPLIT/CITY/NAME_gtFine_labelTrainIds.png or
 * NAME_gtFine_labelIds.png (github.com/mcordts/cityscapesScripts, helpers/labels.py) ---- */

static const struct {
    const char *name;
    int32_t id; /* in labelIds; labelTrainIds has the position in this table */
} cityscapes[] = {{"road", 7},  {"sidewalk", 8},       {"building", 11},     {"wall", 12},       {"fence", 13},
                  {"pole", 17}, {"traffic light", 19}, {"traffic sign", 20}, {"vegetation", 21}, {"terrain", 22},
                  {"sky", 23},  {"person", 24},        {"rider", 25},        {"car", 26},        {"truck", 27},
                  {"bus", 28},  {"train", 31},         {"motorcycle", 32},   {"bicycle", 33}};
enum { CITYSCAPES_CLASSES = sizeof cityscapes / sizeof *cityscapes, CITYSCAPES_IDS = 34 };

icseg_status icseg_import_cityscapes(icseg_import *im, icseg_error *error) {
    static const char *const splits[] = {"train", "val", "test", "train_extra", NULL};
    pairs p = {.im = im, .meaning = "Cityscapes' classes"};
    pair_folder list[MAX_FOLDERS];
    int count = 0;
    ICSEG_TRY(open_numbers(&p, &p.label, error));
    ICSEG_TRY(open_numbers(&p, &p.other_label, error));
    for (int v = 0; v < CITYSCAPES_IDS; v++) p.other_label[v] = ICSEG_LABEL_IGNORE;
    for (int k = 0; k < CITYSCAPES_CLASSES; k++) {
        ICSEG_TRY(set_name(&p, k, cityscapes[k].name, error));
        p.other_label[cityscapes[k].id] = p.label[k];
    }
    p.label[255] = p.other_label[255] = ICSEG_LABEL_IGNORE;
    ICSEG_TRY(add_splits(&p, splits, "leftImg8bit/%s", "gtFine/%s",
                         (pair_folder){.image_suffix = "_leftImg8bit",
                                       .mask_suffix = "_gtFine_labelTrainIds",
                                       .other_suffix = "_gtFine_labelIds"},
                         list, &count, error));
    return import_folders(&p, list, count, error);
}

/* ---- mmsegmentation: img_dir/SPLIT with ann_dir/SPLIT ---- */

icseg_status icseg_import_mmseg(icseg_import *im, icseg_error *error) {
    static const char *const splits[] = {"train", "training", "val", "validation", "test", "testing", NULL};
    pairs p = {.im = im};
    pair_folder list[MAX_FOLDERS];
    int count = 0;
    ICSEG_TRY(read_class_list(&p, error));
    ICSEG_TRY(add_splits(&p, splits, "img_dir/%s", "ann_dir/%s",
                         (pair_folder){.image_suffix = "", .mask_suffix = "", .other_suffix = "_labelTrainIds"}, list,
                         &count, error));
    if (!count)
        list[count++] = (pair_folder){
            .split = "train", .images = "img_dir", .masks = "ann_dir", .image_suffix = "", .mask_suffix = ""};
    return import_folders(&p, list, count, error);
}

/* ---- plain folders: images with masks, without splits ---- */

icseg_status icseg_import_masks(icseg_import *im, icseg_error *error) {
    static const char *const folders[] = {"masks", "mask", "labels", "annotations", NULL};
    static const char *const splits[] = {"train", "training", "val", "valid", "validation", "test", NULL};
    pairs p = {.im = im};
    pair_folder list[MAX_FOLDERS];
    int count = 0;
    ICSEG_TRY(read_class_list(&p, error));
    for (const char *const *folder = folders; *folder && !count; folder++) {
        pair_folder like = {
            .split = "train", .images = "images", .image_suffix = "", .mask_suffix = "", .other_suffix = "_mask"};
        char *format = icseg_arena_printf(im->arena, "%s/%%s", *folder);
        char *other = icseg_arena_printf(im->arena, "%%s/%s", *folder);
        char *plain = icseg_arena_printf(im->arena, "%s/%s", im->options->source, *folder);
        bool found;
        if (!format || !other || !plain) return icseg_fail_memory_in(error, 0, im->options->source);
        ICSEG_TRY(add_splits(&p, splits, "images/%s", format, like, list, &count, error));
        ICSEG_TRY(add_splits(&p, splits, "%s/images", other, like, list, &count, error));
        ICSEG_TRY(icseg_path_find(plain, S_IFDIR, &found, error));
        like.masks = *folder;
        if (!count && found) list[count++] = like;
    }
    return import_folders(&p, list, count, error);
}

/* ---- Roboflow: SPLIT/NAME.jpg with SPLIT/NAME_mask.png and SPLIT/_classes.csv ---- */

/* "Pixel Value, Class" in the first line, then a number and a name on each. */
static icseg_status read_csv(pairs *p, const char *path, icseg_error *error) {
    unsigned char *text;
    size_t size;
    ICSEG_TRY(icseg_file_read_text(path, MAX_TEXT, &text, &size, error));
    icseg_text_lines lines = icseg_text_lines_of(text, size);
    icseg_status status = ICSEG_OK;
    for (char *line; status == ICSEG_OK && (line = icseg_text_lines_next(&lines));) {
        int64_t value;
        char *comma = strchr(line, ',');
        if (!*line || lines.number == 1) continue;
        if (comma) *comma = '\0';
        if (!comma || !icseg_parse_between(line, 0, VALUES - 1, &value))
            status = icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: line %zu: expected a pixel value and a class name",
                                path, lines.number);
        else
            status = set_name(p, value, comma + 1 + strspn(comma + 1, " "), error);
    }
    icseg_free(text);
    return status;
}

icseg_status icseg_import_roboflow(icseg_import *im, icseg_error *error) {
    static const char *const splits[] = {"train", "valid", "val", "test", NULL};
    icseg_status status = ICSEG_OK;
    pairs p = {.im = im};
    pair_folder list[MAX_FOLDERS];
    int count = 0;
    ICSEG_TRY(add_splits(&p, splits, "%s", "%s", (pair_folder){.image_suffix = "", .mask_suffix = "_mask"}, list,
                         &count, error));
    im->one_split = count == 1;
    for (int i = 0; i < count && status == ICSEG_OK; i++) { /* each split has its own numbers */
        char *csv = icseg_arena_printf(im->arena, "%s/%s/_classes.csv", im->options->source, list[i].images);
        if (!csv) return icseg_fail_memory_in(error, 0, im->options->source);
        p = (pairs){.im = im, .meaning = csv};
        ICSEG_TRY(open_numbers(&p, &p.label, error));
        ICSEG_TRY(read_csv(&p, csv, error));
        if (im->options->split && im->one_split) list[i].split = im->options->split;
        status = import_folder(&p, &list[i], error);
        icseg_import_sort_texts(&p.used);
        if (status == ICSEG_OK) status = note_unused(&p, &list[i], error);
        icseg_free(p.used.texts);
    }
    return status;
}

/* ---- Mapillary Vistas: training/images with training/v1.2/labels or training/labels, and a configuration, whose list
 * "labels" has the name of each number ---- */

static icseg_status read_vistas(pairs *p, const char *path, icseg_error *error) {
    json_t *root;
    const json_t *label;
    size_t i;
    icseg_status status = ICSEG_OK;
    p->meaning = path;
    ICSEG_TRY(icseg_import_read_json(&root, path, error));
    const json_t *labels = json_object_get(root, "labels");
    if (!json_array_size(labels) || json_array_size(labels) > 255)
        status = icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: expected a list \"labels\" of 1 to 255 classes", path);
    if (status == ICSEG_OK) status = open_numbers(p, &p->label, error);
    json_array_foreach(labels, i, label) {
        const char *name = json_string_value(json_object_get(label, "readable"));
        if (!name) name = json_string_value(json_object_get(label, "name"));
        if (status == ICSEG_OK && !name)
            status = icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: labels[%zu]: expected a \"readable\" name", path, i);
        if (status != ICSEG_OK) break;
        if (json_is_false(json_object_get(label, "evaluate")))
            p->label[i] = ICSEG_LABEL_IGNORE;
        else
            status = set_name(p, (int64_t)i, name, error);
    }
    json_decref(root);
    if (status == ICSEG_OK) p->label[255] = ICSEG_LABEL_IGNORE;
    return status;
}

icseg_status icseg_import_mapillary(icseg_import *im, icseg_error *error) {
    static const char *const splits[] = {"training", "validation", "testing", NULL};
    static const struct {
        const char *config, *masks;
    } versions[] = {
        {"config_v2.0.json", "%s/v2.0/labels"}, {"config_v1.2.json", "%s/v1.2/labels"}, {"config.json", "%s/labels"}};
    pairs p = {.im = im};
    pair_folder list[MAX_FOLDERS];
    int count = 0;
    for (size_t i = 0; i < sizeof versions / sizeof *versions && !count; i++) {
        bool found;
        char *config = icseg_arena_printf(im->arena, "%s/%s", im->options->source, versions[i].config);
        if (!config) return icseg_fail_memory_in(error, 0, im->options->source);
        ICSEG_TRY(icseg_path_find(config, S_IFREG, &found, error));
        if (!found) continue;
        ICSEG_TRY(add_splits(&p, splits, "%s/images", versions[i].masks,
                             (pair_folder){.image_suffix = "", .mask_suffix = ""}, list, &count, error));
        if (count) ICSEG_TRY(read_vistas(&p, config, error));
    }
    return import_folders(&p, list, count, error);
}
