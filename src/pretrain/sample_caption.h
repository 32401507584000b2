/* SPDX-License-Identifier: Apache-2.0
 * The captions of one sample of a shard: a text with one on each line, or a JSON object. */
#ifndef ICSEG_PRETRAIN_SAMPLE_CAPTION_H
#define ICSEG_PRETRAIN_SAMPLE_CAPTION_H

#include "base/error.h"
#include "base/rng.h"
#include "base/text.h"

typedef enum icseg_caption_state {
    ICSEG_CAPTION_FOUND,
    ICSEG_CAPTION_MISSING, /* a JSON object without a caption */
    ICSEG_CAPTION_EMPTY,   /* all captions are blank */
    ICSEG_CAPTION_DAMAGED  /* neither UTF-8 nor JSON */
} icseg_caption_state;

/* Appends one of the captions that are not blank to `out`. text (size): JSON or lines; it is changed. JSON has a text
 * or a list of texts as "caption", "captions", "text" or "title". Whatever is drawn, *state is the same. The only
 * failure is ICSEG_ERROR_MEMORY. */
icseg_status icseg_sample_caption_draw(char *text, size_t size, bool json, icseg_rng *rng, icseg_string *out,
                                       icseg_caption_state *state, icseg_error *error);

#endif
