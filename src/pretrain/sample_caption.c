/* SPDX-License-Identifier: Apache-2.0
 * Drawing one of the captions of a sample. */
#include "pretrain/sample_caption.h"

#include <string.h>

#include "base/json.h"
#include "text/utf8.h"

/* One of the captions so far, each with the same probability. */
typedef struct choice {
    icseg_rng *rng;
    uint64_t count;
    const char *caption;
} choice;

static void offer(choice *c, const char *caption) {
    if (!caption[strspn(caption, " \t\r\n")]) return;
    if (icseg_rng_below(c->rng, ++c->count) == 0) c->caption = caption;
}

/* text (size), followed by a NUL */
static void offer_lines(choice *c, char *text) {
    for (char *line; (line = strsep(&text, "\r\n"));) offer(c, line);
}

/* Whether the object has captions, also blank ones. */
static bool offer_members(choice *c, const json_t *root) {
    static const char *const names[] = {"caption", "captions", "text", "title"};
    const json_t *found = NULL, *one;
    bool any = false;
    size_t k;
    for (size_t i = 0; i < sizeof names / sizeof *names && !found; i++) found = json_object_get(root, names[i]);
    if (json_is_string(found)) {
        offer(c, json_string_value(found));
        return true;
    }
    json_array_foreach(found, k, one) {
        if (!json_is_string(one)) continue;
        offer(c, json_string_value(one));
        any = true;
    }
    return any;
}

icseg_status icseg_sample_caption_draw(char *text, size_t size, bool json, icseg_rng *rng, icseg_string *out,
                                       icseg_caption_state *state, icseg_error *error) {
    size_t mark = icseg_bom_size(text, size);
    choice c = {.rng = rng};
    json_t *root = NULL;
    text += mark;
    size -= mark;
    *state = ICSEG_CAPTION_DAMAGED;
    if (memchr(text, '\0', size) || icseg_utf8_check(text, size) < size) return ICSEG_OK;
    if (json) {
        ICSEG_TRY(icseg_json_parse(&root, text, size, 0, NULL, error));
        if (!root) return ICSEG_OK;
    }
    bool any = true;
    if (json)
        any = offer_members(&c, root);
    else
        offer_lines(&c, text);
    *state = c.caption ? ICSEG_CAPTION_FOUND : any ? ICSEG_CAPTION_EMPTY : ICSEG_CAPTION_MISSING;
    if (c.caption) icseg_string_printf(out, "%s", c.caption);
    json_decref(root);
    return ICSEG_OK;
}
