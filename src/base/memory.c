/* SPDX-License-Identifier: Apache-2.0
 * The process's memory and what limits it, and the public allocation functions. */
#include "base/memory.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "icseg/memory.h"

void icseg_buffer_free(void *buffer) { icseg_free(buffer); }

size_t icseg_memory_peak(void) {
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? (size_t)usage.ru_maxrss * 1024 : 0;
}

/* The first number of the line that begins with `key`; SIZE_MAX if there is none ("max"). */
static size_t read_number(const char *path, const char *key) {
    char line[256], *end;
    size_t number = SIZE_MAX, length = strlen(key);
    FILE *file = fopen(path, "re");
    while (file && number == SIZE_MAX && fgets(line, sizeof line, file)) {
        if (strncmp(line, key, length) != 0) continue;
        unsigned long long value = strtoull(line + length, &end, 10);
        if (end != line + length && value < SIZE_MAX) number = (size_t)value;
    }
    if (file) (void)fclose(file);
    return number;
}

/* Of the control group of this folder alone. */
static size_t limit_of(const char *folder) {
    char path[PATH_MAX + 64];
    snprintf(path, sizeof path, "%s/memory.max", folder);
    size_t limit = read_number(path, "");
    if (limit == SIZE_MAX) {
        snprintf(path, sizeof path, "%s/memory.limit_in_bytes", folder);
        limit = read_number(path, "");
    }
    if (limit == SIZE_MAX) return limit;
    snprintf(path, sizeof path, "%s/memory.stat", folder);
    size_t used = read_number(path, "anon ");
    if (used == SIZE_MAX) used = read_number(path, "total_rss "); /* version 1 */
    if (used == SIZE_MAX) return limit;
    return used < limit ? limit - used : 0;
}

size_t icseg_memory_of_group(const char *root, const char *group) {
    char folder[PATH_MAX];
    size_t length = strlen(root), least = SIZE_MAX;
    int size = snprintf(folder, sizeof folder, "%s%s", root, group);
    if (size < 0 || (size_t)size >= sizeof folder) return SIZE_MAX;
    for (;;) {
        size_t left = limit_of(folder);
        if (left < least) least = left;
        char *slash = strrchr(folder, '/');
        if (strlen(folder) <= length || !slash) return least;
        *slash = '\0';
    }
}

/* Of all control groups of this process: lines "0::/path" (version 2) and "9:memory:/path" (version 1). In a container
 * the paths may not exist; its own group is then at the root. */
static size_t left_in_groups(void) {
    char line[PATH_MAX + 64];
    size_t least = SIZE_MAX;
    FILE *file = fopen("/proc/self/cgroup", "re");
    while (file && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        char *names = strchr(line, ':'), *path = names ? strchr(names + 1, ':') : NULL;
        if (!path) continue;
        *path++ = '\0';
        bool old = strstr(names, "memory") != NULL;
        if (!old && names[1]) continue; /* another controller */
        size_t left = icseg_memory_of_group(old ? "/sys/fs/cgroup/memory" : "/sys/fs/cgroup", path);
        if (left < least) least = left;
    }
    if (file) (void)fclose(file);
    return least;
}

/* Memory of the process: all that is mapped, what is resident, and what counts as data. Zero if it is unknown. */
typedef struct process_memory {
    size_t mapped, resident, data;
} process_memory;

static process_memory read_process(void) {
    enum { MAPPED, RESIDENT, DATA = 5, FIELDS };
    char line[256] = "", *at = line;
    size_t bytes[FIELDS], page = (size_t)sysconf(_SC_PAGESIZE);
    FILE *file = fopen("/proc/self/statm", "re");
    if (file && !fgets(line, sizeof line, file)) line[0] = '\0';
    if (file) (void)fclose(file);
    for (int i = 0; i < FIELDS; i++) bytes[i] = (size_t)strtoull(at, &at, 10) * page;
    return (process_memory){bytes[MAPPED], bytes[RESIDENT], bytes[DATA]};
}

size_t icseg_memory_resident(void) { return read_process().resident; }

/* How large the resident set may become under a limit on mapped memory, of which `mapped` is used: what is mapped and
 * not resident stays so. */
static size_t within_limit(int resource, size_t mapped, size_t resident) {
    struct rlimit limit;
    if (getrlimit(resource, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return SIZE_MAX;
    size_t most = (size_t)limit.rlim_cur, unused = mapped > resident ? mapped - resident : 0;
    return most > unused ? most - unused : 0;
}

static size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

size_t icseg_memory_allowance(void) {
    const process_memory now = read_process();
    size_t kib = read_number("/proc/meminfo", "MemAvailable:");
    size_t more = smaller(kib > SIZE_MAX / 1024 ? SIZE_MAX : kib * 1024, left_in_groups());
    size_t most = more > SIZE_MAX - now.resident ? SIZE_MAX : more + now.resident;
    most = smaller(most, within_limit(RLIMIT_AS, now.mapped, now.resident));
    return smaller(most, within_limit(RLIMIT_DATA, now.data, now.resident));
}
