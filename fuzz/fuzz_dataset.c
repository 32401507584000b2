/* SPDX-License-Identifier: Apache-2.0
 * Data sets. Parts: options, the list of files, and up to four contents. A line of the list is a path and a letter:
 * 0..3 for a content, "i" for an image, "m" for a mask, "c" for a class list, "d" for a folder. What a check of all
 * files finds in order can be read, and labels are classes. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "fuzz.h"
#include "icseg/dataset.h"
#include "icseg/image.h"
#include "icseg/memory.h"
#include "image/codec.h"

enum { CONTENTS = 4, MOST_FILES = 12, MOST_PIXELS = 20000, WIDTH = 12, HEIGHT = 10 };

/* What "i" and "m" stand for. */
static fuzz_part image_file, mask_file;

static fuzz_part read_file(const char *name) {
    unsigned char *file;
    size_t size;
    FUZZ_REQUIRE(icseg_file_read(fuzz_path(name), 4096, &file, &size, NULL) == ICSEG_OK);
    fuzz_part part = {fuzz_copy(file, size), size};
    icseg_free(file);
    return part;
}

static void make_files(void) {
    uint8_t pixels[3 * WIDTH * HEIGHT] = {9, 8, 7};
    int16_t values[WIDTH * HEIGHT] = {1, 2, ICSEG_LABEL_IGNORE};
    const icseg_image image = {WIDTH, HEIGHT, pixels};
    const icseg_labels labels = {WIDTH, HEIGHT, values};
    FUZZ_REQUIRE(icseg_image_write_png(&image, fuzz_path("image.png"), NULL) == ICSEG_OK);
    icseg_palette palette;
    FUZZ_REQUIRE(icseg_palette_create(&palette, 3, NULL) == ICSEG_OK);
    FUZZ_REQUIRE(icseg_labels_write_png(&labels, &palette, fuzz_path("mask.png"), NULL) == ICSEG_OK);
    icseg_palette_close(&palette);
    image_file = read_file("image.png");
    mask_file = read_file("mask.png");
}

static bool is_small(fuzz_part content) {
    icseg_header header;
    const icseg_source source = {.data = content.data, .size = content.size, .name = "content"};
    return icseg_header_read(&header, &source, NULL) != ICSEG_OK ||
           (int64_t)header.width * header.height <= MOST_PIXELS;
}

static void put_file(const char *line, size_t length, const fuzz_part *contents) {
    static const fuzz_part classes = {(const uint8_t *)"a\nb\nc\n", 6};
    char path[256], *name = path + strlen("set/");
    if (length < 3 || length > 100 || line[length - 2] != ' ') return;
    snprintf(path, sizeof path, "set/%.*s", (int)length - 2, line);
    if (*name == '/' || line[length - 3] == '/' || strstr(name, "..") || strlen(name) != length - 2) return;
    char kind = line[length - 1];
    fuzz_part content = kind >= '0' && kind < '0' + CONTENTS ? contents[kind - '0']
                        : kind == 'i'                        ? image_file
                        : kind == 'm'                        ? mask_file
                                                             : classes;
    char folder[256];
    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(path, '/') - path), path);
    if (icseg_folder_create(fuzz_path(kind == 'd' ? path : folder), NULL) != ICSEG_OK || kind == 'd') return;
    if (!icseg_folder_exists(fuzz_path(path))) fuzz_put(path, content.data, content.size);
}

/* The same list as before names the same files, which are only written again. */
static void put_files(fuzz_part list, const fuzz_part *contents) {
    static unsigned char last[4096];
    static size_t last_size = sizeof last;
    char *text = fuzz_text(list), *rest = text;
    int count = 0;
    if (list.size != last_size || (list.size && memcmp(list.data, last, list.size) != 0)) {
        fuzz_remove("set");
        fuzz_folder("set");
        last_size = list.size < sizeof last ? list.size : sizeof last;
        if (last_size) memcpy(last, list.data, last_size);
    }
    for (char *line; (line = strsep(&rest, "\n")) && count++ < MOST_FILES;) put_file(line, strlen(line), contents);
    free(text);
}

/* Returns whether every image and label file can be read. */
static bool read_all(const icseg_dataset *dataset) {
    icseg_error error;
    icseg_dataset_sample sample = {ICSEG_DATASET_SAMPLE_INIT};
    bool fine = true;
    while (sample.next < icseg_dataset_count(dataset)) {
        if (!icseg_dataset_next(dataset, &sample, &error)) {
            (void)fuzz_succeeded(sample.status, &error);
            fine = false;
            continue;
        }
        size_t pixels = (size_t)sample.labels.width * (size_t)sample.labels.height;
        for (size_t i = 0; i < pixels; i++)
            FUZZ_REQUIRE(sample.labels.data[i] == ICSEG_LABEL_IGNORE ||
                         (sample.labels.data[i] >= 0 && sample.labels.data[i] < icseg_dataset_classes(dataset)));
    }
    icseg_dataset_sample_close(&sample);
    return fine;
}

static void check(const icseg_dataset *dataset) {
    icseg_error error;
    icseg_dataset_summary summary = {ICSEG_DATASET_SUMMARY_INIT};
    const icseg_dataset_check_options options = {ICSEG_DATASET_CHECK_OPTIONS_INIT, .threads = 1, .decode_images = true,
                                                 .on_problem = fuzz_problem};
    icseg_status status = icseg_dataset_check(dataset, &options, NULL, &summary, &error);
    bool fine = fuzz_succeeded(status, &error), readable = read_all(dataset);
    FUZZ_REQUIRE(fine == (summary.problems == 0));
    if (fine) FUZZ_REQUIRE(readable && summary.images == icseg_dataset_count(dataset));
    icseg_dataset_summary_close(&summary);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const splits[] = {"train", NULL, "val", ""};
    fuzz_part parts[2 + CONTENTS];
    fuzz_split(data, size, parts, 2 + CONTENTS);
    if (!image_file.data) make_files();
    for (int i = 0; i < CONTENTS; i++)
        if (!is_small(parts[2 + i])) return 0;
    put_files(parts[1], parts + 2);
    /* Formats other than AUTO and FOLDER are rare, because their long class lists take most of the time. */
    unsigned first = fuzz_choice(parts[0], 0), second = fuzz_choice(parts[0], 1);
    bool any_format = !(first & 192) && !fuzz_select(data, size, 8);
    const int32_t ignore[] = {(int32_t)fuzz_choice(parts[0], 2) - 1, 65535};
    char folder[128], **names;
    int32_t count;
    icseg_error error;
    icseg_dataset *dataset;
    snprintf(folder, sizeof folder, "%s", fuzz_path("set"));
    if (fuzz_succeeded(icseg_dataset_splits(&names, &count, folder, &error), &error)) FUZZ_REQUIRE(count >= 0);
    icseg_buffer_free(names);
    const icseg_dataset_options options = {ICSEG_DATASET_OPTIONS_INIT,
                                           .folder = folder,
                                           .format = (icseg_dataset_format)(any_format ? first % 8 : first % 2),
                                           .split = splits[first / 8 % 4],
                                           .reduce_zero_label = second & 1,
                                           .images_only = second & 2,
                                           .keep_unpaired = second & 4,
                                           .ignore = ignore,
                                           .ignore_count = (int32_t)(second / 8 % 3)};
    if (fuzz_succeeded(icseg_dataset_open(&dataset, &options, &error), &error))
        check(dataset);
    else
        FUZZ_REQUIRE(!dataset);
    icseg_dataset_close(&dataset);
    return 0;
}
