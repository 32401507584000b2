/* SPDX-License-Identifier: Apache-2.0
 * images.jsonl: {"version", "step", "images": N, "classes": [name]} and N lines {"image": name, "pixels": [[class,
 * both, labelled, predicted]]}. */
#include "metrics/image_results.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"

enum {
    VERSION = 1,
    MOST_CLASSES = 16384,  /* of a confusion matrix */
    MOST_IMAGES = 1 << 22, /* with MOST_PIXELS, sums fit into int64_t even if one image is counted MOST_IMAGES times */
    SIZE_LIMIT = 1 << 28,  /* bytes */
    VALUE_LIMIT = 1 << 18, /* values of a line: more than 16384 classes have */
};
#define MOST_PIXELS ((int64_t)1 << 39) /* of an image */

/* -- writing */

/* Bytes that are not UTF-8 become %XX, so that names that differ still do. */
static void put_name(icseg_string *out, const char *name) {
    icseg_string escaped = {0};
    json_t *text = json_string(name);
    for (const char *c = name; !text && *c; c++)
        icseg_string_printf(&escaped, (unsigned char)*c < 0x80 ? "%c" : "%%%02X", (unsigned char)*c);
    if (!text && escaped.data) text = json_string(escaped.data);
    icseg_json_append(out, text, JSON_ENCODE_ANY);
    json_decref(text);
    icseg_string_close(&escaped);
}

void icseg_image_results_begin(icseg_string *out, int64_t step, int64_t images, const char *const *class_names,
                               int32_t classes) {
    icseg_string_printf(out, "{\"version\": %d, ", (int)VERSION);
    if (step >= 0) icseg_string_printf(out, "\"step\": %lld, ", (long long)step);
    icseg_string_printf(out, "\"images\": %lld, \"classes\": [", (long long)images);
    for (int32_t c = 0; c < classes; c++) {
        if (c) icseg_string_printf(out, ", ");
        put_name(out, class_names[c]);
    }
    icseg_string_printf(out, "]}\n");
}

void icseg_image_results_add(icseg_string *out, const icseg_image_result *result) {
    icseg_string_printf(out, "{\"image\": ");
    put_name(out, result->name);
    icseg_string_printf(out, ", \"pixels\": [");
    for (int32_t i = 0; i < result->count; i++) {
        const icseg_class_pixels *p = &result->pixels[i];
        icseg_string_printf(out, "%s[%lld,%lld,%lld,%lld]", i ? "," : "", (long long)p->label, (long long)p->both,
                            (long long)p->labelled, (long long)p->predicted);
    }
    icseg_string_printf(out, "]}\n");
}

/* -- reading */

typedef struct reading {
    const char *path;
    int64_t line; /* from 1 */
    icseg_error *error;
} reading;

static icseg_status fail(const reading *r, const char *problem) {
    return icseg_fail(r->error, ICSEG_ERROR_FORMAT, "%s:%lld: %s; evaluate again to write the file anew", r->path,
                      (long long)r->line, problem);
}

static icseg_status fail_memory(const reading *r) { return icseg_fail_memory_in(r->error, 0, r->path); }

static bool read_count(const json_t *value, int64_t most, int64_t *out) {
    *out = json_integer_value(value);
    return json_is_integer(value) && *out >= 0 && *out <= most;
}

static icseg_status read_classes(const reading *r, icseg_image_results *out, const json_t *list) {
    size_t count = json_array_size(list);
    if (count < 1 || count > MOST_CLASSES) return fail(r, "\"classes\" is not a list of 1 to 16384 names");
    const char **names = icseg_arena_array(out->arena, count, sizeof *names);
    if (!names) return fail_memory(r);
    for (size_t c = 0; c < count; c++) {
        const char *name = json_string_value(json_array_get(list, c));
        if (!name) return fail(r, "a name in \"classes\" is not a text");
        names[c] = icseg_arena_strdup(out->arena, name);
        if (!names[c]) return fail_memory(r);
    }
    out->class_names = names;
    out->classes = (int32_t)count;
    return ICSEG_OK;
}

/* lines: those of the file, which bound the memory for a number of images that is made up. */
static icseg_status read_head(const reading *r, icseg_image_results *out, const json_t *head, int64_t lines) {
    int64_t version;
    const json_t *step = json_object_get(head, "step");
    if (!read_count(json_object_get(head, "version"), VERSION, &version) || version != VERSION)
        return fail(r, "\"version\" is not 1");
    out->step = -1;
    if (step && !read_count(step, INT64_MAX, &out->step)) return fail(r, "\"step\" is not a number of steps");
    if (!read_count(json_object_get(head, "images"), MOST_IMAGES, &out->count) || out->count < 1)
        return fail(r, "\"images\" is not a number from 1 to 4194304");
    ICSEG_TRY(read_classes(r, out, json_object_get(head, "classes")));
    if (out->count != lines - 1)
        return icseg_fail(r->error, ICSEG_ERROR_FORMAT,
                          "%s: \"images\" is %lld, but the file has %lld complete %s after the first line; evaluate "
                          "again to write the file anew",
                          r->path, (long long)out->count, (long long)lines - 1,
                          icseg_plural(lines - 1, "line", "lines"));
    out->images = icseg_arena_array(out->arena, (size_t)out->count, sizeof *out->images);
    return out->images ? ICSEG_OK : fail_memory(r);
}

static icseg_status read_pixels(const reading *r, const icseg_image_results *all, const json_t *list,
                                icseg_image_result *out) {
    size_t count = json_array_size(list);
    int64_t labelled = 0, predicted = 0, previous = -1;
    if (!json_is_array(list) || count > (size_t)all->classes)
        return fail(r, "\"pixels\" is not a list of at most one entry for each class");
    icseg_class_pixels *pixels = icseg_arena_array(all->arena, count + 1, sizeof *pixels);
    if (!pixels) return fail_memory(r);
    for (size_t i = 0; i < count; i++) {
        const json_t *entry = json_array_get(list, i);
        icseg_class_pixels *p = &pixels[i];
        if (json_array_size(entry) != 4 || !read_count(json_array_get(entry, 0), all->classes - 1, &p->label) ||
            p->label <= previous)
            return fail(r, "\"pixels\" does not list classes in ascending order, each with three numbers");
        if (!read_count(json_array_get(entry, 2), MOST_PIXELS, &p->labelled) ||
            !read_count(json_array_get(entry, 3), MOST_PIXELS, &p->predicted) ||
            !read_count(json_array_get(entry, 1), p->labelled < p->predicted ? p->labelled : p->predicted, &p->both))
            return fail(r, "a number in \"pixels\" is negative or too large");
        labelled += p->labelled;
        predicted += p->predicted;
        previous = p->label;
    }
    if (labelled != predicted || labelled > MOST_PIXELS)
        return fail(r, "the labelled pixels are not as many as the predicted ones");
    out->pixels = pixels;
    out->count = (int32_t)count;
    return ICSEG_OK;
}

static icseg_status read_image(const reading *r, const icseg_image_results *all, const json_t *object,
                               icseg_image_result *out) {
    const char *name = json_string_value(json_object_get(object, "image"));
    if (!name || !*name) return fail(r, "\"image\" is not the name of an image");
    out->name = icseg_arena_strdup(all->arena, name);
    if (!out->name) return fail_memory(r);
    return read_pixels(r, all, json_object_get(object, "pixels"), out);
}

static icseg_status read_line(const reading *r, icseg_image_results *out, const char *text, size_t size,
                              int64_t lines) {
    json_t *object = NULL;
    if (icseg_json_exceeds(text, size, VALUE_LIMIT)) return fail(r, "the line has too many values");
    ICSEG_TRY(icseg_json_parse(&object, text, size, JSON_REJECT_DUPLICATES, NULL, r->error));
    icseg_status status;
    if (!json_is_object(object))
        status = fail(r, "the line is not a JSON object");
    else if (r->line == 1)
        status = read_head(r, out, object, lines);
    else
        status = read_image(r, out, object, &out->images[r->line - 2]);
    json_decref(object);
    return status;
}

static int compare_images(const void *a, const void *b) {
    return strcmp(((const icseg_image_result *)a)->name, ((const icseg_image_result *)b)->name);
}

static icseg_status sort_images(const reading *r, icseg_image_results *out) {
    qsort(out->images, (size_t)out->count, sizeof *out->images, compare_images);
    for (int64_t i = 1; i < out->count; i++)
        if (!strcmp(out->images[i - 1].name, out->images[i].name))
            return icseg_fail(r->error, ICSEG_ERROR_FORMAT,
                              "%s: the image \"%.200s\" occurs twice; evaluate again to write the file anew", r->path,
                              out->images[i].name);
    return ICSEG_OK;
}

static icseg_status read_lines(reading *r, icseg_image_results *out, const char *text, size_t size) {
    int64_t lines = 0;
    const char *end = text + size;
    for (const char *c = text; c < end && (c = memchr(c, '\n', (size_t)(end - c))); c++) lines++;
    if (!lines) return icseg_fail(r->error, ICSEG_ERROR_FORMAT, "%s: has no complete line", r->path);
    for (r->line = 1; r->line <= lines; r->line++) {
        const char *next = memchr(text, '\n', (size_t)(end - text));
        ICSEG_TRY(read_line(r, out, text, (size_t)(next - text), lines));
        text = next + 1;
    }
    if (text < end)
        return icseg_fail(r->error, ICSEG_ERROR_FORMAT,
                          "%s: the last line is incomplete; evaluate again to write the file anew", r->path);
    return sort_images(r, out);
}

icseg_status icseg_image_results_read(icseg_image_results *out, const char *path, icseg_error *error) {
    reading r = {.path = path, .error = error};
    unsigned char *text = NULL;
    size_t size;
    *out = (icseg_image_results){0};
    ICSEG_TRY(icseg_file_read_text(path, SIZE_LIMIT, &text, &size, error));
    icseg_status status = icseg_arena_open(&out->arena, error);
    if (status == ICSEG_OK) status = read_lines(&r, out, (const char *)text, size);
    icseg_free(text);
    if (status != ICSEG_OK) icseg_image_results_close(out);
    return status;
}

void icseg_image_results_close(icseg_image_results *results) {
    icseg_arena_close(&results->arena);
    *results = (icseg_image_results){0};
}
