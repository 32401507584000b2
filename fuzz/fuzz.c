/* SPDX-License-Identifier: Apache-2.0
 * Files in memory, checks and cutting of inputs for the fuzz targets. */
#include "fuzz.h"

#include <fcntl.h>
#include <ftw.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "files.h"

/* A small quarantine keeps the targets in the processor's cache. A stack for each block would take a tenth of the time:
 * run a finding with ASAN_OPTIONS=malloc_context_size=30 to see where its block was allocated and freed. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) {
    return "allocator_may_return_null=1:quarantine_size_mb=1:malloc_context_size=1";
}

static char folder[64];

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *walk) {
    (void)info, (void)walk;
    return type == FTW_DP ? rmdir(path) : unlink(path);
}

static void remove_all(const char *path) { nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS); }

static void remove_folder(void) { remove_all(folder); }

static void open_folder(void) {
#ifdef FUZZ_FILES_IN_MEMORY
    strcpy(folder, FUZZ_ROOT);
    (void)remove_folder;
#else
    strcpy(folder, "/dev/shm/icseg_fuzz_XXXXXX");
    FUZZ_REQUIRE(mkdtemp(folder));
    atexit(remove_folder);
#endif
}

const char *fuzz_path(const char *name) {
    static char paths[8][128];
    static unsigned next;
    if (!*folder) open_folder();
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

const char *fuzz_put(const char *name, const void *data, size_t size) {
    const char *path = fuzz_path(name);
    int file = open(path, O_WRONLY | O_CREAT, 0666);
    FUZZ_REQUIRE(file >= 0 && write(file, data, size) == (ssize_t)size);
    FUZZ_REQUIRE(ftruncate(file, (off_t)size) == 0 && close(file) == 0); /* O_TRUNC would free the memory each time */
    return path;
}

const char *fuzz_put_part(const char *name, fuzz_part part) {
    if (part.size) return fuzz_put(name, part.data, part.size);
    const char *path = fuzz_path(name);
    unlink(path);
    return path;
}

const char *fuzz_folder(const char *name) {
    const char *path = fuzz_path(name);
    FUZZ_REQUIRE(icseg_folder_create(path, NULL) == ICSEG_OK);
    return path;
}

void fuzz_remove(const char *name) { remove_all(fuzz_path(name)); }

bool fuzz_is_utf8(const char *text) {
    for (const unsigned char *p = (const unsigned char *)text; *p;) {
        int more = *p < 0x80                 ? 0
                   : *p >= 0xc2 && *p < 0xe0 ? 1
                   : (*p & 0xf0) == 0xe0     ? 2
                   : *p >= 0xf0 && *p < 0xf5 ? 3
                                             : -1;
        if (more < 0) return false;
        for (p++; more > 0; more--, p++)
            if ((*p & 0xc0) != 0x80) return false;
    }
    return true;
}

static void check_error(const icseg_error *error) {
    FUZZ_REQUIRE(error->status != ICSEG_OK && error->status != ICSEG_ERROR_INTERNAL);
    FUZZ_REQUIRE(*error->message && !strchr(error->message, '\n') && fuzz_is_utf8(error->message));
}

bool fuzz_succeeded(icseg_status status, const icseg_error *error) {
    if (status == ICSEG_OK) return true;
    FUZZ_REQUIRE(status == error->status);
    check_error(error);
    return false;
}

void fuzz_problem(void *user, const icseg_error *problem) {
    (void)user;
    check_error(problem);
}

size_t fuzz_split(const uint8_t *data, size_t size, fuzz_part *parts, size_t max_parts) {
    static const uint8_t mark[] = {0xff, 'S', 'E', 'P'};
    size_t count = 0;
    memset(parts, 0, max_parts * sizeof *parts);
    for (const uint8_t *end = data + size;;) {
        const uint8_t *cut = count + 1 < max_parts ? memmem(data, (size_t)(end - data), mark, sizeof mark) : NULL;
        parts[count++] = (fuzz_part){data, (size_t)((cut ? cut : end) - data)};
        if (!cut) return count;
        data = cut + sizeof mark;
    }
}

unsigned fuzz_select(const uint8_t *data, size_t size, unsigned count) {
    unsigned sum = (unsigned)size;
    for (size_t i = 0; i < size; i++) sum += data[i];
    return sum % count;
}

unsigned fuzz_choice(fuzz_part part, size_t at) { return at < part.size ? part.data[at] : 0; }

uint8_t *fuzz_copy(const void *data, size_t size) {
    uint8_t *copy = malloc(size ? size : 1);
    FUZZ_REQUIRE(copy);
    if (size) memcpy(copy, data, size);
    return copy;
}

char *fuzz_text(fuzz_part part) {
    char *text = malloc(part.size + 1);
    FUZZ_REQUIRE(text);
    if (part.size) memcpy(text, part.data, part.size);
    text[part.size] = '\0';
    return text;
}
