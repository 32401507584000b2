/* SPDX-License-Identifier: Apache-2.0
 * Training batches: a ring of samples that are read and augmented. */
#include "loader/loader.h"

#include <string.h>

#include "base/memory.h"
#include "loader/ring.h"

enum { PASTE_ATTEMPTS = 10 };

struct icseg_loader {
    const icseg_dataset *dataset;
    icseg_loader_options options;
    icseg_ring *ring;
};

/* Whether sample n is chosen for a rare class. */
static bool draw_rare(const icseg_loader *l, uint64_t n, icseg_rare_choice *out) {
    icseg_rng rng = icseg_rng_open(l->options.seed, ICSEG_RNG_RARE, n);
    if (!((double)icseg_rng_uniform(&rng) < l->options.augment.rare_samples)) return false;
    *out = icseg_rare_classes_draw(l->options.rare, &rng);
    return true;
}

static int64_t pick(const void *user, uint64_t n) {
    icseg_rare_choice choice;
    return draw_rare(user, n, &choice) ? choice.image : -1;
}

/* Reads an image and augments it. */
static icseg_status augment(const icseg_loader *l, icseg_rare_choice choice, icseg_rng *rng, float *out_image,
                            int16_t *out_labels, icseg_error *error) {
    icseg_image image;
    icseg_labels labels;
    ICSEG_TRY(icseg_dataset_read(l->dataset, choice.image, &image, &labels, error));
    icseg_augment_source source = {&image, &labels, choice.class};
    icseg_status status = icseg_augment(&l->options.augment, rng, &source, out_image, out_labels, error);
    icseg_image_close(&image);
    icseg_labels_close(&labels);
    return status;
}

/* Draws a class and an image other than `item`; false if there seems to be none. */
static bool draw_other(const icseg_loader *l, int64_t item, icseg_rng *rng, icseg_rare_choice *out) {
    for (int i = 0; i < PASTE_ATTEMPTS; i++) {
        *out = icseg_rare_classes_draw(l->options.rare, rng);
        if (out->image != item) return true;
    }
    return false;
}

/* Copies the pixels of a rare class from another augmented image onto sample n, perhaps. */
static icseg_status paste(const icseg_loader *l, uint64_t n, int64_t item, float *image, int16_t *labels,
                          icseg_error *error) {
    const icseg_augment_options *o = &l->options.augment;
    size_t pixels = (size_t)o->crop_height * (size_t)o->crop_width;
    icseg_rare_choice choice;
    icseg_rng rng = icseg_rng_open(l->options.seed, ICSEG_RNG_PASTE, n);
    if (!((double)icseg_rng_uniform(&rng) < o->copy_paste) || !draw_other(l, item, &rng, &choice)) return ICSEG_OK;
    float *from = icseg_alloc_array(pixels, 3 * sizeof *from);
    int16_t *from_labels = icseg_alloc_array(pixels, sizeof *from_labels);
    icseg_status status = from && from_labels ? augment(l, choice, &rng, from, from_labels, error)
                                              : icseg_fail_memory(error, pixels * 3 * sizeof *from, "a pasted image");
    for (size_t i = 0; i < pixels && status == ICSEG_OK; i++) {
        if (from_labels[i] != choice.class) continue;
        memcpy(image + 3 * i, from + 3 * i, 3 * sizeof *image);
        labels[i] = from_labels[i];
    }
    icseg_free(from);
    icseg_free(from_labels);
    return status;
}

static icseg_status make_sample(const void *user, uint64_t n, int64_t item, void *const part[ICSEG_RING_PARTS],
                                icseg_error *error) {
    const icseg_loader *l = user;
    icseg_rare_choice choice = {.class = -1};
    icseg_rng rng = icseg_rng_open(l->options.seed, ICSEG_RNG_AUGMENT, n);
    draw_rare(l, n, &choice);
    choice.image = item;
    ICSEG_TRY(augment(l, choice, &rng, part[0], part[1], error));
    return paste(l, n, item, part[0], part[1], error);
}

static icseg_status open_ring(icseg_loader *l, icseg_error *error) {
    const icseg_loader_options *o = &l->options;
    size_t pixels = (size_t)o->augment.crop_height * (size_t)o->augment.crop_width;
    icseg_ring_options ring = {.items = icseg_dataset_count(l->dataset),
                               .bytes = {pixels * 3 * sizeof(float), pixels * sizeof(int16_t)},
                               .batch = o->batch,
                               .threads = o->threads,
                               .ahead = o->ahead,
                               .seed = o->seed,
                               .first_step = o->first_step,
                               .share = o->share,
                               .shares = o->shares,
                               .make = make_sample,
                               .pick = o->augment.rare_samples > 0 ? pick : NULL,
                               .user = l};
    return icseg_ring_open(&l->ring, &ring, error);
}

icseg_status icseg_loader_open(icseg_loader **out, const icseg_dataset *dataset, const icseg_loader_options *options,
                               icseg_error *error) {
    *out = NULL;
    if (!icseg_dataset_label_path(dataset, 0))
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "loader: the data set was opened without labels");
    ICSEG_TRY(icseg_augment_check(&options->augment, error));
    if ((options->augment.rare_samples > 0 || options->augment.copy_paste > 0) && !options->rare)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "loader: the probabilities of rare classes are missing");
    icseg_loader *l = icseg_calloc_array(1, sizeof *l);
    if (!l) return icseg_fail_memory(error, sizeof *l, "the loader");
    l->dataset = dataset;
    l->options = *options;
    icseg_status status = open_ring(l, error);
    if (status != ICSEG_OK)
        icseg_loader_close(&l);
    else
        *out = l;
    return status;
}

icseg_status icseg_loader_next(icseg_loader *l, icseg_loader_batch *out, icseg_error *error) {
    icseg_ring_batch b;
    *out = (icseg_loader_batch){0};
    ICSEG_TRY(icseg_ring_next(l->ring, &b, error));
    *out = (icseg_loader_batch){
        .step = b.step, .size = l->options.batch, .image = b.part[0], .labels = b.part[1], .sample = b.item};
    return ICSEG_OK;
}

void icseg_loader_close(icseg_loader **loader) {
    if (!loader || !*loader) return;
    icseg_ring_close(&(*loader)->ring);
    icseg_free(*loader);
    *loader = NULL;
}
