/* SPDX-License-Identifier: Apache-2.0
 * Calls of classes.h, classify.h and text.h. */
#include "allocation/allocation.h"

static const char *const two_classes[] = {"cat", "dog"};

OPENS(icseg_tokenizer_open, icseg_tokenizer *, icseg_tokenizer_close, ICSEG_TOKENIZER_CLIP, alloc_path("merges.txt"))
CLOSES(icseg_tokenizer_close)
QUIET(icseg_tokenizer_vocabulary_size, shared.tokenizer)
QUIET(icseg_tokenizer_sos, shared.tokenizer)
QUIET(icseg_tokenizer_eos, shared.tokenizer)
icseg_status call_icseg_tokenizer_encode(icseg_error *error) {
    int32_t *ids = BAD, count = 9;
    icseg_status status = icseg_tokenizer_encode(shared.tokenizer, "Caf\xc3\xa9 &amp; cat", true, &ids, &count, error);
    assert_true((ids != NULL) == (status == ICSEG_OK));
    icseg_buffer_free(ids);
    return status;
}
icseg_status call_icseg_tokenizer_encode_context(icseg_error *error) {
    int32_t ids[77], eos;
    return icseg_tokenizer_encode_context(shared.tokenizer, "a caf\xc3\xa9", ids, 77, &eos, error);
}
icseg_status call_icseg_tokenizer_decode(icseg_error *error) {
    const int32_t ids[] = {64, 65};
    char *text = BAD;
    icseg_status status = icseg_tokenizer_decode(shared.tokenizer, ids, 2, &text, error);
    assert_true((text != NULL) == (status == ICSEG_OK));
    icseg_buffer_free(text);
    return status;
}
OPENS(icseg_templates_open, icseg_templates *, icseg_templates_close, alloc_path("templates.txt"))
CLOSES(icseg_templates_close)
QUIET(icseg_templates_count, shared.templates)
QUIET(icseg_templates_list, shared.templates)

OPENS(icseg_class_list_open, icseg_class_list *, icseg_class_list_close, alloc_path("data/classes.txt"))
OPENS(icseg_class_list_open_published, icseg_class_list *, icseg_class_list_close, "ade20k")
CLOSES(icseg_class_list_close)
QUIET(icseg_class_list_count, shared.class_list)
QUIET(icseg_class_list_names, shared.class_list)
QUIET(icseg_class_list_synonyms, shared.class_list)
icseg_classifier_options alloc_classifier_options(void) {
    return (icseg_classifier_options){ICSEG_CLASSIFIER_OPTIONS_INIT, .weights = shared.clip_weights,
                                      .class_names = two_classes, .class_count = 2, .threads = 1};
}
icseg_status call_icseg_classifier_open(icseg_error *error) {
    icseg_classifier_options options = alloc_classifier_options();
    icseg_classifier *out = BAD;
    icseg_status status = icseg_classifier_open(&out, &options, NULL, error);
    assert_true((out != NULL) == (status == ICSEG_OK));
    icseg_classifier_close(&out);
    return status;
}
CLOSES(icseg_classifier_close)
QUIET(icseg_classifier_describe, shared.classifier)
icseg_status call_icseg_model_open_vocabulary(icseg_error *error) {
    icseg_open_vocabulary_options options = {ICSEG_OPEN_VOCABULARY_OPTIONS_INIT,
                                             .weights = shared.clip_weights,
                                             .class_names = two_classes,
                                             .class_count = 2,
                                             .background = "wall, floor",
                                             .threshold = 0.1,
                                             .threads = 1};
    icseg_model *out = BAD;
    icseg_status status = icseg_model_open_vocabulary(&out, &options, NULL, error);
    assert_true((out != NULL) == (status == ICSEG_OK));
    icseg_model_close(&out);
    return status;
}
QUIET(icseg_model_open_vocabulary_info, shared.model)
QUIET(icseg_open_method_name, ICSEG_OPEN_NACLIP)
static float embedding[4096];
icseg_status call_icseg_classifier_run(icseg_error *error) {
    float probabilities[2], cosines[2];
    return icseg_classifier_run(shared.classifier, &shared.image, probabilities, cosines, error);
}
DOES(icseg_classifier_embed, shared.classifier, &shared.image, embedding)
icseg_status call_icseg_classifier_encode_texts(icseg_error *error) {
    static float texts[2 * 4096];
    return icseg_classifier_encode_texts(shared.classifier, two_classes, 2, texts, error);
}
icseg_status call_icseg_classifier_score(icseg_error *error) {
    float probabilities[2], cosines[2];
    return icseg_classifier_score(shared.classifier, embedding, probabilities, cosines, error);
}
