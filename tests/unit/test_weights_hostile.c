/* SPDX-License-Identifier: Apache-2.0
 * weights: archives and pickles that are truncated, damaged or malicious. Each is refused in one line that names the
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
#include "weights/sets.h"
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

/* Reading a mapping of such a file kills the process. */
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
    for (size_t at = 40; at < 3000; at++) { /* data.pkl is first in the archive */
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
    make_tensor(16, 0, 17, 0, 64); /* one element repeated: read over, so that the file has no tensors */
    refuses(ICSEG_ERROR_FORMAT, "contains tensors");
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

static void foreign_globals_are_named_and_not_run(void **state) {
    (void)state;
    char marker[120], pickle[300];
    snprintf(marker, sizeof marker, "%s/executed", test_scratch_folder);
    int size = snprintf(pickle, sizeof pickle,
                        "\x80\x02"
                        "cos\nsystem\nX%c%c%c%ctouch %s\x85R.",
                        (int)strlen(marker) + 6, 0, 0, 0, marker);
    make_pickle(pickle, (size_t)size);
    refuses(ICSEG_ERROR_UNSUPPORTED, "contains an object of the class os.system, not tensors by name");
    assert_false(icseg_file_exists(marker));
    PICKLE("\x80\x04\x8c\x08"
           "builtins\x8c\x04"
           "eval\x93.");
    refuses(ICSEG_ERROR_UNSUPPORTED, "of the class builtins.eval");
    PICKLE("\x80\x02"
           "ctorch._utils\n_rebuild_sparse\n)R.");
    refuses(ICSEG_ERROR_UNSUPPORTED, "torch._utils._rebuild_sparse");
    PICKLE("\x80\x02"
           "c\x1b[31m\nred\n.");
    refuses(ICSEG_ERROR_UNSUPPORTED, "the class ?[31m.red");
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

/* {"x": os.system("touch MARKER"), "visual.class_embedding": tensor}: the weights are read, nothing is run. */
static void a_function_beside_the_tensors_is_not_run(void **state) {
    (void)state;
    char marker[120], call[300];
    icseg_string p = {0}, tensor = {0};
    snprintf(marker, sizeof marker, "%s/executed", test_scratch_folder);
    int size = snprintf(call, sizeof call, "X%c%c%c%cxcposix\nsystem\nX%c%c%c%ctouch %s\x85Rs", 1, 0, 0, 0,
                        (int)strlen(marker) + 6, 0, 0, 0, marker);
    write_pickle(&tensor, 16, 0, 16, 1);
    icseg_string_append(&p, tensor.data, 3); /* the protocol and an empty dict */
    icseg_string_append(&p, call, (size_t)size);
    icseg_string_append(&p, tensor.data + 3, tensor.size - 3);
    make_pickle(p.data, p.size);
    if (open_and_read() != ICSEG_OK) fail_msg("%s", error.message);
    assert_false(icseg_file_exists(marker));
    icseg_string_close(&p);
    icseg_string_close(&tensor);
}

/* A list that contains another 50 times, which contains another 50 times, and so on. */
static void the_search_for_state_dicts_is_bounded(void **state) {
    (void)state;
    icseg_string p = {0};
    icseg_string_append(&p, "\x80\2]q\0", 5);
    for (int level = 0; level < 8; level++) {
        icseg_string_append(&p, "](", 2);
        for (int i = 0; i < 50; i++) icseg_string_append(&p, "h\0", 2);
        icseg_string_append(&p, "eq\0", 3);
    }
    icseg_string_append(&p, ".", 1);
    make_pickle(p.data, p.size);
    refuses(ICSEG_ERROR_FORMAT, "objects are nested too deeply");
    icseg_string_close(&p);
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
    refuses(ICSEG_ERROR_UNSUPPORTED, "an object of the class int");
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

/* A tensor of one element of storage "0" with `rank` axes. */
static void make_rank(int rank) {
    icseg_string p = {0};
    static const char begin[] = "\x80\x02}X\1\0\0\0a"
                                "ctorch._utils\n_rebuild_tensor_v2\n((X\7\0\0\0storagectorch\nFloatStorage\n"
                                "X\1\0\0\0000X\3\0\0\0cpuK\x10tQK\0";
    icseg_string_append(&p, begin, sizeof begin - 1);
    for (int tuple = 0; tuple < 2; tuple++) { /* shape and strides */
        icseg_string_append(&p, "(", 1);
        for (int i = 0; i < rank; i++) icseg_string_append(&p, "K\1", 2);
        icseg_string_append(&p, "t", 1);
    }
    icseg_string_append(&p, "\x89}tRs.", 6);
    make_archive(p.data, p.size, 64);
    icseg_string_close(&p);
}

static void a_tensor_has_at_most_six_dimensions(void **state) {
    (void)state;
    make_rank(ICSEG_MAX_RANK + 1);
    refuses(ICSEG_ERROR_FORMAT, "contains tensors");
    make_rank(ICSEG_MAX_RANK); /* the name is not one of CLIP's */
    refuses(ICSEG_ERROR_FORMAT, "none of its 1 tensor (a, ...)");
}

static void calls_without_their_arguments_are_refused(void **state) {
    (void)state;
    static const char no_pairs[] = "an OrderedDict that is not made from a list of pairs";
    PICKLE("\x80\x02"
           "ccollections\nOrderedDict\n}\x85R.");
    refuses(ICSEG_ERROR_FORMAT, no_pairs);
    PICKLE("\x80\x02"
           "ccollections\nOrderedDict\n]K\1a\x85R.");
    refuses(ICSEG_ERROR_FORMAT, no_pairs);
    PICKLE("\x80\x02"
           "ccollections\nOrderedDict\n]K\1\x85"
           "a\x85R.");
    refuses(ICSEG_ERROR_FORMAT, no_pairs);
    PICKLE("\x80\x02"
           "ctorch._utils\n_rebuild_parameter\n)R.");
    refuses(ICSEG_ERROR_FORMAT, "a parameter without a tensor");
    PICKLE("\x80\x02"
           "ctorch._utils\n_rebuild_parameter\nK\1\x85R.");
    refuses(ICSEG_ERROR_FORMAT, "a parameter without a tensor");
    PICKLE("\x80\x02"
           "ctorch.jit._pickle\nbuild_intlist\n)R.");
    refuses(ICSEG_ERROR_FORMAT, "a call without arguments");
    PICKLE("\x80\x02"
           "ctorch.jit._pickle\nrestore_type_tag\n)R.");
    refuses(ICSEG_ERROR_FORMAT, "a call without arguments");
}

/* {"visual.class_embedding": what _rebuild_parameter makes of the tensor of 16 numbers}, which a type tag wraps. */
static void parameters_and_type_tags_are_what_they_wrap(void **state) {
    (void)state;
    static const char tag[] = "ctorch.jit._pickle\nrestore_type_tag\n",
                      parameter[] = "ctorch._utils\n_rebuild_parameter\n";
    icseg_string tensor = {0}, p = {0};
    write_pickle(&tensor, 16, 0, 16, 1);
    const char *value = memmem(tensor.data, tensor.size, "ctorch._utils", 13); /* behind the dict and its key */
    assert_non_null(value);
    size_t key = (size_t)(value - tensor.data), rest = tensor.size - key - 2; /* without "s." */
    icseg_string_append(&p, tensor.data, 2);
    icseg_string_append(&p, tag, sizeof tag - 1);
    icseg_string_append(&p, tensor.data + 2, key - 2);
    icseg_string_append(&p, parameter, sizeof parameter - 1);
    icseg_string_append(&p, value, rest);
    icseg_string_append(&p, "\x88}\x87Rs", 5);          /* requires a gradient; no hooks */
    icseg_string_append(&p, "X\4\0\0\0Dict\x86R.", 12); /* the tag's second argument, which is not used */
    make_archive(p.data, p.size, 64);
    icseg_weights *w;
    if (icseg_weights_open(&w, path, &error) != ICSEG_OK) fail_msg("%s", error.message);
    assert_int_equal(icseg_weights_count(w), 1);
    assert_string_equal(icseg_weights_at(w, 0)->name, "visual.class_embedding");
    assert_true(icseg_shape_equal(icseg_weights_at(w, 0)->shape, ICSEG_SHAPE(16)));
    icseg_weights_close(&w);
    icseg_string_close(&tensor);
    icseg_string_close(&p);
}

static void names_of_tensors_are_bounded(void **state) {
    (void)state;
    PICKLE("\x80\x02" /* {3: an object} in a module */
           "c__torch__\nM\n)\x81}K\3c__torch__\nM\n)\x81sb.");
    refuses(ICSEG_ERROR_FORMAT, "a tensor whose name is not text or is too long");
    icseg_string p = {0}, tensor = {0};
    write_pickle(&tensor, 16, 0, 16, 1);
    const char *value = memmem(tensor.data, tensor.size, "ctorch._utils", 13);
    assert_non_null(value);
    for (size_t length = 0; length <= 600; length += 600) {
        p.size = 0;
        icseg_string_append(&p, "\x80\x02}X", 4);
        test_put(&p, length, 4);
        for (size_t i = 0; i < length; i++) icseg_string_append(&p, "n", 1);
        icseg_string_append(&p, value, tensor.size - (size_t)(value - tensor.data));
        make_archive(p.data, p.size, 64);
        refuses(ICSEG_ERROR_FORMAT,
                length ? "whose name is not text or is too long" : "a tensor's name has 0 bytes; expected 1 to 499");
    }
    icseg_string_close(&tensor);
    icseg_string_close(&p);
}

/* {q_proj's and k_proj's weights of a layer: (2^63 - 1, 0)}, which are joined along their first axis. */
static void joined_tensors_are_bounded(void **state) {
    (void)state;
    icseg_string p = {0};
    icseg_string_append(&p, "\x80\x02}", 3);
    for (int i = 0; i < 2; i++) {
        char name[80];
        int length = snprintf(name, sizeof name, "text_model.encoder.layers.0.self_attn.%c_proj.weight", "qk"[i]);
        icseg_string_append(&p, "X", 1);
        test_put(&p, (uint64_t)length, 4);
        icseg_string_append(&p, name, (size_t)length);
        static const char tensor[] = "ctorch._utils\n_rebuild_tensor_v2\n((X\7\0\0\0storagectorch\nFloatStorage\n"
                                     "X\1\0\0\0000X\3\0\0\0cpuK\x10tQK\0";
        icseg_string_append(&p, tensor, sizeof tensor - 1);
        icseg_string_append(&p, "\x8a\x08", 2);
        test_put(&p, INT64_MAX, 8);
        icseg_string_append(&p, "K\0\x86K\1K\1\x86\x89}tRs", 13);
    }
    icseg_string_append(&p, ".", 1);
    make_archive(p.data, p.size, 64);
    icseg_string_close(&p);
    refuses(ICSEG_ERROR_SHAPE, "layers.0.self_attn.k_proj.weight is too large");
}

static void the_number_of_tensors_is_bounded(void **state) {
    (void)state;
    enum { MOST = 1 << 16 };
    icseg_string p = {0}, tensor = {0};
    write_pickle(&tensor, 16, 0, 16, 1);
    icseg_string_append(&p, tensor.data, tensor.size - 2);
    icseg_string_append(&p, "q\1s", 3); /* the tensor, for further names */
    for (int i = 0; i < MOST; i++) {
        char name[24];
        snprintf(name, sizeof name, "visual.%06d", i);
        icseg_string_append(&p, "X\x0d\0\0\0", 5);
        icseg_string_append(&p, name, 13);
        icseg_string_append(&p, "h\1s", 3);
    }
    icseg_string_append(&p, ".", 1);
    make_archive(p.data, p.size, 64);
    icseg_string_close(&tensor);
    icseg_string_close(&p);
    refuses(ICSEG_ERROR_FORMAT, "a.pt: more than 65536 tensors");
}

/* A container that is copied repeatedly: a few kilobytes that could exhaust memory. */
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
    static const char *const names[] = {"../x", "x/../y", "x/..", "/etc/passwd", "x\\..\\y", "x\ny", ".."};
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
    /* a second entry whose header is inside the data of the first: PK\3\4... within data/0 */
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
    test_poke(&a.directory, a.last_central + 24, 0xfffffff0, 4); /* claims to unpack to 4 GB */
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

static void a_big_endian_archive_and_a_huge_pickle_are_refused(void **state) {
    (void)state;
    test_zip a = good_archive();
    test_zip_add(&a, "x/byteorder", "little", 6, 0);
    test_zip_write(&a, path);
    assert_int_equal(open_and_read(), ICSEG_OK);
    a = good_archive();
    test_zip_add(&a, "x/byteorder", "big", 3, 0);
    test_zip_write(&a, path);
    refuses(ICSEG_ERROR_UNSUPPORTED, "a.pt: written on a big-endian machine");
    enum { HUGE_PICKLE = (64 << 20) + 1 };
    char *zeros = icseg_calloc_array(HUGE_PICKLE, 1);
    assert_non_null(zeros);
    a = (test_zip){0};
    test_zip_add(&a, "x/data.pkl", zeros, HUGE_PICKLE, 0);
    test_zip_write(&a, path);
    icseg_free(zeros);
    refuses(ICSEG_ERROR_FORMAT, "x/data.pkl has 67108865 bytes; the largest accepted size is 67108864");
}

/* ---------------------------------------------------------------------------------------------------- other mistakes
 */

static void common_wrong_files_are_named(void **state) {
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
                 {"{\"weight_map\": {\"a\": \"none.safetensors\"}}", "none.safetensors"},
                 {"{\"weight_map\": {\"logit_scale\": \"one.safetensors\", \"a\": \"one.safetensors\"}}",
                  "tensor a is not in one.safetensors, contrary to the index"}};
    static const float scale = 1;
    const icseg_safetensors_entry only = {"logit_scale", ICSEG_F32, {.rank = 0}, &scale, sizeof scale};
    assert_int_equal(icseg_safetensors_write(test_scratch("one.safetensors"), &only, 1, NULL, 0, &error), ICSEG_OK);
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

/* All are one file, under several names. */
static void the_number_of_shards_is_bounded(void **state) {
    (void)state;
    enum { SHARDS = 257 };
    static const float scale = 1;
    const icseg_safetensors_entry only = {"logit_scale", ICSEG_F32, {.rank = 0}, &scale, sizeof scale};
    const char *index = test_scratch("model.safetensors.index.json"), *shard = test_scratch("one.safetensors");
    char name[120];
    icseg_string text = {0};
    assert_int_equal(icseg_safetensors_write(shard, &only, 1, NULL, 0, &error), ICSEG_OK);
    icseg_string_printf(&text, "{\"weight_map\": {");
    for (int i = 0; i < SHARDS; i++) {
        snprintf(name, sizeof name, "%s/%03d.safetensors", test_scratch_folder, i);
        assert_int_equal(link(shard, name), 0);
        icseg_string_printf(&text, "%s\"t%d\": \"%03d.safetensors\"", i ? ", " : "", i, i);
    }
    icseg_string_printf(&text, "}}");
    assert_int_equal(icseg_file_write(index, text.data, text.size, &error), ICSEG_OK);
    icseg_weights *w;
    assert_int_equal(icseg_weights_open(&w, index, &error), ICSEG_ERROR_FORMAT);
    if (!strstr(error.message, "index.json: more than 256 shards")) fail_msg("%s", error.message);
    icseg_string_close(&text);
    for (int i = 0; i < SHARDS; i++) {
        snprintf(name, sizeof name, "%s/%03d.safetensors", test_scratch_folder, i);
        unlink(name);
    }
    unlink(index);
    unlink(shard);
}

/* A prefix is copied up to a NUL byte: its size must not be used for the copy. */
static void a_nul_byte_in_the_name_of_a_tensor_is_refused(void **state) {
    (void)state;
    icseg_weights_sets sets = {.file = "hostile.pt"};
    assert_int_equal(icseg_arena_open(&sets.arena, &error), ICSEG_OK);
    const icseg_weights_set plain = {.path = "", .prefix = "model."}, nul = {.path = "", .prefix = "a\0long.prefix."};
    assert_int_equal(icseg_weights_sets_add(&sets, plain, 6, &error), ICSEG_OK);
    assert_int_equal(icseg_weights_sets_add(&sets, nul, 14, &error), ICSEG_ERROR_FORMAT);
    assert_non_null(strstr(error.message, "hostile.pt: the name of a tensor contains a NUL byte"));
    assert_int_equal(sets.count, 1);
    icseg_arena_close(&sets.arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cut_files_are_refused_wherever_they_end),
        cmocka_unit_test(a_file_that_is_cut_short_while_open_is_an_error),
        cmocka_unit_test(damaged_bytes_never_crash),
        cmocka_unit_test(the_pickle_survives_every_damage),
        cmocka_unit_test(tensors_stay_inside_their_storage),
        cmocka_unit_test(foreign_globals_are_named_and_not_run),
        cmocka_unit_test(a_function_beside_the_tensors_is_not_run),
        cmocka_unit_test(the_search_for_state_dicts_is_bounded),
        cmocka_unit_test(depth_length_and_loops_are_bounded),
        cmocka_unit_test(a_tensor_has_at_most_six_dimensions),
        cmocka_unit_test(calls_without_their_arguments_are_refused),
        cmocka_unit_test(parameters_and_type_tags_are_what_they_wrap),
        cmocka_unit_test(names_of_tensors_are_bounded),
        cmocka_unit_test(joined_tensors_are_bounded),
        cmocka_unit_test(the_number_of_tensors_is_bounded),
        cmocka_unit_test(copies_are_counted),
        cmocka_unit_test(names_that_leave_the_archive_are_refused),
        cmocka_unit_test(overlapping_doubled_and_growing_entries_are_refused),
        cmocka_unit_test(sizes_of_64_bits_are_read_and_bounded),
        cmocka_unit_test(a_big_endian_archive_and_a_huge_pickle_are_refused),
        cmocka_unit_test(common_wrong_files_are_named),
        cmocka_unit_test(shards_stay_beside_their_index),
        cmocka_unit_test(the_number_of_shards_is_bounded),
        cmocka_unit_test(a_nul_byte_in_the_name_of_a_tensor_is_refused),
    };
    return cmocka_run_group_tests(tests, open_folder, test_scratch_close);
}
