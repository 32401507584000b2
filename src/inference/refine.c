/* SPDX-License-Identifier: Apache-2.0
 * Labels from refined logits. */
#include "inference/refine.h"

#include <omp.h>
#include <string.h>

#include "base/memory.h"
#include "base/system.h"
#include "base/vmath.h"
#include "inference/pamr.h"

enum { GROUP = 8 }; /* channels that are refined together */

/* The state of one image. Planes are (H, W). */
typedef struct refinement {
    const icseg_blend *blend;
    size_t pixels, at;     /* at: index of the image's first pixel in the outputs */
    float *planes, *other; /* (GROUP, H, W): channels */
    float *current;        /* the best word so far of a class */
    /* Either all classes, for outputs that need them: (H, W, K) */
    float *logits;
    /* or only the most probable class, with its logit and the sum of exp(logit - best) over the classes; the logit of
     * the class "background" if the model has a threshold. */
    float *best, *sum, *background;
    int16_t *label;
} refinement;

static void close_refinement(refinement *r) {
    icseg_free(r->planes);
    icseg_free(r->other);
    icseg_free(r->current);
    icseg_free(r->logits);
    icseg_free(r->best);
    icseg_free(r->sum);
    icseg_free(r->background);
    icseg_free(r->label);
}

static bool has_threshold(const icseg_blend *b) { return b->open && b->open->info.threshold > 0; }

static icseg_status open_refinement(refinement *r, const icseg_blend *b, icseg_error *error) {
    size_t n = (size_t)b->width * (size_t)b->height, plane = n * sizeof(float), classes = (size_t)b->classes;
    size_t group = (size_t)(b->pass->classes < GROUP ? b->pass->classes : GROUP);
    *r = (refinement){.blend = b, .pixels = n};
    bool complete = (r->planes = icseg_alloc_array(group, plane)) && (r->other = icseg_alloc_array(group, plane)) &&
                    (r->current = icseg_alloc(plane));
    if (complete && (b->top_k || b->probabilities))
        complete = (r->logits = icseg_alloc_array(classes, plane)) != NULL;
    else if (complete)
        complete = (r->best = icseg_alloc(plane)) && (r->sum = icseg_alloc(plane)) &&
                   (r->label = icseg_alloc(n * sizeof *r->label)) &&
                   (!has_threshold(b) || (r->background = icseg_alloc(plane)));
    return complete ? ICSEG_OK : icseg_fail_memory(error, (2 * group + 3) * plane, "the refinement of labels");
}

/* -- collecting classes */

ICSEG_KERNEL static void take_larger(float *a, const float *b, int64_t n) {
#pragma omp simd
    for (int64_t i = 0; i < n; i++) a[i] = b[i] > a[i] ? b[i] : a[i];
}

/* Class k after the classes before it. */
ICSEG_KERNEL static void add_class(float *best, float *sum, int16_t *label, const float *logit, int16_t k, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        float z = logit[i], largest = z > best[i] ? z : best[i];
        sum[i] = sum[i] * icseg_exp_below(best[i] - largest) + icseg_exp_below(z - largest);
        if (z > best[i]) label[i] = k;
        best[i] = largest;
    }
}

static void collect_class(refinement *r, int32_t k) {
    const icseg_blend *b = r->blend;
    int64_t rows = b->height, width = b->width;
    if (has_threshold(b) && r->background && k == b->open->info.background)
        memcpy(r->background, r->current, r->pixels * sizeof *r->current);
#pragma omp parallel for schedule(static)
    for (int64_t y = 0; y < rows; y++) {
        const float *logit = r->current + y * width;
        for (int64_t x = 0; r->logits && x < width; x++) r->logits[(y * width + x) * b->classes + k] = logit[x];
        if (r->logits) continue;
        for (int64_t x = 0; k == 0 && x < width; x++) {
            r->best[y * width + x] = logit[x];
            r->sum[y * width + x] = 1;
            r->label[y * width + x] = 0;
        }
        if (k) add_class(r->best + y * width, r->sum + y * width, r->label + y * width, logit, (int16_t)k, width);
    }
}

static void collect_word(refinement *r, const float *plane, bool first) {
    int64_t width = r->blend->width;
    if (first) memcpy(r->current, plane, r->pixels * sizeof *plane);
#pragma omp parallel for schedule(static)
    for (int64_t y = 0; y < r->blend->height; y++)
        if (!first) take_larger(r->current + y * width, plane + y * width, width);
}

/* -- outputs */

static void write_best(const refinement *r) {
    const icseg_blend *b = r->blend;
    for (size_t i = 0; i < r->pixels; i++) {
        float probability = 1 / r->sum[i];
        int16_t label = r->label[i];
        if (has_threshold(b) && (double)probability < b->open->info.threshold) {
            if (label != b->open->info.background) probability *= icseg_exp_below(r->background[i] - r->best[i]);
            label = (int16_t)b->open->info.background;
        }
        if (b->labels) b->labels[r->at + i] = label;
        if (b->confidence) b->confidence[r->at + i] = probability < 1 ? probability : 1;
    }
}

static icseg_status write_all(const refinement *r, icseg_error *error) {
    const icseg_blend *b = r->blend;
    size_t top_k = (size_t)b->top_k, threads = (size_t)b->threads;
    float *best = icseg_alloc_array(threads * (top_k + 1), sizeof *best);
    int16_t *best_class = icseg_alloc_array(threads * (top_k + 1), sizeof *best_class);
    bool complete = best && best_class;
#pragma omp parallel for schedule(static) num_threads(b->threads) if (complete)
    for (size_t i = 0; i < r->pixels; i++) {
        size_t at = (size_t)omp_get_thread_num() * top_k;
        if (complete) icseg_blend_store(b, r->at + i, r->logits + i * (size_t)b->classes, best + at, best_class + at);
    }
    icseg_free(best);
    icseg_free(best_class);
    return complete ? ICSEG_OK : icseg_fail_memory(error, 0, "the most probable classes");
}

/* -- running */

static icseg_status refine_image(refinement *r, const icseg_pamr *pamr, int64_t n, icseg_error *error) {
    const icseg_blend *b = r->blend;
    int64_t channels = b->pass->classes;
    int32_t k = 0, word = 0; /* of the next channel: its class, and which of its words it is */
    for (int64_t first = 0; first < channels; first += GROUP) {
        int64_t count = channels - first < GROUP ? channels - first : GROUP;
        icseg_blend_planes(b, n, first, count, r->planes);
        ICSEG_TRY(icseg_pamr_run(pamr, r->planes, r->other, count, error));
        for (int64_t i = 0; i < count; i++) {
            int32_t words = b->open && b->open->words ? b->open->words[k] : 1;
            collect_word(r, r->planes + (size_t)i * r->pixels, word == 0);
            if (++word < words) continue;
            collect_class(r, k++);
            word = 0;
        }
    }
    if (r->logits) return write_all(r, error);
    write_best(r);
    return ICSEG_OK;
}

static icseg_status open_pamr(icseg_pamr *out, const icseg_images *images, int64_t n, icseg_error *error) {
    size_t bytes = (size_t)images->width * (size_t)images->height * 3 * sizeof(float);
    float *image = icseg_alloc(bytes);
    if (!image) return icseg_fail_memory(error, bytes, "the refinement of labels");
    icseg_window all = {.width = images->width, .height = images->height};
    icseg_images_read(images, (int32_t)n, all, false, image);
    icseg_status status = icseg_pamr_open(out, image, images->height, images->width, error);
    icseg_free(image);
    return status;
}

icseg_status icseg_refine_run(const icseg_blend *b, const icseg_images *images, icseg_error *error) {
    refinement r;
    icseg_status status = open_refinement(&r, b, error);
    for (int32_t n = 0; n < b->images && status == ICSEG_OK; n++) {
        icseg_pamr pamr;
        r.at = (size_t)n * r.pixels;
        status = open_pamr(&pamr, images, n, error);
        if (status == ICSEG_OK) status = refine_image(&r, &pamr, n, error);
        icseg_pamr_close(&pamr);
    }
    close_refinement(&r);
    return status;
}
