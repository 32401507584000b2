/* SPDX-License-Identifier: Apache-2.0
 * The image files that an import has read: one file cannot serve two images, and files beside them may be images that
 * no label file mentions. A file is known by the identity of its folder and by its name, so that two paths to it are
 * one, but links to one file are several images. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "dataset/formats.h"
#include "importers/internal.h"
#include "image/codec.h"

static const char table_name[] = "a list of images";

void icseg_import_images_close(icseg_import_images *images) {
    icseg_text_table_close(&images->files);
    icseg_text_table_close(&images->folders);
    icseg_free(images->owners);
    icseg_free(images->paths.texts);
}

/* "DEVICE:INODE/" */
static icseg_status folder_key(const char *folder, char out[48], icseg_error *error) {
    struct stat info;
    if (stat(folder, &info) != 0)
        return icseg_fail(error, ICSEG_ERROR_IO, "%s: cannot open: %s", folder, strerror(errno));
    snprintf(out, 48, "%llx:%llx/", (unsigned long long)info.st_dev, (unsigned long long)info.st_ino);
    return ICSEG_OK;
}

/* Finds the file, which is added; *is_new: it was not there. */
static icseg_status find_file(icseg_import *im, const char *path, size_t *at, bool *is_new, icseg_error *error) {
    icseg_import_images *images = &im->images;
    const char *name = icseg_path_name(path);
    char folder[PATH_MAX], key[48 + NAME_MAX + 1];
    size_t length = (size_t)(name - path), known;
    if (length >= sizeof folder || strlen(name) > NAME_MAX)
        return icseg_fail(error, ICSEG_ERROR_DATA, "%s: the path is too long", path);
    snprintf(folder, sizeof folder, "%.*s", length ? (int)length : 1, length ? path : ".");
    ICSEG_TRY(folder_key(folder, key, error));
    size_t folders = images->folders.count, files = images->files.count;
    ICSEG_TRY(icseg_text_table_add(&images->folders, im->arena, key, table_name, &known, error));
    if (length > 1) folder[length - 1] = '\0'; /* the slash */
    if (known == folders) ICSEG_TRY(icseg_import_add_text(&images->paths, im->arena, folder, error));
    strcat(key, name);
    ICSEG_TRY(icseg_text_table_add(&images->files, im->arena, key, table_name, at, error));
    *is_new = *at == files;
    return ICSEG_OK;
}

static icseg_status add_owner(icseg_import *im, size_t at, const char *name, const char *source, icseg_error *error) {
    icseg_import_images *images = &im->images;
    if (at >= images->owner_capacity) {
        size_t capacity = images->owner_capacity ? 2 * images->owner_capacity : 256;
        icseg_image_owner *grown = icseg_realloc_array(images->owners, images->owner_capacity, capacity, sizeof *grown);
        if (!grown) return icseg_fail_memory(error, 0, table_name);
        images->owners = grown;
        images->owner_capacity = capacity;
    }
    images->owners[at] =
        (icseg_image_owner){icseg_arena_strdup(im->arena, name), icseg_arena_strdup(im->arena, source)};
    return images->owners[at].name && images->owners[at].source ? ICSEG_OK : icseg_fail_memory(error, 0, table_name);
}

icseg_status icseg_import_claim_image(icseg_import *im, const icseg_import_item *item, icseg_error *error) {
    size_t at;
    bool is_new;
    if (!item->image) return ICSEG_OK;
    ICSEG_TRY(find_file(im, item->image, &at, &is_new, error));
    if (is_new) return add_owner(im, at, item->name, item->source, error);
    const icseg_image_owner *owner = &im->images.owners[at];
    if (!strcmp(owner->source, item->source)) return ICSEG_OK;
    return icseg_fail(error, ICSEG_ERROR_DATA,
                      "%s: \"%.200s\" is read from %s, and so is \"%.200s\" of %s; one file cannot serve two images: "
                      "give each image a file of its own",
                      item->source, item->name, item->image, owner->name, owner->source);
}

icseg_status icseg_import_claim_file(icseg_import *im, const char *path, icseg_error *error) {
    size_t at;
    bool is_new;
    ICSEG_TRY(find_file(im, path, &at, &is_new, error));
    return is_new ? add_owner(im, at, icseg_path_name(path), path, error) : ICSEG_OK;
}

/* Whether an image that was read has this name with an extension, or without: "a.xml" or "a.jpg.xml". key: that of the
 * folder, with space for a name. */
static bool is_name_of_image(const icseg_import *im, char *key, const char *name) {
    size_t at, length = strlen(key), stem = strlen(name) - strlen(icseg_path_extension(name)) - 1;
    bool found = false;
    snprintf(key + length, NAME_MAX + 1, "%.*s", (int)stem, name);
    found = icseg_text_table_find(&im->images.files, key, &at);
    for (const char *const *type = icseg_image_types; *type && !found; type++) {
        snprintf(key + length + stem, NAME_MAX + 1 - stem, ".%s", *type);
        found = icseg_text_table_find(&im->images.files, key, &at);
    }
    key[length] = '\0';
    return found;
}

/* The extension of the label files that the importer reads beside images. */
static const char *own_type(icseg_import_format format) {
    return format == ICSEG_IMPORT_LABELME   ? "json"
           : format == ICSEG_IMPORT_YOLO    ? "txt"
           : format == ICSEG_IMPORT_GEOJSON ? "geojson"
                                            : "";
}

icseg_status icseg_import_note_foreign(icseg_import *im, icseg_error *error) {
    static const char *const types[] = {"txt", "xml", "json", "geojson", NULL};
    const icseg_import_images *images = &im->images;
    char key[48 + NAME_MAX + 1], **names;
    size_t count;
    for (size_t i = 0; i < images->paths.count; i++) {
        const char *folder = images->paths.texts[i];
        ICSEG_TRY(folder_key(folder, key, error));
        ICSEG_TRY(icseg_import_list(im->arena, folder, types, &names, &count, error));
        for (size_t k = 0; k < count; k++) {
            bool own = !strcmp(icseg_path_extension(names[k]), own_type(im->summary.format));
            if (own || !is_name_of_image(im, key, names[k])) continue;
            char *path = icseg_arena_printf(im->arena, "%s/%s", folder, names[k]);
            if (!path) return icseg_fail_memory_in(error, 0, folder);
            icseg_import_unused(im, path);
        }
    }
    return ICSEG_OK;
}

icseg_status icseg_import_count_unlabelled(icseg_import *im, icseg_error *error) {
    const icseg_import_images *images = &im->images;
    char key[48 + NAME_MAX + 1], **names;
    size_t count, at;
    for (size_t i = 0; i < images->paths.count; i++) {
        const char *folder = images->paths.texts[i];
        ICSEG_TRY(folder_key(folder, key, error));
        size_t length = strlen(key);
        ICSEG_TRY(icseg_import_list(im->arena, folder, icseg_image_types, &names, &count, error));
        for (size_t k = 0; k < count; k++) {
            snprintf(key + length, sizeof key - length, "%s", names[k]);
            if (icseg_text_table_find(&images->files, key, &at)) continue;
            if (im->unlabelled++) continue;
            im->first_unlabelled = icseg_arena_printf(im->arena, "%s/%s", folder, names[k]);
            if (!im->first_unlabelled) return icseg_fail_memory_in(error, 0, folder);
        }
    }
    return ICSEG_OK;
}
