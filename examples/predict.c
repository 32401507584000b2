/* SPDX-License-Identifier: Apache-2.0
 * A program on libicseg: opens a checkpoint, labels one image, writes the label map as a PNG with a palette, and prints
 * the share of each class. docs/library.md explains it. Compiles as C11 and as C++17. */
#include <stdio.h>
#include <stdlib.h>

#include <icseg/icseg.h>

/* Percent of the pixels with label k. Predicted maps do not have ignored pixels. */
static double share(const icseg_labels *labels, int32_t k) {
    size_t pixels = (size_t)labels->width * (size_t)labels->height, count = 0;
    for (size_t i = 0; i < pixels; i++) count += labels->data[i] == k;
    return 100.0 * (double)count / (double)pixels;
}

int main(int argc, char **argv) {
    if (argc != 4) {
        fprintf(stderr, "usage: predict CHECKPOINT IMAGE OUT.png\n");
        return 2;
    }
    /* Everything starts empty (static objects are zero), so the same code closes whatever has been opened. */
    static icseg_error error;
    static icseg_image image;
    static icseg_labels labels;
    static icseg_palette palette;
    icseg_model *model = NULL;
    icseg_session *session = NULL;
    icseg_image_values values = {ICSEG_IMAGE_VALUES_INIT}; /* bands and value range, as in training */
    icseg_image_input input = {ICSEG_IMAGE_INPUT_INIT};
    input.path = argv[2];
    input.values = &values;

    icseg_status status = icseg_model_open(&model, argv[1], &error);
    if (status == ICSEG_OK) status = icseg_model_image_values(model, &values, &error);
    if (status == ICSEG_OK) status = icseg_image_load(&image, &input, NULL, &error);
    if (status == ICSEG_OK) status = icseg_session_open(&session, model, NULL, &error);
    if (status == ICSEG_OK) status = icseg_session_predict(session, &image, NULL, &labels, NULL, &error);
    if (status == ICSEG_OK)
        status = icseg_palette_create_for(&palette, icseg_model_class_names(model),
                                          icseg_model_config(model)->num_classes, &error);
    if (status == ICSEG_OK) status = icseg_labels_write_png(&labels, &palette, argv[3], &error);

    if (status == ICSEG_OK) {
        const char *const *names = icseg_model_class_names(model);
        for (int32_t k = 0; k < palette.size; k++)
            if (share(&labels, k) > 0) printf("%6.2f %%  %s\n", share(&labels, k), names[k]);
    } else {
        fprintf(stderr, "predict: %s error: %s\n", icseg_status_name(status), error.message);
    }
    icseg_palette_close(&palette);
    icseg_labels_close(&labels);
    icseg_image_close(&image);
    icseg_session_close(&session);
    icseg_model_close(&model);
    return status == ICSEG_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
