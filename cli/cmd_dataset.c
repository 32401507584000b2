/* SPDX-License-Identifier: Apache-2.0
 * icseg dataset: checks labelled images, draws a sheet of them to look at, and converts what labelling tools export. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "cli.h"
#include "icseg/convert.h"
#include "icseg/dataset.h"
#include "icseg/memory.h"

typedef enum action { ACTION_CHECK, ACTION_SHOW, ACTION_CONVERT } action;
static const char *const actions[] = {"check", "show", "convert", NULL};

/* What there is to check and show, then what there is to convert: icseg_dataset_format, icseg_export_format. */
static const char *const formats[] = {"folder", "auto", "ade20k",  "cocostuff10k", "ade20k_full", "voc",
                                      "cvat",   "coco", "labelme", "yolo",         NULL};
enum { EXPORTS_FROM = ICSEG_DATASET_FORMATS - ICSEG_EXPORT_VOC };

struct options {
    action action;
    int32_t format; /* of `formats` */
    const char *folder, *converted, *split, *classes, *out, *image_folder, *background;
    bool reduce_zero_label, decode;
    int32_t ignore[ICSEG_IGNORE_VALUES], ignore_count;
    int32_t threads, faults;       /* check */
    int32_t images, columns, tile; /* show */
    double opacity, val_share;
};

static const icseg_option rows[] = {
    {"ACTION", ICSEG_FIELD_WORD(struct options, action),
     "check: read every label file; show: draw a sheet; convert: make a data set of an export", .words = actions,
     .positional = true, .required = true},
    {"DIR", ICSEG_FIELD_STRING(struct options, folder), "the data set, or what the labelling tool exported",
     .metavar = "DIR", .positional = true, .required = true},
    {"OUT", ICSEG_FIELD_STRING(struct options, converted), "convert: folder of the new data set, missing or empty",
     .metavar = "OUT", .positional = true},
    {"format", ICSEG_FIELD_WORD(struct options, format),
     "check, show: folder (with classes.txt), ade20k, cocostuff10k or ade20k_full; convert: voc, cvat, coco, labelme "
     "or "
     "yolo; auto: as the files tell",
     .words = formats},
    {"split", ICSEG_FIELD_STRING(struct options, split),
     "check, show: which split; convert: the split's name, when the export tells none or has but one",
     .metavar = "NAME", .shown = "check: all of them; show: train; convert: as the export tells, or train"},
    {"classes", ICSEG_FIELD_STRING(struct options, classes),
     "class list, one name a line; convert: without the background in it, pixels without an object are unlabelled",
     .metavar = "FILE", .shown = "DIR/classes.txt; convert: as the export tells"},
    {"ignore", ICSEG_FIELD_INTS(struct options, ignore[0]),
     "stored values that mean unlabelled, besides 255 (8 bit) and 65535 (16 bit)", .capacity = ICSEG_IGNORE_VALUES,
     .count_offset = offsetof(struct options, ignore_count), ICSEG_BETWEEN(0, 65535)},
    {"reduce-zero-label", ICSEG_FIELD_BOOL(struct options, reduce_zero_label),
     "0 means unlabelled and classes count from 1"},
    {"threads", ICSEG_FIELD_INT(struct options, threads), "check: threads", .shown = "all cores",
     ICSEG_BETWEEN(0, 1024)},
    {"decode", ICSEG_FIELD_BOOL(struct options, decode),
     "check: decode every image too, to find truncated ones; takes longer"},
    {"faults", ICSEG_FIELD_INT(struct options, faults),
     "check, convert: faults listed at most (check: for each split); 0: all", ICSEG_AT_LEAST(0)},
    {"out", ICSEG_FIELD_STRING(struct options, out), "show: the PNG file to write", .metavar = "FILE"},
    {"images", ICSEG_FIELD_INT(struct options, images), "show: number of images, spread over the split",
     ICSEG_BETWEEN(1, 1024)},
    {"columns", ICSEG_FIELD_INT(struct options, columns), "show: images side by side", ICSEG_BETWEEN(1, 64)},
    {"tile", ICSEG_FIELD_INT(struct options, tile), "show: width of an image on the sheet, in pixels",
     ICSEG_BETWEEN(16, 4096)},
    {"opacity", ICSEG_FIELD_FLOAT(struct options, opacity), "show: of the class colours over the image",
     ICSEG_BETWEEN(0, 1)},
    {"image-folder", ICSEG_FIELD_STRING(struct options, image_folder),
     "convert: where the pictures are, when the export came without them", .metavar = "DIR"},
    {"background", ICSEG_FIELD_STRING(struct options, background),
     "convert: class of pixels without an object; \"\" makes them unlabelled", .metavar = "NAME"},
    {"val-share", ICSEG_FIELD_FLOAT(struct options, val_share),
     "convert: share of the pictures that goes to the split val, when the export has one split", ICSEG_BETWEEN(0, 0.9)},
};

static void defaults(void *values) {
    struct options *o = values;
    o->format = ICSEG_DATASET_AUTO;
    o->background = "background";
    o->faults = 50;
    o->images = 12;
    o->columns = 4;
    o->tile = 320;
    o->opacity = 0.55;
}

static icseg_status open_split(icseg_dataset **out, const struct options *o, const char *split, bool keep_unpaired,
                               icseg_error *error) {
    icseg_dataset_options d = icseg_dataset_options_default();
    d.folder = o->folder;
    d.format = (icseg_dataset_format)o->format;
    d.split = split;
    d.classes_file = o->classes;
    d.reduce_zero_label = o->reduce_zero_label;
    d.keep_unpaired = keep_unpaired;
    d.check_images = o->decode;
    d.ignore_count = o->ignore_count;
    memcpy(d.ignore, o->ignore, sizeof d.ignore);
    return icseg_dataset_open(out, &d, error);
}

typedef struct fault_printer {
    int32_t left; /* lines that may still be printed; < 0: all */
} fault_printer;

static void print_fault(void *user, const char *line) {
    fault_printer *p = user;
    if (p->left == 0) return;
    p->left -= p->left > 0;
    printf("fault: %s\n", line);
}

/* "480x360", or the range. */
static void print_sizes(const icseg_dataset_summary *s) {
    printf(", %dx%d", s->min_width, s->min_height);
    if (s->min_width != s->max_width || s->min_height != s->max_height)
        printf(" to %dx%d (width and height each)", s->max_width, s->max_height);
}

static void print_summary(const icseg_dataset *d, const char *split, const icseg_dataset_summary *s) {
    const char *const *names = icseg_dataset_class_names(d);
    int64_t labelled = s->pixels - s->ignored;
    int width = 5, missing = 0;
    for (int32_t k = 0; k < s->classes; k++) {
        int length = (int)strlen(names[k]);
        if (length > width) width = length < 40 ? length : 40;
        missing += s->class_pixels[k] == 0;
    }
    printf("%s\n", icseg_dataset_description(d));
    printf("%s: %lld images", *split ? split : "images", (long long)s->images);
    if (s->images) print_sizes(s);
    printf(", %lld pixels, %.2f %% of them ignored\n", (long long)s->pixels,
           s->pixels ? 100.0 * (double)s->ignored / (double)s->pixels : 0.0);
    printf("%5s  %-*s  %8s  %14s  %8s\n", "Label", width, "Class", "Images", "Pixels", "Share");
    for (int32_t k = 0; k < s->classes; k++)
        printf("%5d  %-*s  %8lld  %14lld  %6.2f %%\n", k, width, names[k], (long long)s->class_images[k],
               (long long)s->class_pixels[k], labelled ? 100.0 * (double)s->class_pixels[k] / (double)labelled : 0.0);
    if (missing)
        printf("note: %d of %d classes have no pixel in this split; they are the rows with 0\n", missing, s->classes);
}

/* Adds the number of faults to *faults; fails only when the check itself could not be done. */
static icseg_status check_split(const icseg_command_context *context, const struct options *o, const icseg_dataset *d,
                                const char *split, int64_t *faults, icseg_error *error) {
    icseg_dataset_summary summary;
    fault_printer printer = {o->faults ? o->faults : -1};
    icseg_status status =
        icseg_dataset_check(d, o->threads, &context->progress, print_fault, &printer, &summary, error);
    if (status == ICSEG_ERROR_DATA) status = ICSEG_OK; /* the faults are printed */
    if (status == ICSEG_OK) {
        if (o->faults && summary.faults > o->faults)
            printf("... and %lld more faults (--faults 0 lists all)\n", (long long)summary.faults - o->faults);
        print_summary(d, split, &summary);
    }
    *faults += summary.faults;
    icseg_dataset_summary_close(&summary);
    return status;
}

/* A split that cannot be opened is a fault as long as another can be; if none can, the error is that of the first. */
static icseg_status check_splits(const icseg_command_context *context, const struct options *o,
                                 const char *const *splits, int32_t count, int64_t *faults, icseg_error *error) {
    icseg_error *closed = icseg_arena_array(context->arena, (size_t)count, sizeof *closed);
    int32_t opened = 0;
    if (!closed) return icseg_fail_memory(error, (size_t)count * sizeof *closed, "the splits");
    for (int32_t i = 0; i < count; i++) {
        icseg_dataset *d;
        icseg_status status = open_split(&d, o, splits[i], true, &closed[i]);
        if (status == ICSEG_ERROR_MEMORY) return icseg_fail(error, status, "%s", closed[i].message);
        if (status != ICSEG_OK) continue;
        if (opened++) printf("\n");
        status = check_split(context, o, d, splits[i], faults, error);
        icseg_dataset_close(&d);
        ICSEG_TRY(status);
    }
    if (!opened) return icseg_fail(error, closed[0].status, "%s", closed[0].message);
    if (opened < count) printf("\n");
    for (int32_t i = 0; i < count; i++)
        if (closed[i].status != ICSEG_OK) printf("fault: %s\n", closed[i].message);
    *faults += count - opened;
    return ICSEG_OK;
}

static icseg_status check(const icseg_command_context *context, const struct options *o, icseg_error *error) {
    const char *one = o->split ? o->split : "";
    char **splits = NULL;
    int32_t count = 0;
    int64_t faults = 0;
    if (!o->split) ICSEG_TRY(icseg_dataset_splits(&splits, &count, o->folder, error));
    icseg_status status =
        check_splits(context, o, count ? (const char *const *)splits : &one, count ? count : 1, &faults, error);
    icseg_buffer_free(splits);
    if (status == ICSEG_OK && faults)
        return icseg_fail(error, ICSEG_ERROR_DATA, "%s: %lld fault%s found, training would go wrong", o->folder,
                          (long long)faults, faults == 1 ? "" : "s");
    return status;
}

/* The sheet as one picture and one label map, so that one overlay and one legend serve all of it. */
typedef struct sheet {
    icseg_image image;
    icseg_labels labels;
    int32_t columns, tile_width, tile_height, gap;
} sheet;

static icseg_status open_sheet(sheet *s, const struct options *o, int32_t count, icseg_error *error) {
    s->columns = o->columns < count ? o->columns : count;
    s->tile_width = o->tile;
    s->tile_height = o->tile * 3 / 4;
    s->gap = o->tile / 40 + 1;
    int32_t lines = (count + s->columns - 1) / s->columns;
    int32_t width = s->columns * (s->tile_width + s->gap) + s->gap, height = lines * (s->tile_height + s->gap) + s->gap;
    ICSEG_TRY(icseg_image_create(&s->image, width, height, error));
    ICSEG_TRY(icseg_labels_create(&s->labels, width, height, error));
    size_t pixels = (size_t)width * (size_t)height;
    memset(s->image.data, 255, pixels * 3);
    for (size_t i = 0; i < pixels; i++) s->labels.data[i] = ICSEG_LABEL_IGNORE;
    return ICSEG_OK;
}

/* Fits one pair into its tile, centred. */
static icseg_status place(sheet *s, int32_t at, const icseg_image *image, const icseg_labels *labels,
                          icseg_error *error) {
    double scale = (double)s->tile_width / image->width, other = (double)s->tile_height / image->height;
    if (other < scale) scale = other;
    int32_t width = (int32_t)(image->width * scale + 0.5), height = (int32_t)(image->height * scale + 0.5);
    if (width < 1) width = 1;
    if (height < 1) height = 1;
    int32_t left = s->gap + at % s->columns * (s->tile_width + s->gap) + (s->tile_width - width) / 2;
    int32_t top = s->gap + at / s->columns * (s->tile_height + s->gap) + (s->tile_height - height) / 2;
    icseg_image small = {0};
    icseg_labels small_labels = {0};
    icseg_status status;
    ICSEG_TRY_GOTO(icseg_image_resize(&small, image, width, height, error));
    ICSEG_TRY_GOTO(icseg_labels_resize(&small_labels, labels, width, height, error));
    for (int32_t y = 0; y < height; y++) {
        size_t from = (size_t)y * (size_t)width;
        size_t to = (size_t)(top + y) * (size_t)s->image.width + (size_t)left;
        memcpy(s->image.data + 3 * to, small.data + 3 * from, (size_t)width * 3);
        memcpy(s->labels.data + to, small_labels.data + from, (size_t)width * sizeof *small_labels.data);
    }
fail:
    icseg_labels_close(&small_labels);
    icseg_image_close(&small);
    return status;
}

static icseg_status fill_sheet(sheet *s, const icseg_dataset *d, int32_t count, icseg_error *error) {
    for (int32_t i = 0; i < count; i++) {
        icseg_image image;
        icseg_labels labels;
        ICSEG_TRY(icseg_dataset_read(d, i * icseg_dataset_count(d) / count, &image, &labels, error));
        icseg_status status = place(s, i, &image, &labels, error);
        icseg_image_close(&image);
        icseg_labels_close(&labels);
        ICSEG_TRY(status);
    }
    return ICSEG_OK;
}

static icseg_status show(const struct options *o, icseg_error *error) {
    icseg_dataset *d = NULL;
    sheet s = {0};
    icseg_palette palette = {0};
    icseg_image drawn = {0};
    icseg_status status;
    if (!o->out) return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "--out is missing: the PNG file to write");
    ICSEG_TRY_GOTO(open_split(&d, o, o->split ? o->split : "train", false, error));
    int32_t count = icseg_dataset_count(d) < o->images ? (int32_t)icseg_dataset_count(d) : o->images;
    ICSEG_TRY_GOTO(open_sheet(&s, o, count, error));
    ICSEG_TRY_GOTO(fill_sheet(&s, d, count, error));
    ICSEG_TRY_GOTO(icseg_palette_create_for(&palette, icseg_dataset_class_names(d), icseg_dataset_classes(d), error));
    icseg_overlay_options style = {ICSEG_OVERLAY_OPTIONS_INIT, .palette = &palette,
                                   .names = icseg_dataset_class_names(d),
                                   .opacity = o->opacity > 0 ? o->opacity : ICSEG_OPACITY_NONE};
    ICSEG_TRY_GOTO(icseg_overlay_draw(&drawn, &s.image, &s.labels, &style, error));
    ICSEG_TRY_GOTO(icseg_image_write_png(&drawn, o->out, error));
    printf("%s\n", o->out);
fail:
    icseg_image_close(&drawn);
    icseg_palette_close(&palette);
    icseg_labels_close(&s.labels);
    icseg_image_close(&s.image);
    icseg_dataset_close(&d);
    return status;
}

static icseg_status convert(const icseg_command_context *context, const struct options *o, icseg_error *error) {
    icseg_convert_options c = icseg_convert_options_default();
    icseg_convert_summary s;
    if (!o->converted) return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "OUT is missing: the folder of the new data set");
    if (o->format != ICSEG_DATASET_AUTO && o->format < ICSEG_DATASET_FORMATS)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "--format %s is a data set already: train on it as it is",
                          formats[o->format]);
    c.source = o->folder;
    c.out = o->converted;
    c.format = o->format == ICSEG_DATASET_AUTO ? ICSEG_EXPORT_AUTO : (icseg_export_format)(o->format - EXPORTS_FROM);
    c.images = o->image_folder;
    c.classes_file = o->classes;
    c.background = o->background;
    c.split = o->split;
    c.val_share = o->val_share;
    fault_printer printer = {o->faults ? o->faults : -1};
    icseg_status status = icseg_dataset_convert(&c, &context->progress, print_fault, &printer, &s, error);
    if (o->faults && s.faults > o->faults)
        printf("... and %lld more faults (--faults 0 lists all)\n", (long long)s.faults - o->faults);
    if (s.faults && status == ICSEG_ERROR_DATA)
        return icseg_fail(error, status, "%s: %lld fault%s found, nothing was written", o->folder, (long long)s.faults,
                          s.faults == 1 ? "" : "s");
    ICSEG_TRY(status);
    printf("%s: %lld images, %d classes", o->converted, (long long)s.images, s.classes);
    if (s.objects) printf(", %lld objects", (long long)s.objects);
    printf(" (read as %s)\n", icseg_export_format_name(s.format));
    if (s.skipped) printf("note: %lld shapes without an area were left out\n", (long long)s.skipped);
    if (s.no_background)
        printf("note: %s has no class \"%s\": pixels without an object are unlabelled\n", o->classes, o->background);
    if (s.split_unused) printf("note: the export has several splits of its own: none is called %s\n", o->split);
    if (s.val_share_unused) printf("note: the export has several splits of its own: --val-share holds nothing out\n");
    return ICSEG_OK;
}

/* What only convert understands. */
static icseg_status check_call(const struct options *o, icseg_error *error) {
    if (o->format >= ICSEG_DATASET_FORMATS)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "--format %s is an export: icseg dataset convert %s OUT first",
                          formats[o->format], o->folder);
    if (o->converted)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "%s: only convert takes a second folder", o->converted);
    return ICSEG_OK;
}

static icseg_status run(const icseg_command_context *context, const void *values, icseg_error *error) {
    const struct options *o = values;
    if (o->action != ACTION_CONVERT) ICSEG_TRY(check_call(o, error));
    switch (o->action) {
    case ACTION_CHECK: return check(context, o, error);
    case ACTION_SHOW: return show(o, error);
    default: return convert(context, o, error);
    }
}

const icseg_command icseg_command_dataset = {
    .name = "dataset",
    .summary = "Checks labelled images, draws a sheet of them, or converts a labelling tool's export",
    .description = "A data set is a folder with images/SPLIT (JPEG, PNG, WebP, TIFF), annotations/SPLIT\n"
                   "(single-channel or palette PNG or TIFF of the same stem, 8 or 16 bit, whose values\n"
                   "are class numbers) and classes.txt (one name a line, in the order of the numbers).\n"
                   "check names every file that would make training go wrong, with position and remedy,\n"
                   "and prints the images and pixels of each class; with faults the exit status is 1.\n"
                   "ADE20K, COCO-Stuff 10k and ADE20K-Full are read as they were unpacked. convert makes\n"
                   "such a folder of what Pascal VOC tools, CVAT, COCO, LabelMe and YOLO write (docs/data.md).\n",
    .examples = "icseg dataset check data/camvid\n"
                "icseg dataset check data/ADEChallengeData2016 --split val\n"
                "icseg dataset show data/camvid --split val --out sheet.png\n"
                "icseg dataset convert labelme_folder data/mine --val-share 0.1\n",
    .options = ICSEG_TABLE(rows),
    .size = sizeof(struct options),
    .defaults = defaults,
    .run = run,
};
