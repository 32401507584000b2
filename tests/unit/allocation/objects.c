/* SPDX-License-Identifier: Apache-2.0
 * The objects and files that the calls of test_allocation share. */
#include <stdlib.h>

#include "allocation/allocation.h"
#include "base/memory.h"
#include "model/clip.h"
#include "support/models.h"
#include "tensor/safetensors.h"

alloc_objects shared = {
    .config = {ICSEG_CONFIG_INIT}, .metrics = {ICSEG_METRICS_INIT}, .parity = {ICSEG_PARITY_REPORT_INIT}};

static char folder[] = "/tmp/icseg_allocation.XXXXXX";
static icseg_error plain; /* for calls that must succeed */

static void ok(icseg_status status) {
    if (status != ICSEG_OK) fail_msg("%s", plain.message);
}

const char *alloc_path(const char *name) {
    static char text[4][PATH_SIZE];
    static int next;
    char *to = text[next++ % 4];
    snprintf(to, PATH_SIZE, "%s/%s", folder, name);
    return to;
}

void alloc_shell(const char *command, const char *name) {
    char text[2 * PATH_SIZE];
    snprintf(text, sizeof text, "%s '%s'", command, alloc_path(name));
    assert_int_equal(system(text), 0);
}

static void write_text(const char *name, const char *text) {
    ok(icseg_file_write(alloc_path(name), text, strlen(text), &plain));
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
    snprintf(shared.clip_weights, sizeof shared.clip_weights, "%s", alloc_path("clip.safetensors"));
    ok(icseg_safetensors_write(shared.clip_weights, entries, (size_t)count + 1, NULL, 0, &plain));
    icseg_clip_close(&clip);
}

/* FFmpeg's libraries are loaded now, so that the heap knows them when the first allocation fails. */
static void load_ffmpeg(void) {
    icseg_video_writer_options o = {ICSEG_VIDEO_WRITER_OPTIONS_INIT, .path = alloc_path("loaded.avi"), .width = 16,
                                    .height = 16, .rate = 1};
    icseg_video_writer *writer;
    (void)icseg_video_writer_open(&writer, &o, NULL);
    icseg_video_writer_close(&writer);
}

int alloc_open(void **state) {
    (void)state;
    if (!mkdtemp(folder)) return -1;
    load_ffmpeg();
    ok(alloc_write_data("data", &plain));
    shared.image = test_image(WIDTH, HEIGHT, 1);
    ok(icseg_image_write_jpeg(&shared.image, alloc_path("image.jpg"), 90, &plain));
    shared.model = test_model("tiny-resnet", CLASSES, 1);
    shared.names = icseg_model_class_names(shared.model);
    shared.config = *icseg_model_config(shared.model);
    ok(icseg_model_save(shared.model, alloc_path("model.safetensors"), &plain));
    shared.session = test_session(shared.model, ICSEG_PRECISION_F32);
    ok(icseg_palette_create(&shared.palette, CLASSES, &plain));
    ok(icseg_session_predict(shared.session, &shared.image, NULL, &shared.labels, NULL, &plain));
    ok(icseg_labels_write_png(&shared.labels, &shared.palette, alloc_path("labels.png"), &plain));
    ok(alloc_run(&shared.result, &plain));
    ok(icseg_tokenizer_open(&shared.tokenizer, ICSEG_TOKENIZER_BYTES, NULL, &plain));
    write_text("templates.txt", "a photo of a {}.\n");
    ok(icseg_templates_open(&shared.templates, "simple", &plain));
    ok(icseg_class_list_open_published(&shared.class_list, "ade20k", &plain));
    write_clip();
    icseg_classifier_options classify = alloc_classifier_options();
    ok(icseg_classifier_open(&shared.classifier, &classify, NULL, &plain));
    ok(icseg_calibrator_open(&shared.calibrator, shared.model, NULL, &plain));
    ok(icseg_calibrator_add(shared.calibrator, &shared.image, &plain));
    icseg_dataset_options data = alloc_dataset_options();
    ok(icseg_dataset_open(&shared.dataset, &data, &plain));
    ok(icseg_confusion_create(&shared.confusion, CLASSES, &plain));
    ok(icseg_confusion_add(&shared.confusion, &shared.labels, &shared.labels, &plain));
    ok(icseg_metrics_compute(&shared.metrics, &shared.confusion, &plain));
    icseg_bench_options of_bench = alloc_bench_options();
    ok(icseg_bench_open(&shared.bench, &of_bench, NULL, &plain));
    icseg_bench_result bench_result = {ICSEG_BENCH_RESULT_INIT};
    ok(icseg_bench_run(shared.bench, &bench_result, &plain));
    const icseg_parity_options of_parity = {ICSEG_PARITY_OPTIONS_INIT, .threads = 1};
    ok(icseg_parity_run(&shared.parity, PARITY_FILE, &of_parity, NULL, &plain));
    alloc_shell("cp " ICSEG_SOURCE_DIR "/tests/unit/data/clip_merges.txt", "merges.txt");
    alloc_shell("mkdir -p", "coco/annotations");
    alloc_shell("mkdir -p", "coco/images");
    ok(icseg_image_write_png(&shared.image, alloc_path("coco/images/a.png"), &plain));
    write_text("coco/annotations/instances_train.json",
               "{\"images\": [{\"id\": 7, \"file_name\": \"a.png\", \"width\": 64, \"height\": 64}], "
               "\"categories\": [{\"id\": 3, \"name\": \"cat\"}], \"annotations\": [{\"id\": 1, \"image_id\": 7, "
               "\"category_id\": 3, \"segmentation\": [[0, 2, 9, 2, 9, 14, 0, 14]]}]}");
    const char *const tensor_names[] = {"a"};
    float values[6] = {1};
    icseg_tensor tensor;
    const int64_t shape[] = {2, 3};
    ok(icseg_tensor_dense(&tensor, ICSEG_TENSOR_F32, 2, shape, values, &plain));
    ok(icseg_tensors_write(alloc_path("tensors.safetensors"), tensor_names, &tensor, 1, &plain));
    ok(icseg_tensor_file_open(&shared.tensor_file, alloc_path("tensors.safetensors"), &plain));
    ok(icseg_recipe_open_preset(&shared.recipe, "tiny-resnet", &plain));
    static const char *const set[] = {
        "train.steps=100",        "train.batch=1",           "train.warmup=0",           "augment.crop=64,64",
        "augment.resize_short=0", "model.context_length=40", "data.loader_threads=1",    "pretrain.steps=1",
        "pretrain.batch=2",       "pretrain.warmup=0",       "pretrain.loader_threads=1"};
    for (size_t i = 0; i < sizeof set / sizeof *set; i++) ok(icseg_recipe_assign(shared.recipe, set[i], &plain));
    ok(icseg_recipe_set(shared.recipe, "data.folder", alloc_path("data"), &plain));
    write_text("pairs.jsonl", "{\"image\": \"coco/images/a.png\", \"caption\": \"a\", \"class\": \"x\"}\n"
                              "{\"image\": \"./coco/images/a.png\", \"caption\": [\"b\"], \"class\": \"y\"}\n");
    ok(icseg_recipe_set(shared.recipe, "pretrain.pairs", alloc_path("pairs.jsonl"), &plain));
    ok(icseg_recipe_set(shared.recipe, "pretrain.val_pairs", alloc_path("pairs.jsonl"), &plain));
    ok(icseg_recipe_write(shared.recipe, alloc_path("recipe.yaml"), &plain));
    icseg_train_options train = alloc_train_options();
    ok(icseg_trainer_open(&shared.trainer, shared.recipe, &train, NULL, &plain));
    ok(icseg_recipe_assign(shared.recipe, "train.steps=1", &plain));
    alloc_shell("mkdir", "old_run");
    ok(icseg_recipe_write(shared.recipe, alloc_path("old_run/recipe.yaml"), &plain));
    write_text("old_run/log.jsonl", "{\"type\": \"start\", \"recipe\": \"tiny.yaml\"}\n");
    write_text("old_run/images.jsonl", "{\"version\": 1, \"images\": 1, \"classes\": [\"sky\"]}\n"
                                       "{\"image\": \"a.jpg\", \"pixels\": [[0, 4, 4, 4]]}\n");
    return 0;
}

int alloc_close(void **state) {
    (void)state;
    icseg_trainer_close(&shared.trainer);
    icseg_recipe_close(&shared.recipe);
    icseg_tensor_file_close(&shared.tensor_file);
    icseg_bench_close(&shared.bench);
    icseg_metrics_close(&shared.metrics);
    icseg_confusion_close(&shared.confusion);
    icseg_dataset_close(&shared.dataset);
    icseg_calibrator_close(&shared.calibrator);
    icseg_classifier_close(&shared.classifier);
    icseg_class_list_close(&shared.class_list);
    icseg_tokenizer_close(&shared.tokenizer);
    icseg_templates_close(&shared.templates);
    icseg_result_close(&shared.result);
    icseg_session_close(&shared.session);
    icseg_model_close(&shared.model);
    icseg_palette_close(&shared.palette);
    icseg_labels_close(&shared.labels);
    icseg_image_close(&shared.image);
    alloc_shell("rm -rf", "");
    return 0;
}
