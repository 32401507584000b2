/* SPDX-License-Identifier: Apache-2.0
 * icseg info: a checkpoint's configuration and classes, and the cost of running it. */
#include <jansson.h>
#include <stdio.h>

#include "cli.h"
#include "icseg/memory.h"
#include "icseg/session.h"
#include "inference.h"
#include "json.h"
#include "support.h"

struct options {
    const char *checkpoint;
    int32_t size[2]; /* width, height */
};

static const icseg_option rows[] = {
    {"CHECKPOINT", ICSEG_FIELD_STRING(struct options, checkpoint), "checkpoint of the model, a .safetensors file",
     .positional = true, .required = true},
    {"size", ICSEG_FIELD_INTS(struct options, size[0]), "image size for which work and memory are computed",
     .metavar = "WxH", .shown = "512x512", ICSEG_EXACTLY(2), ICSEG_BETWEEN(32, 32768)},
};

static void defaults(void *values) {
    struct options *o = values;
    o->size[0] = o->size[1] = 512;
}

static icseg_status print_config(const icseg_config *config, icseg_error *error) {
    char *text = NULL;
    const char *key;
    json_t *value;
    TRY(icseg_config_write_json(config, &text, error));
    json_t *root = json_loads(text, 0, NULL);
    icseg_buffer_free(text);
    if (!root) return out_of_memory(error);
    icseg_status status = ICSEG_OK;
    json_object_foreach(root, key, value) {
        icseg_string shown = {0};
        status = json_finish(json_incref(value), false, JSON_ENCODE_ANY | JSON_REAL_PRECISION(9), &shown, error);
        if (status != ICSEG_OK) break;
        printf("  %-20s %s\n", key, shown.data);
        icseg_string_close(&shown);
    }
    json_decref(root);
    return status;
}

static void print_names(const icseg_model *model) {
    const char *const *names = icseg_model_class_names(model);
    int32_t count = icseg_model_config(model)->num_classes;
    printf("\n%d %s", (int)count, icseg_plural(count, "class", "classes"));
    if (icseg_model_name_count(model) > count) printf(", the means of %d names", (int)icseg_model_name_count(model));
    putchar('\n');
    for (int32_t k = 0; k < count; k++) {
        printf("  %5d  ", (int)k);
        /* names come from a file; their control characters must not reach the terminal */
        for (const char *c = names[k]; *c; c++) putchar((unsigned char)*c < 0x20 || *c == 0x7f ? '?' : *c);
        putchar('\n');
    }
}

static void print_cost(const icseg_session_cost *cost, const int32_t size[2]) {
    const double mib = 1 << 20;
    printf("\nparameters             %.3f million, %.3f million trainable\n", (double)cost->parameters / 1e6,
           (double)cost->trainable / 1e6);
    printf("weights                %.1f MiB\n", (double)cost->weights / mib);
    printf("one image of %dx%d\n", (int)size[0], (int)size[1]);
    printf("  work                 %.2f GFLOP (a multiply-add is two)\n", cost->flops / 1e9);
    printf("  activations          %.1f MiB (%.1f MiB without reuse)\n", (double)cost->activations / mib,
           (double)cost->unplanned / mib);
    printf("  scratch              %.1f MiB\n", (double)cost->scratch / mib);
}

/* How many layers would run in int8 on this processor, and how many in f32. */
static icseg_status print_calibration(icseg_model *model, const int32_t size[2], icseg_error *error) {
    icseg_model_calibration found = {ICSEG_MODEL_CALIBRATION_INIT};
    icseg_session_options options = {ICSEG_SESSION_OPTIONS_INIT, .precision = ICSEG_PRECISION_INT8};
    icseg_session_layers layers = {ICSEG_SESSION_LAYERS_INIT};
    icseg_session *session = NULL;
    TRY(icseg_model_calibration_of(model, &found, error));
    printf("int8 calibration       ");
    if (found.problem) printf("%s; calibrate it again with `icseg calibrate`\n", found.problem);
    if (!found.problem && !found.covered) printf("none\n");
    if (!found.covered) return ICSEG_OK;
    icseg_status status = icseg_session_open(&session, model, &options, error);
    if (status == ICSEG_OK) status = icseg_session_layers_at(session, 1, size[1], size[0], &layers, error);
    if (status == ICSEG_OK)
        printf("all %d layers; this processor runs %d in int8 and %d in f32, and %d attention operators in int8 and %d "
               "in f32",
               (int)found.layers, (int)layers.int8, (int)layers.f32, (int)layers.attention_int8,
               (int)layers.attention_f32);
    if (status == ICSEG_OK && found.kept_f32)
        printf("; %d %s f32 by choice", (int)found.kept_f32, found.kept_f32 == 1 ? "layer stays" : "layers stay");
    if (status == ICSEG_OK) putchar('\n');
    icseg_session_close(&session);
    return status;
}

/* How well the labels of faster precisions agree with those of f32, if that was measured. */
static icseg_status print_agreements(const icseg_model *model, icseg_error *error) {
    for (size_t i = 0; i < INFERENCE_COMPARED; i++) {
        icseg_label_agreement a = {ICSEG_LABEL_AGREEMENT_INIT};
        TRY(icseg_model_agreement(model, inference_compared[i], &a, error));
        if (a.images)
            printf("labels as in f32       %-6s  %.2f %% (mean of %d %s; at least %.2f %%)\n",
                   inference_precisions[inference_compared[i]], 100 * a.mean, (int)a.images,
                   icseg_plural(a.images, "image", "images"), 100 * a.low);
    }
    printf("--precision auto       %s on this processor\n", inference_precisions[icseg_model_auto_precision(model)]);
    return ICSEG_OK;
}

static void print_eval(icseg_eval_options o) {
    printf("\nevaluation             ");
    if (o.mode == ICSEG_EVAL_SLIDE)
        printf("windows of %dx%d, stride %dx%d; ", (int)o.crop_height, (int)o.crop_width, (int)o.stride_height,
               (int)o.stride_width);
    else
        printf("whole image; ");
    if (o.resize_short)
        printf("short side resized to %d pixels\n", (int)o.resize_short);
    else
        printf("not resized\n");
}

/* What the checkpoint records of the training images. */
static icseg_status print_images(const icseg_model *model, icseg_error *error) {
    icseg_image_values v = {ICSEG_IMAGE_VALUES_INIT};
    int32_t side = icseg_model_trained_side(model);
    TRY(icseg_model_image_values(model, &v, error));
    printf("training images        ");
    if (v.bands[1]) printf("bands %d, %d and %d; ", (int)v.bands[0], (int)v.bands[1], (int)v.bands[2]);
    if (v.bands[0] && !v.bands[1]) printf("band %d; ", (int)v.bands[0]);
    if (v.value_low != v.value_high) printf("values %.9g to %.9g; ", v.value_low, v.value_high);
    if (side)
        printf("short side at most %d pixels\n", (int)side);
    else
        printf("size unknown\n");
    return ICSEG_OK;
}

static icseg_status run(const icseg_command_context *context, const void *values, icseg_error *error) {
    const struct options *o = values;
    icseg_model *model = NULL;
    icseg_session *session = NULL;
    icseg_session_cost cost = {ICSEG_SESSION_COST_INIT};
    icseg_eval_options eval = {ICSEG_EVAL_OPTIONS_INIT};
    icseg_status status;
    (void)context;
    TRY_GOTO(icseg_model_open(&model, o->checkpoint, error));
    TRY_GOTO(icseg_model_eval_options(model, &eval, error));
    TRY_GOTO(icseg_session_open(&session, model, NULL, error));
    TRY_GOTO(icseg_session_cost_at(session, 1, o->size[1], o->size[0], &cost, error));
    printf("%s\n\nconfiguration\n", o->checkpoint);
    TRY_GOTO(print_config(icseg_model_config(model), error));
    print_names(model);
    print_eval(eval);
    TRY_GOTO(print_images(model, error));
    print_cost(&cost, o->size);
    TRY_GOTO(print_calibration(model, o->size, error));
    TRY_GOTO(print_agreements(model, error));
done:
    icseg_session_close(&session);
    icseg_model_close(&model);
    return status;
}

const icseg_command icseg_command_info = {
    .name = "info",
    .summary = "Shows a checkpoint's configuration, classes, size and cost",
    .description = "Work and memory are those of labelling one image. Activations that are not\n"
                   "needed at the same time share memory; the figure in brackets is the size of all\n"
                   "activations without this reuse.\n",
    .examples = "icseg info runs/camvid/checkpoint.safetensors\n"
                "icseg info rn50.safetensors --size 1024x512\n",
    .options = ICSEG_TABLE(rows),
    .size = sizeof(struct options),
    .defaults = defaults,
    .run = run,
};
