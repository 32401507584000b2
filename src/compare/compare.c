/* SPDX-License-Identifier: Apache-2.0
 * Opening a comparison: reads the runs, groups them and computes. */
#include "icseg/compare.h"

#include <math.h>
#include <string.h>
#include <sys/stat.h>

#include "base/argument.h"
#include "base/file.h"
#include "base/progress.h"
#include "base/struct_size.h"
#include "compare/comparison.h"
#include "train/recipe.h"

enum { RESAMPLES = 2000, LEAST_RESAMPLES = 100, MOST_RESAMPLES = 1000000, TOP = 10, MOST_TOP = 1000 };

/* Beyond rounding on other processors, the results are those of other weights or settings. */
static const double MIOU_TOLERANCE = 0.0005;

static icseg_status fail_memory(icseg_error *error) { return icseg_fail_memory(error, 0, "the comparison"); }

/* -- options */

static icseg_status check_between(const char *field, int32_t value, int32_t low, int32_t high, icseg_error *error) {
    if (value == 0 || (value >= low && value <= high)) return ICSEG_OK;
    return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, field, ICSEG_REMEDY_SET_FIELD, "%s is %d; expected %d to %d",
                            field, (int)value, (int)low, (int)high);
}

static icseg_status check_options(const icseg_compare_options *o, icseg_error *error) {
    if (o->run_count < 1 || o->run_count > ICSEG_COMPARE_RUNS || !o->runs)
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "runs", ICSEG_REMEDY_SET_FIELD,
                                "%d runs are given; expected 1 to %d", o->runs ? (int)o->run_count : 0,
                                (int)ICSEG_COMPARE_RUNS);
    for (int32_t i = 0; i < o->run_count; i++)
        if (!o->runs[i] || !*o->runs[i])
            return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "runs", ICSEG_REMEDY_SET_FIELD,
                                    "the path of run %d is empty", (int)i + 1);
    if (o->ignore_count < 0 || (o->ignore_count && !o->ignore))
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "ignore", ICSEG_REMEDY_SET_FIELD, "ignore_count is %d%s",
                                (int)o->ignore_count, o->ignore_count < 0 ? "" : ", but ignore is NULL");
    if (o->seed < 0)
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "seed", ICSEG_REMEDY_SET_FIELD,
                                "seed is %lld; expected 0 or more", (long long)o->seed);
    ICSEG_TRY(check_between("resamples", o->resamples, LEAST_RESAMPLES, MOST_RESAMPLES, error));
    return check_between("top", o->top, 1, MOST_TOP, error);
}

/* -- runs */

static icseg_status check_not_same(const char *a, const char *b, icseg_error *error) {
    struct stat x, y;
    if (stat(a, &x) != 0 || stat(b, &y) != 0 || x.st_dev != y.st_dev || x.st_ino != y.st_ino) return ICSEG_OK;
    return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "runs", ICSEG_REMEDY_SET_FIELD,
                            "%s is given twice; give each run once", b);
}

static icseg_status take_paths(icseg_run_comparison *c, const icseg_compare_options *o, icseg_error *error) {
    for (int32_t i = 0; i < o->run_count; i++) {
        char *path = icseg_arena_strdup(c->arena, o->runs[i]);
        if (!path) return fail_memory(error);
        for (size_t size = strlen(path); size > 1 && path[size - 1] == '/';) path[--size] = '\0';
        c->runs[i].path = c->runs[i].name = path;
        for (int32_t k = 0; k < i; k++) ICSEG_TRY(check_not_same(c->runs[k].path, path, error));
    }
    c->run_count = o->run_count;
    return ICSEG_OK;
}

/* Leaves the directories out that the paths of all runs begin with. */
static void shorten_names(icseg_run_comparison *c) {
    const char *first = c->runs[0].path;
    size_t same = strlen(first);
    for (int32_t i = 1; i < c->run_count; i++) {
        size_t k = 0;
        while (k < same && c->runs[i].path[k] == first[k]) k++;
        same = k;
    }
    while (same && first[same - 1] != '/') same--;
    for (int32_t i = 0; i < c->run_count && c->run_count > 1; i++) c->runs[i].name = c->runs[i].path + same;
}

static icseg_status read_settings(icseg_run_comparison *c, icseg_compared_run *run, icseg_error *error) {
    icseg_recipe *recipe;
    icseg_option_table table = icseg_recipe_table();
    const char **settings = icseg_arena_array(c->arena, table.count, sizeof *settings);
    if (!settings) return fail_memory(error);
    ICSEG_TRY(icseg_recipe_open_run(&recipe, run->path, error));
    icseg_status status = ICSEG_OK;
    for (size_t i = 0; i < table.count && status == ICSEG_OK; i++) {
        icseg_string text = {0};
        icseg_option_format(&table.rows[i], &recipe->settings, false, &text);
        settings[i] = text.failed ? NULL : icseg_arena_strdup(c->arena, text.data ? text.data : "");
        if (!settings[i]) status = fail_memory(error);
        if (!strcmp(table.rows[i].key, "train.seed")) run->seed = settings[i];
        icseg_string_close(&text);
    }
    icseg_recipe_close(&recipe);
    run->settings = settings;
    return status;
}

static icseg_status read_results(icseg_compared_run *run, const char *path, icseg_error *error) {
    bool found;
    if (!path) return fail_memory(error);
    ICSEG_TRY(icseg_path_find(path, S_IFREG, &found, error));
    if (found) return icseg_image_results_read(&run->results, path, error);
    return icseg_fail(error, ICSEG_ERROR_IO,
                      "%s: is missing, so that the run cannot be compared image by image; evaluate the run's "
                      "checkpoint and write the results of the images to this file",
                      path);
}

static icseg_status read_run(icseg_run_comparison *c, icseg_compared_run *run, icseg_error *error) {
    ICSEG_TRY(read_settings(c, run, error));
    ICSEG_TRY(read_results(run, icseg_arena_printf(c->arena, "%s/images.jsonl", run->path), error));
    const char *log = icseg_arena_printf(c->arena, "%s/log.jsonl", run->path);
    if (!log) return fail_memory(error);
    ICSEG_TRY(icseg_log_read(&run->log, log, error));
    if (run != c->runs) ICSEG_TRY(icseg_compare_check_pair(c->runs, run, error));
    const icseg_image_results *results = &run->results;
    run->scores = icseg_arena_array(c->arena, icseg_score_count(results->classes), sizeof *run->scores);
    if (!run->scores) return fail_memory(error);
    return icseg_scores_of_runs(&(icseg_run_list){&results, 1}, run->scores, error);
}

/* An images.jsonl that does not belong to the last evaluation would make the comparison one of other weights. */
static void warn_about_log(const icseg_compared_run *run, const icseg_progress *progress) {
    const icseg_log_eval *last = run->log.evals ? &run->log.eval[run->log.evals - 1] : NULL;
    double miou = run->scores[ICSEG_SCORE_MIOU];
    if (!last || !(fabs(last->miou - miou) > MIOU_TOLERANCE)) return;
    icseg_progress_say(progress, ICSEG_MESSAGE_WARNING,
                       "%s: the mIoU of images.jsonl is %.2f, but that of the last evaluation in log.jsonl is %.2f; "
                       "images.jsonl is of other weights, or was made with other settings",
                       run->path, 100 * miou, 100 * last->miou);
}

static icseg_status find_baseline(const icseg_run_comparison *c, const char *baseline, int32_t *out,
                                  icseg_error *error) {
    struct stat wanted, info;
    *out = 0;
    if (!baseline) return ICSEG_OK;
    bool exists = stat(baseline, &wanted) == 0;
    for (int32_t i = 0; i < c->run_count && exists; i++) {
        *out = i;
        if (stat(c->runs[i].path, &info) == 0 && info.st_dev == wanted.st_dev && info.st_ino == wanted.st_ino)
            return ICSEG_OK;
    }
    return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "baseline", ICSEG_REMEDY_SET_FIELD,
                            "baseline: \"%.200s\" is not one of the runs", baseline);
}

/* -- scores */

/* The mean of the values and the deviation of a sample. */
static double deviation_of(const double *value, int32_t count) {
    double mean = 0, squares = 0;
    for (int32_t i = 0; i < count; i++) mean += value[i];
    mean /= count;
    for (int32_t i = 0; i < count; i++) squares += (value[i] - mean) * (value[i] - mean);
    return count > 1 ? sqrt(squares / (count - 1)) : (double)NAN;
}

static const icseg_compared_run *find_seed(const icseg_compared_group *group, const char *seed, int32_t *count) {
    const icseg_compared_run *found = NULL;
    *count = 0;
    for (int32_t i = 0; i < group->count; i++) {
        if (strcmp(group->run[i]->seed, seed) != 0) continue;
        found = group->run[i];
        (*count)++;
    }
    return found;
}

/* Pairs the runs of two groups if each seed occurs once in both. */
static void pair_seeds(const icseg_compared_group *baseline, icseg_compared_group *group) {
    double difference[ICSEG_SCORE_MEANS][ICSEG_COMPARE_RUNS];
    if (group->count != baseline->count) return;
    for (int32_t i = 0; i < group->count; i++) {
        int32_t in_group, in_baseline;
        const icseg_compared_run *run = group->run[i], *other = find_seed(baseline, run->seed, &in_baseline);
        find_seed(group, run->seed, &in_group);
        if (in_group != 1 || in_baseline != 1) return;
        for (int s = 0; s < ICSEG_SCORE_MEANS; s++) difference[s][i] = run->scores[s] - other->scores[s];
    }
    group->paired = group->count;
    for (int s = 0; s < ICSEG_SCORE_MEANS; s++) group->paired_deviation[s] = deviation_of(difference[s], group->count);
}

static void find_deviations(icseg_compared_group *group) {
    double value[ICSEG_COMPARE_RUNS];
    for (int s = 0; s < ICSEG_SCORE_MEANS; s++) {
        for (int32_t i = 0; i < group->count; i++) value[i] = group->run[i]->scores[s];
        group->deviation[s] = deviation_of(value, group->count);
    }
}

static icseg_run_list list_runs(const icseg_compared_group *group,
                                const icseg_image_results *results[ICSEG_COMPARE_RUNS]) {
    for (int32_t i = 0; i < group->count; i++) results[i] = &group->run[i]->results;
    return (icseg_run_list){results, group->count};
}

static icseg_status compute_group(icseg_run_comparison *c, icseg_compared_group *group, icseg_bootstrap *bootstrap,
                                  icseg_error *error) {
    const icseg_image_results *own[ICSEG_COMPARE_RUNS], *others[ICSEG_COMPARE_RUNS];
    const icseg_run_list runs = list_runs(group, own), baseline = list_runs(&c->groups[0], others), none = {0};
    size_t count = icseg_score_count(c->classes);
    group->mean = icseg_arena_array(c->arena, count, sizeof *group->mean);
    group->range = icseg_arena_array(c->arena, count, sizeof *group->range);
    if (!group->mean || !group->range) return fail_memory(error);
    ICSEG_TRY(icseg_scores_of_runs(&runs, group->mean, error));
    ICSEG_TRY(icseg_bootstrap_run(bootstrap, &none, &runs, group->range, error));
    find_deviations(group);
    if (group == c->groups) return ICSEG_OK;
    group->difference = icseg_arena_array(c->arena, count, sizeof *group->difference);
    if (!group->difference) return fail_memory(error);
    ICSEG_TRY(icseg_bootstrap_run(bootstrap, &baseline, &runs, group->difference, error));
    pair_seeds(&c->groups[0], group);
    return icseg_compare_images(c, group, error);
}

static icseg_status compute_groups(icseg_run_comparison *c, const icseg_progress *progress, icseg_error *error) {
    int64_t resamples = (int64_t)c->resamples * (2 * c->group_count - 1);
    icseg_stage stage = icseg_stage_begin(progress, "resample", resamples, "resamples");
    icseg_bootstrap bootstrap = {.resamples = c->resamples, .seed = (uint64_t)c->seed, .stage = &stage};
    for (int32_t g = 0; g < c->group_count; g++) ICSEG_TRY(compute_group(c, &c->groups[g], &bootstrap, error));
    return ICSEG_OK;
}

/* -- the comparison */

static icseg_status open_comparison(icseg_run_comparison *c, const icseg_compare_options *o,
                                    const icseg_progress *progress, icseg_error *error) {
    int32_t baseline;
    ICSEG_TRY(icseg_arena_open(&c->arena, error));
    c->resamples = o->resamples ? o->resamples : RESAMPLES;
    c->seed = o->seed;
    c->top = o->top ? o->top : TOP;
    ICSEG_TRY(take_paths(c, o, error));
    shorten_names(c);
    ICSEG_TRY(find_baseline(c, o->baseline, &baseline, error));
    for (int32_t i = 0; i < c->run_count; i++) ICSEG_TRY(read_run(c, &c->runs[i], error));
    for (int32_t i = 0; i < c->run_count; i++) warn_about_log(&c->runs[i], progress);
    c->classes = c->runs[0].results.classes;
    c->class_names = c->runs[0].results.class_names;
    c->images = c->runs[0].results.count;
    ICSEG_TRY(icseg_compare_group(c, o, baseline, error));
    return compute_groups(c, progress, error);
}

icseg_status icseg_run_comparison_open(icseg_run_comparison **out, const icseg_compare_options *options,
                                       const icseg_progress *progress, icseg_error *error) {
    enum { FIRST_SIZE = sizeof(icseg_compare_options) };
    icseg_compare_options o;
    icseg_progress copy;
    ICSEG_NEED(out);
    *out = NULL;
    ICSEG_NEED(options);
    ICSEG_TRY(icseg_struct_read(&o, sizeof o, options, FIRST_SIZE, "icseg_compare_options", error));
    ICSEG_TRY(icseg_progress_read(&copy, progress, error));
    ICSEG_TRY(check_options(&o, error));
    icseg_run_comparison *c = icseg_calloc_array(1, sizeof *c);
    if (!c) return fail_memory(error);
    icseg_status status = open_comparison(c, &o, &copy, error);
    if (status != ICSEG_OK) icseg_run_comparison_close(&c);
    *out = c;
    return status;
}

void icseg_run_comparison_close(icseg_run_comparison **comparison) {
    if (!comparison || !*comparison) return;
    icseg_run_comparison *c = *comparison;
    for (int32_t i = 0; i < ICSEG_COMPARE_RUNS; i++) {
        icseg_image_results_close(&c->runs[i].results);
        icseg_log_close(&c->runs[i].log);
    }
    icseg_arena_close(&c->arena);
    icseg_free(c);
    *comparison = NULL;
}

icseg_status icseg_run_comparison_text(const icseg_run_comparison *comparison, icseg_comparison_form form, char **out,
                                       icseg_error *error) {
    icseg_string text = {0};
    icseg_status status = ICSEG_OK;
    ICSEG_NEED(out);
    *out = NULL;
    ICSEG_NEED(comparison);
    if (form == ICSEG_COMPARISON_TABLE)
        icseg_compare_table(&text, comparison);
    else if (form == ICSEG_COMPARISON_JSON)
        status = icseg_compare_json(&text, comparison, error);
    else if (form == ICSEG_COMPARISON_CSV)
        icseg_compare_csv(&text, comparison);
    else if (form == ICSEG_COMPARISON_HTML)
        status = icseg_compare_page(&text, comparison, error);
    else
        status = icseg_fail(error, ICSEG_ERROR_ARGUMENT, "form is %d; expected 0 to %d", (int)form,
                            (int)ICSEG_COMPARISON_FORMS - 1);
    if (status == ICSEG_OK && text.failed) status = fail_memory(error);
    if (status == ICSEG_OK)
        *out = text.data;
    else
        icseg_string_close(&text);
    return status;
}
