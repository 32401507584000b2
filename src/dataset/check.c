/* SPDX-License-Identifier: Apache-2.0
 * The check before training: every label file is read, in parallel, and what would make training wrong is named. */
#include <omp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/system.h"
#include "dataset/internal.h"
#include "dataset/faults.h"

/* What one thread has counted. Sums do not depend on who adds what, so neither does the summary. */
typedef struct tally {
    uint32_t *values;      /* (65536): how often each stored value occurs in the file at hand */
    int64_t *class_pixels; /* (classes) */
    int64_t *class_images;
    int64_t images, pixels, ignored;
    int32_t min_width, min_height, max_width, max_height;
    bool has_zero, has_others; /* stored values met besides the one that stands for white */
    int64_t white_index;       /* first pair with a white pixel (255, 65535), or -1, */
    int32_t white_x, white_y, white_value;
} tally;

typedef struct check {
    const icseg_dataset *dataset;
    const icseg_progress *progress;
    double started;
    int64_t reported; /* `done` of the last report */
    char **faults;    /* (count), NULL: none */
    tally *tallies;
    int threads;
    _Atomic int64_t done;
    _Atomic int stop; /* an icseg_status: out of memory, cancelled */
} check;

static void note_white(tally *t, int64_t index, const icseg_mask *mask, uint16_t white) {
    size_t i = 0;
    while (mask->data[i] != white) i++;
    t->white_index = index;
    t->white_x = (int32_t)(i % (size_t)mask->width);
    t->white_y = (int32_t)(i / (size_t)mask->width);
    t->white_value = white;
}

/* Counts the values of one mask; fails on a value outside the rule, before anything is added. */
static icseg_status count_mask(const check *c, tally *t, int64_t index, const icseg_mask *mask, icseg_error *error) {
    const int16_t *rule = icseg_dataset_rule(c->dataset, mask->bits);
    int32_t values = mask->bits == 16 ? ICSEG_LABEL_VALUES : 256, white = values - 1;
    size_t n = (size_t)mask->width * (size_t)mask->height;
    memset(t->values, 0, (size_t)values * sizeof *t->values);
    for (size_t i = 0; i < n; i++) t->values[mask->data[i]]++;
    t->has_zero |= t->values[0] > 0;
    if (t->values[white] && (t->white_index < 0 || index < t->white_index)) note_white(t, index, mask, (uint16_t)white);
    bool invalid = false;
    for (int32_t v = 0; v < values; v++) {
        t->has_others |= t->values[v] && v != 0 && v != white;
        invalid |= t->values[v] && rule[v] == ICSEG_LABEL_INVALID;
    }
    if (invalid) return icseg_dataset_fail_value(c->dataset, c->dataset->pairs[index].label, mask, error);
    for (int32_t v = 0; v < values; v++) {
        if (!t->values[v]) continue;
        if (rule[v] == ICSEG_LABEL_IGNORE) {
            t->ignored += t->values[v];
            continue;
        }
        t->class_pixels[rule[v]] += t->values[v];
        t->class_images[rule[v]]++;
    }
    t->pixels += (int64_t)n;
    return ICSEG_OK;
}

static void note_size(tally *t, int32_t width, int32_t height) {
    if (!t->max_width || width < t->min_width) t->min_width = width;
    if (!t->max_height || height < t->min_height) t->min_height = height;
    if (width > t->max_width) t->max_width = width;
    if (height > t->max_height) t->max_height = height;
}

static icseg_status check_pair(const check *c, tally *t, int64_t index, icseg_error *error) {
    const icseg_dataset_pair *pair = &c->dataset->pairs[index];
    int32_t width, height;
    if (!pair->label && !c->dataset->images_only) return icseg_dataset_fail_unpaired(c->dataset, pair, error);
    if (c->dataset->check_images) {
        icseg_image image;
        ICSEG_TRY(icseg_image_read(&image, pair->image, error));
        width = image.width, height = image.height;
        icseg_image_close(&image);
    } else
        ICSEG_TRY(icseg_image_read_size(&width, &height, pair->image, error));
    if (pair->label) {
        icseg_mask mask = {0};
        ICSEG_TRY(icseg_dataset_read_mask(c->dataset, pair->label, &mask, error));
        icseg_status status = icseg_dataset_check_size(pair, width, height, &mask, error);
        if (status == ICSEG_OK) status = count_mask(c, t, index, &mask, error);
        icseg_mask_close(&mask);
        ICSEG_TRY(status);
    } else
        t->pixels += (int64_t)width * height;
    note_size(t, width, height);
    t->images++;
    return ICSEG_OK;
}

static void report(check *c) {
    if (!c->progress || !c->progress->report) return;
    int64_t done = atomic_load(&c->done);
    if (done == c->reported) return;
    c->reported = done;
    icseg_progress_event event = {.stage = "check labels",
                                  .done = (double)done,
                                  .total = (double)c->dataset->count,
                                  .seconds = icseg_clock() - c->started,
                                  .detail = ""};
    if (!c->progress->report(c->progress->user, &event)) atomic_store(&c->stop, ICSEG_ERROR_CANCELLED);
}

/* The calling thread works too, and reports after each file of its own (`thread` 0). */
static void check_one(check *c, int thread, int64_t index) {
    icseg_error error;
    if (atomic_load(&c->stop)) return;
    icseg_status status = check_pair(c, &c->tallies[thread], index, &error);
    if (status == ICSEG_ERROR_MEMORY)
        atomic_store(&c->stop, status);
    else if (status != ICSEG_OK && !(c->faults[index] = icseg_strdup(error.message)))
        atomic_store(&c->stop, ICSEG_ERROR_MEMORY);
    atomic_fetch_add(&c->done, 1);
    if (thread == 0) report(c);
}

static void merge(const check *c, icseg_dataset_summary *out, tally *all) {
    *all = (tally){.white_index = -1};
    for (int i = 0; i < c->threads; i++) {
        const tally *t = &c->tallies[i];
        out->images += t->images;
        out->pixels += t->pixels;
        out->ignored += t->ignored;
        for (int32_t k = 0; k < out->classes; k++) {
            out->class_pixels[k] += t->class_pixels[k];
            out->class_images[k] += t->class_images[k];
        }
        if (t->images) {
            note_size(all, t->min_width, t->min_height);
            note_size(all, t->max_width, t->max_height);
        }
        all->has_zero |= t->has_zero;
        all->has_others |= t->has_others;
        if (t->white_index >= 0 && (all->white_index < 0 || t->white_index < all->white_index)) {
            all->white_index = t->white_index;
            all->white_x = t->white_x, all->white_y = t->white_y, all->white_value = t->white_value;
        }
    }
    out->min_width = all->min_width, out->min_height = all->min_height;
    out->max_width = all->max_width, out->max_height = all->max_height;
}

/* Faults that no single file shows. */
static void check_whole(const check *c, const tally *all, const icseg_dataset_summary *out, icseg_faults *sink) {
    const icseg_dataset *d = c->dataset;
    icseg_error text;
    if (d->images_only) return;
    if (d->layout->format == ICSEG_DATASET_ADE20K && all->white_index >= 0 && !d->ignores_white) {
        icseg_fail(&text, ICSEG_ERROR_DATA,
                   "%s: value %d at x=%d, y=%d; SceneParsing's label files hold 0 (unlabelled) and 1..150: these seem "
                   "to be one lower already; use the files as published, or the folder form (classes.txt, "
                   "data.format = folder)",
                   d->pairs[all->white_index].label, all->white_value, all->white_x, all->white_y);
        icseg_faults_add(sink, text.message);
    } else if (d->looks_like_ade20k && all->has_zero && all->white_index < 0) {
        icseg_fail(&text, ICSEG_ERROR_DATA,
                   "%s: ADE20K's label files, in which 0 means unlabelled and classes count from 1, are read as if 0 "
                   "were a class; set data.reduce_zero_label, or data.format to ade20k",
                   d->label_folder);
        icseg_faults_add(sink, text.message);
    } else if (all->white_index >= 0 && all->has_zero && !all->has_others && d->classes > 1 && !d->ignores_white) {
        icseg_fail(&text, ICSEG_ERROR_DATA,
                   "%s: value %d at x=%d, y=%d: the masks hold only 0 and %d, and %d is ignored, so nothing could be "
                   "told apart; store class numbers (0, 1, ...) instead, or, if %d does mean unlabelled, add it to "
                   "data.ignore",
                   d->pairs[all->white_index].label, all->white_value, all->white_x, all->white_y, all->white_value,
                   all->white_value, all->white_value);
        icseg_faults_add(sink, text.message);
    } else if (!sink->count && out->pixels == out->ignored) {
        icseg_fail(&text, ICSEG_ERROR_DATA,
                   "%s: no pixel of any label file is labelled, all values are ignored; look at data.ignore%s",
                   d->label_folder, d->reduce_zero_label ? " and data.reduce_zero_label" : "");
        icseg_faults_add(sink, text.message);
    }
}

static icseg_status open_check(check *c, icseg_arena *arena, icseg_dataset_summary *out, icseg_error *error) {
    size_t classes = (size_t)c->dataset->classes;
    c->faults = icseg_arena_array(arena, (size_t)c->dataset->count, sizeof *c->faults);
    c->tallies = icseg_arena_array(arena, (size_t)c->threads, sizeof *c->tallies);
    out->classes = c->dataset->classes;
    out->class_pixels = icseg_calloc_array(classes, sizeof *out->class_pixels);
    out->class_images = icseg_calloc_array(classes, sizeof *out->class_images);
    bool fine = c->faults && c->tallies && out->class_pixels && out->class_images;
    for (int i = 0; fine && i < c->threads; i++) {
        tally *t = &c->tallies[i];
        t->white_index = -1;
        t->values = icseg_arena_array(arena, ICSEG_LABEL_VALUES, sizeof *t->values);
        t->class_pixels = icseg_arena_array(arena, classes, sizeof *t->class_pixels);
        t->class_images = icseg_arena_array(arena, classes, sizeof *t->class_images);
        fine = t->values && t->class_pixels && t->class_images;
    }
    return fine ? ICSEG_OK : icseg_fail_memory(error, ICSEG_LABEL_VALUES * sizeof(uint32_t), "checking the data set");
}

icseg_status icseg_dataset_check(const icseg_dataset *dataset, int threads, const icseg_progress *progress,
                                 icseg_dataset_fault on_fault, void *user, icseg_dataset_summary *out,
                                 icseg_error *error) {
    *out = (icseg_dataset_summary){0};
    check c = {.dataset = dataset, .progress = progress, .started = icseg_clock()};
    c.threads = threads > 0 ? threads : icseg_cores();
    if (c.threads > dataset->count) c.threads = (int)dataset->count;
    icseg_faults sink = {.on_fault = on_fault, .user = user};
    icseg_arena *arena;
    icseg_status status;
    ICSEG_TRY(icseg_arena_open(&arena, error));
    ICSEG_TRY_GOTO(open_check(&c, arena, out, error));

#pragma omp parallel num_threads(c.threads)
    {
        int thread = omp_get_thread_num();
#pragma omp for schedule(dynamic)
        for (int64_t i = 0; i < dataset->count; i++) check_one(&c, thread, i);
    }

    status = atomic_load(&c.stop);
    if (status == ICSEG_OK) report(&c), status = atomic_load(&c.stop);
    if (status == ICSEG_ERROR_MEMORY) icseg_fail(error, status, "out of memory while checking the label files");
    if (status == ICSEG_ERROR_CANCELLED) icseg_fail(error, status, "the check of the label files was cancelled");
    if (status != ICSEG_OK) goto fail;

    tally all;
    merge(&c, out, &all);
    for (int64_t i = 0; i < dataset->count; i++)
        if (c.faults[i]) icseg_faults_add(&sink, c.faults[i]);
    for (int64_t i = 0; i < dataset->orphan_count; i++) {
        icseg_error text;
        icseg_fail(&text, ICSEG_ERROR_DATA, "%s: no image of that stem; add the image or remove the label file",
                   dataset->orphans[i]);
        icseg_faults_add(&sink, text.message);
    }
    check_whole(&c, &all, out, &sink);
    out->faults = sink.count;
    if (sink.count) status = icseg_faults_fail(&sink, error);
fail:
    for (int64_t i = 0; c.faults && i < dataset->count; i++) icseg_free(c.faults[i]);
    icseg_arena_close(&arena);
    return status;
}

void icseg_dataset_summary_close(icseg_dataset_summary *summary) {
    if (!summary) return;
    icseg_free(summary->class_pixels);
    icseg_free(summary->class_images);
    *summary = (icseg_dataset_summary){0};
}
