/* SPDX-License-Identifier: Apache-2.0
 * The public functions: options, the table of formats, and the files of an export. */
#include <math.h>
#include <string.h>

#include "base/argument.h"
#include "base/struct_size.h"
#include "base/words.h"
#include "classes/class_list.h"
#include "exporters/internal.h"
#include "text/utf8.h"

enum {
    FIRST_OPTIONS_SIZE = sizeof(icseg_export_options), /* in the first release, as below */
    FIRST_IMAGE_SIZE = sizeof(icseg_export_image)
};

/* ---- formats ---- */

static const icseg_exporter *const exporters[ICSEG_EXPORT_FORMATS] = {
    [ICSEG_EXPORT_PNG] = &icseg_export_png,
    [ICSEG_EXPORT_COCO] = &icseg_export_coco,
    [ICSEG_EXPORT_LABELME] = &icseg_export_labelme,
    [ICSEG_EXPORT_YOLO] = &icseg_export_yolo,
    [ICSEG_EXPORT_GEOJSON] = &icseg_export_geojson,
    [ICSEG_EXPORT_CVAT] = &icseg_export_cvat,
    [ICSEG_EXPORT_LABEL_STUDIO] = &icseg_export_label_studio,
};

static bool is_format(icseg_export_format format) { return (unsigned)format < ICSEG_EXPORT_FORMATS; }

int32_t icseg_export_format_count(void) { return ICSEG_EXPORT_FORMATS; }

const char *icseg_export_format_name(icseg_export_format format) {
    return is_format(format) ? exporters[format]->name : NULL;
}

const char *icseg_export_format_description(icseg_export_format format) {
    return is_format(format) ? exporters[format]->description : NULL;
}

bool icseg_export_format_is_joint(icseg_export_format format) {
    return is_format(format) && !exporters[format]->suffix;
}

bool icseg_export_format_has_runs(icseg_export_format format) {
    return is_format(format) && exporters[format]->has_runs;
}

icseg_status icseg_export_format_find(icseg_export_format *out, const char *name, icseg_error *error) {
    const char *names[ICSEG_EXPORT_FORMATS];
    ICSEG_NEED(out);
    *out = ICSEG_EXPORT_PNG;
    ICSEG_NEED(name);
    for (int i = 0; i < ICSEG_EXPORT_FORMATS; i++) {
        names[i] = exporters[i]->name;
        if (strcmp(name, names[i]) != 0) continue;
        *out = (icseg_export_format)i;
        return ICSEG_OK;
    }
    return icseg_fail_word(error, "format", name, "an export format", names, ICSEG_EXPORT_FORMATS);
}

/* ---- options ---- */

static icseg_status fail_option(const char *field, icseg_error *error, const char *what) {
    return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, field, ICSEG_REMEDY_SET_FIELD, "%s: %s", field, what);
}

static icseg_status check_options(const icseg_export_options *o, icseg_error *error) {
    if (!is_format(o->format)) return fail_option("format", error, "not a value of icseg_export_format");
    if (!o->names) return fail_option("names", error, "is not set; set it to the names of the classes");
    if (o->classes < 1 || o->classes > ICSEG_CLASSES_MAX)
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "classes", ICSEG_REMEDY_SET_FIELD,
                                "classes: must be between 1 and %d", ICSEG_CLASSES_MAX);
    if (!(o->tolerance >= 0 && o->tolerance <= ICSEG_IMAGE_MAX_SIDE))
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "tolerance", ICSEG_REMEDY_SET_FIELD,
                                "tolerance: must be between 0 and %d pixels", ICSEG_IMAGE_MAX_SIDE);
    if (o->min_area < 0) return fail_option("min_area", error, "must not be negative");
    if (o->runs && !exporters[o->format]->has_runs)
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "runs", ICSEG_REMEDY_SET_FIELD,
                                "runs: the format %s has no run lengths", exporters[o->format]->name);
    return ICSEG_OK;
}

/* Why the format cannot contain a name, as the predicate of a sentence; NULL if it can. */
static const char *text_problem(const icseg_exporter *exporter, const char *text) {
    if (exporter->text == ICSEG_TEXT_BYTES) return NULL;
    if (icseg_utf8_check(text, strlen(text)) != strlen(text)) return "is not UTF-8";
    if (exporter->text != ICSEG_TEXT_XML) return NULL;
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c < 0x20 && !strchr("\t\n\r", *c)) return "contains a control character";
    return strstr(text, "\xef\xbf\xbe") || strstr(text, "\xef\xbf\xbf") ? "contains a character that is not XML" : NULL;
}

static icseg_status copy_names(icseg_export *e, const icseg_export_options *o, icseg_error *error) {
    const char **names = icseg_arena_array(e->arena, (size_t)o->classes, sizeof *names);
    if (!names) return icseg_fail_memory(error, 0, "class names");
    for (int32_t k = 0; k < o->classes; k++) {
        const char *name = o->names[k], *problem = name ? icseg_class_line_problem(name, strlen(name)) : "is NULL";
        if (!problem) problem = text_problem(e->exporter, name);
        if (problem)
            return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "names", ICSEG_REMEDY_SET_FIELD, "names[%d] %s", k,
                                    problem);
        names[k] = icseg_arena_strdup(e->arena, name);
        if (!names[k]) return icseg_fail_memory(error, 0, "class names");
    }
    e->options.names = names;
    return ICSEG_OK;
}

static icseg_status find_background(icseg_export *e, icseg_error *error) {
    const char *name = e->options.background ? e->options.background : "background";
    e->background = ICSEG_LABEL_IGNORE;
    for (int32_t k = 0; k < e->options.classes && *name; k++)
        if (!strcmp(e->options.names[k], name)) e->background = k;
    if (e->background >= 0 || !*name || !e->options.background) return ICSEG_OK;
    return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "background", ICSEG_REMEDY_SET_FIELD,
                            "background: \"%.80s\" is not one of the classes", name);
}

static icseg_status open_without_files(icseg_export **out, const icseg_export_options *options, icseg_error *error) {
    icseg_status status;
    icseg_export *e = *out = icseg_calloc_array(1, sizeof *e);
    if (!e) return icseg_fail_memory(error, 0, "an export");
    ICSEG_TRY_GOTO(
        icseg_struct_read(&e->options, sizeof e->options, options, FIRST_OPTIONS_SIZE, "icseg_export_options", error));
    ICSEG_TRY_GOTO(check_options(&e->options, error));
    e->exporter = exporters[e->options.format];
    ICSEG_TRY_GOTO(icseg_arena_open(&e->arena, error));
    ICSEG_TRY_GOTO(copy_names(e, &e->options, error));
    ICSEG_TRY_GOTO(find_background(e, error));
    if (e->exporter->has_colours)
        ICSEG_TRY_GOTO(icseg_palette_create_for(&e->palette, e->options.names, e->options.classes, error));
    return ICSEG_OK;
fail:
    icseg_export_close(out);
    return status;
}

/* ---- images ---- */

/* Names stay below the folder. */
static icseg_status check_name(const icseg_exporter *exporter, const char *name, icseg_error *error) {
    for (const char *part = name; part; part = strchr(part, '/'), part = part ? part + 1 : NULL) {
        size_t size = strcspn(part, "/");
        if (!size || (size <= 2 && !strncmp(part, "..", size)))
            return icseg_fail(error, ICSEG_ERROR_DATA,
                              "%.200s: the name of an image must be relative, without \".\" and \"..\"", name);
    }
    const char *problem = text_problem(exporter, name);
    if (!problem) return ICSEG_OK;
    return icseg_fail(error, ICSEG_ERROR_DATA, "%.200s: the file name %s, which %s does not allow; rename the file",
                      name, problem, exporter->description);
}

static icseg_status check_labels(const icseg_export *e, const icseg_labels *labels, icseg_error *error) {
    if (labels->width < 1 || labels->height < 1 || !labels->data)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "labels: empty");
    for (size_t i = 0, pixels = (size_t)labels->width * (size_t)labels->height; i < pixels; i++)
        if (labels->data[i] < ICSEG_LABEL_IGNORE || labels->data[i] >= e->options.classes)
            return icseg_fail(error, ICSEG_ERROR_DATA, "label %d at x %zu, y %zu is not one of %d %s", labels->data[i],
                              i % (size_t)labels->width, i / (size_t)labels->width, e->options.classes,
                              icseg_plural(e->options.classes, "class", "classes"));
    return ICSEG_OK;
}

static icseg_status open_trace(const icseg_export *e, const icseg_export_image *image, icseg_trace **out,
                               icseg_error *error) {
    const icseg_trace_options how = {
        .background = (int16_t)e->background, .tolerance = e->options.tolerance, .confidence = image->confidence};
    icseg_labels sieved;
    *out = NULL;
    if (e->options.min_area <= 1) return icseg_trace_open(out, image->labels, &how, error);
    ICSEG_TRY(icseg_labels_create(&sieved, image->labels->width, image->labels->height, error));
    memcpy(sieved.data, image->labels->data, (size_t)sieved.width * (size_t)sieved.height * sizeof *sieved.data);
    icseg_status status = icseg_labels_sieve(&sieved, e->options.min_area, error);
    if (status == ICSEG_OK) status = icseg_trace_open(out, &sieved, &how, error);
    icseg_labels_close(&sieved);
    return status;
}

static icseg_status encode_objects(icseg_export *e, icseg_export_item *item, icseg_string *text, icseg_error *error) {
    icseg_traced object;
    for (bool more;; item->objects++, e->objects++) {
        ICSEG_TRY(icseg_trace_next(item->trace, &object, &more, error));
        if (!more) return ICSEG_OK;
        ICSEG_TRY(e->exporter->object(e, item, &object, text, error));
    }
}

/* Appends the text of the image. */
static icseg_status encode(icseg_export *e, const icseg_export_image *image, icseg_string *text, icseg_error *error) {
    icseg_export_item item = {.name = image->name, .labels = image->labels};
    icseg_status status = ICSEG_OK;
    if (e->exporter->object) status = open_trace(e, image, &item.trace, error);
    if (status == ICSEG_OK && e->exporter->image) status = e->exporter->image(e, &item, text, error);
    if (status == ICSEG_OK && item.trace) status = encode_objects(e, &item, text, error);
    if (status == ICSEG_OK && e->exporter->image_end) e->exporter->image_end(e, &item, text);
    if (status == ICSEG_OK && (text->failed || e->later.failed)) status = icseg_fail_memory(error, 0, "an export");
    icseg_trace_close(&item.trace);
    icseg_keyhole_close(&item.keyhole);
    return status;
}

static icseg_status read_image(const icseg_export *e, icseg_export_image *out, const icseg_export_image *from,
                               icseg_error *error) {
    ICSEG_TRY(icseg_struct_read(out, sizeof *out, from, FIRST_IMAGE_SIZE, "icseg_export_image", error));
    if (!out->name) return fail_option("name", error, "is not set; set it to the name of the image's file");
    if (!out->labels) return fail_option("labels", error, "is not set; set it to the labels of the image");
    ICSEG_TRY(check_name(e->exporter, out->name, error));
    icseg_status status = check_labels(e, out->labels, error);
    return status == ICSEG_OK ? ICSEG_OK : icseg_fail_prefix(error, "%.200s", out->name);
}

/* ---- files ---- */

static void make_path(icseg_string *out, const icseg_exporter *exporter, const char *folder, const char *name) {
    const char *extension = icseg_path_extension(name);
    int stem = (int)(strlen(name) - (*extension ? strlen(extension) + 1 : 0));
    if (exporter->suffix)
        icseg_string_printf(out, "%s/%s%.*s%s", folder, exporter->below ? exporter->below : "", stem, name,
                            exporter->suffix);
    else
        icseg_string_printf(out, "%s/%s", folder, exporter->file);
}

icseg_status icseg_export_path(icseg_export_format format, const char *folder, const char *name, char **out,
                               icseg_error *error) {
    ICSEG_NEED(out);
    *out = NULL;
    ICSEG_NEED(folder);
    ICSEG_NEED(name);
    if (!is_format(format)) return fail_option("format", error, "not a value of icseg_export_format");
    icseg_string path = {0};
    make_path(&path, exporters[format], folder, name);
    if (path.failed) return icseg_fail_memory(error, 0, "a path");
    *out = path.data;
    return ICSEG_OK;
}

static icseg_status write_own_file(const icseg_export *e, const char *name, const icseg_string *text,
                                   icseg_error *error) {
    icseg_string path = {0};
    make_path(&path, e->exporter, e->folder, name);
    if (path.failed) return icseg_fail_memory(error, 0, "a path");
    char *slash = strrchr(path.data, '/');
    *slash = '\0';
    icseg_status status = icseg_folder_create(path.data, error);
    *slash = '/';
    if (status == ICSEG_OK) status = icseg_file_write(path.data, text->data, text->size, error);
    icseg_string_close(&path);
    return status;
}

static icseg_status open_files(icseg_export *e, const char *folder, icseg_error *error) {
    e->folder = icseg_arena_strdup(e->arena, folder);
    char *path = e->exporter->file ? icseg_arena_printf(e->arena, "%s/%s", folder, e->exporter->file) : NULL;
    if (!e->folder || (e->exporter->file && !path)) return icseg_fail_memory(error, 0, "a path");
    ICSEG_TRY(icseg_folder_create(folder, error));
    if (!path) return ICSEG_OK;
    icseg_string text = {0};
    ICSEG_TRY(icseg_file_writer_open(&e->file, path, error));
    if (e->exporter->begin) e->exporter->begin(e, &text);
    icseg_status status = text.failed ? icseg_fail_memory(error, 0, "an export")
                                      : icseg_file_writer_write(e->file, text.data, text.size, error);
    icseg_string_close(&text);
    return status;
}

icseg_status icseg_export_open(icseg_export **out, const char *folder, const icseg_export_options *options,
                               icseg_error *error) {
    ICSEG_NEED(out);
    *out = NULL;
    ICSEG_NEED(folder);
    ICSEG_NEED(options);
    ICSEG_TRY(open_without_files(out, options, error));
    icseg_status status = open_files(*out, folder, error);
    if (status != ICSEG_OK) icseg_export_close(out);
    return status;
}

icseg_status icseg_export_add(icseg_export *to, const icseg_export_image *image, icseg_error *error) {
    ICSEG_NEED(to);
    ICSEG_NEED(image);
    icseg_export_image copy;
    if (to->finished) return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "%s: the export is finished", __func__);
    ICSEG_TRY(read_image(to, &copy, image, error));
    icseg_string text = {0};
    int64_t objects = to->objects;
    size_t later = to->later.size;
    icseg_status status = encode(to, &copy, &text, error);
    if (status != ICSEG_OK) { /* as if nothing had been added */
        to->objects = objects;
        to->later.size = later;
        to->later.failed = false;
    } else if (to->exporter->suffix)
        status = write_own_file(to, copy.name, &text, error);
    else
        status = icseg_file_writer_write(to->file, text.data, text.size, error);
    to->images += status == ICSEG_OK;
    icseg_string_close(&text);
    return status;
}

icseg_status icseg_export_finish(icseg_export *to, icseg_error *error) {
    ICSEG_NEED(to);
    if (to->finished) return ICSEG_OK;
    icseg_string text = {0};
    if (to->file) {
        if (to->exporter->end) to->exporter->end(to, &text);
        icseg_status status = text.failed ? icseg_fail_memory(error, 0, "an export")
                                          : icseg_file_writer_write(to->file, text.data, text.size, error);
        icseg_string_close(&text);
        ICSEG_TRY(status);
        ICSEG_TRY(icseg_file_writer_commit(to->file, error));
    }
    to->finished = true;
    return ICSEG_OK;
}

void icseg_export_close(icseg_export **to) {
    if (!to || !*to) return;
    icseg_export *e = *to;
    icseg_file_writer_close(&e->file);
    icseg_string_close(&e->later);
    icseg_palette_close(&e->palette);
    icseg_arena_close(&e->arena);
    icseg_free(e);
    *to = NULL;
}

icseg_status icseg_export_encode(const icseg_export_options *options, const icseg_export_image *image, void **out,
                                 size_t *size, icseg_error *error) {
    ICSEG_NEED(out);
    ICSEG_NEED(size);
    *out = NULL;
    *size = 0;
    ICSEG_NEED(options);
    ICSEG_NEED(image);
    icseg_export *e;
    icseg_export_image copy;
    icseg_string text = {0};
    ICSEG_TRY(open_without_files(&e, options, error));
    icseg_status status = read_image(e, &copy, image, error);
    if (status == ICSEG_OK && icseg_export_format_is_joint(e->options.format)) e->exporter->begin(e, &text);
    if (status == ICSEG_OK) status = encode(e, &copy, &text, error);
    e->images++;
    if (status == ICSEG_OK && icseg_export_format_is_joint(e->options.format)) e->exporter->end(e, &text);
    if (status == ICSEG_OK && text.failed) status = icseg_fail_memory(error, 0, "an export");
    icseg_export_close(&e);
    if (status == ICSEG_OK) {
        *out = text.data;
        *size = text.size;
    } else
        icseg_string_close(&text);
    return status;
}
