/* SPDX-License-Identifier: Apache-2.0
 * Dividing a data set into splits: shares of images and pixels, groups, files, bad input. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/memory.h"
#include "dataset/stratify.h"
#include "icseg/split.h"
#include "support/dataset_files.h"

static test_folder folder;
static icseg_split_summary summary;
static icseg_error error;
static char said[1024]; /* the messages of the last division */

static int open_folder(void **state) {
    (void)state;
    folder = test_dataset_open("sky\nroad\ncar\n");
    summary = (icseg_split_summary){ICSEG_SPLIT_SUMMARY_INIT};
    return 0;
}

static int close_folder(void **state) {
    (void)state;
    icseg_split_summary_close(&summary);
    test_dataset_close(&folder);
    return 0;
}

/* An image of 10 x 1 pixels: `road` of class 1, `car` of class 2, the others of class 0. */
static void add(const char *split, const char *stem, int road, int car) {
    char name[128];
    uint16_t grey[10], labels[10];
    for (int i = 0; i < 10; i++) {
        grey[i] = (uint16_t)(stem[0] + i);
        labels[i] = (uint16_t)(i < road ? 1 : i < road + car ? 2 : 0);
    }
    snprintf(name, sizeof name, "images%s%s/%s.png", *split ? "/" : "", split, stem);
    test_write_png(&folder, name, TEST_PNG_GREY, 8, 10, 1, grey);
    snprintf(name, sizeof name, "annotations%s%s/%s.png", *split ? "/" : "", split, stem);
    test_write_png(&folder, name, TEST_PNG_GREY, 8, 10, 1, labels);
}

static void say(void *user, icseg_message_level level, const char *text) {
    (void)user, (void)level;
    snprintf(said + strlen(said), sizeof said - strlen(said), "%s\n", text);
}

static icseg_status divide_set(const icseg_split_options *options, const char *split) {
    icseg_dataset_options data = {ICSEG_DATASET_OPTIONS_INIT, .folder = folder.path, .split = split};
    icseg_progress progress = {ICSEG_PROGRESS_INIT, .message = say};
    said[0] = '\0';
    icseg_split_summary_close(&summary);
    return icseg_dataset_split(&data, options, &progress, &summary, &error);
}

static void divides(const icseg_split_options *options) {
    if (divide_set(options, NULL) != ICSEG_OK) fail_msg("%s", error.message);
}

static void refuses(const icseg_split_options *options, const char *split, icseg_status status, const char *piece) {
    assert_int_equal(divide_set(options, split), status);
    if (!strstr(error.message, piece)) fail_msg("'%s' is not in: %s", piece, error.message);
    assert_int_equal(summary.splits, 0);
    assert_null(summary.names);
}

static bool is_there(const char *name) { return icseg_file_exists(test_path(&folder, name)); }

/* The number of images called PREFIX... in a split of the new data set `new`. */
static int count(const char *new, const char *split, const char *prefix) {
    char path[128], **names;
    size_t all;
    int found = 0;
    snprintf(path, sizeof path, "%s/images/%s", new, split);
    if (!icseg_folder_exists(test_path(&folder, path))) return 0;
    assert_int_equal(icseg_folder_list(test_path(&folder, path), &names, &all, NULL), ICSEG_OK);
    for (size_t i = 0; i < all; i++) {
        found += !strncmp(names[i], prefix, strlen(prefix));
        snprintf(path, sizeof path, "%s/annotations/%s/%s", new, split, names[i]);
        assert_true(is_there(path));
    }
    icseg_free(names);
    return found;
}

static void every_split_gets_its_share_of_every_class(void **state) {
    (void)state;
    char out[128], stem[16];
    for (int i = 0; i < 20; i++) { /* a car in five of twenty, 1 to 5 pixels; road in ten */
        snprintf(stem, sizeof stem, "im%02d", i);
        add("train", stem, i % 2 ? 4 : 0, i % 4 == 0 ? i / 4 + 1 : 0);
    }
    snprintf(out, sizeof out, "%s", test_path(&folder, "out"));
    icseg_split_options o = {ICSEG_SPLIT_OPTIONS_INIT, .out = out, .val = 0.2, .test = 0.2, .threads = 2};
    divides(&o);
    assert_string_equal(said, "");
    assert_int_equal(summary.splits, 3);
    assert_int_equal(summary.classes, 3);
    assert_int_equal(summary.groups, 20);
    assert_string_equal(summary.names[0], "train");
    assert_string_equal(summary.names[1], "val");
    assert_string_equal(summary.names[2], "test");
    assert_string_equal(summary.class_names[2], "car");
    const int64_t totals[] = {145, 40, 15};
    const double shares[] = {0.6, 0.2, 0.2};
    int64_t images = 0;
    for (int split = 0; split < 3; split++) {
        assert_int_equal(count("out", summary.names[split], "im"), summary.images[split]);
        assert_true(summary.images[split] >= 20 * shares[split] - 1 && summary.images[split] <= 20 * shares[split] + 1);
        images += summary.images[split];
        for (int k = 0; k < 3; k++) {
            double share = (double)summary.class_pixels[split * 3 + k] / (double)totals[k];
            if (share < shares[split] - 0.1 || share > shares[split] + 0.1) /* one car more is 7 % to 33 % of all */
                fail_msg("split %d has %.3f of class %d", split, share, k);
            assert_true(summary.class_images[split * 3 + k] > 0);
        }
    }
    assert_int_equal(images, 20);
    assert_true(is_there("out/classes.txt"));
    assert_int_equal(count(".", "train", "im"), 20); /* the source is as it was */
}

static void the_same_seed_divides_alike_and_another_differently(void **state) {
    (void)state;
    icseg_split_options o = {ICSEG_SPLIT_OPTIONS_INIT, .val = 0.25};
    char out[128], stem[16], chosen[4][64];
    for (int i = 0; i < 16; i++) {
        snprintf(stem, sizeof stem, "%c%d", 'p' - i, i); /* created in another order than that of the names */
        add("train", stem, 5, 0);
    }
    for (int turn = 0; turn < 4; turn++) {
        snprintf(stem, sizeof stem, "out%d", turn);
        snprintf(out, sizeof out, "%s", test_path(&folder, stem));
        o.out = out;
        o.seed = turn == 2 ? 1 : 0;
        o.threads = 1 + turn % 2;
        o.link = turn == 3;
        divides(&o);
        assert_int_equal(summary.images[1], 4);
        chosen[turn][0] = '\0';
        for (char c = 'a'; c <= 'p'; c++)
            if (count(stem, "val", (char[]){c, 0})) strcat(chosen[turn], (char[]){c, 0});
    }
    assert_string_equal(chosen[0], chosen[1]);
    assert_string_equal(chosen[0], chosen[3]);
    assert_string_not_equal(chosen[0], chosen[2]);
    assert_string_equal(chosen[0], "bdjk"); /* on every machine */
    struct stat a, b;
    char name[64];
    snprintf(name, sizeof name, "out3/images/val/%c%d.png", chosen[0][0], 'p' - chosen[0][0]);
    assert_int_equal(stat(test_path(&folder, name), &a), 0);
    snprintf(name, sizeof name, "images/train/%c%d.png", chosen[0][0], 'p' - chosen[0][0]);
    assert_int_equal(stat(test_path(&folder, name), &b), 0);
    assert_true(a.st_ino == b.st_ino); /* a link */
}

static void images_of_a_group_stay_together(void **state) {
    (void)state;
    static const char *const sequences[] = {"seq-a", "seq-b", "seq-c", "seq-d"};
    icseg_split_options o = {ICSEG_SPLIT_OPTIONS_INIT, .val = 0.25, .group = ICSEG_SPLIT_PREFIX};
    char out[128], stem[32];
    for (int i = 0; i < 12; i++) {
        snprintf(stem, sizeof stem, "%s_%03d", sequences[i / 3], i);
        add("train", stem, 5, i == 0);
    }
    for (int turn = 0; turn < 2; turn++) {
        snprintf(stem, sizeof stem, "out%d", turn);
        snprintf(out, sizeof out, "%s", test_path(&folder, stem));
        o.out = out;
        divides(&o);
        assert_int_equal(summary.groups, 4);
        assert_int_equal(summary.images[1], 3);
        for (int s = 0; s < 4; s++) assert_int_equal(count(stem, "val", sequences[s]) % 3, 0);
        assert_int_equal(count(stem, "train", "seq-a"), 3); /* the only one with a car */
        assert_non_null(strstr(said, "1 of 3 classes is missing in the split val: \"car\"; too few groups contain it"));
        o.group = "^(seq-[a-z])_[0-9]+$"; /* the same */
    }
    o.out = NULL;
    o.group = "^seq"; /* one group */
    refuses(&o, NULL, ICSEG_ERROR_DATA, "the names of 12 images make 1 group, too few for 2 splits");
    o.group = "seq-[abc]";
    refuses(&o, NULL, ICSEG_ERROR_DATA, "seq-d_009.png: the name does not match the pattern");
    o.group = "(";
    refuses(&o, NULL, ICSEG_ERROR_ARGUMENT, "group: \"(\" is not an extended regular expression");
    assert_string_equal(error.field, "group");
}

static void a_class_of_two_images_is_in_both_splits(void **state) {
    (void)state;
    icseg_split_options o = {ICSEG_SPLIT_OPTIONS_INIT, .val = 0.1};
    char stem[16];
    for (int i = 0; i < 10; i++) {
        snprintf(stem, sizeof stem, "%d", i);
        add("train", stem, 5, i == 3 || i == 7 ? 2 : 0);
    }
    for (o.seed = 0; o.seed < 8; o.seed++) {
        divides(&o);
        assert_int_equal(summary.class_images[2], 1);
        assert_int_equal(summary.class_images[3 + 2], 1);
    }
}

static void no_split_is_empty(void **state) {
    (void)state;
    icseg_split_options o = {ICSEG_SPLIT_OPTIONS_INIT, .val = 1e-6, .test = 1e-6};
    for (int i = 0; i < 3; i++) add("train", (char[]){(char)('a' + i), 0}, 0, 0);
    divides(&o);
    for (int i = 0; i < 3; i++) assert_int_equal(summary.images[i], 1);
    test_remove(&folder, "images/train/c.png");
    test_remove(&folder, "annotations/train/c.png");
    refuses(&o, NULL, ICSEG_ERROR_DATA, "2 images cannot be divided into 3 splits");
    o.test = 0; /* no class of one image occurs in the other, so that all of them belong into train */
    add("train", "b", 5, 5);
    divides(&o);
    assert_int_equal(summary.images[0], 1);
    assert_int_equal(summary.images[1], 1);
}

static void a_set_without_splits_and_other_splits_are_copied(void **state) {
    (void)state;
    char out[128];
    icseg_split_options o = {ICSEG_SPLIT_OPTIONS_INIT, .val = 0.5};
    for (int i = 0; i < 4; i++) add("", (char[]){(char)('a' + i), 0}, 5, 0);
    rmdir(test_path(&folder, "images/train"));
    rmdir(test_path(&folder, "annotations/train"));
    snprintf(out, sizeof out, "%s", test_path(&folder, "flat"));
    o.out = out;
    divides(&o);
    assert_int_equal(count("flat", "train", "") + 10 * count("flat", "val", ""), 22);
    assert_int_equal(summary.others, 0);

    icseg_folder_create(test_path(&folder, "images/day"), NULL);
    icseg_folder_create(test_path(&folder, "annotations/day"), NULL);
    for (int i = 0; i < 4; i++) add("day", (char[]){(char)('a' + i), 0}, 5, 0);
    icseg_folder_create(test_path(&folder, "images/secret"), NULL); /* without label files */
    for (int i = 0; i < 2; i++) {
        char name[64];
        snprintf(name, sizeof name, "images/secret/s%d.png", i);
        test_write_png(&folder, name, TEST_PNG_GREY, 8, 1, 1, &(uint16_t){7});
    }
    refuses(&o, NULL, ICSEG_ERROR_DATA, "has several splits, none of which is called train");
    snprintf(out, sizeof out, "%s", test_path(&folder, "named"));
    if (divide_set(&o, "day") != ICSEG_OK) fail_msg("%s", error.message);
    assert_int_equal(count("named", "day", "") + 10 * count("named", "val", ""), 22);
    assert_int_equal(summary.others, 2);
    assert_true(is_there("named/images/secret/s1.png"));

    snprintf(out, sizeof out, "%s", test_path(&folder, "again"));
    snprintf(folder.path + strlen(folder.path), sizeof folder.path - strlen(folder.path), "/named");
    refuses(&o, "day", ICSEG_ERROR_DATA, "named: already has the split val, which is not overwritten");
    refuses(&o, "val", ICSEG_ERROR_DATA, "named: already has the split val, which is not overwritten");
    *strrchr(folder.path, '/') = '\0';
    assert_false(icseg_folder_exists(out));
}

static void plain_images_and_masks_become_a_data_set(void **state) {
    (void)state;
    char out[128], from[128];
    icseg_split_options o = {ICSEG_SPLIT_OPTIONS_INIT, .val = 0.5};
    for (int i = 0; i < 4; i++) add("", (char[]){(char)('a' + i), 0}, 5, 0);
    rmdir(test_path(&folder, "images/train"));
    rmdir(test_path(&folder, "annotations/train"));
    snprintf(from, sizeof from, "%s", test_path(&folder, "annotations"));
    assert_int_equal(rename(from, test_path(&folder, "masks")), 0);
    snprintf(out, sizeof out, "%s", test_path(&folder, "divided"));
    o.out = out;
    divides(&o);
    assert_int_equal(count("divided", "train", "") + 10 * count("divided", "val", ""), 22);
    o.out = NULL;
    test_write_png(&folder, "masks/b.png", TEST_PNG_GREY, 8, 1, 1, &(uint16_t){7});
    refuses(&o, NULL, ICSEG_ERROR_DATA, "masks/b.png: value 7 at x=0, y=0");
    test_remove(&folder, "classes.txt");
    refuses(&o, NULL, ICSEG_ERROR_DATA,
            "label files belong in annotations; rename the folder masks, or import the files");
}

static void wrong_input_is_refused_and_nothing_is_written(void **state) {
    (void)state;
    char out[128];
    snprintf(out, sizeof out, "%s", test_path(&folder, "new/out"));
    icseg_split_options good = {ICSEG_SPLIT_OPTIONS_INIT, .out = out, .val = 0.5}, o = good;
    for (int i = 0; i < 4; i++) add("train", (char[]){(char)('a' + i), 0}, 5, 0);
    o.val = 0;
    refuses(&o, NULL, ICSEG_ERROR_ARGUMENT, "val: is not set");
    o.val = 0.0 / 0.0;
    refuses(&o, NULL, ICSEG_ERROR_ARGUMENT, "val: must be between 0 and 0.9");
    o.val = -0.1;
    refuses(&o, NULL, ICSEG_ERROR_ARGUMENT, "val: must be between 0 and 0.9");
    o = good, o.test = 1;
    refuses(&o, NULL, ICSEG_ERROR_ARGUMENT, "test: must be between 0 and 0.9");
    o.test = 0.5;
    refuses(&o, NULL, ICSEG_ERROR_ARGUMENT, "val: the shares of val and test are more than 0.9 together");
    o = good, o.group = "";
    refuses(&o, NULL, ICSEG_ERROR_ARGUMENT, "group: is empty");
    o = good, o.threads = -1;
    refuses(&o, NULL, ICSEG_ERROR_ARGUMENT, "threads");
    refuses(&good, "nowhere", ICSEG_ERROR_DATA, "images/nowhere: no such folder");
    o = good, o.out = folder.path;
    refuses(&o, NULL, ICSEG_ERROR_ARGUMENT, "the folder is not empty");
    icseg_dataset_options data = {ICSEG_DATASET_OPTIONS_INIT, .folder = folder.path, .images_only = true};
    assert_int_equal(icseg_dataset_split(&data, &good, NULL, &summary, &error), ICSEG_ERROR_ARGUMENT);
    data = (icseg_dataset_options){ICSEG_DATASET_OPTIONS_INIT, .folder = folder.path, .val_share = 0.5};
    assert_int_equal(icseg_dataset_split(&data, &good, NULL, &summary, &error), ICSEG_ERROR_ARGUMENT);
    icseg_dataset *opened;
    data.val_share = 0.91;
    assert_int_equal(icseg_dataset_open(&opened, &data, &error), ICSEG_ERROR_ARGUMENT);
    data.val_share = 0.0 / 0.0;
    assert_int_equal(icseg_dataset_open(&opened, &data, &error), ICSEG_ERROR_ARGUMENT);
    assert_string_equal(error.field, "val_share");
    data = (icseg_dataset_options){ICSEG_DATASET_OPTIONS_INIT};
    assert_int_equal(icseg_dataset_split(&data, &good, NULL, &summary, &error), ICSEG_ERROR_ARGUMENT);
    assert_string_equal(error.field, "folder");
    assert_int_equal(icseg_dataset_split(NULL, &good, NULL, &summary, &error), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_dataset_split(&data, NULL, NULL, &summary, &error), ICSEG_ERROR_ARGUMENT);
    icseg_split_summary_close(NULL);

    test_write_text(&folder, "annotations/train/lost.png", "no image");
    o = good, o.out = NULL;
    divides(&o);
    assert_non_null(strstr(said, "1 label file has no image and is left out, the first of them"));
    test_write_png(&folder, "annotations/train/d.png", TEST_PNG_GREY, 8, 1, 1, &(uint16_t){9});
    test_write_png(&folder, "annotations/train/b.png", TEST_PNG_GREY, 8, 1, 1, &(uint16_t){7});
    for (good.threads = 1; good.threads < 4; good.threads++)
        refuses(&good, NULL, ICSEG_ERROR_DATA, "b.png: value 7 at x=0, y=0");
    test_remove(&folder, "annotations/train/c.png");
    refuses(&good, NULL, ICSEG_ERROR_DATA, "c.png: its label file");
    assert_false(icseg_folder_exists(test_path(&folder, "new")));
}

/* Against all divisions of a few groups: the result has no more missing classes than the best, and its shares are close
 * to the best. */
static double cost_of(const icseg_strata *s, const uint8_t *part) {
    double sum = 0;
    for (int p = 0; p < s->parts; p++) {
        int64_t size = 0;
        for (int64_t g = 0; g < s->groups; g++) size += part[g] == p;
        if (!size) return 1e9;
        for (int32_t r = 0; r < s->rows; r++) {
            double amount = 0;
            int here = 0, all = 0;
            for (int64_t g = 0; g < s->groups; g++)
                for (int64_t i = s->start[g]; i < s->start[g + 1]; i++) {
                    if (s->strata[i].row != r) continue;
                    all++;
                    if (part[g] != p) continue;
                    here++;
                    amount += s->strata[i].amount / (double)ICSEG_STRATA_ONE;
                }
            double off = amount - (double)s->share[p] / ICSEG_STRATA_ONE;
            sum += off * off + (all >= s->parts && !here);
        }
    }
    return sum;
}

static void the_division_is_close_to_the_best_of_all(void **state) {
    (void)state;
    enum { GROUPS = 9, ROWS = 4 };
    for (unsigned seed = 0; seed < 20; seed++) {
        int64_t start[GROUPS + 1] = {0}, totals[ROWS] = {0}, amounts[GROUPS][ROWS];
        icseg_stratum list[GROUPS * ROWS];
        uint64_t key[GROUPS];
        uint8_t part[GROUPS], other[GROUPS];
        uint32_t x = seed * 747796405u + 1;
        for (int g = 0; g < GROUPS; g++)
            for (int r = 0; r < ROWS; r++) {
                x = x * 1664525u + 1013904223u;
                amounts[g][r] = x >> 30 > 1 || r == ROWS - 1 ? 1 + (x >> 16) % 100 : 0;
                totals[r] += amounts[g][r];
                key[g] = x;
            }
        for (int g = 0; g < GROUPS; g++) {
            start[g + 1] = start[g];
            for (int r = 0; r < ROWS; r++)
                if (amounts[g][r])
                    list[start[g + 1]++] = (icseg_stratum){r, (int32_t)(amounts[g][r] * ICSEG_STRATA_ONE / totals[r])};
        }
        icseg_strata s = {2, {ICSEG_STRATA_ONE * 3 / 4, ICSEG_STRATA_ONE / 4}, ROWS, GROUPS, start, list, key};
        assert_int_equal(icseg_stratify(&s, part, &error), ICSEG_OK);
        double best = 1e9, found = cost_of(&s, part);
        for (int code = 0; code < 1 << GROUPS; code++) {
            for (int g = 0; g < GROUPS; g++) other[g] = (uint8_t)(code >> g & 1);
            double cost = cost_of(&s, other);
            if (cost < best) best = cost;
        }
        if (found > best + 0.1) fail_msg("seed %u: the cost is %.3f, the least is %.3f", seed, found, best);
    }
}

static void a_lack_of_memory_is_an_error_and_leaves_nothing(void **state) {
    (void)state;
    enum { MOST = 5000 };
    char out[128];
    snprintf(out, sizeof out, "%s", test_path(&folder, "out"));
    icseg_split_options o = {ICSEG_SPLIT_OPTIONS_INIT, .out = out, .val = 0.5, .group = "(.)", .threads = 1};
    icseg_dataset_options data = {ICSEG_DATASET_OPTIONS_INIT, .folder = folder.path};
    for (int i = 0; i < 4; i++) add("train", (char[]){(char)('a' + i), 0}, 5, i);
    int64_t n = 0;
    for (; n < MOST; n++) {
        icseg_memory_fail_after(n);
        icseg_status status = icseg_dataset_split(&data, &o, NULL, &summary, &error);
        icseg_memory_fail_after(-1);
        if (status == ICSEG_OK) break;
        assert_int_equal(status, ICSEG_ERROR_MEMORY);
        assert_null(summary.names);
        assert_false(icseg_folder_exists(out));
    }
    assert_true(n > 10 && n < MOST);
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, open_folder, close_folder)
    const struct CMUnitTest tests[] = {
        CASE(every_split_gets_its_share_of_every_class),
        CASE(the_same_seed_divides_alike_and_another_differently),
        CASE(images_of_a_group_stay_together),
        CASE(a_class_of_two_images_is_in_both_splits),
        CASE(no_split_is_empty),
        CASE(a_set_without_splits_and_other_splits_are_copied),
        CASE(plain_images_and_masks_become_a_data_set),
        CASE(wrong_input_is_refused_and_nothing_is_written),
        CASE(the_division_is_close_to_the_best_of_all),
        CASE(a_lack_of_memory_is_an_error_and_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
