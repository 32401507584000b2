/* SPDX-License-Identifier: Apache-2.0
 * The pixels of each class in each image. An image has few classes, so that lists take little memory. */
#include "metrics/image_counts.h"

#include <string.h>

#include "base/memory.h"

icseg_status icseg_image_counts_open(icseg_image_counts *out, int32_t classes, int64_t images, icseg_error *error) {
    *out = (icseg_image_counts){.classes = classes,
                                .images = images,
                                .entries = icseg_calloc_array((size_t)images + 1, sizeof *out->entries),
                                .table = icseg_calloc_array((size_t)classes, sizeof *out->table)};
    return out->entries && out->table ? ICSEG_OK : icseg_fail_memory(error, 0, "the results of images");
}

void icseg_image_counts_close(icseg_image_counts *c) {
    icseg_free(c->entries);
    icseg_free(c->list);
    icseg_free(c->table);
    *c = (icseg_image_counts){0};
}

/* Makes room for one more image. */
static icseg_status grow(icseg_image_counts *c, icseg_error *error) {
    size_t capacity = 2 * c->capacity + (size_t)c->classes;
    if (c->capacity - c->count >= (size_t)c->classes) return ICSEG_OK;
    icseg_class_pixels *list = icseg_realloc_array(c->list, c->capacity, capacity, sizeof *list);
    if (!list) return icseg_fail_memory(error, capacity * sizeof *list, "the results of images");
    c->list = list;
    c->capacity = capacity;
    return ICSEG_OK;
}

icseg_status icseg_image_counts_add(icseg_image_counts *c, int64_t index, const icseg_labels *labels,
                                    const icseg_labels *predicted, icseg_error *error) {
    size_t pixels = (size_t)labels->width * (size_t)labels->height, before = c->count;
    ICSEG_TRY(grow(c, error));
    for (size_t i = 0; i < pixels; i++) {
        int32_t label = labels->data[i], prediction = predicted->data[i];
        if (label == ICSEG_LABEL_IGNORE) continue;
        c->table[label].labelled++;
        c->table[prediction].predicted++;
        c->table[label].both += label == prediction;
    }
    for (int32_t k = 0; k < c->classes; k++) {
        if (!c->table[k].labelled && !c->table[k].predicted) continue;
        c->table[k].label = k;
        c->list[c->count++] = c->table[k];
        c->table[k] = (icseg_class_pixels){0};
    }
    c->entries[index] = (int64_t)(c->count - before);
    return ICSEG_OK;
}

icseg_status icseg_image_counts_share(icseg_image_counts *c, icseg_group *group, int64_t first, icseg_error *error) {
    enum { FIELDS = sizeof(icseg_class_pixels) / sizeof(int64_t) };
    size_t before = 0, all = 0;
    if (icseg_group_size(group) == 1) return ICSEG_OK;
    ICSEG_TRY(icseg_group_reduce(group, ICSEG_SUM_I64, c->entries, c->images, error));
    for (int64_t i = 0; i < c->images; i++) {
        if (i < first) before += (size_t)c->entries[i];
        all += (size_t)c->entries[i];
    }
    icseg_class_pixels *list = icseg_calloc_array(all + 1, sizeof *list);
    icseg_status status = list ? ICSEG_OK : icseg_fail_memory(error, all * sizeof *list, "the results of images");
    status = icseg_group_agree(group, status, error);
    if (status != ICSEG_OK) {
        icseg_free(list);
        return status;
    }
    if (c->count) memcpy(list + before, c->list, c->count * sizeof *list);
    icseg_free(c->list);
    c->list = list;
    c->count = c->capacity = all;
    return icseg_group_reduce(group, ICSEG_SUM_I64, list, (int64_t)all * FIELDS, error);
}
