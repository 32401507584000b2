/* SPDX-License-Identifier: Apache-2.0
 * The data set formats and their layouts: where each keeps its files, and what its label files contain. */
#ifndef ICSEG_DATASET_FORMATS_H
#define ICSEG_DATASET_FORMATS_H

#include "classes/tables.h"
#include "icseg/dataset.h"

/* The words of the formats in the order of the enum, and NULL: for tables of options. */
extern const char *const icseg_dataset_format_words[ICSEG_DATASET_FORMATS + 1];

/* Extensions of images, NULL-terminated. */
extern const char *const icseg_dataset_image_types[];

/* The kind of file that stores the labels. */
typedef enum icseg_label_source {
    ICSEG_LABELS_MASK,   /* single-channel PNG or TIFF */
    ICSEG_LABELS_MAT,    /* matrix S of a MATLAB file */
    ICSEG_LABELS_OBJECTS /* ADE20K's colour-coded *_seg.png: object id = R / 10 * 256 + G */
} icseg_label_source;

/* Where a format keeps its files. A format has one layout for each way in which it is distributed. */
typedef struct icseg_dataset_layout {
    icseg_dataset_format format;
    icseg_label_source source;
    const char *title;                   /* for people */
    const char *image_root, *label_root; /* below the data set's folder */
    const char *splits[2];               /* train and val as the set calls them; NULL: the folders of image_root */
    const char *list_root;               /* folder of lists SPLIT.txt instead of a folder for each split, or NULL */
    const char *label_suffix;            /* between stem and extension */
    int depth;                           /* folder levels between split and files */
    const char *const *image_types, *const *label_types; /* extensions, NULL-terminated */
    const char *values;                                  /* contents of its label files, for error messages */
    const icseg_class_table *classes;                    /* or NULL */
} icseg_dataset_layout;

/* The folder format is the first; recognition tries the others in order. */
enum {
    ICSEG_LAYOUT_FOLDER,
    ICSEG_LAYOUT_ADE20K,
    ICSEG_LAYOUT_COCO_PNG,
    ICSEG_LAYOUT_COCO_MAT,
    ICSEG_LAYOUT_FULL_SEG,
    ICSEG_LAYOUT_FULL_TIFF,
    ICSEG_LAYOUTS
};
extern const icseg_dataset_layout icseg_dataset_layouts[ICSEG_LAYOUTS];

#endif
