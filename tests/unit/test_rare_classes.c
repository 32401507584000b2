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
#include "image/normalize.h"
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

/* -- pasted pixels */

enum { WHOLE = 12 };

typedef struct whole_image {
    uint8_t grey[PIXELS];
    int16_t labels[PIXELS];
} whole_image;

/* Samples that show whole images as they are: (WHOLE) in batches of one. */
static void run_whole(const set *s, const icseg_rare_classes *rare, double copy_paste, double flip, whole_image *out,
                      int64_t *sample) {
    static const float mean[3] = ICSEG_MEAN, std[3] = ICSEG_STD;
    icseg_loader_options o = options(rare, 0);
    icseg_loader *loader;
    icseg_error error;
    o.batch = 1;
    o.augment.crop_height = HEIGHT, o.augment.crop_width = WIDTH;
    o.augment.copy_paste = copy_paste;
    o.augment.flip = flip;
    if (icseg_loader_open(&loader, s->dataset, &o, &error) != ICSEG_OK) fail_msg("%s", error.message);
    for (int n = 0; n < WHOLE; n++) {
        icseg_loader_batch b;
        if (icseg_loader_next(loader, &b, &error) != ICSEG_OK) fail_msg("%s", error.message);
        sample[n] = b.sample[0];
        memcpy(out[n].labels, b.labels, sizeof out[n].labels);
        for (int i = 0; i < PIXELS; i++) {
            for (int c = 0; c < 3; c++) {
                long value = lrintf((b.image[3 * i + c] * std[c] + mean[c]) * 255);
                if (c == 0) out[n].grey[i] = (uint8_t)value;
                assert_int_equal(out[n].grey[i], value);
            }
        }
    }
    icseg_loader_close(&loader);
}

/* Pixel i of an image of set_open. */
static int label_at(int64_t image, int i) {
    if (image == 0) return i == 2 * WIDTH + 5;
    if (image == 1) return 0;
    return i < 8 ? 2 : i < 16 ? -1 : 0;
}

static void assert_pixel(const whole_image *w, int i, int64_t image, int shown) {
    int label = label_at(image, shown);
    assert_int_equal(w->labels[i], label);
    assert_int_equal(w->grey[i], 40 * image + 10 * (label < 0 ? 3 : label));
}

/* Only image 0 has the rarest class, b, in one pixel: it replaces that pixel of the other images, and image 0 has no
 * other image to paste from. */
static void the_pixel_of_the_rarest_class_is_pasted_onto_the_other_images(void **state) {
    (void)state;
    set s = set_open();
    icseg_rare_classes *rare = rare_open(&s, 1e-3);
    whole_image w[WHOLE];
    int64_t sample[WHOLE];
    run_whole(&s, rare, 1, 0, w, sample);
    for (int n = 0; n < WHOLE; n++)
        for (int i = 0; i < PIXELS; i++) assert_pixel(&w[n], i, i == 2 * WIDTH + 5 ? 0 : sample[n], i);
    icseg_rare_classes_close(&rare);
    set_close(&s);
}

static int mirrored(int i, bool flipped) { return flipped ? i / WIDTH * WIDTH + WIDTH - 1 - i % WIDTH : i; }

/* All three classes are equally probable, and both images may be mirrored: the pixels of one class come from another
 * image, and everything else, also what is unlabelled there, stays. */
static void pasted_pixels_are_those_of_one_class_of_another_image(void **state) {
    (void)state;
    set s = set_open();
    icseg_rare_classes *rare = rare_open(&s, 1e9);
    whole_image w[WHOLE], plain[WHOLE];
    int64_t sample[WHOLE], same[WHOLE];
    int pasted = 0, mirrors[2] = {0};
    run_whole(&s, NULL, 0, 0.5, plain, same);
    run_whole(&s, rare, 0.7, 0.5, w, sample);
    for (uint64_t n = 0; n < WHOLE; n++) {
        icseg_rare_choice choice = {.image = sample[n]};
        icseg_rng rng = icseg_rng_open(5, ICSEG_RNG_PASTE, n);
        bool pastes = icseg_rng_uniform(&rng) < 0.7f;
        assert_int_equal(sample[n], same[n]);
        for (int i = 0; i < 10 && pastes && choice.image == sample[n]; i++)
            choice = icseg_rare_classes_draw(rare, &rng);
        if (choice.image == sample[n]) {
            assert_memory_equal(&w[n], &plain[n], sizeof *w);
            continue;
        }
        icseg_rng_uniform(&rng); /* the scale */
        bool flipped = icseg_rng_uniform(&rng) < 0.5f;
        for (int i = 0; i < PIXELS; i++) {
            int from = mirrored(i, flipped);
            if (label_at(choice.image, from) == choice.class)
                assert_pixel(&w[n], i, choice.image, from);
            else
                assert_true(w[n].labels[i] == plain[n].labels[i] && w[n].grey[i] == plain[n].grey[i]);
        }
        pasted++;
        mirrors[flipped]++;
    }
    assert_true(pasted > 4 && pasted < WHOLE && mirrors[0] && mirrors[1]);
    icseg_rare_classes_close(&rare);
    set_close(&s);
}

static void pasted_samples_do_not_depend_on_threads_start_or_processes(void **state) {
    (void)state;
    set s = set_open();
    icseg_rare_classes *rare = rare_open(&s, 0.5);
    record *plain = calloc(1, sizeof *plain), *pasted = calloc(1, sizeof *pasted);
    icseg_loader_options o = options(rare, 0.5);
    run(&s, &o, plain);
    o.augment.copy_paste = 0.5;
    run(&s, &o, pasted);
    assert_reproducible(&s, o, pasted);
    assert_memory_equal(plain->sample, pasted->sample, sizeof plain->sample);
    assert_memory_not_equal(plain->labels, pasted->labels, sizeof plain->labels);
    free(plain), free(pasted);
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
        cmocka_unit_test(the_pixel_of_the_rarest_class_is_pasted_onto_the_other_images),
        cmocka_unit_test(pasted_pixels_are_those_of_one_class_of_another_image),
        cmocka_unit_test(pasted_samples_do_not_depend_on_threads_start_or_processes),
        cmocka_unit_test(a_loader_without_the_probabilities_is_an_error),
    };
    return cmocka_run_group_tests_name("rare_classes", tests, NULL, NULL);
}
