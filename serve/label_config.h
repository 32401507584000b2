/* SPDX-License-Identifier: Apache-2.0
 * The labelling interface of a Label Studio project, which is XML (labelstud.io/guide/setup): the first control for
 * brush strokes, or else for polygons, that labels an image. */
#ifndef SERVE_LABEL_CONFIG_H
#define SERVE_LABEL_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

typedef struct label_config {
    bool brush;    /* <BrushLabels>, else <PolygonLabels> */
    char *control; /* its name */
    char *image;   /* name of the <Image> */
    char *key;     /* in the data of a task: "image" for value="$image" */
    char **labels; /* (label_count) */
    size_t label_count;
} label_config;

enum { LABEL_CONFIG_PROBLEM_SIZE = 200 };

/* False with a sentence in `problem` for text that is not such an interface. Close it in any case. */
bool label_config_read(label_config *out, const char *xml, size_t size, char problem[LABEL_CONFIG_PROBLEM_SIZE]);
void label_config_close(label_config *config);

#endif
