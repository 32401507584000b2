/* SPDX-License-Identifier: Apache-2.0
 * icseg classify: zero-shot classification of images with CLIP, a quick test of whether weights work. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "activation.h"
#include "class_names.h"
#include "cli.h"
#include "icseg/classes.h"
#include "icseg/classify.h"
#include "icseg/file.h"
#include "icseg/tensor_file.h"
#include "icseg/text.h"
#include "images.h"
#include "inputs.h"
#include "json.h"
#include "support.h"

enum { TABLE_ROWS = 10 };

static const char *const synonyms[] = {"first", "mean", NULL};

struct options {
    const char *weights, *classes, *classes_file, *template_list, *vocab, *embeddings, *state_dict, *cache;
    int32_t activation; /* -1: as the weights say */
    icseg_strings images, templates;
    icseg_synonyms_use synonyms;
    int32_t top;
    bool json, no_cache;
    image_options values;
};

static const icseg_option rows[] = {
    {"WEIGHTS", ICSEG_FIELD_STRING(struct options, weights), "CLIP's weights: the file or folder as published",
     .positional = true, .required = true},
    {"IMAGE", ICSEG_FIELD_STRINGS(struct options, images), "image files, folders or quoted patterns such as 'a/*.jpg'",
     .positional = true, .required = true},
    {"classes", ICSEG_FIELD_STRING(struct options, classes),
     "class names, separated by commas; semicolons separate several names of one class", .metavar = "NAMES"},
    {"classes-file", ICSEG_FIELD_STRING(struct options, classes_file),
     "class names, one class per line; commas separate several names of one class", .metavar = "FILE"},
    {"template", ICSEG_FIELD_STRINGS(struct options, templates),
     "text with {} in place of the class name; if repeated, a class is the mean of all templates", .metavar = "TEXT",
     .shown = "a photo of a {}"},
    {"templates", ICSEG_FIELD_STRING(struct options, template_list),
     "a list of templates: imagenet (CLIP's 80), simple (7 of them), or a file with one per line",
     .metavar = "imagenet|simple|FILE"},
    {"synonyms", ICSEG_FIELD_WORD(struct options, synonyms),
     "classes with several names: use the first one or the mean of all", .words = synonyms},
    {"vocab", ICSEG_FIELD_STRING(struct options, vocab), "CLIP's vocabulary: a file or a folder that contains one",
     .metavar = "FILE", .shown = "next to WEIGHTS"},
    ACTIVATION_ROW(struct options, activation, "WEIGHTS"),
    STATE_DICT_ROW(struct options, state_dict),
    CACHE_ROWS(struct options, cache, no_cache),
    {"top", ICSEG_FIELD_INT(struct options, top), "show the N most probable classes; 0: all", .metavar = "N",
     .shown = "10 in the table, all with --json", ICSEG_BETWEEN(0, ICSEG_CLASSIFY_MAX_CLASSES)},
    {"json", ICSEG_FIELD_BOOL(struct options, json), "print one line of JSON per image instead of a table"},
    {"embeddings", ICSEG_FIELD_STRING(struct options, embeddings),
     "write the tensors image (images, C) and text (classes, C), with rows of unit length", .metavar = "FILE"},
    IMAGE_ROWS(struct options, values, "as the file says"),
};

static void defaults(void *values) {
    struct options *o = values;
    o->top = -1;
    o->activation = -1;
    image_defaults(&o->values);
}

typedef struct rank {
    float probability;
    int32_t index;
} rank;

/* One run of the command. */
typedef struct job {
    const struct options *options;
    const icseg_command_context *context;
    input_list inputs;
    image_reader *reader;
    icseg_class_list *list;     /* of --classes-file */
    icseg_templates *templates; /* of --templates */
    icseg_classifier *classifier;
    const icseg_classifier_info *info;
    float *probabilities, *cosines; /* (classes) */
    rank *ranks;                    /* (classes) */
    float *embeddings;              /* (images, width) with --embeddings, else (width) */
} job;

/* -- class names */

static icseg_status read_classes(job *j, const char *const **out, size_t *count, icseg_error *error) {
    const struct options *o = j->options;
    const char **names = NULL;
    *count = 0;
    if (!o->classes == !o->classes_file)
        return icseg_error_set(error, ICSEG_ERROR_ARGUMENT, "%s --classes \"cat, dog\" or --classes-file FILE",
                               o->classes ? "the classes are given twice; use" : "no classes are given; use");
    if (o->classes) {
        TRY(class_names_split(j->context->arena, o->classes, ',', &names, count, error));
    } else {
        TRY(icseg_class_list_open(&j->list, o->classes_file, error));
        *count = (size_t)icseg_class_list_count(j->list);
    }
    *out = j->list ? icseg_class_list_synonyms(j->list) : names;
    return ICSEG_OK;
}

/* Texts of --template or --templates, as the library takes them. */
static icseg_status read_templates(job *j, icseg_classifier_options *out, icseg_error *error) {
    const struct options *o = j->options;
    out->templates = o->templates.items;
    out->template_count = o->templates.count;
    if (!o->template_list) return ICSEG_OK;
    if (o->templates.count)
        return icseg_error_set(error, ICSEG_ERROR_ARGUMENT,
                               "the templates are given twice; use --template TEXT or --templates LIST");
    TRY(icseg_templates_open(&j->templates, o->template_list, error));
    out->templates = icseg_templates_list(j->templates);
    out->template_count = icseg_templates_count(j->templates);
    return ICSEG_OK;
}

/* -- results */

/* Names come from files. Their control characters must not reach the terminal. */
static void print_text(const char *text) {
    for (; *text; text++) putchar((unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text);
}

static void print_table(const job *j, const char *path, int32_t shown) {
    print_text(path);
    putchar('\n');
    for (int32_t i = 0; i < shown; i++) {
        int32_t k = j->ranks[i].index;
        printf("  %6.2f %%  ", 100 * (double)j->probabilities[k]);
        print_text(j->info->class_names[k]);
        putchar('\n');
    }
}

static icseg_status print_json(const job *j, const char *path, int32_t shown, icseg_error *error) {
    json_t *list = json_array();
    bool failed = false;
    for (int32_t i = 0; i < shown; i++) {
        int32_t k = j->ranks[i].index;
        json_add(list,
                 json_pack("{s:s, s:i, s:f, s:f}", "name", j->info->class_names[k], "index", (int)k, "probability",
                           (double)j->probabilities[k], "cosine", (double)j->cosines[k]),
                 &failed);
    }
    icseg_string text = {0};
    TRY(json_finish(json_pack("{s:o, s:o}", "image", json_text(path), "classes", list), failed, JSON_REAL_PRECISION(8),
                    &text, error));
    puts(text.data);
    icseg_string_close(&text);
    return ICSEG_OK;
}

/* The most probable first; equals in the order in which they are given. */
static int compare_ranks(const void *a, const void *b) {
    const rank *x = a, *y = b;
    if (x->probability != y->probability) return x->probability > y->probability ? -1 : 1;
    return x->index - y->index;
}

static icseg_status print_result(const job *j, const char *path, icseg_error *error) {
    int32_t classes = j->info->class_count, shown = j->options->top;
    for (int32_t k = 0; k < classes; k++) j->ranks[k] = (rank){j->probabilities[k], k};
    qsort(j->ranks, (size_t)classes, sizeof *j->ranks, compare_ranks);
    if (shown < 0) shown = j->options->json ? 0 : TABLE_ROWS;
    if (!shown || shown > classes) shown = classes;
    if (j->options->json) return print_json(j, path, shown, error);
    print_table(j, path, shown);
    return ICSEG_OK;
}

static icseg_status write_embeddings(const job *j, icseg_error *error) {
    int64_t images = (int64_t)j->inputs.count, classes = j->info->class_count, width = j->info->width;
    static const char *const names[] = {"image", "text"};
    icseg_tensor tensors[2];
    TRY(icseg_tensor_dense(&tensors[0], ICSEG_TENSOR_F32, 2, (int64_t[]){images, width}, j->embeddings, error));
    TRY(icseg_tensor_dense(&tensors[1], ICSEG_TENSOR_F32, 2, (int64_t[]){classes, width},
                           (void *)(uintptr_t)j->info->text, error));
    return icseg_tensors_write(j->options->embeddings, names, tensors, 2, error);
}

/* -- running */

static icseg_status classify_one(const void *user, size_t index, bool *bad, icseg_error *error) {
    const job *j = user;
    const char *path = j->inputs.files[index].path;
    icseg_image image;
    icseg_status status = image_read(j->reader, path, &image, error);
    *bad = status != ICSEG_OK;
    if (status != ICSEG_OK) return status;
    float *embedding = j->embeddings + (j->options->embeddings ? index * (size_t)j->info->width : 0);
    status = icseg_classifier_embed(j->classifier, &image, embedding, error);
    if (status != ICSEG_OK) error_prefix(error, "%s", path);
    icseg_image_close(&image);
    if (status != ICSEG_OK) return status;
    TRY(icseg_classifier_score(j->classifier, embedding, j->probabilities, j->cosines, error));
    return print_result(j, path, error);
}

static icseg_status open_classifier(job *j, icseg_error *error) {
    const struct options *o = j->options;
    icseg_classifier_options options = {ICSEG_CLASSIFIER_OPTIONS_INIT, .threads = thread_count(),
                                        .weights = o->weights,         .vocabulary = o->vocab,
                                        .state_dict = o->state_dict,   .config = activation_config(o->activation),
                                        .synonyms = o->synonyms};
    TRY(cache_choose(&options.cache, o->cache, o->no_cache, j->context->arena, error));
    TRY(read_templates(j, &options, error));
    TRY(read_classes(j, &options.class_names, &options.class_count, error));
    if (o->embeddings) {
        TRY(file_check_safetensors(o->embeddings, error));
        TRY(icseg_file_check_writable(o->embeddings, error));
    }
    TRY(inputs_expand(&j->inputs, &o->images, NULL, j->context->arena, error));
    TRY(icseg_classifier_open(&j->classifier, &options, &j->context->progress, error));
    j->info = icseg_classifier_describe(j->classifier);
    for (const char *line = j->info->summary; *line; line += strcspn(line, "\n") + 1)
        icseg_printer_note(j->context->printer, "%.*s", (int)strcspn(line, "\n"), line);
    size_t classes = options.class_count, width = (size_t)j->info->width;
    icseg_arena *arena = j->context->arena;
    j->probabilities = icseg_arena_array(arena, classes, sizeof *j->probabilities);
    j->cosines = icseg_arena_array(arena, classes, sizeof *j->cosines);
    j->ranks = icseg_arena_array(arena, classes, sizeof *j->ranks);
    j->embeddings = icseg_arena_array(arena, o->embeddings ? j->inputs.count : 1, width * sizeof *j->embeddings);
    if (j->probabilities && j->cosines && j->ranks && j->embeddings) return ICSEG_OK;
    return out_of_memory(error);
}

static icseg_status run(const icseg_command_context *context, const void *values, icseg_error *error) {
    image_reader reader;
    job j = {.options = values, .context = context, .reader = &reader};
    icseg_status status = image_reader_open(&reader, &j.options->values, NULL, context, error);
    if (status == ICSEG_OK) status = open_classifier(&j, error);
    if (status == ICSEG_OK) status = inputs_for_each(&j.inputs, context, "classify", classify_one, &j, error);
    if (status == ICSEG_OK && j.options->embeddings) status = write_embeddings(&j, error);
    icseg_classifier_close(&j.classifier);
    icseg_class_list_close(&j.list);
    icseg_templates_close(&j.templates);
    return status;
}

const icseg_command icseg_command_classify = {
    .name = "classify",
    .summary = "Classifies images with plain CLIP weights (zero-shot)",
    .description = "Prints the class probabilities that CLIP assigns to each image, which is a quick\n"
                   "test of whether weights work. The probabilities are the softmax of the scaled\n"
                   "cosines between the embeddings of the image and of the class names. WEIGHTS is\n"
                   "anything that `icseg convert` reads: OpenAI's RN50.pt or ViT-B-32.pt, an\n"
                   "open_clip file, a Hugging Face folder or a converted file. Images are prepared\n"
                   "as CLIP does: resized (bicubic) to the model's size on the short side, then\n"
                   "cropped to the centre. A summary of the weights is written to standard error. If\n"
                   "an image cannot be read, the command reports it, continues with the others and\n"
                   "exits with status 1.\n",
    .examples = "icseg classify RN50.pt photo.jpg --classes \"cat, dog\" --vocab clip/\n"
                "icseg classify clip-vit-base-patch32/ photos/ --classes-file names.txt --top 3\n"
                "icseg classify ViT-B-16.pt a.jpg --classes \"car; auto, bus\" --synonyms mean\n"
                "icseg classify RN50.pt a.jpg --classes \"cat, dog\" --template \"art of a {}.\"\n"
                "icseg classify RN50.pt photos/ --classes-file names.txt --templates imagenet\n",
    .options = ICSEG_TABLE(rows),
    .size = sizeof(struct options),
    .defaults = defaults,
    .run = run,
};
