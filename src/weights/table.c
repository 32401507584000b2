/* SPDX-License-Identifier: Apache-2.0
 * Opened weights as a table: the readers of containers add tensors, other code looks them up. */
#include <stdlib.h>
#include <string.h>

#include "weights/internal.h"

icseg_status icseg_weights_add(icseg_weights *w, const char *name, size_t name_size, icseg_weights_tensor tensor,
                               icseg_error *error) {
    if (!name_size || name_size >= ICSEG_WEIGHTS_NAME)
        return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: a tensor's name has %zu bytes; expected 1 to %d", w->path,
                          name_size, ICSEG_WEIGHTS_NAME - 1);
    for (size_t i = 0; i < name_size; i++)
        if ((unsigned char)name[i] < 0x20 || (unsigned char)name[i] == 0x7f)
            return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: a tensor's name contains a control character", w->path);
    if (w->tensor_count >= ICSEG_WEIGHTS_MAX_TENSORS)
        return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: more than %d tensors", w->path, ICSEG_WEIGHTS_MAX_TENSORS);
    if (w->tensor_count == w->tensor_capacity) {
        size_t capacity = w->tensor_capacity * 2 + 256;
        icseg_weights_tensor *grown = icseg_realloc_array(w->tensors, w->tensor_count, capacity, sizeof *grown);
        if (!grown) return icseg_fail_memory_in(error, capacity * sizeof *grown, w->path);
        w->tensors = grown;
        w->tensor_capacity = capacity;
    }
    char *copy = icseg_arena_alloc(w->arena, name_size + 1);
    if (!copy) return icseg_fail_memory_in(error, 0, w->path);
    memcpy(copy, name, name_size);
    tensor.name = copy;
    w->tensors[w->tensor_count++] = tensor;
    return ICSEG_OK;
}

const char *icseg_weights_path(const icseg_weights *w) { return w->path; }
const char *icseg_weights_container(const icseg_weights *w) { return w->container; }
const char *icseg_weights_naming(const icseg_weights *w) { return w->naming; }
size_t icseg_weights_count(const icseg_weights *w) { return w->entry_count; }
const icseg_weights_entry *icseg_weights_at(const icseg_weights *w, size_t index) { return &w->entries[index]; }
size_t icseg_weights_foreign_count(const icseg_weights *w) { return w->foreign_count; }
const char *icseg_weights_foreign_at(const icseg_weights *w, size_t index) { return w->foreign[index]; }

static int compare_entries(const void *a, const void *b) {
    return strcmp(((const icseg_weights_entry *)a)->name, ((const icseg_weights_entry *)b)->name);
}

const icseg_weights_entry *icseg_weights_find(const icseg_weights *w, const char *name) {
    const icseg_weights_entry key = {.name = name};
    return w->entry_count ? bsearch(&key, w->entries, w->entry_count, sizeof *w->entries, compare_entries) : NULL;
}

const char *icseg_weights_metadata(const icseg_weights *w, const char *key) {
    return w->shards ? icseg_safetensors_metadata(w->safetensors[0], key) : NULL;
}

const char *const *icseg_weights_classes(const icseg_weights *w, size_t *count) {
    *count = w->class_count;
    return w->classes;
}

bool icseg_weights_has_decoder(const icseg_weights *w) {
    return icseg_weights_find(w, "decoder.head.conv_seg.weight") != NULL;
}
