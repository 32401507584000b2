/* SPDX-License-Identifier: Apache-2.0
 * The options --activation, --weights, --cache and --no-cache of commands that read CLIP's weights. */
#ifndef CLI_ACTIVATION_H
#define CLI_ACTIVATION_H

#include "cli.h"

extern const char *const activation_words[];

/* Its row: `field` is an int32_t, -1 by default; `beside`: the argument with the weights. */
#define ACTIVATION_ROW(S, field, beside)                                                                               \
    {                                                                                                                  \
        "activation", ICSEG_FIELD_WORD(S, field),                                                                      \
            "activation of CLIP's transformers: quick_gelu for OpenAI's weights, gelu for most of LAION's, "           \
            "DataComp's and others",                                                                                   \
            .words = activation_words, .shown = "as the configuration beside " beside " says, otherwise quick_gelu"    \
    }

/* The row of --weights: `field` is a string. */
#define STATE_DICT_ROW(S, field)                                                                                       \
    {                                                                                                                  \
        "weights", ICSEG_FIELD_STRING(S, field),                                                                       \
            "which of several state dicts of a file: its key, the prefix of its names, or ema for averaged weights",   \
            .metavar = "NAME", .shown = "the raw weights"                                                              \
    }

/* The rows of --cache (a string) and --no-cache. */
#define CACHE_ROWS(S, cache, no_cache)                                                                                 \
    {"cache", ICSEG_FIELD_STRING(S, cache), "folder in which embeddings of texts are kept for the next call",          \
     .metavar = "DIR", .shown = "$XDG_CACHE_HOME/icseg or ~/.cache/icseg"},                                            \
    {                                                                                                                  \
        "no-cache", ICSEG_FIELD_BOOL(S, no_cache), "compute the embeddings of texts anew, and do not keep them"        \
    }

/* The folder that they choose; NULL: none. */
icseg_status cache_choose(const char **out, const char *cache, bool no_cache, icseg_arena *arena, icseg_error *error);

/* As icseg_classifier_options.config and icseg_weights_convert_options.config; NULL for -1. */
const char *activation_config(int32_t activation);

#endif
