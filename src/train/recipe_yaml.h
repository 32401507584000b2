/* SPDX-License-Identifier: Apache-2.0
 * The part of YAML that recipes use: one mapping of sections, each a mapping of keys to scalars, lists or mappings of
 * scalars. */
#ifndef ICSEG_TRAIN_RECIPE_YAML_H
#define ICSEG_TRAIN_RECIPE_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/memory.h"

/* One "key: value" of a section. Strings live in the arena. */
typedef struct icseg_yaml_value {
    const char *key;          /* "section.key" */
    bool list;                /* a sequence, or a mapping whose elements are "key: value" texts */
    const char *const *items; /* (count); one for a scalar; a plain null is "" */
    size_t count;
    size_t line; /* from 1 */
} icseg_yaml_value;

typedef icseg_status (*icseg_yaml_take)(void *user, const icseg_yaml_value *value, icseg_error *error);

/* Calls `take` for each value, in file order, until it fails. Error messages call the text `name`. */
icseg_status icseg_yaml_read_sections(const char *name, const unsigned char *text, size_t size, icseg_arena *arena,
                                      icseg_yaml_take take, void *user, icseg_error *error);

#endif
