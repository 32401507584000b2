/* SPDX-License-Identifier: Apache-2.0
 * train/recipe: defaults, files, assignments, every refusal with its text, round trips, truncation. */
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
#include "train/assignment.h"

struct fixture {
    char folder[64], path[96];
    icseg_recipe *recipe;
    icseg_error error;
};

static int set_up(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    snprintf(f->folder, sizeof f->folder, "/tmp/icseg_recipe_XXXXXX");
    if (!f || !mkdtemp(f->folder)) return -1;
    snprintf(f->path, sizeof f->path, "%s/a.yaml", f->folder);
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    icseg_recipe_close(&f->recipe);
    unlink(f->path);
    int left = rmdir(f->folder);
    free(f);
    return left;
}

static icseg_status open_path(struct fixture *f, const char *path) {
    icseg_recipe_close(&f->recipe);
    icseg_status status = icseg_recipe_open(&f->recipe, path, &f->error);
    assert_true((status == ICSEG_OK) == (f->recipe != NULL));
    return status;
}

static icseg_status read_text(struct fixture *f, const char *text, size_t size) {
    memset(&f->error, 0, sizeof f->error);
    FILE *file = fopen(f->path, "wb"); /* icseg_file_write would sync thousands of times */
    assert_true(file && fwrite(text, 1, size, file) == size && fclose(file) == 0);
    return open_path(f, f->path);
}

static void accept(struct fixture *f, const char *text) {
    if (read_text(f, text, strlen(text)) != ICSEG_OK) fail_msg("%s", f->error.message);
}

/* Reading must fail with exactly FILE followed by `message`. */
static void refuse(struct fixture *f, const char *text, const char *message) {
    icseg_status status = read_text(f, text, strlen(text));
    assert_true(status == ICSEG_ERROR_ARGUMENT || status == ICSEG_ERROR_FORMAT);
    assert_memory_equal(f->error.message, f->path, strlen(f->path));
    assert_string_equal(f->error.message + strlen(f->path), message);
}

static void an_empty_recipe_has_the_published_settings(void **state) {
    struct fixture *f = *state;
    static const char *const empty[] = {"", "# nothing\n", "---\n", "{}\n", "train:\n"};
    for (size_t i = 0; i < sizeof empty / sizeof *empty; i++) {
        if (i == 2) continue; /* a document that is a null scalar: refused, see below */
        accept(f, empty[i]);
        const icseg_recipe_settings *r = &f->recipe->settings;
        assert_true(r->train.steps == 80000 && r->train.batch == 32 && r->train.lr == 1e-4);
        assert_true(r->train.warmup == 1500 && r->train.min_lr == 1e-6 && r->train.backbone_lr_mult == 0.1);
        assert_true(r->model.resnet_layers[2] == 6 && r->model.embed_dim == 1024 && r->model.vocab_size == 49408);
        assert_true(r->model.num_classes == 0 && r->augment.crop_height == 512 && r->eval.tta_count == 6);
    }
}

static void the_preset_is_applied_first_wherever_it_is_set(void **state) {
    struct fixture *f = *state;
    accept(f, "model:\n  embed_dim: 99\n  tau: 0.5\n  preset: vit-b16\n  tokenizer: bytes\n");
    assert_int_equal(f->recipe->settings.model.backbone, ICSEG_BACKBONE_VIT);
    assert_true(f->recipe->settings.model.embed_dim == 99 && f->recipe->settings.model.tau == 0.5 &&
                f->recipe->settings.model.vit_drop_path == 0.1);
    assert_true(f->recipe->settings.model.vocab_size == 258 && f->recipe->settings.augment.crop_width == 640);
    assert_int_equal(icseg_recipe_assign(f->recipe, "model.preset=rn101", &f->error), ICSEG_OK);
    assert_int_equal(f->recipe->settings.model.backbone, ICSEG_BACKBONE_RESNET);
    assert_true(f->recipe->settings.model.resnet_layers[2] == 23 && f->recipe->settings.model.embed_dim == 99);
    assert_true(f->recipe->settings.augment.crop_width == 512 && f->recipe->settings.model.vit_drop_path == 0);
    accept(f, "model: {vocab_size: 300, tokenizer: bytes}\n");
    assert_int_equal(f->recipe->settings.model.vocab_size, 300);
}

static void every_kind_of_value_is_read(void **state) {
    struct fixture *f = *state;
    accept(f, "data:\n  folder: \"a b\"\n  ignore: [0, 254]\n  reduce_zero_label: yes\n  classes: ~\n"
              "augment:\n  crop:\n    - 256\n    - 320\n  scale: [0.5, 2]\n"
              "train: {lr: 1e-3, betas: [0.8, 0.99], seed: 9007199254740993}\n"
              "model:\n  prompt: static\n  align_weights: {8: 0.25, 32: 1}\n  align_strides: [32, 8]\n"
              "eval:\n  mode: slide\n  tta_scales: [1.0]\n");
    const icseg_recipe_settings *r = &f->recipe->settings;
    assert_string_equal(r->data.folder, "a b");
    assert_string_equal(r->data.classes, "");
    assert_true(r->data.ignore_count == 2 && r->data.ignore[1] == 254 && r->data.reduce_zero_label);
    assert_true(r->augment.crop_height == 256 && r->augment.crop_width == 320 && r->augment.scale_max == 2);
    assert_true(r->train.lr == 1e-3 && r->train.betas[0] == 0.8 && r->train.seed == 9007199254740993);
    assert_true(r->model.prompt == ICSEG_PROMPT_STATIC && r->model.align_weights[1] == 0.25);
    assert_true(r->model.align[1] && !r->model.align[2] && r->model.align[3] && r->model.align_weights[3] == 1);
    assert_true(r->eval.mode == ICSEG_RECIPE_SLIDE && r->eval.tta_count == 1 && r->eval.tta_scales[0] == 1);
}

static void align_weights_may_be_a_list_in_the_order_of_strides(void **state) {
    struct fixture *f = *state;
    static const char *const none[] = {"[0.5]", "[]", "{}"};
    accept(f, "model:\n  align_weights: [0.5, 0.25]\n  align_strides: [8, 32]\n");
    const double *weights = f->recipe->settings.model.align_weights;
    assert_true(weights[1] == 0.5 && weights[3] == 0.25 && weights[2] != weights[2]); /* NaN: not set */
    assert_int_equal(icseg_recipe_assign(f->recipe, "model.align_weights=1,2", NULL), ICSEG_OK);
    assert_true(f->recipe->settings.model.align_weights[1] == 1 && f->recipe->settings.model.align_weights[3] == 2);
    assert_int_equal(icseg_recipe_assign(f->recipe, "model.align_weights=1,2,3", &f->error), ICSEG_ERROR_ARGUMENT);
    assert_string_equal(f->error.message,
                        "model.align_weights: a list needs one weight for each of the 2 align_strides");
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        char text[100];
        snprintf(text, sizeof text, "model:\n  align_weights: %s\n", none[i]);
        refuse(f, text, ":2: model.align_weights: a list needs one weight for each of the 3 align_strides");
        snprintf(text, sizeof text, "model:\n  align_weights: %s\n  align_strides: []\n", none[i]);
        if (i > 0) accept(f, text);
    }
    char *value;
    assert_int_equal(icseg_recipe_get(f->recipe, "model.align_weights", &value, NULL), ICSEG_OK);
    assert_string_equal(value, "{}");
    assert_int_equal(icseg_recipe_set(f->recipe, "model.align_weights", value, &f->error), ICSEG_OK);
    icseg_buffer_free(value);
}

static void wrong_keys_and_values_are_refused_by_line(void **state) {
    struct fixture *f = *state;
    refuse(f, "train:\n  stpes: 3\n", ":2: train.stpes: unknown key; did you mean train.steps?");
    refuse(f, "trian:\n  steps: 3\n", ":2: trian.steps: unknown key; did you mean train.steps?");
    refuse(f, "train:\n  tau: 3\n", ":2: train.tau: unknown key; did you mean model.tau?");
    refuse(f, "train:\n  quux: 3\n", ":2: train.quux: unknown key");
    refuse(f, "train:\n\n  batch: -8\n",
           ":3: train.batch: \"-8\" is not accepted; expected a whole number from 1 to 65536");
    refuse(f, "train:\n  lr: fast\n", ":2: train.lr: \"fast\" is not accepted; expected a number above 0");
    refuse(f, "train:\n  eps: 1e-40\n", /* 0 as a float */
           ":2: train.eps: \"1e-40\" is not accepted; expected a number of at least 1e-30");
    refuse(f, "model:\n  tau: 1e-40\n",
           ":2: model.tau: \"1e-40\" is not accepted; expected a number from 1e-30 to 1e+30");
    refuse(f, "eval:\n  tta_scales: [1, 0.05]\n",
           ":2: eval.tta_scales: \"0.05\" is not accepted; expected a list of at most 8 (not empty) numbers, each from "
           "0.0625 to 16");
    refuse(f, "train:\n  lr: 1e-3 # fine\n  steps: 10 steps\n",
           ":3: train.steps: \"10 steps\" is not accepted; expected a whole number from 1 to 100000000");
    refuse(f, "train:\n  lr: .nan\n", ":2: train.lr: \".nan\" is not accepted; expected a number above 0");
    refuse(f, "train:\n  lr:\n", ":2: train.lr: \"\" is not accepted; expected a number above 0");
    refuse(f, "train:\n  lr: [1, 2]\n", ":2: train.lr: \"(a list)\" is not accepted; expected a number above 0");
    refuse(f, "model:\n  prompt: instanse\n",
           ":2: model.prompt: \"instanse\" is not accepted; expected one of template, static, instance; did you mean "
           "instance?");
    refuse(f, "augment:\n  crop: 256\n",
           ":2: augment.crop: 1 value is given; expected a list of 2 whole numbers, each from 32 to 16384");
    refuse(f, "eval:\n  tta_scales: []\n",
           ":2: eval.tta_scales: 0 values are given; expected a list of at most 8 (not empty) numbers, each from "
           "0.0625 to 16");
    refuse(f, "model:\n  align_strides: [8, 9]\n",
           ":2: model.align_strides: \"9\" is not accepted; expected a list of any of 4, 8, 16, 32");
    char duplicate[200];
    snprintf(duplicate, sizeof duplicate, ":3: train.lr: is set twice, first at %s:2", f->path);
    refuse(f, "train:\n  lr: 1\n  lr: 1\n", duplicate);
    refuse(f, "train:\n  lr: 1\ndata:\ntrain:\n  lr: 1\n", ":4: train: this section occurs twice");
    refuse(f, "train:\n  lr: \"\\xff\"\n", ":2: train.lr: \"\303\277\" is not accepted; expected a number above 0");
}

static void other_yaml_is_refused(void **state) {
    struct fixture *f = *state;
    refuse(f, "train: &x\n  lr: 1\n", ":1: anchors (&name) are not accepted; write the value out");
    refuse(f, "train:\n  lr: *x\n", ":2: aliases (*name) are not accepted; write the value out");
    refuse(f, "train:\n  lr: !!float 1\n", ":2: tags (!type) are not accepted");
    refuse(f, "train:\n  lr: 1\n---\ntrain:\n", ":3: contains a second document; the file must be one document");
    refuse(f, "- a\n- b\n", ":1: expected sections (model:, data:, train:, ...) with indented \"key: value\" lines");
    refuse(f, "---\n", ":2: expected sections (model:, data:, train:, ...) with indented \"key: value\" lines");
    refuse(f, "steps: 3\n", ":1: steps: expected a section: indented \"key: value\" lines below its name");
    refuse(f, "[a]: 3\n", ":1: expected a section such as \"train:\"");
    refuse(f, "train:\n  ? [a]\n  : 3\n", ":2: a key must be a plain word");
    refuse(f, "augment:\n  crop: [[1], 2]\n", ":2: augment.crop: nested too deeply; expected plain values");
    refuse(f, "augment:\n  crop: {a: {b: c}}\n", ":2: augment.crop: nested too deeply; expected plain values");
    refuse(f, "train:\n  lr: 1\n eps: 2\n", ":3: not YAML: did not find expected key");
    refuse(f, "train: {lr: 1\n", ":2: not YAML: did not find expected ',' or '}'");
    refuse(f, "train:\n  lr: \"1\\0\"\n", ":2: the text contains a NUL byte");
    assert_int_equal(read_text(f, "a: \xff\n", 5), ICSEG_ERROR_FORMAT);
    assert_non_null(strstr(f->error.message, "not YAML"));
}

static void hostile_sizes_are_refused(void **state) {
    struct fixture *f = *state;
    size_t size = ICSEG_RECIPE_SIZE_LIMIT + 1;
    char *text = malloc(size);
    memset(text, '#', size);
    assert_int_equal(read_text(f, text, size), ICSEG_ERROR_FORMAT);
    assert_non_null(strstr(f->error.message, "1048577 bytes; at most 1048576 are accepted"));
    size--;
    for (const char *fill = "#[{-?:\"&*! a"; *fill; fill++) {
        memset(text, *fill, size);
        icseg_status status = read_text(f, text, size);
        assert_true(*fill == '#' || *fill == ' ' ? status == ICSEG_OK : status == ICSEG_ERROR_FORMAT);
        memcpy(text, "data:\n  ignore: [", 17);
        memset(text + 17, *fill == '-' ? '1' : ',', size - 17);
        assert_true(read_text(f, text, size) != ICSEG_OK);
    }
    for (size_t i = 17; i < size; i++) text[i] = i % 2 ? '1' : ','; /* half a million list elements */
    assert_int_equal(read_text(f, text, size), ICSEG_ERROR_FORMAT);
    assert_non_null(strstr(f->error.message, ":2: data.ignore: more than 64 values"));
    free(text);
}

static void assignments_change_one_value_or_nothing(void **state) {
    struct fixture *f = *state;
    accept(f, "train:\n  lr: 0.5\n");
    const icseg_recipe_settings *r = &f->recipe->settings;
    assert_int_equal(icseg_recipe_assign(f->recipe, "train.lr=1e-3", NULL), ICSEG_OK);
    assert_int_equal(icseg_recipe_assign(f->recipe, "data.folder=a=b", NULL), ICSEG_OK);
    assert_int_equal(icseg_recipe_assign(f->recipe, "augment.crop=64,96", NULL), ICSEG_OK);
    assert_int_equal(icseg_recipe_set(f->recipe, "model.init", "w.safetensors", NULL), ICSEG_OK);
    assert_true(r->train.lr == 1e-3 && r->augment.crop_width == 96);
    assert_string_equal(r->data.folder, "a=b");
    assert_string_equal(r->model.backbone == ICSEG_BACKBONE_RESNET ? r->init : "", "w.safetensors");
    static const char *const wrong[][2] = {
        {"train.lr", "\"train.lr\" is not KEY=VALUE, such as train.lr=1e-3"},
        {"=3", "\"=3\" is not KEY=VALUE, such as train.lr=1e-3"},
        {"lr=3", "lr: unknown key; did you mean train.lr?"},
        {"train.lr=", "train.lr: \"\" is not accepted; expected a number above 0"},
        {"train.lr=-1", "train.lr: \"-1\" is not accepted; expected a number above 0"},
        {"data.folder=\xff", "data.folder: the text is not UTF-8"},
    };
    char *before, *after;
    assert_int_equal(icseg_recipe_text(f->recipe, &before, NULL), ICSEG_OK);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(icseg_recipe_assign(f->recipe, wrong[i][0], &f->error), ICSEG_ERROR_ARGUMENT);
        assert_string_equal(f->error.message, wrong[i][1]);
        if (i > 1) assert_string_equal(f->error.field, i == 2 ? "lr" : i < 5 ? "train.lr" : "data.folder");
        assert_int_equal(icseg_recipe_text(f->recipe, &after, NULL), ICSEG_OK);
        assert_string_equal(before, after);
        icseg_buffer_free(after);
    }
    icseg_buffer_free(before);
    assert_int_equal(icseg_recipe_assign(f->recipe, "train.steps=7", NULL),
                     ICSEG_OK); /* the list of assignments is intact */
    assert_true(r->train.steps == 7 && r->train.lr == 1e-3);
}

static void check_refuses(struct fixture *f, const char *text, const char *message) {
    char whole[512], expected[512];
    snprintf(whole, sizeof whole, "data: {folder: %s}\n%s", f->folder, text);
    accept(f, whole);
    assert_true(icseg_recipe_check(f->recipe, &f->error) != ICSEG_OK);
    snprintf(expected, sizeof expected, "%s%s", *message == ':' ? f->path : "", message);
    assert_string_equal(f->error.message, expected);
}

static void the_check_finds_contradictions_between_keys(void **state) {
    struct fixture *f = *state;
    accept(f, "");
    assert_int_equal(icseg_recipe_check(f->recipe, &f->error), ICSEG_ERROR_ARGUMENT);
    assert_string_equal(f->error.message, "data.folder: is not set; set it to the folder of the data set");
    accept(f, "data:\n  folder: /nowhere/at/all\n");
    assert_int_equal(icseg_recipe_check(f->recipe, &f->error), ICSEG_ERROR_ARGUMENT);
    assert_string_equal(f->error.message + strlen(f->path),
                        ":2: data.folder: the folder \"/nowhere/at/all\" does not exist");
    check_refuses(f, "",
                  "model.merges: is not set; CLIP's tokenizer needs its merges file (to train from scratch, set "
                  "model.tokenizer to bytes)");
    char whole[512];
    snprintf(whole, sizeof whole, "data: {folder: %s}\nmodel: {tokenizer: bytes, init: /no/w}\n", f->folder);
    accept(f, whole);
    assert_int_equal(icseg_recipe_check(f->recipe, &f->error), ICSEG_OK); /* a resumed run does not need it */
    assert_int_equal(icseg_recipe_check_init(f->recipe, &f->error), ICSEG_ERROR_ARGUMENT);
    assert_string_equal(f->error.field, "model.init");
    assert_string_equal(f->error.message + strlen(f->path),
                        ":2: model.init: the file or folder \"/no/w\" does not exist");
    check_refuses(f, "model: {tokenizer: clip, merges: /no/m}\n",
                  ":2: model.merges: the file or folder \"/no/m\" does not exist");
    check_refuses(f, "model: {tokenizer: clip, vocab_size: 300}\n",
                  ":2: model.vocab_size: is 300, but the tokenizer \"clip\" has 49408 tokens");
    check_refuses(f, "model: {tokenizer: bytes}\ntrain: {steps: 10}\n",
                  "train.warmup: 1500 steps of warm-up do not fit into train.steps = 10");
    check_refuses(f, "model: {tokenizer: bytes}\ntrain:\n  min_lr: 1\n",
                  ":4: train.min_lr: 1 is above train.lr = 0.0001");
    check_refuses(f, "model: {tokenizer: bytes}\naugment: {scale: [2, 1]}\n",
                  ":3: augment.scale: the smallest factor 2 is above the largest factor 1");
    check_refuses(f, "model: {tokenizer: bytes}\naugment: {rare_temperature: 0.1}\n",
                  ":3: augment.rare_temperature: has no effect, because augment.rare_samples and augment.copy_paste "
                  "are 0");
    check_refuses(f, "model: {tokenizer: bytes}\naugment: {resize_long: 100}\n",
                  ":3: augment.resize_long: 100 is below augment.resize_short = 512");
    check_refuses(f, "model: {tokenizer: bytes}\neval: {stride: [512, 513]}\n",
                  ":3: eval.stride: a step of 513 pixels leaves gaps between windows of 512 pixels");
    check_refuses(f, "model: {tokenizer: bytes}\neval: {crop: [0, 16]}\n",
                  ":3: eval.crop: a window must be at least 32 pixels");
    check_refuses(f, "model: {tokenizer: bytes}\naugment: {scale: [1e-9, 1]}\n",
                  "augment: scale: 1e-09 to 1 is not accepted; expected 1/64 <= smallest <= largest <= 64");
    snprintf(whole, sizeof whole, "data: {folder: %s}\n\nmodel: {tokenizer: bytes, text_width: 130}\n", f->folder);
    accept(f, whole); /* the message of icseg_config_check */
    assert_int_equal(icseg_recipe_check(f->recipe, &f->error), ICSEG_ERROR_CONFIG);
    assert_non_null(
        strstr(f->error.message, ":3: model: config: \"text_heads\" = 8: must divide \"text_width\" = 130"));
    assert_string_equal(f->error.field, "model.text_heads");
    check_refuses(f, "model: {tokenizer: bytes, vocab_size: 257}\n",
                  ":2: model.vocab_size: is 257, but the tokenizer \"bytes\" has 258 tokens");
    snprintf(whole, sizeof whole, "data: {folder: %s}\nmodel: {tokenizer: bytes}\n", f->folder);
    accept(f, whole);
    if (icseg_recipe_check(f->recipe, &f->error) != ICSEG_OK) fail_msg("%s", f->error.message);
}

static char *text_of(const icseg_recipe *recipe) {
    char *text;
    assert_int_equal(icseg_recipe_text(recipe, &text, NULL), ICSEG_OK);
    return text;
}

static void a_written_recipe_is_read_unchanged(void **state) {
    struct fixture *f = *state;
    static const char *const texts[] = {
        "", "data: {folder: \"a\\x83\\x85\\u2028\\u2029\\ufeffb\\uffff\"}\n", "model: {preset: vit-b16}\n",
        "model: {preset: tiny-vit, num_classes: 7, align_strides: [16]}\n",
        ("data: {folder: \"a: #b\\n\\\"'\\\\\", val_split: \"yes\", classes: \"-\", ignore: [1, 2, 65535]}\n"
         "train: {lr: 0.1234567890123456, seed: 9223372036854775807, eps: 1e-30}\neval: {tta_scales: [0.3, 1]}\n")};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        accept(f, texts[i]);
        char *first = text_of(f->recipe);
        assert_int_equal(icseg_recipe_write(f->recipe, f->path, NULL), ICSEG_OK);
        if (open_path(f, f->path) != ICSEG_OK) fail_msg("%s", f->error.message);
        char *second = text_of(f->recipe);
        assert_string_equal(first, second);
        icseg_free(first);
        icseg_free(second);
    }
    assert_string_equal(f->recipe->settings.data.folder, "a: #b\n\"'\\");
    assert_string_equal(f->recipe->settings.data.val_split, "yes");
    assert_true(f->recipe->settings.train.lr == 0.1234567890123456 && f->recipe->settings.train.seed == INT64_MAX);
    assert_int_equal(icseg_recipe_write(f->recipe, "/nowhere/at/all/r.yaml", &f->error), ICSEG_ERROR_IO);
}

/* Every row of the table must be part of the round trip: set each to something else and read it back. */
static void every_key_survives_the_round_trip(void **state) {
    struct fixture *f = *state;
    icseg_option_table table = icseg_recipe_table();
    for (size_t i = 0; i < table.count; i++) {
        const icseg_option *o = &table.rows[i];
        const char *value = "1";
        char list[128] = "";
        switch (o->type) {
        case ICSEG_OPTION_STRING: value = "some/file"; break;
        case ICSEG_OPTION_WORD: value = o->words[1]; break;
        case ICSEG_OPTION_INT: value = o->minimum > 13 ? "300" : "13"; break;
        case ICSEG_OPTION_FLOAT: value = "0.625"; break;
        case ICSEG_OPTION_SET: value = "4"; break;
        case ICSEG_OPTION_KEYED: value = "{4: 2.5}"; break;
        case ICSEG_OPTION_INT_LIST:
        case ICSEG_OPTION_FLOAT_LIST:
            for (int n = 0; n < o->capacity; n++)
                snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", n ? "," : "",
                         o->type == ICSEG_OPTION_FLOAT_LIST ? "0.375" : "77");
            value = list;
            break;
        default: break;
        }
        accept(f, "");
        char *before = text_of(f->recipe);
        if (icseg_recipe_set(f->recipe, o->key, value, &f->error) != ICSEG_OK) fail_msg("%s", f->error.message);
        char *changed = text_of(f->recipe);
        if (o->type != ICSEG_OPTION_BOOL && strcmp(o->key, "model.tokenizer")) assert_string_not_equal(before, changed);
        assert_int_equal(icseg_recipe_write(f->recipe, f->path, NULL), ICSEG_OK);
        assert_int_equal(open_path(f, f->path), ICSEG_OK);
        char *back = text_of(f->recipe);
        assert_string_equal(changed, back);
        icseg_free(before);
        icseg_free(changed);
        icseg_free(back);
    }
}

static void the_recipes_of_the_project_are_read(void **state) {
    struct fixture *f = *state;
    char path[512];
    snprintf(path, sizeof path, "%s/recipes/camvid.yaml", ICSEG_SOURCE_DIR);
    if (open_path(f, path) != ICSEG_OK) fail_msg("%s", f->error.message);
    const icseg_recipe_settings *r = &f->recipe->settings;
    assert_true(r->model.resnet_width == 32 && r->model.vocab_size == 258 && r->model.embed_dim == 256);
    assert_true(r->train.steps == 400 && r->train.lr == 1e-3 && r->train.backbone_lr_mult == 1);
    assert_true(r->augment.crop_height == 256 && r->augment.crop_width == 320 && !r->augment.photometric);
    assert_int_equal(icseg_recipe_set(f->recipe, "data.folder", f->folder, NULL), ICSEG_OK);
    assert_int_equal(icseg_recipe_check(f->recipe, &f->error), ICSEG_OK);
    snprintf(path, sizeof path, "%s/recipes/demo.yaml", ICSEG_SOURCE_DIR);
    if (open_path(f, path) != ICSEG_OK) fail_msg("%s", f->error.message);
    assert_int_equal(icseg_recipe_set(f->recipe, "data.folder", f->folder, NULL), ICSEG_OK);
    if (icseg_recipe_check(f->recipe, &f->error) != ICSEG_OK) fail_msg("%s", f->error.message);
}

static void a_recipe_truncated_anywhere_is_read_or_refused_in_one_line(void **state) {
    struct fixture *f = *state;
    static const char text[] =
        "model:\n  preset: tiny-resnet\n  align_strides: [8, 16, 32]\n"
        "  align_weights: {8: 0.1, 16: 0.2, 32: \"0.4\"}\ndata: {folder: 'a b', ignore: [1, 2]}\n"
        "augment:\n  crop:\n    - 256\n    - 320\n  photometric: false # why\ntrain:\n"
        "  lr: 1e-3\n  betas: [0.9, 0.999]\n";
    size_t good = 0;
    for (size_t size = 0; size < sizeof text; size++) {
        icseg_status status = read_text(f, text, size);
        good += status == ICSEG_OK;
        if (status == ICSEG_OK) continue;
        assert_true(status == ICSEG_ERROR_ARGUMENT || status == ICSEG_ERROR_FORMAT);
        assert_memory_equal(f->error.message, f->path, strlen(f->path));
        assert_int_equal(f->error.message[strlen(f->path)], ':');
    }
    assert_in_range(good, 10, sizeof text - 100);
    assert_int_equal(read_text(f, text, sizeof text - 1), ICSEG_OK);
    for (size_t at = 0; at < sizeof text - 1; at++) { /* and with each byte damaged */
        char spoilt[sizeof text];
        memcpy(spoilt, text, sizeof text);
        static const char bytes[] = {'\0', '\xff', ':', '[', '"', '&', '\t', '\n'};
        for (size_t i = 0; i < sizeof bytes; i++) {
            spoilt[at] = bytes[i];
            icseg_status status = read_text(f, spoilt, sizeof text - 1);
            assert_true(status == ICSEG_OK || status == ICSEG_ERROR_ARGUMENT || status == ICSEG_ERROR_FORMAT);
        }
    }
}

static void a_missing_file_or_a_folder_is_refused(void **state) {
    struct fixture *f = *state;
    assert_int_equal(open_path(f, "/nowhere/r.yaml"), ICSEG_ERROR_IO);
    assert_string_equal(f->error.message, "/nowhere/r.yaml: cannot open: No such file or directory");
    assert_int_equal(open_path(f, f->folder), ICSEG_ERROR_IO);
}

static void a_lack_of_memory_is_reported(void **state) {
    struct fixture *f = *state;
    accept(f, "model:\n  align_weights: [0.1, 0.2, 0.4]\ntrain: {lr: 1}\n");
    for (int64_t n = 0; n < 30; n++) {
        icseg_recipe *recipe = NULL;
        icseg_memory_fail_after(n);
        icseg_status status = icseg_recipe_open(&recipe, f->path, NULL);
        if (status == ICSEG_OK) status = icseg_recipe_assign(recipe, "train.lr=2", NULL);
        icseg_memory_fail_after(-1);
        assert_true(status == ICSEG_OK || status == ICSEG_ERROR_MEMORY);
        assert_true(n >= 1 || status == ICSEG_ERROR_MEMORY);
        icseg_recipe_close(&recipe);
    }
}

static void a_recipe_opens_from_a_preset_or_memory(void **state) {
    struct fixture *f = *state;
    static const char text[] = "train: {lr: 0.25}\nmodel: {preset: tiny-vit}\nGARBAGE";
    icseg_recipe *r;
    char *value;
    assert_int_equal(icseg_recipe_open_preset(&r, "vit-b16", NULL), ICSEG_OK);
    assert_int_equal(icseg_recipe_get(r, "augment.crop", &value, NULL), ICSEG_OK);
    assert_string_equal(value, "[640, 640]");
    icseg_buffer_free(value);
    icseg_recipe_close(&r);
    assert_null(r);
    assert_int_equal(icseg_recipe_open_preset(&r, NULL, NULL), ICSEG_OK);
    assert_int_equal(icseg_recipe_get(r, "model.preset", &value, NULL), ICSEG_OK);
    assert_string_equal(value, "rn50");
    icseg_buffer_free(value);
    icseg_recipe_close(&r);
    assert_int_equal(icseg_recipe_open_preset(&r, "rn51", &f->error), ICSEG_ERROR_ARGUMENT);
    assert_null(r);
    assert_non_null(strstr(f->error.message, "did you mean \"rn50\"?"));

    assert_int_equal(icseg_recipe_open_text(&r, "mine", text, sizeof text - 8, NULL), ICSEG_OK);
    assert_int_equal(icseg_recipe_get(r, "train.lr", &value, NULL), ICSEG_OK);
    assert_string_equal(value, "0.25");
    icseg_buffer_free(value);
    assert_int_equal(icseg_recipe_get(r, "model.vit_heads", &value, NULL), ICSEG_OK);
    assert_string_equal(value, "4");
    icseg_buffer_free(value);
    assert_int_equal(icseg_recipe_get(r, "model.init", &value, NULL), ICSEG_OK);
    assert_string_equal(value, "");
    icseg_buffer_free(value);
    icseg_recipe_close(&r);
    assert_int_equal(icseg_recipe_open_text(&r, NULL, text, sizeof text - 1, &f->error), ICSEG_ERROR_FORMAT);
    assert_null(r);
    assert_memory_equal(f->error.message, "recipe:", 7); /* the default name */
}

/* icseg_recipe_set accepts the texts of icseg_recipe_get; setting a key repeatedly keeps the list of assignments short.
 */
static void values_are_returned_as_text_that_can_be_set(void **state) {
    struct fixture *f = *state;
    accept(f, "");
    for (int round = 0; round < 3; round++)
        for (int32_t i = 0; i < icseg_recipe_key_count(); i++) {
            icseg_recipe_key key = {ICSEG_RECIPE_KEY_INIT};
            char *before, *after, *value;
            assert_int_equal(icseg_recipe_key_at(&key, i, NULL), ICSEG_OK);
            assert_int_equal(icseg_recipe_get(f->recipe, key.name, &value, NULL), ICSEG_OK);
            assert_string_equal(value, key.default_value);
            before = text_of(f->recipe);
            if (icseg_recipe_set(f->recipe, key.name, value, &f->error) != ICSEG_OK) fail_msg("%s", f->error.message);
            after = text_of(f->recipe);
            assert_string_equal(before, after);
            icseg_buffer_free(before);
            icseg_buffer_free(after);
            icseg_buffer_free(value);
        }
    int32_t assignments = 0;
    for (const icseg_recipe_assignment *a = f->recipe->first; a; a = a->next) assignments++;
    assert_int_equal(assignments, icseg_recipe_key_count());
}

static void every_key_is_described(void **state) {
    (void)state;
    icseg_recipe_key key = {ICSEG_RECIPE_KEY_INIT};
    bool lr = false, preset = false, strides = false;
    for (int32_t i = 0; i < icseg_recipe_key_count(); i++) {
        assert_int_equal(icseg_recipe_key_at(&key, i, NULL), ICSEG_OK);
        assert_true(strchr(key.name, '.') && key.description[0] && key.range[0]);
        assert_true((key.type == ICSEG_RECIPE_WORD) == (key.words != NULL));
        if (!strcmp(key.name, "train.lr")) {
            lr = key.type == ICSEG_RECIPE_REAL;
            assert_string_equal(key.default_value, "0.0001");
            assert_string_equal(key.range, "a number above 0");
        }
        if (!strcmp(key.name, "model.preset")) {
            preset = key.type == ICSEG_RECIPE_WORD;
            for (int32_t k = 0; k < icseg_preset_count(); k++) {
                assert_string_equal(key.words[k], icseg_preset_name(k));
                assert_true(icseg_preset_description(k)[0] != '\0');
            }
            assert_null(key.words[icseg_preset_count()]);
        }
        if (!strcmp(key.name, "model.align_strides")) {
            strides = key.type == ICSEG_RECIPE_STRIDE_LIST;
            assert_string_equal(key.default_value, "[8, 16, 32]");
        }
        if (!strcmp(key.name, "train.threads")) assert_string_equal(key.default_note, "0: all cores");
    }
    assert_true(lr && preset && strides);
    assert_null(icseg_preset_name(-1));
    assert_null(icseg_preset_description(icseg_preset_count()));
}

static void bad_input_is_an_error(void **state) {
    struct fixture *f = *state;
    icseg_recipe *r;
    icseg_recipe_key key = {.struct_size = 3};
    char *text;
    accept(f, "");
    assert_int_equal(icseg_recipe_open(NULL, f->path, &f->error), ICSEG_ERROR_ARGUMENT);
    assert_string_equal(f->error.message, "icseg_recipe_open: out is NULL");
    assert_int_equal(icseg_recipe_open(&r, NULL, &f->error), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_recipe_open_text(&r, "a", NULL, 1, &f->error), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_recipe_open_text(&r, "a", "", ICSEG_RECIPE_SIZE_LIMIT + 1, &f->error), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_recipe_open_text(&r, "a", NULL, 0, &f->error), ICSEG_OK); /* empty: the published settings */
    icseg_recipe_close(&r);
    assert_int_equal(icseg_recipe_open_preset(NULL, NULL, NULL), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_recipe_set(NULL, "train.lr", "1", NULL), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_recipe_set(f->recipe, NULL, "1", NULL), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_recipe_set(f->recipe, "train.lr", NULL, NULL), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_recipe_assign(f->recipe, NULL, NULL), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_recipe_get(NULL, "train.lr", &text, NULL), ICSEG_ERROR_ARGUMENT);
    assert_null(text);
    assert_int_equal(icseg_recipe_get(f->recipe, "train.lrr", &text, &f->error), ICSEG_ERROR_ARGUMENT);
    assert_string_equal(f->error.field, "train.lrr");
    assert_non_null(strstr(f->error.message, "did you mean train.lr?"));
    assert_int_equal(icseg_recipe_check(NULL, NULL), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_recipe_write(f->recipe, NULL, NULL), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_recipe_text(NULL, &text, NULL), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_recipe_key_at(NULL, 0, NULL), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_recipe_key_at(&key, 0, NULL), ICSEG_ERROR_ARGUMENT);
    key.struct_size = sizeof key;
    assert_int_equal(icseg_recipe_key_at(&key, -1, NULL), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_recipe_key_at(&key, icseg_recipe_key_count(), NULL), ICSEG_ERROR_ARGUMENT);
    r = NULL;
    icseg_recipe_close(&r);
    icseg_recipe_close(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_recipe_opens_from_a_preset_or_memory, set_up, tear_down),
        cmocka_unit_test_setup_teardown(values_are_returned_as_text_that_can_be_set, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_key_is_described, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bad_input_is_an_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_empty_recipe_has_the_published_settings, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_preset_is_applied_first_wherever_it_is_set, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_kind_of_value_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(align_weights_may_be_a_list_in_the_order_of_strides, set_up, tear_down),
        cmocka_unit_test_setup_teardown(wrong_keys_and_values_are_refused_by_line, set_up, tear_down),
        cmocka_unit_test_setup_teardown(other_yaml_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(hostile_sizes_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(assignments_change_one_value_or_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_check_finds_contradictions_between_keys, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_written_recipe_is_read_unchanged, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_key_survives_the_round_trip, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_recipes_of_the_project_are_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_recipe_truncated_anywhere_is_read_or_refused_in_one_line, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_missing_file_or_a_folder_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_lack_of_memory_is_reported, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("recipe", tests, NULL, NULL);
}
