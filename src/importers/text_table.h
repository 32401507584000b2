/* SPDX-License-Identifier: Apache-2.0
 * A hash table of texts, which are numbered in the order in which they are added. */
#ifndef ICSEG_IMPORTERS_TEXT_TABLE_H
#define ICSEG_IMPORTERS_TEXT_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/memory.h"

/* All zero is an empty table. */
typedef struct icseg_text_table {
    char **texts; /* (count), in the arena of the calls */
    size_t count, capacity;
    uint32_t *slots; /* (slot_count): a hash table of indices of texts + 1; 0: empty */
    size_t slot_count;
} icseg_text_table;

void icseg_text_table_close(icseg_text_table *table);

/* *index: the number of the text. A new text is copied to the arena; its number is the table's count before. `what`
 * names the texts in errors. */
icseg_status icseg_text_table_add(icseg_text_table *table, icseg_arena *arena, const char *text, const char *what,
                                  size_t *index, icseg_error *error);
/* False if the table does not contain the text. */
bool icseg_text_table_find(const icseg_text_table *table, const char *text, size_t *index);

#endif
