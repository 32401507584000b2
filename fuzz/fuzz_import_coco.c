/* SPDX-License-Identifier: Apache-2.0
 * The importer of COCO. Parts: one JSON file, another one or nothing, options. The PNG file of panoptic annotations has
 * the segments 1 and 300, and pixels of none. */
#include "importer.h"

#include "icseg/image.h"
#include "icseg/memory.h"

static void put_segments(const char *name) {
    uint8_t pixels[3 * FUZZ_IMAGE_WIDTH * FUZZ_IMAGE_HEIGHT] = {0};
    const icseg_image image = {FUZZ_IMAGE_WIDTH, FUZZ_IMAGE_HEIGHT, pixels};
    void *png;
    size_t size;
    for (size_t i = 0; i < 40; i++) pixels[3 * i] = 1;
    for (size_t i = 40; i < 80; i++) pixels[3 * i] = 300 & 255, pixels[3 * i + 1] = 300 >> 8;
    FUZZ_REQUIRE(icseg_image_encode_png(&image, &png, &size, NULL) == ICSEG_OK);
    fuzz_put(name, png, size);
    icseg_buffer_free(png);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static bool made;
    fuzz_part parts[3];
    fuzz_split(data, size, parts, 3);
    if (!made) {
        fuzz_folder("coco/annotations");
        fuzz_put_image("coco/a.png");
        fuzz_put_image("coco/b.png");
        put_segments("coco/annotations/s.png");
    }
    made = true;
    fuzz_put_part("coco/annotations/instances_train.json", parts[0]);
    fuzz_put_part("coco/annotations/instances_val.json", parts[1]);
    fuzz_import(ICSEG_IMPORT_COCO, fuzz_path("coco"), parts[2]);
    return 0;
}
