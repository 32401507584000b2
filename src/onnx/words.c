/* SPDX-License-Identifier: Apache-2.0 */
#include "onnx/words.h"

/* Class by class its words, of which the first is repeated up to `most`. */
static const char *list_words(icseg_onnx_writer *w, const icseg_open_vocabulary *open, int32_t classes, int32_t most) {
    int64_t *list = icseg_onnx_memory(w, (int64_t)classes * most, sizeof *list);
    for (int32_t k = 0, first = 0; list && k < classes; first += open->words[k++])
        for (int32_t i = 0; i < most; i++) list[k * most + i] = first + (i < open->words[k] ? i : 0);
    return icseg_onnx_initializer(w, "words", ICSEG__ONNX__TENSOR_PROTO__DATA_TYPE__INT64, ICSEG_SHAPE(classes, most),
                                  list);
}

const char *icseg_onnx_best_words(icseg_onnx_writer *w, const char *logits, const icseg_open_vocabulary *open,
                                  int32_t classes) {
    int32_t most = 1;
    if (open->info.word_count == classes) return logits;
    for (int32_t k = 0; k < classes; k++) most = open->words[k] > most ? open->words[k] : most;
    const char *y = ICSEG_ONNX_NODE(w, "words.logits", "Gather", logits, list_words(w, open, classes, most));
    icseg_onnx_int(w, "axis", 1);
    y = ICSEG_ONNX_NODE(w, "classes.logits", "ReduceMax", y);
    ICSEG_ONNX_INTS(w, "axes", 2);
    icseg_onnx_int(w, "keepdims", 0);
    return y;
}

const char *icseg_onnx_classes_of_words(icseg_onnx_writer *w, const char *labels, const icseg_open_vocabulary *open,
                                        int32_t classes) {
    int64_t words = open->info.word_count, *list;
    if (words == classes) return labels;
    list = icseg_onnx_memory(w, words, sizeof *list);
    for (int32_t k = 0, first = 0; list && k < classes; first += open->words[k++])
        for (int32_t i = 0; i < open->words[k]; i++) list[first + i] = k;
    const char *known = icseg_onnx_initializer(w, "classes_of_words", ICSEG__ONNX__TENSOR_PROTO__DATA_TYPE__INT64,
                                               ICSEG_SHAPE(words), list);
    const char *y = ICSEG_ONNX_NODE(w, "classes.labels", "Gather", known, labels);
    icseg_onnx_int(w, "axis", 0);
    return y;
}
