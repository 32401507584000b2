/* SPDX-License-Identifier: Apache-2.0
 * The loader: batches do not depend on threads or the first step; errors are reported with their batch; clean shutdown.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/memory.h"
#include "loader/loader.h"
#include "support/dataset_files.h"

enum { IMAGES = 7, CROP = 16, BATCH = 3, STEPS = 8 };

typedef struct set {
    test_folder folder;
    icseg_dataset *dataset;
} set;

static set set_open(void) {
    set s = {.folder = test_dataset_open("a\nb\nc\n")};
    for (int i = 0; i < IMAGES; i++) {
        char stem[16];
        snprintf(stem, sizeof stem, "i%d", i);
        test_write_pair(&s.folder, stem, 20 + 3 * i, 30 - 2 * i, 3, i);
    }
    icseg_dataset_options o = {ICSEG_DATASET_OPTIONS_INIT};
    o.folder = s.folder.path;
    assert_int_equal(icseg_dataset_open(&s.dataset, &o, NULL), ICSEG_OK);
    return s;
}

static void set_close(set *s) {
    icseg_dataset_close(&s->dataset);
    test_dataset_close(&s->folder);
}

static icseg_loader_options options(int threads, int ahead, int64_t first_step) {
    icseg_loader_options o = {.augment = icseg_augment_options_default(),
                              .batch = BATCH,
                              .threads = threads,
                              .ahead = ahead,
                              .seed = 11,
                              .first_step = first_step};
    o.augment.crop_height = o.augment.crop_width = CROP;
    o.augment.resize_short = 24;
    o.augment.resize_long = 64;
    return o;
}

/* Steps first..STEPS-1 in order. */
typedef struct record {
    float image[STEPS][BATCH * CROP * CROP * 3];
    int16_t labels[STEPS][BATCH * CROP * CROP];
    int64_t sample[STEPS][BATCH];
} record;

static record *run(const set *s, const icseg_loader_options *o) {
    record *r = calloc(1, sizeof *r);
    icseg_loader *loader;
    icseg_error error = {0};
    if (icseg_loader_open(&loader, s->dataset, o, &error) != ICSEG_OK) fail_msg("%s", error.message);
    for (int64_t step = o->first_step; step < STEPS; step++) {
        icseg_loader_batch b;
        if (icseg_loader_next(loader, &b, &error) != ICSEG_OK) fail_msg("%s", error.message);
        assert_true(b.step == step && b.size == BATCH);
        memcpy(r->image[step], b.image, sizeof r->image[step]);
        memcpy(r->labels[step], b.labels, sizeof r->labels[step]);
        memcpy(r->sample[step], b.sample, sizeof r->sample[step]);
    }
    icseg_loader_close(&loader);
    assert_null(loader);
    return r;
}

static void batches_do_not_depend_on_threads_or_start(void **state) {
    (void)state;
    set s = set_open();
    icseg_loader_options o = options(1, 1, 0);
    record *first = run(&s, &o);
    const int32_t threads[] = {1, 4, 2, 4}, ahead[] = {5, 1, 3, 20};
    for (int k = 0; k < 4; k++) {
        o = options(threads[k], ahead[k], 0);
        record *repeated = run(&s, &o);
        assert_memory_equal(first, repeated, sizeof *first);
        free(repeated);
        for (int64_t start = 1; start < STEPS; start += 3) {
            o = options(threads[k], ahead[k], start);
            record *resumed = run(&s, &o);
            assert_memory_equal(first->image[start], resumed->image[start],
                                sizeof first->image[0] * (size_t)(STEPS - start));
            assert_memory_equal(first->labels[start], resumed->labels[start],
                                sizeof first->labels[0] * (size_t)(STEPS - start));
            assert_memory_equal(first->sample[start], resumed->sample[start],
                                sizeof first->sample[0] * (size_t)(STEPS - start));
            free(resumed);
        }
    }
    o.seed = 12;
    o.first_step = 0;
    record *other = run(&s, &o);
    assert_memory_not_equal(first->image, other->image, sizeof first->image);
    free(other);
    free(first);
    set_close(&s);
}

static void every_epoch_contains_each_image_once_in_a_new_order(void **state) {
    (void)state;
    set s = set_open();
    icseg_loader_options o = options(2, 2, 0);
    record *r = run(&s, &o);
    const int64_t *order = &r->sample[0][0];
    for (int epoch = 0; epoch < 3; epoch++) {
        int seen = 0;
        for (int i = 0; i < IMAGES; i++) seen |= 1 << order[epoch * IMAGES + i];
        assert_int_equal(seen, (1 << IMAGES) - 1);
    }
    assert_memory_not_equal(order, order + IMAGES, IMAGES * sizeof *order);
    free(r);
    set_close(&s);
}

static void each_sample_equals_a_direct_augmentation(void **state) {
    (void)state;
    set s = set_open();
    icseg_loader_options o = options(2, 2, 0);
    record *r = run(&s, &o);
    for (uint64_t n = 0; n < STEPS * BATCH; n++) { /* sample n is a function of (seed, n) alone */
        float image[CROP * CROP * 3];
        int16_t labels[CROP * CROP];
        icseg_image source;
        icseg_labels map;
        icseg_rng rng = icseg_rng_open(o.seed, ICSEG_RNG_AUGMENT, n);
        int64_t index = r->sample[n / BATCH][n % BATCH];
        assert_int_equal(icseg_dataset_read(s.dataset, index, &source, &map, NULL), ICSEG_OK);
        assert_int_equal(
            icseg_augment(&o.augment, &rng, &(icseg_augment_source){&source, &map, -1}, image, labels, NULL), ICSEG_OK);
        assert_memory_equal(image, r->image[n / BATCH] + n % BATCH * CROP * CROP * 3, sizeof image);
        assert_memory_equal(labels, r->labels[n / BATCH] + n % BATCH * CROP * CROP, sizeof labels);
        icseg_image_close(&source);
        icseg_labels_close(&map);
    }
    free(r);
    set_close(&s);
}

static void a_damaged_file_is_named_with_its_batch(void **state) {
    (void)state;
    set s = set_open();
    icseg_loader_options o = options(1, 1, 0);
    record *fine = run(&s, &o);
    test_truncate(&s.folder, "images/train/i3.png", 100); /* after the data set was opened */
    test_write_pair(&s.folder, "i5", 35, 20, 9, 0);       /* labels out of range */
    for (int threads = 1; threads <= 4; threads += 3) {
        icseg_loader *loader;
        o = options(threads, 3, 0);
        assert_int_equal(icseg_loader_open(&loader, s.dataset, &o, NULL), ICSEG_OK);
        for (int step = 0; step < STEPS; step++) {
            int64_t bad = -1; /* the first bad one of the batch is reported */
            for (int i = BATCH - 1; i >= 0; i--)
                if (fine->sample[step][i] == 3 || fine->sample[step][i] == 5) bad = fine->sample[step][i];
            icseg_loader_batch b;
            icseg_error error = {0};
            icseg_status status = icseg_loader_next(loader, &b, &error);
            if (bad < 0) {
                assert_int_equal(status, ICSEG_OK);
                assert_int_equal(b.step, step);
                assert_memory_equal(b.image, fine->image[step], sizeof fine->image[step]);
            } else {
                assert_int_not_equal(status, ICSEG_OK);
                assert_null(b.image);
                assert_non_null(strstr(error.message, bad == 3 ? "images/train/i3.png" : "annotations/train/i5.png"));
                if (bad == 5) assert_non_null(strstr(error.message, "value 3 at x="));
            }
        }
        icseg_loader_close(&loader);
    }
    free(fine);
    set_close(&s);
}

static void closing_stops_the_threads_at_any_time(void **state) {
    (void)state;
    set s = set_open();
    icseg_loader *loader;
    icseg_loader_batch b;
    for (int taken = 0; taken < 12; taken++) {
        icseg_loader_options o = options(1 + taken % 4, 1 + taken % 3, taken);
        assert_int_equal(icseg_loader_open(&loader, s.dataset, &o, NULL), ICSEG_OK);
        for (int i = 0; i < taken / 2; i++) assert_int_equal(icseg_loader_next(loader, &b, NULL), ICSEG_OK);
        if (taken % 2) usleep(20000); /* the threads are probably waiting for a free slot now */
        icseg_loader_close(&loader);
        icseg_loader_close(&loader);
    }
    icseg_loader_close(NULL);
    set_close(&s);
}

static void invalid_options_are_refused(void **state) {
    (void)state;
    set s = set_open();
    icseg_loader *loader;
    icseg_error error;
#define assert_refused(change, text)                                                                                   \
    do {                                                                                                               \
        icseg_loader_options o = options(1, 1, 0);                                                                     \
        o.change;                                                                                                      \
        assert_int_equal(icseg_loader_open(&loader, s.dataset, &o, &error), ICSEG_ERROR_ARGUMENT);                     \
        assert_null(loader);                                                                                           \
        assert_non_null(strstr(error.message, text));                                                                  \
    } while (0)
    assert_refused(batch = 0, "batch is 0");
    assert_refused(threads = 1000, "threads is 1000; expected 1 to 256");
    assert_refused(ahead = -1, "ahead is -1");
    assert_refused(first_step = -1, "first_step");
    assert_refused(first_step = INT64_MAX, "first_step");
    assert_refused(augment.flip = 2, "flip: 2");
    set_close(&s);
}

static void a_data_set_without_labels_is_refused(void **state) {
    (void)state;
    set s = set_open();
    icseg_dataset *unlabelled;
    icseg_loader *loader;
    icseg_error error;
    icseg_dataset_options o = {ICSEG_DATASET_OPTIONS_INIT};
    o.folder = s.folder.path;
    o.images_only = true;
    assert_int_equal(icseg_dataset_open(&unlabelled, &o, NULL), ICSEG_OK);
    icseg_loader_options l = options(1, 1, 0);
    assert_int_equal(icseg_loader_open(&loader, unlabelled, &l, &error), ICSEG_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "without labels"));
    icseg_dataset_close(&unlabelled);
    set_close(&s);
}

static void running_out_of_memory_is_an_error_each_time(void **state) {
    (void)state;
    set s = set_open();
    int failed = 0;
    for (int n = 0; n < 60; n++) {
        icseg_loader *loader;
        icseg_loader_batch b;
        icseg_loader_options o = options(2, 2, 0);
        icseg_memory_fail_after(n);
        icseg_status status = icseg_loader_open(&loader, s.dataset, &o, NULL);
        if (status == ICSEG_OK) status = icseg_loader_next(loader, &b, NULL);
        icseg_memory_fail_after(-1);
        icseg_loader_close(&loader);
        failed += status != ICSEG_OK;
        if (status != ICSEG_OK) assert_int_equal(status, ICSEG_ERROR_MEMORY);
    }
    assert_true(failed > 10);
    set_close(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batches_do_not_depend_on_threads_or_start),
        cmocka_unit_test(every_epoch_contains_each_image_once_in_a_new_order),
        cmocka_unit_test(each_sample_equals_a_direct_augmentation),
        cmocka_unit_test(a_damaged_file_is_named_with_its_batch),
        cmocka_unit_test(closing_stops_the_threads_at_any_time),
        cmocka_unit_test(invalid_options_are_refused),
        cmocka_unit_test(a_data_set_without_labels_is_refused),
        cmocka_unit_test(running_out_of_memory_is_an_error_each_time),
    };
    return cmocka_run_group_tests_name("loader", tests, NULL, NULL);
}
