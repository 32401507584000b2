/* SPDX-License-Identifier: Apache-2.0
 * Calls of evaluate.h, metrics.h, recipe.h, report.h and synth.h. */
#include "allocation/allocation.h"

FILLS(icseg_confusion_create, icseg_confusion, count, icseg_confusion_close, 5)
CLOSES(icseg_confusion_close)
icseg_status call_icseg_confusion_add(icseg_error *error) {
    return icseg_confusion_add(&shared.confusion, &shared.labels, &shared.labels, error);
}
icseg_status call_icseg_metrics_compute(icseg_error *error) {
    icseg_metrics out = {ICSEG_METRICS_INIT, .iou = BAD};
    icseg_status status = icseg_metrics_compute(&out, &shared.confusion, error);
    assert_true((out.iou != NULL) == (status == ICSEG_OK));
    icseg_metrics_close(&out);
    return status;
}
CLOSES(icseg_metrics_close)
TELLS(icseg_metrics_table, &shared.metrics, shared.names, &text)
TELLS(icseg_metrics_json, &shared.metrics, shared.names, &text)
icseg_status call_icseg_evaluate(icseg_error *error) {
    icseg_confusion out = {.count = BAD};
    icseg_status status = icseg_evaluate(shared.session, shared.dataset, NULL, NULL, &out, error);
    assert_true((out.count != NULL) == (status == ICSEG_OK));
    icseg_confusion_close(&out);
    return status;
}
icseg_status call_icseg_evaluate_group(icseg_error *error) {
    icseg_confusion out = {.count = BAD};
    icseg_status status = icseg_evaluate_group(shared.session, shared.dataset, NULL, NULL, NULL, &out, error);
    assert_true((out.count != NULL) == (status == ICSEG_OK));
    icseg_confusion_close(&out);
    return status;
}
icseg_status call_icseg_evaluate_images(icseg_error *error) {
    icseg_confusion out = {.count = BAD};
    icseg_status status = icseg_evaluate_images(shared.session, shared.dataset, NULL, NULL, NULL,
                                                alloc_path("images.jsonl"), &out, error);
    assert_true((out.count != NULL) == (status == ICSEG_OK));
    icseg_confusion_close(&out);
    return status;
}

OPENS(icseg_recipe_open_preset, icseg_recipe *, icseg_recipe_close, "tiny-resnet")
OPENS(icseg_recipe_open, icseg_recipe *, icseg_recipe_close, alloc_path("recipe.yaml"))
OPENS(icseg_recipe_open_text, icseg_recipe *, icseg_recipe_close, "a recipe", "model:\n  preset: tiny-resnet\n", 29)
OPENS(icseg_recipe_open_run, icseg_recipe *, icseg_recipe_close, alloc_path("old_run"))
CLOSES(icseg_recipe_close)
DOES(icseg_recipe_set, shared.recipe, "data.classes", alloc_path("data/classes.txt"))
DOES(icseg_recipe_assign, shared.recipe, "augment.scale=[0.75, 1.5]")
TELLS(icseg_recipe_get, shared.recipe, "data.folder", &text)
DOES(icseg_recipe_check, shared.recipe)
DOES(icseg_recipe_write, shared.recipe, alloc_path("written.yaml"))
TELLS(icseg_recipe_text, shared.recipe, &text)
QUIET(icseg_recipe_key_count, )
icseg_status call_icseg_recipe_key_at(icseg_error *error) {
    icseg_recipe_key key = {ICSEG_RECIPE_KEY_INIT};
    return icseg_recipe_key_at(&key, 0, error);
}

icseg_status call_icseg_report_write(icseg_error *error) {
    icseg_report_sample sample = {"a", &shared.image, &shared.labels, &shared.labels};
    icseg_report_input input = {ICSEG_REPORT_INPUT_INIT,        .title = "title",   .metrics = &shared.metrics,
                                .confusion = &shared.confusion, .classes = CLASSES, .class_names = shared.names,
                                .palette = &shared.palette,     .samples = &sample, .sample_count = 1};
    return icseg_report_write(alloc_path("report.html"), &input, error);
}
QUIET(icseg_synth_class_names, )
QUIET(icseg_synth_vocabulary_names, ICSEG_SYNTH_LARGE, NULL)
icseg_status call_icseg_synth_scene(icseg_error *error) {
    icseg_synth_scene_options options = {ICSEG_SYNTH_SCENE_OPTIONS_INIT, .width = WIDTH, .height = HEIGHT};
    icseg_image i = {.data = BAD};
    icseg_labels l = {.data = BAD};
    icseg_status status = icseg_synth_scene(&options, &i, &l, error);
    assert_true((i.data != NULL) == (status == ICSEG_OK) && (l.data != NULL) == (status == ICSEG_OK));
    icseg_image_close(&i);
    icseg_labels_close(&l);
    return status;
}
icseg_status alloc_write_data(const char *name, icseg_error *error) {
    icseg_synth_options options = {ICSEG_SYNTH_OPTIONS_INIT, .folder = alloc_path(name), .train = 2,  .val = 1,
                                   .width = WIDTH,           .height = HEIGHT,           .threads = 1};
    return icseg_synth_write(&options, NULL, error);
}
icseg_status call_icseg_synth_write(icseg_error *error) {
    icseg_status status = alloc_write_data("scenes", error);
    alloc_shell("rm -rf", "scenes");
    return status;
}
