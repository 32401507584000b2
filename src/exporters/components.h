/* SPDX-License-Identifier: Apache-2.0
 * The connected components of a label map: regions of equal labels whose pixels are connected by their sides. */
#ifndef ICSEG_EXPORTERS_COMPONENTS_H
#define ICSEG_EXPORTERS_COMPONENTS_H

#include "base/error.h"
#include "icseg/image.h"

typedef struct icseg_component {
    int64_t pixels;
    int32_t left, top, right, bottom; /* bounds: half-open */
    int16_t label;
} icseg_component;

typedef struct icseg_components {
    int32_t width, height;
    uint32_t *of;          /* (height, width): the component of each pixel */
    icseg_component *list; /* (count), in the order of their first pixels */
    size_t count;
} icseg_components;

icseg_status icseg_components_find(icseg_components *out, const icseg_labels *labels, icseg_error *error);
void icseg_components_close(icseg_components *components);

/* Gives each component of fewer than min_area pixels the label of its largest neighbour, until none is left or the map
 * has one component. (GDAL's gdal_sieve does the same.) */
icseg_status icseg_labels_sieve(icseg_labels *labels, int64_t min_area, icseg_error *error);

#endif
