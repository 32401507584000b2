/* SPDX-License-Identifier: Apache-2.0
 * Checkpoints whose weights are f16: the same bits as with the same numbers in f32, in less memory; files that are cut
 * short; numbers that f16 does not have. Runs with the instructions that ONEDNN_MAX_CPU_ISA allows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "icseg/memory.h"
#include "icseg/weights.h"
#include "support/models.h"

enum { SIDE = 96, CLASSES = 5 };

static icseg_error error;
static char folder[] = "/tmp/icseg_f16_XXXXXX";
static char plain[64], half[64], wide[64]; /* f32, f16 of it, and f32 of that */

static void ok(icseg_status status) {
    if (status != ICSEG_OK) fail_msg("%s", error.message);
}

static void convert(const char *from, const char *to, icseg_weights_type type, char **summary) {
    icseg_weights_convert_options options = {ICSEG_WEIGHTS_CONVERT_OPTIONS_INIT, .type = type};
    ok(icseg_weights_convert(from, to, &options, summary, &error));
}

/* Writes the three files of a model with these prompts. */
static void write_files(const char *preset, icseg_prompt prompt) {
    static const char *const names[CLASSES] = {"sky", "tree", "road", "car", "wall"};
    icseg_config config = {ICSEG_CONFIG_INIT};
    icseg_model_options options = {ICSEG_MODEL_OPTIONS_INIT, .config = &config, .class_names = names, .seed = 3};
    icseg_model *m;
    ok(icseg_config_preset(&config, preset, &error));
    config.vocab_size = 258;
    config.num_classes = CLASSES;
    config.prompt = prompt;
    ok(icseg_model_create(&m, &options, &error));
    ok(icseg_model_save(m, plain, &error));
    icseg_model_close(&m);
    convert(plain, half, ICSEG_WEIGHTS_F16, NULL);
    convert(half, wide, ICSEG_WEIGHTS_F32, NULL);
}

/* The logits of a picture, which the caller frees, and the memory of the weights then. */
static float *logits_of(const char *path, icseg_precision precision, int32_t side, int64_t *count,
                        icseg_params_memory *memory) {
    static float image[SIDE * SIDE * 3];
    icseg_network_options options;
    icseg_prepared_network *n;
    icseg_model *m;
    for (int i = 0; i < SIDE * SIDE * 3; i++) image[i] = (float)(i * 7919 % 61) / 20 - 1.5f;
    ok(icseg_model_open(&m, path, &error));
    icseg_session *s = test_session(m, precision);
    memset(&options, 0, sizeof options); /* compared bytewise */
    options.batch = 1;
    options.height = options.width = side;
    options.keep = ICSEG_KEEP_LOGITS;
    ok(icseg_session_network(s, &options, &n, &error));
    icseg_executor_bind(n->executor, n->network.image, image);
    ok(icseg_executor_run(n->executor, 0, 0, &error));
    *count = icseg_graph_value(n->graph, n->network.logits)->count;
    float *logits = icseg_alloc_array((size_t)*count, sizeof *logits);
    assert_non_null(logits);
    memcpy(logits, icseg_executor_data(n->executor, n->network.logits), (size_t)*count * sizeof *logits);
    *memory = icseg_params_count_memory(m->params);
    icseg_session_close(&s);
    icseg_model_close(&m);
    return logits;
}

static void compare(icseg_precision precision, int32_t side) {
    int64_t count, same_count;
    icseg_params_memory narrow, full;
    float *a = logits_of(half, precision, side, &count, &narrow),
          *b = logits_of(wide, precision, side, &same_count, &full);
    assert_int_equal(count, same_count);
    assert_memory_equal(a, b, (size_t)count * sizeof *a);
    assert_int_equal(narrow.plain, full.plain);
    if (precision == ICSEG_PRECISION_F32) assert_true(narrow.packed < full.packed);
    icseg_free(a);
    icseg_free(b);
}

static void weights_in_f16_give_the_same_bits_in_less_memory(void **state) {
    (void)state;
    static const char *const presets[] = {"tiny-resnet", "tiny-vit"};
    static const icseg_prompt prompts[] = {ICSEG_PROMPT_INSTANCE, ICSEG_PROMPT_TEMPLATE};
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++) {
            write_files(presets[i], prompts[j]);
            compare(ICSEG_PRECISION_F32, SIDE);
            compare(ICSEG_PRECISION_F32, 64);
            compare(ICSEG_PRECISION_BF16, SIDE);
            compare(ICSEG_PRECISION_BF16X2, SIDE);
        }
}

static void class_embeddings_leave_no_packed_weights(void **state) {
    (void)state;
    icseg_model *m;
    const float *text;
    write_files("tiny-vit", ICSEG_PROMPT_TEMPLATE);
    ok(icseg_model_open(&m, plain, &error));
    icseg_session *s = test_session(m, ICSEG_PRECISION_F32);
    ok(icseg_session_text(s, &text, &error));
    icseg_params_memory memory = icseg_params_count_memory(m->params);
    assert_int_equal(memory.packed, 0);
    assert_null(icseg_params_find(m->params, "transformer.resblocks.0.mlp.c_fc.weight")->data);
    icseg_session_close(&s);
    icseg_model_close(&m);
}

/* Weights that training has changed are not those of the file any more. */
static void weights_that_changed_are_f32(void **state) {
    (void)state;
    icseg_model *m;
    write_files("tiny-vit", ICSEG_PROMPT_TEMPLATE);
    ok(icseg_model_open(&m, half, &error));
    icseg_param *p = icseg_params_find(m->params, "visual.transformer.resblocks.0.mlp.c_fc.weight");
    assert_true(icseg_param_is_f16(p));
    assert_false(icseg_param_is_f16(icseg_params_find(m->params, "visual.ln_pre.weight")));
    ok(icseg_param_load(p, &error));
    assert_true(icseg_param_is_f16(p));
    ok(icseg_param_replace(p, &error));
    assert_false(icseg_param_is_f16(p));
    icseg_model_close(&m);
}

static void same_tensors(const char *first, const char *second) {
    icseg_safetensors *a, *b;
    ok(icseg_safetensors_open(&a, first, &error));
    ok(icseg_safetensors_open(&b, second, &error));
    assert_int_equal(icseg_safetensors_count(a), icseg_safetensors_count(b));
    for (size_t i = 0; i < icseg_safetensors_count(a); i++) {
        const icseg_safetensors_entry *x = icseg_safetensors_at(a, i), *y = icseg_safetensors_find(b, x->name);
        assert_non_null(y);
        assert_int_equal(x->dtype, y->dtype);
        assert_true(icseg_shape_equal(x->shape, y->shape));
        size_t count = (size_t)icseg_shape_count(x->shape), bytes = count * sizeof(float);
        float *values = icseg_alloc(2 * bytes);
        assert_non_null(values);
        ok(icseg_safetensors_read(a, x, 0, count, values, &error));
        ok(icseg_safetensors_read(b, y, 0, count, values + count, &error));
        assert_memory_equal(values, values + count, bytes);
        icseg_free(values);
    }
    icseg_safetensors_close(&a);
    icseg_safetensors_close(&b);
}

/* Also after a session has read them. */
static void a_saved_model_keeps_the_types_of_its_file(void **state) {
    (void)state;
    icseg_model *m;
    write_files("tiny-resnet", ICSEG_PROMPT_INSTANCE);
    ok(icseg_model_open(&m, half, &error));
    icseg_session *s = test_session(m, ICSEG_PRECISION_F32);
    icseg_image image = test_image(SIDE, SIDE, 1);
    icseg_labels labels;
    ok(icseg_session_predict(s, &image, NULL, &labels, NULL, &error));
    ok(icseg_model_save(m, plain, &error));
    icseg_labels_close(&labels);
    icseg_image_close(&image);
    icseg_session_close(&s);
    icseg_model_close(&m);
    same_tensors(plain, half);
}

static void a_file_that_is_cut_short_is_an_error(void **state) {
    (void)state;
    icseg_model *m;
    write_files("tiny-vit", ICSEG_PROMPT_TEMPLATE);
    FILE *file = fopen(half, "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    long size = ftell(file);
    fclose(file);
    for (long keep = 0; keep < size; keep += size / 7) {
        assert_int_equal(truncate(half, keep), 0);
        assert_int_equal(icseg_model_open(&m, half, &error), ICSEG_ERROR_FORMAT);
        assert_non_null(strstr(error.message, half));
        write_files("tiny-vit", ICSEG_PROMPT_TEMPLATE);
    }
    ok(icseg_model_open(&m, half, &error)); /* and when it is cut later: weights are read when they are needed */
    assert_int_equal(truncate(half, size / 2), 0);
    icseg_session *s = test_session(m, ICSEG_PRECISION_F32);
    icseg_image image = test_image(SIDE, SIDE, 1);
    icseg_labels labels;
    assert_int_equal(icseg_session_predict(s, &image, NULL, &labels, NULL, &error), ICSEG_ERROR_IO);
    assert_non_null(strstr(error.message, half));
    icseg_image_close(&image);
    icseg_session_close(&s);
    icseg_model_close(&m);
}

/* Sets all values of a parameter but the first, which becomes `first`. */
static void fill(icseg_model *m, const char *name, float first, float others) {
    icseg_param *p = icseg_params_find(m->params, name);
    assert_non_null(p);
    ok(icseg_param_load(p, &error));
    for (int64_t i = 0; i < p->count; i++) p->data[i] = i ? others : first;
    p->version++;
}

static void values_that_f16_does_not_have_stay_f32_and_are_named(void **state) {
    (void)state;
    static const char large[] = "visual.transformer.resblocks.0.mlp.c_fc.weight", small[] = "visual.proj",
                      some[] = "visual.transformer.resblocks.1.mlp.c_fc.weight";
    icseg_model *m;
    char *summary;
    float values[4];
    icseg_safetensors *file;
    write_files("tiny-vit", ICSEG_PROMPT_TEMPLATE);
    ok(icseg_model_open(&m, plain, &error));
    fill(m, large, 1e5f, 0.5f);
    fill(m, small, 1e-7f, 1e-6f);
    fill(m, some, 1e-9f, 0.25f);
    ok(icseg_model_save(m, plain, &error));
    convert(plain, half, ICSEG_WEIGHTS_F16, &summary);
    assert_non_null(strstr(summary, "in F32, because many values are too large or too small for F16: "));
    assert_non_null(strstr(summary, large));
    assert_non_null(strstr(summary, small));
    assert_null(strstr(summary, some));
    assert_non_null(strstr(summary, "set to 0, because F16 cannot hold numbers below 3e-8: "));
    icseg_buffer_free(summary);
    ok(icseg_safetensors_open(&file, half, &error));
    for (size_t i = 0; i < icseg_safetensors_count(file); i++) {
        const icseg_safetensors_entry *entry = icseg_safetensors_at(file, i);
        bool f16 = entry->shape.rank > 1 && strcmp(entry->name, large) && strcmp(entry->name, small);
        assert_int_equal(entry->dtype, f16 ? ICSEG_F16 : ICSEG_F32);
    }
    ok(icseg_safetensors_read(file, icseg_safetensors_find(file, large), 0, 4, values, &error));
    assert_true(values[0] == 1e5f && values[1] == 0.5f);
    ok(icseg_safetensors_read(file, icseg_safetensors_find(file, small), 0, 4, values, &error));
    assert_true(values[0] == 1e-7f && values[1] == 1e-6f);
    ok(icseg_safetensors_read(file, icseg_safetensors_find(file, some), 0, 4, values, &error));
    assert_true(values[0] == 0 && values[1] == 0.25f);
    icseg_safetensors_close(&file);
    icseg_model_close(&m);
}

static int open_folder(void **state) {
    (void)state;
    if (!mkdtemp(folder)) return -1;
    snprintf(plain, sizeof plain, "%s/plain.safetensors", folder);
    snprintf(half, sizeof half, "%s/half.safetensors", folder);
    snprintf(wide, sizeof wide, "%s/wide.safetensors", folder);
    return 0;
}

static int remove_folder(void **state) {
    (void)state;
    remove(plain);
    remove(half);
    remove(wide);
    return rmdir(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_in_f16_give_the_same_bits_in_less_memory),
        cmocka_unit_test(class_embeddings_leave_no_packed_weights),
        cmocka_unit_test(weights_that_changed_are_f32),
        cmocka_unit_test(a_saved_model_keeps_the_types_of_its_file),
        cmocka_unit_test(a_file_that_is_cut_short_is_an_error),
        cmocka_unit_test(values_that_f16_does_not_have_stay_f32_and_are_named),
    };
    return cmocka_run_group_tests(tests, open_folder, remove_folder);
}
