/* SPDX-License-Identifier: Apache-2.0
 * icseg dataset split: the division of a data set and its table. */
#include "dataset_split.h"

#include <stdio.h>
#include <string.h>

#include "support.h"

static int64_t sum(const icseg_split_summary *s, const int64_t *values, int32_t stride) {
    int64_t all = 0;
    for (int32_t i = 0; i < s->splits; i++) all += values[i * stride];
    return all;
}

/* The images of each split, and its share of the whole. */
static void print_line(const icseg_split_summary *s, const char *name, int width, const int64_t *images,
                       const int64_t *pixels, int32_t stride) {
    int64_t all = sum(s, pixels, stride);
    printf("%-*s", width, name);
    for (int32_t i = 0; i < s->splits; i++)
        printf("  %8lld  %6.2f %%", (long long)images[i * stride],
               all ? 100.0 * (double)pixels[i * stride] / (double)all : 0.0);
    printf("\n");
}

static void print_summary(const icseg_split_summary *s, bool grouped) {
    int width = (int)strlen("all images");
    for (int32_t k = 0; k < s->classes; k++) {
        int length = (int)strlen(s->class_names[k]);
        if (length > width) width = length < 40 ? length : 40;
    }
    printf("%-*s", width, "");
    for (int32_t i = 0; i < s->splits; i++) printf("  %18s", s->names[i]);
    printf("\n%-*s", width, "Class");
    for (int32_t i = 0; i < s->splits; i++) printf("  %8s  %8s", "Images", "Pixels");
    printf("\n");
    for (int32_t k = 0; k < s->classes; k++)
        print_line(s, s->class_names[k], width, s->class_images + k, s->class_pixels + k, s->classes);
    print_line(s, "all images", width, s->images, s->images, 1);
    if (grouped) printf("%lld %s of images\n", (long long)s->groups, icseg_plural(s->groups, "group", "groups"));
}

icseg_status dataset_split(const icseg_command_context *context, const icseg_dataset_options *data,
                           const icseg_split_options *options, bool dry_run, icseg_error *error) {
    icseg_split_options o = *options;
    icseg_split_summary s = {ICSEG_SPLIT_SUMMARY_INIT};
    if (!o.out && !dry_run)
        return icseg_error_set(error, ICSEG_ERROR_ARGUMENT,
                               "--out is missing; name the folder of the new data set, or use --dry-run");
    if (dry_run) o.out = NULL;
    TRY(icseg_dataset_split(data, &o, &context->progress, &s, error));
    print_summary(&s, o.group != NULL);
    if (s.others)
        icseg_printer_note(context->printer, "note: %lld %s of other splits %s copied unchanged", (long long)s.others,
                           icseg_plural(s.others, "image", "images"), icseg_plural(s.others, "was", "were"));
    if (o.out && ((data->map && data->map[0]) || data->ignore_count || data->reduce_zero_label))
        icseg_printer_note(context->printer,
                           "note: masks are copied as they are stored; the options --map, --ignore and "
                           "--reduce-zero-label, or the same keys of a recipe's data, also apply to %s",
                           o.out);
    if (o.out) printf("%s\n", o.out);
    icseg_split_summary_close(&s);
    return ICSEG_OK;
}
