/* SPDX-License-Identifier: Apache-2.0
 * icseg eval: the metrics of a model on a labelled data set. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "icseg/dataset.h"
#include "icseg/evaluate.h"
#include "icseg/file.h"
#include "icseg/memory.h"
#include "formats.h"
#include "images.h"
#include "inference.h"
#include "json.h"
#include "open_vocabulary.h"
#include "support.h"

enum { MAX_IGNORE = 16 };

struct options {
    const char *checkpoint, *data, *split, *classes, *map, *json, *images;
    inference_options inference;
    const char *format;
    double val_share;
    bool reduce_zero_label, stored_labels, open_vocabulary;
    open_options open;
    int32_t ignore[MAX_IGNORE], ignore_count;
    image_options values;
};

static const icseg_option rows[] = {
    {"CHECKPOINT", ICSEG_FIELD_STRING(struct options, checkpoint),
     "checkpoint of the model, a .safetensors file; with --open-vocabulary CLIP's weights", .positional = true,
     .required = true},
    {"data", ICSEG_FIELD_STRING(struct options, data),
     "data set: a folder with images/SPLIT, annotations/SPLIT and classes.txt", .metavar = "DIR", .required = true},
    {"format", ICSEG_FIELD_STRING(struct options, format),
     "format of the data set; auto: recognise it by its folders; one of ", .metavar = "NAME",
     .append_help = dataset_format_names},
    {"split", ICSEG_FIELD_STRING(struct options, split), "split to evaluate", .metavar = "NAME",
     .shown = "val; with --val-share: train"},
    {"val-share", ICSEG_FIELD_FLOAT(struct options, val_share),
     "evaluate only the images of the split that training with data.val_share of this value held out",
     ICSEG_BETWEEN(0, 0.9)},
    INFERENCE_ROWS(struct options, inference),
    {"json", ICSEG_FIELD_STRING(struct options, json), "also write the metrics as JSON", .metavar = "FILE"},
    {"images", ICSEG_FIELD_STRING(struct options, images),
     "also write what was counted in each image, as JSON lines for `icseg compare`", .metavar = "FILE"},
    {"classes", ICSEG_FIELD_STRING(struct options, classes), "class list, one name per line", .metavar = "FILE",
     .shown = "DIR/classes.txt"},
    {"ignore", ICSEG_FIELD_INTS(struct options, ignore[0]),
     "stored values that mean unlabelled, in addition to 255 (8 bits) and 65535 (16 bits)", .capacity = MAX_IGNORE,
     .count_offset = offsetof(struct options, ignore_count), ICSEG_BETWEEN(0, 65535)},
    {"map", ICSEG_FIELD_STRING(struct options, map),
     "stored values and the values that they are read as: 255=1 for masks of 0 and 255", .metavar = "A=B,..."},
    {"reduce-zero-label", ICSEG_FIELD_BOOL(struct options, reduce_zero_label),
     "stored 0 means unlabelled, and classes are numbered from 1"},
    {"stored-labels", ICSEG_FIELD_BOOL(struct options, stored_labels),
     "read masks as they are stored; without it, --map, --ignore or --reduce-zero-label, masks are read as in "
     "training"},
    IMAGE_ROWS(struct options, values, "as in training, else as the file says"),
    {"open-vocabulary", ICSEG_FIELD_BOOL(struct options, open_vocabulary),
     "CHECKPOINT contains CLIP's weights, which label pixels with the names of the data set's classes, as `icseg "
     "segment` does; the options below are for this"},
    OPEN_ROWS(struct options, open, "CHECKPOINT"),
};

static void defaults(void *values) {
    struct options *o = values;
    o->format = "auto";
    open_defaults(&o->open);
    inference_defaults(&o->inference);
    image_defaults(&o->values);
}

/* The images that training held out are those of a set that has no val split. */
static icseg_status suggest_val_share(const struct options *o, const icseg_model *model, icseg_error *error) {
    double share = icseg_model_val_share(model);
    if (strcmp(error->field, "split") != 0 || !(share > 0) || o->val_share > 0) return error->status;
    icseg_error found = *error;
    return icseg_error_set(error, found.status,
                           "%s; training held out %g of the training images: --val-share %g evaluates the same ones",
                           found.message, share, share);
}

/* Masks are read as in training unless the options say otherwise, and a note says so. */
static icseg_status read_labels_as_trained(struct options *o, const icseg_model *model, icseg_printer *printer,
                                           icseg_error *error) {
    icseg_label_values trained = {ICSEG_LABEL_VALUES_INIT};
    icseg_string text = {0};
    if (o->stored_labels && (o->map || o->ignore_count || o->reduce_zero_label))
        return icseg_error_set(error, ICSEG_ERROR_ARGUMENT,
                               "--stored-labels cannot be combined with --map, --ignore and --reduce-zero-label");
    if (o->stored_labels || o->map || o->ignore_count || o->reduce_zero_label) return ICSEG_OK;
    TRY(icseg_model_label_values(model, &trained, error));
    if (trained.ignore_count > MAX_IGNORE) trained.ignore_count = MAX_IGNORE;
    if (trained.map[0]) icseg_string_printf(&text, " --map %.200s", trained.map);
    for (int32_t i = 0; i < trained.ignore_count; i++)
        icseg_string_printf(&text, "%s%d", i ? "," : " --ignore ", (int)(o->ignore[i] = trained.ignore[i]));
    if (trained.reduce_zero_label) icseg_string_append(&text, " --reduce-zero-label", 20);
    o->map = trained.map;
    o->ignore_count = trained.ignore_count;
    o->reduce_zero_label = trained.reduce_zero_label;
    if (text.size)
        icseg_printer_note(printer, "note: masks are read as in training, with%s; --stored-labels reads them as stored",
                           text.data);
    icseg_status status = text.failed ? out_of_memory(error) : ICSEG_OK;
    icseg_string_close(&text);
    return status;
}

/* As icseg predict, about the first image that is too large. */
static void check_sizes(const struct options *o, const icseg_eval_options *eval, const icseg_model *model,
                        const icseg_dataset *dataset, icseg_printer *printer) {
    int32_t width, height;
    bool found = o->inference.resize_short >= 0 || eval->resize_short > 0 || !icseg_model_trained_side(model);
    for (int64_t i = 0; i < icseg_dataset_count(dataset) && !found; i++) {
        const char *path = icseg_dataset_image_path(dataset, i);
        found = icseg_image_read_size(&width, &height, path, NULL) == ICSEG_OK &&
                image_check_size(printer, model, width, height, path);
    }
}

static icseg_status open_data(icseg_dataset **out, const struct options *o, const icseg_image_values *values,
                              icseg_error *error) {
    icseg_dataset_options d = {ICSEG_DATASET_OPTIONS_INIT,
                               .folder = o->data,
                               .split = o->split,
                               .classes_file = o->classes,
                               .reduce_zero_label = o->reduce_zero_label,
                               .ignore = o->ignore,
                               .ignore_count = o->ignore_count,
                               .values = values,
                               .map = o->map,
                               .val_share = o->val_share,
                               .held_out = true};
    *out = NULL;
    TRY(icseg_dataset_format_find(&d.format, o->format, error));
    return icseg_dataset_open(out, &d, error);
}

/* Classes in another order, or those of another data set, would make the metrics meaningless. */
static void warn_about_names(icseg_printer *printer, const icseg_model *model, const icseg_dataset *dataset) {
    const char *const *ours = icseg_model_class_names(model), *const *theirs = icseg_dataset_class_names(dataset);
    int32_t count = icseg_model_config(model)->num_classes, different = 0, first = -1;
    if (count != icseg_dataset_classes(dataset)) return;
    for (int32_t k = 0; k < count; k++)
        if (strcmp(ours[k], theirs[k]) != 0) {
            different++;
            if (first < 0) first = k;
        }
    if (different)
        icseg_printer_problem(printer,
                              "icseg eval: warning: %d of %d class names %s, first class %d: \"%.80s\" in the model, "
                              "\"%.80s\" in the data set",
                              (int)different, (int)count, icseg_plural(different, "differs", "differ"), (int)first,
                              ours[first], theirs[first]);
}

static icseg_status write_json(const struct options *o, const icseg_eval_options *eval, const icseg_metrics *metrics,
                               const char *const *names, int64_t images, icseg_error *error) {
    char *text = NULL;
    TRY(icseg_metrics_json(metrics, names, &text, error));
    json_t *root = json_loads(text, 0, NULL);
    icseg_buffer_free(text);
    json_t *call = json_pack("{s:o, s:o, s:o, s:s, s:i, s:I}", "checkpoint", json_text(o->checkpoint), "data",
                             json_text(o->data), "split", json_text(o->split), "mode", inference_modes[eval->mode],
                             "resize_short", (int)eval->resize_short, "images", (json_int_t)images);
    bool failed = json_object_update(root, call) != 0;
    json_decref(call);
    icseg_string line = {0};
    TRY(json_finish(root, failed, JSON_INDENT(2) | JSON_REAL_PRECISION(9), &line, error));
    icseg_string_append(&line, "\n", 1);
    icseg_status status = line.failed ? out_of_memory(error) : icseg_file_write(o->json, line.data, line.size, error);
    icseg_string_close(&line);
    return status;
}

static icseg_status print_metrics(const struct options *o, const icseg_eval_options *eval,
                                  const icseg_confusion *confusion, const char *const *names, int64_t images,
                                  icseg_error *error) {
    icseg_metrics metrics = {ICSEG_METRICS_INIT};
    char *table = NULL;
    TRY(icseg_metrics_compute(&metrics, confusion, error));
    icseg_status status = icseg_metrics_table(&metrics, names, &table, error);
    if (status == ICSEG_OK) fputs(table, stdout);
    icseg_buffer_free(table);
    if (status == ICSEG_OK && o->json) status = write_json(o, eval, &metrics, names, images, error);
    icseg_metrics_close(&metrics);
    return status;
}

/* The classes are those of the data set, so a background class must be one of them. */
static icseg_status open_with_classes(icseg_model **out, const struct options *o, const icseg_dataset *dataset,
                                      const icseg_command_context *context, icseg_error *error) {
    size_t classes = (size_t)icseg_dataset_classes(dataset);
    TRY(open_model(out, &o->open, o->checkpoint, icseg_dataset_class_synonyms(dataset), classes, context, error));
    if ((size_t)icseg_model_config(*out)->num_classes == classes) return ICSEG_OK;
    return icseg_error_set(error, ICSEG_ERROR_ARGUMENT,
                           "--background: the data set does not have a class \"background\", so that its pixels could "
                           "not be counted; leave the option out");
}

static icseg_status open_data_and_model(icseg_dataset **dataset, icseg_model **model, struct options *o,
                                        icseg_image_values *image, const icseg_command_context *context,
                                        icseg_error *error) {
    if (o->open_vocabulary) {
        TRY(image_values(&o->values, NULL, image, error));
        TRY(open_data(dataset, o, image, error));
        return open_with_classes(model, o, *dataset, context, error);
    }
    TRY(icseg_model_open(model, o->checkpoint, error));
    TRY(image_values(&o->values, *model, image, error));
    TRY(read_labels_as_trained(o, *model, context->printer, error));
    icseg_status status = open_data(dataset, o, image, error);
    return status == ICSEG_OK ? status : suggest_val_share(o, *model, error);
}

static icseg_status evaluate(const struct options *o, icseg_session *session, const icseg_dataset *dataset,
                             const icseg_eval_options *eval, const icseg_command_context *context, icseg_confusion *out,
                             icseg_error *error) {
    const icseg_progress *progress = &context->progress;
    if (!o->images) return icseg_evaluate_group(session, dataset, eval, *context->group, progress, out, error);
    return icseg_evaluate_images(session, dataset, eval, *context->group, progress, o->images, out, error);
}

static icseg_status run(const icseg_command_context *context, const void *values, icseg_error *error) {
    struct options own = *(const struct options *)values;
    const struct options *o = &own;
    icseg_eval_options eval;
    icseg_image_values image;
    icseg_model *model = NULL;
    icseg_session *session = NULL;
    icseg_dataset *dataset = NULL;
    icseg_confusion confusion = {0};
    icseg_status status;
    TRY_GOTO(join_group(context, error));
    TRY_GOTO(inference_check(&o->inference, error));
    TRY_GOTO(open_check(&o->open, o->open_vocabulary, "--open-vocabulary", o->inference.precision, error));
    if (!own.split) own.split = o->val_share > 0 ? "train" : "val";
    if (o->json) TRY_GOTO(icseg_file_check_writable(o->json, error));
    if (o->json) TRY_GOTO(file_check_not_input(o->json, o->checkpoint, error));
    if (o->images) TRY_GOTO(icseg_file_check_writable(o->images, error));
    if (o->images) TRY_GOTO(file_check_not_input(o->images, o->checkpoint, error));
    TRY_GOTO(open_data_and_model(&dataset, &model, &own, &image, context, error));
    TRY_GOTO(inference_resolve(&o->inference, model, &eval, error));
    TRY_GOTO(inference_open(&session, o->inference.precision, model, o->checkpoint, context->printer, error));
    if (!o->open_vocabulary) warn_about_names(context->printer, model, dataset);
    check_sizes(o, &eval, model, dataset, context->printer);
    TRY_GOTO(evaluate(o, session, dataset, &eval, context, &confusion, error));
    if (!prints_results(context)) goto done;
    image_print_notes(context, dataset, (bool[ICSEG_IMAGE_NOTES]){false});
    TRY_GOTO(print_metrics(o, &eval, &confusion, icseg_model_class_names(model), icseg_dataset_count(dataset), error));
done:
    icseg_confusion_close(&confusion);
    icseg_dataset_close(&dataset);
    icseg_session_close(&session);
    icseg_model_close(&model);
    return status;
}

const icseg_command icseg_command_eval = {
    .name = "eval",
    .summary = "Evaluates a model on a labelled data set",
    .description = "Prints the IoU and accuracy of each class, then pixel accuracy (aAcc), mean IoU\n"
                   "and mean accuracy, from one confusion matrix over all images. Unlabelled pixels\n"
                   "do not count. The means leave out classes that occur neither in the labels nor\n"
                   "in the predictions; the line below the table shows the mean IoU under other\n"
                   "conventions.\n"
                   "\n"
                   "By default, images are processed as in the evaluations during training, which\n"
                   "`icseg info` shows, so that the results match those of training. Use --mode,\n"
                   "--crop and --resize-short to change this.\n"
                   "\n"
                   "With --open-vocabulary, CLIP's weights are evaluated without training: a pixel\n"
                   "gets the class whose name fits best (`icseg segment`).\n"
                   "\n"
                   "`mpirun -n N icseg eval ...` divides the images among N processes.\n",
    .examples = "icseg eval runs/camvid/checkpoint.safetensors --data data/camvid\n"
                "icseg eval rn50.safetensors --data data/ADEChallengeData2016 \\\n"
                "    --mode slide --crop 512x512 --resize-short 512 --tta --json eval.json\n"
                "icseg eval ViT-B-16.pt --data data/camvid --open-vocabulary\n",
    .options = ICSEG_TABLE(rows),
    .size = sizeof(struct options),
    .defaults = defaults,
    .run = run,
};
