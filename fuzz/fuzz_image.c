/* SPDX-License-Identifier: Apache-2.0
 * JPEG, PNG, WebP, TIFF, BMP, GIF and PNM, as images and as masks. The decoded size is the header's. */
#include "fuzz.h"
#include "image/codec.h"

enum { MAX_PIXELS = 600000 }; /* larger images only cost time */

static void read_image(const char *path, const uint8_t *data, size_t size) {
    icseg_error error;
    icseg_image image;
    int32_t width, height;
    bool sized = fuzz_succeeded(icseg_image_read_size(&width, &height, path, &error), &error);
    FUZZ_REQUIRE(sized);
    if (!fuzz_succeeded(icseg_image_read_memory(&image, data, size, "input", &error), &error)) {
        FUZZ_REQUIRE(!image.data);
        return;
    }
    FUZZ_REQUIRE(image.width == width && image.height == height);
    free(fuzz_copy(image.data, (size_t)width * (size_t)height * 3)); /* reads every byte */
    icseg_image_close(&image);
}

static void read_mask(const char *path, const icseg_header *header) {
    icseg_error error;
    icseg_mask mask;
    if (!fuzz_succeeded(icseg_mask_read(&mask, path, &error), &error)) {
        FUZZ_REQUIRE(!mask.data);
        return;
    }
    FUZZ_REQUIRE((int64_t)mask.width * mask.height == (int64_t)header->width * header->height);
    for (size_t i = 0; i < (size_t)mask.width * (size_t)mask.height; i++) FUZZ_REQUIRE(mask.data[i] >> mask.bits == 0);
    icseg_mask_close(&mask);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    icseg_error error;
    icseg_header header;
    uint8_t *copy = fuzz_copy(data, size);
    icseg_source source = {copy, size, "input", NULL};
    int orientation = icseg_exif_orientation(copy, size);
    FUZZ_REQUIRE(orientation >= 1 && orientation <= 8);
    if (fuzz_succeeded(icseg_header_read(&header, &source, &error), &error)) {
        FUZZ_REQUIRE(header.orientation >= 1 && header.orientation <= 8 && header.width >= 1 && header.height >= 1);
        if ((int64_t)header.width * header.height <= MAX_PIXELS) {
            const char *path = fuzz_put("image", data, size);
            read_image(path, copy, size);
            read_mask(path, &header);
        }
    }
    free(copy);
    return 0;
}
