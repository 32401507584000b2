/* SPDX-License-Identifier: Apache-2.0
 * Namings: maps the tensor names of other projects to ours, and back. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weights/internal.h"
#include "weights/sets.h"

/* '#' matches a number and a final '*' any suffix; both are carried over. The first rule that matches applies. */
typedef struct rule {
    const char *theirs, *ours;
    int part, parts;           /* index and number of parts joined along the first axis; 0, 0: the whole */
    bool transpose, drop_axis; /* (a, b) -> (b, a); (1, a, b) -> (a, b) */
} rule;

#define HF_LAYERS(THEIRS, OURS)                                                                                        \
    {THEIRS ".self_attn.q_proj.weight", OURS ".attn.in_proj_weight", 0, 3, false, false},                              \
        {THEIRS ".self_attn.k_proj.weight", OURS ".attn.in_proj_weight", 1, 3, false, false},                          \
        {THEIRS ".self_attn.v_proj.weight", OURS ".attn.in_proj_weight", 2, 3, false, false},                          \
        {THEIRS ".self_attn.q_proj.bias", OURS ".attn.in_proj_bias", 0, 3, false, false},                              \
        {THEIRS ".self_attn.k_proj.bias", OURS ".attn.in_proj_bias", 1, 3, false, false},                              \
        {THEIRS ".self_attn.v_proj.bias", OURS ".attn.in_proj_bias", 2, 3, false, false},                              \
        {THEIRS ".self_attn.out_proj.*", OURS ".attn.out_proj.*", 0, 0, false, false},                                 \
        {THEIRS ".layer_norm1.*", OURS ".ln_1.*", 0, 0, false, false},                                                 \
        {THEIRS ".layer_norm2.*", OURS ".ln_2.*", 0, 0, false, false},                                                 \
        {THEIRS ".mlp.fc1.*", OURS ".mlp.c_fc.*", 0, 0, false, false}, {                                               \
        THEIRS ".mlp.fc2.*", OURS ".mlp.c_proj.*", 0, 0, false, false                                                  \
    }

static const rule huggingface[] = {
    {"vision_model.embeddings.class_embedding", "visual.class_embedding", 0, 0, false, false},
    {"vision_model.embeddings.patch_embedding.weight", "visual.conv1.weight", 0, 0, false, false},
    {"vision_model.embeddings.position_embedding.weight", "visual.positional_embedding", 0, 0, false, false},
    {"vision_model.pre_layrnorm.*", "visual.ln_pre.*", 0, 0, false, false}, /* their spelling */
    {"vision_model.post_layernorm.*", "visual.ln_post.*", 0, 0, false, false},
    {"visual_projection.weight", "visual.proj", 0, 0, true, false},
    HF_LAYERS("vision_model.encoder.layers.#", "visual.transformer.resblocks.#"),
    {"text_model.embeddings.token_embedding.weight", "token_embedding.weight", 0, 0, false, false},
    {"text_model.embeddings.position_embedding.weight", "positional_embedding", 0, 0, false, false},
    {"text_model.final_layer_norm.*", "ln_final.*", 0, 0, false, false},
    {"text_projection.weight", "text_projection", 0, 0, true, false},
    HF_LAYERS("text_model.encoder.layers.#", "transformer.resblocks.#"),
    {"logit_scale", "logit_scale", 0, 0, false, false},
    {NULL, NULL, 0, 0, false, false},
};

static const rule denseclip[] = {
    {"backbone.*", "visual.*", 0, 0, false, false},          {"text_encoder.*", "*", 0, 0, false, false},
    {"contexts", "prompt.context", 0, 0, false, true},       {"gamma", "post.gamma", 0, 0, false, false},
    {"context_decoder.*", "post.*", 0, 0, false, false},     {"neck.*", "decoder.neck.*", 0, 0, false, false},
    {"decode_head.*", "decoder.head.*", 0, 0, false, false}, {NULL, NULL, 0, 0, false, false},
};

static const rule openai[] = {
    {"text.text_projection.weight", "text_projection", 0, 0, true, false}, /* open_clip's separate text tower */
    {"text.*", "*", 0, 0, false, false},
    {"*", "*", 0, 0, false, false},
    {NULL, NULL, 0, 0, false, false},
};

/* ------------------------------------------------------------------------------------------------------- matching */

/* Whether `name` has the form of `pattern`; `number` and `rest` point into name. */
static bool matches(const char *pattern, const char *name, const char **number, const char **rest) {
    *number = *rest = "";
    for (; *pattern; pattern++) {
        if (*pattern == '*') {
            *rest = name;
            return true;
        }
        if (*pattern == '#') {
            *number = name;
            if (!isdigit((unsigned char)*name)) return false;
            while (isdigit((unsigned char)*name)) name++;
        } else if (*pattern != *name++)
            return false;
    }
    return *name == '\0';
}

/* The other side of a rule with number and suffix filled in; false if it is too long. */
static bool expand(const char *pattern, const char *number, const char *rest, char *out, size_t size) {
    size_t used = 0;
    for (; *pattern && used + 1 < size; pattern++) {
        if (*pattern == '#')
            while (isdigit((unsigned char)*number) && used + 1 < size) out[used++] = *number++;
        else if (*pattern == '*')
            while (*rest && used + 1 < size) out[used++] = *rest++;
        else
            out[used++] = *pattern;
    }
    out[used] = '\0';
    return *pattern == '\0' && used + 1 < size;
}

static bool starts(const char *name, const char *prefix) { return !strncmp(name, prefix, strlen(prefix)); }

static bool is_one_of(const char *name, const char *const *list) {
    for (; *list; list++)
        if (!strcmp(name, *list)) return true;
    return false;
}

bool icseg_weights_is_text(const char *name) {
    static const char *const single[] = {"positional_embedding", "text_projection", "token_embedding.weight",
                                         "ln_final.weight",      "ln_final.bias",   NULL};
    return starts(name, "transformer.") || is_one_of(name, single);
}

bool icseg_weights_is_clip(const char *name) {
    if (starts(name, "visual.")) return !starts(name, "visual.fpn");
    return icseg_weights_is_text(name) || !strcmp(name, "logit_scale");
}

/* A tensor that every checkpoint of this kind has and no model needs. */
static bool is_idle(const char *name) {
    static const char *const idle[] = {"input_resolution", "context_length", "vocab_size",
                                       "attn_mask",        "n_averaged",     NULL};
    static const char *const ends[] = {"num_batches_tracked", "position_ids", NULL};
    const char *dot = strrchr(name, '.');
    return starts(name, ICSEG_OPTIMISER_PREFIX) || is_one_of(name, idle) || is_one_of(dot ? dot + 1 : name, ends) ||
           !strcmp(dot ? dot + 1 : name, "attn_mask");
}

static bool is_known(const char *ours) {
    static const char *const ends[] = {"prompt.", "post.", "align.", "decoder.", NULL};
    for (int i = 0; ends[i]; i++)
        if (starts(ours, ends[i])) return true;
    return icseg_weights_is_clip(ours) || starts(ours, "visual.fpn");
}

/* ---------------------------------------------------------------------------------------------------- recognising */

/* Wrappers prefix all names with an attribute's name: "module." (data parallel), "_orig_mod." (torch.compile). */
static void strip_wrappers(icseg_weights *w) {
    static const char *const prefixes[] = {"module.", "model.", "clip.", "clip_model.", "base_model.", "_orig_mod."};
    for (size_t p = 0; p < sizeof prefixes / sizeof *prefixes;) {
        bool all = true, wrapped = false;
        for (size_t i = 0; i < w->tensor_count && all; i++) {
            wrapped |= starts(w->tensors[i].name, prefixes[p]);
            all = starts(w->tensors[i].name, prefixes[p]) || is_idle(w->tensors[i].name);
        }
        all &= wrapped;
        for (size_t i = 0; i < w->tensor_count && all; i++)
            if (starts(w->tensors[i].name, prefixes[p])) w->tensors[i].name += strlen(prefixes[p]);
        if (all && w->prefix[0]) w->prefix += strlen(prefixes[p]);
        p = all ? 0 : p + 1; /* there may be another prefix behind it */
    }
}

/* A fixture of `icseg parity` has its model below "weights.", beside other tensors. */
static void select_model(icseg_weights *w) {
    static const char prefix[] = "weights.";
    size_t count = 0;
    for (size_t i = 0; i < w->tensor_count; i++) {
        if (!starts(w->tensors[i].name, prefix)) continue;
        w->tensors[count] = w->tensors[i];
        w->tensors[count++].name += sizeof prefix - 1;
    }
    if (count) w->tensor_count = count;
}

/* Adds the sets of weights that the names show, and stores the prefix of the chosen one in w->prefix. If the reader of
 * the container has already stored a prefix, it stays. */
static icseg_status choose_set(icseg_weights *w, icseg_weights_sets *sets, icseg_error *error) {
    const icseg_weights_set *chosen;
    bool clip = false;
    for (size_t i = 0; i < w->tensor_count; i++) {
        const char *name = w->tensors[i].name;
        size_t length = strlen(name), size = icseg_weights_prefix(name, length);
        icseg_weights_set set = {.path = "", .prefix = name, .state = w, .clip = true};
        clip = clip || icseg_weights_looks_like_clip(name, length);
        if (size != SIZE_MAX) ICSEG_TRY(icseg_weights_sets_add(sets, set, size, error));
    }
    if (!sets->count)
        ICSEG_TRY(icseg_weights_sets_add(sets, (icseg_weights_set){.path = "", .prefix = "", .state = w, .clip = clip},
                                         0, error));
    if (w->prefix) return ICSEG_OK;
    char message[ICSEG_WEIGHTS_SETS];
    ICSEG_TRY(icseg_weights_sets_choose(sets, w->set_found ? NULL : w->set, &chosen, message, sizeof message, error));
    if (!w->sets[0]) memcpy(w->sets, message, sizeof message);
    w->prefix = chosen->prefix;
    return ICSEG_OK;
}

/* Removes a prefix that only some names have, because the file also contains a loss or an averaged model. The names of
 * another set's tensors are unknown to the model, or are made so. */
static void strip_prefix(icseg_weights *w, const icseg_weights_sets *sets, size_t stripped) {
    size_t length = strlen(w->prefix), count = 0;
    bool bare = false; /* another set has no prefix, or none is left of it */
    for (size_t i = 0; i < sets->count; i++) bare = bare || strlen(sets->list[i].prefix) <= stripped;
    for (size_t i = 0; i < w->tensor_count && length; i++) {
        icseg_weights_tensor *t = &w->tensors[i];
        bool own = !strncmp(t->name, w->prefix, length) && t->name[length];
        if (!own && bare) {
            w->foreign[w->foreign_count++] = t->name;
            continue;
        }
        if (own) t->name += length;
        w->tensors[count++] = *t;
    }
    if (length) w->tensor_count = count;
}

static bool any_starts(const icseg_weights *w, const char *prefix) {
    for (size_t i = 0; i < w->tensor_count; i++)
        if (starts(w->tensors[i].name, prefix)) return true;
    return false;
}

/* The kind of model, if it is known and not CLIP: "a SigLIP model"; else NULL. */
static const char *other_model(const icseg_weights *w) {
    static const struct {
        const char *prefix, *model; /* the first that occurs */
    } known[] = {
        {"logit_bias", "a SigLIP model"},
        {"visual_encoder.", "a BLIP model"},
        {"text_decoder.", "a CoCa model"},
        {"visual.attn_pool.", "a CoCa model"},
        {"image_encoder.model.", "a MobileCLIP model"},
        {"visual.trunk.", "a CLIP whose image encoder is timm's (visual.trunk)"},
        {"visual.blocks.", "an EVA-CLIP model"},
        {"text.transformer.embeddings.", "a CLIP whose text encoder is Hugging Face's (text.transformer.embeddings)"},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (any_starts(w, known[i].prefix)) return known[i].model;
    bool image = any_starts(w, "visual.") || any_starts(w, "vision_model.") || any_starts(w, "backbone.");
    bool text = any_starts(w, "token_embedding.") || any_starts(w, "text.") || any_starts(w, "text_model.") ||
                any_starts(w, "text_encoder.");
    return image && text ? NULL : image ? "an image encoder alone" : text ? "a text encoder alone" : NULL;
}

icseg_status icseg_weights_refuse_foreign(const icseg_weights *w, icseg_error *error) {
    const char *model = other_model(w);
    if (!model) return ICSEG_OK;
    return icseg_fail(
        error, ICSEG_ERROR_UNSUPPORTED,
        "%s: this is %s; icseg reads both encoders of OpenAI's CLIP, and of models of LAION, DataComp, MetaCLIP "
        "and others with the same architecture",
        w->path, model);
}

static const rule *recognise(icseg_weights *w) {
    if (any_starts(w, "vision_model.") || any_starts(w, "text_model.")) {
        w->naming = "Hugging Face";
        return huggingface;
    }
    if (any_starts(w, "backbone.") && (any_starts(w, "text_encoder.") || any_starts(w, "decode_head."))) {
        w->naming = "DenseCLIP";
        return denseclip;
    }
    w->naming = any_starts(w, "decoder.") ? "icseg" : any_starts(w, "text.") ? "open_clip" : "OpenAI";
    return openai;
}

/* --------------------------------------------------------------------------------------------------------- entries */

typedef struct piece {
    const char *ours;
    const rule *rule;
    icseg_weights_tensor tensor;
} piece;

static int compare_pieces(const void *a, const void *b) {
    const piece *x = a, *y = b;
    int order = strcmp(x->ours, y->ours);
    return order ? order : (x->rule->part > y->rule->part) - (x->rule->part < y->rule->part);
}

/* Transposes or drops an axis; both only change shape and strides. */
static icseg_status apply_axes(icseg_weights *w, piece *p, icseg_error *error) {
    icseg_shape *s = &p->tensor.shape;
    int64_t *stride = p->tensor.stride;
    if ((p->rule->transpose && s->rank != 2) || (p->rule->drop_axis && (s->rank != 3 || s->dim[0] != 1))) {
        char text[ICSEG_SHAPE_TEXT];
        return icseg_fail(error, ICSEG_ERROR_SHAPE, "%s: tensor %.200s has shape %s; expected %s", w->path,
                          p->tensor.name, icseg_shape_text(*s, text, sizeof text),
                          p->rule->transpose ? "a matrix" : "(1, tokens, width)");
    }
    if (p->rule->transpose) {
        *s = ICSEG_SHAPE(s->dim[1], s->dim[0]);
        int64_t first = stride[0];
        stride[0] = stride[1];
        stride[1] = first;
    }
    if (p->rule->drop_axis) {
        *s = ICSEG_SHAPE(s->dim[1], s->dim[2]);
        stride[0] = stride[1];
        stride[1] = stride[2];
    }
    return ICSEG_OK;
}

/* `pieces` map to one of our names and are in order of their parts. */
static icseg_status join(icseg_weights *w, const piece *pieces, size_t count, icseg_weights_entry *out,
                         icseg_error *error) {
    int parts = pieces->rule->parts ? pieces->rule->parts : 1;
    *out = (icseg_weights_entry){.name = pieces->ours, .shape = pieces->tensor.shape, .parts = parts};
    for (size_t i = 0; i < count && i < (size_t)parts; i++) {
        const icseg_weights_tensor *t = &pieces[i].tensor;
        icseg_shape rest = t->shape, first = pieces->tensor.shape;
        if (pieces[i].rule->part != (int)i) break;
        rest.dim[0] = first.dim[0] = 0; /* joined along this axis */
        if (parts > 1 && (rest.rank < 1 || !icseg_shape_equal(rest, first)))
            return icseg_fail(error, ICSEG_ERROR_SHAPE,
                              "%s: %.200s and %.200s do not fit together: their shapes differ past the first axis",
                              w->path, pieces->tensor.name, t->name);
        if (i && __builtin_add_overflow(out->shape.dim[0], t->shape.dim[0], &out->shape.dim[0]))
            return icseg_fail(error, ICSEG_ERROR_SHAPE, "%s: %.200s is too large", w->path, t->name);
        out->part[i] = *t;
    }
    if (count == (size_t)parts && out->part[parts - 1].name) return ICSEG_OK;
    return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: %s is joined from %d tensors of the file, but %zu were found",
                      w->path, pieces->ours, parts, count);
}

/* DenseCLIP adds the class embedding to the embedding and again to its position: here position 0 gets the second. */
static icseg_status add_class_embedding(icseg_weights *w, icseg_error *error) {
    icseg_weights_entry *positions = (icseg_weights_entry *)icseg_weights_find(w, "visual.positional_embedding");
    const icseg_weights_entry *class = icseg_weights_find(w, "visual.class_embedding");
    if (!positions || !class || positions->shape.rank != 2 || positions->shape.dim[0] < 1 ||
        !icseg_shape_equal(class->shape, ICSEG_SHAPE(positions->shape.dim[1])))
        return ICSEG_OK;
    /* a copy that lives as long as the weights */
    positions->first_row = icseg_arena_copy(w->arena, &class->part[0], sizeof class->part[0]);
    return positions->first_row ? ICSEG_OK : icseg_fail_memory_in(error, 0, w->path);
}

static icseg_status make_pieces(icseg_weights *w, const rule *rules, piece *pieces, size_t *count, icseg_error *error) {
    for (size_t i = 0; i < w->tensor_count; i++) {
        char ours[ICSEG_WEIGHTS_NAME + 100] = "";
        const char *number, *rest;
        const rule *r = rules;
        while (r->theirs && !matches(r->theirs, w->tensors[i].name, &number, &rest)) r++;
        if (is_idle(w->tensors[i].name)) continue;
        if (!r->theirs || !expand(r->ours, number, rest, ours, sizeof ours) || !is_known(ours)) {
            w->foreign[w->foreign_count++] = w->tensors[i].name;
            continue;
        }
        piece *p = &pieces[(*count)++];
        *p = (piece){icseg_arena_strdup(w->arena, ours), r, w->tensors[i]};
        if (!p->ours) return icseg_fail_memory_in(error, 0, w->path);
        ICSEG_TRY(apply_axes(w, p, error));
    }
    return ICSEG_OK;
}

static icseg_status make_entries(icseg_weights *w, piece *pieces, size_t count, icseg_error *error) {
    if (count) qsort(pieces, count, sizeof *pieces, compare_pieces);
    for (size_t i = 0, next; i < count; i = next) {
        for (next = i + 1; next < count && !strcmp(pieces[next].ours, pieces[i].ours);) next++;
        if (next - i > 1 && pieces[i].rule->parts == 0)
            return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: %.200s and %.200s are both %s", w->path,
                              pieces[i].tensor.name, pieces[i + 1].tensor.name, pieces[i].ours);
        ICSEG_TRY(join(w, pieces + i, next - i, &w->entries[w->entry_count++], error));
    }
    return ICSEG_OK;
}

icseg_status icseg_weights_apply_names(icseg_weights *w, icseg_error *error) {
    icseg_weights_sets sets = {.arena = w->arena, .file = w->path};
    select_model(w);
    w->foreign = icseg_arena_array(w->arena, w->tensor_count, sizeof *w->foreign);
    w->entries = icseg_arena_array(w->arena, w->tensor_count, sizeof *w->entries);
    if (!w->foreign || !w->entries) return icseg_fail_memory_in(error, w->tensor_count * sizeof *w->entries, w->path);
    ICSEG_TRY(choose_set(w, &sets, error));
    const char *prefix = w->prefix;
    strip_wrappers(w);
    strip_prefix(w, &sets, (size_t)(w->prefix - prefix));
    const rule *rules = recognise(w);
    size_t count = 0;
    piece *pieces = icseg_calloc_array(w->tensor_count, sizeof *pieces);
    icseg_status status = pieces ? make_pieces(w, rules, pieces, &count, error)
                                 : icseg_fail_memory_in(error, w->tensor_count * sizeof *pieces, w->path);
    if (status == ICSEG_OK) status = make_entries(w, pieces, count, error);
    icseg_free(pieces);
    if (status != ICSEG_OK) return status;
    if (rules == denseclip) ICSEG_TRY(add_class_embedding(w, error));
    if (w->entry_count) return ICSEG_OK;
    ICSEG_TRY(icseg_weights_refuse_foreign(w, error));
    return icseg_fail(error, ICSEG_ERROR_FORMAT,
                      "%s: not CLIP weights: none of its %zu %s (%.100s, ...) has a name that OpenAI, open_clip, "
                      "Hugging Face or DenseCLIP use",
                      w->path, w->tensor_count, icseg_plural((int64_t)w->tensor_count, "tensor", "tensors"),
                      w->tensors[0].name);
}

/* --------------------------------------------------------------------------------------------------------- writing */

int icseg_weights_aliases(const char *name, icseg_naming naming, icseg_weights_alias out[ICSEG_WEIGHTS_PARTS]) {
    if (naming != ICSEG_NAMING_HUGGINGFACE) {
        if (naming == ICSEG_NAMING_OPENAI && !icseg_weights_is_clip(name)) return 0;
        out[0] = (icseg_weights_alias){.parts = 1};
        snprintf(out[0].name, sizeof out[0].name, "%s", name);
        return 1;
    }
    int count = 0;
    for (const rule *r = huggingface; r->theirs && count < ICSEG_WEIGHTS_PARTS; r++) {
        const char *number, *rest;
        icseg_weights_alias *a = &out[count];
        if (!matches(r->ours, name, &number, &rest) || !expand(r->theirs, number, rest, a->name, sizeof a->name))
            continue;
        a->part = r->part;
        a->parts = r->parts ? r->parts : 1;
        a->transpose = r->transpose;
        count++;
    }
    return count;
}
