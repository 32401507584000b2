/* SPDX-License-Identifier: Apache-2.0
 * Explains why the format of a source was not recognised. */
#include "importers/guess.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "base/text.h"
#include "importers/internal.h"
#include "importers/json_stream.h"

static const char *const json_types[] = {"json", NULL};

/* ---- archives ---- */

static icseg_status refuse_archive(const char *path, icseg_error *error) {
    static const char *const types[] = {"tar", "tgz", "gz", "bz2", "xz", "zst", "7z", "rar", NULL};
    for (const char *const *type = types; *type; type++)
        if (!strcasecmp(icseg_path_extension(path), *type))
            return icseg_fail(error, ICSEG_ERROR_UNSUPPORTED,
                              "%s: archives other than zip are not read; unpack it, and import the folder", path);
    return ICSEG_OK;
}

/* ---- JSON ---- */

/* Passes over the whole file. */
static icseg_status check_elements(icseg_json_stream *stream, bool list, icseg_error *error) {
    char key[ICSEG_JSON_KEY_SIZE];
    for (bool more = true; more;) {
        ICSEG_TRY(list ? icseg_json_stream_element(stream, &more, error)
                       : icseg_json_stream_member(stream, key, &more, error));
        if (more) ICSEG_TRY(icseg_json_stream_skip(stream, error));
    }
    return ICSEG_OK;
}

/* Fails if the file is not complete JSON. */
static icseg_status check_json(const char *path, icseg_error *error) {
    icseg_json_stream *stream;
    icseg_error other;
    bool list = icseg_json_stream_open_list(&stream, path, &other) == ICSEG_OK;
    if (!list && other.status == ICSEG_ERROR_MEMORY) return icseg_fail_memory_in(error, 0, path);
    if (!list) ICSEG_TRY(icseg_json_stream_open(&stream, path, error));
    icseg_status status = check_elements(stream, list, error);
    icseg_json_stream_close(&stream);
    return status;
}

static icseg_status check_json_files(icseg_arena *arena, const char *folder, icseg_error *error) {
    char **names;
    size_t count;
    ICSEG_TRY(icseg_import_list(arena, folder, json_types, &names, &count, error));
    for (size_t i = 0; i < count; i++) {
        const char *path = icseg_arena_printf(arena, "%s/%s", folder, names[i]);
        ICSEG_TRY(path ? check_json(path, error) : icseg_fail_memory_in(error, 0, folder));
    }
    return ICSEG_OK;
}

/* ---- masks ---- */

static icseg_status refuse_jpeg_masks(icseg_arena *arena, const char *source, icseg_error *error) {
    static const char *const folders[] = {"masks", "mask", "labels", "train/masks", "train/mask", "train/labels", NULL};
    static const char *const types[] = {"jpg", "jpeg", NULL};
    for (const char *const *name = folders; *name; name++) {
        char **paths;
        size_t count;
        const char *folder = icseg_arena_printf(arena, "%s/%s", source, *name);
        if (!folder) return icseg_fail_memory_in(error, 0, source);
        ICSEG_TRY(icseg_import_list_tree(arena, folder, types, &paths, &count, error));
        if (count)
            return icseg_fail(
                error, ICSEG_ERROR_DATA,
                "%s/%s: a JPEG file where masks are expected: JPEG changes the values of pixels; save the "
                "masks as PNG again from their source",
                folder, paths[0]);
    }
    return ICSEG_OK;
}

icseg_status icseg_import_guess(icseg_arena *arena, const char *source, icseg_import_format *out, icseg_error *error) {
    bool found;
    *out = ICSEG_IMPORT_AUTO;
    if (!icseg_folder_exists(source)) {
        ICSEG_TRY(refuse_archive(source, error));
        if (!strcasecmp(icseg_path_extension(source), "xml")) *out = ICSEG_IMPORT_CVAT_XML;
        return strcasecmp(icseg_path_extension(source), "json") ? ICSEG_OK : check_json(source, error);
    }
    char *xml = icseg_arena_printf(arena, "%s/annotations.xml", source);
    char *below = icseg_arena_printf(arena, "%s/annotations", source);
    if (!xml || !below) return icseg_fail_memory_in(error, 0, source);
    ICSEG_TRY(icseg_path_find(xml, S_IFREG, &found, error));
    if (found) return *out = ICSEG_IMPORT_CVAT_XML, ICSEG_OK;
    ICSEG_TRY(check_json_files(arena, source, error));
    ICSEG_TRY(check_json_files(arena, below, error));
    return refuse_jpeg_masks(arena, source, error);
}
