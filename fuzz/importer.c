/* SPDX-License-Identifier: Apache-2.0
 * One import, and checks of its result. */
#include "importer.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "icseg/image.h"
#include "icseg/memory.h"

fuzz_part fuzz_image(void) {
    uint8_t pixels[3 * FUZZ_IMAGE_WIDTH * FUZZ_IMAGE_HEIGHT];
    const icseg_image image = {FUZZ_IMAGE_WIDTH, FUZZ_IMAGE_HEIGHT, pixels};
    void *png;
    size_t size;
    for (size_t i = 0; i < sizeof pixels; i++) pixels[i] = (uint8_t)(7 * i);
    FUZZ_REQUIRE(icseg_image_encode_png(&image, &png, &size, NULL) == ICSEG_OK);
    return (fuzz_part){png, size};
}

void fuzz_put_image(const char *name) {
    fuzz_part png = fuzz_image();
    fuzz_put(name, png.data, png.size);
    icseg_buffer_free((void *)png.data);
}

fuzz_part fuzz_image_list(const uint8_t *data, size_t size, fuzz_part list) {
    enum { FEW = 6 };
    if (!fuzz_select(data, size, 16)) return list;
    size_t end = 0;
    for (int lines = 0; end < list.size && lines < FEW; end++) lines += list.data[end] == '\n';
    return (fuzz_part){list.data, end};
}

static int64_t read_split(const char *folder, const char *split, const icseg_import_summary *summary) {
    icseg_error error;
    icseg_dataset *dataset;
    icseg_dataset_sample sample = {ICSEG_DATASET_SAMPLE_INIT};
    const icseg_dataset_options options = {ICSEG_DATASET_OPTIONS_INIT, .folder = folder, .split = split};
    FUZZ_REQUIRE(fuzz_succeeded(icseg_dataset_open(&dataset, &options, &error), &error));
    FUZZ_REQUIRE(icseg_dataset_classes(dataset) == summary->classes);
    while (icseg_dataset_next(dataset, &sample, &error)) {
        size_t pixels = (size_t)sample.labels.width * (size_t)sample.labels.height;
        FUZZ_REQUIRE(sample.labels.width == sample.image.width && sample.labels.height == sample.image.height);
        for (size_t i = 0; i < pixels; i++)
            FUZZ_REQUIRE(sample.labels.data[i] == ICSEG_LABEL_IGNORE ||
                         (sample.labels.data[i] >= 0 && sample.labels.data[i] < summary->classes));
    }
    FUZZ_REQUIRE(fuzz_succeeded(sample.status, &error));
    icseg_dataset_sample_close(&sample);
    int64_t count = icseg_dataset_count(dataset);
    icseg_dataset_close(&dataset);
    return count;
}

static void read_back(const char *folder, const icseg_import_summary *summary) {
    icseg_error error;
    char **splits;
    int32_t count;
    int64_t images = 0;
    FUZZ_REQUIRE(summary->problems == 0 && summary->images > 0 && summary->classes > 0);
    FUZZ_REQUIRE(fuzz_succeeded(icseg_dataset_splits(&splits, &count, folder, &error), &error));
    for (int32_t i = 0; i < count; i++) images += read_split(folder, splits[i], summary);
    FUZZ_REQUIRE(images == summary->images);
    icseg_buffer_free(splits);
}

void fuzz_import(icseg_import_format format, const char *source, fuzz_part choices) {
    static const char *const backgrounds[] = {NULL, "", "wall", "a"}, list[] = "wall\na\nb\n";
    unsigned first = fuzz_choice(choices, 0), second = fuzz_choice(choices, 1);
    char from[128], to[128], classes[128], images[128];
    icseg_error error;
    icseg_import_summary summary = {ICSEG_IMPORT_SUMMARY_INIT};
    snprintf(from, sizeof from, "%s", source);
    snprintf(to, sizeof to, "%s", fuzz_path("new/set"));
    snprintf(images, sizeof images, "%s", fuzz_path("images"));
    icseg_import_options options = {ICSEG_IMPORT_OPTIONS_INIT,
                                    .source = from,
                                    .folder = to,
                                    .format = second & 1 ? ICSEG_IMPORT_AUTO : format,
                                    .background = backgrounds[first % 4],
                                    .split = first & 4 ? "val" : NULL,
                                    .val_share = first & 8 ? 0.5 : 0,
                                    .image_folder = first & 16 ? images : NULL,
                                    .on_problem = fuzz_problem};
    if (first & 32) {
        snprintf(classes, sizeof classes, "%s", fuzz_put("list.txt", list, strlen(list)));
        options.classes_file = classes;
    }
    if (fuzz_succeeded(icseg_import_run(&options, NULL, &summary, &error), &error)) {
        read_back(to, &summary);
        fuzz_remove("new");
    } else
        FUZZ_REQUIRE(!icseg_folder_exists(fuzz_path("new")));
}
