/* SPDX-License-Identifier: Apache-2.0
 * Zip directories: end record, central directory, local headers (APPNOTE.TXT 4.3, 4.5). */
#include "base/zip.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { END_SIZE = 22, END64_SIZE = 56, LOCATOR_SIZE = 20, CENTRAL_SIZE = 46, LOCAL_SIZE = 30 };
enum { END_MARK = 0x06054b50, END64_MARK = 0x06064b50, LOCATOR_MARK = 0x07064b50, CENTRAL_MARK = 0x02014b50 };
enum {
    LOCAL_MARK = 0x04034b50,
    ZIP64_EXTRA = 1,
    STORED = 0,
    DEFLATED = 8,
    UNIX = 3,
    TYPE_BITS = 0170000,
    LINK = 0120000,
    ENCRYPTED = 1,
    MAX_COMMENT = 65535
};
enum {
    MAX_ENTRIES = 1 << 17,
    MAX_DIRECTORY = 64 << 20,
    MAX_NAME = 65535,
    GROWTH = 100,
    SPARE = 1 << 20,
    SHOWN_NAME = 200
};

/* Little-endian numbers of any alignment; the caller has checked that they are inside. */
static uint32_t read16(const unsigned char *p) { return (uint32_t)(p[0] | p[1] << 8); }
static uint32_t read32(const unsigned char *p) { return read16(p) | read16(p + 2) << 16; }
static uint64_t read64(const unsigned char *p) { return read32(p) | (uint64_t)read32(p + 4) << 32; }

typedef struct reader {
    const icseg_file_reader *file;
    const char *path;
    icseg_arena *arena;
    icseg_error *error;
    uint64_t count, begin, size;    /* the central directory: entries, first byte, bytes */
    uint64_t end;                   /* of the directory and of all data: where the end records start */
    const unsigned char *directory; /* its bytes, (size) */
    char *name;                     /* (MAX_NAME), of a local header */
} reader;

static icseg_status read_at(reader *r, uint64_t at, void *to, size_t size) {
    return icseg_file_reader_read(r->file, (size_t)at, to, size, r->error);
}

static icseg_status damaged(reader *r, const char *what) {
    return icseg_fail(r->error, ICSEG_ERROR_FORMAT, "%s: damaged zip archive: %s", r->path, what);
}

/* The record of 64-bit numbers that precedes an end record with saturated ones. */
static icseg_status read_end64(reader *r, size_t end) {
    unsigned char locator[LOCATOR_SIZE], record[END64_SIZE] = {0};
    if (end < LOCATOR_SIZE) return ICSEG_OK;
    ICSEG_TRY(read_at(r, end - LOCATOR_SIZE, locator, LOCATOR_SIZE));
    if (read32(locator) != LOCATOR_MARK) return ICSEG_OK; /* no zip64 */
    uint64_t at = read64(locator + 8), limit = end - LOCATOR_SIZE;
    bool inside = limit >= END64_SIZE && at <= limit - END64_SIZE;
    if (inside) ICSEG_TRY(read_at(r, at, record, END64_SIZE));
    if (read32(record) != END64_MARK) return damaged(r, "its zip64 end record is not where its locator says");
    if (read32(record + 16) || read32(record + 20)) return damaged(r, "it spans several volumes");
    r->count = read64(record + 32);
    r->size = read64(record + 40);
    r->begin = read64(record + 48);
    r->end = at;
    return ICSEG_OK;
}

/* Only a comment may follow the end record. */
static icseg_status read_end(reader *r) {
    size_t file = icseg_file_reader_size(r->file);
    size_t size = file < END_SIZE + MAX_COMMENT ? file : END_SIZE + MAX_COMMENT;
    unsigned char *tail = icseg_arena_alloc(r->arena, size);
    if (!tail) return icseg_fail_memory_in(r->error, size, r->path);
    ICSEG_TRY(read_at(r, file - size, tail, size));
    for (size_t at = size < END_SIZE ? 0 : size - END_SIZE + 1; at-- > 0;) {
        const unsigned char *record = tail + at;
        if (read32(record) != END_MARK || read16(record + 20) != size - at - END_SIZE) continue;
        if (read16(record + 4) || read16(record + 6)) return damaged(r, "it spans several volumes");
        r->count = read16(record + 10);
        r->size = read32(record + 12);
        r->begin = read32(record + 16);
        r->end = file - size + at;
        ICSEG_TRY(read_end64(r, (size_t)r->end));
        if (r->begin > r->end || r->size > r->end - r->begin || r->count > r->size / CENTRAL_SIZE)
            return damaged(r, "its directory is outside the file");
        if (r->count > MAX_ENTRIES || r->size > MAX_DIRECTORY) return damaged(r, "too many entries");
        return ICSEG_OK;
    }
    return icseg_fail(r->error, ICSEG_ERROR_FORMAT,
                      "%s: this zip archive has no directory at its end: the file is cut short; download it again",
                      r->path);
}

static bool is_slash(char c) { return c == '/' || c == '\\'; }

/* Names are only compared, never opened; a name that would leave its folder still marks a hostile file. */
static bool is_safe(const char *name, size_t size) {
    if (size == 0 || is_slash(name[0])) return false;
    for (size_t i = 0; i < size; i++) {
        if ((unsigned char)name[i] < 0x20) return false;
        bool starts = i == 0 || is_slash(name[i - 1]);
        if (starts && size - i >= 2 && name[i] == '.' && name[i + 1] == '.' && (size - i == 2 || is_slash(name[i + 2])))
            return false;
    }
    return true;
}

/* 64-bit sizes and offset of an entry, for those of the three that are saturated, in this order. */
static icseg_status read_extra(reader *r, const unsigned char *extra, size_t size, uint64_t *number[3]) {
    for (size_t at = 0; size - at >= 4;) {
        size_t id = read16(extra + at), length = read16(extra + at + 2);
        at += 4;
        if (length > size - at) return damaged(r, "an extra field runs past its entry");
        for (size_t i = 0, used = 0; i < 3 && id == ZIP64_EXTRA; i++) {
            if (*number[i] != UINT32_MAX) continue;
            if (length - used < 8) return damaged(r, "a zip64 field is cut short");
            *number[i] = read64(extra + at + used);
            used += 8;
        }
        at += length;
    }
    return ICSEG_OK;
}

/* Finds the data behind the local header. */
static icseg_status locate(reader *r, icseg_zip_entry *entry, uint64_t header, uint64_t packed, uint64_t size,
                           uint32_t method) {
    if (r->begin < LOCAL_SIZE || header > r->begin - LOCAL_SIZE) return damaged(r, "an entry is outside the file");
    unsigned char local[LOCAL_SIZE];
    ICSEG_TRY(read_at(r, header, local, LOCAL_SIZE));
    uint64_t start = header + LOCAL_SIZE + read16(local + 26) + read16(local + 28), name = read16(local + 26);
    if (read32(local) != LOCAL_MARK) return damaged(r, "an entry has no header where the directory says");
    if (start > r->begin || packed > r->begin - start)
        return icseg_fail(r->error, ICSEG_ERROR_FORMAT, "%s: damaged zip archive: %.200s runs past the end of the data",
                          r->path, entry->name);
    ICSEG_TRY(read_at(r, header + LOCAL_SIZE, r->name, (size_t)name)); /* it ends before `start` */
    if (name != strlen(entry->name) || memcmp(r->name, entry->name, (size_t)name) || read16(local + 8) != method)
        return icseg_fail(r->error, ICSEG_ERROR_FORMAT,
                          "%s: damaged zip archive: header and directory disagree about %.200s", r->path, entry->name);
    if (method == STORED && packed != size)
        return icseg_fail(r->error, ICSEG_ERROR_FORMAT,
                          "%s: damaged zip archive: %.200s is stored, but its two sizes differ", r->path, entry->name);
    entry->offset = (size_t)start;
    entry->packed = (size_t)packed;
    entry->size = (size_t)size;
    entry->deflated = method == DEFLATED;
    return ICSEG_OK;
}

static icseg_status read_entry(reader *r, uint64_t *at, icseg_zip_entry *entry) {
    const unsigned char *record = r->directory + (*at - r->begin);
    uint64_t left = r->begin + r->size - *at;
    if (left < CENTRAL_SIZE || read32(record) != CENTRAL_MARK) return damaged(r, "its directory is cut short");
    uint64_t name = read16(record + 28), extra = read16(record + 30), comment = read16(record + 32);
    if (name + extra + comment > left - CENTRAL_SIZE) return damaged(r, "its directory is cut short");
    const char *text = (const char *)record + CENTRAL_SIZE;
    if (!is_safe(text, (size_t)name))
        return icseg_fail(r->error, ICSEG_ERROR_FORMAT,
                          "%s: refused: the archive has an entry with an unsafe name: \"%.*s\"", r->path,
                          name < SHOWN_NAME ? (int)name : SHOWN_NAME, text);
    char *copy = icseg_arena_alloc(r->arena, (size_t)name + 1);
    if (!copy) return icseg_fail_memory_in(r->error, 0, r->path);
    memcpy(copy, text, (size_t)name);
    entry->name = copy;
    if (read16(record + 8) & ENCRYPTED)
        return icseg_fail(r->error, ICSEG_ERROR_UNSUPPORTED,
                          "%s: %.200s is encrypted; unpack the archive with its password", r->path, copy);
    uint32_t method = read16(record + 10);
    if (method != STORED && method != DEFLATED)
        return icseg_fail(
            r->error, ICSEG_ERROR_UNSUPPORTED,
            "%s: %.200s uses compression method %u, but only stored and deflated entries are supported; save the file "
            "again",
            r->path, copy, (unsigned)method);
    uint64_t packed = read32(record + 20), size = read32(record + 24), header = read32(record + 42);
    entry->crc = read32(record + 16);
    entry->link = record[5] == UNIX && (read16(record + 40) & TYPE_BITS) == LINK;
    ICSEG_TRY(read_extra(r, record + CENTRAL_SIZE + name, (size_t)extra, (uint64_t *[3]){&size, &packed, &header}));
    *at += CENTRAL_SIZE + name + extra + comment;
    return locate(r, entry, header, packed, size, method);
}

static int compare_names(const void *a, const void *b) {
    return strcmp(((const icseg_zip_entry *)a)->name, ((const icseg_zip_entry *)b)->name);
}

static int compare_offsets(const void *a, const void *b) {
    const icseg_zip_entry *x = a, *y = b;
    if (x->offset != y->offset) return x->offset < y->offset ? -1 : 1;
    return (x->packed > y->packed) - (x->packed < y->packed);
}

/* Neither weights nor labels shrink a hundredfold; an archive that does is made to fill the memory or the disk. */
static icseg_status check_growth(reader *r, const icseg_zip_entry *entries, size_t count) {
    uint64_t packed = 0, size = 0;
    for (size_t i = 0; i < count; i++) {
        if (!entries[i].deflated) continue;
        packed += entries[i].packed; /* entries do not overlap: at most the file */
        if (__builtin_add_overflow(size, (uint64_t)entries[i].size, &size)) size = UINT64_MAX;
        if (size > packed * GROWTH + SPARE)
            return icseg_fail(r->error, ICSEG_ERROR_FORMAT,
                              "%s: refused: a zip bomb: %.200s would grow from %zu bytes to %zu", r->path,
                              entries[i].name, entries[i].packed, entries[i].size);
    }
    return ICSEG_OK;
}

icseg_status icseg_zip_open(icseg_zip *out, const icseg_file_reader *file, const char *path, icseg_arena *arena,
                            icseg_error *error) {
    reader r = {.file = file, .path = path, .arena = arena, .error = error};
    *out = (icseg_zip){0};
    ICSEG_TRY(read_end(&r));
    size_t count = (size_t)r.count;
    unsigned char *directory = icseg_arena_alloc(arena, (size_t)r.size);
    r.name = icseg_arena_alloc(arena, MAX_NAME);
    if (!directory || !r.name) return icseg_fail_memory_in(error, 0, path);
    ICSEG_TRY(read_at(&r, r.begin, directory, (size_t)r.size));
    r.directory = directory;
    icseg_zip_entry *entries = icseg_arena_array(arena, count, sizeof *entries);
    if (!entries) return icseg_fail_memory_in(error, count * sizeof *entries, path);
    uint64_t at = r.begin;
    for (size_t i = 0; i < count; i++) ICSEG_TRY(read_entry(&r, &at, &entries[i]));
    icseg_zip_entry *by_offset = icseg_arena_copy(arena, entries, count * sizeof *entries);
    if (!by_offset) return icseg_fail_memory_in(error, count * sizeof *entries, path);
    if (count) qsort(by_offset, count, sizeof *by_offset, compare_offsets);
    for (size_t i = 1; i < count; i++)
        if (by_offset[i].offset - by_offset[i - 1].offset < by_offset[i - 1].packed)
            return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: refused: %.200s and %.200s overlap in the archive", path,
                              by_offset[i - 1].name, by_offset[i].name);
    ICSEG_TRY(check_growth(&r, entries, count));
    if (count) qsort(entries, count, sizeof *entries, compare_names);
    for (size_t i = 1; i < count; i++)
        if (!strcmp(entries[i].name, entries[i - 1].name))
            return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: damaged zip archive: entry %.200s occurs twice", path,
                              entries[i].name);
    *out = (icseg_zip){entries, count};
    return ICSEG_OK;
}

const icseg_zip_entry *icseg_zip_find(const icseg_zip *zip, const char *name) {
    const icseg_zip_entry key = {.name = name};
    return zip->count ? bsearch(&key, zip->entries, zip->count, sizeof *zip->entries, compare_names) : NULL;
}
