/* SPDX-License-Identifier: Apache-2.0
 * The run directory: one process at a time trains in it, and runs are not overwritten. */
#include "train/run_folder.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/system.h"
#include "icseg/version.h"

static const char *const run_files[] = {
    "checkpoint.safetensors", "best.safetensors", "state.safetensors", "log.jsonl", "recipe.yaml",
    "evaluation.json",        "images.jsonl",     "report.html"};
enum { RUN_FILES = sizeof run_files / sizeof *run_files };

const char *icseg_run_path(const icseg_run_folder *f, const char *name) {
    return icseg_arena_printf(f->arena, "%s/%s", f->path, name);
}

/* Whether the name is "NAME.tmp.RANDOM" for one of the run's files: a killed process left it half-written. */
static bool is_leftover(const char *file) {
    for (int i = 0; i < RUN_FILES; i++) {
        size_t length = strlen(run_files[i]);
        if (!strncmp(file, run_files[i], length) && !strncmp(file + length, ".tmp.", 5)) return true;
    }
    return false;
}

static icseg_status remove_leftovers(const icseg_run_folder *f, icseg_error *error) {
    char **names;
    size_t count;
    ICSEG_TRY(icseg_folder_list(f->path, &names, &count, error));
    for (size_t i = 0; i < count; i++) {
        const char *path = is_leftover(names[i]) ? icseg_run_path(f, names[i]) : NULL;
        if (path) unlink(path); /* a failure wastes disk space, nothing else */
    }
    icseg_free(names);
    return ICSEG_OK;
}

icseg_status icseg_run_folder_open(icseg_run_folder *f, bool resume, icseg_error *error) {
    f->lock = -1;
    ICSEG_TRY(icseg_folder_create(f->path, error));
    ICSEG_TRY(icseg_folder_lock(f->path, "another process is training in this directory", &f->lock, error));
    if (resume) ICSEG_TRY(remove_leftovers(f, error));
    for (int i = 0; i < RUN_FILES; i++) {
        const char *path = icseg_run_path(f, run_files[i]);
        if (!path) return icseg_fail_memory_in(error, 0, f->path);
        bool found;
        ICSEG_TRY(icseg_path_find(path, S_IFREG, &found, error));
        if (found && !resume)
            return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "out", ICSEG_REMEDY_RESUME,
                                    "%s: already contains a run (%s); choose another directory or resume the run",
                                    f->path, run_files[i]);
        ICSEG_TRY(icseg_file_check_writable(path, error)); /* the report, for instance, is written hours later */
    }
    return ICSEG_OK;
}

void icseg_run_folder_close(icseg_run_folder *f) {
    if (f->lock >= 0) close(f->lock);
    f->lock = -1;
}

icseg_status icseg_run_make_absolute(icseg_run_folder *f, const char **const places[], size_t count,
                                     icseg_error *error) {
    for (size_t i = 0; i < count; i++) {
        char path[PATH_MAX];
        if (!**places[i] || **places[i] == '/' || !realpath(*places[i], path)) continue;
        *places[i] = icseg_arena_strdup(f->arena, path);
        if (!*places[i]) return icseg_fail_memory(error, 0, "the recipe");
    }
    return ICSEG_OK;
}

icseg_status icseg_run_write_recipe(const icseg_run_folder *f, const icseg_recipe_settings *settings,
                                    icseg_recipe_use use, icseg_error *error) {
    icseg_string text = {0};
    const char *path = icseg_run_path(f, "recipe.yaml");
    if (!path) return icseg_fail_memory_in(error, 0, f->path);
    icseg_status status = icseg_recipe_format(settings, use, &text, error);
    if (status == ICSEG_OK) status = icseg_file_write(path, text.data, text.size, error);
    icseg_string_close(&text);
    return status;
}

icseg_status icseg_run_open_events(const icseg_run_folder *f, const icseg_event_settings *settings, int64_t first_step,
                                   icseg_event_file **out, icseg_error *error) {
    *out = NULL;
    if (!settings->on) return ICSEG_OK;
    const char *folder = icseg_run_path(f, "tensorboard");
    if (!folder) return icseg_fail_memory_in(error, 0, f->path);
    return icseg_event_file_open(out, folder, first_step, error);
}

icseg_status icseg_run_log_start(icseg_log_writer *log, icseg_log_start start, icseg_error *error) {
    char date[40] = "", machine[200];
    time_t now = time(NULL);
    struct tm utc;
    if (gmtime_r(&now, &utc) && !strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", &utc)) date[0] = '\0';
    icseg_machine_name(machine, sizeof machine);
    start.date = date;
    start.machine = machine;
    start.version = icseg_version();
    return icseg_log_writer_start(log, &start, error);
}
