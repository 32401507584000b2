/* SPDX-License-Identifier: Apache-2.0
 * Unpacks a zip archive into the staging folder of an import. */
#include "importers/archive.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/zip.h"

enum { BLOCK = 1 << 16 };
static const uint64_t most_bytes = (uint64_t)64 << 30;

typedef struct unpacking {
    icseg_import *im;
    const char *path;   /* of the archive */
    const char *folder; /* to unpack to */
    icseg_file_reader *file;
    const icseg_zip_entry *entry;
    icseg_stage stage;
    uint64_t total; /* bytes so far */
    unsigned char block[BLOCK];
} unpacking;

icseg_status icseg_import_is_archive(const char *path, bool *out, icseg_error *error) {
    unsigned char mark[4];
    icseg_file_reader *file;
    *out = false;
    if (icseg_folder_exists(path)) return ICSEG_OK;
    ICSEG_TRY(icseg_file_reader_open(&file, path, error));
    icseg_status status = ICSEG_OK;
    if (icseg_file_reader_size(file) >= sizeof mark) {
        status = icseg_file_reader_read(file, 0, mark, sizeof mark, error);
        *out = status == ICSEG_OK && (!memcmp(mark, "PK\3\4", 4) || !memcmp(mark, "PK\5\6", 4));
    }
    icseg_file_reader_close(&file);
    return status;
}

/* ---- entries ---- */

static icseg_status fail_entry(const unpacking *u, icseg_status status, const char *what, icseg_error *error) {
    return icseg_fail(error, status, "%s: %.200s: %s", u->path, u->entry->name, what);
}

/* ".DS_Store" and the like, at any depth, and what macOS adds. */
static bool is_hidden(const char *name) {
    if (!strncmp(name, "__MACOSX/", 9)) return true;
    for (const char *p = name; p; p = strchr(p, '/'), p = p ? p + 1 : NULL)
        if (*p == '.') return true;
    return false;
}

static icseg_status copy(unpacking *u, int to, icseg_error *error) {
    icseg_zip_stream *stream;
    ICSEG_TRY(icseg_zip_stream_open(&stream, u->entry, u->file, u->path, error));
    icseg_status status = ICSEG_OK;
    for (size_t left = u->entry->size, step; left && status == ICSEG_OK; left -= step) {
        step = left < BLOCK ? left : BLOCK;
        status = icseg_zip_stream_read(stream, u->block, step, error);
        for (size_t put = 0; put < step && status == ICSEG_OK;) {
            ssize_t written = TEMP_FAILURE_RETRY(write(to, u->block + put, step - put));
            if (written <= 0) status = fail_entry(u, ICSEG_ERROR_IO, strerror(errno), error);
            put += written > 0 ? (size_t)written : 0;
        }
    }
    icseg_zip_stream_close(&stream);
    return status;
}

/* Nothing follows a link here: the staging folder is this process's own, and no entry becomes a link. */
static icseg_status unpack_file(unpacking *u, const char *path, icseg_error *error) {
    char parent[PATH_MAX];
    size_t length = (size_t)(strrchr(path, '/') - path);
    memcpy(parent, path, length);
    parent[length] = '\0';
    ICSEG_TRY(icseg_folder_create(parent, error));
    int to = TEMP_FAILURE_RETRY(open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (to < 0)
        return fail_entry(u, errno == EEXIST ? ICSEG_ERROR_FORMAT : ICSEG_ERROR_IO,
                          errno == EEXIST ? "occurs twice in the archive" : strerror(errno), error);
    icseg_status status = copy(u, to, error);
    if (close(to) != 0 && status == ICSEG_OK) status = fail_entry(u, ICSEG_ERROR_IO, strerror(errno), error);
    return status;
}

static icseg_status unpack_entry(unpacking *u, icseg_error *error) {
    const icseg_zip_entry *e = u->entry;
    char path[PATH_MAX];
    if (is_hidden(e->name)) return ICSEG_OK;
    if (e->link) return fail_entry(u, ICSEG_ERROR_FORMAT, "refused: a symbolic link; pack the file itself", error);
    if (e->size > most_bytes - u->total)
        return icseg_fail(error, ICSEG_ERROR_UNSUPPORTED,
                          "%s: refused: its files have more than 64 GiB; unpack it, and import the folder", u->path);
    u->total += e->size;
    if ((size_t)snprintf(path, sizeof path, "%s/%s", u->folder, e->name) >= sizeof path)
        return fail_entry(u, ICSEG_ERROR_DATA, "the path is too long", error);
    for (char *c = path + strlen(u->folder); *c; c++)
        if (*c == '\\') *c = '/'; /* .NET before 4.6.1 wrote them */
    return path[strlen(path) - 1] == '/' ? icseg_folder_create(path, error) : unpack_file(u, path, error);
}

static icseg_status unpack_all(unpacking *u, icseg_error *error) {
    icseg_zip zip;
    ICSEG_TRY(icseg_zip_open(&zip, u->file, u->path, u->im->arena, error));
    u->stage = icseg_stage_begin(u->im->stage.progress, "unpack", (int64_t)zip.count, "files");
    ICSEG_TRY(icseg_folder_create(u->folder, error));
    for (size_t i = 0; i < zip.count; i++) {
        const icseg_zip_entry *entry = zip.entries + i; /* in the arena */
        u->entry = entry;
        ICSEG_TRY(unpack_entry(u, error));
        ICSEG_TRY(icseg_stage_report(&u->stage, (int64_t)i + 1, "", error));
    }
    return ICSEG_OK;
}

/* ---- the source ---- */

icseg_status icseg_import_unpack(icseg_import *im, const char **source, icseg_error *error) {
    unpacking *u = icseg_calloc_array(1, sizeof *u);
    if (!u) return icseg_fail_memory_in(error, sizeof *u, im->archive);
    *u = (unpacking){.im = im, .path = im->archive};
    u->folder = im->unpacked = icseg_arena_printf(im->arena, "%s/source", im->staging.path);
    *source = u->folder;
    icseg_status status =
        u->folder ? icseg_file_reader_open(&u->file, u->path, error) : icseg_fail_memory_in(error, 0, im->archive);
    if (status == ICSEG_OK) status = unpack_all(u, error);
    icseg_file_reader_close(&u->file);
    icseg_free(u);
    return status;
}

void icseg_import_restore_names(const icseg_import *im, char *text, size_t size) {
    char restored[ICSEG_ERROR_MESSAGE_SIZE * 2];
    size_t used = 0, length = im->unpacked ? strlen(im->unpacked) : 0;
    const char *from = text;
    if (!length) return;
    for (const char *found; (found = strstr(from, im->unpacked)) && used < sizeof restored; from = found + length)
        used +=
            (size_t)snprintf(restored + used, sizeof restored - used, "%.*s%s", (int)(found - from), from, im->archive);
    if (used < sizeof restored) snprintf(restored + used, sizeof restored - used, "%s", from);
    snprintf(text, size, "%.*s", (int)size - 1, restored);
}
