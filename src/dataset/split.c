/* SPDX-License-Identifier: Apache-2.0
 * icseg_dataset_split: options, the division, and its summary. */
#include "dataset/split.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/argument.h"
#include "base/file.h"
#include "base/struct_size.h"
#include "base/text.h"
#include "base/threads.h"
#include "classes/class_list.h"
#include "dataset/hold_out.h"

enum {
    FIRST_DATA_SIZE = sizeof(icseg_dataset_options), /* in the first release, as below */
    FIRST_OPTIONS_SIZE = sizeof(icseg_split_options),
    FIRST_SUMMARY_SIZE = sizeof(icseg_split_summary)
};

/* ---- options ---- */

static icseg_status fail_option(const char *field, const char *what, icseg_error *error) {
    return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, field, ICSEG_REMEDY_SET_FIELD, "%s: %s", field, what);
}

static icseg_status check_options(const icseg_division *d, icseg_error *error) {
    const icseg_split_options *o = &d->options;
    if (!d->data.folder || !d->data.folder[0])
        return fail_option("folder", "is not set; set it to the folder of the data set", error);
    if (!(o->val >= 0 && o->val <= 0.9)) return fail_option("val", "must be between 0 and 0.9", error);
    if (!(o->test >= 0 && o->test <= 0.9)) return fail_option("test", "must be between 0 and 0.9", error);
    if (o->val + o->test > 0.9) /* as 0.9 is */
        return fail_option("val", "the shares of val and test are more than 0.9 together", error);
    if (!(o->val + o->test > 0))
        return fail_option("val", "is not set; set the share of the images for validation, such as 0.2", error);
    if (o->group && !o->group[0]) return fail_option("group", "is empty", error);
    if (d->data.images_only)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT,
                          "images_only: images without labels cannot be divided by their classes");
    if (d->data.val_share != 0)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "val_share: only a whole split can be divided into new ones");
    return icseg_threads_check(o->threads, error);
}

/* ---- splits ---- */

static bool contains(char *const *names, int32_t count, const char *name) {
    for (int32_t i = 0; i < count; i++)
        if (!strcmp(names[i], name)) return true;
    return false;
}

/* The split to divide: the caller's, or the only one, or "train". */
static icseg_status choose_split(icseg_division *d, char *const *names, int32_t count, icseg_error *error) {
    const char *split = d->data.split;
    if (!split && count <= 1) split = count ? names[0] : "";
    if (!split && contains(names, count, "train")) split = "train";
    if (!split)
        return icseg_fail_field(error, ICSEG_ERROR_DATA, "split", ICSEG_REMEDY_SET_FIELD,
                                "%s: has several splits, none of which is called train; name the one to divide",
                                d->data.folder);
    if (!(d->data.split = icseg_arena_strdup(d->arena, split))) return icseg_fail_memory_in(error, 0, d->data.folder);
    d->others = icseg_arena_array(d->arena, (size_t)count, sizeof *d->others);
    if (!d->others) return icseg_fail_memory_in(error, 0, d->data.folder);
    for (int32_t i = 0; i < count; i++) {
        if (!strcmp(names[i], split)) continue;
        if (!(d->others[d->other_count++] = icseg_arena_strdup(d->arena, names[i])))
            return icseg_fail_memory_in(error, 0, d->data.folder);
    }
    return ICSEG_OK;
}

/* The new splits must not be called like those that stay. */
static icseg_status name_parts(icseg_division *d, icseg_error *error) {
    const icseg_split_options *o = &d->options;
    d->names[d->parts] = d->data.split[0] ? d->data.split : "train";
    d->shares[d->parts++] = 1 - o->val - o->test;
    if (o->val > 0) d->names[d->parts] = "val", d->shares[d->parts++] = o->val;
    if (o->test > 0) d->names[d->parts] = "test", d->shares[d->parts++] = o->test;
    for (int i = 0; i < d->parts; i++)
        if (contains(d->others, d->other_count, d->names[i]) || (i && !strcmp(d->names[i], d->names[0])))
            return icseg_fail_field(error, ICSEG_ERROR_DATA, "split", ICSEG_REMEDY_NONE,
                                    "%s: already has the split %s, which is not overwritten; rename its folders in "
                                    "images and annotations, or leave out its share",
                                    d->data.folder, d->names[i]);
    return ICSEG_OK;
}

static icseg_status open_source(icseg_division *d, icseg_error *error) {
    const icseg_dataset_layout *layout = &icseg_dataset_layouts[ICSEG_LAYOUT_FOLDER];
    const char *plain;
    char **names = NULL;
    int32_t count;
    d->data.keep_unpaired = false;
    ICSEG_TRY(icseg_dataset_find_plain(&plain, &d->data, error));
    if (!plain) ICSEG_TRY(icseg_dataset_find_layout(&layout, &d->data, error));
    if (layout->format != ICSEG_DATASET_FOLDER)
        return icseg_fail(error, ICSEG_ERROR_DATA,
                          "%s: %s is published with its splits; only a data set of the folder format can be divided",
                          d->data.folder, layout->title);
    d->layout = *layout;
    if (plain) d->layout.label_root = plain;
    ICSEG_TRY(icseg_dataset_splits(&names, &count, d->data.folder, error));
    icseg_status status = choose_split(d, names, count, error);
    icseg_free(names);
    ICSEG_TRY(status);
    ICSEG_TRY(name_parts(d, error));
    ICSEG_TRY(icseg_dataset_open_layout(&d->dataset, &d->data, &d->layout, error));
    if (d->dataset->orphan_count)
        icseg_progress_say(
            &d->progress, ICSEG_MESSAGE_WARNING, "%lld label %s left out, the first of them %s",
            (long long)d->dataset->orphan_count,
            icseg_plural(d->dataset->orphan_count, "file has no image and is", "files have no image and are"),
            d->dataset->orphans[0]);
    return ICSEG_OK;
}

/* ---- the division ---- */

static icseg_status check_groups(const icseg_division *d, icseg_error *error) {
    if (d->groups >= d->parts) return ICSEG_OK;
    if (!d->options.group)
        return icseg_fail(error, ICSEG_ERROR_DATA, "%s: %lld image%s cannot be divided into %d splits", d->data.folder,
                          (long long)d->groups, d->groups == 1 ? "" : "s", d->parts);
    return icseg_fail_field(error, ICSEG_ERROR_DATA, "group", ICSEG_REMEDY_SET_FIELD,
                            "%s: the %s of %lld %s %lld group%s, too few for %d splits; use another "
                            "pattern, or none",
                            d->data.folder, icseg_plural(d->dataset->count, "name", "names"),
                            (long long)d->dataset->count, icseg_plural(d->dataset->count, "image makes", "images make"),
                            (long long)d->groups, d->groups == 1 ? "" : "s", d->parts);
}

/* If all labelled pixels are of the first class, the masks may contain only 0 and 255, which the check explains. */
static icseg_status check_classes(const icseg_division *d, icseg_error *error) {
    icseg_dataset_check_options options = {ICSEG_DATASET_CHECK_OPTIONS_INIT, .threads = d->options.threads,
                                           .names_checked = true};
    icseg_dataset_summary summary = {ICSEG_DATASET_SUMMARY_INIT};
    for (int64_t i = 0; i < d->dataset->count; i++)
        for (int32_t c = 0; c < d->counts[i].count; c++)
            if (d->counts[i].classes[c].class != 0) return ICSEG_OK;
    icseg_status status = icseg_dataset_check(d->dataset, &options, NULL, &summary, error);
    icseg_dataset_summary_close(&summary);
    return status;
}

/* What the strata are made from. The row after the classes counts images. */
typedef struct sums {
    int64_t *totals;  /* (classes + 1) */
    int64_t *current; /* (classes + 1) of one group */
    int64_t *first;   /* (groups + 1): the images of each group */
    int64_t *order;   /* (images) by group */
} sums;

static bool open_sums(const icseg_division *d, sums *s) {
    size_t rows = (size_t)d->dataset->classes + 1, images = (size_t)d->dataset->count;
    s->totals = icseg_arena_array(d->arena, rows, sizeof *s->totals);
    s->current = icseg_arena_array(d->arena, rows, sizeof *s->current);
    s->first = icseg_arena_array(d->arena, (size_t)d->groups + 2, sizeof *s->first);
    s->order = icseg_arena_array(d->arena, images, sizeof *s->order);
    if (!s->totals || !s->current || !s->first || !s->order) return false;
    for (size_t i = 0; i < images; i++) s->first[d->group_of[i] + 2]++;
    for (int64_t g = 0; g < d->groups; g++) s->first[g + 2] += s->first[g + 1];
    for (size_t i = 0; i < images; i++) s->order[s->first[d->group_of[i] + 1]++] = (int64_t)i;
    for (size_t i = 0; i < images; i++)
        for (int32_t c = 0; c < d->counts[i].count; c++)
            s->totals[d->counts[i].classes[c].class] += d->counts[i].classes[c].pixels;
    s->totals[rows - 1] = (int64_t)images;
    return true;
}

/* Adds the group's images and appends its strata at `at`; returns their end. */
static int64_t add_group(const icseg_division *d, sums *s, int64_t group, icseg_stratum *strata, int64_t at) {
    int32_t classes = d->dataset->classes;
    for (int32_t k = 0; k <= classes; k++) s->current[k] = 0;
    for (int64_t i = s->first[group]; i < s->first[group + 1]; i++) {
        const icseg_label_count *count = &d->counts[s->order[i]];
        for (int32_t c = 0; c < count->count; c++) s->current[count->classes[c].class] += count->classes[c].pixels;
        s->current[classes]++;
    }
    for (int32_t k = 0; k <= classes; k++) {
        if (!s->current[k]) continue;
        double amount = floor((double)s->current[k] * ICSEG_STRATA_ONE / (double)s->totals[k]);
        strata[at++] = (icseg_stratum){k, (int32_t)amount};
    }
    return at;
}

static icseg_status stratify(icseg_division *d, const char *const *names, icseg_error *error) {
    icseg_strata strata = {.parts = d->parts, .rows = d->dataset->classes + 1, .groups = d->groups};
    size_t most = (size_t)d->groups; /* strata: those of the images, and one of the number of images */
    sums s;
    for (int64_t i = 0; i < d->dataset->count; i++) most += (size_t)d->counts[i].count;
    int64_t *start = icseg_arena_array(d->arena, (size_t)d->groups + 1, sizeof *start);
    icseg_stratum *list = icseg_arena_array(d->arena, most, sizeof *list);
    uint64_t *key = icseg_arena_array(d->arena, (size_t)d->groups, sizeof *key);
    uint8_t *part = icseg_arena_array(d->arena, (size_t)d->groups, sizeof *part);
    d->part = icseg_arena_array(d->arena, (size_t)d->dataset->count, sizeof *d->part);
    if (!start || !list || !key || !part || !d->part || !open_sums(d, &s))
        return icseg_fail_memory(error, 0, "dividing a data set");
    for (int64_t g = 0; g < d->groups; g++) {
        key[g] = icseg_dataset_hash_name(names[g], d->options.seed);
        start[g + 1] = add_group(d, &s, g, list, start[g]);
    }
    strata.share[0] = ICSEG_STRATA_ONE;
    for (int i = 1; i < d->parts; i++) {
        strata.share[i] = (int64_t)(d->shares[i] * ICSEG_STRATA_ONE + 0.5);
        strata.share[0] -= strata.share[i];
    }
    strata.start = start, strata.strata = list, strata.key = key;
    ICSEG_TRY(icseg_stratify(&strata, part, error));
    for (int64_t i = 0; i < d->dataset->count; i++) d->part[i] = part[d->group_of[i]];
    return ICSEG_OK;
}

/* ---- the summary ---- */

static icseg_status summarise(const icseg_division *d, icseg_split_summary *out, icseg_error *error) {
    int32_t classes = d->dataset->classes;
    size_t cells = (size_t)d->parts * (size_t)classes;
    out->splits = d->parts;
    out->classes = classes;
    out->groups = d->groups;
    ICSEG_TRY(
        icseg_dataset_copy_names(&out->names, (char *const *)(uintptr_t)d->names, d->parts, d->data.folder, error));
    ICSEG_TRY(icseg_dataset_copy_names(&out->class_names,
                                       (char *const *)(uintptr_t)icseg_class_list_names(d->dataset->list), classes,
                                       d->data.folder, error));
    out->images = icseg_calloc_array((size_t)d->parts, sizeof *out->images);
    out->class_images = icseg_calloc_array(cells, sizeof *out->class_images);
    out->class_pixels = icseg_calloc_array(cells, sizeof *out->class_pixels);
    if (!out->images || !out->class_images || !out->class_pixels)
        return icseg_fail_memory(error, 0, "the summary of new splits");
    for (int64_t i = 0; i < d->dataset->count; i++) {
        const icseg_label_count *count = &d->counts[i];
        out->images[d->part[i]]++;
        for (int32_t c = 0; c < count->count; c++) {
            size_t cell = (size_t)d->part[i] * (size_t)classes + (size_t)count->classes[c].class;
            out->class_images[cell]++;
            out->class_pixels[cell] += count->classes[c].pixels;
        }
    }
    return ICSEG_OK;
}

/* A class that another split contains cannot be learnt, or not be measured, where it is missing. */
static void warn_missing(const icseg_division *d, const icseg_split_summary *s) {
    enum { NAMED = 3 };
    for (int32_t split = 0; split < s->splits; split++) {
        char names[256] = "";
        size_t used = 0;
        int32_t missing = 0;
        for (int32_t k = 0; k < s->classes; k++) {
            int64_t all = 0;
            for (int32_t i = 0; i < s->splits; i++) all += s->class_images[i * s->classes + k];
            if (!all || s->class_images[split * s->classes + k]) continue;
            if (missing++ < NAMED && used < sizeof names)
                used += (size_t)snprintf(names + used, sizeof names - used, "%s\"%.60s\"", used ? ", " : "",
                                         s->class_names[k]);
        }
        if (missing)
            icseg_progress_say(&d->progress, ICSEG_MESSAGE_WARNING,
                               "%d of %d %s %s missing in the split %s: %s%s; too few %s contain %s", missing,
                               s->classes, icseg_plural(s->classes, "class", "classes"),
                               icseg_plural(missing, "is", "are"), s->names[split], names,
                               missing > NAMED ? ", ..." : "", d->options.group ? "groups" : "images",
                               icseg_plural(missing, "it", "them"));
    }
}

static icseg_status divide(icseg_division *d, icseg_split_summary *out, icseg_error *error) {
    const char **names;
    ICSEG_TRY(check_options(d, error));
    ICSEG_TRY(open_source(d, error));
    ICSEG_TRY(icseg_division_group(d, &names, error));
    ICSEG_TRY(check_groups(d, error));
    if (d->options.out) ICSEG_TRY(icseg_staging_open(&d->staging, d->arena, d->options.out, error));
    ICSEG_TRY(icseg_label_counts_open(&d->counts, d->dataset, icseg_threads_resolve(d->options.threads), &d->progress,
                                      error));
    ICSEG_TRY(check_classes(d, error));
    ICSEG_TRY(stratify(d, names, error));
    ICSEG_TRY(summarise(d, out, error));
    if (d->options.out) ICSEG_TRY(icseg_division_write(d, error));
    out->others = d->copied;
    warn_missing(d, out);
    return ICSEG_OK;
}

static void free_arrays(icseg_split_summary *s) {
    icseg_free(s->names);
    icseg_free(s->class_names);
    icseg_free(s->images);
    icseg_free(s->class_images);
    icseg_free(s->class_pixels);
}

icseg_status icseg_dataset_split(const icseg_dataset_options *data, const icseg_split_options *options,
                                 const icseg_progress *progress, icseg_split_summary *summary, icseg_error *error) {
    icseg_division d = {.staging = ICSEG_STAGING_NONE};
    icseg_split_summary own = {0};
    if (summary)
        ICSEG_TRY(icseg_struct_write(summary, &own, sizeof *summary, FIRST_SUMMARY_SIZE, "icseg_split_summary", error));
    ICSEG_NEED(data);
    ICSEG_NEED(options);
    ICSEG_TRY(icseg_struct_read(&d.data, sizeof d.data, data, FIRST_DATA_SIZE, "icseg_dataset_options", error));
    ICSEG_TRY(
        icseg_struct_read(&d.options, sizeof d.options, options, FIRST_OPTIONS_SIZE, "icseg_split_options", error));
    d.data.struct_size = sizeof d.data;
    ICSEG_TRY(icseg_progress_read(&d.progress, progress, error));
    ICSEG_TRY(icseg_arena_open(&d.arena, error));
    icseg_status status = divide(&d, &own, error);
    if (status == ICSEG_OK && summary)
        icseg_struct_write(summary, &own, sizeof *summary, FIRST_SUMMARY_SIZE, "icseg_split_summary", NULL);
    else
        free_arrays(&own);
    icseg_staging_close(&d.staging);
    if (d.dataset) icseg_label_counts_close(&d.counts, d.dataset->count);
    icseg_dataset_close(&d.dataset);
    icseg_arena_close(&d.arena);
    return status;
}

void icseg_split_summary_close(icseg_split_summary *summary) {
    if (!summary) return;
    free_arrays(summary);
    icseg_struct_write(summary, &(icseg_split_summary){0}, sizeof *summary, FIRST_SUMMARY_SIZE, "icseg_split_summary",
                       NULL);
}
