/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Class names: lists from files, the lists of published data sets, and colours. */
#ifndef ICSEG_CLASSES_H
#define ICSEG_CLASSES_H

#include <stdint.h>

#include "icseg/error.h"
#include "icseg/image.h"

#ifdef __cplusplus
extern "C" {
#endif

/** The largest number of classes in a list. */
#define ICSEG_CLASSES_MAX 16384

/** A list of class names; a class's index is its label. It is read-only: any number of threads may use one list. */
typedef struct icseg_class_list icseg_class_list;

/** Reads a text file with one class a line, in the order of the labels from 0. A line may hold several names of its
 * class, separated by commas or semicolons outside round brackets: "building, edifice". A byte order mark, blanks at
 * both ends of a line and empty lines at the end of the file are ignored.
 * @param out   the list, to be closed with icseg_class_list_close; NULL on failure
 * @param path  the file
 * @param error may be NULL
 * @return ICSEG_ERROR_IO if the file cannot be read; ICSEG_ERROR_DATA, naming file and line, for an empty list, an
 *         empty line between names, a line that begins with a separator, two equal lines, a control character, bytes
 *         that are not UTF-8, a line of more than 1000 bytes, or more than ICSEG_CLASSES_MAX names */
ICSEG_API icseg_status icseg_class_list_open(icseg_class_list **out, const char *path, icseg_error *error);

/** The classes of a published data set.
 * @param out   the list, to be closed with icseg_class_list_close; NULL on failure
 * @param name  "ade20k" (SceneParsing 2016, 150 classes), "cocostuff10k" (171) or "ade20k_full" (847)
 * @param error may be NULL
 * @return ICSEG_ERROR_ARGUMENT for another name */
ICSEG_API icseg_status icseg_class_list_open_published(icseg_class_list **out, const char *name, icseg_error *error);

/** Frees the list with its names and sets the pointer to NULL. Accepts NULL. */
ICSEG_API void icseg_class_list_close(icseg_class_list **list);

/** The number of classes; 0 for NULL. */
ICSEG_API int32_t icseg_class_list_count(const icseg_class_list *list);

/** One name for each class, all different: the first name of its line, followed by as many others as are needed to
 * distinguish the class ("bag", "bag, handbag"). (count), owned by the list; NULL for NULL. */
ICSEG_API const char *const *icseg_class_list_names(const icseg_class_list *list);

/** All names of each class, as in its line: "building, edifice". (count), owned by the list; NULL for NULL. */
ICSEG_API const char *const *icseg_class_list_synonyms(const icseg_class_list *list);

/** Creates the palette of a class list: the published colours if the names are those of ADE20K's 150 classes in their
 * order, otherwise the colours of icseg_palette_create.
 * @param out     the palette, to be closed with icseg_palette_close; empty on failure
 * @param names   (classes) class names
 * @param classes 1..65534
 * @param error   may be NULL */
ICSEG_API icseg_status icseg_palette_create_for(icseg_palette *out, const char *const *names, int32_t classes,
                                                icseg_error *error);

#ifdef __cplusplus
}
#endif
#endif
