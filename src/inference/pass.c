/* SPDX-License-Identifier: Apache-2.0
 * Passes: windows on a view, which windows cover a row of the label map, running them and dropping them again.
 *
 * mmsegmentation upsamples each window's logits to the window's size, averages where windows overlap, and resizes that
 * map to the image. Here position i of the label map is taken to the view (half-pixel centres) and reads the windows
 * that cover that point, at the point: the same numbers when the view has the image's size, one interpolation instead
 * of two when it has not. */
#include "inference/pass.h"

#include <math.h>
#include <string.h>

#include "base/finite.h"
#include "base/memory.h"
#include "base/system.h"
#include "image/normalize.h"

/* The windows of an axis that cover point e (0 <= e < length) are first .. first + return value - 1. */
static int32_t covering(const icseg_sliding_axis *axis, double e, int32_t *first) {
    double skip = floor((e - axis->window) / axis->stride); /* windows before this one end above e */
    int32_t at = skip > 0 ? (int32_t)skip : 0, count = 0;
    while (at < axis->count - 1 && icseg_sliding_start(axis, at) + axis->window <= e) at++;
    *first = at;
    while (at + count < axis->count && icseg_sliding_start(axis, at + count) <= e) count++;
    return count;
}

/* Centre of position i of `length`, on the axis of the view. */
static double centre(const icseg_sliding_axis *axis, int64_t i, int32_t length) {
    return ((double)i + 0.5) * axis->length / length;
}

/* cells: logits of a window along this axis. */
static icseg_status open_map(icseg_axis_map *map, const icseg_sliding_axis *axis, int64_t cells, int32_t length,
                             bool mirrored, icseg_error *error) {
    float scale = (float)cells / (float)axis->window;
    int32_t first;
    map->begin = icseg_alloc_array((size_t)length + 1, sizeof *map->begin);
    if (!map->begin) return icseg_fail_memory(error, ((size_t)length + 1) * sizeof *map->begin, "sliding windows");
    map->begin[0] = 0;
    for (int64_t i = 0; i < length; i++)
        map->begin[i + 1] = map->begin[i] + covering(axis, centre(axis, mirrored ? length - 1 - i : i, length), &first);
    size_t total = (size_t)map->begin[length];
    map->cell = icseg_alloc_array(total, sizeof *map->cell);
    if (!map->cell) return icseg_fail_memory(error, total * sizeof *map->cell, "sliding windows");
    for (int64_t i = 0; i < length; i++) {
        double e = centre(axis, mirrored ? length - 1 - i : i, length);
        int32_t count = covering(axis, e, &first);
        for (int32_t k = 0; k < count; k++) {
            float inside = (float)(e - icseg_sliding_start(axis, first + k));
            map->cell[map->begin[i] + k] =
                (icseg_cell){.window = first + k, .tap = icseg_tap_near(inside * scale - 0.5f, cells)};
        }
    }
    return ICSEG_OK;
}

static icseg_network_options window_options(const icseg_pass *p) {
    icseg_network_options options;
    memset(&options, 0, sizeof options); /* compared bytewise */
    options.batch = 1;
    options.height = p->windows.y.window;
    options.width = p->windows.x.window;
    options.keep_logits = 1;
    return options;
}

icseg_status icseg_pass_open(icseg_pass *p, icseg_model *model, const icseg_image *view, bool mirrored,
                             const icseg_eval_options *o, int32_t width, int32_t height, icseg_error *error) {
    icseg_sliding_options windows = {view->width, view->height, view->width, view->height};
    icseg_session *session;
    *p = (icseg_pass){.view = view, .mirrored = mirrored};
    if (o->mode == ICSEG_EVAL_SLIDE)
        windows = (icseg_sliding_options){o->crop_width, o->crop_height, o->stride_width, o->stride_height};
    ICSEG_TRY(icseg_sliding_open(&p->windows, &windows, view->width, view->height, error));
    icseg_network_options options = window_options(p);
    ICSEG_TRY(icseg_model_session(model, &options, &session, error));
    p->h = icseg_graph_dim(session->graph, session->network.logits, 1);
    p->w = icseg_graph_dim(session->graph, session->network.logits, 2);
    p->classes = icseg_graph_dim(session->graph, session->network.logits, 3);
    ICSEG_TRY(open_map(&p->x, &p->windows.x, p->w, width, mirrored, error));
    ICSEG_TRY(open_map(&p->y, &p->windows.y, p->h, height, false, error));
    p->row = icseg_calloc_array((size_t)p->windows.y.count, sizeof *p->row);
    if (!p->row) return icseg_fail_memory(error, (size_t)p->windows.y.count * sizeof *p->row, "sliding windows");
    return ICSEG_OK;
}

void icseg_pass_close(icseg_pass *p) {
    for (int32_t i = 0; p->row && i < p->windows.y.count; i++) icseg_free(p->row[i]);
    icseg_free(p->row);
    icseg_free(p->x.begin);
    icseg_free(p->x.cell);
    icseg_free(p->y.begin);
    icseg_free(p->y.cell);
    *p = (icseg_pass){0};
}

icseg_status icseg_pass_run(icseg_model *model, const icseg_network_options *options, const icseg_image *image,
                            icseg_session **out, icseg_error *error) {
    icseg_session *s;
    ICSEG_TRY(icseg_model_session(model, options, &s, error));
    size_t floats = (size_t)image->width * (size_t)image->height * 3;
    float *input = icseg_alloc_array(floats, sizeof *input);
    if (!input) return icseg_fail_memory(error, floats * sizeof *input, "the network's input");
    icseg_image_normalize(image, input);
    icseg_executor_bind(s->executor, s->network.image, input);
    icseg_status status = icseg_executor_run(s->executor, 0, 0, error);
    if (status == ICSEG_OK) {
        int64_t count = icseg_graph_value(s->graph, s->network.logits)->count;
        if (!icseg_all_finite(icseg_executor_data(s->executor, s->network.logits), count)) {
            status = icseg_executor_run_checked(s->executor, 0, 0, error);
            if (status == ICSEG_OK) status = icseg_fail(error, ICSEG_ERROR_NUMERIC, "logits are not finite");
        }
    }
    icseg_executor_bind(s->executor, s->network.image, NULL);
    icseg_free(input);
    *out = s;
    return status;
}

/* The window of the view, or of the mirrored view. */
static void cut(const icseg_pass *p, icseg_window at, icseg_image *out) {
    size_t stride = (size_t)p->view->width * 3;
    for (int32_t y = 0; y < at.height; y++) {
        const uint8_t *from = p->view->data + (size_t)(at.y + y) * stride;
        uint8_t *to = out->data + (size_t)y * (size_t)at.width * 3;
        if (!p->mirrored) {
            memcpy(to, from + 3 * (size_t)at.x, (size_t)at.width * 3);
            continue;
        }
        from += stride - 3 * ((size_t)at.x + 1);
        for (int32_t x = 0; x < at.width; x++, to += 3, from -= 3) memcpy(to, from, 3);
    }
}

/* Logits of row `next` of windows. */
static icseg_status run_row(icseg_pass *p, icseg_model *model, icseg_error *error) {
    icseg_network_options options = window_options(p);
    size_t columns = (size_t)p->windows.x.count, size = (size_t)(p->h * p->w * p->classes);
    icseg_image image = {0};
    icseg_status status = ICSEG_OK;
    float *row = icseg_alloc_array(columns, size * sizeof *row);
    if (!row) return icseg_fail_memory(error, columns * size * sizeof *row, "the logits of a row of windows");
    p->row[p->next] = row;
    ICSEG_TRY(icseg_image_create(&image, p->windows.x.window, p->windows.y.window, error));
    for (size_t i = 0; i < columns && status == ICSEG_OK; i++) {
        icseg_session *session;
        cut(p, icseg_sliding_window(&p->windows, (int64_t)p->next * p->windows.x.count + (int64_t)i), &image);
        status = icseg_pass_run(model, &options, &image, &session, error);
        if (status == ICSEG_OK)
            memcpy(row + i * size, icseg_executor_data(session->executor, session->network.logits), size * sizeof *row);
    }
    icseg_image_close(&image);
    p->next++;
    return status;
}

/* The windows row y of the label map reads. */
static const icseg_cell *first_cell(const icseg_pass *p, int32_t y) { return &p->y.cell[p->y.begin[y]]; }
static const icseg_cell *last_cell(const icseg_pass *p, int32_t y) { return &p->y.cell[p->y.begin[y + 1] - 1]; }

icseg_status icseg_pass_advance(icseg_pass *p, icseg_model *model, int32_t y, icseg_error *error) {
    int32_t keep = first_cell(p, y)->window;
    for (int32_t i = 0; i < keep; i++) {
        icseg_free(p->row[i]);
        p->row[i] = NULL;
    }
    if (p->next < keep) p->next = keep; /* an image much smaller than the view may step over rows of windows */
    while (p->next <= last_cell(p, y)->window) ICSEG_TRY(run_row(p, model, error));
    return ICSEG_OK;
}

int32_t icseg_pass_ready(const icseg_pass *p, int32_t y, int32_t height) {
    while (y < height && last_cell(p, y)->window < p->next) y++;
    return y;
}
