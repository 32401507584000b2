/* SPDX-License-Identifier: Apache-2.0
 * Labelled images: finding them, checking them before training, reading one. */
#ifndef ICSEG_DATASET_H
#define ICSEG_DATASET_H

#include "icseg/error.h"
#include "icseg/image.h"
#include "icseg/progress.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { ICSEG_IGNORE_VALUES = 8 };

/* Forms in which data sets come; docs/data.md shows the folders of each. */
typedef enum icseg_dataset_format {
    ICSEG_DATASET_FOLDER,       /* images/SPLIT, annotations/SPLIT, classes.txt */
    ICSEG_DATASET_AUTO,         /* whichever of these the folders tell */
    ICSEG_DATASET_ADE20K,       /* SceneParsing 2016, 150 classes */
    ICSEG_DATASET_COCOSTUFF10K, /* v1.0 and v1.1 (.mat), or *_labelTrainIds.png, 171 classes */
    ICSEG_DATASET_ADE20K_FULL,  /* ADE20K_2021_17_01 (*_seg.png), or 16-bit TIFF, 847 classes */
    ICSEG_DATASET_FORMATS
} icseg_dataset_format;

/* The word a recipe uses: "folder", "auto", ... in the order of the enum. */
ICSEG_API const char *icseg_dataset_format_name(icseg_dataset_format format);

/* How a data set is laid out and what its label files mean. */
typedef struct icseg_dataset_options {
    const char *folder; /* holds images/SPLIT, annotations/SPLIT, classes.txt, or what the format says */
    icseg_dataset_format format;
    const char *split;        /* "train", "val", ...; published sets take their own names of these too. NULL or empty:
                                 files lie in images/ and annotations/ themselves */
    const char *classes_file; /* NULL: FOLDER/classes.txt, one name a line; published sets bring their names */
    bool reduce_zero_label;   /* 0 is unlabelled and every other value is one too high; published sets know */
    int32_t ignore_count;     /* further stored values that mean "ignore", besides 255 (8 bit) and 65535 (16 bit) */
    int32_t ignore[ICSEG_IGNORE_VALUES]; /* as stored in the file: 0..65535 */
    bool images_only;   /* no annotations: icseg_dataset_read gives empty labels; the class list may be missing */
    bool keep_unpaired; /* images and label files without a partner are kept for icseg_dataset_check to report,
                           instead of an error at open */
    bool check_images;  /* icseg_dataset_check decodes every image, not only its header: finds truncated ones before
                           training meets them, and takes longer */
} icseg_dataset_options;

typedef struct icseg_dataset icseg_dataset;

ICSEG_API icseg_dataset_options icseg_dataset_options_default(void);

/* The splits a data set has: names of the folders in FOLDER/images, sorted, or those of the published set that the
 * folder holds. *out is one block, freed with icseg_buffer_free. Errors: no such folder, more than 4096 splits. */
ICSEG_API icseg_status icseg_dataset_splits(char ***out, int32_t *count, const char *folder, icseg_error *error);

/* Lists the files and pairs them by stem, in the order of the stems; reads no pixels. Errors: missing folder (the
 * splits there are named), no images, an image without a label file (named), two images or two label files of one stem,
 * a bad class list (empty, duplicate, not UTF-8, over 16384 names), another form of
 * data set than `format` says (both are named). */
ICSEG_API icseg_status icseg_dataset_open(icseg_dataset **out, const icseg_dataset_options *options,
                                          icseg_error *error);
ICSEG_API void icseg_dataset_close(icseg_dataset **dataset);

ICSEG_API int64_t icseg_dataset_count(const icseg_dataset *dataset);
ICSEG_API int32_t icseg_dataset_classes(const icseg_dataset *dataset);
ICSEG_API const char *const *icseg_dataset_class_names(const icseg_dataset *dataset);
/* (classes): "building, edifice" for "building"; the names themselves where there are no synonyms. */
ICSEG_API const char *const *icseg_dataset_class_synonyms(const icseg_dataset *dataset);
/* The form that was found, never ICSEG_DATASET_AUTO, and a line about it for people. */
ICSEG_API icseg_dataset_format icseg_dataset_recognised(const icseg_dataset *dataset);
ICSEG_API const char *icseg_dataset_description(const icseg_dataset *dataset);
ICSEG_API const char *icseg_dataset_image_path(const icseg_dataset *dataset, int64_t index);
ICSEG_API const char *icseg_dataset_label_path(const icseg_dataset *dataset, int64_t index); /* NULL: there is none */

/* Decodes one pair; both outputs are created and owned by the caller. Thread-safe. Errors as in the check. */
ICSEG_API icseg_status icseg_dataset_read(const icseg_dataset *dataset, int64_t index, icseg_image *image,
                                          icseg_labels *labels, icseg_error *error);

/* What the check found. Pixels are those of files without a fault. */
typedef struct icseg_dataset_summary {
    int64_t images, pixels, ignored;
    int64_t faults; /* lines reported: what would make training wrong */
    int32_t classes;
    int64_t *class_pixels; /* (classes), owned; icseg_dataset_summary_close frees it */
    int64_t *class_images; /* (classes): images in which the class occurs */
    int32_t min_width, min_height, max_width, max_height;
} icseg_dataset_summary;

/* Called for each fault, from the calling thread, in the order of the files whatever the number of threads: one line
 * naming file, position and remedy. */
typedef void (*icseg_dataset_fault)(void *user, const char *line);

/* Reads every label file (and every image header, or with check_images every image): values out of range, missing
 * partners, size mismatches, RGB masks, unreadable files, and, over the whole set, masks of only 0 and 255 and sets
 * without a labelled pixel. A class without a pixel is no fault: class_pixels tells. Returns ICSEG_ERROR_DATA, with the
 * first fault as its text and the number of others, when there are faults; *out is filled then too, and is to be closed
 * in every case. `threads` <= 0: all cores. */
ICSEG_API icseg_status icseg_dataset_check(const icseg_dataset *dataset, int threads, const icseg_progress *progress,
                                           icseg_dataset_fault on_fault, void *user, icseg_dataset_summary *out,
                                           icseg_error *error);
ICSEG_API void icseg_dataset_summary_close(icseg_dataset_summary *summary);

/* The palette of a class list: the colours that a published set gives its classes (ADE20K, its 150 names in their
 * order), else those of icseg_palette_create. names: (classes). */
ICSEG_API icseg_status icseg_palette_create_for(icseg_palette *out, const char *const *names, int32_t classes,
                                                icseg_error *error);

#ifdef __cplusplus
}
#endif
#endif
