/* SPDX-License-Identifier: Apache-2.0
 * The network that segments without training: CLIP's image encoder with another last block, and the cosines of its
 * positions with the words of the classes. */
#ifndef ICSEG_MODEL_OPEN_VOCABULARY_H
#define ICSEG_MODEL_OPEN_VOCABULARY_H

#include "icseg/open_vocabulary.h"
#include "model/network.h"

/* What makes a model one of open vocabulary; in the arena of the model. */
typedef struct icseg_open_vocabulary {
    icseg_open_vocabulary_info info;
    const int32_t *words; /* (num_classes): how many of the embeddings each class has; NULL: one each */
    const float *text;    /* (info.word_count, embed_dim), of unit length */
} icseg_open_vocabulary;

/* The side of a patch, of which the sides of an image should be multiples: others lose their last pixels. */
int32_t icseg_open_vocabulary_patch(const icseg_config *config);

/* ICSEG_ERROR_UNSUPPORTED if the method needs a vision transformer. AUTO becomes the method that suits the encoder. */
icseg_status icseg_open_method_resolve(icseg_open_method *method, const icseg_config *config, icseg_error *error);

/* As icseg_network_build: image and given_text (1, K', C) are inputs, K' the number of words; score of the embedding
 * level are the cosines (B, h, w, K'), logits the same times the logit scale. No label map, no losses. */
icseg_status icseg_network_build_open(icseg_network *out, icseg_graph *graph, icseg_params *params,
                                      const icseg_config *config, const icseg_open_vocabulary *open, bool declare,
                                      const icseg_network_options *options, icseg_activation_ranges *ranges,
                                      icseg_error *error);

/* Logits or cosines of words (count, K') -> of classes (count, K): that of a class's best word. from and to may be the
 * same. */
void icseg_open_vocabulary_best(const icseg_open_vocabulary *open, int32_t classes, const float *from, int64_t count,
                                float *to);

#endif
