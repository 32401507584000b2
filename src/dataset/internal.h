/* SPDX-License-Identifier: Apache-2.0
 * What the data set files share: layouts of published sets, the file list, the label rule, the text of faults. */
#ifndef ICSEG_DATASET_INTERNAL_H
#define ICSEG_DATASET_INTERNAL_H

#include "base/memory.h"
#include "icseg/dataset.h"

enum {
    ICSEG_LABEL_VALUES = 65536,
    ICSEG_LABEL_INVALID = -2 /* a stored value that is neither a class nor ignored */
};

/* What kind of file keeps the labels. */
typedef enum icseg_label_source {
    ICSEG_LABELS_MASK,   /* single-channel PNG or TIFF */
    ICSEG_LABELS_MAT,    /* matrix S of a MATLAB file */
    ICSEG_LABELS_OBJECTS /* ADE20K's colour-coded *_seg.png: object id = R / 10 * 256 + G */
} icseg_label_source;

/* Where a form of a data set keeps its files. */
typedef struct icseg_dataset_layout {
    icseg_dataset_format format;
    icseg_label_source source;
    const char *title;                   /* how the form is named to people */
    const char *image_root, *label_root; /* below the data set's folder */
    const char *splits[2];               /* train and val as the set calls them; NULL: any, as folders tell */
    const char *list_root;               /* folder of lists SPLIT.txt instead of a folder for each split, or NULL */
    const char *label_suffix;            /* between stem and extension */
    int depth;                           /* folder levels between split and files */
    const char *const *image_types, *const *label_types; /* extensions */
    const char *values;                                  /* what its label files hold, for error texts */
} icseg_dataset_layout;

typedef struct icseg_dataset_pair {
    const char *image; /* paths */
    const char *label; /* NULL: images_only, or no partner (keep_unpaired) */
    const char *hint;  /* NULL, or a label file of almost that name, when label is NULL */
} icseg_dataset_pair;

struct icseg_dataset {
    icseg_arena *arena; /* owns everything below, and the struct's strings */
    const icseg_dataset_layout *layout;
    const char *description;
    char *label_folder;
    icseg_dataset_pair *pairs; /* (count), by stem */
    int64_t count;
    const char **orphans; /* (orphan_count): label files without an image, by stem */
    int64_t orphan_count;
    char **names, **synonyms; /* (classes) */
    int32_t classes;
    bool images_only, check_images, reduce_zero_label;
    bool ignores_white;                  /* the user named 255 or 65535, beyond the default */
    bool looks_like_ade20k;              /* folder form, but ADE20K's files and classes, 0 taken for a class */
    int16_t rule[2][ICSEG_LABEL_VALUES]; /* stored value -> label; [1] for 16-bit files */
};

/* Which rule a file of that depth follows. */
static inline const int16_t *icseg_dataset_rule(const icseg_dataset *dataset, int32_t bits) {
    return dataset->rule[bits == 16];
}

/* dataset_formats.c: which form the folder has; an error names the wrong edition, or what was expected. */
icseg_status icseg_dataset_find_layout(const icseg_dataset_layout **out, const icseg_dataset_options *options,
                                       icseg_error *error);
/* The form of a folder as far as its subfolders tell; the folder form when nothing else fits. */
const icseg_dataset_layout *icseg_dataset_recognise(const char *folder);
/* Names and synonyms of a published set, unless the user gave a list. */
icseg_status icseg_dataset_take_names(icseg_dataset *dataset, icseg_error *error);
/* After the files are known: the label rule and the description. */
icseg_status icseg_dataset_set_rule(icseg_dataset *dataset, const icseg_dataset_options *options, icseg_error *error);
/* A label file as stored, by the source of the layout. */
icseg_status icseg_dataset_read_mask(const icseg_dataset *dataset, const char *path, icseg_mask *out,
                                     icseg_error *error);

/* dataset_files.c: lists and pairs the files of the split. */
icseg_status icseg_dataset_find_files(icseg_dataset *dataset, const icseg_dataset_options *options, icseg_error *error);
icseg_status icseg_dataset_fail_folder(const char *path, icseg_error *error);

/* A folder that is meant to be a data set of our form: is all there? If not the text says what is missing, and what the
 * folder is instead, if that can be told. */
icseg_status icseg_dataset_check_folder(const char *folder, bool needs_labels, bool needs_classes, icseg_error *error);
/* Names of the subfolders of `folder`, sorted; hidden ones left out. The list is the arena's. */
icseg_status icseg_dataset_list_folders(icseg_arena *arena, const char *folder, char ***out, int32_t *count,
                                        icseg_error *error);

/* The text of a missing label file. */
icseg_status icseg_dataset_fail_unpaired(const icseg_dataset *dataset, const icseg_dataset_pair *pair,
                                         icseg_error *error);

/* Fails when picture and mask differ in size. */
icseg_status icseg_dataset_check_size(const icseg_dataset_pair *pair, int32_t width, int32_t height,
                                      const icseg_mask *mask, icseg_error *error);

/* The fault of a mask that holds a value outside the rule; names the first one in reading order. */
icseg_status icseg_dataset_fail_value(const icseg_dataset *dataset, const char *path, const icseg_mask *mask,
                                      icseg_error *error);

#endif
