/* SPDX-License-Identifier: Apache-2.0
 * Small sources of imports, and checks of their results. */
#include "import_files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/file.h"
#include "icseg/dataset.h"

test_folder test_import_make(const char *const *folders) {
    test_folder f = {"/tmp/icseg_import_XXXXXX"};
    assert_non_null(mkdtemp(f.path));
    for (; *folders; folders++) assert_int_equal(icseg_folder_create(test_path(&f, *folders), NULL), ICSEG_OK);
    return f;
}

void test_import_image(const test_folder *f, const char *name, int width, int height) {
    uint16_t *values = calloc((size_t)width * (size_t)height, 3 * sizeof *values);
    test_write_png(f, name, TEST_PNG_RGB, 8, width, height, values);
    free(values);
}

icseg_import_options test_import_options(const test_folder *f, char out[128]) {
    icseg_import_options o = {ICSEG_IMPORT_OPTIONS_INIT};
    snprintf(out, 128, "%s/out", f->path);
    o.source = f->path;
    o.folder = out;
    return o;
}

icseg_import_summary test_imports(const icseg_import_options *o, icseg_import_format format, int64_t images) {
    icseg_import_summary s = {ICSEG_IMPORT_SUMMARY_INIT};
    icseg_error error = {0};
    if (icseg_import_run(o, NULL, &s, &error) != ICSEG_OK) fail_msg("%s", error.message);
    assert_int_equal(s.format, format);
    assert_int_equal(s.images, images);
    return s;
}

void test_import_refuses(const icseg_import_options *o, const char *piece) {
    icseg_import_summary s = {ICSEG_IMPORT_SUMMARY_INIT};
    icseg_error error = {0};
    assert_int_not_equal(icseg_import_run(o, NULL, &s, &error), ICSEG_OK);
    if (!strstr(error.message, piece) || strchr(error.message, '\n'))
        fail_msg("'%s' is not in: %s", piece, error.message);
    assert_false(icseg_folder_exists(o->folder)); /* nothing is left */
}

void test_import_has(const char *folder, const char *split, const char *classes, int64_t index, const char *labels) {
    icseg_dataset_options o = {ICSEG_DATASET_OPTIONS_INIT};
    icseg_dataset *d;
    icseg_image image;
    icseg_labels l;
    icseg_error error = {0};
    char text[256] = "";
    o.folder = folder;
    o.split = split;
    if (icseg_dataset_open(&d, &o, &error) != ICSEG_OK) fail_msg("%s", error.message);
    for (int k = 0; k < icseg_dataset_classes(d); k++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", k ? " " : "",
                 icseg_dataset_class_names(d)[k]);
    assert_string_equal(text, classes);
    if (icseg_dataset_read(d, index, &image, &l, &error) != ICSEG_OK) fail_msg("%s", error.message);
    char *p = text;
    for (int y = 0; y < l.height; y++) {
        if (y) *p++ = ' ';
        for (int x = 0; x < l.width; x++) {
            int16_t v = l.data[y * l.width + x];
            *p++ = (char)(v < 0 ? '.' : '0' + v);
        }
    }
    *p = '\0';
    assert_string_equal(text, labels);
    icseg_image_close(&image);
    icseg_labels_close(&l);
    icseg_dataset_close(&d);
}

void test_import_remove(const char *out) {
    char command[200];
    snprintf(command, sizeof command, "rm -rf %s", out);
    assert_int_equal(system(command), 0);
}
