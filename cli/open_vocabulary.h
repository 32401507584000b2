/* SPDX-License-Identifier: Apache-2.0
 * The options of commands that make an open-vocabulary model of CLIP's weights. */
#ifndef ICSEG_CLI_OPEN_VOCABULARY_H
#define ICSEG_CLI_OPEN_VOCABULARY_H

#include "activation.h"
#include "cli.h"
#include "icseg/classes.h"
#include "icseg/open_vocabulary.h"
#include "icseg/text.h"
#include "options/options.h"

typedef struct open_options {
    const char *classes, *classes_file; /* at most one is given */
    const char *templates, *background, *vocab, *cache, *state_dict;
    int32_t method, activation; /* -1: as the weights say */
    double threshold, logit_scale;
    bool no_cache;
} open_options;

extern const char *const open_methods[];

/* Rows of an option table over struct S, whose open_options are the member M. WEIGHTS: the argument with the weights.
 */
#define OPEN_CLASS_ROWS(S, M)                                                                                          \
    {"classes", ICSEG_FIELD_STRING(S, M.classes),                                                                      \
     "class names, separated by semicolons; commas separate several words of one class, of which the one that fits "   \
     "best counts",                                                                                                    \
     .metavar = "NAMES"},                                                                                              \
    {                                                                                                                  \
        "classes-file", ICSEG_FIELD_STRING(S, M.classes_file),                                                         \
            "class names, one class per line; commas separate several words of one class", .metavar = "FILE"           \
    }
#define OPEN_ROWS(S, M, WEIGHTS)                                                                                       \
    {"method", ICSEG_FIELD_WORD(S, M.method),                                                                          \
     "how the last block of the image encoder is changed (docs/open_vocabulary.md): naclip, clearclip, sclip, "        \
     "maskclip, clip, naclip_vanilla or kk_reduced; auto: naclip for a vision transformer, maskclip for a ResNet",     \
     .words = open_methods, .metavar = "METHOD"},                                                                      \
        {"templates", ICSEG_FIELD_STRING(S, M.templates),                                                              \
         "sentences whose embeddings are averaged for each word: imagenet (80), simple (7), or a file with one on "    \
         "each line and {} in place of the word",                                                                      \
         .metavar = "NAME"},                                                                                           \
        {"background", ICSEG_FIELD_STRING(S, M.background),                                                            \
         "words for what is none of the classes, separated by commas; they make the class \"background\"",             \
         .metavar = "NAMES"},                                                                                          \
        {"threshold", ICSEG_FIELD_FLOAT(S, M.threshold),                                                               \
         "pixels whose most probable class is less probable than this become background", ICSEG_BETWEEN(0, 1)},        \
        {"logit-scale", ICSEG_FIELD_FLOAT(S, M.logit_scale), "factor of the cosines before the softmax",               \
         ICSEG_BETWEEN(0, 1000), .open_low = true},                                                                    \
        {"vocab", ICSEG_FIELD_STRING(S, M.vocab), "CLIP's vocabulary: a file or a folder that contains one",           \
         .metavar = "FILE", .shown = "next to " WEIGHTS},                                                              \
        ACTIVATION_ROW(S, M.activation, WEIGHTS), STATE_DICT_ROW(S, M.state_dict), CACHE_ROWS(S, M.cache, M.no_cache)

void open_defaults(open_options *options);

/* Whether classes are given. */
bool open_given(const open_options *options);

/* Before any work: refuses the options if the command does not use them because `needed` ("--classes") is missing, and
 * with them a precision for which such a model cannot be calibrated. */
icseg_status open_check(const open_options *options, bool used, const char *needed, int32_t precision,
                        icseg_error *error);

/* Opens the model. names: the classes, (count), where the command has no --classes; else NULL. */
icseg_status open_model(icseg_model **out, const open_options *options, const char *weights, const char *const *names,
                        size_t count, const icseg_command_context *context, icseg_error *error);

/* The same if classes are given; else a checkpoint. */
icseg_status open_either(icseg_model **out, const open_options *options, const char *path,
                         const icseg_command_context *context, icseg_error *error);

/* Prints what the weights of an open-vocabulary model are; nothing for other models. */
void open_describe(const icseg_model *model, icseg_printer *printer);

/* For callers that open models themselves: the options of the library, which refer to `list` and `templates`. Close
 * both. */
icseg_status open_library_options(icseg_open_vocabulary_options *out, const open_options *options,
                                  icseg_class_list **list, icseg_templates **templates, icseg_arena *arena,
                                  icseg_error *error);

#endif
