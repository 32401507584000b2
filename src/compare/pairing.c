/* SPDX-License-Identifier: Apache-2.0
 * Pairs of evaluations: whether they can be compared image by image, and where they differ most. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compare/comparison.h"

static icseg_status check_classes(const icseg_compared_run *a, const icseg_compared_run *b, icseg_error *error) {
    int32_t classes = a->results.classes, others = b->results.classes;
    if (classes != others)
        return icseg_fail(error, ICSEG_ERROR_DATA,
                          "%s has %d %s, but %s has %d; only runs with the same classes can be compared", b->path,
                          (int)others, icseg_plural(others, "class", "classes"), a->path, (int)classes);
    for (int32_t k = 0; k < classes; k++)
        if (strcmp(a->results.class_names[k], b->results.class_names[k]) != 0)
            return icseg_fail(
                error, ICSEG_ERROR_DATA,
                "class %d of %s is \"%.80s\", but that of %s is \"%.80s\"; only runs with the same classes "
                "in the same order can be compared",
                (int)k, b->path, b->results.class_names[k], a->path, a->results.class_names[k]);
    return ICSEG_OK;
}

static icseg_status fail_missing(const icseg_compared_run *with, const icseg_compared_run *without, const char *name,
                                 icseg_error *error) {
    return icseg_fail(error, ICSEG_ERROR_DATA,
                      "%s was evaluated on the image \"%.200s\", but %s was not; only evaluations of the same images "
                      "can be compared",
                      with->path, name, without->path);
}

/* The images of both are sorted by name. */
static icseg_status check_images(const icseg_compared_run *a, const icseg_compared_run *b, icseg_error *error) {
    const icseg_image_results *x = &a->results, *y = &b->results;
    for (int64_t i = 0; i < x->count || i < y->count; i++) {
        int order = i == x->count ? 1 : i == y->count ? -1 : strcmp(x->images[i].name, y->images[i].name);
        if (order < 0) return fail_missing(a, b, x->images[i].name, error);
        if (order > 0) return fail_missing(b, a, y->images[i].name, error);
    }
    return ICSEG_OK;
}

static int64_t labelled_at(const icseg_image_result *image, int32_t *at, int64_t label) {
    while (*at < image->count && image->pixels[*at].label < label) (*at)++;
    bool found = *at < image->count && image->pixels[*at].label == label;
    return found ? image->pixels[*at].labelled : 0;
}

static icseg_status check_labels(const icseg_compared_run *a, const icseg_compared_run *b, int64_t index,
                                 icseg_error *error) {
    const icseg_image_result *x = &a->results.images[index], *y = &b->results.images[index];
    int32_t at_x = 0, at_y = 0;
    for (int32_t k = 0; k < a->results.classes; k++) {
        int64_t in_x = labelled_at(x, &at_x, k), in_y = labelled_at(y, &at_y, k);
        if (in_x != in_y)
            return icseg_fail(
                error, ICSEG_ERROR_DATA,
                "the image \"%.200s\" has %lld pixels of class \"%.80s\" in the labels of %s, but %lld in "
                "those of %s; only evaluations with the same labels can be compared",
                x->name, (long long)in_y, a->results.class_names[k], b->path, (long long)in_x, a->path);
    }
    return ICSEG_OK;
}

icseg_status icseg_compare_check_pair(const icseg_compared_run *a, const icseg_compared_run *b, icseg_error *error) {
    ICSEG_TRY(check_classes(a, b, error));
    ICSEG_TRY(check_images(a, b, error));
    for (int64_t i = 0; i < a->results.count; i++) ICSEG_TRY(check_labels(a, b, i, error));
    return ICSEG_OK;
}

/* -- single images */

/* The mean IoU of the classes that occur in the labels or the prediction of one image. */
static double image_iou(const icseg_image_result *image) {
    double sum = 0;
    for (int32_t i = 0; i < image->count; i++) {
        const icseg_class_pixels *p = &image->pixels[i];
        sum += p->both ? (double)p->both / (double)(p->labelled + p->predicted - p->both) : 0;
    }
    return image->count ? sum / image->count : (double)NAN;
}

static double group_iou(const icseg_compared_group *group, int64_t index) {
    double sum = 0;
    for (int32_t r = 0; r < group->count; r++) sum += image_iou(&group->run[r]->results.images[index]);
    return sum / group->count;
}

/* The largest difference first; of equal ones the first name. */
static int compare_differences(const void *a, const void *b) {
    const icseg_compared_image *x = a, *y = b;
    double p = fabs(x->difference), q = fabs(y->difference);
    return p != q ? (p < q) - (p > q) : strcmp(x->name, y->name);
}

icseg_status icseg_compare_images(icseg_run_comparison *c, icseg_compared_group *group, icseg_error *error) {
    icseg_compared_image *images = icseg_arena_array(c->arena, (size_t)c->images, sizeof *images);
    int32_t count = 0;
    if (!images) return icseg_fail_memory(error, 0, "the comparison of images");
    for (int64_t i = 0; i < c->images; i++) {
        icseg_compared_image image = {.name = c->runs[0].results.images[i].name,
                                      .baseline = group_iou(&c->groups[0], i),
                                      .value = group_iou(group, i)};
        image.difference = image.value - image.baseline;
        if (image.difference != 0 && !isnan(image.difference)) images[count++] = image;
    }
    qsort(images, (size_t)count, sizeof *images, compare_differences);
    group->images = images;
    group->image_count = count < c->top ? count : c->top;
    return ICSEG_OK;
}
