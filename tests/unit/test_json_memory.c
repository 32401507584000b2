/* SPDX-License-Identifier: Apache-2.0
 * Each of jansson's allocations fails in turn: the output is complete, or the call fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <jansson.h>

#include "base/file.h"
#include "base/memory.h"
#include "icseg/metrics.h"
#include "report/jsonl.h"
#include "support/models.h"
#include "support/scratch.h"

static int64_t left;     /* allocations that succeed before one fails; < 0: all */
static bool failed_once; /* one has failed */

static void *allocate(size_t size) {
    if (left >= 0 && left-- == 0) {
        failed_once = true;
        return NULL;
    }
    return malloc(size);
}

static void fail_after(int64_t n) {
    left = n;
    failed_once = false;
}

typedef icseg_status writer(void *user, icseg_error *error);

/* Calls `write` until no allocation fails. A call that succeeds writes the same as one without a failure. */
static void try_all(writer *write, void *user, const char *path) {
    unsigned char *whole, *now;
    size_t size, size_now;
    icseg_error error;
    fail_after(-1);
    assert_int_equal(write(user, &error), ICSEG_OK);
    assert_int_equal(icseg_file_read(path, 1 << 26, &whole, &size, NULL), ICSEG_OK);
    for (int64_t n = 0;; n++) {
        unlink(path);
        fail_after(n);
        icseg_status status = write(user, &error);
        bool failed = failed_once;
        fail_after(-1);
        if (status != ICSEG_OK) {
            if (status != ICSEG_ERROR_MEMORY) fail_msg("allocation %d: %s", (int)n, error.message);
            continue;
        }
        assert_int_equal(icseg_file_read(path, 1 << 26, &now, &size_now, NULL), ICSEG_OK);
        if (size_now != size || memcmp(now, whole, size))
            fail_msg("allocation %d failed, but the status is ok: %zu bytes, %zu expected", (int)n, size_now, size);
        icseg_free(now);
        if (!failed) break;
    }
    icseg_free(whole);
}

static icseg_status write_log(void *user, icseg_error *error) {
    static const double iou[] = {0.5, 0.25, 0.125};
    static const char *const names[] = {"total", "decode"};
    const icseg_log_start start = {.recipe = "réseau", .version = "1", .steps = 3};
    const icseg_log_step step = {.step = 1, .loss = {1.5, 1}};
    const icseg_log_eval eval = {.step = 1, .miou = 0.3, .classes = 3, .iou = iou};
    icseg_log_writer *w;
    icseg_status status = icseg_log_writer_open(&w, user, 1, error);
    if (status == ICSEG_OK) status = icseg_log_writer_start(w, &start, error);
    if (status == ICSEG_OK) status = icseg_log_writer_step(w, &step, names, 2, error);
    if (status == ICSEG_OK) status = icseg_log_writer_eval(w, &eval, error);
    if (status == ICSEG_OK) status = icseg_log_writer_finish(&w, error);
    icseg_log_writer_close(&w);
    return status;
}

static void a_log_is_complete_or_an_error(void **state) {
    const char *path = test_scratch("log.jsonl");
    (void)state;
    try_all(write_log, (void *)(uintptr_t)path, path);
}

static icseg_status write_metrics(void *user, icseg_error *error) {
    static const char *const names[] = {"ciel", "arbre"};
    icseg_confusion confusion = {0};
    icseg_metrics metrics = {ICSEG_METRICS_INIT};
    char *text = NULL;
    icseg_status status = icseg_confusion_create(&confusion, 2, error);
    if (status == ICSEG_OK) status = icseg_metrics_compute(&metrics, &confusion, error);
    if (status == ICSEG_OK) status = icseg_metrics_json(&metrics, names, &text, error);
    if (status == ICSEG_OK) status = icseg_file_write(user, text, strlen(text), error);
    icseg_free(text);
    icseg_metrics_close(&metrics);
    icseg_confusion_close(&confusion);
    return status;
}

static void metrics_are_complete_or_an_error(void **state) {
    const char *path = test_scratch("metrics.json");
    (void)state;
    try_all(write_metrics, (void *)(uintptr_t)path, path);
}

typedef struct saved {
    icseg_model *model;
    const char *path;
} saved;

static icseg_status save(void *user, icseg_error *error) {
    const saved *s = user;
    return icseg_model_save(s->model, s->path, error);
}

static void a_checkpoint_is_complete_or_an_error(void **state) {
    saved s = {test_model("tiny-resnet", 2, 1), test_scratch("saved.safetensors")};
    (void)state;
    try_all(save, &s, s.path);
    icseg_model_close(&s.model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_log_is_complete_or_an_error),
        cmocka_unit_test(metrics_are_complete_or_an_error),
        cmocka_unit_test(a_checkpoint_is_complete_or_an_error),
    };
    json_set_alloc_funcs(allocate, free);
    return cmocka_run_group_tests(tests, test_scratch_open, test_scratch_close);
}
