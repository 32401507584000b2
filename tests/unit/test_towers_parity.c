/* SPDX-License-Identifier: Apache-2.0
 * CLIP's pretraining against PyTorch: the loss, the gradient of every parameter, running statistics, and ten steps of
 * AdamW, from fixtures of reference/make_pretrain_fixtures.py. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>

#include "base/memory.h"
#include "pretrain/towers.h"
#include "train/adamw.h"

enum { STEPS = 10 };

static icseg_error error;

static void ok(icseg_status status) {
    if (status != ICSEG_OK) fail_msg("%s", error.message);
}

typedef struct fixture {
    const char *name;
    icseg_safetensors *file;
    icseg_config config;
    icseg_adamw_options adamw;
    double lr;
    int32_t batch, chunk;
    float *images;
    icseg_captions captions;
    int32_t *ids, *last;
} fixture;

/* A tensor of the file as floats; freed with icseg_free. */
static float *read_floats(const fixture *f, const char *prefix, const char *name, int64_t *count) {
    char full[200];
    const icseg_safetensors_entry *entry;
    snprintf(full, sizeof full, "%s%s", prefix, name);
    ok(icseg_safetensors_get(f->file, full, &entry, &error));
    *count = icseg_shape_count(entry->shape);
    float *values = icseg_alloc_array((size_t)*count, sizeof *values);
    ok(icseg_safetensors_read(f->file, entry, 0, (size_t)*count, values, &error));
    return values;
}

static int32_t *read_integers(const fixture *f, const char *name) {
    const icseg_safetensors_entry *entry;
    size_t offset;
    ok(icseg_safetensors_get(f->file, name, &entry, &error));
    assert_int_equal(entry->dtype, ICSEG_I32);
    int32_t *values = icseg_alloc(entry->bytes);
    const icseg_file_reader *reader = icseg_safetensors_locate(f->file, entry, &offset);
    ok(icseg_file_reader_read(reader, offset, values, entry->bytes, &error));
    return values;
}

/* (B, 3, S, S) -> (B, S, S, 3) */
static float *read_images(const fixture *f) {
    int64_t count, side = icseg_clip_side(&f->config), area = side * side;
    float *planes = read_floats(f, "image", "", &count), *images = icseg_alloc_array((size_t)count, sizeof *images);
    assert_int_equal(count, f->batch * 3 * area);
    for (int64_t i = 0; i < count; i++) images[i] = planes[(i / (3 * area) * 3 + i % 3) * area + i / 3 % area];
    icseg_free(planes);
    return images;
}

static void open_fixture(fixture *f, const char *name) {
    char path[500];
    const icseg_safetensors_entry *ids;
    snprintf(path, sizeof path, "%s/tests/parity/pretraining/%s.safetensors", ICSEG_SOURCE_DIR, name);
    *f = (fixture){.name = name, .config = {ICSEG_CONFIG_INIT}, .adamw = {.backbone_lr_mult = 1}};
    ok(icseg_safetensors_open(&f->file, path, &error));
    ok(icseg_config_read_json(&f->config, icseg_safetensors_metadata(f->file, "icpc.config"), &error));
    json_t *train = json_loads(icseg_safetensors_metadata(f->file, "fixture.train"), 0, NULL);
    assert_int_equal(json_unpack(train, "{s:i, s:f, s:f, s:[ff], s:f}", "chunk", &f->chunk, "lr", &f->lr,
                                 "weight_decay", &f->adamw.weight_decay, "betas", &f->adamw.beta1, &f->adamw.beta2,
                                 "eps", &f->adamw.eps),
                     0);
    json_decref(train);
    ok(icseg_safetensors_get(f->file, "ids", &ids, &error));
    f->batch = (int32_t)ids->shape.dim[0];
    f->ids = read_integers(f, "ids");
    f->last = read_integers(f, "last");
    f->captions = (icseg_captions){.length = (int32_t)ids->shape.dim[1], .ids = f->ids, .last = f->last};
    f->images = read_images(f);
}

static void close_fixture(fixture *f) {
    icseg_free(f->images);
    icseg_free(f->ids);
    icseg_free(f->last);
    icseg_safetensors_close(&f->file);
}

static icseg_towers *open_towers(const fixture *f, int32_t chunk) {
    icseg_towers *t;
    const icseg_towers_options options = {.batch = f->batch, .chunk = chunk};
    ok(icseg_towers_open(&t, &f->config, &options, &error));
    icseg_params *params = icseg_towers_params(t);
    for (int64_t i = 0; i < icseg_params_count(params); i++) {
        char name[200];
        icseg_param *p = icseg_params_at(params, i);
        snprintf(name, sizeof name, "model.%s", p->name);
        ok(icseg_param_from_file(p, f->file, name, &error));
    }
    ok(icseg_params_load(params, &error));
    ok(icseg_params_allocate_gradients(params, &error));
    return t;
}

/* The difference is at most `bound` of the largest magnitude. ours is in the memory layout of `p`. */
static void compare(const fixture *f, const char *prefix, const icseg_param *p, const float *ours, double bound) {
    int64_t count;
    float *theirs = read_floats(f, prefix, p->name, &count), *own = icseg_alloc_array((size_t)count, sizeof *own);
    double largest = 0, difference = 0;
    assert_int_equal(count, p->count);
    icseg_param_export(p, ours, own);
    for (int64_t k = 0; k < count; k++) {
        largest = fmax(largest, fabs((double)theirs[k]));
        difference = fmax(difference, fabs((double)own[k] - (double)theirs[k]));
        if (!isfinite(own[k])) difference = INFINITY;
    }
    if (!(difference <= bound * largest + 1e-7))
        fail_msg("%s: %s%s: differs by %g of %g", f->name, prefix, p->name, difference, largest);
    icseg_free(theirs);
    icseg_free(own);
}

/* The bound for a ResNet is that of `icseg parity`: sums in the gradients of its stem's batch norms cancel, which costs
 * some digits of float32. */
static void learns_as_pytorch(const char *name, int32_t chunk) {
    fixture f;
    open_fixture(&f, name);
    const double bound = f.config.backbone == ICSEG_BACKBONE_RESNET ? 1e-3 : 1e-4;
    icseg_towers *t = open_towers(&f, chunk ? chunk : f.chunk);
    const icseg_params *params = icseg_towers_params(t);
    int64_t one, gradients = 0;
    float loss, *expected = read_floats(&f, "loss", "", &one);
    ok(icseg_towers_learn(t, f.images, &f.captions, &loss, &error));
    if (!(fabsf(loss - *expected) <= 1e-5f * *expected)) fail_msg("%s: loss %g, not %g", name, loss, *expected);
    for (int64_t i = 0; i < icseg_params_count(params); i++) {
        const icseg_param *p = icseg_params_at(params, i);
        assert_true((p->grad == NULL) == p->options.buffer);
        compare(&f, p->grad ? "grad." : "after.", p, p->grad ? p->grad : p->data, p->grad ? bound : 1e-4);
        gradients += p->grad != NULL;
    }
    for (size_t i = 0; i < icseg_safetensors_count(f.file); i++) /* none of the file's is left out */
        gradients -= !strncmp(icseg_safetensors_at(f.file, i)->name, "grad.", 5);
    assert_int_equal(gradients, 0);
    icseg_free(expected);
    icseg_towers_close(&t);
    close_fixture(&f);
}

/* Ten updates, after each of which logit_scale is at most ln 100. */
static void trains_as_pytorch(const char *name) {
    fixture f;
    icseg_adamw *adamw;
    open_fixture(&f, name);
    icseg_towers *t = open_towers(&f, f.chunk);
    icseg_params *params = icseg_towers_params(t);
    icseg_param *scale = icseg_params_find(params, "logit_scale");
    int64_t steps;
    float loss, *losses = read_floats(&f, "curve.loss", "", &steps),
                *scales = read_floats(&f, "curve.scale", "", &steps);
    assert_int_equal(steps, STEPS);
    ok(icseg_adamw_open(&adamw, params, &f.adamw, &error));
    for (int64_t step = 0; step < steps; step++) {
        ok(icseg_towers_learn(t, f.images, &f.captions, &loss, &error));
        icseg_adamw_step(adamw, f.lr, 1);
        scale->data[0] = fminf(scale->data[0], logf(100));
        if (!(fabsf(loss - losses[step]) <= 1e-3f * fmaxf(losses[step], 0.1f)))
            fail_msg("%s: step %lld: loss %g, not %g", name, (long long)step, loss, losses[step]);
        if (!(fabsf(scale->data[0] - scales[step]) <= 1e-5f))
            fail_msg("%s: step %lld: scale %g, not %g", name, (long long)step, scale->data[0], scales[step]);
    }
    icseg_free(losses);
    icseg_free(scales);
    icseg_adamw_close(&adamw);
    icseg_towers_close(&t);
    close_fixture(&f);
}

static void gradients_of_a_resnet(void **state) { (void)state, learns_as_pytorch("resnet", 0); }

/* Batch norms see a chunk at a time, and their running statistics follow chunk by chunk. */
static void gradients_of_a_resnet_in_chunks(void **state) { (void)state, learns_as_pytorch("resnet_chunks", 0); }

static void gradients_of_a_vit(void **state) { (void)state, learns_as_pytorch("vit", 0); }

/* Chunks of any size have the gradient of the whole batch. */
static void gradients_of_a_vit_in_chunks(void **state) {
    (void)state;
    for (int32_t chunk = 1; chunk <= 4; chunk *= 2) learns_as_pytorch("vit", chunk);
    learns_as_pytorch("vit_gelu", 2);
}

static void ten_steps(void **state) {
    (void)state;
    trains_as_pytorch("resnet");
    trains_as_pytorch("resnet_chunks");
    trains_as_pytorch("vit");
    trains_as_pytorch("vit_gelu"); /* reaches the limit of logit_scale */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_of_a_resnet),
        cmocka_unit_test(gradients_of_a_resnet_in_chunks),
        cmocka_unit_test(gradients_of_a_vit),
        cmocka_unit_test(gradients_of_a_vit_in_chunks),
        cmocka_unit_test(ten_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
