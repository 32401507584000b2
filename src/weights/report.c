/* SPDX-License-Identifier: Apache-2.0
 * The report of a load: collects the tensors that did not match and describes them. */
#include <stdio.h>
#include <string.h>

#include "model/config.h"
#include "weights/internal.h"

icseg_status icseg_weights_report_add(icseg_weights_report *r, icseg_weights_finding finding, icseg_error *error) {
    if (!r->arena) ICSEG_TRY(icseg_arena_open(&r->arena, error));
    if (r->count == r->capacity) {
        size_t capacity = r->capacity * 2 + 32;
        icseg_weights_finding *grown = icseg_realloc_array(r->findings, r->count, capacity, sizeof *grown);
        if (!grown) return icseg_fail_memory(error, capacity * sizeof *grown, "the report of a load");
        r->findings = grown;
        r->capacity = capacity;
    }
    finding.name = icseg_arena_strdup(r->arena, finding.name);
    if (!finding.name) return icseg_fail_memory(error, 0, "the report of a load");
    r->findings[r->count++] = finding;
    return ICSEG_OK;
}

void icseg_weights_report_close(icseg_weights_report *r) {
    if (!r) return;
    icseg_free(r->findings);
    icseg_arena_close(&r->arena);
    *r = (icseg_weights_report){0};
}

size_t icseg_weights_report_count(const icseg_weights_report *r, icseg_weights_finding_kind kind) {
    size_t count = 0;
    for (size_t i = 0; i < r->count; i++) count += r->findings[i].kind == kind;
    return count;
}

static void write_finding(const icseg_weights_finding *f, icseg_string *out) {
    char model[ICSEG_SHAPE_TEXT], file[ICSEG_SHAPE_TEXT];
    icseg_shape_text(f->model, model, sizeof model);
    icseg_shape_text(f->file, file, sizeof file);
    icseg_string_printf(out, "%s", f->name);
    if (f->kind == ICSEG_WEIGHTS_WRONG_SHAPE) icseg_string_printf(out, " %s in the file, %s expected", file, model);
    if (f->kind == ICSEG_WEIGHTS_CUT) icseg_string_printf(out, " %s of %s", model, file);
    if (f->kind == ICSEG_WEIGHTS_NOT_FINITE) icseg_string_printf(out, " (%lld)", (long long)f->count);
}

/* "TITLE (3): a, b, ...", with the shapes or the count behind each name where the kind has them. */
static void write_list(const icseg_weights_report *r, icseg_weights_finding_kind kind, const char *title, size_t limit,
                       icseg_string *out) {
    size_t total = icseg_weights_report_count(r, kind), written = 0;
    if (!total) return;
    icseg_string_printf(out, "%s (%zu):", title, total);
    for (size_t i = 0; i < r->count; i++) {
        if (r->findings[i].kind != kind) continue;
        if (limit && written == limit) {
            icseg_string_printf(out, ", ...");
            break;
        }
        icseg_string_printf(out, "%s ", written++ ? "," : "");
        write_finding(&r->findings[i], out);
    }
    icseg_string_printf(out, "\n");
}

void icseg_weights_report_activation(icseg_weights_report *r, const icseg_weights *w, const icseg_config *c) {
    memcpy(r->sets, w->sets, sizeof r->sets);
    r->activation = c->activation;
    r->activation_assumed = !w->facts.activation_known;
}

void icseg_weights_describe_assumption(const icseg_weights_report *r, char *out, size_t size) {
    snprintf(out, size,
             "activation %s is assumed, since the weights do not say which one they were trained with; OpenAI's need "
             "quick_gelu, most of LAION's, DataComp's, MetaCLIP's and DFN's gelu",
             icseg_activation_words[r->activation]);
}

void icseg_weights_report_text(const icseg_weights_report *r, size_t limit, icseg_string *out) {
    if (r->sets[0]) icseg_string_printf(out, "%s\n", r->sets);
    write_list(r, ICSEG_WEIGHTS_MISSING, "missing", limit, out);
    write_list(r, ICSEG_WEIGHTS_UNEXPECTED, "unexpected, left out", limit, out);
    write_list(r, ICSEG_WEIGHTS_WRONG_SHAPE, "wrong shape", limit, out);
    write_list(r, ICSEG_WEIGHTS_OTHER_CLASS, "of other classes, not loaded", limit, out);
    write_list(r, ICSEG_WEIGHTS_CUT, "cut to the first rows", limit, out);
    write_list(r, ICSEG_WEIGHTS_NOT_FINITE, "warning: NaN or infinite elements", limit, out);
}

void icseg_weights_describe(const icseg_config *c, icseg_string *out) {
    if (c->backbone == ICSEG_BACKBONE_VIT) {
        icseg_string_printf(out, "ViT, %d blocks of width %d, patch %d", c->vit_layers, c->vit_width, c->vit_patch);
        if (c->vit_mlp_width) icseg_string_printf(out, ", MLP %d", c->vit_mlp_width);
    } else
        icseg_string_printf(out, "ResNet %d-%d-%d-%d of width %d", c->resnet_layers[0], c->resnet_layers[1],
                            c->resnet_layers[2], c->resnet_layers[3], c->resnet_width);
    icseg_string_printf(out, ", grid %d, embedding %d, text %d x %d, %d positions, vocabulary %d, %s", c->pos_grid,
                        c->embed_dim, c->text_layers, c->text_width, c->context_length, c->vocab_size,
                        icseg_activation_words[c->activation]);
}

icseg_status icseg_weights_report_check(const icseg_weights_report *r, const char *path, icseg_error *error) {
    size_t missing = icseg_weights_report_count(r, ICSEG_WEIGHTS_MISSING);
    size_t wrong = icseg_weights_report_count(r, ICSEG_WEIGHTS_WRONG_SHAPE);
    if (!missing && !wrong) return ICSEG_OK;
    icseg_string text = {0};
    write_list(r, ICSEG_WEIGHTS_MISSING, "missing", 4, &text);
    if (missing && wrong && text.size) {
        text.size--; /* the newline */
        icseg_string_append(&text, "; ", 2);
    }
    write_list(r, ICSEG_WEIGHTS_WRONG_SHAPE, "wrong shape", 4, &text);
    icseg_status status =
        icseg_fail(error, missing ? ICSEG_ERROR_FORMAT : ICSEG_ERROR_SHAPE, "%s: the weights are not complete: %.*s",
                   path, text.size ? (int)text.size - 1 : 0, text.data ? text.data : "");
    icseg_string_close(&text);
    return status;
}
