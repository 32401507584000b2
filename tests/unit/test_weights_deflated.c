/* SPDX-License-Identifier: Apache-2.0
 * weights: PyTorch archives rewritten with compression have the tensors of the original; damaged and oversized
 * ones are refused before memory is allocated for them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/memory.h"
#include "support/scratch.h"
#include "support/zip_files.h"
#include "weights/weights.h"

#define FIXTURES ICSEG_SOURCE_DIR "/tests/weights/"

static const char *path;
static icseg_error error;

static int open_folder(void **state) {
    if (test_scratch_open(state)) return -1;
    path = test_scratch("a.pt");
    return 0;
}

#define OK(call)                                                                                                       \
    do {                                                                                                               \
        if ((call) != ICSEG_OK) fail_msg("%s", error.message);                                                         \
    } while (0)

static void repack(const char *name) {
    char from[300];
    test_zip zip = {0};
    snprintf(from, sizeof from, FIXTURES "%s", name);
    test_zip_repack(&zip, from);
    test_zip_write(&zip, path);
}

static float *read_values(const icseg_weights_entry *entry, icseg_status *status) {
    float *values = icseg_calloc_array((size_t)icseg_shape_count(entry->shape) + 1, sizeof *values);
    assert_non_null(values);
    *status = icseg_weights_read(entry, values, &error);
    return values;
}

static void assert_same_entry(const icseg_weights_entry *a, const icseg_weights_entry *b) {
    icseg_status status;
    assert_string_equal(a->name, b->name);
    assert_true(icseg_shape_equal(a->shape, b->shape));
    float *x = read_values(a, &status), *y = read_values(b, &status);
    OK(status);
    assert_memory_equal(x, y, (size_t)icseg_shape_count(a->shape) * sizeof *x);
    icseg_free(x);
    icseg_free(y);
}

static void deflated_archives_have_the_tensors_of_the_original(void **state) {
    (void)state;
    static const char *const names[] = {"openai_resnet.pt", "denseclip_vit.pth"};
    for (int i = 0; i < 2; i++) {
        icseg_weights *stored, *deflated;
        char original[300];
        snprintf(original, sizeof original, FIXTURES "%s", names[i]);
        repack(names[i]);
        OK(icseg_weights_open(&stored, original, &error));
        OK(icseg_weights_open(&deflated, path, &error));
        size_t count = icseg_weights_count(stored), classes, same;
        assert_int_equal(icseg_weights_count(deflated), count);
        assert_string_equal(icseg_weights_container(deflated), icseg_weights_container(stored));
        icseg_weights_classes(stored, &classes);
        icseg_weights_classes(deflated, &same);
        assert_int_equal(classes, same);
        /* in order, backwards and again: the stream is rewound */
        for (size_t k = 0; k < count; k++)
            assert_same_entry(icseg_weights_at(stored, k), icseg_weights_at(deflated, k));
        for (size_t k = count; k-- > 0;) assert_same_entry(icseg_weights_at(stored, k), icseg_weights_at(deflated, k));
        icseg_weights_close(&stored);
        icseg_weights_close(&deflated);
    }
}

static void an_archive_that_is_cut_short_while_open_is_an_error(void **state) {
    (void)state;
    icseg_weights *w;
    icseg_status status;
    repack("denseclip_vit.pth");
    OK(icseg_weights_open(&w, path, &error));
    assert_int_equal(truncate(path, 0), 0);
    icseg_free(read_values(icseg_weights_at(w, 0), &status));
    assert_int_equal(status, ICSEG_ERROR_IO);
    assert_non_null(strstr(error.message, "truncated while in use"));
    icseg_weights_close(&w);
}

/* ------------------------------------------------------------------------------------------- one storage, any view */

/* {"visual.class_embedding": view (rows, columns) of storage "0" of `count` f32} */
static void write_pickle(icseg_string *p, int64_t count, int64_t offset, const int64_t shape[2],
                         const int64_t stride[2]) {
    static const char begin[] = "\x80\x02}X\x16\0\0\0visual.class_embedding"
                                "ctorch._utils\n_rebuild_tensor_v2\n((X\7\0\0\0storagectorch\nFloatStorage\n"
                                "X\1\0\0\0000X\3\0\0\0cpu";
    icseg_string_append(p, begin, sizeof begin - 1);
    const int64_t numbers[] = {count, offset, shape[0], shape[1], stride[0], stride[1]};
    static const char *const after[] = {"tQ", "", "", "\x86", "", "\x86"};
    for (int i = 0; i < 6; i++) {
        icseg_string_append(p, "\x8a\x08", 2);
        test_put(p, (uint64_t)numbers[i], 8);
        icseg_string_append(p, after[i], strlen(after[i]));
    }
    icseg_string_append(p, "\x89}tRs.", 6);
}

static void write_view(const float *storage, int64_t count, int64_t offset, const int64_t shape[2],
                       const int64_t stride[2]) {
    test_zip zip = {0};
    icseg_string p = {0};
    write_pickle(&p, count, offset, shape, stride);
    test_zip_deflate(&zip, "x/data.pkl", p.data, p.size);
    test_zip_deflate(&zip, "x/data/0", storage, (size_t)count * sizeof *storage);
    test_zip_write(&zip, path);
    icseg_string_close(&p);
}

/* The one tensor of the file. */
static icseg_status read_only_one(float **out) {
    icseg_weights *w;
    *out = NULL;
    icseg_status status = icseg_weights_open(&w, path, &error);
    if (status != ICSEG_OK) return status;
    assert_int_equal(icseg_weights_count(w), 1);
    *out = read_values(icseg_weights_at(w, 0), &status);
    icseg_weights_close(&w);
    return status;
}

static void views_into_a_deflated_storage_are_gathered(void **state) {
    (void)state;
    enum { COUNT = (1 << 20) + 5000 }; /* more than one step of the stream */
    float *storage = icseg_alloc_array(COUNT, sizeof *storage), *got;
    assert_non_null(storage);
    for (int i = 0; i < COUNT; i++) storage[i] = (float)(i % 65521) - 17;
    static const struct {
        int64_t offset, shape[2], stride[2];
    } cases[] = {{0, {1, COUNT}, {1, 1}},       /* all of it */
                 {1, {3, 300000}, {200000, 1}}, /* rows that overlap */
                 {5, {1000, 700}, {1, 1000}},   /* transposed */
                 {COUNT - 40, {8, 5}, {5, 1}},  /* the end */
                 {7, {30, 20}, {1000, 3}}};
    for (size_t n = 0; n < sizeof cases / sizeof *cases; n++) {
        const int64_t *shape = cases[n].shape, *stride = cases[n].stride;
        write_view(storage, COUNT, cases[n].offset, shape, stride);
        OK(read_only_one(&got));
        for (int64_t i = 0; i < shape[0]; i++)
            for (int64_t j = 0; j < shape[1]; j++)
                if (got[i * shape[1] + j] != storage[cases[n].offset + i * stride[0] + j * stride[1]])
                    fail_msg("case %zu, element (%d, %d)", n, (int)i, (int)j);
        icseg_free(got);
    }
    icseg_free(storage);
}

/* ------------------------------------------------------------------------------------------------------------ hostile
 */

static void refuses(const char *because) {
    float *values;
    icseg_status got = read_only_one(&values);
    icseg_free(values);
    if (got != ICSEG_ERROR_FORMAT || !strstr(error.message, because) || !strstr(error.message, path))
        fail_msg("status %s, \"%s\" lacks \"%s\"", icseg_status_name(got), error.message, because);
}

static void zip_bombs_are_refused_before_memory_is_allocated(void **state) {
    (void)state;
    enum { COUNT = 16 << 20, NOISE = 1 << 19 };
    float *zeros = icseg_calloc_array(COUNT, sizeof *zeros);
    assert_non_null(zeros);
    const int64_t shape[2] = {4096, 4096}, stride[2] = {4096, 1};
    write_view(zeros, COUNT, 0, shape, stride); /* 64 MiB in 64 KiB */
    refuses("a zip bomb: x/data/0 would grow from");
    test_zip zip = {0}; /* a pickle of 64 MiB */
    test_zip_deflate(&zip, "x/data.pkl", zeros, COUNT * sizeof *zeros);
    test_zip_write(&zip, path);
    refuses("a zip bomb: x/data.pkl");
    for (int i = 0; i < 40; i++) { /* many that are small enough alone */
        char name[20];
        snprintf(name, sizeof name, "x/data/%d", i);
        test_zip_deflate(&zip, name, zeros, 100000);
    }
    test_zip_write(&zip, path);
    refuses("a zip bomb: x/data/");
    /* two elements, a storage apart */
    float *noise = icseg_alloc_array(NOISE, sizeof *noise);
    assert_non_null(noise);
    for (int i = 0; i < NOISE; i++) noise[i] = (float)((uint32_t)i * 2654435761u >> 8);
    const int64_t two[2] = {2, 1}, apart[2] = {NOISE - 1, 1};
    write_view(noise, NOISE, 0, two, apart);
    refuses("spans 2097152 bytes for 2 elements");
    icseg_free(noise);
    icseg_free(zeros);
}

/* An archive of one good tensor whose directory contains a wrong size, packed size or checksum. */
static void write_lie(size_t field, uint64_t add) {
    static float storage[600];
    const int64_t shape[2] = {20, 30}, stride[2] = {30, 1};
    for (int i = 0; i < 600; i++) storage[i] = (float)(i * i % 97);
    test_zip zip = {0};
    icseg_string p = {0};
    write_pickle(&p, 600, 0, shape, stride);
    test_zip_deflate(&zip, "x/data.pkl", p.data, p.size);
    test_zip_deflate(&zip, "x/data/0", storage, sizeof storage);
    icseg_string_close(&p);
    uint32_t held;
    memcpy(&held, zip.directory.data + zip.last_central + field, 4);
    test_poke(&zip.directory, zip.last_central + field, held + add, 4);
    test_zip_write(&zip, path);
}

static void sizes_and_checksums_must_be_true(void **state) {
    (void)state;
    float *values;
    write_lie(16, 0);
    OK(read_only_one(&values));
    icseg_free(values);
    write_lie(16, 1);
    refuses("x/data/0 has a wrong checksum");
    write_lie(24, UINT32_MAX); /* one byte less than the tensor needs */
    refuses("x/data/0 has 2399 bytes; expected 600 elements of F32");
    write_lie(20, (uint32_t)-40);
    refuses("x/data/0 ends before its size");
    write_lie(20, 1 << 20);
    refuses("x/data/0 runs past the end");
}

static void damage_to_deflated_archives_never_crashes(void **state) {
    (void)state;
    size_t size;
    unsigned char *data;
    repack("openai_resnet.pt");
    OK(icseg_file_read(path, 1 << 20, &data, &size, &error));
    for (size_t at = 0; at < size; at += 31) {
        icseg_weights *w;
        unsigned char held = data[at];
        data[at] ^= (unsigned char)(1u << at % 8);
        test_put_file(path, data, size);
        data[at] = held;
        if (icseg_weights_open(&w, path, &error) != ICSEG_OK) continue;
        for (size_t i = 0; i < icseg_weights_count(w); i++) {
            icseg_status status;
            icseg_free(read_values(icseg_weights_at(w, i), &status));
            if (status != ICSEG_OK) assert_non_null(strstr(error.message, "damaged zip archive"));
        }
        icseg_weights_close(&w);
    }
    for (size_t cut = 0; cut < size; cut += 997) {
        icseg_weights *w;
        test_put_file(path, data, cut);
        assert_int_not_equal(icseg_weights_open(&w, path, &error), ICSEG_OK);
    }
    icseg_free(data);
}

static void running_out_of_memory_is_reported(void **state) {
    (void)state;
    repack("denseclip_vit.pth");
    bool done = false;
    int64_t n = 0;
    for (; !done && n < 20000; n += n < 60 ? 1 : 23) {
        icseg_weights *w;
        icseg_memory_fail_after(n);
        icseg_status status = icseg_weights_open(&w, path, &error);
        if (status == ICSEG_OK) {
            float values[4096];
            const icseg_weights_entry *entry = icseg_weights_find(w, "token_embedding.weight");
            assert_true(entry && icseg_shape_count(entry->shape) <= 4096);
            status = icseg_weights_read(entry, values, &error);
            done = status == ICSEG_OK;
        }
        icseg_memory_fail_after(-1);
        icseg_weights_close(&w);
        if (!done) assert_int_equal(status, ICSEG_ERROR_MEMORY);
    }
    assert_true(n > 10); /* some allocations failed */
    assert_true(done);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deflated_archives_have_the_tensors_of_the_original),
        cmocka_unit_test(an_archive_that_is_cut_short_while_open_is_an_error),
        cmocka_unit_test(views_into_a_deflated_storage_are_gathered),
        cmocka_unit_test(zip_bombs_are_refused_before_memory_is_allocated),
        cmocka_unit_test(sizes_and_checksums_must_be_true),
        cmocka_unit_test(damage_to_deflated_archives_never_crashes),
        cmocka_unit_test(running_out_of_memory_is_reported),
    };
    return cmocka_run_group_tests(tests, open_folder, test_scratch_close);
}
