/* SPDX-License-Identifier: Apache-2.0
 * Loading weights into a model, and initialising a model from weights (model.init of a recipe). */
#include <jansson.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/finite.h"
#include "base/json.h"
#include "model/config.h"
#include "model/model.h"
#include "weights/internal.h"

/* A longer table of text positions: positions count from 0, so its first rows are exact. */
static bool can_cut(const icseg_param *p, const icseg_weights_entry *entry) {
    return !strcmp(p->name, "positional_embedding") && entry->parts == 1 && entry->shape.rank == 2 &&
           entry->shape.dim[1] == p->file_shape.dim[1] && entry->shape.dim[0] > p->file_shape.dim[0];
}

icseg_weights_entry icseg_weights_cut(const icseg_weights_entry *entry, icseg_shape shape) {
    icseg_weights_entry cut = *entry;
    if (!icseg_shape_equal(entry->shape, shape)) cut.shape = cut.part[0].shape = shape;
    return cut;
}

icseg_status icseg_weights_load_param(icseg_param *p, const icseg_weights_entry *entry, icseg_weights_report *report,
                                      icseg_error *error) {
    icseg_weights_entry cut = icseg_weights_cut(entry, p->file_shape);
    float *temporary = NULL;
    ICSEG_TRY(icseg_param_replace(p, error));
    if (p->options.layout == ICSEG_LAYOUT_PLAIN) {
        ICSEG_TRY(icseg_weights_read(&cut, p->data, error));
    } else {
        temporary = icseg_alloc_array((size_t)p->count, sizeof *temporary);
        if (!temporary) return icseg_fail_memory_in(error, (size_t)p->count * sizeof *temporary, p->name);
        icseg_status status = icseg_weights_read(&cut, temporary, error);
        if (status == ICSEG_OK) icseg_param_import(p, temporary, p->data);
        icseg_free(temporary);
        ICSEG_TRY(status);
    }
    report->loaded++;
    int64_t bad = icseg_count_not_finite(p->data, p->count);
    if (!bad) return ICSEG_OK;
    return icseg_weights_report_add(
        report, (icseg_weights_finding){.kind = ICSEG_WEIGHTS_NOT_FINITE, .name = p->name, .count = bad}, error);
}

/* How to load the weights. */
typedef struct plan {
    const icseg_weights *weights;
    const icseg_params *params;
    const icseg_config *config;
    bool loading;       /* else only report */
    bool other_classes; /* do not load tensors that depend on the class list */
    icseg_weights_report *report;
    icseg_error *error;
} plan;

/* The classifier, and the laterals whose inputs end in score maps: their channels are classes. */
static bool is_tied_to_classes(const icseg_config *config, const char *name) {
    char lateral[64];
    if (!strncmp(name, "decoder.head.conv_seg.", 22)) return true;
    for (int i = 0; i < ICSEG_LEVELS; i++) {
        snprintf(lateral, sizeof lateral, "decoder.neck.lateral_convs.%d.", i);
        if (config->align[i] && !strncmp(name, lateral, strlen(lateral))) return true;
    }
    return false;
}

static icseg_status match_param(const plan *m, icseg_param *p) {
    const icseg_weights_entry *entry = icseg_weights_find(m->weights, p->name);
    icseg_weights_finding finding = {
        .name = p->name, .model = p->file_shape, .file = entry ? entry->shape : p->file_shape};
    bool tied = entry && m->other_classes && is_tied_to_classes(m->config, p->name);
    if (!entry && !strcmp(p->name, "logit_scale")) return ICSEG_OK; /* some files of CLIP's weights do not have it */
    if (!entry || tied || !icseg_shape_equal(entry->shape, p->file_shape)) {
        bool cut = entry && can_cut(p, entry);
        finding.kind = !entry ? ICSEG_WEIGHTS_MISSING
                       : tied ? ICSEG_WEIGHTS_OTHER_CLASS
                       : cut  ? ICSEG_WEIGHTS_CUT
                              : ICSEG_WEIGHTS_WRONG_SHAPE;
        ICSEG_TRY(icseg_weights_report_add(m->report, finding, m->error));
        if (!cut) return ICSEG_OK;
    }
    return m->loading ? icseg_weights_load_param(p, entry, m->report, m->error) : ICSEG_OK;
}

static icseg_status match(const plan *m) {
    const icseg_weights *w = m->weights;
    const icseg_params *params = m->params;
    m->report->container = w->container;
    m->report->naming = w->naming;
    icseg_weights_report_activation(m->report, w, m->config);
    for (int64_t i = 0; i < icseg_params_count(params); i++) ICSEG_TRY(match_param(m, icseg_params_at(params, i)));
    for (size_t i = 0; i < w->entry_count + w->foreign_count; i++) {
        const char *name = i < w->entry_count ? w->entries[i].name : w->foreign[i - w->entry_count];
        if ((i < w->entry_count && icseg_params_find(params, name)) || !strcmp(name, "logit_scale")) continue;
        icseg_weights_finding finding = {.kind = ICSEG_WEIGHTS_UNEXPECTED, .name = name};
        ICSEG_TRY(icseg_weights_report_add(m->report, finding, m->error));
    }
    return ICSEG_OK;
}

icseg_status icseg_weights_compare(const icseg_weights *w, const icseg_model *model, icseg_weights_report *report,
                                   icseg_error *error) {
    return match(&(plan){w, model->params, &model->config, false, false, report, error});
}

/* ---------------------------------------------------------------------------------------------------- model.init */

/* Fields that must be equal in weights and recipe, for either encoder. */
static icseg_status check_agreement(const icseg_weights *w, const icseg_config *model, icseg_error *error) {
    const struct {
        const char *name;
        size_t offset;
        int backbone;  /* -1: both */
        bool recorded; /* by a checkpoint's configuration, not by shapes */
    } fields[] = {
        {"resnet_width", offsetof(icseg_config, resnet_width), ICSEG_BACKBONE_RESNET, false},
        {"resnet_layers[0]", offsetof(icseg_config, resnet_layers[0]), ICSEG_BACKBONE_RESNET, false},
        {"resnet_layers[1]", offsetof(icseg_config, resnet_layers[1]), ICSEG_BACKBONE_RESNET, false},
        {"resnet_layers[2]", offsetof(icseg_config, resnet_layers[2]), ICSEG_BACKBONE_RESNET, false},
        {"resnet_layers[3]", offsetof(icseg_config, resnet_layers[3]), ICSEG_BACKBONE_RESNET, false},
        {"vit_patch", offsetof(icseg_config, vit_patch), ICSEG_BACKBONE_VIT, false},
        {"vit_width", offsetof(icseg_config, vit_width), ICSEG_BACKBONE_VIT, false},
        {"vit_layers", offsetof(icseg_config, vit_layers), ICSEG_BACKBONE_VIT, false},
        {"vit_mlp_width", offsetof(icseg_config, vit_mlp_width), ICSEG_BACKBONE_VIT, false},
        {"pos_grid", offsetof(icseg_config, pos_grid), -1, false},
        {"embed_dim", offsetof(icseg_config, embed_dim), -1, false},
        {"text_width", offsetof(icseg_config, text_width), -1, false},
        {"text_layers", offsetof(icseg_config, text_layers), -1, false},
        {"vocab_size", offsetof(icseg_config, vocab_size), -1, false},
        {"context_length", offsetof(icseg_config, context_length), -1, false},
        {"text_heads", offsetof(icseg_config, text_heads), -1, !w->facts.text_heads},
        {"vit_heads", offsetof(icseg_config, vit_heads), ICSEG_BACKBONE_VIT, !w->facts.vit_heads},
        {"vit_taps[0]", offsetof(icseg_config, vit_taps[0]), ICSEG_BACKBONE_VIT, true},
        {"vit_taps[1]", offsetof(icseg_config, vit_taps[1]), ICSEG_BACKBONE_VIT, true},
        {"vit_taps[2]", offsetof(icseg_config, vit_taps[2]), ICSEG_BACKBONE_VIT, true},
    };
    bool own = icseg_weights_metadata(w, "icpc.config") != NULL;
    icseg_config file = *model;
    ICSEG_TRY(icseg_weights_infer(w, &file, error));
    if (file.backbone != model->backbone)
        return icseg_fail(error, ICSEG_ERROR_CONFIG, "%s: these are the weights of a %s; the model has a %s", w->path,
                          file.backbone == ICSEG_BACKBONE_VIT ? "vision transformer" : "ResNet",
                          model->backbone == ICSEG_BACKBONE_VIT ? "vision transformer" : "ResNet");
    if (file.activation != model->activation)
        return icseg_fail_field(error, ICSEG_ERROR_CONFIG, "activation", ICSEG_REMEDY_SET_FIELD,
                                "%s: the weights were trained with the activation %s, but the model has %s; set "
                                "model.activation to %s",
                                w->path, icseg_activation_words[file.activation],
                                icseg_activation_words[model->activation], icseg_activation_words[file.activation]);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        int32_t theirs = *(const int32_t *)((const char *)&file + fields[i].offset);
        int32_t ours = *(const int32_t *)((const char *)model + fields[i].offset);
        bool cut = fields[i].offset == offsetof(icseg_config, context_length) && theirs > ours;
        if (theirs == ours || cut || (fields[i].recorded && !own) ||
            (fields[i].backbone >= 0 && fields[i].backbone != (int)model->backbone))
            continue;
        return icseg_fail(error, ICSEG_ERROR_CONFIG,
                          "%s: the weights have %s = %d, but the model has %d; set it to %d, or use other weights",
                          w->path, fields[i].name, theirs, ours, theirs);
    }
    return ICSEG_OK;
}

static icseg_status compare_classes(const icseg_weights *w, const icseg_model *model, bool *same, icseg_error *error) {
    const char *text = icseg_weights_metadata(w, "icpc.classes");
    json_t *list = NULL;
    if (text) ICSEG_TRY(icseg_json_parse(&list, text, strlen(text), 0, NULL, error));
    size_t count = text ? json_array_size(list) : 0;
    const char *const *names = icseg_weights_classes(w, &(size_t){0});
    if (!text) icseg_weights_classes(w, &count);
    *same = (list || names) && count == (size_t)model->config.num_classes;
    for (size_t k = 0; k < count && *same; k++) {
        const char *name = list ? json_string_value(json_array_get(list, k)) : names[k];
        *same = name && !strcmp(name, model->class_names[k]);
    }
    bool read = !text || json_is_array(list);
    json_decref(list);
    return read ? ICSEG_OK
                : icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: metadata icpc.classes is not a JSON list", w->path);
}

/* Every CLIP tensor of the model is present, and every shape is right. */
static icseg_status check_findings(const icseg_weights_report *report, const char *path, icseg_error *error) {
    for (size_t i = 0; i < report->count; i++) {
        const icseg_weights_finding *f = &report->findings[i];
        char file[ICSEG_SHAPE_TEXT], model[ICSEG_SHAPE_TEXT];
        if (f->kind == ICSEG_WEIGHTS_MISSING && icseg_weights_is_clip(f->name))
            return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: the weights are incomplete: %s is missing", path,
                              f->name);
        if (f->kind == ICSEG_WEIGHTS_WRONG_SHAPE)
            return icseg_fail(error, ICSEG_ERROR_SHAPE, "%s: %s has shape %s; the model needs %s", path, f->name,
                              icseg_shape_text(f->file, file, sizeof file),
                              icseg_shape_text(f->model, model, sizeof model));
    }
    return ICSEG_OK;
}

/* Compares everything before a parameter is changed, and then loads. */
static icseg_status init(plan m, icseg_error *error) {
    icseg_weights_report first = {0}, own = {0}, *report = m.report;
    m.report = &first;
    icseg_status status = check_agreement(m.weights, m.config, error);
    if (status == ICSEG_OK) status = match(&m);
    if (status == ICSEG_OK) status = check_findings(&first, m.weights->path, error);
    m.loading = true;
    m.report = report ? report : &own;
    if (status == ICSEG_OK) status = match(&m);
    icseg_weights_report_close(&first);
    icseg_weights_report_close(&own);
    return status;
}

icseg_status icseg_weights_init_model(icseg_model *model, const char *path, const char *set,
                                      icseg_weights_report *report, icseg_error *error) {
    icseg_weights *w;
    bool same = false;
    ICSEG_TRY(icseg_weights_open_set(&w, path, set, error));
    icseg_status status = compare_classes(w, model, &same, error);
    if (status == ICSEG_OK) status = init((plan){w, model->params, &model->config, false, !same, report, error}, error);
    icseg_weights_close(&w);
    return status;
}

icseg_status icseg_weights_init_clip(const icseg_clip *clip, const char *path, const char *set,
                                     icseg_weights_report *report, icseg_error *error) {
    icseg_weights *w;
    ICSEG_TRY(icseg_weights_open_set(&w, path, set, error));
    icseg_status status = init((plan){w, clip->params, &clip->config, false, false, report, error}, error);
    icseg_weights_close(&w);
    return status;
}
