/* SPDX-License-Identifier: Apache-2.0
 * Runs a fixture through the model and compares every tensor. */
#include "icseg/parity.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/argument.h"
#include "base/json.h"
#include "base/progress.h"
#include "base/struct_size.h"
#include "base/threads.h"
#include "diagnostics/parity_open.h"
#include "diagnostics/parity_result.h"
#include "inference/session.h"
#include "train/adamw.h"

/* A reference gradient whose norm is below this share of the largest one counts as zero. Ours must then be below ten
 * times this share. */
static const double ZERO_GRADIENT = 1e-6;
/* Losses below this are compared by their absolute difference: with one class every loss is zero. */
static const double SMALL_LOSS = 1e-3;

typedef struct check {
    const icseg_safetensors *file;
    icseg_model *model;
    icseg_session *session;
    icseg_parity_result *result;
    float *image;    /* (B, H, W, 3) */
    int16_t *labels; /* (B, H, W) */
    icseg_network_options options;
    double learning_rate, backbone_lr_mult, warmup, power, min_lr, warmup_ratio, steps;
    icseg_adamw_options adamw;
} check;

static bool is_bf16(const check *c) { return c->options.precision == ICSEG_PRECISION_BF16; }

static double relative(double difference_square, double norm_square) {
    return norm_square > 0 ? sqrt(difference_square / norm_square) : sqrt(difference_square);
}

/* ||a - b|| / ||b|| of our a (B, P, C) and the reference's b (B, C, P). Use C = 1 for tensors in the same order. */
static double compare(const float *a, const float *b, int64_t batch, int64_t channels, int64_t positions) {
    double difference = 0, norm = 0;
    for (int64_t n = 0; n < batch; n++)
        for (int64_t c = 0; c < channels; c++)
            for (int64_t p = 0; p < positions; p++) {
                double ours = a[(n * positions + p) * channels + c], theirs = b[(n * channels + c) * positions + p];
                difference += (ours - theirs) * (ours - theirs);
                norm += theirs * theirs;
            }
    return relative(difference, norm);
}

/* The tensor `prefix` + `name` as floats; freed with icseg_free. */
static icseg_status read_tensor(const check *c, const char *prefix, const char *name, icseg_shape *shape, float **out,
                                icseg_error *error) {
    char full[600];
    const icseg_safetensors_entry *entry;
    snprintf(full, sizeof full, "%s%s", prefix, name);
    *out = NULL;
    ICSEG_TRY(icseg_safetensors_get(c->file, full, &entry, error));
    int64_t count = icseg_shape_count(entry->shape);
    *out = icseg_alloc_array((size_t)count, sizeof **out);
    if (!*out) return icseg_fail_memory_in(error, (size_t)count * sizeof **out, full);
    *shape = entry->shape;
    icseg_status status = icseg_safetensors_read(c->file, entry, 0, (size_t)count, *out, error);
    if (status == ICSEG_OK) return ICSEG_OK;
    icseg_free(*out);
    *out = NULL;
    return status;
}

static icseg_status shape_error(const check *c, const char *name, icseg_shape shape, icseg_error *error) {
    char text[ICSEG_SHAPE_TEXT];
    return icseg_fail(error, ICSEG_ERROR_SHAPE, "%s: tensor %s has an unexpected shape %s",
                      icseg_safetensors_path(c->file), name, icseg_shape_text(shape, text, sizeof text));
}

/* Compares a feature map or the class embeddings with the reference's output of that name. */
static icseg_status compare_output(const check *c, const icseg_prepared_network *s, icseg_value value,
                                   const char *prefix, const char *name, icseg_parity_result *result,
                                   icseg_error *error) {
    icseg_shape shape;
    float *theirs;
    if (value == ICSEG_NONE) return ICSEG_OK;
    const icseg_value_info *info = icseg_graph_value(s->graph, value);
    const float *ours = icseg_executor_data(s->executor, value);
    ICSEG_TRY(read_tensor(c, prefix, name, &shape, &theirs, error));
    int64_t count = icseg_shape_count(shape), batch = shape.dim[0];
    icseg_status status = ICSEG_OK;
    double difference = 0;
    if (info->shape.rank == 4 && count == info->count) { /* (B, h, w, K) against (B, K, h, w) */
        difference = compare(ours, theirs, batch, info->shape.dim[3], info->shape.dim[1] * info->shape.dim[2]);
    } else if (info->shape.rank == 3 && count > 0 &&
               count % info->count == 0) { /* class embeddings: ours may have a batch of 1 for all images */
        for (int64_t at = 0; at < count; at += info->count) {
            double d = compare(ours, theirs + at, 1, 1, info->count);
            difference = d > difference || isnan(d) ? d : difference;
        }
    } else {
        status = shape_error(c, name, shape, error);
    }
    char full[200];
    snprintf(full, sizeof full, "%s%s", prefix, name);
    if (status == ICSEG_OK) icseg_parity_record(result, full, difference);
    icseg_free(theirs);
    return status;
}

static icseg_status compare_outputs(const check *c, const icseg_prepared_network *s, const char *prefix,
                                    icseg_parity_result *result, icseg_error *error) {
    ICSEG_TRY(compare_output(c, s, s->network.logits, prefix, "logits", result, error));
    ICSEG_TRY(compare_output(c, s, s->network.text, prefix, "text", result, error));
    for (int i = 0; i < ICSEG_LEVELS; i++) {
        char name[16];
        snprintf(name, sizeof name, "align.%d", 4 << i);
        ICSEG_TRY(compare_output(c, s, s->network.score[i], prefix, name, result, error));
    }
    return ICSEG_OK;
}

static icseg_status run(const check *c, icseg_prepared_network *s, int64_t step, icseg_error *error) {
    icseg_executor_bind(s->executor, s->network.image, c->image);
    if (s->network.labels != ICSEG_NONE) icseg_executor_bind(s->executor, s->network.labels, c->labels);
    return icseg_executor_run(s->executor, 0, step, error);
}

static icseg_status check_evaluation(check *c, icseg_error *error) {
    icseg_prepared_network *s;
    icseg_network_options options = {
        .batch = c->options.batch, .height = c->options.height, .width = c->options.width, .keep = ICSEG_KEEP_OUTPUTS};
    ICSEG_TRY(icseg_session_network(c->session, &options, &s, error));
    ICSEG_TRY(run(c, s, 0, error));
    return compare_outputs(c, s, "eval.", &c->result[ICSEG_PARITY_EVAL], error);
}

static icseg_status compare_loss(const check *c, const icseg_prepared_network *s, icseg_value value, const char *name,
                                 icseg_error *error) {
    icseg_shape shape;
    float *theirs;
    if (value == ICSEG_NONE) return ICSEG_OK;
    ICSEG_TRY(read_tensor(c, "loss.", name, &shape, &theirs, error));
    double ours = *(const float *)icseg_executor_data(s->executor, value), reference = *theirs;
    icseg_free(theirs);
    icseg_parity_record(&c->result[ICSEG_PARITY_LOSS], name,
                        fabs(ours - reference) / fmax(fabs(reference), SMALL_LOSS));
    return ICSEG_OK;
}

static icseg_status compare_losses(const check *c, const icseg_prepared_network *s, icseg_error *error) {
    const icseg_network *n = &s->network;
    ICSEG_TRY(compare_loss(c, s, n->decode, "decode", error));
    for (int i = 0; i < ICSEG_LEVELS; i++) {
        char name[16];
        snprintf(name, sizeof name, "align.%d", 4 << i);
        ICSEG_TRY(compare_loss(c, s, n->align[i], name, error));
    }
    ICSEG_TRY(compare_loss(c, s, n->contrast, "contrast", error));
    return compare_loss(c, s, n->total, "total", error);
}

/* Compares every trainable parameter's gradient, or every running statistic, with the tensor `prefix` + name. */
static icseg_status compare_params(const check *c, const char *prefix, bool gradients, icseg_parity_result *result,
                                   icseg_error *error) {
    double largest = 0, all_difference = 0, all_norm = 0;
    for (int pass = 0; pass < 2; pass++) /* the first pass finds the largest norm */
        for (int64_t i = 0; i < icseg_params_count(c->model->params); i++) {
            const icseg_param *p = icseg_params_at(c->model->params, i);
            if (gradients ? !p->options.trainable : !p->options.buffer) continue;
            icseg_shape shape;
            float *theirs, *ours = icseg_alloc_array((size_t)p->count, sizeof *ours);
            if (!ours) return icseg_fail_memory_in(error, (size_t)p->count * sizeof *ours, p->name);
            icseg_status status = read_tensor(c, prefix, p->name, &shape, &theirs, error);
            if (status == ICSEG_OK && !icseg_shape_equal(shape, p->file_shape))
                status = shape_error(c, p->name, shape, error);
            if (status == ICSEG_OK) {
                icseg_param_export(p, gradients ? p->grad : p->data, ours);
                double norm = 0, our_norm = 0, difference = 0;
                for (int64_t j = 0; j < p->count; j++) {
                    norm += (double)theirs[j] * theirs[j];
                    our_norm += (double)ours[j] * ours[j];
                    difference += ((double)ours[j] - theirs[j]) * ((double)ours[j] - theirs[j]);
                }
                if (pass == 0)
                    largest = fmax(largest, sqrt(norm));
                else if (gradients && is_bf16(c))
                    all_difference += difference, all_norm += norm;
                else if (gradients && sqrt(norm) < ZERO_GRADIENT * largest)
                    icseg_parity_record(result, p->name, sqrt(our_norm) < 10 * ZERO_GRADIENT * largest ? 0 : INFINITY);
                else
                    icseg_parity_record(result, p->name, relative(difference, norm));
            }
            icseg_free(ours);
            icseg_free(theirs);
            ICSEG_TRY(status);
        }
    if (gradients && is_bf16(c)) icseg_parity_record(result, "all parameters", relative(all_difference, all_norm));
    return ICSEG_OK;
}

static icseg_status check_training(check *c, icseg_error *error) {
    icseg_prepared_network *s;
    ICSEG_TRY(icseg_session_network(c->session, &c->options, &s, error));
    ICSEG_TRY(run(c, s, 0, error));
    ICSEG_TRY(compare_outputs(c, s, "train.", &c->result[ICSEG_PARITY_TRAIN], error));
    ICSEG_TRY(compare_losses(c, s, error));
    ICSEG_TRY(compare_params(c, "grad.", true, &c->result[ICSEG_PARITY_GRADIENT], error));
    return compare_params(c, "after.", false, &c->result[ICSEG_PARITY_RUNNING], error);
}

static icseg_status follow_curve(const check *c, icseg_prepared_network *s, icseg_adamw *adamw, const float *totals,
                                 const float *rates, int64_t steps, icseg_error *error) {
    icseg_schedule schedule = {.lr = c->learning_rate,
                               .min_lr = c->min_lr,
                               .power = c->power,
                               .warmup_ratio = c->warmup_ratio,
                               .steps = (int64_t)c->steps,
                               .warmup = (int64_t)c->warmup};
    for (int64_t step = 0; step < steps; step++) {
        char name[32];
        double lr = icseg_schedule_lr(&schedule, step);
        ICSEG_TRY(run(c, s, step, error));
        double total = *(const float *)icseg_executor_data(s->executor, s->network.total);
        snprintf(name, sizeof name, "step %lld", (long long)step);
        icseg_parity_record(&c->result[ICSEG_PARITY_CURVE], name,
                            fabs(total - totals[step]) / fmax(fabs(totals[step]), SMALL_LOSS));
        snprintf(name, sizeof name, "lr of step %lld", (long long)step);
        icseg_parity_record(&c->result[ICSEG_PARITY_CURVE], name, fabs(lr - rates[step]) / rates[step]);
        icseg_adamw_step(adamw, lr, 1);
    }
    return ICSEG_OK;
}

static icseg_status check_curve(check *c, icseg_error *error) {
    icseg_prepared_network *s;
    icseg_shape shape, rate_shape;
    float *totals = NULL, *rates = NULL;
    icseg_adamw *adamw = NULL;
    icseg_status status;
    ICSEG_TRY(icseg_model_read_params(c->model, c->file, "model.", true, error));
    ICSEG_TRY_GOTO(read_tensor(c, "curve.", "total", &shape, &totals, error));
    ICSEG_TRY_GOTO(read_tensor(c, "curve.", "lr", &rate_shape, &rates, error));
    if (shape.rank != 1 || !icseg_shape_equal(shape, rate_shape)) {
        status = shape_error(c, "curve.total", shape, error);
        goto fail;
    }
    ICSEG_TRY_GOTO(icseg_session_network(c->session, &c->options, &s, error));
    ICSEG_TRY_GOTO(icseg_adamw_open(&adamw, c->model->params, &c->adamw, error));
    status = follow_curve(c, s, adamw, totals, rates, shape.dim[0], error);
fail:
    icseg_adamw_close(&adamw);
    icseg_free(totals);
    icseg_free(rates);
    return status;
}

/* -- the fixture's batch and settings */

static icseg_status read_batch(check *c, icseg_error *error) {
    icseg_shape image = {0}, label = {0};
    float *pixels = NULL, *classes = NULL;
    icseg_status status = read_tensor(c, "", "image", &image, &pixels, error);
    if (status == ICSEG_OK) status = read_tensor(c, "", "label", &label, &classes, error);
    if (status == ICSEG_OK && (image.rank != 4 || image.dim[1] != 3)) status = shape_error(c, "image", image, error);
    if (status == ICSEG_OK && (label.rank != 3 || label.dim[0] != image.dim[0] || label.dim[1] != image.dim[2] ||
                               label.dim[2] != image.dim[3]))
        status = shape_error(c, "label", label, error);
    int64_t area = status == ICSEG_OK ? image.dim[2] * image.dim[3] : 0;
    if (status == ICSEG_OK) {
        c->image = icseg_alloc_array((size_t)icseg_shape_count(image), sizeof *c->image);
        c->labels = icseg_alloc_array((size_t)icseg_shape_count(label), sizeof *c->labels);
        if (!c->image || !c->labels) status = icseg_fail_memory(error, 0, "the batch");
    }
    if (status == ICSEG_OK) {
        for (int64_t i = 0; i < icseg_shape_count(image); i++) /* i runs over (B, 3, HW) */
            c->image[(i / (3 * area) * area + i % area) * 3 + i / area % 3] = pixels[i];
        int64_t count = icseg_shape_count(label), taken = 0;
        while (taken < count && classes[taken] >= INT16_MIN && classes[taken] <= INT16_MAX) {
            c->labels[taken] = (int16_t)classes[taken];
            taken++;
        }
        if (taken < count)
            status = icseg_fail(error, ICSEG_ERROR_DATA, "%s: tensor label contains %g, which is not a class",
                                icseg_safetensors_path(c->file), (double)classes[taken]);
        c->options = (icseg_network_options){.batch = image.dim[0],
                                             .height = image.dim[2],
                                             .width = image.dim[3],
                                             .training = 1,
                                             .losses = 1,
                                             .gradients = 1,
                                             .keep = ICSEG_KEEP_OUTPUTS};
    }
    icseg_free(pixels);
    icseg_free(classes);
    return status;
}

static icseg_status read_settings(check *c, icseg_error *error) {
    const char *text = icseg_safetensors_metadata(c->file, "fixture.train");
    json_error_t reason;
    json_t *json = NULL;
    if (text) ICSEG_TRY(icseg_json_parse(&json, text, strlen(text), 0, &reason, error));
    c->adamw.backbone_lr_mult = 1;
    int failed =
        !json || json_unpack_ex(json, &reason, 0, "{s:F, s:F, s:F, s:F, s:F, s:F, s:F, s:F, s:[FF], s:F}", "lr",
                                &c->learning_rate, "weight_decay", &c->adamw.weight_decay, "backbone_lr_mult",
                                &c->adamw.backbone_lr_mult, "warmup", &c->warmup, "power", &c->power, "min_lr",
                                &c->min_lr, "warmup_ratio", &c->warmup_ratio, "total_steps", &c->steps, "betas",
                                &c->adamw.beta1, &c->adamw.beta2, "eps", &c->adamw.eps) != 0;
    json_decref(json);
    if (failed)
        return icseg_fail(error, ICSEG_ERROR_FORMAT,
                          "%s: not a fixture: the metadata fixture.train is missing or incomplete",
                          icseg_safetensors_path(c->file));
    const icseg_config *config = icseg_model_config(c->model);
    if (config->dropout > 0 || config->vit_drop_path > 0)
        return icseg_fail(
            error, ICSEG_ERROR_UNSUPPORTED,
            "%s: the model uses dropout (dropout %g, vit_drop_path %g), which cannot be reproduced; write the fixture "
            "with both set to 0",
            icseg_safetensors_path(c->file), config->dropout, config->vit_drop_path);
    return ICSEG_OK;
}

static icseg_status open_session(check *c, const icseg_parity_options *o, icseg_error *error) {
    icseg_session_options options = {ICSEG_SESSION_OPTIONS_INIT, .threads = o->threads,
                                     .precision = icseg_precision_here(o->precision)};
    ICSEG_TRY(icseg_session_open(&c->session, c->model, &options, error));
    c->options.precision = (int32_t)icseg_session_precision(c->session);
    if (o->precision != ICSEG_PRECISION_AUTO && c->options.precision != (int32_t)o->precision)
        return icseg_fail_field(error, ICSEG_ERROR_UNSUPPORTED, "precision", ICSEG_REMEDY_NONE,
                                "precision: this processor does not support %s; use f32 or auto",
                                o->precision == ICSEG_PRECISION_BF16 ? "bf16" : "bf16x2");
    if (is_bf16(c)) icseg_parity_result_widen(c->result);
    return ICSEG_OK;
}

static icseg_status compare_all(check *c, const icseg_parity_options *o, const icseg_progress *progress,
                                icseg_error *error) {
    static icseg_status (*const checks[])(check * c, icseg_error * error) = {check_evaluation, check_training,
                                                                             check_curve};
    enum { CHECKS = sizeof checks / sizeof *checks };
    icseg_stage stage = icseg_stage_begin(progress, "compare", CHECKS, "comparisons");
    ICSEG_TRY(icseg_model_open_metadata(&c->model, c->file, "model.", error));
    ICSEG_TRY(read_settings(c, error));
    ICSEG_TRY(icseg_model_read_params(c->model, c->file, "model.", true, error));
    ICSEG_TRY(read_batch(c, error));
    ICSEG_TRY(open_session(c, o, error));
    for (int i = 0; i < CHECKS; i++) {
        ICSEG_TRY(checks[i](c, error));
        ICSEG_TRY(icseg_stage_report(&stage, i + 1, "", error));
    }
    return ICSEG_OK;
}

static icseg_status run_fixture(const char *fixture, const icseg_parity_options *o, const icseg_progress *progress,
                                icseg_parity_result *result, icseg_error *error) {
    icseg_safetensors *file;
    ICSEG_TRY(icseg_safetensors_open(&file, fixture, error));
    check c = {.file = file, .result = result};
    icseg_threads before = icseg_threads_enter(icseg_threads_resolve(o->threads));
    icseg_status status = icseg_parity_is_open(file) ? icseg_parity_open_run(file, o, progress, result, error)
                                                     : compare_all(&c, o, progress, error);
    icseg_threads_leave(before);
    icseg_free(c.image);
    icseg_free(c.labels);
    icseg_session_close(&c.session);
    icseg_model_close(&c.model);
    icseg_safetensors_close(&file);
    return status;
}

icseg_status icseg_parity_run(icseg_parity_report *out, const char *fixture, const icseg_parity_options *options,
                              const icseg_progress *progress, icseg_error *error) {
    enum {
        FIRST_SIZE = sizeof(icseg_parity_report),
        FIRST_OPTIONS = offsetof(icseg_parity_options, threads) + sizeof(int32_t)
    };
    icseg_parity_options o;
    icseg_progress copy;
    icseg_parity_report report = {.struct_size = sizeof report};
    ICSEG_NEED(out);
    ICSEG_NEED(fixture);
    ICSEG_TRY(icseg_struct_read(&o, sizeof o, options, FIRST_OPTIONS, "icseg_parity_options", error));
    ICSEG_TRY(icseg_progress_read(&copy, progress, error));
    ICSEG_TRY(icseg_struct_write(out, &report, sizeof report, FIRST_SIZE, "icseg_parity_report", error));
    ICSEG_TRY(icseg_threads_check(o.threads, error));
    icseg_parity_result_open(report.group);
    ICSEG_TRY(run_fixture(fixture, &o, &copy, report.group, error));
    for (int i = 0; i < ICSEG_PARITY_GROUPS; i++) {
        report.compared += report.group[i].compared;
        report.failed += report.group[i].failed;
    }
    return icseg_struct_write(out, &report, sizeof report, FIRST_SIZE, "icseg_parity_report", error);
}

icseg_status icseg_parity_text(const icseg_parity_report *report, char **out, icseg_error *error) {
    icseg_string text = {0};
    ICSEG_NEED(out);
    *out = NULL;
    ICSEG_NEED(report);
    if (!report->group[0].title)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT,
                          "icseg_parity_text: the report is empty; fill it with icseg_parity_run");
    for (int i = 0; i < ICSEG_PARITY_GROUPS; i++) {
        const icseg_parity_result *r = &report->group[i];
        if (!r->compared && report->compared) continue; /* of the other kind of fixture */
        icseg_string_printf(&text, "  %-20s %4d compared   worst %9.2e   bound %7.0e   %s%s%s\n", r->title,
                            (int)r->compared, r->worst, r->bound, r->failed ? "FAILED " : "ok     ",
                            r->failed ? "worst: " : "", r->failed ? r->worst_name : "");
    }
    if (text.failed) {
        icseg_string_close(&text);
        return icseg_fail_memory(error, 0, "the results");
    }
    *out = text.data;
    return ICSEG_OK;
}
