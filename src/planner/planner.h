/* SPDX-License-Identifier: Apache-2.0
 * Planning a run: what its files share. */
#ifndef ICSEG_PLANNER_PLANNER_H
#define ICSEG_PLANNER_PLANNER_H

#include "icseg/plan.h"
#include "train/trainer.h"

struct icseg_run_plan {
    icseg_arena *arena;
    icseg_plan_figures figures;
    icseg_plan_advice *advice; /* (figures.advice_count), in the arena */
};

/* What is known about the images of a split, from a sample of them. */
typedef struct icseg_split_sizes {
    int64_t images;
    int32_t width, height; /* of the largest image */
} icseg_split_sizes;

typedef struct icseg_planning {
    icseg_run_plan *plan;
    icseg_recipe *recipe; /* owned copy */
    icseg_plan_options options;
    const icseg_progress *progress;
    icseg_dataset *train, *val; /* NULL: planned without data */
    icseg_split_sizes train_sizes, val_sizes;
    icseg_model *model;
    int32_t threads;
    size_t data_and_program; /* resident memory when the networks are built */
    int32_t losses;          /* that a step logs */
} icseg_planning;

/* -- memory.c */

/* Fills the memory of `out`, and flops, for a recipe: the planning's own or a changed copy. The sum leaves out `rest`.
 * losses: receives the number of losses of a step; NULL: not needed. */
icseg_status icseg_planning_memory(icseg_planning *p, const icseg_recipe_settings *r, icseg_plan_figures *out,
                                   int32_t *losses, icseg_error *error);

/* -- images.c */

/* Opens the data sets, unless the plan is made without them, and finds the sizes of images. */
icseg_status icseg_planning_open_data(icseg_planning *p, icseg_error *error);
/* The image sizes from which memory is computed: those of the split's images, or the crop if there is no data set. */
icseg_split_sizes icseg_planning_sizes(const icseg_planning *p, const icseg_recipe_settings *r, bool val);

/* -- disk.c */

icseg_status icseg_planning_disk(icseg_planning *p, icseg_error *error);
/* The bytes that are free for the run directory, or its nearest parent that exists, whose path is `folder`. */
icseg_status icseg_planning_find_folder(const icseg_planning *p, const char **folder, icseg_error *error);

/* -- measure.c: the times, if the memory suffices */

icseg_status icseg_planning_measure(icseg_planning *p, icseg_error *error);
/* The numbers of steps, evaluations and saves, and the sum of the times. */
void icseg_planning_schedule(icseg_planning *p);

/* -- advice.c: changes that save memory */

icseg_status icseg_planning_advise(icseg_planning *p, icseg_error *error);

#endif
