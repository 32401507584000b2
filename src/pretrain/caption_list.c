/* SPDX-License-Identifier: Apache-2.0
 * Reading lists of captions. Lines become entries in the order of the file, which are then sorted and grouped. */
#include "pretrain/caption_list.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "text/utf8.h"

#define MAX_FILE ((size_t)2 << 30)
enum { COLUMNS = 64, FIRST_ROOM = 1024 };

static const char *const image_names[] = {"image", "file_name", "filename", "filepath", "path", NULL};
static const char *const caption_names[] = {"caption", "captions", "text", "title", NULL};
static const char *const class_names[] = {"class", "class_name", "label", NULL};

typedef struct entry {
    const char *image, *caption, *class_name; /* class_name: NULL: not said */
    int64_t order;
} entry;

typedef struct reading {
    icseg_caption_list *list;
    const char *path;
    int64_t line; /* from 1 */
    entry *entries;
    int64_t count, room;
} reading;

static icseg_status fail(const reading *r, const char *what, icseg_error *error) {
    return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: line %lld: %s", r->path, (long long)r->line, what);
}

static bool is_blank(const char *text) { return !text[strspn(text, " \t\r\n")]; }

static bool is_utf8(const char *text) { return icseg_utf8_check(text, strlen(text)) == strlen(text); }

/* class_name: NULL or blank: not said */
static icseg_status add(reading *r, const char *image, const char *caption, const char *class_name,
                        icseg_error *error) {
    if (class_name && is_blank(class_name)) class_name = NULL;
    if (is_blank(image)) return fail(r, "the name of the image is empty", error);
    if (is_blank(caption)) {
        r->list->empty++;
        return ICSEG_OK;
    }
    if (!is_utf8(caption) || !is_utf8(image) || (class_name && !is_utf8(class_name)))
        return fail(r, "not UTF-8", error);
    if (r->count == r->room) {
        int64_t room = r->room ? 2 * r->room : FIRST_ROOM;
        entry *more = icseg_realloc_array(r->entries, (size_t)r->count, (size_t)room, sizeof *more);
        if (!more) return icseg_fail_memory_in(error, (size_t)room * sizeof *more, r->path);
        r->entries = more;
        r->room = room;
    }
    entry e = {icseg_arena_strdup(r->list->arena, image), icseg_arena_strdup(r->list->arena, caption),
               class_name ? icseg_arena_strdup(r->list->arena, class_name) : NULL, r->count};
    if (!e.image || !e.caption || (class_name && !e.class_name)) return icseg_fail_memory_in(error, 0, r->path);
    r->entries[r->count++] = e;
    return ICSEG_OK;
}

/* -- JSON lines */

static json_t *find_member(const json_t *object, const char *const *names) {
    json_t *found = NULL;
    for (; *names && !found; names++) found = json_object_get(object, *names);
    return found;
}

static icseg_status add_object(reading *r, const json_t *root, icseg_error *error) {
    const char *image = json_string_value(find_member(root, image_names));
    const json_t *captions = find_member(root, caption_names);
    const char *class_name = json_string_value(find_member(root, class_names));
    if (!image) return fail(r, "expected an object with the texts \"image\" and \"caption\"", error);
    if (json_is_string(captions)) return add(r, image, json_string_value(captions), class_name, error);
    if (!json_is_array(captions)) return fail(r, "\"caption\" is neither a text nor a list of texts", error);
    for (size_t i = 0; i < json_array_size(captions); i++) {
        const char *caption = json_string_value(json_array_get(captions, i));
        if (!caption) return fail(r, "\"caption\" is neither a text nor a list of texts", error);
        ICSEG_TRY(add(r, image, caption, class_name, error));
    }
    return ICSEG_OK;
}

static icseg_status read_json_lines(reading *r, const char *text, size_t size, icseg_error *error) {
    for (const char *end = text + size, *next; text < end; text = next) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        json_t *root;
        json_error_t problem;
        if (!stop) stop = end;
        next = stop + (stop < end);
        r->line++;
        if (strspn(text, " \t\r") >= (size_t)(stop - text)) continue;
        ICSEG_TRY(icseg_json_parse(&root, text, (size_t)(stop - text), JSON_REJECT_DUPLICATES, &problem, error));
        icseg_status status = root ? add_object(r, root, error) : fail(r, problem.text, error);
        json_decref(root);
        ICSEG_TRY(status);
    }
    return ICSEG_OK;
}

/* -- separated values */

typedef struct table {
    char *rest; /* the text that is left, NUL-terminated */
    char divider;
    char *cell[COLUMNS];
    int32_t cells;
} table;

/* Ends the cell that begins at `from`, in place; *next is what follows the divider. False at the end of the line. */
static bool end_cell(reading *r, table *t, char *from, char **next) {
    char *to = from;
    bool quoted = *from == '"';
    if (quoted) from++;
    while (*from) {
        if (quoted && from[0] == '"' && from[1] == '"') {
            from++;
        } else if (quoted && *from == '"') {
            quoted = false;
            from++;
            continue;
        } else if (!quoted && (*from == t->divider || *from == '\n')) {
            break;
        }
        r->line += *from == '\n';
        *to++ = *from++;
    }
    bool more = *from == t->divider && *from;
    r->line += *from == '\n';
    *next = *from ? from + 1 : from;
    if (!more && to > t->cell[t->cells - 1] && to[-1] == '\r') to--;
    *to = '\0';
    return more;
}

/* Divides the next line into cells; false at the end of the text. */
static bool read_row(reading *r, table *t) {
    bool more = true;
    t->cells = 0;
    if (!*t->rest) return false;
    while (more) {
        char *next, *cell = t->rest;
        if (t->cells < COLUMNS) t->cells++;
        t->cell[t->cells - 1] = cell; /* columns beyond the last one are not used */
        more = end_cell(r, t, cell, &next);
        t->rest = next;
    }
    return true;
}

/* The column with one of the names; -1 if there is none. */
static int32_t find_column(const table *t, const char *const *names) {
    for (; *names; names++)
        for (int32_t i = 0; i < t->cells; i++)
            if (!strcmp(t->cell[i], *names)) return i;
    return -1;
}

/* What the first line is divided by. */
static char divider_of(const char *text) {
    size_t length = strcspn(text, "\n");
    if (memchr(text, '\t', length)) return '\t';
    if (memchr(text, ';', length)) return ';';
    return ',';
}

static icseg_status read_values(reading *r, char *text, icseg_error *error) {
    table t = {.rest = text, .divider = divider_of(text)};
    r->line = 1;
    int32_t image = -1, caption = -1, class_name = -1;
    if (read_row(r, &t)) {
        image = find_column(&t, image_names);
        caption = find_column(&t, caption_names);
        class_name = find_column(&t, class_names);
    }
    if (image < 0 || caption < 0)
        return icseg_fail(error, ICSEG_ERROR_FORMAT,
                          "%s: line 1: expected the names of the columns, with \"image\" and \"caption\"", r->path);
    for (int64_t line = r->line; read_row(r, &t); line = r->line) {
        int64_t after = r->line;
        if (t.cells == 1 && is_blank(t.cell[0])) continue;
        r->line = line;
        if (image >= t.cells || caption >= t.cells) return fail(r, "fewer columns than in the first line", error);
        const char *shows = class_name >= 0 && class_name < t.cells ? t.cell[class_name] : NULL;
        ICSEG_TRY(add(r, t.cell[image], t.cell[caption], shows, error));
        r->line = after;
    }
    return ICSEG_OK;
}

/* -- grouping */

static int by_image(const void *a, const void *b) {
    const entry *x = a, *y = b;
    int order = strcmp(x->image, y->image);
    return order ? order : (x->order > y->order) - (x->order < y->order);
}

static icseg_status group(reading *r, icseg_error *error) {
    icseg_captioned *images = icseg_arena_array(r->list->arena, (size_t)r->count + 1, sizeof *images);
    const char **captions = icseg_arena_array(r->list->arena, (size_t)r->count + 1, sizeof *captions);
    if (!images || !captions) return icseg_fail_memory_in(error, 0, r->path);
    if (r->count) qsort(r->entries, (size_t)r->count, sizeof *r->entries, by_image);
    for (int64_t i = 0; i < r->count; i++) {
        const entry *e = &r->entries[i];
        captions[i] = e->caption;
        if (i == 0 || strcmp(e->image, e[-1].image) != 0)
            images[r->list->count++] = (icseg_captioned){.image = e->image, .captions = &captions[i]};
        images[r->list->count - 1].count++;
        if (!images[r->list->count - 1].class_name) images[r->list->count - 1].class_name = e->class_name;
    }
    r->list->images = images;
    if (r->list->count) return ICSEG_OK;
    return icseg_fail(error, ICSEG_ERROR_DATA, "%s: contains no captions", r->path);
}

/* -- the file */

icseg_status icseg_caption_list_find(const char **out, const char *folder, icseg_arena *arena, icseg_error *error) {
    static const char *const names[] = {"captions.jsonl", "captions.csv", "metadata.jsonl", "metadata.csv"};
    bool found = false;
    for (size_t i = 0; i < sizeof names / sizeof *names && !found; i++) {
        *out = icseg_arena_printf(arena, "%s/%s", folder, names[i]);
        if (!*out) return icseg_fail_memory_in(error, 0, folder);
        ICSEG_TRY(icseg_path_find(*out, S_IFREG, &found, error));
    }
    if (!found) *out = NULL;
    return ICSEG_OK;
}

/* The file of a folder, or the path itself. */
static icseg_status find_file(const char *path, icseg_arena *arena, const char **file, const char **folder,
                              icseg_error *error) {
    *file = *folder = path;
    if (!icseg_folder_exists(path)) {
        size_t length = strlen(path) - strlen(icseg_path_name(path));
        *folder = length ? icseg_arena_printf(arena, "%.*s", (int)length, path) : ".";
        return *folder ? ICSEG_OK : icseg_fail_memory_in(error, 0, path);
    }
    ICSEG_TRY(icseg_caption_list_find(file, path, arena, error));
    if (*file) return ICSEG_OK;
    return icseg_fail(error, ICSEG_ERROR_DATA,
                      "%s: expected captions.jsonl, captions.csv, metadata.jsonl or metadata.csv in this folder", path);
}

static icseg_status read_file(reading *r, icseg_error *error) {
    const char *extension = icseg_path_extension(r->path);
    unsigned char *text;
    size_t size;
    ICSEG_TRY(icseg_file_read_text(r->path, MAX_FILE, &text, &size, error));
    size_t mark = icseg_bom_size(text, size);
    bool json = !strcmp(extension, "jsonl") || !strcmp(extension, "json") || !strcmp(extension, "ndjson");
    icseg_status status =
        json ? read_json_lines(r, (char *)text + mark, size - mark, error) : read_values(r, (char *)text + mark, error);
    icseg_free(text);
    return status;
}

icseg_status icseg_caption_list_read(icseg_caption_list *out, const char *path, const char **folder,
                                     icseg_error *error) {
    reading r = {.list = out};
    *out = (icseg_caption_list){0};
    ICSEG_TRY(icseg_arena_open(&out->arena, error));
    ICSEG_TRY(find_file(path, out->arena, &r.path, folder, error));
    icseg_status status = read_file(&r, error);
    if (status == ICSEG_OK) status = group(&r, error);
    icseg_free(r.entries);
    return status;
}

void icseg_caption_list_close(icseg_caption_list *list) {
    icseg_arena_close(&list->arena);
    *list = (icseg_caption_list){0};
}
