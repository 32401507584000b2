/* SPDX-License-Identifier: Apache-2.0
 * The index of a tar archive. Each member is a header of 512 bytes and its data, rounded up to 512 bytes; two headers
 * of zeros end the archive. A long name or size precedes its member, as a member of its own. Archives that were joined
 * have such blocks in the middle, too. */
#include "base/tar.h"

#include <stdlib.h>
#include <string.h>

enum { BLOCK = 512, MAX_EXTENSION = 1 << 20, FIRST_ROOM = 64 };

/* A header (POSIX.1-2001, ustar). */
typedef struct header {
    char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[100];
    char magic[6], version[2], user[32], group[32], major[8], minor[8], prefix[155], rest[12];
} header;
_Static_assert(sizeof(header) == BLOCK, "a header is one block");

typedef struct listing {
    icseg_tar *tar;
    const icseg_file_reader *file;
    const char *path;
    icseg_arena *arena;
    int64_t room;
    uint64_t at, end; /* of the file: where the next header begins; its size */
    char *long_name;  /* of the next member; in the arena */
    uint64_t long_size;
    bool has_size, sparse; /* of the next member */
} listing;

static icseg_status fail(const listing *l, const char *what, icseg_error *error) {
    return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: at byte %llu: %s", l->path, (unsigned long long)l->at, what);
}

static icseg_status fail_cut(const listing *l, const char *what, icseg_error *error) {
    return icseg_fail(error, ICSEG_ERROR_FORMAT,
                      "%s: at byte %llu: the archive is cut short: %s; copy or write the archive again", l->path,
                      (unsigned long long)l->at, what);
}

/* The file does not begin with a header. */
static icseg_status fail_kind(const listing *l, icseg_error *error) {
    static const struct {
        const char *start, *program;
    } kinds[] = {{"\37\213", "gunzip"}, {"BZh", "bunzip2"}, {"\3757zXZ", "unxz"}, {"\50\265\57\375", "unzstd"}};
    char start[8] = "";
    ICSEG_TRY(icseg_file_reader_read(l->file, 0, start, l->end < sizeof start ? l->end : sizeof start, error));
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (!memcmp(start, kinds[i].start, strlen(kinds[i].start)))
            return icseg_fail(
                error, ICSEG_ERROR_FORMAT,
                "%s: the archive is compressed; unpack it with %s and use the .tar file, whose members can "
                "be read in any order",
                l->path, kinds[i].program);
    return fail(l, "not a tar archive", error);
}

/* Octal digits, or GNU's 96 binary bits. */
static bool parse_number(const char *field, size_t length, uint64_t *out) {
    const unsigned char *p = (const unsigned char *)field;
    size_t i = 0;
    uint64_t value = 0;
    if (p[0] == 0x80) {
        for (i = 1; i < length; i++) {
            if (value >> 56) return false;
            value = value << 8 | p[i];
        }
        *out = value;
        return true;
    }
    while (i < length && p[i] == ' ') i++;
    size_t first = i;
    for (; i < length && p[i] >= '0' && p[i] <= '7'; i++) {
        if (value >> 61) return false;
        value = value << 3 | (uint64_t)(p[i] - '0');
    }
    *out = value;
    return i > first && (i == length || p[i] == '\0' || p[i] == ' ');
}

/* The sum of the header's bytes, with blanks in place of the sum. */
static bool is_intact(const header *h) {
    const unsigned char *bytes = (const unsigned char *)h;
    const size_t first = (size_t)(h->checksum - h->name), last = first + sizeof h->checksum;
    uint64_t sum = 0, expected;
    for (size_t i = 0; i < BLOCK; i++) sum += i >= first && i < last ? ' ' : bytes[i];
    return parse_number(h->checksum, sizeof h->checksum, &expected) && sum == expected;
}

static bool is_zero(const header *h) {
    const char *bytes = (const char *)h;
    for (size_t i = 0; i < BLOCK; i++)
        if (bytes[i]) return false;
    return true;
}

static char *name_of(const listing *l, const header *h) {
    bool prefixed = !memcmp(h->magic, "ustar", sizeof h->magic) && h->prefix[0];
    return icseg_arena_printf(l->arena, "%.*s%s%.*s", prefixed ? (int)sizeof h->prefix : 0, h->prefix,
                              prefixed ? "/" : "", (int)sizeof h->name, h->name);
}

static icseg_status add(listing *l, const char *name, uint64_t size, icseg_error *error) {
    icseg_tar *tar = l->tar;
    if (tar->count == l->room) {
        int64_t room = l->room ? 2 * l->room : FIRST_ROOM;
        icseg_tar_entry *more =
            icseg_realloc_array(tar->entries, (size_t)tar->count, (size_t)room, sizeof *tar->entries);
        if (!more) return icseg_fail_memory_in(error, (size_t)room * sizeof *more, l->path);
        tar->entries = more;
        l->room = room;
    }
    tar->entries[tar->count++] = (icseg_tar_entry){.name = name, .offset = l->at + BLOCK, .size = size};
    return ICSEG_OK;
}

/* pax's records, "LENGTH KEY=VALUE\n": path and size of the next member. */
static icseg_status read_records(listing *l, char *text, size_t size, icseg_error *error) {
    for (char *end = text + size; text < end;) {
        char *rest;
        unsigned long long length = strtoull(text, &rest, 10);
        if (rest == text || *rest != ' ' || length < 5 || length > (unsigned long long)(end - text) ||
            rest + 1 >= text + length || text[length - 1] != '\n')
            return fail(l, "damaged pax records", error);
        text[length - 1] = '\0';
        rest++;
        if (!strncmp(rest, "path=", 5)) {
            l->long_name = icseg_arena_strdup(l->arena, rest + 5);
            if (!l->long_name) return icseg_fail_memory_in(error, 0, l->path);
        } else if (!strncmp(rest, "size=", 5)) {
            char *stop;
            l->long_size = strtoull(rest + 5, &stop, 10);
            l->has_size = stop > rest + 5 && !*stop;
            if (!l->has_size) return fail(l, "damaged pax records", error);
        } else if (!strncmp(rest, "GNU.sparse.", 11)) {
            l->sparse = true;
        }
        text += length;
    }
    return ICSEG_OK;
}

/* A member that describes the next one: GNU's long name (L) or pax's records (x). */
static icseg_status read_extension(listing *l, char type, uint64_t size, icseg_error *error) {
    if (size > MAX_EXTENSION) return fail(l, "an extension of more than 1 MiB", error);
    char *text = icseg_arena_alloc(l->arena, (size_t)size + 1);
    if (!text) return icseg_fail_memory_in(error, (size_t)size, l->path);
    ICSEG_TRY(icseg_file_reader_read(l->file, (size_t)l->at + BLOCK, text, (size_t)size, error));
    text[size] = '\0';
    if (type == 'x') return read_records(l, text, (size_t)size, error);
    l->long_name = text;
    return ICSEG_OK;
}

/* A member that is not a description of the next one. */
static icseg_status read_file(listing *l, const header *h, uint64_t size, icseg_error *error) {
    const char *name = l->long_name ? l->long_name : name_of(l, h);
    bool is_file = h->type == '0' || h->type == '7' || h->type == '\0'; /* 7: contiguous */
    if (!name) return icseg_fail_memory_in(error, 0, l->path);
    if (h->type == 'S' || l->sparse)
        return icseg_fail(error, ICSEG_ERROR_FORMAT,
                          "%s: at byte %llu: %.200s is stored as a sparse file; write the archive without --sparse",
                          l->path, (unsigned long long)l->at, name);
    size_t length = strlen(name);
    if (is_file && length && name[length - 1] != '/') ICSEG_TRY(add(l, name, size, error)); /* "/": an old folder */
    l->long_name = NULL;
    l->has_size = false;
    return ICSEG_OK;
}

static icseg_status read_member(listing *l, const header *h, icseg_error *error) {
    uint64_t size, left = l->end - l->at - BLOCK;
    if (!is_intact(h)) return l->at ? fail(l, "damaged: a header's checksum is wrong", error) : fail_kind(l, error);
    if (!parse_number(h->size, sizeof h->size, &size)) return fail(l, "a header without a size", error);
    bool extends = h->type == 'L' || h->type == 'x';
    if (!extends && l->has_size) size = l->long_size;
    if (size > left) return fail_cut(l, "a member is longer than the rest of the file", error);
    if (extends)
        ICSEG_TRY(read_extension(l, h->type, size, error));
    else if (h->type != 'g' && h->type != 'K') /* a description of all members; a link's long target */
        ICSEG_TRY(read_file(l, h, size, error));
    uint64_t data = (size + BLOCK - 1) / BLOCK * BLOCK;
    l->at += BLOCK + (data < left ? data : left);
    return ICSEG_OK;
}

icseg_status icseg_tar_list(icseg_tar *out, const icseg_file_reader *file, const char *path, icseg_arena *arena,
                            icseg_error *error) {
    listing l = {.tar = out, .file = file, .path = path, .arena = arena, .end = icseg_file_reader_size(file)};
    header h;
    bool ended = false; /* the last block was one of zeros */
    *out = (icseg_tar){0};
    for (; l.end - l.at >= BLOCK; l.at += ended ? BLOCK : 0) {
        ICSEG_TRY(icseg_file_reader_read(file, (size_t)l.at, &h, sizeof h, error));
        ended = is_zero(&h);
        if (!ended) ICSEG_TRY(read_member(&l, &h, error));
    }
    if (!l.at) return fail_kind(&l, error);
    if (l.at < l.end) return fail_cut(&l, "a part of a header", error);
    return ended ? ICSEG_OK : fail_cut(&l, "the blocks of zeros at its end are missing", error);
}
