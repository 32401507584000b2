/* SPDX-License-Identifier: Apache-2.0
 * Polygons without holes, for formats that have no others: each hole is joined to the outer ring by a cut of no width,
 * which is passed in both directions. Filled by the even-odd rule, the polygon covers the same pixels. */
#ifndef ICSEG_EXPORTERS_KEYHOLE_H
#define ICSEG_EXPORTERS_KEYHOLE_H

#include "exporters/trace.h"

/* Zero-initialise; used for many objects, then closed. */
typedef struct icseg_keyhole {
    double *xy; /* (count, 2): the corners of the polygon */
    size_t count, capacity;
} icseg_keyhole;

icseg_status icseg_keyhole_cut(icseg_keyhole *out, const icseg_traced *object, icseg_error *error);
void icseg_keyhole_close(icseg_keyhole *keyhole);

#endif
