/* SPDX-License-Identifier: Apache-2.0
 * Opens the pairs that a path names, whatever their form is. */
#include "pretrain/pair_source.h"

#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "pretrain/caption_list.h"
#include "pretrain/shard_paths.h"

static icseg_status open_shards(icseg_pair_source **out, const char *path, icseg_arena *arena, icseg_error *error) {
    const char *const *paths;
    size_t count;
    ICSEG_TRY(icseg_shard_paths(path, arena, &paths, &count, error));
    return icseg_pair_source_open_shards(out, paths, count, error);
}

static icseg_status open_path(icseg_pair_source **out, const char *path, icseg_arena *arena, icseg_error *error) {
    bool is_file, is_folder;
    const char *list = NULL;
    ICSEG_TRY(icseg_path_find(path, S_IFREG, &is_file, error));
    ICSEG_TRY(icseg_path_find(path, S_IFDIR, &is_folder, error));
    if (is_folder) ICSEG_TRY(icseg_caption_list_find(&list, path, arena, error));
    if (list || (is_file && !icseg_is_archive(path))) return icseg_pair_source_open_folder(out, path, error);
    if (is_file || is_folder || strchr(path, '{')) return open_shards(out, path, arena, error);
    return icseg_fail(error, ICSEG_ERROR_IO, "%s: no such file or folder; expected " ICSEG_PAIR_SOURCE_EXPECTED, path);
}

icseg_status icseg_pair_source_open(icseg_pair_source **out, const char *path, icseg_error *error) {
    icseg_arena *arena;
    *out = NULL;
    if (!*path)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "the path is empty; expected " ICSEG_PAIR_SOURCE_EXPECTED);
    if (!strncmp(path, ICSEG_PAIR_SYNTH, sizeof ICSEG_PAIR_SYNTH - 1))
        return icseg_pair_source_open_synth(out, path, error);
    ICSEG_TRY(icseg_arena_open(&arena, error));
    icseg_status status = open_path(out, path, arena, error);
    icseg_arena_close(&arena);
    return status;
}

void icseg_pair_source_close(icseg_pair_source **source) {
    if (*source) (*source)->close(*source);
    *source = NULL;
}
