/* SPDX-License-Identifier: Apache-2.0
 * Writing a model as an ONNX file: its network is built and run once on an image, for the constants and for results to
 * compare with, then translated, compared with the network and written. */
#include <string.h>

#include "base/argument.h"
#include "base/file.h"
#include "base/progress.h"
#include "base/struct_size.h"
#include "base/threads.h"
#include "icseg/onnx.h"
#include "icseg/version.h"
#include "image/normalize.h"
#include "onnx/metadata.h"
#include "onnx/reference.h"
#include "onnx/translate.h"
#include "onnx/words.h"

enum { DEFAULT_SIDE = 512, LARGEST_SIDE = 16384, FLOAT = ICSEG__ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT };

/* Protocol buffers of 2 GiB and more are not valid. The rest is for everything but the weights. */
static const size_t most_bytes = (size_t)INT32_MAX - (1 << 24);

typedef struct exporter {
    icseg_model *model;
    const char *path;
    icseg_onnx_options options;
    icseg_progress progress;
    int64_t height, width;
    icseg_arena *arena;
    icseg_onnx_reference reference;
    icseg_onnx_writer writer;
    icseg_onnx_translation translation;
    icseg_error *error;
} exporter;

static void close_exporter(exporter *e) {
    icseg_onnx_reference_close(&e->reference);
    icseg_arena_close(&e->arena);
}

/* -- options */

/* Sides of images of a dynamic model are multiples of this: then every map has exactly half the size of the one
 * before. */
static int64_t multiple_of(const icseg_config *c) {
    return c->backbone == ICSEG_BACKBONE_VIT ? 2 * (int64_t)c->vit_patch : 32;
}

static icseg_status check_side(const char *name, int32_t value, int64_t least, icseg_error *error) {
    if (value < least || value > LARGEST_SIDE)
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, name, ICSEG_REMEDY_SET_FIELD,
                                "%s is %d: expected %lld..%d", name, value, (long long)least, LARGEST_SIDE);
    return ICSEG_OK;
}

/* The encoder of an open-vocabulary model would leave out what is not a whole patch, and labels would shift. */
static icseg_status check_patches(const exporter *e, icseg_error *error) {
    int32_t patch = icseg_open_vocabulary_patch(&e->model->config), wide = e->options.width % patch;
    if (!wide && e->options.height % patch == 0) return ICSEG_OK;
    return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, wide ? "width" : "height", ICSEG_REMEDY_SET_FIELD,
                            "%s is %d: a multiple of %d is expected for this model", wide ? "width" : "height",
                            wide ? e->options.width : e->options.height, patch);
}

static icseg_status choose_size(exporter *e, icseg_error *error) {
    const icseg_config *c = &e->model->config;
    const icseg_eval_options *eval = &e->model->eval;
    icseg_onnx_options *o = &e->options;
    int64_t least = icseg_config_min_side(c);
    if (o->dynamic && (o->height || o->width))
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "dynamic", ICSEG_REMEDY_NONE,
                                "a size and a dynamic model are both asked for; a dynamic model has no size");
    if (o->dynamic) { /* small, and not a square, so that position embeddings are resized */
        int64_t step = multiple_of(c);
        e->height = (ICSEG_MIN_SIDE + step - 1) / step * step;
        e->width = e->height + step;
        return ICSEG_OK;
    }
    if (!o->height && !o->width) {
        bool slides = eval->mode == ICSEG_EVAL_SLIDE;
        o->height = slides && eval->crop_height ? eval->crop_height : DEFAULT_SIDE;
        o->width = slides && eval->crop_width ? eval->crop_width : DEFAULT_SIDE;
    }
    ICSEG_TRY(check_side("height", o->height, least, error));
    ICSEG_TRY(check_side("width", o->width, least, error));
    if (e->model->open) ICSEG_TRY(check_patches(e, error));
    e->height = o->height;
    e->width = o->width;
    return ICSEG_OK;
}

/* What an open-vocabulary model cannot have. */
static icseg_status check_open(const exporter *e, icseg_error *error) {
    if (e->options.dynamic)
        return icseg_fail_field(error, ICSEG_ERROR_UNSUPPORTED, "dynamic", ICSEG_REMEDY_NONE,
                                "an open-vocabulary model is written for one size of images; give that size instead");
    if (e->model->open->info.threshold > 0)
        return icseg_fail_field(error, ICSEG_ERROR_UNSUPPORTED, "threshold", ICSEG_REMEDY_NONE,
                                "an ONNX file does not have a threshold below which pixels are background; leave it "
                                "out");
    return ICSEG_OK;
}

static icseg_status read_options(exporter *e, const icseg_onnx_options *options, icseg_error *error) {
    enum { FIRST_SIZE = sizeof(icseg_onnx_options) };
    ICSEG_TRY(icseg_struct_read(&e->options, sizeof e->options, options, FIRST_SIZE, "icseg_onnx_options", error));
    ICSEG_TRY(icseg_threads_check(e->options.threads, error));
    if (e->model->open) ICSEG_TRY(check_open(e, error));
    if (e->options.int8) ICSEG_TRY(icseg_model_need_calibration(e->model, "int8", error));
    return choose_size(e, error);
}

/* -- the network */

static icseg_status build(exporter *e, icseg_error *error) {
    ICSEG_TRY(icseg_onnx_reference_build(&e->reference, e->model, false, 1, e->height, e->width, error));
    const icseg_network *n = &e->reference.network;
    e->translation = (icseg_onnx_translation){
        .writer = &e->writer, .graph = e->reference.graph, .dynamic = e->options.dynamic, .image = n->image};
    if (e->options.int8) e->translation.ranges = e->model->ranges;
    const icseg_value outputs[] = {n->logits, n->prediction[0]};
    ICSEG_TRY(icseg_onnx_analyse(&e->translation, 2, outputs, error));
    return icseg_onnx_reference_run(&e->reference, error);
}

/* -- the ONNX graph */

/* uint8 values 0..255 to normalised ones. */
static const char *normalise(icseg_onnx_writer *w) {
    static const float mean[3] = ICSEG_MEAN, std[3] = ICSEG_STD;
    float *factor = icseg_onnx_memory(w, 3, sizeof *factor), *shift = icseg_onnx_memory(w, 3, sizeof *shift);
    for (int c = 0; c < 3 && factor && shift; c++) {
        factor[c] = (float)(1 / (255.0 * std[c]));
        shift[c] = (float)(-(double)mean[c] / std[c]);
    }
    const char *x = ICSEG_ONNX_NODE(w, "image.float", "Cast", "image");
    icseg_onnx_int(w, "to", FLOAT);
    x = ICSEG_ONNX_NODE(w, "image.scaled", "Mul", x,
                        icseg_onnx_initializer(w, "image.factor", FLOAT, ICSEG_SHAPE(1, 3, 1, 1), factor));
    return ICSEG_ONNX_NODE(w, "image.normalised", "Add", x,
                           icseg_onnx_initializer(w, "image.shift", FLOAT, ICSEG_SHAPE(1, 3, 1, 1), shift));
}

static void add_ports(exporter *e) {
    icseg_onnx_writer *w = &e->writer;
    const icseg_shape logits = e->reference.shape;
    bool dynamic = e->options.dynamic;
    int64_t n = dynamic ? -1 : 1, h = dynamic ? -1 : e->height, v = dynamic ? -1 : e->width;
    const char *sides =
        icseg_arena_printf(w->arena, "; height and width are multiples of %d", (int)multiple_of(&e->model->config));
    const char *doc = sides ? icseg_arena_printf(w->arena, "images, (N, 3, H, W): red, green, blue from 0 to 255%s",
                                                 dynamic ? sides : "")
                            : NULL;
    if (!doc) {
        icseg_onnx_fail(w, ICSEG_ERROR_MEMORY, "out of memory for an ONNX model");
        return;
    }
    icseg_onnx_input(w, &(icseg_onnx_port){.name = "image",
                                           .doc = doc,
                                           .type = ICSEG__ONNX__TENSOR_PROTO__DATA_TYPE__UINT8,
                                           .shape = ICSEG_SHAPE(n, 3, h, v),
                                           .symbol = {"batch", "", "height", "width"}});
    icseg_onnx_output(w, &(icseg_onnx_port){.name = "labels",
                                            .doc = "the class of each pixel, (N, H, W): an index into `classes`",
                                            .type = ICSEG__ONNX__TENSOR_PROTO__DATA_TYPE__INT64,
                                            .shape = ICSEG_SHAPE(n, h, v),
                                            .symbol = {"batch", "height", "width"}});
    icseg_onnx_output(
        w, &(icseg_onnx_port){
               .name = "logits",
               .doc = "scores of the classes, (N, K, h, w), from which labels are interpolated",
               .type = FLOAT,
               .shape = ICSEG_SHAPE(n, logits.dim[3], dynamic ? -1 : logits.dim[1], dynamic ? -1 : logits.dim[2]),
               .symbol = {"batch", "", "logits_height", "logits_width"}});
}

static icseg_status translate(exporter *e, icseg_error *error) {
    icseg_onnx_writer *w = &e->writer;
    icseg_onnx_translation *t = &e->translation;
    t->constants = e->reference.executor;
    t->value[e->reference.network.image].name = normalise(w);
    ICSEG_TRY(icseg_onnx_translate(t, error));
    const char *labels = t->value[e->reference.network.prediction[0]].name;
    const char *logits = t->value[e->reference.network.logits].name;
    if (e->model->open) {
        int32_t classes = e->model->config.num_classes;
        labels = icseg_onnx_classes_of_words(w, labels, e->model->open, classes);
        logits = icseg_onnx_best_words(w, logits, e->model->open, classes);
    }
    ICSEG_ONNX_NODE(w, "labels", "Identity", labels);
    ICSEG_ONNX_NODE(w, "logits", "Identity", logits);
    add_ports(e);
    return icseg_onnx_status(w, error);
}

/* -- the file */

typedef struct stream {
    ProtobufCBuffer base;
    icseg_file_writer *file;
    icseg_status status;
    icseg_error *error;
} stream;

static void append(ProtobufCBuffer *buffer, size_t size, const uint8_t *data) {
    stream *s = (stream *)buffer;
    if (s->status == ICSEG_OK) s->status = icseg_file_writer_write(s->file, data, size, s->error);
}

static icseg_status write_file(const char *path, const Icseg__Onnx__ModelProto *m, icseg_error *error) {
    stream s = {.base = {.append = append}, .error = error};
    ICSEG_TRY(icseg_file_writer_open(&s.file, path, error));
    icseg__onnx__model_proto__pack_to_buffer(m, &s.base);
    icseg_status status = s.status;
    if (status == ICSEG_OK) status = icseg_file_writer_commit(s.file, error);
    icseg_file_writer_close(&s.file);
    return status;
}

/* Compares the graph with what the model computes from images of this size. */
static icseg_status check_size(exporter *e, const Icseg__Onnx__GraphProto *graph, int64_t batch, int64_t height,
                               int64_t width, icseg_error *error) {
    icseg_onnx_reference r = {0};
    icseg_status status = icseg_onnx_reference_build(&r, e->model, e->options.int8, batch, height, width, error);
    if (status == ICSEG_OK) status = icseg_onnx_reference_run(&r, error);
    if (status == ICSEG_OK) status = icseg_onnx_reference_check(&r, graph, &e->progress, error);
    icseg_onnx_reference_close(&r);
    return status;
}

/* Runs the graph, and a dynamic one also on two images of another size. */
static icseg_status check(exporter *e, const Icseg__Onnx__GraphProto *graph, icseg_error *error) {
    if (e->options.int8)
        ICSEG_TRY(check_size(e, graph, 1, e->height, e->width, error));
    else
        ICSEG_TRY(icseg_onnx_reference_check(&e->reference, graph, &e->progress, error));
    return e->options.dynamic ? check_size(e, graph, 2, e->width, e->height, error) : ICSEG_OK;
}

/* Names the file in the error of a graph that cannot be written. */
static icseg_status about_file(exporter *e, icseg_status status) {
    if (status != ICSEG_OK && status != ICSEG_ERROR_CANCELLED) icseg_fail_prefix(e->error, "%s", e->path);
    return status;
}

static icseg_status finish(exporter *e, icseg_error *error) {
    Icseg__Onnx__ModelProto m = ICSEG__ONNX__MODEL_PROTO__INIT;
    Icseg__Onnx__OperatorSetIdProto opset = ICSEG__ONNX__OPERATOR_SET_ID_PROTO__INIT, *opsets[] = {&opset};
    opset.has_version = m.has_ir_version = 1;
    opset.version = ICSEG_ONNX_OPSET;
    opset.domain = (char *)"";
    m.ir_version = ICSEG_ONNX_IR_VERSION;
    m.opset_import = opsets;
    m.n_opset_import = 1;
    m.producer_name = (char *)"icseg";
    m.producer_version = (char *)icseg_version();
    m.graph = icseg_onnx_graph(&e->writer, "icseg");
    ICSEG_TRY(icseg_onnx_status(&e->writer, error));
    ICSEG_TRY(icseg_onnx_describe(&m, e->model, e->arena, error));
    ICSEG_TRY(about_file(e, check(e, m.graph, error)));
    return write_file(e->path, &m, error);
}

static icseg_status perform(void *user) {
    exporter *e = user;
    icseg_error *error = e->error;
    ICSEG_TRY(icseg_arena_open(&e->arena, error));
    e->writer = (icseg_onnx_writer){.arena = e->arena, .most_bytes = most_bytes};
    ICSEG_TRY(build(e, error));
    ICSEG_TRY(about_file(e, translate(e, error)));
    return finish(e, error);
}

icseg_status icseg_model_export_onnx(icseg_model *model, const char *path, const icseg_onnx_options *options,
                                     const icseg_progress *progress, icseg_error *error) {
    ICSEG_NEED(model);
    ICSEG_NEED(path);
    exporter e = {.model = model, .path = path, .error = error};
    ICSEG_TRY(icseg_progress_read(&e.progress, progress, error));
    ICSEG_TRY(read_options(&e, options, error));
    ICSEG_TRY(icseg_file_check_writable(path, error));
    icseg_status status = icseg_threads_run(icseg_threads_resolve(e.options.threads), perform, &e, error);
    close_exporter(&e);
    return status;
}
