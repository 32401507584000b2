/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Importing the files that labelling tools export: they become a data set of the folder format (icseg/dataset.h). */
#ifndef ICSEG_IMPORT_H
#define ICSEG_IMPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "icseg/dataset.h"
#include "icseg/error.h"
#include "icseg/progress.h"

#ifdef __cplusplus
extern "C" {
#endif

/** The formats of labelling tools; docs/data.md shows the files of each. */
typedef enum icseg_import_format {
    ICSEG_IMPORT_AUTO,         /**< "auto": recognised by its files */
    ICSEG_IMPORT_VOC,          /**< "voc": Pascal VOC: SegmentationClass (palette PNG), JPEGImages, ImageSets */
    ICSEG_IMPORT_CVAT,         /**< "cvat": CVAT's "Segmentation mask": labelmap.txt and coloured PNGs */
    ICSEG_IMPORT_COCO,         /**< "coco": COCO instances JSON: polygons and run lengths */
    ICSEG_IMPORT_LABELME,      /**< "labelme": LabelMe: one JSON file for each image */
    ICSEG_IMPORT_YOLO,         /**< "yolo": YOLO segmentation: one text file of polygons for each image */
    ICSEG_IMPORT_ROBOFLOW,     /**< "roboflow": Roboflow's semantic masks: NAME_mask.png and _classes.csv */
    ICSEG_IMPORT_CITYSCAPES,   /**< "cityscapes": leftImg8bit and gtFine (labelTrainIds or labelIds), 19 classes */
    ICSEG_IMPORT_MMSEG,        /**< "mmseg": mmsegmentation's img_dir and ann_dir */
    ICSEG_IMPORT_MAPILLARY,    /**< "mapillary": Mapillary Vistas 1.2 and 2.0: training, validation and config*.json */
    ICSEG_IMPORT_MASKS,        /**< "masks": images with masks, labels or annotations of class numbers */
    ICSEG_IMPORT_CVAT_XML,     /**< "cvat-xml": CVAT for images 1.1: annotations.xml */
    ICSEG_IMPORT_LABEL_STUDIO, /**< "label-studio": Label Studio's JSON, JSON_MIN and PNG exports */
    ICSEG_IMPORT_SUPERVISELY,  /**< "supervisely": meta.json, ann and img */
    ICSEG_IMPORT_GEOJSON,      /**< "geojson": GeoJSON in pixels, one file for each image, as QuPath exports it */
    ICSEG_IMPORT_FORMATS       /**< how many formats this header knows */
} icseg_import_format;

/** The number of formats that this build knows; formats are 0 .. count - 1. */
ICSEG_API int32_t icseg_import_format_count(void);

/** "auto", "voc", "cvat", ... NULL for an unknown format. */
ICSEG_API const char *icseg_import_format_name(icseg_import_format format);

/** A short description: "COCO instances JSON". NULL for an unknown format. */
ICSEG_API const char *icseg_import_format_description(icseg_import_format format);

/** Finds the format of a name. ICSEG_ERROR_ARGUMENT, with the nearest name, if no format has it. */
ICSEG_API icseg_status icseg_import_format_find(icseg_import_format *out, const char *name, icseg_error *error);

/** What to import. All fields may be zero except struct_size, `source` and `folder`. */
typedef struct icseg_import_options {
    size_t struct_size; /**< ICSEG_IMPORT_OPTIONS_INIT */
    const char
        *source; /**< required: the folder that the tool exported, a COCO JSON file, or a zip archive of such files */
    const char *folder;         /**< required: the folder of the new data set, missing or empty */
    icseg_import_format format; /**< 0: recognised by its files */
    const char *image_folder;   /**< folder of the images; NULL: where the format has them */
    const char *classes_file;   /**< class names in the desired order, one a line; NULL: the classes of the source */
    const char *background; /**< class of pixels that no outline covers; NULL: "background"; "": unlabelled. They are
                                 unlabelled as well if classes_file does not contain the class */
    const char *split;      /**< name of the split of a source without splits, NULL: "train". A COCO file whose
                                 name contains a split is that split; several files without one are joined into this
                                 split, but only if it is set */
    double val_share;       /**< 0..0.9: this share of a single split becomes the split "val" */
    icseg_dataset_problem on_problem; /**< receives each problem; may be NULL */
    void *user;                       /**< passed to on_problem */
    const char *map; /**< masks of numbers: "255=1": values and the values that they are read as; NULL: none */
    const char *background_colour; /**< coloured masks: pixels of this colour are background; "r,g,b" or "#rrggbb";
                                        NULL: none */
    const char *ignore_colour;     /**< coloured masks: pixels of this colour are unlabelled; NULL: none */
} icseg_import_options;

/** Initialises an icseg_import_options. */
#define ICSEG_IMPORT_OPTIONS_INIT ICSEG_INIT(icseg_import_options)

/** Counts of an import. */
typedef struct icseg_import_summary {
    size_t struct_size;         /**< ICSEG_IMPORT_SUMMARY_INIT */
    icseg_import_format format; /**< the format that was read */
    int32_t classes;            /**< classes of the new data set */
    int64_t images;             /**< images written */
    int64_t objects;            /**< outlines drawn */
    int64_t skipped;       /**< objects without an outline, such as points, lines, and boxes of COCO and YOLO, which
                                a message counts by kind; and outlines that cover no pixel of their image, the
                                first of which a message names */
    int64_t problems;      /**< number of problems reported */
    bool no_background;    /**< classes_file lacks the background: pixels without an object are unlabelled */
    bool split_unused;     /**< `split` had no effect: the source already has several splits */
    bool val_share_unused; /**< `val_share` had no effect, for the same reason */
    int64_t images_without_objects; /**< images of which all pixels are background or unlabelled */
    int64_t unused_files;           /**< files in folders of labels from which nothing was read; a message names some */
} icseg_import_summary;

/** Initialises an icseg_import_summary. */
#define ICSEG_IMPORT_SUMMARY_INIT ICSEG_INIT(icseg_import_summary)

/** Writes a new data set. Images are copied unchanged. Outlines are filled by the even-odd rule at pixel centres, small
 * objects over large ones, and written as single-channel PNG files.
 *
 * A source in which no image has an object is an error, and so is an image file that would be two images of the source,
 * because their labels would contradict each other. Messages report images without objects, images that no label file
 * mentions, label files that were not used, and two classes of one name.
 *
 * If the source does not have the format's files, but a single folder that has them, that folder is imported. A zip
 * archive is unpacked into a hidden folder in the new one and removed again. Encrypted entries, symbolic links, paths
 * that leave the archive, more than 131,072 entries, more than 64 GiB, and archives that grow more than a hundredfold
 * are errors.
 *
 * If there are problems, all of them are reported and nothing remains in the new folder. A process that is killed
 * leaves a hidden folder .import.RANDOM there, which the next import removes.
 * @param options  what to import
 * @param progress may be NULL; stage "import", in images; the total is 0 while it is unknown
 * @param out      filled also when there are problems; may be NULL
 * @param error    may be NULL
 * @return ICSEG_ERROR_DATA, with the first problem and the number of others, if there are problems;
 *         ICSEG_ERROR_ARGUMENT for options that cannot work; ICSEG_ERROR_CANCELLED */
ICSEG_API icseg_status icseg_import_run(const icseg_import_options *options, const icseg_progress *progress,
                                        icseg_import_summary *out, icseg_error *error);

#ifdef __cplusplus
}
#endif
#endif
