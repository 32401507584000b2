/* SPDX-License-Identifier: Apache-2.0
 * Templates: CLIP's own lists, and files. */
#include "text/templates.h"

#include <string.h>

#include "base/argument.h"
#include "base/file.h"
#include "base/text.h"
#include "text/utf8.h"

enum { MAX_BYTES = 1 << 20, MAX_LINE = 1000 };

/* The 80 templates of CLIP's notebook "Prompt Engineering for ImageNet", in its order. */
static const char *const imagenet[] = {
    "a bad photo of a {}.",
    "a photo of many {}.",
    "a sculpture of a {}.",
    "a photo of the hard to see {}.",
    "a low resolution photo of the {}.",
    "a rendering of a {}.",
    "graffiti of a {}.",
    "a bad photo of the {}.",
    "a cropped photo of the {}.",
    "a tattoo of a {}.",
    "the embroidered {}.",
    "a photo of a hard to see {}.",
    "a bright photo of a {}.",
    "a photo of a clean {}.",
    "a photo of a dirty {}.",
    "a dark photo of the {}.",
    "a drawing of a {}.",
    "a photo of my {}.",
    "the plastic {}.",
    "a photo of the cool {}.",
    "a close-up photo of a {}.",
    "a black and white photo of the {}.",
    "a painting of the {}.",
    "a painting of a {}.",
    "a pixelated photo of the {}.",
    "a sculpture of the {}.",
    "a bright photo of the {}.",
    "a cropped photo of a {}.",
    "a plastic {}.",
    "a photo of the dirty {}.",
    "a jpeg corrupted photo of a {}.",
    "a blurry photo of the {}.",
    "a photo of the {}.",
    "a good photo of the {}.",
    "a rendering of the {}.",
    "a {} in a video game.",
    "a photo of one {}.",
    "a doodle of a {}.",
    "a close-up photo of the {}.",
    "a photo of a {}.",
    "the origami {}.",
    "the {} in a video game.",
    "a sketch of a {}.",
    "a doodle of the {}.",
    "a origami {}.",
    "a low resolution photo of a {}.",
    "the toy {}.",
    "a rendition of the {}.",
    "a photo of the clean {}.",
    "a photo of a large {}.",
    "a rendition of a {}.",
    "a photo of a nice {}.",
    "a photo of a weird {}.",
    "a blurry photo of a {}.",
    "a cartoon {}.",
    "art of a {}.",
    "a sketch of the {}.",
    "a embroidered {}.",
    "a pixelated photo of a {}.",
    "itap of the {}.",
    "a jpeg corrupted photo of the {}.",
    "a good photo of a {}.",
    "a plushie {}.",
    "a photo of the nice {}.",
    "a photo of the small {}.",
    "a photo of the weird {}.",
    "the cartoon {}.",
    "art of the {}.",
    "a drawing of the {}.",
    "a photo of the large {}.",
    "a black and white photo of a {}.",
    "the plushie {}.",
    "a dark photo of a {}.",
    "itap of a {}.",
    "graffiti of the {}.",
    "a toy {}.",
    "itap of my {}.",
    "a photo of a cool {}.",
    "a photo of a small {}.",
    "a tattoo of the {}.",
};

/* The seven of them that its authors selected. */
static const char *const simple[] = {
    "itap of a {}.",  "a bad photo of the {}.",   "a origami {}.", "a photo of the large {}.", "a {} in a video game.",
    "art of the {}.", "a photo of the small {}.",
};

static const struct {
    const char *name;
    const char *const *list;
    size_t count;
} known[] = {
    {"imagenet", imagenet, sizeof imagenet / sizeof *imagenet},
    {"simple", simple, sizeof simple / sizeof *simple},
};

struct icseg_templates {
    icseg_arena *arena; /* of the lines of a file */
    const char *const *list;
    size_t count;
};

char *icseg_template_fill(icseg_arena *arena, const char *template, const char *name) {
    icseg_string s = {0};
    for (const char *at = template, *place; *at; at = place + 2) {
        place = strstr(at, "{}");
        icseg_string_append(&s, at, place ? (size_t)(place - at) : strlen(at));
        if (!place) break;
        icseg_string_append(&s, name, strlen(name));
    }
    char *text = s.failed || !s.data ? NULL : icseg_arena_strdup(arena, s.data);
    icseg_string_close(&s);
    return text;
}

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

/* What is wrong with a line, or NULL. */
static const char *line_problem(const char *line, size_t size) {
    if (size > MAX_LINE) return "has more than 1000 bytes; shorten the template";
    if (icseg_utf8_check(line, size) < size) return "is not UTF-8; save the file as UTF-8";
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
            return "contains a control character (a tab?); write one template per line";
    if (icseg_bom_size(line, size)) return "begins with a byte order mark; remove it";
    if (!memmem(line, size, "{}", 2))
        return "has no {}; write {} where the class name goes, as in \"a photo of a {}.\"";
    return NULL;
}

/* The lines of a text are cut in place. */
static icseg_status parse(icseg_templates *t, const char *path, char *text, size_t size, icseg_error *error) {
    char *end = text + size, *p = text + icseg_bom_size(text, size);
    const char **list = icseg_arena_array(t->arena, ICSEG_TEMPLATES_MAX, sizeof *list);
    if (!list) return icseg_fail_memory_in(error, 0, path);
    t->list = list;
    for (size_t line = 1; p < end; line++) {
        char *stop = memchr(p, '\n', (size_t)(end - p)), *next = stop ? stop + 1 : end;
        if (!stop) stop = end;
        while (p < stop && is_blank(*p)) p++;
        while (stop > p && is_blank(stop[-1])) stop--;
        size_t length = (size_t)(stop - p);
        if (length && *p != '#') {
            const char *problem = line_problem(p, length);
            if (problem) return icseg_fail(error, ICSEG_ERROR_DATA, "%s: line %zu %s", path, line, problem);
            if (t->count == ICSEG_TEMPLATES_MAX)
                return icseg_fail(error, ICSEG_ERROR_DATA, "%s: line %zu: more than %d templates; remove some", path,
                                  line, ICSEG_TEMPLATES_MAX);
            *stop = '\0'; /* at the latest the NUL after the text */
            list[t->count++] = p;
        }
        p = next;
    }
    if (t->count) return ICSEG_OK;
    return icseg_fail(error, ICSEG_ERROR_DATA, "%s: no templates; write one per line, such as \"a photo of a {}.\"",
                      path);
}

static icseg_status read_file(icseg_templates *t, const char *path, icseg_error *error) {
    unsigned char *data;
    size_t size;
    bool found;
    if (!*path || strstr(path, "{}"))
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "templates", ICSEG_REMEDY_SET_FIELD,
                                "templates is \"%.80s\": expected imagenet, simple or the name of a file with one "
                                "template per line",
                                path);
    ICSEG_TRY(icseg_path_find(path, S_IFREG, &found, error));
    if (!found && !icseg_folder_exists(path))
        return icseg_fail_field(
            error, ICSEG_ERROR_IO, "templates", ICSEG_REMEDY_NONE,
            "%s: the file does not exist; expected imagenet, simple or a file with one template per "
            "line",
            path);
    ICSEG_TRY(icseg_file_read_text(path, MAX_BYTES, &data, &size, error));
    char *text = icseg_arena_copy(t->arena, data, size + 1);
    icseg_free(data);
    return text ? parse(t, path, text, size, error) : icseg_fail_memory_in(error, size, path);
}

static icseg_status open_in(icseg_templates *t, const char *name, icseg_error *error) {
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(name, known[i].name)) {
            t->list = known[i].list;
            t->count = known[i].count;
            return ICSEG_OK;
        }
    ICSEG_TRY(icseg_arena_open(&t->arena, error));
    return read_file(t, name, error);
}

icseg_status icseg_templates_open(icseg_templates **out, const char *name, icseg_error *error) {
    ICSEG_NEED(out);
    *out = NULL;
    ICSEG_NEED(name);
    icseg_templates *t = icseg_calloc_array(1, sizeof *t);
    if (!t) return icseg_fail_memory(error, sizeof *t, "templates");
    icseg_status status = open_in(t, name, error);
    if (status == ICSEG_OK)
        *out = t;
    else
        icseg_templates_close(&t);
    return status;
}

void icseg_templates_close(icseg_templates **templates) {
    if (!templates || !*templates) return;
    icseg_arena_close(&(*templates)->arena);
    icseg_free(*templates);
    *templates = NULL;
}

size_t icseg_templates_count(const icseg_templates *templates) { return templates ? templates->count : 0; }

const char *const *icseg_templates_list(const icseg_templates *templates) { return templates ? templates->list : NULL; }
