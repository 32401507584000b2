/* SPDX-License-Identifier: Apache-2.0
 * Expands image arguments and checks that no output overwrites an input or another output. */
#include "inputs.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "icseg/file.h"
#include "icseg/image.h"
#include "remedy.h"
#include "support.h"

bool input_is_image_name(const char *name) {
    for (const char *const *type = icseg_image_extensions(); *type; type++)
        if (!strcasecmp(path_extension(name), *type)) return true;
    return false;
}

/* Arguments that become files. */
typedef struct expansion {
    input_list *list;
    const input_options *options;
    icseg_arena *arena;
} expansion;

static icseg_status add_named(expansion *e, const char *path, const char *name, icseg_error *error) {
    input_list *list = e->list;
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 64;
        input_file *files = icseg_arena_array(e->arena, capacity, sizeof *files);
        if (!files) return out_of_memory(error);
        if (list->count) memcpy(files, list->files, list->count * sizeof *files);
        list->files = files;
        list->capacity = capacity;
    }
    const char *extension = path_extension(name);
    size_t size = strlen(name), stem = size - (*extension ? strlen(extension) + 1 : 0);
    input_file file = {icseg_arena_strdup(e->arena, path), icseg_arena_strdup(e->arena, name),
                       icseg_arena_printf(e->arena, "%.*s", (int)stem, name)};
    if (!file.path || !file.name || !file.stem) return out_of_memory(error);
    list->files[list->count++] = file;
    return ICSEG_OK;
}

/* Whether each part of the path is the name of a file or folder: it does not begin with '/' and has no "." or "..". */
static bool is_below(const char *path) {
    for (const char *part = path; part; part = strchr(part, '/'), part = part ? part + 1 : NULL) {
        size_t size = strcspn(part, "/");
        if (!size || (size <= 2 && !strncmp(part, "..", size))) return false;
    }
    return true;
}

static icseg_status add(expansion *e, const char *path, icseg_error *error) {
    const char *name = path;
    while (!strncmp(name, "./", 2)) name += 2;
    return add_named(e, path, e->options->recursive && is_below(name) ? name : path_name(path), error);
}

static const char *join(icseg_arena *arena, const char *folder, const char *name) {
    size_t length = strlen(folder);
    while (length > 1 && folder[length - 1] == '/') length--;
    return icseg_arena_printf(arena, "%.*s%s%s", (int)length, folder, length ? "/" : "", name);
}

/* below: the folder's path below that of the argument; "" is the latter. */
static icseg_status add_images(expansion *e, const char *folder, const char *below, icseg_error *error) {
    char **names;
    size_t count;
    TRY(folder_list(folder, e->arena, &names, &count, error));
    for (size_t i = 0; i < count; i++) {
        const char *path = join(e->arena, folder, names[i]), *name = join(e->arena, below, names[i]);
        if (!path || !name) return out_of_memory(error);
        if (input_is_image_name(names[i]))
            TRY(add_named(e, path, name, error));
        else
            e->list->others++;
    }
    if (!e->options->recursive) return ICSEG_OK;
    TRY(folder_list_folders(folder, e->arena, &names, &count, error));
    for (size_t i = 0; i < count; i++) {
        const char *path = join(e->arena, folder, names[i]), *name = join(e->arena, below, names[i]);
        if (!path || !name) return out_of_memory(error);
        TRY(add_images(e, path, name, error));
    }
    return ICSEG_OK;
}

static icseg_status add_folder(expansion *e, const char *path, icseg_error *error) {
    size_t before = e->list->count;
    TRY(add_images(e, path, "", error));
    if (e->list->count == before)
        return icseg_error_set(error, ICSEG_ERROR_DATA, "%s: the folder does not contain images%s", path,
                               e->options->recursive ? "" : "; --recursive also reads the folders in it");
    return ICSEG_OK;
}

static icseg_status add_pattern(expansion *e, const char *pattern, icseg_error *error) {
    glob_t found;
    icseg_status status = ICSEG_OK;
    int result = glob(pattern, 0, NULL, &found);
    if (result == GLOB_NOSPACE) return out_of_memory(error);
    if (result) return icseg_error_set(error, ICSEG_ERROR_DATA, "%s: no file matches the pattern", pattern);
    size_t before = e->list->count;
    for (size_t i = 0; i < found.gl_pathc && status == ICSEG_OK; i++)
        if (!folder_exists(found.gl_pathv[i])) status = add(e, found.gl_pathv[i], error);
    globfree(&found);
    if (status == ICSEG_OK && e->list->count == before)
        return icseg_error_set(error, ICSEG_ERROR_DATA, "%s: only folders match the pattern", pattern);
    return status;
}

/* The text of a list; "-" is standard input, which may be an image instead. */
static icseg_status read_list(expansion *e, const char *path, char **text, icseg_error *error) {
    enum { MAX_LIST = 1 << 28 };
    unsigned char *data;
    size_t size;
    if (strcmp(path, "-") != 0) return file_read(path, MAX_LIST, e->arena, text, &size, error);
    for (size_t i = 0; i < e->list->count; i++)
        if (!strcmp(e->list->files[i].path, "-"))
            return icseg_error_set(error, ICSEG_ERROR_ARGUMENT,
                                   "--list -: standard input cannot be an image and the list; name a file");
    icseg_status status = standard_input_read(MAX_LIST, &data, &size, error);
    *text = icseg_arena_printf(e->arena, "%.*s", (int)size, data ? (const char *)data : "");
    free(data);
    return status == ICSEG_OK && !*text ? out_of_memory(error) : status;
}

/* Lines may end as in DOS; empty ones are skipped. */
static icseg_status add_list(expansion *e, const char *path, icseg_error *error) {
    char *text;
    size_t before = e->list->count;
    TRY(read_list(e, path, &text, error));
    if (!strncmp(text, "\xef\xbb\xbf", 3)) text += 3;
    for (char *line = text, *next; line; line = next) {
        if ((next = strchr(line, '\n'))) *next++ = '\0';
        line[strcspn(line, "\r")] = '\0';
        if (!strcmp(line, "-"))
            return icseg_error_set(error, ICSEG_ERROR_ARGUMENT, "%s: \"-\" is not a file; name images only", path);
        if (*line) TRY(add(e, line, error));
    }
    if (e->list->count == before)
        return icseg_error_set(error, ICSEG_ERROR_DATA, "%s: the list does not name an image", path);
    return ICSEG_OK;
}

/* An entry of a list that is sorted to find equal paths. */
typedef struct keyed {
    const char *key; /* a path */
    size_t index;    /* of the input */
} keyed;

static int compare_keys(const void *a, const void *b) {
    const keyed *x = a, *y = b;
    int order = strcmp(x->key, y->key);
    return order ? order : x->index < y->index ? -1 : x->index > y->index;
}

/* A path that is given twice, for instance by a folder and a pattern, is one input: the first is kept. */
static icseg_status drop_repeats(input_list *list, icseg_arena *arena, icseg_error *error) {
    keyed *sorted = icseg_arena_array(arena, list->count, sizeof *sorted);
    if (!sorted) return out_of_memory(error);
    for (size_t i = 0; i < list->count; i++) sorted[i] = (keyed){list->files[i].path, i};
    qsort(sorted, list->count, sizeof *sorted, compare_keys);
    for (size_t i = 1; i < list->count; i++)
        if (!strcmp(sorted[i].key, sorted[i - 1].key)) list->files[sorted[i].index].path = NULL;
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++)
        if (list->files[i].path) list->files[kept++] = list->files[i];
    list->count = kept;
    return ICSEG_OK;
}

icseg_status inputs_expand(input_list *out, const icseg_strings *arguments, const input_options *options,
                           icseg_arena *arena, icseg_error *error) {
    expansion e = {out, options ? options : &(input_options){0}, arena};
    *out = (input_list){0};
    for (size_t i = 0; i < arguments->count; i++) {
        const char *path = arguments->items[i];
        if (!strcmp(path, "-") && !e.options->standard_input)
            return icseg_error_set(error, ICSEG_ERROR_ARGUMENT, "-: this command does not read standard input");
        if (!strcmp(path, "-"))
            TRY(add_named(&e, path, "stdin", error));
        else if (folder_exists(path))
            TRY(add_folder(&e, path, error));
        else if (!file_exists(path) && strpbrk(path, "*?["))
            TRY(add_pattern(&e, path, error));
        else
            TRY(add(&e, path, error));
    }
    if (e.options->list) TRY(add_list(&e, e.options->list, error));
    return drop_repeats(out, arena, error);
}

/* Identifies a file, whatever its name. */
typedef struct identity {
    dev_t device;
    ino_t inode;
} identity;

static int compare_identities(const void *a, const void *b) {
    const identity *x = a, *y = b;
    if (x->device != y->device) return x->device < y->device ? -1 : 1;
    return x->inode < y->inode ? -1 : x->inode > y->inode;
}

icseg_status inputs_remove(input_list *list, char *const *paths, size_t count, size_t *removed, icseg_arena *arena,
                           icseg_error *error) {
    identity *files = icseg_arena_array(arena, count, sizeof *files);
    struct stat info;
    size_t known = 0, kept = 0;
    if (!files) return out_of_memory(error);
    for (size_t i = 0; i < count; i++)
        if (stat(paths[i], &info) == 0) files[known++] = (identity){info.st_dev, info.st_ino};
    if (known) qsort(files, known, sizeof *files, compare_identities);
    for (size_t i = 0; i < list->count; i++) {
        identity id = {0};
        bool found = known && stat(list->files[i].path, &info) == 0;
        if (found) id = (identity){info.st_dev, info.st_ino};
        if (!found || !bsearch(&id, files, known, sizeof id, compare_identities)) list->files[kept++] = list->files[i];
    }
    *removed = list->count - kept;
    list->count = kept;
    return ICSEG_OK;
}

static icseg_status check_inputs(const input_list *list, const input_output *outputs, size_t count, icseg_arena *arena,
                                 icseg_error *error) {
    identity *inputs = icseg_arena_array(arena, list->count, sizeof *inputs);
    if (!inputs) return out_of_memory(error);
    struct stat info;
    size_t known = 0;
    for (size_t i = 0; i < list->count; i++)
        if (stat(list->files[i].path, &info) == 0) inputs[known++] = (identity){info.st_dev, info.st_ino};
    qsort(inputs, known, sizeof *inputs, compare_identities);
    for (size_t i = 0; i < count; i++) {
        if (stat(outputs[i].path, &info) != 0) continue;
        identity id = {info.st_dev, info.st_ino};
        if (bsearch(&id, inputs, known, sizeof id, compare_identities))
            return icseg_error_set(error, ICSEG_ERROR_ARGUMENT,
                                   "%s is one of the input images and would be overwritten; choose another --out",
                                   outputs[i].path);
    }
    return ICSEG_OK;
}

static int compare_outputs(const void *a, const void *b) {
    const input_output *x = a, *y = b;
    int order = strcmp(x->path, y->path);
    return order ? order : (x->index > y->index) - (x->index < y->index);
}

static bool parent_exists(const char *path, icseg_arena *arena) {
    const char *slash = strrchr(path, '/');
    char *parent = slash ? icseg_arena_printf(arena, "%.*s", (int)(slash - path), path) : NULL;
    return parent && access(parent, F_OK) == 0;
}

static bool in_same_folder(const char *a, const char *b) {
    const char *end_a = strrchr(a, '/'), *end_b = strrchr(b, '/');
    size_t length = end_a ? (size_t)(end_a - a) : 0;
    return length == (end_b ? (size_t)(end_b - b) : 0) && !memcmp(a, b, length);
}

icseg_status inputs_check_outputs(const input_list *list, input_output *outputs, size_t count, icseg_arena *arena,
                                  icseg_error *error) {
    qsort(outputs, count, sizeof *outputs, compare_outputs);
    for (size_t i = 1; i < count; i++) {
        if (strcmp(outputs[i].path, outputs[i - 1].path) != 0) continue;
        const char *a = list->files[outputs[i - 1].index].path, *b = list->files[outputs[i].index].path;
        return icseg_error_set(error, ICSEG_ERROR_ARGUMENT, "%s and %s would both be written to %s; %s", a, b,
                               outputs[i].path,
                               in_same_folder(a, b) ? "rename one of them, or label them in two calls"
                                                    : "choose different folders for them, or keep theirs with "
                                                      "--recursive");
    }
    TRY(check_inputs(list, outputs, count, arena, error));
    for (size_t i = 0; i < count; i++)
        if (access(outputs[i].path, F_OK) == 0 || (i == 0 && parent_exists(outputs[i].path, arena)))
            TRY(icseg_file_check_writable(outputs[i].path, error));
    return ICSEG_OK;
}

icseg_status inputs_check_names(const input_list *list, icseg_arena *arena, icseg_error *error) {
    keyed *sorted = icseg_arena_array(arena, list->count, sizeof *sorted);
    if (!sorted) return out_of_memory(error);
    for (size_t i = 0; i < list->count; i++) sorted[i] = (keyed){list->files[i].name, i};
    qsort(sorted, list->count, sizeof *sorted, compare_keys);
    for (size_t i = 1; i < list->count; i++)
        if (!strcmp(sorted[i].key, sorted[i - 1].key))
            return icseg_error_set(error, ICSEG_ERROR_ARGUMENT,
                                   "%s and %s would both be called %s; keep their folders with --recursive, or label "
                                   "them one after the other",
                                   list->files[sorted[i - 1].index].path, list->files[sorted[i].index].path,
                                   sorted[i].key);
    return ICSEG_OK;
}

/* The kinds of files that failed, by status. */
static const struct {
    icseg_status status;
    const char *what;
} kinds[] = {{ICSEG_ERROR_FORMAT, "damaged or not images"},
             {ICSEG_ERROR_IO, "cannot be read"},
             {ICSEG_ERROR_UNSUPPORTED, "of kinds that this build does not read"},
             {ICSEG_ERROR_MEMORY, "too large for the memory"},
             {ICSEG_OK, "cannot be used"}};
enum { KINDS = sizeof kinds / sizeof *kinds };

static size_t kind_of(icseg_status status) {
    size_t kind = 0;
    while (kind + 1 < KINDS && kinds[kind].status != status) kind++;
    return kind;
}

static icseg_status fail_images(icseg_status first, const size_t failed[KINDS], size_t count, icseg_error *error) {
    char text[256] = "";
    size_t all = 0, size = 0;
    for (size_t i = 0; i < KINDS; i++) {
        if (failed[i] && size < sizeof text)
            size += (size_t)snprintf(text + size, sizeof text - size, "%s%zu %s", all ? ", " : "", failed[i],
                                     kinds[i].what);
        all += failed[i];
    }
    /* ICSEG_ERROR_ARGUMENT would mean that the command line is wrong */
    icseg_status status = first == ICSEG_ERROR_ARGUMENT ? ICSEG_ERROR_FORMAT : first;
    return icseg_error_set(error, status, "%zu of %zu images failed: %s", all, count, text);
}

icseg_status inputs_for_each(const input_list *list, const icseg_command_context *context, const char *stage,
                             inputs_work *work, const void *user, icseg_error *error) {
    const icseg_progress *progress = &context->progress;
    size_t failed[KINDS] = {0}, count = list->count;
    double start = clock_seconds();
    icseg_status first = ICSEG_OK;
    for (size_t i = 0; i < count; i++) {
        icseg_error failure = {0};
        bool bad = false;
        icseg_status status = work(user, i, &bad, &failure);
        if (status != ICSEG_OK && (!bad || count == 1)) {
            *error = failure;
            return status;
        }
        if (status != ICSEG_OK) {
            char remedy[REMEDY_SIZE];
            remedy_describe(context->command, &failure, remedy);
            icseg_printer_problem(context->printer, "icseg %s: error: %s%s", stage, failure.message, remedy);
            failed[kind_of(status)]++;
            if (first == ICSEG_OK) first = status;
        }
        icseg_progress_event event = {stage, (double)(i + 1), (double)count, clock_seconds() - start,
                                      list->files[i].path};
        if (count > 1 && !progress->report(progress->user, &event))
            return icseg_error_set(error, ICSEG_ERROR_CANCELLED, "stopped after %zu of %zu images", i + 1, count);
    }
    return first == ICSEG_OK ? ICSEG_OK : fail_images(first, failed, count, error);
}
