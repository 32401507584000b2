/* SPDX-License-Identifier: Apache-2.0
 * What CLIP's simple_tokenizer does to text before it splits it into words. */
#ifndef ICSEG_TEXT_CLEAN_H
#define ICSEG_TEXT_CLEAN_H

#include "text/code_points.h"

/* ftfy.fix_text, html.unescape twice, strip, white space to single blanks, lower case; in place. When memory ran out
 * `text->failed` is set. */
void icseg_clip_clean(icseg_points *text);

#endif
