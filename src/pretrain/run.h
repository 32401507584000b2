/* SPDX-License-Identifier: Apache-2.0
 * A run of pretraining: its state, and the functions that its files share. */
#ifndef ICSEG_PRETRAIN_RUN_H
#define ICSEG_PRETRAIN_RUN_H

#include "pretrain/pair_loader.h"
#include "pretrain/scores.h"
#include "report/jsonl.h"
#include "tensorboard/events.h"
#include "train/adamw.h"
#include "train/moments.h"
#include "train/recipe.h"
#include "train/run_folder.h"

typedef struct icseg_pretraining {
    icseg_recipe *recipe_copy;           /* owned */
    const icseg_recipe_settings *recipe; /* of the copy */
    icseg_run_folder folder;
    icseg_arena *arena;
    icseg_progress progress;
    int threads;
    icseg_pair_source *train, *val; /* val: NULL without held-out pairs */
    char pairs[24];                 /* a hash that changes when training pairs are added, removed or renamed */
    icseg_tokenizer *tokenizer;
    icseg_towers *towers;
    icseg_adamw *adamw;
    icseg_pair_loader *loader;
    icseg_log_writer *log;
    icseg_event_file *events;     /* for TensorBoard; NULL: not wanted */
    int64_t step;                 /* completed steps */
    bool eval_pending;            /* the evaluation after `step` is still to be done */
    bool saved;                   /* the state on disk is that of `step` */
    double loss, begun;           /* of the last step; clock before this process's first step, 0: none yet */
    double window;                /* seconds spent in steps since the last logged one */
    int64_t window_steps;         /* number of these steps */
    icseg_pretrain_scores scores; /* of the last evaluation */
    int64_t scores_step;          /* the step after which it took place; -1: none yet */
} icseg_pretraining;

/* -- check.c: the recipe's keys that pretraining uses. */
icseg_status icseg_pretrain_check(const icseg_recipe *recipe, icseg_error *error);

/* -- open.c: everything a run consists of, from the recipe. */
icseg_status icseg_pretraining_open(icseg_pretraining *run, bool resume, icseg_error *error);
icseg_status icseg_pretraining_open_loader(icseg_pretraining *run, icseg_error *error);
void icseg_pretraining_close(icseg_pretraining *run);

/* -- step.c */

/* The learning rate of 0-based `step`. */
double icseg_pretrain_lr(const icseg_recipe_settings *settings, int64_t step);
/* One step of the optimiser; increments run->step and logs the step if that is due. A loss or gradient that is not
 * finite is found before the optimiser uses it. After any error the run can only be closed. */
icseg_status icseg_pretraining_step(icseg_pretraining *run, icseg_error *error);
/* Evaluates on the held-out pairs, logs the scores and writes report.html. */
icseg_status icseg_pretraining_evaluate(icseg_pretraining *run, icseg_error *error);

/* -- state.c: checkpoint.safetensors, which is a file of CLIP's weights with moments, counters and recipe. */
icseg_status icseg_pretraining_save(icseg_pretraining *run, icseg_error *error);
/* If the file does not exist, *found is false and nothing is changed. ICSEG_ERROR_ARGUMENT if the recipe or the pairs
 * differ from the run's. */
icseg_status icseg_pretraining_load(icseg_pretraining *run, bool *found, icseg_error *error);

#endif
