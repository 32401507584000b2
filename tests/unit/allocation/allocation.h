/* SPDX-License-Identifier: Apache-2.0
 * test_allocation calls each public function. Each file of this folder has the calls of some headers, and objects.c has
 * the objects that they use. A call is a function call_NAME, which returns what NAME returned, checks its results and
 * closes them. The build lists the public functions in public_functions.h, so a function without a call is an error of
 * the linker. */
#ifndef TESTS_ALLOCATION_ALLOCATION_H
#define TESTS_ALLOCATION_ALLOCATION_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/error.h"
#include "icseg/icseg.h"

#define FUNCTION(name) icseg_status call_##name(icseg_error *error);
#include "public_functions.h"
#undef FUNCTION

/* The objects that the calls share. Their model has CLASSES classes, their image WIDTH x HEIGHT pixels. */
enum { CLASSES = ICSEG_SYNTH_CLASSES, WIDTH = 64, HEIGHT = 64, PATH_SIZE = 160 };
typedef struct alloc_objects {
    icseg_image image;
    icseg_labels labels;
    icseg_model *model;
    const char *const *names; /* of its classes */
    icseg_config config;
    icseg_session *session;
    icseg_result *result;
    icseg_tokenizer *tokenizer;
    icseg_templates *templates;
    icseg_class_list *class_list;
    icseg_classifier *classifier;
    icseg_calibrator *calibrator;
    icseg_dataset *dataset;
    icseg_recipe *recipe;
    icseg_confusion confusion;
    icseg_metrics metrics;
    icseg_palette palette;
    icseg_bench *bench;
    icseg_trainer *trainer;
    icseg_tensor_file *tensor_file;
    icseg_parity_report parity;
    char clip_weights[PATH_SIZE];
} alloc_objects;
extern alloc_objects shared;

/* Set-up and tear-down of the test. */
int alloc_open(void **state);
int alloc_close(void **state);

/* The path of a file in the folder of the test, valid until the fourth call after this one. */
const char *alloc_path(const char *name);
/* Runs COMMAND 'PATH'. */
void alloc_shell(const char *command, const char *name);

/* Options and calls that the shared objects are made with. */
icseg_classifier_options alloc_classifier_options(void);
icseg_dataset_options alloc_dataset_options(void);
icseg_bench_options alloc_bench_options(void);
icseg_train_options alloc_train_options(void);
icseg_status alloc_run(icseg_result **out, icseg_error *error);
icseg_status alloc_write_data(const char *name, icseg_error *error);

#define PARITY_FILE ICSEG_SOURCE_DIR "/tests/parity/resnet_denseclip.safetensors"

/* ---- forms of calls ---- */

#define BAD ((void *)(uintptr_t)64) /* a failing call must overwrite it */

/* A function whose first argument is the pointer that it sets. */
#define OPENS(function, type, close, ...)                                                                              \
    icseg_status call_##function(icseg_error *error) {                                                                 \
        type out = BAD;                                                                                                \
        icseg_status status = function(&out, __VA_ARGS__, error);                                                      \
        assert_true((out != NULL) == (status == ICSEG_OK));                                                            \
        close(&out);                                                                                                   \
        return status;                                                                                                 \
    }
/* A function whose first argument is a structure with the pointer `member`. */
#define FILLS(function, type, member, close, ...)                                                                      \
    icseg_status call_##function(icseg_error *error) {                                                                 \
        type out = {.member = BAD};                                                                                    \
        icseg_status status = function(&out, __VA_ARGS__, error);                                                      \
        assert_true((out.member != NULL) == (status == ICSEG_OK));                                                     \
        close(&out);                                                                                                   \
        return status;                                                                                                 \
    }
/* A function that returns a text through `&text`. */
#define TELLS(function, ...)                                                                                           \
    icseg_status call_##function(icseg_error *error) {                                                                 \
        char *text = BAD;                                                                                              \
        icseg_status status = function(__VA_ARGS__, error);                                                            \
        assert_true((text != NULL) == (status == ICSEG_OK));                                                           \
        icseg_buffer_free(text);                                                                                       \
        return status;                                                                                                 \
    }
#define DOES(function, ...)                                                                                            \
    icseg_status call_##function(icseg_error *error) { return function(__VA_ARGS__, error); }
/* A function that cannot fail. */
#define QUIET(function, ...)                                                                                           \
    icseg_status call_##function(icseg_error *error) {                                                                 \
        (void)error;                                                                                                   \
        (void)function(__VA_ARGS__);                                                                                   \
        return ICSEG_OK;                                                                                               \
    }
#define CLOSES(function) /* closed in the calls that open */                                                           \
    icseg_status call_##function(icseg_error *error) {                                                                 \
        (void)error;                                                                                                   \
        function(NULL);                                                                                                \
        return ICSEG_OK;                                                                                               \
    }

#endif
