/* SPDX-License-Identifier: Apache-2.0
 * Turns field and remedy of an error into the program's options and commands. */
#include "remedy.h"

#include <stdio.h>
#include <string.h>

#include "icseg/recipe.h"

/* Options whose names differ from those of the library's fields. */
static const struct {
    const char *field, *option;
} names[] = {
    {"vocabulary", "vocab"},     {"state_dict", "weights"},
    {"init_weights", "weights"}, {"classes_file", "classes"},
    {"folder", "data"},          {"source", "DIR"},
    {"class_names", "classes"},  {"background_colour", "background"},
    {"ignore_colour", "ignore"},
};

/* Fields beside which another one may be the remedy; the library's message says when. */
static const struct {
    const char *field, *other;
} alternatives[] = {{"background_colour", "ignore_colour"}, {"ignore", "map"}};

/* Remedies other than another value of the field. Each text continues the library's message, which says what to do. It
 * is left out if the command does not have the option. */
static const struct {
    icseg_remedy remedy;
    const char *option, *text;
} remedies[] = {
    {ICSEG_REMEDY_RESUME, "resume", " with --resume"},
    {ICSEG_REMEDY_OVERWRITE, "force", " or write into this one with --force"},
    {ICSEG_REMEDY_DATA_CHANGED, "data-changed", " with --data-changed"},
    {ICSEG_REMEDY_NEW_RUN, "init", ": `icseg train RECIPE --init RUN_DIR/checkpoint.safetensors --out NEW_DIR`"},
    {ICSEG_REMEDY_START_FROM_CLIP, NULL,
     ": `icseg train RECIPE --init FILE --data DIR --out RUN_DIR`, `icseg segment FILE IMAGE --classes \"cat; dog\" "
     "--out DIR`"},
    {ICSEG_REMEDY_START_FROM_CLIP, "open-vocabulary",
     ": `icseg train RECIPE --init FILE --data DIR --out RUN_DIR`, or --open-vocabulary"},
    {ICSEG_REMEDY_START_FROM_CLIP, "classes-file",
     ": `icseg train RECIPE --init FILE --data DIR --out RUN_DIR`, or --classes \"cat; dog\""},
    {ICSEG_REMEDY_CALIBRATE, NULL, " with `icseg calibrate`"},
    {ICSEG_REMEDY_CONVERT_WEIGHTS, NULL, " with `icseg convert`"},
    {ICSEG_REMEDY_IMPORT_DATASET, NULL, " with `icseg dataset import DIR NEW_DIR`"},
    {ICSEG_REMEDY_CHECK_DATASET, NULL, "; `icseg dataset check DIR` lists every problem"},
};

/* Files that others publish; docs/weights.md lists more of them. */
static const struct {
    const char *name, *address;
} published[] = {
    /* first, because the message about a missing vocabulary also names the weights */
    {"bpe_simple_vocab_16e6.txt.gz", "https://github.com/openai/CLIP/raw/main/clip/bpe_simple_vocab_16e6.txt.gz"},
#define CLIP_MODEL(name, folder)                                                                                       \
    { name, "https://openaipublic.azureedge.net/clip/models/" folder "/" name }
    CLIP_MODEL("RN50.pt", "afeb0e10f9e5a86da6080e35cf09123aca3b358a0c3e3b6c78a7b63bc04b6762"),
    CLIP_MODEL("RN101.pt", "8fa8567bab74a42d41c5915025a8e4538c3bdbe8804a470a72f30b0d94fab599"),
    CLIP_MODEL("RN50x4.pt", "7e526bd135e493cef0776de27d5f42653e6b4c8bf9e0f653bb11773263205fdd"),
    CLIP_MODEL("ViT-B-16.pt", "5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f"),
    CLIP_MODEL("ViT-B-32.pt", "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af"),
};

/* Appends where the file that the message names is published. */
static void describe_download(const icseg_error *error, char out[REMEDY_SIZE]) {
    size_t i = 0, length = strlen(out);
    while (i < sizeof published / sizeof *published && !strstr(error->message, published[i].name)) i++;
    if (i < sizeof published / sizeof *published)
        snprintf(out + length, REMEDY_SIZE - length, "; download it from %s (docs/weights.md)", published[i].address);
    else
        snprintf(out + length, REMEDY_SIZE - length, "; docs/weights.md lists published weights");
}

static const icseg_option *find_option(const icseg_command *command, const char *field) {
    char key[ICSEG_ERROR_FIELD_SIZE];
    size_t i = 0;
    for (; field[i] && i + 1 < sizeof key; i++) key[i] = (char)(field[i] == '_' ? '-' : field[i]);
    key[i] = '\0';
    const icseg_option *option = icseg_option_find(&command->options, key);
    for (i = 0; i < sizeof names / sizeof *names && !option; i++)
        if (!strcmp(names[i].field, field)) option = icseg_option_find(&command->options, names[i].option);
    return option;
}

/* A build without training has no recipes. */
static bool is_recipe_key(const char *name) {
#ifndef ICSEG_NO_TRAIN
    icseg_recipe_key key = {ICSEG_RECIPE_KEY_INIT};
    for (int32_t i = 0; i < icseg_recipe_key_count(); i++)
        if (icseg_recipe_key_at(&key, i, NULL) == ICSEG_OK && !strcmp(key.name, name)) return true;
#else
    (void)name;
#endif
    return false;
}

/* Writes the option of a field, or, in a command with --set, the recipe's key. Fields of a data set are keys of the
 * recipe's section "data". False: the command does not have it. */
static bool name_option(const icseg_command *command, const char *field, char *out, size_t size) {
    const char *dot = strchr(field, '.');
    const icseg_option *option = find_option(command, dot ? dot + 1 : field);
    char key[ICSEG_ERROR_FIELD_SIZE + 8];
    if (option && option->positional) return false;
    snprintf(key, sizeof key, "%s%s", dot ? "" : "data.", field);
    if (option)
        snprintf(out, size, "--%s", option->key);
    else if (icseg_option_find(&command->options, "set") && (dot || is_recipe_key(key)))
        snprintf(out, size, "--set %s=", key);
    else
        return false;
    return true;
}

static void describe_field(const icseg_command *command, const icseg_error *error, char out[REMEDY_SIZE]) {
    const char *dot = strchr(error->field, '.'), *field = dot ? dot + 1 : error->field;
    char name[ICSEG_ERROR_FIELD_SIZE + 16], other[ICSEG_ERROR_FIELD_SIZE + 16], field_of_other[ICSEG_ERROR_FIELD_SIZE];
    if (!name_option(command, error->field, name, sizeof name) || strstr(error->message, name)) return;
    snprintf(out, REMEDY_SIZE, "; set it with %s", name);
    for (size_t i = 0; i < sizeof alternatives / sizeof *alternatives; i++) {
        if (strcmp(alternatives[i].field, field) != 0) continue;
        snprintf(field_of_other, sizeof field_of_other, "%.*s%s", (int)(field - error->field), error->field,
                 alternatives[i].other);
        if (name_option(command, field_of_other, other, sizeof other))
            snprintf(out, REMEDY_SIZE, "; set it with %s or %s", name, other);
    }
}

void remedy_describe(const icseg_command *command, const icseg_error *error, char out[REMEDY_SIZE]) {
    out[0] = '\0';
    bool download = error->remedy == ICSEG_REMEDY_GET_WEIGHTS;
    if (error->remedy == ICSEG_REMEDY_SET_FIELD || (download && error->field[0])) describe_field(command, error, out);
    if (download) describe_download(error, out);
    for (size_t i = 0; i < sizeof remedies / sizeof *remedies; i++)
        if (remedies[i].remedy == error->remedy &&
            (!remedies[i].option || icseg_option_find(&command->options, remedies[i].option)))
            snprintf(out, REMEDY_SIZE, "%s", remedies[i].text);
}
