/* SPDX-License-Identifier: Apache-2.0
 * The keys of a recipe, and the published settings, which are the defaults of all keys. */
#include "train/recipe.h"

#include <stdio.h>

#include "base/argument.h"
#include "base/threads.h"
#include "base/struct_size.h"
#include "dataset/format_list.h"
#include "dataset/formats.h"
#include "model/config.h"
#include "text/tokenizer.h"

enum {
    MAX_SIDE = 16384,
    MAX_STEPS = 100000000,
    MAX_BATCH = 65536,
    MAX_MINUTES = 10000000,
    CLIP_VOCABULARY = 49408,
    MAX_PICTURES = 1000
};

#define LEAST_DIVISOR 1e-30 /* well above the smallest normal float */

static const char *const tokenizers[] = {"bytes", "clip", NULL};
static const char *const synonyms[] = {"first", "mean", NULL};
static const char *const modes[] = {"whole", "slide", NULL};
static const char *const memories[] = {"normal", "low", NULL};
static const char *const decays[] = {"cosine", "poly", NULL};
static const char *const precisions[] = {"f32", "bf16", "auto", "bf16x2", NULL};

/* Pieces of help that other tables own. */
#define VIT_SIDE                                ICSEG_DIGITS(ICSEG_VIT_SIDE)
#define VIT14_SIDE                              ICSEG_DIGITS(ICSEG_VIT14_SIDE)
#define WITH_VIT                                " with the presets of ViTs, but " VIT14_SIDE " with those of patch 14"
#define DESCRIBE(id, name, description, layout) name ": " description "; "

#define STEPS        ICSEG_BETWEEN(0, MAX_STEPS)
#define BOOL(field)  ICSEG_FIELD_BOOL(icseg_recipe_settings, field)
#define INT(field)   ICSEG_FIELD_INT(icseg_recipe_settings, field)
#define FLOAT(field) ICSEG_FIELD_FLOAT(icseg_recipe_settings, field)
#define TEXT(field)  ICSEG_FIELD_STRING(icseg_recipe_settings, field)
#define WORD(field)  ICSEG_FIELD_WORD(icseg_recipe_settings, field)
#define INTS(field)  ICSEG_FIELD_INTS(icseg_recipe_settings, field)

static const icseg_option rows[] = {
    {"model.preset", WORD(preset), "architecture that the recipe starts from; applied before all other keys",
     .words = icseg_preset_words},
    {"model.tokenizer", WORD(tokenizer),
     "how class names become tokens: clip: CLIP's byte-pair encoding, for CLIP's weights; bytes: UTF-8 bytes, for "
     "training from scratch; sets vocab_size",
     .words = tokenizers},
    {"model.synonyms", WORD(synonyms),
     "classes with several names (\"building, edifice\"): first: the first name; mean: the mean of the embeddings of "
     "all "
     "names; published data sets have synonyms; in your own classes.txt, separate them by commas",
     .words = synonyms},
    {"model.init", TEXT(init),
     "weights to start from: a checkpoint, or published weights, as a file or folder (docs/weights.md)",
     .shown = "from scratch"},
    {"model.init_weights", TEXT(init_weights),
     "which of several state dicts of model.init: its key, the prefix of its names, or ema for averaged weights "
     "(docs/weights.md)",
     .shown = "the raw weights"},
    {"model.merges", TEXT(merges),
     "tokenizer clip: its merges file (bpe_simple_vocab_16e6.txt.gz, tokenizer.json or merges.txt) or its folder",
     .shown = "none"},
#define FIELD(name, member, type, usage, ...)                                                                          \
    {"model." #name, ICSEG_FIELD_##type(icseg_recipe_settings, model.member), __VA_ARGS__},
#include "model/config_fields.h"

    {"data.folder", TEXT(data.folder),
     "folder of the data set, which contains images/SPLIT, annotations/SPLIT and classes.txt; relative to the working "
     "directory",
     .shown = "none; must be set"},
    {"data.format", WORD(data.format),
     "format of the data set: " ICSEG_DATASET_FORMAT_LIST(DESCRIBE) "docs/data.md describes them",
     .words = icseg_dataset_format_words},
    {"data.train_split", TEXT(data.train_split), "split to train on"},
    {"data.val_split", TEXT(data.val_split), "split to evaluate on"},
    {"data.val_share", FLOAT(data.val_share),
     "share of the training images that are held out and evaluated on in place of val_split; their names decide which; "
     "0: none",
     ICSEG_BETWEEN(0, 0.9)},
    {"data.classes", TEXT(data.classes), "file of class names, one per line", .shown = "FOLDER/classes.txt"},
    {"data.reduce_zero_label", BOOL(data.reduce_zero_label),
     "label files: 0 means unlabelled and class k is stored as k + 1 (ADE20K)"},
    {"data.map", TEXT(data.map),
     "label files: stored values and the values that they are read as, such as 255=1 for masks of 0 and 255",
     .shown = "none"},
    {"data.ignore", INTS(data.ignore[0]), "label values to ignore in training and evaluation, besides 255 and 65535",
     .capacity = ICSEG_RECIPE_IGNORE, .count_offset = offsetof(icseg_recipe_settings, data.ignore_count),
     ICSEG_BETWEEN(0, 65535)},
    {"data.bands", INTS(data.bands[0]),
     "TIFF images of more bands than a colour image has: those that are red, green and blue, counted from 1, or one "
     "that is grey",
     .capacity = 3, .count_offset = offsetof(icseg_recipe_settings, data.band_count), ICSEG_BETWEEN(0, 65535),
     .shown = "[]: the colours that the file declares"},
    {"data.value_range", ICSEG_FIELD_FLOATS(icseg_recipe_settings, data.value_range[0]),
     "images of 16 and more bits: the stored values that become black and white", ICSEG_EXACTLY(2),
     .shown = "[0, 0]: the range of unsigned integers; must be set for other types"},
    {"data.class_weights", TEXT(data.class_weights),
     "with model.class_weights given: file of lines \"weight<TAB>class name\"; other classes have the weight 1",
     .shown = "none"},
    {"data.loader_threads", INT(data.loader_threads),
     "threads that decode and augment images; results do not depend on it", ICSEG_BETWEEN(0, 256),
     .shown = "0: one, two from 8 cores on"},

    {"augment.crop", INTS(augment.crop_height),
     "height and width of a training sample (pixels); [" VIT_SIDE ", " VIT_SIDE "]" WITH_VIT, ICSEG_EXACTLY(2),
     ICSEG_BETWEEN(32, MAX_SIDE)},
    {"augment.resize_short", INT(augment.resize_short),
     "length of the short side before the random scale (pixels); 0: the image's own size; " VIT_SIDE WITH_VIT,
     ICSEG_BETWEEN(0, MAX_SIDE)},
    {"augment.resize_long", INT(augment.resize_long),
     "with resize_short: limit of the long side before the random scale (pixels); 0: no limit",
     ICSEG_BETWEEN(0, MAX_SIDE)},
    {"augment.scale", ICSEG_FIELD_FLOATS(icseg_recipe_settings, augment.scale_min),
     "random scale: smallest and largest factor", ICSEG_EXACTLY(2), .bounded = true, .open_low = true, .minimum = 0,
     .maximum = 16},
    {"augment.crop_max_share", FLOAT(augment.crop_max_share),
     "largest share of one class in a crop's labelled pixels, in at most 10 attempts; 1 turns it off", .bounded = true,
     .open_low = true, .minimum = 0, .maximum = 1},
    {"augment.flip", FLOAT(augment.flip), "probability of a horizontal flip", ICSEG_BETWEEN(0, 1)},
    {"augment.photometric", BOOL(augment.photometric), "random brightness, contrast, saturation and hue"},
    {"augment.rare_samples", FLOAT(augment.rare_samples),
     "probability that a sample is chosen for a rare class: a random class, an image that contains it, and a crop "
     "around "
     "it; 0: each image once in an epoch",
     ICSEG_BETWEEN(0, 1)},
    {"augment.copy_paste", FLOAT(augment.copy_paste),
     "probability that the pixels of a random rare class are copied from another training image, which is resized, "
     "cropped and flipped likewise, onto a sample; 0: never",
     ICSEG_BETWEEN(0, 1)},
    {"augment.rare_temperature", FLOAT(augment.rare_temperature),
     "with rare_samples or copy_paste: a class with the share f of all labelled pixels is chosen in proportion to "
     "e^((1 - f) / rare_temperature)",
     ICSEG_ABOVE(0)},

    {"train.steps", INT(train.steps), "number of optimiser steps", ICSEG_BETWEEN(1, MAX_STEPS)},
    {"train.batch", INT(train.batch), "images in a batch", ICSEG_BETWEEN(1, MAX_BATCH)},
    {"train.accumulate", INT(train.accumulate), "batches whose gradients are averaged for one step",
     ICSEG_BETWEEN(1, MAX_BATCH)},
    {"train.lr", FLOAT(train.lr), "AdamW: peak learning rate", ICSEG_ABOVE(0)},
    {"train.backbone_lr_mult", FLOAT(train.backbone_lr_mult), "learning rate of the image encoder as a multiple of lr",
     ICSEG_AT_LEAST(0)},
    {"train.layer_decay", FLOAT(train.layer_decay),
     "ViT: the learning rate of each block of the image encoder as a multiple of that of the next block, such as 0.75; "
     "1: the same for all",
     .bounded = true, .open_low = true, .minimum = 0, .maximum = 1},
    {"train.weight_decay", FLOAT(train.weight_decay), "AdamW: decoupled weight decay of matrices and kernels",
     ICSEG_AT_LEAST(0)},
    {"train.betas", ICSEG_FIELD_FLOATS(icseg_recipe_settings, train.betas[0]), "AdamW: decay rates of the two moments",
     ICSEG_EXACTLY(2), ICSEG_BETWEEN(0, 1), .open_high = true},
    {"train.eps", FLOAT(train.eps), "AdamW: epsilon", ICSEG_AT_LEAST(LEAST_DIVISOR)},
    {"train.warmup", INT(train.warmup), "linear warm-up of the learning rate (steps)", STEPS},
    {"train.warmup_ratio", FLOAT(train.warmup_ratio), "learning rate at the start of the warm-up as a multiple of lr",
     ICSEG_BETWEEN(0, 1)},
    {"train.power", FLOAT(train.power), "exponent of the polynomial decay of the learning rate", ICSEG_AT_LEAST(0)},
    {"train.min_lr", FLOAT(train.min_lr), "learning rate at the end of the decay", ICSEG_AT_LEAST(0)},
    {"train.clip_norm", FLOAT(train.clip_norm), "limit of the gradient's global norm; 0 turns clipping off",
     ICSEG_AT_LEAST(0)},
    {"train.ema_decay", FLOAT(train.ema_decay),
     "decay of an exponential moving average of the weights and of running statistics, which evaluations, "
     "best.safetensors and checkpoint.safetensors then contain, such as 0.999; smaller in the first steps; 0: no "
     "average",
     ICSEG_BETWEEN(0, 1), .open_high = true},
    {"train.freeze_bn", BOOL(train.freeze_bn),
     "freezes the running statistics of the image encoder's batch normalisation"},
    {"train.freeze_backbone", BOOL(train.freeze_backbone),
     "freezes the image encoder, including its running statistics; a ViT's visual.fpn1 to fpn4, which CLIP's weights "
     "do not have, are still trained"},
    {"train.sync_bn", BOOL(train.sync_bn),
     "with several processes: batch normalisation uses the statistics of the whole batch; false: of each process's "
     "part, "
     "and those of process 0 are kept"},
    {"train.reduce_bf16", BOOL(train.reduce_bf16),
     "with several processes: gradients are rounded to bf16 while they are summed, which halves what travels"},
    {"train.precision", WORD(train.precision),
     "number format of convolutions and linear layers, forward and backward; weights, their gradients, sums, "
     "normalisation and losses are always f32; auto: bf16 if the processor supports it; bf16x2: f32",
     .words = precisions},
    {"train.memory", WORD(train.memory),
     "low: the backward pass recomputes the results of most layers, which takes a sixth more time; losses and "
     "gradients are the same, bit for bit",
     .words = memories},
    {"train.seed", ICSEG_FIELD_INT64(icseg_recipe_settings, train.seed), "seed of all random numbers",
     ICSEG_AT_LEAST(0)},
    {"train.threads", INT(train.threads), "compute threads", ICSEG_BETWEEN(0, ICSEG_MAX_THREADS),
     .shown = "0: all cores"},
    {"train.log_every", INT(train.log_every), "steps between lines of log.jsonl; 0: only at the end", STEPS},
    {"train.eval_every", INT(train.eval_every), "steps between evaluations; 0: only at the end", STEPS},
    {"train.patience", INT(train.patience),
     "evaluations in a row without a better validation mIoU after which the run stops; 0: it never stops early", STEPS},
    {"train.min_delta", FLOAT(train.min_delta),
     "with patience: a better mIoU (0 to 1) is one that exceeds the best by more than this; 0.001 is a tenth of a "
     "point",
     ICSEG_BETWEEN(0, 1), .open_high = true},
    {"train.checkpoint_every", INT(train.checkpoint_every), "steps between checkpoints; 0: only at the end", STEPS},
    {"train.minutes", FLOAT(train.minutes),
     "time for the whole run, evaluations included: the speed is measured before the first step, and steps is set to "
     "the number that fits; 0: steps decides",
     ICSEG_BETWEEN(0, MAX_MINUTES)},
    {"train.eval_minutes", FLOAT(train.eval_minutes),
     "minutes of training between evaluations: sets eval_every from the measured speed; 0: eval_every decides",
     ICSEG_BETWEEN(0, MAX_MINUTES)},
    {"train.checkpoint_minutes", FLOAT(train.checkpoint_minutes),
     "largest time between checkpoints (minutes), besides checkpoint_every; 0: no limit",
     ICSEG_BETWEEN(0, MAX_MINUTES)},
    {"train.tensorboard", BOOL(train.events.on),
     "also writes what log.jsonl has for TensorBoard: event files in the folder tensorboard of the run directory"},
    {"train.tensorboard_histograms", INT(train.events.histograms),
     "with tensorboard: steps between histograms of the trained weights and of their gradients; 0: none", STEPS},
    {"train.tensorboard_images", INT(train.events.images),
     "with tensorboard: number of validation images that each evaluation writes with labels, prediction and score "
     "maps; 0: none",
     ICSEG_BETWEEN(0, MAX_PICTURES)},

    {"eval.mode", WORD(eval.mode), "whole: the whole image at once; slide: overlapping windows", .words = modes},
    {"eval.precision", WORD(eval.precision),
     "number format of convolutions and linear layers in evaluations; bf16x2: within 4e-6 of f32", .words = precisions},
    {"eval.crop", INTS(eval.crop[0]), "slide: height and width of a window (pixels)", ICSEG_EXACTLY(2),
     ICSEG_BETWEEN(0, MAX_SIDE), .shown = "[0, 0]: the training crop"},
    {"eval.stride", INTS(eval.stride[0]), "slide: vertical and horizontal step (pixels)", ICSEG_EXACTLY(2),
     ICSEG_BETWEEN(0, MAX_SIDE), .shown = "[0, 0]: two thirds of the window"},
    {"eval.resize_short", INT(eval.resize_short),
     "length of the short side of the image that the model receives (pixels); 0: the image's own size; " VIT_SIDE
         WITH_VIT,
     ICSEG_BETWEEN(0, MAX_SIDE)},
    {"eval.tta", BOOL(eval.tta), "test-time augmentation: averages probabilities over tta_scales and tta_flip"},
    {"eval.tta_scales", ICSEG_FIELD_FLOATS(icseg_recipe_settings, eval.tta_scales[0]),
     "test-time augmentation: scale factors", .capacity = ICSEG_RECIPE_TTA_SCALES, .min_count = 1,
     .count_offset = offsetof(icseg_recipe_settings, eval.tta_count), ICSEG_BETWEEN(1.0 / 16, 16)},
    {"eval.tta_flip", BOOL(eval.tta_flip), "test-time augmentation: also the mirrored image"},

    {"pretrain.pairs", TEXT(pretrain.pairs),
     "pairs of images and captions to train on: a folder with captions.jsonl or captions.csv, such a file, "
     "WebDataset archives, or synth:large for generated scenes (docs/pretraining.md)",
     .shown = "none; must be set"},
    {"pretrain.val_pairs", TEXT(pretrain.val_pairs), "held-out pairs for evaluations", .shown = "none"},
    {"pretrain.val_limit", INT(pretrain.val_limit), "number of held-out pairs that an evaluation uses at most",
     ICSEG_BETWEEN(2, 50000)},
    {"pretrain.broken", INT(pretrain.broken), "number of pairs that may be unreadable; one more is an error",
     ICSEG_BETWEEN(0, INT32_MAX)},
    {"pretrain.crop_scale", ICSEG_FIELD_FLOATS(icseg_recipe_settings, pretrain.crop_scale[0]),
     "random square of the image: smallest and largest share of its area; [1, 1]: the square in the middle",
     ICSEG_EXACTLY(2), .bounded = true, .open_low = true, .minimum = 0, .maximum = 1},
    {"pretrain.flip", FLOAT(pretrain.flip),
     "probability of a horizontal flip; captions that say left or right become wrong", ICSEG_BETWEEN(0, 1)},
    {"pretrain.loader_threads", INT(pretrain.loader_threads), "threads that read pairs; results do not depend on it",
     ICSEG_BETWEEN(0, 256), .shown = "0: one, two from 8 cores on"},
    {"pretrain.steps", INT(pretrain.steps), "number of optimiser steps", ICSEG_BETWEEN(1, MAX_STEPS)},
    {"pretrain.batch", INT(pretrain.batch), "pairs in a batch, all of which are compared with each other",
     ICSEG_BETWEEN(2, MAX_BATCH)},
    {"pretrain.chunk", INT(pretrain.chunk),
     "pairs that are encoded at a time: fewer take less memory and, without batch normalisation, give the same "
     "gradient",
     ICSEG_BETWEEN(0, MAX_BATCH), .shown = "0: the batch"},
    {"pretrain.lr", FLOAT(pretrain.lr), "AdamW: peak learning rate", ICSEG_ABOVE(0)},
    {"pretrain.weight_decay", FLOAT(pretrain.weight_decay), "AdamW: decoupled weight decay of matrices and kernels",
     ICSEG_AT_LEAST(0)},
    {"pretrain.betas", ICSEG_FIELD_FLOATS(icseg_recipe_settings, pretrain.betas[0]),
     "AdamW: decay rates of the two moments", ICSEG_EXACTLY(2), ICSEG_BETWEEN(0, 1), .open_high = true},
    {"pretrain.eps", FLOAT(pretrain.eps), "AdamW: epsilon", ICSEG_AT_LEAST(LEAST_DIVISOR)},
    {"pretrain.warmup", INT(pretrain.warmup), "linear warm-up of the learning rate (steps)", STEPS},
    {"pretrain.decay", WORD(pretrain.decay), "how the learning rate falls after the warm-up", .words = decays},
    {"pretrain.power", FLOAT(pretrain.power), "decay poly: exponent", ICSEG_AT_LEAST(0)},
    {"pretrain.min_lr", FLOAT(pretrain.min_lr), "learning rate at the end of the decay", ICSEG_AT_LEAST(0)},
    {"pretrain.clip_norm", FLOAT(pretrain.clip_norm), "limit of the gradient's global norm; 0 turns clipping off",
     ICSEG_AT_LEAST(0)},
    {"pretrain.freeze_image", BOOL(pretrain.freeze_image),
     "freezes the image encoder, including its running statistics"},
    {"pretrain.freeze_text", BOOL(pretrain.freeze_text), "freezes the text encoder"},
    {"pretrain.precision", WORD(pretrain.precision), "as train.precision", .words = precisions},
    {"pretrain.memory", WORD(pretrain.memory), "as train.memory", .words = memories},
    {"pretrain.seed", ICSEG_FIELD_INT64(icseg_recipe_settings, pretrain.seed), "seed of all random numbers",
     ICSEG_AT_LEAST(0)},
    {"pretrain.threads", INT(pretrain.threads), "compute threads", ICSEG_BETWEEN(0, ICSEG_MAX_THREADS),
     .shown = "0: all cores"},
    {"pretrain.log_every", INT(pretrain.log_every), "steps between lines of log.jsonl; 0: only at the end", STEPS},
    {"pretrain.eval_every", INT(pretrain.eval_every), "steps between evaluations; 0: only at the end", STEPS},
    {"pretrain.checkpoint_every", INT(pretrain.checkpoint_every), "steps between checkpoints; 0: only at the end",
     STEPS},
    {"pretrain.tensorboard", BOOL(pretrain.events.on), "as train.tensorboard"},
    {"pretrain.tensorboard_histograms", INT(pretrain.events.histograms), "as train.tensorboard_histograms", STEPS},
};

/* A list is stored in adjacent fields. */
_Static_assert(offsetof(icseg_augment_options, crop_width) ==
                   offsetof(icseg_augment_options, crop_height) + sizeof(int32_t),
               "augment.crop is stored in two adjacent fields");
_Static_assert(offsetof(icseg_augment_options, scale_max) ==
                   offsetof(icseg_augment_options, scale_min) + sizeof(double),
               "augment.scale is stored in two adjacent fields");

int32_t icseg_recipe_vocabulary(icseg_tokenizer_kind tokenizer) {
    return tokenizer == ICSEG_TOKENIZER_CLIP ? CLIP_VOCABULARY : ICSEG_BYTE_VOCAB;
}

icseg_option_table icseg_recipe_table(void) { return (icseg_option_table)ICSEG_TABLE(rows); }

void icseg_recipe_published(icseg_recipe_settings *out, int32_t index) {
    const icseg_preset *preset = icseg_preset_at(index);
    *out = (icseg_recipe_settings){
        .preset = index,
        .tokenizer = preset->published ? ICSEG_TOKENIZER_CLIP : ICSEG_TOKENIZER_BYTES,
        .init = "",
        .init_weights = "",
        .merges = "",
        .data =
            {.folder = "", .train_split = "train", .val_split = "val", .classes = "", .map = "", .class_weights = ""},
        .augment = icseg_augment_options_default(),
        .train = {.steps = 80000,
                  .batch = 32,
                  .accumulate = 1,
                  .lr = 1e-4,
                  .backbone_lr_mult = 0.1,
                  .layer_decay = 1,
                  .weight_decay = 1e-4,
                  .betas = {0.9, 0.999},
                  .eps = 1e-8,
                  .warmup = 1500,
                  .warmup_ratio = 1e-6,
                  .sync_bn = true,
                  .power = 0.9,
                  .min_lr = 1e-6,
                  .log_every = 50,
                  .eval_every = 8000,
                  .checkpoint_every = 2000},
        .eval = {.resize_short = preset->side,
                 .tta_count = 6,
                 .tta_scales = {0.5, 0.75, 1.0, 1.25, 1.5, 1.75},
                 .tta_flip = true},
        .pretrain = {.pairs = "",
                     .val_pairs = "",
                     .val_limit = 1000,
                     .broken = 100,
                     .crop_scale = {0.9, 1},
                     .steps = 10000,
                     .batch = 256,
                     .lr = 5e-4,
                     .weight_decay = 0.2,
                     .betas = {0.9, 0.98},
                     .eps = 1e-6,
                     .warmup = 500,
                     .power = 1,
                     .log_every = 10,
                     .eval_every = 1000,
                     .checkpoint_every = 500},
    };
    out->augment.crop_height = out->augment.crop_width = out->augment.resize_short = preset->side;
    out->model = icseg_config_default();
    preset->configure(&out->model);
    out->model.vit_drop_path = preset->drop_path;
    out->model.num_classes = 0;
}

/* ---- the table in the public API ---- */

static icseg_recipe_type type_of(icseg_option_type type) {
    switch (type) {
    case ICSEG_OPTION_BOOL: return ICSEG_RECIPE_BOOL;
    case ICSEG_OPTION_INT:
    case ICSEG_OPTION_INT64: return ICSEG_RECIPE_INTEGER;
    case ICSEG_OPTION_FLOAT: return ICSEG_RECIPE_REAL;
    case ICSEG_OPTION_WORD: return ICSEG_RECIPE_WORD;
    case ICSEG_OPTION_INT_LIST: return ICSEG_RECIPE_INTEGER_LIST;
    case ICSEG_OPTION_FLOAT_LIST: return ICSEG_RECIPE_REAL_LIST;
    case ICSEG_OPTION_SET: return ICSEG_RECIPE_STRIDE_LIST;
    case ICSEG_OPTION_KEYED: return ICSEG_RECIPE_STRIDE_MAP;
    default: return ICSEG_RECIPE_TEXT;
    }
}

int32_t icseg_recipe_key_count(void) { return (int32_t)icseg_recipe_table().count; }

icseg_status icseg_recipe_key_at(icseg_recipe_key *out, int32_t index, icseg_error *error) {
    ICSEG_NEED(out);
    if (index < 0 || index >= icseg_recipe_key_count())
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "icseg_recipe_key_at: index %d is not in 0..%d", (int)index,
                          (int)icseg_recipe_key_count() - 1);
    const icseg_option *row = &rows[index];
    icseg_recipe_key key = {.struct_size = sizeof key,
                            .name = row->key,
                            .type = type_of(row->type),
                            .description = row->help,
                            .words = row->words,
                            .default_note = row->shown};
    icseg_recipe_settings published;
    icseg_string value = {0};
    icseg_recipe_published(&published, 0);
    icseg_option_format(row, &published, false, &value);
    if (value.failed) return icseg_fail_memory(error, 0, "a key's default value");
    snprintf(key.default_value, sizeof key.default_value, "%s", value.data ? value.data : "");
    icseg_string_close(&value);
    icseg_option_describe(row, key.range, sizeof key.range);
    return icseg_struct_write(out, &key, sizeof key, sizeof key, "icseg_recipe_key", error);
}
