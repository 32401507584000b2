/* SPDX-License-Identifier: Apache-2.0
 * icseg predict: writes label maps of images, and overlays, confidences and the share of each class. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "icseg/classes.h"
#include "icseg/file.h"
#include "icseg/memory.h"
#include "images.h"
#include "inference.h"
#include "inputs.h"
#include "json.h"
#include "support.h"

struct options {
    const char *checkpoint, *out;
    icseg_strings images;
    inference_options inference;
    image_options values;
    bool overlay, confidence, json;
    double opacity;
};

static const icseg_option rows[] = {
    {"CHECKPOINT", ICSEG_FIELD_STRING(struct options, checkpoint), "checkpoint of the model, a .safetensors file",
     .positional = true, .required = true},
    {"IMAGE", ICSEG_FIELD_STRINGS(struct options, images), "image files, folders or quoted patterns such as 'a/*.jpg'",
     .positional = true, .required = true},
    {"out", ICSEG_FIELD_STRING(struct options, out), "folder for the results; created if it does not exist",
     .metavar = "DIR", .required = true},
    {"overlay", ICSEG_FIELD_BOOL(struct options, overlay),
     "write STEM_overlay.png: class colours over the image, with a legend"},
    {"opacity", ICSEG_FIELD_FLOAT(struct options, opacity), "opacity of the overlay's colours", ICSEG_BETWEEN(0, 1)},
    {"confidence", ICSEG_FIELD_BOOL(struct options, confidence),
     "write STEM_confidence.png: the probability of each pixel's class, 16 bits, 65535 for 1"},
    {"json", ICSEG_FIELD_BOOL(struct options, json),
     "write STEM.json: the image size, and the pixels and share of each class that occurs"},
    INFERENCE_ROWS(struct options),
    IMAGE_ROWS(struct options, "as in training, else as the file says"),
};

static void defaults(void *values) {
    struct options *o = values;
    o->opacity = 0.55;
    inference_defaults(&o->inference);
    image_defaults(&o->values);
}

/* One run of the command. */
typedef struct job {
    const struct options *options;
    const icseg_command_context *context;
    icseg_model *model;
    icseg_session *session;
    icseg_eval_options eval;
    icseg_palette palette;
    input_list inputs;
    image_reader *reader;
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

typedef struct share {
    int32_t index;
    int64_t pixels;
} share;

static int compare_shares(const void *a, const void *b) {
    const share *x = a, *y = b;
    if (x->pixels != y->pixels) return x->pixels > y->pixels ? -1 : 1;
    return x->index - y->index;
}

/* The classes that occur, the largest first, as a JSON list. */
static json_t *shares_json(const job *j, const labelled *p, bool *failed) {
    int32_t classes = icseg_model_config(j->model)->num_classes;
    size_t pixels = (size_t)p->labels.width * (size_t)p->labels.height;
    share *shares = calloc((size_t)classes, sizeof *shares);
    json_t *list = json_array();
    *failed |= !shares;
    for (int32_t k = 0; k < classes && shares; k++) shares[k].index = k;
    for (size_t i = 0; i < pixels && shares; i++) shares[p->labels.data[i]].pixels++;
    if (shares) qsort(shares, (size_t)classes, sizeof *shares, compare_shares);
    for (int32_t k = 0; k < classes && shares && shares[k].pixels; k++)
        json_add(list,
                 json_pack("{s:i, s:s, s:I, s:f}", "index", (int)shares[k].index, "name",
                           icseg_model_class_names(j->model)[shares[k].index], "pixels", (json_int_t)shares[k].pixels,
                           "share", (double)shares[k].pixels / (double)pixels),
                 failed);
    free(shares);
    return list;
}

static icseg_status write_json(const job *j, const labelled *p, const char *path, icseg_error *error) {
    bool failed = false;
    json_t *root = json_pack("{s:o, s:i, s:i, s:o}", "image", json_text(p->file->path), "width", (int)p->labels.width,
                             "height", (int)p->labels.height, "classes", shares_json(j, p, &failed));
    icseg_string text = {0};
    TRY(json_finish(root, failed, JSON_INDENT(2) | JSON_REAL_PRECISION(6), &text, error));
    icseg_status status = icseg_file_write(path, text.data, text.size, error);
    icseg_string_close(&text);
    return status;
}

static icseg_status write_results(const job *j, const labelled *p, icseg_error *error) {
    const struct options *o = j->options;
    icseg_string path = {0};
    icseg_string_printf(&path, "%s/%s", o->out, p->file->stem);
    size_t length = path.size;
    icseg_string_printf(&path, "_confidence.png"); /* space for the longest suffix */
    if (path.failed) return out_of_memory(error);
    char *suffix = path.data + length;
    icseg_status status = ICSEG_OK;
    if (o->confidence)
        status = icseg_confidence_write_png(p->confidence, p->labels.width, p->labels.height, path.data, error);
    strcpy(suffix, "_overlay.png");
    if (status == ICSEG_OK && o->overlay) status = icseg_image_write_png(&p->overlay, path.data, error);
    strcpy(suffix, ".json");
    if (status == ICSEG_OK && o->json) status = write_json(j, p, path.data, error);
    strcpy(suffix, ".png");
    if (status == ICSEG_OK) status = icseg_labels_write_png(&p->labels, &j->palette, path.data, error);
    if (status == ICSEG_OK) printf("%s\n", path.data);
    icseg_string_close(&path);
    return status;
}

/* Computes labels and overlay. What follows does not fail because of the image. */
static icseg_status label(const job *j, labelled *p, icseg_error *error) {
    const struct options *o = j->options;
    TRY(icseg_session_predict(j->session, &p->image, &j->eval, &p->labels, o->confidence ? &p->confidence : NULL,
                              error));
    if (!o->overlay) return ICSEG_OK;
    icseg_overlay_options style = {ICSEG_OVERLAY_OPTIONS_INIT, .palette = &j->palette,
                                   .names = icseg_model_class_names(j->model),
                                   .opacity = o->opacity > 0 ? o->opacity : ICSEG_OPACITY_NONE};
    return icseg_overlay_draw(&p->overlay, &p->image, &p->labels, &style, error);
}

static icseg_status predict_one(const void *user, size_t index, bool *bad, icseg_error *error) {
    const job *j = user;
    const input_file *file = &j->inputs.files[index];
    labelled p = {.file = file};
    icseg_status status = image_read(j->reader, file->path, &p.image, error);
    *bad = status != ICSEG_OK;
    if (status == ICSEG_OK && j->options->inference.resize_short < 0 && !j->eval.resize_short)
        image_check_size(j->reader, j->model, &p.image, file->path);
    if (status == ICSEG_OK) {
        status = label(j, &p, error);
        *bad = status == ICSEG_ERROR_MEMORY || status == ICSEG_ERROR_DATA; /* a smaller image may fit */
        if (status != ICSEG_OK) error_prefix(error, "%s", file->path);
    }
    if (status == ICSEG_OK) status = write_results(j, &p, error);
    close_labelled(&p);
    return status;
}

static icseg_status check_outputs(job *j, icseg_error *error) {
    const struct options *o = j->options;
    const char *suffixes[5] = {".png"};
    size_t count = 1;
    if (o->overlay) suffixes[count++] = "_overlay.png";
    if (o->confidence) suffixes[count++] = "_confidence.png";
    if (o->json) suffixes[count++] = ".json";
    return inputs_check_outputs(&j->inputs, o->out, suffixes, j->context->arena, error);
}

static icseg_status run(const icseg_command_context *context, const void *values, icseg_error *error) {
    image_reader reader;
    job j = {.options = values, .context = context, .reader = &reader};
    icseg_status status;
    const inference_options *how = &j.options->inference;
    TRY_GOTO(inference_check_resize(how->resize_short, how->resize_long, error));
    TRY_GOTO(inputs_expand(&j.inputs, &j.options->images, context->arena, error));
    TRY_GOTO(check_outputs(&j, error));
    TRY_GOTO(icseg_model_open(&j.model, j.options->checkpoint, error));
    TRY_GOTO(inference_resolve(how, j.model, &j.eval, error));
    TRY_GOTO(image_reader_open(&reader, &j.options->values, j.model, context, error));
    TRY_GOTO(inference_open(&j.session, how->precision, j.model, j.options->checkpoint, context->printer, error));
    TRY_GOTO(icseg_palette_create_for(&j.palette, icseg_model_class_names(j.model),
                                      icseg_model_config(j.model)->num_classes, error));
    TRY_GOTO(folder_create(j.options->out, error));
    TRY_GOTO(inputs_for_each(&j.inputs, context, "predict", predict_one, &j, error));
done:
    icseg_palette_close(&j.palette);
    icseg_session_close(&j.session);
    icseg_model_close(&j.model);
    return status;
}

const icseg_command icseg_command_predict = {
    .name = "predict",
    .summary = "Labels the pixels of images",
    .description = "Writes DIR/STEM.png for each image: a label map of the size of the image, whose\n"
                   "values are class numbers, with a palette or, from 256 classes on, as 16-bit\n"
                   "grey. Images may be JPEG, PNG, WebP, TIFF, BMP, GIF, PNM, HEIC or AVIF files;\n"
                   "the orientation in their EXIF data is applied.\n"
                   "\n"
                   "By default, images are processed as in the evaluations during training, which\n"
                   "`icseg info` shows. The command prints the names of the label maps. If an image\n"
                   "cannot be read, the command reports it, continues with the others and exits with\n"
                   "status 1.\n",
    .examples = "icseg predict checkpoint.safetensors street.jpg --out labels --overlay\n"
                "icseg predict checkpoint.safetensors photos/ 'more/*.png' --out labels --json\n"
                "icseg predict checkpoint.safetensors photos/ --out labels --mode slide\n",
    .options = ICSEG_TABLE(rows),
    .size = sizeof(struct options),
    .defaults = defaults,
    .run = run,
};
