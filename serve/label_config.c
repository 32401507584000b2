/* SPDX-License-Identifier: Apache-2.0 */
#include "label_config.h"

#include <expat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { SIZE_MOST = 1 << 20, LABELS_MOST = 10000, IMAGES_MOST = 64 };

typedef struct image_tag {
    char *name, *key;
} image_tag;

typedef struct reader {
    XML_Parser parser;
    image_tag image[IMAGES_MOST];
    size_t image_count;
    label_config brush, polygon; /* the first control of each kind, without its key */
    label_config *current;       /* NULL outside of them */
    char *problem;
} reader;

static void fail(reader *r, const char *problem) {
    if (!*r->problem) snprintf(r->problem, LABEL_CONFIG_PROBLEM_SIZE, "%s", problem);
    XML_StopParser(r->parser, XML_FALSE);
}

static char *copy(reader *r, const char *text) {
    char *new = strdup(text);
    if (!new) fail(r, "out of memory");
    return new;
}

/* Label Studio does not distinguish cases in the names of tags and attributes. */
static const char *attribute(const char **pairs, const char *name) {
    for (; *pairs; pairs += 2)
        if (!strcasecmp(pairs[0], name)) return pairs[1];
    return NULL;
}

static void begin_image(reader *r, const char **attributes) {
    const char *name = attribute(attributes, "name"), *value = attribute(attributes, "value");
    if (!name || !value || *value != '$') return; /* several pages, or a fixed picture */
    if (r->image_count == IMAGES_MOST) {
        fail(r, "too many images");
        return;
    }
    image_tag *tag = &r->image[r->image_count++];
    tag->name = copy(r, name);
    tag->key = copy(r, value + 1);
}

static void begin_control(reader *r, label_config *to, const char **attributes, bool brush) {
    const char *name = attribute(attributes, "name"), *image = attribute(attributes, "toName");
    if (!name || !image || to->control) return;
    *to = (label_config){.brush = brush, .control = copy(r, name), .image = copy(r, image)};
    r->current = to;
}

/* The alias is what results contain. */
static void add_label(reader *r, const char **attributes) {
    label_config *to = r->current;
    const char *alias = attribute(attributes, "alias");
    const char *label = alias ? alias : attribute(attributes, "value");
    if (!label) return;
    if (to->label_count == LABELS_MOST) {
        fail(r, "too many labels");
        return;
    }
    char **grown = realloc(to->labels, (to->label_count + 1) * sizeof *grown);
    if (!grown) {
        fail(r, "out of memory");
        return;
    }
    to->labels = grown;
    char *text = copy(r, label);
    if (text) to->labels[to->label_count++] = text;
}

static void begin_tag(void *user, const char *tag, const char **attributes) {
    reader *r = user;
    if (!strcasecmp(tag, "Image"))
        begin_image(r, attributes);
    else if (!strcasecmp(tag, "BrushLabels"))
        begin_control(r, &r->brush, attributes, true);
    else if (!strcasecmp(tag, "PolygonLabels"))
        begin_control(r, &r->polygon, attributes, false);
    else if (r->current && !strcasecmp(tag, "Label"))
        add_label(r, attributes);
}

static void end_tag(void *user, const char *tag) {
    reader *r = user;
    if (!strcasecmp(tag, "BrushLabels") || !strcasecmp(tag, "PolygonLabels")) r->current = NULL;
}

/* Entities could make a short text very long. */
static void refuse_doctype(void *user, const char *name, const char *system, const char *public, int internal) {
    (void)name, (void)system, (void)public, (void)internal;
    fail(user, "it must not have a DOCTYPE");
}

static void parse(reader *r, const char *xml, size_t size) {
    char text[LABEL_CONFIG_PROBLEM_SIZE];
    r->parser = XML_ParserCreate(NULL);
    if (!r->parser) {
        snprintf(r->problem, LABEL_CONFIG_PROBLEM_SIZE, "out of memory");
        return;
    }
    XML_SetUserData(r->parser, r);
    XML_SetElementHandler(r->parser, begin_tag, end_tag);
    XML_SetStartDoctypeDeclHandler(r->parser, refuse_doctype);
    if (XML_Parse(r->parser, xml, (int)size, 1) != XML_STATUS_OK) {
        snprintf(text, sizeof text, "line %lu: %s", XML_GetCurrentLineNumber(r->parser),
                 XML_ErrorString(XML_GetErrorCode(r->parser)));
        fail(r, text);
    }
    XML_ParserFree(r->parser);
}

/* Takes the control's strings if its image is known and it has labels. */
static bool take(reader *r, label_config *from, label_config *out) {
    for (size_t i = 0; i < r->image_count && from->control && from->label_count; i++) {
        if (strcmp(r->image[i].name, from->image) != 0) continue;
        *out = *from;
        out->key = r->image[i].key;
        r->image[i].key = NULL;
        *from = (label_config){0};
        return true;
    }
    return false;
}

bool label_config_read(label_config *out, const char *xml, size_t size, char problem[LABEL_CONFIG_PROBLEM_SIZE]) {
    reader r = {.problem = problem};
    *out = (label_config){0};
    *problem = '\0';
    if (size > SIZE_MOST)
        snprintf(problem, LABEL_CONFIG_PROBLEM_SIZE, "it has more than %d bytes", SIZE_MOST);
    else
        parse(&r, xml, size);
    if (!*problem && !take(&r, &r.brush, out) && !take(&r, &r.polygon, out))
        snprintf(problem, LABEL_CONFIG_PROBLEM_SIZE,
                 "expected <BrushLabels> or <PolygonLabels> with <Label>s, and toName=\"...\" of an <Image> with "
                 "value=\"$...\"");
    label_config_close(&r.brush);
    label_config_close(&r.polygon);
    for (size_t i = 0; i < r.image_count; i++) free(r.image[i].name), free(r.image[i].key);
    return !*problem;
}

void label_config_close(label_config *c) {
    free(c->control);
    free(c->image);
    free(c->key);
    for (size_t i = 0; i < c->label_count; i++) free(c->labels[i]);
    free(c->labels);
    *c = (label_config){0};
}
