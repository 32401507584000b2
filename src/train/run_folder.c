/* SPDX-License-Identifier: Apache-2.0
 * The run directory: one process at a time trains in it, and runs are not overwritten. */
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "train/trainer.h"

static const char *const run_files[] = {
    "checkpoint.safetensors", "best.safetensors", "state.safetensors", "log.jsonl", "recipe.yaml",
    "evaluation.json",        "report.html"};
enum { RUN_FILES = sizeof run_files / sizeof *run_files };

const char *icseg_trainer_path(const icseg_trainer *t, const char *name) {
    return icseg_arena_printf(t->arena, "%s/%s", t->folder, name);
}

/* Whether the name is "NAME.tmp.RANDOM" for one of the run's files: a killed process left it half-written. */
static bool is_leftover(const char *file) {
    for (int i = 0; i < RUN_FILES; i++) {
        size_t length = strlen(run_files[i]);
        if (!strncmp(file, run_files[i], length) && !strncmp(file + length, ".tmp.", 5)) return true;
    }
    return false;
}

static icseg_status remove_leftovers(const icseg_trainer *t, icseg_error *error) {
    char **names;
    size_t count;
    ICSEG_TRY(icseg_folder_list(t->folder, &names, &count, error));
    for (size_t i = 0; i < count; i++) {
        const char *path = is_leftover(names[i]) ? icseg_trainer_path(t, names[i]) : NULL;
        if (path) unlink(path); /* a failure wastes disk space, nothing else */
    }
    icseg_free(names);
    return ICSEG_OK;
}

icseg_status icseg_trainer_open_folder(icseg_trainer *t, bool resume, icseg_error *error) {
    ICSEG_TRY(icseg_folder_create(t->folder, error));
    ICSEG_TRY(icseg_folder_lock(t->folder, "another process is training in this directory", &t->lock, error));
    if (resume) ICSEG_TRY(remove_leftovers(t, error));
    for (int i = 0; i < RUN_FILES; i++) {
        const char *path = icseg_trainer_path(t, run_files[i]);
        if (!path) return icseg_fail_memory_in(error, 0, t->folder);
        bool found;
        ICSEG_TRY(icseg_path_find(path, S_IFREG, &found, error));
        if (found && !resume)
            return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "out", ICSEG_REMEDY_RESUME,
                                    "%s: already contains a run (%s); choose another directory or resume the run",
                                    t->folder, run_files[i]);
        ICSEG_TRY(icseg_file_check_writable(path, error)); /* the report, for instance, is written hours later */
    }
    return ICSEG_OK;
}

void icseg_trainer_close_folder(icseg_trainer *t) {
    if (t->lock >= 0) close(t->lock);
    t->lock = -1;
}
