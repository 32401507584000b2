/* SPDX-License-Identifier: Apache-2.0
 * Texts such as "255=1,128=2": values of label files and the values that they are read as. */
#ifndef ICSEG_DATASET_VALUE_MAP_H
#define ICSEG_DATASET_VALUE_MAP_H

#include "base/memory.h"
#include "dataset/internal.h"

/* Gives all stored values the same label. */
void icseg_value_map_fill(int16_t rule[ICSEG_LABEL_VALUES], int16_t label);
/* Applies the map to the labels of stored values. All values are mapped at once: "1=2,2=1" exchanges them. */
icseg_status icseg_value_map_apply(const char *map, int16_t rule[ICSEG_LABEL_VALUES], icseg_error *error);
/* Whether the map, which is valid, reads `value` as another one. */
bool icseg_value_map_has(const char *map, int32_t value);

#endif
