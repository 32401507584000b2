/* SPDX-License-Identifier: Apache-2.0
 * Checks a recipe: keys that contradict each other, the model's configuration, missing files and folders.
 */
#include <stdio.h>
#include <string.h>

#include "base/argument.h"
#include "base/file.h"
#include "model/config.h"
#include "tensorboard/event_file.h"
#include "train/assignment.h"

enum { KEY_SIZE = 96 };

icseg_status icseg_recipe_fail_key(const icseg_recipe *recipe, const char *key, icseg_error *error, const char *format,
                                   ...) {
    const icseg_recipe_assignment *a = icseg_recipe_find(recipe, key);
    char text[ICSEG_ERROR_MESSAGE_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, key, ICSEG_REMEDY_SET_FIELD, "%s%s%s: %s",
                            a && a->origin ? a->origin : "", a && a->origin ? ": " : "", key, text);
}

static icseg_status check_class_weights(const icseg_recipe *recipe, icseg_error *error) {
    const icseg_recipe_settings *s = &recipe->settings;
    bool given = s->model.class_weights == ICSEG_CLASS_WEIGHTS_GIVEN;
    if (given && !s->data.class_weights[0])
        return icseg_recipe_fail_key(recipe, "data.class_weights", error,
                                     "is not set, but model.class_weights is given; set it to a file of lines "
                                     "\"weight<TAB>class name\"");
    if (!given && s->data.class_weights[0])
        return icseg_recipe_fail_key(recipe, "data.class_weights", error,
                                     "has no effect, because model.class_weights is not given");
    if (given && !icseg_file_exists(s->data.class_weights))
        return icseg_recipe_fail_key(recipe, "data.class_weights", error, "the file \"%s\" does not exist",
                                     s->data.class_weights);
    return ICSEG_OK;
}

static icseg_status check_data(const icseg_recipe *recipe, icseg_error *error) {
    const icseg_recipe_settings *s = &recipe->settings;
    if (!s->data.folder[0])
        return icseg_recipe_fail_key(recipe, "data.folder", error, "is not set; set it to the folder of the data set");
    if (!icseg_folder_exists(s->data.folder))
        return icseg_recipe_fail_key(recipe, "data.folder", error, "the folder \"%s\" does not exist", s->data.folder);
    if (!s->data.train_split[0]) return icseg_recipe_fail_key(recipe, "data.train_split", error, "must not be empty");
    if (!s->data.val_split[0] && !(s->data.val_share > 0))
        return icseg_recipe_fail_key(recipe, "data.val_split", error, "must not be empty");
    if (s->data.classes[0] && !icseg_file_exists(s->data.classes))
        return icseg_recipe_fail_key(recipe, "data.classes", error, "the file \"%s\" does not exist", s->data.classes);
    return check_class_weights(recipe, error);
}

/* The origin of the first field that the text names in quotes and that was set in a file, or NULL. */
static const char *find_quoted(const icseg_recipe *recipe, const char *text) {
    char key[KEY_SIZE];
    for (const char *name = strchr(text, '"'); name; name = strchr(name + 1, '"')) {
        snprintf(key, sizeof key, "model.%.*s", (int)strcspn(name + 1, "\""), name + 1);
        const icseg_recipe_assignment *a = icseg_recipe_find(recipe, key);
        if (a && a->origin) return a->origin;
    }
    return NULL;
}

static icseg_status check_config(const icseg_recipe *recipe, icseg_error *error) {
    icseg_config model = recipe->settings.model;
    icseg_error found;
    char key[KEY_SIZE];
    if (model.num_classes == 0) model.num_classes = 2; /* any valid number: the data set's replaces it later */
    icseg_status status = icseg_config_check(&model, &found);
    if (status == ICSEG_OK) return ICSEG_OK;
    const char *origin = find_quoted(recipe, found.message);
    snprintf(key, sizeof key, "model.%s", found.field);
    return icseg_fail_field(error, status, key, ICSEG_REMEDY_SET_FIELD, "%s%smodel: %s", origin ? origin : "",
                            origin ? ": " : "", found.message);
}

/* A file that others publish. */
static icseg_status fail_missing(const icseg_recipe *recipe, const char *key, const char *path, icseg_error *error) {
    icseg_status status = icseg_recipe_fail_key(recipe, key, error, "the file or folder \"%s\" does not exist", path);
    if (error) error->remedy = ICSEG_REMEDY_GET_WEIGHTS;
    return status;
}

icseg_status icseg_recipe_check_model(const icseg_recipe *recipe, icseg_error *error) {
    const icseg_recipe_settings *s = &recipe->settings;
    bool clip = s->tokenizer == ICSEG_TOKENIZER_CLIP;
    int32_t tokens = icseg_recipe_vocabulary(s->tokenizer);
    ICSEG_TRY(check_config(recipe, error));
    if (clip ? s->model.vocab_size != tokens : s->model.vocab_size < tokens)
        return icseg_recipe_fail_key(recipe, "model.vocab_size", error, "is %d, but the tokenizer \"%s\" has %d tokens",
                                     (int)s->model.vocab_size, clip ? "clip" : "bytes", (int)tokens);
    if (clip && !s->merges[0])
        return icseg_recipe_fail_key(
            recipe, "model.merges", error,
            "is not set; CLIP's tokenizer needs its merges file (to train from scratch, set model.tokenizer to bytes)");
    if (s->merges[0] && !icseg_file_exists(s->merges) && !icseg_folder_exists(s->merges))
        return fail_missing(recipe, "model.merges", s->merges, error);
    if (s->init_weights[0] && !s->init[0])
        return icseg_recipe_fail_key(recipe, "model.init", error,
                                     "is not set, but model.init_weights = \"%.60s\" names a part of that file",
                                     s->init_weights);
    return ICSEG_OK;
}

static icseg_status check_augmentation(const icseg_recipe *recipe, icseg_error *error) {
    const icseg_augment_options *augment = &recipe->settings.augment;
    icseg_error found;
    if (augment->scale_min > augment->scale_max)
        return icseg_recipe_fail_key(recipe, "augment.scale", error,
                                     "the smallest factor %g is above the largest factor %g", augment->scale_min,
                                     augment->scale_max);
    if (augment->resize_long && augment->resize_long < augment->resize_short)
        return icseg_recipe_fail_key(recipe, "augment.resize_long", error, "%d is below augment.resize_short = %d",
                                     augment->resize_long, augment->resize_short);
    if (augment->rare_temperature != icseg_augment_options_default().rare_temperature && !(augment->rare_samples > 0) &&
        !(augment->copy_paste > 0))
        return icseg_recipe_fail_key(recipe, "augment.rare_temperature", error,
                                     "has no effect, because augment.rare_samples and augment.copy_paste are 0");
    icseg_status status = icseg_augment_check(augment, &found); /* its own limits */
    return status == ICSEG_OK ? ICSEG_OK : icseg_fail(error, ICSEG_ERROR_ARGUMENT, "augment: %s", found.message);
}

static icseg_status check_evaluation(const icseg_recipe *recipe, icseg_error *error) {
    const icseg_recipe_settings *s = &recipe->settings;
    int64_t least = icseg_config_min_side(&s->model);
    const int32_t train_crop[2] = {s->augment.crop_height, s->augment.crop_width};
    for (int i = 0; i < 2; i++) {
        int32_t crop = s->eval.crop[i] ? s->eval.crop[i] : train_crop[i];
        if (crop < least)
            return icseg_recipe_fail_key(recipe, "eval.crop", error, "a window must be at least %d pixels", (int)least);
        if (s->eval.stride[i] > crop)
            return icseg_recipe_fail_key(recipe, "eval.stride", error,
                                         "a step of %d pixels leaves gaps between windows of %d pixels",
                                         s->eval.stride[i], crop);
    }
    return ICSEG_OK;
}

static icseg_status check_layer_decay(const icseg_recipe *recipe, icseg_error *error) {
    const icseg_recipe_settings *s = &recipe->settings;
    if (s->train.layer_decay == 1) return ICSEG_OK;
    if (s->model.backbone != ICSEG_BACKBONE_VIT)
        return icseg_recipe_fail_key(
            recipe, "train.layer_decay", error,
            "%g: needs the blocks of a ViT, but model.backbone is resnet; set it to 1, or choose "
            "the preset of a ViT",
            s->train.layer_decay);
    if (s->train.freeze_backbone)
        return icseg_recipe_fail_key(recipe, "train.layer_decay", error,
                                     "has no effect, because train.freeze_backbone is true");
    return ICSEG_OK;
}

static icseg_status check_patience(const icseg_recipe *recipe, icseg_error *error) {
    const icseg_recipe_settings *s = &recipe->settings;
    if (s->train.patience > 0 && s->train.eval_every == 0 && !(s->train.eval_minutes > 0))
        return icseg_recipe_fail_key(recipe, "train.patience", error,
                                     "%d: counts evaluations during the run, of which there are none; set "
                                     "train.eval_every or train.eval_minutes",
                                     s->train.patience);
    if (s->train.min_delta > 0 && s->train.patience == 0)
        return icseg_recipe_fail_key(recipe, "train.min_delta", error, "has no effect, because train.patience is 0");
    return ICSEG_OK;
}

icseg_status icseg_recipe_check_events(const icseg_recipe *recipe, const char *section, const icseg_event_settings *s,
                                       icseg_error *error) {
    icseg_error found;
    char key[KEY_SIZE];
    snprintf(key, sizeof key, "%s.tensorboard", section);
    if (!s->on && (s->histograms || s->images))
        return icseg_recipe_fail_key(recipe, key, error, "is false, so that %s_%s has no effect", key,
                                     s->histograms ? "histograms" : "images");
    if (!s->on || icseg_event_file_check_support(&found) == ICSEG_OK) return ICSEG_OK;
    icseg_status status = icseg_recipe_fail_key(recipe, key, error, "%s", found.message);
    if (error) error->remedy = ICSEG_REMEDY_NONE;
    return status;
}

icseg_status icseg_recipe_check_init(const icseg_recipe *recipe, icseg_error *error) {
    const char *init = recipe->settings.init;
    if (!init[0] || icseg_file_exists(init) || icseg_folder_exists(init)) return ICSEG_OK;
    return fail_missing(recipe, "model.init", init, error);
}

icseg_status icseg_recipe_check(const icseg_recipe *recipe, icseg_error *error) {
    ICSEG_NEED(recipe);
    const icseg_recipe_settings *s = &recipe->settings;
    ICSEG_TRY(check_data(recipe, error));
    ICSEG_TRY(icseg_recipe_check_model(recipe, error));
    ICSEG_TRY(check_augmentation(recipe, error));
    if (!(s->train.minutes > 0) && s->train.warmup >= s->train.steps)
        return icseg_recipe_fail_key(
            recipe, "train.warmup", error, "%d %s not fit into train.steps = %d", s->train.warmup,
            icseg_plural(s->train.warmup, "step of warm-up does", "steps of warm-up do"), s->train.steps);
    if (s->train.min_lr > s->train.lr)
        return icseg_recipe_fail_key(recipe, "train.min_lr", error, "%g is above train.lr = %g", s->train.min_lr,
                                     s->train.lr);
    ICSEG_TRY(check_layer_decay(recipe, error));
    ICSEG_TRY(check_patience(recipe, error));
    ICSEG_TRY(icseg_recipe_check_events(recipe, "train", &s->train.events, error));
    return check_evaluation(recipe, error);
}
