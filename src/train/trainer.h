/* SPDX-License-Identifier: Apache-2.0
 * The trainer inside the library: what a run consists of, and the parts of its code that work on it. */
#ifndef ICSEG_TRAIN_TRAINER_H
#define ICSEG_TRAIN_TRAINER_H

#include "base/progress.h"
#include "base/text.h"
#include "icseg/evaluate.h"
#include "icseg/train.h"
#include "inference/session.h"
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

struct icseg_trainer {
    icseg_recipe *recipe_copy;           /* owned */
    const icseg_recipe_settings *recipe; /* of the copy; after resuming, the same with the run's model.init */
    const char *folder;                  /* the run directory; in the arena */
    int lock;                            /* descriptor that keeps other processes out of it; -1 */
    int threads;
    icseg_progress progress;
    icseg_arena *arena;
    icseg_dataset *train, *val;
    icseg_model *model;
    icseg_session *session; /* runs the model, in training and in evaluations */
    icseg_adamw *adamw;
    icseg_loader *loader;
    float *statistics;     /* running statistics as they were before the step, where it has several batches */
    icseg_log_writer *log; /* NULL: the run is finished */
    icseg_train_state state;
    icseg_eval_options eval;
    icseg_confusion confusion; /* of the last evaluation ... */
    int64_t confusion_step;    /* ... which was after this step; -1: none yet */
    int32_t loss_count;
    const char *loss_name[ICSEG_TRAIN_LOSSES]; /* "total", "decode", "align.8", ..., "contrast" */
    bool failed;                               /* a step failed: the trainer can only be closed */
    bool saved, save_due;                      /* the state on disk is that of `step`; the recipe schedules a save */
    double begun;                              /* clock at the first step of this process; 0: none yet */
    double window;                             /* seconds spent in steps since the last logged one */
    int64_t window_steps;                      /* and their number */
};

/* Sends a message through the trainer's progress. */
#define icseg_trainer_say(t, ...)  icseg_progress_say(&(t)->progress, ICSEG_MESSAGE_INFO, __VA_ARGS__)
#define icseg_trainer_warn(t, ...) icseg_progress_say(&(t)->progress, ICSEG_MESSAGE_WARNING, __VA_ARGS__)

/* -- summary.c: checks every label file of both splits and reports their contents; faults are reported and an error. */
icseg_status icseg_trainer_check_data(const icseg_trainer *t, icseg_error *error);

/* -- run_folder.c */

/* FOLDER/`name`, in the trainer's arena; NULL when out of memory. */
const char *icseg_trainer_path(const icseg_trainer *t, const char *name);
/* Creates and locks the run directory. A run that is there is refused without `resume`; with it, files that a killed
 * process left half-written are removed. */
icseg_status icseg_trainer_open_folder(icseg_trainer *t, bool resume, icseg_error *error);
void icseg_trainer_close_folder(icseg_trainer *t);

/* -- initial.c: replaces weights by those of a file (icseg/train.h says which) and reports which were not replaced. */
icseg_status icseg_trainer_load_initial(icseg_trainer *t, const char *path, icseg_error *error);

/* -- state.c */

/* Writes state.safetensors and checkpoint.safetensors. Refuses weights that are not finite: ICSEG_ERROR_NUMERIC. */
icseg_status icseg_trainer_write_state(icseg_trainer *t, icseg_error *error);
/* Writes best.safetensors alone. */
icseg_status icseg_trainer_write_best(icseg_trainer *t, icseg_error *error);
bool icseg_trainer_has_state(const icseg_trainer *t);
/* Reads state.safetensors into model, optimiser and t->state. *found is false, and nothing is changed, when it does not
 * exist. Another recipe, class list, tokens of the names or training set is ICSEG_ERROR_ARGUMENT. t->recipe keeps the
 * run's model.init. Other `eval` settings are reported, and the search for the best evaluation begins anew. */
icseg_status icseg_trainer_load(icseg_trainer *t, bool *found, icseg_error *error);

/* -- step.c */

icseg_status icseg_trainer_open_loader(icseg_trainer *t, icseg_error *error);
/* The network that training runs; valid until the session's next network. */
icseg_status icseg_trainer_network(icseg_trainer *t, icseg_prepared_network **out, icseg_error *error);
/* Fills t->loss_name from the network. */
void icseg_trainer_name_losses(icseg_trainer *t, const icseg_prepared_network *network);
/* One step of the optimiser; t->state.step is raised. A loss or gradient that is not finite is found before the
 * optimiser uses it. After any error the trainer can only be closed: running statistics have changed. */
icseg_status icseg_trainer_optimise(icseg_trainer *t, icseg_train_step *out, icseg_error *error);

/* -- evaluation.c */

/* Evaluates on the validation split into t->confusion, logs, keeps the best weights; clears eval_pending. *out is
 * created. */
icseg_status icseg_trainer_measure(icseg_trainer *t, icseg_metrics *out, icseg_error *error);
/* Writes report.html from t->confusion. */
icseg_status icseg_trainer_write_report(icseg_trainer *t, const icseg_metrics *metrics, icseg_error *error);

#endif
