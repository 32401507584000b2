/* SPDX-License-Identifier: Apache-2.0
 * Patterns with braces, and folders of shards. */
#include "pretrain/shard_paths.h"

#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "base/text.h"

enum { MOST_BRACES = 8, MOST_PATHS = 100000, MOST_DIGITS = 12 };

static bool is_one_of(const char *extension, const char *const *names) {
    for (; *names; names++)
        if (!strcasecmp(extension, *names)) return true;
    return false;
}

static bool is_compressed(const char *path) {
    static const char *const names[] = {"gz", "tgz", "bz2", "tbz2", "xz", "txz", "zst", "tzst", NULL};
    return is_one_of(icseg_path_extension(path), names);
}

static bool is_tar(const char *path) { return !strcasecmp(icseg_path_extension(path), "tar"); }

bool icseg_is_archive(const char *path) { return is_tar(path) || is_compressed(path); }

/* -- patterns */

/* "{000..012}" or "{a,b}" */
typedef struct brace {
    const char *open, *close; /* the braces themselves */
    int64_t first, count;     /* of numbers; or the number of words */
    int width;                /* of numbers: digits with leading zeros; 0: as many as needed; -1: words */
} brace;

static icseg_status fail_brace(const char *pattern, const char *why, icseg_error *error) {
    return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "%s: %s; expected numbers as in {000..012}, or words as in {a,b}",
                      pattern, why);
}

static bool parse_number(const char *from, size_t length, int64_t *out) {
    *out = 0;
    for (size_t i = 0; i < length; i++) {
        if (from[i] < '0' || from[i] > '9') return false;
        *out = *out * 10 + (from[i] - '0');
    }
    return length > 0;
}

static icseg_status parse_range(const char *pattern, brace *b, const char *dots, icseg_error *error) {
    const char *from = b->open + 1, *to = dots + 2;
    size_t digits = (size_t)(dots - from), more = (size_t)(b->close - to);
    int64_t last;
    if (digits > MOST_DIGITS || more > MOST_DIGITS) return fail_brace(pattern, "a number is too long", error);
    if (!parse_number(from, digits, &b->first) || !parse_number(to, more, &last))
        return fail_brace(pattern, "the braces contain no numbers", error);
    if (last < b->first) return fail_brace(pattern, "the last number is below the first", error);
    b->count = last - b->first + 1;
    b->width = (*from == '0' && digits > 1) || (*to == '0' && more > 1) ? (int)(digits > more ? digits : more) : 0;
    return ICSEG_OK;
}

static icseg_status parse_brace(const char *pattern, brace *b, icseg_error *error) {
    size_t length;
    b->close = strchr(b->open, '}');
    if (!b->close) return fail_brace(pattern, "a brace is not closed", error);
    length = (size_t)(b->close - b->open);
    if (memchr(b->open + 1, '{', length - 1)) return fail_brace(pattern, "braces inside braces", error);
    const char *dots = memmem(b->open, length, "..", 2);
    if (dots) return parse_range(pattern, b, dots, error);
    b->width = -1;
    b->count = 1;
    for (const char *p = b->open; p < b->close; p++) b->count += *p == ',';
    return b->count > 1 ? ICSEG_OK : fail_brace(pattern, "the braces contain one word", error);
}

static void append_choice(icseg_string *out, const brace *b, int64_t index) {
    if (b->width >= 0) {
        icseg_string_printf(out, "%0*lld", b->width, (long long)b->first + index);
        return;
    }
    const char *word = b->open + 1;
    for (; index > 0; index--) word = strchr(word, ',') + 1;
    icseg_string_append(out, word, strcspn(word, ",}"));
}

/* Path `index` of the pattern with these braces. */
static const char *expand(const char *pattern, const brace *braces, int count, int64_t index, icseg_arena *arena) {
    icseg_string path = {0};
    int64_t choice[MOST_BRACES];
    for (int i = count; i-- > 0; index /= braces[i].count) choice[i] = index % braces[i].count;
    for (int i = 0; i < count; i++) {
        icseg_string_append(&path, pattern, (size_t)(braces[i].open - pattern));
        append_choice(&path, &braces[i], choice[i]);
        pattern = braces[i].close + 1;
    }
    icseg_string_printf(&path, "%s", pattern);
    const char *copy = path.failed ? NULL : icseg_arena_strdup(arena, path.data);
    icseg_string_close(&path);
    return copy;
}

static icseg_status expand_pattern(const char *pattern, icseg_arena *arena, const char *const **out, size_t *count,
                                   icseg_error *error) {
    brace braces[MOST_BRACES];
    int used = 0;
    int64_t total = 1;
    for (const char *at = pattern; (at = strchr(at, '{')); at = braces[used++].close) {
        if (used == MOST_BRACES) return fail_brace(pattern, "more than 8 braces", error);
        braces[used] = (brace){.open = at};
        ICSEG_TRY(parse_brace(pattern, &braces[used], error));
        if (braces[used].count > MOST_PATHS / total) return fail_brace(pattern, "more than 100,000 paths", error);
        total *= braces[used].count;
    }
    const char **paths = icseg_arena_array(arena, (size_t)total, sizeof *paths);
    if (!paths) return icseg_fail_memory_in(error, 0, pattern);
    for (int64_t i = 0; i < total; i++)
        if (!(paths[i] = expand(pattern, braces, used, i, arena))) return icseg_fail_memory_in(error, 0, pattern);
    *out = paths;
    *count = (size_t)total;
    return ICSEG_OK;
}

/* -- folders */

static icseg_status select_shards(const char *folder, char *const *names, size_t all, icseg_arena *arena,
                                  const char *const **out, size_t *count, icseg_error *error) {
    const char **paths = icseg_arena_array(arena, all + 1, sizeof *paths), *compressed = NULL;
    if (!paths) return icseg_fail_memory_in(error, 0, folder);
    *count = 0;
    *out = paths;
    for (size_t i = 0; i < all; i++) {
        if (is_compressed(names[i])) compressed = names[i];
        if (!is_tar(names[i])) continue;
        paths[*count] = icseg_arena_printf(arena, "%s/%s", folder, names[i]);
        if (!paths[(*count)++]) return icseg_fail_memory_in(error, 0, folder);
    }
    if (*count) return ICSEG_OK;
    return icseg_fail(error, ICSEG_ERROR_DATA,
                      "%s: expected captions.jsonl, captions.csv, metadata.jsonl, metadata.csv or .tar files in this "
                      "folder%s%s%s",
                      folder, compressed ? "; unpack compressed archives such as " : "", compressed ? compressed : "",
                      compressed ? " first" : "");
}

static icseg_status list_folder(const char *folder, icseg_arena *arena, const char *const **out, size_t *count,
                                icseg_error *error) {
    char **names;
    size_t all;
    ICSEG_TRY(icseg_folder_list(folder, &names, &all, error));
    icseg_status status = select_shards(folder, names, all, arena, out, count, error);
    icseg_free(names);
    return status;
}

icseg_status icseg_shard_paths(const char *path, icseg_arena *arena, const char *const **out, size_t *count,
                               icseg_error *error) {
    bool is_file, is_folder;
    *out = NULL;
    *count = 0;
    ICSEG_TRY(icseg_path_find(path, S_IFDIR, &is_folder, error));
    ICSEG_TRY(icseg_path_find(path, S_IFREG, &is_file, error));
    if (is_folder) return list_folder(path, arena, out, count, error);
    if (!is_file) return expand_pattern(path, arena, out, count, error);
    const char **one = icseg_arena_array(arena, 1, sizeof *one);
    if (!one || !(*one = icseg_arena_strdup(arena, path))) return icseg_fail_memory_in(error, 0, path);
    *out = one;
    *count = 1;
    return ICSEG_OK;
}
