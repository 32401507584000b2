/* SPDX-License-Identifier: Apache-2.0
 * Searching the layers whose INT8 costs accuracy. */
#include <stdlib.h>
#include <string.h>

#include "base/argument.h"
#include "base/memory.h"
#include "base/progress.h"
#include "base/struct_size.h"
#include "compute/primitive.h"
#include "graph/op.h"
#include "inference/calibrate.h"

typedef struct search {
    icseg_calibrator *calibrator;
    icseg_search_options options;
    icseg_progress progress;
    icseg_stage stage;
    const icseg_image *images;
    int32_t image_count;
    icseg_labels *exact;            /* (image_count): in f32 */
    icseg_activation_ranges *trial; /* those of the next measurement */
    const icseg_param **layers;     /* (layer_count), in the order of the parameters */
    double *work;                   /* (layer_count): share of each */
    int32_t layer_count;
    double changed;          /* share of labels with all layers in INT8 */
    icseg_layer_cost *costs; /* (layer_count) */
    int32_t cost_count;
} search;

static icseg_status label(const search *s, icseg_session *session, int32_t image, icseg_labels *out,
                          icseg_error *error) {
    return icseg_session_predict(session, &s->images[image], &s->calibrator->eval, out, NULL, error);
}

static icseg_status label_exactly(search *s, icseg_error *error) {
    icseg_session_options options = {ICSEG_SESSION_OPTIONS_INIT, .threads = s->calibrator->session->threads};
    icseg_session *session;
    icseg_status status = icseg_session_open(&session, s->calibrator->session->model, &options, error);
    for (int32_t i = 0; i < s->image_count && status == ICSEG_OK; i++)
        status = label(s, session, i, &s->exact[i], error);
    icseg_session_close(&session);
    return status;
}

static icseg_status count_changed(const search *s, icseg_session *session, double *out, icseg_error *error) {
    int64_t pixels = 0, changed = 0;
    for (int32_t i = 0; i < s->image_count; i++) {
        const icseg_labels *exact = &s->exact[i];
        icseg_labels quick;
        ICSEG_TRY(label(s, session, i, &quick, error));
        int64_t count = (int64_t)exact->width * exact->height;
        for (int64_t p = 0; p < count; p++) changed += exact->data[p] != quick.data[p];
        pixels += count;
        icseg_labels_close(&quick);
    }
    *out = (double)changed / (double)pixels;
    return ICSEG_OK;
}

/* The share of labels that differ from those in f32 with the trial ranges. */
static icseg_status measure(const search *s, double *out, icseg_error *error) {
    icseg_session_options options = {ICSEG_SESSION_OPTIONS_INIT, .threads = s->calibrator->session->threads,
                                     .precision = ICSEG_PRECISION_INT8};
    icseg_session *session = NULL;
    icseg_model *model;
    ICSEG_TRY(icseg_model_with_ranges(&model, s->calibrator->session->model, s->trial, error));
    icseg_status status = icseg_session_open(&session, model, &options, error);
    if (status == ICSEG_OK) status = count_changed(s, session, out, error);
    icseg_session_close(&session);
    icseg_model_close(&model);
    return status;
}

/* -- costs */

/* Labels with the layers [begin, end) only, or all but these, in INT8, without those that are kept. */
static icseg_status measure_part(const search *s, int32_t begin, int32_t end, bool only, double *out,
                                 icseg_error *error) {
    for (int32_t i = 0; i < s->layer_count; i++) {
        bool inside = i >= begin && i < end;
        bool keep = inside != only || icseg_activation_ranges_keeps_f32(s->calibrator->ranges, s->layers[i]);
        ICSEG_TRY(icseg_activation_ranges_keep_f32(s->trial, s->layers[i], keep, error));
    }
    return measure(s, out, error);
}

/* What the layers [begin, end) cost: the labels that change when only they are INT8. Values between layers are bytes
 * only where both of them are INT8, and so this can be too little: if a quarter of all changes or more disappear
 * without these layers, it is these. */
static icseg_status measure_cost(const search *s, int32_t begin, int32_t end, double *out, icseg_error *error) {
    const double much = 0.25;
    double without;
    ICSEG_TRY(measure_part(s, begin, end, true, out, error));
    ICSEG_TRY(measure_part(s, begin, end, false, &without, error));
    double gain = s->changed - without;
    if (gain > *out && gain > much * s->changed) *out = gain;
    return ICSEG_OK;
}

static double work_of(const search *s, int32_t begin, int32_t end) {
    double sum = 0;
    for (int32_t i = begin; i < end; i++) sum += s->work[i];
    return sum;
}

/* Changes that are not worth a layer in f32, or looking closer. */
static double little_of(const search *s) { return (1 - s->options.agree) / 8; }

/* Divides layers that cost too much into halves. */
static icseg_status find_costs(search *s, int32_t begin, int32_t end, double changed, icseg_error *error) {
    const double little = little_of(s);
    if (end - begin == 1 || changed <= little) {
        s->costs[s->cost_count++] = (icseg_layer_cost){.first = s->layers[begin]->name,
                                                       .last = s->layers[end - 1]->name,
                                                       .layers = end - begin,
                                                       .changed = changed,
                                                       .work = work_of(s, begin, end)};
        return icseg_stage_report(&s->stage, end, s->layers[end - 1]->name, error);
    }
    int32_t middle = begin + (end - begin) / 2;
    double half[2];
    ICSEG_TRY(measure_cost(s, begin, middle, &half[0], error));
    ICSEG_TRY(find_costs(s, begin, middle, half[0], error));
    ICSEG_TRY(measure_cost(s, middle, end, &half[1], error));
    return find_costs(s, middle, end, half[1], error);
}

/* -- keeping layers */

/* The values between a layer in f32 and its neighbours are not bytes, which costs time however small the layer is. */
static double rank_of(const icseg_layer_cost *cost) {
    const double neighbours = 0.002;
    return cost->changed / (cost->work + neighbours);
}

/* The most labels for the least work first. */
static int compare(const void *a, const void *b) {
    const icseg_layer_cost *x = *(icseg_layer_cost *const *)a, *y = *(icseg_layer_cost *const *)b;
    double difference = rank_of(y) - rank_of(x);
    return difference != 0 ? (difference > 0) - (difference < 0) : (x > y) - (x < y);
}

/* Single layers that can be kept, sorted. */
static int32_t find_candidates(const search *s, icseg_layer_cost **to) {
    int32_t count = 0;
    for (int32_t i = 0; i < s->cost_count; i++)
        if (s->costs[i].layers == 1 && s->costs[i].changed > little_of(s)) to[count++] = &s->costs[i];
    qsort(to, (size_t)count, sizeof *to, compare);
    return count;
}

static icseg_status keep(search *s, icseg_activation_ranges *ranges, const char *name, bool on, icseg_error *error) {
    const icseg_param *layer = icseg_params_find(s->calibrator->session->model->params, name);
    return icseg_activation_ranges_keep_f32(ranges, layer, on, error);
}

/* Keeps layers as long as more labels should agree. A layer that does not help is given up. */
static icseg_status keep_layers(search *s, icseg_layer_cost **candidates, icseg_search_result *r, icseg_error *error) {
    int32_t count = find_candidates(s, candidates);
    double work = 0;
    ICSEG_TRY(icseg_activation_ranges_copy(s->trial, s->calibrator->ranges, error));
    s->stage = icseg_stage_begin(&s->progress, "keep layers", count, "layers");
    for (int32_t i = 0; i < count && r->after < s->options.agree; i++) {
        icseg_layer_cost *c = candidates[i];
        double changed;
        if (work + c->work > s->options.work) continue;
        ICSEG_TRY(keep(s, s->trial, c->first, true, error));
        ICSEG_TRY(measure(s, &changed, error));
        c->kept_f32 = 1 - changed > r->after + little_of(s) / 2;
        if (c->kept_f32) {
            ICSEG_TRY(keep(s, s->calibrator->ranges, c->first, true, error));
            r->after = 1 - changed;
            r->kept++;
            work += c->work;
        } else {
            ICSEG_TRY(keep(s, s->trial, c->first, false, error));
        }
        ICSEG_TRY(icseg_stage_report(&s->stage, i + 1, c->first, error));
    }
    return ICSEG_OK;
}

static icseg_status run(search *s, icseg_search_result *r, icseg_error *error) {
    ICSEG_TRY(icseg_activation_ranges_copy(s->trial, s->calibrator->ranges, error));
    ICSEG_TRY(label_exactly(s, error));
    ICSEG_TRY(measure(s, &s->changed, error));
    r->before = r->after = 1 - s->changed;
    s->stage = icseg_stage_begin(&s->progress, "measure layers", s->layer_count, "layers");
    bool enough = r->before >= s->options.agree; /* then the costs of single layers are not needed */
    ICSEG_TRY(find_costs(s, 0, s->layer_count, enough ? 0 : s->changed, error));
    if (enough) s->costs[0].changed = s->changed;
    icseg_layer_cost **candidates = icseg_alloc_array((size_t)s->cost_count, sizeof *candidates);
    if (!candidates) return icseg_fail_memory(error, 0, "a search");
    icseg_status status = keep_layers(s, candidates, r, error);
    icseg_free(candidates);
    return status;
}

/* -- layers */

/* Adds the work of the graph's layers to `work`, by the index of the parameter. */
static void add_work(const icseg_graph *g, double *work) {
    for (int32_t n = 0; n < icseg_graph_node_count(g); n++) {
        const icseg_node *node = icseg_graph_node(g, n);
        const icseg_param *layer = icseg_activation_ranges_layer(g, node);
        if (layer && node->op->flops) work[layer->index] += node->op->flops(g, node);
    }
}

/* The layers of the networks that the recording session has built, and their shares of the work. */
static icseg_status find_layers(search *s, icseg_error *error) {
    const icseg_session *session = s->calibrator->session;
    const icseg_params *params = session->model->params;
    size_t count = (size_t)icseg_params_count(params);
    double sum = 0, *work = icseg_calloc_array(count, sizeof *work);
    s->layers = icseg_calloc_array(count, sizeof *s->layers);
    s->work = icseg_calloc_array(count, sizeof *s->work);
    s->costs = icseg_calloc_array(count, sizeof *s->costs);
    if (!work || !s->layers || !s->work || !s->costs) {
        icseg_free(work);
        return icseg_fail_memory(error, 0, "a search");
    }
    for (int32_t i = 0; i < session->network_count; i++)
        if (session->networks[i].executor) add_work(session->networks[i].graph, work);
    if (session->text) add_work(session->text->graph, work);
    for (size_t i = 0; i < count; i++) {
        const icseg_param *p = icseg_params_at(params, (int64_t)i);
        if (!p->is_layer) continue;
        s->work[s->layer_count] = work[i];
        s->layers[s->layer_count++] = p;
        sum += work[i];
    }
    for (int32_t i = 0; i < s->layer_count && sum > 0; i++) s->work[i] /= sum;
    icseg_free(work);
    return ICSEG_OK;
}

/* -- the public function */

static icseg_status read_options(search *s, const icseg_search_options *options, icseg_error *error) {
    icseg_search_options *o = &s->options;
    ICSEG_TRY(icseg_struct_read(o, sizeof *o, options, sizeof *o, "icseg_search_options", error));
    ICSEG_TRY(icseg_progress_read(&s->progress, o->progress, error));
    if (o->agree == 0) o->agree = 0.995;
    if (o->work == 0) o->work = 0.02;
    if (!(o->agree > 0 && o->agree < 1))
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "agree", ICSEG_REMEDY_SET_FIELD,
                                "agree is %g: expected a number above 0 and below 1", o->agree);
    if (!(o->work > 0 && o->work <= 1))
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "work", ICSEG_REMEDY_SET_FIELD,
                                "work is %g: expected a number above 0 and at most 1", o->work);
    return ICSEG_OK;
}

static icseg_status check(const search *s, icseg_error *error) {
    ICSEG_TRY(icseg_calibrator_check(s->calibrator, "icseg_calibrator_search", error));
    if (s->image_count < 1)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "icseg_calibrator_search: count is %d: expected at least 1",
                          s->image_count);
    if (!icseg_compute_has_precision(ICSEG_PRODUCT_INT8))
        return icseg_fail(error, ICSEG_ERROR_UNSUPPORTED,
                          "this processor does not support INT8, so its cost in accuracy cannot be measured here");
    return ICSEG_OK;
}

static icseg_status prepare(search *s, icseg_error *error) {
    s->exact = icseg_calloc_array((size_t)s->image_count, sizeof *s->exact);
    if (!s->exact) return icseg_fail_memory(error, 0, "a search");
    ICSEG_TRY(icseg_activation_ranges_open(&s->trial, error));
    return find_layers(s, error);
}

static void clean_up(search *s) {
    for (int32_t i = 0; s->exact && i < s->image_count; i++) icseg_labels_close(&s->exact[i]);
    icseg_free(s->exact);
    icseg_activation_ranges_close(&s->trial);
    icseg_free(s->layers);
    icseg_free(s->work);
    icseg_free(s->costs);
}

icseg_status icseg_calibrator_search(icseg_calibrator *calibrator, const icseg_image *images, int32_t count,
                                     const icseg_search_options *options, icseg_search_result *out,
                                     icseg_error *error) {
    search s = {.calibrator = calibrator, .images = images, .image_count = count};
    icseg_search_result result = {ICSEG_SEARCH_RESULT_INIT};
    ICSEG_NEED(calibrator);
    ICSEG_NEED(images);
    if (out) ICSEG_TRY(icseg_struct_write(out, &result, sizeof result, sizeof result, "icseg_search_result", error));
    ICSEG_TRY(read_options(&s, options, error));
    ICSEG_TRY(check(&s, error));
    icseg_calibrator_forget(calibrator);
    icseg_status status = prepare(&s, error);
    if (status == ICSEG_OK) status = run(&s, &result, error);
    if (status == ICSEG_OK) {
        icseg_free(calibrator->costs);
        result.costs = calibrator->costs = s.costs;
        result.count = s.cost_count;
        s.costs = NULL;
    }
    clean_up(&s);
    if (status != ICSEG_OK || !out) return status;
    return icseg_struct_write(out, &result, sizeof result, sizeof result, "icseg_search_result", error);
}
