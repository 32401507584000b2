/* SPDX-License-Identifier: Apache-2.0
 * EXIF orientation: reading it from an untrusted block, and turning pixels upright. */
#include <stdbool.h>
#include <string.h>

#include "base/memory.h"
#include "image/codec.h"

/* EXIF's values, named by the sides of the upright image where the first stored row and column belong. */
enum { TOP_LEFT = 1, TOP_RIGHT, BOTTOM_RIGHT, BOTTOM_LEFT, LEFT_TOP, RIGHT_TOP, RIGHT_BOTTOM, LEFT_BOTTOM };

static uint32_t read_number(const unsigned char *p, int bytes, bool big_endian) {
    uint32_t value = 0;
    for (int i = 0; i < bytes; i++) value |= (uint32_t)p[i] << 8 * (big_endian ? bytes - 1 - i : i);
    return value;
}

int icseg_exif_orientation(const unsigned char *data, size_t size) {
    enum { ENTRY = 12, TAG_ORIENTATION = 0x0112, TYPE_SHORT = 3 };
    if (size < 8 || (memcmp(data, "II*\0", 4) != 0 && memcmp(data, "MM\0*", 4) != 0)) return TOP_LEFT;
    bool big = data[0] == 'M';
    size_t offset = read_number(data + 4, 4, big);
    if (offset > size - 2) return TOP_LEFT;
    size_t count = read_number(data + offset, 2, big);
    for (offset += 2; count && size - offset >= ENTRY; count--, offset += ENTRY) {
        const unsigned char *entry = data + offset;
        if (read_number(entry, 2, big) != TAG_ORIENTATION) continue;
        uint32_t value = read_number(entry + 8, 2, big);
        bool good = read_number(entry + 2, 2, big) == TYPE_SHORT && value >= TOP_LEFT && value <= LEFT_BOTTOM;
        return good ? (int)value : TOP_LEFT;
    }
    return TOP_LEFT;
}

icseg_status icseg_orient(void **pixels, int32_t *width, int32_t *height, size_t pixel, int orientation,
                          icseg_error *error) {
    static const struct {
        bool right, bottom; /* the corner of the stored image that becomes the upper left one */
    } corner[] = {[TOP_LEFT] = {.right = false, .bottom = false},   [TOP_RIGHT] = {.right = true, .bottom = false},
                  [BOTTOM_RIGHT] = {.right = true, .bottom = true}, [BOTTOM_LEFT] = {.right = false, .bottom = true},
                  [LEFT_TOP] = {.right = false, .bottom = false},   [RIGHT_TOP] = {.right = false, .bottom = true},
                  [RIGHT_BOTTOM] = {.right = true, .bottom = true}, [LEFT_BOTTOM] = {.right = true, .bottom = false}};
    if (orientation <= TOP_LEFT || orientation > LEFT_BOTTOM) return ICSEG_OK;
    ptrdiff_t w = *width, h = *height;
    bool swapped = orientation >= LEFT_TOP; /* rows become columns */
    bool right = corner[orientation].right, bottom = corner[orientation].bottom;
    /* Output pixel (x, y) comes from input pixel start + x * across + y * down. */
    ptrdiff_t step_x = right ? -1 : 1, step_y = bottom ? -w : w;
    ptrdiff_t start = (right ? w - 1 : 0) + (bottom ? (h - 1) * w : 0);
    ptrdiff_t across = swapped ? step_y : step_x, down = swapped ? step_x : step_y;
    ptrdiff_t out_width = swapped ? h : w, out_height = swapped ? w : h;
    unsigned char *out = icseg_alloc_array((size_t)w * (size_t)h, pixel);
    if (!out) return icseg_fail_memory(error, (size_t)w * (size_t)h * pixel, "the upright image");
    const unsigned char *in = *pixels;
    unsigned char *to = out;
    for (ptrdiff_t y = 0; y < out_height; y++)
        for (ptrdiff_t x = 0; x < out_width; x++) {
            const unsigned char *from = in + (start + x * across + y * down) * (ptrdiff_t)pixel;
            for (size_t i = 0; i < pixel; i++) *to++ = from[i];
        }
    icseg_free(*pixels);
    *pixels = out;
    *width = (int32_t)out_width;
    *height = (int32_t)out_height;
    return ICSEG_OK;
}
