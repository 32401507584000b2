/* SPDX-License-Identifier: Apache-2.0
 * Errors of words that must be one of a list. */
#ifndef ICSEG_BASE_WORDS_H
#define ICSEG_BASE_WORDS_H

#include "base/error.h"

/* Fails with ICSEG_ERROR_ARGUMENT: `word` is not one of `words` (count). Names the nearest one, or all if none is near.
 * `field` is the field with the word, `what` is "an import format". */
icseg_status icseg_fail_word(icseg_error *error, const char *field, const char *word, const char *what,
                             const char *const *words, size_t count);

#endif
