/* SPDX-License-Identifier: Apache-2.0
 * ONNX files: what was written computes what the model does, and a graph that does not is noticed.
 * tests/python/test_onnx.py runs files with other programs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/memory.h"
#include "icseg/calibrate.h"
#include "icseg/onnx.h"
#include "icseg/open_vocabulary.h"
#include "onnx/graph_writer.h"
#include "onnx/reference.h"
#include "support/models.h"
#include "support/scratch.h"

enum { CLASSES = 9, HEIGHT = 64, WIDTH = 96, LARGEST = 1 << 26 };

typedef struct file {
    unsigned char *bytes;
    Icseg__Onnx__ModelProto *model;
} file;

static file read_file(const char *path) {
    file f;
    size_t size;
    icseg_error error;
    if (icseg_file_read(path, LARGEST, &f.bytes, &size, &error) != ICSEG_OK) fail_msg("%s", error.message);
    f.model = icseg__onnx__model_proto__unpack(NULL, size, f.bytes);
    assert_non_null(f.model);
    return f;
}

static void close_file(file *f) {
    icseg__onnx__model_proto__free_unpacked(f->model, NULL);
    icseg_free(f->bytes);
}

static void export(icseg_model *model, const char *path, const icseg_onnx_options *options) {
    icseg_error error;
    if (icseg_model_export_onnx(model, path, options, NULL, &error) != ICSEG_OK) fail_msg("%s", error.message);
}

static icseg_onnx_reference reference_of(icseg_model *model, bool int8, int64_t batch, int64_t height, int64_t width) {
    icseg_onnx_reference r;
    icseg_error error;
    icseg_status status = icseg_onnx_reference_build(&r, model, int8, batch, height, width, &error);
    if (status == ICSEG_OK) status = icseg_onnx_reference_run(&r, &error);
    if (status != ICSEG_OK) fail_msg("%s", error.message);
    return r;
}

static void assert_same(icseg_model *model, const file *f, int64_t batch, int64_t height, int64_t width) {
    icseg_onnx_reference r = reference_of(model, false, batch, height, width);
    icseg_error error;
    if (icseg_onnx_reference_check(&r, f->model->graph, NULL, &error) != ICSEG_OK) fail_msg("%s", error.message);
    icseg_onnx_reference_close(&r);
}

static void a_file_computes_what_the_model_does(void **state) {
    (void)state;
    static const struct {
        const char *preset, *json;
    } cases[] = {
        {"tiny-resnet", "{}"},
        {"tiny-vit", "{}"},
        {"tiny-resnet", "{\"prompt_source\": \"regions\", \"contrast_memory\": 2}"},
        {"tiny-vit", "{\"prompt_source\": \"global\", \"prompt_depth\": 2}"},
        {"tiny-resnet", "{\"dense_embeddings\": \"values\", \"score_logits\": 0.5}"},
        {"tiny-vit", "{\"dense_embeddings\": \"values\", \"score_logits\": 0.5}"},
        {"tiny-resnet", "{\"align_source\": \"embeddings\"}"},
    };
    const char *path = test_scratch("model.onnx");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        icseg_model *model = test_model_with(cases[i].preset, cases[i].json, CLASSES, 3);
        export(model, path, &(icseg_onnx_options){ICSEG_ONNX_OPTIONS_INIT, .height = 61, .width = 83});
        file f = read_file(path);
        assert_same(model, &f, 1, 61, 83);
        close_file(&f);
        export(model, path, &(icseg_onnx_options){ICSEG_ONNX_OPTIONS_INIT, .dynamic = true});
        f = read_file(path);
        assert_same(model, &f, 3, 96, 32);
        assert_same(model, &f, 1, 128, 160);
        close_file(&f);
        icseg_model_close(&model);
    }
}

static void a_file_computes_the_mean_of_synonyms(void **state) {
    (void)state;
    static const char *const names[] = {"cat", "dog", "tree"}, *const synonyms[] = {"cat, kitten", "dog",
                                                                                    "tree, oak, elm"};
    const char *path = test_scratch("synonyms.onnx");
    icseg_model *model = test_model_of("tiny-resnet", 3, names, synonyms, 4);
    export(model, path, &(icseg_onnx_options){ICSEG_ONNX_OPTIONS_INIT, .height = HEIGHT, .width = WIDTH});
    file f = read_file(path);
    assert_same(model, &f, 1, HEIGHT, WIDTH);
    close_file(&f);
    icseg_model_close(&model);
}

/* The reference is what a session computes, pixel by pixel, also for words of a class. */
static void assert_reference(icseg_model *model, int64_t height, int64_t width) {
    icseg_onnx_reference r = reference_of(model, false, 1, height, width);
    icseg_session *session = test_session(model, ICSEG_PRECISION_F32);
    icseg_image image = {.width = (int32_t)width, .height = (int32_t)height};
    icseg_eval_options whole = {ICSEG_EVAL_OPTIONS_INIT};
    icseg_labels labels;
    icseg_error error;
    int64_t pixels = height * width, equal = 0;
    image.data = icseg_alloc_array((size_t)pixels, 3);
    for (int64_t i = 0; i < 3 * pixels; i++) image.data[i] = r.images[i % 3 * pixels + i / 3];
    if (icseg_session_predict(session, &image, &whole, &labels, NULL, &error) != ICSEG_OK)
        fail_msg("%s", error.message);
    for (int64_t i = 0; i < pixels; i++) equal += labels.data[i] == r.labels[i];
    assert_true((double)equal >= 0.999 * (double)pixels);
    icseg_labels_close(&labels);
    icseg_free(image.data);
    icseg_session_close(&session);
    icseg_onnx_reference_close(&r);
}

static void the_reference_is_what_a_session_computes(void **state) {
    (void)state;
    static const char *const names[] = {"sky", "grass, meadow", "person, man, woman", "dog"};
    static const char *const template[] = {"{}"};
    icseg_open_vocabulary_options options = {ICSEG_OPEN_VOCABULARY_OPTIONS_INIT,
                                             .weights = ICSEG_SOURCE_DIR "/tests/parity/open_patch16.safetensors",
                                             .class_names = names,
                                             .class_count = 4,
                                             .templates = template,
                                             .template_count = 1,
                                             .config = "{\"activation\": \"quick_gelu\"}"};
    icseg_error error;
    icseg_model *model = test_model("tiny-resnet", CLASSES, 5);
    assert_reference(model, 61, 83);
    icseg_model_close(&model);
    if (icseg_model_open_vocabulary(&model, &options, NULL, &error) != ICSEG_OK) fail_msg("%s", error.message);
    const char *path = test_scratch("open.onnx");
    assert_reference(model, HEIGHT, WIDTH);
    export(model, path, &(icseg_onnx_options){ICSEG_ONNX_OPTIONS_INIT, .height = HEIGHT, .width = WIDTH});
    file f = read_file(path);
    assert_same(model, &f, 1, HEIGHT, WIDTH);
    close_file(&f);
    icseg_model_close(&model);
}

/* -- graphs that are not right */

static Icseg__Onnx__NodeProto *find_node(const file *f, const char *type) {
    for (size_t i = 0; i < f->model->graph->n_node; i++)
        if (!strcmp(f->model->graph->node[i]->op_type, type)) return f->model->graph->node[i];
    fail_msg("no %s", type);
    return NULL;
}

static Icseg__Onnx__AttributeProto *find_attribute(const Icseg__Onnx__NodeProto *node, const char *name) {
    for (size_t i = 0; i < node->n_attribute; i++)
        if (!strcmp(node->attribute[i]->name, name)) return node->attribute[i];
    fail_msg("no %s", name);
    return NULL;
}

static Icseg__Onnx__TensorProto *find_tensor(const file *f, const char *name) {
    for (size_t i = 0; i < f->model->graph->n_initializer; i++)
        if (!strcmp(f->model->graph->initializer[i]->name, name)) return f->model->graph->initializer[i];
    fail_msg("no %s", name);
    return NULL;
}

static void swap(void *a, void *b, size_t size) {
    unsigned char kept[64];
    assert_true(size <= sizeof kept);
    memcpy(kept, a, size);
    memcpy(a, b, size);
    memcpy(b, kept, size);
}

static void two_colours_are_swapped(file *f) {
    float *factor = (float *)find_tensor(f, "image.factor")->raw_data.data;
    float *shift = (float *)find_tensor(f, "image.shift")->raw_data.data;
    swap(factor, factor + 2, sizeof *factor);
    swap(shift, shift + 2, sizeof *shift);
}
static void a_bias_is_not_a_number(file *f) {
    memset(find_tensor(f, "decoder.head.conv_seg.bias")->raw_data.data, 0xff, sizeof(float));
}
static void two_classes_are_swapped(file *f) {
    Icseg__Onnx__TensorProto *t = find_tensor(f, "decoder.head.conv_seg.weight");
    size_t row = t->raw_data.len / CLASSES;
    for (size_t i = 0; i < row; i++) swap(t->raw_data.data + i, t->raw_data.data + row + i, 1);
}
static void maps_are_resized_by_corners(file *f) {
    Icseg__Onnx__AttributeProto *a = find_attribute(find_node(f, "Resize"), "coordinate_transformation_mode");
    memcpy(a->s.data, "align_corn", a->s.len);
}
static void an_operator_does_not_exist(file *f) {
    Icseg__Onnx__NodeProto *softmax = find_node(f, "Softmax");
    softmax->op_type[0] = 'H';
}
static void a_node_reads_nothing(file *f) { find_node(f, "MatMul")->input[0][0] ^= 1; }
static void an_axis_is_out_of_range(file *f) { find_attribute(find_node(f, "Concat"), "axis")->i = 7; }
static void a_tensor_is_cut(file *f) { find_tensor(f, "decoder.head.conv_seg.weight")->raw_data.len -= 4; }
static void a_shape_does_not_fit(file *f) {
    Icseg__Onnx__NodeProto *reshape = find_node(f, "Reshape");
    for (size_t i = 0; i < f->model->graph->n_initializer; i++) {
        Icseg__Onnx__TensorProto *t = f->model->graph->initializer[i];
        if (!strcmp(t->name, reshape->input[1])) *(int64_t *)t->raw_data.data = 5;
    }
}

static void a_graph_that_is_not_right_is_noticed(void **state) {
    (void)state;
    static const struct {
        void (*change)(file *f);
        const char *message;
    } all[] = {{two_colours_are_swapped, "does not compute what the model does"},
               {a_bias_is_not_a_number, "does not compute what the model does"},
               {two_classes_are_swapped, "does not compute what the model does"},
               {maps_are_resized_by_corners, "(Resize) is not valid"},
               {an_operator_does_not_exist, "this operator is not known"},
               {a_node_reads_nothing, "(MatMul) is not valid"},
               {an_axis_is_out_of_range, "(Concat) is not valid"},
               {a_tensor_is_cut, "decoder.head.conv_seg.weight has the wrong size"},
               {a_shape_does_not_fit, "(Reshape) is not valid"}};
    const char *path = test_scratch("changed.onnx");
    icseg_model *model = test_model("tiny-resnet", CLASSES, 4);
    icseg_onnx_reference r = reference_of(model, false, 1, HEIGHT, WIDTH);
    export(model, path, &(icseg_onnx_options){ICSEG_ONNX_OPTIONS_INIT, .height = HEIGHT, .width = WIDTH});
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        icseg_error error = {0};
        file f = read_file(path);
        all[i].change(&f);
        assert_int_equal(icseg_onnx_reference_check(&r, f.model->graph, NULL, &error), ICSEG_ERROR_INTERNAL);
        if (!strstr(error.message, all[i].message)) fail_msg("%zu: %s", i, error.message);
        close_file(&f);
    }
    icseg_onnx_reference_close(&r);
    icseg_model_close(&model);
}

/* -- INT8 */

/* Closes the model. */
static icseg_model *calibrate(icseg_model *model) {
    icseg_model *made;
    icseg_image image = test_image(WIDTH, HEIGHT, 1);
    icseg_calibrator *calibrator;
    icseg_error error;
    icseg_status status = icseg_calibrator_open(&calibrator, model, NULL, &error);
    if (status == ICSEG_OK) status = icseg_calibrator_add(calibrator, &image, &error);
    if (status == ICSEG_OK) status = icseg_calibrator_model(calibrator, &made, &error);
    if (status != ICSEG_OK) fail_msg("%s", error.message);
    icseg_calibrator_close(&calibrator);
    icseg_image_close(&image);
    icseg_model_close(&model);
    return made;
}

static icseg_model *calibrated(const char *preset) { return calibrate(test_model(preset, CLASSES, 7)); }

static int count_nodes(const file *f, const char *type) {
    int count = 0;
    for (size_t i = 0; i < f->model->graph->n_node; i++) count += !strcmp(f->model->graph->node[i]->op_type, type);
    return count;
}

/* The first initialiser whose name ends in `end`. */
static Icseg__Onnx__TensorProto *tensor_ending(const file *f, const char *end) {
    for (size_t i = 0; i < f->model->graph->n_initializer; i++) {
        Icseg__Onnx__TensorProto *t = f->model->graph->initializer[i];
        size_t length = strlen(t->name), wanted = strlen(end);
        if (length > wanted && !strcmp(t->name + length - wanted, end)) return t;
    }
    fail_msg("no tensor ends in %s", end);
    return NULL;
}

static void layers_are_quantised_on_request(void **state) {
    (void)state;
    static const char *const presets[] = {"tiny-resnet", "tiny-vit"};
    const char *path = test_scratch("int8.onnx");
    for (int i = 0; i < 2; i++) {
        icseg_model *model = calibrated(presets[i]);
        icseg_error error;
        export(model, path,
               &(icseg_onnx_options){ICSEG_ONNX_OPTIONS_INIT, .height = HEIGHT, .width = WIDTH, .int8 = true});
        file f = read_file(path);
        int quantised = count_nodes(&f, "QuantizeLinear"), restored = count_nodes(&f, "DequantizeLinear");
        assert_true(quantised > 10 && restored > 2 * quantised); /* inputs, weights and biases */
        icseg_onnx_reference r = reference_of(model, true, 1, HEIGHT, WIDTH);
        if (icseg_onnx_reference_check(&r, f.model->graph, NULL, &error) != ICSEG_OK) fail_msg("%s", error.message);
        float *scale = (float *)(void *)tensor_ending(&f, "weight.scale")->raw_data.data;
        for (size_t o = 0; o < tensor_ending(&f, "weight.scale")->raw_data.len / sizeof *scale; o++) scale[o] *= -1;
        assert_int_equal(icseg_onnx_reference_check(&r, f.model->graph, NULL, &error), ICSEG_ERROR_INTERNAL);
        icseg_onnx_reference_close(&r);
        close_file(&f);
        export(model, path, &(icseg_onnx_options){ICSEG_ONNX_OPTIONS_INIT, .height = HEIGHT, .width = WIDTH});
        f = read_file(path);
        assert_int_equal(count_nodes(&f, "QuantizeLinear"), 0);
        close_file(&f);
        icseg_model_close(&model);
    }
}

/* The features and the score map that a convolution of the neck reads have a convolution each. */
static void parts_of_joined_inputs_have_ranges_of_their_own(void **state) {
    (void)state;
    const char *path = test_scratch("int8.onnx"), *const names[] = {"sky", "road"};
    icseg_config config = {ICSEG_CONFIG_INIT};
    icseg_error error;
    icseg_model *model;
    if (icseg_config_preset(&config, "tiny-resnet", &error) != ICSEG_OK) fail_msg("%s", error.message);
    config.vocab_size = 258;
    config.num_classes = 2;
    config.fpn_dim = 32; /* fewer channels stay f32 */
    const icseg_model_options options = {ICSEG_MODEL_OPTIONS_INIT, .config = &config, .class_names = names, .seed = 1};
    if (icseg_model_create(&model, &options, &error) != ICSEG_OK) fail_msg("%s", error.message);
    model = calibrate(model);
    export(model, path, &(icseg_onnx_options){ICSEG_ONNX_OPTIONS_INIT, .height = HEIGHT, .width = WIDTH, .int8 = true});
    file f = read_file(path);
    const Icseg__Onnx__TensorProto *part = tensor_ending(&f, "lateral_convs.1.conv.weight.part2");
    assert_true(part->n_dims == 4 && part->dims[0] == 32 && part->dims[1] == 2);
    for (size_t i = 0; i < f.model->graph->n_node; i++) {
        const Icseg__Onnx__NodeProto *node = f.model->graph->node[i];
        bool joins = !strcmp(node->op_type, "Concat") && node->n_input == 2 && strstr(node->input[1], "align.");
        assert_false(joins); /* none is left */
    }
    icseg_onnx_reference r = reference_of(model, true, 1, HEIGHT, WIDTH);
    if (icseg_onnx_reference_check(&r, f.model->graph, NULL, &error) != ICSEG_OK) fail_msg("%s", error.message);
    float *scale = (float *)(void *)tensor_ending(&f, "lateral_convs.1.conv.weight.part1.scale")->raw_data.data;
    for (int o = 0; o < 32; o++) scale[o] *= -20;
    assert_int_equal(icseg_onnx_reference_check(&r, f.model->graph, NULL, &error), ICSEG_ERROR_INTERNAL);
    icseg_onnx_reference_close(&r);
    close_file(&f);
    icseg_model_close(&model);
}

static void a_model_without_a_calibration_cannot_be_int8(void **state) {
    (void)state;
    icseg_model *model = test_model("tiny-resnet", CLASSES, 4);
    const icseg_onnx_options options = {ICSEG_ONNX_OPTIONS_INIT, .int8 = true};
    icseg_error error;
    assert_int_equal(icseg_model_export_onnx(model, test_scratch("no.onnx"), &options, NULL, &error),
                     ICSEG_ERROR_ARGUMENT);
    assert_string_equal(error.field, "int8");
    assert_int_equal(error.remedy, ICSEG_REMEDY_CALIBRATE);
    icseg_model_close(&model);
}

/* -- progress */

typedef struct reported {
    double done, total;
    int stages; /* that reached their total */
} reported;

static bool note_progress(void *user, const icseg_progress_event *event) {
    reported *r = user;
    r->done = event->done;
    r->total = event->total;
    r->stages += event->done == event->total;
    return true;
}

/* A dynamic graph is checked with images of two sizes. */
static void the_progress_of_an_export_reaches_its_end(void **state) {
    (void)state;
    const char *path = test_scratch("progress.onnx");
    icseg_model *model = test_model("tiny-resnet", CLASSES, 6);
    for (int dynamic = 0; dynamic < 2; dynamic++) {
        reported r = {0};
        icseg_error error;
        icseg_progress progress = {ICSEG_PROGRESS_INIT, .report = note_progress, .user = &r};
        const icseg_onnx_options options = {ICSEG_ONNX_OPTIONS_INIT, .dynamic = dynamic};
        if (icseg_model_export_onnx(model, path, &options, &progress, &error) != ICSEG_OK)
            fail_msg("%s", error.message);
        if (!(r.total > 0 && r.done == r.total)) fail_msg("the last report is %g of %g", r.done, r.total);
        assert_int_equal(r.stages, 1 + dynamic);
    }
    icseg_model_close(&model);
}

/* -- cancelling */

static bool third_call(void *user, const icseg_progress_event *event) {
    int *calls = user;
    assert_string_equal(event->stage, "check");
    return ++*calls < 3;
}

static void an_export_that_is_cancelled_leaves_the_old_file(void **state) {
    (void)state;
    const char *path = test_scratch("cancelled.onnx");
    int calls = 0;
    icseg_progress progress = {ICSEG_PROGRESS_INIT, .report = third_call, .user = &calls};
    const icseg_onnx_options options = {ICSEG_ONNX_OPTIONS_INIT, .height = HEIGHT, .width = WIDTH};
    icseg_model *model = test_model("tiny-vit", CLASSES, 6);
    icseg_error error = {0};
    assert_int_equal(icseg_file_write(path, "old", 3, &error), ICSEG_OK);
    assert_int_equal(icseg_model_export_onnx(model, path, &options, &progress, &error), ICSEG_ERROR_CANCELLED);
    if (!strstr(error.message, "stopped after 2 of ")) fail_msg("%s", error.message);
    assert_int_equal(calls, 3);
    unsigned char *bytes;
    size_t size;
    assert_int_equal(icseg_file_read(path, LARGEST, &bytes, &size, &error), ICSEG_OK);
    assert_int_equal(size, 3);
    icseg_free(bytes);
    icseg_model_close(&model);
}

/* -- the writer */

static void a_graph_that_is_too_large_is_an_error(void **state) {
    (void)state;
    static const float values[6];
    icseg_onnx_writer w = {.most_bytes = 40};
    icseg_error error = {0};
    assert_int_equal(icseg_arena_open(&w.arena, &error), ICSEG_OK);
    assert_non_null(icseg_onnx_initializer(&w, "a", ICSEG_ONNX_FLOAT, ICSEG_SHAPE(6), values));
    assert_null(icseg_onnx_initializer(&w, "b", ICSEG_ONNX_FLOAT, ICSEG_SHAPE(6), values));
    assert_null(icseg_onnx_graph(&w, "graph"));
    assert_int_equal(icseg_onnx_status(&w, &error), ICSEG_ERROR_UNSUPPORTED);
    assert_non_null(strstr(error.message, "less than 2 GiB"));
    icseg_arena_close(&w.arena);
}

static void names_are_unique_and_the_first_error_stays(void **state) {
    (void)state;
    icseg_onnx_writer w = {0};
    icseg_error error = {0};
    assert_int_equal(icseg_arena_open(&w.arena, &error), ICSEG_OK);
    assert_string_equal(ICSEG_ONNX_NODE(&w, "x", "Relu", "image"), "x");
    assert_string_equal(ICSEG_ONNX_NODE(&w, "x", "Relu", "x"), "x.2");
    assert_string_equal(icseg_onnx_another_output(&w, "x"), "x.3");
    const float one[] = {1, 1}, other[] = {1, 2};
    const char *weights = icseg_onnx_initializer(&w, "weights", 1, ICSEG_SHAPE(2), one);
    assert_string_equal(weights, "weights");
    assert_ptr_equal(icseg_onnx_initializer(&w, "weights", 1, ICSEG_SHAPE(2), &(const float[]){1, 1}), weights);
    assert_string_equal(icseg_onnx_initializer(&w, "weights", 1, ICSEG_SHAPE(2), other), "weights.2");
    assert_string_equal(icseg_onnx_initializer(&w, "weights", 1, ICSEG_SHAPE(1, 2), one), "weights.3");
    assert_string_equal(icseg_onnx_initializer(&w, "x", 1, ICSEG_SHAPE(2), one), "x.4");
    assert_ptr_equal(ICSEG_ONNX_VECTOR(&w, 0, -1), ICSEG_ONNX_VECTOR(&w, 0, -1));
    assert_ptr_equal(icseg_onnx_scalar(&w, 0.1f), icseg_onnx_scalar(&w, 0.1f));
    assert_null(ICSEG_ONNX_NODE(&w, "y", "Add", "x", NULL));
    assert_null(ICSEG_ONNX_NODE(&w, "z", "Relu", "x"));
    assert_int_equal(icseg_onnx_status(&w, &error), ICSEG_ERROR_INTERNAL);
    assert_string_equal(error.message, "y: input 1 of Add is missing");
    icseg_arena_close(&w.arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_computes_what_the_model_does),
        cmocka_unit_test(a_file_computes_the_mean_of_synonyms),
        cmocka_unit_test(the_reference_is_what_a_session_computes),
        cmocka_unit_test(a_graph_that_is_not_right_is_noticed),
        cmocka_unit_test(layers_are_quantised_on_request),
        cmocka_unit_test(parts_of_joined_inputs_have_ranges_of_their_own),
        cmocka_unit_test(a_model_without_a_calibration_cannot_be_int8),
        cmocka_unit_test(the_progress_of_an_export_reaches_its_end),
        cmocka_unit_test(an_export_that_is_cancelled_leaves_the_old_file),
        cmocka_unit_test(a_graph_that_is_too_large_is_an_error),
        cmocka_unit_test(names_are_unique_and_the_first_error_stays),
    };
    return cmocka_run_group_tests(tests, test_scratch_open, test_scratch_close);
}
