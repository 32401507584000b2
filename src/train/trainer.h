/* SPDX-License-Identifier: Apache-2.0
 * The trainer inside the library: what a run consists of, and the parts of its code that work on it. */
#ifndef ICSEG_TRAIN_TRAINER_H
#define ICSEG_TRAIN_TRAINER_H

#include "base/progress.h"
#include "base/text.h"
#include "icseg/eval.h"
#include "icseg/train.h"
#include "model/model.h"
#include "report/jsonl.h"
#include "train/adamw.h"
#include "train/recipe.h"

/* What a run knows beside weights and moments; all of it is in state.safetensors. */
typedef struct icseg_train_state {
    int64_t step;      /* completed steps */
    int64_t best_step; /* 0: nothing was evaluated yet */
    double best_miou;
    bool eval_pending; /* the evaluation that is due after `step` has not been logged yet */
} icseg_train_state;

/* What a step came to. Losses are means over its batches. */
typedef struct icseg_step_report {
    double lr, grad_norm; /* the norm before clipping */
    int32_t parts;
    const char *name[ICSEG_LOG_PARTS]; /* "total", "decode", "align.8", ..., "contrast" */
    double loss[ICSEG_LOG_PARTS];
} icseg_step_report;

typedef struct icseg_trainer {
    const icseg_recipe *recipe;
    const char *folder; /* the run directory */
    int lock;           /* descriptor that keeps other processes out of it; -1 */
    icseg_progress progress;
    icseg_arena *arena;
    icseg_dataset *train, *val;
    icseg_model *model;
    icseg_adamw *adamw;
    icseg_loader *loader;
    float *statistics; /* running statistics as they were before the step, where it has several batches */
    icseg_log_writer *log;
    icseg_train_state state;
    icseg_eval_options eval;
    double begun;         /* clock at the first step of this process */
    double window;        /* seconds spent in steps since the last logged one */
    int64_t window_steps; /* and their number */
} icseg_trainer;

/* Trains as the recipe, already checked, says. */
icseg_status icseg_trainer_run(const icseg_recipe *recipe, const icseg_train_options *options,
                               const icseg_progress *progress, icseg_train_result *result, icseg_error *error);

/* Sends a message of level info through the trainer's progress. */
#define icseg_trainer_say(t, ...) icseg_progress_say(&(t)->progress, ICSEG_MESSAGE_INFO, __VA_ARGS__)

/* -- summary.c: checks every label file of both splits and tells what is in them; faults are told and are an error. */
icseg_status icseg_trainer_check_data(const icseg_trainer *t, icseg_error *error);

/* -- run_folder.c */

/* FOLDER/`name`, in the trainer's arena; NULL when out of memory. */
const char *icseg_trainer_path(const icseg_trainer *t, const char *name);
/* Creates and locks the run directory. A run that is there is refused without `resume`; with it, what a killed process
 * left half-written is removed. */
icseg_status icseg_trainer_open_folder(icseg_trainer *t, bool resume, icseg_error *error);
void icseg_trainer_close_folder(icseg_trainer *t);

/* -- initial.c: replaces weights by those of a file (icseg/train.h says which) and tells what was and was not. */
icseg_status icseg_trainer_load_initial(icseg_trainer *t, const char *path, icseg_error *error);

/* -- state.c */

/* Writes state.safetensors and checkpoint.safetensors. Refuses weights that are not finite: ICSEG_ERROR_NUMERIC. */
icseg_status icseg_trainer_save(icseg_trainer *t, icseg_error *error);
/* best.safetensors alone. */
icseg_status icseg_trainer_save_best(icseg_trainer *t, icseg_error *error);
bool icseg_trainer_has_state(const icseg_trainer *t);
/* Reads state.safetensors into model, optimiser and t->state. *found is false, and nothing is changed, when there is
 * none. Another recipe, class list, names' tokens or training set is ICSEG_ERROR_ARGUMENT. t->recipe keeps the run's
 * model.init; other `eval` settings are told, and the best evaluation begins anew. */
icseg_status icseg_trainer_load(icseg_trainer *t, bool *found, icseg_error *error);

/* -- step.c */

icseg_status icseg_trainer_open_loader(icseg_trainer *t, icseg_error *error);
/* The network that training runs; valid until the model's next session. */
icseg_status icseg_trainer_session(icseg_trainer *t, icseg_session **out, icseg_error *error);
/* One step of the optimiser; t->state.step is raised. A loss or gradient that is not finite is found before the
 * optimiser uses it. After any error the trainer can only be closed: running statistics have moved on. */
icseg_status icseg_trainer_step(icseg_trainer *t, icseg_step_report *out, icseg_error *error);

/* -- finish.c */

/* Evaluates on the validation split, logs, keeps the best weights; clears eval_pending. *out is created. */
icseg_status icseg_trainer_evaluate(icseg_trainer *t, icseg_confusion *out, icseg_error *error);
icseg_status icseg_trainer_write_report(icseg_trainer *t, const icseg_confusion *confusion,
                                        const icseg_metrics *metrics, icseg_error *error);

#endif
