/* SPDX-License-Identifier: Apache-2.0
 * The list of an image's maps. */
#ifndef ICSEG_EXPLAIN_MAPS_H
#define ICSEG_EXPLAIN_MAPS_H

#include "explain/explainer.h"

/* Fills in the maps of all models. entropy: (models), each (height, width); chosen: (count) classes of the score maps.
 */
icseg_status icseg_explain_make_maps(icseg_explained *x, const icseg_explainer *e, const float *const *entropy,
                                     const int32_t *chosen, int32_t count, icseg_error *error);

#endif
