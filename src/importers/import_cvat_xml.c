/* SPDX-License-Identifier: Apache-2.0
 * "CVAT for images 1.1": annotations.xml with polygons, masks and ellipses of each image
 * (docs.cvat.ai/docs/manual/advanced/xml_format). The file is read twice: for the classes and subsets, and for the
 * objects. */
#include <expat.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "importers/internal.h"

enum {
    BLOCK = 1 << 16,
    MAX_TAG = 32 << 20, /* bytes of one tag with its attributes */
    MAX_OBJECTS = 1 << 20,
    MAX_DEPTH = 64,
    MAX_NAME = 1024, /* bytes of a class name */
    ELLIPSE_CORNERS = 128
};

typedef struct cvat {
    icseg_import *im;
    const char *path, *folder; /* of annotations.xml */
    XML_Parser parser;
    bool counting;      /* the first pass */
    const char *subset; /* of all images so far; NULL: none so far */
    int labels_depth;   /* of the <labels> that is open; 0: none */
    bool in_name;       /* in <labels><label><name>, not in the name of a label's attribute */
    icseg_import_declared declared;
    char name[MAX_NAME]; /* its text */
    size_t name_size;
    int depth;
    size_t passed;          /* bytes of the file before the last tag or text; the parser keeps what follows in memory */
    icseg_import_item item; /* item.arena is NULL outside of an image */
    const char *folder_name; /* of its images: the subset as it is written */
    size_t capacity;         /* of item.objects */
    icseg_status status;
    icseg_error *error;
} cvat;

/* ---- errors ---- */

static void stop(cvat *c, icseg_status status) {
    c->status = status;
    XML_StopParser(c->parser, XML_FALSE);
}

static unsigned long line_of(const cvat *c) { return (unsigned long)XML_GetCurrentLineNumber(c->parser); }

static icseg_status fail_line(const cvat *c, const char *what) {
    return icseg_fail(c->error, ICSEG_ERROR_FORMAT, "%s: line %lu: %s", c->path, line_of(c), what);
}

/* ---- attributes ---- */

static const char *attribute(const XML_Char **attributes, const char *name) {
    for (; *attributes; attributes += 2)
        if (!strcmp(attributes[0], name)) return attributes[1];
    return NULL;
}

static icseg_status read_integer(const cvat *c, const XML_Char **attributes, const char *name, int64_t low,
                                 int64_t high, int64_t *out) {
    const char *text = attribute(attributes, name);
    if (text && icseg_parse_between(text, low, high, out)) return ICSEG_OK;
    return icseg_fail(c->error, ICSEG_ERROR_FORMAT, "%s: line %lu: %s=\"%.40s\" is not a number from %lld to %lld",
                      c->path, line_of(c), name, text ? text : "", (long long)low, (long long)high);
}

static icseg_status read_float(const cvat *c, const char *text, double *out) {
    if (text && icseg_parse_f64(text, out) && fabs(*out) <= 1e9) return ICSEG_OK;
    return icseg_fail(c->error, ICSEG_ERROR_FORMAT, "%s: line %lu: the coordinate \"%.40s\" is not a number", c->path,
                      line_of(c), text ? text : "");
}

/* ---- outlines ---- */

/* "x,y;x,y;..." */
static icseg_status read_polygon(const cvat *c, const XML_Char **attributes, icseg_outline *o) {
    const char *points = attribute(attributes, "points");
    size_t capacity = 1, count = 0;
    if (!points) return fail_line(c, "a polygon must have points");
    for (const char *p = points; *p; p++) capacity += *p == ';';
    o->xy = icseg_arena_array(c->item.arena, capacity, 2 * sizeof *o->xy);
    if (!o->xy) return icseg_fail_memory_in(c->error, capacity * 2 * sizeof *o->xy, c->path);
    for (const char *p = points; *p; count++) {
        char x[64], y[64];
        int end = 0;
        if (sscanf(p, " %63[^,; ] , %63[^,; ] %n", x, y, &end) != 2 || !end || (p[end] && p[end] != ';'))
            return fail_line(c, "points must be \"x,y;x,y;...\"");
        ICSEG_TRY(read_float(c, x, &o->xy[2 * count]));
        ICSEG_TRY(read_float(c, y, &o->xy[2 * count + 1]));
        p += end + (p[end] == ';');
    }
    o->count = count;
    return ICSEG_OK;
}

static icseg_status read_ellipse(const cvat *c, const XML_Char **attributes, icseg_outline *o) {
    static const char *const names[] = {"cx", "cy", "rx", "ry", "rotation"};
    double v[5] = {0};
    for (int i = 0; i < 5; i++)
        if (i < 4 || attribute(attributes, names[i])) ICSEG_TRY(read_float(c, attribute(attributes, names[i]), &v[i]));
    o->xy = icseg_arena_array(c->item.arena, ELLIPSE_CORNERS, 2 * sizeof *o->xy);
    if (!o->xy) return icseg_fail_memory_in(c->error, 0, c->path);
    const double pi = 3.14159265358979323846, turn = v[4] * pi / 180;
    for (int i = 0; i < ELLIPSE_CORNERS; i++) {
        double angle = 2 * pi * i / ELLIPSE_CORNERS, x = v[2] * cos(angle), y = v[3] * sin(angle);
        o->xy[2 * i] = v[0] + x * cos(turn) - y * sin(turn);
        o->xy[2 * i + 1] = v[1] + x * sin(turn) + y * cos(turn);
    }
    o->count = ELLIPSE_CORNERS;
    return ICSEG_OK;
}

/* Runs of 0 and 1 in turn, beginning with 0, along the rows of a box. */
static icseg_status read_mask(const cvat *c, const XML_Char **attributes, icseg_outline *o) {
    int64_t left, top, width, height, run;
    const char *p = attribute(attributes, "rle");
    ICSEG_TRY(read_integer(c, attributes, "left", 0, c->item.width - 1, &left));
    ICSEG_TRY(read_integer(c, attributes, "top", 0, c->item.height - 1, &top));
    ICSEG_TRY(read_integer(c, attributes, "width", 1, c->item.width - left, &width));
    ICSEG_TRY(read_integer(c, attributes, "height", 1, c->item.height - top, &height));
    if (!p) return fail_line(c, "a mask must have an rle");
    int64_t pixels = width * height, at = 0;
    o->mask = (icseg_mask){.width = (int32_t)width, .height = (int32_t)height, .bits = 8};
    o->mask.data = icseg_calloc_array((size_t)pixels, sizeof *o->mask.data);
    if (!o->mask.data) return icseg_fail_memory_in(c->error, (size_t)pixels * sizeof *o->mask.data, c->path);
    for (int value = 0; *p; value = !value) {
        char text[24];
        size_t length = strcspn(p, ",");
        snprintf(text, sizeof text, "%.*s", length < sizeof text ? (int)length : 0, p + strspn(p, " "));
        text[strcspn(text, ", ")] = '\0';
        if (!icseg_parse_between(text, 0, pixels - at, &run))
            return fail_line(c, "the rle does not fit width and height");
        for (int64_t i = 0; i < run; i++) o->mask.data[at + i] = (uint16_t)value;
        at += run;
        p += length + (p[length] == ',');
    }
    if (at != pixels) return fail_line(c, "the rle does not fit width and height");
    o->kind = ICSEG_OUTLINE_MASK;
    o->x = (int32_t)left;
    o->y = (int32_t)top;
    return ICSEG_OK;
}

static icseg_status grow_objects(cvat *c) {
    icseg_import_item *item = &c->item;
    if (item->object_count < c->capacity) return ICSEG_OK;
    if (c->capacity >= MAX_OBJECTS) return fail_line(c, "the image has too many objects");
    size_t capacity = c->capacity ? 2 * c->capacity : 64;
    icseg_object *objects = icseg_arena_array(item->arena, capacity, sizeof *objects);
    if (!objects) return icseg_fail_memory_in(c->error, capacity * sizeof *objects, c->path);
    if (item->object_count) memcpy(objects, item->objects, item->object_count * sizeof *objects);
    item->objects = objects;
    c->capacity = capacity;
    return ICSEG_OK;
}

static icseg_status read_shape(cvat *c, const char *kind, const XML_Char **attributes) {
    const char *label = attribute(attributes, "label");
    int32_t class_label;
    int64_t order = 0;
    char where[PATH_MAX + 32];
    if (!label) return fail_line(c, "a shape must have a label");
    snprintf(where, sizeof where, "%s: line %lu", c->path, line_of(c));
    ICSEG_TRY(icseg_import_class(c->im, label, where, &class_label, c->error));
    if (attribute(attributes, "z_order"))
        ICSEG_TRY(read_integer(c, attributes, "z_order", INT32_MIN, INT32_MAX, &order));
    ICSEG_TRY(grow_objects(c));
    icseg_outline *o = icseg_arena_alloc(c->item.arena, sizeof *o);
    if (!o) return icseg_fail_memory_in(c->error, sizeof *o, c->path);
    *o = (icseg_outline){.kind = ICSEG_OUTLINE_POLYGON};
    c->item.objects[c->item.object_count++] =
        (icseg_object){.label = (int16_t)class_label, .order = (int32_t)order, .outlines = o};
    return !strcmp(kind, "polygon")   ? read_polygon(c, attributes, o)
           : !strcmp(kind, "ellipse") ? read_ellipse(c, attributes, o)
                                      : read_mask(c, attributes, o);
}

/* ---- images ---- */

static const char *split_of(const cvat *c, const char *subset) {
    const char *split = c->im->options->split;
    if (!c->counting && c->im->one_split && split) return split;
    return *subset ? icseg_import_split_name(subset) : "train";
}

static icseg_status begin_image(cvat *c, const XML_Char **attributes) {
    const char *name = attribute(attributes, "name"), *subset = attribute(attributes, "subset");
    const char *split = split_of(c, subset ? subset : "");
    icseg_import_item *item = &c->item;
    if (item->arena) return fail_line(c, "an image is inside another one");
    if (!name || !*name) return fail_line(c, "an image must have a name");
    if (c->counting) {
        c->im->stage.total++;
        if (c->subset && strcmp(c->subset, split) != 0) c->im->one_split = false;
        return c->subset || (c->subset = icseg_arena_strdup(c->im->arena, split))
                   ? ICSEG_OK
                   : icseg_fail_memory_in(c->error, 0, c->path);
    }
    *item = (icseg_import_item){0};
    c->capacity = 0;
    ICSEG_TRY(icseg_arena_open(&item->arena, c->error));
    item->name = icseg_arena_strdup(item->arena, name);
    item->split = icseg_arena_strdup(item->arena, split);
    item->source = icseg_arena_printf(item->arena, "%s: line %lu, column %lu", c->path, line_of(c),
                                      (unsigned long)XML_GetCurrentColumnNumber(c->parser) + 1);
    c->folder_name = icseg_arena_strdup(item->arena, subset && *subset ? subset : split);
    if (!item->name || !item->split || !item->source || !c->folder_name)
        return icseg_fail_memory_in(c->error, 0, c->path);
    if (!icseg_import_is_split(split) || !icseg_import_is_split(c->folder_name))
        return fail_line(c, "the subset cannot be the name of a folder");
    ICSEG_TRY(read_integer(c, attributes, "width", 1, ICSEG_IMAGE_MAX_SIDE, &item->width));
    return read_integer(c, attributes, "height", 1, ICSEG_IMAGE_MAX_SIDE, &item->height);
}

static icseg_status write_image(cvat *c) {
    icseg_import_item *item = &c->item;
    const char *folders[] = {icseg_arena_printf(item->arena, "%s/images/%s", c->folder, c->folder_name),
                             icseg_arena_printf(item->arena, "%s/images/%s", c->folder, item->split),
                             icseg_arena_printf(item->arena, "%s/images", c->folder), c->folder, NULL};
    char *image;
    if (!folders[0] || !folders[1] || !folders[2]) return icseg_fail_memory_in(c->error, 0, c->path);
    ICSEG_TRY(icseg_import_find_image(c->im, item->arena, (icseg_image_query){.folders = folders, .name = item->name},
                                      &image, c->error));
    if (!image)
        return icseg_fail_field(c->error, ICSEG_ERROR_DATA, "image_folder", ICSEG_REMEDY_SET_FIELD,
                                "%s: the image \"%.200s\" is missing; specify the folder of the images", item->source,
                                item->name);
    item->image = image;
    icseg_status status = icseg_import_write(c->im, item, c->error);
    item->object_count = 0; /* their masks are closed */
    return status;
}

static void close_image(cvat *c) {
    icseg_import_item_close(&c->item);
    icseg_arena_close(&c->item.arena);
    c->item = (icseg_import_item){0};
}

/* ---- tags ---- */

static void note_passed(cvat *c) {
    XML_Index at = XML_GetCurrentByteIndex(c->parser);
    if (at > 0) c->passed = (size_t)at;
}

/* Shapes without pixels. False: another tag. */
static bool find_skip(const char *tag, icseg_skip *out) {
    static const struct {
        const char *tag;
        icseg_skip kind;
    } tags[] = {{"box", ICSEG_SKIP_BOX},
                {"polyline", ICSEG_SKIP_LINE},
                {"points", ICSEG_SKIP_POINT},
                {"cuboid", ICSEG_SKIP_CUBOID},
                {"skeleton", ICSEG_SKIP_SKELETON}};
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++)
        if (!strcmp(tags[i].tag, tag)) return *out = tags[i].kind, true;
    return false;
}

static bool is_one_of(const char *tag, const char *const *tags) {
    while (*tags && strcmp(tag, *tags) != 0) tags++;
    return *tags != NULL;
}

static void XMLCALL begin_tag(void *user, const XML_Char *tag, const XML_Char **attributes) {
    static const char *const areas[] = {"polygon", "mask", "ellipse", NULL};
    cvat *c = user;
    icseg_skip skip;
    icseg_status status = ICSEG_OK;
    note_passed(c);
    if (++c->depth > MAX_DEPTH) status = fail_line(c, "tags are nested too deeply");
    if (c->depth == 1 && strcmp(tag, "annotations") != 0)
        status = fail_line(c, "not CVAT's XML: expected <annotations>");
    if (!strcmp(tag, "labels") && !c->labels_depth) c->labels_depth = c->depth;
    c->in_name = c->labels_depth && c->depth == c->labels_depth + 2 && !strcmp(tag, "name");
    c->name_size = 0;
    if (!strcmp(tag, "track"))
        status = fail_line(c, "tracks of a video are not supported; export as \"CVAT for images 1.1\"");
    else if (status == ICSEG_OK && !strcmp(tag, "image"))
        status = begin_image(c, attributes);
    else if (status == ICSEG_OK && c->item.arena && is_one_of(tag, areas))
        status = icseg_import_problem(c->im, read_shape(c, tag, attributes), c->error);
    else if (c->item.arena && find_skip(tag, &skip))
        icseg_import_skip(c->im, skip);
    if (status != ICSEG_OK) stop(c, status);
}

static void XMLCALL end_tag(void *user, const XML_Char *tag) {
    cvat *c = user;
    icseg_status status = ICSEG_OK;
    int32_t label;
    note_passed(c);
    if (c->depth-- == c->labels_depth) c->labels_depth = 0;
    if (c->status != ICSEG_OK) return;
    if (c->in_name && c->counting && !c->im->fixed) {
        c->name[c->name_size] = '\0';
        status = icseg_import_declare(c->im, &c->declared, c->name, c->path, &label, c->error);
    }
    c->in_name = false;
    if (!strcmp(tag, "image") && c->item.arena) {
        status = icseg_import_problem(c->im, write_image(c), c->error);
        close_image(c);
    }
    if (status != ICSEG_OK) stop(c, status);
}

static void XMLCALL take_text(void *user, const XML_Char *text, int length) {
    cvat *c = user;
    note_passed(c);
    if (!c->in_name || c->status != ICSEG_OK) return;
    if (c->name_size + (size_t)length >= MAX_NAME) {
        stop(c, fail_line(c, "a class name is too long"));
        return;
    }
    memcpy(c->name + c->name_size, text, (size_t)length);
    c->name_size += (size_t)length;
}

/* Entities could make a small file expand to gigabytes. */
static void XMLCALL refuse_doctype(void *user, const XML_Char *name, const XML_Char *system, const XML_Char *public,
                                   int internal) {
    cvat *c = user;
    (void)name, (void)system, (void)public, (void)internal;
    stop(c, fail_line(c, "a document type declaration is not accepted"));
}

/* ---- the file ---- */

static icseg_status feed(cvat *c, const icseg_file_reader *file, size_t size) {
    for (size_t at = 0; at < size || !size;) {
        size_t step = size - at < BLOCK ? size - at : BLOCK;
        void *block = XML_GetBuffer(c->parser, BLOCK);
        if (!block) return icseg_fail_memory_in(c->error, BLOCK, c->path);
        ICSEG_TRY(icseg_file_reader_read(file, at, block, step, c->error));
        at += step;
        enum XML_Status parsed = XML_ParseBuffer(c->parser, (int)step, at == size);
        if (c->status != ICSEG_OK) return c->status;
        if (parsed != XML_STATUS_OK) {
            enum XML_Error problem = XML_GetErrorCode(c->parser);
            if (problem == XML_ERROR_NO_MEMORY) return icseg_fail_memory_in(c->error, 0, c->path);
            return icseg_fail(c->error, ICSEG_ERROR_FORMAT, "%s: line %lu: not XML: %s", c->path, line_of(c),
                              XML_ErrorString(problem));
        }
        if (at < size && at - c->passed > MAX_TAG) return fail_line(c, "a tag is larger than 32 MiB");
        if (!size) break;
    }
    return ICSEG_OK;
}

static icseg_status parse(cvat *c, bool counting) {
    icseg_file_reader *file;
    c->counting = counting;
    c->passed = 0;
    c->depth = 0;
    c->labels_depth = 0;
    c->in_name = false;
    ICSEG_TRY(icseg_file_reader_open(&file, c->path, c->error));
    c->parser = XML_ParserCreate(NULL);
    icseg_status status = ICSEG_OK;
    if (c->parser) {
        XML_SetUserData(c->parser, c);
        XML_SetElementHandler(c->parser, begin_tag, end_tag);
        XML_SetCharacterDataHandler(c->parser, take_text);
        XML_SetStartDoctypeDeclHandler(c->parser, refuse_doctype);
        status = feed(c, file, icseg_file_reader_size(file));
        XML_ParserFree(c->parser);
    } else {
        status = icseg_fail_memory_in(c->error, 0, c->path);
    }
    icseg_file_reader_close(&file);
    return status;
}

icseg_status icseg_import_cvat_xml(icseg_import *im, icseg_error *error) {
    const char *source = im->options->source, *slash = strrchr(source, '/');
    bool is_folder;
    cvat c = {.im = im, .path = source, .folder = source, .error = error};
    ICSEG_TRY(icseg_path_find(source, S_IFDIR, &is_folder, error));
    if (is_folder)
        c.path = icseg_arena_printf(im->arena, "%s/annotations.xml", source);
    else
        c.folder = slash ? icseg_arena_printf(im->arena, "%.*s", (int)(slash - source), source) : ".";
    if (!c.path || !c.folder) return icseg_fail_memory_in(error, 0, source);
    ICSEG_TRY(icseg_import_background(im, error));
    im->one_split = true;
    ICSEG_TRY(parse(&c, true));
    icseg_status status = parse(&c, false);
    close_image(&c);
    return status;
}
