/* SPDX-License-Identifier: Apache-2.0
 * A hash table of texts. */
#include "importers/text_table.h"

#include <string.h>

enum { MAX_TEXTS = 1 << 26 };

void icseg_text_table_close(icseg_text_table *table) {
    icseg_free(table->texts);
    icseg_free(table->slots);
    *table = (icseg_text_table){0};
}

/* The slot of the text, or the empty one where it belongs (FNV-1a, linear probing). */
static uint32_t *slot_of(const icseg_text_table *t, const char *text) {
    uint64_t hash = 14695981039346656037U;
    for (const char *p = text; *p; p++) hash = (hash ^ (unsigned char)*p) * 1099511628211U;
    size_t at = (size_t)(hash ^ hash >> 32) & (t->slot_count - 1);
    while (t->slots[at] && strcmp(t->texts[t->slots[at] - 1], text) != 0) at = (at + 1) & (t->slot_count - 1);
    return &t->slots[at];
}

/* Makes space for one more text; at most half of the slots are used. */
static bool grow(icseg_text_table *t) {
    if (t->count < t->capacity) return true;
    size_t capacity = t->capacity ? 2 * t->capacity : 256;
    char **texts = icseg_realloc_array(t->texts, t->capacity, capacity, sizeof *texts);
    if (!texts) return false;
    t->texts = texts;
    uint32_t *slots = icseg_calloc_array(2 * capacity, sizeof *slots);
    if (!slots) return false;
    icseg_free(t->slots);
    t->slots = slots;
    t->slot_count = 2 * capacity;
    t->capacity = capacity;
    for (size_t i = 0; i < t->count; i++) *slot_of(t, t->texts[i]) = (uint32_t)i + 1;
    return true;
}

icseg_status icseg_text_table_add(icseg_text_table *t, icseg_arena *arena, const char *text, const char *what,
                                  size_t *index, icseg_error *error) {
    if (t->count == MAX_TEXTS) return icseg_fail(error, ICSEG_ERROR_DATA, "more than %d %s", MAX_TEXTS, what);
    if (!grow(t)) return icseg_fail_memory(error, 0, what);
    uint32_t *slot = slot_of(t, text);
    if (!*slot) {
        t->texts[t->count] = icseg_arena_strdup(arena, text);
        if (!t->texts[t->count]) return icseg_fail_memory(error, 0, what);
        *slot = (uint32_t)++t->count;
    }
    *index = *slot - 1;
    return ICSEG_OK;
}

bool icseg_text_table_find(const icseg_text_table *t, const char *text, size_t *index) {
    uint32_t slot = t->slot_count ? *slot_of(t, text) : 0;
    *index = slot ? slot - 1 : 0;
    return slot != 0;
}
