/* SPDX-License-Identifier: Apache-2.0
 * Tasks of Label Studio and their images. */
#include "importers/label_studio.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "base/text.h"
#include "image/codec.h"

icseg_status icseg_studio_fail(const icseg_studio *s, const char *what, icseg_error *error) {
    return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: task %zu: %s", s->path, s->task + 1, what);
}

bool icseg_studio_is_min(const json_t *task) { return json_object_get(task, "id") && !json_object_get(task, "data"); }

static bool names_image(const char *name) {
    for (const char *const *type = icseg_image_types; *type; type++)
        if (!strcasecmp(icseg_path_extension(name), *type)) return true;
    return false;
}

/* Under the key "image", or the first text that is the name of an image. */
icseg_status icseg_studio_image_name(const icseg_studio *s, const json_t *task, const char **out, const char **own,
                                     icseg_error *error) {
    json_t *data = (json_t *)(uintptr_t)(icseg_studio_is_min(task) ? task : json_object_get(task, "data")), *value;
    const json_t *image = json_object_get(data, "image");
    const char *key;
    json_object_foreach(data, key, value) {
        if (!json_is_string(value) || (json_is_string(image) && value != image)) continue;
        const char *url = json_string_value(value);
        ICSEG_TRY(icseg_import_url_name(s->arena, url, out, error));
        *own = strncmp(url, "/data/local-files/", 18) != 0 ? icseg_path_name(*out) : *out;
        if (value == image || names_image(*out)) return ICSEG_OK;
    }
    return icseg_studio_fail(s, "expected the name of an image in \"data\"", error);
}

icseg_status icseg_studio_find_image(const icseg_studio *s, const char *name, char **out, icseg_error *error) {
    const char *folders[] = {icseg_arena_printf(s->arena, "%s/images", s->folder), s->folder,
                             icseg_arena_printf(s->arena, "%s/../images", s->folder), NULL};
    const char *base = icseg_path_name(name);
    if (!folders[0] || !folders[2]) return icseg_fail_memory_in(error, 0, s->path);
    /* a file may be in a folder of many other things */
    const char *tree = icseg_folder_exists(s->im->options->source) ? s->folder : folders[0];
    icseg_image_query query = {.folders = folders, .name = name, .tree = tree};
    ICSEG_TRY(icseg_import_find_image(s->im, s->arena, query, out, error));
    query.name = base + 9;
    if (!*out && strspn(base, "0123456789abcdef") == 8 && base[8] == '-')
        ICSEG_TRY(icseg_import_find_image(s->im, s->arena, query, out, error));
    return ICSEG_OK;
}

void icseg_studio_report(const icseg_studio *s) {
    const icseg_progress *progress = s->im->stage.progress;
    if (s->others)
        icseg_progress_say(progress, ICSEG_MESSAGE_WARNING,
                           "%lld annotation%s left out: of several of one image, the newest that was submitted counts",
                           (long long)s->others, s->others == 1 ? " was" : "s were");
    if (s->several)
        icseg_progress_say(progress, ICSEG_MESSAGE_WARNING,
                           "%lld object%s several classes, of which the first was taken: a pixel has one class",
                           (long long)s->several, s->several == 1 ? " has" : "s have");
    if (s->unlabelled)
        icseg_progress_say(progress, ICSEG_MESSAGE_WARNING,
                           "%lld task%s left out: %s no submitted annotation (%lld cancelled, %lld with drafts only)",
                           (long long)s->unlabelled, s->unlabelled == 1 ? " was" : "s were",
                           s->unlabelled == 1 ? "it has" : "they have", (long long)s->cancelled, (long long)s->drafts);
}
