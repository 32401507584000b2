/* SPDX-License-Identifier: Apache-2.0
 * icseg export: a checkpoint as an ONNX file. */
#include <stdio.h>
#include <strings.h>
#include <unistd.h>

#include "cli.h"
#include "icseg/onnx.h"
#include "icseg/progress.h"
#include "open_vocabulary.h"
#include "support.h"

struct options {
    const char *checkpoint, *out;
    int32_t size[2]; /* width, height; 0: the model's */
    bool dynamic, int8, force;
    open_options open;
};

static const icseg_option rows[] = {
    {"CHECKPOINT", ICSEG_FIELD_STRING(struct options, checkpoint),
     "checkpoint of the model, a .safetensors file; with --classes, CLIP's weights", .positional = true,
     .required = true},
    {"OUT", ICSEG_FIELD_STRING(struct options, out), "the .onnx file to write", .metavar = "OUT", .positional = true,
     .required = true},
    {"size", ICSEG_FIELD_INTS(struct options, size[0]), "width and height of the images", .metavar = "WxH",
     .shown = "that of the model's windows, or 512x512", ICSEG_EXACTLY(2), ICSEG_BETWEEN(32, 16384)},
    {"dynamic", ICSEG_FIELD_BOOL(struct options, dynamic),
     "any number of images, of any size whose sides are multiples of 32"},
    {"int8", ICSEG_FIELD_BOOL(struct options, int8),
     "weights of 8 bits and quantised inputs, for a checkpoint of `icseg calibrate`"},
    {"force", ICSEG_FIELD_BOOL(struct options, force), "replace OUT if it exists"},
    OPEN_CLASS_ROWS(struct options, open),
    OPEN_ROWS(struct options, open, "CHECKPOINT"),
};

static void defaults(void *values) { open_defaults(&((struct options *)values)->open); }

static icseg_status check_out(const struct options *o, icseg_error *error) {
    if (strcasecmp(path_extension(o->out), "onnx") != 0)
        return icseg_error_set(error, ICSEG_ERROR_ARGUMENT,
                               "%s: the file would contain an ONNX model; choose a name that ends in .onnx", o->out);
    TRY(file_check_not_input(o->out, o->checkpoint, error));
    if (!o->force && access(o->out, F_OK) == 0)
        return icseg_error_set(error, ICSEG_ERROR_ARGUMENT, "%s: exists; name another file, or replace it with --force",
                               o->out);
    return ICSEG_OK;
}

static icseg_status run(const icseg_command_context *context, const void *values, icseg_error *error) {
    const struct options *o = values;
    icseg_onnx_options options = {ICSEG_ONNX_OPTIONS_INIT, .height = o->size[1],      .width = o->size[0],
                                  .dynamic = o->dynamic,   .threads = thread_count(), .int8 = o->int8};
    icseg_model *model = NULL;
    TRY(check_out(o, error));
    TRY(open_check(&o->open, open_given(&o->open), "--classes", ICSEG_PRECISION_F32, error));
    TRY(open_either(&model, &o->open, o->checkpoint, context, error));
    icseg_status status = icseg_model_export_onnx(model, o->out, &options, &context->progress, error);
    icseg_model_close(&model);
    if (status == ICSEG_OK) printf("wrote %s\n", o->out);
    return status;
}

const icseg_command icseg_command_export = {
    .name = "export",
    .summary = "Writes a checkpoint as an ONNX file, for other programs",
    .description = "ONNX Runtime, OpenVINO and others run the file. Its input `image` is uint8,\n"
                   "(N, 3, H, W), red, green, blue; the file normalises it itself. Its outputs are\n"
                   "`labels`, int64 (N, H, W), and `logits`, float (N, K, h, w). Metadata has the\n"
                   "names and colours of the classes. The classes are those of the checkpoint: class\n"
                   "embeddings are constants, and prompts that depend on the image bring the text\n"
                   "encoder along. docs/onnx.md shows how to run the file.\n"
                   "\n"
                   "With --classes or --classes-file, the model is that of `icseg segment`, which\n"
                   "labels without training.\n",
    .examples = "icseg export runs/photos/best.safetensors photos.onnx\n"
                "icseg export runs/photos/best.safetensors photos.onnx --size 1024x512 --force\n"
                "icseg export runs/photos/best.safetensors photos.onnx --dynamic\n"
                "icseg export calibrated.safetensors photos_int8.onnx --int8\n"
                "icseg export ViT-B-16.pt street.onnx --classes \"sky; road; person, man, woman\"\n",
    .options = ICSEG_TABLE(rows),
    .size = sizeof(struct options),
    .defaults = defaults,
    .run = run,
};
