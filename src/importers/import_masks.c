/* SPDX-License-Identifier: Apache-2.0
 * Sources with masks: Pascal VOC (palette indices, 255 = void) and CVAT's "Segmentation mask" (colours listed in
 * labelmap.txt). Both have SegmentationClass, JPEGImages and ImageSets/Segmentation. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "classes/class_list.h"
#include "importers/internal.h"
#include "dataset/text_lines.h"

enum { MAX_TEXT = 16 << 20, MAX_COLOURS = 4096, VOID_COLOUR = 0xe0e0c0 };

static const char *const mask_types[] = {"png", NULL};
static const char *const list_types[] = {"txt", NULL};

static const char *const voc_names[] = {
    "background", "aeroplane", "bicycle",      "bird",  "boat",         "bottle", "bus",
    "car",        "cat",       "chair",        "cow",   "dining table", "dog",    "horse",
    "motorbike",  "person",    "potted plant", "sheep", "sofa",         "train",  "tv/monitor"};
enum { VOC_CLASSES = sizeof voc_names / sizeof *voc_names };

typedef struct colour {
    uint32_t rgb;
    int16_t label;
} colour;

typedef struct mask_source {
    icseg_import *im;
    const char *source;
    bool coloured;   /* CVAT */
    colour *colours; /* (count), by rgb */
    size_t count;
    int16_t index_label[256]; /* VOC: (indices) label of each palette index */
    int32_t indices;
    icseg_import_declared declared;
    icseg_import_texts used; /* masks that were imported */
} mask_source;

/* ---- CVAT's labelmap.txt ---- */

static int compare_colours(const void *a, const void *b) {
    const colour *x = a, *y = b;
    return (x->rgb > y->rgb) - (x->rgb < y->rgb);
}

/* Whether the text up to the next colon is "r,g,b". *valid: all three are in 0..255. */
static bool read_rgb(const char *text, uint32_t *rgb, bool *valid) {
    char field[64];
    size_t length = strcspn(text, ":"), commas = 0;
    if (length >= sizeof field || strspn(text, "0123456789+-, ") < length) return false;
    memcpy(field, text, length);
    field[length] = '\0';
    *rgb = 0;
    *valid = true;
    for (char *p = field, *next; p; p = next) {
        int64_t value = 0;
        if ((next = strchr(p, ','))) *next++ = '\0', commas++;
        *valid &= icseg_parse_between(p + strspn(p, " "), 0, 255, &value);
        *rgb = *rgb << 8 | (uint32_t)value;
    }
    return commas == 2;
}

/* "name:r,g,b:parts:actions" */
static icseg_status read_colour(mask_source *m, const char *path, size_t line, char *text, icseg_error *error) {
    uint32_t rgb;
    int32_t label;
    bool valid = false;
    char *split = NULL;
    char where[PATH_MAX + 24];
    for (char *p = text; !split && (p = strchr(p, ':')); p++) /* names may contain colons */
        if (read_rgb(p + 1, &rgb, &valid)) split = p;
    if (!split || split == text)
        return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: line %zu: expected \"name:red,green,blue::\"", path, line);
    if (!valid)
        return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: line %zu: \"%.40s\": red, green and blue must be 0 to 255",
                          path, line, split + 1);
    if (m->count == MAX_COLOURS)
        return icseg_fail(error, ICSEG_ERROR_DATA, "%s: line %zu: more than %d classes", path, line, MAX_COLOURS);
    *split = '\0';
    snprintf(where, sizeof where, "%s: line %zu", path, line);
    ICSEG_TRY(icseg_import_declare(m->im, &m->declared, text, where, &label, error));
    m->colours[m->count++] = (colour){rgb, (int16_t)label};
    return ICSEG_OK;
}

static icseg_status read_labelmap(mask_source *m, icseg_error *error) {
    unsigned char *text;
    size_t size;
    char *path = icseg_arena_printf(m->im->arena, "%s/labelmap.txt", m->source);
    m->colours = icseg_arena_array(m->im->arena, MAX_COLOURS + 2, sizeof *m->colours);
    if (!path || !m->colours) return icseg_fail_memory_in(error, 0, m->source);
    ICSEG_TRY(icseg_file_read_text(path, MAX_TEXT, &text, &size, error));
    icseg_text_lines lines = icseg_text_lines_of(text, size);
    icseg_status status = ICSEG_OK;
    for (char *line; status == ICSEG_OK && (line = icseg_text_lines_next(&lines));)
        if (*line && *line != '#') status = read_colour(m, path, lines.number, line, error);
    icseg_free(text);
    ICSEG_TRY(status);
    if (!m->count) return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: no classes", path);
    qsort(m->colours, m->count, sizeof *m->colours, compare_colours);
    for (size_t i = 1; i < m->count; i++)
        if (m->colours[i - 1].rgb == m->colours[i].rgb && m->colours[i - 1].label != m->colours[i].label)
            return icseg_fail(error, ICSEG_ERROR_DATA, "%s: two classes have the colour %u,%u,%u", path,
                              m->colours[i].rgb >> 16, m->colours[i].rgb >> 8 & 255, m->colours[i].rgb & 255);
    return ICSEG_OK;
}

/* The caller's colours, which the source does not declare. */
static icseg_status add_colour(mask_source *m, const char *field, const char *text, int16_t label, icseg_error *error) {
    unsigned rgb = 0;
    bool valid = false;
    if (!text || !*text) return ICSEG_OK;
    if (text[0] == '#') {
        valid = strlen(text) == 7 && strspn(text + 1, "0123456789abcdefABCDEF") == 6;
        if (valid) rgb = (unsigned)strtoul(text + 1, NULL, 16);
    } else if (!read_rgb(text, &rgb, &valid))
        valid = false;
    if (!valid)
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, field, ICSEG_REMEDY_SET_FIELD,
                                "%s: \"%.40s\" is not a colour; expected red,green,blue or #rrggbb", field, text);
    for (size_t i = 0; i < m->count; i++)
        if (m->colours[i].rgb == rgb) return m->colours[i].label = label, ICSEG_OK;
    m->colours[m->count++] = (colour){rgb, label};
    qsort(m->colours, m->count, sizeof *m->colours, compare_colours);
    return ICSEG_OK;
}

static icseg_status add_colours(mask_source *m, icseg_error *error) {
    const icseg_import_options *o = m->im->options;
    int16_t background = ICSEG_LABEL_IGNORE;
    if (o->background_colour) {
        ICSEG_TRY(icseg_import_background(m->im, error));
        background = icseg_import_background_label(m->im);
    }
    ICSEG_TRY(add_colour(m, "background_colour", o->background_colour, background, error));
    return add_colour(m, "ignore_colour", o->ignore_colour, ICSEG_LABEL_IGNORE, error);
}

/* ---- VOC's classes ---- */

/* VOC's colours: the bits of the index, distributed over the high bits of red, green and blue. */
static uint32_t voc_colour(unsigned index) {
    uint32_t rgb = 0;
    for (int bit = 7; index; bit--, index >>= 3)
        rgb |= (index & 1) << (16 + bit) | (index >> 1 & 1) << (8 + bit) | (index >> 2 & 1) << bit;
    return rgb;
}

/* The caller's classes, those of class_names.txt (labelme2voc), or the background and the 20 classes of VOC. */
static icseg_status read_voc_classes(mask_source *m, icseg_error *error) {
    char **names = (char **)(uintptr_t)voc_names;
    char *list = icseg_arena_printf(m->im->arena, "%s/class_names.txt", m->source);
    int32_t count = VOC_CLASSES;
    if (!list) return icseg_fail_memory_in(error, 0, m->source);
    if (m->im->fixed)
        names = m->im->names, count = m->im->classes;
    else if (icseg_file_exists(list))
        ICSEG_TRY(icseg_classes_read(m->im->arena, list, &names, &count, error));
    if (count > 255)
        return icseg_fail(error, ICSEG_ERROR_DATA, "%s: %d classes; palette indices can represent at most 255",
                          m->source, count);
    m->colours = icseg_arena_array(m->im->arena, 256 + 2, sizeof *m->colours);
    if (!m->colours) return icseg_fail_memory_in(error, 258 * sizeof *m->colours, m->source);
    for (int32_t k = 0; k < count; k++) {
        int32_t label;
        ICSEG_TRY(icseg_import_declare(m->im, &m->declared, names[k], m->source, &label, error));
        m->index_label[m->indices++] = (int16_t)label;
        m->colours[m->count++] = (colour){voc_colour((unsigned)k), (int16_t)label};
    }
    m->colours[m->count++] = (colour){VOID_COLOUR, ICSEG_LABEL_IGNORE};
    qsort(m->colours, m->count, sizeof *m->colours, compare_colours);
    return ICSEG_OK;
}

/* ---- masks ---- */

static icseg_status from_colours(const mask_source *m, const char *path, icseg_labels *out, icseg_error *error) {
    icseg_image image;
    ICSEG_TRY(icseg_image_read(&image, path, error));
    icseg_status status = icseg_labels_create(out, image.width, image.height, error);
    size_t count = (size_t)image.width * (size_t)image.height;
    const colour *last = NULL;
    for (size_t i = 0; status == ICSEG_OK && i < count; i++) {
        const uint8_t *p = image.data + 3 * i;
        colour key = {(uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2], 0};
        if (!last || last->rgb != key.rgb) last = bsearch(&key, m->colours, m->count, sizeof key, compare_colours);
        if (!last)
            status = icseg_fail_field(
                error, ICSEG_ERROR_DATA, "background_colour", ICSEG_REMEDY_SET_FIELD,
                "%s: colour %d,%d,%d at x=%zu, y=%zu does not belong to a class (%s); if these pixels are background, "
                "declare the colour of the background (%d,%d,%d); if they are unlabelled, declare it as a colour to "
                "ignore",
                path, p[0], p[1], p[2], i % (size_t)image.width, i / (size_t)image.width,
                m->coloured ? "labelmap.txt" : "the colours of Pascal VOC", p[0], p[1], p[2]);
        else
            out->data[i] = last->label;
    }
    icseg_image_close(&image);
    return status;
}

static icseg_status from_indices(const mask_source *m, const char *path, icseg_labels *out, icseg_error *error) {
    icseg_mask mask;
    icseg_status status = icseg_mask_read(&mask, path, error);
    if (status == ICSEG_ERROR_DATA) return from_colours(m, path, out, error); /* RGB: VOC's colours */
    ICSEG_TRY(status);
    status = icseg_labels_create(out, mask.width, mask.height, error);
    size_t count = (size_t)mask.width * (size_t)mask.height;
    for (size_t i = 0; status == ICSEG_OK && i < count; i++) {
        if (mask.data[i] >= m->indices && mask.data[i] != 255)
            status = icseg_fail_field(error, ICSEG_ERROR_DATA, "classes_file", ICSEG_REMEDY_SET_FIELD,
                                      "%s: index %d at x=%zu, y=%zu, but the list has %d %s and 255 is void; specify a "
                                      "class list",
                                      path, mask.data[i], i % (size_t)mask.width, i / (size_t)mask.width, m->indices,
                                      icseg_plural(m->indices, "class", "classes"));
        else
            out->data[i] = (int16_t)(mask.data[i] == 255 ? ICSEG_LABEL_IGNORE : m->index_label[mask.data[i]]);
    }
    icseg_mask_close(&mask);
    return status;
}

static icseg_status import_mask(mask_source *m, const char *stem, const char *split, icseg_error *error) {
    icseg_arena *arena;
    icseg_labels labels = {0};
    icseg_status status;
    ICSEG_TRY(icseg_arena_open(&arena, error));
    char *image, *path = icseg_arena_printf(arena, "%s/SegmentationClass/%s.png", m->source, stem);
    if (path && !icseg_file_exists(path)) {
        char *upper = icseg_arena_printf(arena, "%s/SegmentationClass/%s.PNG", m->source, stem);
        if (upper && icseg_file_exists(upper)) path = upper;
    }
    char *name = icseg_arena_printf(arena, "%s.png", stem);
    const char *folders[] = {icseg_arena_printf(arena, "%s/JPEGImages", m->source),
                             icseg_arena_printf(arena, "%s/images", m->source), NULL};
    if (!path || !name || !folders[0] || !folders[1]) {
        status = icseg_fail_memory_in(error, 0, m->source);
        goto fail;
    }
    ICSEG_TRY_GOTO(icseg_import_add_text(&m->used, m->im->arena, path, error));
    ICSEG_TRY_GOTO(icseg_import_find_image(
        m->im, arena, (icseg_image_query){.folders = folders, .name = name, .any_type = true}, &image, error));
    if (!image) {
        status = icseg_fail_field(error, ICSEG_ERROR_DATA, "image_folder", ICSEG_REMEDY_SET_FIELD,
                                  "%s: its image is missing in JPEGImages; specify the folder of the images", path);
        goto fail;
    }
    ICSEG_TRY_GOTO(m->coloured ? from_colours(m, path, &labels, error) : from_indices(m, path, &labels, error));
    status = icseg_import_write(
        m->im, &(icseg_import_item){.split = split, .name = name, .image = image, .source = path, .ready = &labels},
        error);
fail:
    icseg_labels_close(&labels);
    icseg_arena_close(&arena);
    return status;
}

/* ---- splits ---- */

static icseg_status import_list(mask_source *m, const char *path, const char *split, icseg_error *error) {
    unsigned char *text;
    size_t size;
    icseg_status status = ICSEG_OK;
    ICSEG_TRY(icseg_file_read_text(path, MAX_TEXT, &text, &size, error));
    icseg_text_lines lines = icseg_text_lines_of(text, size);
    for (char *line; status == ICSEG_OK && (line = icseg_text_lines_next(&lines));) {
        if (strlen(line) > NAME_MAX - 16 || *line == '/' || strstr(line, ".."))
            status = icseg_fail(error, ICSEG_ERROR_DATA, "%s: line %zu is not an image name", path, lines.number);
        else if (*line)
            status = import_mask(m, line, split, error);
        status = icseg_import_problem(m->im, status, error);
    }
    icseg_free(text);
    return status;
}

/* Each list is a split; without lists all masks are one split. */
static icseg_status import_splits(mask_source *m, icseg_error *error) {
    icseg_import *im = m->im;
    const char *only = im->options->split ? im->options->split : "train";
    char **names, *folder = icseg_arena_printf(im->arena, "%s/ImageSets/Segmentation", m->source);
    size_t count, train = 0;
    if (!folder) return icseg_fail_memory_in(error, 0, m->source);
    ICSEG_TRY(icseg_import_list(im->arena, folder, list_types, &names, &count, error));
    for (size_t i = 0; i < count; i++) train |= !strcmp(names[i], "train.txt");
    im->one_split = count <= 1;
    for (size_t i = 0; i < count; i++) {
        char split[NAME_MAX + 1], *path = icseg_arena_printf(im->arena, "%s/%s", folder, names[i]);
        if (!path) return icseg_fail_memory_in(error, 0, folder);
        icseg_path_stem(names[i], split, sizeof split);
        if (train && !strcmp(split, "trainval")) continue; /* the union of train and val */
        ICSEG_TRY(import_list(m, path, count == 1 ? only : icseg_import_split_name(split), error));
    }
    if (count) return ICSEG_OK;
    if (!(folder = icseg_arena_printf(im->arena, "%s/SegmentationClass", m->source)))
        return icseg_fail_memory_in(error, 0, m->source);
    ICSEG_TRY(icseg_import_list(im->arena, folder, mask_types, &names, &count, error));
    for (size_t i = 0; i < count; i++) {
        char stem[NAME_MAX + 1];
        icseg_path_stem(names[i], stem, sizeof stem);
        ICSEG_TRY(icseg_import_problem(im, import_mask(m, stem, only, error), error));
    }
    return ICSEG_OK;
}

/* Masks that no list names, or that are in folders inside SegmentationClass without being listed. */
static icseg_status note_unused(mask_source *m, icseg_error *error) {
    icseg_arena *arena = m->im->arena;
    char **names, *folder = icseg_arena_printf(arena, "%s/SegmentationClass", m->source);
    size_t count;
    if (!folder) return icseg_fail_memory_in(error, 0, m->source);
    ICSEG_TRY(icseg_import_list_tree(arena, folder, mask_types, &names, &count, error));
    icseg_import_sort_texts(&m->used);
    for (size_t i = 0; i < count; i++) {
        char *path = icseg_arena_printf(arena, "%s/%s", folder, names[i]);
        if (!path) return icseg_fail_memory_in(error, 0, folder);
        if (!icseg_import_has_text(&m->used, path)) icseg_import_unused(m->im, path);
    }
    return ICSEG_OK;
}

static icseg_status import(mask_source *m, icseg_error *error) {
    icseg_status status = import_splits(m, error);
    if (status == ICSEG_OK) status = note_unused(m, error);
    icseg_free(m->used.texts);
    return status;
}

icseg_status icseg_import_voc(icseg_import *im, icseg_error *error) {
    mask_source m = {.im = im, .source = im->options->source};
    ICSEG_TRY(read_voc_classes(&m, error));
    ICSEG_TRY(add_colours(&m, error));
    return import(&m, error);
}

icseg_status icseg_import_cvat(icseg_import *im, icseg_error *error) {
    mask_source m = {.im = im, .source = im->options->source, .coloured = true};
    ICSEG_TRY(read_labelmap(&m, error));
    ICSEG_TRY(add_colours(&m, error));
    return import(&m, error);
}
