/* SPDX-License-Identifier: Apache-2.0
 * Calls of dataset.h and import.h. */
#include "allocation/allocation.h"

icseg_dataset_options alloc_dataset_options(void) {
    static char data[PATH_SIZE];
    snprintf(data, sizeof data, "%s", alloc_path("data"));
    return (icseg_dataset_options){ICSEG_DATASET_OPTIONS_INIT, .folder = data, .split = "val"};
}
QUIET(icseg_dataset_format_count, )
QUIET(icseg_dataset_format_name, ICSEG_DATASET_FOLDER)
QUIET(icseg_dataset_format_description, ICSEG_DATASET_FOLDER)
QUIET(icseg_dataset_format_layout, ICSEG_DATASET_FOLDER)
icseg_status call_icseg_dataset_format_find(icseg_error *error) {
    icseg_dataset_format format;
    return icseg_dataset_format_find(&format, "ade20k", error);
}
icseg_status call_icseg_dataset_splits(icseg_error *error) {
    char **out = BAD;
    int32_t count = 9;
    icseg_status status = icseg_dataset_splits(&out, &count, alloc_path("data"), error);
    assert_true((out != NULL) == (status == ICSEG_OK));
    icseg_buffer_free(out);
    return status;
}
icseg_status call_icseg_dataset_open(icseg_error *error) {
    icseg_dataset_options options = alloc_dataset_options();
    icseg_dataset *out = BAD;
    icseg_status status = icseg_dataset_open(&out, &options, error);
    assert_true((out != NULL) == (status == ICSEG_OK));
    icseg_dataset_close(&out);
    return status;
}
CLOSES(icseg_dataset_close)
QUIET(icseg_dataset_count, shared.dataset)
QUIET(icseg_dataset_classes, shared.dataset)
QUIET(icseg_dataset_class_names, shared.dataset)
QUIET(icseg_dataset_class_synonyms, shared.dataset)
QUIET(icseg_dataset_recognised, shared.dataset)
QUIET(icseg_dataset_description, shared.dataset)
QUIET(icseg_dataset_note, shared.dataset, ICSEG_IMAGE_NOTE_DARK, error)
QUIET(icseg_dataset_image_path, shared.dataset, 0)
QUIET(icseg_dataset_label_path, shared.dataset, 0)
icseg_status call_icseg_dataset_read(icseg_error *error) {
    icseg_image i = {.data = BAD};
    icseg_labels l = {.data = BAD};
    icseg_status status = icseg_dataset_read(shared.dataset, 0, &i, &l, error);
    assert_true((i.data != NULL) == (status == ICSEG_OK) && (l.data != NULL) == (status == ICSEG_OK));
    icseg_image_close(&i);
    icseg_labels_close(&l);
    return status;
}
icseg_status call_icseg_dataset_next(icseg_error *error) {
    icseg_dataset_sample sample = {ICSEG_DATASET_SAMPLE_INIT};
    bool filled = icseg_dataset_next(shared.dataset, &sample, error);
    icseg_status status = sample.status;
    assert_true(filled == (status == ICSEG_OK) && (sample.image.data != NULL) == (status == ICSEG_OK));
    icseg_dataset_sample_close(&sample);
    return status;
}
CLOSES(icseg_dataset_sample_close)
icseg_status call_icseg_dataset_check(icseg_error *error) {
    icseg_dataset_check_options options = {ICSEG_DATASET_CHECK_OPTIONS_INIT, .threads = 1, .decode_images = true};
    icseg_dataset_summary out = {ICSEG_DATASET_SUMMARY_INIT};
    icseg_status status = icseg_dataset_check(shared.dataset, &options, NULL, &out, error);
    icseg_dataset_summary_close(&out);
    return status;
}
CLOSES(icseg_dataset_summary_close)
QUIET(icseg_import_format_count, )
QUIET(icseg_import_format_name, ICSEG_IMPORT_VOC)
QUIET(icseg_import_format_description, ICSEG_IMPORT_VOC)
icseg_status call_icseg_import_format_find(icseg_error *error) {
    icseg_import_format format;
    return icseg_import_format_find(&format, "coco", error);
}
icseg_status call_icseg_dataset_split(icseg_error *error) {
    icseg_dataset_options data = {ICSEG_DATASET_OPTIONS_INIT, .folder = alloc_path("data")};
    icseg_split_options options = {ICSEG_SPLIT_OPTIONS_INIT, .test = 0.5, .threads = 1};
    icseg_split_summary out = {ICSEG_SPLIT_SUMMARY_INIT};
    icseg_status status = icseg_dataset_split(&data, &options, NULL, &out, error);
    assert_true((out.names != NULL) == (status == ICSEG_OK));
    icseg_split_summary_close(&out);
    return status;
}
CLOSES(icseg_split_summary_close)
icseg_status call_icseg_import_run(icseg_error *error) {
    char source[PATH_SIZE], to[PATH_SIZE];
    snprintf(source, sizeof source, "%s", alloc_path("coco"));
    snprintf(to, sizeof to, "%s", alloc_path("imported"));
    icseg_import_options options = {ICSEG_IMPORT_OPTIONS_INIT, .source = source, .folder = to};
    icseg_import_summary out = {ICSEG_IMPORT_SUMMARY_INIT};
    icseg_status status = icseg_import_run(&options, NULL, &out, error);
    alloc_shell("rm -rf", "imported");
    return status;
}
