/* SPDX-License-Identifier: Apache-2.0
 * The embeddings of classes: of each word of a class, or of its words together, averaged over templates. The classifier
 * and the open-vocabulary model use them. They can be kept in files (text_cache.h). */
#ifndef ICSEG_INFERENCE_CLASS_TEXTS_H
#define ICSEG_INFERENCE_CLASS_TEXTS_H

#include "base/memory.h"
#include "icseg/config.h"
#include "icseg/progress.h"
#include "model/clip.h"
#include "text/tokenizer.h"
#include "weights/weights.h"

enum { ICSEG_CLASS_TEXTS_MAX = 1 << 22 }; /* texts: words times templates */

typedef struct icseg_class_texts_options {
    const char *const *class_names; /* (class_count), UTF-8: "person, man, woman" has three names */
    size_t class_count;
    const char *const *templates; /* (template_count), each with {} */
    size_t template_count;        /* 0: "a photo of a {}" */
    icseg_synonyms_use synonyms;
    const char *cache; /* a folder, which is created if necessary; NULL: no cache */
} icseg_class_texts_options;

/* Zero-initialise it; icseg_class_texts_close frees it. */
typedef struct icseg_class_texts {
    icseg_arena *arena;
    int32_t classes, count, width; /* count: embeddings. With ICSEG_SYNONYMS_EACH one for each word, else for a class */
    const char **names;            /* (classes): the first name of each */
    int32_t *words;                /* (classes): how many of the embeddings each class has; NULL: one each */
    float *embeddings;             /* (count, width), class by class, of unit length */
    bool cached;                   /* read from the cache */
} icseg_class_texts;

/* Embeddings of opened weights, whose `config` comes from icseg_weights_read_clip(). The text tower is in memory only
 * while texts are encoded, and not at all if the cache has the embeddings. A cache that cannot be read or written is a
 * warning. An empty name and a text that is too long for the model are ICSEG_ERROR_ARGUMENT; the message names the
 * class. The caller has set the number of threads (base/threads.h). On failure *out is empty. */
icseg_status icseg_class_texts_open(icseg_class_texts *out, icseg_weights *weights, const icseg_config *config,
                                    const icseg_tokenizer *tokenizer, const icseg_class_texts_options *options,
                                    const icseg_progress *progress, icseg_error *error);

void icseg_class_texts_close(icseg_class_texts *texts);

/* Checks the class names, templates and synonyms of options: counts, NULL, a template without {}. The error's field is
 * "class_names", "templates" or "synonyms". */
icseg_status icseg_class_texts_check(const icseg_class_texts_options *options, icseg_error *error);

/* Texts as they are -> out (count, width), of unit length. A text that is empty or too long is ICSEG_ERROR_ARGUMENT;
 * the message begins with "texts[2]". */
icseg_status icseg_texts_embed(icseg_clip *clip, const icseg_tokenizer *tokenizer, const char *const *texts,
                               size_t count, float *out, icseg_error *error);

/* Scales to unit length; false if that is impossible. */
bool icseg_unit_length(float *embedding, int32_t width);
/* ICSEG_ERROR_NUMERIC: the embedding of `what` has no unit length. */
icseg_status icseg_fail_embedding(const char *what, icseg_error *error);

#endif
