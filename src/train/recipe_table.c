/* SPDX-License-Identifier: Apache-2.0
 * The keys of a recipe, and the published settings that stand where a recipe says nothing. */
#include "train/recipe.h"

#include "dataset/formats.h"
#include "text/tokenizer.h"

enum {
    WIDTH_MOST = 65536,
    HEADS_MOST = 4096,
    GRID_MOST = 1024,
    DEPTH_MOST = 1000,
    SIDE_MOST = 16384,
    STEPS_MOST = 100000000,
    BATCH_MOST = 65536
};

#define LEAST_DIVISOR 1e-30 /* far above what becomes 0 as a float */

static const char *const presets[] = {"rn50", "rn101", "vit-b16", "tiny-resnet", "tiny-vit", NULL};
static const char *const tokenizers[] = {"bytes", "clip", NULL};
static const char *const synonyms[] = {"first", "mean", NULL};
static const char *const backbones[] = {"resnet", "vit", NULL};
static const char *const prompts[] = {"template", "static", "instance", NULL};
static const char *const modes[] = {"whole", "slide", NULL};
static const char *const memories[] = {"normal", "low", NULL};
static const char *const precisions[] = {"f32", "bf16", "auto", "bf16x2", NULL};
static const int32_t strides[ICSEG_LEVELS] = {4, 8, 16, 32};

#define SIZE         ICSEG_BETWEEN(1, WIDTH_MOST)
#define HEADS        ICSEG_BETWEEN(1, HEADS_MOST)
#define STEPS        ICSEG_BETWEEN(0, STEPS_MOST)
#define BOOL(field)  ICSEG_FIELD_BOOL(icseg_recipe, field)
#define INT(field)   ICSEG_FIELD_INT(icseg_recipe, field)
#define FLOAT(field) ICSEG_FIELD_FLOAT(icseg_recipe, field)
#define TEXT(field)  ICSEG_FIELD_STRING(icseg_recipe, field)
#define WORD(field)  ICSEG_FIELD_WORD(icseg_recipe, field)
#define INTS(field)  ICSEG_FIELD_INTS(icseg_recipe, field)

static const icseg_option rows[] = {
    {"model.preset", WORD(preset), "starting point of the model; acts before all other keys", .words = presets},
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
    {"model.backbone", WORD(model.backbone), "image encoder family", .words = backbones},
    {"model.resnet_layers", INTS(model.resnet_layers[0]), "ResNet: blocks of the four stages", ICSEG_EXACTLY(4),
     ICSEG_BETWEEN(1, DEPTH_MOST)},
    {"model.resnet_width", INT(model.resnet_width), "ResNet: stem width (channels)", ICSEG_BETWEEN(2, WIDTH_MOST / 32)},
    {"model.vit_patch", INT(model.vit_patch), "ViT: patch side (pixels); 16 is what works", SIZE},
    {"model.vit_width", INT(model.vit_width), "ViT: token width (channels)", SIZE},
    {"model.vit_layers", INT(model.vit_layers), "ViT: blocks", ICSEG_BETWEEN(ICSEG_LEVELS, DEPTH_MOST)},
    {"model.vit_heads", INT(model.vit_heads), "ViT: attention heads", HEADS},
    {"model.vit_taps", INTS(model.vit_taps[0]), "ViT: blocks, counted from 0, whose outputs feed the four levels",
     ICSEG_EXACTLY(4), ICSEG_BETWEEN(0, DEPTH_MOST - 1)},
    {"model.vit_drop_path", FLOAT(model.vit_drop_path),
     "ViT: stochastic depth of the last block (probability), growing linearly from 0; 0.1 with preset vit-b16",
     ICSEG_BETWEEN(0, 1), .open_high = true},
    {"model.pos_grid", INT(model.pos_grid), "side of the stored positional grid (positions)",
     ICSEG_BETWEEN(1, GRID_MOST)},
    {"model.embed_dim", INT(model.embed_dim), "width of the joint embedding (channels)", SIZE},
    {"model.text_width", INT(model.text_width), "text transformer: token width (channels)", SIZE},
    {"model.text_heads", INT(model.text_heads), "text transformer: attention heads", HEADS},
    {"model.text_layers", INT(model.text_layers), "text transformer: blocks", ICSEG_BETWEEN(1, DEPTH_MOST)},
    {"model.vocab_size", INT(model.vocab_size), "text transformer: tokens in the vocabulary; follows tokenizer",
     ICSEG_BETWEEN(ICSEG_BYTE_VOCAB, 1 << 22)},
    {"model.context_length", INT(model.context_length), "text transformer: longest sequence (tokens)", SIZE},
    {"model.prompt", WORD(model.prompt),
     "template: no learnt context; static: one for all images (CoOp); instance: conditioned on the image (ICPC)",
     .words = prompts},
    {"model.prompt_tokens", INT(model.prompt_tokens), "learnt context (tokens)", SIZE},
    {"model.prompt_width", INT(model.prompt_width), "prompt learner: width (channels)", SIZE},
    {"model.prompt_heads", INT(model.prompt_heads), "prompt learner: attention heads", HEADS},
    {"model.prompt_layers", INT(model.prompt_layers), "prompt learner: decoder layers", ICSEG_BETWEEN(1, DEPTH_MOST)},
    {"model.post_prompt", BOOL(model.post_prompt), "DenseCLIP's context decoder after the text encoder"},
    {"model.post_width", INT(model.post_width), "context decoder: width (channels)", SIZE},
    {"model.post_heads", INT(model.post_heads), "context decoder: attention heads", HEADS},
    {"model.post_layers", INT(model.post_layers), "context decoder: layers", ICSEG_BETWEEN(1, DEPTH_MOST)},
    {"model.align_strides", ICSEG_FIELD_SET(icseg_recipe, model.align[0]),
     "strides that carry a score map; the embedding stride (ResNet 32, ViT 16) must be among them", .members = strides,
     .capacity = ICSEG_LEVELS},
    {"model.align_dim", INT(model.align_dim), "width in which other strides are aligned (channels)", SIZE},
    {"model.align_weights", ICSEG_FIELD_KEYED(icseg_recipe, model.align_weights[0]),
     "loss weight of each stride of align_strides; a list is taken in the order of rising strides", .members = strides,
     .capacity = ICSEG_LEVELS, ICSEG_AT_LEAST(0)},
    {"model.tau", FLOAT(model.tau), "temperature of the alignment losses", ICSEG_AT_LEAST(LEAST_DIVISOR)},
    {"model.fpn_dim", INT(model.fpn_dim), "decoder width (channels)", SIZE},
    {"model.num_classes", INT(model.num_classes), "classes; 0 takes them from the data set", ICSEG_BETWEEN(0, 16384)},
    {"model.dropout", FLOAT(model.dropout),
     "dropout in the prompt learner and the context decoder, and of channels before the classifier (probability)",
     ICSEG_BETWEEN(0, 1), .open_high = true},
    {"model.contrast_weight", FLOAT(model.contrast_weight), "weight of the align-guided contrastive loss; 0 is off",
     ICSEG_AT_LEAST(0)},
    {"model.contrast_positives", INT(model.contrast_positives), "contrastive loss: positives of an anchor (positions)",
     SIZE},
    {"model.contrast_negatives", INT(model.contrast_negatives), "contrastive loss: negatives of an anchor (positions)",
     SIZE},

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
     .capacity = ICSEG_RECIPE_IGNORE, .count_offset = offsetof(icseg_recipe, data.ignore_count),
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
    {"augment.scale", ICSEG_FIELD_FLOATS(icseg_recipe, augment.scale_min), "random scale: smallest, largest factor",
     ICSEG_EXACTLY(2), .bounded = true, .open_low = true, .minimum = 0, .maximum = 16},
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
    {"train.betas", ICSEG_FIELD_FLOATS(icseg_recipe, train.betas[0]), "AdamW: decay of the two moments",
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
    {"train.seed", ICSEG_FIELD_INT64(icseg_recipe, train.seed), "seed of everything random", ICSEG_AT_LEAST(0)},
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
    {"eval.tta_scales", ICSEG_FIELD_FLOATS(icseg_recipe, eval.tta_scales[0]), "test-time augmentation: scale factors",
     .capacity = ICSEG_RECIPE_TTA_SCALES, .least = 1, .count_offset = offsetof(icseg_recipe, eval.tta_count),
     ICSEG_BETWEEN(1.0 / 16, 16)},
    {"eval.tta_flip", BOOL(eval.tta_flip), "test-time augmentation: the mirrored image too"},
};

/* Lists that are set over neighbouring fields. */
_Static_assert(offsetof(icseg_augment_options, crop_width) ==
                   offsetof(icseg_augment_options, crop_height) + sizeof(int32_t),
               "augment.crop is two neighbours");
_Static_assert(offsetof(icseg_augment_options, scale_max) ==
                   offsetof(icseg_augment_options, scale_min) + sizeof(double),
               "augment.scale is two neighbours");

icseg_option_table icseg_recipe_table(void) { return (icseg_option_table)ICSEG_TABLE(rows); }

icseg_status icseg_recipe_published(icseg_recipe *out, icseg_recipe_preset preset, icseg_error *error) {
    *out = (icseg_recipe){
        .preset = preset,
        .tokenizer = preset < ICSEG_PRESET_TINY_RESNET ? ICSEG_TOKENIZER_CLIP : ICSEG_TOKENIZER_BYTES,
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
        .eval = {.resize_short = 512,
                 .tta_count = 6,
                 .tta_scales = {0.5, 0.75, 1.0, 1.25, 1.5, 1.75},
                 .tta_flip = true},
    };
    if (preset == ICSEG_PRESET_VIT_B16)
        out->augment.crop_height = out->augment.crop_width = out->augment.resize_short = out->eval.resize_short = 640;
    ICSEG_TRY(icseg_config_preset(&out->model, presets[preset], error));
    if (preset == ICSEG_PRESET_VIT_B16) out->model.vit_drop_path = 0.1;
    out->model.num_classes = 0;
    return ICSEG_OK;
}
