/* SPDX-License-Identifier: Apache-2.0
 * Embeddings of many texts and of classes: sharing the tokens with which texts begin changes nothing, the towers of
 * CLIP can be opened alone, and embeddings that were kept in files are found again when everything is equal, and only
 * then. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/rng.h"
#include "inference/class_texts.h"
#include "inference/text_cache.h"
#include "support/near.h"
#include "support/scratch.h"
#include "tensor/safetensors.h"

enum { EMBED = 16, VOCABULARY = 258, CONTEXT = 48, TENSORS = 200, MANY = 400 };

static icseg_error error;

#define OK(call)                                                                                                       \
    do {                                                                                                               \
        if ((call) != ICSEG_OK) fail_msg("%s", error.message);                                                         \
    } while (0)

static const icseg_config tiny = {.backbone = ICSEG_BACKBONE_RESNET,
                                  .resnet_layers = {1, 1, 1, 1},
                                  .resnet_width = 4,
                                  .pos_grid = 2,
                                  .embed_dim = EMBED,
                                  .text_width = 64,
                                  .text_heads = 2,
                                  .text_layers = 3,
                                  .vocab_size = VOCABULARY,
                                  .context_length = CONTEXT};

static void fill(icseg_clip *clip) {
    for (int64_t i = 0; i < icseg_params_count(clip->params); i++) {
        icseg_param *p = icseg_params_at(clip->params, i);
        icseg_rng rng = icseg_rng_open(7, ICSEG_RNG_TEST, (uint64_t)i);
        bool gain = strstr(p->name, "ln_") && strstr(p->name, ".weight"), variance = strstr(p->name, "running_var");
        OK(icseg_param_replace(p, &error));
        for (int64_t k = 0; k < p->count; k++)
            p->data[k] = (gain || variance ? 1 : 0) + icseg_rng_range(&rng, variance ? 0 : -0.12f, 0.12f);
    }
}

static void open_clip(icseg_clip *clip) {
    OK(icseg_clip_open(clip, &tiny, ICSEG_CLIP_BOTH, &error));
    fill(clip);
}

/* Weights with `change` added to an element of one tensor; NULL: unchanged. */
static const char *write_weights(const char *name, const char *changed, float change) {
    static icseg_safetensors_entry entries[TENSORS];
    static float scale = 3;
    icseg_clip clip;
    const char *path = test_scratch(name);
    open_clip(&clip);
    size_t count = (size_t)icseg_params_count(clip.params);
    assert_true(count < TENSORS);
    for (size_t i = 0; i < count; i++) {
        icseg_param *p = icseg_params_at(clip.params, (int64_t)i);
        if (changed && !strcmp(p->name, changed)) p->data[p->count / 2] += change;
        entries[i] =
            (icseg_safetensors_entry){p->name, ICSEG_F32, p->file_shape, p->data, (size_t)p->count * sizeof(float)};
    }
    entries[count] = (icseg_safetensors_entry){"logit_scale", ICSEG_F32, {.rank = 0}, &scale, sizeof scale};
    OK(icseg_safetensors_write(path, entries, count + 1, NULL, 0, &error));
    icseg_clip_close(&clip);
    return path;
}

/* ------------------------------------------------------------------------------------------------- shared prefixes */

/* A text alone, without shared tokens. */
static void encode_alone(icseg_clip *clip, const icseg_tokens *text, float *out) {
    icseg_graph *graph;
    icseg_executor *executor;
    OK(icseg_graph_open(&graph, false, &error));
    icseg_builder b = {.graph = graph, .params = clip->params, .config = &clip->config};
    icseg_value value = icseg_build_text(&b, ICSEG_NONE, &(icseg_texts){.count = 1, .tokens = text});
    icseg_graph_keep(graph, value, "text");
    OK(icseg_graph_status(graph, &error));
    OK(icseg_executor_open(&executor, graph, clip->workspace, &error));
    OK(icseg_executor_run(executor, 0, 0, &error));
    memcpy(out, icseg_executor_data(executor, value), EMBED * sizeof *out);
    icseg_executor_close(&executor);
    icseg_graph_close(&graph);
}

typedef struct collected {
    float rows[MANY][EMBED];
    int times[MANY];
} collected;

static icseg_status collect(void *user, int32_t index, const float *embedding, icseg_error *unused) {
    collected *c = user;
    (void)unused;
    assert_in_range(index, 0, MANY - 1);
    memcpy(c->rows[index], embedding, sizeof c->rows[index]);
    c->times[index]++;
    return ICSEG_OK;
}

static void same_as_alone(icseg_clip *clip, const icseg_tokens *texts, int32_t count) {
    static collected c;
    const icseg_text_sink sink = {collect, &c};
    memset(&c, 0, sizeof c);
    OK(icseg_clip_encode_texts(clip, texts, count, NULL, &sink, &error));
    for (int32_t i = 0; i < count; i++) {
        float alone[EMBED];
        double difference = 0, squares = 0;
        assert_int_equal(c.times[i], 1);
        encode_alone(clip, &texts[i], alone);
        for (int k = 0; k < EMBED; k++) {
            difference = fmax(difference, fabs((double)alone[k] - (double)c.rows[i][k]));
            squares += (double)alone[k] * (double)alone[k];
        }
        assert_true(squares > 1e-4);
        if (!(difference <= 2e-6 * sqrt(squares)))
            fail_msg("text %d differs by %g of %g", i, difference, sqrt(squares));
    }
}

static icseg_tokens text_of(const int32_t *ids, int32_t count) { return (icseg_tokens){count, ids}; }

static void sharing_the_first_tokens_does_not_change_an_embedding(void **state) {
    static const int32_t a[] = {5, 6, 7, 8, 9}, b[] = {5, 6, 7, 1}, other[] = {100, 5, 6, 7}, last[] = {255, 255};
    const icseg_tokens all[] = {text_of(a, 5), text_of(a, 5), text_of(a, 5)};
    const icseg_tokens some[] = {text_of(a, 5), text_of(b, 4), text_of(a, 4)};
    const icseg_tokens prefixes[] = {text_of(a, 5), text_of(a, 3), text_of(a, 1), text_of(b, 4), text_of(b, 3)};
    const icseg_tokens none[] = {text_of(last, 2), text_of(other, 4), text_of(a, 5)};
    icseg_clip clip;
    (void)state;
    open_clip(&clip);
    same_as_alone(&clip, all, 1);
    same_as_alone(&clip, all, 3);
    same_as_alone(&clip, some, 3);
    same_as_alone(&clip, prefixes, 5);
    same_as_alone(&clip, none, 3);
    icseg_clip_close(&clip);
}

/* Few different tokens, so that texts share any number of them; several batches. */
static void texts_of_any_order_and_number_have_their_own_embeddings(void **state) {
    static int32_t ids[MANY][CONTEXT];
    static icseg_tokens texts[MANY];
    icseg_rng rng = icseg_rng_open(3, ICSEG_RNG_TEST, 0);
    icseg_clip clip;
    (void)state;
    open_clip(&clip);
    for (int i = 0; i < MANY; i++) {
        int32_t count = 1 + (int32_t)icseg_rng_below(&rng, i % 3 ? 8 : CONTEXT - 2);
        for (int32_t k = 0; k < count; k++) ids[i][k] = (int32_t)icseg_rng_below(&rng, k < 20 ? 2 : VOCABULARY - 2);
        texts[i] = text_of(ids[i], count);
    }
    same_as_alone(&clip, texts, MANY);
    icseg_clip_close(&clip);
}

/* Texts with `shared` equal tokens from `start` on, and one of their own. */
static int32_t add_group(icseg_tokens *to, int32_t (*ids)[CONTEXT], int32_t count, int32_t start, int32_t shared,
                         int32_t size) {
    for (int32_t i = 0; i < size; i++, count++) {
        for (int32_t k = 0; k < shared; k++) ids[count][k] = start + k;
        ids[count][shared] = i;
        to[count] = text_of(ids[count], shared + 1);
    }
    return count;
}

static void batches_share_what_saves_the_most_rows(void **state) {
    static int32_t ids[MANY][CONTEXT];
    static icseg_tokens texts[MANY];
    static icseg_text_batch batches[MANY];
    int32_t n, count;
    (void)state;
    /* Two groups of 10: 1 + 10 + 20 and 1 + 20 + 20 rows apart, 1 + 120 + 220 together. */
    count = add_group(texts, ids, add_group(texts, ids, 0, 50, 10, 10), 100, 20, 10);
    OK(icseg_clip_plan_texts(texts, count, batches, &n, &error));
    assert_int_equal(n, 2);
    assert_true(batches[0].begin == 0 && batches[0].end == 10 && batches[0].common == 10);
    assert_true(batches[1].begin == 10 && batches[1].end == 20 && batches[1].common == 20);
    /* Of two single texts nothing can be saved: one batch. */
    count = add_group(texts, ids, add_group(texts, ids, 0, 50, 10, 1), 100, 20, 1);
    OK(icseg_clip_plan_texts(texts, count, batches, &n, &error));
    assert_int_equal(n, 1);
    assert_int_equal(batches[0].common, 0);
    /* More than fits: every text is in one batch. */
    count = add_group(texts, ids, 0, 10, 40, 200);
    for (int32_t i = 0; i < 200; i++) ids[i][i % 40] += i % 2;
    for (int32_t i = 0; i < 200; i++)
        for (int32_t k = i; k > 0 && memcmp(ids[k - 1], ids[k], sizeof *ids) > 0; k--) {
            int32_t kept[CONTEXT];
            memcpy(kept, ids[k], sizeof kept);
            memcpy(ids[k], ids[k - 1], sizeof kept);
            memcpy(ids[k - 1], kept, sizeof kept);
        }
    OK(icseg_clip_plan_texts(texts, count, batches, &n, &error));
    int32_t next = 0;
    for (int32_t i = 0; i < n; i++) {
        assert_int_equal(batches[i].begin, next);
        next = batches[i].end;
        assert_true(next > batches[i].begin);
        for (int32_t k = batches[i].begin; k < next; k++)
            assert_memory_equal(ids[k], ids[batches[i].begin], (size_t)batches[i].common * sizeof **ids);
    }
    assert_int_equal(next, count);
}

static icseg_status refuse(void *user, int32_t index, const float *embedding, icseg_error *to) {
    (void)user, (void)index, (void)embedding;
    return icseg_error_set(to, ICSEG_ERROR_NUMERIC, "refused");
}

static void a_sink_can_stop_the_work(void **state) {
    static const int32_t ids[] = {1, 2};
    const icseg_tokens texts[] = {text_of(ids, 1), text_of(ids, 2)};
    const icseg_text_sink sink = {refuse, NULL};
    icseg_clip clip;
    (void)state;
    open_clip(&clip);
    assert_int_equal(icseg_clip_encode_texts(&clip, texts, 2, NULL, &sink, &error), ICSEG_ERROR_NUMERIC);
    assert_string_equal(error.message, "refused");
    icseg_clip_close(&clip);
}

/* --------------------------------------------------------------------------------------------------------- classes */

static const char *const names[] = {"person, man, woman", "dog", "sky; heaven"};
static const char *const templates[] = {"a photo of a {}.", "{}", "the {} in a photo"};

/* Weights, their configuration and the tokenizer of bytes. */
typedef struct source {
    icseg_weights *weights;
    icseg_config config;
    icseg_tokenizer *tokenizer;
} source;

static source open_source(const char *path, const char *own) {
    source s;
    float scale;
    icseg_weights_report report = {0};
    OK(icseg_weights_open(&s.weights, path, &error));
    OK(icseg_weights_read_clip(&s.config, &scale, s.weights, own, &report, &error));
    OK(icseg_tokenizer_open_bytes(&s.tokenizer, &error));
    icseg_weights_report_close(&report);
    return s;
}

static void close_source(source *s) {
    icseg_weights_close(&s->weights);
    icseg_tokenizer_close(&s->tokenizer);
}

static icseg_class_texts_options options_for(icseg_synonyms_use synonyms, const char *cache) {
    return (icseg_class_texts_options){names, 3, templates, 3, synonyms, cache};
}

/* Class texts of the weights in a file. */
static icseg_class_texts open_texts(const char *path, const icseg_class_texts_options *options,
                                    const icseg_progress *progress) {
    source s = open_source(path, NULL);
    icseg_class_texts texts;
    OK(icseg_class_texts_open(&texts, s.weights, &s.config, s.tokenizer, options, progress, &error));
    close_source(&s);
    return texts;
}

static void near_rows(const float *a, const float *b, double tolerance) {
    for (int i = 0; i < EMBED; i++) assert_near(a[i], b[i], tolerance);
}

static void each_word_has_an_embedding_of_its_own(void **state) {
    static const char *const words[] = {"person", "man", "woman", "dog", "sky", "heaven"};
    static const int32_t counts[] = {3, 1, 2};
    const char *weights = write_weights("weights.safetensors", NULL, 0);
    icseg_class_texts_options each = options_for(ICSEG_SYNONYMS_EACH, NULL), o = each;
    (void)state;
    icseg_class_texts texts = open_texts(weights, &each, NULL);
    assert_true(texts.classes == 3 && texts.count == 6 && texts.width == EMBED && !texts.cached);
    assert_memory_equal(texts.words, counts, sizeof counts);
    assert_string_equal(texts.names[0], "person");
    assert_string_equal(texts.names[2], "sky");
    o.class_names = words;
    o.class_count = 6;
    o.synonyms = ICSEG_SYNONYMS_FIRST;
    icseg_class_texts single = open_texts(weights, &o, NULL);
    assert_true(single.count == 6 && !single.words);
    for (int i = 0; i < 6; i++) {
        double squares = 0;
        near_rows(texts.embeddings + i * EMBED, single.embeddings + i * EMBED, 1e-6);
        for (int k = 0; k < EMBED; k++) squares += pow((double)texts.embeddings[i * EMBED + k], 2);
        assert_near(squares, 1, 1e-6);
    }
    icseg_class_texts_close(&single);
    icseg_class_texts_close(&texts);
    assert_null(texts.embeddings);
    icseg_class_texts_close(NULL);
}

/* The mean of the texts' embeddings at unit length, at unit length, worked out from single texts. */
static void an_embedding_is_the_mean_over_the_templates(void **state) {
    static const char *const filled[] = {"a photo of a dog.", "dog", "the dog in a photo"};
    icseg_class_texts_options o = options_for(ICSEG_SYNONYMS_MEAN, NULL);
    icseg_tokenizer *tokenizer;
    icseg_class_texts texts;
    icseg_clip clip;
    float rows[3][EMBED], mean[EMBED];
    (void)state;
    open_clip(&clip);
    OK(icseg_tokenizer_open_bytes(&tokenizer, &error));
    OK(icseg_texts_embed(&clip, tokenizer, filled, 3, rows[0], &error));
    double squares = 0;
    for (int i = 0; i < EMBED; i++) {
        double sum = (double)rows[0][i] + (double)rows[1][i] + (double)rows[2][i];
        mean[i] = (float)sum;
        squares += sum * sum;
    }
    for (int i = 0; i < EMBED; i++) mean[i] = (float)((double)mean[i] / sqrt(squares));
    source s = open_source(write_weights("weights.safetensors", NULL, 0), NULL);
    OK(icseg_class_texts_open(&texts, s.weights, &tiny, tokenizer, &o, NULL, &error));
    close_source(&s);
    assert_true(texts.count == 3 && !texts.words);
    near_rows(texts.embeddings + EMBED, mean, 1e-6);
    icseg_class_texts_close(&texts);
    icseg_tokenizer_close(&tokenizer);
    icseg_clip_close(&clip);
}

static void each_tower_can_be_opened_alone(void **state) {
    static const icseg_clip_towers towers[] = {ICSEG_CLIP_IMAGE, ICSEG_CLIP_TEXT};
    source s = open_source(write_weights("weights.safetensors", NULL, 0), NULL);
    icseg_clip both, one;
    icseg_weights_report report = {0};
    static float pixels[64 * 64 * 3], out[2][2 * EMBED];
    (void)state;
    for (int i = 0; i < 64 * 64 * 3; i++) pixels[i] = (float)(i % 17) / 17 - 0.5f;
    OK(icseg_weights_open_clip(&both, ICSEG_CLIP_BOTH, s.weights, &s.config, &report, &error));
    OK(icseg_clip_encode_image(&both, pixels, out[0], &error));
    OK(icseg_texts_embed(&both, s.tokenizer, (const char *const[]){"cat"}, 1, out[0] + EMBED, &error));
    int64_t parameters = 0;
    for (int t = 0; t < 2; t++) {
        OK(icseg_weights_open_clip(&one, towers[t], s.weights, &s.config, &report, &error));
        parameters += icseg_params_count(one.params);
        for (int64_t i = 0; i < icseg_params_count(one.params); i++)
            assert_int_equal(icseg_weights_is_text(icseg_params_at(one.params, i)->name), t == 1);
        if (t == 0)
            OK(icseg_clip_encode_image(&one, pixels, out[1], &error));
        else
            OK(icseg_texts_embed(&one, s.tokenizer, (const char *const[]){"cat"}, 1, out[1] + EMBED, &error));
        icseg_clip_close(&one);
    }
    assert_int_equal(parameters, icseg_params_count(both.params));
    assert_memory_equal(out[0], out[1], sizeof out[0]);
    icseg_weights_report_close(&report);
    icseg_clip_close(&both);
    close_source(&s);
}

static void impossible_options_are_refused(void **state) {
    static char long_name[101];
    static const char *const bad_names[] = {"cat", " ; ", "dog"}, *const long_names[] = {"cat", "dog", long_name};
    source s = open_source(write_weights("weights.safetensors", NULL, 0), NULL);
    icseg_class_texts_options good = options_for(ICSEG_SYNONYMS_EACH, NULL), o[8];
    static const char *const because[] = {"class_names is empty",
                                          "at most 16384",
                                          "class_names[1] is NULL",
                                          "write {} where the class name goes",
                                          "synonyms is 9: not a value",
                                          "the name of class 1: class name \" ; \": it does not contain a name",
                                          "the name of class 2: \"a photo of a xxx",
                                          "has 114 tokens, but the model accepts at most 46"};
    (void)state;
    memset(long_name, 'x', 100);
    for (int i = 0; i < 8; i++) o[i] = good;
    o[0].class_count = 0;
    o[1].class_count = 16385;
    o[2].class_names = (const char *const[]){"cat", NULL, "dog"};
    o[3].templates = (const char *const[]){"{}", "a photo", "{}"};
    o[4].synonyms = (icseg_synonyms_use)9;
    o[5].class_names = bad_names;
    o[6].class_names = o[7].class_names = long_names;
    for (int i = 0; i < 8; i++) {
        icseg_class_texts texts = {.embeddings = (float *)&error}; /* must be cleared */
        icseg_status status = icseg_class_texts_open(&texts, s.weights, &s.config, s.tokenizer, &o[i], NULL, &error);
        if (status != ICSEG_ERROR_ARGUMENT || !strstr(error.message, because[i]))
            fail_msg("%s: \"%s\" lacks \"%s\"", icseg_status_name(status), error.message, because[i]);
        assert_null(texts.embeddings);
        assert_null(texts.arena);
    }
    close_source(&s);
}

/* ------------------------------------------------------------------------------------------------------- the cache */

static char cache[64];

/* The only file of the cache, or NULL; *count files. */
static const char *file_in(const char *folder, size_t *count) {
    static char path[256];
    char **list;
    OK(icseg_folder_list(folder, &list, count, &error));
    if (*count) snprintf(path, sizeof path, "%s/%s", folder, list[0]);
    icseg_free(list);
    return *count ? path : NULL;
}

static void empty_cache(void) {
    size_t count;
    if (!icseg_folder_exists(cache)) return;
    for (const char *path; (path = file_in(cache, &count));) assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(cache), 0);
}

static int open_cache(void **state) {
    if (test_scratch_open(state)) return -1;
    snprintf(cache, sizeof cache, "%s/cache", test_scratch_folder);
    return 0;
}

static int close_cache(void **state) {
    empty_cache();
    return test_scratch_close(state);
}

/* Opens class texts with the cache; expects them to be found there or not. */
static void expect_cached(const char *weights, const icseg_class_texts_options *options, bool found, float *out) {
    icseg_class_texts texts = open_texts(weights, options, NULL);
    assert_int_equal(texts.cached, found);
    memcpy(out, texts.embeddings, (size_t)texts.count * EMBED * sizeof *out);
    icseg_class_texts_close(&texts);
}

static void equal_texts_and_weights_are_found_and_others_are_not(void **state) {
    icseg_class_texts_options o = options_for(ICSEG_SYNONYMS_EACH, cache), other = o;
    const char *weights = write_weights("weights.safetensors", NULL, 0);
    float first[6 * EMBED], again[6 * EMBED];
    (void)state;
    empty_cache();
    expect_cached(weights, &o, false, first);
    expect_cached(weights, &o, true, again);
    assert_memory_equal(first, again, sizeof first);
    /* The image encoder and the names of a class that are not texts play no part. */
    expect_cached(write_weights("other.safetensors", "visual.conv1.weight", 1), &o, true, again);
    assert_memory_equal(first, again, sizeof first);
    /* One value of each kind of tensor. */
    static const char *const tensors[] = {"token_embedding.weight", "positional_embedding", "text_projection",
                                          "ln_final.bias", "transformer.resblocks.1.mlp.c_fc.weight"};
    for (size_t i = 0; i < sizeof tensors / sizeof *tensors; i++)
        expect_cached(write_weights("other.safetensors", tensors[i], 1e-3f), &o, false, again);
    /* One letter, another order of templates, other groups of the same words. */
    other.class_names = (const char *const[]){"person, man, woman", "dig", "sky; heaven"};
    expect_cached(weights, &other, false, again);
    other.class_names = (const char *const[]){"person, man", "woman", "dog", "sky; heaven"};
    other.class_count = 4;
    other.synonyms = ICSEG_SYNONYMS_MEAN;
    expect_cached(weights, &other, false, again);
    other.class_names = (const char *const[]){"person", "man, woman", "dog", "sky; heaven"};
    expect_cached(weights, &other, false, again);
    other = o;
    other.template_count = 2;
    expect_cached(weights, &other, false, again);
    /* Everything that was written is still there. */
    expect_cached(weights, &o, true, again);
    assert_memory_equal(first, again, sizeof first);
}

static void another_activation_is_another_encoder(void **state) {
    static const char *const configs[] = {"{\"activation\": \"gelu\"}", "{\"activation\": \"quick_gelu\"}"};
    icseg_class_texts_options o = options_for(ICSEG_SYNONYMS_FIRST, cache);
    (void)state;
    empty_cache();
    for (int i = 0; i < 4; i++) {
        source s = open_source(write_weights("weights.safetensors", NULL, 0), configs[i % 2]);
        icseg_class_texts texts;
        OK(icseg_class_texts_open(&texts, s.weights, &s.config, s.tokenizer, &o, NULL, &error));
        assert_int_equal(texts.cached, i >= 2);
        icseg_class_texts_close(&texts);
        close_source(&s);
    }
}

/* Damages the bytes of a file. */
static void damage(const char *path, int kind) {
    unsigned char *data;
    size_t size;
    OK(icseg_file_read(path, 1 << 20, &data, &size, &error));
    if (kind == 0) size = 0;
    if (kind == 1) size -= 7;
    if (kind == 2) data[size - 3] ^= 1;                                 /* a value */
    if (kind == 3) memcpy(data, "not a safetensors file", 22);          /* the header */
    if (kind == 4) *strstr((char *)data + 8, "encoder") = 'E';          /* the description */
    if (kind == 5) *(strstr((char *)data + 8, "embeddings") + 3) = 'x'; /* the tensor's name */
    OK(icseg_file_write(path, data, size, &error));
    icseg_free(data);
}

static void count_messages(void *user, icseg_message_level level, const char *text) {
    (void)text;
    assert_int_equal(level, ICSEG_MESSAGE_WARNING);
    ++*(int *)user;
}

static void a_damaged_file_is_written_again(void **state) {
    icseg_class_texts_options o = options_for(ICSEG_SYNONYMS_EACH, cache);
    const char *weights = write_weights("weights.safetensors", NULL, 0);
    float first[6 * EMBED], again[6 * EMBED];
    size_t count;
    (void)state;
    empty_cache();
    expect_cached(weights, &o, false, first);
    for (int kind = 0; kind < 6; kind++) {
        damage(file_in(cache, &count), kind);
        assert_int_equal(count, 1);
        expect_cached(weights, &o, false, again);
        assert_memory_equal(first, again, sizeof first);
        expect_cached(weights, &o, true, again);
        assert_memory_equal(first, again, sizeof first);
    }
}

/* A folder below a file cannot be created, not even by root. */
static void a_folder_that_cannot_be_written_is_a_warning(void **state) {
    char below[256];
    int messages = 0;
    const icseg_progress progress = {ICSEG_PROGRESS_INIT, .message = count_messages, .user = &messages};
    const char *weights = write_weights("weights.safetensors", NULL, 0);
    (void)state;
    snprintf(below, sizeof below, "%s/cache", weights);
    icseg_class_texts_options o = options_for(ICSEG_SYNONYMS_EACH, below),
                              plain = options_for(ICSEG_SYNONYMS_EACH, NULL);
    icseg_class_texts texts = open_texts(weights, &o, &progress), expected = open_texts(weights, &plain, NULL);
    assert_int_equal(messages, 1);
    assert_false(texts.cached);
    assert_memory_equal(texts.embeddings, expected.embeddings, 6 * EMBED * sizeof(float));
    icseg_class_texts_close(&texts);
    icseg_class_texts_close(&expected);
    if (getuid() == 0) {
        print_message("skipped: a read-only folder, because root may write into it\n");
        return;
    }
    empty_cache();
    OK(icseg_folder_create(cache, &error));
    assert_int_equal(chmod(cache, 0555), 0);
    o.cache = cache;
    texts = open_texts(weights, &o, &progress);
    assert_int_equal(messages, 2);
    icseg_class_texts_close(&texts);
    assert_int_equal(chmod(cache, 0755), 0);
}

/* Processes that write and read the same files, and remove the oldest, find complete embeddings or none. */
static void two_processes_may_use_a_folder_at_once(void **state) {
    enum { PROCESSES = 3, ROUNDS = 60, KEYS = 4 };
    pid_t children[PROCESSES];
    (void)state;
    empty_cache();
    for (int p = 0; p < PROCESSES; p++) {
        children[p] = fork();
        assert_true(children[p] >= 0);
        if (children[p]) continue;
        int bad = 0;
        for (int round = 0; round < ROUNDS; round++) {
            float rows[2 * EMBED];
            bool found;
            icseg_text_key key = {.count = 2, .width = EMBED};
            int number = (round + p) % KEYS;
            snprintf(key.description, sizeof key.description, "key %d", number);
            bad += icseg_text_cache_read(cache, &key, rows, &found, NULL) != ICSEG_OK;
            for (int i = 0; i < 2 * EMBED && found; i++) bad += rows[i] != (float)(number + i);
            for (int i = 0; i < 2 * EMBED; i++) rows[i] = (float)(number + i);
            bad += icseg_text_cache_write(cache, &key, rows, NULL, NULL) != ICSEG_OK;
            if (round % 5 == 4) bad += icseg_text_cache_trim(cache, 2, 1 << 20, NULL) != ICSEG_OK;
        }
        _exit(bad != 0);
    }
    for (int p = 0; p < PROCESSES; p++) {
        int status;
        assert_int_equal(waitpid(children[p], &status, 0), children[p]);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
}

static void the_oldest_files_are_removed_and_no_others(void **state) {
    enum { FILES = 5 };
    char path[256];
    size_t count;
    float rows[EMBED] = {1};
    icseg_text_key key = {.count = 1, .width = EMBED};
    bool found;
    (void)state;
    empty_cache();
    for (int i = 0; i < FILES; i++) {
        snprintf(key.description, sizeof key.description, "key %d", i);
        OK(icseg_text_cache_write(cache, &key, rows, NULL, &error));
        usleep(20000); /* file systems count time in ticks */
    }
    snprintf(path, sizeof path, "%s/texts-notes.txt", cache);
    OK(icseg_file_write(path, "", 0, &error));
    OK(icseg_text_cache_trim(cache, 3, 1 << 20, &error));
    (void)file_in(cache, &count);
    assert_int_equal(count, 4);
    for (int i = 0; i < FILES; i++) {
        snprintf(key.description, sizeof key.description, "key %d", i);
        OK(icseg_text_cache_read(cache, &key, rows, &found, &error));
        assert_int_equal(found, i >= 2);
    }
    OK(icseg_text_cache_trim(cache, 3, 1, &error)); /* not even one fits */
    assert_string_equal(file_in(cache, &count), path);
    assert_int_equal(count, 1);
    assert_int_equal(icseg_text_cache_trim("/nonexistent", 3, 1, &error), ICSEG_ERROR_IO);
}

static void hashes_depend_on_every_byte_and_on_the_division_into_records(void **state) {
    unsigned char bytes[40];
    char text[3][ICSEG_HASH_TEXT];
    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (unsigned char)(i * 7);
    icseg_hash plain = {0};
    icseg_hash_add(&plain, bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes * 8; i++) {
        icseg_hash h = {0};
        bytes[i / 8] ^= (unsigned char)(1u << i % 8);
        icseg_hash_add(&h, bytes, sizeof bytes);
        bytes[i / 8] ^= (unsigned char)(1u << i % 8);
        assert_true(h.a != plain.a && h.b != plain.b);
    }
    for (size_t cut = 0; cut <= sizeof bytes; cut++) {
        icseg_hash h = {0};
        icseg_hash_add(&h, bytes, cut);
        icseg_hash_add(&h, bytes + cut, sizeof bytes - cut);
        icseg_hash_text(&h, text[cut % 2]);
        assert_int_equal(strlen(text[cut % 2]), 32);
        if (cut) assert_string_not_equal(text[0], text[1]);
        icseg_hash_text(&plain, text[2]);
        assert_string_not_equal(text[cut % 2], text[2]);
    }
    /* Zeros at the end count. */
    icseg_hash one = {0}, two = {0};
    icseg_hash_add(&one, "\0", 1);
    icseg_hash_add(&two, "\0\0", 2);
    assert_true(one.a != two.a && one.b != two.b);
}

static void running_out_of_memory_is_reported_and_leaks_nothing(void **state) {
    icseg_class_texts_options o = options_for(ICSEG_SYNONYMS_EACH, cache);
    const char *weights = write_weights("weights.safetensors", NULL, 0);
    (void)state;
    empty_cache();
    for (int round = 0; round < 2; round++) { /* encoded, and found in the cache */
        source s = open_source(weights, NULL);
        icseg_status status = ICSEG_ERROR_MEMORY;
        int64_t n = 0;
        for (; status != ICSEG_OK; n += 1 + n / 12) {
            icseg_class_texts texts;
            icseg_memory_fail_after(n);
            status = icseg_class_texts_open(&texts, s.weights, &s.config, s.tokenizer, &o, NULL, &error);
            icseg_memory_fail_after(-1);
            if (status != ICSEG_OK) assert_int_equal(status, ICSEG_ERROR_MEMORY);
            assert_true((texts.embeddings != NULL) == (status == ICSEG_OK));
            icseg_class_texts_close(&texts);
        }
        assert_true(n > 10);
        close_source(&s);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sharing_the_first_tokens_does_not_change_an_embedding),
        cmocka_unit_test(texts_of_any_order_and_number_have_their_own_embeddings),
        cmocka_unit_test(batches_share_what_saves_the_most_rows),
        cmocka_unit_test(a_sink_can_stop_the_work),
        cmocka_unit_test(each_word_has_an_embedding_of_its_own),
        cmocka_unit_test(an_embedding_is_the_mean_over_the_templates),
        cmocka_unit_test(each_tower_can_be_opened_alone),
        cmocka_unit_test(impossible_options_are_refused),
        cmocka_unit_test(equal_texts_and_weights_are_found_and_others_are_not),
        cmocka_unit_test(another_activation_is_another_encoder),
        cmocka_unit_test(a_damaged_file_is_written_again),
        cmocka_unit_test(a_folder_that_cannot_be_written_is_a_warning),
        cmocka_unit_test(two_processes_may_use_a_folder_at_once),
        cmocka_unit_test(the_oldest_files_are_removed_and_no_others),
        cmocka_unit_test(hashes_depend_on_every_byte_and_on_the_division_into_records),
        cmocka_unit_test(running_out_of_memory_is_reported_and_leaks_nothing),
    };
    return cmocka_run_group_tests_name("class_texts", tests, open_cache, close_cache);
}
