/* SPDX-License-Identifier: Apache-2.0
 * Activation ranges: the magnitude of the inputs of products, by node name, from which int8 takes its scales. A
 * calibration records them while a network runs in f32 on some images. */
#ifndef ICSEG_GRAPH_ACTIVATION_RANGES_H
#define ICSEG_GRAPH_ACTIVATION_RANGES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

typedef struct icseg_activation_ranges icseg_activation_ranges;
struct icseg_kernel;

icseg_status icseg_activation_ranges_open(icseg_activation_ranges **out, icseg_error *error);
void icseg_activation_ranges_close(icseg_activation_ranges **ranges);

/* Adds or replaces a range, which is finite and positive. The name is copied. */
icseg_status icseg_activation_ranges_set(icseg_activation_ranges *ranges, const char *name, float range,
                                         icseg_error *error);
float icseg_activation_ranges_find(const icseg_activation_ranges *ranges, const char *name); /* 0 when there is none */
size_t icseg_activation_ranges_count(const icseg_activation_ranges *ranges);
const char *icseg_activation_ranges_at(const icseg_activation_ranges *ranges, size_t index,
                                       float *range); /* the name */

/* Recording: executors of graphs that use these ranges call observe before they run a node; the largest range over all
 * runs is kept. The range of an input minimises the mean square error of its values quantised to 127 steps on each
 * side, so that a few very large values do not cost the others their precision. Starting to record drops all ranges. */
void icseg_activation_ranges_record(icseg_activation_ranges *ranges, bool on);
bool icseg_activation_ranges_recording(const icseg_activation_ranges *ranges);
icseg_status icseg_activation_ranges_observe(icseg_activation_ranges *ranges, const struct icseg_kernel *kernel,
                                             icseg_error *error);

#endif
