/* SPDX-License-Identifier: Apache-2.0
 * Explains why the format of a source was not recognised. */
#include "importers/guess.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "base/text.h"
#include "base/words.h"
#include "dataset/labelling_tools.h"
#include "image/codec.h"
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

/* Editors of Windows call UTF-16 "Unicode". */
static icseg_status refuse_utf16(const char *path, icseg_error *error) {
    unsigned char mark[2] = {0};
    icseg_file_reader *file;
    ICSEG_TRY(icseg_file_reader_open(&file, path, error));
    icseg_status status = ICSEG_OK;
    if (icseg_file_reader_size(file) >= sizeof mark) status = icseg_file_reader_read(file, 0, mark, sizeof mark, error);
    icseg_file_reader_close(&file);
    if (status == ICSEG_OK && (!memcmp(mark, "\xff\xfe", 2) || !memcmp(mark, "\xfe\xff", 2)))
        return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: the text is UTF-16; save it as UTF-8", path);
    return status;
}

/* Fails if the file is not complete JSON. */
static icseg_status check_json(const char *path, icseg_error *error) {
    icseg_json_stream *stream;
    ICSEG_TRY(refuse_utf16(path, error));
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

/* ---- what is not labels, and labels of unknown tools ---- */

/* Pascal VOC's files for object detection. */
static icseg_status refuse_boxes(icseg_arena *arena, const char *source, icseg_error *error) {
    static const char *const types[] = {"xml", NULL};
    enum { MAX_XML = 1 << 20 };
    char **paths;
    unsigned char *text;
    size_t count, size;
    ICSEG_TRY(icseg_import_list_tree(arena, source, types, &paths, &count, error));
    const char *path = count ? icseg_arena_printf(arena, "%s/%s", source, paths[0]) : NULL;
    if (!count) return ICSEG_OK;
    if (!path) return icseg_fail_memory_in(error, 0, source);
    if (icseg_file_read(path, MAX_XML, &text, &size, NULL) != ICSEG_OK) return ICSEG_OK;
    bool boxes = memmem(text, size, "<bndbox>", 8) != NULL;
    icseg_free(text);
    if (!boxes) return ICSEG_OK;
    return icseg_fail(error, ICSEG_ERROR_DATA,
                      "%s: Pascal VOC's boxes, from which no pixels follow; label the objects with polygons or masks",
                      path);
}

static icseg_status fail_unknown(const char *source, size_t count, const char *first, icseg_error *error) {
    icseg_string known = {0};
    for (int i = ICSEG_IMPORT_AUTO + 1; i < ICSEG_IMPORT_FORMATS; i++)
        icseg_string_printf(&known, "%s%s", known.size ? ", " : "", icseg_labelling_tools[i].name);
    icseg_status status =
        known.failed
            ? icseg_fail_memory_in(error, 0, source)
            : icseg_fail_field(error, ICSEG_ERROR_DATA, "format", ICSEG_REMEDY_SET_FIELD,
                               "%s: does not contain files of a supported labelling tool (%s); beside images it "
                               "has %zu %s: %s%s",
                               source, known.data, count, icseg_plural((int64_t)count, "file", "files"), first,
                               count > 1 ? ", ..." : "");
    icseg_string_close(&known);
    return status;
}

/* Says what the folder has: images alone, or the first of the other files. */
static icseg_status fail_folder(icseg_arena *arena, const char *source, icseg_error *error) {
    char **paths;
    const char *first = NULL;
    size_t count, images = 0;
    ICSEG_TRY(icseg_import_list_tree(arena, source, NULL, &paths, &count, error));
    for (size_t i = 0; i < count; i++) {
        const char *const *type = icseg_image_types;
        while (*type && strcasecmp(icseg_path_extension(paths[i]), *type) != 0) type++;
        images += *type != NULL;
        if (!*type && !first) first = paths[i];
    }
    if (first) return fail_unknown(source, count - images, first, error);
    if (!count)
        return icseg_fail(error, ICSEG_ERROR_DATA,
                          "%s: does not contain files of a supported labelling tool; it is empty", source);
    return icseg_fail(error, ICSEG_ERROR_DATA,
                      "%s: does not contain files of a supported labelling tool, only %zu %s; import the folder that a "
                      "tool exported, or put masks into a folder masks beside a folder images",
                      source, images, icseg_plural((int64_t)images, "image", "images"));
}

icseg_status icseg_import_guess(icseg_arena *arena, const char *source, icseg_import_format *out, icseg_error *error) {
    bool found;
    *out = ICSEG_IMPORT_AUTO;
    if (!icseg_folder_exists(source)) {
        ICSEG_TRY(refuse_archive(source, error));
        if (!strcasecmp(icseg_path_extension(source), "xml")) return *out = ICSEG_IMPORT_CVAT_XML, ICSEG_OK;
        if (!strcasecmp(icseg_path_extension(source), "json")) ICSEG_TRY(check_json(source, error));
        return icseg_fail(error, ICSEG_ERROR_DATA,
                          "%s: neither a folder nor a zip archive; import the folder that contains the label files",
                          source);
    }
    char *xml = icseg_arena_printf(arena, "%s/annotations.xml", source);
    char *below = icseg_arena_printf(arena, "%s/annotations", source);
    if (!xml || !below) return icseg_fail_memory_in(error, 0, source);
    ICSEG_TRY(icseg_path_find(xml, S_IFREG, &found, error));
    if (found) return *out = ICSEG_IMPORT_CVAT_XML, ICSEG_OK;
    ICSEG_TRY(check_json_files(arena, source, error));
    ICSEG_TRY(check_json_files(arena, below, error));
    ICSEG_TRY(refuse_jpeg_masks(arena, source, error));
    ICSEG_TRY(refuse_boxes(arena, source, error));
    return fail_folder(arena, source, error);
}
