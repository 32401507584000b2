/* SPDX-License-Identifier: Apache-2.0
 * Planning a run: the options, the model without its values, and the order of the work. */
#include "planner/planner.h"

#include <stdio.h>
#include <string.h>

#include "base/argument.h"
#include "base/struct_size.h"
#include "base/threads.h"

enum { MOST_CLASSES = 4096, RUN_CODE = 8 << 20 };
static const double default_seconds = 10, most_seconds = 3600;

static icseg_status read_options(icseg_plan_options *o, const icseg_plan_options *given, icseg_error *error) {
    enum { FIRST_SIZE = sizeof(icseg_plan_options) };
    ICSEG_TRY(icseg_struct_read(o, sizeof *o, given, FIRST_SIZE, "icseg_plan_options", error));
    ICSEG_TRY(icseg_threads_check(o->threads, error));
    if (o->classes && (o->classes < 2 || o->classes > MOST_CLASSES))
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "classes", ICSEG_REMEDY_SET_FIELD,
                                "classes is %d: expected 2 to %d, or 0 to open the data set", (int)o->classes,
                                MOST_CLASSES);
    if (!(o->seconds >= 0 && o->seconds <= most_seconds))
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "seconds", ICSEG_REMEDY_SET_FIELD,
                                "seconds is %g: expected 0 to %g", o->seconds, most_seconds);
    if (o->seconds == 0) o->seconds = default_seconds;
    return ICSEG_OK;
}

static icseg_status make_names(const icseg_planning *p, const char ***out, icseg_error *error) {
    size_t count = (size_t)p->options.classes;
    const char **names = icseg_arena_array(p->plan->arena, count, sizeof *names);
    bool complete = names != NULL;
    for (size_t k = 0; k < count && complete; k++) {
        names[k] = icseg_arena_printf(p->plan->arena, "class %zu", k);
        complete = names[k] != NULL;
    }
    *out = names;
    return complete ? ICSEG_OK : icseg_fail_memory(error, count * sizeof *names, "class names");
}

static icseg_status open_model(icseg_planning *p, icseg_error *error) {
    const icseg_recipe_settings *r = &p->recipe->settings;
    icseg_config config = r->model;
    icseg_model_options options = {ICSEG_MODEL_OPTIONS_INIT, .config = &config, .seed = (uint64_t)r->train.seed,
                                   .tokenizer = r->tokenizer, .vocabulary = r->merges[0] ? r->merges : NULL};
    const char **names;
    if (p->train) {
        options.class_names = icseg_dataset_class_names(p->train);
        if (r->synonyms == ICSEG_SYNONYMS_MEAN) options.class_synonyms = icseg_dataset_class_synonyms(p->train);
        config.num_classes = icseg_dataset_classes(p->train);
    } else {
        ICSEG_TRY(make_names(p, &names, error));
        options.class_names = names;
        config.num_classes = p->options.classes;
    }
    ICSEG_TRY(icseg_model_create(&p->model, &options, error));
    if (r->train.freeze_backbone) icseg_model_freeze_backbone(p->model);
    return ICSEG_OK;
}

/* The memory of the program is what it takes after the networks were built, and that of its threads and of code that
 * only a run touches. */
static icseg_status plan_memory(icseg_planning *p, icseg_error *error) {
    icseg_plan_figures *f = &p->plan->figures;
    ICSEG_TRY(icseg_planning_memory(p, &p->recipe->settings, f, &p->losses, error));
    f->rest = p->data_and_program = icseg_memory_resident() + RUN_CODE;
    f->memory += f->rest;
    f->memory_available = icseg_memory_allowance();
    f->memory_fits = f->memory <= f->memory_available;
    return f->memory_fits ? ICSEG_OK : icseg_planning_advise(p, error);
}

static icseg_status plan_run(icseg_planning *p, icseg_error *error) {
    icseg_plan_figures *f = &p->plan->figures;
    ICSEG_TRY(icseg_planning_open_data(p, error));
    ICSEG_TRY(open_model(p, error));
    ICSEG_TRY(plan_memory(p, error));
    icseg_planning_schedule(p);
    ICSEG_TRY(icseg_planning_disk(p, error));
    if (p->options.quick || !f->memory_fits) return ICSEG_OK;
    ICSEG_TRY(icseg_planning_measure(p, error));
    icseg_planning_schedule(p);
    return icseg_planning_disk(p, error); /* the number of steps may be known now */
}

/* Without a data set, only the model is checked. */
static icseg_status check_recipe(const icseg_recipe *recipe, const icseg_plan_options *o, icseg_error *error) {
    return o->classes ? icseg_recipe_check_model(recipe, error) : icseg_recipe_check(recipe, error);
}

static icseg_status make_plan(icseg_planning *p, const icseg_recipe *recipe, icseg_error *error) {
    icseg_run_plan *plan = p->plan;
    ICSEG_TRY(icseg_arena_open(&plan->arena, error));
    ICSEG_TRY(check_recipe(recipe, &p->options, error));
    ICSEG_TRY(icseg_recipe_copy(&p->recipe, recipe, error));
    int32_t threads = p->options.threads > 0 ? p->options.threads : p->recipe->settings.train.threads;
    plan->figures = (icseg_plan_figures){.struct_size = sizeof plan->figures};
    plan->figures.threads = p->threads = icseg_threads_resolve(threads);
    icseg_threads before = icseg_threads_enter(p->threads);
    icseg_status status = plan_run(p, error);
    icseg_threads_leave(before);
    icseg_model_close(&p->model);
    icseg_dataset_close(&p->train);
    icseg_dataset_close(&p->val);
    icseg_recipe_close(&p->recipe);
    return status;
}

icseg_status icseg_run_plan_open(icseg_run_plan **out, const icseg_recipe *recipe, const icseg_plan_options *options,
                                 const icseg_progress *progress, icseg_error *error) {
    icseg_progress own;
    icseg_planning p = {.progress = &own};
    ICSEG_NEED(out);
    *out = NULL;
    ICSEG_NEED(recipe);
    ICSEG_TRY(icseg_progress_read(&own, progress, error));
    ICSEG_TRY(read_options(&p.options, options, error));
    p.plan = icseg_calloc_array(1, sizeof *p.plan);
    if (!p.plan) return icseg_fail_memory(error, sizeof *p.plan, "a plan");
    icseg_status status = make_plan(&p, recipe, error);
    if (status != ICSEG_OK) icseg_run_plan_close(&p.plan);
    *out = p.plan;
    return status;
}

void icseg_run_plan_close(icseg_run_plan **plan) {
    if (!plan || !*plan) return;
    icseg_arena_close(&(*plan)->arena);
    icseg_free(*plan);
    *plan = NULL;
}

icseg_status icseg_run_plan_figures(const icseg_run_plan *plan, icseg_plan_figures *out, icseg_error *error) {
    enum { FIRST_SIZE = sizeof(icseg_plan_figures) };
    ICSEG_NEED(plan);
    ICSEG_NEED(out);
    return icseg_struct_write(out, &plan->figures, sizeof plan->figures, FIRST_SIZE, "icseg_plan_figures", error);
}

const icseg_plan_advice *icseg_run_plan_advice(const icseg_run_plan *plan, int32_t index) {
    return plan && index >= 0 && index < plan->figures.advice_count ? &plan->advice[index] : NULL;
}
