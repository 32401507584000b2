/* SPDX-License-Identifier: Apache-2.0
 * Converts weights from one file to another: reads, renames, transposes, narrows and writes one tensor at a time. */
#include "model/config.h"
#include "base/json.h"
#include "icseg/weights.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "icseg/file.h"
#include "icseg/memory.h"
#include "base/argument.h"
#include "base/struct_size.h"
#include "base/finite.h"
#include "model/model.h"
#include "weights/internal.h"

static const float default_logit_scale = 4.6051702f; /* ln 100: CLIP's training clips it there */

typedef struct converter {
    const icseg_weights_convert_options *options;
    icseg_weights *weights;
    icseg_config config;
    icseg_weights_report report;
    icseg_safetensors_writer *writer;
    icseg_arena *arena;           /* tokens, and the next */
    icseg_weights_entry *entries; /* to write */
    icseg_dtype *types;           /* (entry_count) of what is written */
    size_t entry_count;
    float *values, *transposed; /* of the largest tensor; NULL when not needed */
    uint16_t *narrowed;
    bool full;            /* a segmentation checkpoint, not CLIP alone */
    icseg_model *model;   /* of a segmentation checkpoint: its names, shapes and metadata; its values are zero */
    icseg_string refused; /* tensors that a narrow type would change too much, as a list */
    size_t written, narrow, left_out, zeroed;
    icseg_error *error;
} converter;

static icseg_dtype requested_type(const converter *c) {
    static const icseg_dtype types[] = {ICSEG_F32, ICSEG_F16, ICSEG_BF16};
    return types[c->options->type];
}

/* -------------------------------------------------------------------------------------------- names and tokens */

/* Tokens that a class name may have: SOS, prompts and EOS take the rest of the context. */
static int32_t name_limit(const converter *c) {
    const icseg_config *g = &c->config;
    int32_t limit = g->context_length - 2 - (g->prompt == ICSEG_PROMPT_TEMPLATE ? 0 : g->prompt_tokens);
    return limit > 1 ? limit : 1;
}

static icseg_status read_token_list(converter *c, json_t *list, const char *name, icseg_tokens *out) {
    size_t count = json_array_size(list), limit = (size_t)name_limit(c);
    if (!count)
        return icseg_fail(c->error, ICSEG_ERROR_ARGUMENT, "tokens of class \"%.60s\": expected a list of ids", name);
    if (count > limit) count = limit;
    int32_t *ids = icseg_arena_array(c->arena, count, sizeof *ids);
    if (!ids) return icseg_fail_memory(c->error, count * sizeof *ids, "tokens");
    for (size_t i = 0; i < count; i++) {
        json_t *id = json_array_get(list, i);
        if (!json_is_integer(id) || json_integer_value(id) < 0 || json_integer_value(id) >= c->config.vocab_size)
            return icseg_fail(c->error, ICSEG_ERROR_ARGUMENT,
                              "tokens of class \"%.60s\": ids must be integers in 0..%d", name,
                              c->config.vocab_size - 1);
        ids[i] = (int32_t)json_integer_value(id);
    }
    *out = (icseg_tokens){(int32_t)count, ids};
    return ICSEG_OK;
}

static icseg_status read_tokens(converter *c, const char *const *names, icseg_tokens *out) {
    json_error_t problem;
    json_t *lists;
    ICSEG_TRY(icseg_json_parse(&lists, c->options->tokens, strlen(c->options->tokens), 0, &problem, c->error));
    int32_t classes = c->config.num_classes;
    icseg_status status = ICSEG_OK;
    if (!lists)
        status = icseg_fail(c->error, ICSEG_ERROR_ARGUMENT, "tokens: not JSON: %s at byte %d", problem.text,
                            problem.position);
    else if (json_array_size(lists) != (size_t)classes)
        status = icseg_fail(c->error, ICSEG_ERROR_ARGUMENT, "tokens: expected a JSON list of %d lists of ids", classes);
    for (int32_t k = 0; k < classes && status == ICSEG_OK; k++)
        status = read_token_list(c, json_array_get(lists, (size_t)k), names[k], &out[k]);
    json_decref(lists);
    return status;
}

/* With CLIP's vocabulary names are cut to the number of tokens that fit the context, as DenseCLIP's tokenizer does. */
static icseg_status make_tokens(converter *c, const char *const *names, icseg_tokens *out) {
    const icseg_config *g = &c->config;
    bool bytes = g->vocab_size == ICSEG_BYTE_VOCAB;
    icseg_tokenizer *tokenizer;
    if (c->options->tokens) return read_tokens(c, names, out);
    ICSEG_TRY(icseg_tokenizer_open_for(&tokenizer, g->vocab_size, c->weights->path, c->options->vocabulary, c->arena,
                                       c->error));
    icseg_status status = ICSEG_OK;
    for (int32_t k = 0; k < g->num_classes && status == ICSEG_OK; k++) {
        status = icseg_tokenize(tokenizer, names[k], c->arena, &out[k], c->error);
        if (!bytes && out[k].count > name_limit(c)) out[k].count = name_limit(c);
    }
    icseg_tokenizer_close(&tokenizer);
    return status;
}

/* `texts` NULL: made from the names. */
static icseg_status build_named(converter *c, const char *const *names, size_t count, const icseg_texts *texts,
                                icseg_model **out) {
    icseg_texts made = {.count = (int32_t)count};
    if (count != (size_t)c->config.num_classes)
        return icseg_fail(c->error, ICSEG_ERROR_ARGUMENT, "%s: the weights have %d %s, but %zu %s given",
                          c->weights->path, c->config.num_classes,
                          icseg_plural(c->config.num_classes, "class", "classes"), count,
                          icseg_plural((int64_t)count, "name was", "names were"));
    if (!texts) {
        icseg_tokens *tokens = icseg_arena_array(c->arena, count, sizeof *tokens);
        if (!tokens) return icseg_fail_memory(c->error, count * sizeof *tokens, "tokens");
        ICSEG_TRY(make_tokens(c, names, tokens));
        made.tokens = tokens;
        texts = &made;
    }
    icseg_status status = icseg_model_build(out, &c->config, names, texts, c->error);
    if (status != ICSEG_OK) icseg_fail_prefix(c->error, "%s", c->weights->path);
    return status;
}

/* Of an icseg checkpoint, with another configuration or other tokens if given. */
static icseg_status build_described(converter *c, icseg_model **out) {
    const icseg_weights_convert_options *o = c->options;
    const icseg_safetensors *file = c->weights->safetensors[0];
    if (!o->config && !o->tokens) return icseg_model_open_metadata(out, file, NULL, c->error);
    icseg_model *own;
    ICSEG_TRY(icseg_model_open_metadata(&own, file, NULL, c->error));
    icseg_status status = build_named(c, icseg_model_class_names(own), (size_t)own->config.num_classes,
                                      o->tokens ? NULL : &own->texts, out);
    if (status == ICSEG_OK && own->eval_known) icseg_model_set_eval(*out, &own->eval);
    if (status == ICSEG_OK) {
        icseg_model_set_images(*out, &own->values, own->trained_side);
        (*out)->val_share = own->val_share;
        status = icseg_model_set_labels(*out, &own->labels, c->error);
    }
    icseg_model_close(&own);
    return status;
}

/* A model of the file's architecture. Its values stay zero: only names, shapes and metadata are used. */
static icseg_status build_model(converter *c, icseg_model **out) {
    const icseg_weights *w = c->weights;
    size_t count = c->options->class_count;
    const char *const *names = c->options->class_names;
    if (!names && icseg_weights_metadata(w, "icpc.config")) return build_described(c, out);
    if (!names) names = icseg_weights_classes(w, &count);
    if (names) return build_named(c, names, count, NULL, out);
    return icseg_fail(c->error, ICSEG_ERROR_ARGUMENT, "%s: the file does not name its %d %s; give the %s", w->path,
                      c->config.num_classes, icseg_plural(c->config.num_classes, "class", "classes"),
                      icseg_plural(c->config.num_classes, "name", "names"));
}

/* ---------------------------------------------------------------------------------------------------- tensors */

/* The entries to write: a segmentation model's tensors in its shapes (a longer table of positions is cut), otherwise
 * CLIP's. */
static icseg_status choose_entries(converter *c, const icseg_model *model) {
    const icseg_weights *w = c->weights;
    c->entries = icseg_arena_array(c->arena, w->entry_count, sizeof *c->entries);
    if (!c->entries) return icseg_fail_memory_in(c->error, w->entry_count * sizeof *c->entries, w->path);
    for (size_t i = 0; i < w->entry_count; i++) {
        const icseg_weights_entry *entry = &w->entries[i];
        const icseg_param *p = model ? icseg_params_find(model->params, entry->name) : NULL;
        if (p)
            c->entries[c->entry_count++] = icseg_weights_cut(entry, p->file_shape);
        else if (!model && icseg_weights_is_clip(entry->name))
            c->entries[c->entry_count++] = *entry;
    }
    c->left_out = w->entry_count - c->entry_count;
    return ICSEG_OK;
}

/* One slice under its new name. */
static icseg_shape alias_shape(icseg_shape shape, const icseg_weights_alias *alias) {
    if (alias->parts > 1) shape.dim[0] /= alias->parts;
    return alias->transpose ? ICSEG_SHAPE(shape.dim[1], shape.dim[0]) : shape;
}

static icseg_status declare_entry(converter *c, const icseg_weights_entry *entry, icseg_dtype type) {
    icseg_weights_alias alias[ICSEG_WEIGHTS_PARTS];
    int count = icseg_weights_aliases(entry->name, c->options->naming, alias);
    c->left_out += count == 0;
    for (int i = 0; i < count; i++) {
        ICSEG_TRY(icseg_safetensors_writer_declare(c->writer, alias[i].name, type, alias_shape(entry->shape, &alias[i]),
                                                   c->error));
        c->written++;
        c->narrow += type != ICSEG_F32;
    }
    return ICSEG_OK;
}

/* Space for the largest tensor, allocated up front: a growing buffer would leave holes in the heap. */
static icseg_status reserve(converter *c) {
    size_t count = 1;
    for (size_t i = 0; i < c->entry_count; i++) {
        size_t elements = (size_t)icseg_shape_count(c->entries[i].shape);
        if (elements > count) count = elements;
    }
    bool transposing = c->options->naming == ICSEG_NAMING_HUGGINGFACE,
         narrowing = c->options->type != ICSEG_WEIGHTS_F32;
    c->values = icseg_alloc_array(count, sizeof *c->values);
    c->transposed = transposing ? icseg_alloc_array(count, sizeof *c->transposed) : NULL;
    c->narrowed = narrowing ? icseg_alloc_array(count, sizeof *c->narrowed) : NULL;
    if (c->values && (c->transposed || !transposing) && (c->narrowed || !narrowing)) return ICSEG_OK;
    return icseg_fail_memory(c->error, count * 10, "a tensor");
}

static void narrow(const converter *c, const float *from, size_t count) {
    if (requested_type(c) == ICSEG_BF16)
        icseg_bf16_from_f32(c->narrowed, from, count);
    else
        icseg_f16_from_f32(c->narrowed, from, count);
}

/* Whether f16 changes c->values, relative to their norm, by no more than the half unit in the last place by which it
 * rounds normal numbers. Numbers beyond 65504 become infinite, and numbers below 2^-14 lose digits. */
static bool survives_f16(converter *c, size_t count) {
    enum { BLOCK = 1024 };
    float rounded[BLOCK];
    double error = 0, norm = 0;
    size_t zeroed = 0;
    narrow(c, c->values, count);
    for (size_t i = 0; i < count; i++) {
        if (i % BLOCK == 0)
            icseg_f32_from(rounded, c->narrowed + i, ICSEG_F16, count - i < BLOCK ? count - i : (size_t)BLOCK);
        double value = (double)c->values[i], difference = value - (double)rounded[i % BLOCK];
        if (!isfinite(value)) continue;
        error += difference * difference;
        norm += value * value;
        zeroed += value != 0 && rounded[i % BLOCK] == 0;
    }
    if (error > norm * 0x1p-22) return false;
    c->zeroed += zeroed;
    return true;
}

/* Vectors stay f32: they are small, and norms and biases need their digits. */
static icseg_status choose_type(converter *c, const icseg_weights_entry *entry, icseg_dtype *type) {
    *type = entry->shape.rank < 2 ? ICSEG_F32 : requested_type(c);
    if (*type != ICSEG_F16) return ICSEG_OK;
    ICSEG_TRY(icseg_weights_read(entry, c->values, c->error));
    if (survives_f16(c, (size_t)icseg_shape_count(entry->shape))) return ICSEG_OK;
    *type = ICSEG_F32;
    icseg_string_printf(&c->refused, "%s%s", c->refused.size ? ", " : "", entry->name);
    return ICSEG_OK;
}

static icseg_status choose_types(converter *c) {
    c->types = icseg_arena_array(c->arena, c->entry_count, sizeof *c->types);
    if (!c->types) return icseg_fail_memory(c->error, c->entry_count * sizeof *c->types, "the types of tensors");
    for (size_t i = 0; i < c->entry_count; i++) ICSEG_TRY(choose_type(c, &c->entries[i], &c->types[i]));
    return ICSEG_OK;
}

static icseg_status append_alias(converter *c, const icseg_weights_entry *entry, icseg_dtype type,
                                 const icseg_weights_alias *alias) {
    icseg_shape shape = alias_shape(entry->shape, alias);
    size_t count = (size_t)icseg_shape_count(shape);
    const float *from = c->values + (size_t)alias->part * count;
    if (alias->transpose) {
        int64_t rows = shape.dim[1], columns = shape.dim[0]; /* of the tensor to transpose */
        for (int64_t i = 0; i < rows; i++)
            for (int64_t j = 0; j < columns; j++) c->transposed[j * rows + i] = from[i * columns + j];
        from = c->transposed;
    }
    const void *data = from;
    if (type != ICSEG_F32) {
        narrow(c, from, count);
        data = c->narrowed;
    }
    return icseg_safetensors_writer_append(c->writer, alias->name, data, count * icseg_dtype_size(type), c->error);
}

static icseg_status append_entry(converter *c, const icseg_weights_entry *entry, icseg_dtype type) {
    icseg_weights_alias alias[ICSEG_WEIGHTS_PARTS];
    int count = icseg_weights_aliases(entry->name, c->options->naming, alias);
    if (!count) return ICSEG_OK;
    ICSEG_TRY(icseg_weights_read(entry, c->values, c->error));
    int64_t bad = icseg_count_not_finite(c->values, icseg_shape_count(entry->shape));
    if (bad)
        ICSEG_TRY(icseg_weights_report_add(
            &c->report, (icseg_weights_finding){.kind = ICSEG_WEIGHTS_NOT_FINITE, .name = entry->name, .count = bad},
            c->error));
    for (int i = 0; i < count; i++) ICSEG_TRY(append_alias(c, entry, type, &alias[i]));
    return ICSEG_OK;
}

/* CLIP in PyTorch has a logit scale, which segmentation does not use. */
static icseg_status append_logit_scale(converter *c) {
    const icseg_weights_entry entry = {.name = "logit_scale"}; /* a scalar */
    icseg_weights_alias alias[ICSEG_WEIGHTS_PARTS];
    c->values[0] = default_logit_scale;
    c->written++;
    icseg_weights_aliases(entry.name, ICSEG_NAMING_OPENAI, alias);
    return append_alias(c, &entry, ICSEG_F32, &alias[0]);
}

static icseg_status write_tensors(converter *c) {
    bool scale = c->options->naming != ICSEG_NAMING_ICSEG && !icseg_weights_find(c->weights, "logit_scale");
    ICSEG_TRY(reserve(c));
    ICSEG_TRY(choose_types(c));
    for (size_t i = 0; i < c->entry_count; i++) ICSEG_TRY(declare_entry(c, &c->entries[i], c->types[i]));
    if (scale)
        ICSEG_TRY(
            icseg_safetensors_writer_declare(c->writer, "logit_scale", ICSEG_F32, (icseg_shape){.rank = 0}, c->error));
    if (c->model) ICSEG_TRY(icseg_model_declare_means(c->model, c->writer, c->error));
    ICSEG_TRY(icseg_safetensors_writer_begin(c->writer, c->error));
    for (size_t i = 0; i < c->entry_count; i++) ICSEG_TRY(append_entry(c, &c->entries[i], c->types[i]));
    if (c->model) ICSEG_TRY(icseg_model_append_means(c->model, c->writer, c->error));
    return scale ? append_logit_scale(c) : ICSEG_OK;
}

/* ---------------------------------------------------------------------------------------------------- the whole */

/* Checks completeness before anything is written. */
static icseg_status check_source(converter *c) {
    const icseg_weights *w = c->weights;
    if (!c->full) {
        ICSEG_TRY(icseg_weights_write_clip(&c->config, c->weights->facts.activation_known, c->writer, c->error));
        ICSEG_TRY(icseg_weights_check_clip(w, &c->config, &c->report, c->error));
        ICSEG_TRY(icseg_weights_report_check(&c->report, w->path, c->error));
        return choose_entries(c, NULL);
    }
    ICSEG_TRY(build_model(c, &c->model));
    ICSEG_TRY(icseg_weights_compare(w, c->model, &c->report, c->error));
    ICSEG_TRY(icseg_weights_report_check(&c->report, w->path, c->error));
    if (c->options->type != ICSEG_WEIGHTS_F32) /* labels were compared with those of other weights */
        memset(c->model->agreements, 0, sizeof c->model->agreements);
    ICSEG_TRY(icseg_model_write_metadata(c->model, c->writer, c->error));
    return choose_entries(c, c->model);
}

static icseg_status infer(converter *c) {
    c->config = icseg_config_default();
    ICSEG_TRY(icseg_weights_infer(c->weights, &c->config, c->error));
    c->full = icseg_weights_has_decoder(c->weights) && c->options->naming == ICSEG_NAMING_ICSEG;
    ICSEG_TRY(icseg_weights_override(c->weights, &c->config, c->options->config, c->error));
    if (c->options->naming == ICSEG_NAMING_HUGGINGFACE && c->config.backbone != ICSEG_BACKBONE_VIT)
        return icseg_fail(c->error, ICSEG_ERROR_UNSUPPORTED,
                          "%s: Hugging Face has no names for CLIP's ResNets; use OpenAI's naming", c->weights->path);
    return ICSEG_OK;
}

/* "375 tensors in F32", or "140 tensors in F16 and 235 in F32". */
static void summarise_types(const converter *c, icseg_string *s) {
    size_t count = c->narrow ? c->narrow : c->written;
    icseg_string_printf(s, "%zu %s in %s", count, icseg_plural((int64_t)count, "tensor", "tensors"),
                        icseg_dtype_name(c->narrow ? requested_type(c) : ICSEG_F32));
    if (c->narrow) icseg_string_printf(s, " and %zu in F32", c->written - c->narrow);
}

/* What F16 would do to some values. */
static void summarise_losses(const converter *c, icseg_string *s) {
    if (c->refused.size)
        icseg_string_printf(s, "in F32, because many values are too large or too small for F16: %s\n", c->refused.data);
    if (c->zeroed)
        icseg_string_printf(s, "set to 0, because F16 cannot hold numbers below 3e-8: %zu %s\n", c->zeroed,
                            icseg_plural((int64_t)c->zeroed, "value", "values"));
}

static icseg_status summarise(converter *c, const char *out, char **summary) {
    static const char *const namings[] = {"icseg", "OpenAI", "Hugging Face"};
    icseg_string s = {0};
    icseg_string_printf(&s, "%s: %s, %s names: ", c->weights->path, c->weights->container, c->weights->naming);
    icseg_weights_describe(&c->config, &s);
    if (c->full)
        icseg_string_printf(&s, ", %d %s", c->config.num_classes,
                            icseg_plural(c->config.num_classes, "class", "classes"));
    icseg_string_printf(&s, "\n%s: %s, ", out,
                        c->full ? "segmentation checkpoint"
                                : "CLIP weights (to start training from; without a decoder)");
    summarise_types(c, &s);
    icseg_string_printf(&s, ", %s names\n", namings[c->options->naming]);
    summarise_losses(c, &s);
    if (c->left_out && !c->full)
        icseg_string_printf(&s, "left out, not CLIP's: %zu %s\n", c->left_out,
                            icseg_plural((int64_t)c->left_out, "tensor", "tensors"));
    if (c->report.activation_assumed) {
        char text[ICSEG_WEIGHTS_ASSUMPTION];
        icseg_weights_describe_assumption(&c->report, text, sizeof text);
        icseg_string_printf(&s, "%s\n", text);
    }
    icseg_weights_report_text(&c->report, 8, &s);
    if (s.failed || c->refused.failed) {
        icseg_string_close(&s);
        return icseg_fail_memory(c->error, 4096, "the summary");
    }
    *summary = s.data;
    return ICSEG_OK;
}

static icseg_status convert(converter *c, const char *source, const char *out, char **summary) {
    ICSEG_TRY(icseg_arena_open(&c->arena, c->error));
    ICSEG_TRY(icseg_weights_open_set(&c->weights, source, c->options->state_dict, c->error));
    ICSEG_TRY(infer(c));
    ICSEG_TRY(icseg_safetensors_writer_open(&c->writer, out, c->error));
    ICSEG_TRY(check_source(c));
    ICSEG_TRY(write_tensors(c));
    ICSEG_TRY(icseg_safetensors_writer_commit(c->writer, c->error));
    return summary ? summarise(c, out, summary) : ICSEG_OK;
}

static icseg_status check_options(const icseg_weights_convert_options *o, icseg_error *error) {
    if ((int)o->type < 0 || o->type > ICSEG_WEIGHTS_BF16)
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "type", ICSEG_REMEDY_SET_FIELD,
                                "type is %d: not a value of icseg_weights_type", (int)o->type);
    if ((int)o->naming < 0 || o->naming > ICSEG_NAMING_HUGGINGFACE)
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "naming", ICSEG_REMEDY_SET_FIELD,
                                "naming is %d: not a value of icseg_naming", (int)o->naming);
    for (size_t k = 0; o->class_names && k < o->class_count; k++)
        if (!o->class_names[k])
            return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "class_names", ICSEG_REMEDY_SET_FIELD,
                                    "the name of class %zu is NULL", k);
    return ICSEG_OK;
}

icseg_status icseg_weights_convert(const char *source, const char *out, const icseg_weights_convert_options *options,
                                   char **summary, icseg_error *error) {
    enum { FIRST_SIZE = offsetof(icseg_weights_convert_options, state_dict) };
    icseg_weights_convert_options o;
    converter c = {.options = &o, .error = error};
    if (summary) *summary = NULL;
    ICSEG_NEED(source);
    ICSEG_NEED(out);
    ICSEG_TRY(icseg_struct_read(&o, sizeof o, options, FIRST_SIZE, "icseg_weights_convert_options", error));
    ICSEG_TRY(check_options(&o, error));
    ICSEG_TRY(icseg_file_check_writable(out, error));
    icseg_status status = convert(&c, source, out, summary);
    icseg_safetensors_writer_close(&c.writer);
    icseg_weights_report_close(&c.report);
    icseg_weights_close(&c.weights);
    icseg_model_close(&c.model);
    icseg_string_close(&c.refused);
    icseg_arena_close(&c.arena);
    icseg_free(c.values);
    icseg_free(c.transposed);
    icseg_free(c.narrowed);
    return status;
}
