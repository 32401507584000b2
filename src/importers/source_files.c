/* SPDX-License-Identifier: Apache-2.0
 * Finds and reads the files of a source: images, JSON, lists of names; records its problems. */
#include <math.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "dataset/formats.h"
#include "importers/internal.h"
#include "image/codec.h"

/* Extensions that are tried instead of the given one. */
static const char *const candidate_types[] = {"jpg",  "jpeg", "png",  "webp", "tif",  "tiff", "JPG",
                                              "JPEG", "PNG",  "WEBP", "TIF",  "TIFF", NULL};

icseg_status icseg_import_problem(icseg_import *im, icseg_status status, icseg_error *error) {
    if (status == ICSEG_OK || im->broken || status == ICSEG_ERROR_MEMORY || status == ICSEG_ERROR_CANCELLED ||
        status == ICSEG_ERROR_ARGUMENT)
        return status;
    icseg_problems_add(&im->problems, error);
    return ICSEG_OK;
}

/* Whether the path stays below the folder that it starts from. */
static bool is_inside(const char *path) {
    if (path[0] == '/' || strchr(path, '\\')) return false;
    for (const char *p = path; p; p = strchr(p, '/'), p = p ? p + 1 : NULL)
        if (!strncmp(p, "..", 2) && (p[2] == '/' || !p[2])) return false;
    return true;
}

static bool is_image(const char *name) {
    for (const char *const *type = icseg_image_types; *type; type++)
        if (!strcasecmp(icseg_path_extension(name), *type)) return true;
    return false;
}

static const char *last_part(const char *path) {
    const char *name = icseg_path_name(path), *back = strrchr(name, '\\');
    return back ? back + 1 : name;
}

/* Finds the image in one folder. */
static icseg_status find_in(icseg_arena *arena, const char *folder, icseg_image_query query, char **out,
                            icseg_error *error) {
    const char *name = query.name, *base = last_part(name), *whole = is_inside(name) ? name : base;
    const char *const candidates[] = {whole, base};
    bool found;
    size_t stem = strlen(base) - (icseg_path_extension(base)[0] ? strlen(icseg_path_extension(base)) + 1 : 0);
    for (int i = 0; i < 2 && !(query.any_type && !is_image(base)); i++) {
        char *path = icseg_arena_printf(arena, "%s/%s", folder, candidates[i]);
        if (!path) return icseg_fail_memory_in(error, 0, name);
        ICSEG_TRY(icseg_path_find(path, S_IFREG, &found, error));
        if (found) return *out = path, ICSEG_OK;
    }
    for (const char *const *type = candidate_types; query.any_type && *type; type++) {
        char *path = icseg_arena_printf(arena, "%s/%.*s.%s", folder, (int)stem, base, *type);
        if (!path) return icseg_fail_memory_in(error, 0, name);
        ICSEG_TRY(icseg_path_find(path, S_IFREG, &found, error));
        if (found) return *out = path, ICSEG_OK;
    }
    return ICSEG_OK;
}

icseg_status icseg_import_find_image(icseg_import *im, icseg_arena *arena, icseg_image_query query, char **out,
                                     icseg_error *error) {
    const char *base = last_part(query.name);
    *out = NULL;
    if (!base[0] || !strcmp(base, "..") || !strcmp(base, ".")) return ICSEG_OK;
    if (im->options->image_folder) ICSEG_TRY(find_in(arena, im->options->image_folder, query, out, error));
    for (const char *const *folder = query.folders; *folder && !*out; folder++)
        ICSEG_TRY(find_in(arena, *folder, query, out, error));
    return ICSEG_OK;
}

icseg_status icseg_import_read_json(json_t **out, const char *path, icseg_error *error) {
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
        for (const char *const *type = types; *type; type++)
            if (!strcasecmp(icseg_path_extension(names[i]), *type)) {
                complete = ((*out)[(*count)++] = icseg_arena_strdup(arena, names[i])) != NULL;
                break;
            }
    icseg_free(names);
    return complete ? ICSEG_OK : icseg_fail_memory_in(error, 0, folder);
}

icseg_status icseg_import_number(const json_t *value, const char *where, double *out, icseg_error *error) {
    *out = json_is_number(value) ? json_number_value(value) : NAN;
    return fabs(*out) <= 1e9
               ? ICSEG_OK
               : icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: a coordinate is not a number, or is above 1e9", where);
}
