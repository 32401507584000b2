/* SPDX-License-Identifier: Apache-2.0
 * icseg forward: runs the network on tensors, to compare it with another implementation. */
#include <stdio.h>

#include "cli.h"
#include "icseg/file.h"
#include "icseg/memory.h"
#include "icseg/session.h"
#include "icseg/tensor_file.h"
#include "inference.h"
#include "support.h"

enum { MOST_OUTPUTS = ICSEG_LEVELS + 2, SHAPE_TEXT = 160 };

struct options {
    const char *checkpoint, *in, *out;
    int32_t precision;
};

static const icseg_option rows[] = {
    {"CHECKPOINT", ICSEG_FIELD_STRING(struct options, checkpoint), "checkpoint of the model, a .safetensors file",
     .positional = true, .required = true},
    {"IN", ICSEG_FIELD_STRING(struct options, in), "safetensors file with a tensor `image` (B, 3, H, W)",
     .positional = true, .required = true},
    {"OUT", ICSEG_FIELD_STRING(struct options, out), "safetensors file to write", .positional = true, .required = true},
    PRECISION_ROW(struct options, precision),
};

/* "(2, 3, 64, 64)" */
static const char *shape_text(const icseg_tensor *tensor, char out[SHAPE_TEXT]) {
    size_t used = 0;
    out[0] = '\0';
    for (int32_t i = 0; i < tensor->rank; i++)
        used += (size_t)snprintf(out + used, SHAPE_TEXT - used, "%s%lld", i ? ", " : "(", (long long)tensor->shape[i]);
    snprintf(out + used, SHAPE_TEXT - used, tensor->rank ? ")" : "()");
    return out;
}

/* *out (B, 3, H, W); its data is freed with icseg_buffer_free. */
static icseg_status read_image(const struct options *o, icseg_tensor *out, icseg_error *error) {
    TRY(icseg_tensor_read(out, o->in, "image", error));
    const int64_t *d = out->shape;
    if (out->rank == 4 && d[0] >= 1 && d[1] == 3 && d[2] >= 32 && d[3] >= 32) return ICSEG_OK;
    char text[SHAPE_TEXT];
    return icseg_error_set(error, ICSEG_ERROR_SHAPE,
                           "%s: image is %s; expected (B, 3, H, W), normalised, both sides 32 or more", o->in,
                           shape_text(out, text));
}

/* Makes a map (B, h, w, K) a view (B, K, h, w) of the same memory. */
static void put_channels_second(icseg_tensor *map) {
    static const int order[4] = {0, 3, 1, 2};
    icseg_tensor before = *map;
    for (int i = 0; i < 4; i++) {
        map->shape[i] = before.shape[order[i]];
        map->strides[i] = before.strides[order[i]];
    }
}

static icseg_status write_outputs(const struct options *o, const icseg_result *result, int64_t batch,
                                  icseg_error *error) {
    static const char *const all[] = {"logits", "align.4", "align.8", "align.16", "align.32"};
    const char *names[MOST_OUTPUTS];
    icseg_tensor tensors[MOST_OUTPUTS];
    char text[SHAPE_TEXT];
    size_t count = 0;
    for (int i = 0; i <= ICSEG_LEVELS; i++) {
        icseg_output output = (icseg_output)(ICSEG_OUTPUT_LOGITS << i);
        if (!(icseg_result_outputs(result) & output)) continue;
        TRY(icseg_result_tensor(result, output, &tensors[count], error));
        put_channels_second(&tensors[count]);
        names[count++] = all[i];
    }
    icseg_tensor *embeddings = &tensors[count];
    TRY(icseg_result_tensor(result, ICSEG_OUTPUT_CLASS_EMBEDDINGS, embeddings, error));
    if (embeddings->shape[0] == 1) { /* (1, K, C): the prompts do not depend on the image */
        embeddings->shape[0] = batch;
        embeddings->strides[0] = 0;
    }
    names[count++] = "text";
    TRY(icseg_tensors_write(o->out, names, tensors, count, error));
    for (size_t i = 0; i < count; i++) printf("%-10s %s\n", names[i], shape_text(&tensors[i], text));
    return ICSEG_OK;
}

static icseg_status run(const icseg_command_context *context, const void *values, icseg_error *error) {
    const struct options *o = values;
    icseg_model *model = NULL;
    icseg_session *session = NULL;
    icseg_result *result = NULL;
    icseg_run_options options = {ICSEG_RUN_OPTIONS_INIT,
                                 .outputs = ICSEG_OUTPUT_LOGITS | ICSEG_OUTPUT_CLASS_EMBEDDINGS};
    icseg_batch batch = {ICSEG_BATCH_INIT};
    icseg_tensor image = {.data = NULL};
    icseg_status status;
    TRY_GOTO(file_check_safetensors(o->out, error));
    TRY_GOTO(file_check_not_input(o->out, o->checkpoint, error));
    TRY_GOTO(file_check_not_input(o->out, o->in, error));
    TRY_GOTO(icseg_file_check_writable(o->out, error));
    TRY_GOTO(icseg_model_open(&model, o->checkpoint, error));
    TRY_GOTO(inference_open(&session, o->precision, model, o->checkpoint, context->printer, error));
    TRY_GOTO(read_image(o, &image, error));
    batch.tensor = &image;
    for (int i = 0; i < ICSEG_LEVELS; i++)
        if (icseg_model_config(model)->align[i]) options.outputs |= ICSEG_OUTPUT_SCORES_4 << i;
    TRY_GOTO(icseg_session_run(session, &batch, &options, &result, error));
    TRY_GOTO(write_outputs(o, result, image.shape[0], error));
done:
    icseg_result_close(&result);
    icseg_session_close(&session);
    icseg_model_close(&model);
    icseg_buffer_free(image.data);
    return status;
}

const icseg_command icseg_command_forward = {
    .name = "forward",
    .summary = "Runs a model on tensors, for comparison with PyTorch",
    .description = "IN contains a tensor `image` (B, 3, H, W) that is already normalised. OUT\n"
                   "receives logits (B, K, H/4, W/4), a score map align.S (B, K, H/S, W/S) for each\n"
                   "aligned stride S, and text (B, K, C), as f32 in PyTorch's layouts. The result is\n"
                   "deterministic: dropout is off, and batch norm uses its running statistics.\n",
    .examples = "icseg forward checkpoint.safetensors image.safetensors outputs.safetensors\n",
    .options = ICSEG_TABLE(rows),
    .size = sizeof(struct options),
    .run = run,
};
