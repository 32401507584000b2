/* SPDX-License-Identifier: Apache-2.0
 * A batch of camera frames in memory: three RGBA images with padding after each row go through the model in one call.
 * Prints the shapes of the label map, the logits and the score maps, and the most probable classes of the middle pixel.
 * docs/library.md explains it. Compiles as C11 and as C++17. */
#include <stdio.h>
#include <stdlib.h>

#include <icseg/icseg.h>

enum { COUNT = 3, WIDTH = 160, HEIGHT = 120, STRIDE = 4 * WIDTH + 64, TOP = 3 };

/* In place of a camera: a pattern that moves from frame to frame. */
static void draw(unsigned char *pixels, int time) {
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++) {
            unsigned char *pixel = pixels + y * STRIDE + 4 * x;
            pixel[0] = (unsigned char)(x + 40 * time);
            pixel[1] = (unsigned char)(2 * y);
            pixel[2] = (unsigned char)(x * y / 64);
            pixel[3] = 255;
        }
}

static void print_shape(const char *name, const icseg_tensor *tensor) {
    printf("%-12s (", name);
    for (int32_t i = 0; i < tensor->rank; i++) printf("%s%lld", i ? ", " : "", (long long)tensor->shape[i]);
    printf(")\n");
}

static icseg_status print_result(const icseg_result *result, const icseg_model *model, icseg_error *error) {
    static const struct {
        icseg_output output;
        const char *name;
    } maps[] = {{ICSEG_OUTPUT_LABELS, "labels"},        {ICSEG_OUTPUT_LOGITS, "logits"},
                {ICSEG_OUTPUT_SCORES_4, "scores, 4"},   {ICSEG_OUTPUT_SCORES_8, "scores, 8"},
                {ICSEG_OUTPUT_SCORES_16, "scores, 16"}, {ICSEG_OUTPUT_SCORES_32, "scores, 32"}};
    icseg_tensor tensor, classes, probabilities;
    icseg_status status = ICSEG_OK;
    for (size_t i = 0; i < sizeof maps / sizeof *maps && status == ICSEG_OK; i++) {
        if (!(icseg_result_outputs(result) & (uint32_t)maps[i].output)) continue;
        status = icseg_result_tensor(result, maps[i].output, &tensor, error);
        if (status == ICSEG_OK) print_shape(maps[i].name, &tensor);
    }
    if (status == ICSEG_OK) status = icseg_result_tensor(result, ICSEG_OUTPUT_TOP_CLASSES, &classes, error);
    if (status == ICSEG_OK) status = icseg_result_tensor(result, ICSEG_OUTPUT_TOP_PROBABILITIES, &probabilities, error);
    if (status != ICSEG_OK) return status;
    /* The middle pixel of frame 0; both tensors are (N, H, W, k), dense. */
    int64_t top = classes.shape[3], first = (HEIGHT / 2 * WIDTH + WIDTH / 2) * top;
    for (int64_t i = 0; i < top; i++) {
        int16_t k = ((const int16_t *)classes.data)[first + i];
        printf("%5.1f %%  %s\n", 100 * (double)((const float *)probabilities.data)[first + i],
               icseg_model_class_names(model)[k]);
    }
    return ICSEG_OK;
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: frame CHECKPOINT\n");
        return 2;
    }
    /* Static, so every field that is not set is zero, which is the default. */
    static unsigned char pixels[COUNT][HEIGHT * STRIDE];
    static icseg_frame frames[COUNT];
    static icseg_batch batch;
    static icseg_run_options options;
    static icseg_error error;
    icseg_model *model = NULL;
    icseg_session *session = NULL;
    icseg_result *result = NULL;

    for (int i = 0; i < COUNT; i++) {
        draw(pixels[i], i);
        frames[i].format = ICSEG_FRAME_RGBA8;
        frames[i].width = WIDTH;
        frames[i].height = HEIGHT;
        frames[i].stride = STRIDE; /* more than a row of pixels takes */
        frames[i].data = pixels[i];
    }
    batch.struct_size = sizeof batch;
    batch.count = COUNT;
    batch.frames = frames;
    options.struct_size = sizeof options;
    options.outputs =
        ICSEG_OUTPUT_LABELS | ICSEG_OUTPUT_LOGITS | ICSEG_OUTPUT_TOP_CLASSES | ICSEG_OUTPUT_TOP_PROBABILITIES;
    options.top_k = TOP;

    icseg_status status = icseg_model_open(&model, argv[1], &error);
    if (status == ICSEG_OK) status = icseg_session_open(&session, model, NULL, &error);
    if (status == ICSEG_OK) {
        const icseg_config *config = icseg_model_config(model);
        for (int i = 0; i < ICSEG_LEVELS; i++) /* the score maps that this model has */
            if (config->align[i]) options.outputs |= (uint32_t)ICSEG_OUTPUT_SCORES_4 << i;
        status = icseg_session_run(session, &batch, &options, &result, &error);
    }
    icseg_session_close(&session); /* the result does not need it */
    if (status == ICSEG_OK) status = print_result(result, model, &error);
    if (status != ICSEG_OK) fprintf(stderr, "frame: %s error: %s\n", icseg_status_name(status), error.message);
    icseg_result_close(&result);
    icseg_model_close(&model);
    return status == ICSEG_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
