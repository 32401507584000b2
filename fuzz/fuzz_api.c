/* SPDX-License-Identifier: Apache-2.0
 * Sequences of public calls. The input is a list of bytes: a call, then its arguments, which are objects of a small
 * pool (open, closed or NULL), numbers (good and absurd), texts and options structs of good and bad sizes. Whatever the
 * order, a call returns, a failure leaves its output empty, and its error is a status and one line of UTF-8. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "fuzz.h"
#include "icseg/icseg.h"
#include "model/model.h"

enum { SLOTS = 3, MOST_CALLS = 40, FEW_CALLS = 12, MOST_RUNS = 2, MOST_OPENED = 2, STRUCT_ROOM = 1024, IDS = 64 };

/* The objects of one sequence. */
static struct pool {
    const uint8_t *next, *end;
    int runs, opened; /* networks and checkpoints, which take much longer than other calls */
    bool reads;       /* opens and writes checkpoints; otherwise uses the one that was opened first */
    icseg_model *model[SLOTS];
    icseg_session *session[SLOTS];
    icseg_result *result[SLOTS];
    icseg_recipe *recipe[SLOTS];
    icseg_tokenizer *tokenizer[SLOTS];
    icseg_class_list *list[SLOTS];
    icseg_calibrator *calibrator[SLOTS];
    icseg_dataset *dataset[SLOTS];
    icseg_image image[SLOTS];
    icseg_labels labels[SLOTS];
    icseg_palette palette[SLOTS];
    icseg_confusion confusion[SLOTS];
    icseg_metrics metrics[SLOTS];
    icseg_config config[SLOTS];
    icseg_tensor tensor[SLOTS];
} p;

/* Files that paths name. */
static char checkpoint[128], image_file[128], list_file[128], data_folder[128], new_file[128];

static icseg_model *opened; /* `checkpoint`, for all sequences */

/* ---- arguments ---- */

static unsigned byte(void) { return p.next < p.end ? *p.next++ : 0; }

/* An object of the pool. */
#define ANY(kind) p.kind[byte() % SLOTS]
/* The same as an argument that may also be NULL. */
#define POINTER(kind) (byte() % 16 == 15 ? NULL : &ANY(kind))

static int32_t number(void) {
    static const int32_t absurd[] = {0, -1, INT32_MAX, INT32_MIN, 32769, 65535};
    unsigned n = byte();
    return n < 240 ? (int32_t)n % 80 : absurd[n % 6];
}

/* A negative number, or 0. */
static int32_t negative(void) {
    int32_t n = number();
    return n > 0 ? -n : n;
}

static int32_t side(void) {
    static const int32_t sides[] = {32, 33, 48, 1, 7};
    unsigned n = byte();
    return n < 240 ? sides[n % 5] : number();
}

static double real(void) {
    static const double absurd[] = {0, -1, 1e308, HUGE_VAL, -1e-300};
    unsigned n = byte();
    return n == 255 ? (double)NAN : n < 200 ? n / 100.0 : absurd[n % 5];
}

static const char *text(void) {
    static const char *const texts[] = {"tiny-resnet",
                                        "train.lr",
                                        "0.5",
                                        "train.lr=1e-3",
                                        "",
                                        "\xff\xfe",
                                        "wall, building; edifice",
                                        "ade20k",
                                        "model.preset",
                                        "[1, 2]",
                                        "tiny-vit",
                                        "a\nb",
                                        "eval.tta_scales",
                                        "caf\xc3\xa9 (x, y)",
                                        "{\"tau\": 0.1, \"align_strides\": [8, 32]}",
                                        "{\"num_classes\": 2}",
                                        "{",
                                        "data.folder",
                                        "1e400",
                                        "bytes"};
    unsigned n = byte();
    return n == 255 ? NULL : texts[n % (sizeof texts / sizeof *texts)];
}

static const char *path(void) {
    const char *const paths[] = {checkpoint, image_file, list_file, data_folder, new_file, "", "/dev/null"};
    unsigned n = byte();
    return n == 255 ? NULL : paths[n % 7];
}

static const char *const *names(void) {
    static const char *const good[] = {"wall", "building, edifice", "sky", "tree", "road"};
    static const char *const bad[] = {"wall", NULL, "", "\xff", "wall"};
    unsigned n = byte();
    return n == 255 ? NULL : n % 8 == 7 ? bad : good;
}

/* The size of a struct that the library fills. */
static size_t size_of(size_t size) { return byte() % 8 ? size : byte() % size; }

/* An options struct as callers may pass it: its size is right in most cases, and what follows it is zero or not. */
typedef struct options {
    _Alignas(16) unsigned char bytes[STRUCT_ROOM];
} options;

static void *give_options(options *room, const void *from, size_t size) {
    unsigned n = byte();
    memset(room->bytes, n & 128 ? 0x5a : 0, sizeof room->bytes);
    memcpy(room->bytes, from, size);
    size_t given = n % 16 == 8    ? 0
                   : n % 16 == 9  ? size - 1
                   : n % 16 == 10 ? size + 8
                   : n % 16 == 11 ? sizeof room->bytes
                   : n % 16 == 12 ? sizeof(size_t)
                                  : size;
    memcpy(room->bytes, &given, sizeof given);
    return n % 16 == 13 ? NULL : room->bytes;
}
#define OPTIONS(room, value) give_options(room, &(value), sizeof(value))

static icseg_error error_struct;
static icseg_error *error(void) {
    memset(&error_struct, 0x5a, sizeof error_struct);
    return byte() % 16 == 15 ? NULL : &error_struct;
}

/* Whether the call succeeded. Its last argument was `e`. */
static bool done(icseg_status status, const icseg_error *e) {
    FUZZ_REQUIRE(status != ICSEG_ERROR_INTERNAL);
    return e ? fuzz_succeeded(status, e) : status == ICSEG_OK;
}

/* Calls f(&new object, ..., e) into a slot whose object is closed before. */
#define OPEN(kind, close, call)                                                                                        \
    do {                                                                                                               \
        icseg_error *e = error();                                                                                      \
        unsigned slot = byte() % SLOTS;                                                                                \
        close(&p.kind[slot]);                                                                                          \
        FUZZ_REQUIRE(!p.kind[slot]);                                                                                   \
        void *old = p.kind[slot] = (void *)1;                                                                          \
        if (!done(call, e)) {                                                                                          \
            FUZZ_REQUIRE(!p.kind[slot]);                                                                               \
        } else                                                                                                         \
            FUZZ_REQUIRE(p.kind[slot] && (void *)p.kind[slot] != old);                                                 \
    } while (0)
#define OUT(kind) &p.kind[slot]

static void use_text(char *owned) {
    if (owned) free(fuzz_copy(owned, strlen(owned)));
    icseg_buffer_free(owned);
}

/* ---- models and sessions ---- */

static icseg_status retain_model(icseg_model **out, icseg_error *e) {
    (void)e;
    *out = icseg_model_retain(opened);
    return ICSEG_OK;
}

static void open_model(void) {
    const char *file = path();
    if (file == checkpoint && p.opened++ >= MOST_OPENED) return;
    OPEN(model, icseg_model_close,
         file == checkpoint && !p.reads ? retain_model(OUT(model), e) : icseg_model_open(OUT(model), file, e));
}

static void create_model(void) {
    options room;
    const icseg_config *config = POINTER(config);
    icseg_model_options o = {ICSEG_MODEL_OPTIONS_INIT,
                             .config = config,
                             .class_names = names(),
                             .class_synonyms = byte() % 4 ? NULL : names(),
                             .seed = byte(),
                             .tokenizer = byte() % 8 == 7 ? (icseg_tokenizer_kind)number() : ICSEG_TOKENIZER_BYTES};
    if (config && config->num_classes > 5) return; /* there are five names */
    void *given = OPTIONS(&room, o);
    OPEN(model, icseg_model_close, icseg_model_create(OUT(model), given, e));
}

static void look_at_model(void) {
    const icseg_model *model = ANY(model);
    icseg_error *e = error();
    icseg_eval_options eval = {.struct_size = size_of(sizeof eval)};
    icseg_model_calibration calibration = {.struct_size = size_of(sizeof calibration)};
    icseg_image_values values = {ICSEG_IMAGE_VALUES_INIT};
    (void)done(icseg_model_eval_options(model, byte() == 255 ? NULL : &eval, e), e);
    (void)done(icseg_model_image_values(model, &values, e), e);
    (void)icseg_model_trained_side(model);
    (void)done(icseg_model_calibration_of(model, byte() == 255 ? NULL : &calibration, e), e);
    FUZZ_REQUIRE(!model == !icseg_model_config(model));
    FUZZ_REQUIRE(!model == !icseg_model_class_names(model));
    FUZZ_REQUIRE(!model == !icseg_model_name_count(model));
    FUZZ_REQUIRE(!icseg_model_is_calibrated(model) || model);
}

static void save_model(void) {
    icseg_error *e = error();
    const icseg_model *model = ANY(model);
    const char *file = byte() % 4 == 3 ? data_folder : new_file;
    if (!p.reads) model = NULL;
    (void)done(icseg_model_save(model, byte() == 255 ? NULL : file, e), e);
}

static void open_session(void) {
    options room;
    icseg_session_options o = {ICSEG_SESSION_OPTIONS_INIT, .threads = byte() % 8 ? 1 : number() % 3,
                               .precision = (icseg_precision)(byte() % 7), .cached_networks = number()};
    void *given = OPTIONS(&room, o);
    icseg_model *model = ANY(model);
    OPEN(session, icseg_session_close, icseg_session_open(OUT(session), model, given, e));
}

static icseg_eval_options eval_options(void) {
    icseg_eval_options o = {ICSEG_EVAL_OPTIONS_INIT};
    unsigned n = byte();
    if (n % 2) return o;
    o.mode = (icseg_eval_mode)(n / 2 % 3);
    o.resize_short = byte() % 2 ? 0 : side();
    o.resize_long = byte() % 4 ? 0 : side();
    o.crop_height = side();
    o.crop_width = side();
    o.stride_height = byte() % 2 ? 0 : side();
    o.scale_count = byte() % 4 ? 0 : number() % 10;
    o.scale[0] = real();
    o.flip = byte() % 4 == 3;
    return o;
}

static void look_at_session(void) {
    icseg_session *session = ANY(session);
    icseg_error *e = error();
    icseg_session_cost cost = {.struct_size = size_of(sizeof cost)};
    icseg_session_layers layers = {.struct_size = size_of(sizeof layers)};
    FUZZ_REQUIRE(!session == !icseg_session_model(session));
    (void)icseg_session_threads(session);
    (void)icseg_session_precision(session);
    int32_t count = number() % 3, height = side(), width = side();
    if (p.runs++ >= MOST_RUNS) return;
    (void)done(icseg_session_cost_at(session, count, height, width, &cost, e), e);
    (void)done(icseg_session_layers_at(session, count, height, width, &layers, e), e);
}

static void prepare(void) {
    icseg_session *session = ANY(session);
    icseg_error *e = error();
    options room, eval_room;
    icseg_eval_options eval = eval_options();
    icseg_run_options o = {ICSEG_RUN_OPTIONS_INIT, .outputs = byte(), .top_k = number(),
                           .eval = byte() % 2 ? NULL : OPTIONS(&eval_room, eval)};
    int32_t count = number() % 3, height = side(), width = side();
    void *given = OPTIONS(&room, o);
    if (p.runs++ >= MOST_RUNS) return;
    (void)done(icseg_session_prepare(session, count, height, width, given, e), e);
}

static void predict(void) {
    icseg_session *session = ANY(session);
    icseg_error *e = error();
    options room;
    icseg_eval_options eval = eval_options();
    void *given = byte() % 2 ? NULL : OPTIONS(&room, eval);
    const icseg_image *image = POINTER(image);
    icseg_labels *labels = &ANY(labels);
    float *confidence = NULL;
    bool wanted = byte() % 2;
    if (p.runs++ >= MOST_RUNS) return;
    icseg_labels_close(labels);
    if (done(icseg_session_predict(session, image, given, labels, wanted ? &confidence : NULL, e), e))
        FUZZ_REQUIRE(labels->width == image->width && labels->height == image->height && !confidence == !wanted);
    else
        FUZZ_REQUIRE(!labels->data && !confidence);
    icseg_buffer_free(confidence);
}

static void run(void) {
    icseg_session *session = ANY(session);
    options room, batch_room, eval_room;
    const icseg_image *image = &ANY(image);
    const icseg_frame frames[2] = {
        {(icseg_frame_format)(byte() % 6), image->width / 2, image->height / 2, 0, image->data},
        {ICSEG_FRAME_RGB8, image->width, image->height, byte() % 8 ? 0 : 1, image->data}};
    icseg_eval_options eval = eval_options();
    icseg_batch batch = {ICSEG_BATCH_INIT, .count = byte() % 8 ? 1 + (int32_t)(byte() % 2) : negative(),
                         .frames = byte() % 8 == 7 ? NULL : frames, .tensor = byte() % 8 == 7 ? &ANY(tensor) : NULL,
                         .layout = (icseg_image_layout)(byte() % 3)};
    icseg_run_options o = {ICSEG_RUN_OPTIONS_INIT, .outputs = byte() | byte() << 8, .top_k = number(),
                           .eval = byte() % 2 ? NULL : OPTIONS(&eval_room, eval)};
    if (byte() % 2) o.outputs &= ICSEG_OUTPUT_ALL;
    void *given = OPTIONS(&room, o), *given_batch = OPTIONS(&batch_room, batch);
    if (p.runs++ >= MOST_RUNS) return;
    OPEN(result, icseg_result_close, icseg_session_run(session, given_batch, given, OUT(result), e));
}

static void look_at_result(void) {
    const icseg_result *result = ANY(result);
    icseg_error *e = error();
    uint32_t wants = icseg_result_outputs(result);
    icseg_output want = (icseg_output)(byte() % 8 == 7 ? number() : 1 << byte() % 12);
    icseg_tensor tensor;
    if (!done(icseg_result_tensor(result, want, &tensor, e), e)) return;
    FUZZ_REQUIRE((wants & (uint32_t)want) == (uint32_t)want && tensor.rank >= 2);
    size_t bytes = icseg_tensor_type_size(tensor.type);
    for (int32_t i = 0; i < tensor.rank; i++) bytes *= (size_t)tensor.shape[i];
    free(fuzz_copy(tensor.data, bytes)); /* reads every byte */
}

static void calibrate(void) {
    options room;
    unsigned n = byte();
    icseg_calibrator *calibrator = ANY(calibrator);
    if (n % 4 == 0) {
        icseg_calibrator_options o = {ICSEG_CALIBRATOR_OPTIONS_INIT, .threads = byte() % 8 ? 1 : negative()};
        void *given = OPTIONS(&room, o);
        icseg_model *model = ANY(model);
        OPEN(calibrator, icseg_calibrator_close, icseg_calibrator_open(OUT(calibrator), model, given, e));
    } else if (n % 4 == 1)
        OPEN(model, icseg_model_close, icseg_calibrator_model(calibrator, OUT(model), e));
    else if (p.runs++ < MOST_RUNS) {
        icseg_error *e = error();
        (void)done(icseg_calibrator_add(calibrator, POINTER(image), e), e);
    }
}

/* ---- configurations and recipes ---- */

static void configure(void) {
    icseg_config *config = POINTER(config);
    icseg_error *e = error();
    char *json;
    switch (byte() % 6) {
    case 0: (void)done(icseg_config_preset(config, text(), e), e); break;
    case 1: (void)done(icseg_config_read_json(config, text(), e), e); break;
    case 2: (void)done(icseg_config_update_json(config, text(), e), e); break;
    case 3: (void)done(icseg_config_check(config, e), e); break;
    case 4:
        if (done(icseg_config_write_json(config, &json, e), e))
            use_text(json);
        else
            FUZZ_REQUIRE(!json);
        break;
    default:
        if (config) config->struct_size = byte();
        (void)icseg_config_embed_level(config);
        (void)icseg_config_level_channels(config, number());
    }
}

static void open_recipe(void) {
    const char *t = text(), *name = text();
    OPEN(recipe, icseg_recipe_close,
         byte() % 2 ? icseg_recipe_open_preset(OUT(recipe), t, e)
                    : icseg_recipe_open_text(OUT(recipe), name, t, t ? strlen(t) : byte() % 2, e));
}

static void use_recipe(void) {
    icseg_recipe *recipe = ANY(recipe);
    icseg_error *e = error();
    const char *key = text(), *value = text();
    char *owned;
    icseg_recipe_key description = {.struct_size = size_of(sizeof description)};
    switch (byte() % 6) {
    case 0: (void)done(icseg_recipe_set(recipe, key, value, e), e); break;
    case 1: (void)done(icseg_recipe_assign(recipe, key, e), e); break;
    case 2:
        if (done(icseg_recipe_get(recipe, key, &owned, e), e)) use_text(owned);
        break;
    case 3: (void)done(icseg_recipe_check(recipe, e), e); break;
    case 4:
        if (done(icseg_recipe_text(recipe, &owned, e), e)) use_text(owned);
        break;
    default: (void)done(icseg_recipe_key_at(&description, number(), e), e);
    }
}

/* ---- text, classes, data ---- */

static void open_tokenizer(void) {
    const char *file = byte() % 2 ? NULL : path();
    icseg_tokenizer_kind kind = byte() % 4 ? ICSEG_TOKENIZER_BYTES : (icseg_tokenizer_kind)number();
    OPEN(tokenizer, icseg_tokenizer_close, icseg_tokenizer_open(OUT(tokenizer), kind, file, e));
}

static void use_tokenizer(void) {
    const icseg_tokenizer *t = ANY(tokenizer);
    icseg_error *e = error();
    int32_t *ids = NULL, count = 0, eos, context[IDS];
    char *decoded = NULL;
    (void)icseg_tokenizer_vocabulary_size(t), (void)icseg_tokenizer_sos(t), (void)icseg_tokenizer_eos(t);
    if (done(icseg_tokenizer_encode(t, text(), byte() % 2, &ids, &count, e), e)) {
        if (count && byte() % 4 == 3) ids[0] = number();
        if (done(icseg_tokenizer_decode(t, ids, byte() % 8 == 7 ? negative() : count, &decoded, e), e))
            use_text(decoded);
        icseg_buffer_free(ids);
    } else
        FUZZ_REQUIRE(!ids);
    int32_t length = number();
    if (length <= IDS) (void)done(icseg_tokenizer_encode_context(t, text(), context, length, &eos, e), e);
}

static void open_list(void) {
    const char *t = text(), *file = path();
    OPEN(list, icseg_class_list_close,
         byte() % 2 ? icseg_class_list_open(OUT(list), file, e) : icseg_class_list_open_published(OUT(list), t, e));
}

static void look_at_list(void) {
    const icseg_class_list *list = ANY(list);
    int32_t count = icseg_class_list_count(list);
    FUZZ_REQUIRE(!list == !count && !list == !icseg_class_list_names(list) &&
                 !list == !icseg_class_list_synonyms(list));
    if (list) FUZZ_REQUIRE(*icseg_class_list_names(list)[count - 1]);
}

static void open_dataset(void) {
    options room;
    static const int32_t ignored[] = {7, -1};
    icseg_dataset_options o = {ICSEG_DATASET_OPTIONS_INIT,
                               .folder = byte() % 4 ? data_folder : path(),
                               .format = byte() % 4 ? ICSEG_DATASET_FOLDER : (icseg_dataset_format)number(),
                               .split = byte() % 4 ? NULL : text(),
                               .classes_file = byte() % 4 ? NULL : path(),
                               .ignore = byte() % 2 ? ignored : NULL,
                               .ignore_count = byte() % 4 ? 0 : number() % 3};
    void *given = OPTIONS(&room, o);
    OPEN(dataset, icseg_dataset_close, icseg_dataset_open(OUT(dataset), given, e));
}

static void use_dataset(void) {
    const icseg_dataset *dataset = ANY(dataset);
    icseg_error *e = error();
    icseg_image *image = &ANY(image);
    icseg_labels *labels = &ANY(labels);
    int64_t index = byte() % 2 ? 0 : number();
    FUZZ_REQUIRE(!dataset == !icseg_dataset_count(dataset) && !dataset == !icseg_dataset_description(dataset));
    (void)icseg_dataset_image_path(dataset, index), (void)icseg_dataset_label_path(dataset, index);
    icseg_image_close(image);
    icseg_labels_close(labels);
    if (!done(icseg_dataset_read(dataset, index, image, labels, e), e)) FUZZ_REQUIRE(!image->data && !labels->data);
}

/* ---- images and metrics ---- */

static void make_image(void) {
    icseg_image *image = &ANY(image), made;
    icseg_error *e = error();
    const icseg_image *from = POINTER(image);
    icseg_status status;
    int32_t width = side(), height = side();
    switch (byte() % 4) {
    case 0: status = icseg_image_create(&made, width, height, e); break;
    case 1: status = icseg_image_read(&made, path(), e); break;
    case 2:
        status = icseg_image_read_memory(&made, byte() % 8 == 7 ? NULL : p.next, (size_t)(p.end - p.next), text(), e);
        break;
    default: status = icseg_image_resize(&made, from, width, height, e);
    }
    if (!done(status, e)) FUZZ_REQUIRE(!made.data);
    icseg_image_close(image);
    *image = made;
}

static void write_image(void) {
    const icseg_image *image = POINTER(image);
    icseg_error *e = error();
    void *file = NULL;
    size_t size;
    bool jpeg = byte() % 2;
    if (done(jpeg ? icseg_image_encode_jpeg(image, number(), &file, &size, e)
                  : icseg_image_encode_png(image, &file, &size, e),
             e))
        free(fuzz_copy(file, size));
    else
        FUZZ_REQUIRE(!file);
    icseg_buffer_free(file);
}

static void make_labels(void) {
    icseg_labels *labels = &ANY(labels), made;
    icseg_error *e = error();
    const icseg_labels *from = POINTER(labels);
    int32_t width = side(), height = side();
    bool created = byte() % 2;
    icseg_status status =
        created ? icseg_labels_create(&made, width, height, e) : icseg_labels_resize(&made, from, width, height, e);
    if (!done(status, e))
        FUZZ_REQUIRE(!made.data);
    else if (created)
        for (size_t i = 0; i < (size_t)width * (size_t)height; i++) made.data[i] = (int16_t)(i % 3);
    if (status == ICSEG_OK && byte() % 8 == 7) made.data[0] = (int16_t)number();
    icseg_labels_close(labels);
    *labels = made;
}

static void make_palette(void) {
    icseg_palette *palette = &ANY(palette);
    icseg_error *e = error();
    int32_t size = number();
    const char *const *of = names();
    icseg_palette_close(palette);
    if (byte() % 2 || size > 5 ? !done(icseg_palette_create(palette, size < 300 ? size : -1, e), e)
                               : !done(icseg_palette_create_for(palette, of, size, e), e))
        FUZZ_REQUIRE(!palette->color);
}

static void draw(void) {
    options room;
    icseg_error *e = error();
    const icseg_palette *palette = POINTER(palette);
    icseg_overlay_options o = {ICSEG_OVERLAY_OPTIONS_INIT, .palette = palette,
                               .names = palette && palette->size <= 5 ? names() : NULL, .opacity = real()};
    const icseg_image *image = POINTER(image);
    const icseg_labels *labels = POINTER(labels);
    icseg_image drawn;
    void *given = OPTIONS(&room, o);
    if (!done(icseg_overlay_draw(&drawn, image, labels, given, e), e)) FUZZ_REQUIRE(!drawn.data);
    icseg_image_close(&drawn);
    icseg_labels_summary summary = {ICSEG_LABELS_SUMMARY_INIT};
    if (!done(icseg_labels_summarise(&summary, labels, NULL, number(), e), e)) FUZZ_REQUIRE(!summary.classes);
    icseg_labels_summary_close(&summary);
    if (byte() % 4 == 0) (void)done(icseg_labels_write_png(labels, palette, new_file, e), e);
}

static void measure(void) {
    icseg_confusion *confusion = &ANY(confusion);
    icseg_metrics *metrics = &ANY(metrics);
    icseg_error *e = error();
    int32_t classes = number();
    char *owned = NULL;
    switch (byte() % 4) {
    case 0:
        icseg_confusion_close(confusion);
        if (!done(icseg_confusion_create(confusion, classes < 100 ? classes : -1, e), e))
            FUZZ_REQUIRE(!confusion->count);
        break;
    case 1: (void)done(icseg_confusion_add(confusion, POINTER(labels), POINTER(labels), e), e); break;
    case 2:
        icseg_metrics_close(metrics);
        metrics->struct_size = size_of(sizeof *metrics);
        (void)done(icseg_metrics_compute(metrics, confusion, e), e);
        break;
    default:
        if (metrics->classes <= 5 && done(byte() % 2 ? icseg_metrics_table(metrics, names(), &owned, e)
                                                     : icseg_metrics_json(metrics, names(), &owned, e),
                                          e))
            use_text(owned);
    }
}

static void make_tensor(void) {
    static float values[4 * 3 * 64 * 64];
    icseg_tensor *tensor = &ANY(tensor);
    icseg_error *e = error();
    int64_t shape[ICSEG_TENSOR_MAX_RANK] = {1, 3, side(), side(), 1, 1, 1, 1};
    int32_t rank = byte() % 4 ? 4 : number();
    if (shape[2] > 64 || shape[3] > 64) shape[2] = -1;
    icseg_tensor_type type = byte() % 4 ? ICSEG_TENSOR_F32 : (icseg_tensor_type)number();
    if (!done(icseg_tensor_dense(tensor, type, rank, byte() == 255 ? NULL : shape, byte() == 255 ? NULL : values, e),
              e))
        memset(tensor, 0, sizeof *tensor);
    else if (byte() % 4 == 0)
        (void)done(icseg_tensors_write(new_file, (const char *const[]){text()}, tensor, 1, e), e);
    if (byte() % 8 == 7) tensor->strides[0] = 0;
}

/* ---- closing ---- */

static void close_one(void) {
    switch (byte() % 8) {
    case 0: icseg_model_close(&ANY(model)); break;
    case 1: icseg_session_close(&ANY(session)); break;
    case 2: icseg_result_close(&ANY(result)); break;
    case 3: icseg_recipe_close(&ANY(recipe)); break;
    case 4: icseg_tokenizer_close(&ANY(tokenizer)); break;
    case 5: icseg_class_list_close(&ANY(list)); break;
    case 6: icseg_dataset_close(&ANY(dataset)); break;
    default: icseg_image_close(&ANY(image));
    }
}

static void close_all(void) {
    for (int i = 0; i < SLOTS; i++) {
        icseg_model_close(&p.model[i]); /* before its sessions, which keep it */
        icseg_session_close(&p.session[i]);
        icseg_result_close(&p.result[i]);
        icseg_recipe_close(&p.recipe[i]);
        icseg_tokenizer_close(&p.tokenizer[i]);
        icseg_class_list_close(&p.list[i]);
        icseg_calibrator_close(&p.calibrator[i]);
        icseg_dataset_close(&p.dataset[i]);
        icseg_image_close(&p.image[i]);
        icseg_labels_close(&p.labels[i]);
        icseg_palette_close(&p.palette[i]);
        icseg_confusion_close(&p.confusion[i]);
        icseg_metrics_close(&p.metrics[i]);
    }
}

/* ---- sequences ---- */

static void (*const calls[])(void) = {
    open_model,     create_model,  look_at_model,  save_model,   open_session, look_at_session, prepare,
    predict,        run,           look_at_result, calibrate,    configure,    open_recipe,     use_recipe,
    open_tokenizer, use_tokenizer, open_list,      look_at_list, open_dataset, use_dataset,     make_image,
    write_image,    make_labels,   make_palette,   draw,         measure,      make_tensor,     close_one};

static void start(void) {
    icseg_image image;
    icseg_model *model;
    icseg_config config = {ICSEG_CONFIG_INIT};
    static const char *const classes[] = {"wall", "sky"};
    snprintf(checkpoint, sizeof checkpoint, "%s", fuzz_path("model.safetensors"));
    snprintf(image_file, sizeof image_file, "%s", fuzz_path("image.png"));
    snprintf(list_file, sizeof list_file, "%s", fuzz_put("list.txt", "wall\nsky, air\n", 14));
    snprintf(data_folder, sizeof data_folder, "%s", fuzz_folder("data"));
    snprintf(new_file, sizeof new_file, "%s", fuzz_path("new"));
    FUZZ_REQUIRE(icseg_image_create(&image, 40, 36, NULL) == ICSEG_OK);
    FUZZ_REQUIRE(icseg_image_write_png(&image, image_file, NULL) == ICSEG_OK);
    const icseg_synth_options data = {
        ICSEG_SYNTH_OPTIONS_INIT, .folder = data_folder, .train = 1, .val = 1, .width = 64, .height = 64, .threads = 1};
    FUZZ_REQUIRE(icseg_synth_write(&data, NULL, NULL) == ICSEG_OK);
    FUZZ_REQUIRE(icseg_config_preset(&config, "tiny-vit", NULL) == ICSEG_OK);
    FUZZ_REQUIRE(
        icseg_config_update_json(&config,
                                 "{\"vocab_size\": 258, \"num_classes\": 2, \"text_layers\": 1, \"text_width\": 8, "
                                 "\"text_heads\": 2, \"vit_width\": 8, \"vit_heads\": 2, \"embed_dim\": 8, "
                                 "\"align_dim\": 8, \"fpn_dim\": 8}",
                                 NULL) == ICSEG_OK);
    const icseg_model_options o = {ICSEG_MODEL_OPTIONS_INIT, .config = &config, .class_names = classes};
    FUZZ_REQUIRE(icseg_model_create(&model, &o, NULL) == ICSEG_OK);
    FUZZ_REQUIRE(icseg_model_save(model, checkpoint, NULL) == ICSEG_OK);
    icseg_model_close(&model);
    FUZZ_REQUIRE(icseg_model_open(&opened, checkpoint, NULL) == ICSEG_OK);
    icseg_image_close(&image);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!*checkpoint) start();
    memset(&p, 0, sizeof p);
    p.reads = !fuzz_select(data, size, 64);
    for (int i = 0; i < SLOTS; i++) {
        p.config[i].struct_size = sizeof p.config[i];
        p.metrics[i].struct_size = sizeof p.metrics[i];
    }
    uint8_t *copy = fuzz_copy(data, size);
    p.next = copy;
    p.end = copy + size;
    int most = fuzz_select(data, size, 8) ? FEW_CALLS : MOST_CALLS;
    for (int i = 0; i < most && p.next < p.end; i++) calls[byte() % (sizeof calls / sizeof *calls)]();
    close_all();
    free(copy);
    return 0;
}
