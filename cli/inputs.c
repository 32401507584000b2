/* SPDX-License-Identifier: Apache-2.0
 * Expands image arguments and checks that no output overwrites an input or another output. */
#include "inputs.h"

#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "icseg/file.h"
#include "icseg/image.h"
#include "remedy.h"
#include "support.h"

static bool is_image_name(const char *name) {
    for (const char *const *type = icseg_image_extensions(); *type; type++)
        if (!strcasecmp(path_extension(name), *type)) return true;
    return false;
}

static icseg_status add(input_list *list, const char *path, icseg_arena *arena, icseg_error *error) {
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 64;
        input_file *files = icseg_arena_array(arena, capacity, sizeof *files);
        if (!files) return out_of_memory(error);
        if (list->count) memcpy(files, list->files, list->count * sizeof *files);
        list->files = files;
        list->capacity = capacity;
    }
    char *copy = icseg_arena_strdup(arena, path), *stem = path_stem(arena, path);
    if (!copy || !stem) return out_of_memory(error);
    list->files[list->count++] = (input_file){copy, stem};
    return ICSEG_OK;
}

static icseg_status add_folder(input_list *list, const char *path, icseg_arena *arena, icseg_error *error) {
    char **names;
    size_t count, before = list->count;
    TRY(folder_list(path, arena, &names, &count, error));
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/') length--;
    for (size_t i = 0; i < count; i++) {
        if (!is_image_name(names[i])) continue;
        const char *file = icseg_arena_printf(arena, "%.*s/%s", (int)length, path, names[i]);
        if (!file) return out_of_memory(error);
        TRY(add(list, file, arena, error));
    }
    if (list->count == before)
        return icseg_error_set(error, ICSEG_ERROR_DATA, "%s: the folder does not contain images", path);
    return ICSEG_OK;
}

static icseg_status add_pattern(input_list *list, const char *pattern, icseg_arena *arena, icseg_error *error) {
    glob_t found;
    icseg_status status = ICSEG_OK;
    int result = glob(pattern, 0, NULL, &found);
    if (result == GLOB_NOSPACE) return out_of_memory(error);
    if (result) return icseg_error_set(error, ICSEG_ERROR_DATA, "%s: no file matches the pattern", pattern);
    size_t before = list->count;
    for (size_t i = 0; i < found.gl_pathc && status == ICSEG_OK; i++)
        if (!folder_exists(found.gl_pathv[i])) status = add(list, found.gl_pathv[i], arena, error);
    globfree(&found);
    if (status == ICSEG_OK && list->count == before)
        return icseg_error_set(error, ICSEG_ERROR_DATA, "%s: only folders match the pattern", pattern);
    return status;
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

icseg_status inputs_expand(input_list *out, const icseg_strings *arguments, icseg_arena *arena, icseg_error *error) {
    *out = (input_list){0};
    for (size_t i = 0; i < arguments->count; i++) {
        const char *path = arguments->items[i];
        if (folder_exists(path))
            TRY(add_folder(out, path, arena, error));
        else if (!file_exists(path) && strpbrk(path, "*?["))
            TRY(add_pattern(out, path, arena, error));
        else
            TRY(add(out, path, arena, error));
    }
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

static icseg_status check_inputs(const input_list *list, const keyed *outputs, size_t count, icseg_arena *arena,
                                 icseg_error *error) {
    identity *inputs = icseg_arena_array(arena, list->count, sizeof *inputs);
    if (!inputs) return out_of_memory(error);
    struct stat info;
    size_t known = 0;
    for (size_t i = 0; i < list->count; i++)
        if (stat(list->files[i].path, &info) == 0) inputs[known++] = (identity){info.st_dev, info.st_ino};
    qsort(inputs, known, sizeof *inputs, compare_identities);
    for (size_t i = 0; i < count; i++) {
        if (stat(outputs[i].key, &info) != 0) continue;
        identity id = {info.st_dev, info.st_ino};
        if (bsearch(&id, inputs, known, sizeof id, compare_identities))
            return icseg_error_set(error, ICSEG_ERROR_ARGUMENT,
                                   "%s is one of the input images and would be overwritten; choose another --out",
                                   outputs[i].key);
    }
    return ICSEG_OK;
}

icseg_status inputs_check_outputs(const input_list *list, const char *folder, const char *const *suffixes,
                                  icseg_arena *arena, icseg_error *error) {
    size_t kinds = 0, count = 0;
    while (suffixes[kinds]) kinds++;
    keyed *outputs = icseg_arena_array(arena, list->count * kinds, sizeof *outputs);
    if (!outputs) return out_of_memory(error);
    for (size_t i = 0; i < list->count; i++)
        for (size_t k = 0; k < kinds; k++, count++) {
            outputs[count].index = i;
            outputs[count].key = icseg_arena_printf(arena, "%s/%s%s", folder, list->files[i].stem, suffixes[k]);
            if (!outputs[count].key) return out_of_memory(error);
        }
    qsort(outputs, count, sizeof *outputs, compare_keys);
    for (size_t i = 1; i < count; i++)
        if (!strcmp(outputs[i].key, outputs[i - 1].key))
            return icseg_error_set(
                error, ICSEG_ERROR_ARGUMENT, "%s and %s would both be written to %s; choose different folders for them",
                list->files[outputs[i - 1].index].path, list->files[outputs[i].index].path, outputs[i].key);
    TRY(check_inputs(list, outputs, count, arena, error));
    for (size_t i = 0; i < count; i++)
        if ((i == 0 && access(folder, F_OK) == 0) || access(outputs[i].key, F_OK) == 0)
            TRY(icseg_file_check_writable(outputs[i].key, error));
    return ICSEG_OK;
}

icseg_status inputs_for_each(const input_list *list, const icseg_command_context *context, const char *stage,
                             inputs_work *work, const void *user, icseg_error *error) {
    const icseg_progress *progress = &context->progress;
    size_t failed = 0, count = list->count;
    double start = clock_seconds();
    icseg_error first = {0};
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
            icseg_printer_note(context->printer, "icseg %s: error: %s%s", stage, failure.message, remedy);
            if (!failed++) first = failure;
        }
        icseg_progress_event event = {stage, (double)(i + 1), (double)count, clock_seconds() - start,
                                      list->files[i].path};
        if (count > 1 && !progress->report(progress->user, &event))
            return icseg_error_set(error, ICSEG_ERROR_CANCELLED, "stopped after %zu of %zu images", i + 1, count);
    }
    if (!failed) return ICSEG_OK;
    /* ICSEG_ERROR_ARGUMENT would mean that the command line is wrong */
    icseg_status status = first.status == ICSEG_ERROR_ARGUMENT ? ICSEG_ERROR_FORMAT : first.status;
    return icseg_error_set(error, status, "%zu of %zu images failed", failed, count);
}
