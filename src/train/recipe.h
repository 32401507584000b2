/* SPDX-License-Identifier: Apache-2.0
 * The training recipe: everything that decides a run, read from YAML, changed with KEY=VALUE, checked before any work
 * begins, and written to the run directory as it was used. docs/recipe.md is made from its table. */
#ifndef ICSEG_TRAIN_RECIPE_H
#define ICSEG_TRAIN_RECIPE_H

#include "base/memory.h"
#include "options/options.h"
#include "loader/loader.h"
#include "graph/passes/recompute.h"
#include "icseg/config.h"
#include "icseg/model.h"
#include "icseg/dataset.h"

enum {
    ICSEG_RECIPE_TTA_SCALES = 8,
    ICSEG_RECIPE_IGNORE = 16,
    ICSEG_RECIPE_SIZE_LIMIT = 1 << 20 /* bytes of a recipe file */
};

typedef enum icseg_recipe_preset { /* in the order of the words of `model.preset` */
                                   ICSEG_PRESET_RN50,
                                   ICSEG_PRESET_RN101,
                                   ICSEG_PRESET_VIT_B16,
                                   ICSEG_PRESET_TINY_RESNET,
                                   ICSEG_PRESET_TINY_VIT
} icseg_recipe_preset;

typedef enum icseg_recipe_mode { ICSEG_RECIPE_WHOLE, ICSEG_RECIPE_SLIDE } icseg_recipe_mode;

/* A value that was given, with its origin; opaque to all but recipe.c. */
typedef struct icseg_recipe_assignment icseg_recipe_assignment;

typedef struct icseg_recipe {
    icseg_recipe_preset preset;
    icseg_config model; /* num_classes 0: as many as the data set has */
    icseg_tokenizer_kind tokenizer;
    icseg_synonyms_use synonyms;
    const char *init;   /* weights to start from; "": from scratch */
    const char *merges; /* CLIP tokenizer: its vocabulary file or the folder of one */
    struct {
        const char *folder, *train_split, *val_split, *classes; /* classes "": FOLDER/classes.txt */
        icseg_dataset_format format;
        bool reduce_zero_label;
        int32_t ignore_count, ignore[ICSEG_RECIPE_IGNORE];
        int32_t loader_threads; /* 0: one, two from 8 cores on */
    } data;
    icseg_augment_options augment;
    struct {
        int32_t steps, batch, accumulate; /* a step averages the gradients of `accumulate` batches of `batch` images */
        double lr, backbone_lr_mult, weight_decay, betas[2], eps;
        int32_t warmup; /* steps */
        double warmup_ratio, power, min_lr, clip_norm;
        bool freeze_bn, freeze_backbone;
        icseg_precision precision;
        icseg_memory memory;
        int64_t seed;
        int32_t threads;                                 /* 0: all cores */
        int32_t log_every, eval_every, checkpoint_every; /* steps; 0: only at the end */
    } train;
    struct {
        icseg_recipe_mode mode;
        icseg_precision precision;
        int32_t crop[2], stride[2]; /* height, width; crop 0: the training crop, stride 0: two thirds of the crop */
        int32_t resize_short;       /* pixels; 0: the image's own size */
        bool tta;
        int32_t tta_count;
        double tta_scales[ICSEG_RECIPE_TTA_SCALES];
        bool tta_flip;
    } eval;
    icseg_arena *arena; /* not owned: strings and assignments */
    icseg_recipe_assignment *first, *last;
} icseg_recipe;

/* Every key, its type, its bounds and its help. */
icseg_option_table icseg_recipe_table(void);

/* docs/method.md's published settings for this image encoder, with no data set yet. */
icseg_status icseg_recipe_published(icseg_recipe *out, icseg_recipe_preset preset, icseg_error *error);

/* The published settings of RN50. Strings that are set later live in `arena`, which must outlive *out. */
icseg_status icseg_recipe_default(icseg_recipe *out, icseg_arena *arena, icseg_error *error);

/* Defaults, then the file. `model.preset` and `model.tokenizer` act before all other keys, wherever they stand. Errors
 * read "FILE:LINE: KEY: what is wrong and what is accepted"; refused are unknown and duplicate keys, values out of
 * range, aliases, anchors, tags, deeper nesting, more than one document, text that is not UTF-8, over 1 MiB. */
icseg_status icseg_recipe_read(icseg_recipe *out, const char *path, icseg_arena *arena, icseg_error *error);

/* The same from text in memory; `name` stands for FILE. */
icseg_status icseg_recipe_parse(icseg_recipe *out, const char *name, const unsigned char *text, size_t size,
                                icseg_arena *arena, icseg_error *error);

/* One value: "train.lr=1e-3" as --set has it, or key and text apart with the origin that errors name ("--data"). Later
 * ones win. A refused value leaves the recipe as it was. */
icseg_status icseg_recipe_set(icseg_recipe *recipe, const char *assignment, icseg_error *error);
icseg_status icseg_recipe_assign(icseg_recipe *recipe, const char *key, const char *text, const char *origin,
                                 icseg_error *error);

/* What no single value shows: fields that do not fit together, the model configuration, folders and files that are not
 * there. The error names the line the value came from. */
icseg_status icseg_recipe_check(const icseg_recipe *recipe, icseg_error *error);
/* That model.init is there: only a run that begins needs it. */
icseg_status icseg_recipe_check_init(const icseg_recipe *recipe, icseg_error *error);

/* The first key that `matters` and whose values differ, with both values as text (the caller closes them); NULL when
 * there is none. */
const char *icseg_recipe_compare(const icseg_recipe *a, const icseg_recipe *b, bool (*matters)(const char *key),
                                 icseg_string *a_text, icseg_string *b_text);

/* Every value, as YAML that icseg_recipe_read turns into the same recipe. The file is replaced atomically. */
icseg_status icseg_recipe_format(const icseg_recipe *recipe, icseg_string *out, icseg_error *error);
icseg_status icseg_recipe_write(const icseg_recipe *recipe, const char *path, icseg_error *error);

#endif
