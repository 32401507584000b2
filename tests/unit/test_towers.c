/* SPDX-License-Identifier: Apache-2.0
 * CLIP's encoders in training: embeddings, gradients against differences of the loss, and chunks. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/memory.h"
#include "base/rng.h"
#include "pretrain/towers.h"

enum { BATCH = 6, LENGTH = 12, WORDS = 258, MOST = 1 << 16 };

static icseg_error error;

static void ok(icseg_status status) {
    if (status != ICSEG_OK) fail_msg("%s", error.message);
}

typedef struct batch {
    float *images;
    int32_t ids[BATCH * LENGTH], last[BATCH];
    icseg_captions captions;
} batch;

static icseg_config config_of(const char *preset) {
    icseg_config config = {ICSEG_CONFIG_INIT};
    ok(icseg_config_preset(&config, preset, &error));
    config.vocab_size = WORDS;
    return config;
}

/* Random images, and texts of 1 to LENGTH - 2 tokens, the last one of which is the longest. */
static batch make_batch(const icseg_config *config) {
    int64_t side = icseg_clip_side(config), count = BATCH * side * side * 3;
    icseg_rng rng = icseg_rng_open(3, ICSEG_RNG_TEST, 0);
    batch b = {.images = icseg_alloc_array((size_t)count, sizeof *b.images)};
    assert_non_null(b.images);
    for (int64_t i = 0; i < count; i++) b.images[i] = icseg_rng_normal(&rng);
    for (int32_t i = 0; i < BATCH; i++) {
        int32_t tokens = i == BATCH - 1 ? LENGTH - 2 : 1 + (int32_t)icseg_rng_below(&rng, LENGTH - 2);
        b.last[i] = tokens + 1;
        for (int32_t j = 0; j < LENGTH; j++) b.ids[i * LENGTH + j] = (int32_t)icseg_rng_below(&rng, WORDS - 2);
        b.ids[i * LENGTH] = WORDS - 2;
        b.ids[i * LENGTH + b.last[i]] = WORDS - 1;
    }
    return b;
}

static icseg_captions captions_of(const batch *b) {
    return (icseg_captions){.length = LENGTH, .ids = b->ids, .last = b->last};
}

static icseg_towers *open_towers(const icseg_config *config, icseg_towers_options options) {
    icseg_towers *t;
    options.batch = BATCH;
    ok(icseg_towers_open(&t, config, &options, &error));
    icseg_params_initialise(icseg_towers_params(t), 1);
    ok(icseg_params_load(icseg_towers_params(t), &error));
    ok(icseg_params_allocate_gradients(icseg_towers_params(t), &error));
    return t;
}

static double loss_of(icseg_towers *t, const batch *b) {
    icseg_captions captions = captions_of(b);
    float loss;
    ok(icseg_towers_learn(t, b->images, &captions, &loss, &error));
    return (double)loss;
}

/* Of all gradients. */
static double norm_of(const icseg_params *params) {
    double sum = 0;
    for (int64_t i = 0; i < icseg_params_count(params); i++) {
        const icseg_param *p = icseg_params_at(params, i);
        for (int64_t k = 0; p->grad && k < p->count; k++) sum += (double)p->grad[k] * (double)p->grad[k];
    }
    return sqrt(sum);
}

/* The loss changes along its gradient, parameter by parameter, as much as the gradient says. */
static void gradients_are_those_of_the_loss(const char *preset) {
    icseg_config config = config_of(preset);
    batch b = make_batch(&config);
    icseg_towers *t = open_towers(&config, (icseg_towers_options){.chunk = BATCH});
    icseg_params *params = icseg_towers_params(t);
    float *gradients = icseg_calloc_array((size_t)icseg_params_count(params), MOST * sizeof *gradients);
    int checked = 0;
    double first = loss_of(t, &b);
    assert_non_null(gradients);
    assert_true(first > 0.5 * log(BATCH) && first < 10 * log(BATCH));
    for (int64_t i = 0; i < icseg_params_count(params); i++) { /* the losses below overwrite them */
        const icseg_param *p = icseg_params_at(params, i);
        if (p->grad && p->count <= MOST) memcpy(gradients + i * MOST, p->grad, (size_t)p->count * sizeof *gradients);
    }
    for (int64_t i = 0; i < icseg_params_count(params); i++) {
        icseg_param *p = icseg_params_at(params, i);
        if (!p->grad || p->count > MOST) continue;
        const float *gradient = gradients + i * MOST;
        double sum = 0, both[2];
        for (int64_t k = 0; k < p->count; k++) sum += (double)gradient[k] * (double)gradient[k];
        double norm = sqrt(sum), step = 3e-3;
        if (norm < 1e-3) continue; /* the difference would be rounding alone */
        step /= norm > 1 ? norm : 1;
        for (int sign = 0; sign < 2; sign++) {
            for (int64_t k = 0; k < p->count; k++)
                p->data[k] += (float)((sign ? -2 : 1) * step * (double)gradient[k] / norm);
            p->version++;
            both[sign] = loss_of(t, &b);
        }
        for (int64_t k = 0; k < p->count; k++) p->data[k] += (float)(step * (double)gradient[k] / norm);
        p->version++;
        double slope = (both[0] - both[1]) / (2 * step);
        if (!(fabs(slope - norm) <= 0.05 * norm + 2e-3))
            fail_msg("%s: %s: %g, expected %g", preset, p->name, slope, norm);
        checked++;
    }
    assert_true(checked >= 20);
    icseg_free(gradients);
    icseg_towers_close(&t);
    icseg_free(b.images);
}

static void gradients_of_a_resnet(void **state) { (void)state, gradients_are_those_of_the_loss("tiny-resnet"); }
static void gradients_of_a_vit(void **state) { (void)state, gradients_are_those_of_the_loss("tiny-vit"); }

/* Chunks of any size give the same gradients, where no batch norm looks at a chunk alone. */
static void chunks_do_not_change_the_gradient(void **state) {
    (void)state;
    icseg_config config = config_of("tiny-vit");
    batch b = make_batch(&config);
    icseg_towers *whole = open_towers(&config, (icseg_towers_options){.chunk = BATCH});
    double expected = loss_of(whole, &b), norm = norm_of(icseg_towers_params(whole));
    for (int32_t chunk = 1; chunk < BATCH; chunk += chunk == 1 ? 1 : 2) { /* 1, 2, 4: with a smaller last one */
        icseg_towers *t = open_towers(&config, (icseg_towers_options){.chunk = chunk});
        assert_true(fabs(loss_of(t, &b) - expected) <= 1e-5 * expected);
        double difference = 0;
        for (int64_t i = 0; i < icseg_params_count(icseg_towers_params(t)); i++) {
            const icseg_param *p = icseg_params_at(icseg_towers_params(t), i),
                              *q = icseg_params_at(icseg_towers_params(whole), i);
            for (int64_t k = 0; p->grad && k < p->count; k++)
                difference += pow((double)p->grad[k] - (double)q->grad[k], 2);
        }
        assert_true(sqrt(difference) <= 1e-5 * norm);
        icseg_towers_close(&t);
    }
    icseg_towers_close(&whole);
    icseg_free(b.images);
}

/* A frozen image encoder uses its running statistics, so that the other images of a chunk do not matter. */
static void a_frozen_image_encoder_uses_its_statistics(void **state) {
    (void)state;
    icseg_config config = config_of("tiny-resnet");
    batch b = make_batch(&config);
    double loss[2];
    for (int i = 0; i < 2; i++) {
        icseg_towers *t = open_towers(&config, (icseg_towers_options){.chunk = i ? 1 : BATCH, .freeze_image = true});
        loss[i] = loss_of(t, &b);
        icseg_towers_close(&t);
    }
    assert_true(fabs(loss[0] - loss[1]) <= 1e-4 * loss[0]);
    icseg_free(b.images);
}

/* The running statistics of batch norms follow one pass over a batch, not two. */
static void statistics_are_updated_once(void **state) {
    (void)state;
    icseg_config config = config_of("tiny-resnet");
    batch b = make_batch(&config);
    icseg_towers *t = open_towers(&config, (icseg_towers_options){.chunk = BATCH});
    const icseg_param *mean = icseg_params_find(icseg_towers_params(t), "visual.bn1.running_mean");
    float after[2];
    for (int i = 0; i < 2; i++) {
        loss_of(t, &b);
        after[i] = mean->data[0];
    }
    assert_true(after[0] != 0); /* m * (1 - 0.9), then m * (1 - 0.81) */
    assert_true(fabsf(after[1] / after[0] - 1.9f) < 1e-3f);
    icseg_towers_close(&t);
    icseg_free(b.images);
}

static void a_frozen_encoder_has_no_gradients(void **state) {
    (void)state;
    icseg_config config = config_of("tiny-vit");
    batch b = make_batch(&config);
    for (int image = 0; image < 2; image++) {
        icseg_towers *t = open_towers(
            &config, (icseg_towers_options){.chunk = 4, .freeze_image = image == 1, .freeze_text = image == 0});
        loss_of(t, &b);
        for (int64_t i = 0; i < icseg_params_count(icseg_towers_params(t)); i++) {
            const icseg_param *p = icseg_params_at(icseg_towers_params(t), i);
            bool trains = !strcmp(p->name, "logit_scale") || icseg_is_image_encoder(p->name) == (image == 0);
            assert_true((p->grad != NULL) == (trains && !p->options.buffer));
        }
        assert_true(norm_of(icseg_towers_params(t)) > 1e-3);
        icseg_towers_close(&t);
    }
    icseg_free(b.images);
}

/* What follows EOS in a row of ids does not matter. */
static void padding_does_not_matter(void **state) {
    (void)state;
    icseg_config config = config_of("tiny-vit");
    batch b = make_batch(&config);
    icseg_towers *t = open_towers(&config, (icseg_towers_options){.chunk = BATCH});
    double expected = loss_of(t, &b);
    for (int32_t i = 0; i < BATCH; i++)
        for (int32_t j = b.last[i] + 1; j < LENGTH; j++) b.ids[i * LENGTH + j] = 7;
    assert_true(loss_of(t, &b) == expected);
    icseg_towers_close(&t);
    icseg_free(b.images);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_of_a_resnet),
        cmocka_unit_test(gradients_of_a_vit),
        cmocka_unit_test(chunks_do_not_change_the_gradient),
        cmocka_unit_test(a_frozen_image_encoder_uses_its_statistics),
        cmocka_unit_test(statistics_are_updated_once),
        cmocka_unit_test(a_frozen_encoder_has_no_gradients),
        cmocka_unit_test(padding_does_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
