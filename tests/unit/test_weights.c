/* SPDX-License-Identifier: Apache-2.0
 * weights: every container and naming against sums by PyTorch (tests/weights, made by reference/make_weights.py),
 * inference, conversion and back, and starting a model from them. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "model/config.h"
#include "base/file.h"
#include "base/memory.h"
#include "icseg/memory.h"
#include "icseg/weights.h"
#include "inference/session.h"
#include "support/scratch.h"
#include "tensor/safetensors.h"
#include "text/tokenizer.h"
#include "weights/internal.h"

#define FIXTURES ICSEG_SOURCE_DIR "/tests/weights/"

static const char *first, *second;
static icseg_error error;

static int open_folder(void **state) {
    if (test_scratch_open(state)) return -1;
    first = test_scratch("first.safetensors");
    second = test_scratch("second.safetensors");
    return 0;
}

#define OK(call)                                                                                                       \
    do {                                                                                                               \
        if ((call) != ICSEG_OK) fail_msg("%s", error.message);                                                         \
    } while (0)

static void refuses(icseg_status got, icseg_status wanted, const char *because) {
    if (got != wanted || !strstr(error.message, because))
        fail_msg("status %s, \"%s\" lacks \"%s\"", icseg_status_name(got), error.message, because);
}

static char *read_text(const char *path) {
    unsigned char *data;
    size_t size;
    OK(icseg_file_read(path, 1 << 20, &data, &size, &error));
    return (char *)data;
}

static float *read_entry(const icseg_weights_entry *entry) {
    float *values = icseg_alloc_array((size_t)icseg_shape_count(entry->shape), sizeof *values);
    assert_non_null(values);
    assert_int_equal(icseg_weights_read(entry, values, NULL), ICSEG_OK);
    return values;
}

/* ------------------------------------------------------------------------------------------ containers and namings */

/* One line of a .sums file: name, shape, sum, sum weighted by position. */
static void check_line(const icseg_weights *w, const char *line) {
    char name[200], shape[100], ours[100] = "";
    double sum, weighted, s = 0, p = 0, size = 0;
    assert_int_equal(sscanf(line, "%199s %99s %lf %lf", name, shape, &sum, &weighted), 4);
    const icseg_weights_entry *entry = icseg_weights_find(w, name);
    if (!entry) fail_msg("%s is missing", name);
    for (int i = 0; i < entry->shape.rank; i++)
        snprintf(ours + strlen(ours), sizeof ours - strlen(ours), "%s%d", i ? "x" : "", (int)entry->shape.dim[i]);
    assert_string_equal(entry->shape.rank ? ours : "scalar", shape);
    float *values = read_entry(entry);
    for (int64_t i = 0; i < icseg_shape_count(entry->shape); i++) {
        s += (double)values[i];
        p += (double)values[i] * ((double)(i % 97) / 97);
        size += fabs((double)values[i]);
    }
    icseg_free(values);
    if (fabs(s - sum) > 1e-6 * (size + 1) || fabs(p - weighted) > 1e-6 * (size + 1))
        fail_msg("%s: sums %g %g, expected %g %g", name, s, p, sum, weighted);
}

static void check_sums(const char *file, const char *sums, const char *container, const char *naming) {
    char path[300];
    icseg_weights *w;
    size_t lines = 0;
    snprintf(path, sizeof path, FIXTURES "%s", file);
    OK(icseg_weights_open(&w, path, &error));
    assert_string_equal(icseg_weights_container(w), container);
    assert_string_equal(icseg_weights_naming(w), naming);
    snprintf(path, sizeof path, FIXTURES "%s", sums);
    char *text = read_text(path);
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"), lines++) check_line(w, line);
    icseg_free(text);
    assert_int_equal(icseg_weights_count(w), lines);
    assert_int_equal(icseg_weights_foreign_count(w), 0);
    assert_false(icseg_weights_has_decoder(w));
    icseg_weights_close(&w);
    assert_null(w);
}

static void torchscript_archives_of_openai_are_read(void **state) {
    (void)state;
    check_sums("openai_resnet.pt", "resnet_f16.sums", "TorchScript archive", "OpenAI");
}

static void the_container_before_1_6_is_read_with_its_views_and_wrappers(void **state) {
    (void)state;
    check_sums("open_clip_vit_legacy.pt", "vit_f16.sums", "PyTorch file (before 1.6)", "OpenAI");
}

static void hugging_face_shards_are_joined_and_transposed(void **state) {
    (void)state;
    check_sums("huggingface_vit", "vit_bf16.sums", "safetensors", "Hugging Face");
    check_sums("huggingface_vit/model.safetensors.index.json", "vit_bf16.sums", "safetensors", "Hugging Face");
}

static void the_architecture_is_inferred_from_shapes(void **state) {
    (void)state;
    icseg_weights *w;
    icseg_config c = icseg_config_default();
    OK(icseg_weights_open(&w, FIXTURES "openai_resnet.pt", &error));
    OK(icseg_weights_infer(w, &c, &error));
    icseg_weights_close(&w);
    assert_int_equal(c.backbone, ICSEG_BACKBONE_RESNET);
    for (int i = 0; i < 4; i++) assert_int_equal(c.resnet_layers[i], 1);
    assert_true(c.resnet_width == 2 && c.pos_grid == 2 && c.embed_dim == 8 && c.text_width == 8 && c.text_layers == 1 &&
                c.vocab_size == 32 && c.context_length == 12);
    OK(icseg_weights_open(&w, FIXTURES "denseclip_vit.pth", &error));
    OK(icseg_weights_infer(w, &c, &error));
    assert_true(c.backbone == ICSEG_BACKBONE_VIT && c.vit_patch == 16 && c.vit_width == 8 && c.vit_layers == 4 &&
                c.prompt == ICSEG_PROMPT_STATIC && c.prompt_tokens == 3 && c.post_prompt && c.post_width == 8 &&
                c.post_layers == 1 && c.num_classes == 3 && c.fpn_dim == 4 && c.contrast_weight == 0);
    assert_true(!c.align[0] && !c.align[1] && c.align[2] && !c.align[3]);
    size_t count;
    assert_string_equal(icseg_weights_classes(w, &count)[2], "sky");
    assert_int_equal(count, 3);
    assert_string_equal(icseg_weights_foreign_at(w, 0), "identity_head.extra");
    icseg_weights_close(&w);
}

/* ------------------------------------------------------------------------------------------------------ conversion */

static void convert(const char *source, const char *out, icseg_weights_convert_options options) {
    options.struct_size = sizeof options;
    char *summary;
    OK(icseg_weights_convert(source, out, &options, &summary, &error));
    assert_non_null(strstr(summary, out));
    icseg_buffer_free(summary);
}

/* The image of reference/make_weights.py: (64, 48, 3). */
static void make_image(float *out, int h, int w) {
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            for (int c = 0; c < 3; c++) *out++ = (float)((7 * y + 13 * x + 29 * c + (y * x) % 11) % 64) / 32 - 1;
}

static void a_denseclip_checkpoint_gives_the_references_logits(void **state) {
    (void)state;
    enum { H = 64, W = 48, K = 3, AREA = H * W / 16 };
    icseg_model *model;
    icseg_session *session;
    icseg_prepared_network *n;
    icseg_safetensors *reference;
    static float image[H * W * 3], expected[K * AREA];
    char *tokens = read_text(FIXTURES "denseclip_vit.tokens.json"), *config = read_text(FIXTURES "denseclip_vit.json");
    convert(FIXTURES "denseclip_vit.pth", first,
            (icseg_weights_convert_options){ICSEG_WEIGHTS_CONVERT_OPTIONS_INIT, .tokens = tokens, .config = config});
    icseg_free(tokens);
    icseg_free(config);
    OK(icseg_model_open(&model, first, &error));
    assert_string_equal(icseg_model_class_names(model)[1], "tree");
    icseg_network_options options = {.batch = 1, .height = H, .width = W, .keep = ICSEG_KEEP_OUTPUTS};
    OK(icseg_session_open(&session, model, NULL, &error));
    OK(icseg_session_network(session, &options, &n, &error));
    make_image(image, H, W);
    icseg_executor_bind(n->executor, n->network.image, image);
    OK(icseg_executor_run(n->executor, 0, 0, &error));
    const float *logits = icseg_executor_data(n->executor, n->network.logits); /* (1, h, w, K) */
    OK(icseg_safetensors_open(&reference, FIXTURES "denseclip_vit.expected.safetensors", &error));
    OK(icseg_safetensors_read_f32(reference, "logits", ICSEG_SHAPE(1, K, H / 4, W / 4), expected, &error));
    double difference = 0, norm = 0;
    for (int i = 0; i < AREA; i++)
        for (int k = 0; k < K; k++) {
            double theirs = (double)expected[k * AREA + i], ours = (double)logits[i * K + k];
            difference += (ours - theirs) * (ours - theirs);
            norm += theirs * theirs;
        }
    assert_true(norm > 1e-3);
    if (!(sqrt(difference / norm) <= 1e-4)) fail_msg("relative difference %g", sqrt(difference / norm));
    icseg_safetensors_close(&reference);
    icseg_session_close(&session);
    icseg_model_close(&model);
}

static void assert_same_file(const char *a, const char *b) {
    unsigned char *x, *y;
    size_t size_x, size_y;
    OK(icseg_file_read(a, 1 << 20, &x, &size_x, &error));
    OK(icseg_file_read(b, 1 << 20, &y, &size_y, &error));
    assert_int_equal(size_x, size_y);
    assert_memory_equal(x, y, size_x);
    icseg_free(x);
    icseg_free(y);
}

static void conversion_to_other_names_and_back_loses_nothing(void **state) {
    (void)state;
    static const icseg_naming namings[] = {ICSEG_NAMING_OPENAI, ICSEG_NAMING_HUGGINGFACE};
    for (int i = 0; i < 2; i++) {
        char third[100];
        snprintf(third, sizeof third, "%s/third.safetensors", test_scratch_folder);
        convert(FIXTURES "open_clip_vit_legacy.pt", first,
                (icseg_weights_convert_options){ICSEG_WEIGHTS_CONVERT_OPTIONS_INIT, .type = ICSEG_WEIGHTS_F16});
        convert(FIXTURES "open_clip_vit_legacy.pt", second,
                (icseg_weights_convert_options){ICSEG_WEIGHTS_CONVERT_OPTIONS_INIT, .naming = namings[i]});
        convert(second, third,
                (icseg_weights_convert_options){ICSEG_WEIGHTS_CONVERT_OPTIONS_INIT, .type = ICSEG_WEIGHTS_F16});
        assert_same_file(first, third);
        unlink(third);
    }
}

static void exports_have_the_names_and_shapes_of_their_library(void **state) {
    (void)state;
    icseg_safetensors *st;
    convert(FIXTURES "open_clip_vit_legacy.pt", first,
            (icseg_weights_convert_options){ICSEG_WEIGHTS_CONVERT_OPTIONS_INIT, .naming = ICSEG_NAMING_HUGGINGFACE,
                                            .type = ICSEG_WEIGHTS_BF16});
    OK(icseg_safetensors_open(&st, first, &error));
    const icseg_safetensors_entry *q =
        icseg_safetensors_find(st, "vision_model.encoder.layers.3.self_attn.q_proj.weight");
    assert_non_null(q);
    assert_int_equal(q->dtype, ICSEG_BF16);
    assert_true(icseg_shape_equal(q->shape, ICSEG_SHAPE(8, 8)));
    q = icseg_safetensors_find(st, "vision_model.encoder.layers.3.self_attn.q_proj.bias");
    assert_non_null(q);
    assert_int_equal(q->dtype, ICSEG_F32);
    assert_true(icseg_shape_equal(q->shape, ICSEG_SHAPE(8)));
    assert_non_null(icseg_safetensors_find(st, "vision_model.pre_layrnorm.weight"));
    assert_non_null(icseg_safetensors_find(st, "logit_scale"));
    assert_null(icseg_safetensors_find(st, "visual.proj"));
    assert_string_equal(icseg_safetensors_metadata(st, "format"), "pt");
    icseg_safetensors_close(&st);
    icseg_weights_convert_options wrong = {ICSEG_WEIGHTS_CONVERT_OPTIONS_INIT, .naming = ICSEG_NAMING_HUGGINGFACE};
    refuses(icseg_weights_convert(FIXTURES "openai_resnet.pt", first, &wrong, NULL, &error), ICSEG_ERROR_UNSUPPORTED,
            "no names for CLIP's ResNets");
}

static void a_segmentation_model_needs_names_and_tokens(void **state) {
    (void)state;
    const char *names[] = {"a", "b"};
    icseg_weights_convert_options options = {ICSEG_WEIGHTS_CONVERT_OPTIONS_INIT};
    refuses(icseg_weights_convert(FIXTURES "denseclip_vit.pth", first, &options, NULL, &error), ICSEG_ERROR_IO,
            "does not contain a vocabulary");
    options.tokens = "[[1], [2], [99]]";
    refuses(icseg_weights_convert(FIXTURES "denseclip_vit.pth", first, &options, NULL, &error), ICSEG_ERROR_ARGUMENT,
            "\"sky\": ids must be integers in 0..31");
    options.tokens = "[[1], [], [2]]";
    refuses(icseg_weights_convert(FIXTURES "denseclip_vit.pth", first, &options, NULL, &error), ICSEG_ERROR_ARGUMENT,
            "tokens of class \"tree\": expected a list of ids");
    options.tokens = "[[1], [2]]";
    refuses(icseg_weights_convert(FIXTURES "denseclip_vit.pth", first, &options, NULL, &error), ICSEG_ERROR_ARGUMENT,
            "tokens: expected a JSON list of 3 lists of ids");
    options.tokens = "[[1], oops";
    refuses(icseg_weights_convert(FIXTURES "denseclip_vit.pth", first, &options, NULL, &error), ICSEG_ERROR_ARGUMENT,
            "tokens: not JSON: invalid token near 'oops' at byte ");
    options.class_names = names;
    options.class_count = 2;
    refuses(icseg_weights_convert(FIXTURES "denseclip_vit.pth", first, &options, NULL, &error), ICSEG_ERROR_ARGUMENT,
            "3 classes, but 2 names");
}

/* The DenseCLIP fixture, and two tensors that sort before those of its image encoder. */
static void write_denseclip_with_more(const char *to) {
    enum { MAX_ENTRIES = 400 };
    static const float more[4] = {4.6f, 1, 2, 3};
    icseg_safetensors_entry entries[MAX_ENTRIES];
    icseg_weights *w;
    OK(icseg_weights_open(&w, FIXTURES "denseclip_vit.pth", &error));
    size_t count = w->tensor_count;
    assert_true(count + 2 <= MAX_ENTRIES);
    for (size_t i = 0; i < count; i++) {
        const icseg_weights_tensor *t = &w->tensors[i];
        const icseg_weights_entry alone = {.name = t->name, .shape = t->shape, .parts = 1, .part = {*t}};
        size_t bytes = (size_t)icseg_shape_bytes(t->shape, ICSEG_F32);
        entries[i] = (icseg_safetensors_entry){t->name, ICSEG_F32, t->shape, read_entry(&alone), bytes};
    }
    entries[count] = (icseg_safetensors_entry){"text_encoder.logit_scale", ICSEG_F32, {.rank = 0}, more, 4};
    entries[count + 1] = (icseg_safetensors_entry){"decode_head.foo", ICSEG_F32, ICSEG_SHAPE(3), more + 1, 12};
    OK(icseg_safetensors_write(to, entries, count + 2, NULL, 0, &error));
    for (size_t i = 0; i < count; i++) icseg_free((void *)entries[i].data);
    icseg_weights_close(&w);
}

static void a_file_that_does_not_name_its_classes_needs_their_names(void **state) {
    (void)state;
    icseg_weights_convert_options options = {ICSEG_WEIGHTS_CONVERT_OPTIONS_INIT, .tokens = "[[1], [2], [3]]"};
    write_denseclip_with_more(second);
    refuses(icseg_weights_convert(second, first, &options, NULL, &error), ICSEG_ERROR_ARGUMENT,
            "the file does not name its 3 classes; give the names");
}

static void tensors_that_the_model_does_not_have_change_nothing(void **state) {
    (void)state;
    static const char *const names[] = {"wall", "tree", "sky"};
    const char *third = test_scratch("third.safetensors");
    icseg_weights_convert_options options = {ICSEG_WEIGHTS_CONVERT_OPTIONS_INIT, .class_names = names, .class_count = 3,
                                             .tokens = "[[5, 6], [7], [8, 9, 10]]",
                                             .config = "{\"vit_heads\": 2, \"text_heads\": 2, \"post_heads\": 2}"};
    convert(FIXTURES "denseclip_vit.pth", first, options);
    write_denseclip_with_more(second);
    convert(second, third, options);
    assert_same_file(first, third);
    unlink(third);
}

static void a_first_row_that_does_not_fit_is_not_added(void **state) {
    (void)state;
    icseg_weights *w;
    float values[5 * 8];
    OK(icseg_weights_open(&w, FIXTURES "denseclip_vit.pth", &error));
    icseg_weights_entry positions = *icseg_weights_find(w, "visual.positional_embedding");
    assert_non_null(positions.first_row);
    assert_true(icseg_shape_equal(positions.shape, ICSEG_SHAPE(5, 8)));
    positions.first_row = &icseg_weights_find(w, "visual.conv1.weight")->part[0];
    refuses(icseg_weights_read(&positions, values, &error), ICSEG_ERROR_INTERNAL,
            "visual.positional_embedding: backbone.conv1.weight does not have the shape of its rows");
    icseg_weights_close(&w);
}

static void a_shorter_context_takes_the_first_positions(void **state) {
    (void)state;
    icseg_weights *w;
    icseg_model *model;
    convert(FIXTURES "denseclip_vit.pth", first,
            (icseg_weights_convert_options){ICSEG_WEIGHTS_CONVERT_OPTIONS_INIT, .tokens = "[[5, 6], [7], [8, 9, 10]]",
                                            .config = "{\"vit_heads\": 2, \"text_heads\": 2, \"post_heads\": 2, "
                                                      "\"context_length\": 9}"});
    OK(icseg_model_open(&model, first, &error));
    assert_int_equal(icseg_model_config(model)->context_length, 9);
    OK(icseg_params_load(model->params, &error));
    OK(icseg_weights_open(&w, FIXTURES "denseclip_vit.pth", &error));
    const icseg_weights_entry *table = icseg_weights_find(w, "positional_embedding");
    assert_true(icseg_shape_equal(table->shape, ICSEG_SHAPE(12, 8)));
    float *all = read_entry(table);
    assert_memory_equal(icseg_params_find(model->params, "positional_embedding")->data, all, 9 * 8 * sizeof(float));
    icseg_free(all);
    icseg_weights_close(&w);
    icseg_model_close(&model);
}

/* ------------------------------------------------------------------------------------------------------ the report */

/* Rewrites a converted file with `change` applied to each entry; returning false leaves the tensor out. */
static void rewrite(const char *from, const char *to, bool (*change)(icseg_safetensors_entry *entry)) {
    icseg_safetensors *st;
    icseg_safetensors_entry kept[400];
    size_t count = 0, size, offset;
    unsigned char *bytes;
    OK(icseg_safetensors_open(&st, from, &error));
    OK(icseg_file_read(from, 1 << 28, &bytes, &size, &error));
    for (size_t i = 0; i < icseg_safetensors_count(st); i++) {
        const icseg_safetensors_entry *entry = icseg_safetensors_at(st, i);
        icseg_safetensors_locate(st, entry, &offset);
        kept[count] = *entry;
        kept[count].data = bytes + offset;
        count += change(&kept[count]);
    }
    OK(icseg_safetensors_write(to, kept, count, NULL, 0, &error));
    icseg_safetensors_close(&st);
    icseg_free(bytes);
}

static bool keep_all(icseg_safetensors_entry *entry) {
    (void)entry;
    return true;
}

/* What a configuration beside the weights says about the activation and the heads. */
static void the_configuration_beside_the_weights_is_read(void **state) {
    (void)state;
    enum { UNKNOWN = -1, QUICK = ICSEG_CLIP_QUICK_GELU, GELU = ICSEG_CLIP_GELU };
    static const char hugging_face[] = "config.json", open_clip[] = "open_clip_config.json";
    static const struct {
        const char *file, *text;
        icseg_status status;
        const char *message; /* of a failure */
        int activation;
        int32_t vit_heads, text_heads;
    } cases[] = {{hugging_face,
                  "{\"text_config\": {\"hidden_act\": \"gelu\", \"num_attention_heads\": 4}, \"vision_config\": "
                  "{\"hidden_act\": \"gelu\", \"num_attention_heads\": 2}}",
                  ICSEG_OK, NULL, GELU, 2, 4},
                 {hugging_face, "{\"text_config\": {}, \"vision_config\": {\"hidden_act\": \"quick_gelu\"}}", ICSEG_OK,
                  NULL, QUICK, 1, 1},
                 {hugging_face, "{\"text_config\": {\"hidden_act\": \"gelu\"}, \"vision_config\": {}}",
                  ICSEG_ERROR_UNSUPPORTED, "the two encoders have different activations", 0, 0, 0},
                 {hugging_face, "{\"text_config\": {\"hidden_act\": \"gelu_new\"}, \"vision_config\": {}}",
                  ICSEG_ERROR_UNSUPPORTED, "the activation is gelu_new; icseg has quick_gelu and gelu", 0, 0, 0},
                 {hugging_face, "{\"text_config\": {\"hidden_act\": 3}, \"vision_config\": {}}",
                  ICSEG_ERROR_UNSUPPORTED, "not a name", 0, 0, 0},
                 {hugging_face, "{\"model_type\": \"other\"}", ICSEG_OK, NULL, UNKNOWN, 1, 1},
                 {hugging_face, "[1", ICSEG_ERROR_FORMAT, "config.json: not a JSON object: ", 0, 0, 0},
                 {hugging_face, "[1]", ICSEG_ERROR_FORMAT, "config.json: not a JSON object: ", 0, 0, 0},
                 {open_clip,
                  "{\"model_cfg\": {\"embed_dim\": 8, \"vision_cfg\": {\"width\": 8, \"head_width\": 4}, \"text_cfg\": "
                  "{\"heads\": 2}}}",
                  ICSEG_OK, NULL, GELU, 2, 2},
                 {open_clip, "{\"model_cfg\": {\"quick_gelu\": true}}", ICSEG_OK, NULL, QUICK, 1, 1},
                 {open_clip, "{\"other\": {\"quick_gelu\": true}}", ICSEG_OK, NULL, UNKNOWN, 1, 1},
                 {open_clip, "{\"model_cfg\": {\"text_cfg\": {\"heads\": 3}}}", ICSEG_ERROR_FORMAT,
                  "its configuration says text_heads = 3, which does not divide the width, 8", 0, 0, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char path[120];
        icseg_weights *w;
        icseg_config config = icseg_config_default();
        convert(FIXTURES "open_clip_vit_legacy.pt", first,
                (icseg_weights_convert_options){ICSEG_WEIGHTS_CONVERT_OPTIONS_INIT,
                                                .naming = cases[i].file == hugging_face ? ICSEG_NAMING_HUGGINGFACE
                                                                                        : ICSEG_NAMING_OPENAI});
        rewrite(first, second, keep_all); /* without icseg's metadata */
        snprintf(path, sizeof path, "%s/%s", test_scratch_folder, cases[i].file);
        OK(icseg_file_write(path, cases[i].text, strlen(cases[i].text), &error));
        icseg_status status = icseg_weights_open(&w, second, &error);
        if (status == ICSEG_OK) status = icseg_weights_infer(w, &config, &error);
        assert_int_equal(status, cases[i].status);
        if (cases[i].message && !strstr(error.message, cases[i].message)) fail_msg("%s", error.message);
        if (status == ICSEG_OK) {
            assert_int_equal(w->facts.activation_known, cases[i].activation != UNKNOWN);
            assert_int_equal(config.activation, cases[i].activation == GELU ? ICSEG_CLIP_GELU : ICSEG_CLIP_QUICK_GELU);
            assert_int_equal(config.vit_heads, cases[i].vit_heads);
            assert_int_equal(config.text_heads, cases[i].text_heads);
        }
        icseg_weights_close(&w);
        unlink(path);
    }
}

static bool spoil(icseg_safetensors_entry *entry) {
    static const float nan_values[8] = {NAN, 1, 2, 3, INFINITY, 5, 6, 7};
    if (!strcmp(entry->name, "ln_final.weight")) entry->data = nan_values;
    if (!strcmp(entry->name, "ln_final.bias")) entry->name = "strange.bias";
    if (!strcmp(entry->name, "visual.ln_pre.bias")) {
        entry->shape = ICSEG_SHAPE(7);
        entry->bytes = 28;
    }
    return strcmp(entry->name, "visual.class_embedding.none") != 0;
}

static void mismatches_are_listed_with_both_shapes(void **state) {
    (void)state;
    icseg_weights *w;
    icseg_weights_report report = {0};
    icseg_config c = icseg_config_default();
    convert(FIXTURES "open_clip_vit_legacy.pt", first,
            (icseg_weights_convert_options){ICSEG_WEIGHTS_CONVERT_OPTIONS_INIT});
    rewrite(first, second, spoil);
    OK(icseg_weights_open(&w, second, &error));
    OK(icseg_weights_infer(w, &c, &error));
    OK(icseg_weights_check_clip(w, &c, &report, &error));
    icseg_string text = {0};
    icseg_weights_report_text(&report, 0, &text);
    assert_string_equal(text.data, "missing (1): ln_final.bias\n"
                                   "unexpected, left out (1): strange.bias\n"
                                   "wrong shape (1): visual.ln_pre.bias (7) in the file, (8) expected\n");
    icseg_string_close(&text);
    icseg_weights_report_close(&report);
    icseg_weights_close(&w);
    icseg_weights_convert_options options = {ICSEG_WEIGHTS_CONVERT_OPTIONS_INIT};
    refuses(icseg_weights_convert(second, first, &options, NULL, &error), ICSEG_ERROR_FORMAT,
            "not complete: missing (1): ln_final.bias; wrong shape (1): visual.ln_pre.bias (7)");
}

static bool drop_image_blocks(icseg_safetensors_entry *entry) {
    return strncmp(entry->name, "visual.transformer.", 19) != 0;
}
static bool drop_text_blocks(icseg_safetensors_entry *entry) { return strncmp(entry->name, "transformer.", 12) != 0; }
static bool drop_stages(icseg_safetensors_entry *entry) { return strncmp(entry->name, "visual.layer", 12) != 0; }

static void an_encoder_without_blocks_is_not_complete(void **state) {
    (void)state;
    static const struct {
        const char *file;
        bool (*change)(icseg_safetensors_entry *entry);
        const char *because;
    } cases[] = {
        {FIXTURES "open_clip_vit_legacy.pt", drop_image_blocks,
         "there are no tensors visual.transformer.resblocks.0.*"},
        {FIXTURES "open_clip_vit_legacy.pt", drop_text_blocks, "there are no tensors transformer.resblocks.0.*"},
        {FIXTURES "openai_resnet.pt", drop_stages, "there are no tensors visual.layer1.0.*"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        icseg_weights_convert_options options = {ICSEG_WEIGHTS_CONVERT_OPTIONS_INIT};
        convert(cases[i].file, first, options);
        rewrite(first, second, cases[i].change);
        refuses(icseg_weights_convert(second, first, &options, NULL, &error), ICSEG_ERROR_FORMAT, cases[i].because);
    }
}

static bool make_nan(icseg_safetensors_entry *entry) {
    static const float values[8] = {NAN, 1, 2, 3, INFINITY, 5, 6, 7};
    if (!strcmp(entry->name, "ln_final.weight")) entry->data = values;
    return true;
}

static void numbers_that_are_not_finite_are_named(void **state) {
    (void)state;
    char *summary;
    icseg_weights_convert_options options = {ICSEG_WEIGHTS_CONVERT_OPTIONS_INIT, .type = ICSEG_WEIGHTS_F16};
    convert(FIXTURES "open_clip_vit_legacy.pt", first,
            (icseg_weights_convert_options){ICSEG_WEIGHTS_CONVERT_OPTIONS_INIT});
    rewrite(first, second, make_nan);
    OK(icseg_weights_convert(second, first, &options, &summary, &error));
    assert_non_null(strstr(summary, "warning: NaN or infinite elements (1): ln_final.weight (2)"));
    icseg_buffer_free(summary);
}

static bool rename_bias(icseg_safetensors_entry *entry) {
    if (!strcmp(entry->name, "ln_final.bias")) entry->name = "text.ln_final.weight";
    return true;
}
static bool flatten_positions(icseg_safetensors_entry *entry) {
    if (!strcmp(entry->name, "visual.positional_embedding")) entry->shape = ICSEG_SHAPE(40);
    return true;
}
static bool reshape_positions(icseg_safetensors_entry *entry) { /* (5, 8) in the file */
    if (!strcmp(entry->name, "visual.positional_embedding")) entry->shape = ICSEG_SHAPE(4, 10);
    return true;
}
static bool drop_keys(icseg_safetensors_entry *entry) {
    return !strstr(entry->name, "layers.1.self_attn.k_proj.weight");
}
static bool drop_values(icseg_safetensors_entry *entry) {
    return !strstr(entry->name, "layers.1.self_attn.v_proj.bias");
}
static bool flatten_projection(icseg_safetensors_entry *entry) {
    if (!strcmp(entry->name, "visual_projection.weight")) entry->shape = ICSEG_SHAPE(64);
    return true;
}

static void tensors_that_cannot_be_used_are_named(void **state) {
    (void)state;
    static const struct {
        icseg_naming naming;
        bool (*change)(icseg_safetensors_entry *entry);
        icseg_status status;
        const char *because;
    } cases[] = {{ICSEG_NAMING_OPENAI, rename_bias, ICSEG_ERROR_FORMAT, " are both ln_final.weight"},
                 {ICSEG_NAMING_OPENAI, flatten_positions, ICSEG_ERROR_SHAPE,
                  "visual.positional_embedding has shape (40); expected 2 dimensions"},
                 {ICSEG_NAMING_OPENAI, reshape_positions, ICSEG_ERROR_SHAPE,
                  "visual.positional_embedding has 4 rows, which is not a square plus one"},
                 {ICSEG_NAMING_HUGGINGFACE, drop_keys, ICSEG_ERROR_FORMAT,
                  ".1.attn.in_proj_weight is joined from 3 tensors of the file, but 2 were found"},
                 {ICSEG_NAMING_HUGGINGFACE, drop_values, ICSEG_ERROR_FORMAT,
                  ".1.attn.in_proj_bias is joined from 3 tensors of the file, but 2 were found"},
                 {ICSEG_NAMING_HUGGINGFACE, flatten_projection, ICSEG_ERROR_SHAPE,
                  "tensor visual_projection.weight has shape (64); expected a matrix"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        icseg_weights_convert_options options = {ICSEG_WEIGHTS_CONVERT_OPTIONS_INIT, .naming = cases[i].naming};
        convert(FIXTURES "open_clip_vit_legacy.pt", first, options);
        rewrite(first, second, cases[i].change);
        refuses(icseg_weights_convert(second, first, &options, NULL, &error), cases[i].status, cases[i].because);
    }
}

static bool flatten_contexts(icseg_safetensors_entry *entry) { /* DenseCLIP: (1, tokens, width) */
    if (!strcmp(entry->name, "contexts")) entry->shape = ICSEG_SHAPE(entry->shape.dim[1], entry->shape.dim[2]);
    return true;
}

static void contexts_of_denseclip_have_three_dimensions(void **state) {
    (void)state;
    icseg_weights *w;
    write_denseclip_with_more(first);
    rewrite(first, second, flatten_contexts);
    refuses(icseg_weights_open(&w, second, &error), ICSEG_ERROR_SHAPE,
            "tensor contexts has shape (3, 8); expected (1, tokens, width)");
}

static bool widen_lateral(icseg_safetensors_entry *entry) { /* (4, 8, 1, 1) or, with a score map, (4, 11, 1, 1) */
    if (!strcmp(entry->name, "decoder.neck.lateral_convs.0.conv.weight")) entry->shape = ICSEG_SHAPE(1, 32, 1, 1);
    return true;
}

static bool double_scale(icseg_safetensors_entry *entry) {
    static const float two[2] = {1, 2};
    if (!strcmp(entry->name, "logit_scale")) {
        entry->shape = ICSEG_SHAPE(2);
        entry->data = two;
        entry->bytes = sizeof two;
    }
    return true;
}

static void a_logit_scale_is_one_number(void **state) {
    (void)state;
    icseg_weights *w;
    icseg_config config;
    float scale;
    icseg_weights_report report = {0};
    convert(FIXTURES "open_clip_vit_legacy.pt", first,
            (icseg_weights_convert_options){ICSEG_WEIGHTS_CONVERT_OPTIONS_INIT, .naming = ICSEG_NAMING_OPENAI});
    rewrite(first, second, double_scale);
    OK(icseg_weights_open(&w, second, &error));
    refuses(icseg_weights_read_clip(&config, &scale, w, NULL, &report, &error), ICSEG_ERROR_SHAPE,
            "logit_scale is not a single number");
    icseg_weights_report_close(&report);
    icseg_weights_close(&w);
}

static bool drop_final_norm(icseg_safetensors_entry *entry) { return strncmp(entry->name, "ln_final.", 9) != 0; }

static void a_report_may_be_short(void **state) {
    (void)state;
    icseg_weights *w;
    icseg_weights_report report = {0};
    icseg_config c = icseg_config_default();
    icseg_string text = {0};
    convert(FIXTURES "open_clip_vit_legacy.pt", first,
            (icseg_weights_convert_options){ICSEG_WEIGHTS_CONVERT_OPTIONS_INIT});
    rewrite(first, second, drop_final_norm);
    OK(icseg_weights_open(&w, second, &error));
    OK(icseg_weights_infer(w, &c, &error));
    OK(icseg_weights_check_clip(w, &c, &report, &error));
    icseg_weights_report_text(&report, 1, &text);
    assert_string_equal(text.data, "missing (2): ln_final.weight, ...\n");
    icseg_string_close(&text);
    icseg_weights_report_close(&report);
    icseg_weights_close(&w);
}

/* ----------------------------------------------------------------------------------------------------------- --init */

static icseg_model *fresh_model(void (*change)(icseg_config *c), const char *const *names) {
    static const int32_t ids[] = {5, 6, 7};
    icseg_config c = {ICSEG_CONFIG_INIT};
    icseg_model *model;
    icseg_tokens tokens[3] = {{1, ids}, {2, ids}, {3, ids}};
    OK(icseg_config_preset(&c, "tiny-vit", &error));
    c.vit_width = c.text_width = c.embed_dim = 8;
    c.vit_heads = c.text_heads = 2;
    c.text_layers = 1;
    c.pos_grid = 2;
    c.vocab_size = 32;
    c.context_length = 12;
    c.num_classes = 3;
    c.fpn_dim = 4;
    if (change) change(&c);
    OK(icseg_model_build(&model, &c, names, &(icseg_texts){.count = c.num_classes, .tokens = tokens}, &error));
    icseg_params_initialise(model->params, 1);
    OK(icseg_params_load(model->params, &error));
    return model;
}

static const char *const other_names[] = {"x", "y", "z"};

static void check_param(icseg_model *model, const icseg_weights *w, const char *name) {
    const icseg_param *p = icseg_params_find(model->params, name);
    float *theirs = read_entry(icseg_weights_find(w, name)), *ours = icseg_alloc_array((size_t)p->count, sizeof *ours);
    icseg_param_export(p, p->data, ours);
    assert_memory_equal(theirs, ours, (size_t)p->count * sizeof(float));
    icseg_free(theirs);
    icseg_free(ours);
}

static void shorten(icseg_config *c) { c->context_length = 9; }

static void a_model_starts_from_plain_clip_weights(void **state) {
    (void)state;
    icseg_weights *w;
    icseg_weights_report report = {0};
    icseg_model *model = fresh_model(shorten, other_names);
    OK(icseg_weights_init_model(model, FIXTURES "huggingface_vit", NULL, &report, &error));
    assert_int_equal(report.loaded, 73);
    assert_int_equal(icseg_weights_report_count(&report, ICSEG_WEIGHTS_CUT), 1);
    assert_int_equal(icseg_weights_report_count(&report, ICSEG_WEIGHTS_WRONG_SHAPE), 0);
    assert_int_equal(icseg_weights_report_count(&report, ICSEG_WEIGHTS_UNEXPECTED), 0);
    assert_int_equal(report.loaded + icseg_weights_report_count(&report, ICSEG_WEIGHTS_MISSING),
                     icseg_params_count(model->params));
    icseg_weights_report_close(&report);
    OK(icseg_weights_open(&w, FIXTURES "huggingface_vit", &error));
    check_param(model, w, "visual.conv1.weight");
    check_param(model, w, "visual.transformer.resblocks.2.attn.in_proj_weight");
    check_param(model, w, "text_projection");
    const icseg_param *positions = icseg_params_find(model->params, "positional_embedding");
    float *all = read_entry(icseg_weights_find(w, "positional_embedding"));
    assert_memory_equal(positions->data, all, 9 * 8 * sizeof(float));
    icseg_free(all);
    icseg_weights_close(&w);
    icseg_model_close(&model);
}

static void a_model_starts_from_a_checkpoint_with_other_classes(void **state) {
    (void)state;
    static const char *const same_names[] = {"a", "b", "c"};
    icseg_weights_report report = {0};
    icseg_model *model = fresh_model(NULL, same_names), *other = fresh_model(NULL, other_names);
    OK(icseg_model_save(model, first, &error));
    icseg_params_initialise(other->params, 2);
    OK(icseg_params_load(other->params, &error));
    float fresh = icseg_params_find(other->params, "decoder.head.conv_seg.bias")->data[0];
    OK(icseg_weights_init_model(other, first, NULL, &report, &error));
    assert_int_equal(icseg_weights_report_count(&report, ICSEG_WEIGHTS_OTHER_CLASS), 2 + 2 * 3);
    assert_int_equal(icseg_weights_report_count(&report, ICSEG_WEIGHTS_MISSING), 0);
    assert_true(icseg_params_find(other->params, "decoder.head.conv_seg.bias")->data[0] == fresh);
    assert_memory_equal(icseg_params_find(other->params, "prompt.context")->data,
                        icseg_params_find(model->params, "prompt.context")->data, 4 * 8 * sizeof(float));
    icseg_weights_report_close(&report);
    icseg_model_close(&other);
    other = fresh_model(NULL, same_names);
    icseg_params_initialise(other->params, 2);
    OK(icseg_weights_init_model(other, first, NULL, &report, &error));
    assert_int_equal(report.count, 0);
    assert_int_equal(report.loaded, icseg_params_count(other->params));
    icseg_weights_report_close(&report);
    icseg_model_close(&other);
    icseg_model_close(&model);
}

/* No vocabulary has its size: the tokens must come from the checkpoint unless they are given. */
static void a_checkpoint_keeps_names_and_tokens_under_another_configuration(void **state) {
    (void)state;
    static const struct {
        icseg_weights_convert_options options;
        int32_t heads, count[3], id; /* id: the first of the last class */
    } cases[] = {{{.config = "{\"text_heads\": 4}"}, 4, {1, 2, 3}, 5},
                 {{.tokens = "[[9], [8], [7, 6]]"}, 2, {1, 1, 2}, 7},
                 {{.config = "{\"text_heads\": 1}", .tokens = "[[9], [8, 3], [11]]"}, 1, {1, 2, 1}, 11}};
    const icseg_eval_options eval = {.crop_height = 48, .crop_width = 48, .resize_short = 50};
    icseg_model *model = fresh_model(NULL, other_names);
    icseg_model_set_eval(model, &eval);
    icseg_model_set_images(model, &(icseg_image_values){ICSEG_IMAGE_VALUES_INIT, .bands = {5}}, 70);
    OK(icseg_model_save(model, first, &error));
    icseg_model_close(&model);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        convert(first, second, cases[i].options);
        OK(icseg_model_open(&model, second, &error));
        assert_int_equal(model->eval.resize_short, 50);
        assert_int_equal(model->values.bands[0], 5);
        assert_int_equal(icseg_model_trained_side(model), 70);
        assert_int_equal(icseg_model_config(model)->text_heads, cases[i].heads);
        for (int k = 0; k < 3; k++) {
            assert_string_equal(icseg_model_class_names(model)[k], other_names[k]);
            assert_int_equal(model->texts.tokens[k].count, cases[i].count[k]);
        }
        assert_int_equal(model->texts.tokens[2].ids[0], cases[i].id);
        icseg_model_close(&model);
    }
}

static void widen(icseg_config *c) { c->embed_dim = 16; }
static void deepen(icseg_config *c) { c->vit_layers = 5; }
static void lengthen(icseg_config *c) { c->context_length = 13; }
static void split(icseg_config *c) { c->text_heads = 4; }

static void contradictions_with_the_model_are_errors_and_change_nothing(void **state) {
    (void)state;
    static const struct {
        void (*change)(icseg_config *c);
        const char *because;
    } cases[] = {{widen, "embed_dim = 8, but the model has 16"},
                 {deepen, "vit_layers = 4, but the model has 5"},
                 {lengthen, "context_length = 12, but the model has 13"}};
    for (size_t i = 0; i < 3; i++) {
        icseg_model *model = fresh_model(cases[i].change, other_names);
        float before = icseg_params_find(model->params, "text_projection")->data[0];
        refuses(icseg_weights_init_model(model, FIXTURES "huggingface_vit", NULL, NULL, &error), ICSEG_ERROR_CONFIG,
                cases[i].because);
        assert_true(icseg_params_find(model->params, "text_projection")->data[0] == before);
        icseg_model_close(&model);
    }
    icseg_model *model = fresh_model(NULL, other_names);
    refuses(icseg_weights_init_model(model, FIXTURES "openai_resnet.pt", NULL, NULL, &error), ICSEG_ERROR_CONFIG,
            "weights of a ResNet; the model has a vision transformer");
    OK(icseg_model_save(model, first, &error));
    icseg_model_close(&model);
    model = fresh_model(split, other_names);
    refuses(icseg_weights_init_model(model, first, NULL, NULL, &error), ICSEG_ERROR_CONFIG,
            "text_heads = 2, but the model has 4");
    icseg_model_close(&model);
}

static void a_lateral_of_other_channels_is_refused(void **state) {
    (void)state;
    icseg_weights *w;
    icseg_config c = icseg_config_default();
    icseg_model *model = fresh_model(NULL, other_names);
    OK(icseg_model_save(model, first, &error));
    icseg_model_close(&model);
    rewrite(first, second, widen_lateral); /* which also leaves the metadata out */
    OK(icseg_weights_open(&w, second, &error));
    refuses(icseg_weights_infer(w, &c, &error), ICSEG_ERROR_SHAPE,
            "decoder.neck.lateral_convs.0.conv.weight takes 32 channels; the encoder outputs 8, or 11 with a score map "
            "of 3 classes");
    icseg_weights_close(&w);
}

static void clip_alone_gets_the_scale_that_segmentation_does_not_have(void **state) {
    (void)state;
    icseg_weights *w;
    float scale = 0;
    icseg_model *model = fresh_model(NULL, other_names);
    OK(icseg_model_save(model, first, &error));
    convert(first, second,
            (icseg_weights_convert_options){ICSEG_WEIGHTS_CONVERT_OPTIONS_INIT, .naming = ICSEG_NAMING_OPENAI});
    OK(icseg_weights_open(&w, second, &error));
    const icseg_weights_entry *entry = icseg_weights_find(w, "logit_scale");
    assert_non_null(entry);
    assert_int_equal(entry->shape.rank, 0);
    OK(icseg_weights_read(entry, &scale, &error));
    assert_true(fabsf(expf(scale) - 100) < 1e-3f); /* the largest that CLIP's training allows */
    check_param(model, w, "text_projection");
    for (size_t i = 0; i < icseg_weights_count(w); i++)
        assert_true(icseg_weights_is_clip(icseg_weights_at(w, i)->name));
    icseg_weights_close(&w);
    icseg_model_close(&model);
}

static void use_bytes(icseg_config *c) { c->vocab_size = ICSEG_BYTE_VOCAB; }
static void use_merges(icseg_config *c) { c->vocab_size = 2 * 256 + 400 + 2; } /* of clip_merges.txt */

/* SOS, 4 prompt tokens and EOS leave 6 of 12 tokens for a name. */
static void names_become_tokens_and_those_of_clip_are_cut(void **state) {
    (void)state;
    static const char *const names[] = {"ab", "c", "a b c d e f g h i"};
    icseg_weights_convert_options options = {ICSEG_WEIGHTS_CONVERT_OPTIONS_INIT, .class_names = names,
                                             .class_count = 3};
    icseg_model *model = fresh_model(use_merges, other_names);
    assert_int_equal(model->config.prompt_tokens, 4);
    OK(icseg_model_save(model, first, &error));
    icseg_model_close(&model);
    options.vocabulary = ICSEG_SOURCE_DIR "/tests/unit/data/clip_merges.txt";
    convert(first, second, options);
    OK(icseg_model_open(&model, second, &error));
    static const int32_t letters[] = {'a' - '!' + 256, 'b' - '!' + 256, 'c' - '!' + 256,
                                      'd' - '!' + 256, 'e' - '!' + 256, 'f' - '!' + 256}; /* "a</w>", ... */
    assert_int_equal(model->texts.tokens[1].count, 1);
    assert_int_equal(model->texts.tokens[1].ids[0], letters[2]);
    assert_int_equal(model->texts.tokens[2].count, 6);
    assert_memory_equal(model->texts.tokens[2].ids, letters, sizeof letters);
    icseg_model_close(&model);

    model = fresh_model(use_bytes, other_names);
    OK(icseg_model_save(model, first, &error));
    icseg_model_close(&model);
    options.vocabulary = NULL;
    options.class_names = (const char *const[]){"ab", "c", "sky"};
    convert(first, second, options);
    OK(icseg_model_open(&model, second, &error));
    assert_int_equal(model->texts.tokens[0].count, 2);
    assert_int_equal(model->texts.tokens[0].ids[0], 'a');
    assert_int_equal(model->texts.tokens[0].ids[1], 'b');
    icseg_model_close(&model);
}

static void options_that_do_not_exist_are_refused(void **state) {
    (void)state;
    static const char *const one_is_missing[] = {"sky", NULL};
    const struct {
        icseg_weights_convert_options options;
        const char *field;
    } cases[] = {
        {{ICSEG_WEIGHTS_CONVERT_OPTIONS_INIT, .type = (icseg_weights_type)9}, "type"},
        {{ICSEG_WEIGHTS_CONVERT_OPTIONS_INIT, .naming = (icseg_naming)-1}, "naming"},
        {{ICSEG_WEIGHTS_CONVERT_OPTIONS_INIT, .class_names = one_is_missing, .class_count = 2}, "class_names"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        icseg_error e = {0};
        assert_int_equal(icseg_weights_convert("none", "none", &cases[i].options, NULL, &e), ICSEG_ERROR_ARGUMENT);
        assert_string_equal(e.field, cases[i].field);
    }
}

static void running_out_of_memory_is_reported_and_leaks_nothing(void **state) {
    (void)state;
    char *tokens = read_text(FIXTURES "denseclip_vit.tokens.json");
    icseg_weights_convert_options options = {ICSEG_WEIGHTS_CONVERT_OPTIONS_INIT, .tokens = tokens};
    icseg_status status = ICSEG_ERROR_MEMORY;
    int64_t n = 0;
    for (; status != ICSEG_OK && n < 20000; n += n < 60 ? 1 : 23) {
        char *summary = NULL;
        icseg_memory_fail_after(n);
        status = icseg_weights_convert(FIXTURES "denseclip_vit.pth", first, &options, &summary, &error);
        icseg_memory_fail_after(-1);
        assert_true(status == ICSEG_OK || status == ICSEG_ERROR_MEMORY);
        assert_true((summary != NULL) == (status == ICSEG_OK));
        icseg_buffer_free(summary);
    }
    assert_int_equal(status, ICSEG_OK);
    assert_true(n > 60);
    options = (icseg_weights_convert_options){ICSEG_WEIGHTS_CONVERT_OPTIONS_INIT, .state_dict = "ema"};
    for (n = 0, status = ICSEG_ERROR_MEMORY; status != ICSEG_OK && n < 20000; n += n < 60 ? 1 : 23) {
        icseg_memory_fail_after(n);
        status = icseg_weights_convert(FIXTURES "lightning_resnet.ckpt", first, &options, NULL, &error);
        icseg_memory_fail_after(-1);
        assert_true(status == ICSEG_OK || status == ICSEG_ERROR_MEMORY);
    }
    assert_int_equal(status, ICSEG_OK);
    icseg_free(tokens);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(torchscript_archives_of_openai_are_read),
        cmocka_unit_test(the_container_before_1_6_is_read_with_its_views_and_wrappers),
        cmocka_unit_test(hugging_face_shards_are_joined_and_transposed),
        cmocka_unit_test(the_architecture_is_inferred_from_shapes),
        cmocka_unit_test(a_denseclip_checkpoint_gives_the_references_logits),
        cmocka_unit_test(conversion_to_other_names_and_back_loses_nothing),
        cmocka_unit_test(exports_have_the_names_and_shapes_of_their_library),
        cmocka_unit_test(a_segmentation_model_needs_names_and_tokens),
        cmocka_unit_test(a_file_that_does_not_name_its_classes_needs_their_names),
        cmocka_unit_test(tensors_that_the_model_does_not_have_change_nothing),
        cmocka_unit_test(a_first_row_that_does_not_fit_is_not_added),
        cmocka_unit_test(a_shorter_context_takes_the_first_positions),
        cmocka_unit_test(the_configuration_beside_the_weights_is_read),
        cmocka_unit_test(mismatches_are_listed_with_both_shapes),
        cmocka_unit_test(an_encoder_without_blocks_is_not_complete),
        cmocka_unit_test(numbers_that_are_not_finite_are_named),
        cmocka_unit_test(a_model_starts_from_plain_clip_weights),
        cmocka_unit_test(a_model_starts_from_a_checkpoint_with_other_classes),
        cmocka_unit_test(a_checkpoint_keeps_names_and_tokens_under_another_configuration),
        cmocka_unit_test(contradictions_with_the_model_are_errors_and_change_nothing),
        cmocka_unit_test(tensors_that_cannot_be_used_are_named),
        cmocka_unit_test(contexts_of_denseclip_have_three_dimensions),
        cmocka_unit_test(a_logit_scale_is_one_number),
        cmocka_unit_test(a_report_may_be_short),
        cmocka_unit_test(a_lateral_of_other_channels_is_refused),
        cmocka_unit_test(clip_alone_gets_the_scale_that_segmentation_does_not_have),
        cmocka_unit_test(names_become_tokens_and_those_of_clip_are_cut),
        cmocka_unit_test(options_that_do_not_exist_are_refused),
        cmocka_unit_test(running_out_of_memory_is_reported_and_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, open_folder, test_scratch_close);
}
