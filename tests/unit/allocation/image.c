/* SPDX-License-Identifier: Apache-2.0
 * Calls of image.h. */
#include "allocation/allocation.h"

QUIET(icseg_image_extensions, )
FILLS(icseg_image_read, icseg_image, data, icseg_image_close, alloc_path("image.jpg"))
icseg_status call_icseg_image_load(icseg_error *error) {
    static const struct {
        const char *data;
        size_t size;
    } files[] = {
        {"P2 2 1 4000 7 4000", 18},
        {"BM\0\0\0\0\0\0\0\0\x3a\0\0\0\x28\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\x08\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
         "\x01\0\0\0\0\0\0\0\x01\x02\x03\0\0\0\0\0",
         62},
#ifndef ICSEG_NO_GIF
        {"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0;", 35},
#endif
    };
    icseg_image_values values = {ICSEG_IMAGE_VALUES_INIT};
    icseg_image_info info = {ICSEG_IMAGE_INFO_INIT};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        icseg_image out = {.data = BAD};
        icseg_image_input input = {ICSEG_IMAGE_INPUT_INIT, .data = files[i].data, .size = files[i].size,
                                   .values = &values};
        icseg_status status = icseg_image_load(&out, &input, &info, error);
        assert_true((out.data != NULL) == (status == ICSEG_OK));
        icseg_image_close(&out);
        if (status != ICSEG_OK) return status;
    }
    return ICSEG_OK;
}
icseg_status call_icseg_image_read_memory(icseg_error *error) {
    void *bytes;
    size_t size;
    icseg_image out = {.data = BAD};
    ICSEG_TRY(icseg_image_encode_png(&shared.image, &bytes, &size, error));
    icseg_status status = icseg_image_read_memory(&out, bytes, size, "a PNG", error);
    assert_true((out.data != NULL) == (status == ICSEG_OK));
    icseg_image_close(&out);
    icseg_buffer_free(bytes);
    return status;
}
icseg_status call_icseg_image_read_size(icseg_error *error) {
    int32_t width, height;
    return icseg_image_read_size(&width, &height, alloc_path("image.jpg"), error);
}
FILLS(icseg_image_create, icseg_image, data, icseg_image_close, 5, 4)
CLOSES(icseg_image_close)
DOES(icseg_image_write_png, &shared.image, alloc_path("out.png"))
DOES(icseg_image_write_jpeg, &shared.image, alloc_path("out.jpg"), 90)
static icseg_status encode(bool png, icseg_error *error) {
    void *out = BAD;
    size_t size = 9;
    icseg_status status = png ? icseg_image_encode_png(&shared.image, &out, &size, error)
                              : icseg_image_encode_jpeg(&shared.image, 90, &out, &size, error);
    assert_true((out != NULL) == (status == ICSEG_OK));
    icseg_buffer_free(out);
    return status;
}
icseg_status call_icseg_image_encode_jpeg(icseg_error *error) { return encode(false, error); }
icseg_status call_icseg_image_encode_png(icseg_error *error) { return encode(true, error); }
icseg_status call_icseg_labels_encode_png(icseg_error *error) {
    void *out = BAD;
    size_t size;
    icseg_status status = icseg_labels_encode_png(&shared.labels, &shared.palette, &out, &size, error);
    assert_true((out != NULL) == (status == ICSEG_OK));
    icseg_buffer_free(out);
    return status;
}
FILLS(icseg_image_resize, icseg_image, data, icseg_image_close, &shared.image, 30, 50)
FILLS(icseg_mask_read, icseg_mask, data, icseg_mask_close, alloc_path("labels.png"))
CLOSES(icseg_mask_close)
DOES(icseg_labels_write_png, &shared.labels, &shared.palette, alloc_path("out.png"))
FILLS(icseg_labels_create, icseg_labels, data, icseg_labels_close, 5, 4)
FILLS(icseg_labels_resize, icseg_labels, data, icseg_labels_close, &shared.labels, 30, 50)
CLOSES(icseg_labels_close)
icseg_status call_icseg_labels_summarise(icseg_error *error) {
    icseg_labels_summary out = {ICSEG_LABELS_SUMMARY_INIT, .classes = BAD};
    icseg_status status = icseg_labels_summarise(&out, &shared.labels, NULL, CLASSES, error);
    assert_true((out.classes != NULL) == (status == ICSEG_OK));
    icseg_labels_summary_close(&out);
    return status;
}
CLOSES(icseg_labels_summary_close)
icseg_status call_icseg_confidence_write_png(icseg_error *error) {
    const float values[6] = {0, 0.5f, 1};
    return icseg_confidence_write_png(values, 3, 2, alloc_path("out.png"), error);
}
FILLS(icseg_palette_create, icseg_palette, color, icseg_palette_close, 5)
CLOSES(icseg_palette_close)
FILLS(icseg_palette_create_for, icseg_palette, color, icseg_palette_close, shared.names, CLASSES)
icseg_status call_icseg_overlay_draw(icseg_error *error) {
    icseg_overlay_options options = {ICSEG_OVERLAY_OPTIONS_INIT, .palette = &shared.palette, .names = shared.names,
                                     .opacity = 0.5};
    icseg_image out = {.data = BAD};
    icseg_status status = icseg_overlay_draw(&out, &shared.image, &shared.labels, &options, error);
    assert_true((out.data != NULL) == (status == ICSEG_OK));
    icseg_image_close(&out);
    return status;
}
