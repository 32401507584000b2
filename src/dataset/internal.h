/* SPDX-License-Identifier: Apache-2.0
 * Shared by the files of this folder: the open data set, and the steps of opening and reading it. */
#ifndef ICSEG_DATASET_INTERNAL_H
#define ICSEG_DATASET_INTERNAL_H

#include <pthread.h>

#include "base/memory.h"
#include "dataset/formats.h"
#include "icseg/dataset.h"

enum {
    ICSEG_LABEL_VALUES = 65536,
    ICSEG_LABEL_INVALID = -2 /* a stored value that is neither a class nor ignored */
};

typedef struct icseg_dataset_pair {
    const char *image; /* paths */
    const char *label; /* NULL: images_only, or missing (keep_unpaired) */
    const char *hint;  /* if label is NULL: a label file with a similar name, or NULL */
} icseg_dataset_pair;

/* The first image of each kind of note, found by any thread. */
typedef struct icseg_dataset_notes {
    pthread_mutex_t mutex;
    struct {
        int64_t index; /* of the image; -1: none yet */
        const char *field;
        char text[160];
    } first[ICSEG_IMAGE_NOTES];
} icseg_dataset_notes;

struct icseg_dataset {
    icseg_arena *arena; /* owns the strings and arrays below */
    const icseg_dataset_layout *layout;
    const char *description;
    char *label_folder;
    icseg_dataset_pair *pairs; /* (count), by stem */
    int64_t count;
    const char **orphans; /* (orphan_count): label files without an image, by stem */
    int64_t orphan_count;
    icseg_class_list *list; /* owned; NULL without classes */
    int32_t classes;
    icseg_image_values values;  /* of the images */
    icseg_dataset_notes *notes; /* owned; changes while images are read */
    bool images_only, reduce_zero_label;
    bool ignores_white;                  /* the caller's `ignore` contains 255 or 65535 */
    bool looks_like_ade20k;              /* folder format with 0 as a class, but ADE20K's file names and classes */
    int16_t rule[2][ICSEG_LABEL_VALUES]; /* stored value -> label; [1] for 16-bit files */
};

/* The rule for files of 8 or 16 bits. */
static inline const int16_t *icseg_dataset_rule(const icseg_dataset *dataset, int32_t bits) {
    return dataset->rule[bits == 16];
}

/* ---- dataset.c ---- */

/* icseg_dataset_open for options that were read and a layout that fits, which must exist as long as the data set. */
icseg_status icseg_dataset_open_layout(icseg_dataset **out, const icseg_dataset_options *options,
                                       const icseg_dataset_layout *layout, icseg_error *error);

/* ---- notes.c ---- */

icseg_status icseg_dataset_notes_open(icseg_dataset_notes **out, icseg_error *error);
void icseg_dataset_notes_close(icseg_dataset_notes **notes);
/* Keeps the note of image `index`, if it has one. Thread-safe. */
void icseg_dataset_take_note(const icseg_dataset *dataset, int64_t index, const icseg_image_info *info);

/* ---- recognise.c ---- */

/* The layout of a folder according to its subfolders; the folder format if no other fits. */
const icseg_dataset_layout *icseg_dataset_recognise(const char *folder);
/* Finds the layout of the folder. An error names the wrong edition, or the missing files. */
icseg_status icseg_dataset_find_layout(const icseg_dataset_layout **out, const icseg_dataset_options *options,
                                       icseg_error *error);
/* Checks that a folder contains the files that the folder format needs. The error names the missing ones, and the
 * format of the folder if it is recognised as another one. */
icseg_status icseg_dataset_check_folder(const char *folder, bool needs_labels, bool needs_classes, icseg_error *error);
/* *labels: the folder of the masks, if the folder has images, masks and a class list and would be a data set if that
 * folder was called annotations; otherwise NULL. */
icseg_status icseg_dataset_find_plain(const char **labels, const icseg_dataset_options *options, icseg_error *error);
icseg_status icseg_dataset_fail_folder(const char *path, icseg_error *error);

/* ---- files.c ---- */

/* Lists and pairs the files of the split. */
icseg_status icseg_dataset_find_files(icseg_dataset *dataset, const icseg_dataset_options *options, icseg_error *error);
/* Copies the names and the pointers to them into one block; free it with icseg_free. `folder` is for the error. */
icseg_status icseg_dataset_copy_names(char ***out, char *const *names, int32_t count, const char *folder,
                                      icseg_error *error);
/* The error of an image without a label file. */
icseg_status icseg_dataset_fail_unpaired(const icseg_dataset *dataset, const icseg_dataset_pair *pair,
                                         icseg_error *error);

/* ---- label_files.c ---- */

/* Fails if this build cannot read the layout's label files. */
icseg_status icseg_dataset_check_source(const icseg_dataset_layout *layout, const char *folder, icseg_error *error);
/* Reads a label file as it is stored. */
icseg_status icseg_dataset_read_mask(const icseg_dataset *dataset, const char *path, icseg_mask *out,
                                     icseg_error *error);
/* Whether the label files are those of COCO-Stuff 10k v1.0, according to the first of them that shows it; false for
 * v1.1. */
bool icseg_dataset_is_cocostuff_1_0(const icseg_dataset *dataset);
/* Fails if image and mask differ in size. */
icseg_status icseg_dataset_check_size(const icseg_dataset_pair *pair, int32_t width, int32_t height,
                                      const icseg_mask *mask, icseg_error *error);

/* ---- label_rule.c ---- */

/* Sets the label rule and the description, after the files are known. */
icseg_status icseg_dataset_set_rule(icseg_dataset *dataset, const icseg_dataset_options *options, icseg_error *error);
/* The error of a mask that contains values outside the rule; names the first one in reading order. */
icseg_status icseg_dataset_fail_value(const icseg_dataset *dataset, const char *path, const icseg_mask *mask,
                                      icseg_error *error);

#endif
