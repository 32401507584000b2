/* SPDX-License-Identifier: Apache-2.0
 * Shared by the exporters. An exporter turns one image and its objects into text, and knows nothing of files. */
#ifndef ICSEG_EXPORTERS_INTERNAL_H
#define ICSEG_EXPORTERS_INTERNAL_H

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "exporters/keyhole.h"
#include "exporters/trace.h"
#include "icseg/export.h"

/* One image that is being written. */
typedef struct icseg_export_item {
    const char *name;           /* of its file, which may be below folders */
    const icseg_labels *labels; /* as they were passed */
    icseg_trace *trace;         /* its objects; NULL: they are not traced */
    int64_t objects;            /* of this image so far */
    icseg_keyhole keyhole;
} icseg_export_item;

/* What a format consists of. The functions append text, and may be NULL; running out of memory for the text is noted in
 * it. */
typedef struct icseg_exporter {
    const char *name, *description;
    const char *file;   /* the file of all images; NULL: none */
    const char *below;  /* folder of the images' own files, with a slash at its end; NULL: none */
    const char *suffix; /* replaces the extension of an image's name in the name of its own file; NULL: none */
    enum { ICSEG_TEXT_BYTES, ICSEG_TEXT_JSON, ICSEG_TEXT_XML } text; /* how names are written */
    bool has_runs;
    bool has_colours;                                   /* needs the palette */
    void (*begin)(icseg_export *e, icseg_string *text); /* of the file of all images */
    icseg_status (*image)(icseg_export *e, const icseg_export_item *item, icseg_string *text, icseg_error *error);
    icseg_status (*object)(icseg_export *e, icseg_export_item *item, const icseg_traced *object, icseg_string *text,
                           icseg_error *error); /* NULL: objects are not traced */
    void (*image_end)(icseg_export *e, const icseg_export_item *item, icseg_string *text);
    void (*end)(icseg_export *e, icseg_string *text);
} icseg_exporter;

struct icseg_export {
    icseg_arena *arena;
    const icseg_exporter *exporter;
    icseg_export_options options; /* copied; `names` is in the arena */
    int32_t background;           /* the class that is left out; ICSEG_LABEL_IGNORE: none */
    const char *folder;
    icseg_file_writer *file; /* NULL: the format has none, or the export is finished */
    bool finished;
    int64_t images, objects; /* so far */
    icseg_string later;      /* text for the end of the file */
    icseg_palette palette;   /* empty unless the exporter has colours */
};

extern const icseg_exporter icseg_export_png, icseg_export_coco, icseg_export_labelme, icseg_export_yolo,
    icseg_export_geojson, icseg_export_cvat, icseg_export_label_studio;

/* ---- text.c ---- */

/* A JSON string in quotes; `text` is UTF-8. */
void icseg_export_json(icseg_string *out, const char *text);
/* A text between quotes or tags of XML. */
void icseg_export_xml(icseg_string *out, const char *text);
/* A number with at most `places` (up to 9) decimal places, without trailing zeros. */
void icseg_export_number(icseg_string *out, double value, int places);

#endif
