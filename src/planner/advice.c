/* SPDX-License-Identifier: Apache-2.0
 * What to change in a recipe whose run does not fit into memory: each change, and some together, with the memory that
 * the run would take. */
#include <stdio.h>
#include <string.h>

#include "planner/planner.h"

enum {
    ADVICE_MOST = 8,
    WORTH = 98 /* per cent of the memory that are left */,
    CROP_STEP = 32,
    CROP_LEAST = 64,
    CHANGE_SIZE = 200
};

/* The recipe with changes, and its memory. */
typedef struct variant {
    icseg_recipe *recipe;
    char change[CHANGE_SIZE]; /* assignments */
    size_t memory;
} variant;

static icseg_status assign(variant *v, const char *key, const char *value, icseg_error *error) {
    size_t used = strlen(v->change);
    snprintf(v->change + used, sizeof v->change - used, "%s%s=%s", used ? " " : "", key, value);
    return icseg_recipe_set(v->recipe, key, value, error);
}

static icseg_status assign_number(variant *v, const char *key, int32_t value, icseg_error *error) {
    char text[16];
    snprintf(text, sizeof text, "%d", (int)value);
    return assign(v, key, text, error);
}

static bool fits(const icseg_planning *p, size_t memory) { return memory <= p->plan->figures.memory_available; }

static icseg_status measure(icseg_planning *p, variant *v, icseg_error *error) {
    icseg_plan_figures figures = {0};
    ICSEG_TRY(icseg_planning_memory(p, &v->recipe->settings, &figures, NULL, error));
    v->memory = figures.memory;
    return ICSEG_OK;
}

static icseg_status add(icseg_planning *p, const variant *v, const char *effect, icseg_error *error) {
    icseg_run_plan *plan = p->plan;
    char *change = icseg_arena_strdup(plan->arena, v->change);
    if (!change) return icseg_fail_memory(error, 0, "the advice");
    if (plan->figures.advice_count == ADVICE_MOST || v->memory > plan->figures.memory / 100 * WORTH) return ICSEG_OK;
    plan->advice[plan->figures.advice_count++] = (icseg_plan_advice){change, effect, v->memory, fits(p, v->memory)};
    return ICSEG_OK;
}

/* -- the changes */

static const char *const same_weights = "the same weights; a step takes up to a sixth longer";
static const char *const rounds = "activations are rounded to bf16";
static const char *const smaller_batches = "a step sees as many images, in batches with statistics of their own";
static const char *const smaller_crops = "samples show less of an image";
static const char *const together = "these together";
static const char *const windows = "evaluations divide images into windows of the crop's size";

/* Divides the batch until the run fits; at least by 2. */
static icseg_status divide_batch(icseg_planning *p, variant *v, icseg_error *error) {
    const icseg_recipe_settings *r = &v->recipe->settings;
    char before[CHANGE_SIZE];
    int32_t images = r->train.batch * r->train.accumulate, accumulate = r->train.accumulate;
    snprintf(before, sizeof before, "%s", v->change);
    for (int32_t batch = r->train.batch - 1; batch >= 1; batch--) {
        if (images % batch || images / batch < 2 * accumulate) continue;
        snprintf(v->change, sizeof v->change, "%s", before);
        ICSEG_TRY(assign_number(v, "train.batch", batch, error));
        ICSEG_TRY(assign_number(v, "train.accumulate", images / batch, error));
        ICSEG_TRY(measure(p, v, error));
        if (fits(p, v->memory)) break;
        accumulate = images / batch; /* halve it again */
    }
    return ICSEG_OK;
}

static int32_t smaller_side(int32_t side) { return (side * 3 / 4) / CROP_STEP * CROP_STEP; }

/* Makes the crop smaller until the run fits. */
static icseg_status reduce_crop(icseg_planning *p, variant *v, icseg_error *error) {
    const icseg_augment_options *o = &v->recipe->settings.augment;
    char before[CHANGE_SIZE], text[40];
    snprintf(before, sizeof before, "%s", v->change);
    do {
        int32_t height = smaller_side(o->crop_height), width = smaller_side(o->crop_width);
        if (height < CROP_LEAST || width < CROP_LEAST) break;
        snprintf(v->change, sizeof v->change, "%s", before);
        snprintf(text, sizeof text, "%d,%d", (int)height, (int)width);
        ICSEG_TRY(assign(v, "augment.crop", text, error));
        ICSEG_TRY(measure(p, v, error));
    } while (!fits(p, v->memory));
    return ICSEG_OK;
}

static icseg_status save_memory(icseg_planning *p, variant *v, icseg_error *error) {
    if (v->recipe->settings.train.memory == ICSEG_MEMORY_LOW) return ICSEG_OK;
    ICSEG_TRY(assign(v, "train.memory", "low", error));
    return measure(p, v, error);
}

static icseg_status use_bf16(icseg_planning *p, variant *v, icseg_error *error) {
    icseg_precision now = icseg_precision_here(v->recipe->settings.train.precision);
    if (now == ICSEG_PRECISION_BF16 || icseg_precision_here(ICSEG_PRECISION_BF16) != ICSEG_PRECISION_BF16)
        return ICSEG_OK;
    ICSEG_TRY(assign(v, "train.precision", "bf16", error));
    return measure(p, v, error);
}

static icseg_status use_windows(icseg_planning *p, variant *v, icseg_error *error) {
    if (v->recipe->settings.eval.mode == ICSEG_RECIPE_SLIDE) return ICSEG_OK;
    ICSEG_TRY(assign(v, "eval.mode", "slide", error));
    return measure(p, v, error);
}

/* Everything that keeps the sizes of images and of the step. */
static icseg_status combine(icseg_planning *p, variant *v, icseg_error *error) {
    ICSEG_TRY(save_memory(p, v, error));
    ICSEG_TRY(use_windows(p, v, error));
    if (v->recipe->settings.train.batch > 1) ICSEG_TRY(divide_batch(p, v, error));
    return ICSEG_OK;
}

static icseg_status combine_all(icseg_planning *p, variant *v, icseg_error *error) {
    ICSEG_TRY(combine(p, v, error));
    return fits(p, v->memory) ? ICSEG_OK : reduce_crop(p, v, error);
}

typedef icseg_status (*changing)(icseg_planning *p, variant *v, icseg_error *error);

static icseg_status try_change(icseg_planning *p, changing change, const char *effect, icseg_error *error) {
    variant v = {.memory = SIZE_MAX};
    ICSEG_TRY(icseg_recipe_copy(&v.recipe, p->recipe, error));
    icseg_status status = change(p, &v, error);
    if (status == ICSEG_OK && v.change[0]) status = add(p, &v, effect, error);
    icseg_recipe_close(&v.recipe);
    return status;
}

static bool has_fitting(const icseg_run_plan *plan) {
    for (int32_t i = 0; i < plan->figures.advice_count; i++)
        if (plan->advice[i].fits) return true;
    return false;
}

/* Puts the changes that suffice first. */
static void sort(icseg_run_plan *plan) {
    icseg_plan_advice sorted[ADVICE_MOST] = {{0}};
    int32_t count = 0;
    for (int wanted = 1; wanted >= 0; wanted--)
        for (int32_t i = 0; i < plan->figures.advice_count; i++)
            if (plan->advice[i].fits == (wanted == 1)) sorted[count++] = plan->advice[i];
    memcpy(plan->advice, sorted, (size_t)count * sizeof *sorted);
}

static icseg_status try_all(icseg_planning *p, icseg_error *error) {
    static const struct {
        changing change;
        const char *const *effect;
    } single[] = {{save_memory, &same_weights},
                  {use_windows, &windows},
                  {use_bf16, &rounds},
                  {divide_batch, &smaller_batches},
                  {reduce_crop, &smaller_crops}};
    for (size_t i = 0; i < sizeof single / sizeof *single; i++)
        ICSEG_TRY(try_change(p, single[i].change, *single[i].effect, error));
    if (!has_fitting(p->plan)) ICSEG_TRY(try_change(p, combine, together, error));
    return has_fitting(p->plan) ? ICSEG_OK : try_change(p, combine_all, together, error);
}

icseg_status icseg_planning_advise(icseg_planning *p, icseg_error *error) {
    p->plan->advice = icseg_arena_array(p->plan->arena, ADVICE_MOST, sizeof *p->plan->advice);
    if (!p->plan->advice) return icseg_fail_memory(error, 0, "the advice");
    ICSEG_TRY(try_all(p, error));
    sort(p->plan);
    return ICSEG_OK;
}
