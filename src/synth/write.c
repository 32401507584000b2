/* SPDX-License-Identifier: Apache-2.0
 * Writes generated scenes as a folder data set: images/, annotations/, classes.txt, the files of captions, and
 * synth.json, which identifies the folder in later runs. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <omp.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/argument.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/progress.h"
#include "base/struct_size.h"
#include "base/system.h"
#include "base/threads.h"
#include "base/text.h"
#include "synth/caption.h"
#include "synth/synth.h"

enum { JPEG_QUALITY = 92, PATH_SIZE = 4096, SPLITS = 2, CAPTIONS = 2 };
static const char *const split_names[SPLITS] = {"train", "val"};
static const char *const caption_files[SPLITS] = {"captions.jsonl", "captions_val.jsonl"};
static const uint64_t first_index[SPLITS] = {0, (uint64_t)1 << 40}; /* the splits never share a scene */
static const char marker_start[] = "{\"generator\": \"icseg synth\"", captions_key[] = ", \"captions\": true";

/* Fills in the defaults and checks the options. */
static icseg_status check(icseg_synth_options *o, icseg_error *error) {
    if (!o->folder || !*o->folder)
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "folder", ICSEG_REMEDY_SET_FIELD,
                                "folder: is not set; set it to the folder for the generated scenes");
    if (strlen(o->folder) > PATH_SIZE - 64)
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "folder", ICSEG_REMEDY_SET_FIELD,
                                "%.60s...: the path of the folder is too long", o->folder);
    int32_t *counts[SPLITS] = {&o->train, &o->val};
    static const int32_t defaults[SPLITS] = {400, 100};
    for (int i = 0; i < SPLITS; i++) {
        int32_t given = *counts[i];
        *counts[i] = given == 0 ? defaults[i] : given == ICSEG_SYNTH_NO_IMAGES ? 0 : given;
        if (*counts[i] < 0 || *counts[i] > ICSEG_SYNTH_MAX_IMAGES)
            return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, split_names[i], ICSEG_REMEDY_SET_FIELD,
                                    "%s: is %d images; expected at most %d", split_names[i], given,
                                    ICSEG_SYNTH_MAX_IMAGES);
    }
    if (o->train + o->val == 0)
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "train", ICSEG_REMEDY_SET_FIELD,
                                "train: both splits are empty; at least one image is needed");
    ICSEG_TRY(icseg_threads_check(o->threads, error));
    ICSEG_TRY(icseg_synth_check_vocabulary(o->vocabulary, error));
    if (!o->width) o->width = ICSEG_SYNTH_WIDTH;
    if (!o->height) o->height = ICSEG_SYNTH_HEIGHT;
    return icseg_synth_check_size(o->width, o->height, error);
}

/* Whether the folder is empty or does not exist. */
static icseg_status check_empty(const char *path, bool *empty, icseg_error *error) {
    *empty = true;
    DIR *folder;
    if (access(path, F_OK) != 0 && errno == ENOENT) return ICSEG_OK;
    ICSEG_TRY(icseg_folder_open(&folder, path, error));
    const char *name;
    icseg_status status = icseg_folder_next(folder, path, &name, error);
    *empty = !name;
    closedir(folder);
    return status;
}

/* Whether the file is the synth.json of an earlier run, and whether that run wrote captions. */
static icseg_status check_marker(const char *marker, bool *ours, bool *captions, icseg_error *error) {
    unsigned char *text = NULL;
    size_t size = 0;
    *ours = *captions = false;
    if (access(marker, F_OK) != 0 && errno == ENOENT) return ICSEG_OK;
    icseg_status status = icseg_file_read(marker, 4096, &text, &size, error);
    if (status != ICSEG_OK) return status == ICSEG_ERROR_FORMAT ? ICSEG_OK : status; /* ours is small */
    *ours = size >= sizeof marker_start - 1 && !memcmp(text, marker_start, sizeof marker_start - 1);
    *captions = *ours && memmem(text, size, captions_key, sizeof captions_key - 1) != NULL;
    icseg_free(text);
    return ICSEG_OK;
}

/* Removes the files of an earlier, larger run: NNNNNN.EXTENSION with a number of `count` or more. */
static icseg_status remove_stale(const char *folder, const char *extension, int32_t count, icseg_error *error) {
    char **names = NULL, path[PATH_SIZE + 512];
    size_t files = 0;
    icseg_status status = ICSEG_OK;
    if (!icseg_folder_exists(folder)) return ICSEG_OK;
    ICSEG_TRY(icseg_folder_list(folder, &names, &files, error));
    for (size_t i = 0; i < files && status == ICSEG_OK; i++) {
        if (strspn(names[i], "0123456789") != 6 || strcmp(names[i] + 6, extension) != 0) continue;
        if (strtol(names[i], NULL, 10) < count) continue;
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        if (unlink(path) != 0)
            status = icseg_fail(error, ICSEG_ERROR_IO, "%s: cannot remove the old scene: %s", path, strerror(errno));
    }
    icseg_free(names);
    return status;
}

static icseg_status write_texts(const icseg_synth_options *o, icseg_error *error) {
    char path[PATH_SIZE];
    icseg_string text = {0};
    int32_t classes;
    const char *const *names = icseg_synth_vocabulary_names(o->vocabulary, &classes);
    icseg_string_printf(
        &text, "%s, \"seed\": %" PRIu64 ", \"width\": %d, \"height\": %d, \"train\": %d, \"val\": %d%s%s}\n",
        marker_start, o->seed, o->width, o->height, o->train, o->val,
        o->vocabulary == ICSEG_SYNTH_LARGE ? ", \"vocabulary\": \"large\"" : "", o->captions ? captions_key : "");
    snprintf(path, sizeof path, "%s/synth.json", o->folder);
    icseg_status status =
        text.failed ? icseg_fail_memory_in(error, 0, path) : icseg_file_write(path, text.data, text.size, error);
    text.size = 0;
    for (int32_t i = 0; i < classes; i++) icseg_string_printf(&text, "%s\n", names[i]);
    snprintf(path, sizeof path, "%s/classes.txt", o->folder);
    if (status == ICSEG_OK)
        status =
            text.failed ? icseg_fail_memory_in(error, 0, path) : icseg_file_write(path, text.data, text.size, error);
    icseg_string_close(&text);
    return status;
}

/* A folder that this generator did not make may not contain what it would replace. */
static icseg_status check_foreign(const icseg_synth_options *o, icseg_error *error) {
    const char *const names[] = {"images", "annotations", "classes.txt", caption_files[0], caption_files[1]};
    size_t count = sizeof names / sizeof *names - (o->captions ? 0 : SPLITS);
    for (size_t i = 0; i < count; i++) {
        char path[PATH_SIZE];
        snprintf(path, sizeof path, "%s/%s", o->folder, names[i]);
        if (access(path, F_OK) == 0)
            return icseg_fail(error, ICSEG_ERROR_ARGUMENT,
                              "%s: exists, but the folder is not a set of generated scenes; use another folder", path);
    }
    return ICSEG_OK;
}

/* Refuses, creates or cleans the folder. The marker is written first, so that a later run recognises the folder of an
 * interrupted one. */
static icseg_status prepare_folders(const icseg_synth_options *o, icseg_error *error) {
    char path[PATH_SIZE];
    bool empty, ours = false, captions = false;
    ICSEG_TRY(check_empty(o->folder, &empty, error));
    snprintf(path, sizeof path, "%s/synth.json", o->folder);
    if (!empty) ICSEG_TRY(check_marker(path, &ours, &captions, error));
    if (!empty && !ours) ICSEG_TRY(check_foreign(o, error));
    if (!empty && !o->force)
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "force", ICSEG_REMEDY_OVERWRITE,
                                "%s: the folder %s; use another folder", o->folder,
                                ours ? "already contains a set of generated scenes" : "is not empty");
    ICSEG_TRY(icseg_folder_create(o->folder, error));
    ICSEG_TRY(write_texts(o, error));
    for (int i = 0; i < 2 * SPLITS; i++) {
        int32_t count = i / 2 == 0 ? o->train : o->val;
        snprintf(path, sizeof path, "%s/%s/%s", o->folder, i % 2 ? "annotations" : "images", split_names[i / 2]);
        if (ours) ICSEG_TRY(remove_stale(path, i % 2 ? ".png" : ".jpg", count, error));
        if (count > 0)
            ICSEG_TRY(icseg_folder_create(path, error));
        else if (ours)
            (void)rmdir(path); /* an empty split cannot be opened; fails, as intended, if the user has added files */
    }
    for (int i = 0; i < SPLITS && captions; i++) { /* of the earlier run; written again at the end */
        snprintf(path, sizeof path, "%s/%s", o->folder, caption_files[i]);
        if (unlink(path) != 0 && errno != ENOENT)
            return icseg_fail(error, ICSEG_ERROR_IO, "%s: cannot remove the old captions: %s", path, strerror(errno));
    }
    return ICSEG_OK;
}

/* Appends the line of a scene to the captions of its split. Generated names need no escapes. */
static void add_captions(const icseg_synth_options *o, int split, int32_t number, const icseg_labels *labels,
                         icseg_string *line) {
    icseg_rng rng = icseg_rng_open(o->seed, ICSEG_RNG_CAPTION, first_index[split] + (uint64_t)number);
    icseg_string_printf(line, "{\"image\": \"images/%s/%06d.jpg\", \"caption\": [", split_names[split], number);
    for (int i = 0; i < CAPTIONS; i++) {
        icseg_string_printf(line, "%s\"", i ? ", " : "");
        icseg_synth_describe(labels, o->vocabulary, &rng, line);
        icseg_string_printf(line, "\"");
    }
    icseg_string_printf(line, "]}\n");
}

/* `line` (may be NULL) receives the scene's captions. */
static icseg_status write_scene(const icseg_synth_options *o, int split, int32_t number, const icseg_palette *palette,
                                icseg_string *line, icseg_error *error) {
    char path[PATH_SIZE];
    icseg_image image = {0};
    icseg_labels labels = {0};
    icseg_status status;
    icseg_synth_scene_options scene = {ICSEG_SYNTH_SCENE_OPTIONS_INIT,
                                       o->seed,
                                       first_index[split] + (uint64_t)number,
                                       o->width,
                                       o->height,
                                       o->vocabulary};
    ICSEG_TRY_GOTO(icseg_synth_scene(&scene, &image, &labels, error));
    snprintf(path, sizeof path, "%s/images/%s/%06d.jpg", o->folder, split_names[split], number);
    ICSEG_TRY_GOTO(icseg_image_write_jpeg(&image, path, JPEG_QUALITY, error));
    snprintf(path, sizeof path, "%s/annotations/%s/%06d.png", o->folder, split_names[split], number);
    ICSEG_TRY_GOTO(icseg_labels_write_png(&labels, palette, path, error));
    if (line) add_captions(o, split, number, &labels, line);
fail:
    icseg_image_close(&image);
    icseg_labels_close(&labels);
    return status;
}

/* Shared by the threads of one run; the first failure stops all of them. */
typedef struct team {
    const icseg_synth_options *options;
    icseg_palette palette;
    icseg_string *lines; /* (train + val): the captions of each scene; NULL: none are wanted */
    icseg_stage stage;
    atomic_int next, done;
    atomic_bool stop;
    icseg_error error; /* of the first failure, written by the thread that set `stop` */
} team;

static void stop_team(team *t, const icseg_error *error) {
    if (!atomic_exchange(&t->stop, true)) t->error = *error;
}

static void report(team *t) { /* by the calling thread only */
    icseg_error error;
    if (icseg_stage_report(&t->stage, atomic_load(&t->done), "", &error) == ICSEG_OK) return;
    icseg_fail_prefix(&error, "%s", t->options->folder);
    stop_team(t, &error);
}

static void work(team *t, bool reports) {
    while (!atomic_load(&t->stop)) {
        int32_t at = atomic_fetch_add(&t->next, 1);
        if (at >= t->stage.total) break;
        icseg_error error = {0};
        int split = at < t->options->train ? 0 : 1;
        int32_t number = split ? at - t->options->train : at;
        if (write_scene(t->options, split, number, &t->palette, t->lines ? &t->lines[at] : NULL, &error) != ICSEG_OK)
            stop_team(t, &error);
        else
            atomic_fetch_add(&t->done, 1);
        if (reports) report(t);
    }
}

/* Writes the lines of each split, in the order of the scenes. */
static icseg_status write_captions(const icseg_synth_options *o, const icseg_string *lines, icseg_error *error) {
    const int32_t counts[SPLITS] = {o->train, o->val};
    icseg_status status = ICSEG_OK;
    for (int i = 0; i < SPLITS && status == ICSEG_OK; lines += counts[i++]) {
        char path[PATH_SIZE];
        icseg_string text = {0};
        if (counts[i] == 0) continue;
        snprintf(path, sizeof path, "%s/%s", o->folder, caption_files[i]);
        for (int32_t n = 0; n < counts[i]; n++) {
            icseg_string_append(&text, lines[n].data, lines[n].size);
            text.failed = text.failed || lines[n].failed;
        }
        status =
            text.failed ? icseg_fail_memory_in(error, 0, path) : icseg_file_write(path, text.data, text.size, error);
        icseg_string_close(&text);
    }
    return status;
}

/* Draws and writes all scenes, in several threads. `lines` as in `team`. */
static icseg_status write_scenes(const icseg_synth_options *o, const icseg_progress *callbacks, icseg_string *lines,
                                 icseg_error *error) {
    team t = {.options = o,
              .lines = lines,
              .stage = icseg_stage_begin(callbacks, "generate scenes", o->train + o->val, "scenes")};
    int32_t classes;
    (void)icseg_synth_vocabulary_names(o->vocabulary, &classes);
    int threads = o->threads ? o->threads : icseg_cores();
    if (threads > t.stage.total) threads = (int)t.stage.total;
    ICSEG_TRY(icseg_palette_create(&t.palette, classes, error));
#pragma omp parallel num_threads(threads)
    work(&t, omp_get_thread_num() == 0);
    icseg_palette_close(&t.palette);
    if (!atomic_load(&t.stop)) report(&t); /* another thread may have written the last images */
    if (error && t.error.status != ICSEG_OK) *error = t.error;
    return t.error.status;
}

icseg_status icseg_synth_write(const icseg_synth_options *options, const icseg_progress *progress, icseg_error *error) {
    enum { FIRST_SIZE = offsetof(icseg_synth_options, force) + sizeof(bool) };
    icseg_synth_options o;
    icseg_progress callbacks;
    ICSEG_NEED(options);
    ICSEG_TRY(icseg_progress_read(&callbacks, progress, error));
    ICSEG_TRY(icseg_struct_read(&o, sizeof o, options, FIRST_SIZE, "icseg_synth_options", error));
    ICSEG_TRY(check(&o, error));
    ICSEG_TRY(prepare_folders(&o, error));
    if (!o.captions) return write_scenes(&o, &callbacks, NULL, error);
    size_t scenes = (size_t)o.train + (size_t)o.val;
    icseg_string *lines = icseg_calloc_array(scenes, sizeof *lines);
    if (!lines) return icseg_fail_memory(error, scenes * sizeof *lines, "the captions of generated scenes");
    icseg_status status = write_scenes(&o, &callbacks, lines, error);
    if (status == ICSEG_OK) status = write_captions(&o, lines, error);
    for (size_t i = 0; i < scenes; i++) icseg_string_close(&lines[i]);
    icseg_free(lines);
    return status;
}
