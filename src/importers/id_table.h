/* SPDX-License-Identifier: Apache-2.0
 * Ids of COCO files. They are integers; many tools write texts instead, which are numbered here. */
#ifndef ICSEG_IMPORTERS_ID_TABLE_H
#define ICSEG_IMPORTERS_ID_TABLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/memory.h"

/* All zero is an empty table. */
typedef struct icseg_id_table {
    char **texts; /* (count), in the arena of the calls */
    size_t count, capacity;
    uint32_t *slots; /* (slot_count): a hash table of indices of texts + 1; 0: empty */
    size_t slot_count;
} icseg_id_table;

void icseg_id_table_close(icseg_id_table *table);

/* An integer, or a text that is one, is itself. Another text is the number that it got when it was first seen; these
 * are below -2^62. *valid is false, and *out 0, for other values and for integers below -2^62. */
icseg_status icseg_id_table_find(icseg_id_table *table, icseg_arena *arena, const json_t *value, int64_t *out,
                                 bool *valid, icseg_error *error);

#endif
