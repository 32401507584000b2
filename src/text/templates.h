/* SPDX-License-Identifier: Apache-2.0
 * Templates inside the library: texts in which a class name replaces {}. */
#ifndef ICSEG_TEXT_TEMPLATES_H
#define ICSEG_TEXT_TEMPLATES_H

#include "base/memory.h"
#include "icseg/text.h"

/* Replaces each "{}" by `name`; neither is empty. NULL if memory is short. */
char *icseg_template_fill(icseg_arena *arena, const char *template, const char *name);

#endif
