/* SPDX-License-Identifier: Apache-2.0
 * icseg convert: published weights to safetensors with icseg's tensor names, and back. */
#include <stdio.h>

#include "activation.h"
#include "cli.h"
#include "icseg/classes.h"
#include "icseg/memory.h"
#include "icseg/weights.h"
#include "support.h"

static const char *const types[] = {"f32", "f16", "bf16", NULL};
static const char *const namings[] = {"icseg", "openai", "huggingface", NULL};

enum { LARGEST_TEXT = 16 << 20 };

struct options {
    const char *source, *out, *classes, *vocab, *tokens, *config, *state_dict;
    int32_t activation; /* -1: as the source says */
    icseg_weights_type type;
    icseg_naming naming;
};

static const icseg_option rows[] = {
    {"SOURCE", ICSEG_FIELD_STRING(struct options, source), "weights file, .index.json of shards or downloaded folder",
     .metavar = "SOURCE", .positional = true, .required = true},
    {"OUT", ICSEG_FIELD_STRING(struct options, out), "the safetensors file to write", .metavar = "OUT",
     .positional = true, .required = true},
    {"dtype", ICSEG_FIELD_WORD(struct options, type), "element type of the new file; vectors, such as biases, stay f32",
     .words = types},
    {"names", ICSEG_FIELD_WORD(struct options, naming),
     "names of the tensors; openai and huggingface write only CLIP's tensors, for use with PyTorch", .words = namings},
    {"classes", ICSEG_FIELD_STRING(struct options, classes), "class names of a segmentation model, one per line",
     .metavar = "FILE", .shown = "those in SOURCE"},
    {"vocab", ICSEG_FIELD_STRING(struct options, vocab),
     "CLIP's vocabulary, for the class names: a file or a folder that contains one", .metavar = "FILE",
     .shown = "next to SOURCE"},
    {"tokens", ICSEG_FIELD_STRING(struct options, tokens),
     "JSON list of the token ids of each class name, instead of a vocabulary", .metavar = "FILE"},
    {"config", ICSEG_FIELD_STRING(struct options, config),
     "JSON object with settings that tensor shapes do not determine, such as {\"vit_heads\": 4}", .metavar = "FILE",
     .shown = "heads of width 64, taps as published"},
    ACTIVATION_ROW(struct options, activation, "SOURCE"),
    STATE_DICT_ROW(struct options, state_dict),
};

static void defaults(void *values) { ((struct options *)values)->activation = -1; }

/* The text of a file, in the arena; NULL if `path` is NULL. */
static icseg_status read_text(const icseg_command_context *context, const char *path, const char **out,
                              icseg_error *error) {
    char *text = NULL;
    size_t size;
    if (path) TRY(file_read(path, LARGEST_TEXT, context->arena, &text, &size, error));
    *out = text;
    return ICSEG_OK;
}

static icseg_status run(const icseg_command_context *context, const void *options, icseg_error *error) {
    const struct options *o = options;
    icseg_weights_convert_options convert = {ICSEG_WEIGHTS_CONVERT_OPTIONS_INIT, .type = o->type, .naming = o->naming,
                                             .state_dict = o->state_dict, .vocabulary = o->vocab};
    icseg_class_list *classes = NULL;
    char *summary;
    TRY(file_check_safetensors(o->out, error));
    TRY(file_check_not_input(o->out, o->source, error));
    TRY(read_text(context, o->tokens, &convert.tokens, error));
    TRY(read_text(context, o->config, &convert.config, error));
    if (o->config && o->activation >= 0)
        return icseg_error_set(error, ICSEG_ERROR_ARGUMENT,
                               "--activation and --config are both given; write \"activation\": \"%s\" into %s",
                               activation_words[o->activation], o->config);
    if (o->activation >= 0) convert.config = activation_config(o->activation);
    if (o->classes) TRY(icseg_class_list_open(&classes, o->classes, error));
    convert.class_names = icseg_class_list_synonyms(classes);
    convert.class_count = (size_t)icseg_class_list_count(classes);
    icseg_status status = icseg_weights_convert(o->source, o->out, &convert, &summary, error);
    icseg_class_list_close(&classes);
    TRY(status);
    fputs(summary, stdout);
    icseg_buffer_free(summary);
    return ICSEG_OK;
}

const icseg_command icseg_command_convert = {
    .name = "convert",
    .summary = "Converts published weights to safetensors, and back",
    .description = "SOURCE is OpenAI's RN50.pt or ViT-B-16.pt (TorchScript), a PyTorch state dict\n"
                   "(.pt, .pth or .bin) or a safetensors file, with or without shards. Tensors may\n"
                   "have the names of OpenAI, open_clip, Hugging Face or DenseCLIP (mmsegmentation).\n"
                   "Pickles are read but never executed. A segmentation model becomes a checkpoint\n"
                   "that every command accepts. CLIP alone becomes a file for `icseg train --init`,\n"
                   "which also accepts SOURCE itself. The command fails if a tensor that the\n"
                   "architecture needs is missing or has the wrong shape.\n"
                   "\n"
                   "With --dtype f16 a checkpoint takes half the space, and in f32 inference its\n"
                   "weights take half the memory.\n",
    .examples = "icseg convert RN50.pt rn50.safetensors --dtype f16\n"
                "icseg convert clip-vit-base-patch16/ vit-b16.safetensors\n"
                "icseg convert denseclip.pth model.safetensors --vocab clip/\n"
                "icseg convert model.safetensors clip.safetensors --names huggingface\n"
                "icseg convert best.safetensors small.safetensors --dtype f16\n",
    .options = ICSEG_TABLE(rows),
    .size = sizeof(struct options),
    .defaults = defaults,
    .run = run,
};
