/* SPDX-License-Identifier: Apache-2.0
 * The sets of weights in a file, of which one is read. */
#ifndef ICSEG_WEIGHTS_SETS_H
#define ICSEG_WEIGHTS_SETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/memory.h"
#include "weights/weights.h"

enum { ICSEG_WEIGHTS_SETS_MAX = 64, ICSEG_WEIGHTS_SET_NAME = 600 };

typedef struct icseg_weights_set {
    const char *path;   /* of the state dict in the file, with dots: "model.state_dict"; "": the file itself */
    const char *prefix; /* which its names have, with a dot at the end: "ema_model."; may be "" */
    const void *state;  /* the state dict */
    bool averaged;      /* over training steps */
    bool clip;          /* has names that CLIP's tensors have */
} icseg_weights_set;

/* Zero-initialise it, with `arena` and `file`. */
typedef struct icseg_weights_sets {
    icseg_arena *arena;
    const char *file; /* begins error messages */
    icseg_weights_set list[ICSEG_WEIGHTS_SETS_MAX];
    size_t count;
    char nameless[ICSEG_WEIGHTS_SET_NAME]; /* the path of averaged weights in a list, without names, or "" */
} icseg_weights_sets;

/* Adds a set unless it is known. Its texts are copied, and its prefix ends after prefix_size bytes. */
icseg_status icseg_weights_sets_add(icseg_weights_sets *sets, icseg_weights_set set, size_t prefix_size,
                                    icseg_error *error);

/* Finds the set that `wanted` names by its path, its prefix or a part of both; "ema" means averaged weights. NULL means
 * raw weights, or averaged ones if the file contains nothing else. If the list is empty, *out is NULL. If it contains
 * several sets, `message` says which one was chosen; otherwise it is empty. If none fits `wanted`, the status is
 * ICSEG_ERROR_ARGUMENT and the field is "state_dict". */
icseg_status icseg_weights_sets_choose(const icseg_weights_sets *sets, const char *wanted,
                                       const icseg_weights_set **out, char *message, size_t size, icseg_error *error);

/* Whether a key or prefix says that its weights are averaged: "ema_model", "average_model_state". */
bool icseg_weights_says_averaged(const char *name, size_t size);

/* The length of what precedes the name of a tensor that every image encoder has, or SIZE_MAX. The moments of an
 * optimiser have such names, too, but do not count. */
size_t icseg_weights_prefix(const char *name, size_t size);

/* Whether CLIP's tensors have such names, possibly behind a prefix. */
bool icseg_weights_looks_like_clip(const char *name, size_t size);

#endif
