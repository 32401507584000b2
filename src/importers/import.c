/* SPDX-License-Identifier: Apache-2.0
 * icseg_import_run: options, the choice of the importer, and the steps that all imports share. */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/argument.h"
#include "base/file.h"
#include "base/struct_size.h"
#include "base/text.h"
#include "base/words.h"
#include "classes/class_list.h"
#include "dataset/labelling_tools.h"
#include "importers/archive.h"
#include "importers/guess.h"
#include "importers/internal.h"

enum {
    FIRST_OPTIONS_SIZE = sizeof(icseg_import_options), /* in the first release, as below */
    FIRST_SUMMARY_SIZE = sizeof(icseg_import_summary)
};

/* ---- formats ---- */

typedef icseg_status (*importer)(icseg_import *im, icseg_error *error);

static const importer importers[ICSEG_IMPORT_FORMATS] = {
    [ICSEG_IMPORT_VOC] = icseg_import_voc,
    [ICSEG_IMPORT_CVAT] = icseg_import_cvat,
    [ICSEG_IMPORT_COCO] = icseg_import_coco,
    [ICSEG_IMPORT_LABELME] = icseg_import_labelme,
    [ICSEG_IMPORT_YOLO] = icseg_import_yolo,
    [ICSEG_IMPORT_ROBOFLOW] = icseg_import_roboflow,
    [ICSEG_IMPORT_CITYSCAPES] = icseg_import_cityscapes,
    [ICSEG_IMPORT_MMSEG] = icseg_import_mmseg,
    [ICSEG_IMPORT_MAPILLARY] = icseg_import_mapillary,
    [ICSEG_IMPORT_MASKS] = icseg_import_masks,
    [ICSEG_IMPORT_CVAT_XML] = icseg_import_cvat_xml,
    [ICSEG_IMPORT_LABEL_STUDIO] = icseg_import_label_studio,
    [ICSEG_IMPORT_SUPERVISELY] = icseg_import_supervisely,
    [ICSEG_IMPORT_GEOJSON] = icseg_import_geojson,
};

static bool is_format(icseg_import_format format) { return (unsigned)format < ICSEG_IMPORT_FORMATS; }

int32_t icseg_import_format_count(void) { return ICSEG_IMPORT_FORMATS; }

const char *icseg_import_format_name(icseg_import_format format) {
    return is_format(format) ? icseg_labelling_tools[format].name : NULL;
}

const char *icseg_import_format_description(icseg_import_format format) {
    return is_format(format) ? icseg_labelling_tools[format].description : NULL;
}

icseg_status icseg_import_format_find(icseg_import_format *out, const char *name, icseg_error *error) {
    const char *names[ICSEG_IMPORT_FORMATS];
    ICSEG_NEED(out);
    *out = ICSEG_IMPORT_AUTO;
    ICSEG_NEED(name);
    for (int i = 0; i < ICSEG_IMPORT_FORMATS; i++) {
        names[i] = icseg_labelling_tools[i].name;
        if (strcmp(name, names[i]) != 0) continue;
        *out = (icseg_import_format)i;
        return ICSEG_OK;
    }
    return icseg_fail_word(error, "format", name, "an import format", names, ICSEG_IMPORT_FORMATS);
}

/* Labels of two tools, of which only one would be read. */
static icseg_status refuse_other(const char *source, icseg_import_format format, icseg_error *error) {
    icseg_import_format other;
    ICSEG_TRY(icseg_labelling_tool_find_other(source, format, &other, error));
    if (other == ICSEG_IMPORT_AUTO) return ICSEG_OK;
    const icseg_labelling_tool *tools[] = {&icseg_labelling_tools[format], &icseg_labelling_tools[other]};
    return icseg_fail_field(error, ICSEG_ERROR_DATA, "format", ICSEG_REMEDY_SET_FIELD,
                            "%s: contains label files of two tools: %s and %s; choose the format %s or %s", source,
                            tools[0]->description, tools[1]->description, tools[0]->name, tools[1]->name);
}

/* *out: the format of the folder or file; with a format of the caller, that one if it fits. AUTO: none. */
static icseg_status find_format(const char *source, icseg_import_format given, icseg_import_format *out,
                                icseg_error *error) {
    icseg_error unread = {0};
    if (given == ICSEG_IMPORT_AUTO) {
        ICSEG_TRY(icseg_labelling_tool_recognise(source, out, error));
        return *out == ICSEG_IMPORT_AUTO ? ICSEG_OK : refuse_other(source, *out, error);
    }
    *out = icseg_labelling_tools[given].fits(source, &unread) ? given : ICSEG_IMPORT_AUTO;
    return unread.status == ICSEG_ERROR_MEMORY ? icseg_fail_memory_in(error, 0, source) : ICSEG_OK;
}

/* *out: the only folder in `folder`, which may have other files too, in the arena; NULL if there is not just one. */
static icseg_status find_only_folder(icseg_arena *arena, const char *folder, char **out, icseg_error *error) {
    icseg_status status;
    const char *name = NULL;
    int count = 0;
    DIR *dir;
    *out = NULL;
    ICSEG_TRY(icseg_folder_open(&dir, folder, error));
    while ((status = icseg_folder_next(dir, folder, &name, error)) == ICSEG_OK && name && count < 2) {
        bool is_folder = false;
        if (name[0] == '.') continue;
        if ((status = icseg_folder_is(dir, folder, name, S_IFDIR, &is_folder, error)) != ICSEG_OK) break;
        if (!is_folder || count++) continue;
        if (!(*out = icseg_arena_printf(arena, "%s/%s", folder, name))) {
            status = icseg_fail_memory_in(error, 0, folder);
            break;
        }
    }
    closedir(dir);
    if (count != 1) *out = NULL;
    return status;
}

/* Exports are often in a folder of their own inside the one that was named, as "VOCdevkit/VOC2012": o->source becomes
 * the folder that has the files. */
static icseg_status choose_format(const icseg_import *im, icseg_import_options *o, icseg_import_format *out,
                                  icseg_error *error) {
    enum { MAX_DEPTH = 4 };
    char *source = icseg_arena_strdup(im->arena, o->source);
    if (!source) return icseg_fail_memory_in(error, 0, o->source);
    for (int depth = 0; source && depth <= MAX_DEPTH; depth++) {
        ICSEG_TRY(find_format(source, o->format, out, error));
        if (*out != ICSEG_IMPORT_AUTO) return o->source = source, ICSEG_OK;
        if (!icseg_folder_exists(source)) break;
        ICSEG_TRY(find_only_folder(im->arena, source, &source, error));
    }
    *out = o->format;
    return *out == ICSEG_IMPORT_AUTO ? icseg_import_guess(im->arena, o->source, out, error) : ICSEG_OK;
}

/* ---- options ---- */

static icseg_status fail_option(const char *field, icseg_error *error, const char *what) {
    return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, field, ICSEG_REMEDY_SET_FIELD, "%s: %s", field, what);
}

static icseg_status check_options(const icseg_import_options *o, icseg_error *error) {
    if (!o->source || !o->source[0]) return fail_option("source", error, "is not set; set it to the files to import");
    if (!o->folder || !o->folder[0])
        return fail_option("folder", error, "is not set; set it to the folder of the new data set");
    if (!is_format(o->format)) return fail_option("format", error, "not a value of icseg_import_format");
    if (!(o->val_share >= 0 && o->val_share <= 0.9))
        return fail_option("val_share", error, "must be between 0 and 0.9");
    if (o->split && !icseg_import_is_split(o->split))
        return fail_option("split", error, "must be the name of a folder, without / and a leading dot");
    if (!icseg_folder_exists(o->source) && !icseg_file_exists(o->source))
        return icseg_fail(error, ICSEG_ERROR_IO, "%s: no such file or folder", o->source);
    return ICSEG_OK;
}

/* ---- the import ---- */

/* Without a background, the names of the source may be lines that no class list can have. */
static icseg_status check_classes(const icseg_import *im, icseg_error *error) {
    bool numbered = icseg_class_lines_are_numbered(im->names, im->classes);
    if (!numbered && !icseg_class_lines_are_one(im->names, im->classes)) return ICSEG_OK;
    return icseg_fail_field(
        error, ICSEG_ERROR_DATA, "background", ICSEG_REMEDY_SET_FIELD,
        "%s: %s (\"%.80s\"), which a class list cannot represent; rename the classes in the source, "
        "or set a class for the background",
        im->options->source,
        numbered ? "the name of every class begins with its number" : "the name of the only class contains a separator",
        im->names[0]);
}

static icseg_status write_classes(const icseg_import *im, icseg_error *error) {
    icseg_string text = {0};
    char path[PATH_MAX];
    for (int32_t k = 0; k < im->classes; k++) icseg_string_printf(&text, "%s\n", im->names[k]);
    snprintf(path, sizeof path, "%s/classes.txt", im->staging.path);
    icseg_status status =
        text.failed ? icseg_fail_memory_in(error, 0, path) : icseg_file_write(path, text.data, text.size, error);
    icseg_string_close(&text);
    return status;
}

/* Counts with their nouns, as "2 boxes, 1 line". */
static void name_skips(const icseg_import *im, char *out, size_t size) {
    static const char *const nouns[ICSEG_SKIPS][2] = {
        [ICSEG_SKIP_BOX] = {"box", "boxes"},
        [ICSEG_SKIP_ELLIPSE] = {"ellipse", "ellipses"},
        [ICSEG_SKIP_LINE] = {"line", "lines"},
        [ICSEG_SKIP_POINT] = {"point", "points"},
        [ICSEG_SKIP_CUBOID] = {"cuboid", "cuboids"},
        [ICSEG_SKIP_SKELETON] = {"skeleton", "skeletons"},
        [ICSEG_SKIP_OTHER] = {"object without an outline", "objects without an outline"}};
    size_t length = 0;
    *out = '\0';
    for (int i = 0; i < ICSEG_SKIPS && length < size; i++)
        if (im->skips[i])
            length += (size_t)snprintf(out + length, size - length, "%s%lld %s", length ? ", " : "",
                                       (long long)im->skips[i], nouns[i][im->skips[i] != 1]);
}

/* "a, b, c and others" */
static void name_unused(const icseg_import *im, char *out, size_t size) {
    size_t length = 0;
    *out = '\0';
    for (int i = 0; i < ICSEG_IMPORT_NAMED && im->unused[i] && length < size; i++)
        length += (size_t)snprintf(out + length, size - length, "%s%s", i ? ", " : "", im->unused[i]);
    if (im->summary.unused_files > ICSEG_IMPORT_NAMED && length < size) snprintf(out + length, size - length, ", ...");
}

/* Warnings about what was left out. */
static void report(const icseg_import *im) {
    const icseg_progress *progress = im->stage.progress;
    const icseg_import_summary *s = &im->summary;
    char names[512];
    if (im->outside)
        icseg_progress_say(progress, ICSEG_MESSAGE_WARNING,
                           im->outside == 1 ? "%lld object is outside of its image or smaller than a pixel and was "
                                              "skipped, the first in %s"
                                            : "%lld objects are outside of their images or smaller than a pixel and "
                                              "were skipped, the first in %s",
                           (long long)im->outside, im->first_outside);
    name_skips(im, names, sizeof names);
    if (*names)
        icseg_progress_say(progress, ICSEG_MESSAGE_WARNING, "skipped: %s; only polygons and masks become labels",
                           names);
    if (s->images_without_objects)
        icseg_progress_say(progress, ICSEG_MESSAGE_WARNING, "%lld of %lld %s %s no objects",
                           (long long)s->images_without_objects, (long long)s->images,
                           icseg_plural(s->images, "image", "images"), s->images_without_objects == 1 ? "has" : "have");
    if (im->unlabelled)
        icseg_progress_say(progress, ICSEG_MESSAGE_WARNING,
                           im->unlabelled == 1
                               ? "%lld image that no label file mentions was left out: %s"
                               : "%lld images that no label file mentions were left out, the first of them %s",
                           (long long)im->unlabelled, im->first_unlabelled);
    name_unused(im, names, sizeof names);
    if (s->unused_files)
        icseg_progress_say(progress, ICSEG_MESSAGE_WARNING, "%lld label file%s not used: %s",
                           (long long)s->unused_files, s->unused_files == 1 ? " was" : "s were", names);
}

static icseg_status fail_empty(const icseg_import *im, icseg_error *error) {
    const icseg_import_summary *s = &im->summary;
    char names[512], skips[256], images[64] = "the only image does not have an object";
    name_unused(im, names, sizeof names);
    name_skips(im, skips, sizeof skips);
    if (s->images > 1) snprintf(images, sizeof images, "none of the %lld images has an object", (long long)s->images);
    if (im->outside)
        return icseg_fail(error, ICSEG_ERROR_DATA,
                          "%s: %s (read as %s), because the outlines, the first of them in %s, are outside of their "
                          "images or smaller than a pixel; coordinates must be in pixels of the image",
                          im->options->source, images, icseg_import_format_name(s->format), im->first_outside);
    if (*skips)
        return icseg_fail(error, ICSEG_ERROR_DATA,
                          "%s: %s with an outline (read as %s); skipped: %s; label the objects with polygons or masks",
                          im->options->source, images, icseg_import_format_name(s->format), skips);
    return icseg_fail(error, ICSEG_ERROR_DATA, "%s: %s (read as %s)%s%s; check the label files and their format",
                      im->options->source, images, icseg_import_format_name(s->format),
                      s->unused_files ? "; files that were not used: " : "", names);
}

static icseg_status fail_nothing(const icseg_import *im, icseg_error *error) {
    char names[512];
    name_unused(im, names, sizeof names);
    return icseg_fail(error, ICSEG_ERROR_DATA, "%s: no images with labels (read as %s)%s%s", im->options->source,
                      icseg_import_format_name(im->summary.format),
                      im->summary.unused_files ? "; files that were not used: " : "", names);
}

/* Whether images without labels are left out: in other formats they are images without objects, or errors. */
static bool leaves_images_out(const icseg_import *im) {
    switch (im->summary.format) {
    case ICSEG_IMPORT_VOC:
    case ICSEG_IMPORT_CVAT:
    case ICSEG_IMPORT_COCO:
    case ICSEG_IMPORT_LABELME:
    case ICSEG_IMPORT_CVAT_XML:
    case ICSEG_IMPORT_LABEL_STUDIO:
    case ICSEG_IMPORT_SUPERVISELY:
    case ICSEG_IMPORT_GEOJSON: return true;
    case ICSEG_IMPORT_YOLO: return im->options->image_folder != NULL;
    default: return false;
    }
}

/* The files are those of a folder from here on, also if the source is an archive. */
static icseg_status open_source(icseg_import *im, icseg_import_options *o, icseg_error *error) {
    bool packed;
    ICSEG_TRY(icseg_import_is_archive(o->source, &packed, error));
    if (packed) {
        im->archive = o->source;
        ICSEG_TRY(icseg_staging_open(&im->staging, im->arena, o->folder, error));
        ICSEG_TRY(icseg_import_unpack(im, &o->source, error));
    }
    return choose_format(im, o, &im->summary.format, error);
}

/* LabelMe's list of labels begins with "__ignore__", which is not a class, and "_background_". The background may be
 * spelt with capitals, as in the source. */
static icseg_status read_classes(icseg_import *im, const char *path, icseg_error *error) {
    static const char usual[] = "background";
    ICSEG_TRY(icseg_classes_read(im->arena, path, &im->names, &im->classes, error));
    im->fixed = true;
    if (im->classes > 1 && !strcmp(im->names[0], "__ignore__")) im->names++, im->classes--;
    if (strcmp(im->background, usual) != 0) return ICSEG_OK; /* the caller named another one */
    for (int32_t k = 0; k < im->classes; k++)
        if (!strcmp(im->names[k], usual)) return ICSEG_OK;
    for (int32_t k = 0; k < im->classes; k++) {
        if (!strcmp(im->names[k], "_background_") && !(im->names[k] = icseg_arena_strdup(im->arena, usual)))
            return icseg_fail_memory_in(error, 0, path);
        if (strcasecmp(im->names[k], usual) != 0) continue;
        im->background = im->names[k];
        break;
    }
    return ICSEG_OK;
}

static icseg_status import(icseg_import *im, icseg_import_options *o, icseg_error *error) {
    ICSEG_TRY(open_source(im, o, error));
    if (o->classes_file) ICSEG_TRY(read_classes(im, o->classes_file, error));
    if (!im->archive) ICSEG_TRY(icseg_staging_open(&im->staging, im->arena, o->folder, error));
    ICSEG_TRY(importers[im->summary.format](im, error));
    ICSEG_TRY(icseg_import_note_foreign(im, error));
    im->summary.classes = im->classes;
    im->summary.split_unused = o->split && !im->one_split && !im->split_used;
    im->summary.val_share_unused = o->val_share > 0 && !im->one_split;
    if (im->problems.count) return icseg_problems_fail(&im->problems, error);
    if (!im->summary.images) return fail_nothing(im, error);
    if (!im->classes)
        return icseg_fail_field(
            error, ICSEG_ERROR_DATA, "background", ICSEG_REMEDY_SET_FIELD,
            "%s: no classes: the source labels nothing, and pixels without an object are unlabelled; set a class for "
            "the background",
            o->source);
    if (im->summary.images == im->summary.images_without_objects) return fail_empty(im, error);
    if (leaves_images_out(im)) ICSEG_TRY(icseg_import_count_unlabelled(im, error));
    ICSEG_TRY(check_classes(im, error));
    ICSEG_TRY(write_classes(im, error));
    ICSEG_TRY(icseg_staging_commit(&im->staging, error));
    report(im);
    return ICSEG_OK;
}

/* ---- callbacks: names of unpacked files become those in the archive ---- */

typedef struct relay {
    const icseg_import *im;
    icseg_progress progress; /* the caller's */
} relay;

static bool relay_report(void *user, const icseg_progress_event *event) {
    const relay *r = user;
    return r->progress.report(r->progress.user, event);
}

static void relay_message(void *user, icseg_message_level level, const char *text) {
    const relay *r = user;
    char restored[ICSEG_ERROR_MESSAGE_SIZE];
    snprintf(restored, sizeof restored, "%s", text);
    icseg_import_restore_names(r->im, restored, sizeof restored);
    r->progress.message(r->progress.user, level, restored);
}

static void relay_problem(void *user, const icseg_error *problem) {
    const relay *r = user;
    icseg_error restored = *problem;
    icseg_import_restore_names(r->im, restored.message, sizeof restored.message);
    if (r->im->options->on_problem) r->im->options->on_problem(r->im->options->user, &restored);
}

icseg_status icseg_import_run(const icseg_import_options *options, const icseg_progress *progress,
                              icseg_import_summary *out, icseg_error *error) {
    icseg_import_options o;
    relay own = {0};
    icseg_error local_error; /* problems pass through it even if the caller's is NULL */
    if (!error) error = &local_error;
    if (out)
        ICSEG_TRY(icseg_struct_write(out, &(icseg_import_summary){0}, sizeof *out, FIRST_SUMMARY_SIZE,
                                     "icseg_import_summary", error));
    ICSEG_NEED(options);
    ICSEG_TRY(icseg_struct_read(&o, sizeof o, options, FIRST_OPTIONS_SIZE, "icseg_import_options", error));
    ICSEG_TRY(icseg_progress_read(&own.progress, progress, error));
    icseg_progress relayed = {ICSEG_PROGRESS_INIT, .user = &own};
    if (own.progress.report) relayed.report = relay_report;
    if (own.progress.message) relayed.message = relay_message;
    icseg_import im = {
        .options = &o, .staging = ICSEG_STAGING_NONE, .stage = icseg_stage_begin(&relayed, "import", 0, "images")};
    im.background = o.background ? o.background : "background";
    im.problems = (icseg_problems){.on_problem = relay_problem, .user = &own};
    own.im = &im;
    ICSEG_TRY(check_options(&o, error));
    ICSEG_TRY(icseg_arena_open(&im.arena, error));
    icseg_status status = import(&im, &o, error);
    if (status != ICSEG_OK) icseg_import_restore_names(&im, error->message, sizeof error->message);
    im.summary.problems = im.problems.count;
    icseg_palette_close(&im.palette);
    icseg_import_images_close(&im.images);
    icseg_listing_close(&im.listing);
    icseg_staging_close(&im.staging);
    icseg_arena_close(&im.arena);
    if (out) icseg_struct_write(out, &im.summary, sizeof *out, FIRST_SUMMARY_SIZE, "icseg_import_summary", NULL);
    return status;
}
