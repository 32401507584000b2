/* SPDX-License-Identifier: Apache-2.0
 * The report of an existing run, and the index of several runs. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/argument.h"
#include "base/compare.h"
#include "base/file.h"
#include "train/trainer.h"

/* Loads the last weights and the validation images. */
static icseg_status open_samples(icseg_trainer *t, const icseg_evaluation *e, icseg_error *error) {
    icseg_session_options options = {ICSEG_SESSION_OPTIONS_INIT,
                                     .precision = icseg_precision_here(t->recipe->eval.precision)};
    const char *weights = icseg_run_path(&t->folder, "checkpoint.safetensors");
    if (!weights) return icseg_fail_memory_in(error, 0, t->folder.path);
    ICSEG_TRY(icseg_model_open(&t->model, weights, error));
    ICSEG_TRY(icseg_recipe_open_val(&t->val, t->recipe, error));
    if (icseg_dataset_classes(t->val) != e->classes || icseg_model_config(t->model)->num_classes != e->classes)
        return icseg_fail(error, ICSEG_ERROR_DATA, "%s: the classes are not those of the last evaluation",
                          t->recipe->data.folder);
    return icseg_session_open(&t->session, t->model, &options, error);
}

/* Without the weights or the images, the report has no samples. */
static icseg_status report_evaluation(icseg_trainer *t, const icseg_evaluation *e, icseg_error *error) {
    icseg_metrics metrics = {.struct_size = sizeof metrics};
    icseg_error problem = {0};
    ICSEG_TRY(icseg_metrics_compute(&metrics, &e->confusion, error));
    icseg_status status = open_samples(t, e, &problem);
    if (status == ICSEG_OK) status = icseg_trainer_write_report(t, e, &metrics, true, &problem);
    if (status != ICSEG_OK) {
        icseg_trainer_warn(t, "the report has no sample images: %s", problem.message);
        status = icseg_trainer_write_report(t, e, &metrics, false, error);
    }
    icseg_metrics_close(&metrics);
    return status;
}

static icseg_status report(icseg_trainer *t, icseg_error *error) {
    icseg_evaluation e;
    bool found;
    const char *path = icseg_run_path(&t->folder, "evaluation.json");
    if (!path) return icseg_fail_memory_in(error, 0, t->folder.path);
    ICSEG_TRY(icseg_path_find(path, S_IFREG, &found, error));
    if (!found) return icseg_trainer_write_report(t, NULL, NULL, false, error);
    ICSEG_TRY(icseg_evaluation_read(&e, path, error));
    icseg_status status = report_evaluation(t, &e, error);
    icseg_evaluation_close(&e);
    return status;
}

/* A link in a run that comes from elsewhere could lead the report to any file of the user. */
static icseg_status check_own(const char *path, icseg_error *error) {
    struct stat info;
    if (!path) return icseg_fail_memory(error, 0, "the report");
    if (lstat(path, &info) != 0 || !S_ISLNK(info.st_mode)) return ICSEG_OK;
    return icseg_fail(error, ICSEG_ERROR_IO, "%s: is a symbolic link, which may lead out of the directory; remove it",
                      path);
}

icseg_status icseg_train_report(const char *run, const char *data, const icseg_progress *progress, icseg_error *error) {
    icseg_trainer *t;
    icseg_status status;
    ICSEG_NEED(run);
    t = icseg_calloc_array(1, sizeof *t);
    if (!t) return icseg_fail_memory(error, 0, "the report");
    t->folder.lock = -1;
    ICSEG_TRY_GOTO(icseg_progress_read(&t->progress, progress, error));
    ICSEG_TRY_GOTO(icseg_arena_open(&t->arena, error));
    t->folder.arena = t->arena;
    t->folder.path = run;
    ICSEG_TRY_GOTO(check_own(icseg_run_path(&t->folder, "report.html"), error));
    ICSEG_TRY_GOTO(icseg_recipe_open_run(&t->recipe_copy, run, error));
    if (data) ICSEG_TRY_GOTO(icseg_recipe_set(t->recipe_copy, "data.folder", data, error));
    t->recipe = &t->recipe_copy->settings;
    t->eval = icseg_recipe_eval_options(t->recipe);
    status = report(t, error);
fail:
    icseg_trainer_close(&t);
    return status;
}

/* -- the index of several runs */

/* Names of the folders in a folder, each with its NUL. */
static icseg_status read_folders(const char *path, icseg_string *names, size_t *count, icseg_error *error) {
    DIR *folder;
    const char *name;
    icseg_status status;
    ICSEG_TRY(icseg_folder_open(&folder, path, error));
    while ((status = icseg_folder_next(folder, path, &name, error)) == ICSEG_OK && name) {
        bool is_folder;
        status = icseg_folder_is(folder, path, name, S_IFDIR, &is_folder, error);
        if (status != ICSEG_OK) break;
        if (!is_folder) continue;
        icseg_string_append(names, name, strlen(name) + 1);
        (*count)++;
    }
    closedir(folder);
    return status;
}

/* The sorted names; free the list with icseg_free. They are parts of `names`. */
static icseg_status list_folders(const char *path, icseg_string *names, const char ***out, size_t *count,
                                 icseg_error *error) {
    ICSEG_TRY(read_folders(path, names, count, error));
    *out = icseg_alloc_array(*count + 1, sizeof **out);
    if (!*out || names->failed) return icseg_fail_memory_in(error, 0, path);
    const char *name = names->data;
    for (size_t i = 0; i < *count; i++, name += strlen(name) + 1) (*out)[i] = name;
    qsort(*out, *count, sizeof **out, icseg_compare_names);
    return ICSEG_OK;
}

static icseg_status add_run(icseg_string *out, const char *folder, const char *name, int64_t *runs,
                            icseg_error *error) {
    icseg_string path = {0};
    bool found = false;
    icseg_string_printf(&path, "%s/%s/log.jsonl", folder, name);
    icseg_status status = path.failed ? icseg_fail_memory_in(error, 0, folder) : ICSEG_OK;
    if (status == ICSEG_OK && icseg_path_find(path.data, S_IFREG, &found, NULL) == ICSEG_OK && found) {
        (*runs)++;
        status = icseg_report_index_row(out, folder, name, error);
    }
    icseg_string_close(&path);
    return status;
}

icseg_status icseg_train_index(const char *folder, icseg_error *error) {
    const char **names = NULL;
    size_t count = 0;
    int64_t runs = 0;
    icseg_string page = {0}, path = {0}, text = {0};
    icseg_status status;
    ICSEG_NEED(folder);
    icseg_string_printf(&path, "%s/index.html", folder);
    ICSEG_TRY_GOTO(check_own(path.failed ? NULL : path.data, error));
    ICSEG_TRY_GOTO(list_folders(folder, &text, &names, &count, error));
    icseg_report_index_begin(&page, folder);
    for (size_t i = 0; i < count; i++) ICSEG_TRY_GOTO(add_run(&page, folder, names[i], &runs, error));
    icseg_report_index_end(&page);
    if (!runs)
        status = icseg_fail(error, ICSEG_ERROR_ARGUMENT, "%s: neither a run nor a directory of runs", folder);
    else if (page.failed)
        status = icseg_fail_memory(error, 0, "the index of runs");
    else
        status = icseg_file_write(path.data, page.data, page.size, error);
fail:
    icseg_free(names);
    icseg_string_close(&text);
    icseg_string_close(&page);
    icseg_string_close(&path);
    return status;
}
