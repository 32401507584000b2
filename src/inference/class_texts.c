/* SPDX-License-Identifier: Apache-2.0
 * Embeddings of classes: names and templates become texts, texts become embeddings, and these are averaged. */
#include "inference/class_texts.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/progress.h"
#include "icseg/classify.h"
#include "inference/text_cache.h"
#include "model/config.h"
#include "text/misencoded.h"
#include "text/synonyms.h"
#include "text/templates.h"

/* ---------------------------------------------------------------------------------------------------- checks, units */

icseg_status icseg_class_texts_check(const icseg_class_texts_options *o, icseg_error *error) {
    if (!o->class_count || !o->class_names)
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "class_names", ICSEG_REMEDY_SET_FIELD,
                                "class_names is empty; list the names of the classes");
    if (o->class_count > ICSEG_CLASSIFY_MAX_CLASSES || o->template_count > ICSEG_CLASSIFY_MAX_TEMPLATES)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "%zu classes and %zu templates: expected at most %d and %d",
                          o->class_count, o->template_count, ICSEG_CLASSIFY_MAX_CLASSES, ICSEG_CLASSIFY_MAX_TEMPLATES);
    if ((int)o->synonyms < ICSEG_SYNONYMS_FIRST || o->synonyms > ICSEG_SYNONYMS_EACH)
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "synonyms", ICSEG_REMEDY_SET_FIELD,
                                "synonyms is %d: not a value of icseg_synonyms_use", (int)o->synonyms);
    for (size_t i = 0; i < o->class_count; i++)
        if (!o->class_names[i])
            return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "class_names", ICSEG_REMEDY_SET_FIELD,
                                    "class_names[%zu] is NULL", i);
    for (size_t i = 0; i < o->template_count; i++)
        if (!o->templates || !o->templates[i] || !strstr(o->templates[i], "{}"))
            return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "templates", ICSEG_REMEDY_SET_FIELD,
                                    "template \"%.80s\": write {} where the class name goes, as in \"a photo of a {}\"",
                                    o->templates && o->templates[i] ? o->templates[i] : "");
    return ICSEG_OK;
}

bool icseg_unit_length(float *v, int32_t width) {
    double squares = 0;
    for (int32_t i = 0; i < width; i++) squares += (double)v[i] * (double)v[i];
    if (!(squares > 0) || !isfinite(squares)) return false;
    for (int32_t i = 0; i < width; i++) v[i] = (float)((double)v[i] / sqrt(squares));
    return true;
}

icseg_status icseg_fail_embedding(const char *what, icseg_error *error) {
    return icseg_fail(error, ICSEG_ERROR_NUMERIC, "the embedding of %s is zero or not finite; the weights are damaged",
                      what);
}

static icseg_status tokenise(const icseg_config *config, const icseg_tokenizer *tokenizer, const char *text,
                             icseg_arena *arena, icseg_tokens *out, icseg_error *error) {
    int32_t max = config->context_length - 2; /* without SOS and EOS */
    ICSEG_TRY(icseg_tokenize(tokenizer, text, arena, out, error));
    if (out->count <= max) return ICSEG_OK;
    return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "\"%.80s%s\" has %d tokens, but the model accepts at most %d", text,
                      strlen(text) > 80 ? "..." : "", out->count, max);
}

/* ------------------------------------------------------------------------------------------------------- the texts */

/* The texts of all classes, word by word: each word in each template. */
typedef struct text_list {
    icseg_arena *arena;
    int32_t words, templates;
    int32_t *owner;       /* (words): the embedding to which a word belongs */
    icseg_tokens *tokens; /* (words, templates) */
} text_list;

typedef struct job {
    icseg_class_texts *out;
    const icseg_config *config;
    const icseg_tokenizer *tokenizer;
    const icseg_class_texts_options *options;
    const icseg_progress *progress;
    icseg_error *error;
    text_list list;
} job;

static const char *const *templates_of(const icseg_class_texts_options *o) {
    static const char *const usual[] = {"a photo of a {}"};
    return o->template_count ? o->templates : usual;
}

/* Adds the index of the class to an error. */
static icseg_status fail_name(size_t index, icseg_status status, icseg_error *error) {
    if (status != ICSEG_ERROR_MEMORY) icseg_fail_prefix(error, "the name of class %zu", index);
    return status;
}

/* Splits the names, and counts words and embeddings. */
static icseg_status list_names(job *j, icseg_synonyms *names) {
    const icseg_class_texts_options *o = j->options;
    icseg_class_texts *out = j->out;
    bool each = o->synonyms == ICSEG_SYNONYMS_EACH;
    size_t words = 0;
    for (size_t k = 0; k < o->class_count; k++) {
        icseg_status status = icseg_synonyms_split(&names[k], o->class_names[k], out->arena, j->error);
        if (status != ICSEG_OK) return fail_name(k, status, j->error);
        if (o->synonyms == ICSEG_SYNONYMS_FIRST) names[k].count = 1;
        out->names[k] = names[k].names[0];
        if (each) out->words[k] = (int32_t)names[k].count;
        words += names[k].count;
        if (words * (size_t)j->list.templates > ICSEG_CLASS_TEXTS_MAX)
            return icseg_fail(j->error, ICSEG_ERROR_ARGUMENT,
                              "class names and templates make more than %d texts; use fewer templates",
                              (int)ICSEG_CLASS_TEXTS_MAX);
    }
    j->list.words = (int32_t)words;
    out->count = each ? (int32_t)words : out->classes;
    return ICSEG_OK;
}

static icseg_status tokenise_word(const job *j, const char *word, icseg_tokens *out) {
    const char *const *templates = templates_of(j->options);
    for (int32_t t = 0; t < j->list.templates; t++) {
        const char *text = icseg_template_fill(j->list.arena, templates[t], word);
        if (!text) return icseg_fail_memory(j->error, 0, "a class's text");
        ICSEG_TRY(tokenise(j->config, j->tokenizer, text, j->list.arena, &out[t], j->error));
    }
    return ICSEG_OK;
}

static icseg_status list_texts(job *j) {
    const icseg_class_texts_options *o = j->options;
    icseg_class_texts *out = j->out;
    text_list *list = &j->list;
    icseg_synonyms *names = icseg_arena_array(list->arena, o->class_count, sizeof *names);
    out->classes = (int32_t)o->class_count;
    out->width = j->config->embed_dim;
    out->names = icseg_arena_array(out->arena, o->class_count, sizeof *out->names);
    if (o->synonyms == ICSEG_SYNONYMS_EACH)
        out->words = icseg_arena_array(out->arena, o->class_count, sizeof *out->words);
    if (!names || !out->names || (o->synonyms == ICSEG_SYNONYMS_EACH && !out->words))
        return icseg_fail_memory(j->error, 0, "class names");
    list->templates = o->template_count ? (int32_t)o->template_count : 1;
    ICSEG_TRY(list_names(j, names));
    list->owner = icseg_arena_array(list->arena, (size_t)list->words, sizeof *list->owner);
    list->tokens = icseg_arena_array(list->arena, (size_t)list->words * (size_t)list->templates, sizeof *list->tokens);
    if (!list->owner || !list->tokens) return icseg_fail_memory(j->error, 0, "class names");
    int32_t word = 0;
    for (size_t k = 0; k < o->class_count; k++)
        for (size_t n = 0; n < names[k].count; n++, word++) {
            icseg_status status =
                tokenise_word(j, names[k].names[n], list->tokens + (size_t)word * (size_t)list->templates);
            if (status != ICSEG_OK) return fail_name(k, status, j->error);
            list->owner[word] = out->words ? word : (int32_t)k;
        }
    return ICSEG_OK;
}

static icseg_status prepare(job *j) {
    icseg_class_texts *out = j->out;
    ICSEG_TRY(icseg_class_texts_check(j->options, j->error));
    ICSEG_TRY(icseg_arena_open(&out->arena, j->error));
    ICSEG_TRY(icseg_arena_open(&j->list.arena, j->error));
    ICSEG_TRY(list_texts(j));
    icseg_warn_misencoded(j->options->class_names, out->classes, j->progress);
    out->embeddings = icseg_calloc_array((size_t)out->count, (size_t)out->width * sizeof *out->embeddings);
    return out->embeddings ? ICSEG_OK : icseg_fail_memory(j->error, 0, "class embeddings");
}

/* Ends both ways: frees the texts and, after a failure, the result. */
static icseg_status finish(job *j, icseg_status status) {
    icseg_arena_close(&j->list.arena);
    if (status != ICSEG_OK) icseg_class_texts_close(j->out);
    return status;
}

void icseg_class_texts_close(icseg_class_texts *texts) {
    if (!texts) return;
    icseg_free(texts->embeddings);
    icseg_arena_close(&texts->arena);
    *texts = (icseg_class_texts){0};
}

/* -------------------------------------------------------------------------------------------------------- encoding */

/* Where embeddings of texts are added up. */
typedef struct sums {
    const job *job;
    float *unit; /* (width) */
} sums;

/* The name of the class to which an embedding belongs. */
static const char *name_of(const icseg_class_texts *texts, int32_t embedding) {
    int32_t k = 0;
    if (!texts->words) return texts->names[embedding];
    for (int32_t left = embedding; left >= texts->words[k]; k++) left -= texts->words[k];
    return texts->names[k];
}

static icseg_status add(void *user, int32_t index, const float *embedding, icseg_error *error) {
    const sums *s = user;
    const job *j = s->job;
    int32_t owner = j->list.owner[index / j->list.templates], width = j->out->width;
    float *sum = j->out->embeddings + (size_t)owner * (size_t)width;
    memcpy(s->unit, embedding, (size_t)width * sizeof *s->unit);
    if (!icseg_unit_length(s->unit, width)) return icseg_fail_embedding(name_of(j->out, owner), error);
    for (int32_t i = 0; i < width; i++) sum[i] += s->unit[i];
    return ICSEG_OK;
}

/* Each embedding is the normalised mean of its texts' normalised embeddings. */
static icseg_status encode(job *j, icseg_clip *clip) {
    icseg_class_texts *out = j->out;
    sums s = {j, icseg_arena_array(j->list.arena, (size_t)out->width, sizeof *s.unit)};
    const icseg_text_sink sink = {add, &s};
    if (!s.unit) return icseg_fail_memory(j->error, 0, "class embeddings");
    ICSEG_TRY(
        icseg_clip_encode_texts(clip, j->list.tokens, j->list.words * j->list.templates, j->progress, &sink, j->error));
    for (int32_t i = 0; i < out->count; i++)
        if (!icseg_unit_length(out->embeddings + (size_t)i * (size_t)out->width, out->width))
            return icseg_fail_embedding(name_of(out, i), j->error);
    return ICSEG_OK;
}

/* ------------------------------------------------------------------------------------------------------- the cache */

static void hash_texts(const text_list *list, icseg_hash *out) {
    size_t count = (size_t)list->words * (size_t)list->templates;
    *out = (icseg_hash){0};
    icseg_hash_add(out, list->owner, (size_t)list->words * sizeof *list->owner);
    for (size_t i = 0; i < count; i++)
        icseg_hash_add(out, list->tokens[i].ids, (size_t)list->tokens[i].count * sizeof *list->tokens[i].ids);
}

static icseg_status describe(const job *j, const icseg_weights *weights, icseg_text_key *out) {
    const icseg_config *c = j->config;
    icseg_hash hash;
    char encoder[ICSEG_HASH_TEXT], texts[ICSEG_HASH_TEXT];
    ICSEG_TRY(icseg_text_cache_hash_weights(&hash, weights, j->error));
    icseg_hash_text(&hash, encoder);
    hash_texts(&j->list, &hash);
    icseg_hash_text(&hash, texts);
    *out = (icseg_text_key){.count = j->out->count, .width = j->out->width};
    snprintf(out->description, sizeof out->description,
             "1: encoder %s, %d x %d, %d heads, %d positions, vocabulary %d, %s; texts %s, %d x %d to %d x %d", encoder,
             c->text_layers, c->text_width, c->text_heads, c->context_length, c->vocab_size,
             icseg_activation_words[c->activation], texts, j->list.words, j->list.templates, out->count, out->width);
    return ICSEG_OK;
}

static icseg_status encode_from(job *j, icseg_weights *weights) {
    icseg_clip clip;
    icseg_weights_report report = {0};
    icseg_status status = icseg_weights_open_clip(&clip, ICSEG_CLIP_TEXT, weights, j->config, &report, j->error);
    if (status == ICSEG_OK) {
        status = encode(j, &clip);
        icseg_clip_close(&clip);
    }
    icseg_weights_report_close(&report);
    return status;
}

static icseg_status encode_cached(job *j, icseg_weights *weights) {
    const char *folder = j->options->cache;
    icseg_class_texts *out = j->out;
    icseg_text_key key;
    ICSEG_TRY(describe(j, weights, &key));
    ICSEG_TRY(icseg_text_cache_read(folder, &key, out->embeddings, &out->cached, j->error));
    if (out->cached) return ICSEG_OK;
    memset(out->embeddings, 0, (size_t)out->count * (size_t)out->width * sizeof *out->embeddings); /* of a bad file */
    ICSEG_TRY(encode_from(j, weights));
    return icseg_text_cache_write(folder, &key, out->embeddings, j->progress, j->error);
}

icseg_status icseg_class_texts_open(icseg_class_texts *out, icseg_weights *weights, const icseg_config *config,
                                    const icseg_tokenizer *tokenizer, const icseg_class_texts_options *options,
                                    const icseg_progress *progress, icseg_error *error) {
    job j = {out, config, tokenizer, options, progress, error, {0}};
    *out = (icseg_class_texts){0};
    icseg_status status = prepare(&j);
    if (status == ICSEG_OK) status = options->cache ? encode_cached(&j, weights) : encode_from(&j, weights);
    return finish(&j, status);
}

/* ----------------------------------------------------------------------------------------------------- plain texts */

/* Where the embeddings of plain texts go. */
typedef struct rows {
    const char *const *texts;
    float *out; /* (count, width) */
    int32_t width;
} rows;

static icseg_status keep(void *user, int32_t index, const float *embedding, icseg_error *error) {
    const rows *r = user;
    float *to = r->out + (size_t)index * (size_t)r->width;
    memcpy(to, embedding, (size_t)r->width * sizeof *to);
    return icseg_unit_length(to, r->width) ? ICSEG_OK : icseg_fail_embedding(r->texts[index], error);
}

static icseg_status embed_in(icseg_arena *arena, icseg_clip *clip, const icseg_tokenizer *tokenizer, const rows *to,
                             size_t count, icseg_error *error) {
    icseg_tokens *tokens = icseg_arena_array(arena, count, sizeof *tokens);
    const icseg_text_sink sink = {keep, (void *)(uintptr_t)to};
    if (!tokens) return icseg_fail_memory(error, count * sizeof *tokens, "texts");
    for (size_t i = 0; i < count; i++) {
        icseg_status status = tokenise(&clip->config, tokenizer, to->texts[i], arena, &tokens[i], error);
        if (status == ICSEG_ERROR_ARGUMENT) icseg_fail_prefix(error, "texts[%zu]", i);
        if (status != ICSEG_OK) return status;
    }
    return icseg_clip_encode_texts(clip, tokens, (int32_t)count, NULL, &sink, error);
}

icseg_status icseg_texts_embed(icseg_clip *clip, const icseg_tokenizer *tokenizer, const char *const *texts,
                               size_t count, float *out, icseg_error *error) {
    icseg_arena *arena;
    ICSEG_TRY(icseg_arena_open(&arena, error));
    icseg_status status = embed_in(arena, clip, tokenizer, &(rows){texts, out, clip->config.embed_dim}, count, error);
    icseg_arena_close(&arena);
    return status;
}
