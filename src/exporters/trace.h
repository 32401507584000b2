/* SPDX-License-Identifier: Apache-2.0
 * The objects of a label map as outlines along the sides of pixels. Filled by the even-odd rule at pixel centres, as
 * importers/raster.h does, the outlines of an object cover exactly its pixels, unless they are simplified. */
#ifndef ICSEG_EXPORTERS_TRACE_H
#define ICSEG_EXPORTERS_TRACE_H

#include "exporters/boundaries.h"

typedef struct icseg_trace_options {
    int16_t background;      /* pixels with this label are left out, like those with ICSEG_LABEL_IGNORE */
    double tolerance;        /* of icseg_boundaries_simplify */
    const float *confidence; /* (height, width); NULL: objects have no confidence */
} icseg_trace_options;

/* One object, until the next is found. Rings are valid in the sense of OGC's simple features: none crosses or touches
 * itself, holes are inside the first ring, and two rings share at most single points. */
typedef struct icseg_traced {
    const icseg_component *component;
    uint32_t number;           /* of the component */
    double confidence;         /* the mean; negative: none */
    const icseg_point *points; /* one ring after the other: first the outer one, clockwise with y downwards, then holes,
                                  counter-clockwise */
    const size_t *ends;        /* (rings): where each ring ends in `points` */
    size_t rings;
} icseg_traced;

typedef struct icseg_trace icseg_trace;
/* The labels are not used after this call. */
icseg_status icseg_trace_open(icseg_trace **out, const icseg_labels *labels, const icseg_trace_options *options,
                              icseg_error *error);
void icseg_trace_close(icseg_trace **trace);
const icseg_components *icseg_trace_components(const icseg_trace *trace);
/* *more becomes false after the last object. */
icseg_status icseg_trace_next(icseg_trace *trace, icseg_traced *out, bool *more, icseg_error *error);

#endif
