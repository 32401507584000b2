/* SPDX-License-Identifier: Apache-2.0
 * Scores and the paired bootstrap. Counts are integers and scores are quotients and sums in a fixed order, so that the
 * results are the same on every machine. */
#include "compare/scores.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/compare.h"
#include "base/rng.h"

enum { MOST_VALUES = 1 << 27 /* of all resamples: 1 GiB */ };

const char *const icseg_score_names[ICSEG_SCORE_MEANS] = {"mIoU", "mAcc", "aAcc"};
const char *const icseg_score_keys[ICSEG_SCORE_MEANS] = {"miou", "macc", "aacc"};

void icseg_scores_add(icseg_class_pixels *sums, const icseg_image_result *image, int64_t times) {
    for (int32_t i = 0; i < image->count; i++) {
        const icseg_class_pixels *p = &image->pixels[i];
        sums[p->label].both += times * p->both;
        sums[p->label].labelled += times * p->labelled;
        sums[p->label].predicted += times * p->predicted;
    }
}

static double ratio(double part, double whole) { return whole > 0 ? part / whole : (double)NAN; }

void icseg_scores_compute(const icseg_class_pixels *sums, int32_t classes, double *out) {
    int64_t correct = 0, labelled = 0;
    double iou = 0, accuracy = 0;
    int32_t occurring = 0, in_labels = 0;
    for (int32_t c = 0; c < classes; c++) {
        const icseg_class_pixels *s = &sums[c];
        int64_t either = s->labelled + s->predicted - s->both;
        out[ICSEG_SCORE_MEANS + c] = ratio((double)s->both, (double)either);
        correct += s->both;
        labelled += s->labelled;
        if (either) iou += out[ICSEG_SCORE_MEANS + c];
        if (s->labelled) accuracy += (double)s->both / (double)s->labelled;
        occurring += either > 0;
        in_labels += s->labelled > 0;
    }
    out[ICSEG_SCORE_MIOU] = ratio(iou, occurring);
    out[ICSEG_SCORE_MACC] = ratio(accuracy, in_labels);
    out[ICSEG_SCORE_AACC] = ratio((double)correct, (double)labelled);
}

/* -- several runs */

/* Memory for the scores of one run at a time. */
typedef struct work {
    int32_t classes;
    icseg_class_pixels *sums; /* (classes) */
    double *scores;           /* (icseg_score_count(classes)) */
    int32_t *defined;         /* the same: the runs whose score is a number */
} work;

static void work_close(work *w) {
    icseg_free(w->sums);
    icseg_free(w->scores);
    icseg_free(w->defined);
    *w = (work){0};
}

static icseg_status work_open(work *w, int32_t classes, icseg_error *error) {
    size_t count = icseg_score_count(classes);
    *w = (work){.classes = classes,
                .sums = icseg_calloc_array((size_t)classes, sizeof *w->sums),
                .scores = icseg_calloc_array(count, sizeof *w->scores),
                .defined = icseg_calloc_array(count, sizeof *w->defined)};
    if (w->sums && w->scores && w->defined) return ICSEG_OK;
    work_close(w);
    return icseg_fail_memory(error, 0, "the scores of runs");
}

/* times: how often each image counts; NULL: once. */
static void scores_of_run(work *w, const icseg_image_results *run, const int32_t *times) {
    memset(w->sums, 0, (size_t)w->classes * sizeof *w->sums);
    for (int64_t i = 0; i < run->count; i++)
        if (!times || times[i]) icseg_scores_add(w->sums, &run->images[i], times ? times[i] : 1);
    icseg_scores_compute(w->sums, w->classes, w->scores);
}

static void scores_of_runs(work *w, const icseg_run_list *runs, const int32_t *times, double *out) {
    size_t count = icseg_score_count(w->classes);
    memset(out, 0, count * sizeof *out);
    memset(w->defined, 0, count * sizeof *w->defined);
    for (int32_t r = 0; r < runs->count; r++) {
        scores_of_run(w, runs->run[r], times);
        for (size_t s = 0; s < count; s++) {
            if (isnan(w->scores[s])) continue;
            out[s] += w->scores[s];
            w->defined[s]++;
        }
    }
    for (size_t s = 0; s < count && runs->count; s++) out[s] = ratio(out[s], w->defined[s]);
}

icseg_status icseg_scores_of_runs(const icseg_run_list *runs, double *out, icseg_error *error) {
    work w;
    ICSEG_TRY(work_open(&w, runs->run[0]->classes, error));
    scores_of_runs(&w, runs, NULL, out);
    work_close(&w);
    return ICSEG_OK;
}

/* -- resampling */

typedef struct resampling {
    const icseg_bootstrap *options;
    const icseg_run_list *baseline, *runs;
    int64_t images;
    size_t count; /* scores */
    work work;
    int32_t *times;             /* (images) */
    double *low, *high, *value; /* (count), (count), (count, resamples) */
} resampling;

static void resampling_close(resampling *r) {
    work_close(&r->work);
    icseg_free(r->times);
    icseg_free(r->low);
    icseg_free(r->high);
    icseg_free(r->value);
}

static icseg_status resampling_open(resampling *r, icseg_error *error) {
    int32_t classes = r->runs->run[0]->classes, resamples = r->options->resamples;
    r->images = r->runs->run[0]->count;
    r->count = icseg_score_count(classes);
    if ((size_t)resamples > MOST_VALUES / r->count)
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "resamples", ICSEG_REMEDY_SET_FIELD,
                                "resamples is %d: with %d %s, at most %d fit into memory", (int)resamples, (int)classes,
                                icseg_plural(classes, "class", "classes"), (int)(MOST_VALUES / r->count));
    ICSEG_TRY(work_open(&r->work, classes, error));
    r->times = icseg_alloc_array((size_t)r->images, sizeof *r->times);
    r->low = icseg_alloc_array(r->count, sizeof *r->low);
    r->high = icseg_alloc_array(r->count, sizeof *r->high);
    r->value = icseg_alloc_array(r->count * (size_t)resamples, sizeof *r->value);
    if (r->times && r->low && r->high && r->value) return ICSEG_OK;
    return icseg_fail_memory(error, r->count * (size_t)resamples * sizeof *r->value, "the resamples");
}

static void draw(resampling *r, int32_t index) {
    icseg_rng rng = icseg_rng_open(r->options->seed, ICSEG_RNG_RESAMPLE, (uint64_t)index);
    memset(r->times, 0, (size_t)r->images * sizeof *r->times);
    for (int64_t i = 0; i < r->images; i++) r->times[icseg_rng_below(&rng, (uint64_t)r->images)]++;
}

static void resample(resampling *r, int32_t index) {
    draw(r, index);
    scores_of_runs(&r->work, r->baseline, r->times, r->low);
    scores_of_runs(&r->work, r->runs, r->times, r->high);
    for (size_t s = 0; s < r->count; s++)
        r->value[s * (size_t)r->options->resamples + (size_t)index] = r->high[s] - r->low[s];
}

/* value: (count); reordered */
static icseg_score_range range_of(double *value, size_t count) {
    size_t defined = 0, above = 0, equal = 0;
    for (size_t i = 0; i < count; i++)
        if (!isnan(value[i])) value[defined++] = value[i];
    if (2 * defined < count) return (icseg_score_range){(double)NAN, (double)NAN, (double)NAN};
    qsort(value, defined, sizeof *value, icseg_compare_doubles);
    for (size_t i = 0; i < defined; i++) {
        above += value[i] > 0;
        equal += value[i] == 0;
    }
    size_t cut = defined / 40; /* 2.5 % at each end */
    return (icseg_score_range){.low = value[cut],
                               .high = value[defined - 1 - cut],
                               .above = (double)(2 * above + equal) / (double)(2 * defined)};
}

icseg_status icseg_bootstrap_run(icseg_bootstrap *bootstrap, const icseg_run_list *baseline, const icseg_run_list *runs,
                                 icseg_score_range *out, icseg_error *error) {
    resampling r = {.options = bootstrap, .baseline = baseline, .runs = runs};
    icseg_status status = resampling_open(&r, error);
    for (int32_t i = 0; i < bootstrap->resamples && status == ICSEG_OK; i++) {
        resample(&r, i);
        bootstrap->done++;
        if (bootstrap->stage) status = icseg_stage_report(bootstrap->stage, bootstrap->done, NULL, error);
    }
    size_t resamples = (size_t)bootstrap->resamples;
    for (size_t s = 0; s < r.count && status == ICSEG_OK; s++) out[s] = range_of(r.value + s * resamples, resamples);
    resampling_close(&r);
    return status;
}
