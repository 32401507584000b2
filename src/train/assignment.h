/* SPDX-License-Identifier: Apache-2.0
 * The assignments that make up a recipe: keys, values and where they were set. */
#ifndef ICSEG_TRAIN_ASSIGNMENT_H
#define ICSEG_TRAIN_ASSIGNMENT_H

#include "train/recipe.h"

struct icseg_recipe_assignment {
    const char *key;
    const char *origin;       /* "FILE:LINE" for messages; NULL: set by the caller */
    const char *const *items; /* (count) */
    size_t count;
    bool list;
    icseg_recipe_assignment *next;
};

/* The last assignment of the key, which is the one that counts, or NULL. */
const icseg_recipe_assignment *icseg_recipe_find(const icseg_recipe *recipe, const char *key);

#endif
