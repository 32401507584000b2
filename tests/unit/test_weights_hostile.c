/* SPDX-License-Identifier: Apache-2.0
 * weights: archives and pickles that are cut, damaged or made to do harm. Each is refused in one line that names the
 * file and the reason; nothing crashes, nothing is executed, memory stays bounded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "model/config.h"
#include "base/file.h"
#include "base/memory.h"
#include "support/scratch.h"
#include "support/zip_files.h"
#include "tensor/safetensors.h"
#include "weights/weights.h"

#define FIXTURES ICSEG_SOURCE_DIR "/tests/weights/"

static const char *path;
static icseg_error error;

static int open_folder(void **state) {
    if (test_scratch_open(state)) return -1;
    path = test_scratch("a.pt");
    return 0;
}

static void put_file(const void *data, size_t size) { test_put_file(path, data, size); }

/* Opens the file, and reads every tensor when that is possible. */
static icseg_status open_and_read(void) {
    icseg_weights *w;
    icseg_status status = icseg_weights_open(&w, path, &error);
    if (status != ICSEG_OK) {
        assert_null(w);
        assert_non_null(strstr(error.message, path));
        assert_null(strchr(error.message, '\n'));
        return status;
    }
    icseg_config config = icseg_config_default();
    (void)icseg_weights_infer(w, &config, &error);
    for (size_t i = 0; i < icseg_weights_count(w); i++) {
        const icseg_weights_entry *entry = icseg_weights_at(w, i);
        int64_t count = icseg_shape_count(entry->shape);
        assert_true(count >= 0);
        float *values = icseg_alloc_array((size_t)count, sizeof *values);
        assert_non_null(values);
        icseg_status read = icseg_weights_read(entry, values, &error);
        if (read != ICSEG_OK) assert_non_null(strstr(error.message, path));
        icseg_free(values);
    }
    icseg_weights_close(&w);
    return ICSEG_OK;
}

static void refuses(icseg_status wanted, const char *because) {
    icseg_status got = open_and_read();
    if (got != wanted || !strstr(error.message, because))
        fail_msg("status %s, \"%s\" lacks \"%s\"", icseg_status_name(got), error.message, because);
}

/* ------------------------------------------------------------------------------------------------- real files, cut */

static const char *const files[] = {"openai_resnet.pt", "open_clip_vit_legacy.pt", "denseclip_vit.pth",
                                    "huggingface_vit/model-00001-of-00002.safetensors"};
enum { FILES = sizeof files / sizeof *files };

static unsigned char *read_fixture(const char *name, size_t *size) {
    char from[300];
    unsigned char *data;
    snprintf(from, sizeof from, FIXTURES "%s", name);
    if (icseg_file_read(from, 1 << 20, &data, size, &error) != ICSEG_OK) fail_msg("%s", error.message);
    return data;
}

static void cut_files_are_refused_wherever_they_end(void **state) {
    (void)state;
    for (int i = 0; i < FILES; i++) {
        size_t size;
        unsigned char *data = read_fixture(files[i], &size);
        for (size_t cut = 0; cut < size; cut += cut < 400 || size - cut < 400 ? 7 : 499) {
            put_file(data, cut);
            if (open_and_read() == ICSEG_OK) fail_msg("%s cut to %zu bytes was taken", files[i], cut);
        }
        icseg_free(data);
    }
}

/* Who reads a map of such a file is killed. */
static void a_file_that_is_cut_short_while_open_is_an_error(void **state) {
    (void)state;
    static const float some[4] = {1, 2, 3, 4};
    const icseg_safetensors_entry only = {"visual.class_embedding", ICSEG_F32, ICSEG_SHAPE(4), some, sizeof some};
    for (int i = 0; i < FILES; i++) {
        icseg_weights *w;
        bool alone = strstr(files[i], ".safetensors") != NULL; /* a shard does not open without the others */
        size_t size;
        unsigned char *data = read_fixture(files[i], &size);
        put_file(data, size);
        icseg_free(data);
        if (alone) assert_int_equal(icseg_safetensors_write(path, &only, 1, NULL, 0, &error), ICSEG_OK);
        if (icseg_weights_open(&w, path, &error) != ICSEG_OK) fail_msg("%s", error.message);
        assert_int_equal(truncate(path, 0), 0);
        const icseg_weights_entry *entry = icseg_weights_at(w, 0);
        float *values = icseg_alloc_array((size_t)icseg_shape_count(entry->shape), sizeof *values);
        assert_non_null(values);
        assert_int_equal(icseg_weights_read(entry, values, &error), ICSEG_ERROR_IO);
        assert_non_null(strstr(error.message, path));
        assert_non_null(strstr(error.message, "truncated while in use"));
        icseg_free(values);
        icseg_weights_close(&w);
    }
}

static void damaged_bytes_never_crash(void **state) {
    (void)state;
    static const unsigned char masks[] = {0xff, 0x01, 0x80};
    for (int i = 0; i < FILES; i++) {
        size_t size;
        unsigned char *data = read_fixture(files[i], &size);
        for (size_t at = 0; at < size; at += 61) {
            unsigned char mask = masks[at % 3];
            data[at] ^= mask;
            put_file(data, size);
            (void)open_and_read();
            data[at] ^= mask;
        }
        icseg_free(data);
    }
}

static void the_pickle_survives_every_damage(void **state) {
    (void)state;
    size_t size;
    unsigned char *data = read_fixture("denseclip_vit.pth", &size);
    for (size_t at = 40; at < 3000; at++) { /* data.pkl stands first in the archive */
        unsigned char held = data[at];
        data[at] = (unsigned char)(held * 167 + at * 13);
        put_file(data, size);
        (void)open_and_read();
        data[at] = held;
    }
    icseg_free(data);
}

/* ------------------------------------------------------------------------------------------------------ made archives
 */

/* A pickle of {"visual.class_embedding": tensor}: storage "0" of `count` f32, and an offset, shape and stride. */
static void write_pickle(icseg_string *p, int64_t count, int64_t offset, int64_t shape, int64_t stride) {
    static const char begin[] = "\x80\x02}X\x16\0\0\0visual.class_embedding"
                                "ctorch._utils\n_rebuild_tensor_v2\n((X\7\0\0\0storagectorch\nFloatStorage\n"
                                "X\1\0\0\0000X\3\0\0\0cpu";
    icseg_string_append(p, begin, sizeof begin - 1);
    icseg_string_append(p, "\x8a\x08", 2);
    test_put(p, (uint64_t)count, 8);
    icseg_string_append(p, "tQ\x8a\x08", 4);
    test_put(p, (uint64_t)offset, 8);
    icseg_string_append(p, "\x8a\x08", 2);
    test_put(p, (uint64_t)shape, 8);
    icseg_string_append(p, "\x85\x8a\x08", 3);
    test_put(p, (uint64_t)stride, 8);
    icseg_string_append(p, "\x85\x89}tRs.", 7);
}

static void make_archive(const void *pickle, size_t size, size_t storage) {
    static const char zeros[64];
    test_zip a = {0};
    test_zip_add(&a, "x/data.pkl", pickle, size, 0);
    test_zip_add(&a, "x/data/0", zeros, storage, 0);
    test_zip_write(&a, path);
}

static void make_tensor(int64_t count, int64_t offset, int64_t shape, int64_t stride, size_t storage) {
    icseg_string p = {0};
    write_pickle(&p, count, offset, shape, stride);
    make_archive(p.data, p.size, storage);
    icseg_string_close(&p);
}

static void tensors_stay_inside_their_storage(void **state) {
    (void)state;
    static const char outside[] = "does not fit into its storage 0", strange[] = "an impossible shape";
    const int64_t most = INT64_MAX, least = INT64_MIN;
    make_tensor(16, 0, 16, 1, 64);
    assert_int_equal(open_and_read(), ICSEG_OK);
    make_tensor(16, 3, 5, 3, 64);
    assert_int_equal(open_and_read(), ICSEG_OK);
    make_tensor(16, 1, 16, 1, 64);
    refuses(ICSEG_ERROR_FORMAT, outside);
    make_tensor(16, 0, 6, 4, 64);
    refuses(ICSEG_ERROR_FORMAT, outside);
    make_tensor(16, 0, 17, 0, 64); /* one element again and again */
    refuses(ICSEG_ERROR_FORMAT, outside);
    make_tensor(16, 0, most, 1, 64);
    refuses(ICSEG_ERROR_FORMAT, outside);
    make_tensor(16, 0, 3, most, 64);
    refuses(ICSEG_ERROR_FORMAT, outside);
    make_tensor(16, most, 2, 1, 64);
    refuses(ICSEG_ERROR_FORMAT, outside);
    make_tensor(16, 0, -2, 1, 64);
    refuses(ICSEG_ERROR_FORMAT, strange);
    make_tensor(16, 0, 2, -1, 64);
    refuses(ICSEG_ERROR_FORMAT, strange);
    make_tensor(16, least, 2, 1, 64);
    refuses(ICSEG_ERROR_FORMAT, "lacks storage, shape or strides");
    make_tensor(16, 0, 16, 1, 60);
    refuses(ICSEG_ERROR_FORMAT, "x/data/0 has 60 bytes; expected 16 elements of F32");
    make_tensor(most / 8, 0, 16, 1, 64);
    refuses(ICSEG_ERROR_FORMAT, "has 64 bytes");
    make_tensor(most, 0, 16, 1, 64);
    refuses(ICSEG_ERROR_FORMAT, "storage of impossible size");
    make_tensor(-1, 0, 16, 1, 64);
    refuses(ICSEG_ERROR_FORMAT, "not a storage");
}

static void make_pickle(const char *pickle, size_t size) { make_archive(pickle, size, 64); }
#define PICKLE(TEXT) make_pickle(TEXT, sizeof(TEXT) - 1)

static void foreign_globals_are_refused_by_name_and_not_run(void **state) {
    (void)state;
    char marker[120], pickle[300];
    snprintf(marker, sizeof marker, "%s/executed", test_scratch_folder);
    int size = snprintf(pickle, sizeof pickle,
                        "\x80\x02"
                        "cos\nsystem\nX%c%c%c%ctouch %s\x85R.",
                        (int)strlen(marker) + 6, 0, 0, 0, marker);
    make_pickle(pickle, (size_t)size);
    refuses(ICSEG_ERROR_UNSUPPORTED, "refused: the pickle calls os.system");
    assert_false(icseg_file_exists(marker));
    PICKLE("\x80\x04\x8c\x08"
           "builtins\x8c\x04"
           "eval\x93.");
    refuses(ICSEG_ERROR_UNSUPPORTED, "calls builtins.eval");
    PICKLE("\x80\x02"
           "cclip.model\nCLIP\n)\x81}b.");
    refuses(ICSEG_ERROR_UNSUPPORTED, "calls clip.model.CLIP");
    PICKLE("\x80\x02"
           "ctorch._utils\n_rebuild_sparse\n)R.");
    refuses(ICSEG_ERROR_UNSUPPORTED, "torch._utils._rebuild_sparse");
    PICKLE("\x80\x02"
           "c\x1b[31m\nred\n.");
    refuses(ICSEG_ERROR_UNSUPPORTED, "calls ?[31m.red");
    PICKLE("\x80\x02"
           "ios\nsystem\n.");
    refuses(ICSEG_ERROR_UNSUPPORTED, "opcode 0x69");
    PICKLE("\x80\x02"
           "ctorch\nFloatStorage\n)R.");
    refuses(ICSEG_ERROR_FORMAT, "a call of a value that is not a function");
    PICKLE("\x80\x02"
           "c__torch__.a\nB\n)R.");
    refuses(ICSEG_ERROR_FORMAT, "a call of a value that is not a function");
}

static void make_long(const char *start, const char *unit, size_t times, const char *end) {
    icseg_string p = {0};
    icseg_string_append(&p, "\x80\x02", 2);
    icseg_string_append(&p, start, strlen(start));
    for (size_t i = 0; i < times; i++) icseg_string_append(&p, unit, strlen(unit));
    icseg_string_append(&p, end, strlen(end));
    make_archive(p.data, p.size, 64);
    icseg_string_close(&p);
}

static void depth_length_and_loops_are_bounded(void **state) {
    (void)state;
    make_long(")", "\x85", 1000000, ".");
    refuses(ICSEG_ERROR_FORMAT, "more than 100 levels of nesting");
    make_long("", "(", 1000000, ".");
    refuses(ICSEG_ERROR_FORMAT, "the stack is empty");
    make_long("", ")0", 1000000, ".");
    refuses(ICSEG_ERROR_FORMAT, "more than 1048576 opcodes");
    make_long("]", "2", 3, ".");
    refuses(ICSEG_ERROR_UNSUPPORTED, "opcode 0x32");
    PICKLE("\x80\x02]q\0h\0a."); /* a list in itself */
    refuses(ICSEG_ERROR_FORMAT, "contains tensors");
    PICKLE("\x80\x02"
           "c__torch__\nM\n)\x81q\0}X\1\0\0\0ah\0sb."); /* a module in itself */
    refuses(ICSEG_ERROR_FORMAT, "nested too deeply");
    PICKLE("\x80\x02r\xff\xff\xff\xff.");
    refuses(ICSEG_ERROR_FORMAT, "memo index out of range");
    PICKLE("\x80\x02Nr\0\0\0\x7f.");
    refuses(ICSEG_ERROR_FORMAT, "memo index out of range");
    PICKLE("\x80\x02j\0\0\0\x7f.");
    refuses(ICSEG_ERROR_FORMAT, "memo entry that was never written");
    PICKLE("\x80\x04\x8d\0\0\0\0\0\0\0\x80");
    refuses(ICSEG_ERROR_FORMAT, "cut short");
    PICKLE("\x80\x02X\xff\xff\xff\xffx.");
    refuses(ICSEG_ERROR_FORMAT, "cut short");
    PICKLE("\x80\x02\x8a\x0a"
           "0123456789.");
    refuses(ICSEG_ERROR_FORMAT, "beyond 64 bits");
    PICKLE("\x80\x09N.");
    refuses(ICSEG_ERROR_FORMAT, "unknown protocol");
    PICKLE("");
    refuses(ICSEG_ERROR_FORMAT, "cut short");
    PICKLE(".");
    refuses(ICSEG_ERROR_FORMAT, "stack is empty");
    PICKLE("\x80\x02}(X\1\0\0\0au.");
    refuses(ICSEG_ERROR_FORMAT, "a key without a value");
    PICKLE("\x80\x02Ns.");
    refuses(ICSEG_ERROR_FORMAT, "the stack is empty");
    PICKLE("\x80\x02)NNs.");
    refuses(ICSEG_ERROR_FORMAT, "items for a value that is not a container");
    PICKLE("\x80\x02}.");
    refuses(ICSEG_ERROR_FORMAT, "contains tensors");
    PICKLE("\x80\x02(X\7\0\0\0storagectorch\nFloatStorage\nX\6\0\0\0../../X\3\0\0\0cpuK\1tQ.");
    refuses(ICSEG_ERROR_FORMAT, "a storage with an impossible name");
}

/* A container that is copied again and again: a few kilobytes that could fill the memory. */
static void copies_are_counted(void **state) {
    (void)state;
    enum { PAIRS = 4096, COPIES = 600 };
#define PIECE(TEXT) icseg_string_append(&p, TEXT, sizeof(TEXT) - 1)
    icseg_string p = {0}; /* a module whose attributes are set from the same dict */
    PIECE("\x80\x02"
          "c__torch__\nM\n)\x81}q\1(");
    for (int i = 0; i < PAIRS; i++) PIECE("NN");
    PIECE("ub");
    for (int i = 0; i < COPIES; i++) PIECE("h\1b");
    PIECE(".");
    make_archive(p.data, p.size, 64);
    refuses(ICSEG_ERROR_FORMAT, "more than 4194304 items");
    p.size = 0; /* an OrderedDict made from the same list */
    PIECE("\x80\x02"
          "ccollections\nOrderedDict\nq\2]q\1(");
    for (int i = 0; i < PAIRS; i++) PIECE("NN\x86");
    PIECE("e");
    for (int i = 0; i < COPIES; i++) PIECE("h\2h\1\x85R0");
    PIECE(".");
    make_archive(p.data, p.size, 64);
    refuses(ICSEG_ERROR_FORMAT, "more than 4194304 items");
    icseg_string_close(&p);
#undef PIECE
}

/* -- the zip container */

static test_zip good_archive(void) {
    icseg_string p = {0};
    static const char zeros[64];
    test_zip a = {0};
    write_pickle(&p, 16, 0, 16, 1);
    test_zip_add(&a, "x/data.pkl", p.data, p.size, 0);
    test_zip_add(&a, "x/data/0", zeros, 64, 0);
    icseg_string_close(&p);
    return a;
}

static void names_that_leave_the_archive_are_refused(void **state) {
    (void)state;
    static const char *const names[] = {"../x", "x/../y", "x/..", "/etc/passwd", "x\\y", "x\ny", ".."};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        test_zip a = good_archive();
        test_zip_add(&a, names[i], "", 0, 0);
        test_zip_write(&a, path);
        refuses(ICSEG_ERROR_FORMAT, "an entry with an unsafe name");
    }
    test_zip a = good_archive();
    test_zip_add(&a, "x/..y", "", 0, 0);
    test_zip_write(&a, path);
    assert_int_equal(open_and_read(), ICSEG_OK);
}

static void overlapping_doubled_and_growing_entries_are_refused(void **state) {
    (void)state;
    test_zip a = good_archive();
    size_t inside = a.bytes.size - 64;
    /* a second entry whose header lies in the data of the first: PK\3\4... within data/0 */
    test_zip inner = {0};
    test_zip_add(&inner, "y", "", 0, 0);
    memcpy(a.bytes.data + inside, inner.bytes.data, inner.bytes.size);
    test_poke(&inner.directory, 42, inside, 4);
    icseg_string_append(&a.directory, inner.directory.data, inner.directory.size);
    a.count++;
    icseg_string_close(&inner.bytes);
    icseg_string_close(&inner.directory);
    test_zip_write(&a, path);
    refuses(ICSEG_ERROR_FORMAT, "overlap in the archive");

    a = good_archive();
    test_zip_add(&a, "x/data/0", "", 0, 0);
    test_zip_write(&a, path);
    refuses(ICSEG_ERROR_FORMAT, "entry x/data/0 occurs twice");

    icseg_string p = {0};
    write_pickle(&p, 16, 0, 16, 1);
    test_zip_add(&a, "x/data.pkl", p.data, p.size, 0);
    test_zip_add(&a, "x/data/0", "bomb", 4, 8);
    test_poke(&a.directory, a.last_central + 24, 0xfffffff0, 4); /* unpacks to 4 GB, it says */
    test_zip_write(&a, path);
    refuses(ICSEG_ERROR_FORMAT, "a zip bomb: x/data/0 would grow from 4 bytes to 4294967280");
    test_zip_add(&a, "x/data.pkl", p.data, p.size, 12);
    test_zip_write(&a, path);
    refuses(ICSEG_ERROR_UNSUPPORTED, "x/data.pkl uses compression method 12, but only stored and deflated");
    test_zip_add(&a, "x/other", p.data, p.size, 0);
    test_zip_write(&a, path);
    refuses(ICSEG_ERROR_FORMAT, "does not contain data.pkl");
    test_zip_add(&a, "x/data.pkl", p.data, p.size, 0);
    test_zip_write(&a, path);
    refuses(ICSEG_ERROR_FORMAT, "the archive does not contain x/data/0");
    icseg_string_close(&p);
}

static void sizes_of_64_bits_are_read_and_bounded(void **state) {
    (void)state;
    static const uint64_t sizes[] = {64, 1ull << 63, UINT64_MAX, UINT64_MAX - 8, 1ull << 40};
    for (int i = 0; i < 5; i++) {
        test_zip a = good_archive();
        for (int field = 20; field <= 24; field += 4)
            test_poke(&a.directory, a.last_central + (size_t)field, UINT32_MAX, 4);
        test_poke(&a.directory, a.last_central + 30, 20, 2); /* the extra field's length */
        test_put(&a.directory, 1, 2);
        test_put(&a.directory, 16, 2);
        test_put(&a.directory, sizes[i], 8);
        test_put(&a.directory, sizes[i], 8);
        test_zip_write(&a, path);
        if (i == 0)
            assert_int_equal(open_and_read(), ICSEG_OK);
        else
            refuses(ICSEG_ERROR_FORMAT, "x/data/0 runs past the end");
    }
    for (int i = 1; i < 5; i++) { /* offsets */
        test_zip a = good_archive();
        test_poke(&a.directory, a.last_central + 42, UINT32_MAX, 4);
        test_poke(&a.directory, a.last_central + 30, 12, 2);
        test_put(&a.directory, 1, 2);
        test_put(&a.directory, 8, 2);
        test_put(&a.directory, sizes[i], 8);
        test_zip_write(&a, path);
        refuses(ICSEG_ERROR_FORMAT, "an entry is outside the file");
    }
    test_zip a = good_archive();
    test_poke(&a.directory, a.last_central + 24, UINT32_MAX, 4);
    test_poke(&a.directory, a.last_central + 30, 8, 2);
    test_put(&a.directory, 1, 2);
    test_put(&a.directory, 4, 2);
    test_put(&a.directory, 0, 4);
    test_zip_write(&a, path);
    refuses(ICSEG_ERROR_FORMAT, "zip64 field is cut short");
}

/* ---------------------------------------------------------------------------------------------------- other mistakes
 */

static void what_people_pass_by_mistake_is_named(void **state) {
    (void)state;
    static const struct {
        const char *content, *because;
    } cases[] = {{"<!DOCTYPE html><html>", "looks like a web page"},
                 {"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"},
                 {"\x80\x02}q\1.", "bare pickle"},
                 {"\x1f\x8b\x08", "gunzip it first"},
                 {"hello", "not a known format of weights"},
                 {"", "not a known format of weights"},
                 {"PK\5\6", "cut short"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        put_file(cases[i].content, strlen(cases[i].content));
        refuses(ICSEG_ERROR_FORMAT, cases[i].because);
    }
    icseg_weights *w;
    assert_int_equal(icseg_weights_open(&w, test_scratch_folder, &error), ICSEG_ERROR_IO);
    assert_non_null(strstr(error.message, "does not contain weights under a usual name"));
    assert_int_equal(icseg_weights_open(&w, "/tmp/icseg_none.pt", &error), ICSEG_ERROR_IO);
}

static void shards_stay_beside_their_index(void **state) {
    (void)state;
    static const struct {
        const char *text, *because;
    } cases[] = {{"{\"weight_map\": {\"a\": \"../b.safetensors\"}}", "not a plain file name"},
                 {"{\"weight_map\": {\"a\": \"/b.safetensors\"}}", "not a plain file name"},
                 {"{\"weight_map\": {\"a\": 3}}", "not a plain file name"},
                 {"{\"weight_map\": []}", "the object \"weight_map\""},
                 {"{\"weight_map\"", "not an index of shards"},
                 {"{\"weight_map\": {}}", "no tensors"},
                 {"{\"weight_map\": {\"a\": \"none.safetensors\"}}", "none.safetensors"}};
    char index[120];
    snprintf(index, sizeof index, "%s/model.safetensors.index.json", test_scratch_folder);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        icseg_weights *w;
        assert_int_equal(icseg_file_write(index, cases[i].text, strlen(cases[i].text), &error), ICSEG_OK);
        assert_int_not_equal(icseg_weights_open(&w, test_scratch_folder, &error), ICSEG_OK);
        if (!strstr(error.message, cases[i].because)) fail_msg("%s", error.message);
    }
    unlink(index);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cut_files_are_refused_wherever_they_end),
        cmocka_unit_test(a_file_that_is_cut_short_while_open_is_an_error),
        cmocka_unit_test(damaged_bytes_never_crash),
        cmocka_unit_test(the_pickle_survives_every_damage),
        cmocka_unit_test(tensors_stay_inside_their_storage),
        cmocka_unit_test(foreign_globals_are_refused_by_name_and_not_run),
        cmocka_unit_test(depth_length_and_loops_are_bounded),
        cmocka_unit_test(copies_are_counted),
        cmocka_unit_test(names_that_leave_the_archive_are_refused),
        cmocka_unit_test(overlapping_doubled_and_growing_entries_are_refused),
        cmocka_unit_test(sizes_of_64_bits_are_read_and_bounded),
        cmocka_unit_test(what_people_pass_by_mistake_is_named),
        cmocka_unit_test(shards_stay_beside_their_index),
    };
    return cmocka_run_group_tests(tests, open_folder, test_scratch_close);
}
