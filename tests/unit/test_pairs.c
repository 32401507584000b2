/* SPDX-License-Identifier: Apache-2.0
 * Pairs for pretraining: crops, captions as tokens, the same samples for any number of threads, and broken pairs. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/memory.h"
#include "icseg/file.h"
#include "image/normalize.h"
#include "pretrain/pair_loader.h"
#include "support/models.h"
#include "support/scratch.h"

enum { IMAGES = 5, BATCH = 4, SIDE = 32, CONTEXT = 20, BATCHES = 6 };

static icseg_error error;
static icseg_tokenizer *bytes;

static void ok(icseg_status status) {
    if (status != ICSEG_OK) fail_msg("%s", error.message);
}

static void write_file(const char *path, const char *text) { ok(icseg_file_write(path, text, strlen(text), &error)); }

/* Images of different shapes, and captions, the last of which is longer than the context. */
static icseg_pair_source *open_source(void) {
    char list[2000] = "", name[20];
    icseg_pair_source *source;
    for (int i = 0; i < IMAGES; i++) {
        icseg_image image = test_image(40 + 10 * i, 50, (uint64_t)i);
        snprintf(name, sizeof name, "%d.png", i);
        ok(icseg_image_write_png(&image, test_scratch(name), &error));
        icseg_image_close(&image);
        snprintf(list + strlen(list), sizeof list - strlen(list),
                 "{\"image\": \"%s\", \"caption\": [\"a %d\", \"%s\"]}\n", name, i,
                 i < IMAGES - 1 ? "b" : "a caption that does not fit into the context");
    }
    write_file(test_scratch("captions.jsonl"), list);
    ok(icseg_pair_source_open_folder(&source, test_scratch_folder, &error));
    assert_int_equal(source->count, IMAGES);
    return source;
}

static icseg_pair_loader_options options_of(int32_t threads, int64_t first_step) {
    return (icseg_pair_loader_options){.crop = {.scale_min = 0.3, .scale_max = 1, .flip = 0.5, .side = SIDE},
                                       .tokenizer = bytes,
                                       .context_length = CONTEXT,
                                       .batch = BATCH,
                                       .threads = threads,
                                       .ahead = 2,
                                       .seed = 9,
                                       .first_step = first_step};
}

typedef struct record {
    float images[BATCHES][BATCH * SIDE * SIDE * 3];
    int32_t ids[BATCHES][BATCH * CONTEXT], last[BATCHES][BATCH], length[BATCHES];
} record;

static void run(const icseg_pair_source *source, icseg_pair_loader_options options, record *out) {
    icseg_pair_loader *loader;
    memset(out, 0, sizeof *out);
    ok(icseg_pair_loader_open(&loader, source, &options, &error));
    for (int64_t step = options.first_step; step < BATCHES; step++) {
        icseg_pair_batch b;
        ok(icseg_pair_loader_next(loader, &b, &error));
        out->length[step] = b.captions.length;
        memcpy(out->images[step], b.images, sizeof out->images[step]);
        memcpy(out->ids[step], b.captions.ids, (size_t)(BATCH * b.captions.length) * sizeof(int32_t));
        memcpy(out->last[step], b.captions.last, sizeof out->last[step]);
    }
    assert_int_equal(icseg_pair_loader_counts(loader).broken, 0);
    icseg_pair_loader_close(&loader);
}

static record one, other;

static void samples_depend_on_seed_and_number_alone(void **state) {
    (void)state;
    icseg_pair_source *source = open_source();
    run(source, options_of(1, 0), &one);
    run(source, options_of(3, 0), &other);
    assert_memory_equal(&one, &other, sizeof one);
    run(source, options_of(2, 3), &other); /* resumed */
    for (int step = 3; step < BATCHES; step++)
        assert_memory_equal(one.images[step], other.images[step], sizeof one.images[step]);
    assert_memory_not_equal(one.images[0], one.images[1], sizeof one.images[0]);
    icseg_pair_source_close(&source);
}

static void captions_are_tokens_between_marks(void **state) {
    (void)state;
    icseg_pair_source *source = open_source();
    bool cut = false, whole = false;
    run(source, options_of(1, 0), &one);
    for (int step = 0; step < BATCHES; step++) {
        int32_t longest = 0;
        for (int i = 0; i < BATCH; i++) {
            const int32_t *ids = one.ids[step] + i * one.length[step];
            int32_t last = one.last[step][i];
            assert_int_equal(ids[0], 256);
            assert_int_equal(ids[last], 257);
            assert_true(ids[1] == 'a' || ids[1] == 'b');
            if (last == CONTEXT - 1) assert_int_equal(ids[CONTEXT - 2], "a caption that does"[CONTEXT - 3]);
            cut |= last == CONTEXT - 1;
            whole |= last == 2 || last == 4; /* "b", "a 1" */
            longest = last > longest ? last : longest;
        }
        assert_true(one.length[step] > longest && one.length[step] <= CONTEXT && one.length[step] < longest + 9);
    }
    assert_true(cut && whole);
    icseg_pair_source_close(&source);
}

/* Without a scale, the crop is CLIP's: the largest square in the middle. */
static void a_whole_crop_is_the_largest_square(void **state) {
    (void)state;
    icseg_image image = {.width = 8, .height = 4}, square = {.width = 4, .height = 4};
    uint8_t pixels[8 * 4 * 3], middle[4 * 4 * 3];
    float out[4 * 4 * 3], expected[4 * 4 * 3];
    for (int i = 0; i < 8 * 4 * 3; i++) pixels[i] = (uint8_t)(i * 2);
    for (int y = 0; y < 4; y++) memcpy(middle + y * 12, pixels + (y * 8 + 2) * 3, 12);
    image.data = pixels;
    square.data = middle;
    icseg_image_normalize(&square, expected);
    icseg_pair_crop crop = {.scale_min = 1, .scale_max = 1, .side = 4};
    icseg_rng rng = icseg_rng_open(1, ICSEG_RNG_TEST, 0);
    ok(icseg_pair_crop_image(&crop, &rng, &image, out, &error));
    assert_memory_equal(out, expected, sizeof out);
    crop.flip = 1;
    ok(icseg_pair_crop_image(&crop, &rng, &image, out, &error));
    for (int y = 0; y < 4; y++)
        for (int x = 0; x < 4; x++) assert_memory_equal(out + (y * 4 + x) * 3, expected + (y * 4 + 3 - x) * 3, 12);
}

/* Pairs that cannot be read are replaced by the next one, up to a number. */
static void broken_pairs_are_replaced(void **state) {
    (void)state;
    icseg_pair_source *source = open_source();
    write_file(test_scratch("1.png"), "not an image");
    remove(test_scratch("2.png"));
    for (int64_t allowed = 1; allowed <= 2; allowed++) {
        icseg_pair_loader_options options = options_of(1, 0);
        icseg_pair_loader *loader;
        icseg_pair_batch b;
        icseg_status status = ICSEG_OK;
        options.broken = allowed;
        ok(icseg_pair_loader_open(&loader, source, &options, &error));
        for (int step = 0; step < BATCHES && status == ICSEG_OK; step++)
            status = icseg_pair_loader_next(loader, &b, &error);
        assert_int_equal(status, allowed < 2 ? ICSEG_ERROR_DATA : ICSEG_OK);
        if (status != ICSEG_OK) assert_non_null(strstr(error.message, "2 pairs cannot be read; the limit is 1"));
        assert_int_equal(icseg_pair_loader_counts(loader).broken, 2);
        assert_non_null(strstr(icseg_pair_loader_counts(loader).first, ".png"));
        icseg_pair_loader_close(&loader);
    }
    icseg_pair_source_close(&source);
}

static int set_up(void **state) {
    assert_int_equal(icseg_tokenizer_open_bytes(&bytes, &error), ICSEG_OK);
    return test_scratch_open(state);
}

static int tear_down(void **state) {
    icseg_tokenizer_close(&bytes);
    return test_scratch_close(state);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_depend_on_seed_and_number_alone),
        cmocka_unit_test(captions_are_tokens_between_marks),
        cmocka_unit_test(a_whole_crop_is_the_largest_square),
        cmocka_unit_test(broken_pairs_are_replaced),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
