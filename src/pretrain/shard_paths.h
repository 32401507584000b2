/* SPDX-License-Identifier: Apache-2.0
 * The paths of shards, from a pattern or a folder. */
#ifndef ICSEG_PRETRAIN_SHARD_PATHS_H
#define ICSEG_PRETRAIN_SHARD_PATHS_H

#include <stddef.h>

#include "base/error.h"
#include "base/memory.h"

/* Whether the name ends as that of a tar archive, also of a compressed one. */
bool icseg_is_archive(const char *path);

/* path: an archive; a folder, whose .tar files follow in the order of their names; or, if neither exists, a pattern
 * with WebDataset's braces: "data/{000..012}.tar" for numbers of equal width, "{train,val}.tar" for words; the last
 * brace changes fastest. *out (count) is in the arena. The files of a pattern need not exist. */
icseg_status icseg_shard_paths(const char *path, icseg_arena *arena, const char *const **out, size_t *count,
                               icseg_error *error);

#endif
