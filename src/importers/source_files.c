/* SPDX-License-Identifier: Apache-2.0
 * Finds and reads the files of a source: images, JSON, lists of names; records its problems. */
#include <ctype.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/compare.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "dataset/formats.h"
#include "importers/internal.h"
#include "image/codec.h"

icseg_status icseg_import_problem(icseg_import *im, icseg_status status, icseg_error *error) {
    if (status == ICSEG_OK || im->broken || status == ICSEG_ERROR_MEMORY || status == ICSEG_ERROR_CANCELLED ||
        status == ICSEG_ERROR_ARGUMENT)
        return status;
    icseg_problems_add(&im->problems, error);
    return ICSEG_OK;
}

bool icseg_import_is_inside(const char *path) {
    if (path[0] == '/' || strchr(path, '\\')) return false;
    for (const char *p = path; p; p = strchr(p, '/'), p = p ? p + 1 : NULL)
        if (!strncmp(p, "..", 2) && (p[2] == '/' || !p[2])) return false;
    return true;
}

const char *icseg_import_split_name(const char *subset) {
    static const char *const names[][2] = {{"default", "train"}, {"train", "train"},    {"val", "val"},
                                           {"valid", "val"},     {"validation", "val"}, {"test", "test"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcasecmp(subset, names[i][0])) return names[i][1];
    return subset;
}

bool icseg_import_is_split(const char *name) { return name[0] && name[0] != '.' && !strchr(name, '/'); }

/* types NULL: any */
static bool has_type(const char *name, const char *const *types) {
    for (; types && *types; types++)
        if (!strcasecmp(icseg_path_extension(name), *types)) return true;
    return !types;
}

/* *out: FOLDER/NAME if it exists; unchanged otherwise. */
static icseg_status try_name(icseg_arena *arena, const char *folder, const char *name, char **out, icseg_error *error) {
    bool found;
    char *path = icseg_arena_printf(arena, "%s/%s", folder, name);
    if (!path) return icseg_fail_memory_in(error, 0, name);
    ICSEG_TRY(icseg_path_find(path, S_IFREG, &found, error));
    if (found) *out = path;
    return ICSEG_OK;
}

/* FOLDER/STEM. with space for an extension; *end: where the extension begins. */
static char *stem_path(icseg_arena *arena, const char *folder, const char *name, size_t *end) {
    enum { LONGEST_TYPE = 8 };
    const char *own = icseg_path_extension(name);
    int stem = (int)(strlen(name) - strlen(own) - (own[0] != '\0'));
    *end = strlen(folder) + (size_t)stem + 2;
    return icseg_arena_printf(arena, "%s/%.*s.%s%*s", folder, stem, name, own, LONGEST_TYPE, "");
}

/* Writes the extension at `end` of the path, in lower or upper case. */
static void set_extension(char *path, size_t end, const char *extension, bool capitals) {
    for (char *to = path + end;; extension++) {
        *to++ = (char)(capitals ? toupper(*extension) : tolower(*extension));
        if (!*extension) break;
    }
}

/* *out: a copy of the path; NULL if the file does not exist. */
static icseg_status try_path(icseg_arena *arena, const char *path, char **out, icseg_error *error) {
    bool found;
    *out = NULL;
    ICSEG_TRY(icseg_path_find(path, S_IFREG, &found, error));
    if (found && !(*out = icseg_arena_strdup(arena, path))) return icseg_fail_memory_in(error, 0, path);
    return ICSEG_OK;
}

/* Tries the name's stem with the extension of each image format. */
static icseg_status try_types(icseg_import *im, icseg_arena *arena, const char *folder, const char *name, char **out,
                              icseg_error *error) {
    struct stat first, second;
    size_t end;
    char *path = stem_path(arena, folder, name, &end);
    if (!path) return icseg_fail_memory_in(error, 0, name);
    for (int i = 0; icseg_image_types[i / 2]; i++) {
        char *other = NULL;
        bool may;
        set_extension(path, end, icseg_image_types[i / 2], i % 2);
        ICSEG_TRY(icseg_listing_may_have(&im->listing, im->arena, path, &may, error));
        if (may) ICSEG_TRY(try_path(arena, path, &other, error));
        if (other && !*out)
            *out = other;
        else if (other && stat(*out, &first) == 0 && stat(other, &second) == 0 &&
                 (first.st_dev != second.st_dev || first.st_ino != second.st_ino))
            return icseg_fail(error, ICSEG_ERROR_DATA, "%s and %s differ only in the extension; remove one of them",
                              *out, icseg_path_name(other));
    }
    return ICSEG_OK;
}

/* The extension may have capitals where the name has small letters: Windows does not distinguish them. */
static icseg_status try_file(icseg_arena *arena, const char *folder, const char *name, char **out, icseg_error *error) {
    const char *extension = icseg_path_extension(name);
    size_t end;
    ICSEG_TRY(try_name(arena, folder, name, out, error));
    if (*out || !*extension) return ICSEG_OK;
    char *path = stem_path(arena, folder, name, &end);
    if (!path) return icseg_fail_memory_in(error, 0, name);
    for (int capitals = 0; capitals < 2 && !*out; capitals++) {
        set_extension(path, end, extension, capitals);
        ICSEG_TRY(try_path(arena, path, out, error));
    }
    return ICSEG_OK;
}

static icseg_status try_folders(icseg_import *im, icseg_arena *arena, icseg_image_query query, const char *name,
                                char **out, icseg_error *error) {
    for (const char *const *folder = query.folders; *folder && !*out; folder++)
        ICSEG_TRY(query.any_type ? try_types(im, arena, *folder, name, out, error)
                                 : try_file(arena, *folder, name, out, error));
    return ICSEG_OK;
}

/* ---- images in folders inside folders ---- */

/* By the last part, then by the whole path. */
static int compare_last(const void *a, const void *b) {
    const char *x = *(const char *const *)a, *y = *(const char *const *)b;
    int order = strcmp(icseg_path_name(x), icseg_path_name(y));
    return order ? order : strcmp(x, y);
}

/* Lists the images below the folder, once. */
static icseg_status open_tree(icseg_import *im, const char *folder, icseg_error *error) {
    if (im->tree_folder && !strcmp(im->tree_folder, folder)) return ICSEG_OK;
    char **paths;
    size_t count;
    char *copy = icseg_arena_strdup(im->arena, folder);
    if (!copy) return icseg_fail_memory_in(error, 0, folder);
    ICSEG_TRY(icseg_import_list_tree(im->arena, folder, icseg_image_types, &paths, &count, error));
    if (count) qsort(paths, count, sizeof *paths, compare_last);
    im->tree_folder = copy;
    im->tree = paths;
    im->tree_count = count;
    return ICSEG_OK;
}

static bool ends_in(const char *path, const char *end) {
    size_t length = strlen(path), size = strlen(end);
    return length >= size && !strcmp(path + length - size, end) && (length == size || path[length - size - 1] == '/');
}

/* The only file whose path ends in `name`; *out stays NULL if none does. */
static icseg_status try_tree(icseg_import *im, icseg_arena *arena, const char *folder, const char *name, char **out,
                             icseg_error *error) {
    const char *base = icseg_path_name(name), *found = NULL;
    size_t low = 0, high;
    ICSEG_TRY(open_tree(im, folder, error));
    for (high = im->tree_count; low < high;) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(icseg_path_name(im->tree[middle]), base) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < im->tree_count && !strcmp(icseg_path_name(im->tree[low]), base); low++) {
        if (!ends_in(im->tree[low], name)) continue;
        if (found)
            return icseg_fail(
                error, ICSEG_ERROR_DATA,
                "%s: \"%.200s\" may be %s or %s; move the images to the folders that the label files name", folder,
                name, found, im->tree[low]);
        found = im->tree[low];
    }
    if (found && !(*out = icseg_arena_printf(arena, "%s/%s", folder, found)))
        return icseg_fail_memory_in(error, 0, folder);
    return ICSEG_OK;
}

/* The whole name comes first, then its ends that have a folder, then its last part. */
static icseg_status find_in(icseg_import *im, icseg_arena *arena, icseg_image_query query, char **out,
                            icseg_error *error) {
    const char *name = query.name, *base = icseg_path_name(name);
    if (icseg_import_is_inside(name)) ICSEG_TRY(try_folders(im, arena, query, name, out, error));
    for (const char *end = name; query.tree && !*out && end != base; end = strchr(end, '/') + 1)
        ICSEG_TRY(try_tree(im, arena, query.tree, end, out, error));
    if (!*out) ICSEG_TRY(try_folders(im, arena, query, base, out, error));
    return query.tree && !*out ? try_tree(im, arena, query.tree, base, out, error) : ICSEG_OK;
}

icseg_status icseg_import_find_image(icseg_import *im, icseg_arena *arena, icseg_image_query query, char **out,
                                     icseg_error *error) {
    const char *own = im->options->image_folder, *folders[] = {own, NULL};
    char *name = icseg_arena_strdup(arena, query.name);
    *out = NULL;
    if (!name) return icseg_fail_memory_in(error, 0, query.name);
    for (char *c = name; *c; c++)
        if (*c == '\\') *c = '/';
    query.name = name;
    const char *base = icseg_path_name(name);
    if (!base[0] || !strcmp(base, "..") || !strcmp(base, ".")) return ICSEG_OK;
    if (own)
        ICSEG_TRY(find_in(im, arena, (icseg_image_query){folders, name, query.any_type, query.tree ? own : NULL}, out,
                          error));
    if (own) query.tree = NULL;
    return *out ? ICSEG_OK : find_in(im, arena, query, out, error);
}

icseg_status icseg_import_parse_json(json_t **out, const char *path, icseg_error *error) {
    unsigned char *text;
    size_t size;
    json_error_t problem;
    *out = NULL;
    ICSEG_TRY(icseg_file_read(path, ICSEG_IMPORT_JSON_LIMIT, &text, &size, error));
    size_t bom = icseg_bom_size(text, size);
    icseg_status status = icseg_json_parse(out, (const char *)text + bom, size - bom, 0, &problem, error);
    icseg_free(text);
    ICSEG_TRY(status);
    if (!*out)
        return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: not JSON: line %d, column %d: %s", path, problem.line,
                          problem.column, problem.text);
    return ICSEG_OK;
}

icseg_status icseg_import_read_json(json_t **out, const char *path, icseg_error *error) {
    ICSEG_TRY(icseg_import_parse_json(out, path, error));
    if (json_is_object(*out)) return ICSEG_OK;
    json_decref(*out);
    *out = NULL;
    return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: the JSON is not an object {...}", path);
}

icseg_status icseg_import_list(icseg_arena *arena, const char *folder, const char *const *types, char ***out,
                               size_t *count, icseg_error *error) {
    char **names;
    size_t all;
    *out = NULL;
    *count = 0;
    bool found;
    ICSEG_TRY(icseg_path_find(folder, S_IFDIR, &found, error));
    if (!found) return ICSEG_OK;
    ICSEG_TRY(icseg_folder_list(folder, &names, &all, error));
    *out = icseg_arena_array(arena, all, sizeof **out);
    bool complete = *out != NULL;
    for (size_t i = 0; complete && i < all; i++)
        if (has_type(names[i], types)) complete = ((*out)[(*count)++] = icseg_arena_strdup(arena, names[i])) != NULL;
    icseg_free(names);
    return complete ? ICSEG_OK : icseg_fail_memory_in(error, 0, folder);
}

/* ---- growing lists ---- */

enum { MAX_TEXTS = 1 << 24 };

icseg_status icseg_import_add_text(icseg_import_texts *list, icseg_arena *arena, const char *text, icseg_error *error) {
    if (list->count == MAX_TEXTS) return icseg_fail(error, ICSEG_ERROR_DATA, "%s: more than %d files", text, MAX_TEXTS);
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 256;
        char **texts = icseg_realloc_array(list->texts, list->capacity, capacity, sizeof *texts);
        if (!texts) return icseg_fail_memory(error, 0, "a list of files");
        list->texts = texts;
        list->capacity = capacity;
    }
    list->texts[list->count] = icseg_arena_strdup(arena, text);
    return list->texts[list->count++] ? ICSEG_OK : icseg_fail_memory(error, 0, "a list of files");
}

void icseg_import_sort_texts(icseg_import_texts *list) {
    if (list->count) qsort(list->texts, list->count, sizeof *list->texts, icseg_compare_names);
}

bool icseg_import_has_text(const icseg_import_texts *sorted, const char *text) {
    return sorted->count && bsearch(&text, sorted->texts, sorted->count, sizeof *sorted->texts, icseg_compare_names);
}

/* ---- all files below a folder ---- */

enum { MAX_DEPTH = 16 };

typedef struct tree {
    icseg_arena *arena;
    const char *root;
    const char *const *types;
    icseg_import_texts paths;
} tree;

/* below: relative to the root; "" or with a slash at its end. */
static icseg_status walk(tree *t, const char *below, int depth, icseg_error *error) {
    icseg_status status;
    char folder[PATH_MAX], path[PATH_MAX];
    const char *name = NULL;
    DIR *dir;
    if ((size_t)snprintf(folder, sizeof folder, "%s/%s", t->root, below) >= sizeof folder)
        return icseg_fail(error, ICSEG_ERROR_DATA, "%s: the path of a folder is too long", t->root);
    if (depth > MAX_DEPTH)
        return icseg_fail(error, ICSEG_ERROR_DATA, "%s: more than %d folders inside each other", folder, MAX_DEPTH);
    ICSEG_TRY(icseg_folder_open(&dir, folder, error));
    while ((status = icseg_folder_next(dir, folder, &name, error)) == ICSEG_OK && name) {
        bool is_folder;
        if (name[0] == '.') continue;
        if ((size_t)snprintf(path, sizeof path, "%s%s/", below, name) >= sizeof path - strlen(t->root) - 1) {
            status = icseg_fail(error, ICSEG_ERROR_DATA, "%s: the path of a file is too long", folder);
            break;
        }
        if ((status = icseg_folder_is(dir, folder, name, S_IFDIR, &is_folder, error)) != ICSEG_OK) break;
        if (!is_folder) path[strlen(path) - 1] = '\0';
        if (is_folder)
            status = walk(t, path, depth + 1, error);
        else if (has_type(name, t->types))
            status = icseg_import_add_text(&t->paths, t->arena, path, error);
        if (status != ICSEG_OK) break;
    }
    closedir(dir);
    return status;
}

icseg_status icseg_import_list_tree(icseg_arena *arena, const char *folder, const char *const *types, char ***out,
                                    size_t *count, icseg_error *error) {
    tree t = {.arena = arena, .root = folder, .types = types};
    bool found;
    *out = NULL;
    *count = 0;
    ICSEG_TRY(icseg_path_find(folder, S_IFDIR, &found, error));
    if (!found) return ICSEG_OK;
    icseg_status status = walk(&t, "", 0, error);
    if (status == ICSEG_OK && t.paths.count) {
        icseg_import_sort_texts(&t.paths);
        *out = icseg_arena_array(arena, t.paths.count, sizeof **out);
        if (*out)
            memcpy(*out, t.paths.texts, t.paths.count * sizeof **out);
        else
            status = icseg_fail_memory_in(error, 0, folder);
    }
    if (status == ICSEG_OK) *count = t.paths.count;
    icseg_free(t.paths.texts);
    return status;
}

void icseg_import_skip(icseg_import *im, icseg_skip kind) {
    im->summary.skipped++;
    im->skips[kind]++;
}

void icseg_import_unused(icseg_import *im, const char *path) {
    int64_t at = im->summary.unused_files++;
    if (at < ICSEG_IMPORT_NAMED) im->unused[at] = path;
}

icseg_status icseg_import_number(const json_t *value, const char *where, double *out, icseg_error *error) {
    *out = json_is_number(value) ? json_number_value(value) : NAN;
    return fabs(*out) <= 1e9
               ? ICSEG_OK
               : icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: a coordinate is not a number, or is above 1e9", where);
}

/* ---- texts that contain other texts ---- */

icseg_status icseg_import_base64(icseg_arena *arena, const json_t *json, unsigned char **out, size_t *size,
                                 icseg_error *error) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *text = json_string_value(json);
    size_t length = json_string_length(json), capacity = length / 4 * 3 + 4;
    uint32_t bits = 0, held = 0;
    unsigned char *bytes = icseg_arena_alloc(arena, capacity);
    *out = NULL;
    *size = 0;
    if (!bytes) return icseg_fail_memory(error, capacity, "decoded base64");
    while (length && (text[length - 1] == '=' || text[length - 1] == '\n')) length--;
    for (size_t i = 0; i < length; i++) {
        const char *digit = text[i] ? strchr(digits, text[i]) : NULL;
        if (text[i] == '\n' || text[i] == '\r') continue;
        if (!digit) return ICSEG_OK;
        held = held << 6 | (uint32_t)(digit - digits);
        if ((bits += 6) >= 8) bytes[(*size)++] = (unsigned char)(held >> (bits -= 8));
    }
    *out = bytes;
    return ICSEG_OK;
}

/* "%2F" becomes "/"; "%00" and what is not two hexadecimal digits stay. In place. */
static void decode_percent(char *text) {
    char *to = text;
    for (const char *from = text; *from; to++) {
        bool coded = *from == '%' && isxdigit((unsigned char)from[1]) && isxdigit((unsigned char)from[2]);
        char digits[3] = "0";
        if (coded) memcpy(digits, from + 1, 2);
        unsigned char value = (unsigned char)strtoul(digits, NULL, 16);
        if (value)
            memcpy(to, &value, 1);
        else
            *to = *from;
        from += value ? 3 : 1;
    }
    *to = '\0';
}

icseg_status icseg_import_url_name(icseg_arena *arena, const char *url, const char **out, icseg_error *error) {
    static const char local[] = "/data/local-files/?d=";
    const char *server = strstr(url, "://");
    *out = url;
    if (!server && strncmp(url, "/data/", 6) != 0) return ICSEG_OK;
    const char *from = !strncmp(url, local, sizeof local - 1) ? url + sizeof local - 1 : server ? server + 3 : url + 1;
    char *name = icseg_arena_strdup(arena, from);
    if (!name) return icseg_fail_memory(error, 0, "a file name");
    name[strcspn(name, "?#")] = '\0';
    decode_percent(name);
    *out = name;
    return ICSEG_OK;
}
