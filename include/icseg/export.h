/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Writing label maps in the formats of labelling tools. icseg/import.h reads what this writes: with a tolerance and a
 * minimum area of 0, the same pixels have the same classes. */
#ifndef ICSEG_EXPORT_H
#define ICSEG_EXPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "icseg/classes.h"
#include "icseg/error.h"
#include "icseg/image.h"

#ifdef __cplusplus
extern "C" {
#endif

/** The formats; docs/data.md shows the files of each. */
typedef enum icseg_export_format {
    ICSEG_EXPORT_PNG,          /**< "png": a label map for each image */
    ICSEG_EXPORT_COCO,         /**< "coco": COCO instances JSON, one file for all images */
    ICSEG_EXPORT_LABELME,      /**< "labelme": LabelMe: a JSON file for each image */
    ICSEG_EXPORT_YOLO,         /**< "yolo": YOLO segmentation: a text file for each image, and data.yaml */
    ICSEG_EXPORT_GEOJSON,      /**< "geojson": a FeatureCollection in pixels for each image, as QuPath reads it */
    ICSEG_EXPORT_CVAT,         /**< "cvat": CVAT for images 1.1: annotations.xml, one file for all images */
    ICSEG_EXPORT_LABEL_STUDIO, /**< "label-studio": Label Studio's JSON, one file for all images */
    ICSEG_EXPORT_FORMATS       /**< how many formats this header knows */
} icseg_export_format;

/** The number of formats that this build knows; formats are 0 .. count - 1. */
ICSEG_API int32_t icseg_export_format_count(void);

/** "png", "coco", ... NULL for an unknown format. */
ICSEG_API const char *icseg_export_format_name(icseg_export_format format);

/** A short description: "COCO (instances JSON)". NULL for an unknown format. */
ICSEG_API const char *icseg_export_format_description(icseg_export_format format);

/** Whether one file has the labels of all images, and not one file for each image. */
ICSEG_API bool icseg_export_format_is_joint(icseg_export_format format);

/** Whether the format can describe objects by run lengths, and not only by polygons. */
ICSEG_API bool icseg_export_format_has_runs(icseg_export_format format);

/** Finds the format of a name. ICSEG_ERROR_ARGUMENT, with the nearest name, if no format has it. */
ICSEG_API icseg_status icseg_export_format_find(icseg_export_format *out, const char *name, icseg_error *error);

/** How to write labels. All fields may be zero except struct_size, `names` and `classes`.
 *
 * Except in ICSEG_EXPORT_PNG, an object is a region of pixels of one class that are connected by their sides. Pixels
 * labelled ICSEG_LABEL_IGNORE are left out; to tell them from the background after an import, set `background` to "".
 */
typedef struct icseg_export_options {
    size_t struct_size;         /**< ICSEG_EXPORT_OPTIONS_INIT */
    icseg_export_format format; /**< 0: ICSEG_EXPORT_PNG */
    const char *const *names;   /**< (classes) class names in UTF-8; required */
    int32_t classes;            /**< 1..ICSEG_CLASSES_MAX; required */
    const char *background; /**< name of the class that is left out, as importers add it; NULL: "background", if it is
                                 a class; "": no class is left out */
    bool runs;              /**< objects as run lengths, not as polygons, if the format has them */
    double tolerance;       /**< polygons deviate by at most this many pixels; 0: they follow the pixels exactly */
    int64_t min_area;       /**< in pixels: a smaller region becomes part of its largest neighbour */
} icseg_export_options;

/** Initialises an icseg_export_options. */
#define ICSEG_EXPORT_OPTIONS_INIT ICSEG_INIT(icseg_export_options)

/** One labelled image. */
typedef struct icseg_export_image {
    size_t struct_size; /**< ICSEG_EXPORT_IMAGE_INIT */
    const char *name;   /**< file name of the image, as tools are to find it: "a.jpg", or below folders, "b/a.jpg" */
    const icseg_labels *labels; /**< labels below options.classes, or ICSEG_LABEL_IGNORE */
    const float *confidence; /**< (height, width): 0..1; the mean over an object is its score, if the format has scores.
                                May be NULL */
} icseg_export_image;

/** Initialises an icseg_export_image. */
#define ICSEG_EXPORT_IMAGE_INIT ICSEG_INIT(icseg_export_image)

/** An export that is being written. Use it from one thread at a time. */
typedef struct icseg_export icseg_export;

/** Begins an export into a folder, which is created if it does not exist. Existing files stay until new ones are
 * complete; a file with all images is replaced by icseg_export_finish().
 *
 * @param[out] out    close it with icseg_export_close()
 * @param folder      for the files of this format
 * @param options     required; nothing is kept of the caller's
 * @param[out] error  may be NULL
 * @return ICSEG_ERROR_ARGUMENT for options that cannot work, or ICSEG_ERROR_IO. */
ICSEG_API icseg_status icseg_export_open(icseg_export **out, const char *folder, const icseg_export_options *options,
                                         icseg_error *error);

/** Adds an image. After a failure, the export is as before, and can continue, unless writing failed.
 *
 * @return ICSEG_ERROR_DATA for a name that the format cannot contain or that leads outside of the folder, and for
 *         labels that are not classes; ICSEG_ERROR_IO. */
ICSEG_API icseg_status icseg_export_add(icseg_export *to, const icseg_export_image *image, icseg_error *error);

/** Completes the files that all images share. Nothing can be added afterwards. */
ICSEG_API icseg_status icseg_export_finish(icseg_export *to, icseg_error *error);

/** Ends the export; without icseg_export_finish(), files that all images share are not written. Accepts NULL and a
 * pointer to NULL. */
ICSEG_API void icseg_export_close(icseg_export **to);

/** Makes the path of the file with the labels of an image: "FOLDER/b/a.png", "FOLDER/instances.json".
 *
 * @param format      the format
 * @param folder      as for icseg_export_open()
 * @param name        as icseg_export_image.name
 * @param[out] out    the path, freed with icseg_buffer_free(); NULL on failure
 * @param[out] error  may be NULL */
ICSEG_API icseg_status icseg_export_path(icseg_export_format format, const char *folder, const char *name, char **out,
                                         icseg_error *error);

/** Makes the contents of that file for a single image, in memory.
 *
 * @param options     as for icseg_export_open()
 * @param image       the image
 * @param[out] out    (*size) bytes, freed with icseg_buffer_free(); NULL on failure
 * @param[out] size   in bytes; 0 on failure
 * @param[out] error  may be NULL */
ICSEG_API icseg_status icseg_export_encode(const icseg_export_options *options, const icseg_export_image *image,
                                           void **out, size_t *size, icseg_error *error);

#ifdef __cplusplus
}
#endif
#endif
