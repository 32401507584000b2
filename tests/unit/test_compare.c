/* SPDX-License-Identifier: Apache-2.0
 * compare/: scores against those worked out by hand and those of a confusion matrix, the bootstrap against a naive one,
 * groups of runs, runs that cannot be paired, and the forms of a comparison. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "base/compare.h"
#include "base/file.h"
#include "base/json.h"
#include "base/rng.h"
#include "compare/comparison.h"
#include "icseg/metrics.h"
#include "icseg/recipe.h"

/* ---- scores ---- */

/* Classes 0 and 1; 10 labelled pixels each. */
static const icseg_class_pixels first_pixels[] = {{0, 3, 4, 5}, {1, 4, 6, 5}};
static const icseg_class_pixels second_pixels[] = {{0, 0, 0, 2}, {1, 8, 10, 8}};
static icseg_image_result two_images[] = {{"a", first_pixels, 2}, {"b", second_pixels, 2}};
static const icseg_image_results hand_made = {.classes = 2, .count = 2, .images = two_images};

static icseg_run_list one_run(const icseg_image_results *const *run) { return (icseg_run_list){run, 1}; }

static void scores_are_those_worked_out_by_hand(void **state) {
    (void)state;
    const icseg_image_results *run = &hand_made;
    icseg_run_list runs = one_run(&run);
    double scores[5];
    assert_int_equal(icseg_scores_of_runs(&runs, scores, NULL), ICSEG_OK);
    assert_true(scores[3] == 3.0 / 8); /* 4 labelled and 7 predicted pixels, 3 of them both */
    assert_true(scores[4] == 12.0 / 17);
    assert_true(fabs(scores[ICSEG_SCORE_MIOU] - (3.0 / 8 + 12.0 / 17) / 2) < 1e-15);
    assert_true(scores[ICSEG_SCORE_MACC] == (3.0 / 4 + 12.0 / 16) / 2);
    assert_true(scores[ICSEG_SCORE_AACC] == 15.0 / 20);
}

enum { CLASSES = 5, IMAGES = 12 };

/* Images with some of the first four classes; the last class never occurs. */
typedef struct random_run {
    icseg_class_pixels pixels[IMAGES][CLASSES];
    icseg_image_result images[IMAGES];
    icseg_image_results results;
    icseg_confusion confusion;
} random_run;

static void make_random(random_run *r, uint64_t seed) {
    static const char *const names[IMAGES] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "a", "b"};
    *r = (random_run){.results = {.classes = CLASSES, .count = IMAGES, .images = r->images}};
    assert_int_equal(icseg_confusion_create(&r->confusion, CLASSES, NULL), ICSEG_OK);
    for (int i = 0; i < IMAGES; i++) {
        icseg_rng rng = icseg_rng_open(seed, ICSEG_RNG_TEST, (uint64_t)i);
        icseg_class_pixels table[CLASSES] = {{0}};
        for (int p = 0; p < 40; p++) {
            uint64_t label = icseg_rng_below(&rng, 3),
                     predicted = icseg_rng_below(&rng, 2) ? label : icseg_rng_below(&rng, 4);
            r->confusion.count[label * CLASSES + predicted]++;
            table[label].labelled++;
            table[predicted].predicted++;
            table[label].both += label == predicted;
        }
        icseg_image_result *image = &r->images[i];
        *image = (icseg_image_result){.name = names[i], .pixels = r->pixels[i]};
        for (int k = 0; k < CLASSES; k++) {
            if (!table[k].labelled && !table[k].predicted) continue;
            table[k].label = k;
            r->pixels[i][image->count++] = table[k];
        }
    }
}

static void assert_same(double a, double b) {
    if (!(isnan(a) && isnan(b)) && !(fabs(a - b) < 1e-12)) fail_msg("%.17g and %.17g differ", a, b);
}

static void scores_are_those_of_the_confusion_matrix(void **state) {
    (void)state;
    random_run r;
    icseg_metrics m = {ICSEG_METRICS_INIT};
    double scores[ICSEG_SCORE_MEANS + CLASSES];
    make_random(&r, 1);
    const icseg_image_results *run = &r.results;
    icseg_run_list runs = one_run(&run);
    assert_int_equal(icseg_scores_of_runs(&runs, scores, NULL), ICSEG_OK);
    assert_int_equal(icseg_metrics_compute(&m, &r.confusion, NULL), ICSEG_OK);
    assert_same(scores[ICSEG_SCORE_MIOU], m.miou);
    assert_same(scores[ICSEG_SCORE_MACC], m.macc);
    assert_same(scores[ICSEG_SCORE_AACC], m.aacc);
    for (int k = 0; k < CLASSES; k++) assert_same(scores[ICSEG_SCORE_MEANS + k], m.iou[k]);
    icseg_metrics_close(&m);
    icseg_confusion_close(&r.confusion);
}

/* ---- the bootstrap ---- */

static double naive_iou(const random_run *r, const int *drawn, int64_t class) {
    int64_t both = 0, either = 0;
    for (int i = 0; i < IMAGES; i++)
        for (int32_t e = 0; e < r->images[drawn[i]].count; e++) {
            const icseg_class_pixels *p = &r->pixels[drawn[i]][e];
            if (p->label != class) continue;
            both += p->both;
            either += p->labelled + p->predicted - p->both;
        }
    return either ? (double)both / (double)either : (double)NAN;
}

static double naive_miou(const random_run *r, const int *drawn) {
    double sum = 0, count = 0;
    for (int k = 0; k < CLASSES; k++) {
        double iou = naive_iou(r, drawn, k);
        if (isnan(iou)) continue;
        sum += iou;
        count++;
    }
    return sum / count;
}

/* The mean of two runs compared with one run, on the same draws. */
static void the_bootstrap_agrees_with_a_naive_one(void **state) {
    (void)state;
    enum { RESAMPLES = 400 };
    random_run a, b, c;
    double value[RESAMPLES], above = 0;
    icseg_score_range range[ICSEG_SCORE_MEANS + CLASSES];
    make_random(&a, 1);
    make_random(&b, 2);
    make_random(&c, 3);
    const icseg_image_results *low[] = {&a.results}, *high[] = {&b.results, &c.results};
    icseg_run_list baseline = {low, 1}, runs = {high, 2};
    icseg_bootstrap bootstrap = {.resamples = RESAMPLES, .seed = 7};
    assert_int_equal(icseg_bootstrap_run(&bootstrap, &baseline, &runs, range, NULL), ICSEG_OK);
    for (int n = 0; n < RESAMPLES; n++) {
        icseg_rng rng = icseg_rng_open(7, ICSEG_RNG_RESAMPLE, (uint64_t)n);
        int drawn[IMAGES];
        for (int i = 0; i < IMAGES; i++) drawn[i] = (int)icseg_rng_below(&rng, IMAGES);
        value[n] = (naive_miou(&b, drawn) + naive_miou(&c, drawn)) / 2 - naive_miou(&a, drawn);
        above += value[n] > 0;
    }
    qsort(value, RESAMPLES, sizeof *value, icseg_compare_doubles);
    assert_same(range[ICSEG_SCORE_MIOU].low, value[10]); /* 2.5 % of 400 are below it */
    assert_same(range[ICSEG_SCORE_MIOU].high, value[389]);
    assert_same(range[ICSEG_SCORE_MIOU].above, above / RESAMPLES);
    assert_true(isnan(range[ICSEG_SCORE_MEANS + CLASSES - 1].low)); /* the class never occurs */
    icseg_confusion_close(&a.confusion);
    icseg_confusion_close(&b.confusion);
    icseg_confusion_close(&c.confusion);
}

static void equal_runs_differ_in_no_resample(void **state) {
    (void)state;
    random_run a;
    icseg_score_range range[ICSEG_SCORE_MEANS + CLASSES];
    make_random(&a, 1);
    const icseg_image_results *list[] = {&a.results, &a.results};
    icseg_run_list one = {list, 1}, two = {list, 2}, none = {0};
    icseg_bootstrap bootstrap = {.resamples = 100};
    assert_int_equal(icseg_bootstrap_run(&bootstrap, &one, &two, range, NULL), ICSEG_OK);
    assert_true(range[0].low == 0 && range[0].high == 0 && range[0].above == 0.5);
    assert_int_equal(icseg_bootstrap_run(&bootstrap, &none, &one, range, NULL), ICSEG_OK);
    assert_true(range[0].low > 0 && range[0].low < range[0].high && range[0].above == 1);
    icseg_confusion_close(&a.confusion);
}

static void too_many_resamples_are_refused_before_memory_is_taken(void **state) {
    (void)state;
    icseg_image_results many = {.classes = 16384, .count = 2, .images = two_images};
    const icseg_image_results *run = &many;
    icseg_run_list runs = one_run(&run), none = {0};
    icseg_bootstrap bootstrap = {.resamples = 1000000};
    icseg_error error = {0};
    assert_int_equal(icseg_bootstrap_run(&bootstrap, &none, &runs, NULL, &error), ICSEG_ERROR_ARGUMENT);
    assert_string_equal(error.field, "resamples");
}

/* ---- runs ---- */

static char folder[64];

static int make_folder(void **state) {
    (void)state;
    strcpy(folder, "/tmp/icseg_compare_XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
    (void)state;
    char command[96];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

static const char *run_path(const char *name) {
    static char path[32][160];
    static int next;
    char *out = path[next++ % 32];
    snprintf(out, sizeof *path, "%s/%s", folder, name);
    return out;
}

static void write_file(const char *run, const char *name, const char *text) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", run_path(run), name);
    assert_int_equal(icseg_file_write(path, text, strlen(text), NULL), ICSEG_OK);
}

static const char first_images[] = "{\"version\": 1, \"step\": 20, \"images\": 2, \"classes\": [\"sky\", \"road\"]}\n"
                                   "{\"image\": \"a.jpg\", \"pixels\": [[0,3,4,5],[1,4,6,5]]}\n"
                                   "{\"image\": \"b.jpg\", \"pixels\": [[0,0,0,2],[1,8,10,8]]}\n";
/* Better in both images, by the most in a.jpg; in another order. */
static const char better_images[] = "{\"version\": 1, \"images\": 2, \"classes\": [\"sky\", \"road\"]}\n"
                                    "{\"image\": \"b.jpg\", \"pixels\": [[0,0,0,1],[1,9,10,9]]}\n"
                                    "{\"image\": \"a.jpg\", \"pixels\": [[0,4,4,4],[1,6,6,6]]}\n";

static void make_run(const char *name, const char *set, const char *images) {
    icseg_recipe *recipe;
    char path[256];
    assert_int_equal(icseg_folder_create(run_path(name), NULL), ICSEG_OK);
    assert_int_equal(icseg_recipe_open_preset(&recipe, "tiny-resnet", NULL), ICSEG_OK);
    char *settings = strdup(set);
    for (char *key = strtok(settings, " "); key; key = strtok(NULL, " "))
        assert_int_equal(icseg_recipe_assign(recipe, key, NULL), ICSEG_OK);
    free(settings);
    snprintf(path, sizeof path, "%s/recipe.yaml", run_path(name));
    assert_int_equal(icseg_recipe_write(recipe, path, NULL), ICSEG_OK);
    icseg_recipe_close(&recipe);
    write_file(name, "log.jsonl",
               "{\"type\":\"step\",\"step\":10,\"loss\":{\"total\":2.5}}\n"
               "{\"type\":\"eval\",\"step\":20,\"miou\":0.5,\"iou\":[0.5,0.5]}\n");
    write_file(name, "images.jsonl", images);
}

static icseg_run_comparison *compare(const char *const *runs, int32_t count, icseg_compare_options options) {
    icseg_run_comparison *c;
    icseg_error error = {0};
    options.struct_size = sizeof options;
    options.runs = runs;
    options.run_count = count;
    if (icseg_run_comparison_open(&c, &options, NULL, &error) != ICSEG_OK) fail_msg("%s", error.message);
    return c;
}

static void runs_with_one_recipe_form_a_group(void **state) {
    (void)state;
    make_run("lr=1_seed=1", "train.lr=1 train.seed=1 train.threads=2", first_images);
    make_run("lr=1_seed=2", "train.lr=1 train.seed=2 pretrain.lr=0.5 train.eval_every=3", better_images);
    make_run("lr=2_seed=2", "train.lr=2 train.seed=2", better_images);
    make_run("lr=2_seed=1", "train.lr=2 train.seed=1", better_images);
    const char *runs[] = {run_path("lr=1_seed=1"), run_path("lr=2_seed=2"), run_path("lr=1_seed=2"),
                          run_path("lr=2_seed=1/")};
    icseg_run_comparison *c = compare(runs, 4, (icseg_compare_options){0});
    assert_int_equal(c->group_count, 2);
    const icseg_compared_group *a = &c->groups[0], *b = &c->groups[1];
    assert_string_equal(a->name, "lr=1");
    assert_string_equal(b->name, "lr=2");
    assert_int_equal(a->count, 2);
    assert_string_equal(a->run[1]->name, "lr=1_seed=2");
    assert_int_equal(c->key_count, 1);
    assert_string_equal(c->keys[0], "train.lr");
    assert_string_equal(icseg_compare_setting(c, 1, 0), "2");
    double low = (3.0 / 8 + 12.0 / 17) / 2, high = (4.0 / 5 + 15.0 / 16) / 2; /* mIoU of first_images, better_images */
    assert_same(a->mean[ICSEG_SCORE_MIOU], (low + high) / 2);
    assert_same(a->deviation[ICSEG_SCORE_MIOU], (high - low) / sqrt(2));
    assert_same(b->mean[ICSEG_SCORE_MIOU], high);
    assert_same(b->deviation[ICSEG_SCORE_MIOU], 0);
    assert_int_equal(b->paired, 2); /* differences: high - low with seed 1, 0 with seed 2 */
    assert_same(b->paired_deviation[ICSEG_SCORE_MIOU], (high - low) / sqrt(2));
    assert_int_equal(b->image_count, 2);
    assert_string_equal(b->images[0].name, "a.jpg");
    assert_same(b->images[0].value, 1);
    assert_same(b->images[0].baseline, (1 + (3.0 / 6 + 4.0 / 7) / 2) / 2);
    assert_same(b->images[1].difference, (0.9 - 0.8) / 2 / 2);
    icseg_run_comparison_close(&c);

    c = compare(runs, 4, (icseg_compare_options){.baseline = runs[3], .top = 1});
    assert_string_equal(c->groups[0].name, "lr=2");
    assert_int_equal(c->groups[1].image_count, 1);
    icseg_run_comparison_close(&c);

    const char *ignore[] = {"train.lr"};
    c = compare(runs, 4, (icseg_compare_options){.ignore = ignore, .ignore_count = 1});
    assert_int_equal(c->group_count, 1);
    assert_int_equal(c->groups[0].count, 4);
    icseg_run_comparison_close(&c);
}

static void paths_count_unless_they_are_ignored(void **state) {
    (void)state;
    const char *ignore[] = {"data.folder"};
    make_run("here", "data.folder=/here train.seed=1", first_images);
    make_run("there", "data.folder=/there train.seed=2", first_images);
    const char *runs[] = {run_path("here"), run_path("there")};
    icseg_run_comparison *c = compare(runs, 2, (icseg_compare_options){0});
    assert_int_equal(c->group_count, 2);
    assert_string_equal(c->keys[0], "data.folder");
    icseg_run_comparison_close(&c);
    c = compare(runs, 2, (icseg_compare_options){.ignore = ignore, .ignore_count = 1});
    assert_int_equal(c->group_count, 1);
    icseg_run_comparison_close(&c);
}

static void seeds_that_differ_are_not_paired(void **state) {
    (void)state;
    make_run("p10", "train.lr=1 train.seed=1", first_images);
    make_run("p11", "train.lr=1 train.seed=2", first_images);
    make_run("q1", "train.lr=2 train.seed=1", first_images);
    make_run("q2", "train.lr=2 train.seed=3", first_images);
    const char *runs[] = {run_path("p10"), run_path("p11"), run_path("q1"), run_path("q2")};
    icseg_run_comparison *c = compare(runs, 4, (icseg_compare_options){0});
    assert_string_equal(c->groups[0].name, "p");
    assert_int_equal(c->groups[1].paired, 0);
    assert_int_equal(c->groups[1].image_count, 0);
    icseg_run_comparison_close(&c);
    make_run("q3", "train.lr=2 train.seed=1", first_images);
    runs[3] = run_path("q3"); /* its seed occurs twice */
    c = compare(runs, 4, (icseg_compare_options){0});
    assert_int_equal(c->groups[1].paired, 0);
    icseg_run_comparison_close(&c);
}

static void refused(const char *const *runs, int32_t count, icseg_compare_options options, icseg_status status,
                    const char *problem) {
    icseg_run_comparison *c;
    icseg_error error = {0};
    options.struct_size = sizeof options;
    options.runs = runs;
    options.run_count = count;
    assert_int_equal(icseg_run_comparison_open(&c, &options, NULL, &error), status);
    if (!strstr(error.message, problem)) fail_msg("%s; expected: %s", error.message, problem);
    assert_null(c);
}

static void runs_are_paired_by_seed_and_not_by_their_order(void **state) {
    (void)state;
    make_run("s1", "train.lr=1 train.seed=1", first_images);
    make_run("s2", "train.lr=1 train.seed=2", better_images);
    make_run("t2", "train.lr=2 train.seed=2", better_images);
    make_run("t1", "train.lr=2 train.seed=1", first_images);
    const char *runs[] = {run_path("s1"), run_path("s2"), run_path("t2"), run_path("t1")};
    icseg_run_comparison *c = compare(runs, 4, (icseg_compare_options){0});
    assert_int_equal(c->groups[1].paired, 2);
    assert_true(c->groups[1].paired_deviation[ICSEG_SCORE_MIOU] == 0);
    icseg_run_comparison_close(&c);
}

static void runs_that_cannot_be_paired_are_refused(void **state) {
    (void)state;
#define CLASSES_LINE(names) "{\"version\": 1, \"images\": 2, \"classes\": [" names "]}\n"
#define A                   "{\"image\": \"a.jpg\", \"pixels\": [[0,3,4,5],[1,4,6,5]]}\n"
    static const char *const cases[][2] = {
        {CLASSES_LINE("\"sky\"") "{\"image\": \"a.jpg\", \"pixels\": []}\n{\"image\": \"b.jpg\", \"pixels\": []}\n",
         "/other has 1 class, but "},
        {CLASSES_LINE("\"sky\", \"river\"") A "{\"image\": \"b.jpg\", \"pixels\": [[0,0,0,2],[1,8,10,8]]}\n",
         "class 1 of "},
        {CLASSES_LINE("\"sky\", \"road\"") A "{\"image\": \"c.jpg\", \"pixels\": [[0,0,0,2],[1,8,10,8]]}\n",
         "/base was evaluated on the image \"b.jpg\", but "},
        {"{\"version\": 1, \"images\": 3, \"classes\": [\"sky\", \"road\"]}\n" A
         "{\"image\": \"b.jpg\", \"pixels\": [[0,0,0,2],[1,8,10,8]]}\n{\"image\": \"c.jpg\", \"pixels\": []}\n",
         "/other was evaluated on the image \"c.jpg\", but "},
        {CLASSES_LINE("\"sky\", \"road\"") A "{\"image\": \"b.jpg\", \"pixels\": [[0,0,1,2],[1,8,9,8]]}\n",
         "the image \"b.jpg\" has 1 pixels of class \"sky\" in the labels of "},
        {CLASSES_LINE("\"sky\", \"road\"") A "{\"image\": \"b.jpg\", \"pixels\": [[0,0,0,1],[1,8,9,8]]}\n",
         "the image \"b.jpg\" has 9 pixels of class \"road\" in the labels of "},
    };
    make_run("base", "train.seed=1", first_images);
    make_run("other", "train.seed=2", first_images);
    const char *runs[] = {run_path("base"), run_path("other")};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_file("other", "images.jsonl", cases[i][0]);
        refused(runs, 2, (icseg_compare_options){0}, ICSEG_ERROR_DATA, cases[i][1]);
    }
}

static void wrong_options_are_refused(void **state) {
    (void)state;
    make_run("base", "train.seed=1", first_images);
    const char *runs[] = {run_path("base"), run_path("base/."), NULL}, *nowhere[] = {run_path("nowhere")};
    const char *ignore[] = {"train.lrr"};
    refused(runs, 0, (icseg_compare_options){0}, ICSEG_ERROR_ARGUMENT, "0 runs are given; expected 1 to 64");
    refused(runs, 65, (icseg_compare_options){0}, ICSEG_ERROR_ARGUMENT, "expected 1 to 64");
    refused(runs, 3, (icseg_compare_options){0}, ICSEG_ERROR_ARGUMENT, "the path of run 3 is empty");
    refused(runs, 2, (icseg_compare_options){0}, ICSEG_ERROR_ARGUMENT, "is given twice");
    refused(nowhere, 1, (icseg_compare_options){0}, ICSEG_ERROR_ARGUMENT, "does not contain a run");
    refused(runs, 1, (icseg_compare_options){.baseline = "else"}, ICSEG_ERROR_ARGUMENT, "is not one of the runs");
    refused(runs, 1, (icseg_compare_options){.baseline = folder}, ICSEG_ERROR_ARGUMENT, "is not one of the runs");
    refused(runs, 1, (icseg_compare_options){.ignore = ignore, .ignore_count = 1}, ICSEG_ERROR_ARGUMENT, "train.lr");
    refused(runs, 1, (icseg_compare_options){.ignore_count = 1}, ICSEG_ERROR_ARGUMENT, "ignore is NULL");
    refused(runs, 1, (icseg_compare_options){.resamples = 99}, ICSEG_ERROR_ARGUMENT, "expected 100 to 1000000");
    refused(runs, 1, (icseg_compare_options){.top = -1}, ICSEG_ERROR_ARGUMENT, "expected 1 to 1000");
    refused(runs, 1, (icseg_compare_options){.seed = -1}, ICSEG_ERROR_ARGUMENT, "expected 0 or more");
    char path[256];
    snprintf(path, sizeof path, "%s/images.jsonl", runs[0]);
    assert_int_equal(remove(path), 0);
    refused(runs, 1, (icseg_compare_options){0}, ICSEG_ERROR_IO, "images.jsonl: is missing");
}

static void more_groups_than_colours_are_refused(void **state) {
    (void)state;
    const char *runs[17];
    static char paths[17][160], set[32];
    for (int i = 0; i < 17; i++) {
        char name[16];
        snprintf(name, sizeof name, "many%d", i);
        snprintf(set, sizeof set, "train.lr=0.%02d", i + 1);
        make_run(name, set, first_images);
        runs[i] = strcpy(paths[i], run_path(name));
    }
    refused(runs, 17, (icseg_compare_options){0}, ICSEG_ERROR_ARGUMENT, "more than 16 different recipes");
}

static void say(void *user, icseg_message_level level, const char *text) {
    assert_int_equal(level, ICSEG_MESSAGE_WARNING);
    snprintf(user, 512, "%s", text);
}

static void results_of_other_weights_are_noticed(void **state) {
    (void)state;
    char text[512] = "";
    icseg_progress progress = {ICSEG_PROGRESS_INIT, .message = say, .user = text};
    icseg_run_comparison *c;
    make_run("base", "train.seed=1", first_images);
    const char *runs[] = {run_path("base")};
    icseg_compare_options options = {ICSEG_COMPARE_OPTIONS_INIT, .runs = runs, .run_count = 1};
    assert_int_equal(icseg_run_comparison_open(&c, &options, &progress, NULL), ICSEG_OK);
    assert_non_null(
        strstr(text, "the mIoU of images.jsonl is 54.04, but that of the last evaluation in log.jsonl is 50.00"));
    icseg_run_comparison_close(&c);
    text[0] = '\0';
    write_file("base", "log.jsonl", "{\"type\":\"eval\",\"step\":20,\"miou\":0.540441,\"iou\":[0.375,0.7]}\n");
    assert_int_equal(icseg_run_comparison_open(&c, &options, &progress, NULL), ICSEG_OK);
    assert_string_equal(text, "");
    icseg_run_comparison_close(&c);
}

/* ---- forms ---- */

static icseg_run_comparison *two_groups(void) {
    make_run("a,\"b\"", "train.lr=1", first_images);
    make_run("<i>&", "train.lr=2", better_images);
    const char *runs[] = {run_path("a,\"b\""), run_path("<i>&")};
    return compare(runs, 2, (icseg_compare_options){0});
}

static char *describe(const icseg_run_comparison *c, icseg_comparison_form form) {
    char *text;
    assert_int_equal(icseg_run_comparison_text(c, form, &text, NULL), ICSEG_OK);
    return text;
}

static void has(const char *text, const char *part) {
    if (!strstr(text, part)) fail_msg("not found: %s\nin: %s", part, text);
}

static void the_table_has_scores_and_intervals(void **state) {
    (void)state;
    icseg_run_comparison *c = two_groups();
    char *text = describe(c, ICSEG_COMPARISON_TABLE);
    has(text, "2 images, 2 classes, 2000 resamples");
    has(text, "train.lr                          1                         2\n");
    has(text, "B compared with A\n");
    /* sky: 37.50 of both images; a resample of b.jpg alone has 0 for both */
    has(text, "\nsky                                 37.50    80.00   +42.50     +0.00 to +50.00     8");
    has(text, "a.jpg                               53.57   100.00   +46.43\n");
    icseg_free(text);
    icseg_run_comparison_close(&c);
}

static void the_json_has_the_same_numbers(void **state) {
    (void)state;
    icseg_run_comparison *c = two_groups();
    char *text = describe(c, ICSEG_COMPARISON_JSON);
    json_t *root = json_loads(text, 0, NULL), *b = json_array_get(json_object_get(root, "groups"), 1);
    assert_non_null(root);
    assert_string_equal(json_string_value(json_object_get(json_object_get(b, "settings"), "train.lr")), "2");
    const json_t *difference = json_object_get(json_object_get(b, "difference"), "miou");
    double wanted = c->groups[1].mean[0] - c->groups[0].mean[0];
    assert_true(fabs(json_number_value(json_object_get(difference, "value")) - wanted) < 1e-8);
    assert_true(fabs(json_number_value(json_object_get(difference, "low")) - c->groups[1].difference[0].low) < 1e-8);
    assert_true(json_is_null(json_object_get(difference, "deviation")));
    const json_t *run = json_array_get(json_object_get(b, "runs"), 0);
    assert_true(json_is_null(json_object_get(run, "step")));
    assert_true(json_number_value(json_array_get(json_object_get(run, "iou"), 1)) == 15.0 / 16);
    assert_true(json_is_null(json_object_get(json_array_get(json_object_get(root, "groups"), 0), "difference")));
    json_decref(root);
    icseg_free(text);
    icseg_run_comparison_close(&c);
}

static void the_csv_has_a_row_for_each_score(void **state) {
    (void)state;
    icseg_run_comparison *c = two_groups();
    char *text = describe(c, ICSEG_COMPARISON_CSV);
    int lines = 0;
    for (const char *at = text; *at; at++) lines += *at == '\n';
    assert_int_equal(lines, 1 + 2 * 5);
    has(text, "\nA,\"a,\"\"b\"\"\",1,miou,,0.540441176,,");
    has(text, "\nB,<i>&,1,iou,road,0.9375,,");
    icseg_free(text);
    icseg_run_comparison_close(&c);
}

static void the_page_is_escaped_and_complete(void **state) {
    (void)state;
#define IMAGE(pixels)                                                                                                  \
    "{\"version\": 1, \"images\": 1, \"classes\": [\"<x class\", \"<x b\"]}\n"                                         \
    "{\"image\": \"<x image\", \"pixels\": " pixels "}\n"
    make_run("<x 1", "data.folder=<x1", IMAGE("[[0,4,4,4]]"));
    make_run("<x 2", "data.folder=<x2", IMAGE("[[0,0,4,0],[1,0,0,4]]"));
    const char *runs[] = {run_path("<x 1"), run_path("<x 2")};
    icseg_run_comparison *c = compare(runs, 2, (icseg_compare_options){0});
    char *text = describe(c, ICSEG_COMPARISON_HTML);
    assert_null(strstr(text, "<x"));
    has(text, "&lt;x class");
    has(text, "&lt;x image");
    has(text, "&lt;x1");
    icseg_free(text);
    icseg_run_comparison_close(&c);
    c = two_groups();
    text = describe(c, ICSEG_COMPARISON_HTML);
    has(text, "Validation mIoU");
    has(text, "<td data-v=\"0.425\">+42.50</td>");
    has(text, "<th scope=\"row\" data-v=\"a.jpg\">a.jpg</th>");
    has(text, "</html>");
    icseg_free(text);
    icseg_run_comparison_close(&c);
}

static void one_group_has_intervals_of_its_scores(void **state) {
    (void)state;
    make_run("base", "train.seed=1", first_images);
    const char *runs[] = {run_path("base")};
    icseg_run_comparison *c = compare(runs, 1, (icseg_compare_options){0});
    char *text = describe(c, ICSEG_COMPARISON_TABLE), *page = describe(c, ICSEG_COMPARISON_HTML);
    has(text, "\nsky                                 37.50       0.00 to 50.00\n");
    has(page, "<h2>Scores</h2>");
    icseg_free(text);
    icseg_free(page);
    text = (char *)folder;
    assert_int_equal(icseg_run_comparison_text(c, ICSEG_COMPARISON_FORMS, &text, NULL), ICSEG_ERROR_ARGUMENT);
    assert_null(text);
    icseg_run_comparison_close(&c);
}

static void a_lack_of_memory_is_an_error(void **state) {
    (void)state;
    make_run("base", "train.lr=1", first_images);
    make_run("other", "train.lr=2", better_images);
    const char *runs[] = {run_path("base"), run_path("other")};
    icseg_compare_options options = {ICSEG_COMPARE_OPTIONS_INIT, .runs = runs, .run_count = 2, .resamples = 100};
    icseg_status status = ICSEG_ERROR_MEMORY;
    for (int64_t n = 0; n < 10000 && status != ICSEG_OK; n++) {
        icseg_run_comparison *c;
        char *text = NULL;
        icseg_memory_fail_after(n);
        status = icseg_run_comparison_open(&c, &options, NULL, NULL);
        for (int form = 0; form < ICSEG_COMPARISON_FORMS && status == ICSEG_OK; form++) {
            status = icseg_run_comparison_text(c, (icseg_comparison_form)form, &text, NULL);
            icseg_free(text);
        }
        if (!icseg_memory_fail_after(-1)) assert_int_equal(status, ICSEG_OK);
        if (status != ICSEG_OK) assert_int_equal(status, ICSEG_ERROR_MEMORY);
        icseg_run_comparison_close(&c);
    }
    assert_int_equal(status, ICSEG_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores_are_those_worked_out_by_hand),
        cmocka_unit_test(scores_are_those_of_the_confusion_matrix),
        cmocka_unit_test(the_bootstrap_agrees_with_a_naive_one),
        cmocka_unit_test(equal_runs_differ_in_no_resample),
        cmocka_unit_test(too_many_resamples_are_refused_before_memory_is_taken),
        cmocka_unit_test(runs_with_one_recipe_form_a_group),
        cmocka_unit_test(paths_count_unless_they_are_ignored),
        cmocka_unit_test(seeds_that_differ_are_not_paired),
        cmocka_unit_test(runs_are_paired_by_seed_and_not_by_their_order),
        cmocka_unit_test(runs_that_cannot_be_paired_are_refused),
        cmocka_unit_test(wrong_options_are_refused),
        cmocka_unit_test(more_groups_than_colours_are_refused),
        cmocka_unit_test(results_of_other_weights_are_noticed),
        cmocka_unit_test(the_table_has_scores_and_intervals),
        cmocka_unit_test(the_json_has_the_same_numbers),
        cmocka_unit_test(the_csv_has_a_row_for_each_score),
        cmocka_unit_test(the_page_is_escaped_and_complete),
        cmocka_unit_test(one_group_has_intervals_of_its_scores),
        cmocka_unit_test(a_lack_of_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
