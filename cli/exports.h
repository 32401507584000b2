/* SPDX-License-Identifier: Apache-2.0
 * The formats in which a command writes label maps: label maps as PNG files in the folder of --out, the files of a
 * labelling tool in a folder below it that has the name of the format. */
#ifndef ICSEG_CLI_EXPORTS_H
#define ICSEG_CLI_EXPORTS_H

#include "icseg/export.h"
#include "inputs.h"

typedef struct export_options {
    const char *formats; /* names, separated by commas */
    double tolerance;
    int64_t min_area;
    bool rle;
} export_options;

/* Rows of an option table over struct S, whose export_options are the member M. */
#define EXPORT_ROWS(S, M)                                                                                              \
    {"format", ICSEG_FIELD_STRING(S, M.formats),                                                                       \
     "write the results in these formats, separated by commas (png: DIR/STEM.png, others: below DIR/FORMAT): ",        \
     .append_help = export_format_names, .metavar = "LIST"},                                                           \
        {"tolerance", ICSEG_FIELD_FLOAT(S, M.tolerance),                                                               \
         "how far polygons may be from the pixels' sides, in pixels; 0: exact", ICSEG_BETWEEN(0, 1000)},               \
        {"min-area", ICSEG_FIELD_INT64(S, M.min_area),                                                                 \
         "polygons and run lengths: regions of fewer pixels become part of their largest neighbour",                   \
         ICSEG_BETWEEN(0, ICSEG_IMAGE_MAX_PIXELS)},                                                                    \
    {                                                                                                                  \
        "rle", ICSEG_FIELD_BOOL(S, M.rle), "coco, cvat and label-studio: write run lengths, not polygons"              \
    }

void export_format_names(icseg_string *out); /* "png, coco, ..." */

/* The formats of a run. */
typedef struct export_list {
    icseg_export_options options;
    icseg_export_format formats[ICSEG_EXPORT_FORMATS]; /* (count) */
    icseg_export *open[ICSEG_EXPORT_FORMATS];          /* (count) */
    const char *folders[ICSEG_EXPORT_FORMATS];         /* (count), in the arena */
    size_t count, images;                              /* how many images were added */
} export_list;

/* Reads the options. `out` is the folder. */
icseg_status exports_choose(export_list *e, const export_options *options, const char *out, icseg_arena *arena,
                            icseg_error *error);
/* Appends the files that will be written to `outputs`: at most `count` formats for each image. */
icseg_status exports_outputs(const export_list *e, const input_list *list, input_output *outputs, size_t *count,
                             icseg_arena *arena, icseg_error *error);
bool exports_have_joint_file(const export_list *e);

/* e->options.names and classes are set. */
icseg_status exports_open(export_list *e, icseg_error *error);
/* Prints the paths of files that are complete. *bad: the image cannot be written in a format. */
icseg_status exports_add(export_list *e, const icseg_export_image *image, bool *bad, icseg_error *error);
/* Completes the files of all images, if there are any, and prints their paths. */
icseg_status exports_finish(export_list *e, icseg_error *error);
void exports_close(export_list *e);

/* Writes the file of a single image in the only format to standard output. */
icseg_status exports_print(const export_list *e, const icseg_export_image *image, icseg_error *error);

#endif
