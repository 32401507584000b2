/* SPDX-License-Identifier: Apache-2.0
 * icseg dataset: checks labelled images, draws a sheet of them, divides them into splits, and imports the files of
 * labelling tools. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "dataset_split.h"
#include "formats.h"
#include "icseg/dataset.h"
#include "icseg/export.h"
#include "icseg/file.h"
#include "icseg/import.h"
#include "icseg/memory.h"
#include "images.h"
#include "remedy.h"
#include "support.h"

typedef enum action { ACTION_CHECK, ACTION_SHOW, ACTION_IMPORT, ACTION_CONVERT, ACTION_SPLIT, ACTION_FORMATS } action;
static const char *const actions[] = {"check", "show", "import", "convert", "split", "formats", NULL};

/* Completes the help of --format. */
static void append_formats(icseg_string *out) {
    icseg_string_printf(out, "check, show: ");
    dataset_format_names(out);
    icseg_string_printf(out, "; import: ");
    import_format_names(out);
}

enum { MAX_IGNORE = 16 };

struct options {
    action action;
    const char *folder, *out_folder, *format, *split, *classes, *out, *image_folder, *background, *ignore, *map, *group;
    bool reduce_zero_label, decode;
    int32_t threads, problems;     /* check */
    int32_t images, columns, tile; /* show */
    double opacity, val_share, val, test;
    int64_t seed;
    bool link, dry_run;   /* split */
    image_options values; /* check, show */
};

static const icseg_option rows[] = {
    {"ACTION", ICSEG_FIELD_WORD(struct options, action),
     "check: read every label file; show: draw a sheet of images; import: make a data set from the files of a "
     "labelling tool; convert: another name for import; split: divide a data set into train, val and test; formats: "
     "list the formats",
     .words = actions, .positional = true, .required = true},
    {"DIR", ICSEG_FIELD_STRING(struct options, folder),
     "folder of the data set; import: of the labelling tool's files, or a zip archive of them", .metavar = "DIR",
     .positional = true},
    {"OUT", ICSEG_FIELD_STRING(struct options, out_folder),
     "import, split: folder to write the data set to; must be new or empty", .metavar = "OUT", .positional = true},
    {"format", ICSEG_FIELD_STRING(struct options, format), "format of the files; auto: recognise it; ",
     .metavar = "NAME", .append_help = append_formats},
    {"split", ICSEG_FIELD_STRING(struct options, split),
     "check, show: the split to read; split: the split to divide; import: name of the split if the source has only one",
     .metavar = "NAME", .shown = "check: all; show, split: train; import: the source's name, else train"},
    {"classes", ICSEG_FIELD_STRING(struct options, classes),
     "class list, one name per line; import: pixels without an object are unlabelled if it does not contain the "
     "background",
     .metavar = "FILE", .shown = "DIR/classes.txt; import: the classes of the source"},
    {"ignore", ICSEG_FIELD_STRING(struct options, ignore),
     "stored values that mean unlabelled, in addition to 255 (8 bits) and 65535 (16 bits); import of coloured masks: a "
     "colour that means unlabelled, R,G,B or #RRGGBB",
     .metavar = "LIST", .shown = "none"},
    {"map", ICSEG_FIELD_STRING(struct options, map),
     "stored values and the values that they are read as: 255=1 for masks of 0 and 255", .metavar = "A=B,..."},
    {"reduce-zero-label", ICSEG_FIELD_BOOL(struct options, reduce_zero_label),
     "stored 0 means unlabelled, and classes are numbered from 1"},
    {"threads", ICSEG_FIELD_INT(struct options, threads), "check, split: number of threads", .shown = "all cores",
     ICSEG_BETWEEN(0, 1024)},
    {"decode", ICSEG_FIELD_BOOL(struct options, decode),
     "check: also decode every image, which finds truncated files but takes longer"},
    {"problems", ICSEG_FIELD_INT(struct options, problems),
     "check, import: list at most N problems (check: per split); 0: all", ICSEG_AT_LEAST(0)},
    {"out", ICSEG_FIELD_STRING(struct options, out), "show: the PNG file to write; split: another way to name OUT",
     .metavar = "FILE"},
    {"images", ICSEG_FIELD_INT(struct options, images), "show: number of images, taken evenly from the split",
     ICSEG_BETWEEN(1, 1024)},
    {"columns", ICSEG_FIELD_INT(struct options, columns), "show: images per row", ICSEG_BETWEEN(1, 64)},
    {"tile", ICSEG_FIELD_INT(struct options, tile), "show: width of each image on the sheet, in pixels",
     ICSEG_BETWEEN(16, 4096)},
    {"opacity", ICSEG_FIELD_FLOAT(struct options, opacity), "show: opacity of the class colours over the image",
     ICSEG_BETWEEN(0, 1)},
    {"image-folder", ICSEG_FIELD_STRING(struct options, image_folder),
     "import: folder of the images, if they are not next to the label files", .metavar = "DIR"},
    {"background", ICSEG_FIELD_STRING(struct options, background),
     "import: class of pixels without an object; \"\" makes them unlabelled; of coloured masks: also the colour of "
     "the background, R,G,B or #RRGGBB",
     .metavar = "NAME", .shown = "background"},
    {"val-share", ICSEG_FIELD_FLOAT(struct options, val_share),
     "import: fraction of the images to put into the split val, if the source has one split", ICSEG_BETWEEN(0, 0.9)},
    {"val", ICSEG_FIELD_FLOAT(struct options, val), "split: fraction of the images to put into the split val",
     ICSEG_BETWEEN(0, 0.9)},
    {"test", ICSEG_FIELD_FLOAT(struct options, test), "split: fraction of the images to put into the split test",
     ICSEG_BETWEEN(0, 0.9)},
    {"group", ICSEG_FIELD_STRING(struct options, group),
     "split: images of one group stay in one split; an extended regular expression whose first parentheses match the "
     "group's name in each file name, or prefix: the name without the number at its end",
     .metavar = "PATTERN", .shown = "each image by itself"},
    {"seed", ICSEG_FIELD_INT64(struct options, seed), "split: another seed makes another division", ICSEG_AT_LEAST(0)},
    {"link", ICSEG_FIELD_BOOL(struct options, link),
     "split: make hard links instead of copies, which take no space but change with the original"},
    {"dry-run", ICSEG_FIELD_BOOL(struct options, dry_run), "split: only print the table"},
    IMAGE_ROWS(struct options, values, "as the file says"),
};

static void defaults(void *values) {
    struct options *o = values;
    o->format = "auto";
    o->problems = 50;
    o->images = 12;
    o->columns = 4;
    o->tile = 320;
    o->opacity = 0.55;
    image_defaults(&o->values);
}

/* "0,254" */
static icseg_status read_ignore(const char *text, int32_t values[MAX_IGNORE], int32_t *count, icseg_error *error) {
    *count = 0;
    for (const char *p = text; p && *p;) {
        char *end;
        long value = strtol(p, &end, 10);
        if (end == p || (*end && *end != ',') || value < 0 || value > 65535 || *count == MAX_IGNORE)
            return icseg_error_set(error, ICSEG_ERROR_ARGUMENT,
                                   "--ignore %s: expected at most %d values from 0 to 65535, such as 0,254", text,
                                   MAX_IGNORE);
        values[(*count)++] = (int32_t)value;
        p = end + (*end == ',' && end[1]);
        if (*p == ',') p++;
    }
    return ICSEG_OK;
}

/* The options of the data set, and what they point to. */
typedef struct data_options {
    icseg_dataset_options data;
    icseg_image_values values;
    int32_t ignore[MAX_IGNORE];
} data_options;

static icseg_status describe_data(data_options *out, const struct options *o, const char *split, icseg_error *error) {
    out->data = (icseg_dataset_options){ICSEG_DATASET_OPTIONS_INIT,
                                        .folder = o->folder,
                                        .split = split,
                                        .classes_file = o->classes,
                                        .reduce_zero_label = o->reduce_zero_label,
                                        .ignore = out->ignore,
                                        .values = &out->values,
                                        .map = o->map};
    TRY(read_ignore(o->ignore, out->ignore, &out->data.ignore_count, error));
    TRY(image_values(&o->values, NULL, &out->values, error));
    return icseg_dataset_format_find(&out->data.format, o->format, error);
}

static icseg_status open_split(icseg_dataset **out, const struct options *o, const char *split, bool keep_unpaired,
                               icseg_error *error) {
    data_options d;
    *out = NULL;
    TRY(describe_data(&d, o, split, error));
    d.data.keep_unpaired = keep_unpaired;
    return icseg_dataset_open(out, &d.data, error);
}

typedef struct problem_printer {
    const icseg_command *command;
    int32_t left; /* problems that may still be printed; < 0: all */
} problem_printer;

static void print_problem(void *user, const icseg_error *problem) {
    problem_printer *p = user;
    if (p->left == 0) return;
    p->left -= p->left > 0;
    char remedy[REMEDY_SIZE];
    remedy_describe(p->command, problem, remedy);
    printf("problem: %s%s\n", problem->message, remedy);
}

static void print_more(const struct options *o, int64_t problems) {
    if (o->problems && problems > o->problems)
        printf("... and %lld more problem%s; --problems 0 lists all\n", (long long)problems - o->problems,
               problems - o->problems == 1 ? "" : "s");
}

/* ", 480x360", or the range of sizes. */
static void print_sizes(const icseg_dataset_summary *s) {
    printf(", %dx%d", s->min_width, s->min_height);
    if (s->min_width != s->max_width || s->min_height != s->max_height)
        printf(" to %dx%d (width and height each)", s->max_width, s->max_height);
}

static void print_summary(icseg_printer *printer, const icseg_dataset *d, const char *split,
                          const icseg_dataset_summary *s) {
    const char *const *names = icseg_dataset_class_names(d);
    int64_t labelled = s->pixels - s->ignored;
    int width = 5, missing = 0;
    for (int32_t k = 0; k < s->classes; k++) {
        int length = (int)strlen(names[k]);
        if (length > width) width = length < 40 ? length : 40;
        missing += s->class_pixels[k] == 0;
    }
    printf("%s\n", icseg_dataset_description(d));
    printf("%s: %lld image%s", *split ? split : "images", (long long)s->images, s->images == 1 ? "" : "s");
    if (s->images) print_sizes(s);
    printf(", %lld pixels, %.2f %% of them ignored\n", (long long)s->pixels,
           s->pixels ? 100.0 * (double)s->ignored / (double)s->pixels : 0.0);
    printf("%5s  %-*s  %8s  %14s  %8s\n", "Label", width, "Class", "Images", "Pixels", "Share");
    for (int32_t k = 0; k < s->classes; k++)
        printf("%5d  %-*s  %8lld  %14lld  %6.2f %%\n", k, width, names[k], (long long)s->class_images[k],
               (long long)s->class_pixels[k], labelled ? 100.0 * (double)s->class_pixels[k] / (double)labelled : 0.0);
    if (missing)
        icseg_printer_note(printer, "note: %d of %d %s not occur in this split (%s with 0)", missing, s->classes,
                           icseg_plural(s->classes, "class does", missing == 1 ? "classes does" : "classes do"),
                           icseg_plural(missing, "the row", "the rows"));
}

/* What the checks of all splits share. */
typedef struct checking {
    icseg_command_context context;
    int64_t problems;
    int32_t splits;
    bool noted[ICSEG_IMAGE_NOTES];
} checking;

/* Adds to c->problems. Fails only if the check itself fails. */
static icseg_status check_split(checking *c, const struct options *o, const icseg_dataset *d, const char *split,
                                icseg_error *error) {
    icseg_dataset_summary summary = {ICSEG_DATASET_SUMMARY_INIT};
    problem_printer printer = {c->context.command, o->problems ? o->problems : -1};
    icseg_dataset_check_options how = {
        ICSEG_DATASET_CHECK_OPTIONS_INIT, .threads = o->threads, .decode_images = o->decode,
        .on_problem = print_problem,      .user = &printer,      .names_checked = c->splits++ > 0};
    icseg_status status = icseg_dataset_check(d, &how, &c->context.progress, &summary, error);
    if (status == ICSEG_ERROR_DATA) status = ICSEG_OK; /* the problems are printed */
    if (status == ICSEG_OK) {
        print_more(o, summary.problems);
        print_summary(c->context.printer, d, split, &summary);
        image_print_notes(&c->context, d, c->noted);
    }
    c->problems += summary.problems;
    icseg_dataset_summary_close(&summary);
    return status;
}

/* A split that cannot be opened is a problem if another one can; if none can, the error is that of the first. Messages
 * about the class list, which the splits share, are printed once. */
static icseg_status check_splits(checking *c, const struct options *o, const char *const *splits, int32_t count,
                                 icseg_error *error) {
    icseg_error *closed = icseg_arena_array(c->context.arena, (size_t)count, sizeof *closed);
    int32_t opened = 0;
    if (!closed) return out_of_memory(error);
    for (int32_t i = 0; i < count; i++) {
        icseg_dataset *d;
        icseg_status status = open_split(&d, o, splits[i], true, &closed[i]);
        if (status == ICSEG_ERROR_MEMORY) return icseg_error_set(error, status, "%s", closed[i].message);
        if (status != ICSEG_OK) continue;
        if (opened++) printf("\n");
        status = check_split(c, o, d, splits[i], error);
        icseg_dataset_close(&d);
        TRY(status);
    }
    if (!opened) {
        *error = closed[0];
        return error->status;
    }
    if (opened < count) printf("\n");
    for (int32_t i = 0; i < count; i++)
        if (closed[i].status != ICSEG_OK) printf("problem: %s\n", closed[i].message);
    c->problems += count - opened;
    return ICSEG_OK;
}

static icseg_status check(const icseg_command_context *context, const struct options *o, icseg_error *error) {
    const char *one = o->split ? o->split : "";
    char **splits = NULL;
    int32_t count = 0;
    checking c = {.context = *context};
    if (!o->split) TRY(icseg_dataset_splits(&splits, &count, o->folder, error));
    icseg_status status = check_splits(&c, o, count ? (const char *const *)splits : &one, count ? count : 1, error);
    icseg_buffer_free(splits);
    if (status == ICSEG_OK && c.problems)
        return icseg_error_set(error, ICSEG_ERROR_DATA, "%s: %lld problem%s found; correct them before training",
                               o->folder, (long long)c.problems, c.problems == 1 ? "" : "s");
    return status;
}

/* The sheet is one image and one label map, so that it gets one overlay and one legend. */
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
    TRY(icseg_image_create(&s->image, width, height, error));
    TRY(icseg_labels_create(&s->labels, width, height, error));
    size_t pixels = (size_t)width * (size_t)height;
    memset(s->image.data, 255, pixels * 3);
    for (size_t i = 0; i < pixels; i++) s->labels.data[i] = ICSEG_LABEL_IGNORE;
    return ICSEG_OK;
}

/* Fits one image and its labels into their tile, centred. */
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
    TRY_GOTO(icseg_image_resize(&small, image, width, height, error));
    TRY_GOTO(icseg_labels_resize(&small_labels, labels, width, height, error));
    for (int32_t y = 0; y < height; y++) {
        size_t from = (size_t)y * (size_t)width;
        size_t to = (size_t)(top + y) * (size_t)s->image.width + (size_t)left;
        memcpy(s->image.data + 3 * to, small.data + 3 * from, (size_t)width * 3);
        memcpy(s->labels.data + to, small_labels.data + from, (size_t)width * sizeof *small_labels.data);
    }
done:
    icseg_labels_close(&small_labels);
    icseg_image_close(&small);
    return status;
}

static icseg_status fill_sheet(sheet *s, const icseg_dataset *d, int32_t count, icseg_error *error) {
    for (int32_t i = 0; i < count; i++) {
        icseg_image image;
        icseg_labels labels;
        TRY(icseg_dataset_read(d, i * icseg_dataset_count(d) / count, &image, &labels, error));
        icseg_status status = place(s, i, &image, &labels, error);
        icseg_image_close(&image);
        icseg_labels_close(&labels);
        TRY(status);
    }
    return ICSEG_OK;
}

static icseg_status show(const struct options *o, icseg_error *error) {
    icseg_dataset *d = NULL;
    sheet s = {0};
    icseg_palette palette = {0};
    icseg_image drawn = {0};
    icseg_status status;
    if (!o->out) return icseg_error_set(error, ICSEG_ERROR_ARGUMENT, "--out is missing; name the PNG file to write");
    const char *extension = path_extension(o->out);
    if (*extension && strcasecmp(extension, "png") != 0)
        return icseg_error_set(error, ICSEG_ERROR_ARGUMENT,
                               "--out: \"%s\": the sheet is a PNG file, so its name must end with .png", o->out);
    TRY_GOTO(icseg_file_check_writable(o->out, error));
    TRY_GOTO(open_split(&d, o, o->split ? o->split : "train", false, error));
    for (int64_t i = 0; i < icseg_dataset_count(d) && file_exists(o->out); i++) {
        TRY_GOTO(file_check_not_input(o->out, icseg_dataset_image_path(d, i), error));
        TRY_GOTO(file_check_not_input(o->out, icseg_dataset_label_path(d, i), error));
    }
    int32_t count = icseg_dataset_count(d) < o->images ? (int32_t)icseg_dataset_count(d) : o->images;
    TRY_GOTO(open_sheet(&s, o, count, error));
    TRY_GOTO(fill_sheet(&s, d, count, error));
    TRY_GOTO(icseg_palette_create_for(&palette, icseg_dataset_class_names(d), icseg_dataset_classes(d), error));
    icseg_overlay_options style = {ICSEG_OVERLAY_OPTIONS_INIT, .palette = &palette,
                                   .names = icseg_dataset_class_names(d),
                                   .opacity = o->opacity > 0 ? o->opacity : ICSEG_OPACITY_NONE};
    TRY_GOTO(icseg_overlay_draw(&drawn, &s.image, &s.labels, &style, error));
    TRY_GOTO(icseg_image_write_png(&drawn, o->out, error));
    printf("%s\n", o->out);
done:
    icseg_image_close(&drawn);
    icseg_palette_close(&palette);
    icseg_labels_close(&s.labels);
    icseg_image_close(&s.image);
    icseg_dataset_close(&d);
    return status;
}

/* A model cannot be evaluated on a data set of one split. */
static void suggest_split(icseg_printer *printer, const char *folder) {
    char **splits;
    int32_t count;
    if (icseg_dataset_splits(&splits, &count, folder, NULL) != ICSEG_OK) return;
    if (count == 1)
        icseg_printer_note(
            printer,
            "note: all images are in the split %s; `icseg dataset split %s --val 0.2 --out NEW_DIR` divides them",
            splits[0], folder);
    icseg_buffer_free(splits);
}

static void print_import(icseg_printer *printer, const struct options *o, const icseg_import_summary *s) {
    printf("%s: %lld image%s, %d class%s", o->out_folder, (long long)s->images, s->images == 1 ? "" : "s", s->classes,
           s->classes == 1 ? "" : "es");
    if (s->objects) printf(", %lld object%s", (long long)s->objects, s->objects == 1 ? "" : "s");
    printf(" (read as %s)\n", icseg_import_format_name(s->format));
    if (s->no_background)
        icseg_printer_note(printer,
                           "note: %s does not contain the class \"%s\": pixels without an object are unlabelled",
                           o->classes, o->background ? o->background : "background");
    if (s->split_unused)
        icseg_printer_note(printer, "note: the source has several splits of its own; --split %s has no effect",
                           o->split);
    if (s->val_share_unused)
        icseg_printer_note(printer, "note: the source has several splits of its own; --val-share has no effect");
    suggest_split(printer, o->out_folder);
}

/* "#rrggbb" or "r,g,b" */
static bool is_colour(const char *text) {
    return *text == '#' || (*text && strspn(text, "0123456789, ") == strlen(text) && strchr(text, ','));
}

static icseg_status import(const icseg_command_context *context, const struct options *o, icseg_error *error) {
    problem_printer printer = {context->command, o->problems ? o->problems : -1};
    icseg_import_summary s = {ICSEG_IMPORT_SUMMARY_INIT};
    icseg_import_options c = {ICSEG_IMPORT_OPTIONS_INIT,   .source = o->folder,
                              .folder = o->out_folder,     .image_folder = o->image_folder,
                              .classes_file = o->classes,  .background = o->background,
                              .split = o->split,           .val_share = o->val_share,
                              .on_problem = print_problem, .user = &printer};
    icseg_dataset_format format;
    c.map = o->map;
    c.ignore_colour = o->ignore;
    if (o->background && is_colour(o->background)) {
        c.background_colour = o->background;
        c.background = NULL;
    }
    if (!o->out_folder)
        return icseg_error_set(error, ICSEG_ERROR_ARGUMENT, "OUT is missing; name the folder of the new data set");
    if (strcmp(o->format, "auto") != 0 && icseg_dataset_format_find(&format, o->format, NULL) == ICSEG_OK)
        return icseg_error_set(error, ICSEG_ERROR_ARGUMENT, "--format %s is already a data set; train on it directly",
                               o->format);
    TRY(icseg_import_format_find(&c.format, o->format, error));
    icseg_status status = icseg_import_run(&c, &context->progress, &s, error);
    print_more(o, s.problems);
    if (s.problems && status == ICSEG_ERROR_DATA)
        return icseg_error_set(error, status, "%s: %lld problem%s found; nothing was written", o->folder,
                               (long long)s.problems, s.problems == 1 ? "" : "s");
    TRY(status);
    print_import(context->printer, o, &s);
    return ICSEG_OK;
}

static icseg_status split(const icseg_command_context *context, const struct options *o, icseg_error *error) {
    data_options d;
    icseg_split_options how = {ICSEG_SPLIT_OPTIONS_INIT,
                               .out = o->out ? o->out : o->out_folder,
                               .val = o->val,
                               .test = o->test,
                               .group = o->group,
                               .seed = (uint64_t)o->seed,
                               .link = o->link,
                               .threads = o->threads};
    if (o->out && o->out_folder)
        return icseg_error_set(error, ICSEG_ERROR_ARGUMENT, "%s: --out already names the new folder", o->out_folder);
    TRY(describe_data(&d, o, o->split, error));
    return dataset_split(context, &d.data, &how, o->dry_run, error);
}

static icseg_status list_formats(void) {
    printf("Data sets that are read as they are:\n");
    for (int32_t i = 0; i < icseg_dataset_format_count(); i++)
        if (i != ICSEG_DATASET_AUTO)
            printf("  %-13s %s\n", icseg_dataset_format_name((icseg_dataset_format)i),
                   icseg_dataset_format_description((icseg_dataset_format)i));
    printf("\nFiles of labelling tools that `icseg dataset import` reads:\n");
    for (int32_t i = 0; i < icseg_import_format_count(); i++)
        if (i != ICSEG_IMPORT_AUTO)
            printf("  %-13s %s\n", icseg_import_format_name((icseg_import_format)i),
                   icseg_import_format_description((icseg_import_format)i));
    printf("\nFormats that `icseg predict` writes:\n");
    for (int32_t i = 0; i < icseg_export_format_count(); i++)
        printf("  %-13s %s, a file %s\n", icseg_export_format_name((icseg_export_format)i),
               icseg_export_format_description((icseg_export_format)i),
               icseg_export_format_is_joint((icseg_export_format)i) ? "for all images" : "for each image");
    return ICSEG_OK;
}

/* Refuses what only import accepts. */
static icseg_status check_call(const struct options *o, icseg_error *error) {
    icseg_import_format format;
    if (strcmp(o->format, "auto") != 0 && icseg_import_format_find(&format, o->format, NULL) == ICSEG_OK)
        return icseg_error_set(error, ICSEG_ERROR_ARGUMENT,
                               "--format %s is the format of a labelling tool; run `icseg dataset import %s OUT` first",
                               o->format, o->folder);
    if (o->out_folder && o->action != ACTION_SPLIT)
        return icseg_error_set(error, ICSEG_ERROR_ARGUMENT, "%s: only import and split take a second folder",
                               o->out_folder);
    return ICSEG_OK;
}

static icseg_status run(const icseg_command_context *context, const void *values, icseg_error *error) {
    const struct options *o = values;
    if (o->action == ACTION_FORMATS && !o->folder) return list_formats();
    if (o->action == ACTION_FORMATS)
        return icseg_error_set(error, ICSEG_ERROR_ARGUMENT, "%s: formats does not take a folder", o->folder);
    if (!o->folder) return icseg_error_set(error, ICSEG_ERROR_ARGUMENT, "DIR is missing; name the folder");
    if (o->action != ACTION_IMPORT && o->action != ACTION_CONVERT) TRY(check_call(o, error));
    switch (o->action) {
    case ACTION_CHECK: return check(context, o, error);
    case ACTION_SHOW: return show(o, error);
    case ACTION_SPLIT: return split(context, o, error);
    default: return import(context, o, error);
    }
}

const icseg_command icseg_command_dataset = {
    .name = "dataset",
    .summary = "Checks, shows, divides or imports labelled images",
    .description = "A data set is a folder with images/SPLIT (JPEG, PNG, TIFF and others),\n"
                   "annotations/SPLIT (for each image a PNG or TIFF file of the same stem, grey or\n"
                   "palette, 8 or 16 bits, whose values are class numbers) and classes.txt (one name\n"
                   "per line, in the order of the numbers). ADE20K, COCO-Stuff 10k and ADE20K-Full\n"
                   "are read as they are published.\n"
                   "\n"
                   "check reports every file that would spoil training, with position and remedy,\n"
                   "and prints the number of images and pixels of each class. It exits with status 1\n"
                   "if it finds problems. import makes a data set from the files of Pascal VOC\n"
                   "tools, CVAT, COCO, LabelMe, YOLO and others; formats lists them, and\n"
                   "docs/data.md shows their folders. split divides a data set that has no val or\n"
                   "test split: each class's pixels get about the same share everywhere.\n",
    .examples = "icseg dataset check data/camvid\n"
                "icseg dataset check data/ADEChallengeData2016 --split val\n"
                "icseg dataset show data/camvid --split val --out sheet.png\n"
                "icseg dataset import labelme_folder data/mine --val-share 0.1\n"
                "icseg dataset import masks_folder data/mine --map 255=1\n"
                "icseg dataset split data/mine --val 0.2 --group prefix --out data/divided\n"
                "icseg dataset formats\n",
    .options = ICSEG_TABLE(rows),
    .size = sizeof(struct options),
    .defaults = defaults,
    .run = run,
};
