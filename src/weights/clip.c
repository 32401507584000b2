/* SPDX-License-Identifier: Apache-2.0
 * Plain CLIP out of a file of weights. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/finite.h"
#include "model/config.h"
#include "weights/internal.h"

static icseg_status read_logit_scale(const icseg_weights *w, float *out, icseg_error *error) {
    const icseg_weights_entry *entry = icseg_weights_find(w, "logit_scale");
    float value;
    *out = 0;
    if (!entry) return ICSEG_OK;
    if (icseg_shape_count(entry->shape) != 1)
        return icseg_fail(error, ICSEG_ERROR_SHAPE, "%s: logit_scale is not a single number", w->path);
    ICSEG_TRY(icseg_weights_read(entry, &value, error));
    *out = expf(value);
    if (isfinite(*out) && *out > 0) return ICSEG_OK;
    return icseg_fail(error, ICSEG_ERROR_NUMERIC, "%s: logit_scale is %g: exp(logit_scale) must be finite and positive",
                      w->path, (double)value);
}

static icseg_status check_entry(const icseg_param *p, const icseg_weights_entry *entry, const icseg_weights *w,
                                icseg_error *error) {
    if (entry && icseg_shape_equal(entry->shape, p->file_shape)) return ICSEG_OK;
    return icseg_fail(error, ICSEG_ERROR_INTERNAL, "%s: %s is not in the list of CLIP's tensors", w->path, p->name);
}

icseg_status icseg_weights_load_params(icseg_params *params, const icseg_weights *w, icseg_weights_report *report,
                                       icseg_error *error) {
    for (int64_t i = 0; i < icseg_params_count(params); i++) {
        icseg_param *p = icseg_params_at(params, i);
        const icseg_weights_entry *entry = icseg_weights_find(w, p->name);
        ICSEG_TRY(check_entry(p, entry, w, error));
        ICSEG_TRY(icseg_weights_load_param(p, entry, report, error));
    }
    return ICSEG_OK;
}

static icseg_status read_entry(const void *from, float *to, icseg_error *error) {
    return icseg_weights_read(from, to, error);
}

static void close_weights(void *weights) {
    icseg_weights *w = weights;
    icseg_weights_close(&w);
}

/* Rows of the table of tokens are read again and again: it is loaded. So are deflated tensors, which can only be read
 * one after another. */
static bool is_loaded(const icseg_weights_entry *entry) {
    bool packed = !strcmp(entry->name, "token_embedding.weight");
    for (int32_t part = 0; part < entry->parts; part++) packed |= entry->part[part].packed != NULL;
    return packed;
}

static icseg_dtype type_of(const icseg_weights_entry *entry) {
    bool f16 = !entry->first_row; /* to whose first row something is added */
    for (int32_t part = 0; part < entry->parts; part++) f16 &= entry->part[part].dtype == ICSEG_F16;
    return f16 ? ICSEG_F16 : ICSEG_F32;
}

/* Values are read from the weights when they are needed. */
static icseg_status link_params(icseg_params *params, const icseg_weights *w, icseg_weights_report *report,
                                icseg_error *error) {
    for (int64_t i = 0; i < icseg_params_count(params); i++) {
        icseg_param *p = icseg_params_at(params, i);
        const icseg_weights_entry *entry = icseg_weights_find(w, p->name);
        ICSEG_TRY(check_entry(p, entry, w, error));
        if (is_loaded(entry))
            ICSEG_TRY(icseg_weights_load_param(p, entry, report, error));
        else
            icseg_param_set_source(
                p, (icseg_param_source){
                       .kind = ICSEG_SOURCE_CALL, .dtype = type_of(entry), .from = entry, .read = read_entry});
    }
    return ICSEG_OK;
}

icseg_status icseg_weights_give_params(icseg_params *params, icseg_weights **weights, icseg_weights_report *report,
                                       icseg_error *error) {
    ICSEG_TRY(link_params(params, *weights, report, error));
    ICSEG_TRY(icseg_params_own(params, *weights, close_weights, error));
    *weights = NULL;
    return ICSEG_OK;
}

icseg_status icseg_weights_read_clip(icseg_config *config, float *logit_scale, icseg_weights *w, const char *own,
                                     icseg_weights_report *report, icseg_error *error) {
    *config = icseg_config_default();
    ICSEG_TRY(icseg_weights_infer(w, config, error));
    ICSEG_TRY(icseg_weights_override(w, config, own, error));
    ICSEG_TRY(icseg_weights_check_clip(w, config, report, error));
    report->loaded = 0;
    ICSEG_TRY(icseg_weights_report_check(report, w->path, error));
    return read_logit_scale(w, logit_scale, error);
}

icseg_status icseg_weights_open_clip(icseg_clip *out, icseg_clip_towers towers, const icseg_weights *w,
                                     const icseg_config *config, icseg_weights_report *report, icseg_error *error) {
    icseg_status status = icseg_clip_open(out, config, towers, error);
    if (status != ICSEG_OK) {
        icseg_fail_prefix(error, "%s", w->path);
        return status;
    }
    status = link_params(out->params, w, report, error);
    if (status != ICSEG_OK) icseg_clip_close(out);
    return status;
}

/* Appends the tensor to the message. */
static icseg_status blame(const icseg_weights *w, const char *name, int64_t bad, icseg_error *error) {
    icseg_error before = *error;
    return icseg_fail(error, before.status, "%s; %s: %lld %s of %s %s NaN or infinite", before.message, w->path,
                      (long long)bad, icseg_plural(bad, "element", "elements"), name, bad == 1 ? "is" : "are");
}

icseg_status icseg_weights_blame(const icseg_weights *w, icseg_error *error) {
    for (size_t i = 0; error && i < w->entry_count; i++) {
        const icseg_weights_entry *entry = &w->entries[i];
        size_t count = (size_t)icseg_shape_count(entry->shape);
        float *values = icseg_weights_is_clip(entry->name) ? icseg_alloc_array(count, sizeof *values) : NULL;
        int64_t bad = 0;
        if (values && icseg_weights_read(entry, values, NULL) == ICSEG_OK)
            bad = icseg_count_not_finite(values, (int64_t)count);
        icseg_free(values);
        if (bad) return blame(w, entry->name, bad, error);
    }
    return ICSEG_ERROR_NUMERIC;
}

icseg_status icseg_weights_write_clip(const icseg_config *g, bool activation_known, icseg_safetensors_writer *writer,
                                      icseg_error *error) {
    bool vit = g->backbone == ICSEG_BACKBONE_VIT;
    char image[200], text[600], activation[40] = "";
    if (activation_known)
        snprintf(activation, sizeof activation, ", \"activation\": \"%s\"", icseg_activation_words[g->activation]);
    if (vit)
        snprintf(image, sizeof image,
                 "\"vit_patch\": %d, \"vit_width\": %d, \"vit_layers\": %d, \"vit_heads\": %d, \"vit_mlp_width\": %d",
                 g->vit_patch, g->vit_width, g->vit_layers, g->vit_heads, g->vit_mlp_width);
    else
        snprintf(image, sizeof image, "\"resnet_layers\": [%d, %d, %d, %d], \"resnet_width\": %d", g->resnet_layers[0],
                 g->resnet_layers[1], g->resnet_layers[2], g->resnet_layers[3], g->resnet_width);
    snprintf(text, sizeof text,
             "{\"backbone\": \"%s\", %s, \"pos_grid\": %d, \"embed_dim\": %d, \"text_width\": %d, \"text_heads\": %d, "
             "\"text_layers\": %d, \"vocab_size\": %d, \"context_length\": %d%s}",
             vit ? "vit" : "resnet", image, g->pos_grid, g->embed_dim, g->text_width, g->text_heads, g->text_layers,
             g->vocab_size, g->context_length, activation);
    ICSEG_TRY(icseg_safetensors_writer_metadata(writer, "format", "pt", error)); /* transformers requires it */
    return icseg_safetensors_writer_metadata(writer, "icseg.clip", text, error);
}
