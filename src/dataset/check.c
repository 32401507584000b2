/* SPDX-License-Identifier: Apache-2.0
 * The check before training: reads every label file, in parallel, and reports everything that would spoil training. */
#include <limits.h>
#include <omp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/argument.h"
#include "base/file.h"
#include "base/progress.h"
#include "base/struct_size.h"
#include "base/system.h"
#include "base/text.h"
#include "base/threads.h"
#include "dataset/internal.h"
#include "dataset/problems.h"
#include "image/check.h"
#include "text/misencoded.h"

enum {
    FIRST_OPTIONS_SIZE = sizeof(icseg_dataset_check_options), /* in the first release, as below */
    FIRST_SUMMARY_SIZE = sizeof(icseg_dataset_summary)
};

/* The counts of one thread. They are integers, so the summary does not depend on the assignment of files to threads. */
typedef struct tally {
    uint32_t *values;      /* (65536): pixels of each stored value in the current file */
    int64_t *class_pixels; /* (classes) */
    int64_t *class_images;
    int64_t images, pixels, ignored;
    int32_t min_width, min_height, max_width, max_height;
    bool has_zero, has_others; /* stored values besides white (255, 65535) */
    int64_t white_index;       /* the first pair with a white pixel, or -1; its position and value follow */
    int32_t white_x, white_y, white_value;
} tally;

typedef struct check {
    const icseg_dataset *dataset;
    bool decode_images;
    icseg_stage stage;
    int64_t reported; /* `done` of the last report */
    icseg_error cancelled;
    icseg_kept_problem **problems; /* (count); NULL: none */
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

/* Counts the values of one mask. On a value outside the rule it fails without adding anything. */
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

/* Reads the header of an image, and its pixels if that was asked for. The pixels of some 16-bit images show whether
 * they are dark, which headers do not tell. */
static icseg_status check_image(const check *c, int64_t index, icseg_image_info *out, icseg_error *error) {
    enum { SAMPLE = 4 };
    const icseg_dataset *d = c->dataset;
    const char *path = d->pairs[index].image;
    *out = (icseg_image_info){ICSEG_IMAGE_INFO_INIT};
    if (!c->decode_images) ICSEG_TRY(icseg_image_examine(path, &d->values, out, error));
    if (c->decode_images || (out->bits == 16 && index < SAMPLE)) {
        icseg_image image;
        icseg_image_input input = {ICSEG_IMAGE_INPUT_INIT, .path = path, .values = &d->values};
        out->struct_size = sizeof *out;
        ICSEG_TRY(icseg_image_load(&image, &input, out, error));
        icseg_image_close(&image);
    }
    icseg_dataset_take_note(d, index, out);
    return ICSEG_OK;
}

static icseg_status check_pair(const check *c, tally *t, int64_t index, icseg_error *error) {
    const icseg_dataset_pair *pair = &c->dataset->pairs[index];
    icseg_image_info info;
    if (!pair->label && !c->dataset->images_only) return icseg_dataset_fail_unpaired(c->dataset, pair, error);
    ICSEG_TRY(check_image(c, index, &info, error));
    int32_t width = info.width, height = info.height;
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
    int64_t done = atomic_load(&c->done);
    if (done == c->reported) return;
    c->reported = done;
    if (icseg_stage_report(&c->stage, done, "", &c->cancelled) != ICSEG_OK)
        atomic_store(&c->stop, ICSEG_ERROR_CANCELLED);
}

/* The calling thread (`thread` 0) works too, and reports progress after each of its own files. */
static void check_one(check *c, int thread, int64_t index) {
    icseg_error error;
    if (atomic_load(&c->stop)) return;
    icseg_status status = check_pair(c, &c->tallies[thread], index, &error);
    if (status == ICSEG_ERROR_MEMORY)
        atomic_store(&c->stop, status);
    else if (status != ICSEG_OK && !(c->problems[index] = icseg_problem_keep(&error)))
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

/* Whether a label file of the folder has a value other than 0 and its white. Files that cannot be read do not. */
static bool has_other_values(const icseg_dataset *d, const char *folder) {
    char **names, path[PATH_MAX];
    size_t count;
    bool found = false;
    if (icseg_folder_list(folder, &names, &count, NULL) != ICSEG_OK) return false;
    for (size_t i = 0; i < count && !found; i++) {
        icseg_mask mask;
        if (snprintf(path, sizeof path, "%s/%s", folder, names[i]) >= (int)sizeof path ||
            icseg_dataset_read_mask(d, path, &mask, NULL) != ICSEG_OK)
            continue;
        uint16_t white = mask.bits == 16 ? 65535 : 255;
        size_t pixels = (size_t)mask.width * (size_t)mask.height;
        for (size_t k = 0; k < pixels && !found; k++) found = mask.data[k] && mask.data[k] != white;
        icseg_mask_close(&mask);
    }
    icseg_free(names);
    return found;
}

/* The same for all label files of the data set: in a set of several classes, one split, or the images that are held out
 * of one, may happen to have masks of 0 and 255 only. */
static bool any_split_has_other_values(const icseg_dataset *d) {
    char parent[PATH_MAX], path[PATH_MAX];
    const char *name = NULL;
    bool found = false, is_folder;
    DIR *dir;
    if (d->layout->format != ICSEG_DATASET_FOLDER) return false;
    size_t length = (size_t)(icseg_path_name(d->label_folder) - d->label_folder);
    if (!length || length >= sizeof parent) return false;
    memcpy(parent, d->label_folder, length - 1);
    parent[length - 1] = '\0';
    if (strcmp(icseg_path_name(parent), d->layout->label_root) != 0) return has_other_values(d, d->label_folder);
    if (icseg_folder_open(&dir, parent, NULL) != ICSEG_OK) return false;
    while (!found && icseg_folder_next(dir, parent, &name, NULL) == ICSEG_OK && name) {
        if (name[0] == '.' || icseg_folder_is(dir, parent, name, S_IFDIR, &is_folder, NULL) != ICSEG_OK || !is_folder)
            continue;
        if (snprintf(path, sizeof path, "%s/%s", parent, name) < (int)sizeof path) found = has_other_values(d, path);
    }
    closedir(dir);
    return found;
}

/* Problems that only the whole set shows. */
static bool check_whole(const check *c, const tally *all, const icseg_dataset_summary *out, bool others,
                        icseg_error *problem) {
    const icseg_dataset *d = c->dataset;
    const char *white_path = all->white_index >= 0 ? d->pairs[all->white_index].label : NULL;
    int32_t white = all->white_value;
    if (d->images_only) return false;
    if (d->layout->format == ICSEG_DATASET_ADE20K && white_path && !d->ignores_white)
        icseg_fail_field(problem, ICSEG_ERROR_DATA, "format", ICSEG_REMEDY_SET_FIELD,
                         "%s: value %d at x=%d, y=%d; the label files of SceneParsing contain 0 (unlabelled) and "
                         "1..150, but these seem to be shifted down by one; use the files as published, or the format "
                         "folder with a classes.txt",
                         white_path, white, all->white_x, all->white_y);
    else if (d->looks_like_ade20k && all->has_zero && !white_path)
        icseg_fail_field(
            problem, ICSEG_ERROR_DATA, "reduce_zero_label", ICSEG_REMEDY_SET_FIELD,
            "%s: these are ADE20K's label files, in which 0 means unlabelled and classes count from 1, but "
            "0 is read as a class; set the format to ade20k, or set reduce_zero_label",
            d->label_folder);
    else if (white_path && all->has_zero && !all->has_others && !d->ignores_white && !any_split_has_other_values(d))
        icseg_fail_field(problem, ICSEG_ERROR_DATA, "map", ICSEG_REMEDY_SET_FIELD,
                         "%s: value %d at x=%d, y=%d; the masks contain only 0 and %d, and %d is ignored, so only one "
                         "class remains; map it to a class (%d=1), or add it to the ignored values if it does mean "
                         "unlabelled",
                         white_path, white, all->white_x, all->white_y, white, white, white);
    else if (!others && out->pixels == out->ignored)
        icseg_fail_field(problem, ICSEG_ERROR_DATA, d->reduce_zero_label ? "reduce_zero_label" : "ignore",
                         ICSEG_REMEDY_SET_FIELD,
                         "%s: all pixels of all label files are unlabelled; check the ignored values%s",
                         d->label_folder, d->reduce_zero_label ? " and reduce_zero_label" : "");
    else
        return false;
    return true;
}

static void report_problems(const check *c, const tally *all, const icseg_dataset_summary *out, icseg_problems *sink) {
    const icseg_dataset *d = c->dataset;
    icseg_error problem;
    for (int64_t i = 0; i < d->count; i++) {
        if (!c->problems[i]) continue;
        icseg_problem_restore(c->problems[i], &problem);
        icseg_problems_add(sink, &problem);
    }
    for (int64_t i = 0; i < d->orphan_count; i++) {
        icseg_fail(&problem, ICSEG_ERROR_DATA, "%s: its image is missing; add the image or remove the label file",
                   d->orphans[i]);
        icseg_problems_add(sink, &problem);
    }
    if (check_whole(c, all, out, sink->count > 0, &problem)) icseg_problems_add(sink, &problem);
}

/* Nothing can be learnt from a split of one class, and little if half of the classes are missing. */
static void warn_about_classes(const icseg_dataset *d, const icseg_dataset_summary *s, const icseg_progress *progress) {
    int32_t present = 0, last = 0;
    for (int32_t k = 0; k < s->classes; k++)
        if (s->class_pixels[k]) present++, last = k;
    if (d->images_only || !present) return;
    if (present == 1)
        icseg_progress_say(progress, ICSEG_MESSAGE_WARNING, "%s: all labelled pixels are of one class, \"%s\"",
                           d->label_folder, icseg_dataset_class_names(d)[last]);
    else if (2 * present <= s->classes)
        icseg_progress_say(progress, ICSEG_MESSAGE_WARNING, "%s: %d of %d classes %s no pixels", d->label_folder,
                           s->classes - present, s->classes, icseg_plural(s->classes - present, "has", "have"));
}

static icseg_status open_check(check *c, icseg_arena *arena, icseg_dataset_summary *out, icseg_error *error) {
    size_t classes = (size_t)c->dataset->classes;
    c->problems = icseg_arena_array(arena, (size_t)c->dataset->count, sizeof *c->problems);
    c->tallies = icseg_arena_array(arena, (size_t)c->threads, sizeof *c->tallies);
    out->classes = c->dataset->classes;
    out->class_pixels = icseg_calloc_array(classes, sizeof *out->class_pixels);
    out->class_images = icseg_calloc_array(classes, sizeof *out->class_images);
    bool complete = c->problems && c->tallies && out->class_pixels && out->class_images;
    for (int i = 0; complete && i < c->threads; i++) {
        tally *t = &c->tallies[i];
        t->white_index = -1;
        t->values = icseg_arena_array(arena, ICSEG_LABEL_VALUES, sizeof *t->values);
        t->class_pixels = icseg_arena_array(arena, classes, sizeof *t->class_pixels);
        t->class_images = icseg_arena_array(arena, classes, sizeof *t->class_images);
        complete = t->values && t->class_pixels && t->class_images;
    }
    return complete ? ICSEG_OK : icseg_fail_memory(error, 0, "checking the data set");
}

static icseg_status run_check(check *c, icseg_dataset_summary *out, icseg_problems *sink, icseg_error *error) {
    const icseg_dataset *dataset = c->dataset;
#pragma omp parallel num_threads(c->threads)
    {
        int thread = omp_get_thread_num();
#pragma omp for schedule(dynamic)
        for (int64_t i = 0; i < dataset->count; i++) check_one(c, thread, i);
    }
    if (!atomic_load(&c->stop)) report(c);
    icseg_status status = (icseg_status)atomic_load(&c->stop);
    if (status == ICSEG_ERROR_MEMORY) return icseg_fail_memory(error, 0, "checking the label files");
    if (status == ICSEG_ERROR_CANCELLED) return icseg_fail(error, status, "%s", c->cancelled.message);
    tally all;
    merge(c, out, &all);
    report_problems(c, &all, out, sink);
    out->problems = sink->count;
    return sink->count ? icseg_problems_fail(sink, error) : ICSEG_OK;
}

icseg_status icseg_dataset_check(const icseg_dataset *dataset, const icseg_dataset_check_options *options,
                                 const icseg_progress *progress, icseg_dataset_summary *out, icseg_error *error) {
    icseg_dataset_check_options o;
    icseg_dataset_summary summary = {0};
    icseg_progress own;
    icseg_arena *arena;
    ICSEG_NEED(out);
    ICSEG_TRY(icseg_struct_write(out, &summary, sizeof *out, FIRST_SUMMARY_SIZE, "icseg_dataset_summary", error));
    ICSEG_NEED(dataset);
    ICSEG_TRY(icseg_struct_read(&o, sizeof o, options, FIRST_OPTIONS_SIZE, "icseg_dataset_check_options", error));
    ICSEG_TRY(icseg_threads_check(o.threads, error));
    ICSEG_TRY(icseg_progress_read(&own, progress, error));
    if (!o.names_checked) icseg_warn_misencoded(icseg_class_list_synonyms(dataset->list), dataset->classes, &own);
    check c = {.dataset = dataset, .decode_images = o.decode_images};
    c.stage = icseg_stage_begin(&own, "check labels", dataset->count, "images");
    c.threads = o.threads ? o.threads : icseg_cores();
    if (c.threads > dataset->count) c.threads = (int)dataset->count;
    icseg_problems sink = {.on_problem = o.on_problem, .user = o.user};
    ICSEG_TRY(icseg_arena_open(&arena, error));
    icseg_status status = open_check(&c, arena, &summary, error);
    if (status == ICSEG_OK) status = run_check(&c, &summary, &sink, error);
    if (status == ICSEG_OK) warn_about_classes(dataset, &summary, &own);
    for (int64_t i = 0; c.problems && i < dataset->count; i++) icseg_free(c.problems[i]);
    icseg_arena_close(&arena);
    icseg_struct_write(out, &summary, sizeof *out, FIRST_SUMMARY_SIZE, "icseg_dataset_summary", NULL);
    return status;
}

void icseg_dataset_summary_close(icseg_dataset_summary *summary) {
    if (!summary) return;
    icseg_free(summary->class_pixels);
    icseg_free(summary->class_images);
    icseg_struct_write(summary, &(icseg_dataset_summary){0}, sizeof *summary, FIRST_SUMMARY_SIZE,
                       "icseg_dataset_summary", NULL);
}
