/* SPDX-License-Identifier: Apache-2.0
 * Shared by the importers. An importer finds classes and images, and passes each image with its objects to
 * icseg_import_write. A problem of the source is recorded, and the import continues to find others. Other failures
 * (memory, a full disk, a cancellation) end it. */
#ifndef ICSEG_IMPORTERS_INTERNAL_H
#define ICSEG_IMPORTERS_INTERNAL_H

#include <jansson.h>

#include "base/memory.h"
#include "base/progress.h"
#include "dataset/problems.h"
#include "dataset/staging.h"
#include "icseg/image.h"
#include "icseg/import.h"
#include "importers/raster.h"
#include "importers/text_table.h"

enum { ICSEG_IMPORT_JSON_LIMIT = 1 << 29, ICSEG_IMPORT_NAMED = 3 /* files that a message names */ };

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
    int32_t order; /* objects of a higher order are on top; among equal ones, those that cover fewer pixels */
    icseg_outline *outlines;
} icseg_object;

/* One image with its labels. */
typedef struct icseg_import_item {
    icseg_arena *arena; /* owns the objects */
    const char *split;
    const char *name;          /* the source's name for the image; its stem names the new files */
    const char *image;         /* path; NULL: the file's content is `data` */
    const unsigned char *data; /* (size) */
    size_t size;
    const char *source;        /* origin of the labels, for error messages */
    int64_t width, height;     /* according to the source; 0: unknown */
    const icseg_labels *ready; /* a complete label map; NULL: the labels are `objects` */
    icseg_object *objects;     /* (object_count) */
    size_t object_count;
} icseg_import_item;

/* Kinds of objects from which no pixels are taken. */
typedef enum icseg_skip {
    ICSEG_SKIP_BOX,
    ICSEG_SKIP_ELLIPSE,
    ICSEG_SKIP_LINE,
    ICSEG_SKIP_POINT,
    ICSEG_SKIP_CUBOID,
    ICSEG_SKIP_SKELETON,
    ICSEG_SKIP_OTHER,
    ICSEG_SKIPS
} icseg_skip;

/* A list of texts that grows. */
typedef struct icseg_import_texts {
    char **texts; /* (count), from the heap: free it with icseg_free; the texts are in the arena */
    size_t count, capacity;
} icseg_import_texts;

/* The image that a file is: its name, and the origin of its labels. Both are in the arena. */
typedef struct icseg_image_owner {
    const char *name, *source;
} icseg_image_owner;

/* The image files that were read; all zero is none. */
typedef struct icseg_import_images {
    icseg_text_table files;    /* identities of files */
    icseg_text_table folders;  /* identities of their folders */
    icseg_import_texts paths;  /* a path of each folder */
    icseg_image_owner *owners; /* (files.count) */
    size_t owner_capacity;
} icseg_import_images;

/* The names in folders; all zero is none. */
typedef struct icseg_listing {
    icseg_text_table folders, names;
} icseg_listing;

/* A running import. */
typedef struct icseg_import {
    icseg_arena *arena; /* exists as long as the import */
    const icseg_import_options *options;
    const char *background;          /* of the options, or the default */
    const char *background_spelling; /* the first of the source's own names of it; NULL: none so far */
    bool background_warned;
    bool ignored_said; /* a message told of a class that is read as unlabelled */
    icseg_stage stage; /* its total grows as images are found */
    char **names;      /* (classes) */
    int32_t classes;
    bool fixed;            /* the classes are the caller's: no names are added */
    icseg_palette palette; /* of the label files; made again when a class was added */
    icseg_import_summary summary;
    int64_t in_split; /* images so far, if the source has one split */
    bool one_split;
    bool split_used; /* the caller's split is one of several */
    icseg_problems problems;
    int64_t outside;            /* objects that cover no pixel; skipped */
    const char *first_outside;  /* the labels of the first image with such an object, in the arena */
    int64_t skips[ICSEG_SKIPS]; /* summary.skipped without those outside, by kind */
    icseg_import_images images;
    icseg_listing listing; /* of the folders where images of any format are looked for */
    char **tree;           /* (tree_count): the images below tree_folder, by their last parts; in the arena */
    size_t tree_count;
    const char *tree_folder;                /* NULL: not listed so far */
    int64_t unlabelled;                     /* images that no label file mentions */
    const char *first_unlabelled;           /* its path, in the arena */
    const char *unused[ICSEG_IMPORT_NAMED]; /* the first files of label folders that were not used, in the arena */
    bool broken;                            /* writing to the new folder failed, which is not a problem of the source */
    icseg_staging staging;
    const char *archive;  /* the source, if it is a zip archive; else NULL */
    const char *unpacked; /* the folder of its files */
} icseg_import;

/* ---- classes.c ---- */

/* Appends a copy of the name to a list of `count` names, which only this function has made. False: out of memory. */
bool icseg_import_append(icseg_arena *arena, char ***names, size_t count, const char *name);
/* The label of a class name, which is added unless the list is the caller's; ICSEG_LABEL_IGNORE for an unlabelled
 * background. Error messages begin with `where`. */
icseg_status icseg_import_class(icseg_import *im, const char *name, const char *where, int32_t *label,
                                icseg_error *error);
/* icseg_import_class for tools of which classes whose names end in "*" mark pixels to ignore, as QuPath's "Ignore*":
 * they are unlabelled unless the caller's list contains the class. A message says so once. */
icseg_status icseg_import_starred_class(icseg_import *im, const char *name, const char *where, int32_t *label,
                                        icseg_error *error);
/* The classes that a list declares; all zero at its start. */
typedef struct icseg_import_declared {
    bool *seen;  /* (ICSEG_CLASSES_MAX), by label, in the arena */
    bool warned; /* a name occurred twice */
} icseg_import_declared;
/* icseg_import_class for a list of classes. Two classes with one name become one; a warning names the first. */
icseg_status icseg_import_declare(icseg_import *im, icseg_import_declared *declared, const char *name,
                                  const char *where, int32_t *label, icseg_error *error);
/* Adds the class of pixels without an object as the first one, unless the list is the caller's. */
icseg_status icseg_import_background(icseg_import *im, icseg_error *error);
/* The label of pixels without an object. */
int16_t icseg_import_background_label(const icseg_import *im);

/* ---- write_image.c ---- */

/* Draws and writes one image, or, once the import has problems, only checks it. Objects are painted from the largest to
 * the smallest; of equally large ones the later is on top. */
icseg_status icseg_import_write(icseg_import *im, const icseg_import_item *item, icseg_error *error);
/* Closes the masks of the item's outlines, as icseg_import_write does. */
void icseg_import_item_close(const icseg_import_item *item);

/* ---- image_files.c ---- */

void icseg_import_images_close(icseg_import_images *images);
/* Notes the file of the item's image. Fails if it is already that of an image with labels from another place. */
icseg_status icseg_import_claim_image(icseg_import *im, const icseg_import_item *item, icseg_error *error);
/* Notes a file beside images that is not one of them: a mask. */
icseg_status icseg_import_claim_file(icseg_import *im, const char *path, icseg_error *error);
/* Counts as unused the files beside the images that may be label files of other tools: text, XML, JSON or GeoJSON files
 * with the name of an image. */
icseg_status icseg_import_note_foreign(icseg_import *im, icseg_error *error);
/* Counts the other images in the folders of the files that were noted. */
icseg_status icseg_import_count_unlabelled(icseg_import *im, icseg_error *error);

/* ---- listing.c ---- */

void icseg_listing_close(icseg_listing *listing);
/* *may is false if the path's folder does not have such a name, in small or capital letters. The folder is listed when
 * it is first asked for. Names beyond ASCII may be anywhere. */
icseg_status icseg_listing_may_have(icseg_listing *listing, icseg_arena *arena, const char *path, bool *may,
                                    icseg_error *error);

/* ---- source_files.c ---- */

/* Records a problem of the source and returns ICSEG_OK, so that the import continues. Returns other failures. */
icseg_status icseg_import_problem(icseg_import *im, icseg_status status, icseg_error *error);
/* The image to find: `name`, which may contain subfolders but not lead outside, in one of the folders
 * (NULL-terminated). The caller's image_folder is searched first. */
typedef struct icseg_image_query {
    const char *const *folders;
    const char *name;
    bool any_type;    /* accepts other extensions; two files that differ only in the extension are an error */
    const char *tree; /* a folder that is searched with all folders inside it, for the longest end of the name that
                         only one file has; NULL: none */
} icseg_image_query;
/* *out is the path, in the arena; NULL if the image is missing. Backslashes in the name are slashes. */
icseg_status icseg_import_find_image(icseg_import *im, icseg_arena *arena, icseg_image_query query, char **out,
                                     icseg_error *error);
/* The split that a tool's subset becomes, in any case: "default" is train, "valid" and "validation" are val, and train,
 * val and test are themselves. Other names stay as they are. */
const char *icseg_import_split_name(const char *subset);
/* Whether a split's name can be that of a folder which readers of data sets see: without slashes and a leading dot. */
bool icseg_import_is_split(const char *name);
/* Whether a path stays below the folder from which it starts: it is relative, without ".." and backslashes. */
bool icseg_import_is_inside(const char *path);
/* The paths, relative to the folder, of all files below it with one of the extensions (NULL: all), sorted, in the
 * arena; none if the folder is missing. Hidden names are left out. */
icseg_status icseg_import_list_tree(icseg_arena *arena, const char *folder, const char *const *types, char ***out,
                                    size_t *count, icseg_error *error);
icseg_status icseg_import_add_text(icseg_import_texts *list, icseg_arena *arena, const char *text, icseg_error *error);
void icseg_import_sort_texts(icseg_import_texts *list);
bool icseg_import_has_text(const icseg_import_texts *sorted, const char *text);
/* Counts an object that is not an outline. */
void icseg_import_skip(icseg_import *im, icseg_skip kind);
/* Counts and names a file of a label folder from which nothing was read. */
void icseg_import_unused(icseg_import *im, const char *path);
/* Reads a JSON file of at most ICSEG_IMPORT_JSON_LIMIT bytes, with any root, or with an object as the root. */
icseg_status icseg_import_parse_json(json_t **out, const char *path, icseg_error *error);
icseg_status icseg_import_read_json(json_t **out, const char *path, icseg_error *error);
/* The names of the folder's files with one of the extensions, sorted, in the arena; none if the folder is missing. */
icseg_status icseg_import_list(icseg_arena *arena, const char *folder, const char *const *types, char ***out,
                               size_t *count, icseg_error *error);
/* The path of a file in a URL, without its query: of another server, or of Label Studio ("/data/upload/1/a.jpg",
 * "/data/local-files/?d=folder/a.jpg"). Other texts stay as they are. */
icseg_status icseg_import_url_name(icseg_arena *arena, const char *url, const char **out, icseg_error *error);
/* Decodes a JSON string; accepts line breaks and padding. *out is in the arena; NULL if the text is not base64. */
icseg_status icseg_import_base64(icseg_arena *arena, const json_t *text, unsigned char **out, size_t *size,
                                 icseg_error *error);
/* A coordinate: a JSON number of magnitude up to 1e9. The error message begins with `where`. */
icseg_status icseg_import_number(const json_t *value, const char *where, double *out, icseg_error *error);

/* ---- the importers ---- */

icseg_status icseg_import_voc(icseg_import *im, icseg_error *error);
icseg_status icseg_import_cvat(icseg_import *im, icseg_error *error);
icseg_status icseg_import_coco(icseg_import *im, icseg_error *error);
icseg_status icseg_import_labelme(icseg_import *im, icseg_error *error);
icseg_status icseg_import_yolo(icseg_import *im, icseg_error *error);
icseg_status icseg_import_roboflow(icseg_import *im, icseg_error *error);
icseg_status icseg_import_cityscapes(icseg_import *im, icseg_error *error);
icseg_status icseg_import_mmseg(icseg_import *im, icseg_error *error);
icseg_status icseg_import_mapillary(icseg_import *im, icseg_error *error);
icseg_status icseg_import_masks(icseg_import *im, icseg_error *error);
icseg_status icseg_import_cvat_xml(icseg_import *im, icseg_error *error);
icseg_status icseg_import_label_studio(icseg_import *im, icseg_error *error);
icseg_status icseg_import_supervisely(icseg_import *im, icseg_error *error);
icseg_status icseg_import_geojson(icseg_import *im, icseg_error *error);

#endif
