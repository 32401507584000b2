/* SPDX-License-Identifier: Apache-2.0
 * Runs the models on an image: their outputs, the statistics of score maps, the choice of classes. */
#include <math.h>

#include "explain/entropy.h"
#include "explain/explainer.h"
#include "explain/maps.h"
#include "inference/session.h"
#include "model/config.h"

/* -- one model */

static double mean_of(const float *values, size_t count) {
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += (double)values[i];
    return sum / (double)count;
}

static icseg_status run_model(icseg_result **out, const icseg_explainer *e, int32_t m, const icseg_image *image,
                              icseg_error *error) {
    const icseg_config *c = icseg_model_config(e->session[m]->model);
    icseg_run_options options = {ICSEG_RUN_OPTIONS_INIT, .eval = &e->eval[m],
                                 .outputs = ICSEG_OUTPUT_LABELS | ICSEG_OUTPUT_CONFIDENCE | ICSEG_OUTPUT_LOGITS};
    icseg_frame frame = {ICSEG_FRAME_RGB8, image->width, image->height, 0, image->data};
    icseg_batch batch = {ICSEG_BATCH_INIT, .count = 1, .frames = &frame};
    for (int i = 0; i < ICSEG_LEVELS; i++)
        if (c->align[i]) options.outputs |= (uint32_t)ICSEG_OUTPUT_SCORES_4 << i;
    if (!e->session[m]->model->open && icseg_config_decodes_prompts(c))
        options.outputs |= ICSEG_OUTPUT_PROMPT_ATTENTION;
    return icseg_session_run(e->session[m], &batch, &options, out, error);
}

/* Mean and largest value of each class's score map. */
static icseg_status score_statistics(icseg_explained *x, int32_t m, int level, icseg_error *error) {
    icseg_explained_model *found = &x->found.model[m];
    icseg_tensor t;
    ICSEG_TRY(icseg_result_tensor(x->result[m], (icseg_output)(ICSEG_OUTPUT_SCORES_4 << level), &t, error));
    int64_t positions = t.shape[1] * t.shape[2], classes = t.shape[3];
    const float *score = t.data;
    double *mean = icseg_arena_array(x->arena, (size_t)classes, sizeof *mean);
    double *largest = icseg_arena_array(x->arena, (size_t)classes, sizeof *largest);
    if (!mean || !largest) return icseg_fail_memory(error, 0, "the statistics of score maps");
    for (int64_t k = 0; k < classes; k++) largest[k] = (double)score[k];
    for (int64_t i = 0; i < positions; i++)
        for (int64_t k = 0; k < classes; k++) {
            double value = (double)score[i * classes + k];
            mean[k] += value;
            if (value > largest[k]) largest[k] = value;
        }
    for (int64_t k = 0; k < classes; k++) mean[k] /= (double)positions;
    found->score_mean[level] = mean;
    found->score_largest[level] = largest;
    return ICSEG_OK;
}

/* entropy: receives the map, in the arena. */
static icseg_status compute_model(icseg_explained *x, const icseg_explainer *e, int32_t m, const float **entropy,
                                  icseg_error *error) {
    icseg_explained_model *found = &x->found.model[m];
    const icseg_config *c = icseg_model_config(e->session[m]->model);
    icseg_tensor labels, confidence, logits;
    size_t pixels = (size_t)x->image.width * (size_t)x->image.height;
    found->classes = (icseg_labels_summary){ICSEG_LABELS_SUMMARY_INIT};
    ICSEG_TRY(run_model(&x->result[m], e, m, &x->image, error));
    ICSEG_TRY(icseg_result_tensor(x->result[m], ICSEG_OUTPUT_LABELS, &labels, error));
    ICSEG_TRY(icseg_result_tensor(x->result[m], ICSEG_OUTPUT_CONFIDENCE, &confidence, error));
    ICSEG_TRY(icseg_result_tensor(x->result[m], ICSEG_OUTPUT_LOGITS, &logits, error));
    found->labels = (icseg_labels){x->image.width, x->image.height, labels.data};
    ICSEG_TRY(icseg_labels_summarise(&found->classes, &found->labels, confidence.data, e->classes, error));
    float *map = icseg_arena_array(x->arena, pixels, sizeof *map);
    if (!map) return icseg_fail_memory(error, pixels * sizeof *map, "an entropy map");
    ICSEG_TRY(icseg_explain_entropy(map, &logits, x->image.width, x->image.height, e->session[m]->threads, error));
    found->entropy = mean_of(map, pixels);
    *entropy = map;
    for (int i = 0; i < ICSEG_LEVELS; i++)
        if (c->align[i]) ICSEG_TRY(score_statistics(x, m, i, error));
    return ICSEG_OK;
}

/* -- the choice of classes */

static bool has_scores(const icseg_explained *x) {
    for (int32_t m = 0; m < x->found.models; m++)
        for (int i = 0; i < ICSEG_LEVELS; i++)
            if (x->found.model[m].score_mean[i]) return true;
    return false;
}

/* The index of the largest value that is above `least` and not taken; -1: none. */
static int32_t largest_left(const double *value, double least, const bool *taken, int32_t count) {
    int32_t best = -1;
    for (int32_t k = 0; k < count; k++)
        if (!taken[k] && value[k] > least && (best < 0 || value[k] > value[best])) best = k;
    return best;
}

/* Half of them by area, the others by their largest score, of both models. */
static icseg_status choose_classes(const icseg_explained *x, const icseg_explainer *e, int32_t *chosen, int32_t *count,
                                   icseg_error *error) {
    int32_t most = e->top < e->classes ? e->top : e->classes;
    double *area = icseg_arena_array(x->arena, (size_t)e->classes, sizeof *area);
    double *score = icseg_arena_array(x->arena, (size_t)e->classes, sizeof *score);
    bool *taken = icseg_arena_array(x->arena, (size_t)e->classes, sizeof *taken);
    if (!area || !score || !taken) return icseg_fail_memory(error, 0, "the choice of classes");
    for (int32_t k = 0; k < e->classes; k++) score[k] = -INFINITY;
    for (int32_t m = 0; m < x->found.models; m++) {
        const icseg_explained_model *model = &x->found.model[m];
        for (int32_t i = 0; i < model->classes.count; i++)
            area[model->classes.classes[i].index] += model->classes.classes[i].share;
        for (int i = 0; i < ICSEG_LEVELS; i++)
            for (int32_t k = 0; k < e->classes && model->score_largest[i]; k++)
                score[k] = fmax(score[k], model->score_largest[i][k]);
    }
    for (*count = 0; *count < most; (*count)++) {
        int32_t k = *count < (most + 1) / 2 ? largest_left(area, 0, taken, e->classes) : -1;
        if (k < 0) k = largest_left(score, -INFINITY, taken, e->classes);
        if (k < 0) break;
        taken[k] = true;
        chosen[*count] = k;
    }
    return ICSEG_OK;
}

/* -- all */

static icseg_status make_maps(icseg_explained *x, const icseg_explainer *e, const float *const *entropy,
                              icseg_error *error) {
    int32_t *chosen = e->chosen, count = has_scores(x) ? e->chosen_count : 0;
    if (!chosen && has_scores(x)) {
        chosen = icseg_arena_array(x->arena, (size_t)e->top, sizeof *chosen);
        if (!chosen) return icseg_fail_memory(error, 0, "the choice of classes");
        ICSEG_TRY(choose_classes(x, e, chosen, &count, error));
    }
    return icseg_explain_make_maps(x, e, entropy, chosen, count, error);
}

icseg_status icseg_explained_compute(icseg_explained *x, const icseg_explainer *e, icseg_error *error) {
    const float *entropy[ICSEG_EXPLAIN_MODELS] = {NULL};
    x->found.models = e->models;
    for (int32_t m = 0; m < e->models; m++) {
        icseg_status status = compute_model(x, e, m, &entropy[m], error);
        if (status != ICSEG_OK && e->models > 1) icseg_fail_prefix(error, "%s", e->name[m]);
        if (status != ICSEG_OK) return status;
    }
    return make_maps(x, e, entropy, error);
}

void icseg_explained_close(icseg_explained *x) {
    for (int32_t m = 0; m < ICSEG_EXPLAIN_MODELS; m++) {
        icseg_labels_summary *classes = &x->found.model[m].classes;
        if (classes->struct_size) icseg_labels_summary_close(classes);
        icseg_result_close(&x->result[m]);
    }
    icseg_arena_close(&x->arena);
    *x = (icseg_explained){0};
}
