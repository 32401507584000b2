/* SPDX-License-Identifier: Apache-2.0
 * Reads images with the values that options and model ask for, and prints notes about them. */
#include "images.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "remedy.h"
#include "support.h"

enum { MAX_INPUT = 1 << 30 /* bytes of standard input */ };

void image_defaults(image_options *o) { *o = (image_options){.value_range = {NAN, NAN}}; }

icseg_status image_values(const image_options *o, const icseg_model *model, icseg_image_values *out,
                          icseg_error *error) {
    *out = (icseg_image_values){ICSEG_IMAGE_VALUES_INIT};
    if (model) TRY(icseg_model_image_values(model, out, error));
    if (o->band_count) {
        memset(out->bands, 0, sizeof out->bands);
        memcpy(out->bands, o->bands, (size_t)o->band_count * sizeof *o->bands);
    }
    if (!isnan(o->value_range[0])) {
        out->value_low = o->value_range[0];
        out->value_high = o->value_range[1];
    }
    return ICSEG_OK;
}

icseg_status image_reader_open(image_reader *out, const image_options *options, const icseg_model *model,
                               const icseg_command_context *context, icseg_error *error) {
    *out = (image_reader){.context = context};
    return image_values(options, model, &out->values, error);
}

static void print_note(const icseg_command_context *context, const icseg_error *note) {
    char remedy[REMEDY_SIZE];
    remedy_describe(context->command, note, remedy);
    icseg_printer_note(context->printer, "note: %s%s", note->message, remedy);
}

icseg_status image_read(image_reader *r, const char *path, icseg_image *out, icseg_error *error) {
    icseg_image_input input = {ICSEG_IMAGE_INPUT_INIT, .path = path, .values = &r->values};
    icseg_image_info info = {ICSEG_IMAGE_INFO_INIT};
    unsigned char *data = NULL;
    icseg_status status = ICSEG_OK;
    if (!strcmp(path, "-")) {
        status = standard_input_read(MAX_INPUT, &data, &input.size, error);
        input.data = data;
        path = input.path = "standard input";
    }
    if (status == ICSEG_OK && data && !input.size)
        status = icseg_error_set(error, ICSEG_ERROR_FORMAT, "standard input: empty");
    if (status == ICSEG_OK) status = icseg_image_load(out, &input, &info, error);
    free(data);
    TRY(status);
    if (info.note == ICSEG_IMAGE_NOTE_NONE || r->noted[info.note]) return ICSEG_OK;
    r->noted[info.note] = true;
    icseg_error note;
    icseg_error_set(&note, ICSEG_OK, "%s: %s", path, info.text);
    note.remedy = info.field[0] ? ICSEG_REMEDY_SET_FIELD : ICSEG_REMEDY_NONE;
    snprintf(note.field, sizeof note.field, "%s", info.field);
    print_note(r->context, &note);
    return ICSEG_OK;
}

bool image_check_size(icseg_printer *printer, const icseg_model *model, int32_t width, int32_t height,
                      const char *path) {
    int32_t trained = icseg_model_trained_side(model), side = width < height ? width : height;
    if (!trained || side <= 2 * trained) return false;
    icseg_printer_problem(
        printer,
        "warning: %s: %dx%d pixels, but the model was trained on images with a short side of at most %d; "
        "objects appear larger than in training; --resize-short %d corrects this",
        path, (int)width, (int)height, (int)trained, (int)trained);
    return true;
}

#ifndef ICSEG_NO_TRAIN /* the library has data sets */
void image_print_notes(const icseg_command_context *context, const icseg_dataset *dataset,
                       bool noted[ICSEG_IMAGE_NOTES]) {
    icseg_error note;
    for (int kind = ICSEG_IMAGE_NOTE_NONE + 1; kind < ICSEG_IMAGE_NOTES; kind++)
        if (!noted[kind] && icseg_dataset_note(dataset, (icseg_image_note)kind, &note)) {
            noted[kind] = true;
            print_note(context, &note);
        }
}
#endif
