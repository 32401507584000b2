/* SPDX-License-Identifier: Apache-2.0
 * tensor/safetensors: round trips, files of other writers, hostile headers. */
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <cmocka.h>
#include <jansson.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "support/scratch.h"
#include "tensor/safetensors.h"

static const char *path;
static icseg_error error;

static int open_folder(void **state) {
    if (test_scratch_open(state)) return -1;
    path = test_scratch("a.safetensors");
    return 0;
}

/* Without icseg_file_write's fsync: it is called thousands of times. */
static void put_file(const void *data, size_t size) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* A file of this header text, `bytes` counting bytes of data, and a header length that is `excess` too large. */
static void make_file(const char *header, size_t bytes, int64_t excess) {
    icseg_string file = {0};
    uint64_t length = strlen(header) + (uint64_t)excess;
    icseg_string_append(&file, (const char *)&length, sizeof length);
    icseg_string_append(&file, header, strlen(header));
    for (size_t i = 0; i < bytes; i++) icseg_string_append(&file, &(char){(char)(i + 1)}, 1);
    assert_false(file.failed);
    put_file(file.data, file.size);
    icseg_string_close(&file);
}

static icseg_status open_made(const char *header, size_t bytes) {
    icseg_safetensors *st;
    make_file(header, bytes, 0);
    icseg_status status = icseg_safetensors_open(&st, path, &error);
    if (status != ICSEG_OK) {
        assert_null(st);
        assert_int_equal(error.status, status);
        assert_non_null(strstr(error.message, path));
    }
    icseg_safetensors_close(&st);
    return status;
}

static void refuses(icseg_status status, const char *header, size_t bytes, const char *because) {
    icseg_status got = open_made(header, bytes);
    if (got != status || !strstr(error.message, because))
        fail_msg("%s: status %s, \"%s\" lacks \"%s\"", header, icseg_status_name(got), error.message, because);
}

/* ------------------------------------------------------------------------------------------------------- reading */

static void assert_stored(const icseg_safetensors *st, const icseg_safetensors_entry *entry, const char *bytes) {
    size_t offset;
    char got[16];
    const icseg_file_reader *file = icseg_safetensors_locate(st, entry, &offset);
    assert_int_equal(entry->bytes, strlen(bytes));
    assert_int_equal(icseg_file_reader_read(file, offset, got, entry->bytes, &error), ICSEG_OK);
    assert_memory_equal(got, bytes, entry->bytes);
}

static void files_of_other_writers_are_read(void **state) {
    (void)state;
    /* as written by Python's json.dumps: spaces, escapes, tensors out of order, empty and scalar tensors */
    make_file("{\"__metadata__\": {\"format\": \"pt\", \"note\": \"\\u00e9\\n\"}, "
              "\"b\": {\"dtype\": \"I64\", \"shape\": [1], \"data_offsets\": [5, 13]}, "
              "\"none\": {\"dtype\": \"F32\", \"shape\": [0, 3], \"data_offsets\": [5, 5]}, "
              "\"a.weight\": {\"dtype\": \"U8\", \"shape\": [2, 2], \"data_offsets\": [0, 4], \"extra\": null}, "
              "\"scalar\": {\"dtype\": \"BOOL\", \"shape\": [], \"data_offsets\": [4, 5]}}    ",
              13, 0);
    icseg_safetensors *st;
    assert_int_equal(icseg_safetensors_open(&st, path, &error), ICSEG_OK);
    assert_string_equal(icseg_safetensors_path(st), path);
    assert_int_equal(icseg_safetensors_count(st), 4);
    static const char *const order[] = {"b", "none", "a.weight", "scalar"};
    for (size_t i = 0; i < 4; i++) {
        const icseg_safetensors_entry *entry = icseg_safetensors_at(st, i);
        assert_string_equal(entry->name, order[i]);
        assert_ptr_equal(icseg_safetensors_find(st, order[i]), entry);
    }
    assert_null(icseg_safetensors_at(st, 4));
    assert_null(icseg_safetensors_find(st, "a"));
    const icseg_safetensors_entry *a = icseg_safetensors_find(st, "a.weight");
    assert_int_equal(a->dtype, ICSEG_U8);
    assert_true(icseg_shape_equal(a->shape, ICSEG_SHAPE(2, 2)));
    assert_null(a->data);
    assert_stored(st, a, "\1\2\3\4");
    assert_int_equal(icseg_safetensors_find(st, "none")->bytes, 0);
    assert_int_equal(icseg_safetensors_find(st, "scalar")->shape.rank, 0);
    assert_stored(st, icseg_safetensors_find(st, "scalar"), "\5");
    assert_int_equal(icseg_safetensors_metadata_count(st), 2);
    assert_string_equal(icseg_safetensors_metadata(st, "note"), "\xc3\xa9\n");
    assert_string_equal(icseg_safetensors_metadata_at(st, 0).key, "format");
    assert_null(icseg_safetensors_metadata(st, "icpc.config"));
    assert_null(icseg_safetensors_metadata_at(st, 2).key);
    icseg_safetensors_close(&st);
    assert_null(st);
    icseg_safetensors_close(&st);
    assert_int_equal(open_made("{}", 0), ICSEG_OK);
}

static void f32_is_read_from_every_float_type_with_the_shape_checked(void **state) {
    (void)state;
    double f64[2] = {0.5, -2};
    float f32[2] = {NAN, 3}, out[2];
    uint16_t f16[2] = {0x3c00, 0xc000}, bf16[2] = {0x3f80, 0xc000};
    int64_t i64[2] = {1, 2};
    icseg_shape shape = ICSEG_SHAPE(1, 2);
    /* the odd byte in front leaves every other tensor unaligned */
    const icseg_safetensors_entry entries[] = {
        {"odd", ICSEG_U8, ICSEG_SHAPE(1), "x", 1}, {"f64", ICSEG_F64, shape, f64, 16},
        {"f32", ICSEG_F32, shape, f32, 8},         {"f16", ICSEG_F16, shape, f16, 4},
        {"bf16", ICSEG_BF16, shape, bf16, 4},      {"i64", ICSEG_I64, shape, i64, 16}};
    assert_int_equal(icseg_safetensors_write(path, entries, 6, NULL, 0, &error), ICSEG_OK);
    icseg_safetensors *st;
    assert_int_equal(icseg_safetensors_open(&st, path, &error), ICSEG_OK);
    assert_int_equal(icseg_safetensors_read_f32(st, "f64", shape, out, &error), ICSEG_OK);
    assert_true(out[0] == 0.5f && out[1] == -2.0f);
    assert_int_equal(icseg_safetensors_read_f32(st, "f32", shape, out, &error), ICSEG_OK);
    assert_true(isnan(out[0]) && out[1] == 3.0f); /* NaN and infinity are no error here */
    assert_int_equal(icseg_safetensors_read_f32(st, "f16", shape, out, &error), ICSEG_OK);
    assert_true(out[0] == 1.0f && out[1] == -2.0f);
    assert_int_equal(icseg_safetensors_read_f32(st, "bf16", shape, out, &error), ICSEG_OK);
    assert_true(out[0] == 1.0f && out[1] == -2.0f);

    assert_int_equal(icseg_safetensors_read_f32(st, "f16", ICSEG_SHAPE(2), out, &error), ICSEG_ERROR_SHAPE);
    assert_non_null(strstr(error.message, path));
    assert_non_null(strstr(error.message, "\"f16\" has shape (1, 2); expected (2)"));
    assert_int_equal(icseg_safetensors_read_f32(st, "i64", shape, out, &error), ICSEG_ERROR_FORMAT);
    assert_non_null(strstr(error.message, "I64"));
    assert_int_equal(icseg_safetensors_read_f32(st, "f8", shape, out, &error), ICSEG_ERROR_FORMAT);
    assert_non_null(strstr(error.message, "\"f8\""));
    icseg_safetensors_close(&st);
}

#define U8_4 "\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":"

static void data_must_be_covered_once_and_in_range(void **state) {
    (void)state;
    refuses(ICSEG_ERROR_FORMAT, "{\"a\":{" U8_4 "[0,4]},\"b\":{" U8_4 "[3,7]}}", 7, "overlaps");
    refuses(ICSEG_ERROR_FORMAT, "{\"a\":{" U8_4 "[0,4]},\"b\":{" U8_4 "[0,4]}}", 4, "overlaps");
    refuses(ICSEG_ERROR_FORMAT, "{\"a\":{" U8_4 "[0,4]},\"b\":{" U8_4 "[5,9]}}", 9, "gap");
    refuses(ICSEG_ERROR_FORMAT, "{\"a\":{" U8_4 "[1,5]}}", 5, "gap");
    refuses(ICSEG_ERROR_FORMAT, "{\"a\":{" U8_4 "[0,4]}}", 5, "1 bytes follow");
    refuses(ICSEG_ERROR_FORMAT, "{\"a\":{" U8_4 "[0,4]}}", 3, "truncated");
    refuses(ICSEG_ERROR_FORMAT, "{\"a\":{" U8_4 "[4,0]}}", 4, "damaged");
    refuses(ICSEG_ERROR_FORMAT, "{\"a\":{" U8_4 "[-4,0]}}", 4, "damaged");
    refuses(ICSEG_ERROR_FORMAT, "{\"a\":{" U8_4 "[0,3]}}", 3, "takes 4 bytes, not 3");
    refuses(ICSEG_ERROR_FORMAT, "{\"a\":{" U8_4 "[-9223372036854775808,9223372036854775807]}}", 4, "damaged");
    refuses(ICSEG_ERROR_FORMAT, "{\"a\":{" U8_4 "[0,9223372036854775808]}}", 4, "too big");
    refuses(ICSEG_ERROR_FORMAT, "{}", 1, "1 bytes follow");
}

static void shapes_must_be_possible(void **state) {
    (void)state;
#define SHAPE(S) "{\"a\":{\"dtype\":\"F32\",\"shape\":" S ",\"data_offsets\":[0,4]}}"
    assert_int_equal(open_made(SHAPE("[1, 1]"), 4), ICSEG_OK);
    refuses(ICSEG_ERROR_FORMAT, SHAPE("[2]"), 4, "F32 of shape (2) takes 8 bytes, not 4");
    refuses(ICSEG_ERROR_FORMAT, SHAPE("[-1]"), 4, "\"shape\"");
    refuses(ICSEG_ERROR_FORMAT, SHAPE("[1.0]"), 4, "\"shape\"");
    refuses(ICSEG_ERROR_FORMAT, SHAPE("[true]"), 4, "\"shape\"");
    refuses(ICSEG_ERROR_FORMAT, SHAPE("[\"1\"]"), 4, "\"shape\"");
    refuses(ICSEG_ERROR_FORMAT, SHAPE("1"), 4, "\"shape\"");
    refuses(ICSEG_ERROR_FORMAT, SHAPE("null"), 4, "\"shape\"");
    refuses(ICSEG_ERROR_FORMAT, SHAPE("[4294967296, 4294967296]"), 4, "too large");
    refuses(ICSEG_ERROR_FORMAT, SHAPE("[4611686018427387905]"), 4, "too large"); /* times 4 wraps to 4 */
    refuses(ICSEG_ERROR_FORMAT, SHAPE("[0, 4294967296, 4294967296]"), 4, "too large");
    refuses(ICSEG_ERROR_UNSUPPORTED, SHAPE("[1,1,1,1,1,1,1]"), 4, "7 dimensions");
}

static void entries_must_be_well_formed(void **state) {
    (void)state;
    refuses(ICSEG_ERROR_UNSUPPORTED, "{\"a\":{\"dtype\":\"F8_E4M3\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1,
            "F8_E4M3");
    refuses(ICSEG_ERROR_FORMAT, "{\"a\":{\"dtype\":7,\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "\"dtype\"");
    refuses(ICSEG_ERROR_FORMAT, "{\"a\":{\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "\"dtype\"");
    refuses(ICSEG_ERROR_FORMAT, "{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,1]}}", 1, "\"shape\"");
    refuses(ICSEG_ERROR_FORMAT, "{\"a\":{\"dtype\":\"U8\",\"shape\":[1]}}", 1, "\"data_offsets\"");
    refuses(ICSEG_ERROR_FORMAT, "{\"a\":{" U8_4 "[0]}}", 4, "\"data_offsets\"");
    refuses(ICSEG_ERROR_FORMAT, "{\"a\":{" U8_4 "[0,4,4]}}", 4, "\"data_offsets\"");
    refuses(ICSEG_ERROR_FORMAT, "{\"a\":{" U8_4 "[0,4.0]}}", 4, "\"data_offsets\"");
    refuses(ICSEG_ERROR_FORMAT, "{\"a\":{" U8_4 "{\"0\":0}}}", 4, "\"data_offsets\"");
    refuses(ICSEG_ERROR_FORMAT, "{\"a\":[1,2]}", 0, "not an object");
    refuses(ICSEG_ERROR_FORMAT, "{\"a\":{" U8_4 "[0,4]},\"a\":{" U8_4 "[4,8]}}", 8, "duplicate");
    refuses(ICSEG_ERROR_FORMAT, "{\"a\":{\"dtype\":\"I8\"," U8_4 "[0,4]}}", 4, "duplicate");
    refuses(ICSEG_ERROR_FORMAT, "{\"a\\u0000b\":{" U8_4 "[0,4]}}", 4, "damaged header");
    refuses(ICSEG_ERROR_FORMAT, "{\"\xff\":{" U8_4 "[0,4]}}", 4, "damaged header");
    refuses(ICSEG_ERROR_FORMAT, "{\"__metadata__\":{\"k\":1}}", 0, "\"k\" is not a string");
    refuses(ICSEG_ERROR_FORMAT, "{\"__metadata__\":\"text\"}", 0, "__metadata__");
    refuses(ICSEG_ERROR_FORMAT, "{\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"}}", 0, "duplicate");
    refuses(ICSEG_ERROR_FORMAT, "[]", 0, "not a safetensors file");
    refuses(ICSEG_ERROR_FORMAT, " {}", 0, "not a safetensors file");
    refuses(ICSEG_ERROR_FORMAT, "", 0, "not a safetensors file");
    refuses(ICSEG_ERROR_FORMAT, "{} {}", 0, "damaged header");
    refuses(ICSEG_ERROR_FORMAT, "{\"a\":", 0, "damaged header");
}

static void header_lengths_are_checked(void **state) {
    (void)state;
    icseg_safetensors *st;
    static const int64_t excess[] = {1, 100, 99999998, 99999999, (int64_t)1 << 60, INT64_MAX, -3, -2};
    for (size_t i = 0; i < sizeof excess / sizeof *excess; i++) {
        make_file("{}", 0, excess[i]); /* -3 is a length of 2^64 - 1, -2 one of 0 */
        assert_int_equal(icseg_safetensors_open(&st, path, &error), ICSEG_ERROR_FORMAT);
        assert_null(st);
        assert_non_null(strstr(error.message, "not a safetensors file"));
    }
    put_file("PK\3\4 a zip archive", 18);
    assert_int_equal(icseg_safetensors_open(&st, path, &error), ICSEG_ERROR_FORMAT);
    assert_non_null(strstr(error.message, "convert it to safetensors"));
    put_file("version https://git-lfs.github.com/spec/v1", 42);
    assert_int_equal(icseg_safetensors_open(&st, path, &error), ICSEG_ERROR_FORMAT);
    assert_non_null(strstr(error.message, "git lfs pull"));
    assert_int_equal(icseg_safetensors_open(&st, test_scratch_folder, &error), ICSEG_ERROR_IO);
    assert_int_equal(icseg_safetensors_open(&st, "/nonexistent", &error), ICSEG_ERROR_IO);
}

static void deep_and_huge_headers_end_in_errors(void **state) {
    (void)state;
    icseg_string header = {0};
    icseg_string_printf(&header, "{\"a\":");
    for (int i = 0; i < 100000; i++) icseg_string_append(&header, "[", 1);
    for (int i = 0; i < 100000; i++) icseg_string_append(&header, "]", 1);
    icseg_string_append(&header, "}", 1);
    refuses(ICSEG_ERROR_FORMAT, header.data, 0, "damaged header");
    header.size = 0;
    for (int i = 0; i < 20000; i++)
        icseg_string_printf(&header, "%s\"t%d\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}",
                            i ? "," : "{", i);
    icseg_string_append(&header, "}", 1);
    assert_int_equal(open_made(header.data, 0), ICSEG_OK); /* many empty tensors share an offset */
    header.size = 0;
    icseg_string_printf(&header, "{\"a\":[");
    for (int i = 0; i < 1 << 21; i++) icseg_string_append(&header, "[],", 3); /* 6 MB that would take 250 MB parsed */
    icseg_string_append(&header, "0]}", 3);
    refuses(ICSEG_ERROR_FORMAT, header.data, 0, "more than 4194304 values");
    icseg_string_close(&header);
}

static void files_cut_short_anywhere_are_refused(void **state) {
    (void)state;
    float values[2] = {1, 2};
    const icseg_safetensors_pair metadata = {"k", "v"};
    const icseg_safetensors_entry entries[] = {{"a", ICSEG_F32, ICSEG_SHAPE(2), values, 8},
                                               {"b", ICSEG_U8, ICSEG_SHAPE(1, 3), values, 3}};
    assert_int_equal(icseg_safetensors_write(path, entries, 2, &metadata, 1, &error), ICSEG_OK);
    unsigned char *data;
    size_t size;
    assert_int_equal(icseg_file_read(path, 1000, &data, &size, NULL), ICSEG_OK);
    icseg_safetensors *st;
    for (size_t cut = 0; cut < size; cut++) {
        put_file(data, cut);
        assert_int_equal(icseg_safetensors_open(&st, path, &error), ICSEG_ERROR_FORMAT);
        assert_null(st);
    }
    icseg_free(data);
}

/* Any single changed byte either fails or gives entries inside the file; the sanitizers watch the reads. */
static void changed_bytes_never_cause_reads_outside(void **state) {
    (void)state;
    float values[2] = {1, 2}, sum = 0;
    const icseg_safetensors_entry entries[] = {{"a", ICSEG_F32, ICSEG_SHAPE(2), values, 8},
                                               {"b", ICSEG_F16, ICSEG_SHAPE(1, 3), values, 6}};
    assert_int_equal(icseg_safetensors_write(path, entries, 2, NULL, 0, &error), ICSEG_OK);
    unsigned char *data;
    size_t size;
    assert_int_equal(icseg_file_read(path, 1000, &data, &size, NULL), ICSEG_OK);
    static const unsigned char values_tried[] = {0, 1, '0', '9', '"', '[', ',', 0xff};
    for (size_t at = 0; at < size - 14; at++)
        for (size_t v = 0; v < sizeof values_tried; v++) {
            unsigned char held = data[at];
            icseg_safetensors *st;
            data[at] = values_tried[v];
            put_file(data, size);
            icseg_status status = icseg_safetensors_open(&st, path, &error);
            for (size_t i = 0; status == ICSEG_OK && i < icseg_safetensors_count(st); i++) {
                const icseg_safetensors_entry *entry = icseg_safetensors_at(st, i);
                size_t offset;
                const icseg_file_reader *file = icseg_safetensors_locate(st, entry, &offset);
                unsigned char bytes[64] = {0};
                assert_true(entry->bytes <= sizeof bytes);
                assert_int_equal(icseg_file_reader_read(file, offset, bytes, entry->bytes, &error), ICSEG_OK);
                for (size_t k = 0; k < entry->bytes; k++) sum += bytes[k];
                assert_true(icseg_shape_bytes(entry->shape, entry->dtype) == (int64_t)entry->bytes);
            }
            icseg_safetensors_close(&st);
            data[at] = held;
        }
    assert_true(sum > 0);
    icseg_free(data);
}

/* ------------------------------------------------------------------------------------------------------- writing */

static void files_have_exactly_the_bytes_of_the_format(void **state) {
    (void)state;
    const char *header = "{\"__metadata__\":{\"z\":\"\xc3\xa9\\\"\\n\",\"a\":\"\"},"
                         "\"b.w\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[0,8]},"
                         "\"a\":{\"dtype\":\"I8\",\"shape\":[],\"data_offsets\":[8,9]},"
                         "\"e\":{\"dtype\":\"F16\",\"shape\":[0],\"data_offsets\":[9,9]}}";
    const icseg_safetensors_pair metadata[] = {{"z", "\xc3\xa9\"\n"}, {"a", ""}};
    float values[2] = {1, -0.0f};
    const icseg_safetensors_entry entries[] = {{"b.w", ICSEG_F32, ICSEG_SHAPE(2, 1), values, 8},
                                               {"a", ICSEG_I8, {0}, "\x7f", 1},
                                               {"e", ICSEG_F16, ICSEG_SHAPE(0), NULL, 0}};
    unsigned char *data;
    size_t size, padded = (strlen(header) + 7) / 8 * 8;
    assert_int_equal(icseg_safetensors_write(path, entries, 3, metadata, 2, &error), ICSEG_OK);
    assert_int_equal(icseg_file_read(path, 1000, &data, &size, NULL), ICSEG_OK);
    assert_int_equal(size, 8 + padded + 9);
    assert_memory_equal(data, &(uint64_t){padded}, 8);
    assert_memory_equal(data + 8, header, strlen(header));
    for (size_t i = strlen(header); i < padded; i++) assert_int_equal(data[8 + i], ' ');
    assert_memory_equal(data + 8 + padded, "\0\0\x80\x3f\0\0\0\x80\x7f", 9);
    icseg_free(data);
    icseg_safetensors *st;
    assert_int_equal(icseg_safetensors_open(&st, path, &error), ICSEG_OK);
    assert_string_equal(icseg_safetensors_metadata(st, "z"), metadata[0].value);
    assert_int_equal(icseg_safetensors_count(st), 3);
    icseg_safetensors_close(&st);
    assert_int_equal(icseg_safetensors_write(path, NULL, 0, NULL, 0, &error), ICSEG_OK);
    assert_int_equal(icseg_safetensors_open(&st, path, &error), ICSEG_OK);
    icseg_safetensors_close(&st);
}

static icseg_safetensors_writer *begun(void) {
    icseg_safetensors_writer *w;
    assert_int_equal(icseg_safetensors_writer_open(&w, path, &error), ICSEG_OK);
    assert_int_equal(icseg_safetensors_writer_declare(w, "a", ICSEG_U8, ICSEG_SHAPE(2), &error), ICSEG_OK);
    assert_int_equal(icseg_safetensors_writer_declare(w, "b", ICSEG_U8, ICSEG_SHAPE(2), &error), ICSEG_OK);
    assert_int_equal(icseg_safetensors_writer_begin(w, &error), ICSEG_OK);
    return w;
}

/* After a wrong call nothing more can be committed. */
static void is_refused(icseg_safetensors_writer *w, icseg_status status, const char *because) {
    assert_int_equal(status, ICSEG_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, because));
    assert_int_equal(icseg_safetensors_writer_commit(w, &error), ICSEG_ERROR_ARGUMENT);
    icseg_safetensors_writer_close(&w);
    assert_null(w);
    icseg_safetensors_writer_close(&w);
}

static void undeclared_tensors_cannot_be_written(void **state) {
    (void)state;
    icseg_safetensors_writer *w = begun();
    is_refused(w, icseg_safetensors_writer_append(w, "b", "xy", 2, &error), "the next tensor declared is \"a\"");
    w = begun();
    is_refused(w, icseg_safetensors_writer_append(w, "a", "xyz", 3, &error), "of 3 bytes");
    w = begun();
    is_refused(w, icseg_safetensors_writer_declare(w, "c", ICSEG_U8, ICSEG_SHAPE(1), &error), "before begin");
    w = begun();
    is_refused(w, icseg_safetensors_writer_metadata(w, "k", "v", &error), "before begin");
    w = begun();
    is_refused(w, icseg_safetensors_writer_begin(w, &error), "twice");
    w = begun();
    assert_int_equal(icseg_safetensors_writer_append(w, "a", "xy", 2, &error), ICSEG_OK);
    is_refused(w, icseg_safetensors_writer_commit(w, &error), "\"b\": its data was never appended");
    w = begun();
    assert_int_equal(icseg_safetensors_writer_append(w, "a", "xy", 2, &error), ICSEG_OK);
    assert_int_equal(icseg_safetensors_writer_append(w, "b", "xy", 2, &error), ICSEG_OK);
    is_refused(w, icseg_safetensors_writer_append(w, "c", "xy", 2, &error), "all declared tensors");
    w = begun();
    assert_int_equal(icseg_safetensors_writer_append(w, "a", "xy", 2, &error), ICSEG_OK);
    assert_int_equal(icseg_safetensors_writer_append(w, "b", "xy", 2, &error), ICSEG_OK);
    assert_int_equal(icseg_safetensors_writer_commit(w, &error), ICSEG_OK);
    is_refused(w, icseg_safetensors_writer_append(w, "b", "xy", 2, &error), "an earlier call failed or committed");
}

static void impossible_declarations_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *name, *because;
        icseg_shape shape;
    } cases[] = {{"a", "the name is already used", {1, {1}}},
                 {"__metadata__", "the name is already used", {1, {1}}},
                 {"\xff", "not UTF-8", {1, {1}}},
                 {"n", "negative or too large", {1, {-1}}},
                 {"n", "negative or too large", {2, {INT64_MAX, 2}}},
                 {"n", "negative or too large", {1, {INT64_MAX}}}, /* it fits alone, but not after "a" */
                 {"n", "negative or too large", {7, {1}}}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        icseg_safetensors_writer *w;
        assert_int_equal(icseg_safetensors_writer_open(&w, path, &error), ICSEG_OK);
        assert_int_equal(icseg_safetensors_writer_declare(w, "a", ICSEG_U8, ICSEG_SHAPE(1), &error), ICSEG_OK);
        is_refused(w, icseg_safetensors_writer_declare(w, cases[i].name, ICSEG_U8, cases[i].shape, &error),
                   cases[i].because);
    }
    icseg_safetensors_writer *w;
    assert_int_equal(icseg_safetensors_writer_open(&w, path, &error), ICSEG_OK);
    is_refused(w, icseg_safetensors_writer_metadata(w, "k", "\xc3", &error), "not UTF-8");
    assert_int_equal(icseg_safetensors_writer_open(&w, path, &error), ICSEG_OK);
    assert_int_equal(icseg_safetensors_writer_metadata(w, "k", "v", &error), ICSEG_OK);
    is_refused(w, icseg_safetensors_writer_metadata(w, "k", "w", &error), "already used");
    assert_int_equal(icseg_safetensors_writer_open(&w, path, &error), ICSEG_OK);
    is_refused(w, icseg_safetensors_writer_append(w, "k", "w", 1, &error), "begin has not been called");
}

static void a_failed_write_leaves_the_old_file(void **state) {
    (void)state;
    put_file("old", 3);
    enum { BIG = 300000 };
    unsigned char *zeros = icseg_calloc_array(BIG, 1);
    const icseg_safetensors_entry entries[] = {{"a", ICSEG_U8, ICSEG_SHAPE(BIG), zeros, BIG},
                                               {"b", ICSEG_U8, ICSEG_SHAPE(BIG), zeros, BIG}};
    /* a full disk, simulated by a limit on file sizes */
    struct rlimit old_limit, limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old_limit), 0);
    limit = old_limit;
    limit.rlim_cur = BIG + 1000;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    icseg_status status = icseg_safetensors_write(path, entries, 2, NULL, 0, &error);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old_limit), 0);
    signal(SIGXFSZ, handler);
    assert_int_equal(status, ICSEG_ERROR_IO);
    assert_non_null(strstr(error.message, path));
    unsigned char *data;
    size_t size;
    assert_int_equal(icseg_file_read(path, 10, &data, &size, NULL), ICSEG_OK);
    assert_string_equal((char *)data, "old");
    icseg_free(data);
    icseg_free(zeros);
    assert_int_equal(icseg_safetensors_write("/nonexistent/x", NULL, 0, NULL, 0, &error), ICSEG_ERROR_IO);
}

static void failed_allocations_leave_nothing_behind(void **state) {
    (void)state;
    const icseg_safetensors_pair metadata = {"k", "v"};
    const icseg_safetensors_entry entry = {"a", ICSEG_U8, ICSEG_SHAPE(3), "xyz", 3};
    int failures = 0;
    for (int64_t n = 0;; n++) {
        icseg_safetensors *st = NULL;
        icseg_memory_fail_after(n);
        icseg_status status = icseg_safetensors_write(path, &entry, 1, &metadata, 1, &error);
        if (status == ICSEG_OK) status = icseg_safetensors_open(&st, path, &error);
        icseg_memory_fail_after(-1);
        icseg_safetensors_close(&st);
        /* one allocation of commit may fail without effect, so a success does not end the loop */
        if (status == ICSEG_OK && n > 12) break;
        if (status != ICSEG_OK) {
            assert_int_equal(status, ICSEG_ERROR_MEMORY);
            failures++;
        }
    }
    assert_in_range(failures, 8, 40);
}

static int granted; /* allocations of jansson until one fails */

static void *scarce_malloc(size_t size) { return granted-- == 0 ? NULL : malloc(size); }

static void lack_of_memory_is_not_reported_as_a_wrong_name(void **state) {
    (void)state;
    const icseg_safetensors_pair metadata = {"k", "\xc3\xa9"};
    const icseg_safetensors_entry entry = {"\xc3\xa9", ICSEG_U8, ICSEG_SHAPE(3), "xyz", 3};
    icseg_status status = ICSEG_ERROR_MEMORY;
    int n = 0;
    for (; status == ICSEG_ERROR_MEMORY && n < 200; n++) {
        granted = n;
        json_set_alloc_funcs(scarce_malloc, free);
        status = icseg_safetensors_write(path, &entry, 1, &metadata, 1, &error);
        json_set_alloc_funcs(malloc, free);
    }
    if (status != ICSEG_OK) fail_msg("allocation %d: %s", n - 1, error.message);
    assert_true(n > 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_of_other_writers_are_read),
        cmocka_unit_test(f32_is_read_from_every_float_type_with_the_shape_checked),
        cmocka_unit_test(data_must_be_covered_once_and_in_range),
        cmocka_unit_test(shapes_must_be_possible),
        cmocka_unit_test(entries_must_be_well_formed),
        cmocka_unit_test(header_lengths_are_checked),
        cmocka_unit_test(deep_and_huge_headers_end_in_errors),
        cmocka_unit_test(files_cut_short_anywhere_are_refused),
        cmocka_unit_test(changed_bytes_never_cause_reads_outside),
        cmocka_unit_test(files_have_exactly_the_bytes_of_the_format),
        cmocka_unit_test(undeclared_tensors_cannot_be_written),
        cmocka_unit_test(impossible_declarations_are_refused),
        cmocka_unit_test(a_failed_write_leaves_the_old_file),
        cmocka_unit_test(failed_allocations_leave_nothing_behind),
        cmocka_unit_test(lack_of_memory_is_not_reported_as_a_wrong_name),
    };
    return cmocka_run_group_tests_name("safetensors", tests, open_folder, test_scratch_close);
}
