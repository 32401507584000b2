/* SPDX-License-Identifier: Apache-2.0
 * The frame of icseg_dataset_convert: telling the format, classes, drawing and writing one picture, small helpers of
 * the readers. */
#include "importers/import.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "base/system.h"
#include "base/text.h"
#include "classes/class_list.h"
#include "text/utf8.h"

enum { PICTURE_BYTES_MOST = 1 << 30 };

static const char *const image_types[] = {"jpg", "jpeg", "png", "webp", "tif", "tiff", NULL};
static const char *const candidate_types[] = {"jpg",  "jpeg", "png",  "webp", "tif",  "tiff", "JPG",
                                              "JPEG", "PNG",  "WEBP", "TIF",  "TIFF", NULL};

static const char *const format_names[] = {"auto", "voc", "cvat", "coco", "labelme", "yolo"};
_Static_assert(sizeof format_names / sizeof *format_names == ICSEG_EXPORT_FORMATS, "a name for each format");

typedef struct reader {
    bool (*fits)(const char *source);
    icseg_status (*convert)(icseg_export *e, icseg_error *error);
} reader;

/* AUTO tries them in the order: CVAT before VOC, whose folders it shares. */
static const icseg_export_format order[] = {ICSEG_EXPORT_CVAT, ICSEG_EXPORT_VOC, ICSEG_EXPORT_COCO, ICSEG_EXPORT_YOLO,
                                            ICSEG_EXPORT_LABELME};
static const reader readers[ICSEG_EXPORT_FORMATS] = {
    [ICSEG_EXPORT_VOC] = {icseg_export_voc_fits, icseg_export_voc},
    [ICSEG_EXPORT_CVAT] = {icseg_export_cvat_fits, icseg_export_cvat},
    [ICSEG_EXPORT_COCO] = {icseg_export_coco_fits, icseg_export_coco},
    [ICSEG_EXPORT_LABELME] = {icseg_export_labelme_fits, icseg_export_labelme},
    [ICSEG_EXPORT_YOLO] = {icseg_export_yolo_fits, icseg_export_yolo},
};

const char *icseg_export_format_name(icseg_export_format format) {
    return (unsigned)format < ICSEG_EXPORT_FORMATS ? format_names[format] : "unknown";
}

icseg_convert_options icseg_convert_options_default(void) {
    return (icseg_convert_options){.background = "background"};
}

icseg_status icseg_export_fault(icseg_export *e, icseg_status status, icseg_error *error) {
    if (status == ICSEG_OK || e->broken || status == ICSEG_ERROR_MEMORY || status == ICSEG_ERROR_CANCELLED ||
        status == ICSEG_ERROR_ARGUMENT)
        return status;
    icseg_faults_add(&e->faults, error->message);
    return ICSEG_OK;
}

/* ---- classes ---- */

/* Whether a line of classes.txt can hold it. */
static bool is_class_name(const char *name) {
    size_t length = strlen(name);
    for (const char *p = name; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f) return false;
    return length && icseg_utf8_check(name, length) >= length && name[0] != ' ' && name[length - 1] != ' ';
}

icseg_status icseg_export_class(icseg_export *e, const char *name, const char *where, int32_t *label,
                                icseg_error *error) {
    bool background = !strcasecmp(name, "background") || !strcmp(name, "_background_");
    *label = ICSEG_LABEL_IGNORE;
    if (!strcmp(name, "__ignore__")) return ICSEG_OK; /* LabelMe's */
    if (background && !e->options->background[0]) return ICSEG_OK;
    if (background) name = e->options->background;
    for (int32_t k = 0; k < e->classes; k++)
        if (!strcmp(e->names[k], name)) {
            *label = k;
            return ICSEG_OK;
        }
    if (e->fixed)
        return icseg_fail(error, ICSEG_ERROR_DATA, "%s: the class \"%.80s\" is not in %s; add it there", where, name,
                          e->options->classes_file);
    if (!is_class_name(name))
        return icseg_fail(error, ICSEG_ERROR_DATA, "%s: \"%.80s\" cannot be a class name", where, name);
    if (e->classes == ICSEG_EXPORT_CLASSES_MOST)
        return icseg_fail(error, ICSEG_ERROR_DATA, "%s: more than %d classes", where, ICSEG_EXPORT_CLASSES_MOST);
    if (!e->names) e->names = icseg_arena_array(e->arena, ICSEG_EXPORT_CLASSES_MOST, sizeof *e->names);
    if (!e->names || !(e->names[e->classes] = icseg_arena_strdup(e->arena, name)))
        return icseg_fail_memory(error, ICSEG_EXPORT_CLASSES_MOST * sizeof *e->names, "class names");
    *label = e->classes++;
    return ICSEG_OK;
}

icseg_status icseg_export_background(icseg_export *e, icseg_error *error) {
    int32_t label;
    return e->fixed ? ICSEG_OK : icseg_export_class(e, "background", e->options->source, &label, error);
}

/* What pixels without an object become. */
static int16_t background_label(const icseg_export *e) {
    for (int32_t k = 0; k < e->classes; k++)
        if (!strcmp(e->names[k], e->options->background)) return (int16_t)k;
    return ICSEG_LABEL_IGNORE;
}

/* ---- one picture ---- */

typedef struct layer {
    const icseg_object *object;
    int64_t pixels;
    size_t at;
} layer;

static int compare_layers(const void *a, const void *b) {
    const layer *x = a, *y = b;
    if (x->pixels != y->pixels) return x->pixels < y->pixels ? 1 : -1;
    return (x->at > y->at) - (x->at < y->at);
}

static void draw(icseg_region *region, const icseg_object *object) {
    icseg_region_clear(region);
    for (const icseg_outline *o = object->outlines; o; o = o->next) switch (o->kind) {
        case ICSEG_OUTLINE_POLYGON: icseg_region_add_polygon(region, o->xy, o->count); break;
        case ICSEG_OUTLINE_CIRCLE:
            icseg_region_add_circle(region, o->xy[0], o->xy[1], hypot(o->xy[2] - o->xy[0], o->xy[3] - o->xy[1]));
            break;
        case ICSEG_OUTLINE_RUNS: icseg_region_add_runs(region, o->runs, o->count); break;
        case ICSEG_OUTLINE_MASK: icseg_region_add_mask(region, &o->mask, o->x, o->y); break;
        }
}

static icseg_status draw_objects(const icseg_export_item *item, icseg_labels *labels, icseg_error *error) {
    icseg_region region = {0};
    icseg_status status;
    layer *layers = icseg_alloc_array(item->object_count, sizeof *layers);
    if (!layers) return icseg_fail_memory(error, item->object_count * sizeof *layers, item->source);
    ICSEG_TRY_GOTO(icseg_region_open(&region, labels->width, labels->height, error));
    for (size_t i = 0; i < item->object_count; i++) {
        draw(&region, &item->objects[i]);
        layers[i] = (layer){&item->objects[i], icseg_region_count(&region), i};
    }
    qsort(layers, item->object_count, sizeof *layers, compare_layers);
    for (size_t i = 0; i < item->object_count; i++) {
        draw(&region, layers[i].object);
        icseg_region_paint(&region, labels, layers[i].object->label);
    }
fail:
    icseg_region_close(&region);
    icseg_free(layers);
    return status;
}

void icseg_export_item_close(const icseg_export_item *item) {
    for (size_t i = 0; i < item->object_count; i++)
        for (icseg_outline *o = item->objects[i].outlines; o; o = o->next) icseg_mask_close(&o->mask);
}

/* "a/b.jpg" gives "a_b"; leading dots and blanks would hide or break a file. */
static icseg_status make_stem(const icseg_export_item *item, char out[NAME_MAX - 8], icseg_error *error) {
    const char *name = item->name;
    while (!strncmp(name, "../", 3) || !strncmp(name, "./", 2)) name = strchr(name, '/') + 1;
    const char *extension = icseg_path_extension(name);
    size_t length = strlen(name) - (extension[0] ? strlen(extension) + 1 : 0);
    if (!length || length >= NAME_MAX - 8)
        return icseg_fail(error, ICSEG_ERROR_DATA, "%s: \"%.80s\" cannot name a file", item->source, item->name);
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)name[i];
        out[i] = c == '/' || c == '\\' || c < 0x20 || c == 0x7f || (i == 0 && c == '.') ? '_' : (char)c;
    }
    out[length] = '\0';
    return ICSEG_OK;
}

static icseg_status check_picture(const icseg_export_item *item, const unsigned char *data, size_t size,
                                  icseg_image *image, icseg_error *error) {
    ICSEG_TRY(icseg_image_read_memory(image, data, size, item->image ? item->image : item->source, error));
    int64_t width = item->ready ? item->ready->width : item->width,
            height = item->ready ? item->ready->height : item->height;
    if ((width && width != image->width) || (height && height != image->height))
        return icseg_fail(
            error, ICSEG_ERROR_DATA,
            "%s: labels of %lldx%lld pixels, but %s is %dx%d (EXIF rotation applied): another picture, or "
            "one that was scaled or turned after labelling",
            item->source, (long long)width, (long long)height, item->image ? item->image : "its own picture",
            image->width, image->height);
    return ICSEG_OK;
}

static icseg_status make_labels(const icseg_export *e, const icseg_export_item *item, const icseg_image *image,
                                icseg_labels *labels, icseg_error *error) {
    size_t pixels = (size_t)image->width * (size_t)image->height;
    ICSEG_TRY(icseg_labels_create(labels, image->width, image->height, error));
    if (item->ready) {
        memcpy(labels->data, item->ready->data, pixels * sizeof *labels->data);
        return ICSEG_OK;
    }
    int16_t empty = background_label(e);
    e->summary->no_background = empty == ICSEG_LABEL_IGNORE && e->options->background[0];
    for (size_t i = 0; i < pixels; i++) labels->data[i] = empty;
    return item->object_count ? draw_objects(item, labels, error) : ICSEG_OK;
}

/* The label file under its stem; also after a fault, to find pictures of one name. */
static icseg_status write_labels(icseg_export *e, const icseg_export_item *item, const char *split, const char *stem,
                                 const icseg_labels *labels, icseg_error *error) {
    icseg_palette palette = {0};
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/annotations/%s/%s.png", e->staging, split, stem);
    if (icseg_file_exists(path))
        return icseg_fail(error, ICSEG_ERROR_DATA, "%s: two pictures would be called %s; rename one", item->source,
                          stem);
    e->broken = true;
    ICSEG_TRY(icseg_palette_create_for(&palette, (const char *const *)e->names, e->classes, error));
    icseg_status status = icseg_labels_write_png(labels, &palette, path, error);
    icseg_palette_close(&palette);
    e->broken = status != ICSEG_OK;
    return status;
}

static icseg_status write_files(icseg_export *e, const icseg_export_item *item, const char *split,
                                const unsigned char *data, size_t size, const icseg_labels *labels,
                                icseg_error *error) {
    char stem[NAME_MAX - 8], path[PATH_MAX];
    const char *extension = icseg_path_extension(item->image ? item->image : item->name), *const *type = image_types;
    while (*type && strcasecmp(*type, extension) != 0) type++;
    if (!*type) type = image_types; /* told apart by content anyway */
    ICSEG_TRY(make_stem(item, stem, error));
    if (!e->classes) return ICSEG_OK; /* an error, but first comes what else is wrong */
    static const char *const roots[] = {"images", "annotations"};
    e->broken = true;
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s/%s", e->staging, roots[i], split);
        ICSEG_TRY(icseg_folder_create(path, error));
    }
    e->broken = false;
    ICSEG_TRY(write_labels(e, item, split, stem, labels, error));
    if (e->faults.count) return ICSEG_OK;
    snprintf(path, sizeof path, "%s/images/%s/%s.%s", e->staging, split, stem, *type);
    icseg_status status = icseg_file_write(path, data, size, error);
    e->broken = status != ICSEG_OK;
    return status;
}

static icseg_status report(const icseg_export *e, icseg_error *error) {
    if (!e->progress || !e->progress->report) return ICSEG_OK;
    icseg_progress_event event = {.stage = "convert",
                                  .done = (double)e->summary->images,
                                  .total = e->total,
                                  .seconds = icseg_clock() - e->started,
                                  .detail = ""};
    return e->progress->report(e->progress->user, &event)
               ? ICSEG_OK
               : icseg_fail(error, ICSEG_ERROR_CANCELLED, "the conversion was cancelled");
}

/* Every 1/share-th picture of a single split is held out. */
static const char *choose_split(icseg_export *e, const icseg_export_item *item) {
    double share = e->options->val_share;
    int64_t i = e->in_split++;
    return e->one_split && floor((double)(i + 1) * share) > floor((double)i * share) ? "val" : item->split;
}

icseg_status icseg_export_write(icseg_export *e, const icseg_export_item *item, icseg_error *error) {
    unsigned char *bytes = NULL;
    const unsigned char *data = item->data;
    size_t size = item->size;
    icseg_image image = {0};
    icseg_labels labels = {0};
    icseg_status status;
    if (item->image) {
        ICSEG_TRY_GOTO(icseg_file_read(item->image, PICTURE_BYTES_MOST, &bytes, &size, error));
        data = bytes;
    }
    ICSEG_TRY_GOTO(check_picture(item, data, size, &image, error));
    ICSEG_TRY_GOTO(make_labels(e, item, &image, &labels, error));
    ICSEG_TRY_GOTO(write_files(e, item, choose_split(e, item), data, size, &labels, error));
    e->summary->objects += (int64_t)item->object_count;
    e->summary->images++;
    status = report(e, error);
fail:
    icseg_labels_close(&labels);
    icseg_image_close(&image);
    icseg_free(bytes);
    icseg_export_item_close(item);
    return status;
}

/* ---- helpers of the readers ---- */

/* Whether the path stays below where it starts. */
static bool is_inside(const char *path) {
    if (path[0] == '/' || strchr(path, '\\')) return false;
    for (const char *p = path; p; p = strchr(p, '/'), p = p ? p + 1 : NULL)
        if (!strncmp(p, "..", 2) && (p[2] == '/' || !p[2])) return false;
    return true;
}

static bool is_image(const char *name) {
    for (const char *const *type = image_types; *type; type++)
        if (!strcasecmp(icseg_path_extension(name), *type)) return true;
    return false;
}

static const char *last_part(const char *path) {
    const char *name = icseg_path_name(path), *back = strrchr(name, '\\');
    return back ? back + 1 : name;
}

icseg_status icseg_export_find_image(icseg_export *e, icseg_arena *arena, const char *const *folders, const char *name,
                                     bool any_type, char **out, icseg_error *error) {
    const char *const user[] = {e->options->images, NULL};
    const char *base = last_part(name), *whole = is_inside(name) ? name : base;
    size_t stem = strlen(base) - (icseg_path_extension(base)[0] ? strlen(icseg_path_extension(base)) + 1 : 0);
    *out = NULL;
    if (!base[0] || !strcmp(base, "..") || !strcmp(base, ".")) return ICSEG_OK;
    for (int turn = 0; turn < 2; turn++) {
        if (!turn && !e->options->images) continue;
        for (const char *const *folder = turn ? folders : user; *folder; folder++) {
            const char *const candidates[] = {whole, base};
            for (int i = 0; i < 2 && !(any_type && !is_image(base)); i++) {
                char *path = icseg_arena_printf(arena, "%s/%s", *folder, candidates[i]);
                if (!path) return icseg_fail_memory(error, strlen(name), name);
                if (icseg_file_exists(path)) {
                    *out = path;
                    return ICSEG_OK;
                }
            }
            for (const char *const *type = candidate_types; any_type && *type; type++) {
                char *path = icseg_arena_printf(arena, "%s/%.*s.%s", *folder, (int)stem, base, *type);
                if (!path) return icseg_fail_memory(error, strlen(name), name);
                if (icseg_file_exists(path)) {
                    *out = path;
                    return ICSEG_OK;
                }
            }
        }
    }
    return ICSEG_OK;
}

icseg_status icseg_export_read_json(json_t **out, const char *path, icseg_error *error) {
    unsigned char *text;
    size_t size;
    json_error_t fault;
    *out = NULL;
    ICSEG_TRY(icseg_file_read(path, ICSEG_EXPORT_JSON_LIMIT, &text, &size, error));
    size_t bom = icseg_bom_size(text, size);
    *out = json_loadb((const char *)text + bom, size - bom, 0, &fault);
    icseg_free(text);
    if (!*out)
        return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: not JSON: line %d, column %d: %s", path, fault.line,
                          fault.column, fault.text);
    if (json_is_object(*out)) return ICSEG_OK;
    json_decref(*out);
    *out = NULL;
    return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: the JSON is not an object {...}", path);
}

icseg_status icseg_export_list(icseg_arena *arena, const char *folder, const char *const *types, char ***out,
                               size_t *count, icseg_error *error) {
    char **names;
    size_t all;
    *out = NULL;
    *count = 0;
    if (!icseg_folder_exists(folder)) return ICSEG_OK;
    ICSEG_TRY(icseg_folder_list(folder, &names, &all, error));
    *out = icseg_arena_array(arena, all, sizeof **out);
    bool fine = *out != NULL;
    for (size_t i = 0; fine && i < all; i++)
        for (const char *const *type = types; *type; type++)
            if (!strcasecmp(icseg_path_extension(names[i]), *type)) {
                fine = ((*out)[(*count)++] = icseg_arena_strdup(arena, names[i])) != NULL;
                break;
            }
    icseg_free(names);
    return fine ? ICSEG_OK : icseg_fail_memory(error, all * sizeof **out, folder);
}

icseg_status icseg_export_number(const json_t *value, const char *where, double *out, icseg_error *error) {
    *out = json_is_number(value) ? json_number_value(value) : NAN;
    return fabs(*out) <= 1e9 ? ICSEG_OK
                             : icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: a coordinate is no number of pixels", where);
}

/* ---- the conversion ---- */

static icseg_status check_options(const icseg_convert_options *o, icseg_error *error) {
    if (!o->source || !o->source[0]) return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "no export to convert was given");
    if (!o->out || !o->out[0]) return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "no folder to write to was given");
    if (!o->background) return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "background: NULL; \"\" means unlabelled");
    if ((unsigned)o->format >= ICSEG_EXPORT_FORMATS)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "format: %d is no format", (int)o->format);
    if (!(o->val_share >= 0 && o->val_share <= 0.9))
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "val_share: %g; 0 to 0.9 is possible", o->val_share);
    if (o->split && (!o->split[0] || o->split[0] == '.' || strchr(o->split, '/')))
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "split: \"%.80s\" is no folder name", o->split);
    if (!icseg_folder_exists(o->source) && !icseg_file_exists(o->source))
        return icseg_fail(error, ICSEG_ERROR_IO, "%s: no such file or folder", o->source);
    DIR *out = opendir(o->out);
    bool empty = true;
    for (struct dirent *entry; out && empty && (entry = readdir(out));)
        empty = !strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..") ||
                !strncmp(entry->d_name, ICSEG_EXPORT_STAGING, strlen(ICSEG_EXPORT_STAGING));
    if (out) closedir(out);
    if (!empty) return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "%s: the folder is not empty; name another", o->out);
    return ICSEG_OK;
}

icseg_export_format icseg_export_recognise(const char *source) {
    for (size_t i = 0; i < sizeof order / sizeof *order; i++)
        if (readers[order[i]].fits(source)) return order[i];
    return ICSEG_EXPORT_AUTO;
}

static icseg_status choose_format(const icseg_convert_options *o, icseg_export_format *out, icseg_error *error) {
    *out = o->format == ICSEG_EXPORT_AUTO ? icseg_export_recognise(o->source) : o->format;
    if (*out != ICSEG_EXPORT_AUTO) return ICSEG_OK;
    return icseg_fail(
        error, ICSEG_ERROR_DATA,
        "%s: none of the exports that are read: Pascal VOC (SegmentationClass), CVAT (labelmap.txt), COCO "
        "(instances JSON), LabelMe (a JSON for each picture), YOLO (data.yaml and labels); "
        "docs/data.md shows their files",
        o->source);
}

static icseg_status write_classes(const icseg_export *e, icseg_error *error) {
    icseg_string text = {0};
    char path[PATH_MAX];
    for (int32_t k = 0; k < e->classes; k++) icseg_string_printf(&text, "%s\n", e->names[k]);
    snprintf(path, sizeof path, "%s/classes.txt", e->staging);
    icseg_status status =
        text.failed ? icseg_fail_memory(error, text.size, path) : icseg_file_write(path, text.data, text.size, error);
    icseg_string_close(&text);
    return status;
}

static icseg_status convert(icseg_export *e, icseg_error *error) {
    const icseg_convert_options *o = e->options;
    if (o->classes_file) {
        ICSEG_TRY(icseg_classes_read(e->arena, o->classes_file, &e->names, &e->classes, error));
        e->fixed = true;
    }
    ICSEG_TRY(icseg_export_out_open(e, error));
    ICSEG_TRY(readers[e->summary->format].convert(e, error));
    e->summary->classes = e->classes;
    e->summary->split_unused = o->split && !e->one_split && !e->split_used;
    e->summary->val_share_unused = o->val_share > 0 && !e->one_split;
    if (e->faults.count) return icseg_faults_fail(&e->faults, error);
    if (!e->summary->images)
        return icseg_fail(error, ICSEG_ERROR_DATA, "%s: no pictures with labels (read as %s)", o->source,
                          format_names[e->summary->format]);
    if (!e->classes)
        return icseg_fail(error, ICSEG_ERROR_DATA,
                          "%s: no classes: nothing is labelled, and with --background \"\" there is no background",
                          o->source);
    ICSEG_TRY(write_classes(e, error));
    return icseg_export_out_commit(e, error);
}

icseg_status icseg_dataset_convert(const icseg_convert_options *o, const icseg_progress *progress,
                                   icseg_dataset_fault on_fault, void *user, icseg_convert_summary *out,
                                   icseg_error *error) {
    icseg_export e = {.options = o, .progress = progress, .started = icseg_clock(), .summary = out};
    icseg_error own; /* faults pass through it even when the caller wants no text */
    e.faults.on_fault = on_fault;
    e.faults.user = user;
    if (!error) error = &own;
    *out = (icseg_convert_summary){0};
    ICSEG_TRY(check_options(o, error));
    ICSEG_TRY(choose_format(o, &out->format, error));
    ICSEG_TRY(icseg_arena_open(&e.arena, error));
    icseg_status status = convert(&e, error);
    out->faults = e.faults.count;
    icseg_export_out_close(&e);
    icseg_arena_close(&e.arena);
    return status;
}
