/* SPDX-License-Identifier: Apache-2.0
 * The keys of a recipe, and the published settings that stand where a recipe says nothing. */
#include "train/recipe.h"

#include <stdio.h>

#include "base/argument.h"
#include "base/struct_size.h"
#include "dataset/formats.h"
#include "model/config.h"
#include "text/tokenizer.h"

enum { SIDE_MOST = 16384, STEPS_MOST = 100000000, BATCH_MOST = 65536, CLIP_VOCABULARY = 49408 };

#define LEAST_DIVISOR 1e-30 /* far above what becomes 0 as a float */

static const char *const tokenizers[] = {"bytes", "clip", NULL};
static const char *const synonyms[] = {"first", "mean", NULL};
static const char *const modes[] = {"whole", "slide", NULL};
static const char *const memories[] = {"normal", "low", NULL};
static const char *const precisions[] = {"f32", "bf16", "auto", "bf16x2", NULL};

#define STEPS        ICSEG_BETWEEN(0, STEPS_MOST)
#define BOOL(field)  ICSEG_FIELD_BOOL(icseg_recipe_settings, field)
#define INT(field)   ICSEG_FIELD_INT(icseg_recipe_settings, field)
#define FLOAT(field) ICSEG_FIELD_FLOAT(icseg_recipe_settings, field)
#define TEXT(field)  ICSEG_FIELD_STRING(icseg_recipe_settings, field)
#define WORD(field)  ICSEG_FIELD_WORD(icseg_recipe_settings, field)
#define INTS(field)  ICSEG_FIELD_INTS(icseg_recipe_settings, field)

static const icseg_option rows[] = {
    {"model.preset", WORD(preset), "starting point of the model; acts before all other keys",
     .words = icseg_preset_words},
    {"model.tokenizer", WORD(tokenizer),
     "how class names become tokens: CLIP's byte-pair encoding (with CLIP's weights), or UTF-8 bytes (from scratch); "
     "sets vocab_size",
     .words = tokenizers},
    {"model.synonyms", WORD(synonyms),
     "classes of several names (\"building, edifice\"): first takes the name that icseg dataset check shows, "
     "mean the mean of the embeddings of all names (published sets bring them; of your own, names between commas in "
     "classes.txt)",
     .words = synonyms},
    {"model.init", TEXT(init), "weights to start from: a file or folder, ours or published (docs/weights.md)",
     .shown = "from scratch"},
    {"model.merges", TEXT(merges),
     "clip tokenizer: its merges (bpe_simple_vocab_16e6.txt.gz, tokenizer.json or merges.txt)", .shown = "none"},
#define FIELD(name, member, type, usage, ...)                                                                          \
    {"model." #name, ICSEG_FIELD_##type(icseg_recipe_settings, model.member), __VA_ARGS__},
#include "model/config_fields.h"

    {"data.folder", TEXT(data.folder),
     "data set, with images/SPLIT, annotations/SPLIT and classes.txt; seen from where icseg is started",
     .shown = "none; must be given"},
    {"data.format", WORD(data.format),
     "form of the data set: folder (your own, as above), a published one as it was unpacked (docs/data.md), or auto: "
     "as "
     "the folders tell",
     .words = icseg_dataset_format_words},
    {"data.train_split", TEXT(data.train_split), "split that is trained on"},
    {"data.val_split", TEXT(data.val_split), "split that is evaluated on"},
    {"data.classes", TEXT(data.classes), "class names, one a line", .shown = "FOLDER/classes.txt"},
    {"data.reduce_zero_label", BOOL(data.reduce_zero_label),
     "label files: 0 is unlabelled and every other value is one too high (ADE20K)"},
    {"data.ignore", INTS(data.ignore[0]), "further label values that neither train nor count, besides 255 and 65535",
     .capacity = ICSEG_RECIPE_IGNORE, .count_offset = offsetof(icseg_recipe_settings, data.ignore_count),
     ICSEG_BETWEEN(0, 65535)},
    {"data.loader_threads", INT(data.loader_threads), "threads that decode and augment; results do not depend on it",
     ICSEG_BETWEEN(0, 256), .shown = "0: one, two from 8 cores on"},

    {"augment.crop", INTS(augment.crop_height),
     "what a training sample is cut to: height, width (pixels); "
     "[640, 640] with preset vit-b16",
     ICSEG_EXACTLY(2), ICSEG_BETWEEN(32, SIDE_MOST)},
    {"augment.resize_short", INT(augment.resize_short),
     "short side before the random scale (pixels); 0 keeps the image's size; 640 with preset vit-b16",
     ICSEG_BETWEEN(0, SIDE_MOST)},
    {"augment.resize_long", INT(augment.resize_long),
     "with resize_short: bound of the long side before the random scale (pixels); 0: none",
     ICSEG_BETWEEN(0, SIDE_MOST)},
    {"augment.scale", ICSEG_FIELD_FLOATS(icseg_recipe_settings, augment.scale_min),
     "random scale: smallest, largest factor", ICSEG_EXACTLY(2), .bounded = true, .open_low = true, .minimum = 0,
     .maximum = 16},
    {"augment.crop_max_share", FLOAT(augment.crop_max_share),
     "no class over this share of a crop's labelled pixels, in 10 tries; 1 is off", .bounded = true, .open_low = true,
     .minimum = 0, .maximum = 1},
    {"augment.flip", FLOAT(augment.flip), "horizontal flip (probability)", ICSEG_BETWEEN(0, 1)},
    {"augment.photometric", BOOL(augment.photometric), "random brightness, contrast, saturation and hue"},

    {"train.steps", INT(train.steps), "steps of the optimiser", ICSEG_BETWEEN(1, STEPS_MOST)},
    {"train.batch", INT(train.batch), "images of a batch", ICSEG_BETWEEN(1, BATCH_MOST)},
    {"train.accumulate", INT(train.accumulate), "batches whose gradients make one step", ICSEG_BETWEEN(1, BATCH_MOST)},
    {"train.lr", FLOAT(train.lr), "AdamW: peak learning rate", ICSEG_ABOVE(0)},
    {"train.backbone_lr_mult", FLOAT(train.backbone_lr_mult), "learning rate of the image encoder, relative to lr",
     ICSEG_AT_LEAST(0)},
    {"train.weight_decay", FLOAT(train.weight_decay), "AdamW: decoupled weight decay of matrices and kernels",
     ICSEG_AT_LEAST(0)},
    {"train.betas", ICSEG_FIELD_FLOATS(icseg_recipe_settings, train.betas[0]), "AdamW: decay of the two moments",
     ICSEG_EXACTLY(2), ICSEG_BETWEEN(0, 1), .open_high = true},
    {"train.eps", FLOAT(train.eps), "AdamW: epsilon", ICSEG_AT_LEAST(LEAST_DIVISOR)},
    {"train.warmup", INT(train.warmup), "linear warm-up of the learning rate (steps)", STEPS},
    {"train.warmup_ratio", FLOAT(train.warmup_ratio), "where the warm-up starts, relative to lr", ICSEG_BETWEEN(0, 1)},
    {"train.power", FLOAT(train.power), "exponent of the polynomial decay", ICSEG_AT_LEAST(0)},
    {"train.min_lr", FLOAT(train.min_lr), "learning rate where the decay ends", ICSEG_AT_LEAST(0)},
    {"train.clip_norm", FLOAT(train.clip_norm), "bound of the gradient's global norm; 0 is off", ICSEG_AT_LEAST(0)},
    {"train.freeze_bn", BOOL(train.freeze_bn), "the image encoder's batch normalisation keeps its running statistics"},
    {"train.freeze_backbone", BOOL(train.freeze_backbone),
     "the image encoder stays as it is, its running statistics too; a ViT's visual.fpn1 to fpn4, which CLIP's weights "
     "do not have, train"},
    {"train.precision", WORD(train.precision),
     "number format of convolutions and linear maps, forward and backward; weights, their gradients, sums, "
     "normalisation and losses are f32 always; auto: bf16 where the processor has it; bf16x2: f32",
     .words = precisions},
    {"train.memory", WORD(train.memory),
     "low: the backward pass computes the results of most layers again, which takes a quarter more time; losses and "
     "gradients are the same, bit by bit",
     .words = memories},
    {"train.seed", ICSEG_FIELD_INT64(icseg_recipe_settings, train.seed), "seed of everything random",
     ICSEG_AT_LEAST(0)},
    {"train.threads", INT(train.threads), "compute threads", ICSEG_BETWEEN(0, 4096), .shown = "0: all cores"},
    {"train.log_every", INT(train.log_every), "steps between two lines of log.jsonl", STEPS},
    {"train.eval_every", INT(train.eval_every), "steps between two evaluations; 0: only at the end", STEPS},
    {"train.checkpoint_every", INT(train.checkpoint_every), "steps between two checkpoints; 0: only at the end", STEPS},

    {"eval.mode", WORD(eval.mode), "the whole image at once, or overlapping windows", .words = modes},
    {"eval.precision", WORD(eval.precision), "the same of evaluations; bf16x2: f32 to within 4e-6",
     .words = precisions},
    {"eval.crop", INTS(eval.crop[0]), "slide: height, width of a window (pixels)", ICSEG_EXACTLY(2),
     ICSEG_BETWEEN(0, SIDE_MOST), .shown = "[0, 0]: the training crop"},
    {"eval.stride", INTS(eval.stride[0]), "slide: vertical, horizontal step (pixels)", ICSEG_EXACTLY(2),
     ICSEG_BETWEEN(0, SIDE_MOST), .shown = "[0, 0]: two thirds of the window"},
    {"eval.resize_short", INT(eval.resize_short),
     "short side of the image for the model (pixels); 0 keeps the image's size; 640 with preset vit-b16",
     ICSEG_BETWEEN(0, SIDE_MOST)},
    {"eval.tta", BOOL(eval.tta), "test-time augmentation: averages over tta_scales and tta_flip"},
    {"eval.tta_scales", ICSEG_FIELD_FLOATS(icseg_recipe_settings, eval.tta_scales[0]),
     "test-time augmentation: scale factors", .capacity = ICSEG_RECIPE_TTA_SCALES, .least = 1,
     .count_offset = offsetof(icseg_recipe_settings, eval.tta_count), ICSEG_BETWEEN(1.0 / 16, 16)},
    {"eval.tta_flip", BOOL(eval.tta_flip), "test-time augmentation: the mirrored image too"},
};

/* Lists that are set over neighbouring fields. */
_Static_assert(offsetof(icseg_augment_options, crop_width) ==
                   offsetof(icseg_augment_options, crop_height) + sizeof(int32_t),
               "augment.crop is two neighbours");
_Static_assert(offsetof(icseg_augment_options, scale_max) ==
                   offsetof(icseg_augment_options, scale_min) + sizeof(double),
               "augment.scale is two neighbours");

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
        .merges = "",
        .data = {.folder = "", .train_split = "train", .val_split = "val", .classes = ""},
        .augment = icseg_augment_options_default(),
        .train = {.steps = 80000,
                  .batch = 32,
                  .accumulate = 1,
                  .lr = 1e-4,
                  .backbone_lr_mult = 0.1,
                  .weight_decay = 1e-4,
                  .betas = {0.9, 0.999},
                  .eps = 1e-8,
                  .warmup = 1500,
                  .warmup_ratio = 1e-6,
                  .power = 0.9,
                  .min_lr = 1e-6,
                  .log_every = 50,
                  .eval_every = 8000,
                  .checkpoint_every = 2000},
        .eval = {.resize_short = preset->side,
                 .tta_count = 6,
                 .tta_scales = {0.5, 0.75, 1.0, 1.25, 1.5, 1.75},
                 .tta_flip = true},
    };
    out->augment.crop_height = out->augment.crop_width = out->augment.resize_short = preset->side;
    out->model = icseg_config_default();
    preset->configure(&out->model);
    out->model.vit_drop_path = preset->drop_path;
    out->model.num_classes = 0;
}

/* ---- the table as the public API shows it ---- */

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
    if (value.failed) return icseg_fail_memory(error, 0, "the default of a key");
    snprintf(key.default_value, sizeof key.default_value, "%s", value.data ? value.data : "");
    icseg_string_close(&value);
    icseg_option_describe(row, key.range, sizeof key.range);
    return icseg_struct_write(out, &key, sizeof key, sizeof key, "icseg_recipe_key", error);
}
