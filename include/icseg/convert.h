/* SPDX-License-Identifier: Apache-2.0
 * What labelling tools export, turned into a folder data set (icseg/dataset.h). */
#ifndef ICSEG_CONVERT_H
#define ICSEG_CONVERT_H

#include "icseg/dataset.h"
#include "icseg/error.h"
#include "icseg/progress.h"

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* docs/data.md shows the files of each. */
typedef enum icseg_export_format {
    ICSEG_EXPORT_AUTO,    /* as the files tell */
    ICSEG_EXPORT_VOC,     /* Pascal VOC: SegmentationClass (palette PNG), JPEGImages, ImageSets */
    ICSEG_EXPORT_CVAT,    /* CVAT "Segmentation mask": labelmap.txt and coloured PNGs */
    ICSEG_EXPORT_COCO,    /* COCO instances JSON: polygons and run lengths */
    ICSEG_EXPORT_LABELME, /* LabelMe: one JSON a picture */
    ICSEG_EXPORT_YOLO,    /* YOLO segmentation: one text file of polygons a picture */
    ICSEG_EXPORT_FORMATS
} icseg_export_format;

typedef struct icseg_convert_options {
    const char *source; /* the export's folder, or a COCO JSON file */
    const char *out;    /* the data set's folder: missing or empty */
    icseg_export_format format;
    const char *images;       /* folder of the pictures, when they do not lie where the export says; or NULL */
    const char *classes_file; /* class names in the order wanted, one a line; NULL: as the export tells */
    const char *background;   /* class of pixels that no outline covers; "" makes them unlabelled, and so does a
                                 classes_file without that class (summary.no_background) */
    const char *split;        /* name of the split for exports without splits, NULL: "train". Of several COCO files each
                                 is the split its name tells; those that tell none become one only by this name */
    double val_share;         /* 0..0.9: of an export with one split, this share goes to the split "val" */
} icseg_convert_options;

typedef struct icseg_convert_summary {
    icseg_export_format format; /* what was recognised */
    int32_t classes;
    int64_t images, objects;
    int64_t skipped; /* shapes without an area: points, lines, boxes of COCO without an outline */
    int64_t faults;
    bool no_background; /* pixels without an object are unlabelled, as classes_file lacks the background */
    bool split_unused, val_share_unused; /* these were asked for, but the export has several splits of its own */
} icseg_convert_summary;

ICSEG_API icseg_convert_options icseg_convert_options_default(void);

/* "auto", "voc", ... in the order of the enum. */
ICSEG_API const char *icseg_export_format_name(icseg_export_format format);

/* Pictures are copied as they are, outlines are filled (pixel centres, even-odd; small objects over large ones) and
 * written as single-channel PNGs. Every fault of the export goes to `on_fault` (may be NULL) in one line that names
 * file and place; with faults the status is ICSEG_ERROR_DATA, the text is the first of them, and nothing is left in the
 * new folder. A process that is killed leaves a hidden folder .convert.PID there. */
ICSEG_API icseg_status icseg_dataset_convert(const icseg_convert_options *options, const icseg_progress *progress,
                                             icseg_dataset_fault on_fault, void *user, icseg_convert_summary *out,
                                             icseg_error *error);

#ifdef __cplusplus
}
#endif
#endif
