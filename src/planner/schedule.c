/* SPDX-License-Identifier: Apache-2.0
 * How often a run steps, evaluates and saves, and how long that takes together. */
#include <math.h>

#include "planner/planner.h"

/* The numbers of steps and of steps between evaluations, as training sets them when it has measured its speed. */
static void set_steps(const icseg_recipe_settings *r, icseg_plan_figures *f, double *every) {
    double evaluation = f->evaluation_seconds, step = f->step_seconds;
    *every = r->train.eval_every;
    f->steps = r->train.steps;
    if (r->train.eval_minutes > 0) *every = f->measured ? fmax(round(60 * r->train.eval_minutes / step), 1) : 0;
    if (!(r->train.minutes > 0)) return;
    double share = *every > 0 ? evaluation / *every : 0;
    double steps = f->measured ? floor((60 * r->train.minutes - evaluation) / (step + share)) : 0;
    f->steps = (int64_t)fmin(fmax(steps, 0), 1e8);
}

void icseg_planning_schedule(icseg_planning *p) {
    const icseg_recipe_settings *r = &p->recipe->settings;
    icseg_plan_figures *f = &p->plan->figures;
    double every;
    set_steps(r, f, &every);
    double steps = (double)f->steps;
    bool known = steps > 0 && (f->measured || !(r->train.eval_minutes > 0));
    double evaluations = !known ? 0 : every > 0 ? ceil(steps / every) : 1;
    double saves = r->train.checkpoint_every > 0 ? ceil(steps / r->train.checkpoint_every) : 1;
    double work = steps * f->step_seconds + evaluations * f->evaluation_seconds;
    if (r->train.checkpoint_minutes > 0) saves += floor(work / 60 / r->train.checkpoint_minutes);
    f->evaluations = (int64_t)evaluations;
    f->saves = (int64_t)saves;
    if (!f->measured) return;
    double best = f->checkpoint ? (double)f->best / (double)f->checkpoint : 0; /* written at evaluations */
    f->total_seconds = work + (saves + best * evaluations) * f->save_seconds;
}
