/* SPDX-License-Identifier: Apache-2.0
 * Rare classes: how often classes and images are drawn, and the samples that are made for them. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/memory.h"
#include "loader/loader.h"
#include "support/dataset_files.h"

enum { WIDTH = 8, HEIGHT = 4, PIXELS = WIDTH * HEIGHT, CROP = 4, BATCH = 4, STEPS = 50, DRAWS = 40000 };

typedef struct set {
    test_folder folder;
    icseg_dataset *dataset;
} set;

/* The image has the grey value 40 * stem[1]'s digit + 10 * label, so that a pixel shows where it comes from. */
static void write_pair(const set *s, const char *stem, const uint16_t labels[PIXELS]) {
    char name[64];
    uint16_t grey[PIXELS];
    for (int i = 0; i < PIXELS; i++)
        grey[i] = (uint16_t)(40 * (stem[1] - '0') + 10 * (labels[i] == 255 ? 3 : labels[i]));
    snprintf(name, sizeof name, "images/train/%s.png", stem);
    test_write_png(&s->folder, name, TEST_PNG_GREY, 8, WIDTH, HEIGHT, grey);
    snprintf(name, sizeof name, "annotations/train/%s.png", stem);
    test_write_png(&s->folder, name, TEST_PNG_GREY, 8, WIDTH, HEIGHT, labels);
}

static void open_dataset(set *s) {
    icseg_dataset_options o = {ICSEG_DATASET_OPTIONS_INIT, .folder = s->folder.path};
    icseg_error error;
    if (icseg_dataset_open(&s->dataset, &o, &error) != ICSEG_OK) fail_msg("%s", error.message);
}

/* Three images of 32 pixels. Class a: 79 pixels, in all of them; b: one pixel, in image 0; c: 8 pixels, in image 2,
 * where 8 are not labelled; d: none. */
static set set_open(void) {
    set s = {.folder = test_dataset_open("a\nb\nc\nd\n")};
    uint16_t labels[PIXELS] = {0};
    write_pair(&s, "i1", labels);
    labels[2 * WIDTH + 5] = 1;
    write_pair(&s, "i0", labels);
    for (int i = 0; i < PIXELS; i++) labels[i] = (uint16_t)(i < 8 ? 2 : i < 16 ? 255 : 0);
    write_pair(&s, "i2", labels);
    open_dataset(&s);
    return s;
}

static void set_close(set *s) {
    icseg_dataset_close(&s->dataset);
    test_dataset_close(&s->folder);
}

static icseg_rare_classes *rare_open(const set *s, double temperature) {
    icseg_rare_classes *rare;
    icseg_error error;
    if (icseg_rare_classes_open(&rare, s->dataset, temperature, 2, NULL, &error) != ICSEG_OK)
        fail_msg("%s", error.message);
    return rare;
}

static void rare_classes_are_drawn_as_the_formula_says(void **state) {
    (void)state;
    set s = set_open();
    const double temperature = 0.5,
                 weight[3] = {exp((1 - 79 / 88.0) / 0.5), exp((1 - 1 / 88.0) / 0.5), exp((1 - 8 / 88.0) / 0.5)};
    const double sum = weight[0] + weight[1] + weight[2];
    icseg_rare_classes *rare = rare_open(&s, temperature);
    int drawn[4] = {0}, images[3] = {0};
    for (uint64_t n = 0; n < DRAWS; n++) {
        icseg_rng rng = icseg_rng_open(1, ICSEG_RNG_TEST, n);
        icseg_rare_choice choice = icseg_rare_classes_draw(rare, &rng);
        drawn[choice.class]++;
        if (choice.class == 0) images[choice.image]++;
        if (choice.class == 1) assert_int_equal(choice.image, 0);
        if (choice.class == 2) assert_int_equal(choice.image, 2);
    }
    for (int k = 0; k < 3; k++) {
        assert_true(fabs(icseg_rare_classes_probability(rare, k) - weight[k] / sum) < 1e-12);
        assert_true(fabs(drawn[k] / (double)DRAWS - weight[k] / sum) < 0.01);
        assert_true(fabs(images[k] / (double)drawn[0] - 1 / 3.0) < 0.03);
    }
    assert_true(icseg_rare_classes_probability(rare, 3) == 0 && drawn[3] == 0);
    icseg_rare_classes_close(&rare);
    set_close(&s);
}

static void a_low_temperature_draws_the_rarest_class_only(void **state) {
    (void)state;
    set s = set_open();
    const double temperature[] = {1e-3, 1e-300};
    for (int t = 0; t < 2; t++) {
        icseg_rare_classes *rare = rare_open(&s, temperature[t]);
        assert_true(icseg_rare_classes_probability(rare, 1) > 1 - 1e-12);
        for (uint64_t n = 0; n < 1000; n++) {
            icseg_rng rng = icseg_rng_open(1, ICSEG_RNG_TEST, n);
            assert_int_equal(icseg_rare_classes_draw(rare, &rng).class, 1);
        }
        icseg_rare_classes_close(&rare);
    }
    set_close(&s);
}

static void without_labelled_pixels_no_class_can_be_drawn(void **state) {
    (void)state;
    set s = {.folder = test_dataset_open("a\nb\n")};
    uint16_t none[PIXELS];
    for (int i = 0; i < PIXELS; i++) none[i] = 255;
    write_pair(&s, "i0", none);
    open_dataset(&s);
    icseg_rare_classes *rare;
    icseg_error error;
    assert_int_equal(icseg_rare_classes_open(&rare, s.dataset, 1, 2, NULL, &error), ICSEG_ERROR_DATA);
    assert_null(rare);
    assert_non_null(strstr(error.message, "no training image has a labelled pixel"));
    set_close(&s);
}

static void memory_that_is_missing_is_an_error(void **state) {
    (void)state;
    set s = set_open();
    icseg_status status = ICSEG_ERROR_MEMORY;
    for (int64_t n = 0; status != ICSEG_OK; n++) {
        icseg_rare_classes *rare;
        icseg_memory_fail_after(n);
        status = icseg_rare_classes_open(&rare, s.dataset, 1, 1, NULL, NULL);
        icseg_memory_fail_after(-1);
        assert_int_equal(rare == NULL, status != ICSEG_OK);
        if (status != ICSEG_OK) assert_int_equal(status, ICSEG_ERROR_MEMORY);
        icseg_rare_classes_close(&rare);
        assert_true(n < 1000);
    }
    set_close(&s);
}

/* -- samples */

typedef struct record {
    float image[STEPS][BATCH][CROP * CROP * 3];
    int16_t labels[STEPS][BATCH][CROP * CROP];
    int64_t sample[STEPS][BATCH];
} record;

static icseg_loader_options options(const icseg_rare_classes *rare, double rare_samples) {
    icseg_loader_options o = {
        .augment = icseg_augment_options_default(), .batch = BATCH, .threads = 2, .ahead = 3, .seed = 5, .rare = rare};
    o.augment.crop_height = o.augment.crop_width = CROP;
    o.augment.resize_short = o.augment.resize_long = 0;
    o.augment.scale_min = o.augment.scale_max = 1;
    o.augment.photometric = false;
    o.augment.rare_samples = rare_samples;
    return o;
}

/* The steps from o->first_step on; with o->shares, the part of the batch. */
static void run(const set *s, const icseg_loader_options *o, record *r) {
    icseg_loader *loader;
    icseg_error error;
    if (icseg_loader_open(&loader, s->dataset, o, &error) != ICSEG_OK) fail_msg("%s", error.message);
    for (int64_t step = o->first_step; step < STEPS; step++) {
        icseg_loader_batch b;
        if (icseg_loader_next(loader, &b, &error) != ICSEG_OK) fail_msg("%s", error.message);
        int32_t at = o->share * o->batch;
        memcpy(r->image[step][at], b.image, sizeof r->image[0][0] * (size_t)b.size);
        memcpy(r->labels[step][at], b.labels, sizeof r->labels[0][0] * (size_t)b.size);
        memcpy(&r->sample[step][at], b.sample, sizeof r->sample[0][0] * (size_t)b.size);
    }
    icseg_loader_close(&loader);
}

static void assert_same_from(const record *a, const record *b, int64_t step) {
    size_t steps = (size_t)(STEPS - step);
    assert_memory_equal(a->image[step], b->image[step], steps * sizeof a->image[0]);
    assert_memory_equal(a->labels[step], b->labels[step], steps * sizeof a->labels[0]);
    assert_memory_equal(a->sample[step], b->sample[step], steps * sizeof a->sample[0]);
}

/* Whatever the number of threads, the first step and the number of processes are. */
static void assert_reproducible(const set *s, icseg_loader_options o, const record *first) {
    record *again = calloc(1, sizeof *again);
    for (int64_t start = 0; start < STEPS; start += 17) {
        o.threads = 1 + (int32_t)start % 4;
        o.first_step = start;
        run(s, &o, again);
        assert_same_from(first, again, start);
    }
    memset(again, 0, sizeof *again);
    o.first_step = 0;
    o.shares = 2;
    o.batch = BATCH / 2;
    for (o.share = 0; o.share < 2; o.share++) run(s, &o, again);
    assert_same_from(first, again, 0);
    free(again);
}

static bool has(const int16_t labels[CROP * CROP], int16_t class) {
    for (int i = 0; i < CROP * CROP; i++)
        if (labels[i] == class) return true;
    return false;
}

static void samples_are_chosen_for_rare_classes(void **state) {
    (void)state;
    set s = set_open();
    icseg_rare_classes *rare = rare_open(&s, 0.5);
    record *plain = calloc(1, sizeof *plain), *all = calloc(1, sizeof *all), *some = calloc(1, sizeof *some);
    icseg_loader_options o = options(NULL, 0);
    run(&s, &o, plain);
    o = options(rare, 0.4);
    run(&s, &o, some);
    assert_reproducible(&s, o, some);
    o = options(rare, 1);
    run(&s, &o, all);
    assert_reproducible(&s, o, all);
    int chosen = 0;
    for (uint64_t n = 0; n < STEPS * BATCH; n++) {
        uint64_t step = n / BATCH, at = n % BATCH;
        icseg_rng rng = icseg_rng_open(o.seed, ICSEG_RNG_RARE, n);
        bool is_chosen = icseg_rng_uniform(&rng) < 0.4f;
        icseg_rare_choice choice = icseg_rare_classes_draw(rare, &rng);
        assert_int_equal(all->sample[step][at], choice.image);
        assert_true(has(all->labels[step][at], (int16_t)choice.class));
        assert_int_equal(some->sample[step][at], is_chosen ? choice.image : plain->sample[step][at]);
        assert_memory_equal(some->image[step][at], (is_chosen ? all : plain)->image[step][at], sizeof all->image[0][0]);
        chosen += is_chosen;
    }
    assert_in_range(chosen, 60, 100);
    free(plain), free(all), free(some);
    icseg_rare_classes_close(&rare);
    set_close(&s);
}

static void a_loader_without_the_probabilities_is_an_error(void **state) {
    (void)state;
    set s = set_open();
    icseg_loader *loader;
    icseg_error error;
    icseg_loader_options o = options(NULL, 0.5);
    assert_int_equal(icseg_loader_open(&loader, s.dataset, &o, &error), ICSEG_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "the probabilities of rare classes are missing"));
    set_close(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rare_classes_are_drawn_as_the_formula_says),
        cmocka_unit_test(a_low_temperature_draws_the_rarest_class_only),
        cmocka_unit_test(without_labelled_pixels_no_class_can_be_drawn),
        cmocka_unit_test(memory_that_is_missing_is_an_error),
        cmocka_unit_test(samples_are_chosen_for_rare_classes),
        cmocka_unit_test(a_loader_without_the_probabilities_is_an_error),
    };
    return cmocka_run_group_tests_name("rare_classes", tests, NULL, NULL);
}
