/* SPDX-License-Identifier: Apache-2.0
 * tensorboard: checksums, framing, histograms, and event files that are read back. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "icseg/memory.h"
#include "support/event_files.h"
#include "support/near.h"
#include "support/scratch.h"
#include "tensorboard/events.h"
#include "tensorboard/record.h"

/* ---- checksums and framing ---- */

/* RFC 3720, B.4. */
static void checksums_are_those_of_the_standard(void **state) {
    (void)state;
    uint8_t data[32];
    assert_int_equal(icseg_crc32c("123456789", 9), 0xe3069283);
    assert_int_equal(icseg_crc32c("", 0), 0);
    memset(data, 0, sizeof data);
    assert_int_equal(icseg_crc32c(data, 32), 0x8a9136aa);
    memset(data, 0xff, sizeof data);
    assert_int_equal(icseg_crc32c(data, 32), 0x62a8ab43);
    for (int i = 0; i < 32; i++) data[i] = (uint8_t)i;
    assert_int_equal(icseg_crc32c(data, 32), 0x46dd794e);
    for (int i = 0; i < 32; i++) data[i] = (uint8_t)(31 - i);
    assert_int_equal(icseg_crc32c(data, 32), 0x113fdb5c);
}

/* The bytes are those of tensorboard.summary.writer.record_writer.RecordWriter. */
static void records_are_framed_as_tensorboard_frames_them(void **state) {
    (void)state;
    static const uint8_t hello[] = {0x05, 0,   0,   0,   0,   0,   0,    0,    0xea, 0xb2, 0x04,
                                    0x3e, 'h', 'e', 'l', 'l', 'o', 0xbb, 0x1f, 0x1c, 0x19};
    static const uint8_t empty[] = {0, 0, 0, 0, 0, 0, 0, 0, 0x29, 0x03, 0x98, 0x07, 0xd8, 0xea, 0x82, 0xa2};
    uint8_t record[32];
    memcpy(record + ICSEG_RECORD_HEADER, "hello", 5);
    icseg_record_frame(record, 5);
    assert_memory_equal(record, hello, sizeof hello);
    icseg_record_frame(record, 0);
    assert_memory_equal(record, empty, sizeof empty);
}

/* ---- histograms ---- */

static double limit[ICSEG_HISTOGRAM_CELLS], bucket[ICSEG_HISTOGRAM_CELLS];
static icseg_histogram histogram;

static size_t count_all(const float *values, int64_t count, float scale) {
    memset(&histogram, 0, sizeof histogram);
    icseg_histogram_add(&histogram, values, count, scale);
    return icseg_histogram_buckets(&histogram, limit, bucket);
}

static void each_value_is_in_the_bucket_below_its_limit(void **state) {
    (void)state;
    enum { COUNT = 2000 };
    static float values[COUNT];
    srand(7);
    for (int i = 0; i < COUNT; i++)
        values[i] = (float)(rand() % 2 ? 1 : -1) * expf((float)(rand() % 10000) / 200 - 30); /* 1e-13 to 5e8 */
    size_t buckets = count_all(values, COUNT, 1);
    double low = -HUGE_VAL, total = 0;
    for (size_t b = 0; b < buckets; b++) {
        int inside = 0;
        for (int i = 0; i < COUNT; i++) {
            double v = (double)values[i];
            inside += v < 0 ? v > low && v <= limit[b] : v >= low && v < limit[b];
        }
        assert_true(limit[b] > low);
        assert_int_equal(inside, (int)bucket[b]);
        assert_false(b && bucket[b] == 0 && bucket[b - 1] == 0);
        if (b && bucket[b] > 0 && bucket[b - 1] > 0 && fabs(low) > 1e-11)
            assert_true(fabs(limit[b] - low) <= 0.126 * fmax(fabs(low), fabs(limit[b])));
        low = limit[b];
        total += bucket[b];
    }
    assert_int_equal((int)total, COUNT);
    assert_true(bucket[0] > 0 && bucket[buckets - 1] > 0);
}

static void moments_are_those_of_the_finite_values(void **state) {
    (void)state;
    const float values[] = {3, NAN, -1, INFINITY, 0.5f, -INFINITY};
    count_all(values, 6, 2);
    assert_int_equal(histogram.count, 3);
    assert_true(histogram.min == -2 && histogram.max == 6);
    assert_near(histogram.sum, 5, 1e-12);
    assert_near(histogram.square_sum, 41, 1e-12);
}

static void extreme_values_have_buckets(void **state) {
    (void)state;
    const float values[] = {FLT_MAX, -FLT_MAX, 0, -0.0f, FLT_TRUE_MIN, -FLT_TRUE_MIN, ldexpf(1, -40), -ldexpf(1, -40)};
    size_t buckets = count_all(values, 8, 1);
    assert_int_equal(buckets, 7); /* one of them for all that is empty, on each side */
    assert_int_equal((int)bucket[0], 1);
    assert_int_equal((int)bucket[1], 0);
    assert_int_equal((int)bucket[2], 1);
    assert_int_equal((int)bucket[3], 4);
    assert_true(limit[2] == -ldexp(1, -40) && limit[3] == ldexp(1, -40));
    assert_int_equal((int)bucket[4], 1);
    assert_int_equal((int)bucket[6], 1);
    assert_true(limit[6] == ldexp(1, 128) && limit[0] >= (double)-FLT_MAX && limit[0] < 0);
    buckets = count_all(values, 0, 1);
    assert_int_equal(buckets, 1);
    assert_true(bucket[0] == 0 && histogram.min == 0 && histogram.max == 0);
}

/* ---- files ---- */

/* The path of the only event file in the folder; with `remove`, also empties the folder. */
static char *find_file(bool remove) {
    static char path[300];
    char **names;
    size_t count, found = 0;
    assert_int_equal(icseg_folder_list(test_scratch_folder, &names, &count, NULL), ICSEG_OK);
    for (size_t i = 0; i < count; i++) {
        if (strncmp(names[i], "events.out.tfevents.", 20) != 0) continue;
        snprintf(path, sizeof path, "%s/%s", test_scratch_folder, names[i]);
        if (remove) unlink(path);
        found++;
    }
    icseg_free(names);
    if (!remove) assert_int_equal(found, 1);
    return path;
}

static icseg_event_file *open_file(int64_t first_step) {
    icseg_event_file *file;
    icseg_error error;
    if (icseg_event_file_open(&file, test_scratch_folder, first_step, &error) != ICSEG_OK)
        fail_msg("%s", error.message);
    return file;
}

static void close_and_read(icseg_event_file **file, test_events *events) {
    assert_int_equal(icseg_event_file_finish(file, NULL), ICSEG_OK);
    assert_null(*file);
    test_read_events(events, find_file(false));
    find_file(true);
}

static test_events events;

static void a_file_begins_with_format_and_first_step(void **state) {
    (void)state;
    icseg_event_file *file = open_file(43);
    close_and_read(&file, &events);
    assert_int_equal(events.count, 2);
    assert_int_equal(events.event[0]->what_case, ICSEG__TENSORBOARD__EVENT__WHAT_FILE_VERSION);
    assert_string_equal(events.event[0]->file_version, "brain.Event:2");
    assert_int_equal(events.event[1]->what_case, ICSEG__TENSORBOARD__EVENT__WHAT_SESSION_LOG);
    assert_int_equal(events.event[1]->session_log->status, ICSEG__TENSORBOARD__SESSION_LOG__SESSION_STATUS__START);
    assert_int_equal(events.event[1]->step, 43);
    assert_true(fabs(events.event[1]->wall_time - (double)time(NULL)) < 1e5);
    test_close_events(&events);
}

static void scalars_are_read_back(void **state) {
    (void)state;
    icseg_event_file *file = open_file(1);
    const icseg_event_scalar scalars[] = {{"a", 0},           {"b", -1.25},   {"nan", (double)NAN},
                                          {"c\xff\xfe/d", 3}, {"inf", 1e300}, {"\xc3\xa9", 1e-3}};
    assert_int_equal(icseg_event_file_scalars(file, 5000000000, scalars, 6, NULL), ICSEG_OK);
    assert_int_equal(icseg_event_file_scalars(file, 6, scalars + 2, 1, NULL), ICSEG_OK); /* nothing to write */
    close_and_read(&file, &events);
    assert_int_equal(events.count, 3);
    assert_true(events.event[2]->step == 5000000000);
    const Icseg__Tensorboard__Summary *s = events.event[2]->summary;
    static const char *const tags[] = {"a", "b", "c?\?/d", "\xc3\xa9"};
    static const float values[] = {0, -1.25f, 3, 1e-3f};
    assert_int_equal(s->n_value, 4);
    for (int i = 0; i < 4; i++) {
        assert_string_equal(s->value[i]->tag, tags[i]);
        assert_int_equal(s->value[i]->value_case, ICSEG__TENSORBOARD__SUMMARY__VALUE__VALUE_SIMPLE_VALUE);
        assert_true(s->value[i]->simple_value == values[i]);
    }
    test_close_events(&events);
}

static void histograms_are_read_back(void **state) {
    (void)state;
    icseg_event_file *file = open_file(1);
    const float values[] = {-2, 0.25f, 0.25f, 7};
    size_t buckets = count_all(values, 4, 1);
    assert_int_equal(icseg_event_file_histogram(file, 3, "weights/x", &histogram, NULL), ICSEG_OK);
    close_and_read(&file, &events);
    const Icseg__Tensorboard__Summary__Value *v = test_value(&events, 2);
    assert_string_equal(v->tag, "weights/x");
    assert_int_equal(v->value_case, ICSEG__TENSORBOARD__SUMMARY__VALUE__VALUE_HISTO);
    assert_true(v->histo->min == -2 && v->histo->max == 7 && v->histo->num == 4 && v->histo->sum == 5.5);
    assert_near(v->histo->sum_squares, 53.125, 1e-12);
    assert_int_equal(v->histo->n_bucket, buckets);
    assert_int_equal(v->histo->n_bucket_limit, buckets);
    assert_memory_equal(v->histo->bucket, bucket, buckets * sizeof *bucket);
    assert_memory_equal(v->histo->bucket_limit, limit, buckets * sizeof *limit);
    test_close_events(&events);
}

static void images_are_read_back(void **state) {
    (void)state;
    icseg_event_file *file = open_file(1);
    icseg_image image, decoded;
    assert_int_equal(icseg_image_create(&image, 5, 3, NULL), ICSEG_OK);
    for (int i = 0; i < 45; i++) image.data[i] = (uint8_t)(5 * i);
    assert_int_equal(icseg_event_file_image(file, 3, "images/x", &image, NULL), ICSEG_OK);
    close_and_read(&file, &events);
    const Icseg__Tensorboard__Summary__Value *v = test_value(&events, 2);
    assert_int_equal(v->value_case, ICSEG__TENSORBOARD__SUMMARY__VALUE__VALUE_IMAGE);
    assert_true(v->image->width == 5 && v->image->height == 3 && v->image->colorspace == 3);
    const ProtobufCBinaryData *png = &v->image->encoded_image_string;
    assert_int_equal(icseg_image_read_memory(&decoded, png->data, png->len, "a picture", NULL), ICSEG_OK);
    assert_true(decoded.width == 5 && decoded.height == 3);
    assert_memory_equal(decoded.data, image.data, 45);
    icseg_image_close(&decoded);
    icseg_image_close(&image);
    test_close_events(&events);
}

static void without_a_file_nothing_is_written(void **state) {
    (void)state;
    icseg_event_file *none = NULL;
    assert_int_equal(icseg_event_file_scalars(NULL, 1, &(icseg_event_scalar){"a", 1}, 1, NULL), ICSEG_OK);
    assert_int_equal(icseg_event_file_histogram(NULL, 1, "a", &histogram, NULL), ICSEG_OK);
    assert_int_equal(icseg_event_file_image(NULL, 1, "a", NULL, NULL), ICSEG_OK);
    assert_int_equal(icseg_event_file_finish(&none, NULL), ICSEG_OK);
    icseg_event_file_close(&none);
    icseg_event_file_close(NULL);
}

/* ---- entries of the log ---- */

static void scores_and_evaluations_have_tags(void **state) {
    (void)state;
    icseg_event_file *file = open_file(1);
    const double iou[] = {0.5, (double)NAN};
    const icseg_log_eval eval = {.step = 4, .miou = 0.5, .macc = 0.25, .aacc = 0.75, .classes = 2, .iou = iou};
    const icseg_log_scores scores = {.step = 5, .value = {0.125, 1}};
    assert_int_equal(icseg_events_eval(file, &eval, (const char *const[]){"sky, heaven", "sea"}, NULL), ICSEG_OK);
    assert_int_equal(icseg_events_scores(file, &scores, (const char *const[]){"zero-shot", "b"}, 2, NULL), ICSEG_OK);
    close_and_read(&file, &events);
    static const char *const tags[][4] = {{"val/mIoU", "val/mAcc", "val/aAcc", "IoU/sky, heaven"},
                                          {"val/zero-shot", "val/b"}};
    static const float values[][4] = {{0.5f, 0.25f, 0.75f, 0.5f}, {0.125f, 1}};
    static const size_t count[] = {4, 2};
    assert_int_equal(events.count, 4);
    for (int e = 0; e < 2; e++) {
        const Icseg__Tensorboard__Summary *s = events.event[2 + e]->summary;
        assert_int_equal(events.event[2 + e]->step, 4 + e);
        assert_int_equal(s->n_value, count[e]);
        for (size_t i = 0; i < count[e]; i++) {
            assert_string_equal(s->value[i]->tag, tags[e][i]);
            assert_true(s->value[i]->simple_value == values[e][i]);
        }
    }
    test_close_events(&events);
}

/* ---- names ---- */

static void touch(const char *name) { assert_int_equal(icseg_file_write(test_scratch(name), "", 0, NULL), ICSEG_OK); }

static void a_later_file_has_a_later_name(void **state) {
    (void)state;
    char name[64];
    long long now = (long long)time(NULL);
    snprintf(name, sizeof name, "events.out.tfevents.%010lld.zzz", now + 1000);
    touch(name);
    touch("events.out.tfevents.99999999999.host"); /* other programs' names do not count */
    touch("events.out.tfevents.xxxxxxxxxx.host");
    icseg_event_file *file = open_file(1);
    icseg_event_file_close(&file);
    char **names, wanted[64];
    size_t count, found = 0;
    snprintf(wanted, sizeof wanted, "events.out.tfevents.%010lld.", now + 1001);
    assert_int_equal(icseg_folder_list(test_scratch_folder, &names, &count, NULL), ICSEG_OK);
    for (size_t i = 0; i < count; i++) found += !strncmp(names[i], wanted, strlen(wanted));
    assert_int_equal(count, 4);
    assert_int_equal(found, 1);
    icseg_free(names);
    find_file(true);
}

static void the_last_name_of_all_is_an_error(void **state) {
    (void)state;
    icseg_error error;
    icseg_event_file *file;
    touch("events.out.tfevents.9999999999.host");
    assert_int_equal(icseg_event_file_open(&file, test_scratch_folder, 1, &error), ICSEG_ERROR_IO);
    assert_null(file);
    assert_non_null(strstr(error.message, "remove the file events.out.tfevents.9999999999"));
    find_file(true);
}

/* ---- failures ---- */

static void a_folder_that_cannot_be_made_is_an_error(void **state) {
    (void)state;
    icseg_error error;
    icseg_event_file *file;
    touch("file");
    assert_int_equal(icseg_event_file_open(&file, test_scratch("file"), 1, &error), ICSEG_ERROR_IO);
    assert_null(file);
    assert_non_null(strstr(error.message, "/file: "));
    unlink(test_scratch("file"));
}

static void a_full_disk_is_an_error(void **state) {
    (void)state;
    struct rlimit before, small = {400, 400};
    icseg_error error;
    icseg_event_file *file = open_file(1);
    icseg_status status = ICSEG_OK;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small.rlim_max = before.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    for (int i = 0; i < 20 && status == ICSEG_OK; i++)
        status = icseg_event_file_scalars(file, i, &(icseg_event_scalar){"loss/total", i}, 1, &error);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(status, ICSEG_ERROR_IO);
    assert_non_null(strstr(error.message, "cannot write: File too large"));
    assert_non_null(strstr(error.message, "events.out.tfevents."));
    icseg_event_file_close(&file);
    find_file(true);
}

static icseg_status write_parameter(icseg_event_file *file, icseg_error *error) {
    icseg_params *params;
    ICSEG_TRY(icseg_params_open(&params, error));
    icseg_status status = ICSEG_ERROR_MEMORY;
    icseg_shape shape = {.rank = 1, .dim = {3}};
    if (icseg_params_declare(params, "p", shape, (icseg_param_options){.trainable = true}, error)) {
        status = icseg_params_load(params, error);
        if (status == ICSEG_OK) status = icseg_params_allocate_gradients(params, error);
        if (status == ICSEG_OK) status = icseg_events_parameters(file, params, 1, 1, error);
    }
    icseg_params_close(&params);
    return status;
}

static icseg_status write_all_kinds(icseg_event_file **file, const icseg_image *image, icseg_error *error) {
    const icseg_event_scalar scalars[] = {{"a", 1}, {"b", 2}};
    ICSEG_TRY(icseg_event_file_open(file, test_scratch_folder, 1, error));
    ICSEG_TRY(icseg_event_file_scalars(*file, 1, scalars, 2, error));
    ICSEG_TRY(icseg_event_file_histogram(*file, 1, "h", &histogram, error));
    ICSEG_TRY(icseg_event_file_image(*file, 1, "i", image, error));
    const icseg_log_eval eval = {.step = 4, .classes = 1, .iou = &(double){0.5}};
    ICSEG_TRY(icseg_events_eval(*file, &eval, (const char *const[]){"sky"}, error));
    ICSEG_TRY(write_parameter(*file, error));
    return icseg_event_file_finish(file, error);
}

static void a_failed_allocation_is_an_error(void **state) {
    (void)state;
    icseg_image image;
    int failed = 0;
    assert_int_equal(icseg_image_create(&image, 5, 3, NULL), ICSEG_OK);
    memset(image.data, 7, 45);
    for (int n = 0; n < 200; n++) {
        icseg_event_file *file = NULL;
        icseg_error error;
        icseg_memory_fail_after(n);
        icseg_status status = write_all_kinds(&file, &image, &error);
        icseg_memory_fail_after(-1);
        icseg_event_file_close(&file);
        find_file(true);
        if (status == ICSEG_OK) break;
        assert_int_equal(status, ICSEG_ERROR_MEMORY);
        failed++;
    }
    assert_true(failed > 10 && failed < 200);
    icseg_image_close(&image);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checksums_are_those_of_the_standard),
        cmocka_unit_test(records_are_framed_as_tensorboard_frames_them),
        cmocka_unit_test(each_value_is_in_the_bucket_below_its_limit),
        cmocka_unit_test(moments_are_those_of_the_finite_values),
        cmocka_unit_test(extreme_values_have_buckets),
        cmocka_unit_test(a_file_begins_with_format_and_first_step),
        cmocka_unit_test(scalars_are_read_back),
        cmocka_unit_test(histograms_are_read_back),
        cmocka_unit_test(images_are_read_back),
        cmocka_unit_test(without_a_file_nothing_is_written),
        cmocka_unit_test(scores_and_evaluations_have_tags),
        cmocka_unit_test(a_later_file_has_a_later_name),
        cmocka_unit_test(the_last_name_of_all_is_an_error),
        cmocka_unit_test(a_folder_that_cannot_be_made_is_an_error),
        cmocka_unit_test(a_full_disk_is_an_error),
        cmocka_unit_test(a_failed_allocation_is_an_error),
    };
    return cmocka_run_group_tests(tests, test_scratch_open, test_scratch_close);
}
