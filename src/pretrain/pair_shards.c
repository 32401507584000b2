/* SPDX-License-Identifier: Apache-2.0
 * Pairs of WebDataset shards: tar archives in which files of one name, up to the first dot, are a sample: an image
 * (KEY.jpg) and its captions (KEY.txt, one on each line, or KEY.json with "caption"). */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/memory.h"
#include "base/tar.h"
#include "pretrain/pair_source.h"
#include "text/utf8.h"

enum { MAX_CAPTION = 1 << 20, MAX_IMAGE = 1 << 30 };

typedef struct shard {
    const char *path;
    icseg_file_reader *file;
    icseg_tar tar;
} shard;

/* Of one sample, in one shard. */
typedef struct sample {
    const shard *from;
    const icseg_tar_entry *image, *caption;
    bool json;
} sample;

typedef struct shards_source {
    icseg_pair_source base;
    icseg_arena *arena;
    shard *shards;
    size_t count;
    sample *samples;
    int64_t room;
} shards_source;

/* -- the index */

/* The first dot after the folders: "a/b.c.jpg" has the key "a/b". */
static size_t key_length(const char *name) {
    const char *slash = strrchr(name, '/'), *dot = strchr(slash ? slash : name, '.');
    return dot ? (size_t)(dot - name) : strlen(name);
}

static bool is_one_of(const char *extension, const char *const *names) {
    for (; *names; names++)
        if (!strcasecmp(extension, *names)) return true;
    return false;
}

static icseg_status add_sample(shards_source *s, sample found, icseg_error *error) {
    if (s->base.count == s->room) {
        int64_t room = s->room ? 2 * s->room : 1024;
        sample *more = icseg_realloc_array(s->samples, (size_t)s->room, (size_t)room, sizeof *more);
        if (!more) return icseg_fail_memory(error, (size_t)room * sizeof *more, "the list of samples");
        s->samples = more;
        s->room = room;
    }
    s->samples[s->base.count++] = found;
    return ICSEG_OK;
}

/* Files of one sample follow each other. Samples without an image or without a caption are left out. */
static icseg_status index_shard(shards_source *s, const shard *from, icseg_error *error) {
    static const char *const images[] = {"jpg", "jpeg", "png", "webp", NULL}, *const texts[] = {"txt", NULL},
                             *const jsons[] = {"json", NULL};
    const icseg_tar *tar = &from->tar;
    sample found = {.from = from};
    for (int64_t i = 0; i < tar->count; i++) {
        const icseg_tar_entry *e = &tar->entries[i];
        size_t length = key_length(e->name);
        bool begins = i == 0 || key_length(e[-1].name) != length || strncmp(e->name, e[-1].name, length) != 0;
        if (begins && found.image && found.caption) ICSEG_TRY(add_sample(s, found, error));
        if (begins) found = (sample){.from = from};
        const char *extension = e->name[length] ? e->name + length + 1 : "";
        if (is_one_of(extension, images)) found.image = e;
        if (is_one_of(extension, texts) || (is_one_of(extension, jsons) && !found.caption)) {
            found.caption = e;
            found.json = is_one_of(extension, jsons);
        }
    }
    return found.image && found.caption ? add_sample(s, found, error) : ICSEG_OK;
}

static icseg_status open_shard(shards_source *s, shard *out, const char *path, icseg_error *error) {
    out->path = icseg_arena_strdup(s->arena, path);
    if (!out->path) return icseg_fail_memory_in(error, 0, path);
    ICSEG_TRY(icseg_file_reader_open(&out->file, path, error));
    ICSEG_TRY(icseg_tar_list(&out->tar, out->file, path, s->arena, error));
    return index_shard(s, out, error);
}

/* -- samples */

static void describe(const icseg_pair_source *source, int64_t item, icseg_string *out) {
    const sample *x = &((const shards_source *)source)->samples[item];
    icseg_string_printf(out, "%s: %s", x->from->path, x->image->name);
}

static icseg_status read_entry(const shards_source *s, int64_t item, const icseg_tar_entry *entry, size_t most,
                               char **out, icseg_error *error) {
    const shard *from = s->samples[item].from;
    if (entry->size > most)
        return icseg_fail(error, ICSEG_ERROR_DATA, "%s: %s has %llu bytes; expected at most %zu", from->path,
                          entry->name, (unsigned long long)entry->size, most);
    char *data = icseg_alloc((size_t)entry->size + 1);
    if (!data) return icseg_fail_memory_in(error, (size_t)entry->size, from->path);
    data[entry->size] = '\0';
    icseg_status status = icseg_file_reader_read(from->file, (size_t)entry->offset, data, (size_t)entry->size, error);
    if (status == ICSEG_OK)
        *out = data;
    else
        icseg_free(data);
    return status;
}

/* One of the lines that are not blank. */
static const char *draw_line(char *text, icseg_rng *rng) {
    const char *chosen = NULL;
    uint64_t count = 0;
    for (char *rest = text, *line; (line = strsep(&rest, "\r\n"));)
        if (line[strspn(line, " \t")] && icseg_rng_below(rng, ++count) == 0) chosen = line;
    return chosen;
}

static const char *draw_member(const json_t *root, icseg_rng *rng) {
    static const char *const names[] = {"caption", "captions", "text", "title"};
    const json_t *found = NULL;
    for (size_t i = 0; i < sizeof names / sizeof *names && !found; i++) found = json_object_get(root, names[i]);
    if (json_is_array(found) && json_array_size(found))
        found = json_array_get(found, (size_t)icseg_rng_below(rng, json_array_size(found)));
    return json_string_value(found);
}

static icseg_status draw_caption(const shards_source *s, int64_t item, icseg_rng *rng, icseg_string *out,
                                 icseg_error *error) {
    const sample *x = &s->samples[item];
    char *text;
    json_t *root = NULL;
    ICSEG_TRY(read_entry(s, item, x->caption, MAX_CAPTION, &text, error));
    icseg_status status = ICSEG_OK;
    if (x->json) status = icseg_json_parse(&root, text, (size_t)x->caption->size, 0, NULL, error);
    const char *chosen = x->json ? draw_member(root, rng) : draw_line(text, rng);
    if (status == ICSEG_OK && (!chosen || icseg_utf8_check(chosen, strlen(chosen)) < strlen(chosen)))
        status = icseg_fail(error, ICSEG_ERROR_DATA, "%s: %s has no caption in UTF-8", x->from->path, x->caption->name);
    if (status == ICSEG_OK) icseg_string_printf(out, "%s", chosen);
    json_decref(root);
    icseg_free(text);
    return status;
}

static icseg_status draw(const icseg_pair_source *source, int64_t item, const icseg_pair_crop *crop, icseg_rng *rng,
                         float *pixels, icseg_string *caption, icseg_error *error) {
    const shards_source *s = (const shards_source *)source;
    const sample *x = &s->samples[item];
    icseg_string name = {0};
    icseg_image image;
    char *data;
    ICSEG_TRY(draw_caption(s, item, rng, caption, error));
    ICSEG_TRY(read_entry(s, item, x->image, MAX_IMAGE, &data, error));
    describe(source, item, &name);
    icseg_status status =
        icseg_image_read_memory(&image, data, (size_t)x->image->size, name.failed ? NULL : name.data, error);
    icseg_string_close(&name);
    icseg_free(data);
    if (status != ICSEG_OK) return status;
    status = icseg_pair_crop_image(crop, rng, &image, pixels, error);
    icseg_image_close(&image);
    return status;
}

/* -- the source */

static void close_shards(icseg_pair_source *source) {
    shards_source *s = (shards_source *)source;
    for (size_t i = 0; i < s->count; i++) {
        icseg_file_reader_close(&s->shards[i].file);
        icseg_free(s->shards[i].tar.entries);
    }
    icseg_free(s->shards);
    icseg_free(s->samples);
    icseg_arena_close(&s->arena);
    icseg_free(s);
}

static icseg_status open_all(shards_source *s, const char *const *paths, size_t count, icseg_error *error) {
    ICSEG_TRY(icseg_arena_open(&s->arena, error));
    s->shards = icseg_calloc_array(count, sizeof *s->shards);
    if (!s->shards) return icseg_fail_memory(error, count * sizeof *s->shards, "a list of shards");
    s->count = count;
    for (size_t i = 0; i < count; i++) ICSEG_TRY(open_shard(s, &s->shards[i], paths[i], error));
    if (s->base.count) return ICSEG_OK;
    return icseg_fail(error, ICSEG_ERROR_DATA,
                      "%s: contains no samples; expected an image and a .txt or .json file of the same name", paths[0]);
}

icseg_status icseg_pair_source_open_shards(icseg_pair_source **out, const char *const *paths, size_t count,
                                           icseg_error *error) {
    shards_source *s = icseg_calloc_array(1, sizeof *s);
    *out = NULL;
    if (!s) return icseg_fail_memory(error, sizeof *s, "a source of pairs");
    s->base = (icseg_pair_source){.draw = draw, .describe = describe, .close = close_shards};
    icseg_status status = open_all(s, paths, count, error);
    if (status == ICSEG_OK)
        *out = &s->base;
    else
        close_shards(&s->base);
    return status;
}
