/* SPDX-License-Identifier: Apache-2.0
 * How CLIP's simple_tokenizer cleans text before it splits it into words. */
#ifndef ICSEG_TEXT_CLEAN_H
#define ICSEG_TEXT_CLEAN_H

#include "base/text.h"

/* Appends the cleaned `text`, `size` bytes of valid UTF-8, to `out` (docs/tokenizer.md lists the steps). When memory
 * runs out `out->failed` is set. */
void icseg_clip_clean(const char *text, size_t size, icseg_string *out);

#endif
