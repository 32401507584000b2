/* SPDX-License-Identifier: Apache-2.0
 * A comparison as tables of text, in percent. */
#include <math.h>
#include <string.h>

#include "compare/comparison.h"

enum { NAME_WIDTH = 32, SETTING_WIDTH = 24, CELL_BYTES = 64 };

/* Characters of UTF-8. */
static int width_of(const char *text) {
    int width = 0;
    for (; *text; text++) width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

/* The text and blanks up to a width. Names come from files: control characters must not reach a terminal. */
static void put_text(icseg_string *out, const char *text, int width) {
    for (const char *c = text; *c; c++) icseg_string_append(out, (unsigned char)*c < 0x20 || *c == 0x7f ? "?" : c, 1);
    for (int i = width_of(text); i < width; i++) icseg_string_append(out, " ", 1);
}

static void put_share(icseg_string *out, const char *format, double share) {
    char text[CELL_BYTES] = "-";
    if (!isnan(share)) icseg_text_printf(text, sizeof text, format, 100 * share);
    icseg_string_printf(out, "%9s", text);
}

static void put_range(icseg_string *out, const icseg_score_range *range) {
    char text[CELL_BYTES] = "-", above[CELL_BYTES] = "-";
    if (!isnan(range->low)) icseg_text_printf(text, sizeof text, "%+.2f to %+.2f", 100 * range->low, 100 * range->high);
    if (!isnan(range->above)) icseg_text_printf(above, sizeof above, "%.1f", 100 * range->above);
    icseg_string_printf(out, "  %18s  %7s\n", text, above);
}

static void put_mean(icseg_string *out, double mean, double deviation) {
    char text[CELL_BYTES] = "-";
    if (!isnan(deviation))
        icseg_text_printf(text, sizeof text, "%.2f +- %.2f", 100 * mean, 100 * deviation);
    else if (!isnan(mean))
        icseg_text_printf(text, sizeof text, "%.2f", 100 * mean);
    icseg_string_printf(out, "  %15s", text);
}

/* -- groups */

static void put_members(icseg_string *out, const icseg_run_comparison *c, int32_t g) {
    const icseg_compared_group *group = &c->groups[g];
    icseg_string_printf(out, "%c: ", icseg_compare_letter(g));
    for (int32_t i = 0; i < group->count; i++) {
        if (i) icseg_string_printf(out, ", ");
        put_text(out, group->run[i]->path, 0);
    }
    icseg_string_printf(out, "\n");
}

static void put_groups(icseg_string *out, const icseg_run_comparison *c) {
    put_text(out, "Group", NAME_WIDTH + 3);
    icseg_string_printf(out, "%5s  %15s  %15s  %15s\n", "Runs", "mIoU", "mAcc", "aAcc");
    for (int32_t g = 0; g < c->group_count; g++) {
        const icseg_compared_group *group = &c->groups[g];
        icseg_string_printf(out, "%c  ", icseg_compare_letter(g));
        put_text(out, group->name, NAME_WIDTH);
        icseg_string_printf(out, "%5d", (int)group->count);
        for (int s = 0; s < ICSEG_SCORE_MEANS; s++) put_mean(out, group->mean[s], group->deviation[s]);
        icseg_string_printf(out, "\n");
    }
    icseg_string_printf(out, "\n");
    for (int32_t g = 0; g < c->group_count; g++) put_members(out, c, g);
}

static void put_settings(icseg_string *out, const icseg_run_comparison *c) {
    if (!c->key_count) return;
    icseg_string_printf(out, "\n");
    put_text(out, "Recipe", NAME_WIDTH);
    for (int32_t g = 0; g < c->group_count; g++) {
        icseg_string_printf(out, "  %c", icseg_compare_letter(g));
        if (g + 1 < c->group_count) put_text(out, "", SETTING_WIDTH - 1);
    }
    icseg_string_printf(out, "\n");
    for (size_t k = 0; k < c->key_count; k++) {
        put_text(out, c->keys[k], NAME_WIDTH);
        for (int32_t g = 0; g < c->group_count; g++) {
            icseg_string_printf(out, "  ");
            put_text(out, icseg_compare_setting(c, g, k), g + 1 < c->group_count ? SETTING_WIDTH : 0);
        }
        icseg_string_printf(out, "\n");
    }
}

/* -- differences from the baseline */

static void put_score(icseg_string *out, const icseg_run_comparison *c, const icseg_compared_group *group,
                      const char *name, size_t score) {
    double a = c->groups[0].mean[score], b = group->mean[score];
    put_text(out, name, NAME_WIDTH);
    put_share(out, "%.2f", a);
    put_share(out, "%.2f", b);
    put_share(out, "%+.2f", b - a);
    put_range(out, &group->difference[score]);
}

static void put_paired(icseg_string *out, const icseg_compared_group *group) {
    if (group->paired < 2) return;
    icseg_string_printf(out, "Standard deviation of the differences over %d seeds:", (int)group->paired);
    for (int s = 0; s < ICSEG_SCORE_MEANS; s++) {
        char text[CELL_BYTES];
        icseg_text_printf(text, sizeof text, "%.2f", 100 * group->paired_deviation[s]);
        icseg_string_printf(out, "%s %s %s", s ? "," : "", icseg_score_names[s], text);
    }
    icseg_string_printf(out, "\n");
}

static void put_images(icseg_string *out, const icseg_compared_group *group) {
    if (!group->image_count) return;
    icseg_string_printf(out, "Images that differ most, by the mean IoU of the classes in the image\n");
    for (int32_t i = 0; i < group->image_count; i++) {
        const icseg_compared_image *image = &group->images[i];
        put_text(out, image->name, NAME_WIDTH);
        put_share(out, "%.2f", image->baseline);
        put_share(out, "%.2f", image->value);
        put_share(out, "%+.2f", image->difference);
        icseg_string_printf(out, "\n");
    }
}

static void put_difference(icseg_string *out, const icseg_run_comparison *c, int32_t g) {
    const icseg_compared_group *group = &c->groups[g];
    icseg_string_printf(out, "\n%c compared with A\n", icseg_compare_letter(g));
    put_text(out, "Score", NAME_WIDTH);
    icseg_string_printf(out, "%9s%9c    %c - A  %18s  %7s\n", "A", icseg_compare_letter(g), icseg_compare_letter(g),
                        "95 % interval", "> 0, %");
    for (size_t s = 0; s < ICSEG_SCORE_MEANS; s++) put_score(out, c, group, icseg_score_names[s], s);
    for (size_t k = 0; k < (size_t)c->classes; k++) put_score(out, c, group, c->class_names[k], ICSEG_SCORE_MEANS + k);
    put_paired(out, group);
    put_images(out, group);
}

/* The classes of the only group. */
static void put_classes(icseg_string *out, const icseg_run_comparison *c) {
    const icseg_compared_group *group = &c->groups[0];
    icseg_string_printf(out, "\n");
    put_text(out, "Score", NAME_WIDTH);
    icseg_string_printf(out, "%9s  %18s\n", "A", "95 % interval");
    for (size_t s = 0; s < icseg_score_count(c->classes); s++) {
        put_text(out, s < ICSEG_SCORE_MEANS ? icseg_score_names[s] : c->class_names[s - ICSEG_SCORE_MEANS], NAME_WIDTH);
        put_share(out, "%.2f", group->mean[s]);
        char text[CELL_BYTES] = "-";
        if (!isnan(group->range[s].low))
            icseg_text_printf(text, sizeof text, "%.2f to %.2f", 100 * group->range[s].low, 100 * group->range[s].high);
        icseg_string_printf(out, "  %18s\n", text);
    }
}

void icseg_compare_table(icseg_string *out, const icseg_run_comparison *c) {
    icseg_string_printf(out, "%lld %s, %d %s, %d resamples of the images\n\n", (long long)c->images,
                        icseg_plural(c->images, "image", "images"), (int)c->classes,
                        icseg_plural(c->classes, "class", "classes"), (int)c->resamples);
    put_groups(out, c);
    put_settings(out, c);
    for (int32_t g = 1; g < c->group_count; g++) put_difference(out, c, g);
    if (c->group_count == 1) put_classes(out, c);
}
