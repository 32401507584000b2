/* SPDX-License-Identifier: Apache-2.0
 * Pairs of a folder: image files, and a list of their captions. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "pretrain/caption_list.h"
#include "pretrain/pair_source.h"

typedef struct folder_source {
    icseg_pair_source base;
    icseg_caption_list list;
    const char *folder;
    int32_t *labels; /* (count), in the list's arena; -1: not said */
} folder_source;

/* -- classes */

static int by_name(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

/* The different names of classes, sorted, and each image's index in them. */
static icseg_status label_images(folder_source *s, icseg_error *error) {
    size_t count = (size_t)s->list.count, named = 0, different = 0;
    const char **names = icseg_arena_array(s->list.arena, count, sizeof *names);
    s->labels = icseg_arena_array(s->list.arena, count, sizeof *s->labels);
    if (!names || !s->labels) return icseg_fail_memory(error, 0, "the names of classes");
    for (size_t i = 0; i < count; i++)
        if (s->list.images[i].class_name) names[named++] = s->list.images[i].class_name;
    if (named) qsort(names, named, sizeof *names, by_name);
    for (size_t i = 0; i < named; i++)
        if (i == 0 || strcmp(names[i], names[different - 1]) != 0) names[different++] = names[i];
    for (size_t i = 0; i < count; i++) {
        const char *const *found = s->list.images[i].class_name ? bsearch(&s->list.images[i].class_name, names,
                                                                          different, sizeof *names, by_name)
                                                                : NULL;
        s->labels[i] = found ? (int32_t)(found - names) : -1;
    }
    s->base.classes = names;
    s->base.class_count = (int32_t)different;
    return ICSEG_OK;
}

/* -- samples */

static void path_of(const folder_source *s, int64_t item, icseg_string *out) {
    const char *image = s->list.images[item].image;
    icseg_string_printf(out, "%s%s%s", *image == '/' ? "" : s->folder, *image == '/' ? "" : "/", image);
}

static void describe(const icseg_pair_source *source, int64_t item, icseg_string *out) {
    path_of((const folder_source *)source, item, out);
}

static icseg_status draw(const icseg_pair_source *source, int64_t item, const icseg_pair_crop *crop, icseg_rng *rng,
                         float *pixels, icseg_pair_text *text, icseg_error *error) {
    const folder_source *s = (const folder_source *)source;
    const icseg_captioned *pair = &s->list.images[item];
    icseg_string path = {0};
    icseg_image image;
    path_of(s, item, &path);
    if (path.failed) return icseg_fail_memory(error, 0, "a path");
    icseg_status status = icseg_image_read(&image, path.data, error);
    icseg_string_close(&path);
    if (status != ICSEG_OK) return status;
    icseg_string_printf(&text->caption, "%s", pair->captions[icseg_rng_below(rng, (uint64_t)pair->count)]);
    text->label = s->labels[item];
    status = icseg_pair_crop_image(crop, rng, &image, pixels, error);
    icseg_image_close(&image);
    return status;
}

static void close_folder(icseg_pair_source *source) {
    folder_source *s = (folder_source *)source;
    icseg_caption_list_close(&s->list);
    icseg_free(s);
}

icseg_status icseg_pair_source_open_folder(icseg_pair_source **out, const char *path, icseg_error *error) {
    folder_source *s = icseg_calloc_array(1, sizeof *s);
    *out = NULL;
    if (!s) return icseg_fail_memory(error, sizeof *s, "a source of pairs");
    s->base = (icseg_pair_source){.draw = draw, .describe = describe, .close = close_folder};
    icseg_status status = icseg_caption_list_read(&s->list, path, &s->folder, error);
    if (status == ICSEG_OK) status = label_images(s, error);
    if (status != ICSEG_OK) {
        close_folder(&s->base);
        return status;
    }
    s->base.count = s->list.count;
    s->base.left_out.empty = s->list.empty;
    *out = &s->base;
    return ICSEG_OK;
}
