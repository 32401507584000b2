/* SPDX-License-Identifier: Apache-2.0
 * model/config: reading and writing the reference's JSON, presets, and each refusal. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "model/config.h"
#include "base/memory.h"
#include "icseg/icseg.h"
#include "support/locale.h"

static icseg_error error;

/* Metadata `icpc.config` as the reference's json.dumps(asdict(config)) wrote it into fixtures. */
#define NEW_FIELDS                                                                                                     \
    ", \"prompt_source\": \"tokens\", \"prompt_region\": 2, \"prompt_depth\": 1, \"contrast_anchor\": \"text\", "      \
    "\"contrast_selection\": \"hard\", \"contrast_strides\": [], \"contrast_tau\": 0.0, \"contrast_memory\": 0, "      \
    "\"label_smoothing\": 0.0, \"focal_gamma\": 0.0, \"ohem_threshold\": 0.0, \"ohem_least\": 10000, "                 \
    "\"class_weights\": \"none\", \"dense_embeddings\": \"attention\", \"score_logits\": 0.0, "                        \
    "\"dice_weight\": 0.0, \"lovasz_weight\": 0.0, \"align_source\": \"level\""
#define TINY_TEXT                                                                                                      \
    "\"pos_grid\": 3, \"embed_dim\": 48, \"text_width\": 32, \"text_heads\": 4, \"text_layers\": 2, "                  \
    "\"vocab_size\": 64, \"context_length\": 24, "
#define TINY_TAIL(WEIGHTS, CONTRAST)                                                                                   \
    "\"align_dim\": 24, \"tau\": 0.07, \"fpn_dim\": 16, \"num_classes\": 5, \"dropout\": 0.0, \"align_weights\": "     \
    "{" WEIGHTS "}, \"contrast_weight\": " CONTRAST ", \"contrast_positives\": 3, \"contrast_negatives\": 5, "         \
    "\"activation\": \"quick_gelu\", \"vit_mlp_width\": 0" NEW_FIELDS "}"
static const char denseclip[] =
    "{\"backbone\": \"resnet\", \"resnet_layers\": [1, 2, 1, 1], \"resnet_width\": 4, \"vit_patch\": 16, "
    "\"vit_width\": 768, \"vit_layers\": 12, \"vit_heads\": 12, \"vit_taps\": [3, 5, 7, 11], \"vit_drop_path\": "
    "0.0, " TINY_TEXT
    "\"prompt\": \"static\", \"prompt_tokens\": 4, \"prompt_width\": 16, \"prompt_heads\": 2, \"prompt_layers\": 1, "
    "\"post_prompt\": true, \"post_width\": 16, \"post_heads\": 2, \"post_layers\": 2, \"align_strides\": "
    "[32], " TINY_TAIL("\"8\": 0.1, \"16\": 0.2, \"32\": 0.4", "0.0");
static const char vit_instance[] =
    "{\"backbone\": \"vit\", \"resnet_layers\": [1, 2, 1, 1], \"resnet_width\": 16, \"vit_patch\": 16, "
    "\"vit_width\": 32, \"vit_layers\": 4, \"vit_heads\": 4, \"vit_taps\": [0, 1, 2, 3], \"vit_drop_path\": "
    "0.0, " TINY_TEXT
    "\"prompt\": \"instance\", \"prompt_tokens\": 4, \"prompt_width\": 16, \"prompt_heads\": 2, \"prompt_layers\": 1, "
    "\"post_prompt\": false, \"post_width\": 256, \"post_heads\": 4, \"post_layers\": 3, "
    "\"align_strides\": [8, 16, 32], " TINY_TAIL("\"8\": 0.1, \"16\": 0.4, \"32\": 0.1", "0.1");
/* The defaults, from the reference's json.dumps(asdict(Config())). */
static const char defaults[] =
    "{\"backbone\": \"resnet\", \"resnet_layers\": [3, 4, 6, 3], \"resnet_width\": 64, \"vit_patch\": 16, "
    "\"vit_width\": 768, \"vit_layers\": 12, \"vit_heads\": 12, \"vit_taps\": [3, 5, 7, 11], \"vit_drop_path\": 0.0, "
    "\"pos_grid\": 7, \"embed_dim\": 1024, \"text_width\": 512, \"text_heads\": 8, \"text_layers\": 12, "
    "\"vocab_size\": 49408, \"context_length\": 77, \"prompt\": \"instance\", \"prompt_tokens\": 8, "
    "\"prompt_width\": 256, \"prompt_heads\": 4, \"prompt_layers\": 1, \"post_prompt\": false, \"post_width\": 256, "
    "\"post_heads\": 4, \"post_layers\": 3, \"align_strides\": [8, 16, 32], \"align_dim\": 256, \"tau\": 0.07, "
    "\"fpn_dim\": 256, \"num_classes\": 150, \"dropout\": 0.1, \"align_weights\": {\"8\": 0.1, \"16\": 0.2, "
    "\"32\": 0.4}, \"contrast_weight\": 0.1, \"contrast_positives\": 16, \"contrast_negatives\": 64, \"activation\": "
    "\"quick_gelu\", \"vit_mlp_width\": 0" NEW_FIELDS "}";

static void writes(const icseg_config *config, const char *expected) {
    char *json;
    assert_int_equal(icseg_config_write_json(config, &json, &error), ICSEG_OK);
    assert_string_equal(json, expected);
    icseg_buffer_free(json);
}

static void the_references_json_round_trips_byte_for_byte(void **state) {
    (void)state;
    const char *const texts[] = {denseclip, vit_instance, defaults};
    for (int i = 0; i < 3; i++) {
        icseg_config config = {ICSEG_CONFIG_INIT};
        assert_int_equal(icseg_config_read_json(&config, texts[i], &error), ICSEG_OK);
        writes(&config, texts[i]);
    }
    icseg_config config = {ICSEG_CONFIG_INIT};
    assert_int_equal(icseg_config_read_json(&config, denseclip, &error), ICSEG_OK);
    assert_int_equal(config.prompt, ICSEG_PROMPT_STATIC);
    assert_true(config.post_prompt && config.contrast_weight == 0.0 && config.resnet_layers[1] == 2);
    assert_true(!config.align[0] && !config.align[1] && !config.align[2] && config.align[3]);
    assert_true(config.align_weights[1] == 0.1 && config.align_weights[3] == 0.4 && isnan(config.align_weights[0]));
    assert_int_equal(icseg_config_embed_level(&config), 3);
    assert_int_equal(icseg_config_level_channels(&config, 0), 16);
    assert_int_equal(icseg_config_level_channels(&config, 3), 128);
    assert_int_equal(icseg_config_read_json(&config, vit_instance, &error), ICSEG_OK);
    assert_int_equal(config.backbone, ICSEG_BACKBONE_VIT);
    assert_int_equal(config.vit_taps[3], 3);
    assert_int_equal(icseg_config_embed_level(&config), 2);
    assert_int_equal(icseg_config_level_channels(&config, 3), 32);
}

static void missing_keys_take_the_default_and_unknown_ones_are_ignored(void **state) {
    (void)state;
    icseg_config config = {ICSEG_CONFIG_INIT};
    assert_int_equal(icseg_config_read_json(&config, "{\"future\": [1, {\"x\": null}], \"tau\": 1}", &error), ICSEG_OK);
    assert_true(config.tau == 1.0); /* an integer in place of a float */
    config.tau = 0.07;
    writes(&config, defaults);
    config = icseg_config_default();
    writes(&config, defaults);
}

/* Not by memcmp: the padding is not set. */
static void assert_unchanged(const icseg_config *config, const icseg_config *before) {
    char *json;
    assert_int_equal(icseg_config_write_json(before, &json, &error), ICSEG_OK);
    writes(config, json);
    icseg_buffer_free(json);
}

static void an_update_keeps_what_it_does_not_name(void **state) {
    (void)state;
    icseg_config config = {ICSEG_CONFIG_INIT};
    assert_int_equal(icseg_config_preset(&config, "vit-b16", &error), ICSEG_OK);
    assert_int_equal(icseg_config_update_json(&config, "{\"num_classes\": 2, \"align_strides\": [16]}", &error),
                     ICSEG_OK);
    assert_true(config.num_classes == 2 && config.pos_grid == 14 && !config.align[1] && config.align[2]);
    icseg_config before = config;
    assert_int_equal(icseg_config_update_json(&config, "{\"num_classes\": 3, \"tau\": -1}", &error),
                     ICSEG_ERROR_CONFIG);
    assert_unchanged(&config, &before); /* a refused update changes nothing */
}

/* After a third, half and two thirds of the blocks and after the last, in ascending order however few there are. */
static void taps_are_spread_over_any_depth(void **state) {
    static const int32_t expected[][1 + ICSEG_LEVELS] = {{4, 0, 1, 2, 3},     {5, 0, 1, 2, 4},
                                                         {12, 3, 5, 7, 11},   {24, 7, 11, 15, 23},
                                                         {32, 9, 15, 20, 31}, {40, 12, 19, 25, 39}};
    icseg_config c = icseg_config_default();
    (void)state;
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        c.vit_layers = expected[i][0];
        icseg_config_spread_taps(&c);
        assert_memory_equal(c.vit_taps, expected[i] + 1, sizeof c.vit_taps);
    }
}

static void presets_are_the_references(void **state) {
    (void)state;
    icseg_config c = {ICSEG_CONFIG_INIT};
    assert_int_equal(icseg_config_preset(&c, "rn50", &error), ICSEG_OK);
    writes(&c, defaults);
    assert_int_equal(icseg_config_preset(&c, "rn101", &error), ICSEG_OK);
    assert_true(c.resnet_layers[2] == 23 && c.embed_dim == 512 && c.pos_grid == 7 && c.align_weights[3] == 0.4);
    assert_int_equal(icseg_config_preset(&c, "vit-b16", &error), ICSEG_OK);
    assert_true(c.backbone == ICSEG_BACKBONE_VIT && c.embed_dim == 512 && c.pos_grid == 14 && c.vit_width == 768);
    assert_true(c.align_weights[1] == 0.1 && c.align_weights[2] == 0.4 && c.align_weights[3] == 0.1);
    assert_int_equal(icseg_config_preset(&c, "tiny-vit", &error), ICSEG_OK);
    writes(&c, vit_instance);
    assert_int_equal(icseg_config_preset(&c, "tiny-resnet", &error), ICSEG_OK);
    assert_true(c.resnet_width == 16 && c.align_weights[2] == 0.2 && c.vit_width == 768);
    const char *const names[] = {"rn50",    "rn101",       "rn50x4",  "rn50x16", "rn50x64",     "vit-b16", "vit-b32",
                                 "vit-l14", "vit-l14-336", "vit-h14", "vit-g14", "tiny-resnet", "tiny-vit"};
    for (int i = 0; i < 5; i++) {
        assert_int_equal(icseg_config_preset(&c, names[i], &error), ICSEG_OK);
        assert_int_equal(icseg_config_check(&c, &error), ICSEG_OK);
    }
    assert_int_equal(icseg_config_preset(&c, "vit_b16", &error), ICSEG_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "did you mean \"vit-b16\""));
    assert_int_equal(icseg_config_preset(&c, "gpt", &error), ICSEG_ERROR_ARGUMENT);
}

static void numbers_round_trip_exactly_in_any_locale(void **state) {
    (void)state;
    static const double numbers[] = {0.07,        1.0, 1e-5, 1.0 / 3, 0.1 + 0.2, 5e-324, 8.98846567431158e29,
                                     123456789.0, 1e22};
    for (int comma = 0; comma < 2; comma++) {
        if (comma) test_decimal_commas();
        for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
            icseg_config config = icseg_config_default(), back = config;
            char *json;
            config.contrast_weight = numbers[i];
            assert_int_equal(icseg_config_write_json(&config, &json, &error), ICSEG_OK);
            assert_int_equal(icseg_config_read_json(&back, json, &error), ICSEG_OK);
            assert_true(back.contrast_weight == config.contrast_weight);
            icseg_buffer_free(json);
        }
    }
    test_decimal_points();
}

static void refuses(icseg_status status, const char *json, const char *because) {
    icseg_config config = icseg_config_default(), before = config;
    icseg_status got = icseg_config_read_json(&config, json, &error);
    if (got != status || !strstr(error.message, because))
        fail_msg("%s: status %s, \"%s\" lacks \"%s\"", json, icseg_status_name(got), error.message, because);
    assert_unchanged(&config, &before);
}

static void wrong_types_name_the_key(void **state) {
    (void)state;
    refuses(ICSEG_ERROR_FORMAT, "", "not JSON");
    refuses(ICSEG_ERROR_FORMAT, "{\"tau\": 0.1", "not JSON");
    refuses(ICSEG_ERROR_FORMAT, "{\"tau\": NaN}", "not JSON");
    refuses(ICSEG_ERROR_FORMAT, "{\"tau\": 0.1, \"tau\": 0.2}", "duplicate");
    refuses(ICSEG_ERROR_FORMAT, "[]", "is a list; expected an object");
    refuses(ICSEG_ERROR_FORMAT, "{\"backbone\": 1}", "\"backbone\" is an integer; expected a string");
    refuses(ICSEG_ERROR_FORMAT, "{\"fpn_dim\": 256.0}", "\"fpn_dim\" is a floating-point number; expected an integer");
    refuses(ICSEG_ERROR_FORMAT, "{\"fpn_dim\": 1e99}", "\"fpn_dim\" is a floating-point number; expected an integer");
    refuses(ICSEG_ERROR_FORMAT, "{\"fpn_dim\": true}", "\"fpn_dim\" is a boolean");
    refuses(ICSEG_ERROR_FORMAT, "{\"fpn_dim\": null}", "\"fpn_dim\" is null");
    refuses(ICSEG_ERROR_FORMAT, "{\"fpn_dim\": \"256\"}", "\"fpn_dim\" is a string");
    refuses(ICSEG_ERROR_FORMAT, "{\"tau\": \"0.07\"}", "\"tau\" is a string; expected a number");
    refuses(ICSEG_ERROR_FORMAT, "{\"tau\": true}", "\"tau\" is a boolean");
    refuses(ICSEG_ERROR_FORMAT, "{\"post_prompt\": 1}", "\"post_prompt\" is an integer; expected true or false");
    refuses(ICSEG_ERROR_FORMAT, "{\"resnet_layers\": 3}", "\"resnet_layers\" is an integer; expected a list");
    refuses(ICSEG_ERROR_FORMAT, "{\"resnet_layers\": [3, 4, 6.0, 3]}", "\"resnet_layers\"");
    refuses(ICSEG_ERROR_FORMAT, "{\"align_strides\": {\"8\": 1}}", "\"align_strides\" is an object");
    refuses(ICSEG_ERROR_FORMAT, "{\"align_strides\": [\"8\"]}", "\"align_strides\" is a string");
    refuses(ICSEG_ERROR_FORMAT, "{\"align_weights\": [0.1, 0.2, 0.4]}", "\"align_weights\" is a list");
    refuses(ICSEG_ERROR_FORMAT, "{\"align_weights\": {\"8\": \"0.1\"}}", "\"align_weights\" is a string");
    refuses(ICSEG_ERROR_CONFIG, "{\"fpn_dim\": 4294967552}", "\"fpn_dim\" = 4294967552 does not fit into 32 bits");
}

static void configurations_that_cannot_work_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *json, *because;
    } cases[] = {
        {"{\"backbone\": \"convnext\"}", "\"backbone\" = \"convnext\" is not accepted; expected one of resnet, vit"},
        {"{\"prompt\": \"Instance\"}",
         "\"prompt\" = \"Instance\" is not accepted; expected one of template, static, instance"},
        {"{\"resnet_layers\": [3, 4, 6]}", "\"resnet_layers\" has 3 values; expected 4"},
        {"{\"resnet_layers\": [3, 4, 0, 3]}",
         "\"resnet_layers\" = 0 is not accepted; expected a list of 4 whole numbers, each from 1 to 1000"},
        {"{\"resnet_layers\": [3, 4, 1001, 3]}", "\"resnet_layers\" = 1001"},
        {"{\"resnet_width\": 1}", "\"resnet_width\" = 1 is not accepted; expected a whole number from 2 to 2048"},
        {"{\"resnet_width\": 2049}", "\"resnet_width\" = 2049"},
        {"{\"resnet_width\": 7}", "\"resnet_width\" = 7: the attention pool's 3 heads do not divide its 224 channels"},
        {"{\"backbone\": \"vit\", \"vit_patch\": 3}",
         "\"vit_patch\" = 3 is not accepted; expected a whole number from 4"},
        {"{\"backbone\": \"vit\", \"vit_patch\": 257}", "\"vit_patch\" = 257"},
        {"{\"backbone\": \"vit\", \"vit_mlp_width\": -1}", "\"vit_mlp_width\" = -1"},
        {"{\"backbone\": \"vit\", \"vit_heads\": 7}", "\"vit_heads\" = 7: must divide \"vit_width\" = 768"},
        {"{\"backbone\": \"vit\", \"vit_heads\": 0}", "\"vit_heads\" = 0"},
        {"{\"backbone\": \"vit\", \"vit_width\": 65537}", "\"vit_width\" = 65537"},
        {"{\"backbone\": \"vit\", \"vit_layers\": 3}", "\"vit_layers\" = 3"},
        {"{\"backbone\": \"vit\", \"vit_layers\": 11}", "\"vit_taps\" contains 11: blocks are numbered 0..10"},
        {"{\"backbone\": \"vit\", \"vit_taps\": [3, 5, 5, 11]}", "\"vit_taps\" contains 5 after 5: must be ascending"},
        {"{\"backbone\": \"vit\", \"vit_taps\": [3, 5, 7]}", "\"vit_taps\" has 3 values"},
        {"{\"backbone\": \"vit\", \"vit_taps\": [-1, 5, 7, 11]}", "\"vit_taps\" = -1"},
        {"{\"vit_drop_path\": 1.0}", "\"vit_drop_path\" = 1 is not accepted; expected a number from 0 to 1 (excluded)"},
        {"{\"vit_drop_path\": -0.1}", "\"vit_drop_path\" = -0.1"},
        {"{\"pos_grid\": 0}", "\"pos_grid\" = 0"},
        {"{\"embed_dim\": 0}", "\"embed_dim\" = 0"},
        {"{\"embed_dim\": 100000}", "\"embed_dim\" = 100000 is not accepted; expected a whole number from 1 to 65536"},
        {"{\"text_width\": -512}", "\"text_width\" = -512"},
        {"{\"text_heads\": 7}", "\"text_heads\" = 7: must divide \"text_width\" = 512"},
        {"{\"text_layers\": 1001}", "\"text_layers\" = 1001 is not accepted; expected a whole number from 1 to 1000"},
        {"{\"vocab_size\": 2}", "\"vocab_size\" = 2 is not accepted; expected a whole number from 3 to"},
        {"{\"context_length\": 2}", "\"context_length\" = 2"},
        {"{\"prompt_tokens\": 0}", "\"prompt_tokens\" = 0 is not accepted; expected a whole number from 1 to"},
        {"{\"prompt\": \"static\", \"prompt_tokens\": 0}", "\"prompt_tokens\" = 0"},
        {"{\"prompt_tokens\": 75}", "\"prompt_tokens\" = 75: with SOS and EOS they leave no space"},
        {"{\"prompt_heads\": 3}", "\"prompt_heads\" = 3: must divide \"prompt_width\" = 256"},
        {"{\"prompt_layers\": 0}", "\"prompt_layers\" = 0"},
        {"{\"post_prompt\": true, \"post_heads\": 3}", "\"post_heads\" = 3: must divide \"post_width\" = 256"},
        {"{\"post_prompt\": true, \"post_layers\": 0}", "\"post_layers\" = 0"},
        {"{\"align_strides\": [8, 16]}", "\"align_strides\" lacks 32, the embedding stride of a resnet"},
        {"{\"align_strides\": []}", "\"prompt\" must be template, because \"align_strides\" is empty"},
        {"{\"align_strides\": [], \"prompt\": \"template\"}", "\"contrast_weight\" must be 0, because"},
        {"{\"align_strides\": [], \"prompt\": \"template\", \"post_prompt\": true}",
         "\"post_prompt\" must be false, because"},
        {"{\"align_strides\": [], \"prompt\": \"template\", \"contrast_weight\": 0, \"score_logits\": 1}",
         "\"score_logits\" must be 0, because"},
        {"{\"backbone\": \"vit\", \"align_strides\": [8, 32]}", "\"align_strides\" lacks 16"},
        {"{\"align_strides\": [8, 64]}", "\"align_strides\" contains 64; the strides are 4, 8, 16 and 32"},
        {"{\"align_strides\": [8, 8, 32]}", "\"align_strides\" contains 8 twice"},
        {"{\"align_strides\": [4, 32]}", "\"align_weights\" has no weight for stride 4"},
        {"{\"align_weights\": {\"32\": 0.4}}", "\"align_weights\" has no weight for stride 8"},
        {"{\"align_weights\": {\"8\": 0.1, \"16\": -0.2, \"32\": 0.4}}", "\"align_weights\" has -0.2 for stride 16"},
        {"{\"align_dim\": 0}", "\"align_dim\" = 0"},
        {"{\"tau\": 0}", "\"tau\" = 0 is not accepted; expected a number from 1e-30 to 1e+30"},
        {"{\"tau\": 1e308}", "\"tau\" = 1e+308 is not accepted"},
        {"{\"tau\": -0.07}", "\"tau\" = -0.07"},
        {"{\"fpn_dim\": 0}", "\"fpn_dim\" = 0"},
        {"{\"num_classes\": 0}", "\"num_classes\" = 0 is not accepted; a model needs at least 1 class"},
        {"{\"num_classes\": 65535}", "\"num_classes\" = 65535"},
        {"{\"dropout\": 1}", "\"dropout\" = 1 is not accepted; expected a number from 0 to 1 (excluded)"},
        {"{\"contrast_weight\": -1}", "\"contrast_weight\" = -1"},
        {"{\"contrast_weight\": 1e308}", "\"contrast_weight\" = 1e+308"},
        {"{\"align_weights\": {\"8\": 1e308, \"16\": 0, \"32\": 0}}", "\"align_weights\" has 1e+308 for stride 8"},
        {"{\"contrast_positives\": 0}", "\"contrast_positives\" = 0"},
        {"{\"contrast_negatives\": 0}", "\"contrast_negatives\" = 0"},
        {"{\"prompt_source\": \"words\"}", "\"prompt_source\" = \"words\" is not accepted; expected"},
        {"{\"prompt_source\": \"regions\", \"prompt_region\": 0}", "\"prompt_region\" = 0"},
        {"{\"prompt_depth\": 13}", "\"prompt_depth\" = 13: the text transformer has only \"text_layers\" = 12 blocks"},
        {"{\"prompt_depth\": 0}", "\"prompt_depth\" = 0"},
        {"{\"contrast_anchor\": \"\"}", "\"contrast_anchor\" = \"\" is not accepted"},
        {"{\"contrast_selection\": \"easy\"}", "\"contrast_selection\" = \"easy\" is not accepted"},
        {"{\"contrast_strides\": [4, 32]}", "\"contrast_strides\" contains 4, which is not in \"align_strides\""},
        {"{\"contrast_strides\": [5]}", "\"contrast_strides\" contains 5; the strides are"},
        {"{\"contrast_tau\": -1}", "\"contrast_tau\" = -1"},
        {"{\"contrast_tau\": 1e-40}", "\"contrast_tau\" = 1e-40 is not accepted; expected 0 or"},
        {"{\"label_smoothing\": 1}", "\"label_smoothing\" = 1 is not accepted"},
        {"{\"label_smoothing\": 0.1, \"focal_gamma\": 2}",
         "\"label_smoothing\" = 0.1: must be 0, because the focal loss"},
        {"{\"focal_gamma\": -1}", "\"focal_gamma\" = -1"},
        {"{\"ohem_threshold\": 1.5}", "\"ohem_threshold\" = 1.5"},
        {"{\"ohem_threshold\": 0.7, \"ohem_least\": 0}", "\"ohem_least\" = 0"},
        {"{\"class_weights\": \"some\"}", "\"class_weights\" = \"some\" is not accepted"},
        {"{\"dense_embeddings\": \"keys\"}", "\"dense_embeddings\" = \"keys\" is not accepted"},
        {"{\"align_source\": \"text\"}", "\"align_source\" = \"text\" is not accepted"},
        {"{\"score_logits\": -1}", "\"score_logits\" = -1"},
        {"{\"dice_weight\": -1}", "\"dice_weight\" = -1"},
        {"{\"lovasz_weight\": 1e31}", "\"lovasz_weight\" = 1e+31"},
        {"{\"contrast_memory\": -1}", "\"contrast_memory\" = -1"},
        {"{\"contrast_memory\": 4, \"contrast_anchor\": \"image\"}",
         "\"contrast_memory\" = 4 needs \"contrast_anchor\""},
        {"{\"contrast_memory\": 4, \"contrast_strides\": [8]}",
         "\"contrast_memory\" = 4 needs 32, the embedding stride"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refuses(ICSEG_ERROR_CONFIG, cases[i].json, cases[i].because);
}

static void unused_fields_are_not_checked(void **state) {
    (void)state;
    icseg_config config = {ICSEG_CONFIG_INIT};
    assert_int_equal(icseg_config_read_json(&config,
                                            "{\"vit_patch\": 3, \"vit_heads\": 0, \"vit_taps\": [9, 9, 9, 9], "
                                            "\"prompt\": \"template\", \"prompt_tokens\": 0, \"prompt_heads\": 0, "
                                            "\"context_length\": 3, \"post_heads\": 0, \"align_strides\": [32], "
                                            "\"align_dim\": 0, \"align_weights\": {\"32\": 0}, \"contrast_weight\": 0, "
                                            "\"contrast_positives\": 0, \"contrast_negatives\": -1, "
                                            "\"prompt_depth\": 99, \"prompt_region\": 0, \"contrast_strides\": "
                                            "[4], \"contrast_tau\": -1, \"contrast_memory\": -1}",
                                            &error),
                     ICSEG_OK);
    assert_int_equal(icseg_config_read_json(&config, "{\"prompt_tokens\": 74}", &error),
                     ICSEG_OK); /* leaves one token for a class name */
    assert_int_equal(icseg_config_read_json(&config,
                                            "{\"backbone\": \"vit\", \"resnet_layers\": [0, 0, 0, 0], "
                                            "\"resnet_width\": 7}",
                                            &error),
                     ICSEG_OK);
}

static void structs_filled_by_hand_are_checked_too(void **state) {
    (void)state;
    icseg_config good = icseg_config_default(), c;
    char *json;
#define BAD(FIELD, VALUE)                                                                                              \
    do {                                                                                                               \
        c = good;                                                                                                      \
        c.FIELD = VALUE;                                                                                               \
        assert_int_equal(icseg_config_check(&c, &error), ICSEG_ERROR_CONFIG);                                          \
        assert_int_equal(icseg_config_write_json(&c, &json, &error), ICSEG_ERROR_CONFIG);                              \
        assert_null(json);                                                                                             \
    } while (0)
    BAD(backbone, (icseg_backbone)2);
    BAD(prompt, (icseg_prompt)3);
    BAD(tau, NAN);
    BAD(tau, HUGE_VAL);
    BAD(dropout, NAN);
    BAD(vit_drop_path, HUGE_VAL);
    BAD(contrast_weight, HUGE_VAL);
    BAD(align_weights[2], NAN);
    BAD(align_weights[2], HUGE_VAL);
    BAD(resnet_width, INT32_MAX);
    BAD(resnet_width, INT32_MIN);
    BAD(prompt_tokens, INT32_MAX);
    assert_int_equal(icseg_config_check(&good, NULL), ICSEG_OK);
}

static void failed_allocations_leave_nothing_behind(void **state) {
    (void)state;
    icseg_config config = icseg_config_default();
    char *json = NULL;
    int failures = 0;
    for (int64_t n = 0;; n++, failures++) {
        icseg_memory_fail_after(n);
        icseg_status status = icseg_config_write_json(&config, &json, &error);
        icseg_memory_fail_after(-1);
        if (status == ICSEG_OK) break;
        assert_int_equal(status, ICSEG_ERROR_MEMORY);
        assert_null(json);
    }
    assert_in_range(failures, 1, 30);
    icseg_buffer_free(json);
    icseg_memory_fail_after(0); /* even the list of words in an error text */
    assert_int_equal(icseg_config_read_json(&config, "{\"prompt\": \"none\"}", &error), ICSEG_ERROR_CONFIG);
    icseg_memory_fail_after(-1);
}

static void the_version_has_three_numbers(void **state) {
    (void)state;
    int dots = 0;
    for (const char *c = icseg_version(); *c; c++) {
        dots += *c == '.';
        assert_true(*c == '.' || (*c >= '0' && *c <= '9'));
    }
    assert_int_equal(dots, 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_references_json_round_trips_byte_for_byte),
        cmocka_unit_test(missing_keys_take_the_default_and_unknown_ones_are_ignored),
        cmocka_unit_test(an_update_keeps_what_it_does_not_name),
        cmocka_unit_test(taps_are_spread_over_any_depth),
        cmocka_unit_test(presets_are_the_references),
        cmocka_unit_test(numbers_round_trip_exactly_in_any_locale),
        cmocka_unit_test(wrong_types_name_the_key),
        cmocka_unit_test(configurations_that_cannot_work_are_refused),
        cmocka_unit_test(unused_fields_are_not_checked),
        cmocka_unit_test(structs_filled_by_hand_are_checked_too),
        cmocka_unit_test(failed_allocations_leave_nothing_behind),
        cmocka_unit_test(the_version_has_three_numbers),
    };
    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
