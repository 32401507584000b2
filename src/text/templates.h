/* SPDX-License-Identifier: Apache-2.0
 * Templates: texts in which a class name replaces {}, as in "a photo of a {}." */
#ifndef ICSEG_TEXT_TEMPLATES_H
#define ICSEG_TEXT_TEMPLATES_H

#include "base/memory.h"
#include "icseg/text.h"

/* Replaces each "{}" by `name`. NULL if memory is short. */
char *icseg_template_fill(icseg_arena *arena, const char *template, const char *name);

#endif
