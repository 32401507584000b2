/* SPDX-License-Identifier: Apache-2.0
 * Generated scenes: reproducible, complete, of any size, not separable by colour; and the data set written from them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/memory.h"
#include "icseg/dataset.h"
#include "icseg/metrics.h"
#include "icseg/synth.h"
#include "support/dataset_files.h"

enum { K = ICSEG_SYNTH_CLASSES, WIDTH = 256, HEIGHT = 192 };

typedef struct scene {
    icseg_image image;
    icseg_labels labels;
} scene;

static scene make(uint64_t seed, uint64_t index, int width, int height) {
    scene s;
    icseg_error error = {0};
    icseg_synth_scene_options options = {ICSEG_SYNTH_SCENE_OPTIONS_INIT, seed, index, width, height};
    if (icseg_synth_scene(&options, &s.image, &s.labels, &error) != ICSEG_OK) fail_msg("%s", error.message);
    assert_int_equal(s.image.width, width);
    assert_int_equal(s.labels.height, height);
    return s;
}

static void drop(scene *s) {
    icseg_image_close(&s->image);
    icseg_labels_close(&s->labels);
}

static bool equal(const scene *a, const scene *b) {
    size_t pixels = (size_t)a->image.width * (size_t)a->image.height;
    return !memcmp(a->image.data, b->image.data, pixels * 3) &&
           !memcmp(a->labels.data, b->labels.data, pixels * sizeof *a->labels.data);
}

static void the_same_seed_and_index_give_the_same_bytes(void **state) {
    (void)state;
    scene a = make(5, 7, 128, 96), same = make(5, 7, 128, 96), seed = make(6, 7, 128, 96), index = make(5, 8, 128, 96);
    assert_true(equal(&a, &same));
    assert_false(equal(&a, &seed));
    assert_false(equal(&a, &index));
    drop(&a);
    drop(&same);
    drop(&seed);
    drop(&index);
}

static void class_names_are_one_to_three_distinct_words(void **state) {
    (void)state;
    const char *const *names = icseg_synth_class_names();
    for (int i = 0; i < K; i++) {
        int words = 1;
        for (const char *p = names[i]; *p; p++) words += *p == ' ';
        assert_in_range(words, 1, 3);
        for (int j = 0; j < i; j++) assert_string_not_equal(names[i], names[j]);
    }
}

static void every_class_is_frequent_and_none_dominates(void **state) {
    (void)state;
    enum { SCENES = 60 };
    int64_t pixels[K] = {0}, images[K] = {0};
    for (int i = 0; i < SCENES; i++) {
        scene s = make(1, (uint64_t)i, WIDTH, HEIGHT);
        int64_t here[K] = {0};
        for (int p = 0; p < WIDTH * HEIGHT; p++) {
            assert_in_range(s.labels.data[p], 0, K - 1);
            here[s.labels.data[p]]++;
        }
        for (int k = 0; k < K; k++) {
            pixels[k] += here[k];
            images[k] += here[k] >= 64;
        }
        drop(&s);
    }
    for (int k = 0; k < K; k++) {
        double share = (double)pixels[k] / ((double)SCENES * WIDTH * HEIGHT);
        if (share < 0.015 || share > 0.25)
            fail_msg("%s has %.2f %% of the pixels", icseg_synth_class_names()[k], 100 * share);
        if (images[k] < SCENES * 7 / 10)
            fail_msg("%s is in %d of %d scenes", icseg_synth_class_names()[k], (int)images[k], SCENES);
    }
}

static void any_size_from_64_to_4096_is_drawn_completely(void **state) {
    (void)state;
    static const int sizes[][2] = {{65, 97}, {640, 480}, {64, 64}, {97, 65}, {1200, 64}, {64, 700}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        scene s = make(2, i, sizes[i][0], sizes[i][1]);
        int64_t count[K] = {0};
        int different = 0;
        for (int p = 0; p < sizes[i][0] * sizes[i][1]; p++) {
            assert_in_range(s.labels.data[p], 0, K - 1);
            count[s.labels.data[p]]++;
        }
        for (int k = 0; k < K; k++) different += count[k] > 0;
        assert_true(different >= 7);
        assert_true(count[0] > 0); /* sky */
        drop(&s);
    }
}

static void sizes_out_of_range_are_refused(void **state) {
    (void)state;
    static const int sizes[][2] = {{63, 64}, {64, 63}, {4097, 64}, {64, 4097}, {-1, 64}, {-5, 100}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        scene s;
        icseg_error error = {0};
        icseg_synth_scene_options options = {ICSEG_SYNTH_SCENE_OPTIONS_INIT, .width = sizes[i][0],
                                             .height = sizes[i][1]};
        assert_int_equal(icseg_synth_scene(&options, &s.image, &s.labels, &error), ICSEG_ERROR_ARGUMENT);
        assert_non_null(strstr(error.message, "64 to 4096"));
        assert_string_equal(error.field, i == 1 || i == 3 ? "height" : "width");
        assert_null(s.image.data);
        assert_null(s.labels.data);
    }
}

static void null_arguments_are_refused_and_null_options_are_the_defaults(void **state) {
    (void)state;
    scene s;
    icseg_error error;
    assert_int_equal(icseg_synth_scene(NULL, NULL, &s.labels, &error), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_synth_scene(NULL, &s.image, NULL, &error), ICSEG_ERROR_ARGUMENT);
    assert_string_equal(error.message, "icseg_synth_scene: labels is NULL");
    assert_int_equal(icseg_synth_scene(&(icseg_synth_scene_options){0}, &s.image, &s.labels, &error),
                     ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_synth_scene(NULL, &s.image, &s.labels, &error), ICSEG_OK);
    scene same = make(0, 0, 256, 192);
    assert_true(equal(&s, &same));
    drop(&s);
    drop(&same);
}

static void add_color(double mean[K][3], int64_t count[K], const scene *s) {
    for (int p = 0; p < WIDTH * HEIGHT; p++) {
        int k = s->labels.data[p];
        for (int c = 0; c < 3; c++) mean[k][c] += s->image.data[p * 3 + c];
        count[k]++;
    }
}

static int nearest(double mean[K][3], const uint8_t *pixel) {
    int best = 0;
    double least = 1e30;
    for (int k = 0; k < K; k++) {
        double d = 0;
        for (int c = 0; c < 3; c++) d += (pixel[c] - mean[k][c]) * (pixel[c] - mean[k][c]);
        if (d < least) {
            least = d;
            best = k;
        }
    }
    return best;
}

static void the_nearest_mean_class_color_does_not_solve_held_out_scenes(void **state) {
    (void)state;
    enum { TRAIN = 40, HELD_OUT = 20 };
    double mean[K][3] = {{0}};
    int64_t count[K] = {0};
    for (int i = 0; i < TRAIN; i++) {
        scene s = make(3, (uint64_t)i, WIDTH, HEIGHT);
        add_color(mean, count, &s);
        drop(&s);
    }
    for (int k = 0; k < K; k++)
        for (int c = 0; c < 3; c++) mean[k][c] /= (double)count[k];
    icseg_confusion confusion;
    icseg_metrics metrics = {ICSEG_METRICS_INIT};
    assert_int_equal(icseg_confusion_create(&confusion, K, NULL), ICSEG_OK);
    for (int i = 0; i < HELD_OUT; i++) {
        scene s = make(3, (uint64_t)(1000 + i), WIDTH, HEIGHT);
        icseg_labels predicted;
        assert_int_equal(icseg_labels_create(&predicted, WIDTH, HEIGHT, NULL), ICSEG_OK);
        for (int p = 0; p < WIDTH * HEIGHT; p++)
            predicted.data[p] = (int16_t)nearest(mean, s.image.data + (size_t)p * 3);
        assert_int_equal(icseg_confusion_add(&confusion, &s.labels, &predicted, NULL), ICSEG_OK);
        icseg_labels_close(&predicted);
        drop(&s);
    }
    assert_int_equal(icseg_metrics_compute(&metrics, &confusion, NULL), ICSEG_OK);
    assert_int_equal(metrics.counted, K); /* so that all conventions agree */
    assert_true(metrics.miou > 0 && metrics.miou < 0.35 && metrics.miou_all < 0.35);
    icseg_metrics_close(&metrics);
    icseg_confusion_close(&confusion);
}

static icseg_synth_options small_set(const char *folder) {
    return (icseg_synth_options){
        ICSEG_SYNTH_OPTIONS_INIT, .folder = folder, .train = 3, .val = 2, .width = 80, .height = 64};
}

static void assert_same_files(const char *one, const char *two, const char *name) {
    char path[2][256];
    unsigned char *data[2];
    size_t size[2];
    snprintf(path[0], sizeof path[0], "%s/%s", one, name);
    snprintf(path[1], sizeof path[1], "%s/%s", two, name);
    for (int i = 0; i < 2; i++) assert_int_equal(icseg_file_read(path[i], 1 << 24, &data[i], &size[i], NULL), ICSEG_OK);
    assert_int_equal(size[0], size[1]);
    assert_memory_equal(data[0], data[1], size[0]);
    for (int i = 0; i < 2; i++) icseg_free(data[i]);
}

static void a_data_set_is_the_same_for_any_number_of_threads(void **state) {
    (void)state;
    test_folder f = test_dataset_open("");
    char one[128], three[128], name[64];
    snprintf(one, sizeof one, "%s/one", f.path);
    snprintf(three, sizeof three, "%s/a/b/three", f.path); /* parents are created */
    icseg_synth_options o = small_set(one);
    o.threads = 1;
    assert_int_equal(icseg_synth_write(&o, NULL, NULL), ICSEG_OK);
    o.folder = three;
    o.threads = 3;
    assert_int_equal(icseg_synth_write(&o, NULL, NULL), ICSEG_OK);
    for (int i = 0; i < 5; i++) {
        const char *split = i < 3 ? "train" : "val";
        snprintf(name, sizeof name, "images/%s/%06d.jpg", split, i % 3);
        assert_same_files(one, three, name);
        snprintf(name, sizeof name, "annotations/%s/%06d.png", split, i % 3);
        assert_same_files(one, three, name);
    }
    assert_same_files(one, three, "classes.txt");
    test_dataset_close(&f);
}

static void the_written_files_open_as_a_data_set_with_the_scenes_labels(void **state) {
    (void)state;
    test_folder f = test_dataset_open("");
    char folder[128];
    snprintf(folder, sizeof folder, "%s/out", f.path);
    icseg_synth_options o = small_set(folder);
    o.seed = 9;
    assert_int_equal(icseg_synth_write(&o, NULL, NULL), ICSEG_OK);
    icseg_dataset_options in = {ICSEG_DATASET_OPTIONS_INIT};
    icseg_dataset *d;
    icseg_dataset_summary summary = {ICSEG_DATASET_SUMMARY_INIT};
    icseg_error error = {0};
    in.folder = folder;
    in.split = "train";
    if (icseg_dataset_open(&d, &in, &error) != ICSEG_OK) fail_msg("%s", error.message);
    assert_int_equal(icseg_dataset_count(d), 3);
    assert_int_equal(icseg_dataset_classes(d), K);
    assert_string_equal(icseg_dataset_class_names(d)[K - 1], icseg_synth_class_names()[K - 1]);
    assert_int_equal(icseg_dataset_check(d, NULL, NULL, &summary, &error), ICSEG_OK);
    assert_int_equal(summary.problems, 0);
    icseg_dataset_summary_close(&summary);
    for (int i = 0; i < 3; i++) {
        scene read, made = make(9, (uint64_t)i, 80, 64);
        assert_int_equal(icseg_dataset_read(d, i, &read.image, &read.labels, &error), ICSEG_OK);
        assert_memory_equal(read.labels.data, made.labels.data, 80 * 64 * sizeof *made.labels.data);
        drop(&read);
        drop(&made);
    }
    icseg_dataset_close(&d);
    test_dataset_close(&f);
}

static void training_and_held_out_scenes_differ(void **state) {
    (void)state;
    test_folder f = test_dataset_open("");
    char folder[128], path[2][192];
    icseg_image image[2];
    snprintf(folder, sizeof folder, "%s/out", f.path);
    icseg_synth_options o = small_set(folder);
    assert_int_equal(icseg_synth_write(&o, NULL, NULL), ICSEG_OK);
    for (int i = 0; i < 2; i++) {
        snprintf(path[i], sizeof path[i], "%s/images/%s/000000.jpg", folder, i ? "val" : "train");
        assert_int_equal(icseg_image_read(&image[i], path[i], NULL), ICSEG_OK);
    }
    assert_memory_not_equal(image[0].data, image[1].data, 80 * 64 * 3);
    icseg_image_close(&image[0]);
    icseg_image_close(&image[1]);
    test_dataset_close(&f);
}

static void an_earlier_data_set_is_replaced_with_force_and_without_leftovers(void **state) {
    (void)state;
    test_folder f = test_dataset_open("");
    char folder[128], path[192], mine[192];
    snprintf(folder, sizeof folder, "%s/out", f.path);
    icseg_synth_options o = small_set(folder);
    assert_int_equal(icseg_synth_write(&o, NULL, NULL), ICSEG_OK);
    snprintf(mine, sizeof mine, "%s/images/train/mine.jpg", folder);
    assert_int_equal(icseg_file_write(mine, "x", 1, NULL), ICSEG_OK);
    o.train = 2;
    o.val = ICSEG_SYNTH_NO_IMAGES;
    icseg_error error = {0};
    assert_int_equal(icseg_synth_write(&o, NULL, &error), ICSEG_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "already contains a set of generated scenes"));
    assert_int_equal(error.remedy, ICSEG_REMEDY_OVERWRITE);
    snprintf(path, sizeof path, "%s/images/val/000000.jpg", folder);
    assert_true(icseg_file_exists(path));
    o.force = true;
    assert_int_equal(icseg_synth_write(&o, NULL, NULL), ICSEG_OK);
    static const char *const names[] = {"images/train/000001.jpg", "images/train/000002.jpg",
                                        "annotations/train/000002.png", "images/val/000000.jpg",
                                        "annotations/val/000001.png"};
    for (int i = 0; i < 5; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        assert_int_equal(icseg_file_exists(path), i == 0);
    }
    assert_true(icseg_file_exists(mine));                                 /* not a generated file */
    static const char *const empty[] = {"images/val", "annotations/val"}; /* splits without images */
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, empty[i]);
        assert_false(icseg_folder_exists(path));
    }
    test_dataset_close(&f);
}

static void a_folder_with_other_content_needs_force(void **state) {
    (void)state;
    test_folder f = test_dataset_open("");
    char folder[128], ours[192], theirs[192];
    icseg_error error = {0};
    snprintf(folder, sizeof folder, "%s/out", f.path);
    snprintf(ours, sizeof ours, "%s/images/train/000000.jpg", folder);
    snprintf(theirs, sizeof theirs, "%s/notes.txt", folder);
    icseg_synth_options o = small_set(folder);
    assert_int_equal(icseg_folder_create(folder, NULL), ICSEG_OK);
    test_write_text(&f, "out/notes.txt", "theirs");
    test_write_text(&f, "out/synth.json", "{\"generator\": \"another\"}");
    assert_int_equal(icseg_synth_write(&o, NULL, &error), ICSEG_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, folder));
    assert_string_equal(error.field, "force");
    assert_int_equal(error.remedy, ICSEG_REMEDY_OVERWRITE);
    assert_false(icseg_file_exists(ours));
    o.force = true;
    assert_int_equal(icseg_synth_write(&o, NULL, &error), ICSEG_OK);
    assert_true(icseg_file_exists(ours));
    assert_true(icseg_file_exists(theirs));
    test_dataset_close(&f);
}

static void a_users_data_set_is_never_replaced(void **state) {
    (void)state;
    test_folder f = test_dataset_open("sky\n"); /* with classes.txt */
    icseg_synth_options o = small_set(f.path);
    for (int i = 0; i < 2; i++) {
        icseg_error error = {0};
        o.force = i;
        assert_int_equal(icseg_synth_write(&o, NULL, &error), ICSEG_ERROR_ARGUMENT);
        assert_non_null(strstr(error.message, "is not a set of generated scenes"));
        assert_int_equal(error.remedy, ICSEG_REMEDY_NONE);
    }
    test_dataset_close(&f);
}

static void a_folder_that_cannot_be_written_is_an_error_that_names_it(void **state) {
    (void)state;
    test_folder f = test_dataset_open("");
    char path[192];
    icseg_error error = {0};
    test_write_text(&f, "file", "x");
    snprintf(path, sizeof path, "%s/file", f.path);
    icseg_synth_options o = small_set(path);
    assert_int_equal(icseg_synth_write(&o, NULL, &error), ICSEG_ERROR_IO);
    assert_non_null(strstr(error.message, path));
    snprintf(path, sizeof path, "%s/file/below", f.path);
    assert_int_equal(icseg_synth_write(&o, NULL, &error), ICSEG_ERROR_IO);
    assert_non_null(strstr(error.message, path));
    /* a folder in the place of an image: fails in the threads, even for root */
    snprintf(path, sizeof path, "%s/out", f.path);
    test_write_text(&f, "none", "");
    char taken[256];
    snprintf(taken, sizeof taken, "%s/images/train/000001.jpg/x", path);
    assert_int_equal(icseg_folder_create(taken, NULL), ICSEG_OK);
    test_write_text(&f, "out/synth.json", "{\"generator\": \"icseg synth\"}");
    o.force = true;
    assert_int_equal(icseg_synth_write(&o, NULL, &error), ICSEG_ERROR_IO);
    assert_non_null(strstr(error.message, "000001.jpg"));
    test_dataset_close(&f);
}

static void options_out_of_range_are_refused_before_anything_is_written(void **state) {
    (void)state;
    test_folder f = test_dataset_open("");
    char folder[128];
    snprintf(folder, sizeof folder, "%s/out", f.path);
    for (int i = 0; i < 9; i++) {
        icseg_synth_options o = small_set(folder);
        icseg_error error = {0};
        if (i == 0) o.train = -2;
        if (i == 1) o.train = o.val = ICSEG_SYNTH_NO_IMAGES;
        if (i == 2) o.val = ICSEG_SYNTH_MAX_IMAGES + 1;
        if (i == 3) o.width = 63;
        if (i == 4) o.height = 5000;
        if (i == 5) o.folder = "";
        if (i == 6) o.folder = NULL;
        if (i == 7) o.threads = -1;
        if (i == 8) o.struct_size = 8;
        assert_int_equal(icseg_synth_write(&o, NULL, &error), ICSEG_ERROR_ARGUMENT);
        assert_true(strlen(error.message) > 10);
        assert_false(icseg_folder_exists(folder));
    }
    icseg_error error;
    assert_int_equal(icseg_synth_write(NULL, NULL, &error), ICSEG_ERROR_ARGUMENT);
    assert_string_equal(error.message, "icseg_synth_write: options is NULL");
    test_dataset_close(&f);
}

static bool stop_at_two(void *user, const icseg_progress_event *event) {
    ++*(int *)user;
    assert_true(event->total == 40 && event->done <= event->total);
    return event->done < 2;
}

static void progress_can_cancel_the_run(void **state) {
    (void)state;
    test_folder f = test_dataset_open("");
    char folder[128], last[192];
    int calls = 0;
    icseg_error error = {0};
    icseg_progress progress = {ICSEG_PROGRESS_INIT, .report = stop_at_two, .user = &calls};
    snprintf(folder, sizeof folder, "%s/out", f.path);
    icseg_synth_options o = small_set(folder);
    o.train = 38;
    o.threads = 1;
    assert_int_equal(icseg_synth_write(&o, &progress, &error), ICSEG_ERROR_CANCELLED);
    assert_int_equal(calls, 2);
    snprintf(last, sizeof last, "%s/images/val/000001.jpg", folder);
    assert_false(icseg_file_exists(last));
    o.train = 3; /* the incomplete data set is recognised */
    o.force = true;
    assert_int_equal(icseg_synth_write(&o, NULL, &error), ICSEG_OK);
    test_dataset_close(&f);
}

static void a_failed_allocation_is_an_error_without_leftovers(void **state) {
    (void)state;
    const icseg_synth_scene_options small = {ICSEG_SYNTH_SCENE_OPTIONS_INIT, .width = 64, .height = 64};
    bool done = false;
    int64_t n = 0;
    for (; !done; n++) {
        scene s;
        icseg_error error = {0};
        assert_true(n < 100);
        icseg_memory_fail_after(n);
        icseg_status status = icseg_synth_scene(&small, &s.image, &s.labels, &error);
        icseg_memory_fail_after(-1);
        done = status == ICSEG_OK;
        if (!done) {
            assert_int_equal(status, ICSEG_ERROR_MEMORY);
            assert_null(s.image.data);
            assert_null(s.labels.data);
        }
        drop(&s);
    }
    assert_true(n > 2); /* some allocations failed */
    test_folder f = test_dataset_open("");
    char folder[128];
    snprintf(folder, sizeof folder, "%s/out", f.path);
    icseg_synth_options o = small_set(folder);
    o.train = o.val = o.threads = 1;
    done = false;
    for (n = 0; !done; n++) {
        icseg_error error = {0};
        assert_true(n < 1000);
        icseg_memory_fail_after(n);
        icseg_status status = icseg_synth_write(&o, NULL, &error);
        icseg_memory_fail_after(-1);
        done = status == ICSEG_OK;
        if (!done) assert_true(error.status == status && error.message[0]);
        o.force = true; /* the marker may be missing */
    }
    assert_true(n > 10); /* some allocations failed */
    test_dataset_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_seed_and_index_give_the_same_bytes),
        cmocka_unit_test(class_names_are_one_to_three_distinct_words),
        cmocka_unit_test(every_class_is_frequent_and_none_dominates),
        cmocka_unit_test(any_size_from_64_to_4096_is_drawn_completely),
        cmocka_unit_test(sizes_out_of_range_are_refused),
        cmocka_unit_test(null_arguments_are_refused_and_null_options_are_the_defaults),
        cmocka_unit_test(the_nearest_mean_class_color_does_not_solve_held_out_scenes),
        cmocka_unit_test(a_data_set_is_the_same_for_any_number_of_threads),
        cmocka_unit_test(the_written_files_open_as_a_data_set_with_the_scenes_labels),
        cmocka_unit_test(training_and_held_out_scenes_differ),
        cmocka_unit_test(an_earlier_data_set_is_replaced_with_force_and_without_leftovers),
        cmocka_unit_test(a_folder_with_other_content_needs_force),
        cmocka_unit_test(a_users_data_set_is_never_replaced),
        cmocka_unit_test(a_folder_that_cannot_be_written_is_an_error_that_names_it),
        cmocka_unit_test(options_out_of_range_are_refused_before_anything_is_written),
        cmocka_unit_test(progress_can_cancel_the_run),
        cmocka_unit_test(a_failed_allocation_is_an_error_without_leftovers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
