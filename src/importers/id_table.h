/* SPDX-License-Identifier: Apache-2.0
 * Ids of COCO files. They are integers; many tools write texts instead, which are numbered here. */
#ifndef ICSEG_IMPORTERS_ID_TABLE_H
#define ICSEG_IMPORTERS_ID_TABLE_H

#include <jansson.h>

#include "importers/text_table.h"

/* An integer, or a text that is one, is itself. Another text is the number that it got when it was first seen; these
 * are below -2^62. *valid is false, and *out 0, for other values and for integers below -2^62. */
icseg_status icseg_id_table_find(icseg_text_table *table, icseg_arena *arena, const json_t *value, int64_t *out,
                                 bool *valid, icseg_error *error);

#endif
