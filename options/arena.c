/* SPDX-License-Identifier: Apache-2.0
 * Arenas: a list of chunks, each filled from the front. */
#include "options/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "options/memory.h"
#include "options/poison.h"

/* With ICSEG_EXACT_BLOCKS, each block is a chunk of its own and is preceded by poisoned bytes. */
enum {
    ARENA_ALIGNMENT = 16,
    ARENA_RED_ZONE = ICSEG_EXACT_BLOCKS ? 32 : 0,
    ARENA_ROUNDING = ICSEG_EXACT_BLOCKS ? 1 : ARENA_ALIGNMENT,
    ARENA_CHUNK = ICSEG_EXACT_BLOCKS ? 0 : 64 * 1024
};

typedef struct chunk {
    struct chunk *next;
    size_t used, size;
    _Alignas(ARENA_ALIGNMENT) unsigned char data[];
} chunk;

struct icseg_arena {
    chunk *head;
};

icseg_status icseg_arena_open(icseg_arena **out, icseg_error *error) {
    *out = icseg_calloc_array(1, sizeof **out);
    return *out ? ICSEG_OK : icseg_error_set(error, ICSEG_ERROR_MEMORY, "out of memory");
}

void icseg_arena_close(icseg_arena **arena) {
    if (!arena || !*arena) return;
    for (chunk *c = (*arena)->head; c;) {
        chunk *next = c->next;
        icseg_free(c);
        c = next;
    }
    icseg_free(*arena);
    *arena = NULL;
}

void *icseg_arena_alloc(icseg_arena *arena, size_t bytes) {
    if (bytes > SIZE_MAX / 2) return NULL;
    bytes = (bytes + ARENA_ROUNDING - 1) / ARENA_ROUNDING * ARENA_ROUNDING;
    chunk *c = arena->head;
    if (!c || c->size - c->used < bytes) {
        size_t size = bytes > ARENA_CHUNK ? bytes : ARENA_CHUNK;
        c = icseg_alloc(sizeof *c + ARENA_RED_ZONE + size);
        if (!c) return NULL;
        *c = (chunk){.next = arena->head, .size = size};
        ICSEG_POISON(c->data, ARENA_RED_ZONE);
        arena->head = c;
    }
    void *block = c->data + ARENA_RED_ZONE + c->used;
    c->used += bytes;
    return memset(block, 0, bytes);
}

void *icseg_arena_array(icseg_arena *arena, size_t count, size_t size) {
    size_t bytes;
    return __builtin_mul_overflow(count, size, &bytes) ? NULL : icseg_arena_alloc(arena, bytes);
}

void *icseg_arena_copy(icseg_arena *arena, const void *from, size_t bytes) {
    void *copy = icseg_arena_alloc(arena, bytes);
    return copy && bytes ? memcpy(copy, from, bytes) : copy;
}

char *icseg_arena_strdup(icseg_arena *arena, const char *text) {
    return icseg_arena_copy(arena, text, strlen(text) + 1);
}

char *icseg_arena_printf(icseg_arena *arena, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = length < 0 ? NULL : icseg_arena_alloc(arena, (size_t)length + 1);
    if (!text) return NULL;
    va_start(args, format);
    vsnprintf(text, (size_t)length + 1, format, args);
    va_end(args);
    return text;
}
