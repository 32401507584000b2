/* SPDX-License-Identifier: Apache-2.0
 * The end of an open-vocabulary model in an ONNX graph: from the words to the classes. */
#ifndef ICSEG_ONNX_WORDS_H
#define ICSEG_ONNX_WORDS_H

#include "model/open_vocabulary.h"
#include "onnx/graph_writer.h"

/* Logits of words (N, K', h, w) -> of classes (N, K, h, w): that of a class's best word. */
const char *icseg_onnx_best_words(icseg_onnx_writer *w, const char *logits, const icseg_open_vocabulary *open,
                                  int32_t classes);
/* Labels that are words -> the classes of these words. */
const char *icseg_onnx_classes_of_words(icseg_onnx_writer *w, const char *labels, const icseg_open_vocabulary *open,
                                        int32_t classes);

#endif
