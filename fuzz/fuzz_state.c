/* SPDX-License-Identifier: Apache-2.0
 * checkpoint.safetensors of a run that is resumed. Parts: icseg.state, icseg.recipe, icpc.classes and icpc.tokens, each
 * taken from a good file if empty, and changes of the tensors: pairs of a place and a byte. What loads has sane
 * counters and numbers, and is written and loaded again. Most files have a single tensor, which no run has: they are
 * read up to the tensors. */
#include <math.h>
#include <string.h>

#include <jansson.h>

#include "base/file.h"
#include "base/finite.h"
#include "fuzz.h"
#include "icseg/synth.h"
#include "train/trainer.h"

enum { KEYS = 4, HEADER_SIZE = 8, LARGEST = 1 << 24, STEPS = 4 };

static const char *const keys[KEYS] = {"icseg.state", "icseg.recipe", "icpc.classes", "icpc.tokens"};

static const char recipe_text[] =
    "model: {preset: tiny-resnet, resnet_layers: [1, 1, 1, 1], resnet_width: 2, prompt: template, text_width: 8,\n"
    "        text_heads: 2, text_layers: 1, embed_dim: 8, align_dim: 8, fpn_dim: 8, pos_grid: 2, context_length: 40}\n"
    "augment: {crop: [64, 64], resize_short: 0}\n"
    "train: {steps: 4, warmup: 1, batch: 1, threads: 1}\n"
    "eval: {resize_short: 0}\n";

/* A run whose state is loaded again and again, and its file. */
static icseg_trainer *trainer;
static const icseg_recipe_settings *settings;
static icseg_arena *run_arena;
static json_t *metadata;      /* of its file */
static char *tensors;         /* the rest of its header, "... }" */
static unsigned char *values; /* (all_values), within `file` */
static size_t all_values;     /* bytes */
static unsigned char *file;

static void open_run(void) {
    icseg_recipe *recipe;
    size_t size;
    uint64_t length;
    char data[128], run[128];
    snprintf(data, sizeof data, "%s", fuzz_folder("data"));
    snprintf(run, sizeof run, "%s", fuzz_path("run"));
    const icseg_synth_options synth = {
        ICSEG_SYNTH_OPTIONS_INIT, .folder = data, .train = 1, .val = 1, .width = 64, .height = 64, .threads = 1};
    const icseg_train_options options = {ICSEG_TRAIN_OPTIONS_INIT, .out = run};
    icseg_error error;
    FUZZ_REQUIRE(icseg_synth_write(&synth, NULL, NULL) == ICSEG_OK);
    FUZZ_REQUIRE(
        fuzz_succeeded(icseg_recipe_open_text(&recipe, "recipe", recipe_text, strlen(recipe_text), &error), &error));
    FUZZ_REQUIRE(icseg_recipe_set(recipe, "data.folder", data, NULL) == ICSEG_OK);
    FUZZ_REQUIRE(fuzz_succeeded(icseg_trainer_open(&trainer, recipe, &options, NULL, &error), &error));
    icseg_recipe_close(&recipe);
    FUZZ_REQUIRE(fuzz_succeeded(icseg_trainer_write_state(trainer, &error), &error));
    settings = trainer->recipe;
    run_arena = trainer->arena;
    FUZZ_REQUIRE(icseg_file_read(fuzz_path("run/checkpoint.safetensors"), LARGEST, &file, &size, NULL) == ICSEG_OK);
    memcpy(&length, file, HEADER_SIZE);
    json_t *header = json_loadb((const char *)file + HEADER_SIZE, length, 0, NULL);
    metadata = json_incref(json_object_get(header, "__metadata__"));
    json_object_del(header, "__metadata__");
    json_object_set_new(metadata, "icseg.recipe", json_string(recipe_text)); /* shorter than the text of all keys */
    tensors = json_dumps(header, JSON_COMPACT);
    json_decref(header);
    values = file + HEADER_SIZE + length;
    all_values = size - HEADER_SIZE - length;
    FUZZ_REQUIRE(metadata && tensors && all_values > 0);
}

/* False if a text is not UTF-8: JSON cannot have it. */
static bool set_texts(json_t *texts, const fuzz_part *parts) {
    bool fine = true;
    for (int i = 0; i < KEYS && fine; i++) {
        if (!parts[i].size) continue;
        json_t *text = json_stringn((const char *)parts[i].data, parts[i].size);
        fine = text && json_object_set_new(texts, keys[i], text) == 0;
    }
    return fine;
}

/* A small file has one tensor of four bytes. */
static void write_file(const json_t *texts, fuzz_part changes, bool small) {
    static unsigned char *bytes; /* one block for all inputs */
    const char *list = small ? "{\"t\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}" : tensors;
    size_t value_count = small ? 4 : all_values;
    char *text = json_dumps(texts, JSON_COMPACT);
    size_t most = HEADER_SIZE + strlen(text) + strlen(list) + 32;
    if (!bytes) FUZZ_REQUIRE(bytes = malloc(LARGEST));
    FUZZ_REQUIRE(text && most + value_count <= LARGEST);
    int length = snprintf((char *)bytes + HEADER_SIZE, most, "{\"__metadata__\":%s,%s", text, list + 1);
    uint64_t header_size = (uint64_t)length;
    unsigned char *to = bytes + HEADER_SIZE + length;
    memcpy(bytes, &header_size, HEADER_SIZE);
    memcpy(to, values, value_count);
    for (size_t i = 0; i + 3 < changes.size; i += 4)
        to[(changes.data[i] | changes.data[i + 1] << 8 | changes.data[i + 2] << 16) % value_count] =
            changes.data[i + 3];
    fuzz_put("run/checkpoint.safetensors", bytes, HEADER_SIZE + header_size + value_count);
    free(text);
}

static bool load(void) {
    icseg_error error;
    bool found;
    return fuzz_succeeded(icseg_trainer_load(trainer, &found, &error), &error) && found;
}

static void check_loaded(void) {
    icseg_error error;
    icseg_train_state state = trainer->state;
    FUZZ_REQUIRE(state.step >= 0 && state.step <= STEPS && state.best_step >= 0 && state.best_step <= state.step);
    FUZZ_REQUIRE(state.best_miou >= 0 && state.best_miou <= 1);
    for (int64_t i = 0; i < icseg_params_count(trainer->model->params); i++) {
        const icseg_param *p = icseg_params_at(trainer->model->params, i);
        FUZZ_REQUIRE(icseg_first_not_finite(p->data, p->count) == p->count);
    }
    FUZZ_REQUIRE(fuzz_succeeded(icseg_trainer_write_state(trainer, &error), &error));
    FUZZ_REQUIRE(load());
    FUZZ_REQUIRE(trainer->state.step == state.step && trainer->state.eval_pending == state.eval_pending);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_part parts[KEYS + 1];
    fuzz_split(data, size, parts, KEYS + 1);
    if (!trainer) open_run();
    bool small = fuzz_select(data, size, 128);
    json_t *texts = json_copy(metadata);
    if (set_texts(texts, parts)) {
        write_file(texts, parts[KEYS], small);
        /* Without the best weights, a state's best evaluation is forgotten. */
        fuzz_put_part("run/best.safetensors", (fuzz_part){(const uint8_t *)"", size % 2});
        trainer->recipe = settings;
        trainer->state = (icseg_train_state){0};
        FUZZ_REQUIRE(icseg_arena_open(&trainer->arena, NULL) == ICSEG_OK); /* loading allocates from it */
        bool loaded = load();
        FUZZ_REQUIRE(!small || !loaded);
        if (loaded) check_loaded();
        icseg_arena_close(&trainer->arena);
        trainer->arena = run_arena;
        trainer->recipe = settings;
    }
    json_decref(texts);
    return 0;
}
