/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/rare_classes.h"

#include <math.h>

#include "base/memory.h"
#include "dataset/label_counts.h"

struct icseg_rare_classes {
    int32_t classes;
    double *below;   /* (classes + 1): the probability of all classes before */
    int64_t *first;  /* (classes + 1): images of class k are image[first[k]] .. image[first[k + 1] - 1] */
    uint32_t *image; /* (first[classes]) */
};

static double temper(double share, double least, double temperature) { return exp((least - share) / temperature); }

/* below: pixels of class k in below[k + 1], which become probabilities. */
static void find_probabilities(icseg_rare_classes *r, double temperature) {
    double all = 0, least = 1, sum = 0;
    for (int32_t k = 0; k < r->classes; k++) all += r->below[k + 1];
    for (int32_t k = 0; k < r->classes; k++)
        if (r->below[k + 1] > 0) least = fmin(least, r->below[k + 1] / all);
    for (int32_t k = 0; k < r->classes; k++) {
        if (r->below[k + 1] > 0) sum += temper(r->below[k + 1] / all, least, temperature);
        r->below[k + 1] = r->below[k + 1] > 0 ? temper(r->below[k + 1] / all, least, temperature) : 0;
    }
    for (int32_t k = 0; k < r->classes; k++) r->below[k + 1] = r->below[k] + r->below[k + 1] / sum;
}

static icseg_status list_images(icseg_rare_classes *r, const icseg_label_count *counts, int64_t images,
                                icseg_error *error) {
    for (int64_t i = 0; i < images; i++)
        for (int32_t j = 0; j < counts[i].count; j++) r->first[counts[i].classes[j].class + 1]++;
    for (int32_t k = 0; k < r->classes; k++) r->first[k + 1] += r->first[k];
    int64_t entries = r->first[r->classes];
    if (entries == 0)
        return icseg_fail(error, ICSEG_ERROR_DATA, "no training image has a labelled pixel, so no class can be drawn");
    r->image = icseg_alloc_array((size_t)entries, sizeof *r->image);
    int64_t *next = icseg_calloc_array((size_t)r->classes, sizeof *next);
    icseg_status status = r->image && next ? ICSEG_OK : icseg_fail_memory(error, 0, "the images of the classes");
    for (int64_t i = 0; i < images && status == ICSEG_OK; i++)
        for (int32_t j = 0; j < counts[i].count; j++) {
            const icseg_class_pixels *c = &counts[i].classes[j];
            r->image[r->first[c->class] + next[c->class]++] = (uint32_t)i;
            r->below[c->class + 1] += (double)c->pixels;
        }
    icseg_free(next);
    return status;
}

icseg_status icseg_rare_classes_open(icseg_rare_classes **out, const icseg_dataset *dataset, double temperature,
                                     int threads, const icseg_progress *progress, icseg_error *error) {
    icseg_label_count *counts = NULL;
    int32_t classes = icseg_dataset_classes(dataset);
    int64_t images = icseg_dataset_count(dataset);
    *out = NULL;
    ICSEG_TRY(icseg_label_counts_open(&counts, dataset, threads, progress, error));
    icseg_status status;
    icseg_rare_classes *r = icseg_calloc_array(1, sizeof *r);
    if (r) {
        r->classes = classes;
        r->below = icseg_calloc_array((size_t)classes + 1, sizeof *r->below);
        r->first = icseg_calloc_array((size_t)classes + 1, sizeof *r->first);
    }
    if (!r || !r->below || !r->first)
        status = icseg_fail_memory(error, 0, "the images of the classes");
    else
        status = list_images(r, counts, images, error);
    icseg_label_counts_close(&counts, images);
    if (status == ICSEG_OK) {
        find_probabilities(r, temperature);
        *out = r;
    } else
        icseg_rare_classes_close(&r);
    return status;
}

double icseg_rare_classes_probability(const icseg_rare_classes *r, int32_t class) {
    return r->below[class + 1] - r->below[class];
}

icseg_rare_choice icseg_rare_classes_draw(const icseg_rare_classes *r, icseg_rng *rng) {
    double at = (double)(icseg_rng_u64(rng) >> 11) * 0x1p-53 * r->below[r->classes];
    int32_t k = 0, last = r->classes - 1;
    while (k < last && at >= r->below[k + 1]) k++;
    while (r->first[k] == r->first[k + 1]) k--; /* rounding: the last classes may have no images */
    uint64_t count = (uint64_t)(r->first[k + 1] - r->first[k]);
    return (icseg_rare_choice){k, r->image[r->first[k] + (int64_t)icseg_rng_below(rng, count)]};
}

void icseg_rare_classes_close(icseg_rare_classes **rare) {
    if (!rare || !*rare) return;
    icseg_free((*rare)->below);
    icseg_free((*rare)->first);
    icseg_free((*rare)->image);
    icseg_free(*rare);
    *rare = NULL;
}
