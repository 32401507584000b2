/* SPDX-License-Identifier: Apache-2.0
 * The chosen formats, and one export of the library for each. */
#include "exports.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "icseg/memory.h"
#include "support.h"

void export_format_names(icseg_string *out) {
    for (int32_t i = 0; i < icseg_export_format_count(); i++)
        icseg_string_printf(out, "%s%s", i ? ", " : "", icseg_export_format_name((icseg_export_format)i));
}

/* ---- options ---- */

static bool has_format(const export_list *e, icseg_export_format format) {
    for (size_t i = 0; i < e->count; i++)
        if (e->formats[i] == format) return true;
    return false;
}

/* Options that no format uses are mistakes. */
static icseg_status check_use(const export_list *e, icseg_error *error) {
    bool outlines = false, runs = false;
    for (size_t i = 0; i < e->count; i++) {
        outlines |= e->formats[i] != ICSEG_EXPORT_PNG;
        runs |= icseg_export_format_has_runs(e->formats[i]);
    }
    const char *option = e->options.tolerance > 0 ? "tolerance" : "min-area";
    if (!outlines && (e->options.tolerance > 0 || e->options.min_area))
        return icseg_error_set(error, ICSEG_ERROR_ARGUMENT,
                               "--%s: label maps have no outlines; choose another format with --format", option);
    if (e->options.runs && !runs)
        return icseg_error_set(error, ICSEG_ERROR_ARGUMENT,
                               "--rle: only coco, cvat and label-studio have run lengths; choose one with --format");
    return ICSEG_OK;
}

icseg_status exports_choose(export_list *e, const export_options *options, const char *out, icseg_arena *arena,
                            icseg_error *error) {
    e->options = (icseg_export_options){ICSEG_EXPORT_OPTIONS_INIT, .runs = options->rle,
                                        .tolerance = options->tolerance, .min_area = options->min_area};
    for (const char *name = options->formats; name; name = strchr(name, ','), name = name ? name + 1 : NULL) {
        icseg_export_format format;
        const char *word = icseg_arena_printf(arena, "%.*s", (int)strcspn(name, ","), name);
        if (!word) return out_of_memory(error);
        TRY(icseg_export_format_find(&format, word, error));
        if (has_format(e, format)) continue;
        e->folders[e->count] = format == ICSEG_EXPORT_PNG ? out : icseg_arena_printf(arena, "%s/%s", out, word);
        if (!e->folders[e->count]) return out_of_memory(error);
        e->formats[e->count++] = format;
    }
    return check_use(e, error);
}

/* ---- files ---- */

bool exports_have_joint_file(const export_list *e) {
    for (size_t i = 0; i < e->count; i++)
        if (icseg_export_format_is_joint(e->formats[i])) return true;
    return false;
}

icseg_status exports_outputs(const export_list *e, const input_list *list, input_output *outputs, size_t *count,
                             icseg_arena *arena, icseg_error *error) {
    for (size_t k = 0; k < e->count; k++)
        for (size_t i = 0; i < list->count && !(i && icseg_export_format_is_joint(e->formats[k])); i++) {
            char *path;
            TRY(icseg_export_path(e->formats[k], e->folders[k], list->files[i].name, &path, error));
            outputs[*count] = (input_output){icseg_arena_strdup(arena, path), i};
            icseg_buffer_free(path);
            if (!outputs[(*count)++].path) return out_of_memory(error);
        }
    return ICSEG_OK;
}

static icseg_export_options options_of(const export_list *e, size_t index) {
    icseg_export_options options = e->options;
    options.format = e->formats[index];
    options.runs &= icseg_export_format_has_runs(options.format);
    return options;
}

icseg_status exports_open(export_list *e, icseg_error *error) {
    for (size_t i = 0; i < e->count; i++) {
        icseg_export_options options = options_of(e, i);
        TRY(icseg_export_open(&e->open[i], e->folders[i], &options, error));
    }
    return ICSEG_OK;
}

static icseg_status print_path(const export_list *e, size_t index, const char *name, icseg_error *error) {
    char *path;
    TRY(icseg_export_path(e->formats[index], e->folders[index], name, &path, error));
    printf("%s\n", path);
    icseg_buffer_free(path);
    return ICSEG_OK;
}

icseg_status exports_add(export_list *e, const icseg_export_image *image, bool *bad, icseg_error *error) {
    for (size_t i = 0; i < e->count; i++) {
        icseg_status status = icseg_export_add(e->open[i], image, error);
        *bad = status == ICSEG_ERROR_DATA || status == ICSEG_ERROR_MEMORY;
        TRY(status);
        if (!icseg_export_format_is_joint(e->formats[i])) TRY(print_path(e, i, image->name, error));
    }
    e->images++;
    return ICSEG_OK;
}

icseg_status exports_finish(export_list *e, icseg_error *error) {
    for (size_t i = 0; i < e->count && e->images; i++) {
        TRY(icseg_export_finish(e->open[i], error));
        if (icseg_export_format_is_joint(e->formats[i])) TRY(print_path(e, i, "", error));
    }
    return ICSEG_OK;
}

void exports_close(export_list *e) {
    for (size_t i = 0; i < e->count; i++) icseg_export_close(&e->open[i]);
}

icseg_status exports_print(const export_list *e, const icseg_export_image *image, icseg_error *error) {
    icseg_export_options options = options_of(e, 0);
    void *data;
    size_t size;
    TRY(icseg_export_encode(&options, image, &data, &size, error));
    bool written = fwrite(data, 1, size, stdout) == size && fflush(stdout) == 0;
    int reason = errno;
    icseg_buffer_free(data);
    if (written) return ICSEG_OK;
    return icseg_error_set(error, ICSEG_ERROR_IO, "standard output: cannot write: %s", strerror(reason));
}
