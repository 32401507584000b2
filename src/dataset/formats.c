/* SPDX-License-Identifier: Apache-2.0
 * The tables of data set formats and layouts. */
#include "dataset/formats.h"

#include <string.h>

#include "base/argument.h"
#include "base/words.h"
#include "dataset/format_list.h"
#include "image/codec.h"

#define WORD(id, word, description, layout) [ICSEG_DATASET_##id] = word,
const char *const icseg_dataset_format_words[ICSEG_DATASET_FORMATS + 1] = {ICSEG_DATASET_FORMAT_LIST(WORD)};

#define ONE(id, word, description, layout) +1
_Static_assert(ICSEG_DATASET_FORMATS == 0 ICSEG_DATASET_FORMAT_LIST(ONE), "a row for each format");

static const struct {
    const char *description, *layout;
} formats[ICSEG_DATASET_FORMATS] = {
#define ROW(id, word, description, layout) [ICSEG_DATASET_##id] = {description, layout},
    ICSEG_DATASET_FORMAT_LIST(ROW)};

static bool is_format(icseg_dataset_format format) { return (unsigned)format < ICSEG_DATASET_FORMATS; }

int32_t icseg_dataset_format_count(void) { return ICSEG_DATASET_FORMATS; }

const char *icseg_dataset_format_name(icseg_dataset_format format) {
    return is_format(format) ? icseg_dataset_format_words[format] : NULL;
}

const char *icseg_dataset_format_description(icseg_dataset_format format) {
    return is_format(format) ? formats[format].description : NULL;
}

const char *icseg_dataset_format_layout(icseg_dataset_format format) {
    return is_format(format) ? formats[format].layout : NULL;
}

icseg_status icseg_dataset_format_find(icseg_dataset_format *out, const char *name, icseg_error *error) {
    ICSEG_NEED(out);
    *out = ICSEG_DATASET_AUTO;
    ICSEG_NEED(name);
    for (int i = 0; i < ICSEG_DATASET_FORMATS; i++)
        if (!strcmp(name, icseg_dataset_format_words[i])) {
            *out = (icseg_dataset_format)i;
            return ICSEG_OK;
        }
    return icseg_fail_word(error, "format", name, "a data set format", icseg_dataset_format_words,
                           ICSEG_DATASET_FORMATS);
}

/* ---- layouts ---- */

static const char *const jpeg_types[] = {"jpg", "jpeg", NULL};
static const char *const label_types[] = {"png", "tif", "tiff", "bmp", "gif", "pgm", "pbm", "pnm", NULL};
static const char *const tiff_types[] = {"tif", "tiff", "png", NULL};
static const char *const mat_types[] = {"mat", NULL};

const icseg_dataset_layout icseg_dataset_layouts[ICSEG_LAYOUTS] = {
    [ICSEG_LAYOUT_FOLDER] = {.format = ICSEG_DATASET_FOLDER,
                             .title = "a folder with images, annotations and classes.txt",
                             .image_root = "images",
                             .label_root = "annotations",
                             .label_suffix = "",
                             .image_types = icseg_image_types,
                             .label_types = label_types},
    [ICSEG_LAYOUT_ADE20K] = {.format = ICSEG_DATASET_ADE20K,
                             .title = "ADE20K SceneParsing 2016",
                             .image_root = "images",
                             .label_root = "annotations",
                             .splits = {"training", "validation"},
                             .label_suffix = "",
                             .image_types = jpeg_types,
                             .label_types = label_types,
                             .values = "0 (unlabelled) and 1..150",
                             .classes = &icseg_class_tables[ICSEG_TABLE_ADE20K]},
    [ICSEG_LAYOUT_COCO_PNG] = {.format = ICSEG_DATASET_COCOSTUFF10K,
                               .title = "COCO-Stuff 10k as converted by mmsegmentation (*_labelTrainIds.png)",
                               .image_root = "images",
                               .label_root = "annotations",
                               .splits = {"train2014", "test2014"},
                               .label_suffix = "_labelTrainIds",
                               .image_types = jpeg_types,
                               .label_types = label_types,
                               .values = "0 (unlabelled) and 1..171",
                               .classes = &icseg_class_tables[ICSEG_TABLE_COCOSTUFF10K]},
    [ICSEG_LAYOUT_COCO_MAT] = {.format = ICSEG_DATASET_COCOSTUFF10K,
                               .source = ICSEG_LABELS_MAT,
                               .title = "COCO-Stuff 10k",
                               .image_root = "images",
                               .label_root = "annotations",
                               .splits = {"train", "test"},
                               .list_root = "imageLists",
                               .label_suffix = "",
                               .image_types = jpeg_types,
                               .label_types = mat_types,
                               .values = "0 (unlabelled) and 1..182 without 12, 26, 29, 30, 45, 66, 68, 69, 71, 83 and "
                                         "91 in version 1.1, 1 (unlabelled) and 2..172 in version 1.0",
                               .classes = &icseg_class_tables[ICSEG_TABLE_COCOSTUFF10K]},
    [ICSEG_LAYOUT_FULL_SEG] = {.format = ICSEG_DATASET_ADE20K_FULL,
                               .source = ICSEG_LABELS_OBJECTS,
                               .title = "ADE20K-Full (ADE20K_2021_17_01, *_seg.png)",
                               .image_root = "images/ADE",
                               .label_root = "images/ADE",
                               .splits = {"training", "validation"},
                               .label_suffix = "_seg",
                               .depth = 2,
                               .image_types = jpeg_types,
                               .label_types = label_types,
                               .values = "object ids",
                               .classes = &icseg_class_tables[ICSEG_TABLE_ADE20K_FULL]},
    [ICSEG_LAYOUT_FULL_TIFF] = {.format = ICSEG_DATASET_ADE20K_FULL,
                                .title = "ADE20K-Full (16-bit class numbers)",
                                .image_root = "images_detectron2",
                                .label_root = "annotations_detectron2",
                                .splits = {"training", "validation"},
                                .label_suffix = "",
                                .image_types = jpeg_types,
                                .label_types = tiff_types,
                                .values = "0..846 and 65535 (unlabelled), in 16 bits",
                                .classes = &icseg_class_tables[ICSEG_TABLE_ADE20K_FULL]},
};
