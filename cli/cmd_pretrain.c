/* SPDX-License-Identifier: Apache-2.0
 * icseg pretrain: trains CLIP's two encoders on pairs of images and captions, as a recipe says. */
#include <stdio.h>

#include "cli.h"
#include "icseg/pretrain.h"
#include "recipes.h"
#include "support.h"

struct options {
    recipe_place place;
    const char *pairs, *val_pairs, *init, *weights;
};

static const icseg_option rows[] = {
    {"RECIPE", ICSEG_FIELD_STRING(struct options, place.recipe),
     "YAML file with settings, whose sections model and pretrain are used (docs/recipe.md); with --resume also the run "
     "directory alone",
     .positional = true, .required = true},
    {"set", ICSEG_FIELD_STRINGS(struct options, place.set), "change one value of the recipe; may be repeated",
     .metavar = "KEY=VALUE"},
    {"pairs", ICSEG_FIELD_STRING(struct options, pairs),
     "images with captions: a folder with captions.jsonl or captions.csv, such a file, WebDataset archives, or "
     "synth:large for generated scenes",
     .metavar = "PAIRS", .shown = "the recipe's pretrain.pairs"},
    {"val-pairs", ICSEG_FIELD_STRING(struct options, val_pairs), "held-out pairs for evaluations", .metavar = "PAIRS",
     .shown = "the recipe's pretrain.val_pairs"},
    {"init", ICSEG_FIELD_STRING(struct options, init), "weights to start from", .metavar = "WEIGHTS",
     .shown = "the recipe's model.init"},
    {"weights", ICSEG_FIELD_STRING(struct options, weights),
     "which of several state dicts of the file to start from: its key, the prefix of its names, or ema for averaged "
     "weights",
     .metavar = "NAME", .shown = "the recipe's model.init_weights"},
    {"out", ICSEG_FIELD_STRING(struct options, place.out), "run directory", .metavar = "RUN_DIR",
     .shown = "runs/RECIPE, without .yaml"},
    {"resume", ICSEG_FIELD_BOOL(struct options, place.resume),
     "continue the run in RUN_DIR, or start one if there is none"},
};

static icseg_status read_recipe(icseg_recipe **out, const struct options *o, icseg_error *error) {
    const struct {
        const char *key, *value;
    } given[] = {{"pretrain.pairs", o->pairs},
                 {"pretrain.val_pairs", o->val_pairs},
                 {"model.init", o->init},
                 {"model.init_weights", o->weights}};
    TRY(recipe_open(out, &o->place, error));
    for (size_t i = 0; i < sizeof given / sizeof *given; i++)
        if (given[i].value) TRY(icseg_recipe_set(*out, given[i].key, given[i].value, error));
    return ICSEG_OK;
}

static void print_result(const char *out, const icseg_pretrain_result *result) {
    static const char *const files[] = {"checkpoint.safetensors", "report.html"};
    const icseg_pretrain_scores *s = &result->scores;
    printf("%lld steps", (long long)result->steps);
    if (result->loss == result->loss) printf(", loss %.3f", result->loss);
    printf(", scale %.1f\n", result->logit_scale);
    if (s->pairs && s->zero_shot == s->zero_shot) printf("zero-shot accuracy %.2f\n", 100 * s->zero_shot);
    if (s->pairs)
        printf("recall at 1, 5, 10 of %d held-out pairs\n  image to text  %6.2f  %6.2f  %6.2f\n"
               "  text to image  %6.2f  %6.2f  %6.2f\n",
               (int)s->pairs, 100 * s->image_to_text[0], 100 * s->image_to_text[1], 100 * s->image_to_text[2],
               100 * s->text_to_image[0], 100 * s->text_to_image[1], 100 * s->text_to_image[2]);
    recipe_print_files(out, files, sizeof files / sizeof *files);
}

static icseg_status run(const icseg_command_context *context, const void *values, icseg_error *error) {
    const struct options *o = values;
    const char *out = recipe_run_folder(context->arena, &o->place);
    if (!out) return out_of_memory(error);
    icseg_pretrain_options options = {ICSEG_PRETRAIN_OPTIONS_INIT, .out = out, .resume = o->place.resume};
    icseg_pretrain_result result = {ICSEG_PRETRAIN_RESULT_INIT};
    icseg_recipe *recipe = NULL;
    icseg_status status = read_recipe(&recipe, o, error);
    if (status == ICSEG_OK) status = recipe_threads(&options.threads, recipe, "pretrain.threads", error);
    if (status == ICSEG_OK) status = icseg_pretrain(recipe, &options, &context->progress, &result, error);
    if (status == ICSEG_OK) print_result(out, &result);
    icseg_recipe_close(&recipe);
    return status;
}

const icseg_command icseg_command_pretrain = {
    .name = "pretrain",
    .summary = "Pretrains CLIP's two encoders on images with captions",
    .description = "Trains image and text encoder so that images and their captions match\n"
                   "(contrastive language-image pretraining), from scratch or from weights. Writes\n"
                   "to RUN_DIR: recipe.yaml (as used), log.jsonl, checkpoint.safetensors and\n"
                   "report.html. The checkpoint has CLIP's weights, which classify, segment and\n"
                   "`train --init` take, and all that --resume needs. Ctrl-C, SIGTERM and SIGHUP\n"
                   "save the state and stop, with exit status 3. A run that was stopped or killed\n"
                   "at any moment and then continued with --resume writes the same bytes as one\n"
                   "that was not. docs/pretraining.md describes the forms of PAIRS.\n",
    .examples = "icseg pretrain clip.yaml --pairs photos --val-pairs val.jsonl --out clip\n"
                "icseg pretrain clip.yaml --init RN50.pt --set pretrain.freeze_image=true\n"
                "icseg pretrain --resume clip\n"
                "icseg train my.yaml --init clip/checkpoint.safetensors\n",
    .options = ICSEG_TABLE(rows),
    .size = sizeof(struct options),
    .run = run,
};
