/* SPDX-License-Identifier: Apache-2.0
 * A checkpoint's configuration against its tensors: a small file cannot ask for a large model, and the error names the
 * field. A graph finds its parameters without searching for them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/memory.h"
#include "graph/graph.h"
#include "icseg/memory.h"
#include "support/models.h"

static char path[] = "/tmp/icseg_config_tensors_XXXXXX";

static int tear_down(void **state) {
    (void)state;
    return remove(path);
}

/* Saves a model of the configuration as `path` and opens the file. */
static icseg_safetensors *save(const icseg_config *config) {
    icseg_model_options options = {ICSEG_MODEL_OPTIONS_INIT, .config = config,
                                   .class_names = (const char *const[]){"sky", "road"}};
    icseg_model *model;
    icseg_safetensors *file;
    icseg_error error = {0};
    if (icseg_model_create(&model, &options, &error) != ICSEG_OK) fail_msg("%s", error.message);
    assert_int_equal(icseg_model_save(model, path, NULL), ICSEG_OK);
    icseg_model_close(&model);
    assert_int_equal(icseg_safetensors_open(&file, path, NULL), ICSEG_OK);
    return file;
}

/* The ViT has the forms of prompts and of the contrastive loss that have tensors of their own. */
static icseg_config small(const char *preset) {
    icseg_config config = {ICSEG_CONFIG_INIT};
    assert_int_equal(icseg_config_preset(&config, preset, NULL), ICSEG_OK);
    config.vocab_size = 258;
    config.num_classes = 2;
    config.text_layers = 1;
    config.post_prompt = true;
    if (!strcmp(preset, "tiny-vit")) {
        config.prompt_source = ICSEG_PROMPT_FROM_GLOBAL;
        config.prompt_depth = 2;
        config.text_layers = 2;
        config.contrast_memory = 3;
    }
    return config;
}

typedef struct change {
    size_t offset; /* of an int32_t of icseg_config, which is changed to `value` */
    int32_t value;
    const char *field, *tensor; /* that the error names */
} change;

static void each_is_named(const char *preset, const change *changes, size_t count) {
    icseg_config config = small(preset);
    icseg_safetensors *file = save(&config);
    icseg_error error = {0};
    if (icseg_config_check_tensors(&config, file, "", &error) != ICSEG_OK) fail_msg("%s", error.message);
    for (size_t i = 0; i < count; i++) {
        icseg_config changed = config;
        char field[64], tensor[96];
        memcpy((char *)&changed + changes[i].offset, &changes[i].value, sizeof changes[i].value);
        snprintf(field, sizeof field, "\"%s\" = %d ", changes[i].field, changes[i].value);
        snprintf(tensor, sizeof tensor, "\"%s\"", changes[i].tensor);
        assert_int_not_equal(icseg_config_check_tensors(&changed, file, "", &error), ICSEG_OK);
        if (!strstr(error.message, path) || !strstr(error.message, field) || !strstr(error.message, tensor))
            fail_msg("'%s' lacks the file, '%s' or '%s'", error.message, field, tensor);
    }
    assert_int_not_equal(icseg_config_check_tensors(&config, file, "model.", &error), ICSEG_OK);
    assert_non_null(strstr(error.message, "\"model.visual."));
    icseg_safetensors_close(&file);
}

#define AT(member) offsetof(icseg_config, member)

static void a_field_that_contradicts_the_tensors_is_named(void **state) {
    static const change resnet[] = {
        {AT(resnet_width), 2048, "resnet_width", "visual.conv3.weight"},
        {AT(resnet_layers[0]), 1000, "resnet_layers", "visual.layer1.1.conv1.weight"},
        {AT(resnet_layers[3]), 1000, "resnet_layers", "visual.layer4.1.conv1.weight"},
        {AT(pos_grid), 1000, "pos_grid", "visual.attnpool.positional_embedding"},
        {AT(vocab_size), 1 << 22, "vocab_size", "token_embedding.weight"},
        {AT(text_width), 65536, "text_width", "token_embedding.weight"},
        {AT(context_length), 65536, "context_length", "positional_embedding"},
        {AT(embed_dim), 65536, "embed_dim", "text_projection"},
        {AT(text_layers), 1000, "text_layers", "transformer.resblocks.1.ln_1.weight"},
        {AT(prompt_tokens), 65536, "prompt_tokens", "prompt.context"},
        {AT(prompt_width), 65536, "prompt_width", "prompt.query"},
        {AT(prompt_layers), 1000, "prompt_layers", "prompt.layers.1.norm1.weight"},
        {AT(post_width), 65536, "post_width", "post.memory_proj.1.weight"},
        {AT(post_layers), 1000, "post_layers", "post.decoder.3.norm1.weight"},
        {AT(align_dim), 65536, "align_dim", "align.text.weight"},
        {AT(fpn_dim), 65536, "fpn_dim", "decoder.neck.lateral_convs.0.conv.weight"},
        {AT(num_classes), 16384, "num_classes", "decoder.head.conv_seg.weight"},
    };
    static const change vit[] = {
        {AT(vit_width), 65536, "vit_width", "visual.class_embedding"},
        {AT(vit_patch), 32, "vit_patch", "visual.conv1.weight"},
        {AT(vit_mlp_width), 65536, "vit_mlp_width", "visual.transformer.resblocks.0.mlp.c_fc.weight"},
        {AT(vit_layers), 1000, "vit_layers", "visual.transformer.resblocks.4.ln_1.weight"},
        {AT(pos_grid), 1000, "pos_grid", "visual.positional_embedding"},
        {AT(prompt_width), 65536, "prompt_width", "prompt.meta.0.weight"},
        {AT(prompt_depth), 1000, "prompt_depth", "prompt.deep"},
        {AT(contrast_memory), 1024, "contrast_memory", "contrast.memory"},
    };
    (void)state;
    each_is_named("tiny-resnet", resnet, sizeof resnet / sizeof *resnet);
    each_is_named("tiny-vit", vit, sizeof vit / sizeof *vit);
}

/* Far fewer allocations than building such a model takes. */
static void a_small_file_that_asks_for_a_large_model_is_refused_before_anything_is_built(void **state) {
    enum { FEW = 500 };
    static const float zero[1];
    const icseg_safetensors_entry entry = {"t", ICSEG_F32, ICSEG_SHAPE(1), zero, sizeof zero};
    icseg_config config = small("tiny-resnet");
    icseg_model *model;
    icseg_error error = {0};
    char *json;
    (void)state;
    for (int i = 0; i < 4; i++) config.resnet_layers[i] = 1000;
    config.text_layers = config.prompt_layers = config.post_layers = 1000;
    assert_int_equal(icseg_config_write_json(&config, &json, NULL), ICSEG_OK);
    const icseg_safetensors_pair metadata[] = {
        {"icpc.config", json}, {"icpc.classes", "[\"a\", \"b\"]"}, {"icpc.tokens", "[[1], [2]]"}};
    assert_int_equal(icseg_safetensors_write(path, &entry, 1, metadata, 3, NULL), ICSEG_OK);
    icseg_memory_fail_after(FEW);
    icseg_status status = icseg_model_open(&model, path, &error);
    icseg_memory_fail_after(-1);
    icseg_buffer_free(json);
    if (status != ICSEG_ERROR_FORMAT || !strstr(error.message, "icpc.config: \"resnet_"))
        fail_msg("status %d: %s", (int)status, error.message);
    assert_null(model);
}

static void a_parameter_is_one_value_however_many_there_are(void **state) {
    enum { MANY = 3000 };
    static icseg_value value[MANY];
    icseg_params *params;
    icseg_graph *graph;
    (void)state;
    assert_int_equal(icseg_params_open(&params, NULL), ICSEG_OK);
    assert_int_equal(icseg_graph_open(&graph, false, NULL), ICSEG_OK);
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < MANY; i++) {
            char name[32];
            snprintf(name, sizeof name, "p%d", i);
            if (!round)
                assert_non_null(icseg_params_declare(params, name, ICSEG_SHAPE(1), (icseg_param_options){0}, NULL));
            icseg_param *param = icseg_params_find(params, name);
            icseg_value v = icseg_graph_param(graph, param);
            if (!round) value[i] = v;
            assert_true(v == value[i] && icseg_graph_value(graph, v)->param == param);
        }
    assert_int_equal(icseg_graph_value_count(graph), MANY);
    icseg_graph_close(&graph);
    icseg_params_close(&params);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_field_that_contradicts_the_tensors_is_named),
        cmocka_unit_test(a_small_file_that_asks_for_a_large_model_is_refused_before_anything_is_built),
        cmocka_unit_test(a_parameter_is_one_value_however_many_there_are),
    };
    int handle = mkstemp(path);
    if (handle < 0) return 1;
    close(handle);
    return cmocka_run_group_tests(tests, NULL, tear_down);
}
