/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Labelled images: finding them, checking them before training, and reading them.
 *
 * An open data set is read-only: any number of threads may use one at the same time. */
#ifndef ICSEG_DATASET_H
#define ICSEG_DATASET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "icseg/classes.h"
#include "icseg/error.h"
#include "icseg/image.h"
#include "icseg/progress.h"

#ifdef __cplusplus
extern "C" {
#endif

/** @name Formats
 * docs/data.md shows the folders of each. @{ */

/** How a data set is laid out on disk. */
typedef enum icseg_dataset_format {
    ICSEG_DATASET_FOLDER,       /**< "folder": images/SPLIT, annotations/SPLIT, classes.txt */
    ICSEG_DATASET_AUTO,         /**< "auto": recognised by its folders */
    ICSEG_DATASET_ADE20K,       /**< "ade20k": SceneParsing 2016, 150 classes */
    ICSEG_DATASET_COCOSTUFF10K, /**< "cocostuff10k": v1.0 and v1.1 (.mat), or *_labelTrainIds.png, 171 classes */
    ICSEG_DATASET_ADE20K_FULL,  /**< "ade20k_full": ADE20K_2021_17_01 (*_seg.png) or 16-bit TIFF, 847 classes */
    ICSEG_DATASET_FORMATS       /**< how many formats this header knows */
} icseg_dataset_format;

/** The number of formats that this build knows; formats are 0 .. count - 1. */
ICSEG_API int32_t icseg_dataset_format_count(void);

/** The word that recipes use: "folder", "auto", "ade20k", ... NULL for an unknown format. */
ICSEG_API const char *icseg_dataset_format_name(icseg_dataset_format format);

/** A short description: "ADE20K SceneParsing 2016, 150 classes". NULL for an unknown format. */
ICSEG_API const char *icseg_dataset_format_description(icseg_dataset_format format);

/** The folders and files that the format consists of, in one line. NULL for an unknown format and for AUTO. */
ICSEG_API const char *icseg_dataset_format_layout(icseg_dataset_format format);

/** Finds the format of a name. ICSEG_ERROR_ARGUMENT, with the nearest name, if no format has it. */
ICSEG_API icseg_status icseg_dataset_format_find(icseg_dataset_format *out, const char *name, icseg_error *error);

/** @} */

/** Which data set to open, and how to interpret its label files. All fields may be zero except struct_size and
 * `folder`. */
typedef struct icseg_dataset_options {
    size_t struct_size;          /**< ICSEG_DATASET_OPTIONS_INIT */
    const char *folder;          /**< required: the folder of the data set */
    icseg_dataset_format format; /**< 0: ICSEG_DATASET_FOLDER */
    const char *split;           /**< NULL: "train". Published sets accept their own split names, "train" and "val".
                                      "": a folder without splits, whose files are in images/ and annotations/ */
    const char *classes_file;    /**< the class list; NULL: FOLDER/classes.txt, or the published names */
    bool reduce_zero_label;      /**< 0 means unlabelled and class k is stored as k + 1; not needed by published sets */
    const int32_t *ignore;       /**< (ignore_count) further stored values 0..65535 that mean unlabelled, besides 255
                                      (8 bit) and 65535 (16 bit) */
    int32_t ignore_count;        /**< length of `ignore` */
    bool images_only;            /**< there are no label files: icseg_dataset_read returns empty labels, and the class
                                      list may be missing */
    bool keep_unpaired;          /**< keeps images and label files without a partner, for icseg_dataset_check to report,
                                      instead of failing */
    const icseg_image_values *values; /**< how the stored values of images become colours; NULL: as the files say */
    const char *map;                  /**< "255=1,128=2": stored values and the values that they are read as, before any
                                           other rule; NULL or "": none */
    double val_share; /**< 0..0.9: holds out about this share of the images, chosen by a hash of their names, and opens
                           the others, as a recipe's data.val_share does; at least one image is on each side; 0: opens
                           all images */
    bool held_out;    /**< with val_share: opens the images that are held out instead of the others */
} icseg_dataset_options;

/** Initialises an icseg_dataset_options: `icseg_dataset_options o = {ICSEG_DATASET_OPTIONS_INIT, .folder = "data"};` */
#define ICSEG_DATASET_OPTIONS_INIT ICSEG_INIT(icseg_dataset_options)

/** An open data set: the list of its files, its classes and its label rule. */
typedef struct icseg_dataset icseg_dataset;

/** Lists the splits of a data set: the names of the folders in FOLDER/images, sorted, or those of the published set
 * that the folder contains.
 * @param out    (count) names in one block; free it with icseg_buffer_free; NULL on failure
 * @param count  the number of names
 * @param folder the data set
 * @param error  may be NULL
 * @return ICSEG_ERROR_DATA if the folder is missing or is not a data set, or if it has more than 4096 splits */
ICSEG_API icseg_status icseg_dataset_splits(char ***out, int32_t *count, const char *folder, icseg_error *error);

/** Lists the files of one split and pairs images with label files by stem, in the order of the stems. Reads no pixels.
 * @param out     the data set; close it with icseg_dataset_close; NULL on failure
 * @param options which data set
 * @param error   may be NULL
 * @return ICSEG_ERROR_DATA for a missing folder (naming the splits that exist), a split without images, an image
 * without a label file, two images or label files of one stem, a bad class list, or a data set of another format;
 *         ICSEG_ERROR_UNSUPPORTED for MATLAB label files in a build that does not read them */
ICSEG_API icseg_status icseg_dataset_open(icseg_dataset **out, const icseg_dataset_options *options,
                                          icseg_error *error);

/** Frees the data set and sets the pointer to NULL. Accepts NULL. */
ICSEG_API void icseg_dataset_close(icseg_dataset **dataset);

/** The number of images; 0 for NULL. */
ICSEG_API int64_t icseg_dataset_count(const icseg_dataset *dataset);

/** The number of classes; 0 for NULL, and for images_only without a class list. */
ICSEG_API int32_t icseg_dataset_classes(const icseg_dataset *dataset);

/** One name for each class (icseg_class_list_names). (classes), owned by the data set; NULL without classes. */
ICSEG_API const char *const *icseg_dataset_class_names(const icseg_dataset *dataset);

/** All names of each class (icseg_class_list_synonyms). (classes), owned by the data set; NULL without classes. */
ICSEG_API const char *const *icseg_dataset_class_synonyms(const icseg_dataset *dataset);

/** The format that was found, never ICSEG_DATASET_AUTO unless `dataset` is NULL. */
ICSEG_API icseg_dataset_format icseg_dataset_recognised(const icseg_dataset *dataset);

/** A human-readable line about the format and edition found; owned by the data set; NULL for NULL. */
ICSEG_API const char *icseg_dataset_description(const icseg_dataset *dataset);

/** The path of image `index`; owned by the data set; NULL for an index outside 0 .. count - 1. */
ICSEG_API const char *icseg_dataset_image_path(const icseg_dataset *dataset, int64_t index);

/** The path of the label file of image `index`; owned by the data set; NULL if the image does not have one. */
ICSEG_API const char *icseg_dataset_label_path(const icseg_dataset *dataset, int64_t index);

/** Decodes one image and its label file.
 * @param dataset an open data set
 * @param index   0 .. count - 1
 * @param image   created; the caller frees it with icseg_image_close; empty on failure
 * @param labels  created, of the image's size (empty with images_only); the caller frees it with icseg_labels_close
 * @param error   may be NULL
 * @return the errors of icseg_dataset_check, and ICSEG_ERROR_ARGUMENT for an index out of range */
ICSEG_API icseg_status icseg_dataset_read(const icseg_dataset *dataset, int64_t index, icseg_image *image,
                                          icseg_labels *labels, icseg_error *error);

/** What there is to say about the images of a data set that were read or checked so far, such as that their values are
 * dark. Thread-safe.
 * @param dataset an open data set
 * @param kind    the kind of note
 * @param out     receives the note about the first such image, in the order of the data set: a message that begins with
 *                the file's name, the field that would help, and status ICSEG_OK; may be NULL
 * @return whether there is one */
ICSEG_API bool icseg_dataset_note(const icseg_dataset *dataset, icseg_image_note kind, icseg_error *out);

/** One image of a data set with its labels, as icseg_dataset_next fills it. */
typedef struct icseg_dataset_sample {
    size_t struct_size;     /**< ICSEG_DATASET_SAMPLE_INIT */
    int64_t next;           /**< index of the image that the next call reads; set it to start elsewhere */
    int64_t index;          /**< index of this image */
    icseg_status status;    /**< after the last call: ICSEG_OK at the end of the data set, otherwise the failure */
    const char *image_path; /**< owned by the data set */
    const char *label_path; /**< owned by the data set; NULL with images_only */
    icseg_image image;      /**< owned by the sample; valid until the next call */
    icseg_labels labels;    /**< owned by the sample; empty with images_only */
} icseg_dataset_sample;

/** Initialises an icseg_dataset_sample. */
#define ICSEG_DATASET_SAMPLE_INIT ICSEG_INIT(icseg_dataset_sample)

/** Reads the next image of a data set, and frees the one before.
 *
 *     icseg_dataset_sample sample = {ICSEG_DATASET_SAMPLE_INIT};
 *     while (icseg_dataset_next(dataset, &sample, &error)) use(&sample.image, &sample.labels);
 *     icseg_status status = sample.status;
 *     icseg_dataset_sample_close(&sample);
 *
 * Threads may iterate over one data set at the same time, each with its own sample.
 * @return whether the sample was filled; false at the end of the data set (status ICSEG_OK) and on failure. After a
 *         failure, `next` is the index of the image after the one that failed */
ICSEG_API bool icseg_dataset_next(const icseg_dataset *dataset, icseg_dataset_sample *sample, icseg_error *error);

/** Frees the image and the labels, and makes the sample start at the first image again. Accepts NULL. */
ICSEG_API void icseg_dataset_sample_close(icseg_dataset_sample *sample);

/** Receives each problem that a check or an import finds: `problem->message` is one line that names the file, the
 * position and the remedy. It is called from the thread that called the library, and `problem` is valid during the call
 * only. */
typedef void (*icseg_dataset_problem)(void *user, const icseg_error *problem);

/** How to check a data set; NULL or zero: the defaults. */
typedef struct icseg_dataset_check_options {
    size_t struct_size;               /**< ICSEG_DATASET_CHECK_OPTIONS_INIT */
    int32_t threads;                  /**< 0: one for each core */
    bool decode_images;               /**< decodes every image instead of its header alone; finds truncated images, and
                                           takes longer */
    icseg_dataset_problem on_problem; /**< may be NULL */
    void *user;                       /**< passed to on_problem */
    bool names_checked;               /**< leaves out warnings about class names, for the second split of a set */
} icseg_dataset_check_options;

/** Initialises an icseg_dataset_check_options. */
#define ICSEG_DATASET_CHECK_OPTIONS_INIT ICSEG_INIT(icseg_dataset_check_options)

/** Counts of a check. Pixels are those of the files without a problem. */
typedef struct icseg_dataset_summary {
    size_t struct_size;    /**< ICSEG_DATASET_SUMMARY_INIT */
    int64_t images;        /**< images without a problem */
    int64_t pixels;        /**< their pixels */
    int64_t ignored;       /**< pixels that are unlabelled */
    int64_t problems;      /**< number of problems reported */
    int32_t classes;       /**< length of the arrays below */
    int64_t *class_pixels; /**< (classes) pixels of each class; owned by the summary */
    int64_t *class_images; /**< (classes) images that contain the class; owned by the summary */
    int32_t min_width;     /**< pixels */
    int32_t min_height;    /**< pixels */
    int32_t max_width;     /**< pixels */
    int32_t max_height;    /**< pixels */
} icseg_dataset_summary;

/** Initialises an icseg_dataset_summary: `icseg_dataset_summary s = {ICSEG_DATASET_SUMMARY_INIT};` */
#define ICSEG_DATASET_SUMMARY_INIT ICSEG_INIT(icseg_dataset_summary)

/** Reads every label file and the header of every image, and finds what would make training fail or go wrong: values
 * out of range, missing partners, sizes that differ, colour masks, unreadable files, and, over the whole set, masks of
 * only 0 and 255 and sets without a labelled pixel. A class without a pixel is not a problem;
 * class_pixels shows it. The first images of 16 bits are also decoded, for icseg_dataset_note. Problems are reported in
 * the order of the files, whatever the number of threads.
 * @param dataset  an open data set, with keep_unpaired so that missing partners do not fail icseg_dataset_open
 * @param options  NULL: the defaults
 * @param progress may be NULL; stage "check labels", in images; a warning if class names look doubly encoded, if
 *                 all labelled pixels are of one class, or if half of the classes have no pixels
 * @param out      filled also when there are problems; always free it with icseg_dataset_summary_close
 * @param error    may be NULL
 * @return ICSEG_ERROR_DATA, with the first problem and the number of others, if there are problems;
 *         ICSEG_ERROR_CANCELLED */
ICSEG_API icseg_status icseg_dataset_check(const icseg_dataset *dataset, const icseg_dataset_check_options *options,
                                           const icseg_progress *progress, icseg_dataset_summary *out,
                                           icseg_error *error);

/** Frees the arrays and clears all fields but struct_size. Accepts NULL. */
ICSEG_API void icseg_dataset_summary_close(icseg_dataset_summary *summary);

#ifdef __cplusplus
}
#endif
#endif
