/* SPDX-License-Identifier: Apache-2.0
 * Every public function while memory runs out: each allocation in turn fails, including those of other libraries. The
 * call must return an error without an object; then the same call must succeed. Functions that are documented not to
 * allocate must not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/memory.h"
#include "icseg/icseg.h"
#include "model/clip.h"
#include "tensor/safetensors.h"
#include "support/heap.h"
#include "support/models.h"

#define BAD     ((void *)(uintptr_t)64) /* a failing call must overwrite it */
#define WEIGHTS ICSEG_SOURCE_DIR "/tests/weights/openai_resnet.pt"
#define FIXTURE ICSEG_SOURCE_DIR "/tests/parity/resnet_denseclip.safetensors"

enum { CLASSES = ICSEG_SYNTH_CLASSES, WIDTH = 64, HEIGHT = 64, PATH_SIZE = 160 };

static char folder[] = "/tmp/icseg_allocation.XXXXXX";
static icseg_error plain; /* for calls that must succeed */
static icseg_image image;
static icseg_labels labels;
static icseg_model *model, *calibrated;
static icseg_session *session;
static icseg_result *result;
static icseg_tokenizer *tokenizer;
static icseg_templates *templates;
static icseg_class_list *class_list;
static icseg_classifier *classifier;
static icseg_calibrator *calibrator;
static icseg_dataset *dataset;
static icseg_recipe *recipe;
static icseg_confusion confusion;
static icseg_metrics metrics = {ICSEG_METRICS_INIT};
static icseg_palette palette;
static icseg_config config = {ICSEG_CONFIG_INIT};
static icseg_bench *bench;
static icseg_trainer *trainer;
static icseg_tensor_file *tensor_file;
static icseg_parity_report parity = {ICSEG_PARITY_REPORT_INIT};
static const char *const two_classes[] = {"cat", "dog"};
static const char *const *names;

static char clip_weights[PATH_SIZE];

static void ok(icseg_status status) {
    if (status != ICSEG_OK) fail_msg("%s", plain.message);
}

/* FOLDER/name, valid until the fourth call after this one. */
static const char *path(const char *name) {
    static char text[4][PATH_SIZE];
    static int next;
    char *to = text[next++ % 4];
    snprintf(to, PATH_SIZE, "%s/%s", folder, name);
    return to;
}

static void shell(const char *command, const char *name) {
    char text[2 * PATH_SIZE];
    snprintf(text, sizeof text, "%s '%s'", command, path(name));
    assert_int_equal(system(text), 0);
}

/* -- calls. Each is set up and made once; its result is checked and closed. */

/* A function whose first argument is the pointer that it sets. */
#define OPENS(function, type, close, ...)                                                                              \
    static icseg_status call_##function(icseg_error *error) {                                                          \
        type out = BAD;                                                                                                \
        icseg_status status = function(&out, __VA_ARGS__, error);                                                      \
        assert_true((out != NULL) == (status == ICSEG_OK));                                                            \
        close(&out);                                                                                                   \
        return status;                                                                                                 \
    }
/* A function whose first argument is a structure with the pointer `member`. */
#define FILLS(function, type, member, close, ...)                                                                      \
    static icseg_status call_##function(icseg_error *error) {                                                          \
        type out = {.member = BAD};                                                                                    \
        icseg_status status = function(&out, __VA_ARGS__, error);                                                      \
        assert_true((out.member != NULL) == (status == ICSEG_OK));                                                     \
        close(&out);                                                                                                   \
        return status;                                                                                                 \
    }
/* A function that returns a text through `&text`. */
#define TELLS(function, ...)                                                                                           \
    static icseg_status call_##function(icseg_error *error) {                                                          \
        char *text = BAD;                                                                                              \
        icseg_status status = function(__VA_ARGS__, error);                                                            \
        assert_true((text != NULL) == (status == ICSEG_OK));                                                           \
        icseg_buffer_free(text);                                                                                       \
        return status;                                                                                                 \
    }
#define DOES(function, ...)                                                                                            \
    static icseg_status call_##function(icseg_error *error) { return function(__VA_ARGS__, error); }
/* A function that cannot fail. */
#define QUIET(function, ...)                                                                                           \
    static icseg_status call_##function(icseg_error *error) {                                                          \
        (void)error;                                                                                                   \
        (void)function(__VA_ARGS__);                                                                                   \
        return ICSEG_OK;                                                                                               \
    }
#define CLOSES(function) /* closed in the calls that open */                                                           \
    static icseg_status call_##function(icseg_error *error) {                                                          \
        (void)error;                                                                                                   \
        function(NULL);                                                                                                \
        return ICSEG_OK;                                                                                               \
    }

/* error.h, memory.h, version.h */
QUIET(icseg_status_name, ICSEG_OK)
QUIET(icseg_error_set, error, ICSEG_OK, "%s", "")
CLOSES(icseg_buffer_free)
QUIET(icseg_version, )
static icseg_status call_icseg_build_info(icseg_error *error) {
    icseg_build build = {ICSEG_BUILD_INIT};
    return icseg_build_info(&build, error);
}

/* image.h */
QUIET(icseg_image_extensions, )
FILLS(icseg_image_read, icseg_image, data, icseg_image_close, path("image.jpg"))
static icseg_status call_icseg_image_load(icseg_error *error) {
    static const struct {
        const char *data;
        size_t size;
    } files[] = {
        {"P2 2 1 4000 7 4000", 18},
        {"BM\0\0\0\0\0\0\0\0\x3a\0\0\0\x28\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\x08\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
         "\x01\0\0\0\0\0\0\0\x01\x02\x03\0\0\0\0\0",
         62},
#ifndef ICSEG_NO_GIF
        {"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0;", 35},
#endif
    };
    icseg_image_values values = {ICSEG_IMAGE_VALUES_INIT};
    icseg_image_info info = {ICSEG_IMAGE_INFO_INIT};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        icseg_image out = {.data = BAD};
        icseg_image_input input = {ICSEG_IMAGE_INPUT_INIT, .data = files[i].data, .size = files[i].size,
                                   .values = &values};
        icseg_status status = icseg_image_load(&out, &input, &info, error);
        assert_true((out.data != NULL) == (status == ICSEG_OK));
        icseg_image_close(&out);
        if (status != ICSEG_OK) return status;
    }
    return ICSEG_OK;
}
static icseg_status call_icseg_image_read_memory(icseg_error *error) {
    void *bytes;
    size_t size;
    icseg_image out = {.data = BAD};
    ICSEG_TRY(icseg_image_encode_png(&image, &bytes, &size, error));
    icseg_status status = icseg_image_read_memory(&out, bytes, size, "a PNG", error);
    assert_true((out.data != NULL) == (status == ICSEG_OK));
    icseg_image_close(&out);
    icseg_buffer_free(bytes);
    return status;
}
static icseg_status call_icseg_image_read_size(icseg_error *error) {
    int32_t width, height;
    return icseg_image_read_size(&width, &height, path("image.jpg"), error);
}
FILLS(icseg_image_create, icseg_image, data, icseg_image_close, 5, 4)
CLOSES(icseg_image_close)
DOES(icseg_image_write_png, &image, path("out.png"))
DOES(icseg_image_write_jpeg, &image, path("out.jpg"), 90)
static icseg_status encode(bool png, icseg_error *error) {
    void *out = BAD;
    size_t size = 9;
    icseg_status status = png ? icseg_image_encode_png(&image, &out, &size, error)
                              : icseg_image_encode_jpeg(&image, 90, &out, &size, error);
    assert_true((out != NULL) == (status == ICSEG_OK));
    icseg_buffer_free(out);
    return status;
}
static icseg_status call_icseg_image_encode_jpeg(icseg_error *error) { return encode(false, error); }
static icseg_status call_icseg_image_encode_png(icseg_error *error) { return encode(true, error); }
static icseg_status call_icseg_labels_encode_png(icseg_error *error) {
    void *out = BAD;
    size_t size;
    icseg_status status = icseg_labels_encode_png(&labels, &palette, &out, &size, error);
    assert_true((out != NULL) == (status == ICSEG_OK));
    icseg_buffer_free(out);
    return status;
}
FILLS(icseg_image_resize, icseg_image, data, icseg_image_close, &image, 30, 50)
FILLS(icseg_mask_read, icseg_mask, data, icseg_mask_close, path("labels.png"))
CLOSES(icseg_mask_close)
DOES(icseg_labels_write_png, &labels, &palette, path("out.png"))
FILLS(icseg_labels_create, icseg_labels, data, icseg_labels_close, 5, 4)
FILLS(icseg_labels_resize, icseg_labels, data, icseg_labels_close, &labels, 30, 50)
CLOSES(icseg_labels_close)
static icseg_status call_icseg_labels_summarise(icseg_error *error) {
    icseg_labels_summary out = {ICSEG_LABELS_SUMMARY_INIT, .classes = BAD};
    icseg_status status = icseg_labels_summarise(&out, &labels, NULL, CLASSES, error);
    assert_true((out.classes != NULL) == (status == ICSEG_OK));
    icseg_labels_summary_close(&out);
    return status;
}
CLOSES(icseg_labels_summary_close)
static icseg_status call_icseg_confidence_write_png(icseg_error *error) {
    const float values[6] = {0, 0.5f, 1};
    return icseg_confidence_write_png(values, 3, 2, path("out.png"), error);
}
FILLS(icseg_palette_create, icseg_palette, color, icseg_palette_close, 5)
CLOSES(icseg_palette_close)
FILLS(icseg_palette_create_for, icseg_palette, color, icseg_palette_close, names, CLASSES)
static icseg_status call_icseg_overlay_draw(icseg_error *error) {
    icseg_overlay_options options = {ICSEG_OVERLAY_OPTIONS_INIT, .palette = &palette, .names = names, .opacity = 0.5};
    icseg_image out = {.data = BAD};
    icseg_status status = icseg_overlay_draw(&out, &image, &labels, &options, error);
    assert_true((out.data != NULL) == (status == ICSEG_OK));
    icseg_image_close(&out);
    return status;
}

/* text.h */
OPENS(icseg_tokenizer_open, icseg_tokenizer *, icseg_tokenizer_close, ICSEG_TOKENIZER_CLIP, path("merges.txt"))
CLOSES(icseg_tokenizer_close)
QUIET(icseg_tokenizer_vocabulary_size, tokenizer)
QUIET(icseg_tokenizer_sos, tokenizer)
QUIET(icseg_tokenizer_eos, tokenizer)
static icseg_status call_icseg_tokenizer_encode(icseg_error *error) {
    int32_t *ids = BAD, count = 9;
    icseg_status status = icseg_tokenizer_encode(tokenizer, "Caf\xc3\xa9 &amp; cat", true, &ids, &count, error);
    assert_true((ids != NULL) == (status == ICSEG_OK));
    icseg_buffer_free(ids);
    return status;
}
static icseg_status call_icseg_tokenizer_encode_context(icseg_error *error) {
    int32_t ids[77], eos;
    return icseg_tokenizer_encode_context(tokenizer, "a caf\xc3\xa9", ids, 77, &eos, error);
}
static icseg_status call_icseg_tokenizer_decode(icseg_error *error) {
    const int32_t ids[] = {64, 65};
    char *text = BAD;
    icseg_status status = icseg_tokenizer_decode(tokenizer, ids, 2, &text, error);
    assert_true((text != NULL) == (status == ICSEG_OK));
    icseg_buffer_free(text);
    return status;
}
OPENS(icseg_templates_open, icseg_templates *, icseg_templates_close, path("templates.txt"))
CLOSES(icseg_templates_close)
QUIET(icseg_templates_count, templates)
QUIET(icseg_templates_list, templates)

/* config.h, model.h */
QUIET(icseg_preset_count, )
QUIET(icseg_preset_name, 0)
QUIET(icseg_preset_description, 0)
static icseg_status call_icseg_config_preset(icseg_error *error) {
    icseg_config out = {ICSEG_CONFIG_INIT};
    return icseg_config_preset(&out, "vit-b16", error);
}
static icseg_status call_icseg_config_read_json(icseg_error *error) {
    char *json;
    icseg_config out = {ICSEG_CONFIG_INIT};
    ICSEG_TRY(icseg_config_write_json(&config, &json, error));
    icseg_status status = icseg_config_read_json(&out, json, error);
    icseg_buffer_free(json);
    return status;
}
static icseg_status call_icseg_config_update_json(icseg_error *error) {
    icseg_config out = config;
    icseg_status status = icseg_config_update_json(&out, "{\"embed_dim\": 32, \"prompt\": \"static\"}", error);
    if (status != ICSEG_OK) assert_memory_equal(&out, &config, sizeof out);
    return status;
}
TELLS(icseg_config_write_json, &config, &text)
DOES(icseg_config_check, &config)
QUIET(icseg_config_embed_level, &config)
QUIET(icseg_config_level_channels, &config, 0)
static icseg_status call_icseg_model_create(icseg_error *error) {
    icseg_model_options options = {ICSEG_MODEL_OPTIONS_INIT, .config = &config, .class_names = names};
    icseg_model *out = BAD;
    icseg_status status = icseg_model_create(&out, &options, error);
    assert_true((out != NULL) == (status == ICSEG_OK));
    icseg_model_close(&out);
    return status;
}
OPENS(icseg_model_open, icseg_model *, icseg_model_close, path("model.safetensors"))
DOES(icseg_model_save, model, path("saved.safetensors"))
static const icseg_onnx_options small_onnx = {ICSEG_ONNX_OPTIONS_INIT, .height = 32, .width = 32};
DOES(icseg_model_export_onnx, model, path("model.onnx"), &small_onnx, NULL)
CLOSES(icseg_model_close)
QUIET(icseg_model_config, model)
QUIET(icseg_model_class_names, model)
QUIET(icseg_model_name_count, model)
QUIET(icseg_model_is_calibrated, model)
static icseg_status call_icseg_model_calibration_of(icseg_error *error) {
    icseg_model_calibration out = {ICSEG_MODEL_CALIBRATION_INIT};
    return icseg_model_calibration_of(model, &out, error);
}
static icseg_status call_icseg_model_eval_options(icseg_error *error) {
    icseg_eval_options out = {ICSEG_EVAL_OPTIONS_INIT};
    return icseg_model_eval_options(model, &out, error);
}
static icseg_status call_icseg_model_image_values(icseg_error *error) {
    icseg_image_values out = {ICSEG_IMAGE_VALUES_INIT};
    return icseg_model_image_values(model, &out, error);
}
static icseg_status call_icseg_model_label_values(icseg_error *error) {
    icseg_label_values out = {ICSEG_LABEL_VALUES_INIT};
    return icseg_model_label_values(model, &out, error);
}
QUIET(icseg_model_trained_side, model)
QUIET(icseg_model_val_share, model)
OPENS(icseg_calibrator_open, icseg_calibrator *, icseg_calibrator_close, model, NULL)
DOES(icseg_calibrator_add, calibrator, &image)
static icseg_status call_icseg_calibrator_model(icseg_error *error) {
    icseg_model *out = BAD;
    icseg_status status = icseg_calibrator_model(calibrator, &out, error);
    assert_true((out != NULL) == (status == ICSEG_OK));
    icseg_model_close(&out);
    return status;
}
CLOSES(icseg_calibrator_close)

/* classes.h, classify.h */
OPENS(icseg_class_list_open, icseg_class_list *, icseg_class_list_close, path("data/classes.txt"))
OPENS(icseg_class_list_open_published, icseg_class_list *, icseg_class_list_close, "ade20k")
CLOSES(icseg_class_list_close)
QUIET(icseg_class_list_count, class_list)
QUIET(icseg_class_list_names, class_list)
QUIET(icseg_class_list_synonyms, class_list)
static icseg_classifier_options classifier_options(void) {
    return (icseg_classifier_options){ICSEG_CLASSIFIER_OPTIONS_INIT, .weights = clip_weights,
                                      .class_names = two_classes, .class_count = 2, .threads = 1};
}
static icseg_status call_icseg_classifier_open(icseg_error *error) {
    icseg_classifier_options options = classifier_options();
    icseg_classifier *out = BAD;
    icseg_status status = icseg_classifier_open(&out, &options, NULL, error);
    assert_true((out != NULL) == (status == ICSEG_OK));
    icseg_classifier_close(&out);
    return status;
}
CLOSES(icseg_classifier_close)
QUIET(icseg_classifier_describe, classifier)
static icseg_status call_icseg_model_open_vocabulary(icseg_error *error) {
    icseg_open_vocabulary_options options = {ICSEG_OPEN_VOCABULARY_OPTIONS_INIT,
                                             .weights = clip_weights,
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
QUIET(icseg_model_open_vocabulary_info, model)
QUIET(icseg_open_method_name, ICSEG_OPEN_NACLIP)
static float embedding[4096];
static icseg_status call_icseg_classifier_run(icseg_error *error) {
    float probabilities[2], cosines[2];
    return icseg_classifier_run(classifier, &image, probabilities, cosines, error);
}
DOES(icseg_classifier_embed, classifier, &image, embedding)
static icseg_status call_icseg_classifier_encode_texts(icseg_error *error) {
    static float texts[2 * 4096];
    return icseg_classifier_encode_texts(classifier, two_classes, 2, texts, error);
}
static icseg_status call_icseg_classifier_score(icseg_error *error) {
    float probabilities[2], cosines[2];
    return icseg_classifier_score(classifier, embedding, probabilities, cosines, error);
}

/* session.h, tensor.h, tensor_file.h */
static icseg_status call_icseg_session_open(icseg_error *error) {
    icseg_session_options options = {ICSEG_SESSION_OPTIONS_INIT, .threads = 1};
    icseg_session *out = BAD;
    icseg_status status = icseg_session_open(&out, model, &options, error);
    assert_true((out != NULL) == (status == ICSEG_OK));
    icseg_session_close(&out);
    return status;
}
CLOSES(icseg_session_close)
QUIET(icseg_session_model, session)
QUIET(icseg_session_threads, session)
QUIET(icseg_session_precision, session)
/* A session that has not built a network. */
static icseg_status fresh(icseg_session **out, icseg_error *error) {
    icseg_session_options options = {ICSEG_SESSION_OPTIONS_INIT, .threads = 1};
    return icseg_session_open(out, model, &options, error);
}
static icseg_status call_icseg_session_cost_at(icseg_error *error) {
    icseg_session_cost cost = {ICSEG_SESSION_COST_INIT};
    icseg_session *s;
    ICSEG_TRY(fresh(&s, error));
    icseg_status status = icseg_session_cost_at(s, 1, HEIGHT, WIDTH, &cost, error);
    icseg_session_close(&s);
    return status;
}
static icseg_status call_icseg_session_layers_at(icseg_error *error) {
    icseg_session_layers layers = {ICSEG_SESSION_LAYERS_INIT};
    icseg_session *s;
    ICSEG_TRY(fresh(&s, error));
    icseg_status status = icseg_session_layers_at(s, 1, HEIGHT, WIDTH, &layers, error);
    icseg_session_close(&s);
    return status;
}
static icseg_status call_icseg_session_prepare(icseg_error *error) {
    icseg_session *s;
    ICSEG_TRY(fresh(&s, error));
    icseg_status status = icseg_session_prepare(s, 1, HEIGHT, WIDTH, NULL, error);
    icseg_session_close(&s);
    return status;
}
static icseg_status call_icseg_session_predict(icseg_error *error) {
    icseg_eval_options options = {ICSEG_EVAL_OPTIONS_INIT, .mode = ICSEG_EVAL_SLIDE, .crop_height = 64,
                                  .crop_width = 64};
    icseg_labels out = {.data = BAD};
    float *confidence = BAD;
    icseg_status status = icseg_session_predict(session, &image, &options, &out, &confidence, error);
    assert_true((out.data != NULL) == (status == ICSEG_OK) && (confidence != NULL) == (status == ICSEG_OK));
    icseg_labels_close(&out);
    icseg_buffer_free(confidence);
    return status;
}
static icseg_status run(icseg_result **out, icseg_error *error) {
    icseg_frame frame = {ICSEG_FRAME_RGB8, WIDTH, HEIGHT, 3 * WIDTH, image.data};
    icseg_batch batch = {ICSEG_BATCH_INIT, .count = 1, .frames = &frame};
    icseg_run_options options = {ICSEG_RUN_OPTIONS_INIT,
                                 .outputs = ICSEG_OUTPUT_LABELS | ICSEG_OUTPUT_TOP_CLASSES | ICSEG_OUTPUT_LOGITS,
                                 .top_k = 2};
    return icseg_session_run(session, &batch, &options, out, error);
}
static icseg_status call_icseg_session_run(icseg_error *error) {
    icseg_result *out = NULL;
    icseg_status status = run(&out, error);
    assert_true((out != NULL) == (status == ICSEG_OK));
    icseg_result_close(&out);
    return status;
}
static icseg_status call_icseg_result_tensor(icseg_error *error) {
    icseg_tensor out;
    return icseg_result_tensor(result, ICSEG_OUTPUT_LABELS, &out, error);
}
QUIET(icseg_result_outputs, result)
CLOSES(icseg_result_close)
QUIET(icseg_tensor_type_size, ICSEG_TENSOR_F32)
static icseg_status call_icseg_tensor_dense(icseg_error *error) {
    static float data[6];
    const int64_t shape[] = {2, 3};
    icseg_tensor out;
    return icseg_tensor_dense(&out, ICSEG_TENSOR_F32, 2, shape, data, error);
}
static icseg_status call_icseg_tensor_read(icseg_error *error) {
    icseg_tensor out = {.data = BAD};
    icseg_status status = icseg_tensor_read(&out, path("tensors.safetensors"), "a", error);
    assert_true((out.data != NULL) == (status == ICSEG_OK));
    if (status == ICSEG_OK) icseg_buffer_free(out.data);
    return status;
}
static icseg_status call_icseg_tensors_write(icseg_error *error) {
    static float data[6];
    const int64_t shape[] = {2, 3};
    const char *const tensor_names[] = {"a"};
    icseg_tensor tensor;
    ICSEG_TRY(icseg_tensor_dense(&tensor, ICSEG_TENSOR_F32, 2, shape, data, error));
    return icseg_tensors_write(path("tensors.safetensors"), tensor_names, &tensor, 1, error);
}
static icseg_status call_icseg_tensor_file_write(icseg_error *error) {
    static float data[6];
    const int64_t shape[] = {2, 3};
    const char *const tensor_names[] = {"a"}, *const keys[] = {"key"};
    const icseg_tensor_metadata metadata = {ICSEG_TENSOR_METADATA_INIT, .count = 1, .keys = keys, .values = keys};
    icseg_tensor tensor;
    ICSEG_TRY(icseg_tensor_dense(&tensor, ICSEG_TENSOR_F32, 2, shape, data, error));
    return icseg_tensor_file_write(path("tensors.safetensors"), tensor_names, &tensor, 1, &metadata, error);
}
OPENS(icseg_tensor_file_open, icseg_tensor_file *, icseg_tensor_file_close, path("tensors.safetensors"))
CLOSES(icseg_tensor_file_close)
QUIET(icseg_tensor_file_count, tensor_file)
QUIET(icseg_tensor_file_name, tensor_file, 0)
static icseg_status call_icseg_tensor_file_read(icseg_error *error) {
    icseg_tensor out = {.data = BAD};
    icseg_status status = icseg_tensor_file_read(tensor_file, "a", &out, error);
    assert_true((out.data != NULL) == (status == ICSEG_OK));
    if (status == ICSEG_OK) icseg_buffer_free(out.data);
    return status;
}
static icseg_status call_icseg_tensor_file_metadata(icseg_error *error) {
    icseg_tensor_metadata out = {ICSEG_TENSOR_METADATA_INIT};
    return icseg_tensor_file_metadata(tensor_file, &out, error);
}

/* weights.h, file.h */
static icseg_status call_icseg_weights_convert(icseg_error *error) {
    icseg_weights_convert_options options = {ICSEG_WEIGHTS_CONVERT_OPTIONS_INIT, .type = ICSEG_WEIGHTS_F16};
    char *summary = BAD;
    icseg_status status = icseg_weights_convert(WEIGHTS, path("weights.safetensors"), &options, &summary, error);
    assert_true((summary != NULL) == (status == ICSEG_OK));
    icseg_buffer_free(summary);
    return status;
}
DOES(icseg_file_write, path("file"), "text", 4)
DOES(icseg_file_check_writable, path("file"))

/* bench.h, parity.h */
static icseg_bench_options bench_options(void) {
    return (icseg_bench_options){ICSEG_BENCH_OPTIONS_INIT,
                                 .preset = "tiny-resnet",
                                 .classes = 2,
                                 .size = 64,
                                 .batch = 1,
                                 .runs = 1,
                                 .threads = 1,
                                 .profile = true};
}
static icseg_status call_icseg_bench_open(icseg_error *error) {
    icseg_bench_options options = bench_options();
    icseg_bench *out = BAD;
    icseg_status status = icseg_bench_open(&out, &options, NULL, error);
    assert_true((out != NULL) == (status == ICSEG_OK));
    icseg_bench_close(&out);
    return status;
}
CLOSES(icseg_bench_close)
static icseg_status call_icseg_bench_run(icseg_error *error) {
    icseg_bench_result out = {ICSEG_BENCH_RESULT_INIT};
    return icseg_bench_run(bench, &out, error);
}
static icseg_status call_icseg_bench_layers(icseg_error *error) {
    icseg_session_layers layers = {ICSEG_SESSION_LAYERS_INIT};
    return icseg_bench_layers(bench, &layers, error);
}
static icseg_status call_icseg_bench_profile(icseg_error *error) {
    const icseg_bench_row *rows = BAD;
    int32_t count;
    icseg_status status = icseg_bench_profile(bench, ICSEG_BENCH_NODE, &rows, &count, error);
    assert_true((rows != NULL) == (status == ICSEG_OK));
    return status;
}
TELLS(icseg_bench_profile_text, bench, &text)
static icseg_status call_icseg_parity_run(icseg_error *error) {
    icseg_parity_options options = {ICSEG_PARITY_OPTIONS_INIT, .threads = 1};
    icseg_parity_report out = {ICSEG_PARITY_REPORT_INIT};
    return icseg_parity_run(&out, FIXTURE, &options, NULL, error);
}
TELLS(icseg_parity_text, &parity, &text)

/* export.h */
QUIET(icseg_export_format_count, )
QUIET(icseg_export_format_name, ICSEG_EXPORT_COCO)
QUIET(icseg_export_format_description, ICSEG_EXPORT_COCO)
QUIET(icseg_export_format_is_joint, ICSEG_EXPORT_COCO)
QUIET(icseg_export_format_has_runs, ICSEG_EXPORT_COCO)
static icseg_status call_icseg_export_format_find(icseg_error *error) {
    icseg_export_format format;
    return icseg_export_format_find(&format, "coco", error);
}
static icseg_status call_icseg_export_path(icseg_error *error) {
    char *out = BAD;
    icseg_status status = icseg_export_path(ICSEG_EXPORT_PNG, "folder", "a.jpg", &out, error);
    assert_true((out != NULL) == (status == ICSEG_OK));
    icseg_buffer_free(out);
    return status;
}
static icseg_export_options export_options(void) {
    return (icseg_export_options){ICSEG_EXPORT_OPTIONS_INIT,
                                  .format = ICSEG_EXPORT_COCO,
                                  .names = names,
                                  .classes = CLASSES,
                                  .tolerance = 1,
                                  .min_area = 4};
}
static const icseg_export_image export_image = {ICSEG_EXPORT_IMAGE_INIT, .name = "a.jpg", .labels = &labels};
static icseg_status call_icseg_export_open(icseg_error *error) {
    icseg_export_options options = export_options();
    icseg_export *out = BAD;
    icseg_status status = icseg_export_open(&out, path("exported"), &options, error);
    assert_true((out != NULL) == (status == ICSEG_OK));
    if (status == ICSEG_OK) status = icseg_export_add(out, &export_image, error);
    if (status == ICSEG_OK) status = icseg_export_finish(out, error);
    icseg_export_close(&out);
    return status;
}
static icseg_status call_icseg_export_add(icseg_error *error) { return call_icseg_export_open(error); }
static icseg_status call_icseg_export_finish(icseg_error *error) { return call_icseg_export_open(error); }
CLOSES(icseg_export_close)
static icseg_status call_icseg_export_encode(icseg_error *error) {
    icseg_export_options options = export_options();
    void *out = BAD;
    size_t size;
    icseg_status status = icseg_export_encode(&options, &export_image, &out, &size, error);
    assert_true((out != NULL) == (status == ICSEG_OK));
    icseg_buffer_free(out);
    return status;
}

/* dataset.h, import.h */
static icseg_dataset_options dataset_options(void) {
    static char data[PATH_SIZE];
    snprintf(data, sizeof data, "%s/data", folder);
    return (icseg_dataset_options){ICSEG_DATASET_OPTIONS_INIT, .folder = data, .split = "val"};
}
QUIET(icseg_dataset_format_count, )
QUIET(icseg_dataset_format_name, ICSEG_DATASET_FOLDER)
QUIET(icseg_dataset_format_description, ICSEG_DATASET_FOLDER)
QUIET(icseg_dataset_format_layout, ICSEG_DATASET_FOLDER)
static icseg_status call_icseg_dataset_format_find(icseg_error *error) {
    icseg_dataset_format format;
    return icseg_dataset_format_find(&format, "ade20k", error);
}
static icseg_status call_icseg_dataset_splits(icseg_error *error) {
    char **out = BAD;
    int32_t count = 9;
    icseg_status status = icseg_dataset_splits(&out, &count, path("data"), error);
    assert_true((out != NULL) == (status == ICSEG_OK));
    icseg_buffer_free(out);
    return status;
}
static icseg_status call_icseg_dataset_open(icseg_error *error) {
    icseg_dataset_options options = dataset_options();
    icseg_dataset *out = BAD;
    icseg_status status = icseg_dataset_open(&out, &options, error);
    assert_true((out != NULL) == (status == ICSEG_OK));
    icseg_dataset_close(&out);
    return status;
}
CLOSES(icseg_dataset_close)
QUIET(icseg_dataset_count, dataset)
QUIET(icseg_dataset_classes, dataset)
QUIET(icseg_dataset_class_names, dataset)
QUIET(icseg_dataset_class_synonyms, dataset)
QUIET(icseg_dataset_recognised, dataset)
QUIET(icseg_dataset_description, dataset)
QUIET(icseg_dataset_note, dataset, ICSEG_IMAGE_NOTE_DARK, error)
QUIET(icseg_dataset_image_path, dataset, 0)
QUIET(icseg_dataset_label_path, dataset, 0)
static icseg_status call_icseg_dataset_read(icseg_error *error) {
    icseg_image i = {.data = BAD};
    icseg_labels l = {.data = BAD};
    icseg_status status = icseg_dataset_read(dataset, 0, &i, &l, error);
    assert_true((i.data != NULL) == (status == ICSEG_OK) && (l.data != NULL) == (status == ICSEG_OK));
    icseg_image_close(&i);
    icseg_labels_close(&l);
    return status;
}
static icseg_status call_icseg_dataset_next(icseg_error *error) {
    icseg_dataset_sample sample = {ICSEG_DATASET_SAMPLE_INIT};
    bool filled = icseg_dataset_next(dataset, &sample, error);
    icseg_status status = sample.status;
    assert_true(filled == (status == ICSEG_OK) && (sample.image.data != NULL) == (status == ICSEG_OK));
    icseg_dataset_sample_close(&sample);
    return status;
}
CLOSES(icseg_dataset_sample_close)
static icseg_status call_icseg_dataset_check(icseg_error *error) {
    icseg_dataset_check_options options = {ICSEG_DATASET_CHECK_OPTIONS_INIT, .threads = 1, .decode_images = true};
    icseg_dataset_summary out = {ICSEG_DATASET_SUMMARY_INIT};
    icseg_status status = icseg_dataset_check(dataset, &options, NULL, &out, error);
    icseg_dataset_summary_close(&out);
    return status;
}
CLOSES(icseg_dataset_summary_close)
QUIET(icseg_import_format_count, )
QUIET(icseg_import_format_name, ICSEG_IMPORT_VOC)
QUIET(icseg_import_format_description, ICSEG_IMPORT_VOC)
static icseg_status call_icseg_import_format_find(icseg_error *error) {
    icseg_import_format format;
    return icseg_import_format_find(&format, "coco", error);
}
static icseg_status call_icseg_dataset_split(icseg_error *error) {
    icseg_dataset_options data = {ICSEG_DATASET_OPTIONS_INIT, .folder = path("data")};
    icseg_split_options options = {ICSEG_SPLIT_OPTIONS_INIT, .test = 0.5, .threads = 1};
    icseg_split_summary out = {ICSEG_SPLIT_SUMMARY_INIT};
    icseg_status status = icseg_dataset_split(&data, &options, NULL, &out, error);
    assert_true((out.names != NULL) == (status == ICSEG_OK));
    icseg_split_summary_close(&out);
    return status;
}
CLOSES(icseg_split_summary_close)
static icseg_status call_icseg_import_run(icseg_error *error) {
    char source[PATH_SIZE], to[PATH_SIZE];
    snprintf(source, sizeof source, "%s/coco", folder);
    snprintf(to, sizeof to, "%s/imported", folder);
    icseg_import_options options = {ICSEG_IMPORT_OPTIONS_INIT, .source = source, .folder = to};
    icseg_import_summary out = {ICSEG_IMPORT_SUMMARY_INIT};
    icseg_status status = icseg_import_run(&options, NULL, &out, error);
    shell("rm -rf", "imported");
    return status;
}

/* metrics.h, evaluate.h */
FILLS(icseg_confusion_create, icseg_confusion, count, icseg_confusion_close, 5)
CLOSES(icseg_confusion_close)
static icseg_status call_icseg_confusion_add(icseg_error *error) {
    return icseg_confusion_add(&confusion, &labels, &labels, error);
}
static icseg_status call_icseg_metrics_compute(icseg_error *error) {
    icseg_metrics out = {ICSEG_METRICS_INIT, .iou = BAD};
    icseg_status status = icseg_metrics_compute(&out, &confusion, error);
    assert_true((out.iou != NULL) == (status == ICSEG_OK));
    icseg_metrics_close(&out);
    return status;
}
CLOSES(icseg_metrics_close)
TELLS(icseg_metrics_table, &metrics, names, &text)
TELLS(icseg_metrics_json, &metrics, names, &text)
static icseg_status call_icseg_evaluate(icseg_error *error) {
    icseg_confusion out = {.count = BAD};
    icseg_status status = icseg_evaluate(session, dataset, NULL, NULL, &out, error);
    assert_true((out.count != NULL) == (status == ICSEG_OK));
    icseg_confusion_close(&out);
    return status;
}

/* recipe.h */
OPENS(icseg_recipe_open_preset, icseg_recipe *, icseg_recipe_close, "tiny-resnet")
OPENS(icseg_recipe_open, icseg_recipe *, icseg_recipe_close, path("recipe.yaml"))
OPENS(icseg_recipe_open_text, icseg_recipe *, icseg_recipe_close, "a recipe", "model:\n  preset: tiny-resnet\n", 29)
OPENS(icseg_recipe_open_run, icseg_recipe *, icseg_recipe_close, path("old_run"))
CLOSES(icseg_recipe_close)
DOES(icseg_recipe_set, recipe, "data.classes", path("data/classes.txt"))
DOES(icseg_recipe_assign, recipe, "augment.scale=[0.75, 1.5]")
TELLS(icseg_recipe_get, recipe, "data.folder", &text)
DOES(icseg_recipe_check, recipe)
DOES(icseg_recipe_write, recipe, path("written.yaml"))
TELLS(icseg_recipe_text, recipe, &text)
QUIET(icseg_recipe_key_count, )
static icseg_status call_icseg_recipe_key_at(icseg_error *error) {
    icseg_recipe_key key = {ICSEG_RECIPE_KEY_INIT};
    return icseg_recipe_key_at(&key, 0, error);
}

/* report.h, synth.h */
static icseg_status call_icseg_report_write(icseg_error *error) {
    icseg_report_sample sample = {"a", &image, &labels, &labels};
    icseg_report_input input = {ICSEG_REPORT_INPUT_INIT, .title = "title",   .metrics = &metrics,
                                .confusion = &confusion, .classes = CLASSES, .class_names = names,
                                .palette = &palette,     .samples = &sample, .sample_count = 1};
    return icseg_report_write(path("report.html"), &input, error);
}
QUIET(icseg_synth_class_names, )
static icseg_status call_icseg_synth_scene(icseg_error *error) {
    icseg_synth_scene_options options = {ICSEG_SYNTH_SCENE_OPTIONS_INIT, .width = WIDTH, .height = HEIGHT};
    icseg_image i = {.data = BAD};
    icseg_labels l = {.data = BAD};
    icseg_status status = icseg_synth_scene(&options, &i, &l, error);
    assert_true((i.data != NULL) == (status == ICSEG_OK) && (l.data != NULL) == (status == ICSEG_OK));
    icseg_image_close(&i);
    icseg_labels_close(&l);
    return status;
}
static icseg_status write_data(const char *name, icseg_error *error) {
    icseg_synth_options options = {ICSEG_SYNTH_OPTIONS_INIT, .folder = path(name), .train = 2,  .val = 1,
                                   .width = WIDTH,           .height = HEIGHT,     .threads = 1};
    return icseg_synth_write(&options, NULL, error);
}
static icseg_status call_icseg_synth_write(icseg_error *error) {
    icseg_status status = write_data("scenes", error);
    shell("rm -rf", "scenes");
    return status;
}

/* train.h */
static icseg_train_options train_options(void) {
    return (icseg_train_options){ICSEG_TRAIN_OPTIONS_INIT, .out = path("run"), .threads = 1};
}
static icseg_status call_icseg_train(icseg_error *error) {
    icseg_train_options options = train_options();
    options.out = path("other");
    icseg_train_result out = {ICSEG_TRAIN_RESULT_INIT};
    icseg_status status = icseg_train(recipe, &options, NULL, &out, error);
    assert_true((out.metrics != NULL) == (status == ICSEG_OK));
    icseg_train_result_close(&out);
    shell("rm -rf", "other");
    return status;
}
CLOSES(icseg_train_result_close)
DOES(icseg_train_report, path("old_run"), path("data"), NULL)
DOES(icseg_train_index, path(""))
static icseg_status with_trainer(icseg_status (*use)(icseg_trainer *trainer, icseg_error *error), icseg_error *error) {
    icseg_train_options options = train_options();
    options.out = path("other");
    icseg_trainer *out = BAD;
    icseg_status status = icseg_trainer_open(&out, recipe, &options, NULL, error);
    assert_true((out != NULL) == (status == ICSEG_OK));
    if (status == ICSEG_OK && use) status = use(out, error);
    icseg_trainer_close(&out);
    shell("rm -rf", "other");
    return status;
}
static icseg_status call_icseg_trainer_open(icseg_error *error) { return with_trainer(NULL, error); }
CLOSES(icseg_trainer_close)
QUIET(icseg_trainer_due, trainer)
static icseg_status step(icseg_trainer *t, icseg_error *error) {
    icseg_train_step out = {ICSEG_TRAIN_STEP_INIT};
    return icseg_trainer_step(t, &out, error);
}
static icseg_status call_icseg_trainer_step(icseg_error *error) { return with_trainer(step, error); }
static icseg_status call_icseg_trainer_finish(icseg_error *error) { return with_trainer(icseg_trainer_finish, error); }
static icseg_status call_icseg_trainer_evaluate(icseg_error *error) {
    icseg_metrics out = {ICSEG_METRICS_INIT};
    icseg_status status = icseg_trainer_evaluate(trainer, &out, error);
    assert_true((out.iou != NULL) == (status == ICSEG_OK));
    icseg_metrics_close(&out);
    return status;
}
DOES(icseg_trainer_save, trainer)
QUIET(icseg_trainer_model, trainer)
QUIET(icseg_trainer_step_count, trainer)
QUIET(icseg_trainer_total_steps, trainer)
QUIET(icseg_trainer_loss_count, trainer)
QUIET(icseg_trainer_loss_name, trainer, 0)
QUIET(icseg_trainer_best_miou, trainer, NULL)

/* video.h: FFmpeg's own allocations do not fail here */
static icseg_status call_icseg_video_open(icseg_error *error) {
    icseg_video *out = BAD;
    icseg_status status = icseg_video_open(&out, path("none.mp4"), 1, error);
    assert_null(out);
    return status == ICSEG_ERROR_IO || status == ICSEG_ERROR_UNSUPPORTED ? ICSEG_OK : status;
}
static icseg_status call_icseg_camera_open(icseg_error *error) {
    icseg_video *out = BAD;
    icseg_status status = icseg_camera_open(&out, path("none"), NULL, error);
    assert_null(out);
    return status == ICSEG_ERROR_IO || status == ICSEG_ERROR_UNSUPPORTED ? ICSEG_OK : status;
}
static icseg_status call_icseg_camera_counts_of(icseg_error *error) {
    icseg_camera_counts out = {ICSEG_CAMERA_COUNTS_INIT};
    (void)icseg_camera_counts_of(NULL, &out, error);
    return ICSEG_OK;
}
CLOSES(icseg_video_close)
static icseg_status call_icseg_video_info_of(icseg_error *error) {
    icseg_video_info out = {ICSEG_VIDEO_INFO_INIT};
    (void)icseg_video_info_of(NULL, &out, error);
    return ICSEG_OK;
}
static icseg_status call_icseg_video_next(icseg_error *error) {
    icseg_video_frame out = {ICSEG_VIDEO_FRAME_INIT};
    (void)icseg_video_next(NULL, &out, error);
    return ICSEG_OK;
}
CLOSES(icseg_video_frame_close)
static icseg_status call_icseg_video_writer_open(icseg_error *error) {
    icseg_video_writer_options o = {ICSEG_VIDEO_WRITER_OPTIONS_INIT, .path = path("video.avi"), .width = 16,
                                    .height = 16, .rate = 1};
    icseg_video_writer *out = BAD;
    icseg_status status = icseg_video_writer_open(&out, &o, error);
    assert_true((out != NULL) == (status == ICSEG_OK));
    icseg_video_writer_close(&out);
    return status == ICSEG_ERROR_UNSUPPORTED ? ICSEG_OK : status;
}
static icseg_status call_icseg_video_writer_add(icseg_error *error) {
    (void)icseg_video_writer_add(NULL, NULL, error);
    return ICSEG_OK;
}
static icseg_status call_icseg_video_writer_add_at(icseg_error *error) {
    (void)icseg_video_writer_add_at(NULL, NULL, 0, error);
    return ICSEG_OK;
}
static icseg_status call_icseg_video_writer_finish(icseg_error *error) {
    (void)icseg_video_writer_finish(NULL, error);
    return ICSEG_OK;
}
CLOSES(icseg_video_writer_close)

/* -- the table: every public function, as scripts/public_functions.sh lists them (build/public_calls.h) */

static const struct {
    const char *name;
    icseg_status (*call)(icseg_error *error);
} functions[] = {
#define FUNCTION(name) {#name, call_##name},
#include "public_functions.h"
};
enum { FUNCTIONS = sizeof functions / sizeof *functions };

/* -- */

static void write_text(const char *name, const char *text) {
    ok(icseg_file_write(path(name), text, strlen(text), &plain));
}

/* Weights of a small CLIP whose tokens are bytes. */
static void write_clip(void) {
    enum { MAX_ENTRIES = 200 };
    static icseg_safetensors_entry entries[MAX_ENTRIES];
    const icseg_config c = {.backbone = ICSEG_BACKBONE_RESNET,
                            .resnet_layers = {1, 1, 1, 1},
                            .resnet_width = 4,
                            .pos_grid = 2,
                            .embed_dim = 32,
                            .text_width = 64,
                            .text_heads = 1,
                            .text_layers = 1,
                            .vocab_size = 258,
                            .context_length = 48};
    icseg_clip clip;
    float scale = 3;
    ok(icseg_clip_open(&clip, &c, ICSEG_CLIP_BOTH, &plain));
    int64_t count = icseg_params_count(clip.params);
    assert_true(count < MAX_ENTRIES);
    for (int64_t i = 0; i < count; i++) {
        icseg_param *p = icseg_params_at(clip.params, i);
        ok(icseg_param_replace(p, &plain));
        for (int64_t k = 0; k < p->count; k++) p->data[k] = 0.01f * (float)(1 + k % 7);
        entries[i] =
            (icseg_safetensors_entry){p->name, ICSEG_F32, p->file_shape, p->data, (size_t)p->count * sizeof(float)};
    }
    entries[count] = (icseg_safetensors_entry){"logit_scale", ICSEG_F32, {.rank = 0}, &scale, sizeof scale};
    snprintf(clip_weights, sizeof clip_weights, "%s", path("clip.safetensors"));
    ok(icseg_safetensors_write(clip_weights, entries, (size_t)count + 1, NULL, 0, &plain));
    icseg_clip_close(&clip);
}

/* FFmpeg's libraries are loaded now, so that the heap knows them when the first allocation fails. */
static void load_ffmpeg(void) {
    icseg_video_writer_options o = {ICSEG_VIDEO_WRITER_OPTIONS_INIT, .path = path("loaded.avi"), .width = 16,
                                    .height = 16, .rate = 1};
    icseg_video_writer *writer;
    (void)icseg_video_writer_open(&writer, &o, NULL);
    icseg_video_writer_close(&writer);
}

static int open_all(void **state) {
    (void)state;
    if (!mkdtemp(folder)) return -1;
    load_ffmpeg();
    ok(write_data("data", &plain));
    image = test_image(WIDTH, HEIGHT, 1);
    ok(icseg_image_write_jpeg(&image, path("image.jpg"), 90, &plain));
    model = test_model("tiny-resnet", CLASSES, 1);
    names = icseg_model_class_names(model);
    config = *icseg_model_config(model);
    ok(icseg_model_save(model, path("model.safetensors"), &plain));
    session = test_session(model, ICSEG_PRECISION_F32);
    ok(icseg_palette_create(&palette, CLASSES, &plain));
    ok(icseg_session_predict(session, &image, NULL, &labels, NULL, &plain));
    ok(icseg_labels_write_png(&labels, &palette, path("labels.png"), &plain));
    ok(run(&result, &plain));
    ok(icseg_tokenizer_open(&tokenizer, ICSEG_TOKENIZER_BYTES, NULL, &plain));
    write_text("templates.txt", "a photo of a {}.\n");
    ok(icseg_templates_open(&templates, "simple", &plain));
    ok(icseg_class_list_open_published(&class_list, "ade20k", &plain));
    write_clip();
    icseg_classifier_options classify = classifier_options();
    ok(icseg_classifier_open(&classifier, &classify, NULL, &plain));
    ok(icseg_calibrator_open(&calibrator, model, NULL, &plain));
    ok(icseg_calibrator_add(calibrator, &image, &plain));
    icseg_dataset_options data = dataset_options();
    ok(icseg_dataset_open(&dataset, &data, &plain));
    ok(icseg_confusion_create(&confusion, CLASSES, &plain));
    ok(icseg_confusion_add(&confusion, &labels, &labels, &plain));
    ok(icseg_metrics_compute(&metrics, &confusion, &plain));
    icseg_bench_options of_bench = bench_options();
    ok(icseg_bench_open(&bench, &of_bench, NULL, &plain));
    icseg_bench_result bench_result = {ICSEG_BENCH_RESULT_INIT};
    ok(icseg_bench_run(bench, &bench_result, &plain));
    const icseg_parity_options of_parity = {ICSEG_PARITY_OPTIONS_INIT, .threads = 1};
    ok(icseg_parity_run(&parity, FIXTURE, &of_parity, NULL, &plain));
    shell("cp " ICSEG_SOURCE_DIR "/tests/unit/data/clip_merges.txt", "merges.txt");
    shell("mkdir -p", "coco/annotations");
    shell("mkdir -p", "coco/images");
    ok(icseg_image_write_png(&image, path("coco/images/a.png"), &plain));
    write_text("coco/annotations/instances_train.json",
               "{\"images\": [{\"id\": 7, \"file_name\": \"a.png\", \"width\": 64, \"height\": 64}], "
               "\"categories\": [{\"id\": 3, \"name\": \"cat\"}], \"annotations\": [{\"id\": 1, \"image_id\": 7, "
               "\"category_id\": 3, \"segmentation\": [[0, 2, 9, 2, 9, 14, 0, 14]]}]}");
    const char *const tensor_names[] = {"a"};
    float values[6] = {1};
    icseg_tensor tensor;
    const int64_t shape[] = {2, 3};
    ok(icseg_tensor_dense(&tensor, ICSEG_TENSOR_F32, 2, shape, values, &plain));
    ok(icseg_tensors_write(path("tensors.safetensors"), tensor_names, &tensor, 1, &plain));
    ok(icseg_tensor_file_open(&tensor_file, path("tensors.safetensors"), &plain));
    ok(icseg_recipe_open_preset(&recipe, "tiny-resnet", &plain));
    static const char *const set[] = {"train.steps=100",      "train.batch=1",          "train.warmup=0",
                                      "augment.crop=64,64",   "augment.resize_short=0", "model.context_length=40",
                                      "data.loader_threads=1"};
    for (size_t i = 0; i < sizeof set / sizeof *set; i++) ok(icseg_recipe_assign(recipe, set[i], &plain));
    ok(icseg_recipe_set(recipe, "data.folder", path("data"), &plain));
    ok(icseg_recipe_write(recipe, path("recipe.yaml"), &plain));
    icseg_train_options train = train_options();
    ok(icseg_trainer_open(&trainer, recipe, &train, NULL, &plain));
    ok(icseg_recipe_assign(recipe, "train.steps=1", &plain));
    shell("mkdir", "old_run");
    ok(icseg_recipe_write(recipe, path("old_run/recipe.yaml"), &plain));
    write_text("old_run/log.jsonl", "{\"type\": \"start\", \"recipe\": \"tiny.yaml\"}\n");
    return 0;
}

static int close_all(void **state) {
    (void)state;
    icseg_trainer_close(&trainer);
    icseg_recipe_close(&recipe);
    icseg_tensor_file_close(&tensor_file);
    icseg_bench_close(&bench);
    icseg_metrics_close(&metrics);
    icseg_confusion_close(&confusion);
    icseg_dataset_close(&dataset);
    icseg_calibrator_close(&calibrator);
    icseg_classifier_close(&classifier);
    icseg_class_list_close(&class_list);
    icseg_tokenizer_close(&tokenizer);
    icseg_templates_close(&templates);
    icseg_result_close(&result);
    icseg_session_close(&session);
    icseg_model_close(&calibrated);
    icseg_model_close(&model);
    icseg_palette_close(&palette);
    icseg_labels_close(&labels);
    icseg_image_close(&image);
    shell("rm -rf", "");
    return 0;
}

typedef bool fail_after(int64_t n);
static int wrong; /* results */

/* Makes the call with the n-th allocation failing; whether there was one. */
static bool fails(int f, fail_after *hook, int64_t n, const char *caller) {
    icseg_error error = {0};
    hook(n);
    icseg_status status = functions[f].call(&error);
    if (!hook(-1)) {
        if (status != ICSEG_OK) fail_msg("%s: fails when memory suffices: %s", functions[f].name, error.message);
        return false;
    }
    /* Other libraries tolerate some failures. The loader's threads read samples ahead that no step needs. */
    bool unneeded = hook == test_heap_fail_after || !strncmp(functions[f].name, "icseg_train", 11);
    if (status == ICSEG_OK && unneeded) return true;
    if (status != ICSEG_ERROR_MEMORY || error.status != status || !error.message[0]) {
        print_error("%s: without %s allocation %lld: %s, %s\n", functions[f].name, caller, (long long)n,
                    icseg_status_name(status), error.message);
        wrong++;
    }
    return true;
}

/* Lets each allocation fail; of many, the first ones and then some. Returns the number of failures. */
static int64_t starve(int f, fail_after *hook, const char *caller) {
    enum { MANY = 300, FEW = 20 };
    int64_t failures = 0, dense = fails(f, hook, MANY, caller) ? FEW : MANY;
    for (int64_t n = 0; fails(f, hook, n, caller); n += n < dense ? 1 : n / 5) failures++;
    return failures;
}

static void every_function_survives_lack_of_memory(void **state) {
    (void)state;
    const char *only = getenv("ICSEG_FUNCTION");
    for (int f = 0; f < FUNCTIONS; f++) {
        if (only && strcmp(only, functions[f].name)) continue;
        int64_t own = starve(f, icseg_memory_fail_after, "own");
        if (getenv("ICSEG_TELL")) print_message("%s: %d own\n", functions[f].name, (int)own);
        int64_t foreign = starve(f, test_heap_fail_after, "foreign");
        if (getenv("ICSEG_TELL")) print_message("%s: %d own, %d foreign\n", functions[f].name, (int)own, (int)foreign);
    }
    assert_int_equal(wrong, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_function_survives_lack_of_memory)};
    return cmocka_run_group_tests(tests, open_all, close_all);
}
