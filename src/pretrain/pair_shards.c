/* SPDX-License-Identifier: Apache-2.0
 * Pairs of WebDataset shards: tar archives in which files of one name, up to the first dot, are a sample: an image
 * (KEY.jpg) and its captions (KEY.txt, one on each line, or KEY.json with "caption"). The archives are read once when
 * the source is opened. A sample is read from its archive when it is drawn, and no archive stays open: there may be
 * more of them than a process may have open files. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "base/tar.h"
#include "pretrain/pair_source.h"
#include "pretrain/sample_caption.h"

enum { MAX_CAPTION = 1 << 20, MAX_IMAGE = 1 << 30, FIRST_ROOM = 1024 };

typedef struct shard {
    const char *path;
    icseg_file_stamp stamp;
} shard;

typedef struct part {
    uint64_t offset, size; /* in the archive */
} part;

typedef struct sample {
    const char *image_name; /* in the archive */
    part image, caption;
    uint32_t shard;
    bool json;
} sample;

typedef struct shards_source {
    icseg_pair_source base;
    icseg_arena *arena;
    shard *shards;
    sample *samples;
    int64_t room;
} shards_source;

/* -- parts of samples */

static icseg_status read_part(const icseg_file_reader *file, const char *path, part from, size_t most, char **out,
                              icseg_error *error) {
    if (from.size > most)
        return icseg_fail(error, ICSEG_ERROR_DATA, "%s: at byte %llu: a file of %llu bytes; expected at most %zu", path,
                          (unsigned long long)from.offset, (unsigned long long)from.size, most);
    char *data = icseg_alloc((size_t)from.size + 1);
    if (!data) return icseg_fail_memory_in(error, (size_t)from.size, path);
    data[from.size] = '\0';
    icseg_status status = icseg_file_reader_read(file, (size_t)from.offset, data, (size_t)from.size, error);
    if (status == ICSEG_OK)
        *out = data;
    else
        icseg_free(data);
    return status;
}

static icseg_status draw_caption(const icseg_file_reader *file, const char *path, const sample *x, icseg_rng *rng,
                                 icseg_string *out, icseg_caption_state *state, icseg_error *error) {
    char *text;
    *state = ICSEG_CAPTION_DAMAGED;
    if (x->caption.size > MAX_CAPTION) return ICSEG_OK;
    ICSEG_TRY(read_part(file, path, x->caption, MAX_CAPTION, &text, error));
    icseg_status status = icseg_sample_caption_draw(text, (size_t)x->caption.size, x->json, rng, out, state, error);
    icseg_free(text);
    return status;
}

/* -- the index */

/* One archive that is being read. */
typedef struct indexing {
    shards_source *source;
    const char *path;
    icseg_file_reader *file;
    icseg_arena *arena; /* of its list of files */
    icseg_tar tar;
    uint32_t shard;
} indexing;

/* The files of one sample. */
typedef struct group {
    const icseg_tar_entry *first, *image, *caption;
    size_t key; /* length of the name that they share */
    size_t image_rank, caption_rank;
} group;

static const char *const image_kinds[] = {"jpg", "jpeg", "png", "webp", NULL};
static const char *const caption_kinds[] = {"txt", "json", NULL};

/* The first dot after the folders: "a/b.c.jpg" has the key "a/b". 0: the name has no key or no extension. */
static size_t key_length(const char *name) {
    const char *slash = strrchr(name, '/'), *base = slash ? slash + 1 : name, *dot = strchr(base, '.');
    return dot && dot > base ? (size_t)(dot - name) : 0;
}

static size_t rank_of(const char *extension, const char *const *kinds) {
    size_t rank = 0;
    while (kinds[rank] && strcasecmp(extension, kinds[rank]) != 0) rank++;
    return rank;
}

static bool continues(const group *g, const char *name, size_t key) {
    return g->first && g->key == key && !strncmp(g->first->name, name, key);
}

/* Uses the file if it is better than the one that the sample has. False: the sample has one of this kind, so that the
 * file belongs to another sample of the same name. */
static bool offer(const icseg_tar_entry **have, size_t *rank, const icseg_tar_entry *file, size_t other) {
    if (*have && *rank == other) return false;
    if (*have && *rank < other) return true;
    *have = file;
    *rank = other;
    return true;
}

static bool add_file(group *g, const icseg_tar_entry *file, size_t key) {
    size_t image = rank_of(file->name + key + 1, image_kinds), caption = rank_of(file->name + key + 1, caption_kinds);
    if (image_kinds[image]) return offer(&g->image, &g->image_rank, file, image);
    if (caption_kinds[caption]) return offer(&g->caption, &g->caption_rank, file, caption);
    return true;
}

static void leave_out(const indexing *x, const icseg_tar_entry *file, const char *why, int64_t *count) {
    icseg_pair_left_out *left = &x->source->base.left_out;
    icseg_error first; /* whose message is UTF-8, whatever the name is */
    if (!left->first[0]) {
        icseg_fail(&first, ICSEG_ERROR_DATA, "%.180s: %.150s %s", x->path, file->name, why);
        memcpy(left->first, first.message, sizeof left->first);
    }
    ++*count;
}

static icseg_status add_sample(indexing *x, sample found, const char *image, icseg_error *error) {
    shards_source *s = x->source;
    if (s->base.count == s->room) {
        int64_t room = s->room ? 2 * s->room : FIRST_ROOM;
        sample *more = icseg_realloc_array(s->samples, (size_t)s->room, (size_t)room, sizeof *more);
        if (!more) return icseg_fail_memory(error, (size_t)room * sizeof *more, "the list of samples");
        s->samples = more;
        s->room = room;
    }
    found.image_name = icseg_arena_strdup(s->arena, image);
    if (!found.image_name) return icseg_fail_memory_in(error, 0, x->path);
    s->samples[s->base.count++] = found;
    return ICSEG_OK;
}

/* Ends a sample: adds it if it has an image and a caption that can be used. */
static icseg_status end_group(indexing *x, const group *g, icseg_error *error) {
    icseg_pair_left_out *left = &x->source->base.left_out;
    icseg_rng rng = icseg_rng_open(0, ICSEG_RNG_AUGMENT, 0); /* which caption it draws does not matter */
    icseg_string caption = {0};
    icseg_caption_state state;
    if (!g->first) return ICSEG_OK;
    if (!g->image || !g->caption) {
        leave_out(x, g->first, g->image ? "has no caption" : "has no image",
                  g->image ? &left->no_caption : &left->no_image);
        return ICSEG_OK;
    }
    sample found = {.image = {g->image->offset, g->image->size},
                    .caption = {g->caption->offset, g->caption->size},
                    .shard = x->shard,
                    .json = !strcmp(caption_kinds[g->caption_rank], "json")};
    ICSEG_TRY(draw_caption(x->file, x->path, &found, &rng, &caption, &state, error));
    icseg_string_close(&caption);
    if (state == ICSEG_CAPTION_FOUND) return add_sample(x, found, g->image->name, error);
    if (state == ICSEG_CAPTION_MISSING) leave_out(x, g->caption, "has no \"caption\"", &left->no_caption);
    if (state == ICSEG_CAPTION_EMPTY) leave_out(x, g->caption, "is empty", &left->empty);
    if (state == ICSEG_CAPTION_DAMAGED)
        leave_out(x, g->caption, found.json ? "is not JSON in UTF-8" : "is not text in UTF-8", &left->damaged);
    return ICSEG_OK;
}

/* Files of one sample follow each other. Hidden files and files without an extension belong to no sample. */
static icseg_status index_files(indexing *x, icseg_error *error) {
    group g = {0};
    for (int64_t i = 0; i < x->tar.count; i++) {
        const icseg_tar_entry *file = &x->tar.entries[i];
        size_t key = key_length(file->name);
        if (!key) continue;
        if (continues(&g, file->name, key) && add_file(&g, file, key)) continue;
        ICSEG_TRY(end_group(x, &g, error));
        g = (group){.first = file, .key = key};
        add_file(&g, file, key);
    }
    return end_group(x, &g, error);
}

static icseg_status index_shard(indexing *x, icseg_error *error) {
    shard *out = &x->source->shards[x->shard];
    out->path = icseg_arena_strdup(x->source->arena, x->path);
    if (!out->path) return icseg_fail_memory_in(error, 0, x->path);
    ICSEG_TRY(icseg_arena_open(&x->arena, error));
    ICSEG_TRY(icseg_file_reader_open(&x->file, x->path, error));
    out->stamp = icseg_file_reader_stamp(x->file);
    ICSEG_TRY(icseg_tar_list(&x->tar, x->file, x->path, x->arena, error));
    return index_files(x, error);
}

static icseg_status add_shard(shards_source *s, uint32_t index, const char *path, icseg_error *error) {
    indexing x = {.source = s, .path = path, .shard = index};
    icseg_status status = index_shard(&x, error);
    icseg_file_reader_close(&x.file);
    icseg_arena_close(&x.arena);
    icseg_free(x.tar.entries);
    return status;
}

/* -- samples */

static void describe(const icseg_pair_source *source, int64_t item, icseg_string *out) {
    const shards_source *s = (const shards_source *)source;
    const sample *x = &s->samples[item];
    icseg_string_printf(out, "%s: %s", s->shards[x->shard].path, x->image_name);
}

static icseg_status fail_changed(const shard *from, icseg_error *error) {
    return icseg_fail(error, ICSEG_ERROR_IO, "%s: was changed after its samples were listed", from->path);
}

static icseg_status open_again(const shard *from, icseg_file_reader **out, icseg_error *error) {
    ICSEG_TRY(icseg_file_reader_open(out, from->path, error));
    icseg_file_stamp now = icseg_file_reader_stamp(*out);
    if (now.size == from->stamp.size && now.seconds == from->stamp.seconds &&
        now.nanoseconds == from->stamp.nanoseconds)
        return ICSEG_OK;
    icseg_file_reader_close(out);
    return fail_changed(from, error);
}

static icseg_status read_image(const shards_source *s, int64_t item, const icseg_file_reader *file, icseg_image *out,
                               icseg_error *error) {
    const sample *x = &s->samples[item];
    icseg_string name = {0};
    char *data;
    ICSEG_TRY(read_part(file, s->shards[x->shard].path, x->image, MAX_IMAGE, &data, error));
    describe(&s->base, item, &name);
    icseg_status status =
        icseg_image_read_memory(out, data, (size_t)x->image.size, name.failed ? NULL : name.data, error);
    icseg_string_close(&name);
    icseg_free(data);
    return status;
}

static icseg_status draw(const icseg_pair_source *source, int64_t item, const icseg_pair_crop *crop, icseg_rng *rng,
                         float *pixels, icseg_pair_text *text, icseg_error *error) {
    const shards_source *s = (const shards_source *)source;
    const sample *x = &s->samples[item];
    const shard *from = &s->shards[x->shard];
    icseg_caption_state state;
    icseg_file_reader *file;
    icseg_image image;
    ICSEG_TRY(open_again(from, &file, error));
    icseg_status status = draw_caption(file, from->path, x, rng, &text->caption, &state, error);
    if (status == ICSEG_OK && state != ICSEG_CAPTION_FOUND) status = fail_changed(from, error);
    if (status == ICSEG_OK) status = read_image(s, item, file, &image, error);
    icseg_file_reader_close(&file);
    if (status != ICSEG_OK) return status;
    status = icseg_pair_crop_image(crop, rng, &image, pixels, error);
    icseg_image_close(&image);
    return status;
}

/* -- the source */

static void close_shards(icseg_pair_source *source) {
    shards_source *s = (shards_source *)source;
    icseg_free(s->shards);
    icseg_free(s->samples);
    icseg_arena_close(&s->arena);
    icseg_free(s);
}

static icseg_status fail_empty(const shards_source *s, size_t count, icseg_error *error) {
    icseg_string left = {0};
    icseg_pair_left_out_print(&s->base.left_out, &left);
    icseg_status status = icseg_fail(error, ICSEG_ERROR_DATA,
                                     "%s%s: no pairs; expected files KEY.jpg (or .jpeg, .png, .webp) and KEY.txt or "
                                     "KEY.json next to each other, where "
                                     "KEY has no dot%s%s",
                                     s->shards[0].path, count > 1 ? " and further archives" : "", left.size ? "; " : "",
                                     left.data ? left.data : "");
    icseg_string_close(&left);
    return status;
}

static icseg_status open_all(shards_source *s, const char *const *paths, size_t count, icseg_error *error) {
    ICSEG_TRY(icseg_arena_open(&s->arena, error));
    s->shards = icseg_calloc_array(count, sizeof *s->shards);
    if (!s->shards) return icseg_fail_memory(error, count * sizeof *s->shards, "a list of shards");
    for (size_t i = 0; i < count; i++) ICSEG_TRY(add_shard(s, (uint32_t)i, paths[i], error));
    return s->base.count ? ICSEG_OK : fail_empty(s, count, error);
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
