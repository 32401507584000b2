/* SPDX-License-Identifier: Apache-2.0
 * What the importers share. An importer finds classes and images, and passes each image with its objects to
 * icseg_import_write. A problem of the source is noted, and the import continues to find the others; a failure of our
 * own (memory, a full disk, a cancellation) ends it. */
#ifndef ICSEG_IMPORTERS_INTERNAL_H
#define ICSEG_IMPORTERS_INTERNAL_H

#include <jansson.h>

#include "base/memory.h"
#include "base/progress.h"
#include "dataset/problems.h"
#include "icseg/image.h"
#include "icseg/import.h"
#include "importers/raster.h"

enum { ICSEG_IMPORT_JSON_LIMIT = 1 << 29 };

typedef enum icseg_outline_kind {
    ICSEG_OUTLINE_POLYGON,
    ICSEG_OUTLINE_CIRCLE,
    ICSEG_OUTLINE_RUNS,
    ICSEG_OUTLINE_MASK
} icseg_outline_kind;

/* One piece of an object; the object is their union. */
typedef struct icseg_outline icseg_outline;
struct icseg_outline {
    icseg_outline_kind kind;
    double *xy;     /* (count, 2) pixels: corners of a polygon; centre of a circle and a point on it */
    uint32_t *runs; /* (count) */
    size_t count;
    icseg_mask mask; /* owned; icseg_import_write closes it */
    int32_t x, y;    /* position of the mask's upper left corner */
    icseg_outline *next;
};

typedef struct icseg_object {
    int16_t label; /* may be ICSEG_LABEL_IGNORE */
    icseg_outline *outlines;
} icseg_object;

/* One image with its labels. */
typedef struct icseg_import_item {
    icseg_arena *arena; /* owns the objects */
    const char *split;
    const char *name;          /* the source's name of the image; its stem names the files written */
    const char *image;         /* path; or NULL, and the file's content is `data`: */
    const unsigned char *data; /* (size) */
    size_t size;
    const char *source;        /* origin of the labels, for error messages */
    int64_t width, height;     /* according to the source; 0: unknown */
    const icseg_labels *ready; /* a complete label map; or NULL, and the labels are `objects`: */
    icseg_object *objects;     /* (object_count) */
    size_t object_count;
} icseg_import_item;

/* A running import. */
typedef struct icseg_import {
    icseg_arena *arena; /* lives as long as the import */
    const icseg_import_options *options;
    const char *background; /* as in the options, with the default filled in */
    icseg_stage stage;      /* its total grows as images are found */
    char **names;           /* (classes) */
    int32_t classes;
    bool fixed;            /* the classes are the caller's: no names are added */
    icseg_palette palette; /* of the label files; made again when a class was added */
    icseg_import_summary summary;
    int64_t in_split; /* images seen while the source has one split */
    bool one_split;
    bool split_used; /* one of several splits has the name that the caller asked for */
    icseg_problems problems;
    bool broken; /* the new folder cannot be written, which is not a problem of the source */
    /* staging.c */
    char *staging;   /* folder in which files are collected; NULL: not created */
    int lock;        /* descriptor of the new folder, which is locked; -1: not open */
    int marker;      /* descriptor of the marker file in the staging folder, which is locked; -1: not open */
    size_t new_from; /* length of the part of the new folder's path that the import creates first; 0: it existed */
} icseg_import;

/* ---- staging.c: the new folder ---- */

/* Files are collected in a hidden folder inside the new folder. Its name is random. A marker file in it, which the
 * process keeps locked, tells it from a user's folder and from one that a killed import left. */

/* Creates and locks the new folder, so that a second import into it fails. Removes what killed imports left; fails when
 * the folder contains anything else. */
icseg_status icseg_staging_open(icseg_import *im, icseg_error *error);
/* Moves the files up into the new folder. */
icseg_status icseg_staging_commit(icseg_import *im, icseg_error *error);
/* Removes what this import created and did not commit. */
void icseg_staging_close(icseg_import *im);

/* ---- classes.c ---- */

/* The label of a class name, which is added unless the list is the caller's. -1 for the background when that is
 * unlabelled. `where` begins the error message for an unknown name. */
icseg_status icseg_import_class(icseg_import *im, const char *name, const char *where, int32_t *label,
                                icseg_error *error);
/* Adds the class of pixels without an object as the first one, unless the list is the caller's. */
icseg_status icseg_import_background(icseg_import *im, icseg_error *error);
/* The label of pixels without an object. */
int16_t icseg_import_background_label(const icseg_import *im);

/* ---- write_image.c ---- */

/* Draws and writes one image; after a problem it only checks it. Objects are painted from the largest to the smallest;
 * of equal ones the later is on top. */
icseg_status icseg_import_write(icseg_import *im, const icseg_import_item *item, icseg_error *error);
/* Closes the masks of the item's outlines, as icseg_import_write does. */
void icseg_import_item_close(const icseg_import_item *item);

/* ---- source_files.c ---- */

/* Notes a problem of the source and returns ICSEG_OK, so that the import continues. Other failures are returned. */
icseg_status icseg_import_problem(icseg_import *im, icseg_status status, icseg_error *error);
/* Which image to find: one called `name`, in one of the folders (NULL-terminated) or below it, as folders in the name
 * count unless they lead outside. The folder that the caller gave is searched first. */
typedef struct icseg_image_query {
    const char *const *folders;
    const char *name;
    bool any_type; /* accepts another extension */
} icseg_image_query;
/* The path in the arena; *out is NULL when the image is missing. */
icseg_status icseg_import_find_image(icseg_import *im, icseg_arena *arena, icseg_image_query query, char **out,
                                     icseg_error *error);
/* Reads a JSON file of at most ICSEG_IMPORT_JSON_LIMIT bytes whose root is an object. */
icseg_status icseg_import_read_json(json_t **out, const char *path, icseg_error *error);
/* The names of the folder's files with one of the extensions, sorted, in the arena. None when the folder is missing. */
icseg_status icseg_import_list(icseg_arena *arena, const char *folder, const char *const *types, char ***out,
                               size_t *count, icseg_error *error);
/* A coordinate: a finite JSON number of a sane size. `where` begins the error message. */
icseg_status icseg_import_number(const json_t *value, const char *where, double *out, icseg_error *error);

/* ---- the importers ---- */

icseg_status icseg_import_voc(icseg_import *im, icseg_error *error);
icseg_status icseg_import_cvat(icseg_import *im, icseg_error *error);
icseg_status icseg_import_coco(icseg_import *im, icseg_error *error);
icseg_status icseg_import_labelme(icseg_import *im, icseg_error *error);
icseg_status icseg_import_yolo(icseg_import *im, icseg_error *error);

#endif
