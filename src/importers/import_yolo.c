/* SPDX-License-Identifier: Apache-2.0
 * YOLO segmentation: a text file for each image with a line for each object: class x y x y ..., the coordinates as
 * fractions of the image's width and height. Names are in data.yaml or classes.txt
 * (docs.ultralytics.com/datasets/segment). */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "classes/class_list.h"
#include "dataset/formats.h"
#include "importers/internal.h"
#include "importers/text_table.h"
#include "importers/yolo_config.h"
#include "dataset/text_lines.h"
#include "image/codec.h"

enum { MAX_TEXT = 64 << 20, MAX_OBJECTS = 1 << 20, MAX_SOURCES = ICSEG_YOLO_PLACES + 9 /* and the usual folders */ };

/* Polygons may extend a little beyond the image; larger coordinates are in pixels. */
#define MAX_FRACTION 1.1

static const char *const yaml_names[] = {"data.yaml", "data.yml", "dataset.yaml", NULL};
/* Folders of splits, in the order in which they are imported. */
static const char *const split_folders[] = {"train", "valid", "val", "test", NULL};

/* *out: NULL if there is none. */
static icseg_status find_yaml(icseg_arena *arena, const char *source, char **out, icseg_error *error) {
    *out = NULL;
    for (const char *const *name = yaml_names; *name && !*out; name++) {
        char *path = icseg_arena_printf(arena, "%s/%s", source, *name);
        if (!path) return icseg_fail_memory_in(error, 0, source);
        if (icseg_file_exists(path)) *out = path;
    }
    return ICSEG_OK;
}

/* Reads data.yaml, or the names in the order of the class numbers from another file. */
static icseg_status read_config(icseg_import *im, icseg_yolo_config *out, icseg_error *error) {
    const char *source = im->options->source;
    char *yaml, *list = icseg_arena_printf(im->arena, "%s/classes.txt", source);
    ICSEG_TRY(find_yaml(im->arena, source, &yaml, error));
    if (!list) return icseg_fail_memory_in(error, 0, source);
    if (yaml) return icseg_yolo_config_read(out, im->arena, yaml, error);
    int32_t count = 0;
    *out = (icseg_yolo_config){.path = list};
    if (icseg_file_exists(list))
        ICSEG_TRY(icseg_classes_read(im->arena, list, &out->names, &count, error));
    else if (im->fixed)
        out->names = im->names, count = im->classes;
    else
        return icseg_fail_field(
            error, ICSEG_ERROR_DATA, "classes_file", ICSEG_REMEDY_SET_FIELD,
            "%s: no data.yaml or classes.txt with the class names; add one, or specify a class list", source);
    out->name_count = (size_t)count;
    return ICSEG_OK;
}

/* ---- one image ---- */

typedef struct yolo {
    icseg_import *im;
    icseg_yolo_config config;
    int32_t *labels;         /* (config.name_count): class number to label */
    icseg_import_texts used; /* the label files of images */
    icseg_text_table images; /* the paths of the images, below the source */
    int64_t repeats;         /* images that were named again */
    char *first_repeat;
} yolo;

static icseg_status fail_line(const char *path, size_t line, const char *what, icseg_error *error) {
    return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: line %zu: %s", path, line, what);
}

/* The next word, NUL-terminated in place; NULL at the end of the line. */
static char *next_word(char **rest) {
    char *word = *rest + strspn(*rest, " \t"), *end = word + strcspn(word, " \t");
    *rest = *end ? end + 1 : end;
    *end = '\0';
    return *word ? word : NULL;
}

static icseg_status read_coordinate(const icseg_import_item *item, size_t line, const char *word, double *out,
                                    icseg_error *error) {
    if (!icseg_parse_f64(word, out) || *out < -MAX_FRACTION)
        return icseg_fail(error, ICSEG_ERROR_FORMAT,
                          "%s: line %zu: the coordinate \"%.40s\" is not a fraction of the image (0..1)", item->source,
                          line, word);
    if (*out <= MAX_FRACTION) return ICSEG_OK;
    return icseg_fail(error, ICSEG_ERROR_FORMAT,
                      "%s: line %zu: the coordinate %.40s seems to be in pixels; YOLO's coordinates are fractions of "
                      "the image (0..1): "
                      "divide x by the image's width and y by its height",
                      item->source, line, word);
}

/* out->outlines stays NULL for a box. Overwrites the line. */
static icseg_status read_line(const yolo *y, const icseg_import_item *item, size_t line, char *text, icseg_object *out,
                              icseg_error *error) {
    const char *path = item->source, *class = next_word(&text);
    int64_t number;
    size_t fields = 0;
    *out = (icseg_object){0};
    if (!class || !icseg_parse_between(class, 0, (int64_t)y->config.name_count - 1, &number))
        return icseg_fail(error, ICSEG_ERROR_FORMAT,
                          "%s: line %zu: \"%.40s\" is not a class number from 0 to %zu (%s has %zu %s)", path, line,
                          class ? class : "", y->config.name_count - 1, y->config.path, y->config.name_count,
                          icseg_plural((int64_t)y->config.name_count, "class", "classes"));
    for (const char *p = text; *(p += strspn(p, " \t")); fields++) p += strcspn(p, " \t");
    if (fields < 4 || fields % 2) return fail_line(path, line, "expected: class x y x y x y ...", error);
    icseg_outline *o = icseg_arena_alloc(item->arena, sizeof *o);
    if (!o || !(o->xy = icseg_arena_array(item->arena, fields, sizeof *o->xy)))
        return icseg_fail_memory_in(error, 0, path);
    for (size_t i = 0; i < fields; i++) {
        ICSEG_TRY(read_coordinate(item, line, next_word(&text), &o->xy[i], error));
        o->xy[i] *= (double)(i % 2 ? item->height : item->width);
    }
    o->count = fields / 2;
    if (fields > 4) *out = (icseg_object){.label = (int16_t)y->labels[number], .outlines = o};
    return ICSEG_OK;
}

static icseg_status read_objects(const yolo *y, icseg_import_item *item, icseg_error *error) {
    const char *path = item->source;
    unsigned char *text;
    size_t size, max_lines = 1;
    ICSEG_TRY(icseg_file_read_text(path, MAX_TEXT, &text, &size, error));
    for (size_t i = 0; i < size; i++) max_lines += text[i] == '\n';
    icseg_status status = ICSEG_OK;
    if (max_lines > MAX_OBJECTS)
        status = fail_line(path, MAX_OBJECTS, "too many objects", error);
    else if (!(item->objects = icseg_arena_array(item->arena, max_lines, sizeof *item->objects)))
        status = icseg_fail_memory_in(error, max_lines * sizeof *item->objects, path);
    icseg_text_lines lines = icseg_text_lines_of(text, size);
    for (char *line; status == ICSEG_OK && (line = icseg_text_lines_next(&lines));) {
        if (!*line) continue;
        icseg_object *object = &item->objects[item->object_count];
        status = read_line(y, item, lines.number, line, object, error);
        if (status == ICSEG_OK && object->outlines)
            item->object_count++;
        else if (status == ICSEG_OK)
            icseg_import_skip(y->im, ICSEG_SKIP_BOX);
        status = icseg_import_problem(y->im, status, error);
    }
    icseg_free(text);
    return status;
}

/* ---- the label file of an image ---- */

/* Tries FOLDER/STEM.txt and FOLDER/NAME.txt, where `image` is the image's path in the folder of labels. */
static icseg_status try_label(icseg_arena *arena, const char *image, char **out, icseg_error *error) {
    int stem = (int)(strlen(image) - strlen(icseg_path_extension(image)));
    const char *paths[] = {icseg_arena_printf(arena, "%.*stxt", stem, image),
                           icseg_arena_printf(arena, "%s.txt", image)};
    for (int i = 0; i < 2; i++) {
        bool found;
        if (!paths[i]) return icseg_fail_memory_in(error, 0, image);
        ICSEG_TRY(icseg_path_find(paths[i], S_IFREG, &found, error));
        if (found) return *out = (char *)(uintptr_t)paths[i], ICSEG_OK;
    }
    return ICSEG_OK;
}

/* `name` is below the source. A folder "images" of its path is called "labels" in the path of the label file: the last
 * such folder, or another one. The label file may also be next to the image. *out NULL: the image has no objects. */
static icseg_status find_label(const yolo *y, icseg_arena *arena, const char *name, char **out, icseg_error *error) {
    static const char from[] = "/images/";
    const char *source = y->im->options->source;
    char *path = icseg_arena_printf(arena, "/%s", name);
    *out = NULL;
    if (!path) return icseg_fail_memory_in(error, 0, name);
    for (char *at = path + strlen(path); !*out && at-- > path;) {
        if (strncmp(at, from, sizeof from - 1) != 0) continue;
        char *label =
            icseg_arena_printf(arena, "%s%.*s/labels/%s", source, (int)(at - path), path, at + sizeof from - 1);
        if (!label) return icseg_fail_memory_in(error, 0, name);
        ICSEG_TRY(try_label(arena, label, out, error));
    }
    char *beside = icseg_arena_printf(arena, "%s%s", source, path);
    if (!beside) return icseg_fail_memory_in(error, 0, name);
    return *out ? ICSEG_OK : try_label(arena, beside, out, error);
}

/* ---- the images of a split ---- */

/* A folder of images, or a file that lists them. */
typedef struct image_source {
    const char *split;
    const char *place; /* below the source; "" is the source itself */
    bool is_list;
    bool without_splits; /* leave out the folders of splits, which are sources of their own */
} image_source;

/* The part of an image's path that names it in the new data set: after its last folder "images", without the split. */
static const char *name_of(const char *path, const char *split) {
    const char *name = !strncmp(path, "images/", 7) ? path + 7 : path;
    for (const char *at = path; (at = strstr(at, "/images/")); at++) name = at + 8;
    size_t length = strlen(split);
    if (!strncmp(name, split, length) && name[length] == '/') name += length + 1;
    if (!strcmp(split, "val") && !strncmp(name, "valid/", 6)) name += 6;
    return name;
}

static icseg_status import_image(yolo *y, icseg_arena *arena, const char *split, const char *path, icseg_error *error) {
    int32_t width, height;
    char *label, *image = icseg_arena_printf(arena, "%s/%s", y->im->options->source, path);
    if (!image) return icseg_fail_memory_in(error, 0, path);
    ICSEG_TRY(icseg_image_read_size(&width, &height, image, error));
    ICSEG_TRY(find_label(y, arena, path, &label, error));
    icseg_import_item item = {.arena = arena,
                              .split = split,
                              .name = name_of(path, split),
                              .image = image,
                              .source = label ? label : image,
                              .width = width,
                              .height = height};
    if (label) {
        ICSEG_TRY(icseg_import_add_text(&y->used, y->im->arena, label, error));
        ICSEG_TRY(read_objects(y, &item, error));
    }
    return icseg_import_write(y->im, &item, error);
}

/* An image that belongs to several splits, or that a list names twice, is imported once. */
static icseg_status import_path(yolo *y, const char *split, const char *path, icseg_error *error) {
    icseg_arena *arena;
    size_t before = y->images.count, index;
    ICSEG_TRY(icseg_text_table_add(&y->images, y->im->arena, path, "images", &index, error));
    if (index < before) {
        if (!y->repeats++) y->first_repeat = y->images.texts[index];
        y->im->stage.total--;
        return ICSEG_OK;
    }
    ICSEG_TRY(icseg_arena_open(&arena, error));
    icseg_status status = import_image(y, arena, split, path, error);
    icseg_arena_close(&arena);
    return icseg_import_problem(y->im, status, error);
}

/* Whether the image belongs to the folder of another source, which is inside of this one. */
static bool is_in_other(const image_source *sources, int count, const image_source *own, const char *path) {
    size_t outer = strlen(own->place);
    for (int i = 0; i < count; i++) {
        size_t length = strlen(sources[i].place);
        if (!sources[i].is_list && length > outer && !strncmp(path, sources[i].place, length) && path[length] == '/')
            return true;
    }
    return false;
}

static bool is_in_split(const char *path) {
    for (const char *const *split = split_folders; *split; split++) {
        size_t length = strlen(*split);
        if (!strncmp(path, *split, length) && path[length] == '/') return true;
    }
    return false;
}

static icseg_status import_folder(yolo *y, const image_source *sources, int source_count, const image_source *s,
                                  icseg_error *error) {
    char **paths, *folder = icseg_arena_printf(y->im->arena, "%s/%s", y->im->options->source, s->place);
    size_t count;
    if (!folder) return icseg_fail_memory_in(error, 0, s->place);
    ICSEG_TRY(icseg_import_list_tree(y->im->arena, folder, icseg_image_types, &paths, &count, error));
    y->im->stage.total += (int64_t)count;
    for (size_t i = 0; i < count; i++) {
        if (s->without_splits && is_in_split(paths[i])) continue;
        char *path = icseg_arena_printf(y->im->arena, "%s%s%s", s->place, *s->place ? "/" : "", paths[i]);
        if (!path) return icseg_fail_memory_in(error, 0, s->place);
        if (is_in_other(sources, source_count, s, path)) {
            y->im->stage.total--;
            continue;
        }
        ICSEG_TRY(import_path(y, s->split, path, error));
    }
    return ICSEG_OK;
}

/* Removes "." and empty parts from a path, in place, so that paths of the same file are equal. */
static void simplify(char *path) {
    char *to = path;
    for (const char *from = path; *from;) {
        size_t length = strcspn(from, "/");
        if (length && !(length == 1 && *from == '.')) {
            if (to > path) *to++ = '/';
            memmove(to, from, length);
            to += length;
        }
        from += length + (from[length] == '/');
    }
    *to = '\0';
}

/* Finds what a path means in this copy of the data set; *out NULL: nothing. Leading ".." are dropped, so that no path
 * leads outside. An absolute path, which is another machine's, and the path of a file may lack folders at the start:
 * the longest end that exists is taken, for a folder of at least two names. `type` is S_IFREG or S_IFDIR; `below` is ""
 * or begins with a slash. */
static icseg_status find_place(const yolo *y, const char *below, const char *path, mode_t type, char **out,
                               icseg_error *error) {
    icseg_arena *arena = y->im->arena;
    bool is_absolute = *path == '/' || (*path && !strncmp(path + 1, ":/", 2)); /* "C:/" */
    *out = NULL;
    for (const char *rest = path; rest; rest = strchr(rest, '/'), rest = rest ? rest + 1 : NULL) {
        bool found, first = rest == path || (*path == '.' && rest - path <= (ptrdiff_t)strspn(path, "./"));
        if (!*rest || !strncmp(rest, "./", 2) || !icseg_import_is_inside(rest)) continue;
        if (type == S_IFDIR && !first && (!is_absolute || !strchr(rest, '/'))) continue;
        char *place = icseg_arena_printf(arena, "%s/%s", below, rest);
        char *whole = place ? icseg_arena_printf(arena, "%s%s", y->im->options->source, place) : NULL;
        if (!whole) return icseg_fail_memory_in(error, 0, path);
        ICSEG_TRY(icseg_path_find(whole, type, &found, error));
        if (!found) continue;
        simplify(place);
        *out = place;
        break;
    }
    return ICSEG_OK;
}

/* Lines of a list start from the list's folder, from the source, or from a folder of another machine. */
static icseg_status import_list(yolo *y, const image_source *s, icseg_error *error) {
    icseg_arena *arena = y->im->arena;
    const char *slash = strrchr(s->place, '/');
    char *path = icseg_arena_printf(arena, "%s/%s", y->im->options->source, s->place);
    char *below = slash ? icseg_arena_printf(arena, "/%.*s", (int)(slash - s->place), s->place) : "";
    unsigned char *text;
    size_t size;
    if (!path || !below) return icseg_fail_memory_in(error, 0, s->place);
    ICSEG_TRY(icseg_file_read_text(path, MAX_TEXT, &text, &size, error));
    icseg_text_lines lines = icseg_text_lines_of(text, size);
    icseg_status status = ICSEG_OK;
    for (char *line; status == ICSEG_OK && (line = icseg_text_lines_next(&lines));) {
        char *image = NULL;
        if (!*line) continue;
        icseg_yolo_use_slashes(line);
        status = find_place(y, below, line, S_IFREG, &image, error);
        if (status == ICSEG_OK && !image && *below) status = find_place(y, "", line, S_IFREG, &image, error);
        if (status == ICSEG_OK && !image)
            status = icseg_fail(error, ICSEG_ERROR_DATA, "%s: line %zu: the image \"%.200s\" is missing in %s", path,
                                lines.number, line, y->im->options->source);
        y->im->stage.total++;
        status =
            status == ICSEG_OK ? import_path(y, s->split, image, error) : icseg_import_problem(y->im, status, error);
    }
    icseg_free(text);
    return status;
}

/* ---- the images of another folder: those of the label files, which may be all that was exported ---- */

/* `name` is the label file's, below the folder of labels; the split's folder may come first. */
static icseg_status import_label(yolo *y, icseg_arena *arena, const char *split, const char *label, const char *name,
                                 icseg_error *error) {
    const char *const folders[] = {NULL};
    int32_t width, height;
    char *image;
    size_t length = strlen(name) - strlen(".txt");
    char *stem = icseg_arena_printf(arena, "%.*s", (int)length, name); /* or the image's name: "a.png.txt" */
    char *any = icseg_arena_printf(arena, "%.*s.jpg", (int)length, name);
    if (!stem || !any) return icseg_fail_memory_in(error, 0, label);
    ICSEG_TRY(icseg_import_find_image(
        y->im, arena, (icseg_image_query){.folders = folders, .name = any, .any_type = true}, &image, error));
    if (!image && *icseg_path_extension(stem))
        ICSEG_TRY(icseg_import_find_image(y->im, arena, (icseg_image_query){.folders = folders, .name = stem}, &image,
                                          error));
    if (!image)
        return icseg_fail_field(error, ICSEG_ERROR_DATA, "image_folder", ICSEG_REMEDY_SET_FIELD,
                                "%s: the image \"%.200s\" is missing in %s", label, stem, y->im->options->image_folder);
    ICSEG_TRY(icseg_image_read_size(&width, &height, image, error));
    icseg_import_item item = {.arena = arena,
                              .split = split,
                              .name = name_of(any, split),
                              .image = image,
                              .source = label,
                              .width = width,
                              .height = height};
    ICSEG_TRY(icseg_import_add_text(&y->used, y->im->arena, label, error));
    ICSEG_TRY(read_objects(y, &item, error));
    return icseg_import_write(y->im, &item, error);
}

/* A folder of label files below the source, and their split; NULL: the first folder of each file's name. */
typedef struct label_folder {
    const char *place, *split;
} label_folder;

static const char *split_of(const yolo *y, const label_folder *f, const char *name) {
    if (f->split) return icseg_import_split_name(f->split);
    for (const char *const *split = split_folders; *split; split++) {
        size_t length = strlen(*split);
        if (!strncmp(name, *split, length) && name[length] == '/') return icseg_import_split_name(*split);
    }
    return y->im->options->split ? y->im->options->split : "train";
}

/* The first pass counts the label files, and finds whether they have several splits. */
static icseg_status import_labels(yolo *y, const label_folder *f, const char **split, bool counting,
                                  icseg_error *error) {
    static const char *const types[] = {"txt", NULL};
    char **names, *folder = icseg_arena_printf(y->im->arena, "%s/%s", y->im->options->source, f->place);
    size_t count;
    if (!folder) return icseg_fail_memory_in(error, 0, f->place);
    ICSEG_TRY(icseg_import_list_tree(y->im->arena, folder, types, &names, &count, error));
    for (size_t i = 0; i < count; i++) {
        icseg_arena *arena;
        const char *own = split_of(y, f, names[i]), *given = y->im->options->split;
        if (!strcmp(icseg_path_name(names[i]), "classes.txt")) continue;
        if (counting) {
            y->im->stage.total++;
            y->im->one_split &= !*split || !strcmp(*split, own);
            *split = own;
            continue;
        }
        ICSEG_TRY(icseg_arena_open(&arena, error));
        char *label = icseg_arena_printf(arena, "%s/%s", folder, names[i]);
        icseg_status status =
            label ? import_label(y, arena, given && y->im->one_split ? given : own, label, names[i], error)
                  : icseg_fail_memory_in(error, 0, folder);
        icseg_arena_close(&arena);
        ICSEG_TRY(icseg_import_problem(y->im, status, error));
    }
    return ICSEG_OK;
}

static icseg_status import_all_labels(yolo *y, icseg_error *error) {
    static const label_folder folders[] = {{"labels", NULL},
                                           {"train/labels", "train"},
                                           {"valid/labels", "val"},
                                           {"val/labels", "val"},
                                           {"test/labels", "test"}};
    const char *split = NULL;
    y->im->one_split = true;
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
            ICSEG_TRY(import_labels(y, &folders[i], &split, !pass, error));
    return ICSEG_OK;
}

/* ---- the splits ---- */

/* The sources that data.yaml names. A split whose folder is missing is left out with a warning: many data.yaml name a
 * test split that was never exported. */
static icseg_status find_named(yolo *y, image_source *list, int *count, icseg_error *error) {
    const icseg_yolo_config *c = &y->config;
    const icseg_progress *progress = y->im->stage.progress;
    char *root = NULL;
    if (c->root) ICSEG_TRY(find_place(y, "", c->root, S_IFDIR, &root, error));
    char *below = root && *root ? icseg_arena_printf(y->im->arena, "/%s", root) : "";
    if (!below) return icseg_fail_memory_in(error, 0, root);
    for (size_t i = 0; i < c->place_count; i++) {
        const icseg_yolo_place *p = &c->places[i];
        char *place = NULL;
        bool is_list = !strcmp(icseg_path_extension(p->place), "txt"), twice = false;
        mode_t type = is_list ? S_IFREG : S_IFDIR;
        ICSEG_TRY(find_place(y, below, p->place, type, &place, error));
        if (!place && *below) ICSEG_TRY(find_place(y, "", p->place, type, &place, error));
        for (int k = 0; k < *count && place; k++) twice |= !strcmp(list[k].place, place);
        if (twice)
            icseg_progress_say(progress, ICSEG_MESSAGE_WARNING,
                               "%s: %s: \"%.200s\" already belongs to another split; its images are imported once",
                               c->path, p->split, p->place);
        else if (place)
            list[(*count)++] = (image_source){.split = p->split, .place = place, .is_list = is_list};
        else
            icseg_progress_say(progress, ICSEG_MESSAGE_WARNING, "%s: %s: \"%.200s\" does not exist in %s", c->path,
                               p->split, p->place, y->im->options->source);
    }
    return ICSEG_OK;
}

static bool has_split(const image_source *list, int count, const char *split) {
    for (int i = 0; i < count; i++)
        if (!strcmp(list[i].split, strcmp(split, "valid") ? split : "val")) return true;
    return false;
}

/* Adds images/SPLIT and SPLIT/images of the splits that data.yaml does not name. If it names none, adds other images of
 * `images` too, or all images of the source. */
static icseg_status find_usual(const yolo *y, image_source *list, int *count, icseg_error *error) {
    icseg_arena *arena = y->im->arena;
    int named = *count;
    bool found;
    for (const char *const *split = split_folders; *split; split++)
        for (int i = 0; i < 2 && !has_split(list, named, *split); i++) {
            char *place = NULL, *name = icseg_arena_printf(arena, i ? "%s/images" : "images/%s", *split);
            if (!name) return icseg_fail_memory_in(error, 0, *split);
            ICSEG_TRY(find_place(y, "", name, S_IFDIR, &place, error));
            for (int k = 0; k < named && place; k++)
                if (!strcmp(list[k].place, place)) place = NULL; /* it belongs to another split */
            if (place && !strcmp(place, name))
                list[(*count)++] = (image_source){.split = strcmp(*split, "valid") ? *split : "val", .place = name};
        }
    if (named) return ICSEG_OK;
    char *images = icseg_arena_printf(arena, "%s/images", y->im->options->source);
    if (!images) return icseg_fail_memory(error, 0, "images");
    ICSEG_TRY(icseg_path_find(images, S_IFDIR, &found, error));
    bool splits = *count > 0;
    if (found || !splits)
        list[(*count)++] =
            (image_source){.split = "train", .place = found ? "images" : "", .without_splits = found && splits};
    return ICSEG_OK;
}

/* Label files that belong to no image that was imported, and files that are not label files at all. */
static icseg_status note_unused(yolo *y, const char *folder, icseg_error *error) {
    char **names, *root = icseg_arena_printf(y->im->arena, "%s/%s", y->im->options->source, folder);
    size_t count;
    if (!root) return icseg_fail_memory_in(error, 0, folder);
    ICSEG_TRY(icseg_import_list_tree(y->im->arena, root, NULL, &names, &count, error));
    for (size_t i = 0; i < count; i++) {
        char *path = icseg_arena_printf(y->im->arena, "%s/%s", root, names[i]);
        const char *name = icseg_path_name(names[i]);
        if (!path) return icseg_fail_memory_in(error, 0, folder);
        if (!strcmp(name, "classes.txt") || !strcmp(icseg_path_extension(name), "cache")) continue;
        if (!icseg_import_has_text(&y->used, path)) icseg_import_unused(y->im, path);
    }
    return ICSEG_OK;
}

static icseg_status note_all_unused(yolo *y, icseg_error *error) {
    icseg_import_sort_texts(&y->used);
    ICSEG_TRY(note_unused(y, "labels", error));
    for (const char *const *split = split_folders; *split; split++) {
        char *folder = icseg_arena_printf(y->im->arena, "%s/labels", *split);
        if (!folder) return icseg_fail_memory_in(error, 0, *split);
        ICSEG_TRY(note_unused(y, folder, error));
    }
    return ICSEG_OK;
}

static icseg_status import_splits(yolo *y, icseg_error *error) {
    image_source list[MAX_SOURCES];
    int count = 0;
    const char *split = y->im->options->split;
    if (y->im->options->image_folder) {
        ICSEG_TRY(import_all_labels(y, error));
        if (y->im->stage.total) return note_all_unused(y, error);
        return icseg_fail(error, ICSEG_ERROR_DATA,
                          "%s: no label files; expected them in labels, labels/train or train/labels",
                          y->im->options->source);
    }
    ICSEG_TRY(find_named(y, list, &count, error));
    ICSEG_TRY(find_usual(y, list, &count, error));
    y->im->one_split = true;
    for (int i = 1; i < count; i++) y->im->one_split &= !strcmp(list[i].split, list[0].split);
    for (int i = 0; i < count; i++) {
        if (split && y->im->one_split) list[i].split = split;
        ICSEG_TRY(list[i].is_list ? import_list(y, &list[i], error) : import_folder(y, list, count, &list[i], error));
    }
    if (y->repeats)
        icseg_progress_say(y->im->stage.progress, ICSEG_MESSAGE_WARNING,
                           "%lld %s an image that was imported before, the first of them %s; each image is in the "
                           "first split that names it",
                           (long long)y->repeats, y->repeats == 1 ? "entry names" : "entries name", y->first_repeat);
    if (!y->im->stage.total)
        return icseg_fail_field(
            error, ICSEG_ERROR_DATA, "image_folder", ICSEG_REMEDY_SET_FIELD,
            "%s: no images; expected images/train with labels/train, train/images with "
            "train/labels, or images with labels; if the images are elsewhere, specify their folder",
            y->im->options->source);
    return note_all_unused(y, error);
}

icseg_status icseg_import_yolo(icseg_import *im, icseg_error *error) {
    yolo y = {.im = im};
    icseg_import_declared declared = {0};
    ICSEG_TRY(read_config(im, &y.config, error));
    ICSEG_TRY(icseg_import_background(im, error));
    y.labels = icseg_arena_array(im->arena, y.config.name_count, sizeof *y.labels);
    if (!y.labels) return icseg_fail_memory_in(error, y.config.name_count * sizeof *y.labels, im->options->source);
    for (size_t i = 0; i < y.config.name_count; i++)
        ICSEG_TRY(icseg_import_declare(im, &declared, y.config.names[i], y.config.path, &y.labels[i], error));
    icseg_status status = import_splits(&y, error);
    icseg_free(y.used.texts);
    icseg_text_table_close(&y.images);
    return status;
}
