/* SPDX-License-Identifier: Apache-2.0
 * The trainer inside the library: its state, and the functions that its files share. */
#ifndef ICSEG_TRAIN_TRAINER_H
#define ICSEG_TRAIN_TRAINER_H

#include "base/progress.h"
#include "base/text.h"
#include "icseg/evaluate.h"
#include "icseg/train.h"
#include "inference/session.h"
#include "report/evaluation.h"
#include "report/index.h"
#include "report/jsonl.h"
#include "tensorboard/events.h"
#include "group/group.h"
#include "train/adamw.h"
#include "train/ema.h"
#include "train/gradients.h"
#include "train/recipe.h"
#include "train/run_folder.h"

/* The state of a run besides weights and moments; checkpoint.safetensors contains all of it. */
typedef struct icseg_train_state {
    int64_t step;      /* completed steps */
    int64_t best_step; /* 0: not evaluated yet */
    double best_miou;
    bool eval_pending; /* an evaluation is due after `step` and has not been logged */
    /* Of train.patience: */
    int64_t judged_step; /* of the last evaluation that was counted; 0: none yet */
    int64_t stale;       /* evaluations in a row that were not better than `reference` */
    double reference;    /* mIoU of the last evaluation that was better */
} icseg_train_state;

struct icseg_trainer {
    icseg_recipe *recipe_copy;           /* owned */
    const icseg_recipe_settings *recipe; /* of the copy; after resuming, with the run's model.init */
    icseg_run_folder folder;             /* the run directory; its path is in the arena; NULL: there is none */
    int threads;
    icseg_group *group; /* borrowed; NULL: this process alone */
    icseg_progress progress;
    icseg_arena *arena;
    icseg_dataset *train, *val;
    int32_t short_side;  /* no image of the training split has a larger short side */
    float *class_weight; /* (classes), in the arena; NULL: all classes weigh the same */
    icseg_model *model;
    icseg_session *session; /* runs the model, in training and in evaluations */
    icseg_adamw *adamw;
    icseg_ema *ema;           /* averages of the weights, which the model has in evaluations and files; NULL: none */
    icseg_rare_classes *rare; /* NULL: not needed */
    icseg_loader *loader;
    icseg_gradient_sums *sums; /* of the group; NULL: not needed yet */
    float *statistics;         /* running statistics before the current step; NULL if a step is one batch */
    icseg_log_writer *log;     /* NULL: the run is finished, or this is not rank 0 of the group */
    icseg_event_file *events;  /* for TensorBoard; NULL: likewise, or not wanted */
    bool finished;
    icseg_train_state state;
    icseg_eval_options eval;
    icseg_confusion confusion; /* of the last evaluation */
    int64_t confusion_step;    /* the step after which it took place; -1: none yet */
    int32_t loss_count;
    const char *loss_name[ICSEG_TRAIN_LOSSES]; /* "total", "decode", "align.8", ..., "contrast" */
    bool end_logged;                           /* train.patience ended the run */
    bool failed;                               /* a step failed: the trainer can only be closed */
    bool data_changed;                         /* other training images than before are accepted */
    bool steps_changed;                        /* the run was resumed with another number of steps */
    bool saved, save_due;                      /* the state on disk is that of `step`; a save is due */
    double saved_at;                           /* clock at the last save, or before the first step */
    double begun;                              /* clock before this process's first step; 0: none yet */
    int64_t first_step;                        /* completed steps when this process began */
    double window;                             /* seconds spent in steps since the last logged one */
    int64_t window_steps;                      /* number of these steps */
};

/* Whether this process has the run directory: rank 0 of a group, or one that works alone. */
static inline bool icseg_trainer_leads(const icseg_trainer *t) { return icseg_group_rank(t->group) == 0; }

/* Whether train.patience has ended the run before its last step. */
static inline bool icseg_trainer_stops_early(const icseg_trainer *t) {
    int32_t patience = t->recipe->train.patience;
    return patience > 0 && t->state.stale >= patience && t->state.step < t->recipe->train.steps;
}

/* Sends a message through the trainer's progress. */
#define icseg_trainer_say(t, ...)  icseg_progress_say(&(t)->progress, ICSEG_MESSAGE_INFO, __VA_ARGS__)
#define icseg_trainer_warn(t, ...) icseg_progress_say(&(t)->progress, ICSEG_MESSAGE_WARNING, __VA_ARGS__)

/* -- summary.c: checks every label file of both splits, reports their contents and sets t->short_side. Problems are
 * reported and make it fail. */
icseg_status icseg_trainer_check_data(icseg_trainer *t, icseg_error *error);

/* -- class_weights.c */

/* Sets t->class_weight, if the recipe has class weights. */
icseg_status icseg_trainer_find_class_weights(icseg_trainer *t, const icseg_dataset_summary *train, icseg_error *error);
/* Gives them to the model of a new run. */
icseg_status icseg_trainer_set_class_weights(icseg_trainer *t, icseg_error *error);
/* Returns ICSEG_ERROR_ARGUMENT if the recipe's file has other weights than those with which the resumed run began. */
icseg_status icseg_trainer_check_class_weights(const icseg_trainer *t, icseg_error *error);

/* -- run_data.c */

icseg_status icseg_recipe_open_train(icseg_dataset **out, const icseg_recipe_settings *r, icseg_error *error);
/* The validation split, or the held-out share of the training images. */
icseg_status icseg_recipe_open_val(icseg_dataset **out, const icseg_recipe_settings *r, icseg_error *error);
icseg_status icseg_recipe_open_adamw(icseg_adamw **out, const icseg_recipe_settings *r, icseg_params *params,
                                     icseg_error *error);
/* The name of these images in messages. */
void icseg_recipe_describe_val(const icseg_recipe_settings *r, char *out, size_t size);
/* How the bands and values of images become colours. */
icseg_image_values icseg_recipe_image_values(const icseg_recipe_settings *r);
icseg_eval_options icseg_recipe_eval_options(const icseg_recipe_settings *r);

/* -- initial.c: replaces weights with those of the recipe's model.init (icseg/train.h says which) and reports which
 * were not replaced. */
icseg_status icseg_trainer_load_initial(icseg_trainer *t, icseg_error *error);

/* -- state.c */

/* Writes checkpoint.safetensors, with the averages as the weights if there are any. Refuses weights that are not
 * finite: ICSEG_ERROR_NUMERIC. */
icseg_status icseg_trainer_write_state(icseg_trainer *t, icseg_error *error);
/* Writes best.safetensors alone, also with the averages. */
icseg_status icseg_trainer_write_best(icseg_trainer *t, icseg_error *error);
icseg_status icseg_trainer_find_state(const icseg_trainer *t, bool *found, icseg_error *error);
/* A hash that changes when images are added, removed or renamed: a step selects images by their position. */
enum { ICSEG_FINGERPRINT = 24 };
void icseg_trainer_fingerprint(const icseg_dataset *dataset, char out[ICSEG_FINGERPRINT]);
/* Reads checkpoint.safetensors into model, optimiser and t->state. If it does not exist, *found is false and nothing is
 * changed. Returns ICSEG_ERROR_ARGUMENT if the recipe, the class list, the tokens of its names or, without
 * t->data_changed, the training images differ from the run's. t->recipe keeps the run's model.init. Changed `eval`
 * settings are reported, and the search for the best evaluation starts over. */
icseg_status icseg_trainer_load(icseg_trainer *t, bool *found, icseg_error *error);

/* -- step.c */

/* The loader of a run's first batch, without rare classes, and the network that training runs. group: NULL: this
 * process alone. */
icseg_loader_options icseg_recipe_loader_options(const icseg_recipe_settings *r, const icseg_group *group);
icseg_network_options icseg_recipe_network_options(const icseg_recipe_settings *r, const icseg_group *group);
/* How many losses a step logs. */
int32_t icseg_network_loss_count(const icseg_network *network);

icseg_status icseg_trainer_open_loader(icseg_trainer *t, icseg_error *error);
/* The network that training runs; valid until the session's next network. */
icseg_status icseg_trainer_network(icseg_trainer *t, icseg_prepared_network **out, icseg_error *error);
/* Fills t->loss_name from the network. */
void icseg_trainer_name_losses(icseg_trainer *t, const icseg_prepared_network *network);
/* Measures the seconds of a step, without the optimiser's update, on the next images of the run. Leaves no trace:
 * weights, running statistics and the order of the images are as before. */
icseg_status icseg_trainer_time_step(icseg_trainer *t, double *seconds, icseg_error *error);
/* One step of the optimiser; increments t->state.step. A loss or gradient that is not finite is found before the
 * optimiser uses it. After any error the trainer can only be closed, because running statistics may have changed. */
icseg_status icseg_trainer_optimise(icseg_trainer *t, icseg_train_step *out, icseg_error *error);

/* Trains one step at this learning rate. If a loss or gradient is not finite, returns ICSEG_OK, sets out->gradient_norm
 * to a value that is not finite, and updates nothing. */
icseg_status icseg_trainer_try_rate(icseg_trainer *t, double lr, icseg_train_step *out, icseg_error *error);

/* -- trainer.c */

/* Opens a trainer without a run directory, which can only step: it writes no file, and keeps no averages. */
icseg_status icseg_trainer_open_bare(icseg_trainer **out, const icseg_recipe *recipe, int32_t threads,
                                     icseg_group *group, const icseg_progress *progress, icseg_error *error);

/* -- evaluation.c */

/* Evaluates on the validation split into t->confusion, logs the metrics, saves the weights if they are the best, writes
 * evaluation.json and report.html, and clears eval_pending. The caller closes *out. */
icseg_status icseg_trainer_measure(icseg_trainer *t, icseg_metrics *out, icseg_error *error);

/* -- event_images.c */

/* Writes images of the validation split with their labels, predictions and score maps as events, if the recipe asks for
 * it. */
icseg_status icseg_trainer_write_images(icseg_trainer *t, icseg_error *error);

/* -- budget.c */

/* Gives a resumed run the numbers of steps that were set when it began: those of the directory's recipe.yaml. */
icseg_status icseg_trainer_keep_budget(icseg_trainer *t, icseg_error *error);
/* Measures the speed and replaces train.minutes and train.eval_minutes in the recipe by numbers of steps. */
icseg_status icseg_trainer_set_budget(icseg_trainer *t, icseg_error *error);
/* Reports the memory and disk space that the run needs. */
void icseg_trainer_say_needs(const icseg_trainer *t, size_t network); /* network: bytes */

/* -- run_report.c */

enum { ICSEG_EVEN_SAMPLES = 8 }; /* images of the report, besides the worst */

/* Writes report.html. The evaluation and its metrics are NULL if there has been none. With `samples`, it shows images
 * of t->val with the predictions of t->session. */
icseg_status icseg_trainer_write_report(icseg_trainer *t, const icseg_evaluation *evaluation,
                                        const icseg_metrics *metrics, bool samples, icseg_error *error);

#endif
