/* SPDX-License-Identifier: Apache-2.0
 * icseg forward: the network on tensors, to compare it with another implementation. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "cli.h"
#include "inference.h"
#include "icseg/session.h"
#include "tensor/safetensors.h"

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

/* (B, rows, columns) -> (B, columns, rows): NHWC to NCHW with rows = H * W, columns = C. */
static void transpose(float *to, const float *from, int64_t batch, int64_t height, int64_t width) {
    for (int64_t b = 0; b < batch; b++, to += height * width, from += height * width)
        for (int64_t y = 0; y < height; y++)
            for (int64_t x = 0; x < width; x++) to[x * height + y] = from[y * width + x];
}

/* *out (B, 3, H, W), freed with icseg_free. */
static icseg_status read_image(const struct options *o, float **out, icseg_shape *shape, icseg_error *error) {
    icseg_safetensors *file = NULL;
    const icseg_safetensors_entry *entry;
    char text[ICSEG_SHAPE_TEXT];
    icseg_status status;
    *out = NULL;
    ICSEG_TRY_GOTO(icseg_safetensors_open(&file, o->in, error));
    ICSEG_TRY_GOTO(icseg_safetensors_get(file, "image", &entry, error));
    *shape = entry->shape;
    if (shape->rank != 4 || shape->dim[0] < 1 || shape->dim[1] != 3 || shape->dim[2] < 32 || shape->dim[3] < 32) {
        status = icseg_fail(error, ICSEG_ERROR_SHAPE,
                            "%s: image is %s; expected (B, 3, H, W), normalised, both sides 32 or more", o->in,
                            icseg_shape_text(*shape, text, sizeof text));
        goto fail;
    }
    size_t bytes = (size_t)icseg_shape_bytes(*shape, ICSEG_F32);
    *out = icseg_alloc(bytes);
    status =
        *out ? icseg_safetensors_read_f32(file, "image", *shape, *out, error) : icseg_fail_memory(error, bytes, o->in);
fail:
    if (status != ICSEG_OK) {
        icseg_free(*out);
        *out = NULL;
    }
    icseg_safetensors_close(&file);
    return status;
}

/* A map (B, h, w, K) of the network as (B, K, h, w). */
static icseg_status take_map(const icseg_tensor *map, const char *name, icseg_arena *arena,
                             icseg_safetensors_entry *out, icseg_error *error) {
    const int64_t *d = map->shape;
    icseg_shape shape = ICSEG_SHAPE(d[0], d[3], d[1], d[2]);
    size_t bytes = (size_t)icseg_shape_bytes(shape, ICSEG_F32);
    float *data = icseg_arena_alloc(arena, bytes);
    if (!data) return icseg_fail_memory(error, bytes, name);
    transpose(data, map->data, d[0], d[1] * d[2], d[3]);
    *out = (icseg_safetensors_entry){name, ICSEG_F32, shape, data, bytes};
    return ICSEG_OK;
}

/* (1 or B, K, C) as (B, K, C). */
static icseg_status take_text(const icseg_tensor *text, int64_t batch, icseg_arena *arena, icseg_safetensors_entry *out,
                              icseg_error *error) {
    icseg_shape shape = ICSEG_SHAPE(batch, text->shape[1], text->shape[2]);
    size_t one = (size_t)text->strides[0], bytes = (size_t)batch * one;
    char *data = icseg_arena_alloc(arena, bytes);
    if (!data) return icseg_fail_memory(error, bytes, "text");
    for (int64_t b = 0; b < batch; b++)
        memcpy(data + (size_t)b * one, (const char *)text->data + (text->shape[0] == 1 ? 0 : (size_t)b * one), one);
    *out = (icseg_safetensors_entry){"text", ICSEG_F32, shape, data, bytes};
    return ICSEG_OK;
}

static icseg_status write_outputs(const struct options *o, const icseg_result *result, int64_t batch,
                                  icseg_arena *arena, icseg_error *error) {
    static const char *const names[] = {"logits", "align.4", "align.8", "align.16", "align.32"};
    icseg_safetensors_entry entry[MOST_OUTPUTS];
    icseg_tensor tensor;
    char text[ICSEG_SHAPE_TEXT];
    size_t count = 0;
    for (int i = 0; i <= ICSEG_LEVELS; i++) {
        icseg_want want = (icseg_want)(ICSEG_WANT_LOGITS << i);
        if (!(icseg_result_wants(result) & want)) continue;
        ICSEG_TRY(icseg_result_tensor(result, want, &tensor, error));
        ICSEG_TRY(take_map(&tensor, names[i], arena, &entry[count++], error));
    }
    ICSEG_TRY(icseg_result_tensor(result, ICSEG_WANT_CLASS_EMBEDDINGS, &tensor, error));
    ICSEG_TRY(take_text(&tensor, batch, arena, &entry[count++], error));
    ICSEG_TRY(icseg_safetensors_write(o->out, entry, count, NULL, 0, error));
    for (size_t i = 0; i < count; i++)
        printf("%-10s %s\n", entry[i].name, icseg_shape_text(entry[i].shape, text, sizeof text));
    return ICSEG_OK;
}

static icseg_status run(const icseg_command_context *context, const void *values, icseg_error *error) {
    const struct options *o = values;
    icseg_model *model = NULL;
    icseg_session *session = NULL;
    icseg_result *result = NULL;
    icseg_run_options options = {ICSEG_RUN_OPTIONS_INIT, .want = ICSEG_WANT_LOGITS | ICSEG_WANT_CLASS_EMBEDDINGS};
    icseg_batch batch = {.struct_size = ICSEG_BATCH_INIT};
    icseg_tensor tensor;
    icseg_shape shape;
    float *image = NULL;
    icseg_status status;
    ICSEG_TRY_GOTO(icseg_model_open(&model, o->checkpoint, error));
    ICSEG_TRY_GOTO(inference_open(&session, o->precision, model, o->checkpoint, context->printer, error));
    ICSEG_TRY_GOTO(read_image(o, &image, &shape, error));
    ICSEG_TRY_GOTO(icseg_tensor_dense(&tensor, ICSEG_TENSOR_F32, 4, shape.dim, image, error));
    batch.tensor = &tensor;
    for (int i = 0; i < ICSEG_LEVELS; i++)
        if (icseg_model_config(model)->align[i]) options.want |= ICSEG_WANT_SCORES_4 << i;
    ICSEG_TRY_GOTO(icseg_session_run(session, &batch, &options, &result, error));
    ICSEG_TRY_GOTO(write_outputs(o, result, shape.dim[0], context->arena, error));
fail:
    icseg_result_close(&result);
    icseg_session_close(&session);
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
