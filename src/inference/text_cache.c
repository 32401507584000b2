/* SPDX-License-Identifier: Apache-2.0
 * The files of embeddings of texts. */
#include "inference/text_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/progress.h"
#include "tensor/safetensors.h"

static const char tensor_name[] = "embeddings", key_name[] = "icseg.text_cache", hash_name[] = "icseg.text_cache.hash";
static const char prefix[] = "texts-", suffix[] = ".safetensors";

/* ----------------------------------------------------------------------------------------------------------- keys */

icseg_status icseg_text_cache_hash_weights(icseg_hash *out, const icseg_weights *w, icseg_error *error) {
    size_t capacity = 0;
    float *values = NULL;
    icseg_status status = ICSEG_OK;
    *out = (icseg_hash){0};
    for (size_t i = 0; i < icseg_weights_count(w) && status == ICSEG_OK; i++) {
        const icseg_weights_entry *entry = icseg_weights_at(w, i);
        if (!icseg_weights_is_text(entry->name)) continue;
        size_t count = (size_t)icseg_shape_count(entry->shape);
        if (count > capacity) {
            icseg_free(values);
            values = icseg_alloc_array(count, sizeof *values);
            capacity = count;
            if (!values) return icseg_fail_memory_in(error, count * sizeof *values, entry->name);
        }
        status = icseg_weights_read(entry, values, error);
        icseg_hash_add(out, entry->name, strlen(entry->name));
        icseg_hash_add(out, entry->shape.dim, (size_t)entry->shape.rank * sizeof *entry->shape.dim);
        if (status == ICSEG_OK) icseg_hash_add(out, values, count * sizeof *values);
    }
    icseg_free(values);
    return status;
}

/* FOLDER/texts-HASH.safetensors; NULL if memory is short. */
static char *path_of(icseg_arena *arena, const char *folder, const icseg_text_key *key) {
    icseg_hash hash = {0};
    char text[ICSEG_HASH_TEXT];
    icseg_hash_add(&hash, key->description, strlen(key->description));
    icseg_hash_text(&hash, text);
    return icseg_arena_printf(arena, "%s/%s%s%s", folder, prefix, text, suffix);
}

static void hash_values(const float *values, const icseg_text_key *key, char out[ICSEG_HASH_TEXT]) {
    icseg_hash hash = {0};
    icseg_hash_add(&hash, values, (size_t)key->count * (size_t)key->width * sizeof *values);
    icseg_hash_text(&hash, out);
}

/* -------------------------------------------------------------------------------------------------------- reading */

/* The description is compared because different keys might have equal hashes, however unlikely. */
static icseg_status read_from(const char *path, const icseg_text_key *key, float *out, bool *found,
                              icseg_error *error) {
    icseg_safetensors *file;
    char hash[ICSEG_HASH_TEXT] = "";
    ICSEG_TRY(icseg_safetensors_open(&file, path, error));
    const char *description = icseg_safetensors_metadata(file, key_name);
    const char *expected = icseg_safetensors_metadata(file, hash_name);
    icseg_status status = ICSEG_OK;
    if (description && expected && !strcmp(description, key->description)) {
        status = icseg_safetensors_read_f32(file, tensor_name, ICSEG_SHAPE(key->count, key->width), out, error);
        if (status == ICSEG_OK) hash_values(out, key, hash);
        *found = !strcmp(hash, expected);
    }
    icseg_safetensors_close(&file);
    return status;
}

/* Passes a lack of memory on. Other failures of a cache are not failures of its user. */
static icseg_status only_memory(icseg_status status, icseg_error *error) {
    return status == ICSEG_ERROR_MEMORY ? icseg_fail_memory(error, 0, "the cache of texts") : ICSEG_OK;
}

icseg_status icseg_text_cache_read(const char *folder, const icseg_text_key *key, float *out, bool *found,
                                   icseg_error *error) {
    icseg_arena *arena;
    bool exists = false;
    *found = false;
    ICSEG_TRY(icseg_arena_open(&arena, error));
    const char *path = path_of(arena, folder, key);
    icseg_status status = path ? icseg_path_find(path, S_IFREG, &exists, NULL) : ICSEG_ERROR_MEMORY;
    if (status == ICSEG_OK && exists) status = read_from(path, key, out, found, NULL);
    icseg_arena_close(&arena);
    return only_memory(status, error);
}

/* -------------------------------------------------------------------------------------------------------- trimming */

/* A file of the cache. */
typedef struct cached_file {
    char *name;
    uint64_t bytes;
    struct timespec time;
} cached_file;

static bool is_ours(const char *name) {
    size_t digits = ICSEG_HASH_TEXT - 1, start = sizeof prefix - 1;
    return strlen(name) == start + digits + sizeof suffix - 1 && !strncmp(name, prefix, start) &&
           strspn(name + start, "0123456789abcdef") == digits && !strcmp(name + start + digits, suffix);
}

/* The newest first; files of the same time by name. */
static int compare_files(const void *a, const void *b) {
    const cached_file *x = a, *y = b;
    if (x->time.tv_sec != y->time.tv_sec) return x->time.tv_sec > y->time.tv_sec ? -1 : 1;
    if (x->time.tv_nsec != y->time.tv_nsec) return x->time.tv_nsec > y->time.tv_nsec ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* Finds the files of the cache among `names`; another process may remove one meanwhile. */
static size_t find_files(const char *folder, char *const *names, size_t count, icseg_arena *arena, cached_file *out) {
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        struct stat info;
        const char *path = is_ours(names[i]) ? icseg_arena_printf(arena, "%s/%s", folder, names[i]) : NULL;
        if (path && lstat(path, &info) == 0 && S_ISREG(info.st_mode))
            out[found++] = (cached_file){names[i], (uint64_t)info.st_size, info.st_mtim};
    }
    return found;
}

static icseg_status trim(const char *folder, char *const *names, size_t count, icseg_arena *arena, size_t most_files,
                         uint64_t most_bytes, icseg_error *error) {
    cached_file *files = icseg_arena_array(arena, count, sizeof *files);
    if (!files) return icseg_fail_memory_in(error, count * sizeof *files, folder);
    size_t found = find_files(folder, names, count, arena, files);
    uint64_t bytes = 0;
    qsort(files, found, sizeof *files, compare_files);
    for (size_t i = 0; i < found; i++) {
        bytes += files[i].bytes;
        if (i < most_files && bytes <= most_bytes) continue;
        const char *path = icseg_arena_printf(arena, "%s/%s", folder, files[i].name);
        if (!path) return icseg_fail_memory_in(error, 0, folder);
        if (unlink(path) != 0 && errno != ENOENT)
            return icseg_fail(error, ICSEG_ERROR_IO, "%s: cannot remove: %s", path, strerror(errno));
    }
    return ICSEG_OK;
}

icseg_status icseg_text_cache_trim(const char *folder, size_t files, uint64_t bytes, icseg_error *error) {
    char **names;
    size_t count;
    icseg_arena *arena;
    ICSEG_TRY(icseg_arena_open(&arena, error));
    icseg_status status = icseg_folder_list(folder, &names, &count, error);
    if (status == ICSEG_OK) {
        status = trim(folder, names, count, arena, files, bytes, error);
        icseg_free(names);
    }
    icseg_arena_close(&arena);
    return status;
}

/* --------------------------------------------------------------------------------------------------------- writing */

static icseg_status write_to(const char *folder, const char *path, const icseg_text_key *key, const float *embeddings,
                             icseg_error *error) {
    char hash[ICSEG_HASH_TEXT];
    icseg_safetensors_entry entry = {tensor_name, ICSEG_F32, ICSEG_SHAPE(key->count, key->width), embeddings,
                                     (size_t)key->count * (size_t)key->width * sizeof *embeddings};
    icseg_safetensors_pair metadata[] = {{key_name, key->description}, {hash_name, hash}};
    if (entry.bytes > ICSEG_TEXT_CACHE_BYTES) return ICSEG_OK;
    hash_values(embeddings, key, hash);
    ICSEG_TRY(icseg_folder_create(folder, error));
    ICSEG_TRY(icseg_safetensors_write(path, &entry, 1, metadata, 2, error));
    return icseg_text_cache_trim(folder, ICSEG_TEXT_CACHE_FILES, ICSEG_TEXT_CACHE_BYTES, error);
}

icseg_status icseg_text_cache_write(const char *folder, const icseg_text_key *key, const float *embeddings,
                                    const icseg_progress *progress, icseg_error *error) {
    icseg_error problem = {0};
    icseg_arena *arena;
    ICSEG_TRY(icseg_arena_open(&arena, error));
    const char *path = path_of(arena, folder, key);
    icseg_status status = path ? write_to(folder, path, key, embeddings, &problem) : ICSEG_ERROR_MEMORY;
    if (status != ICSEG_OK && status != ICSEG_ERROR_MEMORY)
        icseg_progress_say(progress, ICSEG_MESSAGE_WARNING, "%s; the embeddings of the texts are not kept",
                           problem.message);
    icseg_arena_close(&arena);
    return only_memory(status, error);
}
