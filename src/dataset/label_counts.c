/* SPDX-License-Identifier: Apache-2.0
 * Counts the pixels of each class in each image, in parallel. */
#include "dataset/label_counts.h"

#include <omp.h>
#include <pthread.h>
#include <stdatomic.h>

typedef struct counting {
    const icseg_dataset *dataset;
    icseg_label_count *counts; /* (images) */
    int64_t *pixels;           /* (threads, classes) of the current file */
    icseg_stage stage;
    _Atomic int64_t done;
    _Atomic int64_t failed; /* the first image that failed; the number of images: none */
    icseg_error error;      /* of that image */
    pthread_mutex_t mutex;  /* of the two */
} counting;

static icseg_status count_mask(const counting *c, int64_t index, const icseg_mask *mask, int64_t *pixels,
                               icseg_error *error) {
    const icseg_dataset *d = c->dataset;
    const int16_t *rule = icseg_dataset_rule(d, mask->bits);
    icseg_label_count *out = &c->counts[index];
    size_t n = (size_t)mask->width * (size_t)mask->height;
    int32_t present = 0;
    for (int32_t k = 0; k < d->classes; k++) pixels[k] = 0;
    for (size_t i = 0; i < n; i++) {
        int16_t label = rule[mask->data[i]];
        if (label == ICSEG_LABEL_INVALID) return icseg_dataset_fail_value(d, d->pairs[index].label, mask, error);
        if (label != ICSEG_LABEL_IGNORE) pixels[label]++;
    }
    for (int32_t k = 0; k < d->classes; k++) present += pixels[k] > 0;
    if (!present) return ICSEG_OK;
    out->classes = icseg_alloc_array((size_t)present, sizeof *out->classes);
    if (!out->classes) return icseg_fail_memory(error, 0, "the classes of an image");
    for (int32_t k = 0; k < d->classes; k++)
        if (pixels[k]) out->classes[out->count++] = (icseg_class_pixels){k, pixels[k]};
    return ICSEG_OK;
}

static icseg_status count_image(counting *c, int64_t index, int64_t *pixels, icseg_error *error) {
    icseg_mask mask;
    ICSEG_TRY(icseg_dataset_read_mask(c->dataset, c->dataset->pairs[index].label, &mask, error));
    icseg_status status = count_mask(c, index, &mask, pixels, error);
    icseg_mask_close(&mask);
    ICSEG_TRY(status);
    int64_t done = atomic_fetch_add(&c->done, 1) + 1;
    return omp_get_thread_num() ? ICSEG_OK : icseg_stage_report(&c->stage, done, "", error);
}

static void count_all(counting *c, int threads) {
    const icseg_dataset *d = c->dataset;
#pragma omp parallel for num_threads(threads) schedule(dynamic)
    for (int64_t i = 0; i < d->count; i++) {
        icseg_error error;
        if (i > atomic_load(&c->failed)) continue;
        if (count_image(c, i, c->pixels + omp_get_thread_num() * (int64_t)d->classes, &error) == ICSEG_OK) continue;
        pthread_mutex_lock(&c->mutex);
        if (i < atomic_load(&c->failed)) {
            c->error = error;
            atomic_store(&c->failed, i);
        }
        pthread_mutex_unlock(&c->mutex);
    }
}

icseg_status icseg_label_counts_open(icseg_label_count **out, const icseg_dataset *dataset, int threads,
                                     const icseg_progress *progress, icseg_error *error) {
    counting c = {.dataset = dataset, .failed = dataset->count, .mutex = PTHREAD_MUTEX_INITIALIZER};
    if (threads > dataset->count) threads = (int)dataset->count;
    c.stage = icseg_stage_begin(progress, "read labels", dataset->count, "images");
    c.counts = *out = icseg_calloc_array((size_t)dataset->count, sizeof **out);
    c.pixels = icseg_alloc_array((size_t)threads * (size_t)dataset->classes, sizeof *c.pixels);
    icseg_status status = ICSEG_OK;
    if (!c.counts || !c.pixels)
        status = icseg_fail_memory(error, 0, "the classes of the images");
    else {
        count_all(&c, threads);
        if (atomic_load(&c.failed) < dataset->count) {
            status = c.error.status;
            if (error) *error = c.error;
        } else
            status = icseg_stage_report(&c.stage, dataset->count, "", error);
    }
    icseg_free(c.pixels);
    if (status != ICSEG_OK) icseg_label_counts_close(out, dataset->count);
    return status;
}

void icseg_label_counts_close(icseg_label_count **counts, int64_t images) {
    for (int64_t i = 0; *counts && i < images; i++) icseg_free((*counts)[i].classes);
    icseg_free(*counts);
    *counts = NULL;
}
