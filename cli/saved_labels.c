/* SPDX-License-Identifier: Apache-2.0
 * Labels of a model as a data set. */
#include "saved_labels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "icseg/file.h"
#include "icseg/memory.h"
#include "support.h"

enum { MAX_FILE = 1 << 30 }; /* bytes of an image */

icseg_status saved_labels_check(const char *folder, icseg_error *error) {
    icseg_string path = {0};
    icseg_string_printf(&path, "%s/classes.txt", folder);
    bool taken = !path.failed && file_exists(path.data), failed = path.failed;
    icseg_string_close(&path);
    if (failed) return out_of_memory(error);
    if (!taken) return ICSEG_OK;
    return icseg_error_set(error, ICSEG_ERROR_ARGUMENT,
                           "--save-labels: %s already contains a data set (classes.txt); name a new folder", folder);
}

/* Folders that --recursive keeps become part of the name: a data set has none. */
static char *path_of(const char *folder, const char *kind, const char *name, const char *suffix, icseg_arena *arena) {
    char *path = icseg_arena_printf(arena, "%s/%s/train/%s%s", folder, kind, name, suffix);
    if (!path) return NULL;
    for (char *c = path + strlen(path) - strlen(name) - strlen(suffix); *c; c++)
        if (*c == '/') *c = '_';
    return path;
}

char *saved_labels_image_path(const char *folder, const input_file *file, icseg_arena *arena) {
    bool standard_input = !strcmp(file->path, "-");
    return path_of(folder, "images", file->name, standard_input ? ".png" : "", arena);
}

char *saved_labels_mask_path(const char *folder, const input_file *file, icseg_arena *arena) {
    return path_of(folder, "annotations", file->stem, ".png", arena);
}

icseg_status saved_labels_open(saved_labels *s, icseg_error *error) {
    static const char *const kinds[] = {"images", "annotations"};
    for (int i = 0; i < 2; i++) {
        icseg_string path = {0};
        icseg_string_printf(&path, "%s/%s/train", s->folder, kinds[i]);
        icseg_status status = path.failed ? out_of_memory(error) : folder_create(path.data, error);
        icseg_string_close(&path);
        TRY(status);
    }
    return ICSEG_OK;
}

static icseg_status copy_file(const char *from, const char *to, icseg_error *error) {
    FILE *file = fopen(from, "rb");
    unsigned char *data = NULL;
    size_t size = 0, capacity = 0, got = 1;
    bool full = false;
    if (!file) return icseg_error_set(error, ICSEG_ERROR_IO, "%s: cannot be opened again", from);
    while (got && !full && size <= MAX_FILE) {
        if (size == capacity) {
            unsigned char *grown = realloc(data, capacity = capacity ? 2 * capacity : 1 << 20);
            full = !grown;
            if (grown) data = grown;
        }
        if (!full) size += got = fread(data + size, 1, capacity - size, file);
    }
    bool failed = ferror(file) != 0;
    (void)fclose(file);
    icseg_status status = ICSEG_OK;
    if (full)
        status = out_of_memory(error);
    else if (failed || size > MAX_FILE)
        status = icseg_error_set(error, ICSEG_ERROR_IO, "%s: %s", from,
                                 failed ? "cannot be read" : "has more than 1 GiB and cannot be copied");
    if (status == ICSEG_OK) status = icseg_file_write(to, data, size, error);
    free(data);
    return status;
}

static icseg_status write_mask(saved_labels *s, const icseg_labels *labels, const float *confidence, const char *path,
                               icseg_error *error) {
    size_t pixels = (size_t)labels->width * (size_t)labels->height;
    icseg_labels certain;
    TRY(icseg_labels_create(&certain, labels->width, labels->height, error));
    for (size_t i = 0; i < pixels; i++) {
        bool known = (double)confidence[i] >= s->min_confidence;
        certain.data[i] = labels->data[i];
        if (!known) certain.data[i] = ICSEG_LABEL_IGNORE;
        s->unlabelled += !known;
    }
    s->pixels += (int64_t)pixels;
    icseg_status status = icseg_labels_write_png(&certain, s->palette, path, error);
    icseg_labels_close(&certain);
    return status;
}

icseg_status saved_labels_add(saved_labels *s, const input_file *file, const icseg_image *image,
                              const icseg_labels *labels, const float *confidence, icseg_arena *arena,
                              icseg_error *error) {
    char *to = saved_labels_image_path(s->folder, file, arena), *mask = saved_labels_mask_path(s->folder, file, arena);
    if (!to || !mask) return out_of_memory(error);
    TRY(strcmp(file->path, "-") ? copy_file(file->path, to, error) : icseg_image_write_png(image, to, error));
    TRY(write_mask(s, labels, confidence, mask, error));
    s->images++;
    return ICSEG_OK;
}

icseg_status saved_labels_finish(const saved_labels *s, const icseg_model *model, icseg_printer *printer,
                                 icseg_error *error) {
    icseg_string path = {0}, text = {0};
    if (!s->images) return ICSEG_OK;
    icseg_string_printf(&path, "%s/classes.txt", s->folder);
    for (int32_t k = 0; k < icseg_model_config(model)->num_classes; k++)
        icseg_string_printf(&text, "%s\n", icseg_model_class_names(model)[k]);
    icseg_status status =
        path.failed || text.failed ? out_of_memory(error) : icseg_file_write(path.data, text.data, text.size, error);
    icseg_string_close(&path);
    icseg_string_close(&text);
    if (status == ICSEG_OK)
        icseg_printer_note(printer,
                           "%s: a data set of %lld %s; %.1f %% of the pixels are unlabelled, because their "
                           "probability is below %g",
                           s->folder, (long long)s->images, icseg_plural(s->images, "image", "images"),
                           100 * (double)s->unlabelled / (double)s->pixels, s->min_confidence);
    return status;
}
