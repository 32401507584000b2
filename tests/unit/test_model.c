/* SPDX-License-Identifier: Apache-2.0
 * Checkpoints: what is saved is what is opened, and what is damaged is refused by one line that names file and fault.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "icseg/memory.h"
#include "model/model.h"

enum { CLASSES = 3 };
static const char *const names[CLASSES] = {"sky", "brick wall", "caf\xc3\xa9"};

static icseg_model *small_model(uint64_t seed) {
    icseg_model_options options = {.class_names = names, .seed = seed};
    icseg_error error = {0};
    icseg_model *model;
    assert_int_equal(icseg_config_preset(&options.config, "tiny-resnet", &error), ICSEG_OK);
    options.config.resnet_width = 4;
    options.config.vocab_size = ICSEG_BYTE_VOCAB;
    options.config.num_classes = CLASSES;
    if (icseg_model_create(&model, &options, &error) != ICSEG_OK) fail_msg("%s", error.message);
    return model;
}

static int make_folder(void **state) {
    static char folder[32];
    strcpy(folder, "/tmp/icseg_model_XXXXXX");
    *state = mkdtemp(folder);
    return *state ? 0 : -1;
}

static int remove_folder(void **state) {
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", (char *)*state);
    return system(command);
}

static char *path_in(void **state, const char *name) {
    static char path[2][96];
    static int turn;
    turn ^= 1;
    snprintf(path[turn], sizeof path[turn], "%s/%s", (char *)*state, name);
    return path[turn];
}

static void must_fail(const char *path, icseg_status status, const char *text) {
    icseg_model *model;
    icseg_error error = {0};
    assert_int_equal(icseg_model_open(&model, path, &error), status);
    assert_null(model);
    if (!strstr(error.message, text) || !strstr(error.message, path))
        fail_msg("'%s' names not both '%s' and the file", error.message, text);
}

static void a_saved_model_opens_the_same(void **state) {
    icseg_model *model = small_model(5), *again;
    icseg_error error = {0};
    char *first = path_in(state, "a.safetensors");
    assert_int_equal(icseg_model_save(model, first, &error), ICSEG_OK);
    if (icseg_model_open(&again, first, &error) != ICSEG_OK) fail_msg("%s", error.message);
    for (int64_t i = 0; i < icseg_params_count(model->params); i++) {
        const icseg_param *p = icseg_params_at(model->params, i), *q = icseg_params_find(again->params, p->name);
        assert_non_null(q);
        assert_memory_equal(p->data, q->data, (size_t)p->count * sizeof(float));
    }
    char *config, *config_again;
    assert_int_equal(icseg_config_write_json(icseg_model_config(model), &config, &error), ICSEG_OK);
    assert_int_equal(icseg_config_write_json(icseg_model_config(again), &config_again, &error), ICSEG_OK);
    assert_string_equal(config, config_again);
    icseg_buffer_free(config);
    icseg_buffer_free(config_again);
    assert_string_equal(icseg_model_class_names(again)[2], names[2]);
    assert_int_equal(again->tokens[1].count, 10);
    assert_int_equal(again->tokens[1].ids[5], ' ');
    char *second = path_in(state, "b.safetensors");
    unsigned char *x, *y;
    size_t m, n;
    assert_int_equal(icseg_model_save(again, second, &error), ICSEG_OK);
    assert_int_equal(icseg_file_read(path_in(state, "a.safetensors"), SIZE_MAX / 2, &x, &m, &error), ICSEG_OK);
    assert_int_equal(icseg_file_read(path_in(state, "b.safetensors"), SIZE_MAX / 2, &y, &n, &error), ICSEG_OK);
    assert_int_equal(m, n);
    assert_memory_equal(x, y, n);
    icseg_free(x);
    icseg_free(y);
    icseg_model_close(&model);
    icseg_model_close(&again);
}

static void the_seed_makes_the_weights(void **state) {
    (void)state;
    icseg_model *a = small_model(1), *b = small_model(1), *c = small_model(2);
    const char *name = "visual.layer1.0.conv2.weight";
    size_t bytes = (size_t)icseg_params_find(a->params, name)->count * sizeof(float);
    const float *x = icseg_params_find(a->params, name)->data;
    assert_memory_equal(x, icseg_params_find(b->params, name)->data, bytes);
    assert_memory_not_equal(x, icseg_params_find(c->params, name)->data, bytes);
    icseg_model_close(&a);
    icseg_model_close(&b);
    icseg_model_close(&c);
}

static void truncated_checkpoints_are_refused(void **state) {
    icseg_model *model = small_model(1);
    char *path = path_in(state, "whole.safetensors");
    unsigned char *data;
    size_t size;
    assert_int_equal(icseg_model_save(model, path, NULL), ICSEG_OK);
    assert_int_equal(icseg_file_read(path, SIZE_MAX / 2, &data, &size, NULL), ICSEG_OK);
    icseg_model_close(&model);
    path = path_in(state, "cut.safetensors");
    for (size_t length = 0; length < size; length += 100) { /* a plain file: no need to be atomic here */
        FILE *file = fopen(path, "wb");
        assert_non_null(file);
        assert_int_equal(fwrite(data, 1, length, file), length);
        assert_int_equal(fclose(file), 0);
        icseg_error error = {0};
        assert_int_equal(icseg_model_open(&model, path, &error), ICSEG_ERROR_FORMAT);
        assert_null(model);
        assert_non_null(strstr(error.message, path));
    }
    icseg_free(data);
}

/* A checkpoint of the small model with one thing changed by `edit`, which sees each tensor before it is written. */
typedef struct edit {
    const char *tensor, *renamed; /* renamed NULL: left out */
    bool other_shape;
    const char *key, *value; /* metadata replaced, value NULL: left out */
} edit;

static void write_edited(void **state, const char *name, const edit *e) {
    icseg_model *model = small_model(1);
    icseg_safetensors *file;
    icseg_error error = {0};
    assert_int_equal(icseg_model_save(model, path_in(state, "plain.safetensors"), &error), ICSEG_OK);
    icseg_model_close(&model);
    assert_int_equal(icseg_safetensors_open(&file, path_in(state, "plain.safetensors"), &error), ICSEG_OK);
    size_t count = icseg_safetensors_count(file), kept = 0, pairs = 0;
    icseg_safetensors_entry *entries = calloc(count, sizeof *entries);
    icseg_safetensors_pair metadata[8];
    for (size_t i = 0; i < count; i++) {
        entries[kept] = *icseg_safetensors_at(file, i);
        if (e->tensor && !strcmp(entries[kept].name, e->tensor)) {
            if (!e->renamed && !e->other_shape) continue;
            if (e->renamed) entries[kept].name = e->renamed;
            if (e->other_shape) entries[kept].shape = ICSEG_SHAPE(1, icseg_shape_count(entries[kept].shape));
        }
        kept++;
    }
    for (size_t i = 0; i < icseg_safetensors_metadata_count(file); i++) {
        metadata[pairs] = icseg_safetensors_metadata_at(file, i);
        bool chosen = e->key && !strcmp(metadata[pairs].key, e->key);
        if (chosen && !e->value) continue;
        if (chosen) metadata[pairs].value = e->value;
        pairs++;
    }
    assert_int_equal(icseg_safetensors_write(path_in(state, name), entries, kept, metadata, pairs, &error), ICSEG_OK);
    free(entries);
    icseg_safetensors_close(&file);
}

static void other_content_is_refused_by_name(void **state) {
    static const struct {
        edit edit;
        icseg_status status;
        const char *text;
    } cases[] = {
        {{.tensor = "visual.bn1.weight"}, ICSEG_ERROR_FORMAT, "visual.bn1.weight"},
        {{.tensor = "visual.bn1.weight", .renamed = "visual.bn9.weight"}, ICSEG_ERROR_FORMAT, "visual.bn1.weight"},
        {{.tensor = "text_projection", .other_shape = true}, ICSEG_ERROR_SHAPE, "text_projection"},
        {{.key = "icpc.config"}, ICSEG_ERROR_FORMAT, "icpc.config"},
        {{.key = "icpc.config", .value = "[1]"}, ICSEG_ERROR_FORMAT, "icpc.config"},
        {{.key = "icpc.config", .value = "{\"embed_dim\": -1}"}, ICSEG_ERROR_CONFIG, "embed_dim"},
        {{.key = "icpc.classes"}, ICSEG_ERROR_FORMAT, "icpc.classes"},
        {{.key = "icpc.classes", .value = "[\"a\"]"}, ICSEG_ERROR_FORMAT, "icpc.classes"},
        {{.key = "icpc.classes", .value = "[\"a\", 2, \"c\"]"}, ICSEG_ERROR_FORMAT, "icpc.classes[1]"},
        {{.key = "icpc.tokens", .value = "[[1], [], [2]]"}, ICSEG_ERROR_FORMAT, "icpc.tokens[1]"},
        {{.key = "icpc.tokens", .value = "[[1], [2], [258]]"}, ICSEG_ERROR_FORMAT, "icpc.tokens[2]"},
        {{.key = "icpc.tokens", .value = "[[1], \"x\", [2]]"}, ICSEG_ERROR_FORMAT, "icpc.tokens[1]"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_edited(state, "edited.safetensors", &cases[i].edit);
        must_fail(path_in(state, "edited.safetensors"), cases[i].status, cases[i].text);
    }
    write_edited(state, "edited.safetensors", &(edit){0});
    icseg_model *model;
    assert_int_equal(icseg_model_open(&model, path_in(state, "edited.safetensors"), NULL), ICSEG_OK);
    icseg_model_close(&model);
}

static void failed_allocations_are_errors_without_leaks(void **state) {
    icseg_model *model = small_model(1);
    char *path = path_in(state, "memory.safetensors");
    assert_int_equal(icseg_model_save(model, path, NULL), ICSEG_OK);
    icseg_model_close(&model);
    for (int64_t n = 0;; n += 7) {
        icseg_error error = {0};
        icseg_memory_fail_after(n);
        icseg_status status = icseg_model_open(&model, path, &error);
        icseg_memory_fail_after(-1);
        if (status == ICSEG_OK) break;
        assert_int_equal(status, ICSEG_ERROR_MEMORY);
        assert_null(model);
        assert_true(n < 100000);
    }
    icseg_model_close(&model);
}

static void images_too_small_are_refused(void **state) {
    (void)state;
    icseg_model *model = small_model(1);
    icseg_model_cost cost;
    icseg_error error = {0};
    assert_int_equal(icseg_model_cost_at(&cost, model, 1, 31, 64, &error), ICSEG_ERROR_SHAPE);
    assert_non_null(strstr(error.message, "at least 32"));
    assert_int_equal(icseg_model_cost_at(&cost, model, 1, 32, 33, &error), ICSEG_OK);
    assert_true(cost.flops > 1e6 && cost.activations < cost.unplanned && cost.parameters > cost.trainable);
    icseg_model_close(&model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_saved_model_opens_the_same),
        cmocka_unit_test(the_seed_makes_the_weights),
        cmocka_unit_test(truncated_checkpoints_are_refused),
        cmocka_unit_test(other_content_is_refused_by_name),
        cmocka_unit_test(failed_allocations_are_errors_without_leaks),
        cmocka_unit_test(images_too_small_are_refused),
    };
    return cmocka_run_group_tests_name("model", tests, make_folder, remove_folder);
}
