/* SPDX-License-Identifier: Apache-2.0
 * Inside icseg_dataset_convert: what the readers of the export formats share. A reader finds classes and pictures and
 * hands each picture with its objects to icseg_export_write. */
#ifndef ICSEG_IMPORTERS_IMPORT_H
#define ICSEG_IMPORTERS_IMPORT_H

#include <jansson.h>

#include "base/memory.h"
#include "dataset/faults.h"
#include "importers/raster.h"
#include "icseg/convert.h"
#include "icseg/image.h"
#include "icseg/progress.h"

enum { ICSEG_EXPORT_JSON_LIMIT = 1 << 29, ICSEG_EXPORT_CLASSES_MOST = 16384 };

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
    double *xy;     /* (count, 2): polygon, pixels; circle: centre, a point on it */
    uint32_t *runs; /* (count) */
    size_t count;
    icseg_mask mask; /* owned; icseg_export_write closes it */
    int32_t x, y;    /* of the mask's corner */
    icseg_outline *next;
};

typedef struct icseg_object {
    int16_t label; /* ICSEG_LABEL_IGNORE too */
    icseg_outline *outlines;
} icseg_object;

/* One picture with what is known of it. */
typedef struct icseg_export_item {
    const char *split;
    const char *name;  /* as the export calls the picture: its stem names the files written */
    const char *image; /* path; or NULL and the file's bytes: */
    const unsigned char *data;
    size_t size;
    const char *source;        /* where its labels come from, for error texts */
    int64_t width, height;     /* as the export says; 0: it does not */
    const icseg_labels *ready; /* labels already drawn, or NULL and objects: */
    icseg_object *objects;
    size_t object_count;
} icseg_export_item;

typedef struct icseg_export {
    icseg_arena *arena; /* of the whole conversion */
    const icseg_convert_options *options;
    const icseg_progress *progress;
    double started, total; /* pictures expected; 0: not known */
    char **names;          /* (classes) */
    int32_t classes;
    bool fixed; /* the user's class list: no names are added */
    icseg_convert_summary *summary;
    int64_t in_split; /* pictures met while the source has one split */
    bool one_split;
    bool split_used; /* some of several splits has the name that was asked for */
    icseg_faults faults;
    bool broken;   /* the new folder cannot be written: no fault of the export */
    char *staging; /* where files gather; NULL: not open */
    bool out_is_new;
} icseg_export;

/* Notes a fault of the export, after which the conversion goes on: ICSEG_OK. What is none (lack of memory, a full disk,
 * cancelled) is passed on. */
icseg_status icseg_export_fault(icseg_export *e, icseg_status status, icseg_error *error);

/* The new folder. Files gather in a folder of the process in it; close removes what was not committed, open what
 * processes that were killed have left. */
#define ICSEG_EXPORT_STAGING ".convert."
icseg_status icseg_export_out_open(icseg_export *e, icseg_error *error);
icseg_status icseg_export_out_commit(icseg_export *e, icseg_error *error);
void icseg_export_out_close(icseg_export *e);

/* Closes the masks of the item's outlines; icseg_export_write does it too. */
void icseg_export_item_close(const icseg_export_item *item);

/* The label of a class name; adds it unless the list is the user's. -1 for the background when that is unlabelled.
 * `where` is for the error text of an unknown name. */
icseg_status icseg_export_class(icseg_export *e, const char *name, const char *where, int32_t *label,
                                icseg_error *error);
/* The label of pixels without an object: adds the class of that name first of all when there is none yet. */
icseg_status icseg_export_background(icseg_export *e, icseg_error *error);

/* Draws and writes one picture; after a fault it is only checked. Objects are painted from the largest to the smallest;
 * of equal ones the later is on top. */
icseg_status icseg_export_write(icseg_export *e, const icseg_export_item *item, icseg_error *error);

/* A picture called `name` (its folders count too, unless they lead elsewhere) below one of the folders,
 * NULL-terminated; `any_type` accepts another extension. NULL *out when there is none. */
icseg_status icseg_export_find_image(icseg_export *e, icseg_arena *arena, const char *const *folders, const char *name,
                                     bool any_type, char **out, icseg_error *error);

/* Reads a JSON file of at most ICSEG_EXPORT_JSON_LIMIT bytes whose root is an object. */
icseg_status icseg_export_read_json(json_t **out, const char *path, icseg_error *error);
/* The names of `folder`'s files with one of the extensions, sorted; the arena's. No folder: none. */
icseg_status icseg_export_list(icseg_arena *arena, const char *folder, const char *const *types, char ***out,
                               size_t *count, icseg_error *error);
/* An arena array of 2 * count finite coordinates of a sane size out of JSON numbers; what else: an error. */
icseg_status icseg_export_number(const json_t *value, const char *where, double *out, icseg_error *error);

/* What the files of `source` tell; ICSEG_EXPORT_AUTO when they are none of the exports. */
icseg_export_format icseg_export_recognise(const char *source);

/* The readers. `fits` looks at names only. */
bool icseg_export_voc_fits(const char *source);
icseg_status icseg_export_voc(icseg_export *e, icseg_error *error);
bool icseg_export_cvat_fits(const char *source);
icseg_status icseg_export_cvat(icseg_export *e, icseg_error *error);
bool icseg_export_coco_fits(const char *source);
icseg_status icseg_export_coco(icseg_export *e, icseg_error *error);
bool icseg_export_labelme_fits(const char *source);
icseg_status icseg_export_labelme(icseg_export *e, icseg_error *error);
bool icseg_export_yolo_fits(const char *source);
icseg_status icseg_export_yolo(icseg_export *e, icseg_error *error);

#endif
