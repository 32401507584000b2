/* SPDX-License-Identifier: Apache-2.0
 * evaluation.json: {"version", "step", "classes": [name], "confusion": [[count]], "worst": [{"image", "labelled",
 * "correct"}]}. */
#include "report/evaluation.h"

#include <string.h>

#include "base/file.h"
#include "base/json.h"

enum {
    VERSION = 1,
    MOST_CLASSES = 4096,
    SIZE_LIMIT = 1 << 28,  /* bytes */
    VALUE_LIMIT = 1 << 25, /* values: more than the largest confusion matrix has */
};
#define MOST_PIXELS ((int64_t)1 << 52) /* of a whole matrix: sums are exact in a double */

static bool is_worse(const icseg_worst_image *a, const icseg_worst_image *b) {
    return (double)a->correct / (double)a->labelled < (double)b->correct / (double)b->labelled;
}

void icseg_evaluation_consider(icseg_evaluation *e, const char *name, int64_t labelled, int64_t correct) {
    icseg_worst_image image = {name, labelled, correct};
    bool full = e->worst_count == ICSEG_WORST_IMAGES;
    if (labelled <= 0 || (full && !is_worse(&image, &e->worst[ICSEG_WORST_IMAGES - 1]))) return;
    int32_t at = full ? ICSEG_WORST_IMAGES - 1 : e->worst_count++;
    for (; at > 0 && is_worse(&image, &e->worst[at - 1]); at--) e->worst[at] = e->worst[at - 1];
    e->worst[at] = image;
}

/* -- writing */

static void put_name(icseg_string *out, const char *name) {
    json_t *text = json_string(name);
    if (!text) text = json_string("?"); /* not UTF-8 */
    icseg_json_append(out, text, JSON_ENCODE_ANY);
    json_decref(text);
}

icseg_status icseg_evaluation_write(const icseg_evaluation *e, const char *path, icseg_error *error) {
    icseg_string s = {0};
    icseg_string_printf(&s, "{\"version\": %d, \"step\": %lld, \"classes\": [", (int)VERSION, (long long)e->step);
    for (int32_t c = 0; c < e->classes; c++) {
        if (c) icseg_string_printf(&s, ", ");
        put_name(&s, e->class_names[c]);
    }
    icseg_string_printf(&s, "],\n\"confusion\": [");
    const int64_t *count = e->confusion.count;
    for (int32_t row = 0; row < e->classes; row++) {
        icseg_string_printf(&s, "%s[", row ? ",\n" : "");
        for (int32_t c = 0; c < e->classes; c++) icseg_string_printf(&s, "%s%lld", c ? "," : "", (long long)*count++);
        icseg_string_printf(&s, "]");
    }
    icseg_string_printf(&s, "],\n\"worst\": [");
    for (int32_t i = 0; i < e->worst_count; i++) {
        icseg_string_printf(&s, "%s{\"image\": ", i ? ", " : "");
        put_name(&s, e->worst[i].name);
        icseg_string_printf(&s, ", \"labelled\": %lld, \"correct\": %lld}", (long long)e->worst[i].labelled,
                            (long long)e->worst[i].correct);
    }
    icseg_string_printf(&s, "]}\n");
    icseg_status status =
        s.failed ? icseg_fail_memory_in(error, 0, path) : icseg_file_write(path, s.data, s.size, error);
    icseg_string_close(&s);
    return status;
}

/* -- reading */

typedef struct reading {
    const char *path;
    icseg_error *error;
} reading;

static icseg_status fail(const reading *r, const char *problem) {
    return icseg_fail(r->error, ICSEG_ERROR_FORMAT, "%s: %s; the next evaluation of the run writes the file again",
                      r->path, problem);
}

static bool read_count(const json_t *value, int64_t most, int64_t *out) {
    *out = json_integer_value(value);
    return json_is_integer(value) && *out >= 0 && *out <= most;
}

static icseg_status read_classes(const reading *r, icseg_evaluation *e, const json_t *list) {
    size_t count = json_array_size(list);
    if (count < 1 || count > MOST_CLASSES) return fail(r, "\"classes\" is not a list of 1 to 4096 names");
    const char **names = icseg_arena_array(e->arena, count, sizeof *names);
    if (!names) return icseg_fail_memory_in(r->error, 0, r->path);
    for (size_t c = 0; c < count; c++) {
        const char *name = json_string_value(json_array_get(list, c));
        if (!name) return fail(r, "a name in \"classes\" is not a text");
        names[c] = icseg_arena_strdup(e->arena, name);
        if (!names[c]) return icseg_fail_memory_in(r->error, 0, r->path);
    }
    e->class_names = names;
    e->classes = (int32_t)count;
    return ICSEG_OK;
}

static icseg_status read_confusion(const reading *r, icseg_evaluation *e, const json_t *rows) {
    int64_t pixels = 0;
    ICSEG_TRY(icseg_confusion_create(&e->confusion, e->classes, r->error));
    if (json_array_size(rows) != (size_t)e->classes) return fail(r, "\"confusion\" does not have a row for each class");
    for (int32_t row = 0; row < e->classes; row++) {
        const json_t *values = json_array_get(rows, (size_t)row);
        if (json_array_size(values) != (size_t)e->classes)
            return fail(r, "a row of \"confusion\" does not have a number for each class");
        for (int32_t c = 0; c < e->classes; c++) {
            int64_t *count = &e->confusion.count[(size_t)row * (size_t)e->classes + (size_t)c];
            if (!read_count(json_array_get(values, (size_t)c), MOST_PIXELS - pixels, count))
                return fail(r, "\"confusion\" contains something else than numbers of pixels");
            pixels += *count;
        }
    }
    return ICSEG_OK;
}

static icseg_status read_worst(const reading *r, icseg_evaluation *e, const json_t *list) {
    if (!json_is_array(list) || json_array_size(list) > ICSEG_WORST_IMAGES)
        return fail(r, "\"worst\" is not a list of at most 4 images");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *image = json_array_get(list, i);
        const char *name = json_string_value(json_object_get(image, "image"));
        icseg_worst_image *w = &e->worst[e->worst_count++];
        if (!name || !read_count(json_object_get(image, "labelled"), MOST_PIXELS, &w->labelled) ||
            !read_count(json_object_get(image, "correct"), w->labelled, &w->correct))
            return fail(r, "an image in \"worst\" does not have a name and two numbers of pixels");
        w->name = icseg_arena_strdup(e->arena, name);
        if (!w->name) return icseg_fail_memory_in(r->error, 0, r->path);
    }
    return ICSEG_OK;
}

static icseg_status read_object(const reading *r, icseg_evaluation *e, const json_t *object) {
    int64_t version;
    if (!read_count(json_object_get(object, "version"), VERSION, &version) || version != VERSION)
        return fail(r, "\"version\" is not 1");
    if (!read_count(json_object_get(object, "step"), MOST_PIXELS, &e->step)) return fail(r, "\"step\" is not a number");
    ICSEG_TRY(read_classes(r, e, json_object_get(object, "classes")));
    ICSEG_TRY(read_confusion(r, e, json_object_get(object, "confusion")));
    return read_worst(r, e, json_object_get(object, "worst"));
}

icseg_status icseg_evaluation_read(icseg_evaluation *out, const char *path, icseg_error *error) {
    reading r = {path, error};
    unsigned char *text = NULL;
    size_t size;
    json_t *object = NULL;
    icseg_status status;
    *out = (icseg_evaluation){0};
    ICSEG_TRY(icseg_file_read(path, SIZE_LIMIT, &text, &size, error));
    if (icseg_json_exceeds((const char *)text, size, VALUE_LIMIT))
        status = fail(&r, "has too many values");
    else
        status = icseg_json_parse(&object, (const char *)text, size, JSON_REJECT_DUPLICATES, NULL, error);
    icseg_free(text);
    if (status == ICSEG_OK) status = icseg_arena_open(&out->arena, error);
    if (status == ICSEG_OK)
        status = json_is_object(object) ? read_object(&r, out, object) : fail(&r, "not a JSON object");
    json_decref(object);
    if (status != ICSEG_OK) icseg_evaluation_close(out);
    return status;
}

void icseg_evaluation_close(icseg_evaluation *e) {
    icseg_confusion_close(&e->confusion);
    icseg_arena_close(&e->arena);
    *e = (icseg_evaluation){0};
}
