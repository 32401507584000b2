/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Dividing labelled images into splits for training, validation and test. */
#ifndef ICSEG_SPLIT_H
#define ICSEG_SPLIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "icseg/dataset.h"
#include "icseg/error.h"
#include "icseg/progress.h"

#ifdef __cplusplus
extern "C" {
#endif

/** The value of icseg_split_options.group that groups images by the leading part of their names. */
#define ICSEG_SPLIT_PREFIX "prefix"

/** How to divide a data set. All fields may be zero except struct_size, and one of the shares. */
typedef struct icseg_split_options {
    size_t struct_size; /**< ICSEG_SPLIT_OPTIONS_INIT */
    const char *out;    /**< the folder of the new data set, missing or empty; NULL: nothing is written */
    double val;         /**< 0..0.9: the share of the new split "val"; 0: none */
    double test;        /**< 0..0.9: the share of the new split "test"; 0: none. The sum of both is at most 0.9 */
    const char *group;  /**< images of one group stay in one split. A POSIX extended regular expression, which each
                             image's name without extension must match: the group is its first subexpression, or the
                             whole match without one. ICSEG_SPLIT_PREFIX: the name without the digits at its end and
                             the "_", "-", "." or blanks before them. NULL: each image by itself */
    uint64_t seed;      /**< another seed makes another division */
    bool link;          /**< makes hard links instead of copies: they take no space, but a change of a file's content
                             changes both data sets */
    int32_t threads;    /**< 0: one for each core */
} icseg_split_options;

/** Initialises an icseg_split_options. */
#define ICSEG_SPLIT_OPTIONS_INIT ICSEG_INIT(icseg_split_options)

/** What the new splits contain. */
typedef struct icseg_split_summary {
    size_t struct_size;    /**< ICSEG_SPLIT_SUMMARY_INIT */
    int32_t splits;        /**< new splits, 2 or 3: what remains, then val and test */
    int32_t classes;       /**< number of classes */
    char **names;          /**< (splits) owned by the summary */
    char **class_names;    /**< (classes) owned by the summary */
    int64_t *images;       /**< (splits) owned by the summary */
    int64_t *class_images; /**< (splits, classes) images that contain the class; owned by the summary */
    int64_t *class_pixels; /**< (splits, classes) owned by the summary */
    int64_t groups;        /**< groups of images; without `group` their number is that of the images */
    int64_t others;        /**< images of other splits of the data set, which were copied unchanged */
} icseg_split_summary;

/** Initialises an icseg_split_summary. */
#define ICSEG_SPLIT_SUMMARY_INIT ICSEG_INIT(icseg_split_summary)

/** Divides one split of a data set of the folder format into two or three, so that each gets about its share of the
 * images and of the pixels of every class (a greedy form of iterative stratification, Sechidis et al. 2011). A class
 * that occurs in enough groups occurs in each new split.
 *
 * The result depends on the names, the label files, the options and the seed only. It is the same on every machine,
 * for any number of threads, and for any order in which the file system lists the files.
 *
 * Plain images with masks of class numbers are accepted too: the folder images beside masks, mask or labels, with a
 * class list.
 *
 * The data set itself is not changed. Its images, label files and class list are copied to `out`, and its other splits
 * with them. The new folder is complete or empty; a process that is killed leaves a hidden folder there, which the next
 * call removes.
 * @param data     the data set, in the folder format; split NULL: its only split, "train" if it has several, or "" if
 *                 the files are in images/ and annotations/ (the images that remain are then called "train")
 * @param options  how to divide it
 * @param progress may be NULL; stage "read labels" and, unless `out` is NULL, "write"; warnings about classes that are
 *                 missing in a split, and about label files without an image, which are left out
 * @param summary  filled on success; may be NULL; free it with icseg_split_summary_close
 * @param error    may be NULL
 * @return ICSEG_ERROR_DATA for a data set with a fault, a split that exists already, an image whose name does not match
 *         `group`, or too few images or groups; ICSEG_ERROR_ARGUMENT for options that cannot work;
 * ICSEG_ERROR_CANCELLED */
ICSEG_API icseg_status icseg_dataset_split(const icseg_dataset_options *data, const icseg_split_options *options,
                                           const icseg_progress *progress, icseg_split_summary *summary,
                                           icseg_error *error);

/** Frees the arrays and clears all fields but struct_size. Accepts NULL. */
ICSEG_API void icseg_split_summary_close(icseg_split_summary *summary);

#ifdef __cplusplus
}
#endif
#endif
