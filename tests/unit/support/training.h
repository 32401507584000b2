/* SPDX-License-Identifier: Apache-2.0
 * Short training runs on a data set of eight generated images, and comparisons of their files. */
#ifndef TESTS_SUPPORT_TRAINING_H
#define TESTS_SUPPORT_TRAINING_H

#include <stdbool.h>

#include "icseg/train.h"
#include "train/trainer.h"

enum { TEST_SETS = 12, TEST_PATH_SIZE = 200 };

/* Set-up and tear-down of a group of tests: a folder with the data set "data" and the recipe "tiny.yaml". */
extern char test_training_folder[64];
int test_training_open(void **state);
int test_training_close(void **state);
/* FOLDER/NAME, in one of four buffers in turn. */
const char *test_run_path(const char *name);
void test_remove_tree(const char *path);
/* Makes the data set "renamed": the same with another name for class 0. */
void test_make_renamed(void);

/* What to run, and what came of it. */
typedef struct test_run {
    const char *out; /* below the test's folder */
    const char *set[TEST_SETS];
    const char *data, *init;
    bool resume;
    const char *stop_stage; /* cancels when this stage has progressed so far */
    double stop_at;
    double look_at; /* and whether there is a state after this many steps */
    bool had_state;
    icseg_train_result result;
    double miou; /* of the last evaluation */
    icseg_error error;
    char messages[16384];
} test_run;

/* The recipe with the run's settings; NULL and r->error if one is refused. */
icseg_recipe *test_run_recipe(test_run *r);
icseg_status test_train(test_run *r);
void test_train_well(test_run *r);
/* The call must fail with this status and a message that contains `text`. */
void test_train_badly(test_run *r, icseg_status wanted, const char *text);

/* Whether two runs have the same file `name`. */
bool test_same_file(const char *a, const char *b, const char *name);
/* Whether they have the same weights and moments, without the metadata: the recipe and the best evaluation. */
bool test_same_tensors(const char *a, const char *b);
void test_read_log(icseg_log *log, const char *out);
/* Everything except times and memory. */
void test_assert_same_log(const char *a, const char *b);
/* The files and the logs are the same. */
void test_assert_same_run(const char *a, const char *b);

/* The weights of a run. */
icseg_model *test_open_weights(const char *out);
/* Initial weights for the recipe, without dropout. */
icseg_model *test_fresh_model(void);
/* The number of parameters, weights or running statistics, that differ and whose names start with `prefix`. *all: the
 * number of all such parameters. */
int test_count_changed(const icseg_model *a, const icseg_model *b, const char *prefix, bool buffers, int *all);

#endif
