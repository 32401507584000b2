/* SPDX-License-Identifier: Apache-2.0
 * Writing a model as an ONNX file: its network is built and run once on an image, for the constants and for results to
 * compare with, then translated, checked and written. */
#include <string.h>

#include "base/argument.h"
#include "base/file.h"
#include "base/rng.h"
#include "base/struct_size.h"
#include "base/threads.h"
#include "icseg/onnx.h"
#include "icseg/version.h"
#include "image/normalize.h"
#include "onnx/metadata.h"
#include "onnx/translate.h"

enum { DEFAULT_SIDE = 512, LARGEST_SIDE = 16384, FLOAT = ICSEG__ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT };

/* Protocol buffers of 2 GiB and more are not valid. The rest is for everything but the weights. */
static const size_t most_bytes = (size_t)INT32_MAX - (1 << 24);

typedef struct export {
    icseg_model *model;
    const char *path;
    icseg_onnx_options options;
    int64_t height, width;
    icseg_arena *arena;
    icseg_graph *graph;
    icseg_network network;
    icseg_program *program;
    icseg_executor *executor;
    icseg_workspace *workspace;
    uint8_t *image; /* (1, 3, H, W) */
    icseg_onnx_writer writer;
    icseg_onnx_translation translation;
    icseg_error *error;
}
export;

static void close_export(export *e) {
    icseg_executor_close(&e->executor);
    icseg_program_close(&e->program);
    icseg_graph_close(&e->graph);
    icseg_workspace_close(&e->workspace);
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

static icseg_status choose_size(export *e, icseg_error *error) {
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
    e->height = o->height;
    e->width = o->width;
    return ICSEG_OK;
}

static icseg_status read_options(export *e, const icseg_onnx_options *options, icseg_error *error) {
    enum { FIRST_SIZE = sizeof(icseg_onnx_options) };
    ICSEG_TRY(icseg_struct_read(&e->options, sizeof e->options, options, FIRST_SIZE, "icseg_onnx_options", error));
    ICSEG_TRY(icseg_threads_check(e->options.threads, error));
    if (e->model->open)
        return icseg_fail(error, ICSEG_ERROR_UNSUPPORTED,
                          "an open-vocabulary model cannot be written as an ONNX file; only trained models can");
    return choose_size(e, error);
}

/* -- the network and its run */

static icseg_status build(export *e, icseg_error *error) {
    const icseg_model *m = e->model;
    const icseg_network_options options = {.batch = 1,
                                           .height = e->height,
                                           .width = e->width,
                                           .predict_height = e->height,
                                           .predict_width = e->width,
                                           .keep = ICSEG_KEEP_LOGITS,
                                           .plain = 1,
                                           .precision = ICSEG_PRECISION_F32};
    ICSEG_TRY(icseg_graph_open(&e->graph, false, error));
    ICSEG_TRY(
        icseg_network_build(&e->network, e->graph, m->params, &m->config, &m->texts, false, &options, NULL, error));
    e->translation = (icseg_onnx_translation){
        .writer = &e->writer, .graph = e->graph, .dynamic = e->options.dynamic, .image = e->network.image};
    const icseg_value outputs[] = {e->network.logits, e->network.prediction[0]};
    return icseg_onnx_analyse(&e->translation, 2, outputs, error);
}

/* Random blocks, so that there are edges and areas. */
static icseg_status draw_image(export *e, icseg_error *error) {
    enum { BLOCK = 8 };
    int64_t rows = (e->height + BLOCK - 1) / BLOCK, columns = (e->width + BLOCK - 1) / BLOCK;
    icseg_rng rng = icseg_rng_open(1, ICSEG_RNG_TEST, 0);
    e->image = icseg_arena_array(e->arena, (size_t)(3 * e->height), (size_t)e->width);
    uint8_t *block = icseg_arena_array(e->arena, (size_t)(3 * rows), (size_t)columns);
    if (!e->image || !block) return icseg_fail_memory(error, 0, "an image");
    for (int64_t i = 0; i < 3 * rows * columns; i++) block[i] = (uint8_t)icseg_rng_below(&rng, 256);
    for (int64_t c = 0; c < 3; c++)
        for (int64_t y = 0; y < e->height; y++)
            for (int64_t x = 0; x < e->width; x++)
                e->image[(c * e->height + y) * e->width + x] = block[(c * rows + y / BLOCK) * columns + x / BLOCK];
    return ICSEG_OK;
}

static icseg_status run_network(export *e, icseg_error *error) {
    float table[3][256];
    int64_t places = e->height * e->width;
    float *input = icseg_arena_array(e->arena, (size_t)places, 3 * sizeof *input);
    if (!input) return icseg_fail_memory(error, 0, "an image");
    ICSEG_TRY(draw_image(e, error));
    icseg_normalize_table(table);
    for (int64_t p = 0; p < places; p++)
        for (int64_t c = 0; c < 3; c++) input[3 * p + c] = table[c][e->image[c * places + p]];
    ICSEG_TRY(icseg_program_open(&e->program, e->graph, error));
    ICSEG_TRY(icseg_workspace_open(&e->workspace, error));
    ICSEG_TRY(icseg_executor_open_shared(&e->executor, e->program, e->workspace, error));
    icseg_executor_bind(e->executor, e->network.image, input);
    return icseg_executor_run_checked(e->executor, 0, 0, error);
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

static void add_ports(export *e) {
    icseg_onnx_writer *w = &e->writer;
    const icseg_shape logits = icseg_graph_value(e->graph, e->network.logits)->shape;
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

static icseg_status translate(export *e, icseg_error *error) {
    icseg_onnx_writer *w = &e->writer;
    icseg_onnx_translation *t = &e->translation;
    t->constants = e->executor;
    t->value[e->network.image].name = normalise(w);
    ICSEG_TRY(icseg_onnx_translate(t, error));
    ICSEG_ONNX_NODE(w, "labels", "Identity", t->value[e->network.prediction[0]].name);
    ICSEG_ONNX_NODE(w, "logits", "Identity", t->value[e->network.logits].name);
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

static icseg_status finish(export *e, icseg_error *error) {
    Icseg__Onnx__ModelProto m = ICSEG__ONNX__MODEL_PROTO__INIT;
    Icseg__Onnx__OperatorSetIdProto opset = ICSEG__ONNX__OPERATOR_SET_ID_PROTO__INIT, *opsets[] = {&opset};
    if (e->writer.bytes > most_bytes)
        return icseg_fail(error, ICSEG_ERROR_UNSUPPORTED,
                          "%s: the weights take %.1f GiB, but an ONNX file has less than 2 GiB; export a smaller model",
                          e->path, (double)e->writer.bytes / (1 << 30));
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
    return write_file(e->path, &m, error);
}

static icseg_status perform(void *user) {
    export *e = user;
    icseg_error *error = e->error;
    ICSEG_TRY(icseg_arena_open(&e->arena, error));
    e->writer.arena = e->arena;
    ICSEG_TRY(build(e, error));
    ICSEG_TRY(run_network(e, error));
    ICSEG_TRY(translate(e, error));
    return finish(e, error);
}

icseg_status icseg_model_export_onnx(icseg_model *model, const char *path, const icseg_onnx_options *options,
                                     icseg_error *error) {
    ICSEG_NEED(model);
    ICSEG_NEED(path);
    export e = {.model = model, .path = path, .error = error};
    ICSEG_TRY(read_options(&e, options, error));
    ICSEG_TRY(icseg_file_check_writable(path, error));
    icseg_status status = icseg_threads_run(icseg_threads_resolve(e.options.threads), perform, &e, error);
    close_export(&e);
    return status;
}
