/* SPDX-License-Identifier: Apache-2.0
 * icseg forward: the network on tensors, to compare it with another implementation. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "cli.h"
#include "inference.h"
#include "model/model.h"

enum { MOST_OUTPUTS = ICSEG_LEVELS + 2 };

struct options {
    const char *checkpoint, *in, *out;
    int32_t precision;
};

static const icseg_option rows[] = {
    {"CHECKPOINT", ICSEG_FIELD_STRING(struct options, checkpoint), "the model: a checkpoint.safetensors",
     .positional = true, .required = true},
    {"IN", ICSEG_FIELD_STRING(struct options, in), "safetensors file with the tensor image (B, 3, H, W)",
     .positional = true, .required = true},
    {"OUT", ICSEG_FIELD_STRING(struct options, out), "safetensors file to write", .positional = true, .required = true},
    PRECISION_ROW(struct options, precision),
};

/* (B, rows, columns) -> (B, columns, rows): NCHW to NHWC with rows = C, columns = H * W, and back the other way. */
static void transpose(float *to, const float *from, int64_t batch, int64_t height, int64_t width) {
    for (int64_t b = 0; b < batch; b++, to += height * width, from += height * width)
        for (int64_t y = 0; y < height; y++)
            for (int64_t x = 0; x < width; x++) to[x * height + y] = from[y * width + x];
}

/* *out (B, H, W, 3), freed with icseg_free. */
static icseg_status read_image(const struct options *o, float **out, icseg_shape *shape, icseg_error *error) {
    icseg_safetensors *file = NULL;
    const icseg_safetensors_entry *entry;
    float *image = NULL;
    char text[ICSEG_SHAPE_TEXT];
    icseg_status status;
    *out = NULL;
    ICSEG_TRY_GOTO(icseg_safetensors_open(&file, o->in, error));
    ICSEG_TRY_GOTO(icseg_safetensors_get(file, "image", &entry, error));
    *shape = entry->shape;
    int64_t count = icseg_shape_count(*shape), pixels = shape->dim[2] * shape->dim[3];
    if (shape->rank != 4 || shape->dim[0] < 1 || shape->dim[1] != 3 || shape->dim[2] < 32 || shape->dim[3] < 32) {
        status = icseg_fail(error, ICSEG_ERROR_SHAPE,
                            "%s: image is %s; expected (B, 3, H, W), normalised, both sides 32 or more", o->in,
                            icseg_shape_text(*shape, text, sizeof text));
        goto fail;
    }
    image = icseg_alloc_array((size_t)count, sizeof *image);
    *out = icseg_alloc_array((size_t)count, sizeof **out);
    if (!image || !*out) {
        status = icseg_fail_memory(error, (size_t)count * sizeof *image, o->in);
        goto fail;
    }
    ICSEG_TRY_GOTO(icseg_safetensors_read_f32(file, "image", *shape, image, error));
    transpose(*out, image, shape->dim[0], 3, pixels);
fail:
    if (status != ICSEG_OK) {
        icseg_free(*out);
        *out = NULL;
    }
    icseg_free(image);
    icseg_safetensors_close(&file);
    return status;
}

/* A map (B, h, w, K) of the network as (B, K, h, w). */
static icseg_status take_map(const icseg_session *s, icseg_value value, const char *name, icseg_arena *arena,
                             icseg_safetensors_entry *out, icseg_error *error) {
    icseg_shape shape = icseg_graph_value(s->graph, value)->shape;
    size_t bytes = (size_t)icseg_shape_bytes(shape, ICSEG_F32);
    float *data = icseg_arena_alloc(arena, bytes);
    if (!data) return icseg_fail_memory(error, bytes, name);
    transpose(data, icseg_executor_data(s->executor, value), shape.dim[0], shape.dim[1] * shape.dim[2], shape.dim[3]);
    *out = (icseg_safetensors_entry){name, ICSEG_F32,
                                     ICSEG_SHAPE(shape.dim[0], shape.dim[3], shape.dim[1], shape.dim[2]), data, bytes};
    return ICSEG_OK;
}

/* (1 or B, K, C) as (B, K, C). */
static icseg_status take_text(const icseg_session *s, int64_t batch, icseg_arena *arena, icseg_safetensors_entry *out,
                              icseg_error *error) {
    icseg_shape shape = icseg_graph_value(s->graph, s->network.text)->shape;
    size_t one = (size_t)(shape.dim[1] * shape.dim[2]) * sizeof(float), bytes = (size_t)batch * one;
    char *data = icseg_arena_alloc(arena, bytes);
    if (!data) return icseg_fail_memory(error, bytes, "text");
    const char *from = icseg_executor_data(s->executor, s->network.text);
    for (int64_t b = 0; b < batch; b++)
        memcpy(data + (size_t)b * one, from + (shape.dim[0] == 1 ? 0 : (size_t)b * one), one);
    *out = (icseg_safetensors_entry){"text", ICSEG_F32, ICSEG_SHAPE(batch, shape.dim[1], shape.dim[2]), data, bytes};
    return ICSEG_OK;
}

static icseg_status write_outputs(const struct options *o, const icseg_session *s, int64_t batch, icseg_arena *arena,
                                  icseg_error *error) {
    static const char *const align[ICSEG_LEVELS] = {"align.4", "align.8", "align.16", "align.32"};
    icseg_safetensors_entry entry[MOST_OUTPUTS];
    char text[ICSEG_SHAPE_TEXT];
    size_t count = 0;
    ICSEG_TRY(take_map(s, s->network.logits, "logits", arena, &entry[count++], error));
    for (int i = 0; i < ICSEG_LEVELS; i++)
        if (s->network.score[i] != ICSEG_NONE)
            ICSEG_TRY(take_map(s, s->network.score[i], align[i], arena, &entry[count++], error));
    ICSEG_TRY(take_text(s, batch, arena, &entry[count++], error));
    ICSEG_TRY(icseg_safetensors_write(o->out, entry, count, NULL, 0, error));
    for (size_t i = 0; i < count; i++)
        printf("%-10s %s\n", entry[i].name, icseg_shape_text(entry[i].shape, text, sizeof text));
    return ICSEG_OK;
}

static icseg_status run(const icseg_command_context *context, const void *values, icseg_error *error) {
    const struct options *o = values;
    icseg_model *model = NULL;
    icseg_session *session;
    icseg_shape shape;
    float *image = NULL;
    icseg_status status;
    ICSEG_TRY_GOTO(icseg_model_open(&model, o->checkpoint, error));
    ICSEG_TRY_GOTO(inference_use_precision(o->precision, model, o->checkpoint, context->printer, error));
    ICSEG_TRY_GOTO(read_image(o, &image, &shape, error));
    icseg_network_options options;
    memset(&options, 0, sizeof options); /* compared bytewise */
    options.batch = shape.dim[0];
    options.height = shape.dim[2];
    options.width = shape.dim[3];
    options.keep_outputs = 1;
    ICSEG_TRY_GOTO(icseg_model_session(model, &options, &session, error));
    icseg_executor_bind(session->executor, session->network.image, image);
    ICSEG_TRY_GOTO(icseg_executor_run(session->executor, 0, 0, error));
    ICSEG_TRY_GOTO(write_outputs(o, session, shape.dim[0], context->arena, error));
fail:
    icseg_model_close(&model);
    icseg_free(image);
    return status;
}

const icseg_command icseg_command_forward = {
    .name = "forward",
    .summary = "Runs a model on tensors, for comparison with PyTorch",
    .description = "IN holds the tensor image (B, 3, H, W), already normalised. OUT receives logits\n"
                   "(B, K, H/4, W/4), a score map align.S (B, K, H/S, W/S) for each aligned stride S, and\n"
                   "text (B, K, C), as f32 in PyTorch's layouts. Nothing is random: dropout is off and\n"
                   "batch norm uses its running statistics.\n",
    .examples = "icseg forward checkpoint.safetensors image.safetensors outputs.safetensors\n",
    .options = ICSEG_TABLE(rows),
    .size = sizeof(struct options),
    .run = run,
};
