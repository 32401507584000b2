/* SPDX-License-Identifier: Apache-2.0
 * Geometry of sliding-window evaluation. */
#include "inference/sliding.h"

static icseg_status axis_open(icseg_sliding_axis *out, const char *name, const int32_t size[3], icseg_error *error) {
    int32_t length = size[0], crop = size[1], stride = size[2];
    if (length < 1)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "sliding window: the image's %s is %d; expected at least 1",
                          name, (int)length);
    if (crop < 1)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "sliding window: the crop's %s is %d; expected at least 1", name,
                          (int)crop);
    if (stride == 0) stride = crop < 2 ? 1 : (int32_t)((int64_t)crop * 2 / 3);
    if (stride < 1 || stride > crop)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT,
                          "sliding window: the stride is %d; expected 1 to %d, the crop's %s", (int)stride, (int)crop,
                          name);
    int32_t window = crop < length ? crop : length;
    int64_t rest = (int64_t)length - window; /* pixels between the starts of the first and the last window */
    *out = (icseg_sliding_axis){
        .length = length, .window = window, .stride = stride, .count = (int32_t)((rest + stride - 1) / stride + 1)};
    return ICSEG_OK;
}

icseg_status icseg_sliding_open(icseg_sliding *out, const icseg_sliding_options *options, int32_t width, int32_t height,
                                icseg_error *error) {
    *out = (icseg_sliding){0};
    ICSEG_TRY(axis_open(&out->x, "width", (int32_t[]){width, options->crop_width, options->stride_width}, error));
    return axis_open(&out->y, "height", (int32_t[]){height, options->crop_height, options->stride_height}, error);
}

int64_t icseg_sliding_count(const icseg_sliding *sliding) { return (int64_t)sliding->x.count * sliding->y.count; }

int32_t icseg_sliding_start(const icseg_sliding_axis *axis, int32_t index) {
    int64_t start = (int64_t)index * axis->stride;
    int32_t last = axis->length - axis->window;
    return start < last ? (int32_t)start : last;
}

icseg_window icseg_sliding_window(const icseg_sliding *sliding, int64_t index) {
    return (icseg_window){.x = icseg_sliding_start(&sliding->x, (int32_t)(index % sliding->x.count)),
                          .y = icseg_sliding_start(&sliding->y, (int32_t)(index / sliding->x.count)),
                          .width = sliding->x.window,
                          .height = sliding->y.window};
}

void icseg_sliding_cover(const icseg_sliding_axis *axis, int32_t *cover) {
    for (int32_t i = 0; i < axis->length; i++) cover[i] = 0;
    for (int32_t w = 0; w < axis->count; w++)
        for (int32_t i = 0, start = icseg_sliding_start(axis, w); i < axis->window; i++) cover[start + i]++;
}
