/* SPDX-License-Identifier: Apache-2.0
 * The recipe inside the library: its settings as a struct, and the table of its keys. Reading, writing, range checks,
 * icseg_recipe_key and docs/recipe.md all use this table. */
#ifndef ICSEG_TRAIN_RECIPE_H
#define ICSEG_TRAIN_RECIPE_H

#include "base/memory.h"
#include "options/options.h"
#include "graph/passes/recompute.h"
#include "icseg/config.h"
#include "icseg/dataset.h"
#include "icseg/model.h"
#include "icseg/recipe.h"
#include "loader/loader.h"
#include "train/adamw.h"

enum {
    ICSEG_RECIPE_TTA_SCALES = 8,
    ICSEG_RECIPE_IGNORE = 16,
    ICSEG_RECIPE_SIZE_LIMIT = 1 << 20 /* bytes of a recipe's text */
};

typedef enum icseg_recipe_mode { ICSEG_RECIPE_WHOLE, ICSEG_RECIPE_SLIDE } icseg_recipe_mode;

/* TensorBoard's event files. */
typedef struct icseg_event_settings {
    bool on;
    int32_t histograms, images; /* steps between histograms; images of an evaluation; 0: none */
} icseg_event_settings;

typedef enum icseg_pretrain_decay { ICSEG_PRETRAIN_COSINE, ICSEG_PRETRAIN_POLY } icseg_pretrain_decay;

/* The values of all keys. Strings are never NULL and live in the recipe's arena. */
typedef struct icseg_recipe_settings {
    int32_t preset;     /* index: icseg_preset_at */
    icseg_config model; /* num_classes 0: that of the data set */
    icseg_tokenizer_kind tokenizer;
    icseg_synonyms_use synonyms;
    const char *init;         /* weights to start from; "": from scratch */
    const char *init_weights; /* which of several sets of weights in that file; "": the raw ones */
    const char *merges;       /* CLIP's tokenizer: its vocabulary, a file or the folder that contains it */
    struct {
        const char *folder, *train_split, *val_split, *classes; /* classes "": FOLDER/classes.txt */
        double val_share; /* of the training images, held out in place of val_split; 0: none */
        icseg_dataset_format format;
        bool reduce_zero_label;
        const char *map; /* icseg_dataset_options */
        int32_t ignore_count, ignore[ICSEG_RECIPE_IGNORE];
        int32_t band_count, bands[3]; /* icseg_image_values */
        double value_range[2];
        const char *class_weights; /* file, with model.class_weights given; "": none */
        int32_t loader_threads;    /* 0: one, two from 8 cores on */
    } data;
    icseg_augment_options augment;
    struct {
        int32_t steps, batch, accumulate; /* a step averages the gradients of `accumulate` batches of `batch` images */
        double lr, backbone_lr_mult, weight_decay, betas[2], eps;
        int32_t warmup; /* steps */
        double warmup_ratio, power, min_lr, clip_norm;
        double ema_decay;   /* 0: no averages */
        double layer_decay; /* 1: none */
        bool freeze_bn, freeze_backbone;
        bool sync_bn, reduce_bf16; /* of a group of processes */
        icseg_precision precision;
        icseg_memory memory;
        int64_t seed;
        int32_t threads;                                 /* 0: all cores */
        int32_t log_every, eval_every, checkpoint_every; /* steps; 0: only at the end */
        int32_t patience;                                /* evaluations; 0: never stops early */
        double min_delta;                                /* of a mIoU of 0..1 */
        double minutes, eval_minutes; /* replaced by steps and eval_every when the speed has been measured; 0: none */
        double checkpoint_minutes;    /* also a checkpoint after so long; 0: none */
        icseg_event_settings events;
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
    struct {
        const char *pairs, *val_pairs; /* "": none */
        int32_t val_limit, broken;     /* pairs */
        double crop_scale[2], flip;
        int32_t loader_threads;      /* 0: one, two from 8 cores on */
        int32_t steps, batch, chunk; /* pairs; chunk 0: the batch */
        double lr, weight_decay, betas[2], eps;
        int32_t warmup; /* steps */
        icseg_pretrain_decay decay;
        double power, min_lr, clip_norm;
        bool freeze_image, freeze_text;
        icseg_precision precision;
        icseg_memory memory;
        int64_t seed;
        int32_t threads;                                 /* 0: all cores */
        int32_t log_every, eval_every, checkpoint_every; /* steps; 0: only at the end */
        icseg_event_settings events;                     /* without images */
    } pretrain;
} icseg_recipe_settings;

/* A value that was set, with its origin (train/assignment.h). */
typedef struct icseg_recipe_assignment icseg_recipe_assignment;

struct icseg_recipe {
    icseg_recipe_settings settings;
    const char *name; /* of the file, without its folders, or of the text; in the arena */
    icseg_arena *arena;
    icseg_recipe_assignment *first, *last;
};

/* The rows refer to fields of icseg_recipe_settings. */
icseg_option_table icseg_recipe_table(void);

/* The published settings (docs/method.md) of a preset, without a data set. */
void icseg_recipe_published(icseg_recipe_settings *out, int32_t preset);

/* A recipe with the same name and values, which do not know the lines that set them. */
icseg_status icseg_recipe_copy(icseg_recipe **out, const icseg_recipe *recipe, icseg_error *error);

/* Number of tokens in a tokenizer's vocabulary: the default of model.vocab_size. */
int32_t icseg_recipe_vocabulary(icseg_tokenizer_kind tokenizer);

/* "ORIGIN: KEY: TEXT", with the key as the error's field; the origin only if the value comes from a file. */
icseg_status icseg_recipe_fail_key(const icseg_recipe *recipe, const char *key, icseg_error *error, const char *format,
                                   ...) __attribute__((format(printf, 4, 5)));

/* Checks the keys of the model: configuration, tokenizer, and which weights it starts from. */
icseg_status icseg_recipe_check_model(const icseg_recipe *recipe, icseg_error *error);

/* Checks the keys of event files in a section, "train" or "pretrain". */
icseg_status icseg_recipe_check_events(const icseg_recipe *recipe, const char *section, const icseg_event_settings *s,
                                       icseg_error *error);

/* Checks that model.init exists, which only a new run needs. */
icseg_status icseg_recipe_check_init(const icseg_recipe *recipe, icseg_error *error);

/* The first key for which `matters` returns true and whose values differ, or NULL. The texts receive both values; the
 * caller closes them. */
const char *icseg_recipe_compare(const icseg_recipe_settings *a, const icseg_recipe_settings *b,
                                 bool (*matters)(const char *key), icseg_string *a_text, icseg_string *b_text);

/* The learning rates of a run with these settings. */
icseg_schedule icseg_recipe_schedule(const icseg_recipe_settings *settings);

/* The values that a run uses, as YAML: those of training, or of pretraining. The caller closes *out, even on failure.
 */
typedef enum icseg_recipe_use { ICSEG_RECIPE_TRAIN, ICSEG_RECIPE_PRETRAIN } icseg_recipe_use;
icseg_status icseg_recipe_format(const icseg_recipe_settings *settings, icseg_recipe_use use, icseg_string *out,
                                 icseg_error *error);

#endif
