/* SPDX-License-Identifier: Apache-2.0
 * Fixtures of the parity check whose tensors or settings are wrong: each is an error that names file and tensor. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/memory.h"
#include "icseg/parity.h"
#include "support/scratch.h"
#include "tensor/safetensors.h"

#define FIXTURE ICSEG_SOURCE_DIR "/tests/parity/resnet_template.safetensors"

static const char *path;
static icseg_error error;

static int open_folder(void **state) {
    if (test_scratch_open(state)) return -1;
    path = test_scratch("fixture.safetensors");
    return 0;
}

/* Writes the fixture with one tensor changed, and one pair of its metadata replaced (NULL: none; value NULL: left
 * out). */
static void write_fixture(const char *name, void (*change)(icseg_safetensors_entry *entry), const char *key,
                          const char *value) {
    enum { MOST = 2000 };
    static icseg_safetensors_entry entries[MOST];
    icseg_safetensors_pair pairs[64];
    icseg_safetensors *st;
    unsigned char *bytes;
    size_t size, offset, count, kept = 0;
    bool found = !name;
    assert_int_equal(icseg_safetensors_open(&st, FIXTURE, &error), ICSEG_OK);
    assert_int_equal(icseg_file_read(FIXTURE, 1 << 28, &bytes, &size, &error), ICSEG_OK);
    count = icseg_safetensors_count(st);
    assert_true(count <= MOST);
    for (size_t i = 0; i < count; i++) {
        entries[i] = *icseg_safetensors_at(st, i);
        icseg_safetensors_locate(st, icseg_safetensors_at(st, i), &offset);
        entries[i].data = bytes + offset;
        if (!name || strcmp(entries[i].name, name)) continue;
        change(&entries[i]);
        found = true;
    }
    assert_true(found);
    for (size_t i = 0; i < icseg_safetensors_metadata_count(st); i++) {
        icseg_safetensors_pair pair = icseg_safetensors_metadata_at(st, i);
        if (key && !strcmp(pair.key, key)) pair.value = value;
        if (pair.value) pairs[kept++] = pair;
    }
    if (icseg_safetensors_write(path, entries, count, pairs, kept, &error) != ICSEG_OK) fail_msg("%s", error.message);
    icseg_safetensors_close(&st);
    icseg_free(bytes);
}

static void refuses(icseg_status wanted, const char *because) {
    icseg_parity_report report = {ICSEG_PARITY_REPORT_INIT};
    icseg_parity_options options = {ICSEG_PARITY_OPTIONS_INIT, .threads = 1};
    icseg_status got = icseg_parity_run(&report, path, &options, NULL, &error);
    if (got != wanted || !strstr(error.message, because) || !strstr(error.message, path))
        fail_msg("status %s, \"%s\" lacks \"%s\"", icseg_status_name(got), error.message, because);
    assert_int_equal(report.compared, 0);
}

/* (a, b, c, ...) becomes (a b, c, ...). */
static void join_axes(icseg_safetensors_entry *entry) {
    icseg_shape *s = &entry->shape;
    s->dim[0] *= s->dim[1];
    for (int i = 1; i + 1 < s->rank; i++) s->dim[i] = s->dim[i + 1];
    s->rank--;
}

static void empty(icseg_safetensors_entry *entry) {
    entry->shape.dim[0] = 0;
    entry->bytes = 0;
}

static void add_axis(icseg_safetensors_entry *entry) { entry->shape.dim[entry->shape.rank++] = 1; }

static void tensors_of_other_shapes_are_named(void **state) {
    (void)state;
    static const struct {
        const char *name;
        void (*change)(icseg_safetensors_entry *entry);
        const char *because;
    } cases[] = {
        {"image", join_axes, "tensor image has an unexpected shape ("},
        {"label", join_axes, "tensor label has an unexpected shape ("},
        {"eval.logits", empty, "tensor logits has an unexpected shape (0, "},
        {"eval.text", empty, "tensor text has an unexpected shape (0, "},
        {"grad.visual.conv1.weight", add_axis, "tensor visual.conv1.weight has an unexpected shape ("},
        {"curve.total", add_axis, "tensor curve.total has an unexpected shape ("},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_fixture(cases[i].name, cases[i].change, NULL, NULL);
        refuses(ICSEG_ERROR_SHAPE, cases[i].because);
    }
}

/* All labels are this value; f32 replaces the integers of the fixture. */
static float label_value;
static void set_labels(icseg_safetensors_entry *entry) {
    static float values[1 << 20];
    size_t count = (size_t)icseg_shape_count(entry->shape);
    assert_true(count <= sizeof values / sizeof *values);
    for (size_t i = 0; i < count; i++) values[i] = label_value;
    entry->dtype = ICSEG_F32;
    entry->data = values;
    entry->bytes = count * sizeof *values;
}

static void labels_that_are_no_classes_are_errors(void **state) {
    (void)state;
    static const struct {
        float value;
        const char *because;
    } cases[] = {{65536, "tensor label contains 65536, which is not a class"},
                 {NAN, "tensor label contains nan, which is not a class"},
                 {-1e9f, "tensor label contains -1e+09, which is not a class"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        label_value = cases[i].value;
        write_fixture("label", set_labels, NULL, NULL);
        refuses(ICSEG_ERROR_DATA, cases[i].because);
    }
}

static void settings_must_be_complete(void **state) {
    (void)state;
    static const char because[] = "not a fixture: the metadata fixture.train is missing or incomplete";
    write_fixture(NULL, NULL, "fixture.train", NULL);
    refuses(ICSEG_ERROR_FORMAT, because);
    write_fixture(NULL, NULL, "fixture.train", "{\"lr\": 0.1}");
    refuses(ICSEG_ERROR_FORMAT, because);
    write_fixture(NULL, NULL, "fixture.train", "[");
    refuses(ICSEG_ERROR_FORMAT, because);
}

static void an_empty_report_has_no_text(void **state) {
    (void)state;
    icseg_parity_report report = {ICSEG_PARITY_REPORT_INIT};
    char *text;
    assert_int_equal(icseg_parity_text(&report, &text, &error), ICSEG_ERROR_ARGUMENT);
    assert_string_equal(error.message, "icseg_parity_text: the report is empty; fill it with icseg_parity_run");
    assert_null(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tensors_of_other_shapes_are_named),
        cmocka_unit_test(labels_that_are_no_classes_are_errors),
        cmocka_unit_test(settings_must_be_complete),
        cmocka_unit_test(an_empty_report_has_no_text),
    };
    return cmocka_run_group_tests_name("wrong fixtures", tests, open_folder, test_scratch_close);
}
