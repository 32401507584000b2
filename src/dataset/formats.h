/* SPDX-License-Identifier: Apache-2.0
 * The data set formats and their layouts: the places of their files, and the contents of their label files. */
#ifndef ICSEG_DATASET_FORMATS_H
#define ICSEG_DATASET_FORMATS_H

#include "classes/tables.h"
#include "icseg/dataset.h"

/* The names of the formats in the order of the enum, then NULL: for option tables. */
extern const char *const icseg_dataset_format_words[ICSEG_DATASET_FORMATS + 1];

/* The kind of file that stores the labels. */
typedef enum icseg_label_source {
    ICSEG_LABELS_MASK,   /* single-channel PNG or TIFF */
    ICSEG_LABELS_MAT,    /* matrix S of a MATLAB file */
    ICSEG_LABELS_OBJECTS /* ADE20K's colour-coded *_seg.png: object id = R / 10 * 256 + G */
} icseg_label_source;

/* The places of a format's files. A format has one layout for each form in which it is distributed. */
typedef struct icseg_dataset_layout {
    icseg_dataset_format format;
    icseg_label_source source;
    const char *title;                   /* for messages */
    const char *image_root, *label_root; /* below the data set's folder */
    const char *splits[2];               /* the set's names for train and val; NULL: the folders of image_root */
    const char *list_root;               /* folder of lists SPLIT.txt instead of a folder for each split, or NULL */
    const char *label_suffix;            /* between stem and extension */
    int depth;                           /* number of folder levels between split and files */
    const char *const *image_types, *const *label_types; /* extensions, NULL-terminated */
    const char *values;                                  /* the values in its label files, for error messages */
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
