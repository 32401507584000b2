/* SPDX-License-Identifier: Apache-2.0
 * The published data sets: telling them apart by their folders, their class names, what their label files mean. */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "classes/tables.h"
#include "dataset/internal.h"
#include "importers/import.h"
#include "matlab/mat.h"
#include "image/codec.h"

static const char *const image_types[] = {"jpg", "jpeg", "png", "webp", "tif", "tiff", NULL};
static const char *const jpeg_types[] = {"jpg", "jpeg", NULL};
static const char *const label_types[] = {"png", "tif", "tiff", NULL};
static const char *const tiff_types[] = {"tif", "tiff", "png", NULL};
static const char *const mat_types[] = {"mat", NULL};

enum { LAYOUT_FOLDER, LAYOUT_ADE20K, LAYOUT_COCO_PNG, LAYOUT_COCO_MAT, LAYOUT_FULL_SEG, LAYOUT_FULL_TIFF, LAYOUTS };

static const icseg_dataset_layout layouts[LAYOUTS] = {
    [LAYOUT_FOLDER] = {.format = ICSEG_DATASET_FOLDER,
                       .title = "a folder with images, annotations and classes.txt",
                       .image_root = "images",
                       .label_root = "annotations",
                       .label_suffix = "",
                       .image_types = image_types,
                       .label_types = label_types},
    [LAYOUT_ADE20K] = {.format = ICSEG_DATASET_ADE20K,
                       .title = "ADE20K SceneParsing 2016",
                       .image_root = "images",
                       .label_root = "annotations",
                       .splits = {"training", "validation"},
                       .label_suffix = "",
                       .image_types = jpeg_types,
                       .label_types = label_types,
                       .values = "0 (unlabelled) and 1..150"},
    [LAYOUT_COCO_PNG] = {.format = ICSEG_DATASET_COCOSTUFF10K,
                         .title = "COCO-Stuff 10k as converted by mmsegmentation (*_labelTrainIds.png)",
                         .image_root = "images",
                         .label_root = "annotations",
                         .splits = {"train2014", "test2014"},
                         .label_suffix = "_labelTrainIds",
                         .image_types = jpeg_types,
                         .label_types = label_types,
                         .values = "0 (unlabelled) and 1..171"},
    [LAYOUT_COCO_MAT] = {.format = ICSEG_DATASET_COCOSTUFF10K,
                         .source = ICSEG_LABELS_MAT,
                         .title = "COCO-Stuff 10k",
                         .image_root = "images",
                         .label_root = "annotations",
                         .splits = {"train", "test"},
                         .list_root = "imageLists",
                         .label_suffix = "",
                         .image_types = jpeg_types,
                         .label_types = mat_types,
                         .values = "0 (unlabelled) and 1..182 without 12, 26, 29, 30, 45, 66, 68, 69, 71, 83 and 91 in "
                                   "version 1.1, 1 (unlabelled) and 2..172 in version 1.0"},
    [LAYOUT_FULL_SEG] = {.format = ICSEG_DATASET_ADE20K_FULL,
                         .source = ICSEG_LABELS_OBJECTS,
                         .title = "ADE20K-Full (ADE20K_2021_17_01, *_seg.png)",
                         .image_root = "images/ADE",
                         .label_root = "images/ADE",
                         .splits = {"training", "validation"},
                         .label_suffix = "_seg",
                         .depth = 2,
                         .image_types = jpeg_types,
                         .label_types = label_types,
                         .values = "object ids"},
    [LAYOUT_FULL_TIFF] = {.format = ICSEG_DATASET_ADE20K_FULL,
                          .title = "ADE20K-Full (16-bit class numbers)",
                          .image_root = "images_detectron2",
                          .label_root = "annotations_detectron2",
                          .splits = {"training", "validation"},
                          .label_suffix = "",
                          .image_types = jpeg_types,
                          .label_types = tiff_types,
                          .values = "0..846 and 65535 (unlabelled), in 16 bits"},
};

static const char *const format_names[] = {"folder", "auto", "ade20k", "cocostuff10k", "ade20k_full"};
_Static_assert(sizeof format_names / sizeof *format_names == ICSEG_DATASET_FORMATS, "a name for each format");

const char *icseg_dataset_format_name(icseg_dataset_format format) {
    return (unsigned)format < ICSEG_DATASET_FORMATS ? format_names[format] : "unknown";
}

/* ---- recognition ---- */

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
    if (has_class_list(folder)) return &layouts[LAYOUT_FOLDER];
    for (int i = LAYOUT_FOLDER + 1; i < LAYOUTS; i++)
        if (fits(folder, &layouts[i])) return &layouts[i];
    return &layouts[LAYOUT_FOLDER];
}

static icseg_status fail_layout(const char *folder, icseg_dataset_format format, icseg_error *error) {
    static const char *const expected[ICSEG_DATASET_FORMATS] = {
        [ICSEG_DATASET_ADE20K] = "images/{training,validation}/*.jpg and annotations/{training,validation}/*.png",
        [ICSEG_DATASET_COCOSTUFF10K] = "images/*.jpg, annotations/*.mat and imageLists/{train,test}.txt, or "
                                       "images/{train2014,test2014} and annotations/{train2014,test2014} with "
                                       "*_labelTrainIds.png",
        [ICSEG_DATASET_ADE20K_FULL] = "images/ADE/{training,validation}/CATEGORY/SCENE/*_seg.png, or images_detectron2 "
                                      "and annotations_detectron2",
    };
    const icseg_dataset_layout *found = icseg_dataset_recognise(folder);
    if (found->format != ICSEG_DATASET_FOLDER)
        return icseg_fail(error, ICSEG_ERROR_DATA, "%s: this is %s, not what data.format = %s stands for; set it to %s",
                          folder, found->title, format_names[format], format_names[found->format]);
    if (has_folder(folder, "images/training") && !has_folder(folder, "annotations"))
        return icseg_fail(error, ICSEG_ERROR_DATA,
                          "%s: images/training without annotations: this looks like the full ADE20K of 2016 "
                          "(ADE20K_2016_07_26); use SceneParsing 2016 (ADEChallengeData2016) for 150 classes or "
                          "ADE20K_2021_17_01 for 847",
                          folder);
    return icseg_fail(error, ICSEG_ERROR_DATA, "%s: not laid out like %s, which has %s", folder, format_names[format],
                      expected[format]);
}

icseg_status icseg_dataset_check_folder(const char *folder, bool needs_labels, bool needs_classes, icseg_error *error) {
    static const char *const others[] = {"masks", "labels", "annotation", "mask", "gtFine", "SegmentationClass"};
    bool images = has_folder(folder, "images"), labels = !needs_labels || has_folder(folder, "annotations");
    bool classes = !needs_classes || has_class_list(folder);
    if (images && labels && classes) return ICSEG_OK;
    icseg_export_format format = icseg_export_recognise(folder);
    if (format != ICSEG_EXPORT_AUTO)
        return icseg_fail(error, ICSEG_ERROR_DATA,
                          "%s: a labelling tool's export (%s), no data set yet: `icseg dataset convert %s OUT` makes "
                          "one of it",
                          folder, icseg_export_format_name(format), folder);
    const char *instead = NULL;
    for (size_t i = 0; i < sizeof others / sizeof *others && !labels && !instead; i++)
        if (has_folder(folder, others[i])) instead = others[i];
    if (images && !labels && instead)
        return icseg_fail(error, ICSEG_ERROR_DATA, "%s: label files are expected in annotations; rename the folder %s",
                          folder, instead);
    if (!images || !labels)
        return icseg_fail(error, ICSEG_ERROR_DATA,
                          "%s/%s: no such folder; a data set has images/SPLIT, annotations/SPLIT and classes.txt",
                          folder, images ? "annotations" : "images");
    return icseg_fail(error, ICSEG_ERROR_DATA,
                      "%s/classes.txt: no such file; write the names of the classes there, one a line, in the order of "
                      "their label values, or name a list that exists (--classes, data.classes)",
                      folder);
}

icseg_status icseg_dataset_find_layout(const icseg_dataset_layout **out, const icseg_dataset_options *o,
                                       icseg_error *error) {
    if ((unsigned)o->format >= ICSEG_DATASET_FORMATS)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "data.format: %d is no format", (int)o->format);
    if (!icseg_folder_exists(o->folder)) return icseg_dataset_fail_folder(o->folder, error);
    *out = icseg_dataset_recognise(o->folder);
    if (o->format == ICSEG_DATASET_AUTO) {
        if (o->classes_file && (*out)->format == ICSEG_DATASET_FOLDER) return ICSEG_OK;
        if ((*out)->format == ICSEG_DATASET_FOLDER && !has_class_list(o->folder) &&
            has_folder(o->folder, "images/training") && !has_folder(o->folder, "annotations"))
            return fail_layout(o->folder, ICSEG_DATASET_ADE20K, error);
        if ((*out)->format == ICSEG_DATASET_FOLDER)
            return icseg_dataset_check_folder(o->folder, !o->images_only, !o->images_only, error);
        return ICSEG_OK;
    }
    if (o->format == ICSEG_DATASET_FOLDER) {
        if ((*out)->format != ICSEG_DATASET_FOLDER && !o->classes_file && !o->images_only)
            return icseg_fail(error, ICSEG_ERROR_DATA, "%s: no classes.txt; this is %s: set data.format to %s",
                              o->folder, (*out)->title, format_names[(*out)->format]);
        *out = &layouts[LAYOUT_FOLDER];
        return icseg_dataset_check_folder(o->folder, !o->images_only, !o->images_only && !o->classes_file, error);
    }
    for (int i = LAYOUT_FOLDER + 1; i < LAYOUTS; i++)
        if (layouts[i].format == o->format && fits(o->folder, &layouts[i])) {
            *out = &layouts[i];
            return ICSEG_OK;
        }
    return fail_layout(o->folder, o->format, error);
}

/* ---- class names ---- */

static const icseg_class_entry *table_of(icseg_dataset_format format, int32_t *count) {
    switch (format) {
    case ICSEG_DATASET_ADE20K: *count = ICSEG_ADE20K_CLASSES; return icseg_classes_ade20k;
    case ICSEG_DATASET_COCOSTUFF10K: *count = ICSEG_COCOSTUFF10K_CLASSES; return icseg_classes_cocostuff10k;
    case ICSEG_DATASET_ADE20K_FULL: *count = ICSEG_ADE20K_FULL_CLASSES; return icseg_classes_ade20k_full;
    default: *count = 0; return NULL;
    }
}

/* Length of the first `pieces` names of a line; commas and semicolons outside round brackets stand between them. */
static size_t names_length(const char *line, int pieces) {
    int depth = 0;
    size_t end = 0;
    for (; line[end]; end++) {
        depth += (line[end] == '(') - (line[end] == ')');
        if (depth <= 0 && (line[end] == ',' || line[end] == ';') && !--pieces) break;
    }
    while (end > 1 && line[end - 1] == ' ') end--;
    return end;
}

/* The first name; where several classes share it ("bag"), as many more as the class needs to differ from them. */
static size_t name_length(char *const *lines, int32_t count, int32_t k) {
    const char *own = lines[k];
    for (int pieces = 1;; pieces++) {
        size_t length = names_length(own, pieces);
        bool unique = true;
        for (int32_t j = 0; j < count && unique; j++)
            unique = j == k || names_length(lines[j], pieces) != length || strncmp(lines[j], own, length) != 0;
        if ((unique && length) || length == names_length(own, INT_MAX)) return length;
    }
}

/* d->synonyms from the published table. */
static icseg_status take_table(icseg_dataset *d, const icseg_class_entry *table, int32_t count, icseg_error *error) {
    d->synonyms = icseg_arena_array(d->arena, (size_t)count, sizeof *d->synonyms);
    if (!d->synonyms) return icseg_fail_memory(error, (size_t)count * sizeof *d->synonyms, "class names");
    for (int32_t k = 0; k < count; k++) {
        d->synonyms[k] = icseg_arena_strdup(d->arena, table[k].synonyms);
        if (!d->synonyms[k]) return icseg_fail_memory(error, 0, "class names");
    }
    d->classes = count;
    return ICSEG_OK;
}

icseg_status icseg_dataset_take_names(icseg_dataset *d, icseg_error *error) {
    int32_t count;
    const icseg_class_entry *table = table_of(d->layout->format, &count);
    if (table && d->names && d->classes != count)
        return icseg_fail(error, ICSEG_ERROR_DATA, "the class list has %d names, but %s has %d classes", d->classes,
                          d->layout->title, count);
    if (!d->names && !table) return ICSEG_OK;
    d->synonyms = d->names;
    if (!d->names) ICSEG_TRY(take_table(d, table, count, error));
    d->names = icseg_arena_array(d->arena, (size_t)d->classes, sizeof *d->names);
    if (!d->names) return icseg_fail_memory(error, (size_t)d->classes * sizeof *d->names, "class names");
    for (int32_t k = 0; k < d->classes; k++) {
        int length = (int)name_length(d->synonyms, d->classes, k);
        d->names[k] = icseg_arena_printf(d->arena, "%.*s", length, d->synonyms[k]);
        if (!d->names[k]) return icseg_fail_memory(error, 0, "class names");
    }
    return ICSEG_OK;
}

/* ---- label rules ---- */

static void fill(icseg_dataset *d, int16_t label) {
    for (int deep = 0; deep < 2; deep++)
        for (int32_t v = 0; v < ICSEG_LABEL_VALUES; v++) d->rule[deep][v] = label;
}

static void set_value(icseg_dataset *d, int32_t value, int32_t label) {
    d->rule[0][value] = d->rule[1][value] = (int16_t)label;
}

/* The user's own numbering: values are classes, from 0, or from 1 when 0 is unlabelled. */
static void set_plain_rule(icseg_dataset *d, bool reduce_zero_label) {
    for (int deep = 0; deep < 2; deep++) {
        for (int32_t v = 0; v < ICSEG_LABEL_VALUES; v++) {
            int32_t label = reduce_zero_label ? v - 1 : v; /* 0 becomes -1: ignore */
            d->rule[deep][v] = (int16_t)(label < d->classes ? label : ICSEG_LABEL_INVALID);
        }
        d->rule[deep][deep ? 65535 : 255] = ICSEG_LABEL_IGNORE;
    }
}

/* What one .mat file says about its version: > 0 for 1.1, < 0 for 1.0, 0 nothing. Version 1.0 numbers 172 classes from
 * 1 (unlabelled, 80 things, 91 stuff) and has as many names; 1.1 has COCO's ids, with holes, and 0 for unlabelled. */
static int version_of(const char *path) {
    icseg_mask mask;
    int64_t names;
    if (icseg_mat_read(&mask, &names, path, NULL) != ICSEG_OK) return 0;
    size_t count = (size_t)mask.width * (size_t)mask.height;
    bool known[ICSEG_COCOSTUFF10K_CLASSES + 16] = {true}, newer = false, older = false;
    for (int32_t k = 0; k < ICSEG_COCOSTUFF10K_CLASSES; k++) known[icseg_classes_cocostuff10k[k].stored] = true;
    for (size_t i = 0; i < count; i++) {
        newer |= mask.data[i] == 0 || mask.data[i] > 172;
        older |= mask.data[i] < 172 && !known[mask.data[i]];
    }
    icseg_mask_close(&mask);
    return newer != older ? (newer ? 1 : -1) : names == 172 ? -1 : names > 172 ? 1 : 0;
}

static void set_mat_rule(icseg_dataset *d) {
    enum { ASKED = 24 };
    int version = 0;
    for (int64_t i = 0; i < ASKED && i < d->count && !version; i++) {
        const char *path = d->pairs[d->count > ASKED ? i * d->count / ASKED : i].label;
        if (path) version = version_of(path);
    }
    fill(d, ICSEG_LABEL_INVALID);
    set_value(d, version < 0, ICSEG_LABEL_IGNORE);
    for (int32_t k = 0; k < d->classes; k++)
        set_value(d, version < 0 ? k + 2 : icseg_classes_cocostuff10k[k].stored, k);
    d->description = version < 0 ? "COCO-Stuff 10k v1.0 (.mat: 1 is unlabelled, classes are 2..172)"
                                 : "COCO-Stuff 10k v1.1 (.mat: 0 is unlabelled, classes are COCO's ids 1..182)";
}

static void set_published_rule(icseg_dataset *d) {
    switch (d->layout->format) {
    case ICSEG_DATASET_COCOSTUFF10K:
        if (d->layout->source == ICSEG_LABELS_MAT)
            set_mat_rule(d);
        else
            set_plain_rule(d, true);
        break;
    case ICSEG_DATASET_ADE20K_FULL:
        if (d->layout->source == ICSEG_LABELS_OBJECTS) { /* objects beyond the 847 classes are unlabelled */
            fill(d, ICSEG_LABEL_IGNORE);
            for (int32_t k = 0; k < d->classes; k++) set_value(d, icseg_classes_ade20k_full[k].stored, k);
        } else {
            set_plain_rule(d, false);
            for (int32_t v = 0; v < 256; v++) d->rule[0][v] = ICSEG_LABEL_INVALID; /* 8 bits cannot be this set's */
        }
        break;
    default: set_plain_rule(d, true);
    }
}

static bool looks_like_ade20k(const icseg_dataset *d) {
    return d->layout->format == ICSEG_DATASET_FOLDER && d->classes == ICSEG_ADE20K_CLASSES && !d->reduce_zero_label &&
           d->names && !strncmp(d->names[0], "wall", 4) && d->count &&
           !strncmp(icseg_path_name(d->pairs[0].image), "ADE_", 4);
}

icseg_status icseg_dataset_set_rule(icseg_dataset *d, const icseg_dataset_options *o, icseg_error *error) {
    const icseg_dataset_layout *l = d->layout;
    if (o->ignore_count < 0 || o->ignore_count > ICSEG_IGNORE_VALUES)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "data.ignore: %d values, at most %d are possible",
                          o->ignore_count, ICSEG_IGNORE_VALUES);
    d->description = l->title;
    d->reduce_zero_label = o->reduce_zero_label;
    if (l->format == ICSEG_DATASET_FOLDER)
        set_plain_rule(d, o->reduce_zero_label);
    else if (o->reduce_zero_label && l->format == ICSEG_DATASET_ADE20K_FULL)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT,
                          "data.reduce_zero_label: %s has a label rule of its own; leave this key out", l->title);
    else
        set_published_rule(d);
    for (int32_t i = 0; i < o->ignore_count; i++) {
        if (o->ignore[i] < 0 || o->ignore[i] >= ICSEG_LABEL_VALUES)
            return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "data.ignore: %d is not a label value; 0..65535 are",
                              o->ignore[i]);
        set_value(d, o->ignore[i], ICSEG_LABEL_IGNORE);
        d->ignores_white |= o->ignore[i] == 255 || o->ignore[i] == 65535;
    }
    d->looks_like_ade20k = looks_like_ade20k(d);
    return ICSEG_OK;
}

/* ---- reading ---- */

/* ADE20K's own coding. A single-channel file here is another edition's. */
static icseg_status decode_objects(const icseg_source *source, icseg_mask *out, icseg_error *error) {
    enum { DEPTH_AT = 24, COLOUR_AT = 25, RGB = 2 };
    icseg_header header;
    icseg_image image = {0};
    ICSEG_TRY(icseg_header_read(&header, source, error));
    if (header.codec != ICSEG_CODEC_PNG || source->data[COLOUR_AT] != RGB || source->data[DEPTH_AT] != 8)
        return icseg_fail(error, ICSEG_ERROR_DATA,
                          "%s: not an 8-bit RGB PNG, so no *_seg.png of the full ADE20K, which codes object ids in red "
                          "and green; a label file of SceneParsing 2016?",
                          source->name);
    ICSEG_TRY(icseg_image_read_memory(&image, source->data, source->size, source->name, error));
    size_t count = (size_t)image.width * (size_t)image.height;
    *out = (icseg_mask){.width = image.width, .height = image.height, .bits = 16};
    out->data = icseg_alloc_array(count, sizeof *out->data);
    for (size_t i = 0; out->data && i < count; i++)
        out->data[i] = (uint16_t)(image.data[3 * i] / 10 * 256 + image.data[3 * i + 1]);
    icseg_image_close(&image);
    return out->data ? ICSEG_OK : icseg_fail_memory(error, count * sizeof *out->data, source->name);
}

static icseg_status read_objects(icseg_mask *out, const char *path, icseg_error *error) {
    unsigned char *data;
    size_t size;
    *out = (icseg_mask){0};
    ICSEG_TRY(icseg_file_read(path, ICSEG_IMAGE_FILE_LIMIT, &data, &size, error));
    icseg_status status = decode_objects(&(icseg_source){.data = data, .size = size, .name = path}, out, error);
    icseg_free(data);
    return status;
}

icseg_status icseg_dataset_read_mask(const icseg_dataset *d, const char *path, icseg_mask *out, icseg_error *error) {
    switch (d->layout->source) {
    case ICSEG_LABELS_MAT: return icseg_mat_read(out, NULL, path, error);
    case ICSEG_LABELS_OBJECTS: return read_objects(out, path, error);
    default: return icseg_mask_read(out, path, error);
    }
}
