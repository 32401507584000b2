/* SPDX-License-Identifier: Apache-2.0
 * The names in the folders where images are looked for. An image whose format is not known may have one of many names:
 * a folder is listed once, so that the system is asked only for names that are there. On a network that saves much
 * time. */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "importers/internal.h"

enum { KEY_SIZE = 2 * sizeof(size_t) + 1 + NAME_MAX + 1 };

static const char what[] = "a list of files";

void icseg_listing_close(icseg_listing *listing) {
    icseg_text_table_close(&listing->folders);
    icseg_text_table_close(&listing->names);
}

/* "FOLDER/name" in small letters, because some file systems do not distinguish them. `folder`: its number. */
static void make_key(char key[KEY_SIZE], size_t folder, const char *name) {
    snprintf(key, KEY_SIZE, "%zx/%s", folder, name);
    for (char *c = key; *c; c++)
        if (*c >= 'A' && *c <= 'Z') *c = (char)(*c - 'A' + 'a');
}

static icseg_status add_name(icseg_listing *listing, icseg_arena *arena, size_t folder, const char *name,
                             icseg_error *error) {
    char key[KEY_SIZE];
    size_t index;
    make_key(key, folder, name);
    return icseg_text_table_add(&listing->names, arena, key, what, &index, error);
}

static icseg_status list_names(icseg_listing *listing, icseg_arena *arena, const char *path, size_t folder,
                               icseg_error *error) {
    DIR *dir;
    const char *name = NULL;
    ICSEG_TRY(icseg_folder_open(&dir, path, error));
    icseg_status status = icseg_folder_next(dir, path, &name, error);
    while (status == ICSEG_OK && name) {
        status = add_name(listing, arena, folder, name, error);
        if (status == ICSEG_OK) status = icseg_folder_next(dir, path, &name, error);
    }
    closedir(dir);
    return status;
}

/* A folder that cannot be listed, as one without the permission to read it, gets the name "": it may have any file. */
static icseg_status list_folder(icseg_listing *listing, icseg_arena *arena, const char *path, size_t folder,
                                icseg_error *error) {
    bool found;
    icseg_error ignored;
    icseg_status status = icseg_path_find(path, S_IFDIR, &found, &ignored);
    if (status == ICSEG_OK && !found) return ICSEG_OK;
    if (status == ICSEG_OK) status = list_names(listing, arena, path, folder, &ignored);
    if (status == ICSEG_ERROR_MEMORY) return icseg_fail_memory_in(error, 0, path);
    return status == ICSEG_OK ? ICSEG_OK : add_name(listing, arena, folder, "", error);
}

static bool is_ascii(const char *text) {
    for (; *text; text++)
        if ((unsigned char)*text >= 0x80) return false;
    return true;
}

icseg_status icseg_listing_may_have(icseg_listing *listing, icseg_arena *arena, const char *path, bool *may,
                                    icseg_error *error) {
    const char *name = icseg_path_name(path);
    char folder[PATH_MAX], key[KEY_SIZE];
    size_t known = listing->folders.count, length = (size_t)(name - path), index, at;
    *may = true;
    if (!length || length > sizeof folder || strlen(name) > NAME_MAX || !is_ascii(name)) return ICSEG_OK;
    snprintf(folder, sizeof folder, "%.*s", (int)(length > 1 ? length - 1 : length), path);
    ICSEG_TRY(icseg_text_table_add(&listing->folders, arena, folder, what, &index, error));
    if (index == known) ICSEG_TRY(list_folder(listing, arena, folder, index, error));
    make_key(key, index, name);
    *may = icseg_text_table_find(&listing->names, key, &at);
    make_key(key, index, "");
    *may = *may || icseg_text_table_find(&listing->names, key, &at);
    return ICSEG_OK;
}
