/* SPDX-License-Identifier: Apache-2.0
 * Labels images, and writes the labels in several formats, overlays, confidences and the share of each class. */
#include "labelling.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "icseg/classes.h"
#include "icseg/file.h"
#include "icseg/memory.h"
#include "inputs.h"
#include "json.h"
#include "results.h"
#include "saved_labels.h"
#include "support.h"

void labelling_defaults(labelling_options *o) {
    o->opacity = 0.55;
    o->exports.formats = "png";
    inference_defaults(&o->inference);
    image_defaults(&o->values);
}

/* One run. */
typedef struct job {
    const labelling_options *options;
    const icseg_command_context *context;
    icseg_model *model;
    icseg_session *session;
    icseg_eval_options eval;
    icseg_palette palette;
    input_list inputs;
    input_output *outputs; /* all files that will be written */
    size_t output_count;
    image_reader *reader;
    export_list *exports;
    saved_labels *saved; /* folder NULL: none */
} job;

/* One image and its results. */
typedef struct labelled {
    const input_file *file;
    icseg_image image, overlay;
    icseg_labels labels;
    float *confidence;
} labelled;

static void close_labelled(labelled *p) {
    icseg_image_close(&p->image);
    icseg_image_close(&p->overlay);
    icseg_labels_close(&p->labels);
    icseg_buffer_free(p->confidence);
}

/* The classes that occur, the largest first, as a JSON list. */
static json_t *classes_json(const job *j, const icseg_labels_summary *summary, bool *failed) {
    json_t *list = json_array();
    for (int32_t i = 0; i < summary->count; i++) {
        const icseg_class_share *c = &summary->classes[i];
        json_add(list,
                 json_pack("{s:i, s:s, s:I, s:f, s:f}", "index", (int)c->index, "name",
                           icseg_model_class_names(j->model)[c->index], "pixels", (json_int_t)c->pixels, "share",
                           c->share, "confidence", c->confidence),
                 failed);
    }
    return list;
}

static icseg_status write_json(const job *j, const labelled *p, const char *path, icseg_error *error) {
    bool failed = false;
    icseg_labels_summary summary = {ICSEG_LABELS_SUMMARY_INIT};
    TRY(icseg_labels_summarise(&summary, &p->labels, p->confidence, icseg_model_config(j->model)->num_classes, error));
    json_t *classes = classes_json(j, &summary, &failed);
    json_t *root =
        json_pack("{s:o, s:i, s:i, s:f, s:o}", "image", json_text(p->file->path), "width", (int)p->labels.width,
                  "height", (int)p->labels.height, "confidence", summary.confidence, "classes", classes);
    icseg_labels_summary_close(&summary);
    icseg_string text = {0};
    TRY(json_finish(root, failed, JSON_INDENT(2) | JSON_REAL_PRECISION(6), &text, error));
    icseg_status status = icseg_file_write(path, text.data, text.size, error);
    icseg_string_close(&text);
    return status;
}

/* Creates the folder of OUT/STEM, which --recursive may put below OUT. */
static icseg_status create_parent(char *path, icseg_error *error) {
    char *slash = strrchr(path, '/');
    *slash = '\0';
    icseg_status status = folder_create(path, error);
    *slash = '/';
    return status;
}

static icseg_status write_files(const job *j, const labelled *p, icseg_error *error) {
    const labelling_options *o = j->options;
    icseg_string path = {0};
    if (!o->confidence && !o->overlay && !o->json) return ICSEG_OK;
    icseg_string_printf(&path, "%s/%s", o->out, p->file->stem);
    size_t length = path.size;
    icseg_string_printf(&path, "_confidence.png"); /* space for the longest suffix */
    if (path.failed) return out_of_memory(error);
    char *suffix = path.data + length;
    icseg_status status = create_parent(path.data, error);
    if (status == ICSEG_OK && o->confidence)
        status = icseg_confidence_write_png(p->confidence, p->labels.width, p->labels.height, path.data, error);
    strcpy(suffix, "_overlay.png");
    if (status == ICSEG_OK && o->overlay) status = icseg_image_write_png(&p->overlay, path.data, error);
    strcpy(suffix, ".json");
    if (status == ICSEG_OK && o->json) status = write_json(j, p, path.data, error);
    icseg_string_close(&path);
    return status;
}

static icseg_status write_results(const job *j, const labelled *p, bool *bad, icseg_error *error) {
    icseg_export_image image = {ICSEG_EXPORT_IMAGE_INIT, .name = p->file->name, .labels = &p->labels,
                                .confidence = p->confidence};
    if (j->options->out && !strcmp(j->options->out, "-")) return exports_print(j->exports, &image, error);
    if (j->saved->folder)
        TRY(saved_labels_add(j->saved, p->file, &p->image, &p->labels, p->confidence, j->context->arena, error));
    if (!j->options->out) return ICSEG_OK;
    TRY(write_files(j, p, error));
    return exports_add(j->exports, &image, bad, error);
}

/* Computes labels and overlay. What follows does not fail because of the image. */
static icseg_status label(const job *j, labelled *p, icseg_error *error) {
    const labelling_options *o = j->options;
    TRY(icseg_session_predict(j->session, &p->image, &j->eval, &p->labels,
                              o->confidence || o->json || o->save_labels ? &p->confidence : NULL, error));
    if (!o->overlay) return ICSEG_OK;
    icseg_overlay_options style = {ICSEG_OVERLAY_OPTIONS_INIT, .palette = &j->palette,
                                   .names = icseg_model_class_names(j->model),
                                   .opacity = o->opacity > 0 ? o->opacity : ICSEG_OPACITY_NONE};
    return icseg_overlay_draw(&p->overlay, &p->image, &p->labels, &style, error);
}

/* A video is not an image, but another command reads it. */
static void suggest_video(const char *path, icseg_error *error) {
    static const char *const extensions[] = {"mp4", "mov", "mkv", "avi", "webm", "m4v", "mpg", "mpeg", NULL};
    icseg_error before = *error;
    size_t i = 0;
    while (extensions[i] && strcasecmp(path_extension(path), extensions[i]) != 0) i++;
    if (extensions[i]) icseg_error_set(error, before.status, "%s; `icseg video` labels videos", before.message);
}

static icseg_status predict_one(const void *user, size_t index, bool *bad, icseg_error *error) {
    const job *j = user;
    const input_file *file = &j->inputs.files[index];
    labelled p = {.file = file};
    icseg_status status = image_read(j->reader, file->path, &p.image, error);
    *bad = status != ICSEG_OK;
    if (status == ICSEG_ERROR_FORMAT) suggest_video(file->path, error);
    if (status == ICSEG_OK && j->options->inference.resize_short < 0 && !j->eval.resize_short && !j->reader->noted_size)
        j->reader->noted_size =
            image_check_size(j->context->printer, j->model, p.image.width, p.image.height, file->path);
    if (status == ICSEG_OK) {
        status = label(j, &p, error);
        *bad = status == ICSEG_ERROR_MEMORY || status == ICSEG_ERROR_DATA; /* a smaller image may fit */
        if (status != ICSEG_OK) error_prefix(error, "%s", strcmp(file->path, "-") ? file->path : "standard input");
    }
    if (status == ICSEG_OK) status = write_results(j, &p, bad, error);
    close_labelled(&p);
    return status;
}

static icseg_status check_standard_output(const job *j, icseg_error *error) {
    const labelling_options *o = j->options;
    if (j->inputs.count == 1 && j->exports->count == 1 && !o->overlay && !o->confidence && !o->json) return ICSEG_OK;
    return icseg_error_set(
        error, ICSEG_ERROR_ARGUMENT,
        "--out -: standard output is for one image in one format, without --overlay, --confidence and "
        "--json; name a folder");
}

static icseg_status check_saved_labels(const job *j, icseg_error *error) {
    icseg_arena *arena = j->context->arena;
    const char *folder = j->saved->folder;
    size_t count = 0;
    input_output *outputs = icseg_arena_array(arena, j->inputs.count, 2 * sizeof *outputs);
    if (!outputs) return out_of_memory(error);
    for (size_t i = 0; i < j->inputs.count; i++) {
        outputs[count++] = (input_output){saved_labels_image_path(folder, &j->inputs.files[i], arena), i};
        outputs[count++] = (input_output){saved_labels_mask_path(folder, &j->inputs.files[i], arena), i};
        if (!outputs[count - 2].path || !outputs[count - 1].path) return out_of_memory(error);
    }
    TRY(saved_labels_check(folder, error));
    TRY(saved_labels_open(j->saved, error));
    return inputs_check_outputs(&j->inputs, outputs, count, arena, error);
}

static icseg_status check_outputs(job *j, icseg_error *error) {
    const labelling_options *o = j->options;
    icseg_arena *arena = j->context->arena;
    if (j->saved->folder) TRY(check_saved_labels(j, error));
    if (!o->out) return ICSEG_OK;
    if (!strcmp(o->out, "-")) return check_standard_output(j, error);
    const char *suffixes[] = {o->overlay ? "_overlay.png" : NULL, o->confidence ? "_confidence.png" : NULL,
                              o->json ? ".json" : NULL};
    enum { SUFFIXES = sizeof suffixes / sizeof *suffixes };
    size_t count = 0;
    input_output *outputs = icseg_arena_array(arena, j->inputs.count, (j->exports->count + SUFFIXES) * sizeof *outputs);
    if (!outputs) return out_of_memory(error);
    for (size_t i = 0; i < j->inputs.count; i++)
        for (int k = 0; k < SUFFIXES; k++) {
            if (!suffixes[k]) continue;
            outputs[count] =
                (input_output){icseg_arena_printf(arena, "%s/%s%s", o->out, j->inputs.files[i].stem, suffixes[k]), i};
            if (!outputs[count].path) return out_of_memory(error);
            count++;
        }
    TRY(exports_outputs(j->exports, &j->inputs, outputs, &count, arena, error));
    TRY(inputs_check_outputs(&j->inputs, outputs, count, arena, error));
    if (!o->force) TRY(results_check(o->out, outputs, count, arena, error));
    j->outputs = outputs;
    j->output_count = count;
    return exports_have_joint_file(j->exports) ? inputs_check_names(&j->inputs, arena, error) : ICSEG_OK;
}

/* A folder may be that of the images and of the results, or contain it. */
static icseg_status leave_results_out(job *j, icseg_error *error) {
    char **paths;
    size_t count, removed;
    if (!j->options->out || !strcmp(j->options->out, "-")) return ICSEG_OK;
    TRY(results_paths(j->options->out, &paths, &count, j->context->arena, error));
    TRY(inputs_remove(&j->inputs, paths, count, &removed, j->context->arena, error));
    const char *results = icseg_plural((int64_t)removed, "result", "results");
    if (!j->inputs.count)
        return icseg_error_set(error, ICSEG_ERROR_DATA, "%s: contains only %zu %s of earlier calls and no other image",
                               j->options->out, removed, results);
    if (removed)
        icseg_printer_note(j->context->printer, "note: %zu %s of earlier calls in %s %s not labelled", removed, results,
                           j->options->out, removed == 1 ? "is" : "are");
    return ICSEG_OK;
}

static icseg_status find_images(job *j, icseg_error *error) {
    const labelling_options *o = j->options;
    const input_options how = {.list = o->list, .recursive = o->recursive, .standard_input = true};
    if (!o->images.count && !o->list)
        return icseg_error_set(error, ICSEG_ERROR_ARGUMENT, "IMAGE is missing; name images, or a list with --list");
    if (!o->out && !o->save_labels)
        return icseg_error_set(error, ICSEG_ERROR_ARGUMENT, "--out DIR or --save-labels DIR is missing");
    if (!o->out && (o->overlay || o->confidence || o->json))
        return icseg_error_set(error, ICSEG_ERROR_ARGUMENT, "--overlay, --confidence and --json need --out DIR");
    if (o->out) TRY(exports_choose(j->exports, &o->exports, o->out, j->context->arena, error));
    TRY(inputs_expand(&j->inputs, &o->images, &how, j->context->arena, error));
    TRY(leave_results_out(j, error));
    return check_outputs(j, error);
}

/* Each of several processes labels its share of the images, after all of them have checked the outputs. */
static icseg_status divide_images(job *j, icseg_error *error) {
    icseg_group *group = *j->context->group;
    int64_t first;
    if (icseg_group_size(group) == 1) return ICSEG_OK;
    if (j->saved->folder || !strcmp(j->options->out, "-") || exports_have_joint_file(j->exports))
        return icseg_error_set(error, ICSEG_ERROR_ARGUMENT,
                               "several processes cannot write one file together: leave out --save-labels, --out - and "
                               "formats with one file for all images, or start one process");
    j->inputs.count = (size_t)icseg_group_share(group, (int64_t)j->inputs.count, &first);
    j->inputs.files += first;
    return ICSEG_OK;
}

/* Files of all images are completed also after a failure, with the images so far. */
static icseg_status label_all(const job *j, icseg_error *error) {
    icseg_error failure = {0};
    icseg_status status = inputs_for_each(&j->inputs, j->context, "predict", predict_one, j, error);
    icseg_status finished = exports_finish(j->exports, status == ICSEG_OK ? error : &failure);
    if (finished == ICSEG_OK && j->saved->folder)
        finished = saved_labels_finish(j->saved, j->model, j->context->printer, status == ICSEG_OK ? error : &failure);
    if (status != ICSEG_OK || finished != ICSEG_OK) return status == ICSEG_OK ? finished : status;
    size_t count = j->inputs.count, others = j->inputs.others;
    if (others)
        icseg_printer_note(j->context->printer,
                           "note: %zu %s labelled; %zu other file%s of the folders %s left out, because %s not named "
                           "as images are",
                           count, icseg_plural((int64_t)count, "image", "images"), others, others == 1 ? "" : "s",
                           others == 1 ? "was" : "were", others == 1 ? "it is" : "they are");
    else if (count > 1)
        icseg_printer_note(j->context->printer, "%zu images labelled", count);
    return ICSEG_OK;
}

static icseg_status open_outputs(const job *j, icseg_error *error) {
    const char *out = j->options->out;
    TRY(folder_create(out, error));
    if (prints_results(j->context)) TRY(results_note(out, j->outputs, j->output_count, j->context->arena, error));
    return exports_open(j->exports, error);
}

icseg_status labelling_run(const labelling_options *options, const icseg_command_context *context,
                           const char *model_name, labelling_open *open, const void *user, icseg_error *error) {
    image_reader reader;
    export_list exports = {0};
    saved_labels saved = {.folder = options->save_labels, .min_confidence = options->min_confidence};
    job j = {.options = options, .context = context, .reader = &reader, .exports = &exports, .saved = &saved};
    icseg_status status;
    const inference_options *how = &options->inference;
    TRY_GOTO(inference_check(how, error));
    TRY_GOTO(join_group(context, error));
    status = find_images(&j, error);
    if (status == ICSEG_OK) status = divide_images(&j, error);
    TRY_GOTO(icseg_group_agree(*context->group, status, error));
    TRY_GOTO(open(&j.model, context, user, error));
    TRY_GOTO(inference_resolve(how, j.model, &j.eval, error));
    TRY_GOTO(image_reader_open(&reader, &options->values, j.model, context, error));
    TRY_GOTO(inference_open(&j.session, how->precision, j.model, model_name, context->printer, error));
    const char *const *names = icseg_model_class_names(j.model);
    int32_t classes = icseg_model_config(j.model)->num_classes;
    TRY_GOTO(icseg_palette_create_for(&j.palette, names, classes, error));
    exports.options.names = names;
    exports.options.classes = classes;
    if (options->out && strcmp(options->out, "-") != 0) TRY_GOTO(open_outputs(&j, error));
    saved.palette = &j.palette;
    TRY_GOTO(label_all(&j, error));
done:
    exports_close(&exports);
    icseg_palette_close(&j.palette);
    icseg_session_close(&j.session);
    icseg_model_close(&j.model);
    return status;
}
