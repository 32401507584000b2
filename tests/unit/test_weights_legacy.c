/* SPDX-License-Identifier: Apache-2.0
 * weights: files in PyTorch's container before 1.6, made by hand: five pickles (a magic number, the protocol, the
 * system, the state, the storages' keys), then each storage as a count of elements and the elements. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/text.h"
#include "support/scratch.h"
#include "support/zip_files.h"
#include "weights/weights.h"

static icseg_error error;
static const char *path;

static int open_folder(void **state) {
    if (test_scratch_open(state)) return -1;
    path = test_scratch("a.pt");
    return 0;
}

typedef struct bytes {
    const char *data;
    size_t size;
} bytes;
#define PART(TEXT)                                                                                                     \
    { TEXT, sizeof(TEXT) - 1 }
#define BYTES(TEXT) ((bytes)PART(TEXT))

typedef struct legacy {
    bytes protocol, system, state, keys;
    int64_t count; /* of elements; < 0: the file ends before it */
    bytes tail;    /* follows the storage */
} legacy;

/* {"visual.class_embedding": elements 1 to 3 of storage "0", which has 4 f32} */
#define STATE                                                                                                          \
    "\x80\x02}X\x16\0\0\0visual.class_embedding"                                                                       \
    "ctorch._utils\n_rebuild_tensor_v2\n((X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0000X\3\0\0\0cpuK\4NtQ"        \
    "K\1K\3\x85K\1\x85\x89}tRs."

static const legacy good = {
    .protocol = PART("\x80\x02M\xe9\x03."), /* 1001 */
    .system = PART("\x80\x02}X\x0d\0\0\0little_endian\x88s."),
    .state = PART(STATE),
    .keys = PART("\x80\x02]X\1\0\0\0000a."),
    .count = 4,
};

static void write_file(const legacy *l) {
    static const float elements[4] = {7, -2, 0.5f, 3};
    icseg_string s = {0};
    icseg_string_append(&s, "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", 15);
    const bytes parts[] = {l->protocol, l->system, l->state, l->keys};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) icseg_string_append(&s, parts[i].data, parts[i].size);
    if (l->count >= 0) {
        test_put(&s, (uint64_t)l->count, 8);
        icseg_string_append(&s, (const char *)elements, sizeof elements);
    }
    icseg_string_append(&s, l->tail.data, l->tail.size);
    test_put_file(path, s.data, s.size);
    icseg_string_close(&s);
}

static void refuses(legacy l, icseg_status wanted, const char *because) {
    icseg_weights *w;
    write_file(&l);
    icseg_status got = icseg_weights_open(&w, path, &error);
    assert_null(w);
    if (got != wanted || !strstr(error.message, because) || !strstr(error.message, path))
        fail_msg("status %s, \"%s\" lacks \"%s\"", icseg_status_name(got), error.message, because);
}

static void a_view_of_a_storage_is_read(void **state) {
    (void)state;
    icseg_weights *w;
    float values[3] = {0};
    const float expected[3] = {-2, 0.5f, 3};
    write_file(&good);
    if (icseg_weights_open(&w, path, &error) != ICSEG_OK) fail_msg("%s", error.message);
    assert_string_equal(icseg_weights_container(w), "PyTorch file (before 1.6)");
    const icseg_weights_entry *entry = icseg_weights_find(w, "visual.class_embedding");
    assert_non_null(entry);
    assert_true(icseg_shape_equal(entry->shape, ICSEG_SHAPE(3)));
    assert_int_equal(icseg_weights_read(entry, values, &error), ICSEG_OK);
    assert_memory_equal(values, expected, sizeof values);
    icseg_weights_close(&w);
}

static void another_protocol_or_byte_order_is_refused(void **state) {
    (void)state;
    static const char because[] = "not the protocol and byte order that PyTorch 0.1.10 to 1.5 wrote on x86";
    legacy l = good;
    l.protocol = BYTES("\x80\x02M\xea\x03.");
    refuses(l, ICSEG_ERROR_UNSUPPORTED, because);
    l.protocol = BYTES("\x80\x02N.");
    refuses(l, ICSEG_ERROR_UNSUPPORTED, because);
    l = good;
    l.system = BYTES("\x80\x02}X\x0d\0\0\0little_endian\x89s.");
    refuses(l, ICSEG_ERROR_UNSUPPORTED, because);
}

static void keys_and_tensors_must_name_the_same_storages(void **state) {
    (void)state;
    legacy l = good;
    l.keys = BYTES("\x80\x02}.");
    refuses(l, ICSEG_ERROR_FORMAT, "damaged: the list of storages is missing");
    l.keys = BYTES("\x80\x02]K\1a.");
    refuses(l, ICSEG_ERROR_FORMAT, "damaged: a storage without a name");
    l.keys = BYTES("\x80\x02]X\1\0\0\0007a.");
    refuses(l, ICSEG_ERROR_FORMAT, "damaged: no tensor uses storage 7");
    l.keys = BYTES("\x80\x02].");
    refuses(l, ICSEG_ERROR_FORMAT, "damaged: 24 bytes follow the last storage"); /* a count and four elements */
    l.count = -1;
    refuses(l, ICSEG_ERROR_FORMAT, "damaged: storage 0 is missing");
}

static void storages_end_with_the_file(void **state) {
    (void)state;
    legacy l = good;
    l.count = -1;
    refuses(l, ICSEG_ERROR_FORMAT, "cut short before storage 0");
    l.tail = BYTES("1234567");
    refuses(l, ICSEG_ERROR_FORMAT, "cut short before storage 0");
    l = good;
    l.tail = BYTES("123");
    refuses(l, ICSEG_ERROR_FORMAT, "damaged: 3 bytes follow the last storage");
    l = good;
    l.count = 5;
    refuses(l, ICSEG_ERROR_FORMAT, "cut short or damaged: storage 0 claims 5 elements");
    l.count = INT64_MAX;
    refuses(l, ICSEG_ERROR_FORMAT, "claims 9223372036854775807 elements");
    l.count = 3; /* the tensor's storage has 4 */
    refuses(l, ICSEG_ERROR_FORMAT, "damaged: 4 bytes follow the last storage");
}

/* {"a": object, "visual.class_embedding": ...}: the storages of objects that are read over are passed. */
static void objects_with_storages_are_read_over(void **state) {
    (void)state;
    static const bytes objects[] = {
        /* a complex tensor; a call of another function with a storage; a storage alone */
        PART("ctorch._utils\n_rebuild_tensor_v2\n((X\7\0\0\0storagectorch\nComplexFloatStorage\n"
             "X\1\0\0\0001X\3\0\0\0cpuK\2NtQK\0K\2\x85K\1\x85\x89}tR"),
        PART("ca\nb\n(X\7\0\0\0storagectorch\nDoubleStorage\nX\1\0\0\0001X\3\0\0\0cpuK\2NtQ\x85R"),
        PART("(X\7\0\0\0storagectorch\nDoubleStorage\nX\1\0\0\0001X\3\0\0\0cpuK\2NtQ"),
    };
    static const char numbers[16] = {0};
    for (size_t i = 0; i < sizeof objects / sizeof *objects; i++) {
        icseg_string s = {0}, tail = {0};
        icseg_weights *w;
        legacy l = good;
        icseg_string_append(&s, "\x80\x02}X\1\0\0\0a", 9);
        icseg_string_append(&s, objects[i].data, objects[i].size);
        icseg_string_append(&s, "s", 1);
        icseg_string_append(&s, STATE + 3, sizeof STATE - 1 - 3);
        test_put(&tail, 2, 8);
        icseg_string_append(&tail, numbers, sizeof numbers);
        l.state = (bytes){s.data, s.size};
        l.keys = BYTES("\x80\x02]X\1\0\0\0000aX\1\0\0\0001a.");
        l.tail = (bytes){tail.data, tail.size};
        write_file(&l);
        if (icseg_weights_open(&w, path, &error) != ICSEG_OK) fail_msg("%zu: %s", i, error.message);
        assert_non_null(icseg_weights_find(w, "visual.class_embedding"));
        icseg_weights_close(&w);
        icseg_string_close(&s);
        icseg_string_close(&tail);
    }
}

static void a_storage_of_an_unknown_type_is_refused(void **state) {
    (void)state;
    legacy l = good;
    l.state = BYTES("\x80\x02(X\7\0\0\0storagectorch\nNewStorage\nX\1\0\0\0000X\3\0\0\0cpuK\4NtQ.");
    refuses(l, ICSEG_ERROR_UNSUPPORTED, "storage 0 is of an unknown type");
}

/* {"a": a list that contains itself, "visual.class_embedding": ...} and values of 70 levels */
static void nested_values_are_read_over(void **state) {
    (void)state;
    icseg_string s = {0};
    icseg_weights *w;
    legacy l = good;
    static const char start[] = "\x80\x02}X\1\0\0\0a]q\0h\0asX\1\0\0\0b)";
    icseg_string_append(&s, start, sizeof start - 1);
    for (int i = 0; i < 70; i++) icseg_string_append(&s, "\x85", 1);
    icseg_string_append(&s, "s", 1);
    icseg_string_append(&s, STATE + 3, sizeof STATE - 1 - 3);
    l.state = (bytes){s.data, s.size};
    write_file(&l);
    if (icseg_weights_open(&w, path, &error) != ICSEG_OK) fail_msg("%s", error.message);
    assert_non_null(icseg_weights_find(w, "visual.class_embedding"));
    icseg_weights_close(&w);
    icseg_string_close(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_view_of_a_storage_is_read),
        cmocka_unit_test(another_protocol_or_byte_order_is_refused),
        cmocka_unit_test(keys_and_tensors_must_name_the_same_storages),
        cmocka_unit_test(storages_end_with_the_file),
        cmocka_unit_test(objects_with_storages_are_read_over),
        cmocka_unit_test(a_storage_of_an_unknown_type_is_refused),
        cmocka_unit_test(nested_values_are_read_over),
    };
    return cmocka_run_group_tests_name("PyTorch files before 1.6", tests, open_folder, test_scratch_close);
}
