/* SPDX-License-Identifier: Apache-2.0
 * A model opened from a checkpoint: the memory it reports, and what happens when the file is cut
 * short, written to, replaced or removed meanwhile. */
#include <fcntl.h>
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
#include "support/models.h"

enum { CLASSES = 4, SIDE = 96, LIMIT = 1 << 28 };

static char folder[] = "/tmp/icseg_memory_XXXXXX";
static char path[64], spare[64];
static icseg_error error;

static void ok(icseg_status status) {
    if (status != ICSEG_OK) fail_msg("%s", error.message);
}

static void save(uint64_t seed, const char *to) {
    icseg_model *m = test_model("tiny-resnet", CLASSES, seed);
    ok(icseg_model_save(m, to, &error));
    icseg_model_close(&m);
}

static int set_up(void **state) {
    (void)state;
    if (!mkdtemp(folder)) return -1;
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    snprintf(spare, sizeof spare, "%s/spare.safetensors", folder);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    remove(path);
    remove(spare);
    return rmdir(folder);
}

static icseg_model *open_model(void) {
    icseg_model *m;
    ok(icseg_model_open(&m, path, &error));
    return m;
}

/* The label map's confidences: one image, all of the network. */
static icseg_status run(icseg_model *m, int64_t side, float *sum) {
    static float image[SIDE * SIDE * 3];
    icseg_session *session;
    icseg_prepared_network *s;
    icseg_network_options options;
    memset(&options, 0, sizeof options);
    options.batch = 1;
    options.height = options.width = options.predict_height = options.predict_width = side;
    options.confidence = 1;
    for (int i = 0; i < SIDE * SIDE * 3; i++) image[i] = (float)(i % 29) / 10 - 1.4f;
    ICSEG_TRY(icseg_session_open(&session, m, NULL, &error));
    icseg_status status = icseg_session_network(session, &options, &s, &error);
    if (status == ICSEG_OK) {
        icseg_executor_bind(s->executor, s->network.image, image);
        status = icseg_executor_run(s->executor, 0, 0, &error);
    }
    *sum = 0;
    for (int64_t i = 0; i < side * side && status == ICSEG_OK; i++)
        *sum += ((const float *)icseg_executor_data(s->executor, s->network.prediction[1]))[i];
    icseg_session_close(&session);
    return status;
}

static size_t all_bytes(const icseg_model *m) {
    size_t sum = 0;
    for (int64_t i = 0; i < icseg_params_count(m->params); i++)
        sum += (size_t)icseg_params_at(m->params, i)->count * sizeof(float);
    return sum;
}

static void inference_holds_each_weight_once(void **state) {
    (void)state;
    float sum, again;
    save(1, path);
    icseg_model *m = open_model();
    size_t all = all_bytes(m), table = (size_t)icseg_params_find(m->params, "token_embedding.weight")->count * 4;
    icseg_params_memory held = icseg_params_count_memory(m->params);
    assert_int_equal(held.plain + held.packed + held.gradients, 0);
    ok(run(m, SIDE, &sum));
    held = icseg_params_count_memory(m->params);
    assert_int_equal(held.gradients, 0);
    assert_true(held.plain + held.packed < all - table + all / 10); /* a tenth for layouts that pad */
    assert_null(icseg_params_find(m->params, "token_embedding.weight")->data);
    assert_null(icseg_params_find(m->params, "visual.layer1.0.conv1.weight")->data);
    ok(run(m, SIDE, &again));
    assert_true(sum == again);
    icseg_params_memory later = icseg_params_count_memory(m->params);
    assert_int_equal(later.plain, held.plain);
    assert_int_equal(later.packed, held.packed);
    ok(icseg_params_load(m->params, &error)); /* for training: every value is loaded from the file */
    assert_int_equal(icseg_params_count_memory(m->params).plain, all);
    icseg_model_close(&m);
}

static void values_do_not_depend_on_when_they_are_loaded(void **state) {
    (void)state;
    float late, early;
    save(1, path);
    icseg_model *m = open_model();
    ok(run(m, SIDE, &late));
    icseg_model_close(&m);
    m = open_model();
    ok(icseg_params_load(m->params, &error));
    ok(run(m, SIDE, &early));
    icseg_model_close(&m);
    assert_true(late == early);
}

static void a_file_cut_short_while_open_is_an_error(void **state) {
    (void)state;
    float sum;
    struct stat info;
    save(1, path);
    assert_int_equal(stat(path, &info), 0);
    for (int i = 0; i < 8; i++) {
        save(1, path);
        icseg_model *m = open_model();
        assert_int_equal(truncate(path, info.st_size * i / 8), 0);
        assert_int_equal(run(m, SIDE, &sum), ICSEG_ERROR_IO);
        assert_non_null(strstr(error.message, path));
        assert_int_equal(icseg_params_load(m->params, &error), ICSEG_ERROR_IO);
        assert_int_equal(icseg_model_save(m, spare, &error), ICSEG_ERROR_IO);
        icseg_model_close(&m);
    }
}

static void a_file_written_to_while_open_is_an_error(void **state) {
    (void)state;
    float sum;
    unsigned char *bytes;
    size_t size;
    save(1, path);
    icseg_model *m = open_model();
    ok(icseg_file_read(path, LIMIT, &bytes, &size, &error));
    usleep(20000); /* the clock of file times may have 100 ticks a second */
    int fd = open(path, O_WRONLY);
    assert_int_equal(write(fd, bytes, size), size);
    close(fd);
    assert_int_equal(run(m, SIDE, &sum), ICSEG_ERROR_IO);
    assert_non_null(strstr(error.message, "was changed or truncated"));
    icseg_free(bytes);
    icseg_model_close(&m);
}

static void a_file_that_is_replaced_or_removed_stays_readable(void **state) {
    (void)state;
    float first, second, sum;
    save(2, path);
    icseg_model *m = open_model();
    ok(run(m, SIDE, &second));
    icseg_model_close(&m);
    save(1, path);
    m = open_model();
    save(2, path); /* as icseg_model_save does: another file of the same name */
    ok(run(m, SIDE, &first));
    assert_true(first != second);
    ok(icseg_model_save(m, path, &error)); /* over the file that is no longer read */
    assert_int_equal(remove(path), 0);
    ok(run(m, 64, &sum)); /* other layouts are packed from the removed file */
    icseg_model_close(&m);
}

static void memory_that_runs_out_while_weights_are_packed_is_a_status(void **state) {
    (void)state;
    float sum;
    save(1, path);
    icseg_model *m = open_model();
    icseg_status status = ICSEG_ERROR_MEMORY;
    int64_t n = 0;
    for (; status != ICSEG_OK && n < 20000; n += n < 200 ? 7 : 97) {
        icseg_memory_fail_after(n);
        status = run(m, SIDE, &sum);
        icseg_memory_fail_after(-1);
        assert_true(status == ICSEG_OK || status == ICSEG_ERROR_MEMORY);
    }
    assert_true(n > 49); /* some allocations failed */
    assert_int_equal(status, ICSEG_OK);
    icseg_model_close(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inference_holds_each_weight_once),
        cmocka_unit_test(values_do_not_depend_on_when_they_are_loaded),
        cmocka_unit_test(a_file_cut_short_while_open_is_an_error),
        cmocka_unit_test(a_file_written_to_while_open_is_an_error),
        cmocka_unit_test(a_file_that_is_replaced_or_removed_stays_readable),
        cmocka_unit_test(memory_that_runs_out_while_weights_are_packed_is_a_status),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
