/* SPDX-License-Identifier: Apache-2.0
 * The directory of a run, and what all runs write into it. */
#ifndef ICSEG_TRAIN_RUN_FOLDER_H
#define ICSEG_TRAIN_RUN_FOLDER_H

#include "report/jsonl.h"
#include "tensorboard/event_file.h"
#include "train/recipe.h"

typedef struct icseg_run_folder {
    const char *path;
    icseg_arena *arena; /* of paths; borrowed */
    int lock;           /* descriptor of the directory's lock; -1: not locked */
} icseg_run_folder;

/* PATH/`name`, in the arena; NULL when out of memory. */
const char *icseg_run_path(const icseg_run_folder *folder, const char *name);
/* Creates and locks the directory. Without `resume`, an existing run is refused. With it, files that a killed process
 * left half-written are removed. Close it also after an error. */
icseg_status icseg_run_folder_open(icseg_run_folder *folder, bool resume, icseg_error *error);
void icseg_run_folder_close(icseg_run_folder *folder);

/* Makes relative paths that exist absolute, in the arena, so that the run can be resumed from any folder. */
icseg_status icseg_run_make_absolute(icseg_run_folder *folder, const char **const places[], size_t count,
                                     icseg_error *error);
/* Writes recipe.yaml. */
icseg_status icseg_run_write_recipe(const icseg_run_folder *folder, const icseg_recipe_settings *settings,
                                    icseg_recipe_use use, icseg_error *error);
/* Opens an event file in the folder "tensorboard" of the directory, for a run that begins with first_step; NULL unless
 * the settings ask for it. */
icseg_status icseg_run_open_events(const icseg_run_folder *folder, const icseg_event_settings *settings,
                                   int64_t first_step, icseg_event_file **out, icseg_error *error);
/* Writes the entry "start" of a log, with date, machine and version. */
icseg_status icseg_run_log_start(icseg_log_writer *log, icseg_log_start start, icseg_error *error);

#endif
