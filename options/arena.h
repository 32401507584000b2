/* SPDX-License-Identifier: Apache-2.0
 * An arena: many small blocks, freed together. */
#ifndef ICSEG_OPTIONS_ARENA_H
#define ICSEG_OPTIONS_ARENA_H

#include <stddef.h>

#include "icseg/error.h"

/* Blocks are 16-byte aligned and zeroed. The functions that return a pointer return NULL when out of memory. */
typedef struct icseg_arena icseg_arena;
icseg_status icseg_arena_open(icseg_arena **out, icseg_error *error);
void icseg_arena_close(icseg_arena **arena);
void *icseg_arena_alloc(icseg_arena *arena, size_t bytes);
void *icseg_arena_array(icseg_arena *arena, size_t count, size_t size); /* overflow-checked */
void *icseg_arena_copy(icseg_arena *arena, const void *from, size_t bytes);
char *icseg_arena_strdup(icseg_arena *arena, const char *text);
char *icseg_arena_printf(icseg_arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
