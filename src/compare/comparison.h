/* SPDX-License-Identifier: Apache-2.0
 * A comparison: runs, groups of runs, and what was computed of them. */
#ifndef ICSEG_COMPARE_COMPARISON_H
#define ICSEG_COMPARE_COMPARISON_H

#include <stdbool.h>

#include "base/text.h"
#include "compare/scores.h"
#include "icseg/compare.h"
#include "report/jsonl.h"

enum {
    ICSEG_COMPARE_RUNS = 64,
    ICSEG_COMPARE_GROUPS = 16, /* curves of a plot */
};

typedef struct icseg_compared_run {
    const char *path;            /* as given, without slashes at the end */
    const char *name;            /* the path without the directories that all runs have in common */
    const char *const *settings; /* the recipe's values as text, in the order of icseg_recipe_table */
    const char *seed;            /* one of them */
    icseg_image_results results;
    icseg_log log;
    double *scores; /* (icseg_score_count(classes)) */
} icseg_compared_run;

/* An image, by how much its own mean IoU differs from that of the baseline. */
typedef struct icseg_compared_image {
    const char *name;
    double baseline, value, difference;
} icseg_compared_image;

/* Runs with the same recipe. Arrays of scores have icseg_score_count(classes) elements. */
typedef struct icseg_compared_group {
    const char *name;
    const icseg_compared_run **run; /* (count), in the order in which they were given */
    int32_t count;
    double *mean;                               /* scores of the group */
    double deviation[ICSEG_SCORE_MEANS];        /* of a sample, over the runs; NaN of one run */
    icseg_score_range *range;                   /* of its scores */
    icseg_score_range *difference;              /* of its scores minus those of the baseline; NULL: is the baseline */
    int32_t paired;                             /* seeds that both have, if each has the same ones; else 0 */
    double paired_deviation[ICSEG_SCORE_MEANS]; /* of the differences of runs with the same seed; NaN of one pair */
    icseg_compared_image *images;               /* (image_count), the largest difference first */
    int32_t image_count;
} icseg_compared_group;

struct icseg_run_comparison {
    icseg_arena *arena; /* owns everything but the results and logs of runs */
    int32_t resamples;
    int64_t seed;
    int32_t top;
    icseg_compared_run runs[ICSEG_COMPARE_RUNS];
    int32_t run_count;
    icseg_compared_group groups[ICSEG_COMPARE_GROUPS]; /* the baseline first */
    int32_t group_count;
    const char **keys; /* (key_count) of the recipe, in which groups differ */
    size_t *key_rows;  /* (key_count) their rows in icseg_recipe_table */
    size_t key_count;
    int32_t classes;
    const char *const *class_names;
    int64_t images;
};

/* -- groups.c */

/* Divides the runs into groups; the one with the run `baseline` becomes the first. */
icseg_status icseg_compare_group(icseg_run_comparison *c, const icseg_compare_options *options, int32_t baseline,
                                 icseg_error *error);
/* 'A' for the baseline, 'B', ... */
static inline char icseg_compare_letter(int32_t group) { return (char)('A' + group); }
/* The value of a key in which groups differ. */
static inline const char *icseg_compare_setting(const icseg_run_comparison *c, int32_t group, size_t key) {
    return c->groups[group].run[0]->settings[c->key_rows[key]];
}

/* -- pairing.c */

/* Fails with the first difference between two runs' classes, images or labels. */
icseg_status icseg_compare_check_pair(const icseg_compared_run *a, const icseg_compared_run *b, icseg_error *error);
/* The images whose mean IoU differs most from the baseline's. */
icseg_status icseg_compare_images(icseg_run_comparison *c, icseg_compared_group *group, icseg_error *error);

/* -- the forms; each appends to `out` */

void icseg_compare_table(icseg_string *out, const icseg_run_comparison *c);
void icseg_compare_csv(icseg_string *out, const icseg_run_comparison *c);
icseg_status icseg_compare_json(icseg_string *out, const icseg_run_comparison *c, icseg_error *error);
icseg_status icseg_compare_page(icseg_string *out, const icseg_run_comparison *c, icseg_error *error);
/* Loss and validation mIoU of the groups over the steps. */
icseg_status icseg_compare_curves(icseg_string *out, const icseg_run_comparison *c, icseg_error *error);

#endif
